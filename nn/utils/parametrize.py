"""A module's tensor computed from other parameters whenever it is read."""

from collections.abc import Callable
from typing import Any

from tinygrad_lite.engine.mode import no_grad
from tinygrad_lite.tensor import Tensor

from ..containers import ModuleDict, ModuleList
from ..module import Module, Parameter


def computed(module: Module, name: str, read: Callable | None, write: Callable | None = None) -> None:
    """Let the attribute `name` of a module be what read(module) gives, whenever it is read.

    Where it is set, write(module, value) is called; without write that is an AttributeError. read=None takes it back.
    For that the module gets a class of its own, a subclass of the one that it had.

    >>> layer = nn.Linear(3, 2)
    >>> nn.utils.parametrize.computed(layer, "size", lambda self: self.weight.numel())
    >>> layer.size
    6
    """
    base = type_before_parametrizations(module)
    names = {k: v for k, v in getattr(type(module), "_computed", {}).items() if k != name}
    if read is not None:
        names[name] = property(read, write)
    new = type(f"Parametrized{base.__name__}", (base,), {**names, "_computed": names, "_base": base}) if names else base
    object.__setattr__(module, "__class__", new)


def type_before_parametrizations(module: Module) -> type:
    """The class that a module had before a tensor of it was parametrized.

    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    >>> type(layer).__name__, nn.utils.parametrize.type_before_parametrizations(layer).__name__
    ('ParametrizedLinear', 'Linear')
    """
    return getattr(type(module), "_base", type(module))


class ParametrizationList(ModuleList):
    """The modules that a tensor is computed by, one after the other, from `original`, or `original0`, `original1`, …

    `register_parametrization` makes it, and keeps it in `module.parametrizations`; called, it gives the tensor.

    >>> layer = nn.Linear(2, 2)
    >>> _ = nn.utils.parametrize.register_parametrization(layer, "weight", nn.Tanh())
    >>> layer.parametrizations.weight
    ParametrizationList(
      original [2, 2]
      (0): Tanh()
    )
    """

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
        """Raise a ValueError if what is computed has another shape or dtype than `like`, unless `unsafe`."""
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
    """Compute the parameter or buffer `tensor_name` by another module, whenever it is read; gives `module`.

    What it was is trained from then on, as `module.parametrizations.weight.original`, say. The parametrization's
    right_inverse(), if it has one, says what to start from; several tensors become `original0`, `original1`, …
    ValueError where there is no such tensor, or its shape or dtype would change, unless `unsafe`.

    >>> layer = nn.Linear(2, 1)
    >>> layer.weight.data = tl.tensor([[-1.0, 2.0]])
    >>> layer = nn.utils.parametrize.register_parametrization(layer, "weight", nn.ReLU())
    >>> layer.weight.tolist(), layer.parametrizations.weight.original.tolist()
    ([[0.0, 2.0]], [[-1.0, 2.0]])
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
    """Whether the tensor of that name, or any of the module's own, is computed by a parametrization.

    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    >>> nn.utils.parametrize.is_parametrized(layer), nn.utils.parametrize.is_parametrized(layer, "bias")
    (True, False)
    """
    held = vars(module).get("parametrizations")
    return isinstance(held, ModuleDict) and (len(held) > 0 if tensor_name is None else tensor_name in held)


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Let a parametrized tensor be a parameter or buffer again, with the value that it has now; gives `module`.

    leave_parametrized=False gives it the value of `original` instead, which must be one tensor. ValueError where the
    tensor has no parametrization.

    >>> layer = nn.utils.parametrize.register_parametrization(nn.Linear(2, 2), "weight", nn.ReLU())
    >>> layer = nn.utils.parametrize.remove_parametrizations(layer, "weight")
    >>> layer, (layer.weight >= 0).all()
    (Linear(in_features=2, out_features=2, bias=True), tensor(True))
    """
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
