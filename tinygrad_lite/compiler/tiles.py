"""Calls that work row by row, gathered into groups: a group runs over large arrays in tiles that stay in the cache."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .layout import Layout, elementwise, fills
from .program import Program, Var, variables

TILE = 1 << 15  # elements of an array that are worked on at a time: a few such arrays stay in the second-level cache
SMALLEST = 1 << 18  # elements from which on tiles are worth their slices
LONGEST = 64  # calls in a group


@dataclass(eq=False)
class Group:
    """Calls whose i-th row comes from the i-th rows alone; the first `lead` dimensions together count as rows."""

    members: list[Var]
    lead: int
    outputs: list[Var] = field(default_factory=list)  # what is read outside

    @property
    def rows(self) -> int:
        return math.prod(self.members[0].shape[: self.lead])

    @property
    def step(self) -> int:
        """Rows a tile."""
        widest = max(v.size // self.rows for v in self.members)
        return min(self.rows, max(1, TILE // widest))

    def is_rowed(self, v: Any) -> bool:
        """Whether a value has the rows of the group, and is not the same for all of them."""
        return isinstance(v, Var) and v.shape is not None and v.shape[: self.lead] == \
            self.members[0].shape[: self.lead]

    def sources(self) -> Iterator[Var]:
        """What is read from outside."""
        own = set(self.members)
        return (s for v in self.members for s in v.sources() if s not in own)


def _of_all_rows(shape: tuple, ndim: int, lead: int) -> bool:
    """Whether an operand that is broadcast to ndim dimensions is the same for each row."""
    return all(n == 1 for n in ((1,) * (ndim - len(shape)) + shape)[:lead])


def _fits(v: Var, group: Group, lead: int, layout: Layout) -> bool:
    """Whether v can be computed row by row."""
    rows = group.members[0].shape[:lead]
    if v.shape is None or v.shape[:lead] != rows or len(rows) < lead:
        return False
    own = set(group.members)
    for s in v.sources():
        if s.shape is None or s.shape == ():
            continue
        rowed = s.shape[:lead] == rows
        if rowed and s not in own and not layout.merges(s, lead):
            return False
        if elementwise(v):  # what has as many rows by chance only, and is broadcast, does not fit
            if len(s.shape) != len(v.shape) if rowed else not _of_all_rows(s.shape, len(v.shape), lead):
                return False
        elif rowed == (s is not v.args[0]):
            return False
    if elementwise(v):
        return True
    if v.op in ("np.matmul", "np.dot"):  # a sum along the last dimension
        return len(v.args[1].shape) == 1 and v.args[1].op == "constant" and len(v.args[0].shape) > lead
    if v.is_reduction:
        axes = v.kwargs["axis"]
        ndim = len(v.args[0].shape)
        axes = range(ndim) if axes is None else (axes,) if isinstance(axes, int) else axes
        return all(a % ndim >= lead for a in axes)
    if v.op == "[]":
        index = v.args[1]
        if index == (Ellipsis, None):
            return True
        return isinstance(index, tuple) and len(index) > lead and all(i == slice(None) for i in index[:lead]) \
            and all(i is None or i == slice(None) for i in index)
    return v.op == ".reshape" and v.args[0] in own


def grouped(program: Program, layout: Layout) -> list[Any]:
    """The program's calls in an order that keeps dependencies, with those that gain from tiles in groups."""
    steps: list[Any] = []
    opened: list[Group] = []
    of: dict[Var, Group] = {}

    def close(group: Group) -> None:  # as a group only where tiles are worth it
        opened.remove(group)
        worth = len([v for v in group.members if v.op not in ("[]", ".reshape")]) > 1
        if worth and max(v.size for v in group.members) >= SMALLEST:
            steps.append(group)
        else:
            steps.extend(group.members)

    for v in program.body:
        needed = list(dict.fromkeys(of[s] for s in v.sources() if s in of and of[s] in opened))
        home = next((g for g in (*needed[::-1], *opened[::-1]) if _joins(v, g, layout)), None)
        for g in needed:
            if g is not home:
                close(g)
        if home is None and elementwise(v) and v.shape and v.size >= SMALLEST:
            lead = max(len(v.shape) - 1, 1)
            home = Group([], lead)
            opened.append(home)
            home.members.append(v)
            home.lead = next((k for k in range(lead, 0, -1) if _fits(v, home, k, layout)), 0)
            if not home.lead:
                opened.remove(home)
                home = None
        elif home is not None:
            home.members.append(v)
        if home is None:
            steps.append(v)
        else:
            of[v] = home
    for g in list(opened):
        close(g)
    uses, ends = program.uses(), set(program.ends())
    for g in steps:
        if isinstance(g, Group):
            own = set(g.members)
            outside = {v for v in own if v in ends or any(u not in own for u in uses.get(v, ()))}
            for v in reversed(g.members):
                if v in outside and layout.is_view(v):  # what it shows is read outside too
                    outside.add(v.args[0])
            g.outputs = [v for v in g.members if v in outside]
    return steps


def _joins(v: Var, group: Group, layout: Layout) -> bool:
    """Whether v can be the next of a group, if need be with fewer dimensions merged into its rows."""
    if v.op == "check" or v.shape is None or len(group.members) >= LONGEST:
        return False
    for lead in range(group.lead, 0, -1):
        if _fits(v, group, lead, layout) and (lead == group.lead or all(
                _fits(m, group, lead, layout) for m in group.members)):
            group.lead = lead
            return True
    return False


def scratch_slots(group: Group, given: set[Var]) -> tuple[dict[Var, int], int]:
    """Offsets in a tile's scratch memory for the values that live inside a group only, and its size in bytes.

    given: members that have memory of their own, so that what is computed into them needs no scratch.
    """
    last = {s: i for i, v in enumerate(group.members) for s in v.sources()}
    for i, v in enumerate(group.members):  # a view keeps alive what it shows
        if v.op in ("[]", ".reshape"):
            last[v.args[0]] = max(last[v.args[0]], last.get(v, i))
    slots: dict[Var, int] = {}
    free: dict[int, list[int]] = {}
    size = 0
    for i, v in enumerate(group.members):
        if v in given or not fills(v) or v.op == ".reshape":
            continue
        nbytes = -(-v.nbytes // group.rows * group.step // 64) * 64
        reused = next((s for s in variables(v.args) if elementwise(v) and s in slots and
                       last[s] == i and (s.shape, s.dtype) == (v.shape, v.dtype)), None)
        if reused is not None:
            slots[v] = slots[reused]
        elif free.get(nbytes):
            slots[v] = free[nbytes].pop()
        else:
            slots[v], size = size, size + nbytes
        for s in set(v.sources()):
            if s in slots and last[s] == i and slots[s] != slots[v]:
                free.setdefault(-(-s.nbytes // group.rows * group.step // 64) * 64, []).append(slots[s])
    return slots, size
