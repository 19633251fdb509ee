"""The views of the tape, and the demo that draws it."""

import _thread
import json
import math
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite.cli import main
from tinygrad_lite.engine.mode import mode


def network():
    tl.manual_seed(0)
    model = tl.nn.Sequential({"body": tl.nn.Sequential(tl.nn.Linear(2, 3), tl.nn.Tanh()), "head": tl.nn.Linear(3, 2)})
    with tl.study():
        return model, tl.nn.functional.cross_entropy(model(tl.ones(4, 2)), [0, 1, 0, 1])


# ---------------------------------------------------------------- the tape
def test_the_tape_is_the_wengert_list():
    a, b = (tl.tensor(v, requires_grad=True) for v in (2.0, 3.0))
    tape = tl.tape((a * b + a.tanh()) ** 2, {"a": a, "b": b})
    assert [str(step) for step in tape] == ["v0 = leaf a", "v1 = leaf b", "v2 = mul(v0, v1)", "v3 = tanh(v0)", "v4 = add(v2, v3)",
                                            "v5 = pow(v4, p=2)"]
    tape.backward()
    rows = tape.table(width=100).splitlines()
    assert [row.split("  ")[0] for row in rows[6:]] == [
        "4 operations, 16 B kept for the backward pass, 4 flops", "", "v5.grad = 1.0", "v4.grad += v5.grad * 2 * v4", "v2.grad += v4.grad",
        "v3.grad += v4.grad", "v0.grad += v3.grad * (1 - v3 * v3)", "v0.grad += v2.grad * v1", "v1.grad += v2.grad * v0"]
    assert "\n".join(rows) == f"{tape.forward}\n\n{tape.backward}" and repr(tape[3]) == "<Step v3 = tanh(v0): scalar>"


def test_the_tapes_gradients_are_those_of_backward_and_outlive_it():
    model, loss = network()
    tape = tl.tape(loss, model)
    loss.backward()
    found = tape.backward()
    for step in tape.find("parameter"):
        np.testing.assert_array_equal(found[step.index], dict(model.named_parameters())[step.name].grad)
    _, loss = network()
    tape = tl.tape(loss)
    assert ".grad" not in str(tape)
    loss.backward()
    assert "v8.grad += v9.grad * (softmax(v8) - one_hot(v5, 2)) / 4" in tape.table(width=120)
    assert len(tape) == 10 and tape[-1].op == "cross_entropy" and [s.op for s in tape[6:8]] == ["linear", "tanh"]


def test_study_says_which_line_and_module():
    model, loss = network()
    tape = tl.tape(loss, model)
    assert [s.module for s in tape.find("linear")] == ["body.0", "head"] and [s.op for s in tape.find(module="body")] == ["linear", "tanh"]
    assert "test_view.py:" in tape[-1].line
    loss = tl.nn.functional.cross_entropy(model(tl.ones(4, 2)), [0, 1, 0, 1])
    assert tl.tape(loss)[-1].line == "" and tl.nn.Module.__call__.__name__ == "__call__"


def test_what_is_a_composition_is_looked_for_by_its_parts():
    a, b = (tl.ones(2, 3, requires_grad=True) for _ in range(2))
    tape = tl.tape(tl.nn.functional.mse_loss(a, b))
    with pytest.raises(ValueError, match="mse_loss is recorded as its parts.*mean, pow, sub"):
        tape.find(op="mse_loss")
    assert [s.op for s in tape.find(op="sub")] == ["sub"] and tape.find(op="div") == tape.find(op="linear") == []
    with pytest.raises(ValueError, match="no operation is called 'mull'; did you mean 'mul'"):
        tape.find(op="mull")
    with pytest.raises(TypeError, match="names is a Module"):
        tl.draw(a * b, "model")
    for out, names in [(a / b, "div"), (a - b, "sub"), (tl.nn.functional.layer_norm(a, (3,)), "layer_norm"), (tl.nn.functional.rms_norm(a, (3,)), "rms_norm"),
                       (a.norm(), "norm"), (tl.einsum("ij,kj->ik", a, b), "einsum"), (a.max(1)[0], "gather squeeze"), (a.permute(1, 0), "permute"),
                       (a.double(), "to"), (tl.nn.functional.gelu(a, "tanh"), "gelu"), (a.clamp(0.0, 2.0), "clamp"), (tl.nn.functional.unfold(a[None, None], 1), "unfold")]:
        assert out.grad_fn.op.__name__ in names.split() + ["reshape", "permute"] and tl.tape(out).find(op=names.split()[0])


