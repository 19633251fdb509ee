"""The explorer: one HTML file, of its own, that steps through a tape forward and backward, a module at a time."""

import html
import inspect
import json
import math
import os
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.refusals import need
from .dot import FONT, heading, label, sizes, use_any_dot, weight
from .frames import Frame, frames_of, home_of, homes_of, readers_of
from .mathml import mathml
from .quiz import wrong_lines
from .table import drawable, summary
from .tape import Step, Tape, tape_for

PAGES = (".html", ".htm", "")  # how a page's name may end
PAGE = Path(__file__).with_name("explorer.html")
FEW, HEAT = 64, 24  # values that are shown as they are; cells a side of a heat map, where there are not too many
CELLS = 600_000  # of all heat maps of a page together
PARTS = 24  # of a frame: larger ones are divided
WHOLE = 60  # steps that are shown all at once, where one asks for it
WIDE = 1500  # points, from which on it is no use
LIMIT = 10_000  # steps of a page


class Page(type(Path())):  # type: ignore[misc]
    """The path of a page; in a notebook it shows the page itself."""

    def _repr_html_(self) -> str | None:
        if not self.is_file():
            return None
        page = html.escape(self.read_text(encoding="utf-8"))
        return f'<iframe srcdoc="{page}" style="width: 100%; height: 640px; border: 0" title="explorer"></iframe>'


def explore(output: Any, path: str | Path = "graph.html", names: Any = None) -> Page:
    """Write the explorer of the graph that leads to a Tensor, to several, or of a Tape; gives the file's path, which in
    a notebook shows the page.

    The page steps through the forward and then the backward pass, into modules and over them, and shows values,
    gradients and the rule of each step; its quiz asks before it tells. names: a Module, or a dict of names with their
    leaves. Recorded inside study(), operations say their source line and lie in their modules; without modules, loops
    and lines group them. Arrays of more than 64 elements are heat maps of at most 24 x 24 cells. ValueError for more
    than 10,000 steps, or for a path of another ending than .html.

    >>> x = tl.tensor([1.0, 2.0], requires_grad=True)
    >>> tl.explore((x * x).sum(), "graph.html", {"x": x})
    Page('graph.html')
    """
    need(isinstance(path, (str, os.PathLike)), "explore: path is the name of an HTML file, and the names come after it",
         path)
    path = Page(path)
    if path.suffix.lower() not in PAGES:
        raise ValueError(f"explore: it writes HTML, so path ends in .html, not {path.suffix!r}: tl.draw draws pictures")
    tape = tape_for("explore", output, names)
    if len(tape) > LIMIT:
        raise ValueError(f"explore: a page shows at most {LIMIT:,} steps, and these are {len(tape):,}: explore fewer "
                         "passes of the loop, or a value that was computed earlier")
    tape.ensure_gradients()
    text = json.dumps(_data(tape), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PAGE.read_text(encoding="utf-8").replace("/*DATA*/ null", text), encoding="utf-8")
    return path


