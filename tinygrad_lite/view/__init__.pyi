# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
import typing as _typing
import numpy as _np
from builtins import float as _Float
from . import plot as plot
from .explorer import explore as explore
from .picture import draw as draw
from .study import study as study
from .tape import Step as Step, Tape as Tape
