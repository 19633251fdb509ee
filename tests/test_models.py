"""The models: each computes what its paper says, learns in a short form of its training, and goes on bit for bit."""

import os

import numpy as np
import pytest
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl
from tinygrad_lite import models
from tinygrad_lite.models import points, reinforce, seq2seq, task, word2vec
from tinygrad_lite.models.digits import moved
from tinygrad_lite.training import Stopped

WORDS = ("the cat sat on the mat and a dog lay by that log while one small bird saw two big fish swim under our old bridge; "
         "then the cat ran to the bird and the dog ran to the fish. ") * 30
SHORT = {  # steps, settings, and what the result of these has to be: at least, or where it is a cost, at most
    "mlp": (200, {}, ("test accuracy", 0.93)), "lenet": (120, {"batch_size": 32}, ("test accuracy", 0.8)),
    "resnet": (80, {"width": 8, "lr": 0.01}, ("test accuracy", 0.7)), "vae": (300, {}, ("nats per test image", -27)),
    "gpt": (150, {"block_size": 16, "n_layer": 1, "n_embd": 32, "lr": 1e-2, "warmup": 5}, ("held out", -0.6)),
    "lstm": (150, {"block_size": 16, "n_hidden": 32, "lr": 1e-2, "warmup": 5}, ("held out", -0.6)),
    "seq2seq": (150, {"width": 32, "layers": 1, "batch_size": 64}, ("sort right", 0.1)),
    "word2vec": (200, {"width": 8, "lr": 0.02, "least": 2}, ("neighbors above others", 0.6)),
    "gan": (300, {"hidden": 32}, ("energy distance", -0.6)), "diffusion": (300, {"hidden": 32}, ("energy distance", -0.2)),
    "reinforce": (25, {"batch_size": 8}, ("steps it stands", 80))}
PICTURES = {
    "mlp": "confusion least_sure weights", "lenet": "confusion least_sure features", "resnet": "confusion least_sure", "vae": "latent reconstructions",
    "gpt": "attention", "lstm": "", "seq2seq": "attention", "word2vec": "words", "gan": "samples", "diffusion": "samples steps", "reinforce": "angle policy"}


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(WORDS)
    return path


def trained(name, out, text, steps, **more):
    kind = models.TASKS[name]
    return models.train(kind, out, steps=steps, text=text if kind.reads_text else None, **more)


