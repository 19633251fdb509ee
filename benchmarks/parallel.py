"""What a step of data-parallel training costs on this machine, and from where on the network decides.

    python benchmarks/parallel.py              # starts itself with 1 and with 2 ranks; needs pip install mpi4py mpich
    python benchmarks/parallel.py --bandwidth 117e6 --latency 50e-6    # the model's figures for another network

The model of a step with n ranks and a batch of B rows:

    time(n) = row * B / n  +  fixed  +  packing  +  latency * ceil(log2 n)  +  2 * (n - 1) / n * bytes / bandwidth

row, fixed: processor seconds of one rank for a row more, and for what all ranks do alike, such as the optimizer's
update, from steps with B and with B / 2 rows; packing: of copying gradients into one array and back; latency and
bandwidth: of sums of 1 and of 4 million numbers, between two ranks unless they are given. Each is the best of several
tries. The steps with two ranks are by the clock: where other programs want the cores too, they say so.
"""

import environment  # noqa: F401  isort: skip - before numpy

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.models import GPT, GPTConfig
from tinygrad_lite.parallel import DataParallel, group

TRIES, STEPS = 8, 3


def mlp(rows):
    """784-256-10: 203,530 weights."""
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    return model, tl.randn(rows, 784), tl.randint(0, 10, (rows,))


def gpt(rows, width=128, layers=4):
    model = GPT(GPTConfig(vocab_size=65, block_size=64, n_embd=width, n_layer=layers, n_head=4))
    return model, tl.randint(0, 65, (rows, 64)), tl.randint(0, 65, (rows, 64))


MODELS = {"MLP 784-256-10": (mlp, 256), "GPT 4 x 128, 64 tokens": (gpt, 16),
          "GPT 6 x 256, 64 tokens": (lambda rows: gpt(rows, 256, 6), 16)}


def stepper(name, share):
    """A function that takes a step with a share of a batch and gives the seconds it averaged for; and the weights."""
    make, rows = MODELS[name]
    tl.manual_seed(0)
    model, x, y = make(rows // share)
    optimizer = optim.AdamW(model.parameters(), lr=1e-3)
    wrapped = DataParallel(model, optimizer)

    def step():
        optimizer.zero_grad()
        out = wrapped(x)
        nn.functional.cross_entropy(out.reshape(-1, out.shape[-1]), y.reshape(-1)).backward()
        start = time.perf_counter()
        wrapped.average()
        averaged = time.perf_counter() - start
        optimizer.step()
        return averaged

    step()
    return step, sum(p.numel() for p in model.parameters())


def alone(name):
    """Processor seconds of a step with all rows, and with half of them."""
    steps = [stepper(name, share)[0] for share in (1, 2)]
    best = [math.inf, math.inf]
    for _ in range(TRIES * STEPS):  # in turn, so that both meet the same weather
        for i, step in enumerate(steps):
            start = time.process_time()
            step()
            best[i] = min(best[i], time.process_time() - start)
    return best


def together(name):
    """Seconds of a step, of copying and of waiting in it, bytes sent, and the weights."""
    step, weights = stepper(name, group().size)
    tries = []
    for _ in range(TRIES):
        group().barrier()
        sent, waited, start = group().bytes, group().waited, time.perf_counter()
        averaging = sum(step() for _ in range(STEPS))
        total, waited = time.perf_counter() - start, group().waited - waited
        tries.append([figure / STEPS for figure in (total, averaging - waited, waited, group().bytes - sent)])
    total, _, waited, sent = min(tries)
    return total, min(copying for _, copying, _, _ in tries), waited, sent, weights


def network():
    """Seconds of the shortest sum, and bytes a second of a long one, between two ranks."""
    times = []
    for numbers, repeat in ((1, 1000), (4_000_000, 10)):
        array, best = np.ones(numbers, np.float32), math.inf
        for _ in range(5):
            group().barrier()
            start = time.perf_counter()
            for _ in range(repeat):
                group().sum(array)
            best = min(best, (time.perf_counter() - start) / repeat)
        times.append(best)
    return times[0], 4 * 4_000_000 / (times[1] - times[0])  # 2 * (n - 1) / n is 1


def measure():
    if group().size > 1:
        found = [{name: together(name) for name in MODELS}, network()]
    else:
        found = {name: alone(name) for name in MODELS}
    if group().rank == 0:
        print(json.dumps(found))


def started(ranks):
    """What `ranks` ranks of this program measure."""
    launcher = [Path(sys.executable).with_name("mpirun"), "-n", str(ranks)] if ranks > 1 else []
    command = [*launcher, sys.executable, __file__, "--measure"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(latency, bandwidth):
    print(environment.kernel())
    one_rank, (both, here) = started(1), started(2)
    print(f"here: latency {here[0] * 1e6:.1f} us, bandwidth {here[1] / 1e6:,.0f} MB/s between two ranks\n")
    latency, bandwidth = latency or here[0], bandwidth or here[1]
    sizes = (2, 4, 8, 16, 32, 64)
    print(f"{'a step':22}", "  weights", "rows", "  1 rank", " 2 ranks", "  waited", " copying", "    sent",
          "|     row", "   fixed")
    lines = []
    for name in MODELS:
        rows, (one, half), (two, packing, waited, sent, weights) = MODELS[name][1], one_rank[name], both[name]
        row = min((one - half) / (rows - rows // 2), one / rows)  # more where a larger batch leaves the cache
        fixed = one - row * rows
        print(f"{name:22} {weights:9,} {rows:4} " + " ".join(f"{t * 1e3:5.1f} ms" for t in (one, two, waited, packing))
              + f" {sent / 1e6:5.2f} MB | {row * 1e3:5.2f} ms {fixed * 1e3:5.1f} ms")

        def exchange(n, sent=sent):
            return latency * math.ceil(math.log2(n)) + 2 * (n - 1) / n * sent / bandwidth

        gains = [one / (row * rows / n + fixed + packing + exchange(n)) for n in sizes]
        lines.append(f"{name:22} " + " ".join(f"{gain:6.1f}" for gain in gains) + f" {exchange(64) / row:10,.0f}")
    print(f"\nthe model: speed-up of this batch with n ranks, latency {latency * 1e6:.1f} us, bandwidth "
          f"{bandwidth / 1e6:,.0f} MB/s; and rows a rank\nbelow which 64 ranks exchange for longer than they compute")
    print(f"{'':22} " + " ".join(f"{n:>6}" for n in sizes) + f" {'rows':>10}", *lines, sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, help="seconds of the shortest message")
    parser.add_argument("--bandwidth", type=float, help="bytes a second")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    measure() if given.measure else main(given.latency, given.bandwidth)
