"""The explorer in a real browser: it opens, steps, asks, searches, shows the tape's values, and nothing overlaps."""

import os
import shutil

import numpy as np
import pytest
from networks import MODELS, recorded

import tinygrad_lite as tl
from tinygrad_lite import nn
from tinygrad_lite.view.table import summary

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser():
    if not os.environ.get("BROWSER_REQUIRED"):  # make browser, and so CI, does not skip
        pytest.importorskip("playwright")
        if CHROMIUM is None:
            pytest.skip("no chromium is installed: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    tl.manual_seed(0)
    model = nn.Sequential({"body": nn.Sequential(nn.Linear(3, 40), nn.ReLU()), "head": nn.Linear(40, 2)})
    with tl.study():
        loss = nn.functional.cross_entropy(model(tl.randn(5, 3)), np.array([0, 1, 1, 0, 1]))
    tape = tl.tape(loss, model)
    return tape, tl.explore(tape, tmp_path_factory.mktemp("page") / "graph.html")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    made = {}

    def path_of(name):
        if name not in made:
            model, loss = recorded(name)
            made[name] = tl.explore(loss, tmp_path_factory.mktemp(name) / "page.html", model)
        return made[name]

    return path_of


@pytest.fixture
def opened(browser):
    """Opens pages, and sees to it that none of them complains or loads anything."""
    errors, pages = [], []

    def page(path, width=1200, height=800, address="", **options):
        page = browser.new_page(viewport={"width": width, "height": height}, **options)
        pages.append(page)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: errors.append(request.url) if not request.url.startswith("file:") else None)
        page.goto(path.as_uri() + address)
        return page

    yield page
    for p in pages:
        p.close()
    assert errors == []


@pytest.fixture
def page(opened, graph):
    return opened(graph[1])


def phase(page):
    return page.locator("#phase").inner_text()


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def boxes(page, state):
    """What is written in the boxes of a state."""
    return [" ".join(text.split("\n")) for text in page.locator(f"#graph .node.{state}").evaluate_all(
        "nodes => nodes.map(n => [...n.querySelectorAll('text:not(.mark)')].map(t => t.textContent).join('\\n'))")]


def crumbs(page):
    return page.locator("#crumbs [aria-current=true]").inner_text()


# ---------------------------------------------------------------- stepping
def test_arrows_step_into_every_operation_to_the_end_and_back(page, graph):
    tape, _ = graph
    forward = sum(step.is_operation for step in tape)
    assert phase(page) == "before the first step"
    for k in range(forward):
        press(page, "ArrowRight")
        assert phase(page) == f"forward {k + 1} of {forward}" and page.locator("#graph .node.now").count() == 1
    press(page, "ArrowRight")
    assert phase(page) == f"backward 1 of {forward}" and page.locator("#graph .edge.back").count() == 1
    press(page, "End", "ArrowRight")
    assert phase(page) == f"backward {forward} of {forward}"
    press(page, "Home", "ArrowLeft")
    assert phase(page) == "before the first step"


def test_into_over_and_out_are_a_debuggers(opened, pages):
    page = opened(pages("gpt2"))
    press(page, "o", "o", "o", "o")
    assert (crumbs(page), phase(page)) == ("the whole", "forward 4 of 59") and boxes(page, "now") == ["blocks: Sequential [2, 8, 16] 1 of 52"]
    press(page, "ArrowRight")
    assert crumbs(page) == "attn: Attention" or crumbs(page) == "qkv: Linear"
    press(page, "u")
    while crumbs(page) != "0: Block":
        press(page, "u")
    assert boxes(page, "now") == ["add [2, 8, 16]"]
    press(page, "o")
    assert boxes(page, "now") == ["ln2: LayerNorm, as ln1 [2, 8, 16] 1 of 1"]
    page.get_by_role("button", name="blocks: Sequential", exact=True).first.click()
    assert boxes(page, "frame") == ["0: Block [2, 8, 16] 22 of 26", "1: Block, as 0 [2, 8, 16] 0 of 26"]
    press(page, "o")
    assert boxes(page, "now") == ["1: Block, as 0 [2, 8, 16] 1 of 26"]


def test_gradients_are_there_once_they_are_computed(page):
    press(page, *["ArrowRight"] * 4)
    page.get_by_role("button", name="the whole").first.click()
    assert boxes(page, "graded") == [] and page.locator(".edge.graded").count() == 0 and len(boxes(page, "valued")) == page.locator("#graph .node").count()
    assert "gradient is not computed yet" in page.locator("aside").inner_text()
    press(page, "ArrowRight")
    assert boxes(page, "graded") == ["cross_entropy", "output"] and page.locator("#graph .edge.graded").count() == 2
    press(page, "End")
    page.get_by_role("button", name="the whole").first.click()
    assert boxes(page, "frame") == boxes(page, "frame.graded") == ["body: Sequential [5, 40] 2 of 2", "head: Linear [5, 2] 1 of 1"]
    press(page, "Home")
    assert boxes(page, "graded") == [] and boxes(page, "frame.valued") == []


