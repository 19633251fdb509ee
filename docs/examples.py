"""Trains every model by its command and runs the programs of examples/derivatives, and writes the tables of
examples/README.md: what each found, in which time.

    python docs/examples.py               # or: make examples
    python docs/examples.py gan newton    # these only; the rows of the others stay
"""

import ast
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from matplotlib import image
from matplotlib.figure import Figure

from tinygrad_lite.models import TASKS

HERE = Path(__file__).parent.parent / "examples"
README = HERE / "README.md"
SHOWN = {"mlp": "weights", "lenet": "features", "resnet": "least_sure", "gpt": "attention", "lstm": "loss",
         "seq2seq": "attention", "word2vec": "words", "vae": "latent", "gan": "samples", "diffusion": "samples",
         "reinforce": "angle"}
WIDTH = 900  # pixels of a picture


def trained(name: str, folder: Path) -> tuple[str, float]:
    """What the command says of the result, and the seconds it took."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "tinygrad_lite", "train", name, "--out", str(folder)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return said.splitlines()[0], time.perf_counter() - start


def smaller(path: Path, out: Path) -> None:
    """A copy of a picture that is no wider than WIDTH."""
    pixels = image.imread(path)
    height, width = pixels.shape[:2]
    figure = Figure(figsize=(1, height / width), dpi=min(width, WIDTH), frameon=False)
    figure.add_axes((0, 0, 1, 1)).axis("off")
    figure.axes[0].imshow(pixels, aspect="auto", interpolation="antialiased")
    figure.savefig(out)


def row_of(name: str, folder: Path) -> tuple[str, str]:
    """The row of a model or a program in its table, and by which beginning it is found there; its picture is kept."""
    program = HERE / "derivatives" / f"{name}.py"
    if name in TASKS:
        result, seconds = trained(name, folder / name)
        picture, key = folder / name / f"{SHOWN[name]}.png", f"| `train {name}` "
        what = f"{(TASKS[name].__doc__ or '').partition(chr(10))[0]} | {result} | {seconds:.0f} s"
    else:
        environment = os.environ | {"MPLBACKEND": "Agg"}
        subprocess.run([sys.executable, program], check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        picture, key = folder / f"{name}.png", f"| [`{name}.py`](derivatives/{name}.py) "
        doc = " ".join((ast.get_docstring(ast.parse(program.read_text("utf-8"))) or "").partition("\n\n")[0].split())
        what = doc.partition("; writes")[0] + "."
    smaller(picture, HERE / "pictures" / f"{name}.png")
    return f"{key}| {what} | ![{name}](pictures/{name}.png) |", key


def main(names: list[str]) -> None:
    """Make the rows of these, or of all, and put them into their tables."""
    (HERE / "pictures").mkdir(exist_ok=True)
    programs = sorted(path.stem for path in (HERE / "derivatives").glob("*.py"))
    for name in names or [*TASKS, *programs]:
        text = README.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            row, key = row_of(name, Path(folder))
        print(row, flush=True)
        text, found = re.subn(rf"^{re.escape(key)}.*$", lambda _: row, text, flags=re.M)  # noqa: B023 - called at once
        if not found:  # a new one is the last of its table
            models, between, derivatives = text.partition("\n## ")
            text = f"{models}{row}\n{between}{derivatives}" if name in TASKS else f"{text}{row}\n"
        README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
