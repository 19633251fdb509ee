"""Module: parameters and submodules are its attributes, found by looking at them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_lite.tape import stamp, unbox
from tinygrad_lite.tensor import Tensor


class Parameter(Tensor):
    """A Tensor that a Module trains: a leaf that requires grad."""

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(np.asarray(unbox(data)))
        self.requires_grad_(requires_grad)


class Module:
    """Base of layers and models: define forward(), hold Parameters and Modules as attributes."""

    training = True

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(vars(self).get(name), Parameter) and not isinstance(value, Parameter | None):
            raise TypeError(f"cannot assign {type(value).__name__} as parameter '{name}': use nn.Parameter or None")
        super().__setattr__(name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any) -> Any:
        """What the module computes; every subclass defines it."""
        raise TypeError(f"{type(self).__name__} defines no forward()")

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The direct submodules with their names."""
        return ((name, m) for name, m in vars(self).items() if isinstance(m, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """This module and all below, each with its path such as `encoder.0`."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter once, with its path such as `encoder.0.weight`."""
        seen: set[int] = set()
        for path, module in self.named_modules():
            for name, p in vars(module).items():
                if isinstance(p, Parameter) and id(p) not in seen:
                    seen.add(id(p))
                    yield f"{path}.{name}" if path else name, p

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter once."""
        return (p for _, p in self.named_parameters())

    def train(self, mode: bool = True) -> "Module":
        """Set training mode for this module and all below."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> "Module":
        """Set evaluation mode: train(False)."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget every parameter's gradient."""
        for p in self.parameters():
            p.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters by path, detached and sharing memory."""
        return {name: p.detach() for name, p in self.named_parameters()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy values in; missing, unexpected and mis-shaped entries are named and nothing is changed."""
        own = dict(self.named_parameters())
        wrong = [f"missing '{k}'" for k in own if k not in state]
        wrong += [f"unexpected '{k}'" for k in state if k not in own]
        wrong += [f"'{k}' has shape {unbox(state[k]).shape}, the model's is {own[k].shape}"
                  for k in own if k in state and unbox(state[k]).shape != own[k].shape]
        if wrong:
            raise RuntimeError(f"loading a state_dict into {type(self).__name__}: " + "; ".join(wrong))
        for name, p in own.items():
            p.array[...] = unbox(state[name])
            stamp(p.array)

    def extra_repr(self) -> str:
        """What the repr shows in the parentheses."""
        return ", ".join(f"{n} {list(p.shape)}" for n, p in vars(self).items() if isinstance(p, Parameter))

    def __repr__(self) -> str:
        lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        body = "".join(f"\n  {line}" for line in lines) + "\n" if lines else ""
        return f"{type(self).__name__}({self.extra_repr()}{body})"
