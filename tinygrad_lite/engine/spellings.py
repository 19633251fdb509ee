"""What people call an argument: PyTorch's and numpy's names for what has another one here."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from .refusals import REFUSALS, nearest, refused
from .values import converted

SPELLINGS = {  # as people write it: as it may be called here
    "input": ("x", "start", "index"), "other": ("y",), "a": ("x",), "b": ("y",), "A": ("x",), "B": ("y",),
    "tensor": ("x", "y", "index"), "mat2": ("y",), "vec": ("y",), "vec2": ("y",), "axis": ("dim", "dims"),
    "axes": ("dims",), "dim": ("dims",), "keepdims": ("keepdim",), "axis0": ("dim0",), "axis1": ("dim1",),
    "value": ("src",), "size": ("shape",), "shape": ("size",), "split_size": ("split_size_or_sections",),
    "rcond": ("rtol",), "argnum": ("argnums",), "fun": ("func",)}
SIZES = {"size", "shape", "dims", "axes", "axis", "repeats"}  # one tuple where they may be given one by one
WITHOUT_EFFECT = {"layout", "pin_memory", "memory_format"}  # there is one layout, and one memory
TAKES_DTYPE = frozenset(
    "sum nansum mean prod cumsum cumprod softmax softmin log_softmax norm vector_norm matrix_norm".split())


def hinting(names: dict[str, Any]) -> Callable[[str], Any]:
    """What a module takes for its `__getattr__`: the error for a name that is not among its own says the nearest."""
    def missing(name: str) -> Any:
        meant = [n for n, value in names.items() if not inspect.ismodule(value)]  # Linear, and not the file linear.py
        hint = (nearest(name, meant) or nearest(name, names)) if not name.startswith("_") else ""
        raise AttributeError(f"module '{names['__name__']}' has no attribute '{name}'{hint}", name=None, obj=None)

    return missing


def respelt(name: str, own: Iterable[str], rest: str | None, args: tuple, kwargs: dict,
            first: str | None = None) -> tuple[tuple, dict]:
    """The arguments of a call under the `own` names of a function; `rest` takes any number of them, after `first`."""
    named: dict[str, Any] = {}
    sizes: tuple = ()
    for word, value in kwargs.items():
        if word not in own and word == "out":
            if value is not None:
                refuse_out(name)
        elif word not in own and word in WITHOUT_EFFECT:
            continue
        elif rest is not None and word in {rest, *SIZES}:
            if len(args) > (first is not None and first not in kwargs) or sizes:
                raise TypeError(f"{name}() got its sizes twice: by place and as '{word}'")
            sizes = tuple(value) if isinstance(value, (tuple, list)) else (value,)
        else:
            word = next((w for w in (word, *SPELLINGS.get(word, ())) if w in own), word)
            if word not in own:
                raise TypeError(f"{name}() got an unexpected keyword argument '{word}'{nearest(word, own)}")
            if word in named:
                raise TypeError(f"{name}() got multiple values for argument '{word}'")
            named[word] = value
    if sizes and first in named:
        args = (named.pop(str(first)), *args)
    return (*args, *sizes), named


def refuse_out(name: str) -> None:
    """The TypeError of who is given a tensor for the result."""
    raise TypeError(f"{name}: out= is not taken, a result is a new tensor: write out.copy_({name}(…))")


def takes_dtype(name: str, kwargs: dict) -> bool:
    """Whether a call names the dtype to compute in: `in_dtype` knows how."""
    return "dtype" in kwargs and name in TAKES_DTYPE


def in_dtype(function: Callable, *args: Any, dtype: Any, **kwargs: Any) -> Any:
    """What the function gives of its first argument in another dtype, which the result has too."""
    if dtype is None:
        return function(*args, **kwargs)
    if not args:
        args = (kwargs.pop("input", None) if "input" in kwargs else kwargs.pop("x"),)
    out = function(converted(args[0], dtype), *args[1:], **kwargs)
    return converted(out, dtype)


def spelt(function: Callable) -> Callable:
    """A function that takes its arguments under PyTorch's and numpy's names too, and says what it does not take."""
    parameters = inspect.signature(function).parameters.values()
    own = {p.name: None for p in parameters if p.kind is not p.VAR_POSITIONAL}
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
    first = next((p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD), None)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not kwargs.keys() <= own.keys():
            if takes_dtype(function.__name__, kwargs):
                return in_dtype(call, *args, **kwargs)
            args, kwargs = respelt(function.__name__, own, rest, args, kwargs, first)
        try:
            return function(*args, **kwargs)
        except REFUSALS as error:
            raise refused(function, (*args, *kwargs.values()), error) from None

    return call


def spell(names: dict[str, Any]) -> None:
    """Make the functions of a package's own modules take their arguments so; operations do anyway."""
    own = names["__name__"] + "."
    for name, value in names.items():
        if inspect.isfunction(value) and value.__module__.startswith(own) and not hasattr(value, "rules"):
            names[name] = spelt(value)
            names[name].__module__ = names["__name__"]  # where pickle finds it
