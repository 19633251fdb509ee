"""Pictures of names and outputs of any kind, and what wrong arguments of the views are told."""

import dataclasses
import graphlib
import json
import re
import xml.etree.ElementTree as ET
from typing import NamedTuple

import numpy as np
import pytest
from networks import recorded

import tinygrad_lite as tl
from tinygrad_lite import nn

NAMES = ["a:b", "a::b:n", ":", "::", "\\", "a\\", "\\\\", "\\N", "\\G", "\\l", "\\n", '"', 'a"b', '\\"', "'", "<b>", "<b>x</b>", "<", ">", "<BR/>",
         "{a|b}", "|", "a\nb", "\na", "a\n", "é", "日本語", "😀", "&", "&amp;", "&lt;", "&#65;", "a&b;", "a  b", "node", "Graph", "1", "-1.5",
         "v3", "output", "module", "// c", "/* c */", "# c", "a;b", "a->b", "--", "-->", "]]>", "[x]", "a=b", "%d", "x" * 200, "lambda", "007", "_"]
UNDRAWN = {"\t": "\\t", "a\x00": "a\\x00", "\x1b[1m": "\\x1b[1m", "\r": "\\r", "\x7f": "\\x7f", "\ud800": "\\ud800", "\ufffe": "\\ufffe"}


class Picture(NamedTuple):
    boxes: dict[str, str]
    frames: list[str]
    edges: list[tuple[str, str]]


def lines(text):
    """Without what a picture does not tell: empty lines, and the widths of spaces."""
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))


def rendered(graph, tmp_path):
    """What is drawn, read from the SVG. Every edge ends at boxes, and none run in a loop."""
    path = graph.render(outfile=tmp_path / "picture.svg", quiet=True)
    groups = {kind: [] for kind in ("node", "cluster", "edge")}
    for group in ET.parse(path).getroot().iter("{http://www.w3.org/2000/svg}g"):
        texts = [t.text or "" for t in group.iter("{http://www.w3.org/2000/svg}text")]
        groups.get(group.get("class"), []).append((group.find("{*}title").text if group.find("{*}title") is not None else "", lines("\n".join(texts))))
    boxes, edges = dict(groups["node"]), [tuple(title.split("->")) for title, _ in groups["edge"]]
    assert len(boxes) == len(groups["node"]) and {end for edge in edges for end in edge} <= boxes.keys()
    tuple(graphlib.TopologicalSorter({head: [t for t, h in edges if h == head] for head in boxes}).static_order())
    return Picture(boxes, [text for _, text in groups["cluster"]], edges)


# ---------------------------------------------------------------- names
@pytest.mark.parametrize("values", [False, True])
def test_inputs_parameters_and_outputs_are_called_as_they_are(values, tmp_path):
    called = {name: name for name in NAMES} | UNDRAWN
    leaves = {name: (nn.Parameter if i % 2 else tl.tensor)(np.ones((2, 3)), requires_grad=True) for i, name in enumerate(called)}
    outputs = {name: x.sum() for name, x in leaves.items()}
    found = rendered(tl.draw(outputs, leaves, values=values), tmp_path)
    assert len(found.boxes) == len(found.edges) + len(called) == 3 * len(called)
    for i, (name, drawn) in enumerate(called.items()):
        assert found.boxes[f"v{i}-0"].removesuffix("\n1 +- 0 in [1, 1]") == lines(f"{lines(drawn) or ('parameter' if i % 2 else 'leaf') * (not name)}\n[2, 3]")
        assert found.boxes[f"output{i or ''}"] == lines(f"output {drawn}")


@pytest.mark.parametrize("options", [{}, {"fold": True}, {"values": True}])
def test_operations_are_called_as_they_are(options, tmp_path):
    x = tl.zeros(2, 3, requires_grad=True)
    outputs = []
    for name in NAMES:
        operation = tl.primitive(np.sin, lambda g, out, x: g * x.cos())
        operation.__name__ = name
        outputs.append(operation(x))
    found = rendered(tl.draw(outputs, **options), tmp_path)
    assert [found.boxes[f"v{i + 1}"].removesuffix("\n0 +- 0 in [0, 0]") for i in range(len(NAMES))] == [lines(f"{name}\n[2, 3]") for name in NAMES]


def test_modules_are_called_as_they_are(tmp_path):
    names = [name for name in NAMES if "." not in name]
    model = nn.Sequential({name: nn.Sequential(nn.Linear(2, 2), nn.Tanh()) for name in names})
    with tl.study():
        out = model(tl.ones(1, 2)).sum()
    whole, outer = (rendered(tl.draw(out, model, depth=depth), tmp_path) for depth in (2, 0))
    assert [text for text in whole.frames if text.endswith(": Sequential")] == [lines(f"{name}: Sequential") for name in names]
    assert {lines(f"{name}.0.weight\n[2, 2]") for name in names} <= set(whole.boxes.values())
    assert [text for text in outer.boxes.values() if "operations" in text] == [lines(f"{name}: Sequential\n[1, 2]\n2 operations") for name in names]


