"""Peak resident memory of training 784-256-10 at batch 128, here (as it is, and compiled) and in PyTorch, each in a
process of its own.

    python benchmarks/memory.py
"""

import importlib
import resource
import subprocess
import sys


def peak(name: str) -> None:
    """Import the library, train 200 steps, print the peaks of resident memory after the import and after the steps."""
    name, _, compiled = name.partition(" ")
    if name != "torch":
        sys.modules["torch"] = None  # type: ignore[assignment]  # an import of it fails
    steps = importlib.import_module("steps")
    lib = importlib.import_module(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step = steps.mlp(lib, lib.from_numpy, *steps.MLPS["784-256-10, batch 128"])
    step = lib.compile(step) if compiled else step
    for _ in range(200):
        step()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{name + ' ' + compiled:22} {after / 1024:6.1f} MiB, of which the import {before / 1024:6.1f} MiB")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        peak(sys.argv[1])
    else:
        for library in ("tinygrad_lite", "tinygrad_lite compiled", "torch"):
            subprocess.run([sys.executable, __file__, library], check=False)
