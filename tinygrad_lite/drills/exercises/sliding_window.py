"""Attention within a sliding window

mask(length, window)        two integers, at least 1 -> (length, length) of bool, True where a query sees a key
attention(q, k, v, window)  q, k: (..., T, D), v: (..., T, E) -> (..., T, E)

Rows of the mask are queries, columns are keys. A token sees itself and the window - 1 tokens before it, and nothing
that comes later. With window = 1 it sees itself alone; a window of T or more is plain causal attention. The first
tokens have fewer before them. Scores are divided by sqrt(D) and may be in the thousands. No loops.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=8,
    hints=["i = np.arange(T)[:, None] are the queries, j = np.arange(T) the keys: i - j tells how far back a key is.",
           "A key is seen where 0 <= i - j < window: two conditions, joined with &.",
           "np.where(mask, scores, -np.inf) before the softmax: exp(-inf) is 0, and the rest still sums to 1.",
           "Each token sees itself, so that no row is -inf alone and the maximum is finite."],
    pitfalls=["Softmax: subtract each row's maximum before exp, after hiding: the maximum of what is seen.",
              "The window counts the token itself: i - j < window and not <=. Say which convention you use.",
              "L layers see L * (window - 1) tokens back. Held as bands, the scores need T * window numbers, not T * "
              "T."],
)


@drill.reference
def mask(length, window):
    """length: T, window: tokens that are seen, with the token itself -> (T, T) of bool, queries down, keys across"""
    back = np.arange(length)[:, None] - np.arange(length)  # (T, T): how many tokens the key is before the query
    return (back >= 0) & (back < window)  # not later, and not too far back


@drill.reference(differentiable=True)
def attention(q, k, v, window):
    """q, k: (..., T, D), v: (..., T, E), window: tokens that are seen -> (..., T, E)"""
    scores = q @ np.swapaxes(k, -2, -1) / q.shape[-1] ** 0.5  # (..., T, T)
    scores = np.where(mask(q.shape[-2], window), scores, -np.inf)  # hidden before the softmax: weights still sum to 1
    powers = np.exp(scores - np.max(scores, axis=-1, keepdims=True))  # a token sees itself: the maximum is finite
    return powers / np.sum(powers, axis=-1, keepdims=True) @ v


rng = np.random.default_rng(0)
q, k, v = rng.standard_normal((2, 3, 7, 4)), rng.standard_normal((2, 3, 7, 4)), rng.standard_normal((2, 3, 7, 5))
one = np.array([[1.0], [3.0], [5.0]])

drill.case(mask, 3, 2, why="token 2 sees tokens 1 and 2: the window counts the token itself")
drill.case(mask, 6, 3, why="query i sees keys i - 2, i - 1 and i")
drill.case(mask, 3, 1, why="with a window of 1 a token sees itself alone")
drill.case(mask, 3, 5, why="a window larger than T is a causal mask")
drill.case(mask, 1, 1, why="a single token sees itself")
drill.case(mask, 300, 20, why="query i sees keys i - window + 1 to i", lines=40,
           slow="a Python loop over tokens; compare np.arange(T)[:, None] with np.arange(T)")
drill.case(attention, np.zeros((3, 1)), np.zeros((3, 1)), one, 2,
           why="with equal scores each token has the mean of what it sees: 1, 2, 4")
drill.case(attention, q, k, v, 3, why="hide with -inf before the softmax, with scores divided by sqrt(D)")
drill.case(attention, q[0, 0], k[0, 0], v[0, 0], 1, why="with a window of 1 the weight is 1 and the output is v")
drill.case(attention, q, k, v, 50, why="a window larger than T is causal attention")
drill.case(attention, np.ones((3, 1)), np.array([[2000.0], [-1000.0], [-1001.0]]), one, 2, smooth=False,
           why="the score that token 2 does not see must not be its maximum: what it sees would underflow to 0")


def back(length):
    return np.arange(length)[:, None] - np.arange(length)


def attended(scores, seen, v):
    """Attention to what is seen, for the wrong answers."""
    scores = np.where(seen, scores, -np.inf)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True) @ v


def scored(q, k):
    return q @ np.swapaxes(k, -2, -1) / q.shape[-1] ** 0.5


@drill.wrong(mask, "one token too many", "the window counts the token itself: i - j < window")
def _(length, window):
    return (back(length) >= 0) & (back(length) <= window)


@drill.wrong(mask, "one token too many", "the window counts the token itself: tril(k=-window) cuts off what is too "
             "far back")
def _(length, window):
    seen = np.tril(np.ones((length, length), dtype=bool))
    return seen & ~np.tril(seen, k=-window - 1)


@drill.wrong(mask, "the token itself left out", "a token sees itself: i - j >= 0")
def _(length, window):
    return (back(length) > 0) & (back(length) <= window)


@drill.wrong(mask, "the token itself left out", "a token sees itself: i - j >= 0")
def _(length, window):
    return (back(length) > 0) & (back(length) < window)


@drill.wrong(mask, "the future seen", "|i - j| < window sees as far ahead as back; keys that come later are hidden")
def _(length, window):
    return np.abs(back(length)) < window


@drill.wrong(mask, "the future seen", "i - j < window alone is no bound ahead: and i - j >= 0")
def _(length, window):
    return back(length) < window


@drill.wrong(mask, "no window", "a causal mask sees all the past; the window ends it: i - j < window")
def _(length, window):
    return back(length) >= 0


@drill.wrong(mask, "transposed", "rows are queries: i belongs to [:, None] and j to the columns")
def _(length, window):
    return (back(length).T >= 0) & (back(length).T < window)


@drill.wrong(mask, "True where hidden", "here True is what is seen")
def _(length, window):
    return (back(length) < 0) | (back(length) >= window)


@drill.wrong(mask, "blocks that do not slide", "each token has the window - 1 tokens before it, whatever its position")
def _(length, window):
    return (back(length) >= 0) & (np.arange(length)[:, None] // window == np.arange(length) // window)


@drill.wrong(mask, "numbers in place of bool", "a mask of bool is wanted: == 1, or dtype=bool")
def _(length, window):
    return ((back(length) >= 0) & (back(length) < window)).astype(float)


@drill.wrong(mask, "a Python loop", "np.arange(T)[:, None] against np.arange(T) compares all pairs at once")
def _(length, window):
    seen = np.zeros((length, length), dtype=bool)
    for i in range(length):
        seen[i, max(0, i - window + 1) : i + 1] = True
    return seen


@drill.wrong(attention, "masked after the softmax", "the weights of a row no longer sum to 1: hide with -inf before it")
def _(q, k, v, window):
    scores = scored(q, k)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True) * mask(q.shape[-2], window) @ v


@drill.wrong(attention, "masked after the softmax", "a hidden score may be the maximum, and what is seen underflows: "
             "hide with -inf before the softmax")
def _(q, k, v, window):
    scores = scored(q, k)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True)) * mask(q.shape[-2], window)
    return powers / powers.sum(axis=-1, keepdims=True) @ v


@drill.wrong(attention, "hidden scores set to 0", "exp(0) is 1, which is a weight like others: hide with -inf")
def _(q, k, v, window):
    return attended(scored(q, k) * mask(q.shape[-2], window), True, v)


@drill.wrong(attention, "the mask added as 0 and 1", "a score that is larger by 1 is not hidden: -inf where it is not "
             "seen")
def _(q, k, v, window):
    return attended(scored(q, k) + mask(q.shape[-2], window), True, v)


@drill.wrong(attention, "the mask upside down", "np.where(mask, -inf, scores) hides what is seen: exchange them")
def _(q, k, v, window):
    return attended(scored(q, k), ~mask(q.shape[-2], window), v)


@drill.wrong(attention, "no window", "a causal mask sees all the past: use the mask with the window")
def _(q, k, v, window):
    return attended(scored(q, k), back(q.shape[-2]) >= 0, v)


@drill.wrong(attention, "scaling missing", "dot products grow with sqrt(D): divide the scores by it")
def _(q, k, v, window):
    return attended(scored(q, k) * q.shape[-1] ** 0.5, mask(q.shape[-2], window), v)


@drill.wrong(attention, "scaled by D and not its root", "dot products grow with sqrt(D): divide by the square root")
def _(q, k, v, window):
    return attended(scored(q, k) / q.shape[-1] ** 0.5, mask(q.shape[-2], window), v)


@drill.wrong(attention, "no maximum subtracted", "exp of a large score overflows; subtract each row's maximum first")
def _(q, k, v, window):
    powers = np.exp(np.where(mask(q.shape[-2], window), scored(q, k), -np.inf))
    return powers / powers.sum(axis=-1, keepdims=True) @ v
