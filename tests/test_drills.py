"""Drills: each knows its mistakes; a file cannot hurt; clocks, reviews and exams."""

import functools
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import drills
from tinygrad_lite.cli import main
from tinygrad_lite.drills import catalog, practice, source, validate
from tinygrad_lite.drills.words import difference

PATHS = catalog.PATHS
DOCS = Path(__file__).parent.parent / "docs"
NAMES = [name for path in PATHS.values() for name in path]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty folder to work in, and an empty user's data directory."""
    for name in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "data"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return catalog.own_folder()


def said(capsys, *arguments, code=0):
    """What the command prints."""
    assert main(["drill", *arguments]) == code
    printed = capsys.readouterr()
    return printed.out + printed.err


def written(text, name="softmax"):
    """A file with a solution."""
    path = Path(f"{name}.py")
    path.write_text(text)
    return path


# ---- the drills

def test_there_are_forty_drills_in_three_paths_the_eight_among_them():
    assert len(NAMES) == len({*NAMES}) >= 40 and PATHS.keys() == {"interview", "llm", "classical"}
    eight = {"softmax", "attention", "top_p", "kmeans", "logistic_regression", "mlp_backprop", "beam_search",
             "cosine_similarity"}
    assert eight <= {*PATHS["interview"]}
    files = {path.stem for path in Path(drills.__file__).parent.glob("exercises/[a-z]*.py")}
    assert files == {*NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_passes_and_each_wrong_answer_is_recognized_by_name(name):
    assert [*validate.faults(catalog.load(name))] == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("on", ["numpy", "tensor"])
def test_the_empty_file_has_prompt_and_signatures_and_is_said_to_be_empty(name, on):
    drill = catalog.load(name)
    if on == "tensor" and not drill.differentiable:
        return
    text = source.stub(drill, name, on)
    asked = [key for key in drill.references if on == "numpy" or key in drill.differentiable]
    assert drill.title in text and all(f"{kind} {key}" in text for key in asked
                                       for kind in ["class" if isinstance(drill.references[key], type) else "def"])
    assert all(len(line) <= 120 for line in text.splitlines())
    forbidden, empty = source.problems(text, drill, on)
    assert not forbidden and empty.keys() == {*asked}


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_as_it_is_shown_is_one(name, capsys):
    shown = said(capsys, "solution", name)
    drill = catalog.load(name)
    code, _, aloud = shown.partition("\nSay aloud:")
    assert len(aloud.splitlines()) == 1 + len(drill.pitfalls) >= 3
    report = drills.check_file(name, written(code.partition("\n")[2], name))
    assert report.passed, report


# ---- right in an unusual way

def by_a_matrix_of_ones(x):
    powers = np.exp(np.subtract(x, np.amax(x, -1)[..., np.newaxis]))
    return powers / (powers @ np.ones((x.shape[-1],) * 2, x.dtype))


def by_logarithms(x):
    return np.exp(x - np.logaddexp.reduce(x, axis=-1, keepdims=True))


def by_differences(x):
    with np.errstate(over="ignore"):
        return 1 / np.exp(x[..., None, :] - x[..., :, None]).sum(-1)


def by_transposing(x):
    shifted = x.T - x.T.max(0)
    return (np.exp(shifted) / np.exp(shifted).sum(0)).T


def by_powers_of_two(x):
    powers = 2.0 ** ((x - x.max(-1)[..., None]) * x.dtype.type(1 / np.log(2)))
    return (powers / np.einsum("...c->...", powers)[..., None]).astype(x.dtype)


@pytest.mark.parametrize("softmax", [by_a_matrix_of_ones, by_logarithms, by_transposing, by_powers_of_two, by_differences])
def test_softmax_that_is_right_in_an_unusual_way_passes(softmax):
    if softmax is by_differences:
        def softmax(x):  # inf - inf for what is masked
            e = by_differences(np.where(x == -np.inf, -1e300, x))
            return np.nan_to_num(e, nan=0.0)
    assert drills.check("softmax", softmax).passed


def looped(q, k, v, mask=None):
    *batch, rows, _ = q.shape
    out = np.zeros((*np.broadcast_shapes(batch, k.shape[:-2]), rows, v.shape[-1]), q.dtype)
    mask = np.broadcast_to(True if mask is None else mask, (*out.shape[:-1], k.shape[-2]))
    scores = np.einsum("...id,...jd->...ij", q, k) / np.sqrt(q.shape[-1]).astype(q.dtype)
    powers = np.exp(scores - np.max(scores, axis=-1, keepdims=True, where=mask, initial=-np.inf), where=mask,
                    out=np.zeros_like(scores))
    total = powers.sum(-1)[..., None]
    return np.divide(powers, total, out=np.zeros_like(powers), where=total > 0) @ v


def scaled_queries(q, k, v, mask=None):
    scores = (q * q.shape[-1] ** -0.5) @ np.moveaxis(k, -1, -2)
    if mask is None:
        mask = np.ones(scores.shape, bool)
    lowest = np.finfo(q.dtype).min / 2
    scores = np.where(mask, scores, lowest)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights = weights / weights.sum(-1, keepdims=True)
    return (weights * np.any(mask, -1, keepdims=True)) @ v


def added_bias(q, k, v, mask=None):
    bias = 0 if mask is None else np.where(mask, q.dtype.type(0), -np.inf)
    scores = q @ k.swapaxes(-2, -1) / q.shape[-1] ** 0.5 + bias
    top = scores.max(-1, keepdims=True)
    e = np.exp(scores - np.nan_to_num(top, neginf=0.0))
    return np.nan_to_num((e @ v) / e.sum(-1, keepdims=True))


def by_log_sum_exp(q, k, v, mask=None):
    scores = np.matmul(q, np.swapaxes(k, -1, -2)) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    total = np.logaddexp.reduce(scores, axis=-1, keepdims=True)
    weights = np.where(np.isneginf(total), 0, np.exp(scores - total)).astype(q.dtype)
    return np.einsum("...ij,...jd->...id", weights, v)


def running(q, k, v, mask=None):
    scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    mask = np.broadcast_to(True if mask is None else mask, scores.shape)
    top = np.full((*scores.shape[:-1], 1), -np.inf, q.dtype)
    total, out = np.zeros_like(top), np.zeros((*scores.shape[:-1], v.shape[-1]), q.dtype)
    for j in range(k.shape[-2]):
        s = np.where(mask[..., j], scores[..., j], -np.inf)[..., None]
        new = np.maximum(top, s)
        safe = np.where(new == -np.inf, 0, new)
        old, e = np.exp(top - safe), np.exp(s - safe)
        total, out, top = total * old + e, out * old + e * v[..., j : j + 1, :], new
    return out / np.where(total == 0, 1, total)


@pytest.mark.parametrize("attention", [looped, scaled_queries, added_bias, by_log_sum_exp, running])
def test_attention_that_is_right_in_an_unusual_way_passes(attention):
    assert (report := drills.check("attention", attention)).passed, report


# ---- what is said of a solution

RIGHT = """import numpy as np
def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
def log_softmax(x):
    s = x - x.max(-1, keepdims=True)
    return s - np.log(np.exp(s).sum(-1, keepdims=True))
"""
NAIVE = RIGHT.replace("e = np.exp(x - x.max(-1, keepdims=True))", "e = np.exp(x)")


def test_a_failure_says_what_went_in_what_came_out_what_was_expected_and_why():
    report = drills.check_file("softmax", written(NAIVE))
    assert not report.passed and report.mistakes == ["no maximum subtracted"]
    assert ("softmax([1000, 0]) gave [nan, 0], expected [1, 0]: exp(1000) overflows; subtract the row's maximum first"
            in report.text())
    assert "advice" not in report.text(taught=False) and "overflows" not in report.text(taught=False)
    assert drills.check_file("softmax", written(RIGHT)).passed


STATIC = {  # what is said before anything runs
    "def softmax(x):\n    pass\n": "softmax is still empty: write its body below line 1",
    "def softmax(x):\n    '''text'''\n    raise NotImplementedError\n": "still empty",
    "def softmax(x):\n    return None\n": "still empty",
    "import torch\n" + RIGHT: "line 1 uses torch: a solution uses numpy and Python's own modules",
    "from scipy.special import softmax\n" + RIGHT: "line 1 uses scipy.special.softmax: a solution",
    "import tinygrad_lite as tl\n" + RIGHT: "line 1 uses tinygrad_lite, which has the answer",
    "def f(x):\n    from tinygrad_lite.nn.functional import softmax\n" + RIGHT: "line 2 uses tinygrad_lite",
    "def softmax(x) return x": "line 1: Python cannot read the file",
    "x = '\0'": "Python cannot read the file",
    "": "there is no softmax in the file",
    "softmax = 3": "softmax is no function, but of type int",
    "from nowhere import x\n" + RIGHT: "line 1 uses nowhere",
    "# coding: rot13\n": "Python cannot read the file",
    "# coding: none\n": "Python cannot read the file",
    "x = " + "-" * 100_000 + "1": "Python cannot read the file",
    "x = 1 / 0\n": "line 1: x = 1 / 0: running the file raised ZeroDivisionError",
}


@pytest.mark.parametrize("text", STATIC, ids=range(len(STATIC)))
def test_files_that_cannot_be_tried_are_said_for_what_they_are(text):
    report = drills.check_file("softmax", written(text))
    assert not report.passed and STATIC[text] in report.text()


def test_files_that_are_no_text_are_said_for_what_they_are(tmp_path):
    path = tmp_path / "bytes.py"
    path.write_bytes(b"\xff\xfe\x00")
    assert "Python cannot read the file" in drills.check_file("softmax", path).text()
    path.write_bytes("# -*- coding: latin-1 -*-\n# é\n".encode("latin-1") + RIGHT.encode())
    assert drills.check_file("softmax", path).passed


@pytest.mark.parametrize("line", ["import numpy.linalg as la\nla.norm", "from numpy import linalg\nlinalg.norm",
                                  "from numpy.linalg import norm\nnorm", "import numpy\nnumpy.linalg.norm",
                                  "import numpy as n\nn.linalg.norm"])
def test_what_the_prompt_forbids_is_found_under_every_name(line):
    drill = catalog.load("softmax")
    forbidding = drills.Drill(drill.prompt, "easy", 1, [], [], ("numpy.linalg", "argsort"), drill.references)
    assert "numpy.linalg" in source.problems(line, forbidding, "numpy")[0][0]
    assert "x.argsort" not in source.problems("x.sort()", forbidding, "numpy")[0]
    assert "forbids" in source.problems("x.argsort()", forbidding, "numpy")[0][0]


DIFFERENCES = [  # expected, actual, what is said
    (np.array([1.0, 2.0]), None, "gave None, expected [1, 2]: is the `return` missing?"),
    (np.array([1.0, 2.0]), [1.0, 2.0], "gave a list, expected an array"),
    (np.array([1.0, 2.0]), np.array([[1.0, 2.0]]), "shape (1, 2), expected (2,) (an axis of length 1"),
    (np.zeros((2, 3)), np.zeros((3, 2)), "it is transposed"),
    (np.arange(4.0).reshape(2, 2), np.arange(4.0).reshape(2, 2).T, "it is transposed"),
    (np.zeros((2, 3)), np.float64(0), "one number for all"),
    (np.array([1.0, 2.0]), np.array([4.0, 8.0]), "every number is 4 times what it should be"),
    (np.array([4.0, 8.0]), np.array([1.0, 2.0]), "every number is 1/4 of what it should be"),
    (np.array([1.0, 2.0]), np.array([-1.0, -2.0]), "the sign is the other way round"),
    (np.array([1.0, 2.0]), np.array([2.0, 1.0]), "the order is the other way round"),
    (np.array([1.0, 2.0]), np.array([1.0, 2.001]), "gave [1, 2.001], expected [1, 2]"),
    (np.array([1.0, 2.0]), np.array([1.0, 2.00001]), "gave 2.00001 at [1], expected 2, and 1 of 2 numbers differ; float64 "
     "allows a relative 1e-06"),
    (np.array([1, 2]), np.array([1.0, 2.0]), "gave numbers of float64, expected int64"),
    (np.array([True, False]), np.array([1, 0]), "gave numbers of int64, expected bool"),
    (np.array([1.0, 2.0]), np.array([1, 2], "float32"), "gave numbers of float32, expected float64"),
    (1.5, 1.25, "gave 1.25, expected 1.5"),
    (1.5, "1.5", "gave '1.5' of type <U3, expected 1.5 of float64"),
    ((1.0, 2.0), (1.0, 3.0), "gave (1, 3), expected (1, 2)"),
    ((1.0, 2.0), 1.0, "gave 1, expected a tuple of 2"),
    ((1.0, 2.0), (1.0, 2.0, 3.0), "of length 3, expected (1, 2), of length 2"),
    ((np.zeros(2), np.ones(3)), (np.zeros(2), np.zeros(3)), "at [1] gave [0, 0, 0], expected [1, 1, 1]"),
    (True, np.array([True]), "gave [True], expected True"),
    (np.True_, False, "gave False, expected True"),
    ({"a": 1.0}, {"b": 1.0}, "expected {'a': 1}"),
    ("abc", "abd", "gave 'abd', expected 'abc'"),
    (True, 1, "gave 1, expected True"),
    (np.array([np.nan]), np.array([0.0]), "gave [0], expected [nan]"),
]
SAME = [(1.5, np.float64(1.5)), (2, 2.0), (1.0, np.array(1.0)), ([1, 2], (1, 2)), ([1, 2], np.array([1, 2])), (True, np.True_), (np.True_, True), (False, np.array(False)),
        (np.array([np.nan, np.inf]), np.array([np.nan, np.inf])), (np.array([1, 2]), np.array([1, 2], "int32")),
        (np.array([1.0]), np.array([1 + 1e-9])), ({"a": np.ones(2)}, {"a": np.ones(2)}), (None, None), ("a", "a")]


@pytest.mark.parametrize("expected, actual, told", DIFFERENCES, ids=range(len(DIFFERENCES)))
def test_differences_are_told_in_words(expected, actual, told):
    assert told in difference(expected, actual)


@pytest.mark.parametrize("expected, actual", SAME, ids=range(len(SAME)))
def test_what_only_rounds_or_is_of_another_type_is_the_same(expected, actual):
    assert difference(expected, actual) is None


def test_arguments_that_are_changed_are_named():
    def softmax(x):
        x -= x.max(-1, keepdims=True)
        np.exp(x, out=x)
        x /= x.sum(-1, keepdims=True)
        return x.copy()

    assert "softmax([1, 2, 3]) changed its argument x: work on a copy" in repr(drills.check("softmax", softmax))


def test_speed_is_judged_by_the_lines_that_run():
    def assign(points, centroids):
        return np.array([((point - centroids) ** 2).sum(1).argmin() for point in points])

    report = drills.check("kmeans", assign)
    assert report.mistakes == ["a Python loop over points"] and "broadcast instead" in repr(report)
    assert drills.check("kmeans", lambda points, centroids: np.sum(
        [(points[:, None, d] - centroids[None, :, d]) ** 2 for d in range(points.shape[1])], axis=0).argmin(1)).passed


def test_an_infinite_loop_where_lines_are_counted_ends():
    def assign(points, centroids):
        while len(points) == 10_000:
            pass
        return ((points[:, None] - centroids) ** 2).sum(2).argmin(1)

    assert "runs more than 200 lines" in repr(drills.check("kmeans", assign)) and sys.gettrace() is None


# ---- on tensors

def test_on_tensors_gradients_are_checked():
    def softmax(x):
        e = (x - x.amax(-1, keepdim=True)).exp()
        return e / e.sum(-1, keepdim=True)

    def cut(x):
        return tl.from_numpy(softmax(x).detach().numpy())

    def half_cut(x):
        e = (x - x.amax(-1, keepdim=True)).exp()
        return e / e.sum(-1, keepdim=True).detach()

    assert drills.check("softmax", softmax, on="tensor").passed
    assert "does not lead back to the arguments" in repr(drills.check("softmax", cut, on="tensor"))
    assert "the gradient of x is wrong" in repr(drills.check("softmax", half_cut, on="tensor"))
    assert "line" in repr(drills.check("softmax", lambda x: x.softmax(-1), on="tensor"))


TENSORS = """import tinygrad_lite as tl
def softmax(x):
    e = tl.exp(x - x.amax(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True)
def log_softmax(x):
    return {}
"""
CALLS = {"x - x.exp().sum(-1, keepdim=True).log()": "no maximum subtracted", "x.log_softmax(-1)": "which the prompt forbids",
         "tl.log_softmax(x, -1)": "which the prompt forbids", "tl.nn.functional.log_softmax(x, -1)": "has the answer",
         "x - x.logsumexp(-1, keepdim=True)": None}


@pytest.mark.parametrize("call", CALLS)
def test_files_on_tensors(call):
    report = drills.check_file("softmax", written(TENSORS.format(call)), "tensor")
    assert report.passed if CALLS[call] is None else CALLS[call] in report.text()


# ---- a file cannot hurt

BEGIN = "import os, sys, subprocess, shutil, socket, time\nimport numpy as np\ndef softmax(x):\n"
HOSTILE = {
    "while True: pass": "did not end within 3 seconds (a loop that never ends?): it was in line 4: while True: pass",
    "while True: print('x' * 1000)": "prints or writes more than anybody reads",
    "raise ValueError('mine')": "raised ValueError: mine\n  line 4: raise ValueError",
    "exit()": "called exit()",
    "os._exit(0)": "ended the whole process with code 0",
    "os.abort()": "ended the whole process (SIGABRT",
    "return softmax(x)": "called itself too many times",
    "return np.ones(10 ** 12)": "asked for more memory than a drill has",
    "a = []\n    while True: a.append(bytearray(10 ** 9))": "asked for more memory than a drill has",
    "subprocess.run(['sleep', '99'])": "starts no processes",
    "os.system('sleep 99')": "starts no processes",
    "os.fork()": "starts no processes",
    "os.kill(os.getppid(), 9)": "starts no processes",
    "socket.create_connection(('127.0.0.1', 9))": "opens no connections",
    "open('../../../mark', 'w')": "writes no files outside its own folder",
    "shutil.rmtree(os.path.expanduser('~'))": "writes no files outside its own folder",
    "open('big', 'wb').write(bytes(10 ** 8))": "prints or writes more than anybody reads",
    "open('/dev/null', 'w'); open('own', 'w'); return x": "gave [1, 2, 3], expected",
    "input()": "waits for input()",
    "return lambda: x": "gave a function, expected",
    "raise KeyboardInterrupt": "raised KeyboardInterrupt, which ends the checks",
    "__builtins__['len'] = None": "broke the checks",
    "os.closerange(3, 99)": "broke the checks",
    "[os.write(fd, b'[1]\\n{}\\n\\xff') for fd in (3, 4)]": "gave None",
    "raise ValueError('\\ud800\\x1b[2J')": r"raised ValueError: \ud800\x1b[2J",
    "import ctypes; ctypes.pythonapi.system(b'sleep 99 &')": "starts no processes",
    "import multiprocessing as m; m.get_context('spawn').Process(target=print).start()": "starts no processes",
    "import sqlite3; sqlite3.connect('../../x.db')": "writes no files",
    "import tempfile; tempfile.NamedTemporaryFile(); tempfile.TemporaryFile(); return x": "gave [1, 2, 3], expected",
}


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_a_file_does_is_said_in_a_sentence(body, monkeypatch, tmp_path):
    if body == "while True: pass":
        monkeypatch.setattr("tinygrad_lite.drills.sandbox.SECONDS", 3)
    before = sorted(tmp_path.rglob("*"))
    report = drills.check_file("softmax", written(BEGIN + "    " + body))
    assert not report.passed and HOSTILE[body] in report.text(), report
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "work" / "softmax.py"])


