"""Reading and writing at indices, and what is made of that; an index is whatever numpy takes."""

import builtins
import math

import numpy as np

from ..engine.mode import opaque
from ..engine.tape import broadcast_to, primitive
from ..engine.values import as_array, occurs, unbox
from .arguments import along, diagonal_index, dim_of, fitting, is_basic, outside, plain, sizes_of
from .elementwise import where
from .shape import clone, contiguous, movedim, reshape, unsqueeze


def _getitem(x, index):
    """x[index] as a function, for whatever index numpy takes: a view for whole numbers and slices, else a copy.

    >>> x = tl.tensor([[1, 2, 3], [4, 5, 6]])
    >>> tl.getitem(x, (0, slice(1, 3)))
    tensor([2, 3])
    >>> tl.getitem(x, x > 4)
    tensor([5, 6])
    """
    if type(index) is int:
        return x[index, ...]
    if is_basic(index):  # the trailing ellipsis keeps a single element a view, not a scalar's copy
        index = index if isinstance(index, tuple) else (index,)
        return x[index if Ellipsis in index else (*index, ...)]
    if type(index) is np.ndarray and index.dtype == bool and not index.size:
        _refuse_unlike(x, index)
    return x[index]


def _refuse_unlike(x, mask):
    """numpy takes a mask of no elements for an index of none."""
    if mask.shape != x.shape[: mask.ndim]:
        raise IndexError(f"a mask of shape {mask.shape} does not match a tensor of shape {x.shape}")


def _place(g, index, shape, unique_indices=False):
    """Zeros of a shape with g added at an index: what turns the gradient of x[index] into that of x.

    An element that the index names twice gets the sum. unique_indices=True promises that there is none, and is faster.

    >>> g = tl.tensor([1.0, 2.0, 3.0])
    >>> tl.place(g, tl.tensor([0, 2, 2]), (4,))
    tensor([1., 0., 5., 0.])
    """
    if unique_indices:
        return _spread(g, index, shape)
    parts = index if isinstance(index, tuple) else (index,)
    arrays = [as_array(p) for p in parts] if not is_basic(index) and not _mixed(parts) else []
    if arrays and all(a.dtype.kind in "iu" for a in arrays):
        return _added_rows(g, arrays, shape)
    if [as_array(p).dtype.kind for p in parts] == ["b"]:  # no element twice
        return _spread(g, index, shape)
    out = np.zeros_like(g, shape=shape)
    if is_basic(index):
        out[index] = g
    else:
        np.add.at(out, index, g)  # an element named twice gets the sum
    return out


def _mixed(parts):
    return any(p is None or p is Ellipsis or isinstance(p, slice) for p in parts)


def _written_once(g, index, shape):
    return _put(np.zeros_like(g, shape=shape), index, g)


@opaque(plain=_written_once, mapped=_written_once)
def _spread(g, index, shape):
    """Zeros with g at an index that names no element twice."""
    out = np.zeros(shape, g.dtype)
    out[index] = g
    return out


def _added(g, arrays, shape):
    out = np.zeros_like(g, shape=shape)
    np.add.at(out, tuple(arrays), g)
    return out


def _first_of_each(rows):
    """Where a sorted row begins."""
    first = np.ones(len(rows), bool)
    np.not_equal(rows[1:], rows[:-1], out=first[1:])
    return first


@opaque(plain=_added, mapped=_added)
def _added_rows(g, arrays, shape):
    """Zeros with g added at whole numbers: sorted by row, then added run by run, 5 times as fast as np.add.at.

    Where few rows are named twice, the first of each is written and only what repeats it is added.
    """
    out = np.zeros(shape, g.dtype)
    arrays = np.broadcast_arrays(*arrays) if len(arrays) > 1 else arrays
    lead, width = out.shape[: len(arrays)], math.prod(out.shape[len(arrays) :])
    rows = np.ravel_multi_index([a.ravel() % n for a, n in zip(arrays, lead)], lead) if out.size else arrays[0].ravel()
    values = np.broadcast_to(g, arrays[0].shape + out.shape[len(arrays) :]).reshape(rows.size, width)
    flat = out.reshape(math.prod(lead), width)
    order = np.argsort(rows.astype(np.uint16) if len(flat) <= 1 << 16 else rows, kind="stable")  # 16 bits: radix sort
    rows = rows[order]
    first = _first_of_each(rows)
    if 2 * np.count_nonzero(first) > len(rows):
        flat[rows[first]] = values.take(order[first], 0)
        rows, order = rows[~first], order[~first]
        first = _first_of_each(rows)
    if len(rows):
        flat[rows[first]] += np.add.reduceat(values.take(order, 0), np.flatnonzero(first), axis=0)
    return out


