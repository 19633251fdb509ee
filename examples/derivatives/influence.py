"""Which training examples a prediction is due to, without training again: influence functions (Koh and Liang, 2017),
by products with the Hessian and conjugate gradients; checked by leaving examples out; writes influence.png.

    python examples/derivatives/influence.py
"""

from collections.abc import Callable

import numpy as np
from matplotlib import pyplot

import tinygrad_lite as tl
from tinygrad_lite.func import grad, hessian, hvp, vmap


def loss(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """-log p(y) of one example x (31,) by logistic regression."""
    score = x @ w
    return np.logaddexp(0, score) - y * score


def objective(w: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """What training makes small: the losses of all examples, each counted so often, and a penalty."""
    return np.sum(counts * loss(w, X, Y)) + 0.5 * np.sum(w**2)


def trained(counts: np.ndarray, w: np.ndarray, steps: int) -> np.ndarray:
    """The weights of least objective, by Newton's method from a start w."""
    for _ in range(steps):
        w = w - np.linalg.solve(hessian(objective)(w, counts), grad(objective)(w, counts))
    return w


def conjugate_gradients(product: Callable, b: np.ndarray, steps: int) -> np.ndarray:
    """x with H x = b, of a positive definite H that is known by its products alone."""
    x, r = np.zeros_like(b), b
    p = r
    for _ in range(steps):
        Hp = product(p)
        step = (r @ r) / (p @ Hp)
        x, r_new = x + step * p, r - step * Hp
        p, r = r_new + (r_new @ r_new) / (r @ r) * p, r_new
    return x


features, labels = tl.data.load_breast_cancer()
features = (features - features.mean(0)) / features.std(0)
features = np.concatenate([features, np.ones((len(features), 1))], 1)  # the last weight is the bias
X, Y, X_test, Y_test = tl.data.split(features, labels)
everyone = np.ones(len(X))
w = trained(everyone, np.zeros(31), 12)

# An example that is left out moves the weights by H^-1 times its gradient, to first order, and a test loss accordingly.
mistake = np.argmax(loss(w, X_test, Y_test))  # the test example that is predicted worst
target = lambda w: loss(w, X_test[mistake], Y_test[mistake])
direction = conjugate_gradients(lambda v: hvp(lambda w: objective(w, everyone), w, v), grad(target)(w), 40)
direction_error = np.abs(hessian(objective)(w, everyone) @ direction - grad(target)(w)).max()
influence = vmap(grad(loss), (None, 0, 0))(w, X, Y) @ direction  # (455,): of leaving each one out
print(f"loss of a test example {target(w):.4f}; conjugate gradients solve to {direction_error:.0e}")

without = vmap(lambda counts: trained(counts, w, 4))(1 - np.eye(len(X)))  # (455, 31): trained again without each
actual = vmap(target)(without) - target(w)
correlation = np.corrcoef(influence, actual)[0, 1]
print(f"correlation of influence and what leaving out does, of all {len(X)} examples: {correlation:.4f}")
for what, i in (("least", np.argmin(influence)), ("most", np.argmax(influence))):
    print(f"the loss grows {what} without example {i}: by {influence[i]:+.4f} by influence, {actual[i]:+.4f} in fact")

pyplot.figure(figsize=(6, 5.5))
ends = [min(influence.min(), actual.min()), max(influence.max(), actual.max())]
pyplot.plot(ends, ends, color="0.7", label="equal")
for kind, name, color in ((0, "malignant", "tab:red"), (1, "benign", "tab:blue")):
    mine = Y == kind
    pyplot.plot(influence[mine], actual[mine], "o", color=color, alpha=0.6, label=f"{name} training examples")
pyplot.gca().set(title=f"leaving out each of {len(X)} examples (correlation {correlation:.3f})",
                 xlabel="change of a test loss by influence", ylabel="change of that loss, trained again")
pyplot.legend()
pyplot.tight_layout()
pyplot.savefig("influence.png")
print("written: influence.png")
