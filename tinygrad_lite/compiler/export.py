"""A program as a file of its own."""

import dis
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .source import Module

FRAME = '''

class Diverged(Exception):
    """A check failed: the recorded program is not for these arguments."""


{functions}DATA = dict(np.load(Path(__file__).with_suffix(".npz")))
NUMBERS = {numbers}
_step, GRADIENTS = make(*(DATA[name] for name in {arrays}))


def {name}({arguments}{rng}):
    """One call, for arguments of the recorded shapes: {shapes}.

    The arrays in DATA and the NUMBERS are read and changed, as the recorded function did.
    """
    results = _step({given})
    for key, value in zip({written}, results[{count}:]):
        NUMBERS[key] = value
    return results[:{count}] if {count} != 1 else results[0]
'''


def exported(path: Any, name: str, module: Module, arrays: list[np.ndarray]) -> None:
    """Write `path` (.py) and, beside it, an .npz of the arrays it starts from."""
    path, names = Path(path), module.names
    if path.suffix != ".py":
        raise ValueError(f"export: the path ends in .py, not {path.name!r}")
    program = module.program
    grads = [v for v in module.given if v.value[0] == "grad"]
    if grads:
        raise RuntimeError("export: the program adds to gradients that earlier calls left; "
                           "export a step that starts with zero_grad()")
    numbers = {names[v]: v.value[1][v.value[2]] for v in module.given if v.value[0] == "item"}
    given = [f'NUMBERS["{names[v]}"]' if v.value[0] == "item" else names[v] for v in module.given]
    arguments = [v for v in module.given if v.value[0] == "argument"]
    rngs = [v for v in module.given if v.value[0] == "generator"]
    data = {names[v]: a for v, a in zip(module.bound, arrays)} | {names[v]: v.value for v in module.constants}
    text = FRAME.format(
        functions="".join(source + "\n\n" for source in _sources(program.functions)), numbers=repr(numbers),
        arrays=repr(list(data)), name=name, arguments=", ".join(names[v] for v in arguments),
        rng="".join(f", {names[v]}=np.random.default_rng()" for v in rngs).removeprefix(", " * (not arguments)),
        shapes=", ".join(f"{names[v]} {v.shape} {v.dtype}" for v in arguments), given=", ".join(given),
        written=repr([names[i] for i, _ in program.writes if i.shape is None]), count=len(program.results))
    np.savez(path.with_suffix(".npz"), **data)  # type: ignore[arg-type]
    path.write_text(f'"""{name}, compiled by tinygrad_lite; needs numpy alone."""\n\nfrom pathlib import Path\n\n'
                    + module.text + text)


def _sources(functions: dict[str, Callable]) -> list[str]:
    """The functions' source, and that of what they call, as far as it is not numpy's."""
    found: dict[str, str] = {}

    def add(name: str, f: Any) -> None:
        f = inspect.unwrap(f)
        if name in found:
            return
        found[name] = ""
        for used in {step.argval for step in dis.get_instructions(f) if step.opname == "LOAD_GLOBAL"}:
            value = f.__globals__.get(used)
            if inspect.isfunction(value):
                add(used, value)
            elif isinstance(value, (int, float, str, tuple, dict)):
                found[used] = f"{used} = {value!r}\n"
        lines = inspect.getsource(f).splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("def "))
        alias = "" if f.__name__ == name else f"\n\n{name} = {f.__name__}\n"
        found[name] = "\n".join(lines[start:]) + "\n" + alias

    for name, f in functions.items():
        add(name, f)
    if any("math." in text for text in found.values()):
        found = {"math": "import math\n"} | found
    return [text for text in found.values() if text]
