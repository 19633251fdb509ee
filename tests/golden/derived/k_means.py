import numpy as np


def value_and_grad(X, centers):
    """k_means and its gradients: (value, (dX, dcenters))

    Shapes: X (N, D), centers (M, D).
    """
    N = len(X)
    t1 = X[:, None] - centers[None]                           # (N, M, D)
    dist = (t1 ** 2).sum(-1)                                  # (N, M)
    t2 = np.argmin(dist, axis=1, keepdims=True)               # (N, 1)
    values = dist[np.arange(N)[:, None], t2]                  # (N, 1)
    value = values.sum()                                      # ()
    ddist = np.zeros_like(dist)
    ddist[np.arange(N)[:, None], t2] = 1.0                    # (N, M)
    t3 = ddist[:, :, None] * 2 * t1                           # (N, M, D)
    dcenters = -t3.sum(0)                                     # (M, D)
    dX = t3.sum(1)                                            # (N, D)
    return value, (dX, dcenters)
