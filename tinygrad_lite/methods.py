"""What tensors can besides computing: other dtypes, in place, the shapes of others, questions about memory."""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import ops
from .engine import tape
from .engine.spellings import spelt
from .engine.tape import box
from .engine.values import Value, unbox
from .inplace import in_place, reshaping
from .ops import elementwise, transcendental
from .ops.arguments import device as on_cpu
from .settings import Size
from .tensor import Tensor, filled_as_of_old

DTYPES = {"float": "float32", "double": "float64", "half": "float16", "long": "int64", "int": "int32", "short": "int16",
          "char": "int8", "byte": "uint8", "bool": "bool"}
NO_CHANGE = {  # elementwise operations that PyTorch has no x.op_() for
    *"where isnan isinf isfinite isposinf isneginf signbit fmax fmin maximum minimum".split()}
OTHERS = ("cumsum cumprod index_add index_copy index_fill index_put lerp masked_fill masked_scatter scatter "
          "scatter_add scatter_reduce tril triu addmm addmv baddbmm lgamma digamma erfinv").split()
RESHAPING = "squeeze unsqueeze transpose swapaxes".split()


# ---------------------------------------------------------------- dtype and device
def dtype_asked(targets: tuple, dtype: Any = None, device: Any = None) -> Any:
    """The dtype among what `to` is given: dtypes, tensors, a device (the cpu); None where there is none."""
    for target in targets:
        if isinstance(target, Value):
            dtype = target.array.dtype
        elif isinstance(target, str) and not hasattr(np, target):
            device = target
        elif not isinstance(target, bool):
            dtype = target
    if device is not None:
        on_cpu(device)
    return None if dtype is None else np.dtype(dtype)


def to(self: Tensor, *targets: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False,
       copy: bool = False, memory_format: Any = None) -> Tensor:
    """The values in another dtype, or in that of another tensor; the tensor itself where it has that dtype already.

    targets: a dtype, a tensor, a device. copy=True gives a copy in any case. Gradients flow from one floating-point
    dtype to another; whole numbers and bools have none. A device other than the CPU is a RuntimeError; non_blocking
    and memory_format change nothing here.

    >>> x = tl.tensor([1.5, -1.5])
    >>> x.to(tl.int64)
    tensor([ 1, -1])
    >>> x.to(tl.float32) is x, x.to("cpu") is x
    (True, True)
    """
    flags = [target for target in targets if isinstance(target, bool)]  # non_blocking, copy
    copy = copy or flags[1:] == [True]
    dtype = dtype_asked(targets, dtype, device) or self.array.dtype
    if self.array.dtype == dtype:
        return self.clone() if copy else self
    return tape.cast(self if dtype.kind == "f" else self.detach(), dtype)  # whole numbers have no gradient


def cpu(self: Tensor) -> Tensor:
    """The tensor itself, which is always on the CPU.

    >>> x = tl.ones(2)
    >>> x.cpu() is x
    True
    """
    return self


def to_dense(self: Tensor) -> Tensor:
    """The tensor itself: PyTorch's sparse tensors are dense ones here, which keep their zeros.

    >>> x = tl.tensor([0.0, 2.0])
    >>> x.to_sparse().coalesce().to_dense()
    tensor([0., 2.])
    """
    return self


def indices(self: Tensor) -> Tensor:
    """The indices of the n elements other than 0, as a sparse tensor has them: (d, n), a column for each element.

    >>> x = tl.tensor([[0.0, 3.0], [4.0, 0.0]])
    >>> x.indices()
    tensor([[0, 1],
            [1, 0]])
    """
    return box(np.array(np.nonzero(self.array), np.int64))


def values(self: Tensor) -> Tensor:
    """The n elements other than 0, in the order of `indices()`.

    >>> x = tl.tensor([[0.0, 3.0], [4.0, 0.0]])
    >>> x.values()
    tensor([3., 4.])
    """
    return self[np.nonzero(self.array)]


def cuda(self: Tensor, device: Any = "cuda") -> Tensor:
    """Raises RuntimeError, as there is no GPU here: programs ask `tl.cuda.is_available()` first.

    >>> device = "cuda" if tl.cuda.is_available() else "cpu"
    >>> tl.ones(2).to(device)
    tensor([1., 1.])
    """
    return self.to(device=device)


