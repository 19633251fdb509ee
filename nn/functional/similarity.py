"""Cosine similarity of every query with every key, and the best keys of each."""

import numpy as np

from tinygrad_lite.engine.values import unbox
from tinygrad_lite.ops import matmul, square, sum, where

BLOCK = 1 << 22  # similarities held at a time by cosine_top_k


def _unit_rows(x, eps):
    """Rows divided by their length; of a row shorter than eps nothing is left, not even its gradient."""
    squares = sum(square(x), -1, True)
    short = unbox(squares) <= eps * eps
    return where(short, x * 0.0, x / where(short, 1.0, squares) ** 0.5)


def _sparse_unit_rows(x, eps):
    lengths = np.sqrt(np.asarray(x.multiply(x).sum(1))).ravel()
    return x.multiply(np.where(lengths <= eps, 0.0, 1 / np.maximum(lengths, eps))[:, None]).tocsr()


def _units(Q, K, eps):
    for name, x in (("Q", Q), ("K", K)):
        if x.ndim != 2:
            raise ValueError(f"cosine_sim_matrix: {name} is of 2 dimensions (rows, features), not of shape {x.shape}")
    if Q.shape[1] != K.shape[1]:
        raise ValueError(f"cosine_sim_matrix: Q of shape {Q.shape} and K of shape {K.shape} differ in features")
    return [_sparse_unit_rows(x, eps) if hasattr(x, "tocsr") else _unit_rows(x, eps) for x in (Q, K)]


def _products(q, k):
    """Dense (B, N); a sparse factor stays sparse."""
    if hasattr(q, "tocsr") and hasattr(k, "tocsr"):
        return (q @ k.T).toarray()
    if hasattr(k, "tocsr"):
        return (k @ unbox(q).T).T
    return q @ unbox(k).T if hasattr(q, "tocsr") else matmul(q, k.mT)


def cosine_sim_matrix(Q, K, eps=1e-8):
    """Cosine similarities of Q (B, D) with K (N, D): (B, N); 0 for rows no longer than eps.

    scipy.sparse matrices are taken as they are, without gradients and without making them dense.
    """
    return _products(*_units(Q, K, eps))


def cosine_top_k(Q, K, k, eps=1e-8):
    """The k keys most similar to each query, best first, ties by position: similarities (B, k), indices (B, k).

    Never more than 4 million similarities are held at a time.
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
