"""What a sample says: order statistics, counts, covariance, and sums and means that leave NaN out."""

import math

import numpy as np

from ..engine.halves import in_float32, widened
from ..engine.return_types import named_results
from ..engine.tape import box, primitive
from ..engine.values import unbox
from .arguments import dim_of
from .elementwise import clamp, clamp_min, isnan, sqrt, where
from .index import diagonal, gather
from .order import argsort, sort
from .reduce import _one_of, _share, amax, amin, sum, vector_norm
from .shape import movedim, reshape, squeeze, unsqueeze


# ---------------------------------------------------------------- without NaN
def nansum(x, dim=None, keepdim=False):
    """The sum of the elements that are not NaN: of all, or along one dimension or several.

    >>> x = tl.tensor([[1.0, np.nan], [3.0, 4.0]])
    >>> tl.nansum(x)
    tensor(8.)
    >>> tl.nansum(x, dim=0)
    tensor([4., 4.])
    """
    return sum(where(isnan(x), 0, x), dim, keepdim)


def nanmean(x, dim=None, keepdim=False):
    """The mean of the elements that are not NaN, of all or along one dimension or several; NaN where there are none.

    A mean of whole numbers is a TypeError: convert them with .float() first.

    >>> x = tl.tensor([1.0, np.nan, 3.0])
    >>> tl.nanmean(x)
    tensor(2.)
    """
    if x.dtype.kind != "f":
        raise TypeError(f"nanmean: the mean of {x.dtype} has no dtype: convert with .float() first")
    return nansum(x, dim, keepdim) / sum(~isnan(x), dim, keepdim)


# ---------------------------------------------------------------- extremes, order
@named_results("min", "max")
def aminmax(x, *, dim=None, keepdim=False):
    """The pair (smallest, largest), of all elements or along `dim`; its parts are called min and max.

    >>> x = tl.tensor([[3.0, 1.0], [2.0, 4.0]])
    >>> low, high = tl.aminmax(x)
    >>> low, high
    (tensor(1.), tensor(4.))
    >>> tl.aminmax(x, dim=0).max
    tensor([3., 4.])
    """
    return amin(x, dim, keepdim), amax(x, dim, keepdim)


def _along(x, dim, place_of):
    """Where an element along dim is, the dimension kept; of a 0-d x as of a vector."""
    return place_of(x, dim_of(x, dim)) if x.ndim else place_of(reshape(x, 1), 0)


@named_results("values", "indices")
def kthvalue(x, k, dim=-1, keepdim=False):
    """The pair (values, indices) of the k-th smallest elements along `dim`, counted from 1.

    RuntimeError unless 1 <= k <= the size of the dimension.

    >>> x = tl.tensor([30.0, 10.0, 20.0])
    >>> tl.kthvalue(x, 2)
    kthvalue(
    values=tensor(20.),
    indices=tensor(2))
    """
    n = x.shape[dim_of(x, dim)] if x.ndim else 1
    if not 1 <= k <= n:
        raise RuntimeError(f"kthvalue: k = {k} is not in [1, {n}], the size of dimension {dim}")
    at = _along(x, dim, lambda x, d: argsort(x, d)[(slice(None),) * d + (slice(k - 1, k),)])
    return _one_of(x, at, dim, keepdim)


def _mode(x, dim):
    if not x.shape[dim]:
        raise IndexError("mode of no elements")
    order = np.argsort(x, dim, kind="stable")
    ordered = np.take_along_axis(x, order, dim)
    places = np.arange(x.shape[dim]).reshape((-1,) + (1,) * (x.ndim - 1 - dim))
    first = ordered != np.roll(ordered, 1, dim)
    length = places - np.maximum.accumulate(np.where(first, places, 0), dim)  # of the run of equals up to each
    return np.take_along_axis(order, np.argmax(length, dim, keepdims=True), dim)


_most_frequent = primitive(_mode, None, name="mode")


@named_results("values", "indices")
def mode(x, dim=-1, keepdim=False):
    """The pair (values, indices) of the most frequent value along `dim`, and of the last place where it stands.

    Of values that are equally frequent it is the smallest.

    >>> x = tl.tensor([1, 3, 2, 3, 2])
    >>> tl.mode(x)
    mode(
    values=tensor(2),
    indices=tensor(4))
    """
    return _one_of(x, _along(x, dim, _most_frequent), dim, keepdim)


