"""The engine's own promises: order, memory, accumulation, hooks, modes, in-place changes."""

import copy
import gc
import sys
import threading
import tracemalloc

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite.engine.mode import mode
from tinygrad_lite.engine.tape import backpropagate, seeds_for
from tinygrad_lite.engine.watch import observing


def leaf(data):
    return tl.tensor(np.array(data, dtype=np.float64), requires_grad=True)


def test_gradients_accumulate_into_leaves():
    x = leaf([1.0, 2.0])
    (x * x).sum().backward()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [5.0, 7.0]


def test_gradients_of_two_leaves_never_share_memory():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    seed = np.ones(2)
    (x + y).backward(seed)
    x.grad.mul_(10)
    assert y.grad.tolist() == [1.0, 1.0] and seed.tolist() == [1.0, 1.0]


def test_100_000_operations_deep_without_recursion():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.backward(retain_graph=True)
    assert x.grad.item() == 1.0
    del y


def test_graphs_are_freed_by_reference_counting_alone():
    x = leaf(np.ones((50, 50)))

    def step():
        ((x @ x).tanh().exp().sum() * 2).backward()
        x.grad = None
        (x * x).sum()  # a graph that is never read
        y = x * x
        y[0].add_(1)
        with tl.no_grad():
            y.mul_(2)

    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        for _ in range(3_000):  # Python's own free lists fill up first
            step()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1_000):
            step()
        assert tracemalloc.get_traced_memory()[0] - before < 10_000
    finally:
        tracemalloc.stop()
        gc.enable()


def test_second_backward_says_what_to_do():
    y = (leaf([1.0]) * 2).exp()
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        y.backward()


def test_retain_graph_allows_a_second_backward():
    x = leaf([1.0])
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 4.0


def test_create_graph_gives_differentiable_gradients():
    x = leaf(2.0)
    (first,) = tl.autograd.grad(x**3, x, create_graph=True)
    (second,) = tl.autograd.grad(first, x, create_graph=True)
    (third,) = tl.autograd.grad(second, x)
    assert (first.item(), second.item(), third.item()) == (12.0, 12.0, 6.0)


def test_modes_nest_decorate_and_belong_to_a_thread():
    x = leaf(1.0)
    with tl.no_grad():
        assert not (x * 2).requires_grad
        with tl.enable_grad():
            assert (x * 2).requires_grad
        seen = []
        other = threading.Thread(target=lambda: seen.append((x * 2).requires_grad))
        other.start()
        other.join()
        assert seen == [True]
    assert not tl.no_grad()(lambda: x * 2)().requires_grad
    assert tl.is_grad_enabled()
    with tl.set_grad_enabled(False):
        assert not tl.is_grad_enabled()
    assert tl.is_grad_enabled()


@pytest.mark.parametrize("op", [lambda x: x * 2, lambda x: x + x, tl.exp, tl.sum, lambda x: x[0], lambda x: x.reshape(-1), lambda x: tl.cat([x, x]), lambda x: tl.nn.functional.linear(x, x),
                                tl.nn.functional.softmax, lambda x: Twice.apply(x)])
def test_nothing_is_recorded_under_no_grad_by_any_kind_of_operation(op):
    x = leaf([[1.0, 2.0]])
    assert op(x).requires_grad and op(x).grad_fn is not None
    with tl.no_grad():
        assert not op(x).requires_grad and op(x).is_leaf
        with tl.study():
            assert not op(x).requires_grad


def test_switches_decorate_functions_and_generators_with_and_without_parentheses():
    x = leaf(1.0)

    @tl.no_grad
    def plain():
        return x * 2

    @tl.no_grad()
    def steps():
        try:
            got = yield (x * 2).requires_grad
            yield got, (x * 2).requires_grad
        except KeyError:
            yield "caught"
        return "done"

    assert not plain().requires_grad
    running = steps()
    assert next(running) is False and (x * 2).requires_grad
    assert running.send("sent") == ("sent", False)
    assert running.throw(KeyError()) == "caught"
    with pytest.raises(StopIteration, match="done"):
        next(running)


