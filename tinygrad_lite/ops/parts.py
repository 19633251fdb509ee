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
    """The `length` slices of x along dim from `start` on, as a view: x[:, start : start + length] for dim=1.

    A negative start counts from the back. RuntimeError where there are not that many slices.

    >>> x = tl.tensor([10, 20, 30, 40])
    >>> tl.narrow(x, 0, 1, 2)
    tensor([20, 30])
    """
    dim, start = dim_of(x, dim), operator.index(start)
    n = x.shape[dim] if x.ndim else 0
    first = start + n if start < 0 else start
    if not x.ndim or length < 0 or not 0 <= first <= n - length:
        raise RuntimeError(f"narrow: {length} slices from {start} on are not in dimension {dim} of shape {x.shape}")
    return getitem(x, (slice(None),) * dim + (slice(first, first + length),))


def select(x, dim, index):
    """The slice of x at `index` along dim, as a view without that dimension: x[:, index] for dim=1.

    A negative index counts from the back; out of range is an IndexError.

    >>> x = tl.tensor([[1, 2, 3], [4, 5, 6]])
    >>> tl.select(x, 1, -1)
    tensor([3, 6])
    """
    dim, index = dim_of(x, dim), operator.index(index)
    if not x.ndim or not -x.shape[dim] <= index < x.shape[dim]:
        raise IndexError(f"select: index {index} is not in dimension {dim} of shape {x.shape}")
    return getitem(x, (slice(None),) * dim + (index,))


def take(x, index):
    """The elements of x at the places that the index names, where x counts as one flat vector.

    The result has the shape of the index, which is int64 (else RuntimeError). A negative index counts from the back;
    out of range is an IndexError.

    >>> x = tl.tensor([[10, 20, 30], [40, 50, 60]])
    >>> tl.take(x, tl.tensor([0, 4, -1]))
    tensor([10, 50, 60])
    """
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
    """Windows of `size` elements along a dimension, one every `step` elements, as a view of x.

    A dimension of size n becomes one of (n - size) // step + 1 windows, whose elements are a new last dimension.
    Overlapping windows refuse to be changed in place: change a `clone`. RuntimeError where size is above n.

    >>> x = tl.arange(6)
    >>> tl.unfold(x, 0, 3, 1)
    tensor([[0, 1, 2],
            [1, 2, 3],
            [2, 3, 4],
            [3, 4, 5]])
    """
    dim, n = dim_of(x, dimension), x.shape[dimension] if x.ndim else 1
    if not 0 <= size <= n or step <= 0:
        raise RuntimeError(f"unfold: windows of {size} elements, every {step}, do not fit dimension {dim} of shape "
                           f"{x.shape}")
    return _windows_along(x, dim, size, step) if x.ndim else getitem(reshape(x, 1), slice(size))


# ---------------------------------------------------------------- turning
def fliplr(x):
    """The columns of x (dimension 1) in reverse order, left to right.

    >>> x = tl.tensor([[1, 2, 3], [4, 5, 6]])
    >>> tl.fliplr(x)
    tensor([[3, 2, 1],
            [6, 5, 4]])
    """
    if x.ndim < 2:
        raise RuntimeError(f"fliplr: needs at least 2 dimensions, not shape {x.shape}")
    return flip(x, 1)


def flipud(x):
    """The rows of x (dimension 0) in reverse order, upside down.

    >>> x = tl.tensor([[1, 2, 3], [4, 5, 6]])
    >>> tl.flipud(x)
    tensor([[4, 5, 6],
            [1, 2, 3]])
    """
    if x.ndim < 1:
        raise RuntimeError("flipud: needs at least 1 dimension")
    return flip(x, 0)


def rot90(x, k=1, dims=(0, 1)):
    """x turned by k quarter turns, from the first of two dimensions towards the second: as printed, counterclockwise.

    A negative k turns clockwise. RuntimeError unless dims are two different ones.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.rot90(x)
    tensor([[2, 4],
            [1, 3]])
    >>> tl.rot90(x, -1)
    tensor([[3, 1],
            [4, 2]])
    """
    if len(dims) != 2 or x.ndim < 2 or dim_of(x, dims[0]) == dim_of(x, dims[1]):
        raise RuntimeError(f"rot90: needs two different dimensions, not {dims} of shape {x.shape}")
    if not isinstance(k, (int, np.integer)):
        raise TypeError(f"rot90: k is a whole number of quarter turns, not {k!r}")
    a, b = dims
    if k % 2 == 0:
        return flip(x, a, b) if k % 4 else clone(x)
    return flip(transpose(x, a, b), a if k % 4 == 1 else b)


