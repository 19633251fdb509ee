"""A program as the text of a Python module that needs numpy alone."""

import builtins
import keyword
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .layout import fills
from .memory import Plan
from .passes import COPIES, fresh_zeros
from .program import Program, Var, variables
from .tiles import Group

WIDTH = 100  # where the comments with shapes start, at most
TAKEN = {"np", "pool", "array", "make", "i", *dir(builtins), *keyword.kwlist}


# ---------------------------------------------------------------- names and values
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


def shared_names(names: dict[Var, str], plan: Plan) -> dict[Var, str]:
    """Names in which values that take one another's place share one: of those, the first that its author named."""
    names = dict(names)
    chains: dict[int, list[Var]] = {}
    for v, kind in plan.kind.items():
        if kind == "in":
            names[v] = names[plan.target[v]]
        elif kind == "pool":
            chains.setdefault(id(plan.storage[v]), []).append(v)
    for chain in chains.values():
        segment: list[Var] = []
        for v in chain:
            fits = segment and (segment[0].shape, segment[0].dtype) == (v.shape, v.dtype)
            authored = [s for s in segment if s.name and not s.name.startswith("~")]
            if not fits or v.name and not v.name.startswith("~") and authored:
                segment = [v]
                continue
            segment.append(v)
            best = min(segment, key=lambda s: (not s.name, s.name.startswith("~")))
            names |= dict.fromkeys(segment, names[best])
    for v, kind in plan.kind.items():
        if kind == "view" and v.op == ".T" and not v.name and f"{names[v.args[0]]}_T" not in names.values():
            names[v] = f"{names[v.args[0]]}_T"
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


SCALAR = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "less": "<", "greater": ">",
          "less_equal": "<=", "greater_equal": ">="}  # of single numbers: a fraction of the time of the function


class _Name(str):
    """A word that stands as it is."""


class Words:
    """The words for values: `names` for those that have one; the rest, and what is `inline`, is written out."""

    def __init__(self, names: dict[Var, str], inline: Iterable[Var] = ()) -> None:
        self.names, self.inline = names, inline

    def of(self, x: Any) -> str:
        if isinstance(x, Var):
            if x in self.inline:
                return f"({self.call(x)})"
            if x.op == "constant" and x.shape == ():
                return literal(x.value[()])
            return self.names[x]
        if isinstance(x, _Name):
            return x
        if isinstance(x, tuple):
            return f"({', '.join(map(self.of, x))}{',' * (len(x) == 1)})"
        if isinstance(x, list):
            return f"[{', '.join(map(self.of, x))}]"
        return literal(x)

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

    def call(self, v: Var) -> str:
        """The expression that gives a value."""
        args = v.args
        if v.op in ("[]", "item"):
            return f"{self.of(args[0])}[{self.index(args[1])}]"
        if v.op in (".T", ".mT"):
            return self.of(args[0]) + v.op
        if v.op == "py.same_shape":
            return f"{self.of(args[0])}.shape == {self.of(args[1])}"
        if v.shape == () and v.op[3:] in SCALAR and not v.kwargs:
            return f"{self.of(args[0])} {SCALAR[v.op[3:]]} {self.of(args[1])}"
        if v.op.startswith("py."):
            return f"{self.of(args[0])} {v.op[3:]} {self.of(args[1])}"
        if v.op.startswith("rng."):
            return f"{self.of(args[0])}{v.op[3:]}({self.arguments(args[1:], v.kwargs)})"
        if v.op.startswith("."):
            return f"{self.of(args[0])}{v.op}({self.arguments(args[1:], v.kwargs)})"
        return f"{v.op}({self.arguments(args, v.kwargs)})"

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
        return f"{v.args[1]}({self.arguments((_Name(name), *v.args[2:]), v.kwargs)})"

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


# ---------------------------------------------------------------- the whole module
SPREAD = '''from concurrent.futures import ThreadPoolExecutor

threads = ThreadPoolExecutor({0})


def spread(tile, tiles):
    def run(first):
        for each in tiles[first::{0}]:
            tile(*each)

    list(threads.map(run, range({0})))


'''


