"""Optimizers by their formulas in plain numpy, schedulers by closed forms, averages; alone and inside compiled steps."""

import copy
import math
import warnings

import numpy as np
import pytest
from compiling import no_warning  # noqa: F401
from tinygrad_lite.optim import lr_scheduler as S
from tinygrad_lite.optim import swa_utils

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.compiler import Fallback

START = np.array([[1.0, -2.0, 0.5], [0.1, 0.0, -0.3]])
GRADIENTS = [np.array([[0.5, -1.0, 0.0], [2.0, 1e-3, -0.2]]) * math.cos(i) + 0.1 * i for i in range(12)]


# ---------------------------------------------------------------- formulas: generators of p, from the gradients
def sgd(p, lr=0.1, mu=0.0, damp=0.0, nesterov=False, wd=0.0):
    v = None
    for g in GRADIENTS:
        g = g + wd * p
        v = g if v is None else mu * v + (1 - damp) * g
        p = p - lr * (g + mu * v if nesterov else v)
        yield p


def adam(p, lr=0.1, b1=0.9, b2=0.999, eps=1e-8, wd=0.0, decoupled=False, top=False):
    m = v = highest = 0
    for t, g in enumerate(GRADIENTS, 1):
        p, g = (p - lr * wd * p, g) if decoupled else (p, g + wd * p)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        highest = np.maximum(highest, v) if top else v
        p = p - lr * (m / (1 - b1**t)) / (np.sqrt(highest / (1 - b2**t)) + eps)
        yield p


def nadam(p, lr=0.1, b1=0.9, b2=0.999, psi=4e-3):
    m, v, product = 0, 0, 1.0
    for t, g in enumerate(GRADIENTS, 1):
        mu, mu_next = (b1 * (1 - 0.5 * 0.96 ** (s * psi)) for s in (t, t + 1))
        product *= mu
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
        p = p - lr * m_hat / (np.sqrt(v / (1 - b2**t)) + 1e-8)
        yield p


