"""Each rank trains on its rows and, beside that, alone on all rows: losses and weights must be the same.

A line a case and a rank: name, the largest difference of a loss, of a weight.
"""

import sys

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.parallel import DataParallel, average_gradients, group, shard

F = nn.functional
BATCH, STEPS = 8, 20
images, labels = tl.data.load_digits()


def mlp(dtype):
    tl.manual_seed(1)
    return nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10)).to(dtype)


OPTIMIZERS = {"sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9), "adamw": lambda p: optim.AdamW(p, lr=0.01)}


def batches(dtype, last):
    """STEPS batches, the last of `last` rows."""
    ends = [*range(BATCH, BATCH * STEPS, BATCH), BATCH * (STEPS - 1) + last]
    return [(tl.from_numpy(images[end - BATCH if end % BATCH == 0 else end - last : end].astype(dtype)),
             tl.from_numpy(labels[end - BATCH if end % BATCH == 0 else end - last : end])) for end in ends]


def trained(model, optimizer, data, clip, passes, share):
    """The losses of all rows, step by step. passes: how many batches a step accumulates."""
    losses = []
    for start in range(0, len(data), passes):
        optimizer.zero_grad()
        total = np.zeros(2)
        for x, y in data[start : start + passes]:
            x, y = share((x, y))
            loss = F.cross_entropy(model(x), y)
            (loss / passes).backward()
            total += [loss.item() * len(y) if len(y) else 0, len(y)]
        if clip is not None:
            getattr(model, "average", lambda: None)()
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        total = group().sum(total) if share is shard else total
        losses.append(total[0] / total[1])
    return losses


def case(name, dtype="float64", optimizer="sgd", last=BATCH, clip=None, passes=1):
    alone, ours = mlp(dtype), mlp(dtype)
    expected = trained(alone, OPTIMIZERS[optimizer](alone.parameters()), batches(dtype, last), clip, passes, lambda b: b)
    if group().rank:
        ours[0].weight.data = np.full((16, 64), 7, dtype)  # what rank 0 has counts
    step = OPTIMIZERS[optimizer](ours.parameters())
    model = DataParallel(ours, step)
    losses = trained(model, step, batches(dtype, last), clip, passes, shard)
    report(name, losses, expected, ours, alone)


def report(name, losses, expected, ours, alone):
    weights = max(np.abs(a.array - b.array).max() for a, b in zip(ours.parameters(), alone.parameters()))
    print(f"{name}, {max(abs(a - b) for a, b in zip(losses, expected))}, {weights}\n", end="", flush=True)


def by_hand():
    """Without DataParallel, as the Trainer does it: the loss travels with the gradients."""
    alone, ours = mlp("float32"), mlp("float32")
    expected = trained(alone, OPTIMIZERS["sgd"](alone.parameters()), batches("float32", 3), None, 1, lambda b: b)
    step, losses = OPTIMIZERS["sgd"](ours.parameters()), []
    for x, y in batches("float32", 3):
        x, y = shard((x, y))
        step.zero_grad()
        loss = F.cross_entropy(ours(x), y)
        loss.backward()
        calls = group().calls
        total, rows = average_gradients(ours.parameters(), len(y), (loss.item() * len(y) if len(y) else 0, len(y)))
        assert group().calls == calls + (group().size > 1), "one exchange a step"
        step.step()
        losses.append(total / rows if group().size > 1 else loss.item())
    report("by hand", losses, expected, ours, alone)


group().timeout = 30
for dtype in ("float32", "float64"):
    for optimizer in OPTIMIZERS:
        case(f"{dtype} {optimizer}", dtype, optimizer)
case("an uneven last batch", last=5)
case("an uneven last batch, AdamW in float32", "float32", "adamw", last=5)
case("a last batch with fewer rows than ranks", last=group().size - 1)
case("clipped", clip=0.5, last=5)
case("accumulated", passes=2)
by_hand()
sys.stdout.flush()
