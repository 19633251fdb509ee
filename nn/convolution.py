"""Convolutions and their adjoints."""

from collections.abc import Callable
from typing import Any

from tinygrad_lite.ops.arguments import plain

from . import functional as F
from . import init
from .layer import weights
from .module import Module

__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"]

MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(Module):
    """Windows of the input times one kernel for each channel of the output."""

    _function: Callable
    _dims: int
    _transposed = False
    bias: Any  # a Parameter, or None
    padding: Any  # a word, or a width for each dimension

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None) -> None:
        name = type(self).__name__
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"{name}: {in_channels} and {out_channels} channels do not fall into {groups} groups")
        if padding_mode not in MODES[: 1 if self._transposed else None]:
            raise ValueError(f"{name}: padding_mode is {', '.join(MODES)} ('zeros' where it is transposed), "
                             f"not {padding_mode!r}")
        self.in_channels, self.out_channels, self.groups, self.padding_mode = (
            in_channels, out_channels, groups, padding_mode)
        self.kernel_size, self.stride, self.dilation = (self._several(v) for v in (kernel_size, stride, dilation))
        self.padding = padding if isinstance(padding, str) else self._several(padding)
        words = () if self._transposed else ("same", "valid")
        if isinstance(padding, str) and padding not in words:
            raise ValueError(f"{name}: padding is {' or '.join(['a number', *map(repr, words)])}, not {padding!r}")
        if padding == "same" and set(self.stride) != {1}:
            raise ValueError(f"{name}: padding='same' needs a stride of 1, not {stride}")
        rows, columns = (in_channels, out_channels) if self._transposed else (out_channels, in_channels)
        self.weight = weights(rows, columns // groups, *self.kernel_size, device=device, dtype=dtype)
        self.register_parameter("bias", weights(out_channels, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def _several(self, value: Any) -> tuple[int, ...]:
        value = plain(value)  # numpy's whole numbers as Python's
        return (value,) * self._dims if isinstance(value, int) else tuple(value)

    def reset_parameters(self) -> None:
        """Draw weight and bias anew: uniform within 1 / sqrt(fan in), the numbers in one kernel (weight.shape[1:])."""
        init.within_fan_(self.weight, self.bias)

    def forward(self, input: Any) -> Any:
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._border(), self.padding_mode), 0
        return self._function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _border(self) -> list[int]:
        """The widths as `pad` takes them: last dimension first."""
        if isinstance(self.padding, tuple):
            return [width for width in self.padding[::-1] for _ in range(2)]
        totals = [d * (k - 1) * (self.padding == "same") for d, k in zip(self.dilation, self.kernel_size)]
        return [width for total in totals[::-1] for width in (total // 2, total - total // 2)]

    def extra_repr(self) -> str:
        nothing, ones = self._several(0), self._several(1)
        defaults = {"padding": nothing, "dilation": ones, "output_padding": nothing, "groups": 1}
        shown = [f"{name}={getattr(self, name)}" for name, default in defaults.items()
                 if getattr(self, name, default) != default]
        shown += ["bias=False"] * (self.bias is None)
        shown += [f"padding_mode={self.padding_mode}"] * (self.padding_mode != "zeros")
        return ", ".join([f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
                          f"stride={self.stride}", *shown])


class Conv1d(_Conv):
    """A layer that slides kernels along sequences: each output is the sum of a window times a kernel, plus a bias.

    x (N, in_channels, L), or one element without N, gives (N, out_channels, OL) with
    OL = (L + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1. padding is a width for both ends, "valid"
    (none) or "same" (OL = L; needs stride 1); padding_mode says what stands there: "zeros", "reflect", "replicate" or
    "circular". With groups, each share of the outputs sees its share of the inputs only: weight (out_channels,
    in_channels / groups, kernel_size). Weight and bias start uniform within 1 / sqrt(the numbers in one kernel).

    >>> conv = nn.Conv1d(1, 1, kernel_size=2, bias=False)
    >>> conv.weight.data = tl.tensor([[[-1.0, 1.0]]])  # each number less the one before
    >>> conv(tl.tensor([[[1.0, 4.0, 9.0, 16.0]]])).tolist()
    [[[3.0, 5.0, 7.0]]]
    """

    _function, _dims = staticmethod(F.conv1d), 1


class Conv2d(_Conv):
    """A layer that slides kernels over images: each output is the sum of a window times a kernel, plus a bias.

    x (N, in_channels, H, W), or one image without N, gives (N, out_channels, OH, OW); weight (out_channels,
    in_channels / groups, KH, KW). The arguments are those of `Conv1d`, for both dimensions or as a pair. It is a
    RuntimeError where the channels do not fit, or the kernel is larger than the padded image.

    >>> images = tl.ones(8, 3, 32, 32)
    >>> nn.Conv2d(3, 16, kernel_size=3, padding=1)(images).shape
    (8, 16, 32, 32)
    >>> nn.Conv2d(3, 16, kernel_size=(3, 5), stride=2)(images).shape
    (8, 16, 15, 14)
    """

    _function, _dims = staticmethod(F.conv2d), 2


class _ConvTranspose(_Conv):
    """The adjoint of a convolution, by which images become larger."""

    _transposed = True

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1,
                 padding_mode: str = "zeros", device: Any = None, dtype: Any = None) -> None:
        self.output_padding = self._several(output_padding)
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode,
                         device, dtype)

    def forward(self, input: Any, output_size: Any = None) -> Any:
        extra = self.output_padding if output_size is None else self._extra(input, tuple(output_size))
        return self._function(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups,
                              self.dilation)

    def _extra(self, input: Any, asked: tuple[int, ...]) -> tuple[int, ...]:
        """The output_padding that gives an output_size, with or without batch and channels."""
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in zip(
            input.shape[-self._dims:], self.stride, self.padding, self.dilation, self.kernel_size)]
        extra = tuple(n - m for n, m in zip(asked[-self._dims:], least))
        if len(asked) not in (self._dims, input.ndim) or any(not 0 <= e < s for e, s in zip(extra, self.stride)):
            raise ValueError(f"{type(self).__name__}: an output_size of {asked} is not from {tuple(least)} to below "
                             f"{tuple(m + s for m, s in zip(least, self.stride))}, for an input of {input.shape}")
        return extra


class ConvTranspose1d(_ConvTranspose):
    """A layer that makes sequences longer: each number adds a kernel, times itself, where `Conv1d` would look.

    x (N, in_channels, L), or one element without N, gives (N, out_channels, OL) with
    OL = (L - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1; a call with output_size
    chooses the output_padding. weight (in_channels, out_channels / groups, kernel_size).

    >>> conv = nn.ConvTranspose1d(1, 1, kernel_size=2, stride=2, bias=False)
    >>> conv.weight.data = tl.tensor([[[1.0, 10.0]]])
    >>> conv(tl.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[1.0, 10.0, 2.0, 20.0, 3.0, 30.0]]]
    """

    _function, _dims = staticmethod(F.conv_transpose1d), 1


class ConvTranspose2d(_ConvTranspose):
    """A layer that makes images larger: each pixel adds a kernel, times itself, where `Conv2d` would look.

    x (N, in_channels, H, W), or one image without N, gives (N, out_channels, OH, OW); weight (in_channels,
    out_channels / groups, KH, KW). The arguments are those of `ConvTranspose1d`, for both dimensions or as a pair. An
    output_size that no output_padding gives is a ValueError.

    >>> conv = nn.ConvTranspose2d(16, 3, kernel_size=3, stride=2, padding=1)
    >>> conv(tl.ones(8, 16, 10, 10)).shape
    (8, 3, 19, 19)
    >>> conv(tl.ones(8, 16, 10, 10), output_size=(20, 20)).shape
    (8, 3, 20, 20)
    """

    _function, _dims = staticmethod(F.conv_transpose2d), 2
