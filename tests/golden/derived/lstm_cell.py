import numpy as np


def value_and_grad(x, h, c, W, U, b, target):
    """lstm_cell and its gradients: (value, (dx, dh, dc, dW, dU, db, dtarget))

    Shapes: x (N, D), h (N, M), c (N, K), W (D, 4 * K), U (M, 4 * K), b (4 * K,), target (N, K).
    """
    K = c.shape[1]
    t1 = x @ W + h @ U + b                                    # (N, 4 * K)
    i = t1[:, :K]                                             # (N, K)
    f = t1[:, K:2 * K]                                        # (N, K)
    g = t1[:, 2 * K:3 * K]                                    # (N, K)
    o = t1[:, 3 * K:4 * K]                                    # (N, K)
    t2 = 1 / (1 + np.exp(-f))                                 # (N, K)
    t3 = 1 / (1 + np.exp(-i))                                 # (N, K)
    t4 = np.tanh(g)                                           # (N, K)
    c_new = t2 * c + t3 * t4                                  # (N, K)
    t5 = 1 / (1 + np.exp(-o))                                 # (N, K)
    t6 = np.tanh(c_new)                                       # (N, K)
    h_new = t5 * t6                                           # (N, K)
    t7 = h_new - target                                       # (N, K)
    value = (t7 ** 2).sum()                                   # ()
    d_h_new = 2 * t7                                          # (N, K)
    dtarget = -d_h_new                                        # (N, K)
    d_c_new = d_h_new * t5 * (1 - t6 * t6)                    # (N, K)
    do = d_h_new * t6 * t5 * (1 - t5)                         # (N, K)
    dg = d_c_new * t3 * (1 - t4 * t4)                         # (N, K)
    di = d_c_new * t4 * t3 * (1 - t3)                         # (N, K)
    dc = d_c_new * t2                                         # (N, K)
    df = d_c_new * c * t2 * (1 - t2)                          # (N, K)
    t11 = np.zeros_like(t1)
    t11[:, 3 * K:4 * K] = do                                  # (N, 4 * K)
    t11[:, 2 * K:3 * K] = dg                                  # (N, 4 * K)
    t11[:, K:2 * K] = df                                      # (N, 4 * K)
    t11[:, :K] = di                                           # (N, 4 * K)
    db = t11.sum(0)                                           # (4 * K,)
    dh = t11 @ U.T                                            # (N, M)
    dU = h.T @ t11                                            # (M, 4 * K)
    dx = t11 @ W.T                                            # (N, D)
    dW = x.T @ t11                                            # (D, 4 * K)
    return value, (dx, dh, dc, dW, dU, db, dtarget)