def radam(p, lr=0.1, b1=0.9, b2=0.999):
    m, v, rho_inf = 0, 0, 2 / (1 - b2) - 1
    for t, g in enumerate(GRADIENTS, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        rho = rho_inf - 2 * t * b2**t / (1 - b2**t)
        step = m / (1 - b1**t)
        if rho > 5:
            r = math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
            step = step * r * math.sqrt(1 - b2**t) / (np.sqrt(v) + 1e-8)
        p = p - lr * step
        yield p


def adamax(p, lr=0.1, b1=0.9, b2=0.999, eps=1e-8):
    m = u = 0
    for t, g in enumerate(GRADIENTS, 1):
        m, u = b1 * m + (1 - b1) * g, np.maximum(b2 * u, abs(g) + eps)
        p = p - lr / (1 - b1**t) * m / u
        yield p


def adagrad(p, lr=0.1, decay=0.0, start=0.0):
    total = start
    for t, g in enumerate(GRADIENTS):
        total = total + g**2
        p = p - lr / (1 + t * decay) * g / (np.sqrt(total) + 1e-10)
        yield p


def adadelta(p, lr=1.0, rho=0.9, eps=1e-6):
    v = d = 0
    for g in GRADIENTS:
        v = rho * v + (1 - rho) * g**2
        step = np.sqrt(d + eps) / np.sqrt(v + eps) * g
        d = rho * d + (1 - rho) * step**2
        p = p - lr * step
        yield p


def rmsprop(p, lr=0.1, alpha=0.99, eps=1e-8, mu=0.0, centered=False):
    v = mean = buffer = 0
    for g in GRADIENTS:
        v, mean = alpha * v + (1 - alpha) * g**2, alpha * mean + (1 - alpha) * g
        buffer = mu * buffer + g / (np.sqrt(v - mean**2 if centered else v) + eps)
        p = p - lr * buffer
        yield p


def rprop(p, lr=0.1, etas=(0.5, 1.2), sizes=(1e-6, 50)):
    before, size = np.zeros_like(p), np.full_like(p, lr)
    for g in GRADIENTS:
        g, before, size = g.copy(), before.copy(), size.copy()
        for at in np.ndindex(p.shape):
            product = g[at] * before[at]
            if product:
                size[at] = min(max(size[at] * etas[int(product > 0)], sizes[0]), sizes[1])
            if product < 0:
                g[at] = 0
        p, before = p - np.sign(g) * size, g
        yield p


def asgd(p, lr=0.1, lambd=1e-4, alpha=0.75):
    eta = lr
    for t, g in enumerate(GRADIENTS, 1):
        p = p * (1 - lambd * eta) - eta * g
        eta = lr / (1 + lambd * lr * t) ** alpha
        yield p


def adafactor(p, lr=0.1, eps2=1e-3, d=1.0):  # a matrix: eps1 is for where there are no gradients
    rows = columns = 0
    for t, g in enumerate(GRADIENTS, 1):
        new = t**-0.8
        rows, columns = rows + (np.mean(g**2, 1, keepdims=True) - rows) * new, columns + (np.mean(g**2, 0, keepdims=True) - columns) * new
        u = g / np.sqrt(rows @ columns / rows.mean())
        u /= max(1, math.sqrt((u**2).mean()) / d)
        p = p - min(lr, t**-0.5) * max(eps2, math.sqrt((p**2).mean())) * u
        yield p


def lion(p, lr=0.1, b1=0.9, b2=0.99, wd=0.0):
    m = 0
    for g in GRADIENTS:
        p = p - lr * (np.sign(b1 * m + (1 - b1) * g) + wd * p)
        m = b2 * m + (1 - b2) * g
        yield p


def muon(p, lr=0.1, mu=0.95, wd=0.1):
    v, (a, b, c) = 0, (3.4445, -4.7750, 2.0315)
    for g in GRADIENTS:
        v = mu * v + (1 - mu) * g
        u, s, w = np.linalg.svd((1 - mu) * g + mu * v, full_matrices=False)
        s = s / math.sqrt((s**2).sum())
        for _ in range(5):  # the iteration, of each singular value
            s = a * s + b * s**3 + c * s**5
        p = p * (1 - lr * wd) - lr * (u * s) @ w
        yield p


FORMULAS = [
    (optim.SGD, {}, sgd, {}), (optim.SGD, {"momentum": 0.9}, sgd, {"mu": 0.9}),
    (optim.SGD, {"momentum": 0.9, "dampening": 0.5}, sgd, {"mu": 0.9, "damp": 0.5}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}, sgd, {"mu": 0.9, "nesterov": True, "wd": 0.1}),
    (optim.Adam, {}, adam, {}), (optim.Adam, {"weight_decay": 0.1, "betas": (0.8, 0.9)}, adam, {"wd": 0.1, "b1": 0.8, "b2": 0.9}),
    (optim.Adam, {"amsgrad": True, "betas": (0.9, 0.5)}, adam, {"top": True, "b2": 0.5}), (optim.AdamW, {}, adam, {"wd": 0.01, "decoupled": True}),
    (optim.NAdam, {}, nadam, {}), (optim.RAdam, {}, radam, {}), (optim.RAdam, {"betas": (0.9, 0.6)}, radam, {"b2": 0.6}), (optim.Adamax, {}, adamax, {}),
    (optim.Adagrad, {}, adagrad, {}), (optim.Adagrad, {"lr_decay": 0.5, "initial_accumulator_value": 1.0}, adagrad, {"decay": 0.5, "start": 1.0}),
    (optim.Adadelta, {"lr": 1.0}, adadelta, {}), (optim.RMSprop, {}, rmsprop, {}),
    (optim.RMSprop, {"momentum": 0.5, "centered": True}, rmsprop, {"mu": 0.5, "centered": True}), (optim.Rprop, {}, rprop, {}),
    (optim.Rprop, {"step_sizes": (0.08, 0.13)}, rprop, {"sizes": (0.08, 0.13)}), (optim.ASGD, {}, asgd, {}),
    (optim.ASGD, {"lambd": 0.3, "alpha": 0.5}, asgd, {"lambd": 0.3, "alpha": 0.5}), (optim.Adafactor, {}, adafactor, {}),
    (optim.Adafactor, {"d": 2.0, "eps": (None, 2.0)}, adafactor, {"d": 2.0, "eps2": 2.0}), (optim.Lion, {}, lion, {}),
    (optim.Lion, {"weight_decay": 0.2, "betas": (0.5, 0.7)}, lion, {"wd": 0.2, "b1": 0.5, "b2": 0.7}), (optim.Muon, {}, muon, {}),
]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("cls, settings, formula, constants", FORMULAS)
def test_steps_follow_the_formula(cls, settings, formula, constants, sign):
    if sign < 0 and cls is optim.Muon:
        pytest.skip("it has no maximize")
    p = nn.Parameter(START.copy())
    optimizer = cls([p], **{"lr": 0.1, **settings}, **({"maximize": True} if sign < 0 else {}))
    for g, expected in zip(GRADIENTS, formula(START, **constants), strict=True):
        p.grad = tl.tensor(sign * g)
        optimizer.step()
        np.testing.assert_allclose(p.array, expected, 1e-9, 1e-12)