def test_what_a_solution_prints_is_shown():
    text = RIGHT.replace("def softmax(x):\n", "def softmax(x):\n    print('shape', x.shape)\n")
    report = drills.check_file("softmax", written(text))
    assert report.passed and "it printed:\n    shape (3,)" in report.text()


def test_threads_that_are_left_behind_do_not_hold_the_check():
    text = RIGHT + "import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\n"
    began = time.time()
    assert drills.check_file("softmax", written(text)).passed and time.time() - began < 30


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_ctrl_c_and_a_closed_terminal_leave_nothing_behind(number, tmp_path):
    written("while True: pass\n")
    (tmp_path / "temporary").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    heard = functools.partial(signal.signal, getattr(signal, number), signal.SIG_DFL)  # where the tests are in the background too
    process = subprocess.Popen([sys.executable, "-m", "tinygrad_lite", "drill", "check", "softmax", "--file", "softmax.py"],
                               env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=heard)
    while not [*(tmp_path / "temporary").glob("drill-*/trace")]:
        time.sleep(0.1)
    process.send_signal(getattr(signal, number))
    printed, _ = process.communicate(timeout=20)
    assert process.returncode == 128 + getattr(signal, number) and b"Traceback" not in printed
    assert not [*(tmp_path / "temporary").iterdir()]


