"""PyTorch's own database of modules: the same weights give its outputs, gradients and buffers, its errors are errors."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from database import DTYPES, can_be_ours, flat, ours
from test_database import close, described
from test_operations import gradients

import tinygrad_lite as tl

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")
from torch.testing._internal.common_modules import ModuleErrorEnum, module_db  # noqa: E402

LEFT_OUT = {  # entries of the database that have no module here, and why
    "CTCLoss": "of sequences that are not aligned, for speech", "FractionalMaxPool2d": "windows drawn at random",
    "LinearCrossEntropyLoss": "saves the memory of logits that here are small"}


def left_out(name):
    """Why a module of PyTorch's is not here; None where it is."""
    if "3d" in name:
        return "three dimensions: images have two here"
    if name.startswith("Lazy"):
        return "lazy: weights are there from the beginning"
    return LEFT_OUT.get(name)


MODULES = {info.module_cls.__name__: info for info in module_db if left_out(info.module_cls.__name__) is None}
EVERY = pytest.mark.parametrize("name", MODULES)


FORMER = {"min_value", "max_value"}  # arguments of Hardtanh that PyTorch says not to use


def allowed(name, called):
    """Whether an error of PyTorch's is none here: one-hot targets may be whole numbers, and float16 becomes float32."""
    return name == "CrossEntropyLoss" and called[0] and called[0][0].shape == called[0][1].shape or name == "NLLLoss"


def here(name):
    if not hasattr(tl.nn, name):
        pytest.skip("not there yet")
    return getattr(tl.nn, name)


def leaves(x):
    """The same argument, its tensors as leaves."""
    if isinstance(x, torch.Tensor):
        return x.detach().clone().requires_grad_(x.requires_grad)
    if isinstance(x, (list, tuple)):
        parts = map(leaves, x)
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    return {k: leaves(v) for k, v in x.items()} if isinstance(x, dict) else x


def call_of(given):
    return () if given is None else tuple(given.args), {} if given is None else dict(given.kwargs)


def samples(info, dtype, requires_grad=True):
    """What a module is made and called with: (training, arguments of its class, arguments of forward)."""
    for training in (True, False):
        torch.manual_seed(0), np.random.seed(0)
        for sample in info.module_inputs_func(info, "cpu", dtype, requires_grad, training):
            made, called = call_of(sample.constructor_input), call_of(sample.forward_input)
            if can_be_ours([made, called]):
                yield training, made, called


def both(name, made, dtype, training):
    """PyTorch's module and this library's, with its weights."""
    args, settings = made
    theirs = MODULES[name].module_cls(*args, **settings).to(dtype).train(training)
    args, settings = ours(made)
    mine = here(name)(*args, **settings).to(DTYPES[dtype]).train(training)
    state = theirs.state_dict()
    assert list(mine.state_dict()) == list(state)
    mine.load_state_dict({k: v.numpy() for k, v in state.items()})
    return theirs, mine


def outputs(mine, theirs, call, what):
    """Results and buffers of both, found to be alike; gives the results."""
    args, settings = ours(call)
    given = flat([args, settings], tl.Tensor)
    found = flat(mine(*args, **settings), tl.Tensor)
    expected = flat(theirs(*call[0], **call[1]), torch.Tensor)
    assert [(m.shape, m.dtype) for m in found] == [(tuple(t.shape), DTYPES[t.dtype]) for t in expected], what
    tolerance = 1e-9 if all(t.dtype != torch.float32 for t in expected) else 2e-5
    for m, t in zip(found, expected):
        close(m, t, tolerance, what)
    assert [n for n, _ in mine.named_buffers()] == [n for n, _ in theirs.named_buffers()]
    for (n, m), t in zip(mine.named_buffers(), theirs.buffers()):
        assert m.dtype == DTYPES[t.dtype]
        close(m, t, tolerance, f"{n} of {what}")
    return found, expected, given


