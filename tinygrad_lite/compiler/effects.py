"""What a call changes in Python objects outside of it: compared before and after a recording."""

import collections
import contextlib
import dis
import gc
import random
import sys
import types
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..engine.changes import stamp
from ..engine.trees import leaves
from ..engine.values import Node, Value, unbox
from .holders import CONTAINERS, LIBRARY, Holder, globals_of, holders_of, marks_of
from .names import PYTHONS, Line
from .program import Call, identical
from .stand_ins import plain
from .state import ATOMS

CLOSED = (*ATOMS, Node, np.ndarray)  # what is not looked into
MOST = 200_000  # objects that are looked at
SOURCES = (random.Random, np.random.RandomState, np.random.Generator, np.random.BitGenerator)  # of random numbers
PYTHONS_OWN = ("builtins", "_io", "array", "itertools", "collections")  # types that say by pickling what they hold
GONE: Any = object()  # the key of entries that are gone, or in a container without keys


class Pickled(Holder):
    """What an iterator, a bytearray or a StringIO holds; it can be compared only."""

    def entries(self) -> list[tuple[Any, Any]]:
        """The parts of its pickle, by number."""
        try:
            with warnings.catch_warnings():  # from Python 3.12 on itertools warn of being pickled
                warnings.simplefilter("ignore", DeprecationWarning)
                parts = leaves(self.held.__reduce_ex__(4))
            return [(i, x.tobytes() if isinstance(x, np.ndarray) else x) for i, x in enumerate(parts)]
        except Exception:  # there are many reasons why something cannot be pickled
            return []

    def path(self, name: str, key: Any) -> str:
        """They are called as the whole."""
        return name

    def __setitem__(self, key: Any, value: Any) -> None:
        """Nothing can be put back."""

    def refill(self, entries: list[tuple[Any, Any]]) -> None:
        """Nothing can be put back."""


class Contents:
    """The entries of all objects that can be reached from some names, as they are now."""

    def __init__(self, roots: Iterable[tuple[str, Any]], known: set[int]) -> None:
        """known: ids of generators whose draws are noted."""
        self.complete = True  # whether all has been looked at
        self.found: list[tuple[str, Holder, list[tuple[Any, Any]]]] = []
        self.codes: list[types.CodeType] = []
        self.scopes: list[dict[str, Any]] = []  # the globals of functions that say `type`
        self.values: list[Any] = []  # the Tensors and arrays that are reached
        self.arrays: list[tuple[str, np.ndarray, int]] = []  # these arrays, with a hash of their bytes
        seen: dict[int, Any] = {}
        queue = collections.deque(roots)
        while queue and self.complete:
            path, x = queue.popleft()
            if isinstance(x, (Value, np.ndarray)):
                self.values.append(x)
                if id(unbox(x)) not in seen:
                    seen[id(unbox(x))] = unbox(x)
                    self.arrays.append((path, unbox(x), hash(unbox(x).tobytes())))
            if isinstance(x, SOURCES) and id(x) in known:
                continue
            module = str(type(x).__module__)  # of some types of C's it is no string
            inside = module.startswith((LIBRARY + "compiler", "numpy")) and not isinstance(x, SOURCES)
            if id(x) in seen or inside or isinstance(x, CLOSED) or (
                    isinstance(x, (type, types.ModuleType)) and not _is_users(x)):
                continue
            seen[id(x)] = x
            self.complete = len(seen) < MOST
            if isinstance(x, types.FunctionType) and not (x.__module__ or "").startswith((LIBRARY, "numpy")):
                self.codes.append(x.__code__)
                if "type" in globals_of(x.__code__):
                    self.scopes.append(x.__globals__)
            python_own = isinstance(x, SOURCES) or module in PYTHONS_OWN and not isinstance(x, CONTAINERS)
            holders = marks_of(x) if isinstance(x, Value) else holders_of(x)
            for holder in (*holders, *[Pickled(x)] * python_own):
                entries = holder.entries()
                self.found.append((path, holder, entries))
                queue.extend((holder.path(path, key), value) for key, value in entries)
            queue.extend((f"{path}.{c.__name__}", c) for c in type(x).__mro__[:-1])

    def changes(self) -> Iterator[tuple[str, Holder, Any, Any]]:
        """(path, holder, key, value) of each entry that is new or another object now."""
        for path, holder, before in self.found:
            now = holder.entries()
            if _same(before, now):
                continue
            if not isinstance(holder.held, dict) and holder.keys is None and len(now) != len(before):
                yield path, holder, GONE, None
                continue
            old = {_hashed(key): value for key, value in before}
            if len(now) < len(before):
                yield path, holder, GONE, None
            keyed = not isinstance(holder.held, (set, collections.deque))
            for key, value in now:
                was = old.get(_hashed(key), GONE)
                equal = isinstance(was, ATOMS) and type(was) is type(value) and repr(was) == repr(value)
                if was is not value and not equal:
                    yield holder.path(path, key), holder, key if keyed else GONE, value
            if len(now) == len(before) and [_hashed(k) for k, _ in now] != [_hashed(k) for k, _ in before]:
                yield path, holder, GONE, None

    def changed_holders(self) -> list[Holder]:
        """What holds other objects now."""
        return [holder for _, holder, before in self.found if not _same(before, holder.entries())]

    def changed_arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """The arrays that hold other numbers now."""
        return ((path, x) for path, x, before in self.arrays if hash(x.tobytes()) != before)

    @contextlib.contextmanager
    def another_type(self, replacement: Any) -> Iterator[None]:
        """The user's functions that are reached find `replacement` where they say `type`."""
        scopes = [scope for scope in {id(g): g for g in self.scopes}.values() if "type" not in scope]
        try:
            for scope in scopes:
                scope["type"] = replacement
            yield
        finally:
            for scope in scopes:
                if scope.get("type") is replacement:
                    del scope["type"]

    def restore(self) -> None:
        """Give all of them back the entries that they had."""
        for _, holder, before in self.found:
            holder.refill(before)

    def line_of(self, path: str) -> Line | None:
        """The last line of the functions that are reached which names what is at a path."""
        for name in reversed(path.split(".")):
            for code in self.codes:
                if found := _lines(code, name):
                    return Line(code, -1, found[-1], {})
        return None


