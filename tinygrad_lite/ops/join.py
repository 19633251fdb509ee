"""Several tensors into one, and one into several."""

import itertools

import numpy as np

from ..engine.tape import broadcast_to, primitive
from .arguments import dim_of, result_type
from .index import getitem
from .shape import reshape


def _cat(dim, *xs):
    dtype = result_type(*xs)
    return np.concatenate([x.astype(dtype, copy=False) for x in xs], dim)


def _stack(dim, *xs):
    dtype = result_type(*xs)
    return np.stack([x.astype(dtype, copy=False) for x in xs], dim)


_cat_along = primitive(_cat, joint=lambda g, out, dim, *xs: (None, *split(g, [x.shape[dim] for x in xs], dim)))
_stacked = primitive(_stack, joint=lambda g, out, dim, *xs: (None, *unbind(g, dim)))


def _listed(op, tensors):
    if hasattr(tensors, "shape"):
        raise TypeError(f"{op}: takes a list or tuple of tensors, not one tensor of shape {tensors.shape}")
    tensors = list(tensors)
    if not tensors:
        raise ValueError(f"{op}: needs at least one tensor")
    for t in tensors:
        if not hasattr(t, "shape"):
            raise TypeError(f"{op}: joins tensors, and one is of type {type(t).__name__}")
    return tensors


def cat(tensors, dim=0):
    """Tensors one after the other along a dimension; the other sizes must agree."""
    tensors = _listed("cat", tensors)
    tensors = [t for t in tensors if t.shape != (0,)] or tensors[:1]  # PyTorch's: these fit everywhere
    return _cat_along(dim_of(tensors[0], dim), *tensors)


def stack(tensors, dim=0):
    """Tensors of one shape along a new dimension."""
    tensors = _listed("stack", tensors)
    if any(t.shape != tensors[0].shape for t in tensors):
        raise RuntimeError(f"stack: the shapes differ: {', '.join(str(t.shape) for t in tensors)}")
    return _stacked(dim_of(tensors[0], dim, extra=1), *tensors)


def hstack(tensors):
    """Side by side: along dimension 1, or 0 for 1-d tensors."""
    tensors = [reshape(t, 1) if t.ndim == 0 else t for t in _listed("hstack", tensors)]
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


def vstack(tensors):
    """One above the other: along dimension 0, 1-d tensors as rows."""
    return cat([reshape(t, 1, -1) if t.ndim < 2 else t for t in _listed("vstack", tensors)], 0)


def _dim_to_cut(op, x, dim):
    if not x.ndim:
        raise RuntimeError(f"{op}: a tensor of no dimensions has none to cut along")
    return dim_of(x, dim)


def split(x, split_size_or_sections, dim=0):
    """Pieces of a size along dim (the last may be smaller), or of the sizes in a list."""
    dim, sizes = _dim_to_cut("split", x, dim), split_size_or_sections
    n = x.shape[dim]
    if isinstance(sizes, int):
        if sizes < 0 or n and not sizes:
            raise RuntimeError(f"split: the size of a piece is above 0, not {sizes}")
        sizes = [min(sizes, n - start) for start in range(0, n, sizes or 1)] or [0]
    if sum(sizes) != n or any(size < 0 for size in sizes):
        raise RuntimeError(f"split: sizes {list(sizes)} do not add up to dimension {dim} of size {n}")
    ends, lead = itertools.accumulate(sizes), (slice(None),) * dim
    return tuple(getitem(x, (*lead, slice(end - size, end))) for size, end in zip(sizes, ends))


def chunk(x, chunks, dim=0):
    """At most `chunks` pieces of one size along dim, the last may be smaller."""
    if chunks <= 0:
        raise RuntimeError(f"chunk: the number of pieces is above 0, not {chunks}")
    n = x.shape[_dim_to_cut("chunk", x, dim)]
    return split(x, -(-n // chunks) if n else [0] * chunks, dim)


def unbind(x, dim=0):
    """The slices along dim, without it."""
    lead = (slice(None),) * _dim_to_cut("unbind", x, dim)
    return tuple(getitem(x, (*lead, i)) for i in range(x.shape[len(lead)]))


def meshgrid(*tensors, indexing="ij"):
    """Coordinates of a grid from 1-d tensors, a tensor a dimension; indexing "xy" swaps the first two."""
    tensors = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f"meshgrid: indexing is 'ij' or 'xy', not {indexing!r}")
    tensors = [reshape(t, 1) if not t.ndim else t for t in tensors]
    if any(t.ndim > 1 for t in tensors):
        raise RuntimeError(f"meshgrid: needs 1-d tensors, not shapes {', '.join(str(t.shape) for t in tensors)}")
    places = list(range(len(tensors)))
    if indexing == "xy":
        places[:2] = places[:2][::-1]
    shape = [tensors[p].shape[0] for p in places]
    return tuple(broadcast_to(reshape(t, *(-1 if i == places.index(k) else 1 for i in range(len(shape)))), tuple(shape))
                 for k, t in enumerate(tensors))