def test_names_do_no_harm_in_the_table_and_the_explorer(tmp_path):
    for i, name in enumerate([*NAMES, *UNDRAWN, "None"]):
        if "." not in name:
            model = nn.Sequential({name: nn.Linear(2, 1, bias=False)})
            with tl.study():
                tape = tl.tape(model(tl.ones(1, 2)).sum(), model)
            assert len(tape.table(width=1000).splitlines()) == 4 + (tape[0].label == "v0") and tape.find(module=name) == tape.find("linear")
            assert name in tape._repr_html_() or re.search("[&<>'\"]", name)
            assert tl.explore(tape, tmp_path / f"{i} a:b é.html").exists()


@pytest.mark.parametrize("name, label", [("fc.weight", "fc.weight"), ("0.weight", "model[0].weight"), ("blocks.10.w", "blocks[10].w"), ("größe", "größe"),
                                         ("lambda.weight", "v0"), ("blocks.007", "v0"), ("a:b", "v0"), ("v3", "v0"), ("a b", "v0"), ("²", "v0"), ("a[0]", "v0")])
def test_rules_write_a_parameter_by_its_name_where_python_would(name, label):
    w = nn.Parameter(np.ones(2))
    tape = tl.tape((w * 2).sum(), {name: w})
    assert tape[0].label == label and str(tape.backward).splitlines()[-1].startswith(f"{label}.grad += ")


# ---------------------------------------------------------------- modules that run again, and several outputs
class Again(nn.Module):
    """Runs its block three times, with something in between and with nothing."""

    def __init__(self):
        self.block = nn.Sequential(nn.Linear(2, 2), nn.Tanh())

    def forward(self, x):
        return self.block(self.block(self.block(x).exp())).sum()


@pytest.mark.parametrize("depth, boxes", [(0, 2), (1, 4), (None, 0)])  # the first two calls follow each other
def test_a_module_that_runs_again_is_a_box_more(depth, boxes, tmp_path):
    model = Again()
    with tl.study():
        loss = model(tl.ones(1, 2))
    found = rendered(tl.draw(loss, model, depth=depth, fold=True), tmp_path)
    assert sum(name.startswith("module") for name in found.boxes) == boxes
    shared = [head for tail, head in found.edges if found.boxes[tail].startswith("block.0.weight")]
    assert len(shared) == (2 if depth is None else 0)  # each call stands with what it reads


class Mixed(nn.Module):
    """Modules in a list that run with another, which is called each time, in between."""

    def __init__(self):
        self.layers, self.norm = nn.ModuleList([nn.Linear(2, 2) for _ in range(2)]), nn.Sequential(nn.Tanh())

    def forward(self, x):
        for layer in (*self.layers, self.layers[0]):
            x = self.norm(layer(x)) * 2
        return x.sum()


def two_models():
    first, second = (nn.Sequential(nn.Linear(2, 2)) for _ in range(2))
    return nn.ModuleList([first, second]), lambda x: (second(first(x)) - first(x)).sum()


@pytest.mark.parametrize("make, frames", [
    (Again, "block 0 1 block (call 2) 0 1 block (call 3) 0 1"),
    (Mixed, "layers.0 norm 0 layers.1 norm (call 2) 0 layers.0 (call 2) norm (call 3) 0"), (two_models, "0 0 1 0 0 (call 2) 0")])
@pytest.mark.parametrize("depth", [None, 1, 0])
def test_each_call_has_a_frame_and_no_arrow_runs_upwards(make, frames, depth, tmp_path):
    made = make()
    model, function = made if isinstance(made, tuple) else (made, made)
    with tl.study():
        function(tl.ones(1, 2))  # calls that are not on the tape do not count
        graph = tl.draw(function(tl.ones(1, 2)), model, depth=depth)
    found = rendered(graph, tmp_path)
    assert depth is not None or " ".join(frame.split(":")[0] for frame in found.frames) == frames
    groups = ET.parse(tmp_path / "picture.svg").getroot().iter("{http://www.w3.org/2000/svg}g")
    tops = {g.find("{*}title").text: float(g.find("{*}text").get("y")) for g in groups if g.get("class") == "node"}
    assert all(tops[tail] < tops[head] for tail, head in found.edges)


