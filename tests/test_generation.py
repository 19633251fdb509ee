"""Samplers, logits processors, beam search, and batches of sequences."""

import itertools
import math

import numpy as np
import pytest
from tinygrad_lite.nn import batching
from tinygrad_lite.nn import generation as G

import tinygrad_lite as tl

LOGITS = np.log([0.5, 0.1, 0.3, 0.1])
DISTRIBUTIONS = [  # sampler, the probabilities it must draw with
    (lambda x, r: G.temperature_sample(x, 1.0, rng=r), [0.5, 0.1, 0.3, 0.1]),
    (lambda x, r: G.temperature_sample(x, 0.5, rng=r), np.array([0.25, 0.01, 0.09, 0.01]) / 0.36),
    (lambda x, r: G.top_k_sample(x, 2, rng=r), [0.625, 0, 0.375, 0]), (lambda x, r: G.top_k_sample(x, 99, rng=r), [0.5, 0.1, 0.3, 0.1]),
    (lambda x, r: G.top_k_sample(x, 3, rng=r), np.array([0.5, 0.1, 0.3, 0]) / 0.9),  # of the equal ones the first
    (lambda x, r: G.top_p_sample(x, 0.8, rng=r), [0.625, 0, 0.375, 0]), (lambda x, r: G.top_p_sample(x, 1.0, rng=r), [0.5, 0.1, 0.3, 0.1]),
    (lambda x, r: G.top_p_sample(x, 0.81, rng=r), np.array([0.5, 0.1, 0.3, 0]) / 0.9),  # the crossing token included
    (lambda x, r: G.min_p_sample(x, 0.5, rng=r), [0.625, 0, 0.375, 0]),
    (lambda x, r: G.sample(x, [G.repetition_penalty(2.0, [0]), G.temperature(1.0)], rng=r), np.array([0.25, 0.1, 0.3, 0.1]) / 0.75),
]


@pytest.mark.parametrize("sampler, expected", DISTRIBUTIONS)
def test_draws_follow_the_distribution(sampler, expected):
    n, expected = 100_000, np.array(expected)
    drawn = sampler(np.tile(LOGITS, (n, 1)), np.random.default_rng(0))
    counts = np.bincount(drawn, minlength=4)
    seen = expected > 0
    assert (counts[~seen] == 0).all()
    chi_squared = ((counts[seen] - n * expected[seen]) ** 2 / (n * expected[seen])).sum()
    assert chi_squared < [0, 0, 10.83, 13.82, 16.27][seen.sum()]  # the 99.9 % points of 1, 2 and 3 degrees of freedom


def test_one_row_or_many_and_the_same_seed_the_same_tokens():
    assert G.greedy(tl.tensor(LOGITS)) == 0 and G.greedy(np.array([[1.0, 2.0], [3.0, 3.0]])).tolist() == [1, 0]
    assert isinstance(G.top_k_sample(LOGITS, 2), int)
    draws = [G.top_p_sample(np.tile(LOGITS, (9, 1)), 0.9, generator=tl.Generator(7)).tolist() for _ in range(2)]
    assert draws[0] == draws[1]
    tl.manual_seed(3)
    first = G.temperature_sample(np.tile(LOGITS, (9, 1)), 2.0).tolist()
    tl.manual_seed(3)
    assert G.temperature_sample(np.tile(LOGITS, (9, 1)), 2.0).tolist() == first


def test_the_limits_are_greedy():
    rows = np.random.default_rng(0).standard_normal((50, 9))
    for drawn in (G.top_k_sample(rows, 1), G.temperature_sample(rows, 0), G.temperature_sample(rows, 5e-324),
                  G.top_p_sample(rows, 1e-300), G.min_p_sample(rows, 1.0)):
        assert (drawn == G.greedy(rows)).all()
    assert G.temperature_sample(np.array([[1.0, 3.0, 3.0]] * 50), 0.0).tolist() == [1] * 50  # the first of equals
    assert G.temperature_sample(np.array([-1e308, 1e308]), 0.5) == 1


