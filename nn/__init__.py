"""Layers and functions of neural networks."""

import typing as _typing

from tinygrad_lite.engine.spellings import hinting as _hinting

from . import batching, by_hand, functional, generation, init, parallel, utils
from .activations import *
from .attention import MultiheadAttention
from .containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .convolution import *
from .dropouts import *
from .embedding import *
from .linear import *
from .losses import *
from .module import Module, Parameter
from .normalization import *
from .padding import *
from .parallel import DataParallel
from .pooling import *
from .recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNBase, RNNCell, RNNCellBase
from .shaping import *
from .transformer import (
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)

if not _typing.TYPE_CHECKING:  # to whom all names are known
    __getattr__ = _hinting(globals())