# ---------------------------------------------------------------- models as people have them
@pytest.mark.parametrize("name, boxes", [("mlp", 11), ("cnn", 13), ("lstm", 21), ("gpt2", 22), ("gpt6", 22), ("loop", 44)])
def test_pictures_of_models_are_legible(name, boxes, tmp_path):
    names, loss = recorded(name)
    found = rendered(tl.draw(loss, names), tmp_path)
    assert len(found.boxes) == boxes
    svg = ET.parse(tmp_path / "picture.svg").getroot()
    for group in svg.iter("{http://www.w3.org/2000/svg}g"):  # room for the widest of usual fonts
        if group.get("class") == "node" and group.find("{*}polygon") is not None:
            xs = [float(point.split(",")[0]) for point in group.find("{*}polygon").get("points").split()]
            assert all(max(xs) - min(xs) > 0.62 * 11 * len(text.text) for text in group.iter("{http://www.w3.org/2000/svg}text"))
    assert float(svg.get("width").removesuffix("pt")) < 1000


def test_equal_modules_in_a_row_are_drawn_once(tmp_path):
    names, loss = recorded("gpt6")
    found = rendered(tl.draw(loss, names), tmp_path)
    assert "0 to 5, x 6: Block" in found.frames and sum("ln1: LayerNorm" in text for text in found.boxes.values()) == 1
    whole = rendered(tl.draw(loss, names, depth=2), tmp_path)
    assert sum("ln1: LayerNorm" in text for text in whole.boxes.values()) == 6
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(3)))
    with tl.study():
        h = model[0](tl.ones(1, 2))
        for k, layer in enumerate(model[1:]):
            h = layer(h) if k else layer(h) * 2.0
        different = tl.draw(h, model, fold=True, depth=0).source
        skipped = tl.draw(model(tl.ones(1, 2)) + model[0](tl.ones(1, 2)), model, fold=True, depth=0).source
    assert "x 3" not in different + skipped


def test_parameters_lie_in_their_module_and_what_is_given_outside(tmp_path):
    names, loss = recorded("lstm")
    source = tl.draw(loss, names, depth=9).source
    assert source.count('label="cell.x.weight') == 8 and source.index("cluster1 ") < source.index('label="cell.x.weight')
    names, loss = recorded("gpt2")
    outer = rendered(tl.draw(loss, names, depth=0), tmp_path)
    assert [text for text in outer.boxes.values() if "weight" in text] == [] and sum(text.startswith("constant") for text in outer.boxes.values()) == 3


def test_a_model_is_drawn_by_an_example_and_stays_as_it_is():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    state, numbers = {k: v.clone() for k, v in model.state_dict().items()}, tl.get_rng_state()
    picture = tl.draw(model, tl.randn(5, 3), depth=0).source
    tl.set_rng_state(numbers)
    with tl.no_grad():
        again = tl.draw(model, np.ones((5, 3), np.float32), depth=0).source
    assert "0: Linear\n[5, 4]\n1 operation" in picture and picture == again
    assert all(v.equal(state[k]) for k, v in model.state_dict().items()) and tl.get_rng_state().equal(numbers)
    assert model.training and all(p.grad is None for p in model.parameters())
    assert "grad" in tl.draw(model.eval(), tl.randn(5, 3), gradients=True).source
    attention = nn.MultiheadAttention(4, 2)
    assert "out_proj" in tl.draw(attention, (tl.randn(3, 1, 4),) * 3).source


def test_loops_and_lines_group_what_has_no_modules(tmp_path):
    names, loss = recorded("loop")
    found = rendered(tl.draw(loss, names), tmp_path)
    passes = [text for text in found.boxes.values() if text.startswith("lines ")]
    assert len(passes) == 20 and all(text.endswith("4 operations") for text in passes) and "square\n[2, 6]" in found.boxes.values()


def test_several_outputs_are_drawn(tmp_path):
    x = tl.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    z = y.tanh()
    for outputs, names in [((y, z), ["output 0", "output 1"]), ([y, (z, None)], ["output 0", "output 1.0"]), ({"all": {"y": y}, "loss": z}, ["output all.y", "output loss"]),
                           ((z, tl.arange(2)), ["output 0"]), (z, ["output"]), ((z, z), ["output 0", "output 1"]), (z.max(0), ["output 0"])]:
        found = rendered(tl.draw(outputs, fold=True, gradients=True), tmp_path)
        assert [text.split("\n")[0] for box, text in found.boxes.items() if box.startswith("output")] == names
    with pytest.raises(RuntimeError, match="output 1 was not recorded"):
        tl.draw((z, tl.ones(2)))
    found = rendered(tl.draw((y, z), fold=True), tmp_path)
    assert "exp\n[2]" in found.boxes.values() and "tanh\n[2]" in found.boxes.values()  # a chain does not swallow an output


