"""A Gaussian process chooses its own hyperparameters: it climbs the evidence by its gradient and its Hessian, which
also tells how sure the choice is (Rasmussen and Williams, 2006); writes the fit to gaussian_process.png.

    python examples/derivatives/gaussian_process.py
"""

import numpy as np
from matplotlib import pyplot

from tinygrad_lite.func import grad, hessian, vmap

NAMES = ["length scale", "signal", "noise"]


def kernel(a: np.ndarray, b: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """How much the function at a (n,) has to do with that at b (m,): (n, m)."""
    return np.exp(2 * theta[1]) * np.exp(-0.5 * ((a[:, None] - b) / np.exp(theta[0])) ** 2)


def surprise(theta: np.ndarray) -> np.ndarray:
    """-log p(y) of the data; theta (3,) holds the logarithms of the hyperparameters."""
    K = kernel(x, x, theta) + np.exp(2 * theta[2]) * np.eye(len(x))
    return 0.5 * (y @ np.linalg.solve(K, y) + np.linalg.slogdet(K)[1] + len(x) * np.log(2 * np.pi))


def gradient_by_hand(theta: np.ndarray) -> np.ndarray:
    """tr((K^-1 - K^-1 y y^T K^-1) dK) / 2 for each hyperparameter, as the textbook has it."""
    signal = kernel(x, x, theta)
    inverse = np.linalg.inv(signal + np.exp(2 * theta[2]) * np.eye(len(x)))
    inner = inverse - np.outer(inverse @ y, inverse @ y)
    dK = [signal * ((x[:, None] - x) / np.exp(theta[0])) ** 2, 2 * signal, 2 * np.exp(2 * theta[2]) * np.eye(len(x))]
    return np.array([0.5 * np.sum(inner * d) for d in dK])


def towards_minimum(theta: np.ndarray) -> np.ndarray:
    """A Newton step, which goes down along directions in which the surprise is curved downwards too."""
    values, vectors = np.linalg.eigh(hessian(surprise)(theta))
    step = vectors @ (vectors.T @ grad(surprise)(theta) / np.abs(values))
    return theta - step / max(1, np.linalg.norm(step))


rng = np.random.default_rng(0)
x = np.sort(rng.uniform(0, 10, 40))
y = np.sin(x) + 0.15 * rng.standard_normal(40)
theta = start = np.log([3.0, 3.0, 1.0])
steps = 0
while np.abs(grad(surprise)(theta)).max() > 1e-9 and steps < 50:
    theta, steps = towards_minimum(theta), steps + 1
print(f"-log p(y) {surprise(start):.3f} at the start, {surprise(theta):.3f} after {steps} Newton steps, slope "
      f"{np.abs(grad(surprise)(theta)).max():.0e}")
gradient_error = np.abs(grad(surprise)(start) - gradient_by_hand(start)).max()
H = hessian(surprise)(theta)
ends = [np.stack([gradient_by_hand(theta + s * unit) for unit in np.eye(3)]) for s in (1e-5, -1e-5)]
hessian_error = np.abs(H - (ends[0] - ends[1]) / 2e-5).max()
print(f"gradient less that by hand {gradient_error:.0e}; Hessian less finite differences of that {hessian_error:.0e}")
sure = np.sqrt(np.diag(np.linalg.inv(H)))  # near its top the evidence is a bell curve of this covariance
for name, value, relative in zip(NAMES, np.exp(theta), sure):
    print(f"{name:12} {value:.3f}, between {value * np.exp(-relative):.3f} and {value * np.exp(relative):.3f}")

line = np.linspace(-1, 11, 300)
K, cross = kernel(x, x, theta) + np.exp(2 * theta[2]) * np.eye(40), kernel(line, x, theta)
mean = cross @ np.linalg.solve(K, y)  # (300,)
width = np.sqrt(np.exp(2 * theta[1]) - np.sum(cross * np.linalg.solve(K, cross.T).T, 1))
figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5))
left.fill_between(line, mean - 2 * width, mean + 2 * width, color="tab:blue", alpha=0.25, label="± 2 deviations")
left.plot(line, mean, color="tab:blue", label="mean of the process")
left.plot(line, np.sin(line), "--", color="black", label="true function")
left.plot(x, y, "o", color="black", markersize=4, label="data")
left.set(title=f"a Gaussian process, noise {np.exp(theta[2]):.2f} (true: 0.15)", xlabel="x", ylabel="y", ylim=(-2, 3.4))
left.legend(ncols=2, loc="upper right")
lengths, noises = np.meshgrid(np.linspace(0, 0.95, 50), np.linspace(-2.25, -1.35, 50))  # logarithms
grid = np.stack([lengths, np.full_like(lengths, theta[1]), noises], -1).reshape(-1, 3)
evidence = np.exp(surprise(theta) - vmap(surprise)(grid)).reshape(50, 50)
right.contourf(np.exp(lengths), np.exp(noises), evidence, levels=12, cmap="Blues")
angle = np.linspace(0, 2 * np.pi, 100)
covariance = np.linalg.inv(H[np.ix_([0, 2], [0, 2])])
for n in (1, 2):
    ring = theta[[0, 2]] + n * np.stack([np.cos(angle), np.sin(angle)], 1) @ np.linalg.cholesky(covariance).T
    right.plot(*np.exp(ring).T, color="tab:red", label="1 and 2 deviations by the Hessian" if n == 1 else None)
right.plot(*np.exp(theta[[0, 2]]), "*", color="tab:red", markersize=12, label="most evidence")
right.set(title="the evidence, and what the Hessian says of it", xlabel="length scale", ylabel="noise")
right.legend(loc="upper right")
figure.tight_layout()
figure.savefig("gaussian_process.png")
print("written: gaussian_process.png")
