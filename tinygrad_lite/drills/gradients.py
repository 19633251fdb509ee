"""Whether the gradients of a solution on Tensors are those of the reference."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import autograd
from ..creation import from_numpy
from ..engine.trees import leaves, mapped
from ..engine.values import Value, unbox
from .drill import Case

STEP, TOLERANCE = 1e-6, 1e-4  # of finite differences
CUT = "the result does not lead back to the arguments: .numpy(), .item() and new tensors cut the tape"


def wrong_gradients(case: Case, made: Any, values: list, reference: Callable) -> str:
    """What is wrong with the gradients of what was made of values, a Tensor for each float64 array among the arguments,
    beside finite differences of the reference along a random direction an argument; nothing where there are none."""
    rng = np.random.default_rng(0)
    expected = _floats(case.run(reference, *case.arguments.values()))
    weights = [rng.standard_normal(x.shape) for x in expected]
    outputs = [x for x in leaves(made) if isinstance(x, Value) and unbox(x).dtype == np.float64]
    inputs = {name: [x for x in leaves(value) if isinstance(x, Value) and unbox(x).dtype == np.float64]
              for name, value in zip(case.arguments, values)}
    finite = all(np.isfinite(x).all() for x in [*expected, *_floats(case.arguments)])
    if not finite or not expected or not any(inputs.values()):
        return ""
    if len(outputs) != len(expected) or any(x.node is None for x in outputs):
        return CUT
    found = iter(autograd.grad(outputs, sum(inputs.values(), []), [*map(from_numpy, weights)], materialize_grads=True))
    for name, tensors in inputs.items():
        directions = [rng.standard_normal(unbox(x).shape) for x in tensors]
        along = sum(float((unbox(next(found)) * direction).sum()) for direction in directions)
        ends = [_projected(case, reference, weights, name, directions, step) for step in (STEP, -STEP)]
        right = (ends[0] - ends[1]) / (2 * STEP)
        if name not in case.constant and not abs(along - right) <= TOLERANCE * max(1.0, abs(right)):
            return f"the gradient of {name} is wrong: along a random direction {along:.6g}, expected {right:.6g}"
    return ""


def _floats(structure: Any) -> list[np.ndarray]:
    """The float64 arrays and numbers of numpy's in it."""
    return [np.asarray(x) for x in leaves(structure) if getattr(x, "dtype", None) == np.float64]


def _projected(case: Case, reference: Callable, weights: list, name: str, directions: list, step: float) -> float:
    """The weighted sum of the reference's results a step along the directions of an argument."""
    rest = iter(directions)

    def move(x: Any) -> Any:
        return x + step * next(rest) if getattr(x, "dtype", None) == np.float64 else x

    moved = mapped(move, case.arguments[name])
    results = _floats(case.run(reference, *{**case.arguments, name: moved}.values()))
    return sum(float((weight * result).sum()) for weight, result in zip(weights, results))
