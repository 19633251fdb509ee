"""Passes that make a program read as on paper, for tl.derive."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..compiler.passes import (
    common_subexpressions,
    constant,
    dead_code,
    fold_constants,
    fresh_zeros,
    known,
    simplify,
    views_for_copies,
)
from ..compiler.program import Program, Var, variables


def means(program: Program) -> Program:
    """Sums as sums, means as means."""
    def rule(var: Var) -> Var:
        a, b = (*var.args, None, None)[:2]
        if var.op == "[]" and a.op == "np.add.reduce" and b == (Ellipsis, None):
            return Var(a.op, a.args, a.kwargs | {"keepdims": True}, var.shape, var.dtype, var.name)
        if var.op == ".reshape" and a.op in ("np.add.reduce", "np.mean") and a.kwargs.get("keepdims") and \
                (axes := _lost(a.args[0].shape, a.kwargs["axis"], var.shape)):
            axis = axes[0] if len(axes) == 1 else axes
            return Var(a.op, a.args, a.kwargs | {"axis": axis, "keepdims": False}, var.shape, var.dtype, var.name)
        if var.op == ".reshape" and a.op == "np.broadcast_to" and not np.shape(known(a.args[0])):
            return like(var, "np.broadcast_to", a.args[0], var.shape)
        if var.op == "np.add.reduce" and var.kwargs["axis"] is None and a.op == ".reshape" and not var.shape:
            return replace(var, args=a.args[:1])
        if var.op == "np.add.reduce" and var.kwargs == {"axis": 0} and a.op == ".reshape" and a.shape[0] and \
                (lead := _merged_dims(a.args[0].shape, a.shape)):
            return Var(var.op, a.args[:1], {"axis": tuple(range(lead))}, var.shape, var.dtype, var.name)
        if var.op == "np.add.reduce" and a.op == "np.broadcast_to" and not isinstance(x := known(a.args[0]), Var) and \
                not np.shape(x):
            total = constant(np.asarray(x * (a.size // max(var.size, 1)), var.dtype), var.name)
            return total if not var.shape else like(var, "np.broadcast_to", total, var.shape)
        if var.op == "np.divide" and isinstance(a, Var) and a.op == "np.add.reduce" and known(b) == 1:
            return a
        if var.op == "np.divide" and isinstance(a, Var) and a.op == "np.add.reduce" and a.size and \
                known(b) == a.args[0].size // a.size:
            return Var("np.mean", a.args, a.kwargs, var.shape, var.dtype, var.name)
        if var.op == "put" and a.op == "put" and repr(a.args[1:]) == repr(var.args[1:]) and a.args[2] is var.args[2]:
            return a  # x[i] += v stores twice
        if var.op == "np.concatenate" and isinstance(a, (tuple, list)) and len(a) == 1:
            return a[0]
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


def ones(program: Program) -> Program:
    """No ones in products."""
    def rule(var: Var) -> Var:
        if var.op != "np.multiply":
            return var
        a, b = var.args
        for one, x in ((a, b), (b, a)):
            ones = isinstance(one, Var) and one.op == "constant" and one.dtype == var.dtype and (one.value == 1).all()
            if ones and isinstance(x, Var) and x.dtype == var.dtype:
                return like(var, "np.broadcast_to", x, var.shape)
        return var

    return program.rewritten(rule)


def signs(program: Program) -> Program:
    """A minus in front of sums and not inside, differences in place of sums with a minus; twice x for x + x."""
    def minus(x: Any) -> Any:
        """What a value is the negative of."""
        return x.args[0] if isinstance(x, Var) and x.op == "np.negative" and not x.name else None

    def rule(var: Var) -> Var:
        a, b = (*var.args, None, None)[:2]
        if var.op in ("np.add.reduce", "np.mean", ".reshape") and minus(a) is not None:
            return like(var, "np.negative", Var(var.op, (minus(a), *var.args[1:]), var.kwargs, var.shape, var.dtype))
        if var.op == "np.negative" and isinstance(a, Var) and a.op == "np.negative":
            return a.args[0]
        if var.op == "np.add" and a is b:
            return like(var, "np.multiply", 2, a)
        if var.op == "np.multiply" and (a == -1 or b == -1):
            x = b if a == -1 else a
            fits = isinstance(x, Var) and (x.shape, x.dtype) == (var.shape, var.dtype)
            return like(var, "np.negative", x) if fits else var
        if var.op in ("np.add", "np.subtract") and minus(b) is not None:
            return like(var, "np.subtract" if var.op == "np.add" else "np.add", a, minus(b))
        if var.op == "np.add" and minus(a) is not None:
            return like(var, "np.subtract", b, minus(a))
        return var

    return program.rewritten(rule)


def places(program: Program) -> Program:
    """Reading and writing at indices: no slices of everything, no writing where the value itself or a reshape is it."""
    def rule(var: Var) -> Var:
        if var.op == "np.add":
            return _added_to_zeros(var)
        if var.op == "written" and var.args[1] == "np.add.at":
            a, function, index, value = var.args
            alone = isinstance(index, tuple) and len(index) == 1 and isinstance(index[0], Var)
            return replace(var, args=(a, function, index[0] if alone else index, _narrow(value)))
        if var.op not in ("[]", "put") or var.shape is None or not isinstance(var.args[0], Var):
            return var
        a, index, *value = var.args
        index = _plainer(index, a.shape)
        everything = not variables(index) and _covers(index, a.shape)
        if var.op == "[]":
            return a if everything and var.shape == a.shape else replace(var, args=(a, index))
        if everything and isinstance(value[0], Var) and value[0].size == var.size and value[0].dtype == var.dtype:
            return like(var, ".reshape", value[0], var.shape)
        return replace(var, args=(a, index, _narrow(value[0])))

    return program.rewritten(rule)


def _plainer(index: Any, shape: tuple) -> Any:
    """The index with `:` for slices of all, and without steps of 1."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(p, (Var, np.ndarray)) and p.dtype.kind == "b" for p in parts):
        return index
    sizes = iter(shape)
    hidden = len(shape) - sum(p is not None and p is not Ellipsis for p in parts)
    found: list[Any] = []
    for part in parts:
        n = None if part is None else [next(sizes) for _ in range(hidden if part is Ellipsis else 1)]
        if isinstance(part, slice) and n and part.step in (None, 1):
            whole = part.indices(n[0]) == (0, n[0], 1)
            part = slice(None) if whole else slice(part.start or None, part.stop)
        found.append(part)
    return tuple(found) if isinstance(index, tuple) else found[0]


