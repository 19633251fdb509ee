"""The tape as a sequence of steps, and as a table: the Wengert list, forward and backward."""

import difflib
import functools
import inspect
import keyword
import math
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engine.changes import refuse_stale
from ..engine.refusals import nearest, need, need_bool, told, whole
from ..engine.tape import BY_HAND, backpropagate, cast, pull, seeds_for, sum_to, tape_of
from ..engine.trees import leaves, mapped
from ..engine.values import Node, Value, as_array, unbox
from ..engine.watch import where_from
from ..nn import Module, Parameter
from ..nn import functional as F
from ..ops import PRIMITIVES, VOCABULARY
from ..textbook.rules import rule_lines
from .memory import Peak, kept_by, traced
from .table import LIMIT, Half, as_html, as_text, backward_half, drawable, forward_half, shape_of


@dataclass(frozen=True, repr=False)
class Step:
    """One row of a `Tape`: a leaf, a constant, or an operation with the steps that it was given.

    >>> x = tl.tensor([1.0, 2.0], requires_grad=True)
    >>> step = tl.tape((x * x).sum())[1]
    >>> step, step.inputs, step.value.tolist()
    (<Step v1 = mul(v0, v0): 2>, (0, 0), [1.0, 4.0])
    >>> step.rules[0]
    ['v0.grad += v1.grad * v0']
    """

    index: int
    op: str  # the operation's name; "parameter", "leaf" or "constant" for what no operation made
    inputs: tuple[int | None, ...]  # per argument: the step it is, or None for a parameter
    args: tuple  # the arguments as arrays and parameters
    value: np.ndarray
    name: str = ""  # of a leaf, where one was given
    line: str = ""  # the source line, where study() was on
    module: str = ""
    calls: tuple[tuple, ...] = ()  # of modules it was recorded in, outermost first: name, identity, number, class
    node: Any = field(default=None, compare=False)
    sources: dict[int, "Step"] = field(default_factory=dict, compare=False)  # by the id of an array: the step it is
    memory: int = 0  # the bytes that it keeps and no earlier step does: its value, and what its rule reads besides

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the value."""
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the value."""
        return self.value.dtype

    @property
    def reads(self) -> list[int]:
        """The steps that it was given, also those inside an index or a list."""
        return list(dict.fromkeys(source.index for source in self.sources.values()))

    @property
    def is_operation(self) -> bool:
        """Whether an operation made it."""
        return self.op not in ("parameter", "leaf", "constant")

    @property
    def is_number(self) -> bool:
        """Whether it is a single number that is the same each time."""
        return self.op == "constant" and not self.value.ndim

    @property
    def label(self) -> str:
        """What other steps call it: a parameter as one writes it, such as fc1.weight or blocks[0].weight, a constant
        number by its value, all else by v and the index."""
        if self.is_number:
            return str(self.value)
        parts = self.name.split(".")
        if self.op != "parameter" or re.fullmatch(r"v\d+", self.name) or not all(map(_is_written, parts)):
            return f"v{self.index}"
        return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", f"model.{self.name}" if parts[0].isdigit() else self.name)

    @property
    def parameters(self) -> dict[str, Any]:
        """The arguments that are no steps, by name."""
        if not self.is_operation:
            return {}
        return {p.name: a for p, a, i in zip(_parameters(self.node.op, len(self.args)), self.args, self.inputs)
                if i is None}

    @property
    def flops(self) -> int:
        """Roughly how many operations on numbers its forward takes."""
        if not self.is_operation or self.op in VIEWS:
            return 0
        sizes = [a.size for a in (self.value, *self.args) if isinstance(a, np.ndarray)]
        return FLOPS[self.op](self.value, *self.args) if self.op in FLOPS else max(sizes)

    @functools.cached_property
    def rules(self) -> dict[int, list[str]]:
        """By argument the lines that compute what the step sends back to it: `v3.grad += v5.grad * v4` comes last.

        Lines before it compute what the operation kept, or what is used twice. They are numpy and the vocabulary.
        """
        if not self.is_operation:
            return {}
        names = {key: source.label for key, source in self.sources.items() if not source.is_number}
        try:
            return rule_lines(self.node, np.ones_like(self.value), self.label, names)
        except Exception:  # a rule of the user's may do anything
            return {i: [f"{self.sources[id(self.args[i])].label}.grad += {self.op}.backward({self.label}.grad)[{i}]"]
                    for i, source in enumerate(self.node.inputs) if source is not None}

    def __str__(self) -> str:
        made = f"{self.op}({', '.join(self._said())})" if self.is_operation else self.op
        return f"v{self.index} = {made}{' ' + self.name if self.name else ''}"

    def __repr__(self) -> str:
        return f"<Step {drawable(str(self))}: {shape_of(self)}>"

    def _said(self) -> list[str]:
        """The arguments; without those that are as they are unless given."""
        steps, named = [], []
        for p, a, i in zip(_parameters(self.node.op, len(self.args)), self.args, self.inputs):
            if i is not None:
                steps.append(self.sources[id(a)].label)
            elif p.kind is p.POSITIONAL_ONLY or p.name == "index":
                steps.append(self._written(a))
            elif a is not None and (isinstance(a, np.ndarray) or repr(a) != repr(p.default)):
                named.append(f"{p.name}={self._written(a)}")
        return steps + named

    def _written(self, a: Any) -> str:
        """An argument as text, the arrays in it by their labels."""
        if isinstance(a, np.ndarray):
            return self.sources[id(a)].label if id(a) in self.sources else str(a)
        if isinstance(a, (tuple, list)):
            parts = ", ".join(map(self._written, a))
            return f"[{parts}]" if isinstance(a, list) else f"({parts}{',' * (len(a) == 1)})"
        if isinstance(a, slice):
            start, stop, by = ("" if x is None else str(x) for x in (a.start, a.stop, a.step))
            return f"{start}:{stop}" + f":{by}" * bool(by)
        text = "..." if a is Ellipsis else repr(a) if isinstance(a, str) else str(a)
        return text if len(text) <= 24 else text[:21] + "..."


