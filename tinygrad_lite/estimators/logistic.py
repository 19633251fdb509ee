"""Logistic regression: binary and multinomial, by gradient descent and by L-BFGS."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.refusals import number, whole
from ..nn.by_hand import logistic_backward, logistic_forward
from .base import Classifier
from .checks import is_above_zero, numbers


def logistic_regression(X: Any, y: Any, lr: float = 0.01, n_iter: int = 1000,
                        l2: float = 0.0) -> tuple[np.ndarray, float]:
    """The weights w (D,) and the bias b of logistic regression, by n_iter steps of gradient descent from 0.

    X (N, D) are features and y (N,) labels of 0 and 1; the probability of 1 is p = sigmoid(X @ w + b). The gradient is
    X.T @ (p - y) / N + 2 * l2 * w, that of the mean loss plus l2 * sum(w**2). ValueError for other labels or shapes.

    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    >>> w, b = tl.estimators.logistic_regression(X, y, lr=0.5)
    >>> (X @ w + b > 0).astype(int)
    array([0, 0, 1, 1])
    """
    X, y = (numbers(a, f"logistic_regression: {what}").astype(np.float64) for a, what in ((X, "X"), (y, "y")))
    n_iter = whole("logistic_regression: n_iter is a whole number from 0 on", n_iter, 0)
    lr = number("logistic_regression: lr is a number above 0", lr, above=0)
    l2 = number("logistic_regression: l2 is a number from 0 on", l2, 0)
    if X.ndim != 2 or y.shape != X.shape[:1]:
        raise ValueError(f"logistic_regression: X (N, D) and y (N,) are expected, not shapes {X.shape} and {y.shape}")
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"logistic_regression: y holds 0 and 1, not {np.unique(y)[:5]}")
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(n_iter):
        _, p = logistic_forward(X, w, b, y)
        dw, db = logistic_backward(X, y, p, w, l2)
        w, b = w - lr * dw, b - lr * db
    return w, b


Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


def lbfgs(f: Objective, x: np.ndarray, max_iter: int, tol: float, memory: int = 10) -> tuple[np.ndarray, int, bool]:
    """The minimum of a smooth f (giving value and gradient), the iterations it took, and whether the largest gradient
    came below tol (Nocedal and Wright, 2006, algorithm 7.5)."""
    value, g = f(x)
    pairs: list[tuple[np.ndarray, np.ndarray, float]] = []
    for iteration in range(max_iter):
        if np.abs(g).max() <= tol:
            return x, iteration, True
        step = -_inverse_hessian(pairs, g)
        size = 1.0 if pairs else min(1.0, 1 / np.abs(g).sum())
        found = _line_search(f, x, value, g, step, size)
        if found is None:  # rounding leaves nothing to gain
            return x, iteration, np.abs(g).max() <= 10 * tol
        new, value, g_new = found
        s, y = new - x, g_new - g
        if s @ y > 1e-12 * (y @ y):
            pairs = [*pairs[-memory + 1 :], (s, y, 1 / (s @ y))]
        x, g = new, g_new
    return x, max_iter, np.abs(g).max() <= tol


def _inverse_hessian(pairs: list, g: np.ndarray) -> np.ndarray:
    """What the last steps tell of the inverse Hessian, times g: the two-loop recursion."""
    q, weights = g.copy(), []
    for s, y, rho in reversed(pairs):
        weights.append(rho * (s @ q))
        q -= weights[-1] * y
    if pairs:
        s, y, _ = pairs[-1]
        q *= (s @ y) / (y @ y)
    for (s, y, rho), weight in zip(pairs, reversed(weights)):
        q += (weight - rho * (y @ q)) * s
    return q


def _line_search(f: Objective, x: np.ndarray, value: float, g: np.ndarray, step: np.ndarray, size: float) -> Any:
    """A point along the step with the weak Wolfe conditions, by bisection; None where f cannot be lowered."""
    slope, low, high = g @ step, 0.0, math.inf
    if slope >= 0:
        return None
    for _ in range(60):
        new = x + size * step
        value_new, g_new = f(new)
        if not value_new <= value + 1e-4 * size * slope:
            high = size
        elif g_new @ step < 0.9 * slope:
            low = size
        else:
            return new, value_new, g_new
        size = 2 * low if math.isinf(high) else (low + high) / 2
    return (new, value_new, g_new) if value_new < value else None


class LogisticRegression(Classifier):
    """Logistic regression with scikit-learn's objective: C * sum(weight * loss) + penalty(coef).

    penalty: "l2" (half the sum of squares), "l1" (the sum of sizes) or None; the intercept is not penalized.
    solver: "lbfgs", or "gd" (proximal gradient descent with Nesterov's momentum and a backtracking step; the one for
    l1, where "lbfgs" cannot go). class_weight: None, "balanced" or a dict of classes, which multiplies sample_weight.
    Two classes give one row of coefficients.
    Learns classes_, coef_ (1 or C, D), intercept_ (1 or C,), n_iter_ (an array of one), loss_ (of the objective) and
    converged_; warns where it did not.

    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
    >>> model = tl.estimators.LogisticRegression().fit(X, y)
    >>> model.predict([[0.5], [2.5]]).tolist(), model.predict_proba([[1.5]]).round(3).tolist()
    (['no', 'yes'], [[0.5, 0.5]])
    """

    def __init__(self, penalty: str | None = "l2", *, C: float = 1.0, tol: float = 1e-6, fit_intercept: bool = True,
                 class_weight: Any = None, solver: str = "auto", max_iter: int = 10_000) -> None:
        self.penalty, self.C, self.tol, self.fit_intercept = penalty, C, tol, fit_intercept
        self.class_weight, self.solver, self.max_iter = class_weight, solver, max_iter

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LogisticRegression":
        """Learn from X (N, D) and y (N,) of any labels, a sample of weight n counting as n samples; gives self."""
        X = self._features(X, fitting=True)
        y, weight, dtype = self._targets(X, y), self._weights(X, sample_weight), X.dtype
        self._check_parameters()
        solver = ("gd" if self.penalty == "l1" else "lbfgs") if self.solver == "auto" else self.solver
        if (solver, self.penalty) == ("lbfgs", "l1"):
            raise ValueError("LogisticRegression: solver 'lbfgs' does not do penalty 'l1', 'gd' does all")
        used = weight > 0  # a weight of 0 is as if the sample were not there
        X, weight = X[used].astype(np.float64, copy=False), weight[used]
        places = self._learn_classes(y)[used]
        if not np.ptp(places):
            raise ValueError("LogisticRegression needs samples of at least 2 classes, but those of weight above 0 "
                             f"are of only one class: {self.classes_.tolist()[places[0]]!r}")
        weight *= self._class_weights(places, weight)[places]
        k = 1 if len(self.classes_) == 2 else len(self.classes_)
        with np.errstate(over="ignore", divide="ignore"):
            shrink = 1 / (self.C * weight.sum())
        if not 0 < shrink < math.inf:
            raise ValueError("LogisticRegression: C times the sum of the weights leaves the range of float64: scale it")
        half = shrink / 2 if self.penalty == "l2" else 0.0
        # the unknowns are scaled so that the objective bends about alike in all of them: the same minimum in far fewer
        # steps. A loss bends by at most a quarter of the feature's variance, the penalty by `shrink`.
        share = weight / weight.sum()
        middle = share @ X if self.fit_intercept else np.zeros(X.shape[1])
        peak = np.abs(X - middle).max(0)  # the squares of what is divided by it stay in range
        peak[peak == 0] = 1.0
        scale = np.hypot(peak * np.sqrt(share @ ((X - middle) / peak) ** 2) / 2, math.sqrt(2 * half))
        scale[scale == 0] = 1.0
        Z, ridge = (X - middle) / scale, math.sqrt(half) / scale

        def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
            """The objective over C * sum(weight), and its gradient, without the l1 part."""
            u, b = theta[: k * Z.shape[1]].reshape(k, -1), theta[k * Z.shape[1] :]
            value, dlogits = _loss(Z @ u.T + (b if self.fit_intercept else 0.0), places, share)  # (N, k)
            du = dlogits.T @ Z + 2 * ridge**2 * u
            db = dlogits.sum(0) if self.fit_intercept else np.zeros(0)
            return value + float(((ridge * u) ** 2).sum()), np.concatenate([du.ravel(), db])

        sizes = shrink / scale if self.penalty == "l1" else np.zeros(Z.shape[1])
        start = np.zeros(k * Z.shape[1] + (k if self.fit_intercept else 0))
        if solver == "lbfgs":
            theta, steps, self.converged_ = lbfgs(objective, start, self.max_iter, self.tol * 1e-2)
        else:
            limits = np.concatenate([np.tile(sizes, k), np.zeros(len(start) - k * Z.shape[1])])
            theta, steps, self.converged_ = _proximal_descent(objective, start, limits, self.max_iter, self.tol * 1e-2)
        coef = theta[: k * Z.shape[1]].reshape(k, -1) / scale
        intercept = theta[k * Z.shape[1] :] - coef @ middle if self.fit_intercept else np.zeros(k)
        self.coef_, self.intercept_ = coef.astype(dtype), intercept.astype(dtype)
        self.n_iter_, self.loss_ = np.array([steps]), objective(theta)[0] / shrink
        penalized = (2 * ridge**2 * theta[: k * Z.shape[1]].reshape(k, -1)).ravel() if self.penalty == "l2" else sizes
        pull = np.abs(penalized).max(initial=0)
        if self.converged_ and max(pull, self.loss_ * shrink) <= self.tol / 10:  # only by what tol overlooks
            self.converged_ = False
            self._not_converged("did not converge: the classes can be told apart without any loss, and the penalty is "
                                "too weak, beside the weights, to hold coef_ back: lower C, the weights or tol")
        elif not self.converged_:
            self._not_converged(f"did not converge in {steps} iterations (max_iter={self.max_iter}): raise max_iter or "
                                "tol, or scale X")
        return self

    def _class_weights(self, places: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The weight of each class (C,)."""
        if self.class_weight == "balanced":
            counts = np.bincount(places, weight, len(self.classes_))
            counts[counts == 0] = math.inf  # of a class without samples nothing is weighed
            return weight.sum() / (np.isfinite(counts).sum() * counts)
        if self.class_weight is None:
            return np.ones(len(self.classes_))
        classes = self.classes_.tolist()
        for label, value in self.class_weight.items():
            if label not in classes or not is_above_zero(value):
                raise ValueError("LogisticRegression: class_weight holds numbers above 0 for some of the classes "
                                 f"{classes}; {label!r}: {value!r} is not that")
        return np.array([self.class_weight.get(label, 1.0) for label in classes], np.float64)

    def decision_function(self, X: Any) -> np.ndarray:
        """The logits: (N,) of the second class where there are two, else (N, C)."""
        X = self._features(X)
        logits = X @ self.coef_.T + self.intercept_
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def _logits(self, X: Any) -> np.ndarray:
        logits = self.decision_function(X)
        return np.stack([np.zeros_like(logits), logits], 1) if logits.ndim == 1 else logits


