"""Measures where the time goes, and draws what docs/performance.md shows of it.

    python docs/performance.py                         # writes docs/performance.csv; some minutes
    python docs/performance.py --quick size step       # these parts, roughly
    python docs/pages.py --write docs/performance.md   # draws the charts, and prints the tables

Measuring needs `pip install -e .[bench]`. Each part is a process of its own, with one thread but for the part about
threads, in which what is compared takes turns.
"""

import collections
import contextlib
import csv
import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

import tinygrad_lite as tl
from tinygrad_lite import nn

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "performance.csv"  # part, row, column, value
WAYS = {"eager": "#0072B2", "compiled": "#D55E00", "numpy": "#000000", "PyTorch": "#009E73", "jax.jit": "#CC79A7"}
KINDS = {  # of operations: what they are called in the charts, and their colors
    "linear layers": (("linear",), "#0072B2"), "attention": (("scaled_dot_product_attention",), "#D55E00"),
    "layer norm": (("layer_norm",), "#009E73"), "relu, gelu": (("relu", "gelu"), "#E69F00"),
    "reshape, index": (("reshape", "permute", "getitem"), "#56B4E9"),
    "embedding, loss": (("embedding", "cross_entropy"), "#CC79A7"), "add": (("add",), "#F0E442"),
    "optimizer": (("optimizer",), "#000000")}
quick = False


# ---------------------------------------------------------------- measuring
def interleaved(calls, rounds, repeats=1):
    """The median seconds of each of the named calls, after three that are not timed."""
    for _ in range(3):
        for call in calls.values():
            call()
    times = {name: [] for name in calls}
    for _ in range(3 if quick else rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(repeats):
                call()
            times[name].append((time.perf_counter() - start) / repeats)
    return {name: statistics.median(ts) for name, ts in times.items()}


def operation():
    """Microseconds of an operation of 2 x 2 numbers, and of what it consists of."""
    a, b = np.full((2, 2), 0.5, np.float32), np.eye(2, dtype=np.float32)
    bias = np.zeros(2, np.float32)
    cases = {"x * y": (np.multiply, tl.mul, (b,)), "tanh(x)": (np.tanh, tl.tanh, ()),
             "x @ y": (np.matmul, tl.matmul, (b,)),
             "linear(x, y, b)": (lambda x, w, c: x @ w.T + c, nn.functional.linear, (b, bias)),
             "reshape(x, (2, 2))": (lambda x, shape: x.reshape(shape), tl.reshape, ((2, 2),))}
    for title, (plain, op, more) in cases.items():
        x, leaf = tl.tensor(a), tl.tensor(a, requires_grad=True)
        others = [tl.tensor(m) if isinstance(m, np.ndarray) else m for m in more]
        calls = {"numpy": (plain, a, *more), "call": (op, x, *others), "recorded": (op, leaf, *others)}
        found = interleaved({name: functools.partial(*call) for name, call in calls.items()}, 200, 200)
        rounds = 10 if quick else 300
        back = statistics.median(backward(op, leaf, others, 100) - backward(op, leaf, others, 0) for _ in range(rounds))
        yield title, {"numpy call": found["numpy"] * 1e6, "Python call": (found["call"] - found["numpy"]) * 1e6,
                      "node": max(found["recorded"] - found["call"], 0.0) * 1e6, "backward": back / 100 * 1e6}


def backward(op, x, others, times):
    """Seconds of the backward pass through an operation that is done so many times, one after the other."""
    for _ in range(times):
        x = op(x, *others)
    total = x.sum()
    start = time.perf_counter()
    total.backward()
    return time.perf_counter() - start


def steps_of():
    """The training steps whose insides are looked at: eager, and the same one with 1 for every size."""
    import compiled
    import steps

    for title in ("digits 64-128-10, batch 64", "784-256-10, batch 128"):
        layers, _, activation = steps.MLPS[title]
        yield title, *(steps.mlp(tl, tl.from_numpy, *sizes, activation) for sizes in (
            steps.MLPS[title][:2], ([1] * len(layers), 1)))
    for title, (layers, *_) in compiled.GPTS.items():
        yield title, compiled.gpt(tl, tl.from_numpy, *compiled.GPTS[title]), compiled.gpt(
            tl, tl.from_numpy, layers, 1, 1, 1, 2)


def step():
    """Microseconds of steps, of their operations forward and backward, and of the same steps with 1 for every size."""
    for title, real, tiny in steps_of():
        found = interleaved({"step": real, "all sizes 1": tiny}, 20 if "6 layers" in title else 100)
        rounds = [spent(real) for _ in range(3 if quick else 20 if "6 layers" in title else 100)]
        whole = {name: statistics.median(r[name] for r in rounds) * 1e6 for name in rounds[0]}
        yield title, {name: t * 1e6 for name, t in found.items()} | whole


def spent(step):
    """Seconds of one call of a step: "forward linear", "backward linear" …, and "optimizer" for what comes after."""
    from tinygrad_lite.engine.watch import observing, watching

    found, now = collections.Counter(), time.perf_counter()

    def lap(name):
        nonlocal now
        found[name] += time.perf_counter() - now
        now = time.perf_counter()

    def see(node, g, sent):
        if node.op is not None:
            lap(f"backward {node.op.__name__}")

    with watching(lambda node: lap(f"forward {node.op.__name__}")), observing(lambda seeds: see):
        now = time.perf_counter()
        step()
        lap("optimizer")
    return found


def size():
    """Microseconds of a step of width-width-10, batch 64, by the width."""
    import steps

    for width in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048):
        setting = [width, width, 10], 64, "ReLU"
        calls = {"eager": steps.mlp(tl, tl.from_numpy, *setting), "numpy": steps.numpy_mlp(*setting),
                 "compiled": tl.compile(steps.mlp(tl, tl.from_numpy, *setting))}
        if steps.torch:
            calls["PyTorch"] = steps.mlp(steps.torch, steps.torch.from_numpy, *setting)
        found = interleaved(calls, 100, 10 if width < 512 else 1)
        yield str(width), {name: t * 1e6 for name, t in found.items()}


