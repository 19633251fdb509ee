"""Module: parameters, buffers and submodules are its attributes, found by looking at them."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.engine.changes import stamp
from tinygrad_lite.engine.mode import Switch, mode
from tinygrad_lite.engine.values import unbox
from tinygrad_lite.tensor import Handle, Tensor


class Parameter(Tensor):
    """A Tensor that a Module trains: a leaf that requires grad."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(np.asarray(unbox(data)))
        self.requires_grad_(requires_grad)


class Keys(NamedTuple):
    """What load_state_dict(strict=False) passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base of layers and models: define forward(), hold Parameters and Modules as attributes."""

    training = True
    _buffers: dict[str, bool] = {}  # name -> whether it is part of the state_dict
    _before: dict[int, Callable] = {}  # the hooks, run before and after forward()
    _after: dict[int, Callable] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(vars(self).get(name), Parameter) and not isinstance(value, Parameter | None):
            raise TypeError(f"cannot assign {type(value).__name__} as parameter '{name}': use nn.Parameter or None")
        super().__setattr__(name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if (mode.fast or not mode.watching) and not self._before and not self._after:
            return self.forward(*args, **kwargs)
        if not mode.watching:
            return self._with_hooks(*args, **kwargs)
        with Switch("within", (*mode.within, self)):  # whoever watches can ask who is being called
            return self._with_hooks(*args, **kwargs)

    def _with_hooks(self, *args: Any, **kwargs: Any) -> Any:
        for hook in list(self._before.values()):
            new = hook(self, args)
            args = args if new is None else new if isinstance(new, tuple) else (new,)
        out = self.forward(*args, **kwargs)
        for hook in list(self._after.values()):
            new = hook(self, args, out)
            out = out if new is None else new
        return out

    def forward(self, *args: Any) -> Any:
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward()")

    def register_forward_pre_hook(self, hook: Callable) -> Handle:
        """Call hook(module, args) before forward(); what it returns replaces the arguments."""
        self._before = self._before or {}
        return Handle(self._before, hook)

    def register_forward_hook(self, hook: Callable) -> Handle:
        """Call hook(module, args, output) after forward(); what it returns replaces the output."""
        self._after = self._after or {}
        return Handle(self._after, hook)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Hold a Tensor that is not trained, such as a running mean, as the attribute `name`."""
        if hasattr(self, name) and name not in self._buffers:
            raise KeyError(f"register_buffer: {type(self).__name__} has an attribute '{name}' already")
        self._buffers = {**self._buffers, name: persistent}
        setattr(self, name, tensor)

    # ---- what it holds
    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The direct submodules with their names."""
        return ((name, m) for name, m in vars(self).items() if isinstance(m, Module))

    def children(self) -> Iterator["Module"]:
        """The direct submodules."""
        return (m for _, m in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """This module and all below, each once, with its path such as `encoder.0`."""
        return _once(self._walk(prefix))

    def _walk(self, prefix: str) -> Iterator[tuple[str, "Module"]]:
        yield prefix, self
        for name, child in self.named_children():
            yield from child._walk(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator["Module"]:
        """This module and all below, each once."""
        return (m for _, m in self.named_modules())

    def _held(self, wanted: Callable[["Module", str, Any], bool], prefix: str = "") -> Iterator[tuple[str, Any]]:
        for path, module in self._walk(prefix):
            for name, value in vars(module).items():
                if isinstance(value, Tensor) and wanted(module, name, value):
                    yield f"{path}.{name}" if path else name, value

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Every parameter once, with its path such as `encoder.0.weight`."""
        return _once(self._held(lambda module, name, t: isinstance(t, Parameter), prefix))

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter once."""
        return (p for _, p in self.named_parameters())

    def named_buffers(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Every buffer once, with its path."""
        return _once(self._held(lambda module, name, t: name in module._buffers, prefix))

    def buffers(self) -> Iterator[Tensor]:
        """Every buffer once."""
        return (b for _, b in self.named_buffers())

    # ---- what can be done to it
    def apply(self, function: Callable[["Module"], Any]) -> "Module":
        """Call function on every module below, then on this one; gives self."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def train(self, mode: bool = True) -> "Module":
        """Set training mode for this module and all below."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> "Module":
        """Set evaluation mode: train(False)."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> "Module":
        """Make every parameter require a gradient, or freeze them all."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self) -> None:
        """Forget every parameter's gradient."""
        for p in self.parameters():
            p.grad = None

    def to(self, dtype: Any) -> "Module":
        """Change the dtype of floating-point parameters, their gradients and buffers, in place."""
        dtype = np.dtype(dtype)
        if dtype.kind != "f":
            raise TypeError(f"{type(self).__name__}.to: a module's dtype is floating-point, not {dtype}")
        for t in (*self.parameters(), *self.buffers()):
            if t.dtype.kind == "f" and t.dtype != dtype:
                grad, t.data = t.grad, t.detach().to(dtype)
                t.grad = None if grad is None else grad.to(dtype)
        return self

    def float(self) -> "Module":
        """to(float32)"""
        return self.to(np.float32)

    def double(self) -> "Module":
        """to(float64)"""
        return self.to(np.float64)

    def half(self) -> "Module":
        """to(float16)"""
        return self.to(np.float16)

    def _state(self) -> dict[str, Tensor]:
        return dict(self._held(lambda module, name, t: isinstance(t, Parameter) or module._buffers.get(name, False)))

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and persistent buffers by path, detached and sharing memory."""
        return {name: t.detach() for name, t in self._state().items()}

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> Keys:
        """Copy values in. Mis-shaped, and unless strict=False missing and unexpected, entries are a
        RuntimeError that names them all, and then nothing is changed."""
        own = self._state()
        keys = Keys([k for k in own if k not in state], [k for k in state if k not in own])
        wrong = [f"missing '{k}'" for k in keys.missing_keys if strict]
        wrong += [f"unexpected '{k}'" for k in keys.unexpected_keys if strict]
        wrong += [f"'{k}' has shape {np.shape(unbox(state[k]))}, the model's is {own[k].shape}"
                  for k in own if k in state and np.shape(unbox(state[k])) != own[k].shape]
        if wrong:
            raise RuntimeError(f"loading a state_dict into {type(self).__name__}: " + "; ".join(wrong))
        for name in own.keys() & state.keys():
            own[name].array[...] = unbox(state[name])
            stamp(own[name].array)
        return keys

    def extra_repr(self) -> str:
        """What the repr shows in the parentheses."""
        return ", ".join(f"{n} {list(p.shape)}" for n, p in vars(self).items() if isinstance(p, Parameter))

    def __repr__(self) -> str:
        lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        body = "".join(f"\n  {line}" for line in lines) + "\n" if lines else ""
        return f"{type(self).__name__}({self.extra_repr()}{body})"


def _once(named: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Each object under its first name only."""
    seen: set[int] = set()
    return ((name, x) for name, x in named if id(x) not in seen and not seen.add(id(x)))  # type: ignore[func-returns-value]
