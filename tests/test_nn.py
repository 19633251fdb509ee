"""Layers, functions with hand-derived rules, and optimizers."""

import numpy as np
import pytest
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl
from tinygrad_lite import nn

R = np.random.default_rng(0)


def leaf(*shape):
    return tl.tensor(R.standard_normal(shape), requires_grad=True)


def test_extreme_logits():
    big = np.array([[1e4, 0.0, -1e4]])
    assert F.softmax(big).tolist() == [[1.0, 0.0, 0.0]]
    assert F.logsumexp(big, -1).tolist() == [1e4]
    x = tl.tensor(np.full((1, 2), -np.inf), requires_grad=True)
    y = F.logsumexp(x, -1)
    y.sum().backward()
    assert y.item() == -np.inf and x.grad.tolist() == [[0.0, 0.0]]


def test_cross_entropy_is_its_formula():
    x = R.standard_normal((3, 4))
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    assert np.isclose(F.cross_entropy(tl.tensor(x), [0, 3, 1]).item(), -np.log(p[[0, 1, 2], [0, 3, 1]]).mean())


def test_module_finds_names_loads_and_prints():
    tl.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert [n for n, _ in model.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert repr(model) == "Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n  (1): ReLU()\n" \
                          "  (2): Linear(in_features=3, out_features=1, bias=True)\n)"
    state = {k: v.clone() for k, v in model.state_dict().items()}
    tl.manual_seed(1)
    other = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    other.load_state_dict(state)
    x = tl.randn(5, 2)
    assert (model(x).array == other(x).array).all()
    assert not other.eval()[1].training
    del state["0.bias"]
    state["3.bias"], state["2.bias"] = tl.zeros(1), tl.zeros(2)
    with pytest.raises(RuntimeError, match=r"missing '0.bias'; unexpected '3.bias'; '2.bias' has shape \(2,\)"):
        other.load_state_dict(state)


class Counter(nn.Module):
    def __init__(self):
        self.register_buffer("count", tl.zeros(1))
        self.register_buffer("scratch", tl.zeros(1), persistent=False)
        self.weight = nn.Parameter(np.ones(2, np.float32))
        self.tied = self.weight

    def forward(self, x):
        self.count.add_(1)
        return x * self.weight


def test_buffers_are_state_but_no_parameters():
    model = nn.Sequential(Counter(), Counter())
    model(tl.ones(2))
    assert [n for n, _ in model.named_buffers()] == ["0.count", "0.scratch", "1.count", "1.scratch"]
    assert [n for n, _ in model.named_parameters()] == ["0.weight", "1.weight"]
    assert list(model.state_dict()) == [f"{i}.{n}" for i in (0, 1) for n in ("weight", "tied", "count")]
    other = nn.Sequential(Counter(), Counter())
    other.load_state_dict(model.state_dict())
    assert other[1].count.item() == 1.0


def test_loading_without_strict_tells_what_it_passed_over():
    model = nn.Linear(1, 1)
    keys = model.load_state_dict({"bias": tl.ones(1), "x": tl.ones(1)}, strict=False)
    assert keys == (["weight"], ["x"]) and model.bias.item() == 1.0


def test_to_changes_floats_in_place_for_the_optimizer_too():
    model = nn.Sequential(nn.Linear(2, 3), Counter())
    optimizer = tl.optim.SGD(model.parameters(), lr=1.0)
    assert model.double()[0].weight.dtype == np.float64 and model[1].count.dtype == np.float64
    before = model[0].bias.array.copy()
    model[0](tl.ones(1, 2, dtype=np.float64)).sum().backward()
    optimizer.step()
    assert (model[0].bias.array == before - 1).all()


def test_frozen_parameters_get_no_gradient():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    model(tl.ones(1, 2)).backward()
    assert model[0].weight.grad is None and model[1].weight.grad is not None


def test_forward_hooks_see_and_replace():
    layer, seen = nn.ReLU(), []
    first = layer.register_forward_pre_hook(lambda module, args: args[0] - 1)
    second = layer.register_forward_hook(lambda module, args, out: seen.append(out.item()) or out * 10)
    assert layer(tl.tensor(3.0)).item() == 20.0 and seen == [2.0]
    first.remove(), second.remove()
    assert layer(tl.tensor(3.0)).item() == 3.0 and nn.ReLU()._forward_hooks == {}


def test_a_hook_can_be_removed_after_others_were_added():
    layer, seen = nn.ReLU(), []
    first = layer.register_forward_hook(lambda *a: seen.append(1))
    layer.register_forward_hook(lambda *a: seen.append(2))
    before = layer.register_forward_pre_hook(lambda *a: seen.append(3))
    layer.register_forward_pre_hook(lambda *a: seen.append(4))
    first.remove(), before.remove()
    layer(tl.ones(1))
    assert seen == [4, 2]


def test_dropout_keeps_the_mean_and_rests_in_evaluation():
    tl.manual_seed(0)
    layer, x = nn.Dropout(0.25), tl.ones(10_000)
    y = layer(x)
    assert set(np.unique(y.array)) == {0.0, np.float32(4 / 3)} and abs(y.mean().item() - 1) < 0.02
    assert layer.eval()(x) is x and F.dropout(x, 1.0).array.sum() == 0


def test_initial_values_are_within_their_bounds():
    tl.manual_seed(0)
    layer = nn.Linear(100, 50)
    assert 0.099 < np.abs(layer.weight.array).max() <= 0.1 and 0.09 < np.abs(layer.bias.array).max() <= 0.1
    q = nn.init.orthogonal_(tl.zeros(3, 5)).array
    assert np.allclose(q @ q.T, np.eye(3), atol=1e-6)
    assert np.abs(nn.init.trunc_normal_(tl.zeros(1000), std=2.0).array).max() <= 2
    assert (nn.init.eye_(tl.ones(2, 3)).array == np.eye(2, 3)).all()


SPREADS = [  # what fills a weight (200, 60): the largest size of a uniform, or the deviation of a normal distribution
    (lambda w: nn.init.xavier_uniform_(w), "bound", (6 / 260) ** 0.5), (lambda w: nn.init.xavier_uniform_(w, gain=2.0), "bound", 2 * (6 / 260) ** 0.5),
    (lambda w: nn.init.xavier_normal_(w), "std", (2 / 260) ** 0.5), (lambda w: nn.init.kaiming_uniform_(w), "bound", (6 / 60) ** 0.5),
    (lambda w: nn.init.kaiming_uniform_(w, a=1.0), "bound", (3 / 60) ** 0.5),
    (lambda w: nn.init.kaiming_uniform_(w, mode="fan_out", nonlinearity="relu"), "bound", (6 / 200) ** 0.5),
    (lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"), "std", (2 / 60) ** 0.5),
    (lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="tanh"), "std", 5 / 3 / 200**0.5),
    (lambda w: nn.init.uniform_(w, -3.0, 1.0), "bound", 3.0), (lambda w: nn.init.normal_(w, 0.0, 0.3), "std", 0.3)]


@pytest.mark.parametrize("fill, kind, expected", SPREADS)
def test_initial_values_have_their_spread(fill, kind, expected):
    tl.manual_seed(0)
    w = fill(tl.zeros(200, 60, dtype=np.float64)).array
    if kind == "bound":
        assert 0.995 * expected < np.abs(w).max() <= expected
    else:
        assert abs(w.std() / expected - 1) < 0.02 and abs(w.mean()) < 0.02 * expected and np.abs(w).max() > 3 * expected


def test_the_fans_of_a_kernel_count_its_elements():
    assert nn.init.fans(tl.zeros(20, 15, 2, 3)) == (15 * 6, 20 * 6)


def test_the_state_of_a_number_comes_back():
    p = nn.Parameter(tl.tensor(3.0))
    optimizer = tl.optim.Adam([p], lr=0.1)
    p.grad = tl.tensor(1.0)
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.step()
    assert np.isclose(p.item(), 2.8) and np.isclose(optimizer.state[p]["exp_avg"], 0.19)


def test_optimizer_state_comes_back():
    def train(p, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            (p * p).sum().backward()
            optimizer.step()

    p = nn.Parameter(np.array([1.0, 2.0]))
    optimizer = tl.optim.Adam([{"params": [p], "lr": 0.1}])
    train(p, optimizer, 3)
    q = nn.Parameter(p.array.copy())
    again = tl.optim.Adam([q])
    again.load_state_dict(optimizer.state_dict())
    train(p, optimizer, 2), train(q, again, 2)
    assert (p.array == q.array).all() and again.param_groups[0]["lr"] == 0.1


STEPS = [  # optimizer, gradient each step -> the parameter after each step, worked out by the formula
    (lambda p: tl.optim.SGD(p, lr=0.1), [0.9, 0.8]),
    (lambda p: tl.optim.SGD(p, lr=0.1, momentum=0.9), [0.9, 0.71]),
    (lambda p: tl.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True), [0.81, 0.539]),
    (lambda p: tl.optim.SGD(p, lr=0.1, weight_decay=0.5), [0.85, 0.7075]),
    (lambda p: tl.optim.Adam(p, lr=0.1, eps=0.0), [0.9, 0.8]),
    (lambda p: tl.optim.AdamW(p, lr=0.1, eps=0.0, weight_decay=0.5), [0.85, 0.7075]),
]


@pytest.mark.parametrize("make, after", STEPS)
def test_optimizers_follow_their_formulas(make, after):
    p = nn.Parameter(np.array([1.0]))
    optimizer = make([p])
    for expected in after:
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()
        assert np.isclose(p.item(), expected, rtol=1e-12)


def test_a_small_network_learns_xor():
    tl.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = tl.optim.Adam(model.parameters(), lr=0.05)
    x, y = tl.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), tl.tensor([0, 1, 1, 0])
    for _ in range(200):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01 and (model(x).argmax(1).array == y.array).all()


