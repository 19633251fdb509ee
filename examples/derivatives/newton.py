"""Newton's method by exact derivatives: the cube roots of 1 from every start in the plane, and the lowest point of a
curved valley; writes the starts that lead to each root, and the way down the valley, to newton.png.

    python examples/derivatives/newton.py
"""

import numpy as np
from matplotlib import pyplot

from tinygrad_lite.func import grad, hessian, jacfwd, vmap


def cube_minus_one(z: np.ndarray) -> np.ndarray:
    """z^3 - 1 of a complex number z = x + iy, as a map of the plane: (x, y) to its real and imaginary part."""
    x, y = z[0], z[1]
    return np.stack([x**3 - 3 * x * y**2 - 1, 3 * x**2 * y - y**3])


def towards_root(z: np.ndarray) -> np.ndarray:
    """One step of Newton's method: where the tangent map of z^3 - 1 is zero."""
    return z - np.linalg.solve(jacfwd(cube_minus_one)(z), cube_minus_one(z))


def rosenbrock(p: np.ndarray) -> np.ndarray:
    """Rosenbrock's valley (1960): it winds along y = x^2 and is lowest, 0, at (1, 1)."""
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def towards_minimum(p: np.ndarray) -> np.ndarray:
    """One step of Newton's method for a minimum: where the gradient of the local parabola is zero."""
    return p - np.linalg.solve(hessian(rosenbrock)(p), grad(rosenbrock)(p))


# ---------------------------------------------------------------- roots, from a whole grid of starts at once
side = 200
line = np.linspace(-1.5, 1.5, side)  # of an even number of points, so that 0, where no tangent leads on, is not one
points = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)  # (side * side, 2)
angles = 2 * np.pi * np.arange(3) / 3
roots = np.stack([np.cos(angles), np.sin(angles)], 1)  # (3, 2): what the formula says
steps_taken = np.zeros(len(points))
for _ in range(40):
    distance = np.linalg.norm(points[:, None] - roots, axis=-1)  # (side * side, 3)
    moving = distance.min(1) > 1e-12
    steps_taken += moving
    if not moving.any():
        break
    points[moving] = vmap(towards_root)(points[moving])
basin = distance.argmin(1)
for k, root in enumerate(roots):
    print(f"root {root.round(4)}: found from {(basin == k).mean():.1%} of {len(points)} starts, "
          f"at most {distance[basin == k, k].max():.0e} away")

# ---------------------------------------------------------------- a minimum
path = [np.array([-1.2, 1.0])]
while np.abs(grad(rosenbrock)(path[-1])).max() > 1e-10:
    path.append(towards_minimum(path[-1]))
path = np.stack(path)
minimum = path[-1]
errors = np.linalg.norm(path - 1, axis=1)
print(f"minimum {minimum} after {len(path) - 1} steps; distances to it {', '.join(f'{e:.0e}' for e in errors)}")

figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 5))
shade = 0.25 + 0.75 * np.exp(-steps_taken / 12)  # darker where it takes more steps
colors = np.array([[0.27, 0.51, 0.71], [0.93, 0.60, 0.30], [0.44, 0.68, 0.44]])[basin] * shade[:, None]
left.imshow(colors.reshape(side, side, 3), origin="lower", extent=(-1.5, 1.5, -1.5, 1.5))
left.plot(*roots.T, "o", color="white", markeredgecolor="black")
left.set(title="the root of z³ - 1 that each start leads to", xlabel="real part", ylabel="imaginary part")
x, y = np.meshgrid(np.linspace(-1.6, 1.6, 200), np.linspace(-3.5, 1.8, 200))
right.contourf(x, y, np.log10(rosenbrock(np.stack([x, y])) + 1e-3), levels=25, cmap="Blues_r")
right.plot(*path.T, "o-", color="darkorange", label=f"Newton's {len(path) - 1} steps")
right.plot(1, 1, "*", color="white", markeredgecolor="black", markersize=14, label="minimum")
right.set(title="Rosenbrock's valley (logarithm of the height)", xlabel="x", ylabel="y")
right.legend(loc="lower left")
figure.tight_layout()
figure.savefig("newton.png")
print("written: newton.png")
