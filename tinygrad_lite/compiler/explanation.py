"""What the passes did, in words."""

import difflib
from collections.abc import Sequence

from .memory import Plan
from .program import Program
from .tiles import Group
from .words import Words, named


def listing(program: Program) -> list[str]:
    """The program, a line a call, without buffers."""
    words = Words(named(program))
    return [line for v in program.body for line in words.made(v)]


def explained(stages: Sequence[tuple[str, Program]], plan: Plan, changes: bool) -> str:
    """A line a pass, with `changes` followed by the calls it took away and put in; then the memory."""
    lines = []
    before: Program | None = None
    for name, program in stages:
        count = f"{len(program.body)} calls" if before is None else f"{len(before.body)} -> {len(program.body)} calls"
        lines.append(f"{name}: {count}")
        if changes and before is not None:
            found = difflib.unified_diff(listing(before), listing(program), n=0, lineterm="")
            lines += ["    " + line for line in found if not line.startswith(("---", "+++", "@@"))]
        before = program
    kinds = list(plan.kind.values())
    reused = kinds.count("pool") - len({id(s) for v, s in plan.storage.items() if not isinstance(v, Group)})
    groups = [s for s in plan.steps if isinstance(s, Group)]
    tiled = sum(len(g.members) for g in groups)
    lines += [f"memory: {kinds.count('view')} views, {kinds.count('in')} values made in the array they are for, "
              f"{reused} in place of one that is done with",
              f"tiles: {tiled} calls in {len(groups)} loops",
              f"peak: {plan.peak:,} bytes, of which the pool {plan.pool:,}"]
    return "\n".join(lines)
