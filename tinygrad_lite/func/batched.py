"""What stands for an array inside `vmap`: one for each example, which numpy and the library take for one array.

A `Batched` array has the shape of one example and holds all of them, along dimension 0 of `value`. It answers numpy's
own protocols, so operations, their gradient rules and what users write in numpy compute all examples at once without
knowing it. A function that has no entry here is called an example at a time: slower, and as right. What one value only
can answer (a truth, a conversion to a number) is answered where all examples agree, and else refused.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..engine.changes import owner
from ..engine.trees import leaves, mapped
from ..engine.values import Value, holds, occurs, unbox

SAME_SHAPE = {np.may_share_memory, np.shares_memory, np.shape, np.ndim, np.size, np.result_type, np.can_cast,
              np.iscomplexobj, np.isrealobj, np.min_scalar_type}  # what asks for no values
ALIGNED = {np.where, np.clip, np.isclose, np.round, np.around, np.nan_to_num, np.sinc, np.copy, np.isposinf,
           np.isneginf, np.fix, np.real, np.imag}  # element by element
MATRICES = {np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.linalg.cholesky, np.linalg.eigh, np.linalg.eigvalsh,
            np.linalg.svd, np.linalg.qr, np.linalg.pinv, np.tril, np.triu}  # of the last two dimensions
ALONG = {np.sum: None, np.prod: None, np.mean: None, np.any: None, np.all: None, np.max: None, np.min: None,
         np.amax: None, np.amin: None, np.std: None, np.var: None, np.count_nonzero: None, np.median: None,
         np.argmax: None, np.argmin: None, np.cumsum: None, np.cumprod: None, np.sort: -1, np.argsort: -1,
         np.flip: None}  # along an axis: which, where none is named
FLAT = {np.argmax, np.argmin, np.cumsum, np.cumprod, np.median}  # that take x flat where axis is None
WRITERS = {np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis}


class Unbatched(RuntimeError):
    """One value was asked for where the examples of a vmap have different ones."""


class Batched(NDArrayOperatorsMixin):
    """One array an example of `level`, all of them in `value`. root: what it is a view of, as `base` of arrays."""

    __class__ = property(lambda self: np.ndarray)  # type: ignore[assignment]
    __array_priority__ = 200
    __slots__ = ("value", "level", "root", "__weakref__")

    def __init__(self, value: Any, level: Any, root: Any = None) -> None:
        self.value, self.level, self.root = value, level, root

    # ---- what one example is
    shape = property(lambda self: self.value.shape[1:])
    ndim = property(lambda self: self.value.ndim - 1)
    dtype = property(lambda self: self.value.dtype)
    size = property(lambda self: math.prod(self.shape))
    strides = property(lambda self: self.value.strides[1:])
    itemsize = property(lambda self: self.value.itemsize)
    nbytes = property(lambda self: self.value.nbytes)
    flags = property(lambda self: self.value.flags)
    base = property(lambda self: self.root)
    examples = property(lambda self: getattr(self.value, "examples", self.value), doc="All of them, a plain array.")
    example = property(lambda self: one(self), doc="The first of them, a plain array.")
    real = property(lambda self: self.shown(self.value.real))
    imag = property(lambda self: self.shown(self.value.imag))
    T = property(lambda self: self.transpose())
    mT = property(lambda self: self.swapaxes(-1, -2))
    flat = property(lambda self: iter(self.reshape(-1)))

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a 0-d array")
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def shown(self, value: Any) -> "Batched":
        """Another array of the same examples; it remembers where it shows the memory of this one."""
        mine = value is self.value or value.base is not None and owner(value) is owner(self.value)
        return Batched(value, self.level, (self if self.root is None else self.root) if mine else None)

    # ---- shapes
    def reshape(self, *shape: Any, order: str = "C", copy: Any = None) -> "Batched":
        shape = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        if -1 in shape and not self.value.size:  # numpy cannot tell what is left of nothing
            shape = np.empty(self.shape, bool).reshape(shape).shape
        return self.shown(self.value.reshape((len(self.value), *shape), order=order))

    def transpose(self, *axes: Any) -> "Batched":
        axes = axes[0] if len(axes) == 1 and not isinstance(axes[0], (int, np.integer)) else axes
        order = [a % self.ndim for a in axes] if axes else range(self.ndim)[::-1]
        return self.shown(self.value.transpose(0, *(a + 1 for a in order)))

    def swapaxes(self, a: int, b: int) -> "Batched":
        return self.shown(self.value.swapaxes(*(later((a, b)))))

    def squeeze(self, axis: Any = None) -> "Batched":
        axis = tuple(i for i, n in enumerate(self.shape) if n == 1) if axis is None else axis
        return self.shown(self.value.squeeze(later(axis)))

    def ravel(self, order: str = "C") -> "Batched":
        return self.reshape(-1, order=order)

    def flatten(self, order: str = "C") -> "Batched":
        return self.reshape(-1, order=order).copy()

    def copy(self, order: str = "C") -> "Batched":
        return Batched(self.value.copy(order), self.level)

    def astype(self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True
               ) -> "Batched":
        return self.shown(self.value.astype(dtype, order, casting, copy=copy))

    def view(self, dtype: Any) -> "Batched":
        return self.shown(self.value.view(dtype))

    def fill(self, value: Any) -> None:
        self[...] = value

    # ---- reading and writing
    def __getitem__(self, index: Any) -> Any:
        inner = level_of((self, index))
        if inner is not self.level:
            return spread(self, inner)[index]
        at = _index(self, index)
        if at is None:
            return each(self.level, operator.getitem, (self, index), {})
        where, arrays, first = at
        found = _read(self.value, where)
        return self.shown(np.moveaxis(found, range(1, 1 + arrays), range(1 + first, 1 + first + arrays)) if first
                          else found)

    def __setitem__(self, index: Any, value: Any) -> None:
        value = unbox(value)
        _need_batched(level_of((self, index, value)), "an assignment", self)
        at = _index(self, index)
        if at is None:
            each(self.level, operator.setitem, (self, index, value), {})
        else:
            self.value[at[0]] = _written(self, at, value)

    # ---- numpy's protocols
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, Value) for x in inputs):
            return NotImplemented  # a Tensor knows what it is an operation of
        out = kwargs.pop("out", None) or (None,)
        level = self.level
        for x in (*inputs, *out, *kwargs.values()):
            if type(x) is Batched and x.level.since > level.since:
                level = x.level
        if out[0] is not None or method == "at":
            _need_batched(level, ufunc.__name__, inputs[0] if out[0] is None else out[0])
        if method == "at" and (at := _index(inputs[0], inputs[1])) is not None:
            ufunc.at(inputs[0].value, at[0], *(_written(inputs[0], at, v) for v in inputs[2:]))
            return None
        if method != "__call__" and type(inputs[0]) is not Batched or method in ("reduceat", "at") or \
                ufunc.signature is not None and ufunc is not np.matmul and ufunc is not np.vecdot:
            return each(level, ufunc if method == "__call__" else getattr(ufunc, method), inputs,
                        kwargs if out[0] is None else {"out": out} | kwargs)
        if method == "outer":
            a, b = inputs
            return ufunc(a.reshape(*a.shape, *(1,) * np.ndim(b)), b, **kwargs)
        if method in ("reduce", "accumulate"):
            x, axis = inputs[0], kwargs.pop("axis", 0)
            axis = later(tuple(range(x.ndim)) if axis is None else axis)
            found = getattr(ufunc, method)(x.value, axis=axis, **kwargs)
        elif ufunc is np.matmul:
            found = _matmul(level, *inputs)
        else:
            ndim = max(_ndim(x) for x in (*inputs, *out) if x is not None)
            inputs = tuple(aligned(x, ndim) if _level(x) is level else x for x in inputs)
            kwargs = {k: aligned(x, ndim) if _level(x) is level else x for k, x in kwargs.items()}
            found = ufunc(*inputs, **kwargs)
        if out[0] is None:
            return mapped(lambda x: Batched(x, level), found)
        out[0].value[...] = found
        return out[0]

    def __array_function__(self, function: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        if any(issubclass(kind, Value) for kind in types):
            return NotImplemented
        if function in SAME_SHAPE:
            return function(*mapped(one, args), **mapped(one, kwargs))
        level = level_of((args, kwargs))
        if function in WRITERS or kwargs.get("out") is not None:
            _need_batched(level, function.__name__, args[0] if function in WRITERS else kwargs["out"])
        elif function in ALIGNED:
            ndim = max(map(np.ndim, (*args, *kwargs.values())))
            args, kwargs = mapped(lambda x: aligned(x, ndim) if _level(x) is level else x, (args, kwargs))
            return Batched(function(*args, **kwargs), level)
        elif function in MATRICES and type(args[0]) is Batched:
            found = function(args[0].value, *args[1:], **kwargs)
            return mapped(lambda x: Batched(x, level), found)
        elif function in ALONG and type(args[0]) is Batched:
            found = _along(function, *args, **kwargs)
            if found is not None:
                return found
        elif function in RULES and (type(args[0]) is Batched or function in JOINING):
            return RULES[function](level, *args, **kwargs)
        return each(level, function, args, kwargs)

    def whole(self, function: Callable, args: tuple) -> Any:
        """What an opaque function of the library gives of these arguments."""
        if isinstance(args[0], np.ndarray):
            args = (spread_over(args[0], levels_of(args)), *args[1:])

        def again(*args: Any) -> Any:
            inner = next((a for a in args if type(a) is Batched), None)
            return function(*args) if inner is None else inner.whole(function, args)

        try:
            return function.mapped(*args)  # type: ignore[attr-defined]
        except Unbatched:
            return each(level_of(args), again, args, {})

    def holds(self) -> bool:
        """Whether it is true everywhere, in all examples."""
        return holds(self.value)

    def occurs(self) -> bool:
        """Whether it is true anywhere, in any example."""
        return occurs(self.value)

    # ---- where one value is asked for
    def _agreed(self, what: str) -> Any:
        """The value of all examples; Unbatched where they differ, or are shapes and not numbers."""
        first = self.value[:1]
        if not len(self.value) or self.ndim or not bool((self.value == first).all()):
            raise Unbatched(f"vmap: {what} asks for one value, and the examples have different ones; compute with "
                            "tl.where and other operations, or call the function an example at a time")
        return first[0]

    def __bool__(self) -> bool:
        return bool(self.reshape(())._agreed("a truth test (if, while, and, or, not)") if self.size == 1 else
                    np.empty(self.shape))  # which numpy refuses

    def item(self, *at: Any) -> Any:
        return self.reshape(-1)[at[0] if at else 0]._agreed(".item()").item()

    def tolist(self) -> Any:
        return self._agreed(".tolist()").tolist()

    def __float__(self) -> float:
        return float(self._agreed("float()"))

    def __int__(self) -> int:
        return int(self._agreed("int()"))

    def __index__(self) -> int:
        return operator.index(self._agreed("an index of a plain array or a list (which a Tensor would take)"))

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise Unbatched("vmap: the examples' values go into a plain array (np.array, an assignment), or choose from "
                        "one as its index or mask; make it a Tensor, or by np.zeros_like, or use tl's functions")

    def tobytes(self, order: str = "C") -> bytes:
        return self.value.tobytes()

    def __repr__(self) -> str:
        return f"<an example of {len(self.value)}: {self.dtype}{list(self.shape)}>"

    def __deepcopy__(self, memo: dict) -> "Batched":
        return self.copy()


def _method(name: str) -> Callable:
    return lambda self, *args, **kwargs: getattr(np, name)(self, *args, **kwargs)


for _name in ("all any argmax argmin argsort clip cumprod cumsum diagonal dot max mean min nonzero prod repeat round "
              "searchsorted std sum take trace var").split():
    setattr(Batched, _name, _method(_name))


# ---------------------------------------------------------------- levels
def _level(x: Any) -> Any:
    return x.level if type(x) is Batched else None


def _ndim(x: Any) -> int:
    return x.ndim if hasattr(x, "ndim") else np.ndim(x)


def level_of(tree: Any) -> Any:
    """The innermost vmap whose examples a tree holds, that is the youngest; None of plain values."""
    levels = [x.level for x in leaves(tree) if type(x) is Batched]
    return max(levels, key=lambda level: level.since) if levels else None


def _need_batched(level: Any, name: str, target: Any) -> None:
    target = target[0] if isinstance(target, tuple) else target
    if _level(target) is not level:
        raise Unbatched(f"vmap: {name} writes the examples' values into an array that all share; make that array by "
                        "np.zeros_like of one of them, or use an operation that gives a new array")


def one(x: Any) -> Any:
    """The first example, or what numpy needs to know of shape and dtype."""
    if type(x) is not Batched:
        return x
    return one(x.value[0, ...] if len(x.value) else np.broadcast_to(np.zeros((), x.dtype), x.shape))


def aligned(x: Batched, ndim: int) -> Any:
    """All examples with as many dimensions as broadcasting to `ndim` of one asks for."""
    lead = ndim - x.ndim
    return x.value if lead <= 0 else x.value.reshape(len(x.value), *(1,) * lead, *x.shape)


def spread(x: Any, level: Any) -> Batched:
    """An array as one that every example has."""
    if _level(x) is level:
        return x
    if (found := below(level, x, lambda x: spread(x, level))) is not None:
        return found
    return Batched(np.broadcast_to(x, (level.size, *np.shape(x))), level)


def levels_of(tree: Any) -> list:
    """All vmaps whose examples a tree holds, the oldest first."""
    found, arrays = set(), [x for x in leaves(tree) if type(x) is Batched]
    for x in arrays:  # grows as it is read
        found.add(x.level)
        if type(x.value) is Batched:
            arrays.append(x.value)
    return sorted(found, key=lambda level: level.since)


def spread_over(x: Any, levels: Any) -> Any:
    """An array as one that the examples of all these vmaps have."""
    for level in levels:
        x = spread(x, level)
    return x


def below(level: Any, x: Any, function: Callable) -> Any:
    """The function of what a younger vmap's examples hold, for all of them; None where x is of no younger vmap."""
    return Batched(function(x.value), x.level) if type(x) is Batched and x.level.since > level.since else None


