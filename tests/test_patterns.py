"""The interview patterns: the calls as they are asked for, and the examples that show them."""

import runpy
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tl

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").rglob("*.py"))
F, G, B, H = tl.nn.functional, tl.nn.generation, tl.nn.batching, tl.nn.by_hand
R = np.random.default_rng(0)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_examples_run_and_write_what_they_say(example, tmp_path, monkeypatch, capsys):
    import matplotlib

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(example)])
    runpy.run_path(str(example), run_name="__main__")
    from matplotlib import pyplot

    pyplot.close("all")
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) >= 2
    if "written: " in printed:
        assert (tmp_path / printed.split("written: ")[1].split()[0]).stat().st_size > 5_000


@pytest.mark.parametrize("rows", [[[1000.0, 1001.0]], [[-1000.0, -1001.0]], [[0.0, -np.inf]]])
def test_softmax_and_its_kin_are_right_for_large_values_without_a_warning(rows):
    x = np.array(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        e = np.exp(x - x.max())
        np.testing.assert_allclose(F.stable_softmax(x, axis=-1), e / e.sum())
        np.testing.assert_allclose(F.softmax(x, dim=-1), e / e.sum())
        np.testing.assert_allclose(F.log_softmax(x), x - x.max() - np.log(e.sum()))
        np.testing.assert_allclose(F.logsumexp(x, axis=-1, keepdims=True), x.max() + np.log(e.sum(keepdims=True)))
        assert F.logsumexp(np.full((2, 3), -np.inf)).tolist() == [-np.inf, -np.inf]
        assert F.sigmoid(np.array([-1e4, 1e4])).tolist() == [0.0, 1.0]


def test_cross_entropy_of_indices_and_one_hot():
    logits, labels = R.standard_normal((4, 3)), np.array([0, 2, 1, 1])
    expected = -np.log(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))[range(4), labels].mean()
    for target in (labels, np.eye(3)[labels], np.eye(3, dtype=int)[labels], F.one_hot(labels, 3), labels.tolist()):
        assert np.isclose(F.cross_entropy(logits, target), expected)
        assert np.isclose(F.cross_entropy(tl.tensor(logits), target).item(), expected)


# ---------------------------------------------------------------- the gotchas and the cases of each pattern
HUGE = [[1000.0, 0.0, 0.0], [-1000.0, 0.0, -1000.0]]
ONE, TWO = [[1.0]], [[1.0], [1.0]]
PEAKED, UNIFORM = np.log([0.9, 0.05, 0.03, 0.02]), np.zeros(10)
PAIRS = [[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]]


def kept(process, logits):
    """The tokens that a processor leaves."""
    return np.flatnonzero(np.isfinite(process(np.atleast_2d(np.asarray(logits)))[0])).tolist()


def sentence(sequence):
    """After 0 the end (3) has probability 0.4, and 1 leads to a longer sentence with 0.6 * 0.6 of it."""
    return np.log({0: [0.0001, 0.5999, 0.0, 0.4], 1: [0.0001, 0.0, 0.5999, 0.4]}.get(sequence[-1], [0.01, 0.01, 0.01, 0.97]) + np.full(4, 1e-9))


def clusters(X, k, **settings):
    model = tl.estimators.KMeans(k, random_state=0, **settings).fit(X)
    return np.sort(np.bincount(model.labels_)), model.inertia_


def backprop(w, X):
    """dW1 and db1 of one unit with weight 1 whose output goes to two classes with weights 1 and -1."""
    X = np.asarray(X)
    h1 = np.maximum(X, 0)
    grads = H.backward(w(X), np.zeros(len(X), int), w(X), w(h1), w(h1 @ [[1.0, -1.0]]), w([[1.0, -1.0]]))
    return grads[0][0, 0], grads[1][0]


