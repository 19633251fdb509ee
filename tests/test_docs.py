"""The documentation: pages whose code runs, docstrings with examples, signatures that editors see, links that lead."""

import inspect
import re
import shlex
import warnings
from pathlib import Path

import pages
import pytest
import reference
import stubs

import tinygrad_lite as tl
from tinygrad_lite import cli

ROOT = Path(__file__).parent.parent
MARKDOWN = [*pages.PAGES, ROOT / "examples/README.md"]
LINK = re.compile(r"\[[^\]]*\]\((?P<to>[^)\s]+)\)")
PUBLIC = list(reference.public())


def of(path):
    return str(path.relative_to(ROOT))


# ---------------------------------------------------------------- pages
@pytest.mark.parametrize("path", pages.PAGES, ids=of)
def test_a_page_does_and_prints_what_it_says(path):
    with pages.elsewhere(), warnings.catch_warnings():
        run = pages.Run(path.read_text(encoding="utf-8"), of(path)).all()
    assert not run.new, "\n".join(f"line {block.line}: python docs/pages.py --write {of(path)} writes\n{right}"
                                  for block, right in run.new)


@pytest.mark.parametrize("path", MARKDOWN, ids=of)
def test_links_lead_to_files_and_headings(path):
    for match in LINK.finditer(re.sub(r"```.*?```|`[^`]*`", "", path.read_text(encoding="utf-8"), flags=re.S)):
        file, _, heading = match["to"].partition("#")
        if re.match(r"\w+:", file):
            continue
        target = (path.parent / file).resolve() if file else path
        if "reference/" in file:  # made by the build, which checks them
            continue
        assert target.exists(), match["to"]
        if heading and target.suffix == ".md":
            found = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), flags=re.M)
            assert heading in [re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", h).strip().lower()) for h in found], match["to"]


def test_pictures_and_explorers_are_made_by_the_code_of_pages():
    """Or by docs/pictures.py and docs/examples.py."""
    made = "".join(p.read_text(encoding="utf-8") for p in ROOT.glob("docs/**/*.py"))
    for path in pages.PAGES:
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"(?:pictures|explorers)/([\w-]+\.(?:svg|png|html))\"?[\s)]", text):
            code = made + "".join(block.text for block in pages.blocks(text) if block.kind == "python")
            assert name in code or (ROOT / "examples/pictures" / name).exists(), f"{of(path)}: {name}"


@pytest.mark.parametrize("path", MARKDOWN, ids=of)
def test_commands_are_understood(path):
    text = path.read_text(encoding="utf-8")
    for line in re.findall(r"^(?:    |\$ )?(?:mpirun -n \d+ )?tinygrad-lite +(\S.*)$", text, flags=re.M):
        cli.command_line().parse_args(shlex.split(line, comments=True))


# ---------------------------------------------------------------- docstrings and signatures
@pytest.mark.parametrize("entry", PUBLIC, ids=lambda entry: entry.path)
def test_every_public_name_has_a_docstring_whose_example_runs(entry):
    assert reference.missing(entry) is None
    assert reference.methods_without_docstring(entry) == []
    assert reference.failures(entry) == ""


@pytest.mark.parametrize("name", tl.ops.__all__)
def test_operations_say_what_they_take(name):
    function = getattr(tl.ops, name)
    kinds = [p.kind for p in inspect.signature(function).parameters.values()]
    assert kinds and kinds != [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]


def test_editors_see_the_operations_as_they_are():
    assert {of(path): text for path, text in stubs.stubs().items()} == {
        of(path): path.read_text(encoding="utf-8") for path in stubs.stubs()}, "python docs/stubs.py writes them anew"
