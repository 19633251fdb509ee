"""Attention: masks, heads, what is hidden stays hidden, and the blocks that never hold all scores."""

import math
import sys

import numpy as np
import pytest
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl
from tinygrad_lite import nn

module_of_attention = sys.modules[F.__name__ + ".attention"]  # the function has the name too

R = np.random.default_rng(0)


def leaf(*shape):
    return tl.tensor(R.standard_normal(shape), requires_grad=True)


def plain(q, k, v, mask=None):
    s = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    s = s if mask is None else np.where(mask, s, -np.inf)
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) @ v


@pytest.mark.parametrize("batch, heads", [(1, 1), (1, 3), (2, 2), (3, 3), (3, 2), (2, 1), (4, 4)])
def test_a_combined_mask_hides_padding_in_every_head_however_many_there_are(batch, heads):
    q, k, v = (R.standard_normal((batch, heads, 4, 5)) for _ in range(3))
    mask = nn.batching.combined_mask(4, nn.batching.attention_mask([[1] * (4 - i) for i in range(batch - 1)] + [[2] * 4]))
    assert mask.shape == (batch, 4, 4)
    for given in (mask, mask.astype(int), tl.tensor(mask)):
        np.testing.assert_allclose(F.attention(q, k, v, given), plain(q, k, v, mask[:, None]))
    np.testing.assert_allclose(F.attention(q[:, 0], k[:, 0], v[:, 0], mask), plain(q[:, 0], k[:, 0], v[:, 0], mask))
    np.testing.assert_allclose(F.attention(q, k, v, mask[:1]), plain(q, k, v, mask[0]))


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 1, 4, 5), (4, 5), (2, 1, 1, 5)])
@pytest.mark.parametrize("kind", [bool, int, float])
def test_attention_takes_any_mask_that_broadcasts(shape, kind):
    q, k, v = R.standard_normal((2, 3, 4, 6)), R.standard_normal((2, 3, 5, 6)), R.standard_normal((2, 3, 5, 2))
    mask = R.random(shape) < 0.7
    mask[..., 0] = True
    for wrap in (np.asarray, tl.tensor):
        np.testing.assert_allclose(F.attention(wrap(q), wrap(k), wrap(v), wrap(mask.astype(kind))), plain(q, k, v, mask))


def test_the_causal_mask_is_that_of_is_causal():
    q, k, v = (leaf(2, 4, 3) for _ in range(3))
    assert F.causal_mask(3).tolist() == [[True, False, False], [True, True, False], [True, True, True]]
    np.testing.assert_allclose(F.attention(q, k, v, F.causal_mask(4)),
                               F.scaled_dot_product_attention(q, k, v, is_causal=True))


@pytest.mark.parametrize("mask", [R.random((4, 5)) < 0.7, R.standard_normal((2, 1, 5)), R.standard_normal((4, 5)).astype("float32"),
                                  np.array([True, False, True, True, False])])
@pytest.mark.parametrize("blocks", [False, True])
def test_a_mask_and_is_causal_are_both_kept(mask, blocks, monkeypatch):
    if blocks:
        monkeypatch.setattr(module_of_attention, "LARGE", 1)
        monkeypatch.setattr(module_of_attention, "BLOCK", 2)
    q, k, v, tri = leaf(2, 4, 3), leaf(2, 5, 3), leaf(2, 5, 2), np.tri(4, 5, dtype=bool)
    both = mask & tri if mask.dtype == bool else np.where(tri, mask.astype(float), -np.inf)
    for wrap in (np.asarray, tl.tensor):
        np.testing.assert_allclose(F.scaled_dot_product_attention(q, k, v, wrap(mask), is_causal=True),
                                   F.scaled_dot_product_attention(q, k, v, both))


