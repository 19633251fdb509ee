"""A compiled function is a function of its arguments and its state: how it depends on Python, and what it changes."""

import collections
import dataclasses
import itertools
import time
import types
import warnings

import numpy as np
import pytest
from compiling import leaf, no_warning, told, vector  # noqa: F401

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.compiler import Fallback

# ---------------------------------------------------------------- ways to depend on Python state
HELPED = 2.0
GLOBAL = 2.0
FLAGS = {"on"}
QUEUE = collections.deque([2.0])
LONG = [2.0] * 300
SHORT, NESTED, MODULE = [2.0], {"a": {"by": 2.0}}, types.SimpleNamespace(by=2.0)
COUNT, VALUES = itertools.count(2), iter(range(2, 1000))


class Base:
    by = 2.0


class Derived(Base):
    pass


class Slotted:
    __slots__ = ("by",)


@dataclasses.dataclass
class Config:
    by: float = 2.0


SLOTTED, CONFIG = Slotted(), Config()
SLOTTED.by = 2.0


def helped(x):
    return x * HELPED


def helped_by_default(x, *, by=SHORT):
    return x * by[0]


def scaled(function):
    def wrapper(x):
        return function(x) * NESTED["a"]["by"]

    return wrapper


def defaults(x, by=SHORT, *, more=NESTED):
    return x * by[0] * more["a"]["by"]


def in_globals(name, value):
    return lambda: globals().__setitem__(name, value)


WAYS = {  # the function, what changes, and what happens: "right" at once, or noticed at a "look"
    "a global": (lambda x: x * GLOBAL, in_globals("GLOBAL", 5.0), "right"),
    "a list": (lambda x: x * SHORT[0], lambda: SHORT.__setitem__(0, 5.0), "right"),
    "dicts in a dict": (lambda x: x * NESTED["a"]["by"], lambda: NESTED["a"].update(by=5.0), "right"),
    "a key that is gone": (lambda x: x * len(NESTED["a"]), lambda: NESTED["a"].update(by=5.0, more=1), "right"),
    "another type of number": (lambda x: x.long() * GLOBAL, in_globals("GLOBAL", 2), "right"),
    "a dataclass": (lambda x: x * CONFIG.by, lambda: setattr(CONFIG, "by", 5.0), "right"),
    "defaults": (defaults, lambda: SHORT.__setitem__(0, 5.0), "right"),
    "keyword-only defaults": (defaults, lambda: NESTED["a"].update(by=5.0), "right"),
    "a wrapper's": (scaled(lambda x: x + 1), lambda: NESTED["a"].update(by=5.0), "right"),
    "a helper's global": (lambda x: helped(x), in_globals("HELPED", 5.0), "HELPED at"),
    "a helper's default": (lambda x: helped_by_default(x), lambda: SHORT.__setitem__(0, 5.0), "was 2.0 and is 5.0"),
    "a class attribute": (lambda x: x * Base.by, lambda: setattr(Base, "by", 5.0), "Base.by at"),
    "an inherited attribute": (lambda x: x * Derived.by, lambda: setattr(Base, "by", 5.0), "Derived.by at"),
    "slots": (lambda x: x * SLOTTED.by, lambda: setattr(SLOTTED, "by", 5.0), "was 2.0 and is 5.0"),
    "an object's attribute": (lambda x: x * MODULE.by, lambda: setattr(MODULE, "by", 5.0), "MODULE.by at"),
    "a deque": (lambda x: x * QUEUE[0], lambda: QUEUE.__setitem__(0, 5.0), "was 2.0 and is 5.0"),
    "a set": (lambda x: x * 2 if "on" in FLAGS else x * 5, FLAGS.clear, "was 2 and is 5"),
    "a long list": (lambda x: x * LONG[0], lambda: LONG.__setitem__(0, 5.0), "was 2.0 and is 5.0"),
    "another operation": (lambda x: tl.exp(x) if "on" in FLAGS else tl.tanh(x), FLAGS.clear, "exp ran at .*, and now np.tanh at"),
    "fewer operations": (lambda x: tl.exp(x) if "on" in FLAGS else x * 1, FLAGS.clear, r"exp ran at"),
}


