"""The corners: infinities, zeros, ties, bounds, empty, and where rounding would spoil the result."""

import math
from fractions import Fraction

import numpy as np
import pytest
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl

INF, NAN = math.inf, math.nan


def leaf(data, dtype=np.float64):
    return tl.tensor(np.array(data, dtype), requires_grad=True)


CASES = {  # what: (function, inputs, value, gradients of the sum); None: not compared
    "logsumexp of all -inf": (lambda x: tl.logsumexp(x, 0), [[-INF, -INF]], -INF, [[0, 0]]),
    "logsumexp with +inf": (lambda x: tl.logsumexp(x, 0), [[INF, 0.0]], INF, None),
    "softmax at 1e4": (lambda x: F.softmax(x, 0)[0], [[1e4, 0.0]], 1.0, [[0, 0]]),
    "softmax with -inf": (lambda x: F.softmax(x, 0)[0], [[0.0, -INF, 0.0]], 0.5, [[0.25, 0, -0.25]]),
    "log_softmax at 1e4": (lambda x: F.log_softmax(x, 0)[1], [[1e4, 0.0]], -1e4, [[-1, 1]]),
    "sigmoid at +-1e4": (tl.sigmoid, [[1e4, -1e4]], [1, 0], [[0, 0]]),
    "logsigmoid at +-1e4": (F.logsigmoid, [[1e4, -1e4]], [0, -1e4], [[0, 1]]),
    "softplus at +-1e4": (F.softplus, [[1e4, -1e4]], [1e4, 0], [[1, 0]]),
    "logaddexp at +-1e4": (tl.logaddexp, [[1e4, -1e4], [-1e4, -1e4]], [1e4, -1e4 + math.log(2)], [[1, 0.5], [0, 0.5]]),
    "BCE with logits at +-1e4": (lambda x: F.binary_cross_entropy_with_logits(x, tl.tensor([1.0, 1.0]), reduction="none"),
                                 [[1e4, -1e4]], [0, 1e4], [[0, -1]]),
    "cross_entropy at 1e4": (lambda x: F.cross_entropy(x, np.array([1])), [[[1e4, 0.0]]], 1e4, [[[1, -1]]]),
    "cross_entropy of ignored rows": (lambda x: F.cross_entropy(x, np.array([-100, 0])), [[[NAN, 0.0], [0.0, 0.0]]],
                                      math.log(2), [[[0, 0], [-0.5, 0.5]]]),
    "where and the NaN of the other branch": (lambda x: tl.where(x > 0, x, x * 2), [[1.0, NAN]], None, [[1, 2]]),
    "double where": (lambda x: tl.where(x > 0, tl.log(tl.where(x > 0, x, 1.0)), 0.0), [[0.0, 2.0]], [0, math.log(2)], [[0, 0.5]]),
    "masked_fill over a NaN": (lambda x: tl.masked_fill(x * 2, np.array([True, False]), 0.0), [[NAN, 1.0]], [0, 2], [[0, 2]]),
    "norm at 0": (lambda x: tl.norm(x), [[0.0, 0.0]], 0, [[0, 0]]),
    "norm at 0, p = 3": (lambda x: tl.norm(x, 3), [[0.0, 0.0]], 0, [[0, 0]]),
    "sqrt at 0": (tl.sqrt, [[0.0]], [0], [[INF]]),
    "abs, sign and relu at 0": (lambda x: abs(x) + tl.relu(x) + tl.sign(x), [[0.0]], [0], [[0]]),
    "0 to the 0, negative bases": (lambda x: x**0 + x**2 + x**3, [[0.0, -2.0]], [1, -3], [[0, 8]]),
    "0 to a tensor": (tl.pow, [[0.0, 0.0, 2.0], [0.0, 2.0, 0.0]], [1, 0, 1], [[0, 0, 0], [0, 0, math.log(2)]]),
    "0 to a negative power": (lambda x: x**-1, [[0.0]], [INF], [[-INF]]),
    "ties share for amax": (tl.amax, [[3.0, 3.0, 1.0]], 3, [[0.5, 0.5, 0]]),
    "ties pick one for max(dim)": (lambda x: x.max(0)[0], [[3.0, 3.0, 1.0]], 3, [[1, 0, 0]]),
    "ties of maximum": (tl.maximum, [[1.0, 2.0], [1.0, 0.0]], [1, 2], [[0.5, 1], [0.5, 0]]),
    "prod with one zero": (tl.prod, [[2.0, 0.0, 3.0]], 0, [[0, 6, 0]]),
    "prod with two zeros": (tl.prod, [[0.0, 5.0, 0.0]], 0, [[0, 0, 0]]),
    "cumprod with zeros": (lambda x: tl.cumprod(x, 0), [[2.0, 0.0, 3.0]], [2, 0, 0], [[1, 8, 0]]),
    "bce of logits, weight 0": (lambda x: F.binary_cross_entropy_with_logits(x, tl.tensor([1.0, 0.0]), tl.zeros(2)),
                                [[-INF, INF]], 0, [[0, 0]]),
    "bce of logits, weight and pos_weight 0": (
        lambda x: F.binary_cross_entropy_with_logits(x, tl.ones(2), tl.zeros(2), pos_weight=tl.zeros(2)),
        [[-INF, -INF]], 0, [[0, 0]]),
    "amax of two and large numbers": (lambda x: tl.amax(x) * 1e50, [[1.0, 0.1]], 1e50, [[1e50, 0]]),
    "a large number to a power": (lambda x: 1e300 ** x, [[1.0]], 1e300, [[1e300 * math.log(1e300)]]),
    "median of equals": (tl.median, [[1.0, 0.5, 1.0]], 1, [[0.5, 0, 0.5]]),
    "median of nothing": (tl.median, [np.zeros(0)], math.nan, None),
    "maximum of NaN": (tl.maximum, [[math.nan], [1.0]], math.nan, [[1], [1]]),
    "minimum of NaN": (tl.minimum, [[1.0], [math.nan]], math.nan, [[1], [1]]),
    "elu of NaN": (F.elu, [[math.nan]], math.nan, [[1]]),
    "max_pool of -inf with a border": (lambda x: F.max_pool2d(x, 2, padding=1), [np.full((1, 2, 2), -INF)], -INF,
                                       [np.ones((1, 2, 2))]),
    "embedding of one index": (lambda w: F.embedding(tl.tensor(0), w, padding_idx=1), [np.ones((2, 1))], 1, [[[1], [0]]]),
    "logcumsumexp from -inf": (lambda x: tl.logcumsumexp(x, 0), [[-INF, 0.0, 0.0]], [-INF, 0, math.log(2)], [[0, 1.5, 0.5]]),
    "std of equal elements": (lambda x: x.std(), [[2.0, 2.0]], 0, [[0, 0]]),
    "var of one element without correction": (lambda x: x.var(unbiased=False), [[2.0]], 0, [[0]]),
    "clamp at its bounds": (lambda x: tl.clamp(x, 0.0, 1.0), [[-1.0, 0.0, 0.5, 1.0, 2.0]], [0, 0, 0.5, 1, 1], [[0, 1, 1, 1, 0]]),
    "hardtanh at its bounds": (F.hardtanh, [[-1.0, 0.0, 1.0]], [-1, 0, 1], [[0, 1, 0]]),
    "mean of nothing": (tl.mean, [[]], NAN, [[]]), "sum of nothing": (tl.sum, [[]], 0, [[]]), "prod of nothing": (tl.prod, [[]], 1, [[]]),
    "kl_div of a zero probability": (lambda x: F.kl_div(x, np.array([0.0, 1.0]), reduction="sum"), [[-1.0, 0.0]], 0, [[0, -1]]),
    "BCE at 0 and 1": (lambda x: F.binary_cross_entropy(x, np.array([1.0, 1.0, 0.0, 0.0]), reduction="none"),
                       [[0.0, 1.0, 0.0, 1.0]], [100, 0, 0, 100], [[-1e12, 0, 0, 1e12]]),
    "BCE of sigmoids that saturate": (lambda x: F.binary_cross_entropy(tl.sigmoid(x), np.array([1.0, 0.0]), reduction="sum"),
                                      [[800.0, -800.0]], 0, [[0, 0]]),
    "BCE with logits at +-inf": (
        lambda x: F.binary_cross_entropy_with_logits(x, np.array([1.0, 0.0, 1.0, 0.0]), reduction="none"),
        [[INF, INF, -INF, -INF]], [0, INF, INF, 0], [[0, 1, -1, 0]]),
    "weighted BCE with logits at +-inf": (
        lambda x: F.binary_cross_entropy_with_logits(x, np.array([1.0, 0.0, 1.0, 0.0]), reduction="none", pos_weight=np.array(2.0)),
        [[INF, INF, -INF, -INF]], [0, INF, INF, 0], [[0, 1, -2, 0]]),
    "cross_entropy of a probability of 0 at -inf": (
        lambda x: F.cross_entropy(x, np.array([[0.0, 1.0, 0.0]])), [[[-INF, 0.0, 0.0]]], math.log(2), [[[0, -0.5, 0.5]]]),
    "cross_entropy of a class that weighs nothing at -inf": (
        lambda x: F.cross_entropy(x, np.array([0, 1]), np.array([0.0, 1.0])), [[[-INF, 0.0], [0.0, 0.0]]], math.log(2),
        [[[0, 0], [0.5, -0.5]]]),
    "kl_div where there is no mass": (lambda x: F.kl_div(x, np.array([0.0, 1.0]), reduction="sum"), [[-INF, 0.0]], 0, [[0, -1]]),
    "kl_div where there is no mass, of logs": (
        lambda x: F.kl_div(x, np.array([-INF, -INF, 0.0]), reduction="sum", log_target=True), [[-INF, -1.0, 0.0]], 0, [[0, 0, -1]]),
    "atan2 on the axes": (tl.atan2, [[1.0, 0.0], [0.0, -1.0]], [math.pi / 2, math.pi], [[0, -1], [-1, 0]]),
    "atan2 at the origin": (tl.atan2, [[0.0], [0.0]], [0], [[0], [0]]),
    "prod of zeros and large numbers": (tl.prod, [[1e200, 0.0, 0.0, 1e200, 1e200]], 0, [[0, 0, 0, 0, 0]]),
    "softplus of NaN": (F.softplus, [[NAN]], [NAN], [[NAN]]),
    "gelu by tanh where squares overflow": (lambda x: F.gelu(x, approximate="tanh"), [[1e200, -1e200]], [1e200, 0], [[1, 0]]),
}

