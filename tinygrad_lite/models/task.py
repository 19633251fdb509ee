"""What one command trains: a model, its data, and how well it does."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .. import nn
from ..data.tokenizers import corpus, read_text
from ..engine.mode import no_grad
from ..engine.refusals import nearest, need_bool, number, whole
from ..optim import AdamW
from ..random import manual_seed
from ..tensor import Tensor
from ..training import Stopped, Trainer, read_checkpoint

COMMON: dict[str, Any] = {"batch_size": 64, "lr": 1e-3, "clip": 0.0, "accumulate": 1, "compile": True, "seed": 0}


class Setting(NamedTuple):
    """What a setting says, and what it may be: a number from `least` to `most`, or a word."""

    help: str
    least: float = 1
    most: float = math.inf
    words: tuple[str, ...] = ()


SETTINGS = {
    "batch_size": Setting("rows of a step"),
    "lr": Setting("learning rate", 0),
    "clip": Setting("norm that gradients are clipped to, 0 for none", 0),
    "accumulate": Setting("in how many parts, one after another, the gradients of a batch are computed"),
    "compile": Setting("steps run as programs of tl.compile"),
    "seed": Setting("of all that is drawn: the same seed gives the same numbers", 0, 2**63 - 1),
    "warmup": Setting("steps in which the learning rate grows", 0),
    "dropout": Setting("probability that an activation is left out", 0, 1),
    "hidden": Setting("width of the hidden layers"),
    "width": Setting("numbers a position, a word or a channel has"),
    "blocks": Setting("residual blocks a stage"),
    "heads": Setting("attention heads"),
    "layers": Setting("of the encoder, and of the decoder"),
    "block_size": Setting("tokens of a context"),
    "tokenizer": Setting("of the text", words=("chars", "bpe")),
    "vocab_size": Setting("tokens of bpe", 257),
    "n_layer": Setting("layers"),
    "n_head": Setting("attention heads"),
    "n_embd": Setting("width of embeddings"),
    "n_hidden": Setting("width of the hidden state"),
    "bias": Setting("linear layers and LayerNorm have one"),
    "tied": Setting("the last layer has the weight of the embedding"),
    "positions": Setting("how tokens know their places", words=("learned", "rotary")),
    "norm": Setting("LayerNorm or RMSNorm", words=("layer", "rms")),
    "gelu": Setting("approximation", words=("none", "tanh")),
    "window": Setting("how far away neighbors are, at most"),
    "negatives": Setting("words drawn against each neighbor"),
    "least": Setting("how often a word must occur"),
    "points": Setting("which are learned", words=("ring", "spiral")),
    "penalty": Setting("weight of the discriminator's slope at real points", 0),
    "discount": Setting("of what comes a step later", 0, 1),
    "entropy": Setting("weight of the policy's entropy", 0)}


def checked(name: str, value: Any, kind: type) -> Any:
    """The value of a setting; TypeError or ValueError where it may not be that."""
    setting = SETTINGS[name]
    span = f"from {setting.least} on" if setting.most == math.inf else f"from {setting.least} to {setting.most}"
    if kind is bool:
        need_bool(name, value)
    elif kind is str and value not in setting.words:
        raise ValueError(f"{name} is {' or '.join(map(repr, setting.words))}, not {value!r}"
                         f"{nearest(value, setting.words)}")
    elif kind is int:
        number(f"{name} is a whole number {span}", whole(f"{name} is a whole number {span}", value, setting.least),
               setting.least, setting.most)
    elif kind is float:
        number(f"{name} is a number {span}", value, setting.least, setting.most)
    return value


class Task:
    """A model with its data. A subclass says what is written here; `train(ThatTask, "runs/line", lr=0.1)` trains it.

    settings: those of `defaults`, or others in their place. text: what is learned from, where reads_text is True.
    kept: what `aside` gave in a run that goes on.

    >>> from tinygrad_lite.models import Task
    >>> class Line(Task):
    ...     name, steps = "line", 300
    ...     def make_model(self):
    ...         return nn.Linear(3, 1)
    ...     def batch(self, rng):
    ...         x = rng.standard_normal((self.settings["batch_size"], 3), dtype="float32")
    ...         return x, x.sum(1, keepdims=True)
    ...     def loss(self, batch):
    ...         return F.mse_loss(self.model(batch[0]), batch[1])
    ...     def result(self):
    ...         return {"weight": self.model.weight.mean().item()}
    >>> task = Line(Line.defaults)
    >>> task.loss(task.batch(np.random.default_rng(0))).shape
    ()
    """

    name: ClassVar[str]
    defaults: ClassVar[dict[str, Any]] = COMMON
    steps: ClassVar[int] = 1000  # after which the result is what examples/README.md says
    reads_text: ClassVar[bool] = False
    unit: ClassVar[str] = " rows"  # of what the progress bar counts

    def __init__(self, settings: dict[str, Any], text: str = "", kept: dict[str, Any] | None = None) -> None:
        self.settings = settings
        self.make_data(text, kept or {})
        self.model = self.make_model()

    def make_data(self, text: str, kept: dict[str, Any]) -> None:
        """Read what is learned from."""

    def make_model(self) -> Any:
        """The model that the settings describe."""
        raise NotImplementedError

    @property
    def per_step(self) -> int:
        """How many of the unit a step takes."""
        return self.settings["batch_size"]

    def make_optimizer(self) -> Any:
        """The optimizer of the model."""
        return AdamW(self.model.parameters(), lr=self.settings["lr"])

    def make_scheduler(self, optimizer: Any) -> Any:
        """What sets its learning rate; None where that stays."""

    def batch(self, rng: np.random.Generator) -> Any:
        """The arrays of one batch, drawn with a generator."""
        raise NotImplementedError

    def loss(self, batch: Any) -> Tensor:
        """The mean of the losses of a batch's rows."""
        raise NotImplementedError

    def result(self) -> dict[str, float]:
        """How well the model does, by name."""
        raise NotImplementedError

    def draw(self, folder: Path) -> None:
        """Write pictures."""

    def aside(self) -> dict[str, Any]:
        """What the model is useless without, for the checkpoint."""
        return {}


