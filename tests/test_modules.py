"""What a Module holds under which names, and the containers."""


import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import nn


class Letter(nn.Module):
    """A module that is told from others by its letter."""

    def __init__(self, letter):
        self.letter, self.weight = letter, nn.Parameter(np.ones(1, np.float32))

    def forward(self, x):
        return x + self.letter

    def __repr__(self):
        return self.letter


A, B, C, D, E = map(Letter, "ABCDE")


class Net(nn.Module):
    settings = 3

    def __init__(self):
        self.weight = nn.Parameter(np.ones(2, np.float32))
        self.part = Letter("part")
        self.plain = "text"
        self.register_buffer("mean", tl.zeros(1))

    def encode(self, x):
        return x

    @classmethod
    def made(cls):
        return cls()

    @staticmethod
    def vocabulary():
        return 3


# ---------------------------------------------------------------- names
NAMES = [("a.b", KeyError, "'a.b' is empty or has a dot"), ("", KeyError, "'' is empty or has a dot")]
WAYS = {
    "setattr, a module": lambda name: setattr(nn.Module(), name, A),
    "setattr, a parameter": lambda name: setattr(nn.Module(), name, A.weight),
    "register_module": lambda name: nn.Module().register_module(name, A),
    "add_module": lambda name: nn.Module().add_module(name, A),
    "register_parameter": lambda name: nn.Module().register_parameter(name, A.weight),
    "register_buffer": lambda name: nn.Module().register_buffer(name, tl.ones(1)),
    "Sequential": lambda name: nn.Sequential({name: A}),
    "ModuleDict": lambda name: nn.ModuleDict({name: A}),
    "ModuleDict.update": lambda name: nn.ModuleDict({"a": A}).update([(name, B)]),
    "ModuleDict[name]": lambda name: nn.ModuleDict().__setitem__(name, A),
}


@pytest.mark.parametrize("name, kind, message", NAMES)
@pytest.mark.parametrize("way", WAYS)
def test_a_name_that_would_make_a_path_ambiguous_is_refused(way, name, kind, message):
    with pytest.raises(kind, match=message):
        WAYS[way](name)


@pytest.mark.parametrize("name", [3, None, ("a", "b"), b"a"])
@pytest.mark.parametrize("way", [way for way in WAYS if "setattr" not in way])
def test_a_name_is_a_string(way, name):
    with pytest.raises(TypeError, match=f"a name is a string, not {type(name).__name__}"):
        WAYS[way](name)


@pytest.mark.parametrize("name", ["forward", "modules", "training", "named_parameters"])
@pytest.mark.parametrize("way", [way for way in WAYS if "setattr" not in way])
def test_a_name_that_the_module_has_already_is_refused(way, name):
    with pytest.raises(KeyError, match=f"has an attribute '{name}' already"):
        WAYS[way](name)


# ---------------------------------------------------------------- attributes
@pytest.mark.parametrize("name, value", [
    ("modules", []), ("forward", 3), ("forward", None), ("parameters", {}), ("train", True), ("float", 1.5),
    ("encode", "utf-8"), ("encode", A), ("children", A.weight), ("state_dict", tl.ones(1)), ("apply", A),
    ("made", 3), ("made", A), ("vocabulary", A.weight), ("vocabulary", None)])
def test_an_attribute_that_hides_a_method_is_refused(name, value):
    with pytest.raises(TypeError, match=rf"'{name}': it would hide the method {name}\(\) of Net"):
        setattr(Net(), name, value)


@pytest.mark.parametrize("name, value, message", [
    ("_modules", [], "'_modules' is a name that a Module keeps for itself"), ("_modules", {}, "'_modules' is a name"),
    ("_parameters", None, "'_parameters' is a name"), ("_buffers", [], "'_buffers' is a name"), ("_forward_hooks", None, "'_forward_hooks' is a name"), ("_backward_hooks", 1, "'_backward_hooks' is a name"),
    ("training", A, "'training' is True or False, not Letter"), ("training", A.weight, "'training' is True or False, not Parameter"), ("training", None, "'training' is True or False")])
