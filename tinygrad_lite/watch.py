"""Watching the tape being recorded, and saying where on it something went wrong.

Who watches may give a node an `origin`: the source line and the module path that recorded it.
"""

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from .changes import rewritten
from .mode import mode

WATCHED = 0  # the key in `rewritten` that brings every operation to its slow path while somebody watches

_counting = threading.Lock()


@contextlib.contextmanager
def watching(watch: Callable) -> Any:
    """Inside, call watch(node) for every node that this thread records; outside it costs nothing."""
    before = mode.watching
    mode.watching = (*before, watch)
    with _counting:
        rewritten[WATCHED] = rewritten.get(WATCHED, 0) - 1
    try:
        yield
    finally:
        mode.watching = before
        with _counting:
            rewritten[WATCHED] += 1
            if not rewritten[WATCHED]:
                del rewritten[WATCHED]


def where_from(node: Any) -> str:
    """The source line that recorded a node, in words; empty unless it was watched."""
    line = getattr(node, "origin", (None,))[0]
    return f" (recorded at {line})" if line else ""


def refuse_nan(when: str, node: Any, array: Any) -> None:
    """RuntimeError, with the operation and where it was recorded, if an array holds NaN or infinity."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        what = "NaN" if np.isnan(array).any() else "infinity"
        raise RuntimeError(f"the {when} of {node.op.__name__} gave {what}{where_from(node)}")


@contextlib.contextmanager
def saying_where(current: Callable[[], Any]) -> Any:
    """An error in a rule gets a note of its operation and of the line that recorded it."""
    try:
        yield
    except Exception as error:
        node = current()
        if node is not None and node.op is not None:
            error.add_note(f"in the backward of {node.op.__name__}{where_from(node)}")
        raise
