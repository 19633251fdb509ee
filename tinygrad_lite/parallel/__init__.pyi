# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
import typing as _typing
import numpy as _np
from builtins import float as _Float
from .data_parallel import DataParallel as DataParallel, DistributedSampler as DistributedSampler, average_gradients as average_gradients, count_rows as count_rows, save as save, shard as shard
from .ranks import Group as Group, group as group
