"""Derivatives of functions: what `tl.func` takes and gives, how its parts nest, and what it refuses."""

import collections
import dataclasses
import math

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import func, nn
from tinygrad_lite.func import grad, hessian, hvp, jacfwd, jacrev, jvp, linearize, value_and_grad, vjp, vmap

X, V, A = np.array([0.1, 0.7, -0.4]), np.array([1.0, -2.0, 0.5]), np.arange(6.0).reshape(2, 3)


# ---------------------------------------------------------------- what is taken and given
Pair = collections.namedtuple("Pair", "w b")


@dataclasses.dataclass
class Line:
    w: object
    b: object = None


@pytest.mark.parametrize("argument", [1.5, 2, np.float32(1.5), np.array(1.5), X, tl.tensor(X), X.astype(np.float32)], ids=repr)
def test_a_gradient_has_the_form_of_its_argument(argument):
    value, gradient = value_and_grad(lambda x: np.sum(x * x))(argument)
    assert type(gradient) is (float if isinstance(argument, int) else type(argument))
    assert type(value) is (float if isinstance(argument, (int, float)) and not isinstance(argument, np.generic) else
                           tl.Tensor if isinstance(argument, tl.Tensor) else type(np.sum(argument)))
    np.testing.assert_allclose(gradient, 2 * np.asarray(argument), rtol=1e-6)


@pytest.mark.parametrize("tree", [{"w": X, "b": 2.0}, [X, 2.0], (X, 2.0), Pair(X, 2.0), Line(X, 2.0), {"w": [X, {"b": (2.0, None)}]}], ids=repr)
def test_a_gradient_by_a_tree_is_a_tree(tree):
    found = grad(lambda t: sum(np.sum(x * x) for x in tl.engine.trees.leaves(t, records=True) if x is not None))(tree)
    assert type(found) is type(tree)
    for g, x in zip(tl.engine.trees.leaves(found, True), tl.engine.trees.leaves(tree, True), strict=True):
        assert (g is None) if x is None else np.array_equal(g, 2 * np.asarray(x))


def test_argnums_and_aux():
    def f(x, y, scale=1.0):
        return np.sum(x * x * y) * scale, {"sum": x + y}

    (gx, gy), aux = grad(f, (0, 1), has_aux=True)(X, V, scale=2.0)
    np.testing.assert_allclose(gx, 4 * X * V)
    np.testing.assert_allclose(gy, 2 * X * X)
    assert isinstance(aux["sum"], np.ndarray) and np.array_equal(aux["sum"], X + V)
    (value, aux), gy = value_and_grad(f, -1, has_aux=True)(X, V)
    assert value == np.sum(X * X * V) and np.array_equal(gy, X * X)
    assert func.grad_and_value(lambda x: x * x)(3.0) == (6.0, 9.0)


def test_the_caller_keeps_its_arrays_and_tensors():
    x = tl.tensor(X, requires_grad=True)
    g = grad(lambda x: (x * x).sum())(X)
    g += 1
    assert np.array_equal(X, [0.1, 0.7, -0.4])
    value, g = value_and_grad(lambda x: (x * x).sum())(x)
    g.sum().backward()  # a Tensor that is tracked stays so
    assert value.requires_grad and x.grad.tolist() == [2, 2, 2]
    assert not value_and_grad(lambda y: (y * y).sum())(tl.tensor(X))[0].requires_grad
    w = tl.tensor(2.0, requires_grad=True)
    assert isinstance(grad(lambda y: (y * y).sum() * w)(X), tl.Tensor)  # it depends on w, which somebody else may ask for


