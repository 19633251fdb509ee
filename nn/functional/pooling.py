"""Pooling: the largest element or the mean of each window of an image."""

import builtins
import math

import numpy as np

from tinygrad_lite.engine.halves import in_float32
from tinygrad_lite.engine.mode import mode
from tinygrad_lite.engine.values import as_array, occurs, unbox
from tinygrad_lite.ops import (
    div,
    getitem,
    matmul,
    max,
    reshape,
    scatter,
    squeeze,
    sum,
    take_along_dim,
    unsqueeze,
    where,
)

from .convolution import batched, check_positive, columns, one, out_size, padded, pair, windows_of

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d", "avg_pool1d",
    "avg_pool2d", "lp_pool1d", "lp_pool2d", "max_pool1d", "max_pool2d", "max_unpool1d", "max_unpool2d"]


def _pooled(name, x, kernel_size, stride, padding, dilation, ceil_mode, fill):
    """The windows of x: (N, C, KH * KW, OH, OW), and the border that ceil_mode added."""
    if 0 in x.shape[1:]:
        raise RuntimeError(f"{name}: an image of shape {x.shape[1:]} has no elements")
    kernel, padding, dilation = pair(kernel_size), pair(padding), pair(dilation)
    stride = kernel if stride in (None, ()) else pair(stride)
    check_positive(name, kernel_size=kernel, stride=stride, dilation=dilation)
    if any(2 * p > k for p, k in zip(padding, kernel)):
        raise RuntimeError(f"{name}: a padding of {padding} is more than half of the kernel {kernel}")
    extra = [0, 0]
    if ceil_mode:  # one more window where it starts inside the image or its left border
        for d, (n, k, s, p, e) in enumerate(zip(x.shape[2:], kernel, stride, padding, dilation)):
            reach = e * (k - 1) + 1
            outs = -(-(n + 2 * p - reach) // s) + 1
            outs -= (outs - 1) * s >= n + p
            extra[d] = builtins.max((outs - 1) * s + reach - n - 2 * p, 0)
    bordered = padded(name, x, kernel, padding, dilation, fill, tuple(extra))
    n, c = x.shape[:2]
    oh, ow = (out_size(*a) for a in zip(bordered.shape[2:], kernel, stride, dilation))
    return reshape(columns(bordered, kernel, stride, dilation), n, c, math.prod(kernel), oh, ow), extra


@batched(4)
def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The largest element of each window, each channel for itself; the stride is the kernel's size unless given.

    return_indices: the pair of them and where each is in its flat image.
    """
    least = -math.inf if x.dtype.kind == "f" else int(np.iinfo(x.dtype).min)  # of the border, which is never read
    how = kernel_size, stride, padding, dilation, ceil_mode
    windows, _ = _pooled("max_pool2d", x, *how, least)
    largest, at = max(windows, 2)
    if (ceil_mode or any(pair(padding))) and not mode.as_text and occurs(unbox(largest) == least):
        inside, _ = _pooled("max_pool2d", np.ones(x.shape, bool), *how, False)  # the border is not among the equals
        at = np.where(unbox(largest) == least, np.argmax(inside & (unbox(windows) == least), 2), unbox(at))
        largest = squeeze(take_along_dim(windows, at[:, :, None], 2), 2)
    if not return_indices:
        return largest
    (ph, pw), (dh, dw), kernel = pair(padding), pair(dilation), pair(kernel_size)
    sh, sw = kernel if stride in (None, ()) else pair(stride)
    rows, columns = at // kernel[1], at % kernel[1]  # in the window
    rows = rows * dh + np.arange(at.shape[2])[:, None] * sh - ph
    return largest, rows * x.shape[3] + columns * dw + np.arange(at.shape[3]) * sw - pw


@batched(4)
@in_float32
def avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    """The mean of each window; with count_include_pad=False over the elements that are not border; or the sum divided
    by divisor_override."""
    windows, extra = _pooled("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode, 0.0)
    out = sum(windows, 2)
    if divisor_override is not None:
        if not divisor_override:
            raise RuntimeError("avg_pool2d: divisor_override is not 0")
        return _divided(out, divisor_override, x.dtype)
    (ph, pw), border = pair(padding), float(count_include_pad)
    inside = np.full((1, 1, x.shape[2] + 2 * ph, x.shape[3] + 2 * pw), border, x.dtype)
    inside[:, :, ph : ph + x.shape[2], pw : pw + x.shape[3]] = 1
    inside = np.pad(inside, [(0, 0), (0, 0), (0, extra[0]), (0, extra[1])])
    stride = kernel_size if stride in (None, ()) else stride
    counts = windows_of(inside, pair(kernel_size), pair(stride), (1, 1)).sum((2, 3))
    return _divided(out, counts, x.dtype)


def _divided(total, count, dtype):
    """A mean; of whole numbers cut off to one."""
    return total / count if dtype.kind == "f" else div(total, count, rounding_mode="trunc")


def _flat_pool(pool, x, kernel_size, stride, padding, **settings):
    kernel = one(kernel_size)
    stride = kernel if stride in (None, ()) else one(stride)
    out = pool(unsqueeze(x, 2), (1, kernel), (1, stride), (0, one(padding)), **settings)
    return tuple(squeeze(part, 2) for part in out) if isinstance(out, tuple) else squeeze(out, 2)


@batched(3)
def max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """`max_pool2d` along one dimension of x (N, C, L)."""
    return _flat_pool(max_pool2d, x, kernel_size, stride, padding, dilation=(1, one(dilation)), ceil_mode=ceil_mode,
                      return_indices=return_indices)


@batched(3)
def avg_pool1d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """`avg_pool2d` along one dimension of x (N, C, L)."""
    return _flat_pool(avg_pool2d, x, kernel_size, stride, padding, ceil_mode=ceil_mode,
                      count_include_pad=count_include_pad)


def averages(n, out, dtype):
    """The matrix (out, n) that takes the mean of `out` stretches of n elements."""
    matrix = np.zeros((out, n), dtype)
    for i in range(out):
        start, end = i * n // out, -(-(i + 1) * n // out)
        matrix[i, start:end] = 1 / (end - start)
    return matrix


@in_float32
def adaptive_avg_pool2d(x, output_size):
    """Means of as many windows as output_size asks for: x (…, H, W) -> (…, OH, OW); None keeps a size."""
    if x.ndim < 3:
        raise ValueError(f"adaptive_avg_pool2d: needs an input of 3 or 4 dimensions, not of shape {x.shape}")
    oh, ow = (n if o is None else o for n, o in zip(x.shape[-2:], pair(output_size)))
    return matmul(matmul(averages(x.shape[-2], oh, x.dtype), x), averages(x.shape[-1], ow, x.dtype).T)


def adaptive_avg_pool1d(x, output_size):
    """`adaptive_avg_pool2d` along one dimension of x (…, L)."""
    if x.ndim not in (2, 3):
        raise ValueError(f"adaptive_avg_pool1d: needs an input of 2 or 3 dimensions, not of shape {x.shape}")
    return squeeze(adaptive_avg_pool2d(unsqueeze(x, -2), (1, one(output_size))), -2)


def _stretches(n, out):
    """Which of n elements each of `out` stretches has, (out, the longest): of a shorter one the last is repeated."""
    i = np.arange(out)
    starts, ends = i * n // out, -(-(i + 1) * n // out)
    return np.minimum(starts[:, None] + np.arange((ends - starts).max(initial=0)), ends[:, None] - 1)


def adaptive_max_pool2d(x, output_size, return_indices=False):
    """The largest elements of as many windows as output_size asks for: x (…, H, W) -> (…, OH, OW); None keeps a size.

    return_indices: the pair of them and where each is in its flat image.
    """
    if x.ndim not in (3, 4) or 0 in x.shape[-3:]:
        raise RuntimeError(f"adaptive_max_pool2d: needs images (…, C, H, W) that have elements, not shape {x.shape}")
    oh, ow = (n if o is None else o for n, o in zip(x.shape[-2:], pair(output_size)))
    rows, columns = _stretches(x.shape[-2], oh), _stretches(x.shape[-1], ow)
    windows = getitem(x, (..., rows[:, None, :, None], columns[None, :, None, :]))  # (…, OH, OW, KH, KW)
    width = columns.shape[1]
    largest, at = max(reshape(windows, *windows.shape[:-2], rows.shape[1] * width), -1)
    if not return_indices:
        return largest
    return largest, (at // width + rows[:, :1]) * x.shape[-1] + at % width + columns[:, 0]  # the first of equals


def adaptive_max_pool1d(x, output_size, return_indices=False):
    """`adaptive_max_pool2d` along one dimension of x (…, L)."""
    if x.ndim not in (2, 3):
        raise RuntimeError(f"adaptive_max_pool1d: needs an input of 2 or 3 dimensions, not of shape {x.shape}")
    largest, at = adaptive_max_pool2d(unsqueeze(x, -2), (1, one(output_size)), True)
    return (squeeze(largest, -2), squeeze(at, -2)) if return_indices else squeeze(largest, -2)


def _norm_pool(pool, x, norm_type, size, *settings):
    total = pool(x**norm_type, *settings) * size
    zero = total == 0  # where the root has no slope
    return where(zero, total, where(zero, 1.0, total) ** (1 / norm_type))


@in_float32
def lp_pool2d(x, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The norm of each window, (the sum of x ** norm_type) ** (1 / norm_type)."""
    return _norm_pool(avg_pool2d, x, norm_type, math.prod(pair(kernel_size)), kernel_size, stride, 0, ceil_mode)


@in_float32
def lp_pool1d(x, norm_type, kernel_size, stride=None, ceil_mode=False):
    """`lp_pool2d` along one dimension of x (N, C, L)."""
    return _norm_pool(avg_pool1d, x, norm_type, one(kernel_size), kernel_size, stride, 0, ceil_mode)


@batched(4)
def max_unpool2d(x, indices, kernel_size, stride=None, padding=0, output_size=None):
    """The inverse of `max_pool2d` with return_indices: its elements where they were, 0 elsewhere.

    output_size: that of the images, where several give the same when pooled.
    """
    kernel, padding = pair(kernel_size), pair(padding)
    stride = kernel if stride in (None, ()) else pair(stride)
    sizes = [(n - 1) * s - 2 * p + k for n, s, p, k in zip(x.shape[2:], stride, padding, kernel)]
    h, w = asked = sizes if output_size is None else list(output_size)[-2:]
    if any(not n - s < a < n + s for a, n, s in zip(asked, sizes, stride)):
        raise ValueError(f"max_unpool2d: an output_size of {tuple(asked)} is not within {tuple(stride)} of "
                         f"{tuple(sizes)}")
    at = as_array(indices).reshape(*x.shape[:2], -1)
    if at.size and not 0 <= at.min() <= at.max() < h * w:
        raise RuntimeError(f"max_unpool2d: an index is outside the image of {h} x {w}")
    return reshape(scatter(np.zeros((*x.shape[:2], h * w), x.dtype), -1, at, reshape(x, at.shape)), *x.shape[:2], h, w)


@batched(3)
def max_unpool1d(x, indices, kernel_size, stride=None, padding=0, output_size=None):
    """`max_unpool2d` along one dimension of x (N, C, L)."""
    size = None if output_size is None else (1, output_size[-1])
    return _flat_pool(lambda flat, *settings: max_unpool2d(flat, indices, *settings, size), x, kernel_size, stride,
                      padding)
