"""tl.derive reads like the textbook, and computes what the tape computes."""

from pathlib import Path

import numpy as np
import pytest
from textbook import TWELVE

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


SIZES = [{"N": 6, "D": 4, "M": 3, "K": 5}, {"N": 7, "D": 5, "M": 4, "K": 8}, {"N": 9, "D": 8, "M": 6, "K": 7}]
OF_X = """x.sum() | x.mean() | (x ** 2).sum() | 0.25 * (x ** 2).sum() | x.exp().sum() | x.tanh().mean() | x.sigmoid().sum() |
F.gelu(x).sum() | F.gelu(x, approximate='tanh').sum() | F.silu(x).mean() | F.softplus(x).sum() | F.elu(x).sum() | x.abs().sum() |
(x * x + 1).log().sum() | (x * x + 1).sqrt().sum() | x.softmax(-1).square().sum() | x.softmax(0)[0].sum() | x.logsumexp(-1).sum() |
x.log_softmax(-1)[:, 0].sum() | x.max(1)[0].sum() | x.min(0)[0].mean() | x.max() | x.amax(1).sum() | x.var(0).sum() | x.std(1).sum() |
x.var(1, unbiased=False).sum() | x.norm() | x.norm(dim=1).sum() | x.cumsum(1).square().sum() | x.cumsum(0).sum() | x.prod(1).sum() |
(x @ x.T).square().mean() | x.reshape(-1).square().sum() | x.flatten()[1:].sum() | x[1:].sum() | x[:, 1:3].square().sum() |
x[0].sum() | x[:, -1].sum() | x[::2].sum() | x[[0, 2, 2]].square().sum() | x.flip(0)[0].sum() | x.roll(1, 0).mul(x).sum() |
x.sort(1)[0][:, 0].sum() | x.clamp(-0.5, 0.5).sum() | tl.where(x > 0, x, x * 0.1).sum() | x.masked_fill(x > 0, 0.0).sum() |
((x > 0) & (x < 1)).float().mul(x).sum() | tl.cat([x, x * 2], 1).square().sum() | tl.stack([x, x * 2]).square().sum() |
F.pad(x, (1, 1)).square().sum() | x[:, None].square().sum() | x.tril().square().sum() | x.triu(1).sum() |
tl.einsum('ij,kj->ik', x, x).sum() | F.layer_norm(x, (x.shape[-1],)).square().sum() | F.normalize(x, dim=1).sum() |
((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)).pow(3).sum() | (x / x.shape[1] ** 0.5).sum() | (x * len(x)).sum() |
x.sum() / (len(x) - 1) | (x.sum(0) ** 2).mean() * x.shape[0] | x.repeat(2, 1).square().sum() | x.split(2, 0)[1].sum() |
x.max(1, keepdim=True)[0].sub(x).sum() | x.topk(2, 1)[0].sum() | tl.outer(x[:, 0], x[0]).sum() | tl.maximum(x, x * 0.5).sum() |
F.relu(x).mean(0).norm() | tl.logaddexp(x, x * 2).sum() | F.huber_loss(x, x * 0.5) | F.dropout(x, 0.0).sum()"""
OTHERS = {  # a shape an argument; of whole numbers "below what: shape", of probabilities "p: shape"
    "F.mse_loss(x, y)": {"x": "N D", "y": "N D"}, "F.cross_entropy(x, y)": {"x": "N D", "y": "below D: N"},
    "F.cross_entropy(x, y, reduction='sum')": {"x": "N D", "y": "below D: N"}, "F.cross_entropy(x, p)": {"x": "N D", "p": "p: N D"},
    "F.nll_loss(x.log_softmax(1), y)": {"x": "N D", "y": "below D: N"},
    "F.binary_cross_entropy_with_logits(x, t)": {"x": "N D", "t": "p: N D"}, "F.binary_cross_entropy(x.sigmoid(), t)": {"x": "N D", "t": "p: N D"},
    "F.kl_div(x.log_softmax(1), p, reduction='batchmean')": {"x": "N D", "p": "p: N D"}, "F.linear(x, w, b).square().mean()": {"x": "N D", "w": "M D", "b": "M"},
    "F.scaled_dot_product_attention(q, k, v).square().sum()": {"q": "N D", "k": "K D", "v": "K M"},
    "F.scaled_dot_product_attention(q, k, v, is_causal=True).sum()": {"q": "N D", "k": "N D", "v": "N D"},
    "F.embedding(i, E).square().sum()": {"i": "below N: K", "E": "N D"}, "(E[i].mean(0) ** 2).sum()": {"i": "below N: K", "E": "N D"},
    "F.conv1d(x, w).square().sum()": {"x": "N D 9", "w": "M D 3"}, "F.conv2d(x, w, b, padding=1).square().sum()": {"x": "N D 6 5", "w": "M D 3 3", "b": "M"},
    "F.avg_pool2d(x, 2).square().sum()": {"x": "N D 6 4"}, "x[tl.arange(len(y)), y].sum()": {"x": "N D", "y": "below D: N"},
    "(dx * N).sum()": {"dx": "N D", "N": "D"}, "(value * out).sum()": {"value": "N D", "out": "D"},
    "((x - mu) / s.exp()).square().mean() + s.mean()": {"x": "N D", "mu": "D", "s": "D"}, "F.rms_norm(x, (x.shape[-1],), w).sum()": {"x": "N D", "w": "D"},
    "(x[:, None] - c).square().sum(-1).min(1)[0].mean()": {"x": "N D", "c": "M D"}, "F.group_norm(x, 2, w, b).square().sum()": {"x": "N 4 D", "w": "4", "b": "4"},
    "F.batch_norm(x, None, None, w, b, training=True).pow(3).sum()": {"x": "N D", "w": "D", "b": "D"}, "F.cosine_similarity(x, y).sum()": {"x": "N D", "y": "N D"},
    "(x @ A * x).sum(1).mean()": {"x": "N D", "A": "D D"}, "(a[:, None] * b[None]).square().sum()": {"a": "N", "b": "D"},
    "tl.einsum('bij,bjk->bik', a, b).square().sum()": {"a": "M N D", "b": "M D K"}, "(a.transpose(1, 2) @ b).mean()": {"a": "M N D", "b": "M N K"},
    "((x - mu) / s.exp()).square().mean()": {"x": "N", "mu": "1", "s": "1"}, "F.layer_norm(x, (x.shape[-1],), g, b).square().sum()": {"x": "N D", "g": "D", "b": "D"},
    "((x @ W + b).tanh() @ V - y).square().mean()": {"x": "N D", "W": "D M", "b": "M", "V": "M K", "y": "N K"},
    "lstm(x, h, c, W, U, b)": {"x": "N D", "h": "N M", "c": "N M", "W": "D 4*M", "U": "M 4*M", "b": "4*M"},
    "attention(x, Q, K, V)": {"x": "N D", "Q": "D M", "K": "D M", "V": "D M"}, "by_hand(z, y)": {"z": "N D", "y": "below D: N"},
}
ONE_SIZE = {"x.roll(1, 0).mul(x).sum()", "(x.sum(0) ** 2).mean() * x.shape[0]", "F.conv1d(x, w).square().sum()",
            "F.conv2d(x, w, b, padding=1).square().sum()"}  # their sources assert the shapes of the example