def test_generate_stops_at_the_end_token():
    def follow(sequence):
        return np.eye(4)[(sequence[-1] + 1) % 4] * 100

    assert G.generate(follow, [0], 9, eos_token=3) == [0, 1, 2, 3]
    assert G.generate(follow, [0], 2, do_sample=False) == [0, 1, 2]
    assert G.generate(follow, tl.tensor([0]), 0) == [0]
    assert G.generate(lambda sequence: follow([len(sequence)]), [], 2) == [1, 2]


ENDS = [(2, 3), [3, 2], {2, 3}, frozenset({2}), np.array([2, 3]), tl.tensor([2, 3]), [tl.tensor(2)], 2, np.int64(2), tl.tensor(2)]


@pytest.mark.parametrize("ends", ENDS, ids=repr)
def test_one_end_token_or_several(ends):
    def follow(sequence):
        return np.log(np.full(4, 0.1) + 0.6 * np.eye(4)[(sequence[-1] + 1) % 4])

    assert G.generate(follow, [0], 9, [G.temperature(0)], ends) == [0, 1, 2]
    assert G.beam_search(follow, 0, 1, 9, ends) == [0, 1, 2]
    assert G.beam_search(follow, 2, 2, 9, ends) == [2]  # it starts with its end


@pytest.mark.parametrize("none", [None, [], ()])
def test_without_an_end_token_only_the_length_ends(none):
    assert len(G.generate(lambda s: LOGITS, [0], 9, eos_token=none)) == len(G.beam_search(lambda s: LOGITS, 0, 2, 9, none)) == 10


def test_without_sampling_processors_count_and_no_number_is_drawn():
    generator, untouched = tl.Generator(0), tl.Generator(0)
    processors = [G.repetition_penalty(9.0, [1])]
    assert G.generate(lambda s: np.array([0.5, 1.0, 0.0]), [1], 2, processors, do_sample=False, generator=generator) == [1, 0, 0]
    assert G.temperature_sample(np.zeros((9, 9)), rng=generator).tolist() == G.temperature_sample(np.zeros((9, 9)), rng=untouched).tolist()


# ---------------------------------------------------------------- beam search
def random_model(seed, vocabulary=4):
    table = {}

    def model(sequence):
        key = tuple(int(t) for t in sequence)
        if key not in table:
            logits = np.random.default_rng([seed, *key]).standard_normal(vocabulary) * 2
            table[key] = logits - np.log(np.exp(logits).sum())
        return table[key]

    return model


def every_sequence(model, max_len, eos, alpha, vocabulary=4):
    best = (-math.inf, None)
    for rest in itertools.product(range(vocabulary), repeat=max_len):
        if eos in rest:
            rest = rest[: rest.index(eos) + 1]
        sequence = [0, *rest]
        total = sum(model(sequence[:i])[sequence[i]] for i in range(1, len(sequence)))
        best = max(best, (total / len(sequence) ** alpha, sequence))
    return best


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 2.0])
def test_a_wide_beam_finds_the_optimum(seed, alpha):
    model = random_model(seed)
    score, sequence = every_sequence(model, 4, 3, alpha)
    found = G.beam_search(model, 0, beam_size=4**4, max_len=4, eos_token=3, alpha=alpha, n_best=3)
    assert found[0][0] == sequence and math.isclose(found[0][1], score)
    assert [s for _, s in found] == sorted((s for _, s in found), reverse=True)
    assert found == G.beam_search(lambda batch: np.stack([model(s) for s in batch]), 0, 4**4, 4, 3, alpha, True, 3)


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_is_greedy(seed):
    model = random_model(seed)
    assert G.beam_search(model, 0, beam_size=1, max_len=5) == G.generate(model, [0], 5, do_sample=False)


