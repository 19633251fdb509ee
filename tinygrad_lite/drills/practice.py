"""What one has practiced, and when to practice it again: a JSON file in the user's data directory."""

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from ..engine.refusals import Told
from ..saving import replace_file
from .catalog import PATHS, own_folder

YEAR = 365  # days, the longest that one waits
IN_TIME, LATE = 3, 2  # how many times as long one waits after a success without hints
DAY = 86_400.0  # seconds, the longest time that is noted
NEW = 3  # drills that a review proposes at least


@dataclass
class Record:
    """What is known of one drill. started: when the clock was, 0.0 where it does not run; hints, looked (at the
    solution): of this attempt; solved: a dict a success, with at, seconds, hints, looked; interval: days from the last
    success to the date on which it is due."""

    file: str = ""
    on: str = "numpy"
    started: float = 0.0
    hints: int = 0
    looked: bool = False
    solved: list = field(default_factory=list)
    interval: int = 0
    due: str = ""

    @property
    def best(self) -> float | None:
        """The shortest time in seconds, without a look at the solution."""
        return min((each["seconds"] for each in self.solved if not each["looked"]), default=None)

    @property
    def streak(self) -> int:
        """The last successes without hints, in a row."""
        helped = [bool(each["hints"] or each["looked"]) for each in reversed(self.solved)]
        return helped.index(True) if True in helped else len(helped)

    def begin(self, file: Path, on: str) -> None:
        """Start the clock; hints and a look at the solution count until it is solved."""
        self.file, self.on, self.started = str(file.resolve()), on, time.time()

    def solve(self, seconds: float, minutes: float) -> None:
        """Note a success, and when to practice again: later after a success without help, sooner after one with."""
        seconds = seconds if 0 <= seconds <= DAY else DAY  # over night, or the clock was changed
        self.solved.append({"at": time.time(), "seconds": seconds, "hints": self.hints, "looked": self.looked})
        early = self.due > str(date.today())
        if self.looked:
            self.interval = 1
        elif self.hints:
            self.interval = max(1, self.interval // (1 + self.hints))
        elif not early:  # what is repeated before its time is not known for longer
            self.interval = max(1, self.interval * (IN_TIME if seconds <= 60 * minutes else LATE))
        self.wait(self.interval)

    def wait(self, days: int) -> None:
        """End the attempt, and make the drill due in so many days."""
        self.interval = min(days, YEAR)
        self.due = str(date.today() + timedelta(self.interval))
        self.started, self.hints, self.looked = 0.0, 0, False


@dataclass
class Exam:
    """An exam that is going on. passed: the seconds that each drill took which passes."""

    names: list
    started: float
    minutes: int
    passed: dict = field(default_factory=dict)

    @property
    def left(self) -> float:
        """Seconds until the time is up; below 0 after it."""
        return self.started + 60 * self.minutes - time.time()

    def note(self, name: str, passed: bool) -> None:
        """Count a drill that passes in time."""
        if passed and self.left > 0 and name not in self.passed:
            self.passed[name] = time.time() - self.started - sum(self.passed.values())


@dataclass
class Practice:
    """All of it. last: the drill that was started last; exams: a dict an exam that has ended; mistakes: how often each
    was made, by its name after the drill's."""

    drills: dict = field(default_factory=dict)
    last: str = ""
    exam: Exam | None = None
    exams: list = field(default_factory=list)
    mistakes: dict = field(default_factory=dict)

    def of(self, name: str) -> Record:
        """The record of a drill."""
        return self.drills.setdefault(name, Record())

    def due(self) -> list[str]:
        """The drills to repeat today, those that are due longest first."""
        today, known = str(date.today()), sorted(self.drills.items(), key=lambda item: item[1].due)
        return [name for name, record in known if record.due and record.due <= today]

    def end(self, exam: Exam, minutes: dict[str, int]) -> None:
        """Keep how an exam went; minutes: what is suggested for its drills."""
        for name in exam.names:
            if name in exam.passed:
                self.of(name).solve(exam.passed[name], minutes.get(name, 0))
            else:
                self.of(name).wait(1)
        self.exams.append({"at": exam.started, "names": exam.names, "passed": exam.passed})
        self.exam = None

    def new(self) -> list[str]:
        """What comes next in the paths, that of the last drill first, as many as make a session with what is due."""
        ordered = sorted(PATHS.values(), key=lambda path: self.last not in path)
        unsolved = [name for path in ordered for name in path if not (self.of(name).solved or self.of(name).due)]
        return list(dict.fromkeys(unsolved))[: max(0, NEW - len(self.due()))]

    def days(self) -> int:
        """The days in a row, up to today or yesterday, on which something was solved."""
        solved = {date.fromtimestamp(each["at"]) for record in self.drills.values() for each in record.solved}
        day = date.today() if date.today() in solved else date.today() - timedelta(1)
        count = 0
        while day - timedelta(count) in solved:
            count += 1
        return count


def read() -> Practice:
    """The practice as it is kept; where the file is broken it is put aside, and one is told."""
    path = own_folder() / "practice.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not _fits(data, FORM):
            raise ValueError("it is not of the form that it is written in")
    except FileNotFoundError:
        return Practice()
    except (ValueError, RecursionError) as error:
        aside = path.with_name(f"practice-broken-{time.time_ns()}.json")
        path.replace(aside)
        print(f"tinygrad-lite: {path} could not be read ({error}); it is kept as {aside}, and a new one begins",
              file=sys.stderr)
        return Practice()
    practice = _made(Practice, data)
    practice.drills = {name: _made(Record, record) for name, record in practice.drills.items()}
    practice.exam = _made(Exam, practice.exam) if practice.exam else None
    return practice


def _made(kind: Any, data: dict) -> Any:
    return kind(**{each.name: data[each.name] for each in dataclasses.fields(kind)})


SOLVED = {"at": 0.0, "seconds": 0.0, "hints": 0, "looked": False}
RECORD = {**dataclasses.asdict(Record()), "solved": [SOLVED]}
EXAM = {"names": [""], "started": 0.0, "minutes": 0, "passed": {"": 0.0}}
FORM = {"drills": {"": RECORD}, "last": "", "exam": EXAM, "mistakes": {"": 0},
        "exams": [{"at": 0.0, "names": [""], "passed": {"": 0.0}}]}


def _fits(value: Any, form: Any) -> bool:
    """Whether what was read has a form: its keys and the types of its values; each element of a list, and of a dict
    with names as keys, is like the one; numbers are finite, and could be times."""
    if isinstance(form, list):
        return isinstance(value, list) and all(_fits(part, form[0]) for part in value)
    if isinstance(form, dict) and "" in form:
        return isinstance(value, dict) and all(_fits(part, form[""]) for part in value.values())
    if form is EXAM and value is None:
        return True
    if isinstance(form, dict):
        return isinstance(value, dict) and all(key in value and _fits(value[key], form[key]) for key in form)
    if isinstance(form, (bool, str)):
        return isinstance(value, type(form))
    return isinstance(value, int if isinstance(form, int) else (int, float)) and 0 <= value <= 1e10


@contextlib.contextmanager
def changing() -> Iterator[Practice]:
    """The practice, which is kept at the end: written beside the file and renamed, by one process at a time."""
    folder = own_folder()
    try:
        from filelock import FileLock
    except ImportError:
        raise Told('drills need platformdirs and filelock: pip install platformdirs filelock') from None
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "practice.lock"):
        practice = read()
        yield practice
        replace_file(folder / "practice.json", json.dumps(dataclasses.asdict(practice), indent=1).encode())
