"""A denoising diffusion model on a spiral: a schedule of betas in buffers, sinusoidal times, sampling step by step."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class SinusoidalEmbedding(nn.Module):
    def __init__(self, size, scale=1.0):
        super().__init__()
        self.size, self.scale = size, scale

    def forward(self, x):
        half_size = self.size // 2
        emb = torch.log(torch.Tensor([10000.0])) / (half_size - 1)
        emb = torch.exp(-emb * torch.arange(half_size))
        emb = (x * self.scale).unsqueeze(-1) * emb.unsqueeze(0)
        return torch.cat((torch.sin(emb), torch.cos(emb)), dim=-1)

    def __len__(self):
        return self.size


class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.ff = nn.Linear(size, size)
        self.act = nn.GELU()

    def forward(self, x):
        return x + self.act(self.ff(x))


class Diffusion(nn.Module):
    def __init__(self, timesteps=30, hidden=48, emb_size=16):
        super().__init__()
        self.timesteps = timesteps
        betas = torch.linspace(1e-3, 0.25, timesteps)
        alphas = 1.0 - betas
        alphas_cumprod = torch.cumprod(alphas, axis=0)
        alphas_cumprod_prev = F.pad(alphas_cumprod[:-1], (1, 0), value=1.)
        self.register_buffer("betas", betas)
        self.register_buffer("alphas", alphas)
        self.register_buffer("sqrt_alphas_cumprod", alphas_cumprod ** 0.5)
        self.register_buffer("sqrt_one_minus_alphas_cumprod", (1. - alphas_cumprod) ** 0.5)
        self.register_buffer("posterior_variance", betas * (1 - alphas_cumprod_prev) / (1 - alphas_cumprod))
        self.time_mlp = SinusoidalEmbedding(emb_size)
        self.input_mlp1 = SinusoidalEmbedding(emb_size, scale=25.0)
        self.input_mlp2 = SinusoidalEmbedding(emb_size, scale=25.0)
        self.joint_mlp = nn.Sequential(nn.Linear(3 * len(self.time_mlp), hidden), nn.GELU(), Block(hidden), nn.Linear(hidden, 2))

    def forward(self, x, t):
        x_emb = torch.cat([self.input_mlp1(x[:, 0]), self.input_mlp2(x[:, 1])], -1)
        return self.joint_mlp(torch.cat((x_emb, self.time_mlp(t)), dim=-1))

    def add_noise(self, x_start, x_noise, timesteps):
        s1 = self.sqrt_alphas_cumprod[timesteps].reshape(-1, 1)
        s2 = self.sqrt_one_minus_alphas_cumprod[timesteps][:, None]
        return s1 * x_start + s2 * x_noise

    @torch.no_grad()
    def sample(self, n):
        x = torch.randn((n, 2))
        for t in reversed(range(self.timesteps)):
            times = torch.full((n,), t, dtype=torch.long)
            noise_scale = self.betas[t] / self.sqrt_one_minus_alphas_cumprod[t]
            x = (x - noise_scale * self(x, times)) / torch.sqrt(self.alphas[t])
            if t > 0:
                x += math.sqrt(self.posterior_variance[t]) * torch.randn_like(x)
        return x


def spiral(rng, n):
    angle = rng.uniform(0.5, 2, n) * 2 * np.pi
    return (np.stack([angle * np.cos(angle), angle * np.sin(angle)], -1) / 12 + 0.01 * rng.randn(n, 2)).astype("float32")


def build():
    return Diffusion()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for step in range(steps):
        batch = torch.from_numpy(spiral(rng, 128))
        noise = torch.from_numpy(rng.randn(*batch.shape).astype(np.float32))
        timesteps = torch.from_numpy(rng.randint(0, model.timesteps, (batch.shape[0],))).long()
        noise_pred = model(model.add_noise(batch, noise, timesteps), timesteps)
        loss = F.mse_loss(noise_pred, noise)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach().item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 300)
    points = model.sample(100)
    far = torch.cdist(points, torch.from_numpy(spiral(np.random.RandomState(1), 500))).min(dim=1)[0]
    print(f"distance of samples to the spiral: median {far.median():.3f}, of noise {torch.randn(100, 2).norm(dim=1).median():.3f}")
    print("learned" if np.mean(losses[-50:]) < 0.8 * np.mean(losses[:50]) else f"not learned {losses[-1]}")
