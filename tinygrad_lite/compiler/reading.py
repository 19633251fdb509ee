"""Passes that make a program read as on paper, for tl.derive."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .passes import common_subexpressions, dead_code, fold_constants, fresh_zeros, known, simplify, views_for_copies
from .program import Program, Var


def means(program: Program) -> Program:
    """Sums as sums, means as means."""
    def rule(var: Var) -> Var:
        a, b = (*var.args, None, None)[:2]
        if var.op == "[]" and a.op == "np.add.reduce" and b == (Ellipsis, None):
            return Var(a.op, a.args, a.kwargs | {"keepdims": True}, var.shape, var.dtype, var.name)
        if var.op == ".reshape" and a.op in ("np.add.reduce", "np.mean") and a.kwargs.get("keepdims") and \
                var.shape == _without(a.args[0].shape, a.kwargs["axis"]):
            return Var(a.op, a.args, {k: v for k, v in a.kwargs.items() if k != "keepdims"}, var.shape, var.dtype, var.name)
        if var.op == "np.add.reduce" and var.kwargs == {"axis": 0} and a.op == ".reshape" and a.shape[0] and \
                (lead := _merged_dims(a.args[0].shape, a.shape)):
            return Var(var.op, a.args[:1], {"axis": tuple(range(lead))}, var.shape, var.dtype, var.name)
        if var.op == "np.divide" and isinstance(a, Var) and a.op == "np.add.reduce" and known(b) == 1:
            return a
        if var.op == "np.divide" and isinstance(a, Var) and a.op == "np.add.reduce" and a.size and \
                known(b) == a.args[0].size // a.size:
            return Var("np.mean", a.args, a.kwargs, var.shape, var.dtype, var.name)
        if var.op == "put" and a.op == "put" and repr(a.args[1:]) == repr(var.args[1:]) and a.args[2] is var.args[2]:
            return a  # x[i] += v stores twice
        if var.op == "np.power" and b == 1 and isinstance(a, Var) and (a.shape, a.dtype) == (var.shape, var.dtype):
            return a
        return var

    return program.rewritten(rule)


def vectors(program: Program) -> Program:
    """Matrices of one row or column as the vectors that they show; transposes where they are short."""
    def rule(var: Var) -> Var:
        a, b = (*var.args, None, None)[:2]
        flat = var.shape is not None and len(var.shape) == 2
        if flat and var.op in (".transpose", "np.transpose") and var.args[1:] in ((), ((1, 0),), (1, 0)):
            return like(var, ".T", a)
        if flat and var.op == ".T" and a.op == "np.matmul" and any(x.op == ".T" for x in a.args):
            turned = [Var(".T", (x,), {}, x.shape[::-1], x.dtype) for x in reversed(a.args) if len(x.shape) == 2]
            return like(var, "np.matmul", *turned) if len(turned) == 2 else var
        if var.op == ".reshape" and a.op == "np.matmul" and a.shape == (*var.shape, 1):
            w = _vector(a.args[1])
            return var if w is None else like(var, "np.matmul", a.args[0], w)
        if flat and var.op == "np.matmul" and a.shape[-1] == 1:
            u, v = _vector(a), _vector(b)
            return var if u is None or v is None else like(var, "np.outer", u, v)
        return var

    return program.rewritten(rule)


def numbers(program: Program) -> Program:
    """Numbers multiplied together, and no ones."""
    def rule(var: Var) -> Var:
        if var.op != "np.multiply":
            return var
        a, b = var.args
        for one, x in ((a, b), (b, a)):
            ones = isinstance(one, Var) and one.op == "constant" and one.dtype == var.dtype and (one.value == 1).all()
            if ones and isinstance(x, Var):
                return like(var, "np.broadcast_to", x, var.shape)
        product = _product(a, b)
        if product is None:
            return var
        number, factors = product
        x = factors[0] if len(factors) == 1 else Var("np.multiply", factors, {}, var.shape, var.dtype)
        if x.shape != var.shape:
            return var
        return x if number == 1 else like(var, "np.multiply", number, x)

    return program.rewritten(rule)


def less_broadcasting(program: Program) -> Program:
    """What is computed of values that are spread is computed before that."""
    def rule(var: Var) -> Var:
        spread = [x.args[0] if isinstance(x, Var) and x.op == "np.broadcast_to" else x for x in var.args]
        if not var.is_ufunc or all(x is y for x, y in zip(spread, var.args)):
            return var
        least = np.broadcast_shapes(*(x.shape for x in spread if isinstance(x, Var) and x.shape is not None))
        if least == var.shape:
            return var
        return like(var, "np.broadcast_to", Var(var.op, tuple(spread), {}, least, var.dtype), var.shape)

    return program.rewritten(rule)


def like(var: Var, op: str, *args: Any) -> Var:
    """Another call that gives the same value."""
    return Var(op, args, {}, var.shape, var.dtype, var.name)


def _merged_dims(shape: tuple, new: tuple) -> int:
    """How many leading dimensions a reshape makes one of; 0 if that is not what it does."""
    lead = len(shape) - len(new) + 1
    return lead if lead > 1 and shape[lead:] == new[1:] else 0


def _without(shape: tuple, axis: Any) -> tuple:
    """A shape without the dimensions that a reduction takes away."""
    lost = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(n for d, n in enumerate(shape) if d not in {k % len(shape) for k in lost})


def _vector(x: Any) -> Var | None:
    """The vector that a matrix of one row or one column shows."""
    if isinstance(x, Var) and x.op == ".T":
        return _vector(x.args[0])
    if isinstance(x, Var) and x.op == ".reshape" and len(x.shape) == 2 and 1 in x.shape and len(x.args[0].shape) == 1:
        return x.args[0]
    return None


def _product(a: Any, b: Any) -> tuple[float, tuple] | None:
    """A product of two numbers and something else: the numbers' product, if that is short, and the factors."""
    def parts_of(x: Any) -> tuple[list, list]:
        if isinstance(x, Var) and x.op == "np.multiply" and not x.name:
            parts = [[p for p in x.args if isinstance(p, (int, float)) == number] for number in (True, False)]
            return parts[0], parts[1]
        return ([x], []) if isinstance(x, (int, float)) else ([], [x])

    (one, xs), (other, ys) = parts_of(a), parts_of(b)
    if len(one) + len(other) != 2 or not xs + ys:
        return None
    product = np.prod([*one, *other]).item()
    return (int(product) if product.is_integer() else product, (*xs, *ys)) if len(f"{product}") < 7 else None


