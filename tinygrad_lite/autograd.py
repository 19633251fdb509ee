"""Gradients as functions, their checks, the search for NaN, and operations with a backward of their own."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .engine import tape
from .engine.mode import enable_grad, no_grad
from .engine.mode import mode as switches
from .engine.tape import box, seeds_for
from .engine.values import Value, as_array, unbox
from .engine.watch import refuse_nan
from .func import functional as functional
from .func.vmap import vmap
from .function import Context as Context
from .function import Function as Function
from .function import once_differentiable as once_differentiable
from .tensor import backward as backward


def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
         create_graph: bool = False, allow_unused: bool | None = None, is_grads_batched: bool = False,
         materialize_grads: bool = False, *, only_inputs: bool = True) -> tuple:
    """The gradients d outputs / d inputs, a tuple of Tensors in the inputs' shapes; no `.grad` is touched.

    grad_outputs: the gradient of each output, not needed for outputs of one element. create_graph records the
    computation, so that the gradients can be differentiated again. An input that the outputs do not depend on is a
    RuntimeError, or gives None with allow_unused, or zeros with materialize_grads. is_grads_batched: dimension 0 of
    each of grad_outputs counts vectors, whose gradients are computed at once. PyTorch's only_inputs must be True.

    >>> x = tl.tensor(3.0, requires_grad=True)
    >>> (slope,) = tl.autograd.grad(x ** 3, x, create_graph=True)
    >>> slope
    tensor(27., grad_fn=<mul>)
    >>> tl.autograd.grad(slope, x)
    (tensor(18.),)
    """
    if not only_inputs:
        raise ValueError("grad: only_inputs=False is gone, as in PyTorch; call backward() to fill every .grad")
    if materialize_grads and allow_unused is False:
        raise ValueError("grad: materialize_grads needs allow_unused, which is False")
    outputs = [outputs] if isinstance(outputs, Value) else list(outputs)
    inputs = [inputs] if isinstance(inputs, Value) else list(inputs)
    if grad_outputs is None or isinstance(grad_outputs, (Value, np.ndarray)):
        grad_outputs = [grad_outputs] * len(outputs)
    for i, x in enumerate(inputs):
        if x.node is None:
            raise RuntimeError(f"grad: input {i} does not require grad")
    if is_grads_batched:
        if any(g is None for g in grad_outputs):
            raise RuntimeError("grad: with is_grads_batched, grad_outputs are given, with a dimension more in front")
        of_one = functools.partial(grad, outputs, inputs, retain_graph=create_graph if retain_graph is None else
                                   retain_graph, create_graph=create_graph, allow_unused=allow_unused,
                                   materialize_grads=materialize_grads)
        vectors = [g if isinstance(g, Value) else box(as_array(g)) for g in grad_outputs]
        return vmap(lambda *gs: of_one(grad_outputs=gs))(*vectors)
    found = tape.backpropagate(seeds_for(outputs, grad_outputs), create_graph, retain_graph, [x.node for x in inputs])
    zeros = {x.node: np.zeros_like(x.array) for x in inputs} if materialize_grads else {}
    grads = [found.get(x.node, zeros.get(x.node)) for x in inputs]
    for i, g in enumerate(grads):
        if g is None and not allow_unused:
            raise RuntimeError(f"grad: the outputs do not depend on input {i}; allow_unused=True gives None for it")
    return tuple(g if g is None or isinstance(g, Value) else box(as_array(g).copy()) for g in grads)


def gradcheck(fn: Callable, inputs: Any, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
              nondet_tol: float = 0.0, raise_exception: bool = True) -> bool:
    """Whether the gradients of fn equal central differences, (fn(x + eps) - fn(x - eps)) / (2 * eps).

    Checks every element of every input that requires grad, which is of float64 (else ValueError), within
    atol + rtol * abs(difference). nondet_tol: how far two runs of the backward pass may differ. Where gradients are
    wrong, a RuntimeError names the element, or with raise_exception=False the answer is False.

    >>> x = tl.tensor([1.0, 2.0], dtype=tl.float64, requires_grad=True)
    >>> tl.autograd.gradcheck(lambda x: x ** 3, x)
    True
    >>> tl.autograd.gradcheck(lambda x: x.detach() * x, x, raise_exception=False)
    False
    """
    inputs = (inputs,) if isinstance(inputs, Value) else tuple(inputs)
    try:
        _check(fn, inputs, eps, atol, rtol, nondet_tol)
    except RuntimeError:
        if raise_exception:
            raise
        return False
    return True


def _outputs(fn: Callable, inputs: Sequence) -> list:
    out = fn(*inputs)
    return [out] if isinstance(out, Value) else [o for o in out if o.array.dtype.kind == "f"]


def _check(fn: Callable, inputs: Sequence, eps: float, atol: float, rtol: float, nondet_tol: float) -> None:
    wrt = [(i, x) for i, x in enumerate(inputs) if isinstance(x, Value) and x.node is not None]
    if not wrt:
        raise ValueError("gradcheck: no input requires grad")
    for i, x in wrt:
        if x.array.dtype != np.float64:
            raise ValueError(f"gradcheck: input {i} is {x.array.dtype}; finite differences need float64")

    def analytic(k: int, index: tuple) -> list:
        out = _outputs(fn, inputs)[k]
        if out.node is None:
            return [np.zeros_like(x.array) for _, x in wrt]
        seed = np.zeros_like(out.array)
        seed[index] = 1
        return [np.zeros_like(x.array) if g is None else g.array
                for g, (_, x) in zip(grad(out, [x for _, x in wrt], seed, allow_unused=True), wrt)]

    rows = [[(j, analytic(k, j)) for j in np.ndindex(out.array.shape)] for k, out in enumerate(_outputs(fn, inputs))]
    for k, row in enumerate(rows):
        for j, first in row[:1]:
            if any(np.abs(a - b).max(initial=0) > nondet_tol for a, b in zip(first, analytic(k, j))):
                raise RuntimeError(f"gradcheck: two backward passes of output {k} differ by more than {nondet_tol}")
    for n, (i, x) in enumerate(wrt):
        for index in np.ndindex(x.array.shape):
            numeric = central_difference(fn, inputs, x.array, index, eps)
            for k, row in enumerate(rows):
                for j, grads in row:
                    a, b = grads[n][index], numeric[k][j]
                    if not np.isclose(a, b, rtol, atol, equal_nan=True):
                        raise RuntimeError(f"gradcheck: d output {k}{list(j)} / d input {i}{list(index)} is "
                                           f"{a:.9g} analytically but {b:.9g} by finite differences")


def central_difference(fn: Callable, inputs: Sequence, array: np.ndarray, index: tuple, eps: float) -> list:
    """The derivative of each output of fn(*inputs) by array[index]: (fn at + eps - fn at - eps) / (2 * eps).

    array is the memory of one of the inputs; it is changed in place for the two calls and then put back.

    >>> x = tl.tensor([1.0, 2.0], dtype=tl.float64)
    >>> (slopes,) = tl.autograd.central_difference(lambda x: x ** 2, [x], x.array, (1,), 1e-3)
    >>> slopes.round(6).tolist()
    [0.0, 4.0]
    """
    before = array[index]
    with no_grad():
        try:
            array[index] = before + eps
            high = [o.array.copy() for o in _outputs(fn, inputs)]
            array[index] = before - eps
            low = [o.array.copy() for o in _outputs(fn, inputs)]
        finally:
            array[index] = before
    return [(h - l) / (2 * eps) for h, l in zip(high, low)]


def gradgradcheck(fn: Callable, inputs: Any, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
                  nondet_tol: float = 0.0, raise_exception: bool = True) -> bool:
    """`gradcheck` of the gradients of fn: whether its second derivatives are right. Arguments as of `gradcheck`.

    >>> x = tl.tensor([1.0, 2.0], dtype=tl.float64, requires_grad=True)
    >>> tl.autograd.gradgradcheck(lambda x: x ** 3, x)
    True
    """
    inputs = (inputs,) if isinstance(inputs, Value) else tuple(inputs)
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(o.array.shape) for o in _outputs(fn, inputs)]

    def gradients(*xs: Any) -> list:
        with enable_grad():
            outputs = [(o, w) for o, w in zip(_outputs(fn, xs), weights) if o.node is not None]
            wrt = [x for x in xs if isinstance(x, Value) and x.node is not None]
            found = grad([o for o, _ in outputs], wrt, [w for _, w in outputs], create_graph=True, allow_unused=True)
        return [g for g in found if g is not None]

    return gradcheck(gradients, inputs, eps, atol, rtol, nondet_tol, raise_exception)


# ---------------------------------------------------------------- looking for NaN
class _Anomaly:
    """Watches what is recorded, and observes backward passes, for NaN and infinity."""

    def __init__(self, check_nan: bool, check_forward: bool) -> None:
        self.check_nan, self.check_forward = check_nan, check_forward

    def watch(self, node: Any) -> None:
        if not hasattr(node, "origin"):  # inside study() it is there, with more in it
            node.origin = (source_line(), "", ())
        if self.check_forward and self.check_nan:
            refuse_nan("forward", node, node.array)

    def begin(self, seeds: Any) -> Callable | None:
        return self.observe if self.check_nan else None

    def observe(self, node: Any, g: Any, sent: Sequence) -> None:
        for d in sent:
            if d is not None:
                refuse_nan("backward", node, unbox(d))


@contextlib.contextmanager
def detect_anomaly(check_nan: bool = True, check_forward: bool = False) -> Any:
    """Inside, a backward pass that gives NaN or infinity is a RuntimeError that names the operation and its line.

    The line is the one that recorded the operation, also inside. check_forward: results of operations that record are
    looked at too. check_nan=False looks for nothing. It costs time, so is for finding mistakes.

    >>> x = tl.tensor(0.0, requires_grad=True)
    >>> with tl.autograd.detect_anomaly():
    ...     (tl.sqrt(x) * 0).backward()
    Traceback (most recent call last):
    RuntimeError: the backward of sqrt gave NaN (recorded at ...)
    """
    with set_detect_anomaly(True, check_nan, check_forward):
        yield


class set_detect_anomaly:
    """Turn `detect_anomaly` on or off at once; as a context manager, put it back afterwards.

    >>> x = tl.tensor(-1.0, requires_grad=True)
    >>> with tl.autograd.set_detect_anomaly(True, check_forward=True):
    ...     y = tl.log(x)
    Traceback (most recent call last):
    RuntimeError: the forward of log gave NaN (recorded at ...)
    """

    def __init__(self, mode: bool, check_nan: bool = True, check_forward: bool = False) -> None:
        self.outside = switches.watching, switches.observing
        watching, observing = ([see for see in seeing if not isinstance(getattr(see, "__self__", None), _Anomaly)]
                               for seeing in self.outside)
        if mode:
            anomaly = _Anomaly(check_nan, check_forward)
            watching.append(anomaly.watch)
            observing.append(anomaly.begin)
        self._set(watching, observing)

    def _set(self, watching: Sequence, observing: Sequence) -> None:
        switches.set("watching", tuple(watching))
        switches.set("observing", tuple(observing))

    def __enter__(self) -> None:
        pass  # it is on, or off, already

    def __exit__(self, *exc: object) -> None:
        self._set(*self.outside)


def source_line() -> str:
    """The line outside this library that is running, as "file:line"; "" where there is none.

    A file below the working directory is named as seen from there.

    >>> tl.autograd.source_line()
    '...:1'
    """
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("tinygrad_lite"):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return ""
    return f"{frame.f_code.co_filename.removeprefix(os.getcwd() + os.sep)}:{frame.f_lineno}"
