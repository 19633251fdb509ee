"""What a program computes is what the function computes: models that train, calls made of steps at random."""

import runpy
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import nn, optim

F = nn.functional


def rng(seed=0):
    return np.random.default_rng(seed)


def floats(*shape, seed=0):
    return tl.tensor(rng(seed).standard_normal(shape).astype(np.float32))


def classes(n, c, seed=0):
    return tl.tensor(rng(seed).integers(0, c, n))


class MLP(nn.Module):
    def __init__(self, *sizes, p=0.0):
        self.fc1, self.fc2, self.drop = nn.Linear(sizes[0], sizes[1]), nn.Linear(sizes[1], sizes[2]), nn.Dropout(p)

    def forward(self, x):
        h = F.relu(self.fc1(x))
        return self.fc2(self.drop(h))


class Block(nn.Module):
    """Attention and a wide layer, each with a residual: a decoder's block."""

    def __init__(self, width=8):
        self.attn, self.up, self.down = nn.MultiheadAttention(width, 2, batch_first=True), nn.Linear(width, 16), nn.Linear(16, width)
        self.weight, self.bias = nn.Parameter(np.ones(width, np.float32)), nn.Parameter(np.zeros(width, np.float32))

    def forward(self, x):
        h = F.layer_norm(x, (x.shape[-1],), self.weight, self.bias)
        y, _ = self.attn(h, h, h, need_weights=False, is_causal=True)
        x = x + y
        return x + self.down(F.gelu(self.up(x)))


class Decoder(nn.Module):
    def __init__(self):
        self.tokens = nn.Parameter(floats(11, 8).array)
        self.block1, self.block2, self.head = Block(), Block(), nn.Linear(8, 11)

    def forward(self, index):
        return self.head(self.block2(self.block1(F.embedding(index, self.tokens)))).reshape(-1, 11)


class Convolutional(nn.Module):
    def __init__(self):
        self.kernel, self.fc = nn.Parameter(floats(4, 1, 3, 3).array), nn.Linear(4 * 9, 3)
        self.register_buffer("mean", tl.zeros(4))
        self.register_buffer("var", tl.ones(4))

    def forward(self, x):
        x = F.batch_norm(F.conv2d(x, self.kernel), self.mean, self.var, training=self.training)
        return self.fc(F.max_pool2d(F.relu(x), 2).flatten(1))


def rows(s):
    return floats(16, 5, seed=s), classes(16, 3, s)


def nesterov(ps):
    return optim.SGD(ps, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-2)


MODELS = {  # model, optimizer, a batch from a seed
    "mlp, nesterov": (lambda: MLP(5, 8, 3), nesterov, rows),
    "mlp, dampening": (lambda: MLP(5, 8, 3), lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, dampening=0.5), rows),
    "mlp, adam": (lambda: MLP(5, 8, 3), lambda ps: optim.Adam(ps, lr=0.01, weight_decay=1e-3), rows),
    "dropout, adamw": (lambda: MLP(5, 8, 3, p=0.5), optim.AdamW, rows),
    "float16": (lambda: MLP(5, 8, 3).half(), lambda ps: optim.Adam(ps, lr=0.01), lambda s: (floats(16, 5, seed=s).half(), classes(16, 3, s))),
    "float64": (lambda: MLP(5, 8, 3).double(), optim.AdamW, lambda s: (floats(16, 5, seed=s).double(), classes(16, 3, s))),
    "decoder": (Decoder, nesterov, lambda s: (tl.tensor(rng(s).integers(0, 11, (2, 6))), classes(12, 11, s))),
    "convolution, batch norm": (Convolutional, nesterov, lambda s: (floats(6, 1, 8, 8, seed=s), classes(6, 3, s))),
}


