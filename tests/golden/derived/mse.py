import numpy as np


def value_and_grad(X, y, w, b):
    """mse and its gradients: (value, (dX, dy, dw, db))

    Shapes: X (N, D), y (N,), w (D,), b ().
    """
    N = len(X)
    pred = X @ w + b                                          # (N,)
    t1 = pred - y                                             # (N,)
    value = (t1 ** 2).mean()                                  # ()
    dpred = 2 * t1 / N                                        # (N,)
    dy = -dpred                                               # (N,)
    db = dpred.sum(0)                                         # ()
    dX = np.outer(dpred, w)                                   # (N, D)
    dw = X.T @ dpred                                          # (D,)
    return value, (dX, dy, dw, db)
