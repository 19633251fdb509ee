"""What a function takes and gives, as lines of a stub: by its signature, and by the samples of the tests."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite.engine.spellings import SIZES, TAKES_DTYPE, WITHOUT_EFFECT

NAMED = {  # what parameters of these names take
    "dim": "Int | Sequence[Int] | None", "axis": "Int | Sequence[Int] | None", "keepdim": "Bool", "keepdims": "Bool",
    "tensors": "Sequence[Tensor]", "operands": "Tensor", "equation": "Str", "inplace": "Bool", "out": "None",
    "eps": "Float | None", "padding": "Int | Sequence[Int] | Str", "stride": "Int | Sequence[Int] | None",
    **dict.fromkeys(("dilation", "output_padding", "kernel_size"), "Int | Sequence[Int]"),
    **dict.fromkeys(("dtype", "generator", "p", "ord", "dims", "mode", "argnum"), "Any")}
REAL = {"beta", "threshold", "value", "alpha", "min", "max"}  # whose default is written as a whole number
ALSO = {"dim": "axis", "keepdim": "keepdims", "argnums": "argnum"}  # numpy's names, in the same calls
PYTORCHS = {"x": "input", "y": "other"}
RENAMED = {("split", "split_size_or_sections"): "split_size", ("pinv", "rtol"): "rcond",
           **{(name, "func"): "fun" for name in ("grad", "value_and_grad", "jacobian", "hessian")},
           **{(name, "size"): "shape" for name in ("full", "randint", "normal")}}  # one argument under a second name
PARTED = {"return_indices", "as_tuple"}  # with these the result is a tuple
ALL_IN_ONE = {"reshape": "size", "view": "size", "expand": "size", "repeat": "repeats", "tile": "dims", "flip": "axis",
              "permute": "axes"}  # what sizes in one tuple are called too
SECOND = {"mm": "mat2", "bmm": "mat2", "mv": "vec", "outer": "vec2", "ger": "vec2"}  # and its name of the second
KEYWORD, POSITION = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD


def type_of_default(name: str, default: Any) -> str:
    """What a parameter takes, as far as its name or its default says."""
    if name == "dim" and default is not None:
        return "Sequence[Int]" if type(default) is tuple else "Int"
    if name in NAMED:
        return NAMED[name]
    return {bool: "Bool", int: "Float" if name in REAL else "Int", float: "Float", str: "Str"}.get(type(default), "Any")


def written(p: inspect.Parameter, required: str | None = None) -> str:
    """A parameter as a stub has it; `required` is its type in a call that must give it."""
    annotation = p.annotation if p.annotation is not p.empty else type_of_default(p.name, p.default)
    annotation = required or spelled(annotation)
    if p.kind is p.VAR_POSITIONAL:
        annotation = annotation.removeprefix("Sequence[").removesuffix("]")
    stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
    default = "" if p.default is p.empty or required else " = ..."
    return f"{stars}{p.name}: {annotation}{default}"


def spelled(annotation: Any) -> str:
    """An annotation as a stub has it: `bool`, `int` and `float` are methods and dtypes there."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"\b(bool|int|float|str)\b", lambda match: match[0].capitalize(), text)
    return re.sub(r"tinygrad_lite\.(tensor|settings)\.|collections\.abc\.|typing\.", "", text)


def parameters(function: Callable, samples: Sequence[Any] = ()) -> list[inspect.Parameter]:
    """What a function takes, under PyTorch's names and numpy's; several dimensions where samples give them."""
    name = getattr(function, "__name__", "")
    found = [p.replace(name="input" if k == 0 and p.name in "xy" else SECOND.get(name, "other") if p.name == "y"
                       else PYTORCHS.get(p.name, p.name))
             for k, p in enumerate(inspect.signature(function).parameters.values())]
    given = [value for sample in samples for p, value in [*zip(found, sample.args)] if p.name == "dim"]
    if any(isinstance(value, tuple) for value in given + [sample.kwargs.get("dim") for sample in samples]):
        found = [p.replace(annotation=f"Int | Sequence[Int]{' | None' * (p.default is None)}") if p.name == "dim" else p
                 for p in found]
    extra = [p.replace(name=ALSO[p.name], kind=KEYWORD, annotation=NAMED[ALSO[p.name]], default=None)
             for p in found if p.name in ALSO and p.default is not p.empty]
    ignored = WITHOUT_EFFECT if any(p.name == "requires_grad" for p in found) else ()
    extra += [inspect.Parameter(word, KEYWORD, default=None, annotation="Any")
              for word in (*["dtype"] * (name in TAKES_DTYPE), *sorted(ignored))]
    last = [found.pop()] if found and found[-1].kind is inspect.Parameter.VAR_KEYWORD else []
    return found + [p for p in extra if p.name not in {f.name for f in found}] + last


def respelled(function: str, taken: list[inspect.Parameter]) -> Iterator[list[inspect.Parameter]]:
    """The same arguments under other names: a dimension that must be given as numpy's axis, sizes all in one."""
    for k, p in enumerate(taken):
        after = [q.replace(kind=KEYWORD) if q.kind is POSITION else q for q in taken[k + 1:]]
        if p.name == "dim" and p.default is p.empty:
            yield [*taken[:k], p.replace(name="axis", kind=KEYWORD, annotation="Int"), *after]
        if p.name == "src":
            yield [*taken[:k], p.replace(name="value", kind=KEYWORD, annotation="Float", default=p.empty), *after]
        if (function, p.name) in RENAMED:
            yield [*taken[:k], p.replace(name=RENAMED[function, p.name], kind=KEYWORD, default=p.empty), *after]
        if p.kind is p.VAR_POSITIONAL and p.name in {"sizes", *SIZES}:
            other = "shape" if p.name == "size" else p.name
            for name in dict.fromkeys((p.name, ALL_IN_ONE.get(function, other))):
                yield [*taken[:k], p.replace(name=name, kind=KEYWORD, annotation="Any"), *after]