def test_the_tape_of_several_outputs_adds_up_their_gradients(tmp_path):
    x = tl.tensor(2.0, requires_grad=True)
    y = x * 3
    z = y * y
    tape = tl.tape({"y": y, "z": z}, {"x": x})
    assert tape.backward([10.0, None])[0] == 66 and tape.backward()[0] == 39
    assert [row.split("  ")[0] for row in str(tape.backward).splitlines()] == [
        "v1.grad = 1.0", "v2.grad = 1.0", "v1.grad += v2.grad * v1", "v1.grad += v2.grad * v1", "v0.grad += v1.grad * 3"]
    assert '"total":{"summary":"7."' in tl.explore(tape, tmp_path / "page.html").read_text()
    assert tl.tape((y, z)).find("mul") and tl.explore([y, z], tmp_path / "page.html").exists()


# ---------------------------------------------------------------- the explorer's page
def page_of(path):
    text = path.read_text()
    return json.loads(text[text.index("const data = ") + 13 : text.index(";\nconst { steps")])


def test_every_step_is_in_a_frame_and_every_arrow_between_boxes(tmp_path):
    for name in ("mlp", "lstm", "gpt6", "loop"):
        names, loss = recorded(name)
        tape = tl.tape(loss, names)
        page = page_of(tl.explore(tape, tmp_path / "page.html"))
        frames = [f for f in page["frames"] if f["name"] != "all at once"]
        shown = [box["step"] for f in frames for box in f["boxes"] if "step" in box]
        assert sorted(s.index for s in tape if s.is_operation) == sorted(i for i in shown if tape[i].is_operation) and set(shown) == set(range(len(tape)))
        assert {box["frame"] for f in frames for box in f["boxes"] if "frame" in box} == set(range(1, len(frames)))
        assert all(len(f["boxes"]) <= 60 for f in frames) and max(f["view"] for f in page["frames"]) == len(page["views"]) - 1
        for s in tape:  # each thing that is read is an arrow in the frame where it is read
            f = page["frames"][page["steps"][s.index]["frame"]]
            pairs = [pair for pairs in f["edges"] for pair in pairs]
            assert not s.is_operation or all([source, s.index] in pairs for source in s.reads)


def test_equal_blocks_share_a_picture(tmp_path):
    names, loss = recorded("gpt6")
    page = page_of(tl.explore(loss, tmp_path / "page.html", names))
    blocks = [f["view"] for f in page["frames"] if f["kind"] == "Block"]
    assert len(blocks) == 6 and len(set(blocks[1:])) == 1 and len(page["views"]) < len(page["frames"]) / 2


def test_loops_with_helpers_before_and_after_are_grouped(tmp_path):
    def loss_of(h): return h.square().mean()
    w, h = tl.randn(3, 3, requires_grad=True), tl.ones(1, 3)

    def act(x):
        return x.tanh()

    with tl.study():
        h = h @ w
        h = h + 1
        for _ in range(45):
            h = act(h)
            h = h @ w
        loss = loss_of(h)
    assert tl.explore(loss, tmp_path / "page.html").exists() and re.search(r", x \d\d", tl.draw(loss).source)


def test_what_is_equal_computes_the_same():
    class A(nn.Module):
        def __init__(self, f):
            self.f = f

        def forward(self, x):
            return self.f(x)

    class B(A):
        pass

    x = tl.randn(4, 4, requires_grad=True)
    for first, second, equal in [(A(lambda x: x * 2), A(lambda x: x * 2), True), (A(lambda x: x * 2), A(lambda x: x * -7), False), (A(lambda x: x.cumsum(0)), A(lambda x: x.cumsum(1)), False),
                                 (A(lambda x: x[:, [0, 1, 2, 3]]), A(lambda x: x[:, [3, 2, 1, 0]]), False), (A(lambda x: x * 2), B(lambda x: x * 2), False)]:
        assert (", x 2" in tl.draw(nn.Sequential(first, second), x, fold=True).source) == equal

    class Two(nn.Module):
        def forward(self, pair):
            u, v = pair
            return u.exp() * v, v.sin() * u

    blocks = [Two() for _ in range(3)]
    model = nn.Module()
    model.bs = nn.ModuleList(blocks)
    model.forward = lambda x: sum(blocks[2](blocks[1](blocks[0]((x, x * 2)))[::-1]))
    assert "x 3" not in tl.draw(model, x, fold=True).source and "x 2" not in tl.draw(model, x, fold=True).source.split("x 2")[0]


