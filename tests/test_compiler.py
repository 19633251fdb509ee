"""tl.compile gives what the function gives, call by call; tl.derive reads like the textbook and computes it."""

import functools
import runpy
import subprocess
import sys
import threading
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.compiler import CompileError, Fallback, tiles
from tinygrad_lite.compiler.layout import Layout
from tinygrad_lite.compiler.memory import planned
from tinygrad_lite.compiler.source import Module
from tinygrad_lite.compiler.tiles import grouped

F = nn.functional
GOLDEN = Path(__file__).parent / "golden"


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


def sgd(ps):
    return optim.SGD(ps, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-2)


MODELS = {  # model, optimizer, a batch from a seed
    "mlp, sgd": (lambda: MLP(5, 8, 3), lambda ps: optim.SGD(ps, lr=0.1), lambda s: (floats(16, 5, seed=s), classes(16, 3, s))),
    "mlp, nesterov": (lambda: MLP(5, 8, 3), sgd, lambda s: (floats(16, 5, seed=s), classes(16, 3, s))),
    "mlp, dampening": (lambda: MLP(5, 8, 3), lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, dampening=0.5),
                       lambda s: (floats(16, 5, seed=s), classes(16, 3, s))),
    "mlp, adam": (lambda: MLP(5, 8, 3), lambda ps: optim.Adam(ps, lr=0.01, weight_decay=1e-3), lambda s: (floats(16, 5, seed=s), classes(16, 3, s))),
    "dropout, adamw": (lambda: MLP(5, 8, 3, p=0.5), optim.AdamW, lambda s: (floats(16, 5, seed=s), classes(16, 3, s))),
    "wide enough for tiles": (lambda: MLP(4, 2048, 3), optim.AdamW, lambda s: (floats(100, 4, seed=s), classes(100, 3, s))),
    "decoder": (Decoder, sgd, lambda s: (tl.tensor(rng(s).integers(0, 11, (2, 6))), classes(12, 11, s))),
    "convolution, batch norm": (Convolutional, sgd, lambda s: (floats(6, 1, 8, 8, seed=s), classes(6, 3, s))),
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
    np.testing.assert_allclose(a.array, b.array, rtol=2e-6, atol=1e-7)


# ---------------------------------------------------------------- the same as eager
@pytest.mark.parametrize("tile", [None, 16, 256])
@pytest.mark.parametrize("name", MODELS)
def test_a_compiled_step_trains_as_the_step_itself(name, tile, monkeypatch):
    if tile:  # all that can be is done in tiles
        monkeypatch.setattr(tiles, "SMALLEST", 1)
        monkeypatch.setattr(tiles, "TILE", tile)
    (model, optimizer), (twin, twin_optimizer), batch = twins(name)
    step, compiled = training_step(model, optimizer), tl.compile(training_step(twin, twin_optimizer))
    for i in range(5):
        tl.manual_seed(i)
        expected = step(*batch(i))
        tl.manual_seed(i)
        assert_same(compiled(*batch(i)), expected)
        for (key, p), q in zip(model.named_parameters(), twin.parameters()):
            assert_same(q, p), key
            assert_same(q.grad, p.grad)
        for p, q in zip(model.buffers(), twin.buffers()):
            assert_same(q, p)
        for p, q in zip(model.parameters(), twin.parameters()):
            for key, value in optimizer.state[p].items():
                np.testing.assert_allclose(twin_optimizer.state[q][key], value, rtol=2e-6, atol=1e-7)
    assert compiled.traces == 1


def test_the_body_runs_once_and_results_are_spent_as_eager_ones_are():
    ran = []
    w = tl.tensor([1.0, 2.0], requires_grad=True)

    @tl.compile
    def step(x):
        ran.append(1)
        w.grad = None
        loss = (w * x).sum()
        loss.backward()
        return loss

    with pytest.warns(Fallback, match="only in part: it changes 'ran_size' itself"):
        losses = [step(tl.tensor([float(i), 1.0])) for i in range(4)]
    assert [loss.item() for loss in losses] == [2.0, 3.0, 4.0, 5.0] and len(ran) == 1
    assert losses[-1].requires_grad
    with pytest.raises(RuntimeError, match="a second time"):
        losses[-1].backward()
    np.testing.assert_array_equal(w.grad.array, [3, 1])


