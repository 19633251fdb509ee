"""What DataParallel refuses, and what its first version got wrong: each rank prints the name of what is as it should be."""

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.parallel import DataParallel, average_gradients, group, shard

rank = group().rank


def raised(error, call, *args):
    try:
        call(*args)
    except error as found:
        return str(found)
    raise AssertionError("nothing was raised")


def step(model, optimizer, x):
    optimizer.zero_grad()
    model(x).square().mean().backward()
    optimizer.step()


def an_optimizer_that_it_does_not_know():
    model = DataParallel(nn.Linear(2, 1))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x = tl.tensor([[1.0, rank]])
    step(model, optimizer, x)
    assert "DataParallel(model, optimizer)" in raised(RuntimeError, step, model, optimizer, x)


def calls_of_what_it_holds():
    module = nn.Linear(2, 1)
    optimizer = optim.SGD(module.parameters(), lr=0.1)
    model = DataParallel(module, optimizer)
    step(model, optimizer, tl.ones(1, 2))
    assert "call the DataParallel" in raised(RuntimeError, step, module, optimizer, tl.ones(1, 2))


def statistics_that_changed_in_one_rank():
    module = nn.BatchNorm1d(2)
    optimizer = optim.SGD(module.parameters(), lr=0.0)
    model = DataParallel(module, optimizer)
    for value in [5.0] * 200 + [5.0 + rank]:
        step(model, optimizer, tl.full((4, 2), value))
    expected = 5 + 0.1 * (group().size - 1) / 2
    np.testing.assert_allclose(module.running_mean.array, expected, rtol=1e-5)


def float16_that_would_overflow():
    p = nn.Parameter(tl.zeros(1, dtype=tl.float16))
    p.grad = tl.tensor([100.0], dtype=tl.float16)
    average_gradients([p], 70_000)
    assert p.grad.tolist() == [100]


def text_and_rows_that_differ():
    assert "'cat' cannot be shared out" in raised(TypeError, shard, [np.ones(2), ["cat", "dog"]])
    assert "[6, 5]" in raised(ValueError, shard, {"x": np.ones(6), "t": (np.ones(5), 3)})
    found = shard({"x": np.arange(4), "t": {"y": np.arange(4), "w": 0.5}}, 0, 2)
    assert found["t"]["w"] == 0.5 and found["t"]["y"].tolist() == [0, 2]


def layers_that_are_frozen_in_one_rank():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[rank % 2].requires_grad_(False)
    assert "frozen" in raised(RuntimeError, DataParallel, module)


for check in (an_optimizer_that_it_does_not_know, calls_of_what_it_holds, statistics_that_changed_in_one_rank, float16_that_would_overflow,
              text_and_rows_that_differ, layers_that_are_frozen_in_one_rank):
    check()
    print(check.__name__)
