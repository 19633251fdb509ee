"""Writes what editors and type checkers read of what is made when the library is imported.

    python docs/stubs.py          # or: make written

Names, arguments and defaults are those of the operations as they are; results are those of the samples in tests/ops.
"""

import ast
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/ops")]

from functional_table import FUNCTIONAL  # noqa: E402
from signatures import PARTED, Results, function_stub, line, overloads, parameters, respelled, spelled  # noqa: E402
from table import TABLE  # noqa: E402
from tinygrad_lite.nn import activations, dropouts, losses, padding, pooling, shaping  # noqa: E402
from tinygrad_lite.nn import functional as F  # noqa: E402

import tinygrad_lite as tl  # noqa: E402
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
                lines += overloads([line(name, way, "Tensor", method=True) for way in ways])
            else:
                lines += function_stub(name, value, results, samples, method=True)
    body = "".join(f"    {text}\n" for text in lines)
    made = [line(name, parameters(function), "Tensor", False) for name, function in (TYPED | IN_PLACE).items()]
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
        text += f"    {line('__init__', made, 'None', True)}\n"
        for method in ("__call__", "forward"):
            text += f"    {line(method, forward, result, True)}\n"
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
                                  line(own, mode, "Switch", method=False, tensors=False)])
        elif inspect.isfunction(value) and source not in STUBBED and (
                hasattr(value, "__wrapped__") or value.__module__ == "tinygrad_lite.methods"):
            yield from _written_out(own, value)
        else:
            plain.append((name, own))
    if plain:
        yield f"from {source} import {', '.join(f'{name} as {name}' for name, _ in plain)}"
    yield from (f"{own} = {name}" for name, own in plain if name != own)


def _written_out(name: str, function: Callable) -> list[str]:
    """The lines of a function by its own annotations."""
    taken, result = parameters(function), spelled(inspect.signature(function).return_annotation)
    arrays = [p.replace(annotation=Any) if p.annotation is tl.Tensor else p for p in taken]
    if taken and taken[0].annotation is tl.Tensor and result == "Tensor":
        ways = [([taken[0], *arrays[1:]], result), (arrays, "Any")]  # of what is no Tensor: an array, or a Tensor
    else:
        ways = [(arrays, result)]
    ways += [(way, result) for way in respelled(name, arrays)]
    return overloads([line(name, way, given, method=False, tensors=False) for way, given in ways])


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
