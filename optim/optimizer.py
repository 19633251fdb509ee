"""Optimizer, and SGD, Adam and AdamW with PyTorch's formulas."""

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from tinygrad_lite.nn.module import Module, forget_gradient

from tinygrad_lite.engine.changes import stamp
from tinygrad_lite.engine.mode import enable_grad, quiet
from tinygrad_lite.engine.values import unbox
from tinygrad_lite.tensor import Tensor


def _at_least_zero(value: Any) -> bool:
    return 0 <= value < math.inf  # NaN fails too


VALID: dict[str, tuple[Callable[[Any], bool], str]] = {  # what a setting must be, and in words
    **dict.fromkeys(("lr", "weight_decay", "momentum", "eps"), (_at_least_zero, "a finite number of at least 0")),
    "dampening": (math.isfinite, "a finite number"),
    "betas": (lambda betas: len(betas) == 2 and all(0 <= beta < 1 for beta in betas), "two numbers in [0, 1)"),
}


def _refuse_invalid(name: str, group: dict[str, Any]) -> None:
    """ValueError that names the first setting that is not what it must be."""
    for key in VALID.keys() & group.keys():
        valid, wanted = VALID[key]
        try:
            right = valid(group[key])
        except TypeError:  # None, or a string
            right = False
        if not right:
            spoken = "learning rate:" if key == "lr" else f"{key} value:"
            raise ValueError(f"{name}: Invalid {spoken} {group[key]}; it is {wanted}")


def _ordered(name: str, params: Iterable[Any]) -> list[Any]:
    if isinstance(params, set | frozenset):
        raise TypeError(f"{name}: a set of parameters has another order in every run, while state is kept by "
                        f"position; use a list")
    return list(params)


def _is_named(p: Any) -> bool:
    """Whether it is a pair as named_parameters() gives them."""
    return isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str)


