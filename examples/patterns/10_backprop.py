"""Backprop by hand: the same gradients from the chain rule, from the tape, and from finite differences.

    python examples/patterns/10_backprop.py
"""

import inspect

import numpy as np

import tinygrad_lite as tl

H, F = tl.nn.by_hand, tl.nn.functional
rng = np.random.default_rng(0)
X, y = rng.standard_normal((6, 4)), rng.integers(0, 3, 6)
weights = [rng.standard_normal(s) for s in ((4, 5), (5,), (5, 3), (3,))]
print(inspect.getsource(H.backward))

z1, h1, z2 = H.forward(X, *weights)
by_hand = H.backward(X, y, z1, h1, z2, weights[2])
W1, b1, W2, b2 = (tl.tensor(w, requires_grad=True) for w in weights)
F.cross_entropy(F.relu(tl.tensor(X) @ W1 + b1) @ W2 + b2, y).backward()
for name, hand, tensor, weight in zip(("W1", "b1", "W2", "b2"), by_hand, (W1, b1, W2, b2), weights):
    numeric = np.empty_like(weight)
    for at in np.ndindex(weight.shape):
        ends = []
        for step in (1e-6, -1e-6):
            weight[at] += step
            ends.append(H.loss(H.forward(X, *weights)[2], y))
            weight[at] -= step
        numeric[at] = (ends[0] - ends[1]) / 2e-6
    print(f"d{name}: by hand - tape {np.abs(hand - tensor.grad.array).max():.1e}, by hand - finite differences "
          f"{np.abs(hand - numeric).max():.1e}")
