"""What stands for arrays, numbers and generators while a call is recorded: they compute as numpy does, and note it.

A `Traced` array is taken for an array by the whole library, forward, backward and optimizer, because it answers
numpy's own protocols (`__array_ufunc__`, `__array_function__`). It holds the real values: each call is computed first
and noted after. What numpy would compute without asking (a conversion, a print) cannot pass unnoticed: the trace is
given up there, and the same call goes on with plain arrays. A truth test becomes a check that the program repeats.
"""

import copy
import operator
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..engine.mode import mode
from ..engine.trees import mapped
from ..engine.values import Value, unbox
from ..func.batched import Batched
from .names import asked_by_library
from .program import Var

STRUCTURE = {np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.may_share_memory, np.shares_memory,
             np.min_scalar_type, np.isscalar, np.iscomplexobj, np.isrealobj}  # the values do not matter to these
OF_SHAPE = {np.zeros_like, np.ones_like, np.empty_like}
WRITERS = {np.copyto, np.put_along_axis, np.put, np.putmask, np.place, np.fill_diagonal}  # change their first argument
METHODS = ("all any argmax argmin argsort clip conj cumprod cumsum diagonal dot flatten mean nonzero prod ravel repeat "
           "round searchsorted squeeze std swapaxes take trace transpose var view").split()


def plain(x: Any) -> Any:
    """What a traced array or number stands for; anything else as it is."""
    if type(x) is Traced:
        x._trace.computed_by(threading.get_ident())
        return x.value[()] if x.scalar else x.value
    return x.value if type(x) in (Number, Random) else x


def live() -> Any:
    """The trace that notes what is computed; None where none is, or it has been given up."""
    trace = getattr(mode.tracing, "base", mode.tracing)  # of a vmap that is being recorded
    return None if trace is None or trace.reason else trace


def looked_at(what: str) -> None:
    """A value is needed now, which a program knows only when it runs."""
    trace = live()
    if trace is not None:
        trace.give_up(f"{what} looks at a value", "return it and look at it outside, or compute with tl.where")


# ---------------------------------------------------------------- numbers
FIXED = "fixed"  # marks the test that a number is what it was


