"""Recording: arrays that compute as numpy's do and note every numpy call on them in a program.

A `Traced` array is taken for an array by the whole library, forward, backward and optimizer, because it answers
numpy's own protocols (`__array_ufunc__`, `__array_function__`). It holds the real values, so that the call that is
being recorded gives the real result. What numpy would compute without asking it (a conversion, a branch on a value)
cannot pass unnoticed: it is an error in the user's function, and in the library a check that the program repeats.
"""

import operator
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..autograd import source_line
from ..engine.changes import next_place
from ..engine.mode import mode
from ..engine.values import Value
from .names import stored_as
from .program import Var, leaves, mapped

LIBRARY = __name__.split(".")[0]
STRUCTURE = {np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.may_share_memory, np.shares_memory,
             np.min_scalar_type, np.isscalar, np.iscomplexobj, np.isrealobj}  # the values do not matter to these
OF_SHAPE = {np.zeros_like, np.ones_like, np.empty_like}
VALUES_DECIDE_SHAPE = {"np.nonzero", "np.flatnonzero", "np.argwhere", "np.unique", "np.extract", "np.compress",
                       "np.union1d", "np.intersect1d", "np.setdiff1d", "np.repeat", ".repeat", ".nonzero"}
WRITERS = {np.copyto, np.put_along_axis, np.put, np.putmask, np.place, np.fill_diagonal}  # change their first argument
METHODS = ("all any argmax argmin argsort clip conj cumprod cumsum diagonal dot flatten mean nonzero prod ravel repeat "
           "round searchsorted squeeze std swapaxes take trace transpose var view").split()


class CompileError(RuntimeError):
    """A compiled function does what a program cannot repeat: it looks at a value."""


def plain(x: Any) -> Any:
    """What a traced array or number stands for; anything else as it is."""
    return x.value if isinstance(x, (Traced, Number)) else x


def _callers() -> Any:
    """The frames outside this package, innermost first."""
    frame = sys._getframe(1)
    while frame is not None:
        if not frame.f_globals.get("__name__", "").startswith((LIBRARY + ".compiler", "numpy")):
            yield frame
        frame = frame.f_back  # type: ignore[assignment]


def _in_library() -> bool:
    """Whether an operation or another function of the library, and not the user's own line, is asking."""
    for i, frame in enumerate(_callers()):
        name = frame.f_globals.get("__name__", "")
        methods = name == LIBRARY + ".tensor"
        if name == LIBRARY + ".engine.tape" or (i == 0 and name.startswith(LIBRARY + ".") and not methods):
            return True
        if methods:  # they hand on
            return False
        if frame.f_code is mode.tracing.code:
            return False
    return False


def _refused(what: str) -> Any:
    """Stop at the user's line that looks at a value; of an operation, note that it cannot be traced."""
    if mode.tracing is None:
        return
    if not _in_library():
        raise CompileError(f"{source_line()}: {what} inside a compiled function needs the value, which is known only "
                           "when the program runs; return the tensor and look at it outside, or compute with "
                           "tl.where instead of a branch")
    mode.tracing.give_up(f"an operation needs {what} of a value")


class Number:
    """A Python number that a program reads each time: a learning rate, a count of steps."""

    __class__ = property(lambda self: type(self.value))  # type: ignore[assignment]

    def __init__(self, trace: Any, value: Any, var: Var) -> None:
        self.trace, self.value, self.now = trace, value, var

    def _done(self, op: str, function: Callable, *args: Any) -> Any:
        if any(isinstance(a, (Traced, np.ndarray, np.generic, Value)) for a in args):
            return NotImplemented
        value = function(*map(plain, args))
        if isinstance(value, bool):
            mode.tracing.check(self.trace.note("py." + op, args, {}, value).now, value)
            return value
        return self.trace.note("py." + op, args, {}, value)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _ufunc(ufunc, method, inputs, kwargs)

    def __bool__(self) -> bool:
        mode.tracing.check(self.now, bool(self.value))
        return bool(self.value)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return repr(self.value)


SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**", "floordiv": "//", "mod": "%",
           "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


