"""Sinusoidal positional encoding

positional_encoding(length, size)  two integers, at least 1 -> table (length, size) of float64

Columns 2i and 2i + 1 belong to one frequency, 10000^(-2i / size): for position p, which counts from 0, column 2i is
sin(p * frequency) and column 2i + 1 is cos(p * frequency). size may be odd: then the last column is a sine without its
cosine. No Python loops.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=6,
    hints=["np.arange(length)[:, None] against a row of frequencies gives the angles for all positions at once.",
           "np.arange(0, size, 2) are the exponents 2i: one for each sine, (size + 1) // 2 of them.",
           "table[:, 0::2] are the even columns and table[:, 1::2] the odd ones.",
           "Of an odd size there is one cosine less than sines: angles[:, :size // 2]."],
    pitfalls=["The exponent is the same for a sine and its cosine: 2i / size, where i counts pairs and not columns.",
              "In float16 or bfloat16, large angles have no correct digits after the point: compute in float32 or "
              "float64.",
              "Sine and cosine of one frequency make a shift by k a rotation, the same at each position."],
)


@drill.reference
def positional_encoding(length, size):
    """length, size: integers -> table (length, size), sines in even and cosines in odd columns"""
    frequencies = 10000.0 ** (-np.arange(0, size, 2) / size)  # (P,) with P = (size + 1) // 2 pairs, the first is 1
    angles = np.arange(length)[:, None] * frequencies  # (length, P)
    table = np.empty((length, size))
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles[:, : size // 2])  # with an odd size the last pair has no cosine
    return table


drill.case(positional_encoding, 2, 2, why="one frequency, 1: sines of 0 and 1, and next to them the cosines")
drill.case(positional_encoding, 3, 4, why="the second pair of columns has the frequency 10000^(-2 / 4) = 0.01")
drill.case(positional_encoding, 1, 6, why="at position 0 all sines are 0 and all cosines are 1")
drill.case(positional_encoding, 2, 3, why="an odd size ends with a sine, so there is one cosine less than sines")
drill.case(positional_encoding, 3, 1, why="size 1 has a sine and no cosine")
drill.case(positional_encoding, 7, 10, why="the frequencies are 10000^(-2i / size), where i counts pairs")
drill.case(positional_encoding, 9, 7, why="with an odd size the exponents are still 2i / size")
drill.case(positional_encoding, 600, 64, why="the whole table is one outer product", lines=40,
           slow="a Python loop over positions or columns; np.arange(length)[:, None] * frequencies is all angles at "
            "once")


@drill.program(why="of a sine and a cosine of each frequency, dot products depend on the distance alone")
def _(positional_encoding):
    """dot products of rows 3 and 5, 13 and 15, 40 and 42 of positional_encoding(50, 16)"""
    table = positional_encoding(50, 16)
    if np.shape(table) != (50, 16):
        return f"gave an array of shape {np.shape(table)}, expected (50, 16)"
    near, later, last = (float(table[m] @ table[m + 2]) for m in (3, 13, 40))
    if not np.allclose([near, later], last):
        return "rows that are as far apart have different dot products"
    return last


def angles_of(length, exponents, start=0):
    """Angles (length, P), for the wrong answers."""
    return np.arange(start, start + length)[:, None] * 10000.0 ** -exponents


def in_turn(angles, size, even=np.sin, odd=np.cos):
    """A table of even and odd columns."""
    table = np.empty((len(angles), size))
    table[:, 0::2], table[:, 1::2] = even(angles), odd(angles[:, : size // 2])
    return table


@drill.wrong(positional_encoding, "sines and cosines in halves", "here they take turns: sines at 0::2, cosines at 1::2")
def _(length, size):
    angles = angles_of(length, np.arange(0, size, 2) / size)
    return np.concatenate([np.sin(angles), np.cos(angles[:, : size // 2])], axis=1)


@drill.wrong(positional_encoding, "an exponent of its own for each column", "a sine and its cosine share the "
             "frequency: 2i is 2 * (column // 2)")
def _(length, size):
    angles = angles_of(length, np.arange(size) / size)
    return np.where(np.arange(size) % 2 == 0, np.sin(angles), np.cos(angles))


@drill.wrong(positional_encoding, "an exponent of its own for each column", "2 * column / size runs to 2 and not to "
             "1: i counts pairs of columns")
def _(length, size):
    angles = angles_of(length, 2 * np.arange(size) / size)
    return np.where(np.arange(size) % 2 == 0, np.sin(angles), np.cos(angles))


@drill.wrong(positional_encoding, "exponent i / size", "the exponent of pair i is 2i / size: np.arange(0, size, 2) / "
             "size")
def _(length, size):
    return in_turn(angles_of(length, np.arange((size + 1) // 2) / size), size)


@drill.wrong(positional_encoding, "exponent 4i / size", "np.arange(0, size, 2) is 2i already: do not double it again")
def _(length, size):
    return in_turn(angles_of(length, 2 * np.arange(0, size, 2) / size), size)


@drill.wrong(positional_encoding, "exponent i over the number of pairs", "with an odd size, 2i / size is not i / P")
def _(length, size):
    return in_turn(angles_of(length, np.arange((size + 1) // 2) / ((size + 1) // 2)), size)


@drill.wrong(positional_encoding, "exponent i over the number of pairs", "with an odd size, 2i / size is not i / "
             "(size // 2)")
def _(length, size):
    return in_turn(angles_of(length, np.arange((size + 1) // 2) / max(size // 2, 1)), size)


@drill.wrong(positional_encoding, "the last frequency is 1 / 10000", "the paper divides 2i by the size: the last "
             "exponent stays below 1")
def _(length, size):
    return in_turn(angles_of(length, np.linspace(0, 1, (size + 1) // 2)), size)


@drill.wrong(positional_encoding, "cosines in the even columns", "even columns are sines: row 0 begins with 0")
def _(length, size):
    return in_turn(angles_of(length, np.arange(0, size, 2) / size), size, np.cos, np.sin)


@drill.wrong(positional_encoding, "positions counted from 1", "the first position is 0")
def _(length, size):
    return in_turn(angles_of(length, np.arange(0, size, 2) / size, start=1), size)


@drill.wrong(positional_encoding, "frequencies grow", "the exponent is negative: divide by 10000^(2i / size)")
def _(length, size):
    return in_turn(angles_of(length, -np.arange(0, size, 2) / size), size)


@drill.wrong(positional_encoding, "an odd size forgotten", "of an odd size there is one cosine less than sines: "
             "angles[:, :size // 2]")
def _(length, size):
    angles, table = angles_of(length, np.arange(0, size, 2) / size), np.zeros((length, size))
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles)
    return table


@drill.wrong(positional_encoding, "an odd size forgotten", "size // 2 pairs leave the last column without its sine")
def _(length, size):
    angles = angles_of(length, 2 * np.arange(size // 2) / size)
    table = np.zeros((length, size))
    for i in range(size // 2):
        table[:, 2 * i], table[:, 2 * i + 1] = np.sin(angles[:, i]), np.cos(angles[:, i])
    return table


@drill.wrong(positional_encoding, "a Python loop", "positions and frequencies broadcast: (length, 1) times (P,)")
def _(length, size):
    table = np.empty((length, size))
    for p in range(length):
        table[p] = in_turn(p * 10000.0 ** (-np.arange(0, size, 2)[None] / size), size)
    return table
