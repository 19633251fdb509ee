"""Optimizers: one base, and one update rule each."""

from tinygrad_lite.engine.spellings import hinting as _hinting

from .optimizer import SGD, Adam, AdamW, Optimizer

__getattr__ = _hinting(globals())
