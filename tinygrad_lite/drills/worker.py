"""The process in which a solution's file is tried."""

import contextlib
import dataclasses
import faulthandler
import importlib
import io
import json
import linecache
import os
import sys
import tokenize
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import catalog, source
from .drill import Drill
from .judge import MEMORY, PRINTED, PrintedTooMuch, asked, examine, expectations, own_line, raised
from .sandbox import BROKEN

STARTS = ("subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn",
          "os.kill", "signal.pthread_kill", "socket.", "ctypes.")
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink", "os.chmod",
           "os.chown", "os.utime", "os.setxattr", "os.removexattr", "shutil.", "sqlite3.connect")


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
    """From here on nothing is started, and nothing is written but in the folder; PermissionError where it is tried."""
    def refuse(what: str) -> None:
        raise PermissionError(f"a solution starts no processes and opens no connections ({what})")

    def look(event: str, given: tuple) -> None:
        if event.startswith(STARTS):
            refuse(event)
        writes = event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or event.startswith(CHANGES):
            for path in given[:2] if event != "open" else given[:1]:
                if isinstance(path, (str, bytes, os.PathLike)):
                    real = os.path.realpath(os.fsdecode(path))
                    if not f"{real}{os.sep}".startswith(f"{folder}{os.sep}") and real != os.devnull:
                        raise PermissionError(f"a solution writes no files outside its own folder ({event} {real})")

    with contextlib.suppress(ImportError):  # no event tells of how multiprocessing starts processes
        starter: Any = importlib.import_module("_posixsubprocess")
        starter.fork_exec = lambda *args: refuse("fork_exec")
    sys.addaudithook(look)


def loaded(file: str) -> types.ModuleType:
    """The solution's file as a module."""
    module = types.ModuleType("solution")
    module.__file__ = file
    sys.modules["solution"] = module
    exec(compile(Path(file).read_bytes(), file, "exec", dont_inherit=True), vars(module))
    return module


def functions_of(module: types.ModuleType, names: list[str]) -> tuple[dict[str, Any], list[str]]:
    """What the solution has of what is asked for, and sentences for what it has not."""
    found, missing = {}, []
    for name in names:
        made = getattr(module, name, None)
        if callable(made):
            found[name] = made
        else:
            missing.append(f"there is no {name} in the file" if made is None else
                           f"{name} is no function, but of type {type(made).__name__}")
    return found, missing


def looked_at(drill: Drill, on: str, file: str) -> tuple[list[str], dict[str, str]]:
    """What is to be said of a file before it runs, and by name what is still empty in it."""
    try:
        with tokenize.open(file) as opened:
            return source.problems(opened.read(), drill, on)
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        return [f"{where}Python cannot read the file: {error.msg}"], {}
    except (ValueError, LookupError, RecursionError, MemoryError) as error:
        return [f"Python cannot read the file: {raised(error)}"], {}


def run(drill: Drill, on: str, file: str, folder: Path, note: Callable) -> None:
    """Try the solution, and note how far it is."""
    note(asked=len(asked(drill, drill.references, on)))
    problems, empty = looked_at(drill, on, file)
    note(problems=problems or [*empty.values()])
    if problems:
        return
    expected = expectations(drill)  # before the solution can change anything
    linecache.getlines(file)
    guard(folder)
    try:
        module = loaded(file)
    except BaseException as error:  # exit() too
        line, code = own_line(error, {file})
        note(problems=[(f"line {line}: {code}: " if line else "") + f"running the file {raised(error)}"])
        return
    wanted = [name for name in drill.references if on == "numpy" or name in drill.differentiable]
    functions, missing = functions_of(module, [name for name in wanted if name not in empty])
    doing = [case.text for case in asked(drill, functions, on)] + ["looking for the mistake"]
    note(problems=[*empty.values(), *missing], doing=doing[0])
    results = []
    try:
        for result in examine(drill, functions, on, expected):
            results.append(result)
            note(results=[dataclasses.asdict(result)], doing=doing[len(results)])
        note(results=[dataclasses.asdict(result) for result in results], whole=True)
    except KeyboardInterrupt as error:  # the solution's own: this process has no keyboard
        line, code = own_line(error, {file})
        note(ended=f"{doing[len(results)]} {raised(error)}, which ends the checks: line {line}: {code}")


def main() -> None:
    """Do what the request in the arguments says, and end the process whatever still runs in it."""
    request = json.loads(sys.argv.pop())
    folder, token = Path(request["folder"]), request["token"]
    results, trace = open(folder / "results", "w", encoding="utf-8"), open(folder / "trace", "w", encoding="utf-8")
    dumps = json.dumps

    def note(**event: Any) -> None:
        results.write(f"\n{token}{dumps(event)}\n")
        results.flush()

    limit()
    faulthandler.enable(trace, all_threads=False)
    faulthandler.dump_traceback_later(request["seconds"], exit=True, file=trace)
    sys.stdout = sys.stderr = Printed(sys.stdout)
    code = BROKEN
    with contextlib.suppress(BaseException):
        run(catalog.load(request["drill"]), request["on"], request["file"], folder / "work", note)
        note(done=True)
        code = 0
    os._exit(code)


if __name__ == "__main__":
    main()