BIG = {  # the same in float32, where squares leave the range
    "norm": (tl.norm, [[3e20, 4e20]], 5e20, [[0.6, 0.8]]), "norm of tiny numbers": (tl.norm, [[1e-23]], 1e-23, [[1]]),
    "norm, p = 3": (lambda x: tl.norm(x, 3), [[1e20, 0.0]], 1e20, [[1, 0]]),
    "norm, p = 50": (lambda x: tl.norm(x, 50), [[10.0, 0.0]], 10, [[1, 0]]),
    "norm, p = -2": (lambda x: tl.norm(x, -2), [[1e-25, 1e25]], 1e-25, [[1, 0]]),
    "norms of rows": (lambda x: tl.norm(x, 2, 1), [[[3e20, 4e20], [0, 0], [3, 4], [3e-23, 4e-23]]], [5e20, 0, 5, 5e-23],
                      [[[0.6, 0.8], [0, 0], [0.6, 0.8], [0.6, 0.8]]]),
    "norm of an infinity": (tl.norm, [[INF, 1.0]], INF, None), "matrix_norm": (tl.matrix_norm, [[[3e20], [4e20]]], 5e20, [[[0.6], [0.8]]]),
    "std": (lambda x: x.std(unbiased=False), [[3e20, -3e20]], 3e20, [[0.5, -0.5]]),
    "normalize": (lambda x: F.normalize(x, dim=0)[0], [[2e38, 2e38]], 0.5**0.5, None),
    "cosine_similarity": (lambda x, y: F.cosine_similarity(x, y, 0), [[2e38, 3e38], [2e38, 3e38]], 1, None),
    "cosine_sim_matrix": (F.cosine_sim_matrix, [[[2e38, 3e38]], [[2e-23, 3e-23]]], [[3.605551e-15]], None),
    "cdist": (F.cdist, [[[3e20, 0.0]], [[0.0, 4e20]]], [[5e20]], [[[0.6, -0.8]], [[-0.6, 0.8]]]),
    "atan2": (tl.atan2, [[1e25, 1e-19], [1e25, 1e-19]], [math.pi / 4] * 2, [[5e-26, 5e18], [-5e-26, -5e18]]),
    "hypot": (tl.hypot, [[3e20], [4e20]], [5e20], [[0.6], [0.8]]),
    "layer_norm": (lambda x: F.layer_norm(x, (2,)), [[[1e25, -1e25], [1.0, 1.0]]], [[1, -1], [0, 0]], None),
    "rms_norm": (lambda x: F.rms_norm(x, (2,)), [[1e25, -1e25]], [1, -1], None),
    "prod": (tl.prod, [[[1e13, 0, 0], [1e13, 1e13, 0], [1e13, 1e13, 1e13]]], 0, [np.zeros((3, 3))]),
    "prod that is infinite": (tl.prod, [[1e20, 1e20, 0.1]], INF, [[1e19, 1e19, INF]]),
}


