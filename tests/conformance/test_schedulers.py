"""Learning rates (and momentums) of every scheduler beside PyTorch's, over long runs, in closed form, and resumed."""

import warnings

import numpy as np
import pytest

import tinygrad_lite as tl

torch = pytest.importorskip("torch")

CASES = {  # in each, S is lr_scheduler and o the optimizer
    "LambdaLR": ["S.LambdaLR(o, lambda e: 0.95 ** e)", "S.LambdaLR(o, [lambda e: 0.95 ** e, lambda e: 1 / (1 + e)])"],
    "MultiplicativeLR": ["S.MultiplicativeLR(o, lambda e: 0.95 + 0.01 * (e % 3))", "S.MultiplicativeLR(o, [lambda e: 0.9, lambda e: 0.99])"],
    "StepLR": ["S.StepLR(o, 3)", "S.StepLR(o, step_size=7, gamma=0.5)", "S.StepLR(o, 1, 0.99)"],
    "MultiStepLR": ["S.MultiStepLR(o, [2, 5, 9])", "S.MultiStepLR(o, [5, 3, 5, 30], gamma=0.7)", "S.MultiStepLR(o, [])", "S.MultiStepLR(o, [0, 1])"],
    "ConstantLR": ["S.ConstantLR(o)", "S.ConstantLR(o, factor=0.7, total_iters=20)", "S.ConstantLR(o, 0.5, 0)", "S.ConstantLR(o, 1.0, 3)"],
    "LinearLR": ["S.LinearLR(o)", "S.LinearLR(o, 0.1, 0.9, 20)", "S.LinearLR(o, 1.0, 0.0, 7)", "S.LinearLR(o, 0.5, 0.5, 1)", "S.LinearLR(o, 0.2, 1.0, 0)"],
    "ExponentialLR": ["S.ExponentialLR(o, 0.9)", "S.ExponentialLR(o, gamma=1.01)"],
    "PolynomialLR": ["S.PolynomialLR(o)", "S.PolynomialLR(o, 30, 2.0)", "S.PolynomialLR(o, total_iters=10, power=0.5)"],
    "CosineAnnealingLR": ["S.CosineAnnealingLR(o, 10)", "S.CosineAnnealingLR(o, T_max=7, eta_min=0.01)", "S.CosineAnnealingLR(o, 1)", "S.CosineAnnealingLR(o, 60)"],
    "CosineAnnealingWarmRestarts": ["S.CosineAnnealingWarmRestarts(o, 5)", "S.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2, eta_min=0.001)", "S.CosineAnnealingWarmRestarts(o, 1, 1)"],
    "OneCycleLR": ["S.OneCycleLR(o, 0.5, total_steps=61)", "S.OneCycleLR(o, [0.5, 0.2], epochs=7, steps_per_epoch=9, anneal_strategy='linear')",
                   "S.OneCycleLR(o, 0.5, 61, pct_start=0.4, three_phase=True, div_factor=10, final_div_factor=100.0, base_momentum=0.7, max_momentum=0.99)",
                   "S.OneCycleLR(o, 0.5, total_steps=61, cycle_momentum=False, pct_start=0.0)", "S.OneCycleLR(o, 0.5, 61, pct_start=1.0)"],
    "CyclicLR": ["S.CyclicLR(o, 0.01, 0.1, step_size_up=5)", "S.CyclicLR(o, [0.01, 0.02], [0.1, 0.3], 4, 7, mode='triangular2')",
                 "S.CyclicLR(o, 0.01, 0.1, 6, mode='exp_range', gamma=0.97, base_momentum=0.5, max_momentum=0.95)", "S.CyclicLR(o, 0.01, 0.1, 4, 0)",
                 "S.CyclicLR(o, 0.01, 0.1, 5, scale_fn=lambda x: 1 / (5 ** (x * 0.0001)), scale_mode='iterations', cycle_momentum=False)",
                 "S.CyclicLR(o, 0.01, 0.1, 5, scale_fn=lambda cycle: [1.0, 0.5, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1][cycle])"],
    "ReduceLROnPlateau": ["S.ReduceLROnPlateau(o)", "S.ReduceLROnPlateau(o, 'max', 0.5, 2, cooldown=3, min_lr=[0.01, 0.001])",
                          "S.ReduceLROnPlateau(o, patience=0, threshold=0.1, threshold_mode='abs', eps=1e-3)", "S.ReduceLROnPlateau(o, mode='max', patience=1, threshold_mode='abs', factor=0.9)"],
    "ChainedScheduler": ["S.ChainedScheduler([S.ConstantLR(o, 0.1, 4), S.ExponentialLR(o, 0.9)])",
                         "S.ChainedScheduler([S.StepLR(o, 3, 0.9), S.MultiStepLR(o, [4, 9]), S.LinearLR(o)], optimizer=o)"],
    "SequentialLR": ["S.SequentialLR(o, [S.ConstantLR(o, 0.1, 20), S.ExponentialLR(o, 0.9)], milestones=[8])",
                     "S.SequentialLR(o, [S.LinearLR(o, 0.1, 1.0, 5), S.CosineAnnealingLR(o, 20), S.StepLR(o, 3)], [5, 25])",
                     "S.SequentialLR(o, [S.ExponentialLR(o, 0.9)], [])",
                     "S.SequentialLR(o, [S.ChainedScheduler([S.ConstantLR(o, 0.5, 3), S.ExponentialLR(o, 0.9)]), S.OneCycleLR(o, 0.3, 60)], [7])"],
    "SWALR": ["W.SWALR(o, 0.05)", "W.SWALR(o, [0.05, 0.5], anneal_epochs=4, anneal_strategy='linear')", "W.SWALR(o, 0.2, anneal_epochs=0)"],
}
ALL = [(name, text) for name, texts in CASES.items() for text in texts]
OPTIMIZERS = [("SGD", {"momentum": 0.9}), ("Adam", {})]


