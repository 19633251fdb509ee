"""Initial values of parameters, written in place; each gives its tensor back."""

import math
from typing import Any

import numpy as np

from tinygrad_lite import random
from tinygrad_lite.engine.mode import no_grad

GAINS = dict.fromkeys("linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d sigmoid".split(),
                      1.0) | {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a nonlinearity wants its weights larger; param is leaky_relu's slope, 0.01 unless given."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}; "
                         f"known are leaky_relu, {', '.join(GAINS)}")
    return GAINS[nonlinearity]


def fans(t: Any) -> tuple[int, int]:
    """How many inputs and outputs each unit of a weight (out, in, *kernel) has."""
    if t.ndim < 2:
        raise ValueError(f"init: fan in and fan out need at least 2 dimensions, not shape {t.shape}")
    kernel = math.prod(t.shape[2:])
    return t.shape[1] * kernel, t.shape[0] * kernel


@no_grad()
def _fill(t: Any, values: Any) -> Any:
    return t.copy_(values)


def constant_(t: Any, value: float) -> Any:
    """Every element the same."""
    return _fill(t, value)


def zeros_(t: Any) -> Any:
    """Every element 0."""
    return _fill(t, 0.0)


def ones_(t: Any) -> Any:
    """Every element 1."""
    return _fill(t, 1.0)


def eye_(t: Any) -> Any:
    """1 on the diagonal of a matrix, else 0."""
    if t.ndim != 2:
        raise ValueError(f"eye_: needs a matrix, not shape {t.shape}")
    return _fill(t, np.eye(*t.shape, dtype=t.dtype))


def dirac_(t: Any, groups: int = 1) -> Any:
    """A kernel (out, in, …) whose convolution gives the input's channels unchanged, as many as there are."""
    if t.ndim not in (3, 4, 5) or t.shape[0] % groups:
        raise ValueError(f"dirac_: needs a kernel of 3 to 5 dimensions whose outputs fall into {groups} groups, not "
                         f"shape {t.shape}")
    values, rows = np.zeros(t.shape, t.dtype), t.shape[0] // groups
    middle = tuple(n // 2 for n in t.shape[2:])
    for row in range(t.shape[0]):
        if row % rows < t.shape[1]:
            values[(row, row % rows, *middle)] = 1
    return _fill(t, values)


def sparse_(t: Any, sparsity: float, std: float = 0.01, generator: Any = None) -> Any:
    """Normal numbers, in each column of a matrix that share of them 0 (Martens, 2010)."""
    if t.ndim != 2:
        raise ValueError(f"sparse_: needs a matrix, not shape {t.shape}")
    rng = random.rng(generator)
    values = std * rng.standard_normal(t.shape)
    for column in range(t.shape[1]):
        values[rng.permutation(t.shape[0])[: math.ceil(sparsity * t.shape[0])], column] = 0
    return _fill(t, values.astype(t.dtype))


def uniform_(t: Any, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Any:
    """Uniform in [a, b)."""
    with no_grad():
        return random.uniform_(t, a, b, generator)


def normal_(t: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    """Normal of a mean and standard deviation."""
    with no_grad():
        return random.normal_(t, mean, std, generator)


def trunc_normal_(t: Any, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator: Any = None) -> Any:
    """Normal, drawn again wherever it falls outside [a, b]."""
    if not a < b or b < mean - 6 * std or a > mean + 6 * std:
        raise ValueError(f"trunc_normal_: [{a}, {b}] holds next to nothing of a normal of mean {mean} and std {std}")
    rng, values = random.rng(generator), np.full(t.shape, np.inf)
    while (outside := (values < a) | (values > b)).any():
        values[outside] = mean + std * rng.standard_normal(outside.sum())
    return _fill(t, values.astype(t.dtype))


def xavier_uniform_(t: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Uniform that keeps the variance forward and back (Glorot and Bengio, 2010)."""
    bound = gain * math.sqrt(6 / sum(fans(t)))
    return uniform_(t, -bound, bound, generator)


def xavier_normal_(t: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """The normal form of `xavier_uniform_`."""
    return normal_(t, 0.0, gain * math.sqrt(2 / sum(fans(t))), generator)


def _kaiming_std(t: Any, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode is 'fan_in' or 'fan_out', not {mode!r}")
    fan = fans(t)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def kaiming_uniform_(t: Any, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                     generator: Any = None) -> Any:
    """Uniform that keeps the variance through rectifiers (He et al., 2015)."""
    bound = math.sqrt(3) * _kaiming_std(t, a, mode, nonlinearity)
    return uniform_(t, -bound, bound, generator)


def kaiming_normal_(t: Any, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Any = None) -> Any:
    """The normal form of `kaiming_uniform_`."""
    return normal_(t, 0.0, _kaiming_std(t, a, mode, nonlinearity), generator)


def within_fan_(weight: Any, bias: Any = None) -> None:
    """PyTorch's beginning of linear maps and convolutions: uniform within 1 / sqrt(fan in), the bias too."""
    kaiming_uniform_(weight, math.sqrt(5))
    if bias is not None:
        fan_in = fans(weight)[0]
        bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
        uniform_(bias, -bound, bound)


def orthogonal_(t: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """A (half-)orthogonal matrix, uniformly drawn (Saxe et al., 2014); later dimensions are flattened."""
    if t.ndim < 2:
        raise ValueError(f"orthogonal_: needs at least 2 dimensions, not shape {t.shape}")
    rows, columns = t.shape[0], math.prod(t.shape[1:])
    q, r = np.linalg.qr(random.rng(generator).standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # so that the distribution is uniform
    return _fill(t, gain * (q if rows >= columns else q.T).reshape(t.shape).astype(t.dtype))