def train(kind: type[Task] | str, out: str | Path, resume: bool = False, text: str | Path | None = None,
          steps: int | None = None, every: int | None = None, **given: Any) -> dict[str, float]:
    """Train a model of this library, or of a Task of one's own, and give its result, a dict of names with numbers.

    kind: a Task, or the name of one in `models.TASKS`. out: the folder of the run, for the checkpoint, the log and the
    pictures. It takes up to so many `steps` with a checkpoint after `every` so many. text: a file to learn from. given:
    settings in the place of the task's `defaults`. A run that is resumed keeps its own; others are refused. Stopped
    says what is wrong.

    >>> from tinygrad_lite.models import TASKS, train
    >>> TASKS["mlp"].steps, TASKS["mlp"].defaults["hidden"]
    (3000, 128)
    >>> train("mlp", "runs/mlp", hiden=32)
    Traceback (most recent call last):
        ...
    tinygrad_lite.training.folder.Stopped: there is no setting hiden of mlp: ...; did you mean 'hidden'?
    """
    kind, out = task_called(kind) if isinstance(kind, str) else kind, Path(out)
    for name, value in given.items():
        if name not in kind.defaults:
            raise Stopped(f"there is no setting {name} of {kind.name}: there are {', '.join(kind.defaults)}"
                          f"{nearest(name, kind.defaults)}")
        if name in SETTINGS:
            checked(name, value, type(kind.defaults[name]))
    before = read_checkpoint(out) if resume else {"settings": {"task": kind.name}, "aside": {}}
    if before["settings"].get("task") != kind.name:
        raise Stopped(f"the run in {out} is of {before['settings'].get('task')}, not of {kind.name}")
    settings = kind.defaults | before["settings"] | given
    asked = {"text": text and str(Path(text).absolute()), "steps": steps, "every": every}
    aside: dict[str, Any] = {"text": None, "steps": kind.steps, "every": 200} | before["aside"]
    aside |= {name: value for name, value in asked.items() if value is not None}
    content = ""
    if kind.reads_text:
        content = _text_of(aside["text"])
        settings["content"] = hashlib.sha256(content.encode()).hexdigest()[:16]
        if before["settings"].get("content", settings["content"]) != settings["content"]:
            raise Stopped(f"{aside['text'] or 'the manual of this Python'} is not the text that the run in {out} has "
                          "learned from")
    manual_seed(settings["seed"])
    task = kind(settings, content, before["aside"])
    optimizer = task.make_optimizer()
    trainer = Trainer(out, task.model, optimizer, task.loss, task.batch, settings=settings, seed=settings["seed"],
                      scheduler=task.make_scheduler(optimizer), clip=settings["clip"] or None,
                      compiled=settings["compile"], accumulate=settings["accumulate"])
    trainer.aside = aside | task.aside()
    losses = trainer.run(aside["steps"], aside["every"], resume, task.per_step, task.unit)
    if trainer.group.rank:
        return {}
    with evaluating(task.model), no_grad():
        found = task.result()
        task.draw(out)
    return {"steps": trainer.step, "of": aside["steps"], "loss": losses[-1], **found}


def task_called(name: str) -> type[Task]:
    """The task of that name; Stopped names those that there are."""
    from . import TASKS

    if name not in TASKS:
        raise Stopped(f"there is no task {name!r}: there are {', '.join(TASKS)}{nearest(name, TASKS)}")
    return TASKS[name]


def _text_of(path: str | None) -> str:
    """What a file says, or the manual of this Python."""
    if path is None:
        return corpus()
    try:
        return read_text(path)
    except FileNotFoundError:
        raise Stopped(f"there is no file {path}: --text (text=) says where it is") from None


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; after it each module has its own again."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