def test_what_a_module_relies_on_is_refused_in_an_instance_and_in_a_class(name, value, message):
    with pytest.raises(TypeError, match=f"Net: {message}"):
        setattr(Net(), name, value)
    with pytest.raises(TypeError, match=f"Mine: {message}"):
        type("Mine", (nn.Module,), {name: value})


@pytest.mark.parametrize("name, value", [("modules", []), ("children", 3), ("forward", None), ("forward", A), ("parameters", property(len))])
def test_an_attribute_of_a_class_that_hides_a_method_is_refused(name, value):
    with pytest.raises(TypeError, match=rf"Mine: the attribute '{name}' \({type(value).__name__}\) would hide the method {name}\(\) of Module"):
        type("Mine", (nn.Module,), {name: value})
    for function in (lambda self: iter(()), staticmethod(lambda: 1), classmethod(lambda cls: 1)):
        type("Mine", (nn.Module,), {name: function})


@pytest.mark.parametrize("wrong", ["yes", 1, None, A])
def test_a_mode_is_true_or_false(wrong):
    with pytest.raises(ValueError, match="train: mode is True or False"):
        Net().train(wrong)
    assert Net().train(np.bool_(False)).training == False  # noqa: E712


@pytest.mark.parametrize("name, value", [
    ("forward", lambda x: x + 1), ("encode", len), ("settings", 4), ("training", False), ("training", 0), ("_state", 3)])
def test_a_function_takes_the_place_of_a_method_and_other_names_are_free(name, value):
    net = Net()
    setattr(net, name, value)
    assert getattr(net, name) == value and list(net.state_dict()) == ["weight", "mean", "part.weight"]


@pytest.mark.parametrize("name, value, expected", [
    ("weight", tl.ones(2), "as parameter 'weight': use nn.Parameter or None"), ("weight", A, "as parameter"),
    ("part", tl.ones(2), "as module 'part': use a Module or None"), ("part", len, "as module"),
    ("mean", 3.0, "as buffer 'mean': use a Tensor or None"), ("mean", np.ones(1), "as buffer")])
def test_what_is_part_of_the_state_is_not_lost_to_another_value(name, value, expected):
    with pytest.raises(TypeError, match=expected):
        setattr(Net(), name, value)


@pytest.mark.parametrize("make", [
    lambda net: net.register_parameter("x", None), lambda net: (setattr(net, "x", B.weight), setattr(net, "x", None)),
    lambda net: net.register_module("x", None), lambda net: (setattr(net, "x", B), setattr(net, "x", None))])
def test_the_place_of_a_parameter_or_module_is_kept_by_none(make):
    net = Net()
    make(net)
    for wrong in (tl.ones(1), 3.0, "text"):
        with pytest.raises(TypeError, match="cannot assign .* as (parameter|module) 'x'"):
            net.x = wrong
    with pytest.raises(KeyError, match="has an attribute 'x' already"):
        net.register_buffer("x", tl.ones(1))
    assert net.x is None and list(net.state_dict()) == ["weight", "mean", "part.weight"]
    del net.x
    net.x = tl.ones(1)  # a plain attribute
    assert list(net.state_dict()) == ["weight", "mean", "part.weight"]


@pytest.mark.parametrize("layer, name", [
    (nn.Linear(2, 3, bias=False), "bias"), (nn.MultiheadAttention(2, 1, bias=False), "in_proj_bias")])
def test_a_layer_without_a_parameter_takes_one_later_and_nothing_else(layer, name):
    with pytest.raises(TypeError, match=f"as parameter '{name}': use nn.Parameter or None"):
        setattr(layer, name, tl.ones(2))
    setattr(layer, name, nn.Parameter(np.ones(3)))
    assert name in layer.state_dict()


