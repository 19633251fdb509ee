"""A classifier of handwritten digits, compiled: the step as numpy source, what was made of it, the backprop derived.

    python examples/compiled.py
"""

import time
from typing import Any

from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl
from tinygrad_lite import nn, optim


class Classifier(nn.Module):
    """64 pixels, 128 rectified units, 10 digits."""

    def __init__(self) -> None:
        self.fc1, self.fc2 = nn.Linear(64, 128), nn.Linear(128, 10)

    def forward(self, x: tl.Tensor) -> tl.Tensor:
        h = F.relu(self.fc1(x))
        return self.fc2(h)


def trained(compiled: bool, X: tl.Tensor, y: tl.Tensor) -> tuple[Classifier, Any]:
    """A model after 30 epochs, the same with a program and without, and the step that trained it."""
    tl.manual_seed(0)
    model = Classifier()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def train_step(x: tl.Tensor, target: tl.Tensor) -> tl.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    step = tl.compile(train_step) if compiled else train_step
    start = time.perf_counter()
    for _ in range(30):
        for rows in tl.randperm(1792).array.reshape(-1, 64):
            loss = step(X[rows], y[rows])
    print(f"{'compiled' if compiled else 'eager':8}  loss {loss.item():.6f}  {time.perf_counter() - start:.2f} s")
    return model, step


def main() -> None:
    """Train, and show what ran."""
    X, y = map(tl.tensor, tl.data.load_digits())
    trained(False, X, y)
    model, step = trained(True, X, y)
    print(step.source[step.source.index("    def train_step"):])
    print(step.explain(), "\n")

    def loss_of(x: tl.Tensor, target: tl.Tensor) -> tl.Tensor:
        return F.cross_entropy(model(x), target)

    print(tl.derive(loss_of, X[:64], y[:64]))


if __name__ == "__main__":
    main()
