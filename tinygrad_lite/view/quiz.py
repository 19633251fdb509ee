"""Wrong rules for the explorer's quiz: what one might take for the right one."""

import ast
import copy
import itertools
from collections.abc import Iterator
from typing import Any

MOST = 3
EXCHANGED = {ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Gt: ast.Lt, ast.Lt: ast.Gt,
             ast.GtE: ast.LtE, ast.LtE: ast.GtE}


def wrong_lines(line: str) -> list[str]:
    """Up to three lines that look like `v3.grad += v5.grad * v4`, and are wrong."""
    statement = ast.parse(line).body[0]
    if not isinstance(statement, (ast.Assign, ast.AugAssign)):
        return []
    value = statement.value
    incoming = next((n for n in ast.walk(value) if isinstance(n, ast.Attribute) and n.attr == "grad"), None)
    if incoming is None:
        return []
    negated = value.operand if isinstance(value, ast.UnaryOp) else ast.UnaryOp(ast.USub(), value)
    squared = ast.BinOp(incoming, ast.Mult(), incoming.value)
    guesses = [*itertools.islice(_changed(value), 2), incoming, negated, squared]
    found = dict.fromkeys(map(ast.unparse, guesses))
    found.pop(ast.unparse(value), None)
    start = line[: line.index("=") + 1]
    return [f"{start} {guess}" for guess in found][:MOST]


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
