"""Training that survives: killed at any moment and resumed it is bit for bit the run that was not; and it says what is wrong."""

import csv
import errno
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite.cli import main

TEXT = "one for the master, two for the dame, three for the little boy who lives down the lane.\n" * 30
SMALL = "--block-size 8 --n-layer 1 --n-head 2 --n-embd 16 --batch-size 4 --warmup 5 --dropout 0.1".split()


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def train(text, out, *more, steps=40, every=5):
    return ["train", "gpt", "--text", str(text), "--out", str(out), "--steps", str(steps), "--every", str(every), *SMALL, *more]


def contents(folder):
    return (folder / "checkpoint.safetensors").read_bytes(), (folder / "log.csv").read_text()


def started(arguments):
    return subprocess.Popen([sys.executable, "-m", "tinygrad_lite", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=os.environ | {"OMP_NUM_THREADS": "1"}, text=True)


@pytest.mark.slow
def test_a_run_that_is_killed_ten_times_is_the_run_that_was_not(text, tmp_path):
    steps, draw, killed = 400, random.Random(0), 0
    assert started(train(text, tmp_path / "whole", steps=steps, every=2)).wait() == 0
    while killed < 10:
        more = ["--resume"] * (tmp_path / "killed" / "checkpoint.safetensors").exists()
        run = started(train(text, tmp_path / "killed", *more, steps=steps, every=2))
        begun = (tmp_path / "killed" / "log.csv").exists() and os.path.getsize(tmp_path / "killed" / "log.csv")
        deadline = time.time() + 60
        while run.poll() is None and time.time() < deadline and not (  # until it takes steps; then at any moment
                (tmp_path / "killed" / "checkpoint.safetensors").exists() and os.path.getsize(tmp_path / "killed" / "log.csv") != begun):
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.15))
        run.kill()
        if run.wait() == 0:
            break
        killed += 1
    last = started(train(text, tmp_path / "killed", "--resume", steps=steps, every=2))
    assert last.wait() == 0, last.stderr.read()
    assert killed >= 3 and contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert sorted(os.listdir(tmp_path / "killed")) == sorted(os.listdir(tmp_path / "whole"))


def test_ctrl_c_ends_after_the_step_and_keeps_it(text, tmp_path, capsys):
    run = started(train(text, tmp_path / "run", steps=100_000, every=100_000))
    deadline = time.time() + 60
    while not (tmp_path / "run" / "log.csv").exists() and time.time() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    run.send_signal(signal.SIGINT)
    assert run.wait(30) == 0, run.stderr.read()
    kept = tl.load(tmp_path / "run" / "checkpoint.safetensors")
    rows = list(csv.reader((tmp_path / "run" / "log.csv").read_text().splitlines()))
    assert 0 < kept["step"] == len(rows) - 1 and rows[0] == ["step", "loss", "lr"] and (tmp_path / "run" / "loss.png").exists()


def test_it_learns_goes_on_and_writes(text, tmp_path, capsys):
    assert main(train(text, tmp_path / "run", "--lr", "1e-2", steps=150, every=50)) == 0
    first = capsys.readouterr().out
    assert main(["train", "gpt", "--out", str(tmp_path / "run"), "--steps", "300", "--resume"]) == 0
    second = capsys.readouterr().out
    losses = [float(out.split("held out ")[1].split()[0]) for out in (first, second)]
    assert losses[1] < losses[0] < 2.5 and "300 steps" in second
    for more in (["--top-k", "3"], ["--top-p", "0.9"], ["--min-p", "0.1"], ["--beam", "3"], ["--temperature", "0"]):
        said = []
        for _ in range(2):
            assert main(["generate", "--checkpoint", str(tmp_path / "run"), "--prompt", "two for ", "--tokens", "12", "--seed", "1", *more]) == 0
            said.append(capsys.readouterr().out)
        assert said[0] == said[1] and said[0].startswith("two for ") and len(said[0]) == 8 + 12 + 1


