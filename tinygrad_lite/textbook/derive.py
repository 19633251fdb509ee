"""tl.derive: the backprop of a function as one would write it on paper, in numpy."""

import contextlib
import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..compiler.program import Call, Program, Slot, Var
from ..compiler.recording import Recording, record
from ..compiler.state import State
from ..compiler.trace import CompileError
from ..engine.mode import mode, no_grad
from ..engine.values import Value, as_array
from ..tensor import Tensor
from .idioms import masked_scores, sigmoids, spelt_sigmoids
from .printer import Printer
from .reading import readable
from .sizes import LETTERS, Merged, Misfit, Shapes, Symbol, generic_shapes, symbols_of


def derive(function: Callable, *examples: Any, check: bool = True) -> str:
    """The numpy source of value_and_grad, which computes function(*examples) and its gradients.

    The function gives a scalar. Gradients are with respect to the examples that require grad and to the tensors that
    require grad and that the function reaches, such as a model's parameters, which become parameters of the source
    after the function's own; where there is none of either, to all floating-point examples. Names are the function's.
    Sizes that can change are symbols (N, D, …), found by recording the function at others; where the source fits only
    one size, it asserts that. It needs numpy alone. With check, what was written is run at the examples' sizes and at
    others, and compared with the tape: a RuntimeError where they differ.
    """
    return _Derivation(function, examples).source(check)


