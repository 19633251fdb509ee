"""What is on the tape.

A `Value` (`Tensor` adds the operators) is a name for a `Node`; a node is one value on the tape: the
operation that made it, the nodes and arrays it was made from, and its place in the order of
execution. Nodes never change, names may: an in-place operation gives its tensor a new node.
"""

from typing import Any

import numpy as np

from .changes import next_place
from .mode import mode

ndarray = np.ndarray
RETAIN = "retain"  # among the hooks of a node: keep the gradient


class Value:
    """What the engine knows of a Tensor: its numpy array and its node (None: not tracked).

    `view_of` is None but where an operation gave a view of another Tensor's memory: that Tensor, the
    operation, its other arguments, and when it was made.
    """

    __slots__ = ("array", "node", "view_of", "__weakref__")

    def __init__(self, array: ndarray, node: Any = None) -> None:
        self.array, self.node, self.view_of = array, node, None
        if mode.tracing is not None:
            mode.tracing.made(array)


class Node:
    """One value on the tape; a leaf has no operation and keeps the gradient in `grad`. `origin`: see watch.py."""

    __slots__ = ("op", "inputs", "args", "array", "place", "grad", "hooks", "origin", "__weakref__")
    origin: tuple[str, str, tuple]
    live = True  # of an argument of func.grad and its kin: whether they still run; then it is theirs alone

    def __init__(self, op: Any, inputs: Any, args: Any, array: Any) -> None:
        self.op = op  # the function of the vocabulary that made it
        self.inputs = inputs  # per argument: the node it came from, or None
        self.args = args  # the arrays and parameters the forward was given
        self.array = array
        self.place = next_place()
        self.grad: Any = None
        self.hooks: Any = None  # what is called with its gradient, by number; RETAIN: keep it in `grad`

    def __repr__(self) -> str:
        return f"<{self.op.__name__ if self.op else 'leaf'}>"


def leaf(array: ndarray) -> Node:
    """The node of a tensor that the user made and wants a gradient for."""
    return Node(None, (), (), array)


def unbox(x: Any) -> Any:
    """The array of a Tensor; anything else as it is."""
    return x.array if isinstance(x, Value) else x


def holds(truths: Any) -> bool:
    """Whether an array of truths is true everywhere; where one stands for many (in vmap), in all of them."""
    return truths.holds() if hasattr(truths, "holds") else bool(truths if not truths.ndim else truths.all())


def occurs(truths: Any) -> bool:
    """Whether an array of truths is true anywhere; where one stands for many, in any of them."""
    return truths.occurs() if hasattr(truths, "occurs") else bool(truths if not truths.ndim else truths.any())


def converted(x: Any, dtype: Any) -> Any:
    """A Tensor or an array in another dtype; a Tensor's gradient passes."""
    return x.to(dtype) if hasattr(x, "to") else x.astype(dtype)


def as_array(x: Any) -> Any:
    """The array of a Tensor, an array as it is, and of anything else what numpy makes of it."""
    x = unbox(x)
    return x if isinstance(x, ndarray) else np.asarray(x)


def over(ufunc: np.ufunc, a: Any, b: Any) -> Any:
    """ufunc(a, b), written over an array a of its shape and dtype that nobody reads again."""
    return ufunc(a, b, a) if type(a) is ndarray else ufunc(a, b)
