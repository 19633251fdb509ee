"""All parameters as one vector, and back."""

import math
from collections.abc import Iterable
from typing import Any

from tinygrad_lite.ops import cat, flatten
from tinygrad_lite.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Any:
    """All elements of all parameters, one after the other: (N,)."""
    return cat([flatten(p) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Let the parameters be the parts of a vector (N,), whose memory they share then; it must have as many elements."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: the vector is a Tensor, not {type(vec).__name__}")
    parameters, start = list(parameters), 0
    count = sum(math.prod(p.shape) for p in parameters)
    if vec.shape != (count,):
        raise RuntimeError(f"vector_to_parameters: the parameters have {count} elements, the vector shape {vec.shape}")
    for p in parameters:
        end = start + math.prod(p.shape)
        p.data = vec.data[start:end].reshape(p.shape)
        start = end
