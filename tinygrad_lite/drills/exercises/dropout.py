"""Inverted dropout

forward(x, p, rng, training)        x (...) -> y (...), mask (...)
backward(dy, mask, p, training)     dy (...), mask (...) -> dx (...)

In training each number is dropped (becomes 0) with probability p, independently of all others, and what is kept is
divided by 1 - p, so that the mean stays the same. mask has the shape of x and is of booleans: True where a number is
kept. In evaluation (training is False) y is x and the mask is True everywhere. p is from 0 to 1, both included: with
p = 0 nothing changes, and with p = 1 everything is 0, without NaN. rng is a numpy Generator. y has the dtype of x.

backward takes dy, the derivative of a loss by y, and the mask that forward has returned with the same p and training.
Do not change the arguments.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="easy", minutes=6,
    hints=["rng.random(x.shape) is uniform in [0, 1): a number is >= p with probability 1 - p.",
           "y = x * mask / (1 - p) in training. With p = 1 that is 0 / 0: answer it before you divide.",
           "The gradient goes the way that the numbers went: the same mask, the same division.",
           "In evaluation both functions hand on what they are given."],
    pitfalls=["p = 1 divides by 0: all is dropped, and the result is 0.",
              "Dividing by 1 - p in training keeps the mean, so that evaluation has nothing to do.",
              "backward needs the mask of forward; a new one belongs to another network."],
)


@drill.reference
def forward(x, p, rng, training):
    """x: (...), p: a probability, rng: numpy Generator, training: a bool -> y (...), mask of booleans (...)"""
    if not training:
        return x.copy(), np.ones(x.shape, bool)  # training has kept the mean: nothing is to be scaled here
    mask = rng.random(x.shape) >= p  # in [0, 1): all are >= 0, and none is >= 1
    scale = 1 / (1 - p) if p < 1 else 0.0  # a plain number, so that float32 stays float32
    return x * mask * scale, mask


@drill.reference
def backward(dy, mask, p, training):
    """dy: (...), mask: booleans (...), p: a probability, training: a bool -> dx (...)"""
    if not training:
        return dy.copy()
    scale = 1 / (1 - p) if p < 1 else 0.0
    return dy * mask * scale  # y is x times a constant, and so the gradient is dy times the same constant


x = np.array([1.0, 2.0, 3.0, 4.0])


@drill.program(why="in evaluation nothing is dropped and nothing scaled: a prediction is no matter of chance")
def _(forward):
    """what forward multiplies numbers by in evaluation, for p = 0.2"""
    x = np.arange(1.0, 1001.0)
    y, mask = map(np.asarray, forward(x.copy(), 0.2, np.random.default_rng(0), False))
    if y.shape != x.shape or mask.shape != x.shape:
        return f"gave shapes {y.shape} and {mask.shape}, expected {x.shape} for both"
    if (y == 0).any():
        return "numbers are dropped in evaluation"
    if not (mask == 1).all():
        return "the mask is not True everywhere, though nothing is dropped"
    return np.unique(np.round(y / x, 9))


drill.case(forward, x.reshape(2, 2), 0.0, np.random.default_rng(0), True, why="with p = 0 every number is kept as it "
           "is")
drill.case(forward, x, 1.0, np.random.default_rng(0), True,
           why="with p = 1 every number is dropped, and 0 / (1 - p) is 0 / 0: answer it before you divide")


@drill.program(why="what is kept is divided by 1 - p: 0.8 of the numbers times 1.25 have the same mean")
def _(forward):
    """what forward multiplies a number that it keeps by, for p = 0.2"""
    x = np.random.default_rng(1).standard_normal((40, 50))
    given = x.copy()
    y, mask = map(np.asarray, forward(given, 0.2, np.random.default_rng(2), True))
    if not np.array_equal(given, x):
        return "forward changed its argument x: work on a copy, the caller goes on with it"
    if y.shape != x.shape or mask.shape != x.shape:
        return f"gave shapes {y.shape} and {mask.shape}, expected {x.shape} for both"
    if mask.dtype != bool:
        return "the mask is not of booleans"
    if (y[mask] == 0).all() and (y[~mask] != 0).all():
        return "the mask is True where a number is dropped: it is to be True where one is kept"
    if (y[~mask] != 0).any():
        return "a number is not 0 where the mask is False"
    return np.unique(np.round(y[mask] / x[mask], 9))


@drill.program(why="p is the probability of being dropped, for each number independently of all others")
def _(forward):
    """the mask of forward for 200 x 50 numbers with p = 0.2, and 200 masks of 10 numbers"""
    rng = np.random.default_rng(3)
    mask = np.asarray(forward(np.ones((200, 50)), 0.2, rng, True)[1])
    if mask.shape != (200, 50):
        return f"gave a mask of shape {mask.shape}, expected (200, 50)"
    if mask.dtype != bool:
        return "the mask is not of booleans"
    if (mask == mask[0]).all():
        return "every row has the same mask"
    if (mask == mask[:, :1]).all():
        return "rows are kept or dropped as a whole"
    if abs(mask.mean() - 0.8) > 0.02:  # 5 standard deviations of the mean of 10,000
        return f"{mask.mean():.0%} of the numbers are kept, expected 80%"
    counts = [np.count_nonzero(forward(np.ones(10), 0.2, rng, True)[1]) for _ in range(200)]
    if len({*counts}) == 1:
        return f"of 10 numbers always {counts[0]} are kept: each is to be drawn independently"


@drill.program(why="chance comes from rng alone, so that a run can be repeated")
def _(forward):
    """forward twice with one generator, and with two of the same seed"""
    ones, rng = np.ones(100), np.random.default_rng(4)
    first, second = (np.asarray(forward(ones.copy(), 0.5, rng, True)[1]) for _ in range(2))
    again = np.asarray(forward(ones.copy(), 0.5, np.random.default_rng(4), True)[1])
    if not np.array_equal(first, again):
        return "with generators of the same seed the masks differ: draw with rng"
    if np.array_equal(first, second):
        return "the second mask is the first once more: draw with rng"


@drill.program(why="float32 stays float32: a mask divided by 1 - p is float64, and so is what it multiplies")
def _(forward):
    """the dtype of y for x of float32"""
    y = np.asarray(forward(np.ones(5, "float32"), 0.5, np.random.default_rng(5), True)[0])
    return None if y.dtype == np.float32 else f"gave {y.dtype} for float32"


@drill.program(why="the gradient goes the way that the numbers went: use the mask that is given")
def _(backward):
    """backward of 1000 ones of float32, half of which were dropped"""
    mask = np.random.default_rng(6).random(1000) >= 0.5
    dx = np.asarray(backward(np.ones(1000, "float32"), mask.copy(), 0.5, True))
    if dx.shape != (1000,):
        return f"gave shape {dx.shape}, expected (1000,)"
    if (dx[mask] == 0).any() and (dx[~mask] != 0).any():
        return "the gradient is 0 where numbers were kept, and not 0 where others were dropped"
    if dx.dtype != np.float32:
        return f"gave {dx.dtype} for float32"


drill.case(backward, np.array([10.0, 20.0, 30.0, 40.0]), np.array([True, False, True, False]), 0.75, True,
           why="0 where a number was dropped, and divided by 1 - p where it was kept, as in forward")
drill.case(backward, np.array([10.0, 20.0]), np.array([True, False]), 0.2, True,
           why="divided by 1 - p, of the p that is given")
drill.case(forward, np.zeros(3), 0.0, np.random.default_rng(0), True,
           why="a number that is 0 is kept as well: the mask says what was drawn, not what is left")
drill.case(backward, np.array([10.0, 20.0]), np.array([False, False]), 1.0, True,
           why="with p = 1 nothing gets a gradient, and 0 / (1 - p) is 0 / 0")
drill.case(backward, np.array([[10.0, 20.0], [30.0, 40.0]]), np.ones((2, 2), bool), 0.2, False,
           why="in evaluation y is x, so that dx is dy: nothing is scaled")


def inverted(x, mask, p):
    """What is right of a mask, for wrong answers that go wrong elsewhere."""
    return x * mask * (1 / (1 - p) if p < 1 else 0.0)


def everything(x):
    """What is right in evaluation."""
    return x.copy(), np.ones(x.shape, bool)


@drill.wrong(forward, "not scaled", "with a share of p dropped the mean falls to 1 - p of what it was: divide what is "
             "kept by 1 - p")
def _(x, p, rng, training):
    mask = rng.random(x.shape) >= p if training else np.ones(x.shape, bool)
    return x * mask, mask


@drill.wrong(forward, "scaled in evaluation", "inverted dropout divides by 1 - p in training, and leaves evaluation "
             "alone")
def _(x, p, rng, training):
    if not training:
        return x * (1 - p), np.ones(x.shape, bool)
    mask = rng.random(x.shape) >= p
    return x * mask, mask


@drill.wrong(forward, "divided by p", "a share of 1 - p is kept, so that its sum is to be divided by 1 - p")
def _(x, p, rng, training):
    if not training:
        return everything(x)
    mask = rng.random(x.shape) >= p
    return x * mask / p if p else x * mask, mask


@drill.wrong(forward, "multiplied by 1 - p", "what is kept has to make up for what is dropped: divide by 1 - p")
def _(x, p, rng, training):
    if not training:
        return everything(x)
    mask = rng.random(x.shape) >= p
    return x * mask * (1 - p), mask


@drill.wrong(forward, "p taken for the share that is kept", "p is the probability of being dropped: rng.random() >= p "
             "keeps, and 1 - p divides")
def _(x, p, rng, training):
    if not training:
        return everything(x)
    mask = rng.random(x.shape) < p
    return inverted(x, mask, 1 - p), mask


@drill.wrong(forward, "p taken for the share that is kept", "rng.random() < p is true with probability p, which is "
             "that of being dropped: keep where it is >= p")
def _(x, p, rng, training):
    if not training:
        return everything(x)
    mask = rng.random(x.shape) < p
    return inverted(x, mask, p), mask


@drill.wrong(forward, "the mask of what is dropped", "the mask is True where a number is kept: return ~dropped")
def _(x, p, rng, training):
    if not training:
        return x.copy(), np.zeros(x.shape, bool)
    dropped = rng.random(x.shape) < p
    return inverted(x, ~dropped, p), dropped


@drill.wrong(forward, "dropped in evaluation", "in evaluation y is x: a prediction is no matter of chance")
def _(x, p, rng, training):
    mask = rng.random(x.shape) >= p
    return inverted(x, mask, p), mask


@drill.wrong(forward, "0 / 0 with p = 1", "1 - p is 0 where everything is dropped: answer that before you divide")
def _(x, p, rng, training):
    if not training:
        return everything(x)
    mask = rng.random(x.shape) >= p
    return x * mask / (1 - p), mask


@drill.wrong(forward, "0 / 0 with p = 1", "1 / (1 - p) raises where everything is dropped: answer that before you "
             "divide")
def _(x, p, rng, training):
    if not training:
        return everything(x)
    mask = rng.random(x.shape) >= p
    return x * mask * (1 / (1 - p)), mask


@drill.wrong(forward, "one mask for all rows", "each number is dropped independently of all others: draw x.shape "
             "numbers")
def _(x, p, rng, training):
    if not training:
        return everything(x)
    mask = np.broadcast_to(rng.random(x.shape[-1]) >= p, x.shape)
    return inverted(x, mask, p), mask


@drill.wrong(forward, "whole rows dropped", "each number is dropped independently of all others: draw x.shape numbers")
def _(x, p, rng, training):
    if not training:
        return everything(x)
    mask = np.broadcast_to((rng.random(len(x)) >= p).reshape(-1, *[1] * (x.ndim - 1)), x.shape)
    return inverted(x, mask, p), mask


@drill.wrong(forward, "a mask of numbers", "the mask says which numbers are kept, in booleans: what is scaled is y, "
             "and in backward dx")
def _(x, p, rng, training):
    mask = (rng.random(x.shape) >= p) / (1 - p) if training else np.ones(x.shape)
    return x * mask, mask


@drill.wrong(forward, "a mask of numbers", "rng.binomial gives 0 and 1: rng.random(x.shape) >= p gives booleans")
def _(x, p, rng, training):
    mask = rng.binomial(1, 1 - p, x.shape) if training else np.ones(x.shape, int)
    return (inverted(x, mask, p) if training else x), mask


@drill.wrong(forward, "a fixed number dropped", "each number is dropped with probability p whatever happens to the "
             "others, so that their count varies: rng.random(x.shape) >= p")
def _(x, p, rng, training):
    if not training:
        return everything(x)
    mask = np.ones(x.size, bool)
    mask[rng.choice(x.size, round(p * x.size), replace=False)] = False
    mask = mask.reshape(x.shape)
    return inverted(x, mask, p), mask


@drill.wrong(forward, "chance of its own", "np.random is not the generator that is given: a run cannot be repeated")
def _(x, p, rng, training):
    if not training:
        return everything(x)
    mask = np.random.random(x.shape) >= p
    return inverted(x, mask, p), mask


@drill.wrong(forward, "chance of its own", "a generator that is made anew gives the same mask in every step")
def _(x, p, rng, training):
    if not training:
        return everything(x)
    mask = np.random.default_rng(0).random(x.shape) >= p
    return inverted(x, mask, p), mask


@drill.wrong(forward, "float64 for float32", "booleans divided by a number are float64, and so is what they multiply: "
             "divide x * mask instead")
def _(x, p, rng, training):
    if not training:
        return everything(x)
    mask = rng.random(x.shape) >= p
    return x * inverted(np.ones(x.shape), mask, p), mask


@drill.wrong(forward, "x changed in place", "x *= mask and x[~mask] = 0 write into the caller's array: y = x * mask "
             "makes a new one")
def _(x, p, rng, training):
    if not training:
        return x, np.ones(x.shape, bool)
    mask = rng.random(x.shape) >= p
    x[:] = inverted(x, mask, p)
    return x, mask


@drill.wrong(backward, "a new mask in backward", "the gradient belongs to the numbers that forward kept: use the mask "
             "that is given")
def _(dy, mask, p, training):
    return inverted(dy, np.random.default_rng(1).random(dy.shape) >= p, p) if training else dy


@drill.wrong(backward, "mask ignored in backward", "what was dropped has no part in the loss: its gradient is 0")
def _(dy, mask, p, training):
    return dy / (1 - p) if training and p < 1 else dy


@drill.wrong(backward, "mask ignored in backward", "what was dropped has no part in the loss: its gradient is 0")
def _(dy, mask, p, training):
    return dy


@drill.wrong(backward, "gradient not scaled", "y is x / (1 - p) where it was kept, and so dx is dy / (1 - p)")
def _(dy, mask, p, training):
    return dy * mask


@drill.wrong(backward, "gradient multiplied by 1 - p", "y is x / (1 - p) where it was kept, and so dx is dy / (1 - p)")
def _(dy, mask, p, training):
    return dy * mask * (1 - p) if training else dy


@drill.wrong(backward, "0 / 0 with p = 1", "1 - p is 0 where everything was dropped: answer that before you divide")
def _(dy, mask, p, training):
    return dy * mask / (1 - p) if training else dy


@drill.wrong(backward, "0 / 0 with p = 1", "1 / (1 - p) raises where everything was dropped: answer that before you "
             "divide")
def _(dy, mask, p, training):
    return dy * mask * (1 / (1 - p)) if training else dy


@drill.wrong(backward, "scaled in evaluation", "in evaluation y is x, so that dx is dy")
def _(dy, mask, p, training):
    return inverted(dy, mask, p)