def test_masks_do_not_change_the_dtype_and_learned_ones_get_gradients():
    q = tl.randn(3, 2)
    mask = tl.tensor(np.zeros((3, 3)), requires_grad=True)  # float64
    out = F.scaled_dot_product_attention(q, q, q, mask, is_causal=True)
    assert out.dtype == np.float32 and out.sum().backward() is None
    assert mask.grad.dtype == np.float64 and (mask.grad.array[np.triu_indices(3, 1)] == 0).all() and mask.grad.array.any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("blocks", [False, True])
def test_what_is_masked_out_reaches_neither_output_nor_gradient(bad, blocks, monkeypatch):
    if blocks:
        monkeypatch.setattr(module_of_attention, "LARGE", 1)
        monkeypatch.setattr(module_of_attention, "BLOCK", 2)
    hidden = np.ones((4, 4), bool)
    hidden[:, -1] = False
    clean = [R.standard_normal((4, 3)) for _ in range(3)]
    dirty = [x.copy() for x in clean]
    dirty[1][-1], dirty[2][-1] = bad, bad  # the last key and value
    results = []
    with np.errstate(all="ignore"):
        for arrays in (clean, dirty):
            q, k, v = (tl.tensor(x, requires_grad=True) for x in arrays)
            out = F.scaled_dot_product_attention(q, k, v, tl.tensor(hidden))
            out.sum().backward()
            causal = F.scaled_dot_product_attention(q, k, v, is_causal=True)[:-1]  # seen by the last query only
            results.append([out.array, q.grad.array, k.grad.array, v.grad.array, causal.array,
                            tl.autograd.grad(causal.sum(), q)[0].array[:-1]])
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("settings", [{}, {"is_causal": True}, {"attn_mask": R.random((2, 7, 9)) < 0.6},
                                      {"attn_mask": R.standard_normal((7, 9))}, {"attn_mask": np.zeros((7, 1), bool)}])
def test_blocks_equal_the_whole_forward_backward_and_twice(settings, monkeypatch):
    inputs = [leaf(2, 7, 3), leaf(2, 9, 3), leaf(2, 9, 4)]
    settings = {k: tl.tensor(v) if isinstance(v, np.ndarray) else v for k, v in settings.items()}

    def results():
        wrt = [tl.tensor(x.array, requires_grad=True) for x in inputs]
        out = F.scaled_dot_product_attention(*wrt, **settings)
        first = tl.autograd.grad((out * np.cos(out.array)).sum(), wrt, create_graph=True)
        return [out, *first, *tl.autograd.grad(sum((g * g).sum() for g in first), wrt)]

    whole = results()
    monkeypatch.setattr(module_of_attention, "LARGE", 1)
    monkeypatch.setattr(module_of_attention, "BLOCK", 4)
    for a, b in zip(whole, results()):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    assert tl.autograd.gradcheck(lambda *xs: F.scaled_dot_product_attention(*xs, **settings), inputs)


def heads_one_by_one(x, ws, mask):
    q, k, v = (x @ w for w in ws[:3])
    return np.concatenate([plain(q[..., h : h + 3], k[..., h : h + 3], v[..., h : h + 3], mask) for h in (0, 3)], -1) @ ws[3]


EACH = R.random((3, 5, 5)) < 0.5
EACH[..., 0] = True
MASKS = [(None, np.tri(5, dtype=bool)), (np.ones((5, 5)), None), (tl.tensor(EACH[0]), EACH[0]), (EACH, EACH),
         (EACH[:, None].astype(int), EACH)]  # what is given for 3 sequences, what each head sees


@pytest.mark.parametrize("given, seen", MASKS)
def test_many_heads_are_attention_head_by_head_and_causal_unless_a_mask_is_given(given, seen):
    x, ws = R.standard_normal((3, 5, 6)), [R.standard_normal((6, 6)) for _ in range(4)]
    np.testing.assert_allclose(F.multi_head_attention(x, *ws, 2, given), heads_one_by_one(x, ws, seen))
    inputs = [tl.tensor(a, requires_grad=True) for a in (x, *ws)]
    assert tl.autograd.gradcheck(lambda *a: F.multi_head_attention(*a, 2, given), inputs)


