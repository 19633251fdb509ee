"""Datasets, samplers, batches, and the threads that read ahead."""

import collections
import gc
import threading
import time
import traceback

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)

t = tl.tensor
Point = collections.namedtuple("Point", "x y")


def plain(x):
    """Tensors as lists, in whatever holds them."""
    if isinstance(x, tl.Tensor):
        return x.tolist()
    if isinstance(x, dict):
        return type(x)((k, plain(v)) for k, v in x.items())
    return type(x)(*map(plain, x)) if hasattr(x, "_fields") else [plain(v) for v in x] if isinstance(x, (list, tuple)) else x


class Squares(Dataset):
    def __init__(self, n=10, wait=0.0, bad=None, error=KeyError):
        self.n, self.wait, self.bad, self.error = n, wait, bad, error

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        time.sleep(self.wait * (3 - i % 4))  # later ones are ready before earlier ones
        if i == self.bad:
            raise self.error(f"no {i}")
        return i, float(i * i)


class Counting(IterableDataset):
    """Worker w counts to n + w."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        info = get_worker_info()
        yield from range(self.n + (0 if info is None else info.id))


class Sized(Counting):
    def __len__(self):
        return self.n


# ---------------------------------------------------------------- datasets
X, Y = tl.arange(20).reshape(10, 2), tl.arange(10) * 10
DATASETS = [  # a dataset, its length, and some of its rows
    (lambda: TensorDataset(X, Y), 10, {0: [[0, 1], 0], -1: [[18, 19], 90]}), (lambda: TensorDataset(np.arange(3)), 3, {2: [2]}),
    (lambda: Subset(TensorDataset(Y), [7, 1]), 2, {0: [70], -1: [10]}), (lambda: Subset(Subset(range(10), [5, 6, 7]), [2, 0]), 2, {0: 7, 1: 5}),
    (lambda: ConcatDataset([[1, 2], [], [3]]), 3, {0: 1, 1: 2, 2: 3, -1: 3, -3: 1}), (lambda: Squares(2) + Squares(3), 5, {2: [0, 0.0], 4: [2, 4.0]}),
    (lambda: StackDataset([1, 2], [3, 4]), 2, {1: [2, 4]}), (lambda: StackDataset(a=[1, 2], b=[3, 4]), 2, {1: {"a": 2, "b": 4}})]


@pytest.mark.parametrize("make, length, some", DATASETS)
def test_datasets(make, length, some):
    dataset = make()
    assert len(dataset) == length and {i: plain(dataset[i]) for i in some} == some


def test_iterable_datasets_are_chained():
    assert list(Counting(2) + Counting(3)) == [0, 1, 0, 1, 2] and len(ChainDataset([Sized(2), Sized(3)])) == 5


SPLITS = [([3, 7], [3, 7]), ([0.5, 0.5], [5, 5]), ([0.33, 0.33, 0.34], [4, 3, 3]), ([1.0], [10]), ([10, 0], [10, 0]), ([0.25, 0.75], [3, 7])]


@pytest.mark.parametrize("lengths, sizes", SPLITS)
def test_random_splits_have_each_row_once(lengths, sizes):
    parts = random_split(range(10), lengths, generator=tl.Generator(3))
    assert list(map(len, parts)) == sizes and sorted(i for part in parts for i in part) == list(range(10))
    assert [list(p) for p in parts] == [list(p) for p in random_split(range(10), lengths, tl.Generator(3))]


# ---------------------------------------------------------------- samplers
def test_samplers():
    tl.manual_seed(0)
    assert list(SequentialSampler("abc")) == [0, 1, 2] and len(SequentialSampler("abc")) == 3
    order = RandomSampler(range(5))
    assert sorted(order) == list(range(5)) and list(order) != list(order) and len(order) == 5
    twice = list(RandomSampler(range(4), num_samples=7))
    assert sorted(twice[:4]) == [0, 1, 2, 3] and len(set(twice[4:])) == 3
    drawn = collections.Counter(RandomSampler(range(3), replacement=True, num_samples=600))
    assert sum(drawn.values()) == 600 and min(drawn.values()) > 150 and sorted(drawn) == [0, 1, 2]
    assert sorted(SubsetRandomSampler([9, 5, 7])) == [5, 7, 9] and len(SubsetRandomSampler([9, 5, 7])) == 3
    weighted = collections.Counter(WeightedRandomSampler([0.0, 1.0, 3.0], 400))
    assert weighted[0] == 0 and 60 < weighted[1] < 140 and sorted(WeightedRandomSampler([1, 2, 3], 3, replacement=False)) == [0, 1, 2]
    assert list(BatchSampler("abcde", 2, False)) == [["a", "b"], ["c", "d"], ["e"]] and len(BatchSampler("abcde", 2, False)) == 3
    assert list(BatchSampler("abcde", 2, True)) == [["a", "b"], ["c", "d"]] and len(BatchSampler("abcde", 2, True)) == 2


ORDERS = {  # of a seed, on every platform
    "RandomSampler": (lambda g: RandomSampler(range(8), generator=g), [6, 7, 2, 1, 4, 5, 3, 0]),
    "SubsetRandomSampler": (lambda g: SubsetRandomSampler("abcdefgh", g), list("ghcbefda")),
    "with replacement": (lambda g: RandomSampler(range(8), True, 8, g), [6, 0, 1, 1, 1, 6, 6, 4]),
    "WeightedRandomSampler": (lambda g: WeightedRandomSampler([1, 2, 3, 4], 8, generator=g), [0, 1, 3, 2, 0, 2, 2, 1]),
}


@pytest.mark.parametrize("name", ORDERS)
def test_a_seed_gives_the_same_order_everywhere(name):
    make, order = ORDERS[name]
    assert list(make(tl.Generator().manual_seed(3))) == order


# ---------------------------------------------------------------- batches
BATCHES = [  # rows, and their batch
    ([t([1.0]), t([2.0])], [[1.0], [2.0]], "float32"), ([np.ones(2), np.zeros(2)], [[1, 1], [0, 0]], "float64"), ([np.float32(1), np.float32(2)], [1, 2], "float32"),
    ([1, 2], [1, 2], "int64"), ([True, False], [True, False], "bool"), ([1.5, 2], [1.5, 2.0], "float64"), (["a", "b"], ["a", "b"], None), ([b"a"], [b"a"], None),
    ([(1, "a"), (2, "b")], [[1, 2], ["a", "b"]], None), ([[1, 2], [3, 4]], [[1, 3], [2, 4]], None), ([Point(1, 2), Point(3, 4)], Point([1, 3], [2, 4]), None),
    ([{"a": 1, "b": (2, "x")}, {"a": 3, "b": (4, "y")}], {"a": [1, 3], "b": [[2, 4], ["x", "y"]]}, None), ([np.array(1), np.array(2)], [1, 2], "int64"),
    ([(), ()], [], None), ([{}, {}], {}, None), ([collections.OrderedDict(a=1)], collections.OrderedDict(a=[1]), None)]


@pytest.mark.parametrize("rows, batch, dtype", BATCHES)
def test_batches_of_rows(rows, batch, dtype):
    made = default_collate(rows)
    assert plain(made) == batch and type(plain(made)) is type(batch)
    assert dtype is None or made.dtype == dtype


def test_a_defaultdict_stays_one_and_gradients_pass():
    made = default_collate([collections.defaultdict(list, a=1)] * 2)
    assert made["missing"] == [] and made["a"].tolist() == [1, 1]
    w = tl.ones(2, requires_grad=True)
    default_collate([(w, 1), (w * 2, 2)])[0].sum().backward()
    assert w.grad.tolist() == [3, 3]


def test_single_rows_are_converted():
    row = default_convert({"a": np.ones(1), "b": (np.float32(2), "text"), "c": Point(np.zeros(1), None)})
    assert isinstance(row["a"], tl.Tensor) and row["b"][0].dtype == np.float32 and row["b"][1] == "text" and row["c"].y is None


@pytest.mark.parametrize("rows, kind, words", [
    ([None], TypeError, "not of NoneType; write a collate_fn"), ([{1}], TypeError, "not of set"), ([np.array(["a"])], TypeError, "real numbers"),
    ([1, None], TypeError, r"some rows have numbers where others have none: \[1, None\]"), ([1.5, "2"], TypeError, "numbers"), ([[1], [1, 2]], RuntimeError, r"same length, not \[1, 2\]"),
    ([tl.ones(2), tl.ones(3)], RuntimeError, r"\(2,\).*\(3,\)"), ([{"a": 1}, {"b": 1}], KeyError, "a"), ([], IndexError, "range")])
def test_rows_that_are_no_batch_are_refused(rows, kind, words):
    with pytest.raises(kind, match=words):
        default_collate(rows)


# ---------------------------------------------------------------- DataLoader
def loaded(*args, **kwargs):
    return plain(list(DataLoader(*args, **kwargs)))


LOADED = [  # arguments, and the batches
    (([1, 2, 3],), {}, [[1], [2], [3]]), (([1, 2, 3], 2), {}, [[1, 2], [3]]), (([1, 2, 3], 2), {"drop_last": True}, [[1, 2]]), (([1, 2, 3],), {"batch_size": None}, [1, 2, 3]),
    (([1, 2, 3], 2), {"sampler": [2, 0, 1]}, [[3, 1], [2]]), (([1, 2, 3],), {"batch_sampler": [[0, 2], [1]]}, [[1, 3], [2]]), (([1, 2, 3], 2), {"collate_fn": sum}, [3, 3]),
    (([],), {}, []), ((TensorDataset(X, Y), 4), {"sampler": [9, 0, 5]}, [[[[18, 19], [0, 1], [10, 11]], [90, 0, 50]]]), (({"a": 1, "b": 2},), {"sampler": ["b", "a"]}, [[2], [1]]),
    ((Squares(3), 2), {}, [[[0, 1], [0.0, 1.0]], [[2], [4.0]]]), ((Counting(5), 2), {}, [[0, 1], [2, 3], [4]]), ((Counting(5), 2), {"drop_last": True}, [[0, 1], [2, 3]]),
    ((Counting(2), None), {}, [0, 1]), ((Subset(TensorDataset(Y), [3, 4, 5]), 2), {"sampler": t([2, 0])}, [[[50, 30]]]),
    ((TensorDataset(Y), 2), {"collate_fn": lambda rows: [type(rows).__name__, len(rows), type(rows[0]).__name__]}, [["list", 2, "tuple"]] * 5)]


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("args, settings, batches", LOADED)
def test_batches_of_a_loader(args, settings, batches, workers):
    if isinstance(args[0], IterableDataset) and workers > 1:
        return  # each worker counts
    assert loaded(*args, **settings, num_workers=workers) == batches


def test_a_loader_has_a_length_that_tqdm_shows():
    from tqdm import tqdm

    assert len(DataLoader(range(10), 4)) == 3 and len(DataLoader(range(10), 4, drop_last=True)) == 2 and len(DataLoader(range(10), None)) == 10
    assert len(DataLoader(Sized(10), 4)) == 3 and len(iter(DataLoader(range(10), 4, num_workers=2))) == 3
    bar = tqdm(DataLoader(range(10), 4), disable=True)
    assert bar.total is None or bar.total == 3
    with pytest.raises(TypeError, match="len"):
        len(DataLoader(Counting(3)))


@pytest.mark.parametrize("shuffled", [lambda **s: DataLoader(range(20), 3, shuffle=True, **s), lambda **s: DataLoader(range(20), 3, sampler=RandomSampler(range(20)), **s)])
def test_the_same_seed_gives_the_same_order_with_any_number_of_workers(shuffled):
    orders = []
    for workers in (0, 1, 4):
        tl.manual_seed(7)
        loader = shuffled(num_workers=workers)
        orders.append([plain(list(loader)), plain(list(loader)), tl.rand(1).item()])
    assert orders[0] == orders[1] == orders[2] and orders[0][0] != orders[0][1]
    own = [plain(list(DataLoader(range(20), shuffle=True, generator=tl.Generator(1)))) for _ in range(2)]
    assert own[0] == own[1]


def test_a_tensor_dataset_is_read_by_one_index_a_batch():
    class Told(TensorDataset):
        def __getitem__(self, index):
            read.append(index)
            return super().__getitem__(index)

    w, read = tl.ones(4, 2, requires_grad=True), []
    (batch,) = next(iter(DataLoader(TensorDataset(w), 3)))
    assert batch.grad_fn.op.__name__ == "getitem"
    batch.sum().backward()
    assert w.grad.tolist() == [[1, 1]] * 3 + [[0, 0]]
    assert loaded(Told(Y), 2) == loaded(TensorDataset(Y), 2) and read == list(range(10))  # its own rows are asked for


def test_rows_can_be_given_together():
    class Together(Squares):
        def __getitems__(self, indices):
            return [(i, -1.0) for i in indices]

    assert loaded(Together(3), 2) == [[[0, 1], [-1.0, -1.0]], [[2], [-1.0]]] == loaded(Subset(Together(9), [0, 1, 2]), 2)


# ---------------------------------------------------------------- workers
def gone(before, seconds=5.0):
    """Whether the threads that were not there before end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        gc.collect()
        if not {x for x in threading.enumerate() if x.name.startswith("DataLoader")} - before:
            return True
        time.sleep(0.005)
    return False


