"""Random tensors: numpy's generators underneath, so the same seed gives the same numbers on every platform.

They are not PyTorch's numbers: its generators are others. numpy's PCG64 draws here; what a seed gives is pinned by
tests. A thread that `seeded` or a DataLoader's worker gives numbers of its own does not touch those of the others.
"""

import contextlib
import secrets
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .creation import makes
from .engine.mode import mode, quiet
from .engine.tape import box
from .engine.values import Value, as_array, unbox
from .ops.arguments import device as checked_device
from .ops.arguments import sizes_of
from .settings import get_default_dtype
from .tensor import Tensor

SEEDS = 2**64  # a seed is below; negative ones count from there, as in PyTorch
PARTS = np.dtype([("seed", "<u8"), ("state", "<u8", 2), ("inc", "<u8", 2), ("has_uint32", "<u4"), ("uinteger", "<u4")])
LOW = SEEDS - 1  # the lower half of 128 bits


class Generator:
    """A source of random numbers of its own, for the `generator` argument; of a seed of its own too unless given."""

    device = checked_device("cpu")

    def __init__(self, seed: int | str | None = None, device: Any = "cpu") -> None:
        checked_device(seed if isinstance(seed, str) else device)  # PyTorch's takes the device only
        self.numpy = _started(secrets.randbits(63) if seed is None or isinstance(seed, str) else seed)

    def manual_seed(self, seed: int) -> "Generator":
        """Start again from a seed, a whole number from -2**63 to 2**64 - 1; gives self."""
        self.numpy = _started(seed)
        return self

    def seed(self) -> int:
        """Start again from a seed that nobody can know; gives it."""
        self.numpy = _started(secrets.randbits(63))
        return self.initial_seed()

    def initial_seed(self) -> int:
        """The seed it was started from."""
        return int(self.numpy.bit_generator.seed_seq.entropy)  # type: ignore[attr-defined]

    def get_state(self) -> Tensor:
        """Where it is in its sequence: a tensor of 48 bytes, which `tl.save` can keep."""
        now = rng(self).bit_generator.state  # which a compiled program cannot look at
        halves = [(now["state"][name] & LOW, now["state"][name] >> 64) for name in ("state", "inc")]
        parts = np.array((self.initial_seed(), *halves, now["has_uint32"], now["uinteger"]), PARTS)
        return box(np.frombuffer(parts.tobytes(), np.uint8).copy())

    def set_state(self, new_state: Tensor) -> "Generator":
        """Go on from where `get_state` was called; gives self."""
        array = unbox(new_state)
        if not isinstance(new_state, Value) or array.dtype != np.uint8 or array.shape != (PARTS.itemsize,):
            raise TypeError("set_state: a state is what get_state() gave, a tensor of 48 bytes (uint8), not "
                            f"{getattr(array, 'dtype', type(array).__name__)} {getattr(array, 'shape', '')}")
        parts = np.frombuffer(array.tobytes(), PARTS)[0]
        state = {name: int(parts[name][0]) | int(parts[name][1]) << 64 for name in ("state", "inc")}
        self.numpy = _started(int(parts["seed"]))
        self.numpy.bit_generator.state = {"bit_generator": "PCG64", "state": state,
                                          "has_uint32": int(parts["has_uint32"]), "uinteger": int(parts["uinteger"])}
        return self


def _started(seed: Any) -> np.random.Generator:
    """numpy's generator of a seed."""
    number = int(seed)
    if not -SEEDS // 2 <= number < SEEDS:
        raise RuntimeError(f"a seed is a whole number from -2**63 to 2**64 - 1, not {seed}")
    return np.random.Generator(np.random.PCG64(number % SEEDS))


class _Thread(threading.local):
    numpy: np.random.Generator | None = None  # what the library draws from in this thread alone


_thread = _Thread()


class _Default(Generator):
    """The library's: one for all threads, but for those that were given one of their own."""

    @property
    def numpy(self) -> np.random.Generator:  # type: ignore[override]
        return _thread.numpy or self._of_all

    @numpy.setter
    def numpy(self, new: np.random.Generator) -> None:
        if _thread.numpy is None:
            self._of_all = new
        else:
            _thread.numpy = new


default_generator: Generator = _Default()


def manual_seed(seed: int) -> Generator:
    """Seed the generator that is used where none is given."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the library's generator with a number that nobody can know; gives it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the library's generator was started from."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Where the library's generator is in its sequence: a tensor of bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Let the library's generator go on from where `get_rng_state` was called."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[Generator]:
    """Inside, the library's generator is seeded, for this thread; afterwards it goes on as if nothing had been."""
    before, _thread.numpy = _thread.numpy, _started(seed)
    try:
        yield default_generator
    finally:
        _thread.numpy = before


