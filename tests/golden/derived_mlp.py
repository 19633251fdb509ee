import numpy as np


def value_and_grad(X, y, W1, b1, W2, b2):
    """two_layers and its gradients: (value, (dW1, db1, dW2, db2))

    Shapes: X (N, D), y (N,), W1 (D, M), b1 (M,), W2 (M, K), b2 (K,).
    """
    N = len(X)
    z1 = X @ W1 + b1                                          # (N, M)
    h1 = np.maximum(z1, 0)                                    # (N, M)
    z2 = h1 @ W2 + b2                                         # (N, K)
    assert (y >= 0).all()
    z = z2 - z2.max(1, keepdims=True)                         # (N, K)
    e = np.exp(z)                                             # (N, K)
    total = e.sum(1)                                          # (N,)
    value = (np.log(total) - z[np.arange(N), y]).mean()       # ()
    p = e / total[:, None]                                    # (N, K)
    onehot = np.zeros_like(z2)
    onehot[np.arange(N), y] = 1.0                             # (N, K)
    dz2 = (p - onehot) / N                                    # (N, K)
    db2 = dz2.sum(0)                                          # (K,)
    dh1 = dz2 @ W2.T                                          # (N, M)
    dW2 = h1.T @ dz2                                          # (M, K)
    dz1 = dh1 * (h1 > 0)                                      # (N, M)
    db1 = dz1.sum(0)                                          # (M,)
    dW1 = X.T @ dz1                                           # (D, M)
    return value, (dW1, db1, dW2, db2)
