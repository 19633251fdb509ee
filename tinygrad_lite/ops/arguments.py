"""What the arguments of operations mean: dtypes, sizes, dimensions, indices."""

import math
import operator

import numpy as np

from ..engine.values import holds, unbox

LONG = 32  # from here on PyTorch takes a list as an index for an array, whatever it holds
NUMBERS = (bool, int, float, np.generic)
WIDER = {"b": np.int64, "i": np.int64, "u": np.int64}  # what sums and products of whole numbers are taken in


def fitting(name, values, dtype):
    """Numbers in a dtype; RuntimeError where it holds one of them not even as PyTorch wraps it (-1 is 255)."""
    array, dtype = np.asarray(values), np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        least = -info.max if dtype.kind == "u" and array.dtype.kind == "i" else info.min
        wrong = ~((array >= least) & (array <= info.max))
    else:
        limit = np.finfo(dtype).max if dtype.kind == "f" else math.inf
        wrong = (abs(array) > limit) & (abs(array) != math.inf)
    if wrong.any():
        raise RuntimeError(f"{name}: {dtype} does not hold {array[wrong].flat[0]}")
    return array.astype(dtype)


def sizes_of(shape):
    """Sizes given one by one or as one sequence."""
    return tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else tuple(shape)


class device(str):
    """The place where tensors are, which is always the CPU; another name is a RuntimeError.

    It is a string that equals "cpu"; programs that say `x.to(device)` run as they are.

    >>> device = tl.device("cpu")
    >>> device == "cpu", device.type
    (True, 'cpu')
    >>> tl.ones(2).to(device)
    tensor([1., 1.])
    """

    type, index = "cpu", None

    def __new__(cls, type="cpu", index=None):
        if str(type).split(":")[0] != "cpu":
            raise RuntimeError(f"device {str(type)!r}: tensors are on the cpu, and nowhere else")
        return super().__new__(cls, "cpu")


