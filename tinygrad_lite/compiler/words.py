"""Words for the values of a program: names, numbers, and calls as expressions."""

import builtins
import keyword
import math
from collections.abc import Container, Iterable, Iterator
from typing import Any

import numpy as np

from .layout import fills
from .passes import COPIES, fresh_zeros
from .program import Program, Var, identical

MODULES = {"np", "pool", "array", "make", "Diverged", *keyword.kwlist}  # words of a module with a program
TAKEN = MODULES | set(dir(builtins))
INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@", "power": "**", "greater": ">",
         "greater_equal": ">=", "less": "<", "less_equal": "<=", "equal": "==", "not_equal": "!=", "bitwise_and": "&",
         "bitwise_or": "|"}  # ufuncs that have an operator
NOT, COMPARISON, MINUS, ATOM = 1, 2, 9, 11
TIGHTNESS = {"|": 3, "^": 4, "&": 5, "<<": 6, ">>": 6, "+": 7, "-": 7, "*": 8, "/": 8, "//": 8, "%": 8, "@": 8,
             "**": 10}


def named(program: Program, taken: Iterable[str] = (), first: Iterable[Var] = (),
          hidden: Container[Var] = ()) -> dict[Var, str]:
    """An identifier for each value: its own name, with a number where that is not the first, or t1, t2, …

    first: which values choose first, after the inputs; hidden: which need none.
    """
    used, names, count = {*TAKEN, *taken, *program.functions}, {}, 0
    values = [*program.inputs, *first, *dict.fromkeys(v for var in program.body for v in (*var.sources(), var))]
    values = [v for v in dict.fromkeys(values) if v not in hidden]
    for v in sorted(values, key=lambda v: v.name.startswith("~") or not v.name):
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
    if isinstance(x, type) and not issubclass(x, (np.generic, bool, int, float, complex)):
        raise TypeError(f"there is no word for {x}")
    if isinstance(x, (np.dtype, type)):
        return f"np.{np.dtype(x).name}"
    if isinstance(x, np.generic):
        return f"np.{x.dtype.name}({literal(x.item())})"
    return repr(x)


def pattern(value: np.ndarray) -> str:
    """The call that makes a constant array, if a short one does."""
    if value.ndim == 0:
        return literal(value[()])
    return next((text for text in _patterns(value) if _makes(text, value)), "")


def _patterns(value: np.ndarray) -> Iterator[str]:
    dtype = "" if value.dtype == (np.int64 if value.dtype.kind == "i" else np.float64) else f", np.{value.dtype.name}"
    shape = repr(value.shape if value.ndim > 1 else value.size)
    first: Any = value.flat[0].item() if value.size else 0.0
    named = "" if value.dtype == np.float64 else f", np.{value.dtype.name}"
    yield f"np.zeros({shape}{named})"
    if value.dtype.kind == "f":
        yield f"np.ones({shape}{dtype})"
    yield f"np.full({shape}, {literal(first)}{dtype})"
    if value.ndim == 1:
        yield f"np.arange({value.size}{dtype})"
    if value.ndim == 1 and value.size and value.dtype == np.int64:
        yield f"np.arange({value.size})[::-1]"
        yield f"np.roll(np.arange({value.size}), {value.size - first if 2 * first > value.size else -first})"
    if value.ndim == 2 and value.shape[1] == 1:
        yield f"np.arange({value.size}{dtype})[:, None]"
    if value.ndim > 1:
        yield f"np.arange({value.size}{dtype}).reshape({shape})"
    if value.ndim == 2 and value.shape[0] == value.shape[1]:
        yield f"np.eye({value.shape[0]}{dtype})"
    if value.ndim == 2 and value.size:
        for k in (0, -1):  # the diagonal below or above the border
            text = f"np.tri({value.shape[0]}, {value.shape[1]}{f', {k}' if k else ''}, dtype=np.bool)"
            yield text
            yield f"~{text}"
            low, high = (literal(value[at].item()) for at in ((-1, 0), (0, -1)))
            yield f"np.where({text}, {low}, {high}).astype(np.{value.dtype.name})"
    if value.size <= 16:
        yield listed(value)


def _makes(text: str, value: np.ndarray) -> bool:
    """Whether the text gives exactly this array."""
    try:
        made = eval(text, {"np": np})
    except Exception:
        return False
    return identical(made, value)


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
        if isinstance(x, tuple) and any(part is Ellipsis or isinstance(part, slice) for part in x):
            return f"np.s_[{self.index(x)}]"
        if isinstance(x, tuple):
            return f"({', '.join(map(self.of, x))}{',' * (len(x) == 1)})"
        if isinstance(x, list):
            return f"[{', '.join(map(self.of, x))}]"
        if isinstance(x, dict):
            return f"{{{', '.join(f'{key!r}: {self.of(part)}' for key, part in x.items())}}}"
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
            start, stop, step = ("" if p is None else self.index(p) for p in (x.start, x.stop, x.step))
            return f"{start}:{stop}" + (f":{step}" if step else "")
        return "..." if x is Ellipsis else self.of(int(x) if isinstance(x, np.integer) else x)

    def arguments(self, args: Iterable, kwargs: dict) -> str:
        return ", ".join([*map(self.of, args), *(f"{k}={self.of(v)}" for k, v in kwargs.items())])

    def operator(self, v: Var) -> str | None:
        """The sign of a call that is written with one: of single numbers that takes a fraction of the time."""
        if v.op.startswith("py.") and v.op != "py.same_shape":
            return v.op[3:]
        numpys = v.shape == () and any(s.shape == () for s in v.sources())
        return INFIX.get(v.op[3:]) if numpys and not v.kwargs else None

    def operation(self, v: Var) -> tuple[str, int]:
        """The expression that gives a value, and how tightly it binds."""
        args, sign = v.args, self.operator(v)
        if sign:
            tightness = TIGHTNESS.get(sign, COMPARISON)
            left = self.of(args[0], tightness + (sign == "**" or tightness == COMPARISON))
            right = self.of(args[1], tightness + (sign != "**"))
            return f"{left} {sign} {right}", tightness
        if v.op in ("[]", "item"):
            return f"{self.of(args[0], ATOM)}[{self.index(args[1])}]", ATOM
        if v.op in (".T", ".mT"):
            return self.of(args[0], ATOM) + v.op, ATOM
        if v.op == "py.same_shape":
            return f"{self.of(args[0])}.shape == {self.of(args[1])}", COMPARISON
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
            at = f"(\"the test at {v.line.where}\")" if v.line else ""
            return [f"if {'not ' * v.args[1]}{self.of(v.args[0], NOT)}:", f"    raise Diverged{at}"]
        if v.op in ("put", "written"):
            source = v.args[0]
            copied = f"{self.of(source)}.copy()" if v.shape else f"np.array({self.of(source)})"
            fresh = f"np.zeros({v.shape!r}, {literal(v.dtype)})" if fresh_zeros(source) else copied
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
        if v.op in (".astype", "np.array", *COPIES):
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
        by_position = v.is_ufunc and v.op not in ("np.maximum", "np.minimum") or v.op in ("np.dot", "np.matmul")
        if by_position and not v.kwargs:  # an eighth of a short call less; numpy allows it for all but these two
            return [f"{v.op}({self.arguments(v.args, {})}, {out})"]
        return [f"{v.op}({self.arguments(v.args, v.kwargs)}, out={out})"]