GOTCHAS = {  # what it is about: the call, of arrays or of Tensors, and what it gives
    "softmax: one large value": (lambda w: F.stable_softmax(w(HUGE)), [[1, 0, 0], [0, 1, 0]]),
    "softmax: equal large values": (lambda w: F.stable_softmax(w([1000.0, 1000.0])), [0.5, 0.5]),
    "softmax: the last axis": (lambda w: F.stable_softmax(w(np.zeros((2, 4)))).sum(-1), [1, 1]),
    "logsumexp: large values": (lambda w: F.logsumexp(w(HUGE), axis=-1, keepdims=True), [[1000], [0]]),
    "log-softmax: where softmax is 0": (lambda w: F.log_softmax(w(HUGE)), [[0, -1000, -1000], [-1000, 0, -1000]]),
    "cross-entropy: one step, where log(softmax) is -inf": (lambda w: F.cross_entropy(w(HUGE), [1, 1]), 500),
    "attention: scores over sqrt(d)": (
        lambda w: F.attention(w([[2.0] * 4]), w([[1.0] * 4, [0.0] * 4]), w([[1.0], [0.0]])), [[1 / (1 + np.exp(-4))]]),
    "attention: softmax over keys": (lambda w: F.attention(w(TWO), w(np.ones((3, 1))), w(np.ones((3, 1)))), TWO),
    "attention: what is masked weighs 0, and the rest 1 together": (
        lambda w: F.attention(w(ONE), w([[1.0], [1.0], [9.0]]), w([[2.0], [4.0], [100.0]]), w([[1, 1, 0]])), [[3]]),
    "attention: the mask is no factor of the scores": (
        lambda w: F.attention(w(ONE), w([[-5.0], [0.0]]), w([[1.0], [0.0]]), w([[True, False]])), ONE),
    "attention: a mask of zeros": (lambda w: F.attention(w(TWO), w(TWO), w(TWO), w(np.zeros((2, 2)))), np.zeros((2, 1))),
    "attention: causal": (lambda w: F.attention(w(TWO), w(TWO), w([[2.0], [4.0]]), F.causal_mask(2)), [[2], [3]]),
    "heads: causal by default": (lambda w: F.multi_head_attention(w([TWO]), *[w(ONE)] * 4, 1) - w([TWO]), np.zeros((1, 2, 1))),
    "heads: the first token sees itself": (
        lambda w: F.multi_head_attention(w([[[1.0, 2.0], [7.0, 9.0]]]), *[w(np.eye(2))] * 4, 2)[:, 0], [[1, 2]]),
    "heads: each has its own features": (
        lambda w: F.multi_head_attention(w([[[0.0, 1.0], [50.0, 1.0]]]), *[w(np.eye(2))] * 4, 2)[0, 1], [50, 1]),
    "top-k: 1 is greedy": (lambda w: G.top_k_sample(w([1.0, 3.0, 2.0]), 1), 1),
    "top-k: more than the vocabulary": (lambda w: kept(G.top_k(99), w(UNIFORM)), list(range(10))),
    "top-p: 1 is all": (lambda w: kept(G.top_p(1.0), w(PEAKED)), [0, 1, 2, 3]),
    "top-p: uniform": (lambda w: kept(G.top_p(0.35), w(UNIFORM)), [0, 1, 2, 3]),
    "top-p: peaked": (lambda w: kept(G.top_p(0.35), w(PEAKED)), [0]),
    "top-p: the one that crosses p": (lambda w: kept(G.top_p(0.96), w(PEAKED)), [0, 1, 2]),
    "top-p: p reached exactly": (lambda w: kept(G.top_p(0.3), w(UNIFORM)), [0, 1, 2]),
    "temperature: 0 is greedy": (lambda w: G.temperature_sample(w([1.0, 3.0, 2.0]), 0), 1),
    "temperature: tiny": (lambda w: G.temperature_sample(w([-1e30, 3.0, 2.0]), 1e-300), 1),
    "beam search: short without a length penalty": (lambda w: G.beam_search(lambda s: w(sentence(s)), 0, 4, 3, 3, 0.0), [0, 3]),
    "beam search: longer with it": (lambda w: G.beam_search(lambda s: w(sentence(s)), 0, 4, 3, 3, 2.0), [0, 1, 2, 3]),
    "cosine: each row by itself": (
        lambda w: F.cosine_sim_matrix(w([[3.0, 4.0], [3e5, 0.0]]), w([[1e3, 0.0], [0.0, 7.0]])), [[0.6, 0.8], [1, 0]]),
    "cosine: a row of zeros": (lambda w: F.cosine_sim_matrix(w([[0.0, 0.0]]), w([[1.0, 2.0]])), [[0]]),
    "cosine: eps": (lambda w: F.cosine_sim_matrix(w([[3.0, 4.0]]), w([[1.0, 0.0]]), 1.0), [[0.25]]),
    "k-means: one cluster": (lambda w: np.append(*clusters(w(PAIRS), 1)), [4, 146]),
    "k-means: as many as points": (lambda w: np.append(*clusters(w(PAIRS), 4)), [1, 1, 1, 1, 0]),
    "k-means: a cluster without points": (
        lambda w: np.append(*clusters(w(PAIRS), 2, init=np.array([[4.0, 4.0], [1e6, 1e6]]))), [2, 2, 1]),
    "padding: to the longest": (lambda w: B.pad_batch([w([1, 2]), w([3])]), [[1, 2], [3, 0]]),
    "padding: 1 where there is a token": (lambda w: B.attention_mask(w([[1, 2], [3, 0]])), [[1, 1], [1, 0]]),
    "padding: causal too": (lambda w: B.combined_mask(2, w([[0, 1]])), [[[0, 0], [0, 1]]]),
    "logistic regression: sigmoid of large values": (lambda w: F.sigmoid(w([-1e4, 1e4])), [0, 1]),
    "logistic regression: sigmoid by hand": (
        lambda w: H.two_layer_forward(w([[-1e4], [1e4]]), w(ONE), w([0.0]), w(ONE), w([0.0]), "sigmoid")[2], [[0], [1]]),
    "logistic regression: one step from 0": (
        lambda w: tl.estimators.logistic_regression(w([[2.0], [0.0]]), w([1, 0]), 0.1, 1)[0], [0.05]),
    "logistic regression: the penalty's gradient is 2 l2 w": (
        lambda w: H.logistic_backward(w([[0.0]]), w([1.0]), w([1.0]), w([3.0]), 0.5)[0], [3]),
    "backprop: relu has slope 0 at 0 and below": (lambda w: backprop(w, [[0.0], [-1.0]]), [0, 0]),
    "backprop: the loss is a mean, biases are summed": (lambda w: backprop(w, [[1e-9], [1e-9]]), [-1e-9, -1]),
}


