"""Tensor: a numpy array, its gradient, and methods that hand on to the vocabulary."""

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import numpys, ops
from .engine import tape
from .engine.mode import mode, quietly
from .engine.values import RETAIN, Value, as_array, leaf, unbox
from .inplace import in_place, rebind
from .ops.arguments import numbers_first, plain
from .ops.elementwise import _add, _div, _sub
from .settings import Size, get_default_dtype, printed

if TYPE_CHECKING:
    from .vocabulary import Methods  # as docs/stubs.py writes them: the methods are given to the class below it
else:
    Methods = object


def _operator(op: Any) -> "Callable[[Any, Any], Tensor]":
    """A primitive as type checkers see an operator."""
    return op


def _reflected(op: Any) -> "Callable[[Any, Any], Tensor]":
    return lambda self, other: op(other, self)


def _comparable(op: Any) -> "Callable[[Any, Any], Tensor]":
    """== and != with what is no number, array or Tensor leave the answer to Python: they differ."""
    def method(self, other):
        if isinstance(other, (Value, float, int, np.ndarray, np.generic)):
            return op(self, other)
        return NotImplemented

    return method


def backward(tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
             inputs: Any = None) -> None:
    """`Tensor.backward` of several tensors at once, whose gradients are added up.

    grad_tensors: of each d loss / d tensor, or None where it has one element. The other arguments are those of
    `Tensor.backward`.

    >>> x = tl.tensor([1.0, 2.0], requires_grad=True)
    >>> tl.autograd.backward([x.sum(), (x * x).sum()])
    >>> x.grad  # 1 + 2x
    tensor([3., 5.])
    """
    tensors = [tensors] if isinstance(tensors, Value) else list(tensors)
    if grad_tensors is None or isinstance(grad_tensors, (Value, np.ndarray)):
        grad_tensors = [grad_tensors] * len(tensors)
    wanted = None
    if inputs is not None:
        wanted = [x.node for x in ([inputs] if isinstance(inputs, Value) else inputs)]
        if not wanted or None in wanted:
            raise RuntimeError("backward: `inputs` names tensors that require grad, at least one")
    tape.accumulate(tape.backpropagate(tape.seeds_for(tensors, grad_tensors), create_graph, retain_graph, wanted))


def filled_as_of_old(name: str, data: tuple, dtype: Any) -> np.ndarray:
    """What PyTorch's Tensor(…) and its kin make: the values of a list or an array, or zeros of sizes (0 of none)."""
    if len(data) == 1 and (isinstance(data[0], (list, tuple, range)) or np.ndim(data[0])):
        return quietly(np.array, data[0], dtype)
    if bool not in map(type, data) and all(hasattr(size, "__index__") for size in data):
        return np.zeros(data or (0,), dtype)
    raise TypeError(f"{name}: takes sizes, or one list, array or tensor; of a number or truth say tl.tensor(…)")


