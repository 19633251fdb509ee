"""Twelve functions of textbooks: what tl.derive writes for them is kept in golden/."""

import math

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite import nn

F = nn.functional


def floats(*shape):
    return tl.tensor(np.random.default_rng(sum(shape)).standard_normal(shape), dtype=tl.float32)


def classes(n, c):
    return tl.tensor(np.random.default_rng(n).integers(0, c, n))


def mse(X, y, w, b):
    pred = X @ w + b
    return ((pred - y) ** 2).mean()


def softmax_cross_entropy(logits, y):
    return F.cross_entropy(logits, y)


def softmax_cross_entropy_by_hand(logits, y):
    m = logits.max(1, keepdim=True)[0]
    log_z = (logits - m).exp().sum(1).log() + m[:, 0]
    return (log_z - logits[np.arange(len(logits)), y]).mean()


def logistic_regression(X, y, w, b, lam=0.1):
    z = X @ w + b
    loss = F.binary_cross_entropy_with_logits(z, y)
    return loss + lam / 2 * (w * w).sum()


def mlp_tanh(X, y, W1, b1, W2, b2):
    h = (X @ W1 + b1).tanh()
    logits = h @ W2 + b2
    return F.cross_entropy(logits, y)


def layer_norm(x, gamma, beta, target):
    out = F.layer_norm(x, x.shape[-1], gamma, beta)
    return ((out - target) ** 2).sum()


def rms_norm(x, gamma, target):
    out = F.rms_norm(x, x.shape[-1], gamma, eps=1e-6)
    return ((out - target) ** 2).sum()


def causal_attention(X, Wq, Wk, Wv, target):
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    out = F.scaled_dot_product_attention(Q, K, V, is_causal=True)
    return ((out - target) ** 2).mean()


def bag_of_embeddings(tokens, E, w):
    e = F.embedding(tokens, E)  # (N, D)
    h = e.mean(0)
    return F.softplus(h @ w)


def conv1d(x, weight, bias, target):
    out = F.conv1d(x, weight, bias, padding=1)
    return ((out - target) ** 2).mean()


def lstm_cell(x, h, c, W, U, b, target):
    i, f, g, o = (x @ W + h @ U + b).chunk(4, -1)
    c_new = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h_new = o.sigmoid() * c_new.tanh()
    return ((h_new - target) ** 2).sum()


def k_means(X, centers):
    dist = ((X[:, None, :] - centers[None, :, :]) ** 2).sum(-1)
    return dist.min(1)[0].sum()


def gaussian_log_likelihood(x, mu, log_sigma):
    z = (x - mu) / log_sigma.exp()
    return (-0.5 * z ** 2 - log_sigma - 0.5 * math.log(2 * math.pi)).sum()


TWELVE = {
    mse: (floats(8, 3), floats(8), floats(3), tl.tensor(0.5)),
    softmax_cross_entropy: (floats(6, 4), classes(6, 4)),
    softmax_cross_entropy_by_hand: (floats(6, 4), classes(6, 4)),
    logistic_regression: (floats(8, 3), tl.tensor(np.arange(8) % 2, dtype=tl.float32), floats(3), tl.tensor(0.5)),
    mlp_tanh: (floats(6, 5), classes(6, 3), floats(5, 7), floats(7), floats(7, 3), floats(3)),
    layer_norm: (floats(5, 4), floats(4), floats(4), floats(5, 4)),
    rms_norm: (floats(5, 4), floats(4), floats(5, 4)),
    causal_attention: (floats(5, 4), floats(4, 3), floats(4, 3), floats(4, 6), floats(5, 6)),
    bag_of_embeddings: (classes(5, 7), floats(7, 3), floats(3)),
    conv1d: (floats(2, 3, 8), floats(4, 3, 3), floats(4), floats(2, 4, 8)),
    lstm_cell: (floats(2, 3), floats(2, 4), floats(2, 4), floats(3, 16), floats(4, 16), floats(16), floats(2, 4)),
    k_means: (floats(9, 2), floats(3, 2)),
    gaussian_log_likelihood: (floats(7), tl.tensor(0.3), tl.tensor(-0.2)),
}
