"""The notebooks, which are programs too."""

import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs/notebooks").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.chdir(tmp_path)
    pyplot.switch_backend("Agg")
    with pyplot.rc_context():  # a notebook sets matplotlib's for itself alone
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), {"__name__": "__main__"})
    pyplot.close("all")
    assert not list(tmp_path.iterdir())


def test_the_engine_of_a_hundred_lines_has_no_more():
    source = next(path for path in NOTEBOOKS if "100_lines" in path.stem).read_text(encoding="utf-8")
    cells = [cell for cell in re.split(r"^# %%.*\n", source, flags=re.M) if cell.startswith("# engine")]
    assert cells and sum(len(cell.strip().splitlines()) for cell in cells) <= 100
