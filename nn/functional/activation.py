"""Activations and what is made of exponentials: softmax, gelu, …

Each is its definition; where a rule derived by hand is faster or more stable, it stands right above.
"""

import functools
import math

import numpy as np

from tinygrad_lite import ops, random
from tinygrad_lite.engine.halves import in_float32
from tinygrad_lite.engine.mode import mode
from tinygrad_lite.engine.tape import by_hand, primitive
from tinygrad_lite.engine.values import Value, occurs, unbox
from tinygrad_lite.inplace import in_place, or_in_place
from tinygrad_lite.ops import (
    abs,
    amax,
    broadcast_to,
    chunk,
    clamp,
    erf,
    exp,
    expm1,
    logaddexp,
    place,
    reshape,
    sigmoid,
    sum,
    tanh,
    unsqueeze,
    vector_norm,
    where,
)
from tinygrad_lite.ops.arguments import along

__all__ = [
    "cdist", "celu", "cosine_similarity", "elu", "gelu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid",
    "hardswish", "hardtanh", "leaky_relu", "log_softmax", "logsigmoid", "mish", "normalize", "pairwise_distance",
    "prelu", "relu", "relu6", "rrelu", "selu", "silu", "softmax", "softmin", "softplus", "softshrink", "softsign",
    "tanhshrink", "threshold", "celu_", "elu_", "hardtanh_", "leaky_relu_", "relu_", "rrelu_", "selu_", "threshold_"]

TILE = 1 << 14  # elements: a few arrays of them stay in the second-level cache


def in_tiles(function):
    """An elementwise function, run over large arrays in stretches: few passes over memory instead of one a step."""
    @functools.wraps(function)
    def tiled(*args):
        shape, size = args[0].shape, math.prod(args[0].shape)
        if size <= 2 * TILE or any(type(a) is not np.ndarray or a.shape != shape for a in args):
            return function(*args)
        flat, outs = [a.reshape(-1) for a in args], None
        for start in range(0, size, TILE):
            part = slice(start, start + TILE)
            results = function(*(a[part] for a in flat))
            several = isinstance(results, tuple)
            results = results if several else (results,)
            outs = outs or [np.empty(size, r.dtype) for r in results]
            for out, r in zip(outs, results):
                out[part] = r
        return tuple(o.reshape(shape) for o in outs) if several else outs[0].reshape(shape)

    return tiled


def gumbel_softmax(logits, tau=1.0, hard=False, dim=-1):
    """A sample of a categorical distribution that gradients pass (Jang et al., 2017); one-hot with `hard`.

    tau is the temperature, a number above 0.
    """
    if isinstance(tau, (int, float)) and not tau > 0:
        raise ValueError(f"gumbel_softmax: the temperature tau is above 0, not {tau}")
    noise = random.rng().gumbel(size=logits.shape).astype(logits.dtype)
    y = ops.softmax((logits + noise) / tau, dim)
    if not hard:
        return y
    soft, at = unbox(y), dim % y.ndim
    best = soft.argmax(at, keepdims=True)
    one_hot = place(np.ones(best.shape, soft.dtype), along(best, at), soft.shape, True)
    return y + (one_hot - soft)  # forward one_hot, backward as y


def softmax(x, dim=None):
    """exp(x) as shares of its sum along dim: 0 of a vector or an image (C, H, W), else 1, unless given."""
    return ops.softmax(x, _implicit(x, dim))


def log_softmax(x, dim=None):
    """log(softmax(x)), without the log of a number that underflowed; dim as in `softmax`."""
    return ops.log_softmax(x, _implicit(x, dim))


def softmin(x, dim=None):
    """`softmax` of -x."""
    return softmax(-x, dim)


def _implicit(x, dim):
    """dim, or where it is None PyTorch's choice."""
    return dim if dim is not None else 0 if x.ndim in (0, 1, 3) else 1


# ---------------------------------------------------------------- gelu and its kin
@by_hand(in_tiles(lambda g, out, x, phi: g * (phi + x * exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi)))))
@in_tiles
def _gelu(x):
    phi = 0.5 * (1 + erf(x * math.sqrt(0.5)))  # the normal distribution function
    return x * phi, phi


