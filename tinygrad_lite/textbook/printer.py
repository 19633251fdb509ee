"""A program as the text of a function that reads as on paper: derive's printer."""

import math
import re
import textwrap
from typing import Any

from ..compiler.names import gradient_name
from ..compiler.passes import dead_code, fresh_zeros
from ..compiler.program import Slot, Var
from ..compiler.words import ATOM, INFIX, MINUS, NOT, TIGHTNESS, Verbatim, Words, listed, literal, named, pattern
from .reading import is_basic
from .sizes import Merged, Sized, bracketed
from .symbols import Symbol

REDUCTIONS = {"np.add.reduce": "sum", "np.maximum.reduce": "max", "np.minimum.reduce": "min",
              "np.multiply.reduce": "prod", "np.mean": "mean"}
COLUMN = 56  # of the comments with shapes
ERF = "erf = np.vectorize(math.erf, [float])"
VIEWS = (".reshape", ".T", ".mT", ".transpose", "np.transpose", "np.swapaxes", "np.broadcast_to", "[]")


def own_memory(merged: Merged, gradients: dict[Slot, Var], wanted: list[Slot]) -> None:
    """Give each result of a program memory of its own: none is an argument, a part of one, or another result."""
    program = merged.program
    (value,) = program.results
    taken = set(program.inputs)

    def owned(v: Var, name: str, like: Var) -> Var:
        base, spread = v, False
        while base.op in VIEWS and (base.op != "[]" or is_basic(base.args[1]) and base.shape):
            base, spread = base.args[0], spread or base.op == "np.broadcast_to"
        number = base.op == "constant" and not base.shape
        free = not number and not spread and base not in taken and base.op != "constant"
        taken.add(base)
        if free and not (v.section == "forward" and v is not value):
            v.name = name
            return v
        v.name = "" if v.name == name else v.name
        op = "same" if free else ".copy"
        args: tuple = (v,)
        if number:
            ones = base not in merged.texts and base.value == 1
            op, args = ("np.ones_like", (like,)) if ones else ("np.full_like", (like, base))
        new = Var(op, args, {}, v.shape, v.dtype, name)
        program.body.append(new)
        merged.shapes[new] = merged.shapes[like]
        return new

    program.results[0] = owned(value, "value" if value.op == "input" else value.name or "value", value)
    program.kept = []
    for v in [v for v in program.inputs if v.value in wanted]:
        name = gradient_name(v.name)
        if v.value not in gradients:  # nothing depends on it
            gradients[v.value] = Var("np.zeros_like", (v,), {}, v.shape, v.dtype, name)
            merged.shapes[gradients[v.value]] = merged.shapes[v]
            program.body.append(gradients[v.value])
        program.kept.append(owned(gradients[v.value], name, v))
    merged.program = dead_code(program)


