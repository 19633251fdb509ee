"""Operations with derivatives of their own: `autograd.Function` beyond its backward, and HIPS autograd's `primitive`."""

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import func
from tinygrad_lite.autograd import Function, once_differentiable

X, V = np.array([0.3, -0.8]), np.array([2.0, 1.0])


class Exp(Function):
    @staticmethod
    def forward(x):
        return x.exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


class Forward(Exp):
    calls = 0

    @staticmethod
    def jvp(ctx, t):
        Forward.calls += 1
        (y,) = ctx.saved_tensors
        return t * y


class Mapped(Exp):
    seen = None

    @staticmethod
    def vmap(info, in_dims, x):
        Mapped.seen = info.batch_size, in_dims, x.shape
        return Mapped.apply(x), 0


class Two(Function):
    @staticmethod
    def forward(x, y):
        return x * y, x.sum(), (x > 0)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.mark_non_differentiable(output[2])

    @staticmethod
    def backward(ctx, g_product, g_sum, _):
        x, y = ctx.saved_tensors
        return g_product * y + g_sum, g_product * x

    @staticmethod
    def jvp(ctx, tx, ty):
        x, y = ctx.saved_tensors
        return tx * y + x * ty, tx.sum(), None


@pytest.mark.parametrize("function", [Exp, Forward, Mapped])
def test_a_context_set_up_apart_is_right_to_any_order_and_in_any_mode(function):
    def f(x):
        return function.apply(x).sum()

    np.testing.assert_allclose(func.grad(f)(X), np.exp(X))
    np.testing.assert_allclose(func.hessian(f)(X), np.diag(np.exp(X)))
    np.testing.assert_allclose(func.jacrev(func.jacrev(func.grad(f)))(X)[0, 0, 0], np.exp(X[0]))
    np.testing.assert_allclose(func.jvp(function.apply, (X,), (V,))[1], np.exp(X) * V)
    np.testing.assert_allclose(func.grad(lambda x: func.jvp(f, (x,), (tl.tensor(V),))[1])(X), np.exp(X) * V)
    np.testing.assert_allclose(func.vmap(func.grad(f))(np.stack([X, V])), np.exp([X, V]))
    x = tl.tensor(X, requires_grad=True)
    assert tl.autograd.gradcheck(function.apply, x) and tl.autograd.gradgradcheck(function.apply, x)


def test_a_jvp_and_a_vmap_of_ones_own_are_used():
    Forward.calls = 0
    func.jvp(Forward.apply, (X,), (V,))
    assert Forward.calls == 1
    found = func.vmap(Mapped.apply, 1, 1)(np.stack([X, V], 1))
    assert Mapped.seen == (2, (0,), (2, 2)) and np.allclose(found, np.exp(np.stack([X, V], 1)))
    np.testing.assert_allclose(func.grad(lambda x: func.vmap(Mapped.apply)(x).sum())(np.stack([X, V])), np.exp([X, V]))


def test_several_outputs_forward():
    (product, total, positive), (t_product, t_total, _) = func.jvp(lambda x, y: Two.apply(x, y), (X, V), (V, X))
    np.testing.assert_allclose(t_product, V * V + X * X)
    np.testing.assert_allclose(t_total, V.sum())
    assert positive.tolist() == [True, False]
    x, y = (tl.tensor(a, requires_grad=True) for a in (X, V))
    assert tl.autograd.gradgradcheck(lambda x, y: Two.apply(x, y)[:2], (x, y))


def test_an_input_changed_in_place_has_the_new_value_and_its_gradient():
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return 2 * g

    x = tl.tensor(X, requires_grad=True)
    base = x * 1
    part = base[:1]
    assert Double.apply(part) is part and base[0].item() == 2 * X[0]
    (base * base).sum().backward()
    np.testing.assert_allclose(x.grad, [8 * X[0], 2 * X[1]])
    with pytest.raises(RuntimeError, match="Double: a leaf tensor that requires grad is changed in place"):
        Double.apply(x)


class Product(Function):
    @staticmethod
    def forward(x, y):
        return x * y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y, g * x

    @staticmethod
    def vmap(info, in_dims, x, y):
        x, y = (a.movedim(d, 0) if d is not None else a.expand(info.batch_size, *a.shape) for a, d in zip((x, y), in_dims))
        return Product.apply(x, y), 0


def test_a_vmap_of_ones_own_gives_gradients_of_each_example():
    x, w = tl.tensor([1.0, 2.0, 3.0]), tl.tensor(2.0)
    assert func.vmap(func.grad(Product.apply, 1), (0, None))(x, w).tolist() == [1, 2, 3]
    assert func.vmap(func.grad(lambda w, x: Product.apply(x, w) ** 2), (None, 0))(w, x).tolist() == [4, 16, 36]
    assert func.grad(lambda w: func.vmap(Product.apply, (0, None))(x, w).sum())(w) == 6


