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

    transform.__signature__ = inspect.signature(transform, follow_wrapped=False)  # type: ignore[attr-defined]
    return transform


@_of_one
def make_vjp(fun: Callable, x: Any) -> tuple:
    """make_vjp(fun, argnum=0)(x) gives the function that takes v to v @ J, where J is the Jacobian, and fun(x).

    >>> product, value = tl.func.make_vjp(lambda x: x**2)(np.array([1.0, 2.0]))
    >>> value, product(np.array([1.0, 10.0]))
    (array([1., 4.]), array([ 2., 40.]))
    """
    value, pullback = vjp(fun, x)
    return (lambda v: pullback(v)[0]), value


@_of_one
def make_jvp(fun: Callable, x: Any) -> Callable:
    """make_jvp(fun, argnum=0)(x) gives the function that takes v to (fun(x), J @ v), where J is the Jacobian.

    >>> product = tl.func.make_jvp(lambda x: x**2)(np.array([1.0, 2.0]))
    >>> product(np.array([1.0, 10.0]))
    (array([1., 4.]), array([ 2., 40.]))
    """
    return lambda v: jvp(fun, (x,), (v,))


@_of_one
def make_hvp(fun: Callable, x: Any) -> tuple:
    """make_hvp(fun, argnum=0)(x) gives the function that takes v to H @ v, where H is the Hessian, and the gradient.

    >>> product, gradient = tl.func.make_hvp(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    >>> gradient, product(np.array([1.0, 0.0]))
    (array([30.,  9.]), array([10.,  6.]))
    """
    gradient, product = vjp(grad(fun), x)
    return (lambda v: product(v)[0]), gradient


@_of_one
def elementwise_grad(fun: Callable, x: Any) -> Any:
    """The function that gives the derivative of each element of fun(x), where that depends on one element of x alone.

    It is the gradient of the sum of fun's elements. It is called as elementwise_grad(fun, argnum=0)(x).

    >>> tl.func.elementwise_grad(lambda x: x**3)(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """
    return grad(lambda x: sum(_tensor(fun(x))))(x)


@_of_one
def deriv(fun: Callable, x: Any) -> Any:
    """The function that gives the derivative, by an argument that is a number, of all that fun gives.

    It is called as deriv(fun, argnum=0)(x).

    >>> tl.func.deriv(lambda t: np.stack([t, t**2, t**3]))(2.0)
    array([ 1.,  4., 12.])
    """
    return jvp(fun, (x,), (np.ones_like(as_array(x)) if np.ndim(x) else 1.0,))[1]


def _tensor(x: Any) -> Any:
    return x if isinstance(x, Value) else tape.box(as_array(x))


def grad_named(fun: Callable, argname: str) -> Callable:
    """`grad` by the argument of that name; in the call, the argument is still given by its place.

    ValueError where `fun` has no such argument.

    >>> tl.func.grad_named(lambda x, y: x * y**2, "y")(2.0, 3.0)
    12.0
    """
    names = list(inspect.signature(fun).parameters)
    if argname not in names:
        raise ValueError(f"grad_named: {fun.__name__} has no argument {argname!r}: it has {', '.join(names)}")
    return grad(fun, names.index(argname))


def grad_and_aux(fun: Callable, argnum: int = 0) -> Callable:
    """`grad` of a function that gives (value, aux): the function that gives (gradient, aux).

    >>> tl.func.grad_and_aux(lambda x: (x**2, "seen"))(3.0)
    (6.0, 'seen')
    """
    return grad(fun, argnum, has_aux=True)


def hessian_tensor_product(fun: Callable, argnum: int = 0) -> Callable:
    """The function of (*args, v) that gives the Hessian of `fun` times v, a tensor of the argument's shape.

    `hessian_vector_product` is another name of it.

    >>> product = tl.func.hessian_tensor_product(lambda x: x[0] ** 2 * x[1])
    >>> product(np.array([3.0, 5.0]), np.array([1.0, 0.0]))
    array([10.,  6.])
    """
    gradient = grad(fun, argnum)

    def along(*args: Any, **kwargs: Any) -> Any:
        *args, v = args  # type: ignore[assignment]
        return sum(_tensor(gradient(*args, **kwargs)) * v)

    return grad(along, argnum)


