"""Modules that hold modules: Sequential, ModuleList, ModuleDict; or parameters: ParameterList, ParameterDict."""

import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from tinygrad_lite.tensor import Tensor

from .module import Module, Parameter, framed, submodules


class _Row(Module):
    """Modules in a row: their order is that in which they were added, whatever their names."""

    def append(self, module: Module) -> Any:
        """Add a module at the end; gives self."""
        number, held = len(self), submodules(self)
        while str(number) in held:  # a name can be a number that is not its place
            number += 1
        self.register_module(str(number), _module(self, module))
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add modules at the end; gives self."""
        for module in list(modules):  # they may be its own
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Add a module before the one at `index`; names that are numbers are counted anew. Gives self."""
        held = list(submodules(self).items())
        held.insert(index, ("0", _module(self, module)))
        return _hold(self, [(str(i) if name.isdecimal() else name, m) for i, (name, m) in enumerate(held)])

    def pop(self, index: int | slice) -> Any:
        """Take a module out and give it, or a slice; the others are named by their places, as in PyTorch."""
        out = self[index]
        del self[index]
        return out

    def __len__(self) -> int:
        return len(submodules(self))

    def __iter__(self) -> Iterator[Module]:
        return iter(submodules(self).values())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return _hold(type(self).__new__(type(self)), list(submodules(self).items())[index])
        return submodules(self)[_name_at(self, index)]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, _name_at(self, index), _module(self, module))

    def __delitem__(self, index: int | slice) -> None:
        gone = list(submodules(self))[index] if isinstance(index, slice) else [_name_at(self, index)]
        _hold(self, _by_place(m for name, m in submodules(self).items() if name not in gone))


