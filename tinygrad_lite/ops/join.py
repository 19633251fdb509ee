"""Several tensors into one, and one into several."""

import itertools

import numpy as np

from ..engine.dtypes import result_type
from ..engine.tape import broadcast_to, primitive
from ..engine.values import unbox
from .arguments import dim_of, plain
from .index import getitem, pad
from .shape import flatten, reshape


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
    """The tensors one after the other along a dimension: shapes (2, 3) and (4, 3) give (6, 3) with dim=0.

    The other sizes agree (else RuntimeError); the dtype is one that holds all. `stack` makes a new dimension.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.cat([x, x + 10])
    tensor([[ 1,  2],
            [ 3,  4],
            [11, 12],
            [13, 14]])
    >>> tl.cat([x, x + 10], dim=1)
    tensor([[ 1,  2, 11, 12],
            [ 3,  4, 13, 14]])
    """
    tensors = _listed("cat", tensors)
    like = next((t for t in tensors if t.shape != (0,)), tensors[0])
    dim = dim_of(like, dim)
    nothing = (*like.shape[:dim], 0, *like.shape[dim + 1 :])
    if like.ndim > 1:  # PyTorch's: what is of shape (0,) fits everywhere
        tensors = [reshape(t, nothing) if t.shape == (0,) else t for t in tensors]
    return _cat_along(dim, *tensors)


def stack(tensors, dim=0):
    """Tensors of one shape along a new dimension: k tensors (n,) give (k, n), or (n, k) with dim=1.

    RuntimeError where the shapes differ. The dtype is one that holds all.

    >>> x = tl.tensor([1, 2, 3])
    >>> tl.stack([x, x + 10])
    tensor([[ 1,  2,  3],
            [11, 12, 13]])
    >>> tl.stack([x, x + 10], dim=1)
    tensor([[ 1, 11],
            [ 2, 12],
            [ 3, 13]])
    """
    tensors = _listed("stack", tensors)
    if any(t.shape != tensors[0].shape for t in tensors):
        raise RuntimeError(f"stack: the shapes differ: {', '.join(str(t.shape) for t in tensors)}")
    return _stacked(dim_of(tensors[0], dim, extra=1), *tensors)


def _each(tensors, function):
    """What a function gives of one tensor, or a tuple of what it gives of each."""
    if len(tensors) == 1 and hasattr(tensors[0], "shape"):
        return function(tensors[0])
    return tuple(map(function, tensors[0] if len(tensors) == 1 else tensors))


def atleast_1d(*tensors):
    """The tensor with at least 1 dimension: a single number becomes a vector of one element.

    Several tensors give a tuple.

    >>> x = tl.tensor(5.0)
    >>> tl.atleast_1d(x)
    tensor([5.])
    """
    return _each(tensors, lambda t: t if t.ndim else reshape(t, 1))


def atleast_2d(*tensors):
    """The tensor with at least 2 dimensions: a vector becomes a matrix of one row.

    Several tensors give a tuple.

    >>> x = tl.tensor([1, 2, 3])
    >>> tl.atleast_2d(x)
    tensor([[1, 2, 3]])
    """
    return _each(tensors, lambda t: t if t.ndim > 1 else reshape(t, 1, -1))


def atleast_3d(*tensors):
    """The tensor with at least 3 dimensions: a vector (n,) becomes (1, n, 1), a matrix (m, n) becomes (m, n, 1).

    Several tensors give a tuple.

    >>> x = tl.ones(4, 5)
    >>> tl.atleast_3d(x).shape
    (4, 5, 1)
    """
    return _each(tensors, lambda t: t if t.ndim > 2 else reshape(atleast_2d(t), *atleast_2d(t).shape, 1))


def broadcast_tensors(*tensors):
    """The tensors, as a tuple, in the one shape that they broadcast to, without copies.

    RuntimeError where there is none.

    >>> x, y = tl.broadcast_tensors(tl.tensor([1, 2, 3]), tl.tensor([[10], [20]]))
    >>> x
    tensor([[1, 2, 3],
            [1, 2, 3]])
    >>> y
    tensor([[10, 10, 10],
            [20, 20, 20]])
    """
    shapes = [t.shape for t in _listed("broadcast_tensors", tensors)]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise RuntimeError(f"broadcast_tensors: the shapes {', '.join(map(str, shapes))} do not fit") from None
    return tuple(broadcast_to(t, shape) for t in tensors)


def column_stack(tensors):
    """Vectors as the columns of a matrix; matrices are put side by side.

    >>> x = tl.tensor([1, 2, 3])
    >>> tl.column_stack([x, x * 10])
    tensor([[ 1, 10],
            [ 2, 20],
            [ 3, 30]])
    """
    return cat([reshape(t, -1, 1) if t.ndim < 2 else t for t in _listed("column_stack", tensors)], 1)


