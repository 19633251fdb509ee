"""The engine: operations record nodes on a tape, and the tape is read backwards for gradients.

A `Value` (`Tensor` adds the operators) is a name for a `Node`; a node is one value on the tape: the
operation that made it, the nodes and arrays it was made from, and its place in the order of
execution. Nodes never change, names may: an in-place operation gives its tensor a new node.
"""

import functools
import inspect
import itertools
import math
import threading
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import numpy as np

from .changes import next_place, refuse_changed, refuse_stale, rewritten, stale
from .mode import Switch, mode
from .watch import refuse_nan, saying_where

ndarray = np.ndarray
_adding = threading.Lock()
_new = object.__new__
REFUSALS = (ValueError, TypeError, IndexError, OverflowError)  # how numpy says that it cannot


# ---------------------------------------------------------------- values and nodes
class Value:
    """What the engine knows of a Tensor: its numpy array and its node (None: not tracked).

    `view_of` is there where an operation gave a view of another Tensor's memory: that Tensor, the
    operation, and its other arguments.
    """

    __slots__ = ("array", "node", "view_of", "__weakref__")

    def __init__(self, array: ndarray, node: Any = None) -> None:
        self.array, self.node = array, node
        if mode.tracing is not None:
            mode.tracing.made(array)


class Node:
    """One value on the tape; a leaf has no operation and keeps the gradient in `grad`. `origin`: see watch.py."""

    __slots__ = ("op", "inputs", "args", "array", "place", "grad", "hooks", "origin", "__weakref__")

    def __init__(self, op: Any, inputs: Any, args: Any, array: Any) -> None:
        self.op = op  # the function of the vocabulary that made it
        self.inputs = inputs  # per argument: the node it came from, or None
        self.args = args  # the arrays and parameters the forward was given
        self.array = array
        self.place = next_place()
        self.grad: Any = None
        self.hooks: Any = None


def leaf(array: ndarray) -> Node:
    """The node of a tensor that the user made and wants a gradient for."""
    return Node(None, (), (), array)


_Result: type[Value] = Value


def results_are(cls: type) -> type:
    """Class decorator: operations on Values return this class from now on."""
    global _Result
    _Result = cls
    return cls


def box(array: Any, node: Node | None = None) -> Any:
    """A new Tensor for `array`."""
    return _Result(as_array(array), node)


def unbox(x: Any) -> Any:
    """The array of a Tensor; anything else as it is."""
    return x.array if isinstance(x, Value) else x


def as_array(x: Any) -> Any:
    """The array of a Tensor, an array as it is, and of anything else what numpy makes of it."""
    x = unbox(x)
    return x if isinstance(x, ndarray) else np.asarray(x)


# ---------------------------------------------------------------- operations
NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def accepts_axis(function: Callable) -> Callable:
    """Let a function of `dim`/`keepdim` take numpy's `axis`/`keepdims` too."""

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **{NUMPY_NAMES.get(k, k): v for k, v in kwargs.items()})

    return renamed


def _failed(op: Any, args: Iterable, error: Exception) -> Exception:
    """The exception a PyTorch user expects, with the operation and what it was given."""
    given = ", ".join(f"{a.dtype}{list(a.shape)}" if hasattr(a, "shape") else repr(a)[:60] for a in args)
    kind = IndexError if isinstance(error, IndexError) else (
        TypeError if isinstance(error, TypeError) else RuntimeError)
    return kind(f"{op.__name__}({given}): {error}")


def primitive(forward: Callable, *rules: Callable | None, joint: Callable | None = None,
              promote: Callable | None = None) -> Callable:
    """An operation: its numpy forward and, per argument, the rule for that argument's gradient.

    A rule maps (g, out, *args) to the gradient of its argument, up to broadcasting and dtype, which
    the engine undoes; None marks an argument without one. `joint` is a single rule that returns a
    tuple, an entry an argument. `promote` brings arrays of different dtypes to a common one.
    """
    parameters = forward.nin if isinstance(forward, np.ufunc) else len(inspect.signature(forward).parameters)
    if len(rules) == 2 == parameters and isinstance(forward, np.ufunc):
        op = _binary(forward, promote, rules[0] is not None)
    elif len(rules) == 1 == parameters and rules[0] is not None:
        op = _unary(forward, promote)
    else:
        op = _general(forward, rules, joint, promote)
    return _finish(op, forward, rules, joint)


