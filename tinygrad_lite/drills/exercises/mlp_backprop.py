"""Backpropagation through a multi-layer perceptron, by hand

forward(X, W1, b1, W2, b2)             X (N, D), W1 (D, H), b1 (H,), W2 (H, C), b2 (C,) -> hidden (N, H), logits (N, C)
backward(X, labels, W1, b1, W2, b2)    labels (N,), ints -> loss, dW1, db1, dW2, db2

The hidden layer is ReLU(X @ W1 + b1), and the logits are hidden @ W2 + b2. The loss is the mean over the N rows of
-log(p of the row's label), where p is the softmax of the row's logits. backward gives the loss and its gradients, each
of the shape of its parameter. The derivative of ReLU at 0 is 0. Logits may be as large as 2000.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=12,
    hints=["Go back through the layers in reverse. Each gradient has the shape of what it belongs to: that tells which "
           "matrix is transposed, and on which side it stands.",
           "Softmax and cross-entropy together have a short derivative: (p - one-hot) / N, of shape (N, C).",
           "dW2 = hidden.T @ dlogits, and the gradient of the hidden layer is dlogits @ W2.T.",
           "ReLU lets the gradient through where its output is above 0: multiply with (hidden > 0).",
           "A bias is added to every row, so that its gradient is the sum over the rows."],
    pitfalls=["Compute the loss from log-softmax: a probability that underflows to 0 has the logarithm -inf.",
              "The mean over the batch divides once, at the logits: biases are then summed, and nothing else divided.",
              "Check by finite differences: (loss(w + h) - loss(w - h)) / 2h in float64, for a few of the weights."],
)


@drill.reference
def forward(X, W1, b1, W2, b2):
    """X: (N, D), W1: (D, H), b1: (H,), W2: (H, C), b2: (C,) -> hidden (N, H) after the ReLU, logits (N, C)"""
    hidden = np.maximum(X @ W1 + b1, 0)  # (N, H)
    return hidden, hidden @ W2 + b2  # no ReLU at the end: logits may have any sign


@drill.reference
def backward(X, labels, W1, b1, W2, b2):
    """X: (N, D), labels: (N,), W1: (D, H), b1: (H,), W2: (H, C), b2: (C,) -> loss, dW1, db1, dW2, db2"""
    hidden, logits = forward(X, W1, b1, W2, b2)
    rows = np.arange(len(X))
    shifted = logits - logits.max(axis=1, keepdims=True)  # no overflow in exp
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, C), finite where p underflows
    loss = -log_p[rows, labels].mean()

    dlogits = np.exp(log_p)
    dlogits[rows, labels] -= 1  # p - one-hot
    dlogits /= len(X)  # the mean: once, here, and all that follows is linear in it
    dW2, db2 = hidden.T @ dlogits, dlogits.sum(axis=0)  # (H, C), and b2 is added to each of the rows
    dz = (dlogits @ W2.T) * (hidden > 0)  # (N, H), ReLU stops the gradient where it gave 0
    return loss, X.T @ dz, dz.sum(axis=0), dW2, db2


rng = np.random.default_rng(0)


def network(n, d, h, c):
    """X, labels, W1, b1, W2, b2"""
    return (rng.standard_normal((n, d)), rng.integers(0, c, n), rng.standard_normal((d, h)), rng.standard_normal(h),
            rng.standard_normal((h, c)), rng.standard_normal(c))


plain = network(7, 3, 5, 4)
small = (np.array([[1.0, 2.0]]), np.array([0]), np.array([[1.0, -1.0], [1.0, 0.0]]), np.zeros(2),
         np.array([[0.5, 0.5], [1.0, -1.0]]), np.zeros(2))
at_zero = (np.array([[0.0, 0.0], [1.0, -1.0]]), np.array([1, 0]), np.eye(2), np.zeros(2), np.eye(2),
           np.array([1.0, 0.0]))
large = (np.array([[1.0], [2.0]]), np.array([1, 0]), np.array([[1.0]]), np.zeros(1), np.array([[1000.0, 0.0]]),
         np.zeros(2))

drill.case(forward, small[0], *small[2:], why="the hidden layer is max(X @ W1 + b1, 0), here [3, 0]; the logits have "
           "no ReLU")
drill.case(forward, plain[0], *plain[2:], why="(N, D) @ (D, H) + (H,), the ReLU, @ (H, C) + (C,)")
drill.case(backward, *small, why="p is [1/2, 1/2], so that the derivative by the logits is [-1/2, 1/2]")
drill.case(backward, *plain, why="(p - one-hot) / N, then back through W2, the ReLU and W1; biases sum over the rows")
drill.case(backward, *network(6, 4, 4, 4), why="with square matrices nothing warns of a missing transpose")
drill.case(backward, *at_zero, why="the derivative of ReLU at 0 is 0")
drill.case(backward, *large, why="exp(2000) overflows, and p underflows to 0: compute the loss with log-softmax")
drill.case(backward, *network(1, 2, 3, 2), why="a batch of one row")


def right(X, labels, W1, b1, W2, b2):
    """hidden, logits, p, loss and the derivative by the logits, for wrong answers that go wrong later"""
    hidden, logits = forward(X, W1, b1, W2, b2)
    shifted, rows = logits - logits.max(axis=1, keepdims=True), np.arange(len(X))
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss, one_hot = -log_p[rows, labels].mean(), np.eye(len(b2))[labels]
    return hidden, logits, np.exp(log_p), loss, (np.exp(log_p) - one_hot) / len(X)


def back(X, hidden, dlogits, W2):
    """The right way back from the derivative by the logits"""
    dz = dlogits @ W2.T * (hidden > 0)
    return X.T @ dz, dz.sum(axis=0), hidden.T @ dlogits, dlogits.sum(axis=0)


@drill.wrong(forward, "no ReLU", "without the ReLU two layers are one: max(X @ W1 + b1, 0)")
def _(X, W1, b1, W2, b2):
    hidden = X @ W1 + b1
    return hidden, hidden @ W2 + b2


@drill.wrong(forward, "ReLU of the logits", "logits may be negative: the ReLU is between the layers alone")
def _(X, W1, b1, W2, b2):
    hidden = np.maximum(X @ W1 + b1, 0)
    return hidden, np.maximum(hidden @ W2 + b2, 0)


@drill.wrong(backward, "gradients not divided by N", "the loss is a mean over N rows: (p - one-hot) / N")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    return loss, *back(X, hidden, dlogits * len(X), W2)


@drill.wrong(backward, "sum instead of mean", "the loss is the mean over the rows: divide it and its gradients by N")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    return loss * len(X), *back(X, hidden, dlogits * len(X), W2)


@drill.wrong(backward, "divided by all numbers of the logits", "the mean is over N rows, not over N * C numbers")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    return loss, *back(X, hidden, dlogits / len(b2), W2)


@drill.wrong(backward, "derivative of ReLU by the logits", "the logits have no ReLU: it is (hidden > 0) that counts")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    dlogits = dlogits * (logits > 0)
    dz = dlogits @ W2.T
    return loss, X.T @ dz, dz.sum(axis=0), hidden.T @ dlogits, dlogits.sum(axis=0)


@drill.wrong(backward, "derivative of ReLU by the logits", "the logits have no ReLU: the hidden layer alone has one")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    return loss, *back(X, hidden, dlogits * (logits > 0), W2)


@drill.wrong(backward, "no derivative of ReLU", "where ReLU gave 0 nothing passes back: multiply with (hidden > 0). "
             "hidden >= 0 is always true")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    dz = dlogits @ W2.T
    return loss, X.T @ dz, dz.sum(axis=0), hidden.T @ dlogits, dlogits.sum(axis=0)


@drill.wrong(backward, "derivative 1 of ReLU at 0", "the prompt has 0 at 0, as most libraries have: z > 0")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    dz = dlogits @ W2.T * (X @ W1 + b1 >= 0)
    return loss, X.T @ dz, dz.sum(axis=0), hidden.T @ dlogits, dlogits.sum(axis=0)


@drill.wrong(backward, "mean of the bias gradient", "the mean is in dlogits already: a bias is added to each row, and "
             "gets the sum over the rows")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    dW1, db1, dW2, db2 = back(X, hidden, dlogits, W2)
    return loss, dW1, db1 / len(X), dW2, db2 / len(X)


@drill.wrong(backward, "bias gradient not summed", "a bias is added to each row: sum over the rows, axis 0")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    dW1, db1, dW2, db2 = back(X, hidden, dlogits, W2)
    return loss, dW1, dlogits @ W2.T * (hidden > 0), dW2, dlogits


@drill.wrong(backward, "bias gradient summed over the wrong axis", "a bias is added to each row: sum over axis 0")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    dW1, db1, dW2, db2 = back(X, hidden, dlogits, W2)
    return loss, dW1, (dlogits @ W2.T * (hidden > 0)).sum(axis=1), dW2, dlogits.sum(axis=1)


@drill.wrong(backward, "one-hot not subtracted", "the derivative by the logits is p - one-hot: 1 less at the label")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    return loss, *back(X, hidden, p / len(X), W2)


@drill.wrong(backward, "one-hot - p", "the derivative by the logits is p - one-hot; the other way round is uphill")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    return loss, *back(X, hidden, -dlogits, W2)


@drill.wrong(backward, "p[:, labels]", "p[:, labels] takes the columns of all labels in every row; p[np.arange(N), "
             "labels] takes one number a row")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    p[:, labels] -= 1
    return loss, *back(X, hidden, p / len(X), W2)


@drill.wrong(backward, "the derivative of softmax once more", "p - one-hot has the derivative of the softmax in it: no "
             "factor p (1 - p)")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    return loss, *back(X, hidden, dlogits * p * (1 - p), W2)


@drill.wrong(backward, "W2 not transposed", "(N, C) goes back to (N, H) by W2.T; where H = C nothing warns")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    dz = dlogits @ W2 * (hidden > 0)
    return loss, X.T @ dz, dz.sum(axis=0), hidden.T @ dlogits, dlogits.sum(axis=0)


@drill.wrong(backward, "gradients transposed", "a gradient has the shape of its weights: dW2 = hidden.T @ dlogits")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    dW1, db1, dW2, db2 = back(X, hidden, dlogits, W2)
    return loss, dW1.T, db1, dW2.T, db2


@drill.wrong(backward, "dW2 of what comes before the ReLU", "the second layer is fed with hidden, after the ReLU: "
             "dW2 = hidden.T @ dlogits")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    dW1, db1, dW2, db2 = back(X, hidden, dlogits, W2)
    return loss, dW1, db1, (X @ W1 + b1).T @ dlogits, db2


@drill.wrong(backward, "no maximum subtracted", "exp(1000) overflows; subtract the row's maximum first")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits = forward(X, W1, b1, W2, b2)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(X)), labels]).mean()
    return loss, *back(X, hidden, (p - np.eye(len(b2))[labels]) / len(X), W2)


@drill.wrong(backward, "log of a probability that is 0", "the probability underflows to 0, and log(0) is -inf: take "
             "the log-softmax of the logits")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    return -np.log(p[np.arange(len(X)), labels]).mean(), *back(X, hidden, dlogits, W2)


@drill.wrong(backward, "log of a probability that is 0", "an eps in the logarithm keeps the loss finite but wrong: "
             "take the log-softmax of the logits")
def _(X, labels, W1, b1, W2, b2):
    hidden, logits, p, loss, dlogits = right(X, labels, W1, b1, W2, b2)
    return -np.log(p[np.arange(len(X)), labels] + 1e-12).mean(), *back(X, hidden, dlogits, W2)
