"""Where Python objects hold others: entries of containers, attributes, slots, the names that a function refers to."""

import collections
import dis
import functools
import types
from collections.abc import Iterable, Iterator
from typing import Any

LIBRARY = __name__.split(".")[0] + "."
CONTAINERS = (dict, list, tuple, set, collections.deque)


class Holder:
    """Something that has entries. keys: which of them, all unless given; labels: what they are called.

    of: where a tuple itself is held, and its key there: an entry is read in the tuple that is there now, and replaced
    by another tuple.
    """

    def __init__(self, held: Any, keys: Iterable | None = None, labels: Iterable | None = None,
                 of: tuple["Holder", Any] | None = None) -> None:
        self.of = of
        self.held, self.keys = held, None if keys is None else list(keys)
        self.labels = None if labels is None else dict(zip(self.keys or range(len(held)), labels))
        self.cells = isinstance(held, tuple) and bool(held) and isinstance(held[0], types.CellType)

    def entries(self) -> list[tuple[Any, Any]]:
        """The entries by key, as they are now."""
        if self.keys is not None:
            return [(key, self[key]) for key in self.keys]
        return list(self.held.items()) if isinstance(self.held, dict) else list(enumerate(self.held))

    def path(self, name: str, key: Any) -> str:
        """What an entry is called, in what is called `name`."""
        if self.labels is not None:
            return self.labels.get(key, name)
        return f"{name}.{key}" if isinstance(key, (str, int)) else name

    def __getitem__(self, key: Any) -> Any:
        """An entry."""
        if self.of is not None:
            return self.of[0][self.of[1]][key]
        if isinstance(self.held, (dict, list, tuple)):
            return self.held[key].cell_contents if self.cells else self.held[key]
        return vars(self.held)[key] if isinstance(self.held, type) else getattr(self.held, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Replace an entry; of a tuple that nobody is known to hold nothing can be."""
        if self.of is not None:
            holder, place = self.of
            holder[place] = tuple(value if i == key else part for i, part in enumerate(holder[place]))
        elif self.cells:
            self.held[key].cell_contents = value
        elif isinstance(self.held, (dict, list)):
            self.held[key] = value
        elif isinstance(self.held, type):
            setattr(self.held, key, value)
        elif not isinstance(self.held, CONTAINERS):
            object.__setattr__(self.held, key, value)

    def refill(self, entries: list[tuple[Any, Any]]) -> None:
        """Give it the entries that it had."""
        if self.keys is not None or isinstance(self.held, tuple):
            for key, value in entries:
                self[key] = value
        elif isinstance(self.held, (dict, set)):
            self.held.clear()
            self.held.update(dict(entries) if isinstance(self.held, dict) else [value for _, value in entries])
        else:
            self.held.clear()
            self.held.extend(value for _, value in entries)


def holders_of(x: Any) -> list[Holder]:
    """Where an object holds others."""
    if isinstance(x, types.MethodType):
        return [Holder((x.__self__, x.__func__), labels=("self", ""))]
    if isinstance(x, functools.partial):
        return [Holder(x.args), Holder(x.keywords)]
    if isinstance(x, types.FunctionType):
        return list(_of_function(x))
    if isinstance(x, type):
        return [Holder(x, [key for key, value in vars(x).items() if not key.startswith("__")
                           or isinstance(value, types.FunctionType)])]
    found = [Holder(x)] if isinstance(x, CONTAINERS) else []
    found += [Holder(vars(x))] if hasattr(x, "__dict__") else []
    slots = [s for c in type(x).__mro__ for s in slots_of(c) if hasattr(x, s)]
    return [*found, Holder(x, slots)] if slots and not isinstance(x, CONTAINERS) else found


def marks_of(tensor: Any) -> list[Holder]:
    """Where a parameter, or a tensor of a class of one's own, holds what programs put there: `p.no_decay = True`."""
    return [Holder(vars(tensor))] if hasattr(tensor, "__dict__") else []


def _of_function(f: types.FunctionType) -> Iterator[Holder]:
    """What a function's own names refer to: its closure, the globals it loads, its defaults."""
    if (f.__module__ or "").startswith((LIBRARY, "numpy")):
        return
    cells, code, defaults, keywords = f.__closure__ or (), f.__code__, f.__defaults__ or (), f.__kwdefaults__ or {}
    full = [i for i, cell in enumerate(cells) if is_full(cell)]
    loaded = [name for name in globals_of(code) if name in f.__globals__]
    yield Holder(cells, full, [code.co_freevars[i] for i in full])
    yield Holder(f.__globals__, loaded, loaded)
    yield Holder(defaults, labels=code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount])
    yield Holder(keywords, labels=keywords)
    yield Holder(vars(f))


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


def has_attributes(x: Any) -> bool:
    """Whether an object has attributes of its own, in a dict or in slots."""
    return hasattr(x, "__dict__") or any(map(slots_of, type(x).__mro__))


def slots_of(cls: type) -> list[str]:
    """The names of a class's own slots."""
    slots = vars(cls).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    return [f"_{cls.__name__.lstrip('_')}{n}" if n.startswith("__") and not n.endswith("__") else n
            for n in names if n not in ("__dict__", "__weakref__")]