def _gather(x, dim, index, unique_indices):
    return x[along(index, dim)]


@opaque
def _put(x, index, value):
    out = x.copy()
    if type(index) is np.ndarray and index.dtype == bool and not index.size:
        _refuse_unlike(x, index)
    if getattr(value, "ndim", 0) and value.shape[0] == 1:  # numpy lets a value have more dimensions of size 1 in front
        value = value.reshape(value.shape[max(value.ndim - out[index].ndim, 0):])
    out[index] = value
    return out


def _put_value_rule(g, out, x, index, value):
    d = getitem(g, index)
    if not is_basic(index):  # of several values for one element only the last stayed
        order = np.arange(math.prod(d.shape)).reshape(d.shape)
        d = d * (getitem(index_put(np.zeros(x.shape, np.int64), index, order), index) == order)
    return unsqueeze(d, tuple(range(value.ndim - d.ndim)))


getitem = primitive(_getitem, lambda g, out, x, index: place(g, index, x.shape))
place = primitive(_place, lambda g, out, x, index, shape, unique_indices: getitem(g, index))
_written = primitive(_put,
                     lambda g, out, x, index, value: index_put(g, index, 0.0),
                     None,
                     _put_value_rule, name="index_put")
_gathered = primitive(_gather, lambda g, out, x, dim, index, unique_indices:
                      place(g, along(index, dim), x.shape, unique_indices))


def index_put(x, indices, values, accumulate=False):
    """x with values written at what x[indices] would read; with accumulate=True they are added to what is there.

    indices: a tuple of a tensor for each dimension, or a mask. values: a number, or a tensor that broadcasts to the
    shape of x[indices] (else RuntimeError). Of several values for one element the last stays, or all are added.

    >>> x = tl.zeros(3)
    >>> tl.index_put(x, (tl.tensor([0, 2]),), tl.tensor([1.0, 5.0]))
    tensor([1., 0., 5.])
    >>> y = tl.zeros(3)
    >>> tl.index_put(y, (tl.tensor([1, 1]),), tl.tensor([1.0, 5.0]), accumulate=True)
    tensor([0., 6., 0.])
    """
    indices = plain(indices)
    if accumulate:
        values = as_array(values) if isinstance(values, (int, float)) else values
        there = np.empty(x.shape, bool)[indices].shape
        if any(k not in (1, n) for k, n in zip(values.shape[::-1], there[::-1])) or values.ndim > len(there):
            raise RuntimeError(f"index_put: values of shape {values.shape} do not fit the {there} that the index names")
        return x + place(values, indices, x.shape)
    if x.dtype.kind != "f":
        if isinstance(values, (int, float)):
            values = fitting("index_put", values, x.dtype)
        elif hasattr(values, "node"):
            values = values.detach()  # whole numbers have no gradient
    return _written(x, indices, values)


def _vector(x):
    """A 0-d tensor as one of 1 element: as such it counts where elements are read and written along a dimension."""
    return reshape(x, 1) if hasattr(x, "shape") and not x.shape else x


def _in_shape(x, shape):
    return x if x.shape == shape else reshape(x, shape)


def _checked(op, x, dim, index):
    """x, dim counted from the front, and the index as an array, neither 0-d; what is out of range is refused."""
    index, dim, x = _vector(as_array(index)), dim_of(x, dim), _vector(x)
    if index.dtype.kind not in "iu":
        raise IndexError(f"{op}: the index holds whole numbers, not {index.dtype}")
    wrong = outside(index, x.shape[dim])
    if occurs(wrong):
        raise IndexError(f"{op}: index {index[wrong][0]} is out of bounds for dimension {dim} of size {x.shape[dim]}")
    return x, dim, index


