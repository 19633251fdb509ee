"""tl.compile: a function of its arguments and its state, whose calls become numpy programs.

Calls are counted for each key: the forms of the arguments, and all of the state that is not an array or a number that
the program reads. The first of a key runs as it is, the second is recorded, the 3rd, 10th, 100th, … are recorded once
more and compared; all others run the program.
"""

import dataclasses
import functools
import inspect
import itertools
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..engine.changes import owner
from ..engine.mode import mode
from ..engine.trees import leaves
from ..engine.values import Value, unbox
from ..nn import Module
from ..optim import Optimizer
from ..random import Generator
from ..settings import get_default_dtype
from .entry import Entry
from .explanation import explained
from .export import exported
from .holders import LIBRARY, has_attributes, holders_of, marks_of
from .looks import difference
from .program import Call
from .recording import Recording, checked, record
from .state import ATOMS, IDENTICAL, State, atom, form, shared
from .trace import CompileError
from .words import MODULES

LOOKS = (2, 3, *(10**k for k in range(1, 16)))  # calls of a key that are recorded
STATES = 4  # of how many objects (methods' owners, models among the arguments) the state is kept at a time
FIRST_CALLS = 256  # keys at most
MOST_DIVERGED = 3  # calls of a key that go another way than recorded, until it runs without a program
LOOKED_INTO = (Module, Optimizer, Generator, np.random.Generator)
_tracing = threading.RLock()  # one trace at a time, in all threads: it lifts tensors that others may share


class Fallback(UserWarning):
    """A compiled function runs without a program, or its program was not what the function is now."""


class Case:
    """What is known of the calls of one key."""

    def __init__(self, seconds: float) -> None:
        self.count = 1
        self.seconds = seconds  # that the first call took
        self.look = LOOKS[0]  # the call that is recorded next
        self.entry: Entry | None = None
        self.eager = False  # from now on
        self.differences = 0  # looks that found another program
        self.diverged = 0  # truth tests that came out otherwise


