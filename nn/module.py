"""Module: parameters, buffers and submodules are its attributes, found by looking at them."""

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinygrad_lite.creation import as_tensor
from tinygrad_lite.engine.changes import stamp
from tinygrad_lite.engine.mode import Switch, mode, quietly
from tinygrad_lite.engine.tape import box
from tinygrad_lite.engine.values import Value, unbox
from tinygrad_lite.methods import dtype_asked
from tinygrad_lite.tensor import Handle, Tensor

from .backward_hooks import Before, Passage

CALLS = itertools.count()  # numbers for the calls that somebody watches


class Parameter(Tensor):
    """A Tensor that is trained: a Module that holds it as an attribute counts it among its parameters().

    It shares the memory of data, a tensor or an array. It requires a gradient unless requires_grad=False; whole
    numbers cannot, which is a RuntimeError. It takes attributes of your own, such as `p.no_decay = True`.

    >>> p = nn.Parameter(tl.tensor([1.0, 2.0]))
    >>> (p * p).sum().backward()
    >>> p.grad
    tensor([2., 4.])
    """

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        Value.__init__(self, as_tensor(data).array)  # shares the memory, whatever the dtype
        self.requires_grad_(requires_grad)


class Keys(NamedTuple):
    """The names that load_state_dict(strict=False) passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def _own(kind: str) -> property:
    """A module's own submodules, parameters or buffers by name, to read."""
    return property(lambda module: MappingProxyType(
        {name: x for name, x in vars(module).items() if _kind(module, name) == kind}))


