"""What is made of a program before it is written down: each pass is a function from a program to a program."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..engine.reductions import ONES, has_short_rows, side_of_ones
from ..engine.trees import mapped
from .program import Program, Slot, Var, has_effect, identical, may_raise, variables

COPIES = (".copy", "np.copy")
VIEWS = (".T", ".mT", ".reshape", ".transpose", ".swapaxes", ".squeeze", ".ravel", "np.broadcast_to", "np.squeeze",
         "np.transpose", "np.swapaxes", "np.moveaxis", "np.expand_dims", "np.lib.stride_tricks.sliding_window_view")


def dead_code(program: Program) -> Program:
    """Drop what nobody looks at."""
    live = {*program.ends(), *(i for i, _ in program.writes)}
    for var in reversed(program.body):
        if has_effect(var) or var.section == "forward" and may_raise(var) or var in live:
            live.add(var)
            live.update(var.sources())
    return replace(program, body=[v for v in program.body if v in live],
                   inputs=[v for v in program.inputs if v in live or isinstance(v.value, Slot) and not v.value.bound])


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


def fold_constants(program: Program, most: int = 64) -> Program:
    """Compute now what does not depend on any input, if it is small; numbers in place of arrays of one value."""
    def rule(var: Var) -> Var:
        if var.is_ufunc and len(var.args) == 2:  # a number beside an array of the same dtype needs no array of its own
            for i, (a, b) in enumerate(zip(var.args, reversed(var.args))):
                if _is_constant(a) and isinstance(b, Var) and not _is_constant(b) and b.dtype == a.dtype and \
                        var.shape == b.shape and a.size and identical(a.value, np.full_like(a.value, a.value.flat[0])):
                    number = a.value.flat[0].item()
                    var = replace(var, args=tuple(number if k == i else x for k, x in enumerate(var.args)))
        if not all(map(_is_constant, var.sources())) or has_effect(var) or var.shape is None:
            return var
        if var.op == "np.zeros" or var.size > most and (
                most == 1 or not var.op.startswith((".T", ".reshape"))):
            return var
        value = evaluated(var.op, mapped(known, var.args), mapped(known, var.kwargs))
        return var if value is NotImplemented else constant(value, var.name)

    return program.rewritten(rule)


def common_subexpressions(program: Program) -> Program:
    """Compute once what is computed twice."""
    seen: dict[Any, Var] = {}
    constants: dict[Any, Var] = {}

    def once(x: Any) -> Any:
        return constants.setdefault((x.dtype, x.shape, x.value.tobytes()), x) if _is_constant(x) else x

    def rule(var: Var) -> Var:
        if any(once(s) is not s for s in var.sources()):
            var = replace(var, args=mapped(once, var.args))
        if has_effect(var):
            return var
        key = (var.op, _key(var.args), _key(tuple(var.kwargs.items())))
        first = seen.setdefault(key, var)
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
    """Algebraic identities that change no bit but the sign of a zero: x * 1, x ** 1, x + 0, x.T.T, …"""
    def rule(var: Var) -> Var:
        a, b = (*var.args, None, None)[:2]
        match var.op:
            case "np.multiply" | "np.divide" | "np.power" if _is(b, 1) and _same(var, a):
                return a
            case "np.multiply" if _is(a, 1) and _same(var, b):
                return b
            case "np.subtract" if _is(b, 0) and _same(var, a):
                return a
            case "np.add" if _is(b, 0) and _same(var, a) and var.dtype.kind not in "fc":  # -0.0 + 0 is 0.0
                return a
            case ".T" if a.op == ".T":
                return a.args[0]
            case ".mT" if a.op == ".mT":
                return a.args[0]
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


def views_for_copies(program: Program) -> Program:
    """Values never change, so a copy is as good as the value itself."""
    return program.rewritten(lambda var: var.args[0] if var.op in COPIES else var)


def lowered(program: Program) -> Program:
    """What the operations do with arrays, but not with traced ones: sums of rows and columns as products with ones,
    extremes of short rows as those of long columns, products of a batch with one matrix as one product."""
    def rule(var: Var) -> Var:
        a, b = (*var.args, None, None)[:2]
        if var.op == "np.matmul" and not var.kwargs and isinstance(a, Var) and isinstance(b, Var):
            if len(a.shape) > 2 and len(b.shape) == 2 and (a.op not in VIEWS or a.op == ".reshape"):
                flat = _reshaped(a, (a.size // a.shape[-1], a.shape[-1]) if a.size else a.shape)
                return _reshaped(_product(flat, b, (*flat.shape[:-1], b.shape[1]), var), var.shape)
            return _product(a, b, var.shape, var)
        if not var.is_reduction or var.kwargs.keys() - {"axis", "keepdims"} or not a.size or a.dtype != var.dtype:
            return var
        axis = var.kwargs["axis"]
        if var.op == "np.add.reduce" and a.dtype.char in ONES and (side := side_of_ones(a.shape, axis)):
            ones = constant(np.ones(a.shape[0 if side == "left" else -1], a.dtype), "ones")
            factors: Any = (ones, a, a.shape[1:]) if side == "left" else (a, ones, a.shape[:-1])
            return _reshaped(_product(factors[0], factors[1], factors[2], var), var.shape)
        if var.op in ("np.maximum.reduce", "np.minimum.reduce") and has_short_rows(a.shape, axis):
            turned = Var(".copy", (Var(".T", (a,), {}, a.shape[::-1], a.dtype),), {}, a.shape[::-1], a.dtype)
            return _reshaped(Var(var.op, (turned,), {"axis": 0}, a.shape[:1], a.dtype, var.name), var.shape)
        return var

    return common_subexpressions(program.rewritten(rule))


def _product(a: Var, b: Var, shape: tuple, like: Var) -> Var:
    """A matrix product: np.dot has less to find out before it starts than np.matmul has."""
    plain = a.dtype == b.dtype == like.dtype and like.dtype.char in ONES and like.size
    op = "np.dot" if plain and 1 <= len(a.shape) <= 2 and 1 <= len(b.shape) <= 2 else "np.matmul"
    return Var(op, (a, b), {}, shape, like.dtype, like.name)


def _reshaped(a: Var, shape: tuple) -> Var:
    return a if a.shape == shape else Var(".reshape", (a, shape), {}, shape, a.dtype)


def numbers_are_checked_first(program: Program) -> Program:
    """Tests of numbers alone come before all else, each once: after them arrays may be written at once."""
    numbers, first, early = {v for v in program.inputs if v.shape is None}, set[Var](), dict[Any, Var]()
    for var in program.body:
        if var.op.startswith("py.") and numbers.issuperset(var.sources()):
            numbers.add(var)
    for var in reversed(program.body):
        if var.op == "check" and numbers.issuperset(var.sources()) or var in first:
            first.update((var, *var.sources()))
    for var in program.body:
        if var in first:
            early.setdefault(var.args if var.op == "check" else var, var)
    return replace(program, body=[*early.values(), *(v for v in program.body if v not in first)])


SHARED = "it gives arrays that share memory with one another; give copies"


def own_memory(program: Program) -> Program:
    """What is handed out shows no memory that is used for something else, and shares it as the recorded results did."""
    taken: dict[Var, Any] = {value: None for _, value in program.writes}  # whose memory -> the group that shows it
    added: list[Var] = []
    groups = [group for i, group in enumerate(program.groups) if i not in program.shared]
    bases: dict[int | None, Var] = {}  # of each group the value whose memory it shows

    def root(v: Var) -> Var:
        while v.op in VIEWS or v.aliases or v.op == "[]" and not variables(v.args[1:]):
            v = v.sources()[0]
        return v

    def own(v: Var, group: int | None) -> Var:
        of = root(v)
        if v.shape is None:
            return v
        shares = group is not None and groups.count(group) > 1
        if shares and (bases.setdefault(group, of) is not of or of.shape == ()):
            raise TypeError(SHARED)  # filled with a number, say; and numpy's 0-d results are no arrays to be shown
        free = of.op not in ("input", "constant") and (of not in taken or group is not None and taken[of] == group)
        if free and (of is v or group is not None):
            taken[of] = group
            return v
        if shares:
            raise TypeError(SHARED)
        added.append(Var("np.array", (v,), {}, v.shape, v.dtype, v.name, section="update"))
        return added[-1]

    kept = [own(v, None) for v in program.kept]
    results = [v if i in program.shared else own(v, group)
               for i, (v, group) in enumerate(zip(program.results, program.groups))]
    return replace(program, body=[*program.body, *added], kept=kept, results=results)


PASSES: tuple[Callable[[Program], Program], ...] = (
    dead_code, fold_constants, views_for_copies, simplify, common_subexpressions, dead_code, lowered,
    numbers_are_checked_first, own_memory)
