"""The folder of a run: who trains in it, when it is to stop, and what its checkpoint holds."""

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..saving import load

CHECKPOINT, LOG, PICTURE = "checkpoint.safetensors", "log.csv", "loss.png"
PARTS = ("model", "optimizer", "scheduler", "numbers", "step", "programs", "settings", "aside")  # of a checkpoint


class Stopped(Exception):
    """The error of a run that cannot begin or go on; its message says why."""


def as_text(settings: Any) -> str:
    """Settings in a form that tells them from others; TypeError for what a checkpoint cannot hold."""
    try:
        return json.dumps(settings, sort_keys=True)
    except TypeError as error:
        raise TypeError(f"Trainer: settings are numbers, strings, None, and lists and dicts of them: {error}") from None


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make the folder, and be the only process that trains in it; Stopped where another does."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # on Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # gone with the process, however that ends
        yield
    except BlockingIOError:
        raise Stopped(f"another process trains in {folder}") from None
    finally:
        os.close(handle)


class Asked:
    """Notes that Ctrl-C was pressed, so that a step is not left half done; a second one ends the program as ever."""

    to_stop = False

    def __enter__(self) -> "Asked":
        self.main = threading.current_thread() is threading.main_thread()
        if self.main:
            self.before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: Any) -> None:
        self.to_stop = True
        signal.signal(signal.SIGINT, self.before)
        print("\nstopping after this step; once more to stop at once, without it", file=sys.stderr)

    def __exit__(self, *error: Any) -> None:
        if self.main:
            signal.signal(signal.SIGINT, self.before)


def read_checkpoint(folder: str | Path) -> dict[str, Any]:
    """What the run in a folder has kept in its checkpoint, a dict; Stopped where there is none, or it is damaged.

    folder: of the run, or the checkpoint's own path. The dict has "model" and "optimizer", which their load_state_dict
    takes, "step", "settings", and what else a `Trainer` goes on from.

    >>> from tinygrad_lite.training import read_checkpoint
    >>> read_checkpoint("runs/line")
    Traceback (most recent call last):
        ...
    tinygrad_lite.training.folder.Stopped: there is no checkpoint in runs/line
    """
    path = Path(folder)
    path = path if path.is_file() else path / CHECKPOINT
    if not path.exists():
        raise Stopped(f"there is no checkpoint in {folder}")
    try:
        kept = load(path)
    except RuntimeError as error:
        raise Stopped(f"{error}; a run cannot go on from it: give another folder (--out), or remove it") from None
    if missing := [name for name in PARTS if name not in kept]:
        raise Stopped(f"{path} is no checkpoint of a run: it has no '{missing[0]}'")
    return kept
