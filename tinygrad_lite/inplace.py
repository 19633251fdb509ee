"""In-place operations: a tensor takes over the value of an operation, and so does what it is a view of."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from . import ops
from .engine.changes import refuse_stale, rewritten, stamp
from .engine.dtypes import RANK
from .engine.mode import mode, quietly
from .engine.tape import BY_HAND, box, cast
from .engine.values import RETAIN, Value


def rebind(x: Any, op: Callable, *args: Any, **settings: Any) -> Any:
    """Give `x` the value of op(x, *args, **settings) in its own memory: the way of all in-place operations.

    A view hands the value on to what it is a view of, which is then rebound itself.
    """
    if mode.tracing is not None:
        mode.tracing.lift((x,))
    if not x.array.flags.writeable:
        raise RuntimeError(f"{op.__name__}: the tensor changed in place shows one element in many places; "
                           "change a .clone()")
    chain = _chain(x)
    if mode.recording:
        _refuse_unrecordable(op, chain, args)
        _refresh(chain)
        if rewritten:
            refuse_stale(op.__name__, args)
    if mode.recording and x.array.dtype.kind == "f" and any(isinstance(a, Value) and a.node for a in (x, *args)):
        # what the rules read must outlast the change, also where an argument is x or a view of it
        lasting = [box(a.array.copy(), a.node) if a is x or _shares(a, x) else a for a in (x, *args)]
        _take(chain, _fitting(op, x, op(*lasting, **settings)))
    else:
        quietly(x.array.__setitem__, ..., _fitting(op, x, op(box(x.array), *args, **settings)).array)
        stamp(x.array)
    return x


def _shares(a: Any, x: Any) -> bool:
    """Whether an argument is a Tensor that may show memory of another."""
    return isinstance(a, Value) and np.may_share_memory(a.array, x.array)


def _refuse_unrecordable(op: Callable, chain: list, args: tuple) -> None:
    """RuntimeError where a change could not be told to the gradients of all who show the memory."""
    if any(view.node is not None and view.node.op is None for view in chain):
        raise RuntimeError(f"{op.__name__}: a leaf tensor that requires grad is changed in place; "
                           "do it under no_grad(), or on a .clone()")
    tracked = any(isinstance(a, Value) and a.node for a in (*chain, *args))
    for view, base in zip(chain, chain[1:]):
        if tracked and base.view_of is not None and base.view_of[3] > view.view_of[3]:  # see `reshaping`
            raise RuntimeError(f"{op.__name__}: the tensor is a view of another whose shape was changed in place after "
                               "the view was made; make it again after the change")
        made_by = view.view_of[1]
        if not made_by.rules or made_by.__name__ in BY_HAND:
            raise RuntimeError(f"{op.__name__}: a view that {made_by.__name__} gave is changed in place, and no rule "
                               "says where it lies in what it shows; change a .clone()")


def _fitting(op: Callable, x: Any, new: Any) -> Any:
    """The result of an operation; RuntimeError where it does not go into x's memory."""
    if new.array.shape != x.array.shape:
        raise RuntimeError(f"{op.__name__}: a result of shape {new.array.shape} does not fit in place into "
                           f"shape {x.array.shape}")
    if RANK[new.array.dtype.kind] > RANK[x.array.dtype.kind]:
        raise RuntimeError(f"{op.__name__}: result type {new.array.dtype} can't be cast to {x.array.dtype} in place")
    return new


def _take(chain: list, new: Any) -> None:
    """Let the first of a chain of views, and so all that it shows, take over a recorded value."""
    if new.array.dtype != chain[0].array.dtype:
        new = cast(new, chain[0].array.dtype)
    for view in chain[:-1]:
        new = _written(view, new)
    base = chain[-1]
    base.array[...] = new.array
    stamp(base.array, recorded=True)
    _hand_over(base, new.node)
    _refresh(chain)


def _chain(x: Any) -> list:
    """x, what it is a view of, what that is a view of, …; what has been given other data is none any more."""
    found = [x]
    while found[-1].view_of is not None and np.may_share_memory(found[-1].array, found[-1].view_of[0].array):
        found.append(found[-1].view_of[0])
    return found


