"""Attention (Vaswani et al., 2017), whole or in blocks, and with several heads."""

import math

import numpy as np

from tinygrad_lite.engine.dtypes import in_one_dtype
from tinygrad_lite.engine.mode import mode
from tinygrad_lite.engine.refusals import whole
from tinygrad_lite.engine.tape import broadcast_to, by_hand, cast
from tinygrad_lite.engine.values import as_array, holds, unbox
from tinygrad_lite.ops import (
    amax,
    cat,
    clone,
    exp,
    fmin,
    log,
    matmul,
    maximum,
    permute,
    repeat_interleave,
    reshape,
    sum,
    where,
)

from .dropouts import check_probability, dropout_factor
from .layer import linear

BLOCK = 512  # queries and keys a block of the memory-lean path
LARGE = 1 << 22  # scores a head from which on it is taken


def all_finite(x):
    """Whether x holds neither NaN nor infinity: first by its sum, which needs no array of bools."""
    return holds(np.isfinite(unbox(x).sum())) or holds(np.isfinite(unbox(x)))


def weighted_sum(weights, seen, x):
    """weights @ x, where a NaN or infinity in x reaches only the rows that see it."""
    if seen is None or all_finite(x):
        return weights @ x
    return sum(where(seen[..., None], weights[..., None] * x[..., None, :, :], 0.0), -2)


def seen_of(mask, shape):
    """Which scores a mask lets through, or None for all."""
    if mask is None:
        return None
    return np.broadcast_to(unbox(mask) if mask.dtype == bool else unbox(mask) > -math.inf, shape)


def scores(q, k, mask, scale):
    """q @ k.T * scale, -inf where the mask hides; and which ones are seen (None: all)."""
    s = q * scale @ k.mT  # (…, L, S)
    if mask is None:
        return s, None
    seen = seen_of(mask, s.shape)
    if mask.dtype != bool:
        return s + mask, seen
    return fmin(s, np.where(unbox(mask), s.dtype.type(math.inf), s.dtype.type(-math.inf))), seen  # faster than where


def narrowed(mask, seen):
    """The mask, and of what it lets through only what is seen."""
    if mask is None:
        return seen
    return mask & seen if mask.dtype == bool else where(seen, mask, -math.inf)


def fitting_mask(mask, shape, dtype):
    """The mask, in two dimensions or more, as bools or numbers of the scores' dtype; refused where it does not fit."""
    if mask.dtype.kind not in "bf":
        raise RuntimeError("scaled_dot_product_attention: attn_mask holds bools (True: may look) or floats to add to "
                           f"the scores, not {mask.dtype}; for 0 and 1 say attn_mask != 0")
    if mask.ndim > len(shape) or any(n not in (1, of) for n, of in zip(mask.shape[::-1], shape[::-1])):
        raise RuntimeError(f"scaled_dot_product_attention: attn_mask of shape {mask.shape} does not broadcast to the "
                           f"scores' shape {shape}")
    if mask.ndim < 2:
        mask = reshape(mask, 1, -1)
    return mask if mask.dtype in (bool, dtype) or dtype.kind != "f" else cast(mask, dtype)


def some_row_is_empty(mask):
    """Whether a query may look nowhere."""
    return mask is not None and not holds(seen_of(mask, mask.shape).any(-1))


def finite(x):
    """x with 0 for -inf: what an empty row is measured from."""
    return where(unbox(x) > -math.inf, x, 0.0)


def score_gradient(P, g, v, dropped, seen, delta):
    """d loss / d scores of weights P, with delta = sum(g * out) a row."""
    dp = g if v is None else g @ v.mT
    dp = dp if dropped is None else dp * dropped
    ds = P * (dp - delta)
    return ds if seen is None or all_finite(dp) and all_finite(delta) else where(seen, ds, 0.0)


# ---------------------------------------------------------------- whole
def _attention_rule(g, out, q, k, v, mask, dropped, scale, P):
    seen = seen_of(mask, P.shape)
    w = P if dropped is None else P * dropped
    ds = score_gradient(P, g, v, dropped, seen, sum(g * out, -1, True))
    added = None if mask is None or mask.dtype == bool else ds
    return (lambda: weighted_sum(ds, seen, k) * scale, lambda: ds.mT @ q * scale, lambda: w.mT @ g, added, None, None)


