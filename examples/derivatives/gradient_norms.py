"""Which digits a classifier learns from most: the length of the gradient of each, of all at once. Twenty labels were
made wrong on purpose, and these stand out; writes the digits of the longest and the shortest to gradient_norms.png.

    python examples/derivatives/gradient_norms.py
"""

import numpy as np
from matplotlib import pyplot

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.func import functional_call, grad, vmap


def loss(weights: dict, image: np.ndarray, digit: np.ndarray) -> np.ndarray:
    """The cross-entropy of one image (64,)."""
    return nn.functional.cross_entropy(functional_call(model, weights, image), digit)


tl.manual_seed(0)
rng = np.random.default_rng(0)
images, digits = tl.data.load_digits()
labels = digits.copy()
wrong = rng.choice(len(labels), 20, replace=False)
labels[wrong] = (labels[wrong] + rng.integers(1, 10, 20)) % 10
model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10)).double()
x, y = tl.tensor(images.astype(np.float64)), tl.tensor(labels)
optimizer = optim.Adam(model.parameters(), lr=0.01)
for _ in range(60):
    optimizer.zero_grad()
    mean_loss = nn.functional.cross_entropy(model(x), y)
    mean_loss.backward()
    optimizer.step()

weights = {name: parameter.array for name, parameter in model.named_parameters()}
gradients = vmap(grad(loss), (None, 0, 0))(weights, x.array, labels)  # "0.weight": (1797, 32, 64), and so on
norms = np.sqrt(sum((g**2).reshape(len(g), -1).sum(1) for g in gradients.values()))  # (1797,)
order = np.argsort(-norms)  # the longest first
found = np.isin(order[:40], wrong).sum()
print(f"the longest 5% hold {np.sum(norms[order[:90]] ** 2) / np.sum(norms**2):.0%} of the sum of squared lengths; "
      f"of the 20 wrong labels {found} are among the longest 40 of {len(norms)}")

# What they are by hand: a layer's gradient is the outer product of its input and what comes back from its output.
h = np.tanh(x.array @ weights["0.weight"].T + weights["0.bias"])
back2 = nn.functional.softmax(h @ weights["2.weight"].T + weights["2.bias"], axis=-1) - np.eye(10)[labels]  # (1797, 10)
back1 = back2 @ weights["2.weight"] * (1 - h**2)  # (1797, 32)
by_hand = np.sqrt((1 + (x.array**2).sum(1)) * (back1**2).sum(1) + (1 + (h**2).sum(1)) * (back2**2).sum(1))
together = grad(lambda w: nn.functional.cross_entropy(functional_call(model, w, x), labels))(weights)
mean_error = max(np.abs(g.mean(0) - together[name]).max() for name, g in gradients.items())
print(f"largest difference from the lengths by hand {np.abs(norms - by_hand).max():.0e}; "
      f"of the mean of all from the gradient of the mean {mean_error:.0e}")

figure, axes = pyplot.subplots(4, 8, figsize=(11, 6.6))
for axis, i in zip(axes.flat, [*order[:24], *order[-8:]]):
    axis.imshow(images[i].reshape(8, 8), cmap="gray_r")
    changed = labels[i] != digits[i]
    axis.set_title(f"{labels[i]}: {norms[i]:.2g}", color="tab:red" if changed else "black", fontsize="medium")
    axis.set(xticks=[], yticks=[])
figure.suptitle("label: length of the gradient (red: the label is wrong). Above the 24 longest, below the 8 shortest")
figure.tight_layout()
figure.savefig("gradient_norms.png")
print("written: gradient_norms.png")
