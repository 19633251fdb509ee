"""Watching the tape being recorded and read backwards, and saying where on it something went wrong.

Who watches may give a node an `origin`: the source line, the module path, and the calls of modules that recorded it.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from .mode import Switch, mode


def watching(watch: Callable[[Any], None]) -> contextlib.AbstractContextManager:
    """Inside, call watch(node) for every node that this thread records."""
    return Switch("watching", (*mode.watching, watch))


def observing(begin: Callable[[dict], Any]) -> contextlib.AbstractContextManager:
    """Inside, call begin(seeds) as each backward pass of this thread begins.

    It gives None or an observer, a function observe(node, g, sent) that is called once the rules of a node have run:
    with its gradient after all hooks, and what it sent back to each argument (None: nothing). Leaves come last.
    """
    return Switch("observing", (*mode.observing, begin))


def where_from(node: Any) -> str:
    """The source line that recorded a node, in words; empty unless it was watched."""
    line = getattr(node, "origin", ("",))[0]
    return f" (recorded at {line})" if line else ""


def refuse_nan(when: str, node: Any, array: Any) -> None:
    """RuntimeError, with the operation and where it was recorded, if an array holds NaN or infinity."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        what = "NaN" if np.isnan(array).any() else "infinity"
        raise RuntimeError(f"the {when} of {node.op.__name__} gave {what}{where_from(node)}")
