"""Reading and writing at indices; an index is whatever numpy takes, with Tensors in it too."""

import math

import numpy as np

from ..tape import primitive, unbox


def plain(index):
    """The index with its Tensors replaced by their arrays."""
    if isinstance(index, (tuple, list)):
        return type(index)(plain(i) for i in index)
    return unbox(index)


def _basic(index):
    for part in index if isinstance(index, tuple) else (index,):
        if not (part is None or part is Ellipsis or type(part) in (int, slice) or isinstance(part, np.integer)):
            return False
    return True


def _getitem(x, index):
    if _basic(index):  # the trailing ellipsis keeps a single element a view, not a scalar's copy
        index = index if isinstance(index, tuple) else (index,)
        return x[index if Ellipsis in index else (*index, ...)]
    return x[index]


def _place(g, index, shape):
    out = np.zeros(shape, g.dtype)
    if _basic(index):
        out[index] = g
    else:
        np.add.at(out, index, g)  # an element named twice gets the sum
    return out


def _put(x, index, value):
    out = x.copy()
    out[index] = value
    return out


def _kept(g, index, shape):
    """`g` at an index, but 0 for what a repeat of the same element wrote over: the last one stays."""
    if _basic(index):
        return g
    order = np.arange(math.prod(g.shape)).reshape(g.shape)
    last = np.zeros(shape, order.dtype)
    last[index] = order
    return g * (last[index] == order)


def _take_along_dim(x, indices, dim):
    return np.take_along_axis(x, indices, dim)


def _along(indices, dim):
    """The index arrays by which x[...] reads what take_along_dim reads."""
    grid = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    grid[dim] = indices
    return tuple(grid)


getitem = primitive(_getitem, lambda g, out, x, index: place(g, index, x.shape))
place = primitive(_place, lambda g, out, x, index, shape: getitem(g, index))
put = primitive(_put,
                lambda g, out, x, index, value: put(g, index, 0.0),
                None,
                lambda g, out, x, index, value: _kept(getitem(g, index), index, x.shape))
take_along_dim = primitive(_take_along_dim,
                           lambda g, out, x, indices, dim: place(g, _along(unbox(indices), dim), x.shape), None)