class ModuleList(_Row):
    """A list of modules, which a Module can hold as an attribute so that their parameters are found.

    It is indexed, looped over and extended like a Python list, and has no forward() of its own.

    >>> blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
    >>> len(list(blocks.parameters()))
    6
    >>> blocks
    ModuleList(
      (0-2): 3 x Linear(in_features=4, out_features=4, bias=True)
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        self.extend(() if modules is None else modules)

    def __getitem__(self, index: int | slice) -> Any:
        out = super().__getitem__(index)
        return _hold(out, _by_place(out)) if isinstance(index, slice) else out

    def __add__(self, other: Iterable[Module]) -> "ModuleList":
        return ModuleList([*self, *other])

    def __iadd__(self, other: Iterable[Module]) -> "ModuleList":
        return self.extend(other)

    def __repr__(self) -> str:
        alike, place = [], 0
        for text, group in itertools.groupby(map(repr, self)):
            count = len(list(group))
            alike.append((f"({place}): " if count == 1 else f"({place}-{place + count - 1}): {count} x ", text))
            place += count
        return framed(self, alike)


class Sequential(_Row):
    """Modules applied one after the other, each to what the one before it gives.

    They are given one by one, or in a dict with their names. An index gives a module, a slice a Sequential of several.

    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> net(tl.ones(5, 2)).shape
    (5, 1)
    >>> net[1]
    ReLU()
    >>> [name for name, p in net.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.register_module(name, _module(self, module))
        else:
            self.extend(modules)

    def insert(self, index: int, module: Module) -> "Sequential":
        """Add a module before the one at `index`; names that are numbers are counted anew. Gives self."""
        if not -len(self) <= index <= len(self):
            raise IndexError(f"Sequential.insert: index {index} is out of range for {len(self)} modules")
        return super().insert(index, module)

    def __add__(self, other: "Sequential") -> "Sequential":
        return Sequential(*self, *_sequential(other))

    def __iadd__(self, other: "Sequential") -> "Sequential":
        return self.extend(_sequential(other))

    def __mul__(self, times: int) -> "Sequential":
        return Sequential(*_times(self, times))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> "Sequential":
        return self.extend(_times(self, times)[len(self):])

    def forward(self, x: Any) -> Any:
        for module in vars(self).values():
            if isinstance(module, Module):
                x = module(x)
        return x


class ModuleDict(Module):
    """A dict of modules by name, which a Module can hold as an attribute so that their parameters are found.

    A name must not be that of a method, such as "keys": that is a KeyError.

    >>> acts = nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()})
    >>> acts["relu"](tl.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    >>> "gelu" in acts
    False
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        self.update({} if modules is None else modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace modules by name, from a dict or pairs."""
        for name, module in dict(modules).items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        self.register_module(name, _module(self, module))

    def __getitem__(self, name: str) -> Module:
        return submodules(self)[name]

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def pop(self, name: str) -> Module:
        """Take the module of that name out and give it; KeyError where there is none."""
        module = self[name]
        delattr(self, name)
        return module

    def clear(self) -> None:
        """Take all modules out."""
        for name in self.keys():
            delattr(self, name)

    def __len__(self) -> int:
        return len(submodules(self))

    def __iter__(self) -> Iterator[str]:
        return iter(submodules(self))

    def __contains__(self, name: object) -> bool:
        return name in submodules(self)

    def keys(self) -> list[str]:
        """The names, in the order in which they were added."""
        return list(submodules(self))

    def values(self) -> list[Module]:
        """The modules, in the order in which they were added."""
        return list(submodules(self).values())

    def items(self) -> list[tuple[str, Module]]:
        """The names with their modules, in the order in which they were added."""
        return list(submodules(self).items())


class ParameterList(Module):
    """A list of parameters, which a Module can hold as an attribute so that they are found.

    Tensors become Parameters; anything else is held as it is. A slice is a ParameterList of the same parameters.

    >>> weights = nn.ParameterList([tl.ones(2, 3), tl.zeros(3)])
    >>> weights
    ParameterList(0 [2, 3], 1 [3])
    >>> weights[1]
    tensor([0., 0., 0.], requires_grad=True)
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        self.extend(() if values is None else values)

    def append(self, value: Any) -> "ParameterList":
        """Add a value at the end; gives self."""
        setattr(self, str(len(self)), _parameter(value))
        return self

    def extend(self, values: Iterable[Any]) -> "ParameterList":
        """Add values at the end; gives self."""
        if isinstance(values, Tensor) or not isinstance(values, Iterable):
            raise TypeError(f"ParameterList.extend takes a list of parameters, not {type(values).__name__}")
        for value in list(values):  # they may be its own
            self.append(value)
        return self

    __iadd__ = extend

    def __len__(self) -> int:
        return sum(name.isdecimal() for name in vars(self))

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(self[i] for i in range(len(self))[index])
        return getattr(self, str(range(len(self))[index]))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, str(range(len(self))[operator.index(index)]), _parameter(value))


class ParameterDict(Module, MutableMapping):
    """A dict of parameters by name, which a Module can hold as an attribute so that they are found.

    Tensors become Parameters; anything else is held as it is. Those of a plain dict come in the order of their names.
    A name must not be that of a method, such as "keys": that is a KeyError.

    >>> weights = nn.ParameterDict({"left": tl.ones(2), "right": tl.zeros(3)})
    >>> weights["left"]
    tensor([1., 1.], requires_grad=True)
    >>> list(weights)
    ['left', 'right']
    """

    __eq__, __hash__ = object.__eq__, object.__hash__

    def __init__(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        self._names: dict[str, None] = {}  # in order
        self.update({} if parameters is None else parameters)

    def update(self, parameters: Any) -> None:  # type: ignore[override]
        """Add or replace by name, from a dict or pairs: of a plain dict in the order of names, as PyTorch does."""
        super().update(sorted(parameters.items()) if type(parameters) is dict else parameters)

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._names and hasattr(self, name):
            raise KeyError(f"ParameterDict has an attribute '{name}' already; choose another name")
        setattr(self, name, _parameter(value))
        self._names[name] = None

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return getattr(self, name)

    def __delitem__(self, name: str) -> None:
        del self._names[name]
        delattr(self, name)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._names))

    def setdefault(self, name: str, default: Any = None) -> Any:
        """What is held by that name; where nothing is, the default, which is held from now on."""
        if name not in self:
            self[name] = default
        return self[name]

    def copy(self) -> "ParameterDict":
        """Another dict of the same parameters."""
        return ParameterDict(self.items())


def _parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _module(owner: Module, value: Any) -> Module:
    if not isinstance(value, Module):
        raise TypeError(f"{type(owner).__name__} holds modules, not {type(value).__name__}")
    return value


def _name_at(row: _Row, index: int) -> str:
    names = list(submodules(row))
    if not -len(names) <= operator.index(index) < len(names):
        raise IndexError(f"{type(row).__name__}: index {index} is out of range for {len(names)} modules")
    return names[index]


def _by_place(modules: Iterable[Module]) -> list[tuple[str, Module]]:
    return [(str(i), module) for i, module in enumerate(modules)]


def _hold(row: _Row, named: list[tuple[str, Module]]) -> Any:
    """Let it hold these and no others, in this order; gives the row."""
    for name in submodules(row):
        delattr(row, name)
    for name, module in named:
        setattr(row, name, module)
    return row


def _sequential(other: Any) -> Sequential:
    if not isinstance(other, Sequential):
        raise ValueError(f"Sequential + takes another Sequential, not {type(other).__name__}; extend() takes a list")
    return other


def _times(modules: Sequential, times: int) -> list[Module]:
    if times <= 0:
        raise ValueError(f"Sequential * takes a number above 0, not {times}")
    return list(modules) * times
