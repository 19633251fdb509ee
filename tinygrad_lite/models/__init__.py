"""Models that one trains: a file each, built from tinygrad_lite.nn."""

from ..engine.spellings import hinting
from .gpt import GPT, GPTConfig

__all__ = ["GPT", "GPTConfig"]
__getattr__ = hinting(globals())