def take_along_dim(x, indices, dim=None):
    """The elements of x at `indices` along dim, as `argsort` gives them; without dim x counts as one flat vector.

    x and indices have the same number of dimensions (else RuntimeError), and broadcast in all but dim. A negative index
    counts from the back; out of range is an IndexError.

    >>> x = tl.tensor([[3, 1, 2], [6, 5, 4]])
    >>> tl.take_along_dim(x, tl.argsort(x, 1), 1)
    tensor([[1, 2, 3],
            [4, 5, 6]])
    """
    if dim is None:
        return getitem(reshape(x, -1), reshape(unbox(indices), -1))
    indices = unbox(indices)
    if x.ndim != indices.ndim:
        raise RuntimeError(f"take_along_dim: x of shape {x.shape} and indices of {indices.shape} differ in dimensions")
    x, dim, indices = _checked("take_along_dim", x, dim, np.where(indices < 0, indices + x.shape[dim], indices))
    shape = list(np.broadcast_shapes(*(s[:dim] + (1,) + s[dim + 1 :] for s in (x.shape, indices.shape))))
    grid = along(np.broadcast_to(indices, shape[:dim] + [indices.shape[dim]] + shape[dim + 1 :]).copy(), dim)
    return getitem(broadcast_to(x, tuple(shape[:dim] + [x.shape[dim]] + shape[dim + 1 :])), grid)


def _refuse_larger(op, x, dim, index):
    if index.size and (index.ndim != x.ndim or
                       any(i > n for d, (i, n) in enumerate(zip(index.shape, x.shape)) if d != dim)):
        raise RuntimeError(f"{op}: an index of shape {index.shape} does not fit into {x.shape} apart from dim {dim}")


def gather(x, dim, index):
    """For each number of the index one element of x along dim: out[i][j] = x[i][index[i][j]] for dim=1 of a matrix.

    The index has as many dimensions as x and, but for dim, at most its sizes (else RuntimeError); the result has the
    shape of the index. A number outside of 0 … size - 1 is an IndexError.

    >>> x = tl.tensor([[0.1, 0.9], [0.8, 0.2]])
    >>> tl.gather(x, 1, tl.tensor([[1], [0]]))
    tensor([[0.9],
            [0.8]])
    """
    shape = np.shape(unbox(index))
    x, dim, index = _checked("gather", x, dim, index)
    _refuse_larger("gather", x, dim, index)
    if not index.size:
        return getitem(reshape(x, -1), index)
    return _in_shape(_gathered(x, dim, index, False), shape)


def _written_along(op, x, dim, index, src, write):
    """x after `write` of it, the places that the index names, and the part of src that goes there."""
    whole, dim, index = _checked(op, x, dim, index)
    _refuse_larger(op, whole, dim, index)
    src = _vector(src)
    if not index.size:
        return clone(x)
    if hasattr(src, "shape"):
        if src.ndim != index.ndim or any(i > n for i, n in zip(index.shape, src.shape)):
            raise RuntimeError(f"{op}: src of shape {src.shape} is smaller than the index of shape {index.shape}")
        if src.dtype != x.dtype:
            raise RuntimeError(f"{op}: src has dtype {src.dtype}, and what it is written to {x.dtype}")
        src = getitem(src, tuple(slice(n) for n in index.shape))
    return _in_shape(write(whole, along(index, dim), src), x.shape)


def _add_at(x, at, src):
    if isinstance(src, (int, float)):
        src = np.full(np.broadcast_shapes(*(a.shape for a in at)), src, x.dtype)
    return x + place(src, at, x.shape)


def _multiply_at(x, at, src):
    if getattr(x, "requires_grad", False) or getattr(src, "requires_grad", False):
        raise NotImplementedError("scatter: a product (reduce='multiply' or 'prod') has no gradient; use .detach()")
    return _multiplied(x, at, src)


def _multiplied_at(x, at, src):
    out = x.copy()
    np.multiply.at(out, at, src)
    return out


_multiplied = primitive(_multiplied_at, None, name="scatter")


REDUCTIONS = {None: index_put, "add": _add_at, "multiply": _multiply_at}


