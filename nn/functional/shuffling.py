"""Elements in another order: channels mixed, or laid out as pixels."""

import math

from tinygrad_lite.ops import permute, reshape, transpose

from .convolution import check_positive

__all__ = ["channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


def pixel_shuffle(x, upscale_factor):
    """Channels as pixels: (…, C * r * r, H, W) -> (…, C, H * r, W * r) (Shi et al., 2016)."""
    r = upscale_factor
    check_positive("pixel_shuffle", upscale_factor=(r,))
    if x.ndim < 3 or x.shape[-3] % (r * r):
        raise RuntimeError(f"pixel_shuffle: an input of shape {x.shape} does not have a multiple of {r * r} channels")
    *lead, c, h, w = x.shape
    parts = reshape(x, math.prod(lead), c // (r * r), r, r, h, w)
    return reshape(permute(parts, 0, 1, 4, 2, 5, 3), *lead, c // (r * r), h * r, w * r)


def pixel_unshuffle(x, downscale_factor):
    """The inverse of `pixel_shuffle`: (…, C, H * r, W * r) -> (…, C * r * r, H, W)."""
    r = downscale_factor
    check_positive("pixel_unshuffle", downscale_factor=(r,))
    if x.ndim < 3 or x.shape[-2] % r or x.shape[-1] % r:
        raise RuntimeError(f"pixel_unshuffle: an input of shape {x.shape} does not fall into blocks of {r} x {r}")
    *lead, c, h, w = x.shape
    parts = reshape(x, math.prod(lead), c, h // r, r, w // r, r)
    return reshape(permute(parts, 0, 1, 3, 5, 2, 4), *lead, c * r * r, h // r, w // r)


def channel_shuffle(x, groups):
    """The channels of x (N, C, …) dealt out in turn: those of a group no longer side by side (Zhang et al., 2018)."""
    check_positive("channel_shuffle", groups=(groups,))
    if x.ndim < 3 or x.shape[1] % groups:
        raise RuntimeError(f"channel_shuffle: the channels of shape {x.shape} do not fall into {groups} groups")
    parts = reshape(x, x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    return reshape(transpose(parts, 1, 2), x.shape)
