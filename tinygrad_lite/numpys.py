"""numpy's functions of Tensors: which operation each of them is, for numpy asks who is given one."""

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import fourier, linalg, ops
from .engine.dtypes import default_float, promote_float
from .engine.mode import mode
from .engine.tape import primitive
from .engine.trees import leaves
from .engine.values import Value, converted
from .ops.arguments import plain

WRITERS = frozenset("copyto put place putmask fill_diagonal put_along_axis".split())  # change their first argument
WITHOUT_DERIVATIVE = frozenset(  # numbers that change with no input, or a question about them
    "zeros_like ones_like empty_like array2string array_repr array_str savetxt save may_share_memory shares_memory "
    "isclose allclose array_equal result_type digitize".split())


# ---------------------------------------------------------------- element by element
UFUNCS: dict[str, Callable] = {  # by numpy's names
    name: op for name, op in ops.VOCABULARY.items() if isinstance(getattr(np, name, None), np.ufunc)}
UFUNCS |= {alias: ops.VOCABULARY[name] for alias, name in ops.ALIASES.items()}
UFUNCS |= {
    "power": ops.pow, "float_power": ops.pow, "equal": ops.eq, "invert": ops.bitwise_not, "mod": ops.remainder,
    "left_shift": ops.bitwise_left_shift, "right_shift": ops.bitwise_right_shift, "fabs": ops.abs, "rint": ops.round,
    "degrees": ops.rad2deg, "radians": ops.deg2rad, "positive": ops.clone, "conjugate": ops.clone,
    "logaddexp2": lambda x, y: ops.logaddexp(x * math.log(2), y * math.log(2)) / math.log(2),
    "cbrt": primitive(np.cbrt, lambda g, out, x: g / (3 * out * out), promote=promote_float),
    "divmod": lambda x, y: (ops.floor_divide(x, y), ops.remainder(x, y)), "vecdot": lambda x, y: ops.sum(x * y, -1)}


# ---------------------------------------------------------------- functions with arguments of their own
def _over(op: Callable, takes_dtype: bool = False) -> Callable:
    """A reduction with numpy's arguments by place: the dtype, where it has one, and `out` come before keepdims."""
    def reduced(x: Any, axis: Any = None, *rest: Any, keepdims: bool = False, dtype: Any = None) -> Any:
        names = ["dtype", "out", "keepdims"] if takes_dtype else ["out", "keepdims"]
        given = dict(zip(names, rest))
        dtype, keepdims = given.get("dtype", dtype), given.get("keepdims", keepdims)
        if given.get("out") is not None or len(rest) > len(names):
            raise TypeError("it takes an axis, a dtype and keepdims")
        return op(x if dtype is None else x.to(np.dtype(dtype)), axis, keepdims)

    return reduced


def _var(op: Callable) -> Callable:
    def spread(x: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: bool = False, *,
               correction: Any = None) -> Any:
        x = _real(x) if dtype is None else x.to(np.dtype(dtype))
        return op(x, axis, correction=ddof if correction is None else correction, keepdim=keepdims)

    return spread


def _flat_without_axis(op: Callable) -> Callable:
    def along(x: Any, axis: Any = None, dtype: Any = None) -> Any:
        x = x if dtype is None else x.to(np.dtype(dtype))
        return op(ops.flatten(x), 0) if axis is None else op(x, axis)

    return along


def _real(x: Any) -> Any:
    """Whole numbers and truths as floating-point ones."""
    return x if x.dtype.kind == "f" else x.to(default_float())


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The mean, of whole numbers and truths too."""
    return ops.mean(_real(x), axis, keepdims)


def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """NaN and the infinities replaced, in a copy."""
    if not copy:
        raise TypeError("copy=False would write into a Tensor unnoticed")
    return ops.nan_to_num(x, nan, posinf, neginf)


def full_like(x: Any, fill_value: Any, dtype: Any = None, shape: Any = None) -> Any:
    """One value, or what broadcasts, in the shape of x."""
    shape = x.shape if shape is None else (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    dtype = x.dtype if dtype is None else np.dtype(dtype)
    if not isinstance(fill_value, Value):
        return np.full(shape, fill_value, dtype)
    return ops.broadcast_to(converted(fill_value, dtype), shape)


def einsum(spec: Any, *operands: Any, optimize: Any = False) -> Any:
    """Products summed over indices."""
    return ops.einsum(spec, *map(_given, operands))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Products summed over the last dimensions of a and the first of b, or those that are named."""
    if not isinstance(axes, (int, np.integer)):
        axes = tuple([d] if isinstance(d, (int, np.integer)) else list(d) for d in axes)
    return ops.tensordot(a, b, axes)


def _joining(op: Callable) -> Callable:
    def joined(arrays: Any, *args: Any, **kwargs: Any) -> Any:
        return op([_given(x) for x in arrays], *args, **kwargs)

    return joined


