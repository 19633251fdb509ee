"""HIPS autograd's spellings: its programs run with `numpy` for `autograd.numpy` and this package for `autograd`."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine import tape
from ..engine.trees import leaves, mapped, refilled
from ..engine.values import Value, as_array, unbox
from ..ops import sum, tensordot
from .arguments import need_function, put_in, slots_of
from .derivatives import jacobian
from .forward import jvp
from .reverse import grad, vjp


def _of_one(make: Callable) -> Callable:
    """make(fun, x), of a function of one argument, as make(fun, argnum)(*args, **kwargs)."""
    @functools.wraps(make)
    def transform(fun: Callable, argnum: int = 0) -> Callable:
        need_function(make.__name__, fun)

        @functools.wraps(fun)
        def made(*args: Any, **kwargs: Any) -> Any:
            slots = slots_of(make.__name__, fun, argnum, args)
            values = tuple(args[i] for i in slots)

            def of_values(x: Any) -> Any:
                return fun(*put_in(args, slots, x if isinstance(argnum, (tuple, list)) else (x,)), **kwargs)

            return make(of_values, values if isinstance(argnum, (tuple, list)) else values[0])

        return made

    return transform


@_of_one
def make_vjp(fun: Callable, x: Any) -> tuple:
    """make_vjp(fun)(x): the function that takes v to v @ J, and fun(x)."""
    value, pullback = vjp(fun, x)
    return (lambda v: pullback(v)[0]), value


@_of_one
def make_jvp(fun: Callable, x: Any) -> Callable:
    """make_jvp(fun)(x): the function that takes v to (fun(x), J @ v)."""
    return lambda v: jvp(fun, (x,), (v,))


@_of_one
def make_hvp(fun: Callable, x: Any) -> tuple:
    """make_hvp(fun)(x): the function that takes v to H @ v, and the gradient."""
    gradient, product = vjp(grad(fun), x)
    return (lambda v: product(v)[0]), gradient


@_of_one
def elementwise_grad(fun: Callable, x: Any) -> Any:
    """The gradient of the sum of fun's elements: where each depends on one element of x, the derivative of each."""
    return grad(lambda x: sum(_tensor(fun(x))))(x)


@_of_one
def deriv(fun: Callable, x: Any) -> Any:
    """The derivative by a number, of all that fun gives."""
    return jvp(fun, (x,), (np.ones_like(as_array(x)) if np.ndim(x) else 1.0,))[1]


def _tensor(x: Any) -> Any:
    return x if isinstance(x, Value) else tape.box(as_array(x))


def grad_named(fun: Callable, argname: str) -> Callable:
    """`grad` by the argument of that name, which is given by place."""
    names = list(inspect.signature(fun).parameters)
    if argname not in names:
        raise ValueError(f"grad_named: {fun.__name__} has no argument {argname!r}: it has {', '.join(names)}")
    return grad(fun, names.index(argname))


def grad_and_aux(fun: Callable, argnum: int = 0) -> Callable:
    """`grad` with has_aux."""
    return grad(fun, argnum, has_aux=True)


def hessian_tensor_product(fun: Callable, argnum: int = 0) -> Callable:
    """The function of (*args, v) that gives the Hessian times v, a tensor of the argument's shape."""
    gradient = grad(fun, argnum)

    def along(*args: Any, **kwargs: Any) -> Any:
        *args, v = args  # type: ignore[assignment]
        return sum(_tensor(gradient(*args, **kwargs)) * v)

    return grad(along, argnum)


def tensor_jacobian_product(fun: Callable, argnum: int = 0) -> Callable:
    """The function of (*args, v) that gives v times the Jacobian, over all dimensions of v."""
    def along(*args: Any, **kwargs: Any) -> Any:
        *args, v = args  # type: ignore[assignment]
        return tensordot(_tensor(v), _tensor(fun(*args, **kwargs)), np.ndim(unbox(v)))

    return jacobian(along, argnum)


hessian_vector_product, vector_jacobian_product = hessian_tensor_product, tensor_jacobian_product


def make_ggnvp(f: Callable, g: Callable = lambda x: sum(x * x, -1) / 2, f_argnum: int = 0) -> Callable:
    """make_ggnvp(f, g)(x): the function that takes v to J' H J v, with H of g and J of f (Gauss and Newton)."""
    @_of_one
    def make_product(f: Callable, x: Any) -> Callable:
        value, pullback = vjp(f, x)
        _, curvature = vjp(grad(g), value)
        return lambda v: pullback(curvature(jvp(f, (x,), (v,))[1])[0])[0]

    return make_product(f, f_argnum)


