"""Derivatives of functions, to any order: what takes a function and gives one."""

from .derivatives import hessian, hvp, jacfwd, jacobian, jacrev
from .forward import jvp, linearize
from .modules import functional_call, stack_module_state
from .reverse import grad, grad_and_value, value_and_grad, vjp
from .vmap import vmap