def loads(optimizer, state, **settings):
    optimizer.load_state_dict({"state": {0: state}, "param_groups": [{"params": [0], **settings}]})


P, Q = nn.Parameter(np.ones(1)), nn.Parameter(np.ones(1))
ERRORS = [
    (lambda: F.cross_entropy(tl.zeros(2, 3), [0, 3]), IndexError, "target 3 is out of bounds for 3 classes"),
    (lambda: F.cross_entropy(tl.zeros(2, 3), [0]), ValueError, r"\(2, 3\).*\(1,\)"),
    (lambda: F.cross_entropy(tl.zeros(2, 3), [0.0, 1.0]), TypeError, "whole numbers"),
    (lambda: F.mse_loss(tl.zeros(2), tl.zeros(2, 1)), ValueError, "differ"),
    (lambda: nn.Linear(2, 3)(tl.zeros(4, 5)), RuntimeError, r"linear.*\[4, 5\]"),
    (lambda: tl.optim.SGD([], lr=0.1), ValueError, "empty parameter list"),
    (lambda: tl.optim.SGD([nn.Parameter(np.ones(1))], lr=float("nan")), ValueError, "SGD: Invalid learning rate: nan; it is a finite number of at least 0"),
    (lambda: tl.optim.Adam([nn.Parameter(np.ones(1))], betas=(0.9, 1.0)), ValueError, "Invalid beta parameter at index 1: 1.0"),
    (lambda: tl.optim.SGD(P, lr=0.1), TypeError, "not one Tensor"),
    (lambda: tl.optim.SGD([P * 2], lr=0.1), ValueError, "leaf Tensors, not a result"),
    (lambda: tl.optim.SGD([P, P], lr=0.1), UserWarning, "group with duplicate parameters"),
    (lambda: tl.optim.SGD([{"params": [P, Q, P]}]), UserWarning, "group with duplicate parameters"),
    (lambda: tl.optim.SGD([{"params": [P]}, {"params": [Q, P]}]), ValueError, "appear in more than one parameter group"),
    (lambda: tl.optim.SGD([P]).add_param_group({"params": P}), ValueError, "appear in more than one parameter group"),
    (lambda: tl.optim.SGD({P, Q}), TypeError, "another order in every run.*use a list"),
    (lambda: tl.optim.SGD([{"params": {P, Q}}]), TypeError, "another order in every run.*use a list"),
    (lambda: tl.optim.SGD([{"params": frozenset([P])}]), TypeError, "another order in every run.*use a list"),
    (lambda: tl.optim.SGD({"params": [P]}), TypeError, "an iterable of Tensors or dicts, not one dict"),
    (lambda: tl.optim.SGD([{"params": [P]}, Q]), TypeError, "a group is a dict with 'params', not Parameter"),
    (lambda: tl.optim.SGD([{"lr": 0.1}]), KeyError, r"no 'params', only \['lr'\]"),
    (lambda: tl.optim.SGD([(P, Q)]), TypeError, "leaf Tensors, not tuple"),
    (lambda: tl.optim.SGD([P, 3.0]), TypeError, "leaf Tensors, not float"),
    (lambda: tl.optim.SGD([P]).load_state_dict({"state": {1: {}}, "param_groups": [{"params": [0]}]}), ValueError,
     "state of parameter 1, this has 1 parameters"),
    (lambda: tl.optim.SGD([P], nesterov=True), ValueError, "momentum"),
    (lambda: tl.optim.SGD([P], dampening=float("nan")), ValueError, "Invalid dampening value: nan"),
    (lambda: tl.optim.SGD([P], lr=None), ValueError, "Invalid learning rate: None"), (lambda: tl.optim.SGD([P], lr="1"), ValueError, "rate: 1;"),
    (lambda: tl.optim.SGD(nn.Linear(1, 1)), TypeError, r"not one Linear; give its parameters\(\)"), (lambda: tl.optim.SGD(3), TypeError, "not one int"),
    (lambda: loads(tl.optim.SGD([P]), {}, lr=-1), ValueError, "Invalid learning rate: -1"),
    (lambda: loads(tl.optim.Adam([P]), {}, betas=(0.9, 2.0)), ValueError, "Invalid beta parameter at index 1: 2.0"),
    (lambda: loads(tl.optim.Adam([P]), {"momentum_buffer": np.ones(1)}), ValueError, r"no 'step', only \['momentum_buffer'\]: is it another optimizer's"),
    (lambda: loads(tl.optim.Adam([P]), {"step": 1, "exp_avg": np.ones(2), "exp_avg_sq": np.ones(1)}), ValueError, r"'exp_avg' of parameter 0 has shape \(2,\)"),
    (lambda: tl.optim.SGD([P]).load_state_dict(tl.optim.SGD([P, Q]).state_dict()), ValueError, r"\[2\] parameters"),
    (lambda: nn.Dropout(1.5), ValueError, r"in \[0, 1\], not 1.5"),
    (lambda: nn.Linear(1, 1).to(np.int64), TypeError, "int64"),
    (lambda: nn.Module()(1), NotImplementedError, "defines no forward"),
    (lambda: nn.init.calculate_gain("cubic"), ValueError, "cubic"),
    (lambda: nn.init.xavier_uniform_(tl.ones(3)), ValueError, "at least 2 dimensions"),
]


