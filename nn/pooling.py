"""Pooling, its inverse, and resizing: modules of the functions of the same name."""

from typing import Any

from tinygrad_lite.ops.arguments import plain

from . import functional as F
from .functional.pooling import stride_of
from .layer import Layer

__all__ = [
    "MaxPool1d", "MaxPool2d", "AvgPool2d", "LPPool1d", "LPPool2d", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AvgPool1d", "MaxUnpool1d", "MaxUnpool2d", "Upsample",
    "UpsamplingNearest2d", "UpsamplingBilinear2d"]

WINDOWS = "kernel_size={kernel_size}, stride={stride}, padding={padding}"
MAX = "kernel_size stride padding dilation return_indices ceil_mode"


class _Pool(Layer, shown=WINDOWS):
    def settle(self) -> None:
        self.stride = stride_of(self.stride, self.kernel_size)


class _MaxPool(_Pool, shown=WINDOWS + ", dilation={dilation}, ceil_mode={ceil_mode}"): ...
class _Adaptive(Layer, shown="output_size={output_size}"): ...


class MaxPool1d(_MaxPool, function=F.max_pool1d, settings=MAX):
    """The largest element of each window of a signal: (N, C, L) or (C, L) gives (N, C, OL).

    OL = (L + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1; ceil_mode rounds up instead. The stride is
    the kernel's size unless given. With return_indices the result is a pair: these, and the place of each.

    >>> x = tl.tensor([[[1.0, 5.0, 2.0, 3.0]]])
    >>> nn.MaxPool1d(2)(x)
    tensor([[[5., 3.]]])
    """


class MaxPool2d(_MaxPool, function=F.max_pool2d, settings=MAX):
    """The largest element of each window of an image, each channel for itself.

    x (N, C, H, W) or (C, H, W) gives (N, C, OH, OW), where
    OH = (H + 2 * padding - dilation * (KH - 1) - 1) // stride + 1; ceil_mode rounds up instead. Settings are numbers or
    pairs for rows and columns; the stride is the kernel's size unless given. With return_indices the result is a pair:
    these and the places that `MaxUnpool2d` takes.

    >>> x = tl.arange(16.0).reshape(1, 1, 4, 4)
    >>> nn.MaxPool2d(2)(x)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """


class AvgPool2d(_Pool, function=F.avg_pool2d):
    """The mean of each window of an image, each channel for itself.

    x (N, C, H, W) or (C, H, W) gives (N, C, OH, OW), where OH = (H + 2 * padding - KH) // stride + 1; ceil_mode rounds
    up instead. Settings are numbers or pairs for rows and columns; the stride is the kernel's size unless given. The
    border counts as zeros, or with count_include_pad=False not at all. divisor_override is what sums are divided by
    instead.

    >>> x = tl.arange(16.0).reshape(1, 1, 4, 4)
    >>> nn.AvgPool2d(2)(x)
    tensor([[[[ 2.5,  4.5],
              [10.5, 12.5]]]])
    """


class LPPool1d(Layer, function=F.lp_pool1d):
    """The norm of each window of a signal, (sum of x ** norm_type) ** (1 / norm_type): (N, C, L) gives (N, C, OL).

    The stride is the kernel's size unless given; ceil_mode adds a window for what is left at the end.

    >>> x = tl.tensor([[[3.0, 4.0, 0.0, 1.0]]])
    >>> nn.LPPool1d(norm_type=2, kernel_size=2)(x)
    tensor([[[5., 1.]]])
    """


class LPPool2d(Layer, function=F.lp_pool2d):
    """The norm of each window of an image, (sum of x ** norm_type) ** (1 / norm_type), each channel for itself.

    x (N, C, H, W) or (C, H, W) gives (N, C, OH, OW). Kernel and stride are numbers or pairs; the stride is the kernel's
    size unless given. ceil_mode adds a window for what is left at the end.

    >>> x = tl.tensor([[[[3.0, 4.0, 0.0, 1.0]]]])
    >>> nn.LPPool2d(norm_type=2, kernel_size=(1, 2))(x)
    tensor([[[[5., 1.]]]])
    """


class AdaptiveAvgPool1d(_Adaptive, function=F.adaptive_avg_pool1d):
    """The means of as many windows of a signal as asked for: (N, C, L) or (C, L) gives (N, C, output_size).

    >>> x = tl.tensor([[1.0, 2.0, 3.0, 4.0]])
    >>> nn.AdaptiveAvgPool1d(2)(x)
    tensor([[1.5, 3.5]])
    """


class AdaptiveAvgPool2d(_Adaptive, function=F.adaptive_avg_pool2d):
    """The means of as many windows of an image as asked for, whatever its size: (N, C, H, W) gives (N, C, OH, OW).

    output_size is (OH, OW), or one number for both; None keeps a size. Of 1 it is the mean of each channel, which image
    classifiers end with.

    >>> x = tl.randn(8, 16, 7, 5)
    >>> nn.AdaptiveAvgPool2d(1)(x).shape
    (8, 16, 1, 1)
    """


