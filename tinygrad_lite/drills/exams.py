"""Exams: three drills at random, one clock for all, and no hints."""

import random
import time
from pathlib import Path

from ..engine.refusals import Told
from . import catalog
from .catalog import PATHS
from .practice import Exam, Practice, changing, read
from .progress import clock
from .report import Report
from .sandbox import check_file
from .writing import write_file

DRAWN = 3
END = "tinygrad-lite drill exam --report"


def exam(report: bool, path: str | None) -> int:
    """Begin an exam, say how much time is left, or end it with a report; 1 where something in it does not pass."""
    with changing() as practice:
        going_on = practice.exam
        begun = [] if report or going_on else _begin(PATHS[path] if path else catalog.names(), practice)
    if report and going_on is None:
        raise Told("there is no exam: tinygrad-lite drill exam begins one")
    if going_on is None:
        print(*begun, sep="\n")
    elif report:
        return _end(going_on)
    else:
        print(f"an exam is going on: {', '.join(going_on.names)}; {left(going_on)}; {END} ends it")
    return 0


def left(exam: Exam) -> str:
    """How much time there is."""
    return f"{clock(exam.left)} left" if exam.left > 0 else f"the time is up: {END}"


def refuse(name: str, practice: Practice) -> None:
    """Told where a drill is part of an exam."""
    if practice.exam and name in practice.exam.names:
        raise Told(f"{name} is in the exam that is going on: no help before {END}")


def _begin(names: list[str], practice: Practice) -> list[str]:
    """Draw the drills, write their files, and start the clock; what is to be said."""
    drills = catalog.loadable(names)
    drawn = random.sample(sorted(drills), DRAWN)
    said = [line for name in drawn for line in write_file(name, "numpy", practice)]
    minutes = sum(drills[name].minutes for name in drawn)
    practice.exam = Exam(drawn, time.time(), minutes)
    return [*said, f"the clock runs: {minutes} minutes for all three",
            f"check with tinygrad-lite drill check NAME, as often as you like; {END} ends it"]


def _end(exam: Exam) -> int:
    """Try what has not passed yet, plan the next reviews, and say how it went."""
    practice = read()
    reports = {name: _tried(name, Path(practice.of(name).file)) for name in exam.names if name not in exam.passed}
    for name, found in reports.items():
        exam.note(name, found.passed)
    minutes = {name: drill.minutes for name, drill in catalog.loadable(exam.names).items()}
    with changing() as practice:
        practice.end(exam, minutes)
    used = clock(60 * exam.minutes - max(0, exam.left))
    print(f"exam: {len(exam.passed)} of {len(exam.names)} pass, in {used} of {exam.minutes} minutes")
    for name in exam.names:
        done = f"passed in {clock(exam.passed[name])}" if name in exam.passed else "not passed, due again tomorrow"
        print(f"    {name:24}{done} ({minutes.get(name, '?')} minutes are suggested)")
    for name, found in reports.items():
        if name not in exam.passed:
            print(f"{found.text()}{' now, but the time was up' if found.passed else ''}")
    return 0 if len(exam.passed) == len(exam.names) else 1


def _tried(name: str, file: Path) -> Report:
    """A check of what is there."""
    try:
        catalog.load(name)
    except Told as told:  # a drill of one's own that is gone
        return Report(name, problems=[str(told)])
    return check_file(name, file) if file.is_file() else Report(name, problems=[f"there is no file {file}"])
