"""Order and choice: sorting, the largest, the distinct, counts."""

import numpy as np

from ..engine.return_types import named_results
from ..engine.tape import box, primitive
from ..engine.values import as_array, unbox
from . import elementwise
from .arguments import dim_of, outside
from .index import _gathered
from .shape import clone, contiguous


def _argsort(x, dim=-1, descending=False, stable=False):
    """The indices that sort x along dim, in rising order unless descending=True.

    Equal elements keep their order (whether `stable` or not), and NaN counts as the largest.

    >>> x = tl.tensor([3.0, 1.0, 2.0])
    >>> tl.argsort(x)
    tensor([1, 2, 0])
    >>> x[tl.argsort(x, descending=True)]
    tensor([3., 2., 1.])
    """
    dim = dim_of(x, dim)
    if not x.ndim:
        return np.zeros((), np.int64)
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    order = np.argsort(np.flip(x, dim), axis=dim, kind="stable")  # twice flipped, equal ones keep their order
    return x.shape[dim] - 1 - np.flip(order, dim)


def _one_hot(index, num_classes=-1):
    """Class numbers (…) as int64 vectors (…, num_classes), which are 1 at the number and 0 elsewhere.

    num_classes: one more than the largest number, unless given. A negative number is a RuntimeError, one that is too
    large an IndexError.

    >>> x = tl.tensor([0, 2, 1])
    >>> tl.one_hot(x, num_classes=4)
    tensor([[1, 0, 0, 0],
            [0, 0, 1, 0],
            [0, 1, 0, 0]])
    """
    if index.dtype.kind not in "iu":
        raise TypeError(f"the index holds whole numbers, not {index.dtype}")
    if num_classes < -1 or num_classes == -1 and not index.size:
        raise ValueError(f"num_classes is how many classes there are, not {num_classes}"
                         + ", for there is no number to tell it by" * (num_classes == -1))
    if (index < 0).any():
        raise ValueError(f"the numbers of classes are at least 0, not {index.min()}")
    classes = num_classes if num_classes >= 0 else int(index.max()) + 1
    wrong = outside(index, classes)
    if wrong.any():
        raise IndexError(f"index {index[wrong][0]} is out of bounds for {classes} classes")
    return (index[..., None] == np.arange(classes)).astype(np.int64)


argsort = primitive(_argsort, None)
one_hot = primitive(_one_hot, None)


@named_results("values", "indices")
def sort(x, dim=-1, descending=False, stable=False):
    """The pair (values, indices) of x in order along dim, rising unless descending=True.

    Equal elements keep their order (whether `stable` or not), and NaN counts as the largest. Gradients flow through the
    values, back to the places that they came from.

    >>> x = tl.tensor([3.0, 1.0, 2.0])
    >>> values, indices = tl.sort(x)
    >>> values
    tensor([1., 2., 3.])
    >>> indices
    tensor([1, 2, 0])
    """
    at = argsort(x, dim_of(x, dim), descending)
    return (_gathered(x, dim % x.ndim, unbox(at), True) if x.ndim else clone(x)), at


@named_results("values", "indices")
def topk(x, k, dim=-1, largest=True, sorted=True):
    """The pair (values, indices) of the k largest elements along dim, the largest first.

    largest=False gives the k smallest, the smallest first. They are in order whatever `sorted` says. RuntimeError where
    k is more than the size of the dimension.

    >>> x = tl.tensor([0.1, 0.6, 0.3])
    >>> tl.topk(x, 2)
    topk(
    values=tensor([0.6, 0.3]),
    indices=tensor([1, 2]))
    """
    at = dim_of(x, dim)
    n = x.shape[at] if x.ndim else 1
    if not 0 <= k <= n:
        raise RuntimeError(f"topk: k = {k} is not in [0, {n}], the size of dimension {dim_of(x, dim)}")
    if not x.ndim:
        return clone(x), argsort(x)
    at = contiguous(argsort(x, dim, largest)[(slice(None),) * dim_of(x, dim) + (slice(0, k),)])
    return _gathered(x, dim % x.ndim, unbox(at), True), at


def _like(x, arrays):
    """Results with no gradient: Tensors where x is one."""
    boxed = x is not unbox(x)
    return tuple(box(np.asarray(a)) if boxed else a for a in arrays)


def where(condition, x=None, y=None):
    """x where the condition is true, y elsewhere; the three broadcast. where(condition) alone is `nonzero` as a tuple.

    The gradient of the branch not taken is 0, but it still goes through that branch's own derivative, and 0 * inf is
    NaN: where(x > 0, log(x), 0) has a NaN gradient at 0. Keep the branch finite by a second where inside it:
    where(x > 0, log(where(x > 0, x, 1)), 0).

    >>> x = tl.tensor([-1.0, 2.0, -3.0])
    >>> tl.where(x > 0, x, 0.0)
    tensor([0., 2., 0.])
    """
    if (x is None) != (y is None):
        raise TypeError("where: takes a condition alone, or a condition and both x and y")
    return nonzero(condition, True) if x is None else elementwise.where(condition, x, y)


