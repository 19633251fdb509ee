"""Dropout: modules of the functions of the same name, which in evaluation mode give the input itself."""

from . import functional as F
from .functional.dropouts import check_probability
from .layer import Layer

__all__ = ["Dropout", "Dropout1d", "Dropout2d", "AlphaDropout", "FeatureAlphaDropout"]


class _Dropout(Layer, shown="p={p}, inplace={inplace}"):
    def settle(self) -> None:
        check_probability(type(self).__name__, self.p)


class Dropout(_Dropout, function=F.dropout): ...
class Dropout1d(_Dropout, function=F.dropout1d): ...
class Dropout2d(_Dropout, function=F.dropout2d): ...
class AlphaDropout(_Dropout, function=F.alpha_dropout): ...
class FeatureAlphaDropout(_Dropout, function=F.feature_alpha_dropout): ...
