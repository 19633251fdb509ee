import numpy as np


def value_and_grad(tokens, E, w):
    """bag_of_embeddings and its gradients: (value, (dE, dw))

    Shapes: tokens (N,), E (D, M), w (M,).
    """
    N = len(tokens)
    assert (tokens >= 0).all()
    e = E[tokens]                                             # (N, M)
    h = e.mean(0)                                             # (M,)
    t1 = (h * w).sum()                                        # ()
    soft = np.logaddexp(t1, 0.0)                              # ()
    t2 = t1 > 20.0                                            # ()
    value = np.where(t2, t1, soft)                            # ()
    t3 = np.where(t2, 1.0, 1 / (1 + np.exp(-t1)))             # ()
    dh = t3 * w                                               # (M,)
    dw = t3 * h                                               # (M,)
    dE = np.zeros_like(E)
    np.add.at(dE, tokens, dh / N)                             # (D, M)
    return value, (dE, dw)
