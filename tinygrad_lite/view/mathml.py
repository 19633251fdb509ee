"""A line of a rule as typeset mathematics: MathML, which browsers draw by themselves."""

import ast
import html
import re

PRODUCT, SUM, UNARY, POWER, ATOM = 4, 3, 5, 6, 9
COMPARISON, LOGIC = 2, 1
SIGNS = {ast.Add: "+", ast.Sub: "−", ast.BitAnd: "∧", ast.BitOr: "∨", ast.Gt: ">", ast.GtE: "≥", ast.Lt: "<",
         ast.LtE: "≤", ast.Eq: "=", ast.NotEq: "≠", ast.FloorDiv: "div", ast.Mod: "mod"}
SUMS = {"sum": "∑", "prod": "∏"}
GREEK = {"phi": "φ", "eps": "ε"}
SILENT = {"astype", "copy"}  # what says nothing in mathematics


def mathml(line: str) -> str:
    """The `math` element of a statement, such as `v3.grad += v5.grad * v4`.

    v4 is written as v with the index 4, its gradient with a bar; * as a circled dot, @ as a product of matrices,
    a comparison in a product in brackets (1 where it holds, else 0).
    """
    (statement,) = ast.parse(line).body
    if isinstance(statement, ast.AugAssign):
        parts = _text(statement.target), "<mo>+=</mo>", _text(statement.value)
    elif isinstance(statement, ast.Assign):
        parts = _text(statement.targets[0]), "<mo>=</mo>", _text(statement.value)
    else:
        raise ValueError(f"mathml: {line!r} is no assignment")
    return f'<math display="block">{_row(*parts)}</math>'


def _row(*parts: str) -> str:
    return f"<mrow>{''.join(parts)}</mrow>"


def _fenced(text: str, left: str = "(", right: str = ")") -> str:
    return _row(f"<mo>{left}</mo>", text, f"<mo>{right}</mo>")


def _text(x: ast.AST, tighter: int = 0) -> str:
    """The MathML of an expression, in brackets where it binds less tightly than what it stands in."""
    text, tightness = _expression(x)
    if tightness >= tighter:
        return text
    return _fenced(text, "[", "]") if tightness <= COMPARISON else _fenced(text)


def _name(text: str, bar: bool = False) -> str:
    """v4 as v with an index, xhat as x with a hat, phi as the letter; other names in one piece."""
    numbered = re.fullmatch(r"([a-z]+?)(\d*)", text)
    letter, index = numbered.groups() if numbered else (text, "")
    accent = "^" * letter.endswith("hat")
    letter = GREEK.get(letter, letter.removesuffix("hat"))
    line = ' style="text-decoration: overline"' * (bar and len(letter) > 1)  # few fonts have a bar that stretches
    found = f"<mi{line}>{html.escape(letter)}</mi>"
    for mark in (accent, "¯" * (bar and not line)):
        found = f'<mover>{found}<mo stretchy="false">{mark}</mo></mover>' if mark else found
    return f"<msub>{found}<mn>{index}</mn></msub>" if index else found


def _listed(parts: list[ast.expr]) -> str:
    return "<mo>,</mo>".join(map(_text, parts))


def _expression(x: ast.AST) -> tuple[str, int]:
    match x:
        case ast.Constant(value=value):
            return f"<mn>{html.escape(str(value))}</mn>", ATOM
        case ast.Attribute(attr="T" | "mT"):
            return f"<msup>{_text(x.value, ATOM)}<mo>⊤</mo></msup>", POWER
        case ast.Attribute(attr="grad"):
            return _name(ast.unparse(x.value), bar=True), ATOM
        case ast.Attribute(attr="inf"):
            return "<mi>∞</mi>", ATOM
        case ast.Name() | ast.Attribute():
            return _name(ast.unparse(x).removeprefix("np.")), ATOM
        case ast.UnaryOp(op=ast.USub()):
            return _row("<mo>−</mo>", _text(x.operand, UNARY)), UNARY
        case ast.UnaryOp():
            return _row("<mo>¬</mo>", _text(x.operand, UNARY)), UNARY
        case ast.BinOp():
            return _operation(x)
        case ast.Compare():
            signs = (f"<mo>{html.escape(SIGNS[type(op)])}</mo>{_text(right, SUM)}"
                     for op, right in zip(x.ops, x.comparators))
            return _row(_text(x.left, SUM), *signs), COMPARISON
        case ast.Tuple() | ast.List():
            return _fenced(_listed(x.elts)), ATOM
        case ast.Subscript():
            return _indexed(x)
        case ast.Slice():
            return f"<mtext>{html.escape(ast.unparse(x))}</mtext>", ATOM
        case ast.Call():
            return _call(x)
    raise ValueError(f"mathml: there is no sign for {ast.unparse(x)}")