def test_hooks_run_in_the_views_and_grad_is_left_alone():
    x = tl.ones(2, requires_grad=True)
    y = x * 2.0
    y.retain_grad()
    tape = tl.tape((y * y).sum(), {"x": x})
    y.register_hook(lambda g: g * 10)
    assert tape.backward()[0].tolist() == [80.0, 80.0] and x.grad is None and y.grad is None
    y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tape.backward()


def test_a_tape_whose_values_have_changed_says_so_instead_of_wrong_gradients():
    model, loss = network()
    tape = tl.tape(loss, model)
    loss.backward()
    tl.optim.SGD(model.parameters(), lr=0.1).step()
    printed = " ".join(str(tape).split())  # wherever the terminal breaks its lines
    assert "no backward rows" in printed and "changed in place" in printed and ".grad +=" not in printed
    with pytest.raises(RuntimeError, match="changed in place"):
        tape.backward()


def test_study_and_anomaly_detection_together_know_line_and_module():
    for first, second in [(tl.study, tl.autograd.detect_anomaly), (tl.autograd.detect_anomaly, tl.study)]:
        model = network()[0]
        with first(), second():
            loss = model(tl.ones(1, 2)).sum()
        tape = tl.tape(loss)
        assert [s.module for s in tape.find("linear")] == ["body.0", "head"] and "test_view.py" in tape[-1].line


def test_study_follows_the_modules_of_its_own_thread():
    model = network()[0]
    paths = []

    def work():
        with tl.study():
            paths.append([s.module for s in tl.tape(model[0](tl.ones(1, 2)).sum()).find("linear")])

    with tl.study():
        other = threading.Thread(target=work)
        other.start()
        other.join()
        inner = tl.tape(model(tl.ones(1, 2)).sum())
    assert paths == [[""]] or paths == [["0"]]
    assert [s.module for s in inner.find("linear")] == ["body.0", "head"] and mode.within == ()


def test_graphviz_is_imported_when_something_is_drawn():
    code = "import sys, tinygrad_lite; print('graphviz' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_sizes_and_work_are_counted():
    x, w = tl.ones(4, 2), tl.ones(2, 3, requires_grad=True)
    tape = tl.tape((x @ w).reshape(-1).exp())
    assert [(s.op, s.memory, s.flops) for s in tape if s.is_operation] == [("matmul", 48, 48), ("reshape", 0, 0), ("exp", 48, 12)]
    assert tape.memory == 96 and tape.flops == 60


def test_a_long_tape_is_folded_and_fits_its_width():
    x = tl.ones(1, requires_grad=True)
    y = x
    for _ in range(100):
        y = y * 2.0
    tape = tl.tape(y)
    tape.backward()
    lines = tape.table(width=40, limit=10).splitlines()
    assert lines[5] == "… 91 more rows" and any(line.startswith("… 9") for line in lines[15:]) and len(lines) == 26 and max(map(len, lines)) <= 40
    assert "\x1b[" in tape.table(color=True) and "\x1b[" not in str(tape)


def test_parameters_stand_in_the_rows_that_read_them():
    model, loss = network()
    tape = tl.tape(loss, model)
    tape.backward()
    for width in (80, 100):
        forward, backward = (half.splitlines() for half in tape.table(width=width).split("\n\n"))
        row = next(line for line in forward if "linear" in line).split("  ")
        assert row[0] == "v6 = linear(v4, body[0].weight, body[0].bias)" and row[-1].strip() == "body.0" and max(map(len, forward)) <= width
        assert any(line.startswith("head.weight.grad += v8.grad.T @ v7  ") and line.endswith("  head") for line in backward)
        assert " ± " in "  ".join(row)
    unnamed = tl.nn.Sequential(tl.nn.Linear(2, 1))
    assert "linear(v2, model[0].weight, model[0].bias)" in str(tl.tape(unnamed(tl.ones(1, 2)), unnamed))