def second(function, inputs):
    """First and second gradients of the sum."""
    leaves = [leaf(x) for x in inputs]
    first = tl.autograd.grad(function(*leaves).sum(), leaves, create_graph=True, materialize_grads=True)
    total = sum(g.sum() for g in first)
    return leaves, first, tl.autograd.grad(total, leaves, materialize_grads=True) if total.requires_grad else []


@pytest.mark.parametrize("what", CASES)
def test_second_derivatives_in_the_corners_are_numbers_where_the_first_are(what):
    function, inputs = CASES[what][:2]
    if what == "prod of zeros and large numbers":
        pytest.skip("they are infinite")
    leaves, first, twice = second(function, inputs)
    if all(np.isfinite(x.array).all() for x in (*leaves, *first)):
        assert all(np.isfinite(g.array).all() for g in twice)


@pytest.mark.parametrize("what", BIG)
def test_squares_that_leave_the_range(what):
    function, inputs, value, gradients = BIG[what]
    wrt = [leaf(x, np.float32) for x in inputs]
    out = function(*wrt)
    np.testing.assert_allclose(out.array, value, rtol=1e-6, atol=1e-30)
    if gradients is not None:
        for g, expected in zip(tl.autograd.grad(out.sum(), wrt), gradients):
            np.testing.assert_allclose(g.array, expected, rtol=1e-6, atol=1e-30)


