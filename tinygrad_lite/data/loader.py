"""DataLoader: batches of a dataset, read ahead by threads where that is asked for.

Workers are threads, where PyTorch's are processes: they share memory, start at once, and win time where reading waits
for a disk or computes in numpy, which lets other threads run. Each has a shallow copy of the dataset and a
generator of its own, and takes every num_workers-th batch, so what it draws is the same each time. Python's and numpy's
global generators are shared by all threads.
"""

import concurrent.futures
import contextvars
import copy
import functools
import itertools
import queue
import reprlib
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

from ..engine.mode import Switch, mode
from ..random import Generator, seeded
from .collate import default_collate, default_convert
from .dataset import Dataset, IterableDataset, columns, rows
from .sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed

T_co = TypeVar("T_co", covariant=True)
END: Any = object()  # what an IterableDataset that has no more rows is read as
FIXED = frozenset("batch_size batch_sampler sampler drop_last dataset persistent_workers".split())


# ---------------------------------------------------------------- workers
_here = threading.local()


def get_worker_info() -> Any:
    """In a worker of a DataLoader its `id`, `num_workers`, `seed`, and `dataset`, a copy of its own; elsewhere None.

    >>> class Count(tl.data.IterableDataset):
    ...     def __iter__(self):  # each worker counts in steps of its own
    ...         worker = tl.data.get_worker_info()
    ...         return iter(range(worker.id, 6, worker.num_workers))
    >>> list(tl.data.DataLoader(Count(), batch_size=None, num_workers=2))
    [0, 1, 2, 3, 4, 5]
    """
    return getattr(_here, "info", None)


def _work(tasks: queue.SimpleQueue, info: Any, init: Callable | None) -> None:
    """What a worker's thread does: one task after the other, until it is given None."""
    _here.info = info
    with seeded(info.seed):
        while (task := tasks.get()) is not None:
            future, recording, read = task
            if future.set_running_or_notify_cancel():
                try:
                    if init is not None:  # here, so that nothing but the future keeps an error and what it holds
                        init(info.id)
                        init = None
                    with Switch("recording", recording):
                        future.set_result(read(info.dataset))
                except BaseException as error:
                    error.add_note(f"in worker {info.id} of a DataLoader")
                    future.set_exception(error)
            del task, future, read  # nothing of a batch is kept while it waits


class _Workers:
    """Threads that read ahead; they end when this is gone."""

    def __init__(self, loader: "DataLoader", seed: int) -> None:
        self.tasks: list[queue.SimpleQueue] = [queue.SimpleQueue() for _ in range(loader.num_workers)]
        for i, tasks in enumerate(self.tasks):
            own = copy.copy(loader.dataset) if hasattr(loader.dataset, "__dict__") else loader.dataset
            info = SimpleNamespace(id=i, num_workers=loader.num_workers, seed=seed + i, dataset=own)
            run = functools.partial(contextvars.copy_context().run, _work, tasks, info, loader.worker_init_fn)
            threading.Thread(target=run, name=f"DataLoader worker {i}", daemon=True).start()
        weakref.finalize(self, _stop, self.tasks)


def _stop(tasks: list[queue.SimpleQueue]) -> None:
    for each in tasks:
        each.put(None)


# ---------------------------------------------------------------- reading
class _Reader:
    """Reads batches of a dataset: of the rows that are asked for, or the next ones of its iterator."""

    def __init__(self, loader: "DataLoader") -> None:
        self.batched, self.drop_last = loader.batch_sampler is not None, loader.drop_last
        self.collate, self.iterates = loader.collate_fn, loader._iterates
        self.iterator: Any = None

    def __call__(self, asked: Any, dataset: Any) -> Any:
        try:
            return self._next(asked, dataset) if self.iterates else self._rows(asked, dataset)
        except StopIteration as error:  # which would end the consumer's loop as if nothing were wrong
            raise RuntimeError(f"StopIteration from a {type(dataset).__name__} or from the collate_fn") from error
        except Exception as error:
            if not self.iterates:
                error.add_note(f"in the batch of rows {reprlib.repr(asked)}" if self.batched else f"in row {asked}")
            raise

    def _rows(self, asked: Any, dataset: Any) -> Any:
        if not self.batched:
            return self.collate(dataset[asked])
        found = columns(dataset, asked) if self.collate is default_collate else None
        return self.collate(rows(dataset, asked)) if found is None else found

    def _next(self, asked: Any, dataset: Any) -> Any:
        if self.iterator is None:
            self.iterator = iter(dataset)
        wanted = len(asked) if self.batched else 1
        found = list(itertools.islice(self.iterator, wanted))
        if not found or self.drop_last and len(found) < wanted:
            return END
        return self.collate(found if self.batched else found[0])


class _Batches(Iterator):
    """One pass over a loader's batches, read here."""

    def __init__(self, loader: "DataLoader") -> None:
        self.loader = loader
        self.order = iter(loader.sampler if loader.batch_sampler is None else loader.batch_sampler)
        self.seed = draw_seed(loader.generator)  # without workers too: the order is the same however many there are
        self.reader = _Reader(loader)

    def __next__(self) -> Any:
        batch = self.reader(next(self.order), self.loader.dataset)
        if batch is END:
            raise StopIteration
        return batch

    def __len__(self) -> int:
        return len(self.loader)