def test_vectors_are_paired_by_key_and_form():
    pair = {"a": 1.0, "b": 2.0}
    assert jvp(lambda d: d["a"], (pair,), ({"b": 10.0, "a": 1.0},))[1] == 1
    assert vjp(lambda x: {"a": x, "b": 3 * x}, 1.0)[1]({"b": 1.0, "a": 0.0}) == (3,)
    assert hvp(lambda d: d["a"] ** 2 + 5 * d["b"] ** 2, pair, {"b": 0.0, "a": 1.0}) == {"a": 2, "b": 0}
    assert linearize(lambda d: d["a"], pair)[1]({"b": 10.0, "a": 1.0}) == 1
    for wrong, words in (({"a": 1.0}, r"\[0\] is a dict with \['a'\], where a dict with \['a', 'b'\]"), ({"a": 1.0, "c": 1.0}, r"\[0\] is a dict"), ((1.0, 2.0), "a tuple of 2, where a dict")):
        with pytest.raises(ValueError, match=f"jvp: the vector has the form of the primals: .*{words}"):
            jvp(lambda d: d["a"], (pair,), (wrong,))
    with pytest.raises(ValueError, match="the form of"):
        jvp(lambda d: d[0][0] * d[1], (((1.0, 2.0), 3.0),), ((1.0, (2.0, 3.0)),))


def test_numbers_are_of_double_precision_in_functions_of_numpys_arrays():
    assert grad(lambda x: np.sum(np.where(x > 0.25, 0.1, 0.7) * x))(X)[1] == 0.1
    assert grad(lambda x: np.sum(x) * (np.sum(x > 0) / 3))(X)[0] == 2 / 3 and vmap(lambda i: i / 3)(np.array([1, 2])).dtype == np.float64
    assert grad(lambda x: np.sum(x) * np.mean(x > 0))(X)[0] == 2 / 3
    assert grad(lambda x: (x * tl.tensor([0.1])).sum())(np.ones(1, np.float32)).dtype == np.float32 and tl.tensor(0.1).dtype == np.float32


# ---------------------------------------------------------------- nesting
def test_orders_nest_and_are_not_confused():
    assert grad(np.tanh)(1.0) == 1 - math.tanh(1.0) ** 2
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(5.0) == 1
    assert jvp(lambda x: x * jvp(lambda y: x + y, (1.0,), (1.0,))[1], (5.0,), (1.0,))[1] == 1
    assert grad(lambda x: x * jvp(lambda y: x + y, (1.0,), (1.0,))[1])(5.0) == 1
    assert jvp(lambda x: x * grad(lambda y: x + y)(1.0), (5.0,), (1.0,))[1] == 1
    assert grad(lambda x: grad(lambda y: x * y * y)(3.0) * x)(2.0) == 24
    np.testing.assert_allclose(grad(grad(grad(np.sin)))(0.3), -math.cos(0.3))
    f = np.tanh
    step = 1e-3
    for _ in range(5):
        f = grad(f)
        np.testing.assert_allclose(grad(f)(0.3), (f(0.3 + step) - f(0.3 - step)) / (2 * step), rtol=1e-4, atol=1e-4)


def test_gradients_through_a_closure_and_beside_it():
    w = tl.tensor(V, requires_grad=True)
    (grad(lambda x: (w * x * x).sum())(tl.tensor(X)) ** 2).sum().backward()
    np.testing.assert_allclose(w.grad, 8 * V * X * X)


@pytest.mark.parametrize("mode", [jacrev, jacfwd])
def test_jacobians_have_the_shape_of_the_output_and_of_the_argument(mode):
    def f(x, y):
        return {"product": A @ (x * y), "sum": np.sum(x) + y[0]}

    found = mode(f, (0, 1))(X, V)
    np.testing.assert_allclose(found["product"][0], A * V)
    np.testing.assert_allclose(found["product"][1], A * X)
    np.testing.assert_allclose(found["sum"][1], [1, 0, 0])
    assert mode(lambda x: x.reshape(3, 1) * x)(X).shape == (3, 3, 3)
    assert mode(lambda x: x * np.ones(0))(2.0).shape == (0,) and mode(lambda x: x.sum() * np.ones(2))(np.ones(0)).shape == (2, 0)
    assert mode(lambda x: x * 2, has_aux=False)(3.0) == 2
    (jacobian, aux) = mode(lambda x: (x * x, x), has_aux=True)(X)
    assert np.array_equal(jacobian, np.diag(2 * X)) and np.array_equal(aux, X)
    np.testing.assert_allclose(jacrev(lambda x: A @ (x * x), chunk_size=1)(X), 2 * A * X)


