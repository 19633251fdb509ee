"""GAN: a generator and a discriminator that learn from each other (Goodfellow et al., 2014), on points."""

from typing import Any

import numpy as np

from .. import nn
from ..autograd import grad
from ..nn import functional as F
from ..optim import Adam
from ..random import randn
from ..tensor import Tensor
from .mlp import MLP
from .points import PointsTask

NOISE = 8  # numbers that a point is made of


class Discriminator(nn.Module):
    """Points (B, 2) -> logits (B, 1) of their being real."""

    def __init__(self, hidden: int) -> None:
        self.layers = nn.ModuleList([nn.Linear(2, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 1)])

    def forward(self, x: Tensor, fixed: bool = False) -> Tensor:
        """fixed: gradients flow to the points and not to the parameters."""
        *hidden, last = ((p.weight.detach(), p.bias.detach()) if fixed else (p.weight, p.bias) for p in self.layers)
        for weight, bias in hidden:
            x = F.leaky_relu(F.linear(x, weight, bias), 0.2)
        return F.linear(x, *last)


class GAN(nn.Module):
    """A generator, which makes points (N, 2) out of noise, and a discriminator, which tells them from real ones.

    Called with a count, it gives so many new points; `discriminator` gives the logits (N, 1) of points being real
    (Goodfellow et al., 2014). hidden: the width of the hidden layers of both.

    >>> from tinygrad_lite.models import GAN
    >>> model = GAN(hidden=16)
    >>> points = model(5)
    >>> points.shape, model.discriminator(points).shape
    ((5, 2), (5, 1))
    """

    def __init__(self, hidden: int = 128) -> None:
        self.generator = MLP(NOISE, hidden, hidden, 2)
        self.discriminator = Discriminator(hidden)

    def forward(self, count: int) -> Tensor:
        """New points (count, 2)."""
        return self.generator(randn(count, NOISE))


class Task(PointsTask):
    """A generator learns to make points that a discriminator takes for real."""

    name = "gan"
    defaults = PointsTask.defaults | {"hidden": 128, "penalty": 0.2}
    steps = 6000

    def make_model(self) -> GAN:
        return GAN(self.settings["hidden"])

    def make_optimizer(self) -> Adam:
        return Adam(self.model.parameters(), lr=self.settings["lr"], betas=(0.5, 0.9))

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray]:
        return (self.points(rng, self.settings["batch_size"]),)

    def loss(self, batch: Any) -> Tensor:
        """Both losses at once: each reaches the parameters of its own network only."""
        real, judge = batch[0].detach().requires_grad_(), self.model.discriminator  # (B, 2)
        fake = self.model(len(real))  # (B, 2)
        generator = F.softplus(-judge(fake, fixed=True))  # (B, 1)
        found = judge(real)
        discriminator = F.softplus(-found) + F.softplus(judge(fake.detach()))  # (B, 1)
        (slope,) = grad(found.sum(), real, create_graph=True)  # (B, 2)
        penalty = self.settings["penalty"] * slope.square().sum(1)  # or they chase each other (Mescheder, 2018)
        return (generator + discriminator).mean() + penalty.mean()

    def sample(self, count: int) -> np.ndarray:
        return self.model(count).array
