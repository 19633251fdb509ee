"""Which dtype a result has: PyTorch's promotion."""

import functools
from typing import Any

import numpy as np

from .mode import mode, quietly
from .values import as_array, converted, unbox

RANK = {"b": 0, "u": 1, "i": 1, "f": 2}
SCALARS = {bool: np.dtype(bool), int: np.dtype(np.int64), float: np.dtype(np.float32)}


def default_float() -> np.dtype:
    """The dtype of Python floats and of whole numbers divided."""
    return mode.floats or SCALARS[float]


def _wider(a: np.dtype, b: np.dtype) -> np.dtype:
    """The common dtype of two; an integer never widens a float (numpy would make float64)."""
    if RANK[a.kind] != RANK[b.kind]:
        return a if RANK[a.kind] > RANK[b.kind] else b
    return np.promote_types(a, b)


def result_type(*operands) -> np.dtype:
    """The dtype of what is computed from these operands, by PyTorch's promotion.

    Tensors with dimensions decide, then 0-d tensors, then Python scalars; a later group counts only where it is of a
    higher category (bool < integer < float). TypeError for anything else, such as complex numbers.

    >>> tl.result_type(tl.tensor([1, 2]), 1.5)
    dtype('float32')
    >>> tl.result_type(tl.tensor([1.0]), tl.tensor(1.0, dtype=tl.float64))
    dtype('float32')
    """
    if not operands:
        raise TypeError("result_type: takes at least one tensor or number")
    groups: tuple[list, list, list] = ([], [], [])
    for x in map(unbox, operands):
        if x.__class__ in SCALARS:
            groups[2].append(default_float() if x.__class__ is float else SCALARS[x.__class__])
        elif isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in RANK:
            groups[0 if x.ndim else 1].append(x.dtype)
        else:
            raise TypeError(f"{getattr(x, 'dtype', type(x).__name__)} is no real number or tensor of real numbers")
    winner = None
    for group in groups:
        if group:
            dtype = functools.reduce(_wider, group)
            if winner is None or RANK[dtype.kind] > RANK[winner.kind]:
                winner = dtype
    assert winner is not None
    return winner


def promote(*operands):
    """The operands as arrays of their `result_type`; Python scalars of no higher category stay."""
    if len(operands) == 2:  # the common case, decided fast: numpy keeps a float array's dtype too
        x, y = operands
        if y.__class__ in SCALARS:
            if x.__class__ not in SCALARS and x.dtype.kind == "f":
                return operands
        elif x.__class__ in SCALARS and y.dtype.kind == "f":
            return operands
    if any(isinstance(x, np.generic) for x in operands):
        return promote(*[x.item() if isinstance(x, np.generic) else x for x in operands])
    dtype = result_type(*operands)
    return [quietly(as_array(x).astype, dtype, copy=False) for x in operands]


def promote_float(*operands):
    """As `promote`, but whole numbers become float32 (the default dtype), as PyTorch's division and exp do."""
    for x in operands:
        if x.__class__ is np.ndarray and x.dtype.kind == "f":
            return promote(*operands)
    if result_type(*operands).kind == "f":
        return promote(*operands)
    return [as_array(x).astype(default_float()) for x in operands]  # not by way of uint8, where -1 is 255


promote_float.keeps_whole_numbers = False  # type: ignore[attr-defined]


def in_one_dtype(args: tuple, ruled: Any, keeps_whole_numbers: bool = False) -> tuple:
    """A call's arguments, with the tensors that have a rule in the dtype that they promote to: a floating-point one
    unless keeps_whole_numbers."""
    tensors = [rule and isinstance(unbox(a), np.ndarray) for a, rule in zip(args, ruled)]
    dtype = result_type(*[a for a, one in zip(args, tensors) if one])
    dtype = dtype if dtype.kind == "f" or keeps_whole_numbers else default_float()
    return tuple(converted(a, dtype) if one and a.dtype != dtype else a for a, one in zip(args, tensors))
