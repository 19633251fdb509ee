"""The critic of a Wasserstein GAN with a gradient penalty (Gulrajani et al., 2017) measures how far one ring of points
is from another: a gradient of the norm of a gradient; writes the critic's heights to gradient_penalty.png.

    python examples/derivatives/gradient_penalty.py
"""

import numpy as np
from matplotlib import pyplot

import tinygrad_lite as tl
from tinygrad_lite import optim
from tinygrad_lite.func import grad, vmap


def ring(n: int, radius: float) -> np.ndarray:
    """n points (n, 2) about a circle."""
    angle, r = rng.uniform(0, 2 * np.pi, n), radius + 0.1 * rng.standard_normal(n)
    return np.stack([r * np.cos(angle), r * np.sin(angle)], 1)


def critic(x: np.ndarray, weights: dict) -> np.ndarray:
    """The height of one point (2,), or of many (n, 2)."""
    h = np.tanh(x @ weights["W1"] + weights["b1"])
    h = np.tanh(h @ weights["W2"] + weights["b2"])
    return h @ weights["w3"]


def steepness(x: np.ndarray, weights: dict) -> np.ndarray:
    """The length of the critic's gradient at one point."""
    return np.sqrt(np.sum(grad(critic)(x, weights) ** 2) + 1e-12)  # the root alone has no derivative at 0


def loss(weights: dict, inner: np.ndarray, outer: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The inner ring ought to be high, the outer one low, and the slope in between 1."""
    between = share * inner + (1 - share) * outer
    penalty = np.mean((vmap(steepness, (0, None))(between, weights) - 1) ** 2)
    return np.mean(critic(outer, weights)) - np.mean(critic(inner, weights)) + 10 * penalty


rng = np.random.default_rng(0)
shapes = {"W1": (2, 32), "b1": (32,), "W2": (32, 32), "b2": (32,), "w3": (32,)}
weights = {name: tl.tensor(rng.standard_normal(s) * s[0] ** -0.5, requires_grad=True) for name, s in shapes.items()}
optimizer = optim.Adam(list(weights.values()), lr=5e-3, betas=(0.5, 0.9))
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, 600)
for _ in range(600):
    optimizer.zero_grad()
    loss(weights, ring(64, 1.0), ring(64, 2.0), rng.uniform(size=(64, 1))).backward()
    optimizer.step()
    scheduler.step()

learned = {name: weight.array for name, weight in weights.items()}
inner, outer = ring(2000, 1.0), ring(2000, 2.0)
# The best critic is the cone -|x|, and the distance how much longer the points of the outer ring are on average.
exact = np.mean(np.linalg.norm(outer, axis=1)) - np.mean(np.linalg.norm(inner, axis=1))
distance = np.mean(critic(inner, learned)) - np.mean(critic(outer, learned))
between = inner + rng.uniform(size=(2000, 1)) * (outer - inner)
slope = np.mean(vmap(steepness, (0, None))(between, learned))  # -s + 10 (s - 1)^2 is least at a slope s of 1.05, not 1
print(f"critic: distance {distance:.4f} at slope {slope:.3f}, so {distance / slope:.4f} at slope 1; exact {exact:.4f}")
some = inner[:64], outer[:64], rng.uniform(size=(64, 1))
way = {name: rng.standard_normal(w.shape) for name, w in learned.items()}  # a direction in the space of weights
ends = [loss({k: w + step * way[k] for k, w in learned.items()}, *some) for step in (1e-5, -1e-5)]
by_tape = sum(np.sum(g * way[name]) for name, g in grad(loss)(learned, *some).items())
by_differences = (ends[0] - ends[1]) / 2e-5
print(f"slope of the loss along a direction: gradient {by_tape:.8f}, finite differences {by_differences:.8f}")

line = np.linspace(-2.6, 2.6, 120)
grid = np.stack(np.meshgrid(line, line), -1)  # (120, 120, 2)
height = critic(grid.reshape(-1, 2), learned).reshape(120, 120)
pyplot.figure(figsize=(6.5, 5.5))
pyplot.contourf(line, line, height - height.max(), levels=20, cmap="viridis")
pyplot.colorbar(label="height of the critic below its top")
pyplot.scatter(*inner[:300].T, s=6, color="white", label="inner ring")
pyplot.scatter(*outer[:300].T, s=6, color="tab:red", label="outer ring")
pyplot.gca().set(title=f"the critic is a cone: slope {slope:.2f} between the rings", xlabel="x", ylabel="y")
pyplot.gca().set_aspect("equal")
pyplot.legend(loc="upper right")
pyplot.tight_layout()
pyplot.savefig("gradient_penalty.png")
print("written: gradient_penalty.png")
