"""Distributions beside PyTorch's: values, gradients, shapes, and what is refused."""

import math
import re

import numpy as np
import pytest

import tinygrad_lite as tl

torch = pytest.importorskip("torch")
R = np.random.default_rng(5)
SHAPES = [((), ()), ((4,), (4,)), ((3, 1), (4,)), ((2, 3), (2, 3)), ((0,), ())]


def simplexes(*shape):
    p = R.uniform(0.05, 1, shape)
    return p / p.sum(-1, keepdims=True)


def lows_and_highs(a, b):
    return R.standard_normal(a), 2.5 + R.uniform(0, 3, b)


CASES = [(name, dict(zip(names, draw(a, b)))) for a, b in SHAPES for name, names, draw in [
    ("Normal", ("loc", "scale"), lambda a, b: (R.standard_normal(a), R.uniform(0.2, 3, b))),
    ("Normal", ("loc", "scale"), lambda a, b: (1e3 * R.standard_normal(a), np.exp(R.uniform(-12, 12, b)))),
    ("Uniform", ("low", "high"), lows_and_highs),
    ("Bernoulli", ("probs",), lambda a, b: (R.uniform(0.01, 0.99, a),)),
    ("Bernoulli", ("logits",), lambda a, b: (4 * R.standard_normal(a),)),
    ("Bernoulli", ("logits",), lambda a, b: (300 * R.standard_normal(a),)),
    ("Categorical", ("probs",), lambda a, b: (simplexes(*a, 5),)),
    ("Categorical", ("logits",), lambda a, b: (4 * R.standard_normal((*a, 3)),) if 0 not in a else (np.ones((1, 3)),)),
    ("Categorical", ("probs",), lambda a, b: (R.uniform(1, 9, (*a, 1)),))]]
IDS = [f"{i}-{name}-{next(iter(p))}" for i, (name, p) in enumerate(CASES)]


def both(name, parameters):
    """Of both libraries: the distribution, and its parameters, which require a gradient."""
    for lib in (tl, torch):
        given = {k: lib.tensor(np.asarray(v), requires_grad=True) for k, v in parameters.items()}
        yield lib, getattr(lib.distributions, name)(**given), list(given.values())


