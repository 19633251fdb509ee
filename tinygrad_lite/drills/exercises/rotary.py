"""Rotary position embedding

rotary(x, positions, base=10000.0)  x: (..., T, D), positions: (T,) -> (..., T, D)

x are queries or keys, D is even; positions are integers and need not begin at 0 or be consecutive. The pairs are made
of halves, as in GPT-NeoX and Llama: for i from 0 to D/2 - 1, features i and i + D/2 of the token at position p are
turned by the angle p * base^(-2i / D), counterclockwise: (1, 0) becomes (cos, sin). No loops.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=8,
    hints=["A point (a, b) turned by an angle is (a cos - b sin, a sin + b cos).",
           "There are D/2 pairs, so D/2 frequencies: base ** (-np.arange(D // 2) / (D // 2)).",
           "positions[:, None] * frequencies is (T, D/2): an angle for each position and pair. It broadcasts against "
           "(..., T, D/2).",
           "a, b = x[..., :D//2], x[..., D//2:], and the two turned halves are concatenated along the last axis."],
    pitfalls=["Compute the angles in float64, or at least in float32: at position 30,000 a float16 angle is noise.",
              "Two conventions of pairs exist, halves and neighbors (2i, 2i + 1). Weights trained with one are "
              "useless with the other.",
              "Queries and keys are turned, values are not; with a cache of keys, positions go on where the cache "
              "ends."],
)


@drill.reference(differentiable=True)
def rotary(x, positions, base=10000.0):
    """x: (..., T, D), positions: (T,) integers -> (..., T, D)"""
    half = x.shape[-1] // 2
    frequencies = base ** (-np.arange(half) / half)  # (D/2,), from 1 down to almost 1 / base
    angles = np.asarray(positions)[:, None] * frequencies  # (T, D/2), float64 and constant: no gradient goes here
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    a, b = x[..., :half], x[..., half:]  # (..., T, D/2): the pairs (a, b) are points of planes
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)  # each plane turned by its angle


rng = np.random.default_rng(0)
x = rng.standard_normal((2, 3, 5, 8))  # (B, H, T, D)
q, k = rng.standard_normal((2, 1, 6))

drill.case(rotary, np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]), np.array([0, 1, 2]),
           why="with D = 2 there is one pair, which is turned by the angle p: (1, 0) becomes (cos p, sin p)")
drill.case(rotary, np.array([[1.0, 0.0, 0.0, 0.0]]), np.array([1]), why="the partner of feature 0 is feature 0 + D/2")
drill.case(rotary, np.array([[0.0, 1.0, 0.0, 0.0]]), np.array([1]),
           why="the second pair turns by base^(-2 / D), which is more slowly than the first")
drill.case(rotary, np.array([[0.0, 0.0, 1.0, 0.0]]), np.array([1]), why="(0, 1) becomes (-sin, cos): counterclockwise")
drill.case(rotary, np.array([[0.5, -1.0, 2.0, 3.0]]), np.array([0]), why="at position 0 nothing is turned")
drill.case(rotary, x, np.arange(5), why="the angles (T, D/2) broadcast over all axes before T")
drill.case(rotary, x[:, :, :3], np.array([7, 0, 4093]), why="the positions are those that are given, in any order")
drill.case(rotary, x, np.arange(5), base=100.0, why="the base is an argument: long contexts use a larger one")


@drill.program(why="a turn keeps lengths, and turned q and k see only how far apart they are")
def _(rotary):
    """the norms of turned vectors, and q.k at positions (3, 5), (103, 105), (5, 3)"""
    turned = rotary(x.copy(), np.arange(5) + 9)
    if np.shape(turned) != x.shape:
        return f"gave an array of shape {np.shape(turned)}, expected {x.shape}"
    if not np.allclose(np.linalg.norm(turned, axis=-1), np.linalg.norm(x, axis=-1)):
        return "a vector is longer or shorter than it was"
    near, far, back = (float((rotary(q.copy(), np.array([m])) * rotary(k.copy(), np.array([n]))).sum())
                       for m, n in ((3, 5), (103, 105), (5, 3)))
    if not np.isclose(near, far):
        return "q.k at positions 3 and 5 differs from q.k at 103 and 105"
    return near, far, back


def turned(a, b, angles):
    """The pairs (a, b) turned counterclockwise, for the wrong answers."""
    cos, sin = np.cos(angles), np.sin(angles)
    return a * cos - b * sin, a * sin + b * cos


def angle(x, positions, base, rate=2):
    """Angles (T, D/2); rate: what i is multiplied with in the exponent."""
    return positions[:, None] * base ** (-rate * np.arange(x.shape[-1] // 2) / x.shape[-1])


def halves(x):
    return np.split(x, 2, axis=-1)


@drill.wrong(rotary, "neighbors as pairs", "here features i and i + D/2 belong together; (2i, 2i + 1) is the other "
             "convention")
def _(x, positions, base=10000.0):
    out = np.empty_like(x)
    out[..., ::2], out[..., 1::2] = turned(x[..., ::2], x[..., 1::2], angle(x, positions, base))
    return out


@drill.wrong(rotary, "the angles of neighbors with pairs of halves", "np.repeat puts the angle of pair 0 on features "
             "0 and 1; with halves the angles are concatenated with themselves")
def _(x, positions, base=10000.0):
    angles = np.repeat(angle(x, positions, base), 2, axis=-1)
    a, b = halves(x)
    return x * np.cos(angles) + np.concatenate([-b, a], axis=-1) * np.sin(angles)


@drill.wrong(rotary, "turned clockwise", "counterclockwise is (a cos - b sin, a sin + b cos): the minus is in the "
             "first")
def _(x, positions, base=10000.0):
    return np.concatenate(turned(*halves(x), -angle(x, positions, base)), axis=-1)


@drill.wrong(rotary, "the minus forgotten", "without the minus it is no rotation, and lengths change: a cos - b sin")
def _(x, positions, base=10000.0):
    (a, b), angles = halves(x), angle(x, positions, base)
    return np.concatenate([a * np.cos(angles) + b * np.sin(angles), a * np.sin(angles) + b * np.cos(angles)], axis=-1)


@drill.wrong(rotary, "exponent i / D", "the exponent of pair i is -2i / D, or -i / (D/2): it runs from 0 almost to -1")
def _(x, positions, base=10000.0):
    return np.concatenate(turned(*halves(x), angle(x, positions, base, rate=1)), axis=-1)


@drill.wrong(rotary, "exponent 4i / D", "np.arange(0, D, 2) is 2i already: divide it by D and not by D/2")
def _(x, positions, base=10000.0):
    return np.concatenate(turned(*halves(x), angle(x, positions, base, rate=4)), axis=-1)


@drill.wrong(rotary, "frequencies grow", "base^(2i / D) turns the later pairs faster; the exponent is negative")
def _(x, positions, base=10000.0):
    return np.concatenate(turned(*halves(x), angle(x, positions, base, rate=-2)), axis=-1)


@drill.wrong(rotary, "the same angle for all pairs", "each pair has a frequency of its own, base^(-2i / D)")
def _(x, positions, base=10000.0):
    return np.concatenate(turned(*halves(x), positions[:, None]), axis=-1)


@drill.wrong(rotary, "the second half from the turned first", "a sin + b cos needs the a from before; keep it, or "
             "compute both halves first")
def _(x, positions, base=10000.0):
    (a, b), angles = halves(x), angle(x, positions, base)
    a = a * np.cos(angles) - b * np.sin(angles)
    return np.concatenate([a, a * np.sin(angles) + b * np.cos(angles)], axis=-1)


@drill.wrong(rotary, "positions counted from 0", "use the positions that are given: with a cache they do not begin at "
             "0")
def _(x, positions, base=10000.0):
    return np.concatenate(turned(*halves(x), angle(x, np.arange(x.shape[-2]), base)), axis=-1)


@drill.wrong(rotary, "the base fixed", "the base is an argument, and 10000 only its default")
def _(x, positions, base=10000.0):
    return np.concatenate(turned(*halves(x), angle(x, positions, 10000.0)), axis=-1)


@drill.wrong(rotary, "turned and added", "rotary multiplies by a rotation; a table is added in the older sinusoidal "
             "encoding")
def _(x, positions, base=10000.0):
    return x + np.concatenate([np.cos(angle(x, positions, base)), np.sin(angle(x, positions, base))], axis=-1)
