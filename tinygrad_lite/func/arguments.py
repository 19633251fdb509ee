"""What derivatives are taken for: arguments on a tape of their own, and results in the form that was given."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.mode import mode
from ..engine.tape import apart, backpropagate, box, tape_of
from ..engine.trees import leaves, leaves_like, mapped, named_leaves, refilled
from ..engine.values import Node, Value, as_array, converted
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

    def __init__(self, name: str, given: tuple, keeps: bool = False) -> None:
        self.name, self.given, self.keeps = name, given, keeps  # keeps: the tape is used once the call is over
        self.values = leaves(given, records=True)
        self.inputs = [self._started(x) for x in self.values]
        self.flat = len(given) == len(self.values) and all(map(operator.is_, given, self.values))  # no tree is in it
        self.fresh = tuple(self.inputs) if self.flat else refilled(given, self.inputs)
        self.nodes = [x.node for x in self.inputs if x is not None]
        self.numpy = not any(isinstance(v, Value) for v in self.values)
        widest = self.numpy and all(x is None or x.array.dtype == np.float64 for x in self.inputs)
        self.floats = np.dtype(np.float64) if widest else None  # numpy's habit, in numpy's programs
        self.read = ""  # how the function made a number of what is differentiated, if it did

    def _started(self, x: Any) -> Any:
        """A Tensor of its own for a number, an array or a Tensor; None stays."""
        if x is None:
            return None
        if isinstance(x, Value) and x.node is None and x.array.dtype.kind == "f":  # the most frequent
            return box(x.array, Argument(x.array))
        array = x.array if isinstance(x, Value) else x
        if isinstance(x, (int, float, np.generic)) and not isinstance(x, (bool, np.bool_)):
            array = np.asarray(np.multiply(x, 1.0))  # float64; of a number that a program reads, a call of the program
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
            where = next(path for path, value in named_leaves(self.given) if value is x)
            what = f"{array.dtype}" if isinstance(array, np.ndarray) else f"a {type(x).__name__}"
            raise TypeError(f"{self.name}: argument {where} holds {what}; only floating-point numbers have derivatives:"
                            " convert it, or leave it out of argnums")
        if isinstance(x, Value) and x.node is not None and mode.recording:
            return clone(x)
        if self.keeps and not isinstance(x, Value):
            array = array.copy()  # what numpy writes into it later goes unnoticed
        return box(array, Argument(array))

    def of(self, func: Callable, args: Any, kwargs: dict, has_aux: bool = False) -> tuple:
        """(result, aux) of the function, recorded; where it reads a Tensor as a number that is noticed."""
        aux = None
        before = mode.set("recording", True), mode.differentiating, mode.floats
        mode.differentiating, mode.floats = self, self.floats or mode.floats
        try:
            out = func(*args, **kwargs)
        finally:
            mode.set("recording", before[0])
            mode.differentiating, mode.floats = before[1:]
            for node in self.nodes:
                if type(node) is Argument:
                    node.live = False
        if has_aux:
            if not isinstance(out, tuple) or len(out) != 2:
                raise TypeError(f"{self.name}: with has_aux=True the function gives a pair (value, aux), not a "
                                f"{type(out).__name__}")
            out, aux = out
        return self.result(out), aux

    def result(self, out: Any) -> Any:
        """What the function gave, as Tensors; a number that does not come from what is differentiated is a constant."""
        if isinstance(out, Value):
            return out

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
        """A result as those outside see it."""
        if not isinstance(x, Value):
            return x
        numbers = all(isinstance(v, (int, float)) and not isinstance(v, np.generic) for v in self.values)
        return given_back(self.released(x), x if not self.numpy else 0.0 if numbers else np.float64(0))

    def released(self, x: Value) -> Value:
        """The Tensor without a tape that nobody but this call can ask about."""
        return x if x.node is None or mode.recording and self.watched([x.node]) else box(x.array)

    def watched(self, nodes: list[Node]) -> bool:
        """Whether somebody else can ask for derivatives of these nodes' values."""
        before = tape_of(nodes, min((node.place for node in self.nodes), default=0))[1]
        return any(leaf.live and leaf not in self.nodes for leaf in before)

    def pulled(self, outputs: list, vectors: list) -> list:
        """The product of vectors, one for each output, with the Jacobian: a Tensor for each argument."""
        seeds: dict[Node, Any] = {}
        for x, v in zip(outputs, vectors):
            if x.node is not None:
                seeds[x.node] = seeds[x.node] + v if x.node in seeds else v
        return self.gradients(backpropagate(seeds, None, True, self.nodes), {id(v.array) for v in vectors})

    def gradients(self, found: dict[Node, Any], given: set[int]) -> list:
        """Gradients by node as a Tensor for each argument, zeros where there is none; each in memory of its own.

        given: the arrays, by id, that somebody else has.
        """
        grads: list[Any] = []
        for x in self.inputs:
            g = None if x is None else found.get(x.node)
            if isinstance(g, Value):
                grads.append(self.released(g))
            else:
                grads.append(x if x is None else box(np.zeros_like(x.array) if g is None else apart(g, given)))
        return grads

    def formed(self, tensors: list, arrays: bool = False) -> Any:
        """A Tensor for each argument as a tree like these; with `arrays` not as numbers, though these may be."""
        like = [np.float64(0) if arrays and isinstance(v, (int, float)) else v for v in self.values]
        found = [None if x is None else given_back(x, v) for x, v in zip(tensors, like)]
        return tuple(found) if self.flat else refilled(self.given, found)


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
    if type(argnums) is int and 0 <= argnums < len(args):
        return (argnums,)
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


def vectors_like(name: str, what: str, like: Any, tree: Any) -> list:
    """The Tensors of a tree of the form of `like`, in its order and of the shapes and dtypes there; None for None."""
    try:
        found = leaves_like(like, tree)
    except ValueError as error:
        raise ValueError(f"{name}: the vector has the form of {what}: {error}") from None
    vectors: list[Any] = []
    for x, v in zip(leaves(like, records=True), found):
        if x is None:
            vectors.append(None)
            continue
        v = v if isinstance(v, Value) else box(as_array(v))
        if v.array.shape != x.array.shape or v.array.dtype.kind not in "fiu":
            raise ValueError(f"{name}: where {what} has shape {x.array.shape} the vector has numbers of that shape, "
                             f"not {v.array.dtype} of shape {v.array.shape}")
        vectors.append(v if v.array.dtype == x.array.dtype else converted(v, x.array.dtype))
    return vectors
