"""The tape as a picture: a graphviz graph of operations, modules, and the leaves and constants they read."""

import html
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .table import summary
from .tape import Step, Tape

if TYPE_CHECKING:
    import graphviz

LARGE = 300  # boxes from which on modules are collapsed unless a depth is given
STYLES = {  # by shape and line too, so that they differ in grey
    "parameter": {"shape": "box", "style": "filled,bold", "fillcolor": "#ffd9a8"},
    "leaf": {"shape": "box", "style": "filled", "fillcolor": "#ffe9c9"},
    "constant": {"shape": "box", "style": "dashed"},
    "operation": {"shape": "box", "style": "filled,rounded", "fillcolor": "#cfe3ff"},
    "module": {"shape": "box3d", "style": "filled", "fillcolor": "#e4dcf7"},
    "output": {"shape": "box", "style": "filled", "fillcolor": "#d5f0d0", "peripheries": "2"},
}
ELEMENTWISE = frozenset("add mul sub div pow neg abs exp log sqrt tanh sigmoid relu sin cos where maximum "
                        "minimum square reciprocal erf gelu silu clamp clamp_min clamp_max to".split())


def use_any_dot() -> None:
    """Let graphviz call the system's `dot`, or else graphviz-pure; with neither, RuntimeError."""
    command = next((c for c in ("dot", "graphviz-pure") if shutil.which(c)), None)
    beside = Path(sys.executable).with_name("graphviz-pure")
    if command is None and beside.exists():
        command = str(beside)
    if command is None:
        raise RuntimeError("drawing needs the dot command: pip install graphviz-pure")
    import graphviz  # here, and not with every import of the library: it takes long

    graphviz.backend.dot_command.DOT_BINARY = command


def draw(output: Any, names: Any = None, *, values: bool = False, gradients: bool = False, depth: int | None = None,
         fold: bool = False, direction: str = "TB") -> "graphviz.Digraph":
    """The graph that leads to a Tensor (or of a Tape); it shows itself in Jupyter, .render(outfile="graph.svg") writes.

    names: a Module, or a dict of names with their leaves. values, gradients: say them in the boxes, of small matrices
    as a heat map (red above 0, blue below). Operations recorded inside study() lie in boxes of their modules; modules
    below `depth` (0: all) are one box each, by default as many as bring the picture under 300. fold: chains of
    elementwise operations as one box. direction: "TB" or "LR". A tensor without a tape is a RuntimeError.
    """
    if direction not in ("TB", "LR", "BT", "RL"):
        raise ValueError(f"draw: direction is TB, LR, BT or RL, not {direction!r}")
    import graphviz

    tape = output if isinstance(output, Tape) else Tape(output, names)
    use_any_dot()
    if gradients and not tape.gradients:
        tape.backward(None if tape[tape.output].value.size == 1 else np.ones(tape[tape.output].shape))
    groups = _groups(tape, depth, fold)
    graph = graphviz.Digraph(graph_attr={"rankdir": direction},
                             node_attr={"fontname": "Helvetica", "fontsize": "11"},
                             edge_attr={"fontname": "Helvetica", "fontsize": "9"})
    boxes: dict[str, list[Step]] = {}
    for step in tape:
        boxes.setdefault(groups[step.index], []).append(step)
    _nest(graph, {box: _home(box, steps) for box, steps in boxes.items()},
          lambda g, box: g.node(box, _label(tape, box, boxes[box], values, gradients), **_style(box, boxes[box])))
    edges: dict[tuple[str, str], str] = {}
    for step in tape:
        for source in step.reads:
            ends = groups[source], groups[step.index]
            if ends[0] != ends[1]:
                made = tape[source]
                edges.setdefault(ends, str(list(made.shape)) if made.is_operation else "")
    for (tail, head), label in edges.items():
        graph.edge(tail, head, label=label or None)
    graph.node("output", f"output\n{list(tape[tape.output].shape)}", **STYLES["output"])
    graph.edge(groups[tape.output], "output")
    return graph


def _groups(tape: Tape, depth: int | None, fold: bool) -> dict[int, str]:
    """The box of each step: its own, that of the module it is collapsed into, or that of a folded chain."""
    deepest = max((len(s.module.split(".")) for s in tape if s.module), default=0)
    candidates = [depth] if depth is not None else [None, *range(deepest - 1, -1, -1)]
    groups: dict[int, str] = {}
    for level in candidates:
        groups = {s.index: _collapsed(s, level) for s in tape}
        for index, boxes in _readers(tape, groups).items():  # what only a collapsed module reads is part of it
            step = tape[index]
            private = step.op == "parameter" or step.op == "constant" and step.value.size == 1
            if private and len(boxes) == 1 and boxes[0].startswith("module "):
                groups[index] = boxes[0]
        if len(set(groups.values())) <= LARGE:
            break
    if fold:
        readers: dict[int, list[int]] = {}
        for s in tape:
            for source in s.reads:
                readers.setdefault(source, []).append(s.index)
        for s in tape:
            before = [i for i in s.reads if tape[i].is_operation]
            if s.op in ELEMENTWISE and len(before) == 1 and tape[before[0]].op in ELEMENTWISE and \
                    readers[before[0]] == [s.index] and tape[before[0]].module == s.module:
                groups[s.index] = groups[before[0]]
    return groups


