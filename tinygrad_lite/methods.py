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
    """The values in another dtype, or in that of another tensor; self where it has that already, unless `copy`.

    A device is accepted where it is the cpu; non_blocking and memory_format change nothing here.
    """
    flags = [target for target in targets if isinstance(target, bool)]  # non_blocking, copy
    copy = copy or flags[1:] == [True]
    dtype = dtype_asked(targets, dtype, device) or self.array.dtype
    if self.array.dtype == dtype:
        return self.clone() if copy else self
    return tape.cast(self if dtype.kind == "f" else self.detach(), dtype)  # whole numbers have no gradient


def cpu(self: Tensor) -> Tensor:
    """Itself: it is on the cpu."""
    return self


def to_dense(self: Tensor) -> Tensor:
    """The tensor itself: all are dense (see sparse.py)."""
    return self


def indices(self: Tensor) -> Tensor:
    """The places (d, n) of what is not 0, as a sparse tensor has them."""
    return box(np.array(np.nonzero(self.array), np.int64))


def values(self: Tensor) -> Tensor:
    """What is not 0 (n), in the order of indices()."""
    return self[np.nonzero(self.array)]


def cuda(self: Tensor, device: Any = "cuda") -> Tensor:
    """A RuntimeError: there is no other device than the cpu."""
    return self.to(device=device)


def _as(name: str) -> Callable:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        return self.to(DTYPES[name])

    convert.__name__ = name
    convert.__doc__ = f"As {DTYPES[name]}."
    return convert


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """In the dtype of another tensor."""
    return self.to(other.dtype)


def is_floating_point(self: Tensor) -> bool:
    """Whether it holds real numbers."""
    return self.dtype.kind == "f"


def is_complex(self: Tensor) -> bool:
    """Whether it holds complex numbers: none does."""
    return False


def is_signed(self: Tensor) -> bool:
    """Whether its dtype has negative numbers."""
    return self.dtype.kind in "if"


# ---------------------------------------------------------------- shape
def t(self: Tensor) -> Tensor:
    """A matrix transposed; of fewer dimensions itself."""
    if self.ndim > 2:
        raise RuntimeError(f"t: needs at most 2 dimensions, not shape {self.shape}; use .mT or .transpose")
    return self.T


def view_as(self: Tensor, other: Tensor) -> Tensor:
    """In the shape of another tensor."""
    return self.view(other.shape)


def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """In the shape of another tensor."""
    return self.reshape(other.shape)


def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """Repeated, without copying, to the shape of another tensor."""
    return self.expand(other.shape)


def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Whether another tensor has the same shape."""
    return self.shape == other.shape


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that tensors of these shapes, or sizes, broadcast to; RuntimeError where they do not."""
    try:
        return Size(np.broadcast_shapes(*shapes))
    except ValueError:
        raise RuntimeError(f"broadcast_shapes: the shapes {', '.join(map(str, shapes))} do not fit") from None


def ndimension(self: Tensor) -> int:
    """How many dimensions."""
    return self.array.ndim


# ---------------------------------------------------------------- memory
def is_contiguous(self: Tensor) -> bool:
    """Whether its elements are in order in memory."""
    return self.array.flags.c_contiguous


def element_size(self: Tensor) -> int:
    """The bytes of one element."""
    return self.array.itemsize