def training_step(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def twins(name):
    """Two equal models with their optimizers, and the batch."""
    make, optimizer, batch = MODELS[name]
    pair = []
    for _ in range(2):
        tl.manual_seed(0)
        model = make()
        pair.append((model, optimizer(model.parameters())))
    return *pair, batch


def assert_same(a, b):
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    np.testing.assert_allclose(a.array, b.array, rtol=2e-6, atol=1e-6)


def assert_trained_alike(model, optimizer, twin, other):
    for (key, p), q in zip(model.named_parameters(), twin.parameters(), strict=True):
        assert_same(q, p)
        assert (q.grad is None) == (p.grad is None), key
        if p.grad is not None:
            assert_same(q.grad, p.grad)
        ours, theirs = optimizer.state.get(p, {}), other.state.get(q, {})
        for name in ours | theirs:
            np.testing.assert_allclose(theirs[name], ours[name], rtol=2e-6, atol=1e-6)
    for p, q in zip(model.buffers(), twin.buffers(), strict=True):
        assert_same(q, p)


@pytest.mark.parametrize("name", MODELS)
def test_a_compiled_step_trains_as_the_step_itself(name):
    (model, optimizer), (twin, other), batch = twins(name)
    step, compiled = training_step(model, optimizer), tl.compile(training_step(twin, other), strict=True)
    for i in range(12):
        tl.manual_seed(i)
        expected = step(*batch(i))
        tl.manual_seed(i)
        assert_same(compiled(*batch(i)), expected)
        assert_trained_alike(model, optimizer, twin, other)
    assert compiled.traces == 1


# ---------------------------------------------------------------- training programs at random
def actions(draw):
    """Steps of training at random: each is (what, how)."""
    kinds = ("step", "step", "step", "step", "short batch", "accumulate", "eager step", "schedule", "freeze", "thaw", "load",
             "replace", "data", "eval", "train", "other function", "hold", "zero outside", "clip", "momentum")
    return [(kinds[draw.integers(len(kinds))], int(draw.integers(0, 1000))) for _ in range(draw.integers(6, 16))]


class Noisy(nn.Module):
    """Dropout and batch norm between two layers."""

    def __init__(self):
        self.fc1, self.fc2, self.drop = nn.Linear(5, 6), nn.Linear(6, 3), nn.Dropout(0.3)
        self.register_buffer("mean", tl.zeros(6))
        self.register_buffer("var", tl.ones(6))

    def forward(self, x):
        x = F.batch_norm(self.fc1(x), self.mean, self.var, training=self.training)
        return self.fc2(self.drop(F.relu(x)))


class Training:
    """A model with its optimizer, and functions that train it; compiled or not."""

    def __init__(self, seed, wrap):
        tl.manual_seed(seed)
        self.model = model = Noisy().double()  # in float32 Adam would make steps of the rounding of a zero gradient
        make = [lambda ps: optim.SGD(ps, lr=0.1), nesterov, optim.AdamW, lambda ps: optim.Adam(ps, lr=0.01)][seed % 4]
        self.optimizer = optimizer = make(model.parameters())
        self.held = []

        def accumulate(x, y):
            loss = F.cross_entropy(model(x), y) * 0.5
            loss.backward()
            return loss

        def update():
            optimizer.step()
            optimizer.zero_grad()

        def clipped(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            with tl.no_grad():
                grads = [p.grad for p in model.parameters() if p.grad is not None]
                norm = sum((g * g).sum() for g in grads).sqrt()
                for g in grads:
                    g.mul_(tl.clamp(0.5 / (norm + 1e-6), max=1.0))
            optimizer.step()
            return loss, norm

        def measured(x, y):
            with tl.no_grad():
                return F.cross_entropy(model(x), y)

        self.plain = training_step(model, optimizer)
        self.step, self.accumulate, self.update, self.clipped, self.measured = map(
            wrap, (self.plain, accumulate, update, clipped, measured))

    def do(self, what, how):
        """One action; gives what can be compared."""
        model, optimizer, (x, y) = self.model, self.optimizer, rows(how)
        x = x.double()
        layer = (model.fc1, model.fc2)[how % 2]
        calls = {"step": lambda: [self.step(x, y)], "short batch": lambda: [self.step(x[:7], y[:7])],
                 "accumulate": lambda: [self.accumulate(x, y), self.accumulate(y=y, x=x), self.update()][:2],
                 "eager step": lambda: [self.plain(x, y)], "other function": lambda: [self.measured(x, y)],
                 "clip": lambda: [*self.clipped(x, y)]}
        if what in calls:
            return calls[what]()
        if what == "schedule":
            optimizer.param_groups[0]["lr"] *= 0.7
        elif what in ("freeze", "thaw"):
            model.requires_grad_(True)
            layer.requires_grad_(what == "thaw")
        elif what == "load":
            model.load_state_dict({k: v * 0.9 for k, v in model.state_dict().items()})
        elif what == "replace" and how % 3 == 0:
            layer.bias = nn.Parameter(layer.bias.array * 0.5)
        elif what == "data":
            layer.weight.data = layer.weight.array * 0.9
        elif what in ("eval", "train"):
            model.train(what == "train")
        elif what == "hold":
            self.held += [p.grad for p in model.parameters() if p.grad is not None]
        elif what == "zero outside":
            optimizer.zero_grad()
        elif what == "momentum" and "momentum" in optimizer.param_groups[0]:
            optimizer.param_groups[0]["weight_decay"] += 1e-3
        return []


@pytest.mark.filterwarnings("ignore::tinygrad_lite.compiler.Fallback")
@pytest.mark.parametrize("seed", range(60))
def test_random_training_programs_are_as_eager(seed):
    plan = actions(rng(seed)) * 2
    eager, compiled = Training(seed, lambda f: f), Training(seed, lambda f: tl.compile(f, max_retraces=100))
    for i, (what, how) in enumerate(plan):
        results = []
        for training in (eager, compiled):
            tl.manual_seed(i)
            results.append(training.do(what, how))
        for a, b in zip(*results, strict=True):
            assert_same(b, a)
        assert_trained_alike(eager.model, eager.optimizer, compiled.model, compiled.optimizer)
        for a, b in zip(eager.held, compiled.held, strict=True):
            assert_same(b, a)


# ---------------------------------------------------------------- expressions at random
def random_steps(seed):
    """A function of two matrices made of steps at random: arithmetic, sums, products, views, changes in place."""
    draw = rng(seed)
    plan = [(int(draw.integers(0, 13)), *draw.integers(0, 1000, 3)) for _ in range(draw.integers(5, 30))]

    def function(x, y):
        values = [x * 1.0, y + x, x - y]  # all (6, 6)
        for kind, i, j, k in plan:
            a, b = values[i % len(values)], values[j % len(values)]
            if kind == 0:
                c = a + b * 0.5
            elif kind == 1:
                c = tl.tanh(a) * b
            elif kind == 2:
                c = a - a.amax(k % 2, True)
            elif kind == 3:
                c = a * b.sum(k % 2, keepdim=True) * 0.1
            elif kind == 4:
                c = (a @ b).tanh()
            elif kind == 5:
                c = a.T
            elif kind == 6:
                c = tl.cat([a[: k % 6], b[k % 6 :]])
            elif kind == 7:
                c = tl.where(a > b, a, b * 0.5)
            elif kind == 8:
                c = a.reshape(4, 9).reshape(6, 6) + a.mean()
            elif kind == 9:
                c = a[:, [5, 0, 1, 2, 3, 4]]
            elif kind == 10:
                c = a.clone()
                c[k % 6] = b[j % 6] * 2
            elif kind == 11:
                c = a.clone()
                c.T.mul_(0.5).add_(b)
            else:
                c = tl.nn.functional.softmax(a, k % 2)
            values.append(c)
        return values[-1], values[-3] * 2, (values[-1] * values[-2]).sum()

    return function


@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-7), (np.float32, 2e-3)])
@pytest.mark.parametrize("seed", range(60))
def test_random_expressions_and_their_gradients_are_as_eager(seed, dtype, rtol):
    function = random_steps(seed)

    def step(x, y):
        x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
        outs = function(x, y)
        gradients = tl.autograd.grad(sum((out * out).sum() for out in outs) + (x * y).sum(), [x, y])
        return [out.detach() for out in outs], gradients

    compiled = tl.compile(step)
    for k in range(5):
        x, y = (tl.tensor(rng(seed + 100 * k + n).standard_normal((6, 6)).astype(dtype)) for n in range(2))
        for side, other in zip(compiled(x, y), step(x, y)):
            for a, b in zip(side, other, strict=True):
                assert a.dtype == b.dtype
                np.testing.assert_allclose(a.array, b.array, rtol=rtol, atol=rtol * max(1e-2, float(np.abs(b.array).max())))
    assert compiled.traces == 1


