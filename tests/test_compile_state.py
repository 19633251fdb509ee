"""The state, the arguments, the results and the gradients of a compiled function, and what shares memory."""

import collections
import copy
import dataclasses
import pickle
import types

import numpy as np
import pytest
from compiling import leaf, no_warning, told, vector  # noqa: F401

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.compiler import Fallback


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
    for wrong in (3, "model", [lambda: 3], lambda: model, tl.compile(step)):
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


MASKS = types.SimpleNamespace(kept=np.array([1, 0], np.float32))


def test_a_plain_array_from_outside_is_a_constant_or_runs_eagerly():
    f, g = tl.compile(lambda x: x * MASKS.kept), tl.compile(lambda x: x * np.tri(2)[1] + np.array([1.0, 0.5]))
    f(vector()), f(vector())
    with pytest.warns(Fallback, match="MASKS.kept at .* is an array that lives outside .*: pass it as an argument or into state"):
        f(vector())
    MASKS.kept[...] = 3
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

class Learner:
    def __init__(self, seed):
        tl.manual_seed(seed)
        self.model = nn.Linear(3, 2)
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.05)

    def plain(self, x):
        self.optimizer.zero_grad()
        loss = self.model(x).square().mean()
        loss.backward()
        self.optimizer.step()
        return loss

    step = tl.compile(plain)


def test_objects_with_optimizers_of_their_own_share_programs():
    for start in (0, 1, 2):  # also where the recorded call is the first of an object's own
        pairs = [(Learner(seed), Learner(seed)) for seed in range(4)]
        for i in range(12):
            x = tl.tensor(np.random.default_rng(i).standard_normal((4, 3)).astype(np.float32))
            for fast, plain in pairs[: 1 + i // (start + 1)]:
                np.testing.assert_allclose(fast.step(x).array, plain.plain(x).array, rtol=1e-5)
        for fast, plain in pairs:
            for p, q in zip(fast.model.parameters(), plain.model.parameters()):
                np.testing.assert_allclose(p.array, q.array, rtol=1e-5, atol=1e-6)
                assert fast.optimizer.state.keys() <= set(fast.model.parameters())
    assert Learner.step.traces == 2


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


class Marked(tl.Tensor):
    """A tensor that takes marks, as parameters do."""


@pytest.mark.parametrize("kind", [nn.Parameter, Marked])
@pytest.mark.parametrize("declared", [True, False])
def test_marks_on_parameters_are_read_as_they_are(kind, declared):
    p, model = kind(np.ones(2, np.float32)), nn.Identity()
    p.skip, p.scale, p.calls, model.p = False, tl.ones(2), 0, p

    def step(x, p=p):
        p.calls += 1
        return (x if p.skip else x * p.detach() * p.scale).detach()

    compiled, x = tl.compile(step, state=(model,)) if declared else tl.compile(lambda p, x: step(x, p)), vector()
    for change in [lambda: None, lambda: setattr(p, "skip", True), lambda: setattr(p, "skip", False),
                   lambda: p.scale.mul_(2), lambda: setattr(p, "scale", tl.zeros(2)), lambda: setattr(p, "new", 1)]:
        change()
        for _ in range(3):
            calls, expected = p.calls, step(x, p).array
            p.calls = calls
            np.testing.assert_array_equal((compiled(x) if declared else compiled(p, x)).array, expected)
            assert p.calls == calls + 1
    assert compiled.traces > 0


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


def test_numpys_numbers_stay_numpys_and_arrays_stay_arrays():
    def f(a, b):
        a += 1
        a[0] = 5
        return a @ b, a.mean(), np.where(a > 0, a, 0), a.max() * 2, a.T.copy()

    compiled = tl.compile(f)
    for i in range(5):
        a, b = np.random.default_rng(i).standard_normal((2, 3, 3))
        twin = a.copy()
        for x, y in zip(compiled(a, b), f(twin, b), strict=True):
            assert type(x) is type(y)
            np.testing.assert_allclose(x, y)
        np.testing.assert_array_equal(a, twin)
    assert compiled.traces == 1


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


def test_a_count_is_read_though_somebody_has_changed_a_tensor_in_place():
    changed = tl.ones(3, requires_grad=True) * 1
    changed.mul_(2)  # while it lives, operations look whether a view is stale

    class Average:
        def __init__(self):
            self.mean, self.count = tl.zeros(3), 0

        @tl.compile
        def update(self, x):
            self.count += 1
            self.mean = self.mean + (x - self.mean) / self.count

    average = Average()
    for value in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0):
        average.update(tl.full((3,), value))
    assert "1 program" in repr(Average.update) and average.mean.tolist() == [3.5] * 3
