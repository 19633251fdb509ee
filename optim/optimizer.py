"""Optimizer: groups of parameters with their settings, and each parameter's state.

A subclass gives its settings to __init__ and defines `update`, its formula for one array; all that optimizers have in
common (maximize, weight decay, float16, closures, hooks, state dicts) is here.
"""

import collections
import copy
import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from tinygrad_lite.nn.module import Module, forget_gradient

from tinygrad_lite.creation import tensor
from tinygrad_lite.engine.changes import owner, stamp
from tinygrad_lite.engine.mode import enable_grad, mode, no_grad, quiet
from tinygrad_lite.engine.values import unbox
from tinygrad_lite.tensor import Handle, Tensor

SMALL = 512  # elements up to which arrays are updated together, as one
IGNORED = ("params", "foreach", "fused", "capturable", "differentiable")  # no settings of a formula
FEWEST, MOST = 8, 128  # arrays for which that pays: halves the time of AdamW's steps; longer ones leave the cache


def _at_least_zero(value: Any) -> bool:
    return bool(0 <= value < math.inf)  # NaN fails too


RIGHT: list[tuple[str, Callable[[Any], Any], str]] = [  # a setting, whether it is right, and what is said otherwise
    ("lr", lambda lr: not isinstance(lr, Tensor) or lr.numel() == 1, "Tensor lr must be 1-element, not {0.shape}"),
    ("lr", _at_least_zero, "Invalid learning rate: {}; it is a finite number of at least 0"),
    *[(key, _at_least_zero, f"Invalid {key} value: {{}}; it is a finite number of at least 0")
      for key in ("weight_decay", "momentum", "lr_decay", "initial_accumulator_value", "momentum_decay", "alpha")],
    ("eps", lambda eps: isinstance(eps, tuple) or _at_least_zero(eps),
     "Invalid epsilon value: {}; it is a finite number of at least 0"),
    ("eps", lambda eps: not isinstance(eps, tuple) or eps[0] is None or eps[0] >= 0,
     "epsilon1 should be >= 0 but is: {0[0]}"),
    ("eps", lambda eps: not isinstance(eps, tuple) or eps[1] >= 0, "epsilon2 should be >= 0 but is: {0[1]}"),
    ("dampening", math.isfinite, "Invalid dampening value: {}; it is a finite number"),
    ("rho", lambda rho: 0 <= rho <= 1, "Invalid rho value: {}; it is in [0, 1]"),
    ("betas", lambda betas: len(betas) == 2, "Invalid betas: {}; they are two numbers"),
    ("betas", lambda betas: 0 <= betas[0] < 1, "Invalid beta parameter at index 0: {0[0]}; it is in [0, 1)"),
    ("betas", lambda betas: 0 <= betas[1] < 1, "Invalid beta parameter at index 1: {0[1]}; it is in [0, 1)"),
    ("etas", lambda etas: 0 < etas[0] < 1 < etas[1], "Invalid eta values: {0[0]}, {0[1]}; 0 < first < 1 < second"),
    ("d", lambda d: d >= 1, "Clipping threshold d should be >= 1 but is: {}"),
    ("beta2_decay", lambda decay: decay <= 0, "beta2_decay should be <= 0 but is: {}"),
    ("ns_steps", lambda steps: steps < 100, "Number of steps must be less than 100, not {}"),
    ("ns_coefficients", lambda abc: len(abc) == 3, "Coefficients must be a tuple of exactly 3 values, not {}"),
    ("adjust_lr_fn", lambda way: way in (None, "original", "match_rms_adamw"),
     "Adjust learning rate function {} is not supported; 'original' and 'match_rms_adamw' are"),
    ("line_search_fn", lambda way: way in (None, "strong_wolfe"), "only 'strong_wolfe' is supported, not {}"),
]


def _refuse_wrong(name: str, group: Mapping[str, Any]) -> None:
    """ValueError that names the first setting that is not what it must be."""
    for key, right, message in RIGHT:
        try:
            wrong = key in group and not right(group[key])
        except (TypeError, ValueError):  # None, or a string
            wrong = True
        if wrong:
            raise ValueError(f"{name}: {message.format(group[key])}")


