"""Which call runs how: what cannot be a program, keys, several functions, threads; and what can be looked at."""

import concurrent.futures
import copy
import functools
import re
import threading
import types
from pathlib import Path

import numpy as np
import pytest
from compiling import leaf, no_warning, told, vector  # noqa: F401

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.compiler import CompileError, Fallback

F = nn.functional
DOCUMENT = Path(__file__).parent.parent / "docs" / "compiled.md"


# ---------------------------------------------------------------- what cannot be a program
LOOKING = {
    "item": lambda x: x * x.sum().item(),
    "float": lambda x: x * float(x.sum()),
    "tolist": lambda x: tl.tensor(x.tolist()),
    "numpy": lambda x: np.asarray(x.detach().numpy()) * 2,
    "print": lambda x: print(x) or x * 2,
    "format": lambda x: x * float(f"{x.sum():.3f}"),
    "range": lambda x: sum((x for _ in range(x.sum().long())), x),
    "copy": lambda x: copy.deepcopy(x) * 2,
    "numpy's own random numbers": lambda x: x * 0 + np.random.random() * 0,  # noqa: NPY002
    "an operation that looks": lambda x: LOOKS(x).detach() * 2,
}
LOOKS = tl.primitive(lambda x: np.array([value.item() for value in x]), lambda g, out, x: g)


@pytest.mark.parametrize("name", LOOKING)
def test_a_value_looked_at_lets_the_call_run_as_it_is(name):
    function, ran = LOOKING[name], []
    f = tl.compile(function)
    f(vector())
    with pytest.warns(Fallback, match=r"runs without a program: .*test_compile_calls\.py:\d+|from another source"):
        second = f(vector())
    assert type(getattr(second, "array", second)) is np.ndarray and not ran
    for i in range(3):
        x = vector(float(i), 3.0)
        np.testing.assert_array_equal(np.asarray(getattr(f(x), "array", f(x))), np.asarray(getattr(function(x), "array", function(x))))
    strict = tl.compile(function, strict=True)
    strict(vector())
    with pytest.raises(CompileError):
        strict(vector())


def test_a_call_that_is_given_up_runs_once_and_goes_on():
    ran, w = [], leaf()
    opt = optim.Adam([w], lr=0.1)
    count = {"n": 0}

    def step(x):
        count["n"] += 1
        opt.zero_grad()
        loss = (w * x).sum() + tl.rand(1).sum() * 0
        loss.backward()
        ran.append(loss.item())
        opt.step()
        return loss

    f, twin = tl.compile(step), leaf()
    other = optim.Adam([twin], lr=0.1)
    _, warned = told(lambda: [f(vector()) for _ in range(4)])
    for _ in range(4):
        other.zero_grad()
        (twin * vector()).sum().backward()
        other.step()
    assert count["n"] == 4 and len(ran) == 4 and len(warned) == 1 and "item() looks at a value" in warned[0]
    np.testing.assert_array_equal(w.array, twin.array)
    assert opt.state[w]["step"] == 4 and type(w.grad.array) is np.ndarray


def test_strict_leaves_everything_as_it_was():
    w, log, generator = leaf(), [], tl.random.Generator(0)
    opt = optim.Adam([w], lr=0.1)
    box = types.SimpleNamespace(n=0)

    @functools.partial(tl.compile, strict=True)
    def step(x):
        opt.zero_grad()
        (w * x * tl.rand(1, generator=generator)).sum().backward()
        opt.step()
        opt.param_groups[0]["lr"] *= 0.5
        box.n += 1
        log.append(1)
        return w.sum().item()

    step(vector())

    def everything():
        state = opt.state[w]
        return (w.array.tolist(), w.grad.array.tolist(), state["step"], state["exp_avg"].tolist(), opt.param_groups[0]["lr"],
                generator.numpy.bit_generator.state, list(log), box.n)

    before = everything()
    with pytest.raises(CompileError, match=r"item\(\) looks at a value at .*: return it"):
        step(vector())
    assert everything() == before


def test_an_exception_of_the_function_is_passed_on():
    model = nn.Linear(5, 2)
    opt = optim.Adam(model.parameters())
    fail = {"now": False}

    @tl.compile
    def step(x):
        opt.zero_grad()
        model(x).sum().backward()
        if fail["now"]:
            raise KeyError("mine")
        opt.step()

    x = tl.ones(2, 5)
    step(x)
    fail["now"] = True
    for _ in range(3):
        with pytest.raises(KeyError):
            step(x)
    assert all(type(p.array) is np.ndarray and type(p.grad.array) is np.ndarray for p in model.parameters())
    assert opt.param_groups[0]["lr"] == 1e-3 and opt.state[model.weight]["step"] == 1
    fail["now"] = False
    for _ in range(4):
        step(x)
    assert opt.state[model.weight]["step"] == 5 and step.traces == 1


