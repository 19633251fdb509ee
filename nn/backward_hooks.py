"""What a module's backward hooks see: the gradients of its inputs and outputs, caught as they pass."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_lite.autograd import Function
from tinygrad_lite.creation import zeros_like
from tinygrad_lite.engine.values import Value


class Before(NamedTuple):
    """A hook that is called before the module's own backward pass."""

    hook: Callable


class _Passing(Function):
    """The tensors that it is given; on the way back `look` sees their gradients, and gives those that go on."""

    @staticmethod
    def forward(ctx: Any, look: Callable, *tensors: Any) -> tuple:
        """Give the tensors on as they are."""
        ctx.look = look
        return tensors

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple:
        """Give the gradients to `look`, and on what it makes of them."""
        return None, *ctx.look(grads)


class Passage:
    """One call of a module with backward hooks, watched at both ends.

    The tuples have None for what is no tensor, and, unlike PyTorch's, zeros for an output that is not used.
    """

    def __init__(self, module: Any) -> None:
        hooks = list(module._backward_hooks.values())
        self.module = module
        self.before = [h.hook for h in hooks if isinstance(h, Before)]
        self.after = [h for h in hooks if not isinstance(h, Before)]
        self.grad_output: tuple | None = None

    def inputs(self, args: tuple) -> tuple:
        """The arguments, to call the module with."""
        watched = _watched(args, self._leave)
        self.nothing = (None,) * len(args) if watched is args else None  # no input needs a gradient
        return watched

    def outputs(self, out: Any) -> Any:
        """The module's output, a tensor or a tuple of them, to go on with."""
        return _watched(out, self._enter) if isinstance(out, tuple) else _watched((out,), self._enter)[0]

    def _enter(self, grads: tuple) -> tuple:
        for hook in self.before:
            grads = _or_new(grads, hook(self.module, grads))
        self.grad_output = grads
        if self.nothing is not None:
            self._leave(self.nothing)
        return grads

    def _leave(self, grads: tuple) -> tuple:
        if self.grad_output is None:  # a second derivative goes through the module's parts without its output
            return grads
        for hook in self.after:
            grads = _or_new(grads, hook(self.module, grads, self.grad_output))
        self.grad_output = None
        return grads


def _watched(values: tuple, look: Callable) -> tuple:
    """The values, whose gradients `look` sees as they come back; themselves where none needs a gradient."""
    at = [i for i, x in enumerate(values) if isinstance(x, Value) and x.node is not None]
    if not at:
        return values

    def spread(grads: tuple) -> list:
        found = dict(zip(at, grads))
        new = look(tuple(found[i] if i in found else zeros_like(x) if isinstance(x, Value) else None
                         for i, x in enumerate(values)))
        return [new[i] for i in at]

    passed = dict(zip(at, _Passing.apply(spread, *(values[i] for i in at))))
    return tuple(passed.get(i, x) for i, x in enumerate(values))


def _or_new(grads: tuple, new: Any) -> tuple:
    """The gradients, or those that a hook gives in their place."""
    if new is None:
        return grads
    new = new if isinstance(new, tuple) else (new,)
    if len(new) != len(grads):
        raise RuntimeError(f"a backward hook gave {len(new)} gradients in place of {len(grads)}")
    return new