CASES = {**{text.strip(): {"x": "N D"} for text in OF_X.replace("\n", " ").split(" | ")}, **OTHERS}


def lstm(x, h, c, W, U, b):
    i, f, g, o = (x @ W + h @ U + b).chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return (o.sigmoid() * c.tanh()).sum()


def attention(x, Q, K, V):
    q, k, v = x @ Q, x @ K, x @ V
    scores = (q @ k.T / q.shape[1] ** 0.5).masked_fill(tl.ones(len(x), len(x)).triu(1) > 0, -np.inf)
    return (scores.softmax(-1) @ v).sum()


def by_hand(z, y):
    m = z.max(1, keepdim=True)[0]
    e = (z - m).exp()
    logp = z - m - e.sum(1, keepdim=True).log()
    return -logp[tl.arange(len(y)), y].mean()


def made(spec, sizes, rng):
    """An array of a shape in letters."""
    kind, _, shape = spec.rpartition(":")
    shape = [eval(word, dict(sizes)) for word in shape.split()]
    if kind.startswith("below"):
        return rng.integers(0, sizes[kind.split()[1]], shape)
    x = rng.standard_normal(shape)
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True) if kind == "p" else x


@pytest.mark.parametrize("text", CASES)
def test_a_source_is_right_at_other_sizes_or_says_for_which_it_is(text):
    function = eval(f"lambda {', '.join(CASES[text])}: {text}", globals())
    rng, names, ran = np.random.default_rng(0), {}, 0
    exec(tl.derive(function, *(tl.from_numpy(made(spec, SIZES[0], rng)) for spec in CASES[text].values())), names)
    for sizes in SIZES:
        arrays = [made(spec, sizes, rng) for spec in CASES[text].values()]
        try:
            value, gradients = names["value_and_grad"](*arrays)
        except AssertionError:
            continue
        ran += 1
        tensors = [tl.from_numpy(a).requires_grad_(a.dtype.kind == "f") for a in arrays]
        expected = function(*tensors)
        np.testing.assert_allclose(value, expected.array, rtol=1e-6)
        wanted = [t for t in tensors if t.requires_grad]
        for g, d in zip(gradients, tl.autograd.grad(expected, wanted, allow_unused=True), strict=True):
            np.testing.assert_allclose(g, d.array, rtol=1e-6, atol=1e-7)
    assert ran == (1 if text in ONE_SIZE else len(SIZES))


def test_sizes_are_symbols():
    source = tl.derive(lambda x, y: ((x - y) ** 2).mean(), floats(8, 3), floats(8, 3, seed=1))
    assert "N, D = x.shape" in source and "dx = 2 * t1 / (N * D)" in source
    assert "assert x.shape == (6, N)" in tl.derive(lambda x: x[:6].sum() + x.split([2, 4], 0)[0].sum(), floats(6, 3))
    model = MLP(5, 8, 3)
    source = tl.derive(lambda x, y: F.cross_entropy(model(x), y), floats(6, 5), classes(6, 3))
    assert "model_fc1_weight" not in source and "fc1_weight (M, D)" in source


def test_derive_says_what_it_cannot_do():
    with pytest.raises(TypeError, match="scalar"):
        tl.derive(lambda x: x * 2, floats(3))
    with pytest.raises(CompileError, match="test_derive"):
        tl.derive(lambda x: x.sum() if x.sum() > 0 else -x.sum(), floats(3))


@pytest.mark.parametrize("function", TWELVE, ids=lambda f: f.__name__)
def test_twelve_functions_of_textbooks(function):
    source = tl.derive(function, *TWELVE[function])
    assert source == (GOLDEN / "derived" / f"{function.__name__}.py").read_text()
    assert max(len(line) for line in source.splitlines()) <= 130
