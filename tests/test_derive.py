"""tl.derive reads like the textbook, and computes what the tape computes."""

import math
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
ONE_SIZE = {"(x.sum(0) ** 2).mean() * x.shape[0]"}  # the source asserts the shape of the example
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
        np.testing.assert_allclose(value, expected.array, rtol=1e-10)
        wanted = [t for t in tensors if t.requires_grad]
        for g, d in zip(gradients, tl.autograd.grad(expected, wanted, allow_unused=True), strict=True):
            np.testing.assert_allclose(g, d.array, rtol=1e-10, atol=1e-12)
    assert ran == (1 if text in ONE_SIZE else len(SIZES))


def test_sizes_are_symbols():
    source = tl.derive(lambda x, y: ((x - y) ** 2).mean(), floats(8, 3), floats(8, 3, seed=1))
    assert "N, D = x.shape" in source and "dx = 2 * t1 / (N * D)" in source
    assert "assert x.shape == (6, N)" in tl.derive(lambda x: x[:6].sum() + x.split([2, 4], 0)[0].sum(), floats(6, 3))
    model = MLP(5, 8, 3)
    source = tl.derive(lambda x, y: F.cross_entropy(model(x), y), floats(6, 5), classes(6, 3))
    assert "model_fc1_weight" not in source and "fc1_weight (M, D)" in source


def derived(function, *examples):
    names = {}
    exec(tl.derive(function, *examples), names)
    return names["value_and_grad"]


def on_the_tape(function, *arrays):
    leaves = [tl.from_numpy(a.copy()).requires_grad_(a.dtype.kind == "f") for a in arrays]
    value = function(*leaves)
    wanted = [t for t in leaves if t.requires_grad]
    found = zip(wanted, tl.autograd.grad(value, wanted, allow_unused=True))
    return value.array, [np.zeros(t.shape) if g is None else g.array for t, g in found]


def agree(function, source, *arrays):
    value, gradients = source(*(a.copy() for a in arrays))
    expected, right = on_the_tape(function, *arrays)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14)
    for g, d in zip(gradients, right, strict=True):
        np.testing.assert_allclose(g, d, rtol=1e-10, atol=1e-14)


X, Y = np.random.default_rng(0).standard_normal((6, 4)), np.array([0, 2, 1, 3, 2, 0])
MASK = np.array([True, True, True, False, False, False])
OTHER_VALUES = [  # (function, the examples, what it is run with)
    ("x[m].mean()", (X, MASK), (X, np.arange(6) == 4)), ("x[x > 0].mean()", (X,), (abs(X),)),
    ("x[m].sum() / len(x[m])", (X, MASK), (X[:3], MASK[2:5])), ("x.masked_select(m).square().mean()", (X, X > 0), (X, X < 1)),
    ("x[:, m].square().mean()", (X, np.arange(4) > 1), (X, np.arange(4) > 0)), ("x[m][:, [0, 1]].exp().mean()", (X, MASK), (X, ~MASK)),
    ("F.cross_entropy(x, m, ignore_index=1)", (X, Y), (X, np.array([1, 1, 0, 0, 2, 3]))),
    ("x[x < x.mean()].std()", (X,), (np.sort(X, 0),)), ("(-x).relu().sum()", (X,), (-X,)), ("(x - x.amin(1, keepdim=True)).square().sum()", (X,), (-X,)),
    ("x[..., 0, :].square().sum()", (X,), (-X,)), ("x[..., [0, 1], :].square().sum()", (X[None],), (-X[None],)),
    ("(x * 2 ** -13 + 1e-9).sum()", (X,), (-X,)), ("(x * 1.00000001 * 0.001).sum()", (X,), (-X,)), ("F.layer_norm(x, (4,)).sum()", (X,), (-X,)),
    ("0.5 * x.shape[1] * np.log(2 * np.pi) + (x / 3).square().mean()", (X,), (X[:, :3],)), ("-tl.minimum(x, m).mean()", (X, X[::-1]), (X[:4], X[1:5])),
]


@pytest.mark.parametrize("text, examples, others", OTHER_VALUES, ids=[case[0] for case in OTHER_VALUES])
def test_the_source_is_for_other_values_too(text, examples, others):
    function = eval(f"lambda x, m=None: {text}", globals())
    source = derived(function, *map(tl.from_numpy, examples))
    agree(function, source, *examples)
    agree(function, source, *others)


REFUSED = [  # (function, the example, what the source refuses, what it says in its assert)
    ("x.prod()", X[0] + 9, np.array([0.0, 2, 3]), "(x != 0).all()"), ("x.cumprod(0).sum()", X[0], np.array([0.0, 2, 3]), "(x != 0).all()"),
    ("x[:3].mean()", X[:, 0], X[:2, 0], "N >= 3"), ("(x * max(len(x), 5)).sum()", X, X[:2], "N >= 5"),
    ("(x if len(x) > 4 else x * 2).sum()", X, X[:2], "N >= 5"), ("(x if len(x) < 30 else x * 2).sum()", X, np.ones((40, 4)), "N <= "),
    ("(x * max(x.shape)).sum()", X, X[:3], "N >= 4"), ("x.log().sum() / (len(x) - 1)", abs(X), X[:1], "N >= 2"),
    ("F.scaled_dot_product_attention(x, x, x, attn_mask=x[:, :1] > 0).sum()", abs(X), X, ".any(-1).all()"),
]