def test_asgd_averages_from_t0_on():
    p = nn.Parameter(START.copy())
    optimizer = optim.ASGD([p], lr=0.1, t0=3)
    seen = []
    for g in GRADIENTS:
        p.grad = tl.tensor(g)
        optimizer.step()
        seen.append(p.array.copy())
        np.testing.assert_allclose(optimizer.state[p]["ax"], np.mean(seen[4:], 0) if len(seen) > 4 else seen[-1], 1e-12)


# ---------------------------------------------------------------- LBFGS
def rosenbrock(x):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


@pytest.mark.parametrize("settings", [{"line_search_fn": "strong_wolfe"}, {"line_search_fn": "strong_wolfe", "history_size": 2}])
def test_lbfgs_finds_the_bottom_of_a_valley(settings):
    x = nn.Parameter(np.array([-1.2, 1.0]))
    optimizer = optim.LBFGS([x], max_iter=100, **settings)

    def closure():
        optimizer.zero_grad()
        loss = rosenbrock(x)
        loss.backward()
        return loss

    first = optimizer.step(closure)
    assert math.isclose(first.item(), 24.2) and np.allclose(x.array, 1, atol=1e-4)
    assert optimizer.state[x]["func_evals"] < 80


def test_lbfgs_needs_a_closure_and_one_group():
    x, y = nn.Parameter(np.ones(1)), nn.Parameter(np.ones(1))
    with pytest.raises(TypeError, match="needs a closure"):
        optim.LBFGS([x]).step()
    with pytest.raises(ValueError, match="parameter groups"):
        optim.LBFGS([{"params": [x]}, {"params": [y]}])


# ---------------------------------------------------------------- what all optimizers have in common
EVERY = [(cls, settings) for cls, settings, _, _ in FORMULAS]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cls, settings", EVERY)
def test_small_arrays_together_are_as_alone_to_the_bit(cls, settings, dtype, monkeypatch):
    def trained(fewest):
        monkeypatch.setattr(optim.optimizer, "FEWEST", fewest)
        rng = np.random.default_rng(0)
        shapes = [(2, 3)] * 6 if cls is optim.Muon else [(3, 2), (4,), (), (2, 1, 3), (7,), (0,), (60, 50)]
        ps = [nn.Parameter(rng.standard_normal(s).astype(dtype)) for s in shapes]
        optimizer = cls(ps, **{"lr": 0.1, **settings})
        for i in range(6):
            for p in ps[i % 2 :]:  # one begins later
                p.grad = tl.from_numpy(np.asarray(rng.standard_normal(p.shape), dtype))
            optimizer.step()
        return [p.array for p in ps], [optimizer.state[p] for p in ps]

    (a, one), (b, other) = trained(10**9), trained(4)
    for x, y in zip(a, b):
        np.testing.assert_array_equal(x, y)
    for s, t in zip(one, other):
        assert s.keys() == t.keys() and all(type(s[k]) is type(t[k]) and np.array_equal(s[k], t[k]) for k in s)
        assert all(v.base is None for v in t.values() if isinstance(v, np.ndarray))


def test_parameters_in_one_memory_are_updated_one_after_the_other():
    memory = np.zeros(5)
    ps = [nn.Parameter(memory[i : i + 2]) for i in range(4)]
    for p in ps:
        assert np.shares_memory(p.array, memory)
        p.grad = tl.ones(2, dtype=tl.float64)
    optim.SGD(ps, lr=1.0).step()
    assert memory.tolist() == [-1, -2, -2, -2, -1]


