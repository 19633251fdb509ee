"""Reductions over one dimension, several, or all."""

import math

import numpy as np

from ..tape import accepts_axis, broadcast_to, primitive
from .index import take_along_dim
from .shape import reshape, squeeze


def _dims(shape, dim):
    return tuple(range(len(shape))) if dim is None else tuple(d % len(shape) for d in np.atleast_1d(dim))


def _kept(g, shape, dim):
    """`g` with its reduced dimensions back as size 1, to broadcast against the input."""
    dims = _dims(shape, dim)
    return reshape(g, tuple(1 if i in dims else n for i, n in enumerate(shape)))


def _count(shape, dim):
    return math.prod(shape[d] for d in _dims(shape, dim))


def _axis(dim):
    return tuple(dim) if isinstance(dim, list) else dim


def _sum(x, dim=None, keepdim=False):
    if dim == 0 and x.ndim == 2 and x.dtype.char in "fd" and not keepdim:
        return np.ones(len(x), x.dtype) @ x  # the same sums, by BLAS: a quarter of the time on small x
    return np.add.reduce(x, axis=_axis(dim), keepdims=keepdim, dtype=np.int64 if x.dtype.kind in "bi" else None)


def _mean(x, dim=None, keepdim=False):
    if x.dtype.kind != "f":
        raise TypeError(f"the mean of {x.dtype} has no dtype: convert with .float() first")
    if not _count(x.shape, dim):  # numpy would warn
        return np.full_like(_sum(x, dim, keepdim), np.nan)
    return _sum(x, dim, keepdim) / x.dtype.type(_count(x.shape, dim))


def _amax(x, dim=None, keepdim=False):
    return np.maximum.reduce(x, axis=_axis(dim), keepdims=keepdim)


def _amin(x, dim=None, keepdim=False):
    return np.minimum.reduce(x, axis=_axis(dim), keepdims=keepdim)


def _argmax(x, dim=None, keepdim=False):
    return np.argmax(x, axis=dim, keepdims=keepdim)


def _argmin(x, dim=None, keepdim=False):
    return np.argmin(x, axis=dim, keepdims=keepdim)


def _share(g, out, x, dim, keepdim):
    """The gradient of an extreme value, shared evenly among the places that hold it."""
    hit = (x == _kept(out, x.shape, dim)) * 1.0
    return hit * _kept(g, x.shape, dim) / sum(hit, dim, keepdim=True)


sum = primitive(_sum, lambda g, out, x, dim, keepdim: broadcast_to(_kept(g, x.shape, dim), x.shape))
mean = primitive(_mean, lambda g, out, x, dim, keepdim:
                 broadcast_to(_kept(g, x.shape, dim) / _count(x.shape, dim), x.shape))
amax = primitive(_amax, _share)
amin = primitive(_amin, _share)
argmax = primitive(_argmax, None)
argmin = primitive(_argmin, None)


def _extreme(x, dim, keepdim, all_of, place_of):
    if dim is None:
        return all_of(x)
    at = place_of(x, dim, keepdim=True)
    values = take_along_dim(x, at, dim)
    return (values, at) if keepdim else (squeeze(values, dim), squeeze(at, dim))


@accepts_axis
def max(x, dim=None, keepdim=False):
    """The largest value of all; or, along `dim`, the pair (values, indices), as in PyTorch."""
    return _extreme(x, dim, keepdim, amax, argmax)


@accepts_axis
def min(x, dim=None, keepdim=False):
    """The smallest value of all; or, along `dim`, the pair (values, indices), as in PyTorch."""
    return _extreme(x, dim, keepdim, amin, argmin)
