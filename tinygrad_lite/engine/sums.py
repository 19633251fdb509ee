"""Sums along one dimension by BLAS: a product with a vector of ones takes a quarter of the time of numpy's sum."""

from typing import Any

import numpy as np

LONGEST = 1 << 12  # longer sums are left to numpy, which adds pairwise
ONES = {char: np.ones(LONGEST, char) for char in "fd"}


def side_of_ones(shape: tuple, axis: Any) -> str:
    """On which side of an array of floats a vector of ones goes to sum an axis (None: all): "left", "right", or "" where
    numpy's own sum does better."""
    ndim = len(shape)
    if axis == 0 and ndim == 2 or ndim == 1 and axis in (None, 0, -1):
        return "left" if shape[0] <= LONGEST else ""
    return "right" if ndim > 1 and axis in (-1, ndim - 1) and shape[-1] <= LONGEST else ""


def add_up(x: Any, axis: Any, keepdims: bool = False) -> Any:
    """The sum of an array's elements along an axis, several (a tuple), or all (None)."""
    if type(x) is np.ndarray and x.dtype.char in ONES:  # a traced array is summed as it is: compiler/passes.py
        if isinstance(axis, tuple) and len(axis) == 1:
            axis = axis[0]
        side = side_of_ones(x.shape, axis)
        if side == "left":
            total = ONES[x.dtype.char][: len(x)] @ x
            return total[None] if keepdims else total
        if side:
            total = x @ ONES[x.dtype.char][: x.shape[-1]]
            return total[..., None] if keepdims else total
    return np.add.reduce(x, axis, None, None, keepdims)