# ---------------------------------------------------------------- writing
def masked_fill(x, mask, value):
    """x with one value where the mask is true; the gradient of x is 0 there.

    The mask holds bools (else RuntimeError) and broadcasts with x. A value of -inf keeps a place out of a softmax.

    >>> x = tl.tensor([1.0, 2.0, 3.0])
    >>> tl.masked_fill(x, tl.tensor([False, False, True]), -np.inf)
    tensor([  1.,   2., -inf])
    """
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
    """Square matrices with the last dimension of x on their diagonals and 0 elsewhere: x (…, n) gives (…, n, n).

    offset: how far above the main diagonal (negative: below). dim1, dim2: where the matrices' rows and columns go.

    >>> x = tl.tensor([1, 2])
    >>> tl.diag_embed(x)
    tensor([[1, 0],
            [0, 2]])
    >>> tl.diag_embed(tl.ones(4, 3)).shape
    (4, 3, 3)
    """
    if not x.ndim:
        raise RuntimeError("diag_embed: needs at least 1 dimension")
    n = x.shape[-1] + abs(offset)
    if dim_of(x, dim1, 1) == dim_of(x, dim2, 1):
        raise RuntimeError(f"diag_embed: needs two different dimensions, not {dim1} and {dim2}")
    whole = place(x, (Ellipsis, *diagonal_index(n, n, offset)), (*x.shape[:-1], n, n), True)
    return movedim(whole, (-2, -1), (dim1, dim2))


def diagflat(x, offset=0):
    """A square matrix with all elements of x, whatever its shape, on its diagonal and 0 elsewhere.

    offset: how far above the main diagonal (negative: below).

    >>> x = tl.tensor([[1], [2]])
    >>> tl.diagflat(x)
    tensor([[1, 0],
            [0, 2]])
    """
    return diag(reshape(x, -1), offset)


def index_fill(x, dim, index, value):
    """x with one value in the slices along dim that an index names.

    A negative index counts from the back; out of range is an IndexError.

    >>> x = tl.ones(2, 3)
    >>> tl.index_fill(x, 1, tl.tensor([0, -1]), 7.0)
    tensor([[7., 1., 7.],
            [7., 1., 7.]])
    """
    dim, n = dim_of(x, dim), _vector(x).shape[dim]
    index = _vector(as_array(index))
    if index.dtype.kind not in "iu" or index.ndim > 1:
        raise IndexError(f"index_fill: the index is a vector of whole numbers, not {index.dtype} of {index.shape}")
    if outside(index + n * (index < 0), n).any():
        raise IndexError(f"index_fill: an index is out of bounds for dimension {dim} of size {n}")
    named = (index[:, None] % max(n, 1) == np.arange(n)).any(0)
    return masked_fill(x, named.reshape((-1,) + (1,) * (x.ndim - 1 - dim) if x.ndim else ()), value)


def index_copy(x, dim, index, source):
    """x with the slices along dim that a 1-d index names replaced by those of source; of repeats the last stays.

    source has x's dtype, and x's shape but for len(index) along dim (else RuntimeError).

    >>> x = tl.zeros(3, 2)
    >>> tl.index_copy(x, 0, tl.tensor([2, 0]), tl.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [0., 0.],
            [1., 2.]])
    """
    whole, dim, index = _checked("index_copy", x, dim, index)
    source = source if x.ndim else _vector(source)
    if index.ndim != 1 or source.shape != (*whole.shape[:dim], len(index), *whole.shape[dim + 1 :]):
        raise RuntimeError(f"index_copy: source of shape {source.shape} does not fit {len(index)} slices of {x.shape}")
    if source.dtype != x.dtype:
        raise RuntimeError(f"index_copy: source has dtype {source.dtype}, and what it is written to {x.dtype}")
    return _in_shape(index_put(whole, (slice(None),) * dim + (index,), source), x.shape)


def masked_scatter(x, mask, source):
    """x with the elements of source, one after the other, written where the mask is true.

    RuntimeError unless the mask holds bools, and source has x's dtype and enough elements.

    >>> x = tl.zeros(2, 2)
    >>> tl.masked_scatter(x, tl.tensor([[True, False], [True, True]]), tl.tensor([1.0, 2.0, 3.0]))
    tensor([[1., 0.],
            [2., 3.]])
    """
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
    """x with src and what is there taken together where `gather` would read; repeats count each.

    reduce: "sum", "prod" (which has no gradient), "mean", "amax" or "amin". include_self=False leaves the elements of x
    out where the index names them.

    >>> x = tl.zeros(3)
    >>> tl.scatter_reduce(x, 0, tl.tensor([0, 0, 2]), tl.tensor([1.0, 5.0, 3.0]), "amax")
    tensor([5., 0., 3.])
    >>> y = tl.zeros(3)
    >>> tl.scatter_reduce(y, 0, tl.tensor([0, 0, 2]), tl.tensor([1.0, 5.0, 3.0]), "mean", include_self=False)
    tensor([3., 0., 3.])
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
