"""Grouped-query attention

attention(q, k, v)  q: (B, Hq, T, D), k: (B, Hk, T, D), v: (B, Hk, T, E) -> (B, Hq, T, E)

Causal attention where several heads of queries share a head of keys and values. Hq is a multiple of Hk, and those that
share are neighbors: with Hq = 6 and Hk = 2, queries 0, 1, 2 use head 0 of k and v, and queries 3, 4, 5 use head 1.
Scores are divided by sqrt(D); token t sees tokens 0 to t. Hk = Hq is the usual multi-head attention, Hk = 1 is
multi-query attention. Scores may be in the thousands.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=8,
    hints=["Make k and v have Hq heads, and the rest is usual attention.",
           "np.repeat(k, n, axis=1) gives heads 0 0 0 1 1 1; np.tile would give 0 1 0 1 0 1.",
           "Without copies: q.reshape(B, Hk, Hq // Hk, T, D) against k[:, :, None], and back at the end.",
           "np.triu(np.ones((T, T), dtype=bool), k=1) is True where the key is later than the query: scores of -inf."],
    pitfalls=["Softmax: subtract each row's maximum before exp; hide with -inf before it.",
              "Neighbors share: repeat and not tile. With tile trained weights give nonsense, and no error.",
              "The gain is a smaller cache of keys and values, Hk heads in place of Hq; do not store the repeated "
              "ones."],
)


@drill.reference(differentiable=True)
def attention(q, k, v):
    """q: (B, Hq, T, D), k: (B, Hk, T, D), v: (B, Hk, T, E) -> (B, Hq, T, E)"""
    shared = q.shape[1] // k.shape[1]  # heads of queries for each head of keys
    k, v = np.repeat(k, shared, axis=1), np.repeat(v, shared, axis=1)  # heads 0 0 0 1 1 1: (B, Hq, T, …)
    scores = q @ np.swapaxes(k, 2, 3) / q.shape[-1] ** 0.5  # (B, Hq, T, T), queries down, keys across
    future = np.triu(np.ones(scores.shape[2:], dtype=bool), k=1)  # (T, T), True where the key is later than the query
    scores = np.where(future, -np.inf, scores)  # before the softmax, so that the weights still sum to 1
    powers = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True) @ v


rng = np.random.default_rng(0)
q, k, v = rng.standard_normal((2, 6, 5, 4)), rng.standard_normal((2, 2, 5, 4)), rng.standard_normal((2, 2, 5, 3))
heads = np.array([1.0, 2.0]).reshape(1, 2, 1, 1)  # the value of each head

drill.case(attention, np.zeros((1, 4, 1, 1)), np.zeros((1, 2, 1, 1)), heads,
           why="queries 0 and 1 use the first head, 2 and 3 the second: neighbors share, as np.repeat gives it")
drill.case(attention, np.zeros((1, 2, 3, 1)), np.zeros((1, 1, 3, 1)), np.array([1.0, 3.0, 8.0]).reshape(1, 1, 3, 1),
           why="with equal scores each token has the mean of the values so far: 1, 2, 4")
drill.case(attention, q, k, v, why="three heads of queries share a head of keys and values")
drill.case(attention, q[:, :2], k, v, why="with Hk = Hq it is the usual attention")
drill.case(attention, q, k[:, :1], v[:, :1], why="with Hk = 1 all heads share")
drill.case(attention, q[:, :4, :1], k[:, :, :1], v[:, :, :1], why="a single token sees itself")
drill.case(attention, q[:, :4], k, v, why="two heads of queries share a head of keys and values")
drill.case(attention, 40 * q, 40 * k, v, why="exp of a large score overflows: subtract each row's maximum first",
           smooth=False)


@drill.program(why="what comes later must not change a token's output")
def _(attention):
    """outputs of tokens 0 to 2, before and after keys and values of tokens 3 and 4 are changed"""
    later_k, later_v = k.copy(), v.copy()
    later_k[:, :, 3:], later_v[:, :, 3:] = 7.0, -5.0
    before = np.asarray(attention(q.copy(), k.copy(), v.copy()))
    after = np.asarray(attention(q.copy(), later_k, later_v))
    if not np.allclose(before[:, :, :3], after[:, :, :3]):
        return "the outputs of earlier tokens have changed"


def attended(q, k, v, seen=np.tril, size=None):
    """Causal attention with as many heads of keys as of queries, for the wrong answers."""
    scores = q @ np.swapaxes(k, 2, 3) / (size or q.shape[-1]) ** 0.5
    scores = np.where(seen(np.ones(scores.shape[2:])) == 1, scores, -np.inf)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True) @ v


def repeated(q, k, v):
    return [np.repeat(part, q.shape[1] // k.shape[1], axis=1) for part in (k, v)]


@drill.wrong(attention, "tile in place of repeat", "np.tile gives heads 0 1 0 1 0 1, but neighbors share: 0 0 0 1 1 1")
def _(q, k, v):
    n = q.shape[1] // k.shape[1]
    return attended(q, np.tile(k, (1, n, 1, 1)), np.tile(v, (1, n, 1, 1)))


@drill.wrong(attention, "tile in place of repeat", "h % Hk spreads the heads that share; neighbors share: h // (Hq "
             "// Hk)")
def _(q, k, v):
    B, Hq, T, D = q.shape
    Hk = k.shape[1]
    grouped = q.reshape(B, Hq // Hk, Hk, T, D)
    return np.stack([attended(grouped[:, i], k, v) for i in range(Hq // Hk)], axis=1).reshape(B, Hq, T, -1)


@drill.wrong(attention, "the outputs in the order of tile", "groups first and heads of keys second: put them back as "
             "(B, Hk, Hq // Hk, …), neighbors together")
def _(q, k, v):
    B, Hq, T, D = q.shape
    Hk = k.shape[1]
    grouped = q.reshape(B, Hk, Hq // Hk, T, D)
    return np.stack([attended(grouped[:, :, i], k, v) for i in range(Hq // Hk)], axis=1).reshape(B, Hq, T, -1)


@drill.wrong(attention, "queries averaged in each group", "every head of queries has an output of its own: Hq heads "
             "come out")
def _(q, k, v):
    B, Hq, T, D = q.shape
    return np.repeat(attended(q.reshape(B, k.shape[1], -1, T, D).mean(axis=2), k, v), Hq // k.shape[1], axis=1)


@drill.wrong(attention, "the first head for all", "each group of queries has a head of keys and values of its own")
def _(q, k, v):
    return attended(q, k[:, :1], v[:, :1])


@drill.wrong(attention, "values not shared as keys", "values have the order of keys: repeat both, and tile neither")
def _(q, k, v):
    return attended(q, repeated(q, k, v)[0], np.tile(v, (1, q.shape[1] // k.shape[1], 1, 1)))


@drill.wrong(attention, "no causal mask", "token t sees tokens 0 to t: hide what lies above the diagonal")
def _(q, k, v):
    return attended(q, *repeated(q, k, v), seen=np.ones_like)


@drill.wrong(attention, "the past hidden", "rows are queries: tril keeps the past of each, triu its future")
def _(q, k, v):
    return attended(q, *repeated(q, k, v), seen=np.triu)


@drill.wrong(attention, "masked after the softmax", "the weights of a row no longer sum to 1: hide with -inf before it")
def _(q, k, v):
    k, v = repeated(q, k, v)
    scores = q @ np.swapaxes(k, 2, 3) / q.shape[-1] ** 0.5
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.tril(powers / powers.sum(axis=-1, keepdims=True)) @ v


@drill.wrong(attention, "masked after the softmax", "with large scores the weights that stay have underflowed to 0, "
             "and 0 / 0 is NaN: hide with -inf before it")
def _(q, k, v):
    k, v = repeated(q, k, v)
    scores = q @ np.swapaxes(k, 2, 3) / q.shape[-1] ** 0.5
    powers = np.tril(np.exp(scores - scores.max(axis=-1, keepdims=True)))
    return powers / powers.sum(axis=-1, keepdims=True) @ v


@drill.wrong(attention, "hidden scores set to 0", "exp(0) is 1, which is a weight like others: hide with -inf")
def _(q, k, v):
    k, v = repeated(q, k, v)
    scores = np.tril(q @ np.swapaxes(k, 2, 3) / q.shape[-1] ** 0.5)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True) @ v


@drill.wrong(attention, "scaling missing", "dot products grow with sqrt(D): divide the scores by it")
def _(q, k, v):
    return attended(q, *repeated(q, k, v), size=1)


@drill.wrong(attention, "scaled by D and not its root", "dot products grow with sqrt(D): divide by the square root")
def _(q, k, v):
    return attended(q, *repeated(q, k, v), size=q.shape[-1] ** 2)


@drill.wrong(attention, "softmax over the queries", "each query's weights sum to 1 over the keys, the last axis")
def _(q, k, v):
    k, v = repeated(q, k, v)
    scores = q @ np.swapaxes(k, 2, 3) / q.shape[-1] ** 0.5
    scores = np.where(np.tril(np.ones(scores.shape[2:])) == 1, scores, -np.inf)
    powers = np.exp(scores - scores.max(axis=-2, keepdims=True))
    return powers / powers.sum(axis=-2, keepdims=True) @ v


@drill.wrong(attention, "no maximum subtracted", "exp of a large score overflows; subtract each row's maximum first")
def _(q, k, v):
    k, v = repeated(q, k, v)
    powers = np.tril(np.exp(q @ np.swapaxes(k, 2, 3) / q.shape[-1] ** 0.5))
    return powers / powers.sum(axis=-1, keepdims=True) @ v
