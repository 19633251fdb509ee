"""Dropout: elements, or whole channels, left out at random while training."""

import functools
import inspect

from tinygrad_lite import random
from tinygrad_lite.inplace import or_in_place

__all__ = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "feature_alpha_dropout"]


def check_probability(name, p):
    """ValueError unless 0 <= p <= 1."""
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: the probability is in [0, 1], not {p}")


def dropout_factor(shape, p, dtype):
    """What dropout multiplies by: 0 with probability p, else 1 / (1 - p)."""
    kept = random.rng().random(shape) >= p
    return (kept / (1 - p) if p < 1 else kept).astype(dtype)


def _dropout(while_training):
    """Decorator: a function of (x, p) that leaves x alone unless `training`, whose default is given."""
    def decorate(function):
        changed = or_in_place(function)

        @functools.wraps(function)
        def call(x, p=0.5, training=while_training, inplace=False):
            check_probability(function.__name__, p)
            return changed(x, p, inplace=inplace) if training and p else x

        call.__signature__ = inspect.signature(call, follow_wrapped=False)
        return call

    return decorate


@_dropout(True)
def dropout(x, p):
    """x with each element set to 0 with probability p, and the others divided by 1 - p (Srivastava et al., 2014).

    So the expected values stay, and without training there is nothing to do: x itself is given back. A p outside [0, 1]
    is a ValueError.

    >>> x = tl.ones(100)
    >>> F.dropout(x).unique()
    tensor([0., 2.])
    """
    return x * dropout_factor(x.shape, p, x.dtype)


def _channels(name, x, batched, least):
    """The shape of a number for each channel of x, which has a batch from so many dimensions on."""
    if x.ndim < least:
        raise RuntimeError(f"{name}: needs an input of at least {least} dimensions, not of shape {x.shape}")
    lead = 2 if x.ndim >= batched else 1
    return x.shape[:lead] + (1,) * (x.ndim - lead)


@_dropout(True)
def dropout1d(x, p):
    """x with whole channels set to 0 with probability p, and the others divided by 1 - p (Tompson et al., 2015).

    x is (N, C, L) or (C, L), else a RuntimeError; without training x itself is given back. Neighbors are alike, so one
    that is left out alone would hide little.

    >>> x = tl.ones(100, 1, 4)
    >>> F.dropout1d(x).sum(dim=(1, 2)).unique()
    tensor([0., 8.])
    """
    if x.ndim > 3:
        raise RuntimeError(f"dropout1d: needs an input (N, C, L) or (C, L), not of shape {x.shape}")
    return x * dropout_factor(_channels("dropout1d", x, 3, 2), p, x.dtype)


@_dropout(True)
def dropout2d(x, p):
    """x with whole channels set to 0 with probability p, and the others divided by 1 - p (Tompson et al., 2015).

    x is (N, C, H, W); of three dimensions the first is the batch, as in PyTorch. Without training x itself is given
    back.

    >>> x = tl.ones(100, 1, 2, 2)
    >>> F.dropout2d(x).sum(dim=(1, 2, 3)).unique()
    tensor([0., 8.])
    """
    return x * dropout_factor(_channels("dropout2d", x, 2, 2), p, x.dtype)


def _alpha(x, p, shape):
    """Dropout that keeps mean 0 and variance 1 after `selu`: what is left out is selu's least value."""
    least = -1.0507009873554805 * 1.6732632423543772
    kept = (random.rng().random(shape) >= p).astype(x.dtype)
    if p == 1:
        return x * kept
    scale = ((1 - p) * (1 + p * least**2)) ** -0.5
    return scale * (x * kept + (least * (1 - kept) - p * least))


@_dropout(False)
def alpha_dropout(x, p):
    """Dropout for layers with `selu`: numbers of mean 0 and variance 1 stay so (Klambauer et al., 2017).

    With probability p an element becomes the least value of selu, -1.7581; then all are scaled and shifted. Without
    training, as by default, x itself is given back. A p outside [0, 1] is a ValueError.

    >>> x = tl.randn(10000)
    >>> F.alpha_dropout(x, p=0.5, training=True).var().round(decimals=1)
    tensor(1.)
    """
    return _alpha(x, p, x.shape)


@_dropout(False)
def feature_alpha_dropout(x, p):
    """`alpha_dropout` of whole channels of x (N, C, …), each left out with probability p.

    Without training, as by default, x itself is given back. In training an x of one dimension is a RuntimeError.

    >>> x = tl.zeros(2, 3, 4)
    >>> y = F.feature_alpha_dropout(x, training=True)
    >>> (y == y[:, :, :1]).all()  # all of a channel alike
    tensor(True)
    """
    return _alpha(x, p, _channels("feature_alpha_dropout", x, 2, 2))
