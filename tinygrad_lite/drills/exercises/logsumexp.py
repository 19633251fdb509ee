"""Log-sum-exp along an axis

logsumexp(x, axis=-1, keepdims=False)   log(sum(exp(x))) along one axis, which is reduced, or has length 1 with keepdims

x is a float array of any number of axes, and axis may be negative. Numbers may be as large as 1000 or as small as
-1000. -inf stands for the logarithm of 0: where all numbers along the axis are -inf, so is the result, and not NaN;
where one is inf, so is the result. float32 gives float32. No Python loops.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=6,
    hints=["log(sum(exp(x))) = m + log(sum(exp(x - m))) for every m. For which m does nothing overflow?",
           "Take the maximum along the axis with keepdims=True, so that x - m broadcasts whatever the axis is.",
           "Where the maximum is -inf or inf, x - m is NaN: subtract 0 there.",
           "np.squeeze(result, axis=axis) takes one axis away, and leaves others of length 1."],
    pitfalls=["exp overflows above 709 in float64 (88 in float32), and exp(-1000) is 0: subtract the maximum.",
              "-inf - (-inf) is NaN: a row of log(0) needs a finite number to subtract.",
              "squeeze() without an axis drops every axis of length 1, a batch of one as well."],
    forbidden=("logaddexp",),
)


@drill.reference(differentiable=True)
def logsumexp(x, axis=-1, keepdims=False):
    """x: floats of any shape, axis: int -> x's shape without the axis, or with length 1 there"""
    highest = np.max(x, axis=axis, keepdims=True)  # keepdims, so that x - highest broadcasts for every axis
    highest = np.where(np.isfinite(highest), highest, 0.0)  # -inf - (-inf) would be NaN, and so would inf - inf
    result = highest + np.log(np.sum(np.exp(x - highest), axis=axis, keepdims=True))  # the sum is at least 1
    return result if keepdims else np.squeeze(result, axis=axis)  # this axis alone, and not a batch of one


rng = np.random.default_rng(0)
x = rng.standard_normal((2, 3, 4))

drill.case(logsumexp, np.zeros(4), why="log(1 + 1 + 1 + 1)")
drill.case(logsumexp, np.log([[1.0, 2.0, 3.0], [4.0, 4.0, 8.0]]), why="log(1 + 2 + 3) and log(4 + 4 + 8)")
drill.case(logsumexp, x, why="without more it is the last axis that is reduced")
drill.case(logsumexp, x, axis=1, why="the maximum and the sum are along the axis that is asked for")
drill.case(logsumexp, x, axis=0, keepdims=True, why="with keepdims the axis stays, with length 1")
drill.case(logsumexp, x[:1, :, :1], axis=1, why="one axis is taken away; others of length 1 stay")
drill.case(logsumexp, np.array([[1000.0, 1000.0], [999.0, 0.0]]), why="exp(1000) overflows; subtract the maximum first")
drill.case(logsumexp, np.array([[-1000.0, -1001.0], [1000.0, 3.0]]), axis=1,
           why="each row has a maximum of its own: with one for all, the powers of the other rows are 0")
drill.case(logsumexp, np.array([[-np.inf, 0.0, -np.inf], [-np.inf, -np.inf, -np.inf]]), smooth=False,
           why="-inf - (-inf) is NaN: where the maximum is not finite subtract 0, and log(0) is -inf again")
drill.case(logsumexp, np.array([[np.inf, 0.0], [1.0, 1.0]]), smooth=False,
           why="inf - inf is NaN: where the maximum is not finite subtract 0, and the sum is inf by itself")
drill.case(logsumexp, 50 * x.astype("float32"), axis=-2, why="float32 stays float32")
drill.case(logsumexp, rng.standard_normal((100, 3)), why="all rows at once", lines=50,
           slow="a Python loop; np.max and np.sum take an axis")


def finished(highest, powers, axis, keepdims):
    """highest + log(sum of powers), for wrong answers that go wrong before it"""
    result = highest + np.log(powers.sum(axis=axis, keepdims=True))
    return result if keepdims else result.squeeze(axis)


@drill.wrong(logsumexp, "no maximum subtracted", "exp(1000) overflows, and exp(-1000) is 0; subtract the maximum first")
def _(x, axis=-1, keepdims=False):
    return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