@pytest.mark.parametrize("text, example, other, said", REFUSED, ids=[case[0] for case in REFUSED])
def test_what_the_source_does_not_fit_it_refuses(text, example, other, said):
    function = eval(f"lambda x: {text}", globals())
    source = derived(function, tl.from_numpy(example))
    agree(function, source, example)
    assert said in tl.derive(function, tl.from_numpy(example))
    with pytest.raises(AssertionError):
        source(other)


def test_results_are_named_and_lie_in_memory_of_their_own():
    text = tl.derive(lambda x, w, y: (x * w).sum() + 0 * y.detach().sum(), *map(tl.from_numpy, (X, X, X)))
    assert "return value, (dx, dw, dy)" in text
    for function in (lambda x, w: (x * w).sum(), lambda x, w: ((x + w) ** 2).sum(), lambda x, w: x.sum() + w.T[0].sum()):
        x, w = X.copy(), X.copy()
        _, (dx, dw) = derived(function, tl.from_numpy(X), tl.from_numpy(X))(x, w)
        x -= dx
        w -= dw
        assert not any(np.may_share_memory(a, b) for a in (dx, dw) for b in (x, w)) and not np.may_share_memory(dx, dw)


def test_containers_and_numbers_are_parameters():
    params = {"W": tl.from_numpy(X).requires_grad_(), "b": tl.from_numpy(X[0])}
    text = tl.derive(lambda p, xs, lam: ((xs[0] @ p["W"].T + xs[1].sum() + p["b"].sum()) ** 2).mean() * lam, params, (tl.ones(3, 4), tl.ones(2)), 0.5)
    assert "def value_and_grad(p_W, p_b, xs_0, xs_1, lam):" in text and "(d_p_W,)" in text and "0.5" not in text
    assert "def value_and_grad(xs_0, xs_1):" in tl.derive(lambda *xs: (xs[0] * xs[1]).sum(), tl.ones(3), tl.ones(3))
    assert "assert lam == 0.25" in tl.derive(lambda x, lam: x.sum() * math.sqrt(lam), tl.ones(3), 0.25)
    assert "def value_and_grad(x, fc1_weight" in tl.derive(Loss(5, 8, 3), floats(6, 5))


class Loss(MLP):
    def forward(self, x):
        return super().forward(x).square().mean()


def test_erf_is_pythons():
    source = tl.derive(lambda erf, math: (F.gelu(erf) * math).sum(), tl.from_numpy(X), tl.from_numpy(X))
    assert "erf = np.vectorize(math.erf, [float])" in source
    names = {}
    exec(source, names)
    agree(lambda a, b: (F.gelu(a) * b).sum(), names["value_and_grad"], X, -X)


def test_derive_leaves_everything_as_it_was():
    class Norm(nn.Module):
        def __init__(self):
            self.mean, self.var, self.calls = tl.zeros(4), tl.ones(4), 0

        def forward(self, x):
            self.calls += 1
            return F.batch_norm(x, self.mean, self.var, training=True).square().sum()

    norm, w = Norm(), tl.ones(4, requires_grad=True)
    pending = (w * w).sum()
    tl.derive(lambda x: norm(x) + w.sum(), tl.from_numpy(X + 5))
    assert norm.mean.tolist() == [0] * 4 and norm.var.tolist() == [1] * 4 and norm.calls == 0
    pending.backward()
    assert w.grad.tolist() == [2] * 4


def test_derive_says_what_it_cannot_do():
    with pytest.raises(CompileError, match="what a mask selects"):
        tl.derive(lambda x, m: x[m + 1 > 0].sum(), floats(3), tl.tensor([1, 2, 3]))
    with pytest.raises(TypeError, match="takes a function"):
        tl.derive(floats(3).sum(), floats(3))
    with pytest.raises(TypeError, match="gives a tuple"):
        tl.derive(lambda x: (x.sum(), x), floats(3))
    with pytest.raises(TypeError, match="scalar"):
        tl.derive(lambda x: x * 2, floats(3))
    with pytest.raises(CompileError, match="test_derive"):
        tl.derive(lambda x: x.sum() if x.sum() > 0 else -x.sum(), floats(3))


@pytest.mark.parametrize("function", TWELVE, ids=lambda f: f.__name__)
def test_twelve_functions_of_textbooks(function):
    source = tl.derive(function, *TWELVE[function])
    assert source == (GOLDEN / "derived" / f"{function.__name__}.py").read_text()
    assert max(len(line) for line in source.splitlines()) <= 130
