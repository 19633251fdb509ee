"""tape.memory and tape.peak are what Python measures of the same forward and backward pass."""

import contextlib
import gc
import tracemalloc

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import nn
from tinygrad_lite.models.gpt import GPT, GPTConfig

F = nn.functional
LABELS = tl.tensor(np.arange(256) % 10)


def of(model, *shape, loss=lambda out: out.pow(2).sum()):
    """A step of a model on a batch of this shape."""
    x = tl.randn(*shape, dtype=next(model.parameters()).dtype)
    return lambda: loss(model(x))


def mlp(activation):
    model = nn.Sequential(nn.Linear(64, 256), activation, nn.Linear(256, 128), activation, nn.Linear(128, 10))
    return of(model, 256, 64, loss=lambda out: F.cross_entropy(out, LABELS))


def lenet():
    model = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
                          nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 84), nn.ReLU(), nn.Linear(84, 10))
    return of(model, 16, 1, 28, 28, loss=lambda out: F.cross_entropy(out, LABELS[:16]))


def gpt(**settings):
    model = GPT(GPTConfig(65, n_layer=1, n_head=4, n_embd=64, block_size=64, **settings))
    tokens = tl.tensor(np.arange(128).reshape(2, 64) % 65)
    return lambda: F.cross_entropy(model(tokens).reshape(-1, 65), tokens.reshape(-1))


def embedding():
    model, tokens = nn.Embedding(1000, 64), tl.tensor(np.arange(2048).reshape(8, 256) % 1000)
    return lambda: model(tokens).tanh().sum()


def attention():
    q, k, v = (tl.randn(4, 4, 64, 32, requires_grad=True) for _ in range(3))
    mask = tl.ones(64, 64).tril().bool()
    return lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=mask).sum()


def attention_with_a_mask_of_its_own():
    q, k, v = (tl.randn(4, 4, 64, 32, requires_grad=True) for _ in range(3))
    return lambda: ((q @ k.mT / 8).masked_fill(tl.ones(4, 4, 64, 64).tril() == 0, -np.inf).softmax(-1) @ v).sum()


def indexing():
    x, rows = tl.randn(512, 256, requires_grad=True), tl.arange(0, 512, 2)

    def step():
        y = x * 2
        parts = y[rows].tanh(), y[:, ::2] * y[:, 1::2], y[y > 0], y.sort(1)[0].exp(), tl.where(y > 0, y, 0.1 * y)
        return sum(part.sum() for part in parts) + y.max(1)[0].sum()

    return step


def changes_in_place():
    x = tl.randn(512, 256, requires_grad=True)

    def step():
        y = x * 2
        y.add_(1).mul_(2)
        y[:10] = 0.0
        y[:, :5] += x[:, :5]
        return y.masked_fill_(y > 2, 0.0).exp().sum()

    return step


def of_a_function():
    class Twice(tl.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x.exp())
            ctx.factor = np.full(x.shape, 2.0, np.float32)
            return x.exp() * ctx.factor

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0] * ctx.factor

    x = tl.randn(256, 256, requires_grad=True)
    return lambda: Twice.apply(x * 2).sum()


def checkpointed():
    first, second = (nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 64)) for _ in range(2))
    return of(first, 1024, 64, loss=lambda out: tl.checkpoint(second, tl.checkpoint(first, out).tanh()).pow(2).sum())


def views_of_a_batch():
    x, w = tl.randn(64, 64, 64), tl.randn(64, 128, requires_grad=True)
    return lambda: sum((part.mT @ w).sum() for part in x[:8])


def losses():
    x, y = tl.randn(256, 256, requires_grad=True), tl.rand(256, 256)
    return lambda: (F.mse_loss(x, y) + F.binary_cross_entropy_with_logits(x, y) + F.kl_div(x.log_softmax(1), y)
                    + (x * F.one_hot(LABELS, 256)).sum() + F.cross_entropy(x, y, label_smoothing=0.1))