class Number:
    """A Python number that a program reads each time: a learning rate, a count of steps.

    Arithmetic with it is noted. Where the number itself is needed (an f-string, range, math.sqrt) the program checks
    that it still is what it was.
    """

    __class__ = property(lambda self: type(self.value))  # type: ignore[assignment]

    def __init__(self, value: Any, var: Var) -> None:
        self.value, self.now, self.how = value, var, var

    def _done(self, op: str, function: Callable, *args: Any) -> Any:
        if any(type(a) is not Number and isinstance(a, (np.ndarray, np.generic, Value)) for a in args):
            return NotImplemented
        value = function(*map(plain, args))
        trace = live()
        if trace is None or not all(isinstance(plain(a), (bool, int, float)) for a in args):
            return value
        if isinstance(value, (bool, np.bool_)):
            trace.check(trace.record("py." + op, mapped(trace.variable, args), {}, bool(value)), bool(value))
            return value
        return trace.note("py." + op, args, {}, value)

    def fixed(self) -> Any:
        """The number, which must stay the same from now on."""
        trace = live()
        if trace is not None and self.now.op != "constant":
            same = trace.record("py.==", (self.now, self.value), {}, True)
            same.value = FIXED
            trace.check(same, True)
        return self.value

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _ufunc(ufunc, method, inputs, kwargs)

    def item(self) -> Any:
        """One of numpy's numbers as one of Python's."""
        trace, value = live(), self.value.item()
        return value if trace is None else trace.note(".item", (self,), {}, value)

    def __neg__(self) -> Any:
        return self * -1  # type: ignore[operator]

    def __invert__(self) -> Any:
        return self ^ -1  # type: ignore[operator]

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return -self if self < 0 else self + 0  # type: ignore[operator]

    def __pow__(self, other: Any, modulo: Any = None) -> Any:
        return self._done("**", operator.pow, self, other) if modulo is None else pow(self.fixed(), other, modulo)

    def __divmod__(self, other: Any) -> tuple:
        return self // other, self % other  # type: ignore[operator]

    def __rdivmod__(self, other: Any) -> tuple:
        return other // self, other % self

    def __complex__(self) -> complex:
        return complex(self.fixed())

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.fixed(), dtype)

    def __bool__(self) -> bool:
        trace = live()
        if trace is not None:
            trace.check(self.now, bool(self.value))
        return bool(self.value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("value", "now", "how") or not hasattr(self.value, name):
            raise AttributeError(name)
        return getattr(self.fixed(), name)


SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**", "floordiv": "//", "mod": "%",
           "and_": "&", "or_": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
           "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


def _arithmetic(name: str, symbol: str) -> None:
    function, name = getattr(operator, name), name.strip("_")
    if name != "pow":
        setattr(Number, f"__{name}__", lambda self, other: self._done(symbol, function, self, other))
    setattr(Number, f"__r{name}__", lambda self, other: self._done(symbol, function, other, self))


def _fixed(name: str) -> None:
    setattr(Number, name, lambda self, *args: getattr(self.fixed(), name)(*args))


for _name, _symbol in SYMBOLS.items():
    _arithmetic(_name, _symbol)
for _name in "float int index hash format str repr round trunc floor ceil".split():
    _fixed(f"__{_name}__")
Number.__copy__ = Number.fixed  # type: ignore[attr-defined]
Number.__deepcopy__ = lambda self, memo: self.fixed()  # type: ignore[attr-defined]


class _Kinds(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return type(plain(args[0])) if len(args) == 1 else type(*args, **kwargs)

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, type)


class RealType(type, metaclass=_Kinds):
    """What the user's functions find under the name `type`: it tells the types of what the stand-ins stand for."""


# ---------------------------------------------------------------- random numbers
class Random:
    """numpy's random generator: what it draws, the program draws anew."""

    __class__ = property(lambda self: np.random.Generator)  # type: ignore[assignment]

    def __init__(self, value: np.random.Generator, var: Var) -> None:
        self.value, self.now = value, var
        self.seen = value.bit_generator.state  # after the last draw that was noted

    def drawn_elsewhere(self) -> bool:
        """Whether somebody has drawn from the generator itself."""
        return repr(self.value.bit_generator.state) != repr(self.seen)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.value, name)
        if not callable(found):
            looked_at(f"the attribute {name} of a generator")
            return found

        def draw(*args: Any, **kwargs: Any) -> Any:
            trace = live()
            elsewhere = trace is not None and self.drawn_elsewhere()
            real = found(*mapped(plain, args), **mapped(plain, kwargs))
            self.seen = self.value.bit_generator.state
            if trace is None:
                return real
            if elsewhere or "out" in kwargs or name in ("shuffle", "spawn"):
                trace.give_up(f"{name}() of a generator is not all that happens there",
                              "draw new arrays, from the generator in the state")
                return real
            return trace.note("rng." + name, (self, *args), kwargs, real)

        return draw


