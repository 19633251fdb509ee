"""Datasets: what has rows by number, or gives them one after another."""

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from ..creation import as_tensor
from ..random import Generator, randperm

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """The base of datasets that have rows by number: `dataset[i]` is one, `len(dataset)` how many there are.

    A subclass defines __getitem__ and __len__. `__getitems__(indices)`, where there is one, gives a list of rows at
    once; DataLoader reads by it. The sum of two datasets is a ConcatDataset.

    >>> class Squares(tl.data.Dataset):
    ...     def __getitem__(self, i):
    ...         return i, i * i
    ...     def __len__(self):
    ...         return 4
    >>> list(tl.data.DataLoader(Squares(), batch_size=2))
    [[tensor([0, 1]), tensor([0, 1])], [tensor([2, 3]), tensor([4, 9])]]
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} is a Dataset without __getitem__(index): give the row there")

    def __add__(self, other: "Dataset") -> "ConcatDataset":
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """The base of datasets that give rows one after another, by `__iter__`: streams, files too large to index.

    Each worker of a DataLoader iterates over a copy of it: share the rows out by `get_worker_info()`. The sum of two is
    a ChainDataset.

    >>> class Countdown(tl.data.IterableDataset):
    ...     def __iter__(self):
    ...         return iter([3, 2, 1])
    >>> list(tl.data.DataLoader(Countdown(), batch_size=2))
    [tensor([3, 2]), tensor([1])]
    """

    def __add__(self, other: Dataset) -> "ChainDataset":  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple]):
    """The rows of tensors or arrays that have the same first size: dataset[i] is the tuple of their rows i.

    Different first sizes are an AssertionError.

    >>> dataset = tl.data.TensorDataset(tl.tensor([[1.0, 2.0], [3.0, 4.0]]), tl.tensor([0, 1]))
    >>> dataset[1]
    (tensor([3., 4.]), tensor(1))
    """

    def __init__(self, *tensors: Any) -> None:
        self.tensors = tuple(map(as_tensor, tensors))
        sizes = [len(t) if t.ndim else None for t in self.tensors]
        if not sizes or None in sizes or len(set(sizes)) > 1:
            raise AssertionError(f"TensorDataset: takes tensors of the same first size, not of shapes "
                                 f"{[t.shape for t in self.tensors]}")

    def __getitem__(self, index: Any) -> tuple:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class StackDataset(Dataset):
    """Several datasets of one length side by side: rows are tuples of theirs, or dicts where they are given by name.

    Different lengths are a ValueError.

    >>> dataset = tl.data.StackDataset(image=["cat.png", "dog.png"], label=[0, 1])
    >>> dataset[1]
    {'image': 'dog.png', 'label': 1}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ValueError("StackDataset: takes datasets one by one, or all by name")
        self.datasets: Any = kwargs or args
        self._length, *others = [len(d) for d in (*args, *kwargs.values())]
        if any(n != self._length for n in others):
            raise ValueError(f"StackDataset: the datasets have the same length, not {[self._length, *others]}")

    def __getitem__(self, index: int) -> Any:
        if isinstance(self.datasets, dict):
            return {name: d[index] for name, d in self.datasets.items()}
        return tuple(d[index] for d in self.datasets)

    def __len__(self) -> int:
        return self._length


class Subset(Dataset[T_co]):
    """Some rows of a dataset: row i is its row `indices[i]`.

    >>> subset = tl.data.Subset(["a", "b", "c", "d"], [3, 1])
    >>> list(subset)
    ['d', 'b']
    """

    def __init__(self, dataset: Any, indices: Sequence) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> T_co:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list) -> list:
        return rows(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[T_co]):
    """The rows of several datasets by number, one dataset after the other.

    An IterableDataset among them is an AssertionError: ChainDataset takes those.

    >>> dataset = tl.data.ConcatDataset([["a", "b"], ["c"]])
    >>> len(dataset), dataset[2], dataset[-3]
    (3, 'c', 'a')
    """

    def __init__(self, datasets: Iterable) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("ConcatDataset: takes at least one dataset")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise AssertionError("ConcatDataset: an IterableDataset has no rows by number; use ChainDataset")
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __getitem__(self, index: int) -> T_co:
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise (ValueError if place < 0 else IndexError)(f"ConcatDataset: there is no row {index} of {len(self)}")
        at = bisect.bisect_right(self.cumulative_sizes, place)
        return self.datasets[at][place - (self.cumulative_sizes[at - 1] if at else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset):
    """The rows of several IterableDatasets, one dataset after the other.

    >>> class Upto(tl.data.IterableDataset):
    ...     def __init__(self, n):
    ...         self.n = n
    ...     def __iter__(self):
    ...         return iter(range(self.n))
    >>> list(tl.data.ChainDataset([Upto(2), Upto(3)]))
    [0, 1, 0, 1, 2]
    """

    def __init__(self, datasets: Iterable) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator:
        return itertools.chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(len(d) for d in self.datasets)


def random_split(dataset: Any, lengths: Sequence, generator: Generator | None = None) -> list[Subset]:
    """Cut a dataset into parts of these lengths, rows in a random order: a list of Subsets.

    Fractions that add up to 1 are of all rows; what is left over goes to the first parts, a row each. Lengths that do
    not add up to the dataset's are a ValueError. generator: where the order comes from, else the library's.

    >>> train, test = tl.data.random_split(range(10), [0.7, 0.3])
    >>> len(train), len(test), sorted([*train, *test])
    (7, 3, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for i, share in enumerate(lengths):
            if not 0 <= share <= 1:
                raise ValueError(f"random_split: a fraction is between 0 and 1, and lengths[{i}] is {share}")
        counts = [math.floor(len(dataset) * share) for share in lengths]
        for i in range(len(dataset) - sum(counts)):
            counts[i % len(counts)] += 1
        for i, count in enumerate(counts):
            if count == 0:
                warnings.warn(f"random_split: part {i} has no rows", stacklevel=2)
        lengths = counts
    if sum(lengths) != len(dataset):
        raise ValueError(f"random_split: the lengths add up to {sum(lengths)}, and the dataset has {len(dataset)} rows")
    order = randperm(len(dataset), generator=generator).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - count:end]) for end, count in zip(ends, lengths)]


# ---------------------------------------------------------------- reading
def rows(dataset: Any, indices: list) -> list:
    """The rows of these numbers; an error says of which."""
    if callable(getattr(dataset, "__getitems__", None)):
        return dataset.__getitems__(indices)
    at = None
    try:
        return [dataset[at := i] for i in indices]
    except Exception as error:
        error.add_note(f"reading row {at} of a {type(dataset).__name__}")
        raise


def columns(dataset: Any, indices: list) -> list | None:
    """The rows of these numbers stacked to a tensor each, read by one index; None where that would not be the same."""
    read = type(dataset).__getitem__ if isinstance(dataset, Dataset) else None
    if read is Subset.__getitem__ and type(dataset).__getitems__ is Subset.__getitems__:
        return columns(dataset.dataset, [dataset.indices[i] for i in indices])
    if read is not TensorDataset.__getitem__ or hasattr(dataset, "__getitems__") or not indices:
        return None
    index = np.asarray(indices)
    if index.ndim != 1 or index.dtype.kind not in "iu":
        return None
    return [t[index] for t in dataset.tensors]
