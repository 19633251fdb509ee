"""Padding: borders of images and signals."""

from collections.abc import Callable
from typing import Any

from tinygrad_lite.ops.arguments import plain

from . import functional as F
from .layer import Layer

__all__ = [
    "CircularPad1d", "CircularPad2d", "ConstantPad1d", "ConstantPad2d", "ReflectionPad1d", "ReflectionPad2d",
    "ReplicationPad1d", "ReplicationPad2d", "ZeroPad1d", "ZeroPad2d"]


def _constant(x: Any, padding: Any, value: Any) -> Any:
    """A border of one value: padding is (left, right) of the last dimension, then of the one before, or one number."""
    return F.pad(x, padding, value=value)


def _zero(x: Any, padding: Any) -> Any:
    """A border of zeros: padding is (left, right) of the last dimension, then of the one before, or one number."""
    return F.pad(x, padding)


WIDTHS = "(left, right) of the last dimension, then of the one before, or one number"


def _mode(mode: str, border: str) -> Callable:
    def pad(x: Any, padding: Any) -> Any:
        dims = len(padding) // 2
        if x.ndim not in (dims + 1, dims + 2):
            raise ValueError(f"pad: {mode} padding {padding} needs an input of {dims + 1} or {dims + 2} dimensions, "
                             f"not of shape {x.shape}")
        return F.pad(x, padding, mode)

    pad.__doc__ = f"A border of {border}: padding is {WIDTHS}."
    return pad


_reflect = _mode("reflect", "what is inside, mirrored at the edge")
_replicate = _mode("replicate", "the elements at the edge")
_circular = _mode("circular", "what is at the other end")


class _Pad(Layer, shown="{padding}"):
    _dims = 1

    def settle(self) -> None:
        padding = plain(self.padding)
        self.padding = (padding,) * 2 * self._dims if isinstance(padding, int) else tuple(padding)


class _Pad2d(_Pad):
    _dims = 2


class CircularPad1d(_Pad, function=_circular):
    """A border of what is at the other end, as if the signal began again.

    x (N, C, L) or (C, L); padding is (left, right), or one number for both, each at most L. Another number of
    dimensions is a ValueError.

    >>> x = tl.tensor([[1.0, 2.0, 3.0]])
    >>> nn.CircularPad1d((1, 2))(x)
    tensor([[3., 1., 2., 3., 1., 2.]])
    """


class CircularPad2d(_Pad2d, function=_circular):
    """A border of what is at the other side, as if the image were laid out as tiles.

    x (N, C, H, W) or (C, H, W); padding is (left, right, top, bottom), or one number for all. Another number of
    dimensions is a ValueError.

    >>> x = tl.tensor([[[1.0, 2.0, 3.0]]])
    >>> nn.CircularPad2d((1, 1, 0, 0))(x)
    tensor([[[3., 1., 2., 3., 1.]]])
    """


class ConstantPad1d(_Pad, function=_constant, shown="padding={padding}, value={value}"):
    """A border of one value at the ends of the last dimension.

    padding is (left, right), or one number for both; negative numbers cut off.

    >>> x = tl.tensor([[1.0, 2.0, 3.0]])
    >>> nn.ConstantPad1d((1, 2), 9.0)(x)
    tensor([[9., 1., 2., 3., 9., 9.]])
    """


class ConstantPad2d(_Pad2d, function=_constant, shown="padding={padding}, value={value}"):
    """A border of one value around the last two dimensions.

    padding is (left, right, top, bottom), or one number for all; negative numbers cut off.

    >>> x = tl.tensor([[[1.0, 2.0]]])
    >>> nn.ConstantPad2d((1, 1, 0, 1), 9.0)(x)
    tensor([[[9., 1., 2., 9.],
             [9., 9., 9., 9.]]])
    """


class ReflectionPad1d(_Pad, function=_reflect):
    """A border of what is inside, mirrored at the first and the last element, which are not repeated.

    x (N, C, L) or (C, L); padding is (left, right), or one number for both, each less than L (else a RuntimeError).
    Another number of dimensions is a ValueError.

    >>> x = tl.tensor([[1.0, 2.0, 3.0]])
    >>> nn.ReflectionPad1d(2)(x)
    tensor([[3., 2., 1., 2., 3., 2., 1.]])
    """


class ReflectionPad2d(_Pad2d, function=_reflect):
    """A border of what is inside, mirrored at the outermost pixels, which are not repeated.

    x (N, C, H, W) or (C, H, W); padding is (left, right, top, bottom), or one number for all, each less than the
    image's size (else a RuntimeError). Another number of dimensions is a ValueError.

    >>> x = tl.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    >>> nn.ReflectionPad2d(1)(x)
    tensor([[[4., 3., 4., 3.],
             [2., 1., 2., 1.],
             [4., 3., 4., 3.],
             [2., 1., 2., 1.]]])
    """


class ReplicationPad1d(_Pad, function=_replicate):
    """A border that repeats the first and the last element.

    x (N, C, L) or (C, L); padding is (left, right), or one number for both. Another number of dimensions is a
    ValueError.

    >>> x = tl.tensor([[1.0, 2.0, 3.0]])
    >>> nn.ReplicationPad1d(2)(x)
    tensor([[1., 1., 1., 2., 3., 3., 3.]])
    """


class ReplicationPad2d(_Pad2d, function=_replicate):
    """A border that repeats the outermost pixels.

    x (N, C, H, W) or (C, H, W); padding is (left, right, top, bottom), or one number for all. Another number of
    dimensions is a ValueError.

    >>> x = tl.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    >>> nn.ReplicationPad2d(1)(x)
    tensor([[[1., 1., 2., 2.],
             [1., 1., 2., 2.],
             [3., 3., 4., 4.],
             [3., 3., 4., 4.]]])
    """


class ZeroPad1d(_Pad, function=_zero):
    """A border of zeros at the ends of the last dimension.

    padding is (left, right), or one number for both; negative numbers cut off.

    >>> x = tl.tensor([[1.0, 2.0, 3.0]])
    >>> nn.ZeroPad1d((2, -1))(x)
    tensor([[0., 0., 1., 2.]])
    """


class ZeroPad2d(_Pad2d, function=_zero):
    """A border of zeros around the last two dimensions.

    padding is (left, right, top, bottom), or one number for all; negative numbers cut off.

    >>> x = tl.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    >>> nn.ZeroPad2d(1)(x)
    tensor([[[0., 0., 0., 0.],
             [0., 1., 2., 0.],
             [0., 3., 4., 0.],
             [0., 0., 0., 0.]]])
    """