def _arithmetic(name: str, symbol: str) -> None:
    function = getattr(operator, name)
    setattr(Number, f"__{name}__", lambda self, other: self._done(symbol, function, self, other))
    setattr(Number, f"__r{name}__", lambda self, other: self._done(symbol, function, other, self))


for _name, _symbol in SYMBOLS.items():
    _arithmetic(_name, _symbol)


class Traced(NDArrayOperatorsMixin):
    """An array and the variable of the program that it is. A view knows what it is a view of, and how."""

    __class__ = property(lambda self: np.ndarray)  # type: ignore[assignment]
    __array_priority__ = 100

    def __init__(self, trace: "Trace", value: np.ndarray, var: Var, parent: "Traced | None" = None) -> None:
        self.trace, self.value, self._var, self.parent = trace, value, var, parent
        self.how, self.version, self.seen = var, 0, 0 if parent is None else parent.version

    # ---- what it is
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
                self._var = self.trace.call_of(self.how, before)
                self.seen, self.version = self.parent.version, self.version + 1
        return self._var

    def become(self, var: Var) -> None:
        """Take over the values of another variable, and hand them on to what this is a view of."""
        self._var, self.version = var, self.version + 1
        if self.parent is not None:
            self.trace.write_back(self, var)
            self.seen = self.parent.version

    # ---- computing
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        trace = mode.tracing
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
        return trace.run(trace.path(function), function, args, kwargs)

    def __pow__(self, p: Any) -> Any:
        shortcut = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal}.get(p) if type(p) in (int, float) else None
        if shortcut is not None and (self.dtype.kind == "f" or p == 2):  # as numpy's own operator does
            return shortcut(self)
        return np.power(self, p)

    def __getitem__(self, index: Any) -> Any:
        return self._method("[]", lambda x, i: x[i], self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.value[mapped(plain, index)] = plain(value)
        if mode.tracing is None:
            return
        whole = index is Ellipsis or index == slice(None) if not isinstance(index, (tuple, Traced)) else False
        if whole and isinstance(value, Traced) and (value.shape, value.dtype) == (self.shape, self.dtype):
            self.become(value.now)
        else:
            self.become(self.trace.note("put", (self, index, value), {}, self.value).now)

    def _method(self, op: str, function: Callable, *args: Any, **kwargs: Any) -> Any:
        if mode.tracing is None:
            return function(*mapped(plain, args), **mapped(plain, kwargs))
        return mode.tracing.run(op, function, args, kwargs)

    def sum(self, axis: Any = None, **kwargs: Any) -> Any:
        return np.add.reduce(self, axis=axis, **kwargs)

    def max(self, axis: Any = None, **kwargs: Any) -> Any:
        return np.maximum.reduce(self, axis=axis, **kwargs)

    def min(self, axis: Any = None, **kwargs: Any) -> Any:
        return np.minimum.reduce(self, axis=axis, **kwargs)

    def astype(self, dtype: Any, copy: bool = True, **_: Any) -> Any:
        if not copy and self.dtype == dtype:
            return self
        return self._method(".astype", lambda x, d: x.astype(d), self, np.dtype(dtype))

    def reshape(self, *shape: Any, **_: Any) -> Any:
        new = self.value.reshape(*shape)
        return self._method(".reshape", lambda x, s: x.reshape(s), self, new.shape)

    def copy(self, order: str = "C") -> Any:
        return self._method(".copy", lambda x: x.copy(), self)

    def fill(self, value: Any) -> None:
        self[...] = value

    # ---- where a value is looked at
    def __bool__(self) -> bool:
        if mode.tracing is None:
            return bool(self.value)
        truth = bool(self.value)
        if not _in_library():
            _refused("a branch")
        mode.tracing.check(self.now, truth)
        return truth

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"an array has no attribute '{name}'")
        _refused(f"the attribute {name}")
        return getattr(self.value, name)


def _forwarded(name: str) -> Callable:
    """A method of arrays that is a call of the program."""
    def method(self: Traced, *args: Any, **kwargs: Any) -> Any:
        return self._method("." + name, getattr(np.ndarray, name), self, *args, **kwargs)

    return method


