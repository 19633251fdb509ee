"""Every primitive as a row: forward, gradient, second gradient and dtype follow from it."""

import numpy as np
import pytest

import tinygrad_lite as tl

R = np.random.default_rng(0)


def n(*shape):
    return R.standard_normal(shape)


def p(*shape):
    return R.uniform(0.5, 2.0, shape)


MASK = np.array([[True, False, True], [False, True, True]])
ROWS = [  # name, function on Tensors or arrays, numpy's word for it, the inputs
    ("add", lambda x, y: x + y, np.add, [n(2, 3), n(3)]),
    ("sub", lambda x, y: x - y, np.subtract, [n(2, 1), n(3)]),
    ("mul", lambda x, y: x * y, np.multiply, [n(2, 3), n()]),
    ("div", lambda x, y: x / y, np.divide, [n(2, 3), p(2, 1)]),
    ("pow", tl.ops.pow, np.power, [p(2, 3), n(3)]),
    ("pow", lambda x: x**3, lambda x: x * x * x, [n(4)]),
    ("remainder", lambda x, y: x % y, np.remainder, [n(4), p(4)]),
    ("maximum", tl.ops.maximum, np.maximum, [n(2, 3), n(3)]),
    ("minimum", tl.ops.minimum, np.minimum, [n(2, 3), n(3)]),
    ("where", lambda x, y: tl.ops.where(MASK, x, y), lambda x, y: np.where(MASK, x, y), [n(2, 3), n(3)]),
    ("neg", lambda x: -x, np.negative, [n(0, 3)]),
    ("abs", tl.ops.abs, np.abs, [n(3)]),
    ("exp", tl.ops.exp, np.exp, [n(2, 3)]),
    ("log", tl.ops.log, np.log, [p(2, 3)]),
    ("sqrt", tl.ops.sqrt, np.sqrt, [p(2, 3)]),
    ("tanh", tl.ops.tanh, np.tanh, [n(2, 3)]),
    ("sigmoid", tl.ops.sigmoid, lambda x: 1 / (1 + np.exp(-x)), [n(2, 3)]),
    ("relu", tl.ops.relu, lambda x: x * (x > 0), [n(2, 3)]),
    ("sum", lambda x: tl.ops.sum(x, axis=1, keepdims=True), lambda x: x.sum(1, keepdims=True), [n(2, 3)]),
    ("sum", lambda x: tl.ops.sum(x, (0, -1)), lambda x: x.sum((0, 2)), [n(2, 3, 2)]),
    ("mean", lambda x: tl.ops.mean(x, -1), lambda x: x.mean(-1), [n(2, 3)]),
    ("amax", lambda x: tl.ops.amax(x, 0), lambda x: x.max(0), [n(2, 3)]),
    ("amin", lambda x: tl.ops.amin(x), lambda x: x.min(), [n(2, 3)]),
    ("take_along_dim", lambda x: tl.ops.max(x, 1)[0], lambda x: x.max(1), [n(2, 3)]),
    ("reshape", lambda x: tl.ops.reshape(x, 3, -1), lambda x: x.reshape(3, 2), [n(2, 3)]),
    ("reshape", lambda x: tl.ops.flatten(x, 1), lambda x: x.reshape(2, 4), [n(2, 2, 2)]),
    ("permute", lambda x: tl.ops.permute(x, 2, 0, 1), lambda x: x.transpose(2, 0, 1), [n(2, 3, 4)]),
    ("permute", lambda x: tl.ops.transpose(x, 0, -1), lambda x: x.swapaxes(0, -1), [n(2, 3, 4)]),
    ("broadcast_to", lambda x: tl.ops.expand(x, 4, -1, 3), lambda x: np.broadcast_to(x, (4, 2, 3)), [n(2, 1)]),
    ("sum_to", lambda x: tl.tape.sum_to(x, (3,)), lambda x: x.sum(0), [n(2, 3)]),
    ("cast", lambda x: tl.tape.cast(x, np.float64), lambda x: x, [n(2)]),
    ("getitem", lambda x: x[::-1, 1:], lambda x: x[::-1, 1:], [n(2, 3)]),
    ("getitem", lambda x: x[..., None, [0, 0, 2]], lambda x: x[..., None, [0, 0, 2]], [n(2, 3)]),
    ("getitem", lambda x: x[MASK], lambda x: x[MASK], [n(2, 3)]),
    ("place", lambda x: tl.ops.place(x, [1, 1], (3,)), lambda x: np.array([0, x.sum(), 0]), [n(2)]),
    ("put", lambda x, y: tl.ops.put(x, 1, y), lambda x, y: np.stack([x[0], np.broadcast_to(y, 3)]), [n(2, 3), n()]),
    ("put", lambda x, y: tl.ops.put(x, [1, 1, 0], y), lambda x, y: np.array([y[2], y[1], x[2]]), [n(3), n(3)]),
    ("matmul", lambda x, y: x @ y, np.matmul, [n(2, 3), n(3, 4)]),
    ("matmul", lambda x, y: x @ y, np.matmul, [n(5, 1, 2, 3), n(2, 3, 4)]),
    ("matmul", lambda x, y: x @ y, np.matmul, [n(3), n(3)]),
    ("matmul", lambda x, y: x @ y, np.matmul, [n(2, 2, 3), n(3)]),
]
IDS = [f"{name}-{i}" for i, (name, *_) in enumerate(ROWS)]