@pytest.mark.parametrize("change, buffers, parameters", [
    (lambda net: setattr(net, "mean", tl.ones(2)), ["mean"], ["weight"]),
    (lambda net: setattr(net, "mean", A.weight), [], ["weight", "mean"]),
    (lambda net: setattr(net, "mean", None), [], ["weight"]),
    (lambda net: (delattr(net, "mean"), setattr(net, "mean", tl.ones(1))), [], ["weight"]),
    (lambda net: setattr(net, "weight", None), ["mean"], []),
    (lambda net: net.register_parameter("weight", B.weight), ["mean"], ["weight"]),
    (lambda net: net.register_parameter("more", None), ["mean"], ["weight"]),
    (lambda net: (net.register_parameter("x", None), net.register_parameter("x", B.weight)), ["mean"], ["weight", "x"])])
def test_an_attribute_is_of_one_kind(change, buffers, parameters):
    net = Net()
    net.part = None
    change(net)
    assert [name for name, _ in net.named_buffers()] == buffers
    assert sorted(name for name, _ in net.named_parameters()) == sorted(parameters)


@pytest.mark.parametrize("wrong, kind, message", [
    (lambda net: net.register_buffer("weight", tl.ones(1)), KeyError, "has an attribute 'weight' already"),
    (lambda net: net.register_parameter("mean", A.weight), KeyError, "has an attribute 'mean' already"),
    (lambda net: net.register_module("plain", A), KeyError, "has an attribute 'plain' already"),
    (lambda net: net.register_module("new", A.weight), TypeError, "module 'new' is a Module, not Parameter"),
    (lambda net: net.register_parameter("new", tl.ones(1)), TypeError, "'new' is a Parameter, not Tensor"),
    (lambda net: net.register_buffer("new", np.ones(1)), TypeError, "'new' is a Tensor, not ndarray"),
    (lambda net: net.register_buffer("new", A.weight), TypeError, r"'new' is a Parameter; use its .detach\(\)")])
def test_what_cannot_be_registered(wrong, kind, message):
    with pytest.raises(kind, match=message):
        wrong(Net())


# ---------------------------------------------------------------- containers
def held(container):
    """The names with their modules, in order, such as 0A 1B."""
    return " ".join(name + repr(module)[0] for name, module in container._modules.items())


def delete(index):
    return lambda c: c.__delitem__(index)


CHANGES = [  # of A, B, C -> what a ModuleList and a Sequential hold then
    (lambda c: c.insert(1, D), "0A 1D 2B 3C"), (lambda c: c.insert(-1, D), "0A 1B 2D 3C"),
    (lambda c: c.insert(3, D), "0A 1B 2C 3D"), (lambda c: (c.pop(0), c.insert(0, D)), "0D 1B 2C"),
    (delete(0), "0B 1C"), (delete(-1), "0A 1B"), (delete(slice(None, None, 2)), "0B"), (delete(slice(0)), "0A 1B 2C"),
    (lambda c: c.pop(-2), "0A 1C"), (lambda c: c.pop(slice(0, 2)), "0C"), (lambda c: (c.pop(0), c.append(D)), "0B 1C 2D"),
    (lambda c: (delattr(c, "1"), c.append(D)), "0A 2C 3D"), (lambda c: c.extend([D, E]), "0A 1B 2C 3D 4E"),
    (lambda c: c.extend(c), "0A 1B 2C 3A 4B 5C"), (lambda c: c.extend(m for m in (D,)), "0A 1B 2C 3D"),
    (lambda c: c.__iadd__(type(c)()), "0A 1B 2C"), (lambda c: c.__setitem__(-1, D), "0A 1B 2D"),
    (lambda c: c.register_module("7", D), "0A 1B 2C 7D"), (lambda c: c.register_module("1", D), "0A 1D 2C"),
]


@pytest.mark.parametrize("make", [lambda: nn.ModuleList([A, B, C]), lambda: nn.Sequential(A, B, C)])
@pytest.mark.parametrize("change, expected", CHANGES)
def test_order_and_names_stay_true(make, change, expected):
    container = make()
    change(container)
    assert held(container) == expected
    assert "".join(map(repr, container)) == "".join(filter(str.isalpha, expected))
    assert list(container.state_dict()) == [f"{pair[:-1]}.weight" for pair in expected.split()]