def test_hessians_and_products_with_them():
    def f(x, y):
        return np.sum(np.sin(x) * y * y)

    blocks = hessian(f, (0, 1))(X, V)
    np.testing.assert_allclose(blocks[0][0], np.diag(-np.sin(X) * V * V))
    np.testing.assert_allclose(blocks[0][1], np.diag(np.cos(X) * 2 * V))
    np.testing.assert_allclose(hvp(lambda x: f(x, V), X, V), blocks[0][0] @ V)
    np.testing.assert_allclose(func.vhp(lambda x: f(x, V), (X,), (V,)), blocks[0][0] @ V)
    for mine, row in zip(hvp(f, (X, V), (V, X)), blocks):
        np.testing.assert_allclose(mine, row[0] @ V + row[1] @ X)


def test_linear_maps_can_be_used_again():
    out, pushed = linearize(lambda x, y: x * y, X, V)
    for scale in (1, 2):
        np.testing.assert_allclose(pushed(scale * V, X), scale * V * V + X * X)
    _, pulled = vjp(lambda x, y: x * y, X, V)
    for scale in (1, 2):
        np.testing.assert_allclose(pulled(scale * V)[0], scale * V * V)
    w = tl.tensor(V)
    _, pushed = linearize(lambda x: x * w * w, tl.tensor(X))
    w.mul_(2)
    with pytest.raises(RuntimeError, match="changed in place"):
        pushed(tl.tensor(V))


def test_what_is_compiled_is_differentiated_and_the_other_way_round():
    compiled = tl.compile(grad(lambda x: (x ** 3).sum()))
    for scale in (1, 2, 3, 4):
        np.testing.assert_allclose(compiled(tl.tensor(scale * X)), 3 * (scale * X) ** 2)
        np.testing.assert_allclose(compiled(scale * X), 3 * (scale * X) ** 2)
    mapped = tl.compile(vmap(lambda x: A @ x))
    for scale in (1, 2, 3, 4):
        np.testing.assert_allclose(mapped(tl.tensor(scale * np.stack([X, V]))), scale * np.stack([A @ X, A @ V]))
    step = tl.compile(lambda x: x * x)
    np.testing.assert_allclose([grad(step)(x) for x in (1.0, 2.0, 3.0, 4.0)], [2, 4, 6, 8])
    second = tl.compile(hessian(lambda x: (A @ x).pow(3).sum()))
    for scale in (1, 2, 3, 4):
        np.testing.assert_allclose(second(tl.tensor(scale * X)), A.T @ np.diag(6 * A @ (scale * X)) @ A, atol=1e-12)


# ---------------------------------------------------------------- maps
def test_dimensions_in_and_out():
    x, y = np.arange(12.0).reshape(3, 4), np.arange(4.0)
    assert np.array_equal(vmap(np.sum)(x), x.sum(1)) and np.array_equal(vmap(np.sum, 1)(x), x.sum(0))
    assert np.array_equal(vmap(lambda a, b: a * b, (0, None))(x, y), x * y)
    assert np.array_equal(vmap(lambda a, b: a * b, (1, 0), 1)(x, y), x * y)
    assert vmap(lambda d: d["a"] * d["b"][0], ({"a": 0, "b": [None]},))({"a": x, "b": [y]}).shape == (3, 4)
    out = vmap(lambda r: {"both": (r, r.sum()), "none": None}, out_dims={"both": (-1, 0), "none": None})(x)
    assert np.array_equal(out["both"][0], x.T) and out["none"] is None
    assert np.array_equal(vmap(vmap(lambda a, b: a - b, (None, 0)), (0, None))(y, y), y[:, None] - y)
    assert np.array_equal(vmap(lambda r: 1.0)(x), np.ones(3)) and vmap(lambda r: r)(x[:0]).shape == (0, 4)
    assert np.array_equal(vmap(lambda a, b: a @ b, (0, None), chunk_size=2)(x, y), x @ y)
    assert type(vmap(lambda r: r)(tl.tensor(x))) is tl.Tensor