@pytest.mark.parametrize("wrong, kind, message", ERRORS)
@pytest.mark.filterwarnings("error")
def test_bad_input_gets_a_clear_error(wrong, kind, message):
    with pytest.raises(kind, match=message):
        wrong()


def test_a_module_goes_to_a_dtype_or_to_the_cpu():
    layer = nn.Linear(2, 1)
    assert layer.to("cpu") is layer.cpu() is layer.to(tl.device("cpu")) is layer and layer.weight.dtype == np.float32
    assert layer.to("cpu", tl.float64).weight.dtype == layer.to(dtype=np.float64).weight.dtype == np.float64
    with pytest.raises(RuntimeError, match="device 'cuda'"):
        layer.to("cuda")


@pytest.mark.parametrize("state", [{}, None, {"state": {}}, {"state": {}, "param_groups": [{"lr": 1.0}]}])
def test_the_state_of_an_optimizer_has_its_parts(state):
    with pytest.raises(ValueError, match="SGD: the state_dict of an optimizer has 'state' and 'param_groups'"):
        tl.optim.SGD([nn.Parameter(tl.ones(1))], lr=1.0).load_state_dict(state)


def test_pytorchs_ways_to_look_into_a_module():
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 1)))
    assert model.get_submodule("1.0") is model[1][0] and model.get_submodule("") is model
    assert model.get_parameter("0.weight") is model[0].weight
    assert list(model.parameters(recurse=False)) == [] and [n for n, _ in model[0].named_parameters(recurse=False)] == ["weight", "bias"]
    with pytest.raises(AttributeError, match="no module at '2'"):
        model.get_submodule("2")


@pytest.mark.parametrize("owner", [lambda m: m, lambda m: tl.optim.SGD(m.parameters(), lr=0.1)])
def test_gradients_are_forgotten_or_made_zeros(owner):
    model = nn.Linear(2, 1)
    model(tl.ones(1, 2)).sum().backward()
    owner(model).zero_grad(set_to_none=False)
    assert model.weight.grad.tolist() == [[0, 0]]
    owner(model).zero_grad()
    assert model.weight.grad is None
