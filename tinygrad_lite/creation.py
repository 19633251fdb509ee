"""Making tensors, from data or at random."""

from typing import Any

import numpy as np

from .ops.arguments import sizes_of
from .tape import unbox
from .tensor import Tensor

_generator = np.random.default_rng()


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
    array = np.array(data, dtype=dtype)
    return _made(array if dtype is not None else _default(data, array), requires_grad)


def from_numpy(array: np.ndarray) -> Tensor:
    """A Tensor that shares the array's memory."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a numpy array, not {type(array).__name__}")
    return Tensor(array)


def zeros(*size: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros."""
    return _made(np.zeros(sizes_of(size), dtype), requires_grad)


def ones(*size: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """A tensor of ones."""
    return _made(np.ones(sizes_of(size), dtype), requires_grad)


def arange(*args: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """start (0), start + step, … below end: int64 for whole arguments, else float32."""
    array = np.arange(*args, dtype=dtype)
    return _made(array if dtype is not None else _default(None, array), requires_grad)


def manual_seed(seed: int) -> None:
    """Seed the library's generator (numpy's PCG64): the same numbers on every platform."""
    global _generator
    _generator = np.random.default_rng(seed)


def generator() -> np.random.Generator:
    """The library's generator, that `manual_seed` seeds."""
    return _generator


def rand(*size: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Uniform random numbers in [0, 1)."""
    return _made(_generator.random(sizes_of(size)).astype(dtype), requires_grad)


def randn(*size: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Random numbers of the standard normal distribution."""
    return _made(_generator.standard_normal(sizes_of(size)).astype(dtype), requires_grad)


def randint(low: int, high: int, size: Any, dtype: Any = np.int64) -> Tensor:
    """Random whole numbers in [low, high)."""
    return Tensor(_generator.integers(low, high, size).astype(dtype))


def randperm(n: int) -> Tensor:
    """A random permutation of 0 … n-1."""
    return Tensor(_generator.permutation(n))