def test_settings_come_from_a_file_too_and_byte_pairs_are_learned(text, tmp_path, capsys):
    pytest.importorskip("tokenizers")
    (tmp_path / "gpt.toml").write_text("tokenizer = 'bpe'\nvocab_size = 300\npositions = 'rotary'\nlr = 0.5\n")
    assert main(train(text, tmp_path / "run", "--config", str(tmp_path / "gpt.toml"), "--lr", "1e-3", steps=3)) == 0
    settings = tl.load(tmp_path / "run" / "checkpoint.safetensors")["settings"]
    assert (settings["tokenizer"], settings["positions"], settings["lr"]) == ("bpe", "rotary", 1e-3)
    capsys.readouterr()
    assert main(["generate", "--checkpoint", str(tmp_path / "run"), "--prompt", "größe 😀", "--tokens", "5"]) == 0
    assert capsys.readouterr().out.startswith("größe 😀")


def told(arguments, capsys):
    capsys.readouterr()
    assert main(arguments) == 1
    err = capsys.readouterr().err.splitlines()[-1]
    assert err.startswith("tinygrad-lite: ")
    return err


def test_what_is_wrong_is_told_in_a_line_and_nothing_is_lost(text, tmp_path, capsys, monkeypatch):
    run = tmp_path / "run"
    assert main(train(text, run, steps=10)) == 0
    before = contents(run)
    assert "holds a run already: resume it (--resume" in told(train(text, run), capsys)
    assert "is another one: lr was 0.001 and is 0.5" in told(train(text, run, "--resume", "--lr", "0.5"), capsys)
    text.write_text(TEXT + "more")
    assert "is not the text that the run" in told(train(text, run, "--resume"), capsys)
    text.write_text(TEXT)
    assert "there is no checkpoint" in told(train(text, tmp_path / "other", "--resume"), capsys)
    assert "there is no file" in told(train(tmp_path / "missing", tmp_path / "other"), capsys)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert "is no UTF-8 text" in told(train(tmp_path / "bytes", tmp_path / "other"), capsys)
    (tmp_path / "short").write_text("too short")
    assert "too few for contexts of 8" in told(train(tmp_path / "short", tmp_path / "other"), capsys)
    (tmp_path / "wrong.toml").write_text("n_layers = 3")
    assert "no setting n_layers" in told(train(text, tmp_path / "other", "--config", str(tmp_path / "wrong.toml")), capsys)
    assert "'X', character 0 of the text" in told(["generate", "--checkpoint", str(run), "--prompt", "X"], capsys)
    assert "there is no checkpoint" in told(["generate", "--checkpoint", str(tmp_path / "other")], capsys)
    assert contents(run) == before

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device", "checkpoint.safetensors")

    monkeypatch.setattr("tinygrad_lite.saving.replace_file", full)
    assert "No space left on device" in told(train(text, run, "--resume", steps=20), capsys)
    assert contents(run)[0] == before[0]
    monkeypatch.undo()
    assert main(train(text, run, "--resume", steps=10)) == 0 and contents(run) == before
    assert "the loss is nan" in told(train(text, tmp_path / "wild", "--lr", "1e30", "--clip", "1e30", steps=50, every=1), capsys)


def test_a_trainer_of_ones_own(tmp_path):
    from tinygrad_lite.training import Stopped, Trainer

    def trainer():
        tl.manual_seed(0)
        model = tl.nn.Linear(3, 1)
        optimizer = tl.optim.Adam(model.parameters(), lr=0.1)
        return model, Trainer(tmp_path / "own", model, optimizer, lambda x: ((model(x) - x.sum(1, keepdim=True)) ** 2).mean(),
                              lambda rng: tl.tensor(rng.standard_normal((16, 3)).astype(np.float32)), settings={"lr": 0.1},
                              scheduler=tl.optim.lr_scheduler.ExponentialLR(optimizer, 0.99))

    _, first = trainer()
    losses = first.run(30, every=10)
    again, second = trainer()
    assert second.run(60, every=10, resume=True)[:30] == losses and second.step == 60 and second.scheduler.last_epoch == 60
    with pytest.raises(Stopped, match="holds a run already"):
        trainer()[1].run(3)
    assert second.run(62, every=10) is second.losses and len(second.losses) == 62


