"""Layers and functions of neural networks."""

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