def _looking(what: str, function: Callable) -> Callable:
    """A method that looks at the values."""
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        _refused(what)
        return function(self.value, *args, **kwargs)

    return method


LOOKING: dict[str, tuple[str, Any]] = {  # what looks at the values of an array, in words
    "item": ("item()", np.ndarray.item), "tolist": ("tolist()", np.ndarray.tolist), "__float__": ("float()", float),
    "__array__": ("a conversion to numpy (or printing)", np.array), "__int__": ("int()", int),
    "__index__": ("a Python index made", operator.index), "__contains__": ("`in`", operator.contains),
    "__repr__": ("printing", repr), "__format__": ("printing", format)}
for _name in ("shape", "dtype", "ndim", "size", "nbytes", "itemsize", "strides", "flags"):
    setattr(Traced, _name, property(operator.attrgetter("value." + _name)))
for _name in METHODS:
    setattr(Traced, _name, _forwarded(_name))
for _name, (_what, _function) in LOOKING.items():
    setattr(Traced, _name, _looking(_what, _function))
Number.__float__ = Traced.__float__  # type: ignore[attr-defined]


def _ufunc(ufunc: Any, method: str, inputs: tuple, kwargs: dict) -> Any:
    trace = mode.tracing
    function = ufunc if method == "__call__" else getattr(ufunc, method)
    if trace is None:
        out = kwargs.pop("out", ())
        return function(*mapped(plain, inputs), **mapped(plain, kwargs), **({"out": mapped(plain, out)} if out else {}))
    if method == "at":
        return trace.write(f"np.{ufunc.__name__}.at", function, inputs, kwargs)
    out = kwargs.pop("out", (None,))
    kwargs = {k: v for k, v in kwargs.items() if v is not None and (k, v) != ("keepdims", False)}
    if len(inputs) > 1 and method == "reduce":  # positional: axis, dtype, out, keepdims
        named = dict(zip(("axis", "dtype", "out", "keepdims"), inputs[1:])) | kwargs
        inputs, kwargs = inputs[:1], {k: v for k, v in named.items() if v is not None and v is not False}
    if method == "reduce" and "axis" not in kwargs:
        kwargs["axis"] = None  # all: numpy's default would be the first
    if isinstance(axis := kwargs.get("axis"), tuple) and len(axis) == 1:
        kwargs["axis"] = axis[0]
    op = f"np.{ufunc.__name__}" if method == "__call__" else f"np.{ufunc.__name__}.{method}"
    result = trace.run(op, function, inputs, kwargs)
    if out[0] is None:
        return result
    if len(out) > 1 or not isinstance(out[0], Traced):
        trace.give_up(f"{ufunc.__name__} writes into an array that the program does not know")
        np.copyto(plain(out[0]), plain(result), casting="same_kind")
        return out[0]
    target = out[0]
    np.copyto(target.value, result.value, casting="same_kind")
    target.become((result if result.dtype == target.dtype else result.astype(target.dtype)).now)
    return target


class Generator:
    """numpy's random generator: what it draws, the program draws anew."""

    def __init__(self, trace: Any, source: Any, var: Var) -> None:
        self.trace, self.source, self.now = trace, source, var

    def __getattr__(self, name: str) -> Callable:
        def draw(*args: Any, **kwargs: Any) -> Any:
            real = getattr(self.source.numpy, name)(*mapped(plain, args), **mapped(plain, kwargs))
            return self.trace.note("rng." + name, (self.now, *args), kwargs, real)

        return draw


