"""Losses of margins and rankings, and those of distributions with parameters; see `loss`."""

import math

import numpy as np

from tinygrad_lite.engine.halves import in_float32
from tinygrad_lite.engine.tape import cast
from tinygrad_lite.engine.values import as_array, unbox
from tinygrad_lite.ops import (
    clamp,
    exp,
    getitem,
    hypot,
    log,
    mean,
    minimum,
    reshape,
    sum,
    unsqueeze,
    vector_norm,
    where,
)

from .activation import logsigmoid, pairwise_distance
from .loss import reduced, same_shape

__all__ = [
    "cosine_embedding_loss", "gaussian_nll_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "poisson_nll_loss", "soft_margin_loss",
    "triplet_margin_loss", "triplet_margin_with_distance_loss"]


# ---------------------------------------------------------------- two classes, 1 and -1
@in_float32
def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """The mean of log(1 + exp(-target * input)), for scores and targets of two classes, 1 and -1.

    input and target are of one shape, else a ValueError. reduction: "mean", "sum", or "none" for the losses one by one.
    With targets 0 and 1 it is `binary_cross_entropy_with_logits`.

    >>> scores = tl.tensor([0.0, 100.0])
    >>> F.soft_margin_loss(scores, tl.tensor([1.0, -1.0]))  # the mean of log(2) and 100
    tensor(50.3466)
    """
    same_shape("soft_margin_loss", input, target)
    return reduced(-logsigmoid(cast(target, input.dtype) * input), reduction, size_average, reduce)


@in_float32
def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """The mean of distances where the target is 1, and of max(0, margin - distance) where it is -1.

    input holds distances, target is of its shape: pairs that belong together shall be near, others at least the margin
    apart. reduction: "mean", "sum", or "none" for the losses one by one.

    >>> distances = tl.tensor([0.5, 0.25, 5.0])
    >>> F.hinge_embedding_loss(distances, tl.tensor([1, -1, -1]))  # the mean of 0.5, 0.75 and 0
    tensor(0.4167)
    """
    near, far = where(target != -1, input, 0.0), where(target != 1, clamp(margin - input, min=0), 0.0)
    return reduced(near + far, reduction, size_average, reduce)


@in_float32
def margin_ranking_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
    """The mean of max(0, margin - target * (input1 - input2)): 0 where two scores are in the right order.

    The target is 1 where input1 should be the larger, -1 where input2 should. All three have as many dimensions, else a
    RuntimeError, and broadcast. reduction: "mean", "sum", or "none" for the losses one by one.

    >>> a, b = tl.tensor([3.0, 1.0]), tl.tensor([1.0, 2.0])
    >>> F.margin_ranking_loss(a, b, tl.tensor([1.0, 1.0]))  # the mean of 0 and 1
    tensor(0.5)
    """
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(f"margin_ranking_loss: inputs of shapes {input1.shape} and {input2.shape} and a target of "
                           f"shape {target.shape} differ in dimensions")
    return reduced(clamp(margin + -target * (input1 - input2), min=0), reduction, size_average, reduce)


@in_float32
def cosine_embedding_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
    """The mean of 1 - cosine for rows whose target is 1, and of max(0, cosine - margin) where it is -1.

    input1 and input2 (N, D) with target (N,), or (D,) with (), else a RuntimeError. reduction: "mean", "sum", or "none"
    for the losses one by one. For the cosine see `cosine_similarity`.

    >>> a = tl.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> b = tl.tensor([[0.0, 1.0], [0.0, 1.0]])
    >>> F.cosine_embedding_loss(a, b, tl.tensor([1, -1]))  # the mean of 1 and 0
    tensor(0.5)
    """
    if input1.ndim not in (1, 2) or target.ndim != input1.ndim - 1 or input1.shape != input2.shape:
        raise RuntimeError(f"cosine_embedding_loss: inputs (N, D) with a target (N,), or (D,) with a number, not "
                           f"{input1.shape} and {input2.shape} with {target.shape}")
    units = [x / hypot(vector_norm(x, 2, -1, True), 1e-6) for x in (input1, input2)]  # a row of zeros is like none
    cosine = sum(units[0] * units[1], -1)
    like, unlike = where(target == 1, 1 - cosine, 0.0), where(target == -1, clamp(cosine - margin, min=0), 0.0)
    return reduced(like + unlike, reduction, size_average, reduce)


# ---------------------------------------------------------------- three, of which two are near
def _checked_margin(name, margin):
    if not margin > 0:
        raise ValueError(f"{name}: the margin is above 0, not {margin}")