@drill.wrong(logsumexp, "the maximum not added back", "log(sum(exp(x - m))) is smaller by m: add m to it")
def _(x, axis=-1, keepdims=False):
    highest = x.max(axis=axis, keepdims=True)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    return np.log(np.exp(x - highest).sum(axis=axis, keepdims=keepdims))


@drill.wrong(logsumexp, "one maximum for all", "the powers of a row far below the maximum of all are 0; take the "
             "maximum along the axis, with keepdims=True")
def _(x, axis=-1, keepdims=False):
    highest = x.max()
    highest = np.where(np.isfinite(highest), highest, 0.0)
    return highest + np.log(np.exp(x - highest).sum(axis=axis, keepdims=keepdims))


@drill.wrong(logsumexp, "-inf gives NaN", "-inf - (-inf) is NaN, and so is inf - inf: where the maximum is not finite, "
             "subtract 0")
def _(x, axis=-1, keepdims=False):
    highest = x.max(axis=axis, keepdims=True)
    return finished(highest, np.exp(x - highest), axis, keepdims)


@drill.wrong(logsumexp, "inf gives NaN", "inf - inf is NaN: where the maximum is not finite, subtract 0")
def _(x, axis=-1, keepdims=False):
    highest = x.max(axis=axis, keepdims=True)
    highest = np.where(highest == -np.inf, 0.0, highest)
    return finished(highest, np.exp(x - highest), axis, keepdims)


for eps in (1e-300, 1e-12, 1e-8):
    @drill.wrong(logsumexp, "eps in the logarithm", "the sum is at least 1, or all is -inf, and log(0) is right")
    def _(x, axis=-1, keepdims=False, eps=eps):
        highest = x.max(axis=axis, keepdims=True)
        highest = np.where(np.isfinite(highest), highest, 0.0)
        result = highest + np.log(np.exp(x - highest).sum(axis=axis, keepdims=True) + eps)
        return result if keepdims else result.squeeze(axis)


@drill.wrong(logsumexp, "squeeze() of every axis", "squeeze() drops all axes of length 1, a batch of one as well; "
             "squeeze(axis) drops one")
def _(x, axis=-1, keepdims=False):
    highest = x.max(axis=axis, keepdims=True)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    result = finished(highest, np.exp(x - highest), axis, True)
    return result if keepdims else result.squeeze()


@drill.wrong(logsumexp, "always the last axis", "the axis is an argument: give it to the maximum, the sum and squeeze")
def _(x, axis=-1, keepdims=False):
    highest = x.max(axis=-1, keepdims=True)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    return finished(highest, np.exp(x - highest), -1, keepdims)


@drill.wrong(logsumexp, "the maximum along another axis", "the maximum is subtracted along the axis of the sum: "
             "otherwise it does not leave the sum as a factor")
def _(x, axis=-1, keepdims=False):
    highest = x.max(axis=0, keepdims=True)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    sums = np.exp(x - highest).sum(axis=axis, keepdims=keepdims)
    return np.log(sums) + (highest if keepdims else highest.max(axis=axis))


@drill.wrong(logsumexp, "keepdims ignored", "with keepdims=True the axis stays, with length 1")
def _(x, axis=-1, keepdims=False):
    highest = x.max(axis=axis, keepdims=True)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    return finished(highest, np.exp(x - highest), axis, False)


@drill.wrong(logsumexp, "keepdims always", "without keepdims the axis is taken away: squeeze(axis)")
def _(x, axis=-1, keepdims=False):
    highest = x.max(axis=axis, keepdims=True)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    return finished(highest, np.exp(x - highest), axis, True)


@drill.wrong(logsumexp, "the axis of the maximum lost", "x - x.max(axis) broadcasts along the wrong axis, or not at "
             "all: the maximum needs keepdims=True")
def _(x, axis=-1, keepdims=False):
    highest = x.max(axis=axis)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    return highest + np.log(np.exp(x - highest).sum(axis=axis, keepdims=keepdims))


@drill.wrong(logsumexp, "mean instead of sum", "the powers are summed; their mean has a logarithm smaller by log(n)")
def _(x, axis=-1, keepdims=False):
    highest = x.max(axis=axis, keepdims=True)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    return finished(highest, np.exp(x - highest) / x.shape[axis], axis, keepdims)
