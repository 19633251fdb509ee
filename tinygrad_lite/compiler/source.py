"""A program as the text of a Python module that needs numpy alone."""

import ast
import dis
import importlib.util
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from .memory import Plan
from .program import Program, Var
from .words import INFIX, Words, literal, named, pattern

WIDTH = 100  # where the comments with shapes start, at most


def shared_names(names: dict[Var, str], plan: Plan) -> dict[Var, str]:
    """Names in which values that take one another's place share one: of those, the first that its author named."""
    names = dict(names)
    chains: dict[int, list[Var]] = {}
    for v, kind in plan.kind.items():
        if kind == "in":
            names[v] = names[plan.target[v]]
        elif kind == "pool":
            chains.setdefault(id(plan.storage[v]), []).append(v)
    for chain in chains.values():
        segment: list[Var] = []
        for v in chain:
            fits = segment and (segment[0].shape, segment[0].dtype, segment[0].section) == (v.shape, v.dtype, v.section)
            authored = [s for s in segment if s.name and not s.name.startswith("~")]
            if not fits or v.name and not v.name.startswith("~") and authored:
                segment = [v]
                continue
            segment.append(v)
            best = min(segment, key=lambda s: (not s.name, s.name.startswith("~")))
            names |= dict.fromkeys(segment, names[best])
    for v, kind in plan.kind.items():
        if kind == "view" and v.op == ".T" and not v.name and f"{names[v.args[0]]}_T" not in names.values():
            names[v] = f"{names[v.args[0]]}_T"
    return names


class Module:
    """The source text, and the order in which the function it makes is given its inputs and gives its results."""

    def __init__(self, program: Program, plan: Plan, name: str) -> None:
        self.program, self.plan = program, plan
        self.names = shared_names(named(program, [name]), plan)
        uses, ends = program.uses(), program.ends()
        self.inline = {v for v in program.body if len(uses.get(v, ())) == 1 and v not in ends and (
            v.op.startswith("py.") or v.shape == () and uses[v][0].op == "check" and v.op[3:] in INFIX)}
        self.words = Words(self.names, self.inline)
        self.bound = [v for v in program.inputs if v in plan.static]
        self.given = [v for v in program.inputs if v not in plan.static]
        self.constants = [v for v in plan.kind if v.op == "constant" and v.shape != () and not pattern(v.value)]
        self.placed: set[str] = set()  # names of arrays in the pool
        self.setup: list[str] = []
        self.body: list[str] = []
        self.section = ""
        self.line = ""
        self.text = self._text(name)

    def _text(self, name: str) -> str:
        plan, words = self.plan, self.words
        for v in plan.kind:
            if v.op == "constant" and v.shape != () and v not in self.constants:
                self.setup.append(f"{words.of(v)} = {pattern(v.value)}")
        for v in self.program.body:
            self._call(v)
        self._finish()
        returned = [*map(words.of, self.program.results),
                    *(words.of(v) for i, v in self.program.writes if i.shape is None)]
        returned += map(words.of, self.program.kept)
        bound = ", ".join(map(words.of, (*self.bound, *self.constants)))
        made = [line.partition(" = ") for line in self.setup]
        used = set(re.findall(r"\w+", "\n".join([*self.body, *(expression for *_, expression in made), *returned])))
        self.setup = ["".join(line) for line in made if line[0] in used]
        lines = [*self._raises(), *textwrap.wrap(f"def make({bound}):", WIDTH, subsequent_indent=" " * 9),
                 '    """The program, in memory that it uses again. Most calls write into their last argument."""']
        if plan.storage:
            lines += [f"    pool = np.empty({plan.pool}, np.uint8)", "",
                      "    def array(at, shape, dtype):",
                      "        count = int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize",
                      "        return pool[at:at + count].view(dtype).reshape(shape)", ""]
        lines += [f"    {line}" for line in self.setup]
        lines += ["", f"    def {name}({', '.join(map(words.of, self.given))}):"]
        lines += [f"        {line}".rstrip() for line in self.body]
        lines += [f"        return {words.of(tuple(returned)) if not returned else ', '.join(returned) + ','}", "",
                  f"    return {name}"]
        return "\n".join(["import numpy as np", "", "", *lines]) + "\n"

    @property
    def whole(self) -> str:
        """The text with the library's functions that it calls, as far as their source is known."""
        functions = "".join(f"\n\n{text}" for text in sources(self.program.functions))
        return self.text.replace("import numpy as np\n", f"import numpy as np\n{functions}", 1)

    def _raises(self) -> list[str]:
        """The exception of the checks, where there are any."""
        if not any(v.op == "check" for v in self.program.body):
            return []
        return ["class Diverged(Exception):",
                '    """A truth test came out otherwise than in the call that was recorded."""', "", ""]

    def _call(self, v: Var) -> None:
        if v in self.inline:
            return
        plan, words, name = self.plan, self.words, self.names[v]
        kind, first = plan.kind[v], v.args[0] if v.args else None
        if kind == "view" and v in plan.static:
            self.setup.append(f"{name} = {words.call(v)}")
            return
        if v.section and v.section != self.section:
            self.body += ["", f"# {v.section}"]
            self.section = v.section
        if v.line and v.section != "backward" and str(v.line) != self.line:
            self.line = str(v.line)
            self.body.append(f"# {v.line.where}: {v.line.text}")
        if kind in ("pool", "in"):
            self._memory(v)
            same = isinstance(first, Var) and plan.storage.get(first, 0) is plan.storage.get(v, 1)
            lines = words.filled(v, name, same)
        else:
            lines = words.made(v)
        self.body += _commented(lines, v)

    def _memory(self, v: Var) -> None:
        plan, name = self.plan, self.words.of(v)
        if plan.kind[v] == "pool" and name not in self.placed:
            self.placed.add(name)
            self.setup.append(f"{name} = array({plan.storage[v].offset}, {v.shape!r}, {literal(v.dtype)})")

    def _finish(self) -> None:
        """The writes that are left."""
        words = self.words
        moved = []
        for i, v in self.plan.copies:
            if v.op == "input" or self.plan.kind[v] == "view":  # it may be overwritten by another of them
                self.body.append(f"{words.of(i)}_new = {words.of(v)}.copy()")
                moved.append((words.of(i), f"{words.of(i)}_new"))
            else:
                moved.append((words.of(i), words.of(v)))
        self.body += [f"np.copyto({target}, {value})" for target, value in moved]


