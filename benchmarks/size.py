"""Code lines (without blanks, comments and docstrings) of each room, beside its budget.

    python benchmarks/size.py
"""

import ast
import io
import tokenize
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYOUT = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
WORDS = ["tinygrad_lite/compiler/words.py", "tinygrad_lite/compiler/names.py"]
ROOMS = {  # name -> (budget, patterns of files, patterns of those that another room counts)
    "engine": (600, ["tinygrad_lite/engine/**/*.py"], []),
    "  tape.py": (350, ["tinygrad_lite/engine/tape.py"], []),
    "ops": (1700, ["tinygrad_lite/ops/**/*.py"], []),
    "top-level files": (1300, ["tinygrad_lite/*.py"], ["tinygrad_lite/distributions.py"]),
    "func": (450, ["tinygrad_lite/func/**/*.py"], []),
    "compiler": (1600, ["tinygrad_lite/compiler/**/*.py"], WORDS),
    "textbook, words, names": (500, ["tinygrad_lite/textbook/*.py", *WORDS], []),
    "training": (350, ["tinygrad_lite/training/*.py"], []),
    "view": (950, ["tinygrad_lite/view/**/*.py"], []),
    "  its page": (900, ["tinygrad_lite/view/*.html"], []),
    "data": (400, ["tinygrad_lite/data/**/*.py"], []),
    "models": (800, ["tinygrad_lite/models/**/*.py"], []),
    "estimators": (600, ["tinygrad_lite/estimators/**/*.py"], []),
    "distributions": (250, ["tinygrad_lite/distributions.py"], []),
    "drills": (900, ["tinygrad_lite/drills/*.py"], []),
    "parallel": (150, ["tinygrad_lite/parallel/**/*.py"], []),
    "compat": (300, ["tinygrad_lite/compat/**/*.py"], []),
    "nn": (3000, ["nn/**/*.py"], []),
    "optim": (1000, ["optim/**/*.py"], []),
}


def files(patterns: list[str]) -> set[Path]:
    """What the patterns find."""
    return {path for pattern in patterns for path in ROOT.glob(pattern)}


def code_lines(path: Path) -> int:
    """Lines that hold code; of a page, all that are not blank."""
    text = path.read_text()
    if path.suffix != ".py":
        return sum(1 for line in text.splitlines() if line.strip())
    lines = {line for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in LAYOUT
             for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(ast.parse(text)):
        first = getattr(node, "body", None)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            lines -= set(range(first[0].lineno, first[0].end_lineno + 1))
    return len(lines)


if __name__ == "__main__":
    for name, (budget, patterns, elsewhere) in ROOMS.items():
        found = files(patterns) - files(elsewhere)
        if found:
            total = sum(map(code_lines, found))
            print(f"{name:26} {total:5} of {budget}{'  OVER' if total > budget else ''}")
