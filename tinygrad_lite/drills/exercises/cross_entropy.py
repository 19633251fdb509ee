"""Cross-entropy from logits, and its gradient

cross_entropy(logits, labels, ignore_index=-100)   logits (N, C), labels (N,) ints -> the mean loss, a number
gradient(logits, labels, ignore_index=-100)        the same -> the gradient of the mean loss by the logits (N, C)

The loss of a row is -log(p of its label), where p is the softmax of the row's logits. Rows whose label is ignore_index,
which may be any int, have no loss and a gradient of 0, and the mean is over the other rows alone. Where all rows are
ignored, the loss is 0 and so is the gradient. Logits may be as large as 1000 or as small as -1000. No Python loops.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=8,
    hints=["-log(softmax) is log(sum(exp(x))) - x: compute it from the logits, without the probability between.",
           "Subtract each row's maximum first, and take the sum of the powers with keepdims=True.",
           "log_p[np.arange(N), labels] picks one number a row.",
           "An ignored label is no index: take np.where(counted, labels, 0), and mask the loss out later.",
           "The gradient of a row's loss is p - one-hot. Divide by the number of rows that count, but never by 0."],
    pitfalls=["A probability that underflows to 0 has the logarithm -inf: use log-softmax, not log of softmax.",
              "Ignored rows are out of the sum and out of the number that divides it.",
              "-1 as an index is the last class, and nothing warns."],
)


@drill.reference(differentiable=True)
def cross_entropy(logits, labels, ignore_index=-100):
    """logits: (N, C), labels: (N,) ints -> the mean loss of the rows that are not ignored, a number"""
    shifted = logits - np.max(logits, axis=1, keepdims=True)  # (N, C), no overflow in exp
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))  # finite where p underflows to 0
    counted = labels != ignore_index  # (N,)
    picked = log_p[np.arange(len(labels)), np.where(counted, labels, 0)]  # an ignored label is no index
    return -np.sum(np.where(counted, picked, 0.0)) / max(int(np.sum(counted)), 1)  # the mean over what counts


@drill.reference(differentiable=True)
def gradient(logits, labels, ignore_index=-100):
    """logits: (N, C), labels: (N,) ints -> the gradient of the mean loss by the logits (N, C)"""
    powers = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    p = powers / np.sum(powers, axis=1, keepdims=True)  # (N, C)
    errors = np.where(labels[:, None] == np.arange(logits.shape[1]), p - 1, p)  # p - one-hot: (N, 1) == (C,) is (N, C)
    counted = labels != ignore_index
    return np.where(counted[:, None], errors, 0.0) / max(int(np.sum(counted)), 1)


rng = np.random.default_rng(0)
logits, labels = rng.standard_normal((6, 4)), np.array([2, 0, 3, 3, 1, 0])
some = np.array([2, -100, 3, -100, 1, 0])
small = np.array([[0.0, 0.0], [0.0, np.log(3.0)]])
large = np.array([[1000.0, 0.0, -1000.0], [-1000.0, -1001.0, -1000.0]])

drill.case(cross_entropy, small, np.array([1, 0]), why="the labels have the probabilities 1/2 and 1/4: (log(2) + "
           "log(4)) / 2")
drill.case(cross_entropy, logits, labels, why="-log of the probability of each row's label, and the mean over the rows")
drill.case(cross_entropy, logits[:1], labels[:1], why="the mean of one row is its loss")
drill.case(cross_entropy, logits[:4], labels[:4], why="where N = C, rows and columns are easily confused")
drill.case(cross_entropy, large, np.array([1, 2]),
           why="the probability underflows to 0, and log(0) is -inf: subtract the log-sum-exp from the logits")
drill.case(cross_entropy, logits, some, why="-100 is no index, and the mean is over the four rows that count")
drill.case(cross_entropy, logits, np.array([-1, 0, 3, -1, 1, 0]), ignore_index=-1,
           why="as an index -1 is the last class: take the ignored rows out")
drill.case(cross_entropy, logits, labels, 0, why="a class may be ignored as well")
drill.case(cross_entropy, logits[:2], np.array([-100, -100]), why="no row counts: 0 / 0 is NaN, and the loss is 0",
           smooth=False)
drill.case(cross_entropy, rng.standard_normal((60, 3)).astype("float32"), rng.integers(0, 3, 60), lines=50,
           why="all rows at once", slow="a Python loop; log_p[np.arange(N), labels] picks from all rows")
drill.case(gradient, small, np.array([1, 0]), why="p - one-hot, divided by the number of rows")
drill.case(gradient, logits, labels, why="p - one-hot, divided by the number of rows")
drill.case(gradient, logits, some, why="ignored rows have the gradient 0, and the others are divided by 4")
drill.case(gradient, logits[:3], np.array([1, 2, 1]), 2, why="ignore_index may be any int, a class as well")
drill.case(gradient, rng.standard_normal((60, 3)), rng.integers(0, 3, 60), why="all rows at once", lines=50,
           slow="a Python loop; labels[:, None] == np.arange(C) has all rows")
drill.case(gradient, large, np.array([1, 2]), why="exp(1000) overflows; subtract each row's maximum first")
drill.case(gradient, logits[:2], np.array([-100, -100]), why="no row counts: 0 / 0 is NaN, and the gradient is 0",
           smooth=False)


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def mean(log_p, labels, ignore_index):
    """The end of the loss, for wrong answers that go wrong before it"""
    counted = labels != ignore_index
    picked = log_p[np.arange(len(labels)), np.where(counted, labels, 0)]
    return -np.where(counted, picked, 0.0).sum() / max(int(counted.sum()), 1)


for eps in (0.0, 1e-15, 1e-12, 1e-9, 1e-8):
    @drill.wrong(cross_entropy, "log of the softmax", "a probability that underflows to 0 has the logarithm -inf, and "
    "with an eps a wrong one; subtract the log-sum-exp from the logits instead")
    def _(logits, labels, ignore_index=-100, eps=eps):
        return mean(np.log(np.exp(log_softmax(logits)) + eps), labels, ignore_index)


@drill.wrong(cross_entropy, "no maximum subtracted", "exp(1000) overflows; subtract each row's maximum first")
def _(logits, labels, ignore_index=-100):
    return mean(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), labels, ignore_index)


@drill.wrong(cross_entropy, "no maximum subtracted", "exp(1000) overflows; subtract each row's maximum first")
def _(logits, labels, ignore_index=-100):
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return mean(np.log(p), labels, ignore_index)


@drill.wrong(cross_entropy, "one maximum for all rows", "the powers of a row far below the maximum of all are 0; "
             "max(axis=1, keepdims=True) is a maximum a row")
def _(logits, labels, ignore_index=-100):
    shifted = logits - logits.max()
    return mean(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), labels, ignore_index)


@drill.wrong(cross_entropy, "the maximum is not added back", "log(sum(exp(x - m))) is smaller by m than the "
             "log-sum-exp: subtract it from x - m, not from x")
def _(logits, labels, ignore_index=-100):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return mean(logits - np.log(powers.sum(axis=1, keepdims=True)), labels, ignore_index)


@drill.wrong(cross_entropy, "softmax over the rows", "each row is a distribution over the C classes, axis 1")
def _(logits, labels, ignore_index=-100):
    return mean(log_softmax(logits.T).T, labels, ignore_index)


@drill.wrong(cross_entropy, "softmax twice", "the arguments are logits; one softmax makes them probabilities, a second "
             "flattens them")
def _(logits, labels, ignore_index=-100):
    return mean(log_softmax(np.exp(log_softmax(logits))), labels, ignore_index)


@drill.wrong(cross_entropy, "the sign", "log-probabilities are negative, and the loss is positive: -log(p)")
def _(logits, labels, ignore_index=-100):
    return -mean(log_softmax(logits), labels, ignore_index)


@drill.wrong(cross_entropy, "sum instead of mean", "the loss is the mean over the rows that count")
def _(logits, labels, ignore_index=-100):
    return mean(log_softmax(logits), labels, ignore_index) * np.sum(labels != ignore_index)


@drill.wrong(cross_entropy, "divided by N * C", "the mean of one_hot * log_p counts C numbers a row; sum over the "
             "classes first")
def _(logits, labels, ignore_index=-100):
    return mean(log_softmax(logits), labels, ignore_index) / logits.shape[1]


@drill.wrong(cross_entropy, "log_p[:, labels]", "log_p[:, labels] is (N, N), the labels of all rows in every row; "
             "log_p[np.arange(N), labels] picks one number a row")
def _(logits, labels, ignore_index=-100):
    counted = labels != ignore_index
    log_p = log_softmax(logits)[counted]
    return -log_p[:, labels[counted]].mean() if counted.any() else 0.0


@drill.wrong(cross_entropy, "ignored rows in the divisor", "the mean is over the rows that count: divide by their "
             "number, not by N")
def _(logits, labels, ignore_index=-100):
    counted = labels != ignore_index
    return mean(log_softmax(logits), labels, ignore_index) * int(counted.sum()) / len(labels)


@drill.wrong(cross_entropy, "nothing ignored", "rows whose label is ignore_index are left out of the loss")
def _(logits, labels, ignore_index=-100):
    return -log_softmax(logits)[np.arange(len(labels)), labels].mean()


@drill.wrong(cross_entropy, "-100 whatever ignore_index is", "ignore_index is an argument: labels != ignore_index")
def _(logits, labels, ignore_index=-100):
    return mean(log_softmax(logits), labels, -100)


@drill.wrong(cross_entropy, "an ignored label as an index", "-100 is no index: pick with np.where(counted, labels, 0), "
             "and take the ignored rows out after it")
def _(logits, labels, ignore_index=-100):
    counted = labels != ignore_index
    picked = log_softmax(logits)[np.arange(len(labels)), labels]
    return -np.where(counted, picked, 0.0).sum() / max(int(counted.sum()), 1)


@drill.wrong(cross_entropy, "a Python loop over rows", "log_p[np.arange(N), labels] picks from all rows at once")
def _(logits, labels, ignore_index=-100):
    total, count = 0.0, 0
    for row, label in zip(log_softmax(logits), labels):
        if label != ignore_index:
            total, count = total - row[label], count + 1
    return total / max(count, 1)


@drill.wrong(cross_entropy, "NaN where all is ignored", "the mean of no rows is 0 / 0: divide by max(count, 1)")
def _(logits, labels, ignore_index=-100):
    counted = labels != ignore_index
    return -log_softmax(logits)[counted][np.arange(counted.sum()), labels[counted]].mean()


def scaled(errors, labels, ignore_index):
    """The end of the gradient, for wrong answers that go wrong before it"""
    counted = labels != ignore_index
    return np.where(counted[:, None], errors, 0.0) / max(int(counted.sum()), 1)


def hot(logits, labels):
    return labels[:, None] == np.arange(logits.shape[1])


@drill.wrong(gradient, "not divided by the number of rows", "the loss is a mean, and so is its gradient")
def _(logits, labels, ignore_index=-100):
    p = np.exp(log_softmax(logits))
    return np.where((labels != ignore_index)[:, None], p - hot(logits, labels), 0.0)


@drill.wrong(gradient, "ignored rows in the divisor", "the mean is over the rows that count: divide by their number, "
             "not by N")
def _(logits, labels, ignore_index=-100):
    p = np.exp(log_softmax(logits))
    return np.where((labels != ignore_index)[:, None], p - hot(logits, labels), 0.0) / len(labels)


@drill.wrong(gradient, "ignored rows get a gradient", "a row without a loss has the gradient 0: mask p - one-hot")
def _(logits, labels, ignore_index=-100):
    p = np.exp(log_softmax(logits))
    return (p - hot(logits, labels)) / max(int((labels != ignore_index).sum()), 1)


@drill.wrong(gradient, "-100 whatever ignore_index is", "ignore_index is an argument: labels != ignore_index")
def _(logits, labels, ignore_index=-100):
    return scaled(np.exp(log_softmax(logits)) - hot(logits, labels), labels, -100)


@drill.wrong(gradient, "an ignored label as an index", "-100 is no index: pick with np.where(counted, labels, 0), and "
             "set the ignored rows to 0 after it")
def _(logits, labels, ignore_index=-100):
    p = np.exp(log_softmax(logits))
    p[np.arange(len(labels)), labels] -= 1
    return scaled(p, labels, ignore_index)


@drill.wrong(gradient, "one-hot - p", "the derivative is p - one-hot; the other way round is uphill")
def _(logits, labels, ignore_index=-100):
    return scaled(hot(logits, labels) - np.exp(log_softmax(logits)), labels, ignore_index)


@drill.wrong(gradient, "one-hot not subtracted", "the derivative is p - one-hot: 1 less at the label")
def _(logits, labels, ignore_index=-100):
    return scaled(np.exp(log_softmax(logits)), labels, ignore_index)


@drill.wrong(gradient, "p[:, labels]", "p[:, labels] takes the columns of all labels in every row; p[np.arange(N), "
             "labels] takes one number a row")
def _(logits, labels, ignore_index=-100):
    p, counted = np.exp(log_softmax(logits)), labels != ignore_index
    p[:, labels[counted]] -= 1
    return scaled(p, labels, ignore_index)


@drill.wrong(gradient, "no maximum subtracted", "exp(1000) overflows; subtract each row's maximum first")
def _(logits, labels, ignore_index=-100):
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return scaled(p - hot(logits, labels), labels, ignore_index)


@drill.wrong(gradient, "NaN where all is ignored", "no row counts, and 0 / 0 is NaN: divide by max(number of rows, 1)")
def _(logits, labels, ignore_index=-100):
    counted = labels != ignore_index
    return (np.exp(log_softmax(logits)) - hot(logits, labels)) * counted[:, None] / int(counted.sum())


@drill.wrong(gradient, "a Python loop over rows", "labels[:, None] == np.arange(C) is the one-hot of all rows at once")
def _(logits, labels, ignore_index=-100):
    p = np.exp(log_softmax(logits))
    for i, label in enumerate(labels):
        if label == ignore_index:
            p[i] = 0.0
        else:
            p[i, label] -= 1
    return p / max(int((labels != ignore_index).sum()), 1)


@drill.wrong(gradient, "the argument changed in place", "-= writes into the array of the caller: logits = logits - … "
             "makes a new one")
def _(logits, labels, ignore_index=-100):
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return scaled(logits - hot(logits, labels), labels, ignore_index)
