"""Distributions: values by their formulas, samples by their moments, and what is right where probabilities are 0."""

import math

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Normal,
    Uniform,
    kl_divergence,
    register_kl,
)

t = tl.tensor
INF, NAN = math.inf, math.nan
LEAST = math.log(2.0**-23)  # of a probability of float32


def d64(*values):
    return t(np.array(values if len(values) != 1 else values[0], np.float64))


VALUES = {  # what is computed, and what it is
    "normal density": (lambda: Normal(1.0, 2.0).log_prob(t(4.0)), -9 / 8 - math.log(2) - 0.5 * math.log(2 * math.pi)),
    "normal density far away": (lambda: Normal(0.0, 1e-25).log_prob(t(1e-25)), -0.5 - math.log(1e-25) - 0.5 * math.log(2 * math.pi)),
    "normal entropy": (lambda: Normal(5.0, 2.0).entropy(), 0.5 * math.log(2 * math.pi * math.e * 4)),
    "normal cdf": (lambda: Normal(d64(0.0), 1.0).cdf(d64([-INF, -10.0, 0.0, 1.0, INF])), [0, 7.61985302416052e-24, 0.5, 0.841344746068543, 1]),
    "normal icdf": (lambda: Normal(d64(0.0), 1.0).icdf(d64([0.0, 1e-20, 0.5, 0.975, 1.0, 2.0])), [-INF, -9.26234008979841, 0, 1.95996398454005, INF, NAN]),
    "uniform density": (lambda: Uniform(0.0, 4.0).log_prob(t([0.0, 3.9, 4.0])), [-math.log(4), -math.log(4), -INF]),
    "uniform density outside": (lambda: Uniform(0.0, 4.0, validate_args=False).log_prob(t([-0.1, 5.0])), [-INF, -INF]),
    "uniform cdf": (lambda: Uniform(1.0, 3.0, validate_args=False).cdf(t([0.0, 1.0, 2.0, 4.0])), [0, 0, 0.5, 1]),
    "uniform icdf": (lambda: Uniform(1.0, 3.0).icdf(t([0.0, 0.25, 1.0])), [1, 1.5, 3]),
    "coin": (lambda: Bernoulli(0.25).log_prob(t([0.0, 1.0])), np.log([0.75, 0.25])),
    "coin of logits": (lambda: Bernoulli(logits=math.log(3)).log_prob(t([0.0, 1.0])), np.log([0.25, 0.75])),
    "coin of large logits": (lambda: Bernoulli(logits=t([800.0, -800.0])).log_prob(t([0.0, 0.0])), [-800, 0]),
    "sure coin": (lambda: Bernoulli(t([0.0, 0.0, 1.0, 1.0])).log_prob(t([0.0, 1.0, 0.0, 1.0])), [-(2.0**-23), LEAST, LEAST, -(2.0**-23)]),
    "sure coin of logits": (lambda: Bernoulli(logits=t([-INF, -INF, INF, INF])).log_prob(t([0.0, 1.0, 0.0, 1.0])), [0, -INF, -INF, 0]),
    "sure coins' entropy": (lambda: Bernoulli(t([0.0, 0.5, 1.0])).entropy(), [2.0**-23, math.log(2), 2.0**-23]),
    "sure coins' entropy of logits": (lambda: Bernoulli(logits=t([-INF, 0.0, INF])).entropy(), [0, math.log(2), 0]),
    "sure coins' logits": (lambda: Bernoulli(t([0.0, 0.5, 1.0])).logits, [LEAST, 0, -LEAST]), "coins' modes": (lambda: Bernoulli(t([0.2, 0.5, 0.9])).mode, [0, NAN, 1]),
    "rare coin": (lambda: Bernoulli(logits=100.0).variance, math.exp(-100)),
    "categories": (lambda: Categorical(t([1.0, 0.0, 3.0])).log_prob(t([0, 1, 2])), [math.log(0.25), LEAST, math.log(0.75)]),
    "categories of logits": (lambda: Categorical(logits=t([1.0, -INF, 1.0])).log_prob(t([0, 1, 2])), [-math.log(2), -INF, -math.log(2)]),
    "categories' entropy": (lambda: Categorical(t([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])).entropy(), [math.log(2), 2.0**-23]),
    "categories' mode and mean": (lambda: tl.stack([Categorical(t([1.0, 0.0, 3.0])).mode.float(), Categorical(t([1.0, 3.0])).mean]), [2, NAN]),
    "perplexity": (lambda: Categorical(tl.ones(5)).perplexity(), 5),
    "normals": (lambda: kl_divergence(Normal(0.0, 1.0), Normal(1.0, 2.0)), math.log(2) + 2 / 8 - 0.5), "the same": (lambda: kl_divergence(Normal(3.0, 2.0), Normal(3.0, 2.0)), 0),
    "uniforms": (lambda: kl_divergence(Uniform(0.0, 1.0), Uniform(t([-1.0, 0.5]), t([1.0, 2.0]))), [math.log(2), INF]),
    "coins": (lambda: kl_divergence(Bernoulli(t([0.0, 1.0, 0.5, 0.0])), Bernoulli(t([0.5, 0.5, 0.0, 0.0]))), [math.log(2), math.log(2), INF, 0]),
    "coins of logits": (lambda: kl_divergence(Bernoulli(logits=d64(300.0)), Bernoulli(logits=d64([-300.0, INF, 300.0]))), [300, INF, 0]),
    "dice": (lambda: kl_divergence(Categorical(t([0.0, 1.0])), Categorical(t([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]))), [math.log(2), 0, INF]),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    compute, expected = VALUES[name]
    np.testing.assert_allclose(compute().detach().array, expected, rtol=2e-6, atol=1e-6 if np.all(np.abs(expected) > 1e-6) else 1e-30)


GRADIENTS = {  # of what the function of a parameter gives, and what it is: never NaN
    "log of a sure coin": (lambda p: Bernoulli(p).log_prob(t([0.0, 1.0, 0.0])), [0.0, 1.0, 0.5], [0, 0, -2]),
    "of a wrong one": (lambda p: Bernoulli(p).log_prob(t([1.0, 0.0])), [0.0, 1.0], [0, 0]),
    "log of sure logits": (lambda z: Bernoulli(logits=z).log_prob(t([0.0, 1.0, 1.0])), [-INF, INF, 0.0], [0, 0, 0.5]),
    "entropy of sure logits": (lambda z: Bernoulli(logits=z).entropy(), [-INF, INF, 0.0], [0, 0, 0]),
    "entropy of sure logits of categories": (lambda z: Categorical(logits=z).entropy(), [-INF, 0.0, 0.0], [0, 0, 0]),
    "log beside a probability of 0": (lambda p: Categorical(p).log_prob(t(1)), [0.0, 0.5, 0.5], [-1, 1, -1]),
    "log of a probability of 0": (lambda p: Categorical(p).log_prob(t(0)), [0.0, 0.5, 0.5], [0, 0, 0]),
    "samples' loc": (lambda m: Normal(m, 1.0).rsample((5,)), [0.0, 1.0], [5, 5]),
    "divergence": (lambda m: kl_divergence(Normal(m, 1.0), Normal(0.0, 1.0)), [0.0, 2.0], [0, 2]),
    "uniform": (lambda h: Uniform(0.0, h).log_prob(t([0.5, 0.5])), [1.0, 2.0], [-1, -0.5]),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name):
    function, at, expected = GRADIENTS[name]
    x = t(at, requires_grad=True)
    function(x).sum().backward()
    np.testing.assert_allclose(x.grad.array, expected, atol=1e-6)


def test_reparametrized_samples_are_differentiated_as_their_formulas():
    loc, scale = t([1.0, 2.0], requires_grad=True), t(3.0, requires_grad=True)
    for d, standard in [(Normal(loc, scale), tl.randn), (Uniform(loc, loc + scale), tl.rand)]:
        loc.grad = scale.grad = None
        tl.manual_seed(1)
        d.rsample((4,)).sum().backward()
        tl.manual_seed(1)
        np.testing.assert_allclose(scale.grad.item(), standard(4, 2).sum().item(), rtol=1e-5)
        assert loc.grad.tolist() == [4, 4]


SAMPLED = {"normal": Normal(t([-1.0, 3.0]), t([0.5, 2.0])), "uniform": Uniform(-1.0, t([1.0, 5.0])), "coin": Bernoulli(t([0.1, 0.5])),
           "coin of logits": Bernoulli(logits=t([2.0]))}


@pytest.mark.parametrize("name", SAMPLED)
def test_samples_have_the_moments(name):
    tl.manual_seed(0)
    d = SAMPLED[name]
    drawn = d.sample((40_000,))
    assert drawn.shape == (40_000, *d.batch_shape) and not drawn.requires_grad
    np.testing.assert_allclose(drawn.mean(0).array, d.mean.array, atol=0.03)
    np.testing.assert_allclose(drawn.std(0).array, d.stddev.array, rtol=0.03)
    assert d.log_prob(drawn).isfinite().all()


def test_categories_are_drawn_in_proportion_and_never_where_the_probability_is_0():
    tl.manual_seed(0)
    p = np.array([[0.1, 0.0, 0.9], [0.0, 1.0, 0.0]])
    drawn = Categorical(t(p)).sample((20_000,))
    assert drawn.shape == (20_000, 2) and drawn.dtype == np.int64
    for row, column in zip(p, drawn.array.T):
        np.testing.assert_allclose(np.bincount(column, minlength=3) / len(column), row, atol=0.01)
        assert (np.bincount(column, minlength=3) > 0).tolist() == (row > 0).tolist()


SHAPES = [  # batch_shape, and the shapes of sample((2,)) and of log_prob of values of shape (5, 1, 1)
    (lambda: Normal(0.0, 1.0), (), (2,), (5, 1, 1)), (lambda: Normal(tl.zeros(3), tl.ones(4, 1)), (4, 3), (2, 4, 3), (5, 4, 3)),
    (lambda: Normal(tl.zeros(3), 1.0).expand((4, 3)), (4, 3), (2, 4, 3), (5, 4, 3)), (lambda: Bernoulli(tl.full((3,), 0.5)), (3,), (2, 3), (5, 1, 3)),
    (lambda: Categorical(tl.ones(4, 3, 2)), (4, 3), (2, 4, 3), (5, 4, 3)), (lambda: Categorical(tl.ones(2)).expand((4, 3)), (4, 3), (2, 4, 3), (5, 4, 3)),
    (lambda: Uniform(tl.zeros(0), 1.0), (0,), (2, 0), (5, 1, 0)), (lambda: Categorical(tl.ones(0, 2)), (0,), (2, 0), (5, 1, 0))]


@pytest.mark.parametrize("make, batch, sampled, broadcast", SHAPES)
def test_shapes(make, batch, sampled, broadcast):
    d = make()
    assert d.batch_shape == batch and d.event_shape == () and d.entropy().shape == batch == d.mean.shape
    assert d.sample((2,)).shape == sampled and d.sample().shape == batch
    value = tl.ones(5, 1, 1) if not isinstance(d, Uniform) else tl.full((5, 1, 1), 0.5)
    assert d.log_prob(value.long() if isinstance(d, Categorical) else value).shape == broadcast


def test_supports_are_counted():
    assert Bernoulli(tl.full((3,), 0.5)).enumerate_support().tolist() == [[0] * 3, [1] * 3]
    assert Categorical(tl.ones(2, 3)).enumerate_support(expand=False).tolist() == [[0], [1], [2]]
    d = Categorical(t([[0.2, 0.8], [0.5, 0.5]]))
    np.testing.assert_allclose(d.log_prob(d.enumerate_support()).exp().array.T, d.probs.array, rtol=1e-6)


def test_dtypes_are_the_parameters():
    assert Normal(0, 1).sample().dtype == np.float32 and Normal(d64(0.0), 1.0).sample().dtype == np.float64
    assert Bernoulli(np.array([0.5])).log_prob(d64([1.0])).dtype == np.float64 and Normal(tl.zeros(2, dtype=tl.half), 1.0).rsample().dtype == np.float16


REFUSED = [
    (lambda: Normal(0.0, t([1.0, -1.0])), r"parameter scale \(Tensor of shape \(2,\)\).*GreaterThan\(lower_bound=0.0\).*-1"), (lambda: Normal(NAN, 1.0), "loc.*Real"),
    (lambda: Bernoulli(1.1), r"probs.*Interval\(lower_bound=0.0, upper_bound=1.0\)"), (lambda: Bernoulli(logits=NAN), "logits"), (lambda: Bernoulli(0.5, 0.5), "not both"),
    (lambda: Bernoulli(), "must be given"), (lambda: Categorical(t([1.0, -1.0])), "probs.*Simplex"), (lambda: Categorical(tl.zeros(2)), "Simplex"),
    (lambda: Categorical(t(1.0)), "at least one dimension"), (lambda: Uniform(1.0, 1.0), "low is below high"), (lambda: Bernoulli(0.5).log_prob(t(0.5)), "support.*Boolean"),
    (lambda: Categorical(tl.ones(2)).log_prob(t(2)), r"IntegerInterval\(lower_bound=0, upper_bound=1\)"), (lambda: Normal(0.0, 1.0).log_prob(1.0), "Tensor, not float"),
    (lambda: Uniform(0.0, 1.0).log_prob(t(2.0)), "support"), (lambda: Normal(tl.zeros(2), 1.0).log_prob(tl.zeros(3)), "does not broadcast")]


@pytest.mark.parametrize("call, words", REFUSED)
def test_what_is_no_parameter_or_value_is_refused(call, words):
    with pytest.raises(ValueError, match=f"(?s){words}"):
        call()


def test_checks_can_be_turned_off():
    assert Normal(0.0, -1.0, validate_args=False).scale.item() == -1
    Distribution.set_default_validate_args(False)
    try:
        assert Bernoulli(2.0).probs.item() == 2
    finally:
        Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError):
        Bernoulli(2.0)


