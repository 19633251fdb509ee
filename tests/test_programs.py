"""Programs as people write them for PyTorch, run whole under tinygrad_lite.compat, as their users would."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"), key=lambda path: path.stem)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_end_well(path, tmp_path):
    command = [sys.executable, "-m", "tinygrad_lite.compat", str(path)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() and "not learned" not in ran.stdout
    assert "Warning" not in ran.stderr and "nan" not in ran.stdout.split()
