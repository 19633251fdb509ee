"""The command `tinygrad-lite drill`: its flags, and what is done with one drill."""

import json
import keyword
import sys
import time
from pathlib import Path
from typing import Any

from ..engine.refusals import Told
from ..saving import replace_file
from . import catalog, exams, progress, source
from .catalog import PATHS
from .exams import left
from .practice import Practice, changing, read
from .progress import clock
from .report import Report
from .sandbox import check_file
from .validate import faults
from .writing import FOLDER, write_file

POLL = 0.3  # seconds
HELP = {
    "list": "all drills, with your best times (`drill` alone does this)",
    "start": "write drills/NAME.py with an empty body, and start the clock",
    "check": "try the solution, and say what is wrong and why", "hint": "one hint more",
    "solution": "the reference with its reasoning", "stats": "what you have practiced",
    "review": "what to practice today", "exam": "three drills at random, with a clock and without hints",
    "path": "drills in an order in which one builds on another", "add": "take a drill of your own"}


def add_parser(commands: Any) -> None:
    """The command with its flags."""
    drill = commands.add_parser("drill", help="practice: code it from an empty file, and be told what is wrong and why")
    drill.set_defaults(action=None)
    actions = drill.add_subparsers(dest="action", metavar="action")
    made = {name: actions.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
            for name, help in HELP.items()}
    made["start"].add_argument("name")
    for name in ("check", "hint", "solution"):
        made[name].add_argument("name", nargs="?", help="a drill; without it, the one that was started last")
    for name in ("start", "check"):
        made[name].add_argument("--on", choices=["numpy", "tensor"], help="arrays, or Tensors with their gradients")
    for name in ("list", "check", "stats", "review"):
        made[name].add_argument("--json", action="store_true", help="for editors")
    made["check"].add_argument("--file", type=Path, help="where the solution is, if not where start has written it")
    made["check"].add_argument("--watch", action="store_true", help="check again whenever the file is saved")
    made["exam"].add_argument("--report", action="store_true", help="end the exam, and say how it went")
    made["exam"].add_argument("--path", choices=[*PATHS], help="draw from this path only")
    made["path"].add_argument("path", choices=[*PATHS], nargs="?", help="default: all of them")
    made["add"].add_argument("file", type=Path, help="docs/add/drill.md says what is in it")


def run(action: str | None, **options: Any) -> int:
    """Do what the command asks for; 0 where it went well."""
    if action is None:
        action, options = "list", {"json": False}
    actions: dict[str, Any] = {"list": progress.show_list, "stats": progress.show_stats, "review": progress.show_review,
                               "path": progress.show_path, "exam": exams.exam, "start": start, "check": check,
                               "hint": hint, "solution": solution, "add": add}
    return actions[action](**options) or 0


def start(name: str, on: str | None) -> None:
    """Write the empty file and start the clock."""
    with changing() as practice:
        exams.refuse(name, practice)
        said = write_file(name, on or "numpy", practice)
    print(*said, f"the clock runs: {catalog.load(name).minutes} minutes are suggested",
          f"then: tinygrad-lite drill check {name}", sep="\n")


def _named(name: str | None, practice: Practice) -> str:
    if not (name or practice.last):
        raise Told("which drill? tinygrad-lite drill lists them, and drill start NAME begins one")
    name = name or practice.last
    catalog.load(name)
    return name


def check(name: str | None, on: str | None, file: Path | None, watch: bool, json: bool) -> int:
    """Try the solution, with watch whenever it is saved, until it passes; 1 where it does not pass."""
    practice = read()
    name = _named(name, practice)
    record, here = practice.of(name), FOLDER / f"{name}.py"
    path = file or (here if here.exists() or not record.file else Path(record.file))
    on, seen = on or record.on, None
    catalog.need_tensors(name, on)
    while True:
        saved = path.stat().st_mtime_ns if path.is_file() else None
        if saved is None and seen is None:
            raise Told(f"there is no file {path}: tinygrad-lite drill start {name} writes it")
        if saved not in (seen, None):  # None: an editor is about to put the new file in the place of the old
            seen = saved
            passed = _check_once(name, path, on, json)
            if passed or not watch:
                return 0 if passed else 1
            print(f"watching {path}; Ctrl-C ends it", file=sys.stderr)
        time.sleep(POLL)


def _check_once(name: str, path: Path, on: str, as_json: bool) -> bool:
    report = check_file(name, path, on)
    with changing() as practice:
        taught = not (practice.exam and name in practice.exam.names)
        said = _noted(name, report, practice)
    text = json.dumps(report.as_dict(taught), indent=1) if as_json else "\n".join([report.text(taught), *said])
    print(text, flush=True)
    return report.passed


def _noted(name: str, report: Report, practice: Practice) -> list[str]:
    """Keep how a check went; what is to be said after it."""
    record, drill, exam = practice.of(name), catalog.load(name), practice.exam
    for mistake in report.mistakes:
        practice.mistakes[f"{name}: {mistake}"] = practice.mistakes.get(f"{name}: {mistake}", 0) + 1
    if exam and name in exam.names:
        exam.note(name, report.passed)
        return [f"{len(exam.passed)} of the exam's {len(exam.names)} pass; {left(exam)}"]
    if not report.passed:
        return []
    aloud = ["say aloud:", *(f"- {pitfall}" for pitfall in drill.pitfalls)]
    if not record.started:
        return [f"no clock was running: tinygrad-lite drill start {name} starts one", *aloud]
    seconds = time.time() - record.started
    helped = "after a look at the solution" if record.looked else f"hints: {record.hints}"
    record.solve(seconds, drill.minutes)
    best = f"; your best is {clock(record.best)}" if record.best is not None else ""
    took = clock(record.solved[-1]["seconds"])
    return [f"solved in {took} ({drill.minutes} minutes are suggested), {helped}{best}; due again {record.due}", *aloud]


def hint(name: str | None) -> None:
    """One hint more."""
    with changing() as practice:
        name = _named(name, practice)
        exams.refuse(name, practice)
        record, hints = practice.of(name), catalog.load(name).hints
        record.hints = min(record.hints + 1, len(hints))
    print(f"{name}, hint {record.hints} of {len(hints)}: {hints[record.hints - 1]}")
    if record.hints == len(hints):
        print(f"this is the last: tinygrad-lite drill solution {name} shows the reference")


def solution(name: str | None) -> None:
    """The reference with its reasoning."""
    with changing() as practice:
        name = _named(name, practice)
        exams.refuse(name, practice)
        practice.of(name).looked = True
    print(source.solution(catalog.load(name)))


def add(file: Path) -> None:
    """Take a drill of one's own, where it can be trusted."""
    if not file.is_file():
        raise Told(f"there is no file {file}")
    name = file.stem
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or len(name) > 50:
        raise Told(f"name the file like a variable, with letters, digits and _, which {file.name!r} is not")
    if any(name in names for names in PATHS.values()):
        raise Told(f"there is a drill {name} already: give the file another name")
    if found := [*faults(catalog.from_file(file))]:
        raise Told(f"{file} cannot be taken:\n" + "\n".join(f"- {fault}" for fault in found))
    kept = catalog.own_folder() / "drills" / f"{name}.py"
    kept.parent.mkdir(parents=True, exist_ok=True)
    replace_file(kept, file.read_bytes())
    print(f"added: {kept}", f"then: tinygrad-lite drill start {name}", sep="\n")
