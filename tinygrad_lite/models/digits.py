"""The digits as something to learn: what MLP, LeNet and ResNet have in common."""

from pathlib import Path
from typing import Any

import numpy as np

from ..creation import tensor
from ..data import load_digits, split
from ..nn import functional as F
from ..tensor import Tensor
from ..view.plot import image_grid, picture
from .task import Task


class DigitsTask(Task):
    """Which digit an image of 8 x 8 pixels is; the result is of the fifth of the images that nothing is learned from.

    A subclass makes the model, and says by `images` in which shape it takes them.
    """

    unit = " images"
    shift = 0  # by how many pixels images are moved at random, while learning

    def make_data(self, text: str, kept: dict[str, Any]) -> None:
        self.x, self.y, self.x_test, self.y_test = split(*load_digits())  # (N, 64), (N,)

    def images(self, x: Tensor) -> Tensor:
        """Of rows (B, 64) what the model takes."""
        return x

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        chosen = rng.integers(0, len(self.x), self.settings["batch_size"])
        x = self.x[chosen]
        if self.shift:
            x = moved(x.reshape(-1, 8, 8), rng.integers(-self.shift, self.shift + 1, (len(x), 2))).reshape(-1, 64)
        return x, self.y[chosen]

    def loss(self, batch: Any) -> Tensor:
        x, y = batch  # (B, 64), (B,)
        return F.cross_entropy(self.model(self.images(x)), y)

    def predicted(self) -> np.ndarray:
        """The probabilities (N, 10) of the test images."""
        return F.softmax(self.model(self.images(tensor(self.x_test))), 1).array

    def result(self) -> dict[str, float]:
        return {"test accuracy": float((self.predicted().argmax(1) == self.y_test).mean())}

    def draw(self, folder: Path) -> None:
        """confusion.png: how often which digit is taken for which; least_sure.png: the images it is least sure of."""
        p = self.predicted()
        counts = np.zeros((10, 10), int)
        np.add.at(counts, (self.y_test, p.argmax(1)), 1)
        with picture(folder / "confusion.png") as ax:
            ax.imshow(np.sqrt(counts), cmap="magma")
            ax.set(xlabel="taken for", ylabel="digit", xticks=range(10), yticks=range(10))
            for i, j in zip(*counts.nonzero()):
                ax.text(j, i, str(counts[i, j]), ha="center", va="center", color="black" if i == j else "white")
        least = np.argsort(p[range(len(p)), self.y_test])[:24]
        titles = [f"{self.y_test[i]}, called {p[i].argmax()}" for i in least]
        image_grid(folder / "least_sure.png", self.x_test[least].reshape(-1, 8, 8), titles)


def moved(images: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Images (B, H, W), each moved by whole pixels (B, 2) down and right; what comes in is 0."""
    _, H, W = images.shape
    most = int(np.abs(by).max())
    padded = np.pad(images, ((0, 0), (most, most), (most, most)))
    rows = most - by[:, :1, None] + np.arange(H)[:, None]  # (B, H, 1)
    columns = most - by[:, 1:, None] + np.arange(W)  # (B, 1, W)
    return padded[np.arange(len(images))[:, None, None], rows, columns]
