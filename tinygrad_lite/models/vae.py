"""VAE: a variational autoencoder (Kingma & Welling, 2014), whose two numbers an image are a map of the digits."""

from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..creation import tensor
from ..data import load_digits, split
from ..nn import functional as F
from ..random import randn
from ..tensor import Tensor
from ..view.plot import image_grid, picture
from . import task
from .mlp import MLP


class VAE(nn.Module):
    """A variational autoencoder: images (B, 64) to a normal distribution of latent numbers (B, Z), and back.

    hidden: the width of the hidden layers; latent: Z. The forward pass gives logits of the pixels, and mean and
    logarithm of the variance of the latent numbers (Kingma & Welling, 2014).

    >>> from tinygrad_lite.models import VAE
    >>> model = VAE(hidden=16)
    >>> logits, mean, log_variance = model(tl.zeros(5, 64))
    >>> logits.shape, mean.shape, log_variance.shape
    ((5, 64), (5, 2), (5, 2))
    """

    def __init__(self, hidden: int = 128, latent: int = 2) -> None:
        self.encoder = MLP(64, hidden, hidden, 2 * latent)
        self.decoder = MLP(latent, hidden, hidden, 64)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the latent numbers of images (B, 64), (B, Z) each."""
        mean, log_variance = self.encoder(x).chunk(2, 1)
        return mean, log_variance

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (B, 64) of the pixels of an image that is decoded from a random draw; mean and log variance."""
        mean, log_variance = self.encode(x)
        z = mean + (log_variance / 2).exp() * randn(*mean.shape)  # so that gradients flow to both
        return self.decoder(z), mean, log_variance


class Task(task.Task):
    """A map of the digits is learned."""

    name = "vae"
    defaults = task.COMMON | {"hidden": 128}
    steps, unit = 8000, " images"

    def make_data(self, text: str, kept: dict[str, Any]) -> None:
        self.x, _, self.x_test, self.y_test = split(*load_digits())

    def make_model(self) -> VAE:
        return VAE(self.settings["hidden"])

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray]:
        return (self.x[rng.integers(0, len(self.x), self.settings["batch_size"])],)

    def loss(self, batch: Any) -> Tensor:
        """What an image costs to describe, in nats: its pixels given the draw, and the draw."""
        (x,) = batch  # (B, 64)
        logits, mean, log_variance = self.model(x)
        pixels = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)  # (B,)
        draw = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)  # KL to the normal, (B,)
        return (pixels + draw).mean()

    def result(self) -> dict[str, float]:
        return {"nats per test image": self.loss((tensor(self.x_test),)).item()}

    def draw(self, folder: Path) -> None:
        """latent.png: where the test images are on the map, and which images are where; reconstructions.png."""
        mean, _ = self.model.encode(tensor(self.x_test))
        across = np.linspace(-3, 3, 15, dtype=np.float32)
        z = np.stack(np.meshgrid(across, -across), -1).reshape(-1, 2)
        images = F.sigmoid(self.model.decoder(tensor(z))).array.reshape(15, 15, 8, 8)
        images = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=0.4)
        with picture(folder / "latent.png", 1, 2, (13, 6)) as ((left, right),):
            points = left.scatter(*mean.array.T, c=self.y_test, cmap="tab10", s=12)
            left.legend(*points.legend_elements(), title="digit", loc="upper left", ncols=2)
            left.set(title="test images on the map", xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal")
            right.imshow(images.transpose(0, 2, 1, 3).reshape(150, 150), cmap="gray", extent=(-3.2, 3.2, -3.2, 3.2))
            right.set(title="what is where")
        x = self.x_test[:16]
        again = F.sigmoid(self.model.decoder(self.model.encode(tensor(x))[0])).array
        shown = np.concatenate([x[:8], again[:8], x[8:], again[8:]]).reshape(-1, 8, 8)
        image_grid(folder / "reconstructions.png", shown, (["image"] * 8 + ["decoded"] * 8) * 2)
