"""Multi-layer perceptrons over nn and optim, with early stopping and a loss curve."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn, optim, random
from ..creation import from_numpy
from ..engine.mode import no_grad
from .base import Classifier, Estimator
from .checks import generator, is_whole, labels

ACTIVATIONS = {"identity": nn.Sequential, "relu": nn.ReLU, "tanh": nn.Tanh, "logistic": nn.Sigmoid}
REMEDY = "Lower learning_rate_init, or scale X and y"


class _MLP(Estimator):
    """What classifier and regressor share: Adam on minibatches."""

    _loss: Callable[[Any, np.ndarray], Any]
    _validation_score: Callable[[np.ndarray, np.ndarray], float]
    _encoded: Callable[[np.ndarray, bool, Any], tuple[np.ndarray, int]]

    def __init__(self, hidden_layer_sizes: Any = (100,), activation: str = "relu", *, alpha: float = 1e-4,
                 batch_size: int | str = "auto", learning_rate_init: float = 1e-3, max_iter: int = 200,
                 tol: float = 1e-4, early_stopping: bool = False, validation_fraction: float = 0.1,
                 n_iter_no_change: int = 10, warm_start: bool = False, random_state: Any = None) -> None:
        self.hidden_layer_sizes, self.activation, self.alpha = hidden_layer_sizes, activation, alpha
        self.batch_size, self.learning_rate_init = batch_size, learning_rate_init
        self.max_iter, self.tol, self.early_stopping = max_iter, tol, early_stopping
        self.validation_fraction, self.n_iter_no_change = validation_fraction, n_iter_no_change
        self.warm_start, self.random_state = warm_start, random_state

    def _begin(self, X: Any, y: Any, once: bool, classes: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """X and y as the model takes them. Build it, or see that the one to go on with is what the parameters say."""
        goes_on = hasattr(self, "model_") and (once or self.warm_start)
        X = self._features(X, fitting=not goes_on)
        y = self._targets(X, y)
        self._check_parameters()
        y, outputs = self._encoded(y, goes_on, classes)
        hidden = list(np.atleast_1d(self.hidden_layer_sizes))
        if not all(map(is_whole, hidden)):
            raise ValueError(f"{type(self).__name__}: hidden_layer_sizes holds whole numbers above 0, not "
                             f"{self.hidden_layer_sizes!r}")
        plan = [self.n_features_in_, *map(int, hidden), outputs], self.activation
        if not goes_on:
            self._plan, self._rng = plan, generator(self.random_state)
            layers: list = []
            with random.seeded(int(self._rng.integers(2**31))):
                for n, m in itertools.pairwise(plan[0]):
                    layers += [nn.Linear(n, m), ACTIVATIONS[self.activation]()]
            self.model_ = nn.Sequential(*layers[:-1]).to(X.dtype)
            self.loss_curve_: list[float] = []
            self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        elif plan != self._plan:
            raise ValueError(f"{type(self).__name__}: the model that is there has sizes and activation {self._plan}, "
                             f"and cannot go on as {plan}")
        if not goes_on or not once:
            self._optimizer = optim.Adam(self.model_.parameters())
        self._optimizer.param_groups[0]["lr"] = self.learning_rate_init
        return X, y

    def _outputs(self, X: np.ndarray) -> Any:
        """What the model, in its dtype, makes of X."""
        return self.model_(from_numpy(X.astype(next(iter(self.model_.parameters())).dtype, copy=False)))

    def _loss_now(self, X: np.ndarray, y: np.ndarray) -> float:
        with no_grad(), np.errstate(over="ignore"):
            return self._loss(self._outputs(X), y).item()

    def _predicted(self, X: np.ndarray) -> np.ndarray:
        with no_grad():
            return self._outputs(X).array

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from X (N, D) and y (N,), a regressor's also (N, outputs), until the loss (with early_stopping, the
        validation score) no longer improves; gives self."""
        X, y = self._begin(X, y, once=False)
        if self.early_stopping:
            kept, held = self._split(y)
            (X, X_held), (y, y_held) = ((a[kept], a[held]) for a in (X, y))
        untrained, best, since, state = self._loss_now(X, y), -np.inf, 0, None
        for epoch in range(1, self.max_iter + 1):
            self.n_iter_: int = epoch
            score = -self._epoch(X, y)
            if self.early_stopping:
                score = self._validation_score(X_held, y_held)
                self.validation_scores_ = [*(self.validation_scores_ or []), score]
            since = 0 if score > best + self.tol else since + 1
            if score > best:
                best, state = score, {k: v.array.copy() for k, v in self.model_.state_dict().items()}
            if since > self.n_iter_no_change:
                break
        else:
            what = "validation score" if self.early_stopping else "loss"
            self._not_converged(f"did not converge: after max_iter={self.max_iter} epochs the {what} may still improve")
        if self.early_stopping and state is not None:
            self.model_.load_state_dict(state)
        trained = self._loss_now(X, y)
        if trained > 2 * untrained + self.tol:
            self._not_converged(f"diverged: its loss rose from {untrained:.3g} to {trained:.3g}. {REMEDY}")
        return self

    def _once(self, X: Any, y: Any, classes: Any = None) -> Any:
        """One epoch with the model and the optimizer that are there; gives self."""
        if self.early_stopping:
            raise ValueError(f"{type(self).__name__}: partial_fit does not support early_stopping=True")
        X, y = self._begin(X, y, True, classes)
        self._epoch(X, y)
        self.n_iter_ = 1
        return self

    def _epoch(self, X: np.ndarray, y: np.ndarray) -> float:
        """One pass over the samples in random order; gives their mean loss."""
        size = min(200 if self.batch_size == "auto" else int(self.batch_size), len(X))
        parameters = list(self.model_.parameters())
        order, total = self._rng.permutation(len(X)), 0.0
        with np.errstate(all="ignore"):  # what diverges is said below
            for start in range(0, len(X), size):
                rows = order[start : start + size]
                self._optimizer.zero_grad()
                loss = self._loss(self._outputs(X[rows]), y[rows])
                if self.alpha:  # half the sum of squares of the weights, not of the biases, by scikit-learn's measure
                    squares = sum((p * p).sum() for p in parameters if p.ndim == 2)
                    loss = loss + self.alpha / (2 * len(rows)) * squares
                loss.backward()
                self._optimizer.step()
                total += loss.item() * len(rows)
        if not (np.isfinite(total) and all(np.isfinite(p.array).all() for p in parameters)):
            raise ValueError(f"{type(self).__name__} diverged in epoch {len(self.loss_curve_) + 1}: its loss is "
                             f"{total / len(X)} or its weights are not finite. {REMEDY}")
        self.loss_ = total / len(X)
        self.loss_curve_.append(self.loss_)
        self.best_loss_ = min(self.loss_curve_)
        return self.loss_

    def _split(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The samples to train on and those held out, of each class (of a regressor: of all) the same fraction."""
        held = math.ceil(self.validation_fraction * len(y))
        order = self._rng.permutation(len(y))
        strata = y if self.kind == "classifier" else np.zeros(len(y))
        order = order[np.argsort(strata[order], kind="stable")]
        # one of each class stays, and of the others, class after class, some are taken at even steps
        free = np.delete(order, np.unique(strata[order], return_index=True)[1])
        if held < 2 or held > len(free):
            raise ValueError(f"{type(self).__name__}: validation_fraction {self.validation_fraction} of {len(y)} "
                             "samples holds out fewer than 2, or leaves none of a class to train on")
        taken = free[((np.arange(held) + 0.5) * len(free) / held).astype(int)]
        return np.setdiff1d(order, taken), taken


class MLPClassifier(_MLP, Classifier):
    """A classifier of hidden layers with cross-entropy: scikit-learn's parameters, trained by Adam.

    activation: "relu", "tanh", "logistic" or "identity"; alpha: the L2 penalty, alpha / 2 times the sum of
    squares of the weights over the batch's rows; batch_size: "auto" is 200. fit ends after max_iter epochs, or when
    more than n_iter_no_change in a row did not improve the loss by tol; with early_stopping it looks at the accuracy on
    the validation_fraction that is held out, and keeps the best parameters. With warm_start it goes on from there.
    Learns classes_, model_ (the nn.Sequential), loss_curve_, n_iter_, best_loss_ and, with early_stopping,
    validation_scores_. Warns where it did not converge; diverging is a ValueError.

    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], ["same", "other", "other", "same"]
    >>> model = tl.estimators.MLPClassifier((16,), learning_rate_init=0.1, random_state=0).fit(X, y)
    >>> model.predict(X).tolist()
    ['same', 'other', 'other', 'same']
    """

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> "MLPClassifier":
        """One epoch over X (N, D) and y (N,); the first call names all classes; gives self."""
        if classes is None and not hasattr(self, "model_"):
            raise ValueError("MLPClassifier: the first partial_fit names all classes: partial_fit(X, y, classes)")
        return self._once(X, y, classes)

    def _encoded(self, y: np.ndarray, goes_on: bool, classes: Any) -> tuple[np.ndarray, int]:
        classes = y if classes is None else labels(classes, "MLPClassifier: classes")
        if not goes_on:
            self._learn_classes(classes)
        elif classes is not y and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"MLPClassifier: classes are {classes.tolist()}, and were {self.classes_.tolist()}")
        return self._places(y), len(self.classes_)

    def _loss(self, out: Any, y: np.ndarray) -> Any:
        return nn.functional.cross_entropy(out, y)

    def _validation_score(self, X: np.ndarray, y: np.ndarray) -> float:
        return float((self._predicted(X).argmax(1) == y).mean())

    def _logits(self, X: Any) -> np.ndarray:
        return self._predicted(self._features(X))


class MLPRegressor(_MLP):
    """A regressor of hidden layers with half the mean squared error: scikit-learn's parameters, trained by Adam.

    The parameters are those of `MLPClassifier`; with early_stopping the score on what is held out is R^2.
    Learns model_, loss_curve_, n_iter_, best_loss_ and, with early_stopping, validation_scores_. Warns where it did not
    converge; diverging is a ValueError.

    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> model = tl.estimators.MLPRegressor((16,), learning_rate_init=0.02, random_state=0).fit(X, X[:, 0] ** 2)
    >>> model.score(X, X[:, 0] ** 2) > 0.9
    True
    """

    kind = "regressor"

    def partial_fit(self, X: Any, y: Any) -> "MLPRegressor":
        """One epoch over X (N, D) and y (N,) or (N, outputs); gives self."""
        return self._once(X, y)

    def _encoded(self, y: np.ndarray, goes_on: bool, classes: Any) -> tuple[np.ndarray, int]:
        self._flat = y.ndim == 1
        return y.reshape(len(y), -1), y.size // len(y)

    def _loss(self, out: Any, y: np.ndarray) -> Any:
        return 0.5 * nn.functional.mse_loss(out, from_numpy(y.astype(out.dtype, copy=False)))

    def _validation_score(self, X: np.ndarray, y: np.ndarray) -> float:
        return _r2(y, self._predicted(X), np.ones(len(y)))

    def predict(self, X: Any) -> np.ndarray:
        """The value of each sample: (N,) or (N, outputs), as y was."""
        out = self._predicted(self._features(X))
        return out[:, 0] if self._flat else out

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R^2: 1 is perfect, 0 no better than the mean; of several outputs their mean."""
        out = self.predict(X)
        y = self._targets(out, y)
        if y.size != out.size:
            raise ValueError(f"MLPRegressor: y has shape {y.shape}, and predictions have {out.shape}")
        return _r2(y.reshape(out.shape), out, self._weights(out, sample_weight))


def _r2(y: np.ndarray, out: np.ndarray, weight: np.ndarray) -> float:
    left = np.average((y - out) ** 2, 0, weight)
    spread = np.average((y - np.average(y, 0, weight)) ** 2, 0, weight)
    return float(np.mean(np.where(spread > 0, 1 - left / np.where(spread > 0, spread, 1), left == 0)))
