"""Backprop by hand: equal to the tape, and to finite differences."""

import numpy as np
import pytest
from tinygrad_lite.nn import by_hand
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl

R = np.random.default_rng(0)
X, y, Y = R.standard_normal((5, 3)), np.array([0, 2, 1, 1, 0]), np.array([1.0, 0, 1, 1, 0])
W1, b1, W2, b2 = (R.standard_normal(s) for s in ((3, 4), (4,), (4, 3), (3,)))
w, OUT = R.standard_normal(3), R.standard_normal((5, 3))


def mlp(W1, b1, W2, b2):
    return F.cross_entropy(F.relu(tl.tensor(X) @ W1 + b1) @ W2 + b2, y)


def mlp_by_hand():
    z1, h1, z2 = by_hand.forward(X, W1, b1, W2, b2)
    return by_hand.backward(X, y, z1, h1, z2, W2)


def logistic(w, b):
    return F.binary_cross_entropy_with_logits(tl.tensor(X) @ w + b, tl.tensor(Y)) + 0.1 * (w * w).sum()


def logistic_by_hand():
    _, p = by_hand.logistic_forward(X, w, 0.3, Y, 0.1)
    return by_hand.logistic_backward(X, Y, p, w, 0.1)


def layer_norm_by_hand():
    _, hat, rstd = by_hand.layer_norm_forward(X, w, b2)
    return by_hand.layer_norm_backward(OUT, hat, rstd, w)


def two_layer_by_hand(activation):
    z1, h1, _ = by_hand.two_layer_forward(X, W1, b1, W2, b2, activation)
    return by_hand.two_layer_backward(OUT, X, z1, h1, W1, W2, activation)


CASES = {
    "mlp": (mlp, [W1, b1, W2, b2], mlp_by_hand),
    "logistic": (logistic, [w, np.array(0.3)], logistic_by_hand),
    "layer norm": (lambda x, g, b: (F.layer_norm(x, (3,), g, b) * OUT).sum(), [X, w, b2], layer_norm_by_hand),
    "attention": (lambda q, k, v: (F.attention(q, k, v) * OUT).sum(), [X, OUT, X],
                  lambda: by_hand.attention_backward(OUT, X, OUT, X, by_hand.attention_forward(X, OUT, X)[1])),
    **{f"two layers, {name}": (
        lambda x, *ws, name=name: ((getattr(F, name, lambda z: z)(x @ ws[0] + ws[1]) @ ws[2] + ws[3]) * OUT).sum(),
        [X, W1, b1, W2, b2], lambda name=name: two_layer_by_hand(name)) for name in by_hand.ACTIVATIONS},
}


@pytest.mark.parametrize("what", CASES)
def test_tape_by_hand_and_finite_differences_agree(what):
    function, arrays, derived = CASES[what]
    wrt = [tl.tensor(a, requires_grad=True) for a in arrays]
    for tape, hand in zip(tl.autograd.grad(function(*wrt), wrt), derived(), strict=True):
        np.testing.assert_allclose(hand, tape, rtol=1e-12, atol=1e-12)
    assert tl.autograd.gradcheck(function, wrt, atol=1e-6, rtol=1e-6)


def test_the_losses_are_those_of_the_functions():
    assert np.isclose(by_hand.loss(by_hand.forward(X, W1, b1, W2, b2)[2], y), mlp(*map(tl.tensor, (W1, b1, W2, b2))).item())
    assert np.isclose(by_hand.logistic_forward(X, w, 0.3, Y, 0.1)[0], logistic(tl.tensor(w), 0.3).item())


def test_an_unknown_activation_is_named():
    with pytest.raises(ValueError, match="no activation 'cubic'; there are relu"):
        by_hand.two_layer_forward(X, W1, b1, W2, b2, "cubic")


def test_the_sigmoid_does_not_overflow():
    with np.errstate(all="raise", under="ignore"):
        assert by_hand.ACTIVATIONS["sigmoid"][0](np.array([-1e4, 0.0, 1e4])).tolist() == [0, 0.5, 1]
