"""Points in the plane to learn the distribution of, for GAN and Diffusion."""

from pathlib import Path
from typing import Any

import numpy as np

from ..view.plot import picture
from .task import COMMON, Task


def ring(rng: np.random.Generator, count: int) -> np.ndarray:
    """count points (N, 2) around eight places on a circle."""
    angle = rng.integers(0, 8, count) * np.pi / 4
    return (np.stack([np.cos(angle), np.sin(angle)], 1) + 0.05 * rng.standard_normal((count, 2))).astype(np.float32)


def spiral(rng: np.random.Generator, count: int) -> np.ndarray:
    """count points (N, 2) along two arms."""
    along = np.sqrt(rng.uniform(0.02, 1, count))
    angle = 3 * np.pi * along + np.pi * rng.integers(0, 2, count)
    x = along[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return (x + 0.02 * rng.standard_normal((count, 2))).astype(np.float32)


POINTS = {"ring": ring, "spiral": spiral}


def energy_distance(x: np.ndarray, y: np.ndarray) -> float:
    """How far apart the distributions of points (N, 2) and (M, 2) are: 0 where they are one (Szekely, 2003)."""
    def between(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.linalg.norm(a[:, None] - b, axis=-1).mean())

    return 2 * between(x, y) - between(x, x) - between(y, y)


class PointsTask(Task):
    """New points like those that are seen. A subclass makes the model, and samples from it."""

    defaults = COMMON | {"points": "ring", "batch_size": 256}
    unit = " points"

    def make_data(self, text: str, kept: dict[str, Any]) -> None:
        self.points = POINTS[self.settings["points"]]

    def sample(self, count: int) -> np.ndarray:
        """count new points (N, 2)."""
        raise NotImplementedError

    def result(self) -> dict[str, float]:
        """The energy distance of 1,000 samples to 1,000 points, and that of other points to these."""
        rng = np.random.default_rng(0)
        real, others = self.points(rng, 1000), self.points(rng, 1000)
        return {"energy distance": energy_distance(self.sample(1000), real),
                "of real points": energy_distance(others, real)}

    def draw(self, folder: Path) -> None:
        """samples.png: points of the model beside real ones."""
        shown = {"real points": self.points(np.random.default_rng(0), 2000), "samples of the model": self.sample(2000)}
        with picture(folder / "samples.png", 1, 2, (10, 5)) as axes:
            for ax, (title, points) in zip(axes[0], shown.items()):
                ax.scatter(*points.T, s=3, alpha=0.5)
                ax.set(title=title, xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal")
