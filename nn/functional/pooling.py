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


def stride_of(stride, kernel):
    """The kernel's size unless another is given."""
    return kernel if stride is None or isinstance(stride, (tuple, list)) and not stride else stride


def _pooled(name, x, kernel_size, stride, padding, dilation, ceil_mode, fill):
    """The windows of x: (N, C, KH * KW, OH, OW), and the border that ceil_mode added."""
    if 0 in x.shape[1:]:
        raise RuntimeError(f"{name}: an image of shape {x.shape[1:]} has no elements")
    kernel, padding, dilation = pair(kernel_size), pair(padding), pair(dilation)
    stride = pair(stride_of(stride, kernel))
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
    """The largest element of each window of an image, each channel for itself.

    x (N, C, H, W) or (C, H, W) gives (N, C, OH, OW), where
    OH = (H + 2 * padding - dilation * (KH - 1) - 1) // stride + 1; ceil_mode rounds up instead. Settings are numbers or
    pairs for rows and columns; the stride is the kernel's size unless given. The border never is the largest.
    return_indices: the result is a pair: these, and the place of each in its flat image, which `max_unpool2d` takes. A
    padding of more than half a kernel is a RuntimeError.

    >>> x = tl.arange(16.0).reshape(1, 1, 4, 4)
    >>> F.max_pool2d(x, kernel_size=2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
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
    sh, sw = pair(stride_of(stride, kernel))
    rows, columns = at // kernel[1], at % kernel[1]  # in the window
    rows = rows * dh + np.arange(at.shape[2])[:, None] * sh - ph
    return largest, rows * x.shape[3] + columns * dw + np.arange(at.shape[3]) * sw - pw


@batched(4)
@in_float32
def avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    """The mean of each window of an image, each channel for itself.

    x (N, C, H, W) or (C, H, W) gives (N, C, OH, OW), where OH = (H + 2 * padding - KH) // stride + 1; ceil_mode rounds
    up instead. Settings are numbers or pairs for rows and columns; the stride is the kernel's size unless given. The
    border counts as zeros, or with count_include_pad=False not at all. divisor_override is what sums are divided by
    instead. A padding of more than half a kernel is a RuntimeError.

    >>> x = tl.arange(16.0).reshape(1, 1, 4, 4)
    >>> F.avg_pool2d(x, kernel_size=2)
    tensor([[[[ 2.5,  4.5],
              [10.5, 12.5]]]])
    """
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
    counts = windows_of(inside, pair(kernel_size), pair(stride_of(stride, kernel_size)), (1, 1)).sum((2, 3))
    return _divided(out, counts, x.dtype)


def _divided(total, count, dtype):
    """A mean; of whole numbers cut off to one."""
    return total / count if dtype.kind == "f" else div(total, count, rounding_mode="trunc")


def _flat_pool(pool, x, kernel_size, stride, padding, **settings):
    kernel = one(kernel_size)
    out = pool(unsqueeze(x, 2), (1, kernel), (1, one(stride_of(stride, kernel))), (0, one(padding)), **settings)
    return tuple(squeeze(part, 2) for part in out) if isinstance(out, tuple) else squeeze(out, 2)


@batched(3)
def max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The largest element of each window of a signal: `max_pool2d` along one dimension.

    x (N, C, L) or (C, L) gives (N, C, OL), where OL = (L + 2 * padding - dilation * (K - 1) - 1) // stride + 1.

    >>> x = tl.tensor([[[1.0, 5.0, 2.0, 3.0]]])
    >>> F.max_pool1d(x, kernel_size=2)
    tensor([[[5., 3.]]])
    """
    return _flat_pool(max_pool2d, x, kernel_size, stride, padding, dilation=(1, one(dilation)), ceil_mode=ceil_mode,
                      return_indices=return_indices)