def test_no_cosine_exceeds_one():
    x = tl.tensor(np.random.default_rng(0).standard_normal((2000, 3)).astype(np.float32))
    assert F.cosine_similarity(x, x * 3).amax().item() <= 1 and F.cosine_sim_matrix(x[:99], x[:99]).amax().item() <= 1


@pytest.mark.parametrize("what", CASES)
def test_corner(what):
    function, inputs, value, gradients = CASES[what]
    wrt = [leaf(x) for x in inputs]
    out = function(*wrt)
    if value is not None:
        np.testing.assert_allclose(out.array, value, rtol=1e-12, atol=1e-300)
    if gradients is not None:
        for create_graph in (True, False):
            found = tl.autograd.grad(out.sum(), wrt, create_graph=create_graph)
            for expected, g in zip(gradients, found):
                np.testing.assert_allclose(g.array, expected, rtol=1e-12)


def test_a_row_that_may_look_nowhere_is_zero_with_zero_gradients():
    q, k, v = (leaf(np.random.default_rng(s).standard_normal((2, 3))) for s in range(3))
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=np.array([[False, False], [True, False]]))
    assert out[0].tolist() == [0, 0, 0] and np.allclose(out[1], v[0])
    out.sum().backward()
    assert q.grad[0].tolist() == [0, 0, 0] and all(np.isfinite(x.grad.array).all() for x in (q, k, v))


