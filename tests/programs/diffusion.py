"""Denoising diffusion of points on a spiral: a schedule in buffers, times as sinusoids, sampling backwards step by step."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def extract(a, t, x_shape):
    b, *_ = t.shape
    return a.gather(-1, t).reshape(b, *((1,) * (len(x_shape) - 1)))


def cosine_beta_schedule(timesteps, s=0.008):
    x = torch.linspace(0, timesteps, timesteps + 1, dtype=torch.float64)
    alphas_cumprod = torch.cos(((x / timesteps) + s) / (1 + s) * math.pi * 0.5) ** 2
    alphas_cumprod = alphas_cumprod / alphas_cumprod[0]
    return torch.clip(1 - (alphas_cumprod[1:] / alphas_cumprod[:-1]), 0, 0.2)


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        device = x.device
        half_dim = self.dim // 2
        emb = math.log(10000) / (half_dim - 1)
        emb = torch.exp(torch.arange(half_dim, device=device) * -emb)
        emb = x[:, None] * emb[None, :]
        return torch.cat((emb.sin(), emb.cos()), dim=-1)


class Denoiser(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.time = nn.Sequential(SinusoidalPosEmb(16), nn.Linear(16, 2 * width), nn.SiLU())
        self.first, self.second = nn.Linear(2, width), nn.Linear(width, width)
        self.norm = nn.GroupNorm(4, width)
        self.last = nn.Linear(width, 2)

    def forward(self, x, t):
        scale, shift = self.time(t).chunk(2, dim=1)
        h = F.mish(self.first(x))
        h = self.norm(self.second(h)) * (scale + 1) + shift
        return self.last(F.silu(h))


class GaussianDiffusion(nn.Module):
    def __init__(self, model, timesteps=40):
        super().__init__()
        self.model, self.num_timesteps = model, timesteps
        betas = cosine_beta_schedule(timesteps)
        alphas_cumprod = torch.cumprod(1.0 - betas, dim=0)
        alphas_cumprod_prev = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
        register = lambda name, val: self.register_buffer(name, val.to(torch.float32))
        register("betas", betas)
        register("sqrt_alphas_cumprod", torch.sqrt(alphas_cumprod))
        register("sqrt_one_minus_alphas_cumprod", torch.sqrt(1.0 - alphas_cumprod))
        register("sqrt_recip_alphas", (1.0 - betas).rsqrt())
        register("posterior_variance", betas * (1.0 - alphas_cumprod_prev) / (1.0 - alphas_cumprod))

    def q_sample(self, x_start, t, noise):
        return (extract(self.sqrt_alphas_cumprod, t, x_start.shape) * x_start
                + extract(self.sqrt_one_minus_alphas_cumprod, t, x_start.shape) * noise)

    def forward(self, x, t, noise):
        loss = F.smooth_l1_loss(self.model(self.q_sample(x, t, noise), t), noise, reduction="none")
        return loss.flatten(1).mean(1).mean()

    @torch.inference_mode()
    def sample(self, shape):
        img = torch.randn(shape, device=self.betas.device)
        for time in reversed(range(0, self.num_timesteps)):
            t = torch.full((shape[0],), time, device=img.device, dtype=torch.long)
            eps = self.model(img, t)
            mean = extract(self.sqrt_recip_alphas, t, shape) * (
                img - extract(self.betas, t, shape) * eps / extract(self.sqrt_one_minus_alphas_cumprod, t, shape))
            noise = torch.randn_like(img) if time > 0 else 0.0
            img = mean + extract(self.posterior_variance, t, shape).sqrt() * noise
        return img


def build():
    return GaussianDiffusion(Denoiser())


def train(model, steps=20):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, betas=(0.9, 0.99))
    losses = []
    for step in range(steps):
        angle = rng.uniform(1, 3 * np.pi, 128)
        x = torch.from_numpy(np.stack([angle * np.cos(angle), angle * np.sin(angle)], 1) / 6).float()
        t = torch.from_numpy(rng.randint(0, model.num_timesteps, (128,))).long()
        loss = model(x, t, torch.from_numpy(rng.randn(128, 2)).float())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    diffusion = build()
    losses = train(diffusion, 400)
    points = diffusion.sample((200, 2))
    radius, spread = points.norm(dim=-1), points.std(0)
    print(f"radius {radius.quantile(0.1):.2f} to {radius.quantile(0.9):.2f}, spread {[f'{s:.2f}' for s in spread.tolist()]}")
    print("learned" if sum(losses[-20:]) < 0.85 * sum(losses[:20]) and (spread < 1.5).all() and 0.4 < radius.median() < 1.6 else "not learned")
