"""tl.compile: a function whose calls are recorded once for each kind of arguments, and then run as numpy programs."""

import builtins
import collections
import contextlib
import functools
import inspect
import operator
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.changes import stamper, structure_now
from ..engine.mode import mode
from ..engine.tape import box
from ..engine.values import Node, Value
from .explanation import explained
from .export import exported
from .layout import Layout
from .memory import planned
from .passes import PASSES
from .program import Program, Var, mapped
from .recording import Recording, _Boxed, record
from .source import Module
from .tiles import grouped

_tracing = threading.RLock()  # one trace at a time, in all threads: it lifts tensors that others may share


class Diverged(Exception):
    """A check of a program failed: this call goes another way than the recorded one."""


class Fallback(UserWarning):
    """A compiled function runs without a program."""


# ---------------------------------------------------------------- one program, ready to run
class Entry:
    """A program with its source, bound to the arrays it reads by reference."""

    def __init__(self, name: str, recording: Recording, threads: int) -> None:
        self.recording = recording
        self.stages: list[tuple[str, Program]] = [("recorded", recording.program)]
        for improve in PASSES:
            self.stages.append((improve.__name__, improve(self.stages[-1][1])))
        self.program = self.stages[-1][1]
        layout = Layout(self.program)
        self.plan = planned(self.program, grouped(self.program, layout), layout, threads)
        self.module = Module(self.program, self.plan, name)
        names: dict[str, Any] = {"np": np, "Diverged": Diverged, **self.program.functions}
        exec(builtins.compile(self.module.text, f"<compiled {name}>", "exec"), names)  # the text that .source shows
        self.make = names["make"]
        self.free: collections.deque[Any] = collections.deque()
        self.lock: Any = threading.RLock() if self.program.writes or self.program.kept else contextlib.nullcontext()
        self.tensors = [v.value[2] for v in self.module.bound if v.value[0] == "array"]
        self.items = [v.value[1:] for v in self.module.bound if v.value[0] == "item"]
        self.known = self.arrays()
        self.readers = [_reader(v) for v in self.module.given]
        self.draws = [v.value[1] for v in self.program.inputs if v.value[0] == "generator"] if any(
            v.op == "check" for v in self.program.body) else []
        self.written = [v for v in self.module.bound if any(i is v for i, _ in self.program.writes)]
        unnoted = [g for g in recording.guards if not g.noted]
        self.looks, self.seen = [g.look for g in unnoted], [g.value for g in unnoted]
        self.structure = -1  # that of the last time when all guards held
        self.spent = Node(_spent_op, None, None, None)  # of results whose tape has been read backwards
        self.quiet = {kind: "ignore" for kind in recording.ignored}

    # ---- whether it holds
    def changed(self, arguments: list) -> str:
        """What the recorded call depended on and is no longer the same; empty if nothing."""
        try:  # all of it at once, in C
            same = all(map(operator.is_, map(operator.call, self.looks), self.seen))
        except (LookupError, ValueError):
            same = False
        structure = structure_now[0]
        if same and structure == self.structure:
            return self._arrays_changed(arguments)
        for guard in self.recording.guards:
            if guard.changed():
                with contextlib.suppress(LookupError, ValueError):
                    return f"'{guard.name}' changed from {_short(guard.value)} to {_short(guard.look())}"
                return f"'{guard.name}' is gone"
        self.structure = structure
        return self._arrays_changed(arguments)

    def _arrays_changed(self, arguments: list) -> str:
        arrays = self.arrays()
        if not all(map(operator.is_, arrays, self.known)):
            with _tracing:  # while another thread traces, tensors that both use are lifted
                arrays = self.arrays()
            for v, a in zip(self.module.bound, arrays):
                if (a.shape, a.dtype) != (v.shape, v.dtype):
                    return f"'{self.module.names[v]}' changed from {v.shape} {v.dtype} to {a.shape} {a.dtype}"
            self.known = arrays
        for leaf, absent in self.recording.grads_at_start:
            if (_node(leaf, arguments).grad is None) != absent:
                return "a parameter had no gradient at the start, and has one now" if absent else \
                    "a parameter had a gradient at the start, and has none now"
        return ""

    # ---- running
    def arrays(self) -> list[np.ndarray]:
        """The arrays that the program reads by reference, as they are now: in the order of `module.bound`."""
        return [*[t.array for t in self.tensors], *[table[key] for table, key in self.items]]

    def run(self, arguments: list) -> Any:
        """The result of a call; Diverged where it goes another way, and then nothing has been changed."""
        states = [(g, g.numpy.bit_generator.state) for g in self.draws] if self.draws else ()
        try:
            with self.lock:
                return self._run(arguments)
        except Diverged:
            for generator, state in states:
                generator.numpy.bit_generator.state = state
            raise

    def _run(self, arguments: list) -> Any:
        try:
            instance = self.free.pop()
        except IndexError:
            instance = None
        known = self.known
        if instance is None or instance.arrays is not known or instance.held():
            instance = Instance(self, known)
        given = [read(arguments) for read in self.readers]
        try:
            if self.quiet:
                with np.errstate(**self.quiet):  # type: ignore[arg-type]
                    out = instance.step(*given)
            else:
                out = instance.step(*given)
        finally:
            self.free.append(instance)
        return self._done(instance, out, arguments)

    def _done(self, instance: "Instance", out: tuple, arguments: list) -> Any:
        """Let what the call changed be seen: numbers, gradients, the stamps of arrays; then its result."""
        recording, results = self.recording, iter(out)
        instance.stamp()
        if recording.numbers:
            for (where, key), value in zip(recording.numbers, out[len(self.program.results):]):
                where[key] = value
        gradients = iter(instance.gradients or map(box, out[len(out) - len(self.program.kept):]))
        for leaf, var in recording.kept:
            _node(leaf, arguments).grad = None if var is None else next(gradients)

        def result(x: Any) -> Any:
            if isinstance(x, _Boxed):
                return box(next(results), self.spent if id(x.now) in recording.spent else None)
            return next(results) if isinstance(x, Var) else x

        return result(recording.results) if isinstance(recording.results, _Boxed) else mapped(result, recording.results)


