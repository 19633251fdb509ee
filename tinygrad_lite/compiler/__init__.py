"""Compiling: a traced function as a numpy program."""

from .compiled import Compiled, Fallback, compile
from .derive import derive
from .trace import CompileError
