"""The memory that the forward pass keeps for the backward pass."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..engine.changes import owner
from ..engine.values import Node, Value


def kept_by(nodes: list[Node], leaves: list[Node]) -> dict[Node, int]:
    """The bytes that each node holds and no earlier one does: its value, its arguments and what its rules keep besides.

    A view counts as all the memory that it shows. What was there before does not count: the memory of leaves, and of
    constants that somebody else holds too, such as a batch. A mask that only the nodes hold was made on the way.
    """
    before = {id(owner(leaf.array)) for leaf in leaves}
    made = {id(owner(node.array)) for node in nodes}
    others = _held_by_others(nodes) - made
    found, seen = {}, before | others
    for node in nodes:
        wholes = {id(whole): whole for whole in map(owner, _arrays(_parts(node)))}
        found[node] = sum(whole.nbytes for key, whole in wholes.items() if key not in seen)
        seen |= wholes.keys()
    return found


def _held_by_others(nodes: list[Node]) -> set[int]:
    """The ids of what nodes hold and would not be freed with them: Python counts more references to it, or to what
    holds it, than the nodes have."""
    objects: dict[int, Any] = {}
    known: Counter[int] = Counter()

    def visit(parts: Iterable) -> None:
        for x in parts:
            known[id(x)] += 1
            if id(x) not in objects:
                objects[id(x)] = x
                visit(_parts(x))

    for node in nodes:
        visit(_parts(node))
    objects[0] = object()  # which nobody holds but this function: so many references are its own
    *counts, own = map(sys.getrefcount, objects.values())
    found = [key for key, count in zip(objects, counts) if count - own > known[key]]
    reached = set(found)
    for key in found:  # grows as it is read
        new = {id(x) for x in _parts(objects[key])} - reached
        reached |= new
        found += new
    return reached


def _parts(x: Any) -> Iterable:
    """What a node, a Tensor, a tuple, list or dict, or a view holds."""
    if isinstance(x, Node):
        context = getattr(x.op, "context", None)  # of a Function, what its forward left for its backward
        return [x.array, *x.args, *(vars(context).values() if context else ())]
    if isinstance(x, Value):
        return [x.array]
    if isinstance(x, dict):
        return x.values()
    if isinstance(x, (tuple, list)):
        return x
    if hasattr(x, "__array_interface__") and x.base is not None:  # as_strided puts a holder between view and array
        return [x.base]
    return []


def _arrays(parts: Iterable) -> Iterator[np.ndarray]:
    """The arrays in them."""
    for x in parts:
        if isinstance(x, np.ndarray):
            yield x
        else:
            yield from _arrays(_parts(x))