def each(level: Any, function: Callable, args: tuple, kwargs: dict) -> Any:
    """The function called an example at a time, and its results together."""
    def example(i: int) -> Any:
        pick = (lambda x: x.value[i, ...]) if level.size else one
        return function(*mapped(lambda x: pick(x) if _level(x) is level else x, args),
                        **mapped(lambda x: pick(x) if _level(x) is level else x, kwargs))

    found = [example(i) for i in range(level.size or 1)]
    values = [leaves(f) for f in found]
    joined = iter([_together(level, function, column) for column in zip(*values)])
    return mapped(lambda _: next(joined), found[0])


def _together(level: Any, function: Callable, results: tuple) -> Any:
    name = getattr(function, "__name__", "a function")
    if not isinstance(results[0], (np.ndarray, np.generic, bool, int, float)):
        if all(r is results[0] or r == results[0] for r in results):
            return results[0]
        raise Unbatched(f"vmap: {name} gave a different {type(results[0]).__name__} for different examples")
    if len({np.shape(r) for r in results}) > 1:
        raise Unbatched(f"vmap: {name} gave results of different shapes for different examples; use tl.where for a "
                        "choice that depends on values")
    stacked = np.stack(results)
    return Batched(stacked if level.size else stacked[:0], level)


# ---------------------------------------------------------------- numpy's functions
def later(axis: Any) -> Any:
    """An axis of one example as one of all."""
    if isinstance(axis, (tuple, list, range)):
        return tuple(map(later, axis))
    return axis if axis is None or axis < 0 else axis + 1


