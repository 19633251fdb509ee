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
    """The elements of x, in the same order, in another shape; one size may be -1 and is worked out from the others.

    Sizes come one by one or as a tuple; RuntimeError unless their product is x's number of elements. The result shares
    x's memory where it can; of a transposed tensor, say, it is mostly a copy.

    >>> x = tl.arange(6)
    >>> tl.reshape(x, 2, 3)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    >>> tl.reshape(x, -1, 2).shape
    (3, 2)
    """
    shape = sizes_of(shape)
    for size in shape:
        if isinstance(size, (int, np.integer)) and size < -1:
            raise RuntimeError(f"reshape: a size is at least 0, or -1 for what is left, not {size}")
    return _to_shape(x, shape)


def view(x, *shape):
    """The elements of x in another shape, and always in x's own memory: what is written to one shows in the other.

    Sizes are as for `reshape`. RuntimeError where only a copy can have that shape, as of most transposed tensors.

    >>> x = tl.arange(6)
    >>> y = x.view(2, 3)
    >>> y[0, 0] = 10
    >>> x
    tensor([10,  1,  2,  3,  4,  5])
    """
    if shape and isinstance(shape[0], (np.dtype, type)):
        raise TypeError(f"view: takes a shape, not {shape[0]}; .to(dtype) converts, .array.view(dtype) shows the bits")
    out = reshape(x, *shape)
    if not unbox(x).flags.c_contiguous and math.prod(x.shape) and not np.may_share_memory(unbox(x), unbox(out)):
        raise RuntimeError(f"view: no view of a tensor of shape {x.shape}, whose elements are not in order in memory, "
                           f"has the shape {out.shape}; use .reshape(…), which copies")
    return out


def flatten(x, start_dim=0, end_dim=-1):
    """The dimensions from start_dim to end_dim merged into one: unless given, all of them.

    >>> x = tl.zeros(2, 3, 4)
    >>> tl.flatten(x).shape
    (24,)
    >>> tl.flatten(x, start_dim=1).shape
    (2, 12)
    """
    first, last = dim_of(x, start_dim), dim_of(x, end_dim)
    if x.ndim == 0:
        return reshape(x, 1)
    if first == last:
        return x
    if first > last:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return reshape(x, *x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :])


def permute(x, *dims):
    """The dimensions in another order: dimension i of the result is dimension dims[i] of x, and the memory is x's.

    RuntimeError unless dims names every dimension once.

    >>> x = tl.zeros(20, 30, 3)  # height, width, colors
    >>> tl.permute(x, 2, 0, 1).shape
    (3, 20, 30)
    """
    dims = sizes_of(dims)
    if len(dims) != x.ndim or {d + x.ndim if d < 0 else d for d in dims} != set(range(x.ndim)):
        raise RuntimeError(f"permute: dims {dims} must name each of the {x.ndim} dimensions once")
    return _permuted(x, dims)


def transpose(x, dim0, dim1):
    """x with two dimensions swapped; the result shares x's memory.

    >>> x = tl.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> tl.transpose(x, 0, 1)
    tensor([[1., 4.],
            [2., 5.],
            [3., 6.]])
    """
    dims = list(range(x.ndim))
    a, b = dim_of(x, dim0), dim_of(x, dim1)
    if dims:
        dims[a], dims[b] = dims[b], dims[a]
    return _permuted(x, tuple(dims))


def squeeze(x, dim=None):
    """x without its dimensions of size 1: all of them are left out, or those that `dim` (one or several) names.

    A dimension of another size stays, even if `dim` names it.

    >>> x = tl.zeros(1, 3, 1)
    >>> tl.squeeze(x).shape
    (3,)
    >>> y = tl.zeros(1, 3, 1)
    >>> tl.squeeze(y, 0).shape
    (3, 1)
    """
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, (int, np.integer)) else dim
    drop = {dim_of(x, d) for d in dims}
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if not (i in drop and n == 1)))


