"""What a compiled function depends on besides its arguments: its state, and where each part of it is held.

The state is what `state=` names or, without it, what the function's own names refer to: its closure, the globals it
loads, its defaults, the object of a method; and what modules, optimizers, lists, tuples, dicts and dataclasses among
them hold. Nothing further is looked into.
"""

import dataclasses
import enum
import functools
import itertools
import operator
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..engine.changes import owner
from ..engine.trees import leaves
from ..engine.values import Value
from ..nn import Module
from ..optim import Optimizer
from ..optim.lr_scheduler import LRScheduler
from ..random import Generator, default_generator
from .holders import Holder, has_attributes, holders_of, is_full, marks_of, slots_of
from .program import strides_of

ATOMS = (bool, int, float, complex, str, bytes, type(None), np.dtype, np.generic, slice, type(...), frozenset,
         range, enum.Enum)
COUNTED = (int, float, np.float64)  # numbers that a program may read
IDENTICAL = (types.FunctionType, types.BuiltinFunctionType, np.ufunc, type)  # compared as objects
INSIDE = ("state", "param_groups", "defaults")  # of an optimizer: what is looked into in a way of its own
LARGE = 256  # entries of a container of plain values, up to which it is part of the state
READ: Any = operator.attrgetter("cell_contents")
ARRAY, NODE, HOOKS, GRAD = (operator.attrgetter(name) for name in ("array", "node", "hooks", "grad"))
END = object()
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
        return type(x), x.shape, x.dtype, strides_of(x)
    a, node = x.array, x.node
    if node is None:
        return type(x), a.shape, a.dtype, strides_of(a), None
    hooks = tuple(node.hooks.values()) if node.hooks else None
    return type(x), a.shape, a.dtype, strides_of(a), node.op is None, node.grad is None, hooks


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


def _numbers_in(path: str, x: Any) -> Iterator[tuple[str, Any]]:
    """The numbers in a dict, in lists and tuples, with their paths."""
    if type(x) in COUNTED:
        yield path, x
    for key, value in x.items() if isinstance(x, dict) else enumerate(x) if isinstance(x, (list, tuple)) else ():
        yield from _numbers_in(f"{path}.{key}", value)


class Watched(Holder):
    """A holder in the state, with its entries that must stay the same objects."""

    def __init__(self, holder: Holder) -> None:
        vars(self).update(vars(holder))
        self.known: dict[Any, Any] = {}

    def whole(self) -> bool:
        """Whether all of its entries must stay the same: then it is read from end to end, its keys too."""
        container = self.keys is None and isinstance(self.held, (dict, list, tuple))
        return container and 0 < len(self.known) == len(self.held)

    def reader(self) -> tuple[Callable[[], Iterable], list]:
        """A function, all of it in C, that gives the entries that must stay the same; and what they are."""
        keys, known = list(self.known), list(self.known.values())
        if self.whole() and isinstance(self.held, dict):
            return functools.partial(itertools.chain, self.held, self.held.values()), [*keys, *known]
        if self.whole():
            return functools.partial(iter, self.held), known
        if self.cells:
            return functools.partial(map, READ, [self.held[key] for key in keys]), known
        get: Any = operator.itemgetter if isinstance(self.held, (dict, list, tuple)) else operator.attrgetter
        return functools.partial(get(*keys, keys[0]), self.held), [*known, known[0]]  # of one it would give no tuple


