"""What else is promised: a function a promise, each run by every rank; a line `name rank` for each that held."""

import pathlib
import sys

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.data import DataLoader, TensorDataset
from tinygrad_lite.parallel import DataParallel, DistributedSampler, average_gradients, group, save, shard

F = nn.functional
rank, size = group().rank, group().size
group().timeout = 30


def raised(kind, function, *args):
    try:
        function(*args)
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


def equal_on_all(*arrays):
    """Whether all ranks have the same to the bit."""
    ranks = group().gather([np.asarray(a) for a in arrays])
    return all(np.array_equal(a, b) for theirs in ranks for a, b in zip(theirs, ranks[0]))


def ranks_exchange_arrays_and_objects():
    assert group().gather({"rank": rank}) == [{"rank": i} for i in range(size)]
    assert group().broadcast(("of", rank)) == ("of", 0) and group().broadcast(rank, size - 1) == size - 1
    array = np.full(3, rank, np.int64)
    assert group().sum(array) is array and array.tolist() == [sum(range(size))] * 3
    before = group().bytes
    group().sum(np.zeros(100, np.float32))
    group().barrier()
    assert group().bytes - before == 400 + 8 and group().waited > 0


def gradients_are_weighted_by_rows():
    first, second, third = (tl.tensor(np.zeros(2, dtype), requires_grad=True) for dtype in ("float64", "float16", "float32"))
    first.grad = tl.tensor(np.full(2, rank + 1.0))
    second.grad = tl.tensor(np.full(2, 3, "float16")) if rank == 0 else None
    rows = [rank + 1 for rank in range(size)]
    sums = average_gradients([first, second, third], rows[rank], (1, 0.5))
    assert np.allclose(first.grad.array, np.dot(rows, rows) / sum(rows), rtol=1e-15)
    assert second.grad.dtype == "float16" and np.allclose(second.grad.array, 3 / sum(rows), rtol=1e-3)
    assert third.grad is None and sums.tolist() == [size, size / 2]


def what_a_rank_without_rows_has_is_not_read():
    p = tl.tensor([0.0], requires_grad=True)
    p.grad = tl.tensor([float("nan") if rank else 5.0])
    average_gradients([p], 0 if rank else 2**24 + 1)
    assert p.grad.tolist() == [5.0]
    group().passes += 2**24 + 1  # more than a float32 counts to
    average_gradients([p], 0)
    group().passes -= 2**24 + 1
    assert p.grad is None


def dropout_differs_by_rank_and_rank_0_has_its_own():
    model = nn.Linear(2, 2)
    tl.manual_seed(5)
    if rank:
        tl.manual_seed(99)
    DataParallel(model)
    drawn = group().gather(tl.randint(0, 2**40, (1,)).item())
    tl.manual_seed(5)
    assert drawn[0] == tl.randint(0, 2**40, (1,)).item() and len(set(drawn)) == size


def running_statistics_are_averaged_and_constants_stay():
    tl.manual_seed(0)
    module = nn.Sequential(nn.BatchNorm1d(3, momentum=1.0), nn.Linear(3, 1))
    constant = np.float32([0.1, -np.inf, 1 / 3])
    module.register_buffer("constant", tl.tensor(constant))
    optimizer = optim.SGD(module.parameters(), lr=0.1)
    model = DataParallel(module, optimizer)
    x = np.random.default_rng(0).normal(size=(5 * size + 1, 3)).astype("float32")
    for _ in range(3):
        optimizer.zero_grad()
        model(tl.from_numpy(shard(x))).mean().backward()
        optimizer.step()
    assert np.allclose(module[0].running_mean.array, x.mean(0), atol=1e-6)
    assert equal_on_all(*(b.array for b in module.buffers()), *(p.array for p in module.parameters()))
    assert np.array_equal(module.constant.array, constant)


def an_evaluation_between_steps_has_no_say():
    module = nn.Linear(1, 1, bias=False)
    optimizer = optim.SGD(module.parameters(), lr=1.0)
    model = DataParallel(module, optimizer)
    module.weight.data[...] = 0.0
    model(tl.ones(50 * (rank + 1), 1))
    optimizer.zero_grad()
    model(tl.full((1, 1), float(rank))).sum().backward()
    optimizer.step()
    assert np.isclose(module.weight.item(), -sum(range(size)) / size)


