"""Elementwise primitives: one numpy forward and one rule an argument each."""

import functools
import operator

import numpy as np

from ..tape import primitive

RANK = {"b": 0, "u": 1, "i": 1, "f": 2}
SCALARS = {bool: np.dtype(bool), int: np.dtype(np.int64), float: np.dtype(np.float32)}


def _wider(a: np.dtype, b: np.dtype) -> np.dtype:
    """The common dtype of two; an integer never widens a float (numpy would make float64)."""
    if RANK[a.kind] != RANK[b.kind]:
        return a if RANK[a.kind] > RANK[b.kind] else b
    return np.promote_types(a, b)


def result_type(*operands) -> np.dtype:
    """PyTorch's promotion: tensors with dimensions decide, then 0-d tensors, then Python scalars;
    a later group counts only where it is of a higher category (bool < integer < float)."""
    groups: tuple[list, list, list] = ([], [], [])
    for x in operands:
        if type(x) in SCALARS:
            groups[2].append(SCALARS[type(x)])
        elif isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in RANK:
            groups[0 if x.ndim else 1].append(x.dtype)
        else:
            raise TypeError(f"{getattr(x, 'dtype', type(x).__name__)} is no real number or tensor of real numbers")
    winner = None
    for group in groups:
        if group:
            dtype = functools.reduce(_wider, group)
            if winner is None or RANK[dtype.kind] > RANK[winner.kind]:
                winner = dtype
    assert winner is not None
    return winner


def promote(*operands):
    """The operands as arrays of their `result_type`; Python scalars of no higher category stay."""
    if len(operands) == 2:  # the common case, decided fast: numpy keeps a float array's dtype too
        x, y = operands
        if type(y) in SCALARS and x.dtype.kind == "f" or type(x) in SCALARS and y.dtype.kind == "f":
            return operands
    operands = tuple(x.item() if isinstance(x, np.generic) else x for x in operands)
    dtype = result_type(*operands)
    return [x.astype(dtype, copy=False) if isinstance(x, np.ndarray) else dtype.type(x) for x in operands]


def _promote_float(*operands):
    """As `promote`, but whole numbers become float32, as PyTorch's division and exp do."""
    operands = promote(*operands)
    if operands[0].dtype.kind != "f":
        return [np.asarray(x, np.float32) for x in operands]
    return operands


def _sigmoid(x):
    e = np.exp(-np.abs(x))  # the exponent is never positive, so nothing overflows
    return np.where(x >= 0, 1, e) / (1 + e)


def _relu(x):
    return np.maximum(x, 0)


def _where(condition, x, y):
    return np.where(condition, x, y)


add = primitive(np.add, lambda g, out, x, y: g, lambda g, out, x, y: g, promote=promote)
sub = primitive(np.subtract, lambda g, out, x, y: g, lambda g, out, x, y: -g, promote=promote)
mul = primitive(np.multiply, lambda g, out, x, y: g * y, lambda g, out, x, y: g * x, promote=promote)
div = primitive(np.true_divide,
                lambda g, out, x, y: g / y,
                lambda g, out, x, y: -g * out / y, promote=_promote_float)
_pow = primitive(operator.pow,
                 lambda g, out, x, y: g * where(y == 0, 0.0, y * x ** where(y == 0, 1.0, y - 1)),
                 lambda g, out, x, y: g * where((x == 0) & (y >= 0), 0.0, out * log(where(x == 0, 1.0, x))),
                 promote=promote)


def _to_the(x, p):
    return promote(x, p)[0] ** p  # numpy squares for p = 2, and takes the root for 0.5


pow_scalar = primitive(_to_the, lambda g, out, x, p: g * (p * x ** (p - 1)) if p else g * 0.0, None)


def pow(x, exponent):
    """x to the power of a number or a tensor; 0 to the 0 is 1, and has gradient 0."""
    if isinstance(exponent, (bool, int, float)):
        return pow_scalar(x, exponent)
    return _pow(x, exponent)


maximum = primitive(np.maximum,
                    lambda g, out, x, y: g * (x > y) + 0.5 * g * (x == y),
                    lambda g, out, x, y: g * (y > x) + 0.5 * g * (x == y), promote=promote)
minimum = primitive(np.minimum,
                    lambda g, out, x, y: g * (x < y) + 0.5 * g * (x == y),
                    lambda g, out, x, y: g * (y < x) + 0.5 * g * (x == y), promote=promote)
neg = primitive(np.negative, lambda g, out, x: -g)
abs = primitive(np.abs, lambda g, out, x: g * sign(x))
exp = primitive(np.exp, lambda g, out, x: g * out, promote=_promote_float)
log = primitive(np.log, lambda g, out, x: g / x, promote=_promote_float)
sqrt = primitive(np.sqrt, lambda g, out, x: g / (2 * out), promote=_promote_float)
tanh = primitive(np.tanh, lambda g, out, x: g * (1 - out * out), promote=_promote_float)
sigmoid = primitive(_sigmoid, lambda g, out, x: g * out * (1 - out), promote=_promote_float)
relu = primitive(_relu, lambda g, out, x: g * (out > 0))
where = primitive(_where, None,
                  lambda g, out, c, x, y: where(c, g, 0.0),
                  lambda g, out, c, x, y: where(c, 0.0, g),
                  promote=lambda c, x, y: [c, *promote(x, y)])

# constant almost everywhere, so without a rule
sign = primitive(np.sign, None)
floor_divide = primitive(np.floor_divide, None, None, promote=promote)
remainder = primitive(np.remainder,
                      lambda g, out, x, y: g,
                      lambda g, out, x, y: -g * floor_divide(x, y), promote=promote)
eq = primitive(np.equal, None, None, promote=promote)
ne = primitive(np.not_equal, None, None, promote=promote)
lt = primitive(np.less, None, None, promote=promote)
le = primitive(np.less_equal, None, None, promote=promote)
gt = primitive(np.greater, None, None, promote=promote)
ge = primitive(np.greater_equal, None, None, promote=promote)
bitwise_and = primitive(np.bitwise_and, None, None, promote=promote)
bitwise_or = primitive(np.bitwise_or, None, None, promote=promote)
bitwise_xor = primitive(np.bitwise_xor, None, None, promote=promote)
bitwise_not = primitive(np.bitwise_not, None)