class Module:
    """The base of all layers and models: subclass it, hold Parameters and Modules as attributes, define forward().

    Call the model itself and not its forward(), or hooks do not run. PyTorch wants super().__init__() before the first
    attribute; here it may be left out. Modules in a plain list are not found: hold them in a `ModuleList`.

    >>> class Scaled(nn.Module):
    ...     def __init__(self):
    ...         self.scale = nn.Parameter(tl.tensor(3.0))
    ...         self.linear = nn.Linear(2, 1)
    ...     def forward(self, x):
    ...         return self.scale * self.linear(x)
    >>> model = Scaled()
    >>> model(tl.ones(5, 2)).shape
    (5, 1)
    >>> [(name, p.shape) for name, p in model.named_parameters()]
    [('scale', ()), ('linear.weight', (1, 2)), ('linear.bias', (1,))]
    """

    training = True
    _persistent: dict[str, bool] = {}  # of each buffer: whether it is part of the state_dict
    _vacant: dict[str, str] = {}  # name that holds None -> whether a parameter or a module has its place there
    _forward_pre_hooks: dict[int, Callable] = {}
    _forward_hooks: dict[int, Callable] = {}
    _backward_hooks: dict[int, Any] = {}
    _modules, _parameters, _buffers = _own("module"), _own("parameter"), _own("buffer")

    if TYPE_CHECKING:  # which attributes it holds is known when it runs
        def __getattr__(self, name: str) -> Any: ...

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, value in vars(cls).items():
            _refuse_kept(cls, name, value)
            hides = isinstance(value, Module) or not callable(getattr(cls, name))
            if hides and inspect.isfunction(getattr(Module, name, None)):
                raise TypeError(f"{cls.__name__}: the attribute '{name}' ({type(value).__name__}) would hide the "
                                f"method {name}() of Module; choose another name")

    def __setattr__(self, name: str, value: Any) -> None:
        _refuse_kept(type(self), name, value)
        kind = _kind(self, name)
        allowed, in_words = REPLACED_BY[kind]
        if value is not None and not isinstance(value, allowed):
            raise TypeError(f"cannot assign {type(value).__name__} as {kind} '{name}': use {in_words} or None")
        if _hides_method(self, name, value):
            raise TypeError(f"cannot assign {type(value).__name__} as '{name}': it would hide the method {name}() of "
                            f"{type(self).__name__}; choose another name")
        if isinstance(value, Parameter | Module):
            _check_name(self, name)
            _forget(self, name)
        elif value is None and kind in ("parameter", "module"):
            self._vacant = {**self._vacant, name: kind}
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        _forget(self, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if ((mode.fast or not mode.watching) and not self._forward_pre_hooks and not self._forward_hooks
                and not self._backward_hooks):
            return self.forward(*args, **kwargs)
        if not mode.watching:
            return _with_hooks(self, args, kwargs)
        with Switch("within", (*mode.within, (self, next(CALLS)))):  # whoever watches can ask who is being called
            return _with_hooks(self, args, kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass defines it, and a call of the module calls it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward()")

    def register_forward_pre_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Call hook(module, args) before forward(); what it returns, unless None, replaces the arguments.

        with_kwargs: hook(module, args, kwargs), which returns None or (args, kwargs); prepend: before other hooks.
        As with all hooks, it gives a handle whose remove() takes the hook off again.
        """
        self._forward_pre_hooks = self._forward_pre_hooks or {}
        return _hooked(self._forward_pre_hooks, hook, prepend, with_kwargs)

    def register_forward_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Call hook(module, args, output) after forward(); what it returns, unless None, replaces the output.

        with_kwargs: hook(module, args, kwargs, output); prepend: before other hooks.
        """
        self._forward_hooks = self._forward_hooks or {}
        return _hooked(self._forward_hooks, hook, prepend, with_kwargs)

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call hook(module, grad_output) before the backward pass; a tuple that it returns replaces grad_output."""
        self._backward_hooks = self._backward_hooks or {}
        return _hooked(self._backward_hooks, Before(hook), prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call hook(module, grad_input, grad_output), two tuples, when both are there, in the backward pass.

        What it returns, unless None, replaces grad_input. That has a gradient for each positional argument: None for
        what is no tensor, and for all where none needs one.
        """
        self._backward_hooks = self._backward_hooks or {}
        return _hooked(self._backward_hooks, hook, prepend)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Hold a Parameter as the attribute `name`, or None in its place; KeyError where the name is taken."""
        _register(self, name, param, "parameter", Parameter)

    def register_module(self, name: str, module: "Module | None") -> None:
        """Hold a Module as the attribute `name`, or None in its place; KeyError where the name is taken."""
        _register(self, name, module, "module", Module)

    add_module = register_module

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Hold a Tensor that is not trained, such as a running mean, as the attribute `name`.

        It is part of the state_dict unless persistent=False, and to() changes its dtype.
        """
        _check_new(self, name, tensor, "buffer", Tensor)
        if isinstance(tensor, Parameter):
            raise TypeError(f"{type(self).__name__}: the buffer '{name}' is a Parameter; use its .detach()")
        self._persistent = {**self._persistent, name: persistent}
        setattr(self, name, tensor)

    # ---- what it holds
    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The direct submodules with their names, each of them once."""
        return _once(iter(submodules(self).items()))

    def children(self) -> Iterator["Module"]:
        """The direct submodules, each of them once."""
        return (m for _, m in self.named_children())

    def named_modules(self, memo: Any = None, prefix: str = "",
                      remove_duplicate: bool = True) -> Iterator[tuple[str, "Module"]]:
        """This module and all below it with their paths such as `encoder.0`, once unless remove_duplicate=False.

        memo: a set of modules to leave out, to which those found are added.
        """
        for name, module in _once(_walk(self, prefix), remove_duplicate):
            if memo is None or module not in memo:
                yield name, module
                if memo is not None:
                    memo.add(module)

    def modules(self) -> Iterator["Module"]:
        """This module and all below it, each of them once."""
        return (m for _, m in self.named_modules())

    def named_parameters(self, prefix: str = "", recurse: bool = True,
                         remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its path such as `encoder.0.weight`, once unless remove_duplicate=False.

        recurse=False gives only this module's own. prefix stands before every path.
        """
        return _once(_tensors(self, prefix, "parameter", recurse=recurse), remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every parameter once, as an optimizer takes them; recurse=False gives only this module's own."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True,
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Every buffer with its path; the arguments are those of named_parameters()."""
        return _once(_tensors(self, prefix, "buffer", recurse=recurse), remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every buffer once; recurse=False gives only this module's own."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> "Module":
        """The module at a path such as `encoder.0`, this one for ""; AttributeError where there is none."""
        return _at(dict(_walk(self, "")), target, "module")

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as `encoder.0.weight`; AttributeError where there is none."""
        return _at(dict(_tensors(self, "", "parameter")), target, "parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path such as `encoder.0.running_mean`; AttributeError where there is none."""
        return _at(dict(_tensors(self, "", "buffer")), target, "buffer")

    # ---- what can be done to it
    def apply(self, function: Callable[["Module"], Any]) -> "Module":
        """Call a function on every module below, then on this one, such as one that initializes; gives self."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def train(self, mode: bool = True) -> "Module":
        """Set this module and all below to training, in which dropout drops and batch norm learns; gives self."""
        if not isinstance(mode, bool | np.bool_):
            raise ValueError(f"{type(self).__name__}.train: mode is True or False, not {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> "Module":
        """Set this module and all below to evaluation, as train(False) does; gives self."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> "Module":
        """Make every parameter require a gradient, or with False freeze them all; gives self."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget every parameter's gradient, or with set_to_none=False make it zeros."""
        for p in self.parameters():
            forget_gradient(p, set_to_none)

    def to(self, *targets: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False,
           memory_format: Any = None) -> "Module":
        """Change the dtype of floating-point parameters, their gradients and buffers, in place; gives self.

        The device is always the CPU, another is a RuntimeError; a dtype that is not floating-point is a TypeError.
        non_blocking and memory_format change nothing here.
        """
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
        """The module itself, which is always on the CPU."""
        return self

    def float(self) -> "Module":
        """Make all floating-point parameters and buffers float32; gives self."""
        return self.to(np.float32)

    def double(self) -> "Module":
        """Make all floating-point parameters and buffers float64; gives self."""
        return self.to(np.float64)

    def half(self) -> "Module":
        """Make all floating-point parameters and buffers float16; gives self."""
        return self.to(np.float16)

    def type(self, dst_type: Any) -> "Module":
        """Make all floating-point parameters and buffers of a dtype, as to() does; gives self."""
        return self.to(dst_type)

    def set_submodule(self, target: str, module: "Module") -> None:
        """Put a module at a path such as `encoder.0`, in place of the one that is there."""
        path, _, name = target.rpartition(".")
        if not isinstance(module, Module):
            raise TypeError(f"set_submodule: {target!r} is to be a Module, not {type(module).__name__}")
        setattr(self.get_submodule(path), name, module)

    def state_dict(self, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """All parameters and persistent buffers by path, as tl.save takes them and load_state_dict() reads them.

        They are detached and share the memory of the module's; keep_vars=True gives the tensors themselves. They are
        added to destination where it is given, and prefix stands before every path.
        """
        found: dict[str, Tensor] = {} if destination is None else destination
        for name, t in _tensors(self, "", "parameter", "buffer", saved=True):
            found[prefix + name] = t if keep_vars else t.detach()
        return found

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Keys:
        """Copy the values of a state_dict into the parameters and buffers; gives the names that did not match.

        assign=True takes over the arrays as they are, with their dtypes. Entries of another shape, that are no array or
        that the dtype does not hold, and, unless strict=False, missing and unexpected ones are a RuntimeError that
        names them all; then nothing is changed.
        """
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
            if assign:
                own[k].data = given[k]
            else:
                own[k].array[...] = new[k]
                stamp(own[k].array)
        return keys

    def extra_repr(self) -> str:
        """What the repr shows in the parentheses; subclasses give their own."""
        return ", ".join(f"{n} {list(p.shape)}" for n, p in vars(self).items() if isinstance(p, Parameter))

    def __repr__(self) -> str:
        return framed(self, [(f"({name}): ", repr(child)) for name, child in submodules(self).items()])


def framed(module: Module, children: list[tuple[str, str]]) -> str:
    """A module as PyTorch prints it: what it says of itself, and its children, each with what stands before it."""
    lines = [extra] if (extra := module.extra_repr()) else []
    lines += [f"{label}{text}".replace("\n", "\n  ") for label, text in children]
    body = extra if not children else "".join(f"\n  {line}" for line in lines) + "\n"
    return f"{type(module).__name__}({body})"


def _once(named: Iterator[tuple[str, Any]], remove_duplicate: bool = True) -> Iterator[tuple[str, Any]]:
    """Each object under its first name only."""
    if not remove_duplicate:
        return named
    seen: set[int] = set()
    return ((name, x) for name, x in named if id(x) not in seen and not seen.add(id(x)))  # type: ignore[func-returns-value]


class _WithKeywords(NamedTuple):
    """A hook that is given keyword arguments too."""

    hook: Callable


def _hooked(hooks: dict[int, Any], hook: Any, prepend: bool, with_kwargs: bool = False) -> Handle:
    before = dict(hooks)
    if prepend:
        hooks.clear()
    handle = Handle(hooks, _WithKeywords(hook) if with_kwargs else hook)
    hooks.update(before)
    return handle


def _with_hooks(module: Module, args: tuple, kwargs: dict[str, Any]) -> Any:
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, _WithKeywords):
            new = hook.hook(module, args, kwargs)
            if new is not None and not (isinstance(new, tuple) and len(new) == 2):
                raise RuntimeError(f"{type(module).__name__}: a forward pre-hook with kwargs gives None or (args, "
                                   f"kwargs), not {type(new).__name__}")
            args, kwargs = (args, kwargs) if new is None else new
        else:
            new = hook(module, args)
            args = args if new is None else new if isinstance(new, tuple) else (new,)
    passage = Passage(module) if module._backward_hooks else None
    args = passage.inputs(args) if passage else args
    out = module.forward(*args, **kwargs)
    for hook in list(module._forward_hooks.values()):
        new = hook.hook(module, args, kwargs, out) if isinstance(hook, _WithKeywords) else hook(module, args, out)
        out = out if new is None else new
    return passage.outputs(out) if passage else out


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
    if held is None and name in module._vacant:
        return module._vacant[name]
    return "buffer" if name in module._persistent else "attribute"


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
                skipped = saved and not part._persistent.get(name, True)
                if isinstance(value, Tensor) and _kind(part, name) == kind and not skipped:
                    yield f"{path}.{name}" if path else name, value


# ---- what it may hold under which name
# dicts in which a Module keeps its books
KEPT = {"_persistent", "_vacant", "_forward_pre_hooks", "_forward_hooks", "_backward_hooks"}
PYTORCHS = {"_modules", "_parameters", "_buffers"}  # to read only: a module looks at its attributes
REPLACED_BY: dict[str, tuple[Any, str]] = {  # each also by None
    "parameter": (Parameter, "nn.Parameter"), "module": ((Module, Parameter), "a Module"),
    "buffer": ((Tensor, Module), "a Tensor"), "attribute": (object, "anything")}


def _refuse_kept(cls: type, name: str, value: Any) -> None:
    """TypeError for what would take the place of what a Module itself relies on."""
    if name in PYTORCHS or name in KEPT and not isinstance(value, dict):
        raise TypeError(f"{cls.__name__}: '{name}' is a name that a Module keeps for itself; choose another. "
                        "Parameters and modules are attributes of their own, or held by register_parameter and "
                        "add_module")
    if name == "training" and isinstance(value, Value | Module | None):
        raise TypeError(f"{cls.__name__}: 'training' is True or False, not {type(value).__name__}; choose another name")


def _hides_method(module: Module, name: str, value: Any) -> bool:
    """A function may take a method's place; what cannot be called, and a submodule, may not."""
    if not hasattr(type(module), name) or callable(value) and not isinstance(value, Module):
        return False
    held = inspect.getattr_static(type(module), name)
    return inspect.isfunction(held) or isinstance(held, classmethod | staticmethod)


def _check_name(module: Module, name: Any) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{type(module).__name__}: a name is a string, not {type(name).__name__} {name!r}")
    if not name or "." in name:
        raise KeyError(f"{type(module).__name__}: the name {name!r} is empty or has a dot, which joins names to paths")


def _check_new(module: Module, name: Any, value: Any, kind: str, of_type: type) -> None:
    """A name that is free, or that of another of this kind, which is replaced."""
    _check_name(module, name)
    taken = getattr(module, name, None) is not None or name in module._vacant
    if taken and _kind(module, name) != kind:
        raise KeyError(f"{type(module).__name__} has an attribute '{name}' already; choose another name")
    if value is not None and not isinstance(value, of_type):
        raise TypeError(f"{type(module).__name__}: the {kind} '{name}' is a {of_type.__name__}, not "
                        f"{type(value).__name__}")


def _register(module: Module, name: str, value: Any, kind: str, of_type: type) -> None:
    _check_new(module, name, value, kind, of_type)
    setattr(module, name, value)
    if value is None:
        module._vacant = {**module._vacant, name: kind}


def _forget(module: Module, name: str) -> None:
    """The name is no buffer's any more, and no place that is kept free."""
    for books in ("_persistent", "_vacant"):
        if name in getattr(module, books):
            setattr(module, books, {other: what for other, what in getattr(module, books).items() if other != name})
