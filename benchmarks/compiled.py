"""Compiled training steps against PyTorch eager, jax.jit and hand-written numpy, where these are installed.

Interleaved in one process on one thread; medians, and the peak of memory of each in a process of its own.
    python benchmarks/compiled.py
"""

from steps import MLPS, chain, mlp, numpy_mlp, torch  # first: it sets one thread

import statistics  # isort: skip
import sys  # isort: skip
import time  # isort: skip

import numpy as np  # isort: skip

import tinygrad_lite as tl  # isort: skip


def logistic(lib, wrap):
    """Logistic regression, 30 features, batch 569, with its gradient step."""
    rng = np.random.default_rng(0)
    x, y = wrap(rng.standard_normal((569, 30)).astype(np.float32)), wrap(rng.integers(0, 2, 569).astype(np.float32))
    w, b = (wrap(np.zeros(n, np.float32)).requires_grad_() for n in (30, 1))
    optimizer = lib.optim.SGD([w, b], lr=0.1)

    def step():
        optimizer.zero_grad()
        loss = lib.nn.functional.binary_cross_entropy_with_logits(x @ w + b, y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def numpy_logistic():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((569, 30)).astype(np.float32), rng.integers(0, 2, 569).astype(np.float32)
    w, b = np.zeros(30, np.float32), np.zeros(1, np.float32)

    def step():
        nonlocal w, b
        z = x @ w + b
        e = np.exp(-np.abs(z))
        p = np.where(z >= 0, 1, e) / (1 + e)
        (np.maximum(z, 0) - y * z + np.log1p(e)).mean()
        dz = (p - y) / len(x)
        w -= 0.1 * (x.T @ dz)
        b -= 0.1 * dz.sum()

    return step


def gpt(lib, wrap, layers, width, context, batch, vocabulary=65):
    """A decoder with pre-norm blocks, heads of 32, gelu and AdamW."""
    F, rng = lib.nn.functional, np.random.default_rng(0)
    heads = max(width // 32, 1)

    def weight(*shape):
        return lib.nn.Parameter(wrap((rng.standard_normal(shape) * 0.02).astype(np.float32)))

    def constant(value, *shape):
        return lib.nn.Parameter(wrap(np.full(shape, value, np.float32)))

    class Block(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.ln1_w, self.ln1_b = constant(1, width), constant(0, width)
            self.qkv_w, self.qkv_b = weight(3 * width, width), constant(0, 3 * width)
            self.out_w, self.out_b = weight(width, width), constant(0, width)
            self.ln2_w, self.ln2_b = constant(1, width), constant(0, width)
            self.up_w, self.up_b = weight(4 * width, width), constant(0, 4 * width)
            self.down_w, self.down_b = weight(width, 4 * width), constant(0, width)

        def forward(self, x):  # (B, T, C)
            b, t, c = x.shape
            h = F.layer_norm(x, (c,), self.ln1_w, self.ln1_b)
            qkv = F.linear(h, self.qkv_w, self.qkv_b)
            q, k, v = (part.reshape(b, t, heads, c // heads).transpose(1, 2) for part in qkv.split(c, 2))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + F.linear(y.transpose(1, 2).reshape(b, t, c), self.out_w, self.out_b)
            h = F.layer_norm(x, (c,), self.ln2_w, self.ln2_b)
            return x + F.linear(F.gelu(F.linear(h, self.up_w, self.up_b), approximate="tanh"), self.down_w, self.down_b)

    class GPT(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.places = weight(vocabulary, width), weight(context, width)
            self.blocks = [Block() for _ in range(layers)]
            for i, block in enumerate(self.blocks):
                setattr(self, f"block{i}", block)
            self.ln_w, self.ln_b = constant(1, width), constant(0, width)
            self.head = weight(vocabulary, width)

        def forward(self, index):
            x = F.embedding(index, self.tokens) + self.places
            for block in self.blocks:
                x = block(x)
            return F.linear(F.layer_norm(x, (width,), self.ln_w, self.ln_b), self.head)

    model = GPT()
    text = rng.integers(0, vocabulary, (batch, context + 1))
    x, y = wrap(text[:, :-1].copy()), wrap(text[:, 1:].copy())
    optimizer = lib.optim.AdamW(model.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x).reshape(-1, vocabulary), y.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss

    return step


GPTS = {"GPT 2 layers, 32 wide, 32 long, batch 8": (2, 32, 32, 8),
        "GPT 4 layers, 64 wide, 64 long, batch 16": (4, 64, 64, 16),
        "GPT 6 layers, 192 wide, 128 long, batch 8": (6, 192, 128, 8)}


def cases():
    """Each case's name and its steps by library."""
    libraries = {"eager": (tl, tl.from_numpy)} | ({"torch": (torch, torch.from_numpy)} if torch else {})

    def steps(make, *setting):
        made = {name: make(*lib, *setting) for name, lib in libraries.items()}
        return {"compiled": tl.compile(make(tl, tl.from_numpy, *setting))} | made

    yield "chain of 100 multiply-adds, 4x4", lambda: steps(chain)
    yield "logistic regression, 569 x 30", lambda: steps(logistic) | {"numpy": numpy_logistic()}
    for title, setting in MLPS.items():
        yield title, lambda setting=setting: steps(mlp, *setting) | {"numpy": numpy_mlp(*setting)}
    for title, setting in GPTS.items():
        yield title, lambda setting=setting: steps(gpt, *setting)


def main(only="", rounds=40):
    """Print the table."""
    for title, make in cases():
        if only not in title:
            continue
        steps = make()
        start = time.perf_counter()
        steps["compiled"]()
        compiling = time.perf_counter() - start
        times = {name: [] for name in steps}
        repeats = 1 if "GPT" in title else 10
        for _ in range(rounds if "6 layers" not in title else 10):
            for name, step in steps.items():
                start = time.perf_counter()
                for _ in range(repeats):
                    step()
                times[name].append((time.perf_counter() - start) / repeats * 1e6)
        medians = {name: statistics.median(ts) for name, ts in times.items()}
        row = "  ".join(f"{name} {t:9.1f} us" for name, t in medians.items())
        ratios = "  ".join(f"/{n} {medians['compiled'] / t:.2f}" for n, t in medians.items() if n != "compiled")
        print(f"{title:42} {row}  compiled{ratios}  first call {compiling:.2f} s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
