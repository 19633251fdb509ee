"""Operations with derivatives of their own: `autograd.Function`."""

import functools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import ops
from .engine import tape
from .engine.changes import changed_since, next_place, refuse_stale
from .engine.mode import Switch, is_grad_enabled, mode, no_grad
from .engine.tape import box
from .engine.values import Value, unbox
from .func.batched import Batched, level_of
from .func.vmap import Level, alike, enter, leave
from .inplace import rebind


class Context:
    """What a Function's forward leaves for its backward: saved tensors, and any attribute that it sets.

    needs_input_grad says of each argument of forward whether it requires grad.

    >>> ctx = tl.autograd.Context()
    >>> ctx.save_for_backward(tl.ones(2))
    >>> ctx.saved_tensors
    (tensor([1., 1.]),)
    """

    needs_input_grad: tuple[bool, ...] = ()
    materialize = True
    _saved: tuple = ()
    _saved_forward: tuple = ()
    _since = 0
    _without: set = set()
    _dirty: tuple = ()

    if TYPE_CHECKING:  # what forward sets may have any name
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for backward, which finds them as `saved_tensors`."""
        self._saved, self._since = tensors, next_place()

    @property
    def saved_tensors(self) -> tuple:
        """The tensors that were saved; RuntimeError where one of them has been changed in place since."""
        for t in self._saved:
            if isinstance(t, Value) and changed_since(t.array, self._since):
                raise RuntimeError(f"saved_tensors: one of shape {t.array.shape} was changed in place after it was "
                                   "saved; use an out-of-place operation, or save a .clone()")
        return self._saved

    def _of_second_order(self, known: dict[int, Any], name: str) -> "Context":
        """A copy for a backward that is recorded: inputs and outputs as they are on the tape, by the id of the Tensor
        or of its array.

        RuntimeError for another tensor of floating-point numbers: nobody knows how it depends on the inputs.
        """
        def tracked(x: Any) -> Any:
            if isinstance(x, (tuple, list)):
                return type(x)(map(tracked, x))
            if isinstance(x, dict):
                return {key: tracked(value) for key, value in x.items()}
            array = unbox(x)
            if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or getattr(x, "node", None) is not None:
                return x
            if id(x) in known:
                return known[id(x)]
            if id(array) not in known:
                raise RuntimeError(f"{name}: its backward is differentiated again (create_graph), and forward saved a "
                                   f"tensor of shape {array.shape} that is neither an input nor an output; save those "
                                   "and compute it in backward, or return it as an output too")
            return known[id(array)]

        self.saved_tensors  # noqa: B018 - refuses what was changed in place
        copy = Context()
        copy.__dict__ = tracked(vars(self))
        return copy

    def set_materialize_grads(self, value: bool) -> None:
        """Say whether backward gets zeros (True, as at first) or None for an output that no gradient reaches."""
        self.materialize = value

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say which outputs have no gradient."""
        self._without = {id(t) for t in tensors}

    def mark_dirty(self, *tensors: Any) -> None:
        """Say which inputs forward has changed in place; it returns them."""
        self._dirty = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors for jvp, which finds them as `saved_tensors`; without it, those kept for backward."""
        self._saved_forward, self._since = tensors, next_place()

    def _for_jvp(self) -> "Context":
        """The same, with what jvp is to find."""
        copy = Context()
        copy.__dict__ = dict(vars(self), _saved=self._saved_forward or self._saved)
        return copy


class Function:
    """An operation with a backward of its own: a subclass defines forward and backward, and is called by `apply`.

    backward gets the gradient of each output (zeros where there is none) and gives one for each argument, or None. It
    computes with Tensors, so that create_graph differentiates it again. A class with setup_context has a forward that
    takes no ctx. jvp is for forward mode, which else uses backward; vmap is for `func.vmap`, which else runs forward
    and backward on what stands for all examples.

    >>> class Cube(tl.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x ** 3
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return 3 * ctx.saved_tensors[0] ** 2 * g
    >>> x = tl.tensor(2.0, requires_grad=True)
    >>> tl.autograd.grad(Cube.apply(x), x)
    (tensor(12.),)
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(*args: Any) -> Any:
        """forward(ctx, *args), or forward(*args) beside setup_context: the outputs, Tensors; nothing is recorded."""
        raise NotImplementedError("a Function defines forward(ctx, *args)")

    @staticmethod
    def setup_context(ctx: Context, inputs: tuple, output: Any) -> None:
        """Keep in ctx what backward needs of inputs and outputs, where forward does not take ctx."""
        raise NotImplementedError("a Function whose forward takes no ctx defines setup_context(ctx, inputs, output)")

    @staticmethod
    def backward(ctx: Context, *grads: Any) -> Any:
        """The gradient of each argument of forward."""
        raise NotImplementedError("a Function defines backward(ctx, *grads)")

    @staticmethod
    def jvp(ctx: Context, *tangents: Any) -> Any:
        """The tangent of each output, of those of the arguments."""
        raise NotImplementedError("a Function defines jvp(ctx, *tangents), or none")

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> tuple:
        """(outputs, out_dims) for all info.batch_size examples, which lie along in_dims (None: one for all)."""
        raise NotImplementedError("a Function defines vmap(info, in_dims, *args), or none")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run forward, recorded as one node (of several outputs, one node and its pieces)."""
        level = mode.tracing
        if cls.vmap is not Function.vmap and isinstance(level, Level) and any(_is_of(level, a) for a in args):
            return cls._mapped(level, args)
        ctx = Context()
        if is_grad_enabled():
            refuse_stale(cls.__name__, args)
        if mode.tracing is not None:
            args = tuple(mode.tracing.lift(args))
        ctx.needs_input_grad = tuple(isinstance(a, Value) and a.node is not None for a in args)
        with no_grad():
            if cls.setup_context is Function.setup_context:
                outs = cls.forward(ctx, *args)
            else:
                outs = cls.forward(*args)
                cls.setup_context(ctx, args, outs)
        several = isinstance(outs, tuple)
        outs = outs if several else (outs,)
        if not all(isinstance(o, Value) for o in outs):
            raise TypeError(f"{cls.__name__}.forward: gives Tensors, not {', '.join(type(o).__name__ for o in outs)}")
        applied = _Applied(cls, ctx, args, outs)
        if applied.traced and any(ctx.needs_input_grad) and is_grad_enabled():
            outs = applied.recorded()
        return outs if several else outs[0]

    @classmethod
    def _mapped(cls, level: Level, args: tuple) -> Any:
        """All examples at once, by the Function's own vmap."""
        args = tuple(alike(a, (level,)) if _is_inside(level, a) and not _is_of(level, a) else a for a in args)
        in_dims = tuple(0 if _is_of(level, a) else None for a in args)
        info = SimpleNamespace(batch_size=level.size, randomness=level.randomness)
        with Switch("tracing", level.outer):
            whole = [leave(a, level, 0) if dim == 0 else a for a, dim in zip(args, in_dims)]
            found = cls.vmap(info, in_dims, *whole)
            if not isinstance(found, tuple) or len(found) != 2:
                raise TypeError(f"{cls.__name__}.vmap: gives a pair (outputs, out_dims)")
            outs, dims = found
            several = isinstance(outs, (tuple, list))
            outs = tuple(outs) if several else (outs,)
            dims = tuple(dims) if isinstance(dims, (tuple, list)) else (dims,) * len(outs)
            entered = tuple(o if dim is None else enter(o, level, dim) for o, dim in zip(outs, dims, strict=True))
        return entered if several else entered[0]


def _is_inside(level: Level, x: Any) -> bool:
    """Whether it is a Tensor on the tape of the mapped function itself: each example has it for itself."""
    return isinstance(x, Value) and x.node is not None and x.node.place > level.since


def _is_of(level: Level, x: Any) -> bool:
    return isinstance(x, Value) and type(x.array) is Batched and level_of(x.array) is level


class _Applied:
    """What the tape keeps of a call of a Function: an operation with a joint rule."""

    rules = ()

    def __init__(self, cls: Any, context: Context, args: tuple, outs: tuple) -> None:
        self.__name__, self.forward, self.source = cls.__name__, cls.forward, cls.backward
        self.cls, self.context, self.args, self.outs = cls, context, args, outs
        self.traced = [i for i, o in enumerate(outs) if o.array.dtype.kind == "f" and id(o) not in context._without]
        self.shapes = [outs[i].array.shape for i in self.traced]
        ends = np.cumsum([0, *(math.prod(s) for s in self.shapes)])
        self.parts = [slice(int(a), int(b)) for a, b in zip(ends, ends[1:])]
        if cls.jvp is not Function.jvp:
            self.jvp = self._pushed

    def recorded(self) -> tuple:
        """The outputs, on the tape."""
        inputs = [a.node if isinstance(a, Value) else None for a in self.args]
        arrays = [unbox(a) for a in self.args]
        if self.context._dirty:
            self.context.saved_tensors  # noqa: B018 - refuses what was changed in place after it was saved
            for x in self.context._dirty:
                if not any(x is o for o in self.outs):
                    raise RuntimeError(f"{self.__name__}: mark_dirty is of inputs that forward gives back")
        if len(self.traced) == 1:
            array = self.outs[self.traced[0]].array
            dirty = any(self.outs[self.traced[0]] is x for x in self.context._dirty)
            whole = tape.recorded(self, inputs, arrays, array.copy() if dirty else array)
            for a in self.args:
                if isinstance(a, Value) and not dirty and np.may_share_memory(a.array, whole.array):
                    whole.view_of = a, self, (), whole.node.place
            pieces = [whole]
        else:
            whole = tape.recorded(self, inputs, arrays,
                                  np.concatenate([self.outs[i].array.reshape(-1) for i in self.traced]))
            pieces = [piece.to(self.outs[i].array.dtype) for i, piece in zip(self.traced, self._pieces(whole))]
        result = list(self.outs)
        for i, piece in zip(self.traced, pieces):
            result[i] = self._taken_over(self.outs[i], piece)
        if self.context._dirty:
            self.context._since = next_place()
        return tuple(result)

    def _taken_over(self, out: Any, piece: Any) -> Any:
        """A result; of an input that was changed in place, that input with the new value."""
        if not any(out is x for x in self.context._dirty):
            return piece

        def changed(x: Any, new: Any) -> Any:
            return new

        changed.__name__ = self.__name__
        return rebind(out, changed, piece)

    def _pieces(self, whole: Any) -> list:
        """The outputs that are traced, of all that the node holds."""
        if len(self.traced) == 1:
            return [whole]
        return [ops.reshape(ops.getitem(whole, part), s) for part, s in zip(self.parts, self.shapes)]

    def _context(self, out: Any) -> Context:
        """What forward left; in a derivative that is recorded as it is on the tape."""
        if not is_grad_enabled():
            return self.context
        tracked = dict(zip(self.traced, self._pieces(out)))
        known: dict[int, Any] = {}
        for held, value in (*((a, a) for a in self.args if isinstance(a, Value)),
                            *((o, tracked.get(i, o)) for i, o in enumerate(self.outs))):
            known[id(held)] = value
            known.setdefault(id(held.array), value)
        return self.context._of_second_order(known, self.__name__)

    def joint(self, g: Any, out: Any, *_: Any) -> tuple:
        """The gradients of the arguments."""
        given = dict(zip(self.traced, self._pieces(g)))
        zeros = np.zeros_like if self.context.materialize else lambda array: None
        grads = [given[i] if i in given else zeros(o.array) for i, o in enumerate(self.outs)]
        context = self._context(out)
        found = self.cls.backward(context, *(x if x is None or isinstance(x, Value) else box(x) for x in grads))
        found = found if isinstance(found, tuple) else (found,)
        if len(found) != len(self.args):
            raise RuntimeError(f"{self.__name__}.backward gave {len(found)} gradients for {len(self.args)} arguments")
        for i, (d, a) in enumerate(zip(found, self.args)):
            if d is not None and self.context.needs_input_grad[i] and d.shape != a.array.shape:
                raise RuntimeError(f"{self.__name__}.backward gave a gradient of shape {d.shape} for argument {i} "
                                   f"of shape {a.array.shape}")
        return found if is_grad_enabled() else tuple(d if d is None else unbox(d) for d in found)

    def _pushed(self, tangents: list, out: Any, args: list) -> Any:
        """The tangent of what the node holds, by the Function's own jvp."""
        given = []
        for t, a in zip(tangents, self.args):
            real = isinstance(a, Value) and a.array.dtype.kind == "f" and self.context.materialize
            given.append(box(np.zeros_like(a.array)) if t is None and real else t)
        found = self.cls.jvp(self._context(out)._for_jvp(), *given)
        found = found if isinstance(found, tuple) else (found,)
        if len(found) != len(self.outs):
            raise RuntimeError(f"{self.__name__}.jvp gave {len(found)} tangents for {len(self.outs)} outputs")
        pieces = []
        for i in self.traced:
            like = self.outs[i].array
            t = found[i] if found[i] is not None else box(np.zeros_like(like))
            if t.shape != like.shape:
                raise RuntimeError(f"{self.__name__}.jvp gave a tangent of shape {t.shape} for output {i} of shape "
                                   f"{like.shape}")
            pieces.append(t)
        return pieces[0] if len(pieces) == 1 else ops.cat([ops.reshape(t, -1) for t in pieces], 0)


def once_differentiable(backward: Callable) -> Callable:
    """Decorator for a Function's backward that is not to be differentiated again: create_graph is a RuntimeError.

    >>> class Round(tl.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x.round()
    ...     @staticmethod
    ...     @tl.autograd.once_differentiable
    ...     def backward(ctx, g):
    ...         return g
    >>> x = tl.tensor(1.7, requires_grad=True)
    >>> tl.autograd.grad(Round.apply(x), x)
    (tensor(1.),)
    """
    @functools.wraps(backward)
    def once(ctx: Context, *grads: Any) -> Any:
        if is_grad_enabled():
            raise RuntimeError(f"{backward.__qualname__} is once_differentiable, and create_graph would record it")
        return backward(ctx, *grads)

    return once
