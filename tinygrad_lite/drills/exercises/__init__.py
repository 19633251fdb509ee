"""The drills: a file each, with its prompt, its reference, its cases and the wrong answers that it knows."""