@pytest.fixture
def threads_end():
    before = set(threading.enumerate())
    yield
    assert gone(before)


def test_workers_deliver_in_order(threads_end):
    assert loaded(Squares(16, wait=0.002), 1, num_workers=4) == loaded(Squares(16), 1)


def test_workers_read_ahead_and_no_further(threads_end):
    class Told(Dataset):
        def __len__(self):
            return 100

        def __getitem__(self, i):
            read.add(i)
            return i

    read: set = set()
    batches = iter(DataLoader(Told(), num_workers=2, prefetch_factor=3))
    next(batches)
    end = time.monotonic() + 5
    while len(read) < 7 and time.monotonic() < end:
        time.sleep(0.002)
    time.sleep(0.02)
    assert read == set(range(7))  # six ahead of the one that was taken


def test_workers_end_when_the_loop_is_left_or_the_iterator_is_dropped(threads_end):
    for _ in DataLoader(Squares(1000, wait=0.001), num_workers=3):
        break
    batches = iter(DataLoader(Squares(1000, wait=0.001), num_workers=3))
    next(batches)
    del batches
    iter(DataLoader(Squares(), num_workers=2))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("error", [KeyError, ValueError, StopIteration])
def test_an_error_names_the_row_and_keeps_its_traceback(threads_end, workers, error):
    loader, seen = DataLoader(Squares(30, bad=13, error=error), 5, num_workers=workers), []
    kind = RuntimeError if error is StopIteration else error  # which would have ended the loop
    with pytest.raises(kind) as caught:
        for batch in loader:
            seen.append(batch[0].tolist())
    text = "".join(traceback.format_exception(caught.value))
    assert seen == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]] and "raise self.error" in text
    assert "reading row 13 of a Squares" in text or error is StopIteration
    assert ("in the batch of rows [10, 11, 12, 13, 14]" in text or error is StopIteration) and ("in worker 0 of a DataLoader" in text) == bool(workers)
    del caught