@pytest.fixture
def as_before():
    """The globals of this module, as they were."""
    names = ("GLOBAL", "HELPED")
    held = {name: globals()[name] for name in names}
    yield
    globals().update(held)
    SHORT[0], NESTED["a"], MODULE.by, SLOTTED.by, CONFIG.by, Base.by, LONG[0], QUEUE[0] = 2.0, {"by": 2.0}, *[2.0] * 6
    FLAGS.add("on")


@pytest.mark.parametrize("name", WAYS)
def test_a_way_to_depend_on_python_state(name, as_before):
    function, change, how = WAYS[name]
    compiled = tl.compile(function)
    for _ in range(5):
        np.testing.assert_array_equal(compiled(vector()).array, function(vector()).array)
    change()
    if how == "right":
        for _ in range(5):
            a, b = compiled(vector()), function(vector())
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a.array, b.array)
        return
    for _ in range(4):  # up to the tenth call it runs as it was recorded: the stated rule
        compiled(vector())
    with pytest.warns(Fallback, match=rf"recorded anew: .*{how}") as warned:
        compiled(vector())
    assert "test_compile_contract.py:" in str(warned[0].message) and warned[0].filename == __file__
    for _ in range(5):
        np.testing.assert_array_equal(compiled(vector()).array, function(vector()).array)


@pytest.mark.parametrize("function, told_of", [
    (lambda x: x * next(COUNT), ["it changes 'COUNT' at"]), (lambda x: x * next(VALUES), ["it changes 'VALUES' at"]),
    (lambda x: x * time.perf_counter(), ["recorded anew", "runs without a program"])],
    ids=["a counter", "an iterator", "the time"])
def test_a_value_that_changes_with_every_call_is_never_replayed(function, told_of):
    compiled = tl.compile(function)
    seen, warned = told(lambda: [compiled(tl.ones(1).double()).item() for _ in range(12)])
    assert len(set(seen)) == 12 and compiled.traces == 0
    assert len(warned) == len(told_of) and all(text in message for text, message in zip(told_of, warned))


STATE_NUMBER = {"calls": 0}


def test_a_number_that_calls_count_up_is_read_and_written():
    class Counter:
        def __init__(self):
            self.calls, self.rate, self.average = 0, 1.0, tl.zeros(2)

        @tl.compile
        def __call__(self, x):
            self.calls += 1
            self.rate *= 0.5
            self.average = self.average * 0.9 + x * 0.1
            return x * self.calls * self.rate

    def plain(x):
        STATE_NUMBER["calls"] += 1
        return x * STATE_NUMBER["calls"]

    counter, compiled = Counter(), tl.compile(plain)
    average = np.zeros(2, np.float32)
    for i in range(1, 9):
        x = vector(float(i), 1.0)
        average = average * np.float32(0.9) + x.array * np.float32(0.1)
        np.testing.assert_allclose(counter(x).array, x.array * i * 0.5**i)
        np.testing.assert_allclose(counter.average.array, average, rtol=1e-6)
        assert (counter.calls, counter.rate) == (i, 0.5**i)
        np.testing.assert_array_equal(compiled(x).array, x.array * i)
        assert STATE_NUMBER["calls"] == i
    assert compiled.traces == Counter.__call__.traces == 1

# ---------------------------------------------------------------- side effects
LOG = []


class Counted:
    count = ""


def logged(x):
    LOG.append(x)


SIDE_EFFECTS = {
    "a list": (lambda log: lambda x: log.append(1) or x * 2, [], "it changes 'log' at .*log.append"),
    "a dict": (lambda log: lambda x: log.update({len(log): "b"}) or x * 2, {}, "it changes 'log' at"),
    "a deque": (lambda log: lambda x: log.append(1) or x * 2, collections.deque(maxlen=2), "it changes 'log' at"),
    "a set": (lambda log: lambda x: log.add(len(log)) or x * 2, set(), "it changes 'log' at"),
    "an object": (lambda log: lambda x: setattr(log, "text", log.text + "a") or x * 2, types.SimpleNamespace(text=""), "it changes 'log.text' at"),
    "a helper's list": (lambda log: lambda x: logged(1) or x * 2, LOG, "it changes '.*LOG' at .*LOG.append"),
    "a value in a helper's list": (lambda log: lambda x: logged(x * 2) or x * 2, LOG, "it changes '.*LOG' at .*LOG.append"),
    "a class": (lambda log: lambda x: setattr(Counted, "count", Counted.count + "a") or x * 2, None, "it changes 'Counted.count' at"),
    "a list in an object": (lambda log: lambda x: log.kept.append(1) or x * 2, types.SimpleNamespace(kept=[]), "it changes 'log.kept' at"),
}