def test_indices_and_choices_that_differ_from_example_to_example():
    x, at = np.arange(12.0).reshape(3, 4), np.array([1, 0, 3])
    assert np.array_equal(vmap(lambda r, i: r[i])(x, at), x[np.arange(3), at])
    assert np.array_equal(vmap(lambda i: tl.tensor(x)[:, i])(at), x[:, at].T)
    g = vmap(grad(lambda r, i: r[i] ** 2))(x, at)
    assert np.array_equal(g, 2 * x * (np.arange(4) == at[:, None]))
    assert np.array_equal(vmap(lambda r: tl.where(r > 5, r, 0.0))(x), np.where(x > 5, x, 0))

    def write(r, i):
        r = r.clone()
        r[i] = -1.0
        r[0].add_(10)
        return r

    expected = x.copy()
    expected[np.arange(3), at] = -1
    expected[:, 0] += 10
    assert np.array_equal(vmap(write)(x, at), expected)


@pytest.mark.parametrize("choose", [
    lambda x: x.max(0)[0], np.sort, lambda x: x.topk(2)[0], lambda x: x.median(0)[0], lambda x: x.cummax(0)[0], lambda x: x.kthvalue(2)[0],
    lambda x: nn.functional.max_pool1d(x[None, None], 2), lambda x: nn.functional.max_pool2d(x.reshape(1, 1, 2, 2), 2), lambda x: x.prod()])
def test_what_chooses_by_value_inside_maps_in_maps(choose):
    x = np.random.default_rng(0).standard_normal((3, 4))
    for derivative in (jacrev, jacfwd, lambda f: hessian(lambda x: (f(x) ** 2).sum())):
        np.testing.assert_allclose(vmap(derivative(choose))(x), [derivative(choose)(row) for row in x], atol=1e-12)
    rows = np.arange(24.0).reshape(3, 2, 4)
    found = vmap(lambda x, i: vmap(lambda row: row[i])(x))(rows, np.array([0, 1, 2]))
    assert np.array_equal(found, rows[np.arange(3), :, np.arange(3)])


def test_modules_as_functions():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    weights = {name: p.detach() for name, p in model.named_parameters()}
    x, y = tl.randn(5, 3), np.array([0, 1, 1, 0, 1])

    def loss(weights, x, y):
        return nn.functional.cross_entropy(func.functional_call(model, weights, (x,)), y)

    model.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    whole = grad(loss)(weights, x, y)
    each = vmap(grad(loss), (None, 0, 0))(weights, x[:, None], y[:, None])
    for name, p in model.named_parameters():
        np.testing.assert_allclose(whole[name], p.grad, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(each[name].mean(0), p.grad, rtol=1e-4, atol=1e-6)
    models = [nn.Linear(3, 2) for _ in range(4)]
    stacked, buffers = func.stack_module_state(models)
    out = vmap(lambda p, b: func.functional_call(models[0], (p, b), (x,)))(stacked, buffers)
    np.testing.assert_allclose(out.detach(), np.stack([m(x).detach() for m in models]), rtol=1e-5, atol=1e-6)
    with pytest.raises(KeyError, match="no parameter or buffer 'weigth'; did you mean 'weight'"):
        func.functional_call(models[0], {"weigth": x}, (x,))
    with pytest.raises(KeyError, match="strict=True, bias are missing"):
        func.functional_call(models[0], {"weight": models[0].weight}, (x,), strict=True)


@pytest.mark.parametrize("layer, shape", [
    (nn.Conv2d(2, 3, 3), (2, 6, 6)), (nn.LayerNorm(4), (3, 4)), (nn.MultiheadAttention(4, 2, batch_first=True), None), (nn.LSTM(3, 4), (5, 3)), (nn.GRU(3, 4), (5, 3)), (nn.GroupNorm(2, 4), (1, 4, 3)),
    (nn.Embedding(7, 3), "index"), (nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True), (3, 4))], ids=lambda x: type(x).__name__)
def test_layers_are_mapped_as_one_by_one(layer, shape):
    layer.double()
    examples = tl.tensor(np.random.default_rng(0).integers(0, 7, (4, 5))) if shape == "index" else tl.randn(4, *(shape or (3, 4)), dtype=tl.float64)
    weights = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(weights, x):
        out = func.functional_call(layer, weights, (x, x, x) if shape is None else (x,))
        return ((out[0] if isinstance(out, tuple) else out) ** 2).sum()

    found = vmap(grad(loss), (None, 0))(weights, examples)
    for i in range(4):
        for name, g in grad(loss)(weights, examples[i]).items():
            np.testing.assert_allclose(found[name][i], g, rtol=1e-9, atol=1e-11, err_msg=name)


