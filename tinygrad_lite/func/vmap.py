"""`vmap`: a function of one example becomes one of many, which it computes at once."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.changes import next_place
from ..engine.mode import Switch, mode
from ..engine.tape import box, primitive
from ..engine.trees import leaves, mapped, named_leaves, refilled
from ..engine.values import Value, unbox
from ..ops import cat, getitem
from .arguments import given_back, need_function
from .batched import Batched, Unbatched, below, each, later, level_of, levels_of, spread, spread_over


# ---------------------------------------------------------------- on the tape: in, out, and what all examples share
def _entered(x: Any, level: Any, dim: int) -> Batched:
    """All examples as one."""
    if (found := below(level, x, lambda x: _entered(x, level, later(dim)))) is not None:
        return found
    value = np.moveaxis(x, dim, 0)[...]
    memory = value
    while type(memory) is Batched:
        memory = memory.value
    if type(memory) is np.ndarray:
        memory.flags.writeable = False  # arguments stay as they are
    return Batched(value, level)


def _left(x: Any, level: Any, dim: int) -> Any:
    """All examples, along a dimension."""
    if (found := below(level, x, lambda x: _left(x, level, later(dim)))) is not None:
        return found
    return np.moveaxis(spread(x, level).value, 0, dim)


def _alike(x: Any, levels: tuple) -> Any:
    """The same, for each of the examples of these maps."""
    return spread_over(x, levels)


def _shared(x: Any, level: Any) -> Batched:
    """The same for each example."""
    return spread(x, level)


def _total(x: Any, level: Any) -> Any:
    """The sum over examples."""
    if (found := below(level, x, lambda x: _total(x, level))) is not None:
        return found
    return np.add.reduce(spread(x, level).value, axis=0)


def _share_rule(g, out, x, level):
    within = mode.tracing
    while isinstance(within, Level):
        if within is level:
            raise RuntimeError("vmap: inside it, a gradient is asked for by a Tensor from outside, which all examples "
                               "share: it would be the sum over them; take func.grad by an argument")
        within = within.outer
    return total(g, level)


enter = primitive(_entered, lambda g, out, x, level, dim: leave(g, level, dim), name="vmap")
leave = primitive(_left, lambda g, out, x, level, dim: enter(g, level, dim), name="vmap")
share = primitive(_shared, _share_rule, name="vmap")
alike = primitive(_alike, lambda g, out, x, levels: g, name="vmap")  # of what is made inside: each example has its own
total = primitive(_total, lambda g, out, x, level: share(g, level), name="vmap")


class Level:
    """One call of a mapped function: how many examples it has. It is the library's `mode.Tracer` meanwhile."""

    def __init__(self, size: int, randomness: str, starts: dict) -> None:
        self.starts = starts  # where generators were when the first chunk drew from them
        self.drawn = set[int]()  # from which this chunk has drawn
        self.size, self.randomness, self.outer, self.since = size, randomness, mode.tracing, next_place()
        self.spelt_out = mode.as_text
        self.base = getattr(self.outer, "base", self.outer)  # who is told, below all maps
        self.shared: dict[int, Value] = {}  # by node: Tensors from outside that are tracked

    def __repr__(self) -> str:
        return f"{self.size} examples"

    def lift(self, args: tuple) -> tuple:
        """Tensors from outside that are tracked, as each example has them; and what the examples are read from."""
        if self.base is not None:
            self.base.lift(args)
        args = tuple(self._inside(a) if isinstance(a, Value) and a.node is not None else a for a in args)
        first = args[0] if args else None
        if isinstance(unbox(first), np.ndarray):
            others = mapped(unbox, args[1:])
            if level_of(others) is self and not set(levels_of(others)) <= set(levels_of(unbox(first))):
                shared_by = alike if isinstance(first, Value) else spread_over
                args = (shared_by(first, tuple(levels_of(others))), *args[1:])
        return args

    def _inside(self, x: Value) -> Value:
        if x.node.place > self.since:
            return x
        if id(x.node) not in self.shared:
            with Switch("tracing", self.outer), Switch("recording", True):
                self.shared[id(x.node)] = share(x, self)
        return self.shared[id(x.node)]

    def made(self, array: Any) -> None:
        """A Tensor has been made of this array."""
        if self.outer is not None:
            self.outer.made(array)

    def whole(self, function: Callable, args: tuple) -> Any:
        """An operation, or an opaque function, of all examples; of each where it asks for their values."""
        args = self.lift(args)
        run = getattr(function, "forward", None) or function.mapped  # type: ignore[attr-defined]
        try:
            return run(*args) if self.outer is None else self._outside(function, run, args)
        except Unbatched:
            return each(self, functools.partial(self._beneath, function), args, {})

    def _beneath(self, function: Callable, *args: Any) -> Any:
        """One example; of the maps outside it may still be all."""
        if isinstance(self.outer, Level) and level_of(args) is not None:
            return self.outer.whole(function, args)
        return (getattr(function, "forward", None) or function)(*args)

    def _outside(self, function: Callable, run: Callable, args: tuple) -> Any:
        """Of values that no example differs in, whoever is outside is told."""
        return run(*args) if level_of(args) is not None else self.outer.whole(function, args)

    def generator(self, source: Any) -> Any:
        """What to draw random numbers from."""
        if self.randomness == "error":
            raise RuntimeError("vmap: the function draws random numbers; say whether the examples have different ones, "
                               'randomness="different", or the "same"')
        real = source.numpy if self.outer is None else self.outer.generator(source)
        if self.randomness == "different":
            return Draws(real, self)
        if id(source) not in self.drawn:  # each chunk draws the same
            self.drawn.add(id(source))
            if id(source) in self.starts:
                real.bit_generator.state = self.starts[id(source)]
            else:
                self.starts[id(source)] = real.bit_generator.state
        return real