def test_gradients_that_somebody_holds_stay_as_they_are():
    w = tl.ones(3, requires_grad=True)

    @tl.compile
    def step(x):
        w.grad = None
        (w * x).sum().backward()

    held = []
    for i in range(4):
        step(tl.full((3,), float(i)))
        held.append(w.grad)
    assert [g.array[0] for g in held] == [0, 1, 2, 3]


def test_gradients_accumulate_over_calls():
    w = tl.ones(3, requires_grad=True)
    step = tl.compile(lambda x: (w * w * x).sum().backward())
    for _ in range(4):
        step(tl.ones(3))
    np.testing.assert_array_equal(w.grad.array, [8, 8, 8])
    w.grad = None
    step(tl.ones(3))
    np.testing.assert_array_equal(w.grad.array, [2, 2, 2])
    x = tl.ones(3, requires_grad=True)
    square = tl.compile(lambda x: (x * x).sum().backward())
    for _ in range(3):
        square(x)
    np.testing.assert_array_equal(x.grad.array, [6, 6, 6])


def test_gradients_of_arguments_clipping_and_changes_in_place():
    w = tl.tensor(rng().standard_normal((4, 3)), requires_grad=True)

    def step(x):
        w.grad = x.grad = None
        y = (x @ w).tanh()
        y.sum().backward()
        with tl.no_grad():
            norm = (w.grad * w.grad).sum() ** 0.5
            w.grad *= tl.clamp(1.0 / (norm + 1e-6), max=1.0)
            w.sub_(w.grad * 0.5)
            w[0] = w[1] * 2
            w[:, 1:2] += 1.0
        return y.detach(), norm

    start, results = w.array.copy(), []
    for f in (step, tl.compile(step)):
        w.array[...] = start
        for i in range(3):
            x = tl.tensor(rng(i).standard_normal((5, 4)), requires_grad=True)
            y, norm = f(x)
        results.append([y.array, norm.array, w.array.copy(), w.grad.array.copy(), x.grad.array])
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_inference_under_no_grad_with_nested_arguments():
    model = MLP(5, 8, 3)

    @tl.compile
    @tl.no_grad()
    def predict(batch, *, scale=1.0):
        return {"logits": model(batch["x"]) * scale, "shapes": [batch["x"].shape]}

    for n in (3, 3, 4):
        x = floats(n, 5, seed=n)
        out = predict({"x": x}, scale=2.0)
        np.testing.assert_allclose(out["logits"].array, 2 * model(x).array, rtol=1e-6)
        assert out["shapes"] == [(n, 5)] and not out["logits"].requires_grad
    assert predict.traces == 2


def test_a_module_and_a_partial_are_functions_too():
    model, x = MLP(5, 8, 3), floats(4, 5)
    compiled = tl.compile(model)
    scaled = tl.compile(functools.partial(lambda by, x: model(x) * by, 2.0))
    with tl.no_grad():
        for _ in range(2):
            assert_same(compiled(x), model(x))
            assert_same(scaled(x), model(x) * 2)
        model.fc2.bias.fill_(9.0)
        assert_same(compiled(x), model(x))
    assert compiled.traces == scaled.traces == 1


def test_numpy_arguments_and_results_that_outlive_the_next_call():
    double = tl.compile(lambda a: tl.exp(a) * 2)
    first = double(np.zeros(3))
    second = double(np.ones(3))
    np.testing.assert_allclose(first, [2, 2, 2])
    np.testing.assert_allclose(second, 2 * np.exp(np.ones(3)))


# ---------------------------------------------------------------- what makes it record again
def test_shapes_dtypes_modes_numbers_and_modules_are_guarded():
    model, scale = MLP(5, 8, 3, p=0.5), {"by": 2.0}

    @tl.compile
    @tl.no_grad()
    def f(x):
        return model(x) * scale["by"]

    x = floats(4, 5)
    f(x), f(x)
    assert f.traces == 1
    model.eval()
    np.testing.assert_allclose(f(x).array, 2 * model(x).array, rtol=1e-6)
    assert f.traces == 2
    scale["by"] = 3.0
    np.testing.assert_allclose(f(x).array, 3 * model(x).array, rtol=1e-6)
    assert f.traces == 3
    f(floats(6, 5))
    f(floats(4, 5).double())
    assert f.traces == 5
    model.fc1 = nn.Linear(5, 8)
    np.testing.assert_allclose(f(x).array, 3 * model(x).array, rtol=1e-6)
    assert f.traces == 6
    model.fc1.weight.data = floats(8, 5, seed=9)
    np.testing.assert_allclose(f(x).array, 3 * model(x).array, rtol=1e-6)


