"""The interview patterns: the calls as they are asked for, and the examples that show them."""

import runpy
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tl

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").rglob("*.py"))
F = tl.nn.functional
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
    np.testing.assert_allclose(F.cosine_sim_matrix(sparse.csr_matrix(Q), K), expected, atol=1e-15)
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
