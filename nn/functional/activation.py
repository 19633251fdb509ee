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
    """A random sample of a categorical distribution, through which gradients pass (Jang et al., 2017).

    softmax((logits + noise) / tau) along dim, with noise of the Gumbel distribution: the lower the temperature tau, the
    nearer to one-hot. With hard=True the result is one-hot, and its gradient is that of the soft one. A number tau that
    is not above 0 is a ValueError.

    >>> logits = tl.tensor([0.1, 0.2, 0.7]).log().expand(1000, 3)
    >>> F.gumbel_softmax(logits, hard=True).mean(dim=0).round(decimals=1)
    tensor([0.1, 0.2, 0.7])
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
    """exp(x) / sum(exp(x)) along dim: numbers above 0 that add up to 1.

    The maximum is taken off first, so that nothing overflows. Say the dim: without it PyTorch's old choice is made,
    which is 0 for x of 0, 1 or 3 dimensions, else 1.

    >>> x = tl.tensor([[1.0, 1.0, 1.0], [1000.0, 0.0, 0.0]])
    >>> F.softmax(x, dim=-1)
    tensor([[0.3333, 0.3333, 0.3333],
            [1.    , 0.    , 0.    ]])
    """
    return ops.softmax(x, _implicit(x, dim))


def log_softmax(x, dim=None):
    """log(softmax(x)) = x - log(sum(exp(x))) along dim, right also where the softmax itself is too small for a float.

    Without a dim it is along that of `softmax`. `nll_loss` takes such log-probabilities.

    >>> x = tl.tensor([[1.0, 1.0], [200.0, 0.0]])
    >>> F.log_softmax(x, dim=-1)
    tensor([[  -0.6931,   -0.6931],
            [   0.    , -200.    ]])
    """
    return ops.log_softmax(x, _implicit(x, dim))


def softmin(x, dim=None):
    """softmax(-x) along dim: numbers above 0 that add up to 1, the largest where x is smallest.

    Without a dim it is along that of `softmax`.

    >>> x = tl.tensor([1.0, 1.0, 1000.0])
    >>> F.softmin(x, dim=-1)
    tensor([0.5, 0.5, 0. ])
    """
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
    """x * Phi(x), Phi being the distribution function of the standard normal (Hendrycks and Gimpel, 2016).

    approximate="tanh" computes 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3))), as GPT-2 does; the two
    differ by less than 0.001. Any word but "none" and "tanh" is a ValueError.

    >>> x = tl.tensor([-3.0, -1.0, 0.0, 1.0, 3.0])
    >>> F.gelu(x)
    tensor([-0.004 , -0.1587,  0.    ,  0.8413,  2.996 ])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate is 'none' or 'tanh', not {approximate!r}")
    return _gelu(x) if approximate == "none" else _gelu_tanh(x)


@or_in_place
@by_hand(in_tiles(lambda g, out, x, s: g * (s * (1 + x * (1 - s)))))
@in_tiles
def silu(x):
    """x * sigmoid(x), also called swish: a smooth relu that dips below 0 for small negative x (Elfwing et al., 2018).

    >>> x = tl.tensor([-3.0, -1.0, 0.0, 1.0, 3.0])
    >>> F.silu(x)
    tensor([-0.1423, -0.2689,  0.    ,  0.7311,  2.8577])
    """
    s = sigmoid(x)
    return x * s, s


@or_in_place
@in_float32
def mish(x):
    """x * tanh(log(1 + exp(x))): a smooth relu that dips below 0 for small negative x (Misra, 2019).

    >>> x = tl.tensor([-3.0, -1.0, 0.0, 1.0, 3.0])
    >>> F.mish(x)
    tensor([-0.1456, -0.3034,  0.    ,  0.8651,  2.9865])
    """
    return x * tanh(softplus(x))