# ---------------------------------------------------------------- a trainer of one's own
def own(folder, loss=None, optimizer=lambda p: tl.optim.AdamW(p, lr=0.05), batch=None, **given):
    """A Trainer of two layers; optimizer "SGD" is of the last layer only."""
    from tinygrad_lite.training import Trainer

    tl.manual_seed(0)
    model = tl.nn.Sequential(tl.nn.Linear(4, 4), tl.nn.Dropout(0.2), tl.nn.Linear(4, 1))
    made = optimizer(model.parameters()) if optimizer != "SGD" else tl.optim.SGD(model[2].parameters(), lr=0.1)
    loss = loss or (lambda model, x: (model(x) ** 2).mean())
    if scheduler := given.pop("scheduler", None):
        given["scheduler"] = scheduler(made)
    return Trainer(folder, model, made, lambda b: loss(model, b), batch or (lambda rng: rng.standard_normal((6, 4), dtype="float32")),
                   settings={"a": 1}, **given)


def sometimes(model, b):
    """Of some batches the first layer has no gradient."""
    x, flag = b
    return (model[2](model[0](x) if flag.array[0] else x) ** 2).mean()


KINDS = {
    "plain": {}, "clipped": {"clip": 0.5}, "part of the model": {"optimizer": "SGD", "clip": 1.0},
    "sometimes no gradient": {"loss": sometimes, "batch": lambda rng: (rng.standard_normal((6, 4), dtype="float32"), np.full(6, rng.random() < 0.5))},
    "shapes that vary": {"batch": lambda rng: rng.standard_normal((int(rng.integers(3, 7)), 4), dtype="float32")},
    "a branch": {"loss": lambda model, x: (model(x) ** 2).mean() if x.mean() > -0.1 else model(x).abs().mean()},
    "nested": {"batch": lambda rng: {"x": rng.standard_normal((6, 4), dtype="float32"), "t": {"w": 0.5}}, "loss": lambda model, b: (model(b["x"]) ** 2).mean() * b["t"]["w"]},
    "a plateau": {"scheduler": lambda o: tl.optim.lr_scheduler.ReduceLROnPlateau(o, patience=1)}}


@pytest.mark.slow
@pytest.mark.parametrize("compiled", (False, True))
@pytest.mark.parametrize("accumulate", (1, 3))
@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_on_bit_for_bit(kind, accumulate, compiled, tmp_path, recwarn, monkeypatch):
    monkeypatch.setattr("tinygrad_lite.training.Trainer._draw", lambda self: None)

    def trainer(folder):
        return own(tmp_path / folder, accumulate=accumulate, compiled=compiled, **KINDS[kind])

    whole = trainer("whole").run(14, every=5)
    for stop in (1, 2, 11):
        assert trainer(f"{stop}").run(stop) == whole[:stop]
        assert trainer(f"{stop}").run(14, resume=True) == whole
        assert contents(tmp_path / f"{stop}") == contents(tmp_path / "whole")


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "a branch"])  # of which each part takes its own
def test_parts_and_programs_are_the_step(kind, tmp_path, recwarn, monkeypatch):
    monkeypatch.setattr("tinygrad_lite.training.Trainer._draw", lambda self: None)

    def losses(**given):
        trainer = own(tmp_path / str(len(list(tmp_path.iterdir()))), **KINDS[kind], **given)
        trainer.model[1].p = 0.0
        return trainer.run(12)

    first = losses()
    for given in ({"accumulate": 2}, {"accumulate": 9}, {"compiled": True}, {"accumulate": 2, "compiled": True}):
        np.testing.assert_allclose(losses(**given), first, rtol=2e-4, atol=1e-6)


def test_two_runs_in_one_folder_are_refused_and_so_is_another_log(tmp_path):
    from tinygrad_lite.training.folder import Stopped, alone_in

    own(tmp_path / "run").run(4)
    with alone_in(tmp_path / "run"), pytest.raises(Stopped, match="another process trains in"):
        own(tmp_path / "run").run(6, resume=True)
    log = tmp_path / "run" / "log.csv"
    rows = log.read_text()
    for other in ("", "step,loss,lr\n", rows.replace("\n2,", "\n3,"), rows.replace("\n3,", "\n3,abc"), None):
        log.unlink() if other is None else log.write_text(other)
        with pytest.raises(Stopped, match="log.csv has not the steps 1 to 4"):
            own(tmp_path / "run").run(6, resume=True)
    log.write_text(rows)
    (tmp_path / "run" / "loss.png").unlink()
    own(tmp_path / "run").run(4, resume=True)
    assert (tmp_path / "run" / "loss.png").exists()


