"""Resizing: an image of another size, each dimension for itself."""

import math

import numpy as np

from tinygrad_lite.engine.tape import cast
from tinygrad_lite.ops import clamp, index_select, matmul, movedim, round

from .pooling import averages

__all__ = ["interpolate"]

DIMENSIONS = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}  # of the input, with batch and channels
MODES = ("nearest", "nearest-exact", "area", *DIMENSIONS)


def _linear(at):
    """Offsets and weights of the two elements around a place at + 0 … 1."""
    return [(0, 1 - at), (1, at)]


def _cubic(at, a=-0.75):
    """Of the four elements around it (Keys, 1981)."""
    def near(d):
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d):
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [(-1, far(at + 1)), (0, near(at)), (1, near(1 - at)), (2, far(2 - at))]


def _weights(mode, n, out, factor, align_corners, dtype):
    """The matrix (out, n) that takes n elements to `out` weighted sums of neighbors."""
    i = np.arange(out)
    if align_corners:
        at = i * ((n - 1) / (out - 1) if out > 1 else 0.0)
    else:
        at = (i + 0.5) * (n / out if factor is None else 1 / factor) - 0.5
    if mode != "bicubic":
        at = np.maximum(at, 0)
    first = np.floor(at).astype(np.int64)
    matrix = np.zeros((out, n))
    for offset, weight in (_cubic if mode == "bicubic" else _linear)(at - first):
        np.add.at(matrix, (i, np.clip(first + offset, 0, n - 1)), weight)
    return matrix.astype(dtype)


def _nearest(mode, n, out, factor):
    """Which of n elements each of `out` ones is: in whole numbers where there is no factor, so exact for every size;
    by a factor in float32, as PyTorch rounds it."""
    i = np.arange(out)
    if factor is None:
        return (2 * i + 1) * n // (2 * out) if mode == "nearest-exact" else i * n // out
    at = (i.astype(np.float32) + np.float32(0.5 * (mode == "nearest-exact"))) * np.float32(1 / factor)
    return np.minimum(at.astype(np.int64), n - 1)


def _sizes_decide(mode, n, out, spatial):
    """Whether a size that stays, or that doubles, passes over the factor, as it does in PyTorch."""
    if mode == "nearest":
        return spatial == 2 and out in (n, 2 * n)
    return mode not in ("bicubic", "nearest-exact") and out == n


def interpolate(x, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None,
                antialias=False):
    """x resized to `size`, or by scale_factor: signals (N, C, L), images (N, C, H, W) or volumes (N, C, D, H, W).

    Both are a number for all dimensions or one for each. mode: "nearest" or "nearest-exact" repeat elements; "linear",
    "bilinear" and "trilinear", by the number of dimensions, and "bicubic" (Keys, 1981) are weighted means of
    neighbors; "area" takes means as `adaptive_avg_pool2d`. With align_corners=True the first and the last elements
    stay what they are; otherwise elements have a width, and the outer borders stay. recompute_scale_factor: the factor
    is that of the sizes, which are rounded down. ValueError: another mode, or not just one of size and scale_factor;
    NotImplementedError: a mode for other dimensions, or antialias.

    >>> x = tl.tensor([[[0.0, 8.0]]])
    >>> F.interpolate(x, scale_factor=2)
    tensor([[[0., 0., 8., 8.]]])
    >>> F.interpolate(x, size=5, mode="linear", align_corners=True)
    tensor([[[0., 2., 4., 6., 8.]]])
    """
    if mode not in MODES:
        raise ValueError(f"interpolate: mode is {', '.join(MODES)}, not {mode!r}")
    if DIMENSIONS.get(mode, x.ndim) != x.ndim or not 3 <= x.ndim <= 5:
        raise NotImplementedError(f"interpolate: {mode} needs an input of {DIMENSIONS.get(mode, '3 to 5')} dimensions "
                                  f"(N, C, …), not of shape {x.shape}")
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: give either size or scale_factor")
    if align_corners is not None and mode not in DIMENSIONS:
        raise ValueError(f"interpolate: align_corners is for {', '.join(DIMENSIONS)}, not for {mode}")
    if antialias:
        raise NotImplementedError("interpolate: antialias=True is not supported")
    spatial = x.ndim - 2
    given = scale_factor if size is None else size
    given = tuple(given) if isinstance(given, (tuple, list)) else (given,) * spatial
    if len(given) != spatial:
        raise ValueError(f"interpolate: {given} are not {spatial} for an input of shape {x.shape}")
    sizes = given if size is not None else [math.floor(n * f) for n, f in zip(x.shape[2:], given)]
    if min(sizes) < 1:
        raise RuntimeError(f"interpolate: sizes {tuple(sizes)} are not above 0")
    if x.dtype == np.uint8 and not mode.startswith("nearest"):  # an image of 8 bits stays one
        whole = interpolate(cast(x, np.float32), size, scale_factor, mode, align_corners, recompute_scale_factor)
        return cast(round(clamp(whole, 0, 255)), np.uint8)
    exact = size is not None or recompute_scale_factor
    for dim, out in enumerate(sizes, 2):
        n = x.shape[dim]
        factor = None if exact or _sizes_decide(mode, n, out, spatial) else given[dim - 2]
        if mode.startswith("nearest"):
            x = index_select(x, dim, _nearest(mode, n, out, factor))
            continue
        if x.dtype.kind != "f":
            raise TypeError(f"interpolate: {mode} of {x.dtype} would not be whole numbers: convert with .float() first")
        matrix = averages(n, out, x.dtype) if mode == "area" else _weights(mode, n, out, factor, align_corners, x.dtype)
        x = movedim(matmul(movedim(x, dim, -1), matrix.T), -1, dim)
    return x
