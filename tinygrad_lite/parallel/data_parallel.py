"""Data-parallel training: every rank has the whole model and a share of the rows, and gradients are averaged.

What is promised is the step of one process with all rows, for a loss that is a mean over the rows of its batch: the
mean over all rows is the mean of the ranks' means, weighted by their numbers of rows.
"""

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import saving
from ..data.sampler import Sampler
from ..engine.changes import changed_since, next_place, stamp
from ..engine.mode import is_grad_enabled, quiet
from ..engine.tape import box
from ..engine.trees import leaves, mapped
from ..engine.values import unbox
from ..nn.module import Module
from ..optim import Optimizer
from ..random import SEEDS, Generator, initial_seed, manual_seed, randperm
from ..tensor import Tensor
from .ranks import group

PART = 4096  # whole numbers travel as two: how often this is in them, and the rest; a float32 has both exactly


@quiet
def average(arrays: Sequence, like: Sequence[Tensor], rows: int, extra: Sequence[float],
            changed: Sequence[bool] | None = None) -> tuple[list, np.ndarray]:
    """The mean of each array over the ranks, weighted by their rows, and the sums of `extra`, by one sum of one array.

    arrays: each of the shape of the Tensor in `like`, or None, which counts as zeros; a mean is None where no rank has
    an array, or none that is `changed`. RuntimeError where ranks differ in what they average or in their pass over the
    data.
    """
    there = [array is not None and rows > 0 for array in arrays]
    told = there if changed is None else [a and b for a, b in zip(there, changed)]
    sizes = [t.array.size for t in like]
    equal = [group().passes, len(extra), sum(sizes)]  # on all ranks, or something is wrong
    counts = [part for number in (rows, *equal) for part in divmod(number, PART)]
    ends = np.cumsum([len(counts), len(extra), len(there), *sizes])
    flat = np.zeros(ends[-1], np.result_type(np.float32, *[t.dtype for t in like]))
    flat[: ends[2]] = [*counts, *extra, *told]
    _, sums, owners, *parts = np.split(flat, ends[:-1])
    for part, array, own in zip(parts, arrays, there):
        if own:
            np.multiply(array.reshape(-1), rows, out=part, dtype=flat.dtype)  # in float16 it may overflow
    group().sum(flat, call="average")
    total, *found = (int(flat[i]) * PART + int(flat[i + 1]) for i in range(0, len(counts), 2))
    if found != [number * group().size for number in equal]:
        raise RuntimeError(f"ranks differ: this is in pass {equal[0]} over the data and averages {equal[2]} numbers; "
                           "where numbers of batches differ, the loop over them belongs inside `with model.join():`")
    flat[ends[2] :] /= max(total, 1)
    means = [part.reshape(t.shape).astype(t.dtype, copy=False) for part, t in zip(parts, like)]
    return [mean if owned else None for mean, owned in zip(means, owners)], sums.astype(np.float64)


def average_gradients(parameters: Iterable[Tensor], rows: int, extra: Sequence[float] = ()) -> np.ndarray:
    """Let every gradient be the mean of the ranks' gradients, weighted by their rows; gives the sums of `extra`.

    One sum over the ranks, in float32 or the widest dtype of the parameters. A gradient that is None on some ranks
    counts as zeros there, one that is None on all stays None. Nothing of a rank of 0 rows is read but `extra`. Where
    there is one rank, nothing changes:

    >>> from tinygrad_lite.parallel import average_gradients
    >>> w = tl.tensor([1.0, 2.0], requires_grad=True)
    >>> (w**2).mean().backward()
    >>> average_gradients([w], rows=2, extra=[2.5])
    array([2.5])
    >>> w.grad
    tensor([1., 2.])
    """
    parameters = list(parameters)
    if group().size == 1:
        return np.array(extra, np.float64)
    means, sums = average([unbox(p.grad) for p in parameters], parameters, rows, extra)
    for p, mean in zip(parameters, means):
        p.grad = None if mean is None else box(mean)
    return sums


def write(tensors: Sequence[Tensor], arrays: Sequence[Any]) -> None:
    """Give Tensors other values, in place; None leaves one as it is."""
    for t, array in zip(tensors, arrays):
        if array is not None:
            t.array[...] = array
            stamp(t.array)


def shard(batch: Any, rank: int | None = None, size: int | None = None) -> Any:
    """A rank's rows of a batch, an array or Tensor, or tuples, lists and dicts of them: rank, rank + size, …

    rank, size: this one's of the group unless given. Numbers, which have no rows, are as they were. A ValueError where
    parts differ in their number of rows, a TypeError for text.

    >>> from tinygrad_lite.parallel import shard
    >>> shard(np.arange(5), rank=0, size=2), shard(np.arange(5), rank=1, size=2)
    (array([0, 2, 4]), array([1, 3]))
    """
    rank, size = group().rank if rank is None else rank, group().size if size is None else size
    count_rows(batch)
    return mapped(lambda x: x[rank::size] if getattr(x, "ndim", 0) else x, batch)


