"""How the values of a program lie in memory: which call gives a view, and of what."""

from typing import Any

import numpy as np

from ..engine.trees import leaves, mapped
from .passes import COPIES, VIEWS, evaluated
from .program import Program, Var, variables


def elementwise(var: Var) -> bool:
    """Whether each element comes from the elements at the same place alone."""
    return var.shape is not None and (var.op in ("np.where", ".astype") or var.is_ufunc)


def fills(var: Var) -> bool:
    """Whether the call can write into memory that it is given."""
    return bool(var.shape) and (var.is_ufunc or var.is_reduction or var.op in (  # a scalar is faster without memory
        "np.matmul", "np.dot", "np.concatenate", ".astype", ".reshape", "put", "np.zeros", *COPIES))


class Layout:
    """For each value the one whose memory it shows (`root`), found on arrays of these shapes that nobody fills."""

    def __init__(self, program: Program) -> None:
        self.root: dict[Var, Var] = {}
        self.arrays: dict[Var, Any] = {}
        for v in (*program.inputs, *program.body):
            for source in v.sources():
                if source not in self.root:
                    self._stand_in(source)
            self._stand_in(v)
            sources = v.sources()
            if sources and (v.aliases or v.op in VIEWS or v.op == "[]" and not variables(v.args[1:])):
                found = evaluated(v.op, *mapped(lambda x: self.arrays[x] if isinstance(x, Var) else x,
                                                (v.args, v.kwargs)))
                whole = self.arrays[self.root[sources[0]]]
                if any(isinstance(a, np.ndarray) and np.may_share_memory(a, whole) for a in leaves(found)):
                    self.root[v], self.arrays[v] = self.root[sources[0]], found

    def _stand_in(self, v: Var) -> None:
        self.root[v] = v
        self.arrays[v] = v.value if v.op == "constant" else None if v.shape is None else _lying(v)

    def is_view(self, v: Var) -> bool:
        """Whether a value is a view of another."""
        return self.root[v] is not v


def _lying(v: Var) -> np.ndarray:
    """An array that lies in memory as the value does."""
    if v.strides is None:
        return np.empty(v.shape, v.dtype)
    steps = [(n - 1) * stride for n, stride in zip(v.shape, v.strides)]
    first = -sum(step for step in steps if step < 0)
    memory = np.empty(sum(map(abs, steps)) + v.dtype.itemsize, np.uint8)
    return np.ndarray(v.shape, v.dtype, memory, first, v.strides)
