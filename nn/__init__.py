"""Layers and functions of neural networks."""

from tinygrad_lite.engine.spellings import hinting as _hinting

from . import batching, by_hand, functional, generation, init
from .activations import *
from .attention import MultiheadAttention
from .containers import ModuleDict, ModuleList, Sequential
from .convolution import *
from .dropouts import *
from .embedding import *
from .linear import *
from .losses import *
from .module import Module, Parameter
from .normalization import *
from .padding import *
from .pooling import *
from .shaping import *

__getattr__ = _hinting(globals())