def libraries():
    """Microseconds of the steps of benchmarks/compiled.py, of the call that is recorded, and after how many it pays."""
    import compiled

    for title, make in compiled.cases():
        if not (quick and "GPT" in title):
            found, seconds = compiled.measured(title, make())
            pays = seconds * 1e6 / max(found["eager"] - found["compiled"], 0.01)
            yield title, found | {"recorded call": seconds * 1e6, "pays after": pays}


def memory():
    """Megabytes that a GPT keeps for its backward pass and has at its peak, as it is and with checkpoints."""
    from tinygrad_lite.models import GPT, GPTConfig

    class Recomputed(nn.Module):
        def __init__(self, block):
            self.block = block

        def forward(self, x, cache=None):
            return tl.checkpoint(self.block, x)

    idx = tl.randint(0, 65, (16, 65))
    for layers in (1, 2, 4, 8):
        figures, calls = {}, {}
        for name in ("as it is", "checkpoints"):
            model = GPT(GPTConfig(vocab_size=65, block_size=64, n_layer=layers, n_embd=64, n_head=4))
            if name == "checkpoints":
                model.transformer["h"] = nn.ModuleList(map(Recomputed, model.transformer["h"]))

            def loss(model=model):
                return nn.functional.cross_entropy(model(idx[:, :-1]).reshape(-1, 65), idx[:, 1:].reshape(-1))

            def both(model=model, loss=loss):
                model.zero_grad()
                loss().backward()

            calls[name] = both
            tape = tl.tape(loss(), model)
            tape.backward()
            figures |= {f"kept, {name}": tape.memory / 1e6, f"peak, {name}": tape.peak / 1e6}
        times = interleaved(calls, 30)
        yield str(layers), figures | {"time": times["checkpoints"] / times["as it is"]}


def dtypes():
    """Microseconds by dtype."""
    import steps

    rng = np.random.default_rng(0)

    def network(kind):
        with using(kind):
            return steps.mlp(tl, lambda a: tl.from_numpy(a.astype(kind) if a.dtype.kind == "f" else a),
                             *steps.MLPS["784-256-10, batch 128"])

    def pair(op, *shape):
        def make(kind):
            x, y = (tl.tensor(rng.standard_normal(shape).astype(kind)) for _ in range(2))
            return lambda: op(x, y)
        return make

    cases = {"x * y, 4 x 4": pair(tl.mul, 4, 4), "x * y, 1000 x 1000": pair(tl.mul, 1000, 1000),
             "exp(x), 1000 x 1000": pair(lambda x, y: tl.exp(x), 1000, 1000),
             "x @ y, 512 x 512": pair(tl.matmul, 512, 512),
             "step of 784-256-10, batch 128": network}
    for title, make in cases.items():
        calls = {kind: make(kind) for kind in ("float32", "float64", "float16")}
        if title.startswith("x @ y"):
            calls.pop("float16")  # BLAS has none, and takes minutes
        yield title, {name: t * 1e6 for name, t in interleaved(calls, 50, 100 if "4 x 4" in title else 1).items()}


