"""Optimizers that follow the gradient, or its sign: SGD, ASGD, Rprop, Lion."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from .optimizer import Optimizer, counted, settings_of, zeros


class SGD(Optimizer):
    """Stochastic gradient descent with momentum (Sutskever et al., 2013), as in PyTorch."""

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, differentiable: bool = False, fused: bool | None = None) -> None:
        super().__init__(params, settings_of(locals()))
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: Nesterov momentum requires a momentum and zero dampening")

    def update(self, p, g, state, *, lr, momentum, dampening, nesterov, **_):
        if momentum:
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = np.array(g)  # the first step is not dampened
            else:
                state["momentum_buffer"] *= momentum
                state["momentum_buffer"] += g * (1 - dampening) if dampening else g
            v = state["momentum_buffer"]
            g = g + momentum * v if nesterov else v
        p -= lr * g


class ASGD(Optimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky, 1992); the average is state["ax"]."""

    def __init__(self, params: Iterable[Any], lr: Any = 1e-2, lambd: float = 1e-4, alpha: float = 0.75,
                 t0: float = 1e6, weight_decay: float = 0.0, foreach: bool | None = None, maximize: bool = False,
                 differentiable: bool = False, capturable: bool = False) -> None:
        super().__init__(params, settings_of(locals()))

    def update(self, p, g, state, *, lr, lambd, alpha, t0, **_):
        if not state:
            state |= {"step": 0, "eta": lr, "mu": 1.0, "ax": np.zeros_like(p)}
        t, ax = counted(state), state["ax"]
        p *= 1 - lambd * state["eta"]
        p -= state["eta"] * g
        ax += (p - ax) * state["mu"]
        state["eta"] = lr / (1 + lambd * lr * t) ** alpha
        state["mu"] = 1 / np.maximum(1.0, t - t0).item()


class Rprop(Optimizer):
    """Resilient backpropagation (Riedmiller and Braun, 1993): a step size an element, and signs of gradients only."""

    elementwise = True

    def __init__(self, params: Iterable[Any], lr: Any = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False,
                 foreach: bool | None = None, maximize: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, settings_of(locals()))

    def update(self, p, g, state, *, lr, etas, step_sizes, **_):
        if not state:
            state |= {"step": 0, "prev": np.zeros_like(p), "step_size": np.full_like(p, lr)}
        counted(state)
        turn = np.sign(g) * np.sign(state["prev"])  # -1 where it has gone too far
        factor = np.where(turn > 0, etas[1], np.where(turn < 0, etas[0], 1.0))
        state["step_size"][...] = np.clip(state["step_size"] * factor, *step_sizes)
        g = np.where(turn < 0, 0, g)
        p -= np.sign(g) * state["step_size"]
        state["prev"][...] = g


class Lion(Optimizer):
    """EvoLved sign momentum (Chen et al., 2023, algorithm 2), with its decoupled weight decay."""

    elementwise = decoupled = True

    def __init__(self, params: Iterable[Any], lr: Any = 1e-4, betas: tuple[float, float] = (0.9, 0.99),
                 weight_decay: float = 0.0, *, maximize: bool = False, foreach: bool | None = None,
                 differentiable: bool = False) -> None:
        super().__init__(params, settings_of(locals()))

    def update(self, p, g, state, *, lr, betas, **_):
        zeros(p, state, "exp_avg")
        m, (b1, b2) = state["exp_avg"], betas
        p -= lr * np.sign(b1 * m + (1 - b1) * g)
        m += (g - m) * (1 - b2)