def test_all_are_in_the_tables():
    assert set(SHORT) == set(PICTURES) == set(models.TASKS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_it_learns_as_a_program_and_draws(name, text, tmp_path, recwarn):
    steps, settings, (what, bound) = SHORT[name]
    found = trained(name, tmp_path / "run", text, steps, **settings)
    assert found[what] >= bound if bound > 0 else found[what] <= -bound
    assert not [w for w in recwarn if issubclass(w.category, tl.compiler.Fallback)]
    assert {f"{picture}.png" for picture in ["loss", *PICTURES[name].split()]} == {f for f in os.listdir(tmp_path / "run") if f.endswith(".png")}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_a_run_that_is_resumed_is_the_run(name, text, tmp_path, monkeypatch):
    _, settings, _ = SHORT[name]
    monkeypatch.setattr(models.TASKS[name], "result", lambda self: {})
    monkeypatch.setattr(models.TASKS[name], "draw", lambda self, folder: None)
    small = {**settings, "batch_size": 4}
    trained(name, tmp_path / "whole", text, 13, every=5, **small)
    trained(name, tmp_path / "parts", text, 7, every=5, **small)
    trained(name, tmp_path / "parts", text, 13, every=5, resume=True)
    for file in ("log.csv", "checkpoint.safetensors"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "parts" / file).read_bytes()


@pytest.mark.parametrize("accumulate, compiled", [(1, False), (3, False), (3, True), (64, True)])
def test_gradients_of_parts_add_up_to_those_of_the_batch(accumulate, compiled, tmp_path):
    losses = []
    for i, given in enumerate(({"compile": False}, {"compile": compiled, "accumulate": accumulate})):
        trained("mlp", tmp_path / str(i), None, 20, dropout=0.0, batch_size=50, lr=0.01, **given)
        losses.append(np.loadtxt(tmp_path / str(i) / "log.csv", delimiter=",", skiprows=1)[:, 1])
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_what_is_wrong_is_told(text, tmp_path):
    for name, given, words in [
            ("mlp", {"hiden": 3}, "there is no setting hiden of mlp"), ("mlp", {"batch_size": 0}, "batch_size is a whole number from 1 on"),
            ("mlp", {"lr": -1.0}, "lr is a number from 0 on"), ("gan", {"points": "moon"}, "points is 'ring' or 'spiral'"), ("gpt", {"norm": "x"}, "norm is 'layer' or 'rms'"),
            ("word2vec", {"least": 1000}, "words come 1000 times or more"), ("gpt", {"block_size": 100_000}, "too few for contexts"), ("mlp", {"accumulate": 0}, "accumulate is"),
            ("lstm", {"tokenizer": "words"}, "tokenizer is 'chars' or 'bpe'"), ("mlp", {"seed": -1}, "seed is")]:
        with pytest.raises((Stopped, ValueError), match=words):
            trained(name, tmp_path / "run", text, 2, **given)
    assert not (tmp_path / "run").exists()
    trained("mlp", tmp_path / "run", None, 2)
    with pytest.raises(Stopped, match="the run in .* is of mlp, not of resnet"):
        trained("resnet", tmp_path / "run", None, 3, resume=True)
    with pytest.raises(Stopped, match="there is no task 'mpl': .*did you mean 'mlp'"):
        models.train("mpl", tmp_path / "other")
    with pytest.raises(Stopped, match="did you mean 'hidden'"):
        trained("mlp", tmp_path / "other", None, 2, hiden=3)
    (tmp_path / "small.txt").write_text(" ".join(f"{a}{a} {b}{b}" for a in "abcdefghij" for b in "klmnopqrst") + " ")
    with pytest.raises(Stopped, match="a tenth of the text is held out, 20 words, too few for a window of 10"):
        models.train("word2vec", tmp_path / "other", text=tmp_path / "small.txt", least=1, window=10)
    with pytest.raises(Stopped, match="there is no file .*nowhere.txt: --text .text=. says where it is"):
        models.train("lstm", tmp_path / "other", text=tmp_path / "nowhere.txt")


def test_what_a_setting_may_be_is_in_one_table():
    for kind in models.TASKS.values():
        for name, value in kind.defaults.items():
            assert task.checked(name, value, type(value)) == value
    for name, value, kind in [("dropout", 1.5, float), ("hidden", 0, int), ("clip", float("nan"), float), ("seed", 2**70, int), ("compile", 1, bool), ("lr", "x", float), ("norm", "x", str)]:
        with pytest.raises((ValueError, TypeError), match=name):
            task.checked(name, value, kind)


def test_a_task_of_ones_own(tmp_path):
    class Line(models.Task):
        name, steps = "line", 120

        def make_model(self):
            return tl.nn.Linear(3, 1)

        def batch(self, rng):
            x = rng.standard_normal((self.settings["batch_size"], 3), dtype="float32")
            return x, x.sum(1, keepdims=True)

        def loss(self, batch):
            x, y = batch
            return F.mse_loss(self.model(x), y)

        def result(self):
            return {"weight": self.model.weight.mean().item()}

    assert models.train(Line, tmp_path / "line", lr=0.1)["weight"] == pytest.approx(1, abs=0.01)


# ---------------------------------------------------------------- the models by themselves
@pytest.mark.parametrize("make, shape, out", [
    (lambda: models.MLP(5, 4, 3), (2, 5), (2, 3)), (lambda: models.MLP(5, 4, 3, activation=tl.nn.Tanh, dropout=0.5), (2, 5), (2, 3)),
    (lambda: models.LeNet(7), (2, 1, 28, 28), (2, 7)), (lambda: models.ResNet(4, 2), (2, 1, 8, 8), (2, 10)), (lambda: models.Diffusion(8).layers, (2, 33), (2, 2))])
def test_shapes(make, shape, out):
    assert make()(tl.randn(*shape)).shape == out


def test_an_mlp_has_dropout_after_activations_only():
    kinds = [type(m).__name__ for m in models.MLP(2, 3, 3, 1, dropout=0.1)]
    assert kinds == ["Linear", "ReLU", "Dropout", "Linear", "ReLU", "Dropout", "Linear"]
    assert [type(m).__name__ for m in models.MLP(2, 1)] == ["Linear"]


def test_the_memory_of_an_lstm_is_as_reading_all_anew():
    tl.manual_seed(0)
    model = models.CharLSTM(11, 8, 16, 2)
    tokens = np.arange(10)[None] % 11
    a = model.generate(tokens, 20, do_sample=False)
    assert a.equal(model.generate(tokens, 20, do_sample=False, cached=False)) and a.shape == (1, 30)
    assert len(model.beam_search([1, 2], 3, 4)) == 6


def test_images_are_moved_by_whole_pixels():
    image = np.arange(1.0, 10).reshape(1, 3, 3)
    np.testing.assert_array_equal(moved(image, np.array([[1, 0]]))[0], [[0, 0, 0], [1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(moved(image, np.array([[0, -1]]))[0], [[2, 3, 0], [5, 6, 0], [8, 9, 0]])


def test_each_loss_of_a_gan_reaches_its_own_network_only():
    tl.manual_seed(0)
    model = models.GAN(8)
    judge, fake = model.discriminator, model(16)
    F.softplus(-judge(fake, fixed=True)).mean().backward()
    assert all(p.grad is None for p in judge.parameters()) and all(p.grad is not None for p in model.generator.parameters())
    model.zero_grad()
    F.softplus(judge(model(16).detach())).mean().backward()
    assert all(p.grad is not None for p in judge.parameters()) and all(p.grad is None for p in model.generator.parameters())


def test_the_kl_divergence_of_a_vae_is_that_of_normal_distributions():
    tl.manual_seed(0)
    kind = models.TASKS["vae"]
    job = kind(kind.defaults)
    x = tl.tensor(job.x_test[:5])
    with tl.no_grad():
        mean, log_variance = job.model.encode(x)
        before = tl.get_rng_state()
        logits, _, _ = job.model(x)
        tl.set_rng_state(before)
        found = job.loss((x,)).item()
    normal = tl.distributions.Normal
    kl = tl.distributions.kl_divergence(normal(mean, (log_variance / 2).exp()), normal(tl.zeros(5, 2), tl.ones(5, 2))).sum(1)
    pixels = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    assert found == pytest.approx((pixels + kl).mean().item(), rel=1e-5)


def test_problems_are_right_and_the_held_out_are_apart():
    for kind in ("sort", "add"):
        seen = [{tuple(row) for row in seq2seq.problems(np.random.default_rng(0), 300, kind, held)[0].tolist()} for held in (False, True)]
        source, target = seq2seq.problems(np.random.default_rng(0), 300, kind)
        for row, answer in zip(source.tolist(), target.tolist()):
            row, answer = ([x for x in part if x not in (seq2seq.PAD, seq2seq.END)] for part in (row, answer))
            if kind == "sort":
                assert answer == sorted(row)
            else:
                a, b = "".join(seq2seq.SIGNS[x] for x in row).split("+")
                assert int("".join(map(str, reversed(answer)))) == int(a) + int(b)
        assert kind == "sort" or not seen[0] & seen[1]


def test_what_is_padded_changes_nothing():
    tl.manual_seed(0)
    model = models.Seq2Seq(16, 2, 1).eval()
    source, written = np.array([[3, 1, 2]]), np.array([[seq2seq.START, 1, 2]])
    short = model(tl.tensor(source), tl.tensor(written)).array
    long = model(tl.tensor(np.pad(source, ((0, 0), (0, 4)), constant_values=seq2seq.PAD)), tl.tensor(written)).array
    np.testing.assert_allclose(short, long, atol=1e-6)


def test_cart_pole_is_that_of_its_paper():
    carts = reinforce.CartPole(2, np.random.default_rng(0))
    carts.state = np.array([[0.0, 0, 0.05, 0], [2.39, 1.0, 0, 0]])
    over = carts.step(np.array([1, 1]))
    sin, cos = np.sin(0.05), np.cos(0.05)
    turn = (9.8 * sin - cos * 10 / 1.1) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
    np.testing.assert_allclose(carts.state[0], [0, 0.02 * (10 / 1.1 - 0.05 * turn * cos / 1.1), 0.05, 0.02 * turn], rtol=1e-12)
    assert over.tolist() == [False, True]


def test_words_that_occur_in_the_same_places_become_neighbors(tmp_path):
    rng = np.random.default_rng(0)
    pairs = [("red", "apple"), ("blue", "sky"), ("green", "grass"), ("cold", "ice"), ("hot", "fire"), ("old", "book"), ("new", "car"), ("big", "dog"), ("tiny", "ant"), ("wet", "rain")]
    text = tmp_path / "pairs.txt"
    text.write_text(" ".join(f"{a} {b}" for a, b in (pairs[i] for i in rng.integers(0, len(pairs), 3000))))
    found = models.train(word2vec.Task, tmp_path / "run", steps=300, text=text, width=16, window=1, lr=0.02)
    assert found["neighbors above others"] > 0.7 and "red: " in (tmp_path / "run" / "nearest.txt").read_text()


def test_energy_distance():
    rng = np.random.default_rng(0)
    x, y = points.ring(rng, 500), points.ring(rng, 500)
    assert points.energy_distance(x, x) == pytest.approx(0, abs=1e-12) and points.energy_distance(x, y) < 0.02 < 0.5 < points.energy_distance(x, y + 1)