def dim_of(x, dim, extra=0):
    """`dim` counted from the front; out of range is an IndexError, as in PyTorch."""
    n = max(x.ndim + extra, 1)
    if not -n <= dim < n:
        raise IndexError(f"dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim % n


def dims_of(x, dim):
    """The dimensions that a reduction over `dim` (None: all) takes away, counted from the front."""
    if dim is None or isinstance(dim, (tuple, list)) and not dim:  # PyTorch: sum(x, ()) is the sum of all
        return tuple(range(x.ndim))
    dims = tuple(dim_of(x, d) for d in ((dim,) if isinstance(dim, (int, np.integer)) else dim))
    if len(set(dims)) < len(dims):
        raise ValueError(f"dim {dim} names a dimension twice")
    return dims if x.ndim else ()


def axis_of(x, dim):
    """What numpy calls `dim`: a 0-d array has no dimension 0 there."""
    return dim if dim is None or type(dim) is int and x.ndim else dims_of(x, dim)


def lost_dims(x, dim, keepdim):
    """The dimensions that a reduction of x takes away: where `unsqueeze` puts them back. What is left of all of them
    is a number, which broadcasts as it is."""
    return () if keepdim or dim is None else dims_of(x, dim)


def count_of(x, dim):
    """How many elements of x a reduction over `dim` takes together."""
    return math.prod(x.shape if dim is None else [x.shape[d] for d in dims_of(x, dim)])


def inverse(dims):
    """The order that undoes a permutation of dimensions."""
    order = [d % len(dims) for d in dims]
    return tuple(order.index(d) for d in range(len(dims)))


def plain(index):
    """The index with its Tensors replaced by their arrays; single whole numbers are read now, and uint8 is a mask.

    A short list that holds more than numbers is the tuple of its parts, as in PyTorch.
    """
    if type(index) is list and len(index) < LONG and not all(isinstance(unbox(i), NUMBERS) for i in index):
        index = tuple(index)
    if isinstance(index, (tuple, list)):
        if type(index) is tuple and all(type(i) is np.ndarray and i.ndim and i.dtype.char != "B" for i in index):
            return index  # it is plain already
        return type(index)(plain(i) for i in index)
    if isinstance(index, slice):
        return slice(*map(_place_in_slice, (index.start, index.stop, index.step)))
    index = unbox(index)
    if isinstance(index, np.integer):
        return int(index)
    if type(index) is np.ndarray and index.dtype.char == "B":  # PyTorch's masks before there were bools
        return index != 0
    if type(index) is np.ndarray and index.ndim == 0 and index.dtype.kind in "iu":
        return index.item()
    return index


def _place_in_slice(n):
    try:
        return n if n is None else operator.index(n)
    except TypeError:
        raise TypeError(f"getitem: a slice goes from and to whole numbers, not {getattr(n, 'dtype', n)}") from None


def need_shape(name, shape, **tensors):
    """RuntimeError unless all tensors (None is passed over) are of one shape."""
    for word, t in tensors.items():
        if t is not None and t.shape != shape:
            raise RuntimeError(f"{name}: the {word} is of shape {tuple(shape)}, not {t.shape}")


def is_basic(index):
    """Whether an index is made of numbers, slices, None and ellipsis: numpy gives a view for it."""
    for part in index if isinstance(index, tuple) else (index,):
        if not (part is None or part is Ellipsis or type(part) in (int, slice) or isinstance(part, np.integer)):
            return False
    return True


def numbers_first(index, ndim):
    """An index of ndim dimensions in two: its whole numbers (None: they need not go first), and the rest.

    Where a slice stands between numbers and arrays, numpy takes the numbers for arrays too, and puts the dimensions of
    arrays first; PyTorch reads at the numbers before. An ellipsis of no dimensions stands between nothing.
    """
    parts = index
    if type(index) is not tuple or not any(isinstance(p, (np.ndarray, list, bool)) for p in parts):
        return None, index
    widths = [_dims_read(p) for p in parts]
    if sum(widths) == ndim:
        widths = [w for w, p in zip(widths, parts) if p is not Ellipsis]
        parts = index = tuple(p for p in parts if p is not Ellipsis)
    numbers = [i for i, p in enumerate(parts) if _is_number(p)]
    arrays = [i for i, p in enumerate(parts) if isinstance(p, (np.ndarray, list, bool)) and not _is_number(p)]
    places = sorted(numbers + arrays)
    if not numbers or places[-1] - places[0] == len(places) - 1:
        return None, index
    first = [[p] if p is Ellipsis or _is_number(p) else [slice(None)] * w for p, w in zip(parts, widths)]
    return sum(map(tuple, first), ()), tuple(p for p in parts if not _is_number(p))


def _is_number(part):
    """Whether a part of an index is one whole number, in vmap perhaps another for each example."""
    return type(part) is int or isinstance(part, np.ndarray) and not part.ndim and part.dtype.kind in "iu"


def _dims_read(part):
    """How many dimensions a part of an index reads; an ellipsis counts as none."""
    if part is None or part is Ellipsis:
        return 0
    array = np.asarray(part) if isinstance(part, (list, bool)) else part
    return array.ndim if getattr(array, "dtype", np.dtype(int)).kind == "b" else 1


def diagonal_index(rows, columns, offset):
    """The row and the column numbers of a matrix's diagonal, `offset` places above the main one."""
    i = np.arange(max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns)))
    return i - min(offset, 0), i + max(offset, 0)


def along(indices, dim):
    """The index arrays by which x[...] reads one element along `dim` for each of `indices`."""
    last = indices.ndim - 1
    return tuple(indices if d == dim else np.arange(n).reshape((n,) + (1,) * (last - d))
                 for d, n in enumerate(indices.shape))


def outside(index, n):
    """Which of an array of whole numbers are not in [0, n)."""
    return _unsigned(index) >= n


def _unsigned(index):
    """Negative numbers as large ones."""
    return index.view(np.uint64) if index.dtype == np.int64 else index.astype(np.uint64)


def all_inside(index, n):
    """Whether all of an array of whole numbers are in [0, n)."""
    return not index.size or holds(np.maximum.reduce(_unsigned(index), axis=None) < n)


def all_in_range(x):
    """Whether none of an array's floating-point numbers is infinite, 0, or so small that it has lost digits."""
    size = np.abs(unbox(x))
    return holds((np.finfo(size.dtype).tiny <= size) & (size < math.inf))
