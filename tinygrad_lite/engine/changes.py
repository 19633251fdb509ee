"""In-place changes, noticed: memory is stamped with the place of its last change on the tape.

A value that a gradient rule reads must not have changed since it was recorded, and a view must not
be used after its base was rewritten by a recorded operation. Changes are noticed where a Tensor makes
them; what numpy itself writes into an array is not.
"""

import functools
import itertools
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

next_place = itertools.count(1).__next__  # one counter for operations and changes: the order of execution
_changed: dict[int, list] = {}  # id of the owner of some memory -> [weak reference, place of change]
rewritten: dict[int, int] = {}  # the same for changes that were themselves recorded
_last_change = 0


# ---------------------------------------------------------------- stamps
def owner(array: np.ndarray) -> np.ndarray:
    """The array whose memory a view shows."""
    base = array.base
    while base is not None:
        if isinstance(base, np.ndarray):
            array = base
        base = getattr(base, "base", None)  # as_strided puts a holder between a view and its array
    return array


def stamp(*arrays: np.ndarray, recorded: bool = False) -> None:
    """Note that the arrays' memory was changed in place now."""
    global _last_change
    _last_change = place = next_place()
    for array in arrays:
        if not array.size:  # nothing of it can have changed
            continue
        whole = owner(array)
        key = id(whole)
        if key not in _changed:
            _changed[key] = [weakref.ref(whole, functools.partial(_forget, key)), 0]
        _changed[key][1] = place
        if recorded:
            rewritten[key] = place


def _forget(key: int, _: Any) -> None:
    """The memory is gone, and another array may get its id."""
    _changed.pop(key, None)
    rewritten.pop(key, None)


def stamper(arrays: list[np.ndarray]) -> Callable[[], None]:
    """A function that stamps all these arrays, as changes that were not recorded: faster than one by one."""
    stamp(*arrays)
    entries = [_changed[id(owner(array))] for array in arrays]

    def stamp_all() -> None:
        global _last_change
        _last_change = place = next_place()
        for entry in entries:
            entry[1] = place

    return stamp_all


def changed_since(array: np.ndarray, place: int) -> bool:
    """Whether `array`'s memory was changed in place after a place on the tape."""
    return _changed.get(id(owner(array)), (None, 0))[1] > place


# ---------------------------------------------------------------- what must not have changed
def refuse_stale(name: str, args: Iterable) -> None:
    """RuntimeError if an argument is a view made before a recorded operation rewrote the memory that it shows."""
    for view in args:
        how = getattr(view, "view_of", None)
        if how is None:
            continue
        made = how[3] if view.node is None else view.node.place
        if made < rewritten.get(id(owner(view.array)), 0) and (view.node is not None or _shows_tracked(view)):
            raise RuntimeError(f"{name}: an input of shape {view.array.shape} shares memory with a tensor that "
                               "was changed in place after the input was made; index or reshape again after the "
                               "change, or change a .clone()")


def _shows_tracked(view: Any) -> bool:
    """Whether what an untracked view is a view of is tracked; where it was detached first, it is not."""
    while view.view_of is not None and view.node is None:
        view = view.view_of[0]
    return view.node is not None


class _ShapeOnly(NDArrayOperatorsMixin):
    """Stands for an array that has changed: shape and dtype may be asked, who reads its values is refused."""

    def __init__(self, array: np.ndarray, op: Any) -> None:
        self.shape, self.dtype, self.ndim, self.size = array.shape, array.dtype, array.ndim, array.size
        self.op = op

    def __len__(self) -> int:
        return self.shape[0]

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f"backward of {self.op.__name__}: a value of shape {self.shape} that its gradient needs was "
                           "changed in place after it was used; use an out-of-place operation, or change a .clone()")

    __array__ = __array_ufunc__ = __array_function__ = __getattr__ = __getitem__ = __bool__ = _refuse
    __iter__ = __float__ = __int__ = __index__ = _refuse


def _without_changed(x: Any, node: Any) -> Any:
    """An argument of a node, the arrays in it that have changed since by their shapes only."""
    x = getattr(x, "array", x)  # of a Tensor in an index
    if isinstance(x, np.ndarray):
        return _ShapeOnly(x, node.op) if changed_since(x, node.place) else x
    if isinstance(x, (tuple, list)):
        parts = [_without_changed(part, node) for part in x]
        return type(x)(parts) if any(isinstance(part, _ShapeOnly) for part in parts) else x
    return x


def refuse_changed(tape: list, sources: Callable[[Any], Any], pull: Callable) -> None:
    """RuntimeError if a value that a rule of the tape reads was changed after it was recorded.

    What a rule reads is found out by running it: with the shapes alone of what has changed, and a gradient of zeros.
    """
    if not tape or _last_change < tape[0].place:
        return
    for node in tape:
        inputs = sources(node)
        if not any(inputs) or hasattr(node.op, "context"):  # a Function's context looks after what it saved
            continue
        args = [_without_changed(a, node) for a in node.args]
        out = _without_changed(node.array, node)
        if out is node.array and all(a is b for a, b in zip(args, node.args)):
            continue
        g = np.broadcast_to(np.zeros((), out.dtype), out.shape)
        with np.errstate(all="ignore"):
            pull(node.op, inputs, g, out, args)
