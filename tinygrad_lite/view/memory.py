"""The memory that the forward pass keeps for the backward pass, and the most that there is at a time in that."""

import contextlib
import sys
import tracemalloc
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..engine.changes import owner
from ..engine.values import Node, Value

# by id, what only nodes held as a tape was made of them: the tape holds it too from then on
_made: weakref.WeakValueDictionary = weakref.WeakValueDictionary()


def kept_by(nodes: list[Node], leaves: list[Node]) -> dict[Node, int]:
    """The bytes that each node holds and no earlier one does: its value, its arguments and what its rules keep besides.

    A view counts as all the memory that it shows. What was there before does not count: the memory of leaves, and of
    constants that somebody else holds too, such as a batch. A mask that only the nodes hold was made on the way.
    """
    before = {id(owner(leaf.array)) for leaf in leaves}
    values = {id(owner(node.array)) for node in nodes}
    others = _held_by_others(nodes) - values - {*_made}
    found, seen = {}, before | others
    for node in nodes:
        wholes = {id(whole): whole for whole in map(owner, _arrays(_parts(node)))}
        new = {key: whole for key, whole in wholes.items() if key not in seen}
        found[node] = sum(whole.nbytes for whole in new.values())
        seen |= new.keys()
        _made.update({key: whole for key, whole in new.items() if key not in values})
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
    base = getattr(x, "base", None) if hasattr(x, "__array_interface__") else None  # or what as_strided puts between
    return [] if base is None else [base]


def _arrays(parts: Iterable) -> Iterator[np.ndarray]:
    """The arrays in them."""
    for x in parts:
        if isinstance(x, np.ndarray):
            yield x
        else:
            yield from _arrays(_parts(x))


# ---------------------------------------------------------------- the backward pass
@contextlib.contextmanager
def traced() -> Iterator[None]:
    """Inside, Python counts the memory that is taken; numpy tells it of its arrays."""
    begun = not tracemalloc.is_tracing()
    if begun:
        tracemalloc.start()
    try:
        yield
    finally:
        if begun:
            tracemalloc.stop()


class Peak:
    """The most memory at a time in a backward pass that frees what it has read, found by watching one that keeps all.

    That is at each node what is still kept, the gradients on their way, and what its rules took meanwhile.
    """

    def __init__(self, kept: int, seeds: dict[Node, np.ndarray]) -> None:
        self.most = self.kept = kept + sum(g.nbytes for g in seeds.values())
        self.under_way: dict[Node, tuple[int, int]] = {}  # of a gradient: what tells its memory from others', its bytes
        self._start()

    def _start(self) -> None:
        tracemalloc.reset_peak()
        self.before, _ = tracemalloc.get_traced_memory()

    def see(self, node: Node, sent: Iterable, freed: int) -> None:
        """A node has sent this to its inputs, and would be freed now."""
        _, most = tracemalloc.get_traced_memory()
        gradients = sum(dict(self.under_way.values()).values())
        self.most = max(self.most, self.kept + gradients + most - self.before)
        self.kept -= freed
        self.under_way.pop(node, None)
        for source, d in zip(node.inputs, sent):
            if d is not None and source in self.under_way:  # their sum, in memory of its own
                self.under_way[source] = id(source), d.nbytes
            elif d is not None:
                whole = owner(d)
                self.under_way[source] = id(whole), whole.nbytes
        self._start()
