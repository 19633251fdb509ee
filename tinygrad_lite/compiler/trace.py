"""Recording: arrays that compute as numpy's do and note every numpy call on them in a program.

A `Traced` array is taken for an array by the whole library, forward, backward and optimizer, because it answers
numpy's own protocols (`__array_ufunc__`, `__array_function__`). It holds the real values: each call is computed first
and noted after. What numpy would compute without asking (a conversion, a print) cannot pass unnoticed: the trace is
given up there, and the same call goes on with plain arrays. A truth test becomes a check that the program repeats.
"""

import operator
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..engine.changes import next_place
from ..engine.mode import mode
from ..engine.values import Value
from .names import asked_by_user, users_line, whence
from .program import Var, leaves, mapped

STRUCTURE = {np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.may_share_memory, np.shares_memory,
             np.min_scalar_type, np.isscalar, np.iscomplexobj, np.isrealobj}  # the values do not matter to these
OF_SHAPE = {np.zeros_like, np.ones_like, np.empty_like}
VALUES_DECIDE_SHAPE = {"np.nonzero", "np.flatnonzero", "np.argwhere", "np.unique", "np.extract", "np.compress",
                       "np.union1d", "np.intersect1d", "np.setdiff1d", "np.repeat", ".repeat", ".nonzero"}
WRITERS = {np.copyto, np.put_along_axis, np.put, np.putmask, np.place, np.fill_diagonal}  # change their first argument
METHODS = ("all any argmax argmin argsort clip conj cumprod cumsum diagonal dot flatten mean nonzero prod ravel repeat "
           "round searchsorted squeeze std swapaxes take trace transpose var view").split()


class CompileError(RuntimeError):
    """With strict=True: a compiled function does what a program cannot repeat."""


def plain(x: Any) -> Any:
    """What a traced array or number stands for; anything else as it is."""
    return x.value if isinstance(x, (Traced, Number, Random)) else x


def live() -> Any:
    """The trace that notes what is computed; None where none is, or it has been given up."""
    trace = mode.tracing
    return None if trace is None or trace.reason else trace


def _looked_at(what: str) -> None:
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
        self.value, self.now = value, var

    def _done(self, op: str, function: Callable, *args: Any) -> Any:
        if any(isinstance(a, (Traced, np.ndarray, np.generic, Value)) for a in args):
            return NotImplemented
        value = function(*map(plain, args))
        trace = live()
        if trace is None or not all(isinstance(plain(a), (bool, int, float)) for a in args):
            return value
        if isinstance(value, bool):
            trace.check(trace.record("py." + op, mapped(trace.variable, args), {}, value), value)
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

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.fixed(), dtype)

    def __bool__(self) -> bool:
        trace = live()
        if trace is not None:
            trace.check(self.now, bool(self.value))
        return bool(self.value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("value", "now"):
            raise AttributeError(name)
        return getattr(self.fixed(), name)


SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**", "floordiv": "//", "mod": "%",
           "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


def _arithmetic(name: str, symbol: str) -> None:
    function = getattr(operator, name)
    setattr(Number, f"__{name}__", lambda self, other: self._done(symbol, function, self, other))
    setattr(Number, f"__r{name}__", lambda self, other: self._done(symbol, function, other, self))


def _fixed(name: str) -> None:
    setattr(Number, name, lambda self, *args: getattr(self.fixed(), name)(*args))


for _name, _symbol in SYMBOLS.items():
    _arithmetic(_name, _symbol)
for _name in "float int index hash format str repr round trunc floor ceil complex".split():
    _fixed(f"__{_name}__")
Number.__copy__ = Number.fixed  # type: ignore[attr-defined]
Number.__deepcopy__ = lambda self, memo: self.fixed()  # type: ignore[attr-defined]
Number.__neg__ = lambda self: self * -1  # type: ignore[attr-defined]
Number.__abs__ = lambda self: self if self >= 0 else -self  # type: ignore[attr-defined]
Number.__pos__ = lambda self: self  # type: ignore[attr-defined]


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
            _looked_at(f"the attribute {name} of a generator")
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

    __class__ = property(lambda self: np.ndarray)  # type: ignore[assignment]
    __array_priority__ = 100

    def __init__(self, trace: "Trace", value: np.ndarray, var: Var, parent: "Traced | None" = None) -> None:
        self.trace, self.value, self._var, self.parent = trace, value, var, parent
        self.how, self.version, self.seen = var, 0, 0 if parent is None else parent.version
        trace.alive.append(weakref.ref(self))

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
        return trace.run(trace.path(function), function, args, kwargs)

    def __pow__(self, p: Any) -> Any:
        shortcut = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal}.get(p) if type(p) in (int, float) else None
        if shortcut is not None and (self.dtype.kind == "f" or p == 2 and self.dtype.kind != "b"):
            return shortcut(self)  # as numpy's own operator does
        return np.power(self, p)

    def __getitem__(self, index: Any) -> Any:
        return self._method("[]", lambda x, i: x[i], self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
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
        new = self.value.reshape(*mapped(plain, shape))
        return self._method(".reshape", lambda x, s: x.reshape(s), self, new.shape)

    def copy(self, order: str = "C") -> Any:
        return self._method(".copy", lambda x: x.copy(), self)

    def fill(self, value: Any) -> None:
        self[...] = value

    # ---- where a value is looked at
    def __bool__(self) -> bool:
        truth = bool(self.value)
        trace = live()
        if trace is not None:
            trace.noted(lambda: trace.check(self.now, truth))
        return truth

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"an array has no attribute '{name}'")
        _looked_at(f"the attribute {name} of an array")
        return getattr(self.value, name)