class Compiled:
    """What `compile` makes of a function: it is called as the function is, and has the programs that were made of it.

    `source` is the text of the one that ran last, `explain()` says what was made of the calls, `export(path)` writes it
    as a file that needs numpy alone; RuntimeError where there is none yet, before the second call.

    >>> total = tl.compile(lambda x: (x * x).sum())
    >>> losses = [total(tl.tensor([1.0, 2.0])) for call in range(3)]
    >>> print(total.explain())
    The call was recorded as 2 numpy calls; the program makes 2.
    ...
    >>> "np.multiply(x, x" in total.source
    True
    """

    def __init__(self, function: Callable, state: Any, strict: bool, max_retraces: int) -> None:
        functools.update_wrapper(self, function)
        self.function, self.state, self.strict, self.max_retraces = function, state, strict, max_retraces
        name = getattr(function, "__name__", type(function).__name__)
        self._name = name if name.isidentifier() and name not in MODULES else "program"
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except ValueError:  # of some built-in functions there is none
            parameters = []
        self._parameters = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self._cases: dict[Any, Case] = {}
        self._states: dict[tuple, State] = {}  # by the ids of the objects among the arguments
        self._numbers: dict[Any, int] = {}  # a short form of the states' keys
        self._fresh = itertools.count()
        self._changing: set[str] = set()
        self._last: Case | None = None
        self._given: dict[str, str] = {}  # the arguments of the last call that was the first of its key
        self._crowded = False  # whether it has been said that there are too many keys
        self._warned: set[str] = set()

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        """As a method: the object is the first argument, which is looked into."""
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<compiled {self._name}, {self.traces} program{'s' * (self.traces != 1)}>"

    def __reduce__(self) -> tuple:
        """Copied and pickled, such as with the object that holds it, it starts anew."""
        return Compiled, (self.function, self.state, self.strict, self.max_retraces)

    # ---- calls
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if mode.tracing is not None or mode.watching or mode.expanded:
            return self.function(*args, **kwargs)
        key, call = self._look(args, kwargs)
        case = self._cases.get(key)
        if case is None:
            return self._first(key, call, args, kwargs)
        case.count += 1
        if case.entry is not None and case.count < case.look:
            return self._run(case, call, args, kwargs)
        if case.eager:
            return checked(self._name, self.function(*args, **kwargs))
        with _tracing:
            return self._recorded(case, call, args, kwargs)

    def _run(self, case: Case, call: Call, args: tuple, kwargs: dict) -> Any:
        """Run the program."""
        self._last, entry = case, case.entry
        assert entry is not None
        try:
            return entry.run(call)
        except entry.stops as way:
            if "read-only" in str(way):  # other arrays may have been written
                raise
            told = f"{way} came out otherwise than recorded" if isinstance(way, entry.diverged) else \
                f"its program could not compute ({way})"
        result = checked(self._name, self.function(*args, **kwargs))  # which may raise as the program did
        case.diverged += 1
        if case.diverged == MOST_DIVERGED:
            self._give_up(case, f"{told} {MOST_DIVERGED} times: compute with tl.where instead of a branch")
        return result

    def _first(self, key: Any, call: Call, args: tuple, kwargs: dict) -> Any:
        """The first call of a key runs as it is. What it starts (an optimizer's state) is there for the next."""
        if self.traces >= self.max_retraces or len(self._cases) >= FIRST_CALLS:
            if not self._crowded:
                self._crowded = True
                self._warn(f"it has {self.traces} programs and was called in {len(self._cases)} ways, and this call is "
                           f"another again: {self._cause(args, kwargs)}; where none fits, it runs without a program. "
                           "Make what changes an array or a Tensor of fixed shape, or raise max_retraces")
            return checked(self._name, self.function(*args, **kwargs))
        start = time.perf_counter()
        result = checked(self._name, self.function(*args, **kwargs))
        self._cases[key] = case = Case(time.perf_counter() - start)
        self._given = self._described(args, kwargs)
        with _tracing:
            if not call.state.same():
                before, now = call.state.plain, self._new_state(args, kwargs).plain
                self._changing |= {path for path, x in now.items() if path not in before or before[path] is not x
                                   and (isinstance(x, Value) or before[path] != x)}
        after, _ = self._look(args, kwargs)
        self._cases.setdefault(after, Case(case.seconds))
        return result

    def _recorded(self, case: Case, call: Call, args: tuple, kwargs: dict) -> Any:
        """A call that is recorded: the second of its key, or a look at whether the program still is the same."""
        if case.eager or case.entry is not None and case.count < case.look:  # another thread has been faster
            return self(*args, **kwargs)
        named, arrays, _ = self._named(args, kwargs)
        arrays += [call.state.names[id(holder), key] for holder, key in call.state.loose]
        try:
            found = record(self.function, call, named, arrays, args, kwargs, self.strict)
        except (TypeError, AttributeError) as error:
            case.eager = True
            error.add_note(f"It was raised while tl.compile recorded a call of {self._name}, with stand-ins for "
                           "numbers and arrays. If they are the cause (what asks for a float itself gets none), give "
                           "it float(x). From now on these calls run without a program.")
            raise
        case.look = next(n for n in LOOKS if n > case.count)
        if found.recording is None:
            self._give_up(case, found.reason)
            return found.result
        if case.entry is None:
            self._keep(case, found.recording)
            return found.result
        other = difference(case.entry.recording, found.recording)
        if other is None:
            return found.result
        if other.another_way:
            case.diverged += 1
            return found.result
        case.differences += 1
        if other.for_ever or case.differences > 1:
            if self.strict:
                found.undo()
                raise CompileError(other.text)
            self._give_up(case, other.text)
        else:
            self._warn(f"recorded anew: {other.text}")
            case.count, case.look = 2, LOOKS[1]
            self._keep(case, found.recording)
        return found.result

    def _keep(self, case: Case, recording: Recording) -> None:
        """Make a program of what was recorded; a fault of ours in that costs the program, not the call."""
        try:
            case.entry = Entry(self._name, recording)
            self._last = case
        except Exception as fault:
            if self.strict:
                raise
            self._give_up(case, f"no program could be made of it ({type(fault).__name__}: {fault})")

    def _give_up(self, case: Case, reason: str) -> None:
        case.entry, case.eager = None, True
        self._warn(f"it runs without a program: {reason}")

    # ---- keys
    def _look(self, args: tuple, kwargs: dict) -> tuple[Any, Call]:
        """The key of a call, and what a program of it is given."""
        arguments: list = []
        objects: list = []
        given = self._key(args, arguments, objects), self._key(kwargs, arguments, objects) if kwargs else None
        ids = tuple(map(id, objects)) if objects else ()
        state = self._states.get(ids)
        if state is None or not state.same():
            with _tracing:  # while another thread traces, tensors that both use are lifted
                if state is None or not state.same():
                    state = self._new_state(args, kwargs)
                self._states.pop(ids, None)
                self._states[ids] = state
                while len(self._states) > STATES:
                    del self._states[next(iter(self._states))]
        if state.loose:
            loose = [holder[key] for holder, key in state.loose]
            arguments += loose
            given = given, *map(form, loose)
        overlaps = _overlaps(arguments, state) if arguments else ()
        return (mode.recording, get_default_dtype(), given, state.number, overlaps), Call(arguments, state)

    def _new_state(self, args: tuple, kwargs: dict) -> State:
        state = State(self.function, self.state, self._named(args, kwargs)[2], self._changing)
        state.number = self._numbers.get(state.key, next(self._fresh))
        if len(self._numbers) < FIRST_CALLS:  # one that is not kept fits no program
            self._numbers[state.key] = state.number
        return state

    def _key(self, x: Any, arguments: list, objects: list) -> Any:
        """What must be the same for a program to fit. Arrays and Tensors are appended to `arguments`, what is looked
        into to `objects`."""
        if isinstance(x, (Value, np.ndarray)):
            arguments.append(x)
            objects += [marks.held for marks in marks_of(x) if marks.held]
            return form(x)
        if isinstance(x, (tuple, list)):
            return type(x), *[self._key(part, arguments, objects) for part in x]
        if isinstance(x, dict):
            return type(x), *[(atom(k), self._key(part, arguments, objects)) for k, part in x.items()]
        if type(x) in (float, np.float64):  # read by the program; a whole number may be a size, and is part of the key
            arguments.append(x)
            return type(x)
        if isinstance(x, ATOMS):
            return atom(x)
        if isinstance(x, (*IDENTICAL, types.ModuleType)):
            return x
        if dataclasses.is_dataclass(x) and not isinstance(x, LOOKED_INTO):
            held = [entry for holder in holders_of(x) for entry in holder.entries()]
            return type(x), *[(k, self._key(part, arguments, objects)) for k, part in held]
        if isinstance(x, LOOKED_INTO) or has_attributes(x) and not isinstance(x, (Iterator, Compiled)):
            objects.append(x)
            return type(x)
        raise TypeError(f"{self._name} is compiled and was given a {type(x).__name__}: pass its arrays, or Tensors, "
                        "numbers, and tuples, lists, dicts and dataclasses of them")

    def _named(self, args: tuple, kwargs: dict) -> tuple[list[tuple[str, Any]], list[str], list[tuple[str, Any]]]:
        """The arguments by name; a name for each array among them, and for each object, in the order of `_key`."""
        given = [*zip(itertools.chain(self._parameters, itertools.repeat("more")), args), *kwargs.items()]
        arrays: list[str] = []
        objects: list[tuple[str, Any]] = []
        for name, value in given:
            found: list[Any] = []
            inside: list[Any] = []
            self._key(value, found, inside)
            arrays += [name if len(found) == 1 else f"{name}_{i}" for i in range(len(found))]
            objects += [(name, x) for x in inside]
        return given, arrays, objects

    def _described(self, args: tuple, kwargs: dict) -> dict[str, str]:
        """The arguments in words, by name."""
        given = [(name, unbox(x)) for name, x in self._named(args, kwargs)[0]]
        return {name: _short(f"{x.dtype}{list(x.shape)}" if isinstance(x, np.ndarray) else x) for name, x in given}

    def _cause(self, args: tuple, kwargs: dict) -> str:
        """How this call differs from one before, in words."""
        now, before = self._described(args, kwargs), self._given
        name = next((name for name in now if now[name] != before.get(name)), None)
        return f"the argument '{name}' was {before.get(name)} and is {now[name]}" if name else "the state changed"

    def _warn(self, reason: str) -> None:
        if reason not in self._warned:
            self._warned.add(reason)
            warnings.warn(f"{self._name}: {reason}", Fallback, stacklevel=_depth())

    # ---- what can be looked at
    def _current(self) -> tuple[Case, Entry]:
        case = self._last
        if case is None or case.entry is None:
            told = "".join(f" ({reason})" for reason in self._warned) if self._warned else ""
            when = "call it once more" if self._cases and not told else "call it twice"
            raise RuntimeError(f"{self._name} has no program{told or ' yet: ' + when}")
        return case, case.entry

    @property
    def source(self) -> str:
        """The numpy source of the program that ran last."""
        return self._current()[1].module.whole

    @property
    def traces(self) -> int:
        """How many programs there are."""
        return len({id(case) for case in self._cases.values() if case.entry is not None})

    @property
    def reasons(self) -> list[str]:
        """What its Fallback warnings said."""
        return sorted(self._warned)

    @property
    def diverged(self) -> bool:
        """Whether a truth test came out otherwise than recorded, in the program that ran last."""
        return self._last is not None and self._last.diverged > 0

    def go_on(self, calls: int) -> None:
        """Let the program that ran last have been called so often, which says when it is looked at again: a run that
        goes on in another process is recorded anew at the same calls as if it had not been interrupted."""
        case, _ = self._current()
        case.count, case.look = calls, next(n for n in LOOKS if n > calls)

    def explain(self) -> str:
        """What was made of the calls of the program that ran last, its memory, and its time."""
        case, entry = self._current()
        return explained(entry.stages, entry.plan, case.seconds, entry.seconds)

    def export(self, path: Any) -> None:
        """Write the program that ran last as a .py file that needs numpy alone, and its arrays in an .npz beside it."""
        _, entry = self._current()
        exported(path, self._name, entry, next(reversed(self._states.values())))


