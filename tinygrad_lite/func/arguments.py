"""What derivatives are taken for: arguments on a tape of their own, and results in the form that was given."""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..engine.mode import Switch
from ..engine.tape import box, tape_of
from ..engine.trees import leaves, mapped, named_leaves
from ..engine.values import Node, Value, as_array
from ..ops import clone
from .batched import Batched


class Argument(Node):
    """The leaf of an argument: nobody else can ask for a derivative with respect to it."""

    __slots__ = ("live",)

    def __init__(self, array: np.ndarray) -> None:
        super().__init__(None, (), (), array)
        self.live = True


class Call:
    """A call of a function, with some of its arguments (`given`, a tuple of trees) on a tape of its own.

    They are Tensors inside, whatever they are outside; `nodes` are theirs. An argument that somebody else is already
    differentiating is a copy on the tape of both, so that orders nest and cannot be confused.
    """

    def __init__(self, name: str, given: tuple) -> None:
        self.name, self.given = name, given
        self.values = leaves(given, records=True)
        self.fresh = mapped(self._started, given, records=True)
        self.nodes = [x.node for x in leaves(self.fresh, records=True) if x is not None]
        self.numpy = not any(isinstance(v, Value) for v in self.values)
        self.read = ""  # how the function made a number of what is differentiated, if it did

    def _started(self, x: Any) -> Any:
        """A Tensor of its own for a number, an array or a Tensor; None stays."""
        if x is None:
            return None
        array = x.array if isinstance(x, Value) else x
        if isinstance(x, (int, float, np.generic)) and not isinstance(x, (bool, np.bool_)):
            array = np.asarray(np.multiply(x, 1.0))  # float64; of a number that a program reads, a call of the program
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
            where = next(path for path, value in named_leaves(self.given) if value is x)
            what = f"{array.dtype}" if isinstance(array, np.ndarray) else f"a {type(x).__name__}"
            raise TypeError(f"{self.name}: argument {where} holds {what}; only floating-point numbers have derivatives:"
                            " convert it, or leave it out of argnums")
        if isinstance(x, Value) and x.node is not None:
            return clone(x)
        return box(array, Argument(array))

    @contextmanager
    def running(self) -> Iterator[None]:
        """While the function runs: operations are recorded, and where one is read as a number that is noticed."""
        with Switch("recording", True), Switch("differentiating", self):
            try:
                yield
            finally:
                for node in self.nodes:
                    if isinstance(node, Argument):
                        node.live = False

    def result(self, out: Any) -> Any:
        """What the function gave, as Tensors; a number that does not come from what is differentiated is a constant."""
        def tensor(x: Any) -> Any:
            if isinstance(x, Value):
                return x
            if self.read or not isinstance(x, (int, float, np.ndarray, np.generic)):
                raise TypeError(f"{self.name}: the function gave a {type(x).__name__}, which has no derivative"
                                + f" ({self.read} made a number of a Tensor)" * bool(self.read) + "; compute with "
                                "Tensors: numpy's functions (np.exp) and tinygrad_lite's take them, math's do not")
            return box(np.asarray(x))

        return mapped(tensor, out, records=True)

    def outside(self, x: Any) -> Any:
        """A result as those outside see it: without a tape that nobody but this call can ask about."""
        if isinstance(x, Value):
            if x.node is not None:
                before = tape_of([x.node], self.nodes[0].place)[1] if self.nodes else ()
                if not any(leaf.live and leaf not in self.nodes for leaf in before):
                    x = box(x.array)
            return given_back(x, self.values[0] if self.numpy and len(self.values) == 1 else
                              np.float64(0) if self.numpy else x)
        return x

    def gradients(self, found: dict[Node, Any], like: Any = None) -> Any:
        """Gradients by node as a tree like the arguments, zeros where there is none; each in memory of its own."""
        given = iter(self.values)

        def gradient(x: Any) -> Any:
            like = next(given)
            if x is None:
                return None
            g = found.get(x.node)
            if not isinstance(g, Value):
                g = box(np.zeros_like(x.array) if g is None else as_array(g).copy())
            return given_back(g, like)

        return mapped(gradient, self.fresh, records=True)


def given_back(x: Value, like: Any) -> Any:
    """A Tensor in the form of `like`: an array for an array, a number for a number; while others derive it, itself."""
    if isinstance(like, Value) or x.node is not None or type(x.array) is Batched:
        return x
    if isinstance(like, np.ndarray):
        return x.array
    return x.array.item() if isinstance(like, (int, float)) and not isinstance(like, np.generic) and not x.array.ndim \
        else x.array[()]


def slots_of(name: str, func: Any, argnums: Any, args: tuple) -> tuple[int, ...]:
    """Which positional arguments are meant, counted from the front."""
    several = isinstance(argnums, (tuple, list))
    try:
        slots = [operator.index(i) for i in (argnums if several else (argnums,))]
    except TypeError:
        raise TypeError(f"{name}: argnums is a whole number or several, not {argnums!r}") from None
    for i in slots:
        if not -len(args) <= i < len(args):
            raise TypeError(f"{name}: argument {i} is not among the {len(args)} positional ones that "
                            f"{getattr(func, '__name__', 'the function')} was given; what is given by name is not "
                            "differentiated")
    slots = [i % len(args) for i in slots]
    if len(set(slots)) < len(slots) or not slots:
        raise ValueError(f"{name}: argnums {argnums!r} names each argument once, and at least one")
    return tuple(slots)


def need_function(name: str, func: Any) -> None:
    """TypeError unless it can be called."""
    if not callable(func):
        raise TypeError(f"{name}: takes a function, and gives one; not a {type(func).__name__}"
                        + "; of tensors that are there already tl.autograd.grad(outputs, inputs) takes gradients"
                        * isinstance(func, (Value, list, tuple)))


def put_in(args: tuple, slots: tuple[int, ...], values: tuple) -> list:
    """The arguments with others in some places."""
    new = list(args)
    for slot, value in zip(slots, values):
        new[slot] = value
    return new
