"""Bundled data, and state dicts on disk."""

import pickle

import numpy as np
import pytest

import tinygrad_lite as tl


def test_digits_are_all_there():
    x, y = tl.data.load_digits()
    assert x.shape == (1797, 64) and x.dtype == np.float32 and (x.min(), x.max()) == (0, 1)
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert [len(part) for part in tl.data.split(x, y)] == [1438, 1438, 359, 359]


def test_a_damaged_data_file_is_named(tmp_path):
    damaged = tmp_path / "digits.npz"
    damaged.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(RuntimeError, match="digits.npz is damaged"):
        tl.data.load_digits(damaged)


def test_a_state_dict_comes_back(tmp_path):
    state = tl.nn.Linear(3, 2).state_dict()
    tl.save(state, tmp_path / "m.safetensors")
    back = tl.load(tmp_path / "m.safetensors")
    assert all((back[k].array == state[k].array).all() for k in state) and back.keys() == state.keys()
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    tl.save({"a": tl.ones(2)}, path)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        tl.save({"a": tl.zeros(2)}, path)
    assert tl.load(path)["a"].tolist() == [1.0, 1.0] and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content, message", [
    (pickle.dumps({"a": 1}), "pickle"), (b"PK\x03\x04", "pickle"), (b"\x10", "no whole safetensors")])
def test_what_is_no_safetensors_file_is_refused(tmp_path, content, message):
    path = tmp_path / "m"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=message):
        tl.load(path)
