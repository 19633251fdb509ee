"""What layers compute: linear maps, embeddings, dropout, normalization."""

import math

import numpy as np

from tinygrad_lite import random
from tinygrad_lite.engine.changes import stamp
from tinygrad_lite.engine.halves import in_float32
from tinygrad_lite.engine.mode import mode
from tinygrad_lite.engine.tape import by_hand
from tinygrad_lite.engine.values import as_array, unbox
from tinygrad_lite.ops import abs, amax, clone, flatten, getitem, mean, outer, place, reshape, sqrt, var, vector_norm
from tinygrad_lite.ops.arguments import all_inside, outside


def _linear_weight(g, out, x, weight, bias):
    if x.ndim == 2:
        return g.mT @ x
    if x.ndim == 1:
        return outer(g, x)
    return flatten(g, 0, -2).mT @ flatten(x, 0, -2)


@by_hand(lambda g, out, x, weight, bias: g @ weight, _linear_weight, lambda g, out, x, weight, bias: g)
def linear(x, weight, bias=None):
    """x @ weight.T + bias: x (…, in), weight (out, in), bias (out,) -> (…, out)."""
    return x @ weight.mT if bias is None else x @ weight.mT + bias


@by_hand(None, lambda g, out, index, weight, share: place(
    g if share is None else g * share[..., None], index, weight.shape))
def _embedding(index, weight, share):
    """share: how much of its gradient each of the rows that are read takes, all unless given."""
    return getitem(weight, index)


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """The rows of weight (V, D) that whole numbers (…) name: (…, D); row padding_idx gets no gradient.

    max_norm: rows that are named and longer are first cut to that length, in place. scale_grad_by_freq: a row's
    gradient is divided by how often it is named. sparse changes nothing: gradients are dense.
    """
    index = as_array(input)
    if weight.ndim != 2:
        raise RuntimeError(f"embedding: the weight has 2 dimensions, not shape {weight.shape}")
    rows = weight.shape[0]
    if index.dtype.kind not in "iu":
        raise TypeError(f"embedding: the input holds whole numbers, not {index.dtype}")
    if not all_inside(index, rows):
        wrong = outside(index, rows)
        raise IndexError(f"embedding: index {index[wrong][0]} is out of bounds for {rows} rows")
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise IndexError(f"embedding: padding_idx {padding_idx} is out of bounds for {rows} rows")
    if max_norm is not None:
        _cut(unbox(weight), np.unique(index), max_norm, norm_type)
    share = None if padding_idx is None else index != padding_idx % rows
    if scale_grad_by_freq:
        counts = np.bincount(index.reshape(-1), minlength=rows)[index]
        share = (1 / counts if share is None else share / counts).astype(weight.dtype)
    return _embedding(index, weight, share)


def _cut(weight, rows, longest, p):
    """Make rows of an array no longer than that, in place."""
    lengths = vector_norm(weight[rows], p, -1, True)
    weight[rows] *= np.minimum(1, longest / (lengths + 1e-7)).astype(weight.dtype)
    stamp(weight)


def check_probability(name, p):
    """ValueError unless 0 <= p <= 1."""
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: the probability is in [0, 1], not {p}")


def dropout_factor(shape, p, dtype):
    """What dropout multiplies by: 0 with probability p, else 1 / (1 - p)."""
    kept = random.rng().random(shape) >= p
    return (kept / (1 - p) if p < 1 else kept).astype(dtype)


def dropout(x, p=0.5, training=True):
    """Each element 0 with probability p, else divided by 1 - p; the input itself unless training."""
    check_probability("dropout", p)
    return x * dropout_factor(x.shape, p, x.dtype) if training and p else x


# ---------------------------------------------------------------- normalization
def _normalized_rule(g, out, x, weight, bias, dims, eps, centre, xhat, rstd):
    dxhat = g if weight is None else g * weight
    along = mean(dxhat * xhat, dims, True)
    return rstd * (dxhat - xhat * along - (mean(dxhat, dims, True) if centre else 0.0))


def _normalized(x, weight, bias, dims=(-1,), eps=1e-5, centre=True):
    """(x - mean) / sqrt(variance + eps) over dims, times weight, plus bias; without `centre` no mean is taken off."""
    xc = x
    if centre:
        xc = x - mean(x, dims, True)
    rstd = 1 / sqrt(mean(xc * xc, dims, True) + eps)
    xhat = xc * rstd
    if 0 not in x.shape and not mode.as_text and not np.minimum.reduce(unbox(rstd), None) > 0:
        xhat, rstd = _normalized_in_range(xc, dims, eps)
    out = clone(xhat) if weight is None else xhat * weight  # what is kept must outlast a change of the result
    return out if bias is None else out + bias, xhat, rstd


