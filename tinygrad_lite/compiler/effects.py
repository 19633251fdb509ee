"""What a call changes in Python objects outside of it: compared before and after a recording."""

import collections
import dis
import types
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..engine.values import Node, Value
from .holders import LIBRARY, Holder, holders_of
from .names import Line
from .state import ATOMS

CLOSED = (*ATOMS, Value, Node, np.ndarray, types.ModuleType, type)  # what is not looked into
MOST = 20_000  # objects that are looked at
GONE: Any = object()  # the key of entries that are gone, or in a container without keys


class Contents:
    """The entries of all objects that can be reached from some names, as they are now."""

    def __init__(self, roots: Iterable[tuple[str, Any]]) -> None:
        self.found: list[tuple[str, Holder, list[tuple[Any, Any]]]] = []
        self.codes: list[types.CodeType] = []
        seen: dict[int, Any] = {}
        queue = collections.deque(roots)
        while queue and len(seen) < MOST:
            path, x = queue.popleft()
            if id(x) in seen or isinstance(x, CLOSED) or type(x).__module__.startswith((LIBRARY + "compiler", "numpy")):
                continue
            seen[id(x)] = x
            if isinstance(x, types.FunctionType):
                self.codes.append(x.__code__)
            for holder in holders_of(x):
                entries = holder.entries()
                self.found.append((path, holder, entries))
                queue.extend((holder.path(path, key), value) for key, value in entries)

    def changes(self) -> Iterator[tuple[str, Holder, Any, Any]]:
        """(path, holder, key, value) of each entry that is new or another object now."""
        for path, holder, before in self.found:
            now = holder.entries()
            if len(now) == len(before) and all(a is b and k is n for (k, a), (n, b) in zip(before, now)):
                continue
            if not isinstance(holder.held, dict) and holder.keys is None and len(now) != len(before):
                yield path, holder, GONE, None
                continue
            old = {_hashed(key): value for key, value in before}
            if len(now) < len(before):
                yield path, holder, GONE, None
            for key, value in now:
                was = old.get(_hashed(key), GONE)
                if was is not value and not (isinstance(was, ATOMS) and type(was) is type(value) and repr(was) == repr(value)):
                    yield holder.path(path, key), holder, GONE if isinstance(holder.held, (set, collections.deque)) else key, value

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
