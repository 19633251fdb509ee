"""Hooks of modules on the way back: what they see, and that nothing of them is left."""

import pytest

import tinygrad_lite as tl


def test_a_backward_hook_sees_gradients_at_both_ends_and_may_change_them():
    layer, seen = tl.nn.Linear(2, 1, bias=False), []
    layer.weight.data[:] = tl.tensor([[2.0, 3.0]])
    handle = layer.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append((module, grad_input[0].tolist(), grad_output[0].tolist())))
    layer.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * 10,))
    x = tl.ones(1, 2, requires_grad=True)
    layer(x).sum().backward()
    assert seen == [(layer, [[20.0, 30.0]], [[10.0]])] and x.grad.tolist() == [[20.0, 30.0]] and layer.weight.grad.tolist() == [[10.0, 10.0]]
    handle.remove()
    layer(x).sum().backward()
    assert len(seen) == 1


def test_without_a_gradient_a_hook_changes_nothing():
    layer = tl.nn.Tanh()
    layer.register_full_backward_hook(lambda *args: pytest.fail("there is no way back"))
    x = tl.ones(2)
    assert tl.equal(layer(x), x.tanh()) and not layer(x).requires_grad
    with tl.no_grad():
        assert not layer(tl.ones(2, requires_grad=True)).requires_grad


def test_a_hook_that_gives_another_number_of_gradients_is_named():
    layer = tl.nn.Tanh()
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: grad_input * 2)
    with pytest.raises(RuntimeError, match="2 gradients in place of 1"):
        layer(tl.ones(1, requires_grad=True)).backward()
