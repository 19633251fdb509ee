"""A Gaussian process: hyperparameters by the marginal likelihood, Cholesky factors and triangular solves, in doubles."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import Parameter

torch.set_printoptions(precision=3, sci_mode=False)


class GP(nn.Module):
    def __init__(self):
        super().__init__()
        for name, value in (("length", 0.0), ("signal", 0.0), ("noise", -1.0)):
            self.register_parameter("log_" + name, Parameter(torch.tensor(value, dtype=torch.float64)))
        self.double()

    def kernel(self, a, b):
        distance = torch.cdist(a, b).pow(2) if not a.requires_grad else (a.unsqueeze(1) - b.unsqueeze(0)).square().sum(-1)
        return self.log_signal.exp() ** 2 * torch.exp(-0.5 * distance / self.log_length.exp().pow(2))

    def forward(self, x, y):
        """The negative log marginal likelihood."""
        n = x.shape[0]
        K = self.kernel(x, x) + torch.diag(self.log_noise.exp().square().expand(n))
        self.L = torch.linalg.cholesky(K)
        half = torch.linalg.solve_triangular(self.L, y.unsqueeze(-1), upper=False)
        self.alpha = torch.linalg.solve_triangular(self.L.mT, half, upper=True)
        fit = 0.5 * torch.dot(y, self.alpha.squeeze(-1))
        return fit + self.L.diagonal().log().sum() + 0.5 * n * math.log(2 * math.pi)

    @torch.no_grad()
    def predict(self, x, x_new):
        k = self.kernel(x, x_new)
        mean = k.t() @ self.alpha
        v = torch.linalg.solve_triangular(self.L, k, upper=False)
        variance = self.log_signal.exp() ** 2 - (v * v).sum(0)
        return mean.squeeze(1), variance.clamp_min(0).sqrt()


def data(n=30):
    rng = np.random.RandomState(0)
    x = np.sort(rng.uniform(0, 6, n))
    return torch.from_numpy(x)[:, None], torch.from_numpy(np.sin(x) + 0.1 * rng.standard_normal(n))


def build():
    return GP()


def train(model, steps=20):
    x, y = data()
    optimizer = torch.optim.Rprop(model.parameters(), lr=0.05)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = model(x, y)
        K = model.kernel(x, x) + model.log_noise.exp() ** 2 * torch.eye(len(x), dtype=x.dtype)
        sign, logdet = torch.linalg.slogdet(K)
        other = 0.5 * (y @ torch.linalg.solve(K, y) + logdet + len(x) * math.log(2 * math.pi))
        assert sign == 1 and torch.isclose(loss, other)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    model = build()
    losses = train(model, 60)
    x, y = data()
    with torch.no_grad():
        model(x, y)
    x_new = torch.linspace(0.5, 5.5, 6, dtype=torch.double).reshape(-1, 1)
    mean, std = model.predict(x, x_new)
    print(torch.stack([x_new.flatten(), mean, std], dim=1))
    noise = model.log_noise.exp().item()
    print({name: round(p.exp().item(), 3) for name, p in model.named_parameters()})
    print("learned" if (mean - x_new[:, 0].sin()).abs().max() < 0.15 and 0.05 < noise < 0.2 else f"not learned: {losses[-1]}")