@contextlib.contextmanager
def fork_rng(devices: Iterable = (), enabled: bool = True) -> Iterator[None]:
    """Afterwards the library's generator goes on from where it was."""
    before = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(before)


def rng(own: Generator | None = None) -> np.random.Generator:
    """numpy's generator of `own`, or else of the library; while compiling, one whose draws the program repeats."""
    source = default_generator if own is None else own
    if not isinstance(source, Generator):
        raise TypeError(f"generator: a tl.Generator, not {type(own).__name__}; write tl.Generator().manual_seed(seed)")
    return source.numpy if mode.tracing is None else mode.tracing.generator(source)


def _floats(name: str, dtype: Any) -> np.dtype:
    """The dtype of random real numbers, the default one unless given."""
    dtype = np.dtype(dtype or get_default_dtype())
    if dtype.kind != "f":
        raise RuntimeError(f"{name}: gives floating-point numbers, not {dtype}; whole numbers are randint's")
    return dtype


def _whole(name: str, drawn: Any, least: int, most: int, dtype: Any) -> Tensor:
    """Whole numbers from `least` to `most` in a dtype, int64 unless given, that can hold them."""
    dtype = np.dtype(dtype or np.int64)
    if dtype.kind in "iu" and not np.iinfo(dtype).min <= least <= most <= np.iinfo(dtype).max and least <= most:
        raise RuntimeError(f"{name}: {dtype} cannot hold the numbers from {least} to {most}")
    return box(as_array(drawn).astype(dtype, copy=False))


def _below(array: Any, bound: Any, dtype: Any) -> Any:
    """Numbers below a bound in another dtype, in which they may not be rounded up to the bound."""
    return np.minimum(as_array(array).astype(dtype, copy=False), np.nextafter(dtype.type(bound), dtype.type(-np.inf)))


@makes
def rand(*size: Any, dtype: Any = None, generator: Any = None) -> Tensor:
    """Uniform random numbers in [0, 1)."""
    dtype = _floats("rand", dtype)
    drawn = rng(generator).random(sizes_of(size))
    return box(as_array(drawn) if dtype == np.float64 else _below(drawn, 1, dtype))


@makes
def randn(*size: Any, dtype: Any = None, generator: Any = None) -> Tensor:
    """Random numbers of the standard normal distribution."""
    dtype = _floats("randn", dtype)
    return box(as_array(rng(generator).standard_normal(sizes_of(size))).astype(dtype, copy=False))


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
    if size is None or high is None:
        low, high, size = 0, low, high if size is None else size
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"randint: the size is a tuple, not {size!r}")
    if not hasattr(low, "__index__") or not hasattr(high, "__index__"):
        raise TypeError(f"randint: from and to whole numbers, not {low} and {high}")
    if low >= high:
        raise RuntimeError(f"randint: from {low} up to below {high} there is no number")
    return _whole("randint", rng(generator).integers(low, high, tuple(size)), low, high - 1, dtype)


@makes
def randint_like(x: Tensor, low: int, high: int | None = None, dtype: Any = None, generator: Any = None) -> Tensor:
    """`randint` in x's shape and dtype: randint_like(x, high) or randint_like(x, low, high)."""
    return randint(low, high, x.shape, dtype=dtype or x.dtype, generator=generator)


@makes
def randperm(n: int, dtype: Any = None, generator: Any = None) -> Tensor:
    """A random permutation of 0 … n-1."""
    if n < 0:
        raise RuntimeError(f"randperm: n is at least 0, not {n}")
    return _whole("randperm", rng(generator).permutation(n), 0, n - 1, dtype)


@makes
def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, generator: Any = None) -> Tensor:
    """Normal random numbers: mean and std are numbers (with a size) or tensors that broadcast."""
    if size is None and not isinstance(mean, Value) and not isinstance(std, Value):
        raise TypeError("normal: of numbers needs a size")
    mean, std = unbox(mean), unbox(std)
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std)) if size is None else tuple(size)
    dtypes = [a.dtype for a in (mean, std) if isinstance(a, np.ndarray)] or [get_default_dtype()]
    return _normal("normal", mean, std, shape, np.result_type(*dtypes), generator)


def _normal(name: str, mean: Any, std: Any, shape: tuple, dtype: Any, generator: Any) -> Tensor:
    if np.any(std < 0):
        raise RuntimeError(f"{name}: std is at least 0, not {std}")
    drawn = mean + std * rng(generator).standard_normal(shape)
    return box(as_array(drawn).astype(_floats(name, dtype), copy=False))


