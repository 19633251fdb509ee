"""Layers and functions of neural networks."""

from tinygrad_lite.engine.spellings import hinting as _hinting

from . import batching, by_hand, functional, generation, init
from .attention import MultiheadAttention
from .containers import ModuleDict, ModuleList, Sequential
from .layers import CrossEntropyLoss, Dropout, Flatten, Linear, MSELoss, ReLU, Sigmoid, Tanh
from .module import Module, Parameter

__getattr__ = _hinting(globals())
