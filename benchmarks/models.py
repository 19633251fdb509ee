"""Whole models beside PyTorch eager: training steps, peak memory, and the generation of text with a cache.

A training step is compiled, and has what a real one has: batches as arguments, gradient clipping, momentum or AdamW.
Each number of threads has a process of its own, in which both libraries take turns; medians, and the median of the
ratios. Memory is that of a process that does nothing else.
    python benchmarks/models.py [part of a title]
"""

from environment import THREADS, kernel  # first: it sets the threads and the BLAS kernel

import functools  # isort: skip
import os  # isort: skip
import resource  # isort: skip
import statistics  # isort: skip
import subprocess  # isort: skip
import sys  # isort: skip
import time  # isort: skip

import numpy as np  # isort: skip

VOCABULARY = 65
LIBRARIES = {"compiled": "tinygrad_lite", "eager": "tinygrad_lite", "PyTorch": "torch"}


def library(name):
    """The library called that; PyTorch with our number of threads."""
    lib = __import__(LIBRARIES[name])
    if name == "PyTorch":
        lib.set_num_threads(THREADS)
    return lib


# ---------------------------------------------------------------- the models
def torch_gpt(torch, layers, heads, width, context):
    """PyTorch's side: what `tinygrad_lite.models.GPT` is, with a cache of the same kind."""
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x, start, cache):  # (B, T, C)
            b, t, c = x.shape
            q, k, v = (part.view(b, t, heads, c // heads).transpose(1, 2)
                       for part in self.c_attn(self.ln_1(x)).split(c, 2))
            if cache is not None:
                for kept, new in zip(cache, (k, v)):
                    kept[:, :, start : start + t] = new
                k, v = (kept[:, :, : start + t] for kept in cache)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=t > 1)
            x = x + self.c_proj(y.transpose(1, 2).reshape(b, t, c))
            return x + self.mlp(self.ln_2(x))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(VOCABULARY, width), nn.Embedding(context, width)
            self.h, self.ln_f = nn.ModuleList(Block() for _ in range(layers)), nn.LayerNorm(width)
            self.lm_head = nn.Linear(width, VOCABULARY, bias=False)
            self.lm_head.weight = self.wte.weight
            for p in self.parameters():
                if p.ndim == 2:
                    nn.init.normal_(p, std=0.02)

        def forward(self, idx, start=0, caches=None):
            x = self.wte(idx) + self.wpe(torch.arange(start, start + idx.shape[1]))
            for i, block in enumerate(self.h):
                x = block(x, start, caches and caches[i])
            return self.lm_head(self.ln_f(x))

        @torch.inference_mode()
        def generate(self, idx, new):
            caches = [[torch.empty(1, heads, context, width // heads) for _ in "kv"] for _ in range(layers)]
            start, next_one = 0, idx
            for _ in range(new):
                logits = self(next_one, start, caches)[:, -1]
                start, next_one = start + next_one.shape[1], logits.argmax(-1, keepdim=True)
                idx = torch.cat([idx, next_one], 1)
            return idx

    return GPT()


def any_gpt(lib, layers, heads, width, context):
    if lib.__name__ == "torch":
        return torch_gpt(lib, layers, heads, width, context)
    from tinygrad_lite.models import GPT, GPTConfig

    return GPT(GPTConfig(VOCABULARY, context, layers, heads, width))


def gpt(lib, layers, heads, width, context, batch):
    """A GPT, its optimizer, and the shape of its batches of text."""
    model = any_gpt(lib, layers, heads, width, context)
    return model, lib.optim.AdamW(model.parameters(), lr=1e-3), (batch, context)


def lenet(lib, batch):
    """LeNet-5 (LeCun et al., 1998) with maxima and relu, for images of 28 x 28."""
    nn = lib.nn
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
    return model, lib.optim.SGD(model.parameters(), lr=0.01, momentum=0.9), (batch, 1, 28, 28)


def lstm(lib, length, batch):
    """A model of characters: embedding 64, one LSTM of 128."""
    nn = lib.nn

    class Characters(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.lstm = nn.Embedding(VOCABULARY, 64), nn.LSTM(64, 128)
            self.head = nn.Linear(128, VOCABULARY)

        def forward(self, x):  # (T, B)
            return self.head(self.lstm(self.embedding(x))[0])

    model = Characters()
    return model, lib.optim.Adam(model.parameters(), lr=1e-3), (length, batch)


TRAINING = {  # title: the model, its sizes, the most that its step may take of PyTorch's time, rounds
    "GPT 4 layers, 64 wide, 64 long, batch 16": (gpt, (4, 2, 64, 64, 16), 0.6, 60),
    "GPT 6 layers, 192 wide, 128 long, batch 8": (gpt, (6, 6, 192, 128, 8), 0.6, 20),
    "GPT 6 layers, 384 wide, 256 long, batch 4": (gpt, (6, 6, 384, 256, 4), 0.9, 12),
    "LeNet on 28 x 28, batch 64": (lenet, (64,), 1.0, 100),
    "LSTM of characters, 128 wide, 64 long, batch 32": (lstm, (64, 32), 1.0, 100),
}
GENERATION = {"4 layers, 64 wide": (4, 2, 64), "6 layers, 384 wide": (6, 6, 384)}
CONTEXT = 512


def training_step(name, make, sizes):
    """A call that trains the model once."""
    lib, rng = library(name), np.random.default_rng(0)
    F, clip = lib.nn.functional, lib.nn.utils.clip_grad_norm_
    model, optimizer, shape = make(lib, *sizes)

    def step(x, y):
        optimizer.zero_grad()
        logits = model(x)
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))
        loss.backward()
        clip(model.parameters(), 1.0)
        optimizer.step()
        return loss

    if make is lenet:
        x, y = rng.standard_normal(shape).astype(np.float32), rng.integers(0, 10, shape[:1])
    else:
        x, y = rng.integers(0, VOCABULARY, shape), rng.integers(0, VOCABULARY, shape)
    step = lib.compile(step) if name == "compiled" else step
    return functools.partial(step, lib.from_numpy(x), lib.from_numpy(y))


# ---------------------------------------------------------------- tables
def interleaved(calls, rounds, first=3):
    """The times of each call in seconds, a list each; the first calls, that record and compile, are not timed."""
    for _ in range(first):
        for call in calls.values():
            call()
    times = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return times


def ratio(times, a, b):
    """The median of what a takes of b's time."""
    return statistics.median(x / y for x, y in zip(times[a], times[b]))


def timed(only):
    """The tables of time, in this process."""
    print(f"\n{THREADS} thread{'s' * (THREADS > 1)}, {kernel()}\n")
    print("| a training step | compiled | eager | PyTorch | compiled / PyTorch | at most |")
    print("| --- | --- | --- | --- | --- | --- |")
    for title, (make, sizes, most, rounds) in TRAINING.items():
        if only in title:
            times = interleaved({name: training_step(name, make, sizes) for name in LIBRARIES}, rounds)
            middle = (f"{statistics.median(ts) * 1e3:,.2f} ms" for ts in times.values())
            found = ratio(times, "compiled", "PyTorch")
            print(f"| {title} | {' | '.join(middle)} | {found:.2f} | {most} |", flush=True)
    print(f"\n| {CONTEXT} tokens, one sequence | ours | PyTorch | ours / PyTorch | at least |")
    print("| --- | --- | --- | --- | --- |")
    ours, theirs = library("eager"), library("PyTorch")
    start, new = np.zeros((1, 1), np.int64), CONTEXT - 1
    for title, sizes in GENERATION.items():
        if only in title:
            us, them = any_gpt(ours, *sizes, CONTEXT), any_gpt(theirs, *sizes, CONTEXT)
            calls = {"ours": functools.partial(us.generate, start, new, do_sample=False),
                     "PyTorch": functools.partial(them.generate, theirs.from_numpy(start), new)}
            times = interleaved(calls, 7, first=1)
            speeds = (f"{new / statistics.median(ts):,.0f} / s" for ts in times.values())
            print(f"| {title} | {' | '.join(speeds)} | {1 / ratio(times, 'ours', 'PyTorch'):.2f} | 1.0 |", flush=True)
    title = "4 layers, 64 wide"
    if only in title:
        us = any_gpt(ours, *GENERATION[title], CONTEXT)
        times = interleaved({"cached": lambda: us.generate(start, new, do_sample=False),
                             "uncached": lambda: us.generate(start, new, do_sample=False, cached=False)}, 3, first=0)
        print(f"\ncached / uncached, {title}: {1 / ratio(times, 'cached', 'uncached'):.1f} times as fast, at least 10")


def peak(name, title, steps=30):
    """The most memory in MiB that a process had that trains the model with one library."""
    if name != "PyTorch":
        sys.modules["torch"] = None  # an import of it fails
    make, sizes, *_ = TRAINING[title]
    step = training_step(name, make, sizes)
    for _ in range(steps):
        step()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def run(threads, *arguments, **settings):
    """This file in a process of its own."""
    return subprocess.run([sys.executable, __file__, *arguments], env=os.environ | {"THREADS": str(threads)},
                          text=True, check=True, **settings).stdout


def main(only=""):
    """Print all tables."""
    for threads in (1, 2):
        run(threads, "timed", only)
    print("\n| peak memory, MiB | compiled | eager | PyTorch | compiled / PyTorch | at most |")
    print("| --- | --- | --- | --- | --- | --- |")
    for title in TRAINING:
        if only in title:
            found = [float(run(1, "peak", name, title, stdout=subprocess.PIPE)) for name in LIBRARIES]
            print(f"| {title} | {' | '.join(f'{mib:.0f}' for mib in found)} | {found[0] / found[-1]:.2f} | 1.0 |",
                  flush=True)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:] or [""]
    if what in ("timed", "peak"):
        {"timed": timed, "peak": peak}[what](*arguments)
    else:
        main(what)
