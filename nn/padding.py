"""Padding: borders of images and signals."""

from collections.abc import Callable
from typing import Any

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
        self.padding = (self.padding,) * 2 * self._dims if isinstance(self.padding, int) else tuple(self.padding)


class _Pad2d(_Pad):
    _dims = 2


class CircularPad1d(_Pad, function=_circular): ...
class CircularPad2d(_Pad2d, function=_circular): ...
class ConstantPad1d(_Pad, function=_constant, shown="padding={padding}, value={value}"): ...
class ConstantPad2d(_Pad2d, function=_constant, shown="padding={padding}, value={value}"): ...
class ReflectionPad1d(_Pad, function=_reflect): ...
class ReflectionPad2d(_Pad2d, function=_reflect): ...
class ReplicationPad1d(_Pad, function=_replicate): ...
class ReplicationPad2d(_Pad2d, function=_replicate): ...
class ZeroPad1d(_Pad, function=_zero): ...
class ZeroPad2d(_Pad2d, function=_zero): ...