def _normalized_in_range(xc, dims, eps):
    """xhat and rstd where squares leave the range: of what is divided by the largest."""
    scale = np.maximum(unbox(amax(abs(xc), dims, True)), 1)
    small = xc / scale
    rstd = 1 / sqrt(mean(small * small, dims, True) + eps / scale / scale)
    return small * rstd, rstd / scale


_layer_norm, _rms_norm, _group_norm, _batch_norm = (
    by_hand(_normalized_rule,
            lambda g, out, x, weight, bias, dims, eps, centre, xhat, rstd: g * xhat,
            lambda g, out, x, weight, bias, dims, eps, centre, xhat, rstd: g, name=name)(_normalized)
    for name in ("layer_norm", "rms_norm", "group_norm", "batch_norm"))


def _last_dims(name, x, normalized_shape):
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or x.shape[-len(shape):] != shape:
        raise RuntimeError(f"{name}: an input of shape {x.shape} does not end in the normalized_shape {shape}")
    return tuple(range(-len(shape), 0))


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Mean 0 and variance 1 over the last dimensions, then weight and bias (Ba et al., 2016)."""
    return _layer_norm(x, weight, bias, _last_dims("layer_norm", x, normalized_shape), eps, True)


@in_float32
def rms_norm(x, normalized_shape, weight=None, eps=None):
    """Root mean square 1 over the last dimensions, then weight (Zhang and Sennrich, 2019)."""
    dims = _last_dims("rms_norm", x, normalized_shape)
    return _rms_norm(x, weight, None, dims, float(np.finfo(x.dtype).eps) if eps is None else eps, False)


def _channels(v, ndim, at=1):
    """(C,) -> (C, 1, …), to broadcast against (N, C, …)."""
    return None if v is None else reshape(v, -1, *(1,) * (ndim - at - 1))


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Mean 0 and variance 1 over each group of channels of x (N, C, …) (Wu and He, 2018)."""
    channels = x.shape[1]
    if num_groups < 1 or channels % num_groups:
        raise RuntimeError(f"group_norm: {channels} channels do not fall into {num_groups} groups")
    grouped = reshape(x, x.shape[0], num_groups, channels // num_groups, *x.shape[2:])
    weight, bias = (None if v is None else reshape(v, num_groups, channels // num_groups, *(1,) * (x.ndim - 2))
                    for v in (weight, bias))
    return reshape(_group_norm(grouped, weight, bias, tuple(range(2, grouped.ndim)), eps, True), x.shape)


def batch_norm(x, running_mean=None, running_var=None, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Mean 0 and variance 1 of each channel of x (N, C, …) over the batch (Ioffe and Szegedy, 2015).

    In training the batch's statistics are used, and moved into the running ones by `momentum` (in place);
    otherwise the running ones.
    """
    if x.ndim < 2 and x.shape != (0,):  # of nothing PyTorch makes nothing
        raise IndexError(f"batch_norm: needs an input of at least 2 dimensions (N, C, …), not of shape {x.shape}")
    if (running_mean is None) != (running_var is None) or not training and running_mean is None:
        raise RuntimeError("batch_norm: running_mean and running_var go together, and are needed unless training=True")
    for name, v in zip(("running_mean", "running_var", "weight", "bias"), (running_mean, running_var, weight, bias)):
        if v is not None and x.ndim > 1 and v.shape != x.shape[1:2]:
            raise RuntimeError(f"batch_norm: {name} of shape {v.shape} does not fit the {x.shape[1]} channels of an "
                               f"input of shape {x.shape}")
    dims = tuple(d for d in range(x.ndim) if d != 1)
    weight, bias = _channels(weight, x.ndim), _channels(bias, x.ndim)
    if not training:
        scale = 1 / np.sqrt(unbox(running_var) + x.dtype.type(eps))
        hat = (x - _channels(unbox(running_mean), x.ndim)) * _channels(scale, x.ndim)
        out = hat if weight is None else hat * weight
        return out if bias is None else out + bias
    count = math.prod(x.shape[d] for d in dims)
    if training and count == 1:
        raise ValueError(f"batch_norm: training needs more than one value a channel, not shape {x.shape}")
    if training and running_mean is not None:
        plain = unbox(x)
        for running, now in ((running_mean, mean(plain, dims)), (running_var, var(plain, dims))):
            running.array[...] += momentum * (now - running.array)
            stamp(running.array)
    return _batch_norm(x, weight, bias, dims, eps, True)
