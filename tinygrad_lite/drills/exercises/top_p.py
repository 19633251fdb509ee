"""Top-p (nucleus) sampling

top_p_probabilities(logits, p)   logits (V,), 0 < p <= 1 -> probabilities (V,), which sum to 1
top_p_sample(logits, p, rng)     the number of one token, drawn from these with rng, a numpy Generator

The nucleus is the smallest set of the most probable tokens whose probabilities sum to at least p; it has one token at
least. Tokens outside it get 0, and the others are divided by their sum. Of tokens that are equally probable any may be
taken first. With p = 1 the result is the softmax of all. Logits may be as large as 1000, or -inf (probability 0).
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=8,
    hints=["Sort the probabilities from the largest to the smallest, and take their running sum.",
           "np.argsort(-probabilities) has the numbers of the tokens in that order: with them you find the way back.",
           "A token is in if the sum of those before it is below p: that takes in the token that crosses p.",
           "before = np.cumsum(sorted) - sorted; kept = order[before < p]; all others become 0; divide by the sum.",
           "rng.choice(V, p=probabilities) draws the number of a token."],
    pitfalls=["Subtract the largest logit before exp; the probabilities are the same, and nothing overflows.",
              "The token that crosses p belongs to the nucleus: without it a peaked distribution has an empty nucleus.",
              "A running sum ends at 0.9999999999999998 as well as at 1: nothing may depend on its reaching p = 1."],
)


@drill.reference
def top_p_probabilities(logits, p):
    """logits: (V,), p: 0 < p <= 1 -> probabilities (V,), 0 outside the nucleus"""
    powers = np.exp(logits - logits.max())  # no overflow: all exponents are <= 0
    probabilities = powers / powers.sum()
    order = np.argsort(-probabilities)  # numbers of tokens, the most probable first
    ranked = probabilities[order]
    before = np.cumsum(ranked) - ranked  # the sum of those before each, so that the one that crosses p is in
    kept = order[before < p]  # numbers of tokens again, and the first always, since 0 < p
    nucleus = np.zeros_like(probabilities)
    nucleus[kept] = probabilities[kept]
    return nucleus / nucleus.sum()


@drill.reference
def top_p_sample(logits, p, rng):
    """logits: (V,), p: 0 < p <= 1, rng: numpy Generator -> the number of a token, int"""
    return int(rng.choice(len(logits), p=top_p_probabilities(logits, p)))


rng = np.random.default_rng(0)
logits = np.log([0.15, 0.5, 0.05, 0.3])
many = 2 * rng.standard_normal(30)

drill.case(top_p_probabilities, logits, 0.7, why="0.5 and 0.3 sum to 0.8, the first sum from 0.7 on: 5/8 and 3/8")
drill.case(top_p_probabilities, logits, 0.9, why="0.5, 0.3 and the 0.15 that crosses 0.9 are in, and divided by 0.95")
drill.case(top_p_probabilities, np.array([0.0, 10.0, 0.0]), 0.9,
           why="one token alone has more than p: it crosses p and is kept, or the nucleus is empty")
drill.case(top_p_probabilities, many, 0.8, why="sort, keep up to the token that crosses p, renormalize")
drill.case(top_p_probabilities, many, 1e-3, why="the most probable token is always kept")
drill.case(top_p_probabilities, np.array([1000.0, 998.0, 999.0, 0.0]), 0.95,
           why="exp(1000) overflows; subtract the largest logit first")
drill.case(top_p_probabilities, np.array([1.0, -np.inf, 2.0, 0.5]), 1.0, why="p = 1 keeps all, and -inf stays at 0")


@drill.program(why="tokens that are equally probable are still counted: three of 1/8 are the first to reach 0.3")
def _(top_p_probabilities):
    """top_p_probabilities of eight equal logits with p = 0.3, sorted"""
    return np.sort(top_p_probabilities(np.zeros(8), 0.3))


@drill.program(why="two of 1/4 reach 0.5, and the nucleus is the smallest set that does: no third one")
def _(top_p_probabilities):
    """top_p_probabilities of four equal logits with p = 0.5, sorted"""
    return np.sort(top_p_probabilities(np.zeros(4), 0.5))


@drill.program(why="the running sum may end below 1, so that no token reaches p = 1: argmax of False everywhere is 0")
def _(top_p_probabilities):
    """top_p_probabilities with p = 1 of thirty lists of logits; the least number of tokens that are kept of 50"""
    lists = np.random.default_rng(1).standard_normal((30, 50))
    return min(np.count_nonzero(np.asarray(top_p_probabilities(logits, 1.0)) > 1e-9) for logits in lists)


@drill.program(why="draw the number of a token, each as often as its probability in the nucleus says")
def _(top_p_sample):
    """top_p_sample of the tokens a, b, c, d with probabilities 0.05, 0.7, 0.05, 0.2 and p = 0.75, 600 times"""
    rng, logits, n = np.random.default_rng(2), np.log([0.05, 0.7, 0.05, 0.2]), 600
    drawn = [int(top_p_sample(logits, 0.75, rng)) for _ in range(n)]
    if not {*drawn} <= {*range(4)}:
        return "gave a number that is no token's"
    found = " ".join("abcd"[token] for token in sorted({*drawn}))
    if found != "b d":
        return f"drew {found}, expected b and d, the nucleus"
    share, right = drawn.count(1) / n, 0.7 / 0.9
    if abs(share - right) > 5 * (right * (1 - right) / n) ** 0.5:
        return f"drew b too {'often' if share > right else 'seldom'}, in {share:.0%} of the draws, expected about 78%"


@drill.program(why="all randomness comes from rng: what is seeded can be repeated")
def _(top_p_sample):
    """top_p_sample of ten equal logits, thirty times, with two generators of the same seed"""
    runs = [[int(top_p_sample(np.zeros(10), 0.9, rng)) for _ in range(30)]
            for rng in (np.random.default_rng(3), np.random.default_rng(3))]
    if runs[0] != runs[1]:
        return "gave different tokens for the same seed"


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def nucleus(probabilities, kept):
    """The probabilities of what is kept, for wrong answers that keep the wrong tokens"""
    inside = np.zeros_like(probabilities)
    inside[kept] = probabilities[kept]
    return inside / inside.sum()


@drill.wrong(top_p_probabilities, "one token too many", "where the sum has reached p exactly the nucleus is complete: "
             "keep a token where the sum of those before is below p, not where it is p")
def _(logits, p):
    probabilities = softmax(logits)
    order = np.argsort(-probabilities)
    before = np.cumsum(probabilities[order]) - probabilities[order]
    return nucleus(probabilities, order[before <= p])


@drill.wrong(top_p_probabilities, "the token that crosses p left out", "the nucleus reaches p only with the token that "
             "crosses it; keep where the sum of those before is below p")
def _(logits, p):
    probabilities = softmax(logits)
    order = np.argsort(-probabilities)
    return nucleus(probabilities, order[np.cumsum(probabilities[order]) <= p])


@drill.wrong(top_p_probabilities, "the token that crosses p left out", "the nucleus reaches p only with the token that "
             "crosses it, which is not always the first; keep where the sum of those before is below p")
def _(logits, p):
    probabilities = softmax(logits)
    order = np.argsort(-probabilities)
    keep = np.cumsum(probabilities[order]) <= p
    keep[0] = True
    return nucleus(probabilities, order[keep])


@drill.wrong(top_p_probabilities, "one token too many", "the token that crosses p is the last that is kept")
def _(logits, p):
    probabilities = softmax(logits)
    order = np.argsort(-probabilities)
    count = np.searchsorted(np.cumsum(probabilities[order]), p) + 1
    return nucleus(probabilities, order[: count + 1])


@drill.wrong(top_p_probabilities, "running sum in the order of the tokens", "the nucleus has the most probable tokens: "
             "sort before the running sum")
def _(logits, p):
    probabilities = softmax(logits)
    return nucleus(probabilities, np.cumsum(probabilities) - probabilities < p)


@drill.wrong(top_p_probabilities, "sorted upwards", "argsort begins with the smallest, so that the tail is kept; sort "
             "-probabilities, or turn it round with [::-1]")
def _(logits, p):
    probabilities = softmax(logits)
    order = np.argsort(probabilities)
    return nucleus(probabilities, order[np.cumsum(probabilities[order]) - probabilities[order] < p])


@drill.wrong(top_p_probabilities, "not renormalized", "what is kept sums to less than 1; divide it by its sum")
def _(logits, p):
    probabilities = softmax(logits)
    order = np.argsort(-probabilities)
    kept = order[np.cumsum(probabilities[order]) - probabilities[order] < p]
    inside = np.zeros_like(probabilities)
    inside[kept] = probabilities[kept]
    return inside


@drill.wrong(top_p_probabilities, "left in sorted order", "the result is in the order of the ranks; order[i] is the "
             "token of rank i, and its probability belongs there")
def _(logits, p):
    ranked = np.sort(softmax(logits))[::-1]
    return nucleus(ranked, np.cumsum(ranked) - ranked < p)


@drill.wrong(top_p_probabilities, "only the nucleus returned", "the result has a probability for every token of the "
             "vocabulary, 0 outside the nucleus")
def _(logits, p):
    ranked = np.sort(softmax(logits))[::-1]
    inside = ranked[np.cumsum(ranked) - ranked < p]
    return inside / inside.sum()


@drill.wrong(top_p_probabilities, "p compared with single probabilities", "p is reached by a sum of probabilities, and "
             "not by each of them")
def _(logits, p):
    probabilities = softmax(logits)
    return nucleus(probabilities, probabilities >= p)


@drill.wrong(top_p_probabilities, "p compared with single probabilities", "p is reached by a sum of probabilities; a "
             "threshold for each of them is another method (min-p)")
def _(logits, p):
    probabilities = softmax(logits)
    return nucleus(probabilities, probabilities >= 1 - p)


@drill.wrong(top_p_probabilities, "all equal to the last one kept", "a threshold keeps all tokens that are as probable "
             "as the last of the nucleus; keep by number, order[before < p]")
def _(logits, p):
    probabilities = softmax(logits)
    ranked = -np.sort(-probabilities)
    return nucleus(probabilities, probabilities >= ranked[np.cumsum(ranked) - ranked < p].min())


@drill.wrong(top_p_probabilities, "p = 1 is never reached", "the running sum may end at 0.9999999999999998, and argmax "
             "of False everywhere is 0: one token is left; compare the sum of those before each with p")
def _(logits, p):
    probabilities = softmax(logits)
    order = np.argsort(-probabilities)
    return nucleus(probabilities, order[: np.argmax(np.cumsum(probabilities[order]) >= p) + 1])


@drill.wrong(top_p_probabilities, "no maximum subtracted", "exp(1000) overflows; subtract the largest logit first")
def _(logits, p):
    probabilities = np.exp(logits) / np.exp(logits).sum()
    order = np.argsort(-probabilities)
    return nucleus(probabilities, order[np.cumsum(probabilities[order]) - probabilities[order] < p])


@drill.wrong(top_p_sample, "the rank returned instead of the token", "what is drawn is a place in the sorted list; "
             "order[i] is the token of rank i")
def _(logits, p, rng):
    inside = top_p_probabilities(logits, p)
    ranked = np.sort(inside)[::-1]
    return rng.choice(len(ranked), p=ranked)


@drill.wrong(top_p_sample, "all tokens of the nucleus equally often", "the tokens of the nucleus keep their "
             "proportions: give rng.choice their probabilities, p=…")
def _(logits, p, rng):
    return rng.choice(np.flatnonzero(top_p_probabilities(logits, p)))


@drill.wrong(top_p_sample, "the largest instead of a draw", "argmax always gives the same token; draw with rng.choice")
def _(logits, p, rng):
    return np.argmax(top_p_probabilities(logits, p))


@drill.wrong(top_p_sample, "the last token cut off at p", "the token that crosses p keeps its whole probability; here "
             "it has only what is missing to p. Draw below the sum of the nucleus")
def _(logits, p, rng):
    order = np.argsort(-logits)
    return order[np.searchsorted(np.cumsum(softmax(logits)[order]), p * rng.random())]


@drill.wrong(top_p_sample, "drawn from all tokens", "tokens outside the nucleus are never drawn")
def _(logits, p, rng):
    return rng.choice(len(logits), p=softmax(logits))


@drill.wrong(top_p_sample, "not renormalized", "rng.choice refuses probabilities that do not sum to 1: divide those of "
             "the nucleus by their sum")
def _(logits, p, rng):
    kept = np.flatnonzero(top_p_probabilities(logits, p))
    return rng.choice(kept, p=softmax(logits)[kept])


@drill.wrong(top_p_sample, "another generator than rng", "np.random has a generator of its own, which the seed of rng "
             "does not set; rng.choice draws with rng")
def _(logits, p, rng):
    return np.random.choice(len(logits), p=top_p_probabilities(logits, p))
