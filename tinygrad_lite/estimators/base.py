"""What estimators share: parameters, input checks, scores."""

import inspect
from typing import Any

import numpy as np

from ..engine.values import unbox
from ..ops import softmax


class NotFittedError(ValueError, AttributeError):
    """predict and its like before fit."""


class Estimator:
    """Parameters are the arguments of __init__, kept as they are; fit learns attributes that end in `_`."""

    kind: str | None = None  # scikit-learn's estimator type

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Any:
        """Change parameters by name; gives self."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(known)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        changed = {k: v for k, v in self.get_params().items() if v is not defaults[k].default}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in changed.items())})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags  # only it asks for this

        return Tags(estimator_type=self.kind, target_tags=TargetTags(required=self.kind in ("classifier", "regressor")),
                    classifier_tags=ClassifierTags() if self.kind == "classifier" else None,
                    regressor_tags=RegressorTags() if self.kind == "regressor" else None, input_tags=InputTags())

    # ---- checks
    def _features(self, X: Any, fitting: bool = False) -> np.ndarray:
        """X as a float64 matrix; when predicting, of as many features as fit saw."""
        name = type(self).__name__
        if not fitting and not hasattr(self, "n_features_in_"):
            raise NotFittedError(f"This {name} instance is not fitted yet: call fit before this method.")
        X = np.asarray(unbox(X))
        if X.dtype.kind not in "biuf":
            raise ValueError(f"{name}: X holds numbers, not {X.dtype}")
        X = X.astype(np.float64, copy=False)
        if X.ndim != 2:
            raise ValueError(f"{name}: expected a 2D array (samples, features), got shape {X.shape}; reshape(-1, 1) "
                             "makes one feature of it, reshape(1, -1) one sample")
        if fitting:
            if not X.shape[0] or not X.shape[1]:
                raise ValueError(f"{name}: X of shape {X.shape} has no samples or no features")
            self.n_features_in_ = X.shape[1]
        elif X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} features, but {name} is expecting {self.n_features_in_} features as "
                             "input")
        if not np.isfinite(X).all():
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(X))[0])
            raise ValueError(f"{name}: X contains NaN or infinity, the first at {at}")
        return X

    def _targets(self, X: np.ndarray, y: Any) -> np.ndarray:
        """y of as many rows as X."""
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        y = np.asarray(unbox(y))
        if y.ndim == 0 or len(y) != len(X):
            raise ValueError(f"Found input variables with inconsistent numbers of samples: X has {len(X)}, y has "
                             f"{len(y) if y.ndim else 'none'}")
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            raise ValueError(f"{type(self).__name__}: y contains NaN or infinity")
        return y


class Classifier(Estimator):
    """predict, predict_proba and accuracy, from `_logits`."""

    kind = "classifier"

    def _classes(self, y: np.ndarray) -> np.ndarray:
        """Learn classes_ from y (N,); gives y as places in it."""
        if y.ndim != 1:
            raise ValueError(f"{type(self).__name__}: y is (N,), not of shape {y.shape}")
        self.classes_, places = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"{type(self).__name__} needs samples of at least 2 classes, but the data contains only "
                             f"one: {self.classes_[0]!r}")
        return places

    def _logits(self, X: Any) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} defines no _logits()")

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class: (N, C)."""
        return softmax(self._logits(X), 1)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each sample: (N,)."""
        places = self._logits(X).argmax(1)
        return self.classes_[places]

    def score(self, X: Any, y: Any) -> float:
        """The share of samples that are predicted right."""
        return float((self.predict(X) == np.asarray(unbox(y))).mean())


def generator(random_state: Any) -> np.random.Generator:
    """numpy's generator of a seed, of one, or a fresh one."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31))
    return np.random.default_rng(random_state)
