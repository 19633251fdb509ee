"""Reductions that are faster or more exact another way than numpy's: sums as products with ones, long sums in blocks,
short rows as long columns.

Of traced arrays they are taken as they stand; what a compiled program makes of them is in compiler/passes.py.
"""

import math
from typing import Any

import numpy as np

LONGEST = 1 << 12  # longer sums are left to numpy
BLOCK = 1 << 9  # elements that are added one after the other: each addition rounds
ONES = {char: np.ones(LONGEST, char) for char in "fd"}


def side_of_ones(shape: tuple, axis: Any) -> str:
    """On which side of an array of floats a vector of ones goes to sum an axis (None: all) by BLAS, in a quarter of the
    time: "left", "right", or "" where numpy's own sum does better."""
    ndim = len(shape)
    if axis == 0 and ndim == 2 or ndim == 1 and axis in (None, 0, -1):
        return "left" if shape[0] <= LONGEST else ""
    return "right" if ndim > 1 and axis in (-1, ndim - 1) and shape[-1] <= LONGEST else ""


def add_up(x: Any, axis: Any, keepdims: bool = False) -> Any:
    """The sum of an array's elements along an axis, several (a tuple), or all (None)."""
    if type(x) is np.ndarray and x.dtype.char in ONES:
        if isinstance(axis, tuple) and len(axis) == 1:
            axis = axis[0]
        elif isinstance(axis, tuple) and x.size > LONGEST and x.flags.c_contiguous and \
                (-1 in axis or x.ndim - 1 in axis):
            return _last_first(x, {a % x.ndim for a in axis}, keepdims)
        side = side_of_ones(x.shape, axis)
        if side == "left":
            total = ONES[x.dtype.char][: len(x)] @ x
            return total[None] if keepdims else total
        if side:
            total = x @ ONES[x.dtype.char][: x.shape[-1]]
            return total[..., None] if keepdims else total
    if x.dtype.char in ONES and _one_after_the_other(x, axis):
        return _in_blocks(x, axis, keepdims)
    if x.dtype == np.float16:  # numpy's own sum of columns stalls at 2048
        return np.add.reduce(x, axis, np.float32, None, keepdims).astype(np.float16)  # type: ignore[call-overload]
    return np.add.reduce(x, axis, None, None, keepdims)  # type: ignore[call-overload]


def _last_first(x: np.ndarray, axes: set[int], keepdims: bool) -> Any:
    """The sum over the last dimensions as one, then over the others: of (N, C, H, W) over H * W, then over N."""
    kept = x.ndim
    while kept - 1 in axes:
        kept -= 1
    total = add_up(x.reshape(*x.shape[:kept], -1), -1)
    total = add_up(total, tuple(a for a in axes if a < kept))
    return total.reshape([1 if a in axes else n for a, n in enumerate(x.shape)]) if keepdims else total


def _one_after_the_other(x: Any, axis: Any) -> bool:
    """Whether numpy adds too many elements one by one: it adds pairwise only along memory."""
    if getattr(x, "spelt_out", False) or not x.size or side_of_ones(x.shape, axis):
        return False  # for who reads its text a sum is a sum
    axes = _counted(x, axis)
    if math.prod(x.shape[a] for a in axes) <= BLOCK:
        return False
    return axes != [_along_memory(x)] and not (len(axes) == x.ndim and x.flags.forc)


def _counted(x: Any, axis: Any) -> list[int]:
    """The axes of a sum, counted from the front."""
    several = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return [a % x.ndim for a in several]


def _along_memory(x: Any) -> int:
    """The axis whose elements lie next to each other."""
    return min((a for a in range(x.ndim) if x.shape[a] > 1), key=lambda a: (abs(x.strides[a]), -a))


def _in_blocks(x: Any, axis: Any, keepdims: bool) -> Any:
    """The sum over one axis after the other, each in blocks, whose sums are added up in their turn."""
    total = x
    for a in _counted(x, axis):
        pairwise = total is x and a == _along_memory(x)
        while total.shape[a] > BLOCK and not pairwise:
            whole = total.shape[a] // BLOCK * BLOCK
            before, behind = (slice(None),) * a, total.shape[a + 1:]
            blocks = total[*before, :whole].reshape(*total.shape[:a], -1, BLOCK, *behind)
            sums = np.add.reduce(blocks, a + 1)
            if whole < total.shape[a]:
                rest = np.add.reduce(total[*before, whole:], axis=a, keepdims=True)
                sums = np.concatenate([sums, rest], a)
            total = sums
        total = np.add.reduce(total, axis=a, keepdims=True)
    return total if keepdims else total.reshape([n for a, n in enumerate(x.shape) if a not in _counted(x, axis)])


SHORT = 32  # elements of a row, up to which numpy's own reduction spends its time on starting anew for each row


def has_short_rows(shape: tuple, axis: Any) -> bool:
    """Whether a reduction of rows is faster as one of a few long columns."""
    return len(shape) == 2 and axis in (1, -1) and 1 < shape[1] <= SHORT < shape[0]
