"""Normalization: mean 0 and variance 1, then a weight and a bias that are trained."""

from typing import Any

import numpy as np

from tinygrad_lite.creation import empty
from tinygrad_lite.tensor import Tensor

from . import functional as F
from . import init
from .functional.normalization import sizes
from .layer import Layer, weights
from .module import Module

__all__ = [
    "LocalResponseNorm", "LayerNorm", "RMSNorm", "GroupNorm", "BatchNorm1d", "BatchNorm2d", "InstanceNorm1d",
    "InstanceNorm2d"]


class LocalResponseNorm(Layer, function=F.local_response_norm, shown="{size}, alpha={alpha}, beta={beta}, k={k}"):
    """x / (k + alpha * the mean of squares over `size` neighboring channels) ** beta (Krizhevsky et al., 2012).

    x (N, C, …) of 3 dimensions or more gives the same shape; beyond the first and last channel are zeros.

    >>> norm = nn.LocalResponseNorm(1, alpha=1.0, beta=1.0)
    >>> norm(tl.tensor([[[1.0], [2.0], [3.0]]])).flatten()  # x / (1 + x * x)
    tensor([0.5, 0.4, 0.3])
    """


class _Norm(Module):
    """A normalization with a weight and a bias, each of them there or None."""

    weight: Any  # a Parameter, or None
    bias: Any  # a Parameter, or None
    eps: float | None

    def _hold(self, shape: tuple[int, ...], weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        for name, there in (("weight", weight), ("bias", weight and bias)):
            self.register_parameter(name, weights(*shape, device=device, dtype=dtype) if there else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to ones and the bias to zeros."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class LayerNorm(_Norm):
    """(x - mean) / sqrt(variance + eps) * weight + bias, where mean and variance are those over the last dimensions.

    It is layer normalization (Ba et al., 2016). normalized_shape says which dimensions: x (…, *normalized_shape) gives
    the same shape; an input that does not end so is a RuntimeError. weight and bias are of normalized_shape, and start
    as 1 and 0; elementwise_affine=False leaves both out, bias=False the bias. It does the same in evaluation.

    >>> norm = nn.LayerNorm(3)
    >>> norm(tl.tensor([[1.0, 2.0, 3.0], [100.0, 200.0, 300.0]])).detach()
    tensor([[-1.2247,  0.    ,  1.2247],
            [-1.2247,  0.    ,  1.2247]])
    """

    def __init__(self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True,
                 device: Any = None, dtype: Any = None) -> None:
        self.normalized_shape = sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._hold(self.normalized_shape, elementwise_affine, bias, device, dtype)

    def forward(self, input: Any) -> Any:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
                f"bias={self.bias is not None}")


class RMSNorm(_Norm):
    """x / sqrt(mean(x ** 2) + eps) * weight, with the mean over the last dimensions (Zhang and Sennrich, 2019).

    normalized_shape says which dimensions: x (…, *normalized_shape) gives the same shape; an input that does not end so
    is a RuntimeError. weight, of normalized_shape, starts as 1; elementwise_affine=False leaves it out. eps is
    the dtype's, as np.finfo gives it, unless given; for float16 that of float32.

    >>> norm = nn.RMSNorm(2)
    >>> norm(tl.tensor([[1.0, 7.0], [-10.0, 70.0]])).detach()  # divided by 5, and by 50
    tensor([[ 0.2,  1.4],
            [-0.2,  1.4]])
    """

    def __init__(self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True,
                 device: Any = None, dtype: Any = None) -> None:
        self.normalized_shape = sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._hold(self.normalized_shape, elementwise_affine, False, device, dtype)

    def forward(self, x: Any) -> Any:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_Norm):
    """Mean 0 and variance 1 over each group of channels of each element, then weight and bias (Wu and He, 2018).

    x (N, num_channels, …) gives the same shape; its neighboring channels make num_groups groups. weight and bias
    (num_channels,) start as 1 and 0; affine=False leaves both out, bias=False the bias. Channels that do not fall into
    the groups are a ValueError, an input of other channels a RuntimeError.

    >>> norm = nn.GroupNorm(2, 4)
    >>> norm(tl.tensor([[1.0, 3.0, 100.0, 300.0]])).detach().round(decimals=3)
    tensor([[-1.,  1., -1.,  1.]])
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None,
                 dtype: Any = None, *, bias: bool = True) -> None:
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: {num_channels} channels do not fall into {num_groups} groups")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self._hold((num_channels,), affine, bias, device, dtype)

    def forward(self, input: Any) -> Any:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
                f"bias={self.bias is not None}")


class _Running(_Norm):
    """A normalization of channels that keeps their statistics for evaluation."""

    _dims: tuple[int, ...]  # what an input may have
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        for name, shape, kind in (("running_mean", num_features, dtype), ("running_var", num_features, dtype),
                                  ("num_batches_tracked", (), np.int64)):
            self.register_buffer(name, empty(shape, dtype=kind) if track_running_stats else None)
        self._hold((num_features,), affine, bias, device, dtype)

    def reset_running_stats(self) -> None:
        """Forget the running statistics: mean 0, variance 1, no batches seen."""
        for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if buffer is not None:
                buffer.fill_(value)

    def reset_parameters(self) -> None:
        """Set the weight to ones and the bias to zeros, and forget the running statistics."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check(self, input: Any) -> None:
        if input.ndim not in self._dims:
            raise ValueError(f"{type(self).__name__}: needs an input of {' or '.join(map(str, self._dims))} "
                             f"dimensions, not of shape {input.shape}")

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}")


