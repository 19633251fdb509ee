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
    """Sequences of several lengths without padding: all their first steps, then all their second ones, and so on.

    data (rows, …) has these steps; batch_sizes says how many sequences reach each step. sorted_indices are the places
    in the batch of the longest sequence, the next and so on, unsorted_indices the way back; both are None where the
    batch came sorted. `pack_sequence` and `pack_padded_sequence` make it; `RNN`, `LSTM` and `GRU` take it.

    >>> packed = nn.utils.rnn.pack_sequence([tl.tensor([1, 2, 3]), tl.tensor([4])])
    >>> packed.data, packed.batch_sizes
    (tensor([1, 4, 2, 3]), tensor([2, 1, 1]))
    """

    __slots__ = ()

    def __new__(cls, data: Any, batch_sizes: Any, sorted_indices: Any = None,
                unsorted_indices: Any = None) -> "PackedSequence":
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *targets: Any, **settings: Any) -> "PackedSequence":
        """The same sequences with data in another dtype."""
        return PackedSequence(self.data.to(*targets, **settings), *self[1:])


def invert_permutation(permutation: Any) -> Any:
    """The permutation that undoes another (N,): where each place went. It is None for None.

    >>> nn.utils.rnn.invert_permutation(tl.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else box(np.argsort(unbox(permutation)))


def pack_padded_sequence(input: Any, lengths: Any, batch_first: bool = False,
                         enforce_sorted: bool = True) -> PackedSequence:
    """Take the padding out of sequences (T, B, …), or (B, T, …) with batch_first, of which lengths (B,) are given.

    The longest comes first; with enforce_sorted=False they come in any order. Lengths that do not decrease, that are
    not from 1 to T, or not as many as sequences, are a RuntimeError.

    >>> x = tl.tensor([[1, 2, 3], [4, 0, 0]])
    >>> nn.utils.rnn.pack_padded_sequence(x, [3, 1], batch_first=True).data
    tensor([1, 4, 2, 3])
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
    """Pad what was packed: gives the sequences (T, B, …), in the order that they had at first, and the lengths (B,).

    With batch_first they are (B, T, …). T is the longest length, or total_length, which must not be less: that is a
    ValueError.

    >>> packed = nn.utils.rnn.pack_sequence([tl.tensor([4]), tl.tensor([1, 2, 3])], enforce_sorted=False)
    >>> x, lengths = nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    >>> x.tolist(), lengths
    ([[4, 0, 0], [1, 2, 3]], tensor([1, 3]))
    """
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
    """Put sequences (L, …) of several lengths into one tensor (T, B, …), where T is the longest L.

    With batch_first it is (B, T, …). The shorter ones are filled up with padding_value at the padding_side, "right" or
    "left"; another is a RuntimeError.

    >>> nn.utils.rnn.pad_sequence([tl.tensor([1, 2, 3]), tl.tensor([4])], batch_first=True)
    tensor([[1, 2, 3],
            [4, 0, 0]])
    """
    if padding_side not in ("right", "left"):
        raise RuntimeError(f"pad_sequence: padding_side is 'right' or 'left', not {padding_side!r}")
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("pad_sequence: needs at least one sequence")
    longest = max((s.shape[0] for s in sequences), default=0)
    rest = [(0, 0) * (s.ndim - 1) for s in sequences]
    missing = [(0, longest - s.shape[0]) if padding_side == "right" else (longest - s.shape[0], 0) for s in sequences]
    padded = [pad(s, (*r, *m), value=padding_value) for s, r, m in zip(sequences, rest, missing)]
    return stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """Cut a padded tensor (T, B, …), or (B, T, …) with batch_first, into a list of its sequences (L, …).

    lengths (B,) is a tensor or a list.

    >>> x = tl.tensor([[1, 2, 3], [4, 0, 0]])
    >>> nn.utils.rnn.unpad_sequence(x, tl.tensor([3, 1]), batch_first=True)
    [tensor([1, 2, 3]), tensor([4])]
    """
    padded = padded_sequences if batch_first else transpose(padded_sequences, 0, 1)
    return [padded[i, :n] for i, n in enumerate(np.asarray(unbox(lengths)).tolist())]


def pack_sequence(sequences: Iterable[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences (L, …) of several lengths into one PackedSequence.

    The longest comes first, else it is a RuntimeError; with enforce_sorted=False they come in any order.

    >>> packed = nn.utils.rnn.pack_sequence([tl.ones(4, 3), tl.ones(2, 3)])
    >>> packed.data.shape, packed.batch_sizes
    ((6, 3), tensor([2, 2, 1, 1]))
    """
    sequences = list(sequences)
    return pack_padded_sequence(pad_sequence(sequences), [s.shape[0] for s in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """Give the sequences (L, …) of a PackedSequence as a list, in the order that they had at first.

    >>> packed = nn.utils.rnn.pack_sequence([tl.tensor([4]), tl.tensor([1, 2, 3])], enforce_sorted=False)
    >>> nn.utils.rnn.unpack_sequence(packed)
    [tensor([4]), tensor([1, 2, 3])]
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), batch_first=True)
