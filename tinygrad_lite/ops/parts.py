"""Parts of tensors by name: slices, windows, turns, and what is written at the places of one dimension."""

import functools
import math
import operator

import numpy as np

from ..engine.tape import broadcast_to, cast, primitive
from ..engine.values import as_array, unbox
from .arguments import diagonal_index, dim_of, fitting, outside
from .elementwise import where
from .index import (
    _checked,
    _in_shape,
    _multiply_at,
    _vector,
    _written_along,
    diag,
    flip,
    getitem,
    index_put,
    place,
    scatter,
    scatter_add,
)
from .shape import clone, contiguous, movedim, reshape, transpose


# ---------------------------------------------------------------- reading
def narrow(x, dim, start, length):
    """The `length` slices of x along dim from `start` on; a view."""
    dim, start = dim_of(x, dim), operator.index(start)
    n = x.shape[dim] if x.ndim else 0
    first = start + n if start < 0 else start
    if not x.ndim or length < 0 or not 0 <= first <= n - length:
        raise RuntimeError(f"narrow: {length} slices from {start} on are not in dimension {dim} of shape {x.shape}")
    return getitem(x, (slice(None),) * dim + (slice(first, first + length),))


def select(x, dim, index):
    """The slice of x at `index` along dim, without that dimension; a view."""
    dim, index = dim_of(x, dim), operator.index(index)
    if not x.ndim or not -x.shape[dim] <= index < x.shape[dim]:
        raise IndexError(f"select: index {index} is not in dimension {dim} of shape {x.shape}")
    return getitem(x, (slice(None),) * dim + (index,))


def take(x, index):
    """x's elements at places that count its elements in order, in the shape of the index; -1 is the last."""
    index = as_array(index)
    if index.dtype != np.int64:
        raise RuntimeError(f"take: the index holds int64, not {index.dtype}")
    n = math.prod(x.shape)
    index = np.where(index < 0, index + n, index)
    if outside(index, n).any():
        raise IndexError(f"take: an index is out of bounds for {n} elements")
    return getitem(reshape(x, -1), index)


def _windows(x, dim, size, step):
    view = np.lib.stride_tricks.sliding_window_view(x, size, dim, writeable=step >= size)
    return view[(slice(None),) * dim + (slice(None, None, step),)]


def _windows_rule(g, out, x, dim, size, step):
    places = step * np.arange(g.shape[dim])[:, None] + np.arange(size)
    return place(movedim(g, -1, dim + 1), (slice(None),) * dim + (places,), x.shape)


_windows_along = primitive(_windows, _windows_rule, name="unfold")


def unfold(x, dimension, size, step):
    """A view of windows of `size` elements along a dimension, every `step`: their number in its place, their elements
    last. Windows that overlap are to read."""
    dim, n = dim_of(x, dimension), x.shape[dimension] if x.ndim else 1
    if not 0 <= size <= n or step <= 0:
        raise RuntimeError(f"unfold: windows of {size} elements, every {step}, do not fit dimension {dim} of shape "
                           f"{x.shape}")
    return _windows_along(x, dim, size, step) if x.ndim else getitem(reshape(x, 1), slice(size))


# ---------------------------------------------------------------- turning
def fliplr(x):
    """The order of columns (dimension 1) reversed."""
    if x.ndim < 2:
        raise RuntimeError(f"fliplr: needs at least 2 dimensions, not shape {x.shape}")
    return flip(x, 1)


def flipud(x):
    """The order of rows (dimension 0) reversed."""
    if x.ndim < 1:
        raise RuntimeError("flipud: needs at least 1 dimension")
    return flip(x, 0)


def rot90(x, k=1, dims=(0, 1)):
    """Turned by k quarters of a turn, from the first of two dimensions towards the second."""
    if len(dims) != 2 or x.ndim < 2 or dim_of(x, dims[0]) == dim_of(x, dims[1]):
        raise RuntimeError(f"rot90: needs two different dimensions, not {dims} of shape {x.shape}")
    a, b = dims
    if k % 2 == 0:
        return flip(x, a, b) if k % 4 else clone(x)
    return flip(transpose(x, a, b), a if k % 4 == 1 else b)


# ---------------------------------------------------------------- writing
def masked_fill(x, mask, value):
    """x with `value` where the mask is true; the gradient there is 0."""
    if unbox(mask).dtype != bool:
        raise RuntimeError(f"masked_fill: the mask holds bools, not {mask.dtype}")
    if np.ndim(unbox(value)):
        raise RuntimeError(f"masked_fill: the value is one number, not of shape {value.shape}")
    if hasattr(value, "dtype"):
        value = cast(value, x.dtype)
    elif x.dtype.kind != "f":
        value = fitting("masked_fill", value, x.dtype)
    return contiguous(where(mask, value, x))


