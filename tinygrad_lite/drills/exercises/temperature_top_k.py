"""Sampling with a temperature and top-k

probabilities(logits, temperature, k)   logits (V,), temperature >= 0, k >= 1 -> probabilities (V,), which sum to 1
sample(logits, temperature, k, rng)     the number of one token, drawn from these with rng, a numpy Generator

The k tokens with the largest logits are kept, exactly k of them: of equal logits on the border any may be taken. Where
k is V or more, all are kept. The others have the probability 0, and those that are kept the softmax of their logits
divided by the temperature. Temperature 0 is greedy: the largest logit has the probability 1, the first where several
are equal. Logits may be as large as 1000, or -inf (probability 0); the temperature may be as small as 0.001.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=8,
    hints=["Dividing by a temperature below 1 makes the differences of the logits larger, and the softmax more peaked.",
           "np.argsort(-logits)[:k] has the numbers of the k best tokens, and of all where k is larger than V.",
           "Outside the k best the logit is -inf, or simply the probability 0: exp(0) would be 1.",
           "Nothing may be divided by temperature 0: give np.argmax(logits) the probability 1 and return.",
           "powers = np.exp((logits - logits.max()) / temperature) never overflows; divide by the sum of those kept."],
    pitfalls=["Logits divided by a small temperature are large, and exp overflows: subtract the largest first.",
              "A threshold, logits >= the k-th largest, keeps more than k tokens where logits are equal.",
              "np.argpartition finds the k best in linear time, but raises an error where k is larger than V."],
)


@drill.reference
def probabilities(logits, temperature, k):
    """logits: (V,), temperature: number >= 0, k: int >= 1 -> probabilities (V,)"""
    result = np.zeros_like(logits)
    if temperature == 0:  # the limit of ever smaller temperatures, without a division by 0
        result[np.argmax(logits)] = 1
        return result
    kept = np.argsort(-logits)[:k]  # exactly k where some are equal, and all where k > V: a slice ends by itself
    powers = np.exp((logits[kept] - logits.max()) / temperature)  # all exponents <= 0: no overflow
    result[kept] = powers / powers.sum()  # back in the places of the tokens
    return result


@drill.reference
def sample(logits, temperature, k, rng):
    """logits: (V,), temperature: number >= 0, k: int >= 1, rng: numpy Generator -> the number of a token, int"""
    return int(rng.choice(len(logits), p=probabilities(logits, temperature, k)))


rng = np.random.default_rng(0)
small = np.log([3.0, 1.0, 4.0, 2.0])
many = 2 * rng.standard_normal(20)

drill.case(probabilities, small, 1.0, 2, why="tokens 0 and 2 are the two best, with 3/7 and 4/7; the others have 0")
drill.case(probabilities, small, 0.5, 2, why="half the temperature squares the ratios: 9/25 and 16/25")
drill.case(probabilities, many, 1.7, 6, why="keep the k best, divide their logits by the temperature, softmax of these")
drill.case(probabilities, many, 0.7, 20, why="k = V keeps all tokens")
drill.case(probabilities, many, 0.7, 50, why="k > V keeps all tokens as well")
drill.case(probabilities, many, 0.7, 1, why="k = 1 is greedy: the best token has the probability 1")
drill.case(probabilities, small, 0.0, 3, why="temperature 0 is greedy; a division by 0 gives NaN")
drill.case(probabilities, np.array([1.0, 2.0, 2.0]), 0.0, 3, why="with temperature 0 the first of equal logits has all")
drill.case(probabilities, np.array([999.0, 1000.0, -1000.0, 998.5]), 0.9, 3,
           why="exp(1000) overflows; subtract the largest logit first")
drill.case(probabilities, np.array([3.001, 3.0, 1.0, -3.0]), 0.001, 3,
           why="3 divided by 0.001 is 3000, and exp overflows; subtract the largest logit before")
drill.case(probabilities, np.array([1.0, -np.inf, 2.0, -np.inf]), 2.0, 3, why="-inf has the probability 0, kept or not")


@drill.program(why="of equal logits only as many are kept as there is room for: a threshold keeps them all")
def _(probabilities):
    """probabilities([1, 3, 1, 1, 1, -1], temperature=1, k=3), sorted"""
    return np.sort(probabilities(np.array([1.0, 3.0, 1.0, 1.0, 1.0, -1.0]), 1.0, 3))


@drill.program(why="draw the number of a token, each as often as its probability says")
def _(sample):
    """sample of tokens a, b, c, d with probabilities 0.05, 0.6, 0.1, 0.25, temperature 0.5, k = 2, 600 times"""
    rng, n = np.random.default_rng(2), 600
    drawn = [int(sample(np.log([0.05, 0.6, 0.1, 0.25]), 0.5, 2, rng)) for _ in range(n)]
    if not {*drawn} <= {*range(4)}:
        return "gave a number that is no token's"
    found = " ".join("abcd"[token] for token in sorted({*drawn}))
    if found != "b d":
        return f"drew {found}, expected b and d"
    share, right = drawn.count(1) / n, 0.6 ** 2 / (0.6 ** 2 + 0.25 ** 2)
    if abs(share - right) > 5 * (right * (1 - right) / n) ** 0.5:
        much = "far too seldom" if share < 0.6 else "too seldom" if share < right else "too often"
        return f"drew b {much}, in {share:.0%} of the draws, expected about 85%"


@drill.program(why="temperature 0 and k = 1 always give the best token")
def _(sample):
    """sample of the tokens a, b, c, d with logits 0.5, 0, 0.7, 0.6, ten times with temperature 0, ten with k = 1"""
    rng, logits = np.random.default_rng(3), np.array([0.5, 0.0, 0.7, 0.6])
    for what, temperature, k in (("temperature 0", 0.0, 4), ("k = 1", 1.0, 1)):
        drawn = {int(sample(logits, temperature, k, rng)) for _ in range(10)}
        if drawn != {2}:
            return f"{what} drew {' '.join('abcd'[token] for token in sorted(drawn))}, expected c alone"


@drill.program(why="all randomness comes from rng: what is seeded can be repeated")
def _(sample):
    """sample of ten equal logits, thirty times, with two generators of the same seed"""
    runs = [[int(sample(np.zeros(10), 1.0, 10, rng)) for _ in range(30)]
            for rng in (np.random.default_rng(3), np.random.default_rng(3))]
    if runs[0] != runs[1]:
        return "gave different tokens for the same seed"


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def best(logits, k):
    """The logits of the k best, and -inf for the others: for wrong answers that go wrong elsewhere"""
    masked, kept = np.full_like(logits, -np.inf), np.argsort(-logits)[:k]
    masked[kept] = logits[kept]
    return masked


def greedy(logits):
    return np.eye(len(logits), dtype=logits.dtype)[np.argmax(logits)]


@drill.wrong(probabilities, "multiplied by the temperature", "a high temperature makes all more alike: divide the "
             "logits by it")
def _(logits, temperature, k):
    return softmax(best(logits, k) * temperature) if temperature else greedy(logits)


@drill.wrong(probabilities, "temperature without effect", "divided by their sum the probabilities are what they were: "
             "divide the logits by the temperature, before exp")
def _(logits, temperature, k):
    if temperature == 0:
        return greedy(logits)
    p = softmax(best(logits, k)) / temperature
    return p / p.sum()


@drill.wrong(probabilities, "the powers divided by the temperature", "the temperature divides the logits, and not what "
             "the softmax makes of them: these no longer sum to 1")
def _(logits, temperature, k):
    return softmax(best(logits, k)) / temperature if temperature else greedy(logits)


@drill.wrong(probabilities, "division by temperature 0", "x / 0 is inf or NaN; temperature 0 is the largest alone")
def _(logits, temperature, k):
    return softmax(best(logits, k) / temperature)


@drill.wrong(probabilities, "division by temperature 0", "x / 0 is inf or NaN; temperature 0 is the largest alone")
def _(logits, temperature, k):
    powers = np.exp((best(logits, k) - logits.max()) / temperature)
    return powers / powers.sum()


@drill.wrong(probabilities, "a small number for temperature 0", "with temperature 1e-8 equal logits still share the "
             "probability; with 0 the first has all")
def _(logits, temperature, k):
    return softmax(best(logits, k) / max(temperature, 1e-8))


@drill.wrong(probabilities, "temperature 0 as temperature 1", "temperature 0 is greedy: the largest logit has all")
def _(logits, temperature, k):
    return softmax(best(logits, k) / (temperature or 1.0))


@drill.wrong(probabilities, "the k worst kept", "argsort begins with the smallest: take the last k, or sort -logits")
def _(logits, temperature, k):
    if temperature == 0:
        return greedy(logits)
    masked, kept = np.full_like(logits, -np.inf), np.argsort(logits)[:k]
    masked[kept] = logits[kept]
    return softmax(masked / temperature)


@drill.wrong(probabilities, "not renormalized", "the softmax of all is larger than 0 outside the k best: what is kept "
             "has to be divided by its sum")
def _(logits, temperature, k):
    return np.where(best(logits, k) > -np.inf, softmax(logits / temperature), 0) if temperature else greedy(logits)


@drill.wrong(probabilities, "0 instead of -inf", "exp(0) is 1: a logit of 0 is no probability of 0; set it to -inf")
def _(logits, temperature, k):
    if temperature == 0:
        return greedy(logits)
    return softmax(np.where(best(logits, k) > -np.inf, logits, 0) / temperature)


@drill.wrong(probabilities, "an error where k > V", "argpartition and [-k] go past the beginning: take min(k, V)")
def _(logits, temperature, k):
    if temperature == 0:
        return greedy(logits)
    masked, kept = np.full_like(logits, -np.inf), np.argpartition(logits, -k)[-k:]
    masked[kept] = logits[kept]
    return softmax(masked / temperature)


@drill.wrong(probabilities, "an error where k > V", "argpartition and [-k] go past the beginning: take min(k, V)")
def _(logits, temperature, k):
    threshold = np.sort(logits)[-k]
    masked, kept = np.full_like(logits, -np.inf), np.argsort(-logits)[:k]
    masked[kept] = np.where(logits[kept] >= threshold, logits[kept], -np.inf)
    return softmax(masked / temperature) if temperature else greedy(logits)


@drill.wrong(probabilities, "equal logits keep more than k", "a threshold keeps all that are equal to the k-th "
             "largest; np.argsort(-logits)[:k] keeps k")
def _(logits, temperature, k):
    if temperature == 0:
        return greedy(logits)
    threshold = np.sort(logits)[-min(k, len(logits))]
    return softmax(np.where(logits < threshold, -np.inf, logits) / temperature)


@drill.wrong(probabilities, "k - 1 kept", "the k-th largest is kept as well: >= and not >")
def _(logits, temperature, k):
    return softmax(best(logits, max(k - 1, 1)) / temperature) if temperature else greedy(logits)


@drill.wrong(probabilities, "all tokens kept", "only the k best tokens keep a probability")
def _(logits, temperature, k):
    return softmax(logits / temperature) if temperature else greedy(logits)


@drill.wrong(probabilities, "left in sorted order", "the result is in the order of the ranks; order[i] is the token of "
             "rank i, and its probability belongs there")
def _(logits, temperature, k):
    ranked = -np.sort(-logits)
    return softmax(best(ranked, k) / temperature) if temperature else greedy(logits)


@drill.wrong(probabilities, "only k numbers returned", "the result has a probability for every token, 0 outside the k "
             "best")
def _(logits, temperature, k):
    return softmax(logits[np.argsort(-logits)[:k]] / temperature) if temperature else greedy(logits)


@drill.wrong(probabilities, "no maximum subtracted", "exp of a large number overflows; subtract the largest logit "
             "first")
def _(logits, temperature, k):
    if temperature == 0:
        return greedy(logits)
    powers = np.exp(best(logits, k) / temperature)
    return powers / powers.sum()


@drill.wrong(probabilities, "no maximum subtracted", "divided by a small temperature the logits are large again: "
             "subtract the maximum of what exp gets")
def _(logits, temperature, k):
    if temperature == 0:
        return greedy(logits)
    powers = np.exp(best(logits, k) / temperature - logits.max())
    return powers / powers.sum()


@drill.wrong(sample, "the rank returned instead of the token", "what is drawn is a place in the sorted list; order[i] "
             "is the token of rank i")
def _(logits, temperature, k, rng):
    ranked = -np.sort(-probabilities(logits, temperature, k))
    return rng.choice(len(ranked), p=ranked)


@drill.wrong(sample, "all of the k equally often", "the tokens have probabilities: rng.choice(V, p=…)")
def _(logits, temperature, k, rng):
    return rng.choice(np.flatnonzero(probabilities(logits, temperature, k)))


@drill.wrong(sample, "the largest instead of a draw", "argmax always gives the same token; draw with rng.choice")
def _(logits, temperature, k, rng):
    return np.argmax(probabilities(logits, temperature, k))


@drill.wrong(sample, "drawn from all tokens", "tokens outside the k best are never drawn; draw from what is kept")
def _(logits, temperature, k, rng):
    return rng.choice(len(logits), p=probabilities(logits, temperature, len(logits)))


@drill.wrong(sample, "temperature forgotten in the draw", "the temperature changes how often each token is drawn")
def _(logits, temperature, k, rng):
    return rng.choice(len(logits), p=probabilities(logits, 1.0, k))


@drill.wrong(sample, "another generator than rng", "np.random has a generator of its own, which the seed of rng does "
             "not set; rng.choice draws with rng")
def _(logits, temperature, k, rng):
    return np.random.choice(len(logits), p=probabilities(logits, temperature, k))