def compared(ours, theirs, rtol=1e-9):
    """Values and, where there are any, gradients of the parameters."""
    (_, out, wrt), (_, other, others) = ours, theirs
    assert out.shape == tuple(other.shape) and str(out.dtype) == str(other.dtype).removeprefix("torch.")
    np.testing.assert_allclose(out.detach().numpy(), other.detach().numpy(), rtol=rtol, atol=1e-11)
    assert out.requires_grad == other.requires_grad
    if out.requires_grad:
        weight = np.cos(np.arange(out.numel())).reshape(out.shape)
        a = tl.autograd.grad((out * tl.tensor(weight)).sum(), wrt, retain_graph=True, allow_unused=True)
        b = torch.autograd.grad((other * torch.tensor(weight)).sum(), others, retain_graph=True, allow_unused=True)
        for x, y in zip(a, b, strict=True):
            x, y = (0.0 if g is None else g.numpy() for g in (x, y))
            np.testing.assert_allclose(x, y, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("name, parameters", CASES, ids=IDS)
def test_moments_entropies_and_parameters(name, parameters):
    (_, d, wrt), (_, other, others) = both(name, parameters)
    for what in ("mean", "variance", "stddev", "mode", "entropy", "perplexity", *parameters):
        if what in ("variance", "stddev") and "logits" in parameters and (abs(parameters["logits"]) > 30).any():
            continue  # of p and 1 - p PyTorch computes the second from the first
        out, theirs = getattr(d, what), getattr(other, what)
        compared((tl, out() if callable(out) else out, wrt), (torch, theirs() if callable(theirs) else theirs, others))


def values_for(name, d):
    shape = (3, *d.batch_shape)
    if name == "Categorical":
        return R.integers(0, d.probs.shape[-1], shape)
    if name == "Bernoulli":
        return R.integers(0, 2, shape).astype(float)
    return np.asarray(d.mean.detach().array + 0.49 * np.sqrt(12) * d.stddev.detach().array * R.uniform(-1, 1, shape))


@pytest.mark.parametrize("name, parameters", CASES, ids=IDS)
def test_log_probabilities(name, parameters):
    (_, d, wrt), (_, other, others) = both(name, parameters)
    for value in (values_for(name, d), values_for(name, d)[0]):
        compared((tl, d.log_prob(tl.tensor(value)), wrt), (torch, other.log_prob(torch.tensor(value)), others))


@pytest.mark.parametrize("name, parameters", [c for c in CASES if c[0] in ("Normal", "Uniform")])
def test_distribution_functions_and_their_inverses(name, parameters):
    (_, d, wrt), (_, other, others) = both(name, parameters)
    value, p = values_for(name, d), R.uniform(0.02, 0.98, (3, *d.batch_shape))
    compared((tl, d.cdf(tl.tensor(value)), wrt), (torch, other.cdf(torch.tensor(value)), others))
    compared((tl, d.icdf(tl.tensor(p)), wrt), (torch, other.icdf(torch.tensor(p)), others))


PAIRS = [(i, j) for i, (a, p) in enumerate(CASES) for j, (b, q) in enumerate(CASES)
         if a == b and (a != "Categorical" or p[next(iter(p))].shape[-1] == q[next(iter(q))].shape[-1])
         and (i // 9 == j // 9 or i % 9 == j % 9) and 5 not in (i % 9, j % 9)]  # where PyTorch's Bernoullis overflow


@pytest.mark.parametrize("i, j", PAIRS)
def test_divergences(i, j):
    p, q = both(*CASES[i]), both(*CASES[j])
    found = []
    for (lib, a, wrt), (_, b, others) in zip(p, q):
        try:
            found.append((lib, lib.distributions.kl_divergence(a, b), [*wrt, *others]))
        except (RuntimeError, IndexError) as error:
            found.append(error)
    if isinstance(found[1], Exception):
        assert isinstance(found[0], RuntimeError) or isinstance(found[1], IndexError)  # PyTorch fills masks that do not broadcast
        return
    compared(*found, rtol=1e-8)


@pytest.mark.parametrize("name, parameters", CASES, ids=IDS)
def test_shapes_of_samples_expansions_and_supports(name, parameters):
    (_, d, wrt), (_, other, others) = both(name, parameters)
    assert d.batch_shape == () or repr(d) == re.sub(r"torch.Size\(\[(\d*(, \d*)*)\]\)", lambda m: repr(eval(f"({m[1]},)")), repr(other))
    assert (d.batch_shape, d.event_shape) == (tuple(other.batch_shape), tuple(other.event_shape))
    assert (d.has_rsample, d.has_enumerate_support) == (other.has_rsample, other.has_enumerate_support)
    for a, b in [(d, other), (d.expand((2, *d.batch_shape)), other.expand((2, *other.batch_shape)))]:
        for shape in ((), (3,), (2, 1)):
            ours, theirs = a.sample(shape), b.sample(shape)
            assert ours.shape == tuple(theirs.shape) and not ours.requires_grad
            assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
        if a.has_rsample:
            assert a.rsample((2,)).shape == tuple(b.rsample((2,)).shape) and a.rsample().requires_grad
        for expand in (True, False) if a.has_enumerate_support else ():
            compared((tl, a.enumerate_support(expand), wrt), (torch, b.enumerate_support(expand), others))
        compared((tl, a.entropy(), wrt), (torch, b.entropy(), others))
    assert repr(d.support).split("(")[0] == repr(other.support).split("(")[0]


D = "distributions."
ERRORS = {  # code of both libraries; the words that the messages share
    "scale 0": ("D.Normal(0.0, 0.0)", r"parameter scale .*GreaterThan\(lower_bound=0.0\)"), "scale below": ("D.Normal(0.0, -1.0)", "scale"),
    "loc NaN": ("D.Normal(float('nan'), 1.0)", r"parameter loc .*Real\(\)"),
    "shapes": ("D.Normal(L.ones(2), L.ones(3))", ""), "low above": ("D.Uniform(1.0, 0.0)", ""), "low equal": ("D.Uniform(1.0, 1.0)", ""),
    "p above": ("D.Bernoulli(1.5)", r"parameter probs .*Interval\(lower_bound=0.0, upper_bound=1.0\)"), "p NaN": ("D.Bernoulli(float('nan'))", "probs"),
    "both": ("D.Bernoulli(0.5, 0.5)", "probs.*logits.*not both"), "neither": ("D.Bernoulli()", "probs.*logits"),
    "both of a categorical": ("D.Categorical(L.ones(2), L.ones(2))", "not both"), "no categories": ("D.Categorical(L.tensor(1.0))", "at least one"),
    "negative": ("D.Categorical(L.tensor([0.5, -0.5, 1.0]))", r"parameter probs .*Simplex\(\)"), "all 0": ("D.Categorical(L.zeros(2))", "probs"),
    "logits NaN": ("D.Categorical(logits=L.tensor([0.0, float('nan')]))", "parameter logits .*Real"),
    "no tensor": ("D.Normal(0.0, 1.0).log_prob(0.5)", "Tensor"), "outside": ("D.Bernoulli(0.5).log_prob(L.tensor(2.0))", r"value argument .*within the support \(Boolean\(\)\)"),
    "half a category": ("D.Categorical(L.ones(2)).log_prob(L.tensor(0.5))", r"IntegerInterval\(lower_bound=0, upper_bound=1\)"),
    "no such category": ("D.Categorical(L.ones(2)).log_prob(L.tensor(2))", "support"), "above high": ("D.Uniform(0.0, 1.0).log_prob(L.tensor(2.0))", "support"),
    "value's shape": ("D.Normal(L.zeros(2), 1.0).log_prob(L.zeros(3))", "broadcast"), "cdf": ("D.Uniform(0.0, 1.0).cdf(L.tensor(-1.0))", "support"),
    "no rsample": ("D.Bernoulli(0.5).rsample()", ""), "no cdf": ("D.Categorical(L.ones(2)).cdf(L.tensor(0))", ""), "no icdf": ("D.Bernoulli(0.5).icdf(L.tensor(0.5))", ""),
    "no support to count": ("D.Normal(0.0, 1.0).enumerate_support()", ""), "no divergence": ("D.kl_divergence(D.Categorical(L.ones(2)), D.Normal(0.0, 1.0))", ""),
    "smaller": ("D.Normal(L.zeros(3), 1.0).expand((2,))", ""),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    code, words = ERRORS[case]
    raised = []
    for lib in (torch, tl):
        with pytest.raises(Exception, match=f"(?s){words}") as error:
            eval(code, {"L": lib, "D": lib.distributions})
        raised.append(error.type)
    assert raised[0] is raised[1]


UNCHECKED = ["D.Normal(0.0, -1.0, validate_args=False).mean", "D.Uniform(0.0, 1.0, validate_args=False).log_prob(L.tensor([-1.0, 0.0, 0.5, 1.0, 2.0]))",
             "D.Uniform(0.0, 2.0, validate_args=False).cdf(L.tensor([-1.0, 0.5, 2.0, 3.0]))", "D.Bernoulli(0.3, validate_args=False).log_prob(L.tensor(0.25))",
             "D.Uniform(0.0, 1.0).log_prob(L.tensor([0.0, 1.0]))", "D.Normal(0, 1).log_prob(L.tensor(0.5))", "D.Normal(0.0, 1.0).cdf(L.tensor([-math.inf, math.inf]))",
             "D.kl_divergence(D.Bernoulli(0.0), D.Bernoulli(0.5))", "D.kl_divergence(D.Bernoulli(0.5), D.Bernoulli(1.0))", "D.kl_divergence(D.Bernoulli(1.0), D.Bernoulli(0.0))",
             "D.kl_divergence(D.Categorical(L.tensor([0.0, 1.0])), D.Categorical(L.tensor([0.5, 0.5])))",
             "D.kl_divergence(D.Categorical(L.tensor([0.5, 0.5])), D.Categorical(L.tensor([0.0, 1.0])))", "D.kl_divergence(D.Uniform(0.0, 1.0), D.Uniform(0.5, 2.0))",
             "D.Categorical(logits=L.tensor([-math.inf, 0.0])).entropy()", "D.Categorical(logits=L.tensor([-math.inf, 0.0])).log_prob(L.tensor([0, 1]))",
             "D.Bernoulli(L.tensor([0.0, 0.5, 1.0])).mode", "D.Bernoulli(logits=L.tensor([-math.inf, math.inf])).probs"]


@pytest.mark.parametrize("code", UNCHECKED)
def test_edges(code):
    ours, theirs = (eval(code, {"L": lib, "D": lib.distributions, "math": math}) for lib in (tl, torch))
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6, atol=2e-6)
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
