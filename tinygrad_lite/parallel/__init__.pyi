# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
from builtins import bool as Bool
from builtins import float as Float
from builtins import int as Int
from builtins import str as Str
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, overload

import numpy

from tinygrad_lite.tensor import Tensor as Tensor

from .data_parallel import DataParallel as DataParallel, DistributedSampler as DistributedSampler, average_gradients as average_gradients, count_rows as count_rows, save as save, shard as shard
from .ranks import Group as Group, group as group