def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The product over one axis, several, or all."""
    if not isinstance(axis, tuple):
        return ops.prod(x, axis, keepdims)
    for a in axis:
        x = ops.prod(x, a, True)
    return x if keepdims else ops.squeeze(x, axis)


def dot(a: Any, b: Any) -> Any:
    """The product of numbers, vectors and matrices; of more dimensions over the last of a and the last but one of b."""
    if not np.ndim(a) or not np.ndim(b):
        return a * b
    return ops.matmul(a, b) if builtins.max(a.ndim, b.ndim) < 3 or b.ndim == 1 else ops.tensordot(a, b, ([-1], [-2]))


def inner(a: Any, b: Any) -> Any:
    """The sum of products over the last dimension of both."""
    return a * b if not np.ndim(a) or not np.ndim(b) else ops.tensordot(a, b, ([-1], [-1]))


def sort(x: Any, axis: Any = -1, kind: Any = None, stable: Any = None) -> Any:
    """The elements in order."""
    return ops.sort(ops.flatten(x), 0)[0] if axis is None else ops.sort(x, axis)[0]


def concatenate(arrays: Any, axis: Any = 0) -> Any:
    """Arrays one after the other; flat ones where axis is None."""
    arrays = [_given(x) for x in arrays]
    return ops.cat([ops.flatten(x) for x in arrays], 0) if axis is None else ops.cat(arrays, axis)


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list:
    """Parts of one size, or cut at indices."""
    if isinstance(indices_or_sections, (int, np.integer)) and x.shape[axis] % indices_or_sections:
        raise ValueError(f"np.split: {indices_or_sections} parts do not divide dimension {axis} of shape {x.shape}; "
                         "np.array_split makes parts of different sizes")
    return list(ops.tensor_split(x, indices_or_sections, axis))


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Any:
    """Wider dimensions."""
    names = {"constant": "constant", "edge": "replicate", "reflect": "reflect", "wrap": "circular"}
    if mode not in names or not isinstance(constant_values, (int, float)):
        raise TypeError(f"np.pad of a Tensor: mode is one of {', '.join(names)}, and constant_values a number")
    pairs = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    return ops.pad(x, [n for pair in pairs[::-1] for n in pair], names[mode], constant_values)


def rollaxis(x: Any, axis: int, start: int = 0) -> Any:
    """The axis moved to before another."""
    axis, start = axis % x.ndim, start + x.ndim * (start < 0)
    return ops.movedim(x, axis, start - (axis < start))


def average(x: Any, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Any:
    """The mean, each element weighted."""
    if weights is None:
        return mean(x, axis, keepdims)
    weights = _given(weights)
    if weights.shape != x.shape and isinstance(axis, (int, np.integer)):
        weights = ops.reshape(weights, tuple(n if d == axis % x.ndim else 1 for d, n in enumerate(x.shape)))
    weights = ops.broadcast_to(weights * 1.0, x.shape)
    return ops.sum(x * weights, axis, keepdims) / ops.sum(weights, axis, keepdims)


def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular values, and the vectors."""
    return linalg.svd(x, full_matrices) if compute_uv else ops.svdvals(x)


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """The choice whose condition is the first that is true."""
    out = default
    for condition, choice in reversed([*zip(condlist, choicelist, strict=True)]):
        out = ops.where(plain(condition), choice, out)
    return out


def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True) -> Any:
    """Evenly spaced numbers from start to stop."""
    steps = np.linspace(0.0, 1.0, num, endpoint)
    return start + steps.reshape(-1, *(1,) * max(np.ndim(start), np.ndim(stop))) * (stop - start)


def append(x: Any, values: Any, axis: Any = None) -> Any:
    """One after the other."""
    return concatenate([x, _given(values if axis is not None or np.ndim(values) else [values])], axis)


def gradient(x: Any, spacing: float = 1.0, axis: Any = None, edge_order: int = 1) -> Any:
    """Central differences of neighbors at even distances; at the ends one-sided ones."""
    if edge_order != 1 or not isinstance(spacing, (int, float)):
        raise TypeError("np.gradient of a Tensor: the spacing is one number, and edge_order 1")
    axis = plain(axis)
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    found = []
    for a in axes:
        n, lead = x.shape[a], (slice(None),) * (a % x.ndim)
        if n < 2:
            raise ValueError(f"np.gradient: needs at least 2 elements along axis {a}, not {n}")
        before, after = x[(*lead, slice(0, n - 2))], x[(*lead, slice(2, n))]
        steps = ops.diff(x, 1, a)
        rise = [steps[(*lead, slice(0, 1))], (after - before) / 2, steps[(*lead, slice(n - 2, n - 1))]]
        found.append(ops.cat(rise, a) / spacing)
    return found[0] if len(found) == 1 else tuple(found)


