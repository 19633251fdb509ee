"""The command `tinygrad-lite`."""

import argparse
import contextlib
import itertools
import math
import os
import runpy
import sys
import time
import tomllib
import webbrowser
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from . import autograd, models, nn, optim, saving
from .creation import tensor
from .data import load_digits, split
from .drills import command as drill
from .engine.mode import no_grad
from .engine.refusals import Told, nearest
from .engine.tape import box
from .engine.values import Value
from .engine.watch import observing
from .models import TASKS, Task
from .models.language import load_language_model, write
from .models.task import SETTINGS
from .nn import generation
from .parallel import group
from .random import manual_seed
from .training import Stopped
from .view import Tape, draw, explore, plot, study
from .view.explorer import PAGES


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; hint: and of arguments that there are not, this."""

    hint = ""

    def error(self, message: str) -> Any:
        """Ends the command."""
        hint = self.hint if "unrecognized arguments" in message else ""
        self.exit(2, f"{self.prog}: error: {message}{hint}\n")


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to 2**63 - 1")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def command_line() -> _Parser:
    parser = _Parser(prog="tinygrad-lite", description="Study, train and see autograd from scratch.")
    parser.add_argument("--version", action="version", version=f"tinygrad-lite {version('tinygrad-lite')}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="train a digit classifier on real data and check its gradients",
                               formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    demo.add_argument("--out", type=Path, default=Path("runs/digits"), help="folder for the results")
    demo.add_argument("--epochs", type=_at_least_one, default=30, help="passes over the training images")
    demo.add_argument("--seed", type=_seed, default=0, help="the same seed gives the same numbers")
    demo.add_argument("--batch-size", type=_at_least_one, default=64, help="images a step")
    demo.add_argument("--lr", type=_positive, default=3e-3, help="Adam's learning rate")
    explorer = commands.add_parser("explore", help="run a program and write the explorer page of one of its tapes",
                                   usage="%(prog)s [-h] [--out OUT] [--call CALL] [--open] program [-- arguments]",
                                   formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    explorer.add_argument("program", type=Path, help="a Python file that calls backward()")
    explorer.add_argument("--out", type=Path, default=Path("graph.html"), help="the page to write")
    explorer.add_argument("--call", type=_at_least_one, default=1, help="which call of backward() to show")
    explorer.add_argument("--open", action="store_true", dest="shown", help="open the page in the browser")
    training = commands.add_parser("train", help="train a model; Ctrl-C keeps it, --resume goes on")
    kinds = training.add_subparsers(dest="model", required=True)
    for name, kind in TASKS.items():
        what = (kind.__doc__ or "").partition("\n")[0]
        _add_task(kinds.add_parser(name, help=what, description=f"{what} After {kind.steps} steps it has, as a rule, "
                                   "the result that examples/README.md shows."), name, kind)
    writing = commands.add_parser("generate", help="let a trained model of text write",
                                  formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    writing.add_argument("--checkpoint", type=Path, default=Path("runs/gpt"), help="folder of the run")
    writing.add_argument("--prompt", help="the text to go on from; a new line without it")
    writing.add_argument("--tokens", type=_at_least_one, default=200, help="how many to write")
    writing.add_argument("--temperature", type=float, default=1.0, help="below 1 safer, 0 the most probable token")
    writing.add_argument("--top-k", type=_at_least_one, help="choose among so many")
    writing.add_argument("--top-p", type=_positive, help="choose among those that have this probability together")
    writing.add_argument("--min-p", type=_positive, help="choose among those of this share of the best's probability")
    writing.add_argument("--beam", type=_at_least_one, help="search with so many beams, and sample nothing")
    writing.add_argument("--seed", type=_seed, help="the same seed writes the same")
    drill.add_parser(commands)
    return parser


def _add_task(parser: argparse.ArgumentParser, name: str, kind: type[Task]) -> None:
    """The flags of `train name`: those of every run, and the settings."""
    if kind.reads_text:
        parser.add_argument("--text", type=Path, help="a UTF-8 file to learn from (default: the manual of this Python)")
    out = Path("runs", name)
    parser.add_argument("--out", type=Path, default=out, help=f"folder of the run (default: {out})")
    parser.add_argument("--steps", type=_at_least_one, help=f"steps in all (default: {kind.steps})")
    parser.add_argument("--every", type=_at_least_one, help="steps from checkpoint to checkpoint (default: 200)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument("--config", type=Path, help="a TOML file with settings; flags override it")
    for setting, value in kind.defaults.items():
        read: dict[str, Any] = {"type": type(value), "choices": SETTINGS[setting].words or None}
        if isinstance(value, bool):
            read = {"action": argparse.BooleanOptionalAction}
        parser.add_argument(f"--{setting.replace('_', '-')}", default=argparse.SUPPRESS,
                            help=f"{SETTINGS[setting].help} (default: {value})", **read)


def _from_file(config: Path, kind: type[Task]) -> list[str]:
    """The settings of a TOML file as flags."""
    try:
        read = tomllib.loads(config.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Told(f"{config} is no TOML file: {error}") from None
    flags, known = [], [*kind.defaults, "steps", "every", *["text"] * kind.reads_text]
    for written, value in read.items():
        name, flag = written.replace("-", "_"), written.replace("_", "-")
        if name not in known:
            raise Told(f"{config}: there is no setting {name}: there are {', '.join(known)}{nearest(name, known)}")
        if isinstance(value, bool):
            if not isinstance(kind.defaults.get(name), bool):
                raise Told(f"{config}: {name} is {value}, and neither true nor false is meant")
            flags.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            flags.append(f"--{flag}={value}")
    return flags


class _Enough(BaseException):
    """Ends a program once its tape is there."""


def explore_program(program: Path, arguments: list[str], out: Path, call: int, shown: bool) -> None:
    """Run a program with its arguments up to its call-th backward(), and write the explorer of what that goes through,
    with the names that the program has for its tensors."""
    if not program.is_file():
        raise Told(f"there is no file {program}" if not program.exists() else f"{program} is no Python file")
    if out.suffix.lower() not in PAGES:
        raise Told(f"--out is an HTML file, not {out}")
    written, calls, page = [], itertools.count(1), out.resolve()  # the program may go to another folder

    def begin(seeds: dict) -> None:
        if next(calls) == call:
            tape = Tape([box(node.array, node) for node in seeds], _names(program))
            tape.run_backward(list(seeds.values()) if len(seeds) > 1 else next(iter(seeds.values())))
            try:
                written.append((explore(tape, page), repr(tape)))
            except (ValueError, OSError) as error:  # too many steps, or no place to write
                raise Told(str(error)) from None
            raise _Enough

    before = sys.argv, list(sys.path)
    sys.argv, sys.path[0:0] = [str(program), *arguments], [str(program.resolve().parent)]  # as python program.py does
    try:
        with study(), observing(begin), contextlib.suppress(_Enough, SystemExit):
            runpy.run_path(str(program), run_name="__main__")
    except SyntaxError as error:
        raise Told(f"{program} is no Python file: {error}") from None
    finally:
        sys.argv, sys.path[:] = before
    if not written:
        raise Told(f"{program} ended after {next(calls) - 1} calls of backward() in its main thread, "
                   f"before call {call}")
    print(f"written: {out}, {written[0][1]}")
    if shown:
        webbrowser.open(page.as_uri())


def _names(program: Path) -> dict[str, Any]:
    """The tensors that the program's variables hold, where it is now, by name: parameters as their module calls them,
    after the variable's name where there are several modules; others as their variable is called."""
    folder, package, frame = program.resolve().parent, Path(__file__).resolve().parent, sys._getframe()
    variables: dict[str, Any] = {}
    while frame := frame.f_back:  # type: ignore[assignment]
        file = Path(frame.f_code.co_filename).resolve()
        if file.is_file() and folder in file.parents and package not in file.parents:  # no runpy, no backward()
            variables = {**frame.f_globals, **frame.f_locals, **variables}
    modules: dict[str, Any] = {}
    tensors: dict[str, Any] = {}
    for name, value in variables.items():
        for path, x in _held(str(name), value):
            (modules if isinstance(x, nn.Module) else tensors)[path] = x
    inside = {id(m) for outer in modules.values() for m in outer.modules() if m is not outer}
    roots = {id(m): (name, m) for name, m in modules.items() if id(m) not in inside}
    named = {f"{name}.{path}" if len(roots) > 1 else path: p
             for name, m in roots.values() for path, p in m.named_parameters()}
    known = set(map(id, named.values()))
    return named | {name: t for name, t in tensors.items() if id(t) not in known and name not in named}


