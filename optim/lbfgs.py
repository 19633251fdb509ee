"""LBFGS: the quasi-Newton method with limited memory, and a line search for the strong Wolfe conditions."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.engine.changes import stamp
from tinygrad_lite.engine.mode import enable_grad, quiet
from tinygrad_lite.tensor import Tensor

from .optimizer import Optimizer, settings_of


class LBFGS(Optimizer):
    """L-BFGS, a quasi-Newton method: it learns the curvature from the last history_size changes of the gradient.

    step(closure) takes max_iter steps and calls the closure, which computes the loss and its gradients anew, up to
    max_eval times (1.25 * max_iter); it gives the first loss. Steps are lr times the direction, or as long as a search
    finds best with line_search_fn="strong_wolfe". tolerance_grad and tolerance_change end it early. There is one group.
    From Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 7.5.

    >>> w = tl.tensor([5.0, -3.0], requires_grad=True)
    >>> opt = optim.LBFGS([w])
    >>> def closure():
    ...     opt.zero_grad()
    ...     loss = (w[0] - 1) ** 2 + 10 * (w[1] - 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> opt.step(closure).item(), w.detach().round(decimals=3)
    (266.0, tensor([1., 2.]))
    """

    def __init__(self, params: Iterable[Any], lr: Any = 1, max_iter: int = 20, max_eval: int | None = None,
                 tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
                 line_search_fn: str | None = None) -> None:
        max_eval = max_iter * 5 // 4 if max_eval is None else max_eval
        super().__init__(params, settings_of(locals()))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add the only group; a second one is a ValueError."""
        super().add_param_group(param_group)
        if len(self.param_groups) > 1:
            self.param_groups.pop()
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def _loaded(self, which: str, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
        if state and "n_iter" not in state:
            raise ValueError(f"LBFGS: the state of {which} has no 'n_iter', only {list(state)}: is it another "
                             "optimizer's?")
        return _with_numbers(state)

    @quiet
    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        if closure is None:
            raise TypeError("LBFGS: step(closure) needs a closure that computes the loss and its gradients anew")
        self._opt_called, group = True, self.param_groups[0]
        params, lr = group["params"], float(group["lr"])
        state = self.state[params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        start = result = self._evaluate(closure, params)
        loss, g = start[1:]
        most, count = group["max_eval"], 1
        state["func_evals"] += 1
        if abs(g).max(initial=0) <= group["tolerance_grad"]:
            return result[0]
        for i in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            d = state["d"] = self._direction(state, g, group["history_size"])
            first = state["n_iter"] == 1
            t = min(1.0, 1.0 / float(abs(g).sum())) * lr if first else lr
            state |= {"t": t, "prev_flat_grad": g, "prev_loss": loss}
            slope, before = float(g @ d), loss
            if slope > -group["tolerance_change"]:
                break
            if group["line_search_fn"] is None:
                _move(params, t * d)
                if i < group["max_iter"]:  # else nobody asks for the loss there
                    _, loss, g = self._evaluate(closure, params)
                    count, state["func_evals"] = count + 1, state["func_evals"] + 1
            else:
                found, evaluated = self._search(closure, params, d, t, Point(0.0, loss, g, slope), most - count, group)
                t, loss, g, _ = found
                state["t"] = t
                count, state["func_evals"] = count + evaluated, state["func_evals"] + evaluated
                _move(params, t * d)
            if i == group["max_iter"] or count >= most or abs(g).max() <= group["tolerance_grad"] \
                    or abs(d * t).max() <= group["tolerance_change"] or abs(loss - before) < group["tolerance_change"]:
                break
        return result[0]

    def _evaluate(self, closure: Callable[[], Any], params: list[Tensor]) -> tuple[Any, float, np.ndarray]:
        """What the closure gives, as a number too, and the gradients as one vector."""
        with enable_grad():
            result = closure()
        gradients = [np.zeros_like(p.array) if p.grad is None else p.grad.array for p in params]
        return result, float(result), np.concatenate(gradients, axis=None)

    def _direction(self, state: dict[str, Any], g: np.ndarray, size: int) -> np.ndarray:
        """Minus the inverse Hessian times g, by the last changes of g and of the parameters (algorithm 7.4)."""
        if state["n_iter"] == 1:
            state |= {"old_dirs": [], "old_stps": [], "ro": [], "H_diag": 1}
            return -g
        changes, steps, inverse = state["old_dirs"], state["old_stps"], state["ro"]
        y, s = g - state["prev_flat_grad"], state["d"] * state["t"]
        curvature = float(y @ s)
        if curvature > 1e-10:
            for history, new in ((changes, y), (steps, s), (inverse, 1.0 / curvature)):
                del history[: max(0, len(history) - size + 1)]
                history.append(new)
            state["H_diag"] = curvature / float(y @ y)
        along = state.setdefault("al", [None] * size)
        q = -g
        for i in reversed(range(len(changes))):
            along[i] = float(steps[i] @ q) * inverse[i]
            q -= along[i] * changes[i]
        q = q * state["H_diag"]
        for i in range(len(changes)):
            q += (along[i] - float(changes[i] @ q) * inverse[i]) * steps[i]
        return q

    def _search(self, closure: Callable[[], Any], params: list[Tensor], d: np.ndarray, t: float, start: "Point",
                most: int, group: dict[str, Any]) -> tuple["Point", int]:
        """The point that the line search finds, and how many it has looked at; the parameters stay where they are."""
        here, count = [p.array.copy() for p in params], 0

        def at(t: float) -> Point:
            nonlocal count
            count += 1
            _move(params, t * d)
            _, loss, g = self._evaluate(closure, params)
            for p, array in zip(params, here):
                p.array[...] = array
            stamp(*[p.array for p in params])
            return Point(t, loss, g, float(g @ d))

        return strong_wolfe(at, start, t, float(abs(d).max()), group["tolerance_change"], most), count


class Point(NamedTuple):
    """A step along a line: its length, the loss there, the gradient, and the slope along the line."""

    t: float
    loss: float
    g: np.ndarray
    slope: float


def strong_wolfe(at: Callable[[float], Point], start: Point, t: float, size: float, least: float, most: int) -> Point:
    """A step that lowers the loss and the slope enough (Nocedal and Wright, algorithms 3.5 and 3.6).

    size: of the largest element of the direction; least: changes below it are none; most: how often to look further.
    """
    def too_high(point: Point) -> bool:
        return point.loss > start.loss + 1e-4 * point.t * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -0.9 * start.slope

    before, now, tries = start, at(t), 0
    while tries < most:  # until the step is known to lie between two points
        if too_high(now) or tries > 1 and now.loss >= before.loss:
            break
        if flat(now):
            return now
        if now.slope >= 0:
            break
        t = _lowest(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10)
        before, now, tries = now, at(t), tries + 1
    else:
        before = start
    low, high = (before, now) if before.loss <= now.loss else (now, before)
    stuck = False
    while tries < most and abs(high.t - low.t) * size >= least:
        left, right = sorted((low.t, high.t))
        t, margin = _lowest(low, high, left, right), 0.1 * (right - left)
        near = min(right - t, t - left) < margin
        if near and (stuck or not left < t < right):
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            near = False
        stuck = near
        now, tries = at(t), tries + 1
        if too_high(now) or now.loss >= low.loss:
            low, high = (low, now) if low.loss <= now.loss else (now, low)
            continue
        if flat(now):
            return now
        if now.slope * (high.t - low.t) >= 0:
            high = low
        low = now
    return low


def _lowest(a: Point, b: Point, low: float, high: float) -> float:
    """Where the cubic through two points with these slopes is lowest, between low and high (equation 3.59)."""
    a, b = (a, b) if a.t <= b.t else (b, a)
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    d2 = square**0.5
    return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)), low), high)


def _move(params: list[Tensor], step: np.ndarray) -> None:
    """Add a vector to the parameters."""
    end = 0
    for p in params:
        start, end = end, end + p.array.size
        p.array[...] += step[start:end].reshape(p.shape)
    stamp(*[p.array for p in params])


def _with_numbers(x: Any) -> Any:
    """State with Python's numbers in place of arrays without dimensions."""
    if isinstance(x, dict):
        return {key: _with_numbers(value) for key, value in x.items()}
    if isinstance(x, list):
        return list(map(_with_numbers, x))
    return x.item() if isinstance(x, np.ndarray) and not x.ndim else x
