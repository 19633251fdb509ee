"""Losses: how far a prediction is from its target; reduction is "mean", "sum" or "none"."""

import math

import numpy as np

from tinygrad_lite.engine.halves import in_float32
from tinygrad_lite.engine.mode import mode
from tinygrad_lite.engine.tape import by_hand, cast
from tinygrad_lite.engine.values import as_array, occurs, unbox
from tinygrad_lite.ops import (
    amax,
    broadcast_to,
    clamp,
    exp,
    getitem,
    index_put,
    isinf,
    log,
    log1p,
    log_softmax,
    maximum,
    mean,
    movedim,
    reshape,
    sigmoid,
    sum,
    where,
)
from tinygrad_lite.ops.arguments import all_inside, outside

from .activation import hardtanh, logsigmoid

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "kl_div", "l1_loss",
    "mse_loss", "nll_loss", "smooth_l1_loss"]


def reduction_of(reduction, size_average, reduce):
    """The reduction that is asked for; PyTorch's former arguments go before where they are given."""
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction: it is 'mean', 'sum' or 'none'")
    return reduction


def reduced(loss, reduction, size_average=None, reduce=None, weight=None):
    """The loss, its sum, or its mean, which is that of the weighted ones over the weights."""
    reduction = reduction_of(reduction, size_average, reduce)
    if weight is not None:
        loss = scaled(loss, weight)
        if reduction == "mean":
            return sum(loss) / sum(broadcast_to(weight, loss.shape))
    return mean(loss) if reduction == "mean" else sum(loss) if reduction == "sum" else loss


def weighted(value, weight):
    """value * weight, and 0 where the weight is 0 though the value is infinite."""
    return where(isinf(value) & (weight == 0), 0.0, value) * weight


def scaled(loss, weight):
    """A loss times its weight, which may be None, and has no elements that the loss has not."""
    if weight is None:
        return loss
    found = weighted(loss, weight)
    if found.shape != loss.shape:
        raise RuntimeError(f"a weight of shape {weight.shape} does not fit a loss of shape {loss.shape}")
    return found


def same_shape(name, input, target):
    """ValueError unless both are of one shape."""
    if input.shape != target.shape:
        raise ValueError(f"{name}: input of shape {input.shape} and target of shape {target.shape} differ; reshape one")


# ---------------------------------------------------------------- classes
def _cross_entropy_rule(g, out, logits, target, e, total):
    p = e / total[:, None]  # (N, C)
    onehot = index_put(np.zeros(e.shape, e.dtype), (np.arange(len(target)), target), 1.0)
    return (p - onehot) * (g / len(target))


@by_hand(_cross_entropy_rule)
def _cross_entropy(logits, target):
    """The mean of -log softmax(logits)[target] over rows."""
    z = logits - amax(logits, 1, True)  # (N, C)
    e = exp(z)
    total = sum(e, 1)  # (N,)
    return mean(log(total) - z[np.arange(len(target)), target]), e, total


def _rows(name, input, target, ignore_index):
    """Classes last and everything else flat: input (M, C), target (M,), and which rows count (None: all)."""
    target = as_array(target)
    at = 0 if input.ndim == 1 else 1
    if input.ndim == 0:
        raise ValueError(f"{name}: the input has a number for each class, shape (N, C, …) or (C,), not ()")
    if input.shape[:at] + input.shape[at + 1 :] != target.shape:
        raise ValueError(f"{name}: an input of shape {input.shape} needs a target of shape "
                         f"{input.shape[:at] + input.shape[at + 1 :]}, not {target.shape}")
    if target.dtype.kind not in "iu":
        raise TypeError(f"{name}: the target holds class indices, so whole numbers, not {target.dtype}")
    rows = input if input.ndim == 2 else reshape(movedim(input, at, -1), -1, input.shape[at])
    target = target.reshape(-1)
    if all_inside(target, input.shape[at]):
        return rows, target, None
    beyond = outside(target, input.shape[at])
    counted = target != ignore_index
    wrong = beyond & counted
    if occurs(wrong):
        raise IndexError(f"{name}: target {target[wrong][0]} is out of bounds for {input.shape[at]} classes")
    return rows, target, counted


