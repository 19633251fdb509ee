"""The second look: whether a call, recorded once more, is still the program that it was."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .program import Var, identical
from .recording import Boxed, Recording, Scalar
from .stand_ins import FIXED

REMEDY = "pass it as an argument or into state"
NOTHING: Any = object()


class Difference(NamedTuple):
    """Where two recordings part. another_way: at a truth test, which a program checks by itself."""

    text: str
    another_way: bool = False
    for_ever: bool = False  # no program can be right


def difference(old: Recording, new: Recording) -> Difference | None:
    """The first difference between two recordings of calls with the same key; None if they compute the same."""
    for key, (ref, line) in new.outside.items():
        array, before = ref(), old.outside.get(key, (lambda: None, None))[0]()
        if array is not None and array is before:
            name = line.name_of(array) if line else ""
            return Difference(f"{name or 'a constant'} at {line} is an array that lives outside of the call: {REMEDY}",
                              for_ever=True)
    for (x, of), (y, at) in itertools.zip_longest(_parts(old), _parts(new), fillvalue=(NOTHING, None)):
        if not _same(x, y):
            at = at or of
            if at is not None and (at.op in ("check", "py.same_shape") or at.value == FIXED):
                return Difference("", another_way=True)
            return Difference(f"{_told(x, y, of, at)}: {REMEDY}")
    return None


def _parts(recording: Recording) -> Iterator[tuple[Any, Var | None]]:
    """All that a recording is made of, in order, each with the call that it belongs to; calls by their number."""
    program = recording.program
    numbers = {v: i for i, v in enumerate((*program.inputs, *program.body))}

    def flat(x: Any) -> Iterator[Any]:
        if isinstance(x, Var):
            yield x.value if x.op == "constant" else ("call", numbers[x])
        elif isinstance(x, (Boxed, Scalar)):
            yield from (type(x), getattr(x, "spent", None))
            yield from flat(x.of)
        elif isinstance(x, (tuple, list, dict, slice)):
            yield type(x)
            inner = x.items() if isinstance(x, dict) else (x.start, x.stop, x.step) if isinstance(x, slice) else x
            for part in inner:
                yield from flat(part)
            yield "end"
        else:
            yield x

    for v in program.body:
        yield v.op, v
        for part in flat((v.args, v.kwargs)):
            yield part, v
    for name in ("result", "gradients", "outputs", "replaced", "numbers"):
        for part in flat([name, getattr(recording, name)]):
            yield part, None
    for part in flat(["writes", program.writes]):
        yield part, None


def _same(x: Any, y: Any) -> bool:
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return identical(x, y)
    return x is y or type(x) is type(y) and repr(x) == repr(y)


def _told(x: Any, y: Any, of: Var | None, at: Var | None) -> str:
    """The difference in words."""
    if at is None:
        return f"what it gives or changes was {_short(x)} and is {_short(y)}"
    source = f"at {at.line} (`{at.line.expression}`)" if at.line else ""
    if of is None or y is NOTHING or x is NOTHING:
        return f"{at.op} {source} {'is called now and was not' if of is None else 'was called and is not any more'}"
    if x is of.op or y is at.op:
        return f"{of.op} ran at {of.line}, and now {at.op} {source}"
    name = at.line.name_of(y.item() if isinstance(y, np.ndarray) and y.ndim == 0 else y) if at.line else ""
    return f"{name or 'a constant'} {source} was {_short(x)} and is {_short(y)}"


def _short(x: Any) -> str:
    text = repr(x.tolist() if isinstance(x, np.ndarray) else x).replace("\n", " ")
    return text if len(text) <= 60 else text[:59] + "…"