# ---- notebooks

def test_functions_are_checked_where_they_are(capsys):
    report = drills.check("softmax", lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True))
    assert not report.passed and "the mistake: no maximum subtracted" in repr(report)
    assert drills.check("softmax", log_softmax=lambda x: x - np.logaddexp.reduce(x, axis=-1, keepdims=True)).passed
    assert not drills.check("softmax", lambda x: None).passed


def test_a_librarys_function_is_found_where_it_was_imported_elsewhere():
    functional, library = tl.nn.functional, tl

    def by_module(x):
        return library.softmax(library.tensor(x), -1).numpy()

    def by_room(x):
        return functional.softmax(x, -1)

    for softmax in (by_module, by_room, lambda x: functional.softmax(x, -1)):
        assert "which has the answer" in repr(drills.check("softmax", softmax))


def test_loops_are_found_however_they_are_hidden():
    def loop(points, centroids):
        return np.array([((point - centroids) ** 2).sum(1).argmin() for point in points])

    class Called:
        def __call__(self, points, centroids):
            return loop(points, centroids)

    vectorized = np.vectorize(lambda x, c: ((x - c) ** 2).sum(1).argmin(), signature="(d),(k,d)->()")
    for assign in (functools.partial(loop), Called(), Called().__call__, vectorized):
        assert "a Python loop over points" in repr(drills.check("kmeans", assign=assign))


