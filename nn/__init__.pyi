# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
from builtins import bool as Bool
from builtins import float as Float
from builtins import int as Int
from builtins import str as Str
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, overload

import numpy

from tinygrad_lite.tensor import Tensor as Tensor

import typing as _typing
from tinygrad_lite.engine.spellings import hinting as _hinting
from . import batching as batching, by_hand as by_hand, functional as functional, generation as generation, init as init, parallel as parallel, utils as utils
from .activations import CELU as CELU, ELU as ELU, GELU as GELU, GLU as GLU, Hardshrink as Hardshrink, Hardsigmoid as Hardsigmoid, Hardswish as Hardswish, Hardtanh as Hardtanh, LeakyReLU as LeakyReLU, LogSigmoid as LogSigmoid, Mish as Mish, ReLU as ReLU, ReLU6 as ReLU6, RReLU as RReLU, SELU as SELU, SiLU as SiLU, Sigmoid as Sigmoid, Softmin as Softmin, Softplus as Softplus, Softshrink as Softshrink, Softsign as Softsign, Tanh as Tanh, Tanhshrink as Tanhshrink, Threshold as Threshold, Softmax as Softmax, LogSoftmax as LogSoftmax, Softmax2d as Softmax2d, PReLU as PReLU
from .attention import MultiheadAttention as MultiheadAttention
from .containers import ModuleDict as ModuleDict, ModuleList as ModuleList, ParameterDict as ParameterDict, ParameterList as ParameterList, Sequential as Sequential
from .convolution import Conv1d as Conv1d, Conv2d as Conv2d, ConvTranspose1d as ConvTranspose1d, ConvTranspose2d as ConvTranspose2d
from .dropouts import Dropout as Dropout, Dropout1d as Dropout1d, Dropout2d as Dropout2d, AlphaDropout as AlphaDropout, FeatureAlphaDropout as FeatureAlphaDropout
from .embedding import Embedding as Embedding, EmbeddingBag as EmbeddingBag
from .linear import Identity as Identity, Linear as Linear, Bilinear as Bilinear
from .losses import BCELoss as BCELoss, BCEWithLogitsLoss as BCEWithLogitsLoss, CosineEmbeddingLoss as CosineEmbeddingLoss, CrossEntropyLoss as CrossEntropyLoss, GaussianNLLLoss as GaussianNLLLoss, HingeEmbeddingLoss as HingeEmbeddingLoss, HuberLoss as HuberLoss, KLDivLoss as KLDivLoss, L1Loss as L1Loss, MSELoss as MSELoss, MarginRankingLoss as MarginRankingLoss, MultiLabelMarginLoss as MultiLabelMarginLoss, MultiLabelSoftMarginLoss as MultiLabelSoftMarginLoss, MultiMarginLoss as MultiMarginLoss, NLLLoss as NLLLoss, SmoothL1Loss as SmoothL1Loss, SoftMarginLoss as SoftMarginLoss, TripletMarginLoss as TripletMarginLoss, TripletMarginWithDistanceLoss as TripletMarginWithDistanceLoss, PoissonNLLLoss as PoissonNLLLoss, CosineSimilarity as CosineSimilarity, PairwiseDistance as PairwiseDistance
from .module import Module as Module, Parameter as Parameter
from .normalization import LocalResponseNorm as LocalResponseNorm, LayerNorm as LayerNorm, RMSNorm as RMSNorm, GroupNorm as GroupNorm, BatchNorm1d as BatchNorm1d, BatchNorm2d as BatchNorm2d, InstanceNorm1d as InstanceNorm1d, InstanceNorm2d as InstanceNorm2d
from .padding import CircularPad1d as CircularPad1d, CircularPad2d as CircularPad2d, ConstantPad1d as ConstantPad1d, ConstantPad2d as ConstantPad2d, ReflectionPad1d as ReflectionPad1d, ReflectionPad2d as ReflectionPad2d, ReplicationPad1d as ReplicationPad1d, ReplicationPad2d as ReplicationPad2d, ZeroPad1d as ZeroPad1d, ZeroPad2d as ZeroPad2d
from .parallel import DataParallel as DataParallel
from .pooling import MaxPool1d as MaxPool1d, MaxPool2d as MaxPool2d, AvgPool2d as AvgPool2d, LPPool1d as LPPool1d, LPPool2d as LPPool2d, AdaptiveAvgPool1d as AdaptiveAvgPool1d, AdaptiveAvgPool2d as AdaptiveAvgPool2d, AdaptiveMaxPool1d as AdaptiveMaxPool1d, AdaptiveMaxPool2d as AdaptiveMaxPool2d, AvgPool1d as AvgPool1d, MaxUnpool1d as MaxUnpool1d, MaxUnpool2d as MaxUnpool2d, Upsample as Upsample, UpsamplingNearest2d as UpsamplingNearest2d, UpsamplingBilinear2d as UpsamplingBilinear2d
from .recurrent import GRU as GRU, LSTM as LSTM, RNN as RNN, GRUCell as GRUCell, LSTMCell as LSTMCell, RNNBase as RNNBase, RNNCell as RNNCell, RNNCellBase as RNNCellBase
from .shaping import Flatten as Flatten, Unflatten as Unflatten, Fold as Fold, Unfold as Unfold, PixelShuffle as PixelShuffle, PixelUnshuffle as PixelUnshuffle, ChannelShuffle as ChannelShuffle
from .transformer import Transformer as Transformer, TransformerDecoder as TransformerDecoder, TransformerDecoderLayer as TransformerDecoderLayer, TransformerEncoder as TransformerEncoder, TransformerEncoderLayer as TransformerEncoderLayer
