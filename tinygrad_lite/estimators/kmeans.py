"""K-means clustering: Lloyd's algorithm (1982) from k-means++ seeds (Arthur and Vassilvitskii, 2007)."""

import math
from typing import Any

import numpy as np

from .base import Estimator
from .checks import generator, numbers

BLOCK = 1 << 17  # distances held at a time: a megabyte
SMALLEST = 1e-290  # below it sums of squares lose digits


def _blocks(X: np.ndarray, k: int) -> Any:
    rows = max(1, BLOCK // k)
    return (slice(start, start + rows) for start in range(0, len(X), rows))


def _distances(X: np.ndarray, centers: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Squared distances (N, k) by the expanded square, measured from the middle of the data so that little cancels;
    where much does, by the difference: a point is at exactly 0 from itself."""
    out, c = np.empty((len(X), len(centers))), centers - middle
    for part in _blocks(X, max(X.shape[1], len(c))):
        x = X[part] - middle
        squares = (x * x).sum(1)[:, None] + (c * c).sum(1)
        near = squares - 2 * (x @ c.T)
        rows, columns = np.nonzero(near <= 1e-6 * squares)
        near[rows, columns] = _exact(X[part][rows], centers, columns)
        out[part] = near
    return out


def _exact(X: np.ndarray, centers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The squared distance of each point to its center, by the difference: nothing cancels."""
    out = np.empty(len(X))
    for part in _blocks(X, X.shape[1]):
        gap = np.subtract(X[part], centers[labels[part]], dtype=np.float64)
        out[part] = (gap * gap).sum(1)
    return out


def _sums(x: np.ndarray, weight: np.ndarray, labels: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The weighted sum (k, D) and the weight (k,) of each cluster's points."""
    sums = np.empty((k, x.shape[1]))
    for j, feature in enumerate(np.ascontiguousarray(x.T)):
        sums[:, j] = np.bincount(labels, feature * weight, k)
    return sums, np.bincount(labels, weight, k)


def _assign(X: np.ndarray, weight: np.ndarray, centers: np.ndarray,
            middle: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Each point's nearest center, the first of equals; the sums and weights of each center's points; and what the sum
    of squared distances is less than that of the distances to the middle."""
    k, labels, gain = len(centers), np.empty(len(X), np.int32), 0.0
    sums, mass = np.zeros_like(centers), np.zeros(k)
    c = centers - middle
    # |x|^2 - |x - c|^2 = 2 x.c - |c|^2: largest for the nearest center, and one product for all of them
    products = np.concatenate([2 * c.T, -(c * c).sum(1)[None]])  # (D + 1, k)
    for part in _blocks(X, k):
        x = np.ones((len(X[part]), X.shape[1] + 1))
        np.subtract(X[part], middle, out=x[:, :-1])
        near = x @ products
        mine = labels[part] = near.argmax(1)
        gain += weight[part] @ near[np.arange(len(mine)), mine]
        part_sums, part_mass = _sums(x[:, :-1], weight[part], mine, k)
        sums += part_sums
        mass += part_mass
    return labels, sums, mass, float(gain)


def _seeds(X: np.ndarray, weight: np.ndarray, k: int, plus_plus: bool, rng: np.random.Generator,
           middle: np.ndarray) -> np.ndarray:
    """Distinct points, drawn by their weight; with plus_plus in proportion to the squared distance to the ones before
    too, and the best of a few draws taken."""
    # drawn in their order along some direction: the order in which they came, and copies of one, do not matter
    order = np.argsort(X @ rng.standard_normal(X.shape[1]))
    centers, nearest = np.empty((k, X.shape[1])), np.full(len(X), np.inf)
    share, trials = weight, 1
    for i in range(k):
        mass = np.cumsum(share[order])
        if mass[-1] == 0:  # every point is a center already
            mass = np.cumsum(weight[order])
        drawn = np.searchsorted(mass, rng.random(trials) * mass[-1], side="right")
        points = order[np.minimum(drawn, len(X) - 1)]
        tried = np.minimum(_distances(X, X[points], middle), nearest[:, None])
        best = (weight @ tried).argmin()
        centers[i], nearest = X[points[best]], tried[:, best]
        if plus_plus:
            share, trials = weight * nearest, 2 + int(math.log(k))
        else:
            share = weight * (nearest > 0)
    return centers


def _refill(X: np.ndarray, weight: np.ndarray, centers: np.ndarray, labels: np.ndarray, empty: np.ndarray) -> None:
    """Change labels so that each empty cluster gets the point farthest from its center, with all copies of it."""
    apart = _exact(X, centers, labels) * (weight > 0)
    for cluster in empty:
        point = apart.argmax()
        if apart[point] == 0:
            return
        same = (X == X[point]).all(1)
        labels[same], apart[same] = cluster, 0


class KMeans(Estimator):
    """Clusters of points around their means.

    init: "k-means++", "random" or an array (n_clusters, features); n_init: how many starts, the best of which is kept
    ("auto": 10 of "random", 1 of others); tol: the move of the centers, relative to the variance of the features, below
    which the search ends.
    Learns cluster_centers_ (k, D), labels_ (N,), inertia_ (the weighted sum of squared distances), n_iter_, and
    inertias_ (one an iteration). A cluster that loses all its points is placed on the point farthest from its center.
    Warns where the centers still move after max_iter, and where there are fewer distinct points than clusters.

    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [5.0, 5.0], [5.0, 6.0]])
    >>> model = tl.estimators.KMeans(2, random_state=0).fit(X)
    >>> model.cluster_centers_[model.predict([[4.0, 4.0]])]
    array([[5. , 5.5]])
    """

    kind = "clusterer"

    def __init__(self, n_clusters: int = 8, *, init: Any = "k-means++", n_init: Any = 1, max_iter: int = 300,
                 tol: float = 1e-4, random_state: Any = None) -> None:
        self.n_clusters, self.init, self.n_init = n_clusters, init, n_init
        self.max_iter, self.tol, self.random_state = max_iter, tol, random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "KMeans":
        """Find the clusters of X (N, D), a point of weight n counting as n points; gives self."""
        X = self._features(X, fitting=True)
        weight = self._weights(X, sample_weight)
        self._check_parameters()
        if len(X) < self.n_clusters:
            raise ValueError(f"KMeans: n_samples={len(X)} should be >= n_clusters={self.n_clusters}")
        rng, middle = generator(self.random_state), weight @ X / weight.sum()
        with np.errstate(over="ignore"):
            spread = float(weight @ _exact(X, middle[None], np.zeros(len(X), np.int8)))
        if not spread < np.inf or (spread < SMALLEST and np.ptp(X[weight > 0], 0).any()):
            raise ValueError("KMeans: the squares of the distances in X leave the range of float64: scale X")
        starts = self.n_init if isinstance(self.init, str) else 1  # those of an array would all be alike
        if starts == "auto":
            starts = 10 if self.init == "random" else 1
        runs = [self._run(X, weight, self._start(X, weight, rng, middle), middle, spread) for _ in range(starts)]
        self.inertias_, self.cluster_centers_, self.labels_, converged = min(runs, key=lambda run: run[0][-1])
        self.inertia_, self.n_iter_ = self.inertias_[-1], len(self.inertias_) - 1
        if not converged:
            self._not_converged(f"did not converge: after max_iter={self.max_iter} iterations the centers still move")
        found = len(np.unique(self.labels_))
        if found < self.n_clusters:
            self._not_converged(f"found {found} distinct clusters of n_clusters={self.n_clusters}: X may repeat points")
        return self

    def _start(self, X: np.ndarray, weight: np.ndarray, rng: np.random.Generator, middle: np.ndarray) -> np.ndarray:
        if isinstance(self.init, str):
            return _seeds(X, weight, self.n_clusters, self.init == "k-means++", rng, middle)
        centers = numbers(self.init, "KMeans: init").astype(np.float64)
        if centers.shape != (self.n_clusters, X.shape[1]):
            raise ValueError(f"KMeans: init is of shape {(self.n_clusters, X.shape[1])}, not {centers.shape}")
        return centers

    def _run(self, X: np.ndarray, weight: np.ndarray, centers: np.ndarray, middle: np.ndarray, spread: float) -> tuple:
        """The inertias, centers and labels that one start leads to, and whether it converged."""
        inertias: list[float] = []
        labels, converged = np.empty(0, np.int32), False
        tol = self.tol * spread / (weight.sum() * X.shape[1])
        while not converged and len(inertias) < self.max_iter:
            before, (labels, sums, mass, gain) = labels, _assign(X, weight, centers, middle)
            inertias.append(spread - gain)
            empty = np.flatnonzero(mass == 0)
            if len(empty):
                _refill(X, weight, centers, labels, empty)
                sums, mass = _sums(X - middle, weight, labels, len(centers))
            filled = mass > 0
            moved = centers.copy()
            moved[filled] = sums[filled] / mass[filled, None] + middle
            shift, centers = ((moved - centers) ** 2).sum(), moved
            converged = bool(shift <= tol) or np.array_equal(before, labels)
        centers = centers.astype(X.dtype)
        labels = _nearest(X, centers)
        inertias.append(float(weight @ _exact(X, centers, labels)))
        return inertias, centers, labels, converged

    def predict(self, X: Any) -> np.ndarray:
        """The nearest cluster of each point: (N,)."""
        return _nearest(self._features(X), self.cluster_centers_)

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """The cluster of each point (N,) that `fit` finds: fit(X).labels_."""
        return self.fit(X, sample_weight=sample_weight).labels_

    def transform(self, X: Any) -> np.ndarray:
        """The distance of each point to each center: (N, k)."""
        X = self._features(X)
        centers = self.cluster_centers_.astype(np.float64)
        return np.sqrt(_distances(X, centers, centers.mean(0))).astype(X.dtype)

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """The distance of each point to each center (N, k) that `fit` finds: fit(X).transform(X)."""
        return self.fit(X, sample_weight=sample_weight).transform(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Minus the weighted sum of squared distances to the nearest centers."""
        X = self._features(X)
        return -float(self._weights(X, sample_weight) @ _exact(X, self.cluster_centers_, self.predict(X)))


def _nearest(X: np.ndarray, centers: np.ndarray) -> np.ndarray:
    centers = centers.astype(np.float64)
    return _assign(X, np.ones(len(X)), centers, centers.mean(0))[0]


def kmeans(X: Any, k: int, max_iter: int = 100, random_state: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """The labels (N,) and the centroids (k, D) of k clusters of points X (N, D): `KMeans` in one call.

    >>> labels, centroids = tl.estimators.kmeans([[0.0], [1.0], [8.0], [9.0]], 2, random_state=0)
    >>> centroids[labels].ravel()
    array([0.5, 0.5, 8.5, 8.5])
    """
    model = KMeans(k, max_iter=max_iter, random_state=random_state).fit(X)
    return model.labels_, model.cluster_centers_
