"""Recording one call of a function: its arguments and state are lifted into a trace, and afterwards put back."""

import collections
import dataclasses
import gc
import inspect
import random as python_random
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..engine.mode import Switch, mode
from ..engine.trees import Part, leaves, mapped
from ..engine.values import Node, Value, unbox
from ..engine.watch import observing, watching
from .effects import GONE, MOST, Contents, Saved, without_leaks
from .holders import Holder, holders_of
from .names import gradient_name, returned_name
from .program import Call, Count, Draws, Gradient, Program, Slot, Var
from .stand_ins import Number, RealType, Traced, plain
from .state import COUNTED
from .trace import CompileError, Trace

NUMBERS = (bool, int, float, complex, np.generic, type(None))


@dataclass(eq=False)
class Boxed(Part):
    """A Var that is handed out as a Tensor. spent: its tape has been read backwards."""

    of: Var
    spent: bool = False


@dataclass(frozen=True)
class Scalar(Part):
    """A Var that is handed out as a number of numpy's."""

    of: Var


@dataclass(frozen=True)
class Itself(Part):
    """A Tensor of the arguments or the state, handed out as it is, or the gradient that it has now."""

    which: Slot
    gradient: bool = False

    def value(self, call: Call) -> Any:
        """The Tensor."""
        found = self.which.value(call)
        return found.node.grad if self.gradient else found


@dataclass
class Recording:
    """A program, and what its results and outputs stand for."""

    program: Program
    result: Any  # the function's result with a Var, Boxed or Itself in each traced place
    gradients: list[tuple[Slot, Var | Itself | None]]  # (a Tensor, its gradient afterwards)
    outputs: list[tuple[int, Any, Any]]  # (which of the state's holders, key or Itself, what is put there)
    replaced: list[tuple[Slot, Var]]  # (a Tensor, the array that it is given)
    numbers: list[int]  # which of the state's numbers are written
    arguments: int  # how many arrays, Tensors and numbers are read from the arguments
    outside: dict[int, Any]  # by id: weak references to the plain arrays that were constants, and where they were used


def checked(name: str, result: Any) -> Any:
    """The result; TypeError if it holds what a program cannot give."""
    for x in leaves(result, records=True):
        if not isinstance(x, (Value, np.ndarray, Number, *NUMBERS)):
            raise TypeError(f"{name} is compiled and gives a {type(x).__name__}: results are Tensors, arrays, numbers, "
                            "and tuples, lists, dicts and dataclasses of them")
    return result


class Recorded(NamedTuple):
    """A call that has run: its result, and the recording or the reason why there is none."""

    result: Any
    recording: Recording | None
    reason: str
    undo: Callable[[], None]  # gives everything back what it was before the call; with strict=True only


def record(function: Callable, call: Call, named: list[tuple[str, Any]], names: list[str], args: tuple, kwargs: dict,
           strict: bool, spelt_out: bool = False) -> Recorded:
    """Call the function, and record what it does.

    named: the arguments; names: of the arrays among them; spelt_out: see Trace.whole. An exception of the function's
    leaves everything as the function left it; with strict, a CompileError leaves everything as it was before.
    """
    values = [x for x in (*call.arguments, *call.state.tensors) if isinstance(x, Value)]
    hooks = [("hook", h) for x in values if x.node is not None for h in (x.node.hooks or {}).values()]
    generators = [getattr(g, "numpy", g) for g in (*call.state.generators, *leaves([x for _, x in named]))]
    known = {id(x) for g in generators for x in (g, getattr(g, "bit_generator", None))}
    before = Contents([*call.state.roots, *named, *hooks, ("", function)], known)
    undo = Saved(call, before).put_back if strict else lambda: None
    trace = Trace(code_of(function), strict, spelt_out)
    try:
        result, recording = Recorder(trace, function, call, names, before).run(args, kwargs)
        trace.release()
        leak = without_leaks(trace.alive)
        reason = trace.reason or leak
    except CompileError:
        if trace.reason:
            undo()
        raise
    if reason and strict:
        undo()
        raise CompileError(reason)
    return Recorded(result, None if reason else recording, reason, undo)


