"""The curvature of a loss: the spectrum of the Hessian of a digit classifier, by products with the Hessian alone
(Lanczos' method; Ghorbani, Krishnan and Xiao, 2019); writes its density to hessian_spectrum.png.

    python examples/derivatives/hessian_spectrum.py
"""

import numpy as np
from matplotlib import pyplot

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.func import grad, hvp, vmap

SIZES = (64, 16, 10)  # pixels, tanh units, digits
FLAT = 1e-3  # the picture's axis is asinh(eigenvalue / FLAT): proportional below it, logarithmic above


def logits(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A network with all of its weights in one vector w: x (n, 64) to (n, 10)."""
    at = 0
    for fan_in, fan_out in zip(SIZES, SIZES[1:]):
        W, b = w[at : at + fan_in * fan_out].reshape(fan_in, fan_out), w[at + fan_in * fan_out :][:fan_out]
        x, at = (np.tanh(x) if at else x) @ W + b, at + fan_in * fan_out + fan_out
    return x


def loss(w: np.ndarray) -> np.ndarray:
    """The mean cross-entropy of all digits."""
    return nn.functional.cross_entropy(logits(w, images), digits)


def lanczos(product, v: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (steps,) of the symmetric matrix behind `product` as a start v sees them, and the share of v in each.

    In a basis of v, H v, H H v, ... made orthonormal, H has three diagonals; the ends of its spectrum are there first.
    """
    basis, diagonal, beside = [v / np.linalg.norm(v)], [], []
    for _ in range(steps):
        u = product(basis[-1])
        diagonal.append(u @ basis[-1])
        Q = np.stack(basis)
        for _ in range(2):  # twice, because rounding leaves a little of what was there already
            u = u - Q.T @ (Q @ u)
        beside.append(np.linalg.norm(u))
        basis.append(u / beside[-1])
    T = np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
    values, vectors = np.linalg.eigh(T)
    return values, vectors[0] ** 2


def density(values: np.ndarray, shares: np.ndarray, width: float = 0.12) -> np.ndarray:
    """How many eigenvalues, as a share of all, lie about each of the sizes on the axis: a bell of a width for each."""
    bells = np.exp(-0.5 * ((axis[:, None] - np.arcsinh(values / FLAT)) / width) ** 2) / (width * np.sqrt(2 * np.pi))
    return bells @ shares


rng = np.random.default_rng(0)
images, digits = tl.data.load_digits()
images, digits = images[:1000].astype(np.float64), digits[:1000]
n_weights = sum((fan_in + 1) * fan_out for fan_in, fan_out in zip(SIZES, SIZES[1:]))
w = tl.tensor(0.2 * rng.standard_normal(n_weights), requires_grad=True)
optimizer = optim.Adam([w], lr=0.01)
for _ in range(150):
    optimizer.zero_grad()
    loss(w).backward()
    optimizer.step()
w = w.array  # (1210,)
print(f"cross-entropy {loss(w):.4f} with {n_weights} weights; largest gradient {np.abs(grad(loss)(w)).max():.0e}")

runs = [lanczos(lambda v: hvp(loss, w, v), rng.standard_normal(n_weights), 80) for _ in range(8)]
top, bottom = runs[0][0][-5:][::-1], runs[0][0][0]
H = vmap(lambda v: hvp(loss, w, v), chunk_size=128)(np.eye(n_weights))  # small enough a network to have all of it
exact = np.linalg.eigvalsh(H)
trace = n_weights * np.mean([values @ shares for values, shares in runs])
print(f"largest eigenvalues by Lanczos {top.round(4)}, exact {exact[-5:][::-1].round(4)}")
print(f"the least {bottom:.6f}, exact {exact[0]:.6f}; trace {trace:.3f}, exact {np.trace(H):.3f}; "
      f"{np.mean(np.abs(exact) < 1e-3):.0%} are below 0.001: almost all directions are flat")

axis = np.linspace(-3, 8.3, 500)
pyplot.figure(figsize=(8, 4.5))
pyplot.fill_between(axis, density(exact, np.full(n_weights, 1 / n_weights)), color="0.8", label="all eigenvalues")
pyplot.plot(axis, np.mean([density(*run) for run in runs], 0), color="tab:red", label="8 runs of Lanczos of 80 steps")
pyplot.vlines(np.arcsinh(top / FLAT), 1e-5, 0.1, color="tab:blue", linewidth=1, label="the largest five")
ticks = np.array([-0.01, -0.001, 0, 0.001, 0.01, 0.1, 1])
pyplot.xticks(np.arcsinh(ticks / FLAT), ticks)
pyplot.gca().set(title="most directions are flat, a few are steep", xlabel="eigenvalue of the Hessian",
                 ylabel="density", yscale="log", ylim=(1e-5, 10))
pyplot.legend()
pyplot.tight_layout()
pyplot.savefig("hessian_spectrum.png")
print("written: hessian_spectrum.png")
