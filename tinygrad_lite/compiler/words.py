"""Words for the values of a program: names, numbers, and calls as expressions."""

import builtins
import keyword
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .layout import fills
from .passes import COPIES, fresh_zeros
from .program import Program, Var

TAKEN = {"np", "pool", "array", "make", "i", *dir(builtins), *keyword.kwlist}
INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@", "power": "**", "greater": ">",
         "greater_equal": ">=", "less": "<", "less_equal": "<=", "equal": "==", "not_equal": "!=", "bitwise_and": "&",
         "bitwise_or": "|"}  # ufuncs that have an operator
TIGHTNESS = {"|": 2, "&": 3, "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "%": 6, "@": 6, "**": 8}  # comparisons: 4
MINUS, ATOM = 7, 9


def named(program: Program, taken: Iterable[str] = ()) -> dict[Var, str]:
    """An identifier for each value: its own name, with a number where that is not the first, or t1, t2, …"""
    used, names, count = {*TAKEN, *taken, *program.functions}, {}, 0
    values = [*program.inputs, *dict.fromkeys(v for var in program.body for v in (*var.sources(), var))]
    for v in sorted(dict.fromkeys(values), key=lambda v: v.name.startswith("~") or not v.name):
        stem = "".join(c if c.isalnum() or c == "_" else "_" for c in v.name.lstrip("~")) or \
            ("c" if v.op == "constant" else "t")
        stem = stem if not stem[0].isdigit() else f"p{stem}"
        name, n = stem, 1
        if not v.name:
            count += 1
            name = f"{stem}{count}"
        while name in used:
            n += 1
            name = f"{stem}_{n}"
        used.add(name)
        names[v] = name
    return names


def literal(x: Any) -> str:
    """A Python value as source text."""
    if isinstance(x, float) and not math.isfinite(x):
        return "np.nan" if x != x else "np.inf" if x > 0 else "-np.inf"
    if isinstance(x, (np.dtype, type)):
        return f"np.{np.dtype(x).name}"
    if isinstance(x, np.generic):
        return f"np.{x.dtype.name}({literal(x.item())})"
    return repr(x)


def pattern(value: np.ndarray) -> str:
    """The call that makes a constant array, if a short one does."""
    if value.ndim == 0:
        return literal(value[()])
    dtype = "" if value.dtype == (np.int64 if value.dtype.kind == "i" else np.float64) else f", np.{value.dtype.name}"
    shape = repr(value.shape if value.ndim > 1 else value.size)
    first: Any = value.flat[0] if value.size else np.float64(0)
    if not value.size or (value == first).all():
        if first in (0, 1) and value.dtype.kind == "f":
            return f"np.{'ones' if first else 'zeros'}({shape}{dtype})"
        return f"np.full({shape}, {literal(first.item())}{dtype})"
    if value.ndim == 1 and value.dtype.kind == "i" and (value == np.arange(value.size)).all():
        return f"np.arange({value.size}{dtype})"
    if value.ndim == 2:
        triangle, corners = np.tri(*value.shape) > 0, (value[-1, 0], value[0, -1])
        if (value == np.where(triangle, *corners)).all():
            text = f"np.tri({value.shape[0]}, {value.shape[1]}, dtype=bool)"
            return text if value.dtype == bool else f"np.where({text}, {', '.join(map(literal, corners))})"
    return listed(value) if value.size <= 16 else ""


def listed(value: np.ndarray) -> str:
    """A constant array with all its elements."""
    elements = repr(value.tolist()).replace("inf", "np.inf").replace("nan", "np.nan")
    return f"np.array({elements}, np.{value.dtype.name})"


class Verbatim(str):
    """A word that stands as it is."""


class Words:
    """The words for values: `names` for those that have one; the rest, and what is `inline`, is written out."""

    def __init__(self, names: dict[Var, str], inline: Iterable[Var] = ()) -> None:
        self.names, self.inline = names, inline

    def of(self, x: Any, tighter: int = 0) -> str:
        """The text of a value, in parentheses where it binds less tightly than what it stands in."""
        if isinstance(x, Var):
            if x.op == "constant" and (text := self.constant(x)):
                return text
            if x not in self.inline:
                return self.names[x]
            text, tightness = self.operation(x)
            return f"({text})" if tightness < tighter else text
        if isinstance(x, Verbatim):
            return x
        if isinstance(x, tuple):
            return f"({', '.join(map(self.of, x))}{',' * (len(x) == 1)})"
        if isinstance(x, list):
            return f"[{', '.join(map(self.of, x))}]"
        text = literal(x)
        return f"({text})" if text.startswith("-") and tighter > MINUS else text

    def constant(self, x: Var) -> str:
        """A constant that is written out where it is used."""
        return literal(x.value[()]) if x.shape == () else ""

    def index(self, x: Any) -> str:
        """What stands between the brackets."""
        if isinstance(x, tuple) and x:
            return ", ".join(map(self.index, x)) + "," * (len(x) == 1)
        if isinstance(x, slice):
            start, stop, step = ("" if p is None else self.of(p) for p in (x.start, x.stop, x.step))
            return f"{start}:{stop}" + (f":{step}" if step else "")
        return "..." if x is Ellipsis else self.of(x)

    def arguments(self, args: Iterable, kwargs: dict) -> str:
        return ", ".join([*map(self.of, args), *(f"{k}={self.of(v)}" for k, v in kwargs.items())])

    def operator(self, v: Var) -> str | None:
        """The sign of a call that is written with one: of single numbers that takes a fraction of the time."""
        if v.op.startswith("py.") and v.op != "py.same_shape":
            return v.op[3:]
        return INFIX.get(v.op[3:]) if v.shape == () and not v.kwargs else None

    def operation(self, v: Var) -> tuple[str, int]:
        """The expression that gives a value, and how tightly it binds."""
        args, sign = v.args, self.operator(v)
        if sign:
            tightness, power = TIGHTNESS.get(sign, 4), sign == "**"
            left, right = self.of(args[0], tightness + power), self.of(args[1], tightness + (not power))
            return f"{left} {sign} {right}", tightness
        if v.op in ("[]", "item"):
            return f"{self.of(args[0], ATOM)}[{self.index(args[1])}]", ATOM
        if v.op in (".T", ".mT"):
            return self.of(args[0], ATOM) + v.op, ATOM
        if v.op == "py.same_shape":
            return f"{self.of(args[0])}.shape == {self.of(args[1])}", 4
        if v.op.startswith((".", "rng.")):
            return f"{self.of(args[0], ATOM)}.{v.op.split('.')[1]}({self.arguments(args[1:], v.kwargs)})", ATOM
        return f"{v.op}({self.arguments(args, v.kwargs)})", ATOM

    def call(self, v: Var) -> str:
        """The expression that gives a value."""
        return self.operation(v)[0]

    def made(self, v: Var) -> list[str]:
        """Statements that compute a value into memory of its own."""
        name = self.of(v)
        if v.op == "check":
            return [f"if {'not ' * v.args[1]}{self.of(v.args[0])}:", "    raise Diverged"]
        if v.op in ("put", "written"):
            source = v.args[0]
            fresh = f"np.zeros({v.shape!r}, {literal(v.dtype)})" if fresh_zeros(source) else f"{self.of(source)}.copy()"
            return [f"{name} = {fresh}", self.change(v, name)]
        return [f"{name} = {self.call(v)}"]

    def change(self, v: Var, name: str) -> str:
        """The statement that writes into a copy."""
        if v.op == "put":
            return f"{name}[{self.index(v.args[1])}] = {self.of(v.args[2])}"
        return f"{v.args[1]}({self.arguments((Verbatim(name), *v.args[2:]), v.kwargs)})"

    def filled(self, v: Var, out: str, same: bool) -> list[str]:
        """Statements that compute a value into memory that is there; same: that of the first argument."""
        first: Any = v.args[0] if v.args else None
        if v.op in (".astype", *COPIES):
            casting = ", casting='unsafe'" if v.op == ".astype" else ""
            return [f"np.copyto({out}, {self.of(first)}{casting})"]
        if v.op == ".reshape":
            return [f"np.copyto({out}.reshape({first.shape!r}), {self.of(first)})"]
        if v.op == "np.zeros":
            return [f"{out}[...] = 0"]
        if v.op == "put":
            copied = f"{out}[...] = 0" if fresh_zeros(first) else f"np.copyto({out}, {self.of(first)})"
            return [*[copied] * (not same), self.change(v, out)]
        if not fills(v):
            return [f"np.copyto({out}, {self.call(v)})"]
        return [f"{v.op}({self.arguments(v.args, v.kwargs)}, out={out})"]
