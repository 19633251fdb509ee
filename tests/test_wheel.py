"""The wheel holds everything, and works far from the sources."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for part in ("tinygrad_lite", "nn", "optim"):
        shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, source)
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, source], check=True)
    return next(folder.glob("*.whl"))


def test_it_contains_every_package_and_the_data(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    packaged = {f"tinygrad_lite/{p}" for p in ("py.typed", "data/digits.npz", "data/README.md", "data/breast_cancer.npz", "view/explorer.html", "cli.py", "vocabulary.pyi", "ops/__init__.pyi", "estimators/kmeans.py", "drills/exercises/softmax.py")}
    for part in ("nn", "optim"):
        packaged |= {f"tinygrad_lite/{p.relative_to(ROOT)}" for p in (ROOT / part).rglob("*.py*") if p.suffix in (".py", ".pyi")}
    assert packaged <= names
    assert not any(n.startswith(("nn/", "optim/", "tests/")) for n in names)


def test_it_trains_from_another_directory_in_a_fresh_environment(wheel, tmp_path):
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--target", site, wheel], check=True)
    program = """
import tinygrad_lite as tl
from tinygrad_lite import nn, optim
x, y = tl.data.load_digits()
model = nn.Linear(64, 10)
before = nn.functional.cross_entropy(model(tl.tensor(x)), y)
before.backward()
optim.SGD(model.parameters(), lr=0.5).step()
print(tl.__file__, nn.functional.cross_entropy(model(tl.tensor(x)), y).item() < before.item())
"""
    path = os.pathsep.join([str(site), str(Path(np.__file__).parent.parent)])  # numpy and graphviz as installed here
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path},
                         capture_output=True, text=True, check=True)
    file, improved = run.stdout.split()
    assert file.startswith(str(site)) and improved == "True"
