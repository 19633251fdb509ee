"""The tape as a picture: a graphviz graph of operations, modules, and the leaves and constants they read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.changes import stamp
from ..engine.mode import Switch
from ..engine.refusals import nearest, need_bool, told, whole
from ..engine.trees import leaves
from ..engine.values import Value
from ..nn import Module
from ..random import get_rng_state, set_rng_state
from .dot import FONT, SIZE, cell, heading, label, sizes, use_any_dot, weight
from .frames import Frame, frames_of, home_of, homes_of, readers_of, runs_of_equals
from .study import study
from .table import summary
from .tape import Step, Tape, tape_for

if TYPE_CHECKING:
    import graphviz

LARGE = 30  # boxes from which on equal modules are drawn once, and then modules and lines are collapsed
HUGE = 300  # the same of operations that were recorded outside study(), of which nothing is known
STYLES = {  # by shape and line too, so that they differ in gray
    "parameter": {"shape": "box", "style": "filled,bold", "fillcolor": "#ffd9a8"},
    "leaf": {"shape": "box", "style": "filled", "fillcolor": "#ffe9c9"},
    "constant": {"shape": "box", "style": "dashed"},
    "operation": {"shape": "box", "style": "filled,rounded", "fillcolor": "#cfe3ff"},
    "module": {"shape": "box3d", "style": "filled", "fillcolor": "#e4dcf7", "margin": "0.15,0.1"},
    "output": {"shape": "box", "style": "filled", "fillcolor": "#d5f0d0", "peripheries": "2"},
}
ELEMENTWISE = frozenset("add mul sub div pow neg abs exp log sqrt tanh sigmoid relu sin cos where maximum "
                        "minimum square reciprocal erf gelu silu clamp clamp_min clamp_max to".split())
DIRECTIONS = ("TB", "LR", "BT", "RL")


@dataclass(eq=False)
class Box:
    """What is drawn as one box: a step, a chain of steps, or a call of a module (`frame`)."""

    steps: list[Step]
    home: Frame
    frame: Frame | None = None

    @property
    def name(self) -> str:
        """What edges call it. What users name is only drawn: graphviz takes what follows a colon for a port."""
        if self.frame:
            return f"module{self.frame.number}"
        return f"v{self.steps[-1].index}" + f"-{self.home.number}" * (not self.steps[-1].is_operation)

    @property
    def style(self) -> dict[str, str]:
        """Shape, line and color."""
        if self.frame:
            return STYLES["module"]
        return STYLES["operation" if self.steps[-1].is_operation else self.steps[-1].op]


def draw(output: Any, names: Any = None, *, values: bool = False, gradients: bool = False, depth: int | None = None,
         fold: bool = False, direction: str = "TB") -> "graphviz.Digraph":
    """The graph that leads to a Tensor (or of a Tape); it shows itself in Jupyter, .render(outfile="graph.svg") writes.

    Several Tensors may be given in tuples, lists and dicts. draw(model, x), or draw(model, (x, y)), draws what a model
    computes of an example. Operations that were recorded inside study() lie in frames of their modules, a frame a call,
    with the parameters that they alone read. A tensor without a tape is a RuntimeError.

    - names: a Module, or a dict of names with the leaves that they name.
    - values, gradients: write the numbers into the boxes; small matrices are heat maps, red above 0 and blue below.
    - depth: modules of this depth (0 for the outermost) are one box each. Unless it is given, a picture of more than 30
      boxes collapses modules as far as needed, and shows equal modules in a row once, with "x 6" beside their name.
    - fold: show equal modules once, and chains of elementwise operations as one box.
    - direction: "TB" (top to bottom) or "LR" (left to right), or the reverse of these, "BT" and "RL".

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    >>> tl.draw(model, tl.ones(1, 2)).render(outfile="graph.svg")
    'graph.svg'
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"draw: direction is TB, LR, BT or RL, not {told(direction)}{nearest(direction, DIRECTIONS)}")
    if depth is not None:
        depth = whole("draw: depth is a whole number from 0 on, where 0 draws the outermost modules as boxes", depth, 0)
    for option, value in (("values", values), ("gradients", gradients), ("fold", fold)):
        need_bool(f"draw: {option}", value)
    if isinstance(output, Module):
        output, names = _example(output, names), output
    tape = tape_for("draw", output, names)
    use_any_dot()
    import graphviz

    if gradients:
        tape.ensure_gradients()
    plan = _plan(tape, depth, fold)
    letters = {"fontname": FONT, "fontsize": str(SIZE)}
    graph = graphviz.Digraph(graph_attr={"rankdir": direction, "ranksep": "0.35", **letters}, node_attr=letters)
    _put(graph, plan, plan.root, lambda box: _label(tape, plan, box, values, gradients))
    for tail, head in _edges(tape, plan):
        graph.edge(tail.name, head.name, weight=weight(tail.steps[-1]))
    for i, (name, index) in enumerate(zip(tape.output_names, tape.outputs)):
        end = f"output{i or ''}"
        graph.node(end, **label(f"output{' ' * bool(name)}{name}", sizes(tape[index])), **STYLES["output"])
        graph.edge(plan.box(index, plan.homes[index][0]).name, end)
    return graph


