"""Sequences of several lengths in one tensor: padded (T, B, …), or packed without the padding."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.engine.tape import box
from tinygrad_lite.engine.values import unbox
from tinygrad_lite.ops import index_put, pad, stack, transpose
from tinygrad_lite.tensor import Tensor


class _Packed(NamedTuple):
    data: Any
    batch_sizes: Any
    sorted_indices: Any = None
    unsorted_indices: Any = None


class PackedSequence(_Packed):
    """The rows of the first step of all sequences, then those of the second, …: data (rows, …).

    batch_sizes: how many sequences each step has; sorted_indices: which sequence of the batch is longest, the next …
    """

    __slots__ = ()

    def __new__(cls, data: Any, batch_sizes: Any, sorted_indices: Any = None,
                unsorted_indices: Any = None) -> "PackedSequence":
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *targets: Any, **settings: Any) -> "PackedSequence":
        """In another dtype."""
        return PackedSequence(self.data.to(*targets, **settings), *self[1:])


def invert_permutation(permutation: Any) -> Any:
    """Where each place went; None for None."""
    return None if permutation is None else box(np.argsort(unbox(permutation)))


def pack_padded_sequence(input: Any, lengths: Any, batch_first: bool = False,
                         enforce_sorted: bool = True) -> PackedSequence:
    """Without the padding: input (T, B, …), or (B, T, …) with batch_first; lengths (B,), the longest first.

    Unless enforce_sorted, they come in any order. A RuntimeError where they do not fit.
    """
    lengths = np.asarray(unbox(lengths)).astype(np.int64)
    batch, steps = input.shape[:2] if batch_first else input.shape[1::-1]
    if lengths.shape != (batch,):
        raise RuntimeError(f"pack_padded_sequence: a batch of {batch} has {batch} lengths, not shape {lengths.shape}")
    if batch and not 0 < lengths.min() <= lengths.max() <= steps:
        raise RuntimeError(f"pack_padded_sequence: lengths are from 1 to {steps}, not {lengths.tolist()}")
    order = None
    if not enforce_sorted:
        order = np.argsort(-lengths, kind="stable")
        lengths = lengths[order]
    elif (np.diff(lengths) > 0).any():
        raise RuntimeError("pack_padded_sequence: the lengths do not decrease; sort the batch, or pass "
                           "enforce_sorted=False")
    t, b = np.nonzero(np.arange(lengths.max(initial=0))[:, None] < lengths)
    sizes = box(np.bincount(t))
    b = b if order is None else order[b]
    return PackedSequence(input[(b, t) if batch_first else (t, b)], sizes, None if order is None else box(order))


def pad_packed_sequence(sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0,
                        total_length: int | None = None) -> tuple[Any, Tensor]:
    """What was packed, padded (T, B, …) and in its first order, and the lengths (B,); total_length: how many steps."""
    sizes = unbox(sequence.batch_sizes)
    steps, batch = len(sizes), int(sizes[0])
    if total_length is not None and total_length < steps:
        raise ValueError(f"pad_packed_sequence: total_length {total_length} is less than the longest, {steps}")
    steps = steps if total_length is None else total_length
    lengths = (sizes[:, None] > np.arange(batch)).sum(0)
    t, b = np.nonzero(np.arange(steps)[:, None] < lengths)
    if sequence.sorted_indices is not None:
        b, lengths = unbox(sequence.sorted_indices)[b], lengths[unbox(sequence.unsorted_indices)]
    data = sequence.data
    shape = (batch, steps) if batch_first else (steps, batch)
    padding = np.full((*shape, *data.shape[1:]), padding_value, data.dtype)
    return index_put(padding, (b, t) if batch_first else (t, b), data), box(lengths)


def pad_sequence(sequences: Iterable[Any], batch_first: bool = False, padding_value: float = 0.0,
                 padding_side: str = "right") -> Any:
    """Sequences (L, …) as (T, B, …) with T the longest L, or (B, T, …) with batch_first; padded at a side."""
    if padding_side not in ("right", "left"):
        raise RuntimeError(f"pad_sequence: padding_side is 'right' or 'left', not {padding_side!r}")
    sequences = list(sequences)
    longest = max((s.shape[0] for s in sequences), default=0)
    rest = [(0, 0) * (s.ndim - 1) for s in sequences]
    missing = [(0, longest - s.shape[0]) if padding_side == "right" else (longest - s.shape[0], 0) for s in sequences]
    padded = [pad(s, (*r, *m), value=padding_value) for s, r, m in zip(sequences, rest, missing)]
    return stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """The sequences (L, …) of a padded tensor (T, B, …), or (B, T, …) with batch_first."""
    padded = padded_sequences if batch_first else transpose(padded_sequences, 0, 1)
    return [padded[i, :n] for i, n in enumerate(unbox(lengths).tolist())]


def pack_sequence(sequences: Iterable[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (L, …), the longest first unless enforce_sorted=False, as one PackedSequence."""
    sequences = list(sequences)
    return pack_padded_sequence(pad_sequence(sequences), [s.shape[0] for s in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """The sequences (L, …) of a PackedSequence."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), batch_first=True)
