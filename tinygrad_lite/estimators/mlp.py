"""Multi-layer perceptrons over nn and optim, with early stopping and a loss curve."""

from typing import Any

import numpy as np

from .. import nn, optim, random
from ..creation import from_numpy
from ..engine.mode import no_grad
from .base import Classifier, Estimator, generator

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "logistic": nn.Sigmoid}


class _MLP(Estimator):
    """What classifier and regressor share."""

    def __init__(self, hidden_layer_sizes: Any = (100,), activation: str = "relu", *, alpha: float = 1e-4,
                 batch_size: Any = "auto", learning_rate_init: float = 1e-3, max_iter: int = 200, tol: float = 1e-4,
                 early_stopping: bool = False, validation_fraction: float = 0.1, n_iter_no_change: int = 10,
                 random_state: Any = None) -> None:
        self.hidden_layer_sizes, self.activation, self.alpha = hidden_layer_sizes, activation, alpha
        self.batch_size, self.learning_rate_init = batch_size, learning_rate_init
        self.max_iter, self.tol, self.early_stopping = max_iter, tol, early_stopping
        self.validation_fraction, self.n_iter_no_change = validation_fraction, n_iter_no_change
        self.random_state = random_state

    def _loss(self, out: Any, y: np.ndarray) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no _loss()")

    def _validation_score(self, X: np.ndarray, y: np.ndarray) -> float:
        raise NotImplementedError(f"{type(self).__name__} defines no _validation_score()")

    def _build(self, outputs: int) -> nn.Sequential:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"{type(self).__name__}: activation is one of {', '.join(ACTIVATIONS)}, "
                             f"not {self.activation!r}")
        hidden = self.hidden_layer_sizes
        sizes = [self.n_features_in_, *([hidden] if isinstance(hidden, int) else hidden)]
        if min(sizes) < 1:
            raise ValueError(f"{type(self).__name__}: hidden_layer_sizes holds numbers above 0, not {hidden}")
        layers: list = []
        for n, m in zip(sizes, sizes[1:]):
            layers += [nn.Linear(n, m), ACTIVATIONS[self.activation]()]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], outputs))

    def _train(self, X: np.ndarray, y: np.ndarray, outputs: int) -> None:
        """Adam on minibatches until the loss (or, with early stopping, the validation score) no longer improves."""
        for name in ("max_iter", "n_iter_no_change"):
            if getattr(self, name) < 1:
                raise ValueError(f"{type(self).__name__}: {name} is above 0, not {getattr(self, name)}")
        rng = generator(self.random_state)
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        with random.seeded(int(rng.integers(2**31))):
            self.model_ = self._build(outputs).double()
        if self.early_stopping:
            held = max(1, round(self.validation_fraction * len(X)))
            if not 0 < self.validation_fraction < 1 or held >= len(X):
                raise ValueError(f"{type(self).__name__}: validation_fraction {self.validation_fraction} of {len(X)} "
                                 "samples leaves none to train on")
            order = rng.permutation(len(X))
            (X, X_held), (y, y_held) = ((a[order[held:]], a[order[:held]]) for a in (X, y))
        size = min(200, len(X)) if self.batch_size == "auto" else int(np.clip(self.batch_size, 1, len(X)))
        optimizer = optim.Adam(self.model_.parameters(), lr=self.learning_rate_init, weight_decay=self.alpha / len(X))
        best, since, kept = -np.inf, 0, None
        for epoch in range(1, self.max_iter + 1):
            self.n_iter_ = epoch
            order, total = rng.permutation(len(X)), 0.0
            for start in range(0, len(X), size):
                rows = order[start : start + size]
                optimizer.zero_grad()
                loss = self._loss(self.model_(from_numpy(X[rows])), y[rows])
                loss.backward()
                optimizer.step()
                total += loss.item() * len(rows)
            self.loss_curve_.append(total / len(X))
            score = -self.loss_curve_[-1]
            if self.validation_scores_ is not None:
                score = self._validation_score(X_held, y_held)
                self.validation_scores_.append(score)
            since = 0 if score > best + self.tol else since + 1
            if score > best:
                best, kept = score, {k: v.array.copy() for k, v in self.model_.state_dict().items()}
            if since >= self.n_iter_no_change:
                break
        if self.early_stopping and kept is not None:
            self.model_.load_state_dict(kept)
        self.loss_, self.best_loss_ = self.loss_curve_[-1], min(self.loss_curve_)

    def _outputs(self, X: np.ndarray) -> np.ndarray:
        with no_grad():
            return self.model_(from_numpy(X)).array


class MLPClassifier(_MLP, Classifier):
    """A classifier of hidden layers with cross-entropy: scikit-learn's parameters, trained by Adam.

    Learns classes_, model_ (the nn.Sequential), loss_curve_, n_iter_, best_loss_ and, with early_stopping,
    validation_scores_ (accuracies); then the parameters of the best score are kept.
    """

    def fit(self, X: Any, y: Any) -> "MLPClassifier":
        """Learn from X (N, D) and y (N,) of any labels; gives self."""
        X = self._features(X, fitting=True)
        places = self._classes(self._targets(X, y))
        self._train(X, places, len(self.classes_))
        return self

    def _loss(self, out: Any, y: np.ndarray) -> Any:
        return nn.functional.cross_entropy(out, y)

    def _validation_score(self, X: np.ndarray, y: np.ndarray) -> float:
        return float((self._outputs(X).argmax(1) == y).mean())

    def _logits(self, X: Any) -> np.ndarray:
        return self._outputs(self._features(X))


class MLPRegressor(_MLP):
    """A regressor of hidden layers with half the mean squared error: scikit-learn's parameters, trained by Adam.

    Learns model_, loss_curve_, n_iter_, best_loss_ and, with early_stopping, validation_scores_ (R^2).
    """

    kind = "regressor"

    def fit(self, X: Any, y: Any) -> "MLPRegressor":
        """Learn from X (N, D) and y (N,) or (N, outputs); gives self."""
        X = self._features(X, fitting=True)
        y = self._targets(X, y).astype(np.float64)
        self._flat = y.ndim == 1
        y = y.reshape(len(y), -1)
        self._train(X, y, y.shape[1])
        return self

    def _loss(self, out: Any, y: np.ndarray) -> Any:
        return 0.5 * nn.functional.mse_loss(out, from_numpy(y))

    def _validation_score(self, X: np.ndarray, y: np.ndarray) -> float:
        return _r2(y, self._outputs(X))

    def predict(self, X: Any) -> np.ndarray:
        """The value of each sample: (N,) or (N, outputs), as y was."""
        out = self._outputs(self._features(X))
        return out[:, 0] if self._flat else out

    def score(self, X: Any, y: Any) -> float:
        """R^2: 1 is perfect, 0 no better than the mean."""
        out = self.predict(X)
        return _r2(np.asarray(y, np.float64).reshape(len(out), -1), out.reshape(len(out), -1))


def _r2(y: np.ndarray, out: np.ndarray) -> float:
    left, all_of_it = ((y - out) ** 2).sum(0), ((y - y.mean(0)) ** 2).sum(0)
    return float(np.mean(np.where(all_of_it > 0, 1 - left / np.where(all_of_it > 0, all_of_it, 1), left == 0)))
