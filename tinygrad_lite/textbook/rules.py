"""The rules of one operation as mathematics: run on symbols of its own shapes, and printed as tl.derive prints."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..compiler.passes import dead_code
from ..compiler.program import Program, Var
from ..compiler.stand_ins import Traced, plain
from ..compiler.trace import Trace
from ..compiler.words import ATOM, Verbatim, literal, pattern
from ..engine.mode import Switch
from ..engine.tape import backpropagate
from ..engine.trees import leaves, mapped
from ..engine.values import Node, leaf
from ..nn import functional as F
from ..nn.functional.convolution import columns, images
from ..ops import place, sigmoid, softmax
from ..ops.index import _written
from .idioms import masked_scores, one_hots, sigmoids, softmaxes
from .printer import Printer
from .reading import readable
from .sizes import Merged

SAID = {place, _written, sigmoid, softmax, columns, images}  # what no single call of numpy's computes

LONGEST = 500  # calls


class _Spoken(Trace):
    """A trace in which these operations are calls of the public vocabulary."""

    def record(self, op: str, args: tuple, kwargs: dict, real: Any) -> Var:
        """Put a call into the program, until it is too long for anybody to read."""
        if len(self.body) >= LONGEST:
            self.give_up("it is too long to read")
        return super().record(op, args, kwargs, real)

    def whole(self, function: Callable, args: tuple) -> Any:
        """An operation that is said by its name; others as what they do."""
        if function not in SAID or self.reason or not any(isinstance(a, Traced) for a in leaves(args)):
            return super().whole(function, args)
        if function is images:
            windows, shape, *settings = args
            kernel, stride, dilation = map(_one_for_both, settings)
            return self.said(F.fold, windows, shape[2:], kernel, dilation, 0, stride)
        if function is columns:
            x, *settings = args
            kernel, stride, dilation = map(_one_for_both, settings)
            return self.said(F.unfold, x, kernel, dilation, 0, stride)
        return self.said(function, *args)

    def said(self, function: Any, *args: Any) -> Any:
        """The call of a public function."""
        with Switch("tracing", None):
            real = function(*mapped(plain, args))
        return self.note(function.__name__, _without_defaults(function, args), {}, real)


def _one_for_both(pair: tuple) -> Any:
    return pair[0] if pair[0] == pair[1] else pair


def _without_defaults(function: Any, args: tuple) -> tuple:
    """The arguments without those at the end that would be the same if left out."""
    defaults = [p.default for p in inspect.signature(function).parameters.values()]
    while args[-1] is defaults[len(args) - 1]:
        args = args[:-1]
    return args


@np.errstate(all="ignore")
def rule_lines(node: Node, gradient: np.ndarray, name: str, names: dict[int, str]) -> dict[int, list[str]]:
    """For each argument that gets a gradient the lines that compute it, such as `v3.grad += v5.grad * v4`.

    name: of the node's value, whose gradient is given; names: of its arguments, by the id of the array.
    """
    trace = _Spoken(spelt_out=True)
    count = len(node.inputs)
    sent: dict[int, Any] = {}

    def symbol(x: Any) -> Any:
        return trace.input(None, x, names[id(x)]) if id(x) in names else x

    def observe(of: Node, g: Any, gradients: Any) -> None:
        if of is copy:
            sent.update({i: trace.variable(d) for i, d in enumerate(gradients) if d is not None})

    with Switch("tracing", trace):
        out = trace.input(None, node.array, name)
        args = mapped(symbol, tuple(node.args[:count]))
        kept = node.op.forward(*args)[1:] if len(node.args) > count else ()
        sources = [None if source is None else leaf(a) for source, a in zip(node.inputs, args)]
        copy = Node(node.op, sources, (*args, *kept), out)
        g = trace.input(None, gradient, f"{name}.grad")
        backpropagate({copy: g}, retain_graph=True, observe=observe)
    if trace.reason:
        raise RuntimeError(f"the rule of {node.op.__name__} is no text: {trace.reason}")
    body = [v for v in trace.body if v.op != "check"]
    for v in body:
        v.section = "backward"  # nothing is kept for the errors that it may raise
    lines = {trace.variable(x).name for x in kept}
    program = Program(trace.inputs, body, list(sent.values()), [], [])
    program = readable(program, masked_scores, sigmoids, softmaxes, one_hots)
    found = {}
    for i, result in zip(sent, program.results):
        own = dead_code(replace(program, results=[_without_ends(result)]))
        found[i] = _Rule(own, lines, g.how).lines(f"{names[id(node.args[i])]}.grad")
    return found


def _without_ends(v: Var) -> Var:
    """What += broadcasts and casts by itself."""
    while v.op in ("np.broadcast_to", ".astype"):
        v = v.args[0]
    return v


class _Rule(Printer):
    """The text of one rule."""

    def __init__(self, program: Program, lines: set[str], gradient: Var) -> None:
        super().__init__(Merged([program], [{}]), {})
        self.gradient = gradient
        self.inline = {v for v in self.program.body if self._once(v) and v.op not in ("put", "written")
                       and not (v.name and v.name in lines)}
        for v in self.program.inputs:
            self.names[v] = v.name

    def lines(self, name: str) -> list[str]:
        """The statements; the last adds to what has this name."""
        (result,) = self.program.results
        stated = result not in self.program.body or result.op in ("put", "written")
        before = [v for v in self.program.body if v not in self.inline and (stated or v is not result)]
        body = [line.partition("  # ")[0].rstrip() for v in before for line in self.statement(v)]
        return [*body, f"{name} += {self.of(result) if stated else self.operation(result)[0]}"]

    # ---- words
    def of(self, x: Any, tighter: int = 0) -> str:
        if isinstance(x, float) and x.is_integer() and abs(x) < 1e6:
            x = int(x)
        elif isinstance(x, float) and self.gradient.dtype.itemsize < 8:
            x = Verbatim(literal(float(str(self.gradient.dtype.type(x)))))
        return super().of(x, tighter)

    def constant(self, x: Var) -> str:
        if x.shape == ():
            return self.of(x.value.item())
        text = pattern(x.value)
        if not text:
            raise ValueError(f"there is no short text for a constant of shape {x.shape}")
        return text

    def factors(self, v: Var) -> list[tuple[str, Any]]:
        """The gradient comes first."""
        return sorted(super().factors(v), key=lambda f: f != ("*", self.gradient))

    def operation(self, v: Var) -> tuple[str, int]:
        if v.op == "np.einsum":
            v = replace(v, kwargs={})
        if v.op in ("place", "index_put"):
            x, index, *rest = v.args
            where = self.of(index) if isinstance(index, (Var, int)) else f"np.s_[{self.index(index)}]"
            return f"{v.op}({', '.join([self.of(x), where, *map(self.of, rest)])})", ATOM
        return super().operation(v)