@by_hand(joint=_attention_rule, name="scaled_dot_product_attention")
def _attention(q, k, v, mask, dropped, scale):
    """softmax(q @ k.T * scale + mask) @ v; a row that may look nowhere is 0. Without v the weights themselves."""
    s, seen = scores(q, k, mask, scale)
    top = amax(s, -1, True)
    if not some_row_is_empty(mask):
        e = exp(s - top)
        P = e / sum(e, -1, True)
    else:
        e = exp(s - finite(top))
        total = sum(e, -1, True)
        P = e / where(total == 0, 1.0, total)
    w = P if dropped is None else P * dropped
    return clone(w) if v is None else weighted_sum(w, seen, v), P


# ---------------------------------------------------------------- in blocks
def blocks(n):
    """The slices that n queries or keys fall into; one where who traces reads the steps as text."""
    if mode.as_text:
        return [slice(0, n)]
    return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]


def block_mask(mask, causal, rows, columns):
    """The mask of a block; None where all of it is visible, False where nothing is."""
    if causal and columns.start >= rows.stop:
        return False
    if mask is not None:
        at = [slice(None) if n == 1 else part for n, part in zip(mask.shape[-2:], (rows, columns))]
        mask = mask[(..., *at)]
    if not causal or columns.stop <= rows.start + 1:
        return mask
    return narrowed(mask, np.arange(rows.start, rows.stop)[:, None] >= np.arange(columns.start, columns.stop))


def _lean_rule(g, out, q, k, v, mask, causal, scale, level):
    """The weights of a block again, from the scores and the log-sum-exp of each row (Dao et al., 2022)."""
    delta = sum(g * out, -1, True)  # (…, L, 1)
    dq, dk, dv = [], {}, {}
    for rows in blocks(q.shape[-2]):
        of = (..., rows, slice(None))
        mine = None
        for j, columns in enumerate(blocks(k.shape[-2])):
            part = block_mask(mask, causal, rows, columns)
            if part is False:
                continue
            at = (..., columns, slice(None))
            s, seen = scores(q[of], k[at], part, scale)
            p = exp(s - level[of])
            ds = score_gradient(p, g[of], v[at], None, seen, delta[of])
            here = weighted_sum(ds, seen, k[at]) * scale
            mine = here if mine is None else mine + here
            for total, d in ((dk, ds.mT @ q[of] * scale), (dv, p.mT @ g[of])):
                total[j] = total[j] + d if j in total else d
        dq.append(mine)
    for j, columns in enumerate(blocks(k.shape[-2])):
        for total in (dk, dv):  # of keys that nobody may see
            shape = (*total[0].shape[:-2], columns.stop - columns.start, total[0].shape[-1])
            total.setdefault(j, np.zeros(shape, total[0].dtype))
    count = len(dk)
    return (cat(dq, -2), *(cat([total[j] for j in range(count)], -2) for total in (dk, dv)), None, None, None)


@by_hand(joint=_lean_rule, name="scaled_dot_product_attention")
def _lean_attention(q, k, v, mask, causal, scale):
    """`_attention` without ever holding all scores: block by block with a running maximum and sum."""
    outs, levels = [], []
    for rows in blocks(q.shape[-2]):
        of = (..., rows, slice(None))
        top = total = out = None
        for columns in blocks(k.shape[-2]):
            part = block_mask(mask, causal, rows, columns)
            if part is False:
                continue
            at = (..., columns, slice(None))
            s, seen = scores(q[of], k[at], part, scale)
            now = amax(s, -1, True)
            new = now if top is None else maximum(top, now)
            e = exp(s - finite(new))
            here, mine = sum(e, -1, True), weighted_sum(e, seen, v[at])
            if top is None:
                total, out = here, mine
            else:
                shrink = exp(top - finite(new))
                total, out = total * shrink + here, out * shrink + mine
            top = new
        outs.append(out / where(total == 0, 1.0, total))
        levels.append(finite(top) + log(where(total == 0, 1.0, total)))
    return cat(outs, -2), cat(levels, -2)


