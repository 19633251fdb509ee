"""Compiling: a traced function as a numpy program."""

from .compiled import Compiled, Fallback, compile
from .trace import CompileError