def _loss(logits: np.ndarray, places: np.ndarray, share: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean of -log p[place], by shares that add up to 1, and its derivative by the logits (N, k); k = 1 is the
    second of two."""
    full = np.concatenate([np.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits
    rows = np.arange(len(full))
    shifted = full - full.max(1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(1)
    value = share @ (np.log(total) - shifted[rows, places])
    p /= total[:, None]
    p[rows, places] -= 1
    p *= share[:, None]
    return float(value), p[:, 1:] if logits.shape[1] == 1 else p


def _proximal_descent(f: Objective, x: np.ndarray, limits: np.ndarray, max_iter: int,
                      tol: float) -> tuple[np.ndarray, int, bool]:
    """The minimum of f(x) + sum(limits * |x|) (FISTA, Beck and Teboulle, 2009, restarted where momentum misleads)."""
    size, momentum, ahead = 1.0, 1.0, x
    for iteration in range(1, max_iter + 1):
        value, g = f(ahead)
        while True:
            point = ahead - size * g
            new = np.sign(point) * np.maximum(np.abs(point) - size * limits, 0)
            gap = new - ahead
            if f(new)[0] <= value + g @ gap + (gap @ gap) / (2 * size) + 1e-15:
                break
            size /= 2
        if np.abs(gap).max() / size <= tol:
            return new, iteration, True
        if gap @ (new - x) < 0:  # restart
            momentum = 1.0
        later = (1 + math.sqrt(1 + 4 * momentum * momentum)) / 2
        ahead = new + (momentum - 1) / later * (new - x)
        x, momentum, size = new, later, size * 1.1
    return x, max_iter, False
