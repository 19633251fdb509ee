"""Views of the tape: as a sequence and a table, as a picture; and curves and maps."""

from . import plot
from .explorer import explore
from .picture import draw
from .study import study
from .tape import Step, Tape
