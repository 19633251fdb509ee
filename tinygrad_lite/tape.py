"""The engine: operations record nodes on a tape, and the tape is read backwards for gradients.

A `Value` (`Tensor` adds the operators) is a name for a `Node`; a node is one value on the tape: the
operation that made it, the nodes and arrays it was made from, and its place in the order of
execution. Nodes never change, names may: an in-place operation gives its tensor a new node.
"""

import dis
import functools
import inspect
import itertools
import threading
import weakref
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import numpy as np

from .mode import Switch, mode

ndarray = np.ndarray
_adding = threading.Lock()
_new = object.__new__
_next_place = itertools.count(1).__next__
REFUSALS = (ValueError, TypeError, IndexError, OverflowError)  # how numpy says that it cannot


# ---------------------------------------------------------------- values and nodes
class Value:
    """What the engine knows of a Tensor: its numpy array and its node (None: not tracked)."""

    __slots__ = ("array", "node", "__weakref__")

    def __init__(self, array: ndarray, node: "Node | None" = None) -> None:
        self.array, self.node = array, node


class Node:
    """One value on the tape; a leaf has no operation and keeps the gradient in `grad`."""

    __slots__ = ("op", "inputs", "args", "array", "place", "grad", "hooks", "__weakref__")

    def __init__(self, op: Any, inputs: Any, args: Any, array: ndarray) -> None:
        self.op = op  # the function of the vocabulary that made it
        self.inputs = inputs  # per argument: the node it came from, or None
        self.args = args  # the arrays and parameters the forward was given
        self.array = array
        self.place = _next_place()
        self.grad = self.hooks = None


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
    return _Result(array if type(array) is ndarray else np.asarray(array), node)


def unbox(x: Any) -> Any:
    """The array of a Tensor; anything else as it is."""
    return x.array if isinstance(x, Value) else x


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
    if len(rules) == 2 and all(rules) and isinstance(forward, np.ufunc):
        op = _binary(forward, promote)
    else:
        op = _general(forward, promote)
    return _finish(op, forward, rules, joint)


def by_hand(*rules: Callable | None, joint: Callable | None = None) -> Callable[[Callable], Callable]:
    """Give a function of the vocabulary a rule derived by hand: one node instead of its parts.

    The definition may return (out, *kept): what the rules want kept comes after their arguments.
    """
    def decorate(definition: Callable) -> Callable:
        op = _finish(_general(definition, None, expands=True), definition, rules, joint)
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


def _binary(forward: Any, promote: Callable | None) -> Any:
    """The call path of elementwise operations of two arguments: the hot one, so spelt out."""
    def op(x: Any, y: Any) -> Any:
        p = q = None
        same = False
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
        if type(array) is not ndarray:  # numpy returns scalars for 0-d results
            array = np.asarray(array)
        result = _new(_Result)  # and not by __init__: 0.2 us less, of 3
        result.array = array
        if (p is None and q is None) or not mode.recording:
            result.node = None
            return result
        result.node = node = _new(Node)
        node.op, node.inputs, node.args, node.array = op, (p, q), (x, y), array
        node.place, node.grad, node.hooks = _next_place(), None, None
        if _rewritten:
            _refuse_stale(node)
        return result

    return op


