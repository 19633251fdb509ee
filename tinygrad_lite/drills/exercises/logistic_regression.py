"""Logistic regression from scratch

sigmoid(z)                              (...) -> 1 / (1 + exp(-z)), (...)
loss_and_gradient(X, y, w, b, l2)       X (N, D), y (N,) of 0 and 1, w (D,), b a number, l2 a number
                                        -> loss (a number), its gradient by w (D,), its gradient by b (a number)
fit(X, y, lr, steps, l2)                -> w (D,), b, by gradient descent from w = 0 and b = 0

The score of a row x is z = x @ w + b. The loss is the mean over the N rows of -y log(p) - (1 - y) log(1 - p), where p
is sigmoid(z), plus l2 / 2 times the sum of the squares of w; b is not regularized. fit takes `steps` steps with all
rows: w -= lr * (gradient by w), and b likewise, both gradients at the same w and b. Scores may be as large as 1000
either way: results are finite and right, and exp does not overflow on the way (numpy would warn). y may hold ints.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=10,
    hints=["exp(-|z|) never overflows. For z >= 0 the sigmoid is 1 / (1 + exp(-|z|)), and for z < 0 "
           "exp(-|z|) / (1 + exp(-|z|)).",
           "np.where computes both of its branches for all elements, and so overflows in the one that is not taken.",
           "-log(sigmoid(z)) = log(1 + exp(-z)) is np.logaddexp(0, -z), for every z.",
           "The loss of a row is logaddexp(0, z) - y * z, and its derivative by z is sigmoid(z) - y.",
           "By w that is X.T @ (sigmoid(z) - y) / N + l2 * w, and by b the mean of sigmoid(z) - y."],
    pitfalls=["exp(-z) overflows at z = -1000: use exp(-|z|), or clip z.",
              "log(sigmoid(z)) is -inf where the sigmoid underflows: compute the loss from the scores (logaddexp).",
              "The bias is not regularized: it would pull predictions to 1/2 for no reason."],
    forbidden=("scipy", "sklearn"),
)


@drill.reference(differentiable=True)
def sigmoid(z):
    """z: scores (...) -> probabilities (...)"""
    return np.exp(-np.logaddexp(0, -z))  # logaddexp(0, -z) is log(1 + exp(-z)) for every z, and >= 0: no overflow


@drill.reference
def loss_and_gradient(X, y, w, b, l2):
    """X: (N, D), y: (N,) of 0 and 1, w: (D,), b and l2: numbers -> loss, gradient by w (D,), gradient by b"""
    z = X @ w + b  # (N,)
    losses = np.logaddexp(0, z) - y * z  # -log(p) and -log(1 - p) from the scores: p may underflow to 0
    errors = (sigmoid(z) - y) / len(y)  # (N,), the derivative by z of the mean
    return losses.mean() + l2 / 2 * (w @ w), X.T @ errors + l2 * w, errors.sum()  # b is not regularized


@drill.reference
def fit(X, y, lr, steps, l2):
    """X: (N, D), y: (N,) of 0 and 1, lr: step size, steps: int, l2: number -> w (D,), b"""
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(steps):
        _, by_w, by_b = loss_and_gradient(X, y, w, b, l2)  # both before either is changed
        w, b = w - lr * by_w, b - lr * by_b
    return w, b


rng = np.random.default_rng(0)
X, w = rng.standard_normal((7, 3)), rng.standard_normal(3)
y = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0])
small, labels = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([1.0, 0.0])

drill.case(sigmoid, np.array([0.0, 1.0, -1.0]), why="sigmoid(0) is 1/2, and sigmoid(-z) = 1 - sigmoid(z)")
drill.case(sigmoid, 2 * rng.standard_normal((2, 3)), why="any shape, element by element")
drill.case(loss_and_gradient, small, labels, np.zeros(2), 0.0, 0.0, why="at w = 0 and b = 0 each p is 1/2: the loss is "
           "log(2), and the gradients are the means of (1/2 - y) x and of 1/2 - y")
drill.case(loss_and_gradient, X, y, w, 0.7, 0.0, why="the gradient by w is X.T @ (p - y) / N, and by b mean(p - y)")
drill.case(loss_and_gradient, X, y, w, 0.7, 0.5, why="l2 / 2 |w|^2 has the gradient l2 w, and b is not regularized")
drill.case(loss_and_gradient, X, y.astype(int), w, -0.3, 0.1, why="y may hold ints")
drill.case(loss_and_gradient, np.array([[1000.0], [-1000.0]]), np.array([0.0, 1.0]), np.ones(1), 0.0, 0.0,
           why="p underflows to 0, and its logarithm is -inf; -log(sigmoid(z)) is logaddexp(0, -z), here 1000")
drill.case(loss_and_gradient, np.array([[1000.0], [-1000.0]]), np.array([1.0, 0.0]), np.ones(1), 0.0, 0.0,
           why="the scores are right, so that the loss is 0; 0 * log(0) is NaN")
drill.case(fit, small, labels, 0.5, 1, 0.0, why="the first step from 0 is -lr times the gradient")
drill.case(fit, X, y, 0.5, 20, 0.3, why="each step subtracts lr times the gradients at the same w and b")


@drill.program(why="exp(-z) overflows at z = -1000, and np.where computes both branches: take exp(-|z|), or clip z")
def _(sigmoid):
    """sigmoid([-1000]) and sigmoid([1000]), with an overflow of numpy's as an error"""
    found, overflows = [], []
    for sign, z in (("negative", np.array([-1000.0])), ("positive", np.array([1000.0]))):
        try:
            with np.errstate(over="raise", invalid="raise"):
                found.append(float(np.asarray(sigmoid(z)).item()))
        except FloatingPointError:
            overflows.append(sign)
    return f"exp overflows for the {' and the '.join(overflows)} score" if overflows else found