class Draws:
    """A generator that draws for each example anew."""

    def __init__(self, real: Any, level: Level) -> None:
        self.real, self.level = real, level

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.real, name)

        def draw(*args: Any, **kwargs: Any) -> Any:
            if level_of((args, kwargs)) is self.level:
                return each(self.level, method, args, kwargs)
            drawn = [np.asarray(method(*args, **kwargs)) for _ in range(self.level.size)]
            return Batched(np.stack(drawn), self.level) if drawn else spread(method(*args, **kwargs), self.level)

        return draw


# ---------------------------------------------------------------- the function
def vmap(func: Callable, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *,
         chunk_size: int | None = None) -> Callable:
    """The function that computes `func`, which is of one example, for all examples at once.

    in_dims: along which dimension of each positional argument the examples lie, or None for what all of them share; one
    for all, or a tuple whose parts may be trees as the arguments are. out_dims: the same for the results. randomness:
    whether random numbers in it are an "error", the "same" for all examples or "different". chunk_size: how many
    examples at a time, all unless given. Gradients pass through it, and inside: vmap(grad(loss), (None, 0)) gives
    per-example gradients. A truth test on values is refused where the examples disagree; arguments are not changed in
    place. What numpy computes in ways that are not known here is computed an example at a time.

    >>> x = tl.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> tl.func.vmap(tl.dot, in_dims=(0, None))(x, tl.tensor([1.0, 10.0]))
    tensor([21., 43., 65.])
    """
    need_function("vmap", func)
    if randomness not in ("error", "same", "different"):
        raise ValueError(f"vmap: randomness is 'error', 'same' or 'different', not {randomness!r}")
    if chunk_size is not None and not (isinstance(chunk_size, (int, np.integer)) and chunk_size > 0):
        raise ValueError(f"vmap: chunk_size is a number of examples above 0, or None, not {chunk_size!r}")

    @functools.wraps(func)
    def of_all(*args: Any, **kwargs: Any) -> Any:
        dims = _in_dims(func, in_dims, args)
        values = leaves(args, records=True)
        size, starts = _examples(args, values, dims), dict[int, Any]()
        if chunk_size is not None and chunk_size < size:
            chunk = functools.partial(of_some, dims, None, starts)
            return _in_chunks(chunk, args, kwargs, values, dims, size, int(chunk_size), out_dims)
        return of_some(dims, size, starts, *args, **kwargs)

    def of_some(dims: list, size: int | None, starts: dict, *args: Any, **kwargs: Any) -> Any:
        values = leaves(args, records=True)
        level = Level(_examples(args, values, dims) if size is None else size, randomness, starts)
        given = refilled(args, [_started(x, dim, level) for x, dim in zip(values, dims)])
        numpy = not any(isinstance(v, Value) for v in (*values, *kwargs.values()))
        single = any(getattr(v, "dtype", None) in (np.float32, np.float16) for v in values)
        floats = np.dtype(np.float64) if numpy and not single else mode.floats  # numpy's habit, in numpy's programs
        with Switch("tracing", level), Switch("floats", floats):
            out = func(*given, **kwargs)
        results = leaves(out, records=True)
        ends = _prefixed("out_dims", out_dims, out)
        return refilled(out, [_ended(x, dim, level, numpy) for x, dim in zip(results, ends)])

    return of_all


def _started(x: Any, dim: int | None, level: Level) -> Any:
    """An argument as the function sees it."""
    if not isinstance(x, (Value, np.ndarray)):
        return x
    x = x if isinstance(x, Value) else box(x)
    return x if dim is None else enter(x, level, dim)


