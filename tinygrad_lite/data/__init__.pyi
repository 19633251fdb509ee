# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
from builtins import bool as Bool
from builtins import float as Float
from builtins import int as Int
from builtins import str as Str
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, overload

import numpy

from tinygrad_lite.tensor import Tensor as Tensor

import zipfile
import zlib
from pathlib import Path
import numpy as np
from .collate import default_collate as default_collate, default_convert as default_convert
from .dataset import ChainDataset as ChainDataset, ConcatDataset as ConcatDataset, Dataset as Dataset, IterableDataset as IterableDataset, StackDataset as StackDataset, Subset as Subset, TensorDataset as TensorDataset, random_split as random_split
from .loader import DataLoader as DataLoader, get_worker_info as get_worker_info
from .sampler import BatchSampler as BatchSampler, RandomSampler as RandomSampler, Sampler as Sampler, SequentialSampler as SequentialSampler, SubsetRandomSampler as SubsetRandomSampler, WeightedRandomSampler as WeightedRandomSampler
DIGITS: Any
BREAST_CANCER: Any
def load_digits(path: str | Path=DIGITS) -> tuple[np.ndarray, np.ndarray]:
    ...
def load_breast_cancer(path: str | Path=BREAST_CANCER) -> tuple[np.ndarray, np.ndarray]:
    ...
def split(x: np.ndarray, y: np.ndarray, share: float=0.8, seed: int=0) -> tuple[np.ndarray, ...]:
    ...
