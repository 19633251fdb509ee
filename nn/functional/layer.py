"""What layers compute: linear maps and embeddings."""

import numpy as np

from tinygrad_lite.engine.changes import stamp
from tinygrad_lite.engine.halves import in_float32
from tinygrad_lite.engine.tape import by_hand
from tinygrad_lite.engine.values import as_array, unbox
from tinygrad_lite.ops import einsum, flatten, getitem, index_add, max, outer, place, vector_norm, where
from tinygrad_lite.ops.arguments import all_inside, need_shape, outside

__all__ = ["bilinear", "embedding", "embedding_bag", "linear"]


def _linear_weight(g, out, x, weight, bias):
    if x.ndim == 2:
        return g.mT @ x
    if x.ndim == 1:
        return outer(g, x)
    return flatten(g, 0, -2).mT @ flatten(x, 0, -2)


@by_hand(lambda g, out, x, weight, bias: g @ weight, _linear_weight, lambda g, out, x, weight, bias: g,
         keeps_whole_numbers=True)
def linear(x, weight, bias=None):
    """x @ weight.T + bias: each output is a weighted sum of the inputs.

    x (…, in), weight (out, in) and bias (out,) give (…, out). Sizes that do not fit are a RuntimeError.

    >>> x = tl.tensor([[1.0, 2.0]])
    >>> F.linear(x, tl.tensor([[1.0, 1.0], [0.0, 10.0]]), tl.tensor([0.5, 0.0]))
    tensor([[ 3.5, 20. ]])
    """
    if bias is None:
        return x @ weight.mT
    if bias.shape[-1:] not in ((), (1,), weight.shape[:1]) or bias.ndim > x.ndim:
        raise RuntimeError(f"a bias of shape {bias.shape} does not fit {weight.shape[0]} outputs")
    return x @ weight.mT + bias


@in_float32
def bilinear(input1, input2, weight, bias=None):
    """input1 @ weight[k] @ input2 + bias[k]: a weighted sum of the products of each of input1 with each of input2.

    input1 (…, N), input2 (…, M), weight (K, N, M) and bias (K,) give (…, K). Inputs whose other dimensions differ are a
    RuntimeError.

    >>> x, y = tl.tensor([1.0, 2.0]), tl.tensor([3.0, 4.0])
    >>> F.bilinear(x, y, tl.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 0.0]]]))  # 1 * 3 + 2 * 4, and 1 * 4
    tensor([11.,  4.])
    """
    if input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(f"bilinear: inputs of shapes {input1.shape} and {input2.shape} differ in more than features")
    need_shape("bilinear", weight.shape[:1], bias=bias)
    out = einsum("...i,kij,...j->...k", input1, weight, input2)
    return out if bias is None else out + bias


@by_hand(None, lambda g, out, index, weight, share: place(
    g if share is None else g * share[..., None], index, weight.shape))
def _embedding(index, weight, share):
    """share: how much of its gradient each of the rows that are read takes, all unless given."""
    return getitem(weight, index)


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """The rows of a table that whole numbers name: of each word, say, its vector.

    input (…) of whole numbers and weight (V, D) give (…, D). Row padding_idx gets no gradient. max_norm: rows that are
    named and longer are first cut to that length, in place, by the norm_type-norm. scale_grad_by_freq: a row's gradient
    is divided by how often it is named. sparse changes nothing: gradients are dense. An index outside the table is an
    IndexError, an input of floats a TypeError.

    >>> weight = tl.tensor([[0.0, 0.0], [1.0, 10.0], [2.0, 20.0]])
    >>> F.embedding(tl.tensor([2, 1, 2]), weight)
    tensor([[ 2., 20.],
            [ 1., 10.],
            [ 2., 20.]])
    """
    index = as_array(input)
    if weight.ndim != 2:
        raise RuntimeError(f"embedding: the weight has 2 dimensions, not shape {weight.shape}")
    rows = weight.shape[0]
    if index.dtype.kind not in "iu":
        raise TypeError(f"embedding: the input holds whole numbers, not {index.dtype}")
    if not all_inside(index, rows):
        wrong = outside(index, rows)
        raise IndexError(f"embedding: index {index[wrong][0]} is out of bounds for {rows} rows")
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise IndexError(f"embedding: padding_idx {padding_idx} is out of bounds for {rows} rows")
    if max_norm is not None:
        _cut(unbox(weight), np.unique(index), max_norm, norm_type)
    share = None if padding_idx is None else as_array(index != padding_idx % rows)
    if scale_grad_by_freq:
        counts = np.bincount(index.reshape(-1), minlength=rows)[index]
        share = (1 / counts if share is None else share / counts).astype(weight.dtype)
    return _embedding(index, weight, share)


