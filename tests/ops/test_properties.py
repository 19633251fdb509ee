"""hypothesis draws shapes, indices and values beyond the tables."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lite as tl

settings.register_profile("steady", max_examples=60, derandomize=True, deadline=None)
settings.load_profile("steady")
NUMBERS = st.floats(-3, 3, width=32)


def array(shape):
    return hnp.arrays(np.float64, shape, elements=NUMBERS)


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), st.data())
def test_arithmetic_broadcasts_as_numpy_and_gradients_come_back_in_shape(shapes, data):
    a, b = (data.draw(array(shape)) for shape in shapes.input_shapes)
    x, y = tl.tensor(a, requires_grad=True), tl.tensor(b, requires_grad=True)
    out = x * y + x - y * 2
    np.testing.assert_allclose(out.array, a * b + a - b * 2)
    out.sum().backward()
    ones = np.ones(shapes.result_shape)
    assert x.grad.shape == a.shape and y.grad.shape == b.shape
    np.testing.assert_allclose(x.grad.array.sum(), (ones * (b + 1)).sum(), atol=1e-9)
    np.testing.assert_allclose(y.grad.array.sum(), (ones * (a - 2)).sum(), atol=1e-9)


@given(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), st.data())
def test_any_index_reads_as_numpy_and_sends_gradients_to_what_it_read(shape, data):
    index = data.draw(st.one_of(hnp.basic_indices(shape, allow_newaxis=True), hnp.integer_array_indices(shape),
                                hnp.arrays(bool, shape)))
    a = data.draw(array(shape))
    x = tl.tensor(a, requires_grad=True)
    out = x[index]
    np.testing.assert_array_equal(out.array, a[index])
    out.sum().backward()
    count = np.zeros(shape)
    np.add.at(count, index, 1.0)
    np.testing.assert_array_equal(x.grad.array, count)


@given(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), st.data())
def test_any_assignment_writes_as_numpy_and_cuts_the_gradient(shape, data):
    index = data.draw(st.one_of(hnp.basic_indices(shape), hnp.arrays(bool, shape)))
    a = data.draw(array(shape))
    x, expected = tl.tensor(a, requires_grad=True), a.copy()
    y = x * 1
    y[index] = 5.0
    expected[index] = 5.0
    np.testing.assert_array_equal(y.array, expected)
    y.sum().backward()
    kept = np.ones(shape)
    kept[index] = 0
    np.testing.assert_array_equal(x.grad.array, kept)


@given(hnp.array_shapes(min_dims=1, max_dims=4, max_side=3), st.data())
def test_reductions_over_any_dims_are_numpys(shape, data):
    a = data.draw(array(shape))
    dims = tuple(data.draw(st.sets(st.integers(-len(shape), -1), min_size=1)))
    keep = data.draw(st.booleans())
    for name in ("sum", "mean", "amax", "amin", "logsumexp"):
        ours = getattr(tl, name)(tl.tensor(a, requires_grad=True), dims, keep)
        plain = {"amax": np.max, "amin": np.min, "sum": np.sum, "mean": np.mean,
                 "logsumexp": lambda x, **k: np.log(np.exp(x).sum(**k))}[name]
        np.testing.assert_allclose(ours.array, plain(a, axis=dims, keepdims=keep), rtol=1e-12, atol=1e-12)
        assert tl.autograd.grad(ours.sum(), [ours], allow_unused=True)[0].shape == ours.shape


@given(st.lists(st.sampled_from("ijk"), min_size=1, max_size=3), st.lists(st.sampled_from("ijk"), min_size=1, max_size=3), st.data())
def test_einsum_of_any_indices_is_numpys(left, right, data):
    sizes = {"i": 2, "j": 3, "k": 1}
    used = sorted({*left, *right})
    output = data.draw(st.permutations(used).map(lambda p: "".join(p[: len(used) - 1])))
    spec = f"{''.join(left)},{''.join(right)}->{output}"
    a, b = (data.draw(array(tuple(sizes[c] for c in term))) for term in (left, right))
    x, y = tl.tensor(a, requires_grad=True), tl.tensor(b, requires_grad=True)
    np.testing.assert_allclose(tl.einsum(spec, x, y).array, np.einsum(spec, a, b), atol=1e-9)
    assert tl.autograd.gradcheck(lambda p, q: tl.einsum(spec, p, q), (x, y))
