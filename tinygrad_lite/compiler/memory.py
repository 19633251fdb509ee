"""Where the values of a program lie: in a pool that is used again as soon as nobody reads a value any more, in place
of a value that is read for the last time, or as a view of another.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .layout import Layout, elementwise, fills
from .program import Program, Slot, Var, may_raise, variables

ALIGNMENT = 64  # bytes: a line of the cache


@dataclass(eq=False)
class Storage:
    """Some bytes of the pool, from the step of the first write to that of the last read."""

    nbytes: int
    start: int
    end: int
    offset: int = 0


@dataclass
class Plan:
    """For each value the kind of its place.

    "pool", "in" (the array of the input that it becomes), "view", "numpy" (allocated anew by each call), "number",
    "input", "constant".
    """

    kind: dict[Var, str] = field(default_factory=dict)
    storage: dict[Var, Storage] = field(default_factory=dict)
    target: dict[Var, Var] = field(default_factory=dict)
    static: set[Var] = field(default_factory=set)  # the array is the same in each call
    copies: list[tuple[Var, Var]] = field(default_factory=list)  # writes that are left for the end
    pool: int = 0  # bytes
    peak: int = 0  # bytes: the pool, what is kept, and what numpy allocates


def planned(program: Program, layout: Layout) -> Plan:
    """Place every value of the program."""
    plan, root = Plan(), layout.root
    step = {v: i for i, v in enumerate(program.body)}
    last: dict[Var, int] = {}  # step of the last read, by root
    for i, v in enumerate(program.body):
        for source in v.sources():
            last[root[source]] = i
    plan.kind |= {v: v.op for v in program.inputs}
    plan.kind |= {s: s.op for v in program.body for s in v.sources() if s.op == "constant"}
    fresh = {root[v] for v in program.results}
    kept = {root[v] for v in program.kept}
    numbers = {v for v in step if v.section == "update" and v.shape is None and v.op != "check"}  # between the writes
    checks = max((i for v, i in step.items() if may_raise(v) and v not in numbers), default=-1)
    becomes = _written_in_place(program, plan, layout, step, last, fresh | kept, checks)
    for _, value in plan.copies:
        last[root[value]] = len(program.body)
    for i, v in enumerate(program.body):
        if v.shape is None:
            plan.kind[v] = "number"
        elif layout.is_view(v):
            plan.kind[v] = "view"
        elif v in becomes:
            plan.kind[v], plan.target[v] = "in", becomes[v]
        elif v in fresh or v in kept or not fills(v):  # gradients too: who holds one of before is not to see it change
            plan.kind[v] = "numpy"
        else:
            plan.kind[v] = "pool"
            plan.storage[v] = next((plan.storage[a] for a in _overwritable(v, plan, layout) if
                                    last[a] == i == plan.storage[a].end), None) or Storage(v.nbytes, i, i)
            plan.storage[v].end = max(plan.storage[v].end, last.get(v, i))
    for v in (*plan.kind,):
        kind = plan.kind[v]
        if kind in ("pool", "constant") or kind == "in" and plan.target[v] in plan.static or \
                kind == "input" and isinstance(v.value, Slot) and v.value.bound or \
                kind == "view" and all(s in plan.static for s in v.sources()):
            plan.static.add(v)
    _pack(plan)
    plan.peak = plan.pool + sum(v.nbytes for v, kind in plan.kind.items() if kind == "numpy")
    return plan


def _written_in_place(program: Program, plan: Plan, layout: Layout, step: dict, last: dict, outside: set[Var],
                      checks: int) -> dict[Var, Var]:
    """The values that are computed right into the array of the input that they become; the others are copied there
    at the end. Nothing is written before the last check and the last call that may fail, so that a program that stops
    has changed nothing."""
    becomes: dict[Var, Var] = {}
    for _, value in program.writes:  # one that becomes another is read at the end
        if layout.root.get(value, value).op == "input":
            last[layout.root.get(value, value)] = len(program.body)
    for i, value in program.writes:
        if value.shape is None:
            continue
        at = step.get(value, -1)
        before = last.get(i, -1) < at or last.get(i, -1) == at and elementwise(value) and \
            all(s is i for s in value.sources() if layout.root[s] is i)
        if at > checks and before and not layout.is_view(value) and value not in outside and value not in becomes \
                and fills(value) and value.op not in ("np.dot", "np.matmul") \
                and (value.shape, value.dtype) == (i.shape, i.dtype):
            becomes[value] = i
        else:
            plan.copies.append((i, value))
    return becomes


def _overwritable(v: Var, plan: Plan, layout: Layout) -> Iterator[Var]:
    """Arguments in the pool that v may overwrite as it is made."""
    if v.op == "put":
        candidates: Any = variables(v.args[:1])
    else:
        candidates = variables(v.args) if elementwise(v) else ()
    for shown in candidates:
        a = layout.root[shown]
        if plan.kind.get(a) == "pool" and (shown.shape, a.dtype, a.size) == (v.shape, v.dtype, v.size) and \
                layout.arrays[shown].flags.c_contiguous and \
                all(s is shown for s in v.sources() if layout.root[s] is a):
            yield a


def _pack(plan: Plan) -> None:
    """Offsets in the pool: large storages first, each at the lowest place that is free while it lives."""
    placed: list[Storage] = []
    for s in sorted(dict.fromkeys(plan.storage.values()), key=lambda s: (-s.nbytes, s.start)):
        s.offset = 0
        for o in sorted((o for o in placed if o.start <= s.end and s.start <= o.end), key=lambda o: o.offset):
            if s.offset + s.nbytes <= o.offset:
                break
            s.offset = max(s.offset, -(-(o.offset + o.nbytes) // ALIGNMENT) * ALIGNMENT)
        placed.append(s)
        plan.pool = max(plan.pool, s.offset + s.nbytes)