def tensor_jacobian_product(fun: Callable, argnum: int = 0) -> Callable:
    """The function of (*args, v) that gives v, of the shape of fun(*args), times the Jacobian: a sum over all of v.

    `vector_jacobian_product` is another name of it.

    >>> product = tl.func.tensor_jacobian_product(lambda x: x**2)
    >>> product(np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([ 2., 40.])
    """
    def along(*args: Any, **kwargs: Any) -> Any:
        *args, v = args  # type: ignore[assignment]
        return tensordot(_tensor(v), _tensor(fun(*args, **kwargs)), np.ndim(unbox(v)))

    return jacobian(along, argnum)


hessian_vector_product, vector_jacobian_product = hessian_tensor_product, tensor_jacobian_product


def make_ggnvp(f: Callable, g: Callable = lambda x: sum(x * x, -1) / 2, f_argnum: int = 0) -> Callable:
    """make_ggnvp(f, g)(x) gives the function that takes v to J.T @ H @ J @ v, the Gauss-Newton matrix times v.

    It approximates the Hessian of g(f(x)). J is the Jacobian of f at x, H the Hessian of g at f(x); g is half the sum
    of squares unless given, whose H is the identity.

    >>> product = tl.func.make_ggnvp(lambda x: np.array([2.0, 3.0]) * x)(np.array([1.0, 1.0]))
    >>> product(np.array([1.0, 10.0]))
    array([ 4., 90.])
    """
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
    """Make a function of arrays one operation on the tape: it is differentiated by the rules that `defvjp` gives it.

    The function is called with arrays and gives one. NotImplementedError where a gradient is asked for and no rule is
    there.

    >>> softplus = tl.func.primitive(lambda x: np.logaddexp(0, x))
    >>> tl.func.defvjp(softplus, lambda out, x: lambda g: g / (1 + np.exp(-x)))
    >>> tl.func.grad(softplus)(0.0)
    0.5
    """
    need_function("primitive", fun)
    return Primitive(fun)


def _rules(name: str, rules: tuple, argnums: Any) -> dict:
    argnums = range(len(rules)) if argnums is None else argnums
    if len(list(argnums)) != len(rules):
        raise ValueError(f"{name}: {len(rules)} rules for {len(list(argnums))} arguments")
    return dict(zip(argnums, rules))


def defvjp(fun: Primitive, *vjpmakers: Any, argnums: Any = None) -> None:
    """Give a primitive its rules of reverse mode: for each argument maker(out, *args), which gives g -> g @ J.

    A rule is None where the derivative is 0. argnums: which arguments the rules are of, 0, 1, … unless given.

    >>> power = tl.func.primitive(lambda x, n: x**n)
    >>> tl.func.defvjp(power, lambda out, x, n: lambda g: g * n * x ** (n - 1), None)
    >>> tl.func.grad(power)(2.0, 3)
    12.0
    """
    fun.vjps |= _rules("defvjp", vjpmakers, argnums)


def defjvp(fun: Primitive, *jvps: Any, argnums: Any = None) -> None:
    """Give a primitive its rules of forward mode: for each argument rule(t, out, *args), which gives J @ t.

    A rule is None where the derivative is 0, and "same" where fun is linear in the argument. argnums: which arguments
    the rules are of, 0, 1, … unless given.

    >>> power = tl.func.primitive(lambda x, n: x**n)
    >>> tl.func.defjvp(power, lambda t, out, x, n: t * n * x ** (n - 1), None)
    >>> tl.func.jvp(lambda x: power(x, 3), (2.0,), (1.0,))
    (8.0, 12.0)
    """
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