BAD_CALLS = [(("nosuch", len), {}, ValueError, "no drill 'nosuch'"), (("softmx", len), {}, ValueError, "softmax"),
             (("softmax",), {}, TypeError, "softmax, log_softmax"), (("softmax", 3), {}, TypeError, "no function"),
             (("softmax", len, len, len), {}, TypeError, "softmax, log_softmax"),
             (("softmax",), {"other": len}, TypeError, "not other"), (("softmax", len), {"on": "jax"}, ValueError, "tensor"),
             (("kmeans", len), {"on": "tensor"}, TypeError, "nothing")]


@pytest.mark.parametrize("args, kwargs, kind, told", BAD_CALLS, ids=range(len(BAD_CALLS)))
def test_wrong_calls_of_check_say_what_there_is(args, kwargs, kind, told):
    with pytest.raises(kind, match=told):
        drills.check(*args, **kwargs)


# ---- practice

def test_a_session_from_the_empty_file_to_the_review(capsys):
    assert "drill start softmax" in said(capsys)
    assert "which drill?" in said(capsys, "check", code=1)
    assert "written: drills/softmax.py\nthe clock runs: 6 minutes" in said(capsys, "start", "softmax")
    assert "softmax is still empty" in said(capsys, "check", code=1)
    Path("drills/softmax.py").write_text(NAIVE)
    assert "no maximum subtracted" in said(capsys, "check", code=1)
    assert "hint 1 of 4" in said(capsys, "hint")
    assert "hint 2 of 4" in said(capsys, "hint", "softmax")
    Path("drills/softmax.py").write_text(RIGHT)
    tomorrow = str(date.today() + timedelta(1))
    passed = said(capsys, "check")
    assert re.search(r"solved in 0:\d\d \(6 minutes are suggested\), hints: 2;", passed) and tomorrow in passed
    assert "say aloud:" in passed and "no clock was running" in said(capsys, "check")
    statistics = json.loads(said(capsys, "stats", "--json"))
    assert statistics["solved"] == ["softmax"] and statistics["days"] == 1
    assert statistics["mistakes"] == {"softmax: no maximum subtracted": 1}
    assert "1 of " in said(capsys, "stats") and "a mistake made 1 time: softmax" in said(capsys, "stats")
    assert json.loads(said(capsys, "review", "--json")) == {"due": [], "new": PATHS["interview"][1:4]}
    listed = {row["name"]: row for row in json.loads(said(capsys, "list", "--json"))}
    assert listed["softmax"]["due"] == tomorrow and listed["softmax"]["streak"] == 0 and len(listed) >= 40
    assert f"next: tinygrad-lite drill start {PATHS['interview'][1]}" in said(capsys, "path", "interview")
    assert "kept: drills/softmax-1.py" in said(capsys, "start", "softmax")
    assert Path("drills/softmax-1.py").read_text() == RIGHT
    assert "kept" not in said(capsys, "start", "softmax")  # nothing was written into it


