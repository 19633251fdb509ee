"""Max pooling, forwards and backwards

forward(x, size, stride)        x (N, C, H, W) -> y (N, C, H', W'), the largest number of each window
backward(dy, x, size, stride)   dy (N, C, H', W'), x (N, C, H, W) -> dx (N, C, H, W)

Windows are size x size, and begin at every stride-th row and column. Only whole windows count, so that
H' = (H - size) // stride + 1, and W' likewise; rows and columns that are left over are in no window. There is no
padding. stride may be smaller than size (windows overlap) or larger.

backward takes dy, the derivative of a loss by y. Of each window the whole gradient goes to its largest number; where
that occurs more than once in the window, to the first of them, row by row, as in PyTorch. A number that is the largest
of several windows gets the sum. Python loops are allowed.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=12,
    hints=["np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride] has all "
           "windows; a loop over the positions of the output does too.",
           "Flatten each window to size * size numbers. argmax gives the first of equal ones, row by row.",
           "The place k in the window is row k // size and column k % size; the window at (i, j) begins at "
           "(i * stride, j * stride).",
           "np.add.at(dx, (n, c, rows, columns), dy) adds up where windows overlap; dx[...] += dy keeps one of them."],
    pitfalls=["Where windows overlap, a number may win in several: its gradients add up.",
              "x == y marks all that are equal to the largest, so that a window passes its gradient on more than once.",
              "A maximum that starts at 0 is wrong where all numbers are negative; start at -inf."],
)


@drill.reference
def forward(x, size, stride):
    """x: (N, C, H, W), size, stride: numbers -> y (N, C, H', W')"""
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    return windows[:, :, ::stride, ::stride].max(axis=(4, 5))  # of (N, C, H', W', size, size)


@drill.reference
def backward(dy, x, size, stride):
    """dy: (N, C, H', W'), x: (N, C, H, W), size, stride: numbers -> dx (N, C, H, W)"""
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
    k = windows.reshape(*dy.shape, -1).argmax(axis=-1)  # (N, C, H', W'): the first maximum, row by row
    n, c, i, j = np.indices(dy.shape)  # each (N, C, H', W')
    dx = np.zeros_like(x)
    np.add.at(dx, (n, c, i * stride + k // size, j * stride + k % size), dy)  # adds where a place occurs again
    return dx


rng = np.random.default_rng(0)
small = np.array([[[[1.0, 2.0, 5.0, 3.0], [4.0, 0.5, 1.0, 2.0]]]])
x = rng.standard_normal((2, 3, 7, 6))
peak = np.array([[[[0.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 0.0]]]])


def numbered(x, size, stride):
    """A gradient for each window, all different."""
    shape = (*x.shape[:2], (x.shape[2] - size) // stride + 1, (x.shape[3] - size) // stride + 1)
    return np.arange(1.0, np.prod(shape) + 1).reshape(shape)


drill.case(forward, small, 2, 2, why="the largest number of each window, side by side")
drill.case(forward, small, 2, 1, why="with stride 1 there is a window at every place, and windows overlap")
drill.case(forward, -small, 2, 2, why="a maximum may be negative: it does not start at 0")
drill.case(forward, x, 2, 2, why="a row that fills no window is left out: (H - size) // stride + 1")
drill.case(forward, x, 3, 2, why="the first window counts as a whole: (H - size) // stride + 1")
drill.case(forward, x, 2, 3, why="stride may be larger than size")
drill.case(forward, x.astype("float32"), 3, 1, why="float32 stays float32")
drill.case(backward, np.array([[[[10.0, 20.0]]]]), small, 2, 2, why="the gradient goes to the largest number of the "
           "window")
drill.case(backward, np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), peak, 2, 1,
           why="9 is the largest of all four windows, and gets the sum of their gradients")
drill.case(backward, np.array([[[[8.0]]]]), np.array([[[[0.0, 1.0], [1.0, 1.0]]]]), 2, 2,
           why="of equal numbers the first one, row by row, gets the whole gradient")
drill.case(backward, numbered(x, 3, 2), x, 3, 2,
           why="the window at (i, j) begins at (i * stride, j * stride), and rows that are left over get 0")
drill.case(backward, numbered(x, 3, 1).astype("float32"), x.astype("float32"), 3, 1, why="float32 stays float32")


def windows_of(x, size, stride):
    """All windows, (N, C, H', W', size, size)."""
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]


def pooled(x, size, stride, height, width):
    """The maxima of so many windows, of which those at the edge may be smaller."""
    out = np.empty((*x.shape[:2], height, width), x.dtype)
    for i in range(height):
        for j in range(width):
            window = x[:, :, i * stride : i * stride + size, j * stride : j * stride + size]
            out[:, :, i, j] = window.max(axis=(2, 3))
    return out


def spread(share, dy, x, size, stride):
    """dx where share gives each window, (size, size), the part of the gradient of each of its numbers."""
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*dy.shape):
        place = (n, c, slice(i * stride, i * stride + size), slice(j * stride, j * stride + size))
        dx[place] += dy[n, c, i, j] * share(x[place])
    return dx


@drill.wrong(forward, "maximum starts at 0", "where all numbers are negative, so is the largest: start at -inf, or "
             "take max")
def _(x, size, stride):
    return np.maximum(windows_of(x, size, stride).max(axis=(4, 5)), 0.0)


@drill.wrong(forward, "mean of the window", "max pooling takes the largest number of each window")
def _(x, size, stride):
    return windows_of(x, size, stride).mean(axis=(4, 5))


@drill.wrong(forward, "stride ignored", "windows begin at every stride-th row and column, and not at every size-th")
def _(x, size, stride):
    return windows_of(x, size, size).max(axis=(4, 5))


@drill.wrong(forward, "stride ignored", "windows begin at every stride-th row and column, and not at every one")
def _(x, size, stride):
    return windows_of(x, size, 1).max(axis=(4, 5))


@drill.wrong(forward, "windows that are not whole", "only whole windows count: H' = (H - size) // stride + 1")
def _(x, size, stride):
    return pooled(x, size, stride, *(-(-(x.shape[axis] - size) // stride) + 1 for axis in (2, 3)))


@drill.wrong(forward, "windows that are not whole", "the last windows would stand out of the image: (H - size) // "
             "stride + 1")
def _(x, size, stride):
    return pooled(x, size, stride, *(-(-x.shape[axis] // stride) for axis in (2, 3)))


@drill.wrong(forward, "windows that are not whole", "H // stride is their number only where stride is size: "
             "(H - size) // stride + 1")
def _(x, size, stride):
    return pooled(x, size, stride, x.shape[2] // stride, x.shape[3] // stride)


@drill.wrong(forward, "one row and column of windows too few", "from the first window on there are (H - size) // "
             "stride steps, and so one window more: + 1")
def _(x, size, stride):
    return pooled(x, size, stride, *((x.shape[axis] - size) // stride for axis in (2, 3)))


@drill.wrong(forward, "the + 1 divided by the stride", "the first window counts as a whole: (H - size) // stride + 1, "
             "and not (H - size + 1) // stride")
def _(x, size, stride):
    return pooled(x, size, stride, *((x.shape[axis] - size + 1) // stride for axis in (2, 3)))


@drill.wrong(backward, "all equal maxima get the gradient", "x == y marks each of several equal numbers; argmax gives "
             "the first alone")
def _(dy, x, size, stride):
    return spread(lambda window: window == window.max(), dy, x, size, stride)


@drill.wrong(backward, "gradient shared by equal maxima", "as in PyTorch the first of equal numbers gets all of it")
def _(dy, x, size, stride):
    return spread(lambda window: (window == window.max()) / (window == window.max()).sum(), dy, x, size, stride)


@drill.wrong(backward, "the last of equal maxima", "as in PyTorch the first of equal numbers gets it: a loop that "
             "compares with >= moves on to the last")
def _(dy, x, size, stride):
    flipped = np.flip(windows_of(x, size, stride).reshape(*dy.shape, -1), axis=-1)
    return add(dy, x, size, stride, size * size - 1 - flipped.argmax(axis=-1))


@drill.wrong(backward, "column by column", "the first of equal numbers is the first row by row: rows are the outer "
             "loop")
def _(dy, x, size, stride):
    k = windows_of(x, size, stride).swapaxes(4, 5).reshape(*dy.shape, -1).argmax(axis=-1)
    return add(dy, x, size, stride, k % size * size + k // size)


def add(dy, x, size, stride, k):
    """dx where k is the place of the winner in its window."""
    n, c, i, j = np.indices(dy.shape)
    dx = np.zeros_like(x)
    np.add.at(dx, (n, c, i * stride + k // size, j * stride + k % size), dy)
    return dx


@drill.wrong(backward, "overlapping windows overwrite", "a number that wins in several windows gets the sum: dx[...] = "
             "dy and dx[indices] += dy keep one of them, np.add.at adds all")
def _(dy, x, size, stride):
    k = windows_of(x, size, stride).reshape(*dy.shape, -1).argmax(axis=-1)
    n, c, i, j = np.indices(dy.shape)
    dx = np.zeros_like(x)
    dx[n, c, i * stride + k // size, j * stride + k % size] += dy
    return dx


@drill.wrong(backward, "where the window begins", "the window at (i, j) begins at (i * stride, j * stride): add that "
             "to the place in the window")
def _(dy, x, size, stride):
    k = windows_of(x, size, stride).reshape(*dy.shape, -1).argmax(axis=-1)
    n, c, i, j = np.indices(dy.shape)
    dx = np.zeros_like(x)
    np.add.at(dx, (n, c, i + k // size, j + k % size), dy)
    return dx


@drill.wrong(backward, "where the window begins", "windows begin at multiples of stride, and not of size")
def _(dy, x, size, stride):
    k = windows_of(x, size, stride).reshape(*dy.shape, -1).argmax(axis=-1)
    n, c, i, j = np.indices(dy.shape)
    dx = np.zeros_like(x)
    rows, columns = i * size + k // size, j * size + k % size
    np.add.at(dx, (n, c, rows, columns), dy)
    return dx


@drill.wrong(backward, "spread over the window", "only the largest number moves the maximum: it gets the whole "
             "gradient; a mean would share it")
def _(dy, x, size, stride):
    return spread(lambda window: np.full(window.shape, 1 / window.size), dy, x, size, stride)


@drill.wrong(backward, "spread over the window", "only the largest number moves the maximum: all others get 0")
def _(dy, x, size, stride):
    return spread(lambda window: np.ones(window.shape), dy, x, size, stride)
