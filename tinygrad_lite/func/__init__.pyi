# Made by docs/stubs.py: what editors and type checkers see of what is made when the library is imported.
import typing as _typing
import numpy as _np
from builtins import float as _Float
from . import functional as functional
from .derivatives import hessian as hessian, hvp as hvp, jacfwd as jacfwd, jacobian as jacobian, jacrev as jacrev, vhp as vhp
from .forward import jvp as jvp, linearize as linearize
from .hips import checkpoint as checkpoint, defjvp as defjvp, defvjp as defvjp, deriv as deriv, elementwise_grad as elementwise_grad, grad_and_aux as grad_and_aux, grad_named as grad_named, hessian_tensor_product as hessian_tensor_product, hessian_vector_product as hessian_vector_product, make_ggnvp as make_ggnvp, make_hvp as make_hvp, make_jvp as make_jvp, make_vjp as make_vjp, primitive as primitive, tensor_jacobian_product as tensor_jacobian_product, vector_jacobian_product as vector_jacobian_product
from .modules import functional_call as functional_call, stack_module_state as stack_module_state
from .reverse import grad as grad, grad_and_value as grad_and_value, value_and_grad as value_and_grad, vjp as vjp
from .vmap import vmap as vmap
