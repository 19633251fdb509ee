"""What the passes made of a program, its memory and its time, in sentences."""

import statistics
from collections.abc import Sequence

from .memory import Plan
from .program import Program

DID = {  # what each pass does with the calls that it takes away, or puts in
    "dead_code": "that nobody reads the result of",
    "fold_constants": "that give the same each time",
    "views_for_copies": "that copy what never changes",
    "simplify": "that do nothing, such as x * 1",
    "common_subexpressions": "that compute what is known already",
    "lowered": "to products, also with ones for sums",
    "own_memory": "to copies of what is handed out",
}


def explained(stages: Sequence[tuple[str, Program]], plan: Plan, first: float, times: Sequence[float]) -> str:
    """A sentence for each pass that changed something, for the memory, and for the time (in seconds)."""
    (_, recorded), (_, final) = stages[0], stages[-1]
    lines = [f"The call was recorded as {len(recorded.body)} numpy calls; {len(final.body)} are left."]
    for (_, before), (name, after) in zip(stages, stages[1:]):
        old, new = {id(v) for v in before.body}, {id(v) for v in after.body}
        changed, count = len(old - new), len(after.body) - len(before.body)
        if count < 0:
            lines.append(f"{name} took away {-count} {DID[name]}.")
        elif count > 0:
            lines.append(f"{name} added {count} {DID[name]}.")
        elif changed:
            lines.append(f"{name} rewrote {changed} {DID[name]}.")
    kinds = list(plan.kind.values())
    reused = kinds.count("pool") - len({id(s) for s in plan.storage.values()})
    lines.append(f"{_count(kinds.count('view'), 'value is a view', 'values are views')}, "
                 f"{_count(kinds.count('in'), 'is', 'are')} computed right into the array that takes it, and "
                 f"{_count(reused, 'takes', 'take')} the place of one that is done with.")
    lines.append(f"A call needs {plan.peak:,} bytes at its peak, {plan.pool:,} of which are a pool that calls use again.")
    if times:
        lines.append(f"A call takes {statistics.median(times) * 1e6:,.0f} us; the first call, which ran as it is, took "
                     f"{first * 1e6:,.0f} us.")
    return "\n".join(lines)


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
