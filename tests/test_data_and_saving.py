"""Bundled data, and state dicts on disk."""

import io
import json
import math
import os
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


STATES = {
    "0-d": {"s": tl.tensor(3.0)}, "numpy's number": {"s": np.float64(3)}, "size 0": {"e": np.zeros((0, 3))},
    "nothing": {}, "not contiguous": {"t": np.arange(6.0).reshape(2, 3).T, "r": np.arange(3)[::-1]},
    "another byte order": {"big": np.arange(3, dtype=">f4")},
    "dtypes": {d: np.array([0, 1], d) for d in "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 longlong".split()},
    "floats": {d: np.array([0.1, -0.0, np.inf, np.nan], d) for d in "float16 float32 float64".split()},
}


@pytest.mark.parametrize("name", STATES)
def test_shapes_dtypes_and_values_come_back(tmp_path, name):
    tl.save(STATES[name], tmp_path / "m")
    back = tl.load(tmp_path / "m")
    assert back.keys() == STATES[name].keys()
    for key, value in STATES[name].items():
        assert back[key].shape == value.shape and back[key].dtype == value.dtype.newbyteorder("=")
        assert back[key].array.tobytes() == np.asarray(value).astype(back[key].dtype).tobytes()


VALUES = [3, -(2**80), 0.1, -0.0, 5e-324, float("inf"), -float("inf"), float("nan"), True, False, None, "text", "\u00fc\U0001f600\n\"",
          [], (), {}, [1, (2.5, [None, ("a",)])], (0.9, 0.999), {"a": {"b": [True]}, 0: (1,), 1.5: None, None: False, "1": 1, 1: 2},
          {"dict": [["a", 1]]}, {"tuple": [1]}, {"array": "x"}, {"float": "inf"}]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_no_array_comes_back_as_it_was(tmp_path, value):
    tl.save({"value": value, "w": tl.ones(2), 0: [value]}, tmp_path / "m")
    back = tl.load(tmp_path / "m")
    assert repr(back) == repr({"value": value, "w": tl.ones(2), 0: [value]})  # repr tells -0.0, nan, True from 1 and the order


def test_arrays_anywhere_come_back_as_tensors(tmp_path):
    state = {"a.b": np.arange(2), "a": {"b": tl.ones(3), "c": [np.float64(2), {"b": (tl.zeros(0),)}]}, 7: tl.ones(1).half()}
    tl.save(state, tmp_path / "m")
    back = tl.load(tmp_path / "m")
    assert back["a.b"].tolist() == [0, 1] and back["a"]["b"].tolist() == [1, 1, 1] and back[7].dtype == np.float16
    assert back["a"]["c"][0].item() == 2.0 and back["a"]["c"][1]["b"][0].shape == (0,)
    from safetensors.numpy import load_file
    assert sorted(load_file(tmp_path / "m")) == ["7", "a.b", "a.b'", "a.c.0", "a.c.1.b.0"]


@pytest.mark.parametrize("tree", ["{", '{"dict": 3}', '{"dict": [["w", {"array": "other"}]]}', '{"what": 1}', "{}", '{"a": 1, "b": 2}',
                                  "[" * 10**5, '{"dict": [[["list"], 1]]}'])
def test_a_damaged_header_is_said_to_be(tmp_path, tree):
    from safetensors.numpy import save_file
    save_file({"w": np.ones(1)}, tmp_path / "m", {"tinygrad_lite": tree})
    with pytest.raises(RuntimeError, match="m has a damaged header"):
        tl.load(tmp_path / "m")


@pytest.mark.parametrize("make", [
    lambda ps: tl.optim.SGD(ps, lr=0.1, momentum=0.9), lambda ps: tl.optim.AdamW(ps, lr=tl.tensor(0.01), amsgrad=True), tl.optim.Adafactor,
    lambda ps: tl.optim.NAdam([("w", next(iter(ps)))]), tl.optim.Rprop, tl.optim.ASGD, lambda ps: tl.optim.LBFGS(ps, lr=0.1, max_iter=3)])
