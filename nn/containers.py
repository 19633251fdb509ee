"""Modules that hold modules: Sequential, ModuleList, ModuleDict."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .module import Module


def _module(owner: Module, value: Any) -> Module:
    if not isinstance(value, Module):
        raise TypeError(f"{type(owner).__name__} holds modules, not {type(value).__name__}")
    return value


class ModuleList(Module):
    """A list of modules."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def append(self, module: Module) -> "ModuleList":
        """Add a module at the end; gives self."""
        setattr(self, str(len(self)), _module(self, module))
        return self

    def extend(self, modules: Iterable[Module]) -> "ModuleList":
        """Add modules at the end; gives self."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Add a module before the one at `index`."""
        held = list(self)
        held.insert(index, _module(self, module))
        for i, m in enumerate(held):
            setattr(self, str(i), m)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, i: int | slice) -> Any:
        held = list(self)[i]
        return type(self).__new__(type(self)).extend(held) if isinstance(held, list) else held

    def __setitem__(self, i: int, module: Module) -> None:
        name, _ = list(self.named_children())[i]
        setattr(self, name, _module(self, module))


class Sequential(ModuleList):
    """Modules applied one after the other; given one by one, or in a dict with their names."""

    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                setattr(self, name, _module(self, module))
        else:
            self.extend(modules)

    def forward(self, x: Any) -> Any:
        for module in vars(self).values():
            if isinstance(module, Module):
                x = module(x)
        return x


class ModuleDict(Module):
    """A dict of modules by name."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        self.update(modules or {})

    def update(self, modules: Mapping[str, Module]) -> None:
        """Add or replace modules by name."""
        for name, module in modules.items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        if name not in self and hasattr(self, name):
            raise KeyError(f"ModuleDict: '{name}' is the name of an attribute")
        setattr(self, name, _module(self, module))

    def __getitem__(self, name: str) -> Module:
        return dict(self.named_children())[name]

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def pop(self, name: str) -> Module:
        """Take a module out."""
        module = self[name]
        delattr(self, name)
        return module

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def keys(self) -> list[str]:
        """The names."""
        return [name for name, _ in self.named_children()]

    def values(self) -> list[Module]:
        """The modules."""
        return list(self.children())

    def items(self) -> list[tuple[str, Module]]:
        """Names with their modules."""
        return list(self.named_children())
