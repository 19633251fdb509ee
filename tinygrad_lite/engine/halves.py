"""float16: what is computed of it is computed in float32, and rounded once."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .values import converted, ndarray, unbox

HALF, SINGLE = np.dtype(np.float16), np.dtype(np.float32)


def is_half(x: Any) -> bool:
    """Whether x is an array or a Tensor of float16."""
    return getattr(x, "dtype", None) is HALF


def widened(x: Any) -> Any:
    """float16 as float32; anything else as it is."""
    return converted(x, SINGLE) if is_half(x) else x


def rounded_once(function: Callable, args: tuple, kwargs: dict) -> Any:
    """What a function gives for float32 in the place of float16; float16 again unless a wider dtype decides."""
    floats = [a for a in map(unbox, (*args, *kwargs.values())) if isinstance(a, ndarray) and a.dtype.kind == "f"]
    deciding = [a for a in floats if a.ndim] or floats
    found = function(*map(widened, args), **{k: widened(v) for k, v in kwargs.items()})
    if any(a.dtype is not HALF for a in deciding):
        return found
    several = isinstance(found, tuple)
    parts = [converted(f, HALF) if f.dtype is SINGLE else f for f in (found if several else (found,))]
    return type(found)(parts) if several else parts[0]


def in_float32(function: Callable) -> Callable:
    """Decorator: a function of float16 computes in float32, and rounds its results and their gradients once."""
    @functools.wraps(function)
    def computed(*args: Any, **kwargs: Any) -> Any:
        if any(map(is_half, args)) or kwargs and any(map(is_half, kwargs.values())):
            return rounded_once(function, args, kwargs)
        return function(*args, **kwargs)

    return computed
