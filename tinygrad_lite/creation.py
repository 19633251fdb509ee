"""Making tensors from data, filled, or counted up."""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .engine.mode import quietly
from .engine.spellings import spelt
from .engine.tape import box
from .engine.values import unbox
from .ops.arguments import device as checked_device
from .ops.arguments import fitting, sizes_of
from .settings import get_default_dtype
from .tensor import Tensor

SETTINGS = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value)
            for name, value in (("requires_grad", False), ("device", None))]


def makes(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let a function that makes a tensor take `requires_grad`, and `device`, which is the cpu."""
    named = spelt(function)

    @functools.wraps(function)
    def make(*args: Any, requires_grad: bool = False, device: Any = None, **kwargs: Any) -> Tensor:
        if device is not None:
            checked_device(device)
        return quietly(named, *args, **kwargs).requires_grad_(requires_grad)

    signature = inspect.signature(function)
    make.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *SETTINGS])  # type: ignore
    return make


def _default(data: Any, array: np.ndarray) -> np.ndarray:
    """The default dtype for Python floats, as in PyTorch; numpy data, and lists of them, keep their dtype."""
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a tensor holds real numbers or bools, not {array.dtype}")
    if array.dtype == np.uint64 and not isinstance(data, np.ndarray):
        raise OverflowError("a tensor of whole numbers is int64, which does not hold one of these")
    first = data
    while isinstance(first, (list, tuple)) and first:
        first = first[0]
    typed = isinstance(first, (np.ndarray, np.generic))
    return array.astype(get_default_dtype()) if array.dtype == np.float64 and not typed else array


def _numbers(data: Any) -> np.ndarray | None:
    """The numbers of nested lists; None where there are other things, or the lists do not fit."""
    try:
        array = np.array(data)
    except ValueError:
        return None
    return array if array.dtype.kind in "biuf" or array.dtype == object and array.size == 1 else None


@makes
def tensor(data: Any, dtype: Any = None) -> Tensor:
    """A Tensor with a copy of `data`: a number, nested lists, an array or a Tensor.

    Python floats get the default dtype, float32, whole numbers int64 and truths bool; numpy data keep their dtype. With
    requires_grad=True operations on it are recorded, so that backward() finds its gradient. ValueError for lists of
    unequal lengths, TypeError for complex numbers and text.

    >>> tl.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    >>> x = tl.tensor([1.0, 2.0], requires_grad=True)
    >>> x
    tensor([1., 2.], requires_grad=True)
    >>> tl.tensor(np.ones(2))  # numpy's floats are float64; dtype=tl.float32 converts them
    tensor([1., 1.], dtype=float64)
    """
    if isinstance(data, Tensor):
        data._refuse_to_lose("tl.tensor(…)", ".clone()")
    data = unbox(data)
    try:
        array = data.astype(dtype or data.dtype) if isinstance(data, np.ndarray) else np.array(data, dtype)
    except (ValueError, OverflowError) as error:
        numbers = None if dtype is None else _numbers(data)
        if numbers is not None:
            return box(fitting("tensor", numbers, dtype))
        raise ValueError(f"tensor: the data have no common shape or are no numbers: {error}") from None
    return box(array if dtype is not None else _default(data, array))


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A Tensor of `data`, in its memory where that can be: a Tensor is given back, an array shared; lists are copied.

    Another dtype needs a copy. `tl.tensor` always copies.

    >>> array = np.zeros(2)
    >>> x = tl.as_tensor(array)
    >>> array[0] = 7
    >>> x
    tensor([7., 0.], dtype=float64)
    """
    if device is not None:
        checked_device(device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    if isinstance(data, np.ndarray) and (dtype is None or data.dtype == dtype):
        return from_numpy(data)
    return tensor(data, dtype, device=device)


asarray = as_tensor


def from_numpy(array: np.ndarray) -> Tensor:
    """A Tensor in the memory of a numpy array: what changes one in place changes the other.

    The dtype stays: numpy's floats are float64 as a rule; .float() makes a float32 copy. TypeError for what is no
    array, or one of complex numbers or text.

    >>> array = np.arange(3)
    >>> x = tl.from_numpy(array)
    >>> x[0] = 10
    >>> array.tolist()
    [10, 1, 2]
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a numpy array, not {type(array).__name__}")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"from_numpy: a tensor holds real numbers or bools, not {array.dtype}")
    return box(array)


def from_dlpack(source: Any) -> Tensor:
    """A Tensor in the memory of another library's tensor or array: of anything that has `__dlpack__` and is on the CPU.

    >>> source = np.zeros(2)
    >>> x = tl.from_dlpack(source)
    >>> source[0] = 7
    >>> x
    tensor([7., 0.], dtype=float64)
    """
    source = source.array if isinstance(source, Tensor) and not source.requires_grad else source
    return box(source if isinstance(source, np.ndarray) else np.from_dlpack(source))  # numpy 2.0's are read-only


@makes
def zeros(*size: Any, dtype: Any = None) -> Tensor:
    """A tensor of zeros; its sizes are given one by one or as a tuple.

    >>> tl.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    >>> tl.zeros((2,), dtype=tl.int64)
    tensor([0, 0])
    """
    return box(np.zeros(sizes_of(size), dtype or get_default_dtype()))


@makes
def ones(*size: Any, dtype: Any = None) -> Tensor:
    """A tensor of ones; its sizes are given one by one or as a tuple.

    >>> tl.ones(2, 3)
    tensor([[1., 1., 1.],
            [1., 1., 1.]])
    """
    return box(np.ones(sizes_of(size), dtype or get_default_dtype()))


@makes
def empty(*size: Any, dtype: Any = None) -> Tensor:
    """A tensor of whatever was in the memory, which saves filling it: write to each element before reading.

    >>> x = tl.empty(2, 3)
    >>> x.shape
    (2, 3)
    >>> x.fill_(0.5)
    tensor([[0.5, 0.5, 0.5],
            [0.5, 0.5, 0.5]])
    """
    return box(np.empty(sizes_of(size), dtype or get_default_dtype()))


@makes
def full(size: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """A tensor of shape `size` in which all elements are fill_value.

    The dtype is that of the value unless given: 7 makes int64, 7.0 the default dtype, True bool.

    >>> tl.full((2, 3), 7)
    tensor([[7, 7, 7],
            [7, 7, 7]])
    """
    value = np.asarray(unbox(fill_value))
    if value.ndim:
        raise RuntimeError(f"full: fill_value is one number, not of shape {value.shape}")
    dtype = _default(fill_value, value).dtype if dtype is None else dtype
    return box(np.full(sizes_of((size,)), fitting("full", value, dtype)))


@makes
def eye(n: int, m: int | None = None, dtype: Any = None) -> Tensor:
    """The identity matrix (n, n): 1 on the diagonal, 0 elsewhere; with m a matrix (n, m).

    >>> tl.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    >>> tl.eye(2, 3)
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if n < 0 or m is not None and m < 0:
        raise RuntimeError(f"eye: a matrix has at least 0 rows and columns, not {n} and {m}")
    return box(np.eye(n, m, dtype=dtype or get_default_dtype()))


@makes
def arange(start: Any = None, end: Any = None, step: Any = 1, dtype: Any = None) -> Tensor:
    """The numbers start, start + step, … that come before `end`, which is left out; arange(end) starts at 0.

    int64 where all three are whole numbers, else the default dtype. RuntimeError where step does not lead from start to
    end. With a step that is no whole number, rounding may decide whether there is a last element: `linspace` takes the
    count.

    >>> tl.arange(5)
    tensor([0, 1, 2, 3, 4])
    >>> tl.arange(1, 10, 3)
    tensor([1, 4, 7])
    >>> tl.arange(0, 1, 0.25)
    tensor([0.  , 0.25, 0.5 , 0.75])
    """
    if start is None and end is None:
        raise TypeError("arange: takes at least the number to stop before: arange(end)")
    start, end, step = (unbox(n) for n in ((0, start, step) if end is None else (start or 0, end, step)))
    if step == 0 or (end - start) * step < 0 or not math.isfinite(start + end):
        raise RuntimeError(f"arange: no steps of {step} lead from {start} to {end}")
    if dtype is None:
        dtype = np.int64 if all(np.asarray(n).dtype.kind in "iub" for n in (start, end, step)) else get_default_dtype()
    if np.dtype(dtype) == np.int64:  # as PyTorch: of the other whole numbers the count is that of the numbers given
        start, end, step = int(start), int(end), int(step)
    count = math.ceil((end - start) / step)
    if np.dtype(dtype).kind != "f":
        start, step = int(start), int(step)
    return box((start + step * np.arange(count)).astype(dtype))


@makes
def linspace(start: Any, end: Any, steps: int, dtype: Any = None) -> Tensor:
    """`steps` numbers at equal distances from start to end, both included.

    >>> tl.linspace(0, 1, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    if steps < 0:
        raise RuntimeError(f"linspace: the number of steps is at least 0, not {steps}")
    if np.ndim(unbox(start)) or np.ndim(unbox(end)):
        raise RuntimeError(f"linspace: start and end are numbers, not of shapes {np.shape(start)} and {np.shape(end)}")
    dtype = np.dtype(dtype or get_default_dtype())
    kind = float if dtype.kind == "f" else int
    return box(np.linspace(kind(start), kind(end), steps).astype(dtype))


@makes
def logspace(start: Any, end: Any, steps: int, base: float = 10.0, dtype: Any = None) -> Tensor:
    """base to the power of `steps` numbers at equal distances from start to end, both included.

    >>> tl.logspace(-1, 2, 4)  # 10 to the power of -1, 0, 1 and 2: learning rates to try, for instance
    tensor([  0.1,   1. ,  10. , 100. ])
    >>> tl.logspace(0, 3, 4, base=2)
    tensor([1., 2., 4., 8.])
    """
    dtype = np.dtype(dtype or get_default_dtype())
    if dtype.kind in "iu":  # PyTorch's: the ends are whole numbers, what is between them not
        start, end = int(start), int(end)
    exponents = linspace(start, end, steps, dtype=np.float64).array
    return box((float(base) ** exponents).astype(dtype))


@makes
def scalar_tensor(s: Any, dtype: Any = None) -> Tensor:
    """A number as a tensor without dimensions, of the default dtype unless given.

    >>> tl.scalar_tensor(3)  # tl.tensor(3) would be int64
    tensor(3.)
    """
    return full((), s, dtype or get_default_dtype())


def _triangle_indices(numbers: Callable, row: int, col: int, offset: int, dtype: Any) -> Tensor:
    if row < 0 or col < 0:
        raise RuntimeError(f"tril_indices, triu_indices: a matrix has at least 0 rows and columns, not {row} and {col}")
    return box(np.stack(numbers(row, offset, col)).astype(dtype or np.int64))


@makes
def tril_indices(row: int, col: int, offset: int = 0, dtype: Any = None) -> Tensor:
    """The places in the lower triangle of a matrix of row x col elements, row by row: a tensor (2, n).

    Its first row holds row numbers, its second one column numbers. offset moves the triangle's edge, the diagonal: 1
    takes the one above it in, -1 leaves it out.

    >>> places = tl.tril_indices(3, 3)
    >>> places
    tensor([[0, 1, 1, 2, 2, 2],
            [0, 0, 1, 0, 1, 2]])
    >>> rows, columns = places
    >>> tl.arange(9).reshape(3, 3)[rows, columns]
    tensor([0, 3, 4, 6, 7, 8])
    """
    return _triangle_indices(np.tril_indices, row, col, offset, dtype)


@makes
def triu_indices(row: int, col: int, offset: int = 0, dtype: Any = None) -> Tensor:
    """The places in the upper triangle of a matrix of row x col elements, row by row: a tensor (2, n).

    Its first row holds row numbers, its second one column numbers. offset moves the triangle's edge, the diagonal: 1
    leaves it out, -1 takes the one below it in.

    >>> tl.triu_indices(3, 3, offset=1)  # each pair of different numbers below 3
    tensor([[0, 0, 1],
            [1, 2, 2]])
    """
    return _triangle_indices(np.triu_indices, row, col, offset, dtype)


@makes
def zeros_like(x: Tensor, dtype: Any = None) -> Tensor:
    """Zeros of another tensor's shape, and of its dtype unless given.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.zeros_like(x)
    tensor([[0, 0],
            [0, 0]])
    """
    return box(np.zeros_like(unbox(x), dtype=dtype, order="C", subok=False))


@makes
def ones_like(x: Tensor, dtype: Any = None) -> Tensor:
    """Ones of another tensor's shape, and of its dtype unless given.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.ones_like(x, dtype=tl.float32)
    tensor([[1., 1.],
            [1., 1.]])
    """
    return box(np.ones_like(unbox(x), dtype=dtype, order="C", subok=False))


@makes
def empty_like(x: Tensor, dtype: Any = None) -> Tensor:
    """A tensor of another's shape and dtype, of whatever was in the memory: write to each element before reading.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.empty_like(x).shape
    (2, 2)
    """
    return box(np.empty_like(unbox(x), dtype=dtype, order="C", subok=False))


@makes
def full_like(x: Tensor, fill_value: Any, dtype: Any = None) -> Tensor:
    """A tensor of another's shape in which all elements are fill_value; of the other's dtype unless given.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> tl.full_like(x, 7)
    tensor([[7, 7],
            [7, 7]])
    """
    return full(x.shape, fill_value, dtype or x.dtype)


def _of_this_dtype(make: Callable[..., Tensor], example: str) -> Callable[..., Tensor]:
    """The method that makes a tensor of self's dtype unless given."""
    def method(self: Tensor, *args: Any, dtype: Any = None, **settings: Any) -> Tensor:
        return make(*args, dtype=dtype or self.dtype, **settings)

    method.__name__ = method.__qualname__ = f"new_{make.__name__}"
    method.__doc__ = (f"What tl.{make.__name__} makes of the same arguments, of this tensor's dtype unless given.\n\n"
                      f">>> x = tl.tensor([1.5, 2.5], dtype=tl.float64)\n>>> {example}")
    return method


for _make, _example in ((zeros, "x.new_zeros(2)\ntensor([0., 0.], dtype=float64)"),
                        (ones, "x.new_ones(2)\ntensor([1., 1.], dtype=float64)"),
                        (empty, "x.new_empty(2, 3).dtype\ndtype('float64')"),
                        (full, "x.new_full((2,), 7)\ntensor([7., 7.], dtype=float64)"),
                        (tensor, "x.new_tensor([1, 2])\ntensor([1., 2.], dtype=float64)")):
    setattr(Tensor, f"new_{_make.__name__}", _of_this_dtype(_make, _example))
