import numpy as np


def value_and_grad(X, y, w, b):
    """logistic_regression and its gradients: (value, (dX, dy, dw, db))

    Shapes: X (N, D), y (N,), w (D,), b ().
    """
    N = len(X)
    z = X @ w + b                                             # (N,)
    e = np.exp(-np.abs(z))                                    # (N,)
    loss = (np.maximum(z, 0.0) - z * y + np.log1p(e)).mean()  # ()
    value = loss + (w * w).sum() * 0.05                       # ()
    dz = (1 / (1 + np.exp(-z)) - y) / N                       # (N,)
    dy = -z / N                                               # (N,)
    db = dz.sum(0)                                            # ()
    dX = np.outer(dz, w)                                      # (N, D)
    dw = 0.1 * w + X.T @ dz                                   # (D,)
    return value, (dX, dy, dw, db)
