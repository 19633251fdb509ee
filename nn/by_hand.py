"""Backprop derived by hand, in plain numpy: read it line by line, each with its shape and its step of the chain rule.

The convention: dz is the derivative of the loss with respect to z, and has z's shape. A product z = x @ W sends
dx = dz @ W.T back to its left factor and dW = x.T @ dz to its right one; a bias that was broadcast over rows gets the
sum over rows; an elementwise function multiplies by its derivative.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

from tinygrad_lite.engine.values import unbox

Arrays = tuple[np.ndarray, ...]
F = TypeVar("F", bound=Callable)


def in_numpy(function: F) -> F:
    """Decorator that lets a function of plain arrays take Tensors too: it is given their arrays.

    >>> @nn.by_hand.in_numpy
    ... def double(x):
    ...     return 2 * x
    >>> double(tl.tensor([1.0, 2.0]))
    array([2., 4.], dtype=float32)
    """
    @wraps(function)
    def run(*args: Any, **settings: Any) -> Any:
        return function(*map(unbox, args), **{name: unbox(value) for name, value in settings.items()})

    return cast(F, run)


# ---------------------------------------------------------------- one hidden layer: relu, then softmax cross-entropy
@in_numpy
def forward(X: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray) -> Arrays:
    """A network of one hidden layer: z1 = X @ W1 + b1 and h1 = relu(z1) (N, H), and logits z2 = h1 @ W2 + b2 (N, C).

    X (N, D), W1 (D, H), b1 (H,), W2 (H, C), b2 (C,).

    >>> X, W1, W2 = np.array([[1.0, 2.0]]), np.eye(2), np.array([[10.0], [1.0]])
    >>> z1, h1, z2 = nn.by_hand.forward(X, W1, np.array([0.0, -5.0]), W2, np.zeros(1))
    >>> z1, h1, z2
    (array([[ 1., -3.]]), array([[1., 0.]]), array([[10.]]))
    """
    z1 = X @ W1 + b1  # (N, H)
    h1 = np.maximum(z1, 0)  # (N, H)   relu
    z2 = h1 @ W2 + b2  # (N, C)   the logits
    return z1, h1, z2


@in_numpy
def loss(z2: np.ndarray, y: np.ndarray) -> float:
    """The cross-entropy, which is the mean of -log softmax(z2)[y] over rows: logits z2 (N, C), classes y (N,).

    >>> z2 = np.log([[0.25, 0.75], [0.5, 0.5]])
    >>> round(nn.by_hand.loss(z2, np.array([1, 0])), 4)  # (-log 0.75 - log 0.5) / 2
    0.4904
    """
    shifted = z2 - z2.max(1, keepdims=True)  # (N, C)
    log_total = np.log(np.exp(shifted).sum(1))  # (N,)
    return float((log_total - shifted[np.arange(len(y)), y]).mean())


@in_numpy
def backward(X: np.ndarray, y: np.ndarray, z1: np.ndarray, h1: np.ndarray, z2: np.ndarray, W2: np.ndarray) -> Arrays:
    """The gradients dW1, db1, dW2, db2 of `loss`, from what `forward` gave.

    >>> X, y = tl.randn(4, 3), np.array([0, 1, 1, 0])
    >>> W1, b1, W2, b2 = (tl.randn(*shape, requires_grad=True) for shape in [(3, 5), (5,), (5, 2), (2,)])
    >>> z1, h1, z2 = nn.by_hand.forward(X, W1, b1, W2, b2)
    >>> dW1, db1, dW2, db2 = nn.by_hand.backward(X, y, z1, h1, z2, W2)
    >>> F.cross_entropy(tl.relu(X @ W1 + b1) @ W2 + b2, y).backward()  # as autograd has it
    >>> np.allclose(dW1, W1.grad, atol=1e-5), np.allclose(db2, b2.grad, atol=1e-5)
    (True, True)
    """
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
    """1 / (1 + exp(-z)) of an array of any shape, between 0 and 1.

    >>> nn.by_hand.sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    e = np.exp(-np.abs(z))  # at most 1, so nothing overflows
    return np.where(z >= 0, 1, e) / (1 + e)  # exp(-z) or, multiplied through by it, exp(z)