def test_a_learning_rate_is_an_input():
    w = tl.ones(2, requires_grad=True)
    opt = optim.SGD([w], lr=1.0)

    @tl.compile
    def step():
        opt.zero_grad()
        w.sum().backward()
        opt.step()

    seen = []
    for lr in (1.0, 0.5, 0.25):
        opt.param_groups[0]["lr"] = lr
        step()
        seen.append(w.array[0])
    assert seen == [0.0, -0.5, -0.75] and step.traces == 1


def test_frozen_and_converted_parameters_and_new_hooks_are_noticed():
    pair = []
    for wrapped in (False, True):
        tl.manual_seed(0)
        model = MLP(5, 8, 3)
        step = training_step(model, optim.SGD(model.parameters(), lr=0.1))
        step = tl.compile(step) if wrapped else step
        x, y = floats(16, 5), classes(16, 3)
        step(x, y), step(x, y)
        model.fc1.requires_grad_(False)
        step(x, y), step(x, y)
        model.fc2.weight.register_hook(lambda g: g * 0.5)
        step(x, y), step(x, y)
        model.requires_grad_(True)
        model.double()
        pair.append((step(x.double(), y), step(x.double(), y), *model.parameters()))
    for a, b in zip(*pair, strict=True):
        assert a.dtype == b.dtype == np.float64
        assert_same(b, a)


class Settings:
    scale = 2.0


MASK = np.ones(3, np.float32)


def test_arrays_and_classes_of_the_users_own_are_read_as_they_are():
    offset, f = np.zeros(3, np.float32), tl.compile(lambda x: (x * MASK + offset) * Settings.scale)
    for change in (lambda: None, lambda: None, lambda: MASK.fill(3), lambda: offset.fill(1), lambda: setattr(Settings, "scale", 0.5)):
        change()
        x = tl.ones(3)
        np.testing.assert_array_equal(f(x).array, (x.array * MASK + offset) * Settings.scale)
    assert f.traces == 2


def test_a_loaded_state_and_an_added_group_are_noticed():
    model, twin = MLP(5, 8, 3), MLP(5, 8, 3)
    twin.load_state_dict(model.state_dict())
    opt, other = (optim.Adam([m.fc1.weight, m.fc2.weight], lr=0.01) for m in (model, twin))
    step, compiled = training_step(model, opt), tl.compile(training_step(twin, other))
    for i in range(6):
        if i == 2:
            for o in (opt, other):
                o.load_state_dict(optim.Adam([model.fc1.weight, model.fc2.weight], lr=0.1).state_dict())
        if i == 4:
            opt.add_param_group({"params": [model.fc1.bias]})
            other.add_param_group({"params": [twin.fc1.bias]})
        x, y = floats(16, 5, seed=i), classes(16, 3, i)
        assert_same(compiled(x, y), step(x, y))
    for p, q in zip(model.parameters(), twin.parameters()):
        assert_same(q, p)
    assert compiled.traces == 4  # and once where the gradients of the biases, which nobody clears, are there to add to


def test_a_schedule_inside_may_compute_with_the_rate_it_finds():
    w = tl.ones(2, requires_grad=True)
    opt = optim.SGD([w], lr=1.0)

    @tl.compile
    def step():
        opt.zero_grad()
        w.sum().backward()
        opt.step()
        opt.param_groups[0]["lr"] *= 0.5

    for _ in range(3):
        step()
    assert opt.param_groups[0]["lr"] == 0.125 and w.array[0] == 1 - 1.75 and step.traces == 1


def test_too_many_retraces_warn_with_the_cause_and_run_the_function_itself():
    f = tl.compile(lambda x, n: x * n, max_retraces=2)
    for n in range(3):
        f(tl.ones(2), n)
    with pytest.warns(Fallback, match=r"traced 3 times.*the arguments changed"):
        np.testing.assert_array_equal(f(tl.ones(2), 9).array, [9, 9])
    assert f.traces == 3


