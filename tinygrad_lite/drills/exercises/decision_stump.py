"""A decision stump: the best split of a tree

gini(y)            labels (N,), N >= 1 -> the Gini impurity, a number
best_split(X, y)   (N, D), (N,) -> feature, threshold, impurity; None where no split parts the points

Labels are whole numbers of at least 0, of any number of classes. The Gini impurity is the probability that two labels
drawn from y (with replacement) differ: 1 minus the sum of the squared shares of the classes. A split sends the points
whose feature is <= threshold to the left and the others to the right; its impurity is the mean of the Gini impurities
of both sides, weighted with their numbers of points. The thresholds of a feature are the midpoints between neighbors
among its different values, so that no side is ever empty. The split with the smallest impurity is the best, even where
it is no smaller than that of y; of equally good ones the first feature counts, and then the smallest threshold.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=10,
    hints=["np.bincount(y) / len(y) are the shares of the classes.",
           "np.unique(X[:, feature]) is sorted and has each value once; (values[:-1] + values[1:]) / 2 are midpoints.",
           "left = X[:, feature] <= threshold is a mask: y[left] and y[~left] are the two sides.",
           "Weigh each side with its number of points: a side of one point is always pure, and is worth little.",
           "Keep the best so far, and replace it only by what is smaller (<): the first of equals stays."],
    pitfalls=["The unweighted mean of both sides loves splits that cut off a single point.",
              "Thresholds at the points depend on the sample; midpoints leave the same margin on both sides.",
              "With masks it is O(N^2) a feature. Sorted once, with counts updated point by point, it is O(N log N)."],
)


@drill.reference
def gini(y):
    """y: labels (N,) -> 1 minus the sum of the squared shares of the classes"""
    shares = np.bincount(y) / len(y)  # (C,), those of absent classes are 0 and do not count
    return 1.0 - np.sum(shares ** 2)


@drill.reference
def best_split(X, y):
    """X: (N, D), y: labels (N,) -> feature, threshold, impurity of the best split; None where there is none"""
    best = None
    for feature in range(X.shape[1]):
        values = np.unique(X[:, feature])  # sorted, each once: points with equal values cannot be parted
        for threshold in (values[:-1] + values[1:]) / 2:  # none, where the feature is constant
            left = X[:, feature] <= threshold  # (N,)
            impurity = (left.sum() * gini(y[left]) + (~left).sum() * gini(y[~left])) / len(y)  # per point, not per side
            if best is None or impurity < best[2]:  # < and not <=: the first of equals stays
                best = feature, threshold, impurity
    return best


rng = np.random.default_rng(0)
X, y = rng.standard_normal((16, 3)), rng.integers(0, 3, 16)
X[:, 1] += y
order = np.array([1.0, 2.0, 5.0, 7.0, 8.0, 3.0, 4.0, 6.0])  # the labels are 0, 0, 1, 1, 0, 1, 0, 0 in it
column = np.array([[1.0], [2.0], [4.0], [8.0]])

drill.case(gini, np.array([0, 0, 1, 1]), why="1 - (1/2)^2 - (1/2)^2")
drill.case(gini, np.array([7, 7, 7]), why="one class alone is pure: 0, whatever its number")
drill.case(gini, np.array([0, 1, 2, 2, 4, 0, 2, 0]), why="there may be any number of classes: sum over all")
drill.case(best_split, column, np.array([0, 0, 1, 1]), why="between 2 and 4 both sides are pure: the midpoint is 3")
drill.case(best_split, np.array([[0.0, 5.0], [0.0, 1.0], [0.0, 4.0], [0.0, 2.0]]), np.array([1, 0, 1, 0]),
           why="feature 1 parts the classes at 3; feature 0 is constant and has no threshold")
drill.case(best_split, np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]]),
           np.array([0, 1, 1, 1, 0, 0, 1, 0]), why="weigh both sides with their numbers of points, and not the same")
drill.case(best_split, np.array([[1.0], [3.0], [3.0], [3.0], [3.0], [5.0], [7.0], [9.0]]),
           np.array([0, 0, 0, 1, 1, 1, 1, 1]),
           why="points with equal values stay together: take midpoints of different ones")
drill.case(best_split, np.stack([-order, order, order], axis=1), np.array([0, 0, 0, 0, 0, 1, 1, 1]),
           why="of equally good splits the first feature counts, and then the smallest threshold")
drill.case(best_split, column, np.array([3, 3, 3, 3]),
           why="where all labels are the same all splits have impurity 0, and the first counts")
drill.case(best_split, np.array([[2.0, 7.0], [2.0, 7.0], [2.0, 7.0]]), np.array([0, 1, 1]),
           why="where all features are constant nothing can be parted: None")
drill.case(best_split, X, y, why="the smallest weighted impurity over all features and thresholds")


def search(X, y, impurity_of=None, thresholds=None, below=np.less_equal, better=np.less):
    """The search, with one thing done otherwise: for the mistakes."""
    best = None
    for feature in range(X.shape[1]):
        values = np.unique(X[:, feature])
        for threshold in thresholds(X[:, feature]) if thresholds else (values[:-1] + values[1:]) / 2:
            left = below(X[:, feature], threshold)
            if impurity_of:
                impurity = impurity_of(left)
            else:
                impurity = sum(side.sum() * gini(y[side]) for side in (left, ~left) if side.any()) / len(y)
            if best is None or better(impurity, best[2]):
                best = feature, threshold, impurity
    return best


@drill.wrong(gini, "the sum of squares", "that is the purity; the impurity is 1 minus it")
def _(y):
    return np.sum((np.bincount(y) / len(y)) ** 2)


@drill.wrong(gini, "the entropy", "-sum(p * log p) is another impurity; Gini's is 1 - sum(p ** 2)")
def _(y):
    shares = np.bincount(y) / len(y)
    shares = shares[shares > 0]
    return -np.sum(shares * np.log2(shares))


@drill.wrong(gini, "the entropy", "-sum(p * log p) is another impurity; Gini's is 1 - sum(p ** 2)")
def _(y):
    shares = np.bincount(y) / len(y)
    shares = shares[shares > 0]
    return -np.sum(shares * np.log(shares))


@drill.wrong(gini, "the error rate", "1 - max(p) is the error of the majority; Gini's impurity is 1 - sum(p ** 2)")
def _(y):
    return 1 - np.bincount(y).max() / len(y)


@drill.wrong(gini, "two classes only", "2 p (1 - p) with the mean of the labels is right for the labels 0 and 1 only; "
             "use the shares of all classes")
def _(y):
    p = np.mean(y)
    return 2 * p * (1 - p)


@drill.wrong(gini, "two classes only", "there may be more classes than 0 and 1; use the shares of all")
def _(y):
    p = np.mean(y == 1)
    return 1 - p ** 2 - (1 - p) ** 2


@drill.wrong(gini, "counts in place of shares", "the squares are those of shares, which sum to 1: divide by len(y) "
             "first")
def _(y):
    return 1 - np.sum(np.bincount(y) ** 2) / len(y)


@drill.wrong(best_split, "the unweighted mean", "a side with one point is pure and counts as much as all the others; "
             "weigh both with their numbers of points")
def _(X, y):
    return search(X, y, lambda left: (gini(y[left]) + gini(y[~left])) / 2)


@drill.wrong(best_split, "the sum of both impurities", "the impurity is the mean over points: weigh each side with its "
             "share of them")
def _(X, y):
    return search(X, y, lambda left: gini(y[left]) + gini(y[~left]))


@drill.wrong(best_split, "one side only", "a pure left side is worth nothing where the right one is mixed; weigh both")
def _(X, y):
    return search(X, y, lambda left: gini(y[left]))


@drill.wrong(best_split, "one side only", "a split is as good as both sides together; weigh both")
def _(X, y):
    return search(X, y, lambda left: min(gini(y[left]), gini(y[~left])))


@drill.wrong(best_split, "the gain", "the impurity of the split is asked for, and not how much less it is than that of "
             "y")
def _(X, y):
    found = search(X, y, lambda left: left.mean() * gini(y[left]) + (1 - left.mean()) * gini(y[~left]))
    return found and (found[0], found[1], gini(y) - found[2])


@drill.wrong(best_split, "only what is better than no split", "here the best split is given even where it is no better "
             "than none; start from nothing, and not from the impurity of y")
def _(X, y):
    found = search(X, y, lambda left: left.mean() * gini(y[left]) + (1 - left.mean()) * gini(y[~left]))
    return found if found and found[2] < gini(y) else None


@drill.wrong(best_split, "thresholds at the points", "a threshold at a value is as far as possible from one side and "
             "not at all from the other; take midpoints")
def _(X, y):
    return search(X, y, thresholds=lambda values: np.unique(values)[:-1])


@drill.wrong(best_split, "thresholds at the points", "a threshold at the largest value leaves the right side empty, "
             "and 0 / 0 is NaN; take midpoints")
def _(X, y):
    return search(X, y, thresholds=np.unique)


@drill.wrong(best_split, "thresholds at the points", "with < a threshold at the smallest value leaves the left side "
             "empty; take midpoints")
def _(X, y):
    return search(X, y, thresholds=lambda values: np.unique(values)[1:], below=np.less)


@drill.wrong(best_split, "midpoints of equal values", "between two equal values there is nothing: take midpoints of "
             "different values, np.unique")
def _(X, y):
    return search(X, y, thresholds=lambda values: (np.sort(values)[:-1] + np.sort(values)[1:]) / 2)


@drill.wrong(best_split, "midpoints of unsorted values", "neighbors are neighbors in the sorted order: np.unique "
             "sorts")
def _(X, y):
    return search(X, y, thresholds=lambda values: (values[:-1] + values[1:]) / 2)


@drill.wrong(best_split, "the labels not sorted along", "a feature that is sorted alone no longer stands beside its "
             "labels: sort both by the same argsort, or use masks")
def _(X, y):
    return search(np.sort(X, axis=0), y)


@drill.wrong(best_split, "the last of equals", "<= replaces the best so far by what is equally good; use <")
def _(X, y):
    return search(X, y, better=np.less_equal)


@drill.wrong(best_split, "the largest impurity", "the purest sides have the smallest impurity")
def _(X, y):
    return search(X, y, better=np.greater)


@drill.wrong(best_split, "the first feature only", "any feature may have the best split: try all of them")
def _(X, y):
    return search(X[:, :1], y)