@tape.results_are
class Tensor(Value, Methods):
    """A numpy array that records what is computed from it, so that gradients can be read back.

    Make one with `tl.tensor(data, requires_grad=True)`. `array` is the numpy array itself (change its values only where
    no tape needs them), `grad` the accumulated gradient, a Tensor. What takes a tensor first is a method too: tl.exp(x)
    is x.exp(), and most of the elementwise ones have x.exp_(), which changes x in place.

    >>> x = tl.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = (x ** 2).sum()
    >>> y
    tensor(14., grad_fn=<sum>)
    >>> y.backward()
    >>> x.grad  # d y / d x = 2x
    tensor([2., 4., 6.])
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def __init__(self, *data: Any) -> None:
        """PyTorch's old way: the default dtype of a list or an array, zeros of sizes, or of a tensor a view of it.

        `tl.tensor` keeps the dtype of arrays, `tl.from_numpy` shares their memory.
        """
        if len(data) == 1 and isinstance(data[0], Value):
            shown = tape.box(data[0].array) if data[0].node is None else ops.getitem(data[0], ...)
            super().__init__(shown.array, shown.node)
            self.view_of = shown.view_of
        else:
            super().__init__(filled_as_of_old("Tensor", data, get_default_dtype()))

    # ---- what it is
    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of its dimensions.

        >>> tl.zeros(2, 3).shape
        (2, 3)
        """
        return self.array.shape

    @property
    def dtype(self) -> np.dtype:
        """The type of its elements, a numpy dtype: one of bool, uint8, int64, float32, float64 and their like.

        >>> tl.ones(2).dtype, tl.tensor([1, 2]).dtype
        (dtype('float32'), dtype('int64'))
        """
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """How many dimensions it has: 0 for a number, 1 for a vector, 2 for a matrix.

        >>> tl.zeros(2, 3).ndim
        2
        """
        return self.array.ndim

    @property
    def T(self) -> "Tensor":
        """The tensor with its dimensions in reverse order; of a matrix, the transpose.

        >>> tl.tensor([[1, 2], [3, 4]]).T
        tensor([[1, 3],
                [2, 4]])
        """
        return ops.permute(self, *reversed(range(self.ndim)))

    @property
    def mT(self) -> "Tensor":
        """The tensor with its last two dimensions swapped: the transpose of each matrix of a batch.

        >>> tl.zeros(5, 2, 3).mT.shape
        (5, 3, 2)
        """
        return ops.transpose(self, -1, -2)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it: backward() leaves gradients in those leaves that require grad.

        >>> x = tl.tensor(3.0, requires_grad=True)
        >>> x.is_leaf, (2 * x).is_leaf
        (True, False)
        """
        return self.node is None or self.node.op is None

    @property
    def grad_fn(self) -> Any:
        """The tape's node of the operation that made it, None for a leaf.

        >>> x = tl.tensor(3.0, requires_grad=True)
        >>> (2 * x).grad_fn
        <mul>
        """
        return None if self.is_leaf else self.node

    @property
    def data(self) -> "Tensor":
        """The same values as a Tensor that is not tracked, in the same memory.

        Set it on a leaf to give it another array, which is not recorded; RuntimeError on the result of an operation.

        >>> x = tl.tensor([1.0, 2.0], requires_grad=True)
        >>> x.data -= 0.5  # a step that no gradient knows of
        >>> x
        tensor([0.5, 1.5], requires_grad=True)
        """
        return tape.box(self.array)

    @data.setter
    def data(self, value: Any) -> None:
        array = as_array(value)
        if self.node is not None:
            if self.node.op is not None:
                raise RuntimeError("data: the tensor is the result of a recorded operation; set the data of a leaf, "
                                   "or of a .detach()")
            if array.dtype.kind != "f":
                raise RuntimeError(f"data: a tensor that requires grad cannot hold {array.dtype}")
            if array.shape != self.array.shape or array.dtype != self.array.dtype:
                self.node.grad = None
            self.node.array = array
        self.array = array

    def dim(self) -> int:
        """How many dimensions it has, as `ndim`.

        >>> tl.zeros(2, 3).dim()
        2
        """
        return self.array.ndim

    def size(self, dim: int | None = None) -> Any:
        """The sizes of all dimensions, which is `shape` with a method numel(), or the size of one.

        >>> x = tl.zeros(2, 3)
        >>> x.size()
        (2, 3)
        >>> x.size(-1), x.size().numel()
        (3, 6)
        """
        return Size(self.array.shape) if dim is None else self.array.shape[dim]

    # ---- gradients
    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded, so that a gradient can be computed.

        Only floating-point tensors can require one. Results of recorded operations require one by themselves; for other
        tensors it can be set.

        >>> x = tl.tensor([1.0, 2.0], requires_grad=True)
        >>> (2 * x).requires_grad, x.detach().requires_grad
        (True, False)
        """
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Make it a leaf that gradients are accumulated for, or with False stop that; gives the tensor itself.

        RuntimeError for dtypes that are not floating-point, and for False on the result of a recorded operation.

        >>> tl.ones(2).requires_grad_()
        tensor([1., 1.], requires_grad=True)
        """
        if requires_grad and self.array.dtype.kind != "f":
            raise RuntimeError(f"only floating-point tensors can require gradients, not {self.dtype}")
        if not requires_grad and not self.is_leaf:
            raise RuntimeError("requires_grad can be turned off for leaf tensors only; use .detach()")
        if requires_grad != self.requires_grad:
            self.node = leaf(self.array) if requires_grad else None
        return self

    @property
    def grad(self) -> "Tensor | None":
        """The gradient that backward() accumulated here: a Tensor of this shape, or None.

        Each backward() adds to it: set it to None before the next, which is what an optimizer's zero_grad() does.

        >>> x = tl.tensor(3.0, requires_grad=True)
        >>> (x * x).backward()
        >>> x.grad
        tensor(6.)
        >>> (x * x).backward()
        >>> x.grad
        tensor(12.)
        """
        return None if self.node is None else self.node.grad

    @grad.setter
    def grad(self, value: "Tensor | None") -> None:
        if value is None:
            if self.node is not None:
                self.node.grad = None
            return
        if self.node is None:
            raise RuntimeError("a tensor that does not require grad has no .grad; call requires_grad_() first")
        if not isinstance(value, Tensor) or value.shape != self.shape or value.dtype != self.dtype:
            raise RuntimeError(f".grad must be a Tensor of shape {self.shape} and dtype {self.dtype}, not "
                               f"{type(value).__name__} {getattr(value, 'shape', '')} {getattr(value, 'dtype', '')}")
        self.node.grad = value

    def backward(self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
                 inputs: Any = None) -> None:
        """Add d self / d leaf to the `.grad` of every leaf that self was computed from, or of `inputs` only.

        gradient: d loss / d self, of self's shape; needed unless self has one element. The tape is freed, so that a
        second backward() is a RuntimeError, unless retain_graph; with create_graph the gradients can be differentiated
        again.

        >>> w = tl.tensor([1.0, 2.0], requires_grad=True)
        >>> x = tl.tensor([3.0, 4.0])
        >>> loss = (w * x).sum()
        >>> loss.backward()
        >>> w.grad
        tensor([3., 4.])
        """
        backward([self], [gradient], retain_graph, create_graph, inputs)

    def detach(self) -> "Tensor":
        """The same values as a Tensor that is not tracked, in the same memory: a constant to what is computed from it.

        >>> x = tl.tensor(3.0, requires_grad=True)
        >>> (x * x.detach()).backward()
        >>> x.grad  # of 3x, and not of x * x
        tensor(3.)
        """
        return tape.box(self.array)

    def _hooks(self) -> dict:
        if self.node is None:
            raise RuntimeError("a tensor that does not require grad has no gradient to hook or retain")
        if self.node.hooks is None:
            self.node.hooks = {}
        return self.node.hooks

    def register_hook(self, hook: Any) -> "Handle":
        """Call hook(grad) when backward() knows the gradient; what the hook returns, unless None, replaces it.

        What replaces it has its shape and dtype. Returns a handle, whose remove() takes the hook off. A tensor that is
        changed in place leaves its hooks with its value before.

        >>> x = tl.tensor(3.0, requires_grad=True)
        >>> handle = x.register_hook(lambda grad: grad.clamp(max=1.0))
        >>> (x * x).backward()
        >>> x.grad  # and not 6
        tensor(1.)
        """
        if not callable(hook):
            raise TypeError(f"register_hook: a hook is a function of the gradient, not {type(hook).__name__}")
        return Handle(self._hooks(), hook)

    def retain_grad(self) -> None:
        """Let backward() keep the gradient of a result in `.grad` too, not of leaves alone.

        It is kept as all hooks leave it, also that of the value after a change in place. RuntimeError where the tensor
        does not require grad.

        >>> x = tl.tensor(3.0, requires_grad=True)
        >>> y = 2 * x
        >>> y.retain_grad()
        >>> (y * y).backward()
        >>> y.grad  # 2y
        tensor(12.)
        """
        hooks = self._hooks()
        if not self.is_leaf:
            hooks[RETAIN] = True

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called for it, and it is no leaf.

        >>> y = 2 * tl.tensor(3.0, requires_grad=True)
        >>> y.retain_grad()
        >>> y.retains_grad
        True
        """
        return not self.is_leaf and RETAIN in (self.node.hooks or {})

    # ---- to Python and numpy
    def numpy(self) -> np.ndarray:
        """The numpy array itself, in the same memory.

        RuntimeError where the tensor requires grad, as in PyTorch: .detach() it first.

        >>> x = tl.tensor([1.0, 2.0], requires_grad=True)
        >>> x.detach().numpy().tolist()
        [1.0, 2.0]
        """
        if self.requires_grad:
            raise RuntimeError("numpy() of a tensor that requires grad would lose its gradient; "
                               "use .detach().numpy(), or .array")
        return self.array

    def item(self) -> Any:
        """The one element of a tensor as a Python number; RuntimeError where it has more or none.

        >>> tl.tensor([[2.5]]).item()
        2.5
        """
        if mode.differentiating is not None and self.node is not None:
            mode.differentiating.read = ".item()"
        if self.array.size != 1:
            raise RuntimeError(f"item: a tensor of shape {self.shape} has {self.array.size} elements, not one")
        return self.array.item()

    def tolist(self) -> Any:
        """The elements as nested Python lists, or as a number where there are no dimensions.

        >>> tl.tensor([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]
        """
        if mode.differentiating is not None and self.node is not None:
            mode.differentiating.read = ".tolist()"
        return self.array.tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self._refuse_to_lose("np.array(…)", "np.stack of a list of them")
        return np.array(self.array, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return numpys.of_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return numpys.of_function(function, args, kwargs)

    def __dlpack__(self, **options: Any) -> Any:
        if self.requires_grad:
            raise BufferError("__dlpack__ of a tensor that requires grad would lose its gradient; use .detach()")
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple:
        return self.array.__dlpack_device__()

    def __copy__(self) -> "Tensor":
        if not self.is_leaf or self.node is None:
            return self[...]  # in-place changes of the one are seen by the other
        new = type(self).__new__(type(self))
        Value.__init__(new, self.array, self.node)
        return new

    def __reduce__(self) -> tuple:
        if not self.is_leaf:
            raise RuntimeError("only leaf tensors can be copied deeply or pickled; use .detach() first")
        return _rebuilt, (type(self), self.array, self.requires_grad)

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise RuntimeError(f"the truth of a tensor of shape {self.shape} is ambiguous: use (…).any() or .all() "
                               "of its array")
        return bool(self.array)

    def _refuse_to_lose(self, what: str, instead: str) -> None:
        """TypeError where a derivative is being taken that a conversion would lose in silence."""
        if mode.differentiating is not None and self.node is not None:
            raise TypeError(f"{what} of a Tensor that {mode.differentiating.name} takes a derivative of would lose it; "
                            f"use {instead}, or .detach() for a value that counts as a constant")

    def __float__(self) -> float:
        self._refuse_to_lose("float(…), or a function of math,", "numpy's functions (np.exp), or tinygrad_lite's")
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return self.array.__index__()

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return len(self.array)

    def __iter__(self) -> "Iterator[Tensor]":
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self.array)))

    def __contains__(self, value: Any) -> bool:
        return bool((self.array == unbox(value)).any())

    def __repr__(self) -> str:
        text = printed(self.array, prefix="tensor(")
        if self.dtype not in (get_default_dtype(), np.int64, np.bool_):
            text += f", dtype={self.dtype}"
        if self.node is not None and self.node.op is not None:
            text += f", grad_fn=<{self.node.op.__name__}>"
        elif self.requires_grad:
            text += ", requires_grad=True"
        return f"tensor({text})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    # ---- operators
    __add__, __radd__ = _operator(_add), _operator(_add)
    __sub__, __rsub__ = _operator(_sub), _reflected(_sub)
    __mul__, __rmul__ = ops.mul, ops.mul
    __truediv__, __rtruediv__ = _operator(_div), _reflected(_div)
    __div__, __rdiv__ = __truediv__, __rtruediv__  # as PyTorch still calls them
    __floordiv__, __rfloordiv__ = ops.floor_divide, _reflected(ops.floor_divide)
    __mod__, __rmod__ = ops.remainder, _reflected(ops.remainder)
    __pow__, __rpow__ = ops.pow, _reflected(ops.pow)
    __matmul__, __rmatmul__ = ops.matmul, _reflected(ops.matmul)
    __and__, __rand__ = ops.bitwise_and, ops.bitwise_and
    __or__, __ror__ = ops.bitwise_or, ops.bitwise_or
    __xor__, __rxor__ = ops.bitwise_xor, ops.bitwise_xor
    __lshift__, __rlshift__ = ops.bitwise_left_shift, _reflected(ops.bitwise_left_shift)
    __rshift__, __rrshift__ = ops.bitwise_right_shift, _reflected(ops.bitwise_right_shift)
    __eq__, __ne__ = _comparable(ops.eq), _comparable(ops.ne)  # type: ignore[assignment]
    __lt__, __le__, __gt__, __ge__ = ops.lt, ops.le, ops.gt, ops.ge
    __neg__, __abs__, __invert__ = ops.neg, ops.abs, ops.bitwise_not
    __pos__ = lambda self: self  # noqa: E731

    __iadd__, __isub__ = in_place(ops.add), in_place(ops.sub)
    __imul__, __itruediv__ = in_place(ops.mul), in_place(ops.div)
    __ipow__, __ifloordiv__, __imod__ = in_place(ops.pow), in_place(ops.floor_divide), in_place(ops.remainder)
    __iand__, __ior__, __ixor__ = in_place(ops.bitwise_and), in_place(ops.bitwise_or), in_place(ops.bitwise_xor)

    def __getitem__(self, index: Any) -> "Tensor":
        if type(index) is int:
            return ops.getitem(self, index)
        numbers, index = numbers_first(plain(index), self.array.ndim)
        return ops.getitem(self if numbers is None else ops.getitem(self, numbers), index)

    def __setitem__(self, index: Any, value: Any) -> None:
        numbers, index = numbers_first(plain(index), self.ndim)
        rebind(self if numbers is None else ops.getitem(self, numbers), ops.index_put, index, value)

    def where(self, condition: Any, other: Any) -> "Tensor":
        """The tensor's own elements where the condition is true, those of `other` elsewhere; all three broadcast.

        >>> x = tl.tensor([1.0, -2.0, 3.0])
        >>> x.where(x > 0, 0.0)
        tensor([1., 0., 3.])
        """
        return ops.where(condition, self, other)

    def zero_(self) -> "Tensor":
        """Set every element to 0, in place.

        >>> tl.ones(2).zero_()
        tensor([0., 0.])
        """
        return self.fill_(0)

    def fill_(self, value: Any) -> "Tensor":
        """Set every element to one number, in place; RuntimeError for more than one, which `copy_` takes.

        >>> tl.zeros(2).fill_(7)
        tensor([7., 7.])
        """
        if shape := np.shape(unbox(value)):
            raise RuntimeError(f"fill_: the value is one number, not of shape {shape}; copy_ takes more")
        self[...] = value
        return self

    def copy_(self, source: Any) -> "Tensor":
        """Take over the values of `source`, broadcast and in this tensor's dtype, in place.

        >>> tl.zeros(2, 3).copy_(tl.tensor([1, 2, 3]))
        tensor([[1., 2., 3.],
                [1., 2., 3.]])
        """
        self[...] = source
        return self


