"""The tape as a table: the Wengert list, forward and backward, as text and as HTML."""

import html
import itertools
import re
import shutil
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

COLORS = ("\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m")
RED = "\x1b[31m"
LIMIT = 40  # rows a half, unless asked for more
SHORT = 20  # columns of a value in short
NARROW = 24  # columns of the first cell, at least
ENOUGH = 100_000  # bytes: of a smaller tape the peak is more Python's objects than arrays, and is not printed


UNDRAWN = re.compile("[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # control characters and their like


def drawable(text: str) -> str:
    """The text, with what has no sign of its own, or what no SVG can hold, as Python writes it."""
    return UNDRAWN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Row(NamedTuple):
    """A line of the table; `spare` is a shorter text for the value, where the width does not hold it."""

    text: str
    shape: str = ""
    value: str = ""
    spare: str = ""
    module: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether there is NaN or infinity in it."""
        return self.value.startswith("!")


class Half(NamedTuple):
    """The rows of the forward or of the backward pass, and a line below them."""

    rows: list[Row]
    note: str = ""


def shape_of(x: Any) -> str:
    """The sizes, and the dtype where it is not float32."""
    sizes = "x".join(map(str, x.shape)) or "scalar"
    return sizes if x.dtype == np.float32 else f"{sizes} {x.dtype}"


def summary(a: np.ndarray, short: bool = False) -> str:
    """A few values as they are, of more their mean and spread, and unless short their ends; NaN and infinity first."""
    marks = ""
    a = getattr(a, "examples", a)  # of a vmap all
    if a.dtype.kind == "f" and not np.isfinite(a).all():
        nan, infinite = int(np.isnan(a).sum()), int(np.isinf(a).sum())
        marks = "! " + ", ".join(f"{n} {what}" for n, what in ((nan, "NaN"), (infinite, "inf")) if n)
        if a.size > 4:
            return f"{marks} of {a.size}"
    if a.size <= 4:
        shown = re.sub(r"\s+", " ", np.array2string(a, precision=4, separator=", ")).replace("[ ", "[")
        if not short or len(shown) <= SHORT:
            return f"! {shown}" if marks else shown
        if marks:
            return marks
    if a.dtype.kind != "f":
        return f"{a.min()} … {a.max()}"
    with np.errstate(all="ignore"):
        mean, low, high = a.mean(), a.min(), a.max()
        if low < 0 < high and abs(mean) < np.finfo(np.result_type(a.dtype, np.float32)).eps * max(-low, high):
            mean = 0.0  # it is rounding
        middle = f"{mean:.3g} ± {a.std():.3g}"
        return middle if short else f"{middle} in [{low:.3g}, {high:.3g}]"


# ---------------------------------------------------------------- rows
def forward_half(tape: Any, limit: int, module: str | None = None) -> Half:
    """The steps; parameters and numbers stand in the rows that read them."""
    steps = [s for s in tape if s.index in tape.outputs or s.label == f"v{s.index}"]

    def group_row(group: list, path: str) -> Row:
        text = f"{group[0].label} … {group[-1].label}: {_totals(group)}"
        return Row(text, shape_of(group[-1]), *_marked([s.value for s in group]), path)

    def step_rows(s: Any) -> list[Row]:
        return [Row(str(s), shape_of(s), *_valued(s.value), s.module)]

    if module is not None:
        inside = tape.find(module=module)
        shown = {s.index for s in inside}
        return Half([row for s in steps if s.index in shown for row in step_rows(s)], _totals(inside))
    rows, note = _rows(steps, step_rows, group_row, limit)
    return Half(rows, _totals(tape, _of_the_pass(tape)) + note)


def backward_half(tape: Any, limit: int, module: str | None = None) -> Half:
    """What each step sends back, in the order in which it ran."""
    seeds = [Row(f"{tape[i].label}.grad = {g.tolist() if g.size <= 3 else f'array{list(g.shape)}'}")
             for i, g in tape.seeds.items()]
    ran: dict[int, list[int]] = {}
    for index, argument in tape.contributions:
        ran.setdefault(index, []).append(argument)
    steps = [tape[i] for i in tape.gradients if i in ran or _hooks(tape[i])]

    def step_rows(step: Any) -> list[Row]:
        rows: dict[str, Row] = {}
        for hook in _hooks(step):
            g = tape.gradients[step.index]
            text = f"{step.label}.grad = {getattr(hook, '__name__', 'hook')}({step.label}.grad)"
            rows[text] = Row(text, shape_of(g), *_valued(g), step.module)
        for i in ran.get(step.index, ()):
            *before, line = step.rules[i]
            for text in before:  # what two rules have in common stands there once
                rows.setdefault(text, Row(text, module=step.module))
            sent = tape.contributions[step.index, i]
            rows[f"{i} {line}"] = Row(line, "x".join(map(str, sent.shape)) or "scalar", *_valued(sent), step.module)
        return list(rows.values())

    def group_row(group: list, path: str) -> Row:
        sent = [tape.contributions[s.index, i] for s in group for i in ran.get(s.index, ())]
        memory = _count(sum(d.nbytes for d in sent), "B")
        text = f"{group[0].label}.grad … {group[-1].label}.grad: {len(sent)} contributions, {memory}"
        return Row(text, "", *_marked(sent), path)

    if module is not None:
        shown = {s.index for s in tape.find(module=module)}
        return Half([row for s in steps if s.index in shown for row in step_rows(s)])
    rows, note = _rows(steps, step_rows, group_row, limit)
    return Half(seeds + rows, note.removeprefix("; "))


def _rows(steps: list, rows_of: Callable[[Any], list[Row]], group_row: Callable[[list, str], Row], limit: int
          ) -> tuple[list[Row], str]:
    """The rows of steps; where they are too many, neighbors in one module in one row, the deepest modules that are
    few enough; and what to say about that."""
    if len(steps) <= limit:
        rows = [row for s in steps for row in rows_of(s)]
        if len(rows) <= limit:
            return rows, ""
    deepest = max((len(s.module.split(".")) for s in steps if s.module), default=0)
    for depth in range(deepest, 0, -1):
        paths = _paths(steps, depth)
        runs = itertools.groupby(zip(paths, steps), lambda pair: pair[0])
        groups = [(str(path), [s for _, s in run]) for path, run in runs]
        if len(groups) <= limit or depth == 1:
            rows = [row for path, group in groups for row in
                    (rows_of(group[0]) if len(group) == 1 else [group_row(group, path)])]
            if len(rows) <= limit or depth == 1:
                path = next((path for path, group in groups if len(group) > 1), "")
                return _folded(rows, limit), f"; tape.table(module={path!r}) shows all of a module" * bool(path)
    ends = [*steps[:limit], *steps[-limit:]] if len(steps) > 2 * limit else steps
    rows = [row for s in ends for row in rows_of(s)]
    return _folded(rows, limit, len(steps) - len(ends)), ""


def _hooks(step: Any) -> list[Callable]:
    """The functions that a step's gradient goes through."""
    return [hook for hook in (step.node.hooks or {}).values() if callable(hook)] if step.node else []


def _paths(steps: list, depth: int) -> list:
    """The group of each step: its module, at most so deep; what runs between two steps of one module belongs to it,
    any other step without a module is alone."""
    own = [".".join(s.module.split(".")[:depth]) for s in steps]
    before, after = _latest(own), _latest(own[::-1])[::-1]
    return [path or (a if a == b and a else s.index) for s, path, a, b in zip(steps, own, before, after)]


def _latest(paths: list[str]) -> list[str]:
    """For each place the last path so far."""
    found = [""]
    for path in paths:
        found.append(path or found[-1])
    return found[1:]


def _of_the_pass(tape: Any) -> str:
    """What the memory is kept for, and once a backward pass has run the most that there was at a time."""
    peak = f", {_count(tape.peak, 'B')} at its peak" if tape.gradients and tape.memory > ENOUGH else ""
    return f" for the backward pass{peak}"


def _totals(steps: Iterable, why: str = "") -> str:
    """How many operations, and what they take."""
    found = [s for s in steps if s.is_operation]
    memory, flops = sum(s.memory for s in found), sum(s.flops for s in found)
    operations = f"{len(found)} operation{'s' * (len(found) != 1)}"
    return f"{operations}, {_count(memory, 'B')} kept{why}, {_count(flops, 'flops')}"


def _valued(a: np.ndarray) -> tuple[str, str]:
    """What a row says of a value, and in short."""
    return summary(a), summary(a, short=True)


def _marked(arrays: list[np.ndarray]) -> tuple[str, str]:
    """What a row says of several: only that there is NaN or infinity."""
    bad = sum(a.dtype.kind == "f" and not np.isfinite(a).all() for a in arrays)
    return (f"! NaN or inf in {bad}",) * 2 if bad else ("", "")


def _folded(rows: list[Row], limit: int, more: int = 0) -> list[Row]:
    """The first and the last rows; `more` were left out before."""
    if len(rows) <= limit:
        return rows
    half = max(limit // 2, 1)
    return [*rows[:half], Row(f"… {len(rows) - 2 * half + more} more rows"), *rows[-half:]]


def _count(n: float, unit: str) -> str:
    """An amount in thousands, millions or billions of a unit."""
    for prefix in (" ", " k", " M"):
        if n < 1000:
            return f"{n:.3g}{prefix}{unit}"
        n /= 1000
    return f"{n:.3g} G{unit}"


# ---------------------------------------------------------------- text
def as_text(halves: Iterable[Half], width: int | None = None, color: bool = False) -> str:
    """The halves one below the other, at most `width` columns wide (the terminal's unless given)."""
    width = width or shutil.get_terminal_size((100, 24)).columns
    return "\n\n".join("\n".join([*_lines(half.rows, width, color), *textwrap.wrap(half.note, width)])
                       for half in halves)


def _lines(rows: list[Row], width: int, color: bool) -> list[str]:
    """Cells side by side; the first goes on below where it is too long, the last ones go where there is no room."""
    rows = [row._replace(text=drawable(row.text), module=drawable(row.module)) for row in rows]
    whole = [(row.text, row.shape, row.value, row.module) for row in rows]
    spare = [(row.text, row.shape, row.spare, row.module) for row in rows]
    enough = max(NARROW, width * 2 // 5)
    for cells, least in ((whole, width), (spare, enough), ([(*row[:3], "") for row in spare], enough),
                         ([(*row[:2], "", "") for row in spare], enough), ([(row[0], "", "", "") for row in spare], 0)):
        widths = [max((len(row[i]) for row in cells), default=0) for i in range(4)]
        left = width - sum(w + 2 for w in widths[1:] if w)
        if left >= min(widths[0], least):
            break
    widths[0] = min(widths[0], left)
    return [line for row, cell in zip(rows, cells) for line in _wrapped(cell, widths, color, row.is_bad)]


def _wrapped(row: tuple[str, ...], widths: list[int], color: bool, bad: bool) -> list[str]:
    first, *more = textwrap.wrap(row[0], widths[0], subsequent_indent="    ") or [""]
    cells = [" ".join(cell.split()).ljust(w) for cell, w in zip((first, *row[1:]), widths)]  # names may hold newlines
    colors = (*COLORS[:2], RED if bad else COLORS[2], COLORS[3])
    painted = [f"{c}{cell}\x1b[0m" if color else cell for c, cell, w in zip(colors, cells, widths) if w]
    return ["  ".join(painted).rstrip(), *(f"{COLORS[0]}{line}\x1b[0m" if color else line for line in more)]


# ---------------------------------------------------------------- HTML
def as_html(halves: Iterable[Half]) -> str:
    """The halves as tables, for a notebook."""
    found = []
    for half in halves:
        body = "".join(_html_row(row) for row in half.rows)
        found.append(f'<table style="font-family: monospace; text-align: left">{body}</table>'
                     f"<p>{html.escape(half.note)}</p>")
    return "".join(found)


def _html_row(row: Row) -> str:
    style = ' style="color: #c00"' if row.is_bad else ""
    cells = [f"<td{style if i == 2 else ''}>{html.escape(cell)}</td>" for i, cell in
             enumerate((row.text, row.shape, row.value, row.module))]
    return f"<tr>{''.join(cells)}</tr>"
