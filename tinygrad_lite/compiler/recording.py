"""Recording one call of a function: what it reaches is lifted into the trace, and afterwards put back."""

import contextlib
import functools
import operator
import random as python_random
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..engine.mode import Switch, mode
from ..engine.values import Node, Value, unbox
from ..engine.watch import observing, watching
from ..nn import Module
from ..optim import Optimizer
from .names import gradient_name
from .program import Program, Var, mapped
from .program import leaves as leaves_of
from .trace import Number, Trace, Traced, plain

ATOMS = (bool, int, float, str, bytes, type(None), np.dtype, tuple)  # what is compared by value
OWN = ("tinygrad_lite", "numpy")  # modules whose insides are not looked at
LARGE = 256  # entries of a list or a dict, up to which they are looked through


# ---------------------------------------------------------------- what a function reaches
class Guard(NamedTuple):
    """A value that a function may read: how it is read, its name, and what it was."""

    look: Callable[[], Any]
    name: str
    value: Any
    noted: bool = False  # whether changes.restructured() is called when it changes

    def changed(self) -> bool:
        """Whether it is another object now, or another value of those that are compared by value."""
        try:
            now = self.look()
        except (LookupError, ValueError):
            return True
        same = isinstance(self.value, ATOMS) and type(now) is type(self.value) and now == self.value
        return now is not self.value and not same


@dataclass
class Reach:
    """The tensors, optimizers and Python values that a function can get at, by the names it has for them."""

    tensors: dict[int, tuple[str, Value]] = field(default_factory=dict)
    optimizers: list[Optimizer] = field(default_factory=list)
    generators: list[np.random.Generator] = field(default_factory=list)
    arrays: list[tuple[str, np.ndarray]] = field(default_factory=list)
    watched: list[Guard] = field(default_factory=list)
    seen: dict[int, Any] = field(default_factory=dict)

    def function(self, f: Any) -> None:
        """A function's globals, closure, defaults and, of a method, its object; a module is what it holds."""
        if isinstance(f, types.MethodType):
            self.value("self", f.__self__)
            f = f.__func__
        f = getattr(f, "__wrapped__", f)
        if isinstance(f, functools.partial):
            self.value("given", [*f.args, *f.keywords.values()])
            f = f.func
        if isinstance(f, Module):
            self.value("model", f)
        if not isinstance(f, types.FunctionType) or (f.__module__ or "").startswith(OWN):
            return
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or ()):
            with contextlib.suppress(ValueError):  # an empty cell
                self.watch(cell, name)
        names = list(dict.fromkeys(_names(f.__code__)))
        for name in (n for n in names if n in f.__globals__):
            self.watch(f.__globals__, name)
            holder = f.__globals__[name]  # of a module or a class, what the function may read of it
            if isinstance(holder, (types.ModuleType, type)) and not holder.__name__.startswith(OWN):
                for key in (n for n in names if isinstance(vars(holder).get(n, names), ATOMS)):
                    self.watch(vars(holder), key, f"{name}.{key}")
        for name, value in zip(reversed(f.__code__.co_varnames[: f.__code__.co_argcount]),
                               reversed(f.__defaults__ or ())):
            self.value(name, value)

    def watch(self, where: Any, key: Any, name: str = "", noted: bool = False) -> None:
        """An entry that the function may read: a program holds while it stays the same."""
        look = _look(where, key)
        value = look()
        if isinstance(value, (types.ModuleType, type)):
            return
        self.watched.append(Guard(look, name or str(key), value, noted))
        self.value(name or str(key), value)

    def value(self, name: str, x: Any) -> None:
        """Go down into what holds tensors."""
        if id(x) in self.seen or isinstance(x, ATOMS[:-1]):
            return
        self.seen[id(x)] = x
        if isinstance(x, Value):
            self.tensors.setdefault(id(x), (name, x))
        elif isinstance(x, Module):
            for path, t in x._held(lambda module, key, t: True):
                plain = path.replace(".", "_")
                self.tensors.setdefault(id(t), (plain if not plain[0].isdigit() else f"{name}_{plain}", t))
            for module in x.modules():
                self.entries(vars(module), vars(module), noted=True)
        elif isinstance(x, Optimizer):
            self.optimizers.append(x)
        elif isinstance(x, np.ndarray):
            self.arrays.append((name, x))
        elif isinstance(x, np.random.Generator):
            self.generators.append(x)
        elif isinstance(x, (list, tuple, dict)):
            if len(x) <= LARGE:
                self.entries(x, x if isinstance(x, dict) else range(len(x)), f"{name}_")
        elif isinstance(x, (types.FunctionType, types.MethodType)):
            self.function(x)
        elif hasattr(x, "__dict__") and not isinstance(x, (types.ModuleType, type)):
            self.entries(vars(x), vars(x))

    def entries(self, held: Any, keys: Iterable[Any], prefix: str = "", noted: bool = False) -> None:
        """What a list, a dict or an object holds, and how much: a new attribute may hide one of its class."""
        self.watched.append(Guard(functools.partial(len, held), f"{prefix}size", len(held), noted))
        for key in keys:
            self.watch(held, key, f"{prefix}{key}", noted)


