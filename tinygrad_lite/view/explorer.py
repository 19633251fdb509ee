"""The explorer: one HTML file, of its own, that steps through a tape forward and backward."""

import html
import inspect
import json
import os
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.refusals import need
from .mathml import mathml
from .table import summary
from .tape import Step, Tape, tape_for

PAGE = Path(__file__).with_name("explorer.html")
HEAT, BINS, FEW = 24, 24, 12  # cells a side of a heat map, bars of a histogram, values that are shown as they are


def explore(output: Any, path: str | Path = "graph.html", names: Any = None) -> Path:
    """Write the explorer of the graph that leads to a Tensor, to several, or of a Tape; gives the file's path.

    Arrows step through the forward and then the backward pass; the side panel shows values, gradients, and the rule of
    each step. names: a Module, or a dict of names with their leaves. Recorded inside study(), operations say their
    source line and lie in their modules, which open and close. Arrays are summarised: of more than 12 elements a
    histogram and a heat map of at most 24 x 24 cells.
    """
    need(isinstance(path, (str, os.PathLike)), "explore: path is the name of an HTML file, and the names come after it",
         path)
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm", ""):
        raise ValueError(f"explore: it writes HTML, so path ends in .html, not {path.suffix!r}: tl.draw draws pictures")
    tape = tape_for("explore", output, names)
    tape.ensure_gradients()
    totals = _running_totals(tape)
    data = {"steps": [_step(tape, step, totals) for step in tape],
            "memory": tape.memory, "flops": tape.flops, "few": FEW, "heat": HEAT}
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    path.write_text(PAGE.read_text(encoding="utf-8").replace("/*DATA*/ null", text), encoding="utf-8")
    return path


def _running_totals(tape: Tape) -> dict[tuple[int, int], np.ndarray]:
    """By (step, argument): the gradient of what the argument is, once this contribution has been added."""
    totals: dict[tuple[int, int], np.ndarray] = {}
    now = dict(tape.seeds)
    for (index, argument), d in tape.contributions.items():  # in the order they ran
        source: Any = tape[index].inputs[argument]
        now[source] = totals[index, argument] = now[source] + d if source in now else d
    return totals


def _step(tape: Tape, step: Step, totals: dict[tuple[int, int], np.ndarray]) -> dict[str, Any]:
    sent = []
    for argument, source in enumerate(step.inputs):
        if (step.index, argument) in tape.contributions:
            sent.append({"to": source, "rule": step.rules[argument],
                         "math": list(map(_math, step.rules[argument])), "code": _code(step, argument),
                         "look": look(tape.contributions[step.index, argument]),
                         "total": look(totals[step.index, argument])})
    said = {name: str(value)[:60] if not isinstance(value, np.ndarray) else f"array{list(value.shape)}"
            for name, value in step.parameters.items()}
    return {"op": step.op, "text": str(step), "name": step.name, "inputs": step.reads,
            "shape": list(step.shape), "dtype": str(step.dtype), "module": step.module, "line": step.line,
            "parameters": said, "made": step.is_operation, "value": look(step.value), "memory": step.memory,
            "flops": step.flops, "sent": sent,
            "grad": look(tape.gradients[step.index]) if step.index in tape.gradients else None}


def _math(line: str) -> str:
    """A line of a rule as mathematics; one that mathematics has no signs for, as some of users' own have, as it is."""
    try:
        return mathml(line)
    except (SyntaxError, ValueError):
        return f"<code>{html.escape(line)}</code>"


def _code(step: Step, argument: int) -> str:
    """The Python of the rule."""
    op = step.node.op
    rule = getattr(op, "source", None) or op.joint or op.rules[argument]
    try:
        return textwrap.dedent(inspect.getsource(rule))[:1500]
    except (OSError, TypeError):
        return op.__name__


def _number(x: Any) -> Any:
    """A float that JSON can hold, to 5 digits; else its name."""
    x = float(x)
    return float(f"{x:.5g}") if np.isfinite(x) else str(x)


def look(array: np.ndarray) -> dict[str, Any]:
    """What the page shows of an array: few values as they are, of more a histogram and a heat map."""
    a = np.asarray(array)
    found: dict[str, Any] = {"summary": summary(a), "size": int(a.size)}
    if a.size <= FEW:
        found["values"] = [_number(x) for x in a.ravel()]
        return found
    flat = a.astype(np.float64).ravel()
    finite = flat[np.isfinite(flat)]
    if finite.size:
        counts, edges = np.histogram(finite, BINS)
        found["histogram"] = {"counts": counts.tolist(), "low": _number(edges[0]), "high": _number(edges[-1])}
    if a.ndim:
        found["map"] = _heat(a.astype(np.float64).reshape(-1, a.shape[-1]))
    return found


def _heat(matrix: np.ndarray) -> list[list[Any]]:
    """The matrix, or the means of its blocks."""
    with np.errstate(all="ignore"):
        for axis in (0, 1):
            n = matrix.shape[axis]
            if n > HEAT:
                starts = np.arange(HEAT) * n // HEAT
                counts = np.diff([*starts, n])
                matrix = np.add.reduceat(matrix, starts, axis) / (counts[:, None] if axis == 0 else counts)
    return [[_number(x) for x in row] for row in matrix]
