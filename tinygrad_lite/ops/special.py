"""The gamma function and its kin, and the inverse of the error function."""

import math

import numpy as np

from ..engine.dtypes import promote_float
from ..engine.halves import in_float32
from ..engine.mode import opaque
from ..engine.tape import primitive
from ..engine.values import as_array
from .elementwise import exp
from .transcendental import _quantile

BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)  # B_2, B_4, …
FAR = 12  # from here on the series in 1 / x has all digits


def _each(function, x):
    """A function of Python numbers, of each element."""
    x = as_array(x)
    return np.vectorize(function, otypes=[float])(x).astype(x.dtype)


def _log_gamma(x):
    if x == -math.inf or x <= 0 and x == math.floor(x):
        return math.inf
    return math.lgamma(x)


def _gamma_of(x):
    if x == -math.inf or x <= 0 and x == math.floor(x):
        return math.nan if x else math.copysign(math.inf, x)
    try:
        return math.gamma(x)
    except OverflowError:
        return math.inf


@opaque
def _lgamma(x):
    """log |gamma(x)|, of a whole number log((x - 1)!); inf at 0, -1, -2, …

    >>> x = tl.tensor([1.0, 3.0, 5.0])
    >>> tl.lgamma(x)  # log(1), log(2), log(24)
    tensor([0.    , 0.6931, 3.1781])
    """
    return _each(_log_gamma, x)


@opaque
def _gamma(x):
    """The gamma function, the integral of t^(x - 1) exp(-t) from 0 to inf: (x - 1)! of a whole number.

    It is NaN at -1, -2, … In float32 it is inf from 36 on, where `tl.lgamma` still has its logarithm.

    >>> x = tl.tensor([1.0, 2.0, 3.0, 5.0])
    >>> tl.gamma(x)
    tensor([ 1.,  1.,  2., 24.])
    """
    return _each(_gamma_of, x)


@opaque
def _polygamma(n, x):
    """The n-th derivative of digamma; NaN at -1, -2, …, where it has poles."""
    single = x.dtype
    x = x.astype(np.float64)
    pole = (x <= 0) & (x == np.floor(x))
    below = x < 0.5
    found = _above(np.where(below, 1 - x, x), n)  # reflected: psi(1 - x) - psi(x) = pi cot(pi x), and its derivatives
    if below.any():
        found = np.where(below, (-1) ** n * (found - _cotangent(np.where(pole | ~below, 0.25, x), n)), found)
    at_zero = np.where(x == 0, np.copysign(np.inf, -x) if n % 2 == 0 else np.inf, np.nan)
    return np.where(pole, at_zero, found).astype(single)


def _above(x, n):
    """For x >= 0.5: steps of 1 up to where the asymptotic series is exact (Abramowitz and Stegun, 6.3.18, 6.4.11)."""
    total = np.zeros_like(x)
    for _ in range(FAR):
        near = x < FAR
        total += np.where(near, 1 / np.where(near, x, 1.0) ** (n + 1), 0.0)
        x = np.where(near, x + 1, x)
    sign, factorial = (-1) ** (n + 1), math.factorial(n)
    if n == 0:
        series = np.log(x) - 0.5 / x - sum(b / (2 * k * x ** (2 * k)) for k, b in enumerate(BERNOULLI, 1))
        return series - total
    series = math.factorial(n - 1) / x**n + factorial / (2 * x ** (n + 1)) + sum(
        b * math.factorial(2 * k + n - 1) / (math.factorial(2 * k) * x ** (2 * k + n))
        for k, b in enumerate(BERNOULLI, 1))
    return sign * (series + factorial * total)


def _cotangent(x, n):
    """The n-th derivative of -pi cot(pi (1 - x)) by 1 - x: a polynomial in the cotangent c, for c' = -pi (1 + c^2)."""
    c = 1 / np.tan(np.pi * (x - np.round(x)))
    polynomial = np.polynomial.Polynomial([0, np.pi])
    for _ in range(n):
        polynomial = polynomial.deriv() * np.polynomial.Polynomial([-np.pi, 0, -np.pi])
    return sum(a * c**k for k, a in enumerate(polynomial.coef)) * (-1) ** n


def _erfinv_of(y):
    if not -1 <= y <= 1:
        return math.nan
    if abs(y) > 0.5:
        return math.copysign(-_quantile((1 - abs(y)) / 2) / math.sqrt(2), y)
    x = y * math.sqrt(math.pi) / 2
    for _ in range(4):  # Newton's steps
        x -= (math.erf(x) - y) * math.sqrt(math.pi) / 2 * math.exp(x * x)
    return x


@opaque
def _erfinv(y):
    """The number whose error function is y, which is what `tl.erf` makes of it; NaN for y outside [-1, 1].

    >>> y = tl.tensor([0.0, 0.5, 1.0])
    >>> tl.erfinv(y)
    tensor([0.    , 0.4769,    inf])
    """
    return _each(_erfinv_of, y)


def _function(forward, *rules):
    return primitive(in_float32(forward), *rules, promote=promote_float)


lgamma = _function(_lgamma, lambda g, out, x: g * digamma(x))
gamma = _function(_gamma, lambda g, out, x: g * out * digamma(x))
_polygamma_of = primitive(in_float32(_polygamma), None, lambda g, out, n, x: g * polygamma(n + 1, x),
                          promote=lambda n, x: [n, *promote_float(x)], name="polygamma", elementwise=True)
erfinv = _function(_erfinv, lambda g, out, y: g * (math.sqrt(math.pi) / 2) * exp(out * out))


def digamma(x):
    """The derivative of lgamma, gamma'(x) / gamma(x); NaN at -1, -2, …, where it has poles.

    >>> x = tl.tensor([1.0, 2.0])
    >>> tl.digamma(x)
    tensor([-0.5772,  0.4228])
    """
    return polygamma(0, x)


def polygamma(n, x):
    """The n-th derivative of digamma, n = 0, 1, 2, … (else a RuntimeError); NaN at -1, -2, …

    >>> x = tl.tensor([1.0, 2.0])
    >>> tl.polygamma(1, x)  # pi^2 / 6, and 1 less
    tensor([1.6449, 0.6449])
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise RuntimeError(f"polygamma: n is a whole number of at least 0, not {n!r}")
    return _polygamma_of(int(n), x)
