"""A program as a file of its own."""

from pathlib import Path
from typing import Any

import numpy as np

from .entry import Entry
from .program import Call, Count, Draws, Gradient, Slot
from .state import State

FRAME = '''

DATA = dict(np.load(Path(__file__).with_suffix(".npz")))
NUMBERS = {numbers}
_step = make(*DATA.values())


def {name}({arguments}):
    """One call, for arguments of the recorded shapes: {shapes}.

    The arrays in DATA and the NUMBERS are read and changed, as the recorded function did.
    """
    results = _step({given})
{update}    return results[{results}]
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
    call = Call([], state)
    kinds = {kind: [v for v in module.given if isinstance(v.value, kind)] for kind in (Slot, Count, Draws)}
    data = {names[v]: v.value.read(call) for v in module.bound} | {names[v]: v.value for v in module.constants}
    written, count = [names[i] for i, _ in program.writes if i.shape is None], len(program.results)
    arguments = [*(names[v] for v in kinds[Slot]), *(f"{names[v]}=np.random.default_rng()" for v in kinds[Draws])]
    text = FRAME.format(
        numbers=repr({names[v]: v.value.read(call) for v in kinds[Count]}), name=name,
        arguments=", ".join(arguments),
        shapes=", ".join(
            f"{names[v]} {v.shape} {v.dtype}" if v.shape is not None else f"{names[v]} (a number)"
            for v in kinds[Slot]) or "none",
        given=", ".join(f'NUMBERS["{names[v]}"]' if v in kinds[Count] else names[v] for v in module.given),
        update=f"    NUMBERS.update(zip({written!r}, results[{count}:]))\n" if written else "",
        results="0" if count == 1 else f":{count}")
    np.savez(path.with_suffix(".npz"), **data)  # type: ignore[arg-type]
    path.write_text(f'"""{name}, compiled by tinygrad_lite; needs numpy alone."""\n\nfrom pathlib import Path\n\n'
                    + module.whole + text)
