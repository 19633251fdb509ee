"""tinygrad_lite: one numpy Tensor with a reverse-mode tape, small enough to read in an evening."""

from . import autograd, data, nn, ops, optim
from .creation import arange, from_numpy, manual_seed, ones, rand, randint, randn, randperm, tensor, zeros
from .mode import enable_grad, expanded, is_grad_enabled, no_grad, set_grad_enabled
from .saving import load, save
from .tape import by_hand, primitive
from .tensor import Tensor
from .view import draw

__all__ = [
    "Tensor", "arange", "autograd", "by_hand", "data", "draw", "enable_grad", "expanded", "from_numpy",
    "is_grad_enabled", "load", "manual_seed", "nn", "no_grad", "ones", "ops", "optim", "primitive", "rand",
    "randint", "randn", "randperm", "save", "set_grad_enabled", "tensor", "zeros",
]
