"""Diffusion: points out of noise, a little less noise at a time (Ho et al., 2020)."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..creation import full, tensor
from ..ops import cat
from ..random import randn
from ..tensor import Tensor
from ..view.plot import picture
from .mlp import MLP
from .points import PointsTask

WAVES = 5


class Diffusion(nn.Module):
    """A model that says which noise (B, 2) there is in points (B, 2) at a time (B,), of 0 to times - 1.

    hidden: the width of its three hidden layers; times: how many times there are, from little noise to nothing else
    (Ho et al., 2020, with the cosine schedule of Nichol & Dhariwal, 2021). `steps` makes points out of noise.

    >>> from tinygrad_lite.models import Diffusion
    >>> model = Diffusion(hidden=16, times=10)
    >>> model(tl.randn(5, 2), tl.full((5,), 9)).shape
    (5, 2)
    >>> steps = model.steps(5)
    >>> len(steps), steps[-1].shape
    (11, (5, 2))
    """

    alphas: Tensor
    kept: Tensor
    rates: Tensor

    def __init__(self, hidden: int = 128, times: int = 100) -> None:
        self.times = times
        share = np.cos((np.arange(times + 1) / times + 0.008) / 1.008 * math.pi / 2) ** 2  # Nichol & Dhariwal, 2021
        alphas = np.clip(share[1:] / share[:-1], 0.001, None)  # of the variance, what stays from a time to the next
        self.register_buffer("alphas", tensor(alphas.astype(np.float32)))  # (times,)
        self.register_buffer("kept", tensor(np.cumprod(alphas).astype(np.float32)))  # (times,)
        self.register_buffer("rates", tensor((np.pi * 2.0 ** np.arange(-1, WAVES - 1)).astype(np.float32)))  # (WAVES,)
        self.layers = MLP(3 + 3 * 2 * WAVES, hidden, hidden, hidden, 2, activation=nn.SiLU)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        given = cat([x, time[:, None] / self.times], 1)  # (B, 3)
        waves = (given[:, :, None] * self.rates).flatten(1)  # (B, 3 * WAVES): fine differences made large
        return self.layers(cat([given, waves.sin(), waves.cos()], 1))

    def noised(self, x: Tensor, time: Tensor, noise: Tensor) -> Tensor:
        """Points x (B, 2) as they are at a time (B,), with so much of the noise (B, 2) in them."""
        kept = self.kept[time][:, None]  # (B, 1)
        return kept.sqrt() * x + (1 - kept).sqrt() * noise

    def steps(self, count: int) -> list[np.ndarray]:
        """Points (count, 2) at each time, a list of times + 1 arrays: noise first, new points last."""
        x = randn(count, 2)
        found = [x.array]
        for t in reversed(range(self.times)):
            a, kept = self.alphas[t].item(), self.kept[t].item()
            noise = self(x, full((count,), t))
            x = (x - (1 - a) / math.sqrt(1 - kept) * noise) / math.sqrt(a)
            if t:
                x = x + math.sqrt(1 - a) * randn(count, 2)
            found.append(x.array)
        return found


class Task(PointsTask):
    """A network learns to take noise out of points."""

    name = "diffusion"
    defaults = PointsTask.defaults | {"hidden": 128, "points": "spiral", "batch_size": 512}
    steps = 10_000

    def make_model(self) -> Diffusion:
        return Diffusion(self.settings["hidden"])

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        count = self.settings["batch_size"]
        noise = rng.standard_normal((count, 2)).astype(np.float32)
        return 2 * self.points(rng, count), rng.integers(0, self.model.times, count), noise

    def loss(self, batch: Any) -> Tensor:
        x, time, noise = batch  # (B, 2), (B,), (B, 2)
        found = self.model(self.model.noised(x, time, noise), time)
        return (found - noise).square().sum(1).mean()

    def sample(self, count: int) -> np.ndarray:
        return self.model.steps(count)[-1] / 2

    def draw(self, folder: Path) -> None:
        """steps.png, besides: points at several times."""
        super().draw(folder)
        steps = self.model.steps(1000)
        with picture(folder / "steps.png", 1, 5, (15, 3.2)) as axes:
            for ax, at in zip(axes[0], np.linspace(0, len(steps) - 1, 5).astype(int)):
                ax.scatter(*steps[at].T, s=2, alpha=0.5)
                ax.set(title=f"after {at} of {len(steps) - 1} steps", xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