def beams_of_one_step_after_the_other(model, start, size, max_len, end, alpha):
    """Beam search in its plainest form: what is finished takes its place in the beam once, and all is kept to the end."""
    live, finished = [(0.0, [start])], []
    for _ in range(max_len):
        finished += [beam for beam in live if beam[1][-1] == end]
        live = sorted(((total + p, [*s, token]) for total, s in live if s[-1] != end for token, p in enumerate(model(s))),
                      key=lambda beam: -beam[0])[:size]
    return max(finished + live, key=lambda beam: beam[0] / len(beam[1]) ** alpha)[1]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("size, max_len, alpha", [(1, 5, 0.6), (2, 5, 0.6), (3, 4, 0.0), (2, 6, 1.5), (9, 3, 0.6)])
def test_narrow_beams_are_those_of_the_plain_search(seed, size, max_len, alpha):
    model = random_model(seed)
    assert G.beam_search(model, 0, size, max_len, 3, alpha) == beams_of_one_step_after_the_other(model, 0, size, max_len, 3, alpha)


def test_the_search_ends_when_no_beam_can_win():
    prefixes = []
    G.beam_search(lambda s: prefixes.append(s) or np.log([0.01, 0.99]), 0, 2, 50, eos_token=1)
    assert len(prefixes) < 5


def test_scores_count_the_start_token_and_the_length_does_not():
    model = random_model(0)
    ((sequence, score),) = G.beam_search(model, tl.tensor(0), beam_size=2, max_len=2, n_best=1)
    total = sum(model(sequence[:i])[sequence[i]] for i in (1, 2))
    assert len(sequence) == 3 and math.isclose(score, total / 3**0.6)
    assert G.beam_search(lambda s: model(s) + 5, 0, 2, 2, logits=True) == sequence
    assert G.beam_search(model, 0, max_len=0) == [0] and len(G.beam_search(model, 0)) == 51


# ---------------------------------------------------------------- batches
BATCHES = [
    (lambda: batching.pad_batch([[1, 2, 3], [4], []]), [[1, 2, 3], [4, 0, 0], [0, 0, 0]]),
    (lambda: batching.pad_batch([[1, 2], [3]], -1, "left"), [[1, 2], [-1, 3]]),
    (lambda: batching.pad_batch([np.ones((2, 2)), np.ones((1, 2))])[1], [[1, 1], [0, 0]]),
    (lambda: batching.pad_batch([]), np.empty((0, 0))), (lambda: batching.pad_batch([[], []]), np.empty((2, 0))),
    (lambda: batching.pad_batch([[1, 2], [3]], np.float32(0.5)), [[1, 2], [3, 0.5]]),
    (lambda: batching.pad_batch([np.array([255], np.uint8), []], np.int64(-1)), [[255], [-1]]),
    (lambda: batching.attention_mask([[5, 6], [7]]), [[1, 1], [1, 0]]),
    (lambda: batching.attention_mask([[5, 6], [7]], side="left"), [[1, 1], [0, 1]]),
    *((lambda kind=kind: batching.attention_mask(kind([[0, 6, 2], [7, 0, 0]])), [[0, 1, 1], [1, 0, 0]])
      for kind in (list, np.array, tl.tensor, lambda rows: list(map(np.array, rows)), lambda rows: list(map(tl.tensor, rows)))),
    (lambda: batching.attention_mask([[9, 6], [9]], pad_id=9), [[0, 1], [0, 0]]),
    (lambda: batching.attention_mask(np.array([[255, 1]], np.uint8), pad_id=-1), [[1, 1]]),
    (lambda: batching.attention_mask([]), np.empty((0, 0))), (lambda: batching.attention_mask(np.empty((0, 3))), np.empty((0, 3))),
    (lambda: batching.combined_mask(2, np.array([[1, 0]])), [[[True, False], [True, False]]]),
    (lambda: batching.combined_mask(2, np.array([[False, True]])), [[[False, False], [False, True]]]),
]


@pytest.mark.parametrize("make, expected", BATCHES)
def test_batches(make, expected):
    np.testing.assert_array_equal(make(), expected)


