"""Cross-entropy of logits: log-softmax and the negative log-likelihood in one step.

    python examples/patterns/02_cross_entropy.py
"""

import numpy as np

import tinygrad_lite as tl

F = tl.nn.functional
logits = tl.tensor([[2.0, 0.5, -1.0], [0.0, 100.0, 0.0]], requires_grad=True)
labels = np.array([0, 2])

loss = F.cross_entropy(logits, labels)
loss.backward()
print(f"loss {loss.item():.4f}, from indices")
print(f"loss {F.cross_entropy(logits, F.one_hot(tl.tensor(labels), 3)).item():.4f}, from the one-hot form")
p = F.softmax(logits).array
print("the gradient, (softmax - one-hot) / rows:\n", np.array(logits.grad).round(4))
assert np.allclose(logits.grad, (p - np.eye(3)[labels]) / 2, atol=1e-6)
with np.errstate(divide="ignore"):
    print("log(softmax) of the second row:", np.log(p[1]), " log_softmax:", F.log_softmax(logits).array[1])