def test_threads_add_to_one_leaf():
    x = leaf(np.zeros(10))
    y = (x * 2).sum()
    workers = [threading.Thread(target=lambda: [y.backward(retain_graph=True) for _ in range(50)]) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert x.grad.tolist() == [400.0] * 10


def test_backward_into_chosen_inputs_only():
    x, y = leaf(2.0), leaf(3.0)
    z = x * y
    (z * z).backward(inputs=[x, z])
    assert x.grad.item() == 36.0 and z.grad.item() == 12.0 and y.grad is None


def test_data_and_detach_share_memory_and_leave_the_tape():
    x = leaf([1.0, 2.0])
    assert x.data.array is x.array and not x.detach().requires_grad and x.detach().array is x.array
    x.grad = tl.from_numpy(np.ones(2))
    x.data = np.array([5.0, 6.0])
    assert x.requires_grad and x.tolist() == [5.0, 6.0] and x.grad is not None
    (x * x).sum().backward()
    assert x.grad.tolist() == [11.0, 13.0]


WRONG = [
    (lambda: setattr(leaf([1.0]), "grad", tl.ones(2)), r"shape \(1,\).*\(2,\)"),
    (lambda: setattr(leaf([1.0]), "data", np.ones(1, int)), "cannot hold int64"),
    (lambda: setattr(leaf([1.0]) * 2, "data", np.ones(1)), "recorded operation"),
    (lambda: setattr(tl.ones(1), "grad", tl.ones(1)), "requires_grad_"),
    (lambda: tl.ones(1).register_hook(print), "does not require grad"),
    (lambda: (leaf([1.0]) * 2).requires_grad_(False), "detach"),
    (lambda: tl.autograd.grad(leaf(1.0) * 2, leaf(1.0)), "do not depend on input 0"),
    (lambda: tl.autograd.grad(leaf(1.0) * 2, tl.ones(1)), "input 0 does not require grad"),
    (lambda: tl.autograd.gradcheck(lambda x: x, tl.ones(1, requires_grad=True)), "float64"),
]


@pytest.mark.parametrize("wrong, message", WRONG)
def test_misuse_gets_a_clear_error(wrong, message):
    with pytest.raises((RuntimeError, ValueError), match=message):
        wrong()


def test_hooks_see_and_replace_gradients():
    x = leaf([1.0, 2.0])
    y = x * 2
    y.retain_grad()
    handle = y.register_hook(lambda g: g * 10)
    y.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [20.0, 20.0]
    handle.remove()
    x.grad = None
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_grad_of_an_intermediate_value():
    x = leaf(3.0)
    y = x * x
    (g,) = tl.autograd.grad(y * y, y)
    assert g.item() == 18.0 and x.grad is None


HOOKED = [  # what a hook gives instead of a gradient of shape (2,), float64
    (lambda g: g.sum(), RuntimeError, r"from shape \(2,\) float64 to \(\) float64"), (lambda g: g.float(), RuntimeError, "float64 to .* float32"),
    (lambda g: 3.0, TypeError, "not float")]


@pytest.mark.parametrize("hook, kind, message", HOOKED)
@pytest.mark.parametrize("where", ["leaf", "intermediate"])
def test_a_hook_cannot_bend_a_gradient(hook, kind, message, where):
    x = leaf([1.0, 2.0])
    y = x * 2
    (x if where == "leaf" else y).register_hook(hook)
    with pytest.raises(kind, match=message):
        y.sum().backward()


def test_a_retained_gradient_is_the_one_after_all_hooks_and_follows_changes():
    x = leaf([1.0, 1.0])
    y = x * 2
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    y.register_hook(lambda g: g * 5)
    (y * y).sum().backward()
    assert y.retains_grad and y.grad.tolist() == [40.0, 40.0] and x.grad.tolist() == [80.0, 80.0]

    x = leaf([1.0, 1.0])
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 10)  # of the value before the change
    y.sum().backward(retain_graph=True)
    y.mul_(3)
    assert y.grad.tolist() == [10.0, 10.0] and y.retains_grad
    y.grad = x.grad = None
    (y * y).sum().backward()
    assert y.grad.tolist() == [12.0, 12.0] and x.grad.tolist() == [720.0, 720.0]

    x = leaf([1.0, 2.0])
    y = x * 1
    v = y[0]
    v.retain_grad()
    v.mul_(3)
    (v * v).backward()
    assert v.grad.item() == 6.0 and x.grad.tolist() == [18.0, 0.0]