def test_what_a_distribution_does_not_have_is_named():
    for call, words in [(lambda: Bernoulli(0.5).rsample(), "Bernoulli has no rsample"), (lambda: Categorical(tl.ones(2)).cdf(t(0)), "Categorical has no cdf"),
                        (lambda: Distribution().mean, "no mean"), (lambda: kl_divergence(Normal(0.0, 1.0), Bernoulli(0.5)), "a Normal from a Bernoulli.*register_kl")]:
        with pytest.raises(NotImplementedError, match=words):
            call()


def test_distributions_of_ones_own():
    class Shifted(Normal):
        pass

    class Constant(Distribution):
        arg_constraints, has_rsample = {}, True

        def rsample(self, sample_shape=()):
            return tl.zeros(self._shape(sample_shape))

    register_kl(Constant, Normal)(lambda p, q: -q.log_prob(p.sample()))
    assert kl_divergence(Shifted(0.0, 1.0), Normal(0.0, 1.0)).item() == 0 and Constant((2,), (3,)).sample((4,)).shape == (4, 2, 3)
    assert kl_divergence(Constant(), Normal(0.0, 1.0)).item() == pytest.approx(0.5 * math.log(2 * math.pi))
    assert repr(Shifted(0.0, t([1.0, 2.0]))) == "Shifted(loc: (2,), scale: (2,))"


def test_a_policy_gradient_compiles():
    logits = t([0.5, -0.5, 0.0], requires_grad=True)

    def step(reward):
        logits.grad = None
        d = Categorical(logits=logits)
        action = d.sample((4,))
        (-(d.log_prob(action) * reward).mean() - 0.01 * d.entropy()).backward()
        return action, logits.grad

    reward, found = t([1.0, 2.0, -1.0, 0.5]), []
    for run in (step, tl.compile(step, strict=True)):
        tl.manual_seed(3)
        found.append([[x.tolist() for x in run(reward)] for _ in range(5)])
    for eager, compiled in zip(*found):
        assert eager[0] == compiled[0]
        np.testing.assert_allclose(eager[1], compiled[1], atol=1e-6)
