"""A compiled function is a function of its arguments and its state: each rule of docs/compiled.md, as a case."""

import collections
import copy
import dataclasses
import functools
import gc
import itertools
import pickle
import threading
import time
import types
import warnings

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.compiler import CompileError, Fallback

F = nn.functional


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", Fallback)
        yield


def vector(*values):
    return tl.tensor(list(values) or [1.0, 2.0])


def leaf(*values):
    return tl.tensor(list(values) or [1.0, 2.0], requires_grad=True)


def told(function):
    """What `function()` gives, and the warnings."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = function()
    return result, [str(w.message) for w in found if issubclass(w.category, Fallback)]


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
    assert "test_compile_contract.py:" in str(warned[0].message)
    for _ in range(5):
        np.testing.assert_array_equal(compiled(vector()).array, function(vector()).array)


@pytest.mark.parametrize("function", [lambda x: x * next(COUNT), lambda x: x * next(VALUES), lambda x: x * time.perf_counter()],
                         ids=["a counter", "an iterator", "the time"])
def test_a_value_that_changes_with_every_call_is_never_replayed(function):
    compiled = tl.compile(function)
    seen, warned = told(lambda: [compiled(tl.ones(1).double()).item() for _ in range(12)])
    assert len(set(seen)) == 12 and compiled.traces == 0
    assert len(warned) == 2 and "recorded anew" in warned[0] and "runs without a program" in warned[1]


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


# ---------------------------------------------------------------- state
def test_what_can_be_state():
    w, array, generator, draws = leaf(), np.ones(2, np.float32), tl.random.Generator(1), np.random.default_rng(1)
    model = nn.Linear(2, 2)
    hidden = types.SimpleNamespace(w=w, array=array, generator=generator, draws=draws, model=model)
    state = {"a": [w, array], "b": (generator, {"c": draws, "d": model}), "e": optim.SGD([w], lr=0.1)}

    def called(hidden, x):
        return model(x * w.detach() + hidden.array) + tl.rand(2, generator=hidden.generator)

    def step(x):
        return called(hidden, x).detach() + draws.random()

    compiled = tl.compile(step, state=state)
    for i in range(6):
        generator.manual_seed(i)
        draws.bit_generator.state = np.random.default_rng(i).bit_generator.state
        a = compiled(vector())
        generator.manual_seed(i)
        draws.bit_generator.state = np.random.default_rng(i).bit_generator.state
        np.testing.assert_allclose(a.array, step(vector()).array, rtol=1e-6)
        with tl.no_grad():
            w.mul_(1.5)
        array += 1
    assert compiled.traces == 1
    for wrong in (3, "model", [model, 3], lambda: model, tl.compile(step)):
        with pytest.raises(TypeError, match="state is a module"):
            tl.compile(step, state=wrong)


def test_a_tensor_that_only_a_helper_knows_has_to_be_declared():
    hidden = types.SimpleNamespace(w=leaf())

    def helper(x):
        return (x * hidden.w).sum()

    def step(x):
        helper(x).backward()

    undeclared, declared = tl.compile(step), tl.compile(step, state=hidden.w)
    undeclared(vector())
    with pytest.warns(Fallback, match="requires grad is neither an argument nor in the state.*pass it as an argument or in state"):
        undeclared(vector())
    for _ in range(4):
        declared(vector())
        undeclared(vector())
    np.testing.assert_array_equal(hidden.w.grad.array, [10, 20])
    assert declared.traces == 1 and undeclared.traces == 0


def test_a_plain_array_from_outside_is_a_constant_or_runs_eagerly():
    masks = MODULE
    masks.kept = np.array([1, 0], np.float32)
    f, g = tl.compile(lambda x: x * MODULE.kept), tl.compile(lambda x: x * np.tri(2)[1] + np.array([1.0, 0.5]))
    f(vector()), f(vector())
    with pytest.warns(Fallback, match="MODULE.kept at .* is an array that lives outside .*: pass it as an argument or into state"):
        f(vector())
    masks.kept[...] = 3
    np.testing.assert_array_equal(f(vector()).array, [3, 6])
    for _ in range(12):
        np.testing.assert_array_equal(g(vector()).array, [2, 2.5])
    assert g.traces == 1 and f.traces == 0


def test_arrays_of_the_own_names_are_read_as_they_are():
    mask, offsets = np.ones(2, np.float32), [np.zeros(2, np.float32)]

    @tl.compile
    def f(x):
        return x * (mask + 1) + offsets[0].sum()

    for change in (lambda: None, lambda: None, lambda: None, lambda: mask.fill(3), lambda: offsets[0].fill(1)):
        change()
        x = vector()
        np.testing.assert_array_equal(f(x).array, x.array * (mask + 1) + offsets[0].sum())
    assert f.traces == 1


def test_a_global_named_like_an_attribute_means_nothing():
    names = {"tl": tl, "w": leaf(), "zero_grad": [1.0]}
    names["opt"] = optim.SGD([names["w"]], lr=0.1)
    code = "def step(x):\n opt.zero_grad(); loss = (w * x).sum(); loss.backward(); opt.step(); return loss"
    exec(code, names)
    names["step"] = step = tl.compile(names["step"])
    for i in range(6):
        names["zero_grad"].append(i)
        step(vector())
    assert step.traces == 1


def test_methods_superclasses_copies_slots_and_pickles_of_the_owner():
    state = copy.deepcopy(OWNER), copy.copy(OWNER), pickle.loads(pickle.dumps(OWNER)), OWNER
    for owner in (*state, *state, *state, *state):
        before = owner.w.array.copy()
        loss = owner.step(vector())
        np.testing.assert_allclose(loss.array, before @ [1.0, 2.0] + 1)
    assert Owner.step.traces + Lower.step.traces <= 4


class Lower:
    __slots__ = ("w", "by")

    def __init__(self):
        self.w, self.by = tl.ones(2), 1.0

    @tl.compile
    def step(self, x):
        return (self.w * x).sum()


class Owner(Lower):
    __slots__ = ()

    @tl.compile
    def step(self, x):
        with tl.no_grad():
            loss = super().step(x) + self.by
            self.w.mul_(0.5)
        return loss


OWNER = Owner()


def test_a_method_reads_the_attributes_of_each_object():
    class Trainer:
        def __init__(self, factor):
            self.factor, self.settings = tl.tensor(factor), {"by": 1.0}

        @tl.compile
        def scaled(self, x):
            return x * self.factor * self.settings["by"]

    a, b = Trainer(2.0), Trainer(3.0)
    assert [t.scaled(tl.ones(1)).item() for t in (a, b) * 6] == [2, 3] * 6
    b.settings["by"] = 2.0
    assert [t.scaled(tl.ones(1)).item() for t in (a, b) * 3] == [2, 6] * 3
    a.factor = tl.tensor(5.0)
    assert a.scaled(tl.ones(1)).item() == 5 and Trainer.scaled.traces == 2


# ---------------------------------------------------------------- arguments and aliasing
def test_which_arguments_are_the_same_is_part_of_the_key():
    def f(x, y):
        x.mul_(2.0)
        return x + y

    for calls in (["same", "same", "same", "other", "other", "other", "same"], ["other", "other", "other", "same", "same", "same"],
                  ["other"] * 4 + ["overlapping"] * 4):
        compiled = tl.compile(f)

        def pair(how):
            whole = tl.arange(1.0, 4.0)
            return {"same": (whole, whole), "other": (whole[:2], tl.ones(2)), "overlapping": (whole[:2], whole[1:])}[how]

        for how in calls:
            (a, b), (c, d) = pair(how), pair(how)
            out, warned = told(lambda: compiled(a, b))  # noqa: B023
            assert not warned or how == "overlapping" and "share memory" in warned[0]
            np.testing.assert_array_equal(out.array, f(c, d).array)
            np.testing.assert_array_equal(a.array, c.array)
            np.testing.assert_array_equal(b.array, d.array)


def test_an_argument_that_is_part_of_the_state():
    w, other = vector(), vector()

    def f(x):
        w.add_(1.0)
        return x * 2

    compiled = tl.compile(f)
    for x in (other, other, other, w, w, w, w, other):
        before = x.array + (x is w)
        np.testing.assert_array_equal(compiled(x).array, before * 2)


@dataclasses.dataclass
class Batch:
    x: tl.Tensor
    size: int


def test_arguments_may_be_objects_that_hold_arrays():
    f = tl.compile(lambda batch, config, model: model(batch.x) * config.by / batch.size)
    models = [nn.Linear(2, 2), nn.Linear(2, 2)]
    with tl.no_grad():
        for i in range(8):
            batch, config, model = Batch(vector(float(i), 1.0), 1 + i % 2), types.SimpleNamespace(by=2.0), models[i // 4]
            np.testing.assert_allclose(f(batch, config, model).array, (model(batch.x) * 2.0 / batch.size).array, rtol=1e-6)
    assert f.traces == 2
    for x in (collections.deque([1]), iter([1]), {1, 2}, (i for i in range(3))):
        with pytest.raises(TypeError, match="was given a .*: pass its arrays"):
            f(x, x, x)


def test_a_layout_that_a_view_depends_on():
    f = tl.compile(lambda x: [None, x.reshape(-1).mul_(2.0)][0])
    for x in [tl.ones(2, 3) for _ in range(4)] + [tl.ones(3, 2).T for _ in range(4)] + [tl.ones(2, 3)]:
        before = x.array.copy()
        f(x)
        np.testing.assert_array_equal(x.array, before * (2 if x.array.flags.c_contiguous else 1))


# ---------------------------------------------------------------- results
def test_results_may_be_nested():
    Pair = collections.namedtuple("Pair", "a b")
    w = vector()

    def f(x):
        y = x * 2
        return {"d": [y, (x.array * 3, 2.5)], "pair": Pair(y, None), "batch": Batch(y.sum(), len(x)), "same": [x, w, y], "view": y[:1]}

    compiled = tl.compile(f)
    for i in range(5):
        x = vector(float(i), 1.0)
        out, other = compiled(x), f(x)
        np.testing.assert_array_equal(out["d"][0].array, other["d"][0].array)
        np.testing.assert_array_equal(out["d"][1][0], other["d"][1][0])
        assert out["d"][1][1] == 2.5 and type(out["pair"]) is Pair and out["pair"].b is None
        assert type(out["batch"]) is Batch and out["batch"].x.item() == other["batch"].x.item() and out["batch"].size == 2
        assert out["same"][0] is x and out["same"][1] is w and out["same"][2] is out["pair"].a is out["d"][0]
        out["view"].fill_(7.0)  # shows the memory of the other, as in eager
        assert out["d"][0].array[0] == 7 and type(out["d"][1][0]) is np.ndarray


def test_a_copy_is_a_copy_and_a_view_is_a_view():
    w = vector()
    f = tl.compile(lambda x: (x * 1, x.clone(), x.reshape(2, 1), w[:1], w.clone(), w.detach()))
    for _ in range(5):
        x = vector()
        product, clone, view, part, copied, same = f(x)
        for t, shown in ((product, None), (clone, None), (view, x), (part, w), (copied, None), (same, w)):
            t.add_(1.0) if shown is None else t
            for other in (x, w):
                assert np.may_share_memory(t.array, other.array) == (shown is other)
        np.testing.assert_array_equal(x.array, [1, 2])


@pytest.mark.parametrize("result", ["a string", {1, 2}, object(), [iter([1])]])
def test_other_results_are_an_error(result):
    with pytest.raises(TypeError, match="results are Tensors, arrays, numbers"):
        tl.compile(lambda x: [x, result])(vector())


def test_generators_and_coroutines_are_refused():
    def steps(x):
        yield x

    async def later(x):
        return x

    for function in (steps, later, tl.no_grad(steps)):
        with pytest.raises(TypeError, match="generator or a coroutine"):
            tl.compile(function)
    with pytest.raises(TypeError, match="takes a function"):
        tl.compile(3)


# ---------------------------------------------------------------- side effects
LOG, SEEN, RECORD = [], set(), types.SimpleNamespace(last=None)


def logged(x):
    LOG.append(x)


SIDE_EFFECTS = {
    "a list": (lambda log: lambda x: log.append(1) or x * 2, [], "it changes 'log' at .*log.append"),
    "a dict": (lambda log: lambda x: log.update({len(log): "b"}) or x * 2, {}, "it changes 'log' at"),
    "a deque": (lambda log: lambda x: log.append(1) or x * 2, collections.deque(maxlen=2), "it changes 'log' at"),
    "a set": (lambda log: lambda x: log.add(len(log)) or x * 2, set(), "it changes 'log' at"),
    "an object": (lambda log: lambda x: setattr(log, "text", str(id(x))) or x * 2, types.SimpleNamespace(), "it changes 'log.text' at"),
    "a helper's list": (lambda log: lambda x: logged(1) or x * 2, LOG, "it changes '.*LOG' at .*LOG.append"),
    "a value in a helper's list": (lambda log: lambda x: logged(x * 2) or x * 2, LOG, "it changes '.*LOG' at .*LOG.append"),
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


def test_no_traced_object_outlives_a_recording():
    class Hidden:
        """What nobody looks into."""

        def __call__(self, x):
            Hidden.kept = x

    keep = [Hidden()]
    f = tl.compile(lambda x: Hidden.__call__(None, x * 2) or x * 3)
    _, warned = told(lambda: [f(vector()) for _ in range(3)])
    assert "keeps a value that was computed at" in warned[0] and f.traces == 0
    assert type(Hidden.kept.array) is np.ndarray and keep
    gc.collect()


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
    with pytest.warns(Fallback, match=r"runs without a program: .*test_compile_contract\.py:\d+|from another source"):
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


# ---------------------------------------------------------------- gradients
def test_gradients_accumulate_over_calls_and_stay_for_who_holds_them():
    w, x = tl.ones(3, requires_grad=True), tl.ones(3, requires_grad=True)
    step, square = tl.compile(lambda x: (w * w * x).sum().backward()), tl.compile(lambda x: (x * x).sum().backward())
    for i in range(8):
        step(tl.ones(3))
        square(x)
        np.testing.assert_array_equal(w.grad.array, np.full(3, 2 * (i + 1)))
        np.testing.assert_array_equal(x.grad.array, np.full(3, 2 * (i + 1)))
    w.grad = None
    step(tl.ones(3))
    np.testing.assert_array_equal(w.grad.array, [2, 2, 2])
    fresh, held = tl.compile(lambda x: setattr(w, "grad", None) or (w * x).sum().backward()), []
    for i in range(8):
        fresh(tl.full((3,), float(i)))
        held.append(w.grad)
    assert [g.array[0] for g in held] == list(range(8))


def test_in_place_changes_of_gradients_data_and_tensors_of_the_closure():
    def programs(wrap):
        w, target, other = leaf(3.0, 4.0), vector(), vector(5.0, 6.0)

        def step(x):
            w.grad = None
            (w * x).sum().backward()
            w.grad *= 0.5
            w.data = w.data - 0.1 * w.grad
            with tl.no_grad():
                w.sub_(w.grad * 0.5)
                w[0] = w[1] * 2
            target.copy_(other)
            other.mul_(1.5)

        f, seen = wrap(step), []
        for i in range(6):
            f(vector(float(i), 1.0))
            seen.append([w.array.tolist(), w.grad.array.tolist(), target.array.tolist(), other.array.tolist()])
        return seen

    np.testing.assert_allclose(programs(tl.compile), programs(lambda f: f), rtol=1e-6)


def test_results_are_spent_as_eager_ones_are():
    w = leaf()

    @tl.compile
    def step(x):
        w.grad = None
        loss = (w * x).sum()
        loss.backward()
        return loss

    losses = [step(vector(float(i), 1.0)) for i in range(5)]
    assert [loss.item() for loss in losses] == [2.0, 3.0, 4.0, 5.0, 6.0] and losses[-1].requires_grad
    with pytest.raises(RuntimeError, match="a second time"):
        losses[-1].backward()
    double = tl.compile(lambda x: x * w)
    double(vector())
    with pytest.warns(Fallback, match="gradients can still flow.*compile the backward pass"):
        double(vector())
    g, = tl.autograd.grad(double(vector()).sum(), w)
    np.testing.assert_array_equal(g.array, [1, 2])


def test_a_changed_array_still_spoils_a_tape_that_needs_it():
    w = leaf()
    step = tl.compile(lambda x: (w.mul_(2.0), x.mul_(2.0)) and None)
    with tl.no_grad():
        for _ in range(4):
            step(vector())
    for argument in (False, True):
        x = vector()
        y = (w * w * x).sum()
        with tl.no_grad():
            step(x if argument else vector())
        with pytest.raises(RuntimeError, match="changed in place"):
            y.backward()


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


def test_a_number_that_is_needed_itself_must_stay_the_same():
    opt = optim.SGD([leaf()], lr=0.5)
    f = tl.compile(lambda x: x * len(f"{opt.param_groups[0]['lr']}") + tl.tensor(opt.param_groups[0]["lr"]))
    for _ in range(4):
        np.testing.assert_array_equal(f(vector()).array, [3.5, 6.5])
    opt.param_groups[0]["lr"] = 0.25
    np.testing.assert_array_equal(f(vector()).array, [4.25, 8.25])


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


def test_too_many_programs_warn_with_the_cause():
    f = tl.compile(lambda x, n: x * n, max_retraces=2)
    for n in range(2):
        f(vector(), n), f(vector(), n)
    with pytest.warns(Fallback, match=r"it has 2 programs .* the arguments were .* and are"):
        np.testing.assert_array_equal(f(vector(), 9).array, [9, 18])
    assert f.traces == 2


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
                                              "# update", "opt.step()", "    return step, ")]
    assert places == sorted(places)
    for part in ("0_weight_exp_avg", "d_model_0_weight", "# (16, 8)", "test_compile_contract.py:"):
        assert part in source, part
    names = {}
    exec(source, names)  # no undefined name
    assert "make" in names
    for part in ("numpy calls", "lowered", "bytes at its peak", "A call takes"):
        assert part in told_, part
    assert "dead_code" not in tl_explained_of_a_product()
    with pytest.raises(ValueError, match="ends in .py"):
        step.export(tmp_path / "step.txt")


def tl_explained_of_a_product():
    f = tl.compile(lambda x: x * 2)
    f(vector()), f(vector())
    return f.explain()
