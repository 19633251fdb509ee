"""Other shapes and orders of the same elements: modules of the functions of the same name."""

from tinygrad_lite.ops import flatten, unflatten

from . import functional as F
from .layer import Layer

__all__ = ["Flatten", "Unflatten", "Fold", "Unfold", "PixelShuffle", "PixelUnshuffle", "ChannelShuffle"]


def _flatten(x, start_dim=1, end_dim=-1):  # type: ignore[no-untyped-def]
    """The dimensions from start_dim to end_dim as one: by default all but the batch's, as a linear layer takes them.

    >>> x = tl.zeros(8, 3, 4, 4)
    >>> nn.Flatten()(x).shape
    (8, 48)
    """
    return flatten(x, start_dim, end_dim)


def _unflatten(x, dim, unflattened_size):  # type: ignore[no-untyped-def]
    """Dimension dim split into several, of the sizes unflattened_size: the inverse of `Flatten`.

    One of the sizes may be -1, which stands for what is left. Sizes that do not fit are a RuntimeError.

    >>> x = tl.zeros(8, 48)
    >>> nn.Unflatten(1, (3, 4, -1))(x).shape
    (8, 3, 4, 4)
    """
    return unflatten(x, dim, unflattened_size)


class Flatten(Layer, function=_flatten): ...
class Unflatten(Layer, function=_unflatten): ...


class Fold(Layer, function=F.fold):
    """The adjoint of `Unfold`: columns laid back as windows of an image, and added where these overlap.

    x (N, C * KH * KW, windows) gives (N, C, H, W), where (H, W) is output_size; the other settings are those of the
    `Unfold`. Another number of windows is a RuntimeError.

    >>> columns = nn.Unfold(2)(tl.ones(1, 1, 3, 3))
    >>> nn.Fold(output_size=3, kernel_size=2)(columns)  # in how many windows each pixel is
    tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]])
    """


class Unfold(Layer, function=F.unfold):
    """The windows of an image as columns of a matrix, by which a convolution becomes a product of matrices.

    x (N, C, H, W) gives (N, C * KH * KW, OH * OW), with OH and OW as `Conv2d` has them; settings are numbers or pairs.

    >>> x = tl.arange(9.0).reshape(1, 1, 3, 3)
    >>> nn.Unfold(kernel_size=2)(x)
    tensor([[[0., 1., 3., 4.],
             [1., 2., 4., 5.],
             [3., 4., 6., 7.],
             [4., 5., 7., 8.]]])
    """


class PixelShuffle(Layer, function=F.pixel_shuffle):
    """Channels laid out as pixels, which makes an image larger: (…, C * r * r, H, W) gives (…, C, H * r, W * r).

    r is upscale_factor (Shi et al., 2016). Channels that are no multiple of r * r are a RuntimeError.

    >>> x = tl.arange(4.0).reshape(4, 1, 1)
    >>> nn.PixelShuffle(2)(x)
    tensor([[[0., 1.],
             [2., 3.]]])
    """


class PixelUnshuffle(Layer, function=F.pixel_unshuffle):
    """Pixels laid out as channels, the inverse of `PixelShuffle`: (…, C, H * r, W * r) gives (…, C * r * r, H, W).

    r is downscale_factor. Sizes that are no multiple of r are a RuntimeError.

    >>> x = tl.zeros(1, 3, 8, 8)
    >>> nn.PixelUnshuffle(2)(x).shape
    (1, 12, 4, 4)
    """


class ChannelShuffle(Layer, function=F.channel_shuffle):
    """Channels taken from each group in turn, so that the next convolution in groups mixes them (Zhang et al., 2018).

    x (N, C, …) gives the same shape; channels that do not fall into the groups are a RuntimeError.

    >>> x = tl.arange(6.0).reshape(1, 6, 1)
    >>> nn.ChannelShuffle(groups=2)(x).flatten()
    tensor([0., 3., 1., 4., 2., 5.])
    """