class Results:
    """What functions give: seen when they are called with the samples of the tests."""

    def __init__(self) -> None:
        self.records: dict[str, str] = {}  # named tuples: name -> definition

    def of(self, function: Callable, samples: list[Any]) -> tuple[str, str | None]:
        """The result, and that of calls that name a dimension where it is another."""
        if not samples:
            returned = inspect.signature(function).return_annotation
            return "Any" if returned is inspect.Signature.empty else spelled(returned), None
        seen: dict[bool, set[str]] = {False: set(), True: set()}
        names = [*inspect.signature(function).parameters]
        for sample in samples:
            given = dict(zip(names, sample.args)) | sample.kwargs
            seen[given.get("dim") is not None].add(self._name(function(*map(_boxed, sample.args), **sample.kwargs)))
        whole, along = (found.pop() if len(found) == 1 else "Any" * bool(found) for found in (seen[False], seen[True]))
        return whole or along, along if along and whole and along != whole else None

    def _name(self, result: Any) -> str:
        if isinstance(result, tl.Tensor):
            return "Tensor"
        if hasattr(result, "names"):
            name = type(result).__name__.title().replace("_", "") + "Result"
            parts = "".join(f"    {part}: Tensor\n" for part in result.names)
            self.records[name] = f"class {name}(NamedTuple):\n{parts}"
            return name
        if isinstance(result, (tuple, list)) and all(isinstance(part, tl.Tensor) for part in result):
            return f"{type(result).__name__}[Tensor{', ...' * isinstance(result, tuple)}]"
        return type(result).__name__.capitalize() if type(result) in (bool, int, float) else "Any"


def _boxed(x: Any) -> Any:
    if isinstance(x, list) and any(isinstance(part, np.ndarray) for part in x):
        return [_boxed(part) for part in x]
    return tl.tensor(np.asarray(x)) if isinstance(x, np.ndarray) else x


def function_stub(name: str, function: Callable, results: Results, samples: list[Any],
                  method: bool = False) -> list[str]:
    """The lines of a function: of Tensors it gives Tensors, of arrays arrays."""
    whole, along = results.of(function, samples)
    taken = parameters(function, samples)
    if method:
        taken = taken[1:]
    calls = [(taken, whole, None), *((variant, whole, None) for variant in respelled(name, taken))]
    if along:  # a call that names a dimension gives something else: by place, and as numpy calls it
        by_axis = [p.replace(kind=KEYWORD) if p.name == "keepdim" else p for p in taken if p.name != "dim"]
        without = [p.replace(kind=POSITION) if p.name == "other" else p for p in taken
                   if p.name not in ("dim", "axis", "keepdim", "keepdims")]
        calls = [([p for p in taken if p.name != "axis"], along, "dim"), (by_axis, along, "axis"),
                 ([*without, *(p.replace(kind=KEYWORD, annotation="None", default=None)
                               for p in taken if p.name in ("dim", "axis"))], whole, None)]
    switch = next((p for p in taken if p.name in PARTED), None)
    if switch:  # the switch as a keyword gives a tuple
        others = [p for p in taken if p is not switch]
        given = [p.replace(kind=KEYWORD) if p.default is not p.empty else p for p in others]
        calls = [(others, whole, None), ([*given, switch.replace(kind=KEYWORD, default=switch.empty)], "Any", None)]
    if name == "where":  # of a condition alone
        chosen = [p.replace(default=p.empty) for p in taken]
        calls = [(chosen, whole, None)] + [(chosen[:1], "tuple[Tensor, ...]", None)] * (not method)
    lines = [line(name, parts, result, method, needed, tensors=bool(samples)) for parts, result, needed in calls]
    loose = line(name, taken, "Any", method, loose=True)
    if samples and not method and loose.partition(" ->")[0] != lines[-1].partition(" ->")[0]:
        lines.append(loose)
    return overloads(lines)


def overloads(lines: Sequence[str]) -> list[str]:
    """The ways to call a function of one name."""
    return [part for text in lines for part in ("@overload", text)] if len(lines) > 1 else [*lines]


def line(name: str, taken: list, result: str, method: bool, needed: str | None = None, loose: bool = False,
          tensors: bool = True) -> str:
    """One line; `needed` is an argument that must be a whole number; tensors: the first argument is one, loose: all may
    be anything."""
    parts = ["self"] if method else []
    for k, p in enumerate(taken):
        if p.kind is KEYWORD and not any(part.startswith("*") for part in parts):
            parts.append("*")
        first = k == 0 and tensors and not method and p.kind is not p.VAR_POSITIONAL
        tensor = "Tensor" if first and type_of_default(p.name, p.default) == "Any" else None
        part = written(p, "Int" if p.name == needed else tensor)
        parts.append(re.sub("Tensor|Sequence\\[Tensor\\]", "Any", part) if loose else part)
    return f"def {name}({', '.join(parts)}) -> {result}: ..."
