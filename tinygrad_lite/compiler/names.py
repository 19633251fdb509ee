"""Names for the values of a program: what the traced functions themselves call them."""

import dis
import functools
import sys
from typing import Any

from ..engine.tape import backpropagate

STORES = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")
WITHOUT = ("tinygrad_lite.engine", "tinygrad_lite.compiler", "tinygrad_lite.ops.arguments", "numpy",
           "contextlib", "functools")  # their names mean nothing to a reader of the program
RETURNED = 0


@functools.cache
def _next_stores(code: Any) -> dict[int, Any]:
    """For each instruction: the name under which its result is stored next, or RETURNED."""
    found: dict[int, Any] = {}
    steps = [step for step in dis.get_instructions(code) if step.opname != "PRECALL"]
    for before, step, after in zip(steps, steps[1:], steps[2:]):
        if after.opname.startswith(STORES):
            name = after.argval[0] if isinstance(after.argval, tuple) else after.argval
        elif after.opname == "RETURN_VALUE":
            name = RETURNED
        else:
            continue
        first = before.offset + 2 if step.opname == "CALL" else step.offset  # its PRECALL, where there is one
        found |= {at: name for at in range(first, after.offset, 2) if at not in found}  # a frame may be at a cache
    return found


def stored_as() -> str:
    """The local name that the value now being computed gets, through the functions that just return it.

    A name that the library gives starts with "~": it yields to one of the user's.
    """
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code is backpropagate.__code__:  # gradients are named when they are whole (recording.py)
            return ""
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(WITHOUT):
            name = _next_stores(frame.f_code).get(frame.f_lasti)
            if name != RETURNED:
                return (name or "") if not name or not module.startswith("tinygrad_lite") else "~" + name
        frame = frame.f_back
    return ""


def gradient_name(name: str) -> str:
    """dW1 for W1, d_fc1_weight for fc1_weight."""
    return ("d_" if "_" in name else "d") + name
