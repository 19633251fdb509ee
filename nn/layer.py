"""Layer: a module that is said in one line, by the function that it calls."""

import inspect
import re
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from tinygrad_lite.creation import empty

from .module import Module, Parameter

BUFFERS = ("weight", "pos_weight")  # settings that are tensors: they go with the module to another dtype and file
SELF = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Layer(Module):
    """A module whose forward() is a function of its inputs and of settings, which the module keeps as attributes.

    So a class can be said in one line: it gives F.elu(input, alpha=…, inplace=…) with the settings that it was made
    with. `inputs` is how many of the function's arguments forward() takes; the others are settings, in this order
    unless `settings` names them. `training` is the module's own. `shown` is what repr shows in the parentheses. The
    function's docstring is that of the class, where this has none, with `F.elu(` turned into `nn.ELU()(`.

    >>> class ELU(nn.layer.Layer, function=F.elu): ...
    >>> layer = ELU(alpha=2.0)
    >>> layer
    ELU(alpha=2.0)
    >>> layer(tl.tensor([-100.0, 3.0]))
    tensor([-2.,  3.])
    """

    _function: Callable
    _inputs = 1
    _signature: inspect.Signature
    _passed: tuple[str, ...]
    _shown: Any = None  # a format of its settings

    def __init_subclass__(cls, function: Callable | None = None, inputs: int | None = None, settings: str | None = None,
                          shown: str | None = None, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls._inputs = cls._inputs if inputs is None else inputs
        cls._shown = cls._shown if shown is None else shown
        if function is None:
            return
        cls._function = staticmethod(function)
        cls.__doc__ = cls.__doc__ or re.sub(  # with the function's example, called through the module
            rf"(F|tl)\.{function.__name__}\(", f"nn.{cls.__name__}()(", function.__doc__ or "")
        parameters = inspect.signature(function).parameters
        names = [*parameters][cls._inputs:]
        cls._passed = tuple(names if settings is None else settings.split())
        own = [parameters[name] for name in cls._passed if name != "training"]
        cls._signature = inspect.Signature(own)
        inputs_ = [p.replace(name="input") if p.name == "x" else p for p in [*parameters.values()][: cls._inputs]]
        for method, taken in ((Layer.__init__, own), (Layer.forward, inputs_)):
            if getattr(cls, method.__name__).__code__ is method.__code__:  # the class has none of its own
                setattr(cls, method.__name__, _with_signature(method, taken))

    def __init__(self, *args: Any, **settings: Any) -> None:
        try:
            bound = self._signature.bind(*args, **settings)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}") from None
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            if name in BUFFERS:
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)
        self.settle()

    def settle(self) -> None:
        """What a family of layers does with its settings when they are there: checks them, fills them up."""

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The function of the inputs."""
        return self._function(*inputs, **named, **{name: getattr(self, name) for name in self._passed})

    def extra_repr(self) -> str:
        """The settings; `inplace` where it is True."""
        if self._shown is not None:
            return self._shown.format_map(vars(self))
        shown = {name: getattr(self, name) for name in self._signature.parameters}
        return ", ".join(f"{name}={value!r}" for name, value in shown.items() if name != "inplace" or value)


def _with_signature(method: Any, parameters: Sequence[inspect.Parameter]) -> Callable:
    """The same method, which says that it takes these."""
    copy: Any = FunctionType(method.__code__, method.__globals__, method.__name__, None, method.__closure__)
    copy.__doc__ = method.__doc__
    copy.__signature__ = inspect.Signature([SELF, *parameters])
    return copy


def weights(*shape: int, dtype: Any = None, device: Any = None) -> Parameter:
    """A parameter that is to be filled, of the default dtype unless another is given."""
    return Parameter(empty(shape, dtype=dtype, device=device))