def test_values_rules_and_lines_are_the_tapes(page, graph):
    tape, _ = graph
    for step in (s for s in tape if s.is_operation):
        press(page, "ArrowRight")
        assert page.locator("aside h2").inner_text() == str(step)
        shown = page.locator("aside").inner_text()
        assert step.module in shown and "test_explorer.py:" in shown
        if step.value.size > 64:
            assert summary(step.value) in shown
        else:
            cells = page.locator("aside .values td, aside .scalar").all_inner_texts()
            np.testing.assert_allclose([float(x) for x in cells], step.value.ravel(), rtol=6e-3)
    press(page, "ArrowRight", "ArrowRight")  # the head's linear layer
    shown = page.locator("aside").inner_text()
    assert "v8.grad @ head.weight" in shown and page.locator("aside math mover").count() >= 4 and "1 of 1 contributions added" in shown
    page.locator("aside details summary").first.click()
    assert "lambda g, out, x, weight, bias" in page.locator("aside details pre").first.inner_text()


def test_few_values_are_numbers_and_many_a_map_with_a_legend(page):
    press(page, "ArrowRight")
    map_ = page.locator("aside canvas")
    assert "200 values as means of 5 x 24 blocks" in page.locator("aside").inner_text() and map_.bounding_box()["height"] <= 200
    map_.hover(position={"x": 2, "y": 2})
    assert "mean of [0, 0] to [0, 0]" in page.locator("aside").inner_text() or "[0, 0] = " in page.locator("aside").inner_text()
    assert page.locator("aside .legend").count() == 1
    press(page, "ArrowRight", "ArrowRight")
    assert page.locator("aside .values td").count() == 10
    press(page, "ArrowRight")
    assert page.locator("aside .scalar").count() == 1


def test_the_quiz_hides_until_it_is_answered(page, graph):
    tape, _ = graph
    press(page, "q", *["ArrowRight"] * 6)  # the head's linear layer, backward
    assert page.locator("aside .choices").count() == 3 and page.get_by_role("heading", name="contribution", exact=True).count() == 0
    page.locator("aside .choices").first.get_by_role("button").last.click()
    assert "Not that one" in page.locator("aside").inner_text() or page.locator("aside .choices").count() == 2
    page.get_by_role("button", name="show it").first.click() if page.locator("aside .choices").count() == 3 else None
    assert page.locator("aside .choices").count() == 2
    bias = page.evaluate(f"steps[{tape[-1].index - 1}].sent[2].look.values")
    np.testing.assert_allclose(bias, tape.contributions[tape[-1].index - 1, 2], rtol=1e-4)
    field = page.locator("aside input[type=text]").last
    field.fill("123")
    field.press("Enter")
    assert "not within 1 %" in page.locator("aside").inner_text()
    field.fill(f"{bias[np.abs(bias).argmax()]:.3g}")
    field.press("Enter")
    assert page.locator("aside .choices").count() == 1
    press(page, "q")
    assert page.locator("aside .choices").count() == 0


def test_search_goes_to_the_hit_and_opens_its_module(page):
    press(page, "/")
    page.keyboard.type("relu")
    assert crumbs(page) == "body: Sequential" and boxes(page, "found") == ["1: ReLU [5, 40] 0 of 1"] and "1 of" in page.locator("#hits").inner_text()
    press(page, "Enter")
    assert crumbs(page) == "1: ReLU" and boxes(page, "found") == ["relu [5, 40]"]
    page.locator("#search").fill("nothing at all")
    assert page.locator("#hits").inner_text() == "none"


def test_the_keyboard_alone_reaches_every_box(page):
    page.locator("#graph .node.frame").first.focus()
    press(page, "Enter")
    assert crumbs(page) == "body: Sequential"
    page.locator("#graph .node.frame").first.focus()
    press(page, "Enter")
    page.locator("#graph .node.parameter").first.focus()
    press(page, "Enter")
    assert "parameter" in page.locator("aside h2").inner_text() and crumbs(page) == "0: Linear"


def test_an_address_is_that_of_a_step(opened, graph):
    page = opened(graph[1], address="#step=5&frame=1")
    assert phase(page) == "backward 1 of 4" and crumbs(page) == "body: Sequential"
    press(page, "ArrowRight")
    assert "step=6" in page.url
    page.goto(graph[1].as_uri() + "#step=99&frame=99")
    page.reload()
    assert phase(page) == "backward 4 of 4"


def test_small_graphs_are_shown_all_at_once_where_one_asks(page):
    page.get_by_role("button", name="all at once").click()
    assert page.locator("#graph .cluster").count() == 4 and page.locator("#graph .node.frame").count() == 0
    press(page, *["ArrowRight"] * 3)
    assert crumbs(page) == "all at once" and boxes(page, "now") == ["linear [5, 2]"]


def test_a_module_that_runs_twice_is_two_boxes_and_an_operation_of_each(opened, tmp_path):
    model = nn.Sequential({"a:b": nn.Linear(3, 3), "toString": nn.Tanh()})
    with tl.study():
        out = model(model(tl.ones(2, 3)).exp())
    page = opened(tl.explore(out, tmp_path / "page.html", model))
    assert [text.split(" [")[0] for text in boxes(page, "frame")] == ["a:b: Linear", "toString: Tanh", "a:b (call 2): Linear, as a:b", "toString (call 2): Tanh, as toString"]
    press(page, *["ArrowRight"] * 4)
    assert crumbs(page) == "a:b (call 2): Linear" and len(boxes(page, "parameter")) == 2


