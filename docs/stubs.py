"""Writes what editors and type checkers read of the operations: they are made when the library is imported.

    python docs/stubs.py          # or: make stubs

Names, arguments and defaults are those of the operations as they are; results are those of the samples in tests/ops.
"""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/ops")]

from functional_table import FUNCTIONAL  # noqa: E402
from table import TABLE, Sample  # noqa: E402
from tinygrad_lite.nn import activations, dropouts, losses, padding, pooling, shaping  # noqa: E402
from tinygrad_lite.nn import functional as F  # noqa: E402

import tinygrad_lite as tl  # noqa: E402
from tinygrad_lite.engine.spellings import SIZES, TAKES_DTYPE  # noqa: E402
from tinygrad_lite.methods import IN_PLACE, TYPED  # noqa: E402

LAYERS = (activations, dropouts, losses, padding, pooling, shaping)

PACKAGES = [f"{package}/__init__.py" for package in (
    "tinygrad_lite", "nn", "nn/utils", "optim",
    *(f"tinygrad_lite/{name}" for name in (
        "data func models training view estimators drills parallel compiler textbook").split()))]

HEAD = '''# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
from builtins import bool as Bool
from builtins import float as Float
from builtins import int as Int
from builtins import str as Str
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, overload

import numpy

from {tensor} import Tensor as Tensor

'''
NAMED = {  # what parameters of these names take
    "dim": "Int | Sequence[Int] | None", "axis": "Int | Sequence[Int] | None", "keepdim": "Bool", "keepdims": "Bool",
    "tensors": "Sequence[Tensor]", "operands": "Tensor", "equation": "Str", "inplace": "Bool", "out": "None",
    "eps": "Float | None", "padding": "Int | Sequence[Int] | Str", "stride": "Int | Sequence[Int] | None",
    **dict.fromkeys(("dilation", "output_padding", "kernel_size"), "Int | Sequence[Int]"),
    **dict.fromkeys(("dtype", "generator", "p", "ord", "dims", "mode", "argnum"), "Any")}
REAL = {"beta", "threshold", "value", "alpha", "min", "max"}  # whose default is written as a whole number
ALSO = {"dim": "axis", "keepdim": "keepdims", "argnums": "argnum"}  # numpy's names, in the same calls
PYTORCHS = {"x": "input", "y": "other"}
PARTED = {"return_indices", "as_tuple"}  # with these the result is a tuple
ALL_IN_ONE = {"reshape": "size", "view": "size", "expand": "size", "repeat": "repeats", "tile": "dims", "flip": "axis",
              "permute": "axes"}  # what sizes in one tuple are called too
SECOND = {"mm": "mat2", "bmm": "mat2", "mv": "vec", "outer": "vec2", "ger": "vec2"}  # and its name of the second
DECORATORS = {"no_grad", "enable_grad", "inference_mode", "expanded"}
STUBBED = (".ops", ".nn.functional")
COMPILED = '''\
from .compiler import Compiled
from .engine.mode import Switch
_F = TypeVar("_F", bound=Callable[..., Any])
_P = ParamSpec("_P")
_R = TypeVar("_R")
class _Compiled(Compiled, Generic[_P, _R]):
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...  # type: ignore[override]
@overload
def compile(function: Callable[_P, _R], *, state: Any = ..., strict: Bool = ..., max_retraces: Int = ...
            ) -> _Compiled[_P, _R]: ...
@overload
def compile(*, state: Any = ..., strict: Bool = ..., max_retraces: Int = ...
            ) -> Callable[[Callable[_P, _R]], _Compiled[_P, _R]]: ...'''
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
    return re.sub(r"tinygrad_lite\.tensor\.|collections\.abc\.|typing\.", "", text)