def test_seeds_hooks_and_outputs_are_the_tapes(tmp_path):
    a = tl.tensor([1.0, 2.0], requires_grad=True)
    b = a * 3
    a.register_hook(lambda g: g * 100)
    fc = nn.Linear(2, 2)
    page = page_of(tl.explore({"b": b, "c": (b * 5).sum(), "w": fc(fc(b)).sum()}, tmp_path / "page.html", {"a": a}))
    steps = {s["text"]: s for s in page["steps"]}
    product = next(s for s in steps.values() if s["op"] == "mul")
    assert product["seed"]["values"] == [1, 1] and product["grad"]["values"] != [1, 1]
    np.testing.assert_allclose(next(s for s in steps.values() if s["name"] == "a")["grad"]["values"], 300 * np.array(product["grad"]["values"]), rtol=1e-3)
    assert all(word in "".join(page["views"]) for word in ("output b", "output c", "output w"))
    m = nn.Sequential(fc, nn.Tanh(), fc)
    with tl.study():
        out = m(b)
    assert tl.explore((out.sum(), fc.weight), tmp_path / "page.html", m).exists()


def test_users_modules_need_not_be_hashable():
    @dataclasses.dataclass
    class Scaled(nn.Module):
        by: float

        def forward(self, x):
            return x * self.by

    picture = tl.draw(nn.Sequential(Scaled(2.0), Scaled(3.0)), tl.ones(2, requires_grad=True), depth=0).source
    assert "0: Scaled" in picture and "1: Scaled" in picture
    class Keeps(nn.Module):
        def forward(self, x):
            self.kept = x.exp()
            return self.kept * 2, self.kept.detach()

    model = Keeps()
    model(tl.ones(2, requires_grad=True))
    assert "mul" in tl.draw(model, tl.ones(2, requires_grad=True)).source


def test_a_page_is_small_whatever_it_shows(tmp_path):
    x = tl.zeros(3000, 3000, requires_grad=True)
    assert tl.explore((x * 2).sum(), tmp_path / "large.html").stat().st_size < 200_000
    y = tl.ones(40, 40, requires_grad=True)
    for _ in range(600):
        y = y * 1.01
    path = tl.explore(y.sum(), tmp_path / "long.html")
    assert path.stat().st_size < 12e6 and page_of(path)["heat"] < 24
    for _ in range(10_000):
        y = y * 1.0
    with pytest.raises(ValueError, match="explore: a page shows at most 10,000 steps.*fewer passes"):
        tl.explore(y.sum(), tmp_path / "longer.html")


def test_in_a_notebook_the_page_shows_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = tl.explore((tl.ones(2, requires_grad=True) * 2).sum())
    assert page.name == "graph.html" and page.exists() and page._repr_html_().startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')


@pytest.mark.parametrize("line, wrong", [
    ("v3.grad += v5.grad * v4", ["v5.grad / v4", "v5.grad", "-(v5.grad * v4)"]), ("v3.grad += v5.grad", ["-v5.grad", "v5.grad * v5"]),
    ("w.grad += v5.grad.mT @ v4", ["v4 @ v5.grad.mT", "v5.grad @ v4", "v5.grad"]), ("v1.grad += np.where(v1 > 0, v2.grad, 0.0)", ["np.where(v1 < 0, v2.grad, 0.0)", "v2.grad", "-np.where(v1 > 0, v2.grad, 0.0)"]),
    ("v1.grad += -v2.grad", ["v2.grad", "v2.grad * v2"]), ("v1.grad += Twice.backward(v2.grad)[0]", ["v2.grad", "-Twice.backward(v2.grad)[0]", "v2.grad * v2"])])
def test_the_quiz_has_wrong_lines(line, wrong):
    from tinygrad_lite.view.quiz import wrong_lines

    values = {name: np.random.default_rng(i).standard_normal((3, 3)) for i, name in enumerate(("v1", "v2", "v2.grad", "v4", "v5", "v5.grad"))}
    assert wrong_lines([line], values) == [f"{line.split('=')[0]}= {value}" for value in wrong]


@pytest.mark.parametrize("rule, values", [
    (["v0.grad += v1.grad / np.sign(v0)"], {"v0": [1.0, -2.0], "v1.grad": [3.0, 4.0], "v1": [1.0, 2.0]}), (["v0.grad += v1.grad[None, :]"], {"v0": np.ones((2, 3)), "v1.grad": [3.0, 4.0, 5.0], "v1": [1.0, 2.0, 4.0]}),
    (["v0.grad += v1.grad * hit / hit.sum()"], {"hit": [0.0, 1.0], "v0": [1.0, 2.0], "v1.grad": [3.0, 3.0], "v1": [2.0, 2.0]}), (["t = v0 * 2", "v0.grad += t"], {"v0": [1.0, 2.0]})])
