"""The vocabulary: functions that work alike on numpy arrays and on Tensors."""

from typing import Any

from .. import tape
from . import elementwise, index, linalg, reduce, shape
from .elementwise import *  # noqa: F403
from .index import getitem, place, put, take_along_dim  # noqa: F401
from .linalg import *  # noqa: F403
from .reduce import *  # noqa: F403
from .shape import *  # noqa: F403

TABLE: dict[str, Any] = {}  # every primitive by its name: that of the variable it stands in, less helpers' affixes
for _module in (tape, elementwise, shape, index, reduce, linalg):
    for _name, _op in vars(_module).items():
        if hasattr(_op, "rules"):
            _name = _name.strip("_").removesuffix("_to_shape").removesuffix("_dims").removesuffix("_scalar")
            _op.__name__ = _op.__qualname__ = _name
            TABLE.setdefault(_name, _op)
