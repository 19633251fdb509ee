"""Running a solution in a case: what comes out, what was changed, what it took."""

import contextlib
import copy
import os
import sys
import sysconfig
import threading
import traceback
import tracemalloc
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..creation import from_numpy
from ..engine.trees import mapped
from ..engine.values import Value, unbox
from .drill import Case
from .gradients import wrong_gradients
from .words import a, difference


@dataclass
class Outcome:
    """What happened: a value or an error; the argument that was changed; the lines of the solution that ran and the
    bytes that it held at a time, where the case counts them; what is wrong with the gradients."""

    value: Any = None
    error: BaseException | None = None
    changed: str = ""
    lines: int = 0
    memory: int = 0
    gradients: str = ""


class Odd:
    """What a solution gave and nobody can compare: its kind is all that is asked of it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return a(self.kind)


LIBRARIES = (os.path.dirname(np.__file__), sysconfig.get_path("stdlib"), os.path.dirname(os.path.dirname(__file__)))
EXERCISES = os.path.join("drills", "exercises")


class _Slow(BaseException):
    """Ends a solution that has run many more lines than it may."""


def outcome(case: Case, functions: Mapping[str, Any], on: str = "numpy", reference: Any = None) -> Outcome:
    """Run a case with arrays, or with Tensors; reference: the function whose derivatives those of Tensors are to be."""
    found = Outcome()
    given = [functions[name] for name in case.needs]
    values = [_copied(value) for value in case.arguments.values()]
    if on == "tensor":
        values = [mapped(_tensor, value) for value in values]
        given = given if values else [_of_tensors(function) for function in given]
    try:
        with _quietly(), _measured(case, found, case.memory is not None and on == "numpy"):
            made = case.run(*given, *values)
        with _quietly():
            found.value = mapped(_plain, made)
            changed = [name for name, value in zip(case.arguments, values) if _changed(case, name, value)]
            found.changed = ", ".join(changed)
            if reference is not None and values and case.smooth:
                found.gradients = wrong_gradients(case, made, values, reference)
    except KeyboardInterrupt:
        raise
    except _Slow:
        pass
    except BaseException as error:  # whatever a solution raises, exit() too
        found.error = error
        traceback.clear_frames(error.__traceback__)  # which may hold all the memory there is
    return found


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _measured(case: Case, found: Outcome, memory: bool) -> Iterator[None]:
    """Count the lines of Python that run, where the case asks for it, and the bytes that are held: unlike
    seconds, these are the same on every machine."""
    with contextlib.ExitStack() as ended:
        if case.lines is not None:
            ended.callback(sys.settrace, sys.gettrace())
            ended.callback(threading.settrace, threading.gettrace())
            count = _counter(found, 20 * case.lines)
            threading.settrace(count)
            sys.settrace(count)
        if memory:
            if not tracemalloc.is_tracing():
                tracemalloc.start()
                ended.callback(tracemalloc.stop)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
        yield
        if memory:
            found.memory = tracemalloc.get_traced_memory()[1] - before


def _counter(found: Outcome, most: int) -> Callable:
    """A trace function that counts the lines that run, but for those of numpy, Python's library and this one."""
    def count(frame: Any, event: str, _: Any) -> Callable | None:
        if frame.f_code.co_filename.startswith(LIBRARIES) and EXERCISES not in frame.f_code.co_filename:
            return None
        found.lines += 1
        if found.lines > most:
            raise _Slow
        return count

    return count


def _copied(value: Any) -> Any:
    return mapped(lambda x: copy.deepcopy(x) if isinstance(x, (np.ndarray, np.random.Generator)) else x, value)


def _plain(value: Any) -> Any:
    value = _array(value)
    return value if value is None or isinstance(value, (bool, int, float, str, set, np.ndarray, np.generic)) else Odd(
        type(value).__name__)


def _changed(case: Case, name: str, value: Any) -> bool:
    if isinstance(case.arguments[name], (np.ndarray, list, tuple, dict)):
        return difference(case.arguments[name], mapped(_array, value), 1e-15) is not None
    return False


# ---- on tensors

def _tensor(value: Any) -> Any:
    """A Tensor of an array, which requires grad where its numbers are float64."""
    if not isinstance(value, np.ndarray):
        return value
    made = from_numpy(value)
    return made.requires_grad_() if value.dtype == np.float64 else made


def _array(value: Any) -> Any:
    return unbox(value) if isinstance(value, Value) else value


def _of_tensors(function: Callable) -> Callable:
    """The function, for a program that gives it arrays and looks at arrays."""
    def called(*args: Any, **kwargs: Any) -> Any:
        return mapped(_array, function(*mapped(_tensor, args), **mapped(_tensor, kwargs)))
    return called
