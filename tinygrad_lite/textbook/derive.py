"""tl.derive: the backprop of a function as one would write it on paper, in numpy."""

import contextlib
import copy
import inspect
import math
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..compiler.effects import Contents, Saved
from ..compiler.program import Call, Program, Slot, Var
from ..compiler.recording import record
from ..compiler.stand_ins import FIXED
from ..compiler.state import State
from ..compiler.trace import CompileError
from ..engine.mode import mode, no_grad
from ..engine.tape import box
from ..engine.trees import leaves, mapped
from ..engine.values import Value, as_array
from ..nn import Module
from ..tensor import Tensor
from .idioms import masked_scores, not_negative, relu_gates, sigmoids, spelt_sigmoids
from .printer import Printer, own_memory
from .reading import readable
from .sizes import LETTERS, Merged
from .symbols import (
    Misfit,
    Shapes,
    Symbol,
    generic_shapes,
    other_values,
    repeated,
    resized,
    symbols_of,
)

INPUTS = (Value, np.ndarray, float)  # what the source has a parameter for, among the examples
MANY = 5  # symbols; of more each is tried alone first
LARGEST = 200_000  # elements of the inputs where other sizes are tried


def derive(function: Callable, *examples: Any, check: bool = True) -> str:
    """The numpy source of value_and_grad, which computes function(*examples) and its gradients.

    The function gives a scalar. Gradients are with respect to the examples that require grad and to the tensors that
    require grad and that the function reaches, such as a model's parameters, which become parameters of the source
    after the function's own; where there is none of either, to all floating-point examples. Names are the function's;
    what examples hold in lists and dicts has the names of the places, such as params_0 or batch_x.
    Sizes that can change are symbols (N, D, …), found by recording the function at others and with other values; what
    the source does not fit, it asserts. It is for double precision and needs numpy alone. With check, what was written
    is run at many sizes and values beside the tape: where they differ it is for fewer sizes, and a RuntimeError if it
    differs at the examples'. CompileError for a function whose gradient depends on values in a way that has no text.

    >>> print(tl.derive(lambda x: (x * x).sum(), tl.tensor([1.0, 2.0])))
    import numpy as np
    ...
        value = (x * x).sum()                                     # ()
        dx = 2 * x                                                # (N,)
        return value, (dx,)
    """
    if isinstance(function, Value) or not callable(function):
        raise TypeError(f"derive: it takes a function and examples of its arguments, not a {type(function).__name__}")
    return _Derivation(function, examples).source(check)