def _refuse_conflicts(name: str, settings: Mapping[str, Any]) -> None:
    """Refuse what contradicts itself, and what is not there; else foreach, fused and capturable change nothing."""
    if settings.get("fused") and settings.get("differentiable"):
        raise RuntimeError(f"{name}: `fused` does not support `differentiable`")
    if settings.get("fused") and settings.get("foreach"):
        raise RuntimeError(f"{name}: `fused` and `foreach` cannot be `True` together.")
    if settings.get("differentiable"):
        raise NotImplementedError(f"{name}: differentiable=True is not there: steps are not recorded; write the update "
                                  "with operations on Tensors to differentiate it")


def _ordered(name: str, params: Iterable[Any]) -> list[Any]:
    if isinstance(params, set | frozenset):
        raise TypeError(f"{name}: a set of parameters has another order in every run, while state is kept by "
                        f"position; use a list")
    return list(params)


def _is_named(p: Any) -> bool:
    """Whether it is a pair as named_parameters() gives them."""
    return isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str)


def settings_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """The settings among the arguments of a constructor, as its locals() has them."""
    return {key: value for key, value in arguments.items() if key not in ("self", "params", "__class__")}


def counted(state: dict[str, Any]) -> Any:
    """The number of this step, the first is 1."""
    state["step"] = t = state.get("step", 0) + 1
    return t


def zeros(p: np.ndarray, state: dict[str, Any], *names: str) -> None:
    """Start parts of the state that are not there yet."""
    for name in names:
        if name not in state:
            state[name] = np.zeros_like(p)