def _along(function: Callable, x: Batched, *args: Any, **kwargs: Any) -> Any:
    """A function along an axis; None where all as one are meant in a way that has no axis."""
    given, rest = (args[0], args[1:]) if args else (kwargs.pop("axis", ALONG[function]), ())
    value = x.value
    if given is None and function in FLAT:
        if kwargs.get("keepdims"):
            return None
        value, given = value.reshape(len(value), -1), 0
    given = tuple(range(x.ndim)) if given is None else given
    if x.ndim == 0 and given in (0, -1):
        return None
    return Batched(function(value, later(given), *rest, **kwargs), x.level)


def _matmul(level: Any, a: Any, b: Any) -> Any:
    a, b = (x.value[0] if _level(x) is level and len(x.value) and x.value.strides[0] == 0 else x for x in (a, b))
    if _level(a) is not level and _level(b) is not level:
        return np.broadcast_to(found := np.matmul(a, b), (level.size, *np.shape(found)))
    if _level(b) is not level and np.ndim(b) == 2 and a.shape[-1:] == b.shape[:1] and a.value.size:  # one product
        return np.matmul(a.value.reshape(math.prod(a.value.shape[:-1]), -1), b).reshape(*a.value.shape[:-1], b.shape[1])
    if _level(a) is not level and np.ndim(a) == 2 and b.ndim == 1:
        return np.matmul(b.value, a.T)
    if min(np.ndim(a), np.ndim(b)) == 0:
        np.matmul(one(a), one(b))  # which numpy refuses
    row, column = _ndim(a) == 1, _ndim(b) == 1
    a, b = a[None] if row else a, b[:, None] if column else b
    ndim = max(_ndim(a), _ndim(b))
    product = np.multiply if a.shape[-1] == b.shape[-2] == 1 else np.matmul  # an outer product: in a third of the time
    found = product(*(aligned(x, ndim) if _level(x) is level else x for x in (a, b)))
    found = found[..., 0] if column else found
    return found[..., 0, :] if row and not column else found[..., 0] if row else found


