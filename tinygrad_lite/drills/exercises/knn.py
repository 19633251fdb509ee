"""K nearest neighbors

predict(X_train, y_train, X, k)   (N, D), (N,), (M, D), 1 <= k <= N -> the labels of the M points of X, (M,)

The label of a point is the one that most of its k nearest training points have, by Euclidean distance. y_train are
whole numbers of at least 0, perhaps with gaps; the result is made of the same labels. Of labels with as many votes the
smallest wins. Of training points at the same distance those that come first in X_train are nearer. Training points may
occur more than once, and a point of X may be one of them: it counts as a neighbor then, like all others. No Python
loop over points, neither of X nor of X_train, neither for distances nor for votes; one over the labels or over the k
neighbors is fine.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=10,
    hints=["X[:, None] - X_train is (M, N, D): all differences at once. The square root changes no order.",
           "np.argsort(distances, axis=1, kind='stable')[:, :k] are the numbers of the k nearest, (M, k).",
           "y_train[nearest] has their labels, (M, k).",
           "Count the votes by comparing: (labels[:, :, None] == classes).sum(axis=1) is (M, C), for classes = "
           "np.unique(y_train), which is sorted.",
           "argmax takes the first of equal counts, which is the smallest label; it is a place in classes."],
    pitfalls=["argmax gives the place of a class, which is its label only where labels are 0, 1, 2, ...: classes[...].",
              "A feature with large numbers decides alone: standardize with the training set's statistics.",
              "Sorting is O(N log N) per point; np.argpartition finds the k nearest in O(N), but no order of ties."],
)


@drill.reference
def predict(X_train, y_train, X, k):
    """X_train: (N, D), y_train: (N,), X: (M, D), k: how many neighbors vote -> labels (M,)"""
    distances = ((X[:, None] - X_train) ** 2).sum(axis=2)  # (M, 1, D) - (N, D) -> (M, N, D), summed over features
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]  # (M, k), stable: of equals the first
    classes = np.unique(y_train)  # (C,), sorted
    votes = (y_train[nearest][:, :, None] == classes).sum(axis=1)  # (M, k, 1) == (C,) -> (M, C)
    return classes[votes.argmax(axis=1)]  # of equals argmax takes the first: the smallest label


rng = np.random.default_rng(0)
labels = rng.integers(0, 4, 30) * 3 + 1
blobs = rng.standard_normal((30, 2)) + labels[:, None] / 3
lines = np.array([[0.0], [1.0], [2.0], [3.0], [10.0], [11.0]])

drill.case(predict, np.array([[0.0, 0.0], [0.0, 1.0], [5.0, 5.0]]), np.array([0, 0, 1]),
           np.array([[0.0, 0.2], [6.0, 5.0]]), 1, why="with k = 1 the label is that of the nearest point")
drill.case(predict, lines, np.array([2, 7, 7, 2, 2, 2]), np.array([[0.4], [9.0]]), 3,
           why="the nearest point has label 2, but two of the three nearest have 7")
drill.case(predict, np.array([[3.0, 3.0], [5.0, 0.0], [-9.0, 1.0]]), np.array([1, 2, 3]),
           np.array([[0.0, 0.0], [6.0, 1.0]]), 1,
           why="the distance is Euclidean: differences are squared, and summed over the features")
drill.case(predict, lines, np.array([5, 3, 3, 5, 0, 0]), np.array([[0.1], [2.9]]), 4,
           why="two votes for 3 and two for 5: the smallest of them wins")
drill.case(predict, np.array([[0.0], [2.0], [0.0], [2.0]]), np.array([6, 4, 6, 4]), np.array([[1.0], [1.5]]), 1,
           why="at the same distance the point that comes first in X_train is nearer: a stable sort")
drill.case(predict, lines, np.array([8, 1, 8, 1, 8, 4]), np.array([[0.0], [100.0]]), 6,
           why="with k = N all points vote, and the label is the same everywhere")
drill.case(predict, np.array([[1.0], [1.0], [1.0], [3.0], [6.0]]), np.array([2, 2, 2, 9, 9]),
           np.array([[3.0], [1.0]]), 3,
           why="points that occur more than once vote more than once, and a training point votes on itself")
drill.case(predict, blobs, labels, rng.standard_normal((5, 2)) + [[1.5, 2.0]], 7,
           why="each of the 5 points is labeled by its 7 nearest")
corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
drill.case(predict, rng.integers(0, 2, (300, 2)).astype(float), rng.integers(0, 9, 300), corners, 1,
           why="many points are equally near: those that come first in X_train count, which a stable sort keeps")
drill.case(predict, rng.standard_normal((400, 3)), rng.integers(0, 3, 400), rng.standard_normal((300, 3)), 5, lines=150,
           slow="a Python loop over points; broadcast, and count votes by comparing with all classes",
           why="each point is labeled by its 5 nearest")


def vote(y_train, nearest):
    """The majority of the right neighbors' labels, for mistakes that are made before."""
    classes = np.unique(y_train)
    return classes[(y_train[nearest][:, :, None] == classes).sum(axis=1).argmax(axis=1)]


