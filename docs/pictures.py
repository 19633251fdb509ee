"""Makes the pictures anew that no page makes by its own code.

    python docs/pictures.py        # or: make docs
"""

import shutil
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import tinygrad_lite as tl
from tinygrad_lite import nn

matplotlib.rcParams["svg.hashsalt"] = "tinygrad_lite"  # the same picture, the same file
HERE = Path(__file__).parent / "pictures"


class Block(nn.Module):
    """Attention and a small network, each added to what came in."""

    def __init__(self, width):
        self.norm, self.attention = nn.LayerNorm(width), nn.MultiheadAttention(width, 2, batch_first=True)
        self.grow, self.shrink = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        h = self.norm(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.shrink(nn.functional.gelu(self.grow(x)))


def transformer():
    """A transformer of six blocks, drawn by an example."""
    tl.manual_seed(0)
    model = nn.Sequential({"embedding": nn.Embedding(65, 32), "blocks": nn.Sequential(*(Block(32) for _ in range(6))),
                           "head": nn.Linear(32, 65)})
    tl.draw(model, tl.randint(0, 65, (4, 16))).render(outfile=HERE / "modules.svg", cleanup=True)


def explorer():
    """The explorer of a small transformer in the middle of its backward pass; needs playwright and a chromium."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("explorer.png is left as it is: no playwright")
        return
    tl.manual_seed(0)
    model = nn.Sequential({"blocks": nn.Sequential(Block(8), Block(8)), "head": nn.Linear(8, 4)})
    with tl.study():
        loss = nn.functional.cross_entropy(model(tl.randn(2, 5, 8)).mean(1), np.array([0, 3]))
    page_file = tl.explore(loss, HERE / "explorer.html", model)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 800})
        page.goto(page_file.resolve().as_uri())
        page.evaluate("go(passes.findIndex(p => p.back && steps[p.step].op === 'gelu'))")
        page.screenshot(path=HERE / "explorer.png")
        browser.close()
    page_file.unlink()


def maps():
    """A loss curve, and what two layers' weights look like."""
    x, y = tl.data.load_digits()
    tl.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 10))
    optimizer, rng, losses = tl.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-3), np.random.default_rng(0), []
    for _ in range(600):
        rows = rng.integers(0, len(x), 64)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(tl.tensor(x[rows])), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    figure = Figure(figsize=(9, 3.2))
    left, right = figure.subplots(1, 2)
    tl.view.plot.loss_curve(losses, smooth=20, ax=left)
    tl.view.plot.weight_images(model[0].weight, (8, 8), ax=right).set(title="weights of the first layer")
    figure.tight_layout()
    figure.savefig(HERE / "maps.svg", metadata={"Date": None})


if __name__ == "__main__":
    transformer()
    explorer()
    maps()
