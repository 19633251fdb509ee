"""Judging a solution: each case beside the reference, and the wrong answer that it is when it is one."""

import contextlib
import errno
import inspect
import linecache
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .drill import Case, Drill, Wrong, narrow
from .running import Outcome, outcome
from .words import difference, printable

MEMORY, PRINTED = 2 << 30, 100_000  # bytes of address space and characters: what a solution in a file may use
HABITS = {  # what one means who is used to PyTorch, or to matrices alone
    r"keyword argument 'dim'": "numpy says axis", r"keyword argument 'keepdim'": "numpy says keepdims",
    r"'numpy.ndarray' object has no attribute": "arrays are no tensors of PyTorch's: np.where, np.exp, x[:, None]",
    r"axes don't match array": "np.swapaxes(x, -1, -2) swaps the last two axes",
    r"matmul: Input operand": "x.T turns all axes round, np.swapaxes(x, -1, -2) swaps the last two"}


class PrintedTooMuch(BaseException):
    """A solution has printed more than anybody reads."""


@dataclass
class Result:
    """A case and how it went. sentence: what went in, what came out, what was expected; advice: what one has to know;
    mistake: the name of the wrong answer that does the same; line, code: where in the file an error came from."""

    case: str
    passed: bool = True
    sentence: str = ""
    advice: str = ""
    mistake: str = ""
    line: int | None = None
    code: str = ""


@dataclass
class Failure:
    """In which way a solution is wrong, and the end of the sentence that says so."""

    kind: str
    told: str


@dataclass
class _Tried:
    case: Case
    expected: Outcome
    actual: Outcome
    failure: Failure | None
    result: Result


def asked(drill: Drill, functions: Mapping[str, Any], on: str) -> list[Case]:
    """The cases of a drill that there are functions for; on "tensor", those of what is differentiable.

    >>> from tinygrad_lite.drills import asked, catalog
    >>> softmax = catalog.load("softmax")
    >>> len(asked(softmax, {"softmax": np.exp}, "numpy")), len(asked(softmax, softmax.references, "numpy"))
    (8, 13)
    """
    names = functions.keys() & (drill.differentiable if on == "tensor" else drill.references.keys())
    return [case for case in drill.cases if set(case.needs) <= names]


def expectations(drill: Drill) -> list[Outcome]:
    """What the reference does in each case."""
    return [outcome(case, drill.references) for case in drill.cases]


def examine(drill: Drill, functions: Mapping[str, Any], on: str = "numpy",
            expected: list[Outcome] | None = None) -> Iterator[Result]:
    """How each case that is asked for goes, in their order: an iterator of results, a case each.

    functions: by the names of the references; on: "numpy" or "tensor"; expected: the expectations of the drill, where
    they are known already. After the last case, the mistakes that are recognized are noted in the results.

    >>> from tinygrad_lite.drills import catalog, examine
    >>> softmax = catalog.load("softmax")
    >>> first = next(examine(softmax, {"softmax": lambda x: x / x.sum()}))
    >>> print(first.sentence)
    softmax([1, 2, 3]) gave [0.1667, 0.3333, 0.5], expected [0.09003, 0.2447, 0.6652]
    """
    tried, cases = [], asked(drill, functions, on)
    for case, right in zip(drill.cases, expectations(drill) if expected is None else expected):
        if case in cases:
            tried.append(_tried(case, right, functions, on, drill))
            yield tried[-1].result
    _recognize(drill, tried)


def _tried(case: Case, expected: Outcome, functions: Mapping[str, Any], on: str, drill: Drill) -> _Tried:
    actual = outcome(case, functions, on, drill.references[case.needs[0]] if on == "tensor" else None)
    found, result = failure(case, expected, actual), Result(case.text)
    if found:
        between = ": " if found.kind in ("property", "gradients") else " "
        advice = case.why if found.kind in ("value", "dtype", "property") else ""
        line, code = own_line(actual.error, _files(functions, case))
        result = Result(case.text, False, case.text + between + found.told, advice, "", line, code)
    return _Tried(case, expected, actual, found, result)


def failure(case: Case, expected: Outcome, actual: Outcome) -> Failure | None:
    """What is wrong with an outcome; None where all is right."""
    if actual.error is not None:
        return Failure("error", raised(actual.error))
    if case.lines is not None and actual.lines > case.lines:
        return Failure("lines", f"runs more than {case.lines} lines of Python: {case.slow}")
    if not case.arguments and isinstance(actual.value, str) and not isinstance(expected.value, str):
        return Failure("property", actual.value)
    if different := difference(expected.value, actual.value, case.rtol):
        return Failure("value", different)
    if narrow(case) and (different := difference(expected.value, actual.value, case.rtol, narrow=True)):
        return Failure("dtype", different)
    if actual.changed:
        return Failure("changed", f"changed its argument {actual.changed}: work on a copy, the caller goes on with it")
    if case.memory is not None and actual.memory > case.memory:
        return Failure("memory", f"held {actual.memory / 1e6:.0f} MB at a time: {case.large}")
    return Failure("gradients", actual.gradients) if actual.gradients else None


