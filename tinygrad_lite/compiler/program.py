"""A program: numpy calls in the order they run, each giving one value that never changes."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ..engine.trees import Part, mapped
from ..engine.values import Value


class Call(NamedTuple):
    """What one call of a program is given: the arrays and Tensors among its arguments, and its state."""

    arguments: list
    state: Any


# ---------------------------------------------------------------- what inputs of a program stand for
@dataclass(frozen=True)
class Slot:
    """An array or a Tensor: of the state, whose memory a program holds on to (`bound`), or among the arguments."""

    at: int
    bound: bool

    def value(self, call: Call) -> Any:
        """The array or Tensor itself."""
        return (call.state.values if self.bound else call.arguments)[self.at]

    def read(self, call: Call) -> Any:
        """What the program is given."""
        found = self.value(call)
        return found.array if isinstance(found, Value) else found


@dataclass(frozen=True)
class Count:
    """A number of the state: a learning rate, a count of steps."""

    at: int

    def read(self, call: Call) -> Any:
        """What the program is given."""
        where, key = call.state.counts[self.at]
        return where[key]


@dataclass(frozen=True)
class Draws:
    """A random generator of the state."""

    at: int

    def read(self, call: Call) -> Any:
        """numpy's generator."""
        found = call.state.generators[self.at]
        return getattr(found, "numpy", found)


@dataclass(frozen=True)
class Gradient:
    """The gradient that a Tensor has as the call begins."""

    of: Slot

    def read(self, call: Call) -> Any:
        """What the program is given."""
        return self.of.value(call).node.grad.array


@dataclass(eq=False, slots=True)
class Var(Part):
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
    value: Any = None  # of a constant the array, of an input what it stands for; of a check see names.truth_test
    aliases: bool = False  # it showed memory of its first argument when it was recorded
    line: Any = None  # the user's source line (names.Line)
    section: str = ""  # "forward", "backward" or "update"
    strides: Any = None  # of an input whose elements do not lie in the order of C

    @property
    def size(self) -> int:
        return math.prod(self.shape or ())

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def is_ufunc(self) -> bool:
        """Whether numpy computes it element by element, with broadcasting: a matrix product is not of that kind."""
        function = getattr(np, self.op[3:], None) if self.op.startswith("np.") else None
        return isinstance(function, np.ufunc) and function.signature is None

    @property
    def is_reduction(self) -> bool:
        return self.op.endswith(".reduce")

    def sources(self) -> list["Var"]:
        """The values it is made from, as often as they occur."""
        return variables((self.args, self.kwargs))

    def __repr__(self) -> str:
        return self.name or f"<{self.op}>"


NEVER_FAIL = (".", "py.", "item", "np.matmul", "np.dot", "np.where", "np.zeros", "np.array", "np.copy",
              "np.concatenate", "np.broadcast_to")  # for arrays of the shapes and dtypes that were recorded
DIVISIONS = ("py./", "py.//", "py.%", "py.**", "py.<<", "py.>>")
EFFECTS = ("check", "rng.")  # what may be neither dropped, nor done once for two, nor done earlier


def has_effect(var: Var) -> bool:
    return var.op.startswith(EFFECTS)


def may_raise(var: Var) -> bool:
    """Whether the values that a call is given may make it fail."""
    if var.op in ("[]", "put"):
        return bool(variables(var.args[1]))
    if var.op == "np.power":
        return var.dtype.kind in "iu"
    return not (var.is_ufunc or var.is_reduction or var.op.startswith(NEVER_FAIL)) or var.op in DIVISIONS


def variables(structure: Any) -> list[Var]:
    """The Vars in nested tuples, lists and dicts."""
    if isinstance(structure, Var):
        return [structure]
    if isinstance(structure, dict):
        structure = structure.values()
    elif not isinstance(structure, (tuple, list)):
        return []
    return [v for part in structure for v in variables(part)]


def strides_of(x: np.ndarray) -> Any:
    """How the elements lie in memory, in bytes; None for the order of C."""
    return None if x.flags.c_contiguous else x.strides


def identical(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are the same in every bit."""
    return (a.shape, a.dtype) == (b.shape, b.dtype) and a.tobytes() == b.tobytes()


@dataclass
class Program:
    """What runs, in order, and what of it is seen outside."""

    inputs: list[Var]  # arguments, tensors and numbers read by reference, random generators
    body: list[Var]
    results: list[Var]  # what the function returns
    kept: list[Var]  # the gradients that are left in `.grad`
    writes: list[tuple[Var, Var]]  # (input, the value it has afterwards)
    shared: frozenset[int] = frozenset()  # which results show the memory of inputs, as the recorded ones did
    groups: tuple[int, ...] = ()  # for each result a number, the same for those that showed the same memory
    functions: dict[str, Callable] = field(default_factory=dict)  # opaque ones, by the name they are called by

    def ends(self) -> list[Var]:
        """The values that are seen outside."""
        return [*self.results, *self.kept, *(value for _, value in self.writes)]

    def rewritten(self, rule: Callable[[Var], Var]) -> "Program":
        """The program with each call replaced by what `rule` makes of it: itself, a new call, or an earlier value.

        The rule sees a call whose arguments have been replaced already; what it gives that is not in the program yet
        (and what that is made from) is put in there.
        """
        new: dict[Var, Var] = {v: v for v in self.inputs}
        body: dict[Var, None] = {}
        known = lambda x: new.get(x, x) if isinstance(x, Var) else x

        def add(var: Var, at: Var) -> None:
            if var.op in ("input", "constant") or var in body:
                return
            for source in var.sources():
                add(source, at)
            if not var.section:  # it stands where what it replaces stood
                var.line, var.section = at.line, at.section
            body[var] = None

        for var in self.body:
            args, kwargs = mapped(known, var.args), mapped(known, var.kwargs) if var.kwargs else var.kwargs
            if any(a is not b for a, b in zip(variables((var.args, var.kwargs)), variables((args, kwargs)))):
                moved = replace(var, args=args, kwargs=kwargs)
            else:
                moved = var
            made = rule(moved)
            if made is not moved and made.op not in ("input", "constant"):
                made.name = made.name or var.name
            new[var] = made
            add(made, var)
        return replace(self, body=list(body), results=[known(v) for v in self.results],
                       kept=[known(v) for v in self.kept], writes=[(i, known(v)) for i, v in self.writes])

    def uses(self) -> dict[Var, list[Var]]:
        """Who reads each value."""
        found: dict[Var, list[Var]] = {}
        for var in self.body:
            for source in var.sources():
                found.setdefault(source, []).append(var)
        return found