class Module:
    """The source text, and the order in which the function it makes is given its inputs and gives its results."""

    def __init__(self, program: Program, plan: Plan, name: str) -> None:
        self.program, self.plan = program, plan
        self.names = shared_names(named(program, [name]), plan)
        uses, ends = program.uses(), program.ends()
        self.inline = {v for v in program.body
                       if v.op.startswith("py.") and len(uses.get(v, ())) == 1 and v not in ends}
        self.words = Words(self.names, self.inline)
        static = [v for v in program.inputs if v in plan.static]
        self.bound = [v for kind in ("array", "item") for v in static if v.value[0] == kind]
        self.given = [v for v in program.inputs if v not in plan.static]
        self.constants = [v for v in plan.kind if v.op == "constant" and v.shape != () and not pattern(v.value)]
        self.placed: set[str] = set()  # names of arrays in the pool
        self.setup: list[str] = []
        self.body: list[str] = []
        self.groups = 0
        self.text = self._text(name)

    def _text(self, name: str) -> str:
        plan, words = self.plan, self.words
        for v in plan.kind:
            if v.op == "constant" and v.shape != () and v not in self.constants:
                self.setup.append(f"{words.of(v)} = {pattern(v.value)}")
        for step in plan.steps:
            if isinstance(step, Group):
                self._group(step)
            else:
                self._call(step)
        self._finish()
        returned = [*map(words.of, self.program.results),
                    *(words.of(v) for i, v in self.program.writes if i.shape is None)]
        own = all(plan.kind[v] == "own" for v in self.program.kept)
        kept = [words.of(v) for v in self.program.kept if own]
        returned += [words.of(v) for v in self.program.kept if not own]
        spread = SPREAD.format(plan.threads).splitlines() if plan.threads > 1 else ()
        bound = ", ".join(map(words.of, (*self.bound, *self.constants)))
        lines = ["import numpy as np", "", "", *spread, f"def make({bound}):"]
        if plan.storage:
            lines += [f"    pool = np.empty({plan.pool}, np.uint8)", "",
                      "    def array(at, shape, dtype):",
                      "        count = int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize",
                      "        return pool[at:at + count].view(dtype).reshape(shape)", ""]
        lines += [f"    {line}" for line in self.setup]
        lines += ["", f"    def {name}({', '.join(map(words.of, self.given))}):"]
        lines += [f"        {line}" for line in self.body]
        lines += [f"        return {words.of(tuple(returned)) if not returned else ', '.join(returned) + ','}", "",
                  f"    return {name}, ({''.join(k + ', ' for k in kept)})"]
        return "\n".join(lines) + "\n"

    def _call(self, v: Var) -> None:
        if v in self.inline:
            return
        plan, words, name = self.plan, self.words, self.names[v]
        kind, first = plan.kind[v], v.args[0] if v.args else None
        if kind == "view" and v in plan.static:
            self.setup.append(f"{name} = {words.call(v)}")
            return
        if kind in ("pool", "own", "in"):
            self._memory(v)
            same = isinstance(first, Var) and plan.storage.get(first, 0) is plan.storage.get(v, 1)
            lines = words.filled(v, name, same)
        else:
            lines = words.made(v)
        self.body += _commented(lines, v)

    def _memory(self, v: Var) -> None:
        plan, name = self.plan, self.words.of(v)
        if plan.kind[v] == "own":
            self.setup.append(f"{name} = np.empty({v.shape!r}, {literal(v.dtype)})")
        elif plan.kind[v] == "pool" and name not in self.placed:
            self.placed.add(name)
            self.setup.append(f"{name} = array({plan.storage[v].offset}, {v.shape!r}, {literal(v.dtype)})")

    def _group(self, group: Group) -> None:
        """A loop over tiles: what is the same in each call is cut into tiles once."""
        plan, lead, rows, step = self.plan, group.lead, group.rows, group.step
        self.groups += 1
        inside, tiles = dict(self.names), {}

        def rowed(v: Var) -> str:
            return f"{self.names[v]}.reshape({(rows, *v.shape[lead:])!r})" if lead > 1 else self.names[v]

        def tile(v: Var) -> None:
            name = f"{self.names[v]}_"
            if v in plan.static:
                tiles[name] = f"{rowed(v)}[i:i + {step}]"
            else:
                self.body.append(f"{name}rows = {rowed(v)}")
                name = f"{name}rows[i:i + {step}]"
            inside[v] = name

        for v in dict.fromkeys(group.sources()):
            if group.is_rowed(v):
                tile(v)
        for v in group.members:
            if v in plan.slots:
                at = f"{plan.storage[group].offset + plan.slots[v]}"
                if plan.threads > 1:  # a thread's scratch memory is its own
                    at += f" + i // {step} % {plan.threads} * {plan.scratch[group]}"
                inside[v] = f"{self.names[v]}_"
                tiles[inside[v]] = f"array({at}, {(step, *v.shape[lead:])!r}, {literal(v.dtype)})[:{rows} - i]"
            elif v in group.outputs and plan.kind[v] != "view":
                if plan.kind[v] == "numpy":
                    self.body.append(f"{self.names[v]} = np.empty({v.shape!r}, {literal(v.dtype)})")
                else:
                    self._memory(v)
                tile(v)
            else:
                inside[v] = f"{self.names[v]}_"
        words, loop = Words(inside, self.inline), []
        for v in group.members:
            loop += _commented(self._in_tile(v, group, words), v)
        names = "".join(f", {n}" for n in tiles)
        self.setup.append(f"tiles_{self.groups} = [(i{''.join(', ' + t for t in tiles.values())},) "
                          f"for i in range(0, {rows}, {step})]")
        number, count = self.groups, f"  # {step} of {rows} rows at a time"
        if plan.threads > 1:
            self.body += [f"def tile_{number}(i{names}):{count}", *(f"    {line}" for line in loop),
                          f"spread(tile_{number}, tiles_{number})"]
        else:
            self.body += [f"for i{names or ','} in tiles_{number}:{count}", *(f"    {line}" for line in loop)]
        for v in group.outputs:
            if plan.kind[v] == "view":
                self._call(v)

    def _in_tile(self, v: Var, group: Group, words: Words) -> list[str]:
        lead, ndim = group.lead, len(v.shape)
        if v.op == "[]":
            if v.args[1][0] is Ellipsis:
                return [f"{words.of(v)} = {words.call(v)}"]
            return [f"{words.of(v)} = {words.of(v.args[0])}[{words.index((slice(None), *v.args[1][lead:]))}]"]
        if v.op == ".reshape":
            return [f"{words.of(v)} = {words.of(v.args[0])}.reshape({(-1, *v.shape[lead:])!r})"]
        if not fills(v) and v not in group.outputs:
            return [f"{words.of(v)} = {words.call(v)}"]
        kwargs, whole = dict(v.kwargs), dict(words.names)
        if v.is_reduction:
            of = len(v.args[0].shape)
            axes = kwargs["axis"] if isinstance(kwargs["axis"], tuple) else (kwargs["axis"],)
            axes = tuple(a % of - of for a in axes)
            kwargs["axis"] = axes if len(axes) > 1 else axes[0]
        for s in variables(v.args):
            if s.shape and len(s.shape) > ndim - lead + 1 and not group.is_rowed(s):
                whole[s] = f"{whole[s]}.reshape({s.shape[lead - ndim:]!r})"
        moved = Var(v.op, v.args, kwargs, v.shape, v.dtype)
        return Words(whole | {moved: words.of(v)}, self.inline).filled(moved, words.of(v), False)

    def _finish(self) -> None:
        """The writes that are left."""
        words = self.words
        moved = []
        for i, v in self.plan.copies:
            if v.op == "input" or self.plan.kind[v] == "view":  # it may be overwritten by another of them
                self.body.append(f"{words.of(i)}_new = {words.of(v)}.copy()")
                moved.append((words.of(i), f"{words.of(i)}_new"))
            else:
                moved.append((words.of(i), words.of(v)))
        self.body += [f"np.copyto({target}, {value})" for target, value in moved]


def _commented(lines: list[str], v: Var) -> list[str]:
    """The last line with the value's shape."""
    if v.shape is None or v.op == "check":
        return lines
    return [*lines[:-1], f"{lines[-1]:<{min(WIDTH, max(60, len(lines[-1])))}}  # {v.shape}"]
