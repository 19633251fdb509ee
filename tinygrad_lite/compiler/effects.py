"""What a call changes in Python objects outside of it: compared before and after a recording."""

import collections
import dis
import types
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..engine.values import Node, Value
from .names import Line
from .state import ATOMS, LIBRARY, globals_of, is_full, slots_of

CONTAINERS = (dict, list, tuple, set, collections.deque)
MOST = 20_000  # objects that are looked at


class Contents:
    """The entries of all objects that can be reached from some names, as they are now."""

    def __init__(self, roots: Iterable[tuple[str, Any]]) -> None:
        self.found: dict[int, tuple[str, Any, list]] = {}  # by id: the path to an object, it, and its entries
        self.codes: list[types.CodeType] = []
        queue = collections.deque(roots)
        while queue and len(self.found) < MOST:
            path, x = queue.popleft()
            if id(x) in self.found or isinstance(x, (*ATOMS, Value, np.ndarray, types.ModuleType, type)):
                continue
            entries = entries_of(x)
            self.found[id(x)] = path, x, entries
            if isinstance(x, types.FunctionType):
                self.codes.append(x.__code__)
            queue.extend((f"{path}.{key}" if isinstance(key, str) else path, value) for key, value in entries)

    def changes(self) -> list[tuple[str, Any, Any, Any]]:
        """(path, object, key, value) of each entry that is new or another object now; the key is ... for others that
        are gone or, in a container without keys, in another place."""
        found: list[tuple[str, Any, Any, Any]] = []
        for path, x, before in self.found.values():
            now = entries_of(x)
            if len(now) == len(before) and all(a is b and _equal(k, n) for (n, a), (k, b) in zip(now, before)):
                continue
            if isinstance(x, (set, collections.deque)) or isinstance(x, list) and len(now) != len(before):
                found.append((path, x, ..., None))
                continue
            old = {id(k) if isinstance(k, Value) else k: v for k, v in before}
            new = {id(k) if isinstance(k, Value) else k: (k, v) for k, v in now}
            if old.keys() - new.keys():
                found.append((path, x, ..., None))
            found += [(f"{path}.{k}" if isinstance(k, str) else path, x, k, v) for i, (k, v) in new.items()
                      if i not in old or not _unchanged(old[i], v)]
        return found

    def restore(self) -> None:
        """Give all of them back the entries that they had."""
        for _, x, before in self.found.values():
            if isinstance(x, (dict, set)):
                x.clear()
                x.update(dict(before) if isinstance(x, dict) else [v for _, v in before])
            elif isinstance(x, (list, collections.deque)):
                x.clear()
                x.extend(v for _, v in before)
            elif isinstance(x, types.FunctionType):
                for key, value in before:
                    put(x, key, value)
            elif not isinstance(x, (tuple, types.MethodType)):
                for key in getattr(x, "__dict__", {}).keys() - dict(before).keys():
                    del vars(x)[key]
                for key, value in before:
                    put(x, key, value)

    def line_of(self, path: str) -> Any:
        """The last line of the functions that are reached which names what is at a path."""
        for name in reversed(path.split(".")):
            for code in self.codes:
                if found := _lines(code, name):
                    return Line(code, -1, found[-1], {})
        return None


def place(x: Any, key: Any) -> tuple[Any, Any]:
    """What really holds an entry, and under which key there: of a function's names, its cells or globals."""
    if isinstance(x, types.FunctionType):
        if key in x.__code__.co_freevars:
            return x.__closure__, x.__code__.co_freevars.index(key)
        return (x.__globals__, key) if key in x.__globals__ else (x.__defaults__, key)
    return (vars(x), key) if key in getattr(x, "__dict__", ()) else (x, key)


def put(x: Any, key: Any, value: Any) -> None:
    """Replace an entry; of a tuple nothing can be."""
    held, key = place(x, key)
    if isinstance(held, (dict, list)):
        held[key] = value
    elif isinstance(held, tuple):
        if isinstance(held[key], types.CellType):
            held[key].cell_contents = value
    else:
        object.__setattr__(held, key, value)


def entries_of(x: Any) -> list[tuple[Any, Any]]:
    """What an object holds, by key: entries of a container, attributes, the names that a function refers to."""
    if isinstance(x, dict):
        return list(x.items())
    if isinstance(x, CONTAINERS):
        return list(enumerate(x))
    if isinstance(x, types.FunctionType):
        if (x.__module__ or "").startswith((LIBRARY, "numpy")):
            return []
        cells = [(n, c) for n, c in zip(x.__code__.co_freevars, x.__closure__ or ())]
        held = [(n, c.cell_contents) for n, c in cells if is_full(c)]
        loaded = [(n, x.__globals__[n]) for n in globals_of(x.__code__) if n in x.__globals__]
        return [*held, *loaded, *enumerate(x.__defaults__ or ())]
    if isinstance(x, types.MethodType):
        return [("self", x.__self__), ("", x.__func__)]
    module = type(x).__module__
    if module.startswith((LIBRARY + "compiler", LIBRARY + "engine", "numpy")) or isinstance(x, Node):
        return []
    slots = [s for c in type(x).__mro__ for s in slots_of(c) if hasattr(x, s)]
    return [*getattr(x, "__dict__", {}).items(), *((s, getattr(x, s)) for s in slots)]


def _equal(a: Any, b: Any) -> bool:
    return a is b or type(a) is type(b) and not isinstance(a, Value) and a == b


def _unchanged(a: Any, b: Any) -> bool:
    return a is b or isinstance(a, ATOMS) and type(a) is type(b) and (a == b or a != a)


def _lines(code: types.CodeType, name: str) -> list[int]:
    """The lines of a function that load or store a name."""
    found = [step.positions.lineno for step in dis.get_instructions(code)
             if step.argval == name and step.positions and step.positions.lineno]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found += _lines(constant, name)
    return found
