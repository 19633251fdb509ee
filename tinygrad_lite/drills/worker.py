"""The process in which a solution's file is tried."""

import contextlib
import dataclasses
import faulthandler
import io
import json
import linecache
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import catalog
from .judge import MEMORY, PRINTED, PrintedTooMuch, asked, examine, expectations, own_line, raised

STARTS = ("subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn",
          "os.kill", "signal.pthread_kill", "socket.", "ctypes.dlopen", "_posixsubprocess.")
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink", "os.chmod",
           "os.chown", "shutil.")


class Printed(io.TextIOBase):
    """What a solution prints, up to a limit."""

    def __init__(self, to: Any) -> None:
        self.to, self.left = to, PRINTED

    def write(self, text: str) -> int:
        """Hand it on at once; PrintedTooMuch beyond the limit."""
        self.left -= len(text)
        if self.left < 0:
            raise PrintedTooMuch
        self.to.write(text)
        self.to.flush()
        return len(text)


def limit() -> None:
    """Memory and the size of files, where the system knows limits."""
    with contextlib.suppress(ImportError):  # on Windows
        import resource
        for kind, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, 10 << 20), (resource.RLIMIT_CORE, 0)):
            with contextlib.suppress(ValueError, OSError):  # a lower limit is there already
                resource.setrlimit(kind, (most, most))


def guard(folder: Path) -> None:
    """From here on nothing is started, and nothing is written but in the folder; OSError where it is tried."""
    inside = str(folder) + os.sep

    def look(event: str, given: tuple) -> None:
        if event.startswith(STARTS):
            raise PermissionError(f"a solution starts no processes and opens no connections ({event})")
        writes = event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or event.startswith(CHANGES):
            for path in given[:2] if event != "open" else given[:1]:
                if isinstance(path, (str, bytes, os.PathLike)):
                    real = os.path.realpath(os.fsdecode(path))
                    if not real.startswith(inside) and real != os.devnull:
                        raise PermissionError(f"a solution writes no files outside its own folder ({event} {real})")

    sys.addaudithook(look)


def loaded(file: str, name: str) -> types.ModuleType:
    """The solution's file as a module."""
    module = types.ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module
    exec(compile(Path(file).read_bytes(), file, "exec", dont_inherit=True), vars(module))
    return module


def functions_of(module: types.ModuleType, names: list[str]) -> tuple[dict[str, Any], list[str]]:
    """What the solution has of what is asked for, and sentences for what it has not."""
    found, missing = {}, []
    for name in names:
        made = getattr(module, name, None)
        if callable(made):
            found[name] = made
        elif made is None:
            missing.append(f"there is no {name} in the file")
        else:
            missing.append(f"{name} is a {type(made).__name__}, not a function")
    return found, missing


def run(request: dict[str, Any], note: Callable) -> None:
    """Try the solution, and note how far it is."""
    drill, on, file = catalog.load(request["drill"]), request["on"], request["file"]
    expected = expectations(drill)  # before the solution can change anything
    note(asked=len(asked(drill, drill.references, on)))
    linecache.getlines(file)
    guard(Path(request["folder"], "work"))
    try:
        module = loaded(file, "solution")
    except BaseException as error:  # exit() too
        line, code = own_line(error, {file})
        note(problems=[(f"line {line}: {code}: " if line else "") + f"running the file {raised(error)}"])
        return
    wanted = [name for name in drill.references if on == "numpy" or name in drill.differentiable]
    functions, missing = functions_of(module, [name for name in wanted if name not in request["skipped"]])
    doing = [case.text for case in asked(drill, functions, on)] + ["looking for the mistake"]
    note(problems=missing, doing=doing[0])
    results = []
    try:
        for result in examine(drill, functions, on, expected):
            results.append(result)
            note(result=dataclasses.asdict(result), doing=doing[len(results)])
        note(results=[dataclasses.asdict(result) for result in results])
    except BaseException as error:
        note(ended=f"{doing[len(results)]} raised {type(error).__name__}, which ends the checks: {error}")


def main() -> None:
    """Do what the request in the arguments says, and end the process whatever still runs in it."""
    request = json.loads(sys.argv[1])
    folder = Path(request["folder"])
    results, trace = open(folder / "results", "w", encoding="utf-8"), open(folder / "trace", "w", encoding="utf-8")

    def note(**event: Any) -> None:
        results.write(json.dumps(event) + "\n")
        results.flush()

    limit()
    faulthandler.enable(trace, all_threads=False)
    faulthandler.dump_traceback_later(request["seconds"], exit=True, file=trace)
    sys.stdout = sys.stderr = Printed(sys.stdout)
    run(request, note)
    note(done=True)
    os._exit(0)


if __name__ == "__main__":
    main()