def test_over_and_out_do_not_run_across_the_turn(opened, tmp_path):
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Sequential(nn.Linear(4, 1), nn.Sigmoid()))
    with tl.study():
        out = model(tl.randn(1, 3))
    page = opened(tl.explore(out, tmp_path / "page.html", model))
    press(page, "o", "o", "o", "o")
    assert phase(page) == "backward 1 of 4"
    press(page, "Home")
    page.get_by_role("button", name="the whole").first.click()
    press(page, "u")
    assert phase(page) == "forward 4 of 4"
    page.goto(page.url.split("#")[0] + "#step=1.5&frame=x")
    assert phase(page) == "forward 1 of 4"


def test_nan_is_marked_and_whole_numbers_are_exact(opened, tmp_path):
    x = tl.tensor([[1.0, -1.0], [0.0, 12345678.0]], requires_grad=True)
    page = opened(tl.explore(tl.log(x).sum() + x[tl.tensor([1, 1]), tl.tensor([0, 1])].sum(), tmp_path / "page.html"), color_scheme="dark")
    press(page, "ArrowRight")
    cells = page.locator("aside .values td")
    assert cells.all_inner_texts() == ["0", "nan", "-inf", "16.3"] and page.evaluate("getComputedStyle(document.querySelectorAll('aside .values td')[1]).backgroundColor") == "rgb(255, 212, 59)"
    page.locator("#graph .node.leaf").first.click()
    assert "12345678" in page.locator("aside .values").first.inner_text()


# ---------------------------------------------------------------- how it looks
OVERLAPS = """() => { const rects = [...document.querySelectorAll("#graph .node")].map(n => n.querySelector("path, polygon").getBoundingClientRect());
  return rects.flatMap((a, i) => rects.slice(i + 1).filter(b => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5)).length; }"""
SMALL = """() => [...document.querySelectorAll("body *")].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) &&
  !e.closest("script, style, math") && e.getClientRects().length && parseFloat(getComputedStyle(e).fontSize) < 11).length"""
SPILLED = """() => [...document.querySelectorAll("#graph .node")].filter(n => { const box = n.querySelector("path, polygon").getBoundingClientRect();
  return [...n.querySelectorAll("text:not(.mark)")].some(t => { const r = t.getBoundingClientRect(); return r.left < box.left || r.right > box.right; }); }).length"""


@pytest.mark.parametrize("width", [1400, 900, 390])
@pytest.mark.parametrize("name", MODELS)
def test_nothing_overlaps_or_is_too_small(opened, pages, name, width):
    page = opened(pages(name), width, 850)
    frames = page.evaluate("frames.length")
    assert frames > 1
    for f in range(frames):
        page.evaluate(f"open({f})")
        assert page.locator("#graph .node").count() <= 60
        assert [page.evaluate(test) for test in (OVERLAPS, SMALL, SPILLED)] == [0, 0, 0], f
        scale = page.evaluate("(() => { const s = document.querySelector('#graph svg'); return s.getBoundingClientRect().width / s.viewBox.baseVal.width; })()")
        assert abs(scale - 1) < 0.01
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    graph, panel = (page.locator(part).bounding_box() for part in ("main", "aside"))
    assert panel["y"] >= graph["y"] + graph["height"] - 1 if width == 390 else panel["x"] >= graph["x"] + graph["width"] - 1


@pytest.mark.parametrize("name", ["mlp", "gpt2"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(opened, pages, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(pages(name), color_scheme=scheme)
    for keys in ([], ["ArrowRight"] * 3, ["End", "q"]):
        press(page, *keys)
        found = [v for v in axe.run(page).response["violations"] if v["impact"] in ("serious", "critical")]
        assert not found, [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_light_or_dark(opened, graph, scheme):
    page = opened(graph[1], color_scheme=scheme)
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(22, 24, 27)") == (scheme == "dark")
    page.get_by_title("light or dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != back


def test_it_prints_the_graph_and_the_panel(opened, graph, tmp_path):
    page = opened(graph[1])
    press(page, *["ArrowRight"] * 6)
    assert len(page.pdf(path=tmp_path / "page.pdf")) > 10_000
    page.emulate_media(media="print")
    shown = {name: page.locator(name).is_visible() for name in ("#graph svg", "aside h2", "#slider", "nav", "#next")}
    assert shown == {"#graph svg": True, "aside h2": True, "#slider": False, "nav": False, "#next": False}


def test_six_blocks_stay_fluid(opened, pages):
    page = opened(pages("gpt6"))
    each = page.evaluate("""() => { const n = passes.length, start = performance.now();
        for (let i = 0; i < n; i++) { go(i); document.body.getBoundingClientRect(); }
        return (performance.now() - start) / n; }""")
    assert each < 50 and pages("gpt6").stat().st_size < 5e6