def scatter(x, dim, index, src, *, reduce=None):
    """x with src written where `gather` would read: out[i][index[i][j]] = src[i][j] for dim=1 of a matrix.

    src is a number, or a tensor of x's dtype no smaller than the index (else RuntimeError). Of repeats the last stays.
    reduce="add" or "multiply" (which has no gradient) adds to what is there, or multiplies it.

    >>> x = tl.zeros(2, 3)
    >>> tl.scatter(x, 1, tl.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    if reduce not in REDUCTIONS:
        raise ValueError(f"scatter: reduce is None, 'add' or 'multiply', not {reduce!r}")
    return _written_along("scatter", x, dim, index, src, REDUCTIONS[reduce])


def scatter_add(x, dim, index, src):
    """x with src added where `gather` would read, and repeats added up: out[index[i]] += src[i] for a vector.

    src is a number, or a tensor of x's dtype no smaller than the index (else RuntimeError).

    >>> x = tl.zeros(4)
    >>> tl.scatter_add(x, 0, tl.tensor([0, 2, 2]), tl.tensor([1.0, 2.0, 3.0]))
    tensor([1., 0., 5., 0.])
    """
    return _written_along("scatter_add", x, dim, index, src, _add_at)


def index_select(x, dim, index):
    """The slices of x along dim that a 1-d index names, in the order of the index.

    The result has x's shape, but for len(index) along dim. A number outside of 0 … size - 1 is an IndexError.

    >>> x = tl.tensor([[1, 2, 3], [4, 5, 6]])
    >>> tl.index_select(x, 1, tl.tensor([2, 0, 0]))
    tensor([[3, 1, 1],
            [6, 4, 4]])
    """
    whole, dim, index = _checked("index_select", x, dim, index)
    if index.ndim != 1 or not x.ndim and index.size != 1:
        raise IndexError(f"index_select: an index of shape {index.shape} does not name slices of {x.shape}")
    out = getitem(whole, (slice(None),) * dim + (index,))
    return out if x.ndim else reshape(out, ())


def index_add(x, dim, index, source, *, alpha=1):
    """x with alpha * source added to the slices along dim that a 1-d index names; repeats add up.

    source has x's dtype, and x's shape but for len(index) along dim (else RuntimeError).

    >>> x = tl.zeros(3, 2)
    >>> tl.index_add(x, 0, tl.tensor([0, 2, 2]), tl.ones(3, 2))
    tensor([[1., 1.],
            [0., 0.],
            [2., 2.]])
    """
    whole, dim, index = _checked("index_add", x, dim, index)
    source = source if x.ndim else _vector(source)
    if source.shape != (*whole.shape[:dim], len(index), *whole.shape[dim + 1 :]):
        raise RuntimeError(f"index_add: source of shape {source.shape} does not fit {len(index)} slices of {x.shape}")
    if source.dtype != x.dtype:
        raise RuntimeError(f"index_add: source has dtype {source.dtype}, and what it is added to {x.dtype}")
    added = place(source if alpha == 1 else source * alpha, (slice(None),) * dim + (index,), whole.shape)
    return _in_shape(whole + added, x.shape)


def masked_select(x, mask):
    """The elements of x where the mask is true, as a vector; x and the mask are broadcast to one shape.

    RuntimeError unless the mask's dtype is bool. The number of elements depends on the mask: `where` keeps the shape.

    >>> x = tl.tensor([[1, -2], [-3, 4]])
    >>> tl.masked_select(x, x > 0)
    tensor([1, 4])
    """
    mask = as_array(mask)
    if mask.dtype != bool:
        raise RuntimeError(f"masked_select: the mask holds bools, not {mask.dtype}")
    shape = np.broadcast_shapes(x.shape, mask.shape)
    return getitem(broadcast_to(x, shape), np.broadcast_to(mask, shape))


def _flip(x, dims):
    return np.flip(x, dims).copy()


_flipped = primitive(_flip, lambda g, out, x, dims: flip(g, dims))


def _no_dims(x, dims):
    """The dims of a 0-d tensor, which are looked at all the same."""
    for d in dims:
        dim_of(x, d)
    return ()


def flip(x, *dims):
    """A copy of x with the order of elements reversed along dims. Without dims, unlike in numpy, nothing is reversed.

    >>> x = tl.tensor([[1, 2, 3], [4, 5, 6]])
    >>> tl.flip(x, 1)
    tensor([[3, 2, 1],
            [6, 5, 4]])
    >>> tl.flip(x, 0, 1)
    tensor([[6, 5, 4],
            [3, 2, 1]])
    """
    return _flipped(x, tuple(dim_of(x, d) for d in sizes_of(dims)) if x.ndim else _no_dims(x, sizes_of(dims)))


def roll(x, shifts, dims=None):
    """The elements moved on by `shifts` along dims; those that fall off at the end come in again at the start.

    Several dims have a shift each (else RuntimeError). Without dims the elements move as if they were one flat vector,
    and the shape stays.

    >>> x = tl.tensor([1, 2, 3, 4, 5])
    >>> tl.roll(x, 2)
    tensor([4, 5, 1, 2, 3])
    >>> tl.roll(x, -1)
    tensor([2, 3, 4, 5, 1])
    """
    if dims is None:
        return reshape(roll(reshape(x, -1), shifts, 0), x.shape)
    if not x.ndim:
        raise IndexError("roll: a tensor of no dimensions has none to move along; leave dims out")
    if 0 in x.shape:
        return clone(x)  # whatever the dims, as in PyTorch
    shifts, dims = ((v,) if isinstance(v, (int, np.integer)) else tuple(v) for v in (shifts, dims))
    if len(shifts) != len(dims) or not shifts:
        raise RuntimeError(f"roll: shifts {shifts} and dims {dims} must be as many, at least one")
    for shift, d in zip(shifts, dims):
        d = dim_of(x, d)
        x = index_select(x, d, (np.arange(x.shape[d]) - shift) % builtins.max(x.shape[d], 1))
    return x


def repeat_interleave(x, repeats, dim=None, *, output_size=None):
    """Each element of x (each slice along dim, if given) `repeats` times in a row.

    repeats is a number, or a tensor with one for each. output_size is only checked: RuntimeError where it is wrong.

    >>> x = tl.tensor([1, 2, 3])
    >>> tl.repeat_interleave(x, 2)
    tensor([1, 1, 2, 2, 3, 3])
    >>> tl.repeat_interleave(x, tl.tensor([0, 1, 3]))
    tensor([2, 3, 3, 3])
    """
    if dim is None:
        x, dim = reshape(x, -1), 0
    x = _vector(x)
    out = index_select(x, dim, np.repeat(np.arange(x.shape[dim]), unbox(repeats)))
    if output_size not in (None, out.shape[dim]):
        raise RuntimeError(f"repeat_interleave: output_size is {output_size}, but the repeats make {out.shape[dim]}")
    return out


def _triangle(op, x, keep):
    if x.ndim < 2:
        raise RuntimeError(f"{op}: needs at least 2 dimensions, not shape {x.shape}")
    whole = keep(np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1]))
    return contiguous(where(whole, x, np.zeros((), x.dtype)))


def tril(x, diagonal=0):
    """The lower triangle of the last two dimensions, the diagonal with it, and 0 above.

    diagonal: the last one that is kept; 1 is the one above the main diagonal, -1 the one below.

    >>> x = tl.ones(3, 3)
    >>> tl.tril(x)
    tensor([[1., 0., 0.],
            [1., 1., 0.],
            [1., 1., 1.]])
    """
    return _triangle("tril", x, lambda i, j: j - i <= diagonal)


def triu(x, diagonal=0):
    """The upper triangle of the last two dimensions, the diagonal with it, and 0 below.

    diagonal: the first one that is kept; 1 is the one above the main diagonal, as in a causal mask.

    >>> x = tl.ones(3, 3)
    >>> tl.triu(x, diagonal=1)
    tensor([[0., 1., 1.],
            [0., 0., 1.],
            [0., 0., 0.]])
    """
    return _triangle("triu", x, lambda i, j: j - i >= diagonal)


def _diagonal(x, offset):
    n = diagonal_index(x.shape[-2], x.shape[-1], offset)[0].size
    rows, columns = builtins.max(-offset, 0), builtins.max(offset, 0)
    square = x[..., rows : rows + n, columns : columns + n]
    return np.einsum("...ii->...i", square)  # a view, and unlike np.diagonal's one that can be written to


_on_last = primitive(_diagonal, lambda g, out, x, offset:
                     place(g, (Ellipsis, *diagonal_index(x.shape[-2], x.shape[-1], offset)), x.shape, True))


def diagonal(x, offset=0, dim1=0, dim2=1):
    """The diagonal of two dimensions, as the last dimension of the result; it shares x's memory.

    offset: how far above the main diagonal (negative: below). x (N, n, n) gives (N, n) with dim1=1, dim2=2.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.diagonal(x)
    tensor([1, 4])
    >>> tl.diagonal(x, offset=1)
    tensor([2])
    """
    if x.ndim < 2 or dim_of(x, dim1) == dim_of(x, dim2):
        raise RuntimeError(f"diagonal: needs two different dimensions, not {dim1} and {dim2} of shape {x.shape}")
    return _on_last(movedim(x, (dim1, dim2), (-2, -1)), offset)


def diag(x, diagonal=0):
    """A square matrix with the vector x on its diagonal and 0 elsewhere, or the diagonal of the matrix x.

    diagonal: how far above the main one (negative: below). RuntimeError for more than 2 dimensions: see `diagonal`.

    >>> x = tl.tensor([1, 2])
    >>> tl.diag(x)
    tensor([[1, 0],
            [0, 2]])
    >>> tl.diag(tl.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    if x.ndim == 1:
        n = x.shape[0] + builtins.abs(diagonal)
        return place(x, diagonal_index(n, n, diagonal), (n, n))
    if x.ndim != 2:
        raise RuntimeError(f"diag: needs 1 or 2 dimensions, not shape {x.shape}")
    rows, columns = x.shape
    return getitem(x, diagonal_index(rows, columns, diagonal))


def _circular(at, n):
    low, high = max(at[0], 0), min(at[-1] + 1, n)  # what is not cut off
    return low + (at - low) % (high - low)


PADDING = {  # where the elements at places before 0 and after n - 1 come from
    "reflect": lambda at, n: n - 1 - np.abs(n - 1 - np.abs(at)),
    "replicate": lambda at, n: np.clip(at, 0, n - 1),
    "circular": _circular}


def pad(x, pad, mode="constant", value=None):
    """x with more around it: pad = (left, right) of the last dimension, then of the one before it, and so on.

    mode: "constant" puts `value` there (0 unless given), "replicate" repeats the outermost elements, "reflect" mirrors
    x at them (by less than the size), "circular" goes on at the other end (by at most the size). Negative widths cut
    off. RuntimeError for widths that do not fit.

    >>> x = tl.tensor([[1, 2, 3], [4, 5, 6]])
    >>> tl.pad(x, (1, 0, 0, 1))
    tensor([[0, 1, 2, 3],
            [0, 4, 5, 6],
            [0, 0, 0, 0]])
    >>> tl.pad(x, (2, 1), mode="reflect")
    tensor([[3, 2, 1, 2, 3, 2],
            [6, 5, 4, 5, 6, 5]])
    """
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2)
    pairs += [plain(pair) for pair in zip(pad[-2::-2], pad[::-2])]  # numpy's unsigned numbers would wrap around
    if len(pad) % 2 or len(pairs) != x.ndim:
        raise RuntimeError(f"pad: {len(pad)} widths {tuple(pad)} are no pairs for at most {x.ndim} dimensions")
    if any(n + l + r < 0 for (l, r), n in zip(pairs, x.shape)):
        raise RuntimeError(f"pad: {tuple(pad)} cuts off more of shape {x.shape} than there is")
    if mode == "constant":
        inside = getitem(x, tuple(slice(max(-l, 0), n - max(-r, 0)) for (l, r), n in zip(pairs, x.shape)))
        outside = np.full([n + l + r for (l, r), n in zip(pairs, x.shape)], fitting("pad", value or 0, x.dtype))
        middle = tuple(slice(max(l, 0), max(l, 0) + n) for (l, _), n in zip(pairs, inside.shape))
        return index_put(outside, middle, inside)
    if mode not in PADDING:
        raise ValueError(f"pad: mode is constant, {', '.join(PADDING)}, not {mode!r}")
    for dim, ((l, r), n) in enumerate(zip(pairs, x.shape)):
        if l or r:
            widest = {"reflect": n - 1, "circular": n, "replicate": max(l, r) if n else 0}[mode]
            if max(l, r) > widest:
                raise RuntimeError(f"pad: {mode} widths {(l, r)} do not fit dimension {dim} of size {n}")
            x = index_select(x, dim, PADDING[mode](np.arange(-l, n + r), n))
    return x
