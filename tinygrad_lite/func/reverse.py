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

    >>> tl.func.grad(lambda x: x**3)(2.0)
    12.0
    >>> loss = lambda w, x: ((w["a"] * x + w["b"]) ** 2).sum()
    >>> tl.func.grad(loss)({"a": 1.0, "b": 0.5}, np.array([1.0, 2.0]))
    {'a': 13.0, 'b': 8.0}
    """
    need_function("grad", func)

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        (_, aux), grads = _gradient("grad", func, argnums, has_aux, args, kwargs)
        return (grads, aux) if has_aux else grads

    return gradient


@spelt
def value_and_grad(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """The function that gives the value of `func` and its gradient, as a pair, from one forward pass.

    The arguments are those of `grad`; with has_aux the pair is ((value, aux), gradient).

    >>> tl.func.value_and_grad(lambda x: x**2)(3.0)
    (9.0, 6.0)
    >>> tl.func.value_and_grad(lambda x: (x**2, "seen"), has_aux=True)(3.0)
    ((9.0, 'seen'), 6.0)
    """
    need_function("value_and_grad", func)

    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        found, grads = _gradient("value_and_grad", func, argnums, has_aux, args, kwargs, with_value=True)
        return (found if has_aux else found[0]), grads

    return both


@spelt
def grad_and_value(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """The function that gives the gradient of `func` and its value: `value_and_grad` in PyTorch's order.

    With has_aux it gives (gradient, (value, aux)).

    >>> tl.func.grad_and_value(lambda x: x**2)(3.0)
    (6.0, 9.0)
    """
    both = value_and_grad(func, argnums, has_aux)

    @functools.wraps(func)
    def reversed_pair(*args: Any, **kwargs: Any) -> Any:
        value, grads = both(*args, **kwargs)
        return grads, value

    return reversed_pair


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """func(*primals), and the function that takes a vector v like it to v @ J, a tuple of products, one a primal.

    J is the Jacobian by each primal: this is the backward pass, from any v. The function can be called any number of
    times, and differentiated. With has_aux `func` gives (value, aux), and vjp (value, function, aux). ValueError where
    v has another form or shape than func(*primals).

    >>> value, pullback = tl.func.vjp(lambda x: x**2, tl.tensor([1.0, 2.0, 3.0]))
    >>> value
    tensor([1., 4., 9.])
    >>> pullback(tl.tensor([1.0, 0.0, 10.0]))
    (tensor([ 2.,  0., 60.]),)
    """
    need_function("vjp", func)
    call = Call("vjp", primals, keeps=True)
    out, aux = call.of(func, call.fresh, {}, has_aux)
    outputs = leaves(out, records=True)

    def pullback(cotangents: Any) -> tuple:
        return call.formed(call.pulled(outputs, vectors_like("vjp", "the result", out, cotangents)))

    value = mapped(call.outside, out, records=True)
    return (value, pullback, mapped(call.outside, aux, records=True)) if has_aux else (value, pullback)
