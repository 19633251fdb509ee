"""The examples of derivatives: each runs, writes its picture, and what it finds is right by another way."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples" / "derivatives"


def close(a, b, atol=0.0, rtol=0.0):
    np.testing.assert_allclose(a, b, atol=atol, rtol=rtol)


def differences(f, x, step=1e-5):
    """The derivatives of f by each number of a vector, by finite differences."""
    return np.stack([(f(x + step * unit) - f(x - step * unit)) / (2 * step) for unit in np.eye(len(x))])


def newton(n):
    z = n["points"] @ [1, 1j]
    close(z**3, np.ones(len(z)), atol=1e-10)
    close(n["roots"] @ [1, 1j], np.exp(2j * np.pi * np.arange(3) / 3), atol=1e-12)
    shares = np.bincount(n["basin"]) / len(z)
    close(shares[1], shares[2], atol=1e-12)  # a start and its mirror image lead to mirror images
    assert shares.min() > 0.3
    close(n["minimum"], [1, 1], atol=1e-10)
    assert n["errors"][-2] < n["errors"][-3] ** 1.5  # the error is about squared at each step


def ode_fit(n):
    assert n["error"].max() < 0.01 and abs(n["found"] - 0.5) < 0.02
    t, p, h = 1.3, n["p"], 1e-4
    u = [n["solution"](t + s, p) for s in (-h, 0, h)]
    defect = (u[0] - 2 * u[1] + u[2]) / h**2 + p["damping"] * (u[2] - u[0]) / (2 * h) + 4 * u[1]
    close(n["equation"](t, p), defect, atol=1e-5)
    close((n["exact"](h) - n["exact"](-h)) / (2 * h), 0, atol=1e-6)


def gradient_penalty(n):
    close(n["distance"], n["exact"], rtol=0.12)
    close(n["distance"] / n["slope"], n["exact"], rtol=0.05)
    close(n["slope"], 1.05, atol=0.05)
    close(n["by_tape"], n["by_differences"], rtol=1e-5)
    x = np.array([0.7, -1.1])
    slope = differences(lambda x: n["critic"](x, n["learned"]), x)
    close(n["steepness"](x, n["learned"]), np.linalg.norm(slope), rtol=1e-7)


def maml(n):
    left, (ours, other) = n["left"], n["starts"]
    assert left[ours, 1] < 0.4 and left[ours, 10] < 0.2
    assert left[ours, 1] < 0.5 * left[ours, 0] and left[ours, 10] < 0.3 * left[other, 10]
    weights, some, way = n["starts"][ours], n["sines"](20), np.random.default_rng(1)
    way = {name: way.standard_normal(w.shape) for name, w in weights.items()}

    def along(t):
        return n["meta_loss"]({name: w + t[0] * way[name] for name, w in weights.items()}, *some)

    found = n["grad"](n["meta_loss"])(weights, *some)
    close(sum(np.sum(g * way[name]) for name, g in found.items()), differences(along, np.zeros(1), 1e-6)[0], rtol=1e-5, atol=1e-7)


def hessian_spectrum(n):
    close(n["top"], n["exact"][-5:][::-1], rtol=1e-8)
    close(n["bottom"], n["exact"][0], rtol=1e-3)
    close(n["trace"], np.trace(n["H"]), rtol=0.15)
    v = np.random.default_rng(1).standard_normal(len(n["w"]))
    slope = n["grad"](n["loss"])
    close(n["H"] @ v, (slope(n["w"] + 1e-5 * v) - slope(n["w"] - 1e-5 * v)) / 2e-5, atol=1e-7)
    for _ in range(100):  # the power iteration finds the largest one too
        v = n["H"] @ v / np.linalg.norm(v)
    close(np.linalg.norm(v), n["top"][0], rtol=1e-8)


def fixed_point(n):
    assert max(errors[-1] for errors in n["errors"].values()) < 1e-13
    assert n["errors"]["at the equilibrium"][3] < n["errors"]["through the iterations"][3]

    def row(w):
        return n["loss"](n["equilibrium"](np.concatenate([w[None], n["W"][1:]]), 200))

    close(n["exact"][0], differences(row, n["W"][0]), atol=1e-7)
    assert n["memory"](n["through_iterations"], 200) > 5 * n["memory"](n["implicit"], 200)


def natural_gradient(n):
    ordinary, natural = n["needed"]
    assert 0 < n["needed"][natural] < 10 < 50 < n["needed"][ordinary]
    assert n["apart"][natural] < 0.01 < 0.3 < n["apart"][ordinary]
    for meaning, start in n["starts"].items():
        close(n["fisher"](start, meaning), n["exact"][meaning], atol=1e-12)
    (mean, width), t = n["best"], 0.01 * np.arange(701)  # the way of infinitely small steps, by the formula
    way = [mean + (-1 - mean) * np.exp(-t),
           np.sqrt(width**2 + (4 - width**2 + (1 + mean) ** 2) * np.exp(-t) - (1 + mean) ** 2 * np.exp(-2 * t))]
    close(n["ways"][0], np.stack(way, 1), atol=0.02)
    close(n["best"], [1, 0.3], atol=0.05)


def gradient_norms(n):
    close(n["norms"], n["by_hand"], atol=1e-12)
    assert n["mean_error"] < 1e-14 and n["found"] >= 18
    one = n["grad"](n["loss"])(n["weights"], n["x"].array[7], n["labels"][7])
    for name, g in one.items():
        close(n["gradients"][name][7], g, atol=1e-14)


def neural_ode(n):
    steps = dict(zip(n["counts"].tolist(), n["errors"]))
    assert steps[8] < 1e-6 and steps[32] < 1e-8
    assert 8 < steps[16] / steps[32] < 32  # of fourth order: 16
    w = n["w"]
    close(n["by_adjoint"](w, 32), differences(lambda w: n["loss"](w, 32), w, 1e-6), atol=1e-6)
    assert n["loss"](w, 8) < 2 * 2 * n["NOISE"] ** 2 and n["error"] < 0.15


def gaussian_process(n):
    assert np.abs(n["grad"](n["surprise"])(n["theta"])).max() < 1e-9 and n["gradient_error"] < 1e-12
    close(n["H"], differences(n["gradient_by_hand"], n["theta"]), atol=1e-6)
    assert np.linalg.eigvalsh(n["H"]).min() > 0
    assert np.mean(np.abs(n["mean"] - np.sin(n["line"])) < 3 * n["width"]) > 0.95
    assert abs(np.exp(n["theta"][2]) - 0.15) < 0.03
    close(n["surprise"](n["start"]), textbook_surprise(n["x"], n["y"], *np.exp(n["start"])), rtol=1e-12)


def textbook_surprise(x, y, length, signal, noise):
    """Through the eigenvalues, as no part of the example has it."""
    values, vectors = np.linalg.eigh(signal**2 * np.exp(-((x[:, None] - x) ** 2) / (2 * length**2)) + noise**2 * np.eye(len(x)))
    return 0.5 * np.sum((vectors.T @ y) ** 2 / values + np.log(2 * np.pi * values))


def laplace(n):
    close(n["H"], n["by_hand"], atol=1e-12)
    close(n["H"], differences(n["grad"](n["surprise"]), n["w"]), atol=1e-7)
    assert np.abs(n["grad"](n["surprise"])(n["w"])).max() < 1e-12
    assert abs(n["by_laplace"] - n["evidence"]) < 0.3
    likely, by_laplace, exact = n["chances"].values()
    assert n["errors"]["Laplace"].mean() < 0.7 * n["errors"]["the most likely weights"].mean()
    assert n["errors"]["Laplace"].max() < 0.2 < 0.3 < n["errors"]["the most likely weights"].max()
    assert likely.max() > 0.999 > 0.99 > exact.max() and by_laplace.max() < 0.97


def influence(n):
    assert n["correlation"] > 0.95 and n["direction_error"] < 1e-10
    close(n["direction"], np.linalg.solve(n["hessian"](n["objective"])(n["w"], n["everyone"]), n["grad"](n["target"])(n["w"])), atol=1e-12)
    X, w = n["X"], n["w"]
    p = 1 / (1 + np.exp(-X @ w))
    close(n["hessian"](n["objective"])(w, n["everyone"]), X.T @ (X * (p * (1 - p))[:, None]) + np.eye(31), atol=1e-10)
    i = int(np.argmax(n["influence"]))  # left out for real: the others alone
    others, v = np.arange(len(X)) != i, np.zeros(31)
    for _ in range(30):
        p = 1 / (1 + np.exp(-X[others] @ v))
        H = X[others].T @ (X[others] * (p * (1 - p))[:, None]) + np.eye(31)
        v = v - np.linalg.solve(H, X[others].T @ (p - n["Y"][others]) + v)
    close(n["without"][i], v, atol=1e-6)
    close(n["actual"][i], n["target"](v) - n["target"](w), atol=1e-6)


CHECKS = [newton, ode_fit, gradient_penalty, maml, hessian_spectrum, fixed_point, natural_gradient, gradient_norms, neural_ode,
          gaussian_process, laplace, influence]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_an_example_finds_is_right(check, tmp_path, monkeypatch, capsys):
    import matplotlib

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    example = EXAMPLES / f"{check.__name__}.py"
    monkeypatch.setattr(sys, "argv", [str(example)])
    namespace = runpy.run_path(str(example), run_name="__main__")
    from matplotlib import pyplot

    pyplot.close("all")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2 and lines[-1] == f"written: {check.__name__}.png"
    assert (tmp_path / f"{check.__name__}.png").stat().st_size > 5_000
    check(namespace)


def test_every_example_is_in_the_table():
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted(check.__name__ for check in CHECKS)
