"""Training that survives: a folder with a log, the loss as a picture, and checkpoints that a run goes on from."""

import csv
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .compiler import compile
from .compiler.program import leaves
from .data import default_convert
from .engine.refusals import whole
from .nn.utils import clip_grad_norm_
from .parallel import DataParallel, group, shard
from .random import get_rng_state, set_rng_state
from .saving import load, save
from .tensor import Tensor
from .view.plot import loss_curve, picture

CHECKPOINT, LOG, PICTURE = "checkpoint.safetensors", "log.csv", "loss.png"
SMOOTH = 20  # steps of the mean in the picture
DRAWN = 10.0  # seconds from picture to picture, at least


class Stopped(Exception):
    """A run that cannot begin or go on; the message says why."""


class Trainer:
    """Takes steps, and writes what they gave: a row a step into log.csv, every so often checkpoint.safetensors and
    loss.png. A run that was killed at any moment goes on from its last checkpoint as if it had not been.

    loss(batch) -> Tensor, the mean over the rows of a batch; batch(generator) -> arrays or Tensors, in tuples, lists
    and dicts, drawn with a numpy generator that each step has of its own, from the seed and the step's number.
    settings: what makes a run this run; one with others is refused to go on. compiled: whether steps are programs of
    `tl.compile`. accumulate: in how many parts, one after another, the gradients of a batch are computed.

    Under mpirun each process computes the gradients of its share of the batch's rows, and they are averaged.
    """

    def __init__(self, folder: str | Path, model: Any, optimizer: Any, loss: Callable, batch: Callable, *,
                 settings: dict[str, Any], seed: int = 0, scheduler: Any = None, clip: float | None = None,
                 compiled: bool = False, accumulate: int = 1) -> None:
        whole("Trainer: accumulate is a number of parts, from 1 on", accumulate, 1)
        self.folder, self.model, self.optimizer, self.scheduler = Path(folder), model, optimizer, scheduler
        self.loss, self.batch, self.settings, self.seed, self.clip = loss, batch, settings, seed, clip
        self.accumulate, self.group, self.parallel = accumulate, group(), DataParallel(model)
        self.step = 0  # how many are done
        self.aside: dict[str, Any] = {}  # what else a checkpoint says; it may change from run to run
        both = model, optimizer
        if accumulate == self.group.size == 1:
            self.parts = [Part(self._whole(), both, compiled)]
        else:
            self.parts = [Part(self._gradients(), (model,), compiled), Part(self._update(), both, compiled)]
        self._drawn = 0.0  # when the picture was

    def run(self, steps: int, every: int = 200, resume: bool = False, per_step: int = 1,
            unit: str = "batch") -> list[float]:
        """Go on until `steps` are done; gives the losses of all steps. Ctrl-C ends it after a step, with a checkpoint.

        per_step, unit: what the progress bar counts, such as tokens. Stopped where the folder holds another run.
        """
        from tqdm import tqdm  # an extra: pip install "tinygrad-lite[demo]"

        whole("Trainer: every is a whole number of steps from 1 on", every, 1)
        losses = self._begin(resume)
        bar = tqdm(total=steps * per_step, initial=self.step * per_step, unit=unit, unit_scale=True, desc="training",
                   disable=self.group.rank > 0)
        with bar, _Asked() as asked, open(self.folder / LOG, "a", newline="", encoding="utf-8") as log:
            rows, stop = csv.writer(log), False
            while self.step < steps and not stop:
                rate = self.optimizer.param_groups[0]["lr"]
                loss, stop = self._once(asked.to_stop)
                losses.append(loss)
                bar.update(per_step)
                bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
                if self.group.rank == 0:
                    rows.writerow([self.step, repr(loss), rate])
                if not np.isfinite(loss):
                    raise Stopped(f"the loss of step {self.step} is {loss}; the checkpoint is of a step before: "
                                  "begin again with a lower learning rate")
                if self.step % every == 0 or self.step == steps or stop:
                    log.flush()
                    self._keep(losses, last=self.step == steps or stop)
        return losses

    # ---- a step
    def _whole(self) -> Callable:
        """A step of a whole batch."""
        optimizer, loss, update = self.optimizer, self.loss, self._update()

        def step(batch: Any) -> Any:
            optimizer.zero_grad()
            found = loss(batch)
            found.backward()
            update()
            return found

        return step

    def _gradients(self) -> Callable:
        """The gradients of a part of a batch, which has this share of its rows."""
        loss = self.loss

        def gradients(part: Any, share: float) -> Any:
            found = loss(part)
            (found * share).backward()
            return found

        return gradients

    def _update(self) -> Callable:
        """What is done with the gradients of a batch."""
        model, optimizer, clip = self.model, self.optimizer, self.clip

        def update() -> None:
            if clip is not None:
                clip_grad_norm_(model.parameters(), clip)
            optimizer.step()

        return update

    def _once(self, stop: bool = False) -> tuple[float, bool]:
        """One step: its loss, and whether any process was asked to stop."""
        batch = default_convert(self.batch(np.random.default_rng([self.seed, self.step])))
        if len(self.parts) == 1:
            loss = self.parts[0](batch).item()
        else:
            loss, stop = self._shared(batch, stop)
        if self.scheduler is not None:
            self.scheduler.step()
        self.step += 1
        return loss, stop

    def _shared(self, batch: Any, stop: bool) -> tuple[float, bool]:
        """A step of which this process computes its share, in parts."""
        gradients, update = self.parts
        mine = shard(batch)
        rows, loss = count_rows(mine), 0.0
        self.optimizer.zero_grad(set_to_none=False)
        for i in range(self.accumulate):
            part = shard(mine, i, self.accumulate)
            if count := count_rows(part):
                loss += gradients(part, count / rows).item() * count
        if self.group.size > 1:
            rows, loss, stop = self.parallel.average_of(rows, (rows, loss, stop))
        update()
        return float(loss / rows), stop > 0

    # ---- what is kept
    def _begin(self, resume: bool) -> list[float]:
        """Make the folder, or go on with what it holds; the losses so far."""
        if resume:
            return self._resume()
        if (self.folder / CHECKPOINT).exists():
            raise Stopped(f"{self.folder} holds a run already: go on with it (--resume), or give another folder "
                          "(--out)")
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.group.rank == 0:
            with open(self.folder / LOG, "w", newline="", encoding="utf-8") as log:
                csv.writer(log).writerow(["step", "loss", "lr"])
        return []

    def _resume(self) -> list[float]:
        """Everything as the checkpoint has it; the losses so far."""
        kept = read_checkpoint(self.folder)
        other = [f"{k} was {kept['settings'].get(k)!r} and is {v!r}" for k, v in self.settings.items()
                 if kept["settings"].get(k) != v]
        if other:
            raise Stopped(f"the run in {self.folder} is another one: {'; '.join(other)}")
        self._load(kept)
        for part, history in zip(self.parts, kept["programs"]):
            part.begin(history)
        if any(part.program for part in self.parts):
            for _ in range(2):  # steps that make the programs, and are forgotten
                self._once()
            self._load(kept)
            for part, history in zip(self.parts, kept["programs"]):
                part.go_on(history)
        return self._logged()

    def _load(self, kept: dict[str, Any]) -> None:
        """Take the state of a checkpoint."""
        self.model.load_state_dict(kept["model"])
        self.optimizer.load_state_dict(kept["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(kept["scheduler"])
        if self.group.rank < len(kept["numbers"]):  # one more process than before begins with its own
            set_rng_state(kept["numbers"][self.group.rank])
        self.step = kept["step"]

    def _logged(self) -> list[float]:
        """The losses in the log up to the checkpoint; later ones are taken out of it, for they come anew."""
        with open(self.folder / LOG, newline="", encoding="utf-8") as log:
            head, *rows = csv.reader(log)
        rows = rows[: self.step]
        if len(rows) < self.step:
            raise Stopped(f"{self.folder / LOG} has {len(rows)} steps, and the checkpoint {self.step}: it was changed")
        if self.group.rank == 0:
            beside = self.folder / f"{LOG}.new"
            with open(beside, "w", newline="", encoding="utf-8") as log:
                csv.writer(log).writerows([head, *rows])
            beside.replace(self.folder / LOG)
        return [float(loss) for _, loss, _ in rows]

    def _keep(self, losses: list[float], last: bool) -> None:
        """Write the checkpoint, beside the one before and then in its place, and now and then the picture."""
        numbers = self.group.gather(get_rng_state().array)
        if self.group.rank:
            return
        scheduler = {} if self.scheduler is None else self.scheduler.state_dict()
        save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "scheduler": scheduler,
              "numbers": numbers, "step": self.step, "programs": [part.history() for part in self.parts],
              "settings": self.settings, "aside": self.aside}, self.folder / CHECKPOINT)
        if last or time.monotonic() - self._drawn > DRAWN:
            self._drawn = time.monotonic()
            with picture(self.folder / PICTURE) as ax:
                loss_curve(losses, smooth=min(SMOOTH, len(losses)), ax=ax)