# ---------------------------------------------------------------- operations of one's own
class Primitive:
    """A function of arrays that counts as one operation; `defvjp` gives it rules."""

    def __init__(self, forward: Callable) -> None:
        functools.update_wrapper(self, forward)
        self.__name__ = getattr(forward, "__name__", "primitive")
        self.forward = forward
        self.vjps: dict[int, Any] = {}
        self.jvps: dict[int, Any] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function, recorded where a Tensor is among the arguments, or in a tree among these."""
        def whole(values: Any) -> list:
            return refilled(list(args), values)

        def forward(*values: Any) -> Any:
            found = self.forward(*whole(values), **kwargs)
            if isinstance(found, Value):
                raise TypeError(f"{self.__name__}: it computes with a Tensor from outside; give that as an argument")
            if not isinstance(found, (int, float, np.ndarray, np.generic)):
                raise TypeError(f"{self.__name__}: a primitive gives one array, not a {type(found).__name__}; make it "
                                "several primitives, or stack what it gives")
            return np.asarray(found) if isinstance(found, (int, float)) else found

        def joint(g: Any, out: Any, *values: Any) -> list:
            given, found = whole(values), []
            for i, arg in enumerate(given):
                pulled = functools.cache(lambda i=i: leaves(self._pulled(i, g, out, given, kwargs), records=True))
                found += [lambda k=k, pulled=pulled: pulled()[k] for k in range(len(leaves(arg, records=True)))]
            return found

        def push(tangents: list, out: Any, values: list) -> Any:
            return self._pushed(whole(tangents), out, whole(values), kwargs)

        values = leaves(list(args), records=True)
        forward.__doc__, forward.__signature__ = self.__doc__, _positional(len(values))  # type: ignore[attr-defined]
        op: Any = tape.primitive(forward, joint=joint, name=self.__name__)
        if self.jvps:
            op.jvp = push
        return op(*values)

    def _pulled(self, i: int, g: Any, out: Any, args: list, kwargs: dict) -> Any:
        """The gradient of an argument, of its form."""
        if i not in self.vjps:
            raise NotImplementedError(f"{self.__name__} has no rule for the gradient of argument {i}: give it one by "
                                      f"defvjp({self.__name__}, …)")
        if self.vjps[i] is None:
            return mapped(lambda x: np.zeros_like(unbox(x)), args[i], records=True)
        return mapped(lambda d: as_array(d) if isinstance(d, (int, float)) else d,
                      self.vjps[i](out, *args, **kwargs)(g), records=True)

    def _pushed(self, tangents: list, out: Any, args: list, kwargs: dict) -> Any:
        """The tangent of the result."""
        total = tape.box(np.zeros_like(out.array))
        for i, t in enumerate(tangents):
            if all(part is None for part in leaves(t, records=True)) or self.jvps.get(i, 0) is None:
                continue
            if i not in self.jvps:
                raise NotImplementedError(f"{self.__name__} has no rule for the tangent of argument {i}: give it one "
                                          f"by defjvp({self.__name__}, …)")
            same = self.jvps[i] == "same"  # linear in it
            total = total + (self(*put_in(tuple(args), (i,), (t,)), **kwargs) if same else
                             self.jvps[i](t, out, *args, **kwargs))
        return total


def primitive(fun: Callable) -> Primitive:
    """A function of arrays as one operation on the tape: its steps are not differentiated, `defvjp` says how it is."""
    need_function("primitive", fun)
    return Primitive(fun)


def _rules(name: str, rules: tuple, argnums: Any) -> dict:
    argnums = range(len(rules)) if argnums is None else argnums
    if len(list(argnums)) != len(rules):
        raise ValueError(f"{name}: {len(rules)} rules for {len(list(argnums))} arguments")
    return dict(zip(argnums, rules))


def defvjp(fun: Primitive, *vjpmakers: Any, argnums: Any = None) -> None:
    """Rules of a primitive: for each argument maker(out, *args), which gives g -> g @ J; None where that is 0."""
    fun.vjps |= _rules("defvjp", vjpmakers, argnums)


def defjvp(fun: Primitive, *jvps: Any, argnums: Any = None) -> None:
    """The same forward: for each argument rule(t, out, *args), which gives J @ t; "same" where fun is linear in it."""
    fun.jvps |= _rules("defjvp", jvps, argnums)


def checkpoint(fun: Callable) -> Callable:
    """The function, whose tape is not kept, but made once more in the backward pass. All it reads are arguments."""
    need_function("checkpoint", fun)

    def started(x: Any) -> Any:
        return tape.box(x) if isinstance(x, np.ndarray) else x

    @functools.wraps(fun)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        def forward(*arrays: Any) -> Any:
            found = fun(*map(started, arrays), **kwargs)
            if not isinstance(found, Value) or found.node is not None:
                raise RuntimeError("checkpoint: the function gives one Tensor, and computes it from its arguments; "
                                   "what else requires grad is given as an argument too")
            return found.array

        def called(values: tuple, real: tuple, *xs: Any) -> Any:
            return fun(*map(started, put_in(values, real, xs)), **kwargs)

        def joint(g: Any, out: Any, *values: Any) -> list:
            real = tuple(i for i, x in enumerate(values) if getattr(x, "dtype", np.dtype(int)).kind == "f")
            of_real = functools.partial(called, values, real)
            return put_in((None,) * len(values), real, vjp(of_real, *(values[i] for i in real))[1](g))

        forward.__signature__ = _positional(len(args))  # type: ignore[attr-defined]
        return tape.primitive(forward, joint=joint, name="checkpoint")(*args)

    return checkpointed


def _positional(count: int) -> inspect.Signature:
    """The signature of so many arguments by place."""
    return inspect.Signature([inspect.Parameter(f"x{i}", inspect.Parameter.POSITIONAL_ONLY) for i in range(count)])
