"""Every public operation: numpy's word for it, and the inputs that it is tried with.

From a row follow value, gradient, second gradient and dtype (test_table.py), and the comparison with
PyTorch (tests/conformance). Float arrays are differentiated; everything else is a parameter.
"""

import itertools
import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

R = np.random.default_rng(0)


class Sample(NamedTuple):
    """Arguments for one call."""

    args: tuple
    kwargs: dict


class Fixed(np.ndarray):
    """A float array that is not differentiated."""


def fixed(x):
    return x.view(Fixed)


class Row(NamedTuple):
    """An operation's formula in numpy and its samples; `torch` where PyTorch calls it otherwise."""

    formula: Callable
    samples: list[Sample]
    torch: Any = None
    differentiable: bool = True


def S(*args, **kwargs):
    return Sample(args, kwargs)


def n(*shape):
    """Of either sign, no two alike."""
    return R.standard_normal(shape)


def p(*shape):
    """Well above 0."""
    return R.uniform(0.5, 2.0, shape)


def u(*shape):
    """Within (-1, 1)."""
    return R.uniform(-0.9, 0.9, shape)


def i(low, high, *shape):
    """Whole numbers."""
    return R.integers(low, high, shape)


MASK = np.array([[True, False, True], [False, True, True]])


def unary(draw=n):
    """Matrix, 0-d, empty, and not contiguous."""
    return [S(draw(2, 3)), S(draw()), S(draw(0, 3)), S(draw(3, 2).T)]


def binary(left=n, right=n):
    """Broadcast both ways, with 0-d, empty."""
    return [S(left(2, 3), right(3)), S(left(2, 1), right(1, 3)), S(left(), right(2)), S(left(0, 3), right(3))]


def whole():
    return [S(i(0, 8, 2, 3), i(1, 5, 3)), S(i(0, 8, 4), i(1, 5))]


def reduction(draw=n):
    """All, one, several and negative dims, keepdim, empty, 0-d, not contiguous."""
    return [S(draw(2, 3)), S(draw(2, 3), 0), S(draw(2, 3), -1, keepdim=True), S(draw(2, 3, 2), (0, -1)),
            S(draw(3, 2).T, 1), S(draw()), S(draw(2, 3), dim=None, keepdim=True)]


def along(draw=n):
    """One dim, for what takes one only."""
    return [S(draw(4), 0), S(draw(2, 3), 0), S(draw(2, 3), -1), S(draw(2, 3, 2), 1), S(draw(2, 0), 1), S(draw(), 0)]


def numpys(function):
    """A numpy reduction under PyTorch's names."""
    return lambda x, dim=None, keepdim=False: function(x, axis=dim, keepdims=keepdim)


def _norm(x, p=2, dim=None, keepdim=False):
    a = np.abs(x)
    if p in (math.inf, -math.inf):
        return (np.max if p > 0 else np.min)(a, axis=dim, keepdims=keepdim)
    if p == 0:
        return (a != 0).sum(axis=dim, keepdims=keepdim)
    return (a**p).sum(axis=dim, keepdims=keepdim) ** (1 / p)


def _spread(x, dim=None, unbiased=True, keepdim=False, correction=None, root=False):
    ddof = int(unbiased) if correction is None else correction
    return (np.std if root else np.var)(x, axis=dim, keepdims=keepdim, ddof=ddof)


def _soft(x, dim=-1):
    e = np.exp(x - x.max(dim, keepdims=True))
    return e / e.sum(dim, keepdims=True)


def _lower_median(x, dim=None, keepdim=False):
    if dim is None:
        return np.sort(x, axis=None)[(x.size - 1) // 2]
    if not x.ndim:
        return x, np.array(0)
    k = (x.shape[dim] - 1) // 2
    pair = np.take(np.sort(x, dim), [k], dim), np.take(np.argsort(x, dim), [k], dim)
    return pair if keepdim else tuple(a.squeeze(dim) for a in pair)


def _extreme(value, place):
    def formula(x, dim=None, keepdim=False):
        if dim is None:
            return value(x)
        if not x.ndim:
            return x, np.array(0)
        return value(x, axis=dim, keepdims=keepdim), place(x, axis=dim, keepdims=keepdim)

    return formula


def _pad(x, pad, mode="constant", value=None):
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[-2::-2], pad[::-2]))
    if mode == "constant":
        x = x[tuple(slice(max(-a, 0), k - max(-b, 0)) for (a, b), k in zip(pairs, x.shape))]
        return np.pad(x, [(max(a, 0), max(b, 0)) for a, b in pairs], constant_values=value or 0)
    return np.pad(x, pairs, {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode])


def _write(x, dim, index, src, add=False):
    out = x.copy()
    for at in np.ndindex(index.shape):
        to = list(at)
        to[dim] = index[at]
        value = src if np.ndim(src) == 0 else src[at]
        out[tuple(to)] = out[tuple(to)] + value if add else value
    return out


def _gather(x, dim, index):
    out = np.empty(index.shape)
    for at in np.ndindex(index.shape):
        of = list(at)
        of[dim] = index[at]
        out[at] = x[tuple(of)]
    return out


def _index_put(x, index, values, accumulate=False):
    out = x.copy()
    if accumulate:
        np.add.at(out, index, values)
    else:
        out[index] = values
    return out


def torch_number(values, x):
    """A number as a tensor of x's dtype: PyTorch's index_put takes no number."""
    return x.new_tensor(values) if isinstance(values, float) else values


def _summed_to(x, *size):
    size = size[0] if isinstance(size[0], tuple) else size
    grown = (1,) * (x.ndim - len(size)) + size
    return x.sum(tuple(d for d, k in enumerate(grown) if k == 1), keepdims=True).reshape(size)


def _discounted(x, factor, dim):
    out, factor = np.moveaxis(x.copy(), dim, 0), np.moveaxis(np.broadcast_to(factor, x.shape), dim, 0)
    for k in range(1, len(out)):
        out[k] += factor[k] * out[k - 1]
    return np.moveaxis(out, 0, dim)