@pytest.mark.parametrize("flag", [{"foreach": True}, {"fused": True}, {"foreach": False, "capturable": True}])
def test_ways_to_compute_change_nothing(flag):
    p, q = (nn.Parameter(START.copy()) for _ in range(2))
    for x, settings in ((p, {}), (q, flag)):
        x.grad = tl.tensor(GRADIENTS[0])
        optim.AdamW([x], **settings).step()
    assert (p.array == q.array).all()


@pytest.mark.parametrize("cls", [cls for cls in dict.fromkeys(c for c, _ in EVERY) if cls not in (optim.Muon, optim.Adafactor)])
def test_differentiable_steps_are_refused(cls):
    with pytest.raises(NotImplementedError, match="differentiable=True is not there"):
        cls([nn.Parameter(START)], differentiable=True)


def test_a_rate_may_be_a_tensor():
    p, q = (nn.Parameter(START.copy()) for _ in range(2))
    rate = tl.tensor(0.5)
    a, b = optim.Adam([p], lr=rate), optim.Adam([q], lr=0.5)
    for i in range(3):
        rate.fill_(0.5 / (i + 1))
        b.param_groups[0]["lr"] = 0.5 / (i + 1)
        p.grad = q.grad = tl.tensor(GRADIENTS[i])
        a.step(), b.step()
    np.testing.assert_allclose(p.array, q.array, 1e-7)
    again = optim.Adam([p], lr=0.1)
    again.load_state_dict(a.state_dict())
    assert isinstance(again.param_groups[0]["lr"], tl.Tensor) and again.param_groups[0]["lr"] is not rate


def test_names_of_parameters_are_kept():
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.named_parameters(), lr=0.1)
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    optimizer.add_param_group({"params": [("other", nn.Parameter(np.ones(1)))], "lr": 0.5})
    assert optimizer.param_groups[1]["param_names"] == ["other"] and optimizer.param_groups[1]["lr"] == 0.5
    with pytest.raises(ValueError, match="with/without names. cannot add param group without names"):
        optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))]})
    with pytest.raises(ValueError, match="Some param names are missing"):
        optim.SGD([("a", nn.Parameter(np.ones(1))), nn.Parameter(np.ones(1))])


def test_hooks_see_and_change_steps_and_state_dicts():
    p, told = nn.Parameter(np.ones(1)), []
    optimizer = optim.SGD([p], lr=1.0)
    p.grad = tl.ones(1, dtype=tl.float64)
    handles = [
        optimizer.register_step_pre_hook(lambda o, args, kwargs: told.append(("pre", o is optimizer, args[0] is o, kwargs))),
        optimizer.register_step_post_hook(lambda o, args, kwargs: told.append(("post", p.item()))),
        optimizer.register_state_dict_pre_hook(lambda o: told.append("save")),
        optimizer.register_state_dict_post_hook(lambda o, state: {**state, "epoch": 3}),
        optimizer.register_state_dict_post_hook(lambda o, state: told.append(list(state)), prepend=True),
        optimizer.register_load_state_dict_pre_hook(lambda o, state: {k: v for k, v in state.items() if k != "epoch"}),
        optimizer.register_load_state_dict_post_hook(lambda o: told.append("loaded"))]
    optimizer.step()
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
    assert told == [("pre", True, True, {}), ("post", 0.0), "save", ["state", "param_groups"], "loaded"] and state["epoch"] == 3
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(told) == 5 and "epoch" not in optimizer.state_dict()
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 7), {}))
    assert optimizer.step() == 7
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(RuntimeError, match="must return None or a tuple"):
        optimizer.step()


def test_an_optimizer_of_ones_own():
    class Signs(optim.Optimizer):
        def __init__(self, params, lr=0.1, weight_decay=0.0, maximize=False):
            super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "maximize": maximize})

        def update(self, p, g, state, *, lr, **_):
            state["step"] = state.get("step", 0) + 1
            p -= lr * np.sign(g)

    p = nn.Parameter(np.ones(2))
    optimizer = Signs([p], maximize=True, weight_decay=-0.0)
    p.grad = tl.tensor([3.0, -4.0], dtype=tl.float64)
    optimizer.step()
    assert p.tolist() == [1.1, 0.9] and copy.deepcopy(optimizer).state_dict()["state"] == {0: {"step": 1}}