def count_rows(batch: Any) -> int:
    """How many rows a batch has, that is each of its arrays and Tensors, in tuples, lists and dicts.

    A ValueError where they differ in their number of rows, a TypeError for text.

    >>> from tinygrad_lite.parallel import count_rows
    >>> count_rows((np.ones((5, 3)), np.ones(5)))
    5
    """
    parts = leaves(batch)
    if text := next((x for x in parts if isinstance(x, str | bytes)), None):
        raise TypeError(f"parallel: the rows of a batch are in arrays and Tensors; {text!r} cannot be shared out")
    rows = [len(x) for x in parts if getattr(x, "ndim", 0)]
    if len(set(rows)) != 1:
        raise ValueError(f"parallel: all parts of a batch have the same number of rows, not {rows}")
    return rows[0]


def save(state: Any, path: Any) -> None:
    """Save like `tl.save`, but by rank 0 alone, for which the others wait; its error is raised on all ranks.

    >>> from tinygrad_lite.parallel import save
    >>> save({"w": tl.ones(2)}, "w.safetensors")
    >>> tl.load("w.safetensors")
    {'w': tensor([1., 1.])}
    """
    error = None
    if group().rank == 0:
        try:
            saving.save(state, path)
        except Exception as failed:
            error = failed
    if error := group().broadcast(error):
        raise error


