"""The family of Adam: moving averages of the gradient and of its square."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_lite.tensor import Tensor

from .optimizer import Optimizer, counted, settings_of, zeros


def _moments(p: np.ndarray, g: np.ndarray, state: dict, b1: Any, b2: Any) -> tuple[np.ndarray, np.ndarray, Any]:
    """The moving averages of g and of its square, and the number of the step."""
    t = counted(state)
    zeros(p, state, "exp_avg", "exp_avg_sq")
    m, v = state["exp_avg"], state["exp_avg_sq"]
    m += (g - m) * (1 - b1)
    v *= b2
    v += (1 - b2) * g * g
    return m, v, t


def _refuse_tensors(name: str, lr: Any, betas: Any, foreach: bool) -> None:
    """ValueError where PyTorch takes no Tensors as settings."""
    for what, value in (("lr", lr), *((f"betas[{i}]", beta) for i, beta in enumerate(betas))):
        if foreach and isinstance(value, Tensor):
            raise ValueError(f"{name}: {what} as a Tensor is not supported for capturable=False and foreach=True")
    if len({isinstance(beta, Tensor) for beta in betas}) > 1:
        raise ValueError(f"{name}: betas must be either both floats or both Tensors")


class Adam(Optimizer):
    """Adam: p -= lr * m / (sqrt(v) + eps), with moving averages m of the gradient g and v of its square.

    m = b1 * m + (1 - b1) * g and v = b2 * v + (1 - b2) * g**2, where b1, b2 = betas. Both start at 0; to make up for
    that the formula uses m / (1 - b1**t) and v / (1 - b2**t) at step t (Kingma and Ba, 2015, algorithm 1). amsgrad=True
    takes the largest v so far (Reddi et al., 2018). weight_decay adds weight_decay * p to g, or with
    decoupled_weight_decay=True shrinks p as AdamW does.

    >>> w = tl.tensor([1.0, 1.0], requires_grad=True)
    >>> opt = optim.Adam([w], lr=0.1)
    >>> (w * tl.tensor([0.1, 100.0])).sum().backward()
    >>> opt.step()
    >>> w  # the first step has the size lr, whatever the gradient
    tensor([0.9, 0.9], requires_grad=True)
    """

    elementwise = True

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False, *, foreach: bool | None = None,
                 maximize: bool = False, capturable: bool = False, differentiable: bool = False,
                 fused: bool | None = None, decoupled_weight_decay: bool = False) -> None:
        _refuse_tensors(type(self).__name__, lr, betas, bool(foreach and not capturable))
        super().__init__(params, settings_of(locals()))

    def update(self, p, g, state, *, lr, betas, eps, amsgrad=False, **_):
        b1, b2 = betas
        m, v, t = _moments(p, g, state, b1, b2)
        if amsgrad:
            zeros(p, state, "max_exp_avg_sq")
            v = np.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        p -= lr / (1 - b1**t) * m / (np.sqrt(v) / (1 - b2**t) ** 0.5 + eps)


class AdamW(Adam):
    """Adam with decoupled weight decay: before each step p is multiplied by 1 - lr * weight_decay.

    In Adam the decay is part of the gradient, so it is divided by sqrt(v) too and acts less where gradients are large;
    here it is the same for all (Loshchilov and Hutter, 2019). What should not decay, such as biases, goes to a group of
    its own. The other settings are Adam's.

    >>> layer = nn.Linear(3, 2)
    >>> opt = optim.AdamW([{"params": layer.weight}, {"params": layer.bias, "weight_decay": 0.0}], lr=1e-3)
    >>> [group["weight_decay"] for group in opt.param_groups]
    [0.01, 0.0]
    """

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, capturable: bool = False, differentiable: bool = False,
                 fused: bool | None = None) -> None:
        super().__init__(params, **settings_of(locals()), decoupled_weight_decay=True)


class NAdam(Optimizer):
    """Adam with Nesterov's momentum: the step looks ahead, so the newest gradient counts more than in Adam's average.

    The momentum of step t is betas[0] * (1 - 0.5 * 0.96 ** (t * momentum_decay)), which rises from half of betas[0] to
    all of it. weight_decay is added to the gradient, or decoupled as in AdamW. From Dozat, 2016.

    >>> w = tl.zeros(1, requires_grad=True)
    >>> opt = optim.NAdam([w], lr=0.1)
    >>> for g in (1.0, -1.0):
    ...     w.grad = tl.tensor([g])
    ...     opt.step()
    >>> w.detach().round(decimals=3)  # Adam, which turns round later, is at -0.095 by then
    tensor([-0.036])
    """

    elementwise = True

    def __init__(self, params: Iterable[Any], lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, momentum_decay: float = 4e-3,
                 decoupled_weight_decay: bool = False, *, foreach: bool | None = None, maximize: bool = False,
                 capturable: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, settings_of(locals()))

    def update(self, p, g, state, *, lr, betas, eps, momentum_decay, **_):
        m, v, t = _moments(p, g, state, *betas)
        mu, mu_next = (betas[0] * (1 - 0.5 * 0.96 ** (s * momentum_decay)) for s in (t, t + 1))
        state["mu_product"] = product = state.get("mu_product", 1.0) * mu
        step = g * ((1 - mu) / (1 - product)) + m * (mu_next / (1 - product * mu_next))
        p -= lr * step / (np.sqrt(v / (1 - betas[1] ** t)) + eps)


class RAdam(Optimizer):
    """Rectified Adam: it steps by momentum alone until there are enough squares for Adam's division by sqrt(v).

    With the default betas that is from step 6 on; from there Adam's step is multiplied by a factor that rises to 1,
    which does what a warm-up of the learning rate does for Adam. weight_decay is added to the gradient, or decoupled as
    in AdamW. From Liu et al., 2020.

    >>> w = tl.tensor([1.0, 1.0], requires_grad=True)
    >>> opt = optim.RAdam([w], lr=0.1)
    >>> (w * tl.tensor([0.1, 3.0])).sum().backward()
    >>> opt.step()
    >>> w  # moved by lr * g
    tensor([0.99, 0.7 ], requires_grad=True)
    """

    elementwise = True

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, decoupled_weight_decay: bool = False, *,
                 foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False) -> None:
        super().__init__(params, settings_of(locals()))

    def update(self, p, g, state, *, lr, betas, eps, **_):
        m, v, t = _moments(p, g, state, *betas)
        step = lr / (1 - betas[0] ** t) * m
        longest = 2 / (1 - betas[1]) - 1
        if longest > 5:  # else it is never rectified
            correction = 1 - betas[1] ** t
            length = longest - 2 * t * betas[1] ** t / correction
            variance = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            rectified = np.maximum(variance * correction, 0.0).item() ** 0.5
            step *= np.where(np.greater(length, 5), rectified / (np.sqrt(v) + eps), 1.0)  # no branch: see tl.compile
        p -= step


class Adamax(Optimizer):
    """Adam with the largest gradient in place of the mean square: p -= lr / (1 - b1**t) * m / u at step t.

    m = b1 * m + (1 - b1) * g and u = max(b2 * u, |g| + eps), where b1, b2 = betas; so b2 says how slowly a large
    gradient is forgotten. weight_decay adds weight_decay * p to g. From Kingma and Ba, 2015, algorithm 2.

    >>> w = tl.tensor([1.0, 1.0], requires_grad=True)
    >>> opt = optim.Adamax([w], lr=0.1)
    >>> (w * tl.tensor([1.0, -100.0])).sum().backward()
    >>> opt.step()
    >>> w
    tensor([0.9, 1.1], requires_grad=True)
    """

    elementwise = True

    def __init__(self, params: Iterable[Any], lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, foreach: bool | None = None, *, maximize: bool = False,
                 differentiable: bool = False, capturable: bool = False) -> None:
        super().__init__(params, settings_of(locals()))

    def update(self, p, g, state, *, lr, betas, eps, **_):
        t, (b1, b2) = counted(state), betas
        zeros(p, state, "exp_avg", "exp_inf")
        m, u = state["exp_avg"], state["exp_inf"]
        m += (g - m) * (1 - b1)
        np.maximum(u * b2, np.abs(g) + eps, out=u)
        p -= lr / (1 - b1**t) * m / u
