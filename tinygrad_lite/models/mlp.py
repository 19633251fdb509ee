"""MLP: linear layers with activations between."""

from pathlib import Path

from .. import nn
from ..view.plot import picture, weight_images
from .digits import DigitsTask


class MLP(nn.Sequential):
    """A multi-layer perceptron: linear layers of these sizes, and an activation after each but the last.

    x (…, sizes[0]) gives (…, sizes[-1]). activation: the class of the activations; dropout: the probability that a
    `Dropout` after each of them leaves a number out, 0 for none.

    >>> from tinygrad_lite.models import MLP
    >>> MLP(64, 32, 10)
    MLP(
      (0): Linear(in_features=64, out_features=32, bias=True)
      (1): ReLU()
      (2): Linear(in_features=32, out_features=10, bias=True)
    )
    """

    def __init__(self, *sizes: int, activation: type[nn.Module] = nn.ReLU, dropout: float = 0.0) -> None:
        layers: list[nn.Module] = []
        for n_in, n_out in zip(sizes, sizes[1:]):
            layers += [nn.Linear(n_in, n_out), activation()]
            layers += [nn.Dropout(dropout)] if dropout else []
        super().__init__(*layers[: -2 if dropout else -1])


class Task(DigitsTask):
    """Linear layers learn the digits."""

    name = "mlp"
    defaults = DigitsTask.defaults | {"hidden": 128, "dropout": 0.2}
    steps = 3000

    def make_model(self) -> MLP:
        return MLP(64, self.settings["hidden"], 10, dropout=self.settings["dropout"])

    def draw(self, folder: Path) -> None:
        """weights.png, besides: what each hidden unit looks for."""
        super().draw(folder)
        with picture(folder / "weights.png", size=(8, 4.4)) as ax:
            weight_images(self.model[0].weight[:128], (8, 8), min(16, self.settings["hidden"]), ax)
            ax.set(title="what each hidden unit looks for: red for, blue against")
