"""Whether a drill can be trusted: its reference passes, and each of its wrong answers is recognised by name."""

from collections.abc import Iterator

from .drill import Drill
from .judge import examine, expectations, in_place

LEAST = 3  # wrong answers


def faults(drill: Drill) -> Iterator[str]:
    """What is wrong with a drill, a sentence each."""
    for what, there in {"a title and a task in its docstring": drill.title and drill.task, "hints": drill.hints,
                        "pitfalls": drill.pitfalls, "a reference": drill.references, "cases": drill.cases}.items():
        if not there:
            yield f"it has not {what}"
    if len({wrong.name for wrong in drill.wrongs}) < LEAST:
        yield f"it knows {len({wrong.name for wrong in drill.wrongs})} wrong answers; {LEAST} are the least"
    unasked = drill.references.keys() - {name for case in drill.cases for name in case.needs}
    yield from (f"no case asks for {name}" for name in sorted(unasked))
    expected = expectations(drill)
    for on in ("numpy", "tensor"):
        for result in examine(drill, drill.references, on, expected):
            if not result.passed:
                yield f"its reference fails on {on}: {result.sentence}"
    for wrong in drill.wrongs:
        with in_place(drill, wrong) as functions:
            failed = [result for result in examine(drill, functions, expected=expected) if not result.passed]
        if not failed:
            yield f"the wrong answer {wrong.name!r} passes: a case is missing"
        elif failed[0].mistake != wrong.name:
            yield (f"the wrong answer {wrong.name!r} is taken for {failed[0].mistake or 'nothing known'!r} in "
                   f"{failed[0].case}")