def _for_every_head(query, x):
    """Keys or values (…, G, S, D) as (…, H, S, D), each head H / G times, for queries of H heads."""
    if min(query.ndim, x.ndim) < 3 or not x.shape[-3] or query.shape[-3] % x.shape[-3]:
        raise RuntimeError(f"scaled_dot_product_attention: with enable_gqa the heads of key and value (dimension -3) "
                           f"divide those of the query, not of shapes {query.shape} and {x.shape}")
    return repeat_interleave(x, query.shape[-3] // x.shape[-3], -3)


def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None,
                                 enable_gqa=False):
    """softmax(query @ key.T * scale) @ value: for each query a mean of the values, weighted by how well their keys fit.

    query (…, L, D), key (…, S, D), value (…, S, E) give (…, L, E) (Vaswani et al., 2017); without a value (None) the
    weights (…, L, S) are given. scale is 1 / sqrt(D) unless given. attn_mask broadcasts to (…, L, S): bools
    (True: may look) or floats to add to the scores. is_causal: query i looks at the keys up to i; given both, where
    both let it. A row that may look nowhere gives 0 and gradients of 0; what is masked out reaches neither the output
    nor a gradient, not even as NaN. dropout_p of the weights are left out at random. enable_gqa: key and value have
    fewer heads (dimension -3), each for several of the query's (Ainslie et al., 2023). From 2,048 x 2,048 scores on,
    they are formed block by block and never held whole (Dao et al., 2022). Shapes that do not fit are a RuntimeError.

    >>> query, key = tl.zeros(3, 2), tl.zeros(3, 2)  # all keys fit alike
    >>> value = tl.tensor([[1.0], [2.0], [6.0]])
    >>> F.scaled_dot_product_attention(query, key, value, is_causal=True).flatten()
    tensor([1. , 1.5, 3. ])
    """
    if enable_gqa:
        key, value = (t if t is None else _for_every_head(query, t) for t in (key, value))
    if query.shape[-1] != key.shape[-1] or value is not None and key.shape[-2] != value.shape[-2]:
        shape = None if value is None else value.shape
        raise RuntimeError(f"scaled_dot_product_attention: shapes {query.shape}, {key.shape} and {shape} of "
                           "query, key and value do not fit")
    check_probability("scaled_dot_product_attention", dropout_p)
    query, key, value = in_one_dtype((query, key, value), (True, True, True))
    rows, columns = query.shape[-2], key.shape[-2]
    batch = np.broadcast_shapes(query.shape[:-2], key.shape[:-2])
    if attn_mask is not None:
        attn_mask = fitting_mask(attn_mask, (*batch, rows, columns), query.dtype)
    if 0 in (*batch, rows, columns):  # nobody who looks, or nothing to look at
        return matmul(query, key.mT) if value is None else matmul(matmul(query, key.mT), value)
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    learned = getattr(attn_mask, "requires_grad", False)
    if rows * columns >= LARGE and not (dropout_p or learned or mode.as_text or value is None):
        mask = None if attn_mask is None else unbox(attn_mask)
        return _lean_attention(query, key, value, mask, is_causal, scale)
    if is_causal:
        attn_mask = narrowed(attn_mask, np.tri(rows, columns, dtype=bool))
    dropped = dropout_factor((*batch, rows, columns), dropout_p, query.dtype) if dropout_p else None
    return _attention(query, key, value, attn_mask, dropped, scale)


def causal_mask(L):
    """An array (L, L) of bools that lets each position look at itself and at what comes before.

    >>> F.causal_mask(3)
    array([[ True, False, False],
           [ True,  True, False],
           [ True,  True,  True]])
    """
    return np.tri(whole("causal_mask: L is a whole number", L, 0), dtype=bool)


def zero_one_mask(name, mask):
    """A mask of bools or of 0 and 1 as bools; numbers to be added are refused."""
    mask = as_array(mask)
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        raise ValueError(f"{name}: the mask holds bools or 0 and 1 (1: visible); numbers to add to scores go to "
                         "scaled_dot_product_attention")
    return mask.astype(bool)


def attention(Q, K, V, mask=None):
    """`scaled_dot_product_attention` with a mask that may also hold 0 and 1: True or 1 where a query may look.

    Q (…, L, D), K (…, S, D), V (…, S, E) give (…, L, E). The mask is (L, S), or of as many dimensions as Q; beside
    heads, Q (B, H, L, D), it may be (B, L, S) as `nn.batching.combined_mask` gives it, the same in every head (one for
    each head is mask[None]). Other numbers in it are a ValueError.

    >>> Q, K = tl.zeros(2, 4), tl.zeros(3, 4)
    >>> V = tl.tensor([[1.0], [2.0], [6.0]])
    >>> F.attention(Q, K, V, mask=tl.tensor([[1, 1, 0], [0, 0, 1]]))
    tensor([[1.5],
            [6. ]])
    """
    mask = None if mask is None else zero_one_mask("attention", mask)
    if mask is not None and mask.ndim == 3 and Q.ndim == 4:
        batch = np.broadcast_shapes(Q.shape[:1], K.shape[:1])[0]
        if len(mask) not in (1, batch):
            raise ValueError(f"attention: beside heads a mask of three dimensions is (B, L, S) with B={batch}, not of "
                             f"shape {mask.shape}; for one mask a head say mask[None]")
        mask = mask[:, None]
    return scaled_dot_product_attention(Q, K, V, mask)


