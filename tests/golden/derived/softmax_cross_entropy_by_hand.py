import numpy as np


def value_and_grad(logits, y):
    """softmax_cross_entropy_by_hand and its gradients: (value, (dlogits,))

    Shapes: logits (N, D), y (N,).
    """
    N = len(logits)
    t1 = np.argmax(logits, axis=1, keepdims=True)             # (N, 1)
    m = logits[np.arange(N)[:, None], t1]                     # (N, 1)
    t2 = np.exp(logits - m)                                   # (N, D)
    t3 = t2.sum(1)                                            # (N,)
    log_z = np.log(t3) + m[:, 0]                              # (N,)
    value = (log_z - logits[np.arange(N), y]).mean()          # ()
    t4 = np.zeros_like(logits)
    np.add.at(t4, (np.arange(N), y), -1 / N)                  # (N, D)
    t5 = (1 / N / t3)[:, None] * t2                           # (N, D)
    dm = 1 / N - t5.sum(1, keepdims=True)                     # (N, 1)
    t6 = np.zeros_like(logits)
    t6[np.arange(N)[:, None], t1] = dm                        # (N, D)
    dlogits = t4 + t5 + t6                                    # (N, D)
    return value, (dlogits,)