def _hooks(node: Node) -> tuple:
    """The hooks of a leaf."""
    return tuple(node.hooks or ())


def _look(where: Any, key: Any) -> Callable[[], Any]:
    """A function, all of it in C, that reads an entry of a dict or the contents of a closure's cell."""
    if isinstance(where, types.CellType):
        return functools.partial(getattr, where, "cell_contents")
    return functools.partial(operator.getitem, where, key)


def _names(code: Any) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


# ---------------------------------------------------------------- gradients of leaves, watched
SLOT: Any = vars(Node)["grad"]  # where a node has it


class _WatchedLeaf(Node):
    """A leaf that notes whether its gradient is looked at before it is set: then the program depends on it."""

    __slots__ = ()

    @property
    def grad(self) -> Any:  # type: ignore[override]
        if mode.tracing is not None:
            mode.tracing.touched.setdefault(self, "read")
        return SLOT.__get__(self)

    @grad.setter
    def grad(self, value: Any) -> None:
        if mode.tracing is not None:
            mode.tracing.touched.setdefault(self, "set")
        SLOT.__set__(self, value)


@dataclass
class Recording:
    """A program, what its inputs and outputs stand for, and when it holds."""

    program: Program
    results: Any  # the result with a Var in each traced place
    spent: set[int]  # ids of the Vars that were on a tape which has been read backwards
    kept: list[tuple[Any, Var | None]]  # (leaf or the place of an argument, its gradient afterwards)
    guards: list[Guard]
    grads_at_start: list[tuple[Any, bool]]  # (leaf, whether it must have no gradient)
    numbers: list[tuple[dict, str]]  # what the writes of numbers go to
    ignored: set[str]
    reason: str  # why there is no program, if so
    changed: list[str]  # names of Python values that the call itself changed