STEPS = {
    "relu": lambda: mlp(nn.ReLU()), "gelu": lambda: mlp(nn.GELU()), "tanh": lambda: mlp(nn.Tanh()), "dropout": lambda: mlp(nn.Dropout(0.5)),
    "lenet": lenet, "lstm": lambda: of(nn.LSTM(32, 64), 20, 16, 32, loss=lambda out: out[0].pow(2).sum()),
    "gru": lambda: of(nn.GRU(32, 64, num_layers=2, bidirectional=True), 20, 16, 32, loss=lambda out: out[0].pow(2).sum()),
    "gpt": gpt, "gpt, dropout": lambda: gpt(dropout=0.1), "gpt, rotary": lambda: gpt(positions="rotary"),
    "gpt, rotary, dropout": lambda: gpt(positions="rotary", dropout=0.1),
    "transformer": lambda: of(nn.TransformerEncoderLayer(64, 4, 128), 4, 64, 64), "embedding": embedding,
    "attention": attention, "attention with a mask of its own": attention_with_a_mask_of_its_own, "indexing": indexing,
    "in place": changes_in_place, "a Function": of_a_function, "checkpoint": checkpointed, "views of a batch": views_of_a_batch, "losses": losses,
    "float64": lambda: of(nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.LayerNorm(256), nn.Linear(256, 64)).double(), 256, 64),
    "float16": lambda: of(nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.LayerNorm(256)).half(), 1024, 64)}


@pytest.mark.parametrize("name", STEPS)
def test_the_tapes_memory_is_what_is_measured(name):
    tl.manual_seed(0)
    step = STEPS[name]()
    step().backward()  # caches are filled, and gradients there
    for watched in (contextlib.nullcontext, tl.study):
        gc.collect()
        tracemalloc.start()
        with watched():
            loss = step()
            gc.collect()
            kept, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            loss.backward()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        with watched():
            tape = tl.tape(step())
        assert kept > 200_000 and tape.memory == pytest.approx(kept, rel=0.1) and tape.peak == pytest.approx(peak, rel=0.1)


def test_what_an_operation_keeps_is_counted_at_the_first_that_has_it():
    x, w = tl.ones(4, 2), tl.ones(2, 3, requires_grad=True)
    h = x @ w
    tape = tl.tape(((h.T * (h.T > 0).float()).softmax(1) * x[0, 0]).sum())
    found = [(s.op, s.memory) for s in tape if s.memory]
    assert found == [("matmul", 48), ("mul", 48 + 48), ("softmax", 48), ("mul", 48), ("sum", 4)] and tape.memory == 244


def test_memory_is_as_it_was_when_the_tape_was_made():
    tl.manual_seed(0)
    step = STEPS["relu"]()
    loss, other = step(), step()
    tape = tl.tape(loss)
    before = tape.memory
    assert "kept for the backward pass, " in str(tape.forward) and "at its peak" not in str(tape.forward)
    loss.backward()
    assert tape.memory == before == tl.tape(other).memory < tape.peak
    assert f"{before / 1000:.3g} kB kept for the backward pass, {tape.peak / 1e6:.3g} MB at its peak, " in str(tape.forward)


def test_what_somebody_else_holds_was_there_before():
    w, batch = tl.ones(64, 64, requires_grad=True), tl.ones(32, 64)
    outs = batch @ w, batch[:16] @ w, tl.ones(32, 64) @ w  # of the last one only the tape holds the ones
    assert [tl.tape(out).memory for out in outs] == [32 * 64 * 4, 16 * 64 * 4, 2 * 32 * 64 * 4]


def test_a_second_tape_of_the_same_operations_counts_the_same():
    x, constant = tl.ones(8, 8, requires_grad=True), tl.ones(8, 8)
    loss = (F.dropout(x * constant) * 2).sum()
    first, second = tl.tape(loss), tl.tape(loss)
    assert first.memory == second.memory == 4 * 256 + 4


def test_who_traces_memory_goes_on_tracing():
    tracemalloc.start()
    assert tl.tape((tl.ones(10, requires_grad=True) * 2).sum()).peak > 0 and tracemalloc.is_tracing()
    tracemalloc.stop()
