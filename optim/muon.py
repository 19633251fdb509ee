"""Muon: matrices are moved by orthogonal matrices."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from .optimizer import Optimizer, settings_of, zeros


class Muon(Optimizer):
    """Muon, for matrices: a step is the momentum made orthogonal, so that it is about as long in every direction.

    ns_steps of Newton and Schulz's iteration bring the singular values near 1; the step is lr times that, times
    sqrt(max(1, height / width)), or with adjust_lr_fn="match_rms_adamw" 0.2 * sqrt(max(height, width)), which suits
    AdamW's lr. Weight decay is decoupled. A parameter that is no matrix is a ValueError: leave it to AdamW. All in the
    parameters' dtype; PyTorch's steps, in bfloat16, differ by up to a few hundredths. From Jordan et al., 2024, and Liu
    et al., 2025.

    >>> w = tl.zeros(2, 2, requires_grad=True)
    >>> opt = optim.Muon([w], lr=1.0)
    >>> (w * tl.tensor([[100.0, 0.0], [0.0, 1.0]])).sum().backward()
    >>> opt.step()
    >>> w.detach().round(decimals=1)  # as far down the gentle slope as down the steep one
    tensor([[-0.7,  0. ],
            [ 0. , -0.7]])
    """

    decoupled = True

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95,
                 nesterov: bool = True, ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
                 eps: float = 1e-7, ns_steps: int = 5, adjust_lr_fn: str | None = None) -> None:
        super().__init__(params, settings_of(locals()))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, all of two dimensions, and the settings in which it differs."""
        super().add_param_group(param_group)
        wrong = [p.shape for p in self.param_groups[-1]["params"] if p.ndim != 2]
        if wrong:
            self.param_groups.pop()
            raise ValueError(f"Muon only supports 2D parameters, not one of shape {wrong[0]}")

    def update(self, p, g, state, *, lr, momentum, nesterov, ns_coefficients, eps, ns_steps, adjust_lr_fn, **_):
        zeros(p, state, "momentum_buffer")
        v, (height, width) = state["momentum_buffer"], p.shape
        v += (g - v) * (1 - momentum)
        x = orthogonal(g + (v - g) * momentum if nesterov else v, ns_coefficients, ns_steps, eps)
        ratio = 0.2 * max(height, width) ** 0.5 if adjust_lr_fn == "match_rms_adamw" else max(1, height / width) ** 0.5
        p -= lr * ratio * x


def orthogonal(x: np.ndarray, coefficients: tuple[float, float, float], steps: int, eps: float) -> np.ndarray:
    """About the nearest matrix whose singular values are 1: they end between 0.7 and 1.2."""
    a, b, c = coefficients
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / np.maximum(np.sqrt(np.square(x).sum()), eps)
    for _ in range(steps):
        gram = np.matmul(x, x.T)
        x = a * x + np.matmul(b * gram + c * np.matmul(gram, gram), x)
    return x.T if tall else x
