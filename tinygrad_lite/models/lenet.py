"""LeNet-5: convolutions and pooling, then linear layers (LeCun et al., 1998)."""

from pathlib import Path

from .. import nn
from ..creation import tensor
from ..nn import functional as F
from ..tensor import Tensor
from ..view.plot import image_grid
from .digits import DigitsTask


class LeNet(nn.Module):
    """LeNet-5, a convolutional network: images (B, 1, 28, 28) give logits (B, classes) (LeCun et al., 1998).

    >>> from tinygrad_lite.models import LeNet
    >>> LeNet()(tl.zeros(2, 1, 28, 28)).shape
    (2, 10)
    """

    def __init__(self, classes: int = 10) -> None:
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # (B, 6, 14, 14)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # (B, 16, 5, 5)
        x = F.relu(self.fc1(x.flatten(1)))  # (B, 120)
        x = F.relu(self.fc2(x))  # (B, 84)
        return self.fc3(x)


class Task(DigitsTask):
    """Convolutions learn the digits, enlarged to 28 x 28 pixels."""

    name = "lenet"
    defaults = DigitsTask.defaults | {"lr": 2e-3}
    steps = 2000
    shift = 1

    def make_model(self) -> LeNet:
        return LeNet()

    def images(self, x: Tensor) -> Tensor:
        """(B, 64) -> (B, 1, 28, 28)."""
        return F.interpolate(x.reshape(-1, 1, 8, 8), (28, 28), mode="bilinear")

    def draw(self, folder: Path) -> None:
        """features.png, besides: what the first convolution makes of some images."""
        super().draw(folder)
        x = self.images(tensor(self.x_test[:4]))  # (4, 1, 28, 28)
        maps = F.relu(self.model.conv1(x)).array  # (4, 6, 28, 28)
        shown = [image for own, six in zip(x.array, maps) for image in (own[0], *six)]
        titles = ["image", *(f"filter {i}" for i in range(6))] * 4
        image_grid(folder / "features.png", shown, titles, 7)
