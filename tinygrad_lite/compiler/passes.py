"""What is made of a program before it is written down: each pass is a function from a program to a program."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .program import Program, Var, has_effect, mapped, variables

COPIES = (".copy", "np.copy")
VIEWS = (".T", ".mT", ".reshape", ".transpose", ".swapaxes", ".squeeze", ".ravel", "np.broadcast_to", "np.squeeze",
         "np.transpose", "np.swapaxes", "np.moveaxis", "np.expand_dims", "np.lib.stride_tricks.sliding_window_view")


def dead_code(program: Program) -> Program:
    """Drop what nobody looks at."""
    live = set(program.ends())
    for var in reversed(program.body):
        if has_effect(var) or var in live:
            live.add(var)
            live.update(var.sources())
    return replace(program, body=[v for v in program.body if v in live],
                   inputs=[v for v in program.inputs if v in live or v.value[0] == "argument"])


def constant(value: Any, name: str = "") -> Var:
    """A value that is the same each time."""
    value = np.asarray(value)
    return Var("constant", (), {}, value.shape, value.dtype, name, value)


def evaluated(op: str, args: tuple, kwargs: dict) -> Any:
    """What a call gives for real arguments; NotImplemented for calls that are not numpy's."""
    if op.startswith("np."):
        function: Any = np
        for part in op[3:].split("."):
            function = getattr(function, part)
        return function(*args, **kwargs)
    if op in ("[]", "item"):
        return args[0][args[1]]
    if op in (".T", ".mT"):
        return getattr(args[0], op[1:])
    if op.startswith("."):
        return getattr(args[0], op[1:])(*args[1:], **kwargs)
    return NotImplemented


def known(x: Any) -> Any:
    """The array of a constant."""
    return x.value if isinstance(x, Var) and x.op == "constant" else x


def fold_constants(program: Program) -> Program:
    """Compute now what does not depend on any input, if it is small; numbers in place of arrays of one value."""
    def rule(var: Var) -> Var:
        if var.is_ufunc and len(var.args) == 2:  # a number beside an array of the same dtype needs no array of its own
            for i, (a, b) in enumerate(zip(var.args, reversed(var.args))):
                if _is_constant(a) and isinstance(b, Var) and not _is_constant(b) and b.dtype == a.dtype and \
                        var.shape == b.shape and a.size and (a.value == a.value.flat[0]).all():
                    number = a.value.flat[0].item()
                    var = replace(var, args=tuple(number if k == i else x for k, x in enumerate(var.args)))
        if not all(map(_is_constant, var.sources())) or has_effect(var) or var.shape is None:
            return var
        if var.op == "np.zeros" or var.size > 64 and not var.op.startswith((".T", ".reshape")):
            return var
        value = evaluated(var.op, mapped(known, var.args), mapped(known, var.kwargs))
        return var if value is NotImplemented else constant(value, var.name)

    return program.rewritten(rule)


CHEAP = ("np.add", "np.subtract", "np.multiply", "np.negative", "np.square", "np.maximum", "np.minimum")
HELD, FAR = 1 << 16, 50  # elements of an array, and calls, over which holding it costs more than computing it again


def common_subexpressions(program: Program) -> Program:
    """Compute once what is computed twice; but a large array that costs one pass only is not held for long."""
    seen: dict[Any, Var] = {}
    place: dict[Var, int] = {}
    constants: dict[Any, Var] = {}

    def once(x: Any) -> Any:
        return constants.setdefault((x.dtype, x.shape, x.value.tobytes()), x) if _is_constant(x) else x

    def rule(var: Var) -> Var:
        if any(once(s) is not s for s in var.sources()):
            var = replace(var, args=mapped(once, var.args))
        if has_effect(var):
            return var
        key = (var.op, _key(var.args), _key(tuple(var.kwargs.items())))
        place[var] = len(place)
        first = seen.setdefault(key, var)
        if var.op in CHEAP and var.size >= HELD and place[var] - place[first] > FAR:
            seen[key] = first = var
        if first is not var and var.name and (not first.name or first.name.startswith("~") > var.name.startswith("~")):
            first.name = var.name
        return first

    return program.rewritten(rule)