LOSES = {"f": "", "i": ": fractions are cut off", "u": ": fractions are cut off", "b": ": True where they are not 0"}


def _as(name: str) -> Callable:
    dtype = np.dtype(DTYPES[name])
    numbers = [0, 2] if dtype.kind == "f" else [0.0, 1.7]

    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        return self.to(dtype)

    convert.__name__ = name
    convert.__doc__ = f"""The values as {dtype}{LOSES[dtype.kind]}.

    >>> tl.tensor({numbers}).{name}()
    {box(np.array(numbers).astype(dtype))!r}
    """
    return convert


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The values in the dtype of another tensor.

    >>> tl.tensor([0.0, 1.7]).type_as(tl.tensor([1]))
    tensor([0, 1])
    """
    return self.to(other.dtype)


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a floating-point one, as what gradients are computed of must be.

    >>> tl.is_floating_point(tl.tensor([1.0])), tl.is_floating_point(tl.tensor([1]))
    (True, False)
    """
    return input.dtype.kind == "f"


def is_complex(input: Tensor) -> bool:
    """Whether a tensor holds complex numbers: always False, as there are none here.

    >>> tl.is_complex(tl.ones(2))
    False
    """
    return False


def is_signed(input: Tensor) -> bool:
    """Whether the dtype has negative numbers: all but bool and uint8, uint16, … have.

    >>> tl.is_signed(tl.tensor([1])), tl.is_signed(tl.tensor([1], dtype=tl.uint8))
    (True, False)
    """
    return input.dtype.kind in "if"


# ---------------------------------------------------------------- shape
def t(input: Tensor) -> Tensor:
    """A matrix (n, m) transposed to (m, n), a view of the same memory; a tensor of fewer dimensions as it is.

    More than 2 dimensions are a RuntimeError: `.mT` and `.transpose` say which two are swapped.

    >>> x = tl.tensor([[1.0, 2.0, 3.0]])
    >>> tl.t(x)
    tensor([[1.],
            [2.],
            [3.]])
    """
    if input.ndim > 2:
        raise RuntimeError(f"t: needs at most 2 dimensions, not shape {input.shape}; use .mT or .transpose")
    return input.T


def view_as(self: Tensor, other: Tensor) -> Tensor:
    """The same memory in the shape of another tensor, as `view` gives it; RuntimeError where it cannot.

    >>> x = tl.tensor([1, 2, 3, 4])
    >>> x.view_as(tl.zeros(2, 2))
    tensor([[1, 2],
            [3, 4]])
    """
    return self.view(other.shape)


def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """The elements in the shape of another tensor, copied only where no view of the memory has that shape.

    >>> x = tl.tensor([[1, 2], [3, 4]])
    >>> x.t().reshape_as(tl.zeros(4))
    tensor([1, 3, 2, 4])
    """
    return self.reshape(other.shape)


def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor repeated to the shape of another one, without copying: broadcasting, written out.

    >>> x = tl.tensor([1, 2])
    >>> x.expand_as(tl.zeros(3, 2))
    tensor([[1, 2],
            [1, 2],
            [1, 2]])
    """
    return self.expand(other.shape)


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape.

    >>> tl.is_same_size(tl.ones(2, 3), tl.zeros(2, 3))
    True
    """
    return input.shape == other.shape


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that tensors of these shapes broadcast to; RuntimeError where they do not fit.

    A number stands for a shape of one dimension. Sizes are compared from the last one on: they are the same, or one
    of them is 1 or missing.

    >>> tl.broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    try:
        return Size(np.broadcast_shapes(*shapes))
    except ValueError:
        raise RuntimeError(f"broadcast_shapes: the shapes {', '.join(map(str, shapes))} do not fit") from None


def ndimension(self: Tensor) -> int:
    """The number of dimensions, which `x.ndim` and `x.dim()` give too.

    >>> tl.zeros(2, 3).ndimension()
    2
    """
    return self.array.ndim