def _index(x: Batched, index: Any) -> Any:
    """How all examples are read: the index, how many dimensions its arrays give, and where these stand in an example's
    result. None where that is not known."""
    parts = index if isinstance(index, tuple) else (index,)
    parts = tuple(np.asarray(p) if isinstance(p, list) and level_of(p) is None else p for p in parts)
    arrays = [p for p in parts if isinstance(p, (np.ndarray, np.generic))]
    if not arrays and not any(isinstance(p, (list, bool)) for p in parts):
        return (slice(None), *parts), 0, 0
    if any(p.dtype.kind not in "iu" for p in arrays) or any(isinstance(p, (list, bool)) for p in parts):
        return None
    ndim = max(np.ndim(p) for p in arrays)
    examples = np.arange(len(x.value)).reshape(-1, *(1,) * ndim)
    where = (examples, *(aligned(p, ndim) if _level(p) is x.level else p for p in parts))
    places = [i for i, p in enumerate(parts) if isinstance(p, (int, np.ndarray, np.generic))]
    if places[-1] - places[0] >= len(places) or not places[0]:  # apart: numpy puts what they give first
        return where, ndim, 0
    if Ellipsis in [p for p in parts[: places[0]] if not isinstance(p, np.ndarray)]:
        read = sum(p is not None and p is not Ellipsis for p in parts)
        first = places[0] - 1 + x.ndim - read
    else:
        first = places[0]
    return where, ndim, first


