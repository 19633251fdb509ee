"""Estimators with scikit-learn's conventions: fit, predict, score, attributes with a trailing underscore."""

from .checks import ConvergenceWarning, DataConversionWarning, NotFittedError
from .kmeans import KMeans, kmeans
from .logistic import LogisticRegression, logistic_regression
from .mlp import MLPClassifier, MLPRegressor