def _middle_number(x, dim):
    numbers = np.sum(~np.isnan(x), dim, keepdims=True)
    return np.take_along_axis(np.argsort(x, dim, kind="stable"), np.maximum(numbers - 1, 0) // 2, dim)


def _middle_of_numbers(x, dim, keepdim):
    """The middle value of all."""
    flat = x.reshape(-1)
    return flat[_middle_number(flat, 0)[0]]


_middle_number_at = primitive(_middle_number, None, name="nanmedian")
_middle_number_of_all = primitive(_middle_of_numbers, _share, name="nanmedian")


@named_results("values", "indices")
def nanmedian(x, dim=None, keepdim=False):
    """The `median` of the elements that are not NaN, the lower one of two; along `dim` the pair (values, indices).

    >>> x = tl.tensor([np.nan, 5.0, 1.0, 2.0])
    >>> tl.nanmedian(x)
    tensor(2.)
    """
    if dim is None:
        return _middle_number_of_all(x, None, False) if 0 not in x.shape else sum(x) * math.nan
    return _one_of(x, _along(x, dim, _middle_number_at), dim, keepdim)


INTERPOLATIONS = ("linear", "lower", "higher", "nearest", "midpoint")


def _quantile(name, x, q, dim, keepdim, interpolation):
    """Quantiles by the place q * (n - 1) in sorted order, where n counts numbers; NaN are sorted last."""
    q = q if hasattr(q, "shape") else np.asarray(q, x.dtype)
    if x.dtype not in (np.float32, np.float64) or q.dtype != x.dtype or 0 in x.shape or q.ndim > 1:
        raise RuntimeError(f"{name}: needs elements of float32 or float64, and for q a number or a vector of that "
                           f"dtype, not {x.dtype} of shape {x.shape} and {q.dtype} of shape {q.shape}")
    if not ((unbox(q) >= 0) & (unbox(q) <= 1)).all():
        raise RuntimeError(f"{name}: q is in [0, 1], not {unbox(q)}")
    if interpolation not in INTERPOLATIONS:
        raise RuntimeError(f"{name}: interpolation is one of {', '.join(INTERPOLATIONS)}, not {interpolation!r}")
    rows = sort(reshape(x, -1) if dim is None or not x.ndim else movedim(x, dim, -1), -1)[0]
    lost = np.isnan(unbox(rows)).sum(-1, keepdims=True)
    last = np.full_like(lost, rows.shape[-1] - 1)
    if name == "nanquantile":
        last, lost = np.maximum(last - lost, 0), np.zeros_like(lost)
    rank = where(lost > 0, last.astype(x.dtype), reshape(q, -1) * last.astype(x.dtype))  # (…, len(q))
    below, above = np.floor(unbox(rank)), np.ceil(unbox(rank))
    if interpolation in ("lower", "higher", "nearest"):
        below = above = {"lower": below, "higher": above, "nearest": np.round(unbox(rank))}[interpolation]
    low, high = (gather(rows, -1, at.astype(np.int64)) for at in (below, above))
    found = low
    if interpolation in ("linear", "midpoint"):
        weight = rank - below if interpolation == "linear" else (above - below) / 2
        found = low + where(above == below, 0.0, (high - low) * weight)
    if keepdim and x.ndim:
        found = reshape(found, *(1,) * x.ndim, -1) if dim is None else unsqueeze(found, dim_of(x, dim))
    return movedim(found, -1, 0) if q.ndim else squeeze(found, -1)


def quantile(x, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The value below which the share q of the elements lies, for q in [0, 1]: of all, or along `dim`.

    It stands at the place q * (n - 1) in sorted order, counted from 0; between two places, interpolation="linear"
    weighs both values, "lower", "higher" and "nearest" take one of them, "midpoint" their mean. A vector q puts a
    dimension in front of the result. Where an element is NaN, so is the result. x is float32 or float64, and q a number
    or of x's dtype, else RuntimeError.

    >>> x = tl.tensor([10.0, 20.0, 30.0, 40.0])
    >>> tl.quantile(x, 0.5)
    tensor(25.)
    >>> tl.quantile(x, tl.tensor([0.0, 0.25, 1.0]))
    tensor([10. , 17.5, 40. ])
    """
    return _quantile("quantile", x, q, dim, keepdim, interpolation)


def nanquantile(x, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The `quantile` of the elements that are not NaN, with the same settings.

    >>> x = tl.tensor([np.nan, 10.0, 20.0, 30.0])
    >>> tl.nanquantile(x, 0.5)
    tensor(20.)
    """
    return _quantile("nanquantile", x, q, dim, keepdim, interpolation)


# ---------------------------------------------------------------- counts, spread, distance
def histc(x, bins=100, min=0, max=0):
    """A histogram: how many elements are in each of `bins` parts of equal width, from min to max.

    Where min and max are both 0, the range is that of x. What is outside of it is not counted; max itself is in the
    last part. The counts are of x's dtype, which is a floating-point one.

    >>> x = tl.tensor([0.1, 0.2, 0.6, 0.9, 5.0])
    >>> tl.histc(x, bins=2, min=0, max=1)
    tensor([2., 2.])
    """
    values = unbox(x)
    if values.dtype.kind != "f" or bins <= 0 or min > max:
        raise RuntimeError(f"histc: needs floating-point numbers, bins > 0 and min <= max, not {values.dtype}, {bins}, "
                           f"{min} and {max}")
    low, high = (values.min(), values.max()) if min == max and values.size else (min, max)
    low, high = (low - 1, high + 1) if low == high else (low, high)
    if not np.isfinite([low, high]).all():
        raise RuntimeError(f"histc: the range [{low}, {high}] is not finite")
    inside = widened(values[(values >= low) & (values <= high)])
    at = np.minimum(((inside - low) * (bins / (high - low))).astype(np.int64), bins - 1)
    counts = np.bincount(at, minlength=bins).astype(values.dtype)
    return box(counts) if x is not values else counts


@in_float32
def cov(x, *, correction=1, fweights=None, aweights=None):
    """The covariances of variables, the rows of x, over observations, the columns: x (V, N) gives (V, V).

    Divided by N - correction. fweights (N,): how often each observation counts, in whole numbers; aweights (N,): how
    much it counts, in floating-point ones. A vector is one variable, and gives its variance.

    >>> x = tl.tensor([[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]])
    >>> tl.cov(x)  # variances on the diagonal; the second variable falls as the first rises
    tensor([[ 1., -2.],
            [-2.,  4.]])
    """
    if x.ndim > 2:
        raise RuntimeError(f"cov: needs at most 2 dimensions, not shape {x.shape}")
    rows = x if x.ndim == 2 else reshape(x, 1, -1)
    weight = np.ones(rows.shape[1], np.int64)
    for name, given, kind in (("fweights", fweights, "iu"), ("aweights", aweights, "f")):
        if given is not None:
            if given.shape != weight.shape or given.dtype.kind not in kind or (unbox(given) < 0).any():
                raise RuntimeError(f"cov: {name} are {rows.shape[1]} numbers >= 0, whole ones for fweights, not "
                                   f"{given.dtype} of shape {given.shape}")
            weight = given * weight
    total = sum(weight)
    lost = correction if aweights is None else correction * sum(weight * aweights) / total
    centered = rows - sum(rows * weight, 1, True) / total
    found = (centered * weight) @ centered.mT / clamp_min(total - lost, 0)
    return found if len(found) > 1 else squeeze(found)


@in_float32
def corrcoef(x):
    """The correlations in [-1, 1] of variables, the rows of x, over observations, the columns: x (V, N) gives (V, V).

    That is `cov` divided by both standard deviations; of a vector it is 1.

    >>> x = tl.tensor([[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]])
    >>> tl.corrcoef(x)
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    found = cov(x)
    if not found.ndim:
        return found / found
    size = sqrt(diagonal(found))
    return clamp(found / unsqueeze(size, 1) / size, -1, 1)


def dist(x, y, p=2):
    """The distance of two tensors: the p-norm of x - y, all of whose elements count as one vector.

    >>> x = tl.tensor([1.0, 2.0])
    >>> tl.dist(x, tl.tensor([4.0, 6.0]))  # sqrt(3 * 3 + 4 * 4)
    tensor(5.)
    >>> tl.dist(x, tl.tensor([4.0, 6.0]), p=1)
    tensor(7.)
    """
    return vector_norm(x - y, math.inf if p == math.inf else p)
