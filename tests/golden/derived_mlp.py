import numpy as np


def value_and_grad(X, y, W1, b1, W2, b2):
    """two_layers and its gradients: (value, (dW1, db1, dW2, db2))"""
    N = len(X)
    z1 = X @ W1 + b1                                          # (32, 8)
    h1 = np.maximum(z1, 0)                                    # (32, 8)
    z2 = h1 @ W2 + b2                                         # (32, 3)
    z = z2 - z2.max(1, keepdims=True)                         # (32, 3)
    e = np.exp(z)                                             # (32, 3)
    total = e.sum(1)                                          # (32,)
    value = (np.log(total) - z[np.arange(N), y]).mean()       # ()
    p = e / total[:, None]                                    # (32, 3)
    onehot = np.zeros_like(z2)
    onehot[np.arange(N), y] = 1.0                             # (32, 3)
    dz2 = (p - onehot) / N                                    # (32, 3)
    db2 = dz2.sum(0)                                          # (3,)
    dh1 = dz2 @ W2.T                                          # (32, 8)
    dW2 = h1.T @ dz2                                          # (8, 3)
    dz1 = dh1 * (h1 > 0)                                      # (32, 8)
    db1 = dz1.sum(0)                                          # (8,)
    dW1 = X.T @ dz1                                           # (5, 8)
    return value, (dW1, db1, dW2, db2)
