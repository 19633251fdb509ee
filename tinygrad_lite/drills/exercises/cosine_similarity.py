"""Cosine similarities of two sets of vectors

cosine(queries, keys)   (B, D), (N, D) -> (B, N): the cosine of the angle between each query and each key

A vector of zeros has the similarity 0 with every other. All other vectors count however short they are: lengths may be
1e-20, where an eps would change the result. Nothing of size B * N * D is held in memory, and there are no Python loops.
float32 gives float32.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=6,
    hints=["The cosine is the product of two vectors divided by both lengths. Which product of matrices is (B, N)?",
           "Divide each row by its own length first: then queries @ keys.T has the cosines.",
           "np.linalg.norm(x, axis=1, keepdims=True) is (B, 1), the length of each row.",
           "Where a length is 0, divide by 1 instead: np.where(lengths == 0, 1, lengths)."],
    pitfalls=["A vector of zeros has the length 0, and 0 / 0 is NaN. An eps in the denominator makes short vectors "
              "wrong; np.where(lengths == 0, 1, lengths) does not.",
              "Normalize each vector on its own, and not the whole matrix.",
              "One product of matrices needs (B, N); a broadcast over (B, N, D) needs D times the memory."],
    forbidden=("scipy", "sklearn"),
)


@drill.reference(differentiable=True)
def cosine(queries, keys):
    """queries: (B, D), keys: (N, D) -> (B, N)"""
    q_lengths = np.sqrt(np.sum(queries ** 2, axis=1, keepdims=True))  # (B, 1), one for each row
    k_lengths = np.sqrt(np.sum(keys ** 2, axis=1, keepdims=True))  # (N, 1)
    q = queries / np.where(q_lengths == 0, 1.0, q_lengths)  # a row of zeros stays one; no eps that would be seen
    k = keys / np.where(k_lengths == 0, 1.0, k_lengths)
    return q @ k.T  # (B, D) @ (D, N): nothing of size (B, N, D)


rng = np.random.default_rng(0)
queries, keys = rng.standard_normal((3, 4)), 5 * rng.standard_normal((5, 4))

drill.case(cosine, np.array([[3.0, 4.0]]), np.array([[1.0, 0.0], [0.0, 2.0], [-6.0, -8.0]]),
           why="the product of the vectors divided by both lengths: 3/5, 4/5, and -1 for the opposite direction")
drill.case(cosine, queries, keys, why="one row a query and one column a key, each vector divided by its own length")
drill.case(cosine, np.eye(3)[:2] * 7, np.array([[1.0, 2.0, 3.0], [4.0, 4.0, 4.0], [2.0, 0.0, 0.0]]),
           why="lengths are along the axis of the features, the last, and not along the vectors")
drill.case(cosine, np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[2.0, 0.0], [0.0, 0.0], [0.0, -3.0]]), smooth=False,
           why="0 / 0 is NaN: a vector of zeros has the similarity 0; where its length is 0 divide by 1")
drill.case(cosine, queries * np.array([[1e-20], [1e-9], [1e-13]]), keys, smooth=False,
           why="an eps that is added to the lengths, or is their least value, shrinks the cosines of short vectors")
drill.case(cosine, queries.astype("float32"), keys.astype("float32"), why="float32 stays float32")
drill.case(cosine, rng.standard_normal((100, 64)), rng.standard_normal((200, 64)), memory=4_000_000, lines=50,
           why="all pairs at once: one product of matrices",
           slow="a Python loop over vectors; (B, D) @ (D, N) has all the products",
           large="(B, N, D) numbers at a time; (B, D) @ (D, N) needs (B, N) alone")


def normalized(x):
    lengths = np.sqrt((x ** 2).sum(axis=1, keepdims=True))
    return x / np.where(lengths == 0, 1.0, lengths)


@drill.wrong(cosine, "norm of the whole matrix", "np.linalg.norm without an axis is one number for all vectors; "
             "axis=1, keepdims=True gives each row its own")
def _(queries, keys):
    q, k = np.linalg.norm(queries), np.linalg.norm(keys)
    return queries / (q or 1.0) @ (keys / (k or 1.0)).T


@drill.wrong(cosine, "norm over the wrong axis", "axis 0 counts the vectors; their numbers are along axis 1")
def _(queries, keys):
    return normalized(queries.T).T @ normalized(keys.T)


@drill.wrong(cosine, "keepdims forgotten", "(B, D) / (B,) divides columns, where it broadcasts at all: keepdims=True "
             "makes it (B, 1)")
def _(queries, keys):
    q, k = np.linalg.norm(queries, axis=1), np.linalg.norm(keys, axis=1)
    return queries / np.where(q == 0, 1, q) @ (keys / np.where(k == 0, 1, k)).T


@drill.wrong(cosine, "zero vectors give NaN", "0 / 0 is NaN: where the length is 0 divide by 1 instead")
def _(queries, keys):
    q = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    k = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    return q @ k.T


@drill.wrong(cosine, "zero vectors give NaN", "0 / 0 is NaN: where the product of the lengths is 0 divide by 1 instead")
def _(queries, keys):
    return queries @ keys.T / np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(keys, axis=1))


@drill.wrong(cosine, "eps changes short vectors", "1e-8 is more than the length of a short vector: its cosines shrink. "
             "Divide by 1 where the length is 0, and by the length elsewhere")
def _(queries, keys):
    q = queries / (np.linalg.norm(queries, axis=1, keepdims=True) + 1e-8)
    k = keys / (np.linalg.norm(keys, axis=1, keepdims=True) + 1e-8)
    return q @ k.T


@drill.wrong(cosine, "eps changes short vectors", "with 1e-12 as the least length vectors that are shorter do not come "
             "to length 1. Divide by 1 where the length is 0, and by the length elsewhere")
def _(queries, keys):
    q = queries / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-12)
    k = keys / np.maximum(np.linalg.norm(keys, axis=1, keepdims=True), 1e-12)
    return q @ k.T


@drill.wrong(cosine, "eps changes short vectors", "the product of two lengths may be far below 1e-8. Divide by 1 where "
             "it is 0, and by the product elsewhere")
def _(queries, keys):
    q, k = np.linalg.norm(queries, axis=1, keepdims=True), np.linalg.norm(keys, axis=1)
    return queries @ keys.T / (q * k + 1e-8)


@drill.wrong(cosine, "eps changes short vectors", "the product of two lengths may be far below 1e-8. Divide by 1 where "
             "it is 0, and by the product elsewhere")
def _(queries, keys):
    q, k = np.linalg.norm(queries, axis=1, keepdims=True), np.linalg.norm(keys, axis=1)
    return queries @ keys.T / np.maximum(q * k, 1e-8)


@drill.wrong(cosine, "eps changes short vectors", "1e-12 under the root is more than the square of a short length. "
             "Divide by 1 where the length is 0, and by the length elsewhere")
def _(queries, keys):
    q = queries / np.sqrt((queries ** 2).sum(axis=1, keepdims=True) + 1e-12)
    k = keys / np.sqrt((keys ** 2).sum(axis=1, keepdims=True) + 1e-12)
    return q @ k.T


@drill.wrong(cosine, "(B, N, D) held in memory", "a product of matrices sums over D without holding (B, N, D)")
def _(queries, keys):
    return (normalized(queries)[:, None] * normalized(keys)).sum(axis=2)


@drill.wrong(cosine, "a Python loop over vectors", "(B, D) @ (D, N) has all the products at once")
def _(queries, keys):
    q, k = normalized(queries), normalized(keys)
    out = np.zeros((len(q), len(k)), q.dtype)
    for i in range(len(q)):
        for j in range(len(k)):
            out[i, j] = q[i] @ k[j]
    return out


@drill.wrong(cosine, "a Python loop over vectors", "(B, D) @ (D, N) has all the products at once")
def _(queries, keys):
    rows = []
    for query in normalized(queries):
        rows.append(normalized(keys) @ query)
    return np.stack(rows)


@drill.wrong(cosine, "not normalized", "the product grows with the lengths: divide it by both of them")
def _(queries, keys):
    return queries @ keys.T


@drill.wrong(cosine, "one side normalized", "both the queries and the keys are divided by their lengths")
def _(queries, keys):
    return normalized(queries) @ keys.T


@drill.wrong(cosine, "one side normalized", "both the queries and the keys are divided by their lengths")
def _(queries, keys):
    return queries @ normalized(keys).T


@drill.wrong(cosine, "divided by the squared length", "the length is the root of the sum of the squares")
def _(queries, keys):
    q, k = (queries ** 2).sum(axis=1, keepdims=True), (keys ** 2).sum(axis=1, keepdims=True)
    return queries / np.where(q == 0, 1.0, q) @ (keys / np.where(k == 0, 1.0, k)).T


@drill.wrong(cosine, "divided by the sum", "the length is the root of the sum of the squares")
def _(queries, keys):
    q, k = np.abs(queries).sum(axis=1, keepdims=True), np.abs(keys).sum(axis=1, keepdims=True)
    return queries / np.where(q == 0, 1.0, q) @ (keys / np.where(k == 0, 1.0, k)).T


@drill.wrong(cosine, "keys by queries", "one row a query and one column a key: queries @ keys.T is (B, N)")
def _(queries, keys):
    return normalized(keys) @ normalized(queries).T


@drill.wrong(cosine, "the cosine distance", "the similarity is the cosine itself; 1 minus it is the distance")
def _(queries, keys):
    return 1 - normalized(queries) @ normalized(keys).T
