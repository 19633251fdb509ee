"""The discrete Fourier transform of real numbers and its inverse, `np.fft.rfft` and `irfft`, with gradients.

Tensors are real: a complex result is a pair of them, `Complex`, which adds, multiplies and divides as numpy's do.
"""

from typing import Any

import numpy as np

from . import ops
from .engine.tape import primitive
from .engine.values import Value
from .ops.arguments import dim_of


# ---------------------------------------------------------------- complex numbers
class Complex:
    """Complex numbers, as a Tensor of their real parts and one of their imaginary parts.

    They add, multiply and divide, with each other and with numbers. Gradients flow through that, and through abs(z),
    z.real and z.imag, which are Tensors.

    >>> z = tl.fourier.Complex(tl.tensor([3.0]), tl.tensor([4.0]))
    >>> abs(z)
    tensor([5.])
    >>> z * 1j
    Complex(real=tensor([-4.]), imag=tensor([3.]))
    """

    def __init__(self, real: Any, imag: Any) -> None:
        self.real, self.imag = real, imag

    shape = property(lambda self: self.real.shape, doc="The sizes, a tuple.")
    ndim = property(lambda self: self.real.ndim, doc="How many dimensions.")

    def conj(self) -> "Complex":
        """The same numbers with the sign of their imaginary parts changed."""
        return Complex(self.real, -self.imag)

    def __abs__(self) -> Any:
        return ops.hypot(self.real, self.imag)

    def __neg__(self) -> "Complex":
        return Complex(-self.real, -self.imag)

    def __add__(self, other: Any) -> "Complex":
        real, imag = parts_of(other)
        return Complex(self.real + real, self.imag + imag)

    def __sub__(self, other: Any) -> "Complex":
        return self + -as_complex(other)

    def __rsub__(self, other: Any) -> "Complex":
        return -self + other

    def __mul__(self, other: Any) -> "Complex":
        real, imag = parts_of(other)
        return Complex(self.real * real - self.imag * imag, self.real * imag + self.imag * real)

    def __truediv__(self, other: Any) -> "Complex":
        real, imag = parts_of(other)
        size = real * real + imag * imag
        found = self * Complex(real, -imag)
        return Complex(found.real / size, found.imag / size)

    def __rtruediv__(self, other: Any) -> "Complex":
        return as_complex(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __getitem__(self, index: Any) -> "Complex":
        return Complex(self.real[index], self.imag[index])

    def sum(self, axis: Any = None) -> "Complex":
        """The sum over axes (all without)."""
        return Complex(ops.sum(self.real, axis), ops.sum(self.imag, axis))

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.real) + 1j * np.asarray(self.imag)

    def __repr__(self) -> str:
        return f"Complex(real={self.real!r}, imag={self.imag!r})"

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if ufunc not in UFUNCS or method != "__call__" or kwargs:
            raise TypeError(f"np.{ufunc.__name__}: is not computed of complex numbers with gradients; use .real, .imag "
                            "and abs()")
        return UFUNCS[ufunc](*inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function not in FUNCTIONS:
            raise TypeError(f"np.{function.__name__}: is not computed of complex numbers with gradients; use .real, "
                            ".imag and abs()")
        return FUNCTIONS[function](*args, **kwargs)


def parts_of(x: Any) -> tuple:
    """The pair of the real and the imaginary parts of a number, an array, a Tensor or a `Complex`.

    The imaginary part of what is real is the number 0.0.

    >>> tl.fourier.parts_of(3 + 4j)
    (3.0, 4.0)
    >>> tl.fourier.parts_of(tl.tensor([1.0, 2.0]))
    (tensor([1., 2.]), 0.0)
    """
    return (x.real, x.imag) if isinstance(x, (Complex, complex)) or np.iscomplexobj(x) else (x, 0.0)


def as_complex(x: Any) -> Complex:
    """Numbers of any kind (an array, a Tensor, a number) as a `Complex`, which is given back as it is.

    >>> tl.fourier.as_complex(tl.tensor([1.0, 2.0]))
    Complex(real=tensor([1., 2.]), imag=0.0)
    """
    return x if isinstance(x, Complex) else Complex(*parts_of(x))


# ---------------------------------------------------------------- the transforms
def _rfft(x, dim):
    found = np.fft.rfft(x, axis=dim).astype(np.result_type(x.dtype, np.complex64), copy=False)
    return np.stack([found.real, found.imag], -1)


def _irfft(z, n, dim):
    return np.fft.irfft(z[..., 0] + 1j * z[..., 1], n, dim).astype(z.dtype, copy=False)


def _counts(n, dim, ndim, dtype):
    """How often each frequency of n real numbers occurs among all n: once the first, and the last of an even n."""
    count = np.full(n // 2 + 1, 2.0, dtype)
    count[0] = 1
    if n % 2 == 0:
        count[-1] = 1
    return count.reshape([-1 if d == dim else 1 for d in range(ndim)] + [1])


def _rfft_rule(g, out, x, dim):
    n = x.shape[dim]
    return _inverse(g * (n / _counts(n, dim, x.ndim, x.dtype)), n, dim)


def _irfft_rule(g, out, z, n, dim):
    return _transform(g, dim) * (_counts(n, dim, g.ndim, z.dtype) / n)


_transform = primitive(_rfft, _rfft_rule, name="rfft")
_inverse = primitive(_irfft, _irfft_rule, name="irfft")
SCALES = {None: 0.0, "backward": 0.0, "ortho": 0.5, "forward": 1.0}  # the power of n that the transform is divided by


def _scale(name: str, norm: Any, n: int) -> float:
    if norm not in SCALES:
        raise ValueError(f"{name}: norm is 'backward', 'ortho' or 'forward', not {norm!r}")
    return float(n) ** SCALES[norm]


def _of_size(x: Any, n: int, dim: int) -> Any:
    """x cut off, or with zeros behind it, along a dimension."""
    return x if x.shape[dim] == n else ops.pad(x, [0, 0] * (x.ndim - 1 - dim) + [0, n - x.shape[dim]])


def rfft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Complex:
    """The discrete Fourier transform of real numbers along an axis: sum(x[t] * exp(-2j * pi * k * t / n)) for each k.

    The result is a `Complex` of the n // 2 + 1 frequencies k that are not mirrors of others. n, the size along the axis
    unless given: x is cut off, or zeros are put behind it. norm: "backward" (no factor, unless given), "ortho"
    (1 / sqrt(n)) or "forward" (1 / n); another is a ValueError.

    >>> x = tl.tensor([1.0, 0.0, -1.0, 0.0])  # one wave in 4 steps
    >>> tl.fourier.rfft(x).real
    tensor([0., 2., 0.])
    """
    dim = dim_of(x, axis)
    n = x.shape[dim] if n is None else n
    found = _transform(_of_size(x, n, dim), dim) / _scale("rfft", norm, n)
    return Complex(found[..., 0], found[..., 1])


def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `rfft`: n real numbers from the m frequencies along an axis.

    n is 2 * (m - 1) unless given: say it where it is odd. norm must be the one that `rfft` was given.

    >>> x = tl.tensor([1.0, 2.0, 3.0])
    >>> tl.fourier.irfft(tl.fourier.rfft(x), n=3).round(decimals=3)
    tensor([1., 2., 3.])
    """
    a = as_complex(a)
    real: Any = a.real if isinstance(a.real, Value) else np.asarray(a.real)
    z = ops.stack([real, a.imag + real * 0.0], -1)
    dim = dim_of(real, axis)
    n = 2 * (real.shape[dim] - 1) if n is None else n
    return _inverse(_of_size(z, n // 2 + 1, dim), n, dim) * _scale("irfft", norm, n)


UFUNCS: dict[Any, Any] = {
    np.add: lambda a, b: as_complex(a) + b, np.subtract: lambda a, b: as_complex(a) - b,
    np.multiply: lambda a, b: as_complex(a) * b, np.true_divide: lambda a, b: as_complex(a) / b,
    np.negative: lambda a: -a, np.absolute: abs, np.conjugate: Complex.conj, np.square: lambda a: a * a,
    np.exp: lambda a: Complex(ops.exp(a.real) * ops.cos(a.imag), ops.exp(a.real) * ops.sin(a.imag))}
FUNCTIONS: dict[Any, Any] = {
    np.real: lambda a: a.real, np.imag: lambda a: a.imag, np.sum: Complex.sum, np.fft.irfft: irfft,
    np.angle: lambda a: ops.atan2(a.imag, a.real), np.iscomplexobj: lambda a: True, np.shape: lambda a: a.shape,
    np.ndim: lambda a: a.ndim}
