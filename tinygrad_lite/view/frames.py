"""The tape in frames: in which call of which module each step runs, and where there are none, on which lines."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Union

from .tape import Step, Tape


@dataclass(eq=False)
class Frame:
    """A call of a module, or steps that belong together; `parts` are its steps and frames in the order they ran."""

    name: str = ""
    kind: str = ""  # the module's class, unless that is its name
    above: "Frame | None" = None
    module: Any = None  # what tells the one that it is a call of, or the loop that it is a pass of, from others
    parts: list[Union[Step, "Frame"]] = field(default_factory=list)
    number: int = 0  # in the order of `walk`

    @property
    def path(self) -> list["Frame"]:
        """The frames that it lies in, outermost first, and itself; without the one of the whole tape."""
        return [*self.above.path, self] if self.above else []

    def titled(self, name: str) -> str:
        """A name for it, with the module's class unless that is the name."""
        return f"{name}: {self.kind}" if self.kind not in ("", self.name) else name

    @property
    def steps(self) -> list[Step]:
        """All steps inside, in the order they ran; leaves and constants before what reads them first."""
        return [s for part in self.parts for s in ([part] if isinstance(part, Step) else part.steps)]

    @property
    def placed(self) -> list[tuple[Step, "Frame"]]:
        """All steps inside, each with the innermost frame that it is in there."""
        return [pair for part in self.parts for pair in ([(part, self)] if isinstance(part, Step) else part.placed)]

    @property
    def work(self) -> int:
        """How many operations run inside."""
        return sum(s.is_operation for s in self.steps)

    def walk(self) -> Iterator["Frame"]:
        """Itself and all frames inside."""
        yield self
        for part in self.parts:
            if isinstance(part, Frame):
                yield from part.walk()


def frames_of(tape: Tape, most: int | None = None) -> Frame:
    """The frame of the whole tape. Each call of a module is one inside it: `block`, and where it runs once more in the
    same call `block (call 2)`. most: frames of more parts are divided by loops, by lines, or evenly."""
    root = Frame()
    open_calls: dict[tuple, Frame] = {(): root}
    counts: dict[tuple, int] = {}
    for step in filter(lambda s: s.is_operation, tape):
        for i, (name, module, _, kind) in enumerate(step.calls):
            call = step.calls[: i + 1]
            if call not in open_calls:
                above = open_calls[step.calls[:i]]
                counts[above, module] = n = counts.get((above, module), 0) + 1
                open_calls[call] = Frame(_numbered(name, "call ", n), kind, above, module)
                above.parts.append(open_calls[call])
        open_calls[step.calls].parts.append(step)
    if most is not None:
        for frame in list(root.walk()):
            _divide(frame, most)
    _place_leaves(tape, root)
    for number, frame in enumerate(root.walk()):
        frame.number = number
    return root


def _numbered(name: str, word: str, n: int) -> str:
    """What the n-th of one name is called."""
    return name if n == 1 else f"{name} ({word}{n})"


def home_of(frames: list[Frame], reader: Frame) -> Frame:
    """Of the frames that a step is in, the one from which another frame reads it: one that it lies in, of several."""
    return frames[0] if len(frames) == 1 else next(f for f in frames if f in reader.path)


def homes_of(root: Frame) -> dict[int, list[Frame]]:
    """The innermost frames of each step, by its index: one, but of what each call of a module reads, each call."""
    homes: dict[int, list[Frame]] = {}
    for frame in root.walk():
        for part in frame.parts:
            if isinstance(part, Step):
                homes.setdefault(part.index, []).append(frame)
    return homes


def _place_leaves(tape: Tape, root: Frame) -> None:
    """Put leaves and constants before what reads them first, into the innermost frame that holds all who read them, or
    into each call of the one module that does; what the computation is given stays outside."""
    homes = homes_of(root)
    readers: dict[int, list[Step]] = {s.index: [] for s in tape}
    for s in tape:
        for source in s.reads:
            readers[source].append(s)
    before: dict[int, list[Step]] = {}  # by the id of a part
    for s in tape:
        if not s.is_operation:
            paths = [[*homes[r.index][0].path, r] for r in readers[s.index]]
            firsts = _first_readers(paths)
            if len(firsts) == 1 and _is_given(tape, s, readers[s.index]):
                firsts = paths[0][:1]
            for part in firsts or [root]:
                before.setdefault(id(part), []).append(s)
    for frame in list(root.walk()):
        frame.parts = [p for part in frame.parts for p in (*before.get(id(part), ()), part)]
    root.parts += before.get(id(root), [])  # outputs that are leaves


def _first_readers(paths: list[list]) -> list:
    """The parts before which a leaf stands: paths lead to its readers, in the order they ran."""
    parts = list({id(path[0]): path[0] for path in paths}.values())
    if not all(isinstance(part, Frame) and part.module == parts[0].module for part in parts):
        return parts[:1]
    return [first for part in parts for first in _first_readers([path[1:] for path in paths if path[0] is part])]