FUNCTIONS_ONLY = frozenset(  # what does not take a tensor first, or is no method in PyTorch
    "where cat stack hstack vstack dstack column_stack block_diag meshgrid cartesian_prod combinations atleast_1d "
    "atleast_2d atleast_3d broadcast_tensors einsum tensordot place getitem pad one_hot matrix_norm vector_norm svd "
    "svdvals cofactors var_mean std_mean isin searchsorted bucketize".split())
for _name in ops.VOCABULARY.keys() - FUNCTIONS_ONLY - vars(Tensor).keys():
    setattr(Tensor, _name, ops.VOCABULARY[_name])


def _rebuilt(cls: type[Tensor], array: np.ndarray, requires_grad: bool) -> Tensor:
    """What copy and pickle call: a leaf with the array."""
    new = cls.__new__(cls)
    Value.__init__(new, array)
    return new.requires_grad_(requires_grad)


_numbers = itertools.count(1)


class Handle:
    """Removes the hook that it was returned for.

    >>> x = tl.tensor(3.0, requires_grad=True)
    >>> handle = x.register_hook(lambda grad: 10 * grad)
    >>> handle.remove()
    >>> (x * x).backward()
    >>> x.grad
    tensor(6.)
    """

    def __init__(self, hooks: dict, hook: Any) -> None:
        self._hooks, self._number = hooks, next(_numbers)
        hooks[self._number] = hook

    def remove(self) -> None:
        """Take the hook off; once is enough, twice does no harm."""
        self._hooks.pop(self._number, None)
