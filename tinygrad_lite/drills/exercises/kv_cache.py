"""Attention with a cache of keys and values

prefill(x, wq, wk, wv)           x: (B, T, C), weights: (C, D) -> output (B, T, D), cache
step(x_t, wq, wk, wv, cache)     x_t: (B, C), the next token -> output (B, D), the longer cache

One head of causal self-attention: queries x @ wq, keys x @ wk, values x @ wv, scores divided by sqrt(D), softmax over
the keys; a token sees itself and what is before it. The cache is a dictionary {"k": keys, "v": values} of two arrays
(B, t, D), the t tokens so far, the oldest first; t may be 0. prefill reads the prompt at once, and step adds one token
to it: prefill followed by steps gives what prefill of the whole sequence gives. The dictionary that step is given stays
as it is, since several continuations may start from it. Scores may be in the thousands.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=12,
    hints=["What does the newest token need of the older ones? Their keys and values, not their queries.",
           "x_t[:, None] is (B, 1, C): a sequence of one token.",
           "np.concatenate([cache[\"k\"], k], axis=1) makes a new array (B, t + 1, D). Extend first, then attend: "
           "the token sees itself.",
           "In step there is nothing to hide: no key is of a later token. Only prefill has a mask."],
    pitfalls=["Softmax: subtract each row's maximum before exp. In prefill, hide with -inf before the softmax.",
              "The cache holds keys and values only. The query of a token is needed once, when the token arrives.",
              "A step costs t D instead of t^2 D operations; the price is memory, 2 t D numbers a layer and sequence."],
)


@drill.reference(differentiable=True)
def prefill(x, wq, wk, wv):
    """x: (B, T, C), wq, wk, wv: (C, D) -> output (B, T, D), cache {"k": (B, T, D), "v": (B, T, D)}"""
    q, k, v = x @ wq, x @ wk, x @ wv
    scores = q @ np.swapaxes(k, 1, 2) / q.shape[-1] ** 0.5  # (B, T, T), queries down, keys across
    future = np.triu(np.ones(scores.shape[1:], dtype=bool), k=1)  # True above the diagonal: keys after the query
    scores = np.where(future, -np.inf, scores)
    powers = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True) @ v, {"k": k, "v": v}


@drill.reference(differentiable=True)
def step(x_t, wq, wk, wv, cache):
    """x_t: (B, C), wq, wk, wv: (C, D), cache of (B, t, D) -> output (B, D), cache of (B, t + 1, D)"""
    x = x_t[:, None]  # (B, 1, C)
    k = np.concatenate([cache["k"], x @ wk], axis=1)  # (B, t + 1, D), a new array: the caller's cache stays as it is
    v = np.concatenate([cache["v"], x @ wv], axis=1)
    scores = (x @ wq) @ np.swapaxes(k, 1, 2) / k.shape[-1] ** 0.5  # (B, 1, t + 1); no mask, the newest token sees all
    powers = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    weights = powers / np.sum(powers, axis=-1, keepdims=True)
    return (weights @ v)[:, 0], {"k": k, "v": v}


rng = np.random.default_rng(0)
x = rng.standard_normal((2, 7, 3))  # B = 2, T = 7, C = 3
wq, wk, wv = rng.standard_normal((3, 3, 4))  # each (3, 4)
empty = {"k": np.zeros((2, 0, 4)), "v": np.zeros((2, 0, 4))}
five = {"k": rng.standard_normal((2, 5, 4)), "v": rng.standard_normal((2, 5, 4))}
eye = np.eye(2)
small = {"k": np.array([[[1.0, 0.0]]]), "v": np.array([[[2.0, 0.0]]])}

drill.case(prefill, x, wq, wk, wv, why="each token attends to itself and to what is before it")
drill.case(prefill, x[:, :1], wq, wk, wv, why="the first token sees itself alone: its output is its value")
drill.case(prefill, 1000 * x, wq, wk, wv, why="exp of a large score overflows: subtract each row's maximum first",
           smooth=False)
drill.case(step, np.array([[0.0, 1.0]]), eye, eye, eye, small,
           why="the new token attends to the cached key and to its own, with scores q.k / sqrt(D)")
drill.case(step, x[:, 0], wq, wk, wv, empty,
           why="with an empty cache the token sees itself alone: its output is its value")
drill.case(step, x[:, 0], wq, wk, wv, five, why="the token attends to the five cached keys and to its own")
drill.case(step, 1000 * x[:, 1], wq, wk, wv, five, why="exp of a large score overflows: subtract the maximum first",
           smooth=False)


@drill.program(why="a cache saves work and changes no result")
def _(prefill, step):
    """prefill of three tokens and four steps, beside prefill of all seven"""
    whole, full = prefill(x.copy(), wq.copy(), wk.copy(), wv.copy())
    _, cache = prefill(x[:, :3].copy(), wq.copy(), wk.copy(), wv.copy())
    for t in range(3, 7):
        out, cache = step(x[:, t].copy(), wq.copy(), wk.copy(), wv.copy(), cache)
        if np.shape(out) != (2, 4) or np.shape(cache["k"]) != (2, t + 1, 4) or np.shape(cache["v"]) != (2, t + 1, 4):
            return f"after token {t} there are shapes {[np.shape(a) for a in (out, cache['k'], cache['v'])]}"
        if not np.allclose(out, whole[:, t]):
            return f"token {t} gives another output than in the whole sequence"
    if not np.allclose(cache["k"], full["k"]) or not np.allclose(cache["v"], full["v"]):
        return "the cache at the end is another than that of the whole sequence"


@drill.program(why="several continuations may start from one cache: make a new dictionary with new arrays")
def _(step):
    """two different steps from the same cache of five tokens"""
    cache = {name: a.copy() for name, a in five.items()}
    return [step(x[:, t].copy(), wq.copy(), wk.copy(), wv.copy(), cache)[0] for t in (0, 1)]


def attended(q, k, v, hidden=False, size=None):
    """Attention of q to k and v, for the wrong answers."""
    scores = q @ np.swapaxes(k, 1, 2) / (size or k.shape[-1]) ** 0.5
    scores = np.where(hidden, -np.inf, scores)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True) @ v


def extended(x_t, wk, wv, cache):
    """The query's token as (B, 1, C), and keys and values with those of the token."""
    x = x_t[:, None]
    return x, np.concatenate([cache["k"], x @ wk], axis=1), np.concatenate([cache["v"], x @ wv], axis=1)