def _index_add(x, dim, index, source, alpha=1):
    out = x.copy()
    for k, j in enumerate(index):
        at = (slice(None),) * (dim % x.ndim)
        out[(*at, j)] += alpha * source[(*at, k)]
    return out


def _pieces(x, sizes, dim=0):
    ends = np.arange(sizes, x.shape[dim], sizes) if isinstance(sizes, int) else np.cumsum(sizes)[:-1]
    return tuple(np.split(x, ends, dim))


def _chunk(x, chunks, dim=0):
    return _pieces(x, -(-x.shape[dim] // chunks), dim)


def _sort(x, dim=-1, descending=False, stable=False):
    if not x.ndim:
        return x, np.array(0)
    order = np.argsort(-x if descending else x, axis=dim, kind="stable")
    return np.take_along_axis(x, order, dim), order


def _topk(x, k, dim=-1, largest=True, sorted=True):
    return tuple(np.take(a, range(k), dim) for a in _sort(x, dim, largest))


def _spd(*shape):
    a = R.standard_normal(shape)
    return a @ a.swapaxes(-1, -2) + np.eye(shape[-1])


def _slog(x):
    return tuple(np.linalg.slogdet(x))


def _svd(x):
    return tuple(np.linalg.svd(x, full_matrices=False))


def _solve(x, y, left=True):
    if not left:
        return y @ np.linalg.inv(x)
    return np.linalg.solve(x, y[..., None])[..., 0] if y.ndim == x.ndim - 1 else np.linalg.solve(x, y)


def _solve_triangular(x, y, upper, left=True, unitriangular=False):
    x = (np.triu if upper else np.tril)(x)
    if unitriangular:
        x = x - x * np.eye(x.shape[-1]) + np.eye(x.shape[-1])
    return np.linalg.inv(x) @ y if left else y @ np.linalg.inv(x)


def _running(better):
    def formula(x, dim):
        at = np.empty(x.shape, int)
        for place in np.ndindex(x.shape):
            best = place[dim]
            for k in range(best - 1, -1, -1):
                if better(x[(*place[:dim], k, *place[dim % x.ndim + 1:])], x[(*place[:dim], best, *place[dim % x.ndim + 1:])]):
                    best = k
            at[place] = best
        return np.take_along_axis(x, at, dim), at

    return formula


def _kth(x, k, dim=-1, keepdim=False):
    pair = np.take(np.sort(x, dim), [k - 1], dim), np.take(np.argsort(x, dim), [k - 1], dim)
    return pair if keepdim else tuple(a.squeeze(dim) for a in pair)


def _nan_middle(x, dim=None):
    return np.nanquantile(x, 0.5, dim, method="lower")


def _quantile(function):
    return lambda x, q, dim=None, keepdim=False, interpolation="linear": function(x, q, dim, method=interpolation, keepdims=keepdim)


def _mode(x, dim=-1):
    rows = np.moveaxis(x, dim, -1)
    at = np.empty(rows.shape[:-1], int)
    for place in np.ndindex(at.shape):
        values, counts = np.unique(rows[place], return_counts=True)
        at[place] = np.flatnonzero(rows[place] == values[counts.argmax()])[-1]
    return np.take_along_axis(rows, at[..., None], -1)[..., 0], at


def _reduced_at(x, dim, index, src, reduce, include_self=True):
    out, named = x.copy(), {}
    for at in np.ndindex(index.shape):
        to = list(at)
        to[dim] = index[at]
        named.setdefault(tuple(to), []).append(src[at])
    together = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}[reduce]
    for at, values in named.items():
        out[at] = together([x[at], *values] if include_self else values)
    return out


def _index_written(x, dim, index, source):
    out = np.moveaxis(x.copy(), dim, 0)
    out[index] = np.moveaxis(source, dim, 0) if np.ndim(source) else source
    return np.moveaxis(out, 0, dim)


def _masked_scatter(x, mask, source):
    out = x.copy()
    out[mask] = source.ravel()[:mask.sum()]
    return out


def _diagonals(x, offset=0, dim1=-2, dim2=-1):
    whole = np.stack([np.diag(row, offset) for row in x.reshape(-1, x.shape[-1])])
    return np.moveaxis(whole.reshape(*x.shape[:-1], *whole.shape[1:]), (-2, -1), (dim1, dim2))


def _windows(x, dim, size, step):
    dim, starts = dim % x.ndim, range(0, x.shape[dim] - size + 1, step)
    return np.moveaxis(np.stack([np.take(x, range(k, k + size), dim) for k in starts], dim), dim + 1, -1)


def _blocks(*xs):
    xs = [np.atleast_2d(x) for x in xs]
    out, at = np.zeros(np.sum([x.shape for x in xs], 0)), np.zeros(2, int)
    for x in xs:
        out[at[0]:at[0] + x.shape[0], at[1]:at[1] + x.shape[1]] = x
        at += x.shape
    return out


def _products(*xs):
    return np.array(list(itertools.product(*xs)))


def with_nan(*shape):
    x = n(*shape)
    x.flat[::3] = np.nan
    return fixed(x)


def _polygamma(order, x):
    """By its sum, the rest of which is an integral (Euler and Maclaurin)."""
    k, x = np.arange(2000.0), np.asarray(x)[..., None]
    end = x[..., 0] + 2000
    if order == 0:
        return np.log(end) - 0.5 / end - 1 / (12 * end**2) - (1 / (x + k))[..., ::-1].sum(-1)
    rest = end**-order / order + 0.5 * end ** (-order - 1) + (order + 1) * end ** (-order - 2) / 12
    return (-1) ** (order + 1) * math.factorial(order) * ((1 / (x + k) ** (order + 1))[..., ::-1].sum(-1) + rest)


TABLE: dict[str, Row] = {
    # ---- arithmetic
    "add": Row(lambda x, y, alpha=1: x + alpha * y, [*binary(), S(n(2), n(2), alpha=3)]), "mul": Row(np.multiply, binary()),
    "sub": Row(lambda x, y, alpha=1: x - alpha * y, [*binary(), S(n(2), n(2), alpha=3)]),
    "div": Row(lambda x, y, rounding_mode=None: {None: x / y, "floor": np.floor(x / y), "trunc": np.trunc(x / y)}[
        rounding_mode], [*binary(n, p), S(n(3), p(3), rounding_mode="trunc"), S(i(-9, 9, 4), 4, rounding_mode="trunc"),
                         S(i(-9, 9, 4), 4, rounding_mode="floor")]),
    "floor_divide": Row(np.floor_divide, whole(), differentiable=False),
    "remainder": Row(np.remainder, [*binary(n, p), S(n(3), -1.5), *whole()]),
    "pow": Row(np.power, [*binary(p, n), S(n(3), 3), S(n(3), 2), S(p(3), 0.5), S(p(3), -2), S(n(3), 0), S(n(2, 3), 1)]),
    "neg": Row(np.negative, unary()), "abs": Row(np.abs, unary()), "sign": Row(np.sign, unary()),
    "reciprocal": Row(np.reciprocal, unary(p)), "square": Row(np.square, unary()),
    "sqrt": Row(np.sqrt, unary(p)), "exp": Row(np.exp, unary()), "log": Row(np.log, unary(p)),
    "fmax": Row(np.fmax, binary()), "fmin": Row(np.fmin, binary()),
    "maximum": Row(np.maximum, binary()), "minimum": Row(np.minimum, binary()),
    "clamp": Row(lambda x, min=None, max=None: np.clip(x, min, max),
                 [S(n(2, 3), -0.5, 0.5), S(n(4), min=0.0), S(n(4), max=0.0), S(n(2, 3), n(3) - 1, n(2, 1) + 1)]),
    "where": Row(np.where, [S(MASK, n(2, 3), n(3)), S(MASK, n(), 2.0), S(MASK[0], n(2, 1), n(3))]),
    "lerp": Row(lambda a, b, w: a + w * (b - a), [S(n(3), n(3), 0.3), S(n(2, 3), n(3), n(2, 1))]),
    "addcmul": Row(lambda x, a, b, value=1: x + value * a * b, [S(n(2, 3), n(3), n(2, 1)), S(n(2), n(2), n(2), value=2)]),
    "addcdiv": Row(lambda x, a, b, value=1: x + value * a / b, [S(n(2, 3), n(3), p(2, 1)), S(n(2), n(2), p(2), value=2)]),
    "clamp_min": Row(np.maximum, [S(n(2, 3), -0.5), S(n(2, 3), n(3))]),
    "clamp_max": Row(np.minimum, [S(n(2, 3), 0.5), S(n(2, 3), n(2, 1))]),
    "masked_fill": Row(lambda x, mask, value: np.where(mask, value, x), [S(n(2, 3), MASK, 5.0), S(n(3), MASK, -1.0)]),
    "fmod": Row(np.fmod, [*binary(n, p), S(n(3), -1.5), *whole()]), "frac": Row(lambda x: x - np.trunc(x), unary()),
    "copysign": Row(np.copysign, [*binary(), S(n(3), -1.5)]),
    "heaviside": Row(np.heaviside, [S(np.array([-1.0, 0.0, 2.0]), n(3))], differentiable=False),
    # ---- rounding, tests, logic
    "signbit": Row(np.signbit, [S(np.array([-1.0, -0.0, 0.0, 2.0]))], differentiable=False),
    "floor": Row(np.floor, unary()), "ceil": Row(np.ceil, unary()), "trunc": Row(np.trunc, unary()),
    "round": Row(lambda x, decimals=0: np.round(x, decimals), [*unary(), S(n(3), decimals=2)]),
    "nan_to_num": Row(lambda x, nan=0.0: np.nan_to_num(x, nan=nan), [*unary(), S(n(2), nan=1.0)]),
    **{name: Row(getattr(np, name), [S(np.array([1.0, np.nan, np.inf, -np.inf]))], differentiable=False)
       for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf")},
    **{name: Row(f, [S(i(0, 3, 2, 3), i(0, 3, 3)), S(n(3), 0.0)], differentiable=False)
       for name, f in (("eq", np.equal), ("ne", np.not_equal), ("lt", np.less), ("le", np.less_equal),
                       ("gt", np.greater), ("ge", np.greater_equal))},
    **{name: Row(getattr(np, name), [S(MASK, MASK[0])], differentiable=False)
       for name in ("logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor")},
    "logical_not": Row(np.logical_not, [S(MASK), S(i(0, 2, 3))], differentiable=False),
    **{f"bitwise_{way}_shift": Row(f, [S(i(0, 99, 4), i(0, 4, 4)), S(i(0, 9, 2, 3), 2)], differentiable=False)
       for way, f in (("left", np.left_shift), ("right", np.right_shift))},
    "bitwise_not": Row(np.invert, [S(MASK), S(i(0, 9, 3))], differentiable=False),
    # ---- transcendental
    **{name: Row(f, unary(draw)) for name, f, draw in (
        ("expm1", np.expm1, n), ("log2", np.log2, p), ("log10", np.log10, p), ("log1p", np.log1p, p),
        ("rsqrt", lambda x: 1 / np.sqrt(x), p), ("sin", np.sin, n), ("cos", np.cos, n), ("tan", np.tan, u),
        ("asin", np.arcsin, u), ("acos", np.arccos, u), ("atan", np.arctan, n), ("sinh", np.sinh, n),
        ("exp2", np.exp2, n), ("asinh", np.arcsinh, n), ("acosh", lambda x: np.arccosh(x), lambda *s: np.asarray(p(*s) + 1)),
        ("atanh", np.arctanh, u), ("deg2rad", np.deg2rad, n), ("rad2deg", np.rad2deg, n), ("sinc", np.sinc, n),
        ("cosh", np.cosh, n), ("tanh", np.tanh, n), ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), n),
        ("erf", np.vectorize(math.erf, otypes=[float]), n), ("relu", lambda x: x * (x > 0), n))},
    "logit": Row(lambda x, eps=None: np.log(x / (1 - x)), [*unary(lambda *s: np.asarray(abs(u(*s)) + 0.05)), S(np.array([0.3, 0.6]), eps=0.1)]),
    "xlogy": Row(lambda x, y: x * np.log(y), binary(n, p)),
    "erfc": Row(np.vectorize(math.erfc, otypes=[float]), [S(np.linspace(-2, 3, 6).reshape(3, 2).T), S(np.array(0.3)), S(np.zeros((0, 3)))]),
    "ndtri": Row(np.vectorize(NormalDist().inv_cdf, otypes=[float]), [S(np.linspace(0.01, 0.9, 6).reshape(3, 2).T), S(np.array(0.3)), S(np.ones((0, 3)))],
                 torch="special.ndtri"),
    "logaddexp": Row(np.logaddexp, binary()), "atan2": Row(np.arctan2, binary()), "hypot": Row(np.hypot, binary()),
    # ---- shape
    "reshape": Row(lambda x, *s: x.reshape(*s), [S(n(2, 3), (3, -1)), S(n(3, 2).T, (6,)), S(n(), (1, 1)), S(n(0, 2), (2, 0))]),
    "view": Row(lambda x, *s: x.reshape(*s), [S(n(2, 3), (3, 2))], torch=lambda x, s: x.reshape(s)),
    "flatten": Row(lambda x, a=0, b=-1: x.reshape(*x.shape[:a], -1, *x.shape[b % x.ndim + 1:]),
                   [S(n(2, 3, 2)), S(n(2, 3, 2), 1), S(n(2, 3, 2), 0, 1)]),
    "unflatten": Row(lambda x, dim, s: x.reshape(s), [S(n(6), 0, (2, -1))]),
    "squeeze": Row(lambda x, dim=None: np.squeeze(x, dim), [S(n(1, 2, 1)), S(n(1, 2, 1), -1), S(n(1, 2, 1), (0, 2))]),
    "unsqueeze": Row(np.expand_dims, [S(n(2, 3), 0), S(n(2, 3), -1), S(n(), 0)]),
    "sum_to_size": Row(_summed_to, [S(n(4, 2, 3), (2, 1)), S(n(2, 3), (2, 3)), S(n(2, 3), ()), S(n(4, 1, 3), 1, 3)],
                       torch="Tensor.sum_to_size"),
    "transpose": Row(np.swapaxes, [S(n(2, 3, 4), 0, -1), S(n(2, 3), 1, 0)]),
    "swapaxes": Row(np.swapaxes, [S(n(2, 3, 4), 0, 1)]),
    "permute": Row(np.transpose, [S(n(2, 3, 4), (2, 0, 1)), S(n(2, 3), (-1, 0))]),
    "movedim": Row(np.moveaxis, [S(n(2, 3, 4), 0, -1), S(n(2, 3, 4), (0, 1), (2, 0))]),
    "expand": Row(lambda x, s: np.broadcast_to(x, s), [S(n(2, 1), (4, 2, 3)), S(n(), (2,))], torch=lambda x, s: x.expand(s)),
    "broadcast_to": Row(np.broadcast_to, [S(n(2, 1), (4, 2, 3))]),
    "repeat": Row(np.tile, [S(n(2, 3), (2, 1, 2)), S(n(2), (3,))], torch=lambda x, s: x.repeat(s)),
    "tile": Row(np.tile, [S(n(2, 3), (2,)), S(n(2), (3, 2))]),
    "contiguous": Row(np.array, [S(n(3, 2).T)], torch=lambda x: x.contiguous()), "clone": Row(np.array, unary()),
    # ---- index
    "getitem": Row(lambda x, k: x[k], [
        S(n(2, 3), 1), S(n(2, 3), (-1, slice(None, None, 2))), S(n(2, 3), (..., None, [0, 0, 2])), S(n(2, 3), MASK),
        S(n(4), [1, 1, 3]), S(n(3, 4), ([0, 2, 2], [1, 1, 1])), S(n(3, 4), (slice(1, None), [3, 3])), S(n(0, 2), slice(0, 0)),
        S(n(2, 3), np.array([[0, 1], [-1, 0]])), S(n(5), []), S(n(2, 3), (MASK[:, 0], 1))],
        torch=lambda x, k: x[k]),
    "place": Row(lambda g, k, shape: np.bincount(k, g, shape[0]), [S(n(3), np.array([1, 1, 0]), (4,))], torch=False),
    "index_put": Row(_index_put, [S(n(3), (np.array([1, 0]),), n(2)), S(n(3), (np.array([1, 1, 0]),), n(3), accumulate=True),
                                  S(n(2, 3), (MASK,), -1.0), S(n(4, 3), (np.array([3, 0]), np.array([1, 1])), n(2))],
                     torch=lambda x, at, values, accumulate=False: x.index_put(at, torch_number(values, x), accumulate)),
    "take_along_dim": Row(np.take_along_axis, [S(n(2, 3), i(0, 3, 2, 2), 1), S(n(2, 3), i(0, 2, 1, 3), 0)]),
    "gather": Row(_gather, [S(n(3, 4), 0, i(0, 3, 2, 4)), S(n(3, 4), -1, i(0, 4, 3, 5)), S(n(4), 0, i(0, 4, 0))]),
    "scatter": Row(_write, [S(n(3, 4), 1, np.array([[0, 2], [1, 3]]), n(2, 2)), S(n(3), 0, np.array([1, 2]), 4.0)]),
    "scatter_add": Row(lambda *a: _write(*a, add=True), [S(n(3, 4), 0, i(0, 3, 5, 4), n(5, 4)), S(n(3), 0, i(0, 3, 6), n(6))]),
    "index_select": Row(lambda x, dim, k: np.take(x, k, dim), [S(n(3, 4), 1, np.array([2, 0, 2])), S(n(3), 0, i(0, 3, 0))]),
    "index_add": Row(_index_add, [S(n(3, 4), 0, np.array([1, 1]), n(2, 4)), S(n(2, 3), 1, np.array([0, 2]), n(2, 2), alpha=2)]),
    "masked_select": Row(lambda x, m: np.broadcast_to(x, np.broadcast_shapes(x.shape, m.shape))[
        np.broadcast_to(m, np.broadcast_shapes(x.shape, m.shape))], [S(n(2, 3), MASK), S(n(3), MASK)]),
    "flip": Row(np.flip, [S(n(2, 3), (0,)), S(n(2, 3), (0, -1))]),
    "roll": Row(lambda x, s, dim=None: np.roll(x, s, dim), [S(n(2, 3), 1), S(n(2, 3), -1, 1), S(n(2, 3), (1, 2), (0, 1))]),
    "repeat_interleave": Row(lambda x, r, dim=None: np.repeat(x, r, dim), [S(n(2, 2), 2), S(n(2, 3), np.array([0, 2]), 0)]),
    "tril": Row(np.tril, [S(n(3, 3)), S(n(2, 2, 4), 1)]), "triu": Row(np.triu, [S(n(3, 3)), S(n(2, 2, 4), -1)]),
    "diag": Row(np.diag, [S(n(3)), S(n(2), -1), S(n(2, 3)), S(n(3, 2), 1)]),
    "diagonal": Row(np.diagonal, [S(n(3, 3)), S(n(2, 3, 4), 1, 0, 2), S(n(3, 4), -1)]),
    "pad": Row(_pad, [S(n(2, 3), (1, 2)), S(n(2, 3), (1, -1, 0, 2), value=3.0), S(n(1, 2, 4), (2, 1), mode="reflect"),
                      S(n(1, 2, 3), (2, 1), mode="replicate"), S(n(1, 2, 3), (2, 1), mode="circular")], torch="nn.functional.pad"),
    "narrow": Row(lambda x, dim, start, k: np.take(x, range(start, start + k), dim), [S(n(2, 4), 1, 1, 2), S(n(3), 0, -2, 2)]),
    "select": Row(lambda x, dim, k: np.take(x, k, dim), [S(n(2, 3), 1, 2), S(n(2, 3), 0, -1)]),
    "take": Row(np.take, [S(n(2, 3), i(-6, 6, 2, 2)), S(n(3), np.array(1))]),
    "unfold": Row(_windows, [S(n(7), 0, 3, 2), S(n(2, 5, 2), 1, 2, 1), S(n(2, 4), -1, 4, 1)], torch="Tensor.unfold"),
    "fliplr": Row(np.fliplr, [S(n(2, 3))]), "flipud": Row(np.flipud, [S(n(2, 3)), S(n(3))]),
    "rot90": Row(lambda x, k=1, dims=(0, 1): np.rot90(x, k, dims), [S(n(2, 3)), S(n(2, 3), 2), S(n(2, 2, 3), -1, (2, 0)), S(n(2, 3), 4)]),
    "diag_embed": Row(_diagonals, [S(n(3)), S(n(2, 3), 1), S(n(2, 3), -1, 0, 2)]),
    "diagflat": Row(np.diagflat, [S(n(2, 2)), S(n(2), 1)]),
    "index_fill": Row(_index_written, [S(n(2, 3), 1, np.array([0, -1]), 5.0), S(n(3), 0, i(0, 3, 0), 1.0)]),
    "index_copy": Row(_index_written, [S(n(2, 3), 1, np.array([2, 0]), n(2, 2)), S(n(3), 0, np.array([1]), n(1))]),
    "masked_scatter": Row(_masked_scatter, [S(n(2, 3), MASK, n(5))]),
    "scatter_reduce": Row(_reduced_at, [S(n(3, 4), 0, i(0, 3, 2, 4), n(2, 4), how, include_self=own)
                                        for how in ("sum", "mean", "amax", "amin") for own in (True, False)]),
    # ---- join and split
    "atleast_1d": Row(np.atleast_1d, [S(n()), S(n(2))]), "atleast_2d": Row(np.atleast_2d, [S(n()), S(n(2)), S(n(), n(2))]),
    "atleast_3d": Row(np.atleast_3d, [S(n()), S(n(2)), S(n(2, 3))]),
    "broadcast_tensors": Row(np.broadcast_arrays, [S(n(2, 1), n(3))]),
    "column_stack": Row(np.column_stack, [S([n(2), n(2, 2)])]), "dstack": Row(np.dstack, [S([n(2), n(2)]), S([n(2, 3), n(2, 3)])]),
    "block_diag": Row(_blocks, [S(n(2, 2), n(3), n(1, 1))]),
    "cartesian_prod": Row(_products, [S(n(2), n(3))]),
    "combinations": Row(lambda x, r=2, with_replacement=False: np.array(list(
        (itertools.combinations_with_replacement if with_replacement else itertools.combinations)(x, r))),
        [S(n(4)), S(n(3), 3), S(n(3), with_replacement=True)]),
    "tensor_split": Row(lambda x, k, dim=0: np.array_split(x, k, dim), [S(n(5, 2), 3), S(n(2, 5), (1, 4), 1), S(n(4), 2, dim=-1)]),
    "hsplit": Row(np.hsplit, [S(n(2, 4), 2), S(n(4), 2)]), "vsplit": Row(np.vsplit, [S(n(4, 2), 2)]),
    "dsplit": Row(np.dsplit, [S(n(1, 2, 4), 2)]),
    "cat": Row(lambda xs, dim=0: np.concatenate(xs, dim), [S([n(2, 3), n(1, 3)]), S([n(2, 1), n(2, 2), n(2, 0)], -1)]),
    "stack": Row(lambda xs, dim=0: np.stack(xs, dim), [S([n(2, 3), n(2, 3)]), S([n(2), n(2)], -1), S([n(), n()])]),
    "hstack": Row(np.hstack, [S([n(2), n(1)]), S([n(2, 1), n(2, 2)])]), "vstack": Row(np.vstack, [S([n(2), n(2)]), S([n(1, 3), n(2, 3)])]),
    "split": Row(_pieces, [S(n(5, 2), 2), S(n(2, 5), [1, 4], 1), S(n(4), 2, dim=-1)]),
    "chunk": Row(_chunk, [S(n(5, 2), 3), S(n(2, 4), 2, dim=-1)]),
    "unbind": Row(lambda x, dim=0: tuple(np.moveaxis(x, dim, 0)), [S(n(2, 3)), S(n(2, 3), -1)]),
    "meshgrid": Row(lambda *xs, indexing="ij": np.meshgrid(*xs, indexing=indexing),
                    [S(n(2), n(3), indexing="ij"), S(n(2), n(3), n(2), indexing="xy")]),
    # ---- reductions and scans
    "sum": Row(numpys(np.sum), [*reduction(), S(n(0, 3), 0), S(i(0, 9, 3))]), "mean": Row(numpys(np.mean), reduction()),
    "prod": Row(numpys(np.prod), [S(n(2, 3)), S(n(2, 3), 0), S(n(2, 3), -1, keepdim=True), S(n(0)), S(n()),
                                  S(np.array([2.0, 0.0, 3.0])), S(np.array([[0.0, 1.0, 0.0], [2.0, 3.0, 0.0]]), 1)]),
    "amax": Row(numpys(np.max), reduction()), "amin": Row(numpys(np.min), reduction()),
    "max": Row(_extreme(np.max, np.argmax), [S(n(2, 3)), *along()[:4], S(n(2, 3), 1, keepdim=True), S(n(), 0)]),
    "min": Row(_extreme(np.min, np.argmin), [S(n(2, 3)), *along()[:4], S(n(2, 3), 1, keepdim=True), S(n(), 0)]),
    "argmax": Row(numpys(np.argmax), [S(n(2, 3)), S(n(2, 3), 0), S(n(2, 3), -1, keepdim=True)], differentiable=False),
    "argmin": Row(numpys(np.argmin), [S(n(2, 3)), S(n(2, 3), 0), S(n(2, 3), -1, keepdim=True)], differentiable=False),
    "median": Row(_lower_median, [S(n(2, 3)), S(n(4)), S(n(2, 4), 1), S(n(3, 2), 0, keepdim=True), S(n(), 0)]),
    "var": Row(_spread, [S(n(2, 3)), S(n(2, 3), 0), S(n(2, 3), 1, keepdim=True), S(n(2, 3, 2), (0, 2), correction=0), S(n(3), unbiased=False)]),
    "std": Row(lambda *a, **k: _spread(*a, root=True, **k), [S(n(2, 3)), S(n(2, 3), 0), S(n(3, 4), (0, 1), keepdim=True)]),
    "var_mean": Row(lambda x, *a, **k: (_spread(x, *a, **k), np.mean(x, *a)), [S(n(2, 3)), S(n(2, 3), 0), S(n(2, 3), 1, correction=0)]),
    "std_mean": Row(lambda x, *a, **k: (_spread(x, *a, root=True, **k), np.mean(x, *a)), [S(n(2, 3)), S(n(2, 3), 0)]),
    "norm": Row(_norm, [S(n(2, 3)), S(n(2, 3), 1, 1), S(n(2, 3), 3, 0, keepdim=True), S(n(2, 3), math.inf, -1),
                        S(n(2, 3), -math.inf, 0), S(n(2, 3), 0, 0), S(p(3), -1.5), S(n(2, 3), 2, (0, 1))]),
    "vector_norm": Row(_norm, [S(n(2, 3)), S(n(2, 3), 0.5, 1)], torch="linalg.vector_norm"),
    "svdvals": Row(lambda x: np.linalg.svd(x, compute_uv=False), [S(n(3, 3)), S(n(2, 3, 2)), S(n(2, 4))], torch="linalg.svdvals"),
    "svd": Row(_svd, [S(n(3, 3)), S(n(2, 4, 2)), S(n(2, 3))], torch=False),
    "cofactors": Row(lambda x: np.linalg.det(x)[..., None, None] * np.linalg.inv(x).swapaxes(-1, -2), [S(n(3, 3)), S(n(2, 2, 2)), S(n(1, 1))], torch=False),
    "matrix_norm": Row(lambda x, ord="fro", dim=(-2, -1), keepdim=False: np.linalg.norm(x, ord, dim, keepdim),
                       [S(n(2, 3)), S(n(2, 3), 1), S(n(2, 3, 2), -math.inf, (0, 2)), S(n(2, 3), math.inf, keepdim=True),
                        S(n(2, 3), "nuc"), S(n(3, 3), 2), S(n(2, 3, 2), -2, (0, -1))], torch="linalg.matrix_norm"),
    "logsumexp": Row(lambda x, dim, keepdim=False: np.log(np.exp(x).sum(axis=dim, keepdims=keepdim)),
                     [S(n(2, 3), 0), S(n(2, 3), -1, keepdim=True), S(n(2, 3), (0, 1))]),
    "softmax": Row(_soft, [S(n(2, 3), 0), S(n(2, 3), -1), S(n(2, 2, 3), 1)]),
    "log_softmax": Row(lambda x, d: np.log(_soft(x, d)), [S(n(2, 3), 0), S(n(2, 3), -1)]),
    "any": Row(numpys(np.any), [S(MASK), S(MASK, 0), S(i(0, 2, 2, 3), 1, keepdim=True)], differentiable=False),
    "all": Row(numpys(np.all), [S(MASK), S(MASK, 0), S(i(0, 2, 2, 3), 1, keepdim=True)], differentiable=False),
    "count_nonzero": Row(lambda x, dim=None: np.count_nonzero(x, dim), [S(i(0, 2, 3, 3)), S(MASK, 1)], differentiable=False),
    "cumsum": Row(lambda x, dim: np.cumsum(x, dim) if x.ndim else x, along()),
    "discounted_cumsum": Row(_discounted, [S(n(4), n(4), 0), S(n(2, 3), n(2, 3), -1), S(n(3, 2), 0.5, 0), S(n(2, 0), 0.5, 1)],
                             torch=False),
    "cumprod": Row(lambda x, dim: np.cumprod(x, dim) if x.ndim else x, [
        *along(), S(np.array([2.0, 0.0, 3.0, 0.0, 1.5]), 0)]),
    "logcumsumexp": Row(lambda x, dim: np.log(np.cumsum(np.exp(x), dim)) if x.ndim else x, along()),
    "diff": Row(lambda x, n=1, dim=-1, prepend=np._NoValue, append=np._NoValue: np.diff(x, n, dim, prepend, append),
                [S(n(5)), S(n(4, 3), 2, 0), S(n(2, 1)), S(n(2, 3), prepend=n(2, 1)), S(n(3), 2, 0, n(1), n(2))]),
    "cummax": Row(_running(np.greater), along()[:4]), "cummin": Row(_running(np.less), along()[:4]),
    "nansum": Row(numpys(np.nansum), [*reduction(), S(with_nan(2, 3), 1), S(i(0, 9, 3))]),
    "nanmean": Row(numpys(np.nanmean), [*reduction(), S(with_nan(2, 4), 1)]),
    "aminmax": Row(lambda x, dim=None, keepdim=False: (np.min(x, dim, keepdims=keepdim), np.max(x, dim, keepdims=keepdim)),
                   [S(n(2, 3)), S(n(2, 3), dim=1), S(n(2, 3), dim=0, keepdim=True)]),
    "kthvalue": Row(_kth, [S(n(4), 2), S(n(2, 3), 1, 0), S(n(2, 3), 3, -1, keepdim=True)]),
    "mode": Row(_mode, [S(i(0, 3, 9)), S(i(0, 2, 3, 5), 0)], torch=False, differentiable=False),
    "nanmedian": Row(_nan_middle, [S(n(2, 3)), S(with_nan(5))]),
    "quantile": Row(_quantile(np.quantile), [S(n(5), 0.3), S(n(2, 4), fixed(np.array([0.1, 0.5])), 1), S(n(2, 3), 0.75, 0, keepdim=True), S(n(), 0.5),
                                             *(S(n(6), 0.45, interpolation=how) for how in ("lower", "higher", "nearest", "midpoint"))]),
    "nanquantile": Row(_quantile(np.nanquantile), [S(n(5), 0.3), S(with_nan(2, 4), 0.5, 1)]),
    "histc": Row(lambda x, bins=100, min=0, max=0: np.histogram(x, bins, (min, max) if max else None)[0].astype(x.dtype),
                 [S(fixed(n(50)), 7), S(fixed(n(20)), 4, -1, 1)], differentiable=False),
    "cov": Row(lambda x, correction=1, fweights=None: np.cov(x, ddof=correction, fweights=fweights),
               [S(n(3, 5)), S(n(6)), S(n(2, 4), correction=0, fweights=np.array([1, 2, 1, 3]))]),
    "corrcoef": Row(np.corrcoef, [S(n(3, 5))]),
    "dist": Row(lambda x, y, p=2: _norm(x - y, p), [S(n(2, 3), n(3)), S(n(3), n(3), 1), S(n(3), n(3), math.inf)]),
    # ---- order and choice
    "isin": Row(np.isin, [S(i(0, 5, 2, 3), i(0, 5, 2)), S(i(0, 5, 4), i(0, 5, 2), invert=True)], differentiable=False),
    "searchsorted": Row(lambda s, v, right=False: np.searchsorted(s, v, "right" if right else "left"), [
        S(np.arange(5), i(0, 6, 2, 3)), S(np.arange(5), i(0, 6, 4), right=True)], differentiable=False),
    "bucketize": Row(lambda v, s, right=False: np.searchsorted(s, v, "right" if right else "left"), [
        S(i(0, 6, 2, 3), np.arange(5)), S(i(0, 6, 4), np.arange(5), right=True)], differentiable=False),
    "sort": Row(_sort, [S(n(2, 3)), S(n(2, 3), 0, descending=True), S(n())]),
    "argsort": Row(lambda *a, **k: _sort(*a, **k)[1], [S(n(2, 3)), S(i(0, 3, 9), descending=True, stable=True)], differentiable=False),
    "topk": Row(_topk, [S(n(2, 5), 2), S(n(5, 2), 3, 0, largest=False)]),
    "nonzero": Row(np.argwhere, [S(MASK), S(i(0, 2, 4))], differentiable=False),
    "unique": Row(lambda x, **k: np.unique(x, **k), [S(i(0, 4, 9)), S(i(0, 4, 9), return_counts=True)], differentiable=False),
    "bincount": Row(lambda x, minlength=0: np.bincount(x, minlength=minlength), [S(i(0, 4, 9)), S(i(0, 4, 3), minlength=9)],
                    differentiable=False),
    "one_hot": Row(lambda k, c=-1: np.eye(k.max() + 1 if c < 0 else c, dtype=int)[k], [S(i(0, 3, 2, 2), 3), S(i(0, 3, 5))],
                   "nn.functional.one_hot", differentiable=False),
    # ---- linear algebra
    "matmul": Row(np.matmul, [S(n(2, 3), n(3, 4)), S(n(5, 1, 2, 3), n(2, 3, 4)), S(n(3), n(3)), S(n(2, 2, 3), n(3)),
                              S(n(3), n(2, 3, 4)), S(n(3, 2).T, n(4, 3).T), S(n(0, 3), n(3, 2))]),
    "mm": Row(np.matmul, [S(n(2, 3), n(3, 2))]), "bmm": Row(np.matmul, [S(n(2, 2, 3), n(2, 3, 1))]),
    "mv": Row(np.matmul, [S(n(2, 3), n(3))]), "dot": Row(np.dot, [S(n(3), n(3))]), "outer": Row(np.outer, [S(n(2), n(3))]),
    "addmm": Row(lambda x, a, b, beta=1, alpha=1: beta * x + alpha * a @ b, [S(n(4), n(2, 3), n(3, 4), beta=2, alpha=0.5)]),
    "baddbmm": Row(lambda x, a, b, beta=1, alpha=1: beta * x + alpha * a @ b, [S(n(2, 2, 1), n(2, 2, 3), n(2, 3, 1), alpha=2)]),
    "inner": Row(np.inner, [S(n(3), n(3)), S(n(2, 3), n(4, 3)), S(n(), n(2))]),
    "cross": Row(lambda x, y, dim=-1: np.cross(x, y, axis=dim), [S(n(3), n(3)), S(n(2, 3), n(2, 3), 1), S(n(3, 2), n(3, 2), 0)]),
    "kron": Row(np.kron, [S(n(2, 2), n(1, 3)), S(n(2), n(2, 2))]),
    "addmv": Row(lambda x, a, b, beta=1, alpha=1: beta * x + alpha * a @ b, [S(n(2), n(2, 3), n(3), beta=2, alpha=0.5)]),
    "matrix_power": Row(np.linalg.matrix_power, [S(n(3, 3), 3), S(_spd(2, 2, 2), -2), S(n(2, 2), 0), S(n(2, 2), 1)], torch="linalg.matrix_power"),
    "logdet": Row(lambda x: np.linalg.slogdet(x)[1], [S(_spd(3, 3)), S(_spd(2, 2, 2))]),
    "trace": Row(np.trace, [S(n(3, 3)), S(n(2, 4))]),
    "tensordot": Row(lambda x, y, dims=2: np.tensordot(x, y, dims), [
        S(n(2, 3, 4), n(3, 4, 2)), S(n(2, 3), n(3, 2), dims=([0, 1], [1, 0])), S(n(2), n(3), dims=0)]),
    "einsum": Row(np.einsum, [
        S("ij,jk->ik", n(2, 3), n(3, 2)), S("ij,jk", n(2, 3), n(3, 2)), S("ii->i", n(3, 3)), S("ii", n(3, 3)), S("ij->", n(2, 3)),
        S("...ij,...jk->...ik", n(2, 1, 2, 3), n(4, 3, 2)), S("i,j->ji", n(2), n(3)), S("bii,bj->b", n(2, 3, 3), n(2, 2)),
        S("ba", n(2, 3)), S("i,i,i->", n(3), n(3), n(3)), S("...i->...", n(2, 3)), S("iij,jk->ki", n(2, 2, 3), n(3, 1))]),
    "inv": Row(np.linalg.inv, [S(_spd(3, 3)), S(_spd(2, 2, 2))], torch="linalg.inv"),
    "solve": Row(_solve, [S(_spd(3, 3), n(3)), S(_spd(2, 2, 2), n(2, 2, 3)), S(_spd(3, 2, 2), n(3, 2)), S(_spd(2, 2), n(3, 2), left=False)],
                 torch="linalg.solve"),
    "solve_triangular": Row(_solve_triangular, [
        S(n(3, 3), n(3, 2), upper=False), S(n(2, 2, 2), n(2, 2), upper=True), S(n(2, 2), n(3, 2), upper=True, left=False), S(n(3, 3), n(3, 1), upper=False, unitriangular=True)],
        torch="linalg.solve_triangular"),
    "det": Row(np.linalg.det, [S(n(3, 3)), S(n(2, 2, 2))], torch="linalg.det"),
    "slogdet": Row(_slog, [S(n(3, 3)), S(n(2, 2, 2))], torch="linalg.slogdet"),
    "cholesky": Row(lambda x, upper=False: np.linalg.cholesky(x).swapaxes(-1, -2) if upper else np.linalg.cholesky(x),
                    [S(_spd(3, 3)), S(_spd(2, 2, 2)), S(_spd(2, 2), upper=True)], torch="linalg.cholesky"),
    "eigvalsh": Row(lambda x, UPLO="L": np.linalg.eigvalsh(x, UPLO), [S(_spd(3, 3)), S(_spd(2, 2, 2)), S(_spd(2, 2), UPLO="U")], torch="linalg.eigvalsh"),
    "eigh": Row(lambda x, UPLO="L": tuple(np.linalg.eigh(x, UPLO)), [S(_spd(3, 3)), S(_spd(2, 2, 2))], torch=False),  # of either sign
    "qr": Row(lambda x: tuple(np.linalg.qr(x)), [S(n(3, 3)), S(n(2, 4, 2)), S(n(3, 1))], torch=False),
    "pinv": Row(np.linalg.pinv, [S(n(3, 3)), S(n(2, 4, 2)), S(n(2, 3))], torch="linalg.pinv"),
    # ---- the gamma function and its kin
    "lgamma": Row(np.vectorize(math.lgamma, otypes=[float]), unary(p)), "erfinv": Row(lambda x: np.vectorize(NormalDist().inv_cdf, otypes=[float])((x + 1) / 2) / math.sqrt(2), unary(u), torch="special.erfinv"),
    "gamma": Row(np.vectorize(math.gamma, otypes=[float]), unary(p), torch=False),
    "digamma": Row(lambda x: _polygamma(0, x), unary(p)), "polygamma": Row(_polygamma, [S(0, p(2, 3)), S(1, p()), S(2, p(3, 2).T), S(4, p(2))]),
}