def record(function: Callable, args: tuple, kwargs: dict, names: list[str],
           reach: Reach | None = None, before: dict[Node, Any] | None = None) -> tuple[Any, Recording]:
    """Call the function; gives its result and the recording. An exception leaves everything as the call left it.

    names: of the arrays among the arguments. reach: of the function, unless it is to be looked for here. before: is
    given the gradients that there were, and none are left.
    """
    if reach is None:
        reach = Reach()
        reach.function(function)
    for optimizer in reach.optimizers:  # last: what has another name keeps that
        reach.value("param", [p for group in optimizer.param_groups for p in group["params"]])
    trace = Trace(getattr(function, "__code__", getattr(getattr(function, "__func__", None), "__code__", None)))
    places = iter(names)
    leaves: dict[Node, Any] = {}  # node -> what stands for it
    gradients: list[tuple[Var, Var]] = []

    def argument(x: Any) -> Any:
        at = len(arguments)
        if isinstance(x, Value):
            arguments.append(x)
            trace.lifted.append((x, x.array))
            x.array = trace.input(("argument", at), x.array, next(places))
            if x.node is not None:
                leaves.setdefault(x.node, at)
        elif isinstance(x, np.ndarray):
            arguments.append(x)
            return trace.input(("argument", at), x, next(places))
        return x

    arguments: list[Any] = []
    given = mapped(argument, args), mapped(argument, kwargs)
    for name, t in reach.tensors.values():
        if type(t.array) is np.ndarray:
            trace.lifted.append((t, t.array))
            t.array = trace.input(("array", t.array, t), t.array, name)
        tracked = functools.partial(getattr, t, "node")
        reach.watched.append(Guard(tracked, f"whether {name} requires grad", t.node, True))
        if t.node is not None and t.node.op is None:
            leaves.setdefault(t.node, t.node)
            hooks = functools.partial(_hooks, t.node)
            reach.watched.append(Guard(hooks, f"hooks of {name}", hooks(), True))
    for name, array in reach.arrays:
        trace.input(("item", [array], 0), array, name)
    present = {node for node in leaves if node.grad is not None}
    names_of = {id(t): trace.arrays[id(array)].now.name for t, array in trace.lifted}
    for node in leaves:
        if node.grad is not None and type(node.grad.array) is np.ndarray:
            trace.lifted.append((node.grad, node.grad.array))
            node.grad.array = trace.input(("grad", leaves[node]), node.grad.array)
        if before is not None:
            before[node], node.grad = node.grad, None
        node.__class__ = _WatchedLeaf
    optimizers = [_Lifted(o, trace, names_of) for o in reach.optimizers]
    others = _random_states(reach.generators)

    def watch(node: Node) -> None:
        for source in node.inputs:
            if source is not None and source.place < trace.start and source not in leaves:
                if source.op is not None:
                    trace.give_up("it goes on with a tape that was begun outside")
                leaves[source] = source
                source.__class__ = _WatchedLeaf

    def observe(node: Node, g: Any, sent: Any) -> None:
        g = unbox(g)
        if node.op is not None and isinstance(node.array, Traced) and isinstance(g, Traced):
            gradients.append((g.now, node.array.now))

    try:
        with Switch("tracing", trace):
            with watching(watch), observing(lambda seeds: observe):
                result = function(*given[0], **given[1])
            if _random_states(reach.generators) != others:
                trace.give_up("it draws random numbers from another source than the library's generator")
            return _gathered(trace, reach, result, leaves, present, gradients, optimizers)
    finally:
        for node in leaves:
            node.__class__ = Node
            if node.grad is not None and isinstance(node.grad.array, Traced):
                node.grad.array = node.grad.array.value
        for t, array in reversed(trace.lifted):  # one that was given another array keeps that
            t.array = array if t.array is trace.arrays.get(id(array)) else plain(t.array)
        for lifted in optimizers:
            lifted.put_back()


def _gathered(trace: Trace, reach: Reach, result: Any, leaves: dict, present: set, gradients: list,
              optimizers: list) -> Any:
    """The result with real arrays, and the recording."""
    spent: set[int] = set()

    def variable(x: Any) -> Any:
        if isinstance(x, Value) and isinstance(x.array, Traced):
            if x.node is not None and x.node.op is not None:
                if x.node.inputs is not None:
                    trace.give_up("it gives tensors that gradients can still flow through: compile the backward pass "
                                  "with it, or call it under no_grad")
                spent.add(id(x.array.now))
            return x if any(t is x for t, _ in trace.lifted) else _Boxed(x.array.now)
        return x.now if isinstance(x, (Traced, Number)) else x

    results = mapped(variable, result)
    owners: dict[Any, Any] = {t.node: t for t, _ in trace.lifted}
    if any(isinstance(t.array, np.ndarray) and t.array is not trace.arrays[id(array)] for t, array in trace.lifted):
        trace.give_up("a tensor is given another array")
    kept: list[tuple[Any, Var | None]] = []
    for node, stands_for in leaves.items():
        if node in trace.touched:
            g = SLOT.__get__(node)
            kept.append((stands_for, None if g is None else trace.variable(g.array)))
            if g is not None and node in owners and isinstance(g.array, Traced):
                gradients.append((g.array.now, owners[node].array.how))
    _name_gradients(trace, gradients)
    writes, numbers = _written(trace), []
    for lifted in optimizers:
        for where, key, before, now in lifted.numbers():
            writes.append((before, now))
            now.name = now.name or before.name
            numbers.append((where, key))
    kept_vars = [v for _, v in kept if v is not None]
    result_vars = [v.now if isinstance(v, _Boxed) else v for v in leaves_of(results) if isinstance(v, (_Boxed, Var))]
    shown = [plain(x.array if isinstance(x, Value) else x) for x, v in zip(leaves_of(result), leaves_of(results))
             if isinstance(v, (_Boxed, Var))]
    shared = frozenset(i for i, x in enumerate(shown) if isinstance(x, np.ndarray) and any(
        np.may_share_memory(x, a.value) for a in trace.arrays.values()))
    program = Program(trace.inputs, trace.body, result_vars, kept_vars, writes, shared, trace.functions)
    at_start = [(leaves[n], n not in present) for n, how in trace.touched.items() if how == "read" and n in leaves]
    own = {id(w): w.name for w in reach.watched if isinstance(w.value, ATOMS) and w.changed()}
    guards = [w for w in (*reach.watched, *(w for o in optimizers for w in o.watched)) if id(w) not in own]
    recording = Recording(program, results, spent, kept, guards, at_start, numbers, trace.ignored, trace.reason,
                          [*own.values()])
    return mapped(_real, result), recording


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
            g.name = gradient_name(name)


