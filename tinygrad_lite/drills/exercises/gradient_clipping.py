"""Gradient clipping by the global norm

global_norm(grads)     list of arrays of any shapes -> float, the norm of all their numbers together
clip(grads, max_norm)  list of arrays, positive float -> list of arrays, whose global norm is at most max_norm

The global norm is that of one long vector of all numbers: the root of the sum of their squares. The squares are summed
in float64: those of float32 overflow. Where the norm is larger than max_norm, clip multiplies all arrays by
max_norm / norm, without an eps; where it is not, the numbers stay as they are. Where the norm is infinite or NaN,
because a number is, the step is to change nothing: clip gives zeros for all arrays. What clip gives has the shapes and
dtypes of grads; grads itself is not changed.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=7,
    hints=["One norm for the whole list: sum the squares of each array, add these sums up, and take one root at the "
     "end.",
           "All arrays have the same factor, so that the direction of the step stays: max_norm / norm, but never "
           "above 1.",
           "norm > max_norm is False for a norm of 0 and for NaN: with that `if` you never divide 0 by 0.",
           "inf * 0 is NaN: where the norm is not finite, give np.zeros_like of each array."],
    pitfalls=["Clipping by the global norm shortens the step and keeps its direction; a norm for each array turns it.",
              "One NaN makes the norm NaN, and then all gradients: look at the norm, and skip the step.",
              "In float16 and float32 squares overflow (above 256 and 1.8e19): sum them in a wider type."],
)


@drill.reference
def global_norm(grads):
    """grads: list of arrays of any shapes -> float"""
    return float(np.sqrt(sum(np.sum(g.astype(np.float64) ** 2) for g in grads)))  # one root, of the sum over all arrays


@drill.reference
def clip(grads, max_norm):
    """grads: list of arrays of any shapes, max_norm: float -> list of arrays of the same shapes and dtypes"""
    norm = global_norm(grads)
    if not np.isfinite(norm):
        return [np.zeros_like(g) for g in grads]  # a factor of 0 would not do: inf * 0 is NaN
    scale = max_norm / norm if norm > max_norm else 1.0  # never above 1, and a norm of 0 is not divided by
    return [g * scale for g in grads]  # scale is a Python float: float32 stays float32


rng = np.random.default_rng(0)
several = [rng.standard_normal((2, 3)), rng.standard_normal(4), rng.standard_normal((1, 2, 2)), rng.standard_normal(1)]
huge = [np.array([3e20, 4e20], dtype="float32"), np.zeros((2, 1), "float32")]

drill.case(global_norm, [np.array([2.0, 3.0]), np.array([[6.0]])], why="4 + 9 + 36 is 49, and its root is 7: one "
           "vector")
drill.case(global_norm, several, why="square all numbers of all arrays, add them up, and take one root")
drill.case(global_norm, huge, rtol=1e-5, why="the squares of float32 overflow above 1.8e19: sum them in float64")
drill.case(clip, [np.array([3.0, 0.0]), np.array([[4.0]])], 1.0,
           why="the norm of 3 and 4 together is 5, and each number is divided by 5")
drill.case(clip, [np.array([6.0]), np.array([[-2.0, 3.0]])], 3.5, why="the norm is 7, so that each number is halved")
drill.case(clip, [np.array([3.0, 0.0]), np.array([[4.0]])], 10.0, why="a norm below max_norm changes nothing")
drill.case(clip, [3 * g for g in several], 2.5, why="one factor for all arrays, max_norm / norm, keeps the direction")
drill.case(clip, [np.zeros((2, 2)), np.zeros(3)], 1.0, why="the norm of zeros is 0, and 0 / 0 would be NaN")
drill.case(clip, [np.array([1.0, np.nan]), np.array([[2.0, 3.0]])], 1.0,
           why="with one NaN nothing can be trusted: give zeros, so that the step changes nothing")
drill.case(clip, [np.array([1.0, 2.0]), np.array([[-np.inf, 3.0]])], 1.0,
           why="inf * 0 is NaN: give zeros of each shape where the norm is infinite")
drill.case(clip, huge, 1.0, rtol=1e-4, why="the squares of float32 overflow above 1.8e19: sum them in float64")


@drill.program(why="the arrays keep their dtype: a float64 factor makes float32 gradients float64")
def _(clip):
    """the dtypes of clip of float32 arrays with norms above and below max_norm"""
    for max_norm in (1.0, 100.0):
        for g, clipped in zip(several, clip([g.astype("float32") for g in several], max_norm)):
            if np.asarray(clipped).dtype != np.float32:
                return f"a float32 array of shape {g.shape} has become {np.asarray(clipped).dtype}"


def scaled(grads, factor):
    """All arrays times the factor, or zeros where the norm is not finite, for the wrong answers."""
    return [g * factor if np.isfinite(global_norm(grads)) else np.zeros_like(g) for g in grads]


@drill.wrong(global_norm, "the root forgotten", "the norm is the root of the sum of squares")
def _(grads):
    return float(sum(np.sum(g.astype(np.float64) ** 2) for g in grads))


@drill.wrong(global_norm, "the norms added up", "the norm of all is the root of the sum of squares, not the sum of "
             "norms")
def _(grads):
    return float(sum(np.sqrt(np.sum(g.astype(np.float64) ** 2)) for g in grads))


@drill.wrong(global_norm, "the largest norm of an array", "the norm of all is larger than that of the largest array: "
             "add squares")
def _(grads):
    return float(max(np.sqrt(np.sum(g.astype(np.float64) ** 2)) for g in grads))


@drill.wrong(global_norm, "the mean of the squares", "the norm sums the squares: it does not divide by their number")
def _(grads):
    return float(np.sqrt(np.mean(np.concatenate([g.astype(np.float64).ravel() for g in grads]) ** 2)))


@drill.wrong(global_norm, "the sum of absolute values", "the norm is the root of the sum of squares")
def _(grads):
    return float(sum(np.abs(g.astype(np.float64)).sum() for g in grads))


@drill.wrong(global_norm, "squares of float32 overflow", "above 1.8e19 they are infinite: g.astype(np.float64) first")
def _(grads):
    return float(np.sqrt(sum(np.sum(g ** 2) for g in grads)))


@drill.wrong(clip, "a norm for each array", "all arrays are one vector: with a norm for each the step has another "
             "direction")
def _(grads, max_norm):
    factors = [max_norm / norm if norm > max_norm else 1.0 for norm in (np.sqrt(np.sum(g ** 2)) for g in grads)]
    return [part for g, factor in zip(grads, factors) for part in scaled([g], factor)]


@drill.wrong(clip, "clipped by value", "np.clip bounds each number and turns the step; scale all numbers by one factor")
def _(grads, max_norm):
    return [np.clip(g, -max_norm, max_norm) for g in grads]


@drill.wrong(clip, "small gradients scaled up", "max_norm is a bound and no aim: the factor is never above 1")
def _(grads, max_norm):
    norm = global_norm(grads)
    return scaled(grads, max_norm / norm if norm else 1.0)


@drill.wrong(clip, "small gradients scaled up", "max_norm is a bound and no aim; and the norm of zeros is 0: 0 / 0")
def _(grads, max_norm):
    return scaled(grads, float(max_norm / np.float64(global_norm(grads))))


@drill.wrong(clip, "max_norm forgotten", "divided by the norm alone the norm is 1: multiply by max_norm / norm")
def _(grads, max_norm):
    norm = global_norm(grads)
    return scaled(grads, 1 / norm if norm > max_norm else 1.0)


@drill.wrong(clip, "the squared norm compared", "it is the norm that is compared with max_norm, and divided by: take "
             "the root")
def _(grads, max_norm):
    norm = global_norm(grads) ** 2
    return scaled(grads, max_norm / norm if norm > max_norm else 1.0)


@drill.wrong(clip, "NaN and inf passed on", "a norm that is not finite makes each gradient NaN or 0: give zeros for "
             "all")
def _(grads, max_norm):
    norm = global_norm(grads)
    return [g * (max_norm / norm if norm > max_norm else 1.0) for g in grads]


@drill.wrong(clip, "NaN and inf passed on", "a norm that is not finite makes each gradient NaN or 0: give zeros for "
             "all")
def _(grads, max_norm):
    norm = global_norm(grads)
    return [g if norm <= max_norm else g * (max_norm / norm) for g in grads]


@drill.wrong(clip, "NaN and inf set to 0 one by one", "what the other numbers are worth is unknown as well: zeros for "
             "all")
def _(grads, max_norm):
    grads = [np.where(np.isfinite(g), g, np.zeros_like(g)) for g in grads]
    norm = global_norm(grads)
    return scaled(grads, max_norm / norm if norm > max_norm else 1.0)


@drill.wrong(clip, "the gradients changed in place", "the caller's arrays stay as they are: g * scale, not g *= scale")
def _(grads, max_norm):
    norm = global_norm(grads)
    for g in grads:
        g *= max_norm / norm if norm > max_norm else 1.0
        if not np.isfinite(norm):
            g[...] = 0.0
    return grads


@drill.wrong(clip, "squares of float32 overflow", "above 1.8e19 they are infinite: g.astype(np.float64) first")
def _(grads, max_norm):
    norm = float(np.sqrt(sum(np.sum(g ** 2) for g in grads)))
    return [g * (max_norm / norm if norm > max_norm else 1.0) if np.isfinite(norm) else np.zeros_like(g) for g in grads]


@drill.wrong(clip, "float64 for float32", "a numpy float64 as the factor makes float32 arrays float64: float(scale)")
def _(grads, max_norm):
    norm = np.float64(global_norm(grads))
    return scaled(grads, max_norm / norm if norm > max_norm else np.float64(1.0))
