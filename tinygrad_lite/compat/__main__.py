"""Run a PyTorch program on this library: `python -m tinygrad_lite.compat program.py args…`."""

import runpy
import sys
from pathlib import Path

from . import install


def main() -> None:
    """Run the program that the first argument names, with the others as its own."""
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit("usage: python -m tinygrad_lite.compat program.py [arguments of the program]")
    program = Path(sys.argv[1])
    if not program.is_file():
        sys.exit(f"tinygrad_lite.compat: there is no file {program}")
    install()
    del sys.argv[0]
    sys.path[0] = str(program.resolve().parent)  # as `python program.py` has it
    runpy.run_path(str(program), run_name="__main__")


main()
