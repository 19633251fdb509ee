"""Cosine similarity of every query with every key, and the best keys of each."""

import numpy as np

from tinygrad_lite.engine.values import unbox
from tinygrad_lite.ops import amax, matmul, square, sum, where

from .activation import bounded

BLOCK = 1 << 22  # similarities held at a time by cosine_top_k


def _unit_rows(x, eps):
    """Rows divided by their length + eps; of a row of zeros nothing is left, not even its gradient."""
    largest = amax(abs(unbox(x)), -1, True) if x.shape[-1] else np.zeros((x.shape[0], 1))
    zero = largest == 0
    unit = where(zero, 1.0, largest)
    u = x / unit  # no square of it leaves the range
    squares = where(zero, 1.0, sum(square(u), -1, True))
    return where(zero, x * 0.0, u / (squares**0.5 + eps / unit))


def _sparse_unit_rows(x, eps):
    largest = abs(x).max(1).toarray().reshape(-1, 1)  # of scipy's arrays it would be (B,)
    unit = np.where(largest == 0, 1.0, largest)
    u = x.multiply(1 / unit)
    return u.multiply(1 / (np.sqrt(np.asarray(u.multiply(u).sum(1)).reshape(-1, 1)) + eps / unit)).tocsr()


def _units(Q, K, eps):
    Q, K = (x if hasattr(x, "ndim") else np.asarray(x) for x in (Q, K))
    for name, x in (("Q", Q), ("K", K)):
        if x.ndim != 2:
            raise ValueError(f"cosine_sim_matrix: {name} is of 2 dimensions (rows, features), not of shape {x.shape}")
    if Q.shape[1] != K.shape[1]:
        raise ValueError(f"cosine_sim_matrix: Q of shape {Q.shape} and K of shape {K.shape} differ in features")
    return [_sparse_unit_rows(x, eps) if hasattr(x, "tocsr") else _unit_rows(x, eps) for x in (Q, K)]


def _products(q, k):
    """Dense (B, N), within [-1, 1]; a sparse factor stays sparse."""
    return bounded(_dense_products(q, k))


def _dense_products(q, k):
    if hasattr(q, "tocsr") and hasattr(k, "tocsr"):
        return (q @ k.T).toarray()
    if hasattr(k, "tocsr"):
        return (k @ unbox(q).T).T
    return q @ unbox(k).T if hasattr(q, "tocsr") else matmul(q, k.mT)


def cosine_sim_matrix(Q, K, eps=1e-8):
    """The cosine of the angle between each row of Q and each row of K: 1 for the same direction, -1 for opposite ones.

    Q (B, D) and K (N, D) give (B, N). Rows are divided by their length + eps, and those of zeros give 0. scipy.sparse
    matrices are taken as they are, without gradients and without making them dense. Other shapes are a ValueError.

    >>> Q, K = tl.tensor([[2.0, 0.0]]), tl.tensor([[5.0, 0.0], [0.0, 1.0], [-3.0, -4.0]])
    >>> F.cosine_sim_matrix(Q, K)
    tensor([[ 1. ,  0. , -0.6]])
    """
    return _products(*_units(Q, K, eps))


def cosine_top_k(Q, K, k, eps=1e-8):
    """The k keys most similar to each query, best first: arrays (B, k) of the cosines and of the rows' numbers.

    Q (B, D) and K (N, D) as in `cosine_sim_matrix`, without gradients; of equals the first comes first. Never more than
    4 million similarities are held at a time. A k outside [1, N] is a ValueError.

    >>> Q, K = tl.tensor([[2.0, 0.0]]), tl.tensor([[0.0, 1.0], [3.0, 4.0], [5.0, 0.0]])
    >>> cosines, rows = F.cosine_top_k(Q, K, k=2)
    >>> rows, cosines.round(2)
    (array([[2, 1]]), array([[1. , 0.6]], dtype=float32))
    """
    q, keys = _units(unbox(Q), unbox(K), eps)
    n = keys.shape[0]
    if not 1 <= k <= n:
        raise ValueError(f"cosine_top_k: k = {k} is not in [1, {n}], the number of keys")
    rows = max(1, min(q.shape[0], BLOCK // max(min(n, BLOCK), 1)))
    step = max(k, min(n, BLOCK // rows))
    found = [_best(q[start : start + rows], keys, k, step) for start in range(0, q.shape[0], rows)]
    if not found:
        return np.empty((0, k)), np.empty((0, k), np.int64)
    values, indices = zip(*found)
    return np.concatenate(values), np.concatenate(indices)


def _best(q, keys, k, step):
    values, indices = np.empty((q.shape[0], 0)), np.empty((q.shape[0], 0), np.int64)
    for start in range(0, keys.shape[0], step):
        now = np.asarray(_products(q, keys[start : start + step]))
        values = np.concatenate([values.astype(now.dtype), now], 1)
        indices = np.concatenate([indices, np.broadcast_to(np.arange(start, start + now.shape[1]), now.shape)], 1)
        order = np.argsort(-values, 1, kind="stable")[:, :k]
        values, indices = np.take_along_axis(values, order, 1), np.take_along_axis(indices, order, 1)
    return values, indices