LIST, STEPS = nn.ModuleList([A, B, C]), nn.Sequential(A, B, C)
NAMED = {"first": A, "1": B, "last": C}
NEW = [  # a container that is made from others -> what it holds
    (lambda: LIST[1:], "0B 1C"), (lambda: LIST[::-1], "0C 1B 2A"), (lambda: LIST + [D], "0A 1B 2C 3D"),
    (lambda: LIST + LIST[:1], "0A 1B 2C 3A"), (lambda: nn.ModuleList(STEPS), "0A 1B 2C"),
    (lambda: nn.ModuleList(), ""), (lambda: nn.ModuleList(None), ""), (lambda: nn.ModuleList([A, A]), "0A 1A"),
    (lambda: STEPS[1:], "1B 2C"), (lambda: STEPS[1:].append(D), "1B 2C 3D"), (lambda: STEPS[1:].insert(0, D), "0D 1B 2C"),
    (lambda: STEPS[1:] + STEPS[:1], "0B 1C 2A"), (lambda: STEPS[:1] * 3, "0A 1A 2A"), (lambda: 2 * STEPS[1:], "0B 1C 2B 3C"),
    (lambda: STEPS[1:].__imul__(2), "1B 2C 3B 4C"), (lambda: nn.Sequential(NAMED), "firstA 1B lastC"),
    (lambda: nn.Sequential(NAMED)[1:], "1B lastC"), (lambda: nn.Sequential(NAMED).insert(1, D), "firstA 1D 2B lastC"),
    (lambda: nn.Sequential(NAMED).append(D), "firstA 1B lastC 3D"), (lambda: nn.Sequential({"1": A, "0": B}), "1A 0B"),
    (lambda: nn.Sequential({"2": A, "1": B}).append(D), "2A 1B 3D"),
    (lambda: nn.ModuleDict([("b", A), ("a", B)]), "bA aB"), (lambda: nn.ModuleDict(nn.ModuleDict(NAMED)), "firstA 1B lastC"),
    (lambda: nn.ModuleDict({"1": A, "0": B}), "1A 0B"), (lambda: nn.ModuleDict(None), "")]


@pytest.mark.parametrize("make, expected", NEW)
def test_a_container_made_from_others(make, expected):
    assert held(make()) == expected
    assert held(LIST) == held(STEPS) == "0A 1B 2C"


def test_places_are_those_in_the_order_whatever_the_names():
    steps = nn.Sequential({"1": A, "0": B})
    assert steps[0] is A and steps[-1] is B and B in steps and C not in steps and list(reversed(steps)) == [B, A]
    assert nn.Sequential({"1": A, "0": B})[np.int64(1)] is B and steps("") == "AB"


def test_a_dict_of_modules():
    named = nn.ModuleDict({"x": A})
    named["y"], named["x"] = B, C
    assert held(named) == "xC yB" and named.keys() == ["x", "y"] == list(named) and len(named) == 2
    assert named.pop("x") is C and "x" not in named and named.values() == [B] and named.items() == [("y", B)]
    del named["y"]
    assert held(named) == "" and not named.update({"z": A}) and "z" in named
    named.clear()
    assert named.keys() == []


def test_a_subclass_may_have_any_private_attribute():
    class Steps(nn.Sequential):
        def __init__(self, *modules):
            super().__init__(*modules)
            self._name, self._hold, self._kind = "steps", [], 3

    steps = Steps(A, B, C)
    assert type(steps[1:]) is Steps and held(steps[1:]) == "1B 2C" and steps.pop(0) is A and held(steps) == "0B 1C"


def test_children_are_there_once_and_calls_go_to_each_place():
    steps, applied = nn.Sequential(A, B, A), []
    assert list(steps.children()) == [A, B] and steps("") == "ABA"
    steps.apply(lambda m: applied.append(m))
    assert applied == [A, B, steps]