def test_training_goes_on_from_a_file_to_the_bit(tmp_path, make):
    def train(model, optimizer, steps):
        def closure():
            optimizer.zero_grad()
            loss = (model(x) - 1).square().mean()
            loss.backward()
            return loss
        for _ in range(steps):
            optimizer.step(closure)

    x, model, other = tl.linspace(-1, 1, 12).reshape(4, 3), tl.nn.Linear(3, 2), tl.nn.Linear(3, 2)
    optimizer = make(model.parameters())
    train(model, optimizer, 4)
    tl.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 4}, tmp_path / "m")
    back = tl.load(tmp_path / "m")
    again = make(other.parameters())
    other.load_state_dict(back["model"])
    again.load_state_dict(back["optimizer"])
    assert repr(again.state_dict()) == repr(optimizer.state_dict()) and back["epoch"] == 4
    train(model, optimizer, 4), train(other, again, 4)
    assert all((p.array == q.array).all() for p, q in zip(model.parameters(), other.parameters()))


def test_a_scalar_parameter_loads_its_own_file_and_can_be_changed(tmp_path):
    model = tl.nn.Module()
    model.scale = tl.nn.Parameter(np.float32(2))
    tl.save(model.state_dict(), tmp_path / "m")
    state = tl.load(tmp_path / "m")
    state["scale"].add_(1)
    model.load_state_dict(state)
    assert model.scale.shape == () and model.scale.item() == 3.0


def test_a_file_is_no_pickle_because_of_the_length_of_its_header(tmp_path):
    for length in range(1, 260, 4):  # the first byte of a file is the length of the header, and a pickle's is 128
        tl.save({"w" * length: tl.ones(1)}, tmp_path / "m")
        assert list(tl.load(tmp_path / "m")) == ["w" * length]


def test_an_open_file_is_written_and_read():
    buffer = io.BytesIO()
    tl.save({"w": tl.ones(2), "epoch": 3}, buffer)
    buffer.seek(0)
    state = tl.load(buffer)
    assert state["w"].tolist() == [1, 1] and state["epoch"] == 3


def written_by_hand(dtype, shape, content):
    header = json.dumps({"w": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(content)]}}).encode()
    return len(header).to_bytes(8, "little") + header + content


@pytest.mark.parametrize("shape", [[4], [2, 2], []])
def test_bfloat16_is_read_exactly(tmp_path, shape):
    values = np.array([-1.5, np.inf, 2.0**-133, np.nan], np.float32)[:math.prod(shape)].reshape(shape)
    (tmp_path / "m").write_bytes(written_by_hand("BF16", shape, (values.view(np.uint32) >> 16).astype("<u2").tobytes()))
    back = tl.load(tmp_path / "m")["w"]
    assert back.dtype == np.float32 and back.shape == values.shape and back.array.tobytes() == values.tobytes()


class Foreign:
    """A tensor of another library."""

    def __array__(self, dtype=None, copy=None):
        return np.ones(2)


@pytest.mark.parametrize("state, kind, message", [
    ({"w": {1, 2}}, TypeError, "'w' is set; a file holds Tensors, arrays, numbers, strings"), ({"w": b"text"}, TypeError, "'w' is bytes"),
    ({"model": {"f": print}}, TypeError, "'model.f' is builtin_function"), ({"w": [0, [1j]]}, TypeError, r"'w.1.0' is complex"),
    ({"w": {(1, 2): 3}}, TypeError, r"the key \(1, 2\) in 'w' is tuple; keys are strings and numbers"),
    ({"__metadata__": tl.ones(1)}, ValueError, "'__metadata__'.*another key"), ({tl.float32: tl.ones(1)}, TypeError, r"key dtype\('float32'\) is"),
    ({"w": np.array("text")}, TypeError, "'w' has dtype <U4"), ({"w": np.array([1j])}, TypeError, "'w' has dtype complex128"),
    ({"w": np.array([None])}, TypeError, "'w' has dtype object"), ({"w": Foreign()}, TypeError, "'w' is a Foreign of .*np.asarray"), (tl.nn.Linear(1, 1), TypeError, "not Linear"),
    ([("w", tl.ones(1))], TypeError, "a state dict is a dict, such as model.state_dict")])
def test_what_cannot_be_saved_is_named_and_no_file_is_made(tmp_path, state, kind, message):
    with pytest.raises(kind, match=message):
        tl.save(state, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(params=["Linux's way", "the portable way"])
def way(request, monkeypatch):
    if request.param == "the portable way":
        monkeypatch.delattr("os.O_TMPFILE", raising=False)
    return request.param


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch, way):
    path = tmp_path / "m.safetensors"
    tl.save({"a": tl.ones(2)}, path)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full.*m.safetensors"):
        tl.save({"a": tl.zeros(2)}, path)
    assert tl.load(path)["a"].tolist() == [1.0, 1.0] and len(list(tmp_path.iterdir())) == 1


