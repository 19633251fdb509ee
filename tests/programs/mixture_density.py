"""A mixture density net on an inverted wave: log-sum-exp over Gaussians, samples by multinomial and gather."""

import math

import numpy as np
import torch
import torch.nn as nn

ONEOVERSQRT2PI = 1.0 / math.sqrt(2 * math.pi)


class MDN(nn.Module):
    def __init__(self, n_hidden, n_gaussians):
        super(MDN, self).__init__()
        self.z_h = nn.Sequential(nn.Linear(1, n_hidden), nn.Tanh())
        self.z_pi = nn.Linear(n_hidden, n_gaussians)
        self.z_mu = nn.Linear(n_hidden, n_gaussians)
        self.z_sigma = nn.Linear(n_hidden, n_gaussians)

    def forward(self, x):
        z_h = self.z_h(x)
        log_pi = nn.functional.log_softmax(self.z_pi(z_h), -1)
        mu = self.z_mu(z_h)
        sigma = nn.functional.softplus(self.z_sigma(z_h)) + 1e-3
        return log_pi, mu, sigma


def mdn_loss(log_pi, mu, sigma, y):
    log_prob = -0.5 * ((y.expand_as(mu) - mu) * torch.reciprocal(sigma)) ** 2
    log_prob = log_prob - sigma.log() + math.log(ONEOVERSQRT2PI)
    return -torch.logsumexp(log_pi + log_prob, dim=1).mean()


def gumbel_sample(x, axis=1):
    z = np.random.gumbel(loc=0, scale=1, size=x.shape)
    return (np.log(x) + z).argmax(axis=axis)


def data(rng, n):
    y = rng.uniform(-10.5, 10.5, (n, 1))
    x = np.sin(0.75 * y) * 7.0 + y * 0.5 + rng.normal(size=(n, 1))
    return torch.from_numpy(x).to(torch.float32) / 10, torch.from_numpy(y).to(torch.float32) / 10


def build():
    return MDN(n_hidden=20, n_gaussians=5)


def train(model, steps=20):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    losses = []
    for epoch in range(steps):
        x, y = data(rng, 256)
        loss = mdn_loss(*model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch % 100 == 99:
            print(epoch, loss.data.tolist())
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    np.random.seed(0)
    model = build()
    losses = train(model, 400)
    x_test = torch.linspace(-1, 1, 40).unsqueeze(1)
    log_pi, mu, sigma = model(x_test)
    k = torch.multinomial(log_pi.exp(), 1)
    sampled = torch.normal(mu.gather(1, k), sigma.gather(1, k)).detach().squeeze()
    other = gumbel_sample(log_pi.exp().data.numpy())
    rows = np.arange(40)
    by_numpy = mu.data.numpy()[rows, other] + np.random.randn(40) * sigma.data.numpy()[rows, other]
    print(f"samples from {sampled.min().item():.2f} to {sampled.max().item():.2f}, by numpy {by_numpy.std():.2f}")
    print(f"modes at 0: {[round(m, 2) for m in sorted(mu[20].tolist())]}")
    print("learned" if losses[-1] < losses[0] - 0.7 else f"not learned: {losses[-1]}")
