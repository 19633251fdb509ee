"""The trace: the numpy calls of one call of a function, as they are noted."""

import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.changes import next_place
from ..engine.mode import mode, quietly
from ..engine.trees import leaves, mapped
from ..engine.values import Value, unbox
from ..ops import erf
from .names import Line, truth_test, users_line, users_locals, whence
from .program import Var, identical, strides_of
from .stand_ins import Number, Random, Traced, looked_at, plain

VALUES_DECIDE_SHAPE = {"np.nonzero", "np.flatnonzero", "np.argwhere", "np.unique", "np.extract", "np.compress",
                       "np.union1d", "np.intersect1d", "np.setdiff1d", "np.repeat", ".repeat", ".nonzero"}


class CompileError(RuntimeError):
    """With strict=True: a compiled function does what a program cannot repeat."""


class Trace:
    """What is being recorded: the calls so far, and what they start from. It is the library's `mode.Tracer`."""

    def __init__(self, code: Any = None, strict: bool = False, spelt_out: bool = False) -> None:
        self.code, self.strict, self.spelt_out = code, strict, spelt_out  # code: of the function that is traced
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
        self.thread = threading.get_ident()  # in which the function runs
        self.elsewhere: list[Line | None] = []  # where another thread has computed with what is traced
        self.over = False  # whether the function has returned
        self.reason = ""  # why the call cannot be a program, if so
        self.given_up: Callable[[], None] = lambda: None  # called when it is
        self.errors = dict(np.geterr().items())

    def give_up(self, reason: str, remedy: str = "", line: Line | None = None) -> None:
        """This call cannot be repeated by a program; it goes on, with plain arrays. CompileError if strict."""
        if self.reason:
            return
        if line is None and self.over and self.code is not None:
            line = Line(self.code, -1, max(n for *_, n in self.code.co_lines() if n), {})  # where it ends
        line = line or users_line()
        at = f" at {line} (`{line.expression}`)" if line else ""
        self.reason = f"{reason}{at}{remedy and ': ' + remedy}"
        if self.strict:
            raise CompileError(self.reason)
        self.given_up()

    def computed_by(self, thread: int) -> None:
        """Note that a thread computes with what is traced: what others compute is not in the program."""
        if thread != self.thread:
            self.elsewhere.append(users_line())

    def release(self) -> None:
        """Let go of all that is traced: the call is over."""
        self.given_up = lambda: None
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
        self.refuse_unusual(value)
        var = Var("input", (), {}, value.shape if array else None, value.dtype if array else None, name, stands_for)
        var.strides = strides_of(value) if array else None
        self.inputs.append(var)
        if isinstance(value, np.random.Generator):
            return Random(value, var)
        if not array:
            return self.number(value, var)
        self.arrays[id(value)] = Traced(self, value, var)
        return self.arrays[id(value)]

    def refuse_unusual(self, x: Any) -> None:
        """Give up where an array is more than numbers in memory: numpy computes with these in other ways."""
        if isinstance(x, np.ndarray) and type(x) is not Traced and (
                type(x) not in (np.ndarray, np.memmap) or x.dtype.kind not in "biufc" or not x.dtype.isnative):
            what = x.dtype if type(x) is np.ndarray else type(x).__name__
            self.give_up(f"it computes with an array of {what}", "convert it outside")

    def number(self, value: Any, var: Var) -> Number:
        """What stands for a number that has a Var."""
        found = Number(value, var)
        self.alive.append(weakref.ref(found))
        return found

    def lift(self, args: Any) -> Any:
        """Let Tensors that an operation is given take part: those that the call made, and those from elsewhere."""
        for a in args:
            if isinstance(a, Value) and type(a.array) is np.ndarray and not self.reason:
                self.lifted.append((a, a.array))
                a.array = self.traced(a.array)  # type: ignore[assignment]
        return args

    def traced(self, array: np.ndarray) -> Traced:
        """The traced form of a plain array: an input of the program, or else the same each time."""
        if id(array) not in self.arrays:
            self.arrays[id(array)] = Traced(self, array, self.constant(array))
        return self.arrays[id(array)]

    def made(self, array: Any) -> None:
        """Note the array of a new Tensor; of one with no dimensions too it is an array, where numpy gives a number."""
        if type(array) is Traced:
            array.scalar = False
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
        if var is None or not identical(var.value, x):
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

    def _place(self, x: Any) -> Any:
        """The same for a call in which numbers are sizes, dimensions or places."""
        return x.item() if isinstance(x, np.generic) and type(x) is not Number else self.variable(x)

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
        """An operation as its forward; an opaque function as one call of the program, or its plain definition."""
        if function is erf and self.spelt_out and not self.reason and type(args[0]) is Traced:
            return self.note("erf", args, {}, erf(plain(args[0])))  # no call of numpy's computes it
        if hasattr(function, "forward"):
            return function.forward(*args)
        if self.spelt_out and not self.reason and function.plain is not None:  # type: ignore[attr-defined]
            args = mapped(lambda a: self.traced(a) if type(a) is np.ndarray else a, args)
            return function.plain(*args)  # type: ignore[attr-defined]
        real = quietly(function, *mapped(plain, args))
        if self.reason or not any(isinstance(a, Traced) for a in leaves(args)):
            return real
        return self.note("put" if function.__name__ == "_put" else self.named(function), args, {}, real)

    def run(self, op: str, function: Callable, args: tuple, kwargs: dict) -> Any:
        """Compute, and note the call."""
        return self.note(op, args, kwargs, quietly(function, *mapped(plain, args), **mapped(plain, kwargs)))

    def run_unknown(self, op: str, function: Callable, args: tuple, kwargs: dict) -> Any:
        """The same for a function that may change its arguments, or give one of them back."""
        given = mapped(plain, args), mapped(plain, kwargs)
        arrays = [x for x in leaves(given) if isinstance(x, np.ndarray)]
        before = [x.copy() for x in arrays]
        real = function(*given[0], **given[1])
        if not all(map(identical, arrays, before)):
            self.give_up(f"{op} changes an array that it is given", "assign its result with [...] =")
        return self.note(op, args, kwargs, real)

    def note(self, op: str, args: tuple, kwargs: dict, real: Any) -> Any:
        """Put a call into the program; gives the traced form of its result, or the result once given up."""
        found = None if self.reason else self.noted(lambda: self._note(op, args, kwargs, real))
        return real if self.reason else found

    def _note(self, op: str, args: tuple, kwargs: dict, real: Any) -> Any:
        if not isinstance(real, (np.ndarray, np.generic, tuple, list)) and not op.startswith(("py.", ".item")):
            if not isinstance(real, (bool, int, float)):
                looked_at("printing" if isinstance(real, str) else op)
                return real
            real = real if op.startswith("rng.") else np.asarray(real)
        given = {id(a.value): a for a in leaves((args, kwargs)) if isinstance(a, Traced)}
        if id(real) in given:  # as of np.squeeze where there is nothing to squeeze
            return given[id(real)]
        computing = isinstance(getattr(np, op[3:], None), np.ufunc)  # else numbers are sizes, dimensions, places
        word = self.variable if computing else self._place
        for part in leaves((args, kwargs, real)):
            self.refuse_unusual(part)
        if self.reason:
            return real
        var = self.record(op, mapped(word, args), mapped(word, kwargs) if kwargs else {}, real)
        shown = [p for p in leaves(real) if isinstance(p, np.ndarray) and p.base is not None]
        parent = next((a for a in given.values() if any(np.may_share_memory(a.value, p) for p in shown)), None)
        if parent is not None and args and isinstance(args[0], Traced) and parent is not args[0]:
            self.give_up(f"{op} gives a view of another array than its first argument", "make it by an index")
            return real
        var.aliases = parent is not None
        if isinstance(real, (tuple, list)):
            parts = [given[id(part)] if id(part) in given else self._item(var, i, part, parent)
                     for i, part in enumerate(real)]
            return type(real)(*parts) if hasattr(real, "_fields") else type(real)(parts)
        if var.shape is None:
            return self.number(real, var)
        if op in VALUES_DECIDE_SHAPE or op == "[]" and any(
                isinstance(i, np.ndarray) and i.dtype == bool for i in leaves(args[1:])):
            self.check(self.record("py.same_shape", (var, var.shape), {}, True), True)
        found = Traced(self, np.asarray(real), var, parent)
        found.scalar = isinstance(real, np.generic)
        return found

    def _item(self, whole: Var, i: int, part: Any, parent: Traced | None) -> Traced:
        """One of the results of a call that gives several."""
        var = self.record("item", (whole, i), {}, part)
        var.aliases = whole.aliases
        found = Traced(self, np.asarray(part), var, parent)
        found.scalar = isinstance(part, np.generic)
        return found

    def record(self, op: str, args: tuple, kwargs: dict, real: Any) -> Var:
        """Put a call into the program; gives its Var."""
        array = isinstance(real, (np.ndarray, np.generic)) and not op.startswith("py.")
        shape, dtype = (real.shape, real.dtype) if array else (None, None)
        var = self._placed(Var(op, args, kwargs, shape, dtype))
        if any(how not in ("ignore", self.errors[kind]) for kind, how in np.geterr().items()):
            self.give_up("it asks numpy to report errors of its calls", "compute with tl.where, or ask outside")
        return var

    def _placed(self, var: Var) -> Var:
        if self.spelt_out:
            self._name_locals()
        var.name, var.line, part = whence(self.code)
        self.backward = self.backward or part == "backward"
        after = "update" if self.backward and not mode.recording else "forward"
        var.section = part or after
        self.body.append(var)
        return var

    def _name_locals(self) -> None:
        """Name what the user's local variables hold by now, such as the parts of a tuple that was unpacked."""
        for name, held in users_locals().items():
            array = unbox(held)
            if type(array) is Traced and array.how.op != "input" and (
                    not array.how.name or array.how.name.startswith("~")):
                array.how.name = name

    def check(self, var: Var, truth: bool) -> None:
        """The recorded way holds only while this value is as true as it was."""
        self._placed(Var("check", (var, truth), value=truth_test() if self.spelt_out else None)).name = ""

    def call_of(self, how: Var, now: Var) -> Var:
        """The view `how`, once more, of a value that has changed."""
        if how.op == "item" or not how.args or not isinstance(how.args[0], Var):
            self.give_up("an array changes in place that np.split, np.einsum or the like gave views of",
                         "make them by an index")
        again = self.record(how.op, (now, *how.args[1:]), how.kwargs, np.empty(how.shape, how.dtype))
        again.aliases = how.aliases
        return again

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