def _general(forward: Callable, promote: Callable | None, expands: bool = False) -> Any:
    """The call path of every other operation: any number of arguments, parameters among them."""
    parameters = () if isinstance(forward, np.ufunc) else tuple(inspect.signature(forward).parameters.values())
    fixed = [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
    arity, needed = len(fixed), len([p for p in fixed if p.default is p.empty])
    defaults = tuple(p.default for p in fixed)
    slots = {p.name: i for i, p in enumerate(fixed)}
    slots |= {alias: slots[name] for alias, name in NUMPY_NAMES.items() if name in slots}

    def bind(args: tuple, kwargs: dict) -> list:
        bound = [*args, *defaults[len(args):]]
        for name, value in kwargs.items():
            if name not in slots:
                raise TypeError(f"{op.__name__}() got an unexpected keyword argument '{name}'")
            if slots[name] < len(args):
                raise TypeError(f"{op.__name__}() got multiple values for argument '{name}'")
            bound[slots[name]] = value
        for p, value in zip(fixed[len(args) : needed], bound[len(args) :]):
            if value is p.empty:
                raise TypeError(f"{op.__name__}() missing the argument '{p.name}'")
        return bound

    def op(*args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) < arity:
            args = bind(args, kwargs)  # type: ignore[assignment]
        for a in args:
            if isinstance(a, Value):
                boxed = not (expands and mode.expanded)
                break
        else:
            boxed = False
        if not boxed:  # arrays give arrays; a by_hand function in expanded() runs as its parts
            out = forward(*args)
            return out[0] if type(out) is tuple else out
        inputs = [a.node if isinstance(a, Value) else None for a in args]
        arrays = [a.array if isinstance(a, Value) else a for a in args]
        try:
            if promote is not None:
                arrays = promote(*arrays)
            array = forward(*arrays)
        except REFUSALS as error:
            raise _failed(op, arrays, error) from None
        kept: Any = ()
        if type(array) is tuple:
            array, *kept = array
        array = np.asarray(array)
        if op.joint is None:  # a tracked tensor where a parameter goes gets no gradient
            inputs = [n if rule else None for n, rule in zip(inputs, op.rules)]
        node = None
        if mode.recording and inputs.count(None) < len(inputs):
            node = Node(op, inputs, (*arrays, *kept), array)
            if _rewritten:
                _refuse_stale(node)
        return _Result(array, node)

    return op


# ---------------------------------------------------------------- in-place changes
_changed: dict[int, list] = {}  # id of the owner of some memory -> [weak reference, place of change]
_rewritten: dict[int, int] = {}  # the same for changes that were themselves recorded
_last_change = 0


def _owner(array: ndarray) -> ndarray:
    while type(array.base) is ndarray:
        array = array.base
    return array


def stamp(array: ndarray, recorded: bool = False) -> None:
    """Note that `array`'s memory was changed in place now."""
    global _last_change
    owner, _last_change = _owner(array), _next_place()
    key = id(owner)
    if key not in _changed:
        def forget(_: Any) -> None:
            _changed.pop(key, None)
            _rewritten.pop(key, None)
        _changed[key] = [weakref.ref(owner, forget), 0]
    _changed[key][1] = _last_change
    if recorded:
        _rewritten[key] = _last_change


def _refuse_stale(made: Node) -> None:
    for node, array in zip(made.inputs, made.args):
        if node is not None and node.op and node.place < _rewritten.get(id(_owner(array)), 0):
            raise RuntimeError(f"{made.op.__name__}: an input of shape {array.shape} shares memory with a tensor "
                               "that was changed in place after the input was made; index or reshape again "
                               "after the change, or change a .clone()")


def rebind(x: Value, op: Callable, *args: Any) -> Any:
    """Give `x` the value of op(x, *args) in its own memory: the way of all in-place operations."""
    tracked = mode.recording and any(isinstance(a, Value) and a.node is not None for a in (x, *args))
    if tracked and x.node is not None and x.node.op is None:
        raise RuntimeError(f"{op.__name__}: a leaf tensor that requires grad is changed in place; "
                           "do it under no_grad(), or on a .clone()")
    if tracked and type(x.array.base) is ndarray:
        raise RuntimeError(f"{op.__name__}: the tensor changed in place is a view (it shares memory with another "
                           "tensor); change the tensor it views, by base[index] = value, or a .clone()")
    new = op(box(x.array.copy(), x.node) if tracked else box(x.array), *args)
    if new.array.shape != x.array.shape:
        raise RuntimeError(f"{op.__name__}: a result of shape {new.array.shape} does not fit in place into "
                           f"shape {x.array.shape}")
    if not np.can_cast(new.array.dtype, x.array.dtype, "same_kind"):
        raise RuntimeError(f"{op.__name__}: result type {new.array.dtype} can't be cast to {x.array.dtype} in place")
    x.array[...] = new.array
    if tracked:
        x.node = cast(new, x.array.dtype).node if new.array.dtype != x.array.dtype else new.node
        stamp(x.array, recorded=True)
        x.node.place = _next_place()
    else:
        stamp(x.array)
    return x


@functools.cache
def _reads(rule: Callable) -> frozenset[int]:
    """Which arguments' values a rule's code reads; -1 is `out`. Shape and dtype alone do not count."""
    code = rule.__code__
    if code.co_flags & inspect.CO_VARARGS:
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


def _refuse_changed(tape: list[Node]) -> None:
    for node in tape:
        rules = [node.op.joint] if node.op.joint else [r for r, n in zip(node.op.rules, node.inputs) if n]
        for i in frozenset().union(*map(_reads, rules)):
            value = node.array if i < 0 else node.args[i] if i < len(node.args) else None
            if type(value) is ndarray and _changed.get(id(_owner(value)), (None, 0))[1] > node.place:
                raise RuntimeError(f"backward of {node.op.__name__}: a value of shape {value.shape} that its gradient "
                                   "needs was changed in place after it was used; use an out-of-place operation, "
                                   "or change a .clone()")


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
    if tape and _last_change > tape[0].place:
        _refuse_changed(tape)
    keep = set(leaves if wanted is None else wanted)
    live: set | None = None
    if wanted is not None:  # only what lies between the outputs and the wanted inputs
        live = set(keep)
        live.update(n for n in tape if not live.isdisjoint(n.inputs) and not live.add(n))
    grads: dict[Node, Any] = dict.fromkeys((*tape, *leaves))
    grads.update(seeds)
    with Switch("recording", create_graph):
        for node in reversed(tape):
            g = grads[node] if node in keep else grads.pop(node)
            if g is not None and (live is None or node in live):
                if node.hooks:
                    g = _run_hooks(node, g)
                    if node in keep:
                        grads[node] = g
                inputs, args, out, rules = node.inputs, node.args, node.array, node.op.rules
                if live is not None:
                    inputs = [n if n in live else None for n in inputs]
                if create_graph:
                    args, out = _reboxed(node)
                if len(args) == 2 == len(rules):  # spelt out: half the time of the loop below
                    x, y = args
                    source = inputs[0]
                    if source is not None:
                        _give(grads, source, rules[0](g, out, x, y))
                    source = inputs[1]
                    if source is not None:
                        _give(grads, source, rules[1](g, out, x, y))
                elif rules:
                    for source, rule in zip(inputs, rules):
                        if source is not None:
                            _give(grads, source, rule(g, out, *args))
                else:
                    for source, d in zip(inputs, node.op.joint(g, out, *args)):
                        if source is not None and d is not None:
                            _give(grads, source, d)
            if not retain_graph:
                node.args = node.inputs = node.array = None
        for node in leaves:
            if node.hooks and grads[node] is not None:
                grads[node] = _run_hooks(node, grads[node])
    return {n: grads.get(n) for n in keep}


def _give(grads: dict, source: Node, d: Any) -> None:
    """Add d to the gradient of `source`, summed to its shape and cast to its dtype."""
    like = source.array
    if d.shape != like.shape or d.dtype is not like.dtype:
        d = cast(sum_to(d, like.shape), like.dtype)
    g = grads[source]
    grads[source] = d if g is None else g + d


def _reboxed(node: Node) -> tuple[list, Any]:
    """A node's arguments and output as Tensors on the tape, for rules that are recorded."""
    args = [box(a, n) if n is not None else a for a, n in zip(node.args, node.inputs)]
    args += node.args[len(args):]
    if BY_HAND.get(node.op.__name__) is node.op:  # what the definition kept, as Tensors: run it once more
        count = len(inspect.signature(node.op.forward).parameters)
        if len(args) > count:
            args[count:] = node.op.forward(*args[:count])[1:]
    return args, box(node.array, node)


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
        if g is None:
            continue
        if not isinstance(g, Value):
            g = np.asarray(g)
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
    dims = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1))
    return x.sum(dims, keepdims=True).reshape(shape)


def _broadcast_to(x: ndarray, shape: tuple) -> ndarray:
    return np.broadcast_to(x, shape)


def _cast(x: ndarray, dtype: Any) -> ndarray:
    return np.asarray(x).astype(dtype, copy=False)


sum_to = primitive(_sum_to, lambda g, out, x, shape: broadcast_to(g, x.shape))
broadcast_to = primitive(_broadcast_to, lambda g, out, x, shape: g)  # the engine sums g back down
cast = primitive(_cast, lambda g, out, x, dtype: g)  # and casts it back
