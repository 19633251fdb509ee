"""Sequences of different lengths as one array, and the masks that go with it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite.engine.values import unbox


def pad_batch(sequences: Sequence[Any], pad_value: float = 0, side: str = "right") -> np.ndarray:
    """Sequences (L_i,) or (L_i, …) filled up with pad_value to the longest: (B, L, …).

    side: where the padding goes, "right" or "left". No sequences give shape (0, 0); an empty one is all padding. The
    dtype is that of the sequences (an integer pad_value does not change it, a float one may).
    """
    _known("pad_batch", side)
    arrays = [np.asarray(unbox(s)) for s in sequences]
    if not arrays:
        return np.empty((0, 0), np.asarray(pad_value).dtype)
    filled = [a for a in arrays if a.size] or arrays
    rest = {a.shape[1:] for a in filled}
    if any(a.ndim == 0 for a in arrays) or len(rest) > 1:
        raise ValueError(f"pad_batch: sequences of shapes {[a.shape for a in arrays]} differ in more than length")
    dtype = np.result_type(*(a.dtype for a in filled), *([np.float32] if isinstance(pad_value, float) and any(
        a.dtype.kind in "biu" for a in filled) else []))
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
    """(B, L) bools, True where there is a token: of a list of sequences by their lengths, of a padded array (B, L)
    by what is not pad_id."""
    _known("attention_mask", side)
    if hasattr(sequences, "shape"):
        array = unbox(sequences)
        if array.ndim != 2:
            raise ValueError(f"attention_mask: a padded array is (B, L), not of shape {array.shape}")
        return array != pad_id
    lengths = [len(s) for s in sequences]
    out = np.zeros((len(lengths), max(lengths, default=0)), bool)
    for row, n in zip(out, lengths):
        row[_where(n, len(row), side)] = True
    return out


def combined_mask(L: int, padding_mask: Any) -> np.ndarray:
    """(B, L, L) bools: query i may look at key j if j <= i and padding_mask[b, j] (B, L) is True.

    Under left padding the queries at the padding may look nowhere; attention gives zeros for them.
    """
    mask = np.asarray(unbox(padding_mask)).astype(bool)
    if mask.ndim != 2 or mask.shape[1] != L:
        raise ValueError(f"combined_mask: the padding mask is (B, {L}), not of shape {mask.shape}")
    return np.tri(L, dtype=bool) & mask[:, None, :]
