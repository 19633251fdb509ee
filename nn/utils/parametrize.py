"""A module's tensor computed from other parameters whenever it is read."""

from collections.abc import Callable
from typing import Any

from tinygrad_lite.engine.mode import no_grad
from tinygrad_lite.tensor import Tensor

from ..containers import ModuleDict, ModuleList
from ..module import Module, Parameter


def computed(module: Module, name: str, read: Callable | None, write: Callable | None = None) -> None:
    """Let the attribute `name` be what read(module) gives; None takes that back. The module gets a class of its own."""
    base = type_before_parametrizations(module)
    names = {k: v for k, v in getattr(type(module), "_computed", {}).items() if k != name}
    if read is not None:
        names[name] = property(read, write)
    new = type(f"Parametrized{base.__name__}", (base,), {**names, "_computed": names, "_base": base}) if names else base
    object.__setattr__(module, "__class__", new)


def type_before_parametrizations(module: Module) -> type:
    """The class that the module had at first."""
    return getattr(type(module), "_base", type(module))


class ParametrizationList(ModuleList):
    """What a tensor is computed by, one module after the other, from `original` or `original0`, `original1`, …"""

    def __init__(self, modules: list[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        with no_grad():
            new = self._inverse(original)
        self.is_tensor = isinstance(new, Tensor)
        if self.is_tensor:
            original.data = new
        for name, part in {"original": original}.items() if self.is_tensor else zip(self._names(new), new):
            if isinstance(original, Parameter):
                setattr(self, name, part if self.is_tensor else Parameter(part, original.requires_grad))
            else:
                self.register_buffer(name, part)
        self.check(original)

    @staticmethod
    def _names(parts: Any) -> list[str]:
        return [f"original{i}" for i in range(len(parts))]

    def _inverse(self, value: Any) -> Any:
        for module in reversed(list(self)):
            if hasattr(module, "right_inverse"):
                value = module.right_inverse(value)
        return value

    def check(self, like: Tensor) -> None:
        """ValueError if what is computed has another shape or dtype, unless `unsafe`."""
        if self.unsafe:
            return
        found = self()
        if (found.shape, found.dtype) != (like.shape, like.dtype):
            raise ValueError(f"register_parametrization: the parametrization gives {found.dtype}{list(found.shape)} "
                             f"for {like.dtype}{list(like.shape)}; unsafe=True allows that")

    @no_grad()
    def right_inverse(self, value: Tensor) -> None:
        """Set the originals to what gives this value; a module without right_inverse() is a RuntimeError."""
        for module in self:
            if not hasattr(module, "right_inverse"):
                raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse: the "
                                   "tensor that it computes cannot be set")
        new = self._inverse(value)
        for name, part in {"original": new}.items() if self.is_tensor else zip(self._names(new), new):
            getattr(self, name).copy_(part)

    def forward(self) -> Any:
        originals = [t for name, t in vars(self).items() if name.startswith("original")]
        first, *others = self
        x = first(*originals)
        for module in others:
            x = module(x)
        return x


def register_parametrization(module: Module, tensor_name: str, parametrization: Module, *,
                             unsafe: bool = False) -> Module:
    """Compute the parameter or buffer `tensor_name` by a module of what it was; gives `module`.

    The parametrization's right_inverse(), if it has one, says what to start from; several tensors become `original0`,
    `original1`, … in `module.parametrizations[tensor_name]`. ValueError where shape or dtype change, unless `unsafe`.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        held = module.parametrizations[tensor_name]
        like = getattr(module, tensor_name)
        held.unsafe = held.unsafe or unsafe
        if hasattr(parametrization, "right_inverse") and held.is_tensor:
            with no_grad():
                held.original.copy_(parametrization.right_inverse(held.original))
        held.append(parametrization)
        try:
            held.check(like)
        except ValueError:
            held.pop(-1)
            raise
        return module
    original = getattr(module, tensor_name, None)
    if not isinstance(original, Tensor) or tensor_name not in vars(module):
        raise ValueError(f"register_parametrization: {type(module).__name__} has no parameter or buffer "
                         f"'{tensor_name}'")
    held = ParametrizationList([parametrization], original, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = held
    computed(module, tensor_name, lambda self: self.parametrizations[tensor_name](),
             lambda self, value: self.parametrizations[tensor_name].right_inverse(value))
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the tensor of that name, or any, is computed by a parametrization."""
    held = vars(module).get("parametrizations")
    return isinstance(held, ModuleDict) and (len(held) > 0 if tensor_name is None else tensor_name in held)


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Let the tensor be a parameter again: as it is computed now, or as it was before; gives `module`."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"remove_parametrizations: '{tensor_name}' of {type(module).__name__} has no parametrization")
    held = module.parametrizations[tensor_name]
    if not (leave_parametrized or held.is_tensor):
        raise ValueError(f"remove_parametrizations: '{tensor_name}' is computed from several tensors, so there is none "
                         "to leave unparametrized")
    with no_grad():
        value = getattr(module, tensor_name) if leave_parametrized else None
    tensor = held.original if held.is_tensor else Parameter(value, held.original0.requires_grad)
    if held.is_tensor and leave_parametrized:
        tensor.data = value
    del module.parametrizations[tensor_name]
    computed(module, tensor_name, None)
    if not is_parametrized(module):
        del module.parametrizations
    if isinstance(tensor, Parameter):
        setattr(module, tensor_name, tensor)
    else:
        module.register_buffer(tensor_name, tensor)
    return module