def _triplet(distance, anchor, positive, negative, margin, swap):
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return clamp(margin + near - far, min=0)


@in_float32
def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False, size_average=None,
                        reduce=None, reduction="mean"):
    """The mean of max(0, margin + |anchor - positive| - |anchor - negative|) over rows (Schroff et al., 2015).

    So it is 0 where an anchor is nearer to the positive than to the negative, by the margin. All three are (N, D) or
    (D,), and |…| is `pairwise_distance` with p and eps. With swap the nearer of anchor and positive to the negative
    counts. reduction: "mean", "sum", or "none" for the losses (N,). A margin that is not above 0 is a ValueError.

    >>> anchor, positive, negative = tl.zeros(1, 2), tl.tensor([[3.0, 4.0]]), tl.tensor([[0.0, 5.5]])
    >>> F.triplet_margin_loss(anchor, positive, negative)  # 1 + 5 - 5.5
    tensor(0.5)
    """
    _checked_margin("triplet_margin_loss", margin)
    loss = _triplet(lambda x, y: pairwise_distance(x, y, p, eps), anchor, positive, negative, margin, swap)
    return reduced(loss, reduction, size_average, reduce)


def triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False,
                                      reduction="mean"):
    """`triplet_margin_loss` with a distance of one's own: max(0, margin + d(anchor, positive) - d(anchor, negative)).

    distance_function takes two tensors; it is `pairwise_distance` unless given. With swap the nearer of anchor and
    positive to the negative counts. reduction: "mean", "sum", or "none" for the losses one by one. A margin that is not
    above 0 is a ValueError.

    >>> anchor, positive, negative = tl.zeros(1, 2), tl.tensor([[3.0, 4.0]]), tl.tensor([[0.0, 7.5]])
    >>> F.triplet_margin_with_distance_loss(
    ...     anchor, positive, negative, distance_function=lambda x, y: (x - y).abs().sum(dim=-1))  # 1 + 7 - 7.5
    tensor(0.5)
    """
    _checked_margin("triplet_margin_with_distance_loss", margin)
    loss = _triplet(distance_function or pairwise_distance, anchor, positive, negative, margin, swap)
    return reduced(loss, reduction)


# ---------------------------------------------------------------- several classes
def _rows_of(name, input, target, several):
    """input as (N, C), target as an array (N,), or (N, C) for several classes."""
    target, classes = as_array(target), input.shape[-1] if input.ndim else 1
    expected = input.shape if several else input.shape[:-1]
    if input.ndim > 2 or not classes or target.shape not in (expected, expected or (1,)):
        raise RuntimeError(f"{name}: an input (N, C) or (C,) needs a target of shape {expected}, not {target.shape}; "
                           f"the input's shape is {input.shape}")
    if target.dtype.kind not in "iu":
        raise TypeError(f"{name}: the target holds class indices, so whole numbers, not {target.dtype}")
    if target.size and not -several <= target.min() <= target.max() < classes:
        raise IndexError(f"{name}: the target holds an index outside the {classes} classes")
    return reshape(input, -1, classes), target.reshape(-1, classes) if several else target.reshape(-1)


@in_float32
def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"):
    """The mean over classes of max(0, margin - input[target] + input[other]) ** p: the right one leads by the margin.

    input (N, C) or (C,) of scores, target (N,) or () of class indices; the target's own class gives 0, and is counted
    in the mean. p is 1 or 2, else a ValueError; weight (C,) multiplies the loss by that of the target. reduction:
    "mean" over N, "sum", or "none" for the losses (N,). An index outside [0, C) is an IndexError, a target of another
    shape a RuntimeError.

    >>> scores = tl.tensor([[2.0, 0.0, 1.6]])
    >>> F.multi_margin_loss(scores, tl.tensor([0]))  # (0 + 0 + 0.6) / 3
    tensor(0.2)
    """
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p is 1 or 2, not {p}")
    rows, classes = _rows_of("multi_margin_loss", input, target, False)
    if weight is not None and weight.shape != rows.shape[1:]:
        raise RuntimeError(f"multi_margin_loss: the weight has shape {rows.shape[1:]}, not {weight.shape}")
    others = classes[:, None] != np.arange(rows.shape[1])
    correct = getitem(rows, (np.arange(len(classes)), classes))
    short = clamp(margin - unsqueeze(correct, 1) + rows, min=0) ** p  # (N, C)
    if weight is not None:
        short = short * unsqueeze(getitem(unbox(weight), classes), 1)
    loss = mean(where(others, short, 0.0), 1)
    return reduced(reshape(loss, input.shape[:-1]), reduction, size_average, reduce)