C, A = math.sqrt(2 / math.pi), 0.044715


FAR = 10  # beyond it the tanh of gelu is 1 to the last bit


def near(x):
    """x, and in a derivative of a derivative at most FAR: cubes must not leave the range there."""
    return clamp(x, -FAR, FAR) if isinstance(x, Value) else x


def _gelu_tanh_rule(g, out, x, phi):
    x = near(x)
    slope = phi * (1 - phi) * x  # 0 where x is so large that its square is infinite
    return g * (phi + slope * (2 * C) + slope * (6 * C * A) * x * x)


@by_hand(in_tiles(_gelu_tanh_rule), name="gelu")
@in_tiles
def _gelu_tanh(x):
    u = near(x)
    phi = 0.5 * tanh(u * (C + (C * A) * (u * u))) + 0.5
    return x * phi, phi


def gelu(x, approximate="none"):
    """x times the normal distribution function of x (Hendrycks and Gimpel, 2016), or its "tanh" approximation."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate is 'none' or 'tanh', not {approximate!r}")
    return _gelu(x) if approximate == "none" else _gelu_tanh(x)


@or_in_place
@by_hand(in_tiles(lambda g, out, x, s: g * (s * (1 + x * (1 - s)))))
@in_tiles
def silu(x):
    """x * sigmoid(x), also called swish."""
    s = sigmoid(x)
    return x * s, s


@or_in_place
@in_float32
def mish(x):
    """x * tanh(softplus(x))"""
    return x * tanh(softplus(x))


@by_hand(lambda g, out, x, beta, threshold: g * where(x * beta > threshold, 1.0, sigmoid(x * beta)))
def softplus(x, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * x)) / beta; x itself where beta * x is above the threshold."""
    soft = logaddexp(x * beta, 0.0) / beta
    return where(x * beta > threshold, x, soft)


@by_hand(lambda g, out, x: g * sigmoid(-x))
def logsigmoid(x):
    """log(sigmoid(x)), right for large x of either sign."""
    return -logaddexp(-x, 0.0)


# ---------------------------------------------------------------- piecewise
relu = or_in_place(ops.relu)
relu.__module__ = __name__


@or_in_place
def leaky_relu(x, negative_slope=0.01):
    """x where it is above 0, else negative_slope * x."""
    return where(x > 0, x, x * negative_slope)


def prelu(x, weight):
    """x where it is above 0, else weight * x: one weight, or one a channel of x (N, C, …)."""
    channels = x.shape[1] if x.ndim > 1 else 1
    if math.prod(weight.shape) not in (1, channels) or weight.ndim > 1:
        raise RuntimeError(f"prelu: a weight of shape {weight.shape} is neither one number nor one for each of the "
                           f"{channels} channels")
    return where(x > 0, x, reshape(weight, -1, *(1,) * max(x.ndim - 2, 0)) * x if x.ndim else weight.sum() * x)


@or_in_place
def rrelu(x, lower=1 / 8, upper=1 / 3, training=False):
    """`leaky_relu` with a slope drawn from [lower, upper] for each element, or unless training with their mean."""
    if lower > upper:
        raise RuntimeError(f"rrelu: lower {lower} is greater than upper {upper}")
    slope = (lower + upper) / 2
    if training:
        slope = random.rng().uniform(lower, upper, x.shape).astype(x.dtype)
    return where(x > 0, x, x * slope)


@or_in_place
@in_float32
def elu(x, alpha=1.0):
    """x where it is above 0, else alpha * (exp(x) - 1)."""
    return where(x <= 0, alpha * expm1(clamp(x, max=0)), x)


@or_in_place
@in_float32
def celu(x, alpha=1.0):
    """x where it is above 0, else alpha * (exp(x / alpha) - 1)."""
    if not alpha:
        raise RuntimeError("celu: alpha is not 0")
    return where(x <= 0, alpha * expm1(clamp(x, max=0) / alpha), x)


