"""Forward mode: products of Jacobians with vectors from the right, along the tape in the order of execution."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..engine.changes import refuse_changed
from ..engine.halves import widened
from ..engine.mode import Switch
from ..engine.tape import apart, backpropagate, box, pull, reboxed, sum_to, tape_of
from ..engine.trees import leaves, mapped, refilled
from ..engine.values import Node, Value, leaf
from ..ops import PRIMITIVES, broadcast_to, elementwise, transcendental
from .arguments import Argument, Call, need_function, vectors_like

POINTWISE = {op for op in PRIMITIVES if op.__module__ in (elementwise.__name__, transcendental.__name__)}


class Linear:
    """A call whose tape is kept, to push tangents along it from the arguments to the outputs, as often as one likes."""

    def __init__(self, call: Call, outputs: list) -> None:
        self.call, self.outputs = call, outputs
        ends = [x.node for x in outputs if x.node is not None]
        self.tape = tape_of(ends, min((node.place for node in call.nodes), default=0))[0]
        self.watched = call.watched(ends)

    def pushed(self, vectors: list) -> list:
        """The product of the Jacobian with vectors, one for each argument: a Tensor for each output."""
        recorded = self.watched or any(v is not None and v.node is not None for v in vectors)
        tangents = {x.node: v for x, v in zip(self.call.inputs, vectors) if x is not None}
        refuse_changed(self.tape, lambda node: node.inputs, partial(pull, anew=recorded))
        with Switch("recording", recorded):
            for node in self.tape:
                if node not in tangents and any(source in tangents for source in node.inputs):
                    tangents[node] = _tangent(node, [tangents.get(source) for source in node.inputs], recorded)
        found, given = [], {id(v.array) for v in vectors if v is not None}
        for x in self.outputs:
            t = tangents.get(x.node)
            t = box(np.zeros_like(x.array)) if t is None else self.call.released(t)
            found.append(t if t.node is not None else box(apart(t.array, given)))
        return found


def _tangent(node: Node, given: list, recorded: bool) -> Value:
    """The derivative of a node's value along tangents of its inputs, of which some are None."""
    op, like = node.op, node.array
    if recorded:
        args, out = reboxed(node)
    else:
        args = [box(a, leaf(a)) if source is not None else a for a, source in zip(node.args, node.inputs)]
        out = box(like)
        if len(node.args) > len(args):  # what a by_hand definition kept, as Tensors
            args += op.forward(*args)[1:]
    if hasattr(op, "jvp"):
        return op.jvp(given, out, args)
    out, *args = map(widened, (out, *args))
    if op in POINTWISE:  # each element of the result depends on one of each input: the Jacobian is its own transpose
        parts = []
        for i, t in enumerate(given):
            if t is not None:
                only = [source if k == i else None for k, source in enumerate(node.inputs)]
                parts.append(pull(op, only, broadcast_to(widened(t), like.shape), out, args)[i])
        total = sum(parts[1:], parts[0])
    else:
        total = _transposed(op, [source if t is not None else None for source, t in zip(node.inputs, given)],
                            [widened(t) for t in given], out, args, recorded)
    return total if total.array.dtype == like.dtype else total.to(like.dtype)


def _transposed(op: Any, inputs: list, given: list, out: Value, args: list, recorded: bool) -> Any:
    """A gradient rule is linear in its g: its own derivative by g, along tangents of what it gives, is theirs."""
    g = box(np.zeros_like(out.array), Argument(out.array))
    with Switch("recording", True):
        seeds: dict[Node, Any] = {}
        for sent, t in zip(pull(op, inputs, g, out, args), given):
            if sent is not None and isinstance(sent, Value) and sent.node is not None:
                sent = sum_to(sent, t.array.shape)
                t = t if t.array.dtype == sent.array.dtype else t.to(sent.array.dtype)
                seeds[sent.node] = seeds[sent.node] + t if sent.node in seeds else t
        found = backpropagate(seeds, recorded, True, [g.node])
    total = found.get(g.node)
    if total is None:
        return box(np.zeros_like(out.array))
    return total if isinstance(total, Value) else box(total)


def _started(name: str, func: Callable, primals: Any, has_aux: bool) -> tuple:
    """The call, what the function gave and what else, and the tape to push tangents along."""
    need_function(name, func)
    if not isinstance(primals, tuple) or not primals:
        raise TypeError(f"{name}: the primals are a tuple of the arguments, also of one: (x,), not a "
                        f"{type(primals).__name__}")
    call = Call(name, primals, keeps=True)
    out, aux = call.of(func, call.fresh, {}, has_aux)
    return call, out, aux, Linear(call, leaves(out, records=True))


def _filled(out: Any, call: Call, tensors: list) -> Any:
    """Tensors in the form of a result."""
    return refilled(out, map(call.outside, tensors))


def jvp(func: Callable, primals: tuple, tangents: tuple, *, strict: bool = False, has_aux: bool = False) -> tuple:
    """func(*primals), and its derivative along tangents, of the form of the primals: J @ tangents, exactly.

    primals and tangents are tuples, also of one argument. With has_aux `func` gives (value, aux), and jvp (value,
    tangent, aux). strict: a result that does not depend on the primals is a RuntimeError and not a derivative of zeros.

    >>> x, v = tl.tensor([1.0, 2.0]), tl.tensor([1.0, 10.0])
    >>> tl.func.jvp(lambda x: x**2, (x,), (v,))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    call, out, aux, linear = _started("jvp", func, primals, has_aux)
    if strict and any(x.node is None for x in linear.outputs):
        raise RuntimeError("jvp: with strict=True, a result does not depend on the primals")
    vectors = vectors_like("jvp", "the primals", call.fresh, tangents)
    found = _filled(out, call, linear.pushed(vectors)), mapped(call.outside, aux, records=True)
    return (mapped(call.outside, out, records=True), *found[: 1 + has_aux])


def linearize(func: Callable, *primals: Any) -> tuple:
    """func(*primals), and the function that takes tangents, one a primal, to J @ tangents; func itself runs once.

    >>> value, pushforward = tl.func.linearize(lambda x, y: x * y, 2.0, 3.0)
    >>> value, pushforward(1.0, 0.0), pushforward(0.0, 1.0)
    (6.0, 3.0, 2.0)
    """
    call, out, _, linear = _started("linearize", func, primals, False)

    def pushforward(*tangents: Any) -> Any:
        vectors = vectors_like("linearize", "the primals", call.fresh, tangents)
        return _filled(out, call, linear.pushed(vectors))

    return mapped(call.outside, out, records=True), pushforward
