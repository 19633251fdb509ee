"""Reductions over one dimension, several, or all."""

import functools
import math

import numpy as np

from ..engine.dtypes import default_float, promote_float
from ..engine.halves import in_float32
from ..engine.mode import mode, opaque
from ..engine.reductions import add_up, has_short_rows
from ..engine.return_types import named_results
from ..engine.tape import broadcast_to, by_hand, cast, primitive
from ..engine.values import unbox
from .arguments import WIDER, axis_of, count_of, dim_of, dims_of, lost_dims, plain
from .elementwise import abs, exp, log, maximum, minimum, sign, sqrt, where
from .index import _gathered
from .shape import clone, reshape, squeeze, unsqueeze

# ---------------------------------------------------------------- sums


def _sum(x, dim=None, keepdim=False):
    """The sum of all elements, or along one dimension or several, as in dim=0 and dim=(0, 2).

    keepdim=True keeps each dimension that is summed, with size 1. Whole numbers and bools are summed as int64, float16
    in float32.

    >>> x = tl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tl.sum(x)
    tensor(10.)
    >>> tl.sum(x, dim=0)  # dimension 0 is the one that goes: the rows are added up
    tensor([4., 6.])
    >>> tl.sum(x > 1.5)  # how many are
    tensor(3)
    """
    if x.dtype.kind == "f":
        return add_up(x, axis_of(x, dim), keepdim)
    return np.add.reduce(x, axis_of(x, dim), WIDER.get(x.dtype.kind), None, keepdim)


def _mean(x, dim=None, keepdim=False):
    """The mean of all elements, or along one dimension or several; NaN where there are none.

    x holds floating-point numbers: a mean of whole numbers is a TypeError, convert them with .float() first.

    >>> x = tl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tl.mean(x)
    tensor(2.5)
    >>> tl.mean(x, dim=1, keepdim=True)  # of each row, ready to be subtracted from x
    tensor([[1.5],
            [3.5]])
    """
    if x.dtype.kind != "f":
        raise TypeError(f"the mean of {x.dtype} has no dtype: convert with .float() first")
    count = count_of(x, dim)
    if not count:  # numpy would warn
        return np.full_like(_sum(x, dim, keepdim), np.nan)
    if x.dtype == np.float16:
        return (np.add.reduce(x, axis_of(x, dim), np.float32, keepdims=keepdim) / count).astype(np.float16)
    return _sum(x, dim, keepdim) / x.dtype.type(count)


sum = primitive(_sum, lambda g, out, x, dim, keepdim:
                broadcast_to(unsqueeze(g, lost_dims(x, dim, keepdim)), x.shape))
mean = primitive(_mean, lambda g, out, x, dim, keepdim:
                 broadcast_to(unsqueeze(g / count_of(x, dim), lost_dims(x, dim, keepdim)), x.shape))


@by_hand(lambda g, out, x, dim, correction, keepdim, centered, freedom:
         centered * (unsqueeze(g, lost_dims(x, dim, keepdim)) * 2 / freedom))
def _var(x, dim, correction, keepdim):
    centered = x - mean(x, dim, True)  # first the mean, then the squares: no cancellation
    freedom = np.maximum(x.dtype.type(count_of(x, dim) - correction), 0)
    return sum(centered * centered, dim, keepdim) / freedom, centered, freedom


def _std_rule(g, out, x, dim, correction, keepdim, centered, freedom):
    lost = lost_dims(x, dim, keepdim)
    g, out = unsqueeze(g, lost), unsqueeze(out, lost)
    return where(out == 0, 0.0, centered / where(out == 0, 1.0, out) * (g / freedom))


@by_hand(_std_rule)
def _std(x, dim, correction, keepdim):
    centered = x - mean(x, dim, True)
    freedom = np.maximum(x.dtype.type(count_of(x, dim) - correction), 0)
    return vector_norm(centered, 2, dim, keepdim) / sqrt(freedom), centered, freedom