def test_random_numbers_in_a_map():
    x = np.ones((3, 50))
    with pytest.raises(RuntimeError, match="randomness"):
        vmap(lambda r: nn.functional.dropout(r))(x)
    same = vmap(lambda r: nn.functional.dropout(r), randomness="same")(x)
    different = vmap(lambda r: nn.functional.dropout(r), randomness="different")(x)
    assert (same == same[0]).all() and not (different == different[0]).all()


def test_functional_and_batched_gradients():
    x, y = tl.tensor(X, requires_grad=True), tl.tensor(V)
    F = tl.autograd.functional
    np.testing.assert_allclose(F.jacobian(lambda x, y: A @ (x * y), (x, y))[1], A * X)
    np.testing.assert_allclose(F.hessian(lambda x: (x ** 3).sum(), x), np.diag(6 * X))
    for product in (F.hvp, F.vhp):
        np.testing.assert_allclose(product(lambda x: (x ** 3).sum(), x, y)[1], 6 * X * V)
    assert F.jvp(lambda x: x * 2, x, y)[1].tolist() == F.vjp(lambda x: x * 2, x, y)[1].tolist() == (2 * V).tolist()
    assert F.jacobian(lambda x: x * x, x, create_graph=True).requires_grad and not F.jacobian(lambda x: x * x, x).requires_grad
    with pytest.raises(RuntimeError, match="strict"):
        F.jacobian(lambda x: tl.ones(2), x, strict=True)
    (rows,) = tl.autograd.grad(tl.tensor(A) @ (x * x), x, tl.eye(2, dtype=tl.float64), is_grads_batched=True)
    np.testing.assert_allclose(rows, 2 * A * X)


# ---------------------------------------------------------------- no_grad, shared values, and writing
def test_no_grad_outside_makes_constants_of_results_and_not_of_derivatives():
    w, layer = tl.tensor(3.0, requires_grad=True), nn.Linear(2, 1)
    with tl.no_grad():
        value, g = value_and_grad(lambda x: x ** 3)(w)
        assert (value, g) == (27, 27) and not g.requires_grad
        assert jvp(lambda x: x ** 3, (w,), (tl.tensor(1.0),))[1] == 27 and hvp(lambda x: x ** 3, w, tl.tensor(1.0)) == 18
        each = vmap(grad(lambda p, x: func.functional_call(layer, p, (x,)).sum()), (None, 0))(dict(layer.named_parameters()), tl.ones(3, 2))
        assert (each["weight"] == 1).all()
    assert grad(lambda x: x * tl.no_grad()(grad(lambda y: y * y))(x))(3.0) == 6

    def half_constant(x, w):
        with tl.no_grad():
            w * 2
        return w * x

    assert grad(lambda w: vmap(lambda x: half_constant(x, w))(tl.tensor([1.0, 2.0])).sum())(3.0) == 3


def test_writing_in_maps_in_maps():
    x, y = tl.tensor([[1.0, 2.0], [3.0, 4.0]]), tl.tensor([10.0, 20.0])
    found = vmap(lambda x: vmap(lambda y: x.scatter(0, tl.tensor([0]), y[None]))(y))(x)
    assert found.tolist() == [[[10, 2], [20, 2]], [[10, 4], [20, 4]]]
    with pytest.raises(RuntimeError, match="an array that all share"):
        vmap(lambda x: (z := x * 1, vmap(lambda y: z.add_(y))(y))[1])(tl.tensor([1.0, 2.0]))
    with pytest.raises(RuntimeError, match="in place"):
        vmap(grad(lambda x: (z := x * 1, vmap(lambda y: y.mul_(2))(z), (z * z).sum())[-1]))(x)


def test_a_gradient_by_what_examples_share_is_no_gradient_of_each():
    w = tl.tensor(3.0, requires_grad=True)
    with pytest.raises(RuntimeError, match="the sum over them; take func.grad"):
        vmap(lambda x: tl.autograd.grad(w * w * x, w)[0])(tl.tensor([1.0, 2.0]))
    assert vmap(lambda x: grad(lambda w: w * w * x)(w))(tl.tensor([1.0, 2.0])).tolist() == [6, 12]


