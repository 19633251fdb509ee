"""Arithmetic, comparison and rounding, element by element: a numpy forward and a rule an argument."""

import numpy as np

from ..engine.dtypes import RANK, promote, promote_float, result_type
from ..engine.halves import in_float32
from ..engine.mode import mode
from ..engine.tape import primitive
from ..engine.values import converted

MANY = 1024  # elements
BITS = {np.dtype(f"f{n}"): np.dtype(f"i{n}") for n in (2, 4, 8)}


def _zero(g, out, x):
    return g * 0.0  # constant almost everywhere


# ---------------------------------------------------------------- arithmetic
def _reciprocal(x):
    """1 / x, of each element; whole numbers become floats.

    >>> x = tl.tensor([2.0, 4.0, 0.0])
    >>> tl.reciprocal(x)
    tensor([0.5 , 0.25,  inf])
    """
    return 1 / x


def _where(condition, x, y):
    """x where the condition is true, else y.

    Many numbers are chosen by their bits, as whole numbers that are multiplied with the condition: `np.where` takes ten
    times as long where the condition keeps changing.
    """
    if isinstance(condition, np.ndarray) and condition.dtype.char not in "?B":
        raise ValueError(f"the condition holds bools, not {condition.dtype}; say condition != 0")
    dtype = getattr(x, "dtype", None) or getattr(y, "dtype", None)
    if mode.as_text or dtype not in BITS or getattr(condition, "size", 0) < MANY or condition.dtype != bool:
        return np.where(condition, x, y)
    x, y = (v.view(BITS[dtype]) if isinstance(v, np.ndarray) else np.asarray(v, dtype).view(BITS[dtype])[()]
            for v in (x, y))
    chosen = x * condition if isinstance(y, np.integer) and y == 0 else y + (x - y) * condition
    return chosen.view(dtype)


def _pow_(x, p):
    return promote(x, p)[0] ** p  # numpy squares for p = 2, and takes the root for 0.5


def _pow_each(x, y):
    if not _all_whole(x, y):
        return x**y
    if x.dtype.kind == "b":
        return x | ~y
    if (y >= 0).all():
        return x**y
    return np.where((y >= 0) | (np.abs(x) == 1), x ** np.abs(y), 0)  # PyTorch's whole numbers: 1 / x cut off


def _square(x):
    """x * x, of each element.

    >>> x = tl.tensor([2.0, -3.0])
    >>> tl.square(x)
    tensor([4., 9.])
    """
    return np.square(x) if x.dtype != bool else x.astype(np.int64)


def _no_bools(x, y):
    """As `promote`; bools are subtracted neither from each other nor from numbers, as in PyTorch."""
    for v in (x, y):
        if isinstance(v, bool) or getattr(getattr(v, "dtype", None), "kind", None) == "b":
            raise TypeError("bools have no `-`: use ^ or ~, or convert with .int()")
    return promote(x, y)


def _sign(x):
    """-1, 0 or 1, as each element is below 0, 0 or above 0; bools stay as they are. The gradient is 0 everywhere.

    >>> x = tl.tensor([-2.5, 0.0, 7.0])
    >>> tl.sign(x)
    tensor([-1.,  0.,  1.])
    """
    return np.sign(x) if x.dtype != bool else x


def _all_whole(*numbers):
    return all(getattr(v, "dtype", np.dtype(type(v))).kind in "biu" for v in numbers)


def _refuse_zero(x, y):
    """Whole numbers divided by 0 are an error, as in PyTorch; numpy gives 0."""
    if _all_whole(x, y) and not np.all(y) and 0 not in getattr(x, "shape", ()):
        raise ValueError("a whole number is divided by zero")


def _floor_divide(x, y):
    """x / y rounded down, which is what `x // y` gives; it passes no gradient on.

    Whole numbers divided by 0 are a RuntimeError.

    >>> x = tl.tensor([7.0, -7.0])
    >>> tl.floor_divide(x, 2)
    tensor([ 3., -4.])
    """
    _refuse_zero(x, y)
    return np.floor_divide(x, y)


