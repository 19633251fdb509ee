"""Numbers at the ends of their range: float16, second derivatives where a formula has a kink, and numpy's silence."""

import math
import warnings

import numpy as np
import pytest
from calls import CASES, outputs, parameter, real, run, tensors
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl
from tinygrad_lite import nn, optim

INF = math.inf


# ---------------------------------------------------------------- float16
UNSUPPORTED = {  # numpy has no linear algebra of float16, and PyTorch no quantiles
    *"inv solve solve_triangular det slogdet logdet cholesky eigh eigvalsh qr pinv svd svdvals cofactors matrix_norm matrix_power quantile nanquantile".split()}
BY_EPS = {"nn.functional.rms_norm"}  # its eps is that of the dtype


def rounded(x):
    return x.array.astype(np.float16).astype(np.float64)


@pytest.mark.parametrize("name, function, row, sample", [c for c in CASES if c.values[0] not in UNSUPPORTED | BY_EPS])
def test_float16_is_computed_in_float32_and_rounded_once(name, function, row, sample):
    def parameter64(x):
        x = parameter(x, np.float16)
        return x.double() if isinstance(x, tl.Tensor) and x.dtype == np.float16 else x

    halves = tensors(sample, np.float16)
    exact = [tl.tensor(x.array, dtype=np.float64, requires_grad=True) for x in halves]
    found = real(run(function, sample, halves, lambda x: parameter(x, np.float16)))
    expected = real(run(function, sample, exact, parameter64))
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a.array, rounded(b), rtol=3e-3, atol=2e-5)
    for lot, wrt in ((found, halves), (expected, exact)):
        lot[:] = [out for out in lot if out.requires_grad]
        seeds = [tl.tensor(np.cos(np.arange(out.numel())).reshape(out.shape).astype(np.float16)).to(out.dtype) for out in lot]
        if lot and row.differentiable:
            lot[:] = tl.autograd.grad(lot, wrt, seeds, allow_unused=True)
    for a, b in zip(found, expected):
        if a is not None and row.differentiable:
            assert a.dtype == np.float16
            np.testing.assert_allclose(a.array, rounded(b), rtol=3e-3, atol=1e-3)


HALVES = {  # what: (function, input, value)
    "layer_norm": (lambda x: F.layer_norm(x, (4,)), [300, -300, 150, 20], [1.1641, -1.5488, 0.4861, -0.10175]),
    "rms_norm": (lambda x: F.rms_norm(x, (2,)), [300, -300], [1, -1]),
    "group_norm": (lambda x: F.group_norm(x[None, :, None], 1)[0, :, 0], [300, -300], [1, -1]),
    "batch_norm": (lambda x: F.batch_norm(x[:, None], training=True)[:, 0], [300, -300], [1, -1]),
    "normalize": (lambda x: F.normalize(x, dim=0), [30000, 40000], [0.6, 0.8]),
    "norm": (tl.norm, [600, 800], 1000), "std": (lambda x: x.std(unbiased=False), [300, -300], 300),
    "cosine": (lambda x: F.cosine_similarity(x, x, 0), [300, 400], 1),
    "mse": (lambda x: F.mse_loss(x, x * 0), [300] + [0] * 99, 900),
    "prod": (tl.prod, [300, 300, 0.01], 900), "logsumexp": (tl.logsumexp, [10] * 3000, 18.006),
    "softmax": (lambda x: F.softmax(x, 0)[0] * 4096, [1] * 4096, 1),
}


@pytest.mark.parametrize("what", HALVES)
def test_float16_keeps_what_float32_can(what):
    function, data, value = HALVES[what]
    out = function(tl.tensor(np.array(data, np.float16)))
    assert out.dtype == np.float16
    np.testing.assert_allclose(out.array, value, rtol=1e-3)


def test_float16_gradients_of_a_broadcast_accumulate_in_float32():
    bias = tl.zeros(2, dtype=np.float16, requires_grad=True)
    (tl.zeros(5000, 2, dtype=np.float16) + bias).sum().backward()
    assert bias.grad.tolist() == [5000, 5000]


def test_a_float32_weight_decides_the_dtype():
    x, weight = tl.tensor(np.ones((2, 3), np.float16)), tl.ones(3)
    assert F.layer_norm(x, (3,), weight).dtype == np.float32 and F.layer_norm(x, (3,)).dtype == np.float16


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW, lambda p, lr: optim.SGD(p, lr, momentum=0.9)])
def test_optimizers_of_float16_parameters_are_those_of_float32_rounded(make):
    p, q = (tl.tensor(np.array([1.0, 2, 3, 4], dtype), requires_grad=True) for dtype in (np.float16, np.float32))
    optimizers = [make([x], lr=0.01) for x in (p, q)]
    for _ in range(3):
        for x, optimizer in zip((p, q), optimizers):
            x.grad = tl.tensor(np.array([0, 6e-8, 1e-4, 300], x.dtype))
            optimizer.step()
    assert p.dtype == np.float16 and np.allclose(p, q, rtol=2e-3)


