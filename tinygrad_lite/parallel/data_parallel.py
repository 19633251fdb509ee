"""Data-parallel training: every rank has the whole model and a share of the rows, and gradients are averaged.

What is promised is the step of one process with all rows, for a loss that is a mean over the rows of its batch: the
mean over all rows is the mean of the ranks' means, weighted by their numbers of rows.
"""

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .. import saving
from ..data.sampler import Sampler
from ..engine.changes import stamp
from ..engine.mode import is_grad_enabled, quiet
from ..engine.tape import box
from ..engine.values import unbox
from ..nn.module import Module
from ..optim import Optimizer
from ..random import SEEDS, Generator, initial_seed, manual_seed, randperm
from ..tensor import Tensor
from .group import group

PART = 4096  # whole numbers travel as two: how often this is in them, and the rest; a float32 has both exactly


def average_gradients(parameters: Iterable[Tensor], rows: int, extra: Sequence[float] = ()) -> np.ndarray:
    """Let every gradient be the mean of all ranks' gradients, weighted by their rows; gives the sums of `extra`.

    It is one sum over the ranks, in float32 or the widest dtype of the parameters. A gradient that is None on some ranks
    counts as zeros there, one that is None on all stays None. A rank of 0 rows has no say, and its gradients are not
    read. A RuntimeError where ranks give other parameters, or are in another pass of their DistributedSampler.
    """
    parameters = list(parameters)
    if group().size == 1:
        return np.array(extra, np.float64)
    means, sums = _means([unbox(p.grad) for p in parameters], parameters, rows, extra)
    for p, mean in zip(parameters, means):
        p.grad = None if mean is None else box(mean)
    return sums


@quiet
def _means(arrays: Sequence[Any], like: Sequence[Tensor], rows: int, extra: Sequence[float]) -> tuple[list, np.ndarray]:
    """The mean of each array over the ranks, None where no rank has one, and the sums of `extra`."""
    ours, sizes = group(), [t.array.size for t in like]
    there = [rows > 0 and array is not None for array in arrays]
    equal = [ours.passes, len(extra), sum(sizes)]  # on all ranks, or something is wrong
    head = [part for number in (rows, *equal) for part in divmod(number, PART)]
    ends = np.cumsum([len(head), len(there), len(extra), *sizes])
    flat = np.zeros(ends[-1], np.result_type(np.float32, *[t.dtype for t in like]))
    flat[: ends[2]] = [*head, *there, *extra]
    counts, owners, sums, *parts = np.split(flat, ends[:-1])
    for part, array in zip(parts, arrays):
        if rows > 0 and array is not None:
            np.multiply(array.reshape(-1), rows, out=part)
    ours.sum(flat, call="average")
    total, *found = (int(high) * PART + int(low) for high, low in counts.reshape(-1, 2))
    _refuse_apart([number / ours.size for number in found], equal)
    flat[ends[2]:] /= max(total, 1)
    return [part.reshape(t.shape).astype(t.dtype, copy=False) if owned else None
            for part, t, owned in zip(parts, like, owners)], sums.astype(np.float64)


def _refuse_apart(mean: list[float], own: list[int]) -> None:
    """RuntimeError unless the ranks are in the same pass with the same parameters."""
    if mean[1:] != own[1:]:
        raise RuntimeError("average_gradients: ranks differ in their parameters, or in how many extra numbers they give")
    if mean != own:
        raise RuntimeError(f"this rank is in pass {own[0]} over the data and another rank in another: their numbers of "
                           "batches differ; put the loop over the batches inside `with model.join():`")


def shard(batch: Any) -> Any:
    """This rank's rows of a batch: rank, rank + size, … of each array or Tensor in tuples, lists and dicts.

    A ValueError where the arrays differ in their number of rows.
    """
    lengths: set[int] = set()

    def part(x: Any) -> Any:
        if isinstance(x, dict):
            return {key: part(value) for key, value in x.items()}
        if isinstance(x, tuple | list):
            return type(x)(map(part, x))
        lengths.add(len(x))
        return x[group().rank :: group().size]

    found = part(batch)
    if len(lengths) > 1:
        raise ValueError(f"shard: the arrays of a batch have the same number of rows, not {sorted(lengths)}")
    return found


def save(state: Any, path: str | Path | BinaryIO) -> None:
    """`tl.save` by rank 0, for which the others wait; its error is raised on all ranks."""
    error = None
    if group().rank == 0:
        try:
            saving.save(state, path)
        except Exception as failed:
            error = failed
    error = group().broadcast(error)
    if error is not None:
        raise error