def _key(x: Any) -> Any:
    if isinstance(x, Var):
        return id(x)
    if isinstance(x, (tuple, list)):
        return tuple(_key(part) for part in x)
    if isinstance(x, slice):
        return ("slice", _key(x.start), _key(x.stop), _key(x.step))
    return type(x), repr(x)


def _is_constant(x: Any) -> bool:
    return isinstance(x, Var) and x.op == "constant"


def _is(x: Any, number: float) -> bool:
    """Whether x is that number, or an array of nothing else that broadcasting would not notice."""
    return not isinstance(x, (Var, tuple, str)) and x == number


def _same(var: Var, x: Any) -> bool:
    return isinstance(x, Var) and (x.shape, x.dtype) == (var.shape, var.dtype)


def fresh_zeros(x: Any) -> bool:
    """Whether a value is an array of zeros that nobody else holds."""
    return isinstance(x, Var) and (x.op == "np.zeros" or x.op == "constant" and not x.value.any())


def simplify(program: Program) -> Program:
    """Algebraic identities that change no bit but the sign of a zero: x * 1, x + 0, x.T.T, …"""
    def rule(var: Var) -> Var:
        a, b = (*var.args, None, None)[:2]
        match var.op:
            case "np.multiply" | "np.divide" if _is(b, 1) and _same(var, a):
                return a
            case "np.multiply" | "np.add" if _is(a, var.op == "np.multiply") and _same(var, b):
                return b
            case "np.add" | "np.subtract" if _is(b, 0) and _same(var, a):
                return a
            case ".T" if a.op == ".T":
                return a.args[0]
            case ".mT" if a.op == ".mT":
                return a.args[0]
            case ".reshape" if a.is_reduction and a.kwargs.get("keepdims") and var.shape == _reduced_shape(a):
                return Var(a.op, a.args, {k: v for k, v in a.kwargs.items() if k != "keepdims"}, var.shape, var.dtype)
            case ".reshape" if a.op == "np.matmul" and a.args[1].op == ".reshape" and a.args[1].shape[1:] == (1,) \
                    and a.args[0].shape[1:] == a.args[1].args[0].shape and len(var.shape) == 1:  # a vector is no matrix
                return Var("np.matmul", (a.args[0], a.args[1].args[0]), {}, var.shape, var.dtype, var.name)
            case ".reshape" if a.op == ".reshape":
                return replace(var, args=(a.args[0], var.args[1])) if var.shape != a.args[0].shape else a.args[0]
            case ".reshape" | "np.broadcast_to" if var.shape == a.shape:
                return a
            case ".astype" if a.dtype == var.dtype:
                return a
            case "[]" if b is Ellipsis or isinstance(b, tuple) and all(p is Ellipsis for p in b):
                return a
            case "put" if b is Ellipsis and _same(var, var.args[2]):
                return var.args[2]
        if var.is_ufunc and any(isinstance(x, Var) and x.op == "np.broadcast_to" for x in var.args):
            args = tuple(x.args[0] if isinstance(x, Var) and x.op == "np.broadcast_to" else x for x in var.args)
            if np.broadcast_shapes(*(x.shape for x in variables(args) if x.shape is not None)) == var.shape:
                return replace(var, args=args)  # numpy broadcasts by itself
        return var

    return program.rewritten(rule)


