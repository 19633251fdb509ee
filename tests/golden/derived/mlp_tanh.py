import numpy as np


def value_and_grad(X, y, W1, b1, W2, b2):
    """mlp_tanh and its gradients: (value, (dX, dW1, db1, dW2, db2))

    Shapes: X (N, D), y (N,), W1 (D, M), b1 (M,), W2 (M, K), b2 (K,).
    """
    N = len(X)
    h = np.tanh(X @ W1 + b1)                                  # (N, M)
    logits = h @ W2 + b2                                      # (N, K)
    assert (y >= 0).all()
    z = logits - logits.max(1, keepdims=True)                 # (N, K)
    e = np.exp(z)                                             # (N, K)
    total = e.sum(1)                                          # (N,)
    value = (np.log(total) - z[np.arange(N), y]).mean()       # ()
    p = e / total[:, None]                                    # (N, K)
    onehot = np.zeros_like(logits)
    onehot[np.arange(N), y] = 1.0                             # (N, K)
    dlogits = (p - onehot) / N                                # (N, K)
    db2 = dlogits.sum(0)                                      # (K,)
    dh = dlogits @ W2.T                                       # (N, M)
    dW2 = h.T @ dlogits                                       # (M, K)
    t1 = dh * (1 - h * h)                                     # (N, M)
    db1 = t1.sum(0)                                           # (M,)
    dX = t1 @ W1.T                                            # (N, D)
    dW1 = X.T @ t1                                            # (D, M)
    return value, (dX, dW1, db1, dW2, db2)