class Recorder:
    """One call that is being recorded."""

    def __init__(self, trace: Trace, function: Callable, call: Call, names: list[str], before: Contents) -> None:
        self.trace, self.function, self.call, self.names, self.before = trace, function, call, names, before
        self.tensors: dict[int, tuple[Value, Slot, Any, int]] = {}  # by id: a Tensor, its slot, node and hooks
        self.leaves: dict[Node, Value] = {}
        self.grads: dict[Node, Any] = {}  # the gradients that there were
        self.has_gradient: dict[int, Itself] = {}  # by id: gradients that there are after the call
        self.gradients: list[tuple[Var, Var]] = []  # (a gradient, what it is the gradient of)
        self.stood_in: list[tuple[Holder, Any, Any, Any]] = []  # (holder, key, what was there, what stood there)
        self.given: dict[int, Number] = {}  # what stands for numbers among the arguments
        self.counts: list[Number] = []  # what stands for the state's numbers
        self.seen: dict[int, Boxed] = {}  # Tensors that are handed out
        self.shown: dict[Var, np.ndarray] = {}  # arrays that are handed out

    def run(self, args: tuple, kwargs: dict) -> tuple[Any, Recording | None]:
        """Call the function: its result, and the recording unless the trace was given up."""
        recording = None
        self.trace.given_up = self._put_back
        if not self.before.complete:
            self.trace.give_up(f"more than {MOST:,} objects can be reached from it, too many to see which it changes",
                               "keep data in arrays, or pass what it needs as arguments")
        try:
            given: Any = None if self.trace.reason else self.trace.noted(lambda: self._lifted(args, kwargs))
            if self.trace.reason:
                self._put_back()
                given = args, kwargs
            with Switch("tracing", self.trace), watching(self._watch), observing(lambda seeds: self._observe), \
                    self.before.another_type(RealType):
                result = self.function(*given[0], **given[1])
            if self.trace.elsewhere:
                self.trace.give_up("another thread computes with its arrays", "start threads outside of it",
                                   self.trace.elsewhere[0])
            self.trace.over = True
            checked(getattr(self.function, "__name__", "it"), result)
            if not self.trace.reason:
                recording = self.trace.noted(lambda: self._recording(result))
            return _scrubbed(result), recording
        finally:
            self._put_back()

    # ---- before the call
    def _lifted(self, args: tuple, kwargs: dict) -> tuple:
        """The arguments with traced arrays in them; the state is lifted where it is held."""
        trace, state = self.trace, self.call.state
        for at, (x, name) in enumerate(zip(self.call.arguments, self.names)):
            self._lift(x, Slot(at, False), name)
            if isinstance(x, float):
                self.given[at] = trace.input(Slot(at, False), x, name)
        for at, x in enumerate(state.values):
            self._lift(x, Slot(at, True), state.names[id(x)])
        for at, generator in enumerate(state.generators):
            trace.generators[id(generator)] = trace.input(
                Draws(at), getattr(generator, "numpy", generator), state.names[id(generator)])
        for node, t in self.leaves.items():
            if node.grad is not None:
                self.grads[node] = node.grad
            if node.grad is not None and type(node.grad.array) is np.ndarray:
                trace.lifted.append((node.grad, node.grad.array))
                node.grad.array = trace.input(Gradient(self.tensors[id(t)][1]), node.grad.array)
        for holder, key, x in state.places:
            self._stand_in(holder, key, (trace.arrays if isinstance(x, np.ndarray) else trace.generators)[id(x)])
        for at, (holder, key) in enumerate(state.numbers):
            self.counts.append(trace.input(Count(at), holder[key], state.names[id(holder), key]))
            self._stand_in(holder, key, self.counts[-1])
        self.random, self.settings = _randomness_elsewhere(), (mode.recording, np.geterr())
        self.pending = collections.deque(enumerate(self.call.arguments))
        return self._traced(args), self._traced(kwargs)

    def _lift(self, t: Any, which: Slot, name: str) -> None:
        if isinstance(t, np.ndarray):
            self.trace.input(which, t, name)
        if not isinstance(t, Value) or id(t) in self.tensors:
            return
        self.tensors[id(t)] = t, which, t.node, len(t.node.hooks or ()) if t.node else 0
        if type(t.array) is np.ndarray:
            self.trace.lifted.append((t, t.array))
            t.array = self.trace.input(which, t.array, name)
        if t.node is not None and t.node.op is None:
            self.leaves.setdefault(t.node, t)

    def _stand_in(self, holder: Holder, key: Any, value: Any) -> None:
        self.stood_in.append((holder, key, holder[key], value))
        holder[key] = value

    def _traced(self, x: Any) -> Any:
        """An argument with traced arrays in it; lists, dicts and dataclasses stay themselves."""
        if isinstance(x, (list, dict)) or dataclasses.is_dataclass(x) and not isinstance(x, type):
            for holder in holders_of(x):
                for key, value in holder.entries():
                    if (new := self._traced(value)) is not value:
                        self._stand_in(holder, key, new)
            return x
        if isinstance(x, tuple):
            parts = [self._traced(part) for part in x]
            return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
        if isinstance(x, np.random.Generator):
            return self.trace.generators[id(x)]
        if self.pending and self.pending[0][1] is x:  # in the order in which the arguments were found
            at, _ = self.pending.popleft()
            return self.given.get(at, x) if not isinstance(x, np.ndarray) else self.trace.arrays[id(x)]
        return x

    # ---- during the call
    def _watch(self, node: Node) -> None:
        for source in node.inputs:
            if source is not None and source.place < self.trace.start and source not in self.leaves:
                if any(isinstance(x, Value) and x.node is source for x in self.call.arguments):
                    self.trace.give_up("an argument is the result of a recorded operation, and gradients have to flow "
                                       "on through it", "detach it, or compile what made it too")
                self.trace.give_up("a tensor that requires grad is neither an argument nor in the state",
                                   "pass it as an argument or in state")

    def _observe(self, node: Node, g: Any, sent: Any) -> None:
        g = unbox(g)
        if node.op is not None and isinstance(node.array, Traced) and isinstance(g, Traced):
            self.gradients.append((g.now, node.array.now))

    # ---- after the call
    def _recording(self, result: Any) -> Recording:
        trace, state = self.trace, self.call.state
        self._refuse_other_changes()
        self._refuse_known_containers(result)
        gradients = [found for node, t in self.leaves.items() for found in self._gradient(node, t)]
        replaced = [(self.tensors[id(t)][1], self._var(t.array)) for t, array in trace.lifted
                    if id(t) in self.tensors and t.array is not trace.arrays[id(array)]]
        outcome = mapped(self._outcome, result, records=True)
        outputs = self._outputs()
        writes, numbers = self._writes(), []
        for at, ((holder, key), before) in enumerate(zip(state.numbers, self.counts)):
            now = holder[key]
            if now is not before and type(plain(now)) in COUNTED:
                writes.append((before.now, self._count(now, before.now.name)))
                numbers.append(at)
        if isinstance(outcome, Boxed) and (not outcome.of.name or outcome.of.name.startswith("~")):
            outcome.of.name = returned_name(trace.code)
        _name_gradients(trace, self.gradients)
        outside = {key: (weakref.ref(x), var.line) for key, (x, var) in trace.constants.items()}
        return Recording(self._program(leaves([replaced, outcome, outputs], records=True), gradients, writes), outcome,
                         gradients, outputs, replaced, numbers, len(self.call.arguments), outside)

    def _gradient(self, node: Node, t: Value) -> list[tuple[Slot, Any]]:
        """A leaf and what its gradient is now; nothing where that is the one of before."""
        now, before, which = node.grad, self.grads.get(node), self.tensors[id(t)][1]
        if now is None:
            return [] if before is None else [(which, None)]
        if isinstance(now.array, Traced) and isinstance(t.array, Traced):
            self.gradients.append((now.array.now, t.array.how))
        other = Itself(self.tensors[id(now)][1]) if id(now) in self.tensors else self.has_gradient.get(id(now))
        self.has_gradient.setdefault(id(now), Itself(which, gradient=True))
        if now is before:
            return []
        if any(now is g for g in self.grads.values()):
            self.trace.give_up("it gives one tensor the gradient that another has had", "give it a copy")
        return [(which, other or self.trace.variable(now.array))]

    def _program(self, parts: list, gradients: list, writes: list) -> Program:
        """The program that gives these parts, gradients and writes."""
        trace = self.trace
        handed = [x if isinstance(x, Var) else x.of for x in parts if isinstance(x, (Boxed, Scalar, Var))]
        results = list(dict.fromkeys(handed))
        kept = [plain(node.grad.array) for node in self.leaves if node.grad is not None]
        if any(_show(self.shown[v], kept) is not None for v in results if v in self.shown):
            trace.give_up("it gives memory of a gradient", "give the gradient itself, or a copy")
        inputs = [t.value for t in trace.arrays.values() if t.how.op == "input"]
        shown = [self.shown.get(v, np.empty(0)) for v in results]
        shared = frozenset(i for i, a in enumerate(shown) if _show(a, inputs) is not None)
        groups = tuple(next((j for j, b in enumerate(shown[:i]) if _show(a, [b]) is not None), i)
                       for i, a in enumerate(shown))
        kept = [v for _, v in gradients if isinstance(v, Var)]
        return Program(trace.inputs, trace.body, results, kept, writes, shared, groups, trace.functions)

    def _refuse_other_changes(self) -> None:
        """Give the trace up where the call changed what no program changes."""
        trace = self.trace
        if _randomness_elsewhere() != self.random:
            trace.give_up("it draws random numbers from another source than the generators of its arguments and state",
                          "use the library's, or pass a generator in state", self.before.line_of("random"))
        for generator in self.call.state.generators:
            stand_in = trace.generators[id(generator)]
            if stand_in.value is not getattr(generator, "numpy", generator) or stand_in.drawn_elsewhere():
                trace.give_up("it seeds a generator, or draws from it past the state", "do that outside",
                              self.before.line_of("manual_seed"))
        for t, _, node, hooks in self.tensors.values():
            if t.node is not node or node is not None and len(node.hooks or ()) != hooks:
                trace.give_up("it changes what is recorded of a tensor from outside, or its hooks",
                              "do that outside, or to a copy")
        noted = [t.value for t in trace.arrays.values() if t.now is not t.how]
        for path, x in self.before.changed_arrays():
            if _show(x, noted) is None:
                trace.give_up(f"it writes into '{path}'", "pass it as an argument or in state, and change it by "
                              "operations", self.before.line_of(path))
        if (mode.recording, np.geterr()) != self.settings:
            trace.give_up("it turns gradients or numpy's errors on or off", "do that outside, or in a `with`")
        known = {*self.tensors, *map(id, self.grads.values())}
        for t, array in trace.lifted:
            if id(t) not in known and id(array) not in trace.local and t.array is not trace.arrays[id(array)]:
                trace.give_up("it gives another array to a tensor that is neither an argument nor in the state",
                              "pass it as an argument or in state")

    def _refuse_known_containers(self, result: Any) -> None:
        """Give up where a result is a list, a dict or an object that others hold too: a program makes new ones."""
        known = {id(holder.held) for _, holder, _ in self.before.found}
        queue = [result]
        for x in queue:  # grows as it is read
            record = dataclasses.is_dataclass(x) and not isinstance(x, type)
            if not record and not isinstance(x, (list, tuple, dict)):
                continue
            holders = holders_of(x)
            if not isinstance(x, tuple) and known.intersection(id(h.held) for h in holders):
                self.trace.give_up(f"it gives a {type(x).__name__} that is held elsewhere too", "give a copy")
                return
            known.update(id(h.held) for h in holders)
            queue += [value for h in holders for _, value in h.entries()]

    def _outcome(self, x: Any) -> Any:
        """What stands for a part of a result."""
        if isinstance(x, Traced) and x.scalar:
            return Scalar(self._var(x))
        if not isinstance(x, Value):
            return self._var(x) if isinstance(x, (np.ndarray, Number)) else x
        if id(x) in self.tensors:
            return Itself(self.tensors[id(x)][1])
        if id(x) in self.has_gradient:
            return self.has_gradient[id(x)]
        if id(x) not in self.seen:
            if x.node is not None and (x.node.op is None or x.node.inputs is not None):
                self.trace.give_up("it gives tensors that gradients can still flow through",
                                   "compile the backward pass with it, call it under no_grad, or detach them")
            self.seen[id(x)] = Boxed(self._var(x.array), x.node is not None)
        return self.seen[id(x)]

    def _var(self, x: Any) -> Var:
        """The Var of what is handed out."""
        var = self.trace.variable(x)
        if isinstance(x, Traced):
            changed = [t for t in self.trace.arrays.values() if t.how.op == "input" and t.now is not t.how]
            of = _show(x.value, [t.value for t in changed])
            if of is x.value:  # the array itself, as it is in the end
                var = x.how if x.how.op == "input" else self.trace.arrays[id(of)].how
            elif of is not None:
                self.trace.give_up("it gives a view of an array that it changes in place", "give a copy")
        if isinstance(x, np.ndarray):
            self.shown[var] = plain(x)
        return var

    def _count(self, number: Any, name: str) -> Var:
        """The Var of a number that is written."""
        if not isinstance(number, Number):
            number = self.trace.note("py.+", (number, 0), {}, number)
        number.now.name = number.now.name or name
        return number.now

    def _writes(self) -> list[tuple[Var, Var]]:
        """The arrays from outside that the call changed in place."""
        writes = []
        inputs = {key: t for key, t in self.trace.arrays.items() if t.how.op == "input"}
        for key, traced in self.trace.arrays.items():
            if traced.now is traced.how:
                continue
            if key in inputs:
                writes.append((traced.how, traced.now))
                if any(np.may_share_memory(o.value, traced.value) for k, o in inputs.items() if k != key):
                    self.trace.give_up("two of its arrays share memory, and one of them is changed in place",
                                       "change a copy")
            elif key not in self.trace.local:
                self.trace.give_up("it changes an array in place that is neither an argument nor in the state",
                                   "pass it as an argument or in state")
        return writes

    def _outputs(self) -> list[tuple[int, Any, Any]]:
        """What the call put into objects: into those of the state what a result may be; all else gives the trace up."""
        holders: dict[Any, int] = {}  # by what is held, and also by the key there
        for i, h in enumerate(self.call.state.holders):
            holders |= {id(h.held): i} | {(id(h.held), key): i for key in h.known}
        stood = {(id(h.held), key): stand_in for h, key, _, stand_in in self.stood_in}
        counts = {(id(h.held), key) for h, key in self.call.state.numbers}
        found = []
        for path, of, key, value in self.before.changes():
            where = id(of.held), key
            if stood.get(where) is value and value is not None or \
                    where in counts and type(plain(value)) in COUNTED:
                continue
            holder = holders.get(where, holders.get(id(of.held)))
            known = key is not GONE and (not isinstance(key, Value) or id(key) in self.tensors)
            if known and holder is not None and all(isinstance(p, (Value, np.ndarray, Number, *NUMBERS))
                                                    for p in leaves(value, records=True)):
                at = self._outcome(key) if isinstance(key, Value) else key  # an optimizer's state is kept by parameter
                found.append((holder, at, mapped(self._outcome, value, records=True)))
                continue
            self.trace.give_up(f"it changes '{path}'", "return what it computes; only Tensors and numbers in the state "
                               "(modules, optimizers, dataclasses, `self`, state=) are written back",
                               self.before.line_of(path))
        return found

    def _put_back(self) -> None:
        """Nothing traced stays where it was lifted, nor where the call put it, nor in any Tensor or tape."""
        trace = self.trace
        if trace.reason:
            for x in gc.get_objects():
                if issubclass(type(x), (Value, Node)) and isinstance(x.array, Traced) and x.array._trace is trace:
                    x.array = x.array.value
                if type(x) is Node and x.args:
                    x.args = mapped(plain, x.args)
        for holder, key, before, stand_in in self.stood_in:
            if holder[key] is stand_in:
                holder[key] = before
        for holder in self.before.changed_holders():
            entries = [(key, value, _scrubbed(value)) for key, value in holder.entries()]
            if isinstance(holder.held, (set, collections.deque)):
                holder.refill([(key, real) for key, _, real in entries])
                continue
            for key, value, real in entries:
                if real is not value:
                    holder[key] = real
        for node in self.leaves:
            if node.grad is not None:
                node.grad.array = plain(node.grad.array)
        for t, array in reversed(trace.lifted):  # one that was given another array keeps that
            t.array = array if t.array is trace.arrays.get(id(array)) else plain(t.array)
        for node in self.leaves:
            node.array = plain(node.array)