def by_hand(*rules: Callable | None, joint: Callable | None = None) -> Callable[[Callable], Callable]:
    """Give a function of the vocabulary a rule derived by hand: one node instead of its parts.

    The definition may return (out, *kept): what the rules want kept comes after their arguments.
    """
    def decorate(definition: Callable) -> Callable:
        op = _finish(_general(definition, rules, joint, None, expands=True), definition, rules, joint)
        op.__module__ = definition.__module__
        BY_HAND[op.__name__] = op
        return op

    return decorate


BY_HAND: dict[str, Any] = {}  # every by_hand function by name, for the test that checks them all


def _finish(op: Any, forward: Any, rules: tuple, joint: Callable | None) -> Any:
    op.__name__ = op.__qualname__ = getattr(forward, "__name__", "op").strip("_<>")
    op.__doc__ = forward.__doc__
    op.forward, op.rules, op.joint = forward, rules, joint
    if not isinstance(forward, np.ufunc):
        op.__wrapped__ = forward
    return op


def _binary(forward: Any, promote: Callable | None, ruled: bool) -> Any:
    """The call path of elementwise operations of two arguments: the hot one, so spelt out."""
    def op(x: Any, y: Any) -> Any:
        p = q = None
        same = False
        if rewritten:
            _look_at(op, (x, y))
        if isinstance(x, Value):
            p, x = x.node, x.array
            if isinstance(y, Value):
                q, y = y.node, y.array
                same = x.dtype is y.dtype
        elif isinstance(y, Value):
            q, y = y.node, y.array
        else:
            return forward(x, y)
        try:
            if not same and promote is not None:
                x, y = promote(x, y)
            array = forward(x, y)
        except REFUSALS as error:
            raise _failed(op, (x, y), error) from None
        if (p is None and q is None) or not ruled or not mode.recording or rewritten:
            return recorded(op, (p, q), (x, y), array, ruled and (p is not None or q is not None))
        if not isinstance(array, ndarray):
            array = np.asarray(array)
        result, node = _new(_Result), _new(Node)  # as in recorded, without the call
        result.array, result.node = array, node
        node.op, node.inputs, node.args, node.array = op, (p, q), (x, y), array
        node.place, node.grad, node.hooks = next_place(), None, None
        return result

    return op


