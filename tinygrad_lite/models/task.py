"""What one command trains: a model, its data, and how well it does."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .. import nn
from ..data.tokenizers import corpus, read_text
from ..engine.mode import no_grad
from ..engine.refusals import whole
from ..optim import AdamW
from ..random import manual_seed
from ..tensor import Tensor
from ..training import Stopped, Trainer, read_checkpoint

COMMON: dict[str, Any] = {"batch_size": 64, "lr": 1e-3, "clip": 0.0, "accumulate": 1, "compile": True, "seed": 0}

HELP = {
    "batch_size": "rows of a step", "lr": "learning rate", "clip": "norm that gradients are clipped to, or 0 for none",
    "accumulate": "in how many parts, one after another, the gradients of a batch are computed", "seed": "of all that "
    "is drawn: the same seed gives the same numbers", "compile": "whether steps run as programs of tl.compile",
    "dropout": "probability that an activation is left out", "hidden": "width of the hidden layers",
    "width": "numbers a position, a word or a channel has", "blocks": "residual blocks a stage", "heads": "attention "
    "heads", "layers": "of encoder and decoder", "warmup": "steps in which the learning rate grows", "block_size":
    "tokens of a context", "tokenizer": "chars, or bpe for byte pairs", "vocab_size": "tokens of bpe", "n_layer":
    "layers", "n_head": "attention heads", "n_embd": "width of embeddings", "n_hidden": "width of the hidden state",
    "positions": "learned or rotary", "norm": "layer or rms", "window": "how far away neighbours are, at most",
    "negatives": "words drawn against each neighbour", "least": "how often a word must occur", "points": "ring or "
    "spiral", "penalty": "weight of the discriminator's slope at real points", "discount": "of what comes a step later",
    "entropy": "weight of the policy's entropy"}


class Task:
    """A model with its data. A subclass says what is written here.

    settings: those of `defaults`, or others in their place. text: what is learnt from, where reads_text is True.
    kept: what `aside` gave in a run that goes on.
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
        """Read what is learnt from."""

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


def train(kind: type[Task], out: str | Path, resume: bool = False, text: str | Path | None = None,
          steps: int | None = None, every: int | None = None, **given: Any) -> dict[str, float]:
    """Train, in the folder `out`, up to so many steps with a checkpoint after every so many; gives the result.

    given: settings in the place of the defaults. A run that is resumed keeps its own; others are refused. Stopped says
    what is wrong.
    """
    out = Path(out)
    if unknown := given.keys() - kind.defaults.keys():
        raise Stopped(f"there is no setting {sorted(unknown)[0]} of {kind.name}: there are {', '.join(kind.defaults)}")
    for name in ("batch_size", "accumulate", "seed"):
        least = 0 if name == "seed" else 1
        whole(f"{kind.name}: {name} is a whole number from {least} on", given.get(name, 1), least)
    kept = read_checkpoint(out) if resume else {"settings": {}, "aside": {}}
    asked = {"text": text and str(text), "steps": steps, "every": every}
    aside = {"text": None, "steps": kind.steps, "every": 200} | kept["aside"]
    aside |= {name: value for name, value in asked.items() if value is not None}
    settings = kind.defaults | kept["settings"] | given | {"task": kind.name}
    content = ""
    if kind.reads_text:
        content = read_text(aside["text"]) if aside["text"] else corpus()
        settings["content"] = hashlib.sha256(content.encode()).hexdigest()[:16]
        if kept["settings"].get("content", settings["content"]) != settings["content"]:
            raise Stopped(f"{aside['text'] or 'the manual of this Python'} is not the text that the run in {out} has "
                          "learnt from")
    manual_seed(settings["seed"])
    task = kind(settings, content, kept["aside"])
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
    return {"steps": trainer.step, "loss": losses[-1] if losses else float("nan"), **found}


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
