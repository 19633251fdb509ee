"""Attention with a mask, and with several heads

attention(q, k, v, mask=None)           queries (..., Tq, D), keys (..., Tk, D), values (..., Tk, D) -> (..., Tq, D)
multi_head(x, wq, wk, wv, wo, heads)    x (B, T, C), four weights (C, C) -> (B, T, C)

attention is softmax(q k^T / sqrt(D)) v, with the softmax over the keys. mask is boolean, of shape (Tq, Tk) or any other
that broadcasts to the scores (..., Tq, Tk); True means that the query sees the key. A query that sees no key gives
zeros, and no NaN. Products of q and k may be as large as 10,000. attention has no Python loops.

multi_head multiplies x with wq, wk and wv from the right (there are no biases). Head h has the columns from
h * C / heads to (h + 1) * C / heads, and attends without a mask. The results of the heads stand side by side in the
same order, and are multiplied with wo. heads divides C.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=12,
    hints=["q @ np.swapaxes(k, -1, -2) is (..., Tq, Tk), however many axes there are in front.",
           "Masked scores become -inf before the softmax: exp(-inf) is 0, and the other weights sum to 1.",
           "Where a whole row is -inf, so is its maximum, and -inf - (-inf) is NaN: subtract 0 there, and divide by 1.",
           "reshape(B, T, heads, d) cuts the C of x @ wq into heads; swapaxes(1, 2) makes it (B, heads, T, d).",
           "On the way back: swapaxes(1, 2) first, which gives (B, T, heads, d), and then reshape(B, T, C)."],
    pitfalls=["Subtract the largest score of each query before exp, which overflows otherwise.",
              "Mask before the softmax with -inf. -1e9 is no minus infinity: a row that is all masked becomes uniform.",
              "Without 1 / sqrt(D) the scores have variance D, and the gradients of so sharp a softmax vanish.",
              "The scores are (B, heads, T, T): their memory grows with the square of T, which FlashAttention avoids."],
)


@drill.reference(differentiable=True)
def attention(q, k, v, mask=None):
    """q: (..., Tq, D), k and v: (..., Tk, D), mask: bool, broadcasts to (..., Tq, Tk), True = seen -> (..., Tq, D)"""
    scores = q @ np.swapaxes(k, -1, -2) / q.shape[-1] ** 0.5  # (..., Tq, Tk), of variance 1 where q and k are
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)  # before the softmax, so that the weights that remain sum to 1
    highest = np.max(scores, axis=-1, keepdims=True)  # (..., Tq, 1)
    highest = np.where(highest == -np.inf, 0.0, highest)  # nothing is seen: -inf - (-inf) would be NaN
    powers = np.exp(scores - highest)  # no overflow: all exponents are <= 0
    total = np.sum(powers, axis=-1, keepdims=True)
    return powers / np.where(total == 0, 1.0, total) @ v  # a row of weights 0 gives zeros


@drill.reference(differentiable=True)
def multi_head(x, wq, wk, wv, wo, heads):
    """x: (B, T, C), wq, wk, wv, wo: (C, C), heads: int -> (B, T, C)"""
    b, t, c = x.shape
    split = (b, t, heads, c // heads)  # columns belong to heads, so C is the axis that is cut
    q = np.swapaxes((x @ wq).reshape(split), 1, 2)  # (B, heads, T, d): each head is a batch of its own
    k = np.swapaxes((x @ wk).reshape(split), 1, 2)
    v = np.swapaxes((x @ wv).reshape(split), 1, 2)
    out = attention(q, k, v)  # (B, heads, T, d), scaled by d, the size of a head
    return np.swapaxes(out, 1, 2).reshape(b, t, c) @ wo  # heads beside d again before the two become C


rng = np.random.default_rng(0)
q, k, v = (rng.standard_normal((2, 3, t, 4)) for t in (5, 6, 6))
seen = rng.random((2, 1, 5, 6)) < 0.6
seen[..., 0] = True
causal = np.tril(np.ones((3, 3), bool))
one, far = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[100.0, 0.0], [0.0, -100.0], [-100.0, 0.0]])
values = np.array([[1.0, 2.0], [3.0, 5.0], [8.0, 4.0]])
x = rng.standard_normal((2, 3, 8))
weights = [rng.standard_normal((8, 8)) / 2 for _ in range(4)]

drill.case(attention, one, one, values[:2], why="weights are the softmax of q k^T / sqrt(D) over the keys")
drill.case(attention, q, k, v, why="the last two axes are the matrices, and the softmax is over the keys")
drill.case(attention, 3 * values, 3 * values, values, causal,
           why="the softmax is over the keys that are seen alone: masked scores become -inf first")
drill.case(attention, q, k, v, seen, why="the mask broadcasts to the scores (..., Tq, Tk), and True means seen")
drill.case(attention, one, np.array([[1.0, 0.0], [2000.0, 0.0]]), values[:2], np.array([[True, False], [False, False]]),
           why="a query that sees no key gives zeros, and no NaN, not in the gradient either: all its scores are -inf")
drill.case(attention, far, far, values, why="exp of a score of 7071 overflows; subtract the row's maximum first")
drill.case(attention, np.array([[100.0, 0.0], [0.01, 0.0]]), far, values,
           why="each query has a maximum of its own: with one for all, the powers of the other rows are 0")
drill.case(attention, far, far, values, ~np.eye(3, dtype=bool),
           why="the masked score is so large that the softmax leaves nothing to the others: mask the scores first")
drill.case(attention, *(rng.standard_normal((32, 8, 4, 3)) for _ in range(3)), why="all heads at once", lines=100,
           slow="a Python loop; @ takes any number of axes in front of the matrices")
drill.case(multi_head, np.array([[[1.0, 2.0], [3.0, 5.0]]]), *[np.eye(2)] * 4, 2,
           why="the first head attends to the first column alone, and the second to the second")
drill.case(multi_head, x, *weights, 2, why="reshape to (B, T, heads, d), then swap T and heads; at the end swap first")
drill.case(multi_head, x, *weights, 8, why="heads of size 1: the scores are divided by sqrt(1)")
drill.case(multi_head, x[:, :1], *weights, 4, why="of one position the weight is 1: x @ wv @ wo")


def masked(scores, mask):
    """The scores of the wrong answers whose mistake is another, and their softmax"""
    return scores if mask is None else np.where(mask, scores, -np.inf)


def softmax(scores, axis=-1):
    highest = scores.max(axis=axis, keepdims=True)
    powers = np.exp(scores - np.where(highest == -np.inf, 0.0, highest))
    total = powers.sum(axis=axis, keepdims=True)
    return powers / np.where(total == 0, 1.0, total)


@drill.wrong(attention, "1 / sqrt(D) missing", "the variance of a product of D numbers is D; divide by sqrt(D)")
def _(q, k, v, mask=None):
    return softmax(masked(q @ k.swapaxes(-1, -2), mask)) @ v


@drill.wrong(attention, "divided by D", "the variance of a product of D numbers is D: divide by its root, sqrt(D)")
def _(q, k, v, mask=None):
    return softmax(masked(q @ k.swapaxes(-1, -2) / q.shape[-1], mask)) @ v


@drill.wrong(attention, "softmax over the queries", "the weights of each query sum to 1: softmax over the last axis")
def _(q, k, v, mask=None):
    return softmax(masked(q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5, mask), axis=-2) @ v


@drill.wrong(attention, "mask multiplied after the softmax", "the weights that remain sum to less than 1; make the "
             "masked scores -inf before the softmax")
def _(q, k, v, mask=None):
    weights = softmax(q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5)
    return (weights if mask is None else weights * mask) @ v


@drill.wrong(attention, "mask multiplied after the softmax", "a masked score that is large leaves nothing to the "
             "others, and 0 / 0 is NaN; make the masked scores -inf before the softmax")
def _(q, k, v, mask=None):
    weights = softmax(q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5)
    if mask is not None:
        weights = weights * mask
        weights = weights / weights.sum(axis=-1, keepdims=True)
    return weights @ v


@drill.wrong(attention, "mask multiplied after the softmax", "a masked score that is large leaves nothing to the "
             "others; make the masked scores -inf before the softmax")
def _(q, k, v, mask=None):
    weights = softmax(q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5)
    if mask is not None:
        weights = weights * mask
        weights = weights / (weights.sum(axis=-1, keepdims=True) + 1e-12)
    return weights @ v


@drill.wrong(attention, "masked scores set to 0", "exp(0) is 1, and masked keys still have a weight; set them to -inf")
def _(q, k, v, mask=None):
    scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    return softmax(scores if mask is None else scores * mask) @ v


@drill.wrong(attention, "a row that is all masked gives NaN", "-inf - (-inf) is NaN, and so is 0 / 0; where nothing is "
             "seen subtract 0 instead of the maximum, and divide by 1 instead of the sum")
def _(q, k, v, mask=None):
    scores = masked(q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5, mask)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True) @ v


@drill.wrong(attention, "-1e9 instead of -inf", "in a row that is all masked all scores are -1e9, and the weights "
             "uniform instead of 0; take -inf, and see to that row")
def _(q, k, v, mask=None):
    scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    return softmax(scores if mask is None else np.where(mask, scores, -1e9)) @ v


@drill.wrong(attention, "no maximum subtracted", "exp of a large score overflows; subtract the row's maximum first")
def _(q, k, v, mask=None):
    powers = np.exp(masked(q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5, mask))
    total = powers.sum(axis=-1, keepdims=True)
    return powers / np.where(total == 0, 1.0, total) @ v


@drill.wrong(attention, "one maximum for all rows", "a query whose scores are far below the maximum of all has powers "
             "of 0; max(axis=-1, keepdims=True) is a maximum a query")
def _(q, k, v, mask=None):
    scores = masked(q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5, mask)
    powers = np.exp(scores - scores.max())
    total = powers.sum(axis=-1, keepdims=True)
    return powers / np.where(total == 0, 1.0, total) @ v


@drill.wrong(attention, "mask inverted", "True means that the query sees the key; here what is seen becomes -inf")
def _(q, k, v, mask=None):
    return softmax(masked(q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5, None if mask is None else ~mask)) @ v


@drill.wrong(attention, "a Python loop over the batch", "@ takes any number of axes in front of the matrices, so that "
             "all heads are one product")
def _(q, k, v, mask=None):
    out = np.empty(q.shape[:-1] + v.shape[-1:], q.dtype)
    seen = np.broadcast_to(True if mask is None else mask, q.shape[:-1] + k.shape[-2:-1])
    for i in np.ndindex(q.shape[:-2]):
        out[i] = softmax(masked(q[i] @ k[i].T / q.shape[-1] ** 0.5, seen[i])) @ v[i]
    return out


@drill.wrong(multi_head, "split by reshape alone", "reshape to (B, heads, T, d) mixes positions and columns; reshape "
             "to (B, T, heads, d) and swap the two axes in the middle")
def _(x, wq, wk, wv, wo, heads):
    b, t, c = x.shape
    q, k, v = ((x @ w).reshape(b, heads, t, c // heads) for w in (wq, wk, wv))
    return attention(q, k, v).swapaxes(1, 2).reshape(b, t, c) @ wo


@drill.wrong(multi_head, "split by reshape alone", "reshape to (B, heads, T, d) mixes positions and columns; reshape "
             "to (B, T, heads, d) and swap the two axes in the middle")
def _(x, wq, wk, wv, wo, heads):
    b, t, c = x.shape
    q, k, v = ((x @ w).reshape(b, heads, t, c // heads) for w in (wq, wk, wv))
    return attention(q, k, v).reshape(b, t, c) @ wo


@drill.wrong(multi_head, "merged by reshape alone", "(B, heads, T, d) has heads before T; swap the two axes first, and "
             "then reshape to (B, T, C)")
def _(x, wq, wk, wv, wo, heads):
    b, t, c = x.shape
    q, k, v = ((x @ w).reshape(b, t, heads, c // heads).swapaxes(1, 2) for w in (wq, wk, wv))
    return attention(q, k, v).reshape(b, t, c) @ wo


@drill.wrong(multi_head, "heads scaled by C", "a score sums d = C / heads products: divide by sqrt(d)")
def _(x, wq, wk, wv, wo, heads):
    b, t, c = x.shape
    q, k, v = ((x @ w).reshape(b, t, heads, c // heads).swapaxes(1, 2) for w in (wq, wk, wv))
    return attention(q / heads ** 0.5, k, v).swapaxes(1, 2).reshape(b, t, c) @ wo


@drill.wrong(multi_head, "heads attend to heads", "attention works on the last two axes: without swapaxes(1, 2) these "
             "are heads and d, and each position sees only itself")
def _(x, wq, wk, wv, wo, heads):
    b, t, c = x.shape
    q, k, v = ((x @ w).reshape(b, t, heads, c // heads) for w in (wq, wk, wv))
    return attention(q, k, v).reshape(b, t, c) @ wo


@drill.wrong(multi_head, "columns dealt out to the heads in turn", "reshape to (B, T, d, heads) gives a head every "
             "heads-th column; a head has d columns side by side, so heads comes before d")
def _(x, wq, wk, wv, wo, heads):
    b, t, c = x.shape
    q, k, v = ((x @ w).reshape(b, t, c // heads, heads).transpose(0, 3, 1, 2) for w in (wq, wk, wv))
    return attention(q, k, v).transpose(0, 2, 3, 1).reshape(b, t, c) @ wo


@drill.wrong(multi_head, "wo forgotten", "the heads stand side by side, and wo mixes them: multiply the result with it")
def _(x, wq, wk, wv, wo, heads):
    b, t, c = x.shape
    q, k, v = ((x @ w).reshape(b, t, heads, c // heads).swapaxes(1, 2) for w in (wq, wk, wv))
    return attention(q, k, v).swapaxes(1, 2).reshape(b, t, c)


@drill.wrong(multi_head, "weights transposed", "the weights stand on the right and are (from, to): x @ w, not x @ w.T")
def _(x, wq, wk, wv, wo, heads):
    b, t, c = x.shape
    q, k, v = ((x @ w.T).reshape(b, t, heads, c // heads).swapaxes(1, 2) for w in (wq, wk, wv))
    return attention(q, k, v).swapaxes(1, 2).reshape(b, t, c) @ wo.T


@drill.wrong(multi_head, "one head for all columns", "one softmax for all columns is one head of size C; cut C first")
def _(x, wq, wk, wv, wo, heads):
    return attention(x @ wq, x @ wk, x @ wv) @ wo
