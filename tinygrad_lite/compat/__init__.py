"""`import torch` finds this library: install(), uninstall(), and `python -m tinygrad_lite.compat program.py`.

PyTorch's modules are rooms with its names in them; behind each name stands what this library calls so.
"""

import importlib
import importlib.machinery
import operator
import sys
import types
from typing import Any

from ..engine.refusals import nearest
from . import names


class Room(types.ModuleType):
    """A module under PyTorch's name, such as torch.linalg, that looks its names up in modules of this library.

    sources: where they are looked up, in this order. A name that none of them has is an AttributeError, which gives
    the reason or the nearest name.

    >>> linalg = tl.compat.Room("torch.linalg", (tl.linalg,))
    >>> linalg.norm is tl.linalg.norm
    True
    """

    def __init__(self, name: str, sources: tuple[Any, ...], reason: str = "") -> None:
        super().__init__(name, sources[0].__doc__ if sources else reason)
        self.__path__: list[str] = []  # a package: others may be inside
        self.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        self._sources, self._reason = sources, reason

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return [n for n in dir(self) if not n.startswith("_")]
        if name.startswith("__") and name != "__version__":
            raise AttributeError(name)
        for source in self._sources:
            if hasattr(source, name):
                found = vars(self)[name] = getattr(source, name)  # from now on an attribute, found at once
                return found
        reason = self._reason or f"tinygrad_lite has none{nearest(name, dir(self))}"
        raise AttributeError(f"module '{self.__name__}' has no attribute '{name}': {reason}", name=None, obj=None)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(n for source in self._sources for n in dir(source))})


class _Finder:
    """Says of a module of PyTorch's that there is no room for it, and which there is."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        if name.startswith("torch."):
            raise ModuleNotFoundError(f"No module named '{name}': tinygrad_lite stands for torch, and has no such "
                                      f"module{nearest(name, names.ROOMS)}", name=name)


_before: dict[str, types.ModuleType] = {}  # PyTorch's own modules, where they were loaded


def _loaded() -> list[str]:
    return [name for name in sys.modules if name == "torch" or name.startswith("torch.")]


def _rooms() -> dict[str, types.ModuleType]:
    rooms: dict[str, types.ModuleType] = {}
    for name, places in names.ROOMS.items():
        sources = tuple(map(_source, places.split()))
        rooms[name] = Room(name, sources, names.MISSING.get(name, ""))
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(rooms[parent], child, rooms[name])
    return rooms


def _source(place: str) -> Any:
    """A module of this library, or what one of its modules has under a name: "devices:backends.cudnn"."""
    module, _, member = place.partition(":")
    found = importlib.import_module(f"..{module}" if module != "." else "..", __name__)
    return operator.attrgetter(member)(found) if member else found


def install(force: bool = False) -> None:
    """From now on `import torch`, and torch.nn and the others, find this library in this process.

    Where PyTorch is loaded already it is a RuntimeError; with force its modules are put aside until uninstall().

    >>> tl.compat.install(force=True)
    >>> import torch
    >>> torch.nn.Linear is nn.Linear
    True
    >>> tl.compat.uninstall()
    """
    loaded = _loaded()
    if loaded and isinstance(sys.modules.get("torch"), Room):
        return
    if loaded and not force:
        raise RuntimeError("compat.install: PyTorch is loaded in this process, and what holds it would not change: "
                           "call install() before anything imports torch, or install(force=True)")
    _before.update({name: sys.modules.pop(name) for name in loaded})
    sys.modules.update(_rooms())
    sys.meta_path.insert(0, _Finder)  # type: ignore[arg-type]


def uninstall() -> None:
    """From now on `import torch` finds again what it found before install(); without that it changes nothing.

    >>> tl.compat.install(force=True)
    >>> import torch
    >>> tl.compat.uninstall()
    >>> torch.ones(2)
    tensor([1., 1.])
    """
    if isinstance(sys.modules.get("torch"), Room):
        for name in _loaded():
            del sys.modules[name]
        sys.modules.update(_before)
        _before.clear()
        sys.meta_path.remove(_Finder)  # type: ignore[arg-type]