IS_PLACE = re.compile(r"0|[1-9][0-9]*").fullmatch
VIEWS = frozenset({"reshape", "permute", "broadcast_to", "getitem"})
FLOPS: dict[str, Callable[..., int]] = {  # of what takes more than one operation an element
    "matmul": lambda out, x, y: 2 * out.size * x.shape[-1],
    "linear": lambda out, x, w, b, *_: out.size * (2 * x.shape[-1] + (b is not None)),
    "scaled_dot_product_attention": lambda out, q, k, v, *_: 2 * q.size * k.shape[-2] + 2 * out.size * k.shape[-2],
}


def _is_written(part: str) -> bool:
    """Whether a part of a parameter's name can be written after a dot or as an index."""
    return bool(IS_PLACE(part)) or part.isidentifier() and not keyword.iskeyword(part)


@functools.cache
def _parameters(op: Any, count: int) -> list[inspect.Parameter]:
    """What an operation's forward calls `count` arguments; the defaults are those of the function that people call."""
    if op.forward is None or isinstance(op.forward, np.ufunc):
        return [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in "xyz"]
    found = list(inspect.signature(op.forward).parameters.values())
    found = found[1:] if hasattr(op, "source") else found  # a Function's forward has its context first
    public = VOCABULARY.get(op.__name__, getattr(F, op.__name__, None))
    known = inspect.signature(public).parameters if inspect.isfunction(public) else {}
    defaults = {name: p.default for name, p in known.items() if p.default is not p.empty}
    found = [p.replace(default=defaults[p.name]) if p.name in defaults and p.kind is p.POSITIONAL_OR_KEYWORD else p
             for p in found]
    return found + found[-1:] * (count - len(found))


