"""The rows of nn.functional: what table.py is for the vocabulary."""

import math

import numpy as np
from table import Row, S, fixed, i, n, p, u, unary


def phi(x):
    return 0.5 * (1 + np.vectorize(math.erf, otypes=[float])(x / math.sqrt(2)))


def soft(x, dim=-1):
    e = np.exp(x - x.max(dim, keepdims=True))
    return e / e.sum(dim, keepdims=True)


def reduced(loss, reduction):
    return {"mean": loss.mean, "sum": loss.sum, "none": lambda: loss}[reduction]()


def elementwise(formula):
    return lambda x, y, reduction="mean": reduced(formula(x, y), reduction)


def cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """By the definition, a target distribution for every place."""
    at = 0 if x.ndim == 1 else 1
    logp, classes = np.log(soft(x, at)), x.shape[at]
    w = np.ones(classes) if weight is None else weight
    column = w.reshape([-1 if d == at else 1 for d in range(x.ndim)])
    if target.dtype.kind == "f":
        q, counts = target, None
    else:
        counted = target != ignore_index
        safe = np.where(counted, target, 0)
        q = np.moveaxis(np.eye(classes)[safe], -1, at) * np.expand_dims(counted, at)
        counts = (w[safe] * counted).sum()
    every = 1.0 if target.dtype.kind == "f" else np.expand_dims(counted, at)
    loss = -(((1 - label_smoothing) * q + label_smoothing / classes * every) * logp * column).sum(at)
    if reduction == "mean" and counts is not None:
        return loss.sum() / counts
    return reduced(loss, reduction)


def nll(logp, target, weight=None, ignore_index=-100, reduction="mean"):
    w = np.ones(logp.shape[1]) if weight is None else weight
    w = w[np.where(target == ignore_index, 0, target)] * (target != ignore_index)
    loss = -np.take_along_axis(logp, np.where(target == ignore_index, 0, target)[:, None], 1)[:, 0] * w
    return loss.sum() / w.sum() if reduction == "mean" else reduced(loss, reduction)


def bce(x, t, weight=1.0, reduction="mean"):
    return reduced(-(t * np.log(x) + (1 - t) * np.log(1 - x)) * weight, reduction)


def bce_logits(x, t, weight=1.0, reduction="mean", pos_weight=1.0):
    s = 1 / (1 + np.exp(-x))
    return reduced(-(pos_weight * t * np.log(s) + (1 - t) * np.log(1 - s)) * weight, reduction)


def kl(x, t, reduction="mean", log_target=False):
    loss = np.exp(t) * (t - x) if log_target else np.where(t > 0, t * np.log(np.where(t > 0, t, 1)), 0) - t * x
    return loss.sum() / len(x) if reduction == "batchmean" else reduced(loss, reduction)


def huber(x, y, reduction="mean", delta=1.0):
    e = np.abs(x - y)
    return reduced(np.where(e < delta, e * e / 2, delta * (e - delta / 2)), reduction)


def triplet(a, b, c, margin=1.0, p=2.0, eps=1e-6, swap=False, reduction="mean"):
    def far(x, y):
        return (np.abs(x - y + eps) ** p).sum(-1) ** (1 / p)

    other = np.minimum(far(a, c), far(b, c)) if swap else far(a, c)
    return reduced(np.maximum(margin + far(a, b) - other, 0), reduction)


def standard(x, dims, weight=None, bias=None, eps=1e-5):
    out = (x - x.mean(dims, keepdims=True)) / np.sqrt(x.var(dims, keepdims=True) + eps)
    return out * (1 if weight is None else weight) + (0 if bias is None else bias)


def channels(v, x):
    return None if v is None else v.reshape(-1, *(1,) * (x.ndim - 2))


def group_norm(x, groups, weight=None, bias=None):
    out = standard(x.reshape(len(x), groups, -1), 2).reshape(x.shape)
    return out * (1 if weight is None else channels(weight, x)) + (0 if bias is None else channels(bias, x))


