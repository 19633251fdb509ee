"""Linear algebra under PyTorch's name for it: tl.linalg.inv, tl.linalg.norm, …"""

from typing import Any

from .engine.spellings import spelt
from .ops import cholesky, det, inv, matrix_norm, slogdet, solve, svd, svdvals, vector_norm


@spelt
def norm(x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False) -> Any:
    """A vector's norm over one dim, a matrix's over two; all elements as one vector where neither is given."""
    pair = tuple(range(-2, 0)) if dim is None and ord is not None and x.ndim == 2 else dim
    if isinstance(pair, (tuple, list)) and len(pair) == 2:
        return matrix_norm(x, "fro" if ord is None else ord, tuple(pair), keepdim)
    return vector_norm(x, 2 if ord is None else ord, dim, keepdim)


__all__ = ["cholesky", "det", "inv", "matrix_norm", "norm", "slogdet", "solve", "svd", "svdvals", "vector_norm"]
