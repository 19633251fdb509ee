"""Activations: modules of the functions of the same name."""

from typing import Any

from . import functional as F
from . import init
from .layer import Layer, weights
from .module import Module

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid",
    "Mish", "ReLU", "ReLU6", "RReLU", "SELU", "SiLU", "Sigmoid", "Softmin", "Softplus", "Softshrink", "Softsign",
    "Tanh", "Tanhshrink", "Threshold", "Softmax", "LogSoftmax", "Softmax2d", "PReLU"]


class CELU(Layer, function=F.celu): ...
class ELU(Layer, function=F.elu): ...
class GELU(Layer, function=F.gelu): ...
class GLU(Layer, function=F.glu): ...
class Hardshrink(Layer, function=F.hardshrink, shown="{lambd}"): ...
class Hardsigmoid(Layer, function=F.hardsigmoid, shown=""): ...
class Hardswish(Layer, function=F.hardswish, shown=""): ...
class Hardtanh(Layer, function=F.hardtanh): ...
class LeakyReLU(Layer, function=F.leaky_relu): ...
class LogSigmoid(Layer, function=F.logsigmoid): ...
class Mish(Layer, function=F.mish): ...
class ReLU(Layer, function=F.relu): ...
class ReLU6(Layer, function=F.relu6): ...


class RReLU(Layer, function=F.rrelu):
    """`LeakyReLU` with a random slope for each element while training, in evaluation with the mean (Xu et al., 2015).

    The slopes are uniform within [lower, upper]; a lower that is greater than upper is a RuntimeError.

    >>> x = tl.tensor([-48.0, 0.0, 5.0])
    >>> nn.RReLU(lower=0.25, upper=0.75).eval()(x)
    tensor([-24.,   0.,   5.])
    """


class SELU(Layer, function=F.selu): ...
class SiLU(Layer, function=F.silu): ...
class Sigmoid(Layer, function=F.sigmoid): ...


class Softmin(Layer, function=F.softmin):
    """softmax(-x) along dim: numbers above 0 that add up to 1, the largest where x is smallest.

    >>> x = tl.tensor([1.0, 1.0, 1000.0])
    >>> nn.Softmin(dim=-1)(x)
    tensor([0.5, 0.5, 0. ])
    """


class Softplus(Layer, function=F.softplus): ...
class Softshrink(Layer, function=F.softshrink, shown="{lambd}"): ...
class Softsign(Layer, function=F.softsign): ...
class Tanh(Layer, function=F.tanh, settings=""): ...
class Tanhshrink(Layer, function=F.tanhshrink): ...


class Threshold(Layer, function=F.threshold):
    """x where it is above the threshold, else the value.

    >>> x = tl.tensor([1.0, 2.0, 3.0])
    >>> nn.Threshold(2.0, -1.0)(x)
    tensor([-1., -1.,  3.])
    """


def _softmax2d(x: Any) -> Any:
    """`Softmax` over the channels of images (N, C, H, W) or (C, H, W): each pixel's numbers add up to 1.

    Another number of dimensions is a ValueError.

    >>> x = tl.zeros(4, 1, 2)
    >>> nn.Softmax2d()(x)[:, 0, 0]  # the four channels of one pixel
    tensor([0.25, 0.25, 0.25, 0.25])
    """
    if x.ndim not in (3, 4):
        raise ValueError(f"Softmax2d: needs images (N, C, H, W) or (C, H, W), not shape {x.shape}")
    return F.softmax(x, -3)


class Softmax(Layer, function=F.softmax):
    """exp(x) / sum(exp(x)) along dim: numbers above 0 that add up to 1.

    Say the dim: without it PyTorch's old choice is made, which is 0 for x of 0, 1 or 3 dimensions, else 1.
    `CrossEntropyLoss` takes logits, so it needs no softmax before it.

    >>> x = tl.tensor([[1.0, 1.0, 1.0], [1000.0, 0.0, 0.0]])
    >>> nn.Softmax(dim=-1)(x)
    tensor([[0.3333, 0.3333, 0.3333],
            [1.    , 0.    , 0.    ]])
    """


class LogSoftmax(Layer, function=F.log_softmax):
    """log(softmax(x)) along dim: log-probabilities, which `NLLLoss` takes, right also where the softmax underflows.

    >>> x = tl.tensor([[1.0, 1.0], [200.0, 0.0]])
    >>> nn.LogSoftmax(dim=-1)(x)
    tensor([[  -0.6931,   -0.6931],
            [   0.    , -200.    ]])
    """


class Softmax2d(Layer, function=_softmax2d): ...


class PReLU(Module):
    """x where it is above 0, else weight * x, with a weight that is learned (He et al., 2015).

    The weight (num_parameters,) is one slope for all, or one for each of so many channels of x (N, C, …); it starts at
    `init`.

    >>> x = tl.tensor([-4.0, 0.0, 5.0])
    >>> nn.PReLU()(x)
    tensor([-1.,  0.,  5.], grad_fn=<where>)
    >>> nn.PReLU(num_parameters=8).weight.shape
    (8,)
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        self.num_parameters, self.init = num_parameters, init
        self.weight = weights(num_parameters, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Every slope the initial one."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Any) -> Any:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
