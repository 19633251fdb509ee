"""Sequences of different lengths as one array, and the masks that go with it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite.engine.refusals import whole
from tinygrad_lite.engine.values import unbox

from .functional.attention import zero_one_mask


def pad_batch(sequences: Sequence[Any], pad_value: float = 0, side: str = "right") -> np.ndarray:
    """Sequences of different lengths as one array: each is filled up with pad_value to the longest.

    Sequences (L_i,) or (L_i, …) give (B, L, …). side: where the padding goes, "right" or "left". No sequences give
    shape (0, 0); an empty one is all padding. The dtype holds the sequences and pad_value, as numpy's rules have it.
    Shapes that differ in more than length are a ValueError.

    >>> nn.batching.pad_batch([[1, 2, 3], [4]])
    array([[1, 2, 3],
           [4, 0, 0]])
    >>> nn.batching.pad_batch([[1, 2, 3], [4]], pad_value=9, side="left")
    array([[1, 2, 3],
           [9, 9, 4]])
    """
    _known("pad_batch", side)
    pad_value = unbox(pad_value)
    if np.ndim(pad_value) or np.asarray(pad_value).dtype.kind not in "biufc":
        raise ValueError(f"pad_batch: pad_value is a number, not {pad_value!r}")
    arrays = [np.asarray(unbox(s)) for s in sequences]
    if not arrays:
        return np.empty((0, 0), np.asarray(pad_value).dtype)
    filled = [a for a in arrays if a.size] or arrays
    rest = {a.shape[1:] for a in filled}
    if any(a.ndim == 0 for a in arrays) or len(rest) > 1:
        raise ValueError(f"pad_batch: sequences of shapes {[a.shape for a in arrays]} differ in more than length")
    dtype = np.result_type(*(a.dtype for a in filled), pad_value)
    out = np.full((len(arrays), max(len(a) for a in arrays), *rest.pop()), pad_value, dtype)
    for row, a in zip(out, arrays):
        if len(a):
            row[_where(len(a), len(row), side)] = a
    return out


def _known(name: str, side: str) -> None:
    if side not in ("right", "left"):
        raise ValueError(f"{name}: side is 'right' or 'left', not {side!r}")


def _where(length: int, longest: int, side: str) -> slice:
    return slice(0, length) if side == "right" else slice(longest - length, longest)


def attention_mask(sequences: Any, pad_id: int = 0, side: str = "right") -> np.ndarray:
    """The mask (B, L) of a padded batch: 1 where a token differs from pad_id, else 0, as int64.

    It takes sequences (L_i,), or a batch (B, L) that is padded already. Sequences of different lengths are filled up as
    `pad_batch` does, with side "right" or "left". A token inside that is equal to pad_id counts as padding.

    >>> nn.batching.attention_mask([[5, 6, 7], [8]])
    array([[1, 1, 1],
           [1, 0, 0]])
    """
    _known("attention_mask", side)
    if hasattr(sequences, "shape"):
        batch: Any = unbox(sequences)
        if batch.ndim != 2:
            raise ValueError(f"attention_mask: a padded batch is (B, L), not of shape {batch.shape}")
        return (batch != pad_id).astype(np.int64)
    tokens: list[Any] = [np.asarray(unbox(s)) for s in sequences]
    if any(t.ndim != 1 for t in tokens):
        raise ValueError(f"attention_mask: each sequence of (B, L) is (L,), not of shapes {[t.shape for t in tokens]}")
    return pad_batch([(t != pad_id).astype(np.int64) for t in tokens], 0, side)


def combined_mask(L: int, padding_mask: Any) -> np.ndarray:
    """Causal mask and padding mask in one, (B, L, L) bools: query i may look at key j if j <= i and j is no padding.

    padding_mask (B, L) holds True or 1 for tokens. Under left padding the queries at the padding may look nowhere;
    attention gives zeros for them. `attention` takes the mask as it is; for `scaled_dot_product_attention` beside
    heads, (B, H, L, D), it is mask[:, None].

    >>> nn.batching.combined_mask(3, [[1, 1, 0]]).astype(int)
    array([[[1, 0, 0],
            [1, 1, 0],
            [1, 1, 0]]])
    """
    L, mask = whole("combined_mask: L is a whole number", L, 0), zero_one_mask("combined_mask", padding_mask)
    if mask.ndim != 2 or mask.shape[1] != L:
        raise ValueError(f"combined_mask: the padding mask is (B, {L}), not of shape {mask.shape}")
    return np.tri(L, dtype=bool) & mask[:, None, :]
