"""Modules as functions of their parameters."""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..engine.mode import no_grad
from ..engine.refusals import nearest
from ..engine.tape import box
from ..engine.values import Value, as_array
from ..ops import stack


def functional_call(module: Any, parameter_and_buffer_dicts: Any, args: Any = (), kwargs: Any = None, *,
                    tie_weights: bool = True, strict: bool = False) -> Any:
    """module(*args, **kwargs) with other Tensors in the place of its parameters and buffers.

    parameter_and_buffer_dicts: a dict by the names of named_parameters() and named_buffers(), or several. args: a
    tuple, or one argument. tie_weights: what stands for a parameter stands for all that are the same one. strict: all
    are given. What forward() writes into a buffer it writes into the Tensor given for that. KeyError for an unknown
    name.

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> tl.func.functional_call(layer, {"weight": tl.tensor([[1.0, 2.0]])}, tl.tensor([3.0, 4.0]))
    tensor([11.])
    """
    dicts = parameter_and_buffer_dicts
    given: dict[str, Any] = {}
    for part in (dicts,) if isinstance(dicts, Mapping) else dicts:
        for name, value in part.items():
            if name in given:
                raise ValueError(f"functional_call: '{name}' is given twice")
            given[name] = value if isinstance(value, Value) or value is None else box(as_array(value))
    own = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(remove_duplicate=False))
    for name in given:
        if name not in own:
            raise KeyError(f"functional_call: {type(module).__name__} has no parameter or buffer '{name}'"
                           f"{nearest(name, own)}")
    if strict and own.keys() - given.keys():
        raise KeyError(f"functional_call: with strict=True, {', '.join(sorted(own.keys() - given.keys()))} are missing")
    if tie_weights:
        stands_for = {id(own[name]): value for name, value in given.items()}
        given |= {name: stands_for[id(t)] for name, t in own.items() if id(t) in stands_for and name not in given}
    with _replaced(module, given):
        return module(*(args if isinstance(args, tuple) else (args,)), **(kwargs or {}))


@contextmanager
def _replaced(module: Any, given: dict[str, Any]) -> Any:
    """While it lasts, other Tensors in the place of parameters and buffers."""
    rooms, before = dict(module.named_modules(remove_duplicate=False)), []
    try:
        for name, value in given.items():
            room, _, attribute = name.rpartition(".")
            held: Any = vars(rooms[room])
            before.append((held, attribute, held[attribute]))
            held[attribute] = _of_kind(held[attribute], value)
        yield
    finally:
        for held, attribute, value in reversed(before):
            held[attribute] = value


def _of_kind(held: Any, value: Any) -> Any:
    """A Tensor as the Parameter that it stands for, so that forward() finds it among parameters()."""
    if not isinstance(value, Value) or isinstance(value, type(held)):
        return value
    kind: Any = type(held)
    new = kind.__new__(kind)
    Value.__init__(new, value.array, value.node)
    return new


def stack_module_state(models: Sequence) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of modules of one kind, each stacked along a new dimension 0, for `vmap`.

    RuntimeError where the modules differ in class, mode, names or shapes. In the example all are computed at once:

    >>> models = [nn.Linear(3, 2) for _ in range(4)]
    >>> parameters, buffers = tl.func.stack_module_state(models)
    >>> parameters["weight"].shape
    (4, 2, 3)
    >>> one = lambda p, b, x: tl.func.functional_call(models[0], (p, b), x)
    >>> tl.func.vmap(one, in_dims=(0, 0, None))(parameters, buffers, tl.ones(5, 3)).shape
    (4, 5, 2)
    """
    models = list(models)
    if not models or any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: takes modules of one class, at least one")
    if any(m.training is not models[0].training for m in models):
        raise RuntimeError("stack_module_state: the modules are all in training mode, or all in evaluation mode")

    def stacked(kind: str) -> dict[str, Any]:
        held = [dict(getattr(m, kind)()) for m in models]
        if any({k: v.shape for k, v in h.items()} != {k: v.shape for k, v in held[0].items()} for h in held):
            raise RuntimeError(f"stack_module_state: the modules' {kind} differ in names or shapes")
        with no_grad():
            found = {name: stack([h[name].detach() for h in held]) for name in held[0]}
        for name, t in found.items():
            t.requires_grad_(held[0][name].requires_grad)
        return found

    return stacked("named_parameters"), stacked("named_buffers")