def test_inputs_of_one_memory_are_told_apart():
    assert func.grad(func.grad(lambda x: Product.apply(x.detach(), x)))(tl.tensor(3.0)) == 0

    class Kept(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            y = x.sin()
            ctx.save_for_forward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * x.cos()

        @staticmethod
        def jvp(ctx, t):
            (y,) = ctx.saved_tensors
            return t * (1 - y * y).sqrt()

    np.testing.assert_allclose(func.grad(lambda x: Kept.apply(x).sum())(X), np.cos(X))
    np.testing.assert_allclose(func.jvp(Kept.apply, (X,), (V,))[1], np.cos(X) * V)


def test_what_is_missing_or_wrong_is_said():
    class Once(Exp):
        backward = staticmethod(once_differentiable(Exp.backward))

    class Short(Forward):
        @staticmethod
        def jvp(ctx, t):
            return t.sum()

    class Nothing(Function):
        pass

    with pytest.raises(RuntimeError, match="once_differentiable"):
        func.hessian(lambda x: Once.apply(x).sum())(X)
    with pytest.raises(RuntimeError, match=r"Short.jvp gave a tangent of shape \(\) for output 0 of shape \(2,\)"):
        func.jvp(Short.apply, (X,), (V,))
    with pytest.raises(NotImplementedError, match="a Function defines forward"):
        Nothing.apply(tl.tensor(X))


# ---------------------------------------------------------------- HIPS autograd's way
@func.primitive
def logsumexp(x, axis=None):
    most = np.max(x, axis=axis, keepdims=True)
    return np.squeeze(most + np.log(np.sum(np.exp(x - most), axis=axis, keepdims=True)), axis)


func.defvjp(logsumexp, lambda out, x, axis=None: lambda g: np.exp(x - (out if axis is None else np.expand_dims(out, axis))) * (
    g if axis is None else np.expand_dims(g, axis)))


@func.primitive
def fixed_point(f, a, start):
    x, before = f(a)(start), start
    while np.max(np.abs(x - before)) > 1e-13:
        x, before = f(a)(x), x
    return x


def fixed_point_vjp(out, f, a, start):
    by_a, _ = func.make_vjp(lambda a, x: f(a)(x))(a, out)

    def step(given):
        a, x, g = given
        by_x, _ = func.make_vjp(f(a))(x)
        return lambda u: by_x(u) + g

    return lambda g: by_a(fixed_point(step, (a, out, g), g * 0.0))


func.defvjp(fixed_point, None, fixed_point_vjp, None)


def test_a_primitive_with_a_rule():
    soft = np.exp(X) / np.exp(X).sum()
    np.testing.assert_allclose(func.grad(logsumexp)(X), soft)
    np.testing.assert_allclose(func.hessian(logsumexp)(X), np.diag(soft) - np.outer(soft, soft))
    np.testing.assert_allclose(func.jvp(logsumexp, (X,), (V,))[1], soft @ V)
    np.testing.assert_allclose(func.vmap(logsumexp)(np.stack([X, V])), [logsumexp(X), logsumexp(V)])
    np.testing.assert_allclose(func.jacobian(lambda x: logsumexp(x, axis=1))(np.stack([X, V]))[0, 0], soft)


def test_derivatives_of_a_fixed_point_of_any_order():
    def root(a):  # Newton's square root
        return fixed_point(lambda a: lambda x: (x + a / x) / 2, a, 1.0)

    np.testing.assert_allclose([root(2.0), func.grad(root)(2.0), func.grad(func.grad(root))(2.0)],
                               [2**0.5, 0.5 * 2**-0.5, -0.25 * 2**-1.5], rtol=1e-9)


def test_a_primitive_without_a_rule_says_so():
    bare = func.primitive(lambda x, y: x * y)
    with pytest.raises(NotImplementedError, match="no rule for the gradient of argument 0"):
        func.grad(bare)(1.0, 2.0)
    func.defvjp(bare, lambda out, x, y: lambda g: g * y, lambda out, x, y: lambda g: g * x)
    func.defjvp(bare, "same", lambda t, out, x, y: t * x)
    assert func.grad(bare, (0, 1))(3.0, 2.0) == (2, 3) and func.jvp(bare, (3.0, 2.0), (1.0, 10.0))[1] == 32
    with pytest.raises(ValueError, match="2 rules for 1 arguments"):
        func.defvjp(bare, None, None, argnums=(0,))


def test_the_other_spellings():
    def f(x, y):
        return np.sum(np.sin(x) * y * y)

    H = np.diag(-np.sin(X) * V * V)
    np.testing.assert_allclose(func.elementwise_grad(np.sin)(X), np.cos(X))
    np.testing.assert_allclose(func.elementwise_grad(func.elementwise_grad(np.sin))(X), -np.sin(X))
    np.testing.assert_allclose(func.deriv(np.sin)(0.3), np.cos(0.3))
    np.testing.assert_allclose(func.hessian_vector_product(f)(X, V, V), H @ V)
    np.testing.assert_allclose(func.make_hvp(f)(X, V)[0](V), H @ V)
    np.testing.assert_allclose(func.vector_jacobian_product(np.sin)(X, V), V * np.cos(X))
    vjp, value = func.make_vjp(f, 1)(X, V)
    np.testing.assert_allclose([value, *vjp(2.0)], [f(X, V), *(4 * np.sin(X) * V)])
    np.testing.assert_allclose(func.make_jvp(np.sin)(X)(V), [np.sin(X), np.cos(X) * V])
    np.testing.assert_allclose(func.grad_named(f, "y")(X, V), 2 * np.sin(X) * V)
    np.testing.assert_allclose(func.make_ggnvp(np.sin)(X)(V), np.cos(X) ** 2 * V)
    g, aux = func.grad_and_aux(lambda x: (np.sum(x * x), "seen"))(X)
    assert np.array_equal(g, 2 * X) and aux == "seen"
    with pytest.raises(ValueError, match="no argument 'z': it has x, y"):
        func.grad_named(f, "z")


def test_a_checkpoint_has_the_same_derivatives():
    def f(x, w):
        return (x * w).tanh().sum()

    kept = func.checkpoint(f)
    for argnums in (0, 1, (0, 1)):
        np.testing.assert_allclose(func.grad(kept, argnums)(X, V), func.grad(f, argnums)(X, V))
    np.testing.assert_allclose(func.hessian(kept)(X, V), func.hessian(f)(X, V))
    w = tl.tensor(V, requires_grad=True)
    with pytest.raises(RuntimeError, match="given as an argument too"):
        func.grad(func.checkpoint(lambda x: (x * w).sum()))(X)