def test_what_comes_after_a_batch_that_failed_can_be_read():
    batches = iter(DataLoader(Squares(6, bad=1), 2, num_workers=2))
    with pytest.raises(KeyError):
        next(batches)
    assert [b[0].tolist() for b in batches] == [[2, 3], [4, 5]]


def test_errors_of_a_worker_as_it_begins_and_of_the_collate_fn_arrive(threads_end):
    def begin(number):
        raise ValueError(f"cannot begin {number}")

    with pytest.raises(ValueError, match="cannot begin 0"):
        list(DataLoader(Squares(), num_workers=2, worker_init_fn=begin))
    with pytest.raises(TypeError, match="not of NoneType") as caught:
        list(DataLoader([None], num_workers=1))
    assert "in the batch of rows [0]" in caught.value.__notes__
    del caught  # it holds the iterator


def test_a_batch_that_takes_too_long_is_an_error():
    with pytest.raises(RuntimeError, match="worker 0 has given no batch within 0.01 seconds"):
        next(iter(DataLoader(Squares(wait=0.1), num_workers=1, timeout=0.01)))
    assert len(loaded(Squares(), num_workers=1, timeout=30)) == 10


def test_workers_share_the_rows_of_an_iterable_dataset_out():
    class Shared(IterableDataset):
        def __init__(self, start, end):
            self.start, self.end = start, end

        def __iter__(self):
            return iter(range(self.start, self.end))

    def begin(number):  # each worker has a copy of the dataset
        info = get_worker_info()
        size = (info.dataset.end - info.dataset.start) // info.num_workers
        info.dataset.start += number * size
        info.dataset.end = info.dataset.start + size

    dataset = Shared(0, 8)
    assert loaded(dataset, 2, num_workers=2, worker_init_fn=begin) == [[0, 1], [4, 5], [2, 3], [6, 7]] and (dataset.start, dataset.end) == (0, 8)
    assert loaded(Counting(2), None, num_workers=3) == [0, 0, 0, 1, 1, 1, 2, 2, 3]
    assert get_worker_info() is None


