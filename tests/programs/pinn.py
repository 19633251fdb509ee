"""A net that solves u'' + u = 0 and one that learns a field by its Runge-Kutta steps: derivatives by autograd.grad."""

import math

import torch
import torch.nn as nn
from torch.autograd import grad


class Solution(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))

        def init(m):
            if type(m) == nn.Linear:  # noqa: E721
                torch.nn.init.xavier_normal_(m.weight, gain=5 / 3)
                m.bias.data.fill_(0.01)

        self.net.apply(init)

    def forward(self, t):
        return self.net(t)


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.matrix = nn.Linear(2, 2, bias=False)

    def forward(self, t, y):
        return self.matrix(y)


def derivative(outputs, inputs):
    return grad(outputs, inputs, grad_outputs=torch.ones_like(outputs), create_graph=True, retain_graph=True)[0]


def odeint(field, y0, times):
    """Runge-Kutta of order four."""
    ys = [y0]
    for t, dt in zip(times, times.diff()):
        y = ys[-1]
        k1 = field(t, y)
        k2 = field(t + dt / 2, y + dt / 2 * k1)
        k3 = field(t + dt / 2, y + dt / 2 * k2)
        k4 = field(t + dt, y + dt * k3)
        ys.append(y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    return torch.stack(ys)


def build():
    return nn.ModuleDict({"solution": Solution(), "field": Field()})


def train(model, steps=20):
    t = torch.linspace(0, 2, 30).view(-1, 1).requires_grad_(True)
    start = torch.zeros(1, 1, requires_grad=True)
    times = torch.arange(0, 2, 0.2)
    truth = torch.stack((times.cos(), -times.sin()), dim=-1)
    optimizer = torch.optim.Adam(model["solution"].parameters(), lr=5e-3)
    optimizer.add_param_group({"params": model["field"].parameters(), "lr": 0.05})
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.999)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        u = model["solution"](t)
        residual = derivative(derivative(u, t), t) + u
        u0 = model["solution"](start)
        slope = derivative(u0, start)
        loss = residual.pow(2).mean() + (u0 - 1).pow(2).sum() + slope.pow(2).sum()
        loss = loss + torch.nn.functional.l1_loss(odeint(model["field"], truth[0], times), truth)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(123)
    model = build()
    losses = train(model, 300)
    t = torch.linspace(0, 2, 9)[:, None]
    with torch.no_grad():
        error = (model["solution"](t) - torch.cos(t)).abs().max().item()
    print(f"largest error {error:.3f}; u({math.pi / 2:.2f}) = {model['solution'](torch.tensor([[math.pi / 2]])).item():.3f}")
    print("the field's matrix:", [[round(v, 1) for v in row] for row in model["field"].matrix.weight.tolist()])
    print("learned" if error < 0.2 else "not learned")
