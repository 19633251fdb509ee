"""Layers: a module each, over the function of the same name."""

import math
from typing import Any

import numpy as np

from tinygrad_lite.ops import flatten
from tinygrad_lite.settings import get_default_dtype

from . import functional as F
from . import init
from .functional.layer import check_probability
from .module import Module, Parameter


class Linear(Module):
    """y = x @ weight.T + bias: x (…, in_features) -> (…, out_features)."""

    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.weight = Parameter(np.empty((out_features, in_features), get_default_dtype()))
        self.register_parameter("bias", Parameter(np.empty(out_features, get_default_dtype())) if bias else None)
        init.kaiming_uniform_(self.weight, math.sqrt(5))  # PyTorch's: uniform within 1 / sqrt(in_features)
        if bias:
            bound = 1 / math.sqrt(in_features) if in_features else 0.0
            init.uniform_(self.bias, -bound, bound)

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


class Dropout(Module):
    """Each element 0 with probability p, else divided by 1 - p; in evaluation mode the input itself."""

    def __init__(self, p: float = 0.5) -> None:
        check_probability("Dropout", p)
        self.p = p

    def forward(self, x: Any) -> Any:
        return F.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class LayerNorm(Module):
    """Mean 0 and variance 1 over the last dimensions, then weight and bias (Ba et al., 2016)."""

    def __init__(self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True,
                 bias: bool = True) -> None:
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.weight = Parameter(np.ones(self.normalized_shape, np.float32)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(self.normalized_shape, np.float32)) if elementwise_affine and bias else None

    def forward(self, x: Any) -> Any:
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)


class Flatten(Module):
    """Merge the dimensions from start_dim to end_dim: by default all but the batch's."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        return flatten(x, self.start_dim, self.end_dim)