# ---------------------------------------------------------------- compiled
def step_of(model, optimizer, after=lambda loss: None):
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        after(loss)
        return loss
    return step


def twins(make):
    found = []
    for _ in range(2):
        tl.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3))
        found.append((model, make(model)))
    return found


def batch(i):
    rng = np.random.default_rng(i)
    return tl.tensor(rng.standard_normal((16, 5)), dtype=tl.float32), tl.tensor(rng.integers(0, 3, 16))


@pytest.mark.parametrize("cls, settings", [*EVERY, (optim.AdamW, {"lr": tl.tensor(0.01)}), (optim.ASGD, {"t0": 3})])
def test_compiled_steps_are_eager_ones(cls, settings):
    (model, a), (other, b) = twins(lambda model: cls([p for p in model.parameters() if p.ndim == 2 or cls is not optim.Muon],
                                                     **{"lr": 0.02, **settings}))
    eager, compiled = step_of(model, a), tl.compile(step_of(other, b), strict=True)
    for i in range(24):
        eager(*batch(i)), compiled(*batch(i))
        for optimizer in (a, b):
            optimizer.param_groups[0]["lr"] *= 0.97
        for p, q in zip(model.parameters(), other.parameters()):
            np.testing.assert_allclose(p.array, q.array, 1e-4, 1e-5)
            assert {k: type(v) for k, v in a.state[p].items()} == {k: type(v) for k, v in b.state[q].items()}
    assert compiled.traces == 1


def test_lbfgs_inside_a_compiled_step_runs_as_it_is_with_one_warning():
    (model, a), (other, b) = twins(lambda model: optim.LBFGS(model.parameters(), max_iter=4))

    def step_with(model, optimizer):
        def step(x, y):
            def closure():
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(x), y)
                loss.backward()
                return loss
            return optimizer.step(closure)
        return step

    eager, compiled = step_with(model, a), tl.compile(step_with(other, b))
    with pytest.warns(Fallback) as told:
        for i in range(6):
            assert math.isclose(eager(*batch(i)).item(), compiled(*batch(i)).item(), rel_tol=1e-4)
    assert len(told) == 1


# ---------------------------------------------------------------- schedulers
def cosine(a, b, part):
    return b + (a - b) * (1 + math.cos(math.pi * part)) / 2


SCHEDULES = [  # of an optimizer with lr=1, and the rate at epoch t
    (lambda o: S.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)), (lambda o: S.MultiplicativeLR(o, lambda t: 0.9), lambda t: 0.9**t),
    (lambda o: S.StepLR(o, 4, 0.5), lambda t: 0.5 ** (t // 4)), (lambda o: S.MultiStepLR(o, [3, 7, 7], 0.5), lambda t: 0.5 ** ((t >= 3) + 2 * (t >= 7))),
    (lambda o: S.ConstantLR(o, 0.25, 6), lambda t: 0.25 if t < 6 else 1.0), (lambda o: S.ConstantLR(o, 0.0, 6), lambda t: float(t >= 6)),
    (lambda o: S.LinearLR(o, 0.1, 0.5, 8), lambda t: 0.1 + 0.4 * min(t, 8) / 8), (lambda o: S.LinearLR(o, 1.0, 0.0, 5), lambda t: 1 - min(t, 5) / 5),
    (lambda o: S.ExponentialLR(o, 0.9), lambda t: 0.9**t), (lambda o: S.PolynomialLR(o, 10, 2.0), lambda t: (1 - min(t, 10) / 10) ** 2),
    (lambda o: S.CosineAnnealingLR(o, 7, 0.1), lambda t: cosine(1.0, 0.1, t / 7)),
    (lambda o: S.CosineAnnealingWarmRestarts(o, 6, eta_min=0.1), lambda t: cosine(1.0, 0.1, t % 6 / 6)),
    (lambda o: S.CosineAnnealingWarmRestarts(o, 2, 2), lambda t: cosine(1.0, 0.0, (t + 2 - (n := 2 ** ((t + 2).bit_length() - 1))) / n)),
    (lambda o: S.OneCycleLR(o, 2.0, 30, pct_start=0.2, anneal_strategy="linear", div_factor=4, final_div_factor=5),
     lambda t: np.interp(t, [0, 5, 29], [0.5, 2.0, 0.1])),
    (lambda o: S.OneCycleLR(o, 2.0, 30, pct_start=0.2, div_factor=4, final_div_factor=5), lambda t: cosine(0.5, 2, t / 5) if t < 5 else cosine(2, 0.1, (t - 5) / 24)),
    (lambda o: S.CyclicLR(o, 0.2, 1.0, 4, 6, cycle_momentum=False), lambda t: np.interp(t % 10, [0, 4, 10], [0.2, 1.0, 0.2])),
    (lambda o: S.CyclicLR(o, 0.2, 1.0, 5, mode="triangular2"), lambda t: 0.2 + np.interp(t % 10, [0, 5, 10], [0, 0.8, 0]) / 2 ** (t // 10)),
    (lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.25, 6), S.ExponentialLR(o, 0.9)]), lambda t: 0.9**t * (0.25 if t < 6 else 1)),
    (lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.5, 1.0, 5), S.StepLR(o, 3, 0.5)], [5]), lambda t: 0.5 + 0.1 * t if t < 5 else 0.5 ** ((t - 5) // 3)),
    (lambda o: swa_utils.SWALR(o, 0.1, 5), lambda t: cosine(1.0, 0.1, min(t, 5) / 5)), (lambda o: swa_utils.SWALR(o, 0.1, 5, "linear"), lambda t: 1 - 0.9 * min(t, 5) / 5),
]