@contextlib.contextmanager
def using(dtype):
    """Inside, new parameters have this dtype."""
    before = tl.get_default_dtype()
    tl.set_default_dtype(dtype)
    try:
        yield
    finally:
        tl.set_default_dtype(before)


def data():
    """Microseconds of a batch of 64 digits, by how it is read, and of the training step that it is for."""
    import steps

    images, labels = tl.data.load_digits()
    x, y = tl.tensor(images), tl.tensor(labels)
    rng = np.random.default_rng(0)

    class Rows(tl.data.Dataset):
        def __len__(self):
            return len(images)

        def __getitem__(self, i):
            return images[i], labels[i]

    def rows():
        at = rng.integers(0, len(images), 64)
        return x[at], y[at]

    def epoch(loader):
        def read():
            for _ in loader:
                pass
        return read

    lists = tl.data.BatchSampler(tl.data.RandomSampler(images), 64, drop_last=False)
    loaders = {"DataLoader of a TensorDataset": tl.data.DataLoader(tl.data.TensorDataset(x, y), 64, shuffle=True),
               "DataLoader of batches": tl.data.DataLoader(Rows(), None, sampler=lists),
               "DataLoader of rows": tl.data.DataLoader(Rows(), 64, shuffle=True),
               "DataLoader of rows, 2 workers": tl.data.DataLoader(Rows(), 64, shuffle=True, num_workers=2)}
    train = steps.mlp(tl, tl.from_numpy, *steps.MLPS["digits 64-128-10, batch 64"])
    passes = interleaved({title: epoch(loader) for title, loader in loaders.items()}, 30)
    others = {"x[rows], y[rows]": rows, "the step, eager": train, "the step, compiled": tl.compile(train)}
    found = interleaved(others, 60, 20) | {title: seconds / len(loaders[title]) for title, seconds in passes.items()}
    for title in ("x[rows], y[rows]", *loaders, "the step, eager", "the step, compiled"):
        yield title, {"a batch": found[title] * 1e6}


def threads():
    """Milliseconds with one thread of BLAS and with one for each core."""
    import compiled
    import steps
    from threadpoolctl import ThreadpoolController

    pools, x = ThreadpoolController(), tl.randn(1024, 1024)
    cases = {title: tl.compile(steps.mlp(tl, tl.from_numpy, *steps.MLPS[title]))
             for title in ("digits 64-128-10, batch 64", "784-256-10, batch 128")}
    cases |= {title: tl.compile(compiled.gpt(tl, tl.from_numpy, *compiled.GPTS[title])) for title in compiled.GPTS}
    cases["x @ x, 1024 x 1024"] = lambda: x @ x
    for title, call in cases.items():
        times = {1: [], os.cpu_count(): []}
        for _ in range(5 if quick else 30):
            for count, found in times.items():
                with pools.limit(limits=count):
                    call()
                    start = time.perf_counter()
                    call()
                    found.append(time.perf_counter() - start)
        yield title, {f"{n} thread{'s' * (n > 1)}": statistics.median(ts[2:]) * 1e3 for n, ts in times.items()}


def machine():
    """What it was measured with."""
    import compiled
    import environment

    found = {"Python": platform.python_version(), "numpy": np.__version__}
    found |= {lib.__name__: lib.__version__ for lib in (compiled.torch, compiled.jax) if lib}
    yield "machine", found | {"BLAS": environment.kernel().removeprefix("BLAS: "), "cores": str(os.cpu_count()),
                              "system": f"{platform.system()} {platform.machine()}"}


PARTS = {part.__name__: part for part in (
    machine, operation, step, size, libraries, memory, dtypes, data, threads)}


def measured(name):
    """The rows of a part, from a process of its own."""
    environment = os.environ | {"THREADS": str(os.cpu_count() if name == "threads" else 1)}
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[variable] = environment["THREADS"]
    for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # they would choose another BLAS kernel
        environment.pop(variable, None)
    command = [sys.executable, __file__, "--print", name, *["--quick"] * quick]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    return json.loads(said.splitlines()[-1])