def _read(value: Any, where: tuple) -> Any:
    """value[where], where the index may be of the examples of an older vmap."""
    older = level_of(where)
    return (value if older is None else spread(value, older))[where]


def _written(x: Batched, at: tuple, value: Any) -> Any:
    """A value that is written at such an index, in the order in which all examples are read there."""
    where, arrays, first = at
    shape = list(_read(x.value, where).shape)
    value = aligned(value, len(shape) - 1) if type(value) is Batched else value
    if not first:
        return value
    read = shape[:1] + shape[1 + arrays : 1 + arrays + first] + shape[1 : 1 + arrays] + shape[1 + arrays + first :]
    return np.moveaxis(np.broadcast_to(value, read), range(1 + first, 1 + first + arrays), range(1, 1 + arrays))


def _like(make: Callable) -> Callable:
    def made(level: Any, x: Any, *args: Any, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Any:
        shape = x.shape if shape is None else (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        whole = (level.size, *shape)
        return Batched(make(x.value, *args, dtype=dtype, shape=whole, **kwargs), level)

    return made


def _joined(join: Callable) -> Callable:
    def joining(level: Any, arrays: Any, axis: int = 0, **kwargs: Any) -> Any:
        if axis is None:
            arrays, axis = [np.ravel(x) for x in arrays], 0
        return Batched(join([spread(x, level).value for x in arrays], later(axis), **kwargs), level)

    return joining


def _take_along(level: Any, x: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        x, axis = x.reshape(-1), 0
    x, indices = spread(x, level), spread(indices, level)
    return Batched(np.take_along_axis(x.value, indices.value, later(axis)), level)


def _einsum(level: Any, spec: Any, *xs: Any, **kwargs: Any) -> Any:
    if not isinstance(spec, str) or "..." in spec and "->" not in spec:
        return each(level, np.einsum, (spec, *xs), kwargs)
    inputs, _, output = spec.replace(" ", "").partition("->")
    b = next(c for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in spec)
    if "->" not in spec:
        letters = inputs.replace(",", "")
        output = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    terms = ",".join(b + t if _level(x) is level else t for t, x in zip(inputs.split(","), xs))
    arrays = [x.value if _level(x) is level else x for x in xs]
    found = np.einsum(f"{terms}->{b}{output}", *arrays, **kwargs)
    return next(x for x in xs if _level(x) is level).shown(found)


def _rolled(level: Any, x: Batched, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return _rolled(level, x.reshape(-1), shift, 0).reshape(x.shape)
    return Batched(np.roll(x.value, shift, later(axis)), level)


def _diagonal(level: Any, x: Batched, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return x.shown(np.diagonal(x.value, offset, later(axis1), later(axis2)))


def _windows(level: Any, x: Batched, window_shape: Any, axis: Any = None, **kwargs: Any) -> Any:
    axis = tuple(range(x.ndim)) if axis is None else axis
    return x.shown(np.lib.stride_tricks.sliding_window_view(x.value, window_shape, later(axis), **kwargs))


def _solve(level: Any, a: Any, b: Any) -> Any:
    if np.ndim(b) == 1:
        return _solve(level, a, b[:, None])[..., 0]
    ndim = max(np.ndim(a), np.ndim(b))
    return Batched(np.linalg.solve(*(aligned(x, ndim) if _level(x) is level else x for x in (a, b))), level)


def _broadcast(level: Any, x: Batched, shape: Any, **kwargs: Any) -> Batched:
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    return x.shown(np.broadcast_to(aligned(x, len(shape)), (level.size, *shape)))


def _tiled(level: Any, x: Batched, reps: Any) -> Batched:
    reps = (reps,) if isinstance(reps, (int, np.integer)) else tuple(reps)
    ndim = max(x.ndim, len(reps))
    return Batched(np.tile(aligned(x, ndim), (1, *(1,) * (ndim - len(reps)), *reps)), level)


JOINING = {np.concatenate, np.stack, np.take_along_axis, np.einsum, np.linalg.solve, np.broadcast_arrays}
RULES: dict[Any, Callable] = {
    np.concatenate: _joined(np.concatenate), np.stack: _joined(np.stack), np.take_along_axis: _take_along,
    np.einsum: _einsum, np.linalg.solve: _solve, np.roll: _rolled, np.diagonal: _diagonal,
    np.lib.stride_tricks.sliding_window_view: _windows,
    **{make: _like(make) for make in (np.zeros_like, np.ones_like, np.empty_like, np.full_like)},
    np.broadcast_arrays: lambda level, *xs: tuple(
        np.broadcast_to(x, np.broadcast_shapes(*map(np.shape, xs))) for x in xs),
    np.broadcast_to: _broadcast,
    np.reshape: lambda level, x, shape, order="C", **kwargs: x.reshape(shape, order=order),
    np.transpose: lambda level, x, axes=None: x.transpose(*(() if axes is None else axes)),
    np.swapaxes: lambda level, x, a, b: x.swapaxes(a, b),
    np.moveaxis: lambda level, x, source, to: x.shown(np.moveaxis(x.value, later(source), later(to))),
    np.expand_dims: lambda level, x, axis: x.shown(np.expand_dims(x.value, later(axis))),
    np.squeeze: lambda level, x, axis=None: x.squeeze(axis),
    np.ravel: lambda level, x, order="C": x.ravel(order),
    np.ascontiguousarray: lambda level, x, dtype=None: x.shown(np.ascontiguousarray(x.value, dtype)),
    np.tile: _tiled,
    np.fft.rfft: lambda level, x, n=None, axis=-1: Batched(np.fft.rfft(x.value, n, later(axis)), level),
    np.fft.irfft: lambda level, x, n=None, axis=-1: Batched(np.fft.irfft(x.value, n, later(axis)), level),
    np.array2string: lambda level, x, *args, **kwargs: repr(x)}

