"""What a compiled function depends on besides its arguments: its state, and where each part of it is held.

The state is what `state=` names or, without it, what the function's own names refer to: its closure, the globals it
loads, its defaults, the object of a method; and what modules, optimizers, lists, tuples, dicts and dataclasses among
them hold. Nothing further is looked into.
"""

import dataclasses
import dis
import enum
import functools
import itertools
import operator
import types
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..engine.changes import owner
from ..engine.values import Value
from ..nn import Module
from ..optim import Optimizer
from ..random import Generator, default_generator

ATOMS = (bool, int, float, complex, str, bytes, type(None), np.dtype, np.generic, slice, type(...), frozenset,
         enum.Enum)
IDENTICAL = (types.FunctionType, types.BuiltinFunctionType, np.ufunc, type)  # compared as objects
LIBRARY = __name__.split(".")[0] + "."
LARGE = 256  # entries of a container of plain values, up to which it is part of the state
READ: Any = operator.attrgetter("cell_contents")
ARRAY, NODE, HOOKS, GRAD = (operator.attrgetter(name) for name in ("array", "node", "hooks", "grad"))
_nothing = itertools.repeat(None)


def atom(x: Any) -> Any:
    """What stands for a plain value in a key: equal exactly for what a function cannot tell apart."""
    if isinstance(x, (float, complex, np.generic)):
        return type(x), repr(x)  # 0.0 is not -0.0, and NaN is itself
    if isinstance(x, slice):
        return slice, atom(x.start), atom(x.stop), atom(x.step)
    return type(x), x


def form(x: Any) -> Any:
    """What stands for an array or a Tensor in a key."""
    if not isinstance(x, Value):
        return x.shape, x.dtype, x.flags.c_contiguous
    a, node = x.array, x.node
    if node is None:
        return a.shape, a.dtype, a.flags.c_contiguous, None
    hooks = tuple(node.hooks.values()) if node.hooks else None
    return a.shape, a.dtype, a.flags.c_contiguous, node.op is None, node.grad is None, hooks


def shared(values: list, first: int | None = None) -> tuple:
    """Which of the first of several arrays and Tensors are the same as others, or show the same memory."""
    found = []
    for (i, x), (j, y) in itertools.combinations(enumerate(values), 2):
        if first is not None and i >= first:
            break
        a, b = (v.array if isinstance(v, Value) else v for v in (x, y))
        if x is y or a is b or owner(a) is owner(b) and np.may_share_memory(a, b):
            found.append((i, j, x is y, a is b))
    return tuple(found)


class Holder:
    """Something with entries: a dict, a list, a tuple, the attributes of an object, a function's cells."""

    def __init__(self, held: Any, keys: Iterable) -> None:
        self.held, self.keys = held, list(keys)
        self.cells = isinstance(held, tuple) and bool(held) and isinstance(held[0], types.CellType)
        self.known: dict[Any, Any] = {}  # the entries that must stay the same objects
        self.start = 0  # where they are among all that are known

    def get(self, key: Any) -> Any:
        """An entry."""
        if isinstance(self.held, (dict, list, tuple)):
            return self.held[key].cell_contents if self.cells else self.held[key]
        return getattr(self.held, key)

    def put(self, key: Any, value: Any) -> None:
        """Replace an entry; of a tuple nothing can be."""
        if self.cells:
            self.held[key].cell_contents = value
        elif isinstance(self.held, (dict, list)):
            self.held[key] = value
        elif not isinstance(self.held, tuple):
            object.__setattr__(self.held, key, value)

    def reader(self) -> tuple[Callable[[], Iterable], list]:
        """A function, all of it in C, that gives the entries that must stay the same; and what they are."""
        keys, known = list(self.known), list(self.known.values())
        if self.cells:
            return functools.partial(map, READ, [self.held[key] for key in keys]), known
        if isinstance(self.held, (list, tuple)) and len(keys) == len(self.held):
            return functools.partial(iter, self.held), known
        get: Any = operator.itemgetter if isinstance(self.held, (dict, list, tuple)) else operator.attrgetter
        return functools.partial(get(*keys, keys[0]), self.held), [*known, known[0]]  # of one it would give no tuple


