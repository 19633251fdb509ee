"""Learning rates an element by the squares of past gradients: Adagrad, Adadelta, RMSprop, Adafactor."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from .optimizer import Optimizer, counted, settings_of, zeros


class Adagrad(Optimizer):
    """Adagrad: p -= lr * g / (sqrt(s) + eps), where s is the sum of the squares of all gradients so far.

    s starts at initial_accumulator_value and never shrinks, so the steps do. lr_decay divides lr by
    1 + lr_decay * (t - 1) at step t; weight_decay adds weight_decay * p to g. From Duchi et al., 2011.

    >>> w = tl.zeros(1, requires_grad=True)
    >>> opt = optim.Adagrad([w], lr=1.0)
    >>> for _ in range(3):  # steps of 1, 1 / sqrt(2), 1 / sqrt(3)
    ...     w.grad = tl.tensor([5.0])
    ...     opt.step()
    ...     print(round(w.item(), 4))
    -1.0
    -1.7071
    -2.2845
    """

    elementwise = True

    def __init__(self, params: Iterable[Any], lr: Any = 1e-2, lr_decay: float = 0.0, weight_decay: float = 0.0,
                 initial_accumulator_value: float = 0.0, eps: float = 1e-10, foreach: bool | None = None, *,
                 maximize: bool = False, differentiable: bool = False, fused: bool | None = None) -> None:
        super().__init__(params, settings_of(locals()))

    def update(self, p, g, state, *, lr, lr_decay, initial_accumulator_value, eps, **_):
        t = counted(state)
        if "sum" not in state:
            state["sum"] = np.full_like(p, initial_accumulator_value)
        state["sum"] += g * g
        p -= lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(state["sum"]) + eps)


class Adadelta(Optimizer):
    """Adadelta: steps in the parameter's own unit, p -= lr * d with d = sqrt(u + eps) / sqrt(v + eps) * g.

    v is a moving average of g**2 and u one of d**2, both with the share rho of what was. u starts at 0, so the first
    steps are small, of about sqrt(eps / (1 - rho)) whatever g is. weight_decay adds weight_decay * p to g. From Zeiler,
    2012.

    >>> w = tl.tensor([1.0, 1.0], requires_grad=True)
    >>> opt = optim.Adadelta([w])
    >>> (w * tl.tensor([1.0, 100.0])).sum().backward()
    >>> opt.step()
    >>> w
    tensor([0.9968, 0.9968], requires_grad=True)
    """

    elementwise = True

    def __init__(self, params: Iterable[Any], lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6,
                 weight_decay: float = 0.0, foreach: bool | None = None, *, capturable: bool = False,
                 maximize: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, settings_of(locals()))

    def update(self, p, g, state, *, lr, rho, eps, **_):
        counted(state)
        zeros(p, state, "square_avg", "acc_delta")
        squares, steps = state["square_avg"], state["acc_delta"]
        squares *= rho
        squares += (1 - rho) * g * g
        step = np.sqrt(steps + eps) / np.sqrt(squares + eps) * g
        steps *= rho
        steps += (1 - rho) * step * step
        p -= lr * step


class RMSprop(Optimizer):
    """RMSprop: p -= lr * g / (sqrt(v) + eps), where v = alpha * v + (1 - alpha) * g**2 (Tieleman and Hinton, 2012).

    v starts at 0, and nothing makes up for it: the first step has the size lr / sqrt(1 - alpha), ten times lr unless
    alpha is given. With momentum p -= lr * b, where b = momentum * b + g / (sqrt(v) + eps); centered=True takes the
    square of the mean gradient off v, which makes it a variance (Graves, 2013); weight_decay adds weight_decay * p to
    g.

    >>> w = tl.tensor([1.0, 1.0], requires_grad=True)
    >>> opt = optim.RMSprop([w], lr=0.01)
    >>> (w * tl.tensor([1.0, -100.0])).sum().backward()
    >>> opt.step()
    >>> w
    tensor([0.9, 1.1], requires_grad=True)
    """

    elementwise = True

    def __init__(self, params: Iterable[Any], lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
                 weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False, capturable: bool = False,
                 foreach: bool | None = None, maximize: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, settings_of(locals()))

    def update(self, p, g, state, *, lr, alpha, eps, momentum, centered, **_):
        counted(state)
        zeros(p, state, "square_avg")
        v = state["square_avg"]
        v *= alpha
        v += (1 - alpha) * g * g
        if centered:
            zeros(p, state, "grad_avg")
            state["grad_avg"] += (g - state["grad_avg"]) * (1 - alpha)
            v = np.maximum(v - np.square(state["grad_avg"]), 0)  # a variance: below 0 by rounding only
        step = g / (np.sqrt(v) + eps)
        if momentum:
            zeros(p, state, "momentum_buffer")
            state["momentum_buffer"] *= momentum
            state["momentum_buffer"] += step
            step = state["momentum_buffer"]
        p -= lr * step


class Adafactor(Optimizer):
    """Adafactor: Adam without momentum, which of a matrix's squared gradients keeps the means of rows and columns only.

    At step t, the share t**beta2_decay of these means is new. Steps are relative to the parameter: their size is
    min(lr, 1 / sqrt(t)) * max(eps[1], rms(p)), and d the most that the root mean square of g / sqrt(v) may be. eps[0]
    is the smallest sqrt(v), and None the eps of the dtype. weight_decay is decoupled. From Shazeer and Stern, 2018, in
    PyTorch's variant.

    >>> w = tl.ones(100, 50, requires_grad=True)
    >>> opt = optim.Adafactor([w])
    >>> w.sum().backward()
    >>> opt.step()
    >>> opt.state[w]["row_var"].shape, opt.state[w]["col_var"].shape  # 150 numbers for 5000
    ((100, 1), (1, 50))
    """

    decoupled = None  # the step's size is that of p before its decay

    def __init__(self, params: Iterable[Any], lr: Any = 1e-2, beta2_decay: float = -0.8,
                 eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0, weight_decay: float = 0.0, *,
                 foreach: bool | None = None, maximize: bool = False) -> None:
        super().__init__(params, settings_of(locals()))

    def update(self, p, g, state, *, lr, beta2_decay, eps, d, weight_decay, **_):
        t, eps1 = counted(state), np.finfo(p.dtype).eps.item() if eps[0] is None else eps[0]
        fresh = t**beta2_decay  # how much of the average is new
        size = np.maximum(eps[1], _root_mean_square(p)) * np.minimum(lr, t**-0.5)
        if weight_decay:
            p *= 1 - lr * weight_decay
        squares = np.square(g)
        if p.ndim > 1:
            for name, axis in (("row_var", -1), ("col_var", -2)):
                mean = squares.mean(axis, keepdims=True)
                zeros(mean, state, name)
                state[name] += (mean - state[name]) * fresh
            rows, columns = state["row_var"], state["col_var"]
            variance = np.matmul(rows, columns) / np.maximum(rows.mean(-2, keepdims=True), eps1)
        else:
            zeros(p, state, "variance")
            state["variance"] += (squares - state["variance"]) * fresh
            variance = state["variance"]
        step = g / np.sqrt(np.maximum(variance, eps1 * eps1))
        p -= size / np.maximum(1.0, _root_mean_square(step) / d) * step


def _root_mean_square(x: np.ndarray) -> Any:
    return np.sqrt(np.square(x.astype(np.float64)).sum() / max(x.size, 1))
