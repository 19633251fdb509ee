"""Convolutions, pooling and resizing: windows of an image as the columns of one matrix."""

import builtins
import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinygrad_lite.engine.mode import opaque
from tinygrad_lite.engine.tape import primitive
from tinygrad_lite.ops import index_select, matmul, max, pad, permute, reshape, squeeze, sum, unsqueeze


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def _out(size, kernel, stride, dilation):
    return (size - dilation * (kernel - 1) - 1) // stride + 1


def _windows_of(x, kernel, stride, dilation):
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    views = sliding_window_view(x, (dh * (kh - 1) + 1, dw * (kw - 1) + 1), (2, 3))
    return views[:, :, ::sh, ::sw, ::dh, ::dw].transpose(1, 4, 5, 0, 2, 3)  # (C, KH, KW, N, OH, OW)


def _columns(x, kernel, stride, dilation):
    windows = _windows_of(x, kernel, stride, dilation)
    return windows.reshape(math.prod(windows.shape[:3]), math.prod(windows.shape[3:]))


def _added_images(columns, shape, kernel, stride, dilation):
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    n, c, h, w = shape
    oh, ow = _out(h, kh, sh, dh), _out(w, kw, sw, dw)
    parts = columns.reshape(c, kh, kw, n, oh, ow).transpose(1, 2, 3, 0, 4, 5)
    out = np.zeros_like(columns, shape=shape)
    for i in range(kh):
        for j in range(kw):
            out[:, :, i * dh : i * dh + oh * sh : sh, j * dw : j * dw + ow * sw : sw] += parts[i, j]
    return out


_images = opaque(_added_images, plain=_added_images)


# every window of x (N, C, H, W) as a column: (C * KH * KW, N * OH * OW), and its adjoint: added where they came from
columns = primitive(_columns, lambda g, out, x, kernel, stride, dilation: images(g, x.shape, kernel, stride, dilation),
                    name="unfold")
images = primitive(_images, lambda g, out, x, shape, kernel, stride, dilation: columns(g, kernel, stride, dilation),
                   name="fold")


def _padded(name, x, kernel, padding, dilation, value=0.0, extra=(0, 0)):
    """x with its border; a kernel that does not fit is refused."""
    if x.ndim != 4:
        raise RuntimeError(f"{name}: needs an input of 4 dimensions (N, C, H, W), not of shape {x.shape}")
    (ph, pw), (eh, ew) = padding, extra
    if any(padding) or any(extra):
        x = pad(x, (pw, pw + ew, ph, ph + eh), value=value)
    if any(d * (k - 1) + 1 > n for d, k, n in zip(dilation, kernel, x.shape[2:])):
        raise RuntimeError(f"{name}: a kernel of {kernel} with dilation {dilation} is larger than the padded input "
                           f"{x.shape[2:]}")
    return x