def _cut(weight, rows, longest, p):
    """Make rows of an array no longer than that, in place."""
    lengths = vector_norm(weight[rows], p, -1, True)
    weight[rows] *= np.minimum(1, longest / (lengths + 1e-7)).astype(weight.dtype)
    stamp(weight)


def embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, mode="mean",
                  sparse=False, per_sample_weights=None, include_last_offset=False, padding_idx=None):
    """The mean, sum or maximum of each bag of rows of a table: `embedding`, and then a reduction.

    input (B, L), a bag a row, and weight (V, D) give (B, D); or input (M,) with offsets (B,), where each bag begins;
    with include_last_offset the last offset is the end. An empty bag gives zeros. mode is "mean", "sum" or "max", else
    a ValueError. per_sample_weights, of input's shape, multiply the rows and are for "sum" only. Entries equal to
    padding_idx count as not there. The other settings are those of `embedding`.

    >>> weight = tl.tensor([[0.0, 0.0], [1.0, 10.0], [3.0, 30.0]])
    >>> F.embedding_bag(tl.tensor([1, 2, 0]), weight, offsets=tl.tensor([0, 2]))  # the bags [1, 2] and [0]
    tensor([[ 2., 20.],
            [ 0.,  0.]])
    """
    index, starts = as_array(input), None if offsets is None else as_array(offsets)
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"embedding_bag: mode is 'sum', 'mean' or 'max', not {mode!r}")
    if per_sample_weights is not None and (mode != "sum" or per_sample_weights.shape != index.shape):
        raise ValueError(f"embedding_bag: per_sample_weights are for mode='sum' and of the input's shape {index.shape}")
    if index.ndim not in (1, 2) or (index.ndim == 1) != (starts is not None and starts.ndim == 1):
        raise ValueError(f"embedding_bag: an input (B, L) has no offsets, one (M,) has some (B,); the input's shape is "
                         f"{index.shape}")
    if starts is None:
        starts = np.arange(index.shape[0] + 1) * index.shape[1]
    elif len(starts) == 0 and include_last_offset or len(starts) and (starts[0] != 0 or starts[-1] > len(index)):
        raise ValueError(f"embedding_bag: offsets go from 0 to at most {len(index)}, the input's length")
    elif not include_last_offset:
        starts = np.append(starts, len(index))
    flat, bags = index.reshape(-1), len(starts) - 1
    bag = np.repeat(np.arange(bags), np.diff(starts))  # of each entry
    rows = embedding(flat, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    if padding_idx is not None:
        there = np.flatnonzero(flat != padding_idx % weight.shape[0])
        bag, rows = bag[there], getitem(rows, there)
        if per_sample_weights is not None:
            per_sample_weights = getitem(per_sample_weights.reshape(-1), there)
    return _bagged(rows, per_sample_weights, bag, bags, mode)


@in_float32
def _bagged(rows, shares, bag, bags, mode):
    """Rows (M, D), each times its share, taken together by the bag that each is in, in order: (bags, D)."""
    if shares is not None:
        rows = rows * shares.reshape(-1, 1)
    counts = np.bincount(bag, minlength=bags)
    if mode != "max" or not len(bag):
        total = index_add(np.zeros((bags, rows.shape[1]), rows.dtype), 0, bag, rows)
        return total / np.maximum(counts, 1)[:, None].astype(rows.dtype) if mode == "mean" else total
    ends, width = np.cumsum(counts), np.arange(counts.max())
    at = np.minimum((ends - counts)[:, None] + width, np.maximum(ends - 1, 0)[:, None])  # each bag's, its last repeated
    return where((counts == 0)[:, None], 0.0, max(getitem(rows, np.minimum(at, len(bag) - 1)), 1)[0])
