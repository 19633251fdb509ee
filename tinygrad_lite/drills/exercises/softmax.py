"""Softmax and log-softmax that are right for every score

softmax(x)      scores (..., C) -> probabilities (..., C), which sum to 1 over the last axis
log_softmax(x)  scores (..., C) -> their logarithms (..., C)

The scores may be as large as 1000 or as small as -1000, or -inf for what is masked. No loops.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=6,
    hints=["exp(1000) is infinite in float64. What may you subtract from all scores without changing the result?",
           "exp(x - m) / sum(exp(x - m)) is the same for every m. The largest score of each row makes all powers <= 1.",
           "keepdims=True keeps the axis, so that (N, C) - (N, 1) broadcasts.",
           "log_softmax(x) = (x - m) - log(sum(exp(x - m))): never the logarithm of a probability that is 0."],
    pitfalls=["exp overflows above 709 in float64 (88 in float32): subtract each row's maximum first.",
              "A small probability underflows to 0, and its logarithm is -inf: compute log_softmax from the scores."],
)


@drill.reference(differentiable=True)
def softmax(x):
    """x: scores (..., C) -> probabilities (..., C)"""
    shifted = x - np.max(x, axis=-1, keepdims=True)  # (..., C), all <= 0: exp cannot overflow
    powers = np.exp(shifted)  # (..., C), the largest is 1: the sum cannot be 0
    return powers / np.sum(powers, axis=-1, keepdims=True)


@drill.reference(differentiable=True)
def log_softmax(x):
    """x: scores (..., C) -> log-probabilities (..., C)"""
    shifted = x - np.max(x, axis=-1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))  # the sum is at least 1


rng = np.random.default_rng(0)
rows = rng.standard_normal((3, 4))

drill.case(softmax, np.array([1.0, 2.0, 3.0]), why="each power is divided by the sum of the powers")
drill.case(softmax, rows, why="each row is a distribution of its own: reduce over the last axis and keep it")
drill.case(softmax, rng.standard_normal((2, 3, 4)), why="there may be any number of axes before the last")
drill.case(softmax, np.array([1000.0, 0.0]), why="exp(1000) overflows; subtract the row's maximum first")
drill.case(softmax, np.array([[1000.0, 1000.0], [-1000.0, -1001.0]]),
           why="exp(1000) overflows, and exp(-1000) is 0: subtract from each row its own maximum")
drill.case(softmax, rng.standard_normal((500, 3)), why="each row is a distribution of its own", lines=50,
           slow="a Python loop over rows; reduce over the last axis with keepdims=True")
drill.case(softmax, np.array([0.0, -np.inf, 1.0]), smooth=False,
           why="-inf stands for what is masked: its probability is 0")
drill.case(softmax, rows.astype("float32"), why="float32 stays float32")
drill.case(log_softmax, np.array([1.0, 2.0, 3.0]), why="it is x minus the log-sum-exp of the row")
drill.case(log_softmax, rows, why="each row is a distribution of its own")
drill.case(log_softmax, np.array([1000.0, 0.0]), why="the probability underflows to 0, and log(0) is -inf: subtract "
           "the logarithm of the sum from the shifted scores")
drill.case(log_softmax, np.array([-1000.0, -1000.0]), why="all powers underflow: subtract the row's maximum first")
drill.case(log_softmax, np.array([[1000.0, 1000.0], [-1000.0, -1001.0]]),
           why="exp(1000) overflows, and exp(-1000) is 0: subtract from each row its own maximum")


@drill.wrong(softmax, "no maximum subtracted", "exp(1000) overflows; subtract the row's maximum first")
def _(x):
    powers = np.exp(x)
    return powers / powers.sum(axis=-1, keepdims=True)


@drill.wrong(softmax, "one maximum for all rows", "a row whose scores are far below the maximum of all has powers of 0 "
             "and 0 / 0; x.max(axis=-1, keepdims=True) is a maximum a row")
def _(x):
    powers = np.exp(x - x.max())
    return powers / powers.sum(axis=-1, keepdims=True)


@drill.wrong(softmax, "softmax over the wrong axis", "here the columns sum to 1; the last axis is that of the classes")
def _(x):
    powers = np.exp(x - x.max(axis=0, keepdims=True))
    return powers / powers.sum(axis=0, keepdims=True)


@drill.wrong(softmax, "the sum of all rows",
             "here all numbers together sum to 1; sum over the last axis with keepdims=True")
def _(x):
    powers = np.exp(x - x.max())
    return powers / powers.sum()


@drill.wrong(softmax, "a Python loop over rows", "numpy reduces all rows at once: axis=-1 with keepdims=True")
def _(x):
    if x.ndim > 1:
        return np.stack([softmax(row) for row in x])
    powers = np.exp(x - x.max())
    return powers / powers.sum()


@drill.wrong(softmax, "not divided by the sum", "powers are no probabilities before they are divided by their sum")
def _(x):
    return np.exp(x - x.max(axis=-1, keepdims=True))


@drill.wrong(softmax, "keepdims forgotten", "(N, C) / (N,) divides columns, not rows, where it broadcasts at all; "
             "max and sum with keepdims=True")
def _(x):
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1)


@drill.wrong(log_softmax, "the logarithm of the softmax", "a probability that underflows to 0 has the logarithm -inf; "
             "subtract log(sum(exp(x - m))) from x - m instead")
def _(x):
    return np.log(softmax(x))


@drill.wrong(log_softmax, "the logarithm of the softmax", "a probability that underflows to 0 has the logarithm -inf, "
             "and without the maximum exp overflows too; subtract log(sum(exp(x - m))) from x - m")
def _(x):
    powers = np.exp(x)
    return np.log(powers / powers.sum(axis=-1, keepdims=True))


@drill.wrong(log_softmax, "the logarithm of the softmax", "a small number added to the probability hides that it "
             "underflowed, and the result is wrong; subtract log(sum(exp(x - m))) from x - m")
def _(x):
    return np.log(softmax(x) + 1e-9)


@drill.wrong(log_softmax, "one maximum for all rows", "a row whose scores are far below the maximum of all has "
             "powers of 0; x.max(axis=-1, keepdims=True) is a maximum a row")
def _(x):
    return x - x.max() - np.log(np.exp(x - x.max()).sum(axis=-1, keepdims=True))


@drill.wrong(log_softmax, "no maximum subtracted", "exp(1000) overflows; subtract the row's maximum first")
def _(x):
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


@drill.wrong(log_softmax, "the maximum is not added back",
             "log(sum(exp(x - m))) is smaller by m than the log-sum-exp: subtract it from x - m, not from x")
def _(x):
    return x - np.log(np.exp(x - x.max(axis=-1, keepdims=True)).sum(axis=-1, keepdims=True))
