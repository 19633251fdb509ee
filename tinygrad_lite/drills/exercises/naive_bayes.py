"""Gaussian naive Bayes

fit(X, y, smoothing=1e-9)                        -> priors (C,), means (C, D), variances (C, D)
predict_log_proba(X, priors, means, variances)   -> the logarithms of the classes' probabilities, (M, C)

fit learns from X (N, D) and labels y (N,), whole numbers 0 to C - 1, all of which occur. The prior of a class is its
share of the points. Means and variances are those of each feature among the points of a class; the variance is the mean
of the squared deviations (divided by the number of points), plus smoothing. Given its class, the features of a point
are independent and normal. predict_log_proba gives, for each row of X (M, D), log P(class | row) by Bayes' rule: the
exp of each row of the result sums to 1. There may be hundreds of features, and points far from all means: nothing may
underflow. X may lie far from 0.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=10,
    hints=["X[y == c] are the points of class c: their share, their mean and their variance along axis 0.",
           "The logarithm of a product of densities is the sum of their logarithms, which does not underflow.",
           "A log density is -(log(2 pi variance) + (x - mean) ** 2 / variance) / 2; sum it over the features.",
           "X[:, None] - means is (M, C, D). Add log(priors) to the sum over D: the joint, (M, C).",
           "Bayes' rule divides by the sum over classes: subtract each row's log-sum-exp, stably."],
    pitfalls=["A product of hundreds of densities underflows to 0: add logarithms, and normalize by log-sum-exp.",
              "A feature that is constant in a class has variance 0, by which one must not divide: smoothing.",
              "Features are seldom independent: the classes are often right, the probabilities too near to 0 and 1."],
)


@drill.reference
def fit(X, y, smoothing=1e-9):
    """X: (N, D), y: labels (N,) from 0 to C - 1 -> priors (C,), means (C, D), variances (C, D)"""
    counts = np.bincount(y)  # (C,)
    means = np.stack([X[y == c].mean(axis=0) for c in range(len(counts))])
    variances = np.stack([X[y == c].var(axis=0) for c in range(len(counts))])  # around the mean of the class
    return counts / len(y), means, variances + smoothing


@drill.reference(differentiable=True)
def predict_log_proba(X, priors, means, variances):
    """X: (M, D), priors: (C,), means: (C, D), variances: (C, D) -> log-probabilities (M, C)"""
    deviations = X[:, None] - means  # (M, 1, D) - (C, D) -> (M, C, D)
    log_densities = -0.5 * (np.log(2 * np.pi * variances) + deviations ** 2 / variances)
    joint = np.log(priors) + np.sum(log_densities, axis=2)  # (M, C), the logarithm of a product is a sum
    shifted = joint - np.max(joint, axis=1, keepdims=True)  # the largest becomes 0: its exp cannot underflow
    return shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))  # divided by the sum over classes


rng = np.random.default_rng(0)
y = np.array([2, 0, 1, 1, 0, 2, 2, 1, 2, 0, 2, 2])
X = rng.standard_normal((12, 4)) * [1, 2, 3, 0.5] + y[:, None]
priors, means, variances = np.array([0.5, 0.2, 0.3]), rng.standard_normal((3, 4)), rng.uniform(0.2, 3, (3, 4))
wide = rng.standard_normal((2, 700))

drill.case(fit, np.array([[1.0, 0.0], [3.0, 4.0], [5.0, 7.0]]), np.array([0, 0, 1]), 0.5,
           why="class 0 has 2 of 3 points, the means 2 and 2, and the variances 1 and 4, plus smoothing")
drill.case(fit, X, y, why="each class has its own mean and variance of each feature: (C, D)")
drill.case(fit, X[:, :2] + 1e8, y, rtol=1e-4,
           why="the mean of squares minus the square of the mean loses all digits far from 0: square the deviations")
drill.case(fit, np.array([[1.0, 2.0], [1.0, 4.0], [0.0, 2.0], [0.0, 2.0]]), np.array([1, 1, 0, 0]), smoothing=0.01,
           why="a constant feature has variance 0, and smoothing keeps the division possible")
drill.case(predict_log_proba, np.array([[0.0]]), np.array([0.75, 0.25]), np.array([[1.0], [-1.0]]),
           np.array([[2.0], [2.0]]),
           why="the densities are the same, so that the priors decide: log(0.75) and log(0.25)")
drill.case(predict_log_proba, np.array([[0.0], [2.0]]), np.array([0.5, 0.5]), np.array([[0.0], [0.0]]),
           np.array([[1.0], [4.0]]),
           why="at the common mean the density with half the standard deviation is twice as high: 2/3 and 1/3")
drill.case(predict_log_proba, rng.standard_normal((5, 4)), priors, means, variances,
           why="log prior plus the sum of the features' log densities, minus the log-sum-exp over classes")
drill.case(predict_log_proba, wide, priors, rng.standard_normal((3, 700)), rng.uniform(0.5, 2, (3, 700)),
           why="the product of 700 densities underflows to 0: add their logarithms")
drill.case(predict_log_proba, np.array([[300.0, 0.0, 0.0, -200.0]]), priors, means, variances,
           why="far from all means every density underflows: subtract the row's maximum before exp, and take no "
               "logarithm of a probability")
drill.case(predict_log_proba, np.array([[0.0], [1e4]]), np.array([0.5, 0.5]), np.array([[0.0], [1.0]]),
           np.array([[1.0], [1.0]]), smooth=False,
           why="a row far away has log-densities far below those of the others: each row has a maximum of its own")
drill.case(predict_log_proba, *(a.astype("float32") for a in (X, priors, means, variances)), rtol=1e-2,
           why="float32 stays float32")


def estimates(X, y):
    """Counts, means and variances, for mistakes that are made with them."""
    counts = np.bincount(y)
    return counts, *(np.stack([f(X[y == c], axis=0) for c in range(len(counts))]) for f in (np.mean, np.var))


def log_joint(X, priors, means, variances):
    """log P(class, row), (M, C)"""
    return np.log(priors) - 0.5 * (np.log(2 * np.pi * variances) + (X[:, None] - means) ** 2 / variances).sum(axis=2)


def normalized(joint):
    """The joint minus the log-sum-exp over classes"""
    shifted = joint - joint.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@drill.wrong(fit, "the same prior for all classes", "the prior of a class is its share of the points: np.bincount(y) / "
             "len(y)")
def _(X, y, smoothing=1e-9):
    _, means, variances = estimates(X, y)
    return np.full(len(means), 1 / len(means)), means, variances + smoothing


@drill.wrong(fit, "counts as priors", "a prior is a probability: divide the counts by the number of points")
def _(X, y, smoothing=1e-9):
    counts, means, variances = estimates(X, y)
    return counts.astype(float), means, variances + smoothing


@drill.wrong(fit, "one variance for all classes", "with the variance of all points the classes have the same width; "
             "use X[y == c]")
def _(X, y, smoothing=1e-9):
    counts, means, variances = estimates(X, y)
    return counts / len(y), means, np.broadcast_to(X.var(axis=0), means.shape) + smoothing


@drill.wrong(fit, "one variance for all classes", "averaged over classes it is a linear model (LDA); here each class "
             "has its own variances")
def _(X, y, smoothing=1e-9):
    counts, means, variances = estimates(X, y)
    return counts / len(y), means, np.broadcast_to(((X - means[y]) ** 2).mean(axis=0), means.shape) + smoothing


@drill.wrong(fit, "divided by the count minus 1", "here the variance is the mean of the squared deviations (ddof=0); "
             "minus 1 a class of one point has 0 / 0")
def _(X, y, smoothing=1e-9):
    counts, means, _ = estimates(X, y)
    variances = np.stack([X[y == c].var(axis=0, ddof=1) for c in range(len(counts))])
    return counts / len(y), means, variances + smoothing


@drill.wrong(fit, "standard deviations", "the result is the variance, the square of the standard deviation: var and "
             "not std")
def _(X, y, smoothing=1e-9):
    counts, means, variances = estimates(X, y)
    return counts / len(y), means, np.sqrt(variances) + smoothing


@drill.wrong(fit, "smoothing forgotten", "a feature that is constant in a class has variance 0, and 0 / 0 is NaN; add "
             "smoothing")
def _(X, y, smoothing=1e-9):
    counts, means, variances = estimates(X, y)
    return counts / len(y), means, variances


@drill.wrong(fit, "the variance as a difference of squares", "mean(x ** 2) - mean(x) ** 2 subtracts two large numbers "
             "far from 0; subtract the mean first")
def _(X, y, smoothing=1e-9):
    counts, means, _ = estimates(X, y)
    squares = np.stack([(X[y == c] ** 2).mean(axis=0) for c in range(len(counts))])
    return counts / len(y), means, squares - means ** 2 + smoothing


@drill.wrong(fit, "one number for all features", "mean(axis=0) is a mean a feature; mean() alone is one number")
def _(X, y, smoothing=1e-9):
    counts, _, _ = estimates(X, y)
    means, variances = (np.array([getattr(X[y == c], f)() for c in range(len(counts))]) for f in ("mean", "var"))
    return counts / len(y), means, variances + smoothing


@drill.wrong(predict_log_proba, "the product of densities", "hundreds of factors below 1, or one far point, underflow "
             "to 0, and log(0) is -inf; add logarithms")
def _(X, priors, means, variances):
    densities = np.exp(-0.5 * (X[:, None] - means) ** 2 / variances) / np.sqrt(2 * np.pi * variances)
    joint = priors * densities.prod(axis=2)
    return np.log(joint / joint.sum(axis=1, keepdims=True))


@drill.wrong(predict_log_proba, "no maximum subtracted", "exp of a sum of hundreds of logarithms underflows for all "
             "classes: subtract the row's maximum first")
def _(X, priors, means, variances):
    joint = log_joint(X, priors, means, variances)
    return joint - np.log(np.exp(joint).sum(axis=1, keepdims=True))


@drill.wrong(predict_log_proba, "one maximum for all rows", "the powers of a row far below it are all 0: subtract each "
             "row's own maximum, axis=1 with keepdims=True")
def _(X, priors, means, variances):
    joint = log_joint(X, priors, means, variances)
    shifted = joint - joint.max()
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@drill.wrong(predict_log_proba, "the logarithm of a probability", "a probability that underflows to 0 has the "
             "logarithm -inf; subtract the log-sum-exp from the joint")
def _(X, priors, means, variances):
    joint = log_joint(X, priors, means, variances)
    powers = np.exp(joint - joint.max(axis=1, keepdims=True))
    return np.log(powers / powers.sum(axis=1, keepdims=True))


@drill.wrong(predict_log_proba, "not normalized", "that is log P(class, row); Bayes' rule divides by the sum over "
             "classes: subtract the log-sum-exp")
def _(X, priors, means, variances):
    return log_joint(X, priors, means, variances)


@drill.wrong(predict_log_proba, "probabilities in place of logarithms", "the result are logarithms, which are right "
             "where probabilities underflow: no exp at the end")
def _(X, priors, means, variances):
    joint = log_joint(X, priors, means, variances)
    powers = np.exp(joint - joint.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@drill.wrong(predict_log_proba, "normalized over the wrong axis", "each row is a distribution over the classes, axis 1")
def _(X, priors, means, variances):
    joint = log_joint(X, priors, means, variances)
    shifted = joint - joint.max(axis=0)
    return shifted - np.log(np.exp(shifted).sum(axis=0))


@drill.wrong(predict_log_proba, "the prior forgotten", "rare classes need more evidence: add log(priors)")
def _(X, priors, means, variances):
    return normalized(log_joint(X, np.ones_like(priors), means, variances))


@drill.wrong(predict_log_proba, "the prior without its logarithm", "to logarithms one adds log(priors), and not the "
             "priors")
def _(X, priors, means, variances):
    return normalized(log_joint(X, np.exp(priors), means, variances))


@drill.wrong(predict_log_proba, "the height of the density forgotten", "a narrow density is high: log(2 pi variance) "
             "differs between classes and does not cancel")
def _(X, priors, means, variances):
    return normalized(np.log(priors) - 0.5 * ((X[:, None] - means) ** 2 / variances).sum(axis=2))


@drill.wrong(predict_log_proba, "the half forgotten", "the density is exp(-(x - mean) ** 2 / (2 variance)) / sqrt(2 pi "
             "variance): half of both logarithms")
def _(X, priors, means, variances):
    return normalized(np.log(priors) - 0.5 * np.log(2 * np.pi * variances).sum(axis=1)
                      - ((X[:, None] - means) ** 2 / variances).sum(axis=2))


@drill.wrong(predict_log_proba, "the half forgotten", "sqrt(2 pi variance) has the logarithm log(2 pi variance) / 2")
def _(X, priors, means, variances):
    return normalized(np.log(priors) - np.log(2 * np.pi * variances).sum(axis=1)
                      - 0.5 * ((X[:, None] - means) ** 2 / variances).sum(axis=2))


@drill.wrong(predict_log_proba, "variances taken for standard deviations", "the exponent has (x - mean) ** 2 / "
             "variance, and the variance is squared already")
def _(X, priors, means, variances):
    return normalized(log_joint(X, priors, means, variances ** 2))


@drill.wrong(predict_log_proba, "deviations not squared", "the exponent of a normal density has the square of the "
             "deviation")
def _(X, priors, means, variances):
    exponents = (X[:, None] - means) / variances
    return normalized(np.log(priors) - 0.5 * (np.log(2 * np.pi * variances) + exponents).sum(axis=2))
