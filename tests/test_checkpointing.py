"""Gradient checkpointing: the gradients of a run that kept everything, in less memory."""

import tracemalloc

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import checkpoint, nn


def trained(kept, p=0.0, many=3):
    tl.manual_seed(0)
    layers = [nn.Sequential(nn.Linear(16, 64), nn.GELU(), nn.Dropout(p), nn.Linear(64, 16)) for _ in range(many)]
    h = x = tl.randn(32, 16, requires_grad=True)
    for layer in layers:
        h = h + (layer(h) if kept else checkpoint(layer, h))
    h.square().mean().backward()
    return [x.grad.array, *(p.grad.array for layer in layers for p in layer.parameters())], tl.rand(1).item()


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_gradients_and_random_numbers_are_those_without_it(p):
    (whole, after), (again, after_too) = trained(True, p), trained(False, p)
    assert after == after_too
    for a, b in zip(whole, again, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


def test_it_takes_less_memory():
    def peak(kept):
        layers = [nn.Sequential(nn.Linear(64, 512), nn.Tanh(), nn.Linear(512, 64)) for _ in range(12)]
        h = tl.randn(256, 64)
        tracemalloc.start()
        for layer in layers:
            h = layer(h) if kept else checkpoint(layer, h)
        h.sum().backward()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(False) < 0.5 * peak(True)


def test_outputs_and_arguments_of_all_kinds():
    def f(x, w, *, scale, by):
        return x * w * scale, "words", (x + by).exp(), x.detach(), x

    results = []
    for call in (f, lambda *args, **kwargs: checkpoint(f, *args, use_reentrant=False, **kwargs)):
        x, w, scale = (tl.tensor(v, requires_grad=True) for v in ([1.0, 2.0], [3.0, 4.0], 2.0))
        a, words, b, plain, same = call(x * 1, w, scale=scale, by=2)
        assert words == "words" and not plain.requires_grad and a.requires_grad
        ((a * a).sum() + b.sum() + same.sum()).backward()
        results.append([x.grad.array, w.grad.array, scale.grad.array])
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_hooks_run_once_and_nested_ones_work():
    layer, seen = nn.Linear(2, 2, bias=False), []
    layer.weight.register_hook(lambda g: seen.append(1) or g * 10)
    x = tl.ones(1, 2)
    checkpoint(lambda x: checkpoint(layer, x).tanh(), x).sum().backward()
    first = layer.weight.grad.array
    layer.zero_grad()
    layer(x).tanh().sum().backward()
    assert len(seen) == 2
    np.testing.assert_allclose(first, layer.weight.grad.array, rtol=1e-6)


def test_what_it_cannot_do_is_refused():
    x = tl.ones(2, requires_grad=True)
    y = x * 2
    with pytest.raises(RuntimeError, match=r"reads a tensor of shape \(2,\) that was computed outside of it; give it as an argument"):
        checkpoint(lambda z: z * y, x)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        tl.autograd.grad(checkpoint(tl.exp, x).sum(), x, create_graph=True)
    with tl.no_grad():
        assert not checkpoint(tl.exp, x).requires_grad
    assert not checkpoint(tl.exp, tl.ones(2)).requires_grad


def change_in_place(w, x, c, f):
    with tl.no_grad():
        w.add_(1)


def change_argument(w, x, c, f):
    with tl.no_grad():
        x.mul_(2)


def change_data(w, x, c, f):
    w.data = w.data + 1


def take_a_step(w, x, c, f):
    w.grad = tl.ones(2)
    tl.optim.SGD([w], 0.1).step()


@pytest.mark.parametrize("change, words", [
    (change_in_place, r"shape \(2,\) that the function reads was changed"), (change_argument, "reads was changed before"),
    (change_data, "reads was changed"), (take_a_step, "call backward\\(\\) before"), (lambda w, x, c, f: c.add_(1), "gave something else"),
    (lambda w, x, c, f: f.append(1), "gave something else")])
def test_what_would_make_the_second_run_another_one_is_refused(change, words):
    w, x, c, calls = tl.tensor([1.0, 2.0], requires_grad=True), tl.tensor([0.0, 4.0], requires_grad=True), tl.ones(2), []
    y = checkpoint(lambda x: (x * w).sin() + c if not calls else x * w, x)
    change(w, x, c, calls)
    with pytest.raises(RuntimeError, match=f"checkpoint: .*{words}"):
        y.sum().backward()


def test_outputs_may_be_changed_in_place_and_be_nan():
    x = tl.tensor([-1.0, 4.0], requires_grad=True)
    y = checkpoint(lambda x: x.sqrt() * 2, x)
    y.mul_(3)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.array, [np.nan, 1.5])


def test_in_a_compiled_function_it_is_the_function():
    layer = nn.Linear(3, 3)

    @tl.compile
    def step(x):
        layer.zero_grad()
        checkpoint(layer, x).square().sum().backward()
        return layer.weight.grad.clone()

    x = tl.randn(4, 3)
    for _ in range(4):
        found = step(x)
    layer.zero_grad()
    layer(x).square().sum().backward()
    np.testing.assert_allclose(found.array, layer.weight.grad.array, rtol=1e-5)
    assert step.traces > 0
