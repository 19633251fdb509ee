"""Logistic regression: binary and multinomial, by gradient descent and by L-BFGS."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.values import unbox
from ..nn.by_hand import logistic_backward, logistic_forward
from .base import Classifier


def logistic_regression(X: Any, y: Any, lr: float = 0.01, n_iter: int = 1000,
                        l2: float = 0.0) -> tuple[np.ndarray, float]:
    """w (D,) and b by gradient descent from 0: X (N, D), y (N,) of 0 and 1.

    The gradient is X.T @ (p - y) / N + 2 * l2 * w, that of the mean loss plus l2 * sum(w**2).
    """
    X, y = np.asarray(unbox(X), np.float64), np.asarray(unbox(y), np.float64)
    if X.ndim != 2 or y.shape != X.shape[:1]:
        raise ValueError(f"logistic_regression: X (N, D) and y (N,) are expected, not shapes {X.shape} and {y.shape}")
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"logistic_regression: y holds 0 and 1, not {np.unique(y)[:5]}")
    if not np.isfinite(X).all():
        raise ValueError("logistic_regression: X contains NaN or infinity")
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
    l1, where "lbfgs" cannot go). class_weight: None, "balanced" or a dict. Two classes give one row of coefficients.
    Learns classes_, coef_ (1 or C, D), intercept_ (1 or C,), n_iter_ (an array of one), loss_ (of the objective).
    """

    def __init__(self, penalty: str | None = "l2", *, C: float = 1.0, tol: float = 1e-6, fit_intercept: bool = True,
                 class_weight: Any = None, solver: str = "auto", max_iter: int = 2000) -> None:
        self.penalty, self.C, self.tol, self.fit_intercept = penalty, C, tol, fit_intercept
        self.class_weight, self.solver, self.max_iter = class_weight, solver, max_iter

    def fit(self, X: Any, y: Any) -> "LogisticRegression":
        """Learn from X (N, D) and y (N,) of any labels; gives self."""
        X = self._features(X, fitting=True)
        places = self._classes(self._targets(X, y))
        solver = self._solver()
        weight = self._weights(places)
        k = 1 if len(self.classes_) == 2 else len(self.classes_)
        half = 0.5 if self.penalty == "l2" else 0.0
        shrink = 1 / (self.C * weight.sum())
        # the unknowns are scaled so that the objective bends about alike in all of them: the same minimum in far fewer
        # steps. A loss bends by at most a quarter of the feature's variance, the penalty by `shrink`.
        middle = X.mean(0) if self.fit_intercept else np.zeros(X.shape[1])
        scale = np.sqrt(((X - middle) ** 2).mean(0) / 4 + 2 * half * shrink)
        scale[scale == 0] = 1.0
        Z = (X - middle) / scale

        def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
            """The objective over C * sum(weight), and its gradient, without the l1 part."""
            u, b = theta[: k * Z.shape[1]].reshape(k, -1), theta[k * Z.shape[1] :]
            value, dlogits = _loss(Z @ u.T + (b if self.fit_intercept else 0.0), places, weight)  # (N, k)
            w = u / scale
            du = dlogits.T @ Z + 2 * half * shrink * w / scale
            db = dlogits.sum(0) if self.fit_intercept else np.zeros(0)
            return value + half * shrink * float((w * w).sum()), np.concatenate([du.ravel(), db])

        start = np.zeros(k * Z.shape[1] + (k if self.fit_intercept else 0))
        if solver == "lbfgs":
            theta, steps, done = lbfgs(objective, start, self.max_iter, self.tol * 1e-2)
        else:
            sizes = shrink / scale if self.penalty == "l1" else np.zeros(Z.shape[1])
            limits = np.concatenate([np.tile(sizes, k), np.zeros(len(start) - k * Z.shape[1])])
            theta, steps, done = _proximal_descent(objective, start, limits, self.max_iter, self.tol * 1e-2)
        self.coef_ = theta[: k * Z.shape[1]].reshape(k, -1) / scale
        self.intercept_ = theta[k * Z.shape[1] :] - self.coef_ @ middle if self.fit_intercept else np.zeros(k)
        self.n_iter_, self.converged_ = np.array([steps]), done
        self.loss_ = objective(theta)[0] / shrink
        return self

    def _solver(self) -> str:
        if self.penalty not in ("l1", "l2", None):
            raise ValueError(f"LogisticRegression: penalty is 'l1', 'l2' or None, not {self.penalty!r}")
        if not 0 < self.C < math.inf:
            raise ValueError(f"LogisticRegression: C is a number above 0, not {self.C}")
        solver = ("gd" if self.penalty == "l1" else "lbfgs") if self.solver == "auto" else self.solver
        if solver not in ("gd", "lbfgs") or (solver, self.penalty) == ("lbfgs", "l1"):
            raise ValueError(f"LogisticRegression: solver {self.solver!r} does not do penalty {self.penalty!r}; "
                             "'gd' does all, 'lbfgs' all but 'l1'")
        return solver

    def _weights(self, places: np.ndarray) -> np.ndarray:
        counts = np.bincount(places)
        if self.class_weight == "balanced":
            return (len(places) / (len(counts) * counts))[places]
        if self.class_weight is None:
            return np.ones(len(places))
        return np.array([self.class_weight.get(c, 1.0) for c in self.classes_.tolist()], np.float64)[places]

    def decision_function(self, X: Any) -> np.ndarray:
        """The logits: (N,) of the second class where there are two, else (N, C)."""
        X = self._features(X)
        logits = X @ self.coef_.T + self.intercept_
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def _logits(self, X: Any) -> np.ndarray:
        logits = self.decision_function(X)
        return np.stack([np.zeros(len(logits)), logits], 1) if logits.ndim == 1 else logits


def _loss(logits: np.ndarray, places: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """The weighted mean of -log p[place], and its derivative by the logits (N, k); k = 1 is the second of two."""
    full = np.concatenate([np.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits
    rows, share = np.arange(len(full)), weight / weight.sum()
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
    for iteration in range(1, max_iter * 10 + 1):
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
    return x, max_iter * 10, False