def _checked_channels(name, x, weight, groups):
    if weight.ndim != 4 or weight.shape[0] % groups:
        raise RuntimeError(f"{name}: a weight of shape {weight.shape} does not fit {groups} groups")
    if name == "conv_transpose2d" and x.shape[1] != weight.shape[0] or \
            name == "conv2d" and x.shape[1] != weight.shape[1] * groups:
        raise RuntimeError(f"{name}: an input of shape {x.shape} does not have the channels of a weight of shape "
                           f"{weight.shape} with {groups} groups")


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation: x (N, C, H, W), weight (O, C / groups, KH, KW), bias (O,) -> (N, O, OH, OW).

    padding: zeros at the border, or "same" (stride 1) or "valid".
    """
    kernel, stride, dilation = weight.shape[2:], _pair(stride), _pair(dilation)
    if padding == "same":
        if stride != (1, 1):
            raise ValueError("conv2d: padding='same' needs a stride of 1")
        total = [d * (k - 1) for d, k in zip(dilation, kernel)]
        (th, tw), padding = total, 0
        x = pad(x, (tw // 2, tw - tw // 2, th // 2, th - th // 2))
    x = _padded("conv2d", x, kernel, _pair(0 if padding == "valid" else padding), dilation)
    _checked_channels("conv2d", x, weight, groups)
    (oh, ow), o = (_out(*a) for a in zip(x.shape[2:], kernel, stride, dilation)), weight.shape[0]
    windows = columns(x, kernel, stride, dilation)  # (C * KH * KW, N * OH * OW)
    if groups == 1:
        out = matmul(reshape(weight, o, -1), windows)
    else:
        out = matmul(reshape(weight, groups, o // groups, -1), reshape(windows, groups, -1, windows.shape[1]))
    out = permute(reshape(out, o, x.shape[0], oh, ow), 1, 0, 2, 3)
    return out if bias is None else out + reshape(bias, -1, 1, 1)


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The adjoint of `conv2d`: x (N, C, H, W), weight (C, O / groups, KH, KW), bias (O,) -> (N, O, OH, OW)."""
    kernel, stride, dilation = weight.shape[2:], _pair(stride), _pair(dilation)
    padding, output_padding = _pair(padding), _pair(output_padding)
    _checked_channels("conv_transpose2d", x, weight, groups)
    if any(e >= s and e >= d for e, s, d in zip(output_padding, stride, dilation)):
        raise RuntimeError(f"conv_transpose2d: output_padding {output_padding} is smaller than stride or dilation")
    n, c, h, w = x.shape
    reach = [(size - 1) * s + d * (k - 1) + 1 for size, s, d, k in zip((h, w), stride, dilation, kernel)]
    inputs = reshape(permute(x, 1, 0, 2, 3), groups, c // groups, n * h * w)
    windows = matmul(reshape(weight, groups, c // groups, -1).mT, inputs)  # (G, O / G * KH * KW, N * H * W)
    windows = reshape(windows, -1, n * h * w)
    out = images(windows, (n, weight.shape[1] * groups, *reach), kernel, stride, dilation)
    (ph, pw), (eh, ew) = padding, output_padding
    if any((ph, pw, eh, ew)):
        out = pad(out, (-pw, ew - pw, -ph, eh - ph))
    return out if bias is None else out + reshape(bias, -1, 1, 1)


def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """`conv2d` along one dimension: x (N, C, L), weight (O, C / groups, K) -> (N, O, OL)."""
    if x.ndim != 3 or weight.ndim != 3:
        raise RuntimeError(f"conv1d: needs input and weight of 3 dimensions, not of shapes {x.shape}, {weight.shape}")
    flat = padding if isinstance(padding, str) else (0, _one(padding))
    return squeeze(conv2d(unsqueeze(x, 2), unsqueeze(weight, 2), bias, (1, _one(stride)), flat, (1, _one(dilation)),
                          groups), 2)


def _one(value):
    return value if isinstance(value, int) else value[0]


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of x (N, C, H, W) as columns: (N, C * KH * KW, OH * OW)."""
    kernel, dilation, stride = _pair(kernel_size), _pair(dilation), _pair(stride)
    x = _padded("unfold", x, kernel, _pair(padding), dilation)
    windows = columns(x, kernel, stride, dilation)
    count = math.prod(_out(*a) for a in zip(x.shape[2:], kernel, stride, dilation))
    return permute(reshape(windows, windows.shape[0], x.shape[0], count), 1, 0, 2)


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """The adjoint of `unfold`: columns added where their windows lie, (N, C, H, W)."""
    kernel, dilation, stride, (ph, pw) = _pair(kernel_size), _pair(dilation), _pair(stride), _pair(padding)
    h, w = (size + 2 * p for size, p in zip(_pair(output_size), (ph, pw)))
    count = math.prod(_out(*a) for a in zip((h, w), kernel, stride, dilation))
    if x.ndim != 3 or x.shape[2] != count or x.shape[1] % math.prod(kernel):
        raise RuntimeError(f"fold: an input of shape {x.shape} is not {count} windows of {kernel}")
    windows = reshape(permute(x, 1, 0, 2), x.shape[1], x.shape[0] * count)
    out = images(windows, (x.shape[0], x.shape[1] // math.prod(kernel), h, w), kernel, stride, dilation)
    return pad(out, (-pw, -pw, -ph, -ph)) if ph or pw else out


# ---------------------------------------------------------------- pooling
def _pooled(name, x, kernel_size, stride, padding, dilation, ceil_mode, fill):
    """The windows of x: (C, KH * KW, N, OH, OW), and the border that ceil_mode added."""
    kernel, padding, dilation = _pair(kernel_size), _pair(padding), _pair(dilation)
    stride = kernel if stride is None else _pair(stride)
    if any(2 * p > k for p, k in zip(padding, kernel)):
        raise RuntimeError(f"{name}: a padding of {padding} is more than half of the kernel {kernel}")
    extra = [0, 0]
    if ceil_mode:  # one more window where it starts inside the image or its left border
        for d, (n, k, s, p, e) in enumerate(zip(x.shape[2:], kernel, stride, padding, dilation)):
            reach = e * (k - 1) + 1
            outs = -(-(n + 2 * p - reach) // s) + 1
            outs -= (outs - 1) * s >= n + p
            extra[d] = builtins.max((outs - 1) * s + reach - n - 2 * p, 0)
    bordered = _padded(name, x, kernel, padding, dilation, fill, tuple(extra))
    n, c = x.shape[:2]
    oh, ow = (_out(*a) for a in zip(bordered.shape[2:], kernel, stride, dilation))
    return reshape(columns(bordered, kernel, stride, dilation), c, math.prod(kernel), n, oh, ow), extra


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """The largest element of each window, each channel for itself; the stride is the kernel's size unless given."""
    windows, _ = _pooled("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode, -math.inf)
    return permute(max(windows, 1)[0], 1, 0, 2, 3)


def avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean of each window; with count_include_pad=False over the elements that are not border."""
    windows, extra = _pooled("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode, 0.0)
    out = permute(sum(windows, 1), 1, 0, 2, 3)
    (ph, pw), border = _pair(padding), float(count_include_pad)
    inside = np.full((1, 1, x.shape[2] + 2 * ph, x.shape[3] + 2 * pw), border, x.dtype)
    inside[:, :, ph : ph + x.shape[2], pw : pw + x.shape[3]] = 1
    inside = np.pad(inside, [(0, 0), (0, 0), (0, extra[0]), (0, extra[1])])
    stride = kernel_size if stride is None else stride
    counts = _windows_of(inside, _pair(kernel_size), _pair(stride), (1, 1)).sum((1, 2)).transpose(1, 0, 2, 3)
    return out / counts


def _flat_pool(pool, x, kernel_size, stride, padding, **settings):
    kernel = _one(kernel_size)
    stride = kernel if stride is None else _one(stride)
    return squeeze(pool(unsqueeze(x, 2), (1, kernel), (1, stride), (0, _one(padding)), **settings), 2)


def max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """`max_pool2d` along one dimension of x (N, C, L)."""
    return _flat_pool(max_pool2d, x, kernel_size, stride, padding, dilation=(1, _one(dilation)), ceil_mode=ceil_mode)


def avg_pool1d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """`avg_pool2d` along one dimension of x (N, C, L)."""
    return _flat_pool(avg_pool2d, x, kernel_size, stride, padding, ceil_mode=ceil_mode,
                      count_include_pad=count_include_pad)


def _averages(n, out, dtype):
    """The matrix (out, n) that takes the mean of `out` stretches of n elements."""
    matrix = np.zeros((out, n), dtype)
    for i in range(out):
        start, end = i * n // out, -(-(i + 1) * n // out)
        matrix[i, start:end] = 1 / (end - start)
    return matrix


def adaptive_avg_pool2d(x, output_size):
    """Means of as many windows as output_size asks for: x (…, H, W) -> (…, OH, OW); None keeps a size."""
    oh, ow = (n if o is None else o for n, o in zip(x.shape[-2:], _pair(output_size)))
    return matmul(matmul(_averages(x.shape[-2], oh, x.dtype), x), _averages(x.shape[-1], ow, x.dtype).T)


def interpolate(x, size=None, scale_factor=None, mode="nearest"):
    """x (N, C, …) resized to `size` or by scale_factor, each element the nearest one's value."""
    if mode != "nearest":
        raise ValueError(f"interpolate: mode is 'nearest', not {mode!r}")
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: give either size or scale_factor")
    spatial = x.ndim - 2
    factors = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * spatial
    sizes = (size,) * spatial if isinstance(size, int) else size
    if sizes is None:
        sizes = [math.floor(n * f) for n, f in zip(x.shape[2:], factors)]
    for d, out in enumerate(sizes, 2):
        step = x.shape[d] / out if scale_factor is None else 1 / factors[d - 2]
        x = index_select(x, d, np.minimum((np.arange(out) * step).astype(np.int64), x.shape[d] - 1))
    return x
