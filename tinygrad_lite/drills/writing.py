"""The file that one practices in."""

from pathlib import Path

from ..engine.refusals import Told
from . import catalog, source
from .practice import Practice

FOLDER = Path("drills")


def write_file(name: str, on: str, practice: Practice) -> list[str]:
    """Write the empty file of a drill, keep one that is there aside, and start the clock; what is to be said."""
    path, said = FOLDER / f"{name}.py", []
    catalog.need_tensors(name, on)
    text = source.stub(catalog.load(name), name, on)
    if FOLDER.exists() and not FOLDER.is_dir() or path.is_dir():
        raise Told(f"{path if path.is_dir() else FOLDER} is in the way: drills are written to {path}; move it away")
    FOLDER.mkdir(exist_ok=True)
    if path.exists() and path.read_bytes() != text.encode():
        number = 1
        while (aside := path.with_name(f"{name}-{number}.py")).exists():
            number += 1
        path.rename(aside)
        said.append(f"kept: {aside}, which you wrote before")
    path.write_text(text, encoding="utf-8")
    practice.of(name).begin(path, on)
    practice.last = name
    return [*said, f"written: {path}"]
