"""nn.utils: clipping, vectors, parametrizations; lists and dicts of parameters; hooks that see keywords."""

import copy

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import nn

utils = nn.utils


# ---------------------------------------------------------------- gradients and vectors
def with_gradients():
    found = [tl.tensor([3.0, 4.0], requires_grad=True), tl.tensor([[12.0]], requires_grad=True), tl.tensor(1.0, requires_grad=True)]
    (found[0] * found[0].detach()).sum().backward()
    (found[1] * found[1].detach()).sum().backward()
    return found


@pytest.mark.parametrize("norm_type, norm", [(2, 13.0), (2.0, 13.0), (1, 19.0), (float("inf"), 12.0), ("inf", 12.0)])
def test_the_norm_of_all_gradients_is_clipped(norm_type, norm):
    for longest in (1.0, 100.0):
        parameters = with_gradients()
        assert np.isclose(utils.clip_grad_norm_(iter(parameters), longest, norm_type, foreach=False).item(), norm)
        assert np.allclose(parameters[0].grad.array, np.array([3, 4]) * min(1, longest / norm), rtol=1e-5)
        assert np.isclose(utils.get_total_norm([p.grad for p in parameters[:2]], norm_type).item(), min(norm, longest), rtol=1e-5)


def test_single_values_are_clipped():
    parameters = with_gradients()
    utils.clip_grad_value_(parameters, 3.5)
    assert [p.grad.tolist() for p in parameters[:2]] == [[3, 3.5], [[3.5]]]
    utils.clip_grad_value_(parameters[0], 1)
    assert parameters[0].grad.tolist() == [1, 1] and utils.clip_grad_norm_([], 1.0).item() == 0


def test_a_norm_that_is_no_number_may_be_an_error():
    p = tl.tensor([1.0], requires_grad=True)
    p.grad = tl.tensor([np.inf])
    with pytest.raises(RuntimeError, match="norm of order 2.0 of the gradients is inf"):
        utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad.item() == np.inf and np.isinf(utils.clip_grad_norm_(p, 1.0).item())


def test_parameters_are_a_vector_and_back():
    model = nn.Linear(2, 3)
    vector = utils.parameters_to_vector(model.parameters())
    assert vector.shape == (9,) and vector.requires_grad
    utils.vector_to_parameters(tl.arange(9.0), model.parameters())
    assert model.weight.tolist() == [[0, 1], [2, 3], [4, 5]] and model.bias.tolist() == [6, 7, 8]
    with pytest.raises(RuntimeError, match="have 9 elements"):
        utils.vector_to_parameters(tl.arange(8.0), model.parameters())


# ---------------------------------------------------------------- parametrizations
NORMS = [  # what is called, the names that follow
    (utils.parametrizations.weight_norm, ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]),
    (utils.parametrizations.spectral_norm, ["bias", "parametrizations.weight.original", "parametrizations.weight.0._u", "parametrizations.weight.0._v"]),
    (utils.weight_norm, ["bias", "weight_g", "weight_v"]), (utils.spectral_norm, ["bias", "weight_orig", "weight_u", "weight_v"])]


@pytest.mark.parametrize("norm, names", NORMS)
def test_a_weight_is_computed_from_others(norm, names):
    tl.manual_seed(0)
    layer = nn.Linear(3, 4).double()
    before = layer.weight.array.copy()
    assert norm(layer) is layer and list(layer.state_dict()) == names and "weight" not in dict(layer.named_parameters())
    spectral = "spectral" in norm.__name__
    if spectral:
        for _ in range(30):
            layer(tl.ones(1, 3).double())
        layer.eval()
    np.testing.assert_allclose(layer.weight, before / (np.linalg.norm(before, 2) if spectral else 1), rtol=1e-6)
    if not spectral:  # u and v are constants to PyTorch's gradient
        assert tl.autograd.gradcheck(lambda *p: layer(tl.tensor([[1.0, 2.0, 3.0]], dtype=tl.float64)), list(layer.parameters()))
    copied = copy.deepcopy(layer)
    now = layer.weight.array.copy()
    if names[1].startswith("parametrizations"):
        utils.parametrize.remove_parametrizations(layer, "weight")
    else:
        (utils.remove_spectral_norm if spectral else utils.remove_weight_norm)(layer)
    assert type(layer) is nn.Linear and sorted(layer.state_dict()) == ["bias", "weight"]
    assert isinstance(layer.weight, nn.Parameter) and np.allclose(layer.weight.array, now)
    assert list(copied.state_dict()) == names and np.allclose(copied.weight.array, now)


@pytest.mark.parametrize("dim, shape", [(0, (4, 1)), (1, (1, 3)), (None, ())])
def test_a_length_each_entry_of_a_dimension(dim, shape):
    layer = utils.parametrizations.weight_norm(nn.Linear(3, 4), dim=dim)
    assert layer.parametrizations.weight.original0.shape == shape


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).mT

    def right_inverse(self, x):
        return x.triu()


class Exponential(nn.Module):
    def forward(self, x):
        return x.exp()


