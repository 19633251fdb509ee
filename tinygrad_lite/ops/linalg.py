"""Products of vectors, matrices and more: matmul, einsum."""

import builtins
import functools
import string

import numpy as np

from ..engine.dtypes import promote, result_type
from ..engine.halves import in_float32
from ..engine.tape import broadcast_to, cast, primitive
from .arguments import dim_of
from .index import diagonal, roll
from .reduce import sum
from .shape import permute, reshape, squeeze, unsqueeze

_matmul = primitive(np.matmul,
                    lambda g, out, x, y: g @ y.mT,
                    lambda g, out, x, y: x.mT @ g, promote=promote)


def matmul(x, y):
    """The matrix product x @ y, over the last dimension of x and the last but one of y.

    (…, n, m) @ (…, m, k) gives (…, n, k), where the dimensions in front broadcast. With a vector, (…, n, m) @ (m,)
    gives (…, n), (n,) @ (…, n, m) gives (…, m), and two vectors give a number, their dot product. RuntimeError where
    the inner sizes differ, or a factor has no dimensions.

    >>> x = tl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tl.matmul(x, x)
    tensor([[ 7., 10.],
            [15., 22.]])
    >>> x @ tl.tensor([1.0, 10.0])  # the same, of a vector
    tensor([21., 43.])
    >>> (tl.ones(5, 2, 3) @ tl.ones(3, 4)).shape  # one matrix for all of a batch
    (5, 2, 4)
    """
    try:
        left, right = x.ndim, y.ndim
    except AttributeError:
        raise TypeError(f"matmul: the factors are tensors or arrays, not {type(x).__name__} and "
                        f"{type(y).__name__}") from None
    if left >= 2 and right >= 2:
        return _matmul(x, y)
    if left == 0 or right == 0:
        raise RuntimeError(f"matmul: both arguments need at least 1 dimension, but have shapes {x.shape} and {y.shape}")
    if left == 1 and right == 1:
        if x.shape != y.shape:
            raise RuntimeError(f"matmul: vectors of shapes {x.shape} and {y.shape} do not fit")
        if result_type(x, y).kind != "f":  # a sum of whole numbers is int64, but their product has their dtype
            return cast(sum(x * y), result_type(x, y))
        return sum(x * y)
    if left == 1:
        return squeeze(_matmul(unsqueeze(x, 0), y), -2)
    return squeeze(_matmul(x, unsqueeze(y, 1)), -1)


def _of_ranks(name, *ranks, doc):
    """A product of matrices (2), vectors (1) or batches of matrices (3) and of nothing else."""
    def product(x, y):
        if (x.ndim, y.ndim) != ranks:
            raise RuntimeError(f"{name}: needs tensors of {ranks[0]} and {ranks[1]} dimensions, not of shapes "
                               f"{x.shape} and {y.shape}")
        if name == "bmm" and x.shape[0] != y.shape[0]:
            raise RuntimeError(f"bmm: {x.shape[0]} matrices do not fit {y.shape[0]}")
        return matmul(x, y)

    product.__name__ = product.__qualname__ = name
    product.__doc__ = doc
    return product


mm = _of_ranks("mm", 2, 2, doc="""The matrix product of two matrices, (n, m) and (m, k), and of nothing else.

    RuntimeError for other numbers of dimensions (`matmul` takes them), or where the inner sizes differ.

    >>> x = tl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tl.mm(x, tl.tensor([[1.0], [10.0]]))
    tensor([[21.],
            [43.]])
    """)
bmm = _of_ranks("bmm", 3, 3, doc="""The matrix products of two batches, one by one: (b, n, m) @ (b, m, k) is (b, n, k).

    RuntimeError for other numbers of dimensions, or where the batches differ in size: `matmul` broadcasts.

    >>> x = tl.ones(5, 2, 3)
    >>> tl.bmm(x, tl.ones(5, 3, 4)).shape
    (5, 2, 4)
    """)
mv = _of_ranks("mv", 2, 1, doc="""A matrix (n, m) times a vector (m,), which gives a vector (n,), and nothing else.

    >>> x = tl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tl.mv(x, tl.tensor([1.0, 10.0]))
    tensor([21., 43.])
    """)
dot = _of_ranks("dot", 1, 1, doc="""The dot product of two vectors of one size: the sum of x[i] * y[i].

    RuntimeError for other numbers of dimensions: numpy's dot of matrices is `matmul` here.

    >>> x = tl.tensor([1.0, 2.0, 3.0])
    >>> tl.dot(x, tl.tensor([1.0, 10.0, 100.0]))
    tensor(321.)
    """)