def main(arguments):
    """Measure parts, or all, and put them into the file in the place of what it has of them."""
    global quick
    quick = "--quick" in arguments
    names = [name for name in arguments if not name.startswith("--")]
    if "--print" in arguments:
        sys.path.insert(0, str(ROOT / "benchmarks"))
        print(json.dumps([[row, column, value if isinstance(value, str) else f"{value:.4g}"]
                          for row, found in PARTS[names[0]]() for column, value in found.items()]))
        return
    for name in [n for n in PARTS if not names or n == "machine" or n in names]:
        begun = time.perf_counter()
        new = [[name, *row] for row in measured(name)]
        written = sorted([line for line in lines() if line[0] != name] + new, key=lambda line: [*PARTS].index(line[0]))
        with open(FIGURES, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([["part", "row", "column", "value"], *written])
        print(f"{name}: {time.perf_counter() - begun:.0f} s", flush=True)
    print("now: python docs/pages.py --write docs/performance.md")


# ---------------------------------------------------------------- what was measured
def lines():
    """The rows of the file."""
    if not FIGURES.exists():
        return []
    with open(FIGURES, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def figures(part):
    """What was measured of a part: row -> column -> number, or text."""
    found = {}
    for name, row, column, value in lines():
        if name == part:
            with contextlib.suppress(ValueError):
                value = value if part == "machine" else float(value)
            found.setdefault(row, {})[column] = value
    return found


def made_with():
    """What the machine was, in three lines."""
    told = figures("machine")["machine"]
    libs = ", ".join(f"{name} {told[name]}" for name in ("Python", "numpy", "torch", "jax") if name in told)
    return f"{libs}\n{told['BLAS']}\n{told['system']}, {told['cores']} cores"


TABLES = {  # of a part: what its numbers are, after how many digits they end, and its columns: what they are called
    "operation": ("microseconds", 2, {"numpy call": "numpy call", "Python call": "Python call", "node": "node",
                                      "backward": "backward"}),
    "step": ("microseconds", 0, {"step": "the step", "all sizes 1": "all sizes 1", "all sizes 1 / step": "ratio"}),
    "libraries": ("microseconds", 0, {"eager": "eager", "compiled": "compiled", "recorded call": "recorded",
                                      "pays after": "calls"}),
    "memory": ("layers", 1, {"kept, as it is": "kept", "peak, as it is": "peak", "kept, checkpoints": "kept, cp",
                             "peak, checkpoints": "peak, cp", "time": "time, cp"}),
    "dtypes": ("microseconds", 1, {name: name for name in ("float32", "float64", "float16")}),
    "data": ("microseconds", 0, {"a batch": "a batch"}),
    "threads": ("milliseconds", 2, None)}


def table(part):
    """Print what was measured of a part; "a / b" is a ratio."""
    found = figures(part)
    corner, digits, columns = TABLES[part]
    columns = columns or {name: name for row in found.values() for name in row}
    width = max(map(len, (corner, *found)))
    print(f"{corner:{width}}", *(f"{heading:>{len(heading) + 1}}" for heading in columns.values()))
    for row, values in found.items():
        cells = []
        for name, heading in columns.items():
            a, _, b = name.partition(" / ")
            text = f"{values[a] / values[b]:.2f}" if b else f"{values[name]:,.{digits}f}" if name in values else "-"
            cells.append(f"{text:>{len(heading) + 1}}")
        print(f"{row:{width}}", *cells)


# ---------------------------------------------------------------- charts
def _figure(width, height, count=1):
    matplotlib.rcParams["svg.hashsalt"] = "tinygrad_lite"  # the same picture, the same file
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.subplots(1, count, squeeze=False)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _saved(figure, name):
    figure.savefig(f"pictures/{name}.svg", metadata={"Date": None})


def _stacked(ax, rows, colors):
    """A bar a row, of parts."""
    for at, parts in enumerate(rows.values()):
        left = 0.0
        for name, color in colors.items():
            value = max(parts.get(name, 0.0), 0.0)
            label = None if at else name
            ax.barh(at, value, left=left, color=color, edgecolor="white", linewidth=0.8, label=label)
            left += value
    ax.set_yticks(range(len(rows)), list(rows))
    ax.invert_yaxis()


def draw_operation():
    """performance_operation.svg: what one operation of 2 x 2 numbers costs."""
    figure, (ax,) = _figure(8, 3.0)
    colors = {"numpy call": "#000000", "Python call": "#0072B2", "node": "#E69F00", "backward": "#56B4E9"}
    _stacked(ax, figures("operation"), colors)
    ax.set_xlabel("microseconds")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.17), ncols=4, frameon=False)
    _saved(figure, "performance_operation")


