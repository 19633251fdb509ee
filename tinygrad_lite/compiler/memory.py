"""Where the values of a program lie: in a pool that is used again as soon as nobody reads a value any more, in place
of a value that is read for the last time, or as a view of another.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .layout import Layout, elementwise, fills
from .program import Program, Var, variables
from .tiles import Group, scratch_slots

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

    "pool", "own" (memory of this value alone, for all calls), "in" (the array of the input that it becomes), "tile"
    (at `slots` in the scratch memory of its group), "view", "numpy" (allocated anew by each call), "number", "input",
    "constant".
    """

    steps: list[Any]
    kind: dict[Var, str] = field(default_factory=dict)
    storage: dict[Any, Storage] = field(default_factory=dict)  # of a value, or of a group's scratch memory
    slots: dict[Var, int] = field(default_factory=dict)
    scratch: dict[Group, int] = field(default_factory=dict)  # bytes a thread
    target: dict[Var, Var] = field(default_factory=dict)
    static: set[Var] = field(default_factory=set)  # the array is the same in each call
    copies: list[tuple[Var, Var]] = field(default_factory=list)  # writes that are left for the end
    pool: int = 0  # bytes
    threads: int = 1
    peak: int = 0  # bytes: the pool, what is kept, and what numpy allocates


def _calls(step: Any) -> list[Var]:
    return step.members if isinstance(step, Group) else [step]


def planned(program: Program, steps: list[Any], layout: Layout, threads: int = 1) -> Plan:
    """Place every value of the program, whose calls run in the order of `steps`, tiles in so many threads."""
    plan, root = Plan(steps, threads=threads), layout.root
    step_of = {v: i for i, step in enumerate(steps) for v in _calls(step)}
    last: dict[Var, int] = {}  # step of the last read, by root
    for i, step in enumerate(steps):
        for v in _calls(step):
            for source in v.sources():
                last[root[source]] = i
    plan.kind |= {v: v.op for v in program.inputs}
    plan.kind |= {s: s.op for v in step_of for s in v.sources() if s.op == "constant"}
    fresh = {root[v] for v in program.results}
    kept = {root[v] for v in program.kept}
    adds = any(v.value[0] == "grad" for v in program.inputs)
    becomes = _written_in_place(program, plan, layout, step_of, last, fresh | kept)
    for _, value in plan.copies:
        last[root[value]] = len(steps)
    for i, step in enumerate(steps):
        inside = set(_calls(step)) - set(step.outputs) if isinstance(step, Group) else set()
        for v in _calls(step):
            if v.shape is None:
                plan.kind[v] = "number"
            elif layout.is_view(v):
                plan.kind[v] = "view"
            elif v in becomes:
                plan.kind[v], plan.target[v] = "in", becomes[v]
            elif v in fresh or not (fills(v) or v in kept):
                plan.kind[v] = "numpy"
            elif v in kept:  # added to what is there already, it must not lie there
                plan.kind[v] = "numpy" if adds else "own"
            elif v in inside:
                plan.kind[v] = "tile"
            else:
                plan.kind[v] = "pool"
                plan.storage[v] = next((plan.storage[a] for a in _overwritable(v, step, plan, layout) if
                                        last[a] == i == plan.storage[a].end), None) or Storage(v.nbytes, i, i)
                plan.storage[v].end = max(plan.storage[v].end, last.get(v, i))
        if isinstance(step, Group):
            slots, plan.scratch[step] = scratch_slots(step, set(step.outputs))
            plan.slots |= slots
            plan.storage[step] = Storage(plan.scratch[step] * threads, i, i)
    for v in (*plan.kind,):
        kind = plan.kind[v]
        if kind in ("pool", "own", "in", "constant") or kind == "input" and v.shape is not None and \
                v.value[0] in ("array", "item") or kind == "view" and all(s in plan.static for s in v.sources()):
            plan.static.add(v)
    _pack(plan)
    plan.peak = plan.pool + sum(v.nbytes for v, kind in plan.kind.items() if kind in ("numpy", "own"))
    return plan


def _written_in_place(program: Program, plan: Plan, layout: Layout, step_of: dict, last: dict,
                      outside: set[Var]) -> dict[Var, Var]:
    """The values that are computed right into the array of the input that they become; the others are copied there
    at the end. Nothing is written before the last check, so that a call that stops has changed nothing."""
    becomes: dict[Var, Var] = {}
    checks = max((i for v, i in step_of.items() if v.op == "check"), default=-1)
    for i, value in program.writes:
        if value.shape is None:
            continue
        at = step_of.get(value, -1)
        before = last.get(i, -1) < at or last.get(i, -1) == at and elementwise(value) and \
            _read_until(value, i, plan.steps[at], layout)
        if at > checks and before and not layout.is_view(value) and value not in outside and value not in becomes \
                and fills(value) and value.op != "np.dot" and (value.shape, value.dtype) == (i.shape, i.dtype):
            becomes[value] = i
        else:
            plan.copies.append((i, value))
    return becomes


def _read_until(v: Var, shown: Var, step: Any, layout: Layout) -> bool:
    """Whether the memory that `shown` shows, overwritten as v is made, is read by no later call of the step, nor in
    another way (which in a group's later tiles would find it overwritten)."""
    calls, root, of = _calls(step), layout.root, layout.root[shown]
    if isinstance(step, Group) and any(root[s] is of and s is not shown for c in calls for s in c.sources()):
        return False
    return all(root[s] is not of for later in calls[calls.index(v) + 1 :] for s in later.sources())


def _overwritable(v: Var, step: Any, plan: Plan, layout: Layout) -> Iterator[Var]:
    """Arguments in the pool that v may overwrite as it is made."""
    if v.op == "put":
        candidates: Any = variables(v.args[:1])
    else:
        candidates = variables(v.args) if elementwise(v) else ()
    for shown in candidates:
        a = layout.root[shown]
        if plan.kind.get(a) == "pool" and (shown.shape, a.dtype, a.size) == (v.shape, v.dtype, v.size) and \
                layout.arrays[shown].flags.c_contiguous and _read_until(v, shown, step, layout):
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
