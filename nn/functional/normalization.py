"""Normalization: mean 0 and variance 1 over some of the dimensions."""

import math

import numpy as np

from tinygrad_lite.engine.changes import stamp
from tinygrad_lite.engine.dtypes import in_one_dtype, result_type
from tinygrad_lite.engine.halves import in_float32
from tinygrad_lite.engine.mode import mode, quiet
from tinygrad_lite.engine.tape import by_hand, sum_to
from tinygrad_lite.engine.values import Value, holds, over, unbox
from tinygrad_lite.ops import abs, amax, clone, mean, pad, reshape, sqrt, var
from tinygrad_lite.ops.arguments import need_shape, plain

from .pooling import avg_pool2d

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm"]


def mean_product(a, b, dims):
    """mean(a * b, dims, True), of rows of arrays without an array of the products."""
    if dims == (-1,) and type(a) is type(b) is np.ndarray:
        return np.vecdot(a, b)[..., None] / a.shape[-1]
    return mean(a * b, dims, True)


def _normalized_rule(g, out, x, weight, bias, dims, eps, center, moments, xhat, rstd):
    dxhat = clone(g) if weight is None else g * weight
    along = mean_product(dxhat, xhat, dims)
    if center:
        dxhat = over(np.subtract, dxhat, mean(dxhat, dims, True))
    return over(np.multiply, over(np.subtract, dxhat, xhat * along), rstd)


def _channels_rule(g, out, x, weight, bias, dims, eps, center, moments, xhat, rstd):
    """Of a weight and a bias that are the same along some of dims: over those the gradients are added up first."""
    scale, n = rstd if weight is None else rstd * weight, math.prod(x.shape[d] for d in dims)
    dbias, dweight = sum_to(g, scale.shape), sum_to(g * xhat, scale.shape)

    def dx():
        along, level = (sum_to(d * scale, rstd.shape) / n for d in (dweight, dbias))
        return over(np.subtract, g * scale - xhat * along, level)

    return dx, dweight, dbias, None, None, None, None


def _normalized(x, weight, bias, dims=(-1,), eps=1e-5, center=True, moments=None):
    """(x - mean) / sqrt(variance + eps) over dims, times weight, plus bias; without `center` no mean is taken off.

    moments: the mean and the variance of an array, where they are known.
    """
    known = moments if moments is not None and not isinstance(x, Value) else None
    xc = x
    if center:
        xc = x - (known[0] if known else mean(x, dims, True))
    rstd = 1 / sqrt((known[1] if known else mean_product(xc, xc, dims)) + eps)
    if 0 not in x.shape and not mode.as_text and not holds(np.minimum.reduce(unbox(rstd), None) > 0):
        xhat, rstd = _normalized_in_range(xc, dims, eps)
    elif center:
        xhat = over(np.multiply, xc, rstd)
    else:
        xhat = xc * rstd
    out = clone(xhat) if weight is None else xhat * weight  # what is kept must outlast a change of the result
    return out if bias is None else over(np.add, out, bias), xhat, rstd


def _normalized_in_range(xc, dims, eps):
    """xhat and rstd where squares leave the range: of what is divided by the largest."""
    scale = np.maximum(unbox(amax(abs(xc), dims, True)), 1)
    small = xc / scale
    rstd = 1 / sqrt(mean(small * small, dims, True) + eps / scale / scale)
    return small * rstd, rstd / scale


_layer_norm, _rms_norm = (
    by_hand(_normalized_rule,
            lambda g, out, x, weight, bias, dims, eps, center, moments, xhat, rstd: g * xhat,
            lambda g, out, x, weight, bias, dims, eps, center, moments, xhat, rstd: g, name=name)(_normalized)
    for name in ("layer_norm", "rms_norm"))
_batch_norm, _instance_norm, _group_norm = (by_hand(joint=_channels_rule, name=name)(_normalized)
                                            for name in ("batch_norm", "instance_norm", "group_norm"))


def sizes(normalized_shape):
    """The last sizes of what is normalized, from one number or several."""
    shape = plain(normalized_shape)
    return (shape,) if isinstance(shape, int) else tuple(shape)


