"""K-means clustering: Lloyd's algorithm (1982) from k-means++ seeds (Arthur and Vassilvitskii, 2007)."""

import math
from typing import Any

import numpy as np

from .base import Estimator, generator

BLOCK = 1 << 17  # distances held at a time: a megabyte


def _blocks(X: np.ndarray, k: int) -> Any:
    rows = max(1, BLOCK // k)
    return (slice(start, start + rows) for start in range(0, len(X), rows))


def _distances(X: np.ndarray, centers: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Squared distances (N, k) by the expanded square, measured from the middle of the data so that little cancels."""
    out, c = np.empty((len(X), len(centers))), centers - middle
    for part in _blocks(X, max(X.shape[1], len(c))):
        x = X[part] - middle
        out[part] = (x * x).sum(1)[:, None] - 2 * (x @ c.T) + (c * c).sum(1)
    return np.maximum(out, 0, out=out)


def _exact(X: np.ndarray, centers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The squared distance of each point to its center, by the difference: nothing cancels."""
    out = np.empty(len(X))
    for part in _blocks(X, X.shape[1]):
        gap = X[part] - centers[labels[part]]
        out[part] = (gap * gap).sum(1)
    return out


def _assign(X: np.ndarray, centers: np.ndarray, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Each point's nearest center, the first of equals; the sums and counts of each center's points; and what the sum
    of squared distances is less than that of the distances to the middle."""
    k, labels, gain = len(centers), np.empty(len(X), np.int32), 0.0
    sums, counts = np.zeros_like(centers), np.zeros(k)
    c = centers - middle
    # |x|^2 - |x - c|^2 = 2 x.c - |c|^2: largest for the nearest center, and one product for all of them
    products = np.concatenate([2 * c.T, -(c * c).sum(1)[None]])  # (D + 1, k)
    for part in _blocks(X, k):
        x = np.ones((len(X[part]), X.shape[1] + 1))
        np.subtract(X[part], middle, out=x[:, :-1])
        near = x @ products
        mine = labels[part] = near.argmax(1)
        gain += near[np.arange(len(mine)), mine].sum()
        for j, feature in enumerate(np.ascontiguousarray(x[:, :-1].T)):
            sums[:, j] += np.bincount(mine, feature, k)
        counts += np.bincount(mine, minlength=k)
    return labels, sums, counts, float(gain)


def _plus_plus(X: np.ndarray, k: int, rng: np.random.Generator, middle: np.ndarray) -> np.ndarray:
    """Seeds far from each other: each drawn in proportion to its squared distance to the ones before, the best of a
    few draws taken."""
    trials = 2 + int(math.log(k))
    centers = np.empty((k, X.shape[1]))
    centers[0] = X[rng.integers(len(X))]
    nearest = _distances(X, centers[:1], middle)[:, 0]
    for i in range(1, k):
        mass = np.cumsum(nearest)
        if mass[-1] > 0:
            drawn = np.minimum(np.searchsorted(mass, rng.random(trials) * mass[-1]), len(X) - 1)
        else:  # every point is a center already
            drawn = rng.integers(len(X), size=1)
        tried = np.minimum(_distances(X, X[drawn], middle), nearest[:, None])
        best = tried.sum(0).argmin()
        centers[i], nearest = X[drawn[best]], tried[:, best]
    return centers


class KMeans(Estimator):
    """Clusters of points around their means.

    init: "k-means++", "random" or an array (n_clusters, features); n_init: how many starts, the best of which is kept;
    tol: the move of the centers, relative to the variance of the features, below which the search ends.
    Learns cluster_centers_ (k, D), labels_ (N,), inertia_ (the sum of squared distances), n_iter_, and inertias_ (one
    an iteration). A cluster that loses all its points is placed on the point farthest from its center.
    """

    kind = "clusterer"

    def __init__(self, n_clusters: int = 8, *, init: Any = "k-means++", n_init: int = 1, max_iter: int = 300,
                 tol: float = 1e-4, random_state: Any = None) -> None:
        self.n_clusters, self.init, self.n_init = n_clusters, init, n_init
        self.max_iter, self.tol, self.random_state = max_iter, tol, random_state

    def fit(self, X: Any, y: Any = None) -> "KMeans":
        """Find the clusters of X (N, D); gives self."""
        X = self._features(X, fitting=True)
        for name in ("n_clusters", "n_init", "max_iter"):
            if not isinstance(getattr(self, name), (int, np.integer)) or getattr(self, name) < 1:
                raise ValueError(f"KMeans: {name} is a whole number above 0, not {getattr(self, name)!r}")
        if len(X) < self.n_clusters:
            raise ValueError(f"KMeans: n_samples={len(X)} should be >= n_clusters={self.n_clusters}")
        rng, middle = generator(self.random_state), X.mean(0)
        tol = self.tol * _exact(X, middle[None], np.zeros(len(X), np.int8)).sum() / X.size
        runs = [self._run(X, self._start(X, rng, middle), middle, tol) for _ in range(self.n_init)]
        self.inertias_, self.cluster_centers_, self.labels_, self.n_iter_ = min(runs, key=lambda run: run[0][-1])
        self.inertia_ = self.inertias_[-1]
        return self

    def _start(self, X: np.ndarray, rng: np.random.Generator, middle: np.ndarray) -> np.ndarray:
        if not isinstance(self.init, str):
            centers = np.array(self.init, np.float64)
            if centers.shape != (self.n_clusters, X.shape[1]):
                raise ValueError(f"KMeans: init is of shape {(self.n_clusters, X.shape[1])}, not {centers.shape}")
            return centers
        if self.init == "random":
            return X[rng.choice(len(X), self.n_clusters, replace=False)]
        if self.init != "k-means++":
            raise ValueError(f"KMeans: init is 'k-means++', 'random' or an array, not {self.init!r}")
        return _plus_plus(X, self.n_clusters, rng, middle)

    def _run(self, X: np.ndarray, centers: np.ndarray, middle: np.ndarray, tol: float) -> tuple:
        inertias: list[float] = []
        labels = np.empty(0, np.int32)
        spread = float(_exact(X, middle[None], np.zeros(len(X), np.int8)).sum())
        for _ in range(self.max_iter):
            before, (labels, sums, counts, gain) = labels, _assign(X, centers, middle)
            inertias.append(spread - gain)
            empty = np.flatnonzero(counts == 0)
            if len(empty):  # the farthest points leave their clusters and make new ones
                apart = _exact(X, centers, labels)
                far = np.argsort(-apart, kind="stable")[: len(empty)]
                for cluster, point in zip(empty, far[apart[far] > 0]):
                    x = X[point] - middle
                    sums[labels[point]] -= x
                    counts[labels[point]] -= 1
                    labels[point], sums[cluster], counts[cluster] = cluster, x, 1
            filled = counts > 0
            moved = centers.copy()
            moved[filled] = sums[filled] / counts[filled, None] + middle
            shift, centers = ((moved - centers) ** 2).sum(), moved
            if shift <= tol or np.array_equal(before, labels):
                break
        labels = _assign(X, centers, middle)[0]  # as predict will say
        inertias.append(float(_exact(X, centers, labels).sum()))
        return inertias, centers, labels, len(inertias) - 1

    def predict(self, X: Any) -> np.ndarray:
        """The nearest cluster of each point: (N,)."""
        X = self._features(X)
        return _assign(X, self.cluster_centers_, self.cluster_centers_.mean(0))[0]

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """fit(X).labels_"""
        return self.fit(X).labels_

    def transform(self, X: Any) -> np.ndarray:
        """The distance of each point to each center: (N, k)."""
        X = self._features(X)
        middle = self.cluster_centers_.mean(0)
        return np.sqrt(_distances(X, self.cluster_centers_, middle))

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """fit(X).transform(X)"""
        return self.fit(X).transform(X)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the sum of squared distances to the nearest centers."""
        X = self._features(X)
        return -float(_exact(X, self.cluster_centers_, self.predict(X)).sum())


def kmeans(X: Any, k: int, max_iter: int = 100, random_state: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """labels (N,) and centroids (k, D) of points X (N, D): `KMeans` in one call."""
    model = KMeans(k, max_iter=max_iter, random_state=random_state).fit(X)
    return model.labels_, model.cluster_centers_
