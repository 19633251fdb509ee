"""The engine: nodes and operations, the backward pass, its switches, and in-place changes."""
