"""Linear algebra under PyTorch's name for it: tl.linalg.inv, tl.linalg.norm, …"""

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from .engine.return_types import named_results
from .engine.spellings import hinting, spelt
from .engine.tape import box
from .engine.values import Value, unbox
from .ops import (
    cholesky,
    det,
    eigh,
    eigvalsh,
    inv,
    matmul,
    matrix_norm,
    matrix_power,
    pinv,
    qr,
    slogdet,
    solve,
    solve_triangular,
    svdvals,
    vector_norm,
)
from .ops import cross as _cross
from .ops import diagonal as _diagonal
from .ops import svd as _svd


@spelt
def norm(x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False) -> Any:
    """The norm of vectors (dim is a number) or of matrices (dim is a pair): sqrt(sum(x**2)) unless `ord` names another.

    ord: for vectors a number p for sum(|x|**p)**(1/p), and the others of `vector_norm`; for matrices those of
    `matrix_norm`. Without dim all elements count as one vector, but a 2-d x with an `ord` counts as a matrix.

    >>> x = tl.tensor([[3.0, 4.0], [6.0, 8.0]])
    >>> tl.linalg.norm(x, dim=1)
    tensor([ 5., 10.])
    >>> tl.linalg.norm(x, ord=1, dim=1)
    tensor([ 7., 14.])
    """
    pair = tuple(range(-2, 0)) if dim is None and ord is not None and x.ndim == 2 else dim
    if isinstance(pair, (tuple, list)) and len(pair) == 2:
        return matrix_norm(x, "fro" if ord is None else ord, tuple(pair), keepdim)
    return vector_norm(x, 2 if ord is None else ord, dim, keepdim)


@spelt
def cross(x: Any, y: Any, *, dim: int = -1) -> Any:
    """The cross product of x and y along a dimension of size 3: the vector at a right angle to both.

    The other dimensions broadcast. RuntimeError for another size than 3.

    >>> x, y = tl.tensor([1.0, 0.0, 0.0]), tl.tensor([0.0, 1.0, 0.0])
    >>> tl.linalg.cross(x, y)
    tensor([0., 0., 1.])
    """
    return _cross(x, y, dim)


@spelt
def diagonal(x: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The diagonal of each matrix in x (…, n, n), a tensor (…, n): `tl.diagonal` of the last two dimensions.

    offset: how far above the main diagonal (negative: below). dim1 and dim2 may name other dimensions.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.linalg.diagonal(x)
    tensor([1, 4])
    >>> tl.linalg.diagonal(tl.ones(5, 3, 3)).shape
    (5, 3)
    """
    return _diagonal(x, offset, dim1, dim2)


@spelt
def multi_dot(tensors: Any) -> Any:
    """The product of two matrices or more, multiplied from the left to the right; the first and last may be vectors.

    RuntimeError for fewer, or for other dimensions. The order is as written: it does not look for the cheapest.

    >>> x = tl.tensor([1.0, 2.0])
    >>> tl.linalg.multi_dot([x, tl.tensor([[1.0, 0.0], [0.0, 3.0]]), x])
    tensor(13.)
    """
    tensors = list(tensors)
    ends = {0, len(tensors) - 1}
    if len(tensors) < 2 or any(x.ndim != 2 and (x.ndim != 1 or i not in ends) for i, x in enumerate(tensors)):
        raise RuntimeError("multi_dot: needs two matrices at least, and only the first and the last may be vectors, "
                           f"not shapes {', '.join(str(x.shape) for x in tensors)}")
    return functools.reduce(matmul, tensors)


@spelt
@named_results("U", "S", "Vh")
def svd(x: Any, full_matrices: bool = True) -> tuple:
    """The triple (U, S, Vh) with x = U @ diag(S) @ Vh: orthogonal matrices and the singular values, the largest first.

    x (…, m, n) gives U (…, m, m) and Vh (…, n, n), or with full_matrices=False U (…, m, k) and Vh (…, k, n) for
    k = min(m, n). Gradients of an x that is not square need full_matrices=False (else RuntimeError).

    >>> x = tl.tensor([[0.0, 2.0], [3.0, 0.0], [0.0, 0.0]])
    >>> u, s, vh = tl.linalg.svd(x, full_matrices=False)
    >>> s
    tensor([3., 2.])
    >>> tl.allclose(u * s @ vh, x)
    True
    """
    if not full_matrices or x.shape[-2:] == x.shape[:-3:-1]:
        return _svd(x)
    if getattr(x, "requires_grad", False):
        raise RuntimeError("svd: of a matrix that is not square there are gradients with full_matrices=False only")
    return tuple(map(box, np.linalg.svd(unbox(x)))) if isinstance(x, Value) else tuple(np.linalg.svd(x))


@spelt
def vecdot(x: Any, y: Any, *, dim: int = -1) -> Any:
    """The dot products of vectors along a dimension, sum(x * y, dim); the other dimensions broadcast.

    >>> x = tl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tl.linalg.vecdot(x, tl.tensor([10.0, 1.0]))
    tensor([12., 34.])
    """
    return (x * y).sum(dim)


__all__ = ["cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power",
           "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_triangular", "svd", "svdvals", "vecdot",
           "vector_norm"]
if not TYPE_CHECKING:  # to whom all names are known
    __getattr__ = hinting(globals())
