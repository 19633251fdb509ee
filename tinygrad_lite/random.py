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
    """A source of random numbers apart from the library's, for the argument `generator` of what draws them.

    seed: a whole number; one that nobody can know unless given. PyTorch's Generator takes a device alone: "cpu".

    >>> generator = tl.Generator(7)
    >>> first = tl.rand(3, generator=generator)
    >>> tl.equal(first, tl.rand(3, generator=tl.Generator(7)))
    True
    """

    device = checked_device("cpu")

    def __init__(self, seed: int | str | None = None, device: Any = "cpu") -> None:
        checked_device(seed if isinstance(seed, str) else device)  # PyTorch's takes the device only
        self.numpy = _started(secrets.randbits(63) if seed is None or isinstance(seed, str) else seed)

    def manual_seed(self, seed: int) -> "Generator":
        """Start again from a seed, a whole number from -2**63 to 2**64 - 1; gives self."""
        self.numpy = _started(seed)
        return self

    def seed(self) -> int:
        """Start again from a seed that nobody can know; gives that seed."""
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
    """Start the library's random numbers from a seed: a program that does draws the same ones in every run.

    seed: a whole number from -2**63 to 2**64 - 1, else RuntimeError. The numbers are numpy's (PCG64), not PyTorch's.
    Gives the library's generator.

    >>> generator = tl.manual_seed(42)
    >>> first = tl.randn(3)
    >>> generator = tl.manual_seed(42)
    >>> tl.equal(first, tl.randn(3))
    True
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the library's random numbers from a seed that nobody can know; gives that seed, to repeat the run with.

    >>> number = tl.seed()
    >>> number == tl.initial_seed()
    True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the library's generator was started from.

    >>> generator = tl.manual_seed(42)
    >>> tl.initial_seed()
    42
    """
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Where the library's generator is in its sequence: a tensor of 48 bytes, which `tl.save` can keep.

    >>> state = tl.get_rng_state()
    >>> first = tl.rand(3)
    >>> tl.set_rng_state(state)
    >>> tl.equal(first, tl.rand(3))
    True
    """
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Let the library's generator go on from where it was when `get_rng_state` gave this state.

    TypeError for anything else than such a tensor.

    >>> state = tl.get_rng_state()
    >>> first = tl.randperm(10)
    >>> tl.set_rng_state(state)
    >>> tl.equal(first, tl.randperm(10))
    True
    """
    default_generator.set_state(new_state)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[Generator]:
    """Inside, this thread draws from the given seed; afterwards the library's generator goes on as if nothing had been.

    >>> with tl.random.seeded(1):
    ...     first = tl.rand(3)
    >>> with tl.random.seeded(1):
    ...     print(tl.equal(first, tl.rand(3)))
    True
    """
    before, _thread.numpy = _thread.numpy, _started(seed)
    try:
        yield default_generator
    finally:
        _thread.numpy = before


@contextlib.contextmanager
def fork_rng(devices: Iterable = (), enabled: bool = True) -> Iterator[None]:
    """Afterwards the library's generator goes on from where it was before, whatever was drawn inside.

    enabled=False leaves it where it is. PyTorch's `devices` makes no difference.

    >>> with tl.random.fork_rng():
    ...     inside = tl.rand(3)
    >>> tl.equal(inside, tl.rand(3))
    True
    """
    before = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(before)


def rng(own: Generator | None = None) -> np.random.Generator:
    """The numpy generator inside `own`, a tl.Generator, or inside the library's unless given.

    While a program is being compiled it is one whose draws the program repeats. TypeError for what is no tl.Generator.

    >>> tl.random.rng().random(3).shape
    (3,)
    """
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
    """Random numbers that are uniform in [0, 1), in a tensor of the sizes given.

    dtype: a floating-point one (else RuntimeError), the default dtype unless given. generator: what draws, a
    tl.Generator; the library's unless given.

    >>> x = tl.rand(2, 3)
    >>> x.shape, 0 <= x.min().item() <= x.max().item() < 1
    ((2, 3), True)
    """
    dtype = _floats("rand", dtype)
    drawn = rng(generator).random(sizes_of(size))
    return box(as_array(drawn) if dtype == np.float64 else _below(drawn, 1, dtype))