class Optimizer:
    """Holds groups of parameters with their settings, and each parameter's state."""

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        name = type(self).__name__
        if isinstance(params, Tensor | dict) or not isinstance(params, Iterable):
            kind = "Tensor" if isinstance(params, Tensor) else type(params).__name__
            hint = "; give its parameters()" if isinstance(params, Module) else ""
            raise TypeError(f"{name}: params is a list of Tensors or of dicts, not one {kind}{hint}")
        groups = _ordered(name, params)
        if not groups:
            raise ValueError(f"{name} got an empty parameter list")
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = {}
        self.param_groups: list[dict[str, Any]] = []
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add parameters with settings of their own: a dict of `params` and whatever differs."""
        name = type(self).__name__
        if not isinstance(group, dict):
            raise TypeError(f"{name}: a group is a dict with 'params', not {type(group).__name__}")
        if "params" not in group:
            raise KeyError(f"{name}: a group has no 'params', only {list(group)}")
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else _ordered(name, params)
        params = [p[1] if _is_named(p) else p for p in params]
        group = {**self.defaults, **group, "params": params}
        _refuse_invalid(name, group)
        seen = {id(p) for g in self.param_groups for p in g["params"]}
        for p in params:
            if not isinstance(p, Tensor) or not p.is_leaf:
                what = "a result of operations" if isinstance(p, Tensor) else type(p).__name__
                raise TypeError(f"{name} optimizes leaf Tensors, not {what}")
            if id(p) in seen:
                raise ValueError(f"{name}: a parameter of shape {p.shape} appears twice")
            seen.add(id(p))
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient of every parameter, or make it zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                forget_gradient(p, set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, in place; closure() may compute the loss first."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        ready = [(p, p.array, grad, group) for group in self.param_groups for p in group["params"]
                 if (grad := p.grad) is not None]
        try:
            self._update_all(ready)
        finally:
            stamp(*[array for _, array, _, _ in ready])
        return loss

    @quiet
    def _update_all(self, ready: list) -> None:
        for p, array, grad, group in ready:
            state = self.state.setdefault(p, {})
            if array.dtype == np.float16:  # in float32, and so is its state: eps is 0 in float16, and squares are
                new = array.astype(np.float32)
                self.update(new, grad.array.astype(np.float32), state, **group)
                array[...] = new
            else:
                self.update(array, grad.array, state, **group)

    def state_dict(self) -> dict[str, Any]:
        """Settings and state, with parameters by their position, as in PyTorch."""
        order = [p for g in self.param_groups for p in g["params"]]
        place = {id(p): i for i, p in enumerate(order)}
        groups = [{**g, "params": [place[id(p)] for p in g["params"]]} for g in self.param_groups]
        return {"state": {i: copy.deepcopy(self.state[p]) for i, p in enumerate(order) if p in self.state},
                "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over settings and state; groups of other sizes are a ValueError, and nothing is changed."""
        groups = state_dict.get("param_groups") if isinstance(state_dict, dict) else None
        if not isinstance(groups, list) or "state" not in state_dict or any("params" not in g for g in groups):
            raise ValueError(f"{type(self).__name__}: the state_dict of an optimizer has 'state' and 'param_groups', "
                             "each group with its 'params'")
        sizes = [len(g["params"]) for g in self.param_groups]
        given = [len(g["params"]) for g in state_dict["param_groups"]]
        if sizes != given:
            raise ValueError(f"{type(self).__name__}: the state_dict has groups of {given} parameters, "
                             f"this has {sizes}")
        groups = [{**group, **new, "params": group["params"]}
                  for group, new in zip(self.param_groups, state_dict["param_groups"])]
        for new in groups:
            _refuse_invalid(type(self).__name__, new)
        order = [(p, group) for group in groups for p in group["params"]]
        found = {}
        for i, state in state_dict["state"].items():
            if i not in range(len(order)):
                raise ValueError(f"{type(self).__name__}: the state_dict has state of parameter {i!r}, "
                                 f"this has {len(order)} parameters")
            p, group = order[i]
            found[p] = self._loaded(i, p, {key: _own(value) for key, value in state.items()}, group)
        self.state = found
        for group, new in zip(self.param_groups, groups):
            group.update(new)

    @quiet
    def _loaded(self, i: int, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
        """A parameter's state, with the dtypes that a step gives it; ValueError unless it has its parts and shapes."""
        name, fresh = type(self).__name__, dict[str, Any]()
        zeros = np.zeros(p.shape, np.float32 if p.dtype == np.float16 else p.dtype)
        self.update(zeros, zeros.copy(), fresh, **group)  # that is how the parts are known
        for key, value in fresh.items():
            if state and key not in state:
                raise ValueError(f"{name}: the state of parameter {i} has no '{key}', only {list(state)}: is it "
                                 "another optimizer's?")
            if state and np.shape(state[key]) != np.shape(value):
                raise ValueError(f"{name}: '{key}' of parameter {i} has shape {np.shape(state[key])}, and "
                                 f"{np.shape(value)} is needed")
            if state and isinstance(value, np.ndarray):
                state[key] = np.asarray(state[key], value.dtype)
        return state

    def __repr__(self) -> str:
        groups = "".join(f"\n  {len(g['params'])} parameters: " + ", ".join(
            f"{k}={v}" for k, v in g.items() if k != "params") for g in self.param_groups)
        return f"{type(self).__name__}({groups}\n)"

    def update(self, p: np.ndarray, g: np.ndarray, state: dict, **settings: Any) -> None:
        """Change the array p by its gradient g; `state` is p's own, empty at first. Every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no update()")


def _own(value: Any) -> Any:
    """A copy of a state's array; of a count, which others keep as a tensor, the number."""
    value = np.array(unbox(value)) if hasattr(value, "__array__") else copy.deepcopy(value)
    return value.item() if isinstance(value, np.ndarray) and not value.ndim else value


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
            if not state:
                state["momentum_buffer"] = g.copy()  # the first step is not dampened
            else:
                state["momentum_buffer"] *= momentum
                state["momentum_buffer"] += g * (1 - dampening) if dampening else g
            v = state["momentum_buffer"]
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
            state |= {"step": 0, "exp_avg": np.zeros_like(p), "exp_avg_sq": np.zeros_like(p)}
        state["step"] += 1
        m, v, t, (b1, b2) = state["exp_avg"], state["exp_avg_sq"], state["step"], betas
        if weight_decay and self.decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = g + weight_decay * p
        m += (g - m) * (1 - b1)
        v *= b2
        v += (1 - b2) * g * g
        p -= lr / (1 - b1**t) * m / (np.sqrt(v) / (1 - b2**t) ** 0.5 + eps)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    decoupled = True

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 1e-2) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