def test_what_is_kept_for_later_is_not_the_callers_memory():
    x, v = np.array([1.0, 2.0]), np.ones(2)
    _, pulled = vjp(lambda a: a ** 2, x)
    x *= 10
    assert pulled(v)[0].tolist() == [2, 4]
    jvp(lambda a: a + 1.0, (x,), (v,))[1][:] = 7
    assert v.tolist() == [1, 1]


def test_chunks_draw_the_same():
    assert (vmap(nn.Dropout(0.5), randomness="same", chunk_size=1)(tl.ones(2, 50)).diff(dim=0) == 0).all()


def test_a_checkpoint_draws_the_same_again():
    g, value = func.grad_and_value(lambda x: func.checkpoint(lambda x: nn.functional.dropout(x, 0.5))(x).sum())(tl.ones(64))
    assert g.sum() == value


@pytest.mark.parametrize("call", [
    lambda x, i: nn.functional.cross_entropy(x, i), lambda x, i: nn.functional.cross_entropy(x, i, weight=tl.arange(3.0, dtype=tl.float64)), lambda x, i: nn.functional.embedding(i.clamp(0, 1), x, padding_idx=1).sum(),
    lambda x, i: nn.functional.cross_entropy(x, i, reduction="sum", label_smoothing=0.1), lambda x, i: nn.functional.nll_loss(x, i), lambda x, i: (x[i.clamp(0, 1), i.clamp(min=0)] ** 3).sum(), lambda x, i: x.gather(1, i.clamp(min=0)[:, None]).prod()])
def test_indices_of_each_example_in_losses(call):
    x, i = np.random.default_rng(0).standard_normal((4, 2, 3)), np.array([[0, 1], [2, 2], [1, -100], [0, 2]])
    for f in (call, grad(call), hessian(call)):
        np.testing.assert_allclose(vmap(f)(x, i), [f(tl.tensor(a), tl.tensor(b)).array for a, b in zip(x, i)], atol=1e-12)
    np.testing.assert_allclose(grad(lambda w: vmap(lambda i: call(w, i))(i).sum())(x[0]), sum(grad(call)(x[0], tl.tensor(b)) for b in i), atol=1e-12)


def test_the_tape_of_a_map_is_shown_and_checked():
    w = tl.tensor(V, requires_grad=True)
    tape = tl.tape(vmap(lambda x: (w * x).sum() ** 2)(tl.tensor(np.stack([X, V]))).sum())
    assert "vmap(v0, level=2 examples)" in str(tape) and "27.5625" in str(tape)
    tape.check()
    tape.backward()
    assert tape.peak > 0 and tape.memory > 0


