"""Creation, random numbers, dtypes, and living with numpy and others."""

import copy
import pickle
import threading

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import nn

t = tl.tensor
DTYPES = [
    (lambda: t(1.5), "float32"), (lambda: t([1, 2]), "int64"), (lambda: t([True]), "bool"),
    (lambda: t(np.ones(2)), "float64"), (lambda: t([1.0]) * 2.0, "float32"), (lambda: t([1, 2]) * 2.5, "float32"),
    (lambda: t([1, 2]) / 2, "float32"), (lambda: t([1.0]) * t(np.array(2.0)), "float32"), (lambda: 1 / t([1, 2]), "float32"),
    (lambda: t([1]) + t([1.0]), "float32"), (lambda: t([True]) + 1, "int64"), (lambda: t([1]).exp(), "float32"),
    (lambda: t([1.0], dtype=tl.float16) * 2.0, "float16"), (lambda: t([1.0]) * np.float64(2), "float32"),
    (lambda: np.ones(2) * t([1.0, 2.0]), "float64"), (lambda: t([1.0]) > 0, "bool"), (lambda: t([True]).sum(), "int64"),
    (lambda: tl.full((2,), 1), "int64"), (lambda: tl.full((2,), 1.0), "float32"), (lambda: tl.full((2,), True), "bool"),
    (lambda: tl.arange(3), "int64"), (lambda: tl.arange(3.0), "float32"), (lambda: tl.linspace(0, 1, 3), "float32"),
    (lambda: tl.zeros_like(t([1, 2])), "int64"), (lambda: tl.eye(2), "float32"), (lambda: t([1.0]).double(), "float64"),
    (lambda: t([1], dtype=tl.uint8) + t([1], dtype=tl.int8), "int16"), (lambda: 2.0 - t([1, 2]), "float32"),
    (lambda: t([7]) // 2, "int64"), (lambda: t([1.0], dtype=tl.half) + t([1.0]), "float32"),
]


@pytest.mark.parametrize("make, dtype", DTYPES)
def test_dtypes_are_pytorchs(make, dtype):
    out = make()
    assert isinstance(out, tl.Tensor) and out.dtype == dtype


def test_whole_numbers_are_not_tracked():
    x = tl.ones(2, requires_grad=True)
    assert not x.to(tl.int32).requires_grad and not x.long().requires_grad and x.double().requires_grad


VALUES = [
    (lambda: tl.arange(1, 4), [1, 2, 3]), (lambda: tl.arange(1.0, 2.0, 0.5), [1.0, 1.5]), (lambda: tl.eye(2, 3), [[1, 0, 0], [0, 1, 0]]),
    (lambda: tl.linspace(0, 1, 3), [0, 0.5, 1]), (lambda: tl.full_like(tl.zeros(2), 7), [7, 7]), (lambda: tl.ones_like(t([2])), [1]),
    (lambda: tl.empty(0, 2), np.empty((0, 2))), (lambda: tl.zeros((2, 1)), [[0], [0]]), (lambda: tl.as_tensor([1, 2]), [1, 2]),
]


@pytest.mark.parametrize("make, values", VALUES)
def test_values(make, values):
    np.testing.assert_array_equal(make(), values)


def test_random_numbers_have_their_distributions():
    tl.manual_seed(0)
    n = 20_000
    assert abs(tl.rand(n).mean().item() - 0.5) < 0.01 and abs(tl.randn(n).std().item() - 1) < 0.02
    assert set(tl.randint(2, 5, (n,)).tolist()) == {2, 3, 4} and set(tl.randint(2, (n,)).tolist()) == {0, 1}
    assert sorted(tl.randperm(9).tolist()) == list(range(9))
    assert abs(tl.normal(t([3.0, -3.0]), 0.1).array - [3, -3]).max() < 0.6
    assert abs(tl.bernoulli(tl.full((n,), 0.3)).mean().item() - 0.3) < 0.02
    drawn = tl.multinomial(t([1.0, 0.0, 3.0]), n, replacement=True).array
    assert abs((drawn == 2).mean() - 0.75) < 0.02 and not (drawn == 1).any()
    rows = tl.multinomial(t([[1.0, 0.0, 3.0], [0.0, 1.0, 1.0]]), 2).array
    assert [set(row) for row in rows.tolist()] == [{0, 2}, {1, 2}]
    x = tl.zeros(n)
    assert abs(x.uniform_(2, 4).mean().item() - 3) < 0.03 and x.normal_(1, 0.1).std().item() < 0.11
    assert set(x.bernoulli_(0.5).tolist()) == {0.0, 1.0}


def test_draws_without_replacement_are_distinct_and_in_proportion():
    tl.manual_seed(0)
    weights = np.array([1.0, 0.0, 3.0, 6.0, 2.0])
    drawn = tl.multinomial(t(np.tile(weights, (20_000, 1))), 4).array
    assert (np.sort(drawn, 1) == [0, 2, 3, 4]).all()  # each once, and never the one of weight 0
    p = weights / weights.sum()
    first = np.bincount(drawn[:, 0], minlength=5) / len(drawn)
    np.testing.assert_allclose(first, p, atol=0.012)
    then = np.bincount(drawn[drawn[:, 0] == 3, 1], minlength=5) / (drawn[:, 0] == 3).sum()  # among what is left
    np.testing.assert_allclose(then, np.where(np.arange(5) == 3, 0, p) / (1 - p[3]), atol=0.02)


def test_normal_numbers_of_numbers_and_of_tensors():
    assert tl.normal(0.0, 1.0, (2, 3)).shape == (2, 3) and tl.normal(0.0, 1.0, size=(2,)).dtype == np.float32
    assert tl.normal(np.ones((2, 2)), 0.5).shape == (2, 2) == tl.normal(0.0, np.ones((2, 2))).shape
    assert tl.normal(t([1.0, 2.0]), 0.5).shape == (2,) and tl.normal(0.0, tl.ones(3, dtype=tl.float64)).dtype == np.float64


def test_the_same_seed_gives_the_same_numbers_and_a_generator_its_own():
    tl.manual_seed(5)
    first = tl.randn(3)
    own = tl.Generator().manual_seed(1)
    tl.manual_seed(5)
    a = tl.rand(2, generator=own)  # does not touch the library's
    assert (tl.randn(3).array == first.array).all()
    state = own.get_state()
    b = tl.rand(2, generator=own)
    own.set_state(state)
    assert (tl.rand(2, generator=own).array == b.array).all() and (a.array != b.array).any()
    tl.manual_seed(0)
    assert np.allclose(tl.rand(2), [0.63696170, 0.26978672])  # PCG64's, on every platform


DRAWN = [  # what seed 3 gives, on every platform
    (lambda g: tl.rand(3, generator=g), [0.085649, 0.236811, 0.801274]),
    (lambda g: tl.randn(3, generator=g), [2.040919, -2.555665, 0.418099]),
    (lambda g: tl.randint(9, (3,), generator=g), [7, 0, 1]),
    (lambda g: tl.randint(low=2, high=5, size=(3,), generator=g), [4, 2, 2]),
    (lambda g: tl.randint_like(tl.zeros(3), 2, 5, generator=g), [4, 2, 2]),
    (lambda g: tl.rand_like(tl.zeros(2), generator=g), [0.085649, 0.236811]),
    (lambda g: tl.randn_like(tl.zeros(2), generator=g), [2.040919, -2.555665]),
    (lambda g: tl.randperm(5, generator=g), [4, 2, 1, 3, 0]),
    (lambda g: tl.normal(1.0, 2.0, (2,), generator=g), [5.081838, -4.11133]),
    (lambda g: tl.normal(t([0.0, 9.0]), generator=g), [2.040919, 6.444335]),
    (lambda g: tl.bernoulli(t([0.0, 0.5, 0.5, 1.0]), generator=g), [0, 1, 0, 1]),
    (lambda g: tl.zeros(4).bernoulli(0.5, generator=g), [1, 1, 0, 0]),
    (lambda g: tl.multinomial(t([0.2, 0.0, 0.8]), 5, True, generator=g), [0, 2, 2, 2, 0]),
    (lambda g: tl.multinomial(t([0.2, 0.3, 0.5]), 3, generator=g), [0, 1, 2]),
    (lambda g: tl.zeros(2).uniform_(2, 3, generator=g), [2.085649, 2.23681]),
    (lambda g: tl.zeros(2).normal_(5, 0.1, generator=g), [5.204092, 4.744433]),
    (lambda g: tl.zeros(4).bernoulli_(t(0.5), generator=g), [1, 1, 0, 0]),
    (lambda g: tl.zeros(3).random_(5, generator=g), [4, 0, 0]),
    (lambda g: tl.zeros(3).random_(5, 8, generator=g), [7, 5, 5]),
    (lambda g: tl.zeros(2).exponential_(2.0, generator=g), [0.055007, 0.194828]),
    (lambda g: nn.init.xavier_uniform_(tl.zeros(1, 2), generator=g), [[-1.171961, -0.744412]]),
    (lambda g: nn.init.kaiming_normal_(tl.zeros(1, 2), generator=g), [[2.040919, -2.555665]]),
    (lambda g: nn.init.trunc_normal_(tl.zeros(2), generator=g), [0.418099, -0.56777]),
]


@pytest.mark.parametrize("draw, numbers", DRAWN)
def test_a_seed_gives_the_same_numbers_of_each_kind(draw, numbers):
    before = tl.get_rng_state()
    np.testing.assert_allclose(draw(tl.Generator().manual_seed(3)).array, numbers, rtol=2e-5)
    assert tl.equal(tl.get_rng_state(), before)  # the library's generator is another
    draw(None)
    assert not tl.equal(tl.get_rng_state(), before)


def test_a_state_is_a_tensor_that_can_be_saved(tmp_path):
    own = tl.Generator(5)
    own.numpy.integers(9, dtype=np.int32)  # half of a 64-bit number is left over
    tl.save({"rng": own.get_state()}, tmp_path / "m")
    numbers = [own.numpy.integers(9, dtype=np.int32) for _ in range(5)]
    other = tl.Generator().set_state(tl.load(tmp_path / "m")["rng"])
    assert [other.numpy.integers(9, dtype=np.int32) for _ in range(5)] == numbers and other.initial_seed() == 5


def test_the_librarys_generator():
    tl.manual_seed(7)
    state = tl.get_rng_state()
    first, before = tl.rand(2).tolist(), tl.get_rng_state()
    assert tl.initial_seed() == 7 and state.dtype == np.uint8 and state.shape == (48,)
    with tl.random.fork_rng():
        tl.manual_seed(1)
        tl.rand(5)
    assert tl.equal(tl.get_rng_state(), before)
    tl.set_rng_state(state)
    assert tl.rand(2).tolist() == first and tl.default_generator.get_state().tolist() == before.tolist()
    assert tl.seed() == tl.initial_seed() != tl.seed()
    assert tl.manual_seed(-1).initial_seed() == 2**64 - 1 and tl.Generator("cpu").device == "cpu" and tl.Generator(device="cpu").seed() > 0


def test_a_thread_may_have_numbers_of_its_own():
    def work():
        with tl.random.seeded(3):
            tl.manual_seed(3)
            found.append(tl.rand(2).tolist())

    found: list = []
    tl.manual_seed(0)
    before = tl.get_rng_state()
    for thread in (threads := [threading.Thread(target=work) for _ in range(2)]):
        thread.start()
    for thread in threads:
        thread.join()
    with tl.random.seeded(3):
        assert found == [tl.rand(2).tolist()] * 2
    assert tl.equal(tl.get_rng_state(), before)


def test_numbers_below_a_bound_are_not_rounded_up_to_it():
    for dtype in (tl.float16, tl.float32, tl.float64):
        x = tl.rand(20_000, dtype=dtype, generator=tl.Generator(0))
        assert 0 <= x.min().item() and x.max().item() < 1 and x.dtype == dtype
    assert tl.zeros(20_000, dtype=tl.float16).uniform_(1, 3, generator=tl.Generator(0)).max().item() < 3
    assert tl.zeros(2).uniform_(1, 1).tolist() == [1, 1] and tl.zeros(20_000).exponential_().min().item() > 0


@pytest.mark.parametrize("call, kind, words", [
    (lambda: tl.rand(2, dtype=tl.int64), RuntimeError, "rand: .*not int64"), (lambda: tl.zeros(2).long().normal_(), RuntimeError, "normal_: .*int64"), (lambda: tl.bernoulli(t([1, 0])), RuntimeError, "bernoulli: .*int64"),
    (lambda: tl.bernoulli(t([float("nan")])), RuntimeError, "outside"), (lambda: tl.zeros(2).bernoulli_(2), RuntimeError, "outside"), (lambda: tl.randint(0, 300, (2,), dtype=tl.uint8), RuntimeError, "uint8 cannot hold the numbers from 0 to 299"),
    (lambda: tl.randperm(300, dtype=tl.int8), RuntimeError, "int8 cannot hold"), (lambda: tl.randperm(-1), RuntimeError, "at least 0"), (lambda: tl.randint(2.5, (3,)), TypeError, "whole numbers"), (lambda: tl.zeros(2).random_(5, 5), RuntimeError, "no number"),
    (lambda: tl.normal(0.0, -1.0, (2,)), RuntimeError, "std"), (lambda: tl.normal(0.0, 1.0), TypeError, "size"), (lambda: tl.zeros(2).uniform_(3, 2), RuntimeError, "from 3"), (lambda: tl.zeros(2).exponential_(0), RuntimeError, "lambd"),
    (lambda: tl.multinomial(t([1e308, 1e308], dtype=tl.float64), 1), RuntimeError, "finite sum"), (lambda: tl.multinomial(t([1.0]), 0), RuntimeError, "at least 1"),
    (lambda: tl.rand(2, generator=0), TypeError, "a tl.Generator, not int"), (lambda: tl.manual_seed(2**64), RuntimeError, "from -2"), (lambda: tl.Generator("cuda"), RuntimeError, "cuda"), (lambda: tl.set_rng_state(tl.zeros(3)), TypeError, "48 bytes")])
def test_what_cannot_be_drawn_is_refused(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


# ---------------------------------------------------------------- numpy and others
def test_numpy_functions_and_operators_keep_the_gradient():
    x = t([1.0, 2.0], requires_grad=True)
    (np.ones(2, np.float32) * np.exp(x)).sum().backward()
    assert np.allclose(x.grad, np.exp([1.0, 2.0]))
    for out in (np.sum(x, axis=0), np.concatenate([x, x]), np.where(x > 1, x, 0.0), np.clip(x, 0, 1), np.matmul(x, x),
                np.mean(x, keepdims=True), np.transpose(x), np.reshape(x, (2, 1)), np.add(1.0, x), np.einsum("i->", x)):
        assert isinstance(out, tl.Tensor) and out.requires_grad


def test_what_has_no_operation_is_numpys_of_the_arrays():
    assert isinstance(np.linalg.eigvals(tl.eye(2)), np.ndarray) and np.asarray(t([1.0])).dtype == np.float32
    assert np.shares_memory(np.asarray(x := tl.zeros(2)), x.array)


def test_dlpack_shares_memory_both_ways():
    a = np.arange(3.0)
    x = tl.from_dlpack(a)
    a[0] = 9
    assert x.tolist() == [9, 1, 2] and np.shares_memory(np.from_dlpack(x), a)
    tl.from_dlpack(x)[0] = 8
    assert a[0] == 8
    with pytest.raises(BufferError, match="detach"):
        np.from_dlpack(tl.ones(1, requires_grad=True))
    with pytest.raises(BufferError, match="detach"):
        tl.from_dlpack(tl.ones(1, requires_grad=True))


def test_copies_are_leaves_with_memory_of_their_own():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert isinstance(other[0].weight, nn.Parameter) and other[0].weight.requires_grad
        assert (other[0].weight.array == model[0].weight.array).all()
        assert not np.shares_memory(other[0].weight.array, model[0].weight.array)
    x = tl.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        copy.deepcopy(x * 2)


def test_matplotlib_takes_tensors():
    from matplotlib.figure import Figure

    (line,) = Figure().subplots().plot(tl.arange(3), tl.ones(3, requires_grad=True) * 2)
    assert line.get_ydata().tolist() == [2, 2, 2]


def test_a_repr_tells_values_dtype_and_origin():
    assert repr(t([1.0, 2.5])) == "tensor([1. , 2.5])" and repr(t([1], dtype=tl.int8)) == "tensor([1], dtype=int8)"
    x = t([1.0], requires_grad=True)
    assert repr(x) == "tensor([1.], requires_grad=True)" and repr(x * 2) == "tensor([2.], grad_fn=<mul>)"


@pytest.mark.parametrize("make", [
    lambda: tl.full((1,), 0.1, dtype="float64"), lambda: tl.full_like(tl.zeros(1, dtype=np.float64), 0.1),
    lambda: tl.tensor([0.1], dtype="float64"), lambda: tl.zeros(1, dtype=np.float64).fill_(0.1),
    lambda: tl.zeros(1, dtype=np.float64) + 0.1, lambda: tl.zeros(1, dtype=np.float64).clamp(min=0.1),
    lambda: tl.zeros(1, dtype=np.float64).masked_fill(tl.tensor([True]), 0.1), lambda: tl.where(tl.tensor([True]), 0.1, tl.zeros(1, dtype=np.float64)),
    lambda: tl.arange(0.1, 0.2, 1, dtype="float64"), lambda: tl.linspace(0.1, 0.2, 1, dtype="float64")])
def test_a_number_does_not_pass_through_float32(make):
    assert make().dtype == np.float64 and make().item() == 0.1
