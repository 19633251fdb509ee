"""ResNet: blocks that add to what they are given (He et al., 2016), for images of 8 x 8 pixels."""


from .. import nn
from ..nn import functional as F
from ..tensor import Tensor
from .digits import DigitsTask


class ResidualBlock(nn.Module):
    """Two convolutions of 3 x 3, added to their input; where the size changes, to a convolution of 1 x 1 of it."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or n_in != n_out:
            self.shortcut = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.bn1(self.conv1(x)))
        h = self.bn2(self.conv2(h))
        return F.relu(h + self.shortcut(x))


class ResNet(nn.Module):
    """A residual network for small images: (B, 1, 8, 8) give logits (B, classes) (He et al., 2016).

    width: channels of the first of its three stages, which double in each of the next; blocks: residual blocks a stage.

    >>> from tinygrad_lite.models import ResNet
    >>> ResNet()(tl.zeros(2, 1, 8, 8)).shape
    (2, 10)
    """

    def __init__(self, width: int = 16, blocks: int = 1, classes: int = 10) -> None:
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        sizes = [width, width, 2 * width, 4 * width]
        stages: list[nn.Module] = []
        for stage, (n_in, n_out) in enumerate(zip(sizes, sizes[1:])):
            stages.append(ResidualBlock(n_in, n_out, 2 if stage else 1))
            stages += [ResidualBlock(n_out, n_out) for _ in range(blocks - 1)]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        h = self.stages(self.stem(x))  # (B, 4 * width, 2, 2)
        return self.head(h.mean((2, 3)))


class Task(DigitsTask):
    """Residual blocks learn the digits."""

    name = "resnet"
    defaults = DigitsTask.defaults | {"width": 16, "blocks": 1, "lr": 2e-3}
    steps = 1500
    shift = 1

    def make_model(self) -> ResNet:
        return ResNet(self.settings["width"], self.settings["blocks"])

    def images(self, x: Tensor) -> Tensor:
        """(B, 64) -> (B, 1, 8, 8)."""
        return x.reshape(-1, 1, 8, 8)
