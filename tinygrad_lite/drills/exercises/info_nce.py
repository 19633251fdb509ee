"""InfoNCE: the contrastive loss of CLIP and SimCLR

info_nce(queries, keys, temperature=0.1)    (N, D), (N, D) -> the loss in the direction from queries to keys, a number
clip_loss(images, texts, temperature=0.1)   (N, D), (N, D) -> the mean of the losses in both directions, a number

Query i belongs to key i, its positive; the other keys of the batch are its negatives. All rows are first divided by
their Euclidean length (no row is 0, and nothing is added to the length), so that the similarity of a query and a key is
their cosine; it is divided by the temperature. For each query the loss is the cross-entropy of choosing its positive
among all N keys, the positive included, and the loss of the batch is the mean over queries. The temperature may be as
small as 0.001. No loops.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=8,
    hints=["It is a classification with N classes: which key belongs to this query? The label of query i is i.",
           "queries @ keys.T, both with rows of length 1, is all (N, N) cosines: divide them by the temperature.",
           "A query is a row of the logits: the log-sum-exp goes over axis=1, the keys.",
           "The loss of query i is logsumexp(logits[i]) - logits[i, i], and np.diagonal has all the positives.",
           "The other direction is the same loss with the arguments exchanged: info_nce(texts, images)."],
    pitfalls=["A cosine of 1 over a temperature of 0.001 is 1000: exp overflows. Subtract each row's maximum first.",
              "Without normalized rows a query can lower the loss by growing longer; it learns no direction then.",
              "The batch holds the negatives: more rows make it harder, and the loss of a guess is log(N)."],
)


@drill.reference(differentiable=True)
def info_nce(queries, keys, temperature=0.1):
    """queries: (N, D), keys: (N, D), key i is the positive of query i -> the mean loss of the queries, a number"""
    queries = queries / np.sqrt(np.sum(queries ** 2, axis=1, keepdims=True))  # rows of length 1: only directions count
    keys = keys / np.sqrt(np.sum(keys ** 2, axis=1, keepdims=True))
    logits = queries @ keys.T / temperature  # (N, N), a row a query
    logits = logits - np.max(logits, axis=1, keepdims=True)  # the same loss, and exp cannot overflow
    log_sums = np.log(np.sum(np.exp(logits), axis=1))  # (N,), over all keys, the positive among them
    return np.mean(log_sums - np.diagonal(logits))  # -log softmax at the positive


@drill.reference(differentiable=True)
def clip_loss(images, texts, temperature=0.1):
    """images: (N, D), texts: (N, D), text i belongs to image i -> the mean of both directions, a number"""
    return (info_nce(images, texts, temperature) + info_nce(texts, images, temperature)) / 2


rng = np.random.default_rng(0)
queries, keys = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
square = rng.standard_normal((2, 3, 3))

drill.case(info_nce, np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]]), 1.0,
           why="each query has the logits 1 for its positive and 0 for the other key: log(e + 1) - 1 = 0.3133")
drill.case(info_nce, np.array([[3.0, 0.0], [0.0, 5.0]]), np.array([[0.6, 0.8], [0.0, 2.0]]), 0.5,
           why="only directions count: divide each row by its length")
drill.case(info_nce, np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]]), 0.5,
           why="a query is compared with all keys: the sum goes over the keys, axis 1")
drill.case(info_nce, queries, keys, why="divide the cosines by the temperature, and take the mean over queries")
drill.case(info_nce, square[0], square[1], 0.3, why="a row is an example and a column a feature, where N = D too")
drill.case(info_nce, queries[:1], keys[:1],
           why="with one pair the only key is the positive, which is in the sum too: the loss is log(1) = 0")
drill.case(info_nce, queries, queries, 0.001,
           why="a cosine of 1 over 0.001 is 1000, and exp overflows: subtract each row's maximum first")
drill.case(info_nce, queries, -queries, 0.001,
           why="the probability of the positive underflows to 0: subtract its logit from the log-sum-exp")
drill.case(info_nce, np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [0.0, -1.0]]), 0.001,
           why="the second row's logits are far below those of the first: each row has a maximum of its own")
drill.case(clip_loss, np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]]), 0.5,
           why="the rows are images that choose a text, and the columns texts that choose an image: the mean of both")
drill.case(clip_loss, queries, keys, 0.2, why="the mean of the losses in both directions, with the same temperature")


@drill.wrong(info_nce, "not normalized", "long rows have large products, whatever their direction; divide each row by "
             "its length")
def _(queries, keys, temperature=0.1):
    logits = queries @ keys.T / temperature
    logits = logits - logits.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diagonal(logits))


@drill.wrong(info_nce, "one maximum for all rows", "the powers of a row far below it are all 0: subtract each row's "
             "own maximum, axis=1 with keepdims=True")
def _(queries, keys, temperature=0.1):
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    keys = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    logits = queries @ keys.T / temperature
    logits = logits - logits.max()
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diagonal(logits))


@drill.wrong(info_nce, "only the queries are normalized", "a long key attracts all queries; divide the keys by their "
             "lengths too")
def _(queries, keys, temperature=0.1):
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    logits = queries @ keys.T / temperature
    logits = logits - logits.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diagonal(logits))


@drill.wrong(info_nce, "normalized over the wrong axis", "here the columns have length 1; a vector is a row: axis=1")
def _(queries, keys, temperature=0.1):
    queries = queries / np.linalg.norm(queries, axis=0, keepdims=True)
    keys = keys / np.linalg.norm(keys, axis=0, keepdims=True)
    logits = queries @ keys.T / temperature
    logits = logits - logits.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diagonal(logits))


@drill.wrong(info_nce, "normalized over the wrong axis", "np.linalg.norm(x) is the length of the whole matrix; a "
             "vector is a row: axis=1, keepdims=True")
def _(queries, keys, temperature=0.1):
    logits = (queries / np.linalg.norm(queries)) @ (keys / np.linalg.norm(keys)).T / temperature
    logits = logits - logits.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diagonal(logits))


@drill.wrong(info_nce, "multiplied by the temperature", "a small temperature makes the softmax sharp: divide by it")
def _(queries, keys, temperature=0.1):
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    keys = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    logits = queries @ keys.T * temperature
    logits = logits - logits.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diagonal(logits))


@drill.wrong(info_nce, "the temperature forgotten", "cosines are at most 1, which is too little for a sharp softmax: "
             "divide them by the temperature")
def _(queries, keys, temperature=0.1):
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    logits = queries @ (keys / np.linalg.norm(keys, axis=1, keepdims=True)).T
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diagonal(logits))


@drill.wrong(info_nce, "softmax over the wrong axis", "summed over queries it is the loss of the other direction, of "
             "keys that choose a query; the keys are axis 1")
def _(queries, keys, temperature=0.1):
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    keys = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    logits = queries @ keys.T / temperature
    logits = logits - logits.max(axis=0, keepdims=True)
    return np.mean(np.log(np.exp(logits).sum(axis=0)) - np.diagonal(logits))


@drill.wrong(info_nce, "the positive left out of the sum", "a softmax divides by the sum over all keys, and without "
             "the positive it is no probability: the loss could be negative")
def _(queries, keys, temperature=0.1):
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    keys = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    logits = queries @ keys.T / temperature
    logits = logits - logits.max(axis=1, keepdims=True)
    powers = np.exp(logits) * (1 - np.eye(len(logits)))
    return np.mean(np.log(powers.sum(axis=1)) - np.diagonal(logits))


@drill.wrong(info_nce, "no maximum subtracted", "exp(1 / 0.001) overflows; subtract each row's maximum first")
def _(queries, keys, temperature=0.1):
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    keys = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    logits = queries @ keys.T / temperature
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diagonal(logits))


@drill.wrong(info_nce, "no maximum subtracted", "exp(1 / 0.001) overflows; subtract each row's maximum first, and take "
             "no logarithm of a probability")
def _(queries, keys, temperature=0.1):
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    keys = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    powers = np.exp(queries @ keys.T / temperature)
    return -np.mean(np.log(np.diagonal(powers) / powers.sum(axis=1)))


@drill.wrong(info_nce, "the logarithm of the softmax", "a probability that underflows to 0 has the logarithm -inf; "
             "subtract the positive's logit from the log-sum-exp")
def _(queries, keys, temperature=0.1):
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    keys = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    logits = queries @ keys.T / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return -np.mean(np.log(np.diagonal(powers) / powers.sum(axis=1)))


@drill.wrong(info_nce, "the sum over queries", "a sum grows with the batch; the loss is the mean over queries")
def _(queries, keys, temperature=0.1):
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    keys = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    logits = queries @ keys.T / temperature
    logits = logits - logits.max(axis=1, keepdims=True)
    return np.sum(np.log(np.exp(logits).sum(axis=1)) - np.diagonal(logits))


@drill.wrong(clip_loss, "one direction only", "texts choose among images as well: add info_nce(texts, images)")
def _(images, texts, temperature=0.1):
    return info_nce(images, texts, temperature)


@drill.wrong(clip_loss, "the sum of both directions", "the loss is the mean of both: divide by 2")
def _(images, texts, temperature=0.1):
    return info_nce(images, texts, temperature) + info_nce(texts, images, temperature)