def _forwarded(name: str) -> Callable:
    """A method of arrays that is a call of the program."""
    def method(self: Traced, *args: Any, **kwargs: Any) -> Any:
        return self._method("." + name, getattr(np.ndarray, name), self, *args, **kwargs)

    return method


def _looking(what: str, function: Callable) -> Callable:
    """A method that looks at the values."""
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        _looked_at(what)
        return function(self.value, *args, **kwargs)

    return method


LOOKING: dict[str, tuple[str, Any]] = {  # what looks at the values of an array, in words
    "item": ("item()", np.ndarray.item), "tolist": ("tolist()", np.ndarray.tolist), "__float__": ("float()", float),
    "__array__": ("a conversion to numpy (or printing)", np.array), "__int__": ("int()", int),
    "__complex__": ("complex()", complex), "__index__": ("a Python index", operator.index),
    "__contains__": ("`in`", operator.contains), "__repr__": ("printing", repr), "__str__": ("printing", str),
    "__format__": ("printing", format), "tobytes": ("tobytes()", np.ndarray.tobytes),
    "__copy__": ("copy.copy", np.ndarray.__copy__), "__deepcopy__": ("copy.deepcopy", np.ndarray.__deepcopy__),
    "__reduce__": ("pickling", np.ndarray.__reduce__), "__reduce_ex__": ("pickling", np.ndarray.__reduce_ex__)}
for _name in ("shape", "dtype", "ndim", "size", "nbytes", "itemsize", "strides", "flags"):
    setattr(Traced, _name, property(operator.attrgetter("value." + _name)))
for _name in METHODS:
    setattr(Traced, _name, _forwarded(_name))
for _name, (_what, _function) in LOOKING.items():
    setattr(Traced, _name, _looking(_what, _function))


def _ufunc(ufunc: Any, method: str, inputs: tuple, kwargs: dict) -> Any:
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
    target = out[0]
    np.copyto(target.value, plain(result), casting="same_kind")
    if not trace.reason:
        cast = result if result.dtype == target.dtype else result.astype(target.dtype)
        trace.noted(lambda: target.become(cast.now))
    return target