def test_parametrizations_follow_one_another():
    layer, parametrize = nn.Linear(2, 2), utils.parametrize
    parametrize.register_parametrization(layer, "weight", Symmetric())
    layer.weight = tl.tensor([[1.0, 2.0], [2.0, 3.0]])
    assert layer.weight.tolist() == [[1, 2], [2, 3]] and layer.parametrizations.weight.original.tolist() == [[1, 2], [0, 3]]
    parametrize.register_parametrization(layer, "weight", Exponential())
    assert np.allclose(layer.weight.array, np.exp([[1, 2], [2, 3]])) and parametrize.is_parametrized(layer, "weight")
    with pytest.raises(RuntimeError, match="Exponential does not implement right_inverse"):
        layer.weight = tl.ones(2, 2)
    layer(tl.ones(1, 2)).sum().backward()
    assert layer.parametrizations.weight.original.grad is not None
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert layer.weight.tolist() == [[1, 2], [0, 3]] and not parametrize.is_parametrized(layer)


@pytest.mark.parametrize("wrong, kind, message", [
    (lambda: utils.parametrize.register_parametrization(nn.Linear(2, 2), "wait", Symmetric()), ValueError, "no parameter or buffer 'wait'"),
    (lambda: utils.parametrize.register_parametrization(nn.Linear(2, 3), "weight", nn.Flatten(0)), ValueError, r"gives float32\[6\]"),
    (lambda: utils.parametrize.remove_parametrizations(nn.Linear(2, 2), "weight"), ValueError, "has no parametrization"),
    (lambda: utils.parametrize.remove_parametrizations(utils.parametrizations.weight_norm(nn.Linear(2, 2)), "weight", False), ValueError, "several tensors"),
    (lambda: utils.spectral_norm(nn.ReLU()), ValueError, "'weight'"), (lambda: utils.remove_weight_norm(nn.Linear(2, 2)), ValueError, "not normalized")])
def test_wrong_use_of_a_parametrization(wrong, kind, message):
    with pytest.raises(kind, match=message):
        wrong()


def test_a_parametrized_layer_is_compiled():
    def outputs(wrap):
        tl.manual_seed(0)
        model = nn.Sequential(utils.parametrizations.weight_norm(nn.Linear(3, 4)), utils.parametrizations.spectral_norm(nn.Linear(4, 2)))
        optimizer = tl.optim.SGD(model.parameters(), lr=0.1)

        def step(x):
            optimizer.zero_grad()
            loss = (model(x) ** 2).sum()
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        return [step(tl.ones(2, 3)).item() for _ in range(4)]

    np.testing.assert_allclose(outputs(tl.compile), outputs(lambda f: f), rtol=1e-5)


# ---------------------------------------------------------------- containers, and what a module tells of itself
def test_a_list_of_parameters():
    row = nn.ParameterList([tl.ones(2), nn.Parameter(tl.zeros(1))])
    row.append(tl.ones(3))
    row += [tl.ones(4)]
    row[-1] = tl.zeros(4)
    assert len(row) == 4 and list(row.state_dict()) == ["0", "1", "2", "3"] and all(isinstance(p, nn.Parameter) for p in row)
    assert [p.shape for p in row[1:3]] == [(1,), (3,)] and type(row[1:3]) is nn.ParameterList and row[-1].tolist() == [0] * 4
    with pytest.raises(IndexError):
        row[4]
    with pytest.raises(TypeError, match="a list of parameters, not Tensor"):
        row.extend(tl.ones(2))


def test_a_dict_of_parameters():
    named = nn.ParameterDict({"b": tl.ones(2)})
    named["a"], named["b"] = tl.zeros(1), tl.zeros(3)
    named.update({"c": tl.ones(1)})
    assert list(named) == ["b", "a", "c"] == list(named.state_dict()) and named.pop("a").shape == (1,) and "a" not in named
    assert [k for k, _ in named.items()] == ["b", "c"] and named.get("z") is None and len(named.copy()) == 2
    assert list(nn.ParameterDict({"b": tl.ones(1), "a": tl.ones(1)})) == ["a", "b"] and list(nn.ParameterDict([("b", tl.ones(1)), ("a", tl.ones(1))])) == ["b", "a"]
    assert [n for n, _ in named.named_parameters()] == ["b", "c"] and named.setdefault("d", tl.ones(1)) is named["d"]
    with pytest.raises(KeyError, match="'keys' already"):
        named["keys"] = tl.ones(1)


def test_what_a_module_holds_can_be_read():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model.register_buffer("count", tl.zeros(1))
    model.again = model[0]
    assert list(model._modules) == ["0", "1", "again"] and list(model._buffers) == ["count"] and list(model[0]._parameters) == ["weight", "bias"]
    assert [n for n, _ in model.named_parameters(remove_duplicate=False)] == ["0.weight", "0.bias", "again.weight", "again.bias"]
    assert len(list(model.named_modules(remove_duplicate=False))) == 4 and model.get_buffer("count") is model.count
    with pytest.raises(TypeError):
        model._modules["0"] = nn.ReLU()
    with pytest.raises(AttributeError, match="no buffer at 'total'"):
        model.get_buffer("total")


def test_hooks_may_see_keywords_and_come_first():
    layer, seen = nn.ReLU(), []
    layer.forward = lambda x, scale=1.0: x * scale
    layer.register_forward_pre_hook(lambda module, args: seen.append("second"))
    layer.register_forward_pre_hook(lambda module, args, kwargs: seen.append("first") or (args, {"scale": kwargs["scale"] + 1}),
                                    prepend=True, with_kwargs=True)
    layer.register_forward_hook(lambda module, args, kwargs, out: out + kwargs["scale"], with_kwargs=True)
    assert layer(tl.tensor(5.0), scale=1.0).item() == 12 and seen == ["first", "second"]
    layer.register_forward_pre_hook(lambda module, args, kwargs: args, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"None or \(args, kwargs\)"):
        layer(tl.tensor(5.0), scale=1.0)
