"""Wrong rules for the explorer's quiz: what one might take for the right one."""

import ast
import copy
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..nn import functional as F
from ..ops import VOCABULARY

MOST = 3
EXCHANGED = {ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Gt: ast.Lt, ast.Lt: ast.Gt,
             ast.GtE: ast.LtE, ast.LtE: ast.GtE}


def wrong_lines(rule: list[str], values: dict[str, np.ndarray]) -> list[str]:
    """Up to three lines that look like the last of a rule, `v3.grad += v5.grad * v4`, and give something else for the
    values of the names in it."""
    try:
        *before, statement = ast.parse("\n".join(rule)).body
    except SyntaxError:  # of a function of the user's whose name is none
        return []
    if not isinstance(statement, (ast.Assign, ast.AugAssign)):
        return []
    value = statement.value
    incoming = next((n for n in ast.walk(value) if isinstance(n, ast.Attribute) and n.attr == "grad"), None)
    negated = value.operand if isinstance(value, ast.UnaryOp) else ast.UnaryOp(ast.USub(), value)
    changed = list(itertools.islice(_changed(value), 4))
    plain = [] if incoming is None else [incoming]
    squared = [] if incoming is None else [ast.BinOp(incoming, ast.Mult(), incoming.value)]
    guesses = [*changed[:2], *plain, negated, *squared, *changed[2:]]
    right = _computed(before, value, values)
    start = rule[-1][: rule[-1].index("=") + 1]
    wrong = [g for g in guesses if not _same(right, _computed(before, g, values))]
    return list(dict.fromkeys(f"{start} {ast.unparse(g)}" for g in wrong))[:MOST]


def _computed(before: list[ast.stmt], value: ast.expr, values: dict[str, np.ndarray]) -> Any:
    """What an expression is after the lines before it; None where it cannot be computed."""
    names = {f"_{i}": array for i, array in enumerate(values.values())}
    called = dict(zip(values, names))
    module: Any = ast.Module([*before, ast.Assign([ast.Name("_", ast.Store())], value)], [])
    scope = {"np": np, **vars(F), **VOCABULARY, **names}
    try:
        with np.errstate(all="ignore"):
            module = _Named(called).visit(copy.deepcopy(module))
            exec(compile(ast.fix_missing_locations(module), "quiz", "exec"), scope)
        return np.asarray(scope["_"])
    except Exception:  # sizes that do not fit, names of the user's own
        return None


class _Named(ast.NodeTransformer):
    """Names that can be assigned to in the place of v3.grad, model[0].weight and the like."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit(self, node: ast.AST) -> ast.AST:
        """The node, or a name for it."""
        name = self.names.get(ast.unparse(node)) if isinstance(node, ast.expr) else None
        return self.generic_visit(node) if name is None else ast.Name(name, ast.Load())


def _same(a: Any, b: Any) -> bool:
    """Whether two contributions are the same, as `+=` broadcasts them."""
    if a is None or b is None:
        return False
    try:
        a, b = np.broadcast_arrays(a, b)
        return bool(np.allclose(a, b, rtol=1e-3, equal_nan=True))
    except (ValueError, TypeError):
        return False


def _changed(value: ast.expr) -> Iterator[ast.expr]:
    """The expression with one operator exchanged, two matrices exchanged, or a transposition left out."""
    for place, node in enumerate(ast.walk(value)):
        kind = type(getattr(node, "op", None) or getattr(node, "ops", [None])[0])
        transposed = isinstance(node, ast.Attribute) and node.attr in ("T", "mT")
        if kind is not ast.MatMult and kind not in EXCHANGED and not transposed:
            continue
        new = copy.deepcopy(value)
        twin: Any = list(ast.walk(new))[place]
        if transposed:
            new = _replaced(new, twin, twin.value)
        elif kind is ast.MatMult:
            twin.left, twin.right = twin.right, twin.left
        elif isinstance(node, ast.Compare):
            twin.ops[0] = EXCHANGED[kind]()
        else:
            twin.op = EXCHANGED[kind]()
        yield new


def _replaced(tree: ast.expr, old: ast.expr, new: ast.expr) -> Any:
    """The tree with one node in the place of another."""
    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is old else self.generic_visit(node)

    return Replace().visit(tree)