def _example(model: Module, given: Any) -> Any:
    """What a model computes of an example and keeps a tape of; its buffers, and the random numbers that it draws, stay
    as they were."""
    if given is None:
        raise TypeError("draw: a module is drawn by what it computes: give an example, tl.draw(model, x)")
    before, numbers = [(b.array, b.array.copy()) for b in model.buffers()], get_rng_state()
    try:
        with study(), Switch("recording", True):
            found = model(*given if isinstance(given, tuple) else (given,))
    finally:
        set_rng_state(numbers)
        for array, values in before:
            if not np.array_equal(array, values):
                array[...] = values
                stamp(array)
    outputs = [part for part in leaves(found) if isinstance(part, Value) and part.node is not None]
    return outputs[0] if len(outputs) == 1 else outputs or found


# ---------------------------------------------------------------- boxes
class Plan:
    """Which box each step is in, in each of its frames."""

    def __init__(self, tape: Tape, root: Frame) -> None:
        self.root, self.homes, self.readers = root, homes_of(root), readers_of(tape)
        self.boxes: dict[tuple[int, Frame], Box] = {}
        self.whole: dict[Frame, Box] = {}  # of frames that are one box
        self.rows: dict[Frame, list[Frame]] = {}  # equal modules, by the first of them, which alone is drawn
        self.left_out: set[Frame] = set()  # the others, and what is in them

    def box(self, index: int, reader: Frame) -> Box:
        """The box of a step, for a reader in some frame."""
        return self.boxes[index, home_of(self.homes[index], reader)]

    @property
    def size(self) -> int:
        """How many boxes are drawn."""
        return len(set(self.boxes.values()))


def _plan(tape: Tape, depth: int | None, fold: bool) -> Plan:
    """The boxes at a depth; unless that is given, the first of several plans that is not too large."""
    if depth is not None:
        return _filled(tape, frames_of(tape), depth, fold, fold)
    few = LARGE if any(step.line for step in tape) else HUGE
    for most in (None, few):
        root = frames_of(tape, most)
        deepest = max(len(frame.path) for frame in root.walk())
        for level, once in [(None, fold), (None, True), *((level, True) for level in range(deepest - 1, -1, -1))]:
            plan = _filled(tape, root, level, once, fold)
            if plan.size <= LARGE:
                return plan
    return plan


def _filled(tape: Tape, root: Frame, level: int | None, once: bool, chains: bool) -> Plan:
    plan = Plan(tape, root)
    _fill(plan, tape, root, level, once)
    if chains:
        _fold_chains(plan, tape)
    return plan


def _fill(plan: Plan, tape: Tape, frame: Frame, level: int | None, once: bool) -> None:
    """Boxes for the parts of a frame, and of those inside, `level` deep (None: all)."""
    rows = {row[0]: row for row in runs_of_equals(tape, frame, plan.readers)} if once else {}
    firsts = {other: first for first, row in rows.items() for other in row[1:]}
    for part in frame.parts:
        if isinstance(part, Step):
            plan.boxes[part.index, frame] = Box([part], frame)
        elif part in firsts:
            for step, alike in zip(part.placed, firsts[part].placed):
                plan.boxes[step[0].index, step[1]] = plan.boxes[alike[0].index, alike[1]]
            plan.left_out.update(part.walk())
        else:
            if len(rows.get(part, ())) > 1:
                plan.rows[part] = rows[part]
            if level == 0:
                plan.whole[part] = box = Box(part.steps, frame, part)
                plan.boxes.update(((step.index, home), box) for step, home in part.placed)
            else:
                _fill(plan, tape, part, None if level is None else level - 1, once)


