"""Inputs of other sizes: which extents of a function's inputs can change, and what they hold then."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MOST_TRIALS = 400
MOST_ELEMENTS = 400_000  # of all inputs where they are larger than the example's
Shapes = list[tuple[int, ...]]  # of all inputs


class Misfit(Exception):
    """There is no one program for all sizes and values."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else "it computes otherwise at other sizes, or with other values"


@dataclass(eq=False)
class Symbol:
    """Extents that change together: (input, axis) -> how many times the symbol's value."""

    dims: dict[tuple[int, int], int]
    name: str = ""

    def value(self, shapes: Shapes) -> int:
        """Its value where the inputs have these shapes."""
        (which, axis), times = next(iter(self.dims.items()))
        return shapes[which][axis] // times


def resized(shapes: Shapes, values: dict[Symbol, int]) -> Shapes:
    """The shapes with these values in place of the symbols'."""
    new = [list(shape) for shape in shapes]
    for symbol, value in values.items():
        for (which, axis), times in symbol.dims.items():
            new[which][axis] = times * value
    return [tuple(shape) for shape in new]


def symbols_of(shapes: Shapes, allowed: Callable[[Shapes], bool]) -> list[Symbol]:
    """The finest groups of extents that the function lets change, each group by itself."""
    trials = itertools.count()

    found: list[Symbol] = []

    def changes(dims: dict[tuple[int, int], int]) -> bool:
        """Whether these extents can grow, alone or where those that are known to have grown already."""
        symbol = Symbol(dims)
        value = symbol.value(shapes)
        larger = resized(shapes, {other: 2 * other.value(shapes) + 3 for other in found})
        return any(next(trials) < MOST_TRIALS and all(allowed(resized(base, {symbol: value + more})) for more in (1, 3))
                   for base in (shapes, larger))

    left: dict[int, list[tuple[int, int]]] = {}
    for which, shape in enumerate(shapes):
        for axis, extent in enumerate(shape):
            if extent > 1:
                left.setdefault(extent, []).append((which, axis))
    for group in [*left.values(), *left.values()]:  # once more, now that others can grow
        count = 1
        while count <= len(group):
            subset = next((s for s in itertools.combinations(group, count) if changes(dict.fromkeys(s, 1))), None)
            if subset is None:
                count += 1
                continue
            found.append(Symbol(dict.fromkeys(subset, 1)))
            group[:] = [dim for dim in group if dim not in subset]
    for large, small in itertools.permutations([extent for extent, group in left.items() if group], 2):
        if left[large] and left[small] and large % small == 0:  # the gates of an LSTM are four times its width
            dims = dict.fromkeys(left[small], 1) | dict.fromkeys(left[large], large // small)
            if changes(dims):
                found.append(Symbol(dims))
                left[large], left[small] = [], []
    return found


def generic_shapes(shapes: Shapes, symbols: list[Symbol], allowed: Callable[[Shapes], bool], count: int
                   ) -> list[Shapes]:
    """Shapes in which no two symbols have the same value, nor one an earlier one: larger ones, unless that takes too
    long."""
    large = sum(map(math.prod, shapes)) > MOST_ELEMENTS // 80
    known = {extent for shape in shapes for extent in shape}
    rng = np.random.default_rng(0)
    rounds: list[dict[Symbol, int]] = []
    for trial in range(50):
        values: dict[Symbol, int] = {}
        for symbol in symbols:
            used = {*known, *values.values(), *(before[symbol] for before in rounds)}
            least = min(symbol.value(shapes), 4) if large else symbol.value(shapes)
            grown = (least + int(rng.integers(1, 4 + trial % 10 + n)) for n in itertools.count())
            values[symbol] = next(v for v in grown if v not in used)
        new = resized(shapes, values)
        if sum(map(math.prod, new)) <= MOST_ELEMENTS and allowed(new):
            rounds.append(values)
        if len(rounds) == count:
            return [resized(shapes, values) for values in rounds]
    raise Misfit


def repeated(a: np.ndarray, shape: tuple) -> np.ndarray:
    """The elements again and again; fractions a little less each time, so that no two are equal."""
    new = np.resize(a, shape)
    if a.dtype.kind != "f":
        return new
    less = np.random.default_rng(0).uniform(0.99, 1, shape).astype(a.dtype)
    return np.where(new == np.round(new), new, new * less)


def other_values(a: np.ndarray, shape: tuple, seed: int) -> np.ndarray:
    """Elements drawn at random: of bools some of each, of fractions a little less, and with odd seeds some negated."""
    rng = np.random.default_rng(seed)
    if not a.size:
        return np.zeros(shape, a.dtype)
    if a.dtype.kind == "b":
        drawn = rng.random(shape)
        return drawn <= max([rng.uniform(0.3, 0.8), *np.sort(drawn, None)[:2]])  # a sum over one element is no sum
    new = rng.choice(a.ravel(), shape)
    if a.dtype.kind != "f":
        return new
    times = rng.uniform(0.9, 1, shape) * (rng.choice([-1, 1], shape) if seed % 2 else 1)
    return np.where(new == np.round(new), new, new * times)
