"""Layers, functions with hand-derived rules, and optimizers."""

import numpy as np
import pytest
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl
from tinygrad_lite import nn

R = np.random.default_rng(0)


def leaf(*shape):
    return tl.tensor(R.standard_normal(shape), requires_grad=True)


BY_HAND = {
    "softmax": [(F.softmax, [leaf(2, 3)]), (lambda x: F.softmax(x, 0), [leaf(2, 3)])],
    "log_softmax": [(F.log_softmax, [leaf(2, 3)])],
    "logsumexp": [(F.logsumexp, [leaf(2, 3)]), (lambda x: F.logsumexp(x, axis=0, keepdims=True), [leaf(2, 3)])],
    "linear": [(F.linear, [leaf(2, 3), leaf(4, 3), leaf(4)]), (F.linear, [leaf(2, 2, 3), leaf(4, 3), leaf(4)])],
    "cross_entropy": [(lambda x: F.cross_entropy(x, np.array([1, 0])), [leaf(2, 3)])],
}
CASES = [(name, fn, inputs) for name, cases in BY_HAND.items() for fn, inputs in cases]


@pytest.mark.parametrize("name, fn, inputs", CASES)
def test_by_hand_equals_the_definition_and_finite_differences(name, fn, inputs):
    assert tl.autograd.gradcheck(fn, inputs) and tl.autograd.gradgradcheck(fn, inputs)
    weight = R.standard_normal(fn(*inputs).shape)
    by_hand = tl.autograd.grad((fn(*inputs) * weight).sum(), inputs)
    with tl.expanded():
        definition = tl.autograd.grad((fn(*inputs) * weight).sum(), inputs)
    assert all(np.allclose(a, b, rtol=1e-12, atol=1e-12) for a, b in zip(by_hand, definition))


def test_every_by_hand_function_of_the_library_has_a_row():
    public = {name for name, op in tl.tape.BY_HAND.items() if op.__module__.startswith("tinygrad_lite")}
    assert public == set(BY_HAND)


def test_extreme_logits():
    big = np.array([[1e4, 0.0, -1e4]])
    assert F.softmax(big).tolist() == [[1.0, 0.0, 0.0]]
    assert F.logsumexp(big).tolist() == [1e4]
    x = tl.tensor(np.full((1, 2), -np.inf), requires_grad=True)
    y = F.logsumexp(x)
    y.sum().backward()
    assert y.item() == -np.inf and x.grad.tolist() == [[0.0, 0.0]]


def test_cross_entropy_is_its_formula():
    x = R.standard_normal((3, 4))
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    assert np.isclose(F.cross_entropy(tl.tensor(x), [0, 3, 1]).item(), -np.log(p[[0, 1, 2], [0, 3, 1]]).mean())


def test_module_finds_names_loads_and_prints():
    tl.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert [n for n, _ in model.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert repr(model) == "Sequential(\n  (0): Linear(weight [3, 2], bias [3])\n  (1): ReLU()\n" \
                          "  (2): Linear(weight [1, 3], bias [1])\n)"
    state = {k: v.clone() for k, v in model.state_dict().items()}
    tl.manual_seed(1)
    other = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    other.load_state_dict(state)
    x = tl.randn(5, 2)
    assert (model(x).array == other(x).array).all()
    assert not other.eval()[1].training
    del state["0.bias"]
    state["3.bias"], state["2.bias"] = tl.zeros(1), tl.zeros(2)
    with pytest.raises(RuntimeError, match=r"missing '0.bias'; unexpected '3.bias'; '2.bias' has shape \(2,\)"):
        other.load_state_dict(state)


STEPS = [  # optimizer, gradient each step -> the parameter after each step, worked out by the formula
    (lambda p: tl.optim.SGD(p, lr=0.1), [0.9, 0.8]),
    (lambda p: tl.optim.SGD(p, lr=0.1, momentum=0.9), [0.9, 0.71]),
    (lambda p: tl.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True), [0.81, 0.539]),
    (lambda p: tl.optim.SGD(p, lr=0.1, weight_decay=0.5), [0.85, 0.7075]),
    (lambda p: tl.optim.Adam(p, lr=0.1, eps=0.0), [0.9, 0.8]),
    (lambda p: tl.optim.AdamW(p, lr=0.1, eps=0.0, weight_decay=0.5), [0.85, 0.7075]),
]


@pytest.mark.parametrize("make, after", STEPS)
def test_optimizers_follow_their_formulas(make, after):
    p = nn.Parameter(np.array([1.0]))
    optimizer = make([p])
    for expected in after:
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()
        assert np.isclose(p.item(), expected, rtol=1e-12)


def test_a_small_network_learns_xor():
    tl.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = tl.optim.Adam(model.parameters(), lr=0.05)
    x, y = tl.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), tl.tensor([0, 1, 1, 0])
    for _ in range(200):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01 and (model(x).argmax(1).array == y.array).all()


ERRORS = [
    (lambda: F.cross_entropy(tl.zeros(2, 3), [0, 3]), IndexError, "target 3 is out of bounds for 3 classes"),
    (lambda: F.cross_entropy(tl.zeros(2, 3), [0]), ValueError, r"\(2, 3\).*\(1,\)"),
    (lambda: F.cross_entropy(tl.zeros(2, 3), [0.0, 1.0]), TypeError, "whole numbers"),
    (lambda: F.mse_loss(tl.zeros(2), tl.zeros(2, 1)), ValueError, "differ"),
    (lambda: nn.Linear(2, 3)(tl.zeros(4, 5)), RuntimeError, r"linear.*\[4, 5\]"),
    (lambda: tl.optim.SGD([], lr=0.1), ValueError, "empty parameter list"),
    (lambda: tl.optim.SGD([nn.Parameter(np.ones(1))], lr=float("nan")), ValueError, "invalid lr nan"),
    (lambda: tl.optim.Adam([nn.Parameter(np.ones(1))], betas=(0.9, 1.0)), ValueError, "betas"),
    (lambda: setattr(nn.Linear(1, 1), "weight", tl.ones(1, 1)), TypeError, "parameter 'weight'"),
]


@pytest.mark.parametrize("wrong, kind, message", ERRORS)
def test_bad_input_gets_a_clear_error(wrong, kind, message):
    with pytest.raises(kind, match=message):
        wrong()
