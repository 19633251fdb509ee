"""Value, gradient and second gradient of every row of the table, against PyTorch."""

from functools import reduce

import numpy as np
import pytest
from calls import CASES, arrays, outputs, real, run, tensors

import tinygrad_lite as tl

torch = pytest.importorskip("torch")

DIGITS = {"nn.functional.hardsigmoid": 1e-7}  # PyTorch's slope of 1 / 6 has those of float32


def theirs(name, row):
    if callable(row.torch):
        return row.torch
    return reduce(getattr, (row.torch or name).split("."), torch)


def parameter(x):
    if isinstance(x, tuple):
        return tuple(map(parameter, x))
    return torch.tensor(np.asarray(x)) if isinstance(x, np.ndarray) else x


def gradients(lib, out, wrt):
    """d (weighted sum of out) / d wrt, and d (weighted sum of that) / d wrt; None is no gradient, or one of zeros."""
    def weighted(values):
        total = 0.0
        for k, v in enumerate(values):
            if v is not None and v.requires_grad:
                weight = np.cos(np.arange(np.prod(v.shape, dtype=int)) + k).reshape(tuple(v.shape))
                total = total + (v * (tl.tensor(weight) if lib is tl else torch.tensor(weight))).sum()
        return total

    loss = weighted(out)
    none = [None] * len(wrt)
    if isinstance(loss, float):
        return none, none
    first = lib.autograd.grad(loss, wrt, create_graph=True, allow_unused=True)
    again = weighted(first)
    if isinstance(again, float):
        return first, none
    try:
        return first, lib.autograd.grad(again, wrt, allow_unused=True)
    except (NotImplementedError, RuntimeError):
        if lib is tl:
            raise
        return first, None  # PyTorch has no second derivative of cdist, nor of its fast attention


def close(ours, theirs, what, rtol=1e-9):
    for a, b in zip(ours, theirs, strict=True):
        a, b = (0.0 if x is None else x.detach() for x in (a, b))
        a = a if isinstance(a, float) else a.numpy()
        b = b if isinstance(b, float) else b.numpy(force=True)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-10, err_msg=what)


@pytest.mark.parametrize("name, function, row, sample", [c for c in CASES if c.values[2].torch is not False])
def test_values_and_gradients_are_pytorchs(name, function, row, sample):
    ours_in = tensors(sample)
    theirs_in = [torch.tensor(x, requires_grad=True) for x in arrays(sample)]
    ours = outputs(run(function, sample, ours_in))
    other = outputs(run(theirs(name, row), sample, theirs_in, parameter))
    assert [a.shape for a in ours] == [tuple(b.shape) for b in other]
    assert [str(a.dtype) for a in ours] == [str(b.dtype).removeprefix("torch.") for b in other]
    close(ours, other, "values")
    if row.differentiable:
        for a, b, what in zip(gradients(tl, real(ours), ours_in),
                              gradients(torch, [b for b in other if b.is_floating_point()], theirs_in),
                              ("gradients", "second gradients")):
            if b is not None:
                close(a, b, what, DIGITS.get(name, 1e-9))


def test_cross_entropy_with_every_target_ignored():
    x, y = np.ones((2, 3)), np.array([-100, -100])
    a, b = tl.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    ours, other = (lib.nn.functional.cross_entropy(v, lib.tensor(y)) for lib, v in ((tl, a), (torch, b)))
    ours.backward(), other.backward()
    assert np.isnan(ours.item()) and np.isnan(other.item())
    np.testing.assert_array_equal(a.grad, b.grad.numpy())


PAIRS = [(np.float32, 2.0), (np.int64, 2.5), (np.int64, 2), (bool, 2), (bool, True), (np.float16, 1e3), (np.uint8, -1),
         (np.float32, np.ones((), np.float64)), (np.int64, np.ones((), np.float16)), (np.float32, np.ones(2, np.int64)),
         (np.float16, np.ones(2, np.float64)), (np.uint8, np.ones(2, np.int8)), (np.float16, np.ones(2, np.int64)),
         (bool, np.ones((), np.uint8)), (np.int32, np.ones((), np.int64))]


@pytest.mark.parametrize("dtype, other", PAIRS)
def test_type_promotion(dtype, other):
    x = np.ones(2, dtype)
    ours = (tl.tensor(x) + (tl.tensor(other) if isinstance(other, np.ndarray) else other)).dtype
    theirs = (torch.tensor(x) + (torch.tensor(other) if isinstance(other, np.ndarray) else other)).dtype
    assert str(ours) == str(theirs).removeprefix("torch.")