@pytest.mark.parametrize("name", SIDE_EFFECTS)
def test_a_side_effect_makes_a_call_run_as_it_is(name):
    make, log, match = SIDE_EFFECTS[name]
    f = tl.compile(make(log))
    _, warned = told(lambda: [f(vector()) for _ in range(5)])
    assert len(warned) >= 1 and f.traces == 0
    with pytest.raises(AssertionError) if False else pytest.warns(Fallback, match=match):
        warnings.warn(warned[-1], Fallback, stacklevel=1)
    size = len(log) if hasattr(log, "__len__") else len(getattr(log, "kept", range(5)))
    assert size == (2 if name == "a deque" else 5)
    assert all(type(getattr(x, "array", None)) in (np.ndarray, type(None)) for x in LOG)
    LOG.clear()


HIDDEN = tl.zeros(2)


def test_names_that_receive_tensors_are_outputs():
    def recurrent():
        hidden, kept = tl.zeros(2), {"h": tl.zeros(2)}

        def step(x):
            global HIDDEN
            nonlocal hidden
            HIDDEN = (HIDDEN + x).tanh()
            hidden = (hidden + x).tanh()
            kept["h"] = kept["h"] * 0.5 + hidden
            return hidden, HIDDEN, kept["h"].sum()

        return step

    seen = []
    for wrap in (tl.compile, lambda f: f):
        globals()["HIDDEN"] = tl.zeros(2)
        step = wrap(recurrent())
        seen.append([[t.array.copy() for t in step(vector(float(i), 0.5))] for i in range(13)])
        assert wrap is not tl.compile or step.traces == 1
    for a, b in zip(*seen):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-6)


def test_no_traced_object_outlives_a_recording():
    away = types.MappingProxyType({"kept": []})  # nobody looks into it
    f = tl.compile(lambda x: away["kept"].append(x * 2) or x * 3)
    _, warned = told(lambda: [f(vector()) for _ in range(3)])
    assert "keeps a value that was computed at" in warned[0] and f.traces == 0
    assert all(type(t.array) is np.ndarray for t in away["kept"]) and len(away["kept"]) == 3


def test_attributes_that_receive_tensors_and_numbers_are_outputs():
    class Model(nn.Module):
        def __init__(self):
            self.hidden, self.pair, self.count, self.flag, self.seen = tl.zeros(2), (tl.zeros(2), tl.zeros(1)), 0, False, None

        def forward(self, x):
            self.hidden = (self.hidden + x).tanh()
            self.pair = (self.hidden * 2, self.pair[1] + 1)
            self.count += len(x)
            self.flag, self.seen = True, x
            return self.hidden

    eager, model = Model(), Model()
    compiled = tl.compile(model)
    for i in range(8):
        x = vector(float(i), 0.5)
        np.testing.assert_array_equal(compiled(x).array, eager(x).array)
        for a, b in zip((model.hidden, *model.pair), (eager.hidden, *eager.pair)):
            np.testing.assert_array_equal(a.array, b.array)
        assert (model.count, model.flag) == (eager.count, True) and model.seen is x
    model.hidden, x = tl.ones(2), vector()
    eager.hidden = model.hidden
    np.testing.assert_array_equal(compiled(x).array, eager(x).array)
    assert compiled.traces == 1