def test_dropout_draws_anew_from_the_librarys_generator():
    f = tl.compile(lambda x: F.dropout(x, 0.5))
    x = tl.ones(1000)
    a, b = f(x).array, f(x).array
    assert (a != b).any() and set(np.unique(b)) == {0, 2}
    tl.manual_seed(3)
    expected = F.dropout(x, 0.5).array
    tl.manual_seed(3)
    np.testing.assert_array_equal(f(x).array, expected)


# ---------------------------------------------------------------- what a program cannot repeat
w = tl.ones(3, requires_grad=True)
LOOKING = {
    "branch": lambda x: x * 2 if x.sum() > 0 else x,
    "item": lambda x: x * x.sum().item(),
    "float": lambda x: x * float(x.sum()),
    "tolist": lambda x: x.tolist(),
    "numpy": lambda x: np.asarray(x.detach().numpy()),
    "print": lambda x: print(x),
    "format": lambda x: f"{x.sum():.3f}",
    "range": lambda x: [x for _ in range(x.sum().long())],
}


@pytest.mark.parametrize("name", LOOKING)
def test_looking_at_a_value_is_an_error_that_names_the_line(name):
    f, before = tl.compile(LOOKING[name]), w.array
    with pytest.raises(CompileError, match=r"test_compiler\.py:\d+"):
        f(w)
    assert w.array is before and w.grad is None
    np.testing.assert_array_equal((w * 2).detach().array, [2, 2, 2])


def test_errors_of_operations_are_those_of_eager_calls_and_change_nothing():
    embed = tl.compile(lambda i: F.embedding(i, w.reshape(3, 1)).detach())
    embed(tl.tensor([0, 1]))
    with pytest.raises(IndexError, match="index 7 is out of bounds for 3 rows"):
        embed(tl.tensor([0, 7]))
    np.testing.assert_array_equal(embed(tl.tensor([2, 1])).array, [[1], [1]])
    with pytest.raises(RuntimeError, match="matmul"):
        tl.compile(lambda x: x @ tl.ones(4, 4))(tl.ones(2, 3))


def test_a_call_that_goes_another_way_inside_an_operation_runs_as_it_is():
    loss = tl.compile(lambda z, y: F.cross_entropy(z, y).detach())
    z, y = floats(4, 3), classes(4, 3)
    ignoring = tl.tensor(np.array([0, -100, 2, 1]))
    for target in (y, ignoring, y):
        assert_same(loss(z, target), F.cross_entropy(z, target))
    product = tl.compile(lambda a: tl.prod(a))
    for values in ([1.0, 2.0], [0.0, 3.0]):
        assert_same(product(tl.tensor(values)), tl.prod(tl.tensor(values)))


def _cannot(x):
    return np.array([value.item() for value in x])


FALLING_BACK = {
    "an operation that looks at values": lambda x: tl.primitive(_cannot, lambda g, out, x: g)(x).sum().detach(),
    "random numbers of numpy's own": lambda x: x.detach() * np.random.default_rng(0).random() * np.random.random(),
    "results that gradients flow through": lambda x: x * 2,
    "a learning rate from outside": None,
}


def test_what_cannot_be_traced_falls_back_with_a_warning():
    for name, function in FALLING_BACK.items():
        if function is None:
            opt = optim.SGD([w], lr=1.0)

            def function(x, opt=opt):
                opt.param_groups[0]["lr"] = 0.25
                return x.detach()

        f = tl.compile(function)
        with pytest.warns(Fallback, match="not compiled"):
            first = f(w)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            second = f(w)
        assert type(first) is type(second), name
    y = tl.compile(FALLING_BACK["results that gradients flow through"])
    with pytest.warns(Fallback, match="gradients can still flow"):
        y(w)
    g, = tl.autograd.grad(y(w).sum(), w)
    np.testing.assert_array_equal(g.array, [2, 2, 2])


def test_an_exception_leaves_tensors_and_optimizers_as_they_were():
    model = MLP(5, 8, 3)
    opt = optim.Adam(model.parameters())

    @tl.compile
    def step(x):
        opt.zero_grad()
        model(x).sum().backward()
        raise KeyError("mine")

    with pytest.raises(KeyError):
        step(floats(2, 5))
    assert all(type(p.array) is np.ndarray and type(p.grad.array) is np.ndarray for p in model.parameters())
    assert opt.param_groups[0]["lr"] == 1e-3 and opt.state == {}
    training_step(model, opt)(floats(4, 5), classes(4, 3))