def code_of(function: Any) -> Any:
    """The code of what a function, a method, a partial or a module runs first; None of other things."""
    function = inspect.unwrap(getattr(function, "func", function))
    function = getattr(function, "forward", function)
    return getattr(getattr(function, "__func__", function), "__code__", None)


def _show(array: np.ndarray, others: list[np.ndarray]) -> Any:
    """The first of some arrays whose memory an array shows; None if there is none."""
    return next((o for o in others if o is array or np.may_share_memory(array, o)), None)


def _scrubbed(x: Any) -> Any:
    """x with real arrays in place of traced ones; lists, dicts, dataclasses and Tensors stay themselves."""
    if isinstance(x, (list, dict)) or dataclasses.is_dataclass(x) and not isinstance(x, type):
        for holder in holders_of(x):
            for key, value in holder.entries():
                if (real := _scrubbed(value)) is not value:
                    holder[key] = real
        return x
    if isinstance(x, tuple):
        parts = list(map(_scrubbed, x))
        if all(new is old for new, old in zip(parts, x)):
            return x
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    return _real(x)


def _real(x: Any) -> Any:
    """What is handed out in the place of something traced."""
    shown = x
    while isinstance(shown, Value):  # of a view also what it is a view of
        shown.array = plain(shown.array)
        if shown.view_of is None:
            break
        base, op, args, place = shown.view_of
        shown.view_of = base, op, mapped(plain, args), place
        shown = base
    return x.value[()] if isinstance(x, Traced) and x.scalar else plain(x)


def _randomness_elsewhere() -> list:
    """The states of Python's own random numbers, and of numpy's old ones."""
    state = np.random.get_state(legacy=False)
    return [hash(python_random.getstate()), state["state"]["pos"], hash(state["state"]["key"].tobytes())]


def _name_gradients(trace: Trace, gradients: list[tuple[Var, Var]]) -> None:
    """Give each name to one value only, and to gradients the names of what they are the gradients of."""
    used: dict[str, int] = {}
    for v in (*trace.inputs, *trace.body):
        if v.name:
            used[v.name] = used.get(v.name, 0) + 1
            v.name += f"_{used[v.name]}" * (used[v.name] > 1)
    for g, of in gradients:
        name = of.name.lstrip("~")
        if name and (not g.name or g.name.startswith("~")) and g.op != "input":
            g.name = "~" * of.name.startswith("~") + gradient_name(name)