def stride(self: Tensor, dim: int | None = None) -> Any:
    """How many elements further in memory the next one is, along each dimension or one."""
    strides = tuple(s // self.array.itemsize for s in self.array.strides)
    return strides if dim is None else strides[dim]


def data_ptr(self: Tensor) -> int:
    """The address of its first element."""
    return self.array.ctypes.data


def get_device(self: Tensor) -> int:
    """-1: it is on the cpu."""
    return -1


def pin_memory(self: Tensor) -> Tensor:
    """Itself: no GPU reads its memory."""
    return self


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """One value where all indices are the same, in place; wrap: of a tall matrix once more after every square."""
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
    """A tensor of its dtype, of a list or zeros of sizes: PyTorch's old way; `new_tensor` and `new_zeros` say which."""
    return _typed("new", self.dtype)(*data)


def apply_(self: Tensor, callable: Callable) -> Tensor:
    """What a Python function of one number says of each element, in place; slow, without a gradient."""
    if self.requires_grad:
        raise RuntimeError("apply_: no gradient flows through a Python function of numbers; use .detach().apply_(…)")
    return self.copy_(box(np.array([callable(number) for number in self.array.flat], self.dtype).reshape(self.shape)))


def detach_(self: Tensor) -> Tensor:
    """Stop tracking it, in place."""
    self.node = None
    return self


def is_nonzero(self: Tensor) -> bool:
    """Whether its one element is not 0."""
    return bool(self)


# ---------------------------------------------------------------- comparison of whole tensors
def _beside(name: str, other: Any) -> np.ndarray:
    array = unbox(other)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: compares tensors and arrays, not {other.__class__.__name__}; write tl.tensor(…)")
    return array


@spelt
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shapes and all elements are the same."""
    x, y = _beside("equal", input), _beside("equal", other)
    return x.shape == y.shape and bool((x == y).all())


@spelt
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Which elements differ by at most atol + rtol * |other|."""
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: rtol and atol are at least 0, not {rtol} and {atol}")
    return box(np.isclose(_beside("isclose", input), _beside("isclose", other), rtol, atol, equal_nan))


@spelt
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements differ by at most atol + rtol * |other|."""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


def polygamma(self: Tensor, n: int) -> Tensor:
    """The n-th derivative of digamma, n = 0, 1, 2, …"""
    return ops.polygamma(n, self)


def numel(self: Tensor) -> int:
    """How many elements."""
    return self.array.size


def is_tensor(value: Any) -> bool:
    """Whether it is a Tensor."""
    return isinstance(value, Tensor)


def _typed(name: str, dtype: np.dtype) -> Any:
    def make(*data: Any) -> Tensor:
        """As PyTorch's old way: a tensor of a list, or zeros of sizes, in the dtype of the name."""
        if len(data) == 1 and isinstance(data[0], Tensor) and data[0].dtype != dtype:
            raise TypeError(f"{name}: of a tensor of {data[0].dtype} say .to({dtype})")
        return box(filled_as_of_old(name, data, dtype))

    make.__name__, make.dtype = name, dtype  # type: ignore[attr-defined]
    return make


TYPED = {name: _typed(name, np.dtype(dtype))  # FloatTensor, LongTensor, …
         for name, dtype in ((f"{word.capitalize()}Tensor", dtype) for word, dtype in DTYPES.items())}


def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """PyTorch's name for its dtype ("torch.FloatTensor"); given that, a function so called or a dtype: as of it."""
    if dtype is None:
        return next((f"torch.{name}" for name, make in TYPED.items() if make.dtype == self.dtype), str(self.dtype))
    name = dtype.removeprefix("torch.") if isinstance(dtype, str) else getattr(dtype, "__name__", "")
    return self.to(dtype=TYPED[name].dtype if name in TYPED else dtype)


def broadcast_to(self: Tensor, *size: Any) -> Tensor:
    """Repeated, without copying, to a shape; -1 keeps a size."""
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
Tensor.t_ = reshaping(t)  # type: ignore[attr-defined]
for _alias, _name in ops.ALIASES.items():
    setattr(Tensor, _alias, getattr(Tensor, _name, None) or ops.VOCABULARY[_name])
    if hasattr(Tensor, _name + "_"):
        setattr(Tensor, _alias + "_", getattr(Tensor, _name + "_"))
PROPERTIES = {
    "device": (lambda self: on_cpu("cpu"), "Where it is: the cpu."),
    "is_cpu": (lambda self: True, "Whether it is on the cpu: always."),
    "H": (lambda self: self.t(), "A matrix transposed: its numbers are real."),
    "mH": (lambda self: self.mT, "The last two dimensions swapped: its numbers are real."),
    "is_sparse": (lambda self: False, "Whether it is kept without its zeros: never."),
    "is_cuda": (lambda self: False, "Whether it is on a GPU: never."),
    "nbytes": (lambda self: self.array.nbytes, "The bytes of its elements."),
    "itemsize": (element_size, "The bytes of one element.")}
for _name, (_get, _doc) in PROPERTIES.items():
    setattr(Tensor, _name, property(_get, doc=_doc))
for _alias, _method in {"nelement": numel}.items():
    setattr(Tensor, _alias, _method)
IN_PLACE = {name + "_": vars(Tensor)[name + "_"] for name in (  # what PyTorch has as a function too: torch.exp_(x)
    "abs acos acosh addmv arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh ceil clamp clamp_max "
    "clamp_min clip cos cosh deg2rad detach erf erfc exp2 exp expm1 fill fix floor frac index_put log10 log1p "
    "log2 log logit nan_to_num neg negative rad2deg reciprocal relu round rsqrt sigmoid sin sinc sinh sqrt square "
    "tan tanh trunc xlogy zero").split()}