class DataParallel(Module):
    """A module that every rank calls on its own rows, and whose optimizers take the step of all rows.

    Parameters, buffers and the optimizers' states are those of rank 0 from the start; modules that differ are a
    RuntimeError. A rank backpropagates a mean over its rows; a step begins with the average of the gradients, weighted
    by the rows (the size of `dim` of the first array) that this was called with since gradients were None. Several
    calls a step are right where a rank's share of the rows is the same in each. Whoever changes gradients before the
    step, such as clip_grad_norm_, calls `average()` before that.

    Running statistics, that is buffers of real numbers that change, are averaged as gradients are. Random numbers
    differ by rank; those of rank 0 are as if it were alone. state_dict() has the names of `module`, so that a
    checkpoint is the same with and without this. Where there is one rank, this only calls the module.

    >>> from tinygrad_lite.parallel import DataParallel, shard
    >>> module = nn.Linear(2, 1)
    >>> optimizer = optim.SGD(module.parameters(), lr=0.1)
    >>> model = DataParallel(module, optimizer)
    >>> F.mse_loss(model(shard(tl.ones(8, 2))), shard(tl.zeros(8, 1))).backward()
    >>> optimizer.step()  # the average of the gradients, and then the step
    >>> list(model.state_dict())
    ['weight', 'bias']
    """

    def __init__(self, module: Module, *optimizers: Optimizer, dim: int = 0) -> None:
        self.module, self.optimizers, self.dim = module, optimizers, dim
        self._rows, self._place = 0, 0  # since gradients were None; where the last call was, if it was not averaged
        self._may_step: list[Optimizer] = []  # by the last average
        held = set(map(id, module.parameters()))
        if any(id(p) not in held for o in optimizers for g in o.param_groups for p in g["params"]):
            raise ValueError("DataParallel: an optimizer has parameters that the module has not; make them its own")
        if group().size > 1:
            self._refuse_different()
            self._take_over(0)
            seed = group().broadcast(initial_seed())
            if group().rank:
                manual_seed((seed + group().rank) % SEEDS)
            for optimizer in optimizers:
                optimizer.register_step_pre_hook(self._before_step)

    def _refuse_different(self) -> None:
        named = [*self.module.named_parameters(), *self.module.named_buffers()]
        ranks = group().gather([f"{name} {t.dtype} {list(t.shape)}{' frozen' * (not t.requires_grad)}"
                                for name, t in named])
        for rank, theirs in enumerate(ranks):
            for ours, other in itertools.zip_longest(ranks[0], theirs, fillvalue="nothing more"):
                if ours != other:
                    raise RuntimeError(f"DataParallel: modules differ: rank 0 has {ours}, rank {rank} has {other}")

    def _take_over(self, source: int, *others: Any) -> None:
        """Be what a rank is: parameters, buffers, the optimizers' states, and those of others."""
        tensors = [*self.module.parameters(), *self.module.buffers()]
        write(tensors, group().broadcast([t.array for t in tensors], source))
        for held in (*self.optimizers, *others):
            held.load_state_dict(group().broadcast(held.state_dict(), source))
        self._before = [b.array.copy() for b in self._statistics()]

    def _statistics(self) -> list[Tensor]:
        return [b for b in self.module.buffers() if b.dtype.kind == "f"]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The result of the module, for this rank's rows."""
        if is_grad_enabled() and group().size > 1:
            parameters = list(self.module.parameters())
            if self._rows and any(changed_since(p.array, self._place) for p in parameters):
                raise RuntimeError("DataParallel: parameters were changed by gradients that were not averaged: give it "
                                   "the optimizer, DataParallel(model, optimizer), or call average() before the step; "
                                   "and evaluate inside no_grad()")
            if all(p.grad is None for p in parameters):
                self._rows = 0  # what was counted before gave no gradients: an evaluation
            self._place, self._may_step = next_place(), []
            self._rows += next((x.shape[self.dim] for x in (*args, *kwargs.values()) if getattr(x, "ndim", 0)), 1)
        return self.module(*args, **kwargs)

    def average(self) -> None:
        """Average the gradients now, and not when the step begins: before they are clipped or looked at."""
        if group().size > 1 and not self._may_step and not self.average_of(self._rows, (self._rows, 1))[0]:
            raise RuntimeError("DataParallel: no rank has rows in this step: call the DataParallel, not what it holds")

    def average_of(self, rows: int, extra: Sequence[float] = ()) -> np.ndarray:
        """`average()` where the gradients are of so many rows of this rank, however they came; gives the sums of
        `extra`."""
        trained = [p for p in self.module.parameters() if p.requires_grad]
        buffers = self._statistics()
        changed = [not np.array_equal(b.array, old) for b, old in zip(buffers, self._before)]
        means, sums = average([*(unbox(p.grad) for p in trained), *(b.array for b in buffers)], [*trained, *buffers],
                              rows, extra, [True] * len(trained) + changed)
        for p, mean in zip(trained, means):
            p.grad = None if mean is None else box(mean)
        write(buffers, means[len(trained) :])
        self._before = [b.array.copy() for b in buffers]
        self._rows, self._may_step = 0, list(self.optimizers)
        return sums

    def _before_step(self, optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        if len(args) + len(kwargs) > 1:
            raise RuntimeError("DataParallel: step(closure) averages before closure() gives gradients; call it before")
        if not any(o is optimizer for o in self._may_step):  # it has taken a step by the last average already
            self._may_step = []
        self.average()
        self._may_step = [o for o in self._may_step if o is not optimizer]

    @contextlib.contextmanager
    def join(self, *others: Any) -> Iterator[None]:
        """Around a loop of which ranks have different numbers of batches: who is done waits for all, without a say.

        Afterwards all are what a rank is that had the most batches: parameters, buffers, optimizers, and `others` that
        have a state_dict(), such as a scheduler. In the loop, ranks exchange nothing else.
        """
        yield
        missed = 0  # steps that others took without this rank
        while group().size > 1 and self.average_of(0, (0, 0))[1]:  # of those that still have batches
            missed += 1
        ranks = group().gather(missed)
        if any(ranks):
            self._take_over(ranks.index(0), *others)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The state of the module, by its own names."""
        return self.module.state_dict(*args, **kwargs)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Take a state of the module: on all ranks, or on rank 0 before the DataParallel is made."""
        self._rows = 0
        return self.module.load_state_dict(*args, **kwargs)


class DistributedSampler(Sampler[int]):
    """A rank's rows of each pass over a dataset: rank, rank + num_replicas, … of an order that all ranks share.

    The order differs by `set_epoch`, which belongs before each pass. Unlike PyTorch's it repeats no rows to make ranks
    equal: the k-th batches of b rows of all ranks together are the rows from k * b * num_replicas on of the order, and
    where ranks have different numbers of batches the loop belongs inside `model.join()`; or drop_last leaves out the
    last rows, so that all have as many. num_replicas, rank: the size of the group and this one's place unless given.

    >>> from tinygrad_lite.parallel import DistributedSampler
    >>> [list(DistributedSampler(range(7), num_replicas=2, rank=rank, shuffle=False)) for rank in (0, 1)]
    [[0, 2, 4, 6], [1, 3, 5]]
    """

    def __init__(self, dataset: Any, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = True,
                 seed: int = 0, drop_last: bool = False) -> None:
        self.dataset, self.shuffle, self.seed, self.drop_last, self.epoch = dataset, shuffle, seed, drop_last, 0
        self.num_replicas = group().size if num_replicas is None else num_replicas
        self.rank = group().rank if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(f"Invalid rank {self.rank}, rank should be in the interval [0, {self.num_replicas - 1}]")

    def set_epoch(self, epoch: int) -> None:
        """Which pass is next: each has an order of its own, the same on all ranks."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        group().passes += 1
        n = len(self.dataset)
        order = randperm(n, generator=Generator(self.seed + self.epoch)).tolist() if self.shuffle else range(n)
        return iter(order[self.rank : n - n % self.num_replicas if self.drop_last else n : self.num_replicas])

    def __len__(self) -> int:
        n = len(self.dataset)
        return n // self.num_replicas if self.drop_last else len(range(self.rank, n, self.num_replicas))
