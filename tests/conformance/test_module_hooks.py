"""What backward hooks of modules see and change, beside PyTorch."""

import numpy as np
import pytest

import tinygrad_lite as tl

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:Full backward hook")


def log(seen):
    return lambda module, grad_input, grad_output: seen.append(
        [[None if g is None else g.tolist() for g in grads] for grads in (grad_input, grad_output)])


def replaced(lib, x, seen):
    model = lib.nn.Tanh()
    model.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * 2,))
    model.register_full_backward_hook(lambda module, grad_input, grad_output: (grad_input[0] + 1,))
    model.register_full_backward_hook(log(seen))
    return model(x).sum()


def without_an_input_that_needs_one(lib, x, seen):
    model = lib.nn.Softmax(dim=-1)
    model.register_full_backward_hook(log(seen))
    w = lib.ones(1, requires_grad=True)
    model.register_forward_hook(lambda module, args, out: out * w)
    return model(x.detach())[0].sum()


def several_inputs_and_outputs(lib, x, seen):
    class Cross(lib.nn.Module):
        def forward(self, x, scale, y):
            return x * y, x + y, scale

    model = Cross()
    model.register_full_backward_hook(log(seen))
    a, b, _ = model(x, 3.0, x.detach())
    return (a * 2).sum() + (b * b).sum()


def removed(lib, x, seen):
    model = lib.nn.Sequential(lib.nn.Tanh(), lib.nn.Sigmoid())
    handles = [part.register_full_backward_hook(log(seen)) for part in model.modules()]
    handles[1].remove()
    return model(x).sum()


def called_twice(lib, x, seen):
    model = lib.nn.Tanh()
    model.register_full_backward_hook(log(seen))
    return model(model(x)).sum()


@pytest.mark.parametrize("program", [replaced, without_an_input_that_needs_one, several_inputs_and_outputs, removed, called_twice])
def test_hooks_see_and_change_what_pytorchs_do(program):
    answers = []
    for lib in (torch, tl):
        x, seen = lib.tensor([[0.5, -1.0, 2.0]], dtype=lib.float64, requires_grad=True), []
        program(lib, x, seen).backward()
        answers.append((seen, None if x.grad is None else x.grad.tolist()))
    theirs, ours = answers
    assert_same(ours, theirs)


def assert_same(ours, theirs):
    if isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), (ours, theirs)
        for a, b in zip(ours, theirs):
            assert_same(a, b)
    else:
        assert ours is theirs is None or np.isclose(ours, theirs), (ours, theirs)


@pytest.mark.parametrize("lib", [torch, tl], ids=["torch", "tl"])
def test_a_penalty_on_gradients_goes_through(lib):
    model, seen = lib.nn.Tanh(), []
    model.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append(grad_input[0].requires_grad))
    x = lib.tensor([0.5], dtype=lib.float64, requires_grad=True)
    (g,) = lib.autograd.grad(model(x).sum(), x, create_graph=True)
    (second,) = lib.autograd.grad(g.sum(), x)
    assert seen == [True] and np.isclose(second.item(), -2 * np.tanh(0.5) * (1 - np.tanh(0.5) ** 2))


@pytest.mark.parametrize("lib, error", [(torch, RuntimeError), (tl, RuntimeError)], ids=["torch", "tl"])
def test_a_hook_gives_as_many_gradients_as_there_are(lib, error):
    model = lib.nn.Tanh()
    model.register_full_backward_hook(lambda module, grad_input, grad_output: grad_input * 2)
    with pytest.raises(error):
        model(lib.ones(1, requires_grad=True)).backward()