def _remainder(x, y):
    """x - y * floor(x / y), what is left of a division, which is what `x % y` gives; it has y's sign.

    Whole numbers divided by 0 are a RuntimeError. The remainder with x's sign is `tl.fmod`.

    >>> x = tl.tensor([7.0, -7.0])
    >>> tl.remainder(x, 3)
    tensor([1., 2.])
    """
    _refuse_zero(x, y)
    return np.remainder(x, y)


def _fmod(x, y):
    """x - y * trunc(x / y), what is left of a division; it has x's sign.

    Whole numbers divided by 0 are a RuntimeError. The remainder with y's sign is `tl.remainder`, or %.

    >>> x = tl.tensor([7.0, -7.0])
    >>> tl.fmod(x, 3)
    tensor([ 1., -1.])
    """
    _refuse_zero(x, y)
    return np.fmod(x, y)


_add = primitive(np.add, lambda g, out, x, y: g, lambda g, out, x, y: g, promote=promote)
_sub = primitive(np.subtract, lambda g, out, x, y: g, lambda g, out, x, y: -g, promote=_no_bools, name="sub")
mul = primitive(np.multiply, lambda g, out, x, y: g * y, lambda g, out, x, y: g * x, promote=promote)
_div = primitive(np.true_divide,
                 lambda g, out, x, y: g / y,
                 lambda g, out, x, y: -g * (x / y) / y, promote=promote_float, name="div")
_pow = primitive(_pow_each,
                 lambda g, out, x, y: g * where(y == 0, 0.0, y * x ** where(y == 0, 1.0, y - 1)),
                 lambda g, out, x, y: g * where((x == 0) & (y >= 0), 0.0,
                                                out * log(where((x == 0) & (y >= 0), 1.0, x))),
                 promote=promote, name="pow")
_pow_scalar = primitive(_pow_, lambda g, out, x, p: g * (p * x ** (p - 1)) if p else g * 0.0, None, elementwise=True)
neg = primitive(np.negative, lambda g, out, x: -g)
abs = primitive(np.abs, lambda g, out, x: g * sign(x))
sign = primitive(_sign, _zero)
reciprocal = primitive(_reciprocal, lambda g, out, x: -g * out * out, promote=promote_float)
square = primitive(_square, lambda g, out, x: g * (2 * x))
exp = primitive(np.exp, lambda g, out, x: g * out, promote=promote_float)
log = primitive(np.log, lambda g, out, x: g / x, promote=promote_float)
sqrt = primitive(np.sqrt, lambda g, out, x: g / (2 * out), promote=promote_float)
maximum = primitive(np.maximum,
                    lambda g, out, x, y: where(x < y, 0.0, where(x == y, 0.5 * g, g)),  # of NaN both
                    lambda g, out, x, y: where(y < x, 0.0, where(x == y, 0.5 * g, g)), promote=promote)
minimum = primitive(np.minimum,
                    lambda g, out, x, y: where(x > y, 0.0, where(x == y, 0.5 * g, g)),
                    lambda g, out, x, y: where(y > x, 0.0, where(x == y, 0.5 * g, g)), promote=promote)
fmax = primitive(np.fmax,
                 lambda g, out, x, y: where((x >= y) | isnan(y), g, 0.0),
                 lambda g, out, x, y: where((x >= y) | isnan(y), 0.0, g), promote=promote)
fmin = primitive(np.fmin,
                 lambda g, out, x, y: where((x <= y) | isnan(y), g, 0.0),
                 lambda g, out, x, y: where((x <= y) | isnan(y), 0.0, g), promote=promote)
floor_divide = primitive(_floor_divide, None, None, promote=promote)
remainder = primitive(_remainder,
                      lambda g, out, x, y: g,
                      lambda g, out, x, y: -g * floor_divide(x, y), promote=promote)