def optimizer_of(lib, name="SGD", settings=None, lr=0.1):
    a, b = (lib.nn.Parameter(lib.ones(2)) for _ in range(2))
    return getattr(lib.optim, name)([{"params": [a]}, {"params": [b], "lr": lr / 2}], lr=lr, **({"momentum": 0.9} if settings is None else settings))


def made(lib, text, optimizer):
    import tinygrad_lite.optim.swa_utils
    swa = lib.optim.swa_utils if lib is torch else tinygrad_lite.optim.swa_utils
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(text, {"S": lib.optim.lr_scheduler, "W": swa, "o": optimizer})


def seen(optimizer, scheduler):
    """What a step leaves: the rates, the momentums, the rates that it remembers."""
    groups = optimizer.param_groups
    return [[float(g["lr"]) for g in groups], [float(g.get("momentum", g.get("betas", [0])[0])) for g in groups],
            list(map(float, scheduler.get_last_lr())), [float(g.get("initial_lr", 0)) for g in groups]]


def advance(scheduler, i):
    args = [np.sin(i / 3) + 1 / (1 + i)] if "Plateau" in type(scheduler).__name__ else []
    scheduler.optimizer.step()
    scheduler.step(*args)


@pytest.mark.parametrize("name, settings", OPTIMIZERS)
@pytest.mark.parametrize("text", [text for _, text in ALL])
def test_rates_are_pytorchs(text, name, settings):
    libs = torch, tl
    optimizers = [optimizer_of(lib, name, settings) for lib in libs]
    schedulers = [made(lib, text, o) for lib, o in zip(libs, optimizers)]
    for i in range(60):
        theirs, ours = (seen(o, s) for o, s in zip(optimizers, schedulers))
        np.testing.assert_allclose(ours, theirs, 1e-9, 1e-16, err_msg=f"step {i}")
        for s in schedulers:
            advance(s, i)
        assert all(type(g["lr"]) in (float, int) for g in optimizers[1].param_groups)


@pytest.mark.parametrize("text", [text for _, text in ALL])
def test_states_have_pytorchs_keys_and_go_on(text):
    (theirs, a), (ours, b), (again, c) = ((made(lib, text, o), o) for lib in (torch, tl, tl) for o in [optimizer_of(lib)])
    for i in range(13):
        advance(theirs, i), advance(ours, i)
    state = ours.state_dict()
    private = {"anneal_func", "_is_initial", "_get_lr_called_within_step", "optimizer"}
    assert set(theirs.state_dict()) - private == set(state) - private
    for lib_state, lib_optimizer in ((state, b), (theirs.state_dict(), a)):
        again.load_state_dict(lib_state)
        c.load_state_dict(lib_optimizer.state_dict())
        other, second = made(tl, text, o := optimizer_of(tl)), o
        other.load_state_dict(lib_state), second.load_state_dict(lib_optimizer.state_dict())
        twin, third = made(torch, text, o := optimizer_of(torch)), o
        twin.load_state_dict(theirs.state_dict()), third.load_state_dict(a.state_dict())
        for i in range(13, 40):
            for s in (other, twin):
                advance(s, i)
            np.testing.assert_allclose(seen(second, other), seen(third, twin), 1e-9, 1e-16, err_msg=f"step {i}")


@pytest.mark.parametrize("text", [text for name, text in ALL if name in (
    "LambdaLR", "StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts")])