class State:
    """The state at one moment: its arrays in order, and a key of all that a program depends on."""

    def __init__(self, function: Any, declared: Any, opened: list[tuple[str, Any]], changing: set[str]) -> None:
        """opened: arguments, with their names, that are looked into. changing: the names of the numbers and
        Tensors that calls are known to replace: a program reads them each time, all others are part of the key."""
        self.tensors: list[Value] = []
        self.arrays: list[np.ndarray] = []
        self.numbers: list[tuple[Holder, Any]] = []
        self.counts: list[tuple[Any, Any]] = []  # the same, where they can be read and written fastest
        self.loose: list[tuple[Holder, Any]] = []  # where Tensors are that calls replace: read as arguments are
        self.generators: list[Any] = [default_generator]
        self.names: dict[Any, str] = {id(default_generator): "rng"}  # of tensors, arrays and generators by id
        self.places: list[tuple[Holder, Any, Any]] = []  # where bare arrays and generators of numpy's are held
        self.holders: list[Watched] = []
        self.roots: list[tuple[str, Any]] = [] if declared is None else [("state", declared)]
        self.plain: dict[str, Any] = {}  # numbers and Tensors that are part of the key, by name
        self.number = 0  # a short form of the key
        self._sized: list[Any] = []
        self._unset: list[tuple[Any, str]] = []  # slots
        self._typed: list[Callable] = []  # give the numbers that may be replaced by something else
        self._complete = True
        self._changing = changing
        self._opened: set[int] = set()  # ids of objects that are looked into
        self._arguments: set[int] = set()  # those of arguments, and all objects in these
        self._open([x for _, x in opened])
        self._opened.update(id(x) for x in leaves(declared) if has_attributes(x))
        self._seen: dict[int, int] = {}
        self._optimizers: list[tuple[str, Optimizer]] = []
        parts = [self._entries("", Holder([x for _, x in opened], labels=[name for name, _ in opened]))]
        parts += [] if declared is None else [self._part("state", declared)]
        parts += self._own_names(function)
        parts += [self._of_optimizer(*named) for named in self._optimizers]  # last: what has another name keeps that
        self.values: list[Any] = [*self.tensors, *self.arrays]
        self.key = (tuple(parts), shared(self.values))
        self.owners = {id(owner(v.array if isinstance(v, Value) else v)) for v in self.values}
        self._short_names()
        self._watch()

    # ---- what is held
    def _open(self, arguments: list) -> None:
        self._opened.update(map(id, arguments))
        self._arguments.update(map(id, arguments))

    def _own_names(self, f: Any) -> Iterator[tuple]:
        """The parts of what a function's own names refer to, and those of the functions that it wraps."""
        while f is not None and not isinstance(f, (types.BuiltinFunctionType, np.ufunc, type)):
            inner = getattr(f, "__wrapped__", None)
            holders = holders_of(f)
            if isinstance(f, types.FunctionType):
                self._complete = self._complete and all(map(is_full, f.__closure__ or ()))
                self._sized.append(f.__globals__)  # a name that is missing, or a builtin's, may be defined later
            elif isinstance(f, types.MethodType):
                self._opened.add(id(f.__self__))
                inner = f.__func__
            elif isinstance(f, functools.partial):
                inner = f.func
            else:
                self._opened.add(id(f))
                holders = [Holder([f], labels=["model" if isinstance(f, Module) else "self"])]
                call = type(f).forward if isinstance(f, Module) else type(f).__call__
                inner = inner or (call if isinstance(call, types.FunctionType) else None)
            for holder in holders:
                yield self._entries("", holder)
            f = inner

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
            return form(x), *[self._entries(name, holder) for holder in marks_of(x)]
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
            of = (holder, key) if type(x) is tuple and holder is not None else None
            return type(x), self._entries(name, Holder(x, of=of))
        if isinstance(x, LRScheduler):
            self._changing.update(path for path, value in _numbers_in(name, vars(x)))
        record = dataclasses.is_dataclass(x) and not isinstance(x, type)
        if isinstance(x, (Module, LRScheduler)) or id(x) in self._opened or record:
            self._unset += [(x, s) for cls in type(x).__mro__ for s in slots_of(cls) if not hasattr(x, s)]
            if id(x) in self._arguments:
                inside = [value for holder in holders_of(x) for _, value in holder.entries()]
                self._open([value for value in inside if has_attributes(value) and not callable(value)])
            return type(x), *[self._entries(name, holder) for holder in holders_of(x)]
        return x if isinstance(x, IDENTICAL) else type(x)

    def _entries(self, name: str, plain: Holder, numeric: Callable[[Any], bool] = lambda key: False) -> tuple:
        """The parts of a holder's entries. numeric: whether a number there is read by the program each time."""
        holder = self._watched(plain)
        parts: list[Any] = []
        for key, value in holder.entries():
            path = holder.path(name, key)
            if not name:
                self.roots.append((path, value))
            if type(value) in COUNTED and (numeric(key) or path in self._changing):
                self.numbers.append((holder, key))
                self.counts.append((holder.held if isinstance(holder.held, dict) else holder, key))
                if path in self._changing or key == "lr":  # the optimizer's own counts stay numbers
                    self._typed.append(functools.partial(operator.getitem, *self.counts[-1]))
                self.names[id(holder), key] = path
                parts.append((key, type(value), "number"))
                continue
            if isinstance(value, Value) and path in self._changing:
                self.loose.append((holder, key))
                self.names[id(holder), key] = path
                parts.append((key, "loose"))
                continue
            if type(value) in COUNTED or isinstance(value, Value):
                self.plain[path] = value
            holder.known[key] = value
            parts.append((key if isinstance(key, ATOMS) else type(key), self._part(path, value, holder, key)))
        return tuple(parts)

    def _watched(self, plain: Holder) -> Watched:
        holder = Watched(plain)
        self.holders.append(holder)
        return holder

    def _of_optimizer(self, name: str, optimizer: Optimizer) -> tuple:
        """Its settings are part of the key; learning rates, and the numbers in its state, are read each time."""
        own, groups, state = vars(optimizer), optimizer.param_groups, optimizer.state
        parts = [self._entries(name, Holder(own, [key for key in own if key not in INSIDE]))]
        self._same_objects(own, ("state", "param_groups"))
        self._same_objects(groups, range(len(groups)))
        for i, group in enumerate(groups):
            path = f"{name}.{i}" if i else name
            cycled = ("momentum", "betas") if "max_momentum" in group else ()  # by a scheduler
            self._changing.update(p for p, _ in _numbers_in(path, {k: group[k] for k in cycled if k in group}))
            parts.append(self._entries(path, Holder(group, [k for k in group if k != "params"]),
                                       lambda key: key == "lr"))
            self._same_objects(group, ("params",))
            parts.append(self._entries("param", Holder(group["params"])))
        params = [p for group in groups for p in group["params"] if p in state]
        self._same_objects(state, params)
        for p in params:
            parts.append((self._seen[id(p)], self._entries(self.names[id(p)], Holder(state[p]), lambda key: True)))
        return tuple(parts)

    def _same_objects(self, held: Any, keys: Iterable) -> None:
        """Entries that must stay the same objects, and are looked into elsewhere."""
        holder = self._watched(Holder(held, keys))
        holder.known = dict(holder.entries())
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
        self._readers: list[Any] = []
        self._known: list[Any] = []
        for holder in self.holders:
            if holder.known:
                read, known = holder.reader()
                self._readers.append(read)
                self._known += known
            if holder.keys is None and isinstance(holder.held, (dict, list)) and not holder.whole():
                self._sized.append(holder.held)
        self._nodes = [t.node for t in self.tensors if t.node is not None]
        for hooks in [n.hooks for n in self._nodes if n.hooks is not None]:
            self._sized.append(hooks)
            self._readers.append(hooks.values)
            self._known += hooks.values()
        self._sizes = list(map(len, self._sized))
        self._known += [*map(ARRAY, self.tensors), *map(NODE, self.tensors), *map(HOOKS, self._nodes),
                        *[n.grad is None for n in self._nodes], *[type(read()) for read in self._typed], END]
        self._forms = [(a.shape, a.dtype) for a in self.arrays]

    def same(self) -> bool:
        """Whether the key must be what it was, found out by looking at the same objects, all of it in C."""
        if list(map(len, self._sized)) != self._sizes or \
                self.arrays and [(a.shape, a.dtype) for a in self.arrays] != self._forms:
            return False
        now = itertools.chain(itertools.chain.from_iterable(map(operator.call, self._readers)),
                              map(ARRAY, self.tensors), map(NODE, self.tensors), map(HOOKS, self._nodes),
                              map(operator.is_, map(GRAD, self._nodes), _nothing),
                              map(type, map(operator.call, self._typed)), (END,))
        try:  # what has grown or shrunk shifts all that follows, at least the END
            return all(map(operator.is_, now, self._known)) and self._complete \
                and (not self.loose or all(isinstance(holder[key], Value) for holder, key in self.loose)) \
                and not (self._unset and any(hasattr(x, slot) for x, slot in self._unset))
        except (LookupError, ValueError, AttributeError, TypeError):
            return False

    def replace(self, holder: Watched, key: Any, value: Any) -> None:
        """Put a value into a place, and look at everything again where that is part of the key."""
        holder[key] = value
        self._complete = self._complete and key not in holder.known
