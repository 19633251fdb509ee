"""A program: numpy calls in the order they run, each giving one value that never changes."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np


@dataclass(eq=False, slots=True)
class Var:
    """One value: the call that makes it and what numpy knows of it. A Python number has no shape (None).

    op: "np.add" and other numpy functions, ".reshape" and other methods, "[]", "put" (a copy with a value written at
    an index), "py.*" (Python numbers), "rng.random", "check" (stop unless the truth of a value is still as recorded),
    or the name of one of the program's functions; "input" and "constant" for what nothing makes.
    """

    op: str
    args: tuple = ()
    kwargs: dict = field(default_factory=dict)
    shape: Any = None
    dtype: Any = None
    name: str = ""
    value: Any = None  # of a constant the array, of an input what it stands for
    aliases: bool = False  # it showed memory of its first argument when it was recorded

    @property
    def size(self) -> int:
        return math.prod(self.shape or ())

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def is_ufunc(self) -> bool:
        return self.op.startswith("np.") and isinstance(getattr(np, self.op[3:], None), np.ufunc)

    @property
    def is_reduction(self) -> bool:
        return self.op.endswith(".reduce")

    def sources(self) -> list["Var"]:
        """The values it is made from, as often as they occur."""
        return variables((self.args, self.kwargs))

    def __repr__(self) -> str:
        return self.name or f"<{self.op}>"


EFFECTS = ("check", "rng.")  # what may be neither dropped, nor done once for two, nor done earlier


def has_effect(var: Var) -> bool:
    return var.op.startswith(EFFECTS)


def leaves(structure: Any) -> list:
    """What nested tuples, lists and dicts hold."""
    found: list = []
    mapped(found.append, structure)
    return found


def variables(structure: Any) -> list[Var]:
    """The Vars in nested tuples, lists and dicts."""
    return [x for x in leaves(structure) if isinstance(x, Var)]


def mapped(function: Callable[[Any], Any], structure: Any) -> Any:
    """The structure with function applied to what is not a tuple, list or dict."""
    if isinstance(structure, (tuple, list)):
        parts = [mapped(function, part) for part in structure]
        return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)
    if isinstance(structure, dict):
        return {key: mapped(function, part) for key, part in structure.items()}
    return function(structure)


@dataclass
class Program:
    """What runs, in order, and what of it is seen outside."""

    inputs: list[Var]  # arguments, tensors and numbers read by reference, random generators
    body: list[Var]
    results: list[Var]  # what the function returns
    kept: list[Var]  # the gradients that are left in `.grad`
    writes: list[tuple[Var, Var]]  # (input, the value it has afterwards)
    shared: frozenset[int] = frozenset()  # which results may show the memory of inputs, as the recorded ones did
    functions: dict[str, Callable] = field(default_factory=dict)  # opaque ones, by the name they are called by

    def ends(self) -> list[Var]:
        """The values that are seen outside."""
        return [*self.results, *self.kept, *(value for _, value in self.writes)]

    def rewritten(self, rule: Callable[[Var], Var], instead: dict[Var, Callable] = MappingProxyType({})) -> "Program":  # type: ignore
        """The program with each call replaced by what `rule` makes of it: itself, a new call, or an earlier value.

        The rule sees a call whose arguments have been replaced already; what it gives that is not in the program yet
        (and what that is made from) is put in there. For calls in `instead`, that function makes the replacement, from
        the call as it was and a function that gives the new form of an old value.
        """
        new: dict[Var, Var] = {v: v for v in self.inputs}
        body: dict[Var, None] = {}
        known = lambda x: new.get(x, x) if isinstance(x, Var) else x

        def add(var: Var) -> None:
            if var.op in ("input", "constant") or var in body:
                return
            for source in var.sources():
                add(source)
            body[var] = None

        for var in self.body:
            args, kwargs = mapped(known, var.args), mapped(known, var.kwargs) if var.kwargs else var.kwargs
            if any(a is not b for a, b in zip(variables((var.args, var.kwargs)), variables((args, kwargs)))):
                moved = replace(var, args=args, kwargs=kwargs)
            else:
                moved = var
            made = instead[var](var, known) if var in instead else rule(moved)
            if made is not moved and var.name and not made.name and made.op not in ("input", "constant"):
                made.name = var.name
            new[var] = made
            add(made)
        return replace(self, body=list(body), results=[known(v) for v in self.results],
                       kept=[known(v) for v in self.kept], writes=[(i, known(v)) for i, v in self.writes])

    def uses(self) -> dict[Var, list[Var]]:
        """Who reads each value."""
        found: dict[Var, list[Var]] = {}
        for var in self.body:
            for source in var.sources():
                found.setdefault(source, []).append(var)
        return found
