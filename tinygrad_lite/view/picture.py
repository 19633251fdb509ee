"""The tape as a picture: a graphviz graph of operations, modules, and the leaves and constants they read."""

import html
import itertools
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.refusals import nearest, need_bool, told, whole
from .table import drawable, summary
from .tape import Step, Tape, tape_for

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
DIRECTIONS = ("TB", "LR", "BT", "RL")


Calls = tuple[tuple[str, int], ...]  # of modules, outermost first: what each is called, and what tells it from others


@dataclass(eq=False)
class Box:
    """What is drawn as one box: a step, a chain of steps, or those of one run of the module at `path`."""

    steps: list[Step]
    home: Calls = ()  # of modules that it lies in
    path: Calls = ()

    @property
    def name(self) -> str:
        """What edges call it. What users name is only drawn: graphviz takes what follows a colon for a port."""
        return f"{'module' if self.path else 'v'}{self.steps[-1].index}"

    @property
    def style(self) -> dict[str, str]:
        """Shape, line and colour."""
        if self.path:
            return STYLES["module"]
        return STYLES["operation" if self.steps[-1].is_operation else self.steps[-1].op]


def use_any_dot() -> None:
    """Let graphviz call the system's `dot`, or else graphviz-pure; with neither, RuntimeError."""
    beside = str(Path(sys.executable).with_name("graphviz-pure"))
    command = next(filter(shutil.which, ("dot", "graphviz-pure", beside)), None)
    if command is None:
        raise RuntimeError("drawing needs the dot command: pip install graphviz-pure")
    import graphviz  # here, and not with every import of the library: it takes long

    graphviz.backend.dot_command.DOT_BINARY = command


