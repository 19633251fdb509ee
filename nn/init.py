"""Initial values of parameters, written in place; each gives its tensor back."""

import math
from typing import Any

import numpy as np

from tinygrad_lite import random
from tinygrad_lite.engine.mode import no_grad

GAINS = dict.fromkeys("linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d sigmoid".split(),
                      1.0) | {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights are drawn larger because a nonlinearity comes after them.

    It is 1 for "linear", "sigmoid" and the convolutions, 5 / 3 for "tanh", sqrt(2) for "relu", 3 / 4 for "selu", and
    sqrt(2 / (1 + param ** 2)) for "leaky_relu" of slope param (0.01 unless given). Another name is a ValueError.

    >>> nn.init.calculate_gain("selu")
    0.75
    >>> nn.init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}; "
                         f"known are leaky_relu, {', '.join(GAINS)}")
    return GAINS[nonlinearity]


def fans(t: Any) -> tuple[int, int]:
    """Fan in and fan out of a weight (out, in, *kernel): in and out, each times the size of the kernel.

    Fewer than 2 dimensions are a ValueError.

    >>> nn.init.fans(nn.Linear(3, 5).weight)
    (3, 5)
    >>> nn.init.fans(nn.Conv2d(3, 5, kernel_size=2).weight)
    (12, 20)
    """
    if t.ndim < 2:
        raise ValueError(f"init: fan in and fan out need at least 2 dimensions, not shape {t.shape}")
    kernel = math.prod(t.shape[2:])
    return t.shape[1] * kernel, t.shape[0] * kernel


@no_grad()
def _fill(t: Any, values: Any) -> Any:
    return t.copy_(values)


def constant_(t: Any, value: float) -> Any:
    """Set every element of t to a value, in place.

    >>> layer = nn.Linear(1, 2)
    >>> nn.init.constant_(layer.bias, 0.5)
    tensor([0.5, 0.5], requires_grad=True)
    """
    return _fill(t, value)


def zeros_(t: Any) -> Any:
    """Set every element of t to 0, in place.

    >>> layer = nn.Linear(1, 2)
    >>> nn.init.zeros_(layer.bias)
    tensor([0., 0.], requires_grad=True)
    """
    return _fill(t, 0.0)


def ones_(t: Any) -> Any:
    """Set every element of t to 1, in place.

    >>> nn.init.ones_(tl.empty(3))
    tensor([1., 1., 1.])
    """
    return _fill(t, 1.0)


def eye_(t: Any) -> Any:
    """Set a matrix to 1 on the diagonal and 0 elsewhere, in place.

    What is no matrix is a ValueError.

    >>> nn.init.eye_(tl.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if t.ndim != 2:
        raise ValueError(f"eye_: needs a matrix, not shape {t.shape}")
    return _fill(t, np.eye(*t.shape, dtype=t.dtype))


def dirac_(t: Any, groups: int = 1) -> Any:
    """Set a kernel (out, in, …) to 1 in its middle and 0 elsewhere: its convolution gives the input's channels.

    Output k of each of the groups gives input k of that group, and 0 where it has none. A kernel that has not 3 to 5
    dimensions, or whose outputs do not fall into groups, is a ValueError.

    >>> kernel = nn.init.dirac_(tl.empty(1, 1, 3))
    >>> kernel
    tensor([[[0., 1., 0.]]])
    >>> F.conv1d(tl.tensor([[[5.0, 6.0, 7.0]]]), kernel, padding=1)
    tensor([[[5., 6., 7.]]])
    """
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
    """Fill a matrix with normal numbers, and set a share of each column to 0 (Martens, 2010).

    sparsity is that share, from 0 to 1, rounded up to whole elements; std the standard deviation of the others. What
    is no matrix is a ValueError.

    >>> w = nn.init.sparse_(tl.empty(4, 3), sparsity=0.5)
    >>> (w == 0).sum(0)
    tensor([2, 2, 2])
    """
    if t.ndim != 2:
        raise ValueError(f"sparse_: needs a matrix, not shape {t.shape}")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_: sparsity is a share from 0 to 1, not {sparsity}")
    rng = random.rng(generator)
    values = std * rng.standard_normal(t.shape)
    for column in range(t.shape[1]):
        values[rng.permutation(t.shape[0])[: math.ceil(sparsity * t.shape[0])], column] = 0
    return _fill(t, values.astype(t.dtype))


def uniform_(t: Any, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Any:
    """Fill t with numbers that are uniform in [a, b), in place.

    >>> w = nn.init.uniform_(tl.empty(100, 100), -2, 2)
    >>> (w.abs() <= 2).all(), w.mean().abs() < 0.1
    (tensor(True), tensor(True))
    """
    with no_grad():
        return random.uniform_(t, a, b, generator)


def normal_(t: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    """Fill t with normal numbers of a mean and a standard deviation, in place.

    >>> w = nn.init.normal_(tl.empty(100, 100), mean=5.0, std=0.1)
    >>> w.mean().round(decimals=1), w.std().round(decimals=1)
    (tensor(5.), tensor(0.1))
    """
    with no_grad():
        return random.normal_(t, mean, std, generator)


def trunc_normal_(t: Any, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator: Any = None) -> Any:
    """Fill t with normal numbers that are drawn again wherever they fall outside [a, b].

    a and b are values, not multiples of std. An interval that is empty, or more than 6 std away from the mean, is a
    ValueError.

    >>> w = nn.init.trunc_normal_(tl.empty(1000), std=2.0)
    >>> w.abs().max() <= 2
    tensor(True)
    """
    if not a < b or b < mean - 6 * std or a > mean + 6 * std:
        raise ValueError(f"trunc_normal_: [{a}, {b}] holds next to nothing of a normal of mean {mean} and std {std}")
    rng, values = random.rng(generator), np.full(t.shape, np.inf)
    while (outside := (values < a) | (values > b)).any():
        values[outside] = mean + std * rng.standard_normal(outside.sum())
    return _fill(t, values.astype(t.dtype))


def xavier_uniform_(t: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Fill t uniformly within gain * sqrt(6 / (fan in + fan out)) of 0 (Glorot and Bengio, 2010).

    Values forward and gradients back then keep about the same variance from layer to layer, with tanh and the like.
    `fans` says what the fans are, `calculate_gain` gives gains.

    >>> w = nn.init.xavier_uniform_(tl.empty(2, 4))  # within sqrt(6 / 6)
    >>> w.abs().max() <= 1
    tensor(True)
    """
    bound = gain * math.sqrt(6 / sum(fans(t)))
    return uniform_(t, -bound, bound, generator)


