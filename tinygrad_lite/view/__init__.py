"""Views of the tape."""

from .picture import draw
from .study import study
