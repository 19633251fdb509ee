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
    """An order of rows: what `__iter__` gives is what the dataset is asked for. A subclass says how."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} is a Sampler without __iter__(): give the rows there")


class SequentialSampler(Sampler[int]):
    """0, 1, 2, …"""

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """All rows in a random order, anew each time; or `num_samples`, with replacement or shuffle after shuffle."""

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
    """Some rows' numbers in a random order, anew each time."""

    def __init__(self, indices: Sequence, generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator:
        return (self.indices[i] for i in randperm(len(self.indices), generator=self.generator).tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` rows in proportion to their weights."""

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
    """Lists of `batch_size` of what another sampler gives; drop_last leaves out a last one that is shorter."""

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
