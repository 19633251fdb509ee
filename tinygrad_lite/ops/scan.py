"""Scans: every prefix of a dimension reduced."""

import numpy as np

from ..tape import accepts_axis, primitive, unbox
from .arguments import dim_of
from .elementwise import exp, where
from .index import flip, getitem
from .join import cat
from .reduce import WIDER


def _cumsum(x, dim):
    if x.dtype == np.float16:  # accumulated in float32
        return np.cumsum(x, dim, np.float32).astype(np.float16)
    return np.cumsum(x, dim, WIDER.get(x.dtype.kind)) if x.ndim else x.copy()


def _cumprod(x, dim):
    return np.cumprod(x, dim, WIDER.get(x.dtype.kind)) if x.ndim else x.copy()


def _logcumsumexp(x, dim):
    return np.logaddexp.accumulate(x, dim) if x.ndim else x.copy()


def _slices(x, dim):
    return [getitem(x, (slice(None),) * dim + (slice(i, i + 1),)) for i in range(x.shape[dim])]


def _from_behind(g, factor, dim):
    """s[i] = g[i] + factor[i + 1] * s[i + 1] along dim: what the later outputs send back to each element."""
    if not g.ndim or not g.shape[dim]:
        return g
    parts = list(zip(_slices(g, dim), _slices(factor, dim)))[::-1]
    sent = [parts[0][0]]
    for (_, later), (own, _) in zip(parts, parts[1:]):
        sent.append(own + later * sent[-1])
    return cat(sent[::-1], dim)


def _cumprod_rule(g, out, x, dim):
    if not x.ndim:
        return g
    if (unbox(x) != 0).all():
        return flip(cumsum(flip(g * out, dim), dim), dim) / x
    ones = np.ones_like(unbox(out)[(slice(None),) * dim + (slice(0, 1),)])
    before = cat([ones, getitem(out, (slice(None),) * dim + (slice(0, -1),))], dim)
    return before * _from_behind(g, x, dim)


def _logcumsumexp_rule(g, out, x, dim):
    if not x.ndim:
        return g
    possible = np.isfinite(unbox(out))  # -inf up to here: no gradient
    level = where(possible, out, 0.0)
    before = cat([getitem(level, (slice(None),) * dim + (slice(0, 1),)),
                  getitem(level, (slice(None),) * dim + (slice(0, -1),))], dim)
    sent = _from_behind(g, exp(where(possible, before - level, 0.0)), dim)  # no exponent is above 0
    return where(possible, sent * exp(where(possible, x - level, 0.0)), 0.0)


_cumsum_along = primitive(_cumsum, lambda g, out, x, dim: flip(cumsum(flip(g, dim), dim), dim) if x.ndim else g)
_cumprod_along = primitive(_cumprod, _cumprod_rule)
_logcumsumexp_along = primitive(_logcumsumexp, _logcumsumexp_rule)


@accepts_axis
def cumsum(x, dim):
    """The sum of the elements up to each, along dim."""
    return _cumsum_along(x, dim_of(x, dim))


@accepts_axis
def cumprod(x, dim):
    """The product of the elements up to each, along dim; its gradient is right with zeros too."""
    return _cumprod_along(x, dim_of(x, dim))


@accepts_axis
def logcumsumexp(x, dim):
    """log(cumsum(exp(x))) along dim, right for large values of either sign."""
    return _logcumsumexp_along(x, dim_of(x, dim))


@accepts_axis
def diff(x, n=1, dim=-1):
    """Differences of neighbours along dim, n times over."""
    dim = dim_of(x, dim)
    if n < 0 or not x.ndim:
        raise RuntimeError(f"diff: needs at least 1 dimension and n >= 0, not shape {x.shape} and n = {n}")
    for _ in range(n):
        lead = (slice(None),) * dim
        x = getitem(x, (*lead, slice(1, None))) - getitem(x, (*lead, slice(0, -1)))
    return x