def test_check_prints_json_for_editors(capsys):
    said(capsys, "start", "softmax")
    Path("drills/softmax.py").write_text(NAIVE)
    found = json.loads(said(capsys, "check", "--json", code=1))
    assert found["passed"] is False and found["mistakes"] == ["no maximum subtracted"] and found["asked"] == len(found["results"])
    failed = [result for result in found["results"] if not result["passed"]]
    assert failed[0]["sentence"].startswith("softmax([1000, 0]) gave [nan, 0]")


def test_watch_checks_whenever_the_file_is_saved_until_it_passes(capsys):
    said(capsys, "start", "softmax")
    path = Path("drills/softmax.py")
    path.write_text(NAIVE)

    def mend():
        while not practice.read().mistakes:  # until the first check is done
            time.sleep(0.1)
        path.write_text(RIGHT)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(mend)
        printed = said(capsys, "check", "--watch")
    assert "no maximum subtracted" in printed and "softmax: 13 of 13 checks pass" in printed


SUCCESSES = [  # hints, looked, minutes taken of 10, days waited -> the next intervals
    ([(0, False, 5)] * 4, [1, 3, 9, 27]), ([(0, False, 15)] * 4, [1, 2, 4, 8]),
    ([(0, False, 5), (0, False, 5), (1, False, 5), (0, False, 5)], [1, 3, 1, 3]),
    ([(0, False, 5)] * 3 + [(3, False, 5)], [1, 3, 9, 2]), ([(0, False, 5)] * 3 + [(0, True, 5)], [1, 3, 9, 1])]