def _held(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The modules and tensors that a variable is, or that its list, its dict or its object holds, with what they are
    called."""
    try:
        if isinstance(value, (nn.Module, Value)):
            yield name, value
            return
        if isinstance(value, (list, tuple)):
            parts = {f"{name}[{i}]": part for i, part in enumerate(value)}
        elif isinstance(value, dict):
            parts = {f"{name}[{key!r}]": part for key, part in value.items()}
        elif type(value).__module__ == "__main__":
            parts = {str(key): part for key, part in vars(value).items()}
        else:
            return
        yield from ((path, part) for path, part in parts.items() if isinstance(part, (nn.Module, Value)))
    except Exception:  # an object of the user's may do anything when it is looked at
        return


def _accuracy(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    with no_grad():
        return float((model(tensor(x)).array.argmax(1) == y).mean())


def _by_hand(x: np.ndarray, y: np.ndarray, w1: Any, b1: Any, w2: Any, b2: Any) -> list[np.ndarray]:
    """Backprop of the two-layer network with cross-entropy, derived by hand, in plain numpy."""
    z = x @ w1.T + b1  # (N, H)
    h = np.maximum(z, 0)
    logits = h @ w2.T + b2  # (N, C)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    dlogits = (p - np.eye(p.shape[1])[y]) / len(x)
    dz = (dlogits @ w2) * (z > 0)
    return [dz.T @ x, dz.sum(0), dlogits.T @ h, dlogits.sum(0)]


def _check_gradients(model: Any, x: np.ndarray, y: np.ndarray) -> None:
    """Print how far tape, hand-derived backprop and finite differences are apart, in float64."""
    parameters = [tensor(p.array.astype(np.float64), requires_grad=True) for p in model.parameters()]
    x = x.astype(np.float64)

    def loss(w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
        hidden = nn.functional.relu(nn.functional.linear(tensor(x), w1, b1))
        return nn.functional.cross_entropy(nn.functional.linear(hidden, w2, b2), y)

    tape = [g.array for g in autograd.grad(loss(*parameters), parameters)]
    hand = _by_hand(x, y, *(p.array for p in parameters))
    rng = np.random.default_rng(0)
    worst = 0.0
    for p, g in zip(parameters, tape):
        for flat in rng.choice(p.array.size, min(p.array.size, 50), replace=False):
            index = np.unravel_index(flat, p.shape)
            difference = autograd.central_difference(loss, parameters, p.array, index, 1e-6)
            worst = max(worst, abs(float(difference[0]) - g[index]))
    apart = max(np.abs(a - b).max() for a, b in zip(tape, hand))
    print(f"gradients of one batch: tape - by hand {apart:.1e}, tape - finite differences {worst:.1e} at most")


def demo(out: Path, epochs: int, seed: int, batch_size: int, lr: float) -> None:
    """Train 64-128-10 on the digits, check gradients, and write loss.png, graph.svg and model.safetensors."""
    import matplotlib
    from tqdm import trange  # extras: pip install ".[demo]"
    matplotlib.use("Agg")
    from matplotlib import pyplot

    out.mkdir(parents=True, exist_ok=True)
    x, y, x_test, y_test = split(*load_digits())
    held_out = len(x) // 10  # the validation images, for the progress bar; the test images are seen once
    x, y, x_val, y_val = x[held_out:], y[held_out:], x[:held_out], y[:held_out]
    manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = optim.Adam(model.parameters(), lr=lr)
    rng, losses = np.random.default_rng(seed), []
    try:
        bar = trange(epochs, desc="training", unit="epoch")
        for _ in bar:
            order = rng.permutation(len(x))
            for start in range(0, len(x), batch_size):
                rows = order[start : start + batch_size]
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(tensor(x[rows])), y[rows])
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            bar.set_postfix(loss=f"{losses[-1]:.4f}", validation=f"{_accuracy(model, x_val, y_val):.1%}")
    except KeyboardInterrupt:
        print("\nstopped: keeping what was learned so far")
    saving.save(model.state_dict(), out / "model.safetensors")
    figure, axes = pyplot.subplots()
    plot.loss_curve(losses, smooth=min(30, len(losses)), ax=axes).set(ylabel="cross-entropy", title="digits, 64-128-10")
    figure.savefig(out / "loss.png")
    with study():
        loss = nn.functional.cross_entropy(model(tensor(x[:4])), y[:4])
    try:
        draw(loss, model).render(outfile=out / "graph.svg", cleanup=True)
    except RuntimeError as error:
        print(error)
    print(f"test accuracy {_accuracy(model, x_test, y_test):.2%}")
    _check_gradients(model, x[:64], y[:64])
    print("written:", *(str(out / name) for name in ("loss.png", "graph.svg", "model.safetensors")
                        if (out / name).exists()))
    command = sys.argv[0] if Path(sys.argv[0]).name.startswith("tinygrad-lite") else "python -m tinygrad_lite"
    print(f"next: {command} demo --lr 0.1, {command} explore examples/moons.py, or read tinygrad_lite/engine/tape.py")


def train(model: str, out: Path, resume: bool, config: Path | None, **given: Any) -> None:
    """Train a model, and say how well it does."""
    began = time.time() - 1
    try:
        found = models.train(model, out, resume, **given)
    except (Stopped, ValueError, TypeError, ImportError) as error:
        raise Told(str(error)) from None
    if group().rank:
        return
    steps, of = found.pop("steps"), found.pop("of")
    hint = ": stopped, and --resume goes on" if steps < of else ": it had them already, --steps asks for more"
    print(f"{steps} of {of} steps{hint};" if steps != of else f"{steps} steps:",
          ", ".join(f"{name} {value:.4g}" for name, value in found.items()))
    print("written:", *sorted(str(path) for path in out.iterdir() if path.stat().st_mtime > began))


def generate(checkpoint: Path, prompt: str | None, tokens: int, beam: int | None, seed: int | None, temperature: float,
             top_k: int | None, top_p: float | None, min_p: float | None) -> None:
    """Print what a trained model of text writes, as it comes."""
    given: Any = ((generation.top_k, top_k), (generation.top_p, top_p), (generation.min_p, min_p))
    if seed is not None:
        manual_seed(seed)
    try:
        processors = [generation.temperature(temperature)] + [make(value) for make, value in given if value is not None]
        if beam is not None and (len(processors) > 1 or temperature != 1):
            raise ValueError("--beam searches for what is most probable: --temperature, --top-k, --top-p and --min-p "
                             "are about sampling")
        model, tokenizer = load_language_model(checkpoint)
        for piece in write(model, tokenizer, prompt, tokens, processors, beam):
            print(piece, end="", flush=True)
    except (Stopped, ValueError) as error:
        raise Told(str(error)) from None
    print()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 where it went well, 130 after Ctrl-C, 1 and 2 where it did not."""
    given = sys.argv[1:] if arguments is None else arguments
    end = given.index("--") if "--" in given else len(given)
    parser = command_line()
    parser.hint = "; the program's own come after --" if given[:1] == ["explore"] else ""
    options = vars(parser.parse_args(given[:end]))
    if options["command"] == "explore":
        options["arguments"] = given[end + 1 :]  # the program's own
    commands = {"demo": demo, "explore": explore_program, "train": train, "generate": generate, "drill": drill.run}
    command: Any = commands[options.pop("command")]
    expected: Any = Told if command is explore_program else (Told, OSError)  # what is explored has errors of its own
    try:
        if options.get("config"):
            flags = _from_file(options["config"], TASKS[options["model"]])
            options = vars(parser.parse_args([*given[:2], *flags, *given[2:]]))
            del options["command"]
        return command(**options) or 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except expected as error:
        where = f" rank {group().rank}:" if group().rank else ""
        print(f"tinygrad-lite:{where} {error}", file=sys.stderr)
        return 1
