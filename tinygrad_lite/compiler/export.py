"""A program as a file of its own."""

import builtins
import symtable
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.trees import leaves, mapped
from .entry import Entry
from .program import Call, Count, Draws, Gradient, Slot
from .recording import Itself
from .state import State
from .words import Verbatim

FRAME = '''

DATA = dict(np.load(Path(__file__).with_suffix(".npz")))
NUMBERS = {numbers}
_step = make(*DATA.values())


def {name}({arguments}):
    """One call{of}.

    The arrays in DATA and the NUMBERS are read and changed, as the recorded function did.
    """
{checks}    results = _step({given})
{update}    return {result}
'''
CHECK = '''    if (np.shape({name}), np.asarray({name}).dtype) != ({shape}, "{dtype}"):
        raise ValueError(f"{name} is {{np.asarray({name}).dtype}}{{np.shape({name})}}, not {dtype}{shape}")
'''


def exported(path: Any, name: str, entry: Entry, state: State) -> None:
    """Write `path` (.py) and, beside it, an .npz of the arrays it starts from."""
    path, module = Path(path), entry.module
    names, program = module.names, module.program
    if path.suffix != ".py":
        raise ValueError(f"export: the path ends in .py, not {path.name!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"export: there is no folder {str(path.parent)!r} for {path.name}")
    if any(isinstance(v.value, Gradient) for v in module.given):
        raise RuntimeError("export: the program adds to gradients that earlier calls left; "
                           "export a step that starts with zero_grad()")
    if entry.recording.outputs or entry.recording.replaced:
        raise RuntimeError("export: the program puts its results into attributes; return them instead")
    if any(isinstance(x, Itself) for x in leaves(entry.recording.result, records=True)):
        raise RuntimeError("export: the program gives back a Tensor of its arguments or state; return a copy")
    if len({v.value.at for v in module.given if isinstance(v.value, Slot)}) != entry.recording.arguments:
        raise RuntimeError("export: one array was given as two arguments; call it with different ones")
    call = Call([], state)
    kinds = {kind: [v for v in module.given if isinstance(v.value, kind)] for kind in (Slot, Count, Draws)}
    data = {names[v]: v.value.read(call) for v in module.bound} | {names[v]: v.value for v in module.constants}
    written, count = [names[i] for i, _ in program.writes if i.shape is None], len(program.results)
    arguments = sorted(kinds[Slot], key=lambda v: v.value.at)
    arrays = [v for v in arguments if v.shape is not None]
    place = {v: Verbatim(f"results[{i}]") for i, v in enumerate(entry.recording.program.results)}
    result = mapped(lambda x: place.get(getattr(x, "of", x), x), entry.recording.result, records=True)
    text = FRAME.format(
        numbers=repr({names[v]: v.value.read(call) for v in kinds[Count]}), name=name,
        arguments=", ".join(names[v] for v in (*arguments, *kinds[Draws])),
        of=", for " + ", ".join(f"{names[v]} {v.dtype}{v.shape}" for v in arrays) if arrays else "",
        checks="".join(CHECK.format(name=names[v], shape=v.shape, dtype=v.dtype) for v in arrays),
        given=", ".join(f'NUMBERS["{names[v]}"]' if v in kinds[Count] else names[v] for v in module.given),
        update=f"    NUMBERS.update(zip({written!r}, results[{count}:]))\n" if written else "",
        result=module.words.of(result))
    text = (f'"""{name}, compiled by tinygrad_lite; needs numpy alone."""\n\nfrom __future__ import annotations\n\n'
            "from pathlib import Path\n\n" + module.whole + text)
    _refuse_incomplete(text)
    np.savez(path.with_suffix(".npz"), **data)  # type: ignore[arg-type]
    path.write_text(text)


def _refuse_incomplete(text: str) -> None:
    """RuntimeError where the file would read a name that it does not have."""
    table = symtable.symtable(text, "export", "exec")
    have = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()
            or symbol.is_namespace()}
    tables, missing = [table], set()
    for scope in tables:  # grows as it is read
        tables += scope.get_children()
        missing |= {s.get_name() for s in scope.get_symbols() if s.is_global() and s.is_referenced()}
    missing -= have | set(dir(builtins)) | {"__file__"}
    if missing:
        raise RuntimeError(f"export: a function that the program calls needs {', '.join(sorted(missing))} of the "
                           "library, which no file of numpy alone has; leave that operation out of the step")
