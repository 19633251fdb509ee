"""What goes into an estimator, checked: parameters, numbers and labels; and scikit-learn's warnings."""

import functools
import math
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.values import unbox

LIBRARY = __name__.split(".")[0] + "."
NUMBER = (int, float, np.integer, np.floating)


class NotFittedError(ValueError, AttributeError):
    """The error of a method that needs what fit learns and was called before it."""


class ConvergenceWarning(UserWarning):
    """A warning of an estimator whose search ended, at max_iter say, before it found what it looked for."""


class DataConversionWarning(UserWarning):
    """A warning that data was given in another shape than it is taken for, such as y as a column."""


def known(ours: type) -> Any:
    """`ours`, and where scikit-learn is loaded its class of the same name too: who catches either gets both."""
    theirs = getattr(sys.modules.get("sklearn.exceptions"), ours.__name__, None)
    return ours if theirs is None else _both(ours, theirs)


@functools.cache
def _both(ours: type, theirs: type) -> type:
    return type(ours.__name__, (ours, theirs), {"__reduce__": lambda error: (ours, error.args)})  # pickled as ours


def warn(category: type, message: str) -> None:
    """Warn of the line outside of this library that led here."""
    frame, depth = sys._getframe(), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(LIBRARY):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, known(category), stacklevel=depth)


# ---- parameters
Rule = tuple[str, Callable[[Any], bool]]  # what a parameter is, and whether a value is that


def is_whole(v: Any) -> bool:
    """Whether v is a whole number above 0, Python's or numpy's."""
    return isinstance(v, (int, np.integer)) and not isinstance(v, bool) and bool(v > 0)


def is_number(v: Any) -> bool:
    """Whether v is a number, Python's or numpy's, and no bool."""
    return isinstance(v, NUMBER) and not isinstance(v, bool)


def is_above_zero(v: Any) -> bool:
    """Whether v is a finite number above 0, Python's or numpy's."""
    return is_number(v) and bool(0 < v < math.inf)


def _one_of(*words: str | None) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, str | None) and v in words


WHOLE: Rule = "a whole number above 0", is_whole
WHOLE_OR_AUTO: Rule = "a whole number above 0 or 'auto'", lambda v: is_whole(v) or _one_of("auto")(v)
ABOVE_ZERO: Rule = "a number above 0", is_above_zero
FROM_ZERO: Rule = "a number from 0", lambda v: is_number(v) and bool(0 <= v < math.inf)
BOOL: Rule = "True or False", lambda v: isinstance(v, (bool, np.bool_))
PARAMETERS: dict[str, Rule] = {
    "fit_intercept": BOOL, "early_stopping": BOOL, "warm_start": BOOL,
    "n_clusters": WHOLE, "max_iter": WHOLE, "n_iter_no_change": WHOLE, "n_init": WHOLE_OR_AUTO,
    "batch_size": WHOLE_OR_AUTO, "C": ABOVE_ZERO, "learning_rate_init": ABOVE_ZERO, "tol": FROM_ZERO,
    "alpha": FROM_ZERO, "validation_fraction": ("a number between 0 and 1", lambda v: is_above_zero(v) and v < 1),
    "penalty": ("'l1', 'l2' or None", _one_of("l1", "l2", None)),
    "solver": ("'auto', 'lbfgs' or 'gd'", _one_of("auto", "lbfgs", "gd")),
    "activation": ("'identity', 'logistic', 'tanh' or 'relu'", _one_of("identity", "logistic", "tanh", "relu")),
    "init": ("'k-means++', 'random' or an array",
             lambda v: not isinstance(v, str | None) or v in ("k-means++", "random")),
    "class_weight": ("None, 'balanced' or a dict of classes",
                     lambda v: isinstance(v, dict) or _one_of("balanced", None)(v)),
}


def generator(random_state: Any) -> np.random.Generator:
    """numpy's generator of a seed, of one of numpy's two kinds of generators, or a fresh one."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31))
    try:
        if isinstance(random_state, (bool, np.bool_)):
            raise ValueError("a bool is no seed")
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise ValueError(f"random_state is None, a seed from 0 or numpy's generator, not {random_state!r}") from error


# ---- data
def _dense(data: Any, what: str) -> np.ndarray:
    data = unbox(data)
    if hasattr(data, "toarray"):  # scipy's
        raise TypeError(f"{what} is sparse, and dense data is required: give {what.split()[-1]}.toarray()")
    try:
        array = np.asarray(data)
    except ValueError as error:  # rows of several lengths
        raise ValueError(f"{what} is no array: {error}") from error
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {what} is {array.dtype}")
    return array


def numbers(data: Any, what: str) -> np.ndarray:
    """An array of finite floats: float32 as it is, all other numbers as float64."""
    array = _dense(data, what)
    if array.dtype.kind not in "biufO":
        raise ValueError(f"{what} holds numbers, not {array.dtype}")
    try:
        array = array.astype(np.float32 if array.dtype == np.float32 else np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what} holds numbers, and of one of its objects numpy says: {error}") from error
    if not np.isfinite(array).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{what} contains NaN or infinity, the first at {at}")
    return array


def labels(data: Any, what: str) -> np.ndarray:
    """An array of names of classes: strings or whole numbers, not continuous values."""
    array = _dense(data, what)
    if array.dtype.kind == "O" and not all(isinstance(label, str) for label in array.flat):
        plain = np.array(array.tolist())
        if plain.dtype.kind not in "biuf":
            raise ValueError(f"Unknown label type: {what} mixes {sorted({type(v).__name__ for v in array.flat})}")
        array = plain
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ValueError(f"{what} contains NaN or infinity")
        if (array != np.floor(array)).any():
            raise ValueError(f"Unknown label type: {what} is continuous, and a classifier's targets are classes")
    return array


def column_names(data: Any) -> np.ndarray | None:
    """The names of a data frame's columns, where all are strings."""
    names = getattr(data, "columns", None)
    if names is None or not all(isinstance(name, str) for name in names):
        return None
    return np.array(list(names), object)