def _divisor(dim, unbiased, correction):
    """dim, and how much less than the count the divisor is; a truth in the place of dim is about that."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return dim, int(unbiased) if correction is None else correction


def var(x, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """The variance sum((x - mean)^2) / (n - 1) of all n elements, or along one dimension or several.

    unbiased=False divides by n, as numpy does, and correction=c by n - c. One element, divided by n - 1 = 0, gives NaN.

    >>> x = tl.tensor([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])
    >>> tl.var(x)  # 32 / 7
    tensor(4.5714)
    >>> tl.var(x, unbiased=False)  # 32 / 8
    tensor(4.)
    """
    return _var(x, *_divisor(dim, unbiased, correction), keepdim)


def std(x, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """The standard deviation: the square root of `var`, with the same settings. Where it is 0, its gradient is 0.

    >>> x = tl.tensor([[2.0, 4.0], [5.0, 5.0]])
    >>> tl.std(x, dim=1, unbiased=False)
    tensor([1., 0.])
    >>> tl.std(x, dim=1)  # divided by n - 1
    tensor([1.4142, 0.    ])
    """
    return _std(x, *_divisor(dim, unbiased, correction), keepdim)


def var_mean(x, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """The pair (variance, mean), with the settings of `var`.

    >>> x = tl.tensor([[1.0, 3.0], [2.0, 6.0]])
    >>> tl.var_mean(x, dim=1, unbiased=False)
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    dim, correction = _divisor(dim, unbiased, correction)
    return _var(x, dim, correction, keepdim), mean(x, dim, keepdim)


