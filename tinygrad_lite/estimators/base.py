"""What estimators share: parameters, what they know of the data that fit saw, scores."""

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops import softmax
from . import checks


def _whole_or_not(learn: Callable) -> Callable:
    """A fit that fails leaves what the estimator had learned before as it was."""
    @functools.wraps(learn)
    def method(self: "Estimator", *args: Any, **kwargs: Any) -> Any:
        before = {k: copy.deepcopy(v) if k.endswith("_") else v for k, v in vars(self).items()}
        try:
            return learn(self, *args, **kwargs)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return method


class Estimator:
    """Parameters are the arguments of __init__, kept as they are; fit learns attributes that end in `_`."""

    kind: str | None = None  # scikit-learn's estimator type

    def __init_subclass__(cls) -> None:
        for name in ("fit", "partial_fit"):
            if name in vars(cls):
                setattr(cls, name, _whole_or_not(vars(cls)[name]))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Any:
        """Change parameters by name; gives self."""
        names = self.get_params()
        for name, value in params.items():
            if name not in names:
                raise ValueError(f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(names)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        changed = {k: v for k, v in self.get_params().items() if v is not defaults[k].default}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in changed.items())})"

    def __sklearn_tags__(self) -> Any:
        from sklearn import utils  # only scikit-learn asks for this

        is_classifier, is_regressor = self.kind == "classifier", self.kind == "regressor"
        return utils.Tags(
            estimator_type=self.kind, input_tags=utils.InputTags(),
            target_tags=utils.TargetTags(required=is_classifier or is_regressor, multi_output=is_regressor),
            classifier_tags=utils.ClassifierTags() if is_classifier else None,
            regressor_tags=utils.RegressorTags() if is_regressor else None,
            transformer_tags=utils.TransformerTags(preserves_dtype=["float64", "float32"])
            if hasattr(self, "transform") else None)

    # ---- what methods ask of their arguments
    def _check_parameters(self) -> None:
        """Refuse parameters of values that they cannot have; fit calls it, so that set_params may come between."""
        for parameter, value in self.get_params().items():
            what, valid = checks.PARAMETERS.get(parameter, ("anything", lambda v: True))
            if not valid(value):
                raise ValueError(f"{type(self).__name__}: {parameter} is {what}, not {value!r}")

    def _features(self, X: Any, fitting: bool = False) -> np.ndarray:
        """X (N, D) in float32 or float64. Fitting learns its features; all else wants as many, of the same names."""
        name = type(self).__name__
        if not fitting and not hasattr(self, "n_features_in_"):
            not_fitted = checks.known(checks.NotFittedError)
            raise not_fitted(f"This {name} instance is not fitted yet: call fit before this method.")
        columns = checks.column_names(X)
        X = checks.numbers(X, f"{name}: X")
        if X.ndim != 2:
            raise ValueError(f"{name}: expected a 2D array (samples, features), got shape {X.shape}. Reshape your "
                             "data: X.reshape(-1, 1) is one feature, X.reshape(1, -1) one sample")
        for size, what in zip(X.shape, ("sample", "feature")):
            if size == 0:
                raise ValueError(f"{name}: X has no {what}s: 0 {what}(s) (shape={X.shape}) while a minimum of 1 is "
                                 "required.")
        if fitting:
            self.n_features_in_ = X.shape[1]
            vars(self).pop("feature_names_in_", None)  # of the fit before
            if columns is not None:
                self.feature_names_in_ = columns
        elif X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} features, but {name} is expecting {self.n_features_in_} features as "
                             "input")
        elif columns is not None and list(columns) != list(getattr(self, "feature_names_in_", columns)):
            raise ValueError(f"{name}: the feature names should match those that were passed during fit, in order: "
                             f"{list(self.feature_names_in_)}, not {list(columns)}")
        return X

    def _targets(self, X: np.ndarray, y: Any) -> np.ndarray:
        """y of as many rows as X: a classifier's labels (N,), a regressor's numbers (N,) or (N, outputs)."""
        name = type(self).__name__
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None")
        is_classifier = self.kind == "classifier"
        y = (checks.labels if is_classifier else checks.numbers)(y, f"{name}: y")
        if is_classifier and y.ndim == 2 and y.shape[1] == 1:
            checks.warn(checks.DataConversionWarning,
                        "A column-vector y was passed when a 1d array was expected; y.ravel() is one.")
            y = y[:, 0]
        if y.ndim not in ((1,) if is_classifier else (1, 2)):
            raise ValueError(f"{name}: y is (N,){'' if is_classifier else ' or (N, outputs)'}, not of shape {y.shape}")
        if len(y) != len(X):
            raise ValueError(f"{name}: found inconsistent numbers of samples: X has {len(X)}, y has {len(y)}")
        return y

    def _weights(self, X: np.ndarray, weight: Any) -> np.ndarray:
        """A weight a sample (N,); None, or one number, weighs all alike."""
        name = type(self).__name__
        weight = checks.numbers(1.0 if weight is None else weight, f"{name}: sample_weight").astype(np.float64)
        weight = np.full(len(X), weight) if weight.ndim == 0 else weight
        if weight.shape != (len(X),):
            raise ValueError(f"{name}: sample_weight has shape {weight.shape}, and {(len(X),)} is expected")
        if (weight < 0).any() or not weight.any():
            raise ValueError(f"{name}: sample_weight holds numbers from 0, and not zero alone")
        with np.errstate(over="ignore"):
            if not np.isfinite(weight.sum()):
                raise ValueError(f"{name}: the sum of sample_weight leaves the range of float64: scale it")
        return weight

    def _not_converged(self, why: str) -> None:
        checks.warn(checks.ConvergenceWarning, f"{type(self).__name__} {why}")


class Classifier(Estimator):
    """predict, predict_proba and accuracy, from `_logits`."""

    kind = "classifier"

    def _learn_classes(self, y: np.ndarray) -> np.ndarray:
        """Learn classes_ from y (N,); gives y as places in it."""
        classes, places = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"{type(self).__name__} needs samples of at least 2 classes, but the data contains only "
                             f"one class: {classes.tolist()[0]!r}")
        self.classes_ = classes
        return places

    def _places(self, y: np.ndarray) -> np.ndarray:
        """y (N,) as places in the classes that are known already."""
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"{type(self).__name__}: y holds {unknown.tolist()[:5]}, which are not among the classes "
                             f"{self.classes_.tolist()}")
        return np.searchsorted(self.classes_, y)

    def _logits(self, X: Any) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} defines no _logits()")

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class: (N, C)."""
        return softmax(self._logits(X), 1)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each sample: (N,)."""
        places = self._logits(X).argmax(1)
        return self.classes_[places]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of samples that are predicted right."""
        predicted = self.predict(X)
        right = predicted == self._targets(predicted, y)
        return float(np.average(right, weights=self._weights(predicted, sample_weight)))
