"""PyTorch's names for this library: compat.install(), programs run on it, devices, and sparse tensors."""

import subprocess
import sys
import types

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import compat


@pytest.fixture
def torch(monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == "torch"]:  # what other tests may have loaded
        monkeypatch.delitem(sys.modules, name)
    compat.install()
    import torch
    yield torch
    compat.uninstall()


IMPORTS = """
import torch.nn as nn, torch.nn.functional as F, torch.optim as optim, torch.utils.data
from torch import Tensor, nn, optim, autograd
from torch.nn import Module, Linear, functional
from torch.nn.parameter import Parameter
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence, pack_padded_sequence
from torch.autograd import Variable, Function, grad
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split
from torch.utils.data.dataset import Dataset
from torch.optim.lr_scheduler import StepLR, ReduceLROnPlateau, _LRScheduler
from torch.optim.swa_utils import AveragedModel
from torch.distributions import Categorical, Normal
from torch.distributions.categorical import Categorical
from torch.cuda.amp import autocast, GradScaler
from torch.nn import *
import torch.backends.cudnn as cudnn
from torch.autograd.function import once_differentiable
import torch.jit, torch.onnx, torch.nn.parallel
from torch.optim.adam import Adam
from torch.utils.checkpoint import checkpoint; assert checkpoint(abs, -2, use_reentrant=False) == 2
"""


@pytest.mark.parametrize("line", IMPORTS.strip().splitlines())
def test_pytorchs_modules_are_found(torch, line):
    exec(line, {})


def test_what_is_behind_the_names_is_this_library(torch):
    import torch.nn.functional as F
    assert torch.Tensor is tl.Tensor and torch.nn.Linear is tl.nn.Linear and F.relu is tl.nn.functional.relu
    assert torch.optim.Adam is tl.optim.Adam and isinstance(torch, types.ModuleType) and "tinygrad" in torch.__version__
    x = torch.tensor([2.0], requires_grad=True)
    (x * x).backward()
    assert x.grad.tolist() == [4.0]


@pytest.mark.parametrize("line, error, words", [
    ("torch.sofmax", AttributeError, "no attribute 'sofmax'.*softmax"),
    ("torch.nn.Liner", AttributeError, "'torch.nn' has no attribute 'Liner'.*Linear"),
    ("torch.jit.script", AttributeError, "torch.jit.*torch.compile"),
    ("import torch.nn.functionals", ModuleNotFoundError, "torch.nn.functionals.*torch.nn.functional"),
    ("from torch.nn import Liner", ImportError, "Liner"),
    ("torch.cuda.get_device_name(0)", RuntimeError, "CPU"),
    ("torch.cuda.is_availible()", AttributeError, "is_available"),
    ("torch.zeros(1, dtype=torch.bfloat16)", TypeError, "bfloat16, which numpy does not have: use float32"),
    ("torch.zeros(1).to(torch.bfloat16)", TypeError, "bfloat16"),
    ("torch.zeros(1, device='cuda')", RuntimeError, "cpu")])
def test_what_is_missing_is_named_with_the_nearest_name(torch, line, error, words):
    with pytest.raises(error, match=words):
        exec(line, {"torch": torch})


def test_uninstall_puts_all_back():
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "torch"}
    there = types.ModuleType("torch")
    sys.modules["torch"] = sys.modules.get("torch", there)
    mine = sys.modules["torch"]
    try:
        with pytest.raises(RuntimeError, match="force=True"):
            compat.install()
        assert sys.modules["torch"] is mine
        compat.install(force=True)
        compat.install()  # once more changes nothing
        assert sys.modules["torch"].Tensor is tl.Tensor
        compat.uninstall()
        compat.uninstall()
        assert sys.modules["torch"] is mine
    finally:
        if mine is there:
            del sys.modules["torch"]
    assert {name: m for name, m in sys.modules.items() if name.split(".")[0] == "torch"} == before


def run(*arguments, cwd):
    return subprocess.run([sys.executable, "-m", "tinygrad_lite.compat", *arguments], cwd=cwd, text=True,
                          capture_output=True)


