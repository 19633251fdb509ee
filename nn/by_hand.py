"""Backprop derived by hand, in plain numpy: read it line by line, each with its shape and its step of the chain rule.

The convention: dz is the derivative of the loss with respect to z, and has z's shape. A product z = x @ W sends
dx = dz @ W.T back to its left factor and dW = x.T @ dz to its right one; a bias that was broadcast over rows gets the
sum over rows; an elementwise function multiplies by its derivative.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from tinygrad_lite.engine.values import unbox

Arrays = tuple[np.ndarray, ...]


def in_numpy(function: Callable) -> Callable:
    """The function of plain arrays, which takes Tensors by their arrays."""
    @wraps(function)
    def run(*args: Any, **settings: Any) -> Any:
        return function(*map(unbox, args), **{name: unbox(value) for name, value in settings.items()})

    return run


# ---------------------------------------------------------------- one hidden layer: relu, then softmax cross-entropy
@in_numpy
def forward(X: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray) -> Arrays:
    """z1, h1, z2 of the network: X (N, D), W1 (D, H), b1 (H,), W2 (H, C), b2 (C,)."""
    z1 = X @ W1 + b1  # (N, H)
    h1 = np.maximum(z1, 0)  # (N, H)   relu
    z2 = h1 @ W2 + b2  # (N, C)   the logits
    return z1, h1, z2


@in_numpy
def loss(z2: np.ndarray, y: np.ndarray) -> float:
    """The mean of -log softmax(z2)[y] over rows: z2 (N, C), y (N,) of class indices."""
    shifted = z2 - z2.max(1, keepdims=True)  # (N, C)
    log_total = np.log(np.exp(shifted).sum(1))  # (N,)
    return float((log_total - shifted[np.arange(len(y)), y]).mean())


@in_numpy
def backward(X: np.ndarray, y: np.ndarray, z1: np.ndarray, h1: np.ndarray, z2: np.ndarray, W2: np.ndarray) -> Arrays:
    """dW1, db1, dW2, db2 of `loss`, from what `forward` gave."""
    N = len(X)
    p = np.exp(z2 - z2.max(1, keepdims=True))  # (N, C)
    p /= p.sum(1, keepdims=True)  # (N, C)   softmax
    dz2 = p.copy()  # (N, C)   d(-log p[y])/dz2 = p - onehot(y)
    dz2[np.arange(N), y] -= 1
    dz2 /= N  # (N, C)   the loss is a mean over rows
    dW2 = h1.T @ dz2  # (H, C)   z2 = h1 @ W2 + b2
    db2 = dz2.sum(0)  # (C,)     b2 was broadcast over rows
    dh1 = dz2 @ W2.T  # (N, H)
    dz1 = dh1 * (z1 > 0)  # (N, H)   relu lets through where z1 > 0
    dW1 = X.T @ dz1  # (D, H)   z1 = X @ W1 + b1
    db1 = dz1.sum(0)  # (H,)
    return dW1, db1, dW2, db2


# ---------------------------------------------------------------- logistic regression
def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), of any shape."""
    e = np.exp(-np.abs(z))  # at most 1, so nothing overflows
    return np.where(z >= 0, 1, e) / (1 + e)  # exp(-z) or, multiplied through by it, exp(z)


@in_numpy
def logistic_forward(X: np.ndarray, w: np.ndarray, b: float, y: np.ndarray,
                     l2: float = 0.0) -> tuple[float, np.ndarray]:
    """The loss and p = sigmoid(X @ w + b): X (N, D), w (D,), y (N,) of 0 and 1; l2 adds l2 * sum(w**2)."""
    z = X @ w + b  # (N,)
    p = sigmoid(z)  # (N,)
    losses = np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))  # (N,)   -y log p - (1 - y) log(1 - p)
    return float(losses.mean() + l2 * (w * w).sum()), p


@in_numpy
def logistic_backward(X: np.ndarray, y: np.ndarray, p: np.ndarray, w: np.ndarray,
                      l2: float = 0.0) -> tuple[np.ndarray, float]:
    """dw, db: everything cancels to p - y."""
    dz = (p - y) / len(X)  # (N,)   dloss/dp * dp/dz = (p - y) / (p (1 - p)) * p (1 - p), over N
    dw = X.T @ dz + 2 * l2 * w  # (D,)   z = X @ w + b, and the penalty
    return dw, float(dz.sum())


