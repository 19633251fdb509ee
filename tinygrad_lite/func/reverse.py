"""Reverse mode: gradients of functions, and their products with vectors from the left."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.spellings import spelt
from ..engine.tape import backpropagate
from ..engine.trees import leaves, mapped
from ..engine.values import Value
from .arguments import Call, need_function, put_in, slots_of, vectors_like


def _gradient(name: str, func: Callable, argnums: Any, has_aux: bool, args: tuple, kwargs: dict,
              with_value: bool = False) -> tuple:
    """(value, aux) of the function, None where nobody asks, and gradients in the form of the arguments."""
    slots = slots_of(name, func, argnums, args)
    call = Call(name, tuple(args[i] for i in slots))
    out, aux = call.of(func, put_in(args, slots, call.fresh), kwargs, has_aux)
    value = None
    if not isinstance(out, Value) or out.array.size != 1:
        shape = f"shape {out.array.shape}" if isinstance(out, Value) else f"a {type(out).__name__}"
        raise RuntimeError(f"{name}: the function gives one number, not {shape}: reduce it by .sum() or .mean(), or "
                           "take func.jacobian, or func.vjp with a vector")
    if has_aux or with_value:  # before the tape is freed
        value, aux = call.outside(out), mapped(call.outside, aux, records=True)
    found = {}
    if out.node is not None:
        found = backpropagate({out.node: np.ones_like(out.array)}, None, None, call.nodes)
    grads = call.formed(call.gradients(found, set()))
    return (value, aux), grads if isinstance(argnums, (tuple, list)) else grads[0]


@spelt
def grad(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """The function that gives the gradient of `func`, which gives one number.

    argnums: by which of the positional arguments, 0 unless given; of several the gradients are a tuple. An argument is
    a number, an array, a Tensor, or a tuple, list, dict or dataclass of these; its gradient has the same form. With
    has_aux `func` gives (value, aux), and the new function (gradient, aux). It can itself be differentiated, mapped and
    compiled. TypeError for what has no derivative, RuntimeError where func gives more than a number.
    """
    need_function("grad", func)

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        (_, aux), grads = _gradient("grad", func, argnums, has_aux, args, kwargs)
        return (grads, aux) if has_aux else grads

    return gradient


@spelt
def value_and_grad(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """As `grad`, of which the function gives (value, gradient); with has_aux ((value, aux), gradient)."""
    need_function("value_and_grad", func)

    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        found, grads = _gradient("value_and_grad", func, argnums, has_aux, args, kwargs, with_value=True)
        return (found if has_aux else found[0]), grads

    return both


@spelt
def grad_and_value(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """`value_and_grad` in PyTorch's order: (gradient, value), with has_aux (gradient, (value, aux))."""
    both = value_and_grad(func, argnums, has_aux)

    @functools.wraps(func)
    def reversed_pair(*args: Any, **kwargs: Any) -> Any:
        value, grads = both(*args, **kwargs)
        return grads, value

    return reversed_pair


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """func(*primals), and the function that takes a vector v like it to v @ J, a tuple of products, one a primal.

    J is the Jacobian by each primal. The function can be called any number of times, and differentiated. With has_aux
    `func` gives (value, aux), and vjp (value, function, aux).
    """
    need_function("vjp", func)
    call = Call("vjp", primals, keeps=True)
    out, aux = call.of(func, call.fresh, {}, has_aux)
    outputs = leaves(out, records=True)

    def pullback(cotangents: Any) -> tuple:
        return call.formed(call.pulled(outputs, vectors_like("vjp", "the result", out, cotangents)))

    value = mapped(call.outside, out, records=True)
    return (value, pullback, mapped(call.outside, aux, records=True)) if has_aux else (value, pullback)
