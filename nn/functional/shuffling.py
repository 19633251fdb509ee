"""Elements in another order: channels mixed, or laid out as pixels."""

import math

from tinygrad_lite.ops import permute, reshape, transpose

from .convolution import check_positive

__all__ = ["channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


def pixel_shuffle(x, upscale_factor):
    """Channels laid out as pixels: each square of r x r pixels comes from r * r channels (Shi et al., 2016).

    x (…, C * r * r, H, W) gives (…, C, H * r, W * r), where r is upscale_factor. Channels that are no multiple of r * r
    are a RuntimeError.

    >>> x = tl.arange(4.0).reshape(4, 1, 1)
    >>> F.pixel_shuffle(x, upscale_factor=2)
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    r = upscale_factor
    check_positive("pixel_shuffle", upscale_factor=(r,))
    if x.ndim < 3 or x.shape[-3] % (r * r):
        raise RuntimeError(f"pixel_shuffle: an input of shape {x.shape} does not have a multiple of {r * r} channels")
    *lead, c, h, w = x.shape
    parts = reshape(x, math.prod(lead), c // (r * r), r, r, h, w)
    return reshape(permute(parts, 0, 1, 4, 2, 5, 3), *lead, c // (r * r), h * r, w * r)


def pixel_unshuffle(x, downscale_factor):
    """Pixels laid out as channels, the inverse of `pixel_shuffle`: a smaller image with more channels.

    x (…, C, H * r, W * r) gives (…, C * r * r, H, W), where r is downscale_factor. Sizes that are no multiple of r are
    a RuntimeError.

    >>> x = tl.tensor([[[0.0, 1.0], [2.0, 3.0]]])
    >>> F.pixel_unshuffle(x, downscale_factor=2).flatten(1)
    tensor([[0.],
            [1.],
            [2.],
            [3.]])
    """
    r = downscale_factor
    check_positive("pixel_unshuffle", downscale_factor=(r,))
    if x.ndim < 3 or x.shape[-2] % r or x.shape[-1] % r:
        raise RuntimeError(f"pixel_unshuffle: an input of shape {x.shape} does not fall into blocks of {r} x {r}")
    *lead, c, h, w = x.shape
    parts = reshape(x, math.prod(lead), c, h // r, r, w // r, r)
    return reshape(permute(parts, 0, 1, 3, 5, 2, 4), *lead, c * r * r, h // r, w // r)


def channel_shuffle(x, groups):
    """Channels taken from each group in turn, so that the next convolution in groups mixes them (Zhang et al., 2018).

    x (N, C, …) of 3 dimensions or more gives the same shape; channels that do not fall into the groups are a
    RuntimeError.

    >>> x = tl.arange(6.0).reshape(1, 6, 1)
    >>> F.channel_shuffle(x, groups=2).flatten()
    tensor([0., 3., 1., 4., 2., 5.])
    """
    check_positive("channel_shuffle", groups=(groups,))
    if x.ndim < 3 or x.shape[1] % groups:
        raise RuntimeError(f"channel_shuffle: the channels of shape {x.shape} do not fall into {groups} groups")
    parts = reshape(x, x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    return reshape(transpose(parts, 1, 2), x.shape)
