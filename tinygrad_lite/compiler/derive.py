"""tl.derive: the backprop of a function as one would write it on paper, in numpy."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..engine.values import Value, as_array
from ..tensor import Tensor
from .passes import common_subexpressions, dead_code, fold_constants, fresh_zeros, known, simplify, views_for_copies
from .program import Call, Program, Slot, Var
from .recording import record
from .state import State
from .trace import CompileError
from .words import ATOM, INFIX, MINUS, TIGHTNESS, Words, listed, literal, named, pattern

REDUCTIONS = {"np.add.reduce": "sum", "np.maximum.reduce": "max", "np.minimum.reduce": "min",
              "np.multiply.reduce": "prod", "np.mean": "mean"}
COLUMN = 56  # of the comments with shapes


def derive(function: Callable, *examples: Any) -> str:
    """The numpy source of value_and_grad, which computes function(*examples) and its gradients.

    The function gives a scalar. Gradients are with respect to the examples that require grad and to the tensors that
    require grad and that the function reaches, such as a model's parameters, which become parameters of the source
    after the function's own; where there is none of either, to all floating-point examples. Names are the function's;
    comments give the shapes of these examples. The source runs as it stands, given numpy.
    """
    free: list[Any] = [x for x in examples if isinstance(x, (Value, np.ndarray)) and as_array(x).dtype.kind == "f"]
    state = State(function, None, [], set())
    wanted = [x for x in free if isinstance(x, Value) and x.node is not None]
    if not wanted and all(t.node is None for t in state.tensors):
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
    before = {t.node: t.node.grad for t in state.tensors if t.node is not None}
    try:
        for node in before:
            node.grad = None
        call = Call([x for x in inputs if isinstance(x, Tensor)], state)
        _, recording, reason, _ = record(value_and_grad, call, [], names, tuple(inputs), {}, False)
    finally:
        for node, grad in before.items():
            node.grad = grad
    if recording is None:
        raise CompileError(f"derive: {reason}")
    for v in recording.program.body:
        if v.op == "check" and v.value:
            raise CompileError(f"derive: the truth test at {v.line} (`{v.line.text}`) makes the gradient depend on "
                               "values: derive each branch by itself, or compute with tl.where")
    program = recording.program
    program.results[0].name = program.results[0].name.lstrip("~") or "value"
    program = replace(program, body=[v for v in program.body if v.op != "check"])
    for improve in (dead_code, fold_constants, views_for_copies, simplify, common_subexpressions, textbook, dead_code):
        program = improve(program)
    return _Textbook(program).text(getattr(function, "__name__", "function"))


def textbook(program: Program) -> Program:
    """Sums as sums, means as means, and division where the factor is one over a whole number."""
    def rule(var: Var) -> Var:
        a, b = (*var.args, None, None)[:2]
        if var.op == "[]" and a.op == "np.add.reduce" and b == (Ellipsis, None):
            return Var(a.op, a.args, a.kwargs | {"keepdims": True}, var.shape, var.dtype, var.name)
        if var.op == "np.divide" and isinstance(a, Var) and a.op == "np.add.reduce" and known(b) == 1:
            return a
        if var.op == "np.multiply":
            for factor, x in ((a, b), (b, a)):
                if isinstance(factor, float) and 0 < factor < 1 and (1 / factor).is_integer():
                    return replace(var, op="np.divide", args=(x, int(1 / factor)))
        if var.op == "np.divide" and isinstance(a, Var) and a.op == "np.add.reduce" and \
                known(b) == a.args[0].size // a.size:
            return Var("np.mean", a.args, a.kwargs, var.shape, var.dtype, var.name)
        return var

    return program.rewritten(rule)


class _Textbook(Words):
    """A value is written where it is used, unless it has a name or is used twice; numpy's functions as operators."""

    def __init__(self, program: Program) -> None:
        uses, ends = program.uses(), set(program.ends())
        given = [v for v in program.inputs if v.shape is not None]
        super().__init__(named(program, ["N", "value_and_grad"]), {
            v for v in program.body if v not in ends and not v.name and v.op not in ("put", "written") and
            (len(uses.get(v, ())) == 1 or v.op in (".T", ".mT", "[]") and v.args[0] in given)})
        self.program, self.given = program, given
        self.rows = next((v for v in given if isinstance(v.value, Slot) and not v.value.bound and v.shape), None)
        self.counted = False  # whether the number of rows has been written

    def text(self, name: str) -> str:
        """The module."""
        body = [line for v in self.program.body if v not in self.inline for line in self.statement(v)]
        value, gradients = (", ".join(map(self.of, side)) for side in (self.program.results, self.program.kept))
        result = f"{value}, ({gradients}{',' * (len(self.program.kept) == 1)})"
        lines = [f'"""{name} and its gradients: ({result})"""']
        lines += [f"N = len({self.names[self.rows]})"] if self.counted and self.rows else []
        lines += [*body, f"return {result}"]
        parameters = ", ".join(self.names[v] for v in self.given)
        return "\n".join(["import numpy as np", "", "", f"def value_and_grad({parameters}):",
                          *(f"    {line}" for line in lines)]) + "\n"

    def statement(self, v: Var) -> list[str]:
        """The lines that compute a named value."""
        if v.op.startswith("rng."):
            raise RuntimeError("derive: the function draws random numbers; put the model in eval mode")
        like = self.like(v)
        if v.op == "put" and like and fresh_zeros(v.args[0]):
            lines = [f"{self.names[v]} = np.zeros_like({like})", self.change(v, self.names[v])]
        else:
            lines = self.made(v)
        return [*lines[:-1], f"{lines[-1]:<{COLUMN}}  # {v.shape}"]

    def like(self, v: Var) -> str:
        """Another value of the same shape and dtype that is there already."""
        before = self.program.body[: self.program.body.index(v)]
        return next((self.names[o] for o in before if o not in self.inline and
                     (o.shape, o.dtype) == (v.shape, v.dtype)), "")

    def whole(self, n: int) -> str:
        """A number of rows is N."""
        if self.rows is None or n != self.rows.shape[0] or n == 1:
            return literal(n)
        self.counted = True
        return "N"

    def constant(self, x: Var) -> str:
        if x.value.ndim == 1 and x.value.dtype.kind == "i" and (x.value == np.arange(x.size)).all():
            return f"np.arange({self.whole(x.size)})"
        return pattern(x.value) or listed(x.value)

    def operator(self, v: Var) -> str | None:
        return INFIX.get(v.op[3:]) if v.op.startswith("np.") and not v.kwargs else super().operator(v)

    def operation(self, v: Var) -> tuple[str, int]:
        if v.op == "np.divide" and type(v.args[1]) is int:
            return f"{self.of(v.args[0], TIGHTNESS['/'])} / {self.whole(v.args[1])}", TIGHTNESS["/"]
        if v.op == "np.negative":
            return f"-{self.of(v.args[0], MINUS)}", MINUS
        if v.op == "np.square":
            return f"{self.of(v.args[0], ATOM)} ** 2", TIGHTNESS["**"]
        if v.op in REDUCTIONS and "dtype" not in v.kwargs:
            axis = [] if v.kwargs["axis"] is None else [literal(v.kwargs["axis"])]
            kept = ["keepdims=True"] if v.kwargs.get("keepdims") else []
            return f"{self.of(v.args[0], ATOM)}.{REDUCTIONS[v.op]}({', '.join([*axis, *kept])})", ATOM
        return super().operation(v)
