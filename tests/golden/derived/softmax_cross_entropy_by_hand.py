import numpy as np


def value_and_grad(logits, y):
    """softmax_cross_entropy_by_hand and its gradients: (value, (dlogits,))

    Shapes: logits (N, D), y (N,).
    """
    N = len(logits)
    t1 = np.argmax(logits, axis=1, keepdims=True)             # (N, 1)
    m = logits[np.arange(N)[:, None], t1]                     # (N, 1)
    t3 = np.exp(logits - m)                                   # (N, D)
    t4 = t3.sum(1)                                            # (N,)
    log_z = np.log(t4) + m[:, 0]                              # (N,)
    value = (log_z - logits[np.arange(N), y]).mean()          # ()
    t7 = np.zeros_like(logits)
    np.add.at(t7, (np.arange(N), y), -1 / N)                  # (N, D)
    t8 = (1 / N / t4)[:, None] * t3                           # (N, D)
    dm = 1 / N - t8.sum(1, keepdims=True)                     # (N, 1)
    t9 = np.zeros_like(logits)
    t9[np.arange(N)[:, None], t1] = dm                        # (N, D)
    dlogits = t7 + t8 + t9                                    # (N, D)
    return value, (dlogits,)
