"""How far one is, in tables."""

import json as json_module
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from ..engine.refusals import Told
from . import catalog
from .catalog import PATHS
from .drill import Drill
from .practice import Practice, Record, read


def clock(seconds: float | None) -> str:
    """Minutes and seconds, from an hour on hours too."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _rows(names: Iterable[str], practice: Practice) -> Iterator[tuple[str, Drill, Record]]:
    for name in names:
        try:
            yield name, catalog.load(name), practice.drills.get(name, Record())
        except Told as told:  # a drill of one's own that no longer loads
            print(f"tinygrad-lite: {told}", file=sys.stderr)


def _table(title: str, names: Iterable[str], practice: Practice) -> None:
    print(f"{title:28}{'difficulty':12}{'minutes':>7}{'best':>8}{'streak':>8}")
    for name, drill, record in _rows(names, practice):
        best = clock(record.best)
        print(f"    {name:24}{drill.difficulty:12}{drill.minutes:7}{best:>8}{record.streak:8}  {drill.title}")


def _print_json(value: Any) -> None:
    print(json_module.dumps(value, indent=1))


def show_list(json: bool) -> None:
    """All drills, path by path."""
    practice = read()
    if json:
        _print_json([{"name": name, "title": drill.title, "difficulty": drill.difficulty, "minutes": drill.minutes,
                      "tensor": bool(drill.differentiable), "best": record.best, "streak": record.streak,
                      "due": record.due, "path": next((path for path in PATHS if name in PATHS[path]), None)}
                     for name, drill, record in _rows(catalog.names(), practice)])
        return
    for title, names in [*PATHS.items(), ("your own", catalog.own())]:
        if names:
            _table(title, names, practice)
    print("begin with: tinygrad-lite drill start softmax")


def show_path(path: str | None) -> None:
    """The drills of a path in their order, and which of them is next."""
    practice = read()
    for title in [path] if path else PATHS:
        _table(title, PATHS[title], practice)
        following = next((name for name in PATHS[title] if not practice.of(name).solved), None)
        print(f"next: tinygrad-lite drill start {following}" if following else "all of it is solved")


def show_review(json: bool) -> None:
    """What to practice today."""
    practice = read()
    due, new = practice.due(), practice.new()
    if json:
        _print_json({"due": due, "new": new})
        return
    for title, names in (("due today", due), ("new for you", new)):
        if names:
            _table(title, names, practice)
    first = [*due, *new][:1]
    print(f"begin with: tinygrad-lite drill start {first[0]}" if first else "nothing is due today")


def show_stats(json: bool) -> None:
    """What one has practiced."""
    practice = read()
    solved = {name: record.solved for name, record in practice.drills.items() if record.solved}
    times = {name: [each["seconds"] for each in successes] for name, successes in solved.items()}
    counts = sorted(practice.mistakes.items(), key=lambda item: -item[1])
    found: dict[str, Any] = {
        "solved": [*times], "drills": len(catalog.names()), "successes": sum(map(len, times.values())),
        "seconds": sum(map(sum, times.values())), "days": practice.days(), "mistakes": dict(counts),
        "exams": practice.exams}
    if json:
        _print_json(found)
        return
    print(f"{len(times)} of {found['drills']} drills solved; successes: {found['successes']}, in "
          f"{clock(found['seconds'])}; days in a row: {found['days']}")
    for title, names in PATHS.items():
        print(f"    {title:12}{sum(name in times for name in names):3} of {len(names)}")
    for name, count in counts[:5]:
        print(f"a mistake made {count} time{'s' * (count > 1)}: {name}")
    for each in practice.exams[-3:]:
        day = time.strftime("%Y-%m-%d", time.localtime(each["at"]))
        print(f"exam of {day}: {len(each['passed'])} of {len(each['names'])} passed")
