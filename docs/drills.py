"""Writes what the commands of docs/drills.md print below each of them: python docs/drills.py."""

import contextlib
import io
import os
import re
import tempfile
from pathlib import Path
from unittest import mock

PAGE = Path(__file__).with_name("drills.md")
BLOCK = re.compile(r"```(?P<kind>\w*)\n(?P<text>.*?)```\n", re.S)


def played(page: str) -> str:
    """The page with its session played again: files are written, commands run, and their output is below them."""
    def play(block: re.Match) -> str:
        if block["kind"] == "python" and block["text"].startswith("# drills/"):
            Path(block["text"].split()[1]).write_text(block["text"], encoding="utf-8")
        if block["kind"]:
            return block[0]
        commands = [line for line in block["text"].splitlines() if line.startswith("$ tinygrad-lite")]
        return "```\n" + "".join(f"{command}\n{_printed(command.split()[2:])}" for command in commands) + "```\n"

    return BLOCK.sub(play, page)


def _printed(arguments: list[str]) -> str:
    from tinygrad_lite.cli import main
    with contextlib.redirect_stdout(io.StringIO()) as out:
        main(arguments)
    return out.getvalue()


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, HOME=folder, XDG_DATA_HOME=folder):
        before = os.getcwd()
        os.chdir(folder)
        page = played(page)
        os.chdir(before)
    PAGE.write_text(page, encoding="utf-8")
