"""Training that survives: `Trainer`, and what it leaves in the folder of a run."""

from .folder import CHECKPOINT, LOG, PICTURE, Stopped, read_checkpoint
from .trainer import Trainer