@EVERY
def test_outputs_gradients_and_buffers(name):
    here(name)
    for training, made, called in samples(MODULES[name], torch.float64):
        theirs, mine = both(name, made, torch.float64, training)
        what = f"{name}{described(made)}({described(called)}), training={training}"
        called = leaves(called)
        found, expected, given = outputs(mine, theirs, called, what)
        wrt = [[x for x in inputs if x.requires_grad] + list(module.parameters()) for inputs, module in (
            (given, mine), (flat(list(called), torch.Tensor), theirs))]
        for order, (ours_, theirs_) in enumerate(zip(
                gradients(tl, [m for m in found if m.dtype.kind == "f"], wrt[0]),
                gradients(torch, [t for t in expected if t.is_floating_point()], wrt[1])), 1):
            for a, b in zip(ours_, theirs_ or (), strict=theirs_ is not None):
                if b is None or not b.isnan().all():
                    close(a, b, 1e-7, f"gradient {order} of {what}")


@EVERY
def test_float32_stays_float32(name):
    here(name)
    for training, made, called in samples(MODULES[name], torch.float32, False):
        theirs, mine = both(name, made, torch.float32, training)
        outputs(mine, theirs, called, f"{name}{described(made)}({described(called)})")


@EVERY
def test_a_saved_state_is_read_by_the_other(name, tmp_path):
    here(name)
    from safetensors.torch import load_file, save_file

    _, made, _ = next(samples(MODULES[name], torch.float32))
    theirs, mine = both(name, made, torch.float32, True)
    save_file(theirs.state_dict(), tmp_path / "theirs")
    mine.load_state_dict(tl.load(tmp_path / "theirs"))
    tl.save(mine.state_dict(), tmp_path / "mine")
    assert not any(theirs.load_state_dict(load_file(tmp_path / "mine")))


@EVERY
def test_a_module_is_made_printed_and_copied_as_pytorchs(name):
    kind, theirs_kind = here(name), MODULES[name].module_cls
    expected = [p for p in inspect.signature(theirs_kind).parameters.values() if p.name not in FORMER]
    assert [(p.name, p.default) for p in inspect.signature(kind).parameters.values()] == [
        (p.name, ours(p.default)) for p in expected] or any(p.kind is p.VAR_POSITIONAL for p in expected)
    forward = list(inspect.signature(kind.forward).parameters)
    assert forward == list(inspect.signature(theirs_kind.forward).parameters) or "args" in forward
    assert kind.__name__ == name and kind.__doc__ and kind.__module__.startswith("tinygrad_lite.nn")
    for training, made, _ in samples(MODULES[name], torch.float32):
        theirs, mine = both(name, made, torch.float32, training)
        assert repr(mine) == repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")
        for copied in (copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
            assert repr(copied) == repr(mine) and list(copied.state_dict()) == list(mine.state_dict())


@pytest.mark.parametrize("name", [name for name, info in MODULES.items() if info.module_error_inputs_func])
def test_errors_are_errors(name):
    here(name)
    torch.manual_seed(0)
    info = MODULES[name]
    for error in info.module_error_inputs_func(info, "cpu", torch.float32, False, True):
        sample = error.module_error_input
        made, called = call_of(sample.constructor_input), call_of(sample.forward_input)
        if not can_be_ours([made, called]) or allowed(name, called):
            continue
        args, settings = ours(made)
        wrong = (RuntimeError, TypeError, ValueError, IndexError)
        if error.error_on is ModuleErrorEnum.CONSTRUCTION_ERROR:
            with pytest.raises(wrong):
                here(name)(*args, **settings)
                pytest.fail(f"{name}{described(made)} is no error")
        else:
            module = here(name)(*args, **settings)
            args, settings = ours(called)
            with pytest.raises(wrong):
                module(*args, **settings)
                pytest.fail(f"{name}{described(made)}({described(called)}) is no error")


def test_few_entries_of_the_database_are_left_out():
    names = {info.module_cls.__name__ for info in module_db}
    assert len(names) == 114 and len(MODULES) == 90 and names >= set(LEFT_OUT)