# ---------------------------------------------------------------- the trace
class Trace:
    """What is being recorded: the calls so far, and what they start from. It is the library's `mode.Tracer`."""

    def __init__(self, code: Any = None, strict: bool = False) -> None:
        self.code, self.strict = code, strict  # code: of the function that is traced
        self.body: list[Var] = []
        self.inputs: list[Var] = []
        self.functions: dict[str, Callable] = {}
        self.arrays: dict[int, Traced] = {}  # by the id of the real array
        self.constants: dict[int, tuple[np.ndarray, Var]] = {}  # by the id of a plain array: it, and what it was
        self.generators: dict[int, Random] = {}
        self.lifted: list[tuple[Value, np.ndarray]] = []  # Tensors, and what to put back
        self.local: dict[int, np.ndarray] = {}  # arrays of Tensors that the call itself made
        self.alive: list[weakref.ref] = []  # to every Traced
        self.start = next_place()
        self.backward = False  # whether a backward pass has begun
        self.reason = ""  # why the call cannot be a program, if so
        self.errors = np.geterr()
        self.ignored: set[str] = set()  # kinds of floating-point errors that some call is not to report

    def give_up(self, reason: str, remedy: str = "") -> None:
        """This call cannot be repeated by a program; it goes on, with plain arrays. CompileError if strict."""
        if self.reason:
            return
        line = users_line()
        at = f" at {line} (`{line.expression}`)" if line else ""
        self.reason = f"{reason}{at}{remedy and ': ' + remedy}"
        if self.strict:
            raise CompileError(self.reason)

    def release(self) -> None:
        """Let go of all that is traced: the call is over."""
        for held in (self.arrays, self.constants, self.generators, self.lifted, self.local):
            held.clear()

    def noted(self, note: Callable[[], Any]) -> Any:
        """What `note` gives; a fault in it ends the trace and not the call, which has been computed already."""
        try:
            return note()
        except CompileError:
            raise
        except Exception as error:
            self.give_up(f"a call could not be noted ({type(error).__name__}: {error})")
            return None

    # ---- what the program starts from
    def input(self, stands_for: Any, value: Any, name: str = "") -> Any:
        """A traced array, number or generator that the program reads anew each time."""
        array = isinstance(value, np.ndarray)
        if array and id(value) in self.arrays:
            return self.arrays[id(value)]
        var = Var("input", (), {}, value.shape if array else None, value.dtype if array else None, name, stands_for)
        self.inputs.append(var)
        if isinstance(value, np.random.Generator):
            return Random(value, var)
        if not array:
            return Number(value, var)
        self.arrays[id(value)] = Traced(self, value, var)
        return self.arrays[id(value)]

    def lift(self, args: Any) -> None:
        """Let Tensors that an operation is given take part: those that the call made, and those from elsewhere."""
        for a in args:
            if isinstance(a, Value) and type(a.array) is np.ndarray and not self.reason:
                self.lifted.append((a, a.array))
                a.array = self.traced(a.array)  # type: ignore[assignment]

    def traced(self, array: np.ndarray) -> Traced:
        """The traced form of a plain array: an input of the program, or else the same each time."""
        if id(array) not in self.arrays:
            self.arrays[id(array)] = Traced(self, array, self.constant(array))
        return self.arrays[id(array)]

    def made(self, array: Any) -> None:
        """Note the array of a new Tensor."""
        if type(array) is np.ndarray and id(array) not in self.arrays and not self.reason:
            self.local[id(array)] = array

    def generator(self, source: Any) -> Any:
        """The stand-in for a generator of random numbers: each draw is a call of the program."""
        if self.reason:
            return source.numpy
        known = self.generators.get(id(source))
        if known is None or known.value is not source.numpy:
            self.give_up("it draws from a generator that is neither an argument nor in the state, or is seeded inside",
                         "pass the generator in state, and seed it outside")
            return source.numpy
        return known

    def constant(self, x: np.ndarray) -> Var:
        """The Var of a plain array as it is now."""
        _, var = self.constants.get(id(x), (None, None))
        if var is None or var.value.tobytes() != x.tobytes():
            var = Var("constant", (), {}, x.shape, x.dtype, "", x.copy(), line=users_line())
            self.constants[id(x)] = x, var
        return var

    def variable(self, x: Any) -> Any:
        """The Var of a traced array or number, or of an array that is the same each time; what is neither stays."""
        if isinstance(x, (Traced, Number, Random)):
            return x.now
        if isinstance(x, np.generic):
            return Var("constant", (), {}, (), x.dtype, "", np.asarray(x))
        if isinstance(x, np.ndarray):
            return self.arrays[id(x)].now if id(x) in self.arrays else self.constant(x)
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
        if self.reason or not any(isinstance(a, Traced) for a in leaves(args)):
            return real
        return self.note("put" if function.__name__ == "_put" else self.named(function), args, {}, real)

    def run(self, op: str, function: Callable, args: tuple, kwargs: dict) -> Any:
        """Compute, and note the call."""
        return self.note(op, args, kwargs, function(*mapped(plain, args), **mapped(plain, kwargs)))

    def note(self, op: str, args: tuple, kwargs: dict, real: Any) -> Any:
        """Put a call into the program; gives the traced form of its result, or the result once given up."""
        found = None if self.reason else self.noted(lambda: self._note(op, args, kwargs, real))
        return real if self.reason else found

    def _note(self, op: str, args: tuple, kwargs: dict, real: Any) -> Any:
        if not isinstance(real, (np.ndarray, np.generic, tuple, list)) and not op.startswith("py."):
            if not isinstance(real, (bool, int, float)):
                _looked_at("printing" if isinstance(real, str) else op)
                return real
            real = real if op.startswith("rng.") else np.asarray(real)
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
            return Number(real, var)
        if op in VALUES_DECIDE_SHAPE or op == "[]" and any(
                isinstance(i, np.ndarray) and i.dtype == bool for i in leaves(args[1:])):
            self.check(self.record("py.same_shape", (var, var.shape), {}, True), True)
        return Traced(self, np.asarray(real), var, parent)

    def _item(self, whole: Var, i: int, part: Any, parent: Traced | None) -> Traced:
        """One of the results of a call that gives several."""
        var = self.record("item", (whole, i), {}, part)
        var.aliases = whole.aliases
        return Traced(self, np.asarray(part), var, parent)

    def record(self, op: str, args: tuple, kwargs: dict, real: Any) -> Var:
        """Put a call into the program; gives its Var."""
        shape, dtype = (real.shape, real.dtype) if isinstance(real, (np.ndarray, np.generic)) else (None, None)
        var = self._placed(Var(op, args, kwargs, shape, dtype))
        self.ignored.update(kind for kind, how in np.geterr().items() if how != self.errors.get(kind))
        return var

    def _placed(self, var: Var) -> Var:
        var.name, var.line, part = whence(self.code)
        self.backward = self.backward or part == "backward"
        after = "update" if self.backward and not mode.recording else "forward"
        var.section = part or after
        self.body.append(var)
        return var

    def check(self, var: Var, truth: bool) -> None:
        """The recorded way holds only while this value is as true as it was."""
        self._placed(Var("check", (var, truth), value=asked_by_user())).name = ""

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
            self.give_up(f"a view made by {how.op} is changed in place", "change a copy, or index with [...]")
            return
        parent.become(new)

    def write(self, path: str, function: Callable, args: tuple, kwargs: dict) -> None:
        """A numpy function that changes its first argument: the program calls it on a copy."""
        target, *rest = args
        function(*mapped(plain, args), **mapped(plain, kwargs))
        if not isinstance(target, Traced):
            self.give_up(f"{path} writes into an array that the program does not know",
                         "pass it as an argument or in state")
            return
        self.noted(lambda: target.become(self.record(
            "written", mapped(self.variable, (target, path, *rest)), mapped(self.variable, kwargs), target.value)))