class _Derivation:
    """A function with its inputs: the examples, and the tensors that it reaches."""

    def __init__(self, function: Callable, examples: tuple) -> None:
        self.function, self.examples = function, examples
        self.state = State(function, None, [], set())
        signature = inspect.signature(function.forward if isinstance(function, Module) else function)
        named = [(name, x) for argument, value in signature.bind(*examples).arguments.items()
                 for name, x in _named_leaves(argument, value)]
        arrays = [x for _, x in named if not isinstance(x, float)]
        free = [x for x in arrays if as_array(x).dtype.kind == "f"]
        wanted: list[Any] = [x for x in free if isinstance(x, Value) and x.node is not None]
        if not wanted and all(t.node is None for t in self.state.tensors):
            wanted = free
        self.names = [name for name, _ in named]
        self.wanted = [any(x is w for w in wanted) for _, x in named]
        self.given = [x if isinstance(x, float) else np.array(as_array(x)) for _, x in named]
        self.shapes: Shapes = [np.shape(a) for a in (*self.given, *(t.array for t in self.state.tensors))]
        generators = [getattr(g, "numpy", g) for g in self.state.generators]
        known = {id(part) for g in generators for part in (g, g.bit_generator)}
        self.saved = Saved(Call([], self.state), Contents([*self.state.roots, ("", function)], known))

    @contextlib.contextmanager
    def at(self, shapes: Shapes, seed: int = 0) -> Iterator[list[Any]]:
        """The function's arguments at these shapes, in double precision, with other values for each seed but 0.

        What it reaches is as large for a while, and without a gradient; all that it changes is put back.
        """
        def made(a: np.ndarray, shape: tuple) -> np.ndarray:
            new = other_values(a, shape, seed) if seed else a.copy() if a.shape == shape else repeated(a, shape)
            return new.astype(np.float64) if a.dtype.kind == "f" else new

        inputs = iter([a if isinstance(a, float) else box(made(a, shape)).requires_grad_(wanted)
                       for a, shape, wanted in zip(self.given, shapes, self.wanted)])
        try:
            for t, shape in zip(self.state.tensors, shapes[len(self.given):]):
                t.array = made(t.array, shape)
                if t.node is not None:
                    t.node.array, t.node.grad = t.array, None
            yield list(mapped(lambda x: next(inputs) if isinstance(x, INPUTS) else x, self.examples))
        finally:
            self.saved.put_back()
            for t in self.state.tensors:
                if t.node is not None:
                    t.node.array = t.array

    def allowed(self, shapes: Shapes, seed: int = 0) -> bool:
        """Whether the function computes a number at these shapes."""
        with self.at(shapes, seed) as args, no_grad(), _in_silence():
            try:
                return self.function(*args).array.size == 1
            except Exception:  # whatever it says, it is not for these sizes
                return False

    def value_and_grad(self, *args: Any) -> Any:
        """The function's value, after its backward pass."""
        value = self.function(*args)
        value = value.clone() if any(value is x for x in args) else value
        if not isinstance(value, Tensor) or value.array.size != 1 or value.node is None:
            got = f"a {type(value).__name__}"
            if isinstance(value, Tensor):
                got = f"one of shape {value.shape}" + " without a tape" * (value.node is None)
            raise TypeError("derive: the function has to give a scalar Tensor that depends on what gradients are "
                            f"wanted of, and gives {got}")
        one = np.ones(value.array.shape, value.array.dtype)
        value.backward(box(one if mode.tracing is None else mode.tracing.traced(one)))  # what is made of it is noted
        return value

    def recorded(self, shapes: Shapes, seed: int = 0) -> tuple[Program, list[Slot]]:
        """What the function does at these shapes, as the program that is written down, and what has a gradient."""
        with self.at(shapes, seed) as args, _in_silence():
            call = Call([x for x in leaves(args) if isinstance(x, INPUTS)], self.state)
            found = record(self.value_and_grad, call, [], self.names, tuple(args), {}, False, spelt_out=True)
        recording = found.recording
        if recording is None:
            raise CompileError(f"derive: {found.reason}")
        for v in recording.program.body:
            if v.op == "check" and v.value == "branch" and v.args[0].value != FIXED:
                raise CompileError(f"derive: the truth test at {v.line} (`{v.line.text}`) makes the gradient depend on "
                                   "values: derive each branch by itself, or compute with tl.where")
            if v.op.startswith("rng."):
                raise CompileError("derive: the function draws random numbers; put the model in eval mode")
        gradients = {which: g for which, g in recording.gradients if isinstance(g, Var)}
        program = replace(recording.program, results=[recording.result.of], kept=list(gradients.values()), writes=[],
                          body=[v for v in recording.program.body if v.op != "check" or _is_condition(v)])
        _leave_names_to_the_user(program)
        program.results[0].name = program.results[0].name.lstrip("~") or "value"
        return readable(program, masked_scores, sigmoids, spelt_sigmoids, relu_gates, not_negative), list(gradients)

    def source(self, check: bool) -> str:
        """The module's text."""
        self.program, self.reached = self.recorded(self.shapes)
        symbols = symbols_of(self.shapes, self.allowed)
        taken = {v.name.lstrip("~") for v in (*self.program.inputs, *self.program.body)}
        self.letters = [letter for letter in LETTERS if letter not in taken]
        symbols = symbols[: len(self.letters)]
        if len(symbols) > MANY:
            symbols = self.alone(symbols)
        while True:
            self.name(symbols)
            try:
                return self.text(symbols, check)
            except Misfit as misfit:
                if not symbols:
                    raise CompileError(f"derive: {misfit}") from None
                fit = self.alone(symbols)
                symbols = fit if len(fit) < len(symbols) else fit[:-1]

    def name(self, symbols: list[Symbol]) -> None:
        """Give each a letter, in the order of the inputs."""
        for symbol, letter in zip(sorted(symbols, key=lambda s: min(s.dims)), self.letters):
            symbol.name = letter

    def alone(self, symbols: list[Symbol]) -> list[Symbol]:
        """Those that fit by themselves."""
        self.name(symbols)
        fit = []
        for symbol in symbols:
            with contextlib.suppress(Misfit):
                self.merged([symbol])
                fit.append(symbol)
        return fit

    # ---- one program for all sizes
    def text(self, symbols: list[Symbol], check: bool) -> str:
        """The source for all values of these symbols; Misfit where there is none."""
        merged, others = self.merged(symbols)
        wanted = [v.value for v in self.program.inputs if isinstance(v.value, Slot) and (
            v.value in self.reached or not v.value.bound and self.wanted[v.value.at])]
        own_memory(merged, dict(zip(self.reached, merged.program.kept)), wanted)
        printer = Printer(merged, self.dims(merged.program, symbols))
        name = getattr(self.function, "__name__", type(self.function).__name__)
        text = printer.text(name, [])
        if not check:
            return text

        written: dict[str, Any] = {}
        exec(compile(text, "<derived>", "exec"), written)

        def agrees(shapes: Shapes, seed: int = 0) -> bool:
            return self.agrees(written["value_and_grad"], wanted, shapes, seed)

        if not symbols and not agrees(self.shapes):
            raise RuntimeError("derive: the source does not agree with the tape; this is a fault of tinygrad_lite, "
                               f"please report it with the function. The source:\n{text}")
        if not all(agrees(shapes, seed) for shapes in (self.shapes, *others) for seed in range(4)):
            raise Misfit("the gradient depends on the values of the inputs in a way that has no text")
        bounds = {symbol: self.bounds(symbol, agrees) for symbol in symbols}
        for start, step in ((2, 1), (2 + len(symbols), -1), (3, 0), (1, 0), (9, -1)):
            values = {s: min(max(start + step * i, least), most) for i, (s, (least, most)) in enumerate(bounds.items())}
            if not agrees(resized(self.shapes, values)):
                raise Misfit
        asserts = [f"assert {s.name} >= {least}, {s.name}" for s, (least, _) in bounds.items() if least > 0]
        asserts += [f"assert {s.name} <= {most}, {s.name}" for s, (_, most) in bounds.items() if most < LARGEST]
        return printer.text(name, asserts)

    def merged(self, symbols: list[Symbol]) -> tuple[Merged, list[Shapes]]:
        """One program for all values of the symbols and of the inputs, and other shapes to try it at."""
        rounds, others = [self.shapes] * 4, []
        if symbols:
            *rounds, one, other = generic_shapes(self.shapes, symbols, self.allowed, 6)
            others = [one, other]
        programs = [self.again(shapes, 4 * i) for i, shapes in enumerate(rounds)]
        values = [{s.name: s.value(shapes) for s in symbols} for shapes in rounds]
        return Merged(programs, values, [letter for letter in self.letters if letter not in values[0]]), others

    def again(self, shapes: Shapes, seed: int) -> Program:
        """The program at other shapes and with other values; with the example's where it takes another way there."""
        def tests(program: Program) -> list:
            return [v.args[1] for v in program.body if v.op == "check"]

        for other in (seed + 1, seed + 2, seed + 3, 0):
            if self.allowed(shapes, other):
                with contextlib.suppress(CompileError):
                    program, _ = self.recorded(shapes, other)
                    if tests(program) == tests(self.program):
                        return program
        raise Misfit("the function takes another way at other sizes")

    def dims(self, program: Program, symbols: list[Symbol]) -> dict[Var, list[tuple[Symbol, int] | None]]:
        """For each axis of an input its symbol, and how many times that."""
        found = {}
        for v in program.inputs:
            if isinstance(v.value, Slot) and v.shape is not None:
                which = v.value.at + (len(self.given) if v.value.bound else 0)
                found[v] = [next(((s, s.dims[which, axis]) for s in symbols if (which, axis) in s.dims), None)
                            for axis in range(len(v.shape))]
        return found

    # ---- beside the tape
    def bounds(self, symbol: Symbol, agrees: Callable[[Shapes], bool]) -> tuple[int, int]:
        """The least and the largest value of a symbol that the source is for, of those that are tried."""
        here = symbol.value(self.shapes)
        tried = sorted({*range(10), here - 1, here, here + 1, 2 * here + 1, 33})
        wrong = [n for n in tried if not agrees(resized(self.shapes, {symbol: n}))]
        if here in wrong:
            raise Misfit
        below, above = (max((n for n in wrong if n < here), default=-1), min((n for n in wrong if n > here), default=0))
        least = min(n for n in tried if n > below)
        return least, max(n for n in tried if n < above) if above else LARGEST

    def agrees(self, source: Callable, wanted: list[Slot], shapes: Shapes, seed: int) -> bool:
        """Whether the source does what the tape does, or refuses; also where the function is not for these shapes."""
        if sum(map(math.prod, shapes)) > LARGEST:
            return True
        with self.at(shapes, seed) as args, _in_silence():
            call = Call([x for x in leaves(args) if isinstance(x, INPUTS)], self.state)
            given = [copy.copy(v.value.read(call)) for v in self.program.inputs if isinstance(v.value, Slot)]
            try:
                expected = [self.value_and_grad(*args).array]
            except Exception:  # whatever it says, it is not for these shapes
                return True
            for which in wanted:
                t = which.value(call)
                expected.append(np.zeros(t.shape) if t.node.grad is None else t.node.grad.array)
            try:
                value, gradients = source(*(copy.copy(x) for x in given))
            except AssertionError:
                return shapes != self.shapes or seed > 0
            except Exception:  # where there is nothing to compute with it may say that
                return any(0 in shape for shape in shapes)
        given = [x for x in map(np.asarray, given) if x.dtype.kind == "f"]
        of_results, of_inputs = (max(np.abs(x[np.isfinite(x)]).max(initial=0) for x in arrays)
                                 for arrays in (expected, [*expected, *given]))
        noise = 1e-9 * of_results + 1e-12 * of_inputs  # also of what is zero but for rounding
        return all(np.shape(found) == right.shape and np.allclose(found, right, 1e-7, noise, True)
                   for found, right in zip((value, *gradients), expected, strict=True))


def _named_leaves(name: str, x: Any) -> Iterator[tuple[str, Any]]:
    """The arrays, Tensors and fractions in an argument, each with the name of its place."""
    if isinstance(x, INPUTS):
        yield name, x
    elif isinstance(x, (tuple, list, dict)):
        for key, part in x.items() if isinstance(x, dict) else enumerate(x):
            yield from _named_leaves(f"{name}_{key}", part)


@contextlib.contextmanager
def _in_silence() -> Iterator[None]:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _is_condition(check: Var) -> bool:
    """Whether the source asserts a test: not what holds at all sizes, nor that numbers are finite."""
    asked = check.args[0]
    if asked.value == FIXED:  # a number that the library needed to see
        return isinstance(asked.args[0], Var) and isinstance(asked.args[0].value, Slot)
    return check.value == "condition" and not asked.op.startswith(("py.", "np.isfinite"))


def _leave_names_to_the_user(program: Program) -> None:
    """The library's names (~out) name nothing where the user has the same, or where they would need a number."""
    taken = {v.name for v in (*program.inputs, *program.body)}
    for v in program.body:
        if v.name.startswith("~"):
            name = v.name[1:]
            v.name = "" if name in taken or re.search(r"_\d+$", name) else v.name
            taken.add(name)