@in_numpy
def logistic_forward(X: np.ndarray, w: np.ndarray, b: float, y: np.ndarray,
                     l2: float = 0.0) -> tuple[float, np.ndarray]:
    """Logistic regression: the loss, the mean cross-entropy, and the probabilities p = sigmoid(X @ w + b) (N,).

    X (N, D), w (D,), b a number, y (N,) of 0 and 1; l2 adds the penalty l2 * sum(w**2) to the loss.

    >>> loss, p = nn.by_hand.logistic_forward(np.array([[1.0], [2.0]]), np.array([0.0]), 0.0, np.array([0, 1]))
    >>> round(loss, 4), p  # log 2: it knows nothing yet
    (0.6931, array([0.5, 0.5]))
    """
    z = X @ w + b  # (N,)
    p = sigmoid(z)  # (N,)
    losses = np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))  # (N,)   -y log p - (1 - y) log(1 - p)
    return float(losses.mean() + l2 * (w * w).sum()), p


@in_numpy
def logistic_backward(X: np.ndarray, y: np.ndarray, p: np.ndarray, w: np.ndarray,
                      l2: float = 0.0) -> tuple[np.ndarray, float]:
    """The gradients dw (D,) and db of logistic regression's loss, where all cancels to p - y.

    >>> X, y, w = np.array([[1.0], [2.0]]), np.array([0, 1]), np.array([0.0])
    >>> loss, p = nn.by_hand.logistic_forward(X, w, 0.0, y)
    >>> nn.by_hand.logistic_backward(X, y, p, w)  # p - y is 0.5, -0.5; dw is (0.5 * 1 - 0.5 * 2) / 2
    (array([-0.25]), 0.0)
    """
    dz = (p - y) / len(X)  # (N,)   dloss/dp * dp/dz = (p - y) / (p (1 - p)) * p (1 - p), over N
    dw = X.T @ dz + 2 * l2 * w  # (D,)   z = X @ w + b, and the penalty
    return dw, float(dz.sum())


# ---------------------------------------------------------------- layer norm
@in_numpy
def layer_norm_forward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float = 1e-5) -> Arrays:
    """Layer normalization: out = gamma * xhat + beta (N, D), and for the way back xhat (N, D) and rstd (N, 1).

    x (N, D), gamma and beta (D,). In each row rstd = 1 / sqrt(variance + eps) and xhat = (x - mean) * rstd.

    >>> x, gamma, beta = np.array([[0.0, 2.0]]), np.array([10.0, 10.0]), np.array([0.0, 1.0])
    >>> out, xhat, rstd = nn.by_hand.layer_norm_forward(x, gamma, beta, eps=0.0)
    >>> out, xhat, rstd
    (array([[-10.,  11.]]), array([[-1.,  1.]]), array([[1.]]))
    """
    centered = x - x.mean(1, keepdims=True)  # (N, D)
    rstd = 1 / np.sqrt((centered * centered).mean(1, keepdims=True) + eps)  # (N, 1)
    xhat = centered * rstd  # (N, D)
    return xhat * gamma + beta, xhat, rstd


