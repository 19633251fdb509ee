"""Linear algebra under PyTorch's name for it: tl.linalg.inv, tl.linalg.norm, …"""

import functools
from typing import Any

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
    """A vector's norm over one dim, a matrix's over two; all elements as one vector where neither is given."""
    pair = tuple(range(-2, 0)) if dim is None and ord is not None and x.ndim == 2 else dim
    if isinstance(pair, (tuple, list)) and len(pair) == 2:
        return matrix_norm(x, "fro" if ord is None else ord, tuple(pair), keepdim)
    return vector_norm(x, 2 if ord is None else ord, dim, keepdim)


@spelt
def cross(x: Any, y: Any, *, dim: int = -1) -> Any:
    """The cross product along a dimension of size 3; the other dimensions broadcast."""
    return _cross(x, y, dim)


@spelt
def diagonal(x: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The diagonal of the last two dimensions unless given, as the last dimension of the result."""
    return _diagonal(x, offset, dim1, dim2)


@spelt
def multi_dot(tensors: Any) -> Any:
    """The product of several matrices, from the left; the first and the last may be vectors."""
    tensors = list(tensors)
    ends = {0, len(tensors) - 1}
    if len(tensors) < 2 or any(x.ndim != 2 and (x.ndim != 1 or i not in ends) for i, x in enumerate(tensors)):
        raise RuntimeError("multi_dot: needs two matrices at least, and only the first and the last may be vectors, "
                           f"not shapes {', '.join(str(x.shape) for x in tensors)}")
    return functools.reduce(matmul, tensors)


@spelt
@named_results("U", "S", "Vh")
def svd(x: Any, full_matrices: bool = True) -> tuple:
    """The triple (u, s, vh) with x = u * s @ vh; full_matrices=False gives those vectors alone that belong to singular
    values, and of a matrix that is not square those alone have gradients."""
    if not full_matrices or x.shape[-2:] == x.shape[:-3:-1]:
        return _svd(x)
    if getattr(x, "requires_grad", False):
        raise RuntimeError("svd: of a matrix that is not square there are gradients with full_matrices=False only")
    return tuple(map(box, np.linalg.svd(unbox(x)))) if isinstance(x, Value) else tuple(np.linalg.svd(x))


@spelt
def vecdot(x: Any, y: Any, *, dim: int = -1) -> Any:
    """The sum of products along a dimension; the others broadcast."""
    return (x * y).sum(dim)


__all__ = ["cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power",
           "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_triangular", "svd", "svdvals", "vecdot",
           "vector_norm"]
__getattr__ = hinting(globals())
