"""Primitives that move values without changing them; most share their input's memory."""

import math

from ..tape import accepts_axis, broadcast_to, primitive


def _reshape(x, shape):
    return x.reshape(shape)


def _permute(x, dims):
    return x.transpose(dims)


def _inverse(dims):
    order = [d % len(dims) for d in dims]
    return tuple(order.index(d) for d in range(len(dims)))


_reshape_to_shape = primitive(_reshape, lambda g, out, x, shape: _reshape_to_shape(g, x.shape))
_permute_dims = primitive(_permute, lambda g, out, x, dims: _permute_dims(g, _inverse(dims)))


def sizes_of(shape):
    """Sizes given one by one or as one sequence."""
    return tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else tuple(shape)


def _dim(x, dim, extra=0):
    """`dim` counted from the front; out of range is an IndexError, as in PyTorch."""
    n = max(x.ndim + extra, 1)
    if not -n <= dim < n:
        raise IndexError(f"dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim % n


def reshape(x, *shape):
    """The values of x in a new shape; one size may be -1. The product of sizes must stay."""
    return _reshape_to_shape(x, sizes_of(shape))


view = reshape


def flatten(x, start_dim=0, end_dim=-1):
    """Merge the dimensions from start_dim to end_dim into one."""
    if x.ndim == 0:
        return reshape(x, 1)
    first, last = _dim(x, start_dim), _dim(x, end_dim)
    if first > last:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return reshape(x, *x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :])


def permute(x, *dims):
    """Reorder the dimensions: the i-th of the result is dims[i] of x."""
    dims = sizes_of(dims)
    if sorted(_dim(x, d) for d in dims) != list(range(x.ndim)):
        raise RuntimeError(f"permute: dims {dims} must name each of the {x.ndim} dimensions once")
    return _permute_dims(x, dims)


@accepts_axis
def transpose(x, dim0, dim1):
    """Swap two dimensions."""
    dims = list(range(x.ndim))
    a, b = _dim(x, dim0), _dim(x, dim1)
    if dims:
        dims[a], dims[b] = dims[b], dims[a]
    return _permute_dims(x, tuple(dims))


@accepts_axis
def squeeze(x, dim=None):
    """Drop dimensions of size 1: all of them, or those that `dim` names."""
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    drop = {_dim(x, d) for d in dims}
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if not (i in drop and n == 1)))


@accepts_axis
def unsqueeze(x, dim):
    """Insert a dimension of size 1 before `dim`."""
    at = _dim(x, dim, extra=1)
    return reshape(x, *x.shape[:at], 1, *x.shape[at:])


def expand(x, *sizes):
    """Repeat dimensions of size 1 without copying; -1 keeps a size."""
    sizes = sizes_of(sizes)
    lead = len(sizes) - x.ndim
    return broadcast_to(x, tuple(x.shape[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(sizes)))