def test_a_program_runs_with_its_arguments_and_its_neighbors(tmp_path):
    (tmp_path / "neighbor.py").write_text("import torch\nweight = torch.ones(2)\n")
    (tmp_path / "program.py").write_text("import sys, torch\nfrom neighbor import weight\n"
                                         "if __name__ == '__main__':\n    print(sys.argv, (weight + 1).tolist())\n")
    done = run("program.py", "--lr", "3", cwd=tmp_path)
    assert done.stdout == "['program.py', '--lr', '3'] [2.0, 2.0]\n", done.stderr


@pytest.mark.parametrize("arguments, words", [((), "usage"), (("no.py",), "there is no file no.py")])
def test_the_command_says_what_it_needs(tmp_path, arguments, words):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 1 and words in done.stderr


# ---------------------------------------------------------------- devices
def test_there_is_only_the_cpu():
    assert not tl.cuda.is_available() and tl.cuda.device_count() == 0 and not tl.backends.mps.is_available()
    assert tl.accelerator.current_accelerator() is None and tl.get_default_device() == tl.device("cpu")
    tl.cuda.manual_seed_all(0)
    tl.backends.cudnn.benchmark = True
    tl.set_default_device("cpu")
    with pytest.raises(RuntimeError, match="cpu"):
        tl.set_default_device("cuda")


def test_a_module_moves_to_the_cpu_as_programs_say_it():
    model = tl.nn.Linear(2, 1)
    assert model.to("cpu", non_blocking=True) is model and model.to(device="cpu", dtype=tl.float64).weight.dtype == np.float64


def test_data_parallel_is_the_module_itself():
    model = tl.nn.DataParallel(tl.nn.Linear(2, 1))
    x = tl.ones(3, 2)
    assert list(model.state_dict()) == ["module.weight", "module.bias"] and tl.equal(model(x), model.module(x))
    assert tl.equal(tl.nn.parallel.data_parallel(model.module, x), model(x))


def test_autocast_and_grad_scaler_change_nothing():
    w = tl.tensor([1.0], requires_grad=True)
    optimizer, scaler = tl.optim.SGD([w], lr=0.5), tl.amp.GradScaler("cuda", enabled=False)

    @tl.autocast("cpu", dtype=tl.float16)
    def loss():
        return (w * 2).sum()

    with tl.autocast(device_type="cuda", enabled=False):
        scaler.scale(loss()).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert w.tolist() == [0.0] and w.dtype == np.float32


# ---------------------------------------------------------------- sparse
def test_sparse_tensors_are_dense_underneath():
    values = tl.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x = tl.sparse_coo_tensor([[0, 1, 1], [2, 0, 0]], values, (2, 3))
    assert x.tolist() == [[0, 0, 1], [5, 0, 0]]
    tl.sparse.mm(x, tl.ones(3, 1)).sum().backward()
    assert values.grad.tolist() == [1, 1, 1]
    assert tl.sparse_coo_tensor([[0, 1], [1, 2]], [1, 2]).shape == (2, 3)
    assert x.to_sparse().coalesce().to_dense() is x
    assert tl.sparse.FloatTensor([[0]], tl.tensor([2]), tl.Size([2])).tolist() == [2.0, 0.0]
    assert x.indices().tolist() == [[0, 1], [2, 0]] and x.values().tolist() == [1, 5] and x._values().shape == (2,)
    assert np.allclose(tl.sparse.log_softmax(x, 1).array, 0) and tl.sparse.softmax(x, 1).tolist() == [[0, 0, 1], [1, 0, 0]]
    leaf = tl.sparse_coo_tensor([[0, 1], [1, 0]], [1.0, 2.0], requires_grad=True)
    (leaf * 3).sum().backward()
    assert leaf.grad.tolist() == [[3, 3], [3, 3]]
    halves = tl.sparse_coo_tensor([[0]], values[:1], (2,), dtype=np.float16)
    assert halves.dtype == np.float16 and halves.requires_grad


@pytest.mark.parametrize("indices, values, size, error", [
    ([[0, 3]], [1.0, 2.0], (3,), IndexError), ([[-1]], [1.0], (3,), IndexError), ([[0, 1]], [1.0], (3,), ValueError)])
def test_what_fits_no_sparse_tensor_is_refused(indices, values, size, error):
    with pytest.raises(error, match="sparse_coo_tensor"):
        tl.sparse_coo_tensor(indices, values, size)