class Instance:
    """A program's function with its own memory. Instances of one program can run side by side."""

    def __init__(self, entry: Entry, arrays: list[np.ndarray]) -> None:
        constants = [v.value for v in entry.module.constants]
        self.arrays = arrays
        self.step, kept = entry.make(*arrays, *constants)
        self.stamp = stamper([a for a, v in zip(arrays, entry.module.bound) if v in entry.written])
        self.gradients = [box(a) for a in kept]
        del kept
        self.counted = [x for g in self.gradients for x in (g, g.array)]
        self.references = self.usual = self._count()

    def _count(self) -> list[int]:
        return list(map(sys.getrefcount, self.counted))

    def held(self) -> bool:
        """Whether somebody still holds a gradient of an earlier call: it stays as it is, and new memory is taken."""
        now = self._count()
        if now == self.usual:
            return False
        more = any(n > then + (i % 2 == 0) for i, (n, then) in enumerate(zip(now, self.references)))
        if not more:
            self.usual = now
        return more


def _node(leaf: Any, arguments: list) -> Any:
    """The node of a leaf: a tensor that the function reaches, or the argument at that place."""
    return leaf if type(leaf) is Node else arguments[leaf].node


_spent_op = type("spent", (), {"__name__": "compiled", "rules": (), "joint": None})()


def _reader(v: Var) -> Callable[[list], Any]:
    """How an input that may change with each call is read."""
    kind, *where = v.value
    if kind == "argument":
        at = where[0]
        return lambda arguments: arguments[at] if type(arguments[at]) is np.ndarray else arguments[at].array
    if kind == "grad":
        leaf = where[0]
        return lambda arguments: _node(leaf, arguments).grad.array
    if kind == "generator":
        source = where[0]
        return lambda arguments: source.numpy
    table, key = where
    return lambda arguments: table[key]


def _short(x: Any) -> str:
    text = repr(x).replace("\n", " ")
    return text if len(text) <= 40 else text[:39] + "…"


