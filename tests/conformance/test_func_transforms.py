"""Derivatives of functions beside torch.func, and beside jax where it is installed."""

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import func

torch = pytest.importorskip("torch")
R = np.random.default_rng(0)
X, Y, W = R.standard_normal((4, 3)), R.standard_normal((4, 2)), R.standard_normal((3, 2))
V, U = R.standard_normal(3), R.standard_normal((3, 2))


def loss(lib):
    return lambda w, x, y: ((lib.tanh(x @ w) - y) ** 2).sum()


CASES = {  # what: (of our func and library, or of PyTorch's, what is called), and its arguments
    "grad": (lambda f, lib: f.grad(loss(lib)), (W, X, Y)),
    "grad by two": (lambda f, lib: f.grad(loss(lib), argnums=(0, 1)), (W, X, Y)),
    "grad and value": (lambda f, lib: f.grad_and_value(loss(lib)), (W, X, Y)),
    "gradients of each": (lambda f, lib: f.vmap(f.grad(loss(lib)), in_dims=(None, 0, 0)), (W, X, Y)),
    "jacobians of each": (lambda f, lib: f.vmap(f.jacrev(lambda x, w: lib.sin(x @ w)), (0, None), 1), (X, W)),
    "jacfwd": (lambda f, lib: f.jacfwd(lambda w: lib.exp(w).prod(0)), (W,)),
    "jacrev with aux": (lambda f, lib: f.jacrev(lambda w: (lib.exp(w).prod(0), w.sum()), has_aux=True), (W,)),
    "hessian": (lambda f, lib: f.hessian(loss(lib)), (W, X, Y)),
    "hessian by two": (lambda f, lib: f.hessian(loss(lib), argnums=(0, 1)), (W, X, Y)),
    "hessians of each": (lambda f, lib: f.vmap(f.hessian(lambda x: lib.logsumexp(x * x, 0))), (X,)),
    "jvp": (lambda f, lib: lambda w, t: f.jvp(lambda w: lib.softmax(w, 0) @ lib.ones(2, dtype=lib.float64), (w,), (t,)), (W, U)),
    "vjp": (lambda f, lib: lambda x, v: f.vjp(lambda x: (lib.cos(x), x.sum()), x)[1]((v, v.sum())), (V, V)),
    "linearize": (lambda f, lib: lambda x, t: f.linearize(lambda x: lib.cumsum(lib.sin(x), 0), x)[1](t), (V, V)),
    "forward over reverse": (lambda f, lib: lambda w, t: f.jvp(f.grad(lambda w: (w @ w.mT).det() + w.norm()), (w,), (t,))[1], (W, U)),
    "reverse over forward": (lambda f, lib: f.grad(lambda w: f.jvp(lambda w: (w**3).sum(), (w,), (lib.ones_like(w),))[1]), (W,)),
    "map of a map": (lambda f, lib: f.vmap(f.vmap(lambda a, b: lib.dot(a, b), (None, 0)), (0, None)), (X, X)),
    "map over trees": (lambda f, lib: f.vmap(lambda d: {"s": d["a"].sum() * d["b"][0]}, ({"a": 0, "b": (1,)},)), ({"a": X, "b": (Y.T,)},)),
    "in chunks": (lambda f, lib: f.vmap(lambda x: lib.outer(x, x), chunk_size=3), (X,)),
    "of an index": (lambda f, lib: f.vmap(f.grad(lambda x, i: (lib.gather(x, 0, i[None]) ** 2).sum() + x.max())), (X, np.array([0, 2, 1, 1]))),
    "third": (lambda f, lib: f.grad(f.grad(f.grad(lambda x: lib.sigmoid(x) * lib.erf(x)))), (np.array(0.3),)),
}


def compared(mine, theirs):
    if isinstance(theirs, dict):
        assert mine.keys() == theirs.keys()
        mine, theirs = list(mine.values()), list(theirs.values())
    if isinstance(theirs, (tuple, list)):
        assert len(mine) == len(theirs)
        for pair in zip(mine, theirs):
            compared(*pair)
    else:
        assert tuple(mine.shape) == tuple(theirs.shape)
        np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("what", CASES)
def test_torch_func_agrees(what):
    make, arguments = CASES[what]
    compared(make(func, tl)(*tl.engine.trees.mapped(tl.tensor, arguments)),
             make(torch.func, torch)(*tl.engine.trees.mapped(torch.tensor, arguments)))


POINTWISE = ["sin", "cos", "tan", "tanh", "sinh", "cosh", "arcsin", "arccos", "arctan", "arcsinh", "arctanh", "exp", "exp2", "expm1",
             "log", "log2", "log10", "log1p", "sqrt", "square", "reciprocal", "sinc", "cbrt"]


@pytest.mark.parametrize("name", POINTWISE)
def test_jax_agrees_to_the_third_order(name):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    mine, theirs = getattr(np, name), getattr(jax.numpy, name)
    for order in range(4):
        for x in (0.1, 0.6, 0.93):
            np.testing.assert_allclose(mine(x), theirs(x), rtol=1e-9, atol=1e-12, err_msg=f"order {order}")
        mine, theirs = func.grad(mine), jax.grad(theirs)


@pytest.mark.parametrize("name, f, x", [
    ("softmax", lambda lib, x: (lambda e: e / e.sum())(lib.exp(x - lib.max(x))), V), ("solve", lambda lib, x: lib.linalg.solve(x, V), U @ U.T + 3 * np.eye(3)),
    ("eigh", lambda lib, x: lib.linalg.eigh((x + x.T) / 2)[0], U @ U.T + np.diag([1.0, 2, 3])), ("svd", lambda lib, x: lib.linalg.svd(x, compute_uv=False), W),
    ("qr", lambda lib, x: lib.linalg.qr(x)[1], W), ("cholesky", lambda lib, x: lib.linalg.cholesky((x + x.T) / 2), U @ U.T + 3 * np.eye(3)), ("slogdet", lambda lib, x: lib.linalg.slogdet(x)[1], U @ U.T + np.eye(3)),
    ("norm", lambda lib, x: lib.linalg.norm(x, axis=0), W), ("rfft", lambda lib, x: lib.abs(lib.fft.rfft(x)), V), ("pinv", lambda lib, x: lib.linalg.pinv(x), W)], ids=lambda x: x if isinstance(x, str) else "")
def test_jax_agrees_on_jacobians_and_hessians(name, f, x):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    for mine, theirs in ((func.jacrev, jax.jacrev), (func.jacfwd, jax.jacfwd)):
        compared(mine(lambda x: f(np, x))(x), theirs(lambda x: f(jax.numpy, x))(x))
    compared(func.hessian(lambda x: np.sum(f(np, x) ** 2))(x), jax.hessian(lambda x: (f(jax.numpy, x) ** 2).sum())(x))
