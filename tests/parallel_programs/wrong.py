"""The last rank does what its first argument says, while the others go on: nothing may hang."""

import os
import signal
import sys
import time

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.parallel import DataParallel, DistributedSampler, group, ranks

last = int(os.environ["PMI_RANK"]) == int(os.environ["PMI_SIZE"]) - 1
case = sys.argv[1]
ranks.TIMEOUT = 2.0


def mistake():
    raise ZeroDivisionError("a mistake of one rank")


def forever():
    while True:
        time.sleep(0.01)


def train(batches, epochs):
    """Different numbers of batches and no join()."""
    module = nn.Linear(1, 1)
    optimizer = optim.SGD(module.parameters(), lr=0.1)
    model = DataParallel(module, optimizer)
    sampler = DistributedSampler(range(2 * batches * group().size + 1), shuffle=False)
    for _ in range(epochs):
        rows = list(sampler)
        for k in range(0, len(rows), 2):
            optimizer.zero_grad()
            model(tl.tensor(np.float32(rows[k : k + 2])[:, None])).mean().backward()
            optimizer.step()


if case == "ends before it begins" and last:
    sys.exit()
if case == "no mpi4py":
    sys.modules["mpi4py"] = None
group().sum(np.zeros(3))
actions = {"raises": mistake, "is killed": lambda: os.kill(os.getpid(), signal.SIGKILL), "loops": forever,
           "returns": sys.exit, "exits": lambda: sys.exit(3), "waits elsewhere": group().barrier,
           "is interrupted": lambda: signal.raise_signal(signal.SIGINT)}
if case in actions and last:
    actions[case]()
if case == "batches":
    train(2, 3)
if case == "batches of the last epoch":
    train(2, 1)
if case == "exits after the others":
    time.sleep(1.5 if last else 0)
    sys.exit(3 if last else 0)
group().sum(np.zeros(3))
forever()