def diag_embed(x, offset=0, dim1=-2, dim2=-1):
    """Square matrices with the last dimension of x on their diagonals and 0 elsewhere."""
    n = x.shape[-1] + abs(offset)
    if dim_of(x, dim1, 1) == dim_of(x, dim2, 1):
        raise RuntimeError(f"diag_embed: needs two different dimensions, not {dim1} and {dim2}")
    whole = place(x, (Ellipsis, *diagonal_index(n, n, offset)), (*x.shape[:-1], n, n), True)
    return movedim(whole, (-2, -1), (dim1, dim2))


def diagflat(x, offset=0):
    """A square matrix with the elements of x, in order, on its diagonal."""
    return diag(reshape(x, -1), offset)


def index_fill(x, dim, index, value):
    """x with one value in the slices that an index names along dim."""
    dim, n = dim_of(x, dim), _vector(x).shape[dim]
    index = _vector(as_array(index))
    if index.dtype.kind not in "iu" or index.ndim > 1:
        raise IndexError(f"index_fill: the index is a vector of whole numbers, not {index.dtype} of {index.shape}")
    if outside(index + n * (index < 0), n).any():
        raise IndexError(f"index_fill: an index is out of bounds for dimension {dim} of size {n}")
    named = (index[:, None] % max(n, 1) == np.arange(n)).any(0)
    return masked_fill(x, named.reshape((-1,) + (1,) * (x.ndim - 1 - dim) if x.ndim else ()), value)


def index_copy(x, dim, index, source):
    """x with source in the slices that a 1-d index names along dim; the last of repeats stays."""
    whole, dim, index = _checked("index_copy", x, dim, index)
    source = source if x.ndim else _vector(source)
    if index.ndim != 1 or source.shape != (*whole.shape[:dim], len(index), *whole.shape[dim + 1 :]):
        raise RuntimeError(f"index_copy: source of shape {source.shape} does not fit {len(index)} slices of {x.shape}")
    if source.dtype != x.dtype:
        raise RuntimeError(f"index_copy: source has dtype {source.dtype}, and what it is written to {x.dtype}")
    return _in_shape(index_put(whole, (slice(None),) * dim + (index,), source), x.shape)


def masked_scatter(x, mask, source):
    """x with the elements of source, one after the other, where the mask is true."""
    mask = as_array(mask)
    if mask.dtype != bool or source.dtype != x.dtype:
        raise RuntimeError(f"masked_scatter: needs a mask of bools and a source of {x.dtype}, not {mask.dtype} and "
                           f"{source.dtype}")
    shape = np.broadcast_shapes(x.shape, mask.shape)
    mask = np.broadcast_to(mask, shape)
    count, given = int(mask.sum()), math.prod(source.shape)
    if count > given:
        raise RuntimeError(f"masked_scatter: the mask is true {count} times, but the source has {given} elements")
    return index_put(broadcast_to(x, shape), mask, getitem(reshape(source, -1), slice(count)))


def _taken_at(extreme, x, at, src):
    """The largest (smallest) of what is there and of what comes."""
    out = x.copy()
    extreme.at(out, at, src)
    return out


def _own_share(g, out, x, at, src):
    return g * (x == out) / ((x == out) * 1.0 + place((src == getitem(out, at)) * 1.0, at, x.shape))


def _sent_share(g, out, x, at, src):
    count = (x == out) * 1.0 + place((src == getitem(out, at)) * 1.0, at, x.shape)
    return getitem(g / count, at) * (src == getitem(out, at))


_largest_at, _smallest_at = (
    primitive(functools.partial(_taken_at, extreme), _own_share, None, _sent_share, name="scatter_reduce")
    for extreme in (np.maximum, np.minimum))


def _limits(dtype):
    """The smallest and the largest value of a dtype."""
    if dtype.kind == "f":
        return -math.inf, math.inf
    return (False, True) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


START = {"sum": lambda dtype: 0, "mean": lambda dtype: 0, "prod": lambda dtype: 1,  # where x itself does not count
         "amax": lambda dtype: _limits(dtype)[0], "amin": lambda dtype: _limits(dtype)[1]}
TOGETHER = {"prod": _multiply_at, "amax": _largest_at, "amin": _smallest_at}


def scatter_reduce(x, dim, index, src, reduce, *, include_self=True):
    """x with src taken together with what is there, where `gather` would read; repeats count each.

    reduce: "sum", "prod" (which has no gradient), "mean", "amax" or "amin". include_self: whether x counts there too.
    """
    if reduce not in START:
        raise RuntimeError(f"scatter_reduce: reduce is {', '.join(START)}, not {reduce!r}")
    start = x if include_self else scatter(x, dim, index, START[reduce](x.dtype))
    if reduce in TOGETHER:
        return _written_along("scatter_reduce", start, dim, index, src, TOGETHER[reduce])
    total = scatter_add(start, dim, index, src)
    if reduce == "sum":
        return total
    ones = np.ones(np.shape(unbox(index)), np.int64)
    count = scatter_add(np.full(x.shape, int(include_self)), dim, unbox(index), ones)
    count = np.maximum(count, 1).astype(x.dtype)
    return total / count if x.dtype.kind == "f" else total // count
