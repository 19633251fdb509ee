"""Numbers that follow the sizes: one program of the recordings at several sizes."""

import itertools
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from ..compiler.program import Program, Var, identical, variables
from ..compiler.words import TIGHTNESS, Verbatim, literal, pattern
from ..engine.trees import Part
from .symbols import Misfit

MOST_FACTORS = 9  # sizes that products are made of
LETTERS = "NDMKHLPQRSTUVW"


@dataclass(frozen=True)
class Sized(Part):
    """A number that follows the sizes: numerator / denominator, both as text; whole numbers have no denominator."""

    numerator: str
    denominator: str = ""

    @property
    def written(self) -> tuple[str, int]:
        """The expression, and how tightly it binds."""
        if self.denominator:
            return f"{self.numerator} / {bracketed(self.denominator)}", TIGHTNESS["/"]
        return self.numerator, binding(self.numerator)

    def __str__(self) -> str:
        return self.written[0]


def binding(text: str) -> int:
    """How tightly an expression of sizes binds."""
    text = re.sub(r"\([^()]*\)", "", text)
    for sign in ("+", "-", "//", "*"):
        if f" {sign} " in text:
            return TIGHTNESS[sign]
    return 100


def bracketed(text: str) -> str:
    """A divisor."""
    return text if binding(text) == 100 else f"({text})"


