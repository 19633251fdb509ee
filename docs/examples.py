"""Trains every model by its command, and writes the table of examples/README.md: what each learnt, in which time.

    python docs/examples.py            # or: make examples
    python docs/examples.py gan vae    # these only; the rows of the others stay
"""

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


def main(names: list[str]) -> None:
    """Train these, or all, and put their rows into the table."""
    (HERE / "pictures").mkdir(exist_ok=True)
    text = README.read_text(encoding="utf-8")
    for name in names or TASKS:
        with tempfile.TemporaryDirectory() as folder:
            result, seconds = trained(name, Path(folder, name))
            smaller(Path(folder, name, f"{SHOWN[name]}.png"), HERE / "pictures" / f"{name}.png")
        what = (TASKS[name].__doc__ or "").partition("\n")[0]
        row = f"| `train {name}` | {what} | {result} | {seconds:.0f} s | ![{name}](pictures/{name}.png) |"
        print(row, flush=True)
        text = re.sub(rf"^\| `train {name}` .*\n", "", text, flags=re.M) + f"{row}\n"
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
