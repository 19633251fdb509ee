"""What the passes made of a program, its memory and its time, in sentences."""

import collections
import statistics
from collections.abc import Sequence

from .memory import Plan
from .program import Program

DID = {  # what each pass is for
    "dead_code": "nobody reads their results",
    "fold_constants": "what gives the same each time is computed once",
    "views_for_copies": "values never change, so no copy is needed",
    "simplify": "identities such as x * 1",
    "common_subexpressions": "what is known is not computed again",
    "lowered": "what the library does with arrays: products with ones for sums, long columns for short rows",
    "own_memory": "what is handed out is not used for something else",
}


def explained(stages: Sequence[tuple[str, Program]], plan: Plan, first: float, times: Sequence[float]) -> str:
    """A sentence for each pass that changed something, for the memory, and for the time (in seconds)."""
    (_, recorded), (_, final) = stages[0], stages[-1]
    lines = [f"The call was recorded as {_count(len(recorded.body), 'numpy call', 'numpy calls')}; the program makes "
             f"{len(final.body)}."]
    for (_, before), (name, after) in zip(stages, stages[1:]):
        old, new = (collections.Counter(v.op for v in program.body) for program in (before, after))
        gone, come = old - new, new - old
        if gone or come:
            lines.append(f"{name} {_told(gone, come)} ({DID[name]}).")
    kinds = list(plan.kind.values())
    reused = kinds.count("pool") - len({id(s) for s in plan.storage.values()})
    lines += [f"{_count(n, 'value', 'values')} {what}." for n, what in (
        (kinds.count("view"), "shown as views of others"),
        (kinds.count("in"), "computed right into the array they are for"),
        (reused, "put in the place of one that is done with")) if n]
    lines.append(f"A call needs {plan.peak:,} bytes at its peak; {plan.pool:,} of them are a pool that is used again.")
    if times:
        lines.append(f"A call takes {statistics.median(times) * 1e6:,.0f} us; the first call, which ran as it is, took "
                     f"{first * 1e6:,.0f} us.")
    return "\n".join(lines)


def _told(gone: collections.Counter, come: collections.Counter) -> str:
    """What went and what came, in words."""
    sides = [", ".join(f"{n} {op.removeprefix('py.')}" for op, n in side.items()) for side in (gone, come)]
    if not come:
        return f"took away {sides[0]}"
    return f"put {sides[1]} in the place of {sides[0]}" if gone else f"added {sides[1]}"


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
