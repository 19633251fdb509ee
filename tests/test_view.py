"""The picture of the tape, and the demo that draws it."""

import _thread

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


def test_ctrl_c_keeps_what_was_learnt(tmp_path, capsys, monkeypatch):
    steps = iter(range(40))
    monkeypatch.setattr(tl.optim.Adam, "step", lambda self: None if next(steps) < 30 else _thread.interrupt_main())
    assert main(["demo", "--out", str(tmp_path)]) == 0
    assert "stopped: keeping" in capsys.readouterr().out and (tmp_path / "model.safetensors").exists()


def test_without_any_dot_the_demo_says_what_to_install_and_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert main(["demo", "--epochs", "1", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "pip install graphviz-pure" in printed and "test accuracy" in printed
    assert not (tmp_path / "graph.svg").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "--out", str(tmp_path / "file")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_the_same_seed_gives_the_same_numbers(tmp_path):
    for name in ("a", "b"):
        main(["demo", "--epochs", "2", "--seed", "3", "--out", str(tmp_path / name)])
    a, b = (tl.load(tmp_path / name / "model.safetensors") for name in ("a", "b"))
    assert all((a[k].array == b[k].array).all() for k in a)