def test_the_mask_of_the_padding_is_of_zeros_and_ones():
    assert batching.attention_mask([[1], []]).dtype == batching.attention_mask(np.ones((1, 2))).dtype == np.int64


MODEL = random_model(0)
WRONG = [
    (lambda: G.temperature_sample(LOGITS, np.nan), "above 0, not nan"), (lambda: G.temperature_sample(LOGITS, -1.0), "above 0, not -1"),
    (lambda: G.temperature_sample(LOGITS, math.inf), "not inf"), (lambda: G.sample(np.array([0.0, np.inf])), "inf"),
    (lambda: G.sample(LOGITS, [lambda rows: rows * np.nan]), "after a processor: the logits hold NaN"),
    (lambda: G.sample(LOGITS, [lambda rows: rows - np.inf]), "after a processor: a row"),
    (lambda: G.generate(lambda s: np.zeros((1, 4)), [0], 2), r"\(1, 4\); expected \(V,\)"), (lambda: G.generate(lambda s: LOGITS, [[0]], 2), "one token"),
    (lambda: G.generate(lambda s: LOGITS, [0], -1), "max_new_tokens"), (lambda: G.generate(lambda s: LOGITS, [0], 2, eos_token="a"), "eos_token"),
    (lambda: G.beam_search(random_model(0), [0]), "start_token"), (lambda: G.beam_search(random_model(0), 0, eos_token=[1.5]), "eos_token"),
    (lambda: G.beam_search(random_model(0), 0, max_len=-1), "max_len"), (lambda: G.beam_search(random_model(0), 0, n_best=0), "n_best"),
    (lambda: G.beam_search(lambda s: np.array([0.0, np.inf]), 0, logits=True), "inf"),
    (lambda: G.top_k_sample(LOGITS, 0), "at least 1, not 0"), (lambda: G.beam_search(MODEL, 0, alpha=math.nan), "alpha"),
    (lambda: G.top_p(math.nan), "not nan"), (lambda: G.repetition_penalty(math.inf, [1]), "not inf"), (lambda: tl.nn.functional.causal_mask(-1), "not -1"), (lambda: G.top_p_sample(LOGITS, 0.0), r"\(0, 1\], not 0"),
    (lambda: G.top_p_sample(LOGITS, 1.1), "not 1.1"), (lambda: G.min_p_sample(LOGITS, -0.1), "min_p"),
    (lambda: G.greedy(np.full((2, 3), -np.inf)), "all -inf"), (lambda: G.greedy(np.array([np.nan, 1])), "NaN"),
    (lambda: G.greedy(np.ones((1, 1, 2))), "of shape"), (lambda: G.sample(LOGITS, [G.repetition_penalty(0.0, [1])]), "penalty"),
    (lambda: G.sample(LOGITS, [G.repetition_penalty(2.0, [9])]), "token 9"), (lambda: G.beam_search(random_model(0), 0, 0), "beam_size"),
    (lambda: G.beam_search(lambda s: np.ones(3), 0), "above 0"), (lambda: G.beam_search(lambda s: np.full(3, np.nan), 0), "NaN"),
    (lambda: G.beam_search(lambda s: np.full(3, -np.inf), 0), "probability 0"), (lambda: G.beam_search(lambda s: np.ones((1, 3)), 0), "shape"),
    (lambda: batching.pad_batch([[1], 2]), "length"), (lambda: batching.pad_batch([[1]], side="up"), "side"),
    (lambda: batching.pad_batch([[1]], None), "pad_value is a number"), (lambda: batching.attention_mask([1, 2]), r"\(B, L\)"),
    (lambda: batching.combined_mask(2, np.array([[5, 0]])), "0 and 1"), (lambda: batching.combined_mask(3, np.ones((1, 2))), r"\(B, 3\)"), (lambda: batching.attention_mask(np.ones(3)), r"\(B, L\)"),
]


@pytest.mark.parametrize("wrong, message", WRONG)
def test_bad_input_gets_a_clear_error(wrong, message):
    with pytest.raises((ValueError, IndexError), match=message):
        wrong()


