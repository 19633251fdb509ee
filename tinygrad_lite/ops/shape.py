"""Other shapes for the same values; most results share their input's memory."""

import math
import operator

import numpy as np

from ..engine.tape import broadcast_to, primitive, sum_to
from ..engine.values import unbox
from .arguments import dim_of, inverse, sizes_of


def _reshape(x, shape):
    return x.reshape(shape)


def _permute(x, dims):
    return x.transpose(dims)


def _clone(x):
    """A copy in memory of its own, in order."""
    return x.copy()


def _clone_as_it_is(x):
    """A copy whose dimensions have the same order in memory."""
    return np.copy(x)


_to_shape = primitive(_reshape, lambda g, out, x, shape: reshape(g, x.shape))
_permuted = primitive(_permute, lambda g, out, x, dims: permute(g, inverse(dims)))


def reshape(x, *shape):
    """The values of x in a new shape; one size may be -1. The product of sizes must stay."""
    shape = sizes_of(shape)
    for size in shape:
        if isinstance(size, int) and size < -1:
            raise RuntimeError(f"reshape: a size is at least 0, or -1 for what is left, not {size}")
    return _to_shape(x, shape)


def view(x, *shape):
    """The values of x in a new shape, in x's memory; RuntimeError where only a copy has that shape."""
    if shape and isinstance(shape[0], (np.dtype, type)):
        raise TypeError(f"view: takes a shape, not {shape[0]}; .to(dtype) converts, .array.view(dtype) shows the bits")
    out = reshape(x, *shape)
    if not unbox(x).flags.c_contiguous and math.prod(x.shape) and not np.may_share_memory(unbox(x), unbox(out)):
        raise RuntimeError(f"view: no view of a tensor of shape {x.shape}, whose elements are not in order in memory, "
                           f"has the shape {out.shape}; use .reshape(…), which copies")
    return out


def flatten(x, start_dim=0, end_dim=-1):
    """Merge the dimensions from start_dim to end_dim into one."""
    first, last = dim_of(x, start_dim), dim_of(x, end_dim)
    if x.ndim == 0:
        return reshape(x, 1)
    if first == last:
        return x
    if first > last:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return reshape(x, *x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :])


def permute(x, *dims):
    """Reorder the dimensions: the i-th of the result is dims[i] of x."""
    dims = sizes_of(dims)
    if len(dims) != x.ndim or {d + x.ndim if d < 0 else d for d in dims} != set(range(x.ndim)):
        raise RuntimeError(f"permute: dims {dims} must name each of the {x.ndim} dimensions once")
    return _permuted(x, dims)


def transpose(x, dim0, dim1):
    """Swap two dimensions."""
    dims = list(range(x.ndim))
    a, b = dim_of(x, dim0), dim_of(x, dim1)
    if dims:
        dims[a], dims[b] = dims[b], dims[a]
    return _permuted(x, tuple(dims))


def squeeze(x, dim=None):
    """Drop dimensions of size 1: all of them, or those that `dim` names."""
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    drop = {dim_of(x, d) for d in dims}
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if not (i in drop and n == 1)))


def unsqueeze(x, dim):
    """Insert dimensions of size 1: where `dim`, one or several, counts in the result."""
    try:
        dims = tuple(map(operator.index, dim if isinstance(dim, (tuple, list)) else (dim,)))
    except TypeError:
        raise TypeError(f"unsqueeze: dim is a whole number or several, not {dim!r}") from None
    if not dims:
        return x
    at = {dim_of(x, d, extra=len(dims)) for d in dims}
    if len(at) < len(dims):
        raise ValueError(f"unsqueeze: dim {dim} names a dimension twice")
    sizes = iter(x.shape)
    return reshape(x, tuple(1 if d in at else next(sizes) for d in range(x.ndim + len(at))))


def expand(x, *sizes):
    """Repeat dimensions of size 1 without copying; -1 keeps a size."""
    sizes = sizes_of(sizes)
    lead = len(sizes) - x.ndim
    return broadcast_to(x, tuple(x.shape[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(sizes)))


def unflatten(x, dim, sizes):
    """Split one dimension into several; one size may be -1."""
    at = dim_of(x, dim)
    return reshape(x, *x.shape[:at], *sizes, *x.shape[at + 1 :])


swapaxes = transpose


def movedim(x, source, destination):
    """Move dimensions to other places; the rest keep their order."""
    sources = [dim_of(x, d) for d in ((source,) if isinstance(source, int) else source)]
    targets = [dim_of(x, d) for d in ((destination,) if isinstance(destination, int) else destination)]
    if not x.ndim:
        return _permuted(x, ())
    if len(sources) != len(targets) or len({*sources}) != len(sources) or len({*targets}) != len(targets):
        raise RuntimeError(f"movedim: source {source} and destination {destination} must name as many dimensions, "
                           "each once")
    order = [d for d in range(x.ndim) if d not in sources]
    for target, origin in sorted(zip(targets, sources)):
        order.insert(target, origin)
    return _permuted(x, tuple(order))


def _repeat(x, sizes):
    return np.tile(x, sizes)


def _repeat_rule(g, out, x, sizes):
    shape = (1,) * (len(sizes) - x.ndim) + x.shape
    copies = reshape(g, *(k for pair in zip(sizes, shape) for k in pair))  # (m, n, m, n, …)
    return reshape(sum_to_size(copies, *(k for n in shape for k in (1, n))), x.shape)


_repeated = primitive(_repeat, _repeat_rule)


def repeat(x, *sizes):
    """Copies of x side by side, `sizes` of them along each dimension; more sizes add dimensions in front."""
    sizes = sizes_of(sizes)
    lead = len(sizes) - x.ndim
    if lead < 0:
        raise RuntimeError(f"repeat: {len(sizes)} sizes are fewer than the {x.ndim} dimensions of shape {x.shape}")
    return _repeated(x, sizes)


def tile(x, *sizes):
    """As `repeat`, but fewer sizes than dimensions are for the last ones."""
    sizes = sizes_of(sizes)
    return repeat(x, *(1,) * (x.ndim - len(sizes)), *sizes)


def sum_to_size(x, *size):
    """x summed over the dimensions by which it is larger than `size`: what undoes broadcasting."""
    size = sizes_of(size)
    last = x.shape[x.ndim - len(size):]
    if len(size) > x.ndim or any(k not in (1, n) for k, n in zip(size, last)):
        raise RuntimeError(f"sum_to_size: a tensor of shape {size} does not broadcast to shape {x.shape}")
    return sum_to(x, size)


_in_order, _as_it_is = (primitive(f, lambda g, out, x: g, name="clone") for f in (_clone, _clone_as_it_is))


def clone(x):
    """A copy, through which gradients flow."""
    return _in_order(x) if unbox(x).flags.c_contiguous else _as_it_is(x)


def contiguous(x):
    """x itself, or a copy where its elements are not in order in memory."""
    return x if unbox(x).flags.c_contiguous else _in_order(x)
