"""The same training steps here, in hand-written numpy and, where installed, in PyTorch.

Interleaved in one process on one thread; prints medians in microseconds and ratios.
    python benchmarks/steps.py
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import statistics  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402

import tinygrad_lite as tl  # noqa: E402

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


MLPS = {"moons 2-16-16-2, batch 100": ([2, 16, 16, 2], 100, "Tanh"),
        "digits 64-128-10, batch 64": ([64, 128, 10], 64, "ReLU"),
        "784-256-10, batch 128": ([784, 256, 10], 128, "ReLU")}


def cases():
    """Each case's name and its steps by library."""
    libraries = {"ours": (tl, tl.from_numpy)} | ({"torch": (torch, torch.from_numpy)} if torch else {})
    yield "chain of 100 multiply-adds, 4x4", {name: chain(*lib) for name, lib in libraries.items()}
    for title, setting in MLPS.items():
        steps = {name: mlp(*lib, *setting) for name, lib in libraries.items()}
        yield title, steps | {"numpy": numpy_mlp(*setting)}


def main(rounds=60):
    """Print the table."""
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


if __name__ == "__main__":
    main()