def _data(tape: Tape) -> dict[str, Any]:
    """All that the page knows."""
    root = frames_of(tape, PARTS)
    views = Views(tape, root)
    frames = [_frame(views, frame) for frame in root.walk()]
    whole = len(frames) if 1 < len(frames) and len(tape) <= WHOLE else 0
    if whole:
        frames.append({"name": "all at once", "kind": "", "above": 0, "work": root.work, **views.of(root, whole=True)})
    totals = _running_totals(tape)
    looks = len(tape) + len(tape.gradients) + len(tape.contributions) + len(totals)
    side = max(4, min(HEAT, math.isqrt(CELLS // looks)))
    svgs = _svgs(list(views.sources))
    if whole and float(re.findall(r'width="([\d.]+)pt"', svgs[frames[whole]["view"]])[0]) > WIDE:
        frames.pop()
        whole = 0
    steps = [{**_step(tape, step, totals, side), "frame": views.homes[step.index][0].number} for step in tape]
    return {"steps": steps, "frames": frames, "views": svgs, "whole": whole or None,
            "memory": tape.memory, "flops": tape.flops, "few": FEW, "heat": side}


# ---------------------------------------------------------------- the views
@dataclass
class View:
    """A picture of a frame while it is made."""

    graph: Any
    boxes: list[dict[str, Any]]  # what each is: a step or a frame, or a step that comes in or goes out
    places: dict[Any, int]  # the box of a step in a frame, or of a frame
    edges: dict[tuple[int, int], list]  # from box to box: the steps that it goes from and to

    def box(self, graph: Any, kind: str, what: int, key: Any, *lines: str) -> None:
        """One more box."""
        name = f"b{len(self.boxes)}"
        style = "rounded" if kind in ("operation", "frame") else "solid"
        graph.node(name, id=name, style=style, **{"class": kind}, **label(*lines))
        self.places[key] = len(self.boxes)
        self.boxes.append({kind if kind in ("frame", "in", "out") else "step": what})

    def place(self, frame: Frame, index: int, home: Frame) -> int:
        """The box of a step inside a frame: its own, or that of the frame that it lies in."""
        own = self.places.get((index, home))
        return self.places[home.path[len(frame.path)]] if own is None else own

    def arrow(self, tail: int, head: int, source: int, reader: int | None) -> None:
        """What a step reads of another."""
        if tail != head:
            self.edges.setdefault((tail, head), []).append([source, reader])


class Views:
    """What is seen of each frame: its parts as boxes, with what comes in from outside and what goes out; frames that
    look alike share a picture."""

    def __init__(self, tape: Tape, root: Frame) -> None:
        self.tape, self.homes = tape, homes_of(root)
        self.sources: dict[str, int] = {}  # of the pictures, in dot's language, by which it is
        self.readers = readers_of(tape)

    def of(self, frame: Frame, whole: bool = False) -> dict[str, Any]:
        """The number of its picture; the steps and frames that its boxes are; what each arrow goes from and to.

        whole: with every step inside, and frames as frames.
        """
        import graphviz

        view = View(graphviz.Digraph(graph_attr={"bgcolor": "transparent", "ranksep": "0.35", "nodesep": "0.45",
                                                 "fontname": FONT},
                                     node_attr={"shape": "box", "fontname": FONT, "fontsize": "12"}), [], {}, {})
        self._put(view, view.graph, frame, whole)
        own = {step.index for step in frame.steps}
        for step, home in frame.placed:
            for source in step.reads:
                key = source, home_of(self.homes[source], home)
                if source not in own and key not in view.places:
                    s = self.tape[source]
                    view.box(view.graph, "in", source, key, s.op if s.is_operation else s.name or s.op, sizes(s))
                view.arrow(view.place(frame, *key), view.place(frame, step.index, home), source, step.index)
        for step, home in {step.index: (step, home) for step, home in frame.placed}.values():
            leaves = step.is_operation and not own.issuperset(self.readers[step.index])
            if leaves or step.index in self.tape.outputs:
                said = ["out"] if leaves else [self._output(step.index)]
                view.box(view.graph, "out", step.index, None, *said, sizes(step))
                tail = view.place(frame, step.index, home)
                view.arrow(tail, len(view.boxes) - 1, step.index, None)
        for number, ((tail, head), pairs) in enumerate(view.edges.items()):
            view.graph.edge(f"b{tail}", f"b{head}", id=f"e{number}", weight=weight(self.tape[pairs[0][0]]))
        number = self.sources.setdefault(view.graph.source, len(self.sources))
        return {"view": number, "boxes": view.boxes, "edges": list(view.edges.values())}

    def _put(self, view: "View", graph: Any, frame: Frame, whole: bool) -> None:
        """Boxes for the parts of a frame."""
        for part in frame.parts:
            if isinstance(part, Step):
                kind = "operation" if part.is_operation else part.op
                view.box(graph, kind, part.index, (part.index, frame), _called(part, frame), sizes(part))
            elif whole:
                with graph.subgraph(name=f"cluster{part.number}") as cluster:
                    cluster.attr(label=heading(part.titled(part.name)), labeljust="l", fontsize="12")
                    self._put(view, cluster, part, whole)
            else:
                like = self.like(frame, part)
                view.box(graph, "frame", part.number, part, part.titled(part.name) + f", as {like}" * bool(like),
                         sizes(part.result), f"{part.work} of {part.work}")

    def _output(self, index: int) -> str:
        """What an output of the tape is called."""
        names = [name for name, place in zip(self.tape.output_names, self.tape.outputs) if place == index]
        return " ".join(filter(None, ["output", *names]))

    def like(self, frame: Frame, part: Frame) -> str:
        """The name of the first frame beside it that computes the same, unless that is itself."""
        first = next(p for p in frame.parts if isinstance(p, Frame) and (p is part or p.form[0] == part.form[0]))
        return "" if first is part else first.name


def _frame(views: Views, frame: Frame) -> dict[str, Any]:
    return {"name": frame.name, "kind": frame.kind, "above": frame.above.number if frame.above else None,
            "like": views.like(frame.above, frame) if frame.above else "", "work": frame.work, **views.of(frame)}


def _called(step: Step, frame: Frame) -> str:
    """What a frame's view calls a step: a parameter by what its module calls it."""
    if step.is_operation:
        return step.op
    return step.name.removeprefix("".join(f"{f.word}." for f in frame.path)) or step.op


def _svgs(sources: list[str]) -> list[str]:
    """The pictures that graphviz draws, all by one call, without what the page knows itself."""
    use_any_dot()
    import graphviz

    drawn = graphviz.pipe("dot", "svg", "\n".join(sources).encode(), quiet=True)
    found = re.findall(r"<svg.*?</svg>", drawn.decode(), re.DOTALL)
    return [re.sub(r"<!--.*?-->|<title>.*?</title>| (font-family|xml:space|fill|stroke)=\"[^\"]*\"|\n", "", svg)
            for svg in found]


# ---------------------------------------------------------------- the steps
def _running_totals(tape: Tape) -> dict[tuple[int, int], np.ndarray]:
    """By (step, argument): the gradient of what the argument is, once this contribution has been added."""
    totals: dict[tuple[int, int], np.ndarray] = {}
    now = dict(tape.seeds)
    for (index, argument), d in tape.contributions.items():  # in the order they ran
        source: Any = tape[index].inputs[argument]
        now[source] = totals[index, argument] = now[source] + d if source in now else d
    return totals


def _step(tape: Tape, step: Step, totals: dict[tuple[int, int], np.ndarray], side: int) -> dict[str, Any]:
    sent = []
    for argument, source in enumerate(step.inputs):
        if (step.index, argument) in tape.contributions:
            rule = step.rules[argument]
            sent.append({"to": source, "rule": rule, "math": list(map(_math, rule)), "code": _code(step, argument),
                         "wrong": [[line, _math(line)] for line in wrong_lines(rule, _values(tape, step))],
                         "look": look(tape.contributions[step.index, argument], side),
                         "total": look(totals[step.index, argument], side)})
    said = {name: str(value)[:60] if not isinstance(value, np.ndarray) else f"array{list(value.shape)}"
            for name, value in step.parameters.items()}
    return {"op": step.op, "text": drawable(str(step)), "name": drawable(step.name), "inputs": step.reads,
            "shape": list(step.shape), "dtype": str(step.dtype), "module": drawable(step.module), "line": step.line,
            "parameters": said, "made": step.is_operation, "value": look(step.value, side), "memory": step.memory,
            "flops": step.flops, "sent": sent,
            "seed": look(tape.seeds[step.index], side) if step.index in tape.seeds else None,
            "grad": look(tape.gradients[step.index], side) if step.index in tape.gradients else None}


def _values(tape: Tape, step: Step) -> dict[str, np.ndarray]:
    """What the names in a step's rules stand for."""
    own = {step.label: step.value, f"{step.label}.grad": tape.gradients[step.index]}
    return {source.label: source.value for source in step.sources.values()} | own


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
    """A number that JSON can hold: whole ones as they are, others to 5 digits; else its name."""
    if not np.isfinite(x):
        return str(float(x))
    return int(x) if x == int(x) and abs(x) < 2**53 else float(f"{x:.5g}")


def look(array: np.ndarray, side: int = HEAT) -> dict[str, Any]:
    """What the page shows of an array: few values as they are; of more a map of means of blocks, and its range."""
    a = np.asarray(getattr(array, "examples", array))  # of a vmap all
    found: dict[str, Any] = {"summary": summary(a), "shape": list(a.shape)}
    if a.size <= FEW:
        found["values"] = [_number(x) for x in a.ravel()]
    elif a.ndim:
        matrix = a.astype(np.float64).reshape(-1, a.shape[-1])
        found["map"] = _heat(matrix, side)
    return found


def _heat(matrix: np.ndarray, side: int) -> list[list[Any]]:
    """The matrix, or the means of its blocks: at most `side` rows and columns."""
    with np.errstate(all="ignore"):
        for axis in (0, 1):
            n = matrix.shape[axis]
            if n > side:
                starts = np.arange(side) * n // side
                counts = np.diff([*starts, n])
                matrix = np.add.reduceat(matrix, starts, axis) / (counts[:, None] if axis == 0 else counts)
    return [[_number(x) for x in row] for row in matrix]