def test_a_changed_array_still_spoils_a_tape_that_needs_it():
    step = tl.compile(lambda: w.mul_(2.0))
    with tl.no_grad():
        step()
        before = w.array.copy()
    y = (w * w).sum()
    with tl.no_grad():
        step()
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()
    with tl.no_grad():
        w.copy_(before / 2)


def test_threads_share_a_compiled_function():
    model = MLP(5, 8, 3)
    predict = tl.compile(tl.no_grad(lambda x: model(x)))
    inputs = [floats(200, 5, seed=s) for s in range(8)]
    with tl.no_grad():
        expected = [model(x).array for x in inputs]
    wrong = []

    def work(k):
        for i in range(50):
            x = inputs[(i + k) % 8]
            if not np.allclose(predict(x).array, expected[(i + k) % 8], atol=1e-6):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong and predict.traces == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_tiles_of_large_elementwise_work(threads):
    w, b = floats(1200, 300).requires_grad_(), floats(300)

    def step(x):
        w.grad = None
        h = (x * w + b).tanh() * tl.sigmoid(x)
        s = (h - h.amax(1, True)).exp() / h.sum(1, keepdim=True)
        (s * s).sum().backward()
        return s.detach()

    compiled = tl.compile(step, threads=threads)
    for i in range(3):
        x = floats(1200, 300, seed=i)
        out, g = compiled(x), w.grad
        expected = step(x)
        np.testing.assert_allclose(out.array, expected.array, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(g.array, w.grad.array, rtol=1e-3, atol=1e-4)
    assert compiled.traces == 1 and "rows at a time" in compiled.source and ("spread" in compiled.source) == (threads > 1)


@pytest.mark.parametrize("name", MODELS)
def test_every_pass_keeps_what_the_program_computes(name):
    (model, optimizer), (twin, twin_optimizer), batch = twins(name)
    compiled = tl.compile(training_step(model, optimizer))
    compiled(*batch(0))
    entry = compiled._current()
    given = [x.array for x in batch(1)]
    start = [a.copy() for a in entry.arrays()]
    results = []
    for title, program in entry.stages:
        tl.manual_seed(5)
        layout = Layout(program)
        module = Module(program, planned(program, grouped(program, layout), layout), "step")
        names = {"np": np, "Diverged": Exception, **program.functions}
        exec(module.text, names)
        bound = dict(zip(entry.module.bound, start))
        step, kept = names["make"](*(bound.get(v, start[0]).copy() for v in module.bound), *(v.value for v in module.constants))
        out = step(*(given[v.value[1]] if v.value[0] == "argument" else v.value[1].numpy if v.value[0] == "generator" else 0.01
                     for v in module.given))
        results.append((title, [np.array(x) for x in (out[0], *kept)]))
    for title, found in results[1:]:
        for a, b in zip(found, results[0][1]):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=title)


def split_loss(w, x):
    a, b = (x * w).split(2, 1)
    return (a * a).sum() + (b * b * b).sum()


def ten_uses(w, x):
    for _ in range(10):
        x = x * w
    return x.sum()


