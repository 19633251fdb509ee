"""Optimizers: one base, and one update rule each."""

from tinygrad_lite.engine.spellings import hinting as _hinting

from . import lr_scheduler, swa_utils
from .adam import Adam, Adamax, AdamW, NAdam, RAdam
from .adaptive import Adadelta, Adafactor, Adagrad, RMSprop
from .lbfgs import LBFGS
from .muon import Muon
from .optimizer import Optimizer
from .sgd import ASGD, SGD, Lion, Rprop

__getattr__ = _hinting(globals())