def _fold_chains(plan: Plan, tape: Tape) -> None:
    """Put an elementwise operation into the box of the one whose value it alone reads."""
    apart = plan.left_out | plan.rows.keys()  # of equal modules the others' steps are in the boxes of the first
    for s in tape:
        made = [tape[i] for i in s.reads if tape[i].is_operation]
        if len(made) != 1 or not {s.op, made[0].op} <= ELEMENTWISE or plan.readers[made[0].index] != [s.index]:
            continue
        home, = plan.homes[s.index]
        box = plan.box(made[0].index, home)
        if box.home is home and apart.isdisjoint(home.path) and not box.frame and made[0].index not in tape.outputs:
            box.steps.append(s)
            plan.boxes[s.index, home] = box


def _edges(tape: Tape, plan: Plan) -> dict[tuple[Box, Box], None]:
    """From the boxes that are read to those that read them; equal modules that are not drawn have none."""
    edges: dict[tuple[Box, Box], None] = {}
    for step in tape:
        for source in step.reads:
            home, = plan.homes[step.index]
            ends = plan.box(source, home), plan.boxes[step.index, home]
            if home not in plan.left_out and ends[0] is not ends[1]:
                edges[ends] = None
    return edges


def _put(graph: Any, plan: Plan, frame: Frame, said: Callable[[Box], dict[str, str]]) -> None:
    """Draw the boxes of a frame, and its frames as clusters."""
    drawn = set[Box]()
    for part in frame.parts:
        box = plan.boxes[part.index, frame] if isinstance(part, Step) else plan.whole.get(part)
        if box and box not in drawn:
            drawn.add(box)
            graph.node(box.name, **said(box), **box.style)
        elif isinstance(part, Frame) and part not in plan.left_out:
            with graph.subgraph(name=f"cluster{part.number}") as cluster:
                cluster.attr(label=heading(_called(plan, part)), labeljust="l", color="#999999", style="rounded",
                             margin="12")
                _put(cluster, plan, part, said)


def _called(plan: Plan, frame: Frame) -> str:
    """A frame's name; of several in a row, of which one is drawn, the first and the last."""
    row = plan.rows.get(frame, [frame])
    return frame.titled(frame.name if len(row) == 1 else f"{frame.name} to {row[-1].name}, x {len(row)}")


# ---------------------------------------------------------------- what is written in them
def _label(tape: Tape, plan: Plan, box: Box, values: bool, gradients: bool) -> dict[str, str]:
    last = box.steps[-1]
    if box.frame:
        work = f"{box.frame.work} operation{'s' * (box.frame.work != 1)}"
        return label(_called(plan, box.frame), sizes(box.frame.result), work)
    what = ", ".join(s.op for s in box.steps) if last.is_operation else last.name or last.op
    shown = [("", last.value)] * values
    if gradients and last.index in tape.gradients:
        shown.append(("grad ", tape.gradients[last.index]))
    if not any(_is_small_matrix(a) for _, a in shown):
        return label(what, sizes(last), *(word + _said(a) for word, a in shown))
    rows = [*map(cell, filter(None, (what, sizes(last))))]
    for word, a in shown:
        rows += [cell(word + _said(a)), *([_heat(a)] if _is_small_matrix(a) else [])]
    cells = "".join(f"<TR><TD>{row}</TD></TR>" for row in rows)
    return {"label": f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="1">{cells}</TABLE>>'}


def _said(a: np.ndarray) -> str:
    return summary(a).replace("±", "+-").replace("…", "to")  # graphviz knows the widths of plain letters only


def _is_small_matrix(a: np.ndarray) -> bool:
    return a.ndim == 2 and 4 < a.size <= 256 and max(a.shape) <= 32 and bool(np.isfinite(a).all())


def _heat(a: np.ndarray) -> str:
    """A matrix as a table of colored cells: red above 0, blue below."""
    most = float(np.abs(a).max()) or 1.0
    rows = []
    for row in a:
        shades = [round(255 * (1 - abs(float(x)) / most)) for x in row]
        colors = [f"#ff{w:02x}{w:02x}" if x > 0 else f"#{w:02x}{w:02x}ff" for x, w in zip(row, shades)]
        rows.append("".join(f'<TD BGCOLOR="{c}" WIDTH="9" HEIGHT="9" FIXEDSIZE="TRUE"></TD>' for c in colors))
    size = f'FIXEDSIZE="TRUE" WIDTH="{9 * a.shape[1] + 2}" HEIGHT="{9 * a.shape[0] + 2}"'
    return f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" {size}>' + "".join(
        f"<TR>{row}</TR>" for row in rows) + "</TABLE>"
