"""The tape in frames: in which call of which module each step runs, and where there are none, on which lines."""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Union

from .tape import Step, Tape


@dataclass(eq=False)
class Frame:
    """A call of a module, or steps that belong together; `parts` are its steps and frames in the order they ran."""

    name: str = ""
    word: str = ""  # the same without a number: what parameters' names say
    kind: str = ""  # the module's class, unless that is its name
    above: "Frame | None" = None
    module: Any = None  # what tells the one that it is a call of, or the loop that it is a pass of, from others
    parts: list[Union[Step, "Frame"]] = field(default_factory=list)
    number: int = 0  # in the order of `walk`
    result: Any = None  # its last step whose value is read outside

    @property
    def path(self) -> list["Frame"]:
        """The frames that it lies in, outermost first, and itself; without the one of the whole tape."""
        found, frame = list["Frame"](), self
        while frame.above:
            found.insert(0, frame)
            frame = frame.above
        return found

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

    @functools.cached_property
    def form(self) -> tuple[list, list[int]]:
        """All that it computes, with its own steps by their places in it; and the steps outside that it reads."""
        return _form_of(self)

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
    alone = len({step.calls[0][1] for step in tape if step.calls}) < 2  # the outermost module is the whole then
    for step in filter(lambda s: s.is_operation, tape):
        calls = step.calls[alone:]
        for i, (name, module, _, kind) in enumerate(calls):
            call = calls[: i + 1]
            if call not in open_calls:
                above = open_calls[calls[:i]]
                name = name or kind
                counts[above, module] = n = counts.get((above, module), 0) + 1
                open_calls[call] = Frame(_numbered(name, "call ", n), name, kind, above, module)
                above.parts.append(open_calls[call])
        open_calls[calls].parts.append(step)
    if most is not None:
        for frame in list(root.walk()):
            _divide(frame, most)
    _place_leaves(tape, root)
    readers = readers_of(tape)
    for number, frame in enumerate(root.walk()):
        frame.number = number
        own = {s.index for s in frame.steps}
        read = [s for s in frame.steps if s.is_operation and not own.issuperset(readers[s.index])]
        frame.result = (read or [s for s in frame.steps if s.index in tape.outputs] or frame.steps)[-1]
    return root


def readers_of(tape: Tape) -> dict[int, list[int]]:
    """By the index of each step: which steps read it, in the order they ran."""
    readers: dict[int, list[int]] = {s.index: [] for s in tape}
    for s in tape:
        for source in s.reads:
            readers[source].append(s.index)
    return readers


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
    homes, readers = homes_of(root), readers_of(tape)
    before: dict[int, list[Step]] = {}  # by the id of a part
    for s in tape:
        if not s.is_operation:
            paths = [[*homes[i][0].path, tape[i]] for i in readers[s.index]]
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


def _is_given(tape: Tape, s: Step, readers: list[int]) -> bool:
    """Whether a computation starts from it: no parameter and no number, and its first reader reads nothing computed."""
    computed = any(tape[i].is_operation for reader in readers[:1] for i in tape[reader].reads)
    return s.op != "parameter" and s.value.size > 1 and not computed


# ---------------------------------------------------------------- frames of many parts
def _divide(frame: Frame, most: int) -> None:
    """Put neighbors into frames of their own until there are few enough parts."""
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
            inner = Frame(_numbered(name, "", n), name, "", frame, (frame, name), group)
            for part in group:
                if isinstance(part, Frame):
                    part.above = inner
            frame.parts.append(inner)
            _divide(inner, most)