def _last_dims(name, x, normalized_shape, weight, bias=None):
    shape = sizes(normalized_shape)
    if not shape or x.shape[-len(shape):] != shape:
        raise RuntimeError(f"{name}: an input of shape {x.shape} does not end in the normalized_shape {shape}")
    need_shape(name, shape, weight=weight, bias=bias)
    return tuple(range(-len(shape), 0))


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """x brought to mean 0 and variance 1 over its last dimensions, then scaled and shifted (Ba et al., 2016).

    (x - mean) / sqrt(variance + eps) * weight + bias, with the variance over n, not n - 1. x (…, *normalized_shape)
    gives the same shape; weight and bias are of normalized_shape, which may be a number. Each example is treated for
    itself, alike in training and afterwards. Another shape is a RuntimeError.

    >>> x = tl.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    >>> F.layer_norm(x, (3,))
    tensor([[-1.2247,  0.    ,  1.2247],
            [-1.2247,  0.    ,  1.2247]])
    """
    return _layer_norm(x, weight, bias, _last_dims("layer_norm", x, normalized_shape, weight, bias), eps, True)


@in_float32
def rms_norm(x, normalized_shape, weight=None, eps=None):
    """x divided by its root mean square over the last dimensions, then scaled (Zhang and Sennrich, 2019).

    x / sqrt(mean(x ** 2) + eps) * weight: `layer_norm` that takes off no mean and adds no bias. x
    (…, *normalized_shape) gives the same shape; weight is of normalized_shape, which may be a number. eps is that of
    the dtype unless given. Another shape is a RuntimeError.

    >>> x = tl.tensor([[1.0, 7.0]])
    >>> F.rms_norm(x, (2,))  # the root of (1 + 49) / 2 is 5
    tensor([[0.2, 1.4]])
    """
    dims = _last_dims("rms_norm", x, normalized_shape, weight)
    return _rms_norm(x, weight, None, dims, float(np.finfo(result_type(x, 1.0)).eps) if eps is None else eps, False)


def _channels(v, ndim, at=1):
    """(C,) -> (C, 1, …), to broadcast against (N, C, …)."""
    return None if v is None else reshape(v, -1, *(1,) * (ndim - at - 1))


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Each group of channels brought to mean 0 and variance 1, then scaled and shifted (Wu and He, 2018).

    x (N, C, …) gives the same shape; weight and bias (C,) scale and shift each channel. Each example is treated for
    itself, alike in training and afterwards. Channels that do not fall into num_groups are a RuntimeError.

    >>> x = tl.tensor([[1.0, 3.0, 10.0, 30.0]])
    >>> F.group_norm(x, num_groups=2)
    tensor([[-1.,  1., -1.,  1.]])
    """
    x, weight, bias = in_one_dtype((x, weight, bias), (True, True, True))
    channels = x.shape[1]
    if num_groups < 1 or channels % num_groups:
        raise RuntimeError(f"group_norm: {channels} channels do not fall into {num_groups} groups")
    if x.shape[0] * math.prod(x.shape[1:]) == num_groups:
        raise ValueError(f"group_norm: needs more than one value a group, not shape {x.shape} in {num_groups} groups")
    need_shape("group_norm", (channels,), weight=weight, bias=bias)
    grouped = reshape(x, x.shape[0], num_groups, channels // num_groups, *x.shape[2:])
    weight, bias = (None if v is None else reshape(v, num_groups, channels // num_groups, *(1,) * (x.ndim - 2))
                    for v in (weight, bias))
    return reshape(_group_norm(grouped, weight, bias, tuple(range(2, grouped.ndim)), eps, True), x.shape)


def _moments(x, dims):
    """The mean and the variance of an array."""
    middle = mean(x, dims, True)
    centered = x - middle
    return middle, mean(centered * centered, dims, True)


def _move(running, now, momentum):
    """Bring a running statistic nearer to that of now, in place."""
    running.array[...] += momentum * (now - running.array)
    stamp(running.array)


@quiet
def batch_norm(x, running_mean=None, running_var=None, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Each channel brought to mean 0 and variance 1 over the batch, then scaled and shifted (Ioffe and Szegedy, 2015).

    x (N, C, …) gives the same shape; running_mean, running_var, weight and bias are (C,). In training the statistics
    are the batch's, and the running ones, where given, become (1 - momentum) * running + momentum * the batch's in
    place, with the variance over n - 1. Without training the running ones are used, and have to be given, else a
    RuntimeError. A single value a channel in training is a ValueError.

    >>> x = tl.tensor([[1.0, 10.0], [3.0, 30.0]])
    >>> running_mean, running_var = tl.zeros(2), tl.ones(2)
    >>> F.batch_norm(x, running_mean, running_var, training=True)
    tensor([[-1., -1.],
            [ 1.,  1.]])
    >>> running_mean  # a tenth of the way to [2, 20]
    tensor([0.2, 2. ])
    """
    if not eps > 0:
        raise ValueError(f"batch_norm: eps is above 0, not {eps}")
    if (running_mean is None) != (running_var is None) or not training and running_mean is None:
        raise RuntimeError("batch_norm: running_mean and running_var go together, and are needed unless training=True")
    if x.ndim > 1:
        need_shape("batch_norm", x.shape[1:2], running_mean=running_mean, running_var=running_var, weight=weight,
                   bias=bias)
    x, weight, bias = in_one_dtype((x, weight, bias), (True, True, True))
    dims = tuple(d for d in range(x.ndim) if d != 1)
    weight, bias = _channels(weight, x.ndim), _channels(bias, x.ndim)
    if not training:
        scale = 1 / np.sqrt(unbox(running_var) + result_type(x, running_var).type(eps))
        hat = (x - _channels(unbox(running_mean), x.ndim)) * _channels(scale, x.ndim)
        out = hat if weight is None else hat * weight
        return out if bias is None else out + bias
    count, moments = math.prod(x.shape[d] for d in dims), None
    if training and count == 1:
        raise ValueError(f"batch_norm: training needs more than one value a channel, not shape {x.shape}")
    if training and running_mean is not None and count:
        moments = _moments(unbox(x), dims)
        _move(running_mean, reshape(moments[0], -1), momentum)
        _move(running_var, reshape(moments[1], -1) * (count / (count - 1)), momentum)
    return _batch_norm(x, weight, bias, dims, eps, True, moments)