def std_mean(x, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """The pair (standard deviation, mean), with the settings of `var`.

    >>> x = tl.tensor([[1.0, 3.0], [2.0, 6.0]])
    >>> tl.std_mean(x, dim=1, unbiased=False)
    (tensor([1., 2.]), tensor([2., 4.]))
    """
    dim, correction = _divisor(dim, unbiased, correction)
    return _std(x, dim, correction, keepdim), mean(x, dim, keepdim)


# ---------------------------------------------------------------- extremes
def _extreme_of(ufunc, x, dim, keepdim):
    if type(x) is np.ndarray and has_short_rows(x.shape, dim):
        found = ufunc.reduce(x.T.copy(), axis=0)
        return found[:, None] if keepdim else found
    return ufunc.reduce(x, axis=axis_of(x, dim), keepdims=keepdim)


def _amax(x, dim=None, keepdim=False):
    """The largest element, of all or along one dimension or several.

    Where several are the largest, each gets an equal part of the gradient; of max(x, dim) the first gets all of it.

    >>> x = tl.tensor([3.0, 1.0, 3.0], requires_grad=True)
    >>> tl.amax(x).backward()
    >>> x.grad
    tensor([0.5, 0. , 0.5])
    """
    return _extreme_of(np.maximum, x, dim, keepdim)


def _amin(x, dim=None, keepdim=False):
    """The smallest element, of all or along one dimension or several; equal ones share its gradient, as in `amax`.

    >>> x = tl.tensor([[3.0, 1.0], [2.0, 4.0]])
    >>> tl.amin(x, dim=(0, 1))
    tensor(1.)
    >>> tl.amin(x, dim=0)
    tensor([2., 1.])
    """
    return _extreme_of(np.minimum, x, dim, keepdim)


FEW = 16  # elements along a dimension in the middle, where numpy's argmax would start anew for each of the rest


@opaque
def _argmax_of_few(x, dim, keepdim):
    """np.argmax by comparisons of all rows at once: how many come before the first that holds the largest, or NaN."""
    largest = np.maximum.reduce(x, axis=dim)
    at, not_yet = np.zeros(largest.shape, np.intp), np.ones(largest.shape, bool)
    for part in np.moveaxis(x, dim, 0)[:-1]:
        not_yet &= (part != largest) & (part == part)
        at += not_yet
    return np.expand_dims(at, dim) if keepdim else at


def _one_dim(name, dim):
    if isinstance(dim, (tuple, list)):
        raise TypeError(f"{name}: dim is one number, not {dim}; flatten the others first")


def _argmax(x, dim=None, keepdim=False):
    """The index of the largest element along `dim`, the first of equals; without dim, the index in x flattened.

    >>> x = tl.tensor([[0.1, 0.7, 0.2], [0.5, 0.1, 0.4]])  # two examples, scores of three classes
    >>> tl.argmax(x, dim=1)  # the predicted classes
    tensor([1, 0])
    >>> tl.argmax(x)
    tensor(1)
    """
    _one_dim("argmax", dim)
    if dim is not None and x.ndim > 1 and dim % x.ndim < x.ndim - 1 and 0 < x.shape[dim] <= FEW and not mode.as_text:
        return _argmax_of_few(x, dim, keepdim)
    return np.argmax(x, axis=dim, keepdims=keepdim)


def _argmin(x, dim=None, keepdim=False):
    """The index of the smallest element along `dim`, the first of equals; without dim, the index in x flattened.

    >>> x = tl.tensor([[3.0, 1.0], [2.0, 4.0]])
    >>> tl.argmin(x, dim=1)
    tensor([1, 0])
    """
    _one_dim("argmin", dim)
    return np.argmin(x, axis=dim, keepdims=keepdim)


def _share(g, out, x, dim, keepdim):
    """The gradient of an extreme value, shared evenly among the places that hold it."""
    lost = lost_dims(x, dim, keepdim)
    hit = x == unsqueeze(out, lost)
    return hit * (unsqueeze(g, lost) / sum(hit, dim, True))


amax = primitive(_amax, _share)
amin = primitive(_amin, _share)
argmax = primitive(_argmax, None)
argmin = primitive(_argmin, None)


def _one_of(x, at, dim, keepdim):
    """The pair (values, indices) of one element along dim."""
    if x.ndim == 0:
        dim_of(x, dim)
        return clone(x), reshape(at, ())
    values = _gathered(x, dim % x.ndim, unbox(at), True)
    return (values, at) if keepdim else (squeeze(values, dim), squeeze(at, dim))


def _extreme(x, dim, keepdim, all_of, place_of, of_two):
    if dim is None:
        return all_of(x)
    if not isinstance(dim, (int, np.integer)):
        return of_two(x, dim)
    return _one_of(x, place_of(x, dim_of(x, dim) if x.ndim else None, True), dim, keepdim)


@named_results("values", "indices")
def max(x, dim=None, keepdim=False, *, other=None):
    """The largest element of all; along `dim` the pair (values, indices); with a second tensor, `maximum` of both.

    The pair's parts have names, as in max(x, dim).indices. Of equal elements the index is that of the first.

    >>> x = tl.tensor([[1.0, 5.0], [4.0, 3.0]])
    >>> tl.max(x)
    tensor(5.)
    >>> values, indices = tl.max(x, dim=1)
    >>> values, indices
    (tensor([5., 4.]), tensor([1, 0]))
    >>> tl.max(x, tl.tensor(3.5))  # element by element
    tensor([[3.5, 5. ],
            [4. , 3.5]])
    """
    return _extreme(x, dim if other is None else other, keepdim, amax, argmax, maximum)


@named_results("values", "indices")
def min(x, dim=None, keepdim=False, *, other=None):
    """The smallest element of all; along `dim` the pair (values, indices); with a second tensor, `minimum` of both.

    >>> x = tl.tensor([[1.0, 5.0], [4.0, 3.0]])
    >>> tl.min(x)
    tensor(1.)
    >>> tl.min(x, dim=1).indices
    tensor([0, 1])
    """
    return _extreme(x, dim if other is None else other, keepdim, amin, argmin, minimum)


def _median(x, dim):
    """Where the middle element is."""
    order = np.argsort(x, axis=dim, kind="stable")  # NaN last
    n = x.shape[dim]
    if not n:
        raise ValueError("there is no element to choose from; name a dim that has some")
    at = np.take(order, [(n - 1) // 2], axis=dim)
    lost = np.isnan(x)
    return np.where(lost.any(axis=dim, keepdims=True), lost.argmax(axis=dim, keepdims=True), at)


def _middle(x, dim, keepdim):
    """The median of all."""
    flat = x.reshape(-1)
    return flat[_median(flat, 0)[0]]


_median_at = primitive(_median, None)
_median_of_all = primitive(_middle, _share, name="median")


@named_results("values", "indices")
def median(x, dim=None, keepdim=False):
    """The middle one of the sorted elements, the lower one where two are; along `dim` the pair (values, indices).

    Where an element is NaN, so is the median; `nanmedian` passes over NaN. Where two are in the middle, quantile(x,
    0.5) is their mean.

    >>> x = tl.tensor([7.0, 1.0, 100.0, 3.0])
    >>> tl.median(x)
    tensor(3.)
    """
    if dim is None:
        return sum(x) * math.nan if 0 in x.shape and x.dtype.kind == "f" else _median_of_all(x, None, False)
    return _one_of(x, _median_at(x, dim_of(x, dim)) if x.ndim else _median_at(reshape(x, 1), 0), dim, keepdim)


# ---------------------------------------------------------------- norms
def _root_of_powers(x, p, dim, keepdim):
    return np.sqrt(_sum(x * x, dim, keepdim)) if p == 2 else _sum(np.abs(x) ** p, dim, keepdim) ** (1 / p)


@functools.cache
def _safe_range(dtype, p):
    """Between which norms no power of an element that counts has left the range of the dtype."""
    info = np.finfo(dtype)
    low = (float(info.tiny) / float(info.eps)) ** (1 / math.fabs(p))
    return low, math.inf if p > 0 or not low else 1 / low


@opaque(plain=_root_of_powers)
def _norm(x, p, dim, keepdim):
    """The p-norm; where powers may have left the range, once more of elements of about 1."""
    out = _root_of_powers(x, p, dim, keepdim)
    low, high = _safe_range(out.dtype, p)
    least, most = (np.minimum.reduce(out, None), np.maximum.reduce(out, None)) if out.size > 1 else (out, out)
    if not x.size or low < least and most < high:
        return out
    scale = (_amax if p > 0 else _amin)(np.abs(x), dim, True)
    scale = np.where((scale > 0) & np.isfinite(scale), scale, 1)
    out = _root_of_powers(x / scale, p, dim, True) * scale
    return out if keepdim else squeeze(out, dims_of(x, dim))


def _norm_rule(g, out, x, p, dim, keepdim):
    lost = lost_dims(x, dim, keepdim)
    g, out = unsqueeze(g, lost), unsqueeze(out, lost)
    safe = where(out == 0, 1.0, out)
    if p == 2:
        return where(out == 0, 0.0, g * (x / safe))
    size = where(x == 0, 1.0, abs(x))
    return where((out == 0) | (x == 0), 0.0, g * sign(x) * (size / safe) ** (p - 1))


_p_norm = primitive(in_float32(_norm), _norm_rule, promote=lambda x, *order: [*promote_float(x), *order],
                    name="norm")


def vector_norm(x, ord=2, dim=None, keepdim=False):
    """The length of a vector, (sum |x|^ord)^(1/ord): of all elements as one, or along one dimension or several.

    ord=inf gives the largest |x|, -inf the smallest, 0 how many elements are not 0. Where the norm is 0, so is its
    gradient. An ord that is no number is a ValueError: "fro" and "nuc" are for `matrix_norm`.

    >>> x = tl.tensor([3.0, -4.0])
    >>> tl.vector_norm(x)  # sqrt(9 + 16)
    tensor(5.)
    >>> tl.vector_norm(x, ord=1)
    tensor(7.)
    """
    if not isinstance(ord, (int, float, np.integer)):
        raise ValueError(f"vector_norm: ord is a number, not {ord!r}")
    ord = plain(ord)
    if math.isinf(ord):
        return (amax if ord > 0 else amin)(abs(x), dim, keepdim)
    if ord == 0:
        return sum(where(x != 0, 1.0, x * 0.0), dim, keepdim)
    if ord == 1:
        return sum(abs(x), dim, keepdim)
    return _p_norm(x, ord, dim, keepdim)


def _logsumexp_rule(g, out, x, dim, keepdim):
    lost = lost_dims(x, dim, keepdim)
    g, out = unsqueeze(g, lost), unsqueeze(out, lost)
    finite = np.isfinite(unbox(out))  # all -inf: every gradient is 0
    return where(finite, g * exp(where(finite, x - where(finite, out, 0.0), 0.0)), 0.0)


@by_hand(_logsumexp_rule)
def logsumexp(x, dim=-1, keepdim=False):
    """log(sum(exp(x))), computed without overflow, along a dimension (the last unless given) or several.

    It is a smooth maximum, whose gradient is softmax(x). Where all elements are -inf it is -inf.

    >>> x = tl.tensor([100.0, 100.0, 100.0, 100.0])
    >>> tl.logsumexp(x)  # 100 + log(4); in float32, exp(100) is inf
    tensor(101.3863)
    """
    if x.dtype.kind != "f":
        x = cast(x, default_float())
    m = unbox(amax(x, dim, True)) if 0 not in x.shape else np.zeros((), x.dtype)
    m = np.where(np.isfinite(m), m, np.zeros_like(m))  # so that x - m is never inf - inf
    out = log(sum(exp(x - m), dim, True)) + m
    return out if keepdim else squeeze(out, dims_of(x, dim))


# ---------------------------------------------------------------- softmax
@by_hand(lambda g, p, x, dim: p * (g - sum(g * p, dim, True)))
def softmax(x, dim=-1):
    """exp(x) / sum(exp(x)) along a dimension (the last unless given): numbers above 0 that add up to 1.

    The maximum is taken off first, so that nothing overflows; where all are -inf the result is NaN.

    >>> x = tl.tensor([[1.0, 1.0, 1.0], [1000.0, 0.0, 0.0]])
    >>> tl.softmax(x, dim=-1)
    tensor([[0.3333, 0.3333, 0.3333],
            [1.    , 0.    , 0.    ]])
    """
    if 0 in x.shape:
        return clone(x)
    e = exp(x - amax(x, dim, True))  # every exponent <= 0
    return e / sum(e, dim, True)


@by_hand(lambda g, out, x, dim: g - exp(out) * sum(g, dim, True))
def log_softmax(x, dim=-1):
    """log(softmax(x)) along a dimension (the last unless given), which is x - logsumexp(x).

    Use it for log(softmax(x)), which is -inf where softmax rounds a small probability to 0.

    >>> x = tl.tensor([0.0, 200.0])
    >>> tl.log_softmax(x, dim=-1)
    tensor([-200.,    0.])
    >>> tl.log(tl.softmax(x, dim=-1))
    tensor([-inf,   0.])
    """
    if 0 in x.shape:
        return clone(x)
    z = x - amax(x, dim, True)
    return z - log(sum(exp(z), dim, True))


# ---------------------------------------------------------------- truth
def _truth(found, x):
    """Bools; of uint8 uint8, as in PyTorch."""
    return found.astype(np.uint8) if x.dtype == np.uint8 else found


def _any(x, dim=None, keepdim=False):
    """Whether any element is true, which is to say not 0: of all, or along one dimension or several.

    The result is bool; of a uint8 tensor it is uint8.

    >>> x = tl.tensor([[0.0, 2.0], [0.0, 0.0]])
    >>> tl.any(x)
    tensor(True)
    >>> tl.any(x, dim=1)
    tensor([ True, False])
    """
    return _truth(np.any(x, axis=axis_of(x, dim), keepdims=keepdim), x)


def _all(x, dim=None, keepdim=False):
    """Whether all elements are true, which is to say not 0: of all, or along one dimension or several.

    The result is bool; of a uint8 tensor it is uint8.

    >>> x = tl.tensor([[1.0, 2.0], [0.0, 3.0]])
    >>> tl.all(x)
    tensor(False)
    >>> tl.all(x < 4, dim=0)
    tensor([ True,  True])
    """
    return _truth(np.all(x, axis=axis_of(x, dim), keepdims=keepdim), x)


def _count_nonzero(x, dim=None):
    """How many elements are not 0: of all, or along one dimension or several. NaN is not 0, and counts.

    >>> x = tl.tensor([[1.0, 0.0], [2.0, 3.0]])
    >>> tl.count_nonzero(x)
    tensor(3)
    >>> tl.count_nonzero(x, dim=0)
    tensor([2, 1])
    """
    return np.count_nonzero(x, axis=axis_of(x, dim))


any = primitive(_any, None)
all = primitive(_all, None)
count_nonzero = primitive(_count_nonzero, None)
