"""All parameters as one vector, and back."""

import math
from collections.abc import Iterable
from typing import Any

from tinygrad_lite.ops import cat, flatten
from tinygrad_lite.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Any:
    """All elements of all parameters, one after the other, as one vector (N,) through which gradients flow.

    >>> layer = nn.Linear(3, 2)
    >>> nn.utils.parameters_to_vector(layer.parameters()).shape  # 2 * 3 weights and 2 biases
    (8,)
    """
    return cat([flatten(p) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Let the parameters be the parts of a vector (N,), in their order; they share its memory from then on.

    A vector of another length is a RuntimeError, what is no Tensor a TypeError.

    >>> layer = nn.Linear(2, 1)
    >>> nn.utils.vector_to_parameters(tl.tensor([1.0, 2.0, 3.0]), layer.parameters())
    >>> layer.weight, layer.bias
    (tensor([[1., 2.]], requires_grad=True), tensor([3.], requires_grad=True))
    """
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
