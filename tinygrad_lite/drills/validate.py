"""Whether a drill can be trusted: its reference passes, and each of its wrong answers is recognized by name."""

from collections.abc import Iterator

from .drill import Drill
from .judge import examine, expectations, in_place, raised
from .source import solution, stub

LEAST = 3  # wrong answers


def faults(drill: Drill) -> Iterator[str]:
    """What is wrong with a drill, a sentence each."""
    try:
        yield from _faults(drill)
    except Exception as error:  # whatever somebody's drill does
        yield f"trying it {raised(error)}"


def _faults(drill: Drill) -> Iterator[str]:
    for what, there in {"a title and a task in its docstring": drill.title and drill.task, "hints": drill.hints,
                        "pitfalls": drill.pitfalls, "a reference": drill.references, "cases": drill.cases}.items():
        if not there:
            yield f"{what}: that is missing"
    if len({wrong.name for wrong in drill.wrongs}) < LEAST:
        yield f"it has {len({wrong.name for wrong in drill.wrongs})} wrong answers by name: {LEAST} are needed"
    unknown = {name for case in drill.cases for name in case.needs} - drill.references.keys()
    if unknown or not all(case.needs for case in drill.cases):
        yield f"a program's parameters are named after references, which {', '.join(sorted(unknown)) or 'none'} is not"
        return
    for name, made in drill.references.items():
        if not made.__doc__:
            yield f"{name} has no docstring, which says what goes in and what comes out"
    stub(drill, "drill", "numpy")
    solution(drill)
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