class _Ahead(_Batches):
    """One pass over a loader's batches, read ahead by workers: batch after batch in turn, so they come in order."""

    def __init__(self, loader: "DataLoader") -> None:
        super().__init__(loader)
        if loader._workers is None:
            loader._workers = _Workers(loader, self.seed)
        self.workers: _Workers | None = loader._workers
        if not loader.persistent_workers:
            loader._workers = None
        count = len(self.workers.tasks)
        self.readers = [_Reader(loader) for _ in range(count)]
        self.most, self.turn = loader.prefetch_factor * count, itertools.cycle(range(count))
        self.reading = set(range(count))  # the workers that have more to give
        self.pending: deque[tuple[int, concurrent.futures.Future]] = deque()
        weakref.finalize(self, lambda pending: [future.cancel() for _, future in pending], self.pending)
        self._ask()

    def _ask(self) -> None:
        """Ask the workers in turn for what comes next, as far as is read ahead."""
        while self.workers is not None and self.reading and len(self.pending) < self.most:
            asked = next(self.order, END)
            if asked is END:
                self.reading.clear()
                break
            at = next(worker for worker in self.turn if worker in self.reading)
            future: concurrent.futures.Future = concurrent.futures.Future()
            self.pending.append((at, future))
            self.workers.tasks[at].put((future, mode.recording, functools.partial(self.readers[at], asked)))

    def __next__(self) -> Any:
        while self.pending:
            at, future = self.pending.popleft()
            if self.loader.timeout and not concurrent.futures.wait([future], self.loader.timeout).done:
                raise RuntimeError(f"DataLoader: worker {at} has given no batch within {self.loader.timeout} seconds")
            try:
                batch = future.result()
            finally:
                self._ask()
            if batch is not END:
                return batch
            self.reading.discard(at)
        self.workers = None
        raise StopIteration


class DataLoader(Generic[T_co]):
    """Batches of a dataset: `for x, y in DataLoader(dataset, batch_size=32, shuffle=True)`.

    `sampler` gives the rows' numbers in order, `batch_sampler` lists of them; batch_size=None gives rows one by one.
    drop_last leaves out a last batch that is smaller. `collate_fn` makes a batch of a list of rows (default_collate).
    The order comes from `generator`, or the library's: the same seed gives the same order, however many workers there
    are. `num_workers` threads read `prefetch_factor` (2) batches each ahead; `worker_init_fn(number)` is called as each
    begins; a batch that takes longer than `timeout` seconds is a RuntimeError. pin_memory, multiprocessing_context and
    in_order change nothing here. Settings that contradict each other are a ValueError.

    >>> dataset = tl.data.TensorDataset(tl.arange(5), tl.arange(5) * 10)
    >>> for x, y in tl.data.DataLoader(dataset, batch_size=2):
    ...     print(x, y)
    tensor([0, 1]) tensor([ 0, 10])
    tensor([2, 3]) tensor([20, 30])
    tensor([4]) tensor([40])
    """

    def __init__(self, dataset: Dataset[T_co] | Sequence[T_co], batch_size: int | None = 1, shuffle: bool | None = None,
                 sampler: Iterable | None = None, batch_sampler: Iterable | None = None, num_workers: int = 0,
                 collate_fn: Callable | None = None, pin_memory: bool = False, drop_last: bool = False,
                 timeout: float = 0, worker_init_fn: Callable | None = None, multiprocessing_context: Any = None,
                 generator: Generator | None = None, *, prefetch_factor: int | None = None,
                 persistent_workers: bool = False, pin_memory_device: str = "", in_order: bool = True) -> None:
        iterates, ordered = isinstance(dataset, IterableDataset), bool(shuffle or sampler is not None)
        for wrong, why in [
                (num_workers < 0 or timeout < 0, f"num_workers={num_workers} and timeout={timeout} are at least 0"),
                (not num_workers and (persistent_workers or (prefetch_factor, multiprocessing_context) != (None, None)),
                 "prefetch_factor, persistent_workers and multiprocessing_context are for workers: give num_workers"),
                (prefetch_factor is not None and prefetch_factor < 1,
                 f"prefetch_factor is at least 1 batch a worker, not {prefetch_factor}"),
                (iterates and (ordered or batch_sampler is not None),
                 "an IterableDataset gives its rows in its own order: no shuffle, sampler or batch_sampler is taken"),
                (shuffle and sampler is not None, "sampler and shuffle both say the order: give one of them"),
                (batch_sampler is not None and (batch_size != 1 or ordered or drop_last),
                 "batch_sampler says the batches: no batch_size, shuffle, sampler or drop_last is taken beside it"),
                (batch_size is None and drop_last, "drop_last is for batches, and batch_size=None gives single rows")]:
            if wrong:
                raise ValueError(f"DataLoader: {why}")
        if sampler is None:
            sampler = itertools.repeat(None) if iterates else \
                RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset: Any = dataset
        self.batch_size, self.drop_last, self.generator = batch_size, drop_last, generator
        self.sampler, self.batch_sampler, self._iterates = sampler, batch_sampler, iterates
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.prefetch_factor: Any = prefetch_factor or (2 if num_workers else None)
        self.persistent_workers, self.in_order = persistent_workers, in_order
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self.multiprocessing_context = multiprocessing_context
        self._workers: _Workers | None = None  # those that stay, where they do

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and "_workers" in vars(self):
            raise ValueError(f"DataLoader: {name} is fixed when the loader is made; make another one")
        super().__setattr__(name, value)

    def __iter__(self) -> Iterator[Any]:  # batches of rows
        if self.num_workers > 0:
            return _Ahead(self)
        if self.timeout:
            raise AssertionError("DataLoader: timeout is for workers: give num_workers too")
        return _Batches(self)

    def __len__(self) -> int:
        """How many batches there are; a TypeError where the dataset or the sampler does not know."""
        if not self._iterates:
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]
        rows = len(self.dataset)
        if self.batch_size is None:
            return rows
        return rows // self.batch_size if self.drop_last else -(-rows // self.batch_size)
