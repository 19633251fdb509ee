"""Scans: every prefix of a dimension reduced; and the product, whose rule needs them."""

import functools

import numpy as np

from ..engine.halves import in_float32
from ..engine.mode import mode
from ..engine.return_types import named_results
from ..engine.tape import cast, primitive
from ..engine.values import holds, unbox
from .arguments import WIDER, all_in_range, axis_of, dim_of, lost_dims
from .elementwise import clamp, exp, where
from .index import _gathered, flip, getitem, roll
from .join import cat
from .shape import clone, reshape, unsqueeze


def _cumsum(x, dim):
    if x.dtype == np.float16:  # accumulated in float32
        return np.cumsum(x, dim if x.ndim else None, np.float32).astype(np.float16).reshape(x.shape)
    return np.cumsum(x, dim if x.ndim else None, WIDER.get(x.dtype.kind)).reshape(x.shape)


@in_float32
def _cumprod(x, dim):
    return np.cumprod(x, dim if x.ndim else None, WIDER.get(x.dtype.kind)).reshape(x.shape)


def _logcumsumexp(x, dim):
    return np.logaddexp.accumulate(x, dim) if x.ndim else x.copy()


@in_float32
def _prod(x, dim=None, keepdim=False):
    """The product of all elements, or of those along one dimension `dim`; its gradient is right with zeros too.

    With keepdim, dim stays with size 1; several dims are a TypeError. The product of whole numbers is int64, that of no
    elements 1.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.prod(x)
    tensor(24)
    >>> tl.prod(x, dim=1)
    tensor([ 2, 12])
    """
    if not isinstance(dim, int | None):
        raise TypeError(f"dim is one dimension or None, not {dim!r}")
    return np.multiply.reduce(x, axis=axis_of(x, dim), keepdims=keepdim, dtype=WIDER.get(x.dtype.kind))


def _prod_rule(g, out, x, dim, keepdim):
    lost = lost_dims(x, dim, keepdim)
    g, out = unsqueeze(g, lost), unsqueeze(out, lost)
    if holds(unbox(x) != 0) and (mode.as_text or all_in_range(out)):
        return g * (out / x)
    row, at = (reshape(x, -1), 0) if dim is None or not x.ndim else (x, dim_of(x, dim))
    row = cast(row, np.float64)  # where the products of some may be larger than that of all
    one = np.ones_like(unbox(row)[(slice(None),) * at + (slice(0, 1),)])
    all_but_last = (slice(None),) * at + (slice(0, -1),)
    before = cat([one, getitem(cumprod(row, at), all_but_last)], at)
    after = flip(cat([one, getitem(cumprod(flip(row, at), at), all_but_last)], at), at)
    others = before * after
    zero = unbox(row) == 0
    beside_zero = (zero.sum(at, keepdims=True) > zero) & np.isfinite(unbox(row)).all()
    others = where(beside_zero & np.isnan(unbox(others)), 0.0, others)  # not 0 * inf
    return g * reshape(others, x.shape)  # for each element the product of the others


def _cumprod_rule(g, out, x, dim):
    if not x.ndim:
        return g
    if holds(unbox(x) != 0) and (mode.as_text or all_in_range(out)):
        return flip(cumsum(flip(g * out, dim), dim), dim) / x
    x, out = cast(x, np.float64), cumprod(cast(x, np.float64), dim)
    one = np.ones_like(unbox(out)[(slice(None),) * dim + (slice(0, 1),)])
    before = cat([one, getitem(out, (slice(None),) * dim + (slice(0, -1),))], dim)
    return before * flip(discounted_cumsum(flip(g, dim), roll(flip(x, dim), 1, dim), dim), dim)


def _logcumsumexp_rule(g, out, x, dim):
    if not x.ndim:
        return g
    possible = np.isfinite(unbox(out))  # -inf up to here: no gradient
    level = where(possible, out, 0.0)
    shrink = where(possible, clamp(level - roll(level, -1, dim), max=0.0), 0.0)  # above 0 only where the roll wraps
    sent = flip(discounted_cumsum(flip(where(possible, g, 0.0), dim), flip(exp(shrink), dim), dim), dim)
    return where(possible, sent * exp(where(possible, x - level, 0.0)), 0.0)


prod = primitive(_prod, _prod_rule)
_cumsum_along = primitive(_cumsum, lambda g, out, x, dim: flip(cumsum(flip(g, dim), dim), dim) if x.ndim else g)
_cumprod_along = primitive(_cumprod, _cumprod_rule)
_logcumsumexp_along = primitive(_logcumsumexp, _logcumsumexp_rule)


def cumsum(x, dim):
    """The sum of the elements up to each, along dim; it has x's shape, and is int64 of whole numbers.

    >>> x = tl.tensor([[1, 2, 3], [4, 5, 6]])
    >>> tl.cumsum(x, dim=1)
    tensor([[ 1,  3,  6],
            [ 4,  9, 15]])
    """
    return _cumsum_along(x, dim_of(x, dim))