def _nll(rows, target, counted, shape, weight, reduction):
    """Of log-probabilities (M, C): minus the one of the target, weighted; the mean is over the weights."""
    if weight is not None and (weight.shape != rows.shape[1:] or weight.dtype != rows.dtype):
        raise RuntimeError(f"nll_loss: the weight has shape {rows.shape[1:]} and dtype {rows.dtype} as the input, not "
                           f"{weight.shape} and {weight.dtype}")
    if counted is not None:
        target = np.where(counted, target, 0)
    w = np.ones(len(target), rows.dtype) if weight is None else getitem(unbox(weight), target)
    w = w if counted is None else np.where(counted, w, w.dtype.type(0))
    loss = weighted(-getitem(rows, (np.arange(len(target)), target)), w)
    if counted is not None:
        loss = where(counted, loss, rows.dtype.type(0))
    if reduction == "mean":
        return sum(loss) / w.sum()
    return reduced(reshape(loss, shape), reduction)


@in_float32
def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """The negative log-likelihood: the mean of -input[target], where input holds log-probabilities (see `log_softmax`).

    input (N, C, …) or (C,), target (N, …) or () of class indices. weight (C,) counts classes more or less; targets
    equal to ignore_index do not count. reduction: "mean", over the weights of those that count, "sum", or "none" for
    the losses (N, …). An index outside [0, C) is an IndexError, a target of another shape a ValueError, one of floats a
    TypeError.

    >>> probabilities = tl.tensor([[0.5, 0.5], [1.0, 0.0]])
    >>> F.nll_loss(probabilities.log(), tl.tensor([0, 0]))  # the mean of log(2) and 0
    tensor(0.3466)
    """
    rows, flat, counted = _rows("nll_loss", input, target, ignore_index)
    if counted is None and 0 <= ignore_index < rows.shape[1]:
        counted = flat != ignore_index
    return _nll(rows, flat, counted, np.shape(unbox(target)), weight, reduction_of(reduction, size_average, reduce))