def test_what_the_quiz_calls_wrong_is_wrong(rule, values):
    from tinygrad_lite.view.quiz import wrong_lines

    scope = {"np": np} | {name.replace(".", "_"): np.array(x) for name, x in values.items()}
    *before, last = (line.replace(".grad", "_grad") for line in rule)
    for line in before:
        exec(line, scope)
    right = eval(last.split("= ", 1)[1], scope)
    wrong = wrong_lines(rule, {name: np.array(x) for name, x in values.items()})
    assert wrong
    for line in wrong:
        try:
            assert not np.allclose(*np.broadcast_arrays(eval(line.replace(".grad", "_grad").split("= ", 1)[1], scope), right))
        except ValueError:
            pass


def test_every_rule_has_wrong_lines(tmp_path):
    for name in ("mlp", "gpt2", "lstm"):
        names, loss = recorded(name)
        page = page_of(tl.explore(loss, tmp_path / "page.html", names))
        sent = [sent for step in page["steps"] for sent in step["sent"]]
        assert sum(not s["wrong"] for s in sent) <= 0.02 * len(sent)


def test_the_row_of_a_seed_is_what_was_given_and_not_what_hooks_made_of_it():
    y = tl.ones(1, requires_grad=True) * 2
    y.register_hook(lambda g: g * 10)
    assert str(tl.tape(y).backward).splitlines()[0] == "v1.grad = [1.0]"