W4, T16 = tl.ones(4, requires_grad=True), classes(16, 4)
EFFECTS = {  # pass -> (a scalar function of w (4,) and x (16, 4), an operation, its calls before and after the pass)
    "dead_code": (lambda w, x: (tl.exp(x), (x * w).sum())[1], "np.exp", 1, 0),
    "fold_constants": (lambda w, x: (x * w * tl.sqrt(tl.full((4,), 4.0))).sum(), "np.sqrt", 1, 0),
    "views_for_copies": (lambda w, x: (x.clone() * w.clone()).sum(), ".copy", 2, 0),
    "simplify": (lambda w, x: ((x * w) * 1).sum(), "np.multiply", 3, 1),
    "common_subexpressions": (lambda w, x: (tl.exp(x) * w + tl.exp(x)).sum(), "np.exp", 2, 1),
    "sparse_differences": (lambda w, x: F.cross_entropy(x * w, T16), "[]", 2, 3),
    "pieces_together": (split_loss, "np.add", 5, 4),
    "flat_products": (lambda w, x: (tl.stack([x, x]) @ tl.diag(w)).sum(), ".reshape", 0, 2),
    "short_rows": (lambda w, x: (x * w).amax(1).sum(), ".T", 0, 1),
    "batched_sums": (ten_uses, "np.concatenate", 0, 1),
    "plain_products": (lambda w, x: (x @ w).sum(), "np.dot", 0, 3),
    "own_memory": (lambda w, x: (x[0] * w).sum(), "np.array", 0, 1),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_what_each_pass_does(name):
    function, op, before, after = EFFECTS[name]

    def step(x):
        W4.grad = None
        loss = function(W4, x)
        loss.backward()
        return loss

    compiled = tl.compile(step)
    compiled(floats(16, 4))
    titles, programs = zip(*compiled._current().stages)
    at = titles.index(name)
    assert [sum(v.op == op for v in p.body) for p in programs[at - 1 : at + 1]] == [before, after]


@pytest.mark.parametrize("name", ["mlp, adam", "wide enough for tiles", "decoder", "convolution, batch norm"])
def test_a_program_takes_no_more_memory_than_the_function(name):
    (model, optimizer), (twin, twin_optimizer), batch = twins(name)
    step, compiled = training_step(model, optimizer), tl.compile(training_step(twin, twin_optimizer))
    step(*batch(0)), compiled(*batch(0))
    optimizer.zero_grad()
    tracemalloc.start()
    step(*batch(1))
    eager = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert f"peak: {compiled._current().plan.peak:,} bytes" in compiled.explain()
    assert compiled._current().plan.peak <= eager


def test_methods_are_compiled_for_each_object():
    class Trainer:
        def __init__(self, factor):
            self.factor = tl.tensor(factor)

        @tl.compile
        def scaled(self, x):
            return x * self.factor

    a, b = Trainer(2.0), Trainer(3.0)
    assert [t.scaled(tl.ones(1)).item() for t in (a, b, a, b)] == [2, 3, 2, 3]


# ---------------------------------------------------------------- what can be looked at
def test_source_explain_and_export(tmp_path):
    tl.manual_seed(0)
    model = MLP(5, 8, 3, p=0.2)
    opt = optim.Adam(model.parameters(), lr=0.01)
    step = tl.compile(training_step(model, opt))
    with pytest.raises(RuntimeError, match="no program yet"):
        _ = step.source
    x, y = floats(16, 5), classes(16, 3)
    step(x, y)
    for name in ("fc1_weight", "d_fc1_weight", "fc2_bias_exp_avg", "np.dot", "rng.random"):
        assert name in step.source, name
    told = step.explain(changes=True)
    for word in ("dead_code", "common_subexpressions", "peak", "tiles", "calls"):
        assert word in told
    step.export(tmp_path / "step.py")
    code = ("import sys; sys.modules['tinygrad_lite'] = None; import numpy as np, step; rng = np.random.default_rng(0); "
            "x, y = np.load('batch.npz').values(); "
            "print(*[repr(float(step.step(x, y, rng=rng))) for _ in range(3)], step.NUMBERS['fc1_weight_step'])")
    np.savez(tmp_path / "batch.npz", x=x.array, y=y.array)
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    *losses, steps = ran.stdout.split()
    tl.random.default_generator.numpy = np.random.default_rng(0)
    expected = [step(x, y).item() for _ in range(3)]
    np.testing.assert_allclose([float(v) for v in losses], expected, rtol=1e-6)
    assert steps == "4"


def test_an_exported_program_brings_the_functions_it_calls(tmp_path):
    tl.manual_seed(0)
    model = Decoder()
    (index, y) = tl.tensor(rng().integers(0, 11, (2, 6))), classes(12, 11)
    step = tl.compile(training_step(model, optim.AdamW(model.parameters())))
    step(index, y)
    step.export(tmp_path / "decoder.py")
    names = runpy.run_path(str(tmp_path / "decoder.py"))
    np.testing.assert_allclose(names["step"](index.array, y.array), step(index, y).array, rtol=1e-5)
    with pytest.raises(names["Diverged"]):
        names["step"](index.array + 100, y.array)


# ---------------------------------------------------------------- derive
def two_layers(X, y, W1, b1, W2, b2):
    z1 = X @ W1 + b1
    h1 = F.relu(z1)
    z2 = h1 @ W2 + b2
    loss = F.cross_entropy(z2, y)
    return loss


def test_derive_reads_like_the_textbook_and_computes_what_is_derived_by_hand():
    X, y = floats(32, 5), classes(32, 3)
    weights = [floats(5, 8), floats(8), floats(8, 3), floats(3)]
    for p in weights:
        p.requires_grad_()
    source = tl.derive(two_layers, X, y, *weights)
    assert source == (GOLDEN / "derived_mlp.py").read_text()
    names = {}
    exec(source, names)
    arrays = [t.array for t in (X, y, *weights)]
    value, gradients = names["value_and_grad"](*arrays)
    X, y, W1, b1, W2, b2 = arrays
    z1, h1, z2 = nn.by_hand.forward(X, W1, b1, W2, b2)
    np.testing.assert_allclose(value, nn.by_hand.loss(z2, y), rtol=1e-6)
    for g, expected in zip(gradients, nn.by_hand.backward(X, y, z1, h1, z2, W2), strict=True):
        np.testing.assert_allclose(g, expected, rtol=1e-5, atol=1e-7)
    assert all(p.grad is None for p in weights)


def layer_norm_loss(x, w, b):
    return F.gelu(F.layer_norm(x, (4,), w, b)).mean()


def attention_loss(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).square().sum()


def logistic_loss(x, t, w):
    return F.binary_cross_entropy_with_logits(x @ w, t)


DERIVED = {
    "layer norm": (layer_norm_loss, [floats(6, 4), floats(4), floats(4)]),
    "attention": (attention_loss, [floats(5, 4, seed=s) for s in range(3)]),
    "logistic": (logistic_loss, [floats(6, 4), (floats(6) > 0).float(), floats(4).requires_grad_()]),
    "model": (None, [floats(6, 5), classes(6, 3)]),
}


@pytest.mark.parametrize("name", DERIVED)
def test_derived_sources_run_and_agree_with_the_tape(name):
    function, examples = DERIVED[name]
    reached = []
    if function is None:
        model = MLP(5, 8, 3)
        reached = list(model.parameters())

        def function(x, y):
            return F.cross_entropy(model(x), y)

    source = tl.derive(function, *examples)
    names = {}
    exec(source, names)
    value, gradients = names["value_and_grad"](*(t.array for t in (*examples, *reached)))
    leaves = [t.detach().requires_grad_() if t.requires_grad or not reached and name != "logistic" else t for t in examples]
    expected = function(*leaves)
    wanted = [t for t in (*leaves, *reached) if t.requires_grad]
    np.testing.assert_allclose(value, expected.array, rtol=1e-5)
    for g, d in zip(gradients, tl.autograd.grad(expected, wanted), strict=True):
        np.testing.assert_allclose(g, d.array, rtol=2e-5, atol=1e-6)


def test_derive_says_what_it_cannot_do():
    with pytest.raises(TypeError, match="scalar"):
        tl.derive(lambda x: x * 2, floats(3))
    with pytest.raises(CompileError, match="test_compiler"):
        tl.derive(lambda x: x.sum() if x.sum() > 0 else -x.sum(), floats(3))


# ---------------------------------------------------------------- programs at random
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


@pytest.mark.parametrize("tile", [None, 6, 12])
@pytest.mark.parametrize("seed", range(60))
def test_random_programs_compute_what_the_function_does(seed, tile, monkeypatch):
    if tile:
        monkeypatch.setattr(tiles, "SMALLEST", 1)
        monkeypatch.setattr(tiles, "TILE", tile)
    function = random_steps(seed)

    def step(x, y):
        x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
        outs = function(x, y)
        gradients = tl.autograd.grad(sum((out * out).sum() for out in outs) + (x * y).sum(), [x, y])
        return [out.detach() for out in outs], gradients

    compiled = tl.compile(step, threads=2 if seed % 5 == 0 else 1)
    for k in range(3):
        x, y = (tl.tensor(rng(seed + 100 * k + n).standard_normal((6, 6))) for n in range(2))
        for side, other in zip(compiled(x, y), step(x, y)):
            for a, b in zip(side, other, strict=True):
                np.testing.assert_allclose(a.array, b.array, rtol=1e-7, atol=1e-9)
    assert compiled.traces == 1
