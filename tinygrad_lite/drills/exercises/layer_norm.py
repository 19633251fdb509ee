"""Layer normalization, forwards and backwards

forward(x, gamma, beta, eps)       x (..., D), gamma (D,), beta (D,), eps a number -> y (..., D)
backward(dy, x, gamma, eps)        dy (..., D), x (..., D), gamma (D,) -> dx (..., D), dgamma (D,), dbeta (D,)

Each vector of D features is normalized by its own mean and its own variance, scaled by gamma and shifted by beta. The
variance divides by D (it is the biased one), and eps is added to it under the square root. backward takes dy, the
derivative of a loss by y, and gives those of the loss by x, gamma and beta. There may be any number of axes before
the last, also none. Do not change the arguments.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=12,
    hints=["x_hat = (x - mean) / sqrt(var + eps) over the last axis with keepdims=True, and y = gamma * x_hat + beta.",
           "gamma and beta are used by every row, so their gradients are sums over all axes but the last: "
           "axis=tuple(range(x.ndim - 1)).",
           "Let g = dy * gamma be the gradient at x_hat. x moves its row's mean and its row's variance too, so that dx "
           "is not only g / sqrt(var + eps).",
           "dx = (g - mean(g) - x_hat * mean(g * x_hat)) / sqrt(var + eps), with means over the last axis."],
    pitfalls=["mean(x**2) - mean(x)**2 cancels for features far from 0: subtract the mean before you square.",
              "Without eps a row of equal features is 0 / 0.",
              "The mean and the variance depend on x: the gradient of a row is orthogonal to 1 and nearly to x_hat."],
)


@drill.reference(differentiable=True)
def forward(x, gamma, beta, eps):
    """x: (..., D), gamma: (D,), beta: (D,), eps: a number -> y (..., D)"""
    centered = x - np.mean(x, axis=-1, keepdims=True)  # (..., D) - (..., 1)
    var = np.mean(centered ** 2, axis=-1, keepdims=True)  # of differences: no digits are lost far from 0
    return gamma * (centered / np.sqrt(var + eps)) + beta  # (D,) broadcasts over all leading axes


@drill.reference
def backward(dy, x, gamma, eps):
    """dy: (..., D), x: (..., D), gamma: (D,), eps: a number -> dx (..., D), dgamma (D,), dbeta (D,)"""
    centered = x - x.mean(axis=-1, keepdims=True)
    root = np.sqrt((centered ** 2).mean(axis=-1, keepdims=True) + eps)  # (..., 1)
    x_hat = centered / root
    rows = tuple(range(x.ndim - 1))  # every row uses gamma and beta, so that their gradients add up
    g = dy * gamma  # (..., D), the gradient at x_hat
    through_mean = g.mean(axis=-1, keepdims=True)  # x moves the mean of its row ...
    through_var = x_hat * (g * x_hat).mean(axis=-1, keepdims=True)  # ... and the variance
    return (g - through_mean - through_var) / root, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


rng = np.random.default_rng(0)
x = rng.standard_normal((3, 5)) * 2 + 1
dy = rng.standard_normal((3, 5))
gamma, beta = rng.uniform(0.5, 2, 5), rng.standard_normal(5)
sequence, d_sequence = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 3, 4))

drill.case(forward, np.array([[1.0, 3.0], [4.0, 8.0]]), np.array([1.0, 10.0]), np.array([0.0, 5.0]), 0.0,
           why="each row minus its mean and divided by its standard deviation is [-1, 1]; then gamma and beta")
drill.case(forward, x, gamma, beta, 0.5, why="the mean and the variance of each row, and eps under the root")
drill.case(forward, sequence, gamma[:4], beta[:4], 1e-5, why="there may be any number of axes before the last")
drill.case(forward, np.array([[7.0, 7.0, 7.0]]), np.ones(3), np.array([1.0, 2.0, 3.0]), 1e-5,
           why="a row of equal features has variance 0: eps keeps it from 0 / 0, and beta is left")
drill.case(forward, np.array([1e9, 1e9 + 1, 1e9 + 2]), np.ones(3), np.zeros(3), 1e-5, smooth=False,
           why="mean(x**2) - mean(x)**2 loses all digits far from 0: subtract the mean before you square")
drill.case(forward, x.astype("float32"), gamma.astype("float32"), beta.astype("float32"), 1e-5,
           rtol=1e-3, why="float32 stays float32")
drill.case(backward, dy, x, gamma, 0.5, why="x moves the mean and the variance of its row, so that dx has three terms")
drill.case(backward, np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 5.0]]), np.ones(3), 1e-5,
           why="a feature moves the mean of its row, and with it all outputs of the row")
drill.case(backward, d_sequence, sequence, gamma[:4], 0.1,
           why="gamma and beta serve all rows of all leading axes: sum over all axes but the last")
drill.case(backward, dy[0], x[0], gamma, 1e-5, why="with a single row there is no axis to sum over")
drill.case(backward, dy[:2, :3], np.full((2, 3), 7.0), gamma[:3], 1e-2,
           why="for a row of equal features only eps is under the root")
drill.case(backward, dy.astype("float32"), x.astype("float32"), gamma.astype("float32"), 1e-5, rtol=1e-3,
           why="float32 stays float32")


@drill.wrong(forward, "statistics over the batch axis", "this is batch normalization: each row has a mean and a "
             "variance of its own, over the last axis")
def _(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + beta


@drill.wrong(forward, "statistics over the batch axis", "this is batch normalization: each row has a mean and a "
             "variance of its own, over the last axis")
def _(x, gamma, beta, eps):
    rows = tuple(range(x.ndim - 1))
    return gamma * (x - x.mean(axis=rows)) / np.sqrt(x.var(axis=rows) + eps) + beta


@drill.wrong(forward, "one mean for all rows", "each row has a mean and a variance of its own: axis=-1, keepdims=True")
def _(x, gamma, beta, eps):
    return gamma * (x - x.mean()) / np.sqrt(x.var() + eps) + beta


@drill.wrong(forward, "one mean for all rows", "each vector of D features has statistics of its own, also where there "
             "are several leading axes: axis=-1 alone")
def _(x, gamma, beta, eps):
    inner = tuple(range(1, x.ndim)) or None
    return gamma * (x - x.mean(axis=inner, keepdims=True)) / np.sqrt(x.var(axis=inner, keepdims=True) + eps) + beta


@drill.wrong(forward, "keepdims forgotten", "(N, D) - (N,) subtracts the means along the wrong axis where it "
             "broadcasts at all; take the mean with keepdims=True")
def _(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=-1)) / np.sqrt(x.var(axis=-1) + eps) + beta


@drill.wrong(forward, "divided by D - 1", "the variance that normalizes is the biased one, which divides by D")
def _(x, gamma, beta, eps):
    mean, var = x.mean(axis=-1, keepdims=True), x.var(axis=-1, ddof=1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


@drill.wrong(forward, "eps outside the root", "eps is added to the variance: sqrt(var + eps), not sqrt(var) + eps")
def _(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=-1, keepdims=True)) / (x.std(axis=-1, keepdims=True) + eps) + beta


@drill.wrong(forward, "eps forgotten", "a row of equal features has variance 0, and 0 / 0 is NaN: sqrt(var + eps)")
def _(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=-1, keepdims=True)) / x.std(axis=-1, keepdims=True) + beta


@drill.wrong(forward, "divided by the variance", "the standard deviation scales, not its square: sqrt(var + eps)")
def _(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=-1, keepdims=True)) / (x.var(axis=-1, keepdims=True) + eps) + beta


@drill.wrong(forward, "gamma and beta forgotten", "the normalized features are multiplied by gamma, and beta is added")
def _(x, gamma, beta, eps):
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + eps)


@drill.wrong(forward, "digits lost far from 0", "mean(x**2) - mean(x)**2 is the difference of two large numbers; "
             "subtract the mean before you square")
def _(x, gamma, beta, eps):
    mean = x.mean(axis=-1, keepdims=True)
    return gamma * (x - mean) / np.sqrt((x ** 2).mean(axis=-1, keepdims=True) - mean ** 2 + eps) + beta


@drill.wrong(forward, "x changed in place", "x -= mean writes into the caller's array: x - mean makes a new one")
def _(x, gamma, beta, eps):
    x -= x.mean(axis=-1, keepdims=True)
    return gamma * x / np.sqrt((x ** 2).mean(axis=-1, keepdims=True) + eps) + beta


@drill.wrong(backward, "mean and variance as constants", "x moves the mean and the variance of its row; subtract "
             "mean(g) and x_hat * mean(g * x_hat) from g = dy * gamma")
def _(dy, x, gamma, eps):
    root = np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat, rows = (x - x.mean(axis=-1, keepdims=True)) / root, tuple(range(x.ndim - 1))
    return dy * gamma / root, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


@drill.wrong(backward, "the term of the variance missing", "x moves the variance of its row too: subtract "
             "x_hat * mean(g * x_hat) as well")
def _(dy, x, gamma, eps):
    root = np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat, rows, g = (x - x.mean(axis=-1, keepdims=True)) / root, tuple(range(x.ndim - 1)), dy * gamma
    return (g - g.mean(axis=-1, keepdims=True)) / root, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


@drill.wrong(backward, "the term of the mean missing", "x moves the mean of its row too: subtract mean(g) as well")
def _(dy, x, gamma, eps):
    root = np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat, rows, g = (x - x.mean(axis=-1, keepdims=True)) / root, tuple(range(x.ndim - 1)), dy * gamma
    dx = (g - x_hat * (g * x_hat).mean(axis=-1, keepdims=True)) / root
    return dx, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


def gradients(dy, x, gamma, eps, rows, root=None):
    """dx, dgamma and dbeta as the reference has them, but with the axes and the root that a wrong answer takes."""
    root = np.sqrt(x.var(axis=-1, keepdims=True) + eps) if root is None else root
    x_hat, g = (x - x.mean(axis=-1, keepdims=True)) / root, dy * gamma
    dx = (g - g.mean(axis=-1, keepdims=True) - x_hat * (g * x_hat).mean(axis=-1, keepdims=True)) / root
    return dx, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


@drill.wrong(backward, "sums in place of means", "the mean and the variance have 1 / D in them, and so have their "
             "gradients: mean(g) and mean(g * x_hat)")
def _(dy, x, gamma, eps):
    root = np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat, g = (x - x.mean(axis=-1, keepdims=True)) / root, dy * gamma
    dx = (g - g.sum(axis=-1, keepdims=True) - x_hat * (g * x_hat).sum(axis=-1, keepdims=True)) / root
    return dx, *gradients(dy, x, gamma, eps, tuple(range(x.ndim - 1)))[1:]


@drill.wrong(backward, "gamma missing in dx", "the gradient at the normalized features is dy * gamma, not dy")
def _(dy, x, gamma, eps):
    dx = gradients(dy, x, np.ones_like(gamma), eps, ())[0]
    return dx, *gradients(dy, x, gamma, eps, tuple(range(x.ndim - 1)))[1:]


@drill.wrong(backward, "gamma multiplied at the end", "gamma differs from feature to feature, so that it belongs under "
             "the means: g = dy * gamma first")
def _(dy, x, gamma, eps):
    dx = gradients(dy, x, np.ones_like(gamma), eps, ())[0]
    return dx * gamma, *gradients(dy, x, gamma, eps, tuple(range(x.ndim - 1)))[1:]


@drill.wrong(backward, "summed over the first axis only", "gamma serves the rows of all leading axes: "
             "axis=tuple(range(x.ndim - 1)); of a single row nothing is summed")
def _(dy, x, gamma, eps):
    return gradients(dy, x, gamma, eps, 0)


@drill.wrong(backward, "not summed over the rows", "gamma and beta have the shape (D,), and serve all rows: their "
             "gradients are sums over all axes but the last")
def _(dy, x, gamma, eps):
    return gradients(dy, x, gamma, eps, ())


@drill.wrong(backward, "mean over the rows", "each row adds to the gradient of gamma and beta: a sum; the loss has "
             "divided by the batch if it is to be divided")
def _(dy, x, gamma, eps):
    dx, dgamma, dbeta = gradients(dy, x, gamma, eps, ())
    rows = tuple(range(x.ndim - 1))
    return dx, dgamma.mean(axis=rows), dbeta.mean(axis=rows)


@drill.wrong(backward, "dgamma from x itself", "gamma multiplies the normalized features: dgamma sums dy * x_hat, not "
             "dy * x")
def _(dy, x, gamma, eps):
    dx, _, dbeta = gradients(dy, x, gamma, eps, tuple(range(x.ndim - 1)))
    return dx, (dy * x).sum(axis=tuple(range(x.ndim - 1))), dbeta


@drill.wrong(backward, "eps outside the root", "eps is added to the variance: sqrt(var + eps), not sqrt(var) + eps")
def _(dy, x, gamma, eps):
    return gradients(dy, x, gamma, eps, tuple(range(x.ndim - 1)), x.std(axis=-1, keepdims=True) + eps)


@drill.wrong(backward, "eps forgotten", "backward divides by the same root as forward: sqrt(var + eps)")
def _(dy, x, gamma, eps):
    return gradients(dy, x, gamma, eps, tuple(range(x.ndim - 1)), x.std(axis=-1, keepdims=True))


@drill.wrong(backward, "dbeta before dgamma", "the order of the results is dx, dgamma, dbeta")
def _(dy, x, gamma, eps):
    dx, dgamma, dbeta = gradients(dy, x, gamma, eps, tuple(range(x.ndim - 1)))
    return dx, dbeta, dgamma
