"""The engine: operations record nodes on a tape, and the tape is read backwards for gradients."""

import functools
import inspect
import itertools
import math
import threading
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import numpy as np

from .changes import next_place, owner, refuse_changed, refuse_stale, rewritten
from .dtypes import in_one_dtype
from .halves import HALF, rounded_once, widened
from .mode import Switch, mode, quiet, quietly, silent
from .reductions import add_up
from .refusals import REFUSALS, failed, refused
from .spellings import in_dtype, refuse_out, respelt, takes_dtype
from .values import RETAIN, Node, Value, as_array, ndarray, unbox
from .watch import where_from

_adding = threading.RLock()
_new = object.__new__


# ---------------------------------------------------------------- operations
_Result: type[Value] = Value


def results_are(cls: type) -> type:
    """Class decorator: operations on Values return this class from now on."""
    global _Result
    _Result = cls
    return cls


def box(array: Any, node: Node | None = None) -> Any:
    """A new Tensor for `array`."""
    result = _new(_Result)  # and not by __init__, which takes twice as long
    result.array, result.node, result.view_of = as_array(array), node, None
    if mode.tracing is not None:
        mode.tracing.made(result.array)
    return result


def _boxed(x: Any) -> Any:
    """A Tensor as it is, an array in a new one."""
    return x if isinstance(x, Value) else box(x)


def primitive(forward: Callable, *rules: Callable | None, joint: Callable | None = None,
              promote: Callable | None = None, name: str | None = None, elementwise: bool = False) -> Callable:
    """An operation: its numpy forward and, per argument, the rule for that argument's gradient.

    A rule maps (g, out, *args) to the gradient of its argument, where g is that of the result, out; broadcasting and
    dtypes the engine undoes. None marks an argument without one. `joint` is a single rule for all arguments: it returns
    a tuple of gradients, None, or functions that compute one where it is wanted. `promote` brings arrays of different
    dtypes to a common one. `name` is the forward's own unless given. `elementwise`: results lie in memory in the order
    of the inputs' dimensions, as they also do with `promote` and of one argument.

    >>> cube = tl.primitive(lambda x: x ** 3, lambda g, out, x: g * 3 * x ** 2, name="cube")
    >>> x = tl.tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    """
    spelt_out = None
    if len(rules) == 2 and isinstance(forward, np.ufunc):
        spelt_out = functools.partial(_binary, forward, promote, rules[0] is not None)
    elif len(rules) == 1 == len(_parameters(forward)) and rules[0] is not None:
        spelt_out = functools.partial(_unary, forward, promote)
    op = _general(forward, rules, joint, promote, spelt_out, elementwise or bool(promote or spelt_out))
    return _finish(op, forward, rules, joint, name)


def by_hand(*rules: Callable | None, joint: Callable | None = None, name: str | None = None,
            keeps_whole_numbers: bool = False) -> Callable[[Callable], Callable]:
    """Decorator: a function made of operations becomes one operation, with a rule derived by hand as of `primitive`.

    The definition, which is run on arrays, may return (out, *kept): what is kept for the rules comes after their
    arguments. Tensors that have a rule are first brought to one dtype, floating-point unless keeps_whole_numbers.

    >>> @tl.by_hand(lambda g, out, x: g * out * (1 - out))
    ... def logistic(x):
    ...     return 1 / (1 + tl.exp(-x))
    >>> x = tl.tensor(0.0, requires_grad=True)
    >>> logistic(x)
    tensor(0.5, grad_fn=<logistic>)
    """
    def decorate(definition: Callable) -> Callable:
        op = _finish(_general(definition, rules, joint, expands=True), definition, rules, joint, name)
        op.keeps_whole_numbers = keeps_whole_numbers
        op.__module__ = definition.__module__
        BY_HAND[op.__name__ if op.__name__ not in BY_HAND else definition.__name__] = op
        return op

    return decorate


BY_HAND: dict[str, Any] = {}  # every by_hand function by name, for the test that checks them all


def _finish(op: Any, forward: Any, rules: tuple, joint: Callable | None, name: str | None) -> Any:
    op.__name__ = op.__qualname__ = name or getattr(forward, "__name__", "op").strip("_<>")
    op.__doc__ = forward.__doc__
    op.forward, op.rules, op.joint = forward, rules, joint
    if not isinstance(forward, np.ufunc):
        op.__wrapped__ = forward
    return op