# ---------------------------------------------------------------- truth tests
def test_a_truth_test_is_a_check_and_three_misses_end_the_program():
    def f(x):
        return x * 2 if x.sum() > 0 else x * -3

    compiled = tl.compile(f)
    up, down = vector(), vector(-1.0, -2.0)
    for x in (up, up, up, up, down, up, down, up):
        np.testing.assert_array_equal(compiled(x).array, f(x).array)
    assert compiled.traces == 1
    with pytest.warns(Fallback, match=r"the test at test_compile_contract.py:\d+ came out otherwise .* 3 times: .*tl.where"):
        np.testing.assert_array_equal(compiled(down).array, f(down).array)
    np.testing.assert_array_equal(compiled(up).array, f(up).array)
    assert compiled.traces == 0


def test_a_call_that_goes_another_way_has_changed_nothing_before():
    w, generator = leaf(), tl.random.Generator(0)
    opt = optim.SGD([w], lr=0.1)

    def step(x):
        opt.zero_grad()
        noise = tl.rand(2, generator=generator)
        loss = (w * x + noise).sum()
        loss.backward()
        norm = (w.grad * w.grad).sum()
        if norm > 100:
            return loss * 0
        opt.step()
        return loss

    compiled, start = tl.compile(step), w.array.copy()
    runs = []
    for f in (compiled, step):
        w.array[...], w.grad = start, None
        generator.manual_seed(0)
        seen = []
        for x in (1.0, 1.0, 2.0, 1.0, 90.0, 1.0, 3.0):
            seen.append((f(vector(x, x)).item(), w.array.tolist(), w.grad.array.tolist()))
        runs.append(seen)
    for a, b in zip(*runs):
        for p, q in zip(a, b):
            np.testing.assert_allclose(p, q, rtol=1e-6)

# ---------------------------------------------------------------- numbers of an optimizer
def test_a_learning_rate_is_a_number_that_is_read_each_time():
    w = leaf()
    opt = optim.SGD([w], lr=1.0)

    @tl.compile
    def step(x):
        lr = opt.param_groups[0]["lr"]
        opt.zero_grad()
        (w * x).sum().backward()
        with tl.no_grad():
            w.add_(w.grad * -lr)
        opt.param_groups[0]["lr"] *= 0.5
        return x * opt.param_groups[0]["lr"], tl.tensor(2.0) * lr, abs(lr), lr ** 2, 1 / lr, lr if lr > 0 else 0.0

    twin, lr = w.array.copy(), 1.0
    for i in range(8):
        if i == 5:
            opt.param_groups[0]["lr"] = lr = 0.3
        out = step(vector())
        twin -= lr * np.array([1, 2], np.float32)
        np.testing.assert_allclose(w.array, twin, rtol=1e-6)
        np.testing.assert_allclose(out[0].array, [lr / 2, lr], rtol=1e-6)
        assert (round(out[1].item(), 5), *out[2:]) == (round(2 * lr, 5), lr, lr**2, 1 / lr, lr)
        lr *= 0.5
        assert opt.param_groups[0]["lr"] == lr
    assert step.traces == 1


@pytest.mark.parametrize("make", [optim.AdamW, lambda ps: optim.SGD(ps, momentum=0.9)])
def test_a_schedule_may_compute_with_numpy(make):
    pair = []
    for wrap in (lambda f: f, tl.compile):
        w = leaf()
        opt = make([w])

        @wrap
        def step(x, w=w, opt=opt):
            opt.zero_grad()
            (w * x).sum().backward()
            opt.step()

        for i in range(12):
            opt.param_groups[0]["lr"] = 0.5 * (1 + np.cos(i / 5))
            step(vector())
        pair.append(w.array)
    np.testing.assert_allclose(*pair, rtol=1e-6)
    assert step.traces == 1


def test_a_number_that_is_needed_itself_must_stay_the_same():
    opt = optim.SGD([leaf()], lr=0.5)
    f = tl.compile(lambda x: x * len(f"{opt.param_groups[0]['lr']}") + tl.tensor(opt.param_groups[0]["lr"]))
    for _ in range(4):
        np.testing.assert_array_equal(f(vector()).array, [3.5, 6.5])
    opt.param_groups[0]["lr"] = 0.25
    np.testing.assert_array_equal(f(vector()).array, [4.25, 8.25])