def test_errors_of_operations_are_those_of_eager_calls_and_change_nothing():
    w = tl.ones(3, 1)
    embed = tl.compile(lambda i: F.embedding(i, w))
    for _ in range(4):
        embed(tl.tensor([0, 1]))
    with pytest.raises(IndexError, match="index 7 is out of bounds for 3 rows"):
        embed(tl.tensor([0, 7]))
    np.testing.assert_array_equal(embed(tl.tensor([2, 1])).array, [[1], [1]])
    wrong = tl.compile(lambda x: x @ tl.ones(4, 4))
    for _ in range(3):
        with pytest.raises(RuntimeError, match="matmul"):
            wrong(tl.ones(2, 3))

# ---------------------------------------------------------------- keys, threads, several functions
def test_settings_modes_and_replaced_parts_are_part_of_the_key():
    model, scale = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 3)), {"by": 2.0}
    f = tl.compile(tl.no_grad(lambda x: model(x) * scale["by"]))
    x = tl.ones(4, 5)

    def check(traces):
        for _ in range(3):
            tl.manual_seed(0)
            out = f(x)
            tl.manual_seed(0)
            with tl.no_grad():
                np.testing.assert_allclose(out.array, (model(x) * scale["by"]).array, rtol=1e-6)
        assert f.traces == traces

    check(1)
    model.eval()
    check(2)
    scale["by"] = 3.0
    check(3)
    x = tl.ones(6, 5)
    check(4)
    model.double()
    x = x.double()
    check(5)
    setattr(model, "0", nn.Linear(5, 8).double().eval())
    check(5)
    model.requires_grad_(False)
    check(6)


def test_numbers_with_a_fraction_are_read_and_whole_ones_are_part_of_the_key():
    def f(x, lr, settings, n=1, *, rng=None):
        return x * lr + settings["eps"] * n + (rng.random(2) if rng is not None else 0.0)

    compiled = tl.compile(f)
    for i in range(8):
        for n in (1, 2):
            given = vector(), 1 / (1 + i), {"eps": np.float64(i)}, n
            rng, twin = np.random.default_rng(i), np.random.default_rng(i)
            a, b = compiled(*given, rng=rng), f(*given, rng=twin)
            assert a.dtype == b.dtype and rng.random() == twin.random()
            np.testing.assert_allclose(a.array, b.array)
    assert compiled.traces == 2
    same = tl.compile(lambda x, a, b: x * a - b)
    for a, b in ((0.5, 0.5), (0.5, 0.5), (0.5, 0.5), (0.5, 0.25), (float("nan"), -0.0)):
        np.testing.assert_array_equal(same(vector(), a, b).array, (vector() * a - b).array)


def test_too_many_programs_warn_with_the_cause():
    f = tl.compile(lambda x, n: x * n, max_retraces=2)
    for n in range(2):
        f(vector(), n), f(vector(), n)
    with pytest.warns(Fallback, match=r"it has 2 programs .* the argument 'n' was 1 and is 9"):
        np.testing.assert_array_equal(f(vector(), 9).array, [9, 18])
    assert told(lambda: f(vector(), 10))[1] == []
    for wrong in (0, -1, "a", 2.5):
        with pytest.raises(ValueError, match="max_retraces is a whole number above 0"):
            tl.compile(f.function, max_retraces=wrong)
    assert f.traces == 2


def test_functions_that_are_not_written_in_python():
    a = np.arange(4.0)
    for function in (np.mean, np.tanh, functools.partial(np.sum, axis=0), functools.cache(lambda x: x * 2), tl.exp):
        x = tl.tensor(a) if function is tl.exp else a if not hasattr(function, "cache_info") else 3
        compiled = tl.compile(function)
        for _ in range(4):
            np.testing.assert_allclose(np.asarray(getattr(compiled(x), "array", compiled(x))),
                                       np.asarray(getattr(function(x), "array", function(x))))