# ---------------------------------------------------------------- what is refused, and what is left as it was
@pytest.mark.parametrize("call, kind, words", [
    (lambda: grad(lambda x: math.sin(x))(1.0), TypeError, r"float\(…\), or a function of math.*np.exp"),
    (lambda: grad(lambda x: np.array([x, x]).sum())(1.0), TypeError, r"np.array.*np.stack"),
    (lambda: grad(lambda x: x.item() ** 2)(3.0), TypeError, r"gave a float.*\.item\(\) made a number"),
    (lambda: grad(lambda x: np.sum(x.tolist()))(X), TypeError, r"\.tolist\(\) made a number"), (lambda: grad(lambda x: tl.tensor(x).sum())(X), TypeError, r"tl.tensor\(…\).*\.clone"),
    (lambda: tl.autograd.functional.hessian(lambda x: x * 2, tl.tensor(X)), RuntimeError, "one number"), (lambda: tl.autograd.functional.hessian(lambda x: x.sum(), tl.tensor(X), strict=True), RuntimeError, "hessian: with strict"),
    (lambda: tl.autograd.functional.jacobian(lambda x, y: x * 2, (tl.tensor(X), tl.tensor(X)), strict=True), RuntimeError, "does not depend on input 1"), (lambda: hvp(np.sum, X, V[:2]), ValueError, "hvp: where the primals"),
    (lambda: vmap(lambda i: X[i])(np.array([0, 2])), RuntimeError, "choose from one as its index"), (lambda: grad(lambda x: func.primitive(lambda x: (x, x))(x)[0])(1.0), TypeError, "gives one array, not a tuple"),
    (lambda: grad(lambda x: np.sum(np.interp(x, X, V)))(X), TypeError, "np.interp has no derivative here"),
    (lambda: grad(lambda x: x * 2)(X), RuntimeError, r"grad: the function gives one number, not shape \(3,\)"),
    (lambda: grad(lambda x: [x])(1.0), RuntimeError, "not a list"), (lambda: grad(tl.tensor(X)), TypeError, "takes a function.*autograd.grad"),
    (lambda: grad(np.sum)(np.arange(3)), TypeError, r"argument \[0\] holds int64; only floating-point"),
    (lambda: grad(np.sum)({"a": ["x"]}), TypeError, r"argument \[0\]\['a'\]\[0\] holds a str"), (lambda: grad(np.sum)(True), TypeError, "a bool"),
    (lambda: grad(np.sum, 1)(X), TypeError, "argument 1 is not among the 1 positional"), (lambda: grad(np.sum, (0, 0))(X), ValueError, "each argument once"),
    (lambda: grad(np.sum, "x")(X), TypeError, "argnums is a whole number"), (lambda: grad(lambda x: x, has_aux=True)(1.0), TypeError, "gives a pair"),
    (lambda: vjp(np.sin, X)[1](np.ones(2)), ValueError, r"shape \(3,\).*not float64 of shape \(2,\)"), (lambda: vjp(np.sin, X)[1]((V, V)), ValueError, "the whole is a tuple of 2, where a Tensor is expected"),
    (lambda: jvp(np.sin, X, V), TypeError, r"primals are a tuple.*\(x,\)"), (lambda: jvp(np.sin, (X,), (V[:2],)), ValueError, "numbers of that shape"),
    (lambda: vmap(np.sum)(), ValueError, "no positional argument"), (lambda: vmap(np.sum, None)(X), ValueError, "no argument holds examples"),
    (lambda: vmap(np.add)(np.ones(2), np.ones(3)), ValueError, r"2 in argument \[0\], 3 in argument \[1\]"), (lambda: vmap(np.sum)(1.0), TypeError, r"argument \[0\] is a float.*None"),
    (lambda: vmap(np.sum, 2)(A), IndexError, r"shape \(2, 3\) has no dimension 2"), (lambda: vmap(np.sum, (0, 0))(A), ValueError, "2 entries.*given 1"),
    (lambda: vmap(lambda x: x, out_dims=None)(A), ValueError, "differs from example to example"), (lambda: vmap(lambda x: x, out_dims=3)(A), IndexError, "out of range"),
    (lambda: vmap(lambda x: x if x.sum() > 4 else -x)(A), RuntimeError, "truth test.*tl.where"), (lambda: vmap(lambda x: float(x.sum()))(A), RuntimeError, "asks for one value"),
    (lambda: vmap(lambda x: x[x > 1])(A), RuntimeError, "different shapes"), (lambda: vmap(lambda x: "a")(A), TypeError, "gives Tensors|str"),
    (lambda: vmap(lambda x: x.add_(1))(A), RuntimeError, "in place"), (lambda: vmap(np.sum, randomness="some")(A), ValueError, "randomness is"),
    (lambda: tl.func.stack_module_state([nn.Linear(1, 1), nn.Tanh()]), RuntimeError, "of one class")])
def test_what_cannot_be_is_refused_in_words(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
    assert tl.is_grad_enabled() and grad(np.tanh)(0.0) == 1 and tl.tensor(1.0).item() == 1


def test_a_truth_test_is_fine_where_examples_agree():
    assert np.array_equal(vmap(lambda x: x if x.sum() > -1 else -x)(A), A)


def test_no_grad_outside_and_inside():
    with tl.no_grad():
        assert grad(lambda x: x * x)(3.0) == 6 and jvp(np.sin, (0.0,), (1.0,))[1] == 1
    assert grad(lambda x: x * x.detach())(3.0) == 3 and grad(lambda x: 7.0)(3.0) == 0
