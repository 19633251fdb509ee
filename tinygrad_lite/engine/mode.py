"""Switches of the engine, one set a thread: whether operations are recorded, and who watches them."""

import contextvars
import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import numpy as np

F = TypeVar("F", bound=Callable)  # what a decorator is given, and gives

silent = contextvars.ContextVar("silent", default=False)  # whether numpy is quiet already


class Tracer(Protocol):
    """Who records a call as a program (compiler/trace.py): what the library tells it, and all that it does."""

    spelt_out: bool  # whether it is for who reads the steps as text

    def lift(self, args: Any) -> Any:
        """An operation is about to be given these arguments; what it is given."""

    def made(self, array: Any) -> None:
        """A Tensor has been made of this array."""

    def whole(self, function: Callable, args: tuple) -> Any:
        """Call an operation or an opaque function with arrays: as one step, or as what it does inside."""

    def generator(self, source: Any) -> Any:
        """What to draw random numbers from in the place of `source`."""


class _Mode(threading.local):
    fast = True  # the one switch that the call path reads: operations are recorded, and nothing special goes on
    special = False  # whether one of the next three is other than here
    expanded = False  # True inside expanded(): by_hand functions run as their parts
    watching: tuple = ()  # functions that are given every recorded node
    tracing: Any = None  # the Tracer of the call that is being recorded as a program
    recording = True  # False inside no_grad()
    observing: tuple = ()  # functions that are asked, as a backward pass begins, for who observes it (watch.py)
    floats: Any = None  # the dtype of Python's floats and of whole numbers divided, where it is not the default one
    differentiating: Any = None  # the call whose derivative is being taken by a function of func
    within: tuple = ()  # inside study(): the modules whose forward() is running, each with the number of the call

    def __init__(self) -> None:
        context = contextvars.Context()  # where numpy reports nothing: to enter it takes 30 ns, np.errstate 1,000
        context.run(np.seterr, all="ignore")
        context.run(np.setbufsize, 1024)  # elements: of rows that fit into it numpy copies what it broadcasts
        context.run(silent.set, True)
        self.quietly = context.run

    @property
    def as_text(self) -> bool:
        """Whether a call is being recorded for who reads its steps: then only what is mathematics is done."""
        return self.tracing is not None and self.tracing.spelt_out

    def set(self, field: str, value: Any) -> Any:
        """Set one of the switches; gives what it was."""
        before = getattr(self, field)
        setattr(self, field, value)
        self.special = self.expanded or bool(self.watching) or self.tracing is not None
        self.fast = self.recording and not self.special
        return before


mode = _Mode()