@makes
def randn(*size: Any, dtype: Any = None, generator: Any = None) -> Tensor:
    """Random numbers of the standard normal distribution (mean 0, variance 1), in a tensor of the sizes given.

    dtype and generator as of `rand`.

    >>> x = tl.randn(1000, 10)
    >>> x.shape, x.std().round()
    ((1000, 10), tensor(1.))
    """
    dtype = _floats("randn", dtype)
    return box(as_array(rng(generator).standard_normal(sizes_of(size))).astype(dtype, copy=False))


@makes
def rand_like(x: Tensor, dtype: Any = None, generator: Any = None) -> Tensor:
    """Random numbers that are uniform in [0, 1), in the shape and, unless given, the dtype of x.

    >>> x = tl.zeros(2, 3, dtype=tl.float64)
    >>> tl.rand_like(x).shape, tl.rand_like(x).dtype
    ((2, 3), dtype('float64'))
    """
    return rand(x.shape, dtype=dtype or x.dtype, generator=generator)


@makes
def randn_like(x: Tensor, dtype: Any = None, generator: Any = None) -> Tensor:
    """Random numbers of the standard normal distribution, in the shape and, unless given, the dtype of x.

    >>> x = tl.zeros(2, 3)
    >>> noisy = x + 0.1 * tl.randn_like(x)
    >>> noisy.shape
    (2, 3)
    """
    return randn(x.shape, dtype=dtype or x.dtype, generator=generator)


@makes
def randint(low: Any = None, high: Any = None, size: Any = None, dtype: Any = None, generator: Any = None) -> Tensor:
    """Random whole numbers from low up to below high: randint(low, high, size), or randint(high, size) from 0.

    size: a tuple. dtype: int64 unless given; one that cannot hold the numbers is a RuntimeError, as is high <= low.

    >>> dice = tl.randint(1, 7, (1000,))
    >>> dice.unique()
    tensor([1, 2, 3, 4, 5, 6])
    """
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
    """`randint` in x's shape and dtype: randint_like(x, low, high), or randint_like(x, high) from 0.

    >>> x = tl.zeros(1000)
    >>> tl.randint_like(x, 3).unique()
    tensor([0., 1., 2.])
    """
    return randint(low, high, x.shape, dtype=dtype or x.dtype, generator=generator)


@makes
def randperm(n: int, dtype: Any = None, generator: Any = None) -> Tensor:
    """The whole numbers 0 … n-1 in random order, as int64 unless a dtype is given: an order to shuffle by.

    >>> places = tl.randperm(4)
    >>> places.sort().values
    tensor([0, 1, 2, 3])
    >>> tl.tensor([10, 20, 30, 40])[places].sum()
    tensor(100)
    """
    if n < 0:
        raise RuntimeError(f"randperm: n is at least 0, not {n}")
    return _whole("randperm", rng(generator).permutation(n), 0, n - 1, dtype)


@makes
def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, generator: Any = None) -> Tensor:
    """Random numbers of normal distributions with the given means and standard deviations.

    mean and std are tensors, or a tensor and a number, which broadcast to the shape of the result; or two numbers, and
    the size is given. A std below 0, or a dtype that is not floating-point, is a RuntimeError.

    >>> mean = tl.tensor([0.0, 100.0])
    >>> tl.normal(mean, 1.0) > 50
    tensor([False,  True])
    >>> tl.normal(0.0, 0.02, size=(2, 3)).shape
    (2, 3)
    """
    if size is None and not any(isinstance(given, (Value, np.ndarray)) for given in (mean, std)):
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


def bernoulli(input: Tensor, p: Any = None, generator: Any = None) -> Tensor:
    """1 with the probability that input holds (or p, where it is given), else 0; in input's shape and dtype.

    RuntimeError where a probability is outside [0, 1], or input is not floating-point. No gradient flows through
    the draw.

    >>> x = tl.tensor([0.0, 0.5, 1.0])
    >>> drawn = tl.bernoulli(x)
    >>> drawn[0], drawn[2]
    (tensor(0.), tensor(1.))
    """
    dtype = _floats("bernoulli", input.dtype)
    drawn = rng(generator).random(input.shape) < _probability("bernoulli", input if p is None else p)
    return box(as_array(drawn).astype(dtype))