@by_hand(lambda g, out, x, beta, threshold: g * where(x * beta > threshold, 1.0, sigmoid(x * beta)))
def softplus(x, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * x)) / beta: a smooth relu, always above 0, whose slope is sigmoid(beta * x).

    The larger beta, the nearer to relu. Where beta * x is above the threshold the result is x itself.

    >>> x = tl.tensor([-1.0, 0.0, 1.0, 100.0])
    >>> F.softplus(x)
    tensor([  0.3133,   0.6931,   1.3133, 100.    ])
    """
    soft = logaddexp(x * beta, 0.0) / beta
    return where(x * beta > threshold, x, soft)


@by_hand(lambda g, out, x: g * sigmoid(-x))
def logsigmoid(x):
    """log(sigmoid(x)), right for large x of either sign: the log-probability of yes, where x is its logit.

    >>> x = tl.tensor([-100.0, 0.0, 1.0])
    >>> F.logsigmoid(x)
    tensor([-100.    ,   -0.6931,   -0.3133])
    """
    return -logaddexp(-x, 0.0)


# ---------------------------------------------------------------- piecewise
relu = or_in_place(ops.relu)
relu.__module__ = __name__


@or_in_place
def leaky_relu(x, negative_slope=0.01):
    """x where it is above 0, else negative_slope * x, so that a gradient passes there too (Maas et al., 2013).

    >>> x = tl.tensor([-100.0, 0.0, 5.0])
    >>> F.leaky_relu(x)
    tensor([-1.,  0.,  5.])
    """
    return where(x > 0, x, x * negative_slope)


def prelu(x, weight):
    """x where it is above 0, else weight * x: `leaky_relu` with a slope that is learned (He et al., 2015).

    weight: one number, or (C,) with one for each channel of x (N, C, …); anything else is a RuntimeError.

    >>> x = tl.tensor([[-2.0, -2.0], [3.0, -4.0]])
    >>> F.prelu(x, tl.tensor([0.5, 0.1]))
    tensor([[-1. , -0.2],
            [ 3. , -0.4]])
    """
    channels = x.shape[1] if x.ndim > 1 else 1
    if math.prod(weight.shape) not in (1, channels) or weight.ndim > 1:
        raise RuntimeError(f"prelu: a weight of shape {weight.shape} is neither one number nor one for each of the "
                           f"{channels} channels")
    return where(x > 0, x, reshape(weight, -1, *(1,) * max(x.ndim - 2, 0)) * x if x.ndim else weight.sum() * x)


@or_in_place
def rrelu(x, lower=1 / 8, upper=1 / 3, training=False):
    """`leaky_relu` with a random slope for each element while training (Xu et al., 2015).

    The slopes are uniform within [lower, upper]; unless training all of them are the mean, (lower + upper) / 2. A lower
    that is greater than upper is a RuntimeError.

    >>> x = tl.tensor([-48.0, 0.0, 5.0])
    >>> F.rrelu(x)
    tensor([-11.,   0.,   5.])
    """
    if lower > upper:
        raise RuntimeError(f"rrelu: lower {lower} is greater than upper {upper}")
    slope = (lower + upper) / 2
    if training:
        slope = random.rng().uniform(lower, upper, x.shape).astype(x.dtype)
    return where(x > 0, x, x * slope)


@or_in_place
@in_float32
def elu(x, alpha=1.0):
    """x where it is above 0, else alpha * (exp(x) - 1), which goes to -alpha smoothly (Clevert et al., 2016).

    >>> x = tl.tensor([-10.0, -1.0, 0.0, 5.0])
    >>> F.elu(x)
    tensor([-1.    , -0.6321,  0.    ,  5.    ])
    """
    return where(x <= 0, alpha * expm1(clamp(x, max=0)), x)


@or_in_place
@in_float32
def celu(x, alpha=1.0):
    """x where it is above 0, else alpha * (exp(x / alpha) - 1): `elu` with slope 1 at 0 for every alpha (Barron, 2017).

    An alpha of 0 is a RuntimeError.

    >>> x = tl.tensor([-10.0, -1.0, 0.0, 5.0])
    >>> F.celu(x)
    tensor([-1.    , -0.6321,  0.    ,  5.    ])
    """
    if not alpha:
        raise RuntimeError("celu: alpha must not be 0")
    return where(x <= 0, alpha * expm1(clamp(x, max=0) / alpha), x)


@or_in_place
@in_float32
def selu(x):
    """1.0507 * elu(x, alpha=1.6733), which keeps mean 0 and variance 1 from layer to layer (Klambauer et al., 2017).

    That needs weights of mean 0 and variance 1 / inputs (`nn.init.kaiming_normal_` with nonlinearity="linear"), and
    `alpha_dropout` in the place of dropout.

    >>> x = tl.tensor([-100.0, 0.0, 1.0])
    >>> F.selu(x)
    tensor([-1.7581,  0.    ,  1.0507])
    """
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


@in_float32
def tanhshrink(x):
    """x - tanh(x): nearly 0 for small x, nearly x - 1 or x + 1 for large ones.

    >>> x = tl.tensor([-10.0, 0.0, 1.0, 10.0])
    >>> F.tanhshrink(x)
    tensor([-9.    ,  0.    ,  0.2384,  9.    ])
    """
    return x - tanh(x)


def hardshrink(x, lambd=0.5):
    """x where |x| is above lambd, else 0.

    >>> x = tl.tensor([-2.0, -0.5, 0.4, 2.0])
    >>> F.hardshrink(x)
    tensor([-2.,  0.,  0.,  2.])
    """
    return where((x >= -lambd) & (x <= lambd), 0.0, x)


def softshrink(x, lambd=0.5):
    """x brought nearer to 0 by lambd, and 0 where |x| is at most lambd: soft thresholding.

    A negative lambd is a RuntimeError.

    >>> x = tl.tensor([-2.0, 0.4, 2.0])
    >>> F.softshrink(x)
    tensor([-1.5,  0. ,  1.5])
    """
    if not lambd >= 0:
        raise RuntimeError(f"softshrink: lambd is at least 0, not {lambd}")
    return where(x > lambd, x - lambd, where(x < -lambd, x + lambd, x * 0.0))


@or_in_place
def threshold(x, threshold, value):
    """x where it is above the threshold, else the value.

    >>> x = tl.tensor([1.0, 2.0, 3.0])
    >>> F.threshold(x, 2.0, -1.0)
    tensor([-1., -1.,  3.])
    """
    return where(x <= threshold, value if x.dtype.kind == "f" else x.dtype.type(value), x)


@in_float32
def softsign(x):
    """x / (1 + |x|): within (-1, 1) like tanh, but nearing the ends more slowly.

    >>> x = tl.tensor([-9.0, 0.0, 1.0])
    >>> F.softsign(x)
    tensor([-0.9,  0. ,  0.5])
    """
    return x / (1 + abs(x))


@or_in_place
def hardtanh(x, min_val=-1.0, max_val=1.0):
    """x held within [min_val, max_val], by default [-1, 1]; at the bounds and beyond the gradient is 0.

    A min_val that is greater than max_val is a ValueError.

    >>> x = tl.tensor([-3.0, 0.5, 7.0])
    >>> F.hardtanh(x)
    tensor([-1. ,  0.5,  1. ])
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val {min_val} is greater than max_val {max_val}")
    if x.dtype.kind != "f":  # whole numbers stay whole
        min_val, max_val = x.dtype.type(int(min_val)), x.dtype.type(int(max_val))
    return where(x <= min_val, min_val, where(x >= max_val, max_val, x))