def test_several_functions_and_eager_steps_over_one_model():
    def run(wrap):
        tl.manual_seed(0)
        model = nn.Linear(4, 2)
        opt = optim.Adam(model.parameters(), lr=0.1)

        def step(x):
            opt.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            opt.step()
            return loss

        fast, measured, seen = wrap(step), wrap(tl.no_grad(lambda x: model(x).abs().sum())), []
        for i in range(12):
            x = tl.ones(3 if i % 4 else 2, 4) * float(i)
            seen += [fast(x).item(), measured(x).item()] if i % 3 else [step(x).item()]
        return seen

    np.testing.assert_allclose(run(tl.compile), run(lambda f: f), rtol=1e-6)


POOL = concurrent.futures.ThreadPoolExecutor(1)


def in_a_new_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


@pytest.mark.parametrize("start", [in_a_new_thread, lambda function: POOL.submit(function).result()], ids=["new", "pool"])
@pytest.mark.parametrize("work", [lambda x: x * 2, lambda x: x.sum().item(), lambda x: bool(x[0] > 1), lambda x: x.add_(1)], ids=["op", "item", "truth", "place"])
def test_what_another_thread_computes_is_no_constant(start, work):
    def function(x):
        found, copy = [], x * 1
        start(lambda: found.append(work(copy)))
        return found[0] + copy

    compiled, x = tl.compile(function), tl.tensor([1.0, 2.0])
    with pytest.warns(Fallback, match="another thread computes with its arrays"):
        for _ in range(3):
            compiled(x)  # always with the same numbers, so that no look sees a difference
    assert tl.equal(compiled(x * 10), function(x * 10))


def test_threads_share_a_compiled_function():
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
    predict = tl.compile(tl.no_grad(lambda x: model(x)))
    inputs = [tl.tensor(np.random.default_rng(s).standard_normal((200, 5)).astype(np.float32)) for s in range(8)]
    with tl.no_grad():
        expected = [model(x).array for x in inputs]
    wrong = []

    def work(k):
        for i in range(50):
            if not np.allclose(predict(inputs[(i + k) % 8]).array, expected[(i + k) % 8], atol=1e-6):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong and predict.traces == 1


# ---------------------------------------------------------------- what can be looked at
def test_source_and_explain(tmp_path):
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    opt = optim.Adam(model.parameters(), lr=0.01)

    @tl.compile
    def step(x, y):
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        return loss

    for told_ in ("call it twice", "call it once more"):
        for look in (lambda: step.source, step.explain, lambda: step.export(tmp_path / "step.py")):
            with pytest.raises(RuntimeError, match=told_):
                look()
        step(tl.ones(16, 5), tl.zeros(16).long())
    for _ in range(4):
        step(tl.ones(16, 5), tl.zeros(16).long())
    source, told_ = step.source, step.explain()
    places = [source.index(part) for part in ("def make(", "# forward", "loss = F.cross_entropy(model(x), y)", "# backward",
                                              "# update", "opt.step()", "    return step\n")]
    assert places == sorted(places)
    for part in ("0_weight_exp_avg", "d_model_0_weight", "# (16, 8)", "test_compile_calls.py:"):
        assert part in source, part
    names = {}
    exec(source, names)  # no undefined name
    assert "make" in names
    for part in ("numpy calls", "lowered", "bytes at its peak", "A call takes"):
        assert part in told_, part
    assert "dead_code" not in tl_explained_of_a_product()
    assert repr(step) == "<compiled step, 1 program>" and tl.compile(step).function is step.function
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        step.export(tmp_path / "nowhere" / "step.py")
    with pytest.raises(ValueError, match="ends in .py"):
        step.export(tmp_path / "step.txt")


def tl_explained_of_a_product():
    f = tl.compile(lambda x: x * 2)
    f(vector()), f(vector())
    return f.explain()


def test_the_examples_of_the_document_run_and_say_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names = {"__name__": "__main__"}
    _, warned = told(lambda: [exec(block, names) for block in blocks])
    assert len(warned) == 1 and re.search(r"recorded anew: .* was 2.0 and is 5.0", warned[0])
    for _ in range(3):
        names["step"](tl.ones(5))
    average = names["Average"]()
    for i in range(5):
        average.update(tl.full((3,), float(i)))
    assert average.count == 5 and average.mean.array[0] == 2
    assert (tmp_path / "step.npz").exists()
    with pytest.warns(Fallback, match="item.. looks at a value at .*: return it and look at it outside"):
        names["logged"](tl.ones(2)), names["logged"](tl.ones(2))
    assert names["losses"] == [2.0, 2.0]