# ---------------------------------------------------------------- arrays
class Traced(NDArrayOperatorsMixin):
    """An array and the variable of the program that it is. A view knows what it is a view of, and how."""

    __class__ = property(lambda self: self._kind())  # type: ignore[assignment]
    __array_priority__ = 100

    def __init__(self, trace: Any, value: np.ndarray, var: Var, parent: "Traced | None" = None) -> None:
        self._trace, self.value, self._var, self.parent = trace, value, var, parent
        self.scalar = False  # whether numpy gave a number of its own, and no array
        self.how, self.version, self.seen = var, 0, 0 if parent is None else parent.version
        trace.alive.append(weakref.ref(self))

    # ---- what it is
    def _kind(self) -> type:
        """What isinstance() is told: users see numpy's numbers where numpy gives them, the library arrays."""
        return type(plain(self)) if self.scalar and not asked_by_library() else np.ndarray

    T = property(lambda self: self._method(".T", lambda x: x.T, self))
    mT = property(lambda self: self._method(".T" if self.ndim == 2 else ".mT", lambda x: x.mT, self))

    @property
    def base(self) -> Any:
        """The array whose memory this is a view of, as numpy says it."""
        base = self.parent
        while base is not None and base.parent is not None:
            base = base.parent
        return base

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self.value)))

    # ---- in-place changes: the variable changes, and so do those of the views and of what this is a view of
    @property
    def now(self) -> Var:
        """The variable that holds the values now."""
        if self.parent is not None:
            before = self.parent.now
            if self.parent.version != self.seen:
                self._var = self._trace.call_of(self.how, before)
                self.seen, self.version = self.parent.version, self.version + 1
        return self._var

    def become(self, var: Var) -> None:
        """Take over the values of another variable, and hand them on to what this is a view of."""
        self._var, self.version = var, self.version + 1
        if self.parent is not None:
            self._trace.write_back(self, var)
            self.seen = self.parent.version

    # ---- computing
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(issubclass(kind, (Batched, Value)) for kind in types):
            return NotImplemented
        trace = live()
        if trace is None or function in STRUCTURE:
            return function(*mapped(plain, args), **mapped(plain, kwargs))
        if function in WRITERS:
            return trace.write(trace.path(function), function, args, kwargs)
        if function in OF_SHAPE:
            like = {"dtype": self.dtype, "shape": self.shape} | kwargs
            shape = like["shape"] if isinstance(like["shape"], (tuple, list)) else (like["shape"],)
            name = function.__name__.removesuffix("_like").replace("empty", "zeros")
            return trace.note("np." + name, (tuple(shape), np.dtype(like["dtype"])), {},
                              getattr(np, name)(shape, like["dtype"]))
        if "out" in kwargs:
            trace.give_up(f"{function.__name__} writes into an array", "assign its result with [...] =")
            return function(*mapped(plain, args), **mapped(plain, kwargs))
        return trace.run_unknown(trace.path(function), function, args, kwargs)

    def __pow__(self, p: Any) -> Any:
        shortcut = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal}.get(p) if type(p) in (int, float) else None
        if shortcut is not None and (self.dtype.kind == "f" or p == 2 and self.dtype.kind != "b"):
            return shortcut(self)  # as numpy's own operator does
        return np.power(self, p)

    def __getitem__(self, index: Any) -> Any:
        return self._method("[]", lambda x, i: x[i], self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        value = unbox(value)
        self._trace.computed_by(threading.get_ident())
        self.value[mapped(plain, index)] = plain(value)
        trace = live()
        if trace is None:
            return
        whole = index is Ellipsis or isinstance(index, slice) and index == slice(None)
        if whole and isinstance(value, Traced) and (value.shape, value.dtype) == (self.shape, self.dtype):
            trace.noted(lambda: self.become(value.now))
        else:
            trace.noted(lambda: self.become(trace.record("put", mapped(trace.variable, (self, index, value)), {},
                                                         self.value)))

    def _method(self, op: str, function: Callable, *args: Any, **kwargs: Any) -> Any:
        trace = live()
        if trace is None:
            return function(*mapped(plain, args), **mapped(plain, kwargs))
        return trace.run(op, function, args, kwargs)

    def sum(self, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        return np.add.reduce(self, axis, *args, **kwargs)

    def max(self, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        return np.maximum.reduce(self, axis, None, *args, **kwargs)

    def min(self, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        return np.minimum.reduce(self, axis, None, *args, **kwargs)

    def astype(self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True,
               copy: bool = True) -> Any:
        _refuse_order(order, "KC")
        if not copy and self.dtype == dtype:
            return self
        return self._method(".astype", lambda x, d: x.astype(d, order, casting), self, np.dtype(dtype))

    def reshape(self, *shape: Any, order: Any = "C", copy: Any = None) -> Any:
        _refuse_order(order, "C")
        new = np.reshape(self.value, mapped(plain, shape[0] if len(shape) == 1 else shape), order=order)
        if copy:
            return self.copy().reshape(new.shape)
        return self._method(".reshape", lambda x, s: x.reshape(s, order=order), self, new.shape)

    def copy(self, order: str = "C") -> Any:
        _refuse_order(order, "C")
        return self._method(".copy", lambda x: x.copy(order), self)

    def fill(self, value: Any) -> None:
        self[...] = value

    # ---- where a value is looked at
    def item(self, *at: Any) -> Any:
        """One of numpy's numbers as one of Python's: the library computes with it, users look at it."""
        if not (self.scalar and asked_by_library()):
            looked_at("item()")
        return self._method(".item", lambda x, *at: x.item(*at), self, *at)

    def __bool__(self) -> bool:
        truth = bool(plain(self))
        trace = live()
        if trace is not None:
            trace.noted(lambda: trace.check(self.now, truth))
        return truth

    def __setattr__(self, name: str, value: Any) -> None:
        if not hasattr(np.ndarray, name):
            return object.__setattr__(self, name, value)
        looked_at(f"setting the attribute {name} of an array")
        setattr(self.value, name, plain(value))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(plain(self), name):
            raise AttributeError(f"an array has no attribute '{name}'")
        looked_at(f"the attribute {name} of an array")
        return getattr(plain(self), name)


def _refuse_order(order: Any, allowed: str) -> None:
    """Give up where the order of elements in memory is asked for: that of a program's values is its own."""
    trace = live()
    if trace is not None and order not in tuple(allowed):
        trace.give_up(f"it asks for the order {order!r} in memory", "use C's")


def _forwarded(name: str) -> Callable:
    """A method of arrays that is a call of the program."""
    def method(self: Traced, *args: Any, **kwargs: Any) -> Any:
        def function(x: Any, *args: Any, **kwargs: Any) -> Any:
            return getattr(x, name)(*args, **kwargs)

        trace = live()
        if trace is None:
            return function(plain(self), *mapped(plain, args), **mapped(plain, kwargs))
        if {"K", "A"}.intersection(a for a in (*args, *kwargs.values()) if isinstance(a, str)):
            _refuse_order("K", "C")
        return trace.run_unknown("." + name, function, (self, *args), kwargs)

    return method


def _looking(what: str, function: Callable) -> Callable:
    """A method that looks at the values."""
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        looked_at(what)
        return function(plain(self), *args, **kwargs)

    return method


LOOKING: dict[str, tuple[str, Any]] = {  # what looks at the values of an array, in words
    "tolist": ("tolist()", lambda x: x.tolist()),
    "tobytes": ("tobytes()", lambda x, *order: x.tobytes(*order)), "__float__": ("float()", float),
    "__array__": ("a conversion to numpy (or printing)", np.asarray), "__int__": ("int()", int),
    "__complex__": ("complex()", complex), "__index__": ("a Python index", operator.index),
    "__round__": ("round()", round), "__hash__": ("hash()", hash), "__contains__": ("`in`", operator.contains),
    "__repr__": ("printing", repr), "__str__": ("printing", str), "__format__": ("printing", format),
    "__copy__": ("copy.copy", copy.copy), "__deepcopy__": ("copy.deepcopy", copy.deepcopy),
    "__reduce__": ("pickling", lambda x: x.__reduce__()),
    "__reduce_ex__": ("pickling", lambda x, version: x.__reduce_ex__(version))}
for _name in ("shape", "dtype", "ndim", "size", "nbytes", "itemsize", "strides", "flags"):
    setattr(Traced, _name, property(operator.attrgetter("value." + _name)))
Traced.spelt_out = property(lambda self: self._trace.spelt_out)  # type: ignore[attr-defined]
for _name in METHODS:
    setattr(Traced, _name, _forwarded(_name))
for _name, (_what, _function) in LOOKING.items():
    setattr(Traced, _name, _looking(_what, _function))


def _ufunc(ufunc: Any, method: str, inputs: tuple, kwargs: dict) -> Any:
    if any(type(x) is Batched or isinstance(x, Value) for x in inputs):
        return NotImplemented  # they know what it is an operation of, and ask again
    trace = live()
    function = ufunc if method == "__call__" else getattr(ufunc, method)
    out = kwargs.pop("out", None) or (None,)
    if trace is not None and out[0] is not None and (
            len(out) > 1 or not isinstance(out[0], Traced) or kwargs.get("where", True) is not True):
        trace.give_up(f"{ufunc.__name__} writes into an array that the program does not know",
                      "pass it as an argument or in state")
        trace = None
    if trace is None:
        given = {"out": mapped(plain, out)} if out[0] is not None else {}
        result = function(*mapped(plain, inputs), **mapped(plain, kwargs), **given)
        return result if out[0] is None else out[0] if len(out) == 1 else out
    if method == "at":
        return trace.write(f"np.{ufunc.__name__}.at", function, inputs, kwargs)
    if method == "reduce":  # positional: axis, dtype, out, keepdims
        kwargs = {"axis": 0} | dict(zip(("axis", "dtype", "out", "keepdims"), inputs[1:])) | kwargs
        inputs = inputs[:1]
    kwargs = {k: v for k, v in kwargs.items() if k == "axis" or v is not None and (k, v) != ("keepdims", False)}
    if isinstance(axis := kwargs.get("axis"), tuple) and len(axis) == 1:
        kwargs["axis"] = axis[0]
    op = f"np.{ufunc.__name__}" if method == "__call__" else f"np.{ufunc.__name__}.{method}"
    result = trace.run(op, function, inputs, kwargs)
    if out[0] is None:
        return result
    target = out[0]
    np.copyto(target.value, plain(result), casting="same_kind")
    if not trace.reason:
        cast = result if result.dtype == target.dtype else result.astype(target.dtype)
        trace.noted(lambda: target.become(cast.now))
    return target