@pytest.mark.filterwarnings("ignore")
def test_epochs_that_are_given_use_the_closed_form(text):
    if "0)" in text and "LinearLR" in text:
        pytest.skip("PyTorch divides by total_iters=0")
    libs = torch, tl
    optimizers = [optimizer_of(lib) for lib in libs]
    schedulers = [made(lib, text, o) for lib, o in zip(libs, optimizers)]
    for epoch in (1, 2, 5, 6, 3, 0, 17, 40):
        for s in schedulers:
            s.step(epoch)
        np.testing.assert_allclose(*[seen(o, s) for o, s in zip(optimizers[::-1], schedulers[::-1])], 1e-9, 1e-15)


@pytest.mark.parametrize("text", [text for name, text in ALL if name not in ("ReduceLROnPlateau", "ChainedScheduler", "SequentialLR")])
def test_a_rate_that_is_a_tensor_is_filled(text):
    libs = torch, tl
    optimizers = [optimizer_of(lib, lr=lib.tensor(0.1, dtype=lib.float64)) for lib in libs]
    schedulers = [made(lib, text, o) for lib, o in zip(libs, optimizers)]
    held = optimizers[1].param_groups[0]["lr"]
    for i in range(20):
        for s in schedulers:
            advance(s, i)
        np.testing.assert_allclose(*[seen(o, s) for o, s in zip(optimizers[::-1], schedulers[::-1])], 2e-6, 1e-12)
    assert optimizers[1].param_groups[0]["lr"] is held and isinstance(held, tl.Tensor)


ERRORS = [
    "S.StepLR(3, 1)", "S.LambdaLR(o, [lambda e: 1])", "S.MultiplicativeLR(o, [3, 4])", "S.ConstantLR(o, 1.5)", "S.LinearLR(o, 0.0)",
    "S.LinearLR(o, end_factor=2.0)", "S.CosineAnnealingWarmRestarts(o, 0)", "S.CosineAnnealingWarmRestarts(o, 1.5)", "S.CosineAnnealingWarmRestarts(o, 2, 0)",
    "S.CosineAnnealingWarmRestarts(o, 2, eta_min='a')", "S.CosineAnnealingWarmRestarts(o, 2).step(-1)", "S.OneCycleLR(o, 0.1)", "S.OneCycleLR(o, 0.1, 0)",
    "S.OneCycleLR(o, 0.1, epochs=2)", "S.OneCycleLR(o, 0.1, epochs=-1, steps_per_epoch=3)", "S.OneCycleLR(o, 0.1, 5, pct_start=2.0)", "S.OneCycleLR(o, 0.1, 5, anneal_strategy='cubic')",
    "S.OneCycleLR(o, [0.1], 5)", "[s.step() for s in [S.OneCycleLR(o, 0.1, 5)] for _ in range(9)]", "S.CyclicLR(o, 0.1, 0.2, mode='square')", "S.CyclicLR(o, [0.1], 0.2)", "S.CyclicLR(plain, 0.1, 0.2)",
    "S.OneCycleLR(plain, 0.1, 5)", "S.ReduceLROnPlateau(o, factor=1.0)", "S.ReduceLROnPlateau(o, 'least')", "S.ReduceLROnPlateau(o, threshold_mode='x')",
    "S.ReduceLROnPlateau(o, min_lr=[0.1])", "S.ReduceLROnPlateau(3)", "S.ChainedScheduler([])", "S.ChainedScheduler([S.ReduceLROnPlateau(o)])", "S.ChainedScheduler([S.StepLR(o, 1), S.StepLR(plain, 1)])",
    "S.SequentialLR(o, [], [])", "S.SequentialLR(o, [S.StepLR(o, 1)], [1])", "S.SequentialLR(o, [3], [])", "S.SequentialLR(plain, [S.StepLR(o, 1)], [])", "S.StepLR(o, 1, last_epoch=3)",
    "W.SWALR(o, [0.1])", "W.SWALR(o, 0.1, anneal_epochs=-1)", "W.SWALR(o, 0.1, anneal_strategy='cubic')"]


@pytest.mark.parametrize("text", ERRORS)
def test_errors_are_pytorchs(text):
    import tinygrad_lite.optim.swa_utils
    kinds = []
    for lib, swa in ((torch, torch.optim.swa_utils), (tl, tinygrad_lite.optim.swa_utils)):
        names = {"S": lib.optim.lr_scheduler, "W": swa, "o": optimizer_of(lib), "plain": lib.optim.Adagrad([lib.nn.Parameter(lib.ones(1))])}
        with pytest.raises(Exception) as found, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            eval(text, names)
        kinds.append((found.type, str(found.value)[:25]))
    assert kinds[0][0] is kinds[1][0], kinds