def batch_norm(x, mean, var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    if training:
        return standard(x, (0, *range(2, x.ndim)), channels(weight, x), channels(bias, x), eps)
    out = (x - channels(mean, x)) / np.sqrt(channels(var, x) + eps)
    return out * (1 if weight is None else channels(weight, x)) + (0 if bias is None else channels(bias, x))


def rms_norm(x, shape, weight=None, eps=2.220446049250313e-16):
    dims = tuple(range(-len(shape), 0))
    return x / np.sqrt((x * x).mean(dims, keepdims=True) + eps) * (1 if weight is None else weight)


def pair(v):
    return (v, v) if isinstance(v, int) else v


def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """One output at a time."""
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(padding), pair(dilation)
    x = np.pad(x, [(0, 0), (0, 0), (ph, ph), (pw, pw)])
    o, c, kh, kw = w.shape
    oh, ow = (x.shape[2] - dh * (kh - 1) - 1) // sh + 1, (x.shape[3] - dw * (kw - 1) - 1) // sw + 1
    out = np.zeros((len(x), o, oh, ow))
    for k in range(o):
        first = k // (o // groups) * c
        for y in range(oh):
            for z in range(ow):
                part = x[:, first : first + c, y * sh : y * sh + dh * kh : dh, z * sw : z * sw + dw * kw : dw]
                out[:, k, y, z] = (part[..., :kh, :kw] * w[k]).sum((1, 2, 3))
    return out if b is None else out + b[:, None, None]


def conv1d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    return conv2d(x[:, :, None], w[:, :, None], b, (1, stride), (0, padding), (1, dilation), groups)[:, :, 0]


def conv_transpose2d(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Every input scatters its kernel."""
    (sh, sw), (ph, pw), (dh, dw), (eh, ew) = pair(stride), pair(padding), pair(dilation), pair(output_padding)
    m, c, h, wd = x.shape
    o, kh, kw = w.shape[1:]
    out = np.zeros((m, o * groups, (h - 1) * sh + dh * (kh - 1) + 1 + eh, (wd - 1) * sw + dw * (kw - 1) + 1 + ew))
    for k, y, z, a, e in np.ndindex(c, h, wd, kh, kw):
        g = k // (c // groups)
        out[:, g * o : (g + 1) * o, y * sh + a * dh, z * sw + e * dw] += x[:, k, y, z, None] * w[k, :, a, e]
    out = out[:, :, ph : out.shape[2] - ph, pw : out.shape[3] - pw]
    return out if b is None else out + b[:, None, None]


def pool2d(x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False, count_include_pad=True, of=np.max):
    (kh, kw), (sh, sw), (ph, pw) = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    round_up = math.ceil if ceil_mode else math.floor
    sizes = []
    for size, k, s, q in zip(x.shape[2:], (kh, kw), (sh, sw), (ph, pw)):
        count = round_up((size + 2 * q - dilation * (k - 1) - 1) / s) + 1
        sizes.append(count - (ceil_mode and (count - 1) * s >= size + q))
    out = np.zeros((*x.shape[:2], *sizes))
    for y, z in np.ndindex(*sizes):
        rows = [a for a in range(y * sh - ph, y * sh - ph + dilation * kh, dilation) if 0 <= a < x.shape[2]]
        columns = [a for a in range(z * sw - pw, z * sw - pw + dilation * kw, dilation) if 0 <= a < x.shape[3]]
        part = x[:, :, rows][:, :, :, columns]
        if of is np.max:
            out[:, :, y, z] = part.max((2, 3))
        else:
            inside = (min(y * sh + kh, x.shape[2] + 2 * ph) - y * sh) * (min(z * sw + kw, x.shape[3] + 2 * pw) - z * sw)
            out[:, :, y, z] = part.sum((2, 3)) / (inside if count_include_pad else len(rows) * len(columns))
    return out


def avg2d(x, kernel, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    return pool2d(x, kernel, stride, padding, 1, ceil_mode, count_include_pad, of=np.mean)


def flat(pool):
    return lambda x, k, s=None, q=0: pool(x[:, :, None], (1, k), (1, k if s is None else s), (0, q))[:, :, 0]


def unfold(x, k, dilation=1, padding=0, stride=1):
    m, c = x.shape[:2]
    eye = np.eye(c * k * k).reshape(c * k * k, c, k, k)
    return conv2d(x, eye, None, stride, padding, dilation).reshape(m, c * k * k, -1)


def fold(x, size, k, dilation=1, padding=0, stride=1):
    m, c = len(x), x.shape[1] // (k * k)
    one = np.eye(c * k * k).reshape(c * k * k, c, k, k)
    spatial = [(s + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for s in size]
    return conv_transpose2d(x.reshape(m, -1, *spatial), one, None, stride, padding, 0, 1, dilation)


def adaptive(x, size):
    h, w = x.shape[-2:]
    out = np.zeros((*x.shape[:-2], *pair(size)))
    for y, z in np.ndindex(*pair(size)):
        a, b = pair(size)
        out[..., y, z] = x[..., y * h // a : -(-(y + 1) * h // a), z * w // b : -(-(z + 1) * w // b)].mean((-1, -2))
    return out


def nearest(x, size=None, scale_factor=None):
    sizes = size or [int(s * scale_factor) for s in x.shape[2:]]
    for d, s in enumerate(sizes, 2):
        x = np.take(x, [int(k * x.shape[d] / s) for k in range(s)], d)
    return x


def attention(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    s = q @ k.swapaxes(-1, -2) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    mask = np.tri(*s.shape[-2:], dtype=bool) if is_causal else attn_mask
    if mask is not None:
        s = np.where(mask, s, -np.inf) if mask.dtype == bool else s + mask
    return soft(s) @ v


def bag(k, w, offsets=None, mode="mean", per_sample_weights=None):
    starts = [*range(0, k.size + 1, k.shape[-1])] if offsets is None else [*offsets, len(k)]
    rows = w[k.ravel()] * (1 if per_sample_weights is None else per_sample_weights.reshape(-1, 1))
    reduce = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode]
    return np.stack([reduce(rows[a:b], 0) if b > a else np.zeros(w.shape[1]) for a, b in zip(starts, starts[1:])])


def multi_margin(x, t, p=1, margin=1.0, weight=None):
    loss = [sum(max(0, margin - row[k] + row[j]) ** p for j in range(len(row)) if j != k) * (1 if weight is None else weight[k])
            for row, k in zip(x, t)]
    return np.mean(loss) / x.shape[1]


def multilabel_margin(x, t):
    loss = 0.0
    for row, targets in zip(x, t):
        inside = [k for j, k in enumerate(targets) if (targets[: j + 1] >= 0).all()]
        loss += sum(max(0, 1 - row[k] + row[j]) for k in inside for j in range(len(row)) if j not in inside)
    return loss / x.size


def cosine(x, y):
    return (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1))


def gaussian(x, t, var, full=False, eps=1e-6, reduction="mean"):
    var = var[..., None] if var.ndim < x.ndim else var
    return reduced((np.log(var) + (x - t) ** 2 / var) / 2 + full * math.log(2 * math.pi) / 2, reduction)


def poisson(x, t, log_input=True, full=False, reduction="mean"):
    stirling = np.where(t > 1, t * np.log(np.where(t > 1, t, 1)) - t + np.log(2 * math.pi * np.where(t > 1, t, 1)) / 2, 0)
    return reduced((np.exp(x) - t * x if log_input else x - t * np.log(x + 1e-8)) + full * stirling, reduction)


def response(x, size, alpha=1e-4, beta=0.75, k=1.0):
    means = [sum(x[:, j] ** 2 for j in range(c - size // 2, c + (size + 1) // 2) if 0 <= j < x.shape[1]) / size
             for c in range(x.shape[1])]
    return x / (k + alpha * np.stack(means, 1)) ** beta


def windows_of(x, size):
    return [[(..., slice(y * h // a, -(-(y + 1) * h // a)), slice(z * w // b, -(-(z + 1) * w // b))) for z in range(b)]
            for (h, w), (a, b) in [(x.shape[-2:], size)] for y in range(a)]


def adaptive_max(x, size):
    return np.stack([np.stack([x[at].max((-1, -2)) for at in row], -1) for row in windows_of(x, pair(size))], -2)


def lp(x, norm, kernel, stride=None):
    return (avg2d(x**norm, kernel, stride) * math.prod(pair(kernel))) ** (1 / norm)


def unpool(x, at, kernel, output_size=None):
    h, w = output_size or (x.shape[2] * kernel, x.shape[3] * kernel)
    out = np.zeros((*x.shape[:2], h * w))
    np.put_along_axis(out, at.reshape(*x.shape[:2], -1), x.reshape(*x.shape[:2], -1), -1)
    return out.reshape(*x.shape[:2], h, w)


def pixels(x, r):
    out = np.zeros((*x.shape[:-3], x.shape[-3] // (r * r), x.shape[-2] * r, x.shape[-1] * r))
    for c, y, z in np.ndindex(out.shape[-3], r, r):
        out[..., c, y::r, z::r] = x[..., c * r * r + y * r + z, :, :]
    return out


def unpixels(x, r):
    return np.stack([x[..., c, y::r, z::r] for c in range(x.shape[-3]) for y in range(r) for z in range(r)], -3)


def far(x, y):
    return ((x - y) ** 2).sum(-1)


def recurrent(cell):
    """Sequence by sequence, step by step."""
    def gru(x, h, c, w, v, b, d):
        ours, theirs = np.split(w @ x + b, len(w) // len(h)), np.split(v @ h + d, len(w) // len(h))
        r, u = (1 / (1 + np.exp(-ours[k] - theirs[k])) for k in (0, 1))
        n = np.tanh(ours[2] + r * theirs[2])
        return (1 - u) * n + u * h, None

    def lstm(x, h, c, w, v, b, d):
        i, f, g, o = np.split(w @ x + v @ h + b + d, 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        return np.tanh(c) / (1 + np.exp(-o)), c

    def plain(x, h, c, w, v, b, d):
        z = w @ x + v @ h + b + d
        return np.tanh(z) if cell == "rnn_tanh" else np.maximum(z, 0), None

    def layer(x, h, *rest, w_hr=None, batch_sizes=None, reverse=False):
        step = {"lstm": lstm, "gru": gru}.get(cell, plain)
        c, rest = (list(rest[0]), rest[1:]) if cell == "lstm" else ([None] * len(h), rest)
        w, v, b, d = (*rest, 0, 0)[:4]
        sizes = [len(h)] * len(x) if batch_sizes is None else batch_sizes
        rows, firsts, h = x.reshape(-1, x.shape[-1]), np.cumsum([0, *sizes]), h.copy()
        out = np.zeros((len(rows), h.shape[1]))
        for k in range(len(h)):
            mine = [firsts[t] + k for t, n in enumerate(sizes) if k < n]
            for row in mine[::-1] if reverse else mine:
                new, c[k] = step(rows[row], h[k], c[k], w, v, b, d)
                out[row] = h[k] = new if w_hr is None else w_hr @ new
        return (out.reshape(*x.shape[:-1], -1), h, *[np.stack(c)] * (cell == "lstm"))

    return layer


def recurrent_row(cell, rows, states):
    """In one direction and back, with and without biases, of sequences of one length and of several."""
    weights = [n(rows * 2, 3), n(rows * 2, 2), n(rows * 2), n(rows * 2)]
    return Row(recurrent(cell), [
        S(n(3, 2, 3), *[n(2, 2) for _ in range(states)], *weights), S(n(2, 1, 3), *[n(1, 2) for _ in range(states)], *weights[:2], reverse=True),
        S(n(6, 3), *[n(3, 2) for _ in range(states)], *weights, batch_sizes=(3, 2, 1)),
        S(n(6, 3), *[n(3, 2) for _ in range(states)], *weights, batch_sizes=(3, 2, 1), reverse=True)], torch=False)


T = i(0, 4, 3)
SIGNS = np.array([1, -1, 1, -1])
IGNORED = np.array([1, -100, 3])
ODD = np.array([[True, False, True, True], [False, True, False, True]])

FUNCTIONAL: dict[str, Row] = {
    "relu": Row(lambda x: x * (x > 0), unary()),
    **{name: Row(f, [*unary(), *more]) for name, f, more in (
        ("leaky_relu", lambda x, a=0.01: np.where(x > 0, x, a * x), [S(n(3), 0.2)]),
        ("elu", lambda x, a=1.0: np.where(x > 0, x, a * np.expm1(x)), [S(n(3), 2.0)]),
        ("selu", lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)), []),
        ("gelu", lambda x, approximate="none": x * phi(x) if approximate == "none" else x / 2 * (
            1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), [S(n(3), approximate="tanh")]),
        ("silu", lambda x: x / (1 + np.exp(-x)), []), ("mish", lambda x: x * np.tanh(np.log1p(np.exp(x))), []),
        ("softplus", lambda x, beta=1.0: np.log1p(np.exp(beta * x)) / beta, [S(n(3), beta=2.0)]),
        ("softsign", lambda x: x / (1 + abs(x)), []), ("hardtanh", lambda x: np.clip(x, -1, 1), []),
        ("logsigmoid", lambda x: -np.log1p(np.exp(-x)), []),
        ("celu", lambda x, a=1.0: np.where(x > 0, x, a * np.expm1(x / a)), [S(n(3), 2.0)]),
        ("hardshrink", lambda x, l=0.5: np.where(abs(x) > l, x, 0), [S(n(3), 0.1)]),
        ("softshrink", lambda x, l=0.5: np.sign(x) * np.maximum(abs(x) - l, 0), [S(n(3), 0.1)]),
        ("tanhshrink", lambda x: x - np.tanh(x), []), ("relu6", lambda x: np.clip(x, 0, 6), []),
        ("hardsigmoid", lambda x: np.clip(x + 3, 0, 6) / 6, []), ("hardswish", lambda x: x * np.clip(x + 3, 0, 6) / 6, []),
        ("rrelu", lambda x, a=1 / 8, b=1 / 3: np.where(x > 0, x, (a + b) / 2 * x), [S(n(3), 0.1, 0.2)]))},
    "threshold": Row(lambda x, t, v: np.where(x > t, x, v), [S(n(3, 4), 0.1, 20.0)]),
    "prelu": Row(lambda x, w: np.where(x > 0, x, w.reshape(-1, *(1,) * max(x.ndim - 2, 0)) * x), [S(n(4), n(1)), S(n(2, 3), n(3)), S(n(2, 3, 2), n(3))]),
    "softmax": Row(lambda x, dim=None: soft(x, 0 if dim is None else dim), [S(n(2, 3, 4)), S(n(5)), S(n(2, 3), 1)]),
    "log_softmax": Row(lambda x, dim=None: np.log(soft(x, 0 if dim is None else dim)), [S(n(2, 3, 4)), S(n(5)), S(n(2, 3), 1)]),
    "softmin": Row(lambda x, dim=1: soft(-x, dim), [S(n(2, 3)), S(n(2, 3), 0)]),
    "glu": Row(lambda x, dim=-1: np.split(x, 2, dim)[0] / (1 + np.exp(-np.split(x, 2, dim)[1])), [S(n(2, 4)), S(n(4, 3), 0)]),
    "normalize": Row(lambda x, p=2.0, dim=1: x / (np.abs(x) ** p).sum(dim, keepdims=True) ** (1 / p), [S(n(2, 3)), S(n(3, 2), 1.0, 0), S(n(2, 3), 2.0, (0, 1))]),
    "cosine_similarity": Row(lambda x, y, dim=1: (x * y).sum(dim) / np.sqrt((x * x).sum(dim) * (y * y).sum(dim)),
                             [S(n(2, 3), n(2, 3)), S(n(2, 3), n(2, 3), dim=0)]),
    "cdist": Row(lambda x, y, p=2.0: (np.abs(x[..., :, None, :] - y[..., None, :, :]) ** p).sum(-1) ** (1 / p),
                 [S(n(3, 2), n(4, 2)), S(n(2, 3, 2), n(2, 1, 2), p=1.0)], torch="cdist"),
    "pairwise_distance": Row(lambda x, y, p=2.0: (np.abs(x - y + 1e-6) ** p).sum(-1) ** (1 / p), [S(n(2, 3), n(2, 3)), S(n(2, 3), n(2, 3), 1.0)]),
    # ---- losses
    "cross_entropy": Row(cross_entropy, [
        S(n(3, 4), T), S(n(4), np.array(2)), S(n(2, 3, 4), i(0, 3, 2, 4)), S(n(3, 4), IGNORED), S(n(3, 4), T, reduction="none"),
        S(n(3, 4), T, reduction="sum"), S(n(3, 4), IGNORED, fixed(p(4)), label_smoothing=0.1),
        S(n(2, 3, 2), i(0, 3, 2, 2), label_smoothing=0.2, reduction="none"), S(n(3, 4), soft(n(3, 4))),
        S(n(2, 3, 2), soft(n(2, 3, 2), 1), label_smoothing=0.3, reduction="sum"), S(n(3, 4), T, ignore_index=1)]),
    "nll_loss": Row(nll, [S(n(3, 4), T), S(n(3, 4), IGNORED, fixed(p(4))), S(n(3, 4), T, reduction="sum"), S(n(3, 4), T, reduction="none")]),
    "binary_cross_entropy": Row(bce, [S(u(3) / 2 + 0.5, u(3) / 2 + 0.5), S(u(3) / 2 + 0.5, u(3) / 2 + 0.5, fixed(p(3)), reduction="sum")]),
    "binary_cross_entropy_with_logits": Row(bce_logits, [S(n(2, 3), u(2, 3) / 2 + 0.5), S(n(2, 3), u(2, 3) / 2 + 0.5, fixed(p(3)), reduction="none", pos_weight=fixed(p(3)))]),
    "mse_loss": Row(elementwise(lambda x, y: (x - y) ** 2), [S(n(2, 3), n(2, 3)), S(n(3), n(3), reduction="none")]),
    "l1_loss": Row(elementwise(lambda x, y: abs(x - y)), [S(n(2, 3), n(2, 3)), S(n(3), n(3), reduction="sum")]),
    "huber_loss": Row(huber, [S(n(9), n(9)), S(n(9), n(9), reduction="none", delta=0.3)]),
    "smooth_l1_loss": Row(lambda x, y, beta=1.0: huber(x, y, "mean", beta) / beta, [S(n(9), n(9)), S(n(9), n(9), beta=0.3)]),
    "kl_div": Row(kl, [S(n(2, 3), soft(n(2, 3)), reduction="batchmean"), S(n(2, 3), soft(n(2, 3))), S(n(2, 3), n(2, 3), log_target=True, reduction="sum")]),
    "triplet_margin_loss": Row(triplet, [S(n(4, 3), n(4, 3), n(4, 3)), S(n(4, 3), n(4, 3), n(4, 3), swap=True, p=1.0, reduction="none")]),
    "triplet_margin_with_distance_loss": Row(lambda a, b, c, distance_function, swap=False: np.maximum(
        1 + far(a, b) - (np.minimum(far(a, c), far(b, c)) if swap else far(a, c)), 0).mean(), [
        S(n(4, 3), n(4, 3), n(4, 3), distance_function=far), S(n(4, 3), n(4, 3), n(4, 3), distance_function=far, swap=True)]),
    "soft_margin_loss": Row(lambda x, t: np.log1p(np.exp(-t * x)).mean(), [S(n(4), SIGNS)]),
    "hinge_embedding_loss": Row(lambda x, t, margin=1.0: np.where(t == 1, x, np.maximum(margin - x, 0)).mean(), [S(p(4), SIGNS), S(p(4), SIGNS, 0.8)]),
    "margin_ranking_loss": Row(lambda x, y, t, margin=0.0: np.maximum(margin - t * (x - y), 0).mean(), [S(n(4), n(4), SIGNS), S(n(4), n(4), SIGNS, 0.5)]),
    "cosine_embedding_loss": Row(lambda x, y, t, margin=0.0: np.where(t == 1, 1 - cosine(x, y), np.maximum(cosine(x, y) - margin, 0)).mean(),
                                 [S(p(4, 3), p(4, 3), SIGNS), S(n(4, 3), n(4, 3), SIGNS, 0.1)]),
    "multi_margin_loss": Row(multi_margin, [S(n(3, 4), T), S(n(3, 4), T, 2, 0.5, fixed(p(4)))]),
    "multilabel_margin_loss": Row(multilabel_margin, [S(n(2, 4), np.array([[2, 0, -1, 1], [3, -1, -1, -1]]))]),
    "multilabel_soft_margin_loss": Row(lambda x, t, w=1.0: bce_logits(x, t, w), [S(n(2, 3), i(0, 2, 2, 3)), S(n(2, 3), i(0, 2, 2, 3), fixed(p(3)))]),
    "gaussian_nll_loss": Row(gaussian, [S(n(2, 3), n(2, 3), p(2, 3)), S(n(2, 3), n(2, 3), p(2), full=True, reduction="sum")]),
    "poisson_nll_loss": Row(poisson, [S(n(2, 3), p(2, 3) * 2), S(p(2, 3), p(2, 3) * 2, False, True), S(n(2, 3), p(2, 3), reduction="none")]),
    # ---- layers
    "bilinear": Row(lambda x, y, w, b=0: np.einsum("...i,kij,...j->...k", x, w, y) + b, [S(n(2, 3), n(2, 2), n(4, 3, 2), n(4)), S(n(3), n(2), n(4, 3, 2))]),
    "embedding_bag": Row(bag, [S(i(0, 4, 2, 3), n(4, 2)), S(i(0, 4, 5), n(4, 2), np.array([0, 2, 2, 4]), mode="max"),
                               S(i(0, 4, 2, 3), n(4, 2), mode="sum", per_sample_weights=n(2, 3))]),
    **{name: Row(lambda x, p, training: x, [S(n(2, 3, 2), 0.5, False)]) for name in ("dropout1d", "dropout2d", "alpha_dropout", "feature_alpha_dropout")},
    "instance_norm": Row(lambda x, m, v, w=None, b=None: standard(x, tuple(range(2, x.ndim)), channels(w, x), channels(b, x)),
                         [S(n(2, 3, 4), None, None, n(3), n(3)), S(n(2, 3, 2, 2), None, None)]),
    "local_response_norm": Row(response, [S(n(2, 4, 3), 2), S(n(1, 5, 2, 2), 3, alpha=0.5, beta=0.5, k=2.0)]),
    "linear": Row(lambda x, w, b=0: x @ w.T + b, [S(n(2, 3), n(4, 3), n(4)), S(n(2, 2, 3), n(4, 3)), S(n(3), n(2, 3), n(2))]),
    "embedding": Row(lambda k, w, padding_idx=None: w[k], [S(i(0, 4, 2, 3), n(4, 2))]),
    "dropout": Row(lambda x, p, training: x, [S(n(3), 0.5, False), S(n(3), 0.0, True)]),
    "layer_norm": Row(lambda x, shape, w=None, b=None: standard(x, tuple(range(-len(shape), 0)), w, b),
                      [S(n(2, 3), (3,)), S(n(2, 3), (3,), n(3), n(3)), S(n(2, 2, 3), (2, 3), n(2, 3))]),
    "rms_norm": Row(rms_norm, [S(n(2, 3), (3,)), S(n(2, 3), (3,), n(3)), S(n(2, 3), (3,), n(3), eps=1e-3)]),
    "group_norm": Row(group_norm, [S(n(2, 4, 3), 2, n(4), n(4)), S(n(2, 4, 2, 2), 1)]),
    "batch_norm": Row(batch_norm, [
        S(n(4, 3), None, None, n(3), n(3), training=True), S(n(2, 3, 2, 2), None, None, training=True)]),
    "scaled_dot_product_attention": Row(attention, [
        S(n(2, 3, 4), n(2, 5, 4), n(2, 5, 2)), S(n(3, 4), n(3, 4), n(3, 4), is_causal=True), S(n(2, 4), n(4, 4), n(4, 3), attn_mask=ODD),
        S(n(1, 2, 2, 4), n(1, 2, 4, 4), n(1, 2, 4, 3), attn_mask=n(2, 4), scale=0.3)]),
    # ---- windows
    "conv2d": Row(conv2d, [
        S(n(2, 3, 5, 4), n(2, 3, 3, 2), n(2)), S(n(1, 2, 5, 5), n(4, 1, 3, 3), n(4), stride=2, padding=1, groups=2),
        S(n(1, 1, 6, 5), n(1, 1, 2, 2), stride=(1, 2), padding=(0, 1), dilation=(2, 1))]),
    "conv1d": Row(conv1d, [S(n(2, 3, 5), n(2, 3, 3), n(2)), S(n(1, 2, 6), n(2, 1, 2), stride=2, padding=1, dilation=2, groups=2)]),
    "conv_transpose2d": Row(conv_transpose2d, [
        S(n(2, 3, 3, 2), n(3, 2, 2, 3), n(2)), S(n(1, 4, 3, 3), n(4, 1, 3, 3), n(2), stride=2, padding=1, output_padding=1, groups=2),
        S(n(1, 2, 2, 3), n(2, 1, 2, 2), dilation=2)]),
    "max_pool2d": Row(pool2d, [S(n(2, 2, 4, 6), 2), S(n(1, 2, 5, 5), 3, 2, 1), S(n(1, 1, 5, 6), 2, 2, 0, ceil_mode=True), S(n(1, 1, 5, 5), 2, 1, dilation=2)]),
    "avg_pool2d": Row(avg2d, [S(n(2, 2, 4, 6), 2), S(n(1, 2, 5, 5), 3, 2, 1), S(n(1, 1, 5, 5), 3, 2, 1, count_include_pad=False),
                              S(n(1, 1, 5, 6), 2, 2, 1, ceil_mode=True), S(n(1, 1, 6, 6), 3, 2, 0, True, False)]),
    "max_pool1d": Row(flat(pool2d), [S(n(2, 2, 6), 2), S(n(1, 2, 5), 3, 1, 1)]),
    "avg_pool1d": Row(flat(avg2d), [S(n(2, 2, 6), 2), S(n(1, 2, 5), 3, 1, 1)]),
    "adaptive_avg_pool2d": Row(adaptive, [S(n(2, 2, 5, 6), (2, 3)), S(n(1, 1, 3, 3), 1), S(n(1, 5, 4), (3, 4))]),
    "conv_transpose1d": Row(lambda x, w, b=None, stride=1, padding=0: conv_transpose2d(x[:, :, None], w[:, :, None], b, (1, stride), (0, padding))[:, :, 0],
                            [S(n(2, 3, 3), n(3, 2, 2), n(2)), S(n(1, 2, 4), n(2, 1, 3), stride=2, padding=1)]),
    "adaptive_avg_pool1d": Row(lambda x, size: adaptive(x[:, :, None], (1, size))[:, :, 0], [S(n(2, 2, 5), 2)]),
    "adaptive_max_pool2d": Row(adaptive_max, [S(n(2, 2, 5, 6), (2, 3)), S(n(1, 5, 4), 3)]),
    "adaptive_max_pool1d": Row(lambda x, size: adaptive_max(x[:, :, None], (1, size))[:, :, 0], [S(n(2, 2, 5), 2)]),
    "lp_pool2d": Row(lp, [S(p(1, 2, 4, 5), 2.0, 2), S(p(1, 2, 4, 5), 3.0, (2, 3), 1)]),
    "lp_pool1d": Row(lambda x, norm, k: lp(x[:, :, None], norm, (1, k))[:, :, 0], [S(p(2, 2, 5), 2.0, 2)]),
    "max_unpool2d": Row(unpool, [S(n(1, 1, 2, 2), np.array([[[[0, 3], [9, 15]]]]), 2), S(n(1, 1, 2, 2), np.array([[[[0, 3], [11, 18]]]]), 2, output_size=(4, 5))]),
    "max_unpool1d": Row(lambda x, at, k: unpool(x[:, :, None], at, k, (1, x.shape[2] * k))[:, :, 0], [S(n(1, 1, 3), np.array([[[1, 2, 5]]]), 2)]),
    "channel_shuffle": Row(lambda x, g: np.concatenate([x[:, k :: x.shape[1] // g] for k in range(x.shape[1] // g)], 1), [S(n(2, 6, 3), 2), S(n(1, 4, 2, 2), 2)]),
    "pixel_shuffle": Row(pixels, [S(n(2, 8, 2, 3), 2), S(n(9, 1, 2), 3)]),
    "pixel_unshuffle": Row(unpixels, [S(n(2, 2, 4, 6), 2)]),
    "interpolate": Row(nearest, [S(n(1, 2, 3, 2), size=(5, 4)), S(n(1, 2, 3, 4), scale_factor=2.0), S(n(2, 1, 5), size=(3,))]),
    "unfold": Row(unfold, [S(n(2, 2, 4, 3), 2), S(n(1, 1, 5, 5), 2, dilation=2, padding=1, stride=2)]),
    "fold": Row(fold, [S(n(1, 8, 6), (4, 3), 2), S(n(1, 4, 9), (5, 5), 2, dilation=2, padding=1, stride=2)]),
    # ---- recurrent
    "gru": recurrent_row("gru", 3, 1), "rnn_tanh": recurrent_row("rnn_tanh", 1, 1), "rnn_relu": recurrent_row("rnn_relu", 1, 1),
    "lstm": Row(recurrent("lstm"), [*recurrent_row("lstm", 4, 2).samples, S(n(3, 2, 3), n(2, 2), n(2, 4), n(16, 3), n(16, 2), n(16), n(16), w_hr=n(2, 4))], torch=False),
}