def kinds_of(part):
    """A step's time by kind of operation, forward and backward together."""
    found = {}
    for row, values in figures(part).items():
        kinds = {kind: sum(values.get(f"{way} {op}", 0) for op in ops for way in ("forward", "backward"))
                 for kind, (ops, _) in KINDS.items()}
        found[row] = kinds | {"optimizer": values["optimizer"]}
    return found


def draw_step():
    """performance_step.svg: the shares of a step's time."""
    figure, (ax,) = _figure(9, 3.6)
    shares = {row.replace(", batch", ",\nbatch"): {kind: 100 * t / sum(kinds.values()) for kind, t in kinds.items()}
              for row, kinds in kinds_of("step").items()}
    _stacked(ax, shares, {kind: color for kind, (_, color) in KINDS.items()})
    ax.set(xlabel="percent of the step", xlim=(0, 100))
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, 1.28), ncols=4, frameon=False)
    _saved(figure, "performance_step")


def draw_size():
    """performance_size.svg: the time of a step by its width, and how many times as long as numpy by hand."""
    figure, (left, right) = _figure(10, 4, 2)
    found = figures("size")
    widths = [int(width) for width in found]
    for name, color in WAYS.items():
        times = [values.get(name, np.nan) for values in found.values()]
        if np.isfinite(times).any():
            left.plot(widths, times, "o-", color=color, label=name, markersize=3)
            if name != "numpy":
                ratios = [t / values["numpy"] for t, values in zip(times, found.values())]
                right.plot(widths, ratios, "o-", color=color, markersize=3)
    right.axhline(1, color=WAYS["numpy"])
    left.set(xscale="log", yscale="log", xlabel="width", ylabel="microseconds a step", title="width-width-10, batch 64")
    right.set(xscale="log", xlabel="width", ylabel="times as long as numpy by hand", ylim=(0, None))
    for ax in (left, right):
        ax.set_xticks(widths[::2], [str(width) for width in widths[::2]], minor=False)
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    left.legend(frameon=False)
    _saved(figure, "performance_size")


def draw_libraries():
    """performance_libraries.svg: steps of several libraries, in parts of the eager one."""
    figure, (ax,) = _figure(9, 6)
    found = figures("libraries")
    for name, color in WAYS.items():
        for at, values in enumerate(found.values()):
            ways = [w for w in WAYS if w in values]
            if name in ways:
                place = at + (ways.index(name) - (len(ways) - 1) / 2) * 0.17
                ratio = values[name] / values["eager"]
                ax.barh(place, ratio, 0.155, color=color)
                ax.text(ratio + 0.02, place, f"{ratio:.2f}", va="center", fontsize=7)
    ax.set_yticks(range(len(found)), list(found))
    ax.set(xlabel="time of a step; 1 is the eager one", xlim=(0, 1.1 * max(ax.get_xlim())))
    ax.invert_yaxis()
    handles = [Patch(color=color, label=name) for name, color in WAYS.items()
               if any(name in values for values in found.values())]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.4, 1.09), ncols=5, frameon=False)
    _saved(figure, "performance_libraries")


def draw_memory():
    """performance_memory.svg: what is kept, and the peak, with checkpoints and without."""
    figure, (ax,) = _figure(7, 3.6)
    found = figures("memory")
    layers = [int(row) for row in found]
    for name, color in (("as it is", WAYS["eager"]), ("checkpoints", WAYS["compiled"])):
        for what, style in (("peak", "o--"), ("kept", "o-")):
            sizes = [values[f"{what}, {name}"] for values in found.values()]
            ax.plot(layers, sizes, style, color=color, label=f"{name}: {what}")
    ax.set(xlabel="layers", ylabel="MB", xticks=layers, ylim=(0, None))
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    _saved(figure, "performance_memory")


if __name__ == "__main__":
    main(sys.argv[1:])