def the_optimizers_state_is_that_of_rank_0():
    module = nn.Linear(2, 2)
    optimizer = optim.Adam(module.parameters(), lr=0.1 * (rank + 1))
    module(tl.ones(1, 2) * rank).sum().backward()
    optimizer.step()
    DataParallel(module, optimizer)
    state = optimizer.state[module.weight]
    assert equal_on_all(state["exp_avg"], state["exp_avg_sq"], module.weight.array)
    assert optimizer.param_groups[0]["lr"] == 0.1


def ranks_with_different_numbers_of_batches_join():
    rows = 4 * size + 1  # of batches of 2, rank 0 has 3, the others 2
    x = np.random.default_rng(0).normal(size=(rows, 3)).astype("float64")
    y = x @ [[1.0], [2.0], [3.0]]

    def started():
        tl.manual_seed(3)
        module = nn.Linear(3, 1, dtype="float64")
        optimizer = optim.Adam(module.parameters(), lr=0.05)
        return module, optimizer, optim.lr_scheduler.ExponentialLR(optimizer, 0.9)

    alone, optimizer, scheduler = started()
    for epoch in range(3):
        order = tl.randperm(rows, generator=tl.Generator(epoch)).array
        for k in range(0, rows, 2 * size):
            optimizer.zero_grad()
            F.mse_loss(alone(tl.tensor(x[order[k : k + 2 * size]])), tl.tensor(y[order[k : k + 2 * size]])).backward()
            nn.utils.clip_grad_norm_(alone.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
    module, optimizer, scheduler = started()
    model = DataParallel(module, optimizer)
    data = TensorDataset(tl.tensor(x), tl.tensor(y))
    sampler = DistributedSampler(data)
    loader = DataLoader(data, batch_size=2, sampler=sampler)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        with model.join(scheduler):
            for inputs, targets in loader:
                optimizer.zero_grad()
                F.mse_loss(model(inputs), targets).backward()
                model.average()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                scheduler.step()
    assert np.allclose(module.weight.array, alone.weight.array, atol=1e-12)
    assert equal_on_all(module.weight.array, optimizer.param_groups[0]["lr"], scheduler.last_epoch)
    assert scheduler.last_epoch == 9


def samplers_share_the_rows():
    for rows, shuffle, drop_last in ((10, True, False), (11, False, False), (11, True, True), (size - 1, True, False)):
        sampler = DistributedSampler(range(rows), shuffle=shuffle, drop_last=drop_last, seed=3)
        sampler.set_epoch(2)
        ranks = group().gather(list(sampler))
        assert len(sampler) == len(ranks[rank])
        order = tl.randperm(rows, generator=tl.Generator(5)).tolist() if shuffle else list(range(rows))
        order = order[: rows - rows % size] if drop_last else order
        assert ranks == [order[r::size] for r in range(size)]


def a_checkpoint_is_written_once():
    path = pathlib.Path(sys.argv[1]) / "checkpoint.safetensors"
    model = DataParallel(nn.Linear(2, 1))
    save({"model": model.state_dict(), "step": 3}, path)
    kept = tl.load(path)
    assert kept["step"] == 3 and list(kept["model"]) == ["weight", "bias"]
    model.load_state_dict(kept["model"])
    assert "nowhere" in raised(OSError, save, {}, path.parent / "nowhere" / "checkpoint")
    assert "object" in raised(TypeError, save, {"a": object()}, path)


def what_cannot_be_right_is_an_error():
    module = nn.Linear(1, 1)
    optimizer = optim.SGD(module.parameters(), lr=0.1)
    model = DataParallel(module, optimizer)
    module(tl.ones(1, 1)).sum().backward()
    assert "call the DataParallel" in raised(RuntimeError, optimizer.step)
    assert "closure" in raised(RuntimeError, optimizer.step, lambda: None)
    other = optim.SGD([tl.tensor([0.0], requires_grad=True)], lr=0.1)
    assert "that the module has not" in raised(ValueError, DataParallel, module, other)
    assert "ranks differ" in raised(RuntimeError, average_gradients, module.parameters(), 1, (0,) * rank)
    assert "[2, 3]" in raised(ValueError, shard, (np.zeros(2), np.zeros(3)))
    assert "Invalid rank" in raised(ValueError, DistributedSampler, range(3), 2, 2)
    assert model.training


def modules_that_differ_are_named():
    unlike = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2 if rank == size - 1 else 1))
    assert f"rank 0 has 1.weight float32 [1, 3], rank {size - 1} has 1.weight float32 [2, 3]" in raised(RuntimeError, DataParallel, unlike)


for promise in [value for value in list(globals().values()) if getattr(value, "__module__", None) == "__main__"]:
    if promise not in (raised, equal_on_all):
        promise()
        print(f"{promise.__name__} {rank}\n", end="", flush=True)