class _BatchNorm(_Running):
    def forward(self, input: Any) -> Any:
        self._check(input)
        tracked, momentum = self.track_running_stats or not self.training, self.momentum
        if self.training and self.num_batches_tracked is not None and self.track_running_stats:
            self.num_batches_tracked.add_(1)
            if momentum is None:  # the mean over all batches
                momentum = 1 / self.num_batches_tracked.item()
        mean, var = (self.running_mean, self.running_var) if tracked else (None, None)
        return F.batch_norm(input, mean, var, self.weight, self.bias, self.training or mean is None,  # type: ignore[misc]
                            momentum or 0.0, self.eps)


class BatchNorm1d(_BatchNorm):
    """Mean 0 and variance 1 of each channel over the batch, then weight and bias (Ioffe and Szegedy, 2015).

    x (N, C) or (N, C, L), where C is num_features, gives the same shape. In training the batch's own mean and variance
    are used, and running_mean and running_var move towards them by the share `momentum` (None: the mean over all
    batches); in evaluation, after eval(), the running ones are used. track_running_stats=False keeps none.
    weight and bias (C,) start as 1 and 0; affine=False leaves both out. Training with one value a channel: ValueError.

    >>> norm = nn.BatchNorm1d(2)
    >>> norm(tl.tensor([[1.0, 0.0], [3.0, 20.0]])).detach().round(decimals=3)
    tensor([[-1., -1.],
            [ 1.,  1.]])
    >>> norm.running_mean  # a tenth of the way from 0 to the means 2 and 10
    tensor([0.2, 1. ])
    """

    _dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Mean 0 and variance 1 of each channel of images over the batch, then weight and bias (Ioffe and Szegedy, 2015).

    x (N, C, H, W) gives the same shape. Arguments, running statistics and errors are those of `BatchNorm1d`.

    >>> x = 5 * tl.randn(16, 3, 8, 8) + 7
    >>> y = nn.BatchNorm2d(3)(x).detach()
    >>> y.mean((0, 2, 3)).abs() < 1e-5
    tensor([ True,  True,  True])
    """

    _dims = (4,)


class _InstanceNorm(_Running):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = False,
                 track_running_stats: bool = False, device: Any = None, dtype: Any = None, *,
                 bias: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Any) -> Any:
        self._check(input)
        if self.affine and input.shape[1 - self._dims[1] + input.ndim] != self.num_features:
            raise ValueError(f"{type(self).__name__}: an input of shape {input.shape} does not have "
                             f"{self.num_features} channels")
        batch = input if input.ndim == self._dims[1] else input[None]
        out = F.instance_norm(batch, self.running_mean, self.running_var, self.weight, self.bias,  # type: ignore[misc]
                              self.training or not self.track_running_stats, self.momentum or 0.0, self.eps)
        return out if batch is input else out[0]


class InstanceNorm1d(_InstanceNorm):
    """Mean 0 and variance 1 of each channel of each element by itself (Ulyanov et al., 2016).

    x (N, C, L) or (C, L), where C is num_features, gives the same shape. affine=True adds a weight and a bias (C,) that
    are trained. track_running_stats=True keeps running statistics, as `BatchNorm1d` does, and uses them in evaluation.
    A channel of one value is a ValueError.

    >>> x = tl.tensor([[[1.0, 3.0], [100.0, 300.0]]])
    >>> nn.InstanceNorm1d(2)(x).round(decimals=3)
    tensor([[[-1.,  1.],
             [-1.,  1.]]])
    """

    _dims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Mean 0 and variance 1 of each channel of each image by itself (Ulyanov et al., 2016).

    x (N, C, H, W) or (C, H, W) gives the same shape. Arguments and errors are those of `InstanceNorm1d`.

    >>> x = 5 * tl.randn(2, 3, 8, 8) + 7
    >>> y = nn.InstanceNorm2d(3)(x)
    >>> y.shape, (y.mean((2, 3)).abs() < 1e-5).all()
    ((2, 3, 8, 8), tensor(True))
    """

    _dims = (3, 4)