def quiet(make, optimizer):
    with warnings.catch_warnings():  # schedulers that are combined step before any step
        warnings.simplefilter("ignore", UserWarning)
        return make(optimizer)


@pytest.mark.parametrize("make, rate", SCHEDULES)
def test_rates_follow_the_closed_form_and_resume(make, rate, tmp_path):
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=1.0, momentum=0.9)
    scheduler = quiet(make, optimizer)
    for t in range(28):
        assert scheduler.get_last_lr() == [optimizer.param_groups[0]["lr"]]
        np.testing.assert_allclose(optimizer.param_groups[0]["lr"], rate(t), 1e-12, 1e-15, err_msg=f"epoch {t}")
        if t == 11:
            tl.save({"o": optimizer.state_dict(), "s": scheduler.state_dict()}, tmp_path / "state")
            state = tl.load(tmp_path / "state")
            optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=1.0, momentum=0.9)
            scheduler = quiet(make, optimizer)
            scheduler.load_state_dict(state["s"]), optimizer.load_state_dict(state["o"])
        optimizer.step()
        scheduler.step()


def test_momentum_cycles_against_the_rate():
    for cls, momentum in ((optim.SGD, lambda g: g["momentum"]), (optim.Adam, lambda g: g["betas"][0])):
        optimizer = cls([nn.Parameter(np.ones(1))], lr=1.0)
        scheduler = S.CyclicLR(optimizer, 0.2, 1.0, 5, base_momentum=0.5, max_momentum=0.9)
        for t in range(12):
            assert math.isclose(momentum(optimizer.param_groups[0]), np.interp(t % 10, [0, 5, 10], [0.9, 0.5, 0.9]))
            optimizer.step(), scheduler.step()


def test_a_plateau_lowers_the_rate():
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=1.0)
    scheduler = S.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=1, min_lr=0.3)
    rates = []
    for loss in (5.0, 4.0, tl.tensor(4.0), 4.0, 4.0, 4.0, 4.0, 3.0, 3.0, 3.0, 3.0):
        scheduler.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3]


def test_a_scheduler_before_the_optimizer_is_told():
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=1.0)
    scheduler = S.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()
    with pytest.raises(ValueError, match="2 groups: were some added since"):
        optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))]})
        S.LambdaLR.get_lr, scheduler.base_lrs  # noqa: B018
        scheduler.step(3)
    with pytest.raises(ValueError, match="no state_dict of a scheduler"):
        scheduler.load_state_dict({"lr": 1})


