"""Recurrent layers and attention beside PyTorch's: forward and backward, eager and compiled.

Interleaved in one process on one thread; prints medians in milliseconds and the median ratio.
    python benchmarks/recurrent.py
"""

from environment import kernel  # first: it sets one thread and the kernel

import statistics  # isort: skip
import sys  # isort: skip
import time  # isort: skip

import numpy as np  # isort: skip
import torch  # isort: skip

import tinygrad_lite as tl  # isort: skip

torch.set_num_threads(1)
ROUNDS = 30
CASES = {  # arguments of the module, shapes of the inputs, settings of the call
    "LSTM 2 x 128": ("LSTM", (128, 128, 2), [(64, 32, 128)], {}),
    "GRU 2 x 128": ("GRU", (128, 128, 2), [(64, 32, 128)], {}),
    "RNN 2 x 128": ("RNN", (128, 128, 2), [(64, 32, 128)], {}),
    "MultiheadAttention 128, 4 heads": ("MultiheadAttention", (128, 4), [(64, 32, 128)] * 3, {}),
    "  without weights": ("MultiheadAttention", (128, 4), [(64, 32, 128)] * 3, {"need_weights": False}),
    "TransformerEncoderLayer 128": ("TransformerEncoderLayer", (128, 4, 512, 0.0), [(64, 32, 128)], {}),
}


def steps(kind, arguments, shapes, settings):
    """A step here, the same compiled, and PyTorch's."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    made = {}
    for lib in (tl, torch):
        model = getattr(lib.nn, kind)(*arguments)
        first = lib.tensor(arrays[0], requires_grad=True)
        inputs = [first] * len(arrays)

        def step(model=model, first=first, inputs=inputs):
            model.zero_grad()
            first.grad = None
            out = model(*inputs, **settings)
            out = out[0] if isinstance(out, tuple) else out
            (out * out).sum().backward()

        made[lib] = step
    return {"eager": made[tl], "compiled": tl.compile(made[tl]), "torch": made[torch]}


def main():
    """Print a line a case."""
    print(kernel())
    for name, case in CASES.items():
        if not any(word in name for word in sys.argv[1:] or [""]):
            continue
        functions = steps(*case)
        times = {key: [] for key in functions}
        for _ in range(ROUNDS):
            for key, function in functions.items():
                start = time.perf_counter()
                function()
                times[key].append(time.perf_counter() - start)
        ratio = {key: statistics.median(a / b for a, b in zip(times[key][4:], times["torch"][4:])) for key in times}
        print(f"{name:32} " + "   ".join(f"{key} {statistics.median(times[key]) * 1e3:7.2f} ms ({ratio[key]:.2f})"
                                         for key in times))


if __name__ == "__main__":
    main()
