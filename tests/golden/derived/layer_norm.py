import numpy as np


def value_and_grad(x, gamma, beta, target):
    """layer_norm and its gradients: (value, (dx, dgamma, dbeta, dtarget))

    Shapes: x (N, D), gamma (D,), beta (D,), target (N, D).
    """
    xc = x - x.mean(1, keepdims=True)                         # (N, D)
    rstd = 1 / np.sqrt((xc * xc).mean(1, keepdims=True) + 1e-05)  # (N, 1)
    xhat = xc * rstd                                          # (N, D)
    out = xhat * gamma + beta                                 # (N, D)
    t1 = out - target                                         # (N, D)
    value = (t1 ** 2).sum()                                   # ()
    dout = 2 * t1                                             # (N, D)
    dtarget = -dout                                           # (N, D)
    dxhat = dout * gamma                                      # (N, D)
    along = (dxhat * xhat).mean(1, keepdims=True)             # (N, 1)
    dx = (dxhat - dxhat.mean(1, keepdims=True) - xhat * along) * rstd  # (N, D)
    dgamma = (dout * xhat).sum(0)                             # (D,)
    dbeta = dout.sum(0)                                       # (D,)
    return value, (dx, dgamma, dbeta, dtarget)