@pytest.mark.parametrize("successes, intervals", SUCCESSES, ids=range(len(SUCCESSES)))
def test_intervals_grow_with_success_and_shrink_with_help(successes, intervals):
    record, found = practice.Record(), []
    for hints, looked, minutes in successes:
        record.due = min(record.due, str(date.today()))  # the time has passed
        record.hints, record.looked = hints, looked
        record.solve(60 * minutes, 10)
        found.append(record.interval)
    assert found == intervals
    record.solve(60, 10)
    assert record.interval == intervals[-1], "what is repeated early is not known for longer"


def test_nothing_is_put_off_for_more_than_a_year():
    record = practice.Record(interval=300)
    record.solve(60, 10)
    assert record.interval == 365


def test_what_is_due_longest_comes_first():
    kept = practice.Practice(last="bpe")
    for name, days in (("softmax", -1), ("auc", -5), ("adam", 3), ("pca", 0)):
        kept.of(name).wait(1)
        kept.of(name).due = str(date.today() + timedelta(days))
    assert kept.due() == ["auc", "softmax", "pca"] and kept.new() == []
    kept.of("auc").wait(9)
    assert kept.new() == [PATHS["llm"][0]]


BROKEN = ['{"drills": {"a": {"interval": 1.5}}}', "[" * 100_000, '{"mistakes": {"a": "b"}}', '{"exams": [3]}', '{"drills": {"a": {"started": NaN}}}', "{", "[]", '{"drills": 3}', '{"drills": {"softmax": {"hints": "two"}}}', '{"unknown": 1}', '{"drills": {"a": 1}}',
          '{"drills": {"softmax": {"solved": [{"at": 1}]}}}', '{"exam": {"names": []}}', "\x00", '{"exam": [1]}']


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_is_kept_aside_and_said(text, home, capsys):
    home.mkdir(parents=True)
    (home / "practice.json").write_text(text)
    assert "could not be read" in said(capsys, "start", "softmax")
    aside = [*home.glob("practice-broken-*.json")]
    assert len(aside) == 1 and aside[0].read_text() == text
    assert "could not be read" not in said(capsys, "hint")