@or_in_place
def relu6(x):
    """min(max(x, 0), 6): a relu that is bounded, for numbers of few bits (Krizhevsky, 2010).

    >>> x = tl.tensor([-3.0, 0.5, 7.0])
    >>> F.relu6(x)
    tensor([0. , 0.5, 6. ])
    """
    return hardtanh(x, 0.0, 6.0)


@or_in_place
@in_float32
def hardsigmoid(x):
    """relu6(x + 3) / 6: a sigmoid of three straight lines, 0 up to -3 and 1 from 3 on.

    >>> x = tl.tensor([-4.0, -1.5, 0.0, 3.0])
    >>> F.hardsigmoid(x)
    tensor([0.  , 0.25, 0.5 , 1.  ])
    """
    return hardtanh(x + 3, 0.0, 6.0) / 6


@or_in_place
@in_float32
def hardswish(x):
    """x * relu6(x + 3) / 6: `silu` with a sigmoid of straight lines (Howard et al., 2019).

    >>> x = tl.tensor([-1.5, 0.0, 1.5, 3.0])
    >>> F.hardswish(x)
    tensor([-0.375,  0.   ,  1.125,  3.   ])
    """
    return x * (hardtanh(x + 3, 0.0, 6.0) / 6)


@in_float32
def glu(x, dim=-1):
    """a * sigmoid(b), a and b being the two halves of x: b says how much of a passes (Dauphin et al., 2017).

    x (…, 2 * D) gives (…, D); the last dimension is halved unless dim says another. An odd one is a RuntimeError.

    >>> x = tl.tensor([[5.0, 6.0, 0.0, 100.0]])
    >>> F.glu(x)
    tensor([[2.5, 6. ]])
    """
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
    """x divided by its p-norm along dim, so that vectors have length 1; a length below eps counts as eps.

    By default these are the rows of a matrix. p=2 is the usual length, p=1 the sum of absolute values.

    >>> x = tl.tensor([[3.0, 4.0], [0.0, 0.0]])
    >>> F.normalize(x)
    tensor([[0.6, 0.8],
            [0. , 0. ]])
    """
    x, length = with_length(x, p, dim)
    return x / clamp(length, min=eps)


