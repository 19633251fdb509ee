"""The same models, trained here and in PyTorch, take the same steps to the last bits of float64."""

import numpy as np
import pytest

import tinygrad_lite as tl

torch = pytest.importorskip("torch")

OPTIMIZERS = [
    ("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adam", {"lr": 0.01}), ("Adam", {"lr": 0.01, "weight_decay": 0.1, "betas": (0.8, 0.95)}),
    ("AdamW", {"lr": 0.01}), ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "eps": 1e-6}),
]


def network(lib):
    return lib.nn.Sequential(lib.nn.Linear(5, 7), lib.nn.Tanh(), lib.nn.Linear(7, 6), lib.nn.ReLU(),
                             lib.nn.Flatten(), lib.nn.Linear(6, 3))


@pytest.mark.parametrize("name, settings", OPTIMIZERS)
def test_twenty_steps_are_pytorchs(name, settings):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8, 5)), rng.integers(0, 3, 8)
    theirs = network(torch).double()
    ours = network(tl).double()
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    after = []
    for lib, model, wrap in ((tl, ours, tl.from_numpy), (torch, theirs, torch.from_numpy)):
        first, *rest = model.parameters()  # two groups, one with settings of its own
        groups = [{"params": [first], "lr": 0.05}, {"params": rest}]
        optimizer = getattr(lib.optim, name)(groups, **settings)
        for _ in range(20):
            optimizer.zero_grad()
            lib.nn.functional.cross_entropy(model(wrap(x)), wrap(y)).backward()
            optimizer.step()
        after.append([p.detach().numpy() for p in model.parameters()])
    for a, b in zip(*after):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name, args", [
    ("xavier_uniform_", {}), ("xavier_normal_", {"gain": 2.0}), ("kaiming_uniform_", {"a": 1.0}),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}), ("normal_", {"mean": 1.0, "std": 3.0}),
    ("uniform_", {"a": -2.0, "b": 1.0}), ("trunc_normal_", {"std": 2.0}), ("orthogonal_", {"gain": 0.5})])
def test_initial_values_have_pytorchs_distribution(name, args):
    tl.manual_seed(0)
    torch.manual_seed(0)
    ours = getattr(tl.nn.init, name)(tl.zeros(60, 40, 5), **args).array.ravel()
    theirs = getattr(torch.nn.init, name)(torch.zeros(60, 40, 5), **args).numpy().ravel()
    for q in (0.01, 0.25, 0.5, 0.75, 0.99):
        assert abs(np.quantile(ours, q) - np.quantile(theirs, q)) < 0.08 * theirs.std()
