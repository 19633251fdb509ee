"""Batch normalization with running statistics

batch_norm(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5)
    -> y, running_mean, running_var

x is (N, C) or (N, C, H, W), y has its shape, and gamma, beta, running_mean and running_var are (C,). Each channel is
normalized over all axes but its own, multiplied by gamma, and beta is added; eps stands under the square root.

In training the mean and the variance of this batch normalize, and the variance is the biased one. The running
statistics move a little towards those of the batch, as in PyTorch: new = (1 - momentum) * running + momentum * batch,
where the variance of the batch is the unbiased one, which divides by the number of values minus 1. In evaluation
(training is False) the running statistics normalize, and are returned as they are. Do not change the arguments. In
training there are at least two values a channel; in evaluation one is enough.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=12,
    hints=["A channel is axis 1. Reduce over (0,) where x is (N, C), and over (0, 2, 3) where it is (N, C, H, W).",
           "(C,) broadcasts along the last axis. Reshape to (1, C) or (1, C, 1, 1) before it meets x.",
           "In training mean and var are those of the batch, in evaluation the running ones; all else is the same.",
           "Only the running variance gets the unbiased one: x.var(axis=axes, ddof=1)."],
    pitfalls=["mean(x**2) - mean(x)**2 cancels far from 0; x.var subtracts the mean first.",
              "In evaluation a prediction must not depend on what else is in the batch: use the running statistics.",
              "PyTorch's momentum is the weight of the new batch (0.1); in other libraries it is that of the old "
              "(0.9)."],
)


@drill.reference
def batch_norm(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    """x: (N, C) or (N, C, H, W), all others: (C,) -> y like x, running_mean (C,), running_var (C,)"""
    axes = (0, *range(2, x.ndim))  # all but the channel's
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(axis=axes), x.var(axis=axes)  # biased: what y has is a variance of just 1
        unbiased = x.var(axis=axes, ddof=1)  # an estimate for data that are not in the batch
        running_mean = (1 - momentum) * running_mean + momentum * mean  # new arrays: the caller keeps the old ones
        running_var = (1 - momentum) * running_var + momentum * unbiased
    shape = (1, -1) + (1,) * (x.ndim - 2)  # (1, C, 1, 1), so that (C,) meets axis 1
    mean, var, gamma, beta = (each.reshape(shape) for each in (mean, var, gamma, beta))
    return gamma * (x - mean) / np.sqrt(var + eps) + beta, running_mean, running_var


rng = np.random.default_rng(0)
x = rng.standard_normal((6, 3)) * 2 + 1
images = rng.standard_normal((2, 3, 4, 5)) + np.array([0.0, 2.0, -1.0])[:, None, None]
square = rng.standard_normal((4, 4, 4, 4)) * np.array([1.0, 2.0, 3.0, 4.0])[:, None, None]
state = (rng.uniform(0.5, 2, 3), rng.standard_normal(3), rng.standard_normal(3), rng.uniform(0.5, 2, 3))
four = (rng.uniform(0.5, 2, 4), rng.standard_normal(4), rng.standard_normal(4), rng.uniform(0.5, 2, 4))
neutral = (np.ones(2), np.zeros(2), np.zeros(2), np.ones(2))  # gamma, beta, running mean, running variance

drill.case(batch_norm, np.array([[1.0, 10.0], [3.0, 30.0]]), *neutral, True, eps=0.0,
           why="each column minus its mean and divided by its standard deviation, the biased one, is [-1, 1]; the "
           "running variance moves to the unbiased one")
drill.case(batch_norm, np.array([[1.0, 10.0], [3.0, 30.0]]), *neutral, False, eps=0.0,
           why="in evaluation the running statistics normalize: with mean 0 and variance 1 nothing happens")
drill.case(batch_norm, x, *state, True, 0.3, 0.5,
           why="(1 - momentum) * running + momentum * batch, and eps under the root")
drill.case(batch_norm, x, *state, False, 0.3, 0.5,
           why="in evaluation the running statistics normalize and stay what they are")
drill.case(batch_norm, x[:1], *state, False, why="a single example has no variance, and in evaluation it needs none")
drill.case(batch_norm, images, *state, True,
           why="the statistics of a channel are over the batch and over all pixels: axes 0, 2 and 3")
drill.case(batch_norm, images, *state, False, why="(C,) has to meet axis 1: reshape it to (1, C, 1, 1)")
drill.case(batch_norm, square, *four, True, why="(C,) broadcasts along the last axis, which is the width and not the "
           "channel")
drill.case(batch_norm, np.array([[5.0, 1.0], [5.0, 3.0]]), *neutral, True, eps=1e-3,
           why="where all values of a channel are equal, eps keeps it from 0 / 0")
drill.case(batch_norm, np.array([[1e9], [1e9 + 1], [1e9 + 2]]), *(each[:1] for each in neutral), True,
           why="mean(x**2) - mean(x)**2 loses all digits far from 0: subtract the mean before you square")
drill.case(batch_norm, x.astype("float32"), *(each.astype("float32") for each in state), True, rtol=1e-3,
           why="float32 stays float32")


@drill.program(why="the running statistics come nearer to those of the data with every batch")
def _(batch_norm):
    """fifty batches in training, each with the running statistics of the one before, and then one in evaluation"""
    draw = np.random.default_rng(1)
    gamma, beta, mean, var = neutral
    for _ in range(50):
        batch = draw.normal([3.0, -2.0], [1.0, 4.0], (8, 2))
        _, mean, var = batch_norm(batch, gamma.copy(), beta.copy(), mean.copy(), var.copy(), True)
    return batch_norm(np.array([[3.0, -2.0]]), gamma.copy(), beta.copy(), mean, var, False)


def normalized(x, gamma, beta, mean, var, eps):
    """y, for wrong answers that go wrong before."""
    gamma, beta, mean, var = (each.reshape((1, -1) + (1,) * (x.ndim - 2)) for each in (gamma, beta, mean, var))
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


def statistics(x, ddof=0):
    """The mean and the variance of each channel."""
    axes = (0, *range(2, x.ndim))
    return x.mean(axis=axes), x.var(axis=axes, ddof=ddof)


def moved(x, running_mean, running_var, momentum, ddof=1):
    """The running statistics after a batch."""
    mean, var = statistics(x, ddof)
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * var


@drill.wrong(batch_norm, "batch statistics in evaluation", "in evaluation a prediction must not depend on the rest of "
             "the batch: the running statistics normalize")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    y = normalized(x, gamma, beta, *statistics(x), eps)
    return y, *(moved(x, running_mean, running_var, momentum) if training else (running_mean, running_var))


@drill.wrong(batch_norm, "running statistics moved in evaluation", "what is evaluated must not change the model: the "
             "running statistics move in training only")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    y = normalized(x, gamma, beta, *(statistics(x) if training else (running_mean, running_var)), eps)
    return y, *moved(x, running_mean, running_var, momentum)


@drill.wrong(batch_norm, "running statistics normalize in training", "in training the mean and the variance of this "
             "batch normalize; the running ones are for evaluation")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if training:
        running_mean, running_var = moved(x, running_mean, running_var, momentum)
    return normalized(x, gamma, beta, running_mean, running_var, eps), running_mean, running_var


@drill.wrong(batch_norm, "running statistics normalize in training", "in training the mean and the variance of this "
             "batch normalize; the running ones are for evaluation")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    y = normalized(x, gamma, beta, running_mean, running_var, eps)
    return y, *(moved(x, running_mean, running_var, momentum) if training else (running_mean, running_var))


@drill.wrong(batch_norm, "running statistics not moved", "they begin at 0 and 1, and evaluation needs those of the "
             "data: return (1 - momentum) * running + momentum * batch")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    mean, var = statistics(x) if training else (running_mean, running_var)
    return normalized(x, gamma, beta, mean, var, eps), running_mean, running_var


@drill.wrong(batch_norm, "momentum the other way round", "as in PyTorch, momentum is the weight of the new batch: "
             "(1 - momentum) * running + momentum * batch")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return normalized(x, gamma, beta, running_mean, running_var, eps), running_mean, running_var
    y = normalized(x, gamma, beta, *statistics(x), eps)
    return y, *moved(x, running_mean, running_var, 1 - momentum)


@drill.wrong(batch_norm, "momentum the other way round", "as in PyTorch, momentum is the weight of the new batch: "
             "(1 - momentum) * running + momentum * batch; and the variance of the batch is here the unbiased one")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return normalized(x, gamma, beta, running_mean, running_var, eps), running_mean, running_var
    y = normalized(x, gamma, beta, *statistics(x), eps)
    return y, *moved(x, running_mean, running_var, 1 - momentum, ddof=0)


@drill.wrong(batch_norm, "running variance biased", "the running variance is an estimate for data outside the batch: "
             "it takes the unbiased variance, ddof=1")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return normalized(x, gamma, beta, running_mean, running_var, eps), running_mean, running_var
    y = normalized(x, gamma, beta, *statistics(x), eps)
    return y, *moved(x, running_mean, running_var, momentum, ddof=0)


@drill.wrong(batch_norm, "unbiased variance normalizes", "what normalizes is the biased variance, which divides by the "
             "number of values; the unbiased one is for the running variance")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return normalized(x, gamma, beta, running_mean, running_var, eps), running_mean, running_var
    y = normalized(x, gamma, beta, *statistics(x, ddof=1), eps)
    return y, *moved(x, running_mean, running_var, momentum)


@drill.wrong(batch_norm, "the two variances exchanged", "the biased variance normalizes, and the running variance "
             "takes the unbiased one, ddof=1")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return normalized(x, gamma, beta, running_mean, running_var, eps), running_mean, running_var
    y = normalized(x, gamma, beta, *statistics(x, ddof=1), eps)
    return y, *moved(x, running_mean, running_var, momentum, ddof=0)


@drill.wrong(batch_norm, "reduced over the batch only", "a channel of an image has one mean for all pixels: reduce "
             "over axes 0, 2 and 3")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta, running_mean, running_var


@drill.wrong(batch_norm, "channels along the last axis", "(C,) broadcasts along the last axis of (N, C, H, W), which "
             "is the width: reshape it to (1, C, 1, 1)")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    mean, var = running_mean, running_var
    if training:
        mean, var = statistics(x)
        running_mean, running_var = moved(x, running_mean, running_var, momentum)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta, running_mean, running_var


@drill.wrong(batch_norm, "eps outside the root", "eps is added to the variance: sqrt(var + eps), not sqrt(var) + eps")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    mean, var = statistics(x) if training else (running_mean, running_var)
    y = normalized(x, gamma, beta, mean, (np.sqrt(var) + eps) ** 2, 0.0)
    return y, *(moved(x, running_mean, running_var, momentum) if training else (running_mean, running_var))


@drill.wrong(batch_norm, "eps forgotten", "where all values of a channel are equal the variance is 0, and 0 / 0 is "
             "NaN: sqrt(var + eps)")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    y = normalized(x, gamma, beta, *(statistics(x) if training else (running_mean, running_var)), 0.0)
    return y, *(moved(x, running_mean, running_var, momentum) if training else (running_mean, running_var))


@drill.wrong(batch_norm, "digits lost far from 0", "mean(x**2) - mean(x)**2 is the difference of two large numbers; "
             "x.var subtracts the mean before it squares")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return normalized(x, gamma, beta, running_mean, running_var, eps), running_mean, running_var
    mean, count = statistics(x)[0], x.size // x.shape[1]
    var = statistics(x ** 2)[0] - mean ** 2
    running_mean = (1 - momentum) * running_mean + momentum * mean
    running_var = (1 - momentum) * running_var + momentum * var * count / (count - 1)
    return normalized(x, gamma, beta, mean, var, eps), running_mean, running_var


@drill.wrong(batch_norm, "running statistics changed in place", "the caller's arrays stay as they are: *= and += write "
             "into them, new = (1 - momentum) * running + ... does not")
def _(x, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return normalized(x, gamma, beta, running_mean, running_var, eps), running_mean, running_var
    running_mean[:], running_var[:] = moved(x, running_mean, running_var, momentum)
    return normalized(x, gamma, beta, *statistics(x), eps), running_mean, running_var
