"""K-means

assign(points, centroids)              (N, D), (K, D) -> the number of the nearest centroid of each point, (N,)
update(points, labels, centroids)      (N, D), (N,), (K, D) -> the mean of the points of each label, (K, D)
kmeans(points, k, rng, max_iter=100)   -> labels (N,), centroids (K, D), when neither changes any more

Points that are as near to two centroids go to the first. A centroid without points moves to a point of the data, and
is never NaN. kmeans starts from the points of k different rows, which it draws with rng, a numpy Generator. k may be N,
points may occur more than once, and coordinates may be as large as 1e9. assign is to be fast: no Python loop over
points.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=10,
    hints=["points[:, None] - centroids is (N, K, D): all differences at once.",
           "The square root does not change which centroid is the nearest.",
           "labels == c are the points of cluster c; where there are none, their mean is NaN.",
           "rng.choice(n, k, replace=False) draws k different rows to start from."],
    pitfalls=["An empty cluster has no mean: 0 / 0 is NaN, and NaN is never the nearest again. Move it to a point.",
              "|p|^2 - 2 p.c + |c|^2 needs less memory than all differences, but cancels for points far from 0.",
              "The result depends on the start: k-means++, or several starts, and the smallest inertia wins."],
    forbidden=("scipy", "sklearn"),
)


@drill.reference
def assign(points, centroids):
    """points: (N, D), centroids: (K, D) -> labels (N,)"""
    differences = points[:, None] - centroids  # (N, 1, D) - (K, D) -> (N, K, D)
    return (differences ** 2).sum(axis=2).argmin(axis=1)  # over features, and then over centroids


@drill.reference
def update(points, labels, centroids):
    """points: (N, D), labels: (N,), centroids: (K, D) -> new centroids (K, D)"""
    new = np.empty_like(centroids)
    for c in range(len(centroids)):  # a loop over clusters is short
        mine = points[labels == c]
        far = ((points - centroids[labels]) ** 2).sum(axis=1).argmax()  # the point that is served worst
        new[c] = mine.mean(axis=0) if len(mine) else points[far]
    return new


@drill.reference
def kmeans(points, k, rng, max_iter=100):
    """points: (N, D), k <= N, rng: numpy Generator -> labels (N,), centroids (K, D)"""
    centroids = points[rng.choice(len(points), k, replace=False)].astype(float)  # k different rows, a copy
    for _ in range(max_iter):
        labels = assign(points, centroids)
        new = update(points, labels, centroids)
        if np.array_equal(new, centroids):
            break
        centroids = new
    return assign(points, centroids), centroids


rng = np.random.default_rng(0)
blobs = np.concatenate([rng.normal(center, 0.3, (20, 2)) for center in ((0, 0), (5, 0), (0, 5))])
many = rng.standard_normal((10_000, 50))

drill.case(assign, np.array([[0.0, 0.0], [5.0, 5.0], [4.0, 6.0]]), np.array([[0.0, 1.0], [5.0, 4.0]]),
           why="a label a point, of the centroid with the smallest distance")
drill.case(assign, np.array([[0.0, 3.0], [3.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 2.5], [9.0, 0.0]]),
           why="the distance sums squares over the features; axis=2 of (N, K, D)")
drill.case(assign, np.array([[1.0], [3.0]]), np.array([[2.0], [0.0], [4.0]]), why="of equal distances the first counts")
drill.case(assign, blobs, blobs[[0, 20, 40]], why="each point goes to the nearest")
drill.case(assign, np.array([[1.0, 1e9], [2.0, 1e9], [3.0, 1e9]]), np.array([[1.0, 1e9], [2.0, 1e9], [3.0, 1e9]]),
           why="|p|^2 - 2 p.c + |c|^2 loses all digits far from 0: take the differences first")
drill.case(assign, many, many[:4], why="each point goes to the nearest", lines=200,
           slow="a Python loop over points; broadcast instead")
drill.case(update, np.array([[0.0, 0.0], [2.0, 4.0], [9.0, 9.0]]), np.array([0, 0, 1]), np.zeros((2, 2)),
           why="each centroid is the mean of its own points, feature by feature")


@drill.program(why="an empty cluster has no mean: move it to a point of the data")
def _(update):
    """update(points, labels=[0, 0, 0], centroids) where no point has label 1"""
    points = np.array([[1.0, 1.0], [3.0, 1.0], [5.0, 4.0]])
    new = update(points.copy(), np.array([0, 0, 0]), np.array([[1.0, 1.0], [50.0, 50.0]]))
    if np.shape(new) != (2, 2):
        return f"gave centroids of shape {np.shape(new)}, expected (2, 2)"
    if not np.isfinite(new).all():
        return "the centroid of the empty cluster is NaN"
    if not np.allclose(new[0], [3, 2]):
        return "the centroid of the cluster that has points is not their mean"
    if (new[1] == 50).all():
        return "the centroid of the empty cluster stays where it was, far from all points"
    if (new[1] == 0).all():
        return "the centroid of the empty cluster is 0, which is no point"
    if not (points == new[1]).all(axis=1).any():
        return "the centroid of the empty cluster is not one of the points"


def settled(points, k, labels, centroids):
    """What is wrong with a result of k-means; None where nothing is."""
    labels, centroids = np.asarray(labels), np.asarray(centroids)
    if labels.shape != (len(points),) or centroids.shape != (k, points.shape[1]):
        return f"gave shapes {labels.shape} and {centroids.shape}, expected ({len(points)},) and {(k, points.shape[1])}"
    if not np.isfinite(centroids).all():
        return "a centroid is NaN"
    distances = ((points[:, None] - centroids) ** 2).sum(axis=2)
    if not np.allclose(distances[np.arange(len(points)), labels], distances.min(axis=1)):
        return "a label is not that of the nearest centroid: assign once more after the last update"
    for c in range(k):
        if (labels == c).any() and not np.allclose(points[labels == c].mean(axis=0), centroids[c]):
            return "a centroid is not the mean of its points: go on until nothing changes"


@drill.program(why="iterate until neither labels nor centroids change")
def _(kmeans):
    """kmeans of three groups of 20 points, from twenty starts"""
    best = np.inf
    for seed in range(20):
        labels, centroids = kmeans(blobs.copy(), 3, np.random.default_rng(seed))
        wrong = settled(blobs, 3, labels, centroids)
        if wrong:
            return wrong
        best = min(best, ((blobs - centroids[labels]) ** 2).sum())
    if best > 15:
        return "no start finds the three groups"


@drill.program(why="the start is drawn with rng, which makes the result one that can be repeated")
def _(kmeans):
    """the labels of kmeans with k = N = 12, for five generators"""
    points = np.arange(24.0).reshape(12, 2) ** 2
    found = [[*map(int, kmeans(points.copy(), 12, np.random.default_rng(seed))[0])] for seed in (0, 0, 1, 2, 3)]
    if found[0] != found[1]:
        return "two generators of the same seed give different results"
    if found[1] == found[2] == found[3] == found[4]:
        return "the start is the same for every generator"


@drill.program(why="with k = N each point is a cluster of its own; draw the start without replacement")
def _(kmeans):
    """kmeans with k = N = 6"""
    points = blobs[::10].copy()
    for seed in range(5):
        labels, centroids = kmeans(points.copy(), 6, np.random.default_rng(seed))
        wrong = settled(points, 6, labels, centroids)
        if wrong:
            return wrong
        if len(np.unique(labels)) < 6:
            return "two points share a cluster, and another is empty"


@drill.program(why="where points occur more often than once, centroids may coincide and a cluster be empty")
def _(kmeans):
    """kmeans with k = 3 of four equal points and another one"""
    points = np.array([[1.0, 1.0]] * 4 + [[2.0, 2.0]])
    for seed in range(5):
        labels, centroids = kmeans(points.copy(), 3, np.random.default_rng(seed))
        if np.shape(centroids) != (3, 2) or not np.isfinite(centroids).all():
            return "a centroid is NaN"


@drill.wrong(assign, "the norm over the wrong axis", "axis 1 of (N, K, D) counts centroids; the features are axis 2")
def _(points, centroids):
    return ((points[:, None] - centroids) ** 2).sum(axis=1).argmin(axis=1)


@drill.wrong(assign, "a Python loop over points",
             "10,000 turns of a loop take a hundred times as long; broadcast instead")
def _(points, centroids):
    labels = []
    for point in points:
        labels.append(((point - centroids) ** 2).sum(axis=1).argmin())
    return np.array(labels)


@drill.wrong(assign, "the farthest centroid", "the smallest distance counts: argmin")
def _(points, centroids):
    return ((points[:, None] - centroids) ** 2).sum(axis=2).argmax(axis=1)


@drill.wrong(assign, "digits lost far from 0",
             "|p|^2 - 2 p.c + |c|^2 is the difference of large numbers; subtract first")
def _(points, centroids):
    return ((points ** 2).sum(axis=1)[:, None] - 2 * points @ centroids.T + (centroids ** 2).sum(axis=1)).argmin(axis=1)


@drill.wrong(update, "empty cluster ignored",
             "the mean of no points is NaN, and NaN is never the nearest again; move the "
             "centroid to a point")
def _(points, labels, centroids):
    return np.stack([points[labels == c].mean(axis=0) for c in range(len(centroids))])


@drill.wrong(update, "empty cluster left at 0", "0 is no point of the data; move the centroid to one")
def _(points, labels, centroids):
    new = np.zeros_like(centroids)
    for c in range(len(centroids)):
        if (labels == c).any():
            new[c] = points[labels == c].mean(axis=0)
    return new


@drill.wrong(update, "empty cluster left where it was", "nothing may ever come near it; move the centroid to a point")
def _(points, labels, centroids):
    new = centroids.copy()
    for c in range(len(centroids)):
        if (labels == c).any():
            new[c] = points[labels == c].mean(axis=0)
    return new


@drill.wrong(update, "one mean for all features", "mean(axis=0) is a mean a feature; mean() alone is one number")
def _(points, labels, centroids):
    new = centroids.copy()
    for c in range(len(centroids)):
        new[c] = points[labels == c].mean() if (labels == c).any() else points[0]
    return new


@drill.wrong(kmeans, "one iteration only", "the means move the borders: assign and update until nothing changes")
def _(points, k, rng, max_iter=100):
    centroids = points[rng.choice(len(points), k, replace=False)]
    labels = assign(points, centroids)
    return labels, update(points, labels, centroids)


@drill.wrong(kmeans, "the first points as the start", "data are often sorted, so that they are all of one group: draw "
             "them with rng.choice(n, k, replace=False)")
def _(points, k, rng, max_iter=100):
    centroids = points[:k].astype(float)
    for _ in range(max_iter):
        centroids = update(points, assign(points, centroids), centroids)
    return assign(points, centroids), centroids


@drill.wrong(kmeans, "another generator than rng", "what is drawn with np.random cannot be repeated: use rng")
def _(points, k, rng, max_iter=100):
    centroids = points[np.random.default_rng().choice(len(points), k, replace=False)].astype(float)
    for _ in range(max_iter):
        centroids = update(points, assign(points, centroids), centroids)
    return assign(points, centroids), centroids


@drill.wrong(kmeans, "the start drawn with replacement",
             "two centroids start on one point, and one of them stays empty; rng.choice(n, k, replace=False)")
def _(points, k, rng, max_iter=100):
    centroids = points[rng.choice(len(points), k)]
    for _ in range(max_iter):
        labels = assign(points, centroids)
        centroids = np.stack([points[labels == c].mean(axis=0) if (labels == c).any() else centroids[c]
                              for c in range(k)])
    return assign(points, centroids), centroids
