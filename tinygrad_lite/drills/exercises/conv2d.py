"""Two-dimensional convolution by windows

conv2d(x, weight, bias, stride=1, padding=0)   (N, C, H, W), (O, C, kh, kw), (O,) -> (N, O, H', W')

What deep learning calls convolution, as in PyTorch: the kernel is laid on each window of the image as it is (it is not
flipped), products are summed over the window and over the channels C, and the bias of the output channel is added.
stride and padding are numbers, the same for both directions: the image gets padding rows and columns of zeros on each
of its sides, and windows begin at every stride-th row and column. Only whole windows count, so that
H' = (H + 2 * padding - kh) // stride + 1, and W' likewise. No Python loop over the batch or over the positions of the
output; one over the kernel or over channels is allowed. numpy's sliding_window_view is allowed too, and its convolve
and correlate are forbidden.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=12,
    hints=["Pad the last two axes only: np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding))).",
           "np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(2, 3)) has all windows, without a copy: "
           "(N, C, rows, columns, kh, kw).",
           "[:, :, ::stride, ::stride] keeps every stride-th window, and their number is right by itself.",
           'np.einsum("nchwij,ocij->nohw", windows, weight) sums over channels and kernel at once.',
           "The bias is added along O: bias[:, None, None]."],
    pitfalls=["A bias of shape (O,) broadcasts along the width: give it two more axes.",
              "Copies of the windows (im2col) take kh * kw times the memory of the image; a view of them takes none.",
              "In mathematics a convolution flips the kernel; this is a cross-correlation. It matters where weights "
              "are taken from elsewhere."],
    forbidden=("numpy.convolve", "numpy.correlate"),
)


@drill.reference
def conv2d(x, weight, bias, stride=1, padding=0):
    """x: (N, C, H, W), weight: (O, C, kh, kw), bias: (O,) -> (N, O, H', W')"""
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))  # the image's axes only
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(2, 3))  # a view: no copies
    windows = windows[:, :, ::stride, ::stride]  # (N, C, H', W', kh, kw)
    out = np.tensordot(windows, weight, axes=((1, 4, 5), (1, 2, 3)))  # (N, H', W', O): over C, kh and kw
    return np.moveaxis(out, -1, 1) + bias[:, None, None]  # (O, 1, 1) meets axis 1


rng = np.random.default_rng(0)
x = rng.standard_normal((2, 3, 7, 6))
weight, bias = rng.standard_normal((4, 3, 2, 3)), rng.standard_normal(4)
square = rng.standard_normal((4, 3, 3, 3))

drill.case(conv2d, np.arange(9.0).reshape(1, 1, 3, 3), np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), np.array([10.0]),
           why="the kernel lies on each window as it is: 1 * 0 + 2 * 1 + 3 * 3 + 4 * 4 + 10 is the first number")
drill.case(conv2d, np.zeros((1, 1, 3, 5)), np.zeros((4, 1, 2, 2)), np.array([1.0, 2.0, 3.0, 4.0]),
           why="each output channel has a bias of its own: bias[:, None, None], since (O,) broadcasts along the width")
drill.case(conv2d, np.array([[[[1.0]], [[20.0]], [[300.0]]]]), np.ones((1, 3, 1, 1)), np.array([0.0]),
           why="the products of all channels are summed")
drill.case(conv2d, x, weight, bias, why="kernels need not be square: (N, C, H', W', kh, kw) against (O, C, kh, kw)")
drill.case(conv2d, np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), np.ones((1, 1, 3, 3)), np.array([0.0]), padding=1,
           why="zeros on all four sides: with padding 1 a kernel of 3 x 3 keeps the size")
drill.case(conv2d, x, square, bias, stride=2,
           why="only whole windows count, and the first is one of them: (H - kh) // stride + 1")
drill.case(conv2d, x, weight, bias, stride=3, padding=2, why="padding comes first, and then every third window")
drill.case(conv2d, x, square[:, :, :1, :1], bias, stride=2, why="a kernel of 1 x 1 mixes the channels of single pixels")
drill.case(conv2d, x[:, :, :3, :3], square, bias, why="a kernel as large as the image has one window")
drill.case(conv2d, *(each.astype("float32") for each in (x, square, bias)), padding=1, rtol=1e-3,
           why="float32 stays float32")
drill.case(conv2d, rng.standard_normal((100, 1, 21, 21)), square[:1, :1, :2, :2], bias[:1], lines=90,
           why="all windows of all images are multiplied at once",
           slow="a Python loop over the batch or over positions; take all windows at once with sliding_window_view")


def padded(x, padding):
    """The images with zeros around them."""
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def correlated(x, weight, stride):
    """The outputs without bias, (N, O, H', W')."""
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.moveaxis(np.tensordot(windows, weight, axes=((1, 4, 5), (1, 2, 3))), -1, 1)


@drill.wrong(conv2d, "the kernel flipped", "deep learning's convolution is a cross-correlation: the kernel stays as it "
             "is")
def _(x, weight, bias, stride=1, padding=0):
    return correlated(padded(x, padding), weight[:, :, ::-1, ::-1], stride) + bias[:, None, None]


@drill.wrong(conv2d, "rows and columns of the kernel exchanged", "the axis kh goes with the rows of a window, kw with "
             "its columns")
def _(x, weight, bias, stride=1, padding=0):
    return correlated(padded(x, padding), weight.swapaxes(2, 3), stride) + bias[:, None, None]


@drill.wrong(conv2d, "rows and columns of the kernel exchanged", "the axis kh goes with the rows of a window, kw with "
             "its columns")
def _(x, weight, bias, stride=1, padding=0):
    windows = np.lib.stride_tricks.sliding_window_view(padded(x, padding), weight.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,ocji->nohw", windows[:, :, ::stride, ::stride], weight) + bias[:, None, None]


@drill.wrong(conv2d, "padding forgotten", "np.pad adds rows and columns of zeros on all four sides before anything "
             "else")
def _(x, weight, bias, stride=1, padding=0):
    return correlated(x, weight, stride) + bias[:, None, None]


@drill.wrong(conv2d, "padded on one side only", "each side gets zeros, the left as well as the right: (padding, "
             "padding)")
def _(x, weight, bias, stride=1, padding=0):
    return correlated(np.pad(x, ((0, 0), (0, 0), (0, padding), (0, padding))), weight, stride) + bias[:, None, None]


@drill.wrong(conv2d, "batch and channels padded", "np.pad(x, padding) adds empty images and channels as well; pad the "
             "last two axes only")
def _(x, weight, bias, stride=1, padding=0):
    return correlated(np.pad(x, padding), weight, stride) + bias[:, None, None]


@drill.wrong(conv2d, "batch and channels padded", "np.pad(x, padding) adds empty images and channels as well; pad the "
             "last two axes only")
def _(x, weight, bias, stride=1, padding=0):
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, padding), weight.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], weight) + bias[:, None, None]


@drill.wrong(conv2d, "stride forgotten", "windows begin at every stride-th row and column: [:, :, ::stride, ::stride]")
def _(x, weight, bias, stride=1, padding=0):
    return correlated(padded(x, padding), weight, 1) + bias[:, None, None]


def by_kernel(x, weight, stride, height, width):
    """The outputs of a given size by a loop over the kernel, (N, O, H', W')."""
    out = np.zeros((len(x), len(weight), height, width), x.dtype)
    for i in range(weight.shape[2]):
        for j in range(weight.shape[3]):
            pixels = x[:, :, i : i + stride * height : stride, j : j + stride * width : stride]
            out += np.einsum("nchw,oc->nohw", pixels, weight[:, :, i, j])
    return out


@drill.wrong(conv2d, "one row and column of outputs too few", "from the first window on there are (H - kh) // stride "
             "steps, and so one window more: + 1")
def _(x, weight, bias, stride=1, padding=0):
    x = padded(x, padding)
    height, width = ((x.shape[axis] - weight.shape[axis]) // stride for axis in (2, 3))
    return by_kernel(x, weight, stride, height, width) + bias[:, None, None]


@drill.wrong(conv2d, "the + 1 divided by the stride", "the first window counts as a whole: (H - kh) // stride + 1, and "
             "not (H - kh + 1) // stride")
def _(x, weight, bias, stride=1, padding=0):
    x = padded(x, padding)
    height, width = ((x.shape[axis] - weight.shape[axis] + 1) // stride for axis in (2, 3))
    return by_kernel(x, weight, stride, height, width) + bias[:, None, None]


@drill.wrong(conv2d, "padding counted once", "there is padding on both sides: H + 2 * padding - kh")
def _(x, weight, bias, stride=1, padding=0):
    height, width = ((x.shape[axis] + padding - weight.shape[axis]) // stride + 1 for axis in (2, 3))
    return by_kernel(padded(x, padding), weight, stride, height, width) + bias[:, None, None]


@drill.wrong(conv2d, "bias along the width", "(O,) broadcasts along the last axis, which is W': bias[:, None, None]")
def _(x, weight, bias, stride=1, padding=0):
    return correlated(padded(x, padding), weight, stride) + bias


@drill.wrong(conv2d, "bias forgotten", "each output channel adds its bias: + bias[:, None, None]")
def _(x, weight, bias, stride=1, padding=0):
    return correlated(padded(x, padding), weight, stride)


@drill.wrong(conv2d, "bias once a channel", "the bias is added to the sum over the channels, and not in each of them")
def _(x, weight, bias, stride=1, padding=0):
    return correlated(padded(x, padding), weight, stride) + weight.shape[1] * bias[:, None, None]


@drill.wrong(conv2d, "channels not summed", "an output channel sees all input channels: sum the products over C too")
def _(x, weight, bias, stride=1, padding=0):
    return correlated(padded(x, padding)[:, :1], weight[:, :1], stride) + bias[:, None, None]


@drill.wrong(conv2d, "channels not summed", "an output channel sees all input channels: sum the products over C too")
def _(x, weight, bias, stride=1, padding=0):
    windows = np.lib.stride_tricks.sliding_window_view(padded(x, padding), weight.shape[2:], axis=(2, 3))
    out = np.einsum("nchwij,ocij->nochw", windows[:, :, ::stride, ::stride], weight)
    return out + bias[:, None, None, None]


@drill.wrong(conv2d, "mean over the channels", "the products of all channels are summed; their number does not divide")
def _(x, weight, bias, stride=1, padding=0):
    return correlated(padded(x, padding), weight, stride) / weight.shape[1] + bias[:, None, None]


@drill.wrong(conv2d, "loop over the batch or positions", "Python runs a line a position: take all windows at once, or "
             "loop over the few places of the kernel")
def _(x, weight, bias, stride=1, padding=0):
    x, (kh, kw) = padded(x, padding), weight.shape[2:]
    out = np.empty((len(x), len(weight), (x.shape[2] - kh) // stride + 1, (x.shape[3] - kw) // stride + 1), x.dtype)
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            window = x[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw]
            out[:, :, i, j] = np.tensordot(window, weight, axes=((1, 2, 3), (1, 2, 3))) + bias
    return out
