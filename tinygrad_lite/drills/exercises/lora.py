"""LoRA: a low-rank update of a frozen layer

forward(x, w, a, b, alpha)        -> outputs (B, T, O) of the layer with its update
merge(w, a, b, alpha)             -> weights (O, I) of the plain layer that does the same
gradients(dy, x, a, b, alpha)     -> the gradients (da, db) of a loss, where dy (B, T, O) is that of the outputs

x is (B, T, I). The frozen layer is x @ w.T with w (O, I), without bias. The update of w is (alpha / r) * b @ a with
a (r, I) and b (O, r); r is the rank, small beside I and O, and b starts at zero. forward never makes a matrix of the
size of w: it goes through the r numbers in between. merge leaves w as it is. float32 stays float32.
"""

import numpy as np

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=10,
    hints=["The rank is a.shape[0]. The scale alpha / r belongs to the update alone, not to the frozen part.",
           "(x @ a.T) @ b.T is the same as x @ (b @ a).T, and in between there are only r numbers a token.",
           "With h = x @ a.T the update is scale * h @ b.T, so dh = scale * dy @ b.",
           "da and db sum over all tokens: flatten x to (B*T, I) and dy to (B*T, O), and then db = scale * dy.T @ h "
           "and da = dh.T @ x."],
    pitfalls=["Scale by alpha / r, not alpha: then the learning rate need not change with the rank.",
              "b starts at zero, a at random. Then the layer starts unchanged, and da is zero in the first step, but "
              "db is not. With both at zero nothing would ever move.",
              "Merging into float16 weights rounds the small update; keep the frozen weights, to take it out again."],
)


@drill.reference(differentiable=True)
def forward(x, w, a, b, alpha):
    """x: (B, T, I), w: (O, I), a: (r, I), b: (O, r), alpha: float -> (B, T, O)"""
    h = x @ a.T  # (B, T, r): small, and b @ a of size (O, I) is never made
    return x @ w.T + (alpha / a.shape[0]) * (h @ b.T)


@drill.reference(differentiable=True)
def merge(w, a, b, alpha):
    """w: (O, I), a: (r, I), b: (O, r), alpha: float -> (O, I)"""
    return w + (alpha / a.shape[0]) * (b @ a)  # once and not in each forward; a new array, w is still needed


@drill.reference(differentiable=True)
def gradients(dy, x, a, b, alpha):
    """dy: (B, T, O), x: (B, T, I), a: (r, I), b: (O, r), alpha: float -> da (r, I), db (O, r)"""
    x, dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])  # (N, I), (N, O): all tokens share a and b
    scale = alpha / a.shape[0]
    dh = scale * (dy @ b)  # (N, r), the gradient of h = x a^T
    return dh.T @ x, scale * (dy.T @ (x @ a.T))  # the products over N sum over the tokens


rng = np.random.default_rng(0)
x, dy = rng.standard_normal((2, 5, 4)), rng.standard_normal((2, 5, 6))  # B = 2, T = 5, I = 4, O = 6
w, a, b = rng.standard_normal((6, 4)), rng.standard_normal((3, 4)), rng.standard_normal((6, 3))  # r = 3
one = np.array([[[1.0, 2.0]]])
wide = [rng.standard_normal(shape) for shape in ((1, 2, 600), (600, 600), (2, 600), (600, 2))]  # r = 2
for part in wide:
    part.flags.writeable = False  # one copy for all who are tried

drill.case(forward, one, np.eye(2), np.array([[1.0, 1.0]]), np.array([[1.0], [0.0]]), 2.0,
           why="x w^T + (alpha / r) (x a^T) b^T; here r is 1, x a^T is 3, and the update adds (6, 0)")
drill.case(forward, x, w, a, b, 16.0, why="the update is scaled by alpha / r")
drill.case(forward, x, w, a, np.zeros((6, 3)), 16.0, why="with b = 0 it is the frozen layer")
drill.case(forward, *(part.astype("float32") for part in (x, w, a, b)), 16, why="float32 stays float32")
drill.case(merge, np.eye(2), np.array([[1.0, 2.0]]), np.array([[1.0], [3.0]]), 2.0,
           why="w + (alpha / r) b a, where b a is (O, r) times (r, I)")
drill.case(merge, w, a, b, 16.0, why="the merged update is scaled as well")
drill.case(gradients, np.array([[[1.0, -1.0]]]), one, np.array([[1.0, 1.0]]), np.array([[2.0], [1.0]]), 3.0,
           why="da = scale (dy b)^T x and db = scale dy^T (x a^T)")
drill.case(gradients, dy, x, a, b, 16.0, why="each token adds to da and db, and both have the scale")
drill.case(gradients, dy, x, a, np.zeros((6, 3)), 16.0, why="with b = 0 the gradient of a is 0, and that of b is not")


@drill.program(why="the update goes through r numbers a token", memory=1_000_000,
               large="b @ a is as large as w; (x @ a.T) @ b.T goes through r numbers a token")
def _(forward):
    """forward(x, w, a, b, 4) with w of shape (600, 600) and r = 2"""
    return forward(*wide, 4.0)


