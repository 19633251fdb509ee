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
    """Matrix product of the last two dimensions, the others broadcast; vectors as in numpy."""
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


def _of_ranks(name, *ranks):
    """A product of matrices (2), vectors (1) or batches of matrices (3) and of nothing else."""
    def product(x, y):
        if (x.ndim, y.ndim) != ranks:
            raise RuntimeError(f"{name}: needs tensors of {ranks[0]} and {ranks[1]} dimensions, not of shapes "
                               f"{x.shape} and {y.shape}")
        if name == "bmm" and x.shape[0] != y.shape[0]:
            raise RuntimeError(f"bmm: {x.shape[0]} matrices do not fit {y.shape[0]}")
        return matmul(x, y)

    product.__name__ = product.__qualname__ = name
    product.__doc__ = f"`matmul` of tensors of {ranks[0]} and {ranks[1]} dimensions only."
    return product


mm, bmm, mv, dot = _of_ranks("mm", 2, 2), _of_ranks("bmm", 3, 3), _of_ranks("mv", 2, 1), _of_ranks("dot", 1, 1)


def outer(x, y):
    """Every product of an element of x with one of y: (n,), (m,) -> (n, m)."""
    if x.ndim != 1 or y.ndim != 1:
        raise RuntimeError(f"outer: needs vectors, not shapes {x.shape} and {y.shape}")
    return unsqueeze(x, 1) * y


def inner(x, y):
    """Sums of products over the last dimension of both; of a number and a tensor their product."""
    return tensordot(x, y, ([-1], [-1])) if x.ndim and y.ndim else x * y


def cross(x, y, dim=None):
    """The cross product along a dimension of size 3: the first of that size unless given."""
    dim = next((d for d, n in enumerate(x.shape) if n == 3), -1) if dim is None else dim_of(x, dim)
    if x.ndim != y.ndim or not x.ndim or x.shape[dim] != 3 or y.shape[dim] != 3:
        raise RuntimeError(f"cross: needs two tensors with a dimension of size 3, not shapes {x.shape} and {y.shape}")
    return roll(x, -1, dim) * roll(y, -2, dim) - roll(x, -2, dim) * roll(y, -1, dim)


def kron(x, y):
    """The Kronecker product: each element of x times the whole of y."""
    n = builtins.max(x.ndim, y.ndim)
    a, b = ((1,) * (n - t.ndim) + t.shape for t in (x, y))
    product = reshape(x, *(k for size in a for k in (size, 1))) * reshape(y, *(k for size in b for k in (1, size)))
    return reshape(product, *(i * j for i, j in zip(a, b)))


@in_float32
def addmv(x, mat, vec, *, beta=1, alpha=1):
    """beta * x + alpha * (mat @ vec)"""
    return _weighed("addmv", x, mv(mat, vec), beta, alpha)


@in_float32
def addmm(x, mat1, mat2, *, beta=1, alpha=1):
    """beta * x + alpha * (mat1 @ mat2)"""
    return _weighed("addmm", x, mm(mat1, mat2), beta, alpha)


@in_float32
def baddbmm(x, batch1, batch2, *, beta=1, alpha=1):
    """beta * x + alpha * (batch1 @ batch2), matrix by matrix"""
    return _weighed("baddbmm", x, bmm(batch1, batch2), beta, alpha)


def _weighed(name, x, product, beta, alpha):
    """Whole numbers take whole factors only: PyTorch, too, does not make them real ones."""
    if x.dtype.kind != "f" and (isinstance(beta, float) or isinstance(alpha, float)):
        raise RuntimeError(f"{name}: of {x.dtype} beta and alpha are whole numbers, not {beta} and {alpha}")
    return beta * x + alpha * product if beta else alpha * product  # x may be NaN, as memory that was not filled is


def trace(x):
    """The sum of a matrix's diagonal."""
    if x.ndim != 2:
        raise RuntimeError(f"trace: needs a matrix, not shape {x.shape}")
    return sum(diagonal(x))


def _repeated(x, dim, n):
    return x if x.shape[dim] != 1 else broadcast_to(x, (*x.shape[:dim], n, *x.shape[dim + 1 :]))


def tensordot(x, y, dims=2):
    """Sums over pairs of dimensions: the last `dims` of x with the first of y, or two lists of them."""
    if isinstance(dims, int):
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
    """Einstein's sum: "ij,jk->ik", with ellipsis, repeated indices, and the output left out (in alphabetical order)."""
    if not isinstance(equation, str):
        raise TypeError(f"einsum: the equation comes first, as in einsum('ij->i', x), not {type(equation).__name__}")
    operands = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    left, arrow, output = equation.replace(" ", "").partition("->")
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
