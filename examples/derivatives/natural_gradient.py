"""The natural gradient (Amari, 1998) beside the ordinary one: a normal distribution, fitted to data by both;
writes to natural_gradient.png how the way of one depends on the choice of parameters, and that of the other does not.

    python examples/derivatives/natural_gradient.py
"""

from collections.abc import Callable

import numpy as np
from matplotlib import pyplot

from tinygrad_lite.func import grad, vmap


def by_logarithm(theta: np.ndarray) -> tuple:
    """Mean and width, where the parameters are the mean and the logarithm of the width."""
    return theta[0], np.exp(theta[1])


def by_precision(theta: np.ndarray) -> tuple:
    """Mean and width, where the parameters are the mean and the precision, 1 / width^2."""
    return theta[0], theta[1] ** -0.5


def surprise(theta: np.ndarray, x: np.ndarray, meaning: Callable) -> np.ndarray:
    """-log p(x) of one number under the normal distribution with these parameters (2,)."""
    mean, width = meaning(theta)
    return 0.5 * ((x - mean) / width) ** 2 + np.log(width) + 0.5 * np.log(2 * np.pi)


def ordinary(theta: np.ndarray, meaning: Callable) -> np.ndarray:
    """The gradient of the mean surprise at the data (2,)."""
    return grad(lambda theta: np.mean(surprise(theta, data, meaning)))(theta)


def fisher(theta: np.ndarray, meaning: Callable) -> np.ndarray:
    """How much the distribution itself changes with its parameters: the mean of g g^T over gradients g of the surprise
    at numbers that the model, not the data, would give (2, 2)."""
    mean, width = meaning(theta)
    g = vmap(grad(surprise), (None, 0, None))(theta, mean + width * nodes, meaning)  # (10, 2)
    return (g.T * shares) @ g


def natural(theta: np.ndarray, meaning: Callable) -> np.ndarray:
    """The direction in which the surprise falls most for a small change of the distribution, not of its parameters."""
    return np.linalg.solve(fisher(theta, meaning), ordinary(theta, meaning))


def descent(direction: Callable, theta: np.ndarray, meaning: Callable, rate: float, steps: int) -> np.ndarray:
    """Mean and width at each step (steps + 1, 2)."""
    way = [meaning(theta)]
    for _ in range(steps):
        theta = theta - rate * direction(theta, meaning)
        way.append(meaning(theta))
    return np.array(way)


rng = np.random.default_rng(0)
data = 1 + 0.3 * rng.standard_normal(500)
best = np.array([data.mean(), data.std()])  # the fit of least surprise, by the formula
nodes, shares = np.polynomial.hermite_e.hermegauss(10)  # numbers that stand for all that a normal distribution gives
shares = shares / shares.sum()
starts = {by_logarithm: np.array([-1, np.log(2)]), by_precision: np.array([-1, 2**-2])}  # mean -1, width 2, both

exact = {by_logarithm: np.diag([1 / 4, 2]), by_precision: np.diag([1 / 4, 8])}  # by the formulas
for meaning, start in starts.items():
    print(f"Fisher matrix {meaning.__name__}: diagonal {np.diag(fisher(start, meaning))}, largest error "
          f"{np.abs(fisher(start, meaning) - exact[meaning]).max():.0e}")

x, y = np.meshgrid(np.linspace(-1.3, 1.6, 200), np.linspace(0.15, 2.6, 200))
figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.5), sharey=True)
apart, needed = {}, {}
for axis, direction, rate in zip(axes, (ordinary, natural), (0.1, 1.0)):  # the ordinary one goes astray above 0.18
    error = np.abs(descent(direction, starts[by_logarithm], by_logarithm, rate, 200) - best).max(1)
    needed[direction] = np.argmax(error < 1e-6)
    height = np.log(y) + (np.var(data) + (x - data.mean()) ** 2) / (2 * y**2)  # the mean surprise, but for a constant
    axis.contourf(x, y, np.log(height - height.min() + 0.1), levels=25, cmap="Blues_r")
    ways = [descent(direction, start, meaning, 0.01, 700) for meaning, start in starts.items()]  # in small steps
    apart[direction] = np.linalg.norm(ways[0] - ways[1], axis=1).max()
    axis.plot(*ways[0].T, color="tab:red", linewidth=4, alpha=0.5, label="parameters: mean, log width")
    axis.plot(*ways[1].T, "--", color="black", label="parameters: mean, 1 / width²")
    axis.plot(*best, "*", color="white", markeredgecolor="black", markersize=14, label="best fit")
    axis.set(title=f"{direction.__name__} gradient", xlabel="mean")
    print(f"{direction.__name__} gradient: {needed[direction]} steps to within 1e-6 of the best fit; the ways in two "
          f"sets of parameters are {apart[direction]:.4f} apart")
axes[0].set_ylabel("width")
axes[1].legend(loc="upper right")
figure.tight_layout()
figure.savefig("natural_gradient.png")
print("written: natural_gradient.png")
