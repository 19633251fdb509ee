"""Layers: a module each, over the function of the same name."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_lite import creation

from . import functional as F
from .module import Module, Parameter


class Linear(Module):
    """y = x @ weight.T + bias: x (…, in_features) -> (…, out_features)."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        bound = 1 / math.sqrt(in_features) if in_features else 0.0  # PyTorch's: Kaiming uniform with a = sqrt(5)

        def uniform(*shape: int) -> Parameter:
            return Parameter(creation.generator().uniform(-bound, bound, shape).astype(np.float32))

        self.weight = uniform(out_features, in_features)
        self.bias = uniform(out_features) if bias else None

    def forward(self, x: Any) -> Any:
        return F.linear(x, self.weight, self.bias)


class ReLU(Module):
    """max(x, 0)"""

    def forward(self, x: Any) -> Any:
        return F.relu(x)


class Tanh(Module):
    """tanh(x)"""

    def forward(self, x: Any) -> Any:
        return F.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))"""

    def forward(self, x: Any) -> Any:
        return F.sigmoid(x)


class CrossEntropyLoss(Module):
    """`functional.cross_entropy` as a module."""

    def forward(self, logits: Any, target: Any) -> Any:
        return F.cross_entropy(logits, target)


class MSELoss(Module):
    """`functional.mse_loss` as a module."""

    def forward(self, input: Any, target: Any) -> Any:
        return F.mse_loss(input, target)


class Sequential(Module):
    """Modules applied one after the other."""

    def __init__(self, *modules: Module) -> None:
        for i, module in enumerate(modules):
            setattr(self, str(i), module)

    def __iter__(self) -> Iterator[Module]:
        return (m for _, m in self.named_children())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, i: int) -> Module:
        return list(self)[i]

    def forward(self, x: Any) -> Any:
        for module in vars(self).values():
            if isinstance(module, Module):
                x = module(x)
        return x
