"""An embedding and its gradient

forward(weight, indices)                                     weight (V, D), indices (...) -> vectors (..., D)
backward(dy, indices, num_embeddings, padding_idx=None)      dy (..., D), indices (...) -> the gradient of weight (V, D)

weight has a row for each of V = num_embeddings tokens; indices are integers from 0 to V - 1, an array of any shape. dy
is the derivative of a loss by the vectors. A token that occurs more than once gets the sum of its gradients, and one
that does not occur gets 0. padding_idx is a token whose vector is not learned: its gradient is 0, as in PyTorch. The
gradient has the dtype of dy. V may be large: no one-hot matrix, which is (..., V). No Python loop over tokens.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=5,
    hints=["An array of integers as an index gives the rows it names, in its own shape: (V, D)[(...)] is (..., D).",
           "In backward each gradient is added to the row that its token was taken from.",
           "dw[indices] += dy writes each row once, also where an index occurs twice.",
           "np.add.at(dw, indices, dy) adds all of them; padding_idx may be 0, so compare it with None."],
    pitfalls=["dw[indices] += dy loses all but one of the gradients of a repeated token.",
              "A matrix product with one-hot rows has the same result, for V times the memory and the work.",
              "padding_idx = 0 is the usual one, and `if padding_idx:` takes it for none."],
)


@drill.reference(differentiable=True)
def forward(weight, indices):
    """weight: (V, D), indices: integers (...) -> vectors (..., D)"""
    return weight[indices]  # a row for each index: what a one-hot matrix product would pick


@drill.reference
def backward(dy, indices, num_embeddings, padding_idx=None):
    """dy: (..., D), indices: integers (...) -> the gradient of weight (V, D)"""
    dw = np.zeros((num_embeddings, dy.shape[-1]), dy.dtype)  # rows that no token uses keep 0
    np.add.at(dw, indices, dy)  # dw[indices] += dy would keep one gradient of a token that occurs twice
    if padding_idx is not None:  # 0 is a token too
        dw[padding_idx] = 0
    return dw


rng = np.random.default_rng(0)
small = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
weight = rng.standard_normal((7, 3))
tokens = np.array([[1, 4, 4, 0], [6, 0, 1, 4]])
dy = rng.standard_normal((2, 4, 3))
many, d_many = rng.integers(0, 2000, (30, 100)), rng.standard_normal((30, 100, 4))
one_hot = "a one-hot matrix of (..., V); index the rows instead"

drill.case(forward, small, np.array([2, 0, 2]), why="each index is replaced by the row it names")
drill.case(forward, weight, tokens, why="indices of any shape: (2, 4) gives (2, 4, D)")
drill.case(forward, rng.standard_normal((2000, 4)), many, why="each index is replaced by the row it names",
           lines=300, slow="a Python loop over tokens; weight[indices] does it at once", memory=2_000_000,
           large=one_hot,
           smooth=False)
drill.case(backward, np.array([[1.0, 2.0], [10.0, 20.0]]), np.array([2, 0]), 4,
           why="each gradient goes to the row of its token, and the others are 0")
drill.case(backward, np.array([[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]]), np.array([1, 1, 0]), 3,
           why="a token that occurs twice gets the sum: dw[indices] += dy writes once; np.add.at adds all")
drill.case(backward, dy, tokens, 9, why="indices of any shape, and rows that no token uses")
drill.case(backward, dy, tokens, 9, 4, why="the vector of padding_idx is not learned: its gradient is 0")
drill.case(backward, dy, tokens, 9, padding_idx=0, why="padding_idx may be 0: compare it with None")
drill.case(backward, dy.astype("float32"), tokens, 9, why="the gradient has the dtype of dy: np.zeros alone is float64")
drill.case(backward, d_many, many, 2000, why="a token that occurs several times gets the sum",
           lines=300, slow="a Python loop over tokens; np.add.at does it at once", memory=2_000_000, large=one_hot)


def scattered(dy, indices, num_embeddings, padding_idx=None):
    """The right gradient, for wrong answers that go wrong elsewhere."""
    dw = np.zeros((num_embeddings, dy.shape[-1]), dy.dtype)
    np.add.at(dw, indices, dy)
    if padding_idx is not None:
        dw[padding_idx] = 0
    return dw


@drill.wrong(forward, "columns in place of rows", "a token is a row of weight: weight[indices]")
def _(weight, indices):
    return weight[:, indices]


@drill.wrong(forward, "np.take without an axis", "np.take counts the numbers of the flat array: axis=0 counts rows")
def _(weight, indices):
    return np.take(weight, indices)


@drill.wrong(forward, "a one-hot matrix", "it needs V times the memory of the indices, to multiply by zeros: "
             "weight[indices]")
def _(weight, indices):
    return np.eye(len(weight), dtype=weight.dtype)[indices] @ weight


@drill.wrong(forward, "a loop over tokens", "Python runs a line a token: weight[indices] does it at once")
def _(weight, indices):
    out = np.empty((*indices.shape, weight.shape[1]), weight.dtype)
    for place in np.ndindex(*indices.shape):
        out[place] = weight[indices[place]]
    return out


@drill.wrong(backward, "repeated tokens lost", "dw[indices] += dy reads all rows, adds, and writes each once: of a "
             "token that occurs twice one gradient is left; np.add.at adds all")
def _(dy, indices, num_embeddings, padding_idx=None):
    dw = np.zeros((num_embeddings, dy.shape[-1]), dy.dtype)
    dw[indices] += dy
    if padding_idx is not None:
        dw[padding_idx] = 0
    return dw


@drill.wrong(backward, "repeated tokens lost", "a token that occurs twice in one sequence still keeps one gradient "
             "only; np.add.at adds all")
def _(dy, indices, num_embeddings, padding_idx=None):
    dw = np.zeros((num_embeddings, dy.shape[-1]), dy.dtype)
    for sequence, gradients in zip(indices, dy):
        dw[sequence] += gradients
    if padding_idx is not None:
        dw[padding_idx] = 0
    return dw


@drill.wrong(backward, "padding_idx ignored", "the vector of padding_idx is not learned: its row of the gradient is 0")
def _(dy, indices, num_embeddings, padding_idx=None):
    return scattered(dy, indices, num_embeddings)


@drill.wrong(backward, "padding_idx 0 taken for none", "0 is false in Python: write `if padding_idx is not None`")
def _(dy, indices, num_embeddings, padding_idx=None):
    return scattered(dy, indices, num_embeddings, padding_idx or None)


@drill.wrong(backward, "padding_idx where there is none", "None as an index is a new axis, so that all of the gradient "
             "becomes 0: look whether padding_idx is None first")
def _(dy, indices, num_embeddings, padding_idx=None):
    dw = scattered(dy, indices, num_embeddings)
    dw[padding_idx] = 0
    return dw


@drill.wrong(backward, "mean of a token's gradients", "each time a token occurs its row counts in the loss: the sum")
def _(dy, indices, num_embeddings, padding_idx=None):
    counts = np.bincount(indices.ravel(), minlength=num_embeddings)[:, None]
    return (scattered(dy, indices, num_embeddings, padding_idx) / np.maximum(counts, 1)).astype(dy.dtype)


@drill.wrong(backward, "float64 for float32", "np.zeros is float64 unless it is told: np.zeros(shape, dy.dtype)")
def _(dy, indices, num_embeddings, padding_idx=None):
    return scattered(dy, indices, num_embeddings, padding_idx).astype(np.float64)


@drill.wrong(backward, "fewer rows than tokens", "the gradient has the shape of weight, also where the last tokens do "
             "not occur")
def _(dy, indices, num_embeddings, padding_idx=None):
    return scattered(dy, indices, num_embeddings, padding_idx)[: indices.max() + 1]


@drill.wrong(backward, "a one-hot matrix", "it needs V times the memory of the indices, to multiply by zeros: "
             "np.add.at")
def _(dy, indices, num_embeddings, padding_idx=None):
    one_hot = np.eye(num_embeddings, dtype=dy.dtype)[indices.ravel()]
    dw = one_hot.T @ dy.reshape(-1, dy.shape[-1])
    if padding_idx is not None:
        dw[padding_idx] = 0
    return dw


@drill.wrong(backward, "a loop over tokens", "Python runs a line a token: np.add.at does it at once")
def _(dy, indices, num_embeddings, padding_idx=None):
    dw = np.zeros((num_embeddings, dy.shape[-1]), dy.dtype)
    for place in np.ndindex(*indices.shape):
        if indices[place] != padding_idx:
            dw[indices[place]] += dy[place]
    return dw
