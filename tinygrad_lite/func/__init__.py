"""Derivatives of functions, to any order: what takes a function and gives one."""

from . import functional
from .derivatives import hessian, hvp, jacfwd, jacobian, jacrev, vhp
from .forward import jvp, linearize
from .hips import (
    checkpoint,
    defjvp,
    defvjp,
    deriv,
    elementwise_grad,
    grad_and_aux,
    grad_named,
    hessian_tensor_product,
    hessian_vector_product,
    make_ggnvp,
    make_hvp,
    make_jvp,
    make_vjp,
    primitive,
    tensor_jacobian_product,
    vector_jacobian_product,
)
from .modules import functional_call, stack_module_state
from .reverse import grad, grad_and_value, value_and_grad, vjp
from .vmap import vmap
