"""A program as the text of a Python module that needs numpy alone."""

from .layout import fills
from .memory import Plan
from .program import Program, Var, variables
from .tiles import Group
from .words import Words, literal, named, pattern

WIDTH = 100  # where the comments with shapes start, at most


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
        self.names = shared_names(named(program, [name, "spread", "threads", "ThreadPoolExecutor"]), plan)
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
