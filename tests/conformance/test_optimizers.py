"""PyTorch's own database of optimizers: the same parameters after the same gradients, and the same errors."""

import warnings

import numpy as np
import pytest

import tinygrad_lite as tl

torch = pytest.importorskip("torch")
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db  # noqa: E402

DB = {info.name: info for info in optim_db if info.name != "SparseAdam"}  # there are no sparse tensors here
SHAPES = [(3, 4), (5,), (), (2, 3, 2), (1, 4), (4, 2), (6,)]  # enough that small arrays are updated as one
DTYPES = {"float64": (1e-11, 1e-13), "float32": (2e-5, 2e-6)}  # how near: relative, absolute


@pytest.fixture(autouse=True)
def torchs_default():
    """PyTorch keeps numbers of the state (mu_product, eta) in its default dtype: float64 for the float64 runs."""
    yield
    torch.set_default_dtype(torch.float32)


def cases():
    """Every optimizer with each of its settings in the database, and some that it lacks."""
    more = {"SGD": [{"momentum": 0.9, "nesterov": True, "maximize": True}], "Adam": [{"amsgrad": True, "maximize": True}],
            "ASGD": [{"t0": 2, "lambd": 0.3}], "Rprop": [{"lr": 0.5, "step_sizes": (0.1, 0.6)}],
            "RAdam": [{"betas": (0.5, 0.6)}, {"betas": (0.9, 0.7)}, {"lr": torch.tensor(0.01)}],
            "Muon": [{"nesterov": False}, {"adjust_lr_fn": "match_rms_adamw"}], "NAdam": [{"momentum_decay": 0.2}],
            "Adafactor": [{"eps": (1e-3, 0.1)}, {"lr": 1.0}], "AdamW": [{"lr": torch.tensor(0.01)}],
            "LBFGS": [{"line_search_fn": "strong_wolfe", "max_iter": 50, "history_size": 3}, {"max_iter": 4, "lr": 0.1}]}
    for name, info in DB.items():
        for settings in [i.kwargs for i in info.optim_inputs_func("cpu")] + more.get(name, []):
            yield pytest.param(name, settings, id=f"{name}-{settings}")


def ours(value):
    """A setting, with this library's tensors in place of PyTorch's."""
    return tl.tensor(value.numpy()) if isinstance(value, torch.Tensor) else value


class Pair:
    """Equal parameters in both libraries, in two groups, with their optimizers."""

    def __init__(self, name, settings, dtype, seed=0):
        rng = np.random.default_rng(seed)
        shapes = [s for s in SHAPES if len(s) == 2] if name == "Muon" else SHAPES
        self.values = [np.asarray(rng.standard_normal(s), dtype) for s in shapes]
        self.theirs = [torch.nn.Parameter(torch.tensor(v)) for v in self.values]
        self.ours = [tl.nn.Parameter(v.copy()) for v in self.values]
        settings = {k: v.to(self.theirs[0].dtype) if isinstance(v, torch.Tensor) else v for k, v in settings.items()}

        def groups(ps):
            return [{"params": ps[:1], "lr": 0.02}, {"params": ps[1:]}] if name != "LBFGS" else ps

        self.optimizers = [getattr(torch.optim, name)(groups(self.theirs), **settings),
                           getattr(tl.optim, name)(groups(self.ours), **{k: ours(v) for k, v in settings.items()})]

    def step(self, seed):
        rng = np.random.default_rng(seed)
        if isinstance(self.optimizers[0], torch.optim.LBFGS):
            return [o.step(self.closure(o, ps)) for o, ps in zip(self.optimizers, (self.theirs, self.ours))]
        for p, q in zip(self.theirs, self.ours):
            g = np.asarray(rng.standard_normal(p.shape), q.dtype)
            p.grad, q.grad = torch.tensor(g), tl.tensor(g)
        for optimizer in self.optimizers:
            optimizer.step()

    def closure(self, optimizer, params):
        """A loss that is not quadratic but convex: else differences in rounding grow without bound."""
        def closure():
            optimizer.zero_grad()
            loss = sum(((p - 0.3) ** 4).sum() * 0.02 + (p * p).sum() * (0.3 + 0.1 * i) for i, p in enumerate(params))
            loss.backward()
            return loss
        return closure

    def compare(self, rtol, atol):
        for p, q, start in zip(self.theirs, self.ours, self.values):
            np.testing.assert_allclose(q.array, p.detach().numpy(), rtol, atol)
            assert q.dtype == start.dtype and np.isfinite(q.array).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name, settings", list(cases()))
def test_steps_are_pytorchs(name, settings, dtype, monkeypatch):
    torch.set_default_dtype(getattr(torch, dtype))
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)  # Muon's iteration; see the test below
    pair = Pair(name, settings, dtype)
    rtol, atol = DTYPES[dtype]
    for seed in range(4 if name == "LBFGS" else 12):
        pair.step(seed)
        pair.compare(rtol, atol)


def test_muon_with_its_iteration_in_bfloat16_is_near():
    pair = Pair("Muon", {"lr": 0.1, "weight_decay": 0.0}, "float32")
    for seed in range(5):
        pair.step(seed)
    pair.compare(0, 5 * 0.1 * 0.03)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name, settings", list(cases()))
def test_pytorchs_state_goes_on_here(name, settings, dtype, monkeypatch):
    torch.set_default_dtype(getattr(torch, dtype))
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    pair = Pair(name, settings, dtype)
    rtol, atol = DTYPES[dtype]
    for seed in range(3):
        pair.step(seed)
    theirs, mine = (o.state_dict() for o in pair.optimizers)
    assert [set(g) for g in theirs["param_groups"]] == [set(g) for g in mine["param_groups"]]
    assert {i: set(s) for i, s in theirs["state"].items()} == {i: set(s) for i, s in mine["state"].items()}
    for p, q in zip(pair.theirs, pair.ours):
        q.array[...] = p.detach().numpy()
    pair.optimizers[1].load_state_dict(theirs)
    for seed in range(3, 6):
        pair.step(seed)
    pair.compare(rtol, atol)


def errors():
    for name, info in DB.items():
        for i, case in enumerate(info.optim_error_inputs_func("cpu", torch.float32)):
            if case.error_on is OptimizerErrorEnum.CONSTRUCTION_ERROR:  # all others: complex parameters, which nothing here has
                yield pytest.param(name, case, id=f"{name}-{i}-{case.optimizer_error_input.desc}")


@pytest.mark.parametrize("name, case", list(errors()))
def test_errors_are_pytorchs(name, case):
    def converted(x):
        if isinstance(x, torch.Tensor):
            return tl.nn.Parameter(x.detach().numpy()) if x.ndim else tl.tensor(x.detach().numpy())
        if isinstance(x, dict):
            return {k: kept(v) for k, v in x.items()}
        return type(x)(map(kept, x)) if isinstance(x, list | tuple) else x

    def kept(x):
        return known.setdefault(id(x), converted(x))

    known, given = {}, case.optimizer_error_input
    params = [torch.nn.Parameter(torch.ones(2, 3))] if given.params is None else given.params
    with pytest.raises(case.error_type, match=case.error_regex.removesuffix(", but got torch.FloatTensor")), \
            warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(tl.optim, name)(kept(params), **kept(given.kwargs))