def _operation(x: ast.BinOp) -> tuple[str, int]:
    left, right = x.left, x.right
    match x.op:
        case ast.Div():
            below = [right]  # a / b / c has one fraction bar
            while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Div):
                below.insert(0, left.right)
                left = left.left
            factors = [_text(part, PRODUCT + 1) for part in below] if len(below) > 1 else [_text(right)]
            return f"<mfrac>{_text(left)}{_row('<mo>⊙</mo>'.join(factors))}</mfrac>", PRODUCT
        case ast.Pow():
            return f"<msup>{_text(left, ATOM)}{_text(right)}</msup>", POWER
        case ast.Mult() | ast.MatMult():
            number = isinstance(left, ast.Constant) or isinstance(right, ast.Constant)
            sign = "\u2062" if isinstance(x.op, ast.MatMult) else "·" if number else "⊙"
            return _row(_text(left, PRODUCT), f"<mo>{sign}</mo>", _text(right, POWER)), PRODUCT
    logic = isinstance(x.op, (ast.BitAnd, ast.BitOr))
    tightness = LOGIC if logic else SUM
    more = COMPARISON if logic else SUM + 1  # what stands on the right
    return _row(_text(left, tightness), f"<mo>{SIGNS[type(x.op)]}</mo>", _text(right, more)), tightness


def _indexed(x: ast.Subscript) -> tuple[str, int]:
    parts = x.slice.elts if isinstance(x.slice, ast.Tuple) else [x.slice]
    inside = _listed(parts)
    if ast.unparse(x.value) == "np.s_":
        return _fenced(inside, "[", "]"), ATOM
    if all(ast.unparse(part) in (":", "None") for part in parts):  # mathematics broadcasts by itself
        return _expression(x.value)
    return f"<msub>{_text(x.value, ATOM)}{_fenced(inside, '[', ']')}</msub>", ATOM


def _call(x: ast.Call) -> tuple[str, int]:
    name, args = x.func, x.args
    word = ast.unparse(name).removeprefix("np.")
    if isinstance(name, ast.Attribute) and not ast.unparse(name).startswith("np."):  # a method
        word = name.attr
        if word in SILENT:
            return _expression(name.value)
        if word in SUMS or word in ("mean", "max", "min"):
            sign = f"<mo>{SUMS[word]}</mo>" if word in SUMS else f"<mi>{word}</mi>"
            over = f"<munder>{sign}{_text(args[0])}</munder>" if args else sign
            if word in SUMS:
                return _row(over, _text(name.value, PRODUCT)), UNARY
            return _row(over, _fenced(_text(name.value))), ATOM
        args = [name.value, *args]
    match word:
        case "where":
            condition, value, other = map(_text, args)
            cases = (value, f"<mtext>if\u00a0</mtext>{condition}"), (other, "<mtext>else</mtext>")
            body = "".join(f"<mtr><mtd>{value}</mtd><mtd>{when}</mtd></mtr>" for value, when in cases)
            return _row("<mo>{</mo>", f"<mtable>{body}</mtable>"), SUM
        case "sqrt":
            return f"<msqrt>{_text(args[0])}</msqrt>", ATOM
        case "abs":
            return _fenced(_text(args[0]), "|", "|"), ATOM
        case "linalg.inv":
            return f"<msup>{_text(args[0], ATOM)}<mrow><mo>−</mo><mn>1</mn></mrow></msup>", POWER
    return _row(_name(word), "<mo>\u2061</mo>", _fenced(_listed(args))), ATOM