@batched(3)
def avg_pool1d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean of each window of a signal: `avg_pool2d` along one dimension.

    x (N, C, L) or (C, L) gives (N, C, OL), where OL = (L + 2 * padding - K) // stride + 1.

    >>> x = tl.tensor([[[1.0, 5.0, 2.0, 3.0]]])
    >>> F.avg_pool1d(x, kernel_size=2)
    tensor([[[3. , 2.5]]])
    """
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
    """The means of as many windows of an image as output_size asks for, whatever the image's size.

    x (N, C, H, W) or (C, H, W) gives (…, OH, OW) for an output_size (OH, OW), or one number for both; None keeps a
    size. Window i of n goes from floor(i * H / n) to ceil((i + 1) * H / n). Less than 3 dimensions are a ValueError.

    >>> x = tl.arange(12.0).reshape(1, 3, 4)
    >>> F.adaptive_avg_pool2d(x, output_size=(1, 2))
    tensor([[[4.5, 6.5]]])
    """
    if x.ndim < 3:
        raise ValueError(f"adaptive_avg_pool2d: needs an input of 3 or 4 dimensions, not of shape {x.shape}")
    oh, ow = (n if o is None else o for n, o in zip(x.shape[-2:], pair(output_size)))
    return matmul(matmul(averages(x.shape[-2], oh, x.dtype), x), averages(x.shape[-1], ow, x.dtype).T)


def adaptive_avg_pool1d(x, output_size):
    """The means of as many windows of a signal as output_size asks for: x (N, C, L) or (C, L) gives (…, output_size).

    Another number of dimensions is a ValueError.

    >>> x = tl.tensor([[1.0, 2.0, 3.0, 4.0]])
    >>> F.adaptive_avg_pool1d(x, output_size=2)
    tensor([[1.5, 3.5]])
    """
    if x.ndim not in (2, 3):
        raise ValueError(f"adaptive_avg_pool1d: needs an input of 2 or 3 dimensions, not of shape {x.shape}")
    return squeeze(adaptive_avg_pool2d(unsqueeze(x, -2), (1, one(output_size))), -2)


def _stretches(n, out):
    """Which of n elements each of `out` stretches has, (out, the longest): of a shorter one the last is repeated."""
    i = np.arange(out)
    starts, ends = i * n // out, -(-(i + 1) * n // out)
    return np.minimum(starts[:, None] + np.arange((ends - starts).max(initial=0)), ends[:, None] - 1)


def adaptive_max_pool2d(x, output_size, return_indices=False):
    """The largest elements of as many windows of an image as output_size asks for, whatever the image's size.

    x (N, C, H, W) or (C, H, W) gives (…, OH, OW) for an output_size (OH, OW), or one number for both; None keeps a
    size. return_indices: the result is a pair: these, and the place of each in its flat image. An image without
    elements, or another number of dimensions, is a RuntimeError.

    >>> x = tl.arange(12.0).reshape(1, 3, 4)
    >>> F.adaptive_max_pool2d(x, output_size=(1, 2))
    tensor([[[ 9., 11.]]])
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
    """The largest elements of as many windows of a signal as output_size asks for.

    x (N, C, L) or (C, L) gives (…, output_size). return_indices: the result is a pair: these, and the place of each in
    its signal. Another number of dimensions is a RuntimeError.

    >>> x = tl.tensor([[1.0, 5.0, 2.0, 3.0]])
    >>> F.adaptive_max_pool1d(x, output_size=2)
    tensor([[5., 3.]])
    """
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
    """The norm of each window of an image, (sum of x ** norm_type) ** (1 / norm_type).

    x (N, C, H, W) or (C, H, W) gives (N, C, OH, OW) as `avg_pool2d` does; the stride is the kernel's size unless given.
    norm_type=1 sums, and the larger it is, the nearer to the maximum. Elements are not made positive first.

    >>> x = tl.tensor([[[[3.0, 4.0, 0.0, 1.0]]]])
    >>> F.lp_pool2d(x, norm_type=2, kernel_size=(1, 2))
    tensor([[[[5., 1.]]]])
    """
    return _norm_pool(avg_pool2d, x, norm_type, math.prod(pair(kernel_size)), kernel_size, stride, 0, ceil_mode)


@in_float32
def lp_pool1d(x, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The norm of each window of a signal, (sum of x ** norm_type) ** (1 / norm_type): `lp_pool2d` along one dimension.

    x (N, C, L) or (C, L) gives (N, C, OL) as `avg_pool1d` does; the stride is the kernel's size unless given.

    >>> x = tl.tensor([[[3.0, 4.0, 0.0, 1.0]]])
    >>> F.lp_pool1d(x, norm_type=2, kernel_size=2)
    tensor([[[5., 1.]]])
    """
    return _norm_pool(avg_pool1d, x, norm_type, one(kernel_size), kernel_size, stride, 0, ceil_mode)


@batched(4)
def max_unpool2d(x, indices, kernel_size, stride=None, padding=0, output_size=None):
    """An image in which the results of `max_pool2d` are back where they were, with 0 elsewhere.

    x and indices (N, C, H, W), or both without N, as return_indices gives them; kernel_size, stride and padding are
    those of the pooling. output_size is that of the image, where images of several sizes give the same when pooled:
    within a stride of (H - 1) * stride - 2 * padding + KH, else a ValueError. An index outside is a RuntimeError.

    >>> pooled, indices = F.max_pool2d(tl.arange(16.0).reshape(1, 4, 4), 2, return_indices=True)
    >>> F.max_unpool2d(pooled, indices, kernel_size=2)
    tensor([[[ 0.,  0.,  0.,  0.],
             [ 0.,  5.,  0.,  7.],
             [ 0.,  0.,  0.,  0.],
             [ 0., 13.,  0., 15.]]])
    """
    kernel, padding = pair(kernel_size), pair(padding)
    stride = pair(stride_of(stride, kernel))
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
    """A signal in which the results of `max_pool1d` are back where they were, with 0 elsewhere.

    x and indices (N, C, L), or both without N, as return_indices gives them; the settings are those of the pooling, and
    output_size as in `max_unpool2d`.

    >>> pooled, indices = F.max_pool1d(tl.tensor([[1.0, 5.0, 2.0, 3.0]]), 2, return_indices=True)
    >>> F.max_unpool1d(pooled, indices, kernel_size=2)
    tensor([[0., 5., 0., 3.]])
    """
    size = None if output_size is None else (1, output_size[-1])
    return _flat_pool(lambda flat, *settings: max_unpool2d(flat, indices, *settings, size), x, kernel_size, stride,
                      padding)