def _overlaps(arguments: list, state: State) -> tuple:
    """Which arguments show memory of others or of the state."""
    arguments = [x for x in arguments if not isinstance(x, float)]
    owners = [id(owner(x.array if isinstance(x, Value) else x)) for x in arguments]
    if len(set(owners)) == len(owners) and state.owners.isdisjoint(owners):
        return ()
    return shared([*arguments, *state.values], len(arguments))


def _depth() -> int:
    """How many calls up the caller outside of this library is, for warnings."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(LIBRARY):
        frame, depth = frame.f_back, depth + 1
    return depth


def _short(x: Any) -> str:
    text = repr(x).replace("\n", " ")
    return text if len(text) <= 100 else text[:99] + "…"


def _checked_state(state: Any) -> Any:
    """state= as it was given; TypeError for what can be none: a number alone can never change."""
    for part in [state] if not isinstance(state, (dict, list, tuple)) else leaves(state):
        within = part is not state and isinstance(part, ATOMS)
        if not within and not isinstance(part, (*LOOKED_INTO, Value, np.ndarray)) and (
                isinstance(part, (*IDENTICAL, Compiled)) or not has_attributes(part)):
            raise TypeError("compile: state is a module, an optimizer, a Tensor, an array, a random generator, an "
                            f"object with attributes, or a tuple, list or dict of them, not {type(part).__name__}")
    return state


def compile(function: Callable | None = None, *, state: Any = None, strict: bool = False, max_retraces: int = 8) -> Any:
    """Turn a function of Tensors (a training step, say) into a numpy program: @compile, or compile(function).

    A program is a function of the arguments and the state: what `state` names (modules, optimizers, Tensors, arrays,
    generators, and tuples, lists and dicts of them), and what the function's own names refer to: its closure, the
    globals it loads, its defaults, the object of a method. Shapes, dtypes, Python numbers and settings there are part
    of a key; for each key the first call runs as it is, the second is recorded, and later ones run the program. All
    other Python runs only while a call is recorded: the 3rd, 10th, 100th, … call are recorded anew and compared, and a
    Fallback warning names the line of what differs. What cannot be a program (a value looked at, a list appended to)
    runs as it is, with a warning; with strict=True it raises CompileError, and everything is as before the call.
    max_retraces: how many programs are made at most. The result is a `Compiled`.

    >>> total = tl.compile(lambda x: (x * x).sum())
    >>> [total(tl.tensor([1.0, 2.0])).item() for call in range(3)]
    [5.0, 5.0, 5.0]
    """
    def decorate(function: Callable) -> Compiled:
        function = function.function if isinstance(function, Compiled) else function
        if not callable(function):
            raise TypeError(f"compile takes a function, not {type(function).__name__}")
        if not isinstance(max_retraces, (int, np.integer)) or max_retraces < 1:
            raise ValueError(f"compile: max_retraces is a whole number above 0, not {max_retraces!r}")
        inner = inspect.unwrap(function)
        kinds = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)
        if any(is_one(inner) for is_one in kinds):
            raise TypeError(f"compile: {inner.__name__} is a generator or a coroutine, which no program is: compile "
                            "the function that does one step")
        return Compiled(function, None if state is None else _checked_state(state), strict, max_retraces)

    return decorate if function is None else decorate(function)
