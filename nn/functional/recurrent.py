"""Recurrent layers, a layer and direction at a time: one node, and one loop over the steps for every cell."""

import numpy as np

from tinygrad_lite.engine.mode import Switch, mode, opaque
from tinygrad_lite.engine.tape import backpropagate, box, by_hand, seeds_for
from tinygrad_lite.engine.values import Value, leaf
from tinygrad_lite.ops import cat, chunk, clone, flatten, pad, relu, reshape, sigmoid, sum, tanh

from .layer import linear

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}  # rows of the weights for a unit of the hidden state

def steps_of(rows, batch, sizes, reverse):
    """The rows of each step in the order of computing; sizes: of how many sequences, `batch` unless given."""
    steps, start = [], 0
    for n in [batch] * (rows // max(batch, 1)) if sizes is None else sizes:
        steps.append(slice(start, start + n))
        start += n
    return steps[::-1] if reverse else steps


# ---------------------------------------------------------------- the definition
def _cell(cell, z, zh, h, c):
    """A step: from what the input and the hidden state give to the gates, the new hidden state and cell."""
    if cell == "lstm":  # Hochreiter and Schmidhuber, 1997; with a gate to forget, Gers et al., 2000
        i, f, g, o = chunk(z + zh, 4, 1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        return sigmoid(o) * tanh(c), c
    if cell == "gru":  # Cho et al., 2014
        (r, u, n), (rh, uh, nh) = chunk(z, 3, 1), chunk(zh, 3, 1)
        n = tanh(n + sigmoid(r + rh) * nh)
        return n + sigmoid(u + uh) * (h - n), c
    return (tanh if cell == "rnn_tanh" else relu)(z + zh), c


def _first(x, n):
    return x if n == x.shape[0] else x[:n]


def _replaced(x, new):
    """x with new first rows."""
    return new if new.shape[0] == x.shape[0] else cat([new, x[new.shape[0]:]])


def _defined(x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, cell, sizes, reverse):
    z, outs = linear(x, w_ih, b_ih), []
    for at in steps_of(x.shape[0], h.shape[0], sizes, reverse):
        n = at.stop - at.start
        before = _first(h, n)
        new, after = _cell(cell, z[at], linear(before, w_hh, b_hh), before, c if c is None else _first(c, n))
        new = new if w_hr is None else linear(new, w_hr)
        h, c = _replaced(h, new), c if c is None else _replaced(c, after)
        outs.append(new)
    out = cat(outs[::-1] if reverse else outs)
    if c is None:
        return out
    return cat([out if w_hr is None else pad(out, (0, c.shape[1] - out.shape[1])), c])


# ---------------------------------------------------------------- the same on arrays, in place, and its derivative
def _sigmoid_of_twice_(x):
    """1 / (1 + exp(-2 x)), in place: by the tanh, which takes a third of the time."""
    np.tanh(x, out=x)
    x *= 0.5
    x += 0.5


def _lstm_step(z, zh, h, c, aside, scale):
    """z becomes the gates, c the new cell, aside its tanh; gives the new hidden state.

    Of g, whose tanh is 2 sigmoid(2 g) - 1, z holds the sigmoid: one piece of memory, and half as many exponentials.
    """
    n = c.shape[1]
    z += zh
    z *= scale  # 1 / 2, and 1 for g
    _sigmoid_of_twice_(z)
    new = z[:, 2 * n:3 * n] * 2
    new -= 1
    new *= z[:, :n]
    c *= z[:, n:2 * n]
    c += new
    np.tanh(c, out=aside)
    return z[:, 3 * n:] * aside


def _lstm_back(d, dc, z, before, cells, aside, dz, dzh, factor):
    """From the gradients of the new hidden state and cell: dz, and dc becomes that of the cell before."""
    n = dc.shape[1]
    slope = 1 - aside * aside
    slope *= d
    slope *= z[:, 3 * n:]
    dc += slope
    g = z[:, 2 * n:3 * n] * 2
    g -= 1
    np.multiply(dc, g, out=factor[:, :n])
    np.multiply(dc, cells, out=factor[:, n:2 * n])
    np.multiply(dc * 4, z[:, :n], out=factor[:, 2 * n:3 * n])
    np.multiply(d, aside, out=factor[:, 3 * n:])
    np.subtract(1, z, out=dz)
    dz *= z
    dz *= factor
    dc *= z[:, n:2 * n]


def _gru_step(z, zh, h, c, aside, scale):
    n = h.shape[1]
    z[:, :2 * n] += zh[:, :2 * n]
    gates = z[:, :2 * n] * 0.5
    _sigmoid_of_twice_(gates)
    z[:, :2 * n] = gates
    aside[...] = zh[:, 2 * n:]
    new = z[:, 2 * n:]
    new += z[:, :n] * aside
    np.tanh(new, out=new)
    return new + z[:, n:2 * n] * (h - new)


def _gru_back(d, dc, z, before, cells, aside, dz, dzh, factor):
    n = d.shape[1]
    r, u, new = z[:, :n], z[:, n:2 * n], z[:, 2 * n:]
    dn = d * (1 - u) * (1 - new * new)
    dz[:, :n] = dn * aside * r * (1 - r)
    dz[:, n:2 * n] = d * (before - new) * u * (1 - u)
    dz[:, 2 * n:] = dn
    dzh[:, :2 * n] = dz[:, :2 * n]
    np.multiply(dn, r, out=dzh[:, 2 * n:])
    return d * u


def _tanh_step(z, zh, h, c, aside, scale):
    z += zh
    return np.tanh(z, out=z)


def _tanh_back(d, dc, z, before, cells, aside, dz, dzh, factor):
    np.multiply(d, 1 - z * z, out=dz)


def _relu_step(z, zh, h, c, aside, scale):
    z += zh
    return np.maximum(z, 0, out=z)


def _relu_back(d, dc, z, before, cells, aside, dz, dzh, factor):
    np.multiply(d, z > 0, out=dz)


@opaque
def recurrent_steps(x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, cell, sizes, reverse):
    """Out as `_defined` gives it, and for the way back: the gates, and what each step started from and put aside."""
    step = {"lstm": _lstm_step, "gru": _gru_step, "rnn_tanh": _tanh_step, "rnn_relu": _relu_step}[cell]
    z, w_h = x @ w_ih.T, w_hh.T.copy()
    biases = [b for b in (b_ih, None if cell == "gru" else b_hh) if b is not None]
    if biases:
        z += np.add.reduce(biases)
    rows, batch, width = len(z), len(h), z.shape[1] // GATES[cell]
    h, c = h.copy(), np.empty((0, width), z.dtype) if c is None else c.copy()
    out = np.zeros((rows + len(c), width if len(c) else h.shape[1]), z.dtype)
    room = np.empty((4, rows, width), z.dtype)  # in one piece: from 4 MB on numpy asks for large pages
    before, cells, aside = room[0][:, :h.shape[1]], room[1][:rows if len(c) else 0], room[2]
    zh = np.empty((batch, z.shape[1]), z.dtype)
    scale = np.repeat(np.array([0.5, 0.5, 1, 0.5], z.dtype), width)
    for at in steps_of(rows, batch, sizes, reverse):
        n = at.stop - at.start
        before[at] = h[:n]
        cells[at] = c[:n]
        np.matmul(h[:n], w_h, out=zh[:n])
        if cell == "gru" and b_hh is not None:
            zh[:n] += b_hh
        new = step(z[at], zh[:n], h[:n], c[:n], aside[at], scale)
        h[:n] = new if w_hr is None else new @ w_hr.T
        out[at, :h.shape[1]] = h[:n]
    out[rows:] = c
    return out, z, before, cells, aside


@opaque
def recurrent_steps_back(g, w_hh, w_hr, z, before, cells, aside, cell, sizes, reverse, batch):
    """Gradients of z, of what a GRU's hidden state adds to it, of the initial states, and of the states before w_hr."""
    back = {"lstm": _lstm_back, "gru": _gru_back, "rnn_tanh": _tanh_back, "rnn_relu": _relu_back}[cell]
    dz, dzh = np.empty_like(z), np.empty_like(z if cell == "gru" else z[:0])
    dh, dc = np.zeros((batch, before.shape[1]), z.dtype), g[len(z):].copy()
    dout = np.empty_like(before if w_hr is not None else before[:0])
    factor = np.empty((batch, z.shape[1]), z.dtype)
    for at in steps_of(len(z), batch, sizes, not reverse):
        n = at.stop - at.start
        d = dh[:n]
        d += g[at, :before.shape[1]]
        if w_hr is not None:
            dout[at] = d
            d = d @ w_hr
        direct = back(d, dc[:n], z[at], before[at], cells[at], aside[at], dz[at], dzh[at], factor[:n])
        np.matmul((dzh if cell == "gru" else dz)[at], w_hh, out=dh[:n])
        if direct is not None:
            dh[:n] += direct
    return dz, dzh, dh, dc, dout


def _rule(g, out, x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, cell, sizes, reverse, z=None, *kept):
    if z is None:
        return rule_of_definition(g, x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, cell, sizes, reverse)
    before, cells, aside = kept
    dz, dzh, dh, dc, dout = recurrent_steps_back(g, w_hh, w_hr, z, before, cells, aside, cell, sizes, reverse,
                                                 h.shape[0])
    dzh = dzh if cell == "gru" else dz
    db = None if b_ih is None else sum(dz, 0)
    return (lambda: dz @ w_ih, dh, dc, lambda: dz.mT @ x, lambda: dzh.mT @ before, db,
            db if dzh is dz else lambda: sum(dzh, 0), lambda: dout.mT @ (z[:, -aside.shape[1]:] * aside),
            None, None, None)


def rule_of_definition(g, *args):
    """For a derivative of the derivative, or for who reads the rule as text: the derivative of the parts."""
    text = mode.as_text
    with Switch("expanded", True), Switch("recording", True):
        args = [box(a, leaf(a)) if text and isinstance(a, np.ndarray) else
                clone(a) if isinstance(a, Value) else a for a in args]  # apart from what they may depend on
        nodes = [a.node if isinstance(a, Value) else None for a in args]
        out = _defined(*args)
        found = backpropagate(seeds_for([out], [g]), not text, True, [node for node in nodes if node is not None])
    return [found.get(node) for node in nodes]


def _recurrence(x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, cell, sizes, reverse):
    if mode.as_text or any(isinstance(a, Value) for a in (x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr)):
        return (_defined(x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, cell, sizes, reverse),)
    return recurrent_steps(x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, cell, sizes, reverse)


_NODES = {cell: by_hand(joint=_rule, name=cell)(_recurrence) for cell in GATES}


# ---------------------------------------------------------------- for layers
def recurrence(cell, x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, batch_sizes, reverse):
    """The hidden state of every step, and the last one and the last cell of each sequence."""
    batch, width = h.shape
    sizes = [batch] * x.shape[0] if batch_sizes is None else list(batch_sizes)
    fits = x.ndim == 3 and x.shape[1] == batch if batch_sizes is None else x.ndim == 2 and (
        sizes == sorted(sizes, reverse=True) and sizes[:1] == [batch] and sizes[-1] > 0
        and steps_of(0, 0, sizes, False)[-1].stop == x.shape[0])
    if not fits:
        raise RuntimeError(f"{cell}: x is (T, B, F), or rows (N, F) with batch_sizes that sum to N and do not grow, "
                           f"and the state (B, H), not of shapes {x.shape} and {h.shape}")
    if c is not None and (c.ndim != 2 or c.shape[0] != batch or c.shape[1] * GATES[cell] != w_ih.shape[0]):
        raise RuntimeError(f"{cell}: the cell is (B, H), {batch, w_ih.shape[0] // GATES[cell]} here, not {c.shape}")
    rows = x if batch_sizes is not None else flatten(x, 0, 1)
    out = _NODES[cell](rows, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, cell, batch_sizes, reverse)
    count = rows.shape[0]
    c_n = c if c is None else out[count:]
    out = out if c is None else out[:count] if c.shape[1] == width else out[:count, :width]
    if reverse:
        h_n = out[:batch]
    elif batch_sizes is None:
        h_n = out[count - batch:]
    else:
        last = np.empty(batch, int)
        for at in steps_of(0, 0, sizes, False):
            last[:at.stop - at.start] = range(at.start, at.stop)
        h_n = out[last]
    return out if batch_sizes is not None else reshape(out, *x.shape[:2], width), h_n, c_n


def lstm(x, h, c, w_ih, w_hh, b_ih=None, b_hh=None, w_hr=None, batch_sizes=None, reverse=False):
    """One layer of long short-term memory in one direction (Hochreiter and Schmidhuber, 1997): (out, h_n, c_n).

    A step is c = sigmoid(f) * c + sigmoid(i) * tanh(g) and h = sigmoid(o) * tanh(c), where i, f, g and o are the
    quarters of x[t] @ w_ih.T + b_ih + h @ w_hh.T + b_hh (f: Gers et al., 2000). x (T, B, F) gives out (T, B, P), the h
    of all steps; or packed rows x (N, F), of which step t has batch_sizes[t], give (N, P). States h (B, P) and c
    (B, H); w_ih (4 * H, F), w_hh (4 * H, P), b_ih and b_hh (4 * H,). w_hr (P, H) projects each h; without it P = H.
    reverse: from the last step to the first. Shapes of x that do not fit are a RuntimeError.

    >>> h, c, w = tl.zeros(1, 1), tl.ones(1, 1), tl.zeros(4, 1)
    >>> out, h_n, c_n = F.lstm(tl.zeros(3, 1, 1), h, c, w, w)
    >>> c_n  # each step halves it, as sigmoid(0) is 0.5
    tensor([[0.125]])
    """
    return recurrence("lstm", x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, batch_sizes, reverse)


def gru(x, h, w_ih, w_hh, b_ih=None, b_hh=None, batch_sizes=None, reverse=False):
    """One layer of gated recurrent units in one direction (Cho et al., 2014): (out, h_n).

    A step is h = (1 - z) * n + z * h, with r = sigmoid(xr + hr), z = sigmoid(xz + hz) and n = tanh(xn + r * hn), where
    xr, xz and xn are the thirds of x[t] @ w_ih.T + b_ih, and hr, hz and hn those of h @ w_hh.T + b_hh. x (T, B, F)
    gives out (T, B, H), the h of all steps; h (B, H), w_ih (3 * H, F), w_hh (3 * H, H), b_ih and b_hh (3 * H,).
    batch_sizes and reverse as in `lstm`.

    >>> h, w = tl.ones(1, 1), tl.zeros(3, 1)
    >>> out, h_n = F.gru(tl.zeros(3, 1, 1), h, w, w)
    >>> out.flatten()  # each step halves it, as z is sigmoid(0) = 0.5
    tensor([0.5  , 0.25 , 0.125])
    """
    return recurrence("gru", x, h, None, w_ih, w_hh, b_ih, b_hh, None, batch_sizes, reverse)[:2]


def rnn_tanh(x, h, w_ih, w_hh, b_ih=None, b_hh=None, batch_sizes=None, reverse=False):
    """One layer of h = tanh(x[t] @ w_ih.T + b_ih + h @ w_hh.T + b_hh), step by step (Elman, 1990): (out, h_n).

    x (T, B, F) gives out (T, B, H), the h of all steps; h (B, H), w_ih (H, F), w_hh (H, H), b_ih and b_hh (H,).
    batch_sizes and reverse as in `lstm`.

    >>> h, w = tl.zeros(1, 1), tl.ones(1, 1)
    >>> out, h_n = F.rnn_tanh(tl.ones(3, 1, 1), h, w, w)
    >>> out.flatten()
    tensor([0.7616, 0.9427, 0.9597])
    """
    return recurrence("rnn_tanh", x, h, None, w_ih, w_hh, b_ih, b_hh, None, batch_sizes, reverse)[:2]


def rnn_relu(x, h, w_ih, w_hh, b_ih=None, b_hh=None, batch_sizes=None, reverse=False):
    """One layer of h = relu(x[t] @ w_ih.T + b_ih + h @ w_hh.T + b_hh), step by step: (out, h_n), as `rnn_tanh`.

    >>> h, w = tl.zeros(1, 1), tl.ones(1, 1)
    >>> out, h_n = F.rnn_relu(tl.ones(3, 1, 1), h, w, w)
    >>> out.flatten()  # with weights of 1 it adds up
    tensor([1., 2., 3.])
    """
    return recurrence("rnn_relu", x, h, None, w_ih, w_hh, b_ih, b_hh, None, batch_sizes, reverse)[:2]