def test_numbers_that_are_none_never_replace_a_checkpoint(tmp_path):
    from tinygrad_lite.training import Stopped

    own(tmp_path / "run").run(3)
    before = contents(tmp_path / "run")[0]

    def nan_gradient(model, x):
        return (model(x) ** 2).mean() + (model[0].weight * 0).sum().abs().sqrt()

    with pytest.raises(Stopped, match="parameters may be NaN or infinite; .* is of a step before"), np.errstate(all="ignore"):
        own(tmp_path / "run", nan_gradient).run(5, every=1, resume=True)
    assert contents(tmp_path / "run")[0] == before
    with pytest.raises(Stopped, match="there is no checkpoint yet"), np.errstate(all="ignore"):
        own(tmp_path / "other", nan_gradient).run(5, every=1)


@pytest.mark.parametrize("given, error, words", [
    ({"clip": -1.0}, ValueError, "clip is a number above 0"), ({"clip": float("nan")}, ValueError, "clip is"), ({"accumulate": 0}, ValueError, "accumulate is"),
    ({"optimizer": lambda p: tl.optim.LBFGS(p)}, TypeError, "LBFGS calls for several")])
def test_what_a_trainer_refuses(given, error, words, tmp_path):
    with pytest.raises(error, match=words):
        own(tmp_path, **given)


def test_what_a_run_refuses_to_go_on_with(tmp_path):
    from tinygrad_lite.training import Stopped, Trainer

    own(tmp_path / "run").run(2)
    for given, words in (({"seed": 3}, "seed was 0 and is 3"), ({"clip": 1.0}, "clip was None and is 1.0"), ({"compiled": True}, "compile was False and is True"),
                         ({"optimizer": lambda p: tl.optim.Adam(p)}, "optimizer was 'AdamW' and is 'Adam'")):
        with pytest.raises(Stopped, match=words):
            own(tmp_path / "run", **given).run(4, resume=True)
    model = tl.nn.Linear(4, 1)
    with pytest.raises(Stopped, match="is of another model or optimizer"):
        Trainer(tmp_path / "run", model, tl.optim.AdamW(model.parameters()), lambda x: model(x).mean(), lambda rng: rng.random((2, 4)), settings={"a": 1}).run(4, resume=True)
    with pytest.raises(TypeError, match="settings are numbers, strings"):
        Trainer(tmp_path / "run", model, tl.optim.AdamW(model.parameters()), lambda x: model(x).mean(), lambda rng: rng.random((2, 4)), settings={"a": tmp_path})
    for loss in (lambda model, x: 1.0, lambda model, x: model(x), lambda model, x: x.mean()):
        with pytest.raises(TypeError, match="gives one number as a Tensor"):
            own(tmp_path / "loss", loss).run(2)


def test_a_damaged_checkpoint_is_told_in_a_line(text, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(train(text, run, steps=3)) == 0
    assert main(["generate", "--checkpoint", str(run / "checkpoint.safetensors"), "--tokens", "3"]) == 0
    whole = (run / "checkpoint.safetensors").read_bytes()
    for content, words in ((b"", "no whole safetensors file"), (whole[: len(whole) // 2], "no whole safetensors file")):
        (run / "checkpoint.safetensors").write_bytes(content)
        for command in (train(text, run, "--resume"), ["generate", "--checkpoint", str(run)]):
            assert words in told(command, capsys)
    tl.save({"model": {}}, run / "checkpoint.safetensors")
    assert "is no checkpoint of a run: it has no 'optimizer'" in told(train(text, run, "--resume"), capsys)
    assert main(["train", "mlp", "--steps", "2", "--out", str(tmp_path / "mlp")]) == 0
    assert "is of mlp, not of gpt" in told(train(text, tmp_path / "mlp", "--resume"), capsys)
    assert "is of mlp, which writes no text" in told(["generate", "--checkpoint", str(tmp_path / "mlp")], capsys)
    assert main(["train", "mlp", "--resume", "--steps", "1", "--out", str(tmp_path / "mlp")]) == 0
    assert "2 of 1 steps: it had them already, --steps asks for more" in capsys.readouterr().out
