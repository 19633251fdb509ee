"""Value, gradient and second gradient of every row of the table, against PyTorch."""

from functools import reduce

import numpy as np
import pytest
from calls import CASES, arrays, outputs, real, run, tensors

import tinygrad_lite as tl

torch = pytest.importorskip("torch")

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
    except NotImplementedError:  # PyTorch has no second derivative of cdist
        return first, None


def close(ours, theirs, what):
    for a, b in zip(ours, theirs, strict=True):
        a, b = (0.0 if x is None else x.detach() for x in (a, b))
        a = a if isinstance(a, float) else a.numpy()
        b = b if isinstance(b, float) else b.numpy(force=True)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10, err_msg=what)


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
                close(a, b, what)