def well_known(program: Program) -> Program:
    """What has a name in every textbook by that name: softmax, sigmoid, one_hot."""
    def rule(var: Var) -> Var:
        a, b = (*var.args, None, None)[:2]
        if var.op == "np.divide" and isinstance(a, Var) and a.op == "np.exp" and isinstance(b, Var):
            total = b.args[0] if b.op in ("[]", ".reshape") else b
            if total.op == "np.add.reduce" and total.args[0] is a and (x := _shifted(a.args[0], total.kwargs)) is not None:
                axis = total.kwargs["axis"]
                return like(var, "softmax", x, *[axis] * (axis % len(x.shape) < len(x.shape) - 1))
        if var.op == "np.divide" and isinstance(a, Var) and a.op == "np.where" and (x := _size_in_exp(a.args[2])) is not None:
            sides = (a.args[0].op, a.args[0].args[1:], known(a.args[1])) == ("np.greater_equal", (0,), 1)
            if sides and a.args[0].args[0] is x and b.op == "np.add" and known(b.args[0]) == 1 and b.args[1] is a.args[2]:
                return like(var, "sigmoid", x)
        if var.op == "index_put" and fresh_zeros(a) and isinstance(b, tuple) and len(a.shape) == 2 == len(b) and \
                var.args[2] == 1 and isinstance(b[1], Var) and b[0].op == "constant" and \
                np.array_equal(b[0].value, np.arange(a.shape[0])):
            return like(var, "one_hot", b[1], a.shape[1])
        return var

    return program.rewritten(rule)


def _size_in_exp(e: Any) -> Var | None:
    """The x of exp(-|x|)."""
    for op in ("np.exp", "np.negative", "np.absolute"):
        if not isinstance(e, Var) or e.op != op:
            return None
        e = e.args[0]
    return e


def _shifted(z: Any, over: dict) -> Var | None:
    """The x of x - x.max(axis, keepdims=True), along one axis."""
    if isinstance(z, Var) and z.op == "np.subtract" and isinstance(z.args[1], Var):
        x, top = z.args
        if top.op == "np.maximum.reduce" and top.args[0] is x and top.kwargs["axis"] == over["axis"] and \
                top.kwargs.get("keepdims") and isinstance(over["axis"], int):
            return x
    return None


def readable(program: Program, *more: Callable[[Program], Program]) -> Program:
    """The program as one would write it; `more` passes come last."""
    few = functools.partial(fold_constants, most=1)
    passes: list[Callable[[Program], Program]] = [
        dead_code, few, views_for_copies, simplify, common_subexpressions, means, simplify,
        *[vectors, numbers, less_broadcasting, simplify] * 2, few, common_subexpressions, *more, dead_code]
    for improve in passes:
        program = improve(program)
    return program