class Part:
    """A function of a step that runs as a program of `tl.compile`, for arguments of the form that the first have.

    Programs round otherwise than operations one by one. So that a resumed run is the run to the last bit, nothing but
    the number of a call and the form of its arguments says which of the two computes it.
    """

    def __init__(self, function: Callable, state: Any, compiled: bool) -> None:
        self.function = function
        self.form: list | None = None
        self.program: Any = compile(function, state=state) if compiled else None

    def __call__(self, *args: Any) -> Any:
        if self.program is None:
            return self.function(*args)
        form = [_form(x) for x in leaves(args)]
        self.form = self.form or form
        if form != self.form:
            return self.function(*args)
        found = self.program(*args)
        if self.program.reasons:  # it warned why it is no program
            self.program = None
        return found

    def history(self) -> dict[str, Any]:
        """What tells how the next call is computed, for a checkpoint; {} where no program does."""
        return {} if self.program is None else {"form": self.form, "calls": self.program.history}

    def begin(self, history: dict[str, Any]) -> None:
        """Make programs only where there were some."""
        self.form = history.get("form")
        if not history:
            self.program = None

    def go_on(self, history: dict[str, Any]) -> None:
        """Count on from the calls of a history."""
        if self.program is not None:
            self.program.history = tuple(history["calls"])


def _form(x: Any) -> str:
    """What must be the same of an argument for a program to fit."""
    return f"{x.dtype} {x.shape}" if isinstance(x, (Tensor, np.ndarray)) else "float" if type(x) is float else repr(x)


class _Asked:
    """Notes that Ctrl-C was pressed, so that a step is not left half done; a second one ends the program as ever."""

    to_stop = False

    def __enter__(self) -> "_Asked":
        self.main = threading.current_thread() is threading.main_thread()
        if self.main:
            self.before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: Any) -> None:
        self.to_stop = True
        signal.signal(signal.SIGINT, self.before)

    def __exit__(self, *error: Any) -> None:
        if self.main:
            signal.signal(signal.SIGINT, self.before)


def count_rows(batch: Any) -> int:
    """How many rows a batch has."""
    return len(leaves(batch)[0])


def read_checkpoint(folder: str | Path) -> dict[str, Any]:
    """What the run in a folder has kept."""
    path = Path(folder) / CHECKPOINT
    if not path.exists():
        raise Stopped(f"there is no checkpoint in {folder}")
    return load(path)