def test_a_mask_of_each_sequence_where_there_are_as_many_heads():
    x, ws = R.standard_normal((2, 5, 6)), [R.standard_normal((6, 6)) for _ in range(4)]
    np.testing.assert_allclose(F.multi_head_attention(x, *ws, 2, EACH[:2]), heads_one_by_one(x, ws, EACH[:2]))


FLOATS = R.standard_normal((3, 4))
MODULE_MASKS = [  # what is given, and what is added to the scores of 2 sequences (B, H, L, S)
    ({"is_causal": True}, np.where(np.tri(3, 4), 0, -np.inf)),
    ({"is_causal": True, "attn_mask": EACH[0, :3, 1:]}, np.where(np.tri(3, 4) * ~EACH[0, :3, 1:], 0, -np.inf)),
    ({"is_causal": True, "attn_mask": FLOATS}, np.where(np.tri(3, 4), FLOATS, -np.inf)),
    ({"is_causal": True, "key_padding_mask": np.array([[False, True, False, False]] * 2)}, np.where(np.tri(3, 4) * [1, 0, 1, 1], 0, -np.inf)),
    ({"attn_mask": FLOATS, "key_padding_mask": np.eye(2, 4) > 0}, np.where(np.eye(2, 4)[:, None, None], -np.inf, FLOATS)),
    ({"attn_mask": FLOATS, "key_padding_mask": FLOATS[:2]}, FLOATS + FLOATS[:2, None, None]),
    ({"attn_mask": EACH[0, :3, 1:], "key_padding_mask": FLOATS[:2]}, np.where(EACH[0, :3, 1:], -np.inf, FLOATS[:2, None, None])),
]


@pytest.mark.parametrize("given, added", MODULE_MASKS)
@pytest.mark.parametrize("need_weights", [False, True])
def test_the_module_keeps_every_mask_that_it_is_given(given, added, need_weights):
    layer = nn.MultiheadAttention(4, 2, batch_first=True).double()
    x, y = leaf(2, 3, 4), leaf(2, 4, 4)
    q, k, v = (F.linear(t, w).reshape(2, -1, 2, 2).transpose(1, 2) for t, w in zip((x, y, y), layer.in_proj_weight.chunk(3)))
    heads = F.scaled_dot_product_attention(q, k, v, np.broadcast_to(added, (2, 2, 3, 4)).copy())
    expected = layer.out_proj(heads.transpose(1, 2).reshape(2, 3, 4))
    out, _ = layer(x, y, y, need_weights=need_weights, **{name: m if m is True else tl.tensor(m) for name, m in given.items()})
    np.testing.assert_allclose(out, expected)


def test_a_mask_that_is_learned_gets_its_gradient_through_the_module():
    layer, x = nn.MultiheadAttention(4, 2, batch_first=True).double(), leaf(2, 3, 4)
    bias, padding = leaf(3, 3), leaf(2, 3)
    assert tl.autograd.gradcheck(lambda b, p: layer(x, x, x, attn_mask=b, key_padding_mask=p, need_weights=False)[0], (bias, padding))


def test_a_query_that_may_look_nowhere_gives_zeros_and_zero_gradients_in_the_module_too():
    layer = nn.MultiheadAttention(4, 2, batch_first=True).double()
    x = leaf(2, 3, 4)
    hidden = tl.tensor([[False, False, True], [True, True, True]])
    out, weights = layer(x, x, x, key_padding_mask=hidden)
    assert (weights[1].array == 0).all() and np.allclose(weights[0].array.sum(-1), 1)
    assert (out[1].array == layer.out_proj.bias.array).all()
    out[1].sum().backward()
    assert (x.grad.array == 0).all()
    assert np.allclose(layer(x, x, x, key_padding_mask=hidden, need_weights=False)[0], out)