def is_basic(index: Any) -> bool:
    """Whether an index gives a view."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(p is None or p is Ellipsis or isinstance(p, (int, slice)) for p in parts)


def _covers(index: Any, shape: tuple) -> bool:
    """Whether an index names every element, in order."""
    if not is_basic(index) or np.empty(shape, bool)[index].size != math.prod(shape):
        return False
    order = np.arange(math.prod(shape))
    return bool((order.reshape(shape)[index].ravel() == order).all())


def _narrow(x: Any) -> Any:
    """What is written, without what numpy broadcasts by itself."""
    while isinstance(x, Var) and (x.op == "np.broadcast_to" or x.op == ".reshape" and
                                  x.shape == (1,) * (len(x.shape) - len(x.args[0].shape)) + x.args[0].shape):
        x = x.args[0]
    return x


def _added_to_zeros(var: Var) -> Var:
    """Values written into zeros at different places, and added, are written into the same zeros."""
    a, b = var.args
    if isinstance(a, Var) and a.op == "[]" and fresh_zeros(a.args[0]):
        return b if isinstance(b, Var) and (b.shape, b.dtype) == (var.shape, var.dtype) else var
    if all(isinstance(x, Var) and x.op == "put" and not x.name and x.shape == var.shape for x in (a, b)) and \
            fresh_zeros(b.args[0]) and is_basic(b.args[1]):
        taken = np.zeros(var.shape, bool)
        while a.op == "put" and not a.name and is_basic(a.args[1]):
            taken[a.args[1]] = True
            a = a.args[0]
        if fresh_zeros(a) and not taken[b.args[1]].any():
            return like(var, "put", var.args[0], *b.args[1:])
    return var


def less_broadcasting(program: Program) -> Program:
    """What is computed of values that are spread is computed before that."""
    def rule(var: Var) -> Var:
        if var.op == "np.where" and _same_either_way(*var.args):
            return var.args[2]
        if var.op == "np.where":
            return _choice_of_numbers(var)
        spread = [x.args[0] if isinstance(x, Var) and x.op == "np.broadcast_to" else x for x in var.args]
        if not var.is_ufunc or all(x is y for x, y in zip(spread, var.args)):
            return var
        least = np.broadcast_shapes(*(x.shape for x in spread if isinstance(x, Var) and x.shape is not None))
        if least == var.shape:
            return var
        return like(var, "np.broadcast_to", Var(var.op, tuple(spread), {}, least, var.dtype), var.shape)

    return program.rewritten(rule)


def _choice_of_numbers(var: Var) -> Var:
    """A choice between numbers, where these are spread over the shape that the test has."""
    parts = [x.args[0] if isinstance(x, Var) and x.op == "np.broadcast_to" and not x.args[0].shape else x
             for x in var.args]
    shapes = [x.shape for x in parts if isinstance(x, Var) and x.shape is not None]
    spread = any(a is not b for a, b in zip(parts, var.args))
    return like(var, "np.where", *parts) if spread and np.broadcast_shapes(*shapes) == var.shape else var


def _same_either_way(test: Any, a: Any, b: Any) -> bool:
    """Whether a choice is c where b == c, and b elsewhere."""
    return isinstance(test, Var) and test.op == "np.equal" and test.args[0] is b and isinstance(b, Var) and \
        test.shape == b.shape and np.array_equal(known(test.args[1]), known(a))


def like(var: Var, op: str, *args: Any) -> Var:
    """Another call that gives the same value."""
    return Var(op, args, {}, var.shape, var.dtype, var.name)


def _merged_dims(shape: tuple, new: tuple) -> int:
    """How many leading dimensions a reshape makes one of; 0 if that is not what it does."""
    lead = len(shape) - len(new) + 1
    return lead if lead > 1 and shape[lead:] == new[1:] else 0


def _lost(shape: tuple, axis: Any, new: tuple) -> tuple:
    """Which dimensions a reduction over axes takes away, if it takes those of size 1 away too; () if not to `new`."""
    over = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    lost = {d % len(shape) for d in over}
    for axes in (lost, lost | {d for d, n in enumerate(shape) if n == 1}):
        if new == tuple(n for d, n in enumerate(shape) if d not in axes):
            return tuple(sorted(axes))
    return ()


def _vector(x: Any) -> Var | None:
    """The vector that a matrix of one row or one column shows."""
    if isinstance(x, Var) and x.op == ".T":
        return _vector(x.args[0])
    if isinstance(x, Var) and x.op == ".reshape" and len(x.shape) == 2 and 1 in x.shape and len(x.args[0].shape) == 1:
        return x.args[0]
    return None


def readable(program: Program, *more: Callable[[Program], Program]) -> Program:
    """The program as one would write it; `more` passes come last."""
    def few(program: Program) -> Program:
        return fold_constants(program, most=1)

    again: list[Callable[[Program], Program]] = [
        places, vectors, signs, ones, less_broadcasting, few, means, simplify]
    first: list[Callable[[Program], Program]] = [
        dead_code, few, views_for_copies, simplify, common_subexpressions, means, simplify]
    for improve in [*first, *again, *again, few, common_subexpressions, *more, dead_code]:
        program = improve(program)
    return program