# ---------------------------------------------------------------- the decorator
class Compiled:
    """What `compile` makes of a function: call it as the function."""

    def __init__(self, function: Callable, max_retraces: int, threads: int) -> None:
        functools.update_wrapper(self, function)
        self.function, self.max_retraces, self.threads = function, max_retraces, threads
        name = getattr(function, "__name__", type(function).__name__)
        self._name = name if name.isidentifier() else "program"
        self._entries: dict[Any, list[Entry]] = {}
        self._eager: set[Any] = set()
        self._signature = inspect.signature(function)
        self._last: Entry | None = None
        self._warned: set[str] = set()

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method: compiled for each object."""
        if instance is None:
            return self
        bound = Compiled(self.function.__get__(instance, owner), self.max_retraces, self.threads)
        with contextlib.suppress(AttributeError):
            vars(instance)[self._name] = bound
        return bound

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if mode.tracing is not None or mode.watching or mode.expanded:
            return self.function(*args, **kwargs)
        arguments: list = []
        key = (mode.recording, _key(args, arguments), _key(kwargs, arguments) if kwargs else None)
        for entry in self._entries.get(key, ()):
            if not entry.changed(arguments):
                self._last = entry
                try:
                    return entry.run(arguments)
                except Diverged:
                    return self.function(*args, **kwargs)
        if key in self._eager:
            return self.function(*args, **kwargs)
        return self._trace(key, arguments, args, kwargs)

    def _trace(self, key: Any, arguments: list, args: tuple, kwargs: dict) -> Any:
        cause = self._cause(key, arguments)
        if self.traces > self.max_retraces:
            self._warn(f"it was traced {self.traces} times, and would be again because {cause}; it now runs without "
                       "a program wherever none fits: make what changes an argument of fixed shape, or raise "
                       "max_retraces")
            return self.function(*args, **kwargs)
        outer = [x for x in arguments if isinstance(x, Value) and x.node is not None and x.node.op is not None]
        if outer and mode.recording:
            self._eager.add(key)
            self._warn("an argument is the result of a recorded operation, and gradients have to flow on through it")
            return self.function(*args, **kwargs)
        with _tracing:
            if any(not e.changed(arguments) for e in self._entries.get(key, ())):  # another thread has been faster
                return self(*args, **kwargs)
            result, recording = record(self.function, args, kwargs, self._names(args, kwargs))
            if not recording.reason:
                self._keep(key, recording)
        if recording.reason:
            self._eager.add(key)
            self._warn(recording.reason)
        return result

    def _keep(self, key: Any, recording: Recording) -> None:
        """Make a program of what was recorded."""
        entry = self._last = Entry(self._name, recording, self.threads)
        stamper([a for v, a in zip(entry.module.bound, entry.arrays()) if v in entry.written])
        for name in recording.changed:
            self._warn(f"it changes '{name}' itself, which happens only while a call is recorded",
                       "compiled only in part")
        self._entries.setdefault(key, []).append(entry)

    def _cause(self, key: Any, arguments: list) -> str:
        known = self._entries.get(key)
        if known:
            return known[-1].changed(arguments)
        if self._entries:
            return f"the arguments changed from {next(reversed(self._entries))[1:]} to {key[1:]}"
        return "it is the first call"

    def _names(self, args: tuple, kwargs: dict) -> list[str]:
        """A name for each array among the arguments, in the order of `_key`."""
        names: list[str] = []
        bound = self._signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            found = _tensors_and_arrays(value)
            names += [name if len(found) == 1 else f"{name}_{i}" for i in range(len(found))]
        return names

    def _warn(self, reason: str, how: str = "not compiled") -> None:
        if reason not in self._warned:
            self._warned.add(reason)
            warnings.warn(f"{self._name} is {how}: {reason}", Fallback, stacklevel=4)

    # ---- what can be looked at
    def _current(self) -> Entry:
        if self._last is None:
            raise RuntimeError(f"{self._name} has no program yet: call it first"
                               + "".join(f" (it fell back: {r})" for r in self._warned))
        return self._last

    @property
    def source(self) -> str:
        """The numpy source of the program that ran last."""
        return self._current().module.text

    @property
    def traces(self) -> int:
        """How many programs were recorded."""
        return sum(map(len, self._entries.values()))

    def explain(self, changes: bool = False) -> str:
        """What each pass did to the program that ran last, and what memory it takes; with `changes` each line."""
        entry = self._current()
        return explained(entry.stages, entry.plan, changes)

    def export(self, path: Any) -> None:
        """Write the program that ran last as a .py file that needs numpy alone, and its arrays in an .npz beside it."""
        entry = self._current()
        exported(path, self._name, entry.module, entry.arrays())


def _key(x: Any, arguments: list) -> Any:
    """What must be the same for a program to fit; the arrays and Tensors in it are appended to `arguments`."""
    if isinstance(x, Value):
        arguments.append(x)
        a, node = x.array, x.node
        return a.shape, a.dtype, None if node is None else node.op is None
    if isinstance(x, np.ndarray):
        arguments.append(x)
        return x.shape, x.dtype
    if isinstance(x, (tuple, list)):
        return type(x), *[_key(part, arguments) for part in x]
    if isinstance(x, dict):
        return dict, *[(k, _key(part, arguments)) for k, part in x.items()]
    try:
        hash(x)
    except TypeError:
        return type(x), id(x)
    return type(x), x


def _tensors_and_arrays(structure: Any) -> list:
    found: list = []
    _key(structure, found)
    return found


def compile(function: Callable | None = None, *, max_retraces: int = 8, threads: int = 1) -> Any:
    """Turn a function of Tensors (a training step, say) into a numpy program: @compile, or compile(function).

    The first call for given shapes and dtypes runs as usual and is recorded: forward, backward, optimizer. Later calls
    run the recorded numpy calls, with buffers used again and without the tape. `.source` is the program's text,
    `.explain()` what was made of it, `.export(path)` writes it as a file that needs numpy alone.

    What the recording depended on is looked at again on each call: shapes and dtypes, Python values that the function
    can reach, train and eval mode. Where that differs it is recorded again, at most max_retraces times; then, and where
    an operation cannot be recorded, the function runs as it is, with a warning. Looking at a value inside (a branch,
    .item(), print, a conversion to numpy) is a CompileError with the line. threads: how many share the tiles of large
    elementwise work.
    """
    def decorate(function: Callable) -> Compiled:
        return Compiled(function, max_retraces, threads)

    return decorate if function is None else decorate(function)
