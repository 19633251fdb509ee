"""Layers beside PyTorch's with the same weights: a step forward and back.

Interleaved in one process on one thread; medians in microseconds.
    python benchmarks/layers.py
"""

from environment import kernel  # first: it sets one thread and the kernel

from operations import R, f, report  # isort: skip
from steps import torch  # isort: skip

import tinygrad_lite as tl  # isort: skip

CASES = {  # title: the layer, its input, whether the input's gradient is wanted too
    "Conv2d (32, 1, 28, 28), 16 5x5": (lambda nn: nn.Conv2d(1, 16, 5), f(32, 1, 28, 28), False),
    "  and the input's gradient": (lambda nn: nn.Conv2d(1, 16, 5), f(32, 1, 28, 28), True),
    "Conv2d (8, 16, 32, 32), 32 3x3": (lambda nn: nn.Conv2d(16, 32, 3), f(8, 16, 32, 32), False),
    "  with a border, and the input's gradient": (lambda nn: nn.Conv2d(16, 32, 3, padding=1), f(8, 16, 32, 32), True),
    "Conv1d (16, 32, 128), 32 of 3": (lambda nn: nn.Conv1d(32, 32, 3), f(16, 32, 128), True),
    "ConvTranspose2d (8, 16, 16, 16), 8 4x4": (lambda nn: nn.ConvTranspose2d(16, 8, 4, 2, 1), f(8, 16, 16, 16), True),
    "MaxPool2d (32, 16, 24, 24), 2": (lambda nn: nn.MaxPool2d(2), f(32, 16, 24, 24), True),
    "BatchNorm2d (32, 16, 24, 24)": (lambda nn: nn.BatchNorm2d(16), f(32, 16, 24, 24), True),
    "BatchNorm1d (128, 256)": (lambda nn: nn.BatchNorm1d(256), f(128, 256), True),
    "GroupNorm (8, 32, 16, 16), 4": (lambda nn: nn.GroupNorm(4, 32), f(8, 32, 16, 16), True),
    "LayerNorm (1024, 768)": (lambda nn: nn.LayerNorm(768), f(1024, 768), True),
    "LayerNorm (64, 128)": (lambda nn: nn.LayerNorm(128), f(64, 128), True),
    "RMSNorm (1024, 768)": (lambda nn: nn.RMSNorm(768), f(1024, 768), True),
    "Embedding 16x64 into 65x64": (lambda nn: nn.Embedding(65, 64), R.integers(0, 65, (16, 64)), False),
    "Embedding 16x64 into 5,000x64": (lambda nn: nn.Embedding(5000, 64), R.integers(0, 5000, (16, 64)), False),
    "Linear (256, 784), 128": (lambda nn: nn.Linear(784, 128), f(256, 784), False),
    "ReLU (256, 128)": (lambda nn: nn.ReLU(), f(256, 128), True),
}


def step(lib, layer, data, wanted):
    """A call that runs the layer forward and back."""
    x = lib.from_numpy(data).requires_grad_(wanted)
    seed = None

    def run():
        nonlocal seed
        out = layer(x)
        if seed is None:
            seed = lib.ones_like(out)
        x.grad = None
        layer.zero_grad()
        out.backward(seed)

    return run


def main():
    """Print the table."""
    print(kernel())
    for title, (make, data, wanted) in CASES.items():
        ours = make(tl.nn)
        calls = {"ours": step(tl, ours, data, wanted)}
        if torch:
            theirs = make(torch.nn)
            theirs.load_state_dict({k: torch.from_numpy(v.array.copy()) for k, v in ours.state_dict().items()})
            calls["torch"] = step(torch, theirs, data, wanted)
        report(title, calls)


if __name__ == "__main__":
    main()