fmod = primitive(_fmod,
                 lambda g, out, x, y: g,
                 lambda g, out, x, y: -g * trunc(x / y), promote=promote)
copysign = primitive(np.copysign, lambda g, out, x, y: g * sign(x) * sign(out), lambda g, out, x, y: g * 0.0,
                     promote=promote_float)
where = primitive(_where, None,
                  lambda g, out, c, x, y: where(c, g, 0.0),
                  lambda g, out, c, x, y: where(c, 0.0, g),
                  promote=lambda c, x, y: [c, *promote(x, y)])


def _scaled(name, y, alpha, *beside, word="alpha"):
    """alpha * y, which a sum has beside others: alpha is of no higher kind than the result, for it changes no dtype."""
    if alpha.__class__ is int and alpha == 1:
        return y
    dtype = result_type(y, *beside)
    if isinstance(alpha, bool) and dtype.kind != "b" or RANK[np.result_type(alpha).kind] > max(RANK[dtype.kind], 1):
        raise RuntimeError(f"{name}: {word} is {alpha!r}, a {type(alpha).__name__}, but the result is of {dtype}")
    alpha = bool(alpha) if dtype.kind == "b" else alpha
    return (converted(y, dtype) if hasattr(y, "dtype") else y) * alpha


def add(x, y, *, alpha=1):
    """x + alpha * y, element by element; `x + y` is the same with alpha = 1.

    Shapes broadcast and dtypes are promoted. A float alpha with whole numbers is a RuntimeError.

    >>> x, y = tl.tensor([1.0, 2.0]), tl.tensor([10.0, 20.0])
    >>> tl.add(x, y, alpha=2)
    tensor([21., 42.])
    """
    return _add(x, _scaled("add", y, alpha, x))


def sub(x, y, *, alpha=1):
    """x - alpha * y, element by element; `x - y` is the same with alpha = 1.

    Shapes broadcast and dtypes are promoted. Bools are a TypeError (^ tells where they differ), and a float alpha with
    whole numbers is a RuntimeError.

    >>> x, y = tl.tensor([1.0, 2.0]), tl.tensor([10.0, 20.0])
    >>> tl.sub(x, y, alpha=2)
    tensor([-19., -38.])
    """
    return _sub(x, _scaled("sub", y, alpha, x))


def div(x, y, *, rounding_mode=None):
    """x / y, element by element; whole numbers become floats unless the result is rounded.

    rounding_mode "floor" rounds down, "trunc" towards 0; any other is a ValueError. A rounded result passes no gradient
    on; whole numbers stay whole in it, and divided by 0 they are a RuntimeError.

    >>> x, whole = tl.tensor([7.0, -7.0]), tl.tensor([7, -7])
    >>> tl.div(x, 2)
    tensor([ 3.5, -3.5])
    >>> tl.div(whole, 2, rounding_mode="trunc")
    tensor([ 3, -3])
    """
    if rounding_mode is None:
        return _div(x, y)
    if rounding_mode == "floor":
        return floor_divide(x, y)
    if rounding_mode != "trunc":
        raise ValueError(f"div: rounding_mode is None, 'floor' or 'trunc', not {rounding_mode!r}")
    if _all_whole(x, y):
        down = floor_divide(x, y)
        return down + ((down < 0) & (down * y != x))
    return trunc(_div(x, y))


def pow(x, exponent):
    """x to the power of a number or a tensor, which is what `x ** exponent` gives; 0 to the 0 is 1, with gradient 0.

    Where x is below 0, a power that is no whole number is NaN, and so is the gradient of a tensor `exponent`. Whole
    numbers to the power of -1, -2, … are a RuntimeError, but to that of a tensor cut off, which mostly leaves 0.

    >>> x = tl.tensor([1.0, 2.0, 4.0])
    >>> tl.pow(x, tl.tensor([2.0, 3.0, -1.0]))
    tensor([1.  , 8.  , 0.25])
    """
    if isinstance(exponent, bool):
        exponent = np.asarray(exponent)
    if isinstance(exponent, (int, float)):
        return _pow_scalar(x, exponent)
    if isinstance(x, (int, float)):
        x = np.asarray(x, result_type(x, exponent))  # so that its logarithm has the digits of the result
    return _pow(x, exponent)


