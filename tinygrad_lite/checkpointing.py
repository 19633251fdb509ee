"""Gradient checkpointing: what a function computes is not kept, but computed once more in the backward pass."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

from . import func
from .autograd import Context, Function, grad, once_differentiable
from .engine.changes import changed_since, next_place
from .engine.mode import Switch, enable_grad, is_grad_enabled, mode
from .engine.tape import box
from .engine.values import Node
from .random import fork_rng, get_rng_state, set_rng_state
from .tensor import Tensor


def checkpoint(function: Callable, *args: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True,
               **kwargs: Any) -> Any:
    """function(*args, **kwargs) without keeping what it computes inside: the backward pass runs it again.

    That takes less memory and more time (Chen et al., 2016, Training Deep Nets with Sublinear Memory Cost). Tensors
    that require grad are its arguments, or leaves such as a module's parameters; one that was computed outside and is
    no argument is a RuntimeError. So are create_graph, a change of what it reads before the backward pass, and a second
    run that gives something else. Random numbers, such as dropout's, are the same in both runs unless
    preserve_rng_state=False; running statistics are updated twice. PyTorch's use_reentrant makes no difference.

    >>> block = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    >>> y = tl.checkpoint(block, tl.ones(4, 2))
    >>> y.sum().backward()
    >>> block[0].weight.grad.shape
    (3, 2)
    """
    if not is_grad_enabled() or mode.tracing is not None:
        return function(*args, **kwargs)
    numbers, begun = get_rng_state(), next_place()
    found = function(*args, **kwargs)
    outs = found if isinstance(found, tuple) else (found,)
    tracked = [i for i, out in enumerate(outs) if isinstance(out, Tensor) and out.node is not None]
    tensors = [a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)]
    given = {a.node: a for a in tensors if a.node is not None}
    leaves = _leaves([outs[i].node for i in tracked], given, begun)
    if not tracked or not (given or leaves):
        return found
    values = tuple(outs[i].detach() for i in tracked)
    prints, since = _prints(values), next_place()
    reads: list[Any] = [*tensors, *leaves]
    arrays = [x.array for x in reads]

    def run(fresh: dict[Node, Any]) -> list:
        """The outputs once more, of arguments without a past."""
        def new(a: Any) -> Any:
            return fresh[a.node] if isinstance(a, Tensor) and a.node in fresh else a

        with fork_rng(enabled=preserve_rng_state):
            if preserve_rng_state:
                set_rng_state(numbers)
            again = function(*map(new, args), **{name: new(a) for name, a in kwargs.items()})
        again = again if isinstance(again, tuple) else (again,)
        found = [again[i] for i in tracked]
        if preserve_rng_state and _prints(found) != prints:
            raise RuntimeError("checkpoint: the function gave something else when the backward pass ran it again: what "
                               "it reads or does has changed since the forward pass; call backward() before that")
        return found

    class Recomputed(Function):
        """A function that is run again in the backward pass."""

        @staticmethod
        def forward(ctx: Context, *inputs: Any) -> Any:
            """What the first run gave."""
            return values

        @staticmethod
        @once_differentiable
        def backward(ctx: Context, *grads: Any) -> tuple:
            """The gradients of arguments and leaves."""
            for x, array in zip(reads, arrays):
                if x.array is not array or changed_since(array, since):
                    raise RuntimeError(f"checkpoint: a tensor of shape {array.shape} that the function reads was "
                                       "changed before the backward pass, which runs the function again; call "
                                       "backward() before that, or change a .clone()")
            fresh = {node: a.detach().requires_grad_() for node, a in given.items()}
            hooks = {leaf: leaf.hooks for leaf in leaves}  # theirs run when the whole gradient is known
            try:
                for leaf in leaves:
                    leaf.hooks = None
                with enable_grad():
                    again = run(fresh)
                wanted = [*fresh.values(), *(box(leaf.array, leaf) for leaf in leaves)]
                return grad(again, wanted, list(grads), allow_unused=True)
            finally:
                for leaf, kept in hooks.items():
                    leaf.hooks = kept

    results = Recomputed.apply(*given.values(), *(box(leaf.array, leaf) for leaf in leaves))
    whole = list(outs)
    for i, result in zip(tracked, results):
        whole[i] = result
    return tuple(whole) if isinstance(found, tuple) else whole[0]


def _numbers() -> Any:
    """Where the library's generator is, also in a vmap, which lets nobody draw."""
    with Switch("tracing", None):
        return get_rng_state()


def replayed(fun: Callable) -> Callable:
    """HIPS autograd's `checkpoint`: the function, whose insides are not kept but computed again in the backward pass.

    It draws the same random numbers each time it runs. All tensors that it differentiates by are its arguments.

    >>> wave = tl.func.checkpoint(lambda x: tl.sin(x) * x)
    >>> tl.func.grad(wave)(tl.tensor(0.0))
    tensor(0.)
    """
    @functools.wraps(fun)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        numbers, runs = _numbers(), itertools.count()

        @functools.wraps(fun)
        def again(*args: Any, **kwargs: Any) -> Any:
            if not next(runs):
                return fun(*args, **kwargs)
            before = _numbers()
            set_rng_state(numbers)
            try:
                return fun(*args, **kwargs)
            finally:
                set_rng_state(before)

        return func.hips.checkpoint(again)(*args, **kwargs)

    return checkpointed


def _prints(values: Any) -> list[tuple]:
    """What tells values from others: they may be changed in place later."""
    return [(v.shape, hash(v.array.tobytes())) for v in values]


def _leaves(roots: list[Node], given: dict[Node, Any], begun: int) -> list[Node]:
    """The leaves that nodes come from, without the arguments; RuntimeError for what was computed before."""
    found, seen = list[Node](), set(roots)
    nodes = list(roots)
    for node in nodes:  # grows as it is read
        if node in given:
            continue
        if node.op is None:
            found.append(node)
            continue
        if node.place < begun:
            raise RuntimeError(f"checkpoint: the function reads a tensor of shape {node.array.shape} that was computed "
                               "outside of it; give it as an argument")
        for source in node.inputs:
            if source is not None and source not in seen:
                seen.add(source)
                nodes.append(source)
    return found
