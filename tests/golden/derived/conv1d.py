import numpy as np


def value_and_grad(x, weight, bias, target):
    """conv1d and its gradients: (value, (dx, dweight, dbias, dtarget))

    Shapes: x (N, D, M), weight (K, D, 3), bias (K,), target (N, K, M).
    """
    N, D, M = x.shape
    K = len(weight)
    assert weight.shape == (K, D, 3), weight.shape
    inside = x[:, :, None, :]                                 # (N, D, 1, M)
    t1 = np.zeros((N, D, 1, M + 2))
    t1[:, :, :, 1:M + 1] = inside                             # (N, D, 1, M + 2)
    views = np.lib.stride_tricks.sliding_window_view(t1, (1, 3), (2, 3))  # (N, D, 1, M, 1, 3)
    windows = views.transpose(0, 1, 4, 5, 2, 3)               # (N, D, 1, 3, 1, M)
    t2 = windows.reshape(N, 3 * D, M)                         # (N, 3 * D, M)
    t3 = weight.reshape(K, 3 * D)                             # (K, 3 * D)
    out = ((t3 @ t2)[:, :, None, :] + bias[:, None, None]).reshape(N, K, M)  # (N, K, M)
    t4 = out - target                                         # (N, K, M)
    value = (t4 ** 2).mean()                                  # ()
    dout = 2 * t4 / (N * M * K)                               # (N, K, M)
    dtarget = -dout                                           # (N, K, M)
    dbias = dout[:, :, None, :].sum((0, 2, 3))                # (K,)
    dwindows = t3.T @ dout                                    # (N, 3 * D, M)
    parts = dwindows.reshape(N, D, 1, 3, 1, M)                # (N, D, 1, 3, 1, M)
    t7 = np.zeros_like(t1)
    t7[:, :, :, :M] = parts[:, :, 0, 0]                       # (N, D, 1, M + 2)
    t7[:, :, :, 1:M + 1] += parts[:, :, 0, 1]                 # (N, D, 1, M + 2)
    t7[:, :, :, 2:M + 2] += parts[:, :, 0, 2]                 # (N, D, 1, M + 2)
    dinside = t7[:, :, :, 1:M + 1]                            # (N, D, 1, M)
    dweight = (t2 @ dout.mT).sum(0).T.reshape(K, D, 3)        # (K, D, 3)
    dx = dinside.reshape(N, D, M)                             # (N, D, M)
    return value, (dx, dweight, dbias, dtarget)