def _is_given(tape: Tape, s: Step, readers: list[Step]) -> bool:
    """Whether a computation starts from it: no parameter and no number, and what reads it reads nothing computed."""
    computed = any(tape[i].is_operation for reader in readers for i in reader.reads)
    return s.op != "parameter" and s.value.size > 1 and not computed


# ---------------------------------------------------------------- frames of many parts
def _divide(frame: Frame, most: int) -> None:
    """Put neighbours into frames of their own until there are few enough parts."""
    while len(frame.parts) > most:
        parts = frame.parts
        found = next(g for g in (_passes(parts), _lines(parts), _pieces(parts, most)) if 1 < len(g) < len(parts))
        named: dict[str, int] = {}
        frame.parts = []
        for group in found:
            if len(group) == 1:
                frame.parts += group
                continue
            name = _said(group)
            named[name] = n = named.get(name, 0) + 1
            inner = Frame(_numbered(name, "", n), "", frame, (frame, name), group)
            for part in group:
                if isinstance(part, Frame):
                    part.above = inner
            frame.parts.append(inner)
            _divide(inner, most)


def _passes(parts: list) -> list[list]:
    """The passes of a loop: each begins where the program goes back to a line before."""
    found: list[list] = [[]]
    last = 0
    for part in parts:
        line = _line(part)
        if line < last:
            found.append([])
        found[-1].append(part)
        last = line
    if len(found) < 3:
        return [parts]
    body = set(map(_line, found[1]))  # what comes before the loop and after it is not in it
    inside = [i for i, part in enumerate(found[0]) if _line(part) in body]
    before, found[0] = found[0][: inside[0]], found[0][inside[0] :]
    last = max(i for i, part in enumerate(found[-1]) if _line(part) in body)
    after, found[-1] = found[-1][last + 1 :], found[-1][: last + 1]
    return [*([part] for part in before), *found, *([part] for part in after)]


def _lines(parts: list) -> list[list]:
    """The operations of one line after the other."""
    runs = itertools.groupby(parts, lambda part: part.line if isinstance(part, Step) and part.line else id(part))
    return [list(run) for _, run in runs]


def _pieces(parts: list, most: int) -> list[list]:
    """Pieces of one size, at most so many, of at least two parts."""
    size = max(2, -(-len(parts) // most))
    return [parts[i : i + size] for i in range(0, len(parts), size)]


def _line(part: Step | Frame) -> int:
    """The number of the line that recorded it; of a frame that of its first step."""
    line = (part if isinstance(part, Step) else part.steps[0]).line.rpartition(":")[2]
    return int(line) if line.isdigit() else 0


def _said(group: list) -> str:
    """What parts have in common: a line, lines, or their ends."""
    steps = [part for part in group if isinstance(part, Step)]
    if len(steps) == len(group) and all(s.line for s in steps):
        lines = sorted({_line(s) for s in steps})
        return f"line {lines[0]}" if len(lines) == 1 else f"lines {lines[0]} to {lines[-1]}"
    ends = [part.name if isinstance(part, Frame) else f"v{part.index}" for part in (group[0], group[-1])]
    return f"{ends[0]} … {ends[1]}"


# ---------------------------------------------------------------- frames that are alike
def runs_of_equals(tape: Tape, frame: Frame) -> list[list[Frame]]:
    """Frames in a frame that follow each other, compute the same, and are each given what the one before made: the
    blocks of a transformer. Those without an equal are runs of one."""
    inside = [part for part in frame.parts if isinstance(part, Frame)]
    after = {id(part): _next_frame(frame.parts[i + 1 :]) for i, part in enumerate(frame.parts)}
    runs: list[list[Frame]] = []
    for part in inside:
        last = runs[-1][-1] if runs else None
        if last is not None and after[id(last)] is part and _continues(tape, last, part):
            runs[-1].append(part)
        else:
            runs.append([part])
    return runs


def _next_frame(parts: list) -> Frame | None:
    """The frame that comes next; None where an operation comes before."""
    return next((p if isinstance(p, Frame) else None for p in parts if isinstance(p, Frame) or p.is_operation), None)


def _continues(tape: Tape, one: Frame, other: Frame) -> bool:
    """Whether the second frame does with what the first one made just what the first one did."""
    (form, outside), (other_form, other_outside) = _form(one), _form(other)
    made = {s.index for s in one.steps}
    if form != other_form or not all(b == a or b in made for a, b in zip(outside, other_outside)):
        return False
    allowed = made | {s.index for s in other.steps}
    return not made & set(tape.outputs) and all(s.index in allowed for s in tape if made & set(s.reads))


def _form(frame: Frame) -> tuple[list, list[int]]:
    """What a frame computes, with its own steps by their places in it; and the steps outside that it reads."""
    steps, outside = frame.steps, list[int]()
    places = {s.index: i for i, s in enumerate(steps)}
    form: list = [f.name for f in frame.walk()][1:]
    for s in steps:
        outside += [i for i in s.reads if i not in places and i not in outside]
        form.append((s.op, s.shape, s.dtype, [places.get(i, -1 - outside.index(i) if i in outside else None)
                                              for i in s.reads]))
    return form, outside