def _same(x: Any, *_: Any, **__: Any) -> Any:
    return x


V = ops.VOCABULARY
FUNCTIONS: dict[Callable, Callable] = {
    getattr(np, name): V[name] for name in (  # whose arguments mean the same here, under numpy's names too
        "reshape squeeze broadcast_to kron round sinc fliplr flipud rot90 diff atleast_1d atleast_2d atleast_3d hsplit "
        "vsplit dsplit").split()}
FUNCTIONS |= {getattr(np, name): _joining(V[name]) for name in "stack hstack vstack dstack column_stack".split()}
FUNCTIONS |= {getattr(np, name): _over(V[name]) for name in "argmax argmin any all".split()}
FUNCTIONS |= {
    np.max: _over(V["amax"]), np.min: _over(V["amin"]), np.amax: _over(V["amax"]), np.amin: _over(V["amin"]),
    np.sum: _over(ops.sum, True), np.prod: _over(prod, True),
    np.mean: _over(mean, True), np.nansum: _over(ops.nansum, True), np.nanmean: _over(ops.nanmean, True),
    np.var: _var(ops.var), np.count_nonzero: lambda x, axis=None: ops.count_nonzero(x, axis), np.full_like: full_like,
    np.einsum: einsum, np.tensordot: tensordot, np.nan_to_num: nan_to_num,
    np.where: lambda condition, x=None, y=None: ops.where(condition, _given(x), _given(y)),
    np.tile: lambda x, reps: ops.tile(x, reps), np.roll: lambda x, shift, axis=None: ops.roll(x, shift, axis),
    np.swapaxes: lambda x, axis1, axis2: ops.swapaxes(x, axis1, axis2), np.diag: lambda x, k=0: ops.diag(x, k),
    np.tril: lambda x, k=0: ops.tril(x, k), np.triu: lambda x, k=0: ops.triu(x, k),
    np.std: _var(ops.std), np.cumsum: _flat_without_axis(ops.cumsum), np.cumprod: _flat_without_axis(ops.cumprod),
    np.sort: sort, np.concatenate: concatenate, np.split: split, np.pad: pad, np.average: average, np.dot: dot,
    np.array_split: lambda x, indices_or_sections, axis=0: list(ops.tensor_split(x, indices_or_sections, axis)),
    np.inner: inner, np.vdot: lambda a, b: ops.dot(ops.flatten(a), ops.flatten(b)),
    np.outer: lambda a, b: ops.outer(ops.flatten(a), ops.flatten(b)),
    np.cross: lambda a, b, axis=-1: linalg.cross(*ops.broadcast_tensors(a, b), dim=axis),
    np.median: lambda x, axis=None, keepdims=False: ops.quantile(x, 0.5, axis, keepdims),
    np.flip: lambda x, axis=None: ops.flip(x, tuple(range(x.ndim)) if axis is None else axis),
    np.trace: lambda x, offset=0, axis1=0, axis2=1: ops.sum(ops.diagonal(x, offset, axis1, axis2), -1),
    np.clip: lambda x, a_min=None, a_max=None, min=None, max=None: ops.clamp(
        x, a_min if min is None else min, a_max if max is None else max),
    np.copy: lambda x: ops.clone(x), np.expand_dims: lambda x, axis: ops.unsqueeze(x, axis),
    np.moveaxis: lambda x, source, destination: ops.movedim(x, source, destination), np.rollaxis: rollaxis,
    np.transpose: lambda x, axes=None: ops.permute(x, *(reversed(range(x.ndim)) if axes is None else axes)),
    np.ravel: lambda x: ops.flatten(x), np.append: append, np.select: select, np.linspace: linspace,
    np.around: V["round"], np.fix: ops.trunc, np.real: _same, np.real_if_close: _same, np.imag: lambda x: x * 0.0,
    np.angle: lambda x: ops.where(x < 0, math.pi, x * 0.0),
    np.ptp: _over(lambda x, axis, keepdims: ops.amax(x, axis, keepdims) - ops.amin(x, axis, keepdims)),
    np.diagonal: lambda x, offset=0, axis1=0, axis2=1: ops.diagonal(x, offset, axis1, axis2),
    np.repeat: lambda x, repeats, axis=None: ops.repeat_interleave(x, repeats, axis),
    np.take: lambda x, indices, axis=None: ops.take(x, np.asarray(indices)) if axis is None else x[
        (slice(None),) * (axis % x.ndim) + (np.asarray(indices),)],
    np.take_along_axis: lambda x, indices, axis=-1: ops.take_along_dim(x, indices, axis),
    np.meshgrid: lambda *xs, indexing="xy": list(ops.meshgrid(*xs, indexing=indexing)),
    np.broadcast_arrays: ops.broadcast_tensors, np.gradient: gradient,
    np.isposinf: ops.isposinf, np.isneginf: ops.isneginf,
    np.linalg.inv: ops.inv, np.linalg.det: ops.det, np.linalg.solve: ops.solve, np.linalg.slogdet: ops.slogdet,
    np.linalg.cholesky: lambda x, *, upper=False: ops.cholesky(x, upper), np.linalg.eigh: ops.eigh,
    np.linalg.eigvalsh: ops.eigvalsh, np.linalg.qr: ops.qr, np.linalg.pinv: lambda x: ops.pinv(x), np.linalg.svd: svd,
    np.linalg.norm: linalg.norm, np.linalg.matrix_power: ops.matrix_power, np.linalg.multi_dot: linalg.multi_dot,
    np.fft.rfft: fourier.rfft, np.fft.irfft: fourier.irfft,
    np.linalg.trace: lambda x, offset=0: ops.sum(ops.diagonal(x, offset, -2, -1), -1)}