# ---------------------------------------------------------------- second derivatives
SECOND = {  # what: (function, input, first, second derivative), elementwise
    "softplus": (F.softplus, [0.0], [0.5], [0.25]), "logsigmoid": (F.logsigmoid, [0.0], [0.5], [-0.25]),
    "logaddexp at a tie": (lambda x: tl.logaddexp(x, np.array([1.5])), [1.5], [0.5], [0.25]),
    "BCE with logits": (lambda x: F.binary_cross_entropy_with_logits(x, tl.tensor([0.0, 1.0, 0.3]), reduction="sum"),
                        [0.0, 0.0, 0.0], [0.5, -0.5, 0.2], [0.25] * 3),
    "weighted BCE with logits": (lambda x: F.binary_cross_entropy_with_logits(x, tl.tensor([1.0]), pos_weight=tl.tensor(2.0)),
                                 [0.0], [-1.0], [0.5]),
    "BCE where it is settled": (lambda x: F.binary_cross_entropy(x, tl.tensor([0.0, 1.0]), reduction="sum"),
                                [0.0, 1.0], [0, 0], [0, 0]),
    "huber": (lambda x: F.huber_loss(x, x.detach() * 0, reduction="sum"), [0.0, 0.5, 1.0, 2.0], [0, 0.5, 1, 1], [1, 1, 0, 0]),
    "smooth_l1": (lambda x: F.smooth_l1_loss(x, x.detach() * 0, reduction="sum", beta=0.5), [0.0, 1.0], [0, 1], [2, 0]),
    "sigmoid": (tl.sigmoid, [0.0], [0.25], [0.0]), "silu": (F.silu, [0.0], [0.5], [0.5]),
    "gelu": (F.gelu, [0.0], [0.5], [2 / math.sqrt(2 * math.pi)]), "mish": (F.mish, [0.0], [0.6], [0.64]),
    "atan2 on the diagonal": (lambda x: tl.atan2(x, np.array([2.0])), [2.0], [0.25], [-0.125]),
    "hypot": (lambda x: tl.hypot(x, np.array([4.0])), [3.0], [0.6], [0.128]),
}


