"""Normalization: mean 0 and variance 1, then a weight and a bias that are trained."""

from typing import Any

import numpy as np

from tinygrad_lite.creation import empty
from tinygrad_lite.tensor import Tensor

from . import functional as F
from . import init
from .layer import Layer, weights
from .module import Module, Parameter

__all__ = [
    "LocalResponseNorm", "LayerNorm", "RMSNorm", "GroupNorm", "BatchNorm1d", "BatchNorm2d", "InstanceNorm1d",
    "InstanceNorm2d"]


class LocalResponseNorm(Layer, function=F.local_response_norm, shown="{size}, alpha={alpha}, beta={beta}, k={k}"): ...


class _Norm(Module):
    """A normalization with a weight and a bias, each of them there or None."""

    weight: Parameter | None
    bias: Parameter | None
    eps: float | None

    def _hold(self, shape: tuple[int, ...], weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        for name, there in (("weight", weight), ("bias", weight and bias)):
            self.register_parameter(name, weights(*shape, device=device, dtype=dtype) if there else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Ones, and a bias of zeros."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class LayerNorm(_Norm):
    """Mean 0 and variance 1 over the last dimensions (Ba et al., 2016)."""

    def __init__(self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True,
                 device: Any = None, dtype: Any = None) -> None:
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._hold(self.normalized_shape, elementwise_affine, bias, device, dtype)

    def forward(self, input: Any) -> Any:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
                f"bias={self.bias is not None}")


class RMSNorm(_Norm):
    """Root mean square 1 over the last dimensions (Zhang and Sennrich, 2019); eps is the dtype's unless given."""

    def __init__(self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True,
                 device: Any = None, dtype: Any = None) -> None:
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._hold(self.normalized_shape, elementwise_affine, False, device, dtype)

    def forward(self, x: Any) -> Any:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_Norm):
    """Mean 0 and variance 1 over each group of channels (Wu and He, 2018)."""

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None,
                 dtype: Any = None, *, bias: bool = True) -> None:
        if num_channels % num_groups:
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
        """Mean 0, variance 1, no batches."""
        for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if buffer is not None:
                buffer.fill_(value)

    def reset_parameters(self) -> None:
        """Ones, and a bias of zeros; no statistics."""
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
        return F.batch_norm(input, mean, var, self.weight, self.bias, self.training or mean is None,
                            momentum or 0.0, self.eps)


class BatchNorm1d(_BatchNorm):
    """Mean 0 and variance 1 of each channel of (N, C) or (N, C, L) over the batch (Ioffe and Szegedy, 2015)."""

    _dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Mean 0 and variance 1 of each channel of (N, C, H, W) over the batch (Ioffe and Szegedy, 2015)."""

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
        out = F.instance_norm(batch, self.running_mean, self.running_var, self.weight, self.bias,
                              self.training or not self.track_running_stats, self.momentum or 0.0, self.eps)
        return out if batch is input else out[0]


class InstanceNorm1d(_InstanceNorm):
    """Mean 0 and variance 1 of each channel of each element of (N, C, L) or (C, L) (Ulyanov et al., 2016)."""

    _dims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Mean 0 and variance 1 of each channel of each element of (N, C, H, W) or (C, H, W) (Ulyanov et al., 2016)."""

    _dims = (3, 4)
