import numpy as np


def value_and_grad(logits, y):
    """softmax_cross_entropy and its gradients: (value, (dlogits,))

    Shapes: logits (N, D), y (N,).
    """
    N = len(logits)
    assert (y >= 0).all()
    z = logits - logits.max(1, keepdims=True)                 # (N, D)
    e = np.exp(z)                                             # (N, D)
    total = e.sum(1)                                          # (N,)
    value = (np.log(total) - z[np.arange(N), y]).mean()       # ()
    p = e / total[:, None]                                    # (N, D)
    onehot = np.zeros_like(logits)
    onehot[np.arange(N), y] = 1.0                             # (N, D)
    dlogits = (p - onehot) / N                                # (N, D)
    return value, (dlogits,)
