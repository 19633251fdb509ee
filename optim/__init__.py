"""Optimizers: one base, and one update rule each."""

from .optimizer import SGD, Adam, AdamW, Optimizer