def _passes(parts: list) -> list[list]:
    """The passes of a loop: each begins where the program goes back to a line that the one before had."""
    found, seen, last = [list[Any]()], set[str](), ""
    for part in parts:
        line = _line(part)
        if line in seen and line != last:
            found.append([])
            seen = set()
        found[-1].append(part)
        seen.add(line)
        last = line
    body = {_line(part) for part in found[len(found) // 2]}  # what comes before the loop and after it is not in it
    first, final = ([i for i, part in enumerate(found[k]) if _line(part) in body] for k in (0, -1))
    if len(found) < 3 or not first or not final:
        return [parts]
    before, found[0] = found[0][: first[0]], found[0][first[0] :]
    after, found[-1] = found[-1][final[-1] + 1 :], found[-1][: final[-1] + 1]
    return [*([part] for part in before), *found, *([part] for part in after)]


def _lines(parts: list) -> list[list]:
    """The operations of one line after the other."""
    runs = itertools.groupby(parts, lambda part: part.line if isinstance(part, Step) and part.line else id(part))
    return [list(run) for _, run in runs]


def _pieces(parts: list, most: int) -> list[list]:
    """Pieces of one size, at most so many, of at least two parts."""
    size = max(2, -(-len(parts) // most))
    return [parts[i : i + size] for i in range(0, len(parts), size)]


def _line(part: Step | Frame) -> str:
    """The line that recorded it; of a frame that of its first step."""
    return (part if isinstance(part, Step) else part.steps[0]).line


def _said(group: list) -> str:
    """What parts have in common: a line, lines, or their ends."""
    steps = [part for part in group if isinstance(part, Step)]
    places = [s.line.rpartition(":") for s in steps]
    of_one_file = len(steps) == len(group) and len({file for file, _, _ in places}) == 1
    if of_one_file and all(number.isdigit() for _, _, number in places):
        lines = sorted({int(number) for _, _, number in places})
        return f"line {lines[0]}" if len(lines) == 1 else f"lines {lines[0]} to {lines[-1]}"
    ends = [part.name if isinstance(part, Frame) else f"v{part.index}" for part in (group[0], group[-1])]
    return f"{ends[0]} … {ends[1]}"


# ---------------------------------------------------------------- frames that are alike
def runs_of_equals(tape: Tape, frame: Frame, readers: dict[int, list[int]]) -> list[list[Frame]]:
    """Frames in a frame that follow each other, compute the same, and are each given what the one before made: the
    blocks of a transformer. Those without an equal are runs of one."""
    runs: list[list[Frame]] = []
    ways: list[Any] = []  # how the last of each run goes on from the one before
    last = None  # the frame that nothing but leaves comes after so far
    for part in frame.parts:
        if isinstance(part, Step):
            last = None if part.is_operation else last
            continue
        way = None if last is None else _way_on(tape, last, part, readers)
        if way is not None and ways[-1] in (None, way):
            runs[-1].append(part)
            ways[-1] = way
        else:
            runs.append([part])
            ways.append(None)
        last = part
    return runs


def _way_on(tape: Tape, one: Frame, other: Frame, readers: dict[int, list[int]]) -> tuple | None:
    """What the second frame reads where the first one read something: the same, or a step of the first, by its place.
    None where they are not alike, or where others read what the first one made."""
    (form, outside), (other_form, other_outside) = one.form, other.form
    places = {s.index: i for i, s in enumerate(one.steps) if s.is_operation}
    if form != other_form or not all(b == a or b in places for a, b in zip(outside, other_outside)):
        return None
    allowed = places.keys() | {s.index for s in other.steps}
    if places.keys() & set(tape.outputs) or not all(allowed.issuperset(readers[i]) for i in places):
        return None
    return tuple(places.get(b, -1) for b in other_outside)


def _form_of(frame: Frame) -> tuple[list, list[int]]:
    placed, outside = frame.placed, list[int]()
    depth = len(frame.path)
    places = {s.index: i for i, (s, _) in enumerate(placed)}
    form: list = [frame.kind]
    for s, home in placed:
        outside += [i for i in s.reads if i not in places and i not in outside]
        reads = [places[i] if i in places else -1 - outside.index(i) for i in s.reads]
        how = [(f.word, f.kind, f.number - frame.number) for f in home.path[depth:]]
        value = s.value.tobytes() if s.op == "constant" else ""
        form.append((s.op, s.shape, str(s.dtype), reads, how, value, [_told(a) for a in s.args]))
    return form, outside


def _told(a: Any) -> str:
    """An argument that is no step; of an array, which `reads` tell, nothing."""
    if isinstance(a, (tuple, list)):
        return str([_told(part) for part in a])
    return "" if hasattr(a, "shape") else repr(a)