def _bounded(cosine):
    """A cosine held within [-1, 1]: what is cut off is rounding, and takes no gradient with it."""
    return np.clip(cosine, -1, 1)


bounded = primitive(_bounded, lambda g, out, cosine: g, name="clamp")


@in_float32
def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """The cosine of the angle between vectors: 1 for the same direction, 0 for a right angle, -1 for opposite ones.

    sum(x1 * x2) / (|x1| * |x2|) along dim, which the result is without; x1 and x2 broadcast. A vector counts as no
    shorter than eps, so the cosine with a vector of zeros is 0.

    >>> a = tl.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 2.0]])
    >>> b = tl.tensor([[5.0, 0.0], [0.0, 1.0], [-1.0, -2.0]])
    >>> F.cosine_similarity(a, b)
    tensor([ 1.,  0., -1.])
    """
    shape = np.broadcast_shapes(x1.shape, x2.shape)
    units = [normalize(x if x.shape == shape else broadcast_to(x, shape), 2.0, dim, eps) for x in (x1, x2)]
    return bounded(sum(units[0] * units[1], dim))


@in_float32
def cdist(x1, x2, p=2.0, compute_mode=None):
    """The distance of each row of x1 to each row of x2, measured by the p-norm of their difference.

    x1 (…, P, M) and x2 (…, R, M) give (…, P, R); rows of another length are a RuntimeError. PyTorch's compute_mode
    changes nothing: differences are always taken, which is exact.

    >>> x1 = tl.tensor([[0.0, 0.0], [3.0, 0.0]])
    >>> F.cdist(x1, tl.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    tensor([[0.    , 5.    , 1.    ],
            [3.    , 4.    , 3.1623]])
    """
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"cdist: needs rows of one length, not shapes {x1.shape} and {x2.shape}")
    return vector_norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), p, -1)


@in_float32
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The distance of each vector of x1 to the one of x2 in the same place: the p-norm of x1 - x2 + eps.

    x1 and x2 (…, D) give (…,), or (…, 1) with keepdim. eps keeps the gradient finite where the two are equal. For every
    pair of rows see `cdist`.

    >>> x1 = tl.tensor([[3.0, 4.0], [0.0, 1.0]])
    >>> F.pairwise_distance(x1, tl.zeros(2, 2))
    tensor([5., 1.])
    """
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)


# ---------------------------------------------------------------- in place
def _in_place(function):
    """`in_place` of a function, with its example: `F.elu(x)` becomes `F.elu_(x)`."""
    changed = in_place(function)
    changed.__doc__ = changed.__doc__.replace(f"F.{function.__name__}(", f"F.{changed.__name__}(")
    return changed


celu_, elu_, hardtanh_, leaky_relu_ = map(_in_place, (celu, elu, hardtanh, leaky_relu))
relu_, rrelu_, selu_, threshold_ = map(_in_place, (relu, rrelu, selu, threshold))
