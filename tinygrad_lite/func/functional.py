"""PyTorch's older way: the derivatives of a function at given Tensors, `tl.autograd.functional`."""

from collections.abc import Callable
from typing import Any

from ..engine.tape import box, tape_of
from ..engine.trees import leaves, mapped
from ..engine.values import Value
from .arguments import Call
from .derivatives import jacfwd, jacrev
from .forward import jvp as _jvp
from .reverse import grad, grad_and_value
from .reverse import vjp as _vjp


def _started(name: str, func: Callable, inputs: Any, create_graph: bool, strict: bool) -> tuple[bool, tuple]:
    """Whether the inputs are several, and they as a tuple, apart from what they were made from unless create_graph."""
    several = isinstance(inputs, (tuple, list))
    xs = tuple(inputs) if several else (inputs,)
    if not all(isinstance(x, Value) for x in xs):
        raise TypeError(f"{name}: the inputs are a Tensor or a tuple of Tensors")
    if strict:
        _refuse_constants(name, func, xs)
    return several, xs if create_graph else tuple(box(x.array) for x in xs)


def _refuse_constants(name: str, func: Callable, xs: tuple) -> None:
    """RuntimeError where an output does not depend on each of the inputs."""
    call = Call(name, tuple(box(x.array) for x in xs))
    out, _ = call.of(func, call.fresh, {})
    for i, y in enumerate(leaves(out)):
        tape, before = ([], []) if y.node is None else tape_of([y.node])
        for k, node in enumerate(call.nodes):
            if node not in before and node not in tape:
                raise RuntimeError(f"{name}: with strict=True, output {i} does not depend on input {k}")


def _ended(found: Any, create_graph: bool) -> Any:
    return found if create_graph else mapped(lambda x: box(x.array) if isinstance(x, Value) else x, found)


def jacobian(func: Callable, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
             strategy: str = "reverse-mode") -> Any:
    """The Jacobian of func at inputs: a Tensor, or a tuple of tuples, an entry an output and in it one an input.

    create_graph: the result can itself be differentiated. strict: RuntimeError where an output does not depend on an
    input. strategy: "reverse-mode" or "forward-mode". vectorize changes nothing: rows are always computed at once.

    >>> tl.autograd.functional.jacobian(lambda x: x.sum() * x, tl.tensor([1.0, 2.0]))
    tensor([[4., 1.],
            [2., 5.]])
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError(f"jacobian: strategy is 'reverse-mode' or 'forward-mode', not {strategy!r}")
    several, xs = _started("jacobian", func, inputs, create_graph, strict)
    of = jacrev if strategy == "reverse-mode" else jacfwd
    return _ended(of(func, tuple(range(len(xs))) if several else 0)(*xs), create_graph)


def hessian(func: Callable, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
            outer_jacobian_strategy: str = "reverse-mode") -> Any:
    """The Hessian of func, which gives one number, at inputs: a Tensor, or for several inputs a tuple of tuples.

    create_graph and strict are those of `jacobian`; vectorize and outer_jacobian_strategy change nothing.

    >>> tl.autograd.functional.hessian(lambda x: x[0] ** 2 * x[1], tl.tensor([3.0, 5.0]))
    tensor([[10.,  6.],
            [ 6.,  0.]])
    """
    several, xs = _started("hessian", func, inputs, create_graph, strict)
    slots = tuple(range(len(xs))) if several else 0
    if strict:
        _refuse_constants("hessian", grad(func, slots), xs)
    return _ended(jacfwd(grad(func, slots), slots)(*xs), create_graph)


def _vectors(name: str, v: Any, like: Any) -> Any:
    """Vectors of the form of `like`; ones for one number."""
    if v is not None:
        return tuple(v) if isinstance(v, list) else v
    if any(x.array.size != 1 for x in leaves(like)):
        raise RuntimeError(f"{name}: v is given unless there is one number only")
    return mapped(lambda x: box(x.array * 0 + 1), like)


def vjp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """The pair func(inputs) and v @ J, the vector v times the Jacobian; v has the form of the outputs.

    v may be left out where func gives one number: then it is 1. create_graph and strict are those of `jacobian`.

    >>> tl.autograd.functional.vjp(lambda x: x**2, tl.tensor([1.0, 2.0]), tl.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    several, xs = _started("vjp", func, inputs, create_graph, strict)
    out, pullback = _vjp(func, *xs)
    found = pullback(_vectors("vjp", v, out))
    return _ended((out, found if several else found[0]), create_graph)


def jvp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """The pair func(inputs) and J @ v, the Jacobian times the vector v; v has the form of the inputs.

    v may be left out where the input is one number: then it is 1. create_graph and strict are those of `jacobian`.

    >>> tl.autograd.functional.jvp(lambda x: x.sum() * x, tl.tensor([1.0, 2.0]), tl.tensor([1.0, 0.0]))
    (tensor([3., 6.]), tensor([4., 2.]))
    """
    several, xs = _started("jvp", func, inputs, create_graph, strict)
    v = _vectors("jvp", v, tuple(xs) if several else xs[0])
    return _ended(_jvp(func, xs, v if several else (v,)), create_graph)


def vhp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """The pair func(inputs) and v @ H, the vector v times the Hessian, of a function that gives one number.

    v has the form of the inputs. create_graph and strict are those of `jacobian`. `hvp` is another name of it.

    >>> tl.autograd.functional.vhp(lambda x: x[0] ** 2 * x[1], tl.tensor([3.0, 5.0]), tl.tensor([1.0, 0.0]))
    (tensor(45.), tensor([10.,  6.]))
    """
    several, xs = _started("vhp", func, inputs, create_graph, strict)
    v = _vectors("vhp", v, tuple(xs) if several else xs[0])
    slots = tuple(range(len(xs)))
    if strict:
        _refuse_constants("vhp", grad(func, slots), xs)
    (_, out), pullback = _vjp(grad_and_value(func, slots), *xs)
    found = pullback((v if several else (v,), box(out.array * 0)))
    return _ended((out, found if several else found[0]), create_graph)


hvp = vhp  # the Hessian is symmetric
