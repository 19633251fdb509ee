"""Pooling, its inverse, and resizing: modules of the functions of the same name."""

from typing import Any

from . import functional as F
from .layer import Layer

__all__ = [
    "MaxPool1d", "MaxPool2d", "AvgPool2d", "LPPool1d", "LPPool2d", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AvgPool1d", "MaxUnpool1d", "MaxUnpool2d", "Upsample",
    "UpsamplingNearest2d", "UpsamplingBilinear2d"]

WINDOWS = "kernel_size={kernel_size}, stride={stride}, padding={padding}"
MAX = "kernel_size stride padding dilation return_indices ceil_mode"


class _Pool(Layer, shown=WINDOWS):
    def settle(self) -> None:
        if self.stride in (None, ()):
            self.stride = self.kernel_size


class _MaxPool(_Pool, shown=WINDOWS + ", dilation={dilation}, ceil_mode={ceil_mode}"): ...
class _Adaptive(Layer, shown="output_size={output_size}"): ...


class MaxPool1d(_MaxPool, function=F.max_pool1d, settings=MAX): ...
class MaxPool2d(_MaxPool, function=F.max_pool2d, settings=MAX): ...
class AvgPool2d(_Pool, function=F.avg_pool2d): ...
class LPPool1d(Layer, function=F.lp_pool1d): ...
class LPPool2d(Layer, function=F.lp_pool2d): ...
class AdaptiveAvgPool1d(_Adaptive, function=F.adaptive_avg_pool1d): ...
class AdaptiveAvgPool2d(_Adaptive, function=F.adaptive_avg_pool2d): ...
class AdaptiveMaxPool1d(_Adaptive, function=F.adaptive_max_pool1d): ...
class AdaptiveMaxPool2d(_Adaptive, function=F.adaptive_max_pool2d): ...


class AvgPool1d(_Pool, function=F.avg_pool1d):
    def settle(self) -> None:
        super().settle()
        for name in ("kernel_size", "stride", "padding"):
            value = getattr(self, name)
            setattr(self, name, (value,) if isinstance(value, int) else tuple(value))


class _MaxUnpool(_Pool, inputs=2):
    def forward(self, input: Any, indices: Any, output_size: Any = None) -> Any:
        return super().forward(input, indices, output_size=output_size)


class MaxUnpool1d(_MaxUnpool, function=F.max_unpool1d, settings="kernel_size stride padding"): ...
class MaxUnpool2d(_MaxUnpool, function=F.max_unpool2d, settings="kernel_size stride padding"): ...


class Upsample(Layer, function=F.interpolate, settings="size scale_factor mode align_corners recompute_scale_factor"):
    def extra_repr(self) -> str:
        asked = "size" if self.scale_factor is None else "scale_factor"
        return f"{asked}={getattr(self, asked)!r}, mode={self.mode!r}"

    def settle(self) -> None:
        factor = self.scale_factor
        if factor is not None:
            self.scale_factor = tuple(map(float, factor)) if isinstance(factor, (tuple, list)) else float(factor)


class UpsamplingNearest2d(Upsample):
    """`Upsample` of images by repeating pixels."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` of images by weighted means of pixels; those in the corners stay where they are."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)
