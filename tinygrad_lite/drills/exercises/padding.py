"""Padding, the masks that go with it, and means without it

pad_batch(sequences, pad_value)   a list of B lists of ints -> tokens (B, T) of ints, mask (B, T) of bools
attention_mask(mask)              (B, T) of bools, True = real -> (B, T, T) of bools: [b, i, j] is True where i sees j
masked_mean(x, mask)              x (B, T, D), mask (B, T) of bools -> the mean over the real tokens of each row (B, D)

T is the length of the longest sequence. Shorter ones are filled up with pad_value on the right; the mask is True where
a token of the sequence stands. pad_value may occur as a real token, and a sequence may be empty, though not all. In the
attention mask every position i, real or not, sees the real positions j <= i. masked_mean gives 0 for a row without real
tokens. What stands at padded positions of x is arbitrary, and may be NaN or inf. float32 gives float32.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=10,
    hints=["np.arange(T) < lengths[:, None] is the mask, from the lengths: (T,) < (B, 1) is (B, T).",
           "tokens[mask] = all the tokens in a row fills exactly the True places, row by row; or use a loop over "
           "sequences.",
           "np.tril(np.ones((T, T), bool)) is True where j <= i. The keys are the last axis: mask[:, None, :].",
           "The mean is a sum over T divided by the number of real tokens, which may be 0.",
           "NaN * 0 is NaN. np.where(mask[:, :, None], x, 0) takes the padding out whatever it is."],
    pitfalls=["A row that is all padding gives 0 / 0: divide by max(count, 1).",
              "Masking by multiplication keeps NaN and inf of the padding; np.where does not.",
              "tokens != pad_value is no mask where the pad value is a token as well: keep the lengths."],
)


@drill.reference
def pad_batch(sequences, pad_value):
    """sequences: list of B lists of ints, pad_value: int -> tokens (B, T) int, mask (B, T) bool"""
    lengths = np.array([len(sequence) for sequence in sequences])
    mask = np.arange(lengths.max()) < lengths[:, None]  # (T,) < (B, 1) -> (B, T), from lengths: any token may be real
    tokens = np.full(mask.shape, pad_value)
    for row, sequence in zip(tokens, sequences):
        row[: len(sequence)] = sequence  # row is a view of tokens
    return tokens, mask


@drill.reference
def attention_mask(mask):
    """mask: (B, T) bool, True = real -> (B, T, T) bool, [b, i, j] = query i sees key j"""
    t = mask.shape[1]
    causal = np.tril(np.ones((t, t), bool))  # (T, T), j <= i
    return causal & mask[:, None, :]  # the mask is that of the keys, the last axis: (T, T) & (B, 1, T)


@drill.reference(differentiable=True)
def masked_mean(x, mask):
    """x: (B, T, D), mask: (B, T) bool, True = real -> (B, D)"""
    real = np.where(mask[:, :, None], x, 0.0)  # (B, T, D), and not x * mask, since NaN * 0 is NaN
    counts = np.sum(mask, axis=1, keepdims=True, dtype=x.dtype)  # (B, 1), in x's dtype: int64 would widen float32
    return np.sum(real, axis=1) / np.maximum(counts, 1)  # 0 / 1 where nothing is real


rng = np.random.default_rng(0)
x = rng.standard_normal((3, 4, 2))
mask = np.array([[True, True, False, False], [True, True, True, True], [True, False, False, False]])
empty = np.array([[True, True], [False, False]])
dirty = np.where(mask[:, :, None], x, np.array([np.nan, np.inf]))

drill.case(pad_batch, [[5, 6, 7], [8], [9, 4]], 0, why="rows are filled up on the right, to the length of the longest")
drill.case(pad_batch, [[1], [2, 3, 4, 5], [6, 7]], -1, why="the longest sequence is not always the first")
drill.case(pad_batch, [[3, 0, 0], [0, 2]], 0, why="0 is a real token here as well: the mask comes from the lengths")
drill.case(pad_batch, [[], [7, 8]], 9, why="an empty sequence is a row of padding alone")
drill.case(pad_batch, [[1, 2], [3, 4]], 0, why="where all have one length, nothing is padded")
drill.case(attention_mask, np.array([[True, True, False]]), why="j <= i, and j real: the padded query sees the real "
           "keys")
drill.case(attention_mask, mask, why="mask[:, None, :] is that of the keys, the last axis; np.tril is True for j <= i")
drill.case(attention_mask, np.array([[False, True, False], [True, True, True]]),
           why="padding on the left is masked as well, whatever the query: the first sees nothing")
drill.case(masked_mean, np.array([[[1.0, 10.0], [3.0, 30.0], [100.0, 100.0]]]), np.array([[True, True, False]]),
           why="the mean of the first two tokens, feature by feature")
drill.case(masked_mean, x, mask, why="the sum over the real tokens of a row, divided by their number and not by T")
drill.case(masked_mean, x[:2, :2], empty, why="0 / 0 is NaN: a row without real tokens gives 0")
drill.case(masked_mean, dirty, mask, why="NaN * 0 is NaN: take the padding out with np.where", smooth=False)
drill.case(masked_mean, x.astype("float32"), mask,
           why="float32 stays float32: a float32 divided by an array of int64 counts is float64")


@drill.wrong(pad_batch, "mask from the pad value", "pad_value may be a real token as well: take the mask from the "
             "lengths")
def _(sequences, pad_value):
    longest = max(len(sequence) for sequence in sequences)
    tokens = np.array([[*sequence, *[pad_value] * (longest - len(sequence))] for sequence in sequences])
    return tokens, tokens != pad_value


@drill.wrong(pad_batch, "mask of ints", "the mask is of bools, so that ~ and & and an index by it work: np.arange(T) < "
             "length")
def _(sequences, pad_value):
    longest = max(len(sequence) for sequence in sequences)
    tokens = np.array([[*sequence, *[pad_value] * (longest - len(sequence))] for sequence in sequences])
    return tokens, np.array([[1] * len(sequence) + [0] * (longest - len(sequence)) for sequence in sequences])


@drill.wrong(pad_batch, "mask of floats", "the mask is of bools, so that ~ and & and an index by it work")
def _(sequences, pad_value):
    longest = max(len(sequence) for sequence in sequences)
    tokens, mask = np.full((len(sequences), longest), pad_value), np.zeros((len(sequences), longest))
    for i, sequence in enumerate(sequences):
        tokens[i, : len(sequence)], mask[i, : len(sequence)] = sequence, 1
    return tokens, mask


@drill.wrong(pad_batch, "mask inverted", "True stands for a real token here, and not for padding")
def _(sequences, pad_value):
    lengths = np.array([len(sequence) for sequence in sequences])
    tokens = np.array([[*sequence, *[pad_value] * (lengths.max() - len(sequence))] for sequence in sequences])
    return tokens, np.arange(lengths.max()) >= lengths[:, None]


@drill.wrong(pad_batch, "padded on the left", "the padding follows on the tokens: they begin at 0")
def _(sequences, pad_value):
    longest = max(len(sequence) for sequence in sequences)
    tokens, mask = np.full((len(sequences), longest), pad_value), np.zeros((len(sequences), longest), bool)
    for i, sequence in enumerate(sequences):
        tokens[i, longest - len(sequence) :], mask[i, longest - len(sequence) :] = sequence, True
    return tokens, mask


@drill.wrong(pad_batch, "always padded with 0", "pad_value is an argument: np.full(shape, pad_value)")
def _(sequences, pad_value):
    lengths = np.array([len(sequence) for sequence in sequences])
    tokens = np.array([[*sequence, *[0] * (lengths.max() - len(sequence))] for sequence in sequences])
    return tokens, np.arange(lengths.max()) < lengths[:, None]


@drill.wrong(pad_batch, "tokens of floats", "np.zeros and np.ones are float64, and floats are no index: give them "
             "dtype=int")
def _(sequences, pad_value):
    lengths = np.array([len(sequence) for sequence in sequences])
    tokens = pad_value * np.ones((len(lengths), lengths.max()))
    for row, sequence in zip(tokens, sequences):
        row[: len(sequence)] = sequence
    return tokens, np.arange(lengths.max()) < lengths[:, None]


@drill.wrong(pad_batch, "the length of the first", "T is the largest of all lengths")
def _(sequences, pad_value):
    t = len(sequences[0])
    tokens = np.array([[*sequence[:t], *[pad_value] * (t - len(sequence))] for sequence in sequences])
    return tokens, np.arange(t) < np.array([len(sequence) for sequence in sequences])[:, None]


@drill.wrong(pad_batch, "the caller's lists padded", "+= and append change the lists that were given: make new ones")
def _(sequences, pad_value):
    lengths = np.array([len(sequence) for sequence in sequences])
    for sequence in sequences:
        sequence += [pad_value] * (int(lengths.max()) - len(sequence))
    return np.array(sequences), np.arange(lengths.max()) < lengths[:, None]


@drill.wrong(pad_batch, "rows of several lengths", "np.array makes no array of rows that differ in length: fill them "
             "up first")
def _(sequences, pad_value):
    lengths = np.array([len(sequence) for sequence in sequences])
    return np.array(sequences), np.arange(lengths.max()) < lengths[:, None]


@drill.wrong(attention_mask, "the mask of the queries", "what is padded must not be seen: the mask belongs to the "
             "keys, the last axis, mask[:, None, :]")
def _(mask):
    return np.tril(np.ones(mask.shape[-1:] * 2, bool)) & mask[:, :, None]


@drill.wrong(attention_mask, "padded queries see nothing", "padding is masked as a key alone: a query without keys is "
             "a softmax of nothing")
def _(mask):
    return np.tril(np.ones(mask.shape[-1:] * 2, bool)) & mask[:, None, :] & mask[:, :, None]


@drill.wrong(attention_mask, "the future instead of the past", "i sees j <= i, the lower triangle: np.tril")
def _(mask):
    return np.triu(np.ones(mask.shape[-1:] * 2, bool)) & mask[:, None, :]


@drill.wrong(attention_mask, "no position sees itself", "i sees j <= i, the diagonal as well: np.tril without k=-1")
def _(mask):
    return np.tril(np.ones(mask.shape[-1:] * 2, bool), k=-1) & mask[:, None, :]


@drill.wrong(attention_mask, "| instead of &", "a key is seen where it is not in the future and is real: both, &")
def _(mask):
    return np.tril(np.ones(mask.shape[-1:] * 2, bool)) | mask[:, None, :]


@drill.wrong(attention_mask, "not causal", "a position sees none after it: & np.tril(np.ones((T, T), bool))")
def _(mask):
    return np.broadcast_to(mask[:, None, :], mask.shape + mask.shape[-1:])


@drill.wrong(attention_mask, "padding forgotten", "np.tril alone sees padding as well: & mask[:, None, :]")
def _(mask):
    return np.broadcast_to(np.tril(np.ones(mask.shape[-1:] * 2, bool)), mask.shape + mask.shape[-1:])


@drill.wrong(attention_mask, "True for what is hidden", "True means that i sees j, as in attention; here it is the "
             "contrary")
def _(mask):
    return ~(np.tril(np.ones(mask.shape[-1:] * 2, bool)) & mask[:, None, :])


@drill.wrong(attention_mask, "mask of numbers", "the result is of bools: & of bools, and not a product with np.ones")
def _(mask):
    return np.tril(np.ones(mask.shape[-1:] * 2)) * mask[:, None, :]


@drill.wrong(masked_mean, "divided by T", "padding does not count: divide by the number of real tokens of each row")
def _(x, mask):
    return np.where(mask[:, :, None], x, 0).mean(axis=1)


@drill.wrong(masked_mean, "padding in the mean", "what is padded is not part of the sequence: sum where the mask is "
             "True")
def _(x, mask):
    return x.mean(axis=1)


@drill.wrong(masked_mean, "NaN where nothing is real", "0 / 0 is NaN: divide by max(count, 1)")
def _(x, mask):
    return np.where(mask[:, :, None], x, 0).sum(axis=1) / mask.sum(axis=1, keepdims=True).astype(x.dtype)


@drill.wrong(masked_mean, "NaN where nothing is real", "the mean of no tokens is NaN: give such a row 0")
def _(x, mask):
    return np.stack([row[real].mean(axis=0) for row, real in zip(x, mask)])


@drill.wrong(masked_mean, "padding multiplied by 0", "NaN * 0 and inf * 0 are NaN: np.where(mask[:, :, None], x, 0)")
def _(x, mask):
    counts = np.maximum(mask.sum(axis=1), 1).astype(x.dtype)
    return (x * mask[:, :, None]).sum(axis=1) / counts[:, None]


@drill.wrong(masked_mean, "one mean for the batch", "each row has a mean of its own: sum over axis 1, and divide by "
             "its count")
def _(x, mask):
    return np.broadcast_to(x[mask].mean(axis=0), x[:, 0].shape)


@drill.wrong(masked_mean, "divided by the count of all rows", "each row is divided by its own number of tokens: "
             "mask.sum(axis=1, keepdims=True)")
def _(x, mask):
    return np.where(mask[:, :, None], x, 0).sum(axis=1) / int(max(mask.sum(), 1))


@drill.wrong(masked_mean, "int64 counts widen float32", "numpy makes float64 of float32 divided by an array of int64: "
             "counts.astype(x.dtype)")
def _(x, mask):
    return np.where(mask[:, :, None], x, 0).sum(axis=1) / np.maximum(mask.sum(axis=1, keepdims=True), 1)
