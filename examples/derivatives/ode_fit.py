"""A network that solves a differential equation, a damped oscillator u'' + c u' + 4 u = 0, and learns the unknown
damping c from a few noisy measurements (Raissi, Perdikaris and Karniadakis, 2019); writes it to ode_fit.png.

    python examples/derivatives/ode_fit.py
"""

import numpy as np
from matplotlib import pyplot

from tinygrad_lite.func import grad, jacrev, vmap

WIDTH, STIFFNESS, DAMPING = 12, 4.0, 0.5


def exact(t: np.ndarray) -> np.ndarray:
    """The solution with u(0) = 1 and u'(0) = 0, by the formula."""
    decay, frequency = DAMPING / 2, np.sqrt(STIFFNESS - DAMPING**2 / 4)
    return np.exp(-decay * t) * (np.cos(frequency * t) + decay / frequency * np.sin(frequency * t))


def unpack(theta: np.ndarray) -> dict:
    """One vector of everything that is learned as the weights of the network and the damping."""
    rate, shift, height = theta[:-1].reshape(3, WIDTH)
    return {"rate": rate, "shift": shift, "height": height, "damping": theta[-1]}


def solution(t: np.ndarray, p: dict) -> np.ndarray:
    """The network's u(t): one layer of tanh units."""
    return np.sum(p["height"] * np.tanh(p["rate"] * t + p["shift"]))


def equation(t: np.ndarray, p: dict) -> np.ndarray:
    """u'' + c u' + 4 u at a time t, which is 0 where the network solves the equation."""
    velocity = grad(solution)
    acceleration = grad(velocity)
    return acceleration(t, p) + p["damping"] * velocity(t, p) + STIFFNESS * solution(t, p)


def residuals(theta: np.ndarray, equation_counts: bool) -> np.ndarray:
    """What ought to be 0: the network less the measurements, and the equation at many times."""
    p = unpack(theta)
    misfit = (vmap(solution, (0, None))(measured_at, p) - measured) / np.sqrt(len(measured_at))  # (12,)
    defect = vmap(equation, (0, None))(times, p) / np.sqrt(len(times))  # (60,)
    return np.concatenate([misfit, defect]) if equation_counts else misfit


def fitted(theta: np.ndarray, equation_counts: bool, steps: int = 80) -> np.ndarray:
    """Least squares by Levenberg and Marquardt: steps to the minimum of the linearized residuals, kept short by a
    caution that grows where a step does not help."""
    caution, r = 1.0, residuals(theta, equation_counts)
    for _ in range(steps):
        J = jacrev(residuals)(theta, equation_counts)  # (72, 37)
        new = theta - np.linalg.solve(J.T @ J + caution * np.eye(len(theta)), J.T @ r)
        r_new = residuals(new, equation_counts)
        helps = r_new @ r_new < r @ r
        theta, r, caution = (new, r_new, caution / 3) if helps else (theta, r, caution * 4)
    return theta


rng = np.random.default_rng(0)
times = np.linspace(0, 8, 60)  # where the equation is to hold
measured_at = np.linspace(0, 3, 12)  # all in the first three seconds: of the rest only the equation knows
measured = exact(measured_at) + 0.01 * rng.standard_normal(12)
start = np.concatenate([np.ones(WIDTH), -np.linspace(0, 8, WIDTH), 0.1 * rng.standard_normal(WIDTH), [0.0]])

fine = np.linspace(0, 8, 400)
pyplot.figure(figsize=(8, 4.5))
pyplot.axvspan(0, 3, color="0.93", label="measured here")
pyplot.plot(fine, exact(fine), color="black", linewidth=4, alpha=0.3, label="exact solution")
for equation_counts, name, style in ((False, "measurements alone", ":"), (True, "measurements and the equation", "-")):
    p = unpack(fitted(start, equation_counts))
    learned = vmap(solution, (0, None))(fine, p)
    error = np.abs(learned - exact(fine))
    print(f"fit to the {name}: largest error where measured {error[fine <= 3].max():.4f}, "
          f"later {error[fine > 3].max():.4f}")
    pyplot.plot(fine, learned, style, color="tab:red", label=f"fit to the {name}")
found = p["damping"]
print(f"damping: learned {found:.4f}, true {DAMPING}; left of the equation on average "
      f"{np.abs(vmap(equation, (0, None))(fine, p)).mean():.4f}")
pyplot.plot(measured_at, measured, "o", color="black", markersize=4, label="measurements")
pyplot.gca().set(title=f"an oscillator with damping {DAMPING}; learned: {found:.3f}", xlabel="time",
                 ylabel="displacement", ylim=(-1.2, 1.6))
pyplot.legend(ncols=2, loc="upper right")
pyplot.tight_layout()
pyplot.savefig("ode_fit.png")
print("written: ode_fit.png")
