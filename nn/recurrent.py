"""RNN, LSTM and GRU, and their cells: PyTorch's names and arguments."""

import math
import warnings
from typing import Any

import numpy as np

from tinygrad_lite.engine.values import unbox
from tinygrad_lite.ops import cat, stack, transpose

from . import functional as F
from . import init
from .functional.recurrent import GATES, recurrence
from .layer import weights
from .module import Module, Parameter
from .utils.rnn import PackedSequence


def _weights(module: Module, suffix: str, cell: str, inputs: int, hidden: int, bias: bool, projected: int = 0) -> None:
    """Hold the parameters of a layer and direction, in PyTorch's order."""
    gates = GATES[cell] * hidden
    shapes = {"weight_ih": (gates, inputs), "weight_hh": (gates, projected or hidden),
              "bias_ih": (gates,), "bias_hh": (gates,), "weight_hr": (projected, hidden)}
    for name, shape in shapes.items():
        if name.startswith("bias") and not bias:
            if not suffix:
                module.register_parameter(name, None)
        elif projected or name != "weight_hr":
            setattr(module, name + suffix, weights(*shape))


def _cell_of(name: str, nonlinearity: str) -> str:
    if name != "RNN":
        return name.lower()
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"Unknown nonlinearity {nonlinearity!r}: select from 'tanh' and 'relu'")
    return f"rnn_{nonlinearity}"


class _Recurrent(Module):
    hidden_size: int

    def reset_parameters(self) -> None:
        """Draw every parameter anew: uniform within 1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def _refuse(self, x: Any, weight: Any) -> None:
        """Exceptions as PyTorch's, where the input does not fit."""
        name = type(self).__name__
        if x.dtype != weight.dtype:
            raise ValueError(f"RNN input dtype ({x.dtype}) does not match weight dtype ({weight.dtype}). Convert "
                             f"input: input.to({weight.dtype}), or convert model: model.to({x.dtype})")
        if x.shape[-1] != weight.shape[1]:
            raise RuntimeError(f"{name}: input has inconsistent input_size: got {x.shape[-1]} expected "
                               f"{weight.shape[1]}")