class Trace:
    """What is being recorded: the calls so far, what they start from, and what must be put back afterwards."""

    def __init__(self, code: Any = None) -> None:
        self.code = code  # of the function that is traced
        self.body: list[Var] = []
        self.inputs: list[Var] = []
        self.functions: dict[str, Callable] = {}
        self.arrays: dict[int, Traced] = {}  # by the id of the real array
        self.constants: dict[int, Var] = {}
        self.generators: dict[int, Generator] = {}
        self.lifted: list[tuple[Value, np.ndarray]] = []
        self.local: dict[int, np.ndarray] = {}  # arrays of Tensors that the call itself made
        self.touched: dict[Any, str] = {}  # leaf -> whether its gradient was "read" or "set" first
        self.start = next_place()
        self.reason = ""  # why the program cannot be used, if so
        self.errors = np.geterr()
        self.ignored: set[str] = set()  # kinds of floating-point errors that some call is not to report

    def give_up(self, reason: str) -> None:
        """Note that this call cannot be repeated by a program; it goes on, without one."""
        self.reason = self.reason or f"{reason} ({source_line()})"

    # ---- what the program starts from
    def input(self, stands_for: Any, value: Any, name: str = "") -> Any:
        """A traced array or number that the program reads anew each time."""
        array = isinstance(value, np.ndarray)
        if array and id(value) in self.arrays:
            return self.arrays[id(value)]
        var = Var("input", (), {}, value.shape if array else None, value.dtype if array else None, name, stands_for)
        self.inputs.append(var)
        if not array:
            return Number(self, value, var)
        self.arrays[id(value)] = Traced(self, value, var)
        return self.arrays[id(value)]

    def lift(self, args: Any) -> None:
        """Let Tensors that an operation is given take part, by reference to their arrays."""
        for a in args:
            if isinstance(a, Value) and type(a.array) is np.ndarray:
                self.lifted.append((a, a.array))
                a.array = self.traced(a)  # type: ignore[assignment]

    def traced(self, t: Value) -> Traced:
        """The traced form of a Tensor's array: an input, or what the call itself made, the same each time."""
        array = t.array
        if id(array) not in self.local:
            return self.input(("array", array, t), array)
        if id(array) not in self.arrays:
            self.arrays[id(array)] = Traced(self, array, Var("constant", (), {}, array.shape, array.dtype, "",
                                                             array.copy()))
        return self.arrays[id(array)]

    def made(self, array: Any) -> None:
        """Note the array of a new Tensor."""
        if type(array) is np.ndarray and id(array) not in self.arrays:
            self.local[id(array)] = array

    def generator(self, source: Any) -> Any:
        """The stand-in for a generator of random numbers: each draw is a call of the program."""
        if id(source) not in self.generators:
            var = Var("input", (), {}, None, None, "rng", ("generator", source))
            self.inputs.append(var)
            self.generators[id(source)] = Generator(self, source, var)
        return self.generators[id(source)]

    def variable(self, x: Any) -> Any:
        """The Var of a traced array or number, or of an array that is the same each time; what is neither stays."""
        if isinstance(x, (Traced, Number)):
            return x.now
        if type(x) is np.ndarray or isinstance(x, np.generic):
            if x.ndim == 0 and isinstance(x, np.generic):
                return Var("constant", (), {}, (), x.dtype, "", np.asarray(x))
            if id(x) in self.arrays:
                return self.arrays[id(x)].now
            if id(x) not in self.constants:
                self.constants[id(x)] = Var("constant", (), {}, x.shape, x.dtype, "", x)
            return self.constants[id(x)]
        return x

    # ---- recording
    def path(self, function: Callable) -> str:
        """What a numpy function is called in source text."""
        module = getattr(function, "__module__", "") or ""
        where: Any = np
        for part in module.split(".")[1:]:
            where = getattr(where, part, None)
        if module.split(".")[0] == "numpy" and getattr(where, function.__name__, None) is function:
            return ".".join(["np", *module.split(".")[1:], function.__name__])
        return self.named(function)

    def named(self, function: Callable) -> str:
        """The name by which the program calls a function that is not numpy's."""
        name = function.__name__.strip("_")
        while self.functions.setdefault(name, function) is not function:
            name += "_"
        return name

    def whole(self, function: Callable, args: tuple) -> Any:
        """An opaque function: one call of the program."""
        real = function(*mapped(plain, args))
        if not any(isinstance(a, Traced) for a in leaves(args)):
            return real
        return self.note("put" if function.__name__ == "_put" else self.named(function), args, {}, real)

    def run(self, op: str, function: Callable, args: tuple, kwargs: dict) -> Any:
        """Compute, and note the call."""
        return self.note(op, args, kwargs, function(*mapped(plain, args), **mapped(plain, kwargs)))

    def note(self, op: str, args: tuple, kwargs: dict, real: Any) -> Any:
        """Put a call into the program; gives the traced form of its result."""
        if not isinstance(real, (np.ndarray, np.generic, tuple, list)) and not op.startswith("py."):
            if not isinstance(real, (bool, int, float)):
                _refused("printing" if isinstance(real, str) else op)
                return real
            real = np.asarray(real)
        computing = isinstance(getattr(np, op[3:], None), np.ufunc)  # else numbers are sizes, dimensions, places
        word = self.variable if computing else lambda x: x.item() if isinstance(x, np.generic) else self.variable(x)
        var = self.record(op, mapped(word, args), mapped(word, kwargs) if kwargs else {}, real)
        parent = next((a for a in args if isinstance(a, Traced)), None)
        parts = [p for p in leaves(real) if isinstance(p, np.ndarray) and p.base is not None]
        if parent is None or not any(np.may_share_memory(parent.value, p) for p in parts):
            parent = None
        var.aliases = parent is not None
        if isinstance(real, (tuple, list)):
            return tuple(self._item(var, i, part, parent) for i, part in enumerate(real))
        if var.shape is None:
            return Number(self, real, var)
        if op in VALUES_DECIDE_SHAPE or op == "[]" and any(
                isinstance(i, np.ndarray) and i.dtype == bool for i in leaves(args[1:])):
            same = self.record("py.same_shape", (var, var.shape), {}, True)
            self.check(same, True)
        return Traced(self, np.asarray(real), var, parent)

    def _item(self, whole: Var, i: int, part: Any, parent: Traced | None) -> Traced:
        """One of the results of a call that gives several."""
        var = self.record("item", (whole, i), {}, part)
        var.aliases = whole.aliases
        return Traced(self, np.asarray(part), var, parent)

    def record(self, op: str, args: tuple, kwargs: dict, real: Any) -> Var:
        shape, dtype = (real.shape, real.dtype) if isinstance(real, (np.ndarray, np.generic)) else (None, None)
        if op == "put":
            shape, dtype = args[0].shape, args[0].dtype
        var = Var(op, args, kwargs, shape, dtype, stored_as())
        self.body.append(var)
        self.ignored.update(kind for kind, how in np.geterr().items() if how != self.errors.get(kind))
        return var

    def check(self, var: Var, truth: bool) -> None:
        """The recorded way holds only while this value is as true as it was."""
        self.body.append(Var("check", (var, truth)))

    def call_of(self, how: Var, now: Var) -> Var:
        """The view `how`, once more, of a value that has changed."""
        return self.record(how.op, (now, *how.args[1:]), how.kwargs, np.empty(how.shape, how.dtype))

    # ---- in-place changes
    def write_back(self, view: Traced, value: Var) -> None:
        """Give what `view` is a view of its new values too."""
        parent, how = view.parent, view.how
        assert parent is not None
        before = parent.now
        if how.op == "[]":
            new = self.record("put", (before, how.args[1], value), {}, parent.value)
        elif how.op == ".reshape":
            new = self.record(".reshape", (value, parent.shape), {}, parent.value)
        elif how.op in (".T", ".mT"):
            new = self.record(how.op, (value,), {}, parent.value)
        else:
            self.give_up(f"a change in place of a view made by {how.op}")
            return
        parent.become(new)

    def write(self, path: str, function: Callable, args: tuple, kwargs: dict) -> None:
        """A numpy function that changes its first argument: the program calls it on a copy."""
        target, *rest = args
        function(*mapped(plain, args), **mapped(plain, kwargs))
        if not isinstance(target, Traced):
            self.give_up(f"{path} writes into an array that the program does not know")
            return
        target.become(self.note("written", (target, path, *rest), kwargs, target.value).now)