@drill.program(why="the merged weights give what forward gives")
def _(forward, merge):
    """forward(x, w, a, b, 8) beside x @ merge(w, a, b, 8).T"""
    if not np.allclose(forward(x.copy(), w.copy(), a.copy(), b.copy(), 8.0),
                       x @ np.asarray(merge(w.copy(), a.copy(), b.copy(), 8.0)).T):
        return "the merged layer gives other outputs"


@drill.wrong(forward, "scaled by alpha", "the scale is alpha / r, where r is a.shape[0]")
def _(x, w, a, b, alpha):
    return x @ w.T + alpha * (x @ a.T @ b.T)


@drill.wrong(forward, "scaled by alpha over the root of r", "that is the variant rsLoRA; here the scale is alpha / r")
def _(x, w, a, b, alpha):
    return x @ w.T + alpha / a.shape[0] ** 0.5 * (x @ a.T @ b.T)


@drill.wrong(forward, "divided by another size than r", "r is a.shape[0]; a.shape[1] is I")
def _(x, w, a, b, alpha):
    return x @ w.T + alpha / a.shape[1] * (x @ a.T @ b.T)


@drill.wrong(forward, "divided by another size than r", "r is b.shape[1]; b.shape[0] is O")
def _(x, w, a, b, alpha):
    return x @ w.T + alpha / b.shape[0] * (x @ a.T @ b.T)


@drill.wrong(forward, "no scale", "the update is multiplied by alpha / r")
def _(x, w, a, b, alpha):
    return x @ w.T + x @ a.T @ b.T


@drill.wrong(forward, "the frozen part scaled too", "alpha / r belongs to the update alone: mind the brackets")
def _(x, w, a, b, alpha):
    return alpha / a.shape[0] * (x @ w.T + x @ a.T @ b.T)


@drill.wrong(forward, "the frozen part left out", "the update is added to the outputs of the frozen layer")
def _(x, w, a, b, alpha):
    return alpha / a.shape[0] * (x @ a.T @ b.T)


@drill.wrong(forward, "b @ a made in forward", "it is as large as w; (x @ a.T) @ b.T goes through r numbers a token")
def _(x, w, a, b, alpha):
    return x @ w.T + alpha / a.shape[0] * (x @ (b @ a).T)


@drill.wrong(forward, "b @ a made in forward", "it is as large as w; (x @ a.T) @ b.T goes through r numbers a token")
def _(x, w, a, b, alpha):
    return x @ (w + alpha / a.shape[0] * (b @ a)).T


@drill.wrong(merge, "the update not scaled", "merged weights have the same scale as forward: alpha / r")
def _(w, a, b, alpha):
    return w + b @ a


@drill.wrong(merge, "scaled by alpha", "the scale is alpha / r, where r is a.shape[0]")
def _(w, a, b, alpha):
    return w + alpha * (b @ a)


@drill.wrong(merge, "w changed in place", "w += … changes the frozen weights, which are needed to take the update out "
             "again; w + … makes a new array")
def _(w, a, b, alpha):
    w += alpha / a.shape[0] * (b @ a)
    return w


@drill.wrong(merge, "the update transposed", "b @ a is (O, I) as w is; it needs no transposing")
def _(w, a, b, alpha):
    return w + alpha / a.shape[0] * (b @ a).T


@drill.wrong(gradients, "the scale forgotten", "the update is scaled, and so are both gradients")
def _(dy, x, a, b, alpha):
    x, dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return (dy @ b).T @ x, dy.T @ (x @ a.T)


@drill.wrong(gradients, "the scale in one gradient alone", "alpha / r stands before both factors: da and db have it")
def _(dy, x, a, b, alpha):
    x, dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return (dy @ b).T @ x, alpha / a.shape[0] * (dy.T @ (x @ a.T))


@drill.wrong(gradients, "the scale in one gradient alone", "alpha / r stands before both factors: da and db have it")
def _(dy, x, a, b, alpha):
    x, dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return alpha / a.shape[0] * ((dy @ b).T @ x), dy.T @ (x @ a.T)


@drill.wrong(gradients, "da and db exchanged", "first da of shape (r, I), then db of shape (O, r)")
def _(dy, x, a, b, alpha):
    x, dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    scale = alpha / a.shape[0]
    return scale * (dy.T @ (x @ a.T)), scale * ((dy @ b).T @ x)


@drill.wrong(gradients, "the mean over tokens", "dy has the loss's mean already: the gradients are sums over all "
             "tokens")
def _(dy, x, a, b, alpha):
    x, dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    scale = alpha / a.shape[0] / len(x)
    return scale * ((dy @ b).T @ x), scale * (dy.T @ (x @ a.T))


@drill.wrong(gradients, "not summed over the batch", "all sequences share a and b: their gradients add up")
def _(dy, x, a, b, alpha):
    scale = alpha / a.shape[0]
    return scale * (np.swapaxes(dy @ b, 1, 2) @ x), scale * (np.swapaxes(dy, 1, 2) @ (x @ a.T))