@quiet
def instance_norm(x, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1,
                  eps=1e-5):
    """Each channel of each example brought to mean 0 and variance 1, then scaled and shifted (Ulyanov et al., 2016).

    x (N, C, …) gives the same shape; running_mean, running_var, weight and bias are (C,). With use_input_stats the
    statistics are the input's own, and the running ones, where given, move towards their means over the batch as in
    `batch_norm`; otherwise the running ones are used. A single value a channel is a ValueError.

    >>> x = tl.tensor([[[1.0, 3.0], [10.0, 30.0]]])
    >>> F.instance_norm(x)
    tensor([[[-1.,  1.],
             [-1.,  1.]]])
    """
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    dims = tuple(range(2, x.ndim))
    if math.prod(x.shape[2:]) <= 1:
        raise ValueError(f"instance_norm: needs more than one value a channel, not shape {x.shape}")
    need_shape("instance_norm", x.shape[1:2], running_mean=running_mean, running_var=running_var, weight=weight,
               bias=bias)
    x, weight, bias = in_one_dtype((x, weight, bias), (True, True, True))
    if running_mean is not None:
        _move(running_mean, mean(unbox(x), (0, *dims)), momentum)
        _move(running_var, mean(var(unbox(x), dims), 0), momentum)
    return _instance_norm(x, _channels(weight, x.ndim), _channels(bias, x.ndim), dims, eps, True)


@in_float32
def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    """x divided by a power of the squares in neighboring channels: a strong channel quiets those beside it.

    x / (k + alpha * m) ** beta for x (N, C, …), where m is the mean of the squares over `size` channels around each;
    beyond the first and the last they count as 0 (Krizhevsky et al., 2012). Less than 3 dimensions are a ValueError.

    >>> x = tl.ones(1, 3, 1)
    >>> F.local_response_norm(x, size=2, alpha=1.0, beta=1.0).flatten()  # 1 / 1.5, 1 / 2, 1 / 2
    tensor([0.6667, 0.5   , 0.5   ])
    """
    if x.ndim < 3:
        raise ValueError(f"local_response_norm: needs an input of at least 3 dimensions, not of shape {x.shape}")
    if 0 in x.shape:
        return x
    squares = reshape(x * x, x.shape[0], 1, x.shape[1], -1)  # (N, 1, C, the rest)
    squares = pad(squares, (0, 0, size // 2, (size - 1) // 2))
    means = reshape(avg_pool2d(squares, (size, 1), 1), x.shape)
    return x / (k + alpha * means) ** beta
