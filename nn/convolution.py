"""Convolutions and their adjoints."""

from collections.abc import Callable
from typing import Any

from . import functional as F
from . import init
from .layer import weights
from .module import Module, Parameter

__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"]

MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(Module):
    """Windows of the input times one kernel for each channel of the output."""

    _function: Callable
    _dims: int
    _transposed = False
    bias: Parameter | None
    padding: Any

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
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"{name}: padding is a number, 'same' or 'valid', not {padding!r}")
        if padding == "same" and set(self.stride) != {1}:
            raise ValueError(f"{name}: padding='same' needs a stride of 1, not {stride}")
        rows, columns = (in_channels, out_channels) if self._transposed else (out_channels, in_channels)
        self.weight = weights(rows, columns // groups, *self.kernel_size, device=device, dtype=dtype)
        self.register_parameter("bias", weights(out_channels, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def _several(self, value: Any) -> tuple[int, ...]:
        return (value,) * self._dims if isinstance(value, int) else tuple(value)

    def reset_parameters(self) -> None:
        """Uniform within 1 / sqrt(the inputs of each output)."""
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
    """`functional.conv1d` with its weight and bias: (N, in_channels, L) -> (N, out_channels, OL)."""

    _function, _dims = staticmethod(F.conv1d), 1


class Conv2d(_Conv):
    """`functional.conv2d` with its weight and bias: (N, in_channels, H, W) -> (N, out_channels, OH, OW)."""

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
    """`functional.conv_transpose1d` with its weight and bias: (N, in_channels, L) -> (N, out_channels, OL)."""

    _function, _dims = staticmethod(F.conv_transpose1d), 1


class ConvTranspose2d(_ConvTranspose):
    """`functional.conv_transpose2d` with its weight and bias: (N, in_channels, H, W) -> (N, out_channels, OH, OW)."""

    _function, _dims = staticmethod(F.conv_transpose2d), 2