def test_every_target_ignored_is_nan_as_in_pytorch():
    x = leaf(np.zeros((2, 3)))
    loss = F.cross_entropy(x, np.array([-100, -100]))
    assert math.isnan(loss.item()) and F.cross_entropy(x, np.array([-100, -100]), reduction="sum").item() == 0


def test_one_element_has_no_unbiased_variance():
    assert math.isnan(leaf([1.0]).var().item()) and math.isnan(leaf([1.0]).std().item())


def test_variance_of_float32_far_from_zero():
    x = tl.tensor(1e4 + np.random.default_rng(0).standard_normal(1000), dtype=np.float32)
    assert abs(x.var().item() / x.array.astype(np.float64).var(ddof=1) - 1) < 1e-5


def test_erf_is_within_two_units_in_the_last_place():
    x = np.concatenate([np.linspace(-7, 7, 20_001), np.logspace(-300, 1, 2_001)])
    exact = np.array([math.erf(v) for v in x])
    assert (np.abs(tl.erf(x) - exact) / np.spacing(np.abs(exact))).max() <= 2
    assert np.array_equal(tl.erf(np.array([INF, -INF])), [1, -1]) and np.isnan(tl.erf(np.array([NAN]))).all()


def test_float16_sums_accumulate_in_float32():
    x = tl.ones(5000, dtype=np.float16)
    assert x.sum().item() == 5000 and x.sum().dtype == np.float16 and x.mean().item() == 1
    assert tl.cumsum(tl.full((3000,), 1.0, dtype=np.float16), 0)[-1].item() == 3000


def test_a_square_costs_no_pow():
    x = np.linspace(0.1, 2, 1000)
    assert np.array_equal((tl.tensor(x) ** 2).array, x * x)  # np.power is not exact to the last bit everywhere
    assert all(Fraction(float(a)) == Fraction(float(b)) for a, b in zip((tl.tensor(x) ** 2).array, x * x))


def test_sorting_keeps_the_order_of_equals():
    values, at = tl.sort(tl.tensor([1, 0, 1, 0]), descending=True)
    assert at.tolist() == [0, 2, 1, 3] and values.tolist() == [1, 1, 0, 0]
    assert tl.median(tl.tensor([1.0, NAN, 2.0])).isnan().item()


def test_gumbel_softmax_draws_in_proportion_and_passes_gradients():
    tl.manual_seed(0)
    logits = tl.tensor(np.log([[0.2, 0.8]]).repeat(4000, 0), requires_grad=True)
    hard = F.gumbel_softmax(logits, hard=True)
    assert set(np.unique(hard.array).round(12)) == {0.0, 1.0} and abs(hard.array[:, 1].mean() - 0.8) < 0.03
    hard[:, 1].sum().backward()
    assert np.abs(logits.grad.array).max() > 0


def test_batch_norm_moves_its_running_statistics():
    mean, var = tl.zeros(2), tl.ones(2)
    x = tl.tensor(np.random.default_rng(0).standard_normal((8, 2, 3)).astype(np.float32) * 2 + 1)
    F.batch_norm(x, mean, var, training=True, momentum=0.5)
    assert np.allclose(mean, x.array.mean((0, 2)) / 2) and np.allclose(var, 0.5 + x.array.var((0, 2), ddof=1) / 2)
    out = F.batch_norm(x, mean, var)
    assert np.allclose(out, (x.array - mean.array[:, None]) / np.sqrt(var.array[:, None] + 1e-5), atol=1e-6)


