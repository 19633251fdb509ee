"""Softmax and log-sum-exp: why the maximum is taken off first.

    python examples/patterns/01_softmax.py
"""

import numpy as np

import tinygrad_lite as tl

F = tl.nn.functional
rows = np.array([[1.0, 2.0, 3.0], [1000.0, 1001.0, 1002.0], [-1000.0, -1001.0, -1002.0]])

with np.errstate(all="ignore"):
    naive = np.exp(rows) / np.exp(rows).sum(1, keepdims=True)
for row, plain, stable in zip(rows, naive, F.stable_softmax(rows, axis=-1)):
    print(f"{row}  exp/sum(exp): {plain.round(3)}  minus the maximum: {stable.round(3)}")
print("logsumexp of each row:", F.logsumexp(rows, axis=-1))
print("of a row of -inf:", F.logsumexp(np.full(3, -np.inf)))

x = tl.tensor(rows[0], requires_grad=True)
F.logsumexp(x).backward()
print("the gradient of logsumexp is softmax:", np.array(x.grad).round(3))
