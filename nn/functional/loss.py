"""Losses: how far a prediction is from its target; reduction is "mean", "sum" or "none"."""

import math

import numpy as np

from tinygrad_lite.engine.halves import in_float32
from tinygrad_lite.engine.mode import mode
from tinygrad_lite.engine.tape import by_hand, cast
from tinygrad_lite.engine.values import as_array, occurs, unbox
from tinygrad_lite.ops import (
    amax,
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
            return sum(loss) / sum(weight)
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
    if input.ndim == 0 or input.shape[:at] + input.shape[at + 1 :] != target.shape:
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
    """-input[target] of log-probabilities (N, C, …) and class indices (N, …); see `cross_entropy`."""
    rows, flat, counted = _rows("nll_loss", input, target, ignore_index)
    if counted is None and 0 <= ignore_index < rows.shape[1]:
        counted = flat != ignore_index
    return _nll(rows, flat, counted, np.shape(unbox(target)), weight, reduction_of(reduction, size_average, reduce))


@in_float32
def cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean",
                  label_smoothing=0.0):
    """-log softmax(input)[target]: logits (N, C, …) or (C,), target (N, …) of class indices, or probabilities
    (one-hot ones, say) of the logits' shape.

    weight (C,) counts classes more or less; rows whose target is ignore_index do not count, and the mean is over the
    weights of those that do. label_smoothing moves that share of the target to all classes alike. An index outside
    [0, C) is an IndexError, a target of another shape a ValueError, one of other numbers a TypeError.
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing is in [0, 1], not {label_smoothing}")
    reduction = reduction_of(reduction, size_average, reduce)
    if getattr(target, "dtype", np.dtype(int)).kind == "f" and target.shape == input.shape or \
            input.ndim > 1 and np.shape(unbox(target)) == input.shape:  # probabilities, or one-hot
        if not hasattr(target, "dtype") or target.dtype.kind != "f":
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
    """-(target * log(input) + (1 - target) * log(1 - input)) of probabilities; the logs are at least -100."""
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
    """`binary_cross_entropy` of sigmoid(input), right for large logits; pos_weight scales the positive part."""
    same_shape("binary_cross_entropy_with_logits", input, target)
    if pos_weight is None:
        loss = _logistic(input, target)
    else:
        loss = -weighted(logsigmoid(input), pos_weight * target) - weighted(logsigmoid(-input), 1 - target)
    same_shape("binary_cross_entropy_with_logits", input, loss)
    return reduced(scaled(loss, weight), reduction, size_average, reduce)


@in_float32
def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """target * (log(target) - input) of log-probabilities; "batchmean" divides the sum by the first size."""
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
    """(input - target)**2, each times its weight; the mean is then over the weights."""
    return reduced(_errors("mse_loss", input, target) ** 2, reduction, size_average, reduce, weight)


@in_float32
def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """|input - target|, each times its weight; the mean is then over the weights."""
    return reduced(abs(_errors("l1_loss", input, target)), reduction, size_average, reduce, weight)


def _huber(error, delta):
    near = hardtanh(error, -delta, delta)
    return near * (error - 0.5 * near)


@in_float32
def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """Half the square of errors below delta, delta * (|error| - delta / 2) of larger ones, each times its weight."""
    if not delta > 0:
        raise ValueError(f"huber_loss: delta is above 0, not {delta}")
    loss = _huber(_errors("huber_loss", input, cast(target, input.dtype)), delta)
    return reduced(scaled(loss, weight), reduction)


@in_float32
def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """`huber_loss` divided by beta; `l1_loss` for beta = 0."""
    if beta == 0:
        return l1_loss(input, target, size_average, reduce, reduction)
    if not beta > 0:
        raise ValueError(f"smooth_l1_loss: beta is not negative, not {beta}")
    return reduced(_huber(_errors("smooth_l1_loss", input, target), beta) / beta, reduction, size_average, reduce)