class AdaptiveMaxPool1d(_Adaptive, function=F.adaptive_max_pool1d):
    """The largest elements of as many windows of a signal as asked for: (N, C, L) or (C, L) gives (N, C, output_size).

    With return_indices the result is a pair: these, and the place of each.

    >>> x = tl.tensor([[1.0, 5.0, 2.0, 3.0]])
    >>> nn.AdaptiveMaxPool1d(2)(x)
    tensor([[5., 3.]])
    """


class AdaptiveMaxPool2d(_Adaptive, function=F.adaptive_max_pool2d):
    """The largest elements of as many windows of an image as asked for: (N, C, H, W) gives (N, C, OH, OW).

    output_size is (OH, OW), or one number for both; None keeps a size. With return_indices the result is a pair, the
    second the place of each in its flat image.

    >>> x = tl.randn(8, 16, 7, 5)
    >>> nn.AdaptiveMaxPool2d((3, None))(x).shape
    (8, 16, 3, 5)
    """


class AvgPool1d(_Pool, function=F.avg_pool1d):
    """The mean of each window of a signal: (N, C, L) or (C, L) gives (N, C, OL).

    OL = (L + 2 * padding - kernel_size) // stride + 1; ceil_mode rounds up instead. The stride is the kernel's size
    unless given. The border counts as zeros, or with count_include_pad=False not at all.

    >>> x = tl.tensor([[[1.0, 5.0, 2.0, 3.0]]])
    >>> nn.AvgPool1d(2)(x)
    tensor([[[3. , 2.5]]])
    """

    def settle(self) -> None:
        super().settle()
        for name in ("kernel_size", "stride", "padding"):
            value = plain(getattr(self, name))
            setattr(self, name, (value,) if isinstance(value, int) else tuple(value))


class _MaxUnpool(_Pool, inputs=2):
    def forward(self, input: Any, indices: Any, output_size: Any = None) -> Any:
        return super().forward(input, indices, output_size=output_size)


class MaxUnpool1d(_MaxUnpool, function=F.max_unpool1d, settings="kernel_size stride padding"):
    """The results of `MaxPool1d` with return_indices back where they were in a signal, with 0 elsewhere.

    It takes the pooled (N, C, L), the indices and, where several sizes give the same when pooled, an output_size. Its
    own settings are those of the pooling.

    >>> pooled, indices = nn.MaxPool1d(2, return_indices=True)(tl.tensor([[1.0, 5.0, 2.0, 3.0]]))
    >>> nn.MaxUnpool1d(2)(pooled, indices)
    tensor([[0., 5., 0., 3.]])
    """


class MaxUnpool2d(_MaxUnpool, function=F.max_unpool2d, settings="kernel_size stride padding"):
    """The results of `MaxPool2d` with return_indices back where they were in an image, with 0 elsewhere.

    It takes the pooled (N, C, H, W), the indices and, where several sizes give the same when pooled, an output_size.
    Its own settings are those of the pooling.

    >>> pooled, indices = nn.MaxPool2d(2, return_indices=True)(tl.tensor([[[1.0, 2.0], [4.0, 3.0]]]))
    >>> nn.MaxUnpool2d(2)(pooled, indices)
    tensor([[[0., 0.],
             [4., 0.]]])
    """


class Upsample(Layer, function=F.interpolate, settings="size scale_factor mode align_corners recompute_scale_factor"):
    """x (N, C, …) resized to `size`, or by scale_factor, each of which is a number or one for each dimension.

    mode: "nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic" or "area", of which
    `functional.interpolate` tells more. With align_corners=True the first and the last elements stay what they are.

    >>> x = tl.tensor([[[[1.0, 2.0]]]])
    >>> nn.Upsample(scale_factor=2)(x)
    tensor([[[[1., 1., 2., 2.],
              [1., 1., 2., 2.]]]])
    >>> nn.Upsample(size=(1, 5), mode="bilinear", align_corners=True)(x)
    tensor([[[[1.  , 1.25, 1.5 , 1.75, 2.  ]]]])
    """

    def extra_repr(self) -> str:
        asked = "size" if self.scale_factor is None else "scale_factor"
        return f"{asked}={getattr(self, asked)!r}, mode={self.mode!r}"

    def settle(self) -> None:
        factor = self.scale_factor
        if factor is not None:
            self.scale_factor = tuple(map(float, factor)) if isinstance(factor, (tuple, list)) else float(factor)


class UpsamplingNearest2d(Upsample):
    """`Upsample` of images (N, C, H, W) by repeating pixels.

    >>> x = tl.tensor([[[[1.0, 2.0]]]])
    >>> nn.UpsamplingNearest2d(scale_factor=2)(x)
    tensor([[[[1., 1., 2., 2.],
              [1., 1., 2., 2.]]]])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` of images (N, C, H, W) by weighted means of pixels; those in the corners stay where they are.

    >>> x = tl.tensor([[[[0.0, 2.0], [4.0, 6.0]]]])
    >>> nn.UpsamplingBilinear2d(size=(3, 3))(x)
    tensor([[[[0., 1., 2.],
              [2., 3., 4.],
              [4., 5., 6.]]]])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)
