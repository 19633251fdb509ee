"""tl.derive: the backprop of a function as one would write it on paper, in numpy."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..tape import Node, Value, as_array
from ..tensor import Tensor
from .passes import common_subexpressions, dead_code, fold_constants, fresh_zeros, known, simplify, views_for_copies
from .program import Program, Var
from .recording import Reach, record
from .source import Words, listed, literal, named, pattern

INFIX = {"add": ("+", 5), "subtract": ("-", 5), "multiply": ("*", 6), "divide": ("/", 6), "matmul": ("@", 6),
         "power": ("**", 8), "greater": (">", 4), "greater_equal": (">=", 4), "less": ("<", 4), "less_equal": ("<=", 4),
         "equal": ("==", 4), "not_equal": ("!=", 4), "bitwise_and": ("&", 3), "bitwise_or": ("|", 2)}
REDUCTIONS = {"np.add.reduce": "sum", "np.maximum.reduce": "max", "np.minimum.reduce": "min",
              "np.multiply.reduce": "prod"}
ATOM = 9  # binds tighter than every operator
COLUMN = 56  # of the comments with shapes


def derive(function: Callable, *examples: Any) -> str:
    """The numpy source of value_and_grad, which computes function(*examples) and its gradients.

    The function gives a scalar. Gradients are with respect to the examples that require grad and to the tensors that
    require grad and that the function reaches, such as a model's parameters, which become parameters of the source
    after the function's own; where there is none of either, to all floating-point examples. Names are the function's;
    comments give the shapes of these examples. The source runs as it stands, given numpy.
    """
    free: list[Any] = [x for x in examples if isinstance(x, (Value, np.ndarray)) and as_array(x).dtype.kind == "f"]
    reach = Reach()
    reach.function(function)
    wanted = [x for x in free if isinstance(x, Value) and x.node is not None]
    if not wanted and all(t.node is None for _, t in reach.tensors.values()):
        wanted = free
    inputs = [Tensor(as_array(x)).requires_grad_(any(x is w for w in wanted)) if isinstance(x, (Value, np.ndarray))
              else x for x in examples]

    def value_and_grad(*args: Any) -> Any:
        value = function(*args)
        if not isinstance(value, Tensor) or value.array.size != 1 or value.node is None:
            raise TypeError("derive: the function gives a scalar Tensor that depends on what gradients are wanted of")
        value.backward()
        return value

    names = list(inspect.signature(function).bind(*examples).arguments)
    names = [n for n, x in zip(names, examples) if isinstance(x, (Value, np.ndarray))]
    before: dict[Node, Any] = {}
    _, recording = record(value_and_grad, tuple(inputs), {}, names, reach, before)
    for node, grad in before.items():
        node.grad = grad
    if recording.reason:
        raise RuntimeError(f"derive: {recording.reason}")
    program = recording.program
    program.results[0].name = program.results[0].name.lstrip("~") or "value"
    program = replace(program, body=[v for v in program.body if v.op != "check"])
    for improve in (dead_code, fold_constants, views_for_copies, simplify, common_subexpressions, textbook, dead_code):
        program = improve(program)
    return _Text(program, getattr(function, "__name__", "function")).text


def textbook(program: Program) -> Program:
    """Sums as sums, means as means, and division where the factor is one over a whole number."""
    def rule(var: Var) -> Var:
        a, b = (*var.args, None, None)[:2]
        if var.op == "np.matmul" and _ones(a):
            return Var("np.add.reduce", (b,), {"axis": 0}, var.shape, var.dtype, var.name)
        if var.op == "np.matmul" and _ones(b):
            return Var("np.add.reduce", (a,), {"axis": -1 if len(a.shape) > 2 else 1}, var.shape, var.dtype, var.name)
        if var.op == "[]" and a.op == "np.add.reduce" and b == (Ellipsis, None):
            return Var(a.op, a.args, a.kwargs | {"keepdims": True}, var.shape, var.dtype, var.name)
        if var.op == "np.divide" and isinstance(a, Var) and a.op == "np.add.reduce" and known(b) == 1:
            return a
        if var.op == "np.multiply" and isinstance(b, float) and 0 < b < 1 and (1 / b).is_integer():
            return replace(var, op="np.divide", args=(a, int(1 / b)))
        if var.op == "np.divide" and isinstance(a, Var) and a.op == "np.add.reduce" and \
                known(b) == a.args[0].size // a.size:
            return Var("np.mean", a.args, a.kwargs, var.shape, var.dtype, var.name)
        return var

    return program.rewritten(rule)


def _ones(x: Any) -> bool:
    return isinstance(x, Var) and x.op == "constant" and x.value.ndim == 1 and bool((x.value == 1).all())


class _Text:
    """The lines of the function: a value is written where it is used, unless it has a name or is used twice."""

    def __init__(self, program: Program, name: str) -> None:
        self.program = program
        self.given = [v for v in program.inputs if v.shape is not None]
        uses, ends = program.uses(), set(program.ends())
        self.inline = {v for v in program.body if v not in ends and not v.name and
                       (len(uses.get(v, ())) == 1 or v.op in (".T", ".mT", "[]") and v.args[0] in self.given)
                       and v.op not in ("put", "written")}
        self.rows = next((v for v in self.given if v.value[0] == "argument" and v.shape), None)
        self.names = named(program, ["N", "value_and_grad"])
        self.words = Words(self.names)
        self.constants: list[str] = []
        self.uses_rows = False
        body = [line for v in program.body if v not in self.inline for line in self.statement(v)]
        value, gradients = (self.names[v] for v in program.results), [self.names[v] for v in program.kept]
        what = f"{name} and its gradients"
        lines = ["import numpy as np", "", "", f"def value_and_grad({', '.join(self.names[v] for v in self.given)}):",
                 f'    """{what}: ({", ".join(value)}, ({", ".join(gradients)}{"," * (len(gradients) == 1)}))"""']
        if self.uses_rows and self.rows is not None:
            body.insert(0, f"N = len({self.names[self.rows]})")
        lines += ["    " + line for line in [*self.constants, *body]]
        returned = ", ".join(gradients) + "," * (len(gradients) == 1)
        lines.append(f"    return {', '.join(self.names[v] for v in program.results)}, ({returned})")
        self.text = "\n".join(lines) + "\n"

    def statement(self, v: Var) -> list[str]:
        name = self.names[v]
        if v.op == "put":
            source, like = v.args[0], self.like(v)
            copy = f"{self.expression(source, ATOM)}.copy()"
            first = f"np.zeros_like({like})" if like and fresh_zeros(source) else copy
            lines = [f"{name} = {first}", f"{name}[{self.index(v.args[1])}] = {self.expression(v.args[2], 0)}"]
        elif v.op.startswith("rng."):
            raise RuntimeError("derive: the function draws random numbers; put the model in eval mode")
        else:
            lines = [f"{name} = {self.expression(v, 0, True)}"]
        return [*lines[:-1], f"{lines[-1]:<{COLUMN}}  # {v.shape}"]

    def like(self, v: Var) -> str:
        """Another value of the same shape and dtype that is there already."""
        for other in self.program.body:
            if other is v:
                return ""
            if other not in self.inline and (other.shape, other.dtype) == (v.shape, v.dtype):
                return self.names[other]
        return ""

    def index(self, i: Any) -> str:
        """What stands between the brackets."""
        if isinstance(i, tuple):
            return ", ".join(map(self.index, i)) + "," * (len(i) == 1)
        return self.expression(i, 0) if isinstance(i, Var) else self.words.index(i)

    def whole(self, n: Any) -> str:
        """A number of rows is N."""
        if self.rows is not None and type(n) is int and n == self.rows.shape[0] > 1:  # type: ignore[index]
            self.uses_rows = True
            return "N"
        return literal(n)

    def expression(self, x: Any, tighter: int, top: bool = False) -> str:
        """The text of a value, in parentheses where it binds less tightly than what it stands in."""
        if isinstance(x, tuple):
            return f"({', '.join(self.expression(part, 0) for part in x)}{',' * (len(x) == 1)})"
        if isinstance(x, list):
            return f"[{', '.join(self.expression(part, 0) for part in x)}]"
        if not isinstance(x, Var):
            return literal(x)
        if x.op == "constant":
            return self.constant(x)
        if x not in self.inline and not top:
            return self.names[x]
        text, strength = self.operation(x)
        return f"({text})" if strength < tighter else text

    def constant(self, x: Var) -> str:
        value = x.value
        if value.ndim == 1 and value.dtype.kind == "i" and (value == np.arange(value.size)).all():
            return f"np.arange({self.whole(value.size)})"
        return pattern(value) or listed(value)

    def operation(self, v: Var) -> tuple[str, int]:
        """The text of the call, and how tightly it binds."""
        of, args = self.expression, v.args
        ufunc = v.op.removeprefix("np.")
        if ufunc in INFIX and not v.kwargs:
            sign, strength = INFIX[ufunc]
            right = self.whole(args[1]) if sign == "/" and type(args[1]) is int else \
                of(args[1], strength + (sign != "**"))
            return f"{of(args[0], strength + (sign == '**'))} {sign} {right}", strength
        if ufunc == "negative":
            return f"-{of(args[0], 7)}", 7
        if ufunc == "square":
            return f"{of(args[0], ATOM)} ** 2", 8
        if v.op in REDUCTIONS or v.op == "np.mean":
            axis = v.kwargs.get("axis")
            said = [] if axis is None else [literal(axis)]
            said += ["keepdims=True"] if v.kwargs.get("keepdims") else []
            return f"{of(args[0], ATOM)}.{REDUCTIONS.get(v.op, 'mean')}({', '.join(said)})", ATOM
        if v.op in ("[]", "item"):
            return f"{of(args[0], ATOM)}[{self.index(args[1])}]", ATOM
        if v.op in (".T", ".mT"):
            return of(args[0], ATOM) + v.op, ATOM
        named_args = [f"{k}={of(a, 0)}" for k, a in v.kwargs.items()]
        if v.op.startswith("."):
            return f"{of(args[0], ATOM)}{v.op}({', '.join([*(of(a, 0) for a in args[1:]), *named_args])})", ATOM
        return f"{v.op}({', '.join([*(of(a, 0) for a in args), *named_args])})", ATOM
