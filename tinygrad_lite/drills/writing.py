"""The file that one practises in."""

from pathlib import Path

from . import catalog, source
from .practice import Practice

FOLDER = Path("drills")


def write_file(name: str, on: str, practice: Practice) -> Path:
    """Write the empty file of a drill, keep one that is there aside, and start the clock."""
    path = FOLDER / f"{name}.py"
    catalog.need_tensors(name, on)
    text = source.stub(catalog.load(name), name, on)
    FOLDER.mkdir(exist_ok=True)
    if path.exists() and path.read_bytes() != text.encode():
        number = 1
        while (aside := path.with_name(f"{name}-{number}.py")).exists():
            number += 1
        path.rename(aside)
        print(f"kept: {aside}, which you wrote before")
    path.write_text(text, encoding="utf-8")
    practice.of(name).begin(path, on)
    practice.last = name
    return path
