"""What follows from the tables: value, gradients, dtype, and that nothing public is missing from them."""

import copy
import inspect

import numpy as np
import pytest
from calls import CASES, DIFFERENTIABLE, ROWS, outputs, parameter, real, run, tensors
from functional_table import FUNCTIONAL
from table import TABLE
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl
from tinygrad_lite.engine.tape import BY_HAND, tape_of


def call(name, function, sample, wrt, dtype=np.float64):
    if name in ("cholesky", "eigh", "eigvalsh"):  # read one triangle only
        wrt = [(x + x.mT) / 2 for x in wrt]
    return run(function, sample, wrt, lambda x: parameter(x, dtype))


@pytest.mark.parametrize("name, function, row, sample", CASES)
def test_value_is_numpys(name, function, row, sample):
    found = outputs(run(function, sample, tensors(sample)))
    expected = outputs(row.formula(*sample.args, **sample.kwargs))
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        assert isinstance(a, tl.Tensor) and a.shape == np.shape(b)
        np.testing.assert_allclose(a.array, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name, function, row, sample", DIFFERENTIABLE)
def test_first_and_second_gradient_are_those_of_finite_differences(name, function, row, sample):
    wrt = tensors(sample)
    if wrt:
        def of_inputs(*xs):
            return real(call(name, function, sample, xs))

        assert tl.autograd.gradcheck(of_inputs, wrt)
        assert tl.autograd.gradgradcheck(of_inputs, wrt)


@pytest.mark.parametrize("name, function, row, sample", DIFFERENTIABLE)
def test_float32_stays_float32(name, function, row, sample):
    wrt = tensors(sample, np.float32)
    found = real(call(name, function, sample, wrt, np.float32))
    assert all(out.dtype == np.float32 for out in found)
    loss = sum(out.sum() for out in found)
    if found and loss.requires_grad:
        loss.backward()
        assert all(x.grad is None or x.grad.dtype == np.float32 and x.grad.shape == x.shape for x in wrt)


@pytest.mark.parametrize("name, function, row, sample", DIFFERENTIABLE)
def test_by_hand_is_the_autograd_of_the_definition(name, function, row, sample):
    def gradients():
        wrt = tensors(sample)
        loss = sum((out * np.cos(np.arange(out.numel())).reshape(out.shape)).sum() for out in
                   real(call(name, function, sample, wrt)))
        return tl.autograd.grad(loss, wrt, allow_unused=True) if not isinstance(loss, int) and loss.requires_grad else ()

    by_hand = gradients()
    with tl.expanded():
        definition = gradients()
    for a, b in zip(by_hand, definition, strict=True):
        assert (a is None) == (b is None)
        assert a is None or np.allclose(a, b, rtol=1e-11, atol=1e-12)


def test_every_public_operation_has_a_row():
    assert set(tl.ops.VOCABULARY) == set(TABLE)
    functional = {name for name, f in vars(F).items() if inspect.isfunction(f) and name[0] != "_" and f not in tl.ops.VOCABULARY.values()}
    elsewhere = {"gumbel_softmax", "attention", "causal_mask", "multi_head_attention", "multi_head_attention_forward",
                 "cosine_sim_matrix", "cosine_top_k"}  # tested on their own, with test_patterns
    elsewhere |= {name for name in functional if name.endswith("_")}  # in place: test_spellings
    assert functional - elsewhere == set(FUNCTIONAL)


def test_every_public_operation_is_documented():
    assert not [name for name, function, _ in ROWS if not (function.__doc__ or "").strip()]


def test_operations_are_methods_too():
    x = tl.tensor([[1.0, -2.0], [3.0, 4.0]])
    assert x.exp().log().sub(x).abs().amax(axis=1, keepdims=True).shape == (2, 1)
    for name, function in tl.ops.VOCABULARY.items():
        if name not in ("view", "svd"):  # tl.view is the tape's views; torch.svd is not torch.linalg.svd
            assert getattr(tl, name) is function
    assert all(hasattr(x, name) for name in ("relu", "softmax", "sort")) and not hasattr(x, "einsum")


def recorded_by_the_tables():
    """The operations that the samples of the tables record."""
    seen = set()
    for _, function, row in ROWS:
        for sample in row.samples:
            for out in outputs(run(function, sample, tensors(sample))):
                if out.node is not None:
                    seen |= {node.op for node in tape_of([out.node])[0]}
    return seen


def test_the_tape_says_what_people_call_an_operation():
    names = {op.__name__ for op in [*tl.ops.PRIMITIVES, *BY_HAND.values(), *recorded_by_the_tables()]
             if str(op.__module__).startswith("tinygrad_lite")}
    public = {*tl.ops.VOCABULARY, *(name for name in vars(F) if not name.startswith("_")), *dir(tl.Tensor)}
    assert names <= public
    assert not names & {"subtract", "divide", "true_divide", "multiply", "normalized", "length", "contract", "pick", "spread", "cast"}


def names_used(code):
    yield from code.co_names
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from names_used(constant)


def test_rules_are_written_in_public_words():
    ops = {*tl.ops.PRIMITIVES, *BY_HAND.values(), *recorded_by_the_tables()}
    rules = [inspect.unwrap(rule) for op in ops for rule in (*op.rules, op.joint) if rule is not None]
    assert len(rules) > 120
    private = {(rule.__module__, name) for rule in rules for name in names_used(rule.__code__) if name.startswith("_") and name in rule.__globals__}
    assert not private


def test_every_rule_is_exercised_by_the_tables():
    seen = recorded_by_the_tables()
    ruled = {op for op in [*tl.ops.PRIMITIVES, *BY_HAND.values()] if any(op.rules) or op.joint}
    ours = {op.__name__ for op in ruled - seen if str(op.__module__).startswith("tinygrad_lite")}
    assert ours <= {"to", "scaled_dot_product_attention"}  # the engine's own, and, in blocks, what needs long inputs


# what looks at values to find out what to compute: it runs, but without a program, and says so
WITHOUT_PROGRAM = {*"bincount bucketize histc isin masked_scatter nn.functional.embedding_bag nonzero one_hot repeat_interleave searchsorted unique".split()}


@pytest.mark.parametrize("name, function, row, sample", CASES)
@pytest.mark.filterwarnings("ignore::tinygrad_lite.compiler.Fallback")
def test_compiled_values_and_gradients_are_those_of_the_operation(name, function, row, sample):
    def called(wrt, others):  # what else the sample holds is made anew, and so a constant
        rest = iter(others)
        return outputs(run(function, copy.deepcopy(sample), wrt, lambda x: next(rest) if isinstance(x, np.ndarray) else x))

    def step(wrt, others):
        found = called(wrt, others)
        losses = [(out * out).sum() for out in found if out.requires_grad]
        gradients = tl.autograd.grad(sum(losses[1:], losses[0]), wrt, allow_unused=True) if losses and wrt else ()
        return [out.detach() for out in found], gradients

    compiled, others = tl.compile(step), []
    run(function, sample, tensors(sample), lambda x: others.append(parameter(x)) or others[-1] if isinstance(x, np.ndarray) else x)
    expected = step(tensors(sample), others)
    for _ in range(4):  # as it is, recorded, compared, run
        found = compiled(tensors(sample), others)
        for side, other in zip(found, expected):
            for a, b in zip(side, other, strict=True):
                if b is not None:
                    assert a.dtype == b.dtype and a.shape == b.shape
                    np.testing.assert_allclose(a.array, b.array, rtol=1e-10, atol=1e-12)
    assert compiled.traces == 1 or name in WITHOUT_PROGRAM, compiled._warned


@pytest.mark.parametrize("name, function, row, sample", DIFFERENTIABLE)
def test_gradients_that_are_recorded_have_all_digits(name, function, row, sample):
    def gradients(create_graph):
        inputs = tensors(sample)
        with tl.random.seeded(0):
            outs = [out for out in real(run(function, sample, inputs)) if out.requires_grad]
        seeds = [tl.tensor(np.cos(np.arange(out.numel())).reshape(out.shape) * 1e60) for out in outs]
        return tl.autograd.grad(outs, inputs, seeds, create_graph=create_graph, allow_unused=True)

    for g, plain in zip(gradients(True), gradients(False), strict=True):
        assert (g is None) == (plain is None)
        if g is not None:
            np.testing.assert_allclose(g.array, plain.array, rtol=1e-11, atol=1e40)