def unsqueeze(x, dim):
    """x with a new dimension of size 1, which is dimension `dim` of the result; a tuple of dims makes several.

    A negative dim counts from the back of the result: -1 puts the new dimension last.

    >>> x = tl.tensor([1.0, 2.0, 3.0])
    >>> tl.unsqueeze(x, 0)
    tensor([[1., 2., 3.]])
    >>> y = tl.zeros(3)
    >>> tl.unsqueeze(y, -1).shape
    (3, 1)
    """
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
    """x with dimensions of size 1 repeated up to other sizes, without a copy; -1 leaves a size as it is.

    More sizes than dimensions add some in front. RuntimeError where a size other than 1 would change. The result shows
    one element in many places, and so refuses to be changed in place: change a `clone` of it.

    >>> x = tl.tensor([[1], [2]])
    >>> tl.expand(x, 2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    >>> tl.expand(x, 5, -1, -1).shape
    (5, 2, 1)
    """
    sizes = sizes_of(sizes)
    lead = len(sizes) - x.ndim
    return broadcast_to(x, tuple(x.shape[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(sizes)))


def unflatten(x, dim, sizes):
    """x with one dimension split into several, which undoes `flatten`; one of the sizes may be -1.

    RuntimeError where the product of sizes is not the size of the dimension.

    >>> x = tl.zeros(2, 12)
    >>> tl.unflatten(x, 1, (3, -1)).shape
    (2, 3, 4)
    """
    at = dim_of(x, dim)
    return reshape(x, *x.shape[:at], *sizes, *x.shape[at + 1 :])


swapaxes = transpose


def movedim(x, source, destination):
    """x with dimensions moved from `source` to `destination` (one or several each); the rest keep their order.

    >>> x = tl.zeros(2, 3, 4)
    >>> tl.movedim(x, 0, -1).shape
    (3, 4, 2)
    >>> tl.movedim(x, (0, 1), (1, 2)).shape
    (4, 2, 3)
    """
    sources = [dim_of(x, d) for d in ((source,) if isinstance(source, (int, np.integer)) else source)]
    targets = [dim_of(x, d) for d in ((destination,) if isinstance(destination, (int, np.integer)) else destination)]
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
    """Copies of x side by side: `sizes` says how many along each dimension. numpy calls this `tile`.

    More sizes than dimensions add some in front; fewer are a RuntimeError. For copies of each single element, see
    `repeat_interleave`.

    >>> x = tl.tensor([1, 2, 3])
    >>> tl.repeat(x, 2)
    tensor([1, 2, 3, 1, 2, 3])
    >>> tl.repeat(x, 2, 1)
    tensor([[1, 2, 3],
            [1, 2, 3]])
    """
    sizes = sizes_of(sizes)
    lead = len(sizes) - x.ndim
    if lead < 0:
        raise RuntimeError(f"repeat: {len(sizes)} sizes are fewer than the {x.ndim} dimensions of shape {x.shape}")
    return _repeated(x, sizes)


def tile(x, *sizes):
    """Copies of x side by side, as by `repeat`, but fewer sizes than dimensions are for the last dimensions.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.tile(x, 2)
    tensor([[1, 2, 1, 2],
            [3, 4, 3, 4]])
    """
    sizes = sizes_of(sizes)
    return repeat(x, *(1,) * (x.ndim - len(sizes)), *sizes)


def sum_to_size(x, *size):
    """x summed over the dimensions along which it is larger than `size`: what undoes broadcasting.

    So the gradient of what was broadcast gets its shape back. RuntimeError where `size` does not broadcast to the shape
    of x.

    >>> x = tl.ones(2, 3)
    >>> tl.sum_to_size(x, 1, 3)
    tensor([[2., 2., 2.]])
    >>> tl.sum_to_size(x, 2, 1)
    tensor([[3.],
            [3.]])
    """
    size = sizes_of(size)
    last = x.shape[x.ndim - len(size):]
    if len(size) > x.ndim or any(k not in (1, n) for k, n in zip(size, last)):
        raise RuntimeError(f"sum_to_size: a tensor of shape {size} does not broadcast to shape {x.shape}")
    return sum_to(x, size)


_in_order, _as_it_is = (primitive(f, lambda g, out, x: g, name="clone") for f in (_clone, _clone_as_it_is))


def clone(x):
    """A copy of x in memory of its own, through which gradients flow back to x (`x.detach().clone()` ends them).

    >>> x = tl.tensor([1.0, 2.0])
    >>> y = tl.clone(x)
    >>> y[0] = 5.0
    >>> x
    tensor([1., 2.])
    """
    return _in_order(x) if unbox(x).flags.c_contiguous else _as_it_is(x)


def contiguous(x):
    """x itself where its elements stand in order in memory, row by row; else a copy where they do.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.contiguous(x) is x
    True
    >>> tl.contiguous(x.T).view(4)
    tensor([1, 3, 2, 4])
    """
    return x if unbox(x).flags.c_contiguous else _in_order(x)