def test_a_mean_is_zero_where_it_is_rounding_and_only_there():
    centered = np.linspace(-1, 1, 7, dtype=np.float32) / np.float32(3)
    assert centered.mean() != 0 and str(tl.tape(tl.tensor(centered, requires_grad=True) * 1)).count("  0 ± 0.222 in ") == 2
    peak = np.zeros(2000, np.float16)
    peak[0] = 1000
    assert str(tl.tape(tl.tensor(peak, requires_grad=True) * 1)).count(" 0.5 ± ") == 2


def test_what_is_as_it_is_unless_given_is_not_printed():
    x, w = tl.ones(2, 3, requires_grad=True), tl.ones(3)
    cases = {"sum(v0)": x.sum(), "sum(v0, dim=1)": x.sum(1), "softmax(v0)": x.softmax(), "linear(v0, v1)": tl.nn.functional.linear(x, tl.ones(4, 3)),
             "layer_norm(v0, v1)": tl.nn.functional.layer_norm(x, (3,), w), "getitem(v0, (:, v1))": x[:, tl.tensor([0, 2])], "getitem(v0, None)": x[None],
             "embedding(v1, v0)": tl.nn.functional.embedding(tl.tensor([0, 1]), x), "mul(v0, 2.0)": x * 2.0, "cat(v0, v0)": tl.cat([x, x]),
             "cat(v0, v0, dim=1)": tl.cat([x, x], 1), "norm(v0)": x.norm(), "norm(v0, p=3)": x.norm(3)}
    for said, out in cases.items():
        assert str(tl.tape(out)[-1]).partition(" = ")[2] == said


def test_nan_and_infinity_are_marked():
    x = tl.tensor([-1.0, 0.0, 1.0, 2.0, 3.0], requires_grad=True)
    with np.errstate(all="ignore"):
        tape = tl.tape((x.log() * tl.tensor([0.0, 1.0, 1.0, 1.0, 1.0])).sum())
        tape.backward()
    assert "! 1 NaN, 1 inf of 5" in str(tape.forward) and "! 1 inf of 5" in str(tape.backward) and "! nan" in str(tape.forward)
    assert "\x1b[31m! 1 NaN" in tape.table(color=True) and "#c00" in tape._repr_html_() and "#c00" not in tl.tape(x * 2)._repr_html_()


def test_long_tapes_are_grouped_by_module_with_totals():
    blocks = [tl.nn.Sequential(tl.nn.Linear(2, 2), tl.nn.Tanh(), tl.nn.Linear(2, 2)) for _ in range(12)]
    model = tl.nn.Sequential({"first": tl.nn.Linear(2, 2), "blocks": tl.nn.Sequential(*blocks)})
    with tl.study():
        tape = tl.tape(model(tl.ones(1, 2)).sum(), model)
    tape.backward()
    forward, backward = (half.splitlines() for half in tape.table(width=100, limit=20).split("\n\n"))
    assert forward[2].startswith("v52 … v54: 3 operations, 24 B kept, 22 flops") and forward[2].endswith("blocks.0")
    assert len(forward) == 17 and " ".join(forward[-2:]) == ("38 operations, 308 B kept for the backward pass, 276 flops; "
                                                             "tape.table(module='blocks.0') shows all of a module")
    assert backward[2].startswith("v87.grad … v85.grad: 7 contributions") and backward[2].endswith("blocks.11")
    assert [line.split("  ")[0] for line in tape.table(width=100, module="blocks.3.1").splitlines()][0] == "v62 = tanh(v61)"
    assert "v52 … v54" not in tape._repr_html_() and "v87.grad … v85.grad: 7 contributions" in tape._repr_html_()


def test_what_runs_between_the_modules_of_a_list_is_in_its_group():
    class Deep(tl.nn.Module):
        def __init__(self):
            self.layers = tl.nn.ModuleList([tl.nn.Linear(2, 2) for _ in range(30)])

        def forward(self, x):
            for layer in self.layers:
                x = layer(x).tanh()
            return x.sum()

    with tl.study():
        tape = tl.tape(Deep()(tl.ones(1, 2)))
    lines = tape.table(limit=10, width=120).splitlines()
    assert "59 operations, 480 B kept" in lines[-4] and lines[-4].endswith("layers") and len(lines) < 14


