"""Training that survives: a folder with a log, the loss as a picture, and checkpoints that a run goes on from."""

import contextlib
import csv
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..data import default_convert
from ..engine.refusals import need, number, whole
from ..nn.utils import clip_grad_norm_
from ..optim import LBFGS
from ..optim.lr_scheduler import ReduceLROnPlateau
from ..parallel import DataParallel, count_rows, group, shard
from ..random import get_rng_state, set_rng_state
from ..saving import save
from ..tensor import Tensor
from ..view.plot import loss_curve, picture
from .folder import CHECKPOINT, LOG, PARTS, PICTURE, Asked, Stopped, alone_in, as_text, read_checkpoint
from .part import Part

SMOOTH = 20  # steps of the mean in the picture
DRAWN = 10.0  # seconds from picture to picture, at least


class Trainer:
    """Takes steps, and writes what they gave: a row a step into log.csv, every so often checkpoint.safetensors and
    loss.png. A run that was killed at any moment goes on from its last checkpoint as if it had not been.

    loss(batch) -> Tensor, the mean over the rows of a batch; batch(generator) -> arrays or Tensors, in tuples, lists
    and dicts, drawn with a numpy generator that each step has of its own, from the seed and the step's number; it may
    depend on the model, and on nothing else. settings: what makes a run this run; one with others is refused to go on.
    compiled: whether steps are programs of `tl.compile`. accumulate: in how many parts, one after another, the
    gradients of a batch are computed. clip: the norm that they are clipped to.

    Kept are the state of model, optimizer, scheduler and of the library's random numbers; what else a loss reads and
    changes is not. Under mpirun each process computes the gradients of its share of the batch's rows, and they are
    averaged.

    >>> import contextlib, io
    >>> from tinygrad_lite.training import Trainer
    >>> model = nn.Linear(3, 1)
    >>> trainer = Trainer("runs/line", model, optim.SGD(model.parameters(), lr=0.1), settings={"lr": 0.1},
    ...                   loss=lambda x: (model(x) - 1).square().mean(), batch=lambda rng: rng.normal(size=(8, 3)))
    >>> with contextlib.redirect_stderr(io.StringIO()):  # without the progress bar
    ...     losses = trainer.run(steps=20, every=10)
    >>> len(losses), losses[-1] < losses[0]
    (20, True)
    """

    def __init__(self, folder: str | Path, model: Any, optimizer: Any, loss: Callable, batch: Callable, *,
                 settings: dict[str, Any], seed: int = 0, scheduler: Any = None, clip: float | None = None,
                 compiled: bool = False, accumulate: int = 1) -> None:
        whole("Trainer: accumulate is a number of parts, from 1 on", accumulate, 1)
        if clip is not None:
            number("Trainer: clip is a number above 0, or None", clip, above=0)
        need(not isinstance(optimizer, LBFGS), "Trainer: an optimizer that takes a step by the gradients of one loss; "
             "LBFGS calls for several, in a loop of your own", optimizer)
        self.folder, self.model, self.optimizer, self.scheduler = Path(folder), model, optimizer, scheduler
        self.loss, self.batch, self.seed, self.clip = loss, batch, seed, clip
        self.settings = {"seed": seed, "clip": clip, "accumulate": accumulate, "optimizer": type(optimizer).__name__,
                         "compile": compiled} | settings
        as_text(self.settings)
        self.accumulate, self.group, self.parallel = accumulate, group(), DataParallel(model)
        self.step = 0  # how many are done
        self.losses: list[float] = []
        self.aside: dict[str, Any] = {}  # what else a checkpoint says; it may change from run to run
        self.parts = [Part(self._gradients(), (model,), compiled), Part(self._update(), (model, optimizer), compiled)]
        if accumulate == self.group.size == 1:
            self.parts = [Part(self._whole(), (model, optimizer), compiled)]

    def run(self, steps: int, every: int = 200, resume: bool = False, per_step: int = 1,
            unit: str = "batch") -> list[float]:
        """Go on until `steps` are done; gives the losses of all steps. Ctrl-C ends it after a step, with a checkpoint.

        per_step, unit: what the progress bar counts, such as tokens. Stopped where the folder holds another run.
        """
        from tqdm import tqdm  # an extra: pip install ".[demo]"

        whole("Trainer: steps is a whole number from 1 on", steps, 1)
        whole("Trainer: every is a whole number of steps from 1 on", every, 1)
        first = self.group.rank == 0
        with alone_in(self.folder) if first else contextlib.nullcontext():
            if self.step == 0:
                self._begin(resume)
            bar = tqdm(total=steps * per_step, initial=self.step * per_step, unit=unit, unit_scale=True,
                       desc="training", disable=not first)
            with bar, Asked() as asked, open(self.folder / LOG if first else os.devnull, "a", newline="",
                                                 encoding="utf-8") as log:
                rows, stop, drawn = csv.writer(log), False, 0.0
                while self.step < steps and not stop:
                    rate = self.optimizer.param_groups[0]["lr"]
                    loss, stop = self._once(asked.to_stop)
                    self.losses.append(loss)
                    bar.update(per_step)
                    bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
                    if first:
                        rows.writerow([self.step, repr(loss), rate])
                    if self.step % every == 0 or self.step == steps or stop or not np.isfinite(loss):
                        log.flush()
                        self._keep()
                        if first and time.monotonic() - drawn > DRAWN:
                            self._draw()
                            drawn = time.monotonic()
            if first:
                self._draw()
        return self.losses

    # ---- a step
    def _whole(self) -> Callable:
        """A step of a whole batch."""
        loss, update = self.loss, self._update()

        def step(batch: Any) -> Any:
            found = _checked(loss(batch))
            found.backward()
            update()
            return found

        return step

    def _gradients(self) -> Callable:
        """The gradients of a part of a batch, which has this share of its rows."""
        loss = self.loss

        def gradients(part: Any, share: float) -> Any:
            found = _checked(loss(part))
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
        batch = self._batch(self.step)
        self._forget_gradients()
        if len(self.parts) == 1:
            loss = self.parts[0](batch).item()
        else:
            loss, stop = self._shared(batch, stop)
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(loss)
        elif self.scheduler is not None:
            self.scheduler.step()
        self.step += 1
        return loss, stop

    def _batch(self, step: int) -> Any:
        return default_convert(self.batch(np.random.default_rng([self.seed, step])))

    def _forget_gradients(self) -> None:
        self.model.zero_grad()
        self.optimizer.zero_grad()

    def _shared(self, batch: Any, stop: bool) -> tuple[float, bool]:
        """A step of which this process computes its share, in parts."""
        gradients, update = self.parts
        mine = shard(batch)
        rows, loss = count_rows(mine), 0.0
        total: dict[Any, Any] = {}  # each part begins without gradients, so that one program computes all of them
        for i in range(self.accumulate):
            part = shard(mine, i, self.accumulate)
            if count := count_rows(part):
                loss += gradients(part, count / rows).item() * count
                for p in self.model.parameters():
                    if p.grad is not None:
                        total[p] = total[p] + p.grad if p in total else p.grad
                self._forget_gradients()
        for p, g in total.items():
            p.grad = g
        if self.group.size > 1:
            rows, loss, stop = self.parallel.average_of(rows, (rows, loss, stop))
        if not rows:
            raise Stopped(f"the batch of step {self.step + 1} has no rows")
        update()
        return float(loss / rows), stop > 0

    # ---- what is kept
    def _begin(self, resume: bool) -> None:
        """Make the folder, or go on with what it holds."""
        if resume:
            return self._resume()
        if (self.folder / CHECKPOINT).exists():
            raise Stopped(f"{self.folder} holds a run already: resume it (--resume, or resume=True), or give another "
                          "folder")
        if self.group.rank == 0:
            with open(self.folder / LOG, "w", newline="", encoding="utf-8") as log:
                csv.writer(log).writerow(["step", "loss", "lr"])
        self.group.barrier()

    def _resume(self) -> None:
        """Everything as the checkpoint has it."""
        kept = read_checkpoint(self.folder)
        names = self.settings.keys() | kept["settings"].keys()
        pairs = {name: (kept["settings"].get(name), self.settings.get(name)) for name in sorted(names)}
        if other := [f"{name} was {was!r} and is {now!r}" for name, (was, now) in pairs.items()
                     if as_text(was) != as_text(now)]:
            raise Stopped(f"the run in {self.folder} is another one: {'; '.join(other)}")
        self._load(kept)
        losses = self._logged()
        if len(kept["programs"]) == self.group.size:  # or they are made anew
            self._make_programs(kept["programs"])
            self._load(kept)
            for part, history in zip(self.parts, kept["programs"][self.group.rank]):
                part.go_on(history)
        self.losses = losses

    def _make_programs(self, histories: list[list[dict]]) -> None:
        """Where any process had programs, take steps that make them, by the run's first batches; who calls forgets
        what they changed."""
        for part, history in zip(self.parts, histories[self.group.rank]):
            part.begin(history)
        if any(history for own in histories for history in own):
            for step in (1, 2, 0, 0):  # the run recorded its program in step 2, or the batch of that had another form
                missing = not all(part.is_ready for part in self.parts)
                if self.group.sum(np.array([step + missing], np.float64))[0]:  # in any process
                    self.step = step
                    self._once()

    def _load(self, kept: dict[str, Any]) -> None:
        """Take the state of a checkpoint."""
        try:
            self.model.load_state_dict(kept["model"])
            self.optimizer.load_state_dict(kept["optimizer"])
            if self.scheduler is not None:
                self.scheduler.load_state_dict(kept["scheduler"])
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise Stopped(f"the checkpoint in {self.folder} is of another model or optimizer: {error}") from None
        if self.group.rank < len(kept["numbers"]):  # one more process than before begins with its own
            set_rng_state(kept["numbers"][self.group.rank])
        self.step = kept["step"]

    def _logged(self) -> list[float]:
        """The losses in the log up to the checkpoint; later ones are taken out of it, for they come anew."""
        path = self.folder / LOG
        try:
            with open(path, newline="", encoding="utf-8") as log:
                head, *rows = list(csv.reader(log))[: self.step + 1]
            if [int(row[0]) for row in rows] != list(range(1, self.step + 1)):
                raise ValueError
            losses = [float(loss) for _, loss, _ in rows]
        except (ValueError, FileNotFoundError):
            raise Stopped(f"{path} has not the steps 1 to {self.step} that the checkpoint is after, a row each: put "
                          "back the one that the run wrote") from None
        self.group.barrier()  # all have read it
        if self.group.rank == 0:
            beside = self.folder / f"{LOG}.new"
            with open(beside, "w", newline="", encoding="utf-8") as log:
                csv.writer(log).writerows([head, *rows])
            beside.replace(path)
        return losses

    def _keep(self) -> None:
        """Write the checkpoint, beside the one before and then in its place; Stopped where numbers are no numbers."""
        if not all(np.isfinite(x).all() for x in [self.losses[-1], *(p.array for p in self.model.parameters())]):
            where = self.folder / CHECKPOINT
            before = f"{where} is of a step before" if where.exists() else "there is no checkpoint yet"
            raise Stopped(f"after step {self.step} the loss is {self.losses[-1]}, and parameters may be NaN or "
                          f"infinite; {before}: begin again with a lower learning rate")
        numbers = self.group.gather(get_rng_state().array)
        histories = self.group.gather([part.history() for part in self.parts])
        if self.group.rank == 0:
            scheduler = {} if self.scheduler is None else self.scheduler.state_dict()
            save(dict(zip(PARTS, (self.model.state_dict(), self.optimizer.state_dict(), scheduler, numbers, self.step,
                                  histories, self.settings, self.aside))), self.folder / CHECKPOINT)

    def _draw(self) -> None:
        with picture(self.folder / PICTURE) as ax:
            loss_curve(self.losses, smooth=min(SMOOTH, len(self.losses)), ax=ax)


def _checked(loss: Any) -> Tensor:
    need(isinstance(loss, Tensor) and loss.requires_grad and loss.numel() == 1,
         "Trainer: loss(batch) gives one number as a Tensor that depends on parameters", loss)
    return loss
