"""Layers: a module each, over the function of the same name."""

import math
from typing import Any

import numpy as np

from tinygrad_lite.ops import flatten, relu

from . import functional as F
from . import init
from .functional.layer import check_probability
from .module import Module, Parameter


class Linear(Module):
    """y = x @ weight.T + bias: x (…, in_features) -> (…, out_features)."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.weight = Parameter(np.empty((out_features, in_features), np.float32))
        self.bias = Parameter(np.empty(out_features, np.float32)) if bias else None
        init.kaiming_uniform_(self.weight, math.sqrt(5))  # PyTorch's: uniform within 1 / sqrt(in_features)
        if bias:
            bound = 1 / math.sqrt(in_features) if in_features else 0.0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Any) -> Any:
        return F.linear(x, self.weight, self.bias)


class ReLU(Module):
    """max(x, 0)"""

    def forward(self, x: Any) -> Any:
        return relu(x)


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


class Dropout(Module):
    """Each element 0 with probability p, else divided by 1 - p; in evaluation mode the input itself."""

    def __init__(self, p: float = 0.5) -> None:
        check_probability("Dropout", p)
        self.p = p

    def forward(self, x: Any) -> Any:
        return F.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Flatten(Module):
    """Merge the dimensions from start_dim to end_dim: by default all but the batch's."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        return flatten(x, self.start_dim, self.end_dim)