def _written(trace: Trace) -> list[tuple[Var, Var]]:
    """The arrays from outside that the call changed in place."""
    writes = []
    for key, traced in trace.arrays.items():
        if traced.now is not traced.how and traced.how.op == "input":
            writes.append((traced.how, traced.now))
            if any(np.may_share_memory(o.value, traced.value) for k, o in trace.arrays.items() if k != key):
                trace.give_up("two tensors share memory, and one of them is changed")
    return writes


@dataclass
class _Boxed:
    """A Var that is handed out as a Tensor."""

    now: Var


def _real(x: Any) -> Any:
    if isinstance(x, Value) and isinstance(x.array, Traced):
        x.array = x.array.value
    return x.value if isinstance(x, (Traced, Number)) else x


def _random_states(generators: list) -> list:
    state = np.random.get_state(legacy=False)
    return [repr(g.bit_generator.state) for g in generators] + [hash(python_random.getstate()), state["state"]["pos"],
                                                                hash(state["state"]["key"].tobytes())]


# ---------------------------------------------------------------- optimizers
class _Lifted:
    """An optimizer while it is traced: learning rates and counts of steps are numbers that the program reads."""

    def __init__(self, optimizer: Optimizer, trace: Trace, names: dict[int, str]) -> None:
        self.optimizer, self.trace = optimizer, trace
        self.before = optimizer.state
        self.places: list[tuple[dict, str, Any, dict]] = []  # (real dict, key, traced, dict in use)
        groups, own = optimizer.param_groups, vars(optimizer)
        self.watched = [Guard(_look(own, key), key, own[key]) for key in ("state", "param_groups")]
        self.watched += [Guard(functools.partial(len, x), "the number of parameters", len(x))
                         for x in (groups, *(group["params"] for group in groups))]
        optimizer.state = {}
        self.fresh: dict[Any, dict] = {}
        for group in groups:
            self.watched += [Guard(_look(group, key), key, value) for key, value in group.items() if key != "lr"]
            for p in group["params"]:
                state = self.before.get(p)
                if state is None:
                    state = self.fresh[p] = optimizer.start(plain(p.array), **group)
                if state:
                    self.watched.append(Guard(_look(self.before, p), "state", state))
                optimizer.state[p] = {k: self.lift(state, k, f"{names.get(id(p), '')}_{k}".strip("_"))
                                      for k in state}
                self.places += [(state, k, v, optimizer.state[p]) for k, v in optimizer.state[p].items()]
            group["lr"] = trace.input(("item", group, "lr"), group["lr"], "lr")
            self.places.append((group, "lr", group["lr"], group))

    def lift(self, where: dict, key: str, name: str) -> Any:
        value = where[key]
        if isinstance(value, np.ndarray) or type(value) in (int, float):
            return self.trace.input(("item", where, key), value, name)
        return value

    def numbers(self) -> Iterator[tuple[dict, str, Var, Var]]:
        """The numbers that the call changed: where they are kept, the first and the last of them."""
        for real, key, traced, used in self.places:
            now = used.get(key)
            if isinstance(traced, Number) and now is not traced:
                if not isinstance(now, Number):
                    self.trace.give_up(f"'{key}' of an optimizer is set to a number that the program does not know")
                    continue
                yield real, key, traced.now, now.now
            elif now is not traced:
                self.trace.give_up(f"'{key}' of an optimizer's state is replaced")

    def put_back(self) -> None:
        for real, key, traced, used in self.places:
            now = used.get(key)
            if isinstance(traced, Number):
                real[key] = now.value if isinstance(now, Number) else now
        self.before.update({p: state for p, state in self.fresh.items() if self.used(p)})
        self.optimizer.state = self.before

    def used(self, p: Any) -> bool:
        """Whether the call made use of the state that p would start from."""
        now = self.optimizer.state.get(p, {})
        return any(v is not t or isinstance(v, Traced) and v.version for s, k, t, used in self.places
                   if used is now for v in (now.get(k),))
