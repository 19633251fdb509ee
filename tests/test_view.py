"""The picture of the tape, and the demo that draws it."""

import pytest

import tinygrad_lite as tl
from tinygrad_lite.cli import main


def test_the_picture_shows_operations_leaves_and_constants():
    w = tl.ones(2, requires_grad=True)
    source = tl.draw((w * tl.ones(3, 2)).exp(), {"weight": w}).source
    assert [source.count(text) for text in ("mul", "exp", "weight", "dashed", "->")] == [1, 1, 1, 1, 4]


def test_a_tensor_without_a_tape_is_refused():
    with pytest.raises(RuntimeError, match="not recorded"):
        tl.draw(tl.ones(2))


@pytest.mark.parametrize("option", [["--epochs", "0"], ["--lr", "nan"], ["--batch-size", "x"]])
def test_wrong_options_are_named(option, capsys):
    with pytest.raises(SystemExit):
        main(["demo", *option])
    err = capsys.readouterr().err
    assert option[0] in err and repr(option[1]) in err


def test_the_demo_reaches_its_accuracy_and_writes_its_files(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "d")]) == 0
    printed = capsys.readouterr().out
    assert float(printed.split("test accuracy ")[1].split("%")[0]) >= 97
    assert {p.name for p in (tmp_path / "d").iterdir()} == {"loss.png", "graph.svg", "model.safetensors"}
