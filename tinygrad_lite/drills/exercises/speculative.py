"""Speculative decoding: accept or resample the tokens of a draft

accept_probability(p, q, token)                      -> the probability with which a drafted token is kept, a number
residual(p, q)                                       -> the distribution that replaces a token that is not kept, (V,)
step(target_probs, draft_probs, draft_tokens, rng)   -> the tokens of one step, a list of 1 to K + 1 token numbers

p (V,) are the probabilities of the large model, the target, and q (V,) those of the small model, the draft. A token was
drawn from q, so q[token] > 0. Where p equals q the residual is p itself. step looks at the K tokens of the draft in
their order: token i was drawn from draft_probs[i], and target_probs[i] is what the target says at the same place. After
the first token that is not kept comes its replacement, and the step ends; if all K are kept, one more token is drawn
from target_probs[K]. The tokens are distributed exactly as if the target had drawn them. target_probs is (K + 1, V),
draft_probs (K, V), draft_tokens (K,), rng a numpy Generator.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=12,
    hints=["A token that the draft proposes too often (q > p) must be kept only sometimes: how often, for p in total?",
           "Keep it with probability min(1, p[token] / q[token]): q * min(1, p / q) = min(p, q).",
           "What is still missing from p after min(p, q) is max(p - q, 0). Divide it by its sum, and draw from it.",
           "if rng.random() >= accept_probability(p, q, token): append a draw from residual(p, q), and return.",
           "The target has K + 1 rows because its last row says what follows after all K tokens."],
    pitfalls=["The result has exactly the target's distribution, because min(p, q) + max(p - q, 0) = p: it is no "
              "approximation.",
              "After the first rejection the other drafted tokens are void: they continue a text that is not there.",
              "Where p and q are the same the residual is 0 / 0."],
)


@drill.reference
def accept_probability(p, q, token):
    """p, q: probabilities (V,) of target and draft, token: a number -> the probability that it is kept"""
    return min(1.0, p[token] / q[token])  # drawn with q, kept with this: min(p, q) in total


@drill.reference
def residual(p, q):
    """p, q: probabilities (V,) of target and draft -> a distribution (V,)"""
    missing = np.maximum(p - q, 0.0)  # p - min(p, q): what the kept tokens leave to be done
    total = missing.sum()
    return missing / total if total > 0 else p


@drill.reference
def step(target_probs, draft_probs, draft_tokens, rng):
    """target_probs: (K + 1, V), draft_probs: (K, V), draft_tokens: (K,), rng: numpy Generator -> list of tokens"""
    tokens = []
    for p, q, token in zip(target_probs, draft_probs, draft_tokens):  # K turns: the target's last row is for the end
        if rng.random() >= accept_probability(p, q, token):
            return tokens + [int(rng.choice(len(p), p=residual(p, q)))]  # what follows continued another text
        tokens.append(int(token))
    return tokens + [int(rng.choice(target_probs.shape[1], p=target_probs[-1]))]


TARGET = np.array([[0.2, 0.4, 0.1, 0.3], [0.1, 0.2, 0.3, 0.4], [0.3, 0.3, 0.2, 0.2]])
DRAFT = np.array([[0.6, 0.3, 0.1, 0.0], [0.4, 0.3, 0.2, 0.1]])

drill.case(accept_probability, np.array([0.2, 0.8]), np.array([0.5, 0.5]), 0,
           why="the draft says 0.5 where the target says 0.2: of 5 such tokens 2 are kept, p / q")
drill.case(accept_probability, np.array([0.2, 0.8]), np.array([0.5, 0.5]), 1,
           why="what the draft proposes too rarely is always kept: min(1, p / q)")
drill.case(accept_probability, np.array([0.0, 0.3, 0.7]), np.array([0.5, 0.25, 0.25]), 0,
           why="what the target never says is never kept")
drill.case(residual, np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5]),
           why="max(p - q, 0), divided by its sum: only token 0 is proposed too rarely")
drill.case(residual, np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.4, 0.3, 0.2, 0.1]),
           why="max(p - q, 0), divided by its sum: the differences 0.1 and 0.3 become 1/4 and 3/4")
drill.case(residual, np.array([0.5, 0.25, 0.25]), np.array([0.5, 0.25, 0.25]),
           why="where p equals q nothing is missing, and 0 / 0 is NaN: return p")
drill.case(step, np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
           np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]), np.array([1, 1]), np.random.default_rng(0),
           why="where p equals q all tokens are kept, and one more is drawn from the target's last row")
drill.case(step, np.array([[0.0, 0.5, 0.5], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
           np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]), np.array([0, 1]), np.random.default_rng(0),
           why="token 0 cannot be kept, only token 2 can replace it, and with the replacement the step ends")


def told(counts, expected, what):
    """A sentence where counts are not those of the expected distribution, by more than 5 standard deviations."""
    shares, spread = counts / counts.sum(), np.sqrt(expected * (1 - expected) / counts.sum())
    wrong = [f"{'too often' if share > p else 'too rarely'} {name} ({share:.0%} for {p:.0%})" for name, share, p, s
             in zip(("zero", "one", "two", "three"), shares, expected, spread) if abs(share - p) > 5 * s]
    return f"{what} is {', '.join(wrong)}" if wrong else None


@drill.program(why="kept with min(1, p / q), or else drawn from max(p - q, 0), a token has the distribution p")
def _(step):
    """the first tokens of 2000 steps, with a draft that was drawn from draft_probs each time"""
    rng, counts = np.random.default_rng(1), np.zeros(4)
    for token in rng.choice(4, 2000, p=DRAFT[0]):
        tokens = step(TARGET[:2].copy(), DRAFT[:1].copy(), np.array([token]), rng)
        if not 1 <= len(tokens) <= 2:
            return f"a step with K = 1 gave {len(tokens)} tokens"
        counts[tokens[0]] += 1
    return told(counts, TARGET[0], "the first token")


@drill.program(why="each token is compared with a random number of its own, and with the row of its own place")
def _(step):
    """the second and third tokens of 2000 steps, with drafts that were drawn from draft_probs each time"""
    rng, counts = np.random.default_rng(2), np.zeros((3, 4))
    for first, second in zip(rng.choice(4, 2000, p=DRAFT[0]), rng.choice(4, 2000, p=DRAFT[1])):
        tokens = step(TARGET.copy(), DRAFT.copy(), np.array([first, second]), rng)
        if not 1 <= len(tokens) <= 3:
            return f"a step with K = 2 gave {len(tokens)} tokens"
        counts[range(len(tokens)), tokens] += 1
    first, second, third = counts.sum(axis=1)
    for now, before, p, q in ((second, first, TARGET[0], DRAFT[0]), (third, second, TARGET[1], DRAFT[1])):
        kept = np.minimum(p, q).sum()
        if abs(now / before - kept) > 5 * np.sqrt(kept * (1 - kept) / before):
            return f"a drafted token is kept in {now / before:.0%} of the steps, expected {kept:.0%}"
    return told(counts[1], TARGET[1], "the second token") or told(counts[2], TARGET[2], "the third token")


@drill.wrong(accept_probability, "q / p in place of p / q", "p / q takes away what the draft proposes too often; q / p "
             "takes away what it proposes too rarely")
def _(p, q, token):
    return min(1.0, q[token] / p[token])


@drill.wrong(accept_probability, "not limited to 1", "p / q may be larger than 1, and no probability is: min(1, p / q)")
def _(p, q, token):
    return p[token] / q[token]


@drill.wrong(accept_probability, "kept only if p > q", "a token with p < q is right as well, but less often: keep it "
             "with probability p / q, and not never")
def _(p, q, token):
    return 1.0 if p[token] > q[token] else 0.0


@drill.wrong(accept_probability, "kept only if p > q", "a token with p < q is right as well, but less often: keep it "
             "with probability p / q, and not never")
def _(p, q, token):
    return float(p[token] >= q[token])


@drill.wrong(accept_probability, "the draft's probability forgotten", "the token was already drawn with probability q: "
             "kept with p it comes with q * p; divide by q")
def _(p, q, token):
    return p[token]


@drill.wrong(residual, "residual not clipped", "where the draft proposes too much p - q is negative, and no "
             "probability: max(p - q, 0)")
def _(p, q):
    missing = p - q
    return missing / missing.sum() if missing.any() else p


@drill.wrong(residual, "the absolute difference", "what the draft proposes too often must not come once more: max(p - "
             "q, 0)")
def _(p, q):
    missing = np.abs(p - q)
    return missing / missing.sum() if missing.any() else p


@drill.wrong(residual, "residual not normalized", "max(p - q, 0) sums to less than 1; divide it by its sum")
def _(p, q):
    missing = np.maximum(p - q, 0.0)
    return missing if missing.any() else p


@drill.wrong(residual, "q - p in place of p - q", "what is missing from p after min(p, q) is max(p - q, 0)")
def _(p, q):
    missing = np.maximum(q - p, 0.0)
    return missing / missing.sum() if missing.any() else p


@drill.wrong(residual, "0 / 0 where p equals q", "nothing is missing then, and the sum is 0: return p")
def _(p, q):
    missing = np.maximum(p - q, 0.0)
    return missing / missing.sum()


@drill.wrong(step, "samples from p after a rejection", "the kept tokens already make up min(p, q) of p; a replacement "
             "from p counts that part twice: draw it from the residual")
def _(target_probs, draft_probs, draft_tokens, rng):
    tokens = []
    for p, q, token in zip(target_probs, draft_probs, draft_tokens):
        if rng.random() >= accept_probability(p, q, token):
            return tokens + [int(rng.choice(len(p), p=p))]
        tokens.append(int(token))
    return tokens + [int(rng.choice(target_probs.shape[1], p=target_probs[-1]))]


@drill.wrong(step, "no bonus token", "the target's last row is computed anyway: after K kept tokens draw one more from "
             "it")
def _(target_probs, draft_probs, draft_tokens, rng):
    tokens = []
    for p, q, token in zip(target_probs, draft_probs, draft_tokens):
        if rng.random() >= accept_probability(p, q, token):
            return tokens + [int(rng.choice(len(p), p=residual(p, q)))]
        tokens.append(int(token))
    return tokens


@drill.wrong(step, "the bonus token from the wrong row", "the target's last row, K, is what follows after all K "
             "tokens; row K - 1 is the place of the last of them")
def _(target_probs, draft_probs, draft_tokens, rng):
    tokens = []
    for p, q, token in zip(target_probs, draft_probs, draft_tokens):
        if rng.random() >= accept_probability(p, q, token):
            return tokens + [int(rng.choice(len(p), p=residual(p, q)))]
        tokens.append(int(token))
    return tokens + [int(rng.choice(len(p), p=p))]


@drill.wrong(step, "goes on after a rejection", "the drafted tokens after a rejected one continue a text that is not "
             "there: end the step with the replacement")
def _(target_probs, draft_probs, draft_tokens, rng):
    tokens = []
    for p, q, token in zip(target_probs, draft_probs, draft_tokens):
        kept = rng.random() < accept_probability(p, q, token)
        tokens.append(int(token) if kept else int(rng.choice(len(p), p=residual(p, q))))
    return tokens + [int(rng.choice(target_probs.shape[1], p=target_probs[-1]))]


@drill.wrong(step, "no token after a rejection", "without a replacement the part max(p - q, 0) of the target is never "
             "said: draw a token from the residual")
def _(target_probs, draft_probs, draft_tokens, rng):
    tokens = []
    for p, q, token in zip(target_probs, draft_probs, draft_tokens):
        if rng.random() >= accept_probability(p, q, token):
            return tokens
        tokens.append(int(token))
    return tokens + [int(rng.choice(target_probs.shape[1], p=target_probs[-1]))]


@drill.wrong(step, "one random number for all tokens", "a number that was small enough for the first token often is "
             "for the second as well, which is then kept too often; draw a number for each")
def _(target_probs, draft_probs, draft_tokens, rng):
    tokens, u = [], rng.random()
    for p, q, token in zip(target_probs, draft_probs, draft_tokens):
        if u >= accept_probability(p, q, token):
            return tokens + [int(rng.choice(len(p), p=residual(p, q)))]
        tokens.append(int(token))
    return tokens + [int(rng.choice(target_probs.shape[1], p=target_probs[-1]))]


@drill.wrong(step, "the replacement is the most probable token", "the residual is a distribution to draw from; its "
             "largest entry alone gives another distribution than the target's")
def _(target_probs, draft_probs, draft_tokens, rng):
    tokens = []
    for p, q, token in zip(target_probs, draft_probs, draft_tokens):
        if rng.random() >= accept_probability(p, q, token):
            return tokens + [int(residual(p, q).argmax())]
        tokens.append(int(token))
    return tokens + [int(rng.choice(target_probs.shape[1], p=target_probs[-1]))]