@drill.wrong(predict, "the nearest point only", "k points vote; argmin takes one of them")
def _(X_train, y_train, X, k):
    return y_train[((X[:, None] - X_train) ** 2).sum(axis=2).argmin(axis=1)]


@drill.wrong(predict, "the farthest points", "argsort sorts from small to large: the nearest are the first k")
def _(X_train, y_train, X, k):
    nearest = np.argsort(-((X[:, None] - X_train) ** 2).sum(axis=2), axis=1, kind="stable")[:, :k]
    return vote(y_train, nearest)


@drill.wrong(predict, "the point itself left out", "here a training point at distance 0 is a neighbor like all "
             "others: the first k, and not 1 to k")
def _(X_train, y_train, X, k):
    nearest = np.argsort(((X[:, None] - X_train) ** 2).sum(axis=2), axis=1, kind="stable")[:, 1:k + 1]
    return vote(y_train, nearest)


@drill.wrong(predict, "the sum over the wrong axis", "axis 1 of (M, N, D) counts training points; the features are "
             "axis 2")
def _(X_train, y_train, X, k):
    nearest = np.argsort(((X[:, None] - X_train) ** 2).sum(axis=1), axis=1, kind="stable")[:, :k]
    return vote(y_train, nearest)


@drill.wrong(predict, "differences not squared", "positive and negative differences cancel; the distance sums their "
             "squares")
def _(X_train, y_train, X, k):
    nearest = np.argsort((X[:, None] - X_train).sum(axis=2), axis=1, kind="stable")[:, :k]
    return vote(y_train, nearest)


@drill.wrong(predict, "absolute differences", "their sum is the Manhattan distance; the Euclidean one sums squares")
def _(X_train, y_train, X, k):
    nearest = np.argsort(np.abs(X[:, None] - X_train).sum(axis=2), axis=1, kind="stable")[:, :k]
    return vote(y_train, nearest)


@drill.wrong(predict, "the mean of the labels", "labels are names, and between two of them lies no third: count the "
             "votes")
def _(X_train, y_train, X, k):
    nearest = np.argsort(((X[:, None] - X_train) ** 2).sum(axis=2), axis=1, kind="stable")[:, :k]
    return np.round(y_train[nearest].mean(axis=1)).astype(y_train.dtype)


@drill.wrong(predict, "the mean of the labels", "labels are names, whose median means nothing: count the votes")
def _(X_train, y_train, X, k):
    nearest = np.argsort(((X[:, None] - X_train) ** 2).sum(axis=2), axis=1, kind="stable")[:, :k]
    return np.median(y_train[nearest], axis=1).astype(y_train.dtype)


@drill.wrong(predict, "the place of the class", "argmax gives a place in np.unique(y_train), and not the label that "
             "stands there: classes[place]")
def _(X_train, y_train, X, k):
    nearest = np.argsort(((X[:, None] - X_train) ** 2).sum(axis=2), axis=1, kind="stable")[:, :k]
    return np.searchsorted(np.unique(y_train), vote(y_train, nearest))


@drill.wrong(predict, "ties to the largest label", "of labels with as many votes the smallest wins: argmax over sorted "
             "classes takes it")
def _(X_train, y_train, X, k):
    nearest = np.argsort(((X[:, None] - X_train) ** 2).sum(axis=2), axis=1, kind="stable")[:, :k]
    return -vote(-y_train, nearest)


@drill.wrong(predict, "ties to the nearest", "that is a good rule as well, but here of labels with as many votes the "
             "smallest wins")
def _(X_train, y_train, X, k):
    nearest = np.argsort(((X[:, None] - X_train) ** 2).sum(axis=2), axis=1, kind="stable")[:, :k]
    neighbors = y_train[nearest]
    votes = (neighbors[:, :, None] == neighbors[:, None]).sum(axis=1)
    return np.take_along_axis(neighbors, votes.argmax(axis=1)[:, None], axis=1)[:, 0]


@drill.wrong(predict, "of equal distances the last", "turned round, a stable sort puts the last of equals first; sort "
             "the distances themselves")
def _(X_train, y_train, X, k):
    order = np.argsort(((X[:, None] - X_train[::-1]) ** 2).sum(axis=2), axis=1, kind="stable")
    return vote(y_train[::-1], order[:, :k])


@drill.wrong(predict, "a Python loop over points", "thousands of turns of a loop take a hundred times as long; "
             "broadcast, and count votes by comparing")
def _(X_train, y_train, X, k):
    found = []
    for x in X:
        distances = ((x - X_train) ** 2).sum(axis=1)
        found.append(np.bincount(y_train[np.argsort(distances, kind="stable")[:k]]).argmax())
    return np.array(found)
