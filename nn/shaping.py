"""Other shapes and orders of the same elements: modules of the functions of the same name."""

from tinygrad_lite.ops import flatten, unflatten

from . import functional as F
from .layer import Layer

__all__ = ["Flatten", "Unflatten", "Fold", "Unfold", "PixelShuffle", "PixelUnshuffle", "ChannelShuffle"]


def _flatten(x, start_dim=1, end_dim=-1):  # type: ignore[no-untyped-def]
    """Merge the dimensions from start_dim to end_dim: by default all but the batch's."""
    return flatten(x, start_dim, end_dim)


def _unflatten(x, dim, unflattened_size):  # type: ignore[no-untyped-def]
    """Split one dimension into those of unflattened_size, of which one may be -1."""
    return unflatten(x, dim, unflattened_size)


class Flatten(Layer, function=_flatten): ...
class Unflatten(Layer, function=_unflatten): ...
class Fold(Layer, function=F.fold): ...
class Unfold(Layer, function=F.unfold): ...
class PixelShuffle(Layer, function=F.pixel_shuffle): ...
class PixelUnshuffle(Layer, function=F.pixel_unshuffle): ...
class ChannelShuffle(Layer, function=F.channel_shuffle): ...
