"""Curves and maps with matplotlib: each helper draws into `ax`, or the current axes, and gives the axes back."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..engine.mode import no_grad
from ..engine.values import unbox
from ..nn import Module


def _axes(ax: Any) -> Any:
    from matplotlib import pyplot  # an extra: pip install "tinygrad-lite[demo]"

    return pyplot.gca() if ax is None else ax


def loss_curve(losses: Sequence[float], smooth: int = 0, ax: Any = None) -> Any:
    """Losses over steps on a logarithmic scale, with their running mean over `smooth` steps."""
    ax = _axes(ax)
    ax.plot(losses, alpha=0.4 if smooth else 1.0, label="loss")
    if 1 < smooth <= len(losses):
        ax.plot(np.arange(smooth - 1, len(losses)), np.convolve(losses, np.ones(smooth) / smooth, "valid"),
                label=f"mean of {smooth}")
        ax.legend()
    if len(losses) and min(losses) > 0:
        ax.set_yscale("log")
    ax.set(xlabel="step", ylabel="loss")
    return ax


def decision_boundary(predict: Callable[[np.ndarray], Any], X: Any, y: Any, points: int = 150, ax: Any = None) -> Any:
    """What predict(points (N, 2)) gives over the plane of X (N, 2): classes, or probabilities of one class (N,)."""
    ax, X = _axes(ax), np.asarray(unbox(X))
    if X.ndim != 2 or X.shape[1] != 2:
        raise ValueError(f"decision_boundary: X is (N, 2), not of shape {X.shape}")
    low, high = X.min(0), X.max(0)
    margin = 0.1 * (high - low)
    grid = np.stack(np.meshgrid(*(np.linspace(a, b, points) for a, b in zip(low - margin, high + margin))), -1)
    with no_grad():
        values = np.asarray(unbox(predict(grid.reshape(-1, 2).astype(X.dtype))), float).reshape(points, points)
    ax.contourf(grid[..., 0], grid[..., 1], values, levels=20, cmap="coolwarm", alpha=0.6)
    ax.scatter(*X.T, c=np.asarray(unbox(y)), cmap="coolwarm", edgecolor="black", s=15)
    return ax


def attention_map(weights: Any, queries: Sequence[str] | None = None, keys: Sequence[str] | None = None,
                  ax: Any = None) -> Any:
    """Attention weights (L, S): a row a query."""
    ax, weights = _axes(ax), np.asarray(unbox(weights))
    if weights.ndim != 2:
        raise ValueError(f"attention_map: weights are (L, S), not of shape {weights.shape}; choose a row and a head")
    image = ax.imshow(weights, cmap="magma", vmin=0)
    ax.figure.colorbar(image, ax=ax)
    if keys is not None:
        ax.set_xticks(range(len(keys)), keys, rotation=90)
    if queries is not None:
        ax.set_yticks(range(len(queries)), queries)
    ax.set(xlabel="key", ylabel="query")
    return ax


def histograms(arrays: dict[str, Any], bins: int = 50, ax: Any = None) -> Any:
    """Distributions by name on one scale, with the share of zeros and the standard deviation of each."""
    ax = _axes(ax)
    for name, array in arrays.items():
        values = np.asarray(unbox(array)).ravel()
        ax.hist(values, bins=bins, histtype="step", density=True,
                label=f"{name}: {np.mean(values == 0):.0%} zeros, std {values.std():.2g}")
    ax.legend(fontsize="small")
    return ax


def activations(model: Module, x: Any, bins: int = 50, ax: Any = None) -> Any:
    """`histograms` of what each module without children gives for x: dead ReLUs show as zeros."""
    seen: dict[str, Any] = {}
    handles = [m.register_forward_hook(lambda module, args, out, name=name: seen.update({name: unbox(out)}))
               for name, m in model.named_modules() if not list(m.children())]
    try:
        with no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    return histograms(seen, bins, ax)


def gradients(model: Module, bins: int = 50, ax: Any = None) -> Any:
    """`histograms` of the parameters' gradients: vanishing ones show as a small standard deviation."""
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    if not found:
        raise RuntimeError("gradients: no parameter has a gradient; call backward() first")
    return histograms(found, bins, ax)


def weight_images(weight: Any, shape: tuple[int, int], columns: int = 8, ax: Any = None) -> Any:
    """The rows of a weight (units, H * W) as pictures of shape (H, W), side by side on one scale."""
    ax, weight = _axes(ax), np.asarray(unbox(weight))
    if weight.ndim != 2 or weight.shape[1] != shape[0] * shape[1]:
        raise ValueError(f"weight_images: a weight of shape {weight.shape} has no rows of {shape} pictures")
    rows = -(-len(weight) // columns)
    sheet = np.full((rows * (shape[0] + 1) - 1, columns * (shape[1] + 1) - 1), np.nan)
    for k, picture in enumerate(weight):
        top, left = (k // columns) * (shape[0] + 1), (k % columns) * (shape[1] + 1)
        sheet[top : top + shape[0], left : left + shape[1]] = picture.reshape(shape)
    most = np.abs(weight).max()
    ax.imshow(sheet, cmap="coolwarm", vmin=-most, vmax=most)
    ax.set(xticks=[], yticks=[])
    return ax