def cumprod(x, dim):
    """The product of the elements up to each, along dim; it has x's shape, and is int64 of whole numbers.

    Its gradient is right with zeros too.

    >>> x = tl.tensor([1, 2, 3, 4])
    >>> tl.cumprod(x, dim=0)
    tensor([ 1,  2,  6, 24])
    """
    return _cumprod_along(x, dim_of(x, dim))


@in_float32
def discounted_cumsum(x, factor, dim):
    """s with s[i] = x[i] + factor[i] * s[i - 1] along dim: sums of all before, each step back counting `factor` less.

    factor is a number or of x's shape; a RuntimeError if not. Rewards to go are the sums of the reversed rewards,
    reversed.

    >>> x = tl.tensor([1.0, 1.0, 1.0])
    >>> tl.discounted_cumsum(x, 0.5, dim=0)
    tensor([1.  , 1.5 , 1.75])
    >>> rewards = tl.tensor([0.0, 0.0, 1.0])
    >>> tl.discounted_cumsum(rewards.flip(0), 0.5, dim=0).flip(0)
    tensor([0.25, 0.5 , 1.  ])
    """
    dim = dim_of(x, dim)
    if hasattr(factor, "shape") and factor.shape != x.shape:
        raise RuntimeError(f"discounted_cumsum: a factor of shape {factor.shape} is neither a number nor of x's shape "
                           f"{x.shape}")
    if not x.ndim or not x.shape[dim]:
        return x
    rows = [(slice(None),) * dim + (slice(i, i + 1),) for i in range(x.shape[dim])]
    sums = [getitem(x, rows[0])]
    for row in rows[1:]:
        sums.append(getitem(x, row) + (getitem(factor, row) if hasattr(factor, "shape") else factor) * sums[-1])
    return cat(sums, dim)


@in_float32
def logcumsumexp(x, dim):
    """log(cumsum(exp(x))) along dim, right for large values of either sign.

    >>> x = tl.tensor([0.0, 0.0, 0.0])
    >>> tl.logcumsumexp(x, dim=0)  # log(1), log(2), log(3)
    tensor([0.    , 0.6931, 1.0986])
    """
    return _logcumsumexp_along(x, dim_of(x, dim))


def _last_extreme(extreme, x, dim):
    """Where the extreme value of the elements up to each is, the last of equals; NaN is more extreme than any."""
    places = np.arange(x.shape[dim]).reshape((-1,) + (1,) * (x.ndim - 1 - dim))
    found = (x == extreme.accumulate(x, dim)) | np.isnan(x)
    return np.maximum.accumulate(np.where(found, places, 0), dim)


_last_largest = primitive(functools.partial(_last_extreme, np.maximum), None, name="cummax")
_last_smallest = primitive(functools.partial(_last_extreme, np.minimum), None, name="cummin")


def _up_to_each(x, dim, place_of):
    dim = dim_of(x, dim)
    if not x.ndim:
        return clone(x), place_of(reshape(x, 1), 0)[0]
    at = place_of(x, dim)
    return _gathered(x, dim, unbox(at), False), at


@named_results("values", "indices")
def cummax(x, dim):
    """The pair (values, indices) of the largest of the elements up to each, along dim.

    Of equal ones it is the last, which gets the gradient; NaN counts as larger than any number.

    >>> x = tl.tensor([1, 3, 2, 3, 5])
    >>> values, indices = tl.cummax(x, dim=0)
    >>> values, indices
    (tensor([1, 3, 3, 3, 5]), tensor([0, 1, 1, 3, 4]))
    """
    return _up_to_each(x, dim, _last_largest)


@named_results("values", "indices")
def cummin(x, dim):
    """The pair (values, indices) of the smallest of the elements up to each, along dim.

    Of equal ones it is the last, which gets the gradient; NaN counts as smaller than any number.

    >>> x = tl.tensor([5, 2, 3, 2, 1])
    >>> values, indices = tl.cummin(x, dim=0)
    >>> values, indices
    (tensor([5, 2, 2, 2, 1]), tensor([0, 1, 1, 3, 4]))
    """
    return _up_to_each(x, dim, _last_smallest)


def diff(x, n=1, dim=-1, prepend=None, append=None):
    """The differences of neighbors along dim, x[i + 1] - x[i], taken n times over.

    In the result dim is n smaller. The tensors `prepend` and `append` are first joined to x's ends. Of bools it says
    whether neighbors differ. A RuntimeError where x has no dimension, or n is below 0.

    >>> x = tl.tensor([1, 4, 9, 16])
    >>> tl.diff(x)
    tensor([3, 5, 7])
    >>> tl.diff(x, prepend=tl.tensor([0]))
    tensor([1, 3, 5, 7])
    """
    if n and (prepend is not None or append is not None):
        x = cat([t for t in (prepend, x, append) if t is not None], dim)
    dim = dim_of(x, dim)
    if n < 0 or not x.ndim:
        raise RuntimeError(f"diff: needs at least 1 dimension and n >= 0, not shape {x.shape} and n = {n}")
    for _ in range(n):
        lead = (slice(None),) * dim
        after, before = getitem(x, (*lead, slice(1, None))), getitem(x, (*lead, slice(0, -1)))
        x = after - before if x.dtype != bool else after ^ before
    return x
