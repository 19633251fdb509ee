"""Optimizers: one base, and one update rule each."""

import typing as _typing

from tinygrad_lite.engine.spellings import hinting as _hinting

from . import lr_scheduler, swa_utils
from .adam import Adam, Adamax, AdamW, NAdam, RAdam
from .adaptive import Adadelta, Adafactor, Adagrad, RMSprop
from .lbfgs import LBFGS
from .muon import Muon
from .optimizer import Optimizer
from .sgd import ASGD, SGD, Lion, Rprop

if not _typing.TYPE_CHECKING:  # to whom all names are known
    __getattr__ = _hinting(globals())
