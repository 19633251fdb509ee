"""The text of solutions: the file one begins with, what can be said of a file without running it, the reference."""

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from .drill import Drill, narrow

LIBRARY = "tinygrad_lite"
ANSWERS = ("nn", "func", "models", "estimators", "optim", "drills", "compat", "ops", "distributions")  # rooms of it

ASIDE = ("importlib", "sys.modules", "runpy")  # ways to them that are no import


def stub(drill: Drill, name: str, on: str) -> str:
    """The file that a drill starts with: the prompt, and the signatures with empty bodies."""
    asked = {key: made for key, made in drill.references.items() if on == "numpy" or key in drill.differentiable}
    imports = "import numpy as np" if on == "numpy" else f"import {LIBRARY} as tl"
    given = "arrays" if on == "numpy" else "Tensors, and gradients are checked too"
    dtype = "\n\nResults keep the dtype of the arrays: float32 gives float32." if any(map(narrow, drill.cases)) else ""
    parts = [f'"""{drill.title}\n\n{drill.task}{dtype}\n\n{drill.difficulty}, {drill.minutes} minutes, on {given}'
             f'\n\n    tinygrad-lite drill check {name}\n    tinygrad-lite drill hint {name}\n"""\n\n{imports}\n']
    for made in asked.values():
        parts.append(f"\n\n{ast.unparse(_emptied(_definition(made)))}\n")
    return "".join(parts)


def solution(drill: Drill) -> str:
    """The references with their reasoning, and what one says about them."""
    made = [*drill.references.values()]
    file = ast.parse(inspect.getsource(sys.modules[made[0].__module__]))
    imports = [ast.unparse(node) for node in file.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    parts = [drill.title, "\n".join(line for line in imports if LIBRARY not in line)]
    for each in made:
        text = textwrap.dedent(inspect.getsource(each))
        parts.append("\n".join(text.splitlines()[_definition(each).lineno - 1 :]))
    return "\n\n".join([*parts, "\n".join(["Say aloud:", *(f"- {pitfall}" for pitfall in drill.pitfalls)])])


def _definition(made: Any) -> Any:
    return ast.parse(textwrap.dedent(inspect.getsource(made))).body[0]


def _emptied(node: Any) -> Any:
    """A function or class with its docstrings and without its bodies; private methods are left out."""
    node.decorator_list = []
    described = ast.get_docstring(node) is not None
    if isinstance(node, ast.ClassDef):
        rest = [_emptied(part) for part in node.body if isinstance(part, ast.FunctionDef) and not _private(part.name)]
    else:
        rest = [ast.Expr(ast.Constant(...))]
    node.body = node.body[:described] + rest
    return node


def _private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


# ---- without running it

def problems(text: str, drill: Drill, on: str,
             known: dict[str, str] | None = None) -> tuple[list[str], dict[str, str]]:
    """What is wrong with a solution before it runs: what the prompt forbids, and by name what is still empty. known:
    what names stand for that are not in the text, as those of other cells of a notebook."""
    tree = ast.parse(text)
    used = [*_used(tree, known or {})]
    return list(dict.fromkeys(_forbidden(used, drill, on))), dict(_empty(tree, drill.references))


def _empty(tree: ast.Module, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in names:
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            inside = methods if isinstance(node, ast.ClassDef) else [node]
            empty = [function for function in inside if _is_empty(function)]
            if empty:
                called = node.name if len(empty) == len(inside) else f"{node.name}.{empty[0].name}"
                line = (node if len(empty) == len(inside) else empty[0]).lineno
                yield node.name, f"{called} is still empty: write its body below line {line}"


def _is_empty(function: ast.FunctionDef) -> bool:
    """Whether a body does nothing, or raises NotImplementedError."""
    body = [ast.unparse(node) for node in function.body[ast.get_docstring(function) is not None :]]
    return all(line in ("...", "pass", "return", "return None") or line.startswith("raise NotImplementedError")
               for line in body)


def _forbidden(used: list[tuple[str, int]], drill: Drill, on: str) -> Iterator[str]:
    allowed = {"numpy", *sys.stdlib_module_names, *([LIBRARY] if on == "tensor" else [])}
    banned = {*drill.forbidden, *ASIDE, *(drill.references if on == "tensor" else ())}
    for name, line in used:
        root, room, *_ = *name.split("."), ""
        whole = {".".join(name.split(".")[:i]) for i in range(1, 10)}
        if root == LIBRARY and on == "numpy":
            yield f"line {line} uses {LIBRARY}, which has the answer: write it with numpy (--on tensor is for Tensors)"
        elif root == LIBRARY and room in ANSWERS:
            yield f"line {line} uses {name}, which has the answer: write it with operators and functions such as exp"
        elif root and root not in allowed:
            yield f"line {line} uses {name}: a solution uses numpy and Python's own modules, and no other library"
        elif banned & {*whole, name.split(".")[-1]}:
            yield f"line {line} uses {name.lstrip('.')}, which the prompt forbids: write out what it does"


def _used(tree: ast.Module, known: dict[str, str]) -> Iterator[tuple[str, int]]:
    """The dotted names of what is imported and of the attributes that are read, with their lines; the name of an
    attribute of something computed begins with a dot."""
    called = dict(known)
    inner: set[ast.expr] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                name = module + alias.name
                own = alias.asname or (alias.name if module else name.split(".")[0])
                called[own] = name if alias.asname or module else own
                yield name, node.lineno
    for each in ast.walk(tree):  # from the outside in
        if isinstance(each, ast.Name) and each.id in known:
            yield known[each.id], each.lineno
        if isinstance(each, ast.Attribute) and each not in inner:
            base: ast.expr = each
            names: list[str] = []
            while isinstance(base, ast.Attribute):
                inner.add(base)
                names.insert(0, base.attr)
                base = base.value
            start = called.get(base.id, "") if isinstance(base, ast.Name) else ""
            yield ".".join([start, *names]), each.lineno