def test_autograd_grad_retains_too_but_accumulates_nothing_else():
    x = leaf([1.0, 1.0])
    y = x * 2
    y.retain_grad()
    tl.autograd.grad((y * y).sum(), x)
    assert y.grad.tolist() == [4.0, 4.0] and x.grad is None


def test_hooks_and_handles_leave_nothing_behind():
    layer = tl.nn.Linear(2, 2)

    def step():
        y = layer(tl.ones(1, 2))
        handle = y.register_hook(lambda g: g * y.shape[0])  # the hook knows the tensor, and the tensor the hook
        y.retain_grad()
        after = layer.register_forward_hook(lambda module, args, out: None)
        layer(y).sum().backward()
        after.remove()
        return handle

    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            step()
        before = len(gc.get_objects())
        for _ in range(1_000):
            step()
        assert len(gc.get_objects()) - before < 50
    finally:
        gc.enable()


# ---------------------------------------------------------------- the switch and who watches
def test_what_one_thread_watches_leaves_the_others_on_the_fast_path():
    entered, done, seen = threading.Event(), threading.Event(), []

    def watching():
        with tl.study(), tl.autograd.detect_anomaly(), tl.expanded(), tl.no_grad():
            seen.append(mode.fast)
            entered.set()
            done.wait(10)

    other = threading.Thread(target=watching)
    other.start()
    entered.wait(10)
    try:
        assert mode.fast and not mode.special and seen == [False]
    finally:
        done.set()
        other.join()


@pytest.mark.parametrize("switch", [tl.no_grad, tl.enable_grad, tl.expanded, tl.study, tl.autograd.detect_anomaly, lambda: tl.set_grad_enabled(False)])
def test_every_switch_is_put_back_after_an_error(switch):
    with pytest.raises(KeyError):
        with switch():
            raise KeyError
    assert mode.fast and tl.is_grad_enabled()


def test_an_error_in_a_rule_or_a_hook_puts_the_mode_back():
    x = leaf([1.0])
    y = x * 2

    def broken(g):
        raise KeyError

    y.register_hook(broken)
    with pytest.raises(KeyError):
        y.backward()
    assert mode.fast and tl.is_grad_enabled() and x.grad is None


def test_a_generator_is_closed_under_its_switch():
    at_the_end = []

    @tl.no_grad()
    def steps():
        try:
            yield 1
        finally:
            at_the_end.append(tl.is_grad_enabled())

    running = steps()
    next(running)
    running.close()
    assert at_the_end == [False] and tl.is_grad_enabled()


def test_an_observer_sees_every_gradient_and_what_each_node_sends():
    x, w = leaf([1.0, 2.0]), leaf(3.0)
    y = x * w
    seeds = seeds_for([y.sum()], [None])
    seen = []
    backpropagate(seeds, observe=lambda node, g, sent: seen.append((node.op and node.op.__name__, np.asarray(g).tolist(), [np.asarray(d).tolist() for d in sent if d is not None])))
    assert seen == [("sum", 1.0, [[1.0, 1.0]]), ("mul", [1.0, 1.0], [[3.0, 3.0], 3.0]), (None, [3.0, 3.0], []), (None, 3.0, [])]


