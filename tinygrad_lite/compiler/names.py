"""Where a value of a program comes from: what the traced functions call it, their source line, the part of the call."""

import ast
import dis
import functools
import linecache
import os
import sys
import types
from typing import Any, NamedTuple

from ..engine.tape import accumulate, backpropagate

LIBRARY = __name__.split(".")[0]
STORES = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")
WITHOUT = (LIBRARY + ".engine", LIBRARY + ".compiler", LIBRARY + ".ops.arguments", "numpy", "contextlib",
           "functools")  # their names mean nothing to a reader of the program
NOT_USERS = (LIBRARY + ".", "numpy", "contextlib", "functools")
RETURNED = 0


class Line(NamedTuple):
    """A line of the user's, and the names that can be read there."""

    file: str
    number: int
    scope: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.file.removeprefix(os.getcwd() + os.sep)}:{self.number}"

    @property
    def where(self) -> str:
        """The name of the file, without its folder, and the number."""
        return f"{os.path.basename(self.file)}:{self.number}"

    @property
    def text(self) -> str:
        """The source of the line."""
        return linecache.getline(self.file, self.number, self.scope).strip()

    def name_of(self, value: Any) -> str:
        """The expression in this line that has a value now, such as SCALE or settings.scale; empty if none has."""
        for node in ast.walk(_parsed(self.text)):
            if isinstance(node, (ast.Name, ast.Attribute)):
                found = _looked_up(node, self.scope)
                if type(found) is type(value) and found == value:
                    return ast.unparse(node)
        return ""


def _parsed(line: str) -> ast.AST:
    for text in (line, line + " pass"):  # `if x > LIMIT:` is whole with a body only
        try:
            return ast.parse(text)
        except SyntaxError:
            continue
    return ast.Module([], [])


def _looked_up(node: ast.expr, scope: dict[str, Any]) -> Any:
    """The value of a global or of its attributes, read without running anything of the user's."""
    if isinstance(node, ast.Name):
        return scope.get(node.id)
    if isinstance(node, ast.Attribute):
        holder = _looked_up(node.value, scope)
        places = [holder, *(holder.__mro__ if isinstance(holder, type) else type(holder).__mro__)]
        return next((vars(p)[node.attr] for p in places if node.attr in getattr(p, "__dict__", ())), None)
    return None


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


def users_line() -> Line | None:
    """The innermost line outside this library and numpy."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(NOT_USERS):
        frame = frame.f_back
    return frame and Line(frame.f_code.co_filename, frame.f_lineno, frame.f_globals)


def asked_by_user() -> bool:
    """Whether a truth test stands in the user's own code, and not in that of an operation."""
    frame: Any = sys._getframe(1)
    handing_on = (LIBRARY + ".compiler", LIBRARY + ".tensor", "numpy")
    while frame is not None and frame.f_globals.get("__name__", "").startswith(handing_on):
        frame = frame.f_back
    return frame is not None and not frame.f_globals.get("__name__", "").startswith(NOT_USERS)


def whence(outermost: types.CodeType | None) -> tuple[str, Line | None, str]:
    """Of the value that is being computed: its local name, the user's line, and "backward", "update" or "".

    The name is looked for through the functions that just return it; one that the library gives starts with "~": it
    yields to one of the user's. outermost: the code of the traced function, where the search ends.
    """
    frame: Any = sys._getframe(1)
    name: str | None = None
    line, part = None, ""
    while frame is not None:
        code = frame.f_code
        module = frame.f_globals.get("__name__", "")
        if code is backpropagate.__code__ or code is accumulate.__code__:
            name, part = name or "", "backward"  # gradients are named when they are whole (recording.py)
        elif module.startswith(LIBRARY + ".optim."):
            part = part or "update"
        if name is None and not module.startswith(WITHOUT):
            stored = _next_stores(code).get(frame.f_lasti)
            if stored != RETURNED:
                name = "~" * bool(stored and module.startswith(LIBRARY)) + (stored or "")
        if line is None and not module.startswith(NOT_USERS):
            line = Line(code.co_filename, frame.f_lineno, frame.f_globals)
        if code is outermost or (line and name is not None and part):
            break
        frame = frame.f_back
    return name or "", line, part


def gradient_name(name: str) -> str:
    """dW1 for W1, d_fc1_weight for fc1_weight."""
    return ("d_" if "_" in name else "d") + name