@drill.wrong(step, "the query cached", "the cache takes the new key, x_t @ wk; queries of older tokens are never "
             "needed")
def _(x_t, wq, wk, wv, cache):
    x, k, v = extended(x_t, wq, wv, cache)
    return attended(x @ wq, k, v)[:, 0], {"k": k, "v": v}


@drill.wrong(step, "the new key left out", "a token sees itself too: extend the cache first, and attend then")
def _(x_t, wq, wk, wv, cache):
    x, k, v = extended(x_t, wk, wv, cache)
    return attended(x @ wq, cache["k"], cache["v"])[:, 0], {"k": k, "v": v}


@drill.wrong(step, "a causal mask in the step", "tril of a (1, t + 1) matrix leaves the oldest key alone; the newest "
             "token may see all keys: no mask")
def _(x_t, wq, wk, wv, cache):
    x, k, v = extended(x_t, wk, wv, cache)
    return attended(x @ wq, k, v, np.tril(np.ones((1, k.shape[1]))) == 0)[:, 0], {"k": k, "v": v}


@drill.wrong(step, "a causal mask in the step", "a mask of (t + 1, t + 1) makes t + 1 rows of the scores of one query, "
             "and the first sees the oldest key alone: no mask")
def _(x_t, wq, wk, wv, cache):
    x, k, v = extended(x_t, wk, wv, cache)
    return attended(x @ wq, k, v, np.tril(np.ones((k.shape[1], k.shape[1]))) == 0)[:, 0], {"k": k, "v": v}


@drill.wrong(step, "scaling missing", "dot products grow with sqrt(D): divide the scores by it")
def _(x_t, wq, wk, wv, cache):
    x, k, v = extended(x_t, wk, wv, cache)
    return attended(x @ wq, k, v, size=1)[:, 0], {"k": k, "v": v}


@drill.wrong(step, "scaled by the size of the input", "the dot product sums D products, the size of a key, and not C")
def _(x_t, wq, wk, wv, cache):
    x, k, v = extended(x_t, wk, wv, cache)
    return attended(x @ wq, k, v, size=x_t.shape[-1])[:, 0], {"k": k, "v": v}


@drill.wrong(step, "scaled by D and not its root", "dot products grow with sqrt(D): divide by the square root")
def _(x_t, wq, wk, wv, cache):
    x, k, v = extended(x_t, wk, wv, cache)
    return attended(x @ wq, k, v, size=k.shape[-1] ** 2)[:, 0], {"k": k, "v": v}


@drill.wrong(step, "the past ignored", "attention to the token's own key alone gives its own value; use the longer "
             "keys")