class DataParallel(Module):
    """A module that every rank calls on its own rows, and whose optimizers take the step of all rows.

    Parameters, buffers and the optimizers' states are those of rank 0 from the start; modules that differ are a
    RuntimeError. A rank backpropagates a mean over its rows; a step begins with the average of the gradients, weighted by
    the rows (the size of `dim` of the first array) that this was called with since gradients were None. Several calls a
    step are right where a rank's share of the rows is the same in each. Whoever changes gradients before the step, such
    as clip_grad_norm_, calls `average()` before that.

    Running statistics, that is buffers of real numbers that change, are averaged as gradients are. Random numbers differ
    by rank; those of rank 0 are as if it were alone. state_dict() has the names of `module`, so that a checkpoint is the
    same with and without this. A group of one rank does nothing but call the module.
    """

    def __init__(self, module: Module, *optimizers: Optimizer, dim: int = 0) -> None:
        self.module, self.optimizers, self.dim = module, optimizers, dim
        self._rows, self._averaged = 0, False
        held = set(map(id, module.parameters()))
        if any(id(p) not in held for o in optimizers for g in o.param_groups for p in g["params"]):
            raise ValueError("DataParallel: an optimizer has parameters that are not the module's, which would differ by "
                             "rank; put all into one module")
        if group().size > 1:
            self._begin()

    def _begin(self) -> None:
        named = [*self.module.named_parameters(), *self.module.named_buffers()]
        of_ranks = group().gather([f"{name} {t.dtype} {list(t.shape)}" for name, t in named])
        for rank, theirs in enumerate(of_ranks):
            for first, other in itertools.zip_longest(of_ranks[0], theirs, fillvalue="nothing more"):
                if first != other:
                    raise RuntimeError(f"DataParallel: the modules differ: rank 0 has {first}, rank {rank} has {other}")
        self._take_over(0)
        seed = group().broadcast(initial_seed())
        if group().rank > 0:
            manual_seed((seed + group().rank) % SEEDS)
        for optimizer in self.optimizers:
            optimizer.register_step_pre_hook(self._before_step)

    def _take_over(self, source: int, *others: Any) -> None:
        """Be what a rank is: parameters, buffers, the optimizers' states, and those of others."""
        tensors = [*self.module.parameters(), *self.module.buffers()]
        for t, new in zip(tensors, group().broadcast([t.array for t in tensors], source)):
            t.array[...] = new
            stamp(t.array)
        for held in (*self.optimizers, *others):
            held.load_state_dict(group().broadcast(held.state_dict(), source))
        self._before = [b.array.copy() for b in self._statistics()]

    def _statistics(self) -> list[Tensor]:
        return [b for b in self.module.buffers() if b.dtype.kind == "f"]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's own result."""
        if is_grad_enabled() and group().size > 1:
            if all(p.grad is None for p in self.module.parameters()):
                self._rows = 0  # what was counted before led to no gradients: an evaluation
            self._rows += next((x.shape[self.dim] for x in (*args, *kwargs.values()) if getattr(x, "ndim", 0)), 1)
            self._averaged = False
        return self.module(*args, **kwargs)

    def average(self) -> None:
        """Average the gradients now, and not when the step begins: before they are clipped or looked at."""
        if group().size > 1 and not self._averaged:
            rows, _ = self._average(1)
            if not rows:
                raise RuntimeError("DataParallel: no rank has rows in this step: call the DataParallel and not what it "
                                   "holds, before each step")

    def _average(self, active: int) -> np.ndarray:
        """One average; how many rows and how many ranks with batches took part."""
        trained = [p for p in self.module.parameters() if p.requires_grad]
        statistics = self._statistics()
        changed = [None if np.array_equal(b.array, old) else b.array for b, old in zip(statistics, self._before)]
        means, sums = _means([*(unbox(p.grad) for p in trained), *changed], [*trained, *statistics], self._rows,
                             (self._rows, active))
        for p, mean in zip(trained, means):
            p.grad = None if mean is None else box(mean)
        for b, mean in zip(statistics, means[len(trained) :]):
            if mean is not None:
                b.array[...] = mean
                stamp(b.array)
        self._before = [b.array.copy() for b in statistics]
        self._rows, self._averaged = 0, True
        return sums

    def _before_step(self, optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        if len(args) + len(kwargs) > 1:
            raise RuntimeError("DataParallel: step(closure) would compute gradients after they were averaged: compute "
                               "them first, then call step()")
        self.average()

    @contextlib.contextmanager
    def join(self, *others: Any) -> Iterator[None]:
        """Around a loop of which ranks have different numbers of batches: who is done waits for all, without a say.

        Afterwards all ranks are what one is that had the most batches: module, optimizers, and `others` that have a
        state_dict, such as a scheduler. Inside the loop ranks exchange nothing else.
        """
        yield
        steps = 0  # that others took without this rank
        while group().size > 1 and self._average(0)[1]:
            steps += 1
        missed = group().gather(steps)
        if any(missed):
            self._take_over(missed.index(0), *others)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """That of `module`."""
        return self.module.state_dict(*args, **kwargs)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Into `module`, on this rank: call it on all ranks, or on rank 0 before the DataParallel is made."""
        return self.module.load_state_dict(*args, **kwargs)


class DistributedSampler(Sampler[int]):
    """A rank's rows of each pass over a dataset: rank, rank + num_replicas, … of an order that all ranks share.

    The order differs by `set_epoch`, which belongs before each pass. Unlike PyTorch's it repeats no rows to make ranks
    equal: the k-th batches of b rows of all ranks together are the rows from k * b * num_replicas on of the order, and
    where ranks have different numbers of batches the loop belongs inside `model.join()`; or drop_last leaves out the last
    rows, so that all have as many.
    """

    def __init__(self, dataset: Any, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = True,
                 seed: int = 0, drop_last: bool = False) -> None:
        self.dataset, self.shuffle, self.seed, self.drop_last, self.epoch = dataset, shuffle, seed, drop_last, 0
        self.num_replicas = group().size if num_replicas is None else num_replicas
        self.rank = group().rank if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(f"Invalid rank {self.rank}, rank should be in the interval [0, {self.num_replicas - 1}]")

    def set_epoch(self, epoch: int) -> None:
        """Which pass is next: another order, the same on all ranks."""
        self.epoch = epoch

    def _places(self) -> range:
        rows = len(self.dataset)
        return range(self.rank, rows - rows % self.num_replicas if self.drop_last else rows, self.num_replicas)

    def __iter__(self) -> Iterator[int]:
        group().passes += 1
        order = randperm(len(self.dataset), generator=Generator(self.seed + self.epoch)).array if self.shuffle else None
        return (i if order is None else int(order[i]) for i in self._places())

    def __len__(self) -> int:
        return len(self._places())