def _split_heads(x, n_heads):
    """(B, L, D) -> (B, H, L, D / H)"""
    n_heads = whole("multi_head_attention: n_heads is a whole number", n_heads, -math.inf)
    if n_heads < 1 or x.shape[-1] % n_heads:
        raise ValueError(f"multi_head_attention: {x.shape[-1]} features do not fall into {n_heads} heads")
    return permute(reshape(x, *x.shape[:2], n_heads, x.shape[-1] // n_heads), 0, 2, 1, 3)


def _join_heads(x):
    """(B, H, L, D / H) -> (B, L, D)"""
    b, h, length, d = x.shape
    return reshape(permute(x, 0, 2, 1, 3), b, length, h * d)


def multi_head_attention(x, W_q, W_k, W_v, W_o, n_heads, mask=None):
    """Self-attention with several heads (Vaswani et al., 2017): each works with D / n_heads features of its own.

    x (B, L, D) gives (B, L, D): the heads of x @ W_q, x @ W_k and x @ W_v, side by side, times W_o. The weights (D, D)
    multiply from the right, unlike those of `nn.Linear`. It is causal unless a mask says where to look (True or 1):
    (L, L), or (B, L, L) as `nn.batching.combined_mask` gives it, or (B or 1, H or 1, L or 1, L); a mask of ones looks
    everywhere. A D that does not fall into n_heads is a ValueError.

    >>> x, W = tl.randn(2, 5, 8), tl.eye(8)
    >>> out = F.multi_head_attention(x, W, W, W, W, n_heads=4)
    >>> out.shape
    (2, 5, 8)
    >>> tl.allclose(out[:, 0], x[:, 0])  # the first position sees itself alone
    True
    """
    if x.ndim != 3:
        raise ValueError(f"multi_head_attention: x is (B, L, D), not of shape {x.shape}")
    q, k, v = (_split_heads(matmul(x, w), n_heads) for w in (W_q, W_k, W_v))  # (B, H, L, D / H)
    if mask is not None:
        mask = zero_one_mask("multi_head_attention", mask)
        length = x.shape[1]
        if mask.ndim < 4 and mask.shape not in ((length, length), (x.shape[0], length, length)):
            raise ValueError(f"multi_head_attention: for x of shape {x.shape} the mask is (L, L) or (B, L, L), not "
                             f"{mask.shape}; combined_mask makes one of a padding mask (B, L)")
        mask = mask[:, None] if mask.ndim == 3 else mask  # the same in every head
    return matmul(_join_heads(scaled_dot_product_attention(q, k, v, mask, is_causal=mask is None)), W_o)


def multi_head_attention_forward(query, key, value, in_weights, in_biases, out_weight, out_bias, n_heads, mask=None,
                                 dropout_p=0.0, need_weights=False, bias_k=None, bias_v=None, add_zero_attn=False):
    """What `nn.MultiheadAttention` computes, batch first: the output (B, L, D) and the weights (B, H, L, S) or None.

    query (B, L, features), key and value (B, S, features) go through three weights (D, features) and biases (D,) or
    None, as in `linear`, then through attention in n_heads heads, then through out_weight (D, D). mask and dropout_p
    are those of `scaled_dot_product_attention`. bias_k and bias_v (1, 1, D) are one more key and value that all may
    see, and with add_zero_attn zeros are another.

    >>> x, w = tl.randn(2, 5, 8), tl.eye(8)
    >>> out, weights = F.multi_head_attention_forward(
    ...     x, x, x, (w, w, w), (None, None, None), w, None, n_heads=4, need_weights=True)
    >>> out.shape, weights.shape
    ((2, 5, 8), (2, 4, 5, 5))
    """
    q, k, v = (linear(t, w, b) for t, w, b in zip((query, key, value), in_weights, in_biases))
    more = [] if bias_k is None else [(bias_k, bias_v)]
    if add_zero_attn:
        more.append((np.zeros((1, 1, k.shape[2]), k.dtype),) * 2)
    if more:
        one_each = (k.shape[0], 1, k.shape[2])
        k, v = (cat([t, *(broadcast_to(pair[i], one_each) for pair in more)], 1) for i, t in enumerate((k, v)))
        mask = None if mask is None else cat([mask, np.full((*mask.shape[:-1], len(more)), mask.dtype == bool)], -1)
    q, k, v = (_split_heads(t, n_heads) for t in (q, k, v))
    weights = None
    if need_weights:
        weights = scaled_dot_product_attention(q, k, None, mask, dropout_p)
        heads = weighted_sum(weights, seen_of(mask, weights.shape), v)
    else:
        heads = scaled_dot_product_attention(q, k, v, mask, dropout_p)
    return linear(_join_heads(heads), out_weight, out_bias), weights
