"""Layers and functions of neural networks."""

from tinygrad_lite.engine.spellings import hinting as _hinting

from . import batching, by_hand, functional, generation, init, utils
from .attention import MultiheadAttention
from .containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .layers import CrossEntropyLoss, Dropout, Flatten, LayerNorm, Linear, MSELoss, ReLU, Sigmoid, Tanh
from .module import Module, Parameter
from .recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNBase, RNNCell, RNNCellBase
from .transformer import (
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)

__getattr__ = _hinting(globals())
