# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
import typing as _typing
import numpy as _np
from builtins import float as _Float
from .checks import ConvergenceWarning as ConvergenceWarning, DataConversionWarning as DataConversionWarning, NotFittedError as NotFittedError
from .kmeans import KMeans as KMeans, kmeans as kmeans
from .logistic import LogisticRegression as LogisticRegression, logistic_regression as logistic_regression
from .mlp import MLPClassifier as MLPClassifier, MLPRegressor as MLPRegressor
