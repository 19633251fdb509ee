# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
from builtins import bool as Bool
from builtins import float as Float
from builtins import int as Int
from builtins import str as Str
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, overload

import numpy

from tinygrad_lite.tensor import Tensor as Tensor

from .derive import derive as derive
