"""In-place changes, noticed: memory is stamped with the place of its last change on the tape.

A value that a gradient rule reads must not have changed since it was recorded, and a view must not
be used after its base was rewritten by a recorded operation.
"""

import dis
import functools
import inspect
import itertools
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

next_place = itertools.count(1).__next__  # one counter for operations and changes: the order of execution
_changed: dict[int, list] = {}  # id of the owner of some memory -> [weak reference, place of change]
rewritten: dict[int, int] = {}  # the same for changes that were themselves recorded
_last_change = 0
structure_now = [0]  # counts the changes of modules' attributes, hooks, and of what requires grad


def restructured() -> None:
    """Note such a change: compiled functions look again at what they depend on."""
    structure_now[0] = next_place()


def owner(array: np.ndarray) -> np.ndarray:
    """The array whose memory a view shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def stamp(array: np.ndarray, recorded: bool = False) -> None:
    """Note that `array`'s memory was changed in place now."""
    global _last_change
    whole, _last_change = owner(array), next_place()
    key = id(whole)
    if key not in _changed:
        def forget(_: Any) -> None:
            _changed.pop(key, None)
            rewritten.pop(key, None)
        _changed[key] = [weakref.ref(whole, forget), 0]
    _changed[key][1] = _last_change
    if recorded:
        rewritten[key] = _last_change


def stamper(arrays: list[np.ndarray]) -> Callable[[], None]:
    """A function that stamps all these arrays, as changes that were not recorded: faster than one by one."""
    for array in arrays:
        stamp(array)
    entries = [_changed[id(owner(array))] for array in arrays]

    def stamp_all() -> None:
        global _last_change
        _last_change = place = next_place()
        for entry in entries:
            entry[1] = place

    return stamp_all


def stale(op: Any, array: np.ndarray) -> Exception:
    """The error for a view that was made before the memory it shows was rewritten."""
    return RuntimeError(f"{op.__name__}: an input of shape {array.shape} shares memory with a tensor that was changed "
                        "in place after the input was made; index or reshape again after the change, or change "
                        "a .clone()")


def refuse_stale(made: Any) -> None:
    """RuntimeError if an input of the node `made` lies in memory that was rewritten since."""
    for node, array in zip(made.inputs, made.args):
        if node is not None and node.op and node.place < rewritten.get(id(owner(array)), 0):
            raise stale(made.op, array)


@functools.cache
def _reads(rule: Callable) -> frozenset[int]:
    """Which arguments' values a rule's code reads; -1 is `out`. Shape and dtype alone do not count."""
    code = getattr(rule, "__code__", None)
    if code is None or code.co_flags & inspect.CO_VARARGS:
        return frozenset(range(-1, 99))
    names = list(code.co_varnames[1 : code.co_argcount])
    read = set(code.co_cellvars)
    steps = list(dis.get_instructions(code))
    for step, after in zip(steps, steps[1:]):
        if step.opname.startswith("LOAD_FAST"):
            loaded = step.argval if isinstance(step.argval, tuple) else (step.argval,)
            metadata = after.opname == "LOAD_ATTR" and after.argval in ("shape", "ndim", "dtype", "size")
            read.update(loaded[:-1] if metadata else loaded)
    return frozenset(names.index(n) - 1 for n in read if n in names)


def refuse_changed(tape: list) -> None:
    """RuntimeError if a value that a rule of the tape reads was changed after it was recorded."""
    if not tape or _last_change < tape[0].place:
        return
    for node in tape:
        rules = [node.op.joint] if node.op.joint else [r for r, n in zip(node.op.rules, node.inputs) if n]
        for i in frozenset().union(*map(_reads, rules)):
            value = node.array if i < 0 else node.args[i] if i < len(node.args) else None
            if isinstance(value, np.ndarray) and _changed.get(id(owner(value)), (None, 0))[1] > node.place:
                raise RuntimeError(f"backward of {node.op.__name__}: a value of shape {value.shape} that its gradient "
                                   "needs was changed in place after it was used; use an out-of-place operation, "
                                   "or change a .clone()")
