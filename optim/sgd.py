"""Optimizers that follow the gradient, or its sign: SGD, ASGD, Rprop, Lion."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from .optimizer import Optimizer, counted, settings_of, zeros


class SGD(Optimizer):
    """Stochastic gradient descent: p -= lr * g, or with momentum p -= lr * v.

    v = momentum * v + (1 - dampening) * g, where the first v is g, not dampened. nesterov=True steps along
    g + momentum * v; without a momentum, or with dampening, it is a ValueError. weight_decay adds weight_decay * p to
    g. In Sutskever et al., 2013, lr multiplies g; here, as in PyTorch, it multiplies v.

    >>> w = tl.tensor([1.0, 2.0], requires_grad=True)
    >>> opt = optim.SGD([w], lr=0.1)
    >>> opt.zero_grad()
    >>> (w * w).sum().backward()  # the gradient is 2 * w
    >>> opt.step()
    >>> w
    tensor([0.8, 1.6], requires_grad=True)
    """

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
    """Averaged stochastic gradient descent: beside the parameters it keeps their mean over the steps in state["ax"].

    A step is p -= eta * (g + lambd * p), with eta = lr / (1 + lambd * lr * t) ** alpha after t steps. The mean begins
    after t0 steps, which are a million unless given; until then "ax" is p. From Polyak and Juditsky, 1992.

    >>> w = tl.tensor(8.0, requires_grad=True)
    >>> opt = optim.ASGD([w], lr=0.25, lambd=0.0, t0=0)
    >>> for _ in range(3):  # w is 4, 2, 1
    ...     opt.zero_grad()
    ...     (w * w).backward()
    ...     opt.step()
    >>> opt.state[w]["ax"].item()
    1.5
    """

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
    """Resilient backpropagation: a step size for each element, and of the gradient only the sign counts.

    Step sizes start at lr. Where the gradient keeps its sign, the size is multiplied by etas[1]; where the sign
    changes, by etas[0], and the element rests for a step. step_sizes are the smallest and the largest. It needs
    gradients of all the data: those of small batches change their signs by chance. From Riedmiller and Braun, 1993.

    >>> w = tl.tensor([1.0, 1.0], requires_grad=True)
    >>> opt = optim.Rprop([w], lr=0.1)
    >>> for _ in range(2):  # steps of 0.1 and 0.12
    ...     w.grad = tl.tensor([0.01, 100.0])
    ...     opt.step()
    >>> w
    tensor([0.78, 0.78], requires_grad=True)
    """

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
    """Lion: every element moves by lr, against the sign of an average: p -= lr * sign(b1 * m + (1 - b1) * g).

    Then m = b2 * m + (1 - b2) * g, with b1, b2 = betas. The weight decay is decoupled: p is multiplied by
    1 - lr * weight_decay first. All steps are of full size, so lr is 3 to 10 times smaller than Adam's. The name stands
    for evolved sign momentum: a search over programs found it (Chen et al., 2023, algorithm 2).

    >>> w = tl.tensor([1.0, 1.0], requires_grad=True)
    >>> opt = optim.Lion([w], lr=0.1)
    >>> (w * tl.tensor([0.01, -100.0])).sum().backward()
    >>> opt.step()
    >>> w
    tensor([0.9, 1.1], requires_grad=True)
    """

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