def _readers(tape: Tape, groups: dict[int, str]) -> dict[int, list[str]]:
    """The boxes that read each step."""
    found: dict[int, dict[str, None]] = {}
    for s in tape:
        for source in s.reads:
            found.setdefault(source, {})[groups[s.index]] = None
    return {index: list(boxes) for index, boxes in found.items()}


def _collapsed(step: Step, level: int | None) -> str:
    parts = step.module.split(".") if step.module else []
    return f"module {'.'.join(parts[: level + 1])}" if level is not None and len(parts) > level else f"v{step.index}"


def _home(box: str, steps: list[Step]) -> tuple[str, ...]:
    """The modules that a box lies in."""
    parts = tuple(steps[-1].module.split(".")) if steps[-1].module else ()
    return tuple(box.removeprefix("module ").split("."))[:-1] if box.startswith("module ") else parts


def _nest(graph: Any, homes: dict[str, tuple[str, ...]], put: Any, path: tuple[str, ...] = ()) -> None:
    """Boxes in clusters of clusters, in the order of the steps."""
    inner: dict[str, dict[str, tuple[str, ...]]] = {}
    for box, home in homes.items():
        if home == path:
            put(graph, box)
        else:
            inner.setdefault(home[len(path)], {})[box] = home
    for name, below in inner.items():
        with graph.subgraph(name=f"cluster_{'.'.join((*path, name))}") as cluster:
            cluster.attr(label=name, labeljust="l", fontname="Helvetica", fontsize="11", color="#999999",
                         style="rounded")
            _nest(cluster, below, put, (*path, name))


def _style(box: str, steps: list[Step]) -> dict[str, str]:
    if box.startswith("module "):
        return STYLES["module"]
    return STYLES["operation" if steps[-1].is_operation else steps[-1].op]


def _label(tape: Tape, box: str, steps: list[Step], values: bool, gradients: bool) -> str:
    if box.startswith("module "):
        count = sum(s.is_operation for s in steps)
        return f"{box.removeprefix('module ')}\n{count} operation{'s' * (count != 1)}"
    last = steps[-1]
    lines = [", ".join(s.op for s in steps)] if last.is_operation else [last.name or last.op, str(list(last.shape))]
    shown = [("", last.value)] * values
    if gradients and last.index in tape.gradients:
        shown.append(("grad ", tape.gradients[last.index]))
    if not any(_is_small_matrix(a) for _, a in shown):
        return "\n".join([*lines, *(what + _said(a) for what, a in shown)])
    rows = [html.escape(line) for line in lines]
    for what, a in shown:
        rows += [html.escape(what + _said(a)), *([_heat(a)] if _is_small_matrix(a) else [])]
    cells = "".join(f"<TR><TD>{row}</TD></TR>" for row in rows)
    return f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="1">{cells}</TABLE>>'


def _said(a: np.ndarray) -> str:
    return summary(a).replace("±", "+-").replace("…", "to")  # graphviz knows the widths of plain letters only


def _is_small_matrix(a: np.ndarray) -> bool:
    return a.ndim == 2 and 4 < a.size <= 256 and max(a.shape) <= 32 and bool(np.isfinite(a).all())


def _heat(a: np.ndarray) -> str:
    """A matrix as a table of coloured cells: red above 0, blue below."""
    most = float(np.abs(a).max()) or 1.0
    rows = []
    for row in a:
        shades = [round(255 * (1 - abs(float(x)) / most)) for x in row]
        colors = [f"#ff{w:02x}{w:02x}" if x > 0 else f"#{w:02x}{w:02x}ff" for x, w in zip(row, shades)]
        rows.append("".join(f'<TD BGCOLOR="{c}" WIDTH="9" HEIGHT="9" FIXEDSIZE="TRUE"></TD>' for c in colors))
    size = f'FIXEDSIZE="TRUE" WIDTH="{9 * a.shape[1] + 2}" HEIGHT="{9 * a.shape[0] + 2}"'
    return f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" {size}>' + "".join(
        f"<TR>{row}</TR>" for row in rows) + "</TABLE>"
