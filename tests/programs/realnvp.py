"""A normalizing flow of masked coupling layers on two moons: log-determinants, an inverse, samples."""

import numpy as np
import torch
from torch import distributions, nn


class Coupling(nn.Module):
    def __init__(self, mask, hidden=24):
        super().__init__()
        self.register_buffer("mask", mask)
        self.scale = nn.Sequential(nn.Linear(2, hidden), nn.LeakyReLU(), nn.Linear(hidden, 2), nn.Tanh())
        self.shift = nn.Sequential(nn.Linear(2, hidden), nn.LeakyReLU(), nn.Linear(hidden, 2))

    def inverse(self, x):
        kept = x * self.mask
        s, t = self.scale(kept) * (1 - self.mask), self.shift(kept) * (1 - self.mask)
        return (1 - self.mask) * (x - t) * torch.exp(-s) + kept, -s.sum(dim=1)

    def forward(self, z):
        kept = z * self.mask
        s, t = self.scale(kept) * (1 - self.mask), self.shift(kept) * (1 - self.mask)
        return kept + (1 - self.mask) * (z * s.exp() + t)


class RealNVP(nn.Module):
    def __init__(self, n_layers=4):
        super().__init__()
        masks = torch.tensor([[0, 1], [1, 0]] * (n_layers // 2), dtype=torch.float32)
        self.layers = nn.ModuleList(Coupling(mask) for mask in masks)

    @property
    def prior(self):
        return distributions.Normal(torch.zeros(2), torch.ones(2))

    def log_prob(self, x):
        log_det_J, z = x.new_zeros(x.shape[0]), x
        for layer in reversed(self.layers):
            z, log_det = layer.inverse(z)
            log_det_J += log_det
        return self.prior.log_prob(z).sum(-1) + log_det_J

    @torch.no_grad()
    def sample(self, n):
        x = self.prior.sample((n,))
        for layer in self.layers:
            x = layer(x)
        return x


def moons(rng, n):
    angle, upper = rng.uniform(0, np.pi, n), rng.rand(n) < 0.5
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return torch.tensor(np.c_[x, y] + 0.05 * rng.randn(n, 2)).to(torch.float32)


def build():
    return RealNVP()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    losses = []
    for t in range(steps):
        loss = -model.log_prob(moons(rng, 128)).mean()
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    flow = build()
    losses = train(flow, 200)
    x = flow.sample(6)
    z = x
    for layer in list(flow.layers)[::-1]:
        z, _ = layer.inverse(z)
    again = z
    for layer in flow.layers:
        again = layer(again)
    assert torch.allclose(again, x, atol=1e-4)
    print(f"nats {losses[0]:.2f} -> {losses[-1]:.2f}; samples\n{x.numpy().round(2)}")
    print("learned" if losses[-1] < losses[0] - 0.5 else "not learned")
