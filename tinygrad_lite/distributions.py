"""Probability distributions: Categorical, Normal, Bernoulli, Uniform, and the divergence of one from another.

Gradients flow through `log_prob`, `entropy`, `kl_divergence`, and through `rsample` where a distribution has it. As
PyTorch's, the logarithm of a probability that was given is at least that of the dtype's eps, so that a value that
cannot be has a finite loss; of logits it is as low as they are. What is multiplied by a probability of 0 is 0.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .creation import arange, as_tensor, full_like
from .engine.dtypes import result_type
from .engine.mode import no_grad
from .nn.functional import log_softmax, logsigmoid, softmax
from .ops import argmax, erfc, exp, gather, log, log1p, ndtri, sigmoid, sqrt, where
from .random import bernoulli, multinomial, rand, randn
from .settings import get_default_dtype
from .tensor import Tensor


# ---------------------------------------------------------------- what parameters and values may be
class Constraint:
    """What numbers may be: `check(x)` says of each number, or of each vector (event_dim=1), whether it is so.

    `bounds` are for its repr. `arg_constraints` of a distribution has one for each parameter.

    >>> even = tl.distributions.Constraint("Even", lambda x: x % 2 == 0)
    >>> even.check(tl.tensor([1.0, 2.0]))
    tensor([False,  True])
    >>> tl.distributions.Normal.arg_constraints["scale"]
    GreaterThan(lower_bound=0.0)
    """

    def __init__(self, name: str, check: Callable[[Tensor], Tensor], event_dim: int = 0, **bounds: Any) -> None:
        self.name, self.check, self.event_dim, self.bounds = name, check, event_dim, bounds

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value}' for name, value in self.bounds.items())})"


def interval(low: Any, high: Any) -> Constraint:
    """The constraint that numbers are from low to high, both included.

    >>> tl.distributions.interval(0.0, 1.0).check(tl.tensor([0.0, 0.5, 1.5]))
    tensor([ True,  True, False])
    """
    return Constraint("Interval", lambda x: (x >= low) & (x <= high), lower_bound=low, upper_bound=high)


def integer_interval(low: int, high: int) -> Constraint:
    """The constraint that numbers are whole and from low to high, both included.

    >>> tl.distributions.integer_interval(0, 2).check(tl.tensor([0.0, 0.5, 2.0, 3.0]))
    tensor([ True, False,  True, False])
    """
    return Constraint("IntegerInterval", lambda x: (x % 1 == 0) & (x >= low) & (x <= high),
                      lower_bound=low, upper_bound=high)


real, real_vector = Constraint("Real", lambda x: x == x), Constraint("RealVector", lambda x: (x == x).all(-1), 1)
positive = Constraint("GreaterThan", lambda x: x > 0, lower_bound=0.0)
unit_interval = interval(0.0, 1.0)
boolean = Constraint("Boolean", lambda x: (x == 0) | (x == 1))
simplex = Constraint("Simplex", lambda x: (x >= 0).all(-1) & ((x.sum(-1) - 1).abs() < 1e-6), 1)


# ---------------------------------------------------------------- helpers
def _broadcast(*values: Any) -> list[Tensor]:
    """Numbers, arrays and Tensors as Tensors of one shape and one floating-point dtype; numbers take the others'."""
    typed = [v for v in values if hasattr(v, "dtype")]
    dtype = result_type(*typed) if typed else get_default_dtype()
    tensors = [as_tensor(v, dtype if dtype.kind == "f" else get_default_dtype()) for v in values]
    try:
        shape = np.broadcast_shapes(*[t.shape for t in tensors])
    except ValueError as error:
        raise RuntimeError(f"the parameters do not broadcast: {error}") from None
    return [_expanded(t, shape) for t in tensors]


def _expanded(x: Tensor, shape: tuple) -> Tensor:
    return x if x.shape == shape else x.expand(shape)


def _times(p: Any, x: Any) -> Any:
    """p * x, which is 0 where p is 0, whatever x is."""
    return where(p == 0, 0.0, p * where(p == 0, 0.0, x))


def _clamped(p: Tensor) -> Tensor:
    """Probabilities away from 0 and 1 by eps, for their logarithms."""
    eps = float(np.finfo(p.dtype).eps)
    return p.clamp(eps, 1 - eps)


