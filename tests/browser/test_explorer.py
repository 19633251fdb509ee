"""The explorer in a real browser: it opens, steps, searches, opens and closes modules, and shows the tape's values."""

import os
import shutil

import numpy as np
import pytest

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


@pytest.fixture
def page(browser, graph):
    page, errors = browser.new_page(viewport={"width": 1200, "height": 800}), []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: errors.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(graph[1].as_uri())
    yield page
    page.close()
    assert errors == []


def phase(page):
    return page.locator("#phase").inner_text()


def test_arrows_step_to_the_end_and_back(page, graph):
    tape, _ = graph
    forward = sum(step.is_operation for step in tape)
    assert phase(page) == "before the first step"
    for k in range(forward):
        page.keyboard.press("ArrowRight")
        assert phase(page) == f"forward {k + 1} of {forward}"
    page.keyboard.press("ArrowRight")
    assert phase(page) == f"backward 1 of {forward}" and page.locator(".node.target").count() == 1
    page.keyboard.press("End")
    assert phase(page) == f"backward {forward} of {forward}"
    page.keyboard.press("ArrowRight")
    assert phase(page) == f"backward {forward} of {forward}"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    assert phase(page) == "before the first step"


def test_values_rules_and_lines_are_the_tapes(page, graph):
    tape, _ = graph
    loss = tape[-1]
    for step in (s for s in tape if s.is_operation):
        page.keyboard.press("ArrowRight")
        assert page.locator("aside h2").inner_text() == str(step)
        shown = page.locator("aside").inner_text()
        assert step.module in shown and "test_explorer.py:" in shown and summary(step.value) in shown
    assert f"{loss.value:.4f}" in page.locator("aside").inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")  # the head's linear layer
    shown = page.locator("aside").inner_text()
    assert "v8.grad @ head.weight" in shown and page.locator("aside math mover").count() >= 4 and "2.bias" not in shown and "head.bias" in shown and "1 of 1 contributions added" in shown
    assert page.locator("aside canvas").count() >= 2 and page.locator("aside .bars i").count() >= 24
    page.locator("aside details summary").first.click()
    assert "lambda g, out, x, weight, bias" in page.locator("aside details pre").first.inner_text()


def test_large_arrays_say_that_they_are_summarised(page):
    page.keyboard.press("ArrowRight")
    assert "200 values, summarised" in page.locator("aside").inner_text()


def test_modules_close_and_open(page):
    boxes = page.locator(".node").count()
    page.locator("[data-close='body']").click()
    assert page.locator(".node.module").count() == 1 and page.locator(".node").count() < boxes
    page.locator("[data-box='mbody']").focus()
    page.keyboard.press("Enter")
    assert page.locator(".node.module").count() == 0 and page.locator(".node").count() == boxes
    page.get_by_role("button", name="collapse").click()
    assert page.locator(".node.module").count() == 2
    page.get_by_role("button", name="expand").click()
    assert page.locator(".node").count() == boxes


def test_a_module_that_runs_twice_closes_into_two_boxes_without_a_loop(browser, tmp_path):
    model = nn.Sequential({"a:b": nn.Linear(3, 3), "toString": nn.Tanh()})
    with tl.study():
        out = model(model(tl.ones(2, 3)).exp())
    page = browser.new_page()
    page.goto(tl.explore(out, tmp_path / "page.html", model).as_uri())
    page.get_by_role("button", name="collapse").click()
    assert page.locator(".node.module text:first-of-type").all_text_contents() == ["+ a:b", "+ toString"] * 2
    assert page.evaluate("edges.every(e => boxes.get(e.tail).rank < boxes.get(e.head).rank)")
    page.locator(".node.module").first.click()
    assert page.locator(".node.module").count() == 2
    page.close()


def test_search_and_keyboard_alone(page):
    page.keyboard.press("/")
    page.keyboard.type("relu")
    assert page.locator(".node.found").count() == 1
    page.keyboard.press("Escape")
    page.locator("[data-box]").first.focus()
    page.keyboard.press("Enter")
    assert "parameter" in page.locator("aside h2").inner_text()
    page.keyboard.press("0")
    scaled = page.locator("#view").get_attribute("transform")
    page.mouse.move(300, 300)
    page.mouse.wheel(0, -400)
    assert page.locator("#view").get_attribute("transform") != scaled


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [700, 1600])
def test_it_draws_in_light_and_dark_at_any_size(browser, graph, scheme, width, tmp_path):
    page = browser.new_page(viewport={"width": width, "height": 700}, color_scheme=scheme)
    page.goto(graph[1].as_uri())
    page.keyboard.press("ArrowRight")
    picture = page.screenshot(path=tmp_path / "page.png")
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert len(picture) > 20_000 and (back == "rgb(22, 24, 27)") == (scheme == "dark")
    graph_box = page.locator("#view").bounding_box()
    assert 0 < graph_box["width"] <= width and graph_box["x"] >= -1
    page.get_by_title("light or dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != back
    page.close()


@pytest.mark.slow
def test_four_layers_stay_fluid(browser, tmp_path):
    class Block(nn.Module):
        def __init__(self):
            self.attention, self.grow, self.shrink = nn.MultiheadAttention(32, 2), nn.Linear(32, 64), nn.Linear(64, 32)

        def forward(self, x):
            x = x + self.attention(x, x, x, need_weights=False)[0]
            return x + self.shrink(nn.functional.gelu(self.grow(x)))

    model = nn.Sequential(Block(), Block(), Block(), Block())
    with tl.study():
        loss = (model(tl.randn(16, 2, 32)) ** 2).mean()
    path = tl.explore(loss, tmp_path / "gpt.html", model)
    assert path.stat().st_size < 5e6
    page = browser.new_page()
    page.goto(path.as_uri())
    each = page.evaluate("""() => { const n = passes.length, start = performance.now();
        for (let i = 0; i < n; i++) { go(i); document.body.getBoundingClientRect(); }
        return (performance.now() - start) / n; }""")
    page.close()
    assert each < 50
