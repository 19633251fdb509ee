"""Two moons, told apart by a small network; writes the border it learned to moons.png.

    python examples/moons.py
"""

import numpy as np
from matplotlib import pyplot

import tinygrad_lite as tl
from tinygrad_lite import nn, optim


def moons(n: int, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """n points (n, 2) on two interlocking half circles, and which of them each is on (n,)."""
    rng = np.random.default_rng(0)
    label = np.arange(n) % 2
    angle = rng.uniform(0, np.pi, n)
    x = np.stack([np.cos(angle), np.sin(angle)], 1)
    x[label == 1] = [1, 0.5] - x[label == 1]
    return (x + noise * rng.standard_normal((n, 2))).astype(np.float32), label


tl.manual_seed(0)
x, y = moons(400)
model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = optim.Adam(model.parameters(), lr=0.02)
for step in range(301):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(tl.tensor(x)), y)
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step:3}  cross-entropy {loss:.4f}")

grid = np.stack(np.meshgrid(np.linspace(-1.5, 2.5, 200), np.linspace(-1, 1.5, 120)), -1).astype(np.float32)
with tl.no_grad():
    share = nn.functional.softmax(model(tl.tensor(grid)))[..., 1].array  # (120, 200)
pyplot.contourf(grid[..., 0], grid[..., 1], share, levels=20, cmap="coolwarm", alpha=0.6)
pyplot.scatter(*x.T, c=y, cmap="coolwarm", edgecolor="black", s=15)
pyplot.savefig("moons.png")
print("written: moons.png")