def dstack(tensors):
    """The tensors one behind the other, along dimension 2; a vector counts as (1, n, 1) and a matrix as (m, n, 1).

    >>> red, green = tl.zeros(4, 5), tl.ones(4, 5)
    >>> tl.dstack([red, green]).shape
    (4, 5, 2)
    """
    return cat([atleast_3d(t) for t in _listed("dstack", tensors)], 2)


def block_diag(*tensors):
    """A matrix with the given matrices on its diagonal, from the upper left to the lower right, and 0 elsewhere.

    A vector counts as a row. RuntimeError for more than 2 dimensions.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.block_diag(x, tl.tensor([[5]]))
    tensor([[1, 2, 0],
            [3, 4, 0],
            [0, 0, 5]])
    """
    blocks = [atleast_2d(t) for t in _listed("block_diag", tensors)]
    if any(b.ndim > 2 for b in blocks):
        raise RuntimeError(f"block_diag: needs at most 2 dimensions, not {', '.join(str(b.shape) for b in blocks)}")
    width, rows, start = sum(b.shape[1] for b in blocks), [], 0
    for b in blocks:
        rows.append(pad(b, (start, width - start - b.shape[1])))
        start += b.shape[1]
    return cat(rows, 0)


def cartesian_prod(*tensors):
    """Every way to take one element of each vector, a row each; the last vector's elements change fastest.

    >>> x = tl.tensor([1, 2])
    >>> tl.cartesian_prod(x, tl.tensor([30, 40]))
    tensor([[ 1, 30],
            [ 1, 40],
            [ 2, 30],
            [ 2, 40]])
    """
    grid = [flatten(t) for t in meshgrid(*tensors)]
    return stack(grid, 1) if len(grid) > 1 else grid[0]