def _clamp(x, min, max):
    return np.minimum(np.maximum(x, min), max)


def _clamp_min(x, min):
    """Each element of x, but at least `min`, a number or a tensor; where they are equal the gradient is x's.

    >>> x = tl.tensor([-2.0, 0.5, 3.0])
    >>> tl.clamp_min(x, 0)
    tensor([0. , 0.5, 3. ])
    """
    return np.maximum(x, min)


def _clamp_max(x, max):
    """Each element of x, but at most `max`, a number or a tensor; where they are equal the gradient is x's.

    >>> x = tl.tensor([-2.0, 0.5, 3.0])
    >>> tl.clamp_max(x, 1)
    tensor([-2. ,  0.5,  1. ])
    """
    return np.minimum(x, max)


clamp_min = primitive(_clamp_min,
                      lambda g, out, x, min: where(x >= min, g, 0.0),
                      lambda g, out, x, min: where(x < min, g, 0.0), promote=promote)
clamp_max = primitive(_clamp_max,
                      lambda g, out, x, max: where(x <= max, g, 0.0),
                      lambda g, out, x, max: where(x > max, g, 0.0), promote=promote)
_clamp_between = primitive(_clamp,
                           lambda g, out, x, min, max: where((x >= min) & (x <= max), g, 0.0),
                           lambda g, out, x, min, max: where((x < min) & (min <= max), g, 0.0),
                           lambda g, out, x, min, max: where((x > max) | (min > max), g, 0.0), promote=promote)


def clamp(x, min=None, max=None):
    """Each element of x, but at least `min` and at most `max`, which are numbers or tensors.

    At a bound the gradient passes, beyond it is 0. A bound that is None does not hold, and both None are a ValueError;
    where min is above max, max is what comes out.

    >>> x = tl.tensor([-2.0, 0.5, 3.0])
    >>> tl.clamp(x, 0, 1)
    tensor([0. , 0.5, 1. ])
    """
    if min is None and max is None:
        raise ValueError("clamp: at least one of min and max must be given")
    if max is None:
        return clamp_min(x, min)
    return clamp_max(x, max) if min is None else _clamp_between(x, min, max)


def frac(x):
    """x - trunc(x), which is what comes after the point, with x's sign.

    >>> x = tl.tensor([1.25, -1.25])
    >>> tl.frac(x)
    tensor([ 0.25, -0.25])
    """
    return x - trunc(x)


@in_float32
def lerp(start, end, weight):
    """The point on the straight line from start (weight 0) to end (weight 1): start + weight * (end - start).

    weight is a number or a tensor; where it is below 0 or above 1, the point lies beyond the ends.

    >>> x = tl.tensor([0.0, 10.0])
    >>> tl.lerp(x, tl.tensor([10.0, 20.0]), 0.25)
    tensor([ 2.5, 12.5])
    """
    return start + weight * (end - start)


@in_float32
def addcmul(x, tensor1, tensor2, *, value=1):
    """x + value * tensor1 * tensor2, element by element.

    >>> x = tl.tensor([1.0, 2.0])
    >>> tl.addcmul(x, tl.tensor([2.0, 3.0]), tl.tensor([4.0, 5.0]), value=10)
    tensor([ 81., 152.])
    """
    return x + _scaled("addcmul", tensor1, value, x, tensor2, word="value") * tensor2


@in_float32
def addcdiv(x, tensor1, tensor2, *, value=1):
    """x + value * tensor1 / tensor2, element by element: Adam's step, where value is minus the learning rate.

    >>> x = tl.tensor([1.0, 2.0])
    >>> tl.addcdiv(x, tl.tensor([2.0, 3.0]), tl.tensor([4.0, 2.0]), value=10)
    tensor([ 6., 17.])
    """
    return x + _scaled("addcdiv", tensor1, value, x, tensor2, word="value") / tensor2