NO_SUCH_THING = [  # what is neither rounded, nor taken for true, nor left to numpy
    (lambda: G.top_k_sample(LOGITS, 1.5), "top_k: k is a whole number, at least 1, not 1.5"), (lambda: G.top_k(True), "top_k: k .* not True"),
    (lambda: G.top_k(None), "k .* not None"), (lambda: G.temperature("1"), "temperature: T .* not '1'"), (lambda: G.temperature(True), "T .* not True"),
    (lambda: G.top_p("a"), "top_p: p is in .* not 'a'"), (lambda: G.top_p(True), "p .* not True"), (lambda: G.min_p(None), "min_p: p .* not None"),
    (lambda: G.repetition_penalty([1.0], [1]), "penalty is a number above 0, not a list"), (lambda: G.repetition_penalty(2.0, 1), "previous is a list"),
    (lambda: G.sample(LOGITS, [G.repetition_penalty(2.0, [0.5])]), "whole numbers, not float64"),
    (lambda: G.sample(LOGITS, G.top_k(2)), "sample: processors is a list of functions"), (lambda: G.sample(LOGITS, [2]), "processors is a list"),
    (lambda: G.generate(MODEL, 0, 3), "generate: start is a list of tokens, not 0"), (lambda: G.generate(MODEL, "abc", 3), "start is a list of tokens"),
    (lambda: G.generate(MODEL, tl.tensor(0), 3), "start is a list of tokens"), (lambda: G.generate(MODEL, [0.5], 3), "each of start is a whole number, not 0.5"),
    (lambda: G.generate(MODEL, [0], 2.0), "max_new_tokens is a whole number, at least 0, not 2.0"), (lambda: G.generate(MODEL, [0], True), "max_new_tokens"),
    (lambda: G.generate(MODEL, [0], 1, do_sample="no"), "do_sample is True or False, not 'no'"),
    (lambda: G.beam_search(MODEL, 0, 2.5), "beam_size is a whole number, at least 1, not 2.5"), (lambda: G.beam_search(MODEL, 0, True), "beam_size"),
    (lambda: G.beam_search(MODEL, 0, max_len=2.0), "max_len"), (lambda: G.beam_search(MODEL, 0, n_best=1.5), "n_best"),
    (lambda: G.beam_search(MODEL, 0.5), "start_token is a whole number"), (lambda: G.beam_search(MODEL, 0, alpha="a"), "alpha is a number"),
    (lambda: G.beam_search(MODEL, 0, batched="no"), "batched is True or False"), (lambda: G.beam_search(MODEL, 0, logits=0), "logits is True or False"),
    (lambda: batching.combined_mask(2.0, np.ones((1, 2))), "combined_mask: L is a whole number, not 2.0"),
    (lambda: tl.nn.functional.causal_mask(2.5), "causal_mask: L is a whole number, not 2.5"),
]


@pytest.mark.parametrize("wrong, message", NO_SUCH_THING)
def test_an_argument_of_another_type_is_told_what_was_expected(wrong, message):
    with pytest.raises(TypeError, match=message):
        wrong()


def test_numbers_may_be_numpys_or_tensors():
    for number in (np.int64, np.int32, tl.tensor):
        assert G.top_k_sample(LOGITS, number(1)) == 0 and G.generate(MODEL, [0], number(0)) == [0]
        assert len(G.beam_search(MODEL, number(0), number(2), number(1), n_best=number(2))) == 2
    for number in (np.float32, np.float64, tl.tensor):
        assert G.temperature_sample(LOGITS, number(0.0)) == G.top_p_sample(LOGITS, number(0.01)) == 0


def test_an_infinite_logit_is_taken_by_what_is_greedy_and_refused_by_what_draws():
    logits = np.array([0.0, np.inf, np.inf])
    assert G.temperature_sample(logits, 0) == 1 and G.top_k_sample(logits[:2], 1) == 1
    with pytest.raises(ValueError, match="sample: a logit is inf"):
        G.temperature_sample(logits, 1.0)