def test_persistent_workers_begin_once_and_are_used_again():
    begun, names = [], set()

    class Named(Squares):
        def __getitem__(self, i):
            names.add(threading.current_thread())
            return i

    before = set(threading.enumerate())
    loader = DataLoader(Named(8), 2, shuffle=True, num_workers=2, persistent_workers=True, worker_init_fn=begun.append)
    for _ in range(3):
        assert sorted(sum(plain(list(loader)), [])) == list(range(8))
    next(iter(loader))  # left, and begun again
    assert sorted(sum(plain(list(loader)), [])) == list(range(8)) and sorted(begun) == [0, 1] and len(names) == 2
    names.clear()
    del loader
    assert gone(before)


def test_workers_draw_the_same_numbers_each_time_and_leave_the_librarys_alone():
    class Noisy(Dataset):
        def __len__(self):
            return 12

        def __getitem__(self, i):
            time.sleep(0.001 * (i % 3))
            return tl.rand(2)

    drawn, after = [], []
    for _ in range(2):
        tl.manual_seed(11)
        drawn.append(loaded(Noisy(), 2, num_workers=3))
        after.append(tl.rand(1).item())
    assert drawn[0] == drawn[1] and after[0] == after[1] and len({x for batch in drawn[0] for row in batch for x in row}) == 24
    tl.manual_seed(11)
    assert loaded(Noisy(), 2) != drawn[0] and tl.initial_seed() == 11