# ---------------------------------------------------------------- layer norm
@in_numpy
def layer_norm_forward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float = 1e-5) -> Arrays:
    """out, xhat, rstd: x (N, D), gamma and beta (D,)."""
    centred = x - x.mean(1, keepdims=True)  # (N, D)
    rstd = 1 / np.sqrt((centred * centred).mean(1, keepdims=True) + eps)  # (N, 1)
    xhat = centred * rstd  # (N, D)
    return xhat * gamma + beta, xhat, rstd


@in_numpy
def layer_norm_backward(dout: np.ndarray, xhat: np.ndarray, rstd: np.ndarray, gamma: np.ndarray) -> Arrays:
    """dx, dgamma, dbeta."""
    dbeta = dout.sum(0)  # (D,)     broadcast over rows
    dgamma = (dout * xhat).sum(0)  # (D,)
    dxhat = dout * gamma  # (N, D)
    # xhat has mean 0 and length sqrt(D) whatever x does: what dxhat would change of these two is taken off
    along_mean = dxhat.mean(1, keepdims=True)  # (N, 1)   through the mean
    along_xhat = (dxhat * xhat).mean(1, keepdims=True)  # (N, 1)   through the variance
    dx = rstd * (dxhat - along_mean - xhat * along_xhat)  # (N, D)
    return dx, dgamma, dbeta


# ---------------------------------------------------------------- attention, one head
@in_numpy
def attention_forward(Q: np.ndarray, K: np.ndarray, V: np.ndarray) -> Arrays:
    """out, P: Q (L, D), K (S, D), V (S, E); P (L, S) are the weights."""
    scores = Q @ K.T / np.sqrt(Q.shape[-1])  # (L, S)
    P = np.exp(scores - scores.max(1, keepdims=True))  # (L, S)
    P /= P.sum(1, keepdims=True)  # (L, S)   softmax, row by row
    return P @ V, P  # (L, E)


@in_numpy
def attention_backward(dout: np.ndarray, Q: np.ndarray, K: np.ndarray, V: np.ndarray, P: np.ndarray) -> Arrays:
    """dQ, dK, dV."""
    dV = P.T @ dout  # (S, E)   out = P @ V
    dP = dout @ V.T  # (L, S)
    # softmax: dp_i/ds_j = p_i (1[i = j] - p_j), so ds = p * (dp - sum(p * dp))
    dscores = P * (dP - (P * dP).sum(1, keepdims=True))  # (L, S)
    dscores /= np.sqrt(Q.shape[-1])  # (L, S)   scores = Q @ K.T / sqrt(D)
    return dscores @ K, dscores.T @ Q, dV  # (L, D), (S, D), (S, E)


# ---------------------------------------------------------------- two layers, any activation
ACTIVATIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    # name: (h from z, dh/dz from z and h)
    "relu": (lambda z: np.maximum(z, 0), lambda z, h: (z > 0) * 1.0),
    "tanh": (np.tanh, lambda z, h: 1 - h * h),
    "sigmoid": (sigmoid, lambda z, h: h * (1 - h)),
    "identity": (lambda z: z, lambda z, h: np.ones_like(z)),
}


def _activation(name: str) -> Any:
    if name not in ACTIVATIONS:
        raise ValueError(f"by_hand: no activation {name!r}; there are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


@in_numpy
def two_layer_forward(X: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray,
                      activation: str = "tanh") -> Arrays:
    """z1, h1, out of act(X @ W1 + b1) @ W2 + b2: shapes as in `forward`."""
    act, _ = _activation(activation)
    z1 = X @ W1 + b1  # (N, H)
    h1 = act(z1)  # (N, H)
    return z1, h1, h1 @ W2 + b2  # (N, C)


@in_numpy
def two_layer_backward(dout: np.ndarray, X: np.ndarray, z1: np.ndarray, h1: np.ndarray, W1: np.ndarray,
                       W2: np.ndarray, activation: str = "tanh") -> Arrays:
    """dX, dW1, db1, dW2, db2 for any loss whose derivative with respect to the output is dout (N, C)."""
    _, slope = _activation(activation)
    dW2, db2 = h1.T @ dout, dout.sum(0)  # (H, C), (C,)
    dz1 = (dout @ W2.T) * slope(z1, h1)  # (N, H)   dh1, times the activation's derivative
    return dz1 @ W1.T, X.T @ dz1, dz1.sum(0), dW2, db2  # (N, D), (D, H), (H,), (H, C), (C,)
