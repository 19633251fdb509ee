"""Where a value of a program comes from: what the traced functions call it, their source line, the part of the call."""

import ast
import collections
import contextlib
import dis
import functools
import inspect
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
NOT_USERS = (LIBRARY + ".", "numpy")
PYTHONS = os.path.dirname(os.__file__) + os.sep
RETURNED = 0


class Line(NamedTuple):
    """A place in the user's source, and the globals that can be read there."""

    code: types.CodeType
    at: int  # the instruction
    number: int
    scope: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.code.co_filename.removeprefix(os.getcwd() + os.sep)}:{self.number}"

    @property
    def where(self) -> str:
        """The name of the file, without its folder, and the number."""
        return f"{os.path.basename(self.code.co_filename)}:{self.number}"

    @property
    def text(self) -> str:
        """The source of the line."""
        return linecache.getline(self.code.co_filename, self.number, self.scope).strip()

    @property
    def expression(self) -> str:
        """What is being computed there, or else the line."""
        first, last, start, end = _positions(self.code)[self.at // 2] if self.at >= 0 else (None,) * 4
        if first is None or first != last or start is None:
            return self.text
        return linecache.getline(self.code.co_filename, first, self.scope).encode()[start:end].decode() or self.text

    def name_of(self, value: Any) -> str:
        """What has a value now in this expression, such as SCALE or settings.scale; empty if nothing has."""
        for node in ast.walk(_parsed(self.expression)):
            found = _looked_up(node, self.scope)
            if found is value or isinstance(found, (int, float, str)) and type(found) is type(value) and found == value:
                return ast.unparse(node)
        return ""


@functools.cache
def _positions(code: types.CodeType) -> list:
    return list(code.co_positions())


def _parsed(text: str) -> ast.AST:
    try:
        return ast.parse(text)
    except SyntaxError:
        return ast.Module([], [])


def _looked_up(node: ast.AST, scope: dict[str, Any]) -> Any:
    """The value of a global, an attribute or an entry, read without running anything of the user's."""
    if isinstance(node, ast.Name):
        return scope.get(node.id)
    if isinstance(node, ast.Attribute):
        holder = _looked_up(node.value, scope)
        for place in (holder, *(holder if isinstance(holder, type) else type(holder)).__mro__):
            if node.attr in getattr(place, "__dict__", ()):
                found = vars(place)[node.attr]
                return found.__get__(holder) if isinstance(found, types.MemberDescriptorType) else found
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        holder = _looked_up(node.value, scope)
        if type(holder) in (list, tuple, dict, collections.deque):
            with contextlib.suppress(LookupError, TypeError):
                return holder[node.slice.value]
    return None


@functools.cache
def _next_stores(code: Any) -> dict[int, Any]:
    """For each instruction: the name under which its result is stored next, or RETURNED."""
    found: dict[int, Any] = {}
    begins: dict[int, int] = {}  # of a call: where its PRECALL is, if there is one
    steps = list(dis.get_instructions(code))
    for step, after in zip(steps, steps[1:]):
        if step.opname == "PRECALL":
            begins[after.offset] = step.offset
    steps = [step for step in steps if step.opname != "PRECALL"]
    for step, after in zip(steps, steps[1:]):
        if after.opname.startswith(STORES):
            name = after.argval[0] if isinstance(after.argval, tuple) else after.argval
        elif after.opname == "RETURN_VALUE":
            name = RETURNED
        else:
            continue
        first = begins.get(step.offset, step.offset)
        found |= {at: name for at in range(first, after.offset, 2) if at not in found}  # a frame may be at a cache
    return found


def _is_users(frame: Any) -> bool:
    """Whether a frame is the user's, and not of this library, numpy or Python's own."""
    file = frame.f_code.co_filename
    return not frame.f_globals.get("__name__", "").startswith(NOT_USERS) and (
        not file.startswith(PYTHONS) or "site-packages" in file)


def _users_frame() -> Any:
    frame: Any = sys._getframe(2)
    while frame is not None and not _is_users(frame):
        frame = frame.f_back
    return frame


def asked_by_library() -> bool:
    """Whether an attribute is asked for by this library or by numpy."""
    frame: Any = sys._getframe(2)  # past the property
    while frame.f_globals.get("__name__", "") == LIBRARY + ".compiler.stand_ins":
        frame = frame.f_back
    return frame.f_globals.get("__name__", "").startswith(NOT_USERS)


def users_line() -> Line | None:
    """The innermost place of the user's."""
    frame = _users_frame()
    return frame and Line(frame.f_code, frame.f_lasti, frame.f_lineno, frame.f_globals)


def users_locals() -> dict[str, Any]:
    """The local variables there."""
    frame = _users_frame()
    return frame.f_locals if frame else {}


def truth_test() -> str:
    """What a truth test is: a "refusal" of the library's (it can only raise), a "branch" of the user's, or else a
    "condition": the library takes another way where it comes out otherwise, or the user raises."""
    frame: Any = sys._getframe(1)
    handing_on = (LIBRARY + ".compiler", LIBRARY + ".tensor", "numpy")
    while frame is not None and frame.f_globals.get("__name__", "").startswith(handing_on):
        frame = frame.f_back
    users = frame is not None and _is_users(frame)
    if frame is not None and frame.f_lineno in _refusals(frame.f_code.co_filename):
        return "condition" if users else "refusal"
    return "branch" if users else "condition"


@functools.cache
def _refusals(file: str) -> set[int]:
    """The lines of the tests in a file that do nothing but raise an exception."""
    found: set[int] = set()
    for node in ast.walk(_parsed("".join(linecache.getlines(file)))):
        raises = isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise) and not node.orelse
        if isinstance(node, ast.Assert) or isinstance(node, ast.If) and raises:
            found.update(range(node.test.lineno, (node.test.end_lineno or node.test.lineno) + 1))
    return found


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
        if code is inspect.unwrap(backpropagate).__code__ or code is accumulate.__code__:
            name, part = name or "", "backward"  # gradients are named when they are whole (recording.py)
        elif module.startswith(LIBRARY + ".optim."):
            part = part or "update"
        if name is None and not module.startswith(WITHOUT):
            stored = _next_stores(code).get(frame.f_lasti)
            if stored != RETURNED:
                name = "~" * bool(stored and module.startswith(LIBRARY)) + (stored or "")
        if line is None and _is_users(frame):
            line = Line(code, frame.f_lasti, frame.f_lineno, frame.f_globals)
        if code is outermost or (line and name is not None and part):
            break
        frame = frame.f_back
    return name or "", line, part


def returned_name(code: types.CodeType | None) -> str:
    """The local variable that a function returns in the end; empty if that is an expression."""
    last = [step for step in dis.get_instructions(code) if step.opname != "CACHE"][-2:] if code else []
    return last[0].argval if len(last) == 2 and last[0].opname.startswith("LOAD_FAST") and \
        last[1].opname == "RETURN_VALUE" and isinstance(last[0].argval, str) else ""


def gradient_name(name: str) -> str:
    """dW1 for W1, d_fc1_weight for fc1_weight."""
    return ("d_" if "_" in name else "d") + name
