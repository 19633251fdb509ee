"""Learning to learn sine curves from ten points (MAML: Finn, Abbeel and Levine, 2017), by a gradient through gradient
steps; writes what the network knows before and after a few steps to maml.png.

    python examples/derivatives/maml.py
"""

import numpy as np
from matplotlib import pyplot

import tinygrad_lite as tl
from tinygrad_lite import optim
from tinygrad_lite.func import grad, vmap

SHOTS, TASKS, RATE = 10, 20, 0.05


def sines(n: int) -> tuple[np.ndarray, np.ndarray]:
    """n sine curves with amplitudes and phases of their own, each at 2 * SHOTS points: x and y (n, 2 * SHOTS, 1)."""
    amplitude, phase = rng.uniform(0.5, 3, (n, 1, 1)), rng.uniform(0, np.pi, (n, 1, 1))
    x = rng.uniform(-4, 4, (n, 2 * SHOTS, 1))
    return x, amplitude * np.sin(x + phase)


def network(weights: dict, x: np.ndarray) -> np.ndarray:
    """Two layers of tanh units: x (n, 1) to y (n, 1)."""
    h = np.tanh(x @ weights["W1"] + weights["b1"])
    h = np.tanh(h @ weights["W2"] + weights["b2"])
    return h @ weights["W3"] + weights["b3"]


def error(weights: dict, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mean squared error."""
    return np.mean((network(weights, x) - y) ** 2)


def adapted(weights: dict, x: np.ndarray, y: np.ndarray, steps: int = 1) -> dict:
    """The weights after a few steps of gradient descent on one curve."""
    for _ in range(steps):
        gradient = grad(error)(weights, x, y)
        weights = {name: w - RATE * gradient[name] for name, w in weights.items()}
    return weights


def error_after(weights: dict, x: np.ndarray, y: np.ndarray, steps: int = 1) -> np.ndarray:
    """The error on the second half of a curve's points after learning from the first half."""
    return error(adapted(weights, x[:SHOTS], y[:SHOTS], steps), x[SHOTS:], y[SHOTS:])


def meta_loss(weights: dict, x: np.ndarray, y: np.ndarray, learn: bool = True) -> np.ndarray:
    """The mean error on many curves as a function of the weights that learning starts from, after it or before."""
    return np.mean(vmap(error_after if learn else error, (None, 0, 0))(weights, x, y))


def trained(learn: bool, steps: int) -> dict:
    """Weights that lead to a small error after learning (or, without, that give one as they are)."""
    shapes = {"W1": (1, 40), "b1": (40,), "W2": (40, 40), "b2": (40,), "W3": (40, 1), "b3": (1,)}
    weights = {n: tl.tensor(rng.standard_normal(s) * s[0] ** -0.5, requires_grad=True) for n, s in shapes.items()}
    optimizer = optim.Adam(list(weights.values()), lr=4e-3)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        meta_loss(weights, *sines(TASKS), learn).backward()  # with `learn`, through the gradients inside
        optimizer.step()
        scheduler.step()
    return {name: w.array for name, w in weights.items()}


rng = np.random.default_rng(0)
starts = {"MAML": trained(True, 500), "trained on all curves at once": trained(False, 200)}
new_curves = sines(200)
line = np.linspace(-4, 4, 200)[:, None]
shots = np.linspace(-3.5, 3.5, SHOTS)[:, None]
figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.8), sharey=True, layout="constrained")
left = {}  # what error is left after so many steps
for axis, (name, weights) in zip(axes, starts.items()):
    axis.plot(line, 2 * np.sin(line + 0.6), color="black", linewidth=4, alpha=0.3, label="a new curve")
    for steps, style in ((0, ":"), (1, "--"), (10, "-")):
        left[name, steps] = np.mean(vmap(error_after, (None, 0, 0, None))(weights, *new_curves, steps))
        learned = adapted(weights, shots, 2 * np.sin(shots + 0.6), steps)
        axis.plot(line, network(learned, line), style, color="tab:red", label=f"after {steps} steps")
    axis.plot(shots, 2 * np.sin(shots + 0.6), "o", color="black", label=f"the {SHOTS} points learned from")
    axis.set(title=name, xlabel="x", ylim=(-3, 3))
    print(f"{name}: on new curves, error {left[name, 0]:.3f} at first, {left[name, 1]:.3f} after 1 step, "
          f"{left[name, 10]:.3f} after 10")
axes[0].set_ylabel("y")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
figure.savefig("maml.png")
print("written: maml.png")
