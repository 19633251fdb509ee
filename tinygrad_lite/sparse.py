"""PyTorch's names for sparse tensors of toy graph models; underneath they are dense, and take a dense one's memory."""

from typing import Any

import numpy as np

from . import ops
from .creation import tensor
from .engine.values import as_array
from .ops import addmm, index_put, mm, sum
from .tensor import Tensor

__all__ = ["FloatTensor", "addmm", "log_softmax", "mm", "softmax", "sparse_coo_tensor", "sum"]


def sparse_coo_tensor(indices: Any, values: Any, size: Any = None, dtype: Any = None,
                      requires_grad: bool = False) -> Tensor:
    """A dense tensor with the given values at the given places and 0 elsewhere; values at one place add up.

    indices (d, n): a column for each of the values (n, …), its place in d dimensions. size: the smallest that holds
    them, unless given; a place outside of it is an IndexError. ValueError where indices and values are not as many.

    >>> tl.sparse_coo_tensor([[0, 1, 1], [2, 0, 0]], [5.0, 1.0, 2.0], (2, 3))
    tensor([[0., 0., 5.],
            [3., 0., 0.]])
    """
    places = as_array(indices)
    values = values if isinstance(values, Tensor) else tensor(values)
    values = values if dtype is None else values.to(dtype)
    if places.ndim != 2 or values.ndim < 1 or places.shape[1] != values.shape[0]:
        raise ValueError(f"sparse_coo_tensor: indices (d, n) and values (n, …) belong together, not shapes "
                         f"{places.shape} and {values.shape}")
    shape = (*(places.max(1, initial=-1) + 1), *values.shape[1:]) if size is None else tuple(size)
    outside = (places < 0) | (places >= np.array(shape[: len(places)]).reshape(-1, 1))
    if outside.any():
        raise IndexError(f"sparse_coo_tensor: {places[outside][0]} is outside of the size {shape}")
    made = index_put(np.zeros(shape, values.dtype), tuple(places.astype(np.int64)), values, True)
    return made.requires_grad_() if requires_grad else made


def softmax(x: Any, dim: int) -> Any:
    """exp(x) / sum(exp(x)) along dim over the elements that are not 0; those that are stay 0.

    >>> x = tl.tensor([[1.0, 0.0, 1.0], [0.0, 2.0, 0.0]])
    >>> tl.sparse.softmax(x, dim=1)
    tensor([[0.5, 0. , 0.5],
            [0. , 1. , 0. ]])
    """
    return ops.where(x == 0, 0.0, ops.softmax(ops.where(x == 0, -np.inf, x), dim))


def log_softmax(x: Any, dim: int) -> Any:
    """x - log(sum(exp(x))) along dim over the elements that are not 0; those that are stay 0.

    >>> x = tl.tensor([[1.0, 0.0, 1.0]])
    >>> tl.sparse.log_softmax(x, dim=1)
    tensor([[-0.6931,  0.    , -0.6931]])
    """
    return ops.where(x == 0, 0.0, ops.log_softmax(ops.where(x == 0, -np.inf, x), dim))


def FloatTensor(indices: Any, values: Any, size: Any = None) -> Tensor:
    """`sparse_coo_tensor` with values of dtype float32, under the name that older programs call.

    >>> tl.sparse.FloatTensor([[0, 1], [2, 0]], [3, 4], (2, 3))
    tensor([[0., 0., 3.],
            [4., 0., 0.]])
    """
    return sparse_coo_tensor(indices, values, size, dtype=np.float32)