def _refresh(chain: list) -> None:
    """Give views the nodes that they would have if they were made now."""
    for view, base in zip(chain[-2::-1], chain[:0:-1]):  # from the base on
        up_to_date = view.node is not None and view.node.inputs and view.node.inputs[0] is base.node
        if base.node is None and view.node is not None and view.node.op is not None:  # a comparison ended the tracking
            view.node = None
        elif base.node is not None and not up_to_date:
            _, op, args, _ = view.view_of
            _hand_over(view, op(base, *args).node)


def _written(view: Any, value: Any) -> Any:
    """What the base of a view becomes as the view takes a value."""
    base, op, args, _ = view.view_of
    send_back = op.rules[0]
    shown = send_back(np.ones(view.array.shape), None, base.array, *args) != 0  # where the view lies in its base
    whole = box(base.array.copy(), base.node)
    spread = send_back(value, None, whole, *args)
    return spread if shown.all() else ops.where(shown, spread, whole)


def _hand_over(x: Any, node: Any) -> None:
    """Give a tensor another node, and to that what the tensor keeps of its gradient."""
    before, x.node = x.node, node
    if before is not None and node is not None:  # what does not depend on anything tracked keeps nothing
        node.grad, before.grad = before.grad, None
        if before.hooks and before.hooks.pop(RETAIN, False):
            node.hooks = {RETAIN: True}


def reshaping(op: Callable) -> Callable:
    """The method that gives a tensor another shape in place: it becomes a view of what it was."""
    def method(self, *args, **settings):
        leaf = self.node is not None and self.node.op is None
        if self.node is not None and leaf == mode.recording:
            raise RuntimeError(f"{method.__name__}: a leaf that requires grad is changed in place only under no_grad() "
                               f"and what was recorded only outside of it; write x = x.{op.__name__}(…)")
        if mode.tracing is not None:
            mode.tracing.lift((self,))
            if type(self.array) is not np.ndarray:
                self.array.shape = self.array.shape  # no program repeats that: this ends the trace
        before = box(self.array, self.node)
        before.view_of = self.view_of
        after = op(before, *args, **settings)
        if after is not before:
            if leaf:
                self.node.array, self.node.grad = after.array, None
            elif self.node is not None:
                _hand_over(self, after.node)
            self.array, self.view_of = after.array, after.view_of
        return self

    return _named_after(op, method, "in place: the tensor has another shape from now on, and the same memory.")


def in_place(op: Callable) -> Callable:
    """The method that does an operation in place."""
    def method(self, *args, **settings):
        return rebind(self, op, *args, **settings)

    return _named_after(op, method, "in place; an error where that would make a recorded gradient wrong.")


def _named_after(op: Callable, method: Any, does: str) -> Callable:
    """The method with the operation's name, signature and example: `tl.exp(x)` becomes `x.exp_()`."""
    name = op.__name__ + "_"
    _, _, examples = inspect.cleandoc(op.__doc__ or "").partition(">>>")
    examples = re.sub(rf"tl\.{op.__name__}\((\w+)(?=[,)])(, )?", rf"\1.{name}(", ">>>" + examples)
    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"{op.__name__} {does}\n\n{examples}"
    method.__wrapped__ = op
    return method


def or_in_place(function: Callable) -> Callable:
    """Let a function take PyTorch's `inplace`, last of all: its first tensor then takes over the result."""
    signature = inspect.signature(function)
    names = [*signature.parameters]

    @functools.wraps(function)
    def call(*args: Any, inplace: bool = False, **settings: Any) -> Any:
        if len(args) > len(names):
            *args, inplace = args  # type: ignore[assignment]
        if not inplace:
            return function(*args, **settings)
        x, *rest = args or (settings.pop(names[0] if names[0] in settings else "input"),)
        if isinstance(x, Value):
            return rebind(x, function, *rest, **settings)
        x[...] = function(x, *rest, **settings)
        return x

    last = inspect.Parameter("inplace", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False)
    call.__signature__ = signature.replace(parameters=[*signature.parameters.values(), last])  # type: ignore
    return call
