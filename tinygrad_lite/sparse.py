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
    """The dense tensor of that size that holds values (n, …) at indices (d, n), summed where one is named twice.

    size: as small as holds them unless given. A place outside is an IndexError.
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
    """exp(x) / sum(exp(x)) along dim over what is not 0; 0 elsewhere."""
    return ops.where(x == 0, 0.0, ops.softmax(ops.where(x == 0, -np.inf, x), dim))


def log_softmax(x: Any, dim: int) -> Any:
    """x - log(sum(exp(x))) along dim over what is not 0; 0 elsewhere."""
    return ops.where(x == 0, 0.0, ops.log_softmax(ops.where(x == 0, -np.inf, x), dim))


def FloatTensor(indices: Any, values: Any, size: Any = None) -> Tensor:
    """sparse_coo_tensor of float32, as older programs call it."""
    return sparse_coo_tensor(indices, values, size, dtype=np.float32)