# ---------------------------------------------------------------- what is refused
x = tl.ones(2, 3, requires_grad=True)
y = (x * 2).sum()
linear = nn.Linear(3, 1)
plot = tl.view.plot
WRONG = [
    ("array", lambda: tl.draw(np.ones(2)), TypeError, "draw: it takes the Tensor that was computed.*not a ndarray"),
    ("array among several", lambda: tl.tape((y, np.ones(2))), TypeError, "tape: it takes the Tensor that was computed.*not a ndarray"),
    ("nothing", lambda: tl.draw(()), TypeError, "draw: it takes the Tensor"),
    ("list of names", lambda: tl.draw(["x"]), TypeError, "draw: it takes the Tensor.*not 'x'"),
    ("names as a list", lambda: tl.draw(y, ["x"]), TypeError, "draw: names is a Module, or a dict of names with their Tensors.*not a list"),
    ("names as arrays", lambda: tl.explore(y, "page.html", {"x": np.ones(2)}), TypeError, "explore: names is a Module, or a dict"),
    ("names as numbers", lambda: tl.tape(y, {1: x}), TypeError, "tape: names is a Module, or a dict"),
    ("no example", lambda: tl.draw(linear), TypeError, "draw: a module is drawn by what it computes: give an example, tl.draw.model, x"),
    ("swapped", lambda: tl.explore(linear, "page.html", y), TypeError, "explore: it takes the Tensor.*and then names, not a Linear"),
    ("swapped dict", lambda: tl.draw({"x": x}, y), TypeError, "draw: names is .*comes after the output, not a Tensor"),
    ("names of a tape", lambda: tl.draw(tl.tape(y), {"x": x}), TypeError, "draw: a Tape has its names already"),
    ("not recorded", lambda: tl.draw((tl.ones(2), tl.ones(2))), RuntimeError, "draw: the tensor was not recorded"),
    ("depth", lambda: tl.draw(y, depth=-1), ValueError, "draw: depth is a whole number from 0 on.*not -1"),
    ("depth as text", lambda: tl.draw(y, depth="all"), TypeError, "draw: depth is a whole number.*not 'all'"),
    ("direction", lambda: tl.draw(y, direction="lr"), ValueError, "direction is TB, LR, BT or RL, not 'lr'; did you mean 'LR'"),
    ("direction as a number", lambda: tl.draw(y, direction=1), ValueError, "direction is TB, LR, BT or RL, not 1"),
    ("path", lambda: tl.explore(y, linear), TypeError, "explore: path is the name of an HTML file, and the names come after it, not a Linear"),
    ("format", lambda: tl.explore(y, "graph.svg"), ValueError, "explore: it writes HTML.*'.svg'"),
    ("unwritable", lambda: tl.explore(y, __file__ + "/page.html"), FileExistsError, "test_pictures.py"),
    ("operation", lambda: tl.tape(y).find(op="mull"), ValueError, "no operation is called 'mull'; did you mean 'mul'"),
    ("operation in capitals", lambda: tl.tape(y).find(op="ReLU"), ValueError, "no operation is called 'ReLU'; did you mean 'relu'"),
    ("operation as a function", lambda: tl.tape(y).find(tl.exp), TypeError, "find: op is the name of an operation"),
    ("module as a module", lambda: tl.tape(y).find(module=linear), TypeError, "find: module is a path.*not a Linear"),
    ("limit", lambda: tl.tape(y).table(limit=0), ValueError, "table: limit is a number of rows from 1 on, not 0"),
    ("width", lambda: tl.tape(y).table(width=-4), ValueError, "table: width is a number of columns from 1 on, not -4"),
    ("width as text", lambda: tl.tape(y).table(width="wide"), TypeError, "table: width is a number.*not 'wide'"),
    ("gradients", lambda: tl.tape((y, y * 2)).backward(1.0), TypeError, "gradient is a list with one for each of the 2 outputs, not 1.0"),
    ("number of gradients", lambda: tl.tape((y, y * 2)).backward([1.0]), TypeError, "gradient is a list with one for each of the 2 outputs"),
    ("shape of a gradient", lambda: tl.tape(y).backward([1.0, 2.0]), RuntimeError, "the gradient has shape"),
    ("step of a check", lambda: tl.tape(y).check(eps=0), ValueError, "check: eps and tol are above 0, not 0"),
    ("losses", lambda: plot.loss_curve("losses"), TypeError, "loss_curve: losses are numbers, one a step, not 'losses'"),
    ("losses of several runs", lambda: plot.loss_curve([[1.0, 2.0]]), ValueError, "loss_curve: losses are numbers, one a step, not of shape"),
    ("smooth", lambda: plot.loss_curve([1.0], smooth=-1), ValueError, "loss_curve: smooth is a number of steps"),
    ("axes", lambda: plot.loss_curve([1.0], ax="left"), TypeError, "ax is matplotlib's axes, such as plt.gca.., not 'left'"),
    ("boundary, swapped", lambda: plot.decision_boundary(np.ones((3, 2)), len, np.ones(3)), TypeError, "X is .N, 2., and comes after predict, not a builtin"),
    ("boundary of no function", lambda: plot.decision_boundary(linear.weight, np.ones((3, 2)), np.ones(3)), TypeError, "predict is a function of points"),
    ("too few labels", lambda: plot.decision_boundary(lambda p: p[:, 0], np.ones((3, 2)), np.ones(2)), ValueError, "y is one number a point, .3,., not of shape"),
    ("two columns", lambda: plot.decision_boundary(lambda p: p[None], np.ones((3, 2)), np.ones(3)), ValueError, "predict gives one number a point"),
    ("too few keys", lambda: plot.attention_map(np.eye(3), keys=["a"]), ValueError, "attention_map: keys are 3 names, not 1"),
    ("histograms of a list", lambda: plot.histograms([1.0]), TypeError, "histograms: arrays is a dict of names with arrays, not a list"),
    ("histogram of a text", lambda: plot.histograms({"a": "b"}), TypeError, "histograms: 'a' is an array of numbers, not 'b'"),
    ("activations, swapped", lambda: plot.activations(tl.ones(1, 3), linear), TypeError, "activations: model is a Module, and comes before x, not a Tensor"),
    ("gradients of an array", lambda: plot.gradients(np.ones(2)), TypeError, "gradients: model is a Module, not a ndarray"),
    ("names of a number", lambda: tl.draw(y, {"w": 1}), TypeError, "dict of names with their Tensors.*; it holds 'w': 1"),
    ("values as a word", lambda: tl.draw(y, values="yes"), TypeError, "draw: values is True or False, not 'yes'"),
    ("fold as a number", lambda: tl.draw(y, fold=1), TypeError, "draw: fold is True or False, not 1"),
    ("depth as a bool", lambda: tl.draw(y, depth=True), TypeError, "draw: depth is a whole number.*not True"),
    ("color as a word", lambda: tl.tape(y).table(color="no"), TypeError, "table: color is True or False"),
    ("unknown name", lambda: tl.tape(y, {"weight": x})["wieght"], KeyError, "no step is called 'wieght'; did you mean 'weight'"),
    ("several names", lambda: tl.tape(y, {"x": x})["x", "y"], TypeError, "a step is found by its number, or by a name.*not a tuple"),
    ("number of a step", lambda: tl.tape(y)[99], IndexError, "there is no step 99: it has 3"),
    ("no arrays", lambda: plot.histograms({}), ValueError, "there is no array"),
    ("bins", lambda: plot.histograms({"a": np.ones(2)}, 2.5), TypeError, "bins is a number from 1 on, not 2.5"),
    ("no weights", lambda: plot.attention_map(np.ones((0, 3))), ValueError, "there are no weights in shape"),
    ("infinite points", lambda: plot.decision_boundary(len, np.full((2, 2), np.inf), [0, 1]), ValueError, "X holds NaN or infinity"),
    ("no images", lambda: plot.weight_images(np.ones((0, 4)), (2, 2)), ValueError, "no rows of .2, 2. pictures"),
    ("sizes of images", lambda: plot.weight_images(np.ones((2, 4)), (2.0, 2.0)), TypeError, "whole numbers from 1 on, not 2.0"),
    ("negative images", lambda: plot.weight_images(np.ones((2, 4)), (-2, -2)), ValueError, "whole numbers from 1 on, not -2"),
    ("shape of images", lambda: plot.weight_images(np.ones((2, 4)), 2), TypeError, "weight_images: shape is .H, W., not 2"),
    ("columns of images", lambda: plot.weight_images(np.ones((2, 4)), (2, 2), columns=0), ValueError, "weight_images: columns is a number from 1 on"),
]