def test_workers_record_as_the_loop_does():
    w = tl.ones(1, requires_grad=True)

    class Scaled(Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, i):
            with np.errstate(all="raise"):
                return w * i / 0.0 if i == 3 else w * i  # the library is quiet in threads too

    with tl.no_grad():
        assert [x.requires_grad for x in DataLoader(Scaled(), num_workers=2)] == [False] * 4
    assert [x.requires_grad for x in DataLoader(Scaled(), num_workers=2)] == [True] * 4
    with tl.no_grad():
        assert not tl.is_grad_enabled()
    assert tl.is_grad_enabled()


def test_loaders_inside_loaders():
    class Nested(Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return sum(x.item() for x in DataLoader(range(i + 1), num_workers=2))

    assert loaded(Nested(), num_workers=2) == [[0], [1], [3]]
    assert [(a.item(), b.item()) for a, b in zip(*[DataLoader(range(3), num_workers=1, persistent_workers=True)] * 2)] == [(0, 0), (1, 1), (2, 2)]


REFUSED = [
    (lambda: DataLoader([1], num_workers=-1), ValueError, "num_workers=-1"), (lambda: DataLoader([1], timeout=-1), ValueError, "timeout=-1"), (lambda: DataLoader([1], prefetch_factor=2), ValueError, "prefetch_factor.*workers"),
    (lambda: DataLoader([1], persistent_workers=True), ValueError, "persistent_workers"), (lambda: DataLoader([1], num_workers=1, prefetch_factor=0), ValueError, "at least 1 batch a worker, not 0"),
    (lambda: DataLoader([1], 2, drop_last=1), ValueError, "drop_last should be"), (lambda: DataLoader([1], 0), ValueError, "batch_size should be a positive integer, not 0"), (lambda: DataLoader([1], 2.5), ValueError, "batch_size"),
    (lambda: DataLoader([1], None, drop_last=True), ValueError, "drop_last"), (lambda: DataLoader([1], sampler=[0], shuffle=True), ValueError, "sampler and shuffle"), (lambda: DataLoader([], shuffle=True), ValueError, "num_samples"),
    (lambda: DataLoader([1], 2, batch_sampler=[[0]]), ValueError, "batch_sampler"), (lambda: DataLoader([1], shuffle=True, batch_sampler=[[0]]), ValueError, "batch_sampler"), (lambda: DataLoader(Counting(1), shuffle=True), ValueError, "IterableDataset"),
    (lambda: DataLoader(Counting(1), sampler=[0]), ValueError, "IterableDataset"), (lambda: setattr(DataLoader([1]), "batch_size", 3), ValueError, "batch_size is fixed"), (lambda: iter(DataLoader([1], timeout=1)), AssertionError, "num_workers"),
    (lambda: TensorDataset(tl.ones(2), tl.ones(3)), AssertionError, "same first size"), (lambda: TensorDataset(t(1.0)), AssertionError, "first size"), (lambda: random_split([1, 2], [1, 2]), ValueError, "add up to 3.*2 rows"),
    (lambda: random_split([1, 2], [0.5, 0.4]), ValueError, "add up"), (lambda: random_split([1, 2], [-0.5, 1.5]), ValueError, r"lengths\[0\] is -0.5"), (lambda: ConcatDataset([]), AssertionError, "at least one"),
    (lambda: ConcatDataset([Counting(1)]), AssertionError, "ChainDataset"), (lambda: ConcatDataset([[1]])[1], IndexError, "no row 1 of 1"), (lambda: ConcatDataset([[1]])[-2], ValueError, "no row -2"), (lambda: StackDataset(), ValueError, "by name"),
    (lambda: StackDataset([1], [1, 2]), ValueError, r"\[1, 2\]"), (lambda: Dataset()[0], NotImplementedError, "__getitem__"), (lambda: iter(Sampler()), NotImplementedError, "__iter__"), (lambda: RandomSampler([1], 1), TypeError, "replacement"),
    (lambda: RandomSampler([1], num_samples=0), ValueError, "num_samples"), (lambda: WeightedRandomSampler([[1]], 1), ValueError, r"shape \(1, 1\)"), (lambda: list(WeightedRandomSampler([1, 0], 2, False)), RuntimeError, "2 samples"),
    (lambda: BatchSampler([1], True, False), ValueError, "batch_size"), (lambda: list(DataLoader([1], shuffle=True, generator=3)), TypeError, "generator: a tl.Generator, not int")]


@pytest.mark.parametrize("call, kind, words", REFUSED)
def test_what_is_wrong_is_refused(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_a_model_trains_on_batches():
    tl.manual_seed(0)
    x = tl.randn(64, 3)
    model, loader = tl.nn.Linear(3, 1), DataLoader(TensorDataset(x, x @ t([[1.0], [-2.0], [0.5]])), 16, shuffle=True, num_workers=2, pin_memory=True)
    optimizer = tl.optim.SGD(model.parameters(), lr=0.2)
    for _ in range(30):
        for features, wanted in loader:
            optimizer.zero_grad()
            tl.nn.functional.mse_loss(model(features), wanted).backward()
            optimizer.step()
    np.testing.assert_allclose(model.weight.detach().array, [[1, -2, 0.5]], atol=1e-3)
