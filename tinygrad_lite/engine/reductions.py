"""Reductions that are faster another way than numpy's: sums as products with ones, short rows as long columns.

Of traced arrays they are taken as they stand; what a compiled program makes of them is in compiler/passes.py.
"""

from typing import Any

import numpy as np

LONGEST = 1 << 12  # longer sums are left to numpy, which adds pairwise
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


SHORT = 32  # elements of a row, up to which numpy's own reduction spends its time on starting anew for each row


def has_short_rows(shape: tuple, axis: Any) -> bool:
    """Whether a reduction of rows is faster as one of a few long columns."""
    return len(shape) == 2 and axis in (1, -1) and 1 < shape[1] <= SHORT < shape[0]
