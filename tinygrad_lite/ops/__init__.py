"""The vocabulary: functions that work alike on numpy arrays and on Tensors."""

import inspect
from collections.abc import Callable
from typing import Any

from ..engine import tape
from ..engine.spellings import spelt
from . import (
    described,
    elementwise,
    index,
    join,
    linalg,
    matrix,
    order,
    parts,
    reduce,
    scan,
    shape,
    special,
    statistics,
    transcendental,
)
from .elementwise import *  # noqa: F403
from .index import *  # noqa: F403
from .join import *  # noqa: F403
from .linalg import *  # noqa: F403
from .matrix import *  # noqa: F403
from .order import *  # noqa: F403
from .parts import *  # noqa: F403
from .reduce import *  # noqa: F403
from .scan import *  # noqa: F403
from .shape import *  # noqa: F403
from .special import *  # noqa: F403
from .statistics import *  # noqa: F403
from .transcendental import *  # noqa: F403

MODULES = (tape, elementwise, transcendental, special, shape, index, parts, join, reduce, scan, order, statistics,
           linalg, matrix)
PRIMITIVES: list[Any] = []  # every operation that records a node
VOCABULARY: dict[str, Callable] = {"broadcast_to": tape.broadcast_to}  # every public function by its name

for _module in MODULES:
    for _name, _op in vars(_module).items():
        if hasattr(_op, "rules") and _op not in PRIMITIVES:
            PRIMITIVES.append(_op)
            if not _name.startswith("_") and _module is not tape:  # mul, and not numpy's multiply
                _op.__name__ = _op.__qualname__ = _name
            _op.__module__ = _module.__name__
        if not _name.startswith("_") and getattr(_op, "__module__", "") == _module.__name__ != tape.__name__:
            VOCABULARY[_name] = _op if hasattr(_op, "rules") else spelt(_op)  # an operation reads its arguments itself
for _name, _described in vars(described).items():
    if _name in VOCABULARY:
        VOCABULARY[_name].__doc__ = _described.__doc__
        VOCABULARY[_name].__signature__ = inspect.signature(_described)  # type: ignore[attr-defined]
for _name in ("add", "sub", "div"):  # which an operator calls without the settings of the function
    getattr(elementwise, "_" + _name).__doc__ = VOCABULARY[_name].__doc__
globals().update(VOCABULARY)

ALIASES = {  # PyTorch's and numpy's second names, what they mean the same in both
    "absolute": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan",
    "arctan2": "atan2", "arctanh": "atanh", "argwhere": "nonzero", "clip": "clamp", "concat": "cat",
    "concatenate": "cat", "divide": "div", "fix": "trunc", "ger": "outer", "greater": "gt", "greater_equal": "ge",
    "inverse": "inv", "less": "lt", "less_equal": "le", "moveaxis": "movedim", "multiply": "mul", "negative": "neg",
    "not_equal": "ne", "ravel": "flatten", "row_stack": "vstack", "sgn": "sign", "subtract": "sub",
    "swapdims": "swapaxes", "true_divide": "div", "vdot": "dot"}
globals().update({alias: VOCABULARY[name] for alias, name in ALIASES.items()})

__all__ = [*VOCABULARY, *ALIASES]  # type: ignore[misc]