class Merged:
    """One program of the recordings at several sizes, with expressions where their numbers differ."""

    def __init__(self, programs: list[Program], values: list[dict[str, int]], letters: Iterable[str] = ()) -> None:
        """letters: for the sizes that the values of masks decide."""
        self.values = values  # of the symbols by name, for each program
        self.letters = iter(letters)
        self.extents: dict[str, list[int]] = {}  # sums of sizes that are extents, such as (N - 2), with their values
        self.products: list[tuple[str, list[int]]] = []
        self.factors = 0  # how many sizes these are products of
        self.counted: dict[Var, tuple[str, int]] = {}  # what a mask selects: the symbol for how much, and its axis
        self.vars: dict[tuple[Var, ...], Var] = {}
        self.texts: dict[Var, Any] = {}  # of constants that follow the sizes: a Sized, or a text
        self.shapes: dict[Var, str] = {}
        first = programs[0]
        if len({(len(p.inputs), len(p.body), len(p.kept)) for p in programs}) > 1:
            raise Misfit("the function takes another way at other sizes, or with other values")
        for each in zip(*(p.inputs for p in programs)):
            self._same(each, each[0])
        body = []
        for each in zip(*(p.body for p in programs)):
            if len({v.op for v in each}) > 1:
                raise Misfit("the function takes another way at other sizes, or with other values")
            args, kwargs = (self._of(tuple(getattr(v, part) for v in each)) for part in ("args", "kwargs"))
            body.append(replace(each[0], args=args, kwargs=kwargs))
            self._count(each, body[-1])
            self._same(each, body[-1])
        ends = (tuple(map(self._of, zip(*(getattr(p, part) for p in programs)))) for part in ("results", "kept"))
        results, kept = map(list, ends)
        self.program = replace(first, inputs=first.inputs, body=body, results=results, kept=kept, writes=[])

    def _count(self, each: tuple[Var, ...], var: Var) -> None:
        """A symbol for how many elements a mask selects."""
        axis = _counted_axis(each[0])
        if axis is None or len(each) == 1:
            return
        extents = [v.shape[axis] for v in each]
        known = [list(column) for column in zip(*(values.values() for values in self.values))]
        name = next((n for v, (n, _) in self.counted.items() if _selector(v) is _selector(var)), "")
        if not name and (extents in known or len(set(extents)) == 1):
            raise Misfit("what a mask selects does not depend on the values that were tried: give examples of which it "
                         "selects some")
        name = name or next(self.letters, "")
        if not name:
            raise Misfit("its masks select more sizes than there are letters for")
        for values, extent in zip(self.values, extents):
            values[name] = extent
        self.counted[var] = name, axis

    def _same(self, each: tuple[Var, ...], var: Var) -> None:
        self.vars[each] = var
        if var.shape is not None:
            extents = [str(self._extent(extents)) for extents in zip(*(v.shape for v in each), strict=True)]
            self.shapes[var] = f"({', '.join(extents)}{',' * (len(extents) == 1)})"

    def _extent(self, each: tuple) -> Any:
        """A number that may be a factor of others."""
        found = self._number(each)
        if isinstance(found, Sized) and binding(found.numerator) < TIGHTNESS["*"]:
            self.extents[f"({found})"] = list(each)
        return found

    def _of(self, each: tuple) -> Any:
        """What is the same at all sizes, or follows them."""
        first = each[0]
        if isinstance(first, Var):
            return self.vars[each] if each in self.vars else self._constant(each)
        if len({type(x) for x in each}) > 1:
            raise Misfit
        if isinstance(first, (tuple, list)):
            if len({len(x) for x in each}) > 1:
                raise Misfit
            return type(first)([self._of(parts) for parts in zip(*each)])
        if isinstance(first, dict):
            return {key: self._of(tuple(x[key] for x in each)) for key in first}
        if isinstance(first, range):
            ends = [self._number(tuple(getattr(x, part) for x in each)) for part in ("start", "stop", "step")]
            return Verbatim(f"range({', '.join(map(str, ends if ends[2] != 1 else ends[ends[0] == 0 : 2]))})")
        if isinstance(first, slice):
            return slice(*(self._of(tuple(getattr(x, part) for x in each)) for part in ("start", "stop", "step")))
        return self._number(each)

    def _number(self, each: tuple) -> Any:
        if len(set(map(repr, each))) == 1:
            return each[0]
        if not all(isinstance(x, (int, float, np.integer, np.floating)) and not isinstance(x, bool) for x in each):
            raise Misfit
        found = next(self._whole(each) if isinstance(each[0], (int, np.integer)) else self._broken(each), None)
        if found is None:
            raise Misfit(f"no expression of the sizes gives a number in it ({', '.join(map(str, each))})")
        return found

    def _products(self) -> list[tuple[str, list[int]]]:
        """Sizes, those that follow from them, and products of these, with their values."""
        plain = {name: [values[name] for values in self.values] for name in self.values[0]}
        factors = list((plain | self.extents).items())[:MOST_FACTORS]
        if self.factors < len(factors):  # there are more than last time
            self.factors = len(factors)
            chosen = itertools.chain.from_iterable(
                itertools.combinations_with_replacement(factors, count) for count in (1, 2, 3, 4))
            self.products = [(" * ".join(name for name, _ in some), list(map(math.prod, zip(*(v for _, v in some)))))
                             for some in chosen]
        return self.products

    def _whole(self, each: tuple) -> Iterator[Sized]:
        """Expressions for whole numbers: N, -N, N - 1, 4 * N, N - K + 1, (N - 1) // 2."""
        products = self._products()
        for text, values in products:
            rise = values[0] - values[1]
            times = (each[0] - each[1]) // rise if rise else 0
            more = each[0] - times * values[0]
            if times and all(x == times * v + more for x, v in zip(each, values)):
                scaled = {1: text, -1: f"-{text}"}.get(times, f"{times} * {text}")
                yield Sized(scaled + _added(more))
        short = [(text, values) for text, values in products if text.count(" * ") < 2]
        for (one, a), (other, b) in itertools.permutations(short, 2):
            for sign in (1, -1):
                more = each[0] - a[0] - sign * b[0]
                if abs(more) <= 64 and all(x == p + sign * q + more for x, p, q in zip(each, a, b)):
                    yield Sized(f"{one} {'+' if sign > 0 else '-'} {other}" + _added(more))
        for text, values in products:
            for divisor in range(2, 9):
                for more in range(-8, 9):
                    if all(x == (v + more) // divisor for x, v in zip(each, values)):
                        yield Sized(f"{bracketed(text + _added(more))} // {divisor}")

    def _broken(self, each: tuple) -> Iterator[Sized]:
        """Expressions for fractions: 1 / N, 0.5 / (N * D), 1 / np.sqrt(D), np.sqrt(D), 1 / (N - 1), float(N)."""
        precise = 1e-12 if all(isinstance(x, float) and float(np.float32(x)) != x for x in each) else 3e-7
        same = _short(list(each), precise)  # up to the rounding of sums
        if same is not None:
            yield Sized(literal(float(same)))
        for text, values in self._products():
            for more in (0, -1, 1):
                terms = [v + more for v in values]
                if min(terms) <= 0:
                    continue
                below = text + _added(more)
                for word, powers in ((below, terms), (f"np.sqrt({below})", list(map(math.sqrt, terms)))):
                    factor = _short([x * p for x, p in zip(each, powers)], precise)
                    if factor is not None:
                        yield Sized(literal(factor), word)
                    factor = _short([x / p for x, p in zip(each, powers)], precise)
                    if factor is not None:
                        times = {1.0: "", -1.0: "-"}.get(factor, f"{literal(factor)} * ")
                        yield Sized(times + (bracketed(word) if times else word))

    def _constant(self, each: tuple) -> Var:
        """A constant array, or one whose size or elements follow the sizes."""
        arrays = [v.value for v in each]
        if all(v.op == "constant" for v in each) and all(identical(arrays[0], a) for a in arrays):
            self.vars[each] = each[0]
            return each[0]
        if any(v.op != "constant" for v in each) or len({a.ndim for a in arrays}) > 1:
            raise Misfit
        text = self._number(tuple(a.item() for a in arrays)) if arrays[0].ndim == 0 else Verbatim(self._text(arrays))
        self._same(each, replace(each[0], name=each[0].name))
        self.texts[self.vars[each]] = text
        return self.vars[each]

    def _text(self, arrays: list[np.ndarray]) -> str:
        """The call that makes the array at every size."""
        texts = [pattern(a) for a in arrays]
        parts = [_numbers_in(text) for text in texts]
        if not all(texts) or len({tuple(words) for words, _ in parts}) > 1:
            raise Misfit
        words = parts[0][0]
        found = [str(self._number(each)) for each in zip(*(numbers for _, numbers in parts))]
        return "".join(itertools.chain.from_iterable(itertools.zip_longest(words, found, fillvalue="")))


def _selector(v: Var) -> Any:
    """What decides how many elements a call gives: the mask, or the call that looks for what is not 0."""
    return next((x for x in variables(v.args[1]) if x.dtype.kind == "b"), None) if v.op == "[]" else v.args[0]


def _counted_axis(v: Var) -> int | None:
    """The axis whose extent the values of a mask decide; None where there is none, or it is a constant."""
    if v.op in ("np.flatnonzero", "np.argwhere") or v.op == "item" and v.args[0].op in ("np.nonzero", ".nonzero"):
        return 0
    if v.op != "[]" or _selector(v) is None or not _depends_on_inputs(_selector(v)):
        return None
    parts = v.args[1] if isinstance(v.args[1], tuple) else (v.args[1],)
    hidden = len(v.args[0].shape) - sum(_dims_of(p) for p in parts)
    places = [i for i, p in enumerate(parts) if isinstance(p, (Var, int, list))]
    if places[-1] - places[0] >= len(places):
        return 0  # numpy puts the dimensions of indices that do not stand side by side first
    return sum(hidden if p is Ellipsis else 1 for p in parts[: places[0]])


def _dims_of(part: Any) -> int:
    """How many dimensions a part of an index takes."""
    if part is None or part is Ellipsis:
        return 0
    return len(part.shape) if isinstance(part, Var) and part.dtype.kind == "b" else 1


def _depends_on_inputs(v: Var) -> bool:
    return v.op == "input" or any(map(_depends_on_inputs, v.sources()))


def _added(more: int) -> str:
    return f" {'+' if more > 0 else '-'} {abs(more)}" if more else ""


def _short(values: list[float], precise: float) -> float | None:
    """The short number that all of some values are, up to rounding."""
    for digits in range(1, 9):
        short = float(f"{values[0]:.{digits}g}")
        if short and all(math.isclose(v, short, rel_tol=precise) for v in values):
            return int(short) if short.is_integer() else short
    fraction = Fraction(values[0]).limit_denominator(1000)
    best = fraction.numerator / fraction.denominator
    best = best if best and math.isclose(best, values[0], rel_tol=4e-15) else values[0]
    exact = len(values) > 1 and best and all(math.isclose(v, best, rel_tol=4e-15) for v in values)
    return best if exact else None


def _numbers_in(text: str) -> tuple[list[str], list[Any]]:
    """A text taken apart: the words between its numbers, and the numbers."""
    pieces = re.split(r"(?<![\w.])(-?\d+(?:\.\d+)?(?:e-?\d+)?)(?![\w.])", text)
    return pieces[::2], [float(p) if "." in p or "e" in p else int(p) for p in pieces[1::2]]
