"""Compiled training steps against PyTorch eager, jax.jit and hand-written numpy, where these are installed.

Interleaved in one process on one thread; medians. The table goes into docs/compiled.md.
    python benchmarks/compiled.py [part of a title]
"""

from environment import kernel  # first: it sets one thread and the kernel

import os  # isort: skip
import platform  # isort: skip
import statistics  # isort: skip
import sys  # isort: skip
import time  # isort: skip
from pathlib import Path  # isort: skip

import numpy as np  # isort: skip
from steps import MLPS, chain, mlp, numpy_mlp, torch  # isort: skip

import tinygrad_lite as tl  # isort: skip

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
try:
    import jax
except ImportError:
    jax = None

DOCUMENT = Path(__file__).parent.parent / "docs" / "compiled.md"


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
    """The step of `logistic` as one would write it by hand."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((569, 30)).astype(np.float32), rng.integers(0, 2, 569).astype(np.float32)
    w, b = np.zeros(30, np.float32), np.zeros(1, np.float32)

    def step():
        nonlocal w, b
        z = x @ w + b
        e = np.exp(-np.abs(z))
        p = np.where(z >= 0, 1, e) / (1 + e)
        loss = (np.maximum(z, 0) - y * z + np.log1p(e)).mean()
        dz = (p - y) / len(x)
        w -= 0.1 * (x.T @ dz)
        b -= 0.1 * dz.sum()
        return loss

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


# ---------------------------------------------------------------- jax
def jax_step(loss, parameters, lr, *data):
    """A compiled step of gradient descent."""
    @jax.jit
    def update(parameters):
        value, gradients = jax.value_and_grad(loss)(parameters, *data)
        return value, jax.tree.map(lambda p, g: p - lr * g, parameters, gradients)

    def step():
        nonlocal parameters
        value, parameters = update(parameters)
        return value.block_until_ready()

    return step


def jax_chain():
    x, w, b, one = (np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32) for _ in range(4))

    def loss(parameters):
        h = x
        for _ in range(100):
            h = h * parameters[0] + parameters[1]
        return (h * one).sum()

    gradient, parameters = jax.jit(jax.grad(loss)), [jax.numpy.asarray(w), jax.numpy.asarray(b)]
    return lambda: jax.block_until_ready(gradient(parameters))


def jax_logistic():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((569, 30)).astype(np.float32), rng.integers(0, 2, 569).astype(np.float32)

    def loss(parameters):
        z = x @ parameters[0] + parameters[1]
        return (jax.numpy.logaddexp(0, z) - y * z).mean()

    return jax_step(loss, [jax.numpy.zeros(30), jax.numpy.zeros(1)], 0.1)


def jax_mlp(sizes, batch, activation):
    rng, act = np.random.default_rng(0), {"ReLU": jax.nn.relu, "Tanh": jax.numpy.tanh}[activation]
    parameters = [(rng.uniform(-1, 1, (i, o)).astype(np.float32) / np.float32(i) ** 0.5, np.zeros(o, np.float32))
                  for i, o in zip(sizes, sizes[1:])]
    x, y = rng.standard_normal((batch, sizes[0])).astype(np.float32), rng.integers(0, sizes[-1], batch)

    def loss(parameters):
        h = x
        for w, b in parameters[:-1]:
            h = act(h @ w + b)
        logits = h @ parameters[-1][0] + parameters[-1][1]
        return -jax.nn.log_softmax(logits)[np.arange(batch), y].mean()

    return jax_step(loss, parameters, 0.01)


# ---------------------------------------------------------------- the table
def cases():
    """Each case's name and a function that makes its steps by library."""
    libraries = {"eager": (tl, tl.from_numpy)} | ({"PyTorch": (torch, torch.from_numpy)} if torch else {})

    def steps(make, *setting, by_hand=None, in_jax=None):
        found = {"compiled": tl.compile(make(tl, tl.from_numpy, *setting))}
        found |= {name: make(*library, *setting) for name, library in libraries.items()}
        found |= {"numpy": by_hand(*setting)} if by_hand else {}
        return found | ({"jax.jit": in_jax(*setting)} if jax and in_jax else {})

    yield "chain of 100 multiply-adds, 4x4", lambda: steps(chain, in_jax=jax_chain)
    yield "logistic regression, 569 x 30", lambda: steps(logistic, by_hand=numpy_logistic, in_jax=jax_logistic)
    for title, setting in MLPS.items():
        yield title, lambda setting=setting: steps(mlp, *setting, by_hand=numpy_mlp, in_jax=jax_mlp)
    for title, setting in GPTS.items():
        yield title, lambda setting=setting: steps(gpt, *setting)


def measured(title, steps):
    """The median time of each step in microseconds, and the seconds that the call took which was recorded."""
    steps["compiled"]()
    start = time.perf_counter()
    steps["compiled"]()
    compiling = time.perf_counter() - start
    steps["compiled"]()  # the second look
    times = {name: [] for name in steps}
    repeats, rounds = (1, 10 if "6 layers" in title else 40) if "GPT" in title else (10, 60)
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(repeats):
                step()
            times[name].append((time.perf_counter() - start) / repeats * 1e6)
    return {name: statistics.median(ts) for name, ts in times.items()}, compiling


def main(only=""):
    """Print the table as it grows; the whole of it also goes into the document."""
    rivals = ("eager", "PyTorch", "numpy", "jax.jit")
    rows = ["| a training step | compiled | " + " | ".join(f"/ {r}" for r in rivals) + " | recorded call |",
            "| --- | --- | " + "--- | " * len(rivals) + "--- |"]
    print("\n".join(rows))
    for title, make in cases():
        if only in title:
            medians, compiling = measured(title, make())
            ratios = [f"{medians['compiled'] / medians[r]:.2f}" if r in medians else "" for r in rivals]
            rows.append(f"| {title} | {medians['compiled']:,.0f} us | {' | '.join(ratios)} | {compiling:.2f} s |")
            print(rows[-1], flush=True)
    if not only:
        before, mark, _ = DOCUMENT.read_text().partition("<!-- made by make bench -->\n")
        made = f"Python {platform.python_version()}, numpy {np.__version__}" + "".join(
            f", {lib.__name__} {lib.__version__}" for lib in (torch, jax) if lib) + f", one thread, {kernel()}"
        DOCUMENT.write_text("\n".join([before + mark + made + "; ratios below 1 are faster.\n", *rows]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