@pytest.mark.parametrize("call, error, said", [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_wrong_is_told_what_was_expected(call, error, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=said):
        call()


@pytest.mark.parametrize("view", [tl.draw, tl.tape, tl.explore])
def test_after_backward_the_graph_is_gone(view):
    y = (tl.ones(2, requires_grad=True) * 2).sum()
    z = y * 3
    y.backward()
    for output in (y, z, (y, z)):
        with pytest.raises(RuntimeError, match=f"{view.__name__.lower()} before backward, or keep the tape with tl.tape"):
            view(output)
    y = (tl.ones(2, requires_grad=True) * 2).sum()
    y.backward(retain_graph=True)
    assert tl.draw(y).source == tl.draw(tl.tape(y)).source


@pytest.mark.parametrize("array, said", [
    (np.array([1, np.inf, 2, np.nan]), "a: 0% zeros, std 0.5, 2 NaN or inf"), (np.array([np.inf]), "a: no values, 1 NaN or inf"), (np.zeros(0), "a: no values"),
    (np.array([60000, -60000], np.float16), "a: 0% zeros, std 6e+04"), (np.array([True, False]), "a: 50% zeros, std 0.5"), (np.zeros(3), "a: 100% zeros, std 0")])
@pytest.mark.filterwarnings("error")
def test_histograms_of_anything(array, said):
    from matplotlib.figure import Figure

    assert [text.get_text() for text in plot.histograms({"a": array}, ax=Figure().subplots()).get_legend().get_texts()] == [said]


@pytest.mark.filterwarnings("error")
def test_maps_of_anything():
    from matplotlib.figure import Figure

    points, names = np.array([[0, 0], [0, 2], [2, 0], [2, 2]]), np.array(["dog", "dog", "cat", "cat"])
    ax = plot.decision_boundary(lambda p: np.where(p[:, 0] > 0.9, "cat", "dog"), points, list(names), ax=Figure().subplots())
    assert ax.collections[-1].get_array().tolist() == [1, 1, 0, 0]
    for weight in (np.ones((2, 4), bool), np.full((2, 4), -128, np.int8), np.zeros((2, 4)), np.array([[1, np.inf, np.nan, 0.0]])):
        assert np.isfinite(plot.weight_images(weight, (2, 2), ax=Figure().subplots()).images[0].get_clim()).all()


def test_control_characters_do_not_reach_the_terminal():
    model = nn.Sequential({"\x1b[1m": nn.Linear(2, 1)})
    with tl.study():
        tape = tl.tape(model(tl.ones(1, 2)).sum(), model)
    assert "\x1b" not in tape.table() + repr(tape[-1]) + repr(tape[0]) + str(tape.backward) and "\\x1b[1m" in tape.table(width=200)
    assert tape["\x1b[1m.weight"] is tape[0]


# ---------------------------------------------------------------- names in curves and maps
def test_names_are_written_as_they_are_on_axes():
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    labels = [text.get_text().strip() for text in plot.histograms({"_a": np.ones(3), "$$": np.ones(3)}, ax=ax).get_legend().get_texts()]
    assert [label.split(":")[0] for label in labels] == ["_a", "$$"]
    ax = plot.attention_map(np.eye(2), ["$$", "_"], ["$", "\\"], ax=Figure().subplots())
    ax.figure.canvas.draw()
    assert [t.get_text() for t in (*ax.get_yticklabels(), *ax.get_xticklabels())] == ["$$", "_", "$", "\\"]


def test_activations_of_a_layer_that_gives_several():
    class Two(nn.Module):
        def forward(self, x):
            return x, (x * 0, None)

    from matplotlib.figure import Figure

    ax = plot.activations(nn.Sequential({"two": Two()}), tl.ones(2), ax=Figure().subplots())
    assert re.findall(r"two\[\d\]: \d+%", " ".join(t.get_text() for t in ax.get_legend().get_texts())) == ["two[0]: 0%", "two[1]: 100%"]
