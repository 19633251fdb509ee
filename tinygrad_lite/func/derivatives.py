"""Whole Jacobians and Hessians, and products with them."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.spellings import spelt
from ..engine.tape import box
from ..engine.trees import leaves, mapped
from ..ops import reshape
from .arguments import Call, need_function, put_in, slots_of, vectors_like
from .forward import Linear
from .reverse import grad
from .vmap import vmap


def _basis(like: list, k: int) -> list:
    """The unit vectors of the k-th of some Tensors, one after the other, and zeros for the rest."""
    n = like[k].array.size
    units = np.eye(n, dtype=like[k].array.dtype).reshape(n, *like[k].array.shape)
    return [box(units if i == k else np.zeros((n, *x.array.shape), x.array.dtype)) for i, x in enumerate(like)]


def _jacobian(name: str, func: Callable, argnums: Any, has_aux: bool, rows: Callable) -> Callable:
    """The function that gives Jacobians; rows(call, outputs) gives for each output and argument one of their shapes."""
    need_function(name, func)

    @functools.wraps(func)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        slots = slots_of(name, func, argnums, args)
        call = Call(name, tuple(args[i] for i in slots))
        out, aux = call.of(func, put_in(args, slots, call.fresh), kwargs, has_aux)
        blocks = iter(rows(call, leaves(out, records=True)))

        def of_output(_: Any) -> Any:
            formed = call.formed(next(blocks), arrays=True)
            return formed if isinstance(argnums, (tuple, list)) else formed[0]

        found = mapped(of_output, out, records=True)
        return (found, mapped(call.outside, aux, records=True)) if has_aux else found

    return jacobian_of


@spelt
def jacrev(func: Callable, argnums: Any = 0, *, has_aux: bool = False, chunk_size: int | None = None) -> Callable:
    """The function that gives the Jacobian of `func`, all rows of it at once: for few outputs and many inputs.

    Of an output of shape (m, …) and an argument of shape (n, …) it has shape (m, …, n, …). Trees of outputs give trees
    of trees of arguments. argnums and has_aux are those of `grad`. chunk_size: how many rows at a time, all unless
    given. `jacobian` is another name of `jacrev`.

    >>> tl.func.jacobian(lambda x: x.sum() * x)(tl.tensor([1.0, 2.0]))
    tensor([[4., 1.],
            [2., 5.]])
    """
    def rows(call: Call, outputs: list) -> list:
        blocks = []
        for k, y in enumerate(outputs):
            pulled = vmap(lambda *vectors: call.pulled(outputs, list(vectors)), chunk_size=chunk_size)
            products = pulled(*_basis(outputs, k)) if y.array.size else [
                None if x is None else box(np.zeros((0, *x.array.shape), x.array.dtype))
                for x in call.inputs]
            blocks.append([p if p is None else reshape(p, *y.array.shape, *p.array.shape[1:]) for p in products])
        return blocks

    return _jacobian("jacrev", func, argnums, has_aux, rows)


@spelt
def jacfwd(func: Callable, argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error",
           chunk_size: int | None = None) -> Callable:
    """The function that gives the Jacobian of `func`, all columns of it at once: for few inputs and many outputs.

    It gives what `jacrev` gives, in forward mode. randomness and chunk_size are those of `vmap`, over the columns.

    >>> tl.func.jacfwd(lambda t: tl.stack([t, t**2, t**3]))(tl.tensor(2.0))
    tensor([ 1.,  4., 12.])
    """
    def rows(call: Call, outputs: list) -> list:
        linear, fresh = Linear(call, outputs), call.inputs
        known = [x for x in fresh if x is not None]
        columns = []
        for k, x in enumerate(known):
            pushed = vmap(lambda *vectors: linear.pushed(_with_none(fresh, vectors)), out_dims=-1,
                          randomness=randomness, chunk_size=chunk_size)
            products = pushed(*_basis(known, k)) if x.array.size else [
                box(np.zeros((*y.array.shape, 0), y.array.dtype)) for y in outputs]
            columns.append([reshape(p, *y.array.shape, *x.array.shape) for p, y in zip(products, outputs)])
        return [_with_none(fresh, [column[i] for column in columns]) for i in range(len(outputs))]

    return _jacobian("jacfwd", func, argnums, has_aux, rows)


def _with_none(fresh: list, values: Any) -> list:
    """Values for the arguments that are not None."""
    each = iter(values)
    return [None if x is None else next(each) for x in fresh]


jacobian = jacrev


@spelt
def hessian(func: Callable, argnums: Any = 0) -> Callable:
    """The function that gives the matrix of second derivatives of `func`.

    Where func gives one number, an argument of shape (n, …) gives (n, …, n, …); where it gives an array, each of its
    values counts for itself, and its shape comes first. argnums is that of `grad`.

    >>> tl.func.hessian(lambda x: x[0] ** 2 * x[1])(tl.tensor([3.0, 5.0]))
    tensor([[10.,  6.],
            [ 6.,  0.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


def hvp(func: Callable, primals: Any, tangents: Any) -> Any:
    """The Hessian of `func`, which gives one number, times a vector, without the Hessian (Pearlmutter, 1994).

    primals: an argument and a vector of its form, or tuples (x, y, …), (v, w, …) of the arguments and as many vectors:
    then a tuple of products, of one argument the product itself.

    >>> tl.func.hvp(lambda x: x[0] ** 2 * x[1], tl.tensor([3.0, 5.0]), tl.tensor([1.0, 0.0]))
    tensor([10.,  6.])
    """
    need_function("hvp", func)
    if not isinstance(primals, tuple):
        primals, tangents = (primals,), (tangents,)
    call = Call("hvp", primals)
    gradient, _ = call.of(grad(func, tuple(range(len(primals)))), call.fresh, {})
    vectors = vectors_like("hvp", "the primals", call.fresh, tangents)
    found = call.formed(call.pulled(leaves(gradient, records=True), vectors))
    return found[0] if len(primals) == 1 else found


def vhp(func: Callable, primals: Any, cotangents: Any) -> Any:
    """A vector times the Hessian of `func`, which is what `hvp` gives, since the Hessian is symmetric.

    >>> tl.func.vhp(lambda x: x[0] ** 2 * x[1], tl.tensor([3.0, 5.0]), tl.tensor([0.0, 1.0]))
    tensor([6., 0.])
    """
    return hvp(func, primals, cotangents)