# ---------------------------------------------------------------- the tape
def _copy(node: Node, inputs: tuple) -> Node:
    """A node of the view's own, which no backward pass of others frees; hooks are those of the node it shows."""
    args, first = list(node.args), dict[int, Any]()
    for i, source in enumerate(inputs):
        if isinstance(args[i], np.ndarray) and first.setdefault(id(args[i]), source) is not source:
            args[i] = args[i].view()  # one array that stands in two places of the tape is told apart
    copy = Node(node.op, inputs, args, node.array)
    if node.hooks is None:
        node.hooks = {}
    copy.place, copy.hooks = node.place, node.hooks
    if hasattr(node, "origin"):
        copy.origin = node.origin
    return copy


def _tensors(view: str, output: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, Value]]:
    """The Tensors in nested tuples, lists and dicts (None is passed over), with their places such as `0.loss`."""
    if isinstance(output, Value):
        yield ".".join(place), output
        return
    need(isinstance(output, (tuple, list, dict)) and len(output) > 0,
         f"{view}: it takes the Tensor that was computed, or several in a tuple, list or dict, and then names", output)
    for key, part in output.items() if isinstance(output, dict) else enumerate(output):
        if part is not None:
            yield from _tensors(view, part, (*place, str(key)))


class Tape:
    """The steps that lead to a Tensor, leaves and constants first, operations in the order they ran.

    Several Tensors may be given in tuples, lists and dicts: those of whole numbers and bools are left out. names: a
    Module, or a dict of names with their Tensors. It keeps the values, so that it can be read after backward() has
    freed the nodes. Index, slice, iterate, `find`; print it for the table; `backward()` runs the rules and keeps every
    gradient; print `forward` or `backward` for one half of it. RuntimeError for a Tensor that was not recorded.

    >>> x = tl.tensor([1.0, 2.0], requires_grad=True)
    >>> tape = tl.tape((x * x).sum(), {"x": x})
    >>> print(tape)
    v0 = leaf x       2       [1., 2.]
    v1 = mul(v0, v0)  2       [1., 4.]
    v2 = sum(v1)      scalar  5.
    2 operations, 12 B kept for the backward pass, 4 flops
    >>> tape.backward()[0]
    array([2., 4.], dtype=float32)
    """

    def __init__(self, output: Any, names: Any = None, *, view: str = "tape") -> None:
        """view: what errors say was called."""
        given = list(_tensors(view, output))
        found = [(name, tensor) for name, tensor in given if tensor.node is not None]
        lost = [name for name, tensor in given if tensor.node is None and tensor.array.dtype.kind == "f"]
        if lost or not found:
            which = f"output {lost[0]}" if found else "the tensor"
            raise RuntimeError(f"{view}: {which} was not recorded: no input requires grad, or it was made under "
                               "no_grad()" + "; leave it out" * bool(found))
        paths = {id(m): path for path, m in names.named_modules() if path} if isinstance(names, Module) else {}
        if names is None or isinstance(names, Module):
            names = dict(names.named_parameters()) if names else {}
        expected = f"{view}: names is a Module, or a dict of names with their Tensors, and comes after the output"
        need(isinstance(names, dict), expected, names)
        for name, tensor in names.items():
            if not (isinstance(name, str) and isinstance(tensor, Value)):
                raise TypeError(f"{expected}; it holds {told(name)}: {told(tensor)}")
        called = {t.node or id(t.array): (name, t) for name, t in names.items()}
        refuse_stale(view, [tensor for _, tensor in found])
        self._made_from = [tensor.node for _, tensor in found]
        try:
            nodes, starts = tape_of(dict.fromkeys(self._made_from))
        except RuntimeError:
            raise RuntimeError(f"{view}: backward() has freed the values of this graph: {view} before backward, or "
                               "keep the tape with tl.tape") from None
        kept = kept_by(nodes, starts)  # before the tape holds anything itself
        self._places: dict[Any, int] = {}
        self.steps: list[Step] = []
        self.gradients: dict[int, np.ndarray] = {}  # after backward(): the adjoint of each step
        self.contributions: dict[tuple[int, int], np.ndarray] = {}  # (step, argument): what it sent back
        self._peak = 0
        self.seeds: dict[int, np.ndarray] = {}  # what the backward pass began with, at the outputs
        before = {source: x for node in nodes for x, source in zip(node.args, node.inputs)
                  if source is not None and x is not source.array}  # values that were changed in place later
        own: dict[Any, Node] = {None: None}  # type: ignore[dict-item]
        for node in sorted(starts, key=lambda n: n.place):
            own[node] = _copy(node, ())
            name, tensor = called.get(node, ("", None))
            kind = "parameter" if isinstance(tensor, Parameter) else "leaf"
            self._add(own[node], Step(len(self.steps), kind, (), (), node.array, name, node=own[node]))
        sources: dict[Node, dict[int, Any]] = {}  # of each node: what its arrays are, by their ids
        for node in nodes:
            own[node] = _copy(node, tuple(map(own.__getitem__, node.inputs)))
            args = own[node].args[: len(node.inputs)]
            arrays = [x for x in leaves(args) if isinstance(x, np.ndarray)]
            tracked = {id(x): own[source] for x, source in zip(args, node.inputs) if source is not None}
            sources[node] = {id(x): tracked.get(id(x), id(x)) for x in arrays}
            for x in arrays:
                if id(x) not in tracked and id(x) not in self._places:
                    self._add(id(x), Step(len(self.steps), "constant", (), (), x, called.get(id(x), ("",))[0]))
        for node in nodes:
            read = {key: self.steps[self._places[found]] for key, found in sources[node].items()}
            args = tuple(own[node].args[: len(node.inputs)])
            inputs = tuple(read[id(x)].index if id(x) in read else None for x in args)
            line, module, calls = getattr(node, "origin", ("", "", ()))
            if calls and calls[0][1] in paths:  # called by itself, and not by the module whose it is
                calls = ((paths[calls[0][1]], *calls[0][1:]), *calls[1:])
            self._add(own[node], Step(len(self.steps), node.op.__name__, inputs, args, before.get(node, node.array),
                                      "", line, module, calls, own[node], read, kept[node]))
        self.outputs = [self._places[own[node]] for node in self._made_from]
        self.output = self.outputs[0]
        self.output_names = [name for name, _ in found]  # of each its place among several

    def _add(self, key: Any, step: Step) -> None:
        self._places[key] = step.index
        self.steps.append(step)

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __getitem__(self, i: Any) -> Any:
        """The step at a place, several at a slice, or the leaf or constant of a name that was given."""
        if isinstance(i, slice):
            return self.steps[i]
        if isinstance(i, str):
            named = {s.name: s for s in self.steps if s.name}
            if i not in named:
                raise KeyError(f"tape: no step is called {i!r}{nearest(i, named)}")
            return named[i]
        place = whole("tape: a step is found by its number, or by a name that was given", i, -math.inf)
        if not -len(self.steps) <= place < len(self.steps):
            raise IndexError(f"tape: there is no step {place}: it has {len(self.steps)}")
        return self.steps[place]

    def find(self, op: str | None = None, module: str | None = None) -> list[Step]:
        """The steps of an operation, or in a module (and below it).

        ValueError, with the names that are there, for a function that is recorded as the operations it is made of,
        for what is no operation, and for a module that has no step.
        """
        need(op is None or isinstance(op, str), "find: op is the name of an operation, such as 'linear'", op)
        need(module is None or isinstance(module, str), "find: module is a path, such as 'blocks.0'", module)
        modules = {s.module for s in self.steps} - {""}
        inside = [s for s in self.steps if module is None or f"{s.module}.".startswith(f"{module}.")]
        if module is not None and not inside:
            near = ", ".join(difflib.get_close_matches(module, sorted(modules), 5, 0))
            raise ValueError(f"find: no step is in a module {module!r}" + (
                f"; the nearest are {near}" if near else ": record the model inside `with tl.study():`"))
        recorded = {s.op for s in self.steps} | {"parameter", "leaf", "constant"}
        recorded |= {f.__name__ for f in (*PRIMITIVES, *BY_HAND.values())}
        if op is not None and op not in recorded:
            functions = {*VOCABULARY, *(name for name in vars(F) if not name.startswith("_"))}
            if op in functions:
                here = ", ".join(sorted({s.op for s in self.steps if s.is_operation}))
                raise ValueError(f"find: {op} is recorded as its parts: the operations on this tape are {here}")
            hint = f"; did you mean module={op!r}?" if op in modules else nearest(op, recorded | functions)
            raise ValueError(f"find: no operation is called {op!r}{hint}")
        return [s for s in inside if op is None or s.op == op]

    @property
    def memory(self) -> int:
        """The bytes that the forward pass kept for the backward pass, as they were when the tape was made.

        These are the values of operations and what rules keep besides (masks, probabilities, the windows of a
        convolution), each memory once, at the first step that has it. Parameters, inputs and all else that was there
        before do not count. A backward pass frees it step by step, the last first, but for what this tape still shows.
        """
        return sum(s.memory for s in self.steps)

    @property
    def peak(self) -> int:
        """The most bytes at a time in the backward pass, with what is kept for it; it is run unless it has been.

        Measured with tracemalloc, whose own peak it resets.
        """
        self.ensure_gradients()
        return self._peak

    @property
    def flops(self) -> int:
        """Roughly how many operations on numbers the forward pass takes."""
        return sum(s.flops for s in self.steps)

    # ---- backward
    @property
    def forward(self) -> "Printed":
        """The steps, to print."""
        return Printed(self)

    @property
    def backward(self) -> "Backward":
        """The backward pass: call it for the gradients, print it for the rules as they run."""
        return Backward(self)

    def run_backward(self, gradient: Any = None) -> dict[int, np.ndarray]:
        """What calling `backward` does: the gradient of every step, by its index."""
        given = gradient if len(self.outputs) > 1 and gradient is not None else [gradient] * len(self.outputs)
        need(isinstance(given, (tuple, list)) and len(given) == len(self.outputs),
             f"tape.backward: gradient is a list with one for each of the {len(self.outputs)} outputs", given)
        ends = [Value(self.steps[i].value, self.steps[i].node) for i in self.outputs]
        seeds = seeds_for(ends, [g if g is None else np.asarray(unbox(g)) for g in given])
        gradients: dict[int, np.ndarray] = {}
        contributions: dict[tuple[int, int], np.ndarray] = {}

        def observe(node: Node, g: Any, sent: Any) -> None:
            index = self._places[node]
            gradients[index] = unbox(g)
            sent = [d if d is None else as_array(d) for d in sent]
            contributions.update({(index, i): d for i, d in enumerate(sent) if d is not None})
            if sent:
                peak.see(node, sent, self.steps[index].memory)

        with traced():
            peak = Peak(self.memory, seeds)
            backpropagate(seeds, retain_graph=True, observe=observe)
        self.gradients, self.contributions, self._peak = gradients, contributions, peak.most
        self.seeds = {self._places[node]: unbox(g) for node, g in seeds.items()}
        return gradients

    def ensure_gradients(self) -> None:
        """Run a backward pass from gradients of ones, unless one has run."""
        if not self.gradients:
            ones = [np.ones_like(self.steps[i].value) for i in self.outputs]
            self.run_backward(ones if len(ones) > 1 else ones[0])

    def check(self, eps: float = 1e-6, tol: float = 1e-4) -> None:
        """Compare each step's rules with central differences along a random direction, in float64; RuntimeError names
        the first step (in the order of the forward pass) whose rule is wrong. Of steps with NaN or infinity among their
        values no difference can be taken: a warning says which were left out."""
        if not (eps > 0 and tol > 0):
            raise ValueError(f"check: eps and tol are above 0, not {eps} and {tol}")
        rng = np.random.default_rng(0)
        lost = []
        for step in self.steps:
            op = getattr(step.node, "op", None)
            if op in (None, cast) or not callable(op):  # a change of dtype is no function in float64
                continue
            count = len(step.inputs)
            if op.__name__ == "vmap":  # in or out of a map: no number changes
                continue
            values = [getattr(a, "example", a) for a in leaves((step.value, *step.args[:count]))]  # of a map the first
            if not all(np.isfinite(a).all() for a in values
                       if isinstance(a, np.ndarray) and a.dtype.kind == "f"):
                lost.append(step)
                continue
            args = [a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a
                    for a in mapped(lambda a: getattr(a, "example", a), list(step.args[:count]))]
            result = op.forward(*args)
            kept = list(result[1:]) if isinstance(result, tuple) else []
            out = np.asarray(result[0] if isinstance(result, tuple) else result)
            weight = rng.standard_normal(out.shape)
            for i, d in enumerate(pull(op, step.node.inputs, weight, out, [*args, *kept])):
                if d is None:
                    continue
                direction = rng.standard_normal(args[i].shape)
                ends = []
                for sign in (eps, -eps):
                    moved = [a + sign * direction if k == i else a for k, a in enumerate(args)]
                    ends.append(float((np.asarray(op(*moved)) * weight).sum()))
                numeric = (ends[0] - ends[1]) / (2 * eps)
                analytic = float((sum_to(np.asarray(d), args[i].shape) * direction).sum())
                if not math.isclose(numeric, analytic, rel_tol=tol, abs_tol=tol * (1 + np.abs(weight).sum() * eps)):
                    rule = step.rules[i][-1].partition(" += ")[2]
                    raise RuntimeError(f"tape.check: the rule of {step} for argument {i} ({rule}) gives {analytic:.6g} "
                                       f"along a direction where differences give {numeric:.6g}"
                                       f"{where_from(step.node)}")
        if lost:
            warnings.warn(f"tape.check: {len(lost)} steps hold NaN or infinity and were not checked, the first "
                          f"{lost[0]}{where_from(lost[0].node)}", stacklevel=2)

    # ---- the table
    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<Tape of {len(self.steps)} steps, {self.memory:,} bytes kept, {self.flops:,} flops>"

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        return as_html(self._halves(LIMIT))

    def table(self, width: int | None = None, limit: int = LIMIT, color: bool = False,
              module: str | None = None) -> str:
        """The Wengert list: what ran forward, and after a backward pass what it added to which gradient.

        width: columns, the terminal's unless given. A half of more than `limit` rows has a row a module instead, with
        totals; module: all the rows of that one.
        """
        need_bool("table: color", color)
        limit = whole("table: limit is a number of rows from 1 on", limit, 1)
        if width is not None:
            width = whole("table: width is a number of columns from 1 on", width, 1)
        return as_text(self._halves(limit, module), width, color)

    def _halves(self, limit: int, module: str | None = None) -> list[Half]:
        """The forward half, and the backward one or why there is none."""
        halves = [forward_half(self, limit, module)]
        numbers = all(self.steps[i].value.size == 1 for i in self.outputs)
        if not self.gradients and numbers and any(node.inputs is None for node in self._made_from):
            try:
                self.run_backward()  # the nodes were freed, so a backward pass ran
            except Exception as error:  # its values have been changed since, by an optimizer say, or a hook raised it
                halves.append(Half([], f"no backward rows: {error}"))
        return [*halves, backward_half(self, limit, module)] if self.gradients else halves


class Printed:
    """Half of a tape's table."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape

    def _half(self) -> Half:
        return forward_half(self.tape, LIMIT)

    def __str__(self) -> str:
        return as_text([self._half()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html([self._half()])


class Backward(Printed):
    """The backward half of a tape's table, and the pass itself."""

    def __call__(self, gradient: Any = None) -> dict[int, np.ndarray]:
        """The gradient of every step (by its index), from the tape's own values; `.grad` is not touched.

        Hooks are run, as in any backward pass. gradient: of the output, needed unless that is a single number; of
        several outputs a list.
        """
        return self.tape.run_backward(gradient)

    def _half(self) -> Half:
        if not self.tape.gradients:
            self()
        return backward_half(self.tape, LIMIT)


def tape_for(view: str, output: Any, names: Any) -> Tape:
    """The Tape that a view was given, or of the Tensors that it was given."""
    if not isinstance(output, Tape):
        return Tape(output, names, view=view)
    if names is not None:
        raise TypeError(f"{view}: a Tape has its names already: give them to tl.tape")
    return output