DTYPES = (np.float64, np.float32, np.float16, np.int64, np.int32, np.int8, np.uint8, np.bool_)
BINARY = (tl.add, tl.sub, tl.mul, tl.maximum, tl.minimum, tl.eq, tl.lt, tl.ge, lambda a, b: tl.where(a > b, a, b),
          lambda a, b: a + 1, lambda a, b: a * 2.5, lambda a, b: 1 - b.float(), lambda a, b: a.sum(), lambda a, b: a.sum(-1),
          lambda a, b: a.float().mean(0), lambda a, b: b.to(np.float32) @ a.to(np.float32).T, lambda a, b: a[1:], lambda a, b: b.T,
          lambda a, b: a.amax(-1), lambda a, b: a.cumsum(0), lambda a, b: a.argmax(-1), lambda a, b: a.float() / 3,
          lambda a, b: (a > 0).sum(), lambda a, b: tl.cat([a, a]), lambda a, b: a.reshape(-1), lambda a, b: a.clone(),
          lambda a, b: a.all(), lambda a, b: sum([a] * 12, a), lambda a, b: a // 2, lambda a, b: a ** 2)


@pytest.mark.filterwarnings("ignore::tinygrad_lite.compiler.Fallback", "ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", range(80))
def test_random_expressions_of_all_dtypes_are_as_eager(seed):
    draw = rng(seed)
    plan = [(BINARY[draw.integers(len(BINARY))], *draw.integers(0, 100, 2)) for _ in range(draw.integers(1, 12))]
    kinds = [DTYPES[draw.integers(len(DTYPES))] for _ in range(2)]
    shapes = [(4, 3), (4, 3) if draw.random() < 0.7 else (3,)]

    def function(x, y):
        values = [x, y]
        for step, i, j in plan:
            try:
                values.append(step(values[i % len(values)], values[j % len(values)]))
            except (RuntimeError, TypeError, IndexError, ValueError):
                continue  # not for these dtypes and shapes
        return values[2:]

    compiled = tl.compile(function)
    for k in range(4):
        given = [tl.tensor((rng(k).standard_normal(s) * 3).astype(d)) for s, d in zip(shapes, kinds)]
        for a, b in zip(compiled(*given), function(*given), strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            half = 2e-2 if a.dtype == np.float16 else 1e-5
            np.testing.assert_allclose(a.array, b.array, rtol=half, atol=half)


# ---------------------------------------------------------------- memory, and files
@pytest.mark.parametrize("name", ["mlp, adam", "decoder", "convolution, batch norm"])
def test_a_program_takes_no_more_memory_than_the_function(name):
    (model, optimizer), (twin, other), batch = twins(name)
    step, compiled = training_step(model, optimizer), tl.compile(training_step(twin, other))
    step(*batch(0)), compiled(*batch(0)), compiled(*batch(0))
    optimizer.zero_grad()
    tracemalloc.start()
    step(*batch(1))
    eager = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    told = compiled.explain()
    peak = int(told[told.index("A call needs ") :].split()[3].replace(",", ""))
    assert 0 < peak <= eager


def test_an_exported_step_gives_the_same_numbers_without_the_library(tmp_path):
    tl.manual_seed(0)
    model = MLP(5, 8, 3, p=0.2)
    step = tl.compile(training_step(model, optim.Adam(model.parameters(), lr=0.01)))
    x, y = rows(0)
    step(x, y), step(x, y)
    step.export(tmp_path / "step.py")
    code = ("import sys; sys.modules['tinygrad_lite'] = None; import numpy as np, step; rng = np.random.default_rng(0); "
            "x, y = np.load('batch.npz').values(); "
            "print(*[repr(float(step.step(x, y, rng))) for _ in range(3)], step.NUMBERS['fc1_weight_step'])")
    np.savez(tmp_path / "batch.npz", x=x.array, y=y.array)
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    *losses, steps = ran.stdout.split()
    tl.random.default_generator.numpy = np.random.default_rng(0)
    expected = [step(x, y).item() for _ in range(3)]
    np.testing.assert_allclose([float(v) for v in losses], expected, rtol=1e-6)
    assert steps == "5"


def test_an_exported_step_that_clips_gradients_brings_the_constants_it_reads(tmp_path):
    tl.manual_seed(0)
    layer = nn.Linear(3, 2)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)

    @tl.compile
    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(layer(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(layer.parameters(), 0.1)
        optimizer.step()
        return loss

    x, y = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)
    step(tl.tensor(x), tl.tensor(y)), step(tl.tensor(x), tl.tensor(y))
    step.export(tmp_path / "clipped.py")
    exported = runpy.run_path(str(tmp_path / "clipped.py"))["step"]
    losses = [exported(x, y) for _ in range(3)]
    np.testing.assert_allclose(losses, [step(tl.tensor(x), tl.tensor(y)).item() for _ in range(3)], rtol=1e-6)


def test_an_export_that_would_need_the_library_is_refused_and_writes_nothing(tmp_path):
    step = tl.compile(lambda x: tl.erfc(x))
    step(tl.ones(2)), step(tl.ones(2))
    with pytest.raises(RuntimeError, match="export: a function .* needs Value, ndarray of the library"):
        step.export(tmp_path / "step.py")
    assert not list(tmp_path.iterdir())


def test_an_exported_program_brings_the_functions_it_calls(tmp_path):
    tl.manual_seed(0)
    model = Decoder()
    (index, y) = tl.tensor(rng().integers(0, 11, (2, 6))), classes(12, 11)
    step = tl.compile(training_step(model, optim.AdamW(model.parameters())))
    step(index, y), step(index, y)
    step.export(tmp_path / "decoder.py")
    names = runpy.run_path(str(tmp_path / "decoder.py"))
    np.testing.assert_allclose(names["step"](index.array, y.array), step(index, y).array, rtol=1e-5)
    with pytest.raises(names["Diverged"]):
        names["step"](index.array + 100, y.array)
