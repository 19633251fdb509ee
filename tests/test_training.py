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


def test_settings_come_from_a_file_too_and_byte_pairs_are_learnt(text, tmp_path, capsys):
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
    assert "holds a run already: go on with it (--resume)" in told(train(text, run), capsys)
    assert "is another one: lr was 0.001 and is 0.5" in told(train(text, run, "--resume", "--lr", "0.5"), capsys)
    text.write_text(TEXT + "more")
    assert "is not the text that the run" in told(train(text, run, "--resume"), capsys)
    text.write_text(TEXT)
    assert "there is no checkpoint" in told(train(text, tmp_path / "other", "--resume"), capsys)
    assert "No such file" in told(train(tmp_path / "missing", tmp_path / "other"), capsys)
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

    monkeypatch.setattr("tinygrad_lite.saving._replace", full)
    assert "No space left on device" in told(train(text, run, "--resume", steps=20), capsys)
    assert contents(run)[0] == before[0]
    monkeypatch.undo()
    assert main(train(text, run, "--resume", steps=10)) == 0 and contents(run) == before
    assert "the loss of step" in told(train(text, tmp_path / "wild", "--lr", "1e30", "--clip", "1e30", steps=50, every=1), capsys)


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
