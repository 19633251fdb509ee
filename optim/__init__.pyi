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
from . import lr_scheduler as lr_scheduler, swa_utils as swa_utils
from .adam import Adam as Adam, Adamax as Adamax, AdamW as AdamW, NAdam as NAdam, RAdam as RAdam
from .adaptive import Adadelta as Adadelta, Adafactor as Adafactor, Adagrad as Adagrad, RMSprop as RMSprop
from .lbfgs import LBFGS as LBFGS
from .muon import Muon as Muon
from .optimizer import Optimizer as Optimizer
from .sgd import ASGD as ASGD, SGD as SGD, Lion as Lion, Rprop as Rprop
