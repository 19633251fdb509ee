"""The gradient of a fixed point without differentiating through the iterations that found it: one more linear fixed
point, of vector-Jacobian products (deep equilibrium models: Bai, Kolter and Koltun, 2019); writes how fast both ways
converge to fixed_point.png.

    python examples/derivatives/fixed_point.py
"""

import tracemalloc
from collections.abc import Callable

import numpy as np
from matplotlib import pyplot

from tinygrad_lite.func import grad, jacrev, vjp


def layer(z: np.ndarray, W: np.ndarray) -> np.ndarray:
    """What the equilibrium z (32,) does not change: a layer that is applied forever."""
    return np.tanh(W @ z + bias)


def loss(z: np.ndarray) -> np.ndarray:
    """What the equilibrium is used for."""
    return np.sum((z - target) ** 2)


def equilibrium(W: np.ndarray, steps: int) -> np.ndarray:
    """z after so many applications of the layer."""
    z = np.zeros(32)
    for _ in range(steps):
        z = layer(z, W)
    return z


def through_iterations(W: np.ndarray, steps: int) -> np.ndarray:
    """The gradient of the loss by the weights, by a tape of all iterations: memory grows with their number."""
    return grad(lambda W: loss(equilibrium(W, steps)))(W)


def implicit(W: np.ndarray, steps: int) -> np.ndarray:
    """The same by the implicit function theorem, from the equilibrium alone.

    z = f(z, W) gives dz/dW = (1 - df/dz)^-1 df/dW; so u = (1 - df/dz)^-T dloss/dz is itself a fixed point, of
    u = dloss/dz + (df/dz)^T u, and the gradient is (df/dW)^T u.
    """
    z = equilibrium(W, steps)
    _, by_z = vjp(lambda z: layer(z, W), z)
    _, by_W = vjp(lambda W: layer(z, W), W)
    u = slope = grad(loss)(z)
    for _ in range(steps):
        u = slope + by_z(u)[0]
    return by_W(u)[0]


def memory(way: Callable, steps: int) -> float:
    """The most that one way to the gradient keeps at a time, in kilobytes."""
    tracemalloc.start()
    way(W, steps)
    most = tracemalloc.get_traced_memory()[1] / 1e3
    tracemalloc.stop()
    return most


rng = np.random.default_rng(0)
W = rng.standard_normal((32, 32))
W = 1.4 * W / np.linalg.norm(W, 2)
bias, target = rng.standard_normal(32), rng.standard_normal(32)

z = equilibrium(W, 1000)
dz, dW = jacrev(layer, (0, 1))(z, W)  # (32, 32), (32, 32, 32)
u = np.linalg.solve(np.eye(32) - dz.T, grad(loss)(z))
exact = np.tensordot(u, dW, 1)  # (32, 32), with the linear equations solved outright
counts = [1, 5, 10, 20, 30, 40, 50, 60, 80, 100]
figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4.2))
errors = {}
for name, way in {"through the iterations": through_iterations, "at the equilibrium": implicit}.items():
    errors[name] = [np.linalg.norm(way(W, n) - exact) / np.linalg.norm(exact) for n in counts]
    kept = [memory(way, n) for n in counts]
    print(f"{name:22}  error after 20 steps {errors[name][3]:.0e}, after 100 {errors[name][-1]:.0e}; "
          f"memory for 100 steps {kept[-1]:.0f} kB")
    left.semilogy(counts, errors[name], "o-", label=name)
    right.plot(counts, kept, "o-", label=name)
left.set(title="error of the gradient", xlabel="applications of the layer", ylabel="relative to the exact gradient")
right.set(title="memory", xlabel="applications of the layer", ylabel="kilobytes at most", ylim=0)
left.legend()
right.legend()
figure.tight_layout()
figure.savefig("fixed_point.png")
print("written: fixed_point.png")