@pytest.mark.parametrize("where", ["inside", "outside"])
@pytest.mark.parametrize("cls", [lambda ps: optim.SGD(ps, lr=1.0, momentum=0.9), lambda ps: optim.Adam(ps, lr=1.0)])
@pytest.mark.parametrize("make, rate", SCHEDULES)
def test_schedulers_inside_and_outside_of_compiled_steps(make, rate, cls, where):
    def run(compiled):
        p = nn.Parameter(np.array([1.0, 2.0]))
        optimizer = cls([p])
        scheduler = quiet(make, optimizer)

        def step(x):
            optimizer.zero_grad()
            loss = (p * x * 0.1).square().sum()
            loss.backward()
            optimizer.step()
            if where == "inside":
                scheduler.step()
            return loss

        f, seen = tl.compile(step) if compiled else step, []
        for i in range(24):
            loss = f(tl.tensor([1.0, 2.0 + i], dtype=tl.float64))
            if where == "outside":
                scheduler.step()
            seen.append([loss.item(), *p.tolist(), optimizer.param_groups[0]["lr"], *scheduler.get_last_lr(), type(optimizer.param_groups[0]["lr"])])
        return seen, f

    sequential = "SequentialLR" in make.__code__.co_names and where == "inside"  # a branch of Python's decides
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if sequential else "error", Fallback)
        (eager, _), (compiled, f) = run(False), run(True)
    np.testing.assert_allclose([row[:-1] for row in compiled], [row[:-1] for row in eager], 1e-9)
    assert [row[-1] for row in compiled] == [float] * 24 and (f.traces == 1 or sequential)


def test_a_test_that_fails_after_the_step_has_changed_nothing():
    def run(compiled):
        p = nn.Parameter(np.array([1.0]))
        optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
        scheduler = quiet(lambda o: S.SequentialLR(o, [S.ConstantLR(o, 0.1, 20), S.ExponentialLR(o, 0.9)], [8]), optimizer)

        def step():
            optimizer.zero_grad()
            (p * p).sum().backward()
            optimizer.step()
            scheduler.step()

        f = tl.compile(step) if compiled else step
        return [(f(), p.item())[1] for _ in range(9)]
    assert run(True) == run(False)


# ---------------------------------------------------------------- averages
@pytest.mark.parametrize("way, expected", [
    ({}, 2.0), ({"avg_fn": swa_utils.get_swa_avg_fn()}, 2.0), ({"multi_avg_fn": swa_utils.get_swa_multi_avg_fn()}, 2.0),
    ({"avg_fn": swa_utils.get_ema_avg_fn(0.5)}, 2.25), ({"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.5)}, 2.25),
    ({"avg_fn": lambda averaged, current, count: averaged * count}, 2.0)])
def test_averages_of_models(way, expected):
    model = nn.Linear(2, 1)
    averaged = swa_utils.AveragedModel(model, **way)
    for value in (1.0, 2.0, 3.0):
        model.weight.array[...] = value
        averaged.update_parameters(model)
    assert averaged.module.weight.tolist() == [[expected] * 2] and averaged.n_averaged.item() == 3
    assert list(averaged.state_dict()) == ["n_averaged", "module.weight", "module.bias"] and averaged(tl.ones(1, 2)).shape == (1, 1)
    assert averaged.module.weight is not model.weight and averaged.module.weight.requires_grad
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn"):
        swa_utils.AveragedModel(model, avg_fn=max, multi_avg_fn=max)
    with pytest.raises(ValueError, match="Invalid decay value 2"):
        swa_utils.get_ema_multi_avg_fn(2)


def test_update_bn_computes_the_statistics_anew():
    class Norm(nn.Module):
        def __init__(self):
            self.momentum = 0.1
            self.register_buffer("running_mean", tl.full((2,), 9.0))
            self.count = 0

        def reset_running_stats(self):
            self.running_mean.fill_(0.0)
            self.count = 0

        def forward(self, x):
            assert self.training and self.momentum is None
            self.count += 1
            self.running_mean.add_((x.mean(0) - self.running_mean) / self.count)
            return x

    model = nn.Sequential(Norm()).eval()
    swa_utils.update_bn([(tl.ones(3, 2), "target"), [tl.full((3, 2), 4.0)]], model)
    assert model[0].running_mean.tolist() == [2.5, 2.5] and model[0].momentum == 0.1 and not model.training