def _commented(lines: list[str], v: Var) -> list[str]:
    """The last line with the value's shape."""
    if v.shape is None or v.op == "check":
        return lines
    return [*lines[:-1], f"{lines[-1]:<{min(WIDTH, max(60, len(lines[-1])))}}  # {v.shape}"]


def sources(functions: dict[str, Callable]) -> list[str]:
    """The functions' source, and that of what they call and read, as far as it is not numpy's."""
    found: dict[str, str] = {}

    def add(name: str, f: Any) -> None:
        f = inspect.unwrap(f)
        if name in found:
            return
        found[name] = ""
        for used in set(_read(f.__code__)):
            need(used, f.__globals__)
        lines = re.sub(r"\n\n( *)>>>.*?\"\"\"", r'\n\1"""', inspect.getsource(f), flags=re.S).splitlines()  # no example
        start = next(i for i, line in enumerate(lines) if line.startswith("def "))
        alias = "" if f.__name__ == name else f"\n\n{name} = {f.__name__}\n"
        found[name] = "\n".join(lines[start:]) + "\n" + alias

    def need(name: str, names: dict[str, Any]) -> None:
        value = names.get(name)
        if callable(value) and inspect.isfunction(inspect.unwrap(value)):  # a cached one is taken without its cache
            add(name, value)
        elif inspect.ismodule(value) and name != "np":
            found[name] = f"import {value.__name__} as {name}\n" if value.__name__ != name else f"import {name}\n"
        elif name not in found and isinstance(value, (int, float, str, tuple, dict)):
            module, line = _assigned(names["__name__"], name)
            for used in set(_read(compile(line, module, "exec"))):
                need(used, vars(sys.modules[module]))
            found[name] = line + "\n"

    for name, f in functions.items():
        add(name, f)
    return sorted((text for text in found.values() if text), key=lambda text: not text.startswith("import "))


def _read(code: CodeType) -> Iterator[str]:
    """The global names that code reads, the code of comprehensions and inner functions too."""
    yield from (step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _read(inner)


def _assigned(module: str, name: str) -> tuple[str, str]:
    """The module that gives a name its value, this one or the one that it is imported from, and the line that does."""
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets):
            return module, ast.unparse(node)
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    source = "." * node.level + (node.module or "")
                    package = sys.modules[module].__package__
                    return _assigned(importlib.util.resolve_name(source, package), alias.name)
    return module, f"{name} = {vars(sys.modules[module])[name]!r}"
