"""The tape as a sequence of steps, and as a table: the Wengert list, forward and backward."""

import ast
import difflib
import dis
import functools
import inspect
import linecache
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engine.changes import refuse_stale
from ..engine.tape import BY_HAND, backpropagate, cast, pull, seeds_for, sum_to, tape_of
from ..engine.values import Node, Value, unbox
from ..engine.watch import where_from
from ..nn import Module, Parameter
from ..nn import functional as F
from ..ops import PRIMITIVES, VOCABULARY


@dataclass(frozen=True)
class Step:
    """One row of the tape: a leaf, a constant, or an operation with the steps that it was given."""

    index: int
    op: str  # the operation's name; "parameter", "leaf" or "constant" for what no operation made
    inputs: tuple[int | None, ...]  # per argument: the step it is, or None for a parameter
    args: tuple  # the arguments as arrays and parameters
    value: np.ndarray
    name: str = ""  # of a leaf, where one was given
    line: str = ""  # the source line, where study() was on
    module: str = ""
    node: Any = field(default=None, repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the value."""
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the value."""
        return self.value.dtype

    @property
    def is_operation(self) -> bool:
        """Whether an operation made it."""
        return self.op not in ("parameter", "leaf", "constant")

    @property
    def parameters(self) -> dict[str, Any]:
        """The arguments that are no steps, by name."""
        if not self.is_operation:
            return {}
        return {name: a for name, a, i in zip(argument_names(self.node.op, len(self.args)), self.args, self.inputs)
                if i is None}

    @property
    def memory(self) -> int:
        """The bytes of its value; 0 for a view of another's."""
        return self.value.nbytes if self.value.base is None else 0

    @property
    def flops(self) -> int:
        """Roughly how many operations on numbers its forward takes."""
        if not self.is_operation or self.op in VIEWS:
            return 0
        sizes = [a.size for a in (self.value, *self.args) if isinstance(a, np.ndarray)]
        return FLOPS[self.op](self.value, *self.args) if self.op in FLOPS else max(sizes)

    def __str__(self) -> str:
        made = self.op if not self.is_operation else f"{self.op}({', '.join(self._said())})"
        return f"v{self.index} = {made}{' ' + self.name if self.name else ''}"

    def _said(self) -> list[str]:
        names = argument_names(self.node.op, len(self.args))
        return [f"v{i}" if i is not None else f"{name}={_short(a)}"
                for name, a, i in zip(names, self.args, self.inputs)]


VIEWS = frozenset({"reshape", "permute", "broadcast_to", "getitem"})
FLOPS: dict[str, Callable[..., int]] = {  # of what takes more than one operation an element
    "matmul": lambda out, x, y: 2 * out.size * x.shape[-1],
    "linear": lambda out, x, w, b, *_: out.size * (2 * x.shape[-1] + (b is not None)),
    "scaled_dot_product_attention": lambda out, q, k, v, *_: 2 * q.size * k.shape[-2] + 2 * out.size * k.shape[-2],
}


@functools.cache
def _signature(op: Any) -> tuple[str, ...]:
    forward = op.forward
    if forward is None or isinstance(forward, np.ufunc):
        return ("x", "y", "z")
    names = tuple(p.name for p in inspect.signature(forward).parameters.values())
    return names[1:] if hasattr(op, "source") else names  # a Function's forward has its context first


def argument_names(op: Any, count: int) -> list[str]:
    """What an operation calls its arguments; those that a by_hand definition kept are `kept`."""
    names = list(_signature(op))
    return (names + ["kept"] * count)[:count]


def _short(a: Any) -> str:
    if isinstance(a, np.ndarray):
        return f"array{list(a.shape)}" if a.size > 3 else str(a.tolist())
    text = "..." if a is Ellipsis else str(a)
    return text if len(text) <= 24 else text[:21] + "..."


# ---------------------------------------------------------------- rules as mathematics
@functools.cache
def _lambdas(file: str) -> list[ast.Lambda]:
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return []
    return [n for n in ast.walk(tree) if isinstance(n, ast.Lambda)]


def rule_source(rule: Any) -> ast.expr | None:
    """The expression of a rule that is a lambda; None for any other."""
    code = getattr(rule, "__code__", None)
    if code is None or code.co_name != "<lambda>":
        return None
    places = [(line, column) for line, _, column, end in code.co_positions() if line and end]
    for found in _lambdas(code.co_filename):  # several may start on one line
        body = found.body
        if found.lineno == code.co_firstlineno and places and all(
                (body.lineno, body.col_offset) <= at < (body.end_lineno, body.end_col_offset) for at in places):
            return body
    return None


class _Substitute(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Name(self.names.get(node.id, node.id), node.ctx), node)


def rule_text(step: Step, argument: int) -> str:
    """What the step sends back to one of its arguments, as mathematics: `v3.grad * v2`."""
    op, me = step.node.op, f"v{step.index}"
    rule = op.joint or op.rules[argument]
    body = rule_source(rule)
    if body is None or op.joint:
        return f"{op.__name__}.backward({me}.grad)[{argument}]"
    code = rule.__code__
    said = [f"v{i}" if i is not None else _short(a) if not isinstance(a, np.ndarray) else name
            for name, a, i in zip(argument_names(op, len(step.args)), step.args,
                                  (*step.inputs, *[None] * len(step.args)))]
    names = dict(zip(code.co_varnames[: code.co_argcount], [f"{me}.grad", me, *said]))
    copy = ast.parse(ast.unparse(body), mode="eval").body
    return ast.unparse(_Substitute(names).visit(copy))


# ---------------------------------------------------------------- compositions
OPERATORS = {"+": "add", "-": "sub", "*": "mul", "/": "div", "**": "pow", "@": "matmul", "//": "floor_divide",
             "%": "remainder", "&": "bitwise_and", "|": "bitwise_or", "^": "bitwise_xor"}


def known_names() -> set[str]:
    """What a step may be called, and the functions that are recorded as their parts."""
    recorded = {op.__name__ for op in (*PRIMITIVES, *BY_HAND.values())}
    return {"parameter", "leaf", "constant", *recorded, *VOCABULARY, *(n for n in vars(F) if not n.startswith("_"))}


def parts_of(name: str) -> set[str]:
    """The operations that a function of the library may be recorded as; empty where it is one itself, or unknown."""
    functions: list[Any] = [VOCABULARY.get(name, getattr(F, name, None))]
    parts: set[str] = set()
    for f in functions:  # grows as it is read
        f = inspect.unwrap(f, stop=lambda f: hasattr(f, "rules")) if callable(f) else f
        if hasattr(f, "rules"):
            parts.add(f.__name__)
        elif inspect.isfunction(f) and f.__module__.startswith("tinygrad_lite."):
            for code in _codes(f.__code__):
                steps = list(dis.get_instructions(code))
                parts |= {OPERATORS[s.argrepr] for s in steps if s.opname == "BINARY_OP" and s.argrepr in OPERATORS}
                parts |= {"neg" for s in steps if s.opname == "UNARY_NEGATIVE"}
                parts |= {"abs"} & ({*code.co_names} - f.__globals__.keys())  # Python's own
                functions += [g for g in map(f.__globals__.get, code.co_names) if g not in functions]
    return set() if name in parts else parts


def _codes(code: Any) -> Iterator[Any]:
    """A function's code, and that of the functions and generators inside it."""
    yield code
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from _codes(constant)


# ---------------------------------------------------------------- the tape
def _copy(node: Node, inputs: tuple) -> Node:
    """A node of the view's own, which no backward pass of others frees; hooks are those of the node it shows."""
    copy = Node(node.op, inputs, node.args, node.array)
    if node.hooks is None:
        node.hooks = {}
    copy.place, copy.hooks = node.place, node.hooks
    if hasattr(node, "origin"):
        copy.origin = node.origin
    return copy


class Tape:
    """The steps that lead to a Tensor, leaves and constants first, operations in the order they ran.

    It keeps the values, so that it can be read after backward() has freed the nodes. Index, slice, iterate, `find`;
    print it for the table; `backward()` runs the rules and keeps every gradient.
    """

    def __init__(self, output: Any, names: Any = None) -> None:
        if not isinstance(output, Value) or output.node is None:
            raise RuntimeError("tape: the tensor was not recorded: no input requires grad, or it was made under "
                               "no_grad()")
        if isinstance(names, Module):
            names = dict(names.named_parameters())
        if names and not (isinstance(names, dict) and all(isinstance(t, Value) for t in names.values())):
            raise TypeError("tape: names is a Module, or a dict of names with their Tensors")
        called = {t.node: (name, t) for name, t in (names or {}).items()}
        refuse_stale("tape", [output])
        nodes, leaves = tape_of([output.node])
        self._made_from = output.node
        self._places: dict[Any, int] = {}
        self.steps: list[Step] = []
        self.gradients: dict[int, np.ndarray] = {}  # after backward(): the adjoint of each step
        self.contributions: dict[tuple[int, int], np.ndarray] = {}  # (step, argument): what it sent back
        own: dict[Any, Node] = {None: None}  # type: ignore[dict-item]
        for node in sorted(leaves, key=lambda n: n.place):
            own[node] = _copy(node, ())
            name, tensor = called.get(node, ("", None))
            kind = "parameter" if isinstance(tensor, Parameter) else "leaf"
            self._add(own[node], Step(len(self.steps), kind, (), (), node.array, name, node=own[node]))
        constants: dict[int, int] = {}
        for node in nodes:
            own[node] = _copy(node, tuple(map(own.__getitem__, node.inputs)))
            for source, value, is_input in self._arguments(node):
                if source is None and is_input and id(value) not in constants:
                    constants[id(value)] = len(self.steps)
                    self._add(id(value), Step(len(self.steps), "constant", (), (), value))
        for node in nodes:
            inputs = tuple(self._places[own[source]] if source is not None else
                           constants.get(id(value) if is_input else -1)
                           for source, value, is_input in self._arguments(node))
            line, module = getattr(node, "origin", ("", ""))
            self._add(own[node], Step(len(self.steps), node.op.__name__, inputs, tuple(node.args), node.array, "", line,
                                      module, own[node]))
        self.output = self._places[own[output.node]]

    def _add(self, key: Any, step: Step) -> None:
        self._places[key] = step.index
        self.steps.append(step)

    @staticmethod
    def _arguments(node: Any) -> Iterator[tuple[Any, Any, bool]]:
        """Each argument's node, its value, and whether a rule could send a gradient to it."""
        rules = node.op.rules or (True,) * len(node.inputs)
        for i, source in enumerate(node.inputs):
            value = node.args[i]
            yield source, value, i < len(rules) and bool(rules[i]) and isinstance(value, np.ndarray) and \
                value.dtype.kind == "f"

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __getitem__(self, i: Any) -> Any:
        return self.steps[i]

    def find(self, op: str | None = None, module: str | None = None) -> list[Step]:
        """The steps of an operation, or in a module (and below it).

        ValueError, with the names of its parts, for a function that is recorded as the operations it is made of.
        """
        if op is not None and not any(s.op == op for s in self.steps):
            parts, names = parts_of(op), known_names()
            if op not in names:
                near = ", ".join(difflib.get_close_matches(op, sorted(names)))
                raise ValueError(f"find: no operation is called {op!r}" + f"; do you mean {near}?" * bool(near))
            here = parts & {s.op for s in self.steps}
            if parts:
                raise ValueError(f"find: {op} is recorded as its parts, so look for those: "
                                 + (f"here {', '.join(sorted(here))}" if here else "none of them is on this tape"))
        return [s for s in self.steps if (op is None or s.op == op)
                and (module is None or s.module == module or s.module.startswith(module + "."))]

    @property
    def memory(self) -> int:
        """The bytes of all values of operations, views counted once."""
        return sum(s.memory for s in self.steps if s.is_operation)

    @property
    def flops(self) -> int:
        """Roughly how many operations on numbers the forward pass takes."""
        return sum(s.flops for s in self.steps)

    # ---- backward
    def backward(self, gradient: Any = None) -> dict[int, np.ndarray]:
        """The gradient of every step (by its index), from the tape's own values; `.grad` is not touched.

        Hooks are run, as in any backward pass.
        """
        last = self.steps[self.output]
        gradients: dict[int, np.ndarray] = {}
        contributions: dict[tuple[int, int], np.ndarray] = {}

        def observe(node: Node, g: Any, sent: Any) -> None:
            index = self._places[node]
            gradients[index] = unbox(g)
            for argument, d in enumerate(sent):
                if d is not None:
                    contributions[index, argument] = np.asarray(unbox(d))

        backpropagate(seeds_for([Value(last.value, last.node)], [gradient]), retain_graph=True, observe=observe)
        self.gradients, self.contributions = gradients, contributions
        return gradients

    def check(self, eps: float = 1e-6, tol: float = 1e-4) -> None:
        """Compare each step's rules with central differences along a random direction, in float64; RuntimeError names
        the first step (in the order of the forward pass) whose rule is wrong."""
        rng = np.random.default_rng(0)
        for step in self.steps:
            op = getattr(step.node, "op", None)
            if op in (None, cast) or not callable(op):  # a change of dtype is no function in float64
                continue
            count = len(step.inputs)
            args = [a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a
                    for a in step.args[:count]]
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
                    raise RuntimeError(f"tape.check: the rule of {step} for argument {i} ({rule_text(step, i)}) gives "
                                       f"{analytic:.6g} along a direction where differences give {numeric:.6g}"
                                       f"{where_from(step.node)}")

    # ---- the table
    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<Tape of {len(self.steps)} steps, {self.memory:,} bytes, {self.flops:,} flops>"

    def table(self, width: int | None = None, limit: int = 40, color: bool = False) -> str:
        """The Wengert list: forward rows, and after a backward pass the adjoint rows in the order they ran.

        width: columns, the terminal's unless given; limit: rows of either half, the middle of a longer one folded.
        """
        last = self.steps[self.output]
        note = ""
        if not self.gradients and last.value.size == 1 and self._made_from.inputs is None:
            try:
                self.backward()  # the nodes were freed, so a backward pass ran
            except Exception as error:  # its values have been changed since, by an optimizer say, or a hook raised it
                note = f"no backward rows: {error}"
        width = width or shutil.get_terminal_size((100, 24)).columns
        forward = [(str(s), _shape(s), summary(s.value), s.module) for s in self.steps]
        rows = _columns(_folded(forward, limit), width, color)
        if not self.gradients:
            return "\n".join([*rows, *["", note] * bool(note)])
        backward = [(f"v{self.output}.grad = {_short(self.gradients[self.output])}", "", "", "")]
        for (index, argument), d in self.contributions.items():  # in the order they ran
            step = self.steps[index]
            backward.append((f"v{step.inputs[argument]}.grad += {rule_text(step, argument)}", "", summary(d), step.op))
        return "\n".join([*rows, "", *_columns(_folded(backward, limit), width, color)])


def _shape(step: Step) -> str:
    return f"{'x'.join(map(str, step.shape)) or 'scalar'} {step.dtype}"


def summary(a: np.ndarray) -> str:
    """A few values as they are, of more their mean, spread and ends."""
    if a.size <= 4:
        return np.array2string(a, precision=4, separator=", ").replace("\n", "")
    if a.dtype.kind != "f":
        return f"{a.min()} … {a.max()}"
    with np.errstate(all="ignore"):
        return f"{a.mean():.3g} ± {a.std():.3g} in [{a.min():.3g}, {a.max():.3g}]"


def _folded(rows: list, limit: int) -> list:
    if len(rows) <= limit:
        return rows
    half = max(limit // 2, 1)
    return [*rows[:half], (f"… {len(rows) - 2 * half} more rows", "", "", ""), *rows[-half:]]


COLORS = ("\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m")


def _columns(rows: list[tuple[str, ...]], width: int, color: bool) -> list[str]:
    """Cells side by side, the last columns dropped and the first cut where the width does not hold them."""
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    widths[0] = min(widths[0], max(width // 2, 20))
    while sum(w + 2 for w in widths if w) - 2 > width and any(widths[1:]):
        widths[max(i for i in range(1, 4) if widths[i])] = 0
    widths[0] = min(widths[0], width) if any(widths[1:]) else width
    lines = []
    for row in rows:
        cells = [(cell if len(cell) <= w else cell[: w - 1] + "…").ljust(w) for cell, w in zip(row, widths)]
        painted = [f"{c}{cell}\x1b[0m" if color else cell for c, cell, w in zip(COLORS, cells, widths) if w]
        lines.append("  ".join(painted).rstrip())
    return lines
