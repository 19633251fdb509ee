"""autograd.Function, detect_anomaly, and what errors say of where they come from."""

import numpy as np
import pytest

import tinygrad_lite as tl


class Cube(tl.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x)
        ctx.scale = scale
        return x * x * x * scale

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * ctx.scale * x * x, None


class Both(tl.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        order = (x * y).argmax()
        ctx.mark_non_differentiable(order)
        return x * y, order, (x + y).sum()

    @staticmethod
    def backward(ctx, g_product, _, g_sum):
        x, y = ctx.saved_tensors
        return g_product * y + g_sum, g_product * x + g_sum


def leaf(data):
    return tl.tensor(np.array(data, np.float64), requires_grad=True)


def test_a_function_of_ones_own_is_differentiated_twice():
    x = leaf([1.0, -2.0])
    y = Cube.apply(x, 2.0)
    assert y.grad_fn.op.__name__ == "Cube" and y.tolist() == [2.0, -16.0]
    assert tl.autograd.gradcheck(lambda v: Cube.apply(v, 2.0), x) and tl.autograd.gradgradcheck(lambda v: Cube.apply(v, 2.0), x)


def test_several_outputs_some_of_them_without_gradient():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    product, order, total = Both.apply(x, y)
    assert order.item() == 1 and not order.requires_grad and total.item() == 10
    (product.sum() + 2 * total).backward()
    assert x.grad.tolist() == [5.0, 6.0] and y.grad.tolist() == [3.0, 4.0]
    assert tl.autograd.gradgradcheck(lambda a, b: Both.apply(a, b)[::2], (x, y))


def test_an_output_without_gradient_has_zeros_or_none():
    class Given(Both):
        @staticmethod
        def forward(ctx, x, y, materialize):
            ctx.set_materialize_grads(materialize)
            return Both.forward(ctx, x, y)

        @staticmethod
        def backward(ctx, g_product, g_order, g_sum):
            seen.append(g_order)
            return *Both.backward(ctx, g_product, g_order, g_sum), None

    seen = []
    for materialize in (True, False):
        Given.apply(leaf([1.0]), leaf([2.0]), materialize)[0].sum().backward()
    assert seen[0].item() == 0 and seen[1] is None


def test_a_backward_that_is_not_to_be_differentiated_again_says_so():
    class Once(Cube):
        backward = staticmethod(tl.autograd.once_differentiable(Cube.backward))

    x = leaf([2.0])
    assert tl.autograd.grad(Once.apply(x, 1.0).sum(), x)[0].item() == 12
    with pytest.raises(RuntimeError, match="once_differentiable.*create_graph"):
        tl.autograd.grad(Once.apply(x, 1.0).sum(), x, create_graph=True)


def test_what_does_not_matter_has_no_gradient_or_zeros():
    x, y = leaf([1.0]), leaf([2.0, 3.0])
    assert tl.autograd.grad(x.sum(), (x, y), allow_unused=True, only_inputs=True)[1] is None
    assert tl.autograd.grad(x.sum(), (x, y), materialize_grads=True)[1].tolist() == [0, 0]
    with pytest.raises(ValueError, match="only_inputs"):
        tl.autograd.grad(x.sum(), x, only_inputs=False)


def test_backward_must_fit_forward():
    class Short(Cube):
        @staticmethod
        def backward(ctx, g):
            return g

    class Bent(Cube):
        @staticmethod
        def backward(ctx, g):
            return g.sum(), None

    for wrong, message in ((Short, "1 gradients for 2 arguments"), (Bent, r"shape \(\) for argument 0 of shape \(2,\)")):
        with pytest.raises(RuntimeError, match=message):
            wrong.apply(leaf([1.0, 2.0]), 1.0).sum().backward()


def test_an_anomaly_is_named_with_its_line():
    with np.errstate(all="ignore"):
        with tl.autograd.detect_anomaly():
            x = leaf([0.0])
            y = x.sqrt()  # its gradient is infinite
            with pytest.raises(RuntimeError, match=r"backward of sqrt gave infinity \(recorded at .*test_autograd.py:\d+\)"):
                y.backward()
            leaf([0.0]).log()  # not looked at
        with tl.autograd.detect_anomaly(check_forward=True), pytest.raises(RuntimeError, match="forward of log gave infinity"):
            leaf([0.0]).log()
        leaf([0.0]).sqrt().backward()  # outside nothing is looked at


def test_the_search_for_anomalies_is_turned_on_and_off():
    def found():
        try:
            leaf([0.0]).sqrt().backward()
        except RuntimeError:
            return True
        return False

    anomaly = tl.autograd.set_detect_anomaly
    assert not found()
    with anomaly(True):
        assert found()
        with anomaly(mode=False):
            assert not found()
        assert found()
    assert not found()
    anomaly(True)
    assert found()
    anomaly(False)
    assert not found()


def test_an_error_in_a_rule_says_where_the_operation_was_recorded():
    def broken(g, out, x):
        raise KeyError("lost")

    op = tl.primitive(np.sin, broken)
    with pytest.raises(KeyError) as caught, tl.study():
        op(leaf([1.0])).backward()
    assert "in the backward of sin (recorded at" in caught.value.__notes__[0] and "test_autograd.py" in caught.value.__notes__[0]


class Exp(tl.autograd.Function):
    """Keeps one tensor: by save_for_backward, or as an attribute."""

    saves, attribute = staticmethod(lambda x, y: y), False

    @classmethod
    def how(cls, saves, attribute):
        return type("Exp", (cls,), {"saves": staticmethod(saves), "attribute": attribute})

    @staticmethod
    def forward(ctx, x, how):
        y = tl.exp(x)
        ctx.how, kept = how, how.saves(x, y)
        if how.attribute:
            ctx.kept = {"y": kept}
        else:
            ctx.save_for_backward(kept)
        return y

    @staticmethod
    def backward(ctx, g):
        kept = ctx.kept["y"] if ctx.how.attribute else ctx.saved_tensors[0]
        return g * (tl.exp(kept) if ctx.how.saves(1, 2) == 1 else kept), None


@pytest.mark.parametrize("attribute", [False, True])
@pytest.mark.parametrize("saves", [lambda x, y: x, lambda x, y: y])
def test_a_function_that_saves_its_input_or_output_is_differentiated_twice(saves, attribute):
    how = Exp.how(saves, attribute)
    x = tl.tensor([1.0, 1.3], dtype=np.float64, requires_grad=True)
    assert tl.autograd.gradgradcheck(lambda x: how.apply(x, how), x)


@pytest.mark.parametrize("attribute", [False, True])
def test_a_function_that_saves_something_else_is_differentiated_once(attribute):
    how = Exp.how(lambda x, y: y * 1, attribute)
    x = tl.tensor([1.0, 1.3], requires_grad=True)
    y = how.apply(x, how).sum()
    assert np.allclose(tl.autograd.grad(y, [x], retain_graph=True)[0], np.exp([1.0, 1.3]))
    with pytest.raises(RuntimeError, match="Exp: .* neither an input nor an output"):
        tl.autograd.grad(y, [x], create_graph=True)