def draw(output: Any, names: Any = None, *, values: bool = False, gradients: bool = False, depth: int | None = None,
         fold: bool = False, direction: str = "TB") -> "graphviz.Digraph":
    """The graph that leads to a Tensor (or of a Tape); it shows itself in Jupyter, .render(outfile="graph.svg") writes.

    Several Tensors may be given in tuples, lists and dicts. names: a Module, or a dict of names with their leaves.
    values, gradients: say them in the boxes, of small matrices as a heat map (red above 0, blue below). Operations
    recorded inside study() lie in frames of their modules, one a call; modules below `depth` (0: all) are one box each
    time that they run, by default as many as bring the picture under 300. fold: chains of elementwise operations as one
    box. direction: "TB" or "LR". A tensor without a tape is a RuntimeError.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"draw: direction is TB, LR, BT or RL, not {told(direction)}{nearest(direction, DIRECTIONS)}")
    if depth is not None:
        depth = whole("draw: depth is a whole number from 0 on, where 0 draws the outermost modules as boxes", depth, 0)
    for option, value in (("values", values), ("gradients", gradients), ("fold", fold)):
        need_bool(f"draw: {option}", value)
    tape = tape_for("draw", output, names)
    use_any_dot()
    import graphviz

    if gradients:
        tape.ensure_gradients()
    boxes = _boxes(tape, depth, fold)
    graph = graphviz.Digraph(graph_attr={"rankdir": direction},
                             node_attr={"fontname": "Helvetica", "fontsize": "11"},
                             edge_attr={"fontname": "Helvetica", "fontsize": "9"})
    _nest(graph, list(dict.fromkeys(boxes.values())),
          lambda g, box: g.node(box.name, _label(tape, box, values, gradients), **box.style), itertools.count())
    edges: dict[tuple[str, str], str] = {}
    for step in tape:
        for source in step.reads:
            ends = boxes[source].name, boxes[step.index].name
            if ends[0] != ends[1]:
                edges.setdefault(ends, str(list(tape[source].shape)) if tape[source].is_operation else "")
    for (tail, head), label in edges.items():
        graph.edge(tail, head, label=label or None)
    for i, (name, index) in enumerate(zip(tape.output_names, tape.outputs)):
        end = f"output{i or ''}"
        graph.node(end, _text(f"output{' ' * bool(name)}{name}\n{list(tape[index].shape)}"), **STYLES["output"])
        graph.edge(boxes[index].name, end)
    return graph


# ---------------------------------------------------------------- boxes
def _boxes(tape: Tape, depth: int | None, fold: bool) -> dict[int, Box]:
    """The box that each step is in."""
    readers: dict[int, list[Step]] = {s.index: [] for s in tape}
    for s in tape:
        for source in s.reads:
            readers[source].append(s)
    calls = _calls(tape)
    deepest = max(map(len, calls.values()))
    for level in [depth] if depth is not None else [None, *range(deepest - 1, -1, -1)]:
        boxes = _runs(tape, calls, level)
        for s in tape:  # what only a collapsed module reads is part of it
            homes = list({boxes[reader.index] for reader in readers[s.index]})
            private = s.op == "parameter" or s.op == "constant" and s.value.size == 1
            if private and len(homes) == 1 and homes[0].path and s.index not in tape.outputs:
                homes[0].steps.insert(0, s)
                boxes[s.index] = homes[0]
        if len(set(boxes.values())) <= LARGE:
            break
    for s in tape if fold else ():
        made = [tape[i] for i in s.reads if tape[i].is_operation]
        if len(made) == 1 and {s.op, made[0].op} <= ELEMENTWISE and readers[made[0].index] == [s] and \
                boxes[made[0].index].home == boxes[s.index].home and made[0].index not in tape.outputs and \
                not boxes[s.index].path and not boxes[made[0].index].path:
            boxes[s.index] = boxes[made[0].index]
            boxes[s.index].steps.append(s)
    return boxes


def _calls(tape: Tape) -> dict[int, Calls]:
    """Of each step the calls that it lies in: `block`, and where it runs once more in the same call `block (call 2)`.

    Each call is on its own: with one box for two of them, what runs in between would make edges run in a loop.
    """
    said: dict[tuple, tuple[str, int]] = {}
    counts: dict[tuple, int] = {}
    for step in tape:
        for i, (name, module, number) in enumerate(step.calls):
            call = step.calls[: i + 1]
            if call not in said:
                key = (step.calls[:i], module)
                counts[key] = counts.get(key, 0) + 1
                said[call] = name if counts[key] == 1 else f"{name} (call {counts[key]})", number
    return {s.index: tuple(said[s.calls[: i + 1]] for i in range(len(s.calls))) for s in tape}


def _runs(tape: Tape, calls: dict[int, Calls], level: int | None) -> dict[int, Box]:
    """A box for each step, or for steps that follow each other in one module as deep as `level`: of several calls that
    nothing comes between, one."""
    boxes: dict[int, Box] = {}
    last = Box([])
    for step in tape:
        home = calls[step.index]
        path: Calls = ()
        if level is not None and len(home) > level:
            name, module, _ = step.calls[level]
            home, path = home[:level], (*home[:level], (name, module))
        if not path or path != last.path:
            last = Box([], home, path)
        last.steps.append(step)
        boxes[step.index] = last
    return boxes


def _nest(graph: Any, boxes: list[Box], put: Callable[[Any, Box], None], count: Iterator[int],
          path: Calls = ()) -> None:
    """Boxes in clusters of clusters, in the order of the steps."""
    inner: dict[tuple[str, int], list[Box]] = {}
    for box in boxes:
        if box.home == path:
            put(graph, box)
        else:
            inner.setdefault(box.home[len(path)], []).append(box)
    for call, below in inner.items():
        with graph.subgraph(name=f"cluster{next(count)}") as cluster:
            cluster.attr(label=_text(call[0]), labeljust="l", fontname="Helvetica", fontsize="11", color="#999999",
                         style="rounded")
            _nest(cluster, below, put, count, (*path, call))


# ---------------------------------------------------------------- what is written in them
def _text(text: str) -> str:
    """A label that is drawn as it is: for graphviz, backslashes, <...> and &...; mean something else."""
    import graphviz

    return graphviz.escape(drawable(text).replace("&", "&amp;"))


def _cell(text: str) -> str:
    """The same in a cell of a table."""
    return html.escape(drawable(text)).replace("\\", "\\\\").replace("\n", "<BR/>")


def _label(tape: Tape, box: Box, values: bool, gradients: bool) -> str:
    last = box.steps[-1]
    if box.path:
        count = sum(s.is_operation for s in box.steps)
        return _text(f"{'.'.join(name for name, _ in box.path)}\n{count} operation{'s' * (count != 1)}")
    lines = [", ".join(s.op for s in box.steps)] if last.is_operation else [last.name or last.op, str(list(last.shape))]
    shown = [("", last.value)] * values
    if gradients and last.index in tape.gradients:
        shown.append(("grad ", tape.gradients[last.index]))
    if not any(_is_small_matrix(a) for _, a in shown):
        return _text("\n".join([*lines, *(what + _said(a) for what, a in shown)]))
    rows = [_cell(line) for line in lines]
    for what, a in shown:
        rows += [_cell(what + _said(a)), *([_heat(a)] if _is_small_matrix(a) else [])]
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
