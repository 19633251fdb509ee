"""Linear maps."""

import math
from typing import Any

from . import functional as F
from . import init
from .layer import weights
from .module import Module

__all__ = ["Identity", "Linear", "Bilinear"]


class Identity(Module):
    """A layer that gives its input back, whatever arguments it is made with: it holds the place of another.

    >>> nn.Identity(64, p=0.5)(tl.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, input: Any) -> Any:
        return input


class Linear(Module):
    """A layer y = x @ weight.T + bias, which PyTorch calls fully connected.

    x (…, in_features) gives (…, out_features). weight (out_features, in_features) and bias (out_features,) start
    uniform within 1 / sqrt(in_features); bias=False leaves the bias out.

    >>> layer = nn.Linear(3, 2)
    >>> layer(tl.ones(5, 3)).shape
    (5, 2)
    >>> layer.weight.shape
    (2, 3)
    """

    bias: Any  # a Parameter, or None

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        self.in_features, self.out_features = in_features, out_features
        self.weight = weights(out_features, in_features, device=device, dtype=dtype)
        self.register_parameter("bias", weights(out_features, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew: uniform within 1 / sqrt(in_features)."""
        init.within_fan_(self.weight, self.bias)

    def forward(self, input: Any) -> Any:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """A layer that multiplies two inputs with each other: y[k] = x1 @ weight[k] @ x2 + bias[k].

    x1 (…, in1_features) and x2 (…, in2_features) give (…, out_features). weight (out_features, in1_features,
    in2_features) and bias (out_features,) start uniform within 1 / sqrt(in1_features); bias=False leaves the bias out.

    >>> layer = nn.Bilinear(2, 2, 1, bias=False)
    >>> layer.weight.data = tl.eye(2)[None]
    >>> layer(tl.tensor([1.0, 2.0]), tl.tensor([3.0, 4.0])).tolist()  # now the dot product
    [11.0]
    """

    bias: Any  # a Parameter, or None

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        if in1_features <= 0:
            raise ValueError(f"Bilinear: in1_features is above 0, not {in1_features}")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = weights(out_features, in1_features, in2_features, device=device, dtype=dtype)
        self.register_parameter("bias", weights(out_features, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew: uniform within 1 / sqrt(in1_features)."""
        bound = 1 / math.sqrt(self.in1_features)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def forward(self, input1: Any, input2: Any) -> Any:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
                f"out_features={self.out_features}, bias={self.bias is not None}")