def test_several_processes_lose_nothing():
    def work(_):
        with practice.changing() as kept:
            kept.mistakes["x"] = kept.mistakes.get("x", 0) + 1

    with ThreadPoolExecutor(8) as pool:
        [*pool.map(work, range(40))]
    assert practice.read().mistakes == {"x": 40}


def test_a_failure_while_it_is_written_loses_nothing(home, capsys, monkeypatch):
    said(capsys, "start", "softmax")
    before = (home / "practice.json").read_text()
    monkeypatch.setattr(json, "dumps", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["drill", "start", "auc"])
    assert (home / "practice.json").read_text() == before


def test_hints_and_the_solution_are_not_forgotten_by_a_new_start(capsys):
    said(capsys, "start", "softmax")
    said(capsys, "hint")
    said(capsys, "solution")
    said(capsys, "start", "softmax")
    Path("drills/softmax.py").write_text(RIGHT)
    assert "after a look at the solution; due again" in said(capsys, "check")
    said(capsys, "start", "softmax")
    Path("drills/softmax.py").write_text(RIGHT)
    assert "hints: 0; your best is 0:0" in said(capsys, "check")


def test_a_clock_that_was_changed_gives_no_best_time(capsys):
    for shift in (9_999, -300_000):
        said(capsys, "start", "softmax")
        with practice.changing() as kept:
            kept.of("softmax").started += shift
        Path("drills/softmax.py").write_text(RIGHT)
        assert "solved in 24:00:00" in said(capsys, "check")


def test_what_is_in_the_way_is_said(capsys):
    Path("drills").write_text("")
    assert "drills is in the way" in said(capsys, "start", "softmax", code=1)


# ---- exams

@pytest.fixture
def exam(monkeypatch, capsys):
    """An exam with softmax and two others."""
    monkeypatch.setattr("random.sample", lambda names, count: ["softmax", "kmeans", "logsumexp"])
    minutes = sum(catalog.load(name).minutes for name in ("softmax", "kmeans", "logsumexp"))
    assert f"written: drills/logsumexp.py\nthe clock runs: {minutes} minutes for all three" in said(capsys, "exam", "--path", "interview")


def test_an_exam_has_a_clock_no_help_and_a_report(exam, capsys):
    assert "no help before" in said(capsys, "hint", "kmeans", code=1)
    assert "no help before" in said(capsys, "solution", "kmeans", code=1)
    assert "an exam is going on: softmax, kmeans, logsumexp" in said(capsys, "exam")
    Path("drills/softmax.py").write_text(NAIVE)
    printed = said(capsys, "check", "softmax", code=1)
    assert "gave [nan, 0], expected [1, 0]" in printed and "overflows" not in printed and "no maximum" not in printed
    Path("drills/softmax.py").write_text(RIGHT)
    assert "1 of the exam's 3 pass" in said(capsys, "check", "softmax")
    report = said(capsys, "exam", "--report", code=1)
    assert "exam: 1 of 3 pass" in report and re.search(r"softmax +passed in 0:\d\d", report)
    assert re.search(r"kmeans +not passed, due again tomorrow", report) and "assign is still empty" in report
    assert "there is no exam" in said(capsys, "exam", "--report", code=1)
    assert "1 of 3 passed" in said(capsys, "stats") and "hint 1" in said(capsys, "hint", "kmeans")


def test_an_exams_json_does_not_teach_and_its_files_stay(exam, capsys):
    assert "is in the exam that is going on" in said(capsys, "start", "kmeans", code=1)
    Path("drills/softmax.py").write_text(NAIVE)
    found = json.loads(said(capsys, "check", "softmax", "--json", code=1))
    assert not found["mistakes"] and not any(result["advice"] or result["mistake"] for result in found["results"])


@pytest.mark.parametrize("what, told", [(Path.unlink, "there is no drill 'double'"),
                                        (lambda path: path.write_text("1 / 0"), "ZeroDivisionError")])
def test_an_exam_whose_drill_is_gone_or_broken_can_be_ended(what, told, capsys, monkeypatch, home):
    said(capsys, "add", str(written(OWN, "double")))
    monkeypatch.setattr("random.sample", lambda names, count: ["double", "softmax", "kmeans"])
    said(capsys, "exam")
    what(home / "drills" / "double.py")
    assert told in said(capsys, "exam", "--report", code=1)
    assert "there is no exam" in said(capsys, "exam", "--report", code=1)


