"""The same training steps here, in hand-written numpy and, where installed, in PyTorch.

Interleaved in one process on one thread; prints medians in microseconds and ratios.
    python benchmarks/steps.py
"""

from environment import kernel  # first: it sets one thread and the kernel

import itertools  # isort: skip
import statistics  # isort: skip
import threading  # isort: skip
import time  # isort: skip
import warnings  # isort: skip

import numpy as np  # isort: skip

import tinygrad_lite as tl  # isort: skip

try:
    import torch
    torch.set_num_threads(1)
except ImportError:
    torch = None


def chain(lib, wrap):
    """100 multiply-adds on 4 x 4."""
    rng = np.random.default_rng(0)
    x, w, b, one = (rng.standard_normal((4, 4)).astype(np.float32) for _ in range(4))
    x, one = wrap(x), wrap(one)
    w, b = wrap(w).requires_grad_(), wrap(b).requires_grad_()

    def step():
        h = x
        for _ in range(100):
            h = h * w + b
        w.grad = b.grad = None
        h.backward(one)

    return step


def mlp(lib, wrap, sizes, batch, activation):
    """A network of linear layers with cross-entropy and SGD."""
    rng = np.random.default_rng(0)
    layers = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        layers += [lib.nn.Linear(n_in, n_out), getattr(lib.nn, activation)()]
    model = lib.nn.Sequential(*layers[:-1])
    x = wrap(rng.standard_normal((batch, sizes[0])).astype(np.float32))
    y = wrap(rng.integers(0, sizes[-1], batch))
    optimizer = lib.optim.SGD(model.parameters(), lr=0.01)

    def step():
        optimizer.zero_grad()
        loss = lib.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def numpy_mlp(sizes, batch, activation):
    """The step of `mlp` as one would write it by hand."""
    rng = np.random.default_rng(0)
    weights = [rng.uniform(-1, 1, (o, i)).astype(np.float32) / np.float32(i) ** 0.5 for i, o in zip(sizes, sizes[1:])]
    biases = [np.zeros(o, np.float32) for o in sizes[1:]]
    x, y = rng.standard_normal((batch, sizes[0])).astype(np.float32), rng.integers(0, sizes[-1], batch)
    rows, lr = np.arange(batch), 0.01

    def step():
        h = [x]
        for i, (w, b) in enumerate(zip(weights, biases)):
            z = h[-1] @ w.T + b
            h.append(z if i + 1 == len(weights) else np.maximum(z, 0) if activation == "ReLU" else np.tanh(z))
        z = h.pop()
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        loss = -np.log(p[rows, y]).mean()
        p[rows, y] -= 1
        g = p / batch
        for i in reversed(range(len(weights))):
            dw, db = g.T @ h[i], g.sum(0)
            if i:
                g = g @ weights[i]
                g *= (h[i] > 0) if activation == "ReLU" else 1 - h[i] * h[i]
            weights[i] -= lr * dw
            biases[i] -= lr * db
        return loss

    return step


def updates(lib, wrap, settings):
    """A step of AdamW over 100 parameters of 64 elements, whose gradients are there."""
    params = [lib.nn.Parameter(lib.ones(64)) for _ in range(100)]
    for p in params:
        p.grad = wrap(np.ones(64, np.float32))
    return lib.optim.AdamW(params, **settings).step


MLPS = {"moons 2-16-16-2, batch 100": ([2, 16, 16, 2], 100, "Tanh"),
        "digits 64-128-10, batch 64": ([64, 128, 10], 64, "ReLU"),
        "784-256-10, batch 128": ([784, 256, 10], 128, "ReLU")}


def cases():
    """Each case's name and its steps by library."""
    libraries = {"ours": (tl, tl.from_numpy)} | ({"torch": (torch, torch.from_numpy)} if torch else {})
    yield "chain of 100 multiply-adds, 4x4", {name: chain(*lib) for name, lib in libraries.items()}
    foreach = {"torch": {"foreach": True}}
    yield "AdamW, 100 parameters of 64", {name: updates(*lib, foreach.get(name, {})) for name, lib in libraries.items()}
    for title, setting in MLPS.items():
        steps = {name: mlp(*lib, *setting) for name, lib in libraries.items()}
        yield title, steps | {"numpy": numpy_mlp(*setting)}


def beside(step, rounds=40):
    """The median time of a step in microseconds: alone, and while another thread is inside study(), detect_anomaly()
    and a compiled call, and while a result that was changed in place is alive."""
    def alone():
        yield

    def watched():
        entered, done = threading.Event(), threading.Event()

        calls = itertools.count()

        @tl.compile
        def held(x):
            if next(calls):  # the second call, which is recorded
                entered.set()
                done.wait()
            return x * 2.0

        def work():
            with tl.no_grad():
                held(tl.ones(1))
                held(tl.ones(1))

        def study():
            with tl.study(), tl.autograd.detect_anomaly():
                inside.set()
                done.wait()

        inside = threading.Event()
        others = [threading.Thread(target=f) for f in (study, work)]
        for other in others:
            other.start()
        inside.wait(), entered.wait()
        yield
        done.set()
        for other in others:
            other.join()

    def changed():
        y = tl.ones(4, requires_grad=True) * 1.0
        y.mul_(2.0)
        yield

    times = {"alone": [], "watched": [], "changed": []}
    for _ in range(rounds):
        for case in (alone, watched, changed):
            around = case()
            next(around)
            step(), step()  # the processor's caches, after other work
            start = time.perf_counter()
            for _ in range(10):
                step()
            times[case.__name__].append((time.perf_counter() - start) * 1e5)
            next(around, None)
    return {name: statistics.median(ts) for name, ts in times.items()}


def main(rounds=60):
    """Print the table."""
    print(kernel())
    for title, steps in cases():
        times = {name: [] for name in steps}
        for _ in range(rounds):
            for name, step in steps.items():
                start = time.perf_counter()
                for _ in range(10):
                    step()
                times[name].append((time.perf_counter() - start) * 1e5)
        medians = {name: statistics.median(ts) for name, ts in times.items()}
        row = "  ".join(f"{name} {t:8.1f} us" for name, t in medians.items())
        ratios = "  ".join(f"ours/{n} {medians['ours'] / t:.2f}" for n, t in medians.items() if n != "ours")
        print(f"{title:34} {row}  {ratios}")
    warnings.simplefilter("ignore", tl.compiler.Fallback)  # of the call that is kept waiting
    found = beside(chain(tl, tl.from_numpy))
    print("the chain " + ", ".join(f"{name} {t:.1f} us ({t / found['alone']:.2f})" for name, t in found.items()))


if __name__ == "__main__":
    main()
