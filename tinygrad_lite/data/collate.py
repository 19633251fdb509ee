"""Making one batch of many rows."""

import copy
import reprlib
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from ..creation import as_tensor, tensor
from ..ops import stack
from ..tensor import Tensor

TEXT = (str, bytes)


def _same(like: Any, parts: Any) -> Any:
    """A container of the same type with other contents; a list or a dict where the type cannot be made of them."""
    try:
        if hasattr(like, "_fields"):  # a named tuple
            return type(like)(*parts)
        if isinstance(like, MutableMapping):  # it may hold more than its items, as defaultdict does
            like = copy.copy(like)
            like.update(parts)
            return like
        return type(like)(parts)
    except TypeError:
        return parts


def default_collate(batch: Sequence) -> Any:
    """Make one batch of a list of rows, as DataLoader does unless it is given a collate_fn.

    Tensors, arrays and numbers are stacked to a tensor, and text becomes a list; rows that are tuples, lists or dicts
    give one of them that holds batches. Python's floats give float64, as in PyTorch. Rows of different lengths are a
    RuntimeError, other kinds of things a TypeError.

    >>> tl.data.default_collate([(tl.ones(2), 0), (tl.zeros(2), 1)])
    [tensor([[1., 1.],
            [0., 0.]]), tensor([0, 1])]
    >>> tl.data.default_collate([{"word": "yes", "count": 3}, {"word": "no", "count": 5}])
    {'word': ['yes', 'no'], 'count': tensor([3, 5])}
    """
    first = batch[0]
    if isinstance(first, TEXT):
        return batch
    if isinstance(first, (int, float)):
        if not all(isinstance(x, (int, float, np.number)) for x in batch):
            raise TypeError(f"default_collate: some rows have numbers where others have none: {reprlib.repr(batch)}")
        return tensor(list(batch), dtype=np.float64 if isinstance(first, float) else None)
    if all(isinstance(x, (np.ndarray, np.generic)) for x in batch) and len({(x.shape, x.dtype) for x in batch}) == 1:
        return as_tensor(np.stack(batch))
    if isinstance(first, (Tensor, np.ndarray, np.generic)):
        return stack([as_tensor(x) for x in batch], 0)
    if isinstance(first, Mapping):
        return _same(first, {key: default_collate([row[key] for row in batch]) for key in first})
    if not isinstance(first, Sequence):
        raise TypeError("default_collate: makes batches of tensors, arrays, numbers, text, and tuples, lists and dicts "
                        f"of them, not of {type(first).__name__}; write a collate_fn")
    if any(len(row) != len(first) for row in batch):
        raise RuntimeError(f"default_collate: the rows of a batch have the same length, not {list(map(len, batch))}; "
                           "write a collate_fn that pads them")
    parts = [default_collate(part) for part in zip(*batch)]
    return parts if type(first) is tuple else _same(first, parts)


def default_convert(row: Any) -> Any:
    """Make tensors of the arrays in a row that is in no batch: in tuples, lists and dicts too; all else stays.

    DataLoader does this with batch_size=None unless it is given a collate_fn. The tensors share the arrays' memory.

    >>> tl.data.default_convert({"x": np.array([1.0, 2.0]), "name": "first"})
    {'x': tensor([1., 2.], dtype=float64), 'name': 'first'}
    """
    if isinstance(row, (np.ndarray, np.generic)) and row.dtype.kind in "biuf":
        return as_tensor(row)
    if isinstance(row, Mapping):
        return _same(row, {key: default_convert(value) for key, value in row.items()})
    if isinstance(row, Sequence) and not isinstance(row, TEXT):
        parts = [default_convert(x) for x in row]
        return parts if type(row) is tuple else _same(row, parts)
    return row