@pytest.mark.parametrize("wrong, kind, message", [
    (lambda: nn.ModuleList([1]), TypeError, "ModuleList holds modules, not int"),
    (lambda: nn.Sequential([A]), TypeError, "Sequential holds modules, not list"),
    (lambda: nn.Sequential(A, None), TypeError, "Sequential holds modules, not NoneType"),
    (lambda: nn.ModuleDict({"a": len}), TypeError, "ModuleDict holds modules, not builtin"),
    (lambda: LIST[3], IndexError, "ModuleList: index 3 is out of range for 3 modules"),
    (lambda: delete(-4)(STEPS), IndexError, "Sequential: index -4 is out of range"),
    (lambda: STEPS.insert(4, D), IndexError, "insert: index 4 is out of range for 3 modules"),
    (lambda: LIST["0"], TypeError, "integer"), (lambda: STEPS.__setitem__(slice(0, 1), D), TypeError, "integer"),
    (lambda: STEPS + [D], ValueError, "another Sequential, not list"), (lambda: STEPS * 0, ValueError, "above 0, not 0"),
    (lambda: nn.ModuleDict()["a"], KeyError, "a"), (lambda: delete("a")(nn.ModuleDict()), KeyError, "a")])
def test_wrong_use_of_a_container(wrong, kind, message):
    with pytest.raises(kind, match=message):
        wrong()


# ---------------------------------------------------------------- load_state_dict
@pytest.mark.parametrize("entry, message", [
    (3.0, "'weight' is float, neither a Tensor nor an array"), ([1.0, 2.0], "is list"), (None, "is NoneType"),
    (np.ones((1, 2)), r"'weight' has shape \(1, 2\), the model's is \(2,\)"), (tl.tensor(1.0), r"has shape \(\)"),
    (np.array(["1", "2"]), "'weight' has dtype <U1, no real numbers"), (np.ones(2, complex), "has dtype complex128")])
def test_an_entry_that_cannot_be_loaded_changes_nothing(entry, message):
    net = Net()
    state = {**net.state_dict(), "mean": tl.full((1,), 9.0), "weight": entry}
    for strict in (True, False):
        with pytest.raises(RuntimeError, match=message):
            net.load_state_dict(state, strict=strict)
    assert net.mean.item() == 0.0


@pytest.mark.parametrize("state", [nn.Linear(1, 1), "model.safetensors", [("weight", 1)], None])
def test_a_state_dict_is_a_dict(state):
    with pytest.raises(TypeError, match=f"a state dict is a dict.* not {type(state).__name__}"):
        Net().load_state_dict(state)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32", "bool"])
def test_loading_keeps_the_dtype_of_the_model(dtype):
    scalar = nn.Module()
    scalar.s = nn.Parameter(np.float32(0))
    scalar.load_state_dict({"s": np.array(1, dtype)})
    assert scalar.s.dtype == np.float32 and scalar.s.shape == () and scalar.s.item() == 1.0


def test_of_two_names_of_one_parameter_the_later_is_loaded():
    tied = nn.Module()
    for name in "fedcba":
        setattr(tied, name, A.weight if name == "f" else tied.f)
    tied.load_state_dict({name: np.array([ord(name)]) for name in "abcdef"})
    assert tied.f.item() == ord("a")


@pytest.mark.parametrize("value", [np.array(3e20), np.array(np.nan), np.array(0.5), np.array(2**63, np.uint64)])
def test_a_whole_number_is_not_loaded_from_what_is_none_of_its_dtype(value):
    counter = nn.Module()
    counter.w, _ = nn.Parameter(np.zeros(1)), counter.register_buffer("count", tl.tensor(7))
    with pytest.raises(RuntimeError, match="'count' has values that int64 does not hold"):
        counter.load_state_dict({"w": np.ones(1), "count": value})
    assert counter.w.item() == 0 and counter.count.item() == 7
    counter.load_state_dict({"w": np.ones(1), "count": np.array(8.0)})
    assert counter.count.item() == 8 and counter.count.dtype == np.int64


def test_a_child_may_keep_its_parent():
    parent = nn.Module()
    parent.child = nn.Linear(1, 1)
    parent.child.parent = parent
    assert [n for n, _ in parent.named_parameters()] == ["child.weight", "child.bias"] and len(parent.state_dict()) == 2
    assert parent.train().training
