"""How sure a classifier may be: the posterior of its weights as a bell curve with the Hessian for its width (Laplace's
approximation; MacKay, 1992), beside the exact posterior by sampling; writes what they predict to laplace.png.

    python examples/derivatives/laplace.py
"""

import numpy as np
from matplotlib import pyplot

import tinygrad_lite as tl
from tinygrad_lite.func import grad, hessian, vmap


def moons(n: int) -> tuple[np.ndarray, np.ndarray]:
    """n points (n, 2) about two interlocking half circles, and which of them each is on (n,)."""
    label = np.arange(n) % 2
    angle = rng.uniform(0, np.pi, n)
    x = np.stack([np.cos(angle), np.sin(angle)], 1)
    x[label == 1] = [1, 0.5] - x[label == 1]
    return x + 0.25 * rng.standard_normal((n, 2)), label


def powers(x: np.ndarray) -> np.ndarray:
    """1, a, b, a^2, ab, ... up to the third powers of points (a, b): (n, 2) to (n, 10)."""
    a, b = x.T
    return np.stack([a**i * b**j for i in range(4) for j in range(4 - i)], 1)


def surprise(w: np.ndarray) -> np.ndarray:
    """-log p(labels, weights), but for a constant: logistic regression on powers, with a standard normal prior."""
    score = powers(x) @ w
    return np.sum(np.logaddexp(0, score) - label * score) + 0.5 * np.sum(w**2)


sigmoid = tl.nn.functional.sigmoid
rng = np.random.default_rng(0)
x, label = moons(24)
w = np.zeros(10)
for _ in range(20):  # Newton's method: to the most likely weights
    w = w - np.linalg.solve(hessian(surprise)(w), grad(surprise)(w))
H = hessian(surprise)(w)
likely = sigmoid(powers(x) @ w)
by_hand = powers(x).T @ np.diag(likely * (1 - likely)) @ powers(x) + np.eye(10)
print(f"largest gradient {np.abs(grad(surprise)(w)).max():.0e}, Hessian less that by hand "
      f"{np.abs(H - by_hand).max():.0e}")

# The bell curve about w has the covariance H^-1. Its draws, each counted as often as it is more likely than the bell
# curve has it, are draws of the exact posterior.
L = np.linalg.cholesky(np.linalg.inv(H))
noise = rng.standard_normal((20_000, 10))
draws = w + noise @ L.T
ratio = np.exp(0.5 * np.sum(noise**2, 1) + surprise(w) - vmap(surprise)(draws))  # (20000,)
shares = ratio / ratio.sum()
by_laplace = -surprise(w) + np.log(np.diag(L)).sum()  # the height of the bell curve times its width
evidence = by_laplace + np.log(ratio.mean())
print(f"log evidence: Laplace {by_laplace:.3f}, by sampling {evidence:.3f} (20,000 draws that are worth "
      f"{1 / np.sum(shares**2):.0f})")

across, up = np.meshgrid(np.linspace(-3, 4, 60), np.linspace(-2.5, 3, 60))
features = powers(np.stack([across.ravel(), up.ravel()], 1))  # (3600, 10)
mean, variance = features @ w, np.sum((features @ L) ** 2, 1)  # of the score under the bell curve
chances = {
    "the most likely weights": sigmoid(mean),
    "Laplace": sigmoid(mean / np.sqrt(1 + np.pi / 8 * variance)),  # MacKay's mean of a sigmoid
    "sampling": sum(s @ sigmoid(d @ features.T) for s, d in zip(np.split(shares, 20), np.split(draws, 20))),
}
errors = {name: np.abs(chance - chances["sampling"]) for name, chance in chances.items()}
figure, axes = pyplot.subplots(1, 3, figsize=(12, 4.2), sharey=True, layout="constrained")
for axis, (name, chance) in zip(axes, chances.items()):
    print(f"{name:23}  surest {np.abs(chance - 0.5).max() + 0.5:.3f}, average {np.abs(chance - 0.5).mean() + 0.5:.3f}; "
          f"from sampling {errors[name].mean():.3f} on average, at most {errors[name].max():.3f}")
    filled = axis.contourf(across, up, chance.reshape(60, 60), levels=np.linspace(0, 1, 21), cmap="coolwarm")
    axis.scatter(*x.T, c=label, cmap="coolwarm", edgecolor="black", s=20)
    axis.set(title=name, xlabel="a")
axes[0].set_ylabel("b")
figure.colorbar(filled, label="probability of the red class", ticks=np.linspace(0, 1, 6))
figure.savefig("laplace.png")
print("written: laplace.png")
