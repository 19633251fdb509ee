"""What graphviz is told: the command that draws, letters, and labels that are drawn as they are."""

import html
import shutil
import sys
from pathlib import Path
from typing import Any

from .table import drawable

FONT, SIZE = "Helvetica", 11
WIDEST = 0.62 / 72  # inches a point of the font's size that a letter takes in the widest of usual fonts


def use_any_dot() -> None:
    """Let graphviz call the system's `dot`, or else graphviz-pure; with neither, RuntimeError."""
    beside = str(Path(sys.executable).with_name("graphviz-pure"))
    command = next(filter(shutil.which, ("dot", "graphviz-pure", beside)), None)
    if command is None:
        raise RuntimeError("drawing needs the dot command: pip install graphviz-pure")
    import graphviz  # here, and not with every import of the library: it takes long

    graphviz.backend.dot_command.DOT_BINARY = command


def sizes(step: Any) -> str:
    """The sizes of a value; nothing of a single number."""
    return str(list(step.shape)) if step.shape else ""


def label(*lines: str) -> dict[str, str]:
    """A label that is drawn as it is: for graphviz, backslashes, <...> and &...; mean something else. Its box is as
    wide as the lines are in any usual font."""
    import graphviz

    text = drawable("\n".join(filter(None, lines)))
    widest = max(map(len, text.split("\n")))
    return {"label": graphviz.escape(text.replace("&", "&amp;")), "width": f"{widest * SIZE * WIDEST + 0.25:.2f}"}


def heading(name: str) -> str:
    """The name of a frame, on the left of so much room that arrows into its middle pass beside it."""
    return (f'<<TABLE BORDER="0" CELLPADDING="0" CELLSPACING="0"><TR><TD WIDTH="{round(len(name) * SIZE * 1.2)}" '
            f'ALIGN="LEFT">{cell(name)}</TD></TR></TABLE>>')


def cell(text: str) -> str:
    """The same in a cell of a table."""
    return html.escape(drawable(text)).replace("\\", "\\\\").replace("\n", "<BR/>")


def weight(tail: Any) -> str:
    """How straight an arrow is: what is computed goes straight on, leaves and constants come in from the side."""
    return "8" if tail.is_operation else "1"