@pytest.mark.parametrize("what", SECOND)
def test_first_and_second_derivative(what):
    function, data, first, second = SECOND[what]
    x = tl.tensor(np.array(data), requires_grad=True)
    (g,) = tl.autograd.grad(function(x).sum(), [x], create_graph=True)
    (h,) = tl.autograd.grad(g.sum(), [x])
    np.testing.assert_allclose(g.array, first, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(h.array, second, rtol=1e-6, atol=1e-12)


def test_a_cosine_has_curvature_where_it_is_one():
    y = np.array([1.0, 2.0, 3.0])
    assert tl.autograd.gradgradcheck(lambda x: F.cosine_similarity(x, y, 0), tl.tensor(y, requires_grad=True))


# ---------------------------------------------------------------- numpy's warnings
SPECIAL = np.array([0.0, -1.0, 1e30, 1e-30, INF, -INF, np.nan])


@pytest.mark.parametrize("name, function, row, sample", CASES)
def test_no_warning_reaches_the_user(name, function, row, sample):
    def strange(x):
        values = np.resize(SPECIAL, x.shape).astype(np.float32)
        return tl.tensor(values * 0.5 + 0.5 if name.endswith("binary_cross_entropy") else values, requires_grad=True)

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            found = [out for out in outputs(run(function, sample, [strange(x) for x in tensors(sample)])) if out.requires_grad]
        except (RuntimeError, ValueError, np.linalg.LinAlgError):  # what is refused
            return
        if found:
            sum(out.sum() for out in found).backward()


def test_numpys_own_warnings_stay_the_users():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        tl.log(tl.zeros(1))
        np.log(np.zeros(1))


def test_compiled_programs_and_conversions_are_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        program = tl.compile(lambda x: (F.softplus(x), tl.log(x * 0), x / 0))
        for _ in range(4):
            program(tl.tensor([math.nan, 1.0]))
        assert tl.tensor([1e60]).item() == INF and tl.tensor([70000.0]).half().item() == INF
        x = tl.zeros(1)
        x.copy_(tl.tensor([1e60], dtype=np.float64))
        assert x.item() == INF and np.isnan(F.softmax(np.array([-INF, -INF]), 0)).all()


@pytest.mark.parametrize("divide", [lambda x: x // 0, lambda x: x % 0, lambda x: tl.div(x, 0, rounding_mode="trunc")])
def test_a_whole_number_divided_by_zero_is_refused(divide):
    with pytest.raises(RuntimeError, match="divided by zero"):
        divide(tl.tensor([1, 2]))


@pytest.mark.parametrize("make", [
    lambda: tl.tensor([1e300]), lambda: tl.linspace(0, 1e300, 3), lambda: tl.arange(0, 1e300, 1e299),
    lambda: tl.as_tensor(np.array([1e300]), dtype=tl.float32), lambda: tl.tensor([1e300], dtype=tl.float64).float(), lambda: tl.tensor([INF]).long(),
    lambda: tl.zeros(1).fill_(1e300), lambda: tl.zeros(1).copy_(np.array([1e300])), lambda: tl.ones(1).div_(0), lambda: np.multiply(tl.tensor([3e38]), tl.tensor([3e38])),
    lambda: tl.tensor([3e38]) @ tl.tensor([3e38]), lambda: tl.nn.by_hand.sigmoid(np.array([-1e4, 1e4]))])
def test_making_and_changing_tensors_does_not_warn(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make()


WHOLE = tl.tensor([[1, 2], [3, 4]])
FLOATS = tl.tensor([[0.5, 0.25], [0.1, 0.9]])


@pytest.mark.parametrize("result", [
    lambda: F.linear(WHOLE, FLOATS), lambda: F.linear(WHOLE, FLOATS, WHOLE[0]), lambda: nn.Linear(2, 3)(WHOLE),
    lambda: F.layer_norm(FLOATS, (2,), WHOLE[0]), lambda: F.layer_norm(WHOLE, (2,)), lambda: F.rms_norm(WHOLE, (2,)),
    lambda: F.batch_norm(WHOLE, tl.zeros(2), tl.ones(2)), lambda: F.group_norm(WHOLE, 1),
    lambda: F.batch_norm(WHOLE, training=True), lambda: F.batch_norm(FLOATS, weight=WHOLE[0], training=True),
    lambda: F.instance_norm(WHOLE[None]),
    lambda: F.binary_cross_entropy(FLOATS, WHOLE % 2), lambda: F.binary_cross_entropy_with_logits(FLOATS, WHOLE % 2),
    lambda: F.binary_cross_entropy_with_logits(FLOATS, WHOLE > 2), lambda: F.cosine_similarity(FLOATS, WHOLE),
    lambda: F.cross_entropy(WHOLE, tl.tensor([0, 1])), lambda: F.scaled_dot_product_attention(FLOATS, WHOLE, WHOLE),
    *[lambda f=f: f(WHOLE) for f in (tl.softmax, tl.log_softmax, F.gelu, F.silu, F.mish, F.softplus, F.logsigmoid, tl.std,
                                     tl.var, tl.norm, tl.linalg.inv, tl.linalg.det, F.normalize, tl.linalg.svdvals)],
    lambda: tl.linalg.solve(WHOLE, WHOLE), lambda: tl.cdist(WHOLE, FLOATS), lambda: F.pairwise_distance(WHOLE, WHOLE),
    lambda: FLOATS ** np.float64(2), lambda: F.softplus(FLOATS, np.float64(2)), lambda: tl.pow(FLOATS, np.float64(2)),
    lambda: F.scaled_dot_product_attention(FLOATS, FLOATS, FLOATS, scale=np.float64(0.5)),
    lambda: tl.linalg.cholesky(tl.tensor([[4, 1], [1, 3]]))])
def test_whole_numbers_and_numpys_numbers_widen_nothing(result):
    assert result().dtype == np.float32


def test_float64_decides_among_tensors_of_a_function_with_a_rule_by_hand():
    x, w = tl.ones(2, 2, requires_grad=True), tl.ones(2, 2, dtype=np.float64, requires_grad=True)
    F.linear(x, w).sum().backward()
    assert F.linear(x, w).dtype == w.grad.dtype == np.float64 and x.grad.dtype == np.float32
    assert F.linear(WHOLE, WHOLE).dtype == np.int64


@pytest.mark.parametrize("dtype, alpha", [(np.int64, 2.5), (np.int64, True), (np.float32, True), (np.bool_, 2.5)])
def test_alpha_is_of_no_higher_kind_than_the_result(dtype, alpha):
    x = tl.tensor([1, 0]).to(dtype)
    with pytest.raises(RuntimeError, match="add: alpha"):
        tl.add(x, x, alpha=alpha)


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.float16])
def test_alpha_changes_no_dtype(dtype):
    x, y = (tl.tensor(v).to(dtype) for v in ([7, 9], [1, 2]))
    assert tl.add(x, y, alpha=2).dtype == tl.sub(x, y, alpha=2).dtype == dtype
    assert tl.sub(x, y, alpha=2).tolist() == [5, 5]


def test_the_border_of_a_pool_of_whole_numbers_is_never_the_largest():
    x = -tl.arange(1, 17).reshape(1, 1, 4, 4)
    assert F.max_pool2d(x, 2, padding=1).reshape(-1).tolist() == [-1, -2, -4, -5, -6, -8, -13, -14, -16]


def test_the_default_dtype_reaches_distributions_and_masks():
    tl.set_default_dtype(tl.float64)
    try:
        assert tl.distributions.Normal(0.0, 1.0).sample().dtype == np.float64
        assert nn.Transformer.generate_square_subsequent_mask(2).dtype == np.float64
        assert nn.LSTM(1, 1).weight_ih_l0.dtype == nn.MultiheadAttention(2, 1).in_proj_weight.dtype == np.float64
    finally:
        tl.set_default_dtype(tl.float32)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("y", [0.0, -0.0, 1.5, "each", "column"])
@pytest.mark.parametrize("n", [3, 2000])
def test_what_is_chosen_is_chosen_bit_by_bit(n, y, dtype):
    r = np.random.default_rng(0)
    x = r.standard_normal((2, n)).astype(dtype)
    x[:, :2] = INF, np.nan
    y = {"each": -x[::-1], "column": x[:, :1]}.get(y, y)
    condition = r.random((2, n)) < 0.5
    for c, a, b in ((condition, x, y), (condition, y, x), (condition[:1], x, y)):
        found = tl.where(tl.tensor(c), *(tl.tensor(v) if isinstance(v, np.ndarray) else v for v in (a, b)))
        expected = np.where(c, a, b)
        assert found.array.tobytes() == expected.tobytes() and found.dtype == expected.dtype


@pytest.mark.parametrize("n", [3, 2000])
@pytest.mark.parametrize("gate", [tl.relu, lambda x: x.clamp(min=0), lambda x: x.clamp(0, 9), lambda x: tl.maximum(x, tl.tensor(0.0)), lambda x: -tl.minimum(-x, tl.tensor(0.0))])
def test_an_infinite_gradient_does_not_come_back_where_it_is_stopped(gate, n):
    x = tl.tensor(np.resize([-1.0, -4.0, 4.0], n), requires_grad=True)
    gate(x).sqrt().sum().backward()
    assert x.grad.tolist() == np.resize([0.0, 0.0, 0.25], n).tolist()


LONG = {  # sums of more elements than float32 adds up one after the other: what, and how many there are in each
    "rows": (lambda x: x.reshape(-1, 4).sum(0), 75_000), "columns": (lambda x: x.reshape(-1, 4).T.sum(1), 75_000),
    "the middle": (lambda x: x.reshape(3, -1, 4).sum(1), 25_000), "two": (lambda x: x.reshape(300, -1, 4).sum((0, 1)), 75_000),
    "ends": (lambda x: x.reshape(-1, 3, 4).sum((0, 2)), 100_000), "all": (lambda x: x.sum(), 300_000),
    "every other": (lambda x: x[::2].sum(), 150_000), "permuted": (lambda x: x.reshape(-1, 3, 4).permute(2, 0, 1).sum((1, 2)), 75_000),
    "kept": (lambda x: x.reshape(-1, 4).sum(0, keepdim=True)[0], 75_000), "an odd number": (lambda x: x[:299_997].reshape(-1, 3).sum(0), 99_999)}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("way", [lambda f: f, tl.compile], ids=["eager", "compiled"])
def test_long_sums_keep_their_digits(name, way):
    sum_of, count = LONG[name]
    function, x = way(sum_of), tl.full((300_000,), 0.1)
    for _ in range(3):
        np.testing.assert_allclose(function(x).array, 0.1 * count, rtol=2e-5)


def test_the_gradient_of_what_is_broadcast_to_many_rows_keeps_its_digits():
    for shape, many in (((2,), (300_000, 2)), ((2, 1), (100_000, 2, 3))):
        bias = tl.zeros(shape, requires_grad=True)
        (tl.full(many, 0.1) * bias).sum().backward()
        np.testing.assert_allclose(bias.grad.array, 3e4, rtol=2e-5)
