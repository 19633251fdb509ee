"""Programs as one writes them on paper: `tl.derive`, and the rules of the tape."""

from .derive import derive