def parameters(function: Callable, samples: Sequence[Sample] = ()) -> list[inspect.Parameter]:
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
    if name in TAKES_DTYPE:
        extra.append(inspect.Parameter("dtype", KEYWORD, default=None))
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
        if p.kind is p.VAR_POSITIONAL and p.name in {"sizes", *SIZES}:
            for name in dict.fromkeys((p.name, ALL_IN_ONE.get(function, p.name))):
                yield [*taken[:k], p.replace(name=name, kind=KEYWORD, annotation="Any"), *after]


class Results:
    """What functions give: seen when they are called with the samples of the tests."""

    def __init__(self) -> None:
        self.records: dict[str, str] = {}  # named tuples: name -> definition

    def of(self, function: Callable, samples: list[Sample]) -> tuple[str, str | None]:
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


def function_stub(name: str, function: Callable, results: Results, samples: list[Sample],
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
    lines = [_line(name, parts, result, method, needed, tensors=bool(samples)) for parts, result, needed in calls]
    loose = _line(name, taken, "Any", method, loose=True)
    if samples and not method and loose.partition(" ->")[0] != lines[-1].partition(" ->")[0]:
        lines.append(loose)
    return overloads(lines)


def overloads(lines: Sequence[str]) -> list[str]:
    """The ways to call a function of one name."""
    return [part for line in lines for part in ("@overload", line)] if len(lines) > 1 else [*lines]


def _line(name: str, taken: list, result: str, method: bool, needed: str | None = None, loose: bool = False,
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


def functions(names: dict[str, Callable], rows: dict, tensor: str, before: str = "") -> str:
    """The stub of a module of functions."""
    results, lines = Results(), []
    for name, function in names.items():
        samples = rows[function.__name__].samples if function.__name__ in rows else []
        lines += function_stub(name, function, results, samples)
    return HEAD.format(tensor=tensor) + before + "\n".join([*results.records.values(), *lines]) + "\n"


def methods() -> str:
    """The stub of the methods that Tensor is given after its class is written."""
    results, lines = Results(), []
    source = (ROOT / "tinygrad_lite/tensor.py").read_text(encoding="utf-8")
    for name, value in sorted(vars(tl.Tensor).items()):
        if name.startswith("_") or f"    def {name}(" in source or f"    {name} = property" in source:
            continue
        if isinstance(value, property):
            lines += ["@property", f"def {name}(self) -> Any: ..."]
        elif inspect.isfunction(value):
            samples = TABLE[value.__name__].samples if value in tl.ops.VOCABULARY.values() else []
            if name.endswith("_"):
                first = parameters(value)[1:]
                ways = [first, *respelled(name, first)]
                lines += overloads([_line(name, way, "Tensor", method=True) for way in ways])
            else:
                lines += function_stub(name, value, results, samples, method=True)
    body = "".join(f"    {line}\n" for line in lines)
    made = [_line(name, parameters(function), "Tensor", False) for name, function in (TYPED | IN_PLACE).items()]
    return HEAD.format(tensor=".tensor") + "\n".join(
        [f"from .ops import {', '.join(sorted(results.records))}", *made, "", f"class Methods:\n{body}"])


def layers(module: Any) -> str:
    """The stub of a file of layers: what each is made with, and what it takes."""
    text = HEAD.format(tensor="tinygrad_lite.tensor") + "from .module import Module\n\n"
    text += f"__all__ = {module.__all__}\n"
    for name in module.__all__:
        layer = getattr(module, name)
        forward, made = parameters(layer.forward)[1:], parameters(layer.__init__)[1:]
        result = "Any" if any(p.name in PARTED for p in made) else "Tensor"
        text += f"\nclass {name}(Module):\n"
        text += f"    {_line('__init__', made, 'None', True)}\n"
        for method in ("__call__", "forward"):
            text += f"    {_line(method, forward, result, True)}\n"
    return text


def exports(file: str) -> str:
    """The stub of a package: each name that it takes from its files is one of its own, as strict type checkers ask."""
    name = file.removesuffix("/__init__.py").replace("/", ".")
    module = importlib.import_module(name if name.startswith("tinygrad_lite") else f"tinygrad_lite.{name}")
    lines: list[str] = []
    for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            lines += _taken(node, module)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            lines.append(ast.unparse(node))
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            node.body, node.decorator_list = [ast.Expr(ast.Constant(...))], []
            lines.append(ast.unparse(node))
        elif isinstance(node, ast.Assign):
            targets = [n for target in node.targets for n in getattr(target, "elts", [target])]
            for name in (target.id for target in targets if isinstance(target, ast.Name)):
                if (not name.startswith("_") or name == "__version__") and hasattr(module, name):
                    lines.append(_assigned(name, node.value, getattr(module, name)))
    if module is tl:
        lines += [COMPILED, "from .vocabulary import *"]
    return HEAD.format(tensor="tinygrad_lite.tensor") + "\n".join(lines) + "\n"


def _taken(node: ast.ImportFrom, module: Any) -> Iterator[str]:
    """What a package takes from a file: functions whose signature a decorator hides are written out."""
    source = f"{'.' * node.level}{node.module or ''}"
    names = [(a.name, a.asname or a.name) for a in node.names]
    if names == [("*", "*")]:
        file = importlib.import_module(source, module.__name__)
        names = [(name, name) for name in getattr(file, "__all__", vars(file))
                 if getattr(module, name, None) is getattr(file, name)]  # and not what the package calls so itself
    plain = []
    for name, own in names:
        value = getattr(module, own, None)
        if own.startswith("_") or value is None or (module is tl and own == "compile"):
            continue
        if own in DECORATORS:
            mode = [p for p in parameters(value) if p.name != "function"]
            yield from overloads([f"def {own}(function: _F) -> _F: ...",
                                  _line(own, mode, "Switch", method=False, tensors=False)])
        elif inspect.isfunction(value) and hasattr(value, "__wrapped__") and source not in STUBBED:
            yield from _written_out(own, value)
        else:
            plain.append((name, own))
    if plain:
        yield f"from {source} import {', '.join(f'{name} as {name}' for name, _ in plain)}"
    yield from (f"{own} = {name}" for name, own in plain if name != own)


def _written_out(name: str, function: Callable) -> list[str]:
    """The lines of a function by its own annotations."""
    taken, result = parameters(function), spelled(inspect.signature(function).return_annotation)
    ways = [taken, *respelled(name, taken)]
    return overloads([_line(name, way, result, method=False, tensors=False) for way in ways])


def _assigned(name: str, written: ast.expr, value: Any) -> str:
    """A variable of a package: another name for what stands elsewhere, or its type."""
    if isinstance(written, ast.Name):
        return f"{name} = {written.id}"
    if value is np.dtype:
        return "from numpy import dtype as dtype"
    kinds = {np.dtype: "numpy.dtype[Any]", float: "Float", str: "Str"}
    return f"{name}: {next((text for kind, text in kinds.items() if isinstance(value, kind)), 'Any')}"


def stubs() -> dict[Path, str]:
    """Every stub by its file."""
    operations = {name: getattr(tl.ops, name) for name in tl.ops.__all__}
    of_networks = {name: value for name, value in vars(F).items() if inspect.isfunction(value) and name[0] != "_"}
    tables = "PRIMITIVES: list[Any]\nVOCABULARY: dict[Str, Callable]\nALIASES: dict[Str, Str]\n\n"
    files = {"tinygrad_lite/ops/__init__.pyi": functions(operations, TABLE, "..tensor", tables),
             "tinygrad_lite/vocabulary.pyi": methods(),
             "nn/functional/__init__.pyi": functions(of_networks, TABLE | FUNCTIONAL, "tinygrad_lite.tensor")}
    for file in PACKAGES:
        files[file + "i"] = exports(file)
    for module in LAYERS:
        files[f"nn/{module.__name__.rpartition('.')[2]}.pyi"] = layers(module)
    return {ROOT / file: text for file, text in files.items()}


if __name__ == "__main__":
    for path, text in stubs().items():
        path.write_text(text, encoding="utf-8")