def nonzero(x, as_tuple=False):
    """The indices of the elements that are not 0, a row for each: a tensor (count, x.ndim).

    as_tuple=True gives the columns of that instead, which can be used as an index.

    >>> x = tl.tensor([[5, 0], [0, 6]])
    >>> tl.nonzero(x)
    tensor([[0, 0],
            [1, 1]])
    >>> x[tl.nonzero(x, as_tuple=True)]
    tensor([5, 6])
    """
    if as_tuple:
        return _like(x, map(np.ascontiguousarray, np.nonzero(np.atleast_1d(unbox(x)))))
    return _like(x, [np.ascontiguousarray(np.argwhere(unbox(x)))])[0]


def unique(x, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements of x (distinct slices along dim, if given), in rising order whatever `sorted` says.

    return_inverse=True adds the place of each element of x among them, return_counts=True how often each occurs: then
    the result is a tuple. Each NaN is distinct. No gradients flow through it.

    >>> x = tl.tensor([3, 1, 3, 3])
    >>> tl.unique(x)
    tensor([1, 3])
    >>> tl.unique(x, return_counts=True)
    (tensor([1, 3]), tensor([1, 3]))
    """
    values, inverse, counts = np.unique(unbox(x), return_inverse=True, return_counts=True, axis=dim, equal_nan=False)
    inverse = inverse.reshape(x.shape if dim is None else -1)
    found = _like(x, [values] + [inverse] * return_inverse + [counts] * return_counts)
    return found if len(found) > 1 else found[0]


def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Whether each of the elements is among the test elements, as bools; with invert=True whether it is not.

    assume_unique: a promise that neither holds an element twice, which is faster.

    >>> x = tl.tensor([1, 2, 3, 4])
    >>> tl.isin(x, tl.tensor([2, 4]))
    tensor([False,  True, False,  True])
    """
    given = elements if hasattr(elements, "shape") else test_elements
    return _like(given, [np.isin(unbox(elements), unbox(test_elements), assume_unique, invert)])[0]


def searchsorted(sorted_sequence, values, *, out_int32=False, right=False, side=None, sorter=None):
    """The place where each value would go into a sorted sequence: how many of its elements are smaller.

    right=True (or side="right") counts equal elements too. The sequence is a vector, or has a row for each row of the
    values (else RuntimeError). sorter: the indices that sort an unsorted sequence. out_int32: int32 rather than int64.

    >>> x = tl.tensor([1, 3, 5, 7])
    >>> tl.searchsorted(x, tl.tensor([0, 3, 6]))
    tensor([0, 1, 3])
    >>> tl.searchsorted(x, tl.tensor([0, 3, 6]), right=True)
    tensor([0, 2, 3])
    """
    if side not in (None, "left", "right") or right and side == "left":
        raise RuntimeError(f"searchsorted: side is 'left' or 'right', and right says the same, not "
                           f"{side!r} and {right}")
    row, wanted, order = unbox(sorted_sequence), as_array(values), unbox(sorter)
    side = "right" if right else side or "left"
    if row.ndim != 1 and row.shape[:-1] != wanted.shape[:-1]:
        raise RuntimeError(f"searchsorted: a sequence of shape {row.shape} is neither 1-d nor has the rows of values "
                           f"of shape {wanted.shape}")
    if order is not None and order.shape != row.shape:
        raise RuntimeError(f"searchsorted: sorter has shape {order.shape}, and the sequence {row.shape}")
    if row.ndim == 1:
        found = np.searchsorted(row, wanted, side, order)
    else:
        found = np.empty(wanted.shape, np.int64)
        for at in np.ndindex(row.shape[:-1]):
            found[at] = np.searchsorted(row[at], wanted[at], side, None if order is None else order[at])
    return _like(sorted_sequence, [np.asarray(found).astype(np.int32 if out_int32 else np.int64)])[0]


def bucketize(x, boundaries, *, out_int32=False, right=False):
    """The number of the bucket that each element falls into: how many of the sorted boundaries are below it.

    right=True counts boundaries that equal it too. boundaries is a vector (else RuntimeError). out_int32: int32 rather
    than int64.

    >>> x = tl.tensor([5, 18, 40, 70])
    >>> tl.bucketize(x, tl.tensor([18, 65]))
    tensor([0, 0, 1, 2])
    >>> tl.bucketize(x, tl.tensor([18, 65]), right=True)
    tensor([0, 1, 1, 2])
    """
    if boundaries.ndim != 1:
        raise RuntimeError(f"bucketize: the boundaries are 1-d, not of shape {boundaries.shape}")
    return searchsorted(boundaries, x, out_int32=out_int32, right=right)


def bincount(x, weights=None, minlength=0):
    """How often each of the numbers 0, 1, 2, … occurs in a vector, or the sum of the weights where it does.

    x holds whole numbers from 0 on (else RuntimeError). The result has max(x) + 1 elements, but at least minlength.

    >>> x = tl.tensor([0, 2, 2, 3])
    >>> tl.bincount(x)
    tensor([1, 0, 2, 1])
    >>> tl.bincount(x, weights=tl.tensor([0.5, 1.0, 2.0, 4.0]))
    tensor([0.5, 0. , 3. , 4. ])
    """
    if unbox(x).dtype.kind not in "iu" or x.ndim != 1 or (unbox(x) < 0).any():
        raise RuntimeError(f"bincount: needs a 1-d tensor of whole numbers >= 0, not {x.dtype} of shape {x.shape}")
    counts = np.bincount(unbox(x), unbox(weights), minlength)
    single = weights is not None and weights.dtype == np.float32
    return _like(x, [counts.astype(np.float32) if single else counts])[0]