def xavier_normal_(t: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Fill t with normal numbers of std gain * sqrt(2 / (fan in + fan out)) (Glorot and Bengio, 2010).

    >>> w = nn.init.xavier_normal_(tl.empty(100, 100))  # sqrt(2 / 200)
    >>> w.std().round(decimals=2)
    tensor(0.1)
    """
    return normal_(t, 0.0, gain * math.sqrt(2 / sum(fans(t))), generator)


def _kaiming_std(t: Any, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode is 'fan_in' or 'fan_out', not {mode!r}")
    fan = fans(t)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def kaiming_uniform_(t: Any, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                     generator: Any = None) -> Any:
    """Fill t uniformly within gain * sqrt(3 / fan) of 0, where rectifiers such as relu follow (He et al., 2015).

    mode="fan_in" keeps the variance of the values forward, "fan_out" that of the gradients back. The gain is that of
    `calculate_gain` for the nonlinearity; `a` is the slope of "leaky_relu", and 0 gives it the gain of "relu".

    >>> w = nn.init.kaiming_uniform_(tl.empty(50, 6), nonlinearity="relu")  # within sqrt(2) * sqrt(3 / 6)
    >>> w.abs().max() <= 1
    tensor(True)
    """
    bound = math.sqrt(3) * _kaiming_std(t, a, mode, nonlinearity)
    return uniform_(t, -bound, bound, generator)


def kaiming_normal_(t: Any, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Any = None) -> Any:
    """Fill t with normal numbers of std gain / sqrt(fan), where rectifiers such as relu follow (He et al., 2015).

    The arguments are those of `kaiming_uniform_`.

    >>> w = nn.init.kaiming_normal_(tl.empty(100, 200), nonlinearity="relu")  # sqrt(2) / sqrt(200)
    >>> w.std().round(decimals=2)
    tensor(0.1)
    """
    return normal_(t, 0.0, _kaiming_std(t, a, mode, nonlinearity), generator)


def within_fan_(weight: Any, bias: Any = None) -> None:
    """Fill weight and bias uniformly within 1 / sqrt(fan in), as PyTorch's linear layers and convolutions start.

    >>> layer = nn.Linear(4, 2)
    >>> nn.init.within_fan_(layer.weight, layer.bias)
    >>> layer.weight.abs().max() <= 0.5
    tensor(True)
    """
    kaiming_uniform_(weight, math.sqrt(5))
    if bias is not None:
        fan_in = fans(weight)[0]
        bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
        uniform_(bias, -bound, bound)


def orthogonal_(t: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Fill t with gain times a random orthogonal matrix, which keeps the length of vectors (Saxe et al., 2014).

    Dimensions after the first are taken as one. Where the matrix is not square, its columns (tall) or its rows (wide)
    are orthogonal to each other and of length 1. Fewer than 2 dimensions are a ValueError.

    >>> w = nn.init.orthogonal_(tl.empty(3, 2))
    >>> (w.T @ w).round(decimals=3).abs()
    tensor([[1., 0.],
            [0., 1.]])
    """
    if t.ndim < 2:
        raise ValueError(f"orthogonal_: needs at least 2 dimensions, not shape {t.shape}")
    rows, columns = t.shape[0], math.prod(t.shape[1:])
    q, r = np.linalg.qr(random.rng(generator).standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # so that the distribution is uniform
    return _fill(t, gain * (q if rows >= columns else q.T).reshape(t.shape).astype(t.dtype))
