"""Dropout: modules of the functions of the same name, which in evaluation mode give the input itself."""

from . import functional as F
from .functional.dropouts import check_probability
from .layer import Layer

__all__ = ["Dropout", "Dropout1d", "Dropout2d", "AlphaDropout", "FeatureAlphaDropout"]


class _Dropout(Layer, shown="p={p}, inplace={inplace}"):
    def settle(self) -> None:
        check_probability(type(self).__name__, self.p)


class Dropout(_Dropout, function=F.dropout):
    """While training, sets each element to 0 with probability p, else divides it by 1 - p (Srivastava et al., 2014).

    So the expected values stay, and in evaluation mode there is nothing to do: the input itself is given back. A p
    outside [0, 1] is a ValueError.

    >>> layer = nn.Dropout(p=0.5)
    >>> layer(tl.ones(100)).unique()
    tensor([0., 2.])
    >>> layer.eval()(tl.ones(100)).unique()
    tensor([1.])
    """


class Dropout1d(_Dropout, function=F.dropout1d): ...
class Dropout2d(_Dropout, function=F.dropout2d): ...


class AlphaDropout(_Dropout, function=F.alpha_dropout):
    """Dropout for layers with `SELU`: numbers of mean 0 and variance 1 stay so (Klambauer et al., 2017).

    With probability p an element becomes the least value of selu, -1.7581; then all are scaled and shifted. In
    evaluation mode the input itself is given back. A p outside [0, 1] is a ValueError.

    >>> layer = nn.AlphaDropout(p=0.5)
    >>> layer(tl.randn(10000)).var().round(decimals=1)
    tensor(1.)
    """


class FeatureAlphaDropout(_Dropout, function=F.feature_alpha_dropout):
    """`AlphaDropout` of whole channels of x (N, C, …), each left out with probability p.

    >>> layer = nn.FeatureAlphaDropout(p=0.5)
    >>> y = layer(tl.zeros(2, 3, 4))
    >>> (y == y[:, :, :1]).all()  # all of a channel alike
    tensor(True)
    """
