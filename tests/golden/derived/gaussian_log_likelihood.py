import numpy as np


def value_and_grad(x, mu, log_sigma):
    """gaussian_log_likelihood and its gradients: (value, (dx, dmu, d_log_sigma))

    Shapes: x (N,), mu (), log_sigma ().
    """
    N = len(x)
    t1 = np.exp(log_sigma)                                    # ()
    z = (x - mu) / t1                                         # (N,)
    value = (-z ** 2 * 0.5 - log_sigma - 0.9189385332046727).sum()  # ()
    dz = -z                                                   # (N,)
    dx = dz / t1                                              # (N,)
    d_log_sigma = (-dz * z / t1).sum(0) * t1 - N              # ()
    dmu = -dx.sum(0)                                          # ()
    return value, (dx, dmu, d_log_sigma)