@in_float32
def cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean",
                  label_smoothing=0.0):
    """How improbable the right classes are by logits, numbers of any size: the mean of -log(softmax(input)[target]).

    input (N, C, …) or (C,); target (N, …) or () of class indices, or probabilities or one-hot zeros and ones of the
    input's shape. weight (C,) counts classes more or less; targets equal to ignore_index do not count. label_smoothing
    spreads that share of each target over all classes alike (Szegedy et al., 2016). reduction: "mean", which divides by
    the weights of the targets that count, or for probabilities by their number; "sum"; or "none" for the losses (N, …).
    An index outside [0, C) is an IndexError, a target of another shape a ValueError, one of other numbers a TypeError.

    >>> logits = tl.zeros(1, 4, requires_grad=True)
    >>> loss = F.cross_entropy(logits, tl.tensor([2]))
    >>> loss  # log(4)
    tensor(1.3863, grad_fn=<cross_entropy>)
    >>> loss.backward()
    >>> logits.grad  # softmax(logits) - the one-hot target, divided by N
    tensor([[ 0.25,  0.25, -0.75,  0.25]])
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing is in [0, 1], not {label_smoothing}")
    reduction = reduction_of(reduction, size_average, reduce)
    if input.ndim and np.shape(unbox(target)) == input.shape:  # probabilities, or one-hot
        if as_array(target).dtype.kind != "f":
            target = _zeros_and_ones(as_array(target)).astype(input.dtype)
        elif not hasattr(target, "dtype"):
            target = as_array(target).astype(input.dtype)
        if ignore_index >= 0:
            raise RuntimeError(f"cross_entropy: a target of probabilities has no index {ignore_index} to ignore")
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    rows, flat, counted = _rows("cross_entropy", input, target, ignore_index)
    if 0 <= ignore_index < rows.shape[1]:
        counted = flat != ignore_index
    alike = not hasattr(counted, "whole")  # in vmap each example may have another number of rows that count
    if reduction == "mean" and weight is None and not label_smoothing and alike:
        if counted is not None:
            rows, flat = getitem(rows, counted), flat[counted]
        return _cross_entropy(rows, flat) if len(flat) else sum(rows) * math.nan
    logp = log_softmax(rows)
    shape = np.shape(unbox(target))
    hard = _nll(logp, flat, counted, shape, weight, reduction)
    if not label_smoothing:
        return hard
    w = np.ones(rows.shape[1], rows.dtype) if weight is None else unbox(weight)
    smooth = -sum(weighted(logp, w), 1)
    if counted is not None:
        smooth = where(counted, smooth, rows.dtype.type(0))
    if reduction == "mean":
        at = flat if counted is None else np.where(counted, flat, 0)
        counts = np.ones(len(flat), rows.dtype) if weight is None else w[at]
        counts = counts if counted is None else np.where(counted, counts, counts.dtype.type(0))
        smooth = sum(smooth) / counts.sum()
    else:
        smooth = reduced(reshape(smooth, shape), reduction)
    return (1 - label_smoothing) * hard + (label_smoothing / rows.shape[1]) * smooth


def _zeros_and_ones(target):
    """What stands for one-hot rows; a TypeError for other whole numbers, which are no probabilities."""
    every = getattr(target, "examples", target)  # of a vmap all
    if ((every != 0) & (every != 1)).any():
        raise TypeError("cross_entropy: a target of the input's shape holds probabilities, which are floating-point "
                        "numbers, or is one-hot, which is zeros and ones")
    return target


def _soft_cross_entropy(input, target, weight, reduction, label_smoothing):
    at = 0 if input.ndim == 1 else 1
    logp = log_softmax(input, at)
    classes = input.shape[at]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    if weight is not None:
        target = target * reshape(weight, *(classes if d == at else 1 for d in range(input.ndim)))
    return reduced(-sum(weighted(logp, target), at), reduction)


# ---------------------------------------------------------------- probabilities
def _bernoulli_rule(g, out, p, y):
    variance = p * (1 - p)
    settled = (variance == 0) & (p == y)  # both 0 or both 1
    return g * where(settled, 0.0, (p - y) / clamp(variance, min=1e-12))


@by_hand(_bernoulli_rule, lambda g, out, p, y: g * (clamp(log1p(-p), min=-100) - clamp(log(p), min=-100)),
         name="binary_cross_entropy")
def _bernoulli(p, y):
    return -(y * clamp(log(p), min=-100) + (1 - y) * clamp(log1p(-p), min=-100))


@in_float32
def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """How improbable targets of 0 or 1 are: the mean of -(target * log(input) + (1 - target) * log(1 - input)).

    input and target hold probabilities and are of one shape, else a ValueError; a number outside [0, 1] is a
    RuntimeError. The logarithms count as at least -100. weight, which may broadcast, multiplies the losses. reduction:
    "mean", "sum", or "none" for the losses one by one. For logits there is `binary_cross_entropy_with_logits`.

    >>> probabilities = tl.tensor([0.5, 1.0])
    >>> F.binary_cross_entropy(probabilities, tl.tensor([1.0, 1.0]))  # the mean of log(2) and 0
    tensor(0.3466)
    """
    same_shape("binary_cross_entropy", input, target)
    for word, x in (("input", unbox(input)), ("target", unbox(target))):
        if ((x < 0) | (x > 1)).any():
            raise RuntimeError(f"binary_cross_entropy: the {word} holds probabilities, and some are outside [0, 1]; "
                               "of logits use binary_cross_entropy_with_logits")
    return reduced(scaled(_bernoulli(input, target), weight), reduction, size_average, reduce)


@by_hand(lambda g, out, z, y: g * (sigmoid(z) - y), lambda g, out, z, y: g * -z,
         name="binary_cross_entropy_with_logits")
def _logistic(z, y):
    """-log sigmoid of z where y is 1, of -z where it is 0."""
    e = exp(-abs(z))  # at most 1, so nothing overflows
    if mode.as_text or not occurs(np.isinf(unbox(z))):
        return maximum(z, 0.0) - z * y + log1p(e)
    return weighted(z, (z >= 0) - y) + log1p(e)


@in_float32
def binary_cross_entropy_with_logits(input, target, weight=None, size_average=None, reduce=None, reduction="mean",
                                     pos_weight=None):
    """`binary_cross_entropy` of sigmoid(input), right for logits of any size.

    It is the mean of max(input, 0) - input * target + log(1 + exp(-|input|)); the gradient of one is sigmoid(input) -
    target. input and target are of one shape, else a ValueError. weight multiplies the losses; pos_weight multiplies
    the part of the positive targets only, so that a rare class counts more. Both may broadcast. reduction: "mean",
    "sum", or "none" for the losses one by one.

    >>> logits = tl.tensor([0.0, 1000.0])
    >>> F.binary_cross_entropy_with_logits(logits, tl.tensor([1.0, 0.0]))  # the mean of log(2) and 1000
    tensor(500.3466)
    """
    same_shape("binary_cross_entropy_with_logits", input, target)
    if pos_weight is None:
        loss = _logistic(input, target)
    else:
        loss = -weighted(logsigmoid(input), pos_weight * target) - weighted(logsigmoid(-input), 1 - target)
    same_shape("binary_cross_entropy_with_logits", input, loss)
    return reduced(scaled(loss, weight), reduction, size_average, reduce)


@in_float32
def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """How far probabilities are from those of the target: target * (log(target) - input), where input holds their logs.

    input and target are of one shape; with log_target the target holds logs too. A target of 0 gives 0. reduction:
    "mean", the default, is over all elements; "batchmean" is the sum divided by the first size, and so the divergence
    as it is defined (Kullback and Leibler, 1951); "sum"; or "none" for the elements.

    >>> probabilities = tl.tensor([[0.5, 0.5], [0.25, 0.75]])
    >>> F.kl_div(probabilities.log(), tl.tensor([[1.0, 0.0], [0.25, 0.75]]))  # log(2) / 4
    tensor(0.1733)
    """
    if log_target:
        empty = (unbox(target) == -math.inf) & ~np.isnan(unbox(input))
        loss = weighted(where(empty, 0.0, target - input), exp(target))
    else:
        logs = log(where(target == 0, 1.0, target))  # NaN of what is no probability
        loss = where(target == 0, 0.0, target * logs) - weighted(input, target)
    if reduction == "batchmean" and size_average is reduce is None:
        return sum(loss) / input.shape[0] if input.ndim else sum(loss)
    return reduced(loss, reduction, size_average, reduce)


# ---------------------------------------------------------------- distances
def _errors(name, input, target):
    """input - target, of one shape; bools of a target count as 0 and 1."""
    same_shape(name, input, target)
    return input - (cast(target, input.dtype) if target.dtype == bool else target)


@in_float32
def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """The mean squared error: the mean of (input - target) ** 2.

    input and target are of one shape, else a ValueError: nothing broadcasts. reduction: "mean", "sum", or "none" for
    the squares one by one. The function, not the layer, also takes a weight of that shape; the mean is then over the
    weights.

    >>> prediction = tl.tensor([1.0, 2.0, 6.0])
    >>> F.mse_loss(prediction, tl.tensor([1.0, 3.0, 3.0]))  # the mean of 0, 1 and 9
    tensor(3.3333)
    """
    return reduced(_errors("mse_loss", input, target) ** 2, reduction, size_average, reduce, weight)


@in_float32
def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """The mean absolute error: the mean of |input - target|.

    input and target are of one shape, else a ValueError: nothing broadcasts. reduction: "mean", "sum", or "none" for
    the errors one by one. The function, not the layer, also takes a weight of that shape; the mean is then over the
    weights.

    >>> prediction = tl.tensor([1.0, 2.0, 6.0])
    >>> F.l1_loss(prediction, tl.tensor([1.0, 3.0, 1.0]))  # the mean of 0, 1 and 5
    tensor(2.)
    """
    return reduced(abs(_errors("l1_loss", input, target)), reduction, size_average, reduce, weight)


def _huber(error, delta):
    near = hardtanh(error, -delta, delta)
    return near * (error - 0.5 * near)


@in_float32
def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """The mean of error ** 2 / 2 for errors up to delta, and of delta * (|error| - delta / 2) beyond it (Huber, 1964).

    So a few large errors, input - target, do not outweigh all others. input and target are of one shape, and delta is
    above 0, else a ValueError. reduction: "mean", "sum", or "none" for the losses one by one. The function, not the
    layer, also takes a weight, which multiplies the losses.

    >>> prediction = tl.tensor([0.0, 1.0, 10.0])
    >>> F.huber_loss(prediction, tl.zeros(3))  # the mean of 0, 0.5 and 9.5
    tensor(3.3333)
    """
    if not delta > 0:
        raise ValueError(f"huber_loss: delta is above 0, not {delta}")
    loss = _huber(_errors("huber_loss", input, cast(target, input.dtype)), delta)
    return reduced(scaled(loss, weight), reduction)


@in_float32
def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """The mean of error ** 2 / (2 * beta) for errors up to beta, and of |error| - beta / 2 beyond it (Girshick, 2015).

    The error is input - target. It is `huber_loss` / beta, and for beta = 0 `l1_loss`. input and target are of one
    shape, and beta is not negative, else a ValueError. reduction: "mean", "sum", or "none" for the losses one by one.

    >>> prediction = tl.tensor([0.0, 1.0, 10.0])
    >>> F.smooth_l1_loss(prediction, tl.zeros(3))  # the mean of 0, 0.5 and 9.5
    tensor(3.3333)
    """
    if beta == 0:
        return l1_loss(input, target, size_average, reduce, reduction)
    if not beta > 0:
        raise ValueError(f"smooth_l1_loss: beta is not negative, not {beta}")
    return reduced(_huber(_errors("smooth_l1_loss", input, target), beta) / beta, reduction, size_average, reduce)