def test_what_passes_after_the_time_does_not_count(exam, capsys):
    with practice.changing() as kept:
        kept.exam.started -= 3600
    Path("drills/softmax.py").write_text(RIGHT)
    assert "the time is up" in said(capsys, "check", "softmax")
    assert "exam: 0 of 3 pass" in (report := said(capsys, "exam", "--report", code=1))
    assert "pass now, but the time was up" in report


# ---- what the documents say

def test_the_page_shows_what_the_commands_print(capsys):
    played = runpy.run_path(str(DOCS / "drills.py"))["played"]
    page = (DOCS / "drills.md").read_text(encoding="utf-8")

    def masked(text):
        return re.sub(r"\d+:\d\d|\d{4}-\d\d-\d\d", "…", text)

    assert masked(played(page)) == masked(page)
    *_, notebook = re.findall(r"```python\n(.*?)```", page, re.S)
    exec(notebook, {})
    assert "one maximum for all rows" in capsys.readouterr().out


def test_the_drill_that_the_contributors_guide_shows_is_taken(capsys):
    guide = (DOCS / "add/drill.md").read_text(encoding="utf-8")
    assert "added: " in said(capsys, "add", str(written(guide.split("```python\n")[1].split("```")[0], "masked_mean")))


# ---- drills of one's own

OWN = '''"""Double a number

double(x)   a number -> twice the number
"""

from tinygrad_lite.drills import Drill

drill = Drill(__doc__, difficulty="easy", minutes=1, hints=["Add it to itself."], pitfalls=["None."])


@drill.reference
def double(x):
    """x: number -> number"""
    return x + x


drill.case(double, 3.0, why="twice three is six")
drill.case(double, 0.5, why="it works for fractions")


@drill.wrong(double, "squared", "the square is another function")
def _(x):
    return x * x


@drill.wrong(double, "unchanged", "once is not twice")
def _(x):
    return x


@drill.wrong(double, "rounded", "fractions count")
def _(x):
    return x // 1 * 2
'''


def test_a_drill_of_ones_own_is_taken_and_works(capsys):
    assert "added: " in said(capsys, "add", str(written(OWN, "double")))
    assert "your own" in said(capsys, "list") and "double" in said(capsys, "list")
    said(capsys, "start", "double")
    Path("drills/double.py").write_text("def double(x):\n    return x * x\n")
    assert "the mistake: squared" in said(capsys, "check", code=1)
    Path("drills/double.py").write_text("def double(x):\n    return 2 * x\n")
    assert "solved in" in said(capsys, "check")
    assert drills.check("double", lambda x: 2 * x).passed


REFUSED = {OWN + "import sys; sys.exit(3)": "SystemExit", OWN.replace("minutes=1", "minutes=None"): "minutes is a whole number",
           OWN.replace('hints=["Add it to itself."]', 'hints="Add"'): "hints is a list of strings",
           OWN + "@drill.program(why='')\ndef _(other): return 1": "parameters are named after references",
           OWN.replace('    """x: number -> number"""\n', ""): "has no docstring",
           OWN.replace("x + x", "x * x"): "'squared' passes", OWN.replace("return x\n", "return x * x\n"): "is taken for 'squared'",
           OWN.replace("return x // 1 * 2", "return 2 * x"): "passes: a case",
           OWN.replace("drill = ", "mine = ").replace("@drill", "@mine").replace("drill.case", "mine.case"): "no variable `drill`",
           OWN + "1 / 0": "ZeroDivisionError", "def f(": "is no drill", OWN.replace('"easy"', '"simple"'): "difficulty is one of",
           OWN[: OWN.index("@drill.wrong")]: "0 wrong answers by name", OWN.replace("double(x)   a number", "x").split("\n", 1)[1]:
           "is no drill"}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_drills_that_cannot_be_trusted_are_not_taken(text, capsys):
    assert REFUSED[text] in said(capsys, "add", str(written(text, "double")), code=1)
    assert "your own" not in said(capsys, "list")


def test_names_that_are_taken_or_none_are_refused(capsys):
    assert "not taken" not in said(capsys, "add", "nowhere.py", code=1)
    assert "there is a drill softmax already" in said(capsys, "add", str(written(OWN, "softmax")), code=1)
    for name in ("my-drill", "class", "__init__", "_", "x" * 60):
        assert "name the file like a variable" in said(capsys, "add", str(written(OWN, name)), code=1)


def test_a_drill_that_no_longer_loads_is_said_and_passed_over(home, capsys):
    said(capsys, "add", str(written(OWN, "double")))
    (home / "drills" / "double.py").write_text("1 / 0")
    assert "is no drill: ZeroDivisionError" in (listed := said(capsys, "list")) and "softmax" in listed