# ---------------------------------------------------------------- memory
def is_contiguous(self: Tensor) -> bool:
    """Whether the elements lie in memory without gaps, in the order of their indices: row after row.

    Views often do not. `x.contiguous()` gives a copy that does.

    >>> x = tl.zeros(2, 3)
    >>> x.is_contiguous(), x.t().is_contiguous()
    (True, False)
    """
    return self.array.flags.c_contiguous


def element_size(self: Tensor) -> int:
    """The number of bytes that one element takes.

    >>> tl.zeros(3).element_size(), tl.zeros(3, dtype=tl.float64).element_size()
    (4, 8)
    """
    return self.array.itemsize


def stride(self: Tensor, dim: int | None = None) -> Any:
    """How many elements further in memory the next one along each dimension is, or along `dim` alone.

    >>> x = tl.zeros(2, 3)
    >>> x.stride(), x.t().stride(), x.stride(0)
    ((3, 1), (1, 3), 3)
    """
    strides = tuple(s // self.array.itemsize for s in self.array.strides)
    return strides if dim is None else strides[dim]


def data_ptr(self: Tensor) -> int:
    """The address in memory of the first element, by which one sees whether memory is shared.

    >>> x = tl.zeros(4)
    >>> x.view(2, 2).data_ptr() == x.data_ptr(), x.clone().data_ptr() == x.data_ptr()
    (True, False)
    """
    return self.array.ctypes.data


def get_device(input: Tensor) -> int:
    """-1, which is PyTorch's number for the CPU.

    >>> tl.get_device(tl.ones(2))
    -1
    """
    return -1


def pin_memory(self: Tensor) -> Tensor:
    """The tensor itself: there is no GPU that would read its memory.

    >>> x = tl.ones(2)
    >>> x.pin_memory() is x
    True
    """
    return self


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Write one value wherever all indices are the same, in place; gives the tensor.

    wrap=True: in a matrix with more rows than columns the diagonal starts again, after a row without it. RuntimeError
    for a tensor of one dimension, or of more than two that differ in size.

    >>> tl.zeros(5, 2).fill_diagonal_(1, wrap=True)
    tensor([[1., 0.],
            [0., 1.],
            [0., 0.],
            [1., 0.],
            [0., 1.]])
    """
    if self.ndim < 2 or self.ndim > 2 and len(set(self.shape)) > 1:
        raise RuntimeError(f"fill_diagonal_: needs a matrix, or more dimensions of one size, not shape {self.shape}")
    rows = np.arange(min(self.shape))
    index = (rows,) * self.ndim
    if wrap and self.ndim == 2:
        flat = np.arange(0, self.array.size, self.shape[1] + 1)
        index = np.unravel_index(flat, self.shape)
    self[index] = fill_value
    return self


def new(self: Tensor, *data: Any) -> Tensor:
    """A new tensor of the same dtype: the values of a list, or zeros of the sizes given.

    This is PyTorch's old way; `new_tensor` and `new_zeros` say which of the two is meant.

    >>> x = tl.tensor([0.5])
    >>> x.new([1, 2]), x.new(2)
    (tensor([1., 2.]), tensor([0., 0.]))
    """
    return _typed("new", self.dtype)(*data)


def apply_(self: Tensor, callable: Callable) -> Tensor:
    """Replace each element by what a Python function of one number makes of it, in place; gives the tensor.

    It is slow, and no gradient flows through it: RuntimeError for a tensor that requires grad.

    >>> x = tl.tensor([1.0, 2.0])
    >>> x.apply_(lambda number: 10 * number)
    tensor([10., 20.])
    """
    if self.requires_grad:
        raise RuntimeError("apply_: no gradient flows through a Python function of numbers; use .detach().apply_(…)")
    return self.copy_(box(np.array([callable(number) for number in self.array.flat], self.dtype).reshape(self.shape)))


def detach_(self: Tensor) -> Tensor:
    """Forget how the tensor was computed, in place: it does not require grad any more; gives the tensor.

    >>> x = tl.tensor(2.0, requires_grad=True)
    >>> y = x * 3
    >>> y.detach_().requires_grad
    False
    """
    self.node = None
    return self


def is_nonzero(input: Tensor) -> bool:
    """Whether the one element of a tensor is not 0; RuntimeError for another number of elements.

    >>> tl.is_nonzero(tl.tensor([0.5])), tl.is_nonzero(tl.tensor(0))
    (True, False)
    """
    return bool(input)


# ---------------------------------------------------------------- comparison of whole tensors
def _beside(name: str, other: Any) -> np.ndarray:
    array = unbox(other)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: compares tensors and arrays, not {other.__class__.__name__}; write tl.tensor(…)")
    return array


@spelt
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and the same elements; dtypes may differ, and NaN equals nothing.

    TypeError for what is neither a tensor nor an array.

    >>> tl.equal(tl.tensor([1, 2]), tl.tensor([1.0, 2.0]))
    True
    >>> tl.equal(tl.ones(2), tl.ones(3))
    False
    """
    x, y = _beside("equal", input), _beside("equal", other)
    return x.shape == y.shape and bool((x == y).all())


@spelt
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Which elements differ by at most atol + rtol * abs(other), as bools; the two tensors broadcast.

    equal_nan=True counts NaN as close to NaN; arrays give an array. TypeError for what is neither a tensor nor an
    array; RuntimeError for a tolerance below 0.

    >>> x = tl.tensor([1.0, 1.0])
    >>> tl.isclose(x, tl.tensor([1.000001, 1.1]))
    tensor([ True, False])
    """
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: rtol and atol are at least 0, not {rtol} and {atol}")
    near = np.isclose(_beside("isclose", input), _beside("isclose", other), rtol, atol, equal_nan)
    return box(near) if isinstance(input, Tensor) or isinstance(other, Tensor) else near


@spelt
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements differ by at most atol + rtol * abs(other), so are equal but for rounding; see `isclose`.

    >>> x = tl.tensor([0.1, 0.2])
    >>> tl.equal(x * x / x, x), tl.allclose(x * x / x, x)
    (False, True)
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


def polygamma(self: Tensor, n: int) -> Tensor:
    """The n-th derivative of digamma, which is itself the derivative of log(gamma(x)); n = 0, 1, 2, …

    >>> x = tl.tensor([1.0, 2.0])
    >>> x.polygamma(1)
    tensor([1.6449, 0.6449])
    """
    return ops.polygamma(n, self)


def numel(input: Tensor) -> int:
    """The number of elements: the product of the sizes.

    >>> tl.numel(tl.zeros(2, 3))
    6
    """
    return np.size(unbox(input))


def is_tensor(value: Any) -> bool:
    """Whether a value is a Tensor; a numpy array is none.

    >>> tl.is_tensor(tl.ones(2)), tl.is_tensor(np.ones(2))
    (True, False)
    """
    return isinstance(value, Tensor)


def _typed(name: str, dtype: np.dtype) -> Any:
    def make(*data: Any) -> Tensor:
        if len(data) == 1 and isinstance(data[0], Tensor) and data[0].dtype != dtype:
            raise TypeError(f"{name}: of a tensor of {data[0].dtype} say .to({dtype})")
        return box(filled_as_of_old(name, data, dtype))

    make.__name__, make.dtype = name, dtype  # type: ignore[attr-defined]
    make.__doc__ = f"""A tensor of {dtype}: the values of a list, or zeros of the sizes given.

    This is PyTorch's old way; `tl.tensor(…, dtype=…)` and `tl.zeros` say which of the two is meant. A tensor of another
    dtype, or a single number that is no size, is a TypeError.

    >>> tl.{name}([0, 1])
    {box(np.array([0, 1], dtype))!r}
    """
    return make


TYPED = {name: _typed(name, np.dtype(dtype))  # FloatTensor, LongTensor, …
         for name, dtype in ((f"{word.capitalize()}Tensor", dtype) for word, dtype in DTYPES.items())}


def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """PyTorch's name for the dtype, such as "torch.FloatTensor"; or, given a dtype or such a name, the values in it.

    >>> x = tl.tensor([0.0, 1.7])
    >>> x.type()
    'torch.FloatTensor'
    >>> x.type("torch.LongTensor")
    tensor([0, 1])
    """
    if dtype is None:
        return next((f"torch.{name}" for name, make in TYPED.items() if make.dtype == self.dtype), str(self.dtype))
    name = dtype.removeprefix("torch.") if isinstance(dtype, str) else getattr(dtype, "__name__", "")
    return self.to(dtype=TYPED[name].dtype if name in TYPED else dtype)


@spelt
def broadcast_to(self: Tensor, *size: Any) -> Tensor:
    """The tensor repeated to a shape, without copying; -1 keeps a size.

    >>> x = tl.tensor([1, 2])
    >>> x.broadcast_to(3, -1)
    tensor([[1, 2],
            [1, 2],
            [1, 2]])
    """
    return self.expand(*size)


for _method in (
        to, cpu, cuda, type, type_as, is_floating_point, is_complex, is_signed, t, view_as, reshape_as,
        broadcast_to, expand_as, numel, polygamma, ndimension, is_same_size, is_contiguous, element_size, stride,
        data_ptr, get_device, pin_memory, fill_diagonal_, new, apply_, detach_, is_nonzero, equal, isclose, allclose,
        *map(_as, DTYPES)):
    setattr(Tensor, _method.__name__, _method)
for _name in ("to_dense", "to_sparse", "to_sparse_coo", "to_sparse_csr", "coalesce"):
    setattr(Tensor, _name, to_dense)
for _method in (indices, values):
    setattr(Tensor, _method.__name__, _method)
    setattr(Tensor, "_" + _method.__name__, _method)  # PyTorch's of what is not coalesced
for _name, _op in ops.VOCABULARY.items():
    if _op.__module__ in (elementwise.__name__, transcendental.__name__) and _name not in NO_CHANGE or _name in OTHERS:
        setattr(Tensor, _name + "_", in_place(_op))
for _name in RESHAPING:
    setattr(Tensor, _name + "_", reshaping(ops.VOCABULARY[_name]))
Tensor.t_ = reshaping(t)  # type: ignore[method-assign]
for _alias, _name in ops.ALIASES.items():
    setattr(Tensor, _alias, getattr(Tensor, _name, None) or ops.VOCABULARY[_name])
    if hasattr(Tensor, _name + "_"):
        setattr(Tensor, _alias + "_", getattr(Tensor, _name + "_"))
PROPERTIES = {  # with what they are, and of EXAMPLE
    "device": (lambda self: on_cpu("cpu"), "Where the tensor is: always on the CPU.", "'cpu'"),
    "is_cpu": (lambda self: True, "Whether the tensor is on the CPU: always True.", "True"),
    "H": (lambda self: self.t(), "A matrix transposed; as all numbers are real, none is conjugated.",
          "tensor([[1., 3.],\n        [2., 4.]])"),
    "mH": (lambda self: self.mT, "The last two dimensions swapped; as all numbers are real, none is conjugated.",
           "tensor([[1., 3.],\n        [2., 4.]])"),
    "is_sparse": (lambda self: False, "Whether the tensor is kept without its zeros: always False.", "False"),
    "is_cuda": (lambda self: False, "Whether the tensor is on a GPU: always False.", "False"),
    "nbytes": (lambda self: self.array.nbytes, "The number of bytes that all elements take together.", "16"),
    "itemsize": (element_size, "The number of bytes that one element takes.", "4")}
EXAMPLE = "tl.tensor([[1.0, 2.0], [3.0, 4.0]])"
for _name, (_get, _says, _gives) in PROPERTIES.items():
    setattr(Tensor, _name, property(_get, doc=f"{_says}\n\n>>> x = {EXAMPLE}\n>>> x.{_name}\n{_gives}"))
for _alias, _method in {"nelement": numel}.items():
    setattr(Tensor, _alias, _method)
IN_PLACE = {name + "_": vars(Tensor)[name + "_"] for name in (  # what PyTorch has as a function too: torch.exp_(x)
    "abs acos acosh addmv arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh ceil clamp clamp_max "
    "clamp_min clip cos cosh deg2rad detach erf erfc exp2 exp expm1 fill fix floor frac index_put log10 log1p "
    "log2 log logit nan_to_num neg negative rad2deg reciprocal relu round rsqrt sigmoid sin sinc sinh sqrt square "
    "tan tanh trunc xlogy zero").split()}