def quietly(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """function(*args), in which numpy does not warn of overflow, 1 / 0 or 0 / 0: inf and NaN are results."""
    return function(*args, **kwargs) if silent.get() else mode.quietly(function, *args, **kwargs)


def quiet(function: Callable) -> Callable:
    """Decorator: the same for a function that may itself run anything, operations on Tensors among it."""
    @functools.wraps(function)
    def silenced(*args: Any, **kwargs: Any) -> Any:
        before = silent.set(True)
        try:
            with np.errstate(all="ignore"):
                np.setbufsize(1024)
                return function(*args, **kwargs)
        finally:
            silent.reset(before)

    return silenced


class Switch:
    """A context manager and decorator that sets one field of `mode` and puts it back."""

    def __init__(self, field: str, value: Any) -> None:
        self.field, self.value = field, value
        self.before: list[Any] = []

    def __enter__(self) -> None:
        self.before.append(mode.set(self.field, self.value))

    def __exit__(self, *exc: object) -> None:
        mode.set(self.field, self.before.pop())

    def __call__(self, function: F) -> F:
        @functools.wraps(function)
        def switched(*args: Any, **kwargs: Any) -> Any:
            with Switch(self.field, self.value):
                return function(*args, **kwargs)

        @functools.wraps(function)
        def switched_steps(*args: Any, **kwargs: Any) -> Any:
            steps = function(*args, **kwargs)
            resume = functools.partial(next, steps)
            while True:  # the switch is set while the generator runs, not while it waits
                try:
                    with Switch(self.field, self.value):
                        item = resume()
                except StopIteration as stop:
                    return stop.value
                try:
                    resume = functools.partial(steps.send, (yield item))
                except GeneratorExit:
                    with Switch(self.field, self.value):
                        steps.close()
                    raise
                except BaseException as error:
                    resume = functools.partial(steps.throw, error)

        return cast(F, switched_steps if inspect.isgeneratorfunction(function) else switched)


def opaque(function: Callable | None = None, *, plain: Callable | None = None, mapped: Callable | None = None
           ) -> Callable:
    """Mark a function of arrays whose steps depend on their values: a compiled program calls it whole.

    plain: the same, slower and shorter, for who reads it as text. mapped: the same for arrays that stand for many.
    """
    if function is None:
        return functools.partial(opaque, plain=plain, mapped=mapped)
    function.plain, function.mapped = plain, mapped or function  # type: ignore[attr-defined]

    @functools.wraps(function)
    def called(*args: Any) -> Any:
        if mode.tracing is not None:
            return mode.tracing.whole(function, args)
        for a in args:
            for part in a if type(a) is tuple else (a,):  # an index too
                if hasattr(part, "whole"):  # what stands for an array
                    return part.whole(function, args)
        return function(*args)

    return called


def _switch(field: str, value: bool, function: Callable | None) -> Any:
    switch = Switch(field, value)
    return switch if function is None else switch(function)


def no_grad(function: Callable | None = None) -> Any:
    """Record nothing inside, so that results do not require grad: `with no_grad():`, or `@no_grad()` above a function.

    It is quicker, and parameters may be changed in place there.

    >>> w = tl.tensor(2.0, requires_grad=True)
    >>> (w * w).backward()
    >>> with tl.no_grad():
    ...     w -= 0.1 * w.grad
    >>> w
    tensor(1.6, requires_grad=True)
    """
    return _switch("recording", False, function)


def enable_grad(function: Callable | None = None) -> Any:
    """Record again, inside a `no_grad()`: `with enable_grad():`, or `@enable_grad()` above a function.

    >>> x = tl.tensor(2.0, requires_grad=True)
    >>> with tl.no_grad():
    ...     with tl.enable_grad():
    ...         y = x * 3
    >>> y.requires_grad
    True
    """
    return _switch("recording", True, function)


def inference_mode(mode: Any = True) -> Any:
    """`no_grad` under PyTorch's name for programs that only compute; with False `enable_grad`.

    >>> model = nn.Linear(3, 2)
    >>> with tl.inference_mode():
    ...     y = model(tl.ones(3))
    >>> y.requires_grad
    False
    """
    return no_grad(mode) if callable(mode) else _switch("recording", not mode, None)


def expanded(function: Callable | None = None) -> Any:
    """Inside, `by_hand` functions are recorded as the operations that they are made of, a node for each.

    >>> x = tl.tensor([0.0, 0.0], requires_grad=True)
    >>> tl.softmax(x, dim=0)
    tensor([0.5, 0.5], grad_fn=<softmax>)
    >>> with tl.expanded():
    ...     print(tl.softmax(x, dim=0))
    tensor([0.5, 0.5], grad_fn=<div>)
    """
    return _switch("expanded", True, function)


class set_grad_enabled(Switch):
    """Turn recording on or off at once; as a context manager or decorator, put it back afterwards.

    >>> x = tl.tensor(2.0, requires_grad=True)
    >>> training = False
    >>> with tl.set_grad_enabled(training):
    ...     y = x * 3
    >>> y.requires_grad
    False
    """

    def __init__(self, enabled: bool) -> None:
        super().__init__("recording", bool(enabled))
        self.outside = mode.set("recording", self.value)

    def __enter__(self) -> None:
        mode.set("recording", self.value)

    def __exit__(self, *exc: object) -> None:
        mode.set("recording", self.outside)

    def __call__(self, function: F) -> F:
        self.__exit__()  # a decorator changes the mode inside calls only
        return super().__call__(function)


def is_grad_enabled() -> bool:
    """Whether this thread records operations for gradients: True unless inside a `no_grad()`.

    >>> tl.is_grad_enabled()
    True
    """
    return mode.recording
