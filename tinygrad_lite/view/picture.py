"""The tape as a picture: a graphviz graph of operations and the leaves and constants they read."""

import shutil
import sys
from pathlib import Path
from typing import Any

import graphviz
import numpy as np

from ..tape import tape_of


def use_any_dot() -> None:
    """Let graphviz call the system's `dot`, or else graphviz-pure; with neither, RuntimeError."""
    command = next((c for c in ("dot", "graphviz-pure") if shutil.which(c)), None)
    beside = Path(sys.executable).with_name("graphviz-pure")
    if command is None and beside.exists():
        command = str(beside)
    if command is None:
        raise RuntimeError("drawing needs the dot command: pip install graphviz-pure")
    graphviz.backend.dot_command.DOT_BINARY = command


def draw(output: Any, names: dict[str, Any] | None = None) -> graphviz.Digraph:
    """The graph that leads to a tensor, top to bottom; `names` gives leaves their names.

    Operations are rounded boxes, leaves that require grad plain boxes, constants dashed. A tensor
    without a tape is a RuntimeError.
    """
    if output.node is None:
        raise RuntimeError("draw: the tensor was not recorded: no input requires grad, or it was made under no_grad()")
    use_any_dot()
    tape, leaves = tape_of([output.node])
    called = {t.node: name for name, t in (names or {}).items()}
    ids = {node: f"v{i}" for i, node in enumerate((*leaves, *tape))}
    graph = graphviz.Digraph(node_attr={"fontname": "Helvetica", "fontsize": "11", "shape": "box", "style": "filled"},
                             edge_attr={"fontname": "Helvetica", "fontsize": "9"})
    for node in leaves:
        graph.node(ids[node], f"{called.get(node, 'leaf')}\n{list(node.array.shape)}", fillcolor="#ffd9a8")
    for node in tape:
        graph.node(ids[node], node.op.__name__, style="filled,rounded", fillcolor="#cfe3ff")
        for i, (source, value) in enumerate(zip(node.inputs, node.args)):
            if source is None and isinstance(value, np.ndarray):
                constant = f"{ids[node]}c{i}"
                graph.node(constant, f"{value.dtype}\n{list(value.shape)}", style="dashed")
                graph.edge(constant, ids[node])
            elif source is not None:  # a leaf's box says its shape already
                graph.edge(ids[source], ids[node], label=str(list(source.array.shape)) if source.op else None)
    graph.node("output", f"output\n{list(output.shape)}", fillcolor="#d5f0d0")
    graph.edge(ids[output.node], "output")
    return graph