def raised(error: BaseException) -> str:
    """What a solution raised, as the end of a sentence."""
    try:
        message = printable(textwrap.shorten(str(error), 200))
    except Exception:  # an error of the solution's own, whose text fails
        message = ""
    if isinstance(error, SystemExit):
        return "called exit(): a function returns its result"
    if isinstance(error, RecursionError):
        return "called itself too many times: use a loop, with a list as its stack"
    if isinstance(error, MemoryError):
        return f"asked for more memory than a drill has ({MEMORY >> 30} GB): {message}".removesuffix(": ")
    if isinstance(error, EOFError):
        return "waits for input(): everything it needs is in its arguments"
    if isinstance(error, PrintedTooMuch) or isinstance(error, OSError) and error.errno == errno.EFBIG:
        return f"prints or writes more than anybody reads ({PRINTED} characters)"
    habit = next((f" ({meant})" for text, meant in HABITS.items() if re.search(text, message)), "")
    return f"raised {type(error).__name__}: {message}".removesuffix(": ") + habit


def own_line(error: BaseException | None, files: set[str]) -> tuple[int | None, str]:
    """The last line of a solution's own files that an error went through, and its text."""
    found, trace = None, error.__traceback__ if error else None
    while trace:
        if trace.tb_frame.f_code.co_filename in files:
            found = trace
        trace = trace.tb_next
    if found is None:
        return None, ""
    return found.tb_lineno, linecache.getline(found.tb_frame.f_code.co_filename, found.tb_lineno).strip()


def _files(functions: Mapping[str, Any], case: Case) -> set[str]:
    """Where the functions that a case needs were written."""
    files = set()
    for name in case.needs:
        with contextlib.suppress(TypeError):  # something callable that Python did not compile
            files.add(inspect.getsourcefile(functions[name]) or "")
    return files


# ---- wrong answers

def _recognize(drill: Drill, tried: list[_Tried]) -> None:
    """Name in each failed case the wrong answer that does the same, and of several the one that is most like the
    solution in the other cases."""
    best = [0.0] * len(tried)
    for wrong in drill.wrongs:
        alike = [i for i, each in enumerate(tried) if each.failure and _alike(each, of_wrong(drill, wrong, each.case))]
        likeness = len(alike) - _unlike(drill, wrong, tried, alike) if alike else 0.0
        for i in alike:
            if likeness > best[i]:
                best[i] = likeness
                tried[i].result.mistake, tried[i].result.advice = wrong.name, wrong.why


def _unlike(drill: Drill, wrong: Wrong, tried: list[_Tried], alike: list[int]) -> float:
    """How much speaks against a wrong answer: what it fails and the solution passes, and by half what both fail in
    different ways, since the solution may make a second mistake. Where only sentences about properties are alike, which
    prove less than numbers, what the solution passes counts twice."""
    properties = all(failed.kind == "property" for i in alike if (failed := tried[i].failure))
    against = 0.0
    for i, each in enumerate(tried):
        if i not in alike and failure(each.case, each.expected, of_wrong(drill, wrong, each.case)):
            against += 0.5 if each.failure else 1 + properties
    return against


def of_wrong(drill: Drill, wrong: Wrong, case: Case) -> Outcome:
    """What a wrong answer does in a case, which it is asked for once."""
    if case not in wrong.outcomes:
        with in_place(drill, wrong) as functions:
            wrong.outcomes[case] = outcome(case, functions)
    return wrong.outcomes[case]


@contextlib.contextmanager
def in_place(drill: Drill, wrong: Wrong) -> Iterator[dict[str, Any]]:
    """The references with a wrong answer among them, which the others use as well."""
    home = vars(sys.modules[drill.references[wrong.stands_for].__module__])
    before = {name: home[name] for name in drill.references}
    functions = {**drill.references, wrong.stands_for: wrong.made}
    home.update(functions)
    try:
        yield functions
    finally:
        home.update(before)


def _alike(tried: _Tried, other: Outcome) -> bool:
    """Whether another solution fails as this one does."""
    own, others = tried.failure, failure(tried.case, tried.expected, other)
    if own is None or others is None or own.kind != others.kind:
        return False
    if own.kind == "value":
        return difference(other.value, tried.actual.value, tried.case.rtol or 1e-4) is None
    if own.kind in ("error", "property", "changed"):
        return re.sub(r"[-+.\d]+", "", own.told) == re.sub(r"[-+.\d]+", "", others.told)
    return own.kind in ("lines", "memory", "dtype")