class State:
    """The state at one moment: its arrays in order, and a key of all that a program depends on."""

    def __init__(self, function: Any, declared: Any, opened: list[tuple[str, Any]], changing: set[str]) -> None:
        """opened: arguments, with their names, that are looked into. changing: the names of the Python numbers that
        calls are known to change: a program reads them each time, all others are part of the key."""
        self.tensors: list[Value] = []
        self.arrays: list[np.ndarray] = []
        self.numbers: list[tuple[Holder, Any]] = []
        self.generators: list[Any] = [default_generator]
        self.names: dict[Any, str] = {id(default_generator): "rng"}  # of tensors, arrays and generators by id
        self.places: list[tuple[Holder, Any, Any]] = []  # where bare arrays and generators of numpy's are held
        self.holders: list[Holder] = []
        self.roots: list[tuple[str, Any]] = []
        self.plain: dict[str, Any] = {}  # the Python numbers that are part of the key, by name
        self.number = 0  # a short form of the key
        self._sized: list[Any] = []
        self._complete = True
        self._changing, self._opened = changing, {id(x) for _, x in opened}
        self._seen: dict[int, int] = {}
        self._optimizers: list[tuple[str, Optimizer]] = []
        parts = [self._entries("", tuple(x for _, x in opened), range(len(opened)), dict(enumerate(n for n, _ in opened)))]
        if declared is not None:
            parts.append(self._part("state", declared))
        parts += self._own_names(function)
        for name, optimizer in self._optimizers:  # last: what has another name keeps that
            parts.append(self._of_optimizer(name, optimizer))
        values = [*self.tensors, *self.arrays]
        self.key = (tuple(parts), shared(values))
        self.owners = {id(owner(v.array if isinstance(v, Value) else v)) for v in values}
        self._short_names()
        self._watch()

    # ---- what is held
    def _own_names(self, f: Any) -> list:
        """The parts of what a function's own names refer to, and those of the functions that it wraps."""
        parts: list[Any] = []
        while f is not None:
            if isinstance(f, types.MethodType):
                self._opened.add(id(f.__self__))
                parts.append(self._entries("", (f.__self__,), (0,), {0: "self"}))
                f = f.__func__
            elif isinstance(f, functools.partial):
                parts.append(self._entries("given", f.args, range(len(f.args))))
                parts.append(self._entries("given", f.keywords, f.keywords))
                f = f.func
            elif isinstance(f, types.FunctionType):
                if not (f.__module__ or "").startswith(LIBRARY):
                    parts += self._of_function(f)
                f = getattr(f, "__wrapped__", None)
            elif hasattr(type(f), "__call__") and not isinstance(f, IDENTICAL):
                self._opened.add(id(f))
                parts.append(self._entries("", (f,), (0,), {0: "model" if isinstance(f, Module) else "self"}))
                f = type(f).forward if isinstance(f, Module) else type(f).__call__
            else:
                f = None
        return parts

    def _of_function(self, f: types.FunctionType) -> list:
        cells, names = f.__closure__ or (), f.__code__.co_freevars
        full = [i for i, cell in enumerate(cells) if is_full(cell)]
        self._complete = self._complete and len(full) == len(cells)
        loaded = [name for name in globals_of(f.__code__) if name in f.__globals__]
        defaults, keywords = f.__defaults__ or (), f.__kwdefaults__ or {}
        named = f.__code__.co_varnames[f.__code__.co_argcount - len(defaults) : f.__code__.co_argcount]
        return [self._entries("", cells, full, dict(enumerate(names))),
                self._entries("", f.__globals__, loaded, {n: n for n in loaded}, sized=False),
                self._entries("", defaults, range(len(defaults)), dict(enumerate(named))),
                self._entries("", keywords, keywords, {n: n for n in keywords})]

    def _part(self, name: str, x: Any, holder: Holder | None = None, key: Any = None) -> Any:
        """What stands for x in the key; what it holds is noted."""
        if isinstance(x, ATOMS):
            return atom(x)
        if isinstance(x, (np.ndarray, np.random.Generator)) and holder is not None:
            self.places.append((holder, key, x))
        if id(x) in self._seen:
            return "seen", self._seen[id(x)]
        self._seen[id(x)] = len(self._seen)
        if isinstance(x, (Value, np.ndarray)):
            self.names[id(x)] = name
            (self.tensors if isinstance(x, Value) else self.arrays).append(x)  # type: ignore[arg-type]
            return form(x)
        if isinstance(x, (np.random.Generator, Generator)):
            if x is not default_generator:
                self.names[id(x)] = name
                self.generators.append(x)
            return type(x)
        if isinstance(x, Optimizer):
            self._optimizers.append((name, x))
            return type(x)
        plain = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else ()
        if isinstance(x, (dict, list, tuple)) and not (len(x) > LARGE and all(isinstance(v, ATOMS) for v in plain)):
            return type(x), self._entries(name, x, x if isinstance(x, dict) else range(len(x)))
        if isinstance(x, Module) or id(x) in self._opened or dataclasses.is_dataclass(x) and not isinstance(x, type):
            return type(x), self._attributes(name, x)
        return x if isinstance(x, IDENTICAL) else type(x)

    def _entries(self, name: str, held: Any, keys: Iterable, labels: dict | None = None, sized: bool = True,
                 numeric: Callable[[Any], bool] = lambda key: False) -> tuple:
        """The parts of entries. labels: their names. numeric: whether a number there is read by the program each
        time."""
        holder = Holder(held, keys)
        self.holders.append(holder)
        if sized and isinstance(held, (dict, list)):
            self._sized.append(held)
        parts: list[Any] = []
        for key in holder.keys:
            value = holder.get(key)
            path = labels[key] if labels else f"{name}.{key}" if isinstance(key, (str, int)) else name
            if not name:
                self.roots.append((path, value))
            if type(value) in (int, float) and (numeric(key) or path in self._changing):
                self.numbers.append((holder, key))
                self.names[id(holder), key] = path
                parts.append((key, type(value), "number"))
                continue
            holder.known[key] = value
            if type(value) in (int, float):
                self.plain[path] = value
            parts.append((key if isinstance(key, ATOMS) else type(key), self._part(path, value, holder, key)))
        return tuple(parts)

    def _attributes(self, name: str, x: Any) -> tuple:
        """The parts of an object's attributes, also of those in slots."""
        slots = [s for c in type(x).__mro__ for s in slots_of(c) if hasattr(x, s)]
        held = getattr(x, "__dict__", None)
        return (self._entries(name, held, held) if held is not None else (),
                self._entries(name, x, slots) if slots else ())

    def _of_optimizer(self, name: str, optimizer: Optimizer) -> tuple:
        """Its settings are part of the key; learning rates, and the numbers in its state, are read each time."""
        own, groups, state = vars(optimizer), optimizer.param_groups, optimizer.state
        parts: list[Any] = [self._entries(name, own, [key for key in own if key not in ("state", "param_groups", "defaults")])]
        self._same_objects(own, ("state", "param_groups"))
        self._same_objects(groups, range(len(groups)))
        for i, group in enumerate(groups):
            parts.append(self._entries(f"{name}.{i}" if i else name, group, [key for key in group if key != "params"],
                                       numeric=lambda key: key == "lr"))
            self._same_objects(group, ("params",))
            parts.append(self._entries("param", group["params"], range(len(group["params"]))))
        params = [p for group in groups for p in group["params"] if p in state]
        self._same_objects(state, params)
        for p in params:
            parts.append((self._seen[id(p)], self._entries(self.names[id(p)], state[p], state[p],
                                                           numeric=lambda key: True)))
        return tuple(parts)

    def _same_objects(self, held: Any, keys: Iterable) -> None:
        """Entries that must stay the same objects, and are looked into elsewhere."""
        holder = Holder(held, keys)
        holder.known = {key: held[key] for key in holder.keys}
        self.holders.append(holder)
        self._sized.append(held)

    def _short_names(self) -> None:
        """fc1_weight for model.fc1.weight, wherever that leaves no doubt."""
        count: dict[str, int] = {}
        shorter = {key: path.partition(".")[2] for key, path in self.names.items()}
        for name in (*shorter.values(), *self.names.values()):
            count[name] = count.get(name, 0) + 1
        for key, short in shorter.items():
            if short and not short[0].isdigit() and count[short] == 1:
                self.names[key] = short
            self.names[key] = self.names[key].replace(".", "_")

    # ---- whether it still is so
    def _watch(self) -> None:
        self._readers, self._known = [], []
        for holder in self.holders:
            if holder.known:
                read, known = holder.reader()
                holder.start = len(self._known)
                self._readers.append(read)
                self._known += known
        self._nodes = [t.node for t in self.tensors if t.node is not None]
        self._sized += [n.hooks for n in self._nodes if n.hooks is not None]
        self._sizes = list(map(len, self._sized))
        self._known += [*map(ARRAY, self.tensors), *map(NODE, self.tensors), *map(HOOKS, self._nodes)]
        self._without = [n.grad is None for n in self._nodes]
        self._forms = [(a.shape, a.dtype) for a in self.arrays]

    def same(self) -> bool:
        """Whether the key must be what it was, found out by looking at the same objects, all of it in C."""
        if list(map(len, self._sized)) != self._sizes or list(map(operator.is_, map(GRAD, self._nodes), _nothing)) \
                != self._without or self.arrays and [(a.shape, a.dtype) for a in self.arrays] != self._forms:
            return False
        entries = itertools.chain.from_iterable(map(operator.call, self._readers))
        try:
            return all(map(operator.is_, itertools.chain(entries, map(ARRAY, self.tensors), map(NODE, self.tensors),
                                                         map(HOOKS, self._nodes)), self._known)) and self._complete
        except (LookupError, ValueError, AttributeError):
            return False

    def replace(self, holder: Holder, key: Any, value: Any) -> None:
        """Put a value into a place; it is to be what is known from now on."""
        holder.put(key, value)
        if key in holder.known:
            self._known[holder.start + list(holder.known).index(key)] = value


def is_full(cell: types.CellType) -> bool:
    """Whether a closure's cell holds something yet."""
    try:
        return bool([cell.cell_contents])
    except ValueError:
        return False


@functools.cache
def globals_of(code: types.CodeType) -> tuple[str, ...]:
    """The global names that a function loads or stores, its inner functions' too."""
    found = {step.argval: None for step in dis.get_instructions(code)
             if step.opname in ("LOAD_GLOBAL", "STORE_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= dict.fromkeys(globals_of(constant))
    return tuple(found)


def slots_of(cls: type) -> list[str]:
    """The names of a class's own slots."""
    slots = vars(cls).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    return [f"_{cls.__name__.lstrip('_')}{n}" if n.startswith("__") and not n.endswith("__") else n
            for n in names if n not in ("__dict__", "__weakref__")]
