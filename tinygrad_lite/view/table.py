"""The tape as a table: the Wengert list, forward and backward, as text and as HTML."""

import html
import itertools
import shutil
import textwrap
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

COLORS = ("\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m")
RED = "\x1b[31m"
NARROW = 24  # columns of the first cell, at least


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
    if a.dtype.kind == "f" and not np.isfinite(a).all():
        nan, infinite = int(np.isnan(a).sum()), int(np.isinf(a).sum())
        marks = "! " + ", ".join(f"{n} {what}" for n, what in ((nan, "NaN"), (infinite, "inf")) if n)
        if a.size > 4:
            return f"{marks} of {a.size}"
    if a.size <= 4:
        shown = np.array2string(a, precision=4, separator=", ").replace("\n", "")
        return f"! {shown}" if marks else shown
    if a.dtype.kind != "f":
        return f"{a.min()} … {a.max()}"
    with np.errstate(all="ignore"):
        middle = f"{a.mean():.3g} ± {a.std():.3g}"
        return middle if short else f"{middle} in [{a.min():.3g}, {a.max():.3g}]"


# ---------------------------------------------------------------- rows
def forward_half(tape: Any, limit: int, module: str | None = None) -> Half:
    """The steps; parameters and numbers stand in the rows that read them."""
    steps = [s for s in tape if s.index == tape.output or not (s.op == "parameter" or s.is_number)]
    groups = _grouped([(s, s.module) for s in _within(steps, module)], limit)
    rows = [Row(str(group[0]), shape_of(group[0]), *_valued([group[0].value]), group[0].module) if len(group) == 1 else
            _group_row(group, path) for path, group in groups]
    return Half(_folded(rows, limit), f"{sum(s.is_operation for s in tape)} operations, {_bytes(tape.memory)} of values, "
                f"{_count(tape.flops)} operations on numbers" + _opens(groups))


def backward_half(tape: Any, limit: int, module: str | None = None) -> Half:
    """What each step sends back, in the order in which it ran."""
    last = tape[tape.output]
    rows = [Row(f"{last.label}.grad = {_seed(tape.gradients[tape.output])}")] if module is None else []
    ran: dict[int, list[int]] = {}
    for index, argument in tape.contributions:
        ran.setdefault(index, []).append(argument)
    steps = _within([tape[i] for i in ran], module)
    many = sum(len(step.rules[i]) for step in steps[: limit + 1] for i in ran[step.index]) > limit
    groups = _grouped([(s, s.module) for s in steps], limit if many else len(steps))
    for path, group in groups:
        sent = [tape.contributions[s.index, i] for s in group for i in ran[s.index]]
        if len(group) == 1:
            rows += _rules(tape, group[0], ran[group[0].index])
        else:
            rows.append(Row(f"{group[0].label}.grad … {group[-1].label}.grad: {len(sent)} contributions", "",
                            *_valued(sent, totals=True), path))
    return Half(_folded(rows, limit), _opens(groups).removeprefix("; "))


def _within(steps: list, module: str | None) -> list:
    """The steps of a module and below it."""
    return [s for s in steps if module is None or s.module == module or s.module.startswith(module + ".")]


def _rules(tape: Any, step: Any, arguments: list[int]) -> list[Row]:
    """A row a line; what two rules of the step have in common once."""
    rows: dict[str, Row] = {}
    for i in arguments:
        *before, line = step.rules[i]
        for text in before:
            rows.setdefault(text, Row(text, "", "", "", step.module))
        sent = tape.contributions[step.index, i]
        rows[f"{i} {line}"] = Row(line, "x".join(map(str, sent.shape)) or "scalar", *_valued([sent]), step.module)
    return list(rows.values())


def _seed(g: np.ndarray) -> str:
    return str(g.tolist()) if g.size <= 3 else f"array{list(g.shape)}"


def _grouped(steps: list[tuple[Any, str]], limit: int) -> list[tuple[str, list]]:
    """One step a group; where these are too many, neighbours in one module together, the deepest that are few enough."""
    depth = max((len(path.split(".")) for _, path in steps), default=0)
    groups = [(path, [step]) for step, path in steps]
    while len(groups) > limit and depth:
        found = itertools.groupby(steps, lambda pair: ".".join(pair[1].split(".")[:depth]) if pair[1] else pair[0].index)
        groups = [(str(path), [step for step, _ in group]) for path, group in found]
        depth -= 1
    return groups


def _group_row(group: list, path: str) -> Row:
    first, last = group[0], group[-1]
    memory, flops = sum(s.memory for s in group), sum(s.flops for s in group)
    return Row(f"{first.label} … {last.label}: {len(group)} steps, {_bytes(memory)}, {_count(flops)}", shape_of(last),
               *_valued([s.value for s in group], totals=True), path)


def _valued(arrays: list[np.ndarray], totals: bool = False) -> tuple[str, str]:
    """What a row says of values: of several only that there is NaN or infinity."""
    if not totals:
        return summary(arrays[0]), summary(arrays[0], short=True)
    bad = sum(a.dtype.kind == "f" and not np.isfinite(a).all() for a in arrays)
    return (f"! NaN or inf in {bad}",) * 2 if bad else ("", "")


def _opens(groups: list) -> str:
    path = next((path for path, group in groups if len(group) > 1), None)
    return f"; tape.table(module={path!r}) opens a group" if path is not None else ""


def _folded(rows: list[Row], limit: int) -> list[Row]:
    if len(rows) <= limit:
        return rows
    half = max(limit // 2, 1)
    return [*rows[:half], Row(f"… {len(rows) - 2 * half} more rows"), *rows[-half:]]


def _bytes(n: float) -> str:
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            break
        n /= 1000
    else:
        unit = "GB"
    return f"{n:.3g} {unit}"


def _count(n: float) -> str:
    return next((f"{n / size:.3g} {word}" for size, word in ((1e9, "billion"), (1e6, "million")) if n >= size), f"{n:,}")


# ---------------------------------------------------------------- text
def as_text(halves: Iterable[Half], width: int | None = None, color: bool = False) -> str:
    """The halves one below the other, at most `width` columns wide (the terminal's unless given)."""
    width = width or shutil.get_terminal_size((100, 24)).columns
    return "\n\n".join("\n".join([*_lines(half.rows, width, color), *textwrap.wrap(half.note, width)])
                       for half in halves)


def _lines(rows: list[Row], width: int, color: bool) -> list[str]:
    """Cells side by side; the first goes on below where it is too long, the last ones go where there is no room."""
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
    cells = [cell.ljust(w) for cell, w in zip((first, *row[1:]), widths)]
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
    style = ' style="color: #c00; font-weight: bold"' if row.is_bad else ""
    cells = [row.text, row.shape, row.value, row.module]
    return "<tr>" + "".join(f'<td style="text-align: left; white-space: pre-wrap">{html.escape(cell)}</td>'
                            if i != 2 else f"<td{style}>{html.escape(cell)}</td>" for i, cell in enumerate(cells)) + "</tr>"
