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
    """Adam (Kingma and Ba, 2015, algorithm 1) and AMSGrad (Reddi et al., 2018); weight decay is added to g."""

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
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, capturable: bool = False, differentiable: bool = False,
                 fused: bool | None = None) -> None:
        super().__init__(params, **settings_of(locals()), decoupled_weight_decay=True)


class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat, 2016)."""

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
    """Rectified Adam (Liu et al., 2020): as momentum until the variance of the squares is bounded."""

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
    """Adam with the infinity norm (Kingma and Ba, 2015, algorithm 2)."""

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
