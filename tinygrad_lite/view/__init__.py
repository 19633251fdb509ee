"""Views of the tape."""

from .picture import draw