def _finite(log_p: Tensor) -> Tensor:
    """Logarithms of probabilities, and of 0 the lowest number."""
    return log_p.clamp(min=float(np.finfo(log_p.dtype).min))


def _ratio(p: Tensor, log_p: Tensor, q: Tensor, log_q: Tensor) -> Tensor:
    """p * log(p / q) of probabilities and their logarithms: 0 where p is 0, else inf where q is."""
    return _times(p, where(q == 0, math.inf, log_p - log_q))


class _derived:
    """A parameter that is computed from the one that was given, which is an attribute of the same name elsewhere."""

    def __init__(self, compute: Callable) -> None:
        self.compute, self.__doc__ = compute, compute.__doc__

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self if owner is None else self.compute(owner)


# ---------------------------------------------------------------- distributions
class Distribution:
    """The base of distributions: a batch of them, of shape `batch_shape`, whose values have the shape `event_shape`.

    A subclass defines what it can of sample or rsample, log_prob, entropy, mean …; the rest is a NotImplementedError.
    Parameters and values are checked unless validate_args=False: a ValueError names what is wrong.

    >>> normals = tl.distributions.Normal(tl.zeros(3), 1.0)
    >>> normals.batch_shape, normals.sample((2,)).shape
    ((3,), (2, 3))
    >>> tl.distributions.Normal(0.0, -1.0)
    Traceback (most recent call last):
    ValueError: Expected parameter scale ...
    """

    arg_constraints: dict[str, Constraint] = {}
    support: Any = None
    has_rsample = has_enumerate_support = False
    _validate_args = True

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Say whether distributions check parameters and values where validate_args is not given."""
        Distribution._validate_args = bool(value)

    def __init__(self, batch_shape: tuple = (), event_shape: tuple = (), validate_args: bool | None = None) -> None:
        self.batch_shape, self.event_shape = tuple(batch_shape), tuple(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        for name, value in self._given().items() if self._validate_args else ():
            _require(self.arg_constraints[name], value, f"parameter {name}", f"of distribution {self!r} to satisfy the "
                     f"constraint {self.arg_constraints[name]}")

    def _given(self) -> dict[str, Tensor]:
        return {name: vars(self)[name] for name in self.arg_constraints if name in vars(self)}

    def expand(self, batch_shape: tuple, _instance: Any = None) -> Any:
        """The same distributions, repeated to a larger batch_shape."""
        new = object.__new__(type(self))
        vars(new).update(vars(self), batch_shape=tuple(batch_shape))
        for name, value in self._given().items():
            setattr(new, name, _expanded(value, (*batch_shape, *value.shape[len(self.batch_shape):])))
        return new

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values drawn at random, (*sample_shape, *batch_shape, *event_shape); no gradient flows through them."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values drawn at random that depend on the parameters, so that gradients flow to them."""
        raise self._has_no("rsample")

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability (or its density) of a value."""
        raise self._has_no("log_prob")

    def entropy(self) -> Tensor:
        """The entropy, in nats, of batch_shape."""
        raise self._has_no("entropy")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value that is at most `value`."""
        raise self._has_no("cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of cdf: where cdf is `value`."""
        raise self._has_no("icdf")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All possible values, along a new first dimension; with expand=False the batch's dimensions have size 1."""
        raise self._has_no("enumerate_support")

    def perplexity(self) -> Tensor:
        """exp(entropy): how many equally probable values would be as uncertain."""
        return exp(self.entropy())

    mean = property(lambda self: self._lacks("mean"), doc="The mean, of batch_shape.")
    mode = property(lambda self: self._lacks("mode"), doc="The most probable value.")
    variance = property(lambda self: self._lacks("variance"), doc="The variance.")
    stddev = property(lambda self: sqrt(self.variance), doc="The standard deviation.")

    def _has_no(self, name: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} has no {name}")

    def _lacks(self, name: str) -> Any:
        raise self._has_no(name)

    def _shape(self, sample_shape: Any) -> tuple:
        return (*sample_shape, *self.batch_shape, *self.event_shape)

    def _validate_sample(self, value: Any) -> None:
        """A ValueError where `value` is no Tensor, does not broadcast, or is outside the support."""
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError(f"the value of a {type(self).__name__} is a Tensor, not {type(value).__name__}")
        try:
            np.broadcast_shapes(value.shape, self._shape(()))
        except ValueError:
            raise ValueError(f"a value of shape {value.shape} does not broadcast with {self._shape(())}, the "
                             "batch_shape and event_shape") from None
        if self.support is not None:
            _require(self.support, value, "value argument", f"to be within the support ({self.support}) of the "
                     f"distribution {self!r}")

    def __repr__(self) -> str:
        shown = [f"{name}: {x.item() if x.numel() == 1 else x.shape}" for name, x in self._given().items()]
        return f"{type(self).__name__}({', '.join(shown)})"


def _require(constraint: Constraint, value: Tensor, what: str, wish: str) -> None:
    if not constraint.check(value).all():
        raise ValueError(f"Expected {what} (Tensor of shape {value.shape}) {wish}, but found invalid values:\n{value}")


class Normal(Distribution):
    """The normal distribution of mean `loc` and standard deviation `scale`, which broadcast.

    A scale that is not above 0 is a ValueError. Gradients flow to loc and scale through rsample, and through log_prob.

    >>> normal = tl.distributions.Normal(tl.tensor([0.0, 5.0]), 2.0)
    >>> normal.sample((4,)).shape
    (4, 2)
    >>> normal.log_prob(tl.tensor([0.0, 5.0])).exp()  # the density at the mean: 1 / (scale * sqrt(2 pi))
    tensor([0.1995, 0.1995])
    >>> normal.cdf(tl.tensor([0.0, 5.0]))
    tensor([0.5, 0.5])
    """

    arg_constraints = {"loc": real, "scale": positive}
    support, has_rsample = real, True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = _broadcast(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    mean = mode = property(lambda self: self.loc, doc="The mean, which is also the most probable value: loc.")
    stddev = property(lambda self: self.scale, doc="The standard deviation: scale.")
    variance = property(lambda self: self.scale**2, doc="The variance: scale**2.")

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """loc + scale * standard normal numbers."""
        return self.loc + randn(self._shape(sample_shape), dtype=self.loc.dtype) * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """-((value - loc) / scale)**2 / 2 - log(scale) - log(2 pi) / 2"""
        self._validate_sample(value)
        return -0.5 * ((value - self.loc) / self.scale) ** 2 - log(self.scale) - 0.5 * math.log(2 * math.pi)

    def entropy(self) -> Tensor:
        """(1 + log(2 pi)) / 2 + log(scale)"""
        return 0.5 + 0.5 * math.log(2 * math.pi) + log(self.scale)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of what is at most `value`, with all its digits in the lower tail too."""
        self._validate_sample(value)
        return 0.5 * erfc((self.loc - value) / (self.scale * math.sqrt(2)))

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of cdf: where cdf is `value`, -inf for 0 and inf for 1."""
        return self.loc + self.scale * ndtri(value)


class Uniform(Distribution):
    """The uniform distribution: every number from low up to below high has the density 1 / (high - low).

    low and high broadcast; where low is not below high it is a ValueError.

    >>> uniform = tl.distributions.Uniform(0.0, 4.0)
    >>> uniform.mean, uniform.cdf(tl.tensor(1.0))
    (tensor(2.), tensor(0.25))
    >>> uniform.log_prob(tl.tensor(1.0)).exp()
    tensor(0.25)
    """

    arg_constraints = {"low": real, "high": real}
    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = _broadcast(low, high)
        super().__init__(self.low.shape, (), validate_args)
        if self._validate_args and not (self.low < self.high).all():
            raise ValueError(f"Uniform: low is below high, and not {self.low} and {self.high}")

    support = property(lambda self: interval(self.low, self.high), doc="What can be drawn: from low to high.")
    mean = property(lambda self: (self.high + self.low) / 2, doc="The mean, in the middle between low and high.")
    mode = property(lambda self: math.nan * self.high, doc="NaN, as no value is more probable than another.")
    stddev = property(lambda self: (self.high - self.low) / math.sqrt(12), doc="(high - low) / sqrt(12).")
    variance = property(lambda self: (self.high - self.low) ** 2 / 12, doc="The variance: (high - low)**2 / 12.")

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """low + (high - low) * numbers in [0, 1)."""
        return self.low + rand(self._shape(sample_shape), dtype=self.low.dtype) * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        """-log(high - low) in [low, high), elsewhere -inf."""
        self._validate_sample(value)
        inside = (self.low <= value) & (value < self.high)
        return log(inside.to(self.low.dtype)) - self.entropy()

    def entropy(self) -> Tensor:
        """log(high - low)"""
        return log(self.high - self.low)

    def cdf(self, value: Tensor) -> Tensor:
        """How far `value` is from low to high: 0 below, 1 above."""
        self._validate_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        """low + (high - low) * value"""
        return self.low + value * (self.high - self.low)


def _one_of(probs: Any, logits: Any) -> str:
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be given, and not both")
    return "logits" if probs is None else "probs"


class Bernoulli(Distribution):
    """The distribution of a yes or no: 1 with probability `probs`, else 0.

    In place of probs it takes `logits`, the log-odds log(p / (1 - p)); both or neither is a ValueError, and so is a
    probability outside [0, 1].

    >>> coin = tl.distributions.Bernoulli(probs=tl.tensor(0.25))
    >>> coin.mean, coin.variance
    (tensor(0.25), tensor(0.1875))
    >>> coin.log_prob(tl.tensor([0.0, 1.0])).exp()
    tensor([0.75, 0.25])
    """

    arg_constraints = {"probs": unit_interval, "logits": real}
    support, has_enumerate_support = boolean, True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        (given,) = _broadcast(logits if probs is None else probs)
        setattr(self, _one_of(probs, logits), given)
        super().__init__(given.shape, (), validate_args)

    @_derived
    def probs(self) -> Tensor:
        """sigmoid(logits)"""
        return sigmoid(self.logits)

    @_derived
    def logits(self) -> Tensor:
        """log(probs / (1 - probs))"""
        return self._logs()[0] - self._logs()[1]

    def _logs(self) -> tuple[Tensor, Tensor]:
        """The logarithms of the probabilities of 1 and of 0."""
        if "logits" in vars(self):
            return logsigmoid(self.logits), logsigmoid(-self.logits)
        p = _clamped(self.probs)
        return log(p), log1p(-p)

    def _both(self) -> tuple[Tensor, Tensor]:
        """The probabilities of 1 and of 0."""
        return self.probs, sigmoid(-self.logits) if "logits" in vars(self) else 1 - self.probs

    mean = property(lambda self: self.probs, doc="The mean: probs.")
    variance = property(lambda self: self._both()[0] * self._both()[1], doc="The variance: probs * (1 - probs).")

    @property
    def mode(self) -> Tensor:
        """The more probable of 0 and 1; NaN where neither is."""
        p = self.probs.detach()
        return where(p == 0.5, math.nan, (p > 0.5).to(p.dtype))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """0 or 1, of the parameter's dtype."""
        with no_grad():
            return bernoulli(_expanded(self.probs, self._shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of 0 or 1."""
        self._validate_sample(value)
        one, zero = self._logs()
        return _times(value, one) + _times(1 - value, zero)

    def entropy(self) -> Tensor:
        """-p log(p) - (1 - p) log(1 - p)"""
        one, zero = (p * _finite(log) for p, log in zip(self._both(), self._logs()))
        return -one - zero

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """The values 0 and 1, (2, *batch_shape)."""
        values = arange(2, dtype=self._given().popitem()[1].dtype).reshape(2, *[1] * len(self.batch_shape))
        return _expanded(values, (2, *self.batch_shape)) if expand else values


class Categorical(Distribution):
    """The distribution of a whole number from 0 to C - 1, with probabilities like `probs`, or like exp(logits).

    probs or logits (*batch_shape, C); both or neither is a ValueError. In reinforcement learning a policy is one, whose
    log_prob(action) is weighed by the return.

    >>> policy = tl.distributions.Categorical(probs=tl.tensor([1.0, 1.0, 2.0]))
    >>> policy.probs
    tensor([0.25, 0.25, 0.5 ])
    >>> policy.log_prob(tl.tensor(2)).exp()
    tensor(0.5)
    >>> policy.sample((5,)).dtype
    dtype('int64')
    """

    arg_constraints = {"probs": simplex, "logits": real_vector}
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        name = _one_of(probs, logits)
        (given,) = _broadcast(logits if probs is None else probs)
        if given.ndim < 1:
            raise ValueError(f"Categorical: {name} has at least one dimension, that of the numbers to choose from")
        given = log_softmax(given, -1) if probs is None else given / given.sum(-1, keepdim=True)
        setattr(self, name, given)
        self._count = given.shape[-1]
        super().__init__(given.shape[:-1], (), validate_args)

    @_derived
    def probs(self) -> Tensor:
        """softmax(logits)"""
        return softmax(self.logits, -1)

    @_derived
    def logits(self) -> Tensor:
        """log(probs)"""
        return log(_clamped(self.probs))

    support = property(lambda self: integer_interval(0, self._count - 1), doc="The whole numbers below C.")
    mean = variance = property(lambda self: full_like(self._given().popitem()[1][..., 0], math.nan),
                               doc="NaN: the numbers are names.")
    mode = property(lambda self: argmax(self._given().popitem()[1], -1), doc="The most probable class.")

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Numbers drawn in proportion to the probabilities, int64."""
        with no_grad():
            rows = self.probs.reshape(math.prod(self.batch_shape), self._count)
            drawn = multinomial(rows, math.prod(sample_shape), replacement=True)  # (rows, samples)
            return drawn.T.reshape(self._shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of a number from 0 to C - 1."""
        self._validate_sample(value)
        shape = np.broadcast_shapes(value.shape, self.batch_shape)
        index = _expanded(value.long(), shape).unsqueeze(-1)
        return gather(_expanded(self.logits, (*shape, self._count)), -1, index).squeeze(-1)

    def entropy(self) -> Tensor:
        """-sum of p log(p)"""
        return -(self.probs * _finite(self.logits)).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """The numbers from 0 to C - 1, (C, *batch_shape)."""
        values = arange(self._count).reshape(self._count, *[1] * len(self.batch_shape))
        return _expanded(values, (self._count, *self.batch_shape)) if expand else values


# ---------------------------------------------------------------- divergence
_KL: dict[tuple[type, type], Callable] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Callable], Callable]:
    """Decorator for a function of p and q that computes kl_divergence of these two kinds of distributions.

    >>> class Exponential(tl.distributions.Distribution):
    ...     def __init__(self, rate):
    ...         self.rate = rate
    ...         super().__init__(rate.shape)
    >>> @tl.distributions.register_kl(Exponential, Exponential)
    ... def of_exponentials(p, q):
    ...     return tl.log(p.rate / q.rate) + q.rate / p.rate - 1
    >>> tl.distributions.kl_divergence(Exponential(tl.tensor(2.0)), Exponential(tl.tensor(1.0)))
    tensor(0.1931)
    """
    def register(function: Callable) -> Callable:
        _KL[type_p, type_q] = function
        return function

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The Kullback-Leibler divergence of p from q: the mean of log p(x) - log q(x) for x drawn from p.

    It has the batch_shape that both broadcast to; it is 0 where they are the same, and inf where q excludes what p does
    not. Two kinds of distributions that nobody gave to `register_kl` are a NotImplementedError.

    >>> p, q = tl.distributions.Normal(1.0, 1.0), tl.distributions.Normal(0.0, 1.0)
    >>> tl.distributions.kl_divergence(p, q)  # half the squared distance of the means
    tensor(0.5)
    """
    for kind_p in type(p).__mro__:
        for kind_q in type(q).__mro__:
            if (kind_p, kind_q) in _KL:
                return _KL[kind_p, kind_q](p, q)
    raise NotImplementedError(f"kl_divergence of a {type(p).__name__} from a {type(q).__name__}: give the function to "
                              "register_kl")


@register_kl(Normal, Normal)
def _normals(p: Normal, q: Normal) -> Tensor:
    return 0.5 * ((p.scale / q.scale) ** 2 + ((p.loc - q.loc) / q.scale) ** 2 - 1) + log(q.scale / p.scale)


@register_kl(Uniform, Uniform)
def _uniforms(p: Uniform, q: Uniform) -> Tensor:
    return where((q.low > p.low) | (q.high < p.high), math.inf, log((q.high - q.low) / (p.high - p.low)))


@register_kl(Bernoulli, Bernoulli)
def _bernoullis(p: Bernoulli, q: Bernoulli) -> Tensor:
    one, zero = map(_ratio, p._both(), p._logs(), q._both(), q._logs())
    return one + zero


@register_kl(Categorical, Categorical)
def _categoricals(p: Categorical, q: Categorical) -> Tensor:
    return _ratio(p.probs, p.logits, q.probs, q.logits).sum(-1)