def combinations(x, r=2, with_replacement=False):
    """Every way to choose r elements of a vector, a row each, in the order of the vector.

    with_replacement=True lets an element be chosen again. RuntimeError unless x is a vector.

    >>> x = tl.tensor([1, 2, 3])
    >>> tl.combinations(x)
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    >>> tl.combinations(x, r=3)
    tensor([[1, 2, 3]])
    """
    if x.ndim != 1 or r < 0:
        raise RuntimeError(f"combinations: needs a vector and r >= 0, not shape {x.shape} and r = {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = list(choose(range(len(x)), r)) if r else []
    return getitem(x, np.array(rows, int).reshape(len(rows), r))


def hstack(tensors):
    """The tensors side by side: along dimension 1, or, for vectors, one after the other.

    >>> x = tl.tensor([[1], [2]])
    >>> tl.hstack([x, x * 10])
    tensor([[ 1, 10],
            [ 2, 20]])
    >>> tl.hstack([tl.tensor([1, 2]), tl.tensor([3])])
    tensor([1, 2, 3])
    """
    tensors = [reshape(t, 1) if t.ndim == 0 else t for t in _listed("hstack", tensors)]
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


def vstack(tensors):
    """The tensors one above the other, along dimension 0; a vector counts as a row.

    >>> x = tl.tensor([1, 2, 3])
    >>> tl.vstack([x, x * 10])
    tensor([[ 1,  2,  3],
            [10, 20, 30]])
    """
    return cat([reshape(t, 1, -1) if t.ndim < 2 else t for t in _listed("vstack", tensors)], 0)


def _dim_to_cut(op, x, dim):
    if not x.ndim:
        raise RuntimeError(f"{op}: a tensor of no dimensions has none to cut along")
    return dim_of(x, dim)


def split(x, split_size_or_sections, dim=0):
    """A tuple of pieces of x along dim: all of one size (the last may be smaller), or of the sizes in a list.

    The pieces are views. RuntimeError where the sizes in a list do not add up to the size of the dimension.

    >>> x = tl.arange(5)
    >>> tl.split(x, 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    >>> tl.split(x, [1, 4])
    (tensor([0]), tensor([1, 2, 3, 4]))
    """
    dim, sizes = _dim_to_cut("split", x, dim), split_size_or_sections
    n = x.shape[dim]
    if isinstance(sizes, (int, np.integer)):
        if sizes < 0 or n and not sizes:
            raise RuntimeError(f"split: the size of a piece is above 0, not {sizes}")
        sizes = [min(sizes, n - start) for start in range(0, n, sizes or 1)] or [0]
    if sum(sizes) != n or any(size < 0 for size in sizes):
        raise RuntimeError(f"split: sizes {list(sizes)} do not add up to dimension {dim} of size {n}")
    ends, lead = itertools.accumulate(sizes), (slice(None),) * dim
    return tuple(getitem(x, (*lead, slice(end - size, end))) for size, end in zip(sizes, ends))


def chunk(x, chunks, dim=0):
    """A tuple of at most `chunks` pieces of x along dim, views of one size; the last may be smaller.

    There may be fewer: of 5 elements 4 chunks are pieces of 2, 2 and 1. `tensor_split` gives as many as are asked for.

    >>> x = tl.arange(5)
    >>> tl.chunk(x, 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    chunks = plain(chunks)
    if chunks <= 0:
        raise RuntimeError(f"chunk: the number of pieces is above 0, not {chunks}")
    n = x.shape[_dim_to_cut("chunk", x, dim)]
    return split(x, -(-n // chunks) if n else [0] * chunks, dim)


def tensor_split(x, indices_or_sections, dim=0):
    """A tuple of pieces of x along dim: a number of nearly equal ones, or those between the indices in a list.

    Sizes of equal pieces differ by at most 1. The pieces are views, and may be empty.

    >>> x = tl.arange(7)
    >>> tl.tensor_split(x, 3)
    (tensor([0, 1, 2]), tensor([3, 4]), tensor([5, 6]))
    >>> tl.tensor_split(x, [2, 5])
    (tensor([0, 1]), tensor([2, 3, 4]), tensor([5, 6]))
    """
    dim, cuts = dim_of(x, dim), unbox(indices_or_sections)
    cuts = cuts.tolist() if hasattr(cuts, "tolist") else cuts
    n = x.shape[dim] if x.ndim else 0
    if not x.ndim or isinstance(cuts, int) and cuts <= 0:
        raise RuntimeError(f"tensor_split: cannot cut shape {x.shape} into {cuts} pieces")
    if isinstance(cuts, int):
        cuts = [k * (n // cuts) + min(k, n % cuts) for k in range(1, cuts)]
    lead = (slice(None),) * dim
    return tuple(getitem(x, (*lead, slice(start, end))) for start, end in zip([0, *cuts], [*cuts, n]))


def _cut(name, least, x, cuts, dim):
    """numpy's splits: a number of pieces divides the dimension."""
    if x.ndim < least:
        raise RuntimeError(f"{name}: needs at least {least} dimensions, not shape {x.shape}")
    if isinstance(cuts, (int, np.integer)) and (cuts <= 0 or x.shape[dim] % cuts):
        raise RuntimeError(f"{name}: {cuts} pieces do not divide dimension {dim} of size {x.shape[dim]}")
    return tensor_split(x, cuts, dim)


def hsplit(x, indices_or_sections):
    """A tuple of pieces of x that lie side by side: x is cut along dimension 1, and a vector along its only one.

    A number of pieces must divide the size (else RuntimeError); a list has the indices in front of which to cut.

    >>> x = tl.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    >>> left, right = tl.hsplit(x, 2)
    >>> left
    tensor([[1, 2],
            [5, 6]])
    """
    return _cut("hsplit", 1, x, indices_or_sections, min(x.ndim - 1, 1))


def vsplit(x, indices_or_sections):
    """A tuple of pieces of x that lie one above the other: x is cut along dimension 0.

    A number of pieces must divide the size (else RuntimeError); a list has the indices in front of which to cut.

    >>> x = tl.tensor([[1, 2], [3, 4], [5, 6]])
    >>> top, rest = tl.vsplit(x, [1])
    >>> rest
    tensor([[3, 4],
            [5, 6]])
    """
    return _cut("vsplit", 2, x, indices_or_sections, 0)


def dsplit(x, indices_or_sections):
    """A tuple of pieces of x that lie one behind the other: x is cut along dimension 2.

    A number of pieces must divide the size (else RuntimeError); a list has the indices in front of which to cut.

    >>> x = tl.zeros(4, 5, 6)
    >>> front, back = tl.dsplit(x, 2)
    >>> back.shape
    (4, 5, 3)
    """
    return _cut("dsplit", 3, x, indices_or_sections, 2)


def unbind(x, dim=0):
    """A tuple of the slices of x along dim, as views without that dimension: the inverse of `stack`.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.unbind(x)
    (tensor([1, 2]), tensor([3, 4]))
    >>> tl.unbind(x, dim=1)
    (tensor([1, 3]), tensor([2, 4]))
    """
    lead = (slice(None),) * _dim_to_cut("unbind", x, dim)
    return tuple(getitem(x, (*lead, i)) for i in range(x.shape[len(lead)]))


def meshgrid(*tensors, indexing="ij"):
    """The coordinates of all places of a grid, a tensor for each vector: x[i] and y[j] at place [i, j].

    Vectors (m,) and (n,) give a tuple of two tensors (m, n), without copies; with indexing="xy", numpy's default, they
    are (n, m). RuntimeError for tensors of more than 1 dimension.

    >>> x, y = tl.meshgrid(tl.tensor([1, 2]), tl.tensor([10, 20, 30]))
    >>> x
    tensor([[1, 1, 1],
            [2, 2, 2]])
    >>> y
    tensor([[10, 20, 30],
            [10, 20, 30]])
    """
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