def test_a_module_that_is_not_there_is_an_error():
    _, loss = network()
    for ask in (lambda tape: tape.table(module="nope"), lambda tape: tape.find(module="nope")):
        with pytest.raises(ValueError, match="no step is in a module 'nope'"):
            ask(tl.tape(loss))


def test_what_is_no_tensor_has_no_tape():
    for thing in (3.0, len, [len]):
        with pytest.raises(TypeError, match="it takes the Tensor"):
            tl.tape(thing)


def test_names_cannot_end_the_script_of_the_page(tmp_path):
    name = "<!--<script>"
    x = tl.ones(2, requires_grad=True)
    page = tl.explore(tl.tape((x * 2).sum(), {name: x}), tmp_path / "page.html").read_text()
    assert name not in page and "\\u003c!--\\u003cscript>" in page


def test_a_hook_has_a_row():
    x = tl.tensor([1.0, 2.0], requires_grad=True)

    def ten_times(g):
        return g * 10

    y = x * 2
    y.register_hook(ten_times)
    tape = tl.tape(y.sum())
    rows = [line.split("  ")[0] for line in str(tape.backward).splitlines()]
    assert rows == ["v2.grad = 1.0", "v1.grad += v2.grad", "v1.grad = ten_times(v1.grad)", "v0.grad += v1.grad * 2"]
    x.register_hook(ten_times)
    rows = [line.split("  ")[0] for line in str(tl.tape((x * 2).sum()).backward).splitlines()]
    assert rows == ["v2.grad = 1.0", "v1.grad += v2.grad", "v0.grad += v1.grad * 2", "v0.grad = ten_times(v0.grad)"]


def test_values_that_were_changed_in_place_are_those_that_were_computed():
    x = tl.tensor([-3.0, 0.5, 3.0], requires_grad=True)
    y = x * 2
    y.clamp_(-1, 1)
    tape = tl.tape(y.sum())
    assert tape.find("mul")[0].value.tolist() == [-6, 1, 6] and tape.find("clamp")[0].value.tolist() == [-1, 1, 1]


def test_constants_and_leaves_have_no_rules():
    x, y = tl.ones(3, requires_grad=True), tl.ones(3)
    assert [s.rules for s in tl.tape(x - y)] == [{}, {}, {0: ["v0.grad += v2.grad"]}]


def test_check_names_the_first_wrong_rule():
    wrong = tl.primitive(np.sin, lambda g, out, x: g * 2)
    x = tl.ones(3, requires_grad=True)
    with tl.study():
        loss = (wrong(x * 2.0).exp()).sum()
    with pytest.raises(RuntimeError, match=r"the rule of v2 = sin\(v1\) for argument 0 \(v2.grad \* 2\).*test_view.py"):
        tl.tape(loss).check()
    tl.tape(network()[1]).check()


def test_check_blames_no_rule_where_the_data_hold_nan():
    x = tl.tensor([1.0, math.nan], requires_grad=True)
    with tl.study(), pytest.warns(UserWarning, match=r"2 steps hold NaN or infinity and were not checked, the first v1 = exp\(v0\).*test_view.py"):
        tl.tape(x.exp().sum()).check()
    y = tl.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    with pytest.warns(UserWarning, match="2 steps hold"):
        tl.tape(y.masked_fill(tl.tensor([[False, True], [False, False]]), -math.inf).softmax(-1).sum()).check()


# ---------------------------------------------------------------- the picture
def test_the_picture_shows_operations_leaves_and_constants():
    w = tl.ones(2, requires_grad=True)
    source = tl.draw((w * tl.ones(3, 2)).exp(), {"weight": w}).source
    assert [source.count(text) for text in ("mul", "exp", 'label="weight', "dashed", "->")] == [1, 1, 1, 1, 4]


def neuron():
    x, w, b = (tl.tensor(v, requires_grad=True) for v in (2.0, -3.0, 7.0))
    return tl.draw((x * w + b).tanh(), {"x": x, "w": w, "b": b}, values=True, gradients=True, direction="LR")


def two_blocks():
    model, loss = network()
    return tl.draw(loss, model, depth=1)


@pytest.mark.parametrize("picture", [neuron, two_blocks])
def test_pictures_are_the_golden_ones(picture):
    golden = Path(__file__).parent / "golden" / f"{picture.__name__}.dot"
    assert picture().source == picture().source == golden.read_text()


