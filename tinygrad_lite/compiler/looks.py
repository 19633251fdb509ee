"""The second look: whether a call, recorded once more, is still the program that it was."""

from typing import Any, NamedTuple

import numpy as np

from .program import Program, Var
from .recording import Boxed, Recording
from .trace import FIXED

REMEDY = "pass it as an argument or into state"


class Difference(NamedTuple):
    """Where two recordings part. another_way: at a truth test, which a program checks by itself."""

    text: str
    another_way: bool = False
    for_ever: bool = False  # no program can be right


def difference(old: Recording, new: Recording) -> Difference | None:
    """The first difference between two recordings of calls with the same key; None if they compute the same."""
    kept = [(ref(), v) for (k, ref) in new.outside.items() for v in [old.outside.get(k)] if v and ref() is not None]
    outside = [a for a, before in kept if a is before()]
    if outside:
        return Difference(f"{_place_of(new.program, outside[0])} is an array that lives outside of the call: {REMEDY}",
                          for_ever=True)
    return _Comparison(old.program, new.program).of(old, new)


def _place_of(program: Program, array: np.ndarray) -> str:
    """What the user calls a constant, and where."""
    for v in program.body:
        for c in v.sources():
            if c.op == "constant" and c.value.shape == array.shape and c.value.tobytes() == array.tobytes() and c.line:
                return f"{c.line.name_of(array) or 'a constant'} at {c.line} (`{c.line.expression}`)"
    return "a constant"


class _Comparison:
    """Two programs, compared call by call."""

    def __init__(self, old: Program, new: Program) -> None:
        self.old, self.new = old, new
        self.twin: dict[Var, Var] = dict(zip(old.inputs, new.inputs))

    def of(self, old: Recording, new: Recording) -> Difference | None:
        """The first difference."""
        for a, b in zip(self.old.body, self.new.body):
            if a.op != b.op:
                return self._told(b, f"{_spelt(a)} ran at {a.line}, and now {_spelt(b)} at {b.line}")
            for x, y in zip([*a.args, *a.kwargs.items()], [*b.args, *b.kwargs.items()]):
                if not self._same(x, y):
                    if a.op in ("check", "py.same_shape") or a.value == b.value == FIXED:
                        return Difference("", another_way=True)
                    return self._told(b, self._values(x, y, b))
            if len(a.args) != len(b.args) or a.kwargs.keys() != b.kwargs.keys():
                return self._told(b, f"{_spelt(b)} was given other arguments")
            self.twin[a] = b
        if len(self.old.body) != len(self.new.body):
            longer = max(self.old, self.new, key=lambda p: len(p.body)).body
            return self._told(longer[min(len(self.old.body), len(self.new.body))], "a call " + (
                "is made now and was not before" if len(self.new.body) > len(self.old.body) else "was made and is not any more"))
        for name in ("result", "gradients", "outputs", "replaced", "numbers"):
            if not self._same(getattr(old, name), getattr(new, name)):
                x, y = self._first(getattr(old, name), getattr(new, name))
                return Difference(f"a part of its {name} was {_short(x)} and is {_short(y)}: {REMEDY}")
        if not self._same([v for w in self.old.writes for v in w], [v for w in self.new.writes for v in w]):
            return Difference(f"it changes other arrays in place: {REMEDY}")
        return None

    def _told(self, at: Var, what: str) -> Difference:
        source = f" (`{at.line.expression}`)" if at.line else ""
        return Difference(f"{what}{source}: {REMEDY}")

    def _values(self, x: Any, y: Any, at: Var) -> str:
        """A constant that differs, in words."""
        x, y = self._first(x, y)
        x, y = (v.value if isinstance(v, Var) and v.op == "constant" else v for v in (x, y))
        if isinstance(x, Var) or isinstance(y, Var):
            return f"{_spelt(at)} at {at.line} was given {_short(x)} and is given {_short(y)}"
        x, y = (v.item() if isinstance(v, np.ndarray) and v.ndim == 0 else v for v in (x, y))
        name = at.line and not isinstance(y, np.ndarray) and at.line.name_of(y) or "a constant"
        return f"{name} at {at.line} was {_short(x)} and is {_short(y)}"

    def _first(self, x: Any, y: Any) -> tuple[Any, Any]:
        """The first parts of two structures that differ."""
        if isinstance(x, Boxed) and isinstance(y, Boxed):
            return self._first(x.of, y.of)
        if type(x) is type(y) and isinstance(x, (tuple, list)) and len(x) == len(y):
            return next((self._first(a, b) for a, b in zip(x, y) if not self._same(a, b)), (x, y))
        return x, y

    def _same(self, x: Any, y: Any) -> bool:
        if isinstance(x, Var) and isinstance(y, Var):
            if x.op == y.op == "constant":
                return (x.shape, x.dtype, x.value.tobytes()) == (y.shape, y.dtype, y.value.tobytes())
            return self.twin.get(x) is y
        if type(x) is not type(y):
            return False
        if isinstance(x, Boxed):
            return x.spent == y.spent and self._same(x.of, y.of)
        if isinstance(x, (tuple, list)):
            return len(x) == len(y) and all(map(self._same, x, y))
        if isinstance(x, dict):
            return list(x) == list(y) and all(map(self._same, x.values(), y.values()))
        if isinstance(x, slice):
            return self._same((x.start, x.stop, x.step), (y.start, y.stop, y.step))
        return bool(x is y or repr(x) == repr(y))


def _spelt(v: Var) -> str:
    return "a truth test" if v.op == "check" else v.op.lstrip(".")


def _short(x: Any) -> str:
    text = repr(x.tolist() if isinstance(x, np.ndarray) else x).replace("\n", " ")
    return text if len(text) <= 60 else text[:59] + "…"
