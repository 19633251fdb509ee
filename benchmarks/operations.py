"""Operations against numpy, their own expanded definition, and PyTorch where installed.

Interleaved in one process on one thread; medians in microseconds.
    python benchmarks/operations.py
"""

from environment import kernel  # first: it sets one thread and the kernel

import statistics  # isort: skip
import time  # isort: skip

import numpy as np  # isort: skip
from steps import torch  # isort: skip

import tinygrad_lite as tl  # isort: skip

R = np.random.default_rng(0)


def measure(calls, rounds=30, budget=0.02):
    """The median time of each of the named calls, in microseconds."""
    repeats = {}
    for name, call in calls.items():
        start = time.perf_counter()
        call()
        repeats[name] = max(1, int(budget / max(time.perf_counter() - start, 1e-7) / rounds))
    times = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            times[name].append((time.perf_counter() - start) / repeats[name] * 1e6)
    return {name: statistics.median(ts) for name, ts in times.items()}


def report(title, calls, of="ours"):
    found = measure(calls)
    ratios = "  ".join(f"{of}/{n} {found[of] / t:.2f}" for n, t in found.items() if n != of)
    print(f"{title:46} " + "  ".join(f"{n} {t:9.1f} us" for n, t in found.items()) + "  " + ratios)


def overhead():
    """What a recorded operation on a tiny tensor costs beside the numpy call."""
    x, y = tl.ones(2, 2, requires_grad=True), tl.ones(2, 2)
    a, b = x.array, y.array
    cases = {
        "mul": (lambda: x * y, lambda: np.multiply(a, b)),
        "add a number": (lambda: x + 1.0, lambda: np.add(a, 1.0)),
        "exp": (lambda: tl.exp(x), lambda: np.exp(a)),
        "sum": (lambda: tl.sum(x), lambda: np.add.reduce(a, axis=None)),
        "reshape": (lambda: x.reshape(4), lambda: a.reshape(4)),
        "matmul": (lambda: x @ y, lambda: np.matmul(a, b)),
        "index": (lambda: x[0], lambda: a[0]),
    }
    for name, (ours, plain) in cases.items():
        found = measure({"ours": ours, "numpy": plain})
        print(f"{'overhead of ' + name:46} {found['ours'] - found['numpy']:5.2f} us")
    with tl.study():
        on = measure({"mul": lambda: x * y})["mul"]
    off = measure({"mul": lambda: x * y})["mul"]
    print(f"{'a mul inside study(), and outside':46} {on:5.2f} us, {off:5.2f} us")


def training(lib, make, wrt, *data):
    """A call that runs forward and backward, with gradients of the `wrt` first arrays."""
    wrap = tl.from_numpy if lib is tl else torch.from_numpy
    tensors = [wrap(d) if isinstance(d, np.ndarray) else d for d in data]
    leaves = [t.requires_grad_() for t in tensors[:wrt]]

    def step():
        out = make(lib, *tensors)
        out = out if out.ndim == 0 else out.sum()
        for leaf in leaves:
            leaf.grad = None
        out.backward()

    return step


def f(*shape):
    return R.standard_normal(shape).astype(np.float32)


def functional(name, *more, **settings):
    """The function of that name of a library's nn.functional, with settings."""
    return lambda lib, *tensors: getattr(lib.nn.functional, name)(*tensors, *more, **settings)


ROWS = (1024, 768)
CASES = {  # title: function, how many of the tensors are differentiated, the tensors
    "embedding 16x64 into 65x64": (lambda lib, w, i: lib.nn.functional.embedding(i, w), 1, f(65, 64),
                                   R.integers(0, 65, (16, 64))),
    "embedding 16x64 into 50,000x64": (lambda lib, w, i: lib.nn.functional.embedding(i, w), 1, f(50_000, 64),
                                       R.integers(0, 50_000, (16, 64))),
    "conv2d (32,1,28,28), 16 5x5": (lambda lib, w, b, x: lib.nn.functional.conv2d(x, w, b), 2, f(16, 1, 5, 5), f(16),
                                    f(32, 1, 28, 28)),
    "conv2d, input's gradient too": (functional("conv2d"), 3, f(32, 1, 28, 28), f(16, 1, 5, 5), f(16)),
    "max_pool2d (32,16,24,24), 2": (functional("max_pool2d", 2), 1, f(32, 16, 24, 24)),
    "layer_norm (1024, 768)": (lambda lib, x, w, b: lib.nn.functional.layer_norm(x, (768,), w, b), 3, f(*ROWS), f(768),
                               f(768)),
    "gelu (1024, 768)": (functional("gelu"), 1, f(*ROWS)),
    "gelu tanh (1024, 768)": (functional("gelu", approximate="tanh"), 1, f(*ROWS)),
    "softmax (1024, 768)": (functional("softmax", -1), 1, f(*ROWS)),
    "cross_entropy (1024, 768)": (functional("cross_entropy"), 1, f(*ROWS), R.integers(0, 768, 1024)),
    "attention (4, 256, 64) causal": (functional("scaled_dot_product_attention", is_causal=True), 3, f(4, 256, 64),
                                      f(4, 256, 64), f(4, 256, 64)),
}


def main():
    """Print the table."""
    print(kernel())
    overhead()
    for title, (make, wrt, *data) in CASES.items():
        calls = {"ours": training(tl, make, wrt, *data)}
        calls["expanded"] = tl.expanded()(calls["ours"])
        if torch:
            calls["torch"] = training(torch, make, wrt, *data)
        report(title, calls)


if __name__ == "__main__":
    main()