@in_numpy
def layer_norm_backward(dout: np.ndarray, xhat: np.ndarray, rstd: np.ndarray, gamma: np.ndarray) -> Arrays:
    """The gradients dx (N, D), dgamma and dbeta (D,) of layer normalization, from dout (N, D).

    >>> x, gamma, beta = tl.randn(4, 3, requires_grad=True), np.full(3, 2.0), np.zeros(3)
    >>> out, xhat, rstd = nn.by_hand.layer_norm_forward(x, gamma, beta)
    >>> dx, dgamma, dbeta = nn.by_hand.layer_norm_backward(out, xhat, rstd, gamma)  # of sum(out**2) / 2
    >>> (F.layer_norm(x, (3,), tl.tensor(gamma), tl.tensor(beta)) ** 2 / 2).sum().backward()
    >>> np.allclose(dx, x.grad, atol=1e-4)
    True
    """
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
    """Attention of one head: out (L, E) and the weights P (L, S), softmax(Q @ K.T / sqrt(D)), whose rows add up to 1.

    Q (L, D), K (S, D), V (S, E).

    >>> Q, K, V = np.array([[0.0, 0.0]]), np.eye(2), np.array([[1.0], [3.0]])
    >>> nn.by_hand.attention_forward(Q, K, V)  # the query is as near to one key as to the other
    (array([[2.]]), array([[0.5, 0.5]]))
    """
    scores = Q @ K.T / np.sqrt(Q.shape[-1])  # (L, S)
    P = np.exp(scores - scores.max(1, keepdims=True))  # (L, S)
    P /= P.sum(1, keepdims=True)  # (L, S)   softmax, row by row
    return P @ V, P  # (L, E)


@in_numpy
def attention_backward(dout: np.ndarray, Q: np.ndarray, K: np.ndarray, V: np.ndarray, P: np.ndarray) -> Arrays:
    """The gradients dQ (L, D), dK (S, D) and dV (S, E) of attention, from dout (L, E) and the weights P (L, S).

    >>> Q, K, V = (tl.randn(size, 2, requires_grad=True) for size in (3, 4, 4))
    >>> out, P = nn.by_hand.attention_forward(Q, K, V)
    >>> dQ, dK, dV = nn.by_hand.attention_backward(np.ones((3, 2)), Q, K, V, P)  # of sum(out)
    >>> F.scaled_dot_product_attention(Q, K, V).sum().backward()
    >>> np.allclose(dQ, Q.grad, atol=1e-5), np.allclose(dV, V.grad, atol=1e-5)
    (True, True)
    """
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
    """Two layers with an activation: z1 = X @ W1 + b1 and h1 = act(z1) (N, H), and out = h1 @ W2 + b2 (N, C).

    activation: "tanh", "relu", "sigmoid" or "identity", else a ValueError. Shapes as in `forward`.

    >>> X, W1, W2 = np.array([[1.0, 2.0]]), np.eye(2), np.array([[10.0], [1.0]])
    >>> nn.by_hand.two_layer_forward(X, W1, np.zeros(2), W2, np.zeros(1), activation="identity")
    (array([[1., 2.]]), array([[1., 2.]]), array([[12.]]))
    """
    act, _ = _activation(activation)
    z1 = X @ W1 + b1  # (N, H)
    h1 = act(z1)  # (N, H)
    return z1, h1, h1 @ W2 + b2  # (N, C)


@in_numpy
def two_layer_backward(dout: np.ndarray, X: np.ndarray, z1: np.ndarray, h1: np.ndarray, W1: np.ndarray,
                       W2: np.ndarray, activation: str = "tanh") -> Arrays:
    """The gradients dX, dW1, db1, dW2, db2 of two layers, for any loss whose gradient at the output is dout (N, C).

    >>> X, W1, b1, W2 = np.array([[1.0, 2.0]]), np.eye(2), np.zeros(2), np.array([[10.0], [1.0]])
    >>> z1, h1, out = nn.by_hand.two_layer_forward(X, W1, b1, W2, np.zeros(1), activation="relu")
    >>> dX, dW1, db1, dW2, db2 = nn.by_hand.two_layer_backward(np.ones((1, 1)), X, z1, h1, W1, W2, activation="relu")
    >>> dX, dW2  # out = 10 * X[0, 0] + X[0, 1]
    (array([[10.,  1.]]), array([[1.],
           [2.]]))
    """
    _, slope = _activation(activation)
    dW2, db2 = h1.T @ dout, dout.sum(0)  # (H, C), (C,)
    dz1 = (dout @ W2.T) * slope(z1, h1)  # (N, H)   dh1, times the activation's derivative
    return dz1 @ W1.T, X.T @ dz1, dz1.sum(0), dW2, db2  # (N, D), (D, H), (H,), (H, C), (C,)