class _Derivation:
    """A function with its inputs: the examples, and the tensors that it reaches."""

    def __init__(self, function: Callable, examples: tuple) -> None:
        self.function, self.examples = function, examples
        self.state = State(function, None, [], set())
        arrays = [isinstance(x, (Value, np.ndarray)) for x in examples]
        free: list[Any] = [x for x, array in zip(examples, arrays) if array and as_array(x).dtype.kind == "f"]
        wanted = [x for x in free if isinstance(x, Value) and x.node is not None]
        if not wanted and all(t.node is None for t in self.state.tensors):
            wanted = free
        self.wanted = [any(x is w for w in wanted) for x in examples]
        names = list(inspect.signature(function).bind(*examples).arguments)
        self.names = [name for name, array in zip(names, arrays) if array]
        self.given = [np.array(as_array(x)) for x, array in zip(examples, arrays) if array]
        self.reached = [t.array for t in self.state.tensors]
        self.shapes: Shapes = [a.shape for a in (*self.given, *self.reached)]

    @contextlib.contextmanager
    def at(self, shapes: Shapes, dtype: Any = None) -> Iterator[list[Any]]:
        """The function's arguments at these shapes; what it reaches has them for a while too, and no gradient."""
        def made(a: np.ndarray, shape: tuple) -> np.ndarray:
            a = _resized(a, shape) if a.shape != shape else a.copy()
            return a.astype(dtype) if dtype and a.dtype.kind == "f" else a

        arrays = iter(map(made, self.given, shapes))
        args = [Tensor(next(arrays)).requires_grad_(wanted) if isinstance(x, (Value, np.ndarray)) else x
                for x, wanted in zip(self.examples, self.wanted)]
        before = [(t, t.array, t.node and t.node.grad) for t in self.state.tensors]
        try:
            for (t, a, _), shape in zip(before, shapes[len(self.given):]):
                t.array = made(a, shape) if shape != a.shape or dtype else a
                if t.node is not None:
                    t.node.array, t.node.grad = t.array, None
            yield args
        finally:
            for t, array, grad in before:
                t.array = array
                if t.node is not None:
                    t.node.array, t.node.grad = array, grad

    def allowed(self, shapes: Shapes) -> bool:
        """Whether the function computes a number at these shapes."""
        with self.at(shapes) as args, no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return self.function(*args).array.size == 1
            except Exception:  # whatever it says, it is not for these sizes
                return False

    def value_and_grad(self, *args: Any) -> Any:
        """The function's value, after its backward pass."""
        value = self.function(*args)
        if not isinstance(value, Tensor) or value.array.size != 1 or value.node is None:
            raise TypeError("derive: the function gives a scalar Tensor that depends on what gradients are wanted of")
        one = np.ones(value.array.shape, value.array.dtype)
        value.backward(Tensor(one if mode.tracing is None else mode.tracing.traced(one)))  # what is made of it is noted
        return value

    def recorded(self, shapes: Shapes) -> tuple[Recording, Program]:
        """What the function does at these shapes, and the program that is written down."""
        with self.at(shapes) as args:
            call = Call([x for x in args if isinstance(x, Tensor)], self.state)
            found = record(self.value_and_grad, call, [], self.names, tuple(args), {}, False, spelt_out=True)
        recording = found.recording
        if recording is None:
            raise CompileError(f"derive: {found.reason}")
        for v in recording.program.body:
            if v.op == "check" and v.value:
                raise CompileError(f"derive: the truth test at {v.line} (`{v.line.text}`) makes the gradient depend on "
                                   "values: derive each branch by itself, or compute with tl.where")
            if v.op.startswith("rng."):
                raise CompileError("derive: the function draws random numbers; put the model in eval mode")
        program = replace(recording.program, body=[v for v in recording.program.body if v.op != "check"])
        _leave_names_to_the_user(program)
        program.results[0].name = program.results[0].name.lstrip("~") or "value"
        return recording, readable(program, masked_scores, sigmoids, spelt_sigmoids)

    def source(self, check: bool) -> str:
        """The module's text."""
        recording, program = self.recorded(self.shapes)
        symbols = symbols_of(self.shapes, self.allowed)
        taken = {v.name.lstrip("~") for v in (*program.inputs, *program.body)}
        letters = (letter for letter in LETTERS if letter not in taken)
        symbols = symbols[: len(LETTERS) - len(taken.intersection(LETTERS))]
        for symbol, letter in zip(sorted(symbols, key=lambda s: min(s.dims)), letters):
            symbol.name = letter
        while True:
            try:
                merged = self.merged(symbols)
                text = Printer(merged, self.dims(merged.program, symbols)).text(
                    getattr(self.function, "__name__", "function"))
                for shapes in (self.shapes, *self.others) if check else ():
                    self.compare(text, recording, merged.program, shapes)
                return text
            except Misfit:
                symbols = self.fitting(symbols)
            except Exception:  # of the source, at other sizes
                if not symbols:
                    raise
                symbols = symbols[:-1]

    def merged(self, symbols: list[Symbol]) -> Merged:
        """One program for all values of the symbols; Misfit where there is none."""
        self.others: list[Shapes] = []  # where what is written is tried
        if not symbols:
            return Merged([self.recorded(self.shapes)[1]], [{}])
        *rounds, one, other = generic_shapes(self.shapes, symbols, self.allowed, 6)
        self.others = [one, other]
        try:
            programs = [self.recorded(shapes)[1] for shapes in rounds]
        except CompileError:
            raise Misfit from None
        return Merged(programs, [{s.name: s.value(shapes) for s in symbols} for shapes in rounds])

    def fitting(self, symbols: list[Symbol]) -> list[Symbol]:
        """Fewer symbols: without those that do not fit by themselves, or else without the last."""
        fit = []
        for symbol in symbols:
            with contextlib.suppress(Misfit):
                self.merged([symbol])
                fit.append(symbol)
        return fit if len(fit) < len(symbols) else fit[:-1]

    def dims(self, program: Program, symbols: list[Symbol]) -> dict[Var, list[tuple[Symbol, int] | None]]:
        """For each axis of an input its symbol, and how many times that."""
        found = {}
        for v in program.inputs:
            if isinstance(v.value, Slot) and v.shape is not None:
                which = v.value.at + (len(self.given) if v.value.bound else 0)
                found[v] = [next(((s, s.dims[which, axis]) for s in symbols if (which, axis) in s.dims), None)
                            for axis in range(len(v.shape))]
        return found

    def compare(self, text: str, recording: Recording, program: Program, shapes: Shapes) -> None:
        """Run the text beside the tape, in double precision."""
        names: dict[str, Any] = {}
        exec(compile(text, "<derived>", "exec"), names)
        with self.at(shapes, np.float64) as args, np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = Call([x for x in args if isinstance(x, Tensor)], self.state)
            given = [v.value.read(call).copy() for v in program.inputs if v.shape is not None]
            value, gradients = names["value_and_grad"](*given)
            expected = [self.value_and_grad(*args).array]
            expected += [which.value(call).node.grad.array for which, g in recording.gradients if isinstance(g, Var)]
        largest = max(np.abs(right[np.isfinite(right)]).max(initial=1e-30) for right in expected)
        for found, right in zip((value, *gradients), expected, strict=True):
            if np.shape(found) != right.shape or not np.allclose(found, right, 1e-4, 1e-6 * largest, equal_nan=True):
                raise RuntimeError(f"derive: the source does not agree with the tape at sizes {shapes}; this is a "
                                   "fault of tinygrad_lite, please report it with the function. The source:\n" + text)


def _resized(a: np.ndarray, shape: tuple) -> np.ndarray:
    """The elements again and again; fractions a little less each time, so that no two are equal."""
    new = np.resize(a, shape)
    if a.dtype.kind != "f":
        return new
    less = np.random.default_rng(0).uniform(0.99, 1, shape).astype(a.dtype)
    return np.where(new == np.round(new), new, new * less)


def _leave_names_to_the_user(program: Program) -> None:
    """The library's names (~out) name nothing where the user has the same, or where they would need a number."""
    taken = {v.name for v in (*program.inputs, *program.body)}
    for v in program.body:
        if v.name.startswith("~"):
            name = v.name[1:]
            v.name = "" if name in taken or re.search(r"_\d+$", name) else v.name
            taken.add(name)