class Printer(Words):
    """A value is written where it is used, unless it has a name or is used twice; numpy's functions as operators."""

    def __init__(self, merged: Merged, dims: dict[Var, list]) -> None:
        self.merged, self.dims, self.program = merged, dims, merged.program
        program = self.program
        self.uses, ends = program.uses(), set(program.ends())
        self.given = [v for v in program.inputs if isinstance(v.value, Slot)]
        symbols = [symbol.name for axes in dims.values() for symbol, _ in filter(None, axes)]
        for v in program.body:  # what the caller is given has these names, and nothing else
            if v not in ends and v.name in {gradient_name(i.name) for i in self.given}:
                v.name = ""
        self.inline = {v for v in program.body if v not in ends and (
            not v.name and v.op not in ("put", "written") and v not in merged.counted and self._once(v) or
            self._zeros(v))}
        unnamed = {v for var in program.body for v in (*var.sources(), var) if v.op in ("check", "constant")}
        super().__init__(named(program, ["value_and_grad", "math", "erf", *symbols], [*program.results, *program.kept],
                               self.inline | unnamed), self.inline)
        self._share_names()

    def _share_names(self) -> None:
        """What is written into a value that nobody reads any more is written into that itself."""
        place = {v: i for i, v in enumerate(self.program.body)}
        last = {v: max(place[use] for use in uses) for v, uses in self.uses.items()}
        for v in self.program.body:
            if v.op in ("put", "written") and v.args[0].op in ("put", "written") and last[v.args[0]] == place[v] and \
                    v.args[0] not in self.program.ends() and v.args[0] not in v.sources()[1:] and \
                    all(use not in self.inline or self._inside(use, v) for use in self.uses[v.args[0]]):
                before = self.names[v.args[0]]
                self.names |= dict.fromkeys([o for o, name in self.names.items() if name == before], self.names[v])

    def _inside(self, use: Var, v: Var) -> bool:
        """Whether a value is read in the line of another only."""
        return use is v or use in self.inline and all(self._inside(further, v) for further in self.uses[use])

    def _once(self, v: Var) -> bool:
        """Whether a value is read in one place, or costs nothing to read again."""
        return len(self.uses.get(v, ())) == 1 or v.op in (".T", ".mT", "[]") and v.args[0] in self.given

    def _zeros(self, v: Var) -> bool:
        """Whether a value is only what others are written into."""
        return fresh_zeros(v) and all(use.op in ("put", "written") and use.args[0] is v and v not in use.args[1:]
                                      for use in self.uses.get(v, ()))

    # ---- the whole
    def text(self, name: str, bounds: list[str]) -> str:
        """The module; bounds: what it asserts of the sizes."""
        body = [line for v in self.program.body if v not in self.inline for line in self.statement(v)]
        value, gradients = (", ".join(map(self.of, side)) for side in (self.program.results, self.program.kept))
        result = f"{value}, ({gradients}{',' * (len(self.program.kept) == 1)})"
        shapes = ", ".join(f"{self.names[v]} {self.merged.shapes[v]}" for v in self.given if v.shape is not None)
        body = self._with_counts(body, result)
        lines = [f'"""{name} and its gradients: ({result})', "", *textwrap.wrap(f"Shapes: {shapes}.", 100), '"""',
                 *self.sizes("\n".join([*bounds, *body, result])), *bounds, *body,
                 f"return {result}"]
        parameters = ", ".join(self.names[v] for v in self.given)
        erf = any(v.op == "erf" for v in self.program.body)
        head = ["import math", "", "import numpy as np", "", ERF] if erf else ["import numpy as np"]
        return "\n".join([*head, "", "", f"def value_and_grad({parameters}):",
                          *(f"    {line}".rstrip() for line in lines)]) + "\n"

    def sizes(self, body: str) -> list[str]:
        """What the symbols are, and the shapes that the source is for."""
        code = "\n".join(line.partition("  # ")[0] for line in body.splitlines())
        asserts = {v: axes for v, axes in self.dims.items() if None in axes}
        shapes = {v: f"({', '.join(self._extent(v, i, axis) for i, axis in enumerate(axes))}{',' * (len(axes) == 1)})"
                  for v, axes in asserts.items()}
        used = set(re.findall(r"\w+", "\n".join([code, *shapes.values()])))
        lines: list[str] = []
        known: set[str] = set()
        for v, axes in self.dims.items():
            new = ["_"] * len(axes)
            for i, axis in enumerate(axes):
                if axis is not None and axis[1] == 1 and axis[0].name in used - known:
                    new[i] = axis[0].name
                    known.add(axis[0].name)
            places = [i for i, word in enumerate(new) if word != "_"]
            if places == [0]:
                lines.append(f"{new[0]} = len({self.names[v]})")
            elif len(places) == 1:
                lines.append(f"{new[places[0]]} = {self.names[v]}.shape[{places[0]}]")
            elif places:
                lines.append(f"{', '.join(new)} = {self.names[v]}.shape")
        found = {f"{self.names[v]}.shape": shape for v, shape in shapes.items()}
        return lines + [f"assert {said} == {shape}, {said}" for said, shape in found.items()]

    def _extent(self, v: Var, i: int, axis: tuple[Symbol, int] | None) -> str:
        if axis is None:
            return str(v.shape[i])
        symbol, times = axis
        return symbol.name if times == 1 else f"{times} * {symbol.name}"

    def statement(self, v: Var) -> list[str]:
        """The lines that compute a named value."""
        if v.op == "check":
            return [f"assert {'not ' * (not v.args[1])}{self.of(v.args[0], NOT)}"]
        if v.op in ("put", "written"):
            source, name = v.args[0], self.names[v]
            like = self.like(v)
            first = [f"{name} = {self.of(source)}.copy()"]
            if fresh_zeros(source):
                first = [f"{name} = np.zeros_like({like})" if like else f"{name} = np.zeros({self.merged.shapes[v]})"]
            elif self.names.get(source) == name:
                first = []
            lines = [*first, self.change(v, name)]
        else:
            lines = [f"{self.names[v]} = {self.call(v)}"]
        shown = [*lines[:-1], f"{lines[-1]:<{COLUMN}}  # {self.merged.shapes[v]}"] if v.shape is not None else lines
        return [*shown, self._count(v)] if v in self.merged.counted else shown

    def _count(self, v: Var) -> str:
        """How many elements a mask selected."""
        symbol, axis = self.merged.counted[v]
        return f"{symbol} = " + (f"{self.names[v]}.shape[{axis}]" if axis else f"len({self.names[v]})")

    def _with_counts(self, lines: list[str], result: str) -> list[str]:
        """The lines, with what masks selected counted once, and only where that is used."""
        counts = {self._count(v): symbol for v, (symbol, _) in self.merged.counted.items()}
        code = [line.partition("  # ")[0] for line in [*lines, result] if line not in counts]
        used = set(re.findall(r"\w+", "\n".join(code)))
        return [line for i, line in enumerate(lines) if line not in counts or
                counts[line] in used and all(counts.get(before) != counts[line] for before in lines[:i])]

    def like(self, v: Var) -> str:
        """Another value of the same shape and dtype that is there already."""
        before = [*self.given, *self.program.body[: self.program.body.index(v)]]
        return next((self.names[o] for o in before if o not in self.inline and o.shape is not None and
                     (self.merged.shapes[o], o.dtype) == (self.merged.shapes[v], v.dtype)), "")

    # ---- words
    def of(self, x: Any, tighter: int = 0) -> str:
        if isinstance(x, Var) and x in self.merged.texts:
            x = self.merged.texts[x]
        if isinstance(x, Sized):
            text, tightness = x.written
            return f"({text})" if tightness < tighter or text.startswith("-") and tighter > MINUS else text
        if isinstance(x, Verbatim) and x.startswith("~") and tighter > MINUS:
            return f"({x})"
        if isinstance(x, Var) and self._zeros(x) and x.op != "constant" and x in self.inline:
            return self.operation(x)[0]
        return super().of(x, tighter)

    def constant(self, x: Var) -> str:
        if x.shape == () and x.dtype.kind == "f":
            return self.of(x.value.item())
        return pattern(x.value) or listed(x.value)

    def change(self, v: Var, name: str) -> str:
        if v.op == "put" and isinstance(v.args[2], Var) and v.args[2] in self.inline and v.args[2].op == "np.add":
            old, more = v.args[2].args
            if isinstance(old, Var) and old.op == "[]" and self.of(old) == f"{name}[{self.index(v.args[1])}]":
                return f"{name}[{self.index(v.args[1])}] += {self.of(more)}"
        return super().change(v, name)

    def index(self, x: Any) -> str:
        while isinstance(x, tuple) and len(x) > 1 and (
                x[-1] is Ellipsis or Ellipsis not in [p for p in x if not isinstance(p, Var)] and _is_whole(x[-1])):
            x = x[:-1]
        return super().index(x[0] if isinstance(x, tuple) and len(x) == 1 else x)

    def operator(self, v: Var) -> str | None:
        return INFIX.get(v.op[3:]) if v.op.startswith("np.") and not v.kwargs else super().operator(v)

    def operation(self, v: Var) -> tuple[str, int]:
        if v.op in ("np.multiply", "np.divide") and self.operator(v):
            return self._chain(v), TIGHTNESS["*"]
        if v.op == "np.negative":
            text = self.of(v.args[0], TIGHTNESS["*"])
            return (text[1:], TIGHTNESS["*"]) if text.startswith("-") else (f"-{self.of(v.args[0], MINUS)}", MINUS)
        if v.op in ("np.add", "np.subtract") and self.operator(v):
            left, right = self.of(v.args[0], TIGHTNESS["+"]), self.of(v.args[1], TIGHTNESS["*"])
            same = (v.op == "np.add") != right.startswith("-")
            return f"{left} {'+' if same else '-'} {right.removeprefix('-')}", TIGHTNESS["+"]
        if v.op == "same":
            return self.of(v.args[0]), 0
        if v.op == "np.square":
            return f"{self.of(v.args[0], ATOM)} ** 2", TIGHTNESS["**"]
        if v.op == "np.absolute":
            return f"np.abs({self.of(v.args[0])})", ATOM
        if v.op == ".reshape" and (index := _inserted(v.args[0].shape, v.shape)):
            return f"{self.of(v.args[0], ATOM)}[{index}]", ATOM
        if v.op in (".reshape", ".transpose") and isinstance(v.args[1], tuple) and v.args[1]:
            return f"{self.of(v.args[0], ATOM)}{v.op}({', '.join(map(self.of, v.args[1]))})", ATOM
        if v.op in REDUCTIONS and "dtype" not in v.kwargs:
            axis = [] if v.kwargs["axis"] is None else [literal(v.kwargs["axis"])]
            kept = ["keepdims=True"] if v.kwargs.get("keepdims") else []
            return f"{self.of(v.args[0], ATOM)}.{REDUCTIONS[v.op]}({', '.join([*axis, *kept])})", ATOM
        return super().operation(v)

    def factors(self, v: Var) -> list[tuple[str, Any]]:
        """A chain of products and quotients: each factor with its sign."""
        def of(x: Any, sign: str = "*") -> list[tuple[str, Any]]:
            sized = self.merged.texts.get(x) if isinstance(x, Var) else x
            if isinstance(sized, Sized) and sized.denominator and sign == "*":
                return [("*", float(sized.numerator)), ("/", Verbatim(bracketed(sized.denominator)))]
            if isinstance(x, Var) and x.op == "constant" and x.shape == () and sized is None and x.dtype.kind == "f":
                return [(sign, x.value.item())]
            if isinstance(x, Var) and x.op == "np.negative" and x in self.inline and sign == "*":
                return [("*", -1), *of(x.args[0])]
            product = isinstance(x, Var) and x in self.inline and x.op in ("np.multiply", "np.divide")
            return self.factors(x) if product and self.operator(x) and sign == "*" else [(sign, x)]

        a, b = v.args
        return [*of(a), *of(b, "*" if v.op == "np.multiply" else "/")]

    def _chain(self, v: Var) -> str:
        """a * (b * c) as a * b * c, x * (1 / N) as x / N; the numbers of a product as one, if that is short."""
        tight = TIGHTNESS["*"]
        factors = sorted(self.factors(v), key=lambda f: (f[0] == "/", not _is_number(f[1])))
        numbers = [f for f in factors if f[0] == "*" and isinstance(f[1], float | int)]
        product = _short_product([x for _, x in numbers]) if numbers else None
        minus = "-" if product is not None and product < 0 else ""
        if product is not None:
            at = factors.index(numbers[0])
            rest = [f for f in factors if f not in numbers]
            above = [x for sign, x in rest if sign == "*"]
            if above and not any(map(_is_number, above)) and (minus or above == [x for _, x in rest]):
                product = float(product)  # bools have no sign, and a product of them is none of numbers
            needed = abs(product) != 1 or isinstance(product, float)
            factors = [*rest[:at], *[("*", abs(product))] * needed, *rest[at:]]
        if not factors or factors[0][0] == "/":
            factors = [("*", 1), *factors]
        (_, first), *others = factors
        text = "".join([self.of(first, MINUS if minus else tight),
                        *(f" {sign} {self.of(x, tight + 1)}" for sign, x in others)])
        return text[1:] if minus and text.startswith("-") else minus + text


def _is_number(x: Any) -> bool:
    """Whether a factor is of numbers, and not of bools."""
    return not isinstance(x, Var) or x.dtype is None or x.dtype.kind != "b"


def _is_whole(part: Any) -> bool:
    return isinstance(part, slice) and part == slice(None)


def _short_product(numbers: list) -> float | int | None:
    """The product, unless it takes many digits that its factors do not take."""
    product = float(math.prod(numbers))
    if product.is_integer() and abs(product) < 1e6:
        return int(product)
    if len(numbers) == 1:
        return numbers[0]
    short = float(f"{product:.6g}")
    if math.isclose(short, product, rel_tol=1e-15):
        return short
    return product if len(repr(product)) <= max(len(repr(float(x))) for x in numbers) else None


def _inserted(shape: tuple, new: tuple) -> str:
    """The index that makes a shape a longer one with dimensions of 1; empty if none does."""
    sizes, parts = list(shape), []
    for n in new:
        parts.append(":" if sizes and n == sizes[0] else "None")
        if parts[-1] == ":":
            sizes.pop(0)
        elif n != 1:
            return ""
    return ", ".join(parts) if not sizes and len(new) > len(shape) else ""
