# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
import typing as _typing
import numpy as _np
from builtins import float as _Float
from .folder import CHECKPOINT as CHECKPOINT, LOG as LOG, PICTURE as PICTURE, Stopped as Stopped, read_checkpoint as read_checkpoint
from .trainer import Trainer as Trainer
