"""tinygrad_lite.parallel: ranks that a real launcher starts, in tests/parallel_programs."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import nn, optim
from tinygrad_lite.parallel import DataParallel, DistributedSampler, average_gradients, group, save, shard

MPIRUN = Path(sys.executable).with_name("mpirun")
PROGRAMS = Path(__file__).parent / "parallel_programs"
PARTS = ("PMI", "OMPI_", "SLURM_", "MV2_", "HYDRA", "MPI")  # names of variables that launchers set
ranks_needed = pytest.mark.skipif(not MPIRUN.exists(), reason="needs MPICH: pip install mpich mpi4py")


def run(size, program, *args, seconds=60):
    """What `size` ranks of a program, or of the command tinygrad-lite, print, and the code that the launcher gives."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(PARTS)} | {"OMP_NUM_THREADS": "1"}
    program = ["-m", "tinygrad_lite"] if program == "tinygrad-lite" else [PROGRAMS / program]
    return subprocess.run([MPIRUN, "-n", str(size), sys.executable, *program, *args], env=env,
                          capture_output=True, text=True, timeout=seconds)


@ranks_needed
@pytest.mark.parametrize("size", (2, 4))
def test_losses_and_weights_are_those_of_one_process_with_all_rows(size):
    done = run(size, "equal.py")
    assert done.returncode == 0, done.stderr
    rows = [line.rsplit(", ", 2) for line in done.stdout.splitlines()]
    assert len(rows) == 10 * size
    for name, loss, weight in rows:
        bound = 1e-6 if "float32" in name or name == "by hand" else 1e-12
        assert float(loss) < bound and float(weight) < bound, name


@ranks_needed
@pytest.mark.parametrize("size", (2, 4))
def test_what_else_is_promised(size, tmp_path):
    done = run(size, "promises.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 12 * size


@ranks_needed
@pytest.mark.parametrize("size", (2, 3))
def test_what_would_be_silently_wrong_is_refused(size):
    done = run(size, "refused.py")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 6 * size


WRONG = {  # what the last rank does: (what is said of it, the code of the launcher)
    "raises": ("of 2 failed:\nTraceback", 1),
    "is killed": ("", 9),
    "loops": ("rank 0 has waited 2.0 s in sum for ranks [1]", 1),
    "returns": ("rank 1 is in the end of its program", 1),
    "exits": ("rank 1 is in the end of its program", 1),
    "waits elsewhere": ("rank 1 is in barrier", 1),
    "is interrupted": ("", 130),
    "ends before it begins": ("Timeout", 1),
    "no mpi4py": ('pip install mpi4py mpich', 1),
    "batches": ("with model.join():", 1),
    "batches of the last epoch": ("rank 0 is in average", 1),
    "exits after the others": ("", 3),
}


@ranks_needed
@pytest.mark.parametrize("case", WRONG)
def test_what_goes_wrong_in_one_rank_ends_all(case):
    start = time.monotonic()
    done = run(2, "wrong.py", case)
    said, code = WRONG[case]
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert time.monotonic() - start < 20  # and not the five minutes of the default
    if case == "raises":
        assert done.stderr.count("ZeroDivisionError: a mistake of one rank") == 1 and "rank 1 of 2" in done.stderr
    if case == "is interrupted":
        assert "Traceback" not in done.stderr


@ranks_needed
def test_one_of_four_ends_all():
    done = run(4, "wrong.py", "raises")
    assert done.returncode == 1 and "rank 3 of 4 failed:\nTraceback" in done.stderr


def trained(size, out, model, *more, code=0):
    done = run(size, "tinygrad-lite", "train", model, "--out", out, *map(str, more))
    assert done.returncode == code, done.stderr
    return done


def losses(folder):
    return np.loadtxt(folder / "log.csv", delimiter=",", skiprows=1)[:, 1]


@ranks_needed
@pytest.mark.parametrize("size, more", [(2, ["--accumulate", 2]), (4, ["--batch-size", 3])])
def test_the_command_trains_in_ranks_as_in_one_process(size, more, tmp_path):
    small = ["--steps", 20, "--dropout", 0, "--lr", 0.01, "--clip", 1, *more]
    said = [trained(n, tmp_path / str(n), "mlp", *small).stdout for n in (1, size)]
    assert said[0].splitlines()[0] == said[1].splitlines()[0] and len(said[1].splitlines()) == 2
    np.testing.assert_allclose(losses(tmp_path / "1"), losses(tmp_path / str(size)), rtol=2e-6)


@ranks_needed
def test_a_run_of_ranks_goes_on_bit_for_bit(tmp_path):
    more = ["mlp", "--batch-size", 9]  # a rank has a row more; dropout is another in each
    trained(2, tmp_path / "whole", *more, "--steps", 12)
    trained(2, tmp_path / "parts", *more, "--steps", 5)
    trained(2, tmp_path / "parts", "mlp", "--steps", 12, "--resume")
    for name in ("log.csv", "checkpoint.safetensors"):
        whole, parts = (tmp_path / folder / name for folder in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes()


@ranks_needed
def test_what_is_wrong_with_a_run_ends_all_ranks_with_it(tmp_path):
    trained(2, tmp_path / "run", "mlp", "--steps", 2)
    assert "holds a run already" in trained(2, tmp_path / "run", "mlp", "--steps", 2, code=1).stderr
    (tmp_path / "run" / "checkpoint.safetensors").write_bytes(b"damaged")
    assert "checkpoint.safetensors is no" in trained(2, tmp_path / "run", "mlp", "--resume", code=1).stderr
    (tmp_path / "file").write_text("")
    assert "File exists" in trained(2, tmp_path / "file", "mlp", code=1).stderr


def test_a_launcher_of_another_mpi_is_refused():
    program = "from tinygrad_lite.parallel import group; group()"
    env = {name: value for name, value in os.environ.items() if not name.startswith(PARTS)}
    done = subprocess.run([sys.executable, "-c", program], env=env | {"OMPI_COMM_WORLD_SIZE": "3"}, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 1 and "the launcher started 3 ranks, mpi4py sees 1" in done.stderr


def test_without_a_launcher_there_is_one_rank_and_no_mpi(tmp_path):
    module = nn.Linear(2, 1)
    optimizer = optim.SGD(module.parameters(), lr=0.1)
    model, x = DataParallel(module, optimizer), np.ones((3, 2), np.float32)
    assert group() is group() and (group().rank, group().size) == (0, 1)
    assert group().gather("a") == ["a"] and group().broadcast("a") == "a" and group().barrier() is None
    assert group().sum(x) is x and shard({"x": x})["x"].shape == (3, 2)
    with model.join():
        model(tl.from_numpy(x)).sum().backward()
        model.average()
        assert average_gradients(model.parameters(), 3, (1.5,)).tolist() == [1.5]
        assert module.weight.grad.tolist() == [[3, 3]]
        optimizer.step(lambda: None)
    save(model.state_dict(), tmp_path / "weights")
    assert list(tl.load(tmp_path / "weights")) == ["weight", "bias"]
    assert list(DistributedSampler(range(5), 2, 1, shuffle=False)) == [1, 3]
    assert len(DistributedSampler(range(5), 2, 0)) == 3 and len(DistributedSampler(range(5), 2, 0, drop_last=True)) == 2
    assert "mpi4py.MPI" not in sys.modules
