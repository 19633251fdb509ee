# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
from builtins import bool as Bool
from builtins import float as Float
from builtins import int as Int
from builtins import str as Str
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, overload

import numpy

from tinygrad_lite.tensor import Tensor as Tensor

import inspect
import textwrap
from typing import Any
from ..engine.refusals import Told as Told
from . import catalog as catalog, source as source
from .catalog import names as names
from .drill import Case as Case, Drill as Drill, Wrong as Wrong
from .judge import asked as asked, examine as examine
from .report import Report as Report
from .sandbox import check_file as check_file
def check(name: str, *functions: Any, on: str='numpy', **named: Any) -> Report:
    ...
