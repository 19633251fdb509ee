"""A program, ready to run: its source, its memory, and what is seen of a call afterwards."""

import builtins
import collections
import contextlib
import operator
import threading
import time
from typing import Any

import numpy as np

from ..engine.changes import stamp, stamper
from ..engine.mode import quietly
from ..engine.tape import box
from ..engine.trees import mapped
from ..engine.values import Node
from .layout import Layout
from .memory import planned
from .passes import PASSES
from .program import DIVISIONS, Call, Draws, Program, Var, may_raise
from .recording import Boxed, Itself, Recording, Scalar
from .source import Module

TIMED = 5  # calls whose time is taken, for explain()


class Entry:
    """A recording made into a function of numpy arrays."""

    def __init__(self, name: str, recording: Recording) -> None:
        self.recording = recording
        self.stages: list[tuple[str, Program]] = [("recorded", recording.program)]
        for improve in PASSES:
            self.stages.append((improve.__name__, improve(self.stages[-1][1])))
        self.program = program = self.stages[-1][1]
        layout = Layout(program)
        self.plan = planned(program, layout)
        self.module = Module(program, self.plan, name)
        names: dict[str, Any] = dict(program.functions)
        exec(builtins.compile(self.module.text, f"<compiled {name}>", "exec"), names)  # the text that .source shows
        self.make, self.diverged = names["make"], names.get("Diverged", _Never)
        self.stops: tuple = self.diverged, ValueError, IndexError  # what ends a program before it has changed anything
        if not any(v.op in DIVISIONS and v.section == "update" for v in program.body):
            self.stops += ZeroDivisionError, OverflowError
        self.free: collections.deque[Instance] = collections.deque(maxlen=4)
        self.lock: Any = threading.RLock() if program.writes or program.kept else contextlib.nullcontext()
        self.reads = [v.value.read for v in self.module.given]
        written = {i for i, _ in program.writes if i.shape is not None}
        self.written = [v.value.read for v in self.module.given if v in written]  # not in memory of the state
        self.draws = [v.value.read for v in program.inputs if isinstance(v.value, Draws)] if any(
            map(may_raise, program.body)) else []
        self.spent = Node(_spent, None, None, None)  # of results whose tape has been read backwards
        self.plain = not (recording.outputs or recording.replaced)
        self.place = {v: i for i, v in enumerate(recording.program.results)}
        self.seconds: list[float] = []

    def arrays(self, call: Call) -> list[np.ndarray]:
        """The arrays of the state that the program reads by reference, in the order of `module.bound`."""
        return [v.value.read(call) for v in self.module.bound]

    def run(self, call: Call) -> Any:
        """The result of a call; one of `stops` where it goes another way, and then nothing has been changed."""
        with self.lock:
            if self.draws:
                return self._drawing(call)
            return self._run(call)

    def _drawing(self, call: Call) -> Any:
        """A call that may stop after it has drawn random numbers: then they are drawn again."""
        generators = [read(call).bit_generator for read in self.draws]
        states = [g.state for g in generators]
        try:
            return self._run(call)
        except self.stops:
            for generator, state in zip(generators, states):
                generator.state = state
            raise

    def _run(self, call: Call) -> Any:
        try:
            instance: Any = self.free.pop()
        except IndexError:
            instance = None
        if instance is None or instance.state is not call.state and not instance.fits(call):
            instance = Instance(self, call)
        given = [read(call) for read in self.reads]
        start = time.perf_counter() if len(self.seconds) < TIMED else 0.0
        try:
            out = quietly(instance.step, *given)
        finally:
            self.free.append(instance)
        if start:
            self.seconds.append(time.perf_counter() - start)
        return self._done(instance, out, call)

    def _done(self, instance: "Instance", out: tuple, call: Call) -> Any:
        """Let what the call changed be seen: numbers, gradients, attributes, the stamps of arrays; then its result."""
        recording, state = self.recording, call.state
        made: dict[Any, Any] = {}
        instance.stamp()
        if self.written:
            stamp(*[read(call) for read in self.written])
        count = len(self.program.results)
        for at, value in zip(recording.numbers, out[count:]):
            where, key = state.counts[at]
            where[key] = value
        if instance.leaves:
            for node, g in zip(instance.leaves, out[len(out) - len(instance.leaves):]):
                node.grad = box(g)
        else:
            self._other_gradients(out, call)
        if not self.plain:
            self._changed(out, call, made)
        if type(recording.result) is Boxed:
            return self._given(recording.result, out, call, made)
        return mapped(lambda x: self._given(x, out, call, made), recording.result, records=True)

    def _other_gradients(self, out: tuple, call: Call) -> None:
        """Those of arguments, those that are None, and those that several Tensors share."""
        gradients = iter(out[len(out) - len(self.program.kept):])
        for which, var in self.recording.gradients:
            which.value(call).node.grad = box(next(gradients)) if isinstance(var, Var) else var and var.value(call)

    def _given(self, x: Any, out: tuple, call: Call, made: dict) -> Any:
        """What is handed out for a part of a result; the same Tensor each time that it occurs."""
        if isinstance(x, Var):
            return np.asarray(out[self.place[x]]) if x.shape == () else out[self.place[x]]
        if isinstance(x, Itself):
            return x.value(call)
        if isinstance(x, Scalar):
            return out[self.place[x.of]][()]
        if isinstance(x, Boxed):
            if x not in made:
                made[x] = box(out[self.place[x.of]], self.spent if x.spent else None)
            return made[x]
        return x

    def _changed(self, out: tuple, call: Call, made: dict) -> None:
        """What is put into the state: attributes, and other arrays into Tensors."""
        for which, var in self.recording.replaced:
            t = which.value(call)
            t.array = out[self.place[var]]
            if t.node is not None:
                t.node.array = t.array
        for at, key, value in self.recording.outputs:
            value = mapped(lambda x: self._given(x, out, call, made), value, records=True)
            call.state.replace(call.state.holders[at], self._given(key, out, call, made), value)


class Instance:
    """A program's function with its own memory. Instances of one program can run side by side."""

    def __init__(self, entry: Entry, call: Call) -> None:
        self.entry, self.state, self.arrays = entry, call.state, entry.arrays(call)
        self.step = entry.make(*self.arrays, *(v.value for v in entry.module.constants))
        written = {i for i, _ in entry.program.writes}
        self.stamp = stamper([a for a, v in zip(self.arrays, entry.module.bound) if v in written])
        self.leaves: list[Node] = []  # that a gradient is computed for, if all are of the state
        self._find_leaves(call)

    def _find_leaves(self, call: Call) -> None:
        gradients = self.entry.recording.gradients
        if all(which.bound and isinstance(var, Var) for which, var in gradients):
            self.leaves = [which.value(call).node for which, _ in gradients]

    def fits(self, call: Call) -> bool:
        """Whether it is bound to the arrays of this call's state."""
        if not all(map(operator.is_, self.arrays, self.entry.arrays(call))):
            return False
        self.state = call.state
        self._find_leaves(call)
        return True


class _Never(Exception):
    """What a program without checks raises."""


_spent = type("spent", (), {"__name__": "compiled", "rules": (), "joint": None})()
