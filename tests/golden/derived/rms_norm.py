import numpy as np


def value_and_grad(x, gamma, target):
    """rms_norm and its gradients: (value, (dx, dgamma, dtarget))

    Shapes: x (N, D), gamma (D,), target (N, D).
    """
    rstd = 1 / np.sqrt((x * x).mean(1, keepdims=True) + 1e-06)  # (N, 1)
    xhat = x * rstd                                           # (N, D)
    out = xhat * gamma                                        # (N, D)
    t1 = out - target                                         # (N, D)
    value = (t1 ** 2).sum()                                   # ()
    dout = 2 * t1                                             # (N, D)
    dtarget = -dout                                           # (N, D)
    dxhat = dout * gamma                                      # (N, D)
    along = (dxhat * xhat).mean(1, keepdims=True)             # (N, 1)
    dx = (dxhat - xhat * along) * rstd                        # (N, D)
    dgamma = (dout * xhat).sum(0)                             # (D,)
    return value, (dx, dgamma, dtarget)
