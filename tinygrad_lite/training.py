"""Training that survives: a folder with a log, the loss as a picture, and checkpoints that a run goes on from."""

import csv
import hashlib
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .engine.refusals import whole
from .nn.utils import clip_grad_norm_
from .random import get_rng_state, set_rng_state
from .saving import load, save

CHECKPOINT, LOG, PICTURE = "checkpoint.safetensors", "log.csv", "loss.png"
SMOOTH = 20  # steps of the mean in the picture


class Stopped(Exception):
    """A run that cannot begin or go on; the message says why."""


class Trainer:
    """Takes steps, and writes what they gave: a row a step into log.csv, every so often checkpoint.safetensors and
    loss.png. A run that was killed at any moment goes on from its last checkpoint as if it had not been.

    loss(batch) -> Tensor; batch(generator) -> whatever loss takes, drawn with a numpy generator that each step has of
    its own, from the seed and its number. settings: what makes a run this run; one with others is refused to go on.
    """

    def __init__(self, folder: str | Path, model: Any, optimizer: Any, loss: Callable, batch: Callable, *,
                 settings: dict[str, Any], seed: int = 0, scheduler: Any = None, clip: float | None = None) -> None:
        self.folder, self.model, self.optimizer, self.scheduler = Path(folder), model, optimizer, scheduler
        self.loss, self.batch, self.settings, self.seed, self.clip = loss, batch, settings, seed, clip
        self.step = 0  # how many are done

    def run(self, steps: int, every: int = 200, resume: bool = False, per_step: int = 1,
            unit: str = "batch") -> list[float]:
        """Go on until `steps` are done; gives the losses of all steps. Ctrl-C ends it after a step, with a checkpoint.

        per_step, unit: what the progress bar counts, such as tokens. Stopped where the folder holds another run.
        """
        from tqdm import tqdm  # an extra: pip install "tinygrad-lite[demo]"

        whole("Trainer: every is a whole number of steps from 1 on", every, 1)
        losses = self._begin(resume)
        bar = tqdm(total=steps * per_step, initial=self.step * per_step, unit=unit, unit_scale=True, desc="training")
        with bar, _Asked() as asked, open(self.folder / LOG, "a", newline="", encoding="utf-8") as log:
            rows = csv.writer(log)
            while self.step < steps and not asked.to_stop:
                rate = self.optimizer.param_groups[0]["lr"]
                losses.append(self._once())
                rows.writerow([self.step, repr(losses[-1]), rate])
                bar.update(per_step)
                bar.set_postfix(loss=f"{losses[-1]:.4f}", refresh=False)
                if not np.isfinite(losses[-1]):
                    raise Stopped(f"the loss of step {self.step} is {losses[-1]}; the checkpoint is of a step before: "
                                  "begin again with a lower learning rate")
                if self.step % every == 0 or self.step == steps or asked.to_stop:
                    log.flush()
                    self._keep(losses)
        return losses

    def _once(self) -> float:
        """One step."""
        batch = self.batch(np.random.default_rng([self.seed, self.step]))
        self.optimizer.zero_grad()
        loss = self.loss(batch)
        loss.backward()
        if self.clip is not None:
            clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()
        self.step += 1
        return loss.item()

    # ---- what is kept
    def _begin(self, resume: bool) -> list[float]:
        """Make the folder, or go on with what it holds; the losses so far."""
        path = self.folder / CHECKPOINT
        if not resume:
            if path.exists():
                raise Stopped(f"{self.folder} holds a run already: resume it, or give another folder")
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(self.folder / LOG, "w", newline="", encoding="utf-8") as log:
                csv.writer(log).writerow(["step", "loss", "lr"])
            return []
        if not path.exists():
            raise Stopped(f"there is no checkpoint in {self.folder} to resume from")
        kept = load(path)
        other = [f"{k} was {kept['settings'].get(k)!r} and is {v!r}" for k, v in self.settings.items()
                 if kept["settings"].get(k) != v]
        if other:
            raise Stopped(f"the run in {self.folder} is another one: {'; '.join(other)}")
        self.model.load_state_dict(kept["model"])
        self.optimizer.load_state_dict(kept["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(kept["scheduler"])
        set_rng_state(kept["numbers"])
        self.step = kept["step"]
        with open(self.folder / LOG, newline="", encoding="utf-8") as log:
            head, *rows = csv.reader(log)
        rows = rows[: self.step]  # those after the checkpoint are taken anew
        beside = self.folder / f"{LOG}.new"
        with open(beside, "w", newline="", encoding="utf-8") as log:
            csv.writer(log).writerows([head, *rows])
        beside.replace(self.folder / LOG)
        return [float(loss) for _, loss, _ in rows]

    def _keep(self, losses: list[float]) -> None:
        """Write the checkpoint, beside the one before and then in its place, and the picture."""
        save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step,
              "scheduler": {} if self.scheduler is None else self.scheduler.state_dict(), "numbers": get_rng_state(),
              "settings": self.settings}, self.folder / CHECKPOINT)
        from matplotlib.figure import Figure

        from .view.plot import loss_curve

        figure = Figure()
        loss_curve(losses, smooth=min(SMOOTH, len(losses)), ax=figure.subplots())
        figure.savefig(self.folder / PICTURE)


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


def fingerprint(text: str) -> str:
    """A short name of a text's content."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_settings(folder: str | Path) -> dict[str, Any]:
    """The settings of the run in a folder."""
    path = Path(folder) / CHECKPOINT
    if not path.exists():
        raise Stopped(f"there is no checkpoint in {folder}")
    return load(path)["settings"]
