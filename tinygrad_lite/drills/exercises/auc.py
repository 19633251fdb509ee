"""ROC curve and the area under it

auc(scores, labels)         (N,), (N,) -> the area under the ROC curve, a number; NaN where there is one class only
roc_curve(scores, labels)   (N,), (N,) -> false positive rates (P,), true positive rates (P,)

labels are 0 or 1, and a larger score speaks for 1. The area is the probability that a random point with label 1 has a
larger score than a random one with label 0; where both scores are equal it counts half. auc is to be fast for 20,000
points: neither a loop over pairs nor a matrix of them. roc_curve calls positive what has a score of at least a
threshold. It starts at (0, 0), where nothing is called positive, and has one more point for each different score, the
largest first, up to (1, 1). The true positive rate is the share of the points with label 1 that are called positive,
the false positive rate that of the points with label 0. roc_curve gets both classes always.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=10,
    hints=["Sort the scores. A positive's rank, counted from 1, is how many scores are not above its own.",
           "The sum of the positives' ranks, minus that of the positives among themselves, n * (n + 1) / 2, counts the "
           "pairs that are in the right order. Divide by all pairs.",
           "Equal scores share the mean of their ranks: that makes a pair of equals count half.",
           "_, place, counts = np.unique(scores, return_inverse=True, return_counts=True); the mean rank of each "
           "value is counts.cumsum() - (counts - 1) / 2.",
           "For the curve, count 1s and 0s at each value and sum them up from the largest value down."],
    pitfalls=["Points with equal scores are one step of the curve: else the area depends on the order of the rows.",
              "All pairs of 10,000 and 10,000 points are 100 MB of booleans; sorting is O(N log N) and takes little.",
              "The area does not change with the share of positives; where they are rare, precision tells more."],
)


@drill.reference
def auc(scores, labels):
    """scores: (N,), labels: 0 or 1 (N,) -> the area under the ROC curve, a number; NaN for one class only"""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)  # place: into counts
    ranks = counts.cumsum() - (counts - 1) / 2  # of each different score: the mean of the ranks that equal scores share
    positives = (labels == 1).sum()
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return np.nan  # there are no pairs
    above = ranks[place][labels == 1].sum() - positives * (positives + 1) / 2  # pairs in order (Mann and Whitney's U)
    return above / (positives * negatives)


@drill.reference
def roc_curve(scores, labels):
    """scores: (N,), labels: 0 or 1 (N,) -> false positive rates (P,), true positive rates (P,)"""
    _, place = np.unique(scores, return_inverse=True)  # place: where a score stands among the different ones
    positives = np.bincount(place, weights=labels)[::-1].cumsum()  # with at least each value, the largest value first
    called = np.bincount(place)[::-1].cumsum()
    negatives = called - positives
    return np.append(0.0, negatives / negatives[-1]), np.append(0.0, positives / positives[-1])


rng = np.random.default_rng(0)
labels = rng.integers(0, 2, 30)
scores = (rng.standard_normal(30) + labels).round(1)
many = rng.integers(0, 2, 2000)

drill.case(auc, np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]),
           why="of the four pairs three are in order, all but 0.35 and 0.4: 0.75")
drill.case(auc, np.array([3.0, 1.0, 2.0, 5.0, -4.0]), np.array([1, 0, 0, 1, 0]), why="all pairs are in order: 1")
drill.case(auc, np.array([0.5, 0.5, 0.5, 0.5, 0.5]), np.array([1, 1, 0, 0, 0]),
           why="equal scores say nothing: each pair counts half")
drill.case(auc, np.array([2.0, 1.0, 1.0, 1.0, 0.0]), np.array([0, 1, 0, 0, 1]),
           why="of the six pairs two are ties, which count half, and the others in the wrong order: 1/6")
drill.case(auc, scores, labels, why="the share of the pairs in order, where ties count half")
drill.case(auc, np.array([0.2, 0.7, 0.9]), np.array([1, 1, 1]), why="with one class there is no pair, and no area: NaN")
drill.case(auc, (rng.standard_normal(2000) + many).round(2), many, lines=40_000, memory=500_000,
           slow="a loop over pairs; sort the scores instead", large="a matrix of all pairs; sort the scores instead",
           why="the share of the pairs in order, where ties count half")
drill.case(roc_curve, np.array([0.9, 0.8, 0.3, 0.1]), np.array([1, 0, 1, 0]),
           why="from (0, 0), a step up for each 1 and to the right for each 0, from the largest score down")
drill.case(roc_curve, np.array([0.2, 0.6, 0.6, 0.6, 0.9]), np.array([0, 1, 0, 0, 1]),
           why="equal scores are called positive together: they are one point of the curve")
drill.case(roc_curve, scores, labels, why="each threshold adds the 1s and 0s that have that score")


def curve(scores, labels):
    """The right curve, for mistakes that are made with it."""
    thresholds = np.append(np.inf, np.unique(scores)[::-1])
    called = np.sort(scores[labels == 0]), np.sort(scores[labels == 1])
    return [1 - np.searchsorted(each, thresholds) / max(len(each), 1) for each in called]


def mean_ranks(scores):
    """Ranks from 1, of equal scores their mean"""
    ordered = np.sort(scores)
    return (np.searchsorted(ordered, scores) + np.searchsorted(ordered, scores, "right") + 1) / 2


def divided(total, labels):
    """By the number of pairs; NaN where there are none"""
    pairs = (labels == 1).sum() * (labels == 0).sum()
    return total / pairs if pairs else np.nan


def auc_or(scores, labels, otherwise):
    """The area, and something else than NaN for one class"""
    false, true = curve(scores, labels)
    return ((true[1:] + true[:-1]) / 2 * np.diff(false)).sum() if 0 < labels.sum() < len(labels) else otherwise


@drill.wrong(auc, "ties count nothing", "a pair of equal scores is in order by chance: it counts half")
def _(scores, labels):
    positive, negative = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    return divided(np.searchsorted(negative, positive, "left").sum(), labels)


@drill.wrong(auc, "ties count in full", "a pair of equal scores is in order by chance: it counts half")
def _(scores, labels):
    positive, negative = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    return divided(np.searchsorted(negative, positive, "right").sum(), labels)


@drill.wrong(auc, "ties in the order of the rows", "equal scores share the mean of their ranks; else the area depends "
             "on the order of the rows")
def _(scores, labels):
    ranks = np.argsort(np.argsort(scores, kind="stable")) + 1
    positives = (labels == 1).sum()
    return divided(ranks[labels == 1].sum() - positives * (positives + 1) / 2, labels)


@drill.wrong(auc, "ties in the order of the rows", "a trapezoid for each row has steps within equal scores; take one "
             "point for each different score")
def _(scores, labels):
    down = labels[np.argsort(-scores, kind="stable")]
    true, false = np.append(0, down.cumsum()), np.append(0, (1 - down).cumsum())
    return divided(((true[1:] + true[:-1]) / 2 * np.diff(false)).sum(), labels)


@drill.wrong(auc, "the lower sum", "between two points the curve is a straight line: trapezoids, or ties that count "
             "half")
def _(scores, labels):
    false, true = curve(scores, labels)
    return (true[:-1] * np.diff(false)).sum()


@drill.wrong(auc, "the other way round", "a larger score speaks for 1: count pairs whose positive has the larger one")
def _(scores, labels):
    false, true = curve(-scores, labels)
    return ((true[1:] + true[:-1]) / 2 * np.diff(false)).sum()


@drill.wrong(auc, "ranks from 0", "n * (n + 1) / 2 is the sum of the ranks 1 to n; from 0 it is n * (n - 1) / 2")
def _(scores, labels):
    ranks, positives = mean_ranks(scores) - 1, (labels == 1).sum()
    return divided(ranks[labels == 1].sum() - positives * (positives + 1) / 2, labels)


@drill.wrong(auc, "the positives' own ranks left in", "of the rank of a positive the positives below it are no pairs: "
             "subtract n * (n + 1) / 2")
def _(scores, labels):
    return divided(mean_ranks(scores)[labels == 1].sum(), labels)


@drill.wrong(auc, "the accuracy", "the area asks for the order of the scores and needs no threshold")
def _(scores, labels):
    return ((scores >= 0.5) == labels).mean()


@drill.wrong(auc, "one class only", "without pairs 0.5 would say that the scores are no better than chance; nobody "
             "knows: NaN")
def _(scores, labels):
    return auc_or(scores, labels, 0.5)


@drill.wrong(auc, "one class only", "without pairs 0 would say that all are in the wrong order; nobody knows: NaN")
def _(scores, labels):
    return auc_or(scores, labels, 0.0)


@drill.wrong(auc, "one class only", "without pairs 1 would say that all are in order; nobody knows: NaN")
def _(scores, labels):
    return auc_or(scores, labels, 1.0)


@drill.wrong(auc, "a matrix of all pairs", "10,000 times 10,000 pairs are 100 MB and more; sort the scores, and use "
             "ranks")
def _(scores, labels):
    positive, negative = scores[labels == 1][:, None], scores[labels == 0]
    return divided((positive > negative).sum() + (positive == negative).sum() / 2, labels)


@drill.wrong(auc, "a loop over pairs", "N * N / 4 turns of a loop take minutes for 20,000 points; sort the scores, and "
             "use ranks")
def _(scores, labels):
    total = 0.0
    for positive in scores[labels == 1]:
        for negative in scores[labels == 0]:
            total += 1.0 if positive > negative else 0.5 if positive == negative else 0.0
    return divided(total, labels)


@drill.wrong(roc_curve, "a point for each row", "points with equal scores are called positive together: one point for "
             "each different score")
def _(scores, labels):
    down = labels[np.argsort(-scores, kind="stable")]
    return np.append(0, (1 - down).cumsum() / (1 - down).sum()), np.append(0, down.cumsum() / down.sum())


@drill.wrong(roc_curve, "the start forgotten", "the curve starts at (0, 0), where nothing is called positive")
def _(scores, labels):
    false, true = curve(scores, labels)
    return false[1:], true[1:]


@drill.wrong(roc_curve, "the axes exchanged", "the false positive rates come first, then the true ones")
def _(scores, labels):
    false, true = curve(scores, labels)
    return true, false


@drill.wrong(roc_curve, "from the smallest score up", "the largest threshold comes first, where little is called "
             "positive")
def _(scores, labels):
    false, true = curve(scores, labels)
    return false[::-1], true[::-1]


@drill.wrong(roc_curve, "from the smallest score up", "a larger score speaks for 1: what is at least the threshold is "
             "called positive")
def _(scores, labels):
    return curve(-scores, labels)


@drill.wrong(roc_curve, "> in place of >=", "a score at the threshold is called positive as well")
def _(scores, labels):
    false, true = curve(scores, labels)
    return np.append(0.0, false[:-1]), np.append(0.0, true[:-1])


@drill.wrong(roc_curve, "rates of all points", "a rate has the points of its own class below the line: all 1s, or all "
             "0s")
def _(scores, labels):
    false, true = curve(scores, labels)
    return false * (labels == 0).mean(), true * (labels == 1).mean()


@drill.wrong(roc_curve, "counts in place of rates", "divide by the number of 1s, and of 0s")
def _(scores, labels):
    false, true = curve(scores, labels)
    return false * (labels == 0).sum(), true * (labels == 1).sum()


@drill.wrong(roc_curve, "the precision", "the share of what is called positive that is 1 is the precision; the rates "
             "divide by the classes")
def _(scores, labels):
    _, place = np.unique(scores, return_inverse=True)  # place: where a score stands among the different ones
    positives, called = np.bincount(place, weights=labels)[::-1].cumsum(), np.bincount(place)[::-1].cumsum()
    return np.append(0.0, positives / called), np.append(0.0, positives / positives[-1])