def _probability(name: str, p: Any) -> Any:
    p = unbox(p)
    if not ((p >= 0) & (p <= 1) if isinstance(p, (int, float)) else ((p >= 0) & (p <= 1)).all()):
        raise RuntimeError(f"{name}: p holds probabilities, and some are outside [0, 1]")
    return p


def bernoulli(x: Tensor, p: Any = None, generator: Any = None) -> Tensor:
    """1 with probability x (or p, where it is given), element by element, else 0; of x's shape and dtype."""
    dtype = _floats("bernoulli", x.dtype)
    drawn = rng(generator).random(x.shape) < _probability("bernoulli", x if p is None else p)
    return box(as_array(drawn).astype(dtype))


@quiet
def multinomial(weights: Tensor, num_samples: int, replacement: bool = False, generator: Any = None) -> Tensor:
    """Places drawn in proportion to weights (C,) or (N, C): (num_samples,) or (N, num_samples)."""
    values = as_array(weights)
    if values.dtype.kind != "f":
        raise RuntimeError(f"multinomial: the weights are floating-point numbers, not {values.dtype}")
    values = values.astype(np.float64)
    if values.ndim not in (1, 2) or not np.isfinite(values).all() or (values < 0).any() or \
            not ((values.sum(-1) > 0) & (values.sum(-1) < np.inf)).all():
        raise RuntimeError(f"multinomial: needs 1 or 2 dimensions of weights >= 0 with a finite sum above 0, "
                           f"not shape {values.shape}")
    if num_samples < 1:
        raise RuntimeError(f"multinomial: draws at least 1 sample, not {num_samples}")
    if not replacement and ((values > 0).sum(-1) < num_samples).any():
        raise RuntimeError(f"multinomial: cannot draw {num_samples} samples without replacement from so few weights "
                           "that are not 0")
    source = rng(generator)
    if replacement:
        ends = np.cumsum(values, -1)
        draws = source.random((*values.shape[:-1], num_samples)) * ends[..., -1:]
        return box((draws[..., None] >= ends[..., None, :]).sum(-1))
    keys = np.log(values) + source.gumbel(size=values.shape)  # the largest are a draw without replacement
    return box(np.argsort(-keys, axis=-1)[..., :num_samples].copy())


def uniform_(x: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Fill x with uniform numbers in [a, b), in place."""
    dtype = _floats("uniform_", x.dtype)
    if not a <= b:
        raise RuntimeError(f"uniform_: from {a} up to below {b} there is no number")
    drawn = rng(generator).uniform(a, b, x.shape)
    return x.copy_(_below(drawn, b, dtype) if a < b else as_array(drawn).astype(dtype, copy=False))


def normal_(x: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Fill x with normal numbers, in place."""
    return x.copy_(_normal("normal_", mean, std, x.shape, x.dtype, generator))


def bernoulli_(x: Tensor, p: Any = 0.5, generator: Any = None) -> Tensor:
    """Fill x with 1 with probability p, a number or a tensor, else 0, in place."""
    return x.copy_(as_array(rng(generator).random(x.shape) < _probability("bernoulli_", p)).astype(x.dtype))


def random_(x: Tensor, low: int = 0, high: int | None = None, generator: Any = None) -> Tensor:
    """Fill x with whole numbers in [low, high), in place: random_(low, high), random_(high), or all that x can hold."""
    if high is None and low > 0:
        low, high = 0, low
    if high is None:
        high = {"f": lambda: 2 ** (np.finfo(x.dtype).nmant + 1), "b": lambda: 2}.get(
            x.dtype.kind, lambda: int(np.iinfo(x.dtype).max))()
    return x.copy_(randint(low, high, x.shape, dtype=x.dtype, generator=generator))


def exponential_(x: Tensor, lambd: float = 1.0, generator: Any = None) -> Tensor:
    """Fill x with numbers of the exponential distribution of mean 1 / lambd, in place; none is 0."""
    dtype = _floats("exponential_", x.dtype)
    if not lambd > 0:
        raise RuntimeError(f"exponential_: lambd is above 0, not {lambd}")
    drawn = as_array(rng(generator).standard_exponential(x.shape)).astype(dtype, copy=False)
    return x.copy_(np.maximum(drawn, np.finfo(dtype).tiny) / dtype.type(lambd))


for _method in (uniform_, normal_, bernoulli_, random_, exponential_, bernoulli, multinomial):
    setattr(Tensor, _method.__name__, _method)
