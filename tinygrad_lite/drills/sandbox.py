"""A solution's file is tried in a process of its own, which has little time and memory and can write nowhere else."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import catalog, source
from .judge import Result
from .report import Report

SECONDS = 10  # for all checks of a drill
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def check_file(name: str, path: Path, on: str = "numpy") -> Report:
    """What is to be said of the solution in a file, whatever that does when it runs."""
    report, drill = Report(name, on), catalog.load(name)
    try:
        with tokenize.open(path) as file:
            text = file.read()
        forbidden, empty = source.problems(text, drill, on)
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        report.problems = [f"{where}Python cannot read the file: {error.msg}"]
        return report
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        report.problems = [f"Python cannot read the file: {error}"]
        return report
    report.problems = forbidden or [*empty.values()]
    if not forbidden:
        with _process(name, path, on, [*empty]) as (process, folder):
            code = _ended(process)
            _read(report, folder, path, code)
    return report


@contextlib.contextmanager
def _process(name: str, path: Path, on: str, skipped: list[str]) -> Iterator[tuple[subprocess.Popen, Path]]:
    """The process, in a folder that is removed after it; it and what it started are ended, whatever happens."""
    with tempfile.TemporaryDirectory(prefix="drill-", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        (folder / "work").mkdir()
        request = {"drill": name, "file": str(path.resolve()), "on": on, "folder": str(folder), "skipped": skipped,
                   "seconds": SECONDS}
        places = os.pathsep.join(os.path.abspath(place) for place in sys.path)
        environment = os.environ | dict.fromkeys(THREADS, "1") | {
            "PYTHONPATH": places, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder / "work")}
        with open(folder / "printed", "wb") as printed:
            process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.worker", json.dumps(request)], cwd=folder / "work",
                stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, env=environment, start_new_session=True)
        try:
            yield process, folder
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
            process.wait()


def _ended(process: subprocess.Popen) -> int | None:
    """The code with which the process ended by itself; None where it did not."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(SECONDS + 2)  # it ends itself, and says where it was
    return None


def _read(report: Report, folder: Path, path: Path, code: int | None) -> None:
    """What the process has written down."""
    doing, done = "", False
    for line in (folder / "results").read_text(encoding="utf-8").splitlines() if (folder / "results").exists() else []:
        with contextlib.suppress(ValueError):  # the last line of one that was killed
            event: dict[str, Any] = json.loads(line)
            report.asked = event.get("asked", report.asked)
            report.problems += event.get("problems", [])
            doing, done = event.get("doing", doing), event.get("done", done)
            if "result" in event:
                report.results.append(Result(**event["result"]))
            if "results" in event:
                report.results = [Result(**result) for result in event["results"]]
            report.ended = event.get("ended", report.ended)
    with open(folder / "printed", encoding="utf-8", errors="replace") as printed:
        report.printed = printed.read(2000)
    if not done and not report.ended:
        report.ended = _why(folder, path, code, doing)


def _why(folder: Path, path: Path, code: int | None, doing: str) -> str:
    """Why the process ended before its time, with the line of the file where it was."""
    trace = (folder / "trace").read_text(encoding="utf-8", errors="replace") if (folder / "trace").exists() else ""
    escaped = str(path.resolve()).encode("ascii", "backslashreplace").decode()
    places = re.findall(rf'File "{re.escape(escaped)}", line (\d+)', trace)
    where = ""
    if places:
        with contextlib.suppress(OSError, IndexError, SyntaxError, UnicodeDecodeError), tokenize.open(path) as file:
            where = f": it was in line {places[0]}: {file.read().splitlines()[int(places[0]) - 1].strip()}"
    doing = doing or "reading the file"
    if code is None or trace.startswith("Timeout"):
        return f"{doing} did not end within {SECONDS} seconds (a loop that never ends?){where}"
    if code < 0 or code >= 128:
        number = -code if code < 0 else code - 128
        name = signal.Signals(number).name if number in {*signal.Signals} else f"signal {number}"
        return f"{doing} ended the whole process ({name}; too deep a recursion, or too much memory?){where}"
    return f"{doing} ended the whole process with code {code} (a function returns its result){where}"