def test_small_matrices_are_heat_maps_and_large_ones_are_summarized(tmp_path):
    w = tl.tensor([[1.0, -1.0, 0.5], [0.0, 0.25, -0.5]], requires_grad=True)
    picture = tl.draw((w * 2).sum(), {"w<1>": w}, values=True)
    assert picture.source.count("#ff0000") == 2 and picture.source.count("#0000ff") == 2 and "w&lt;1&gt;" in picture.source
    assert picture.render(outfile=tmp_path / "w.svg") and "#ff0000" in (tmp_path / "w.svg").read_text()
    assert "BGCOLOR" not in tl.draw(tl.ones(40, 40, requires_grad=True) * 2, values=True).source


def test_modules_are_clusters_that_collapse():
    model, loss = network()
    whole, outer = tl.draw(loss, model).source, tl.draw(loss, model, depth=0).source
    assert [whole.count(f">{name}<") for name in ("body: Sequential", "0: Linear", "1: Tanh", "head: Linear")] == [1] * 4
    assert [whole.count(f"cluster{i} ") for i in range(1, 5)] == [1] * 4
    assert "box3d" not in whole
    assert outer.count("box3d") == 2 and re.search(r"body: Sequential\n\[\d, \d\]\n2 operations", outer) and "tanh" not in outer and "cluster" not in outer
    assert tl.draw(loss, model, depth=1).source.count("box3d") == 2  # body.0 and body.1; head is not that deep


def test_chains_fold_and_large_graphs_collapse_by_themselves():
    x = tl.ones(2, requires_grad=True)
    assert "exp, tanh, mul" in tl.draw((x.sum(0, True).exp().tanh() * 2.0).sum(), fold=True).source
    model = tl.nn.Sequential(*(tl.nn.Sequential(tl.nn.Linear(2, 2), tl.nn.Tanh()) for _ in range(200)))
    with tl.study():
        out = model(tl.ones(1, 2))
    assert tl.draw(out, model, depth=0).source.count("box3d") == 200
    assert "0 to 199, x 200: Sequential" in tl.draw(out, model).source


def test_a_tensor_without_a_tape_is_refused():
    for view in (tl.draw, tl.tape):
        with pytest.raises(RuntimeError, match="not recorded"):
            view(tl.ones(2))
    with pytest.raises(ValueError, match="direction"):
        tl.draw(tl.ones(1, requires_grad=True) * 2, direction="up")


# ---------------------------------------------------------------- curves and maps
def test_plots_give_their_axes():
    from matplotlib.figure import Figure

    def ax():
        return Figure().subplots()

    model, loss = network()
    loss.backward()
    plot = tl.view.plot
    assert plot.loss_curve([3.0, 2.0, 1.0], smooth=2, ax=ax()).get_yscale() == "log"
    points = np.random.default_rng(0).standard_normal((20, 2))
    assert plot.decision_boundary(lambda p: p[:, 0] > 0, points, points[:, 0] > 0, ax=ax()).collections
    for predict in (lambda p: p @ np.ones((2, 1)), lambda p: p, lambda p: np.concatenate([p, -p], 1), tl.nn.Linear(2, 1), tl.nn.Linear(2, 3)):
        assert plot.decision_boundary(predict, points, points[:, 0] > 0, ax=ax()).collections
    assert plot.attention_map(np.eye(3), ["a", "b", "c"], ["a", "b", "c"], ax=ax()).get_xlabel() == "key"
    labels = [t.get_text() for t in plot.activations(tl.nn.Sequential(tl.nn.ReLU()), tl.tensor([-1.0, -2.0]), ax=ax()).get_legend().get_texts()]
    assert labels == ["0: 100% zeros, std 0"]
    assert len(plot.gradients(model, ax=ax()).get_legend().get_texts()) == 4
    assert plot.weight_images(np.ones((5, 6)), (2, 3), columns=2, ax=ax()).images[0].get_array().shape == (8, 7)
    for wrong in (lambda: plot.attention_map(np.ones(3), ax=ax()), lambda: plot.weight_images(np.ones((2, 5)), (2, 3), ax=ax()),
                  lambda: plot.decision_boundary(None, np.ones((2, 3)), None, ax=ax())):
        with pytest.raises(ValueError, match="shape"):
            wrong()
    model.zero_grad()
    with pytest.raises(RuntimeError, match="backward"):
        plot.gradients(model, ax=ax())