WRONG = [
    (lambda: F.attention(*[np.ones((2, 2))] * 3, np.full((2, 2), 0.5)), ValueError, "bools or 0 and 1"),
    (lambda: F.attention(*[np.ones((2, 3, 4, 5))] * 3, np.ones((3, 4, 4))), ValueError, r"\(B, L, S\) with B=2.*mask\[None\]"),
    (lambda: F.multi_head_attention(np.ones((1, 2, 4)), *[np.ones((4, 4))] * 4, 2.0), TypeError, "n_heads is a whole number, not 2.0"),
    (lambda: nn.MultiheadAttention(4, 2.0), TypeError, "num_heads is a whole number, not 2.0"),
    (lambda: F.multi_head_attention(np.ones((1, 2, 3)), *[np.ones((3, 3))] * 4, 2), ValueError, "3 features.*2 heads"),
    (lambda: F.multi_head_attention(np.ones((2, 3)), *[np.ones((3, 3))] * 4, 1), ValueError, r"\(B, L, D\)"),
    (lambda: F.multi_head_attention(np.ones((1, 2, 4)), *[np.ones((4, 4))] * 4, 0), ValueError, "4 features.*0 heads"),
    (lambda: F.multi_head_attention(np.ones((3, 2, 4)), *[np.ones((4, 4))] * 4, 2, np.ones((3, 2))), ValueError, "combined_mask"),
    (lambda: F.scaled_dot_product_attention(*[np.ones((2, 2))] * 3, np.ones((2, 2), int)), RuntimeError, "bools.*int64"),
    (lambda: F.scaled_dot_product_attention(*[np.ones((2, 2))] * 3, np.ones((3, 2), bool)), RuntimeError, r"\(3, 2\).*\(2, 2\)"),
    (lambda: F.scaled_dot_product_attention(*[np.ones((2, 2))] * 3, np.ones((5, 2, 2), bool)), RuntimeError, "broadcast"),
    (lambda: nn.MultiheadAttention(4, 2)(*[tl.ones(2, 1, 4)] * 3, attn_mask=tl.ones(2, 2).long()), RuntimeError, "attn_mask.*int64"),
    (lambda: nn.MultiheadAttention(4, 2)(*[tl.ones(2, 1, 4)] * 3, key_padding_mask=tl.ones(1, 2).long()), RuntimeError, "key_padding_mask.*int64"),
    (lambda: nn.MultiheadAttention(5, 2), ValueError, "5.*2 heads"),
    (lambda: nn.MultiheadAttention(4, 2)(tl.ones(4, 1, 4), *[tl.ones(4, 4)] * 2), RuntimeError, "2 dimensions, or 3"),
    (lambda: nn.MultiheadAttention(4, 2)(*[tl.ones(2, 1, 4)] * 3, attn_mask=tl.ones(3, 2)), RuntimeError, "attn_mask"),
]


@pytest.mark.parametrize("wrong, kind, message", WRONG)
def test_bad_input_gets_a_clear_error(wrong, kind, message):
    with pytest.raises(kind, match=message):
        wrong()


def test_long_causal_attention_with_keys_that_nobody_sees():
    q, k, v = (tl.tensor(np.ones(shape), requires_grad=True) for shape in ((2, 1024, 1), (4096, 1), (4096, 1)))
    with tl.no_grad():
        k[-1] = v[-1] = float("nan")  # behind the last query
    F.scaled_dot_product_attention(q, k, v, is_causal=True).sum().backward()
    assert q.grad.shape == q.shape and k.grad.shape == k.shape and np.isfinite(k.grad.array).all()
    assert (v.grad.array[1024:] == 0).all() and np.isclose(v.grad.array.sum(), 2 * 1024)


def test_attention_of_no_queries_is_empty_and_over_no_keys_zero():
    q, none = tl.ones(1, 2, 4, requires_grad=True), tl.ones(1, 0, 4)
    assert F.scaled_dot_product_attention(none, none, none).shape == (1, 0, 4)
    out = F.scaled_dot_product_attention(q, none, none)
    out.sum().backward()
    assert not out.array.any() and out.shape == (1, 2, 4) and not q.grad.array.any()
