# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
import typing as _typing
import numpy as _np
from builtins import float as _Float
from tinygrad_lite.engine.spellings import hinting as _hinting
from . import batching as batching, by_hand as by_hand, functional as functional, generation as generation, init as init, parallel as parallel, utils as utils
from .activations import *
from .attention import MultiheadAttention as MultiheadAttention
from .containers import ModuleDict as ModuleDict, ModuleList as ModuleList, ParameterDict as ParameterDict, ParameterList as ParameterList, Sequential as Sequential
from .convolution import *
from .dropouts import *
from .embedding import *
from .linear import *
from .losses import *
from .module import Module as Module, Parameter as Parameter
from .normalization import *
from .padding import *
from .parallel import DataParallel as DataParallel
from .pooling import *
from .recurrent import GRU as GRU, LSTM as LSTM, RNN as RNN, GRUCell as GRUCell, LSTMCell as LSTMCell, RNNBase as RNNBase, RNNCell as RNNCell, RNNCellBase as RNNCellBase
from .shaping import *
from .transformer import Transformer as Transformer, TransformerDecoder as TransformerDecoder, TransformerDecoderLayer as TransformerDecoderLayer, TransformerEncoder as TransformerEncoder, TransformerEncoderLayer as TransformerEncoderLayer