def _reduced_shape(v: Var) -> tuple:
    """The shape of a reduction without keepdims."""
    shape, axes = v.args[0].shape, v.kwargs["axis"]
    axes = range(len(shape)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    return tuple(n for i, n in enumerate(shape) if i not in {a % len(shape) for a in axes})


def sparse_differences(program: Program) -> Program:
    """p - onehot: subtract at the places that are not 0 only."""
    def rule(var: Var) -> Var:
        if var.op != "np.subtract" or not all(isinstance(x, Var) and _same(var, x) for x in var.args):
            return var
        a, b = var.args
        if b.op != "put" or not fresh_zeros(b.args[0]) or not _each_once(b.args[1]):
            return var
        index, value = b.args[1:]
        there = Var("[]", (a, index), {}, *_of_index(index, a))
        less = Var("np.subtract", (there, value), {}, there.shape, there.dtype)
        return Var("put", (a, index, less), {}, var.shape, var.dtype)

    return program.rewritten(rule)


def flat_products(program: Program) -> Program:
    """A batch of matrices times one matrix as one product: BLAS is faster on one large matrix."""
    def rule(var: Var) -> Var:
        if var.op != "np.matmul" or not all(isinstance(x, Var) for x in var.args):
            return var
        a, b = var.args
        if len(a.shape) < 3 or len(b.shape) != 2 or a.op in VIEWS and a.op != ".reshape":
            return var
        rows, n = a.size // a.shape[-1], a.shape[-1]
        flat = Var(".reshape", (a, (rows, n)), {}, (rows, n), a.dtype)
        product = Var("np.matmul", (flat, b), {}, (rows, b.shape[1]), var.dtype)
        return Var(".reshape", (product, var.shape), {}, var.shape, var.dtype)

    return program.rewritten(rule)


def plain_products(program: Program) -> Program:
    """Products of matrices and vectors by np.dot: the same sums, and less to find out before they start."""
    def rule(var: Var) -> Var:
        if var.op == "np.matmul" and var.size and all(
                isinstance(x, Var) and 1 <= len(x.shape) <= 2 and x.dtype.char in "fd" and x.dtype == var.dtype
                for x in var.args):
            return replace(var, op="np.dot")
        return var

    return program.rewritten(rule)


SHORT = 32  # elements of a row, up to which numpy's own reduction spends its time on starting anew for each row


def short_rows(program: Program) -> Program:
    """The largest of each short row as the largest of a few long columns."""
    def rule(var: Var) -> Var:
        if var.op not in ("np.maximum.reduce", "np.minimum.reduce"):
            return var
        a = var.args[0]
        if len(a.shape) != 2 or var.kwargs["axis"] not in (1, -1) or not 1 < a.shape[1] <= SHORT < a.size:
            return var
        turned = Var(".copy", (Var(".T", (a,), {}, a.shape[::-1], a.dtype),), {}, a.shape[::-1], a.dtype)
        found = Var(var.op, (turned,), {"axis": 0}, a.shape[:1], var.dtype, var.name)
        return found if len(var.shape) == 1 else Var(".reshape", (found, var.shape), {}, var.shape, var.dtype)

    return program.rewritten(rule)


SMALL = 1 << 12  # elements of an array, up to which a call takes longer to start than to compute
LONG, LONGEST = 8, 500  # terms of a sum that are added in one call


def batched_sums(program: Program) -> Program:
    """A sum of many small terms, such as the gradient of a weight that is used again and again, in one call."""
    uses, ends = program.uses(), set(program.ends())

    def goes_on(v: Var) -> bool:
        return v not in ends and len(uses.get(v, ())) == 1 and uses[v][0].op == "np.add" and uses[v][0].args[0] is v

    def terms(v: Var) -> list[Var]:
        first, second = v.args
        return [*(terms(first) if first.op == "np.add" and goes_on(first) else [first]), second]

    def summed(v: Var, new: Callable[[Any], Any]) -> Var:
        parts = [new(p) for p in terms(v)]
        if all(p.op == "np.multiply" and all(_same(p, a) for a in p.args) for p in parts):
            factors = [_stacked(list(side)) for side in zip(*(p.args for p in parts))]
            whole = Var("np.multiply", tuple(factors), {}, factors[0].shape, v.dtype)
        else:
            whole = _stacked(parts)
        return Var("np.add.reduce", (whole,), {"axis": 0}, v.shape, v.dtype, v.name)

    small = {v for v in program.body if v.op == "np.add" and 0 < v.size <= SMALL and all(_same(v, a) for a in v.args)}
    length: dict[Var, int] = {}
    for v in program.body:
        if v in small:
            length[v] = 1 + (length.get(v.args[0], 1) if goes_on(v.args[0]) else 1)
    long = {v: summed for v, n in length.items() if LONG <= n <= LONGEST and not goes_on(v)}
    return program.rewritten(lambda v: v, long)


def _stacked(parts: list[Var]) -> Var:
    """Arrays of one shape along a new first dimension."""
    shape, dtype = (len(parts), *parts[0].shape), parts[0].dtype
    if len(shape) == 1:
        return Var("np.stack", (parts,), {}, shape, dtype)
    whole = Var("np.concatenate", (parts,), {}, (shape[0] * shape[1], *shape[2:]), dtype)
    return Var(".reshape", (whole, shape), {}, shape, dtype)


def pieces_together(program: Program) -> Program:
    """A sum of arrays that are 0 outside pieces of their own, such as the gradient of what was split: one array."""
    def pieces(v: Any) -> list | None:
        """The indices at which something has been written into zeros."""
        if isinstance(v, Var) and v.op == "put" and isinstance(v.args[1], tuple) and all(
                type(i) is slice and i.step is None for i in v.args[1]):
            before = [] if fresh_zeros(v.args[0]) else pieces(v.args[0])
            return None if before is None else [*before, v.args[1]]
        return None

    def rule(var: Var) -> Var:
        if var.op != "np.add" or not all(_same(var, x) for x in var.args):
            return var
        whole, part = var.args
        held, more = pieces(whole), pieces(part)
        if held and more and len(more) == 1 and all(_apart(i, more[0], var.shape) for i in held):
            return replace(part, args=(whole, *part.args[1:]), name=var.name)
        return var

    return program.rewritten(rule)


def _apart(a: tuple, b: tuple, shape: tuple) -> bool:
    """Whether two indices made of slices have no element in common."""
    ranges = ((i.indices(n), j.indices(n)) for i, j, n in zip(a, b, shape))
    return any(i[1] <= j[0] or j[1] <= i[0] for i, j in ranges)


def _each_once(index: Any) -> bool:
    """Whether an index names no element twice: a row number each, beside anything."""
    return isinstance(index, tuple) and any(
        isinstance(i, Var) and i.op == "constant" and i.value.ndim == 1 and len(np.unique(i.value)) == i.value.size
        for i in index)


def _of_index(index: Any, x: Var) -> tuple:
    shape = np.broadcast_shapes(*(i.shape for i in variables(index)))
    return shape + (x.shape or ())[len(index):], x.dtype


def views_for_copies(program: Program) -> Program:
    """Values never change, so a copy is as good as the value itself."""
    return program.rewritten(lambda var: var.args[0] if var.op in COPIES else var)


def own_memory(program: Program) -> Program:
    """What is handed out shows no memory that is used for something else."""
    taken: set[Var] = set()
    added: list[Var] = []

    def root(v: Var) -> Var:
        while v.op in VIEWS or v.aliases or v.op == "[]" and not variables(v.args[1:]):
            v = v.sources()[0]
        return v

    def own(v: Var, is_shared: bool = False) -> Var:
        of = root(v)
        if is_shared or v.shape is None or of.op not in ("input", "constant") and of not in taken and (
                of is v or v not in program.kept):
            taken.add(of)
            return v
        added.append(Var("np.array", (v,), {}, v.shape, v.dtype, v.name))
        return added[-1]

    kept = [own(v) for v in program.kept]
    taken.update(value for _, value in program.writes)
    results: dict[Var, Var] = {}
    for i, v in enumerate(program.results):
        results.setdefault(v, own(v, i in program.shared))
    return replace(program, body=[*program.body, *added], kept=kept, results=[results[v] for v in program.results])


PASSES: tuple[Callable[[Program], Program], ...] = (
    dead_code, fold_constants, views_for_copies, simplify, common_subexpressions, sparse_differences, pieces_together,
    flat_products, short_rows, batched_sums, simplify, common_subexpressions, plain_products, dead_code, own_memory)