def _general(forward: Any, rules: tuple, joint: Callable | None, promote: Callable | None,
             expands: bool = False) -> Any:
    """The call path of every other operation: any number of arguments, parameters among them."""
    parameters = () if isinstance(forward, np.ufunc) else tuple(inspect.signature(forward).parameters.values())
    fixed = [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
    arity = len(fixed) if parameters else forward.nin
    needed = len([p for p in fixed if p.default is p.empty])
    defaults = tuple(p.default for p in fixed)
    slots = {p.name: i for i, p in enumerate(fixed)}
    ruled = itertools.repeat(True) if joint else (*rules, *[None] * (arity - len(rules)))
    most = arity if len(fixed) == len(parameters) else math.inf
    slots |= {alias: slots[name] for alias, name in NUMPY_NAMES.items() if name in slots}

    def bind(args: tuple, kwargs: dict) -> tuple:
        bound = args + defaults[len(args):]
        if kwargs:
            named = list(bound)
            for name, value in kwargs.items():
                if name not in slots:
                    raise TypeError(f"{op.__name__}() got an unexpected keyword argument '{name}'")
                if slots[name] < len(args):
                    raise TypeError(f"{op.__name__}() got multiple values for argument '{name}'")
                named[slots[name]] = value
            bound = tuple(named)
        if len(args) < needed:
            for p, value in zip(fixed, bound):
                if value is p.empty:
                    raise TypeError(f"{op.__name__}() missing the argument '{p.name}'")
        return bound

    def op(*args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) < arity:
            args = bind(args, kwargs)
        elif len(args) > most:
            raise TypeError(f"{op.__name__}() takes {arity} arguments, but {len(args)} were given")
        if rewritten:
            _look_at(op, args)
        inputs, arrays, boxed, tracked = [], [], False, False
        for a, rule in zip(args, ruled):
            node = None
            if isinstance(a, Value):
                boxed = True
                if rule and a.node is not None:  # a tracked tensor where a parameter goes gets no gradient
                    tracked, node = True, a.node
                a = a.array
            inputs.append(node)
            arrays.append(a)
        if not boxed or (expands and mode.expanded):  # arrays give arrays; by_hand ones may run as their parts
            out = forward(*args)
            return out[0] if type(out) is tuple else out
        try:
            if promote is not None:
                arrays = promote(*arrays)
            array = forward(*arrays)
        except REFUSALS as error:
            raise _failed(op, arrays, error) from None
        if type(array) is tuple:
            array, *kept = array
            arrays += kept
        result = recorded(op, inputs, arrays, array, tracked)
        base = result.array.base  # of a view: the array that owns the memory
        if base is not None and isinstance(args[0], Value) and (base is arrays[0] or base is arrays[0].base):
            result.view_of = args[0], op, args[1:]
        return result

    return op


def _unary(forward: Callable, promote: Callable | None) -> Any:
    """The call path of operations of one argument, spelt out as well."""
    def op(x: Any) -> Any:
        if not isinstance(x, Value):
            return forward(x)
        if rewritten:
            _look_at(op, (x,))
        node, x = x.node, x.array
        try:
            if promote is not None and x.dtype.kind != "f":
                (x,) = promote(x)
            array = forward(x)
        except REFUSALS as error:
            raise _failed(op, (x,), error) from None
        return recorded(op, (node,), (x,), array, node is not None)

    return op


def _look_at(op: Any, args: Iterable) -> None:
    """RuntimeError if an argument is an untracked view of what a recorded change has made tracked since."""
    if mode.tracing is not None:
        mode.tracing.lift(args)
    for a in args:
        if isinstance(a, Value) and a.node is None and mode.recording:
            base = a
            while hasattr(base, "view_of"):
                base = base.view_of[0]
                if base.node is not None:
                    raise stale(op, a.array)


def recorded(op: Any, inputs: Any, args: Any, array: Any, tracked: bool) -> Any:
    """A Tensor of an operation's result, with the node that says how it was made."""
    result = _new(_Result)  # and not by __init__: 0.2 us less, of 3
    if not isinstance(array, ndarray):  # numpy returns scalars for 0-d results
        array = np.asarray(array)
    result.array = array
    if not tracked or not mode.recording:
        result.node = None
        return result
    result.node = node = _new(Node)
    node.op, node.inputs, node.args, node.array = op, inputs, args, array
    node.place, node.grad, node.hooks = next_place(), None, None
    if rewritten:
        refuse_stale(node)
        for watch in mode.watching:
            watch(node)
    return result


# ---------------------------------------------------------------- the tape and the backward pass
FREED = ("backward through a tape a second time, after its values were freed: call "
         ".backward(retain_graph=True) the first time, or run the forward pass again")


def tape_of(roots: Iterable[Node]) -> tuple[list[Node], list[Node]]:
    """The recorded nodes that lead to `roots`, in the order of execution, and the leaves."""
    found = dict.fromkeys(roots)
    nodes = list(found)
    for node in nodes:  # grows as it is read
        if node.inputs is None:
            raise RuntimeError(FREED)
        for source in node.inputs:
            if source is not None and source not in found:
                found[source] = None
                nodes.append(source)
    leaves = [n for n in nodes if n.op is None]
    tape = [n for n in nodes if n.op is not None]
    tape.sort(key=attrgetter("place"))
    return tape, leaves


def seeds_for(outputs: Iterable[Any], gradients: Iterable[Any]) -> dict[Node, Any]:
    """What the backward pass starts from: each output's node with the gradient given for it."""
    seeds: dict[Node, Any] = {}
    for output, g in zip(outputs, gradients, strict=True):
        if output.node is None:
            raise RuntimeError("backward of a tensor that does not require grad and has no grad_fn: no input of its "
                               "computation has requires_grad=True, or it was computed under no_grad()")
        if g is None:
            if output.array.size != 1:
                raise RuntimeError(f"grad can be implicitly created only for scalar outputs, and this has shape "
                                   f"{output.array.shape}: reduce it, or pass the gradient")
            g = np.ones(output.array.shape, output.array.dtype)
        elif unbox(g).shape != output.array.shape:
            raise RuntimeError(f"the gradient has shape {unbox(g).shape}, but the output has {output.array.shape}")
        elif not isinstance(g, Value) or g.node is None:
            g = unbox(g).astype(output.array.dtype)  # a copy: the caller's array stays the caller's
        seeds[output.node] = g if output.node not in seeds else seeds[output.node] + g
    return seeds


def backpropagate(seeds: dict[Node, Any], create_graph: bool = False, retain_graph: bool = False,
                  wanted: Iterable[Node] | None = None) -> dict[Node, Any]:
    """Gradients of the seeded nodes' values with respect to the leaves (or the `wanted` nodes).

    With create_graph the rules run on Tensors and are recorded; otherwise on arrays. Unless
    retain_graph, each node drops its arrays as soon as it has been read.
    """
    tape, leaves = tape_of(seeds)
    refuse_changed(tape)
    live = inner = set(wanted or ())
    if wanted is not None:  # only what lies between the outputs and the wanted inputs
        live = set(inner)
        for between in tape:
            if not live.isdisjoint(between.inputs):
                live.add(between)
    grads = dict(seeds)
    node: Any = None
    give = _give

    def checked(grads: dict, source: Node, d: Any) -> None:
        refuse_nan("backward", node, unbox(d))
        _give(grads, source, d)

    if mode.anomaly:
        give = checked
    with Switch("recording", create_graph), saying_where(lambda: node):
        for node in reversed(tape):
            g = grads.pop(node, None)
            if g is not None:
                if node.hooks:
                    g = _run_hooks(node, g)
                if node in inner:
                    grads[node] = g
                inputs, args, out, rules = node.inputs, node.args, node.array, node.op.rules
                if live:
                    inputs = [n if n in live else None for n in inputs]
                if create_graph:
                    args, out = _reboxed(node)
                if len(args) == 2 == len(rules):  # spelt out: half the time of the loop below
                    p, q = inputs
                    x, y = args
                    if p is not None:
                        give(grads, p, rules[0](g, out, x, y))
                    if q is not None:
                        give(grads, q, rules[1](g, out, x, y))
                elif rules:
                    for source, rule in zip(inputs, rules):
                        if source is not None:
                            give(grads, source, rule(g, out, *args))
                else:
                    for source, d in zip(inputs, node.op.joint(g, out, *args)):
                        if source is not None and d is not None:
                            give(grads, source, d)
            if not retain_graph:
                node.args = node.inputs = node.array = None
        for node in leaves:
            if node.hooks and node in grads:
                grads[node] = _run_hooks(node, grads[node])
    return grads


def _give(grads: dict, source: Node, d: Any) -> None:
    """Add d to the gradient of `source`, summed to its shape and cast to its dtype."""
    like = source.array
    if d.shape != like.shape or d.dtype is not like.dtype:
        d = cast(sum_to(d, like.shape), like.dtype)
    grads[source] = grads[source] + d if source in grads else d


def _reboxed(node: Node) -> tuple[list, Any]:
    """A node's arguments and output as Tensors on the tape, for rules that are recorded."""
    args = [box(a, n) if n is not None else a for a, n in zip(node.args, node.inputs)]
    kept = node.args[len(args):]
    if kept:  # what a by_hand definition kept, as Tensors: run it once more
        kept = node.op.forward(*args)[1:]
    return [*args, *kept], box(node.array, node)


def _run_hooks(node: Node, g: Any) -> Any:
    for hook in list(node.hooks.values()):
        new = hook(g if isinstance(g, Value) else box(g))
        if new is not None:
            g = new if isinstance(g, Value) else unbox(new)
    return g


def accumulate(grads: dict[Node, Any]) -> None:
    """Add gradients into the nodes' `.grad`, each in memory of its own."""
    given: set[int] = set()
    for node, g in grads.items():
        if not isinstance(g, Value):
            g = as_array(g)
            if g.base is not None or id(g) in given:  # rules such as add's hand one array on to many
                g = g.copy()
            given.add(id(g))
            g = box(g)
        with _adding:  # of several threads, one at a time
            if node.grad is not None:
                with Switch("recording", g.node is not None):
                    g = node.grad + g
            node.grad = g


# ---------------------------------------------------------------- what the engine itself computes
def _sum_to(x: ndarray, shape: tuple) -> ndarray:
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    if x.shape[lead:] == shape and len(shape) == 1 and x.dtype.char in "fd" and 0 < x.size <= shape[0] << 12:
        return np.ones(x.size // shape[0], x.dtype) @ x.reshape(-1, shape[0])  # by BLAS: a quarter of the time
    dims = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1))
    return x.sum(dims, keepdims=True).reshape(shape)


def _broadcast_to(x: ndarray, shape: tuple) -> ndarray:
    """x repeated to `shape` without copying, as numpy broadcasts."""
    return np.broadcast_to(x, shape)


def _cast(x: ndarray, dtype: Any) -> ndarray:
    return as_array(x).astype(dtype, copy=False)


sum_to = primitive(_sum_to, lambda g, out, x, shape: broadcast_to(g, x.shape))
broadcast_to = primitive(_broadcast_to, lambda g, out, x, shape: g)  # the engine sums g back down
cast = primitive(_cast, lambda g, out, x, dtype: g)  # and casts it back