class Optimizer:
    """The base of all optimizers: it holds groups of parameters with their settings, and each parameter's state.

    params: leaf Tensors, pairs (name, Tensor), or dicts, each a group of `params` and the settings in which it differs
    from `defaults`. A subclass defines `update`, its formula for one array; weight decay, maximize, hooks and state
    dicts are here. foreach, fused and capturable change nothing; differentiable=True is a NotImplementedError, a
    setting that cannot be right a ValueError.

    >>> class Signs(optim.Optimizer):
    ...     def update(self, p, g, state, *, lr, **_):
    ...         p -= lr * np.sign(g)
    >>> w = tl.tensor([1.0, 2.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> Signs([w], {"lr": 0.5}).step()
    >>> w
    tensor([0.5, 1.5], requires_grad=True)
    """

    elementwise = False  # whether update() is many operations that compute each element by itself: see _update_as_one
    decoupled: bool | None = False  # weight decay shrinks p instead of being added to g; None: update() does it

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        name = type(self).__name__
        if isinstance(params, Tensor | dict) or not isinstance(params, Iterable):
            kind = "Tensor" if isinstance(params, Tensor) else type(params).__name__
            hint = "; give its parameters()" if isinstance(params, Module) else ""
            raise TypeError(f"{name}: params argument given to the optimizer should be an iterable of Tensors or "
                            f"dicts, not one {kind}{hint}")
        _refuse_conflicts(name, defaults)
        _refuse_wrong(name, defaults)
        groups = _ordered(name, params)
        if not groups:
            raise ValueError(f"{name}: optimizer got an empty parameter list")
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = collections.defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._hooks: dict[str, dict[int, Callable]] = {}
        self._opt_called = False  # schedulers ask
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters: a dict of `params` and the settings in which it differs from the others."""
        name = type(self).__name__
        if not isinstance(param_group, dict):
            raise TypeError(f"{name}: a group is a dict with 'params', not {type(param_group).__name__}")
        if "params" not in param_group:
            raise KeyError(f"{name}: a group has no 'params', only {list(param_group)}")
        params = param_group["params"]
        params = [params] if isinstance(params, Tensor) else _ordered(name, params)
        names = [p[0] for p in params if _is_named(p)]
        params = [p[1] if _is_named(p) else p for p in params]
        group = {**self.defaults, **param_group, "params": params}
        if names:
            group["param_names"] = names
        if names and len(names) != len(params):
            raise ValueError(f"{name}: all optimizer params should be with/without names. Some param names are missing")
        if any(("param_names" in group) != ("param_names" in other) for other in self.param_groups):
            raise ValueError(f"{name}: all optimizer param groups should be with/without names. cannot add param group "
                             f"{'with' if names else 'without'} names to the optimizer")
        _refuse_wrong(name, group)
        for p in params:
            if not isinstance(p, Tensor) or not p.is_leaf:
                what = "a result of operations" if isinstance(p, Tensor) else type(p).__name__
                raise (ValueError if isinstance(p, Tensor) else TypeError)(f"{name} optimizes leaf Tensors, not {what}")
        if len(set(map(id, params))) != len(params):
            warnings.warn(f"{name}: optimizer contains a parameter group with duplicate parameters: each step changes "
                          "them more than once", stacklevel=3)
        others = {id(p): p for other in self.param_groups for p in other["params"]}
        if found := [p for p in params if id(p) in others]:
            raise ValueError(f"{name}: some parameters appear in more than one parameter group, the first of shape "
                             f"{found[0].shape}")
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient of every parameter: it is None, or zeros with set_to_none=False."""
        for group in self.param_groups:
            for p in group["params"]:
                forget_gradient(p, set_to_none)

    # ---- a step
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, in place.

        Where there is a closure, it is called first and computes the loss and its gradients; the loss is given back.
        """
        if not self._hooks:
            return self._step(closure)
        args, kwargs = (self,) if closure is None else (self, closure), dict[str, Any]()
        for hook in self._hooks_of("step_pre"):
            changed = hook(self, args, kwargs)
            if changed is not None and not (isinstance(changed, tuple) and len(changed) == 2):
                raise RuntimeError(f"{type(self).__name__}: a hook before the step must return None or a tuple of "
                                   f"(new_args, new_kwargs), but got {changed}")
            args, kwargs = changed or (args, kwargs)
        loss = self._step(*args[1:], **kwargs)
        for hook in self._hooks_of("step_post"):
            hook(self, args, kwargs)
        return loss

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        self._opt_called, loss = True, None
        if closure is not None:
            with enable_grad():
                loss = closure()
        changed = []
        try:
            for group in self.param_groups:
                ready = [(p, p.array, grad.array) for p in group["params"] if (grad := p.grad) is not None]
                changed += [array for _, array, _ in ready]
                self._update_group(ready, _settings(group))
        finally:
            stamp(*changed)
        return loss

    @quiet
    def _update_group(self, ready: list[tuple[Tensor, np.ndarray, np.ndarray]], settings: dict[str, Any]) -> None:
        if self.elementwise and len(ready) >= FEWEST and mode.tracing is None:  # a program has its own ways
            ready = self._update_small(ready, settings)
        for p, array, g in ready:
            self._update_one(array, g, self.state[p], settings)

    def _update_small(self, ready: list, settings: dict[str, Any]) -> list:
        """Update small arrays whose states look alike, as one; gives those that are left."""
        alike: dict[Any, list] = {}
        for p, array, g in ready:
            small = array.size <= SMALL and array.dtype != np.float16
            alike.setdefault((array.dtype, g.dtype, *_form(self.state[p])) if small else None, []).append((p, array, g))
        left = alike.pop(None, [])
        for batch in [some[i : i + MOST] for some in alike.values() for i in range(0, len(some), MOST)]:
            if len(batch) >= FEWEST and len({id(owner(array)) for _, array, _ in batch}) == len(batch):
                self._update_as_one(batch, settings)
            else:
                left += batch
        return left

    def _update_as_one(self, batch: list, settings: dict[str, Any]) -> None:
        """Update small arrays as one, with the same result to the bit: numpy's time for each is that of the call."""
        states = [self.state[p] for p, _, _ in batch]
        joined = np.concatenate([array for _, array, _ in batch], axis=None)
        state = {key: np.concatenate([s[key] for s in states], axis=None) if isinstance(value, np.ndarray) else value
                 for key, value in states[0].items()}
        self._update_one(joined, np.concatenate([g for _, _, g in batch], axis=None), state, settings)
        end = 0
        for (_, array, _), own in zip(batch, states):
            start, end = end, end + array.size
            array[...] = joined[start:end].reshape(array.shape)
            for key, value in state.items():
                if not isinstance(value, np.ndarray):
                    own[key] = value
                elif key in own:
                    own[key][...] = value[start:end].reshape(array.shape)
                else:
                    own[key] = value[start:end].reshape(array.shape).copy()

    def _update_one(self, array: np.ndarray, g: np.ndarray, state: dict, settings: dict[str, Any]) -> None:
        p = array
        if array.dtype == np.float16:  # in float32, and so is its state: eps is 0 in float16, and squares are
            p, g = array.astype(np.float32), g.astype(np.float32)
        if settings.get("maximize"):
            g = -g
        decay = settings.get("weight_decay")
        if decay and self.decoupled is not None:
            if settings.get("decoupled_weight_decay", self.decoupled):
                p *= 1 - settings["lr"] * decay
            else:
                g = g + decay * p
        self.update(p, g, state, **settings)
        if p is not array:
            array[...] = p

    def update(self, p: np.ndarray, g: np.ndarray, state: dict, **settings: Any) -> None:
        """Change the array p by its gradient g; `state` is p's own, empty at first. Every subclass defines it.

        weight_decay and maximize, where they are settings, are in p and g already.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no update()")

    # ---- hooks
    def register_step_pre_hook(self, hook: Callable) -> Handle:
        """Call hook(optimizer, args, kwargs) before each step; it may return other (args, kwargs)."""
        return self._register("step_pre", hook)

    def register_step_post_hook(self, hook: Callable) -> Handle:
        """Call hook(optimizer, args, kwargs) after each step."""
        return self._register("step_post", hook)

    def register_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call hook(optimizer) before each state_dict()."""
        return self._register("state_dict_pre", hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call hook(optimizer, state_dict) after each state_dict(); it may return another."""
        return self._register("state_dict_post", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call hook(optimizer, state_dict) before each load_state_dict(); it may return another."""
        return self._register("load_state_dict_pre", hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call hook(optimizer) after each load_state_dict()."""
        return self._register("load_state_dict_post", hook, prepend)

    def _register(self, when: str, hook: Callable, prepend: bool = False) -> Handle:
        hooks = self._hooks.setdefault(when, {})
        before = list(hooks.items()) if prepend else []
        handle = Handle(hooks, hook)
        for number, other in before:  # to the end
            del hooks[number]
            hooks[number] = other
        return handle

    def _hooks_of(self, when: str) -> list[Callable]:
        return list(self._hooks.get(when, {}).values())

    # ---- state dicts
    def state_dict(self) -> dict[str, Any]:
        """A copy of the settings and of all state, with parameters by their position, as in PyTorch."""
        for hook in self._hooks_of("state_dict_pre"):
            hook(self)
        order = list(dict.fromkeys(p for g in self.param_groups for p in g["params"]))
        place = {p: i for i, p in enumerate(order)}
        groups = [{**copy.deepcopy({k: v for k, v in g.items() if k != "params"}),
                   "params": [place[p] for p in g["params"]]} for g in self.param_groups]
        found = {"state": {i: copy.deepcopy(self.state[p]) for i, p in enumerate(order) if self.state.get(p)},
                 "param_groups": groups}
        for hook in self._hooks_of("state_dict_post"):
            found = hook(self, found) or found
        return found

    @no_grad()
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and state from a state_dict, which may be of PyTorch's optimizer of that name.

        Groups of other sizes, settings that are not right and state that lacks what a step needs are a ValueError, and
        nothing is changed.
        """
        name = type(self).__name__
        state_dict = dict(state_dict) if isinstance(state_dict, Mapping) else {}
        for hook in self._hooks_of("load_state_dict_pre"):
            state_dict = hook(self, state_dict) or state_dict
        new = state_dict.get("param_groups")
        if not isinstance(new, list) or "state" not in state_dict or any("params" not in g for g in new):
            raise ValueError(f"{name}: the state_dict of an optimizer has 'state' and 'param_groups', "
                             "each group with its 'params'")
        sizes, given = ([len(g["params"]) for g in groups] for groups in (self.param_groups, new))
        if sizes != given:
            raise ValueError(f"{name}: the state_dict has groups of {given} parameters, this has {sizes}")
        groups = [{**ours, **{key: tensor(value) if isinstance(value, np.ndarray) else value
                              for key, value in _own(theirs).items()}, "params": ours["params"]}
                  for ours, theirs in zip(self.param_groups, new)]
        for group in groups:
            _refuse_wrong(name, group)
        ids = itertools.chain.from_iterable(g["params"] for g in new)
        known = dict(zip(ids, [(p, group) for group in groups for p in group["params"]]))
        found: dict[Tensor, dict[str, Any]] = collections.defaultdict(dict)
        for i, state in state_dict["state"].items():
            if i not in known:
                raise ValueError(f"{name}: the state_dict has state of parameter {i!r}, this has {len(known)} "
                                 "parameters")
            p, group = known[i]
            found[p] = self._loaded(f"parameter {i}", p, _own(state), group)
        self.state = found
        for ours, theirs in zip(self.param_groups, groups):
            ours.update(theirs)
        for hook in self._hooks_of("load_state_dict_post"):
            hook(self)

    @quiet
    def _loaded(self, which: str, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
        """A parameter's state, with the dtypes that a step gives it; ValueError unless it has its parts and shapes."""
        name, fresh = type(self).__name__, dict[str, Any]()
        nothing = np.zeros_like(p.array)
        self._update_one(nothing, nothing.copy(), fresh, _settings(group))
        for key, value in fresh.items() if state else ():  # what a first step makes is what it needs
            if key not in state:
                raise ValueError(f"{name}: the state of {which} has no '{key}', only {list(state)}: is it another "
                                 "optimizer's?")
            if np.shape(state[key]) != np.shape(value) and np.size(state[key]) != np.size(value) == 1:
                raise ValueError(f"{name}: '{key}' of {which} has shape {np.shape(state[key])}, and {np.shape(value)} "
                                 "is needed")
            state[key] = np.array(state[key], value.dtype) if isinstance(value, np.ndarray) else state[key].item() \
                if isinstance(state[key], np.ndarray) else state[key]
        return state

    def __repr__(self) -> str:
        groups = "".join(f"\n  {len(g['params'])} parameters: " + ", ".join(
            f"{k}={v}" for k, v in g.items() if k != "params") for g in self.param_groups)
        return f"{type(self).__name__}({groups}\n)"


def _form(state: dict[str, Any]) -> tuple:
    """What must be equal for two states to be joined: the parts, and all numbers."""
    return tuple((key, value.dtype if isinstance(value, np.ndarray) else value) for key, value in state.items())


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    """The settings of a group as formulas take them."""
    return {key: value if type(value) in (float, bool) else number_of(value) for key, value in group.items()
            if key not in IGNORED}


def number_of(setting: Any) -> Any:
    """A setting as formulas take it, which is a number of Python's: others would widen float32."""
    if isinstance(setting, tuple):
        return tuple(map(number_of, setting))
    if isinstance(setting, Tensor):
        return setting.array.reshape(-1)[0].item()
    return setting.item() if isinstance(setting, np.generic) else setting


def _own(value: Any) -> Any:
    """A copy of what a state dict holds, with arrays in place of tensors, PyTorch's too."""
    if isinstance(value, dict):
        return {key: _own(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_own, value))
    if isinstance(value, np.generic):
        return value.item()
    return np.asarray(unbox(value)).copy() if hasattr(value, "__array__") else copy.deepcopy(value)