def test_observing_is_asked_at_each_backward_pass_of_the_thread():
    x = leaf(2.0)
    begun = []
    with observing(lambda seeds: begun.append(len(seeds))):
        (x * x).backward()
        tl.autograd.grad(x * 3, x)
    (x * x).backward()
    assert begun == [1, 1]


# ---------------------------------------------------------------- in place
def test_in_place_operations_are_differentiated():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = x * 1
    y *= w
    y[0] = w[1] * 2
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 4.0] and w.grad.tolist() == [0.0, 4.0]


def test_a_tensor_changed_by_itself_is_differentiated():
    x = leaf([2.0, 3.0])
    y = x * 1
    y.mul_(y)
    y[0] += y[0]
    y.sum().backward()
    assert x.grad.tolist() == [8.0, 6.0]


def test_a_change_through_a_view_reaches_what_it_is_a_view_of():
    x, w = leaf(np.arange(6.0).reshape(2, 3)), leaf(5.0)
    y = x * 1
    y[0] += w
    y.T[1].mul_(3)
    y.reshape(3, 2)[2, 0] = w * 2
    late = y.view(-1)[1:]
    y.sum().backward(retain_graph=True)
    assert y.tolist() == [[5, 18, 7], [3, 10, 5]] and w.grad.item() == 1 + 3 + 1 + 2
    assert x.grad.tolist() == [[1, 3, 1], [1, 0, 1]]
    late.mul_(2)
    y.sum().backward()
    assert x.grad.tolist() == [[2, 9, 3], [3, 0, 3]]


def test_in_place_operations_take_the_settings_of_their_operation():
    x = leaf([1.0])
    y = x * 1
    y.add_(x, alpha=2).sub_(x, alpha=0.5).div_(2.0, rounding_mode=None)
    y.backward()
    assert y.item() == 1.25 and x.grad.item() == 1.25


def overwritten():
    y = leaf([1.0, 2.0]) * 1
    z = y * y
    y.add_(1)
    z.sum().backward()


def through_the_base():
    y = leaf([1.0, 2.0]) * 1
    v = y[0]
    y.mul_(2)
    (v * 3).backward()


def before_the_base_was_tracked():
    b = tl.zeros(3, dtype=np.float64)
    v = b[1:]
    b[1] = leaf(2.0) * 1
    v * 2


def of_repeated_memory():
    (leaf([1.0]) * 1).expand(3).mul_(2)


def on_a_view_of_a_leaf():
    leaf([1.0, 2.0])[0].mul_(2)


def on_a_leaf():
    leaf([1.0]).add_(1)


def too_large():
    tl.zeros(2).add_(tl.zeros(3, 2))


def in_another_thread():
    y = leaf([1.0, 2.0]) * 1
    v = y[0]
    y.mul_(2)
    caught = []

    def use():
        try:
            v * 3
        except RuntimeError as error:
            caught.append(error)

    other = threading.Thread(target=use)
    other.start()
    other.join()
    raise caught[0]


def as_an_argument():
    y = leaf([1.0, 2.0]) * 1
    v = y[0]
    y.mul_(2)
    y.add_(v)


def at_a_changed_index():
    x, i = leaf(np.ones((2, 3))), tl.tensor([0, 1])
    y = x[:, i]
    i.add_(1)
    y.sum().backward()


def by_an_optimizer():
    w = leaf([1.0])
    loss = (w * w).sum()
    w.grad = tl.ones(1, dtype=np.float64)
    tl.optim.SGD([w], lr=0.1).step()
    loss.backward()


def by_loading():
    layer = tl.nn.Linear(1, 1)
    loss = (layer.weight * layer.weight).sum()
    layer.load_state_dict(layer.state_dict())
    loss.backward()


def by_drawing():
    w = leaf([1.0])
    loss = (w * w).sum()
    tl.nn.init.normal_(w)
    loss.backward()