def outer(x, y):
    """The product of every element of a vector x (n,) with every one of y (m,): a matrix (n, m).

    >>> x = tl.tensor([1.0, 2.0])
    >>> tl.outer(x, tl.tensor([1.0, 10.0, 100.0]))
    tensor([[  1.,  10., 100.],
            [  2.,  20., 200.]])
    """
    if x.ndim != 1 or y.ndim != 1:
        raise RuntimeError(f"outer: needs vectors, not shapes {x.shape} and {y.shape}")
    return unsqueeze(x, 1) * y


def inner(x, y):
    """The dot products over the last dimension of both: x (…, n) and y (…, n) give (x's …, y's …).

    Of a number and a tensor it is their product.

    >>> x = tl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tl.inner(x, tl.tensor([1.0, 10.0]))
    tensor([21., 43.])
    """
    return tensordot(x, y, ([-1], [-1])) if x.ndim and y.ndim else x * y


def cross(x, y, dim=None):
    """The cross product: a vector at right angles to both, whose length is the area of the parallelogram they span.

    `dim` is the dimension that holds the vectors, the first of size 3 unless given; RuntimeError where there is none.

    >>> x = tl.tensor([1.0, 0.0, 0.0])
    >>> tl.cross(x, tl.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    dim = next((d for d, n in enumerate(x.shape) if n == 3), -1) if dim is None else dim_of(x, dim)
    if x.ndim != y.ndim or not x.ndim or x.shape[dim] != 3 or y.shape[dim] != 3:
        raise RuntimeError(f"cross: needs two tensors with a dimension of size 3, not shapes {x.shape} and {y.shape}")
    return roll(x, -1, dim) * roll(y, -2, dim) - roll(x, -2, dim) * roll(y, -1, dim)


def kron(x, y):
    """The Kronecker product: x with each element replaced by that element times the whole of y.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.kron(x, tl.ones(1, 2, dtype=int))
    tensor([[1, 1, 2, 2],
            [3, 3, 4, 4]])
    """
    n = builtins.max(x.ndim, y.ndim)
    a, b = ((1,) * (n - t.ndim) + t.shape for t in (x, y))
    product = reshape(x, *(k for size in a for k in (size, 1))) * reshape(y, *(k for size in b for k in (1, size)))
    return reshape(product, *(i * j for i, j in zip(a, b)))


@in_float32
def addmv(x, mat, vec, *, beta=1, alpha=1):
    """A matrix times a vector added on to x: beta * x + alpha * (mat @ vec).

    mat (n, m), vec (m,), and x broadcasts with (n,). beta=0 does not read x, which may then be NaN.

    >>> x = tl.tensor([100.0, 200.0])
    >>> tl.addmv(x, tl.tensor([[1.0, 2.0], [3.0, 4.0]]), tl.ones(2))
    tensor([103., 207.])
    """
    return _weighed("addmv", x, mv(mat, vec), beta, alpha)


@in_float32
def addmm(x, mat1, mat2, *, beta=1, alpha=1):
    """A matrix product added on to x: beta * x + alpha * (mat1 @ mat2), as in a linear layer with its bias.

    mat1 (n, m), mat2 (m, k), and x broadcasts with (n, k). beta=0 does not read x, which may then be NaN.

    >>> x = tl.zeros(2, 2)
    >>> tl.addmm(x, tl.tensor([[1.0, 2.0], [3.0, 4.0]]), tl.eye(2), alpha=10)
    tensor([[10., 20.],
            [30., 40.]])
    """
    return _weighed("addmm", x, mm(mat1, mat2), beta, alpha)


@in_float32
def baddbmm(x, batch1, batch2, *, beta=1, alpha=1):
    """A batch of matrix products added on to x: beta * x + alpha * (batch1 @ batch2).

    batch1 (b, n, m), batch2 (b, m, k), and x broadcasts with (b, n, k). beta=0 does not read x, which may then be NaN.

    >>> x = tl.ones(5, 2, 4)
    >>> y = tl.baddbmm(x, tl.ones(5, 2, 3), tl.ones(5, 3, 4))
    >>> y.shape, y.max()  # 1 + 3 products of 1
    ((5, 2, 4), tensor(4.))
    """
    return _weighed("baddbmm", x, bmm(batch1, batch2), beta, alpha)


def _weighed(name, x, product, beta, alpha):
    """Whole numbers take whole factors only: PyTorch, too, does not make them real ones."""
    if x.dtype.kind != "f" and (isinstance(beta, float) or isinstance(alpha, float)):
        raise RuntimeError(f"{name}: of {x.dtype} beta and alpha are whole numbers, not {beta} and {alpha}")
    return beta * x + alpha * product if beta else alpha * product  # x may be NaN, as memory that was not filled is


def trace(x):
    """The sum of the elements on the diagonal of a matrix; RuntimeError where x does not have two dimensions.

    >>> x = tl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tl.trace(x)
    tensor(5.)
    """
    if x.ndim != 2:
        raise RuntimeError(f"trace: needs a matrix, not shape {x.shape}")
    return sum(diagonal(x))


def _repeated(x, dim, n):
    return x if x.shape[dim] != 1 else broadcast_to(x, (*x.shape[:dim], n, *x.shape[dim + 1 :]))


def tensordot(x, y, dims=2):
    """Sums of products over pairs of dimensions: the last `dims` of x with the first of y, or two lists of them.

    The result has the other dimensions of x, then those of y; dims=1 is the product of matrices, dims=0 the outer one.
    RuntimeError where paired sizes differ; a size of 1 broadcasts.

    >>> x, y = tl.ones(2, 3, 4), tl.ones(4, 3, 5)
    >>> tl.tensordot(x, y, dims=([1, 2], [1, 0])).shape  # 3 with 3, 4 with 4
    (2, 5)
    """
    if isinstance(dims, (int, np.integer)):
        dims = (range(x.ndim - dims, x.ndim), range(dims))
    a, b = ([dim_of(t, d) for d in ds] for t, ds in zip((x, y), dims))
    for i, j in zip(a, b):  # a size of 1 is broadcast
        x, y = _repeated(x, i, y.shape[j]), _repeated(y, j, x.shape[i])
    if [x.shape[i] for i in a] != [y.shape[j] for j in b]:
        raise RuntimeError(f"tensordot: dims {a} of {x.shape} and {b} of {y.shape} differ in size")
    rest = [i for i in range(x.ndim) if i not in a], [j for j in range(y.ndim) if j not in b]
    n = int(np.prod([x.shape[i] for i in a], dtype=int))
    rows = reshape(permute(x, *rest[0], *a), int(np.prod([x.shape[i] for i in rest[0]], dtype=int)), n)
    columns = reshape(permute(y, *b, *rest[1]), n, int(np.prod([y.shape[j] for j in rest[1]], dtype=int)))
    return reshape(matmul(rows, columns), *(x.shape[i] for i in rest[0]), *(y.shape[j] for j in rest[1]))


# ---------------------------------------------------------------- einsum
def _contract(spec, *xs):
    dtype = result_type(*xs)
    return np.einsum(spec, *(x.astype(dtype, copy=False) for x in xs), optimize=len(xs) > 1)


def _contract_rule(g, out, spec, *xs):
    """The gradient of an operand is the contraction of g with the others: every index of it is in one of those."""
    inputs, output = spec.split("->")
    terms = inputs.split(",")
    yield None
    for i, own in enumerate(terms):
        equation = ",".join([output, *terms[:i], *terms[i + 1 :]]) + "->" + own
        yield functools.partial(einsum, equation, g, *xs[:i], *xs[i + 1 :])


_contraction = primitive(in_float32(_contract), joint=_contract_rule, name="einsum")


def einsum(equation, *operands):
    """Sums of products in Einstein's short notation: einsum("ij,jk->ik", a, b) is the matrix product a @ b.

    The equation gives each dimension of each operand a letter, with commas between the operands; after the arrow stand
    the letters of the result's dimensions, in the order wanted. It is short for loops over all letters. This one says:

        result[i, k] = the sum over j of a[i, j] * b[j, k], for every i and every k

    So a letter after the arrow is a dimension of the result, and one that is missing there is summed over. A letter
    that stands several times is one index: those dimensions are gone through in step, and are of the same size (or of
    size 1, which broadcasts). "..." stands for any further dimensions, which broadcast. Without an arrow, the result
    has the letters that stand only once, in alphabetical order. RuntimeError where the equation does not fit the
    operands.

    >>> x = tl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> v = tl.tensor([1.0, 10.0])
    >>> tl.einsum("ij->ji", x)  # transpose: the same letters in another order
    tensor([[1., 3.],
            [2., 4.]])
    >>> tl.einsum("ij->", x)  # sum of all: no letter is left
    tensor(10.)
    >>> tl.einsum("ij->i", x)  # sum of each row: j is summed over
    tensor([3., 7.])
    >>> tl.einsum("ii->i", x)  # diagonal: row and column are the same; "ii->" is its sum, the trace
    tensor([1., 4.])
    >>> tl.einsum("i,i->", v, v)  # dot product: one index for both, summed over
    tensor(101.)
    >>> tl.einsum("i,j->ij", v, v)  # outer product: an index each, none summed over
    tensor([[  1.,  10.],
            [ 10., 100.]])
    >>> tl.einsum("ij,j->i", x, v)  # matrix times vector
    tensor([21., 43.])
    >>> tl.einsum("ij,jk->ik", x, x)  # matrix product
    tensor([[ 7., 10.],
            [15., 22.]])
    >>> tl.einsum("bij,bjk->bik", tl.ones(5, 2, 3), tl.ones(5, 3, 4)).shape  # a product for each b of a batch
    (5, 2, 4)
    >>> q, k = tl.ones(2, 8, 6, 16), tl.ones(2, 8, 7, 16)  # batch, heads, positions, channels
    >>> tl.einsum("bhid,bhjd->bhij", q, k).shape  # attention scores: each query's dot product with each key
    (2, 8, 6, 7)
    >>> tl.einsum("...id,...jd->...ij", q, k).shape  # the same, whatever stands in front
    (2, 8, 6, 7)
    """
    if not isinstance(equation, str):
        raise TypeError(f"einsum: the equation comes first, as in einsum('ij->i', x), not {type(equation).__name__}")
    operands = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    left, arrow, output = equation.replace(" ", "").partition("->")
    strange = set(left) - {*string.ascii_letters, ",", "."}
    if strange:
        raise RuntimeError(f"einsum: {equation!r} has {min(strange)!r}: the operands' indices are letters, with commas "
                           "between operands, and '->' stands before the result's")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise RuntimeError(f"einsum: {equation!r} has {len(terms)} operands, {len(operands)} were given")
    free = [c for c in string.ascii_letters if c not in equation]
    extra = max((x.ndim - len(t.replace("...", "")) for t, x in zip(terms, operands) if "..." in t), default=0)
    spread = "".join(free[:max(extra, 0)])
    for k, (term, x) in enumerate(zip(terms, operands)):
        if "..." in term:
            term = term.replace("...", spread[len(spread) - (x.ndim - len(term) + 3):])
        if len(term) != x.ndim or not (set(term) <= set(string.ascii_letters)):
            raise RuntimeError(f"einsum: operand {k} of shape {x.shape} does not have the indices {terms[k]!r}")
        terms[k] = term
    joined = "".join(terms)
    if arrow:
        output = output.replace("...", spread)
    else:
        output = spread + "".join(sorted(c for c in {*joined} - {*spread} if joined.count(c) == 1))
    if not {*output} <= {*joined} or len({*output}) < len(output):
        raise RuntimeError(f"einsum: the output of {equation!r} names an index twice, or one that no operand has")
    sizes = {}
    for term, x in zip(terms, operands):
        for c, n in zip(term, x.shape):
            if sizes.setdefault(c, n) != n and n != 1 and sizes[c] != 1:
                raise RuntimeError(f"einsum: index {c!r} of {equation!r} has size {sizes[c]} and size {n}")
            sizes[c] = max(sizes[c], n)
    reduced = [_own_indices(t, x, "".join(terms[:k] + terms[k + 1 :]) + output, sizes)
               for k, (t, x) in enumerate(zip(terms, operands))]
    if len(reduced) == 1:  # what is left to do is to order its dimensions
        ((term, x),) = reduced
        return permute(x, *map(term.index, output))
    return _contraction(",".join(t for t, _ in reduced) + "->" + output, *(x for _, x in reduced))


def _own_indices(term, x, elsewhere, sizes):
    """An operand with repeated indices taken on the diagonal, and those of no other term summed."""
    for c in dict.fromkeys(term):
        while term.count(c) > 1:
            i, j = term.index(c), term.rindex(c)
            x, term = diagonal(x, 0, i, j), term[:i] + term[i + 1 : j] + term[j + 1 :] + c
    x = broadcast_to(x, tuple(sizes[c] for c in term))
    lonely = [i for i, c in enumerate(term) if c not in elsewhere]
    if lonely:
        x, term = sum(x, lonely), "".join(c for c in term if c in elsewhere)
    return term, x
