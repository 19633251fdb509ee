"""Runs the code of the documentation: what a page says it prints is what it prints, what it quotes is what is there.

    python docs/pages.py                            # says what differs; makes the explorers of the site
    python docs/pages.py --write docs/stability.md  # mends them, and keeps their pictures

The blocks of a page run in their order and share their names. A fence says what a block is:

    ```python                   runs
    ```text                     what the python block before it prints; ... stands for anything
    ```pycon                    a session with >>>, as in docstrings; an error is its last line
    ```python title="FILE: NAME"    quoted from the source; NAME may be a method, Tensor.backward
    ```python title="PyTorch"   runs with `import torch` finding this library, and in `make conformance` with PyTorch;
    ```python title="JAX"           that of JAX runs only there. Each of these two has its own names
    ```sh                       commands, each on a line of its own
"""

import ast
import contextlib
import doctest
import io
import linecache
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from reference import FLAGS, differences

import tinygrad_lite as tl

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]*)\")?[^\n]*\n(?P<text>.*?)^ *```$",
                   re.M | re.S)
EXPLORERS = ("explorers",)  # the folder of what each build makes anew
MADE = ("pictures", *EXPLORERS)  # folders that code may write into


class Block(NamedTuple):
    """A fenced block: its kind and title, its text without the indentation, and where it begins in the page."""

    kind: str
    title: str
    text: str
    indent: str
    start: int
    line: int

    @property
    def quotes(self) -> bool:
        """Whether it is a quotation from the source."""
        return ": " in self.title and self.title.partition(": ")[0].endswith(".py")


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in their order."""
    for match in FENCE.finditer(page):
        text = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.M)
        yield Block(match["kind"], match["title"] or "", text, match["indent"], match.start("text"),
                    page.count("\n", 0, match.start("text")))


def quoted(title: str) -> str:
    """The source of what a title such as "tinygrad_lite/engine/tape.py: tape_of" names."""
    file, _, name = title.partition(": ")
    source = (ROOT / file).read_text(encoding="utf-8")
    node: Any = ast.parse(source)
    for part in name.split("."):
        node = next(child for child in node.body if part in _names(child))
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    lines = source.splitlines(keepends=True)[first - 1: node.end_lineno]
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "".join(line[indent:] or "\n" for line in lines)


def _names(node: Any) -> list[str]:
    targets = getattr(node, "targets", [getattr(node, "target", node)])
    return [getattr(target, "name", None) or getattr(target, "id", "") for target in targets]


class Run:
    """The blocks of a page, run one after the other in the current folder; rivals: with PyTorch and JAX themselves."""

    def __init__(self, page: str, name: str, rivals: bool = False) -> None:
        self.page, self.name, self.rivals = page, name, rivals
        self.names: dict[str, dict[str, Any]] = {title: {"__name__": "__main__"} for title in ("", "PyTorch", "JAX")}
        self.printed: str | None = None  # by the block before
        self.new: list[tuple[Block, str]] = []  # blocks that say something else, with what is right

    def all(self) -> "Run":
        """Run them."""
        for block in blocks(self.page):
            printed, self.printed = self.printed, None
            if block.quotes:
                self._told(block, quoted(block.title))
            elif block.kind == "python" and (block.title in ("", "PyTorch") or self.rivals and block.title == "JAX"):
                with self._compat(block.title == "PyTorch"):
                    self._execute(block)
            elif block.kind == "pycon":
                self._session(block)
            elif block.kind == "text" and printed is not None:
                self._told(block, printed)
        return self

    @contextlib.contextmanager
    def _compat(self, wanted: bool) -> Iterator[None]:
        """`import torch` finds this library, unless PyTorch itself is asked."""
        if not wanted or self.rivals:
            yield
            return
        tl.compat.install(force=True)
        try:
            yield
        finally:
            tl.compat.uninstall()

    def _execute(self, block: Block) -> None:
        source = "\n" * block.line + block.text
        linecache.cache[self.name] = (len(source), None, source.splitlines(keepends=True), self.name)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(source, self.name, "exec"), self.names[block.title])
        self.printed = out.getvalue()

    def _session(self, block: Block) -> None:
        names = self.names[""]
        test = doctest.DocTestParser().get_doctest(block.text, names, self.name, self.name, block.line)
        said = differences(test)
        names.update(test.globs)
        if said:
            raise AssertionError(said)

    def _told(self, block: Block, right: str) -> None:
        alike = block.text == right if block.quotes else doctest.OutputChecker().check_output(block.text, right, FLAGS)
        if not alike:
            self.new.append((block, right))

    def mended(self) -> str:
        """The page with what is right in place of what differs."""
        page = self.page
        for block, right in reversed(self.new):
            end = page.index("```", block.start)
            end = page.rindex("\n", 0, end) + 1
            text = right if right.endswith("\n") else right + "\n"
            page = page[:block.start] + re.sub(r"^(?=.)", block.indent, text, flags=re.M) + page[end:]
        return page


@contextlib.contextmanager
def elsewhere() -> Iterator[Path]:
    """In an empty folder, where code may write pictures and explorers; what is printed has a fixed width."""
    tl.set_printoptions(profile="default")
    here = mock.patch.dict(os.environ, COLUMNS="100", MPLBACKEND="Agg")
    with here, tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name in MADE:
            os.mkdir(name)
        yield Path(folder)


def main(arguments: list[str]) -> int:
    """Say what differs in the pages, or put it right."""
    write = "--write" in arguments
    different = 0
    for path in [Path(a).resolve() for a in arguments if a != "--write"] or PAGES:
        with elsewhere() as folder:
            run = Run(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))).all()
            if write:
                path.write_text(run.mended(), encoding="utf-8")
            for name in MADE if write else EXPLORERS:
                shutil.copytree(folder / name, ROOT / "docs" / name, dirs_exist_ok=True)
        for block, right in run.new:
            different += not write
            print(f"{run.name}:{block.line}: {'was' if write else 'is'}\n{block.text}right is\n{right}")
    return different


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
