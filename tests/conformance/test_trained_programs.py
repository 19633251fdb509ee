"""Programs as people write them for PyTorch, trained 20 steps by both from the same weights: the same losses and weights."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lite import compat

torch = pytest.importorskip("torch")
PROGRAMS = sorted((Path(__file__).parents[1] / "programs").glob("*.py"), key=lambda path: path.stem)


def trained(path, start=None):
    """Losses of 20 steps, and state before and after, of a program whose `import torch` finds what it finds now."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    program.torch.manual_seed(0)
    model = program.build()
    if start is not None:
        model.load_state_dict({name: program.torch.tensor(array) for name, array in start.items()})
    before = arrays(model)
    return program.train(model, 20), before, arrays(model)


def arrays(model):
    return {name: tensor.detach().numpy().copy() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_have_pytorchs_numbers(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # where they keep their checkpoints
    monkeypatch.syspath_prepend(str(path.parent))
    names = torch.backends.ContextProp.__set__.__globals__
    monkeypatch.setitem(names, "__allow_nonbracketed_mutation_flag", True)  # PyTorch's test databases forbid it
    theirs, start, end = trained(path)
    compat.install(force=True)
    try:
        ours, before, after = trained(path, start)
    finally:
        compat.uninstall()
    assert list(start) == list(before) and len(theirs) == len(ours) and all(isinstance(loss, float) for loss in ours)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    for name in end:
        assert after[name].dtype == end[name].dtype
        np.testing.assert_allclose(after[name], end[name], rtol=1e-4, atol=1e-4, err_msg=name)
    assert not start or any(not np.array_equal(start[name], end[name]) for name in end)
