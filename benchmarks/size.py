"""Code lines (without blanks, comments and docstrings) of each part, beside its budget.

    python benchmarks/size.py
"""

import ast
import io
import tokenize
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYOUT = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
PARTS = {  # name -> (budget, files)
    "engine: tape.py": (350, ["tinygrad_lite/tape.py"]),
    "tinygrad_lite/": (5000, ["tinygrad_lite/**/*.py"]),
    "nn/": (2000, ["nn/**/*.py"]),
    "optim/": (500, ["optim/**/*.py"]),
}


def code_lines(path: Path) -> int:
    """Lines that hold code."""
    text = path.read_text()
    lines = {line for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in LAYOUT
             for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(ast.parse(text)):
        first = getattr(node, "body", None)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            lines -= set(range(first[0].lineno, first[0].end_lineno + 1))
    return len(lines)


if __name__ == "__main__":
    for name, (budget, patterns) in PARTS.items():
        total = sum(code_lines(path) for pattern in patterns for path in sorted(ROOT.glob(pattern)))
        print(f"{name:26} {total:5} of {budget}")