@drill.wrong(sigmoid, "exp overflows", "exp(-z) overflows at z = -1000; exp(-|z|) is at most 1")
def _(z):
    return 1 / (1 + np.exp(-z))


@drill.wrong(sigmoid, "exp overflows", "exp(z) overflows at z = 1000, and inf / inf is NaN; exp(-|z|) is at most 1")
def _(z):
    return np.exp(z) / (1 + np.exp(z))


@drill.wrong(sigmoid, "np.where computes both branches", "the branch that is not taken is computed as well, and "
             "overflows; give it exp(-|z|), which serves both")
def _(z):
    return np.where(z >= 0, 1 / (1 + np.exp(-z)), np.exp(z) / (1 + np.exp(z)))


@drill.wrong(sigmoid, "the sign of z", "1 / (1 + exp(z)) is sigmoid(-z), the probability of 0")
def _(z):
    power = np.exp(-np.abs(z))
    return np.where(z >= 0, power, 1.0) / (1 + power)


def gradients(X, y, w, b):
    """The right gradients, without regularization, for wrong answers whose mistake is another"""
    errors = (sigmoid(X @ w + b) - y) / len(y)
    return X.T @ errors, errors.sum()


def losses(X, y, w, b):
    return np.logaddexp(0, X @ w + b) - y * (X @ w + b)


@drill.wrong(loss_and_gradient, "log of a probability that is 0", "the sigmoid underflows to 0, and rounds to 1: "
             "compute the loss from the scores, logaddexp(0, z) - y * z")
def _(X, y, w, b, l2):
    p, (by_w, by_b) = sigmoid(X @ w + b), gradients(X, y, w, b)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)) + l2 / 2 * (w @ w), by_w + l2 * w, by_b


@drill.wrong(loss_and_gradient, "log of a probability that is 0", "an eps in the logarithm keeps the loss finite but "
             "wrong (34 instead of 1000); compute it from the scores, logaddexp(0, z) - y * z")
def _(X, y, w, b, l2):
    p, (by_w, by_b) = np.clip(sigmoid(X @ w + b), 1e-15, 1 - 1e-15), gradients(X, y, w, b)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)) + l2 / 2 * (w @ w), by_w + l2 * w, by_b


@drill.wrong(loss_and_gradient, "log of a probability that is 0", "an eps in the logarithm keeps the loss finite but "
             "wrong (18 instead of 1000); compute it from the scores, logaddexp(0, z) - y * z")
def _(X, y, w, b, l2):
    p, (by_w, by_b) = sigmoid(X @ w + b), gradients(X, y, w, b)
    loss = -np.mean(y * np.log(p + 1e-8) + (1 - y) * np.log(1 - p + 1e-8))
    return loss + l2 / 2 * (w @ w), by_w + l2 * w, by_b


@drill.wrong(loss_and_gradient, "gradients not divided by N", "the loss is a mean over rows, and so is its gradient")
def _(X, y, w, b, l2):
    by_w, by_b = gradients(X, y, w, b)
    return losses(X, y, w, b).mean() + l2 / 2 * (w @ w), by_w * len(y) + l2 * w, by_b * len(y)


@drill.wrong(loss_and_gradient, "sum instead of mean", "the loss is the mean over the rows: divide it and its "
             "gradients by N")
def _(X, y, w, b, l2):
    by_w, by_b = gradients(X, y, w, b)
    return losses(X, y, w, b).sum() + l2 / 2 * (w @ w), by_w * len(y) + l2 * w, by_b * len(y)


