import numpy as np


def value_and_grad(X, Wq, Wk, Wv, target):
    """causal_attention and its gradients: (value, (dX, dWq, dWk, dWv, dtarget))

    Shapes: X (N, D), Wq (D, M), Wk (D, M), Wv (D, H), target (N, H).
    """
    N = len(X)
    M = Wq.shape[1]
    H = Wv.shape[1]
    Q = X @ Wq                                                # (N, M)
    K = X @ Wk                                                # (N, M)
    V = X @ Wv                                                # (N, H)
    s = Q / np.sqrt(M) @ K.T                                  # (N, N)
    t1 = np.where(np.tri(N, N, dtype=np.bool), s, -np.inf)    # (N, N)
    top = t1.max(-1, keepdims=True)                           # (N, 1)
    e = np.exp(t1 - top)                                      # (N, N)
    P = e / e.sum(-1, keepdims=True)                          # (N, N)
    out = P @ V                                               # (N, H)
    t2 = out - target                                         # (N, H)
    value = (t2 ** 2).mean()                                  # ()
    dout = 2 * t2 / (N * H)                                   # (N, H)
    dtarget = -dout                                           # (N, H)
    dp = dout @ V.T                                           # (N, N)
    ds = P * (dp - (dout * out).sum(-1, keepdims=True))       # (N, N)
    dQ = ds @ K / np.sqrt(M)                                  # (N, M)
    dK = ds.T @ Q / np.sqrt(M)                                # (N, M)
    dV = P.T @ dout                                           # (N, H)
    dWv = X.T @ dV                                            # (D, H)
    dWk = X.T @ dK                                            # (D, M)
    dWq = X.T @ dQ                                            # (D, M)
    dX = dV @ Wv.T + dK @ Wk.T + dQ @ Wq.T                    # (N, D)
    return value, (dX, dWq, dWk, dWv, dtarget)
