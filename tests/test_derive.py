"""tl.derive reads like the textbook, and computes what the tape computes."""

from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import nn
from tinygrad_lite.compiler import CompileError

F = nn.functional
GOLDEN = Path(__file__).parent / "golden"


def floats(*shape, seed=0):
    return tl.tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def classes(n, c, seed=0):
    return tl.tensor(np.random.default_rng(seed).integers(0, c, n))


class MLP(nn.Module):
    def __init__(self, *sizes):
        self.fc1, self.fc2 = nn.Linear(sizes[0], sizes[1]), nn.Linear(sizes[1], sizes[2])

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


def two_layers(X, y, W1, b1, W2, b2):
    z1 = X @ W1 + b1
    h1 = F.relu(z1)
    z2 = h1 @ W2 + b2
    loss = F.cross_entropy(z2, y)
    return loss


def test_derive_reads_like_the_textbook_and_computes_what_is_derived_by_hand():
    X, y = floats(32, 5), classes(32, 3)
    weights = [floats(5, 8), floats(8), floats(8, 3), floats(3)]
    for p in weights:
        p.requires_grad_()
    source = tl.derive(two_layers, X, y, *weights)
    assert source == (GOLDEN / "derived_mlp.py").read_text()
    names = {}
    exec(source, names)
    arrays = [t.array for t in (X, y, *weights)]
    value, gradients = names["value_and_grad"](*arrays)
    X, y, W1, b1, W2, b2 = arrays
    z1, h1, z2 = nn.by_hand.forward(X, W1, b1, W2, b2)
    np.testing.assert_allclose(value, nn.by_hand.loss(z2, y), rtol=1e-6)
    for g, expected in zip(gradients, nn.by_hand.backward(X, y, z1, h1, z2, W2), strict=True):
        np.testing.assert_allclose(g, expected, rtol=1e-5, atol=1e-7)
    assert all(p.grad is None for p in weights)


def layer_norm_loss(x, w, b):
    return F.gelu(F.layer_norm(x, (4,), w, b)).mean()


def attention_loss(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).square().sum()


def logistic_loss(x, t, w):
    return F.binary_cross_entropy_with_logits(x @ w, t)


DERIVED = {
    "layer norm": (layer_norm_loss, [floats(6, 4), floats(4), floats(4)]),
    "attention": (attention_loss, [floats(5, 4, seed=s) for s in range(3)]),
    "logistic": (logistic_loss, [floats(6, 4), (floats(6) > 0).float(), floats(4).requires_grad_()]),
    "model": (None, [floats(6, 5), classes(6, 3)]),
}


@pytest.mark.parametrize("name", DERIVED)
def test_derived_sources_run_and_agree_with_the_tape(name):
    function, examples = DERIVED[name]
    reached = []
    if function is None:
        model = MLP(5, 8, 3)
        reached = list(model.parameters())

        def function(x, y):
            return F.cross_entropy(model(x), y)

    source = tl.derive(function, *examples)
    names = {}
    exec(source, names)
    value, gradients = names["value_and_grad"](*(t.array for t in (*examples, *reached)))
    leaves = [t.detach().requires_grad_() if t.requires_grad or not reached and name != "logistic" else t for t in examples]
    expected = function(*leaves)
    wanted = [t for t in (*leaves, *reached) if t.requires_grad]
    np.testing.assert_allclose(value, expected.array, rtol=1e-5)
    for g, d in zip(gradients, tl.autograd.grad(expected, wanted), strict=True):
        np.testing.assert_allclose(g, d.array, rtol=2e-5, atol=1e-6)


def test_derive_says_what_it_cannot_do():
    with pytest.raises(TypeError, match="scalar"):
        tl.derive(lambda x: x * 2, floats(3))
    with pytest.raises(CompileError, match="test_derive"):
        tl.derive(lambda x: x.sum() if x.sum() > 0 else -x.sum(), floats(3))
