"""Samplers: in which order a DataLoader reads rows, and which of them are a batch."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from ..engine.tape import box
from ..engine.values import as_array
from ..random import Generator, multinomial, randint, randperm

T_co = TypeVar("T_co", covariant=True)
ONCE = 32  # numbers that are drawn at once with replacement


def positive(name: str, number: Any) -> None:
    """A ValueError where it is no whole number above 0."""
    if not isinstance(number, (int, np.integer)) or isinstance(number, bool) or number <= 0:
        raise ValueError(f"{name} should be a positive integer, not {number!r}")


def boolean(name: str, value: Any, kind: type[Exception] = ValueError) -> None:
    """An error where it is neither True nor False."""
    if not isinstance(value, bool):
        raise kind(f"{name} should be True or False, not {value!r}")


def draw_seed(generator: Generator | None) -> int:
    """A seed, drawn from a generator."""
    return randint(0, 2**63 - 1, (), generator=generator).item()


class Sampler(Generic[T_co]):
    """The base of samplers: what `__iter__` gives are the rows' numbers, in the order in which DataLoader reads them.

    A subclass defines __iter__, and __len__ where len(loader) is asked for.

    >>> class Backwards(tl.data.Sampler):
    ...     def __iter__(self):
    ...         return iter([2, 1, 0])
    >>> list(tl.data.DataLoader(["a", "b", "c"], sampler=Backwards()))
    [['c'], ['b'], ['a']]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} is a Sampler without __iter__(): give the rows there")


class SequentialSampler(Sampler[int]):
    """All rows' numbers in order: 0, 1, 2, … up to the dataset's length.

    >>> list(tl.data.SequentialSampler(["a", "b", "c"]))
    [0, 1, 2]
    """

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """All rows' numbers in a random order, anew each time: what shuffle=True takes.

    num_samples asks for more or fewer of them: with replacement=True each is drawn from all, else shuffle follows
    shuffle. generator: where the order comes from, else the library's. num_samples below 1 is a ValueError.

    >>> sampler = tl.data.RandomSampler(range(5))
    >>> sorted(sampler)
    [0, 1, 2, 3, 4]
    >>> len(list(tl.data.RandomSampler(range(5), replacement=True, num_samples=12)))
    12
    """

    def __init__(self, data_source: Any, replacement: bool = False, num_samples: int | None = None,
                 generator: Generator | None = None) -> None:
        boolean("replacement", replacement, TypeError)
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples
        positive("num_samples", self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many rows an epoch has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n = len(self.data_source)
        generator = self.generator or Generator(draw_seed(None))  # one that nobody else draws from
        draws = ((randint(n, (ONCE,), generator=generator) if self.replacement else randperm(n, generator=generator))
                 for _ in itertools.repeat(None))
        return itertools.islice((i for drawn in draws for i in drawn.tolist()), self.num_samples)

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The numbers in `indices` in a random order, anew each time: some of a dataset's rows.

    >>> sampler = tl.data.SubsetRandomSampler([1, 3, 5])
    >>> sorted(sampler)
    [1, 3, 5]
    """

    def __init__(self, indices: Sequence, generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator:
        return (self.indices[i] for i in randperm(len(self.indices), generator=self.generator).tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Draws num_samples rows' numbers in proportion to weights that need not add up to 1: for rare classes, say.

    Without replacement no row comes twice. weights (N,), else a ValueError.

    >>> sampler = tl.data.WeightedRandomSampler([0.0, 1.0, 0.0, 3.0], num_samples=100)  # rows 1 and 3, and 3 more often
    >>> sorted(set(sampler))
    [1, 3]
    """

    def __init__(self, weights: Any, num_samples: int, replacement: bool = True,
                 generator: Generator | None = None) -> None:
        positive("num_samples", num_samples)
        boolean("replacement", replacement)
        self.weights = box(as_array(weights).astype(np.float64))
        if self.weights.ndim != 1:
            raise ValueError(f"weights should be one number a row, not of shape {self.weights.shape}")
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        return iter(multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list]):
    """Lists of batch_size of the numbers that another sampler gives; drop_last=True leaves out a shorter last one.

    >>> sampler = tl.data.SequentialSampler(range(5))
    >>> list(tl.data.BatchSampler(sampler, batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable, batch_size: int, drop_last: bool) -> None:
        positive("batch_size", batch_size)
        boolean("drop_last", drop_last)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list]:
        order = iter(self.sampler)
        while batch := list(itertools.islice(order, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
