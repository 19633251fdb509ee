"""Functions of neural networks: each its definition, with the rule derived by hand above it."""

import numpy as np

from tinygrad_lite import creation
from tinygrad_lite.ops import (
    amax,
    exp,
    log,
    matmul,
    mean,
    put,
    reshape,
    sum,
)
from tinygrad_lite.ops import logsumexp as logsumexp
from tinygrad_lite.ops import relu as relu
from tinygrad_lite.ops import sigmoid as sigmoid
from tinygrad_lite.ops import tanh as tanh
from tinygrad_lite.tape import by_hand, unbox


@by_hand(lambda g, p, x, dim: p * (g - sum(g * p, dim, keepdim=True)))
def softmax(x, dim=-1):
    """exp(x) / sum(exp(x)) along dim; shifted by the maximum, so that nothing overflows."""
    e = exp(x - amax(x, dim, keepdim=True))  # every exponent <= 0
    return e / sum(e, dim, keepdim=True)


@by_hand(lambda g, out, x, dim: g - exp(out) * sum(g, dim, keepdim=True))
def log_softmax(x, dim=-1):
    """log(softmax(x)), without the log of a number that underflowed."""
    z = x - amax(x, dim, keepdim=True)
    return z - log(sum(exp(z), dim, keepdim=True))


@by_hand(lambda g, out, x, weight, bias: matmul(g, weight),
         lambda g, out, x, weight, bias: matmul(_rows(g).mT, _rows(x)),
         lambda g, out, x, weight, bias: sum(_rows(g), 0))
def linear(x, weight, bias=None):
    """x @ weight.T + bias: x (…, in), weight (out, in), bias (out,) -> (…, out)."""
    y = matmul(x, weight.mT)
    return y if bias is None else y + bias


def _rows(x):
    """(…, n) -> (rows, n)"""
    return x if x.ndim == 2 else reshape(x, -1, x.shape[-1])


def _cross_entropy_rule(g, out, logits, target, scale, e, total):
    g = g * scale
    p = e * ((g[:, None] if g.ndim else g) / total[:, None])
    return p - put(np.zeros(e.shape, e.dtype), (np.arange(len(target)), target), g)


@by_hand(_cross_entropy_rule)
def _cross_entropy(logits, target, scale):
    """The sum of scale * -log softmax(logits)[target] over rows; scale (N,) or a number."""
    z = logits - amax(logits, 1, True)  # (N, C)
    e = exp(z)
    total = sum(e, 1)  # (N,)
    rows = log(total) - z[np.arange(len(target)), target]
    return sum(rows * scale), e, total


def cross_entropy(logits, target):
    """Mean of -log softmax(logits)[target]: logits (N, C), target (N,) of class indices -> scalar.

    An index outside [0, C) is an IndexError; a target that is not of whole numbers a TypeError.
    """
    target = np.asarray(unbox(target))
    if logits.ndim != 2 or target.shape != logits.shape[:1]:
        raise ValueError(f"cross_entropy: logits of shape {logits.shape} need a target of shape {logits.shape[:1]}, "
                         f"not {target.shape}")
    if target.dtype.kind not in "iu":
        raise TypeError(f"cross_entropy: the target holds class indices, so whole numbers, not {target.dtype}")
    outside = target.astype(np.uintp) >= logits.shape[1]  # negative ones wrap to large ones
    if outside.any():
        raise IndexError(f"cross_entropy: target {target[outside][0]} is out of bounds for {logits.shape[1]} classes")
    return _cross_entropy(logits, target, 1 / len(target))


def mse_loss(input, target):
    """Mean of (input - target)**2."""
    if input.shape != target.shape:
        raise ValueError(f"mse_loss: shapes {input.shape} and {target.shape} differ; reshape one")
    return mean((input - target) ** 2)


def check_probability(name, p):
    """ValueError unless 0 <= p <= 1."""
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: the probability is in [0, 1], not {p}")


def dropout(x, p=0.5, training=True):
    """Each element 0 with probability p, else divided by 1 - p; the input itself unless training."""
    check_probability("dropout", p)
    if not training or p == 0:
        return x
    kept = creation.generator().random(x.shape) >= p
    return x * (kept / (1 - p) if p < 1 else kept).astype(x.dtype)
