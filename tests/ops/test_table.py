"""What follows from the table: value, gradients, dtype, and that nothing public is missing from it."""

import numpy as np
import pytest
from calls import outputs, real, run, tensors
from table import TABLE

import tinygrad_lite as tl

CASES = [pytest.param(name, row, sample, id=f"{name}-{k}")
         for name, row in TABLE.items() for k, sample in enumerate(row.samples)]
SYMMETRIC = {"cholesky"}  # reads one triangle only: differentiated through x -> (x + x.mT) / 2


def call(name, sample, wrt):
    if name in SYMMETRIC:
        wrt = [(x + x.mT) / 2 for x in wrt]
    return run(tl.ops.VOCABULARY[name], sample, wrt)


@pytest.mark.parametrize("name, row, sample", CASES)
def test_value_is_numpys(name, row, sample):
    found = outputs(run(tl.ops.VOCABULARY[name], sample, tensors(sample)))
    expected = outputs(row.formula(*sample.args, **sample.kwargs))
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        assert isinstance(a, tl.Tensor) and a.shape == np.shape(b)
        np.testing.assert_allclose(a.array, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name, row, sample", [c for c in CASES if c.values[1].differentiable])
def test_first_and_second_gradient_are_those_of_finite_differences(name, row, sample):
    wrt = tensors(sample)
    if wrt:
        def function(*xs):
            return real(call(name, sample, xs))

        assert tl.autograd.gradcheck(function, wrt)
        assert tl.autograd.gradgradcheck(function, wrt)


@pytest.mark.parametrize("name, row, sample", [c for c in CASES if c.values[1].differentiable])
def test_float32_stays_float32(name, row, sample):
    wrt = tensors(sample, np.float32)
    found = real(call(name, sample, wrt))
    assert all(out.dtype == np.float32 for out in found)
    loss = sum(out.sum() for out in found)
    if found and loss.requires_grad:
        loss.backward()
        assert all(x.grad is None or x.grad.dtype == np.float32 and x.grad.shape == x.shape for x in wrt)


def test_every_public_operation_has_a_row():
    assert set(tl.ops.VOCABULARY) == set(TABLE)


def test_every_rule_is_exercised_by_the_table():
    seen = set()
    for name, row in TABLE.items():
        for sample in row.samples:
            for out in outputs(run(tl.ops.VOCABULARY[name], sample, tensors(sample))):
                if out.node is not None:
                    seen |= {node.op for node in tl.tape.tape_of([out.node])[0]}
    ruled = {op for op in tl.ops.PRIMITIVES if any(op.rules) or op.joint}
    assert {op.__name__ for op in ruled - seen} <= {"cast", "sum_to"}  # the engine's own