@or_in_place
@in_float32
def selu(x):
    """elu scaled so that layers keep mean 0 and variance 1 (Klambauer et al., 2017)."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


@in_float32
def tanhshrink(x):
    """x - tanh(x)"""
    return x - tanh(x)


def hardshrink(x, lambd=0.5):
    """0 within [-lambd, lambd], x elsewhere."""
    return where((x >= -lambd) & (x <= lambd), 0.0, x)


def softshrink(x, lambd=0.5):
    """x brought nearer to 0 by lambd; 0 within [-lambd, lambd]."""
    if not lambd >= 0:
        raise RuntimeError(f"softshrink: lambd is at least 0, not {lambd}")
    return where(x > lambd, x - lambd, where(x < -lambd, x + lambd, x * 0.0))


@or_in_place
def threshold(x, threshold, value):
    """x where it is above the threshold, else the value."""
    return where(x <= threshold, value if x.dtype.kind == "f" else x.dtype.type(value), x)


@in_float32
def softsign(x):
    """x / (1 + |x|)"""
    return x / (1 + abs(x))


@or_in_place
def hardtanh(x, min_val=-1.0, max_val=1.0):
    """x held within [min_val, max_val]; at the bounds the gradient is 0."""
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val {min_val} is greater than max_val {max_val}")
    if x.dtype.kind != "f":  # whole numbers stay whole
        min_val, max_val = x.dtype.type(int(min_val)), x.dtype.type(int(max_val))
    return where(x <= min_val, min_val, where(x >= max_val, max_val, x))


@or_in_place
def relu6(x):
    """x held within [0, 6]."""
    return hardtanh(x, 0.0, 6.0)


@or_in_place
@in_float32
def hardsigmoid(x):
    """relu6(x + 3) / 6"""
    return hardtanh(x + 3, 0.0, 6.0) / 6


@or_in_place
@in_float32
def hardswish(x):
    """x * hardsigmoid(x)"""
    return x * (hardtanh(x + 3, 0.0, 6.0) / 6)


@in_float32
def glu(x, dim=-1):
    """The first half along dim, times the sigmoid of the second."""
    if not x.ndim or x.shape[dim] % 2:
        raise RuntimeError(f"glu: dimension {dim} of shape {x.shape} cannot be halved")
    a, b = chunk(x, 2, dim)
    return a * sigmoid(b)


# ---------------------------------------------------------------- lengths and distances
def with_length(x, p, dim):
    """The pair (x, its p-norm along dim); where that is infinite, both of x divided by its largest element."""
    length = vector_norm(x, p, dim, True)
    if mode.as_text or not occurs(np.isinf(unbox(length))):
        return x, length
    return with_length(x / np.maximum(unbox(amax(abs(x), dim, True)), 1), p, dim)


@in_float32
def normalize(x, p=2.0, dim=1, eps=1e-12):
    """x divided by its p-norm along dim, or by eps where that is smaller."""
    x, length = with_length(x, p, dim)
    return x / clamp(length, min=eps)


def _bounded(cosine):
    """A cosine held within [-1, 1]: what is cut off is rounding, and takes no gradient with it."""
    return np.clip(cosine, -1, 1)


bounded = primitive(_bounded, lambda g, out, cosine: g, name="clamp")


@in_float32
def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """The cosine of the angle between vectors along dim, at most 1; a vector counts as no shorter than eps."""
    shape = np.broadcast_shapes(x1.shape, x2.shape)
    units = [normalize(x if x.shape == shape else broadcast_to(x, shape), 2.0, dim, eps) for x in (x1, x2)]
    return bounded(sum(units[0] * units[1], dim))


@in_float32
def cdist(x1, x2, p=2.0, compute_mode=None):
    """The p-norm distance of each row of x1 (…, P, M) to each of x2 (…, R, M): (…, P, R).

    PyTorch's compute_mode changes nothing: differences are always taken, which is exact.
    """
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"cdist: needs rows of one length, not shapes {x1.shape} and {x2.shape}")
    return vector_norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), p, -1)


@in_float32
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The p-norm of x1 - x2 + eps along the last dimension."""
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)


# ---------------------------------------------------------------- in place
celu_, elu_, hardtanh_, leaky_relu_ = map(in_place, (celu, elu, hardtanh, leaky_relu))
relu_, rrelu_, selu_, threshold_ = map(in_place, (relu, rrelu, selu, threshold))