def by_batch_norm():
    mean, var, x = tl.zeros(2), tl.ones(2), tl.ones(3, 2, requires_grad=True)
    out = (x * mean).sum()
    tl.nn.functional.batch_norm(x, mean, var, training=True)
    out.backward()


def of_what_a_function_saved():
    class Cube(tl.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x * x

    y = leaf([1.0, 2.0]) * 1
    z = Cube.apply(y)
    y.add_(1)
    z.sum().backward()


@pytest.mark.parametrize("wrong, message", [
    (overwritten, "changed in place after it was used"), (through_the_base, "shares memory"),
    (in_another_thread, "shares memory"), (as_an_argument, "shares memory"), (at_a_changed_index, "getitem.*changed in place"),
    (by_an_optimizer, "changed in place"), (by_loading, "changed in place"), (by_drawing, "changed in place"), (by_batch_norm, "changed in place"),
    (of_what_a_function_saved, "saved_tensors.*changed in place"),
    (of_repeated_memory, "in many places"),
    (before_the_base_was_tracked, "shares memory"), (on_a_view_of_a_leaf, "mul: a leaf"), (on_a_leaf, "leaf"), (too_large, "does not fit in place")])
def test_an_in_place_change_that_would_be_wrong_is_refused(wrong, message):
    with pytest.raises(RuntimeError, match=message):
        wrong()


def test_what_is_not_on_the_way_to_the_wanted_input_may_have_changed():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = w * 1
    loss = (x * 2).sum() + (y * y).sum()
    y.add_(1)
    assert tl.autograd.grad(loss, x, retain_graph=True)[0].tolist() == [2.0, 2.0]
    with pytest.raises(RuntimeError, match="changed in place"):
        tl.autograd.grad(loss, w)


def test_what_lies_below_the_wanted_tensor_may_have_changed():
    F = tl.nn.functional
    for op in (lambda y: F.scaled_dot_product_attention(y, y, y), lambda y: F.layer_norm(y, (3,))):
        y = leaf(np.eye(3)) * 1.5
        d = op(y)
        y.mul_(2)
        u = d.tanh()
        assert tl.autograd.grad((u * u).sum(), u, create_graph=True)[0].tolist() == (2 * u.array).tolist()


def test_views_2_000_deep_are_changed_without_recursion():
    x = leaf(np.arange(4.0))
    y = x * 1
    view = y
    for k in range(2_000):
        view = view[...] if k % 2 else view.reshape(2, 2).reshape(4)
    view.mul_(2)
    (y * y).sum().backward()
    assert x.grad.tolist() == [0.0, 8.0, 16.0, 24.0]


@pytest.mark.parametrize("join", [tl.cat, tl.stack])
def test_joining_takes_time_in_proportion(join):
    def promotions(n):  # how often the dtype of a piece is asked: the work that was once done n times over
        pieces = [tl.ones(1, requires_grad=True) for _ in range(n)]
        asked = []
        profile = lambda frame, event, arg: asked.append(1) if event == "call" else None
        sys.setprofile(profile)
        try:
            join(pieces).sum().backward()
        finally:
            sys.setprofile(None)
        return len(asked)

    assert promotions(400) < 2.5 * promotions(200)


def test_a_change_of_values_that_no_rule_reads_is_fine():
    x = leaf([1.0, 2.0])
    y = x * 1
    z = y + 1  # add's rules read no values
    y.mul_(5)
    (z.sum() + y.sum()).backward()
    assert x.grad.tolist() == [6.0, 6.0]


def made_before(view):
    """A view of y, and y changed since in a recorded way."""
    y = leaf([[1.0, 2.0], [3.0, 4.0]]) * 1
    shown = view(y)
    y.mul_(3)
    return shown


class Twice(tl.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


USES = [lambda v: v.backward(np.ones(v.shape)), lambda v: tl.autograd.grad(v, v, np.ones(v.shape)), tl.tape, Twice.apply, lambda v: v * 2, tl.exp, tl.sum]
VIEWS = [lambda y: y[0], lambda y: y.T, lambda y: y.reshape(4), lambda y: y.diagonal(), lambda y: y[None], lambda y: y.expand(2, 2), copy.copy, lambda y: tl.einsum("ij->ji", y)]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("view", VIEWS)
def test_no_use_of_a_stale_view_passes(use, view):
    with pytest.raises(RuntimeError, match="shares memory"):
        use(made_before(view))


OWN_MEMORY = [  # what gives a copy, in PyTorch too: a change of the one is none of the other
    lambda y: y.flip(0), lambda y: y.repeat(1, 1), lambda y: y.clone(), lambda y: y[[0, 1]], lambda y: y.roll(0, 0),
    lambda y: tl.cat([y]), lambda y: y.sum(0), lambda y: tl.stack([y])[0]]


@pytest.mark.parametrize("make", OWN_MEMORY)
def test_copies_are_changed_for_themselves(make):
    y = leaf([[1.0, 2.0], [3.0, 4.0]]) * 1
    made, before = make(y), y.tolist()
    made.mul_(3)
    assert y.tolist() == before
    y.mul_(2)
    (made.sum() + y.sum()).backward()


def test_a_view_of_a_later_argument_is_a_copy():
    tail = tl.primitive(lambda k, x: x[k:], None, lambda g, out, k, x: tl.ops.place(g, slice(k, None), x.shape), name="tail")
    x = leaf([1.0, 2.0, 3.0])
    y = x * 1
    v = tail(1, y)
    y.mul_(3)
    (v * v).sum().backward()
    assert x.grad.tolist() == [0.0, 4.0, 6.0]


def test_a_write_through_every_kind_of_view_reaches_its_base():
    for view, there in [(lambda y: y.diagonal(), [[1, 0], [0, 1]]), (lambda y: y[tl.tensor(1)], [[0, 0], [1, 1]]), (lambda y: y.T[0], [[1, 0], [1, 0]]),
                        (lambda y: y.expand(2, 2), [[1, 1], [1, 1]]), (copy.copy, [[1, 1], [1, 1]]), (lambda y: y.unbind(1)[1], [[0, 1], [0, 1]]),
                        (lambda y: tl.einsum("ii->i", y), [[1, 0], [0, 1]])]:
        x = leaf([[1.0, 2.0], [3.0, 4.0]])
        y = x * 1
        view(y).mul_(3)
        (y * y).sum().backward()
        np.testing.assert_array_equal(x.grad, 2 * x.array * np.where(there, 9, 1))


def test_what_a_definition_kept_is_not_computed_anew_from_changed_values():
    for op in [lambda y: tl.nn.functional.layer_norm(y, (3,)), lambda y: y.var(1), lambda y: y.softmax(1) * 1, lambda y: tl.nn.functional.cross_entropy(y, [0, 2])]:
        x = leaf([[1.0, 2.0, 4.0], [0.0, 1.0, 5.0]])
        expected = tl.autograd.grad((op(x) ** 3).sum(), x)[0]
        y = x * 1
        z = op(y)
        y[0, 0] = 100.0
        try:
            found = tl.autograd.grad((z**3).sum(), x, create_graph=True)[0]
        except RuntimeError as error:
            assert "changed in place" in str(error)
        else:
            np.testing.assert_allclose(found.detach(), expected)


def test_single_numbers_in_an_index_are_read_when_it_is_used():
    x = leaf([1.0, 2.0, 3.0, 4.0])
    y = x * 1
    i, j = tl.tensor(0), tl.tensor(2)
    parts = []
    for _ in range(2):
        parts.append(y[i:j] * 1)
        i.add_(1), j.add_(1)
    tl.cat(parts).backward(np.array([1.0, 10.0, 100.0, 1000.0]))
    assert x.grad.tolist() == [1.0, 110.0, 1000.0, 0.0]


def test_every_gradient_is_in_memory_of_its_own():
    x, y, w = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf([5.0, 6.0])
    h = x + 0
    h.retain_grad()
    ((h + y) * w).sum().backward(create_graph=True)
    x.grad.mul_(10)
    assert h.grad.tolist() == y.grad.tolist() == [5.0, 6.0] and x.grad.tolist() == [50.0, 60.0]
    x.grad = y.grad = None
    (x + y).backward(w)
    x.grad.mul_(10)
    assert y.grad.tolist() == w.tolist() == [5.0, 6.0]
    x.grad = None
    x.register_hook(lambda g: w.detach())
    (x * 2).sum().backward()
    x.grad.mul_(0)
    assert w.tolist() == [5.0, 6.0]
    (y.sum() * w).sum().backward(create_graph=True)
    y.grad.mul_(2)
    z = leaf([1.0, 2.0])
    z.register_hook(lambda g: w.detach())
    (z * z).sum().backward(create_graph=True)
    z.grad.mul_(0)
    assert w.tolist() == [5.0, 6.0]


def test_an_index_of_tensors_that_changed_is_noticed_however_it_was_given():
    for read in (lambda x, i: tl.getitem(x, (i,)), lambda x, i: tl.index_put(x, (i,), 0.0), lambda x, i: tl.index_put(x, [i], x[:2], True), lambda x, i: x[i, :]):
        x, i = leaf([[1.0], [2.0], [3.0]]), tl.tensor([0, 1])
        y = read(x * 1, i)
        i.add_(1)
        with pytest.raises(RuntimeError, match="changed in place"):
            y.sum().backward()


def test_rules_must_be_as_many_as_arguments():
    short = tl.primitive(lambda x, y: x * y, joint=lambda g, out, x, y: (g * y,), name="short")
    with pytest.raises(RuntimeError, match="short: the joint rule gave 1 gradients for 2 arguments"):
        short(leaf(1.0), leaf(2.0)).backward()
    with pytest.raises(TypeError, match="3 rules are more than the 2 arguments"):
        tl.primitive(lambda x, y: x, *[lambda g, out, x, y: g] * 3)
    with pytest.raises(TypeError, match="a hook is a function"):
        leaf(1.0).register_hook(3)
    assert repr((leaf(1.0) * 2).grad_fn) == "<mul>"


def test_what_a_hook_was_given_stays_the_hooks():
    seen, x = [], leaf([3.0, 4.0])
    y = x + 1
    y.register_hook(lambda g: seen.append(g))
    x.register_hook(lambda g: seen.append(g))
    (y * y).sum().backward()
    x.grad.zero_()
    assert [g.tolist() for g in seen] == [[8.0, 10.0], [8.0, 10.0]]


def test_whole_numbers_that_take_a_tracked_value_are_not_tracked():
    w, x = leaf([1.7, 2.2]), tl.tensor(np.zeros(2, np.int64))
    x.copy_(w)
    assert x.tolist() == [1, 2] and not x.requires_grad and not tl.index_put(x, 0, w[0]).requires_grad


def test_an_assigned_value_may_have_dimensions_of_size_1_in_front():
    for index, shape in [((0,), (1, 3)), ((0, 0), (1,)), ((0, 0), (1, 1)), (..., (1, 2, 3)), (([0, 1],), (1, 2, 3))]:
        y, w = leaf(np.zeros((2, 3))) * 1, leaf(np.full(shape, 2.0))
        y[index] = w
        y.sum().backward()
        assert w.grad.tolist() == np.ones(shape).tolist()


def test_a_gradient_frees_only_what_it_went_through():
    x = leaf([1.0, 2.0])
    y = x * x
    a, b = (y * 2).sum(), (y * 3).sum()
    tl.autograd.grad(a, y)
    b.backward()
    assert x.grad.tolist() == [6.0, 12.0]


def test_what_a_gradient_did_not_reach_is_kept():
    first = tl.primitive(lambda x, y: x + y, joint=lambda g, out, x, y: (g, None), name="first")
    a, b = leaf([1.0]), leaf([2.0])
    y = b * b
    first(a * a, y).backward()
    y.backward()
    assert a.grad.tolist() == [2.0] and b.grad.tolist() == [4.0]


def test_a_view_of_a_detached_tensor_is_not_stale():
    x = leaf([1.0, 2.0])
    y = x * 1
    v = y.detach()[0]
    y.mul_(3)
    (v * x).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_a_view_of_data_that_was_replaced_stands_for_itself():
    b = tl.tensor(np.zeros(3))
    v = b[1:]
    b.data = tl.tensor(np.array([7.0, 8.0, 9.0]))
    v.add_(leaf(2.0))
    assert b.tolist() == [7.0, 8.0, 9.0] and v.tolist() == [2.0, 2.0]


class Itself(Twice):
    @staticmethod
    def forward(ctx, x):
        return x


def test_the_result_of_a_function_that_shows_its_argument_is_not_changed_in_place():
    for function in (Itself.apply, tl.primitive(lambda x: x, joint=lambda g, out, x: (g,), name="itself")):
        y = leaf([1.0, 2.0]) * 1
        with pytest.raises(RuntimeError, match="gave is changed in place"):
            function(y).mul_(2)
        assert y.tolist() == [1.0, 2.0]


def test_numpy_cannot_write_into_a_tensor_unnoticed():
    y = leaf([1.0, 2.0]) * 1
    for write in (lambda: np.copyto(y, 5.0), lambda: np.fill_diagonal(y, 0), lambda: np.cumsum(np.ones(2), out=y), lambda: np.add(1.0, 1.0, out=y)):
        with pytest.raises(TypeError):
            write()


def test_a_switch_can_be_used_again():
    off = tl.set_grad_enabled(False)
    decorated = off(tl.is_grad_enabled), off(tl.is_grad_enabled)
    assert tl.is_grad_enabled() and [f() for f in decorated] == [False, False]
    for _ in range(2):
        with off:
            assert not tl.is_grad_enabled()
        assert tl.is_grad_enabled()


def test_the_graph_of_only_the_wanted_inputs():
    x = leaf([1.0, 2.0])
    y = x * 2
    y.retain_grad()
    (y * y).sum().backward(inputs=[y])
    assert y.grad.tolist() == [4.0, 8.0]
    z = leaf(1.0)
    z.backward(inputs=[x])
    assert z.grad is None


# ---------------------------------------------------------------- by_hand
@tl.by_hand(lambda g, out, x, scale, e: g * e * scale)
def scaled_exp(x, scale=2.0):
    e = tl.ops.exp(x)
    return e * scale, e


def test_by_hand_equals_its_definition_and_differentiates_twice():
    x = leaf([0.5, -1.0])
    assert tl.autograd.gradcheck(scaled_exp, x) and tl.autograd.gradgradcheck(scaled_exp, x)
    with tl.expanded():
        parts = scaled_exp(x)
    assert parts.grad_fn.op.__name__ == "mul" and scaled_exp(x).grad_fn.op.__name__ == "scaled_exp"
    assert type(scaled_exp(x.array)) is np.ndarray


def test_gradcheck_names_the_wrong_element():
    wrong = tl.primitive(np.sin, lambda g, out, x: g * 2)
    with pytest.raises(RuntimeError, match=r"input 0\[0\].*analytically.*finite differences"):
        tl.autograd.gradcheck(wrong, leaf([1.0, 2.0]))


def test_a_joint_rule_gives_every_argument_its_gradient():
    cat = tl.primitive(lambda x, y: np.concatenate([x, y]),
                       joint=lambda g, out, x, y: (g[: x.shape[0]], g[x.shape[0] :]))
    inputs = [leaf([1.0, 2.0]), leaf([3.0])]
    assert tl.autograd.gradcheck(cat, inputs) and tl.autograd.gradgradcheck(cat, inputs)