def _ended(x: Any, dim: int | None, level: Level, numpy: bool) -> Any:
    """A result as the caller sees it."""
    if x is None:
        return None
    if not isinstance(x, Value):
        if not isinstance(x, (np.ndarray, np.generic, int, float)):
            raise TypeError(f"vmap: the function gives Tensors and arrays, not a {type(x).__name__}")
        x = box(x if isinstance(x, np.ndarray) else np.asarray(x))
    mine = type(x.array) is Batched and x.array.level is level
    if dim is None:
        if mine:
            raise ValueError("vmap: out_dims is None for a result that differs from example to example")
        return given_back(x, np.float64(0) if numpy else x)
    if not -x.array.ndim - 1 <= dim <= x.array.ndim:
        raise IndexError(f"vmap: out_dims {dim} is out of range for results of shape {x.array.shape} of each example")
    if mine and x.node is None and dim == 0 and x.array.value.base is None:  # nobody else has that memory
        return given_back(box(x.array.value), np.float64(0) if numpy else x)
    return given_back(leave(x, level, dim), np.float64(0) if numpy else x)


def _in_dims(func: Callable, in_dims: Any, args: tuple) -> list:
    """The dimension of each leaf of the arguments."""
    if not args:
        raise ValueError("vmap: the function was given no positional argument; those given by name are not mapped")
    if isinstance(in_dims, list):
        in_dims = tuple(in_dims)
    if isinstance(in_dims, tuple) and len(in_dims) != len(args):
        raise ValueError(f"vmap: in_dims has {len(in_dims)} entries, and {getattr(func, '__name__', 'the function')} "
                         f"was given {len(args)} positional arguments")
    return _prefixed("in_dims", in_dims, args)


def _prefixed(name: str, dims: Any, tree: Any) -> list:
    """For each leaf of a tree the dimension that `dims`, a tree of the same form or of less depth, says."""
    if dims is None or isinstance(dims, (int, np.integer)) and not isinstance(dims, bool):
        return [dims] * len(leaves(tree, records=True))
    kind: Any = (tuple, list) if isinstance(dims, (tuple, list)) else dict
    if not isinstance(dims, (tuple, list, dict)) or not isinstance(tree, kind) or len(dims) != len(tree):
        raise ValueError(f"vmap: {name} is a whole number, None, or a tuple, list or dict of these of the form of the "
                         f"{'arguments' if name == 'in_dims' else 'results'}, not {dims!r}")
    if isinstance(dims, dict):
        if set(dims) != set(tree):
            raise ValueError(f"vmap: {name} has the keys {list(dims)}, where {list(tree)} are expected")
        return [d for key in tree for d in _prefixed(name, dims[key], tree[key])]
    return [d for part, each_of in zip(dims, tree) for d in _prefixed(name, part, each_of)]


def _examples(args: tuple, values: list, dims: list) -> int:
    """How many examples there are."""
    given = [(unbox(x), dim) for x, dim in zip(values, dims) if dim is not None and x is not None]
    if given and all(isinstance(x, np.ndarray) and -x.ndim <= dim < x.ndim for x, dim in given):
        counts = {x.shape[dim] for x, dim in given}
        if len(counts) == 1:
            return counts.pop()
    sizes: dict[int, str] = {}  # what does not fit is told with where it is
    for (path, _), x, dim in zip(named_leaves(args), values, dims):
        if dim is None:
            continue
        if not isinstance(x, (Value, np.ndarray)):
            if x is None:
                continue
            raise TypeError(f"vmap: argument {path} is a {type(x).__name__}, which has no dimension {dim}; say None "
                            "for it in in_dims, or make it an array")
        shape = unbox(x).shape
        if not -len(shape) <= dim < len(shape):
            raise IndexError(f"vmap: argument {path} of shape {shape} has no dimension {dim}")
        sizes.setdefault(shape[dim], path)
    if len(sizes) != 1:
        told = ", ".join(f"{size} in argument {path}" for size, path in sizes.items())
        raise ValueError(f"vmap: arguments hold different numbers of examples: {told}" if sizes else
                         "vmap: no argument holds examples: an entry of in_dims is a dimension, and not None")
    return next(iter(sizes))


def _in_chunks(of_all: Callable, args: tuple, kwargs: dict, values: list, dims: list, size: int, chunk_size: int,
               out_dims: Any) -> Any:
    """The mapped function called for some examples at a time."""
    parts = []
    for start in range(0, size, chunk_size):
        some = [x if dim is None or x is None else
                getitem(x, (slice(None),) * (dim % x.ndim) + (slice(start, start + chunk_size),))
                for x, dim in zip(values, dims)]
        parts.append(of_all(*refilled(args, some), **kwargs))
    columns = zip(*(leaves(part, records=True) for part in parts))
    return refilled(parts[0], [column[0] if dim is None or column[0] is None else cat(list(column), dim)
                               for column, dim in zip(columns, _prefixed("out_dims", out_dims, parts[0]))])