def test_what_is_being_written_has_no_name_that_could_stay_behind(tmp_path, monkeypatch):
    try:
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_WRONLY))
    except (AttributeError, OSError):
        pytest.skip("this system has no files without names")
    names = []
    monkeypatch.setattr("os.fsync", lambda file: names.extend(tmp_path.iterdir()))
    tl.save({"a": tl.ones(2)}, tmp_path / "m")
    assert names == [] and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name, kind", [("nowhere/m", FileNotFoundError), ("file/m", NotADirectoryError)])
def test_an_error_names_the_path_that_was_asked_for(tmp_path, way, name, kind):
    (tmp_path / "file").touch()
    with pytest.raises(kind) as found:
        tl.save({"a": tl.ones(2)}, tmp_path / name)
    assert found.value.filename == str(tmp_path / name) and "saving-" not in str(found.value)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_a_file_keeps_its_mode(tmp_path, way, mode):
    (tmp_path / "m").touch()
    (tmp_path / "m").chmod(mode)
    tl.save({"a": tl.ones(2)}, tmp_path / "m")
    assert (tmp_path / "m").stat().st_mode & 0o777 == mode and tl.load(tmp_path / "m")["a"].shape == (2,)


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path, way):
    (tmp_path / "other").touch()
    tl.save({}, tmp_path / "m")
    assert (tmp_path / "m").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("there", [True, False])
def test_a_link_goes_on_pointing_to_the_file(tmp_path, way, there):
    (tmp_path / "folder").mkdir()
    if there:
        tl.save({}, tmp_path / "folder" / "m")
    (tmp_path / "link").symlink_to(os.path.join("folder", "m"))
    tl.save({"a": tl.ones(2)}, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and tl.load(tmp_path / "folder" / "m")["a"].shape == (2,)


def test_a_name_may_be_as_long_as_names_can_be(tmp_path, way):
    path = tmp_path / ("n" * 255)
    for size in (1, 2):
        tl.save({"a": tl.ones(size)}, path)
    assert tl.load(path)["a"].shape == (2,) and list(tmp_path.iterdir()) == [path]


def test_what_is_no_file_is_not_replaced(tmp_path):
    tl.save({"a": tl.ones(2)}, os.devnull)
    assert not os.path.isfile(os.devnull)
    with pytest.raises(OSError, match=tmp_path.name):
        tl.save({"a": tl.ones(2)}, tmp_path)


def numpys(save):
    save(file := io.BytesIO(), np.ones(3))
    return file.getvalue()


@pytest.mark.parametrize("content, message", [
    (pickle.dumps({"a": 1}), "pickle"), (b"PK\x03\x04", "pickle"), (b"\x10", "no whole safetensors"), (b"", "no whole"),
    (written_by_hand("F32", [2], b"1234"), "no whole safetensors"),
    (written_by_hand("F8_E5M2", [1], b"1"), "'w' has dtype F8_E5M2, which no Tensor has"),
    (written_by_hand("BF16", [1] * 65, b"12"), "'w' has 65 dimensions"), (written_by_hand("F32", [1] * 65, b"1234"), "'w' has 65 dimensions"),
    (numpys(np.savez), "archive of numpy's: np.load"), (numpys(np.savez_compressed), "archive of numpy's"), (numpys(np.save), "array of numpy's")])
def test_what_is_no_safetensors_file_is_refused(tmp_path, content, message):
    path = tmp_path / "m"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=message):
        tl.load(path)


def test_a_state_dict_keeps_its_order(tmp_path):
    from safetensors.numpy import save_file
    model = tl.nn.Sequential(*[tl.nn.Linear(2, 2) for _ in range(8)])
    tl.save(model.state_dict(), tmp_path / "ours")
    save_file({name: p.array for name, p in model.state_dict().items()}, tmp_path / "others")
    for _ in range(3):
        assert list(tl.load(tmp_path / "ours")) == list(model.state_dict())
        assert list(tl.load(tmp_path / "others")) == sorted(model.state_dict())