def test_embedding_leaves_the_padding_row_alone():
    weight = leaf(np.ones((3, 2)))
    F.embedding(np.array([0, 1, 1, 2]), weight, padding_idx=1).sum().backward()
    assert weight.grad.tolist() == [[1, 1], [0, 0], [1, 1]]


def test_many_tensors_are_joined():
    parts = [leaf([float(k)]) for k in range(300)]
    out = tl.cat(parts)
    assert out.tolist() == list(range(300))
    (out * np.arange(300.0)).sum().backward()
    assert [p.grad.item() for p in parts] == list(range(300))


def test_repeated_indices_add_their_gradients_up():
    x = leaf(np.zeros((3, 2)))
    x[[0, 0, 2, 0]].sum().backward()
    assert x.grad.tolist() == [[3, 3], [0, 0], [1, 1]]


def test_of_what_is_written_twice_the_last_stays_and_has_the_gradient():
    x, values = leaf([1.0, 2.0, 3.0]), leaf([4.0, 5.0, 6.0])
    out = tl.index_put(x, (np.array([1, 1, 0]),), values)
    (out * np.array([1.0, 10.0, 100.0])).sum().backward()
    assert out.tolist() == [6.0, 5.0, 3.0]
    assert x.grad.tolist() == [0.0, 0.0, 100.0] and values.grad.tolist() == [0.0, 10.0, 1.0]


@pytest.mark.parametrize("total", [lambda x: tl.sum(x), lambda x: tl.sum(x[None], 1)[0], lambda x: tl.mean(x) * x.numel(), lambda x: x[:, None].expand(-1, 1).sum(1).sum()])
def test_long_sums_lose_nothing(total):
    x = tl.full((1 << 16,), 0.1)
    assert abs(total(x).item() / (float(np.float32(0.1)) * (1 << 16)) - 1) < 1e-6


def test_sums_of_rows_and_columns_are_numpys_whatever_their_length():
    for shape in [(1, 5000), (5000, 1), (3, 4096), (4097, 3), (2, 3, 40), (1, 1), (0, 3), (3, 0)]:
        x = np.random.default_rng(0).standard_normal(shape)
        for dim in (None, 0, -1):
            np.testing.assert_allclose(tl.sum(tl.tensor(x), dim).array, x.sum(axis=dim), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(100, 2), (33, 32), (33, 33), (40, 1), (3, 2)])
def test_extremes_of_short_rows_are_numpys(shape):
    x = np.random.default_rng(0).standard_normal(shape)
    x[1, 0] = np.nan
    for dim in (0, 1, -1):
        for keep in (False, True):
            np.testing.assert_array_equal(tl.amax(tl.tensor(x), dim, keep).array, x.max(axis=dim, keepdims=keep))
            np.testing.assert_array_equal(tl.amin(tl.tensor(x.T.copy().T), dim, keep).array, x.min(axis=dim, keepdims=keep))


@pytest.mark.parametrize("join", [tl.cat, tl.stack])
def test_joined_tensors_have_the_widest_of_their_dtypes(join):
    for kinds, expected in [((np.int64, np.float32), np.float32), ((np.float32, np.float64), np.float64), ((bool, np.int8), np.int8), ((np.float16, np.int64), np.float16)]:
        parts = [tl.tensor(np.ones(2, kind)) for kind in kinds]
        assert join(parts).dtype == join(parts[::-1]).dtype == expected
    x, y = leaf([1.0, 2.0], np.float32), leaf([3.0, 4.0])
    (join([x, y]) * 2).sum().backward()
    assert x.grad.dtype == np.float32 and y.grad.dtype == np.float64 and x.grad.tolist() == y.grad.tolist() == [2.0, 2.0]


def test_a_short_list_of_lists_is_a_tuple_of_indices_and_a_long_one_an_array():
    x = tl.arange(9).reshape(3, 3)
    assert x[[[0], [1]]].tolist() == [1] and x[[[0]] * 32].shape == (32, 1, 3)
    with pytest.raises(IndexError, match="too many indices"):
        tl.arange(9)[[[0], [1]]]