def _parameters(forward: Any) -> list[inspect.Parameter]:
    """What a forward takes: numpy's ufuncs have no signature to ask."""
    if isinstance(forward, np.ufunc):
        return [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in "xyz"[: forward.nin]]
    return list(inspect.signature(forward).parameters.values())


def _general(forward: Any, rules: tuple, joint: Callable | None, promote: Callable | None = None,
             spelt_out: Callable | None = None, elementwise: bool = False, expands: bool = False) -> Any:
    """The call path: any number of arguments, parameters among them. `spelt_out` makes a faster one that hands on to
    it what is not ordinary."""
    parameters = _parameters(forward)
    fixed = [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
    arity = len(fixed)
    needed = len([p for p in fixed if p.default is p.empty])
    defaults = tuple(p.default for p in fixed)
    slots = {p.name: i for i, p in enumerate(fixed)}
    if len(rules) > len(parameters):
        raise TypeError(f"primitive: {len(rules)} rules are more than the {len(parameters)} arguments of the forward")
    ruled = itertools.repeat(True) if joint else (*rules, *[None] * (arity - len(rules)))
    most = arity if len(fixed) == len(parameters) else math.inf

    def bind(args: tuple, kwargs: dict) -> tuple:
        bound = [*args, *defaults[len(args):]]
        for name, value in kwargs.items():
            if slots[name] < len(args):
                raise TypeError(f"{op.__name__}() got multiple values for argument '{name}'")
            bound[slots[name]] = value
        for p, value in zip(fixed, bound):
            if value is p.empty:
                raise TypeError(f"{op.__name__}() missing the argument '{p.name}'")
        return tuple(bound)

    def general(*args: Any, **kwargs: Any) -> Any:
        count = len(args)
        if kwargs or count < needed:
            if not kwargs.keys() <= slots.keys():
                if takes_dtype(op.__name__, kwargs):
                    return in_dtype(op, *args, **kwargs)
                args, kwargs = respelt(op.__name__, slots, None, args, kwargs)
            args = bind(args, kwargs)
        elif count < arity:
            args += defaults[count:]
        elif count > most:
            raise TypeError(f"{op.__name__}() takes {arity} arguments, but {len(args)} were given")
        if mode.special and mode.tracing is not None:
            args = mode.tracing.lift(args)
        inputs, arrays, boxed, tracked = [], [], False, False
        common, mixed = None, False
        for a, rule in zip(args, ruled):
            node = None
            if isinstance(a, Value):
                boxed = True
                if rule and a.node is not None:  # a tracked tensor where a parameter goes gets no gradient
                    tracked, node = True, a.node
                a = a.array
            elif isinstance(a, np.generic):  # a number: it widens no tensor
                a = a.item()
            if expands and isinstance(a, ndarray):
                if a.dtype is HALF:
                    return rounded_once(op, args, {})
                if rule and not joint:
                    common = common or a.dtype
                    mixed = mixed or a.dtype is not common or a.dtype.kind != "f"
            inputs.append(node)
            arrays.append(a)
        if mixed and boxed:
            alike = in_one_dtype(args, ruled, op.keeps_whole_numbers)
            if any(a is not b for a, b in zip(args, alike)):
                return op(*alike)
        fast = mode.fast
        if not boxed or (not fast and expands and mode.expanded):  # arrays give arrays; by_hand ones run as their parts
            if not fast and mode.tracing is not None:
                out = mode.tracing.whole(op, args)
            else:
                try:
                    out = forward(*args) if silent.get() else mode.quietly(forward, *args)
                except REFUSALS as error:
                    raise refused(op, args, error) from None
            return out[0] if type(out) is tuple else out
        if not fast:
            tracked = tracked and mode.recording
        if rewritten and mode.recording:
            refuse_stale(op.__name__, args)
        try:
            if promote is not None:
                arrays = promote(*arrays)
            if not fast and mode.tracing is not None:
                array = quietly(mode.tracing.whole, op, arrays)
            else:
                array = forward(*arrays) if silent.get() else mode.quietly(forward, *arrays)
        except REFUSALS as error:
            raise failed(op, arrays, error) from None
        if type(array) is tuple:
            array, *kept = array
            arrays += kept
        if not isinstance(array, ndarray):  # numpy returns scalars for 0-d results
            array = np.asarray(array)
        base, source = array.base, arrays[0]
        view = isinstance(args[0], Value) and (
            array is source or base is not None and (base is source or owner(base) is owner(source)))
        if not view and (base is not None or array is arrays[-1]) and any(
                isinstance(a, ndarray) and np.may_share_memory(a, array) for a in arrays):
            array = array.copy()  # only what is a view of the first argument can be made anew
        if not view and not array.flags.c_contiguous and not (
                elementwise and any(_ordered_as(a, array) for a in arrays)):
            array = array.copy()  # PyTorch's results are in order in memory, or as an input is: .view() of them is one
        result = recorded(op, inputs, arrays, array, fast) if tracked else box(array)
        if view:
            result.view_of = args[0], op, args[1:], result.node.place if tracked else next_place()
        return result

    op: Any = general if spelt_out is None else spelt_out(general)
    return op


def _ordered_as(a: Any, array: np.ndarray) -> bool:
    """Whether an argument of the same shape has its dimensions in the same order in memory."""
    if not isinstance(a, ndarray) or a.shape != array.shape:
        return False
    return [*np.argsort(a.strides, kind="stable")] == [*np.argsort(array.strides, kind="stable")]


def _binary(forward: Any, promote: Callable | None, ruled: bool, general: Callable) -> Any:
    """The call path of elementwise operations of two arguments: the hot one."""
    keeps = getattr(promote, "keeps_whole_numbers", True)  # of two arrays of one dtype

    def op(input: Any, other: Any, *, out: Any = None) -> Any:
        if out is not None:
            refuse_out(op.__name__)
        p = q = None
        same = False
        a, b = input, other
        if isinstance(input, Value):
            p, a = input.node, input.array
        if isinstance(other, Value):
            q, b = other.node, other.array
            same = a is not input and a.dtype is b.dtype
        elif a is input:
            try:
                return forward(input, other) if silent.get() else mode.quietly(forward, input, other)
            except REFUSALS as error:
                raise refused(op, (input, other), error) from None
        if not mode.fast:
            if mode.special:
                return general(input, other)
            p = q = None
        elif rewritten and (a is not input and input.view_of is not None or
                            b is not other and other.view_of is not None):
            return general(input, other)  # which looks whether the view is stale
        try:
            if not (same and (keeps or a.dtype.kind == "f")) and promote is not None:
                a, b = promote(a, b)
            array = forward(a, b) if silent.get() else mode.quietly(forward, a, b)
        except REFUSALS as error:
            raise failed(op, (a, b), error) from None
        if not isinstance(array, ndarray):  # numpy returns scalars for 0-d results
            array = np.asarray(array)
        result = _new(_Result)  # and not by __init__: 0.2 us less, of 1
        result.array, result.view_of = array, None
        if not ruled or (p is None and q is None):
            result.node = None
            return result
        result.node = node = _new(Node)  # as in recorded, without the call
        node.op, node.inputs, node.args, node.array = op, (p, q), (a, b), array
        node.place, node.grad, node.hooks = next_place(), None, None
        return result

    return op


def _unary(forward: Callable, promote: Callable | None, general: Callable) -> Any:
    """The call path of operations of one argument."""
    def op(x: Any = None, *, input: Any = None, out: Any = None) -> Any:
        if out is not None:
            refuse_out(op.__name__)
        if x is None:
            x = input
        if not isinstance(x, Value):
            if mode.special:
                return general(x)
            try:
                return forward(x) if silent.get() else mode.quietly(forward, x)
            except REFUSALS as error:
                raise refused(op, (x,), error) from None
        node, a = x.node, x.array
        if not mode.fast:
            if mode.special:
                return general(x)
            node = None
        elif rewritten and x.view_of is not None:
            return general(x)
        try:
            if promote is not None and a.dtype.kind != "f":
                (a,) = promote(a)
            array = forward(a) if silent.get() else mode.quietly(forward, a)
        except REFUSALS as error:
            raise failed(op, (a,), error) from None
        return box(array) if node is None else recorded(op, (node,), (a,), array, True)

    return op


def recorded(op: Any, inputs: Any, args: Any, array: Any, fast: bool = False) -> Any:
    """A Tensor of an operation's result, with the node that says how it was made. fast: `mode.fast` is known."""
    if not isinstance(array, ndarray):
        array = np.asarray(array)
    result = _new(_Result)
    result.array, result.view_of = array, None
    result.node = node = _new(Node)
    node.op, node.inputs, node.args, node.array = op, inputs, args, array
    node.place, node.grad, node.hooks = next_place(), None, None
    if not fast:
        if mode.tracing is not None:
            mode.tracing.made(array)
        for watch in mode.watching:
            watch(node)
    return result


# ---------------------------------------------------------------- the tape and the backward pass
FREED = ("backward through a tape a second time, after its values were freed: call "
         ".backward(retain_graph=True) the first time, or run the forward pass again")


def tape_of(roots: Iterable[Node], since: int = 0) -> tuple[list[Node], list[Node]]:
    """The recorded nodes that lead to `roots`, in the order of execution, and the leaves.

    since: a place on the tape; what was recorded before counts as a leaf.
    """
    found = set(roots)
    nodes, tape, leaves = list(roots), [], []
    for node in nodes:  # grows as it is read
        if node.op is None or node.place < since:
            leaves.append(node)
            continue
        if node.inputs is None:
            raise RuntimeError(FREED)
        tape.append(node)
        for source in node.inputs:
            if source is not None and source not in found:
                found.add(source)
                nodes.append(source)
    tape.sort(key=attrgetter("place"))
    return tape, leaves


def seeds_for(outputs: Iterable[Any], gradients: Iterable[Any]) -> dict[Node, Any]:
    """What the backward pass starts from: each output's node with the gradient given for it."""
    seeds: dict[Node, Any] = {}
    for output, g in zip(outputs, gradients, strict=True):
        if rewritten:
            refuse_stale("backward", (output,))
        if output.node is None:
            raise RuntimeError("backward of a tensor that does not require grad and has no grad_fn: no input of its "
                               "computation has requires_grad=True, or it was computed under no_grad(), or by an "
                               "operation without a rule")
        if g is None:
            if output.array.size != 1:
                raise RuntimeError(f"grad can be implicitly created only for scalar outputs, and this has shape "
                                   f"{output.array.shape}: reduce it, or pass the gradient")
            g = np.ones(output.array.shape, output.array.dtype)
        elif unbox(g).shape != output.array.shape:
            raise RuntimeError(f"the gradient has shape {unbox(g).shape}, but the output has {output.array.shape}")
        else:  # a copy: the caller's array stays the caller's
            node = g.node if isinstance(g, Value) else None
            g = quietly(unbox(g).astype, output.array.dtype)
            g = g if node is None else box(g, node)
        seeds[output.node] = g if output.node not in seeds else seeds[output.node] + g
    return seeds


@quiet
def backpropagate(seeds: dict[Node, Any], create_graph: bool | None = False, retain_graph: bool | None = None,
                  wanted: Iterable[Node] | None = None, observe: Callable | None = None) -> dict[Node, Any]:
    """Gradients of the seeded nodes' values with respect to the leaves (or the `wanted` nodes).

    With create_graph the rules run on Tensors and are recorded; otherwise on arrays. None: they are where anybody
    else could ask for derivatives of the gradients. Unless retain_graph (as create_graph unless given), each node drops
    its arrays as soon as it has been read. observe: see watch.observing.
    """
    inner = set(wanted or ())
    tape, leaves = tape_of(seeds, min((node.place for node in inner), default=0))
    if create_graph is None:
        create_graph = any(leaf.live and leaf not in inner for leaf in leaves) or \
            any(isinstance(g, Value) and g.node is not None for g in seeds.values())
    retain_graph = create_graph if retain_graph is None else retain_graph
    live = _leading_to(inner, tape)

    def sources(node: Node) -> Any:
        return [n if n in live else None for n in node.inputs] if live else node.inputs

    refuse_changed(tape, sources, functools.partial(pull, anew=create_graph))
    observers = [see for see in (observe, *(begin(seeds) for begin in mode.observing)) if see is not None]
    # on a tape all are Tensors: numpy's 0-d results are numbers, and numbers decide no dtype
    as_it_goes = _boxed if create_graph else unbox
    grads = {node: as_it_goes(g) for node, g in seeds.items()}
    retained: dict[Node, Any] = {}
    node: Any = None
    recording = mode.set("recording", create_graph)
    try:
        for node in reversed(tape):
            g = grads.pop(node, None)
            if g is not None:
                if node.hooks:
                    g = _run_hooks(node, g)
                    if RETAIN in node.hooks and node not in inner:
                        retained[node] = _own(g)
                if node in inner:
                    grads[node] = g
                inputs, args, out, rules = node.inputs, node.args, node.array, node.op.rules
                if live:
                    inputs = sources(node)
                    if not any(inputs):  # wanted itself, and nothing below it
                        continue
                if create_graph:
                    args, out = reboxed(node)
                given = g
                if g.dtype is HALF:  # what a rule computes is rounded once, as it is given
                    g, out, *args = map(widened, (g, out, *args))
                if observers:
                    sent = [d if d is None else _give(grads, source, d)
                            for source, d in zip(inputs, pull(node.op, inputs, g, out, args))]
                    for see in observers:
                        see(node, given, sent)
                elif len(args) == 2 == len(rules):  # spelt out: half the time of what follows
                    p, q = inputs
                    x, y = args
                    if p is not None:
                        _give(grads, p, rules[0](g, out, x, y))
                    if q is not None:
                        _give(grads, q, rules[1](g, out, x, y))
                    x = y = None  # freed with the node, and not when the next one of two arguments is read
                elif rules:
                    for source, rule in zip(inputs, rules):
                        if source is not None:
                            _give(grads, source, rule(g, out, *args))
                else:
                    for source, d in zip(inputs, _jointly(node.op, inputs, g, out, args)):
                        if d is not None:
                            _give(grads, source, d)
            if g is not None and not retain_graph:
                node.args = node.inputs = node.array = None
                if node.hooks:  # they have run; a hook may hold its tensor, and that the node
                    node.hooks = {RETAIN: True} if RETAIN in node.hooks else None
        for node in leaves:
            if node in grads:
                if node.hooks:
                    grads[node] = _run_hooks(node, grads[node])
                for see in observers:
                    see(node, grads[node], ())
    except Exception as error:
        if node is not None and node.op is not None:
            error.add_note(f"in the backward of {node.op.__name__}{where_from(node)}")
        raise
    finally:
        mode.set("recording", recording)
    if retained:
        accumulate(retained)
    return {node: grads[node] for node in inner if node in grads} if inner else grads


def _leading_to(wanted: set[Node], tape: list[Node]) -> set[Node]:
    """The wanted nodes, and those of the tape that gradients pass on their way to them."""
    live = set(wanted)
    for node in tape if wanted else ():
        if not live.isdisjoint(node.inputs):
            live.add(node)
    return live


def pull(op: Any, inputs: Any, g: Any, out: Any, args: list, anew: bool = False) -> list:
    """What the rules of an operation send back to each of its inputs; None where nothing goes. anew: what a by_hand
    definition kept is computed once more first."""
    if anew and len(args) > len(inputs):
        args = [*args[: len(inputs)], *op.forward(*args[: len(inputs)])[1:]]
    if op.joint is not None:
        return list(_jointly(op, inputs, g, out, args))
    return [None if source is None else rule(g, out, *args) for source, rule in zip(inputs, op.rules)]


def _jointly(op: Any, inputs: Any, g: Any, out: Any, args: Iterable) -> Iterable:
    """What a joint rule sends back to each input; what it gives as a function is computed only where it is wanted."""
    found = tuple(op.joint(g, out, *args))
    if len(found) != len(inputs):
        raise RuntimeError(f"{op.__name__}: the joint rule gave {len(found)} gradients for {len(inputs)} arguments")
    for source, d in zip(inputs, found):
        if source is None:
            yield None
        else:
            yield d() if callable(d) else d


def _give(grads: dict, source: Node, d: Any) -> Any:
    """Add d to the gradient of `source`, summed to its shape and cast to its dtype."""
    like = source.array
    if d.shape != like.shape:
        d = sum_to(d, like.shape) if isinstance(d, Value) else _sum_to(d, like.shape)
    if d.dtype is not like.dtype:
        d = cast(d, like.dtype)
    grads[source] = grads[source] + d if source in grads else d
    return d


def reboxed(node: Node) -> tuple[list, Any]:
    """A node's arguments and output as Tensors on the tape, for rules that are recorded."""
    args = [box(a, n) if n is not None else a for a, n in zip(node.args, node.inputs)]
    kept = node.args[len(args):]
    if kept:  # what a by_hand definition kept, as Tensors: run it once more
        kept = node.op.forward(*args)[1:]
    return [*args, *kept], box(node.array, node)


def _run_hooks(node: Node, g: Any) -> Any:
    """The gradient of a node as its hooks leave it."""
    like = node.array
    for hook in [hook for key, hook in node.hooks.items() if key != RETAIN]:
        new = hook(g if isinstance(g, Value) else box(g))
        if new is None:
            continue
        if not isinstance(new, (Value, ndarray)):
            raise TypeError(f"a hook gives a gradient (a Tensor) or None, not {type(new).__name__}")
        g = _own(new, unbox(g)) if mode.recording else unbox(_own(new, unbox(g)))
        if unbox(g).shape != like.shape or unbox(g).dtype != like.dtype:
            raise RuntimeError(f"a hook changed the gradient from shape {like.shape} {like.dtype} to "
                               f"{unbox(g).shape} {unbox(g).dtype}: what it returns has the tensor's shape and dtype")
    return _own(g)  # a hook may have kept what it was given


def _own(g: Any, unless: Any = None) -> Any:
    """A gradient in memory of its own; as it is where its array is `unless`."""
    array = unbox(g)
    if array is unless:
        return g
    array = array.copy() if isinstance(array, ndarray) else np.array(array)
    return box(array, g.node) if isinstance(g, Value) else array


def apart(g: Any, given: set[int]) -> Any:
    """A gradient in memory of its own: rules such as add's hand one array on to many. given: the arrays (by id) that
    others have, to which it is added."""
    array = unbox(g)
    if not isinstance(array, ndarray) or array.base is not None or id(array) in given:
        g = _own(g)
    given.add(id(array))
    return g


def accumulate(grads: dict[Node, Any]) -> None:
    """Add gradients into the nodes' `.grad`, each in memory of its own."""
    given: set[int] = set()
    with _adding:  # of several threads, one at a time
        for node, g in grads.items():
            g = apart(g, given)
            g = g if isinstance(g, Value) else box(g)
            if node.grad is not None:
                with Switch("recording", g.node is not None):
                    g = node.grad + g
            node.grad = g


# ---------------------------------------------------------------- what the engine itself computes
def _sum_to(x: ndarray, shape: tuple) -> ndarray:
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    if len(shape) == 1 and x.shape[lead:] == shape and x.size:
        return add_up(x if lead == 1 else x.reshape(-1, shape[0]), 0)
    dims = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1))
    return add_up(x, dims, True).reshape(shape)


def _broadcast_to(x: ndarray, shape: tuple) -> ndarray:
    """x repeated to `shape` without copying: a view, in which sizes of 1, and those missing in front, are stretched.

    RuntimeError where x does not fit the shape.

    >>> x = tl.tensor([1.0, 2.0])
    >>> tl.broadcast_to(x, (3, 2))
    tensor([[1., 2.],
            [1., 2.],
            [1., 2.]])
    """
    return np.broadcast_to(x, shape) if x.shape != shape else x[...]


def _cast(x: ndarray, dtype: Any) -> ndarray:
    return as_array(x).astype(dtype, copy=False)


sum_to = primitive(_sum_to, lambda g, out, x, shape: broadcast_to(g, x.shape), name="sum_to_size")
broadcast_to = primitive(_broadcast_to, lambda g, out, x, shape: g)  # the engine sums g back down
cast = primitive(_cast, lambda g, out, x, dtype: g, name="to", elementwise=True)  # and casts it back