@pytest.mark.parametrize("wrap", [np.asarray, tl.tensor], ids=["arrays", "tensors"])
@pytest.mark.parametrize("what", GOTCHAS)
def test_gotchas(what, wrap):
    call, expected = GOTCHAS[what]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(call(wrap), expected, rtol=1e-7, atol=1e-8)


def test_beam_search_repeats_itself_and_sampling_does_not():
    assert G.beam_search(sentence, 0, 3, 5) == G.beam_search(sentence, 0, 3, 5)
    assert len({tuple(G.generate(sentence, [0], 5, generator=tl.Generator(seed))) for seed in range(9)}) > 1


X3, EYE = R.standard_normal((1, 3, 2)), np.eye(2)
AS_WRITTEN = [  # a function, its arguments in their order, and their names
    (F.stable_softmax, [X3], "x"), (F.logsumexp, [X3, -1, False], "x axis keepdims"), (F.cross_entropy, [X3[0], [0, 1, 1]], "logits labels"),
    (F.attention, [X3, X3, X3, np.ones((3, 3))], "Q K V mask"), (F.causal_mask, [3], "L"),
    (F.multi_head_attention, [X3, EYE, EYE, EYE, EYE, 2], "x W_q W_k W_v W_o n_heads"), (G.greedy, [PEAKED], "logits"),
    (G.temperature_sample, [PEAKED, 1e-9], "logits T"), (G.top_k_sample, [PEAKED, 1], "logits k"), (G.top_p_sample, [PEAKED, 0.5], "logits p"),
    (G.beam_search, [sentence, 0, 5, 50, None], "model start_token beam_size max_len eos_token"),
    (tl.estimators.kmeans, [np.ones((3, 2)), 1, 100], "X k max_iter"), (B.pad_batch, [[[1], []], 0], "sequences pad_value"),
    (B.attention_mask, [[[1], []], 0], "sequences pad_id"), (B.combined_mask, [2, [[1, 0]]], "L padding_mask"),
    (F.cosine_sim_matrix, [X3[0], EYE, 1e-8], "Q K eps"), (F.sigmoid, [X3], "z"),
    (tl.estimators.logistic_regression, [X3[0], [0, 1, 1], 0.01, 1000], "X y lr n_iter"),
]
OTHER_NAMES = {F.cross_entropy: "input target", F.sigmoid: "x"}  # PyTorch's, of what has one