# ---------------------------------------------------------------- rounding, tests and logic
def _round(x, decimals=0):
    """Each element to the nearest whole number, or to `decimals` places after the point; halves to the even neighbor.

    decimals below 0 round before the point: -2 to hundreds. The gradient is 0 everywhere.

    >>> x = tl.tensor([0.5, 1.5, 2.5, -0.7])
    >>> tl.round(x)
    tensor([ 0.,  2.,  2., -1.])
    """
    return np.round(x, decimals)


def _nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """x with NaN replaced by the number `nan` and the infinities by `posinf` and `neginf`; their gradient is 0.

    posinf and neginf are the largest and the smallest number of x's dtype unless given.

    >>> x = tl.tensor([1.0, tl.nan, tl.inf, -tl.inf])
    >>> tl.nan_to_num(x, posinf=100, neginf=-100)
    tensor([   1.,    0.,  100., -100.])
    """
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


def _signbit(x):
    """Whether the sign of each element is minus, which it is of -0.0 too.

    >>> x = tl.tensor([1.0, -1.0, 0.0, -0.0])
    >>> tl.signbit(x)
    tensor([False,  True, False,  True])
    """
    return np.signbit(x) if x.dtype.kind == "f" else x < 0


def _heaviside(x, values):
    """The step function: 0 where x is below 0, 1 where it is above, and at 0 what the tensor `values` holds there.

    It passes no gradient on.

    >>> x = tl.tensor([-1.5, 0.0, 2.0])
    >>> tl.heaviside(x, tl.tensor([0.5]))
    tensor([0. , 0.5, 1. ])
    """
    return np.where(x == 0, values, x > 0).astype(np.result_type(x, values), copy=False)


floor = primitive(np.floor, _zero)
ceil = primitive(np.ceil, _zero)
trunc = primitive(np.trunc, _zero)
round = primitive(_round, lambda g, out, x, decimals: g * 0.0)
nan_to_num = primitive(_nan_to_num, lambda g, out, x, nan, posinf, neginf: where(isfinite(x), g, 0.0))
isnan = primitive(np.isnan, None)
isinf = primitive(np.isinf, None)
isfinite = primitive(np.isfinite, None)
signbit = primitive(_signbit, None)
heaviside = primitive(_heaviside, None, None, promote=promote)
eq = primitive(np.equal, None, None, promote=promote)
ne = primitive(np.not_equal, None, None, promote=promote)
lt = primitive(np.less, None, None, promote=promote)
le = primitive(np.less_equal, None, None, promote=promote)
gt = primitive(np.greater, None, None, promote=promote)
ge = primitive(np.greater_equal, None, None, promote=promote)
logical_and = primitive(np.logical_and, None, None)
logical_or = primitive(np.logical_or, None, None)
logical_xor = primitive(np.logical_xor, None, None)
logical_not = primitive(np.logical_not, None)
bitwise_and = primitive(np.bitwise_and, None, None, promote=promote)
bitwise_or = primitive(np.bitwise_or, None, None, promote=promote)
bitwise_xor = primitive(np.bitwise_xor, None, None, promote=promote)
bitwise_not = primitive(np.bitwise_not, None)
bitwise_left_shift = primitive(np.left_shift, None, None, promote=promote, name="bitwise_left_shift")
bitwise_right_shift = primitive(np.right_shift, None, None, promote=promote, name="bitwise_right_shift")


def isposinf(x):
    """Whether each element is inf.

    >>> x = tl.tensor([tl.inf, -tl.inf, 1.0])
    >>> tl.isposinf(x)
    tensor([ True, False, False])
    """
    return x == np.inf


def isneginf(x):
    """Whether each element is -inf.

    >>> x = tl.tensor([tl.inf, -tl.inf, 1.0])
    >>> tl.isneginf(x)
    tensor([False,  True, False])
    """
    return x == -np.inf
