"""Optimizer, and SGD, Adam and AdamW with PyTorch's formulas."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_lite.tape import stamp
from tinygrad_lite.tensor import Tensor


class Optimizer:
    """Holds groups of parameters with their settings, and each parameter's state."""

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        groups = list(params)
        if not groups:
            raise ValueError(f"{type(self).__name__} got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        self.param_groups = [{**defaults, **g, "params": list(g["params"])} for g in groups]
        self.state: dict[int, dict[str, Any]] = {}
        seen: set[int] = set()
        for group in self.param_groups:
            for name, low, high in (("lr", 0, math.inf), ("weight_decay", 0, math.inf), ("momentum", 0, math.inf),
                                    ("eps", 0, math.inf)):
                if name in group and not low <= group[name] < high:  # NaN fails too
                    raise ValueError(f"{type(self).__name__}: invalid {name} {group[name]}")
            for beta in group.get("betas", ()):
                if not 0 <= beta < 1:
                    raise ValueError(f"{type(self).__name__}: invalid betas {group['betas']}: each is in [0, 1)")
            for p in group["params"]:
                if not isinstance(p, Tensor) or not p.is_leaf:
                    raise TypeError(f"{type(self).__name__} optimizes leaf Tensors, not {type(p).__name__}")
                if id(p) in seen:
                    raise ValueError(f"{type(self).__name__}: a parameter appears twice")
                seen.add(id(p))

    def zero_grad(self) -> None:
        """Forget the gradient of every parameter."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    def step(self) -> None:
        """Update every parameter that has a gradient, in place."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.update(p.array, p.grad.array, self.state.setdefault(id(p), {}), **group)
                    stamp(p.array)

    def update(self, p: np.ndarray, g: np.ndarray, state: dict, **settings: Any) -> None:
        """Change the array p by its gradient g; every subclass defines it."""
        raise TypeError(f"{type(self).__name__} defines no update()")


class SGD(Optimizer):
    """Stochastic gradient descent with momentum (Sutskever et al., 2013), as in PyTorch."""

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False) -> None:
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs a momentum above 0 and no dampening")
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening,
                                  "weight_decay": weight_decay, "nesterov": nesterov})

    def update(self, p, g, state, *, lr, momentum, dampening, weight_decay, nesterov, **_):
        if weight_decay:
            g = g + weight_decay * p
        if momentum:
            if "momentum_buffer" in state:
                v = state["momentum_buffer"]
                v *= momentum
                v += (1 - dampening) * g
            else:
                v = state["momentum_buffer"] = g.copy()
            g = g + momentum * v if nesterov else v
        p -= lr * g


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015, algorithm 1); weight decay is added to the gradient."""

    decoupled = False

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def update(self, p, g, state, *, lr, betas, eps, weight_decay, **_):
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(p), exp_avg_sq=np.zeros_like(p))
        state["step"] += 1
        m, v, t, (b1, b2) = state["exp_avg"], state["exp_avg_sq"], state["step"], betas
        if weight_decay and self.decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = g + weight_decay * p
        m += (g - m) * (1 - b1)
        v *= b2
        v += (1 - b2) * g * g
        p -= lr / (1 - b1**t) * m / (np.sqrt(v) / math.sqrt(1 - b2**t) + eps)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    decoupled = True

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 1e-2) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
