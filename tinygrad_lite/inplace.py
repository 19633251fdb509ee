"""In-place operations: a tensor takes over the value of an operation, and so does what it is a view of."""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import ops, tape
from .changes import next_place, stamp
from .mode import is_grad_enabled, mode
from .tape import Value, box


def _refresh(x: Any) -> None:
    """Give a view the node that it would have if it were made now."""
    if hasattr(x, "view_of"):
        base, view, parameters = x.view_of
        _refresh(base)
        if base.node is not None:
            x.node = view(base, *parameters).node


def rebind(x: Any, op: Callable, *args: Any, **settings: Any) -> Any:
    """Give `x` the value of op(x, *args, **settings) in its own memory: the way of all in-place operations.

    A view hands the value on to what it is a view of, which is then rebound itself.
    """
    if mode.tracing is not None:
        mode.tracing.lift((x,))
    if not x.array.flags.writeable:
        raise RuntimeError(f"{op.__name__}: the tensor changed in place shows one element in many places; "
                           "change a .clone()")
    if is_grad_enabled():
        _refresh(x)
    view_of: Any = getattr(x, "view_of", (None, None, ()))
    base, view, parameters = view_of
    tracked = is_grad_enabled() and any(isinstance(a, Value) and a.node is not None for a in (x, *args))
    if tracked and x.node is not None and x.node.op is None:
        raise RuntimeError(f"{op.__name__}: a leaf tensor that requires grad is changed in place; "
                           "do it under no_grad(), or on a .clone()")
    if tracked:  # what the rules read must outlast the change, also where an argument is x or a view of it
        new = op(*(box(a.array.copy(), a.node) if isinstance(a, Value) and np.may_share_memory(a.array, x.array) else a
                   for a in (x, *args)), **settings)
    else:
        new = op(box(x.array), *args, **settings)
    if new.array.shape != x.array.shape:
        raise RuntimeError(f"{op.__name__}: a result of shape {new.array.shape} does not fit in place into "
                           f"shape {x.array.shape}")
    if not np.can_cast(new.array.dtype, x.array.dtype, "same_kind"):
        raise RuntimeError(f"{op.__name__}: result type {new.array.dtype} can't be cast to {x.array.dtype} in place")
    if tracked and new.array.dtype != x.array.dtype:
        new = tape.cast(new, x.array.dtype)
    if tracked and base is not None:
        shown = view.rules[0](np.ones(x.shape), None, base.array, *parameters) != 0  # where the view lies in its base

        def write(whole: Any, value: Any) -> Any:
            return ops.where(shown, view.rules[0](value, None, whole, *parameters), whole)

        write.__name__ = op.__name__
        rebind(base, write, new)
        x.node = view(base, *parameters).node
    elif tracked:
        x.array[...] = new.array
        x.node = new.node
        stamp(x.array, recorded=True)
        x.node.place = next_place()
    else:
        x.array[...] = new.array
        stamp(x.array)
    return x


def in_place(op: Callable) -> Callable:
    """The method that does an operation in place."""
    def method(self, *args, **settings):
        return rebind(self, op, *args, **settings)

    method.__name__ = op.__name__ + "_"
    method.__doc__ = f"{op.__name__} in place; an error where that would make a recorded gradient wrong."
    return method
