"""Attention with an online softmax

attention(q, k, v, block)  q: (Tq, D), k: (Tk, D), v: (Tk, E), block: integer -> (Tq, E)

softmax(q k^T / sqrt(D)) v, with the softmax over the keys and without a mask: but the matrix (Tq, Tk) of all scores is
never held. Go once over the keys, `block` of them at a time, for all queries together (no loop over queries), and keep
for each query what is needed of the keys before: the memory is that of (Tq, block) and of the result. block need not
divide Tk, and may be larger. Scores may be in the thousands, of both signs.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="hard", minutes=15,
    hints=["Keep three things for each query: the largest score so far, the sum of the powers so far, and the sum of "
           "the powers times the values so far. Divide at the end.",
           "All powers are exp(score - largest so far). When a block brings a larger score, the old sums were made "
           "with another maximum: how do you bring them to the new one?",
           "exp(s - new) = exp(s - old) * exp(old - new): multiply both sums by exp(old - new).",
           "Start with a maximum of -inf: then exp(old - new) is 0 in the first block, and the sums may start at 0.",
           "new = np.maximum(old, np.max(scores, axis=-1, keepdims=True)); total = total * exp(old - new) + "
           "powers.sum; out = out * exp(old - new) + powers @ values"],
    pitfalls=["The maximum is that of all keys so far: with the maximum of the block, exp(old - new) may overflow.",
              "The accumulated values must be rescaled together with the sum of the powers, and divided once, at the "
              "end.",
              "The gain is memory: the operations are the same, but (Tq, Tk) is never written. This is "
              "FlashAttention's first half; the other is that a block fits into fast memory."],
)


@drill.reference(differentiable=True)
def attention(q, k, v, block):
    """q: (Tq, D), k: (Tk, D), v: (Tk, E), block: keys at a time -> (Tq, E)"""
    largest, total, out = -np.inf, 0.0, 0.0  # for each query: maximum, sum of powers, sum of powers times values
    for start in range(0, k.shape[0], block):
        keys, values = k[start : start + block], v[start : start + block]  # the last block may be shorter
        scores = q @ keys.T / q.shape[-1] ** 0.5  # (Tq, block)
        new = np.maximum(largest, np.max(scores, axis=-1, keepdims=True))  # (Tq, 1)
        powers = np.exp(scores - new)  # all <= 1
        rescale = np.exp(largest - new)  # (Tq, 1): from the old maximum to the new; 0 in the first block, 1 if it stays
        total = total * rescale + np.sum(powers, axis=-1, keepdims=True)  # (Tq, 1)
        out = out * rescale + powers @ values  # (Tq, E)
        largest = new
    return out / total  # the maximum cancels


rng = np.random.default_rng(0)
q, k, v = rng.standard_normal((3, 4)), rng.standard_normal((10, 4)), rng.standard_normal((10, 5))
long = [np.abs(rng.standard_normal((600, 8))) for _ in range(3)]
many = [np.abs(rng.standard_normal((n, 2))) for n in (1000, 7, 7)]

drill.case(attention, np.array([[1.0], [0.0]]), np.array([[1.0], [1.0], [1.0], [1.0]]),
           np.array([[1.0], [2.0], [3.0], [4.0]]), 2, why="equal scores give the mean of all values, not that of a "
            "block")
drill.case(attention, q, k, v, 10, why="with one block it is plain attention, with scores divided by sqrt(D)")
drill.case(attention, q, k, v, 5, why="when the maximum grows, multiply both sums by exp(old - new)")
drill.case(attention, q, k, v, 1, why="one key at a time gives the same result")
drill.case(attention, q, k, v, 4, why="10 keys are blocks of 4, 4 and 2: the last one is shorter")
drill.case(attention, q, k, v, 64, why="a block may be larger than all keys")
drill.case(attention, np.array([[1.0], [-1.0]]), np.array([[0.0], [1.0], [2.0], [3.0]]),
           np.array([[1.0], [0.0], [0.0], [0.0]]), 1, why="the query 1 has a new maximum in each block, and -1 never "
            "again")
drill.case(attention, 40 * q, 40 * k, v, 3, smooth=False,
           why="exp of a large score overflows: subtract the largest so far")
drill.case(attention, np.ones((1, 1)), np.array([[2000.0], [1999.0], [-1000.0], [-2000.0]]), np.eye(4)[:, :3], 2,
           why="the second block's scores are far below: the maximum stays that of the first", smooth=False)
drill.case(attention, np.ones((1, 1)), np.array([[-2000.0], [-1999.0], [-1500.0], [-1501.0]]), np.eye(4)[:, :3], 2,
           why="where all scores are far below 0, a maximum that starts at 0 leaves powers of 0: start at -inf",
           smooth=False)
drill.case(attention, *long, 16, why="the result is that of plain attention", memory=1_000_000,
           large="all scores of 600 queries and 600 keys; only those of one block are to be held")
drill.case(attention, *many, 3, why="the result is that of plain attention", lines=400,
           slow="a Python loop over queries; a block of keys is multiplied with all queries at once")


def blocks(q, k, v, block):
    """The scores and values of each block, for the wrong answers."""
    for start in range(0, len(k), block):
        yield q @ k[start : start + block].T / q.shape[-1] ** 0.5, v[start : start + block]


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def online(parts, largest=-np.inf, sums=True, values=True, sign=1.0, grows=np.maximum):
    """The right recurrence with one step changed."""
    total = out = 0.0
    for scores, v in parts:
        new = grows(largest, scores.max(axis=-1, keepdims=True))
        powers, rescale = np.exp(scores - new), np.exp(sign * (largest - new)) if np.ndim(largest) else 1.0
        total = total * (rescale if sums else 1.0) + powers.sum(axis=-1, keepdims=True)
        out = out * (rescale if values else 1.0) + powers @ v
        largest = new
    return out / total


@drill.wrong(attention, "no maximum subtracted", "exp of a large score overflows; subtract the largest score so far")
def _(q, k, v, block):
    total = out = 0.0
    for scores, values in blocks(q, k, v, block):
        total = total + np.exp(scores).sum(axis=-1, keepdims=True)
        out = out + np.exp(scores) @ values
    return out / total


@drill.wrong(attention, "sums not rescaled", "old powers were made with another maximum: multiply by exp(old - new)")
def _(q, k, v, block):
    return online(blocks(q, k, v, block), sums=False, values=False)


@drill.wrong(attention, "values not rescaled", "the sum of powers times values has the old maximum in it, as the sum "
             "of powers has: multiply both by exp(old - new)")
def _(q, k, v, block):
    return online(blocks(q, k, v, block), values=False)


@drill.wrong(attention, "the sum of powers not rescaled", "it has the old maximum in it, as the sum of values has: "
             "multiply both by exp(old - new)")
def _(q, k, v, block):
    return online(blocks(q, k, v, block), sums=False)


@drill.wrong(attention, "rescaled the wrong way", "the new maximum is the larger one, and old powers shrink: exp(old "
             "- new)")
def _(q, k, v, block):
    return online(blocks(q, k, v, block), sign=-1.0)


@drill.wrong(attention, "the maximum of the block", "when a block's scores are far below, exp(old - new) overflows; "
             "the maximum is that of all keys so far")
def _(q, k, v, block):
    return online(blocks(q, k, v, block), grows=lambda old, new: new)


@drill.wrong(attention, "the maximum starts at 0", "where all scores are far below 0 all powers are 0, and 0 / 0 is "
             "NaN; start at -inf")
def _(q, k, v, block):
    return online(blocks(q, k, v, block), largest=np.zeros((len(q), 1), q.dtype))


@drill.wrong(attention, "a softmax for each block, averaged", "blocks have different weights: the sum of their "
             "powers; divide by the sum over all keys at the end")
def _(q, k, v, block):
    return np.mean([softmax(scores) @ values for scores, values in blocks(q, k, v, block)], axis=0)


@drill.wrong(attention, "a softmax for each block, added", "weights must sum to 1 over all keys: divide once, at the "
             "end")
def _(q, k, v, block):
    return sum(softmax(scores) @ values for scores, values in blocks(q, k, v, block))


@drill.wrong(attention, "divided in each block", "a quotient cannot be rescaled like a sum: keep both sums, and "
             "divide at the end")
def _(q, k, v, block):
    largest, total, out = -np.inf, 0.0, 0.0
    for scores, values in blocks(q, k, v, block):
        new = np.maximum(largest, scores.max(axis=-1, keepdims=True))
        powers, rescale = np.exp(scores - new), np.exp(largest - new)
        total = total * rescale + powers.sum(axis=-1, keepdims=True)
        out = (out * rescale + powers @ values) / total
        largest = new
    return out


@drill.wrong(attention, "never divided", "powers are no weights before they are divided by their sum")
def _(q, k, v, block):
    largest, out = -np.inf, 0.0
    for scores, values in blocks(q, k, v, block):
        new = np.maximum(largest, scores.max(axis=-1, keepdims=True))
        out = out * np.exp(largest - new) + np.exp(scores - new) @ values
        largest = new
    return out


@drill.wrong(attention, "the last keys left out", "Tk // block forgets the last, shorter block: range(0, Tk, block)")
def _(q, k, v, block):
    return online([*blocks(q, k, v, block)][: len(k) // block])


@drill.wrong(attention, "one maximum for all queries", "each query has a maximum of its own: axis=-1 with "
             "keepdims=True")
def _(q, k, v, block):
    return online(blocks(q, k, v, block), grows=lambda old, new: np.maximum(old, new.max(keepdims=True)))


@drill.wrong(attention, "scaling missing", "dot products grow with sqrt(D): divide the scores by it")
def _(q, k, v, block):
    return online(blocks(q * q.shape[-1] ** 0.5, k, v, block))


@drill.wrong(attention, "the whole score matrix", "q @ k.T is (Tq, Tk), and its memory is what is to be saved: "
             "multiply with a block of keys at a time")
def _(q, k, v, block):
    return softmax(q @ k.T / q.shape[-1] ** 0.5) @ v


@drill.wrong(attention, "the whole score matrix", "q @ k.T is (Tq, Tk), and its memory is what is to be saved: "
             "multiply with a block of keys at a time")
def _(q, k, v, block):
    scores = q @ k.T / q.shape[-1] ** 0.5
    return online((scores[:, i : i + block], v[i : i + block]) for i in range(0, len(k), block))


@drill.wrong(attention, "a Python loop over queries", "a block of keys is multiplied with all queries at once")
def _(q, k, v, block):
    return np.stack([online(blocks(row[None], k, v, block))[0] for row in q])


@drill.wrong(attention, "a Python loop over queries", "a block of keys is multiplied with all queries at once")
def _(q, k, v, block):
    return np.stack([softmax(row @ k.T / q.shape[-1] ** 0.5) @ v for row in q])
