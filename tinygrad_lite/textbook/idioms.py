"""Passes that find what has a name in textbooks: softmax, one_hot, sigmoid, the mask of attention."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ..compiler.passes import constant, fresh_zeros, known
from ..compiler.program import Program, Var
from .reading import like


def masked_scores(program: Program) -> Program:
    """Minus infinity where a mask hides, in place of the lesser of a score and an infinity."""
    def rule(var: Var) -> Var:
        a, b = (*var.args, None, None)[:2]
        if var.op != "np.fmin" or not isinstance(b, Var):
            return var
        if b.op == "constant" and np.isinf(b.value).all():
            return like(var, "np.where", constant(b.value > 0), a, -math.inf)
        if b.op == "np.where" and b.args[1:] == (math.inf, -math.inf):
            return like(var, "np.where", b.args[0], a, -math.inf)
        return var

    return program.rewritten(rule)


def softmaxes(program: Program) -> Program:
    """e / e.sum(axis) with e = exp(x - x.max(axis)) by its name."""
    def rule(var: Var) -> Var:
        e, below = (*var.args, None, None)[:2]
        if var.op != "np.divide" or not isinstance(e, Var) or e.op != "np.exp" or not isinstance(below, Var):
            return var
        total = below.args[0] if below.op in ("[]", ".reshape") else below
        if total.op != "np.add.reduce" or total.args[0] is not e or not isinstance(total.kwargs["axis"], int):
            return var
        axis, rank = total.kwargs["axis"] % len(e.shape), len(e.shape)
        kept = tuple(1 if d == axis else n for d, n in enumerate(e.shape))
        x = _shifted(e.args[0], axis)
        if x is None or (1,) * (rank - len(below.shape)) + below.shape != kept:
            return var
        return like(var, "softmax", x, *[axis if axis < rank - 1 else -1] * (axis < rank - 1 or rank > 2))

    return program.rewritten(rule)


def _shifted(z: Any, axis: int) -> Var | None:
    """The x of x - x.max(axis, keepdims=True)."""
    if not isinstance(z, Var) or z.op != "np.subtract" or not isinstance(z.args[1], Var):
        return None
    x, top = z.args
    if top.op != "np.maximum.reduce" or top.args[0] is not x or not top.kwargs.get("keepdims"):
        return None
    over = top.kwargs["axis"]
    return x if isinstance(over, int) and over % len(x.shape) == axis else None


def one_hots(program: Program) -> Program:
    """Ones written into zeros at (arange(N), classes) by their name."""
    def rule(var: Var) -> Var:
        if var.op != "index_put" or len(var.shape) != 2:
            return var
        zeros, index, value = var.args
        if not fresh_zeros(zeros) or isinstance(value, Var) or value != 1 or not isinstance(index, tuple):
            return var
        rows, classes = (*index, None, None)[:2]
        every = isinstance(rows, Var) and rows.op == "constant" and np.array_equal(rows.value, np.arange(var.shape[0]))
        return like(var, "one_hot", classes, var.shape[1]) if every and isinstance(classes, Var) else var

    return program.rewritten(rule)


def sigmoids(program: Program) -> Program:
    """where(x >= 0, 1, e) / (1 + e) with e = exp(-|x|), which never overflows, by its name."""
    def rule(var: Var) -> Var:
        above, below = (*var.args, None, None)[:2]
        if var.op != "np.divide" or not isinstance(above, Var) or above.op != "np.where" or not isinstance(below, Var):
            return var
        test, one, e = above.args
        x = _size_in_exp(e)
        if x is None or known(one) != 1 or below.op != "np.add" or known(below.args[0]) != 1 or below.args[1] is not e:
            return var
        positive = test.op == "np.greater_equal" and test.args[0] is x and test.args[1] == 0
        return like(var, "sigmoid", x) if positive else var

    return program.rewritten(rule)


def _size_in_exp(e: Any) -> Var | None:
    """The x of exp(-|x|)."""
    for op in ("np.exp", "np.negative", "np.absolute"):
        if not isinstance(e, Var) or e.op != op:
            return None
        e = e.args[0]
    return e


def spelt_sigmoids(program: Program) -> Program:
    """1 / (1 + exp(-x)), as textbooks write it."""
    def rule(var: Var) -> Var:
        if var.op != "sigmoid":
            return var
        (x,) = var.args
        power = Var("np.exp", (Var("np.negative", (x,), {}, x.shape, x.dtype),), {}, x.shape, var.dtype)
        return like(var, "np.divide", 1, Var("np.add", (1, power), {}, var.shape, var.dtype))

    return program.rewritten(rule)


def relu_gates(program: Program) -> Program:
    """g * (h > 0), as textbooks write where(h > 0, g, 0) of a ReLU h, for a gradient g of a matrix product: finite
    factors give a finite one, and 0 times it is 0."""
    def rule(var: Var) -> Var:
        test, g, zero = (*var.args, None, None, None)[:3]
        if var.op != "np.where" or not isinstance(g, Var) or g.op != "np.matmul" or known(zero) != 0:
            return var
        h, least = test.args
        positive = test.op == "np.greater" and known(least) == 0 and isinstance(h, Var) and h.op == "np.maximum"
        return like(var, "np.multiply", g, test) if positive else var

    return program.rewritten(rule)


def not_negative(program: Program) -> Program:
    """That indices are inside, which the library tests of them as unsigned numbers: numpy itself refuses large ones."""
    def rule(var: Var) -> Var:
        asked = var.args[0]
        if var.op != "check" or asked.op != "np.less":
            return var
        largest = asked.args[0]
        if not isinstance(largest, Var) or largest.op != "np.maximum.reduce":
            return var
        unsigned = largest.args[0]
        if unsigned.op not in (".view", ".astype") or unsigned.args[1:] != (np.uint64,):
            return var
        index = unsigned.args[0]
        positive = Var("np.greater_equal", (index, 0), {}, index.shape, np.dtype(bool))
        return replace(var, args=(Var(".all", (positive,), {}, (), np.dtype(bool)), *var.args[1:]))

    return program.rewritten(rule)
