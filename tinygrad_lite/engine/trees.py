"""Trees: nested tuples, lists and dicts (and where asked for dataclasses), and what they hold."""

import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any


class Part:
    """What stands for something in a structure, and is no structure itself."""

    __slots__ = ()


def mapped(function: Callable[[Any], Any], structure: Any, records: bool = False) -> Any:
    """The structure with function applied to what is not a tuple, list or dict (or, with `records`, a dataclass)."""
    if isinstance(structure, (tuple, list)):
        parts = [mapped(function, part, records) for part in structure]
        return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)
    if isinstance(structure, dict):
        same: Any = copy.copy(structure)  # a defaultdict stays one
        for key, part in structure.items():
            dict.__setitem__(same, key, mapped(function, part, records))
        return same
    if records and dataclasses.is_dataclass(structure) and not isinstance(structure, (type, Part)):
        new: Any = copy.copy(structure)
        for each in dataclasses.fields(structure):  # past __init__, and the __setattr__ of a frozen one
            object.__setattr__(new, each.name, mapped(function, getattr(structure, each.name), records))
        return new
    return function(structure)


def leaves(structure: Any, records: bool = False) -> list:
    """What nested tuples, lists and dicts (with `records` also dataclasses) hold."""
    if isinstance(structure, (tuple, list)):
        return [leaf for part in structure for leaf in leaves(part, records)]
    if isinstance(structure, dict):
        return [leaf for part in structure.values() for leaf in leaves(part, records)]
    if records and dataclasses.is_dataclass(structure) and not isinstance(structure, (type, Part)):
        return [leaf for each in dataclasses.fields(structure) for leaf in leaves(getattr(structure, each.name), True)]
    return [structure]


def refilled(structure: Any, values: Iterable) -> Any:
    """The tree, dataclasses among it, with other values for what it holds."""
    rest = iter(values)
    return mapped(lambda _: next(rest), structure, records=True)


def _form(x: Any) -> str:
    """What a part of a tree is, in words."""
    more = f" with {list(x)}" if isinstance(x, dict) else f" of {len(x)}" if isinstance(x, (tuple, list)) else ""
    return f"a {type(x).__name__}{more}"


def leaves_like(like: Any, structure: Any, path: str = "") -> list:
    """What a tree of the form of `like` holds, in the order of that; ValueError that says where the forms differ."""
    if isinstance(like, (tuple, list)) and isinstance(structure, (tuple, list)) and len(like) == len(structure):
        return [x for i, pair in enumerate(zip(like, structure)) for x in leaves_like(*pair, f"{path}[{i}]")]
    if isinstance(like, dict) and isinstance(structure, dict) and like.keys() == structure.keys():
        return [x for key in like for x in leaves_like(like[key], structure[key], f"{path}[{key!r}]")]
    if dataclasses.is_dataclass(like) and type(like) is type(structure) and not isinstance(like, (type, Part)):
        return [x for each in dataclasses.fields(like) for x in leaves_like(
            getattr(like, each.name), getattr(structure, each.name), f"{path}.{each.name}")]
    if any(isinstance(x, (tuple, list, dict)) or dataclasses.is_dataclass(x) for x in (like, structure)):
        raise ValueError(f"{path or 'the whole'} is {_form(structure)}, where {_form(like)} is expected")
    return [structure]


def named_leaves(structure: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """What a tree holds, each with where: "[0]['w'].bias"."""
    if isinstance(structure, (tuple, list, dict)):
        entries = structure.items() if isinstance(structure, dict) else enumerate(structure)
        for key, part in entries:
            yield from named_leaves(part, f"{path}[{key!r}]")
    elif dataclasses.is_dataclass(structure) and not isinstance(structure, (type, Part)):
        for each in dataclasses.fields(structure):
            yield from named_leaves(getattr(structure, each.name), f"{path}.{each.name}")
    else:
        yield path, structure