def _(x_t, wq, wk, wv, cache):
    x, k, v = extended(x_t, wk, wv, cache)
    return x_t @ wv, {"k": k, "v": v}


@drill.wrong(step, "the cache not extended", "the next step needs this token's key and value: return the longer arrays")
def _(x_t, wq, wk, wv, cache):
    x, k, v = extended(x_t, wk, wv, cache)
    return attended(x @ wq, k, v)[:, 0], cache


@drill.wrong(step, "the newest token in front", "the oldest token comes first: concatenate the new key behind the "
             "cache")
def _(x_t, wq, wk, wv, cache):
    x = x_t[:, None]
    k, v = np.concatenate([x @ wk, cache["k"]], axis=1), np.concatenate([x @ wv, cache["v"]], axis=1)
    return attended(x @ wq, k, v)[:, 0], {"k": k, "v": v}


@drill.wrong(step, "the cache changed", "cache[\"k\"] = … changes the caller's dictionary, and a second continuation "
             "starts from the wrong tokens; return a new dictionary")
def _(x_t, wq, wk, wv, cache):
    x, cache["k"], cache["v"] = extended(x_t, wk, wv, cache)
    return attended(x @ wq, cache["k"], cache["v"])[:, 0], cache


@drill.wrong(step, "no maximum subtracted", "exp of a large score overflows; subtract the maximum of the row first")
def _(x_t, wq, wk, wv, cache):
    x, k, v = extended(x_t, wk, wv, cache)
    powers = np.exp((x @ wq) @ np.swapaxes(k, 1, 2) / k.shape[-1] ** 0.5)
    return (powers / powers.sum(axis=-1, keepdims=True) @ v)[:, 0], {"k": k, "v": v}


@drill.wrong(prefill, "no causal mask", "a token must not see what comes after it: in the steps it could not either")
def _(x, wq, wk, wv):
    return attended(x @ wq, x @ wk, x @ wv), {"k": x @ wk, "v": x @ wv}


@drill.wrong(prefill, "the past hidden", "rows are queries: hide what lies above the diagonal, not what lies below it")
def _(x, wq, wk, wv):
    hidden = np.tril(np.ones((x.shape[1], x.shape[1])), k=-1) == 1
    return attended(x @ wq, x @ wk, x @ wv, hidden), {"k": x @ wk, "v": x @ wv}


@drill.wrong(prefill, "the token itself hidden", "a token sees itself: the diagonal stays (triu with k=1)")
def _(x, wq, wk, wv):
    hidden = np.triu(np.ones((x.shape[1], x.shape[1]))) == 1
    return attended(x @ wq, x @ wk, x @ wv, hidden), {"k": x @ wk, "v": x @ wv}


@drill.wrong(prefill, "masked after the softmax", "the weights of a row no longer sum to 1: hide with -inf before it")
def _(x, wq, wk, wv):
    scores = (x @ wq) @ np.swapaxes(x @ wk, 1, 2) / wq.shape[1] ** 0.5
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = powers / powers.sum(axis=-1, keepdims=True) * np.tril(np.ones(scores.shape[1:]))
    return weights @ (x @ wv), {"k": x @ wk, "v": x @ wv}


@drill.wrong(prefill, "hidden scores set to 0", "exp(0) is 1, which is a weight like others: hide with -inf")
def _(x, wq, wk, wv):
    scores = (x @ wq) @ np.swapaxes(x @ wk, 1, 2) / wq.shape[1] ** 0.5 * np.tril(np.ones((x.shape[1], x.shape[1])))
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True) @ (x @ wv), {"k": x @ wk, "v": x @ wv}


@drill.wrong(prefill, "scaling missing", "dot products grow with sqrt(D): divide the scores by it")
def _(x, wq, wk, wv):
    hidden = np.triu(np.ones((x.shape[1], x.shape[1])), k=1) == 1
    return attended(x @ wq, x @ wk, x @ wv, hidden, size=1), {"k": x @ wk, "v": x @ wv}


@drill.wrong(prefill, "no maximum subtracted", "exp of a large score overflows; subtract each row's maximum first")
def _(x, wq, wk, wv):
    scores = (x @ wq) @ np.swapaxes(x @ wk, 1, 2) / wq.shape[1] ** 0.5
    powers = np.exp(np.where(np.tril(np.ones(scores.shape[1:])) == 0, -np.inf, scores))
    return powers / powers.sum(axis=-1, keepdims=True) @ (x @ wv), {"k": x @ wk, "v": x @ wv}
