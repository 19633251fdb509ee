"""Each sample of the tables through the functions of `tl.func`: mapped as one by one, forward as backward, to any order."""

import numpy as np
import pytest
from calls import CASES as ALL
from calls import DIFFERENTIABLE, arrays, outputs, real, run

import tinygrad_lite as tl
from tinygrad_lite.func import elementwise_grad, grad, hessian, hvp, jacfwd, jacrev, jvp, vjp, vmap
from tinygrad_lite.func.forward import POINTWISE

EXAMPLES, FEW = 3, 60
SYMMETRIC = {"cholesky", "eigh", "eigvalsh"}  # read one triangle only
DRAWS = ("dropout", "gumbel", "rrelu")
CASES = [case for case in ALL if arrays(case.values[3])]
SMOOTH = [case for case in DIFFERENTIABLE if arrays(case.values[3]) and not any(word in case.id for word in DRAWS)]


def symmetric(x):
    return (x + x.swapaxes(-1, -2)) / 2


def inputs(name, sample):
    return [symmetric(x) if name in SYMMETRIC else x for x in arrays(sample)]


def stacks(name, sample):
    """The float arrays of a sample for several examples: the elements in other places."""
    rng, found = np.random.default_rng(1), []
    for x in arrays(sample):
        others = [rng.permutation(x.reshape(-1)).reshape(x.shape) if x.size > 1 else x * 0.97**k for k in range(1, EXAMPLES)]
        whole = np.stack([x, *others])
        positive = whole @ whole.swapaxes(-1, -2) + 2 * np.eye(x.shape[-1]) if name in SYMMETRIC else whole
        found.append(positive)
    return found


def close(found, expected, tolerance=1e-8):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name, function, row, sample", CASES)
def test_a_mapped_operation_is_the_operation_of_each_example(name, function, row, sample):
    def called(*xs):
        return outputs(run(function, sample, xs))

    xs = [tl.tensor(x) for x in stacks(name, sample)]
    with tl.random.seeded(0):
        expected = [called(*(x[i] for x in xs)) for i in range(EXAMPLES)]
    if len({tuple((o.shape, o.dtype) for o in outs) for outs in expected}) == 1:
        with tl.random.seeded(0):
            found = vmap(called, randomness="different")(*xs)
        for k, out in enumerate(found):
            assert type(out.array) is np.ndarray and out.dtype == expected[0][k].dtype
            close(out.array, [outs[k].array for outs in expected], 1e-9)


@pytest.mark.parametrize("name, function, row, sample", SMOOTH)
def test_gradients_inside_through_and_beside_a_map(name, function, row, sample):
    def loss(*xs):
        found = real(run(function, sample, xs))
        return sum((out * np.cos(np.arange(out.numel())).reshape(out.shape)).sum() for out in found)

    def mapped(*xs):
        return vmap(loss)(*xs).sum()

    xs = stacks(name, sample)
    each = grad(loss, tuple(range(len(xs))))
    expected = [np.stack(column) for column in zip(*(each(*(x[i] for x in xs)) for i in range(EXAMPLES)))]
    close(vmap(each)(*xs), expected)
    close(grad(mapped, tuple(range(len(xs))))(*xs), expected)
    shared = grad(lambda x: sum(vmap(lambda *rest: loss(x, *rest))(*xs[1:])) if xs[1:] else mapped(np.stack([x, x])))
    others = [grad(loss)(xs[0][0], *(tl.tensor(x[i]) for x in xs[1:])) for i in range(EXAMPLES if xs[1:] else 2)]
    np.testing.assert_allclose(shared(xs[0][0]), sum(others), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name, function, row, sample", SMOOTH)
def test_forward_mode_is_the_transpose_of_reverse_mode(name, function, row, sample):
    def called(*xs):
        return tuple(real(run(function, sample, xs)))

    rng, xs = np.random.default_rng(0), inputs(name, sample)
    tangents = tuple(symmetric(t) if name in SYMMETRIC else t for t in (rng.standard_normal(x.shape) for x in xs))
    out, pushed = jvp(called, tuple(xs), tangents)
    vectors = tuple(rng.standard_normal(np.shape(y)) for y in out)
    pulled = vjp(called, *xs)[1](vectors)
    left, right = (sum(np.sum(a * b) for a, b in zip(*pair)) for pair in ((vectors, pushed), (pulled, tangents)))
    np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name, function, row, sample", [c for c in SMOOTH if sum(x.size for x in arrays(c.values[3])) <= FEW])
def test_second_derivatives_are_the_same_in_any_mode(name, function, row, sample):
    x, *rest = inputs(name, sample)

    def loss(x):
        found = real(run(function, sample, (symmetric(x) if name in SYMMETRIC else x, *map(tl.tensor, rest))))
        return sum((out * out * np.cos(np.arange(out.numel())).reshape(out.shape)).sum() for out in found)

    whole = jacrev(jacrev(loss))(x)
    size = np.abs(whole).max(initial=1)
    for other in (hessian(loss)(x), jacrev(jacfwd(loss))(x), jacfwd(jacfwd(loss))(x)):
        np.testing.assert_allclose(other, whole, rtol=1e-7, atol=1e-8 * size)
    v = np.cos(np.arange(x.size)).reshape(x.shape)
    np.testing.assert_allclose(hvp(loss, x, v), np.tensordot(whole, v, x.ndim), rtol=1e-7, atol=1e-8 * size)


@pytest.mark.parametrize("name, function, row, sample", [c for c in SMOOTH if c.values[1] in POINTWISE and arrays(c.values[3])[0].size])
def test_third_derivatives_element_by_element(name, function, row, sample):
    xs, step = arrays(sample), 1e-5

    def derivative(order):
        def f(*xs):
            return run(function, sample, xs)

        for _ in range(order):
            f = elementwise_grad(f)
        return lambda x: np.asarray(f(x, *map(tl.tensor, xs[1:])))

    x = xs[0]
    numeric = (derivative(2)(x + step) - derivative(2)(x - step)) / (2 * step)
    np.testing.assert_allclose(derivative(3)(x), numeric, rtol=1e-5, atol=1e-5 * np.abs(numeric).max(initial=1))
