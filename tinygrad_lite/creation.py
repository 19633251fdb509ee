"""Making tensors from data, filled, or counted up."""

from typing import Any

import numpy as np

from .engine.values import unbox
from .ops.arguments import sizes_of
from .tensor import Tensor


def _made(array: np.ndarray, requires_grad: bool = False) -> Tensor:
    return Tensor(array).requires_grad_(requires_grad)


def _default(data: Any, array: np.ndarray) -> np.ndarray:
    """float32 for Python floats, as in PyTorch; numpy data keeps its dtype."""
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a tensor holds real numbers or bools, not {array.dtype}")
    typed = isinstance(data, (np.ndarray, np.generic))
    return array.astype(np.float32) if array.dtype == np.float64 and not typed else array


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A Tensor with a copy of `data`: numbers, nested lists, arrays or Tensors."""
    data = unbox(data)
    try:
        array = data.astype(dtype or data.dtype) if isinstance(data, np.ndarray) else np.array(data, dtype=dtype)
    except ValueError as error:
        raise ValueError(f"tensor: the data have no common shape or are no numbers: {error}") from None
    return _made(array if dtype is not None else _default(data, array), requires_grad)


def as_tensor(data: Any, dtype: Any = None) -> Tensor:
    """A Tensor that shares memory with `data` where it can: a Tensor or an array of the dtype."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    if isinstance(data, np.ndarray) and (dtype is None or data.dtype == dtype):
        return from_numpy(data)
    return tensor(data, dtype)


def from_numpy(array: np.ndarray) -> Tensor:
    """A Tensor that shares the array's memory."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a numpy array, not {type(array).__name__}")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"from_numpy: a tensor holds real numbers or bools, not {array.dtype}")
    return Tensor(array)


def from_dlpack(source: Any) -> Tensor:
    """A Tensor that shares memory with any tensor or array that has `__dlpack__`."""
    return Tensor(np.from_dlpack(source))


def zeros(*size: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros."""
    return _made(np.zeros(sizes_of(size), dtype), requires_grad)


def ones(*size: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """A tensor of ones."""
    return _made(np.ones(sizes_of(size), dtype), requires_grad)


def empty(*size: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """A tensor of whatever was in memory: fill it before reading."""
    return _made(np.empty(sizes_of(size), dtype), requires_grad)


def full(size: Any, fill_value: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of one value, of the value's own dtype unless given."""
    value = _default(fill_value, np.asarray(unbox(fill_value)))
    return _made(np.full(size, value, dtype or value.dtype), requires_grad)


def eye(n: int, m: int | None = None, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """1 on the diagonal of an n x m (n x n) matrix, else 0."""
    return _made(np.eye(n, m, dtype=dtype), requires_grad)


def arange(*args: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """start (0), start + step, … below end: int64 for whole arguments, else float32."""
    if len(args) == 3 and args[2] == 0:
        raise RuntimeError("arange: the step must not be 0")
    array = np.arange(*map(unbox, args), dtype=dtype)
    return _made(array if dtype is not None else _default(None, array), requires_grad)


def linspace(start: float, end: float, steps: int, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """`steps` numbers evenly from start to end, both included."""
    if steps < 0:
        raise RuntimeError(f"linspace: the number of steps is at least 0, not {steps}")
    return _made(np.linspace(start, end, steps, dtype=dtype), requires_grad)


def zeros_like(x: Tensor, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of x's shape and dtype."""
    return zeros(x.shape, dtype=dtype or x.dtype, requires_grad=requires_grad)


def ones_like(x: Tensor, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of x's shape and dtype."""
    return ones(x.shape, dtype=dtype or x.dtype, requires_grad=requires_grad)


def empty_like(x: Tensor, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Memory for x's shape and dtype, not filled."""
    return empty(x.shape, dtype=dtype or x.dtype, requires_grad=requires_grad)


def full_like(x: Tensor, fill_value: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """One value in x's shape and dtype."""
    return full(x.shape, fill_value, dtype or x.dtype, requires_grad)
