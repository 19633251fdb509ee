"""A solution's file is tried in a process of its own, which has little time and memory and can write nowhere else."""

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .judge import Result
from .report import Report

SECONDS = 10  # for all checks of a drill
BROKEN = 70  # how the process ends where the checks themselves cannot go on
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def check_file(name: str, path: str | Path, on: str = "numpy") -> Report:
    """Check the solution in a file, in a process of its own with little time and memory, whatever it does there.

    name: of the drill; on: "numpy" or "tensor". All checks together have 10 seconds.

    >>> from pathlib import Path
    >>> from tinygrad_lite.drills import check_file
    >>> path = Path("logsumexp.py")
    >>> length = path.write_text("def logsumexp(x, axis=-1, keepdims=False): ...")
    >>> check_file("logsumexp", path)
    logsumexp: nothing could be checked:
    - logsumexp is still empty: write its body below line 1
    """
    path, report, token = Path(path), Report(name, on), secrets.token_hex(8)
    with _process({"drill": name, "file": str(path.resolve()), "on": on, "token": token}) as (process, folder):
        code = _ended(process)
        told = [line.removeprefix(token) for line in _text(folder / "results").splitlines() if line.startswith(token)]
        _read(report, told)
        report.printed = _text(folder / "printed")[:2000]
        if not report.done and not report.ended:
            report.ended = _why(report.doing or "reading the file", _text(folder / "trace"), path, code)
    return report


@contextlib.contextmanager
def _process(request: dict[str, Any]) -> Iterator[tuple[subprocess.Popen, Path]]:
    """The process, in a folder that is removed after it; it and what it started are ended, whatever happens."""
    with _ending_by_signals(), tempfile.TemporaryDirectory(prefix="drill-", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        (folder / "work").mkdir()
        places = os.pathsep.join(os.path.abspath(place) for place in sys.path)
        environment = os.environ | dict.fromkeys(THREADS, "1") | {
            "PYTHONPATH": places, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder / "work")}
        command = [sys.executable, "-m", f"{__package__}.worker",
                   json.dumps({**request, "folder": str(folder), "seconds": SECONDS})]
        with open(folder / "printed", "wb") as printed:
            process = subprocess.Popen(command, cwd=folder / "work", stdin=subprocess.DEVNULL, stdout=printed,
                                       stderr=printed, env=environment, start_new_session=True)
        try:
            yield process, folder
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
            process.wait()


@contextlib.contextmanager
def _ending_by_signals() -> Iterator[None]:
    """A closed terminal and a kill raise SystemExit, so that what is to be done at the end is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [signal.signal(number, end) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def _ended(process: subprocess.Popen) -> int | None:
    """The code with which the process ended by itself; None where it did not."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(SECONDS + 2)  # it ends itself, and says where it was
    return None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _read(report: Report, told: list[str]) -> None:
    """What the process has told, a line at a time; the last one may be half a line."""
    for line in told:
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            results = [Result(**result) for result in event.pop("results", [])]
            report.results = results if event.pop("whole", False) else report.results + results
            for name, value in event.items():
                setattr(report, name, value)


def _why(doing: str, trace: str, path: Path, code: int | None) -> str:
    """Why the process ended before its time, with the line of the file where it was."""
    escaped = str(path.resolve()).encode("ascii", "backslashreplace").decode()
    places = re.findall(rf'File "{re.escape(escaped)}", line (\d+)', trace)
    where = ""
    if places:
        code_line = _text(path).splitlines()[int(places[0]) - 1 : int(places[0])]
        where = f": it was in line {places[0]}: {''.join(code_line).strip()}"
    if code is None or trace.startswith("Timeout"):
        return f"{doing} did not end within {SECONDS} seconds (a loop that never ends?){where}"
    if code in (1, BROKEN):
        return f"{doing} broke the checks: has the solution changed Python, numpy, or files of others?{where}"
    if code < 0 or code >= 128:
        number = -code if code < 0 else code - 128
        name = signal.Signals(number).name if number in {*signal.Signals} else f"signal {number}"
        return f"{doing} ended the whole process ({name}; too deep a recursion, or too much memory?){where}"
    return f"{doing} ended the whole process with code {code} (a function returns its result){where}"
