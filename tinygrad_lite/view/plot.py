"""Curves and maps with matplotlib: each helper draws into `ax`, or the current axes, and gives the axes back."""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.mode import no_grad
from ..engine.refusals import need, whole
from ..engine.tape import box
from ..engine.trees import leaves
from ..engine.values import Value, unbox
from ..nn import Module
from .table import drawable


@contextmanager
def picture(path: str | Path, rows: int = 1, columns: int = 1, size: tuple[float, float] = (6.4, 4.8)) -> Iterator[Any]:
    """A matplotlib figure to draw into inside `with picture(path) as ax:`, which is written to the file at its end.

    What it gives is the axes, where rows or columns are more than 1 an array (rows, columns) of them. size: width and
    height in inches. A file of that name is replaced when the new one is complete; no window is opened.

    >>> with tl.view.plot.picture("squares.png") as ax:
    ...     lines = ax.plot([1, 4, 9])
    >>> with tl.view.plot.picture("two.png", 1, 2, size=(10, 4)) as axes:
    ...     axes.shape
    (1, 2)
    """
    from matplotlib.figure import Figure  # an extra: pip install ".[demo]"

    figure, path = Figure(size, layout="constrained"), Path(path)
    yield figure.subplots(rows, columns, squeeze=rows == columns == 1)
    beside = path.with_name(f".new-{path.name}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a text may have letters that no font here has
        figure.draw_without_rendering()  # the layout of maps with color bars takes two rounds
        figure.savefig(beside)
    beside.replace(path)


def _axes(ax: Any) -> Any:
    from matplotlib import pyplot  # an extra: pip install ".[demo]"

    need(ax is None or hasattr(ax, "plot"), "ax is matplotlib's axes, such as plt.gca()", ax)
    return pyplot.gca() if ax is None else ax


def _numbers(expected: str, value: Any, ndim: int | None = None, kinds: str = "biuf") -> np.ndarray:
    """The array that Tensors, arrays or lists of them make, of so many dimensions; else an error: what is expected.

    Numbers are float64: what is computed of them stays in its range, as in float16 or of bools it would not.
    """
    try:
        array = np.asarray([unbox(x) for x in value] if isinstance(value, (list, tuple)) else unbox(value))
    except ValueError:  # of rows of different lengths
        array = np.asarray(None)
    need(array.dtype.kind in kinds, expected, value)
    if ndim not in (None, array.ndim):
        raise ValueError(f"{expected}, not of shape {array.shape}")
    return array.astype(np.float64) if array.dtype.kind in "biuf" else array


def loss_curve(losses: Any, smooth: int = 0, ax: Any = None) -> Any:
    """Draw losses over steps, with their running mean over `smooth` steps; gives the axes.

    The scale is logarithmic where all are above 0 and the largest is more than twice the smallest. ax: where to draw,
    matplotlib's current axes unless given.

    >>> with tl.view.plot.picture("loss.png") as ax:
    ...     tl.view.plot.loss_curve([4.0, 2.0, 1.5, 1.0], smooth=2, ax=ax)
    <Axes: xlabel='step', ylabel='loss'>
    """
    ax, losses = _axes(ax), _numbers("loss_curve: losses are numbers, one a step", losses, 1)
    smooth = whole("loss_curve: smooth is a number of steps", smooth, 0)
    ax.plot(losses, alpha=0.4 if smooth else 1.0, label="loss")
    if 1 < smooth <= len(losses):
        ax.plot(np.arange(smooth - 1, len(losses)), np.convolve(losses, np.ones(smooth) / smooth, "valid"),
                label=f"mean of {smooth}")
        ax.legend()
    if len(losses) and 0 < 2 * min(losses) < max(losses):
        ax.set_yscale("log")
    ax.set(xlabel="step", ylabel="loss")
    return ax


def decision_boundary(predict: Callable[[np.ndarray], Any], X: Any, y: Any, points: int = 150, ax: Any = None) -> Any:
    """Draw what a classifier predicts over the plane, as colors, and the points X (N, 2) in the colors of y (N,).

    predict takes points (M, 2), and gives a class each (M,), numbers or strings as in y; or a number each, (M,) or
    (M, 1), such as a probability; or a number a class, (M, C), of which the largest is the class. The points have the
    dtype of X, or float32 where X is no float; a Module is given them as a Tensor. points: how many a side. ax:
    where to draw, matplotlib's current axes unless given.

    >>> X, y = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), [0, 0, 0, 1]
    >>> with tl.view.plot.picture("and.png") as ax:
    ...     tl.view.plot.decision_boundary(lambda p: p.sum(1) > 1.5, X, y, points=50, ax=ax)
    <Axes: >
    """
    dtype = getattr(X, "dtype", np.dtype(np.float64))
    ax, X = _axes(ax), _numbers("decision_boundary: X is (N, 2), and comes after predict", X, 2)
    if X.shape[1] != 2 or not len(X):
        raise ValueError(f"decision_boundary: X is (N, 2), not of shape {X.shape}")
    if not np.isfinite(X).all():
        raise ValueError("decision_boundary: X holds NaN or infinity")
    need(callable(predict), "decision_boundary: predict is a function of points (N, 2)", predict)
    y = _numbers("decision_boundary: y is (N,), one number or name a row of X", y, 1, "biufUO")
    points = whole("decision_boundary: points is a number from 2 on", points, 2)
    low, high = X.min(0), X.max(0)
    margin = 0.1 * (high - low)
    grid = np.stack(np.meshgrid(*(np.linspace(a, b, points) for a, b in zip(low - margin, high + margin))), -1)
    with no_grad():
        plane = grid.reshape(-1, 2).astype(dtype if dtype.kind == "f" else np.float32)
        given = predict(box(plane) if isinstance(predict, Module) else plane)
    values = _numbers("decision_boundary: predict gives one number or name a point", given, None, "biufUO")
    if values.ndim == 2 and values.shape[0] == points**2 and values.shape[1] > 1:
        values = values.argmax(1).astype(np.float64)
    classes = np.unique(np.concatenate([a.ravel().astype(str) for a in (y, values) if a.dtype.kind in "UO"] or [[]]))
    y, values = (np.searchsorted(classes, a.astype(str)) if a.dtype.kind in "UO" else a for a in (y, values))
    for what, found, count in (("y is", y, len(X)), ("predict gives", values, points**2)):
        if found.size != count:
            raise ValueError(f"decision_boundary: {what} one number a point, ({count},), not of shape {found.shape}")
    ax.contourf(grid[..., 0], grid[..., 1], values.reshape(points, points), levels=20, cmap="coolwarm", alpha=0.6)
    ax.scatter(*X.T, c=y, cmap="coolwarm", edgecolor="black", s=15)
    return ax


def attention_map(weights: Any, queries: Sequence[str] | None = None, keys: Sequence[str] | None = None,
                  ax: Any = None) -> Any:
    """Draw attention weights (L, S) as a map, bright where they are large: a row a query, a column a key.

    queries, keys: their names, such as tokens. ax: where to draw, matplotlib's current axes unless given. ValueError
    for weights that still have a dimension of batch or heads: give those of one.

    >>> weights = tl.tensor([[1.0, 0.0], [0.4, 0.6]])
    >>> with tl.view.plot.picture("attention.png") as ax:
    ...     tl.view.plot.attention_map(weights, ["a", "cat"], ["a", "cat"], ax)
    <Axes: xlabel='key', ylabel='query'>
    """
    ax, weights = _axes(ax), _numbers("attention_map: weights are (L, S), of one row and one head", weights, 2)
    if not weights.size:
        raise ValueError(f"attention_map: there are no weights in shape {weights.shape}")
    image = ax.imshow(weights, cmap="magma", vmin=0)
    ax.figure.colorbar(image, ax=ax, fraction=0.046, pad=0.04)  # as tall as the map
    for what, names, count, show, turned in (("queries", queries, len(weights), ax.set_yticks, 0),
                                             ("keys", keys, weights.shape[1], ax.set_xticks, 90)):
        if names is not None:
            if len(names) != count:
                raise ValueError(f"attention_map: {what} are {count} names, not {len(names)}")
            names = [drawable(str(name)) for name in names]
            show(range(count), names, rotation=turned, parse_math=False)  # a token may be $
    ax.set(xlabel="key", ylabel="query")
    return ax


def histograms(arrays: dict[str, Any], bins: int = 50, ax: Any = None) -> Any:
    """Draw the distributions of arrays, by name, on one scale; gives the axes.

    Beside each name are the share of zeros and the standard deviation. NaN and infinity are counted and left out; an
    empty array is a name alone. ax: where to draw, matplotlib's current axes unless given.

    >>> with tl.view.plot.picture("histograms.png") as ax:
    ...     tl.view.plot.histograms({"a": [0.0, 0.0, 1.0, 1.0], "b": tl.arange(10.0)}, bins=10, ax=ax)
    <Axes: >
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['a: 50% zeros, std 0.5', 'b: 10% zeros, std 2.9']
    """
    ax, bins = _axes(ax), whole("histograms: bins is a number from 1 on", bins, 1)
    need(isinstance(arrays, dict), "histograms: arrays is a dict of names with arrays", arrays)
    if not arrays:
        raise ValueError("histograms: there is no array to draw")
    for name, array in arrays.items():
        values = _numbers(f"histograms: {name!r} is an array of numbers", array).ravel()
        finite = values[np.isfinite(values)]
        left_out = f", {len(values) - len(finite)} NaN or inf" * (len(finite) < len(values))
        label = re.sub("^_", " _", drawable(str(name)))  # matplotlib leaves out what begins with _
        if len(finite):
            most = np.abs(finite).max() or 1.0  # squares of what is divided by it stay in range
            label += f": {np.mean(finite == 0):.0%} zeros, std {(finite / most).std() * most:.2g}{left_out}"
            ax.hist(finite, bins=bins, histtype="step", density=True, label=label)
        else:
            ax.plot([], [], label=f"{label}: no values{left_out}")
    for text in ax.legend(fontsize="small").get_texts():
        text.set_parse_math(False)
    return ax


def activations(model: Module, x: Any, bins: int = 50, ax: Any = None) -> Any:
    """Draw `histograms` of what each module without children gives for x: dead ReLUs show as zeros.

    >>> model = nn.Sequential(nn.ReLU())
    >>> with tl.view.plot.picture("activations.png") as ax:
    ...     tl.view.plot.activations(model, tl.tensor([-3.0, -2.0, -1.0, 4.0]), ax=ax)
    <Axes: >
    >>> ax.get_legend().get_texts()[0].get_text()
    '0: 75% zeros, std 1.7'
    """
    need(isinstance(model, Module), "activations: model is a Module, and comes before x", model)
    seen: dict[str, Any] = {}

    def note(name: str, out: Any) -> None:
        arrays = [part.array for part in leaves(out) if isinstance(part, Value)]
        seen.update({f"{name}[{i}]" if len(arrays) > 1 else name: array for i, array in enumerate(arrays)})

    handles = [m.register_forward_hook(lambda module, args, out, name=name: note(name or type(module).__name__, out))
               for name, m in model.named_modules() if not list(m.children())]
    try:
        with no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    return histograms(seen, bins, ax)


def gradients(model: Module, bins: int = 50, ax: Any = None) -> Any:
    """Draw `histograms` of the parameters' gradients: vanishing ones show as a small standard deviation.

    RuntimeError where no parameter has a gradient: backward() comes first.

    >>> model = nn.Linear(2, 1)
    >>> model(tl.tensor([1.0, 10.0])).sum().backward()
    >>> with tl.view.plot.picture("gradients.png") as ax:
    ...     tl.view.plot.gradients(model, ax=ax)
    <Axes: >
    >>> ax.get_legend().get_texts()[0].get_text()
    'weight: 0% zeros, std 4.5'
    """
    need(isinstance(model, Module), "gradients: model is a Module", model)
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    if not found:
        raise RuntimeError("gradients: no parameter has a gradient; call backward() first")
    return histograms(found, bins, ax)


def weight_images(weight: Any, shape: tuple[int, int], columns: int = 8, ax: Any = None) -> Any:
    """Draw the rows of a weight (units, H * W) as pictures of shape (H, W), side by side on one scale.

    Red is above 0 and blue below. columns: how many pictures a row. ax: where to draw, matplotlib's current axes unless
    given.

    >>> layer = nn.Linear(64, 16)
    >>> with tl.view.plot.picture("weights.png") as ax:
    ...     tl.view.plot.weight_images(layer.weight, (8, 8), columns=4, ax=ax)
    <Axes: >
    """
    ax, weight = _axes(ax), _numbers("weight_images: a weight is (units, H * W)", weight, 2)
    need(isinstance(shape, (tuple, list)) and len(shape) == 2, "weight_images: shape is (H, W)", shape)
    columns = whole("weight_images: columns is a number from 1 on", columns, 1)
    for n in shape:
        whole("weight_images: shape is (H, W), whole numbers from 1 on", n, 1)
    if not weight.size or weight.shape[1] != shape[0] * shape[1]:
        raise ValueError(f"weight_images: a weight of shape {weight.shape} has no rows of {shape} pictures")
    rows = -(-len(weight) // columns)
    sheet = np.full((rows * (shape[0] + 1) - 1, columns * (shape[1] + 1) - 1), np.nan)
    for k, picture in enumerate(weight):
        top, left = (k // columns) * (shape[0] + 1), (k % columns) * (shape[1] + 1)
        sheet[top : top + shape[0], left : left + shape[1]] = picture.reshape(shape)
    most = np.abs(weight[np.isfinite(weight)]).max(initial=0) or 1.0
    ax.imshow(sheet, cmap="coolwarm", vmin=-most, vmax=most)
    ax.set(xticks=[], yticks=[])
    return ax


def image_grid(path: str | Path, images: Any, titles: Sequence[str] | None = None, columns: int = 8) -> None:
    """Write a picture of gray images (N, H, W) side by side, each on its own scale, under their titles.

    path: the file, whose ending says the format. columns: how many images a row.

    >>> images, labels = tl.data.load_digits()
    >>> tl.view.plot.image_grid("digits.png", images[:4].reshape(4, 8, 8), labels[:4], columns=4)
    """
    images = _numbers("image_grid: images are (N, H, W)", images, 3)
    columns = whole("image_grid: columns is a number from 1 on", columns, 1)
    if not images.size or titles is not None and len(titles) != len(images):
        raise ValueError(f"image_grid: images of shape {images.shape} have {titles and len(titles)} titles")
    rows = -(-len(images) // columns)
    with picture(path, rows, columns, (1.3 * columns, 1.5 * rows)) as axes:
        for ax in np.ravel(axes):
            ax.axis("off")
        for i, (ax, image) in enumerate(zip(np.ravel(axes), images)):
            ax.imshow(image, cmap="gray")
            if titles is not None:
                ax.set_title(drawable(str(titles[i])), fontsize=8, parse_math=False)
