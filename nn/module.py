"""Module: parameters, buffers and submodules are its attributes, found by looking at them."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.engine.changes import stamp
from tinygrad_lite.engine.mode import Switch, mode, quietly
from tinygrad_lite.engine.tape import box
from tinygrad_lite.engine.values import Value, unbox
from tinygrad_lite.methods import dtype_asked
from tinygrad_lite.tensor import Handle, Tensor


class Parameter(Tensor):
    """A Tensor that a Module trains: a leaf that requires grad."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        Value.__init__(self, np.asarray(unbox(data)))
        self.requires_grad_(requires_grad)


class Keys(NamedTuple):
    """What load_state_dict(strict=False) passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base of layers and models: define forward(), hold Parameters and Modules as attributes."""

    training = True
    _buffers: dict[str, bool] = {}  # name -> whether it is part of the state_dict
    _forward_pre_hooks: dict[int, Callable] = {}
    _forward_hooks: dict[int, Callable] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        kind = _kind(self, name)
        allowed, in_words = REPLACED_BY[kind]
        if value is not None and not isinstance(value, allowed):
            raise TypeError(f"cannot assign {type(value).__name__} as {kind} '{name}': use {in_words} or None")
        if _hides_method(self, name, value):
            raise TypeError(f"cannot assign {type(value).__name__} as '{name}': it would hide the method {name}() of "
                            f"{type(self).__name__}; choose another name")
        if isinstance(value, Parameter | Module):
            _check_name(self, name)
            _forget_buffer(self, name)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        _forget_buffer(self, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if (mode.fast or not mode.watching) and not self._forward_pre_hooks and not self._forward_hooks:
            return self.forward(*args, **kwargs)
        if not mode.watching:
            return _with_hooks(self, args, kwargs)
        with Switch("within", (*mode.within, self)):  # whoever watches can ask who is being called
            return _with_hooks(self, args, kwargs)

    def forward(self, *args: Any) -> Any:
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward()")

    def register_forward_pre_hook(self, hook: Callable) -> Handle:
        """Call hook(module, args) before forward(); what it returns replaces the arguments."""
        self._forward_pre_hooks = self._forward_pre_hooks or {}
        return Handle(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook: Callable) -> Handle:
        """Call hook(module, args, output) after forward(); what it returns replaces the output."""
        self._forward_hooks = self._forward_hooks or {}
        return Handle(self._forward_hooks, hook)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Hold a Parameter as the attribute `name`."""
        _check_new(self, name, param, "parameter", Parameter)
        setattr(self, name, param)

    def register_module(self, name: str, module: "Module | None") -> None:
        """Hold a Module as the attribute `name`."""
        _check_new(self, name, module, "module", Module)
        setattr(self, name, module)

    add_module = register_module

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Hold a Tensor that is not trained, such as a running mean, as the attribute `name`."""
        _check_new(self, name, tensor, "buffer", Tensor)
        if isinstance(tensor, Parameter):
            raise TypeError(f"{type(self).__name__}: the buffer '{name}' is a Parameter; use its .detach()")
        self._buffers = {**self._buffers, name: persistent}
        setattr(self, name, tensor)

    # ---- what it holds
    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The direct submodules with their names, each once."""
        return _once(iter(submodules(self).items()))

    def children(self) -> Iterator["Module"]:
        """The direct submodules, each once."""
        return (m for _, m in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """This module and all below, each once, with its path such as `encoder.0`."""
        return _once(_walk(self, prefix))

    def modules(self) -> Iterator["Module"]:
        """This module and all below, each once."""
        return (m for _, m in self.named_modules())

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Every parameter once, with its path such as `encoder.0.weight`; without `recurse` this module's own."""
        return _once(_tensors(self, prefix, "parameter", recurse=recurse))

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every parameter once; without `recurse` this module's own."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Every buffer once, with its path; without `recurse` this module's own."""
        return _once(_tensors(self, prefix, "buffer", recurse=recurse))

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every buffer once; without `recurse` this module's own."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> "Module":
        """The module at a path such as `encoder.0`; this one for ""."""
        return _at(dict(_walk(self, "")), target, "module")

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as `encoder.0.weight`."""
        return _at(dict(_tensors(self, "", "parameter")), target, "parameter")

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

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget every parameter's gradient, or make it zeros."""
        for p in self.parameters():
            forget_gradient(p, set_to_none)

    def to(self, *targets: Any, dtype: Any = None, device: Any = None) -> "Module":
        """Change the dtype of floating-point parameters, their gradients and buffers, in place; a device is the cpu."""
        dtype = dtype_asked(targets, dtype, device)
        if dtype is None:
            return self
        if dtype.kind != "f":
            raise TypeError(f"{type(self).__name__}.to: a module's dtype is floating-point, not {dtype}")
        for t in (*self.parameters(), *self.buffers()):
            if t.dtype.kind == "f" and t.dtype != dtype:
                grad, t.data = t.grad, t.detach().to(dtype)
                t.grad = None if grad is None else grad.to(dtype)
        return self

    def cpu(self) -> "Module":
        """Itself: it is on the cpu."""
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

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and persistent buffers by path, detached and sharing memory."""
        return {name: t.detach() for name, t in _tensors(self, "", "parameter", "buffer", saved=True)}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Keys:
        """Copy values in. Mis-shaped entries, those that are no array or that the dtype does not hold, and unless
        strict=False missing and unexpected ones are a RuntimeError that names them all, and then nothing is changed."""
        if not isinstance(state_dict, Mapping):
            raise TypeError("load_state_dict: a state dict is a dict, as tl.load gives, not "
                            f"{type(state_dict).__name__}")
        own = dict(_tensors(self, "", "parameter", "buffer", saved=True))
        given = {k: unbox(v) for k, v in state_dict.items()}
        keys = Keys([k for k in own if k not in given], [k for k in given if k not in own])
        found = [k for k in own if k in given]
        wrong = [f"missing '{k}'" for k in keys.missing_keys if strict]
        wrong += [f"unexpected '{k}'" for k in keys.unexpected_keys if strict]
        new: dict[str, np.ndarray] = {}
        for k in found:
            if not isinstance(given[k], np.ndarray | np.generic):
                wrong.append(f"'{k}' is {type(given[k]).__name__}, neither a Tensor nor an array")
            elif given[k].dtype.kind not in "fiub":
                wrong.append(f"'{k}' has dtype {given[k].dtype}, no real numbers")
            elif given[k].shape != own[k].shape:
                wrong.append(f"'{k}' has shape {given[k].shape}, the model's is {own[k].shape}")
            elif not own[k].array.flags.writeable:
                wrong.append(f"'{k}' of the model cannot be written to")
            else:
                new[k] = quietly(np.asarray(given[k]).astype, own[k].dtype)
                if own[k].dtype.kind != "f" and not (new[k] == given[k]).all():
                    wrong.append(f"'{k}' has values that {own[k].dtype} does not hold")
        if wrong:
            raise RuntimeError(f"loading a state_dict into {type(self).__name__}: " + "; ".join(wrong))
        for k in found:
            own[k].array[...] = new[k]
            stamp(own[k].array)
        return keys

    def extra_repr(self) -> str:
        """What the repr shows in the parentheses."""
        return ", ".join(f"{n} {list(p.shape)}" for n, p in vars(self).items() if isinstance(p, Parameter))

    def __repr__(self) -> str:
        lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in submodules(self).items()]
        body = "".join(f"\n  {line}" for line in lines) + "\n" if lines else ""
        return f"{type(self).__name__}({self.extra_repr()}{body})"


def _once(named: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Each object under its first name only."""
    seen: set[int] = set()
    return ((name, x) for name, x in named if id(x) not in seen and not seen.add(id(x)))  # type: ignore[func-returns-value]


def _with_hooks(module: Module, args: tuple, kwargs: dict[str, Any]) -> Any:
    for hook in list(module._forward_pre_hooks.values()):
        new = hook(module, args)
        args = args if new is None else new if isinstance(new, tuple) else (new,)
    out = module.forward(*args, **kwargs)
    for hook in list(module._forward_hooks.values()):
        new = hook(module, args, out)
        out = out if new is None else new
    return out


# ---- what a module holds, by looking at its attributes
def submodules(module: Module) -> dict[str, Module]:
    """The direct submodules by name; one that has two names is there twice."""
    return {name: m for name, m in vars(module).items() if isinstance(m, Module)}


def _walk(module: Module, prefix: str, above: tuple[Module, ...] = ()) -> Iterator[tuple[str, Module]]:
    yield prefix, module
    above = (*above, module)
    for name, child in submodules(module).items():
        if not any(child is m for m in above):  # a child may keep its parent
            yield from _walk(child, f"{prefix}.{name}" if prefix else name, above)


def _kind(module: Module, name: str) -> str:
    """What the attribute is."""
    held = vars(module).get(name)
    if isinstance(held, Parameter):
        return "parameter"
    if isinstance(held, Module):
        return "module"
    return "buffer" if name in module._buffers else "attribute"


def _at(held: dict[str, Any], target: str, kind: str) -> Any:
    if target not in held:
        raise AttributeError(f"there is no {kind} at '{target}'")
    return held[target]


def forget_gradient(p: Tensor, set_to_none: bool = True) -> None:
    """No gradient, or, of a tensor that has one, zeros."""
    p.grad = None if set_to_none or p.grad is None else box(np.zeros_like(p.array))


def _tensors(module: Module, prefix: str, *kinds: str, saved: bool = False,
             recurse: bool = True) -> Iterator[tuple[str, Any]]:
    """Those of each module, one kind after the other as in PyTorch. saved: without buffers that are not persistent."""
    for path, part in _walk(module, prefix) if recurse else [(prefix, module)]:
        for kind in kinds:
            for name, value in vars(part).items():
                skipped = saved and not part._buffers.get(name, True)
                if isinstance(value, Tensor) and _kind(part, name) == kind and not skipped:
                    yield f"{path}.{name}" if path else name, value


# ---- what it may hold under which name
REPLACED_BY: dict[str, tuple[Any, str]] = {  # each also by None
    "parameter": (Parameter, "nn.Parameter"), "module": ((Module, Parameter), "a Module"),
    "buffer": ((Tensor, Module), "a Tensor"), "attribute": (object, "anything")}


def _hides_method(module: Module, name: str, value: Any) -> bool:
    """A function may take a method's place; what cannot be called, and a submodule, may not."""
    if not hasattr(type(module), name) or callable(value) and not isinstance(value, Module):
        return False
    return inspect.isfunction(inspect.getattr_static(type(module), name))


def _check_name(module: Module, name: Any) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{type(module).__name__}: a name is a string, not {type(name).__name__} {name!r}")
    if not name or "." in name:
        raise KeyError(f"{type(module).__name__}: the name {name!r} is empty or has a dot, which joins names to paths")


def _check_new(module: Module, name: Any, value: Any, kind: str, of_type: type) -> None:
    """A name that is free, or that of another of this kind, which is replaced."""
    _check_name(module, name)
    if getattr(module, name, None) is not None and _kind(module, name) != kind:
        raise KeyError(f"{type(module).__name__} has an attribute '{name}' already; choose another name")
    if value is not None and not isinstance(value, of_type):
        raise TypeError(f"{type(module).__name__}: the {kind} '{name}' is a {of_type.__name__}, not "
                        f"{type(value).__name__}")


def _forget_buffer(module: Module, name: str) -> None:
    if name in module._buffers:
        module._buffers = {other: saved for other, saved in module._buffers.items() if other != name}