@in_float32
def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """The sum of max(0, 1 - input[target] + input[other]) over all pairs of a right and a wrong class, divided by C.

    input (N, C) or (C,) of scores; target, of the same shape, holds the indices of the right classes, and after the
    last one -1. reduction: "mean" over N, "sum", or "none" for the losses (N,). A target of another shape is a
    RuntimeError, an index outside [-1, C) an IndexError.

    >>> scores = tl.tensor([[3.0, 1.0, 0.0, 2.5]])
    >>> F.multilabel_margin_loss(scores, tl.tensor([[0, 1, -1, -1]]))  # (0 + 0.5 + 0 + 2.5) / 4
    tensor(0.75)
    """
    rows, classes = _rows_of("multilabel_margin_loss", input, target, True)
    counted = np.cumprod(classes >= 0, 1).astype(bool)  # those before the first -1
    chosen = counted[:, :, None] & (classes[:, :, None] == np.arange(rows.shape[1]))  # (N, targets, C)
    correct = getitem(rows, (np.arange(len(classes))[:, None], np.where(counted, classes, 0)))
    short = clamp(1 - unsqueeze(correct, 2) + unsqueeze(rows, 1), min=0)  # (N, targets, C)
    pairs = counted[:, :, None] & ~chosen.any(1, keepdims=True)
    loss = sum(where(pairs, short, 0.0), (1, 2)) / rows.shape[1]
    return reduced(reshape(loss, input.shape[:-1]), reduction, size_average, reduce)


@in_float32
def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """The mean over classes of `binary_cross_entropy_with_logits`: each class is there or not, whatever the others are.

    input and target (…, C) are of one shape, else a ValueError; weight (C,) multiplies the loss of each class.
    reduction: "mean", "sum", or "none" for the losses (…,).

    >>> logits = tl.tensor([[0.0, 100.0]])
    >>> F.multilabel_soft_margin_loss(logits, tl.tensor([[1.0, 0.0]]))  # the mean of log(2) and 100
    tensor(50.3466)
    """
    same_shape("multilabel_soft_margin_loss", input, target)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    return reduced(mean(loss if weight is None else loss * weight, -1), reduction, size_average, reduce)


# ---------------------------------------------------------------- distributions
@in_float32
def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """The mean of (log(var) + (input - target) ** 2 / var) / 2: how improbable a target is by a mean and a variance.

    input holds the means; var is a number, or of input's shape, or with 1 or nothing in the place of one of its
    dimensions, and counts as at least eps (Nix and Weigend, 1994). full adds log(2 * pi) / 2. reduction: "mean", "sum",
    or "none" for the losses one by one. ValueError: a var of another shape or with numbers below 0.

    >>> mean, target = tl.zeros(2), tl.tensor([2.0, 2.0])
    >>> F.gaussian_nll_loss(mean, target, tl.tensor([1.0, 4.0]))  # the mean of 2 and (log(4) + 1) / 2
    tensor(1.5966)
    """
    if not hasattr(var, "shape"):
        var = np.full(input.shape, var, input.dtype)
    if (unbox(var) < 0).any():
        raise ValueError("gaussian_nll_loss: var holds variances, and some are less than 0")
    if var.shape == input.shape[:-1] != input.shape:
        var = unsqueeze(var, -1)
    if var.ndim != input.ndim or [k for k, n in zip(var.shape, input.shape) if k != n] not in ([], [1]):
        raise ValueError(f"gaussian_nll_loss: a var of shape {var.shape} does not fit an input of shape {input.shape}")
    if not eps > 0:
        raise ValueError(f"gaussian_nll_loss: eps is above 0, not {eps}")
    var = var + np.maximum(eps - unbox(var), 0)  # the gradient passes, as in PyTorch
    loss = 0.5 * (log(var) + (input - target) ** 2 / var)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


@in_float32
def poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None,
                     reduction="mean"):
    """The mean of rate - target * log(rate), with rate = exp(input): how improbable counts are by their rates.

    With log_input=False the input holds the rates, and eps is added in the logarithm. full adds log(target!) by
    Stirling's formula, for targets above 1. reduction: "mean", "sum", or "none" for the losses one by one.

    >>> log_rates = tl.tensor([1.0, 2.0]).log()
    >>> F.poisson_nll_loss(log_rates, tl.tensor([0.0, 1.0]))  # the mean of 1 and 2 - log(2)
    tensor(1.1534)
    """
    loss = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        y = where(target > 1, target, 1.0)
        loss = loss + where(target > 1, y * log(y) - y + 0.5 * log(2 * math.pi * y), 0.0)
    return reduced(loss, reduction, size_average, reduce)