def _same(before: list[tuple[Any, Any]], now: list[tuple[Any, Any]]) -> bool:
    """Whether some entries are the same objects."""
    return len(now) == len(before) and all(a is b and k is n for (k, a), (n, b) in zip(before, now))


def _is_users(x: Any) -> bool:
    """Whether a class or a module is the user's own."""
    module = x if isinstance(x, types.ModuleType) else sys.modules.get(x.__module__)
    name = getattr(module, "__name__", LIBRARY)
    file = getattr(module, "__file__", None) or (PYTHONS if name.split(".")[0] in sys.stdlib_module_names else "")
    outside = file.startswith(PYTHONS) or "site-packages" in file
    return not outside and not (name + ".").startswith((LIBRARY, "numpy."))


def _hashed(key: Any) -> Any:
    return id(key) if isinstance(key, Value) else key


def _lines(code: types.CodeType, name: str) -> list[int]:
    """The lines of a function that load or store a name."""
    found = [step.positions.lineno for step in dis.get_instructions(code)
             if step.argval == name and step.positions and step.positions.lineno]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found += _lines(constant, name)
    return found


class Saved:
    """Copies of everything that a call may change, for strict=True."""

    def __init__(self, call: Call, contents: Contents) -> None:
        values = [*call.arguments, *call.state.values, *contents.values]
        tensors = [x for x in values if isinstance(x, Value)]
        nodes = [t.node for t in tensors if t.node is not None]
        self.tensors = [(t, t.array, t.node) for t in tensors]
        self.grads = [(n, n.grad, None if n.grad is None else n.grad.array) for n in nodes]
        arrays = [x for x in values if isinstance(x, np.ndarray)]
        arrays += [t.array for t in tensors] + [n.grad.array for n in nodes if n.grad is not None]
        self.arrays = [(a, a.copy()) for a in {id(a): a for a in arrays}.values()]
        real = [getattr(g, "numpy", g) for g in call.state.generators]
        self.generators = [(g, g.bit_generator.state) for g in real]
        self.contents = contents

    def put_back(self) -> None:
        """Everything as it was."""
        self.contents.restore()
        for t, array, node in self.tensors:
            t.array, t.node = array, node
        for node, grad, before in self.grads:
            node.grad = grad
            if grad is not None:
                grad.array = before
        changed = [(a, copy) for a, copy in self.arrays if a.flags.writeable and not identical(a, copy)]
        for a, copy in changed:
            a[...] = copy
        stamp(*[a for a, _ in changed])
        for generator, state in self.generators:
            generator.bit_generator.state = state


def without_leaks(alive: list) -> str:
    """Make real what outlives the call in places that nobody looked at; says where that was computed, if anything."""
    if not any(ref() is not None for ref in alive):
        return ""
    gc.collect()  # what only cycles hold
    leaked = [x for ref in alive if (x := ref()) is not None]
    for x in leaked:
        for held in gc.get_referrers(x):
            if isinstance(held, Value):
                held.array = x.value
            elif isinstance(held, Node):
                held.array = plain(held.array)
            elif isinstance(held, (list, collections.deque)) and held is not leaked:
                for i in [i for i, part in enumerate(held) if part is x]:
                    held[i] = x.value
            elif isinstance(held, set):
                held.remove(x)
                held.add(x.value)
            elif isinstance(held, dict):
                entries = [(plain(key), plain(value)) for key, value in held.items()]
                held.clear()
                held.update(entries)
    if not leaked:
        return ""
    line = leaked[0].how.line
    return f"it keeps a value that was computed at {line} (`{line.expression}`)" if line else "it keeps a value" + \
        " somewhere outside: return it instead"
