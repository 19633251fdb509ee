"""Random tensors: numpy's generators underneath, so the same seed gives the same numbers on every platform."""

import contextlib
from typing import Any

import numpy as np

from .creation import makes
from .engine.mode import mode, no_grad
from .engine.tape import box
from .engine.values import as_array, unbox
from .ops.arguments import sizes_of
from .tensor import Tensor


class Generator:
    """A source of random numbers of its own, for the `generator` argument."""

    def __init__(self, seed: int | None = None) -> None:
        self.numpy = np.random.default_rng(seed)

    def manual_seed(self, seed: int) -> "Generator":
        """Start again from a seed; gives self."""
        self.numpy = np.random.default_rng(seed)
        return self

    def get_state(self) -> dict:
        """Where it is in its sequence."""
        return dict(self.numpy.bit_generator.state)

    def set_state(self, state: dict) -> None:
        """Go on from where `get_state` was called."""
        self.numpy.bit_generator.state = state


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the generator that is used where none is given (numpy's PCG64)."""
    return default_generator.manual_seed(seed)


@contextlib.contextmanager
def seeded(seed: int) -> Any:
    """Inside, the library's generator starts from a seed; afterwards it goes on as if nothing had been."""
    before = default_generator.numpy
    default_generator.manual_seed(seed)
    try:
        yield default_generator
    finally:
        default_generator.numpy = before


def rng(own: Generator | None = None) -> np.random.Generator:
    """numpy's generator of `own`, or else of the library; while compiling, one whose draws the program repeats."""
    source = own or default_generator
    return source.numpy if mode.tracing is None else mode.tracing.generator(source)


def _real(array: Any, dtype: Any) -> Tensor:
    return box(as_array(array).astype(dtype or np.float32, copy=False))


@makes
def rand(*size: Any, dtype: Any = None, generator: Any = None) -> Tensor:
    """Uniform random numbers in [0, 1)."""
    return _real(rng(generator).random(sizes_of(size)), dtype)


@makes
def randn(*size: Any, dtype: Any = None, generator: Any = None) -> Tensor:
    """Random numbers of the standard normal distribution."""
    return _real(rng(generator).standard_normal(sizes_of(size)), dtype)


@makes
def rand_like(x: Tensor, dtype: Any = None, generator: Any = None) -> Tensor:
    """`rand` in x's shape and dtype."""
    return rand(x.shape, dtype=dtype or x.dtype, generator=generator)


@makes
def randn_like(x: Tensor, dtype: Any = None, generator: Any = None) -> Tensor:
    """`randn` in x's shape and dtype."""
    return randn(x.shape, dtype=dtype or x.dtype, generator=generator)


@makes
def randint(low: Any = None, high: Any = None, size: Any = None, dtype: Any = None, generator: Any = None) -> Tensor:
    """Random whole numbers in [low, high): randint(low, high, size) or randint(high, size)."""
    if low is None and high is None or high is None and size is None:
        raise TypeError("randint: takes the number to stay below and the size: randint(high, size)")
    low = 0 if low is None else low
    if size is None or not isinstance(high, (int, np.integer)):
        low, high, size = 0, low, high if size is None else size
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"randint: the size is a tuple, not {size!r}")
    if low >= high:
        raise RuntimeError(f"randint: from {low} up to below {high} there is no number")
    return box(as_array(rng(generator).integers(low, high, tuple(size))).astype(dtype or np.int64, copy=False))


@makes
def randperm(n: int, dtype: Any = None, generator: Any = None) -> Tensor:
    """A random permutation of 0 … n-1."""
    return box(as_array(rng(generator).permutation(n)).astype(dtype or np.int64, copy=False))


@makes
def normal(mean: Any, std: Any, size: Any = None, generator: Any = None) -> Tensor:
    """Normal random numbers: mean and std are numbers (with a size) or tensors that broadcast."""
    mean, std = unbox(mean), unbox(std)
    if (np.asarray(std) < 0).any():
        raise RuntimeError(f"normal: std is at least 0, not {std}")
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std)) if size is None else tuple(size)
    dtypes = [a.dtype for a in (mean, std) if isinstance(a, np.ndarray)] or [np.float32]
    dtype = np.result_type(*dtypes)
    return _real(mean + std * rng(generator).standard_normal(shape), dtype)


def bernoulli(p: Tensor, generator: Any = None) -> Tensor:
    """1 with probability p, element by element, else 0; of p's dtype."""
    values = unbox(p)
    if ((values < 0) | (values > 1)).any():
        raise RuntimeError("bernoulli: p holds probabilities, and some are outside [0, 1]")
    return box(as_array(rng(generator).random(values.shape) < values).astype(values.dtype))


def multinomial(weights: Tensor, num_samples: int, replacement: bool = False, generator: Any = None) -> Tensor:
    """Places drawn in proportion to weights (C,) or (N, C): (num_samples,) or (N, num_samples)."""
    values = np.asarray(unbox(weights))
    if values.dtype.kind != "f":
        raise RuntimeError(f"multinomial: the weights are floating-point numbers, not {values.dtype}")
    values = values.astype(np.float64)
    if values.ndim not in (1, 2) or not np.isfinite(values).all() or (values < 0).any() or \
            (values.sum(-1) <= 0).any():
        raise RuntimeError(f"multinomial: needs 1 or 2 dimensions of finite weights >= 0 with a sum above 0, "
                           f"not shape {values.shape}")
    if num_samples < 1 or not replacement and ((values > 0).sum(-1) < num_samples).any():
        raise RuntimeError(f"multinomial: cannot draw {num_samples} samples without replacement from so few weights "
                           "that are not 0")
    source = rng(generator)
    if replacement:
        ends = np.cumsum(values, -1)
        draws = source.random((*values.shape[:-1], num_samples)) * ends[..., -1:]
        return box((draws[..., None] >= ends[..., None, :]).sum(-1))
    with np.errstate(divide="ignore"):  # the largest of log w + Gumbel noise are a draw without replacement
        keys = np.log(values) + source.gumbel(size=values.shape)
    return box(np.argsort(-keys, axis=-1)[..., :num_samples])


@no_grad()
def uniform_(x: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Fill x with uniform numbers in [a, b), in place."""
    return x.copy_(rng(generator).uniform(a, b, x.shape).astype(x.dtype))


@no_grad()
def normal_(x: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Fill x with normal numbers, in place."""
    return x.copy_((mean + std * rng(generator).standard_normal(x.shape)).astype(x.dtype))


@no_grad()
def bernoulli_(x: Tensor, p: float = 0.5, generator: Any = None) -> Tensor:
    """Fill x with 1 with probability p, else 0, in place."""
    return x.copy_((rng(generator).random(x.shape) < p).astype(x.dtype))


for _method in (uniform_, normal_, bernoulli_, bernoulli, multinomial):
    setattr(Tensor, _method.__name__, _method)
