"""Loaders beside PyTorch's: the same batches of the same datasets, and what is refused."""

import collections
import warnings

import numpy as np
import pytest

import tinygrad_lite as tl
import tinygrad_lite.data as ours

torch = pytest.importorskip("torch")
import torch.utils.data as theirs  # noqa: E402

warnings.filterwarnings("ignore", message=".*worker processes.*")
Point = collections.namedtuple("Point", "x y")


def plain(x):
    """A batch in words: of tensors the dtype and the values, of all else the type and what it holds."""
    if isinstance(x, (tl.Tensor, torch.Tensor)):
        return str(x.dtype).removeprefix("torch."), x.tolist()
    if isinstance(x, dict):
        return type(x).__name__, {k: plain(v) for k, v in x.items()}
    return (type(x).__name__, [plain(v) for v in x]) if isinstance(x, (list, tuple)) else x


def counting(lib, sized=False):
    class Counting(lib.IterableDataset):
        def __iter__(self):
            info = lib.get_worker_info()
            return iter(range(7 if info is None else 4 * info.id + 1))

    Counting.__len__ = lambda self: 7
    if not sized:
        del Counting.__len__
    return Counting()


DATASETS = {  # lib is torch.utils.data or ours; t makes tensors
    "numbers": lambda lib, t: [3, 1, 4, 1, 5, 9, 2], "floats": lambda lib, t: [0.5 * i for i in range(7)], "bools": lambda lib, t: [True, False] * 3 + [True],
    "arrays": lambda lib, t: [np.full((2,), i, np.float32) for i in range(7)], "numpy's numbers": lambda lib, t: [np.float32(i) for i in range(7)],
    "pairs": lambda lib, t: [(i, str(i)) for i in range(7)], "dicts": lambda lib, t: [{"a": i, "b": [0.5, i]} for i in range(7)], "points": lambda lib, t: [Point(i, (i,)) for i in range(7)],
    "tensors": lambda lib, t: lib.TensorDataset(t(np.arange(14.0).reshape(7, 2)), t(np.arange(7))), "subset": lambda lib, t: lib.Subset(lib.TensorDataset(t(np.arange(9))), [8, 1, 2, 3, 7, 5, 6]),
    "nested": lambda lib, t: lib.Subset(lib.ConcatDataset([lib.TensorDataset(t(np.arange(4))), lib.TensorDataset(t(np.arange(9)))]), range(2, 9)),
    "side by side": lambda lib, t: lib.StackDataset(a=range(7), b="abcdefg"), "more": lambda lib, t: lib.TensorDataset(t(np.arange(3))) + lib.TensorDataset(t(np.arange(4))),
    "counting": lambda lib, t: counting(lib), "counting, sized": lambda lib, t: counting(lib, True), "chained": lambda lib, t: counting(lib) + counting(lib)}
SETTINGS = [{}, {"batch_size": 3}, {"batch_size": 3, "drop_last": True}, {"batch_size": None}, {"batch_size": 2, "sampler": [6, 0, 3, 3]}, {"batch_sampler": [[5], [1, 2, 0]]},
            {"batch_size": 4, "collate_fn": lambda rows: [type(rows).__name__, len(rows)]}]


def outcome(lib, t, name, settings, workers=0):
    try:
        loader = lib.DataLoader(DATASETS[name](lib, t), num_workers=workers, **settings)
        batches = [plain(b) for b in loader]
    except Exception as error:
        return type(error)
    try:
        return batches, len(loader)
    except TypeError:
        return batches, None


@pytest.mark.parametrize("settings", SETTINGS, ids=[str(sorted(s)) for s in SETTINGS])
@pytest.mark.parametrize("name", DATASETS)
def test_batches(name, settings):
    expected = outcome(theirs, torch.tensor, name, settings)
    assert outcome(ours, tl.tensor, name, settings) == expected
    iterates = "counting" in name or name == "chained"  # where it depends on the number of workers
    if not iterates:
        assert outcome(ours, tl.tensor, name, settings, 2) == expected


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("settings", [{"batch_size": 2}, {"batch_size": 2, "drop_last": True}, {"batch_size": None}, {"batch_size": 3, "prefetch_factor": 1}, {"persistent_workers": True}])
def test_workers_take_turns_as_pytorchs(settings, workers):
    assert outcome(ours, tl.tensor, "counting", settings, workers) == outcome(theirs, torch.tensor, "counting", settings, workers)


ERRORS = [
    "DataLoader([1], num_workers=-1)", "DataLoader([1], timeout=-1)", "DataLoader([1], prefetch_factor=2)", "DataLoader([1], num_workers=1, prefetch_factor=-1)", "DataLoader([1], persistent_workers=True)",
    "DataLoader(it, shuffle=True)", "DataLoader(it, sampler=[1])", "DataLoader(it, batch_sampler=[[1]])", "DataLoader([1], sampler=[0], shuffle=True)", "DataLoader([1], batch_sampler=[[0]], batch_size=2)",
    "DataLoader([1], batch_sampler=[[0]], shuffle=True)", "DataLoader([1], batch_sampler=[[0]], drop_last=True)", "DataLoader([1], batch_size=None, drop_last=True)", "DataLoader([1], 0)", "DataLoader([1], 2.5)",
    "DataLoader([1], 2, drop_last=1)", "DataLoader([1], multiprocessing_context='fork')", "DataLoader([], shuffle=True)", "list(DataLoader([1], timeout=3))", "setattr(DataLoader([1]), 'batch_size', 2)",
    "len(DataLoader(it))", "RandomSampler([])", "RandomSampler([1], num_samples=2.5)", "RandomSampler([1], replacement=1)", "WeightedRandomSampler([1, 2], True)", "WeightedRandomSampler([1, 2], 3, 1)",
    "WeightedRandomSampler([[1, 2]], 3)", "BatchSampler([1], 0, False)", "BatchSampler([1], 2, 0)", "random_split([1, 2], [1, 2])", "random_split([1, 2], [0.5, 0.4])", "random_split([1, 2], [-0.5, 1.5])",
    "ConcatDataset([])", "ConcatDataset([it])", "ConcatDataset([[1]])[1]", "ConcatDataset([[1]])[-2]", "StackDataset()", "StackDataset([1], a=[2])", "StackDataset([1, 2], [2])", "Dataset()[0]", "len(Dataset())",
    "default_collate([])", "default_collate([None])", "default_collate([{1, 2}])", "default_collate([[1, 2], [3]])", "default_collate([{'a': 1}, {'b': 1}])", "default_collate([np.array(['a'])])"]


@pytest.mark.parametrize("code", ERRORS)
def test_errors(code):
    raised = []
    for lib in (theirs, ours):
        with pytest.raises(Exception) as error:
            eval(code, {**vars(lib), "it": counting(lib), "np": np})
        raised.append(error.type)
    assert raised[0] is raised[1]