@pytest.mark.parametrize("name, fn, formula, inputs", ROWS, ids=IDS)
def test_row(name, fn, formula, inputs):
    tensors = [tl.tensor(x, requires_grad=True) for x in inputs]
    assert np.allclose(fn(*tensors).array, formula(*inputs), rtol=1e-13, atol=1e-15)
    assert tl.autograd.gradcheck(fn, tensors)
    assert tl.autograd.gradgradcheck(fn, tensors)


@pytest.mark.parametrize("name, fn, formula, inputs", [r for r in ROWS if r[0] != "cast"])
def test_float32_stays_float32(name, fn, formula, inputs):
    tensors = [tl.tensor(x.astype(np.float32), requires_grad=True) for x in inputs]
    out = fn(*tensors)
    assert out.dtype == np.float32
    out.sum().backward()
    assert all(x.grad.dtype == np.float32 and x.grad.shape == x.shape for x in tensors)


def test_every_primitive_with_a_rule_has_a_row():
    ruled = {name for name, op in tl.ops.TABLE.items() if any(op.rules)}
    assert ruled == {row[0] for row in ROWS}


t = tl.tensor
DTYPES = [
    (lambda: t(1.5), "float32"), (lambda: t([1, 2]), "int64"), (lambda: t([True]), "bool"),
    (lambda: t(np.ones(2)), "float64"), (lambda: t([1.0]) * 2.0, "float32"), (lambda: t([1, 2]) * 2.5, "float32"),
    (lambda: t([1, 2]) / 2, "float32"), (lambda: t([1.0]) * t(np.array(2.0)), "float32"),
    (lambda: t([1]) + t([1.0]), "float32"), (lambda: t([True]) + 1, "int64"), (lambda: t([1]).exp(), "float32"),
    (lambda: t([1.0], dtype=np.float16) * 2.0, "float16"), (lambda: t([1.0]) * np.float64(2), "float32"),
    (lambda: np.ones(2) * t([1.0, 2.0]), "float64"), (lambda: t([1.0]) > 0, "bool"), (lambda: t([True]).sum(), "int64"),
]


@pytest.mark.parametrize("make, dtype", DTYPES)
def test_dtypes_are_pytorchs(make, dtype):
    out = make()
    assert isinstance(out, tl.Tensor) and out.dtype == dtype


def test_numpy_functions_and_operators_keep_the_gradient():
    x = t([1.0, 2.0], requires_grad=True)
    (np.ones(2, np.float32) * np.exp(x)).sum().backward()
    assert np.allclose(x.grad, np.exp([1.0, 2.0]))


def test_ties_share_for_amax_and_pick_one_for_max():
    x = t([3.0, 3.0, 1.0], requires_grad=True)
    x.amax().backward()
    assert x.grad.tolist() == [0.5, 0.5, 0.0]
    x.grad = None
    x.max(0)[0].backward()
    assert x.grad.tolist() == [1.0, 0.0, 0.0]


def test_zero_to_the_zero():
    x, y = t([0.0, 2.0], requires_grad=True), t([0.0, 0.0], requires_grad=True)
    (x**y).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0] and np.allclose(y.grad, [0.0, np.log(2.0)])


ERRORS = [
    (lambda: t([[1.0, 2.0, 3.0]]) + t([1.0, 2.0]), RuntimeError, r"add.*\[1, 3\].*\[2\]"),
    (lambda: t([[1.0, 2.0]]) @ t([[1.0, 2.0]]), RuntimeError, r"matmul.*\[1, 2\].*\[1, 2\]"),
    (lambda: t([1, 2], requires_grad=True), RuntimeError, "floating-point"),
    (lambda: (t([1.0, 2.0], requires_grad=True) * 2).backward(), RuntimeError, "scalar"),
    (lambda: (t([1.0, 2.0], requires_grad=True) * 2).backward(t([1.0])), RuntimeError, r"\(1,\).*\(2,\)"),
    (lambda: t([1.0]).backward(), RuntimeError, "does not require grad"),
    (lambda: t([1.0, 2.0]).item(), RuntimeError, "2 elements"),
    (lambda: t([1.0]).sum(3), IndexError, "sum.*3"),
    (lambda: t([1.0]).unsqueeze(5), IndexError, "out of range"),
    (lambda: t([1.0])[4], IndexError, "getitem.*4"),
    (lambda: t([1.0, 2.0]).reshape(3), RuntimeError, r"reshape.*\[2\].*3"),
    (lambda: t([1, 2]).mean(), TypeError, r"mean.*float"),
    (lambda: bool(t([1.0, 2.0])), RuntimeError, "ambiguous"),
    (lambda: t([1.0], requires_grad=True).numpy(), RuntimeError, "detach"),
    (lambda: t([1.0]) + "a", TypeError, "add.*str is no real number"),
    (lambda: t([1.0]).sum(dims=0), TypeError, "dims"),
    (lambda: t(["a"]), TypeError, "real numbers"),
    (lambda: t([1.0]).permute(0, 1), (RuntimeError, IndexError), "range|once"),
]


@pytest.mark.parametrize("wrong, kind, message", ERRORS)
def test_bad_input_gets_a_clear_error(wrong, kind, message):
    with pytest.raises(kind, match=message):
        wrong()