@drill.wrong(loss_and_gradient, "no gradient of the regularization", "l2 / 2 |w|^2 is a part of the loss: its gradient "
             "l2 w belongs to that of w")
def _(X, y, w, b, l2):
    return losses(X, y, w, b).mean() + l2 / 2 * (w @ w), *gradients(X, y, w, b)


@drill.wrong(loss_and_gradient, "regularization in the gradient alone", "the loss has l2 / 2 |w|^2 as well: otherwise "
             "its gradient is not that of the loss")
def _(X, y, w, b, l2):
    by_w, by_b = gradients(X, y, w, b)
    return losses(X, y, w, b).mean(), by_w + l2 * w, by_b


@drill.wrong(loss_and_gradient, "the bias regularized", "b only moves the threshold, and is not regularized")
def _(X, y, w, b, l2):
    by_w, by_b = gradients(X, y, w, b)
    return losses(X, y, w, b).mean() + l2 / 2 * (w @ w + b ** 2), by_w + l2 * w, by_b + l2 * b


@drill.wrong(loss_and_gradient, "the bias regularized", "b only moves the threshold, and is not regularized")
def _(X, y, w, b, l2):
    by_w, by_b = gradients(X, y, w, b)
    return losses(X, y, w, b).mean() + l2 / 2 * (w @ w), by_w + l2 * w, by_b + l2 * b


@drill.wrong(loss_and_gradient, "the half of the regularization", "the prompt has l2 / 2 |w|^2, whose gradient is l2 w")
def _(X, y, w, b, l2):
    by_w, by_b = gradients(X, y, w, b)
    return losses(X, y, w, b).mean() + l2 * (w @ w), by_w + 2 * l2 * w, by_b


@drill.wrong(loss_and_gradient, "the half of the regularization", "l2 / 2 |w|^2 has the gradient l2 w: the 2 cancels")
def _(X, y, w, b, l2):
    by_w, by_b = gradients(X, y, w, b)
    return losses(X, y, w, b).mean() + l2 / 2 * (w @ w), by_w + 2 * l2 * w, by_b


@drill.wrong(loss_and_gradient, "regularization divided by N", "the mean is of the rows' losses alone; l2 / 2 |w|^2 is "
             "added after it")
def _(X, y, w, b, l2):
    by_w, by_b = gradients(X, y, w, b)
    return losses(X, y, w, b).mean() + l2 / 2 * (w @ w) / len(y), by_w + l2 * w / len(y), by_b


@drill.wrong(loss_and_gradient, "y - p", "the derivative of the loss by z is p - y; y - p points uphill")
def _(X, y, w, b, l2):
    by_w, by_b = gradients(X, y, w, b)
    return losses(X, y, w, b).mean() + l2 / 2 * (w @ w), l2 * w - by_w, -by_b


@drill.wrong(loss_and_gradient, "the derivative of the sigmoid left in", "p (1 - p) cancels in the derivative of this "
             "loss: p - y remains. With the squared error it would stay")
def _(X, y, w, b, l2):
    p = sigmoid(X @ w + b)
    errors = (p - y) * p * (1 - p) / len(y)
    return losses(X, y, w, b).mean() + l2 / 2 * (w @ w), X.T @ errors + l2 * w, errors.sum()


@drill.wrong(fit, "uphill", "the loss falls against its gradient: w -= lr * gradient")
def _(X, y, lr, steps, l2):
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(steps):
        _, by_w, by_b = loss_and_gradient(X, y, w, b, l2)
        w, b = w + lr * by_w, b + lr * by_b
    return w, b


@drill.wrong(fit, "b never moves", "the bias is a parameter as well: b -= lr * (gradient by b)")
def _(X, y, lr, steps, l2):
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(steps):
        w = w - lr * loss_and_gradient(X, y, w, b, l2)[1]
    return w, b


@drill.wrong(fit, "regularization forgotten", "fit has l2 as an argument: give it to loss_and_gradient")
def _(X, y, lr, steps, l2):
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(steps):
        _, by_w, by_b = loss_and_gradient(X, y, w, b, 0.0)
        w, b = w - lr * by_w, b - lr * by_b
    return w, b


@drill.wrong(fit, "b moves with the new w", "both gradients belong to the same w and b: compute them before w moves")
def _(X, y, lr, steps, l2):
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(steps):
        w = w - lr * loss_and_gradient(X, y, w, b, l2)[1]
        b = b - lr * loss_and_gradient(X, y, w, b, l2)[2]
    return w, b


@drill.wrong(fit, "a step too many or too few", "exactly `steps` steps are taken: range(steps)")
def _(X, y, lr, steps, l2):
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(1, steps):
        _, by_w, by_b = loss_and_gradient(X, y, w, b, l2)
        w, b = w - lr * by_w, b - lr * by_b
    return w, b