FUNCTIONS |= {getattr(np.linalg, name): getattr(linalg, name) for name in (  # numpy 2
    "svdvals vector_norm matrix_norm diagonal vecdot cross matmul".split()) if hasattr(np.linalg, name)}


METHODS: dict[tuple[np.ufunc, str], Callable] = {
    (np.add, "reduce"): ops.sum, (np.multiply, "reduce"): prod, (np.maximum, "reduce"): ops.amax,
    (np.minimum, "reduce"): ops.amin, (np.add, "accumulate"): ops.cumsum, (np.multiply, "accumulate"): ops.cumprod}
PRODUCTS = {np.dot, np.inner, np.outer, np.vdot, np.kron, np.tensordot, np.cross}  # of which one may be a list


# ---------------------------------------------------------------- what numpy asks
def _given(x: Any) -> Any:
    """An argument as operations take it: a number, or a list of them, as an array."""
    if isinstance(x, (list, tuple)) and builtins.any(isinstance(part, Value) for part in leaves(x)):
        return ops.stack([_given(part) for part in x])
    return np.asarray(x) if isinstance(x, (list, tuple, int, float)) else x


def of_ufunc(ufunc: np.ufunc, method: str, inputs: tuple, kwargs: dict) -> Any:
    """What one of numpy's ufuncs, or a method of it, gives of Tensors."""
    if kwargs.pop("out", None) is not None or method == "at":
        raise TypeError(f"np.{ufunc.__name__}: neither out= nor .at is taken, nothing is written unnoticed: write "
                        "out.copy_(…), or use an operation such as index_add")
    if method == "__call__":
        if ufunc.__name__ in UFUNCS and not kwargs:
            return UFUNCS[ufunc.__name__](*(np.asarray(x) if isinstance(x, (list, tuple)) else x for x in inputs))
        return _of_arrays(ufunc.__name__, ufunc, inputs, kwargs)
    kwargs = {k: v for k, v in kwargs.items() if k == "axis" or v is not None}
    if (ufunc, method) in METHODS and kwargs.keys() <= {"axis", "keepdims"}:
        return METHODS[ufunc, method](*inputs, **({"axis": 0} | kwargs))
    return _of_arrays(f"{ufunc.__name__}.{method}", getattr(ufunc, method), inputs, kwargs)


def of_function(function: Callable, args: tuple, kwargs: dict) -> Any:
    """What another of numpy's functions gives of Tensors."""
    if function.__name__ in WRITERS or kwargs.get("out") is not None:
        raise TypeError(f"np.{function.__name__} would write into a Tensor unnoticed: use an in-place operation of the "
                        "Tensor (copy_, x[i] = v), or its .array")
    if function in FUNCTIONS:
        args = (*map(_given, args[:2]), *args[2:]) if function in PRODUCTS else args
        try:
            return FUNCTIONS[function](*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"np.{function.__name__} of a Tensor: {error}") from None
    return _of_arrays(function.__name__, function, args, kwargs)


def _of_arrays(name: str, function: Callable, args: tuple, kwargs: dict) -> Any:
    """What numpy computes of the arrays; TypeError where a derivative would be lost."""
    found = function(*plain(args), **{k: plain(v) for k, v in kwargs.items()})
    given, results = leaves((args, kwargs)), leaves(found)
    tracked = mode.recording and builtins.any(isinstance(x, Value) and x.node is not None for x in given)
    real = builtins.any(isinstance(x, float) or getattr(x, "dtype", np.dtype(int)).kind in "fc" for x in results)
    if tracked and real and name not in WITHOUT_DERIVATIVE:
        raise TypeError(f"np.{name} has no derivative here, and would lose the one of its argument: use "
                        "tinygrad_lite's operations, give it a rule by func.primitive and defvjp, or .detach() for a "
                        "constant")
    return found
