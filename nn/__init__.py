"""Layers and functions of neural networks."""

from . import functional
from .layers import CrossEntropyLoss, Linear, MSELoss, ReLU, Sequential, Sigmoid, Tanh
from .module import Module, Parameter
