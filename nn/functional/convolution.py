"""Convolutions: windows of an image as the columns of one matrix."""

import functools
import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinygrad_lite.engine.halves import in_float32
from tinygrad_lite.engine.mode import mode, opaque
from tinygrad_lite.engine.tape import by_hand, primitive
from tinygrad_lite.engine.values import over
from tinygrad_lite.ops import contiguous, flatten, matmul, pad, permute, reshape, squeeze, sum, unsqueeze
from tinygrad_lite.ops.arguments import need_shape, plain

__all__ = ["conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "fold", "unfold"]


def pair(value):
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    values = plain(values)  # arithmetic with numpy's unsigned numbers would wrap around
    return values * 2 if len(values) == 1 else values


def out_size(size, kernel, stride, dilation):
    return (size - dilation * (kernel - 1) - 1) // stride + 1


def windows_of(x, kernel, stride, dilation):
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    views = sliding_window_view(x, (dh * (kh - 1) + 1, dw * (kw - 1) + 1), (2, 3))
    return views[:, :, ::sh, ::sw, ::dh, ::dw].transpose(0, 1, 4, 5, 2, 3)  # (N, C, KH, KW, OH, OW)


def _columns(x, kernel, stride, dilation):
    windows = windows_of(x, kernel, stride, dilation)
    n, c, kh, kw, oh, ow = windows.shape
    return windows.reshape(n, c * kh * kw, oh * ow)


def _added_images(columns, shape, kernel, stride, dilation):
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    n, c, h, w = shape
    oh, ow = out_size(h, kh, sh, dh), out_size(w, kw, sw, dw)
    parts = columns.reshape(n, c, kh, kw, oh, ow)
    out = np.zeros_like(columns, shape=shape)
    for i in range(kh):
        for j in range(kw):
            out[:, :, i * dh : i * dh + oh * sh : sh, j * dw : j * dw + ow * sw : sw] += parts[:, :, i, j]
    return out


_images = opaque(_added_images, plain=_added_images)


# every window of x (N, C, H, W) as a column, (N, C * KH * KW, OH * OW), and its adjoint: added where they came from
columns = primitive(_columns, lambda g, out, x, kernel, stride, dilation: images(g, x.shape, kernel, stride, dilation),
                    name="unfold")
images = primitive(_images, lambda g, out, x, shape, kernel, stride, dilation: columns(g, kernel, stride, dilation),
                   name="fold")


def grouped(x, groups):
    """(…, C, P) -> (…, G, C / G, P); of one group as it is."""
    return x if groups == 1 else reshape(x, *x.shape[:-2], groups, x.shape[-2] // groups, x.shape[-1])


def together(x):
    """(N, C, P) -> (1, C, N * P)"""
    return reshape(permute(x, 1, 0, 2), 1, x.shape[1], x.shape[0] * x.shape[2])


def apart(x, n):
    """(…, C, N * P) -> (N, C, P)"""
    return permute(reshape(x, math.prod(x.shape[:-1]), n, x.shape[-1] // n), 1, 0, 2)


SHORT = 16  # places in a row of an image


def are_few(n, count):
    """Whether n images have so few places each that one product for all is faster than one an image."""
    return 1 < n and 0 < count < 32 and not mode.as_text


def check_positive(name, **settings):
    """RuntimeError unless all the numbers of the settings are above 0."""
    for setting, values in settings.items():
        if min(values) < 1:
            raise RuntimeError(f"{name}: {setting} is above 0, not {values if len(values) > 1 else values[0]}")


def padded(name, x, kernel, padding, dilation, value=0.0, extra=(0, 0)):
    """x with its border; a kernel that does not fit is refused."""
    (ph, pw), (eh, ew) = padding, extra
    if min(padding) < 0:
        raise RuntimeError(f"{name}: a padding of {padding} is less than 0")
    if any(padding) or any(extra):
        x = pad(x, (pw, pw + ew, ph, ph + eh), value=value)
    if any(d * (k - 1) + 1 > n for d, k, n in zip(dilation, kernel, x.shape[2:])):
        raise RuntimeError(f"{name}: a kernel of {kernel} with dilation {dilation} is larger than the padded input "
                           f"{x.shape[2:]}")
    return x


def batched(ndim):
    """Let a function of a batch (N, C, …) of so many dimensions take one of its elements (C, …) too."""
    def decorate(function):
        @functools.wraps(function)
        def call(x, *args, **kwargs):
            if x.ndim == ndim:
                return function(x, *args, **kwargs)
            if x.ndim != ndim - 1:
                sizes = "(N, C, H, W)" if ndim == 4 else "(N, C, L)"
                raise RuntimeError(f"{function.__name__}: needs an input of {ndim} dimensions {sizes}, or without N, "
                                   f"not of shape {x.shape}")
            out = function(unsqueeze(x, 0), *args, **kwargs)
            return tuple(squeeze(part, 0) for part in out) if isinstance(out, tuple) else squeeze(out, 0)

        return call

    return decorate


def _checked_channels(name, x, weight, bias, groups):
    if x.dtype != weight.dtype or bias is not None and bias.dtype != x.dtype:
        dtypes = [str(v.dtype) for v in (x, weight, bias) if v is not None]
        raise RuntimeError(f"{name}: input, weight and bias must have one dtype, not {', '.join(dtypes)}")
    if weight.ndim != 4 or weight.shape[0] % groups:
        raise RuntimeError(f"{name}: a weight of shape {weight.shape} does not fit {groups} groups")
    need_shape(name, (weight.shape[1] * groups if name == "conv_transpose2d" else weight.shape[0],), bias=bias)
    if name == "conv_transpose2d" and x.shape[1] != weight.shape[0] or \
            name == "conv2d" and x.shape[1] != weight.shape[1] * groups:
        raise RuntimeError(f"{name}: an input of shape {x.shape} does not have the channels of a weight of shape "
                           f"{weight.shape} with {groups} groups")


def _convolution_rule(g, out, x, weight, bias, stride, dilation, groups, windows):
    n, few, pixels = len(x), len(windows) != len(x), flatten(g, 2)
    pixels = grouped(together(pixels) if few else pixels, groups)  # (N, G, O / G, OH * OW)

    def dx():
        rows = grouped(reshape(weight, weight.shape[0], -1), groups)
        places = x.shape[1] * math.prod(weight.shape[2:])
        if 1 < n and stride[1] == 1 and g.shape[3] <= SHORT and not mode.as_text:  # the batch last: long rows to add
            _, c, h, w = x.shape
            last = grouped(reshape(permute(flatten(g, 2), 1, 2, 0), 1, g.shape[1], -1), groups)
            dwindows = reshape(matmul(rows.mT, last), 1, places, -1)
            found = images(dwindows, (1, c, h, w * n), weight.shape[2:], stride, (dilation[0], dilation[1] * n))
            return contiguous(permute(reshape(found, c, h, w, n), 3, 0, 1, 2))
        dwindows = matmul(rows.mT, pixels)
        dwindows = apart(dwindows, n) if few else reshape(dwindows, n, places, pixels.shape[-1])
        return images(dwindows, x.shape, weight.shape[2:], stride, dilation)

    dweight = sum(matmul(windows, pixels.mT), 0).mT  # the larger factor first: it takes half the time
    return dx, reshape(dweight, weight.shape), None if bias is None else sum(g, (0, 2, 3)), None, None, None


@by_hand(joint=_convolution_rule, name="conv2d")
def _convolution(x, weight, bias, stride, dilation, groups):
    """A product of matrices an image: its result is in order in memory."""
    n, o, kernel = x.shape[0], weight.shape[0], weight.shape[2:]
    oh, ow = (out_size(*a) for a in zip(x.shape[2:], kernel, stride, dilation))
    windows, few = columns(x, kernel, stride, dilation), are_few(n, oh * ow)
    windows = grouped(together(windows) if few else windows, groups)  # (N, G, C / G * KH * KW, OH * OW)
    out = matmul(grouped(reshape(weight, o, -1), groups), windows)
    out = reshape(apart(out, n) if few else out, n, o, oh, ow)
    return out if bias is None else over(np.add, out, reshape(bias, -1, 1, 1)), windows


@batched(4)
@in_float32
def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The weighted sums of all windows of an image, one for each kernel: what deep learning calls a convolution.

    x (N, C, H, W) or (C, H, W), weight (O, C / groups, KH, KW) and bias (O,) give (N, O, OH, OW): for a stride of 1
    out[n, o, i, j] is bias[o] + the sum over c, k, l of weight[o, c, k, l] * x[n, c, i + k, j + l]. The kernel is not
    flipped, so strictly this is a cross-correlation. OH = (H + 2 * padding - dilation * (KH - 1) - 1) // stride + 1.
    Settings are numbers or pairs for rows and columns. padding: so many zeros on every side, or "valid" for none, or
    "same" for OH = H (with a stride of 1, else ValueError). dilation: how far the elements of a window are apart.
    groups: so many convolutions side by side, each of its share of the channels. RuntimeError: channels or dtypes that
    do not fit, or a kernel larger than the padded image. The windows become columns of a matrix
    (Chellapilla et al., 2006).

    >>> x = tl.arange(9.0).reshape(1, 1, 3, 3)
    >>> F.conv2d(x, tl.ones(1, 1, 2, 2))
    tensor([[[[ 8., 12.],
              [20., 24.]]]])
    """
    kernel, stride, dilation = weight.shape[2:], pair(stride), pair(dilation)
    check_positive("conv2d", kernel_size=kernel, stride=stride, dilation=dilation, groups=(groups,))
    if padding == "same":
        if stride != (1, 1):
            raise ValueError("conv2d: padding='same' needs a stride of 1")
        total = [d * (k - 1) for d, k in zip(dilation, kernel)]
        (th, tw), padding = total, 0
        x = pad(x, (tw // 2, tw - tw // 2, th // 2, th - th // 2))
    elif isinstance(padding, str) and padding != "valid":
        raise ValueError(f"conv2d: padding is a number, 'same' or 'valid', not {padding!r}")
    x = padded("conv2d", x, kernel, pair(0 if padding == "valid" else padding), dilation)
    _checked_channels("conv2d", x, weight, bias, groups)
    return _convolution(x, weight, bias, stride, dilation, groups)


@batched(4)
@in_float32
def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The adjoint of `conv2d`: each pixel lays down the kernel times itself in a larger image, and overlaps are added.

    x (N, C, H, W) or (C, H, W), weight (C, O / groups, KH, KW) and bias (O,) give (N, O, OH, OW), where
    OH = (H - 1) * stride - 2 * padding + dilation * (KH - 1) + output_padding + 1 (Dumoulin and Visin, 2016). It takes
    a gradient through `conv2d` of these settings, and is not its inverse. padding cuts off the border; output_padding,
    smaller than stride or dilation, adds at the end. RuntimeError: channels or dtypes that do not fit.

    >>> x = tl.tensor([[[[1.0, 2.0]]]])
    >>> F.conv_transpose2d(x, tl.ones(1, 1, 2, 3), stride=2)
    tensor([[[[1., 1., 3., 2., 2.],
              [1., 1., 3., 2., 2.]]]])
    """
    kernel, stride, dilation = weight.shape[2:], pair(stride), pair(dilation)
    check_positive("conv_transpose2d", kernel_size=kernel, stride=stride, dilation=dilation, groups=(groups,))
    padding, output_padding = pair(padding), pair(output_padding)
    _checked_channels("conv_transpose2d", x, weight, bias, groups)
    if any(e >= s and e >= d for e, s, d in zip(output_padding, stride, dilation)):
        raise RuntimeError(f"conv_transpose2d: output_padding must be smaller than stride or dilation, not "
                           f"{output_padding}")
    n, c, h, w = x.shape
    reach = [(size - 1) * s + d * (k - 1) + 1 for size, s, d, k in zip((h, w), stride, dilation, kernel)]
    rows = grouped(reshape(weight, c, -1), groups)  # (G, C / G, O / G * KH * KW)
    pixels, few = flatten(x, 2), are_few(n, h * w)
    windows = matmul(rows.mT, grouped(together(pixels) if few else pixels, groups))  # (N, G, O / G * KH * KW, H * W)
    windows = apart(windows, n) if few else reshape(windows, n, groups * math.prod(weight.shape[1:]), h * w)
    out = images(windows, (n, weight.shape[1] * groups, *reach), kernel, stride, dilation)
    (ph, pw), (eh, ew) = padding, output_padding
    if any((ph, pw, eh, ew)):
        out = pad(out, (-pw, ew - pw, -ph, eh - ph))
    return out if bias is None else out + reshape(bias, -1, 1, 1)


@batched(3)
def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The weighted sums of all windows of a signal: `conv2d` along one dimension.

    x (N, C, L) or (C, L), weight (O, C / groups, K) and bias (O,) give (N, O, OL), where
    OL = (L + 2 * padding - dilation * (K - 1) - 1) // stride + 1. padding may be "same" or "valid" too.

    >>> x = tl.tensor([[[1.0, 4.0, 9.0, 16.0]]])
    >>> F.conv1d(x, tl.tensor([[[-1.0, 1.0]]]))  # the kernel is not flipped
    tensor([[[3., 5., 7.]]])
    """
    if weight.ndim != 3:
        raise RuntimeError(f"conv1d: needs a weight of 3 dimensions, not of shape {weight.shape}")
    flat = padding if isinstance(padding, str) else (0, one(padding))
    return squeeze(conv2d(unsqueeze(x, 2), unsqueeze(weight, 2), bias, (1, one(stride)), flat, (1, one(dilation)),
                          groups), 2)


@batched(3)
def conv_transpose1d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The adjoint of `conv1d`: each element lays down the kernel times itself in a longer signal; overlaps are added.

    x (N, C, L) or (C, L), weight (C, O / groups, K) and bias (O,) give (N, O, OL), where
    OL = (L - 1) * stride - 2 * padding + dilation * (K - 1) + output_padding + 1.

    >>> x = tl.tensor([[[1.0, 10.0, 100.0]]])
    >>> F.conv_transpose1d(x, tl.tensor([[[1.0, 2.0]]]))
    tensor([[[  1.,  12., 120., 200.]]])
    """
    if weight.ndim != 3:
        raise RuntimeError(f"conv_transpose1d: needs a weight of 3 dimensions, not of shape {weight.shape}")
    return squeeze(conv_transpose2d(unsqueeze(x, 2), unsqueeze(weight, 2), bias, (1, one(stride)), (0, one(padding)),
                                    (0, one(output_padding)), groups, (1, one(dilation))), 2)


def one(value):
    return plain(value if isinstance(value, (int, np.integer)) else value[0])


@batched(4)
def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of an image as columns of a matrix, by which a convolution becomes a product of matrices.

    x (N, C, H, W) or (C, H, W) gives (N, C * KH * KW, OH * OW), with OH and OW as in `conv2d`; the settings are numbers
    or pairs. A kernel that is larger than the padded image is a RuntimeError.

    >>> x = tl.arange(9.0).reshape(1, 1, 3, 3)
    >>> F.unfold(x, kernel_size=2)
    tensor([[[0., 1., 3., 4.],
             [1., 2., 4., 5.],
             [3., 4., 6., 7.],
             [4., 5., 7., 8.]]])
    """
    kernel, dilation, stride = pair(kernel_size), pair(dilation), pair(stride)
    check_positive("unfold", kernel_size=kernel, dilation=dilation, stride=stride)
    x = padded("unfold", x, kernel, pair(padding), dilation)
    return columns(x, kernel, stride, dilation)


@batched(3)
@in_float32
def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """The adjoint of `unfold`: columns laid back as windows of an image, and added where these overlap.

    x (N, C * KH * KW, windows), or without N, gives (N, C, H, W), where (H, W) is output_size. Another number of
    windows than `unfold` makes of such an image with these settings is a RuntimeError.

    >>> columns = F.unfold(tl.ones(1, 1, 3, 3), kernel_size=2)
    >>> F.fold(columns, output_size=3, kernel_size=2)  # in how many windows each pixel is
    tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]])
    """
    kernel, dilation, stride, (ph, pw) = pair(kernel_size), pair(dilation), pair(stride), pair(padding)
    check_positive("fold", kernel_size=kernel, dilation=dilation, stride=stride)
    h, w = (size + 2 * p for size, p in zip(pair(output_size), (ph, pw)))
    count = math.prod(out_size(*a) for a in zip((h, w), kernel, stride, dilation))
    if x.shape[2] != count or x.shape[1] % math.prod(kernel):
        raise RuntimeError(f"fold: an input of shape {x.shape} is not {count} windows of {kernel}")
    out = images(x, (x.shape[0], x.shape[1] // math.prod(kernel), h, w), kernel, stride, dilation)
    return pad(out, (-pw, -pw, -ph, -ph)) if ph or pw else out
