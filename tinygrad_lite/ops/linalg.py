"""Linear algebra."""

import numpy as np

from ..tape import primitive
from .elementwise import promote
from .reduce import sum
from .shape import squeeze, unsqueeze


def _T(x):
    return x.mT  # numpy arrays and Tensors alike


_matmul = primitive(np.matmul,
                    lambda g, out, x, y: _matmul(g, _T(y)),
                    lambda g, out, x, y: _matmul(_T(x), g), promote=promote)


def matmul(x, y):
    """Matrix product of the last two dimensions, the others broadcast; vectors as in numpy."""
    if x.ndim >= 2 and y.ndim >= 2:
        return _matmul(x, y)
    if x.ndim == 0 or y.ndim == 0:
        raise RuntimeError(f"matmul: both arguments need at least 1 dimension, but have shapes {x.shape} and {y.shape}")
    if x.ndim == 1 and y.ndim == 1:
        if x.shape != y.shape:
            raise RuntimeError(f"matmul: vectors of shapes {x.shape} and {y.shape} do not fit")
        return sum(x * y)
    if x.ndim == 1:
        return squeeze(_matmul(unsqueeze(x, 0), y), -2)
    return squeeze(_matmul(x, unsqueeze(y, 1)), -1)
