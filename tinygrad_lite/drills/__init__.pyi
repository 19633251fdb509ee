# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
import typing as _typing
import numpy as _np
from builtins import float as _Float
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