@quiet
def multinomial(input: Tensor, num_samples: int, replacement: bool = False, generator: Any = None) -> Tensor:
    """Indices drawn at random, each in proportion to its weight in input.

    input (C,) gives (num_samples,), of dtype int64; (N, C) draws from each row and gives (N, num_samples). Weights
    are floating-point, at least 0, and need not add up to 1. Without replacement no index comes twice. RuntimeError for
    other weights, or fewer above 0 than samples without replacement.

    >>> weights = tl.tensor([0.0, 3.0, 1.0])
    >>> tl.multinomial(weights, 2).sort().values
    tensor([1, 2])
    >>> tl.multinomial(weights, 8, replacement=True).shape
    (8,)
    """
    values = as_array(input)
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
    """Fill x with random numbers that are uniform in [a, b), in place; gives x.

    RuntimeError for a dtype that is not floating-point, for a > b, and outside no_grad() for a leaf that requires grad.

    >>> x = tl.empty(1000).uniform_(-1, 1)
    >>> -1 <= x.min().item() < -0.9, 0.9 < x.max().item() < 1
    (True, True)
    """
    dtype = _floats("uniform_", x.dtype)
    if not a <= b:
        raise RuntimeError(f"uniform_: from {a} up to below {b} there is no number")
    drawn = rng(generator).uniform(a, b, x.shape)
    return x.copy_(_below(drawn, b, dtype) if a < b else as_array(drawn).astype(dtype, copy=False))


def normal_(x: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Fill x with random numbers of a normal distribution, in place; gives x.

    RuntimeError for a dtype that is not floating-point, for std < 0, and outside no_grad() for a leaf that requires
    grad.

    >>> x = tl.empty(10000).normal_(5.0, 0.1)
    >>> x.mean().round(), x.std().round(decimals=1)
    (tensor(5.), tensor(0.1))
    """
    return x.copy_(_normal("normal_", mean, std, x.shape, x.dtype, generator))


def bernoulli_(x: Tensor, p: Any = 0.5, generator: Any = None) -> Tensor:
    """Fill x with ones with probability p, a number or a tensor, and zeros, in place; gives x, of any dtype.

    RuntimeError where a probability is outside [0, 1].

    >>> x = tl.empty(3)
    >>> x.bernoulli_(tl.tensor([1.0, 0.0, 1.0]))
    tensor([1., 0., 1.])
    """
    return x.copy_(as_array(rng(generator).random(x.shape) < _probability("bernoulli_", p)).astype(x.dtype))


def random_(x: Tensor, low: int | None = None, high: int | None = None, generator: Any = None) -> Tensor:
    """Fill x with random whole numbers from low up to below high, in place: random_(low, high), or random_(high).

    random_() draws from 0 up to below the largest number of x's dtype; of float32 up to below 2**24, and of other
    floating-point dtypes too as far as they hold every whole number. Gives x.

    >>> x = tl.empty(1000).random_(3)
    >>> x.unique()
    tensor([0., 1., 2.])
    """
    if high is None:
        low, high = 0, low
    if high is None:
        high = {"f": lambda: 2 ** (np.finfo(x.dtype).nmant + 1), "b": lambda: 2}.get(
            x.dtype.kind, lambda: int(np.iinfo(x.dtype).max))()
    return x.copy_(randint(low or 0, high, x.shape, dtype=x.dtype, generator=generator))


def exponential_(x: Tensor, lambd: float = 1.0, generator: Any = None) -> Tensor:
    """Fill x with random numbers of the exponential distribution of mean 1 / lambd, in place; gives x.

    All are above 0. RuntimeError for a dtype that is not floating-point, and for lambd <= 0.

    >>> x = tl.empty(10000).exponential_(2.0)
    >>> x.mean().round(decimals=1), x.min().item() > 0
    (tensor(0.5), True)
    """
    dtype = _floats("exponential_", x.dtype)
    if not lambd > 0:
        raise RuntimeError(f"exponential_: lambd is above 0, not {lambd}")
    drawn = as_array(rng(generator).standard_exponential(x.shape)).astype(dtype, copy=False)
    return x.copy_(np.maximum(drawn, np.finfo(dtype).tiny) / dtype.type(lambd))


for _method in (uniform_, normal_, bernoulli_, random_, exponential_, bernoulli, multinomial):
    setattr(Tensor, _method.__name__, _method)