@pytest.mark.parametrize("function, arguments, names", AS_WRITTEN, ids=lambda a: getattr(a, "__name__", ""))
def test_arguments_have_the_order_the_names_and_the_defaults_of_the_document(function, arguments, names):
    whole = function(*arguments)
    named = function(**dict(zip(OTHER_NAMES.get(function, names).split(), arguments)))
    defaults = {"axis", "keepdims", "mask", "beam_size", "max_len", "eos_token", "max_iter", "pad_value", "pad_id", "eps", "lr", "n_iter"}
    least = function(*[a for a, name in zip(arguments, names.split()) if name not in defaults])
    for result in (named, least):
        for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in (whole, result)), strict=True):
            np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- cosine similarity
def test_cosine_similarities_and_their_gradients():
    Q, K = R.standard_normal((3, 4)), R.standard_normal((5, 4))
    Q[1] = 0
    lengths = np.linalg.norm(Q, axis=1)[:, None] * np.linalg.norm(K, axis=1)
    expected = np.divide(Q @ K.T, lengths, out=np.zeros((3, 5)), where=lengths > 0)
    np.testing.assert_allclose(F.cosine_sim_matrix(Q, K), expected, atol=1e-15)
    q, k = tl.tensor(Q, requires_grad=True), tl.tensor(K, requires_grad=True)
    F.cosine_sim_matrix(q, k).sum().backward()
    assert (q.grad[1].array == 0).all()
    q, k = tl.tensor(Q[[0, 2]], requires_grad=True), tl.tensor(K, requires_grad=True)
    assert tl.autograd.gradcheck(F.cosine_sim_matrix, (q, k)) and tl.autograd.gradgradcheck(F.cosine_sim_matrix, (q, k))


def test_a_cosine_never_exceeds_1():
    x = R.standard_normal((500, 8)).astype(np.float32)
    assert abs(F.cosine_sim_matrix(x, -x)).max() <= 1 and F.cosine_top_k(x, x, 1)[0].max() <= 1
    huge = np.array([[2e38, 3e38], [3e-42, 0]], np.float32)
    np.testing.assert_allclose(F.cosine_sim_matrix(huge, huge[:1], eps=0.0), [[1], [2 / 13**0.5]], rtol=1e-3)


def test_the_best_k_are_those_of_the_whole_matrix(monkeypatch):
    monkeypatch.setattr(sys.modules["tinygrad_lite.nn.functional.similarity"], "BLOCK", 40)
    Q, K = R.standard_normal((7, 4)), R.integers(-1, 2, (50, 4)).astype(float)  # many ties
    whole = np.round(F.cosine_sim_matrix(Q, K), 12)
    values, at = F.cosine_top_k(Q, K, 6)
    np.testing.assert_allclose(values, -np.sort(-whole, 1)[:, :6], atol=1e-12)
    np.testing.assert_allclose(np.take_along_axis(whole, at, 1), values, atol=1e-12)


def test_sparse_matrices_stay_sparse():
    sparse = pytest.importorskip("scipy.sparse")
    Q, K = R.standard_normal((3, 6)), sparse.random(8, 6, 0.3, random_state=0, format="csr")
    dense = K.toarray()
    expected = F.cosine_sim_matrix(Q, dense)
    np.testing.assert_allclose(F.cosine_sim_matrix(Q, K), expected, atol=1e-15)
    for kind in (sparse.csr_matrix, sparse.csr_array, sparse.coo_array):
        np.testing.assert_allclose(F.cosine_sim_matrix(kind(Q), K), expected, atol=1e-15)
    np.testing.assert_allclose(F.cosine_sim_matrix(K, Q).T, expected, atol=1e-15)
    np.testing.assert_allclose(F.cosine_top_k(Q, K, 2)[0], -np.sort(-expected, 1)[:, :2], atol=1e-15)


WRONG = [
    (lambda: F.cosine_sim_matrix(np.ones(3), np.ones((2, 3))), "Q is of 2 dimensions"),
    (lambda: F.cosine_sim_matrix(np.ones((1, 2)), np.ones((2, 3))), "differ in features"),
    (lambda: F.cosine_top_k(np.ones((1, 2)), np.ones((2, 2)), 3), "k = 3"),
]


@pytest.mark.parametrize("wrong, message", WRONG)
def test_bad_input_gets_a_clear_error(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
