"""The pages' programs for PyTorch and JAX, run with these themselves: they print what the pages say."""

import pages
import pytest

pytest.importorskip("torch")
pytest.importorskip("jax")
RIVALS = [path for path in pages.PAGES if any(block.title in ("PyTorch", "JAX")
                                              for block in pages.blocks(path.read_text(encoding="utf-8")))]


@pytest.mark.parametrize("path", RIVALS, ids=lambda path: path.stem)
def test_a_page_is_right_of_the_others_too(path):
    with pages.elsewhere():
        run = pages.Run(path.read_text(encoding="utf-8"), path.name, rivals=True).all()
    assert not run.new, [(block.line, right) for block, right in run.new]