class RNNBase(_Recurrent):
    """What `RNN`, `LSTM` and `GRU` have in common: layers of a cell that goes along sequences, one way or both ways.

    mode is "LSTM", "GRU", "RNN_TANH" or "RNN_RELU". The input is (T, B, input_size), or (B, T, input_size) where
    batch_first, or (T, input_size) without a batch, or a PackedSequence; hx are initial states (layers * directions, B,
    hidden_size), zeros unless given. It gives the hidden states of the last layer (T, B, directions * hidden_size), and
    h_n: those at the end, of every layer and direction. dropout acts between layers. Sizes or dtypes that do not fit
    are a ValueError or a RuntimeError.

    >>> rnn = nn.RNNBase("GRU", input_size=3, hidden_size=5, num_layers=2, bidirectional=True)
    >>> out, h_n = rnn(tl.ones(7, 1, 3))
    >>> out.shape, h_n.shape
    ((7, 1, 10), (4, 1, 5))
    """

    def __init__(self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0,
                 device: Any = None, dtype: Any = None) -> None:
        name = type(self).__name__
        for setting, value, kind in (("bias", bias, bool), ("batch_first", batch_first, bool),
                                     ("input_size", input_size, int), ("hidden_size", hidden_size, int)):
            if not isinstance(value, kind):
                raise TypeError(f"{name}: {setting} should be of type {kind.__name__}, got: {type(value).__name__}")
        for setting, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if value <= 0:
                raise ValueError(f"{name}: {setting} must be greater than zero, not {value}")
        if str(mode).lower() not in GATES:
            raise ValueError(f"{name}: mode is one of {', '.join(GATES).upper()}, not {mode!r}")
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(f"{name}: dropout should be a number in range [0, 1], not {dropout}")
        if dropout and num_layers == 1:
            warnings.warn(f"{name}: dropout is applied between layers, and there is one: {dropout} does nothing",
                          stacklevel=3)
        if proj_size and mode != "LSTM":
            raise ValueError(f"{name}: proj_size is only supported for LSTM")
        if not 0 <= proj_size < hidden_size:
            raise ValueError(f"{name}: proj_size has to be from 0 to below hidden_size, not {proj_size}")
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        directions, width = 1 + bidirectional, proj_size or hidden_size
        for layer in range(num_layers):
            for reverse in range(directions):
                _weights(self, self._suffix(layer, reverse), mode.lower(), width * directions if layer else input_size,
                         hidden_size, bias, proj_size)
        self.reset_parameters()
        self.to(dtype=dtype, device=device)

    @staticmethod
    def _suffix(layer: int, reverse: int) -> str:
        return f"_l{layer}" + "_reverse" * reverse

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction, as lists: one after the other, in the order of their names."""
        suffixes = [self._suffix(i, r) for i in range(self.num_layers) for r in range(1 + self.bidirectional)]
        return [[p for name, p in self.named_parameters() if name.endswith(suffix)] for suffix in suffixes]

    def flatten_parameters(self) -> None:
        """Do nothing: it is for GPUs, and here parameters have memory of their own."""

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        packed = isinstance(input, PackedSequence)
        x = input.data if packed else input
        sizes: Any = tuple(unbox(input.batch_sizes).tolist()) if packed else None
        order, back = (input.sorted_indices, input.unsorted_indices) if packed else (None, None)
        if not packed and x.ndim not in (2, 3):
            raise ValueError(f"{type(self).__name__}: Expected input to be 2D or 3D, got {x.ndim}D tensor instead")
        batched = packed or x.ndim == 3
        if not batched:
            x = x[:, None]
        elif self.batch_first and not packed:
            x = transpose(x, 0, 1)
        self._refuse(x, self.weight_ih_l0)
        h, c = self._states(x, hx, sizes[0] if packed else x.shape[1], batched)
        if order is not None and hx is not None:
            h, c = h[:, order], c if c is None else c[:, order]
        if not packed and not x.shape[0]:
            raise RuntimeError(f"{type(self).__name__}: Expected sequence length to be larger than 0 in RNN")
        x, h_n, c_n = self._layers(x, h, c, sizes)
        if back is not None:
            h_n, c_n = h_n[:, back], c_n if c_n is None else c_n[:, back]
        if not batched:
            x, h_n, c_n = x[:, 0], h_n[:, 0], c_n if c_n is None else c_n[:, 0]
        elif packed:
            x = PackedSequence(x, *input[1:])
        elif self.batch_first:
            x = transpose(x, 0, 1)
        return x, h_n if c_n is None else (h_n, c_n)

    def _states(self, x: Any, hx: Any, batch: int, batched: bool) -> list[Any]:
        """The initial hidden state and cell (layers * directions, B, width); no cell but in an LSTM."""
        lead = self.num_layers * (1 + self.bidirectional), batch
        widths = [self.proj_size or self.hidden_size, *[self.hidden_size] * (self.mode == "LSTM")]
        if hx is None:
            states = [np.zeros((*lead, width), x.dtype) for width in widths]
        else:
            states = list(hx) if self.mode == "LSTM" else [hx]
            if any(s.ndim != (3 if batched else 2) for s in states):
                raise RuntimeError(f"{type(self).__name__}: hx has 3 dimensions for a batch and 2 without, not "
                                   f"{states[0].ndim}")
            states = states if batched else [s[:, None] for s in states]
            for s, width in zip(states, widths, strict=True):
                if s.shape != (*lead, width):
                    raise RuntimeError(f"{type(self).__name__}: Expected hidden size {(*lead, width)}, got {s.shape}")
        return states if len(states) == 2 else [*states, None]

    def _layers(self, x: Any, h: Any, c: Any, sizes: Any) -> tuple[Any, Any, Any]:
        ends, cells = [], []
        for layer in range(self.num_layers):
            outs = []
            for reverse in range(1 + self.bidirectional):
                at, suffix = layer * (1 + self.bidirectional) + reverse, self._suffix(layer, reverse)
                w_ih, w_hh, b_ih, b_hh, w_hr = (getattr(self, name + suffix, None) for name in (
                    "weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"))
                out, end, cell = recurrence(self.mode.lower(), x, h[at], None if c is None else c[at], w_ih, w_hh, b_ih,
                                            b_hh, w_hr, sizes, bool(reverse))
                outs.append(out)
                ends.append(end)
                cells.append(cell)
            x = cat(outs, -1) if self.bidirectional else outs[0]
            if self.dropout and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout, self.training)
        return x, stack(ends), None if c is None else stack(cells)

    def extra_repr(self) -> str:
        shown = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0,
                 "bidirectional": False}
        differing = {name: getattr(self, name) for name, usual in shown.items() if getattr(self, name) != usual}
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *(f"{k}={v}" for k, v in differing.items())])


class RNN(RNNBase):
    """A recurrent network: at every step h = tanh(W_ih @ x + b_ih + W_hh @ h + b_hh) (Elman, 1990).

    nonlinearity="relu" takes relu instead of tanh. Shapes and the other arguments are those of `RNNBase`.

    >>> rnn = nn.RNN(input_size=3, hidden_size=5)
    >>> out, h_n = rnn(tl.ones(7, 2, 3))  # 7 steps of 2 sequences
    >>> out.shape, h_n.shape
    ((7, 2, 5), (1, 2, 5))
    >>> (out[-1] == h_n[0]).all()
    tensor(True)
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh",
                 bias: bool = True, batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__(_cell_of("RNN", nonlinearity).upper(), input_size, hidden_size, num_layers, bias, batch_first,
                         dropout, bidirectional, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory: beside h a cell c, which gates write, keep and read (Hochreiter and Schmidhuber, 1997).

    At every step c = f * c + i * g and h = o * tanh(c), with i, f and o a sigmoid, and g the tanh, of what `RNN` takes
    the tanh of; each has weights of its own. hx, and what it gives beside the output, are a pair (h, c); with proj_size
    h is projected to that width. Shapes and the other arguments are those of `RNNBase`.

    >>> lstm = nn.LSTM(input_size=3, hidden_size=5, batch_first=True)
    >>> out, (h_n, c_n) = lstm(tl.ones(2, 7, 3))
    >>> out.shape, h_n.shape, c_n.shape
    ((2, 7, 5), (1, 2, 5), (1, 2, 5))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__("LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         proj_size, device, dtype)


class GRU(RNNBase):
    """Gated recurrent units: at every step h = (1 - z) * n + z * h, a mean of new and old (Cho et al., 2014).

    z and r are sigmoids, as are the gates of `LSTM`, and n = tanh(W_in @ x + b_in + r * (W_hn @ h + b_hn)). Shapes and
    arguments are those of `RNNBase`.

    >>> gru = nn.GRU(input_size=3, hidden_size=5, num_layers=2)
    >>> out, h_n = gru(tl.ones(7, 1, 3))
    >>> out.shape, h_n.shape
    ((7, 1, 5), (2, 1, 5))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         device=device, dtype=dtype)


# ---------------------------------------------------------------- one step
class RNNCellBase(_Recurrent):
    """What `RNNCell`, `LSTMCell` and `GRUCell` have in common: one step of a recurrent layer, for loops of your own.

    input (B, input_size) and the state hx (B, hidden_size), or both without a batch, give the new state; hx is zeros
    unless given. Sizes or dtypes that do not fit are a ValueError or a RuntimeError.

    >>> isinstance(nn.GRUCell(3, 5), nn.RNNCellBase)
    True
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool, cell: str, device: Any, dtype: Any) -> None:
        self.input_size, self.hidden_size, self.bias, self._cell = input_size, hidden_size, bias, cell
        _weights(self, "", cell, input_size, hidden_size, bias)
        self.reset_parameters()
        self.to(dtype=dtype, device=device)

    def _step(self, x: Any, states: Any) -> list[Any]:
        """The new states."""
        name = type(self).__name__
        if x.ndim not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {x.ndim}D instead")
        batched = x.ndim == 2
        for label, s in zip(("hx[0]", "hx[1]") if len(states) > 1 else ("hidden",), states):
            if s is not None and s.ndim not in (1, 2):
                raise ValueError(f"{name}: Expected {label} to be 1D or 2D, got {s.ndim}D instead")
        self._refuse(x, self.weight_ih)
        x = x if batched else x[None]
        states = [np.zeros((x.shape[0], self.hidden_size), x.dtype) if s is None else s if s.ndim == 2 else s[None]
                  for s in states]
        for i, s in enumerate(states):
            if s.shape[1] != self.hidden_size:
                raise RuntimeError(f"{name}: hidden{i} has inconsistent hidden_size: got {s.shape[1]}, expected "
                                   f"{self.hidden_size}")
            if s.shape[0] != x.shape[0]:
                raise RuntimeError(f"{name}: Input batch size {x.shape[0]} doesn't match hidden{i} batch size "
                                   f"{s.shape[0]}")
        h, _, c = recurrence(self._cell, x, states[0], states[1] if len(states) > 1 else None, self.weight_ih,
                             self.weight_hh, self.bias_ih, self.bias_hh, None, (x.shape[0],), True)
        return [s if batched else s[0] for s in (h, c)[:len(states)]]

    def extra_repr(self) -> str:
        activation = ", nonlinearity=relu" if self._cell == "rnn_relu" else ""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False") + activation


class RNNCell(RNNCellBase):
    """One step of `RNN`: an input (B, input_size) and a state (B, hidden_size) give the new state.

    Both may be without a batch; the state is zeros unless given.

    >>> cell = nn.RNNCell(input_size=3, hidden_size=5)
    >>> h = cell(tl.ones(2, 3))
    >>> h = cell(tl.ones(2, 3), h)  # and so on, step by step
    >>> h.shape
    (2, 5)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh",
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, _cell_of("RNN", nonlinearity), device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None) -> Any:
        return self._step(input, [hx])[0]


class GRUCell(RNNCellBase):
    """One step of `GRU`: an input (B, input_size) and a state (B, hidden_size) give the new state.

    Both may be without a batch; the state is zeros unless given.

    >>> cell = nn.GRUCell(input_size=3, hidden_size=5)
    >>> h = tl.zeros(2, 5)
    >>> cell(tl.ones(2, 3), h).shape
    (2, 5)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, "gru", device, dtype)

    def forward(self, input: Any, hx: Any = None) -> Any:
        return self._step(input, [hx])[0]


class LSTMCell(RNNCellBase):
    """One step of `LSTM`: an input (B, input_size) and a pair (h, c), each (B, hidden_size), give the new pair.

    All may be without a batch; h and c are zeros unless given.

    >>> cell = nn.LSTMCell(input_size=3, hidden_size=5)
    >>> h, c = cell(tl.ones(2, 3))
    >>> h, c = cell(tl.ones(2, 3), (h, c))
    >>> h.shape, c.shape
    ((2, 5), (2, 5))
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, "lstm", device, dtype)

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        h, c = self._step(input, [None, None] if hx is None else list(hx))
        return h, c
