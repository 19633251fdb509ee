"""A differential equation that is a network (Chen et al., 2018): it learns the motion on a spiral from noisy points,
with gradients by the adjoint method, an equation that is solved backwards in time; writes its trajectories to
neural_ode.png.

    python examples/derivatives/neural_ode.py
"""

from collections.abc import Callable

import numpy as np
from matplotlib import pyplot

import tinygrad_lite as tl
from tinygrad_lite import optim
from tinygrad_lite.func import grad, vjp

UNITS, GAP, NOISE = 24, 0.4, 0.02


def spiral(state: list) -> list:
    """How the true system moves: it turns, faster far out, and is drawn to the middle."""
    return [state[0] ** 3 @ np.array([[-0.1, 2.0], [-2.0, -0.1]])]


def field(z: np.ndarray, w: np.ndarray) -> np.ndarray:
    """How the network says that points z (n, 2) move; all of its weights are in one vector w."""
    W1, b1, W2 = w[: 2 * UNITS].reshape(2, UNITS), w[2 * UNITS : 3 * UNITS], w[3 * UNITS :].reshape(UNITS, 2)
    return np.tanh(z @ W1 + b1) @ W2


def solve(motion: Callable, state: list, time: float, steps: int) -> list:
    """The state after some time (before it, if negative), by the method of Runge and Kutta."""
    dt = time / steps
    for _ in range(steps):
        k1 = motion(state)
        k2 = motion([s + dt / 2 * k for s, k in zip(state, k1)])
        k3 = motion([s + dt / 2 * k for s, k in zip(state, k2)])
        k4 = motion([s + dt * k for s, k in zip(state, k3)])
        state = [s + dt / 6 * (a + 2 * b + 2 * c + d) for s, a, b, c, d in zip(state, k1, k2, k3, k4)]
    return state


def distance(z: np.ndarray) -> np.ndarray:
    """The mean squared distance of points z (n, 2) from where they should be."""
    return np.mean((z - ends) ** 2)


def loss(w: np.ndarray, steps: int) -> np.ndarray:
    """How wrong the network is about where the points are after GAP; its gradient goes through the solver."""
    return distance(solve(lambda state: [field(state[0], w)], [starts], GAP, steps)[0])


def by_adjoint(w: np.ndarray, steps: int) -> np.ndarray:
    """The gradient of `loss` without a tape of the solver: the state, its adjoint a = dloss/dz(t) and the gradient so
    far run back in time together, da/dt = -(df/dz)^T a and dg/dt = -(df/dw)^T a."""
    def backwards(state: list) -> list:
        z, a, _ = state
        velocity, pullback = vjp(field, z, w)
        to_z, to_w = pullback(a)
        return [velocity, -to_z, -to_w]

    z = solve(lambda state: [field(state[0], w)], [starts], GAP, steps)[0]
    return solve(backwards, [z, grad(distance)(z), np.zeros_like(w)], -GAP, steps)[2]


def trajectory(motion: Callable, z: np.ndarray) -> np.ndarray:
    """Where one point (1, 2) is every twentieth of a second, 241 times (241, 2)."""
    states = [z]
    for _ in range(240):
        states.append(solve(motion, [states[-1]], 0.05, 4)[0])
    return np.concatenate(states)


rng = np.random.default_rng(0)
true = trajectory(spiral, np.array([[1.5, 0.0]]))
seen = true + NOISE * rng.standard_normal(true.shape)
starts, ends = seen[:-8], seen[8:]  # GAP apart
w = tl.tensor(0.5 * rng.standard_normal(5 * UNITS), requires_grad=True)
optimizer = optim.Adam([w], lr=0.1)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000)
for _ in range(1000):
    w.grad = tl.tensor(by_adjoint(w.array, 3))
    optimizer.step()
    scheduler.step()
w = w.array
learned = trajectory(lambda state: [field(state[0], w)], true[:1])
error = np.linalg.norm(learned - true, axis=1).mean()
print(f"error after {GAP} s {np.sqrt(loss(w, 8)):.4f}, of which noise alone makes {NOISE * np.sqrt(2):.4f}; "
      f"on the whole trajectory {error:.4f}")
counts = np.array([2, 4, 8, 16, 32])
errors = np.array([np.abs(by_adjoint(w, n) - grad(loss)(w, n)).max() for n in counts])
print(f"adjoint gradient less that through the solver: {errors[0]:.0e} in 2 steps, {errors[-1]:.0e} in 32")

figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 5))
line = np.linspace(-1.8, 1.8, 40)
flow = field(np.stack(np.meshgrid(line, line), -1).reshape(-1, 2), w).reshape(40, 40, 2)
left.streamplot(line, line, flow[..., 0], flow[..., 1], color="0.85", linewidth=0.8)
left.plot(*true.T, color="black", linewidth=4, alpha=0.3, label="true motion")
left.plot(*seen.T, ".", color="black", markersize=4, label="noisy points")
left.plot(*learned.T, color="tab:red", label="learned, from the first point on")
left.set(title="12 seconds on a spiral, and the field learned", xlabel="x", ylabel="y", ylim=(-1.8, 2.4))
left.legend(loc="upper right", ncols=2)
right.loglog(counts, errors, "o-", color="tab:red", label="largest difference")
right.loglog(counts, errors[-1] * (counts / counts[-1]) ** -4.0, ":", color="black", label="steps to the power of -4")
right.set(title="adjoint gradient and gradient through the solver", xlabel="steps of the solver", ylabel="difference")
right.set_xticks(counts, counts, minor=False)
right.minorticks_off()
right.legend()
figure.tight_layout()
figure.savefig("neural_ode.png")
print("written: neural_ode.png")