@pytest.mark.parametrize("option", [["--epochs", "0"], ["--lr", "nan"], ["--batch-size", "x"], ["--seed", "-1"]])
def test_wrong_options_are_named(option, capsys):
    with pytest.raises(SystemExit):
        main(["demo", *option])
    err = capsys.readouterr().err
    assert option[0] in err and repr(option[1]) in err


def test_the_demo_reaches_its_accuracy_and_writes_its_files(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "d")]) == 0
    printed = capsys.readouterr().out
    assert float(printed.split("test accuracy ")[1].split("%")[0]) >= 97
    assert {p.name for p in (tmp_path / "d").iterdir()} == {"loss.png", "graph.svg", "model.safetensors"}


def test_ctrl_c_keeps_what_was_learned(tmp_path, capsys, monkeypatch):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is started without
    steps = iter(range(40))
    monkeypatch.setattr(tl.optim.Adam, "step", lambda self: None if next(steps) < 30 else _thread.interrupt_main())
    assert main(["demo", "--out", str(tmp_path)]) == 0
    assert "stopped: keeping" in capsys.readouterr().out and (tmp_path / "model.safetensors").exists()


def test_without_any_dot_the_demo_says_what_to_install_and_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert main(["demo", "--epochs", "1", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "pip install graphviz-pure" in printed and "test accuracy" in printed
    assert not (tmp_path / "graph.svg").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "--out", str(tmp_path / "file")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_the_same_seed_gives_the_same_numbers(tmp_path):
    for name in ("a", "b"):
        main(["demo", "--epochs", "2", "--seed", "3", "--out", str(tmp_path / name)])
    a, b = (tl.load(tmp_path / name / "model.safetensors") for name in ("a", "b"))
    assert all((a[k].array == b[k].array).all() for k in a)


def test_explore_runs_a_program_to_a_call_of_backward(tmp_path, capsys, monkeypatch):
    program = tmp_path / "program.py"
    program.write_text("import tinygrad_lite as tl\nx = tl.ones(2, requires_grad=True)\n"
                       "for k in (1.0, 2.0):\n    (x * k).exp().sum().backward()\nprint('never reached')\n")
    page = tmp_path / "page.html"
    assert main(["explore", str(program), "--out", str(page), "--call", "2"]) == 0
    assert "written" in capsys.readouterr().out and "program.py:4" in page.read_text() and "<script src" not in page.read_text()
    assert main(["explore", str(program), "--out", str(page), "--call", "3"]) == 1
    assert "2 calls of backward()" in capsys.readouterr().err
    (tmp_path / "text.md").write_text("# a title\nand words")
    (tmp_path / "ends.py").write_text("import sys\nsys.exit(0)\n")
    for path, said in (("missing.py", "there is no file {path}"), ("", "{path} is no Python file"), ("text.md", "{path} is no Python file: invalid syntax"),
                       ("ends.py", "{path} ended after 0 calls of backward() in its main thread, before call 1")):
        capsys.readouterr()
        assert main(["explore", str(tmp_path / path)]) == 1
        err = capsys.readouterr().err
        assert err.startswith("tinygrad-lite: " + said.format(path=tmp_path / path)) and err.count("\n") == 1
    assert main(["explore", str(program), "--out", "page.svg"]) == 1 and capsys.readouterr().err == "tinygrad-lite: --out is an HTML file, not page.svg\n"
    with pytest.raises(SystemExit):
        main(["explore", str(program), "--lr", "3"])
    err = capsys.readouterr().err
    assert "own come after --" in err and err.count("\n") == 1
    assert tl.ones(1, requires_grad=True).sum().backward() is None  # backward is itself again


def test_an_explored_program_runs_as_python_runs_it(tmp_path, monkeypatch):
    (tmp_path / "neighbor_of_it.py").write_text("from tinygrad_lite import nn\ndef make(n):\n    return nn.Sequential(nn.Linear(2, n), nn.Tanh())\n")
    program = tmp_path / "program.py"
    program.write_text("import sys, neighbor_of_it, tinygrad_lite as tl\nclass Trainer:\n    def __init__(self):\n"
                       "        self.model, self.other = neighbor_of_it.make(int(sys.argv[1])), neighbor_of_it.make(3)\n    def fit(self):\n"
                       "        scale = tl.tensor(2.0, requires_grad=True)\n        ((self.model(tl.ones(4, 2)).sum() + self.other(tl.ones(4, 2)).sum()) * scale).backward()\n"
                       "if __name__ == '__main__':\n    Trainer().fit()\n")
    opened, before = [], (list(sys.path), list(sys.argv))
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["explore", str(program), "--out", str(tmp_path / "page.html"), "--open", "--", "5", "--more"]) == 0
    page = (tmp_path / "page.html").read_text()
    assert all(f'"name":"{name}"' in page for name in ("model.0.weight", "model.0.bias", "other.0.weight", "scale")) and '"shape":[5,2]' in page
    assert opened == [(tmp_path / "page.html").as_uri()] and before == (sys.path, sys.argv)


def names_of(source, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import tinygrad_lite as tl\nfrom tinygrad_lite import nn\n" + source)
    assert main(["explore", str(program), "--out", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    data = json.loads(page[page.index("const data = ") + 13 : page.index(";\nconst { steps")])
    return {s["name"]: s for s in data["steps"] if s["op"] in ("leaf", "parameter")}


@pytest.mark.parametrize("source, names", [
    ("m = nn.Sequential(nn.Linear(2, 1))\nfor p in m.parameters(): pass\nm(tl.ones(1, 2)).sum().backward()", {"0.weight", "0.bias"}),
    ("class Net(nn.Module):\n    def __init__(self): self.fc = nn.Linear(2, 1)\n    def fit(self): self.fc(tl.ones(1, 2)).sum().backward()\nnet = Net()\nnet.fit()", {"fc.weight", "fc.bias"}),
    ("class T: pass\nme = T()\nme.model = nn.Linear(2, 1)\nme.model(tl.ones(1, 2)).sum().backward()", {"weight", "bias"}),
    ("ms = [nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False)]\nms[1](ms[0](tl.ones(1, 2))).sum().backward()", {"ms[0].weight", "ms[1].weight"}),
    ("g, d = nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False)\nd(g(tl.ones(1, 2))).sum().backward()", {"g.weight", "d.weight"}),
    ("class Bad:\n    __class__ = property(lambda self: 1 / 0)\nself = bad = Bad()\nw = tl.ones(2, requires_grad=True)\nw.sum().backward()", {"w"})])
def test_tensors_are_called_as_in_the_program(source, names, tmp_path):
    assert set(names_of(source, tmp_path)) == names


def test_all_outputs_are_explored_with_the_gradients_that_they_were_given(tmp_path):
    found = names_of("w, v = tl.tensor([1.0, 2.0], requires_grad=True), tl.tensor([3.0], requires_grad=True)\n"
                     "tl.autograd.backward([w * w, v * 3], [tl.tensor([1.0, 10.0]), tl.tensor([2.0])])", tmp_path)
    assert found["w"]["grad"]["values"] == [2, 40] and found["v"]["grad"]["values"] == [6]


def test_the_version_is_said(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and re.fullmatch(r"tinygrad-lite \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_a_function_of_ones_own_shows_up_like_a_built_in_one(tmp_path):
    class Twice(tl.autograd.Function):
        @staticmethod
        def forward(ctx, value, times):
            ctx.times = times
            return value * times

        @staticmethod
        def backward(ctx, g):
            return g * ctx.times, None

    x = tl.ones(2, requires_grad=True)
    loss = (Twice.apply(x, 2.0) + Twice.apply(x, 3.0)).sum()
    tape = tl.tape(loss)
    assert [str(s) for s in tape[1:3]] == ["v1 = Twice(v0, times=2.0)", "v2 = Twice(v0, times=3.0)"]
    tape.backward()
    assert "v0.grad += v2.grad * 3" in str(tape) and tape.gradients[0].tolist() == [5.0, 5.0]
    assert "Twice" in tl.draw(tape).source
    page = tl.explore(tape, tmp_path / "page.html").read_text()
    assert "return g * ctx.times, None" in page and '"total":{"summary":"[5., 5.]"' in page
