"""Which drills there are: those that are installed, in three paths, and those of one's own."""

import contextlib
import importlib
import importlib.util
import sys
from pathlib import Path

from ..engine.refusals import Told, nearest
from .drill import Drill

PATHS = {
    "interview": ["softmax", "logsumexp", "cross_entropy", "attention", "temperature_top_k", "top_p", "kmeans",
                  "logistic_regression", "mlp_backprop", "beam_search", "cosine_similarity", "padding", "layer_norm",
                  "value_engine", "adam", "conv2d", "auc"],
    "llm": ["embedding", "positional_encoding", "rotary", "bpe", "kv_cache", "sliding_window",
            "grouped_query_attention", "online_softmax", "dropout", "lora", "warmup_cosine", "gradient_clipping",
            "speculative", "info_nce", "gae", "ppo", "dpo"],
    "classical": ["topological_order", "tensor_engine", "sgd_momentum", "max_pool", "batch_norm", "knn", "naive_bayes",
                  "decision_stump", "pca"],
}


def own_folder() -> Path:
    """Where the practice is kept, and drills of one's own. Told without platformdirs."""
    try:
        from platformdirs import user_data_path
    except ImportError:
        raise Told('drills need platformdirs and filelock: pip install platformdirs filelock') from None
    return user_data_path("tinygrad-lite", appauthor=False)


def own() -> dict[str, Path]:
    """The files of drills that were added, by name."""
    try:
        return {path.stem: path for path in sorted((own_folder() / "drills").glob("*.py"))}
    except Told:
        return {}


def names() -> list[str]:
    """The names of all drills: path by path, and then those of one's own.

    >>> from tinygrad_lite import drills
    >>> drills.names()[:4]
    ['softmax', 'logsumexp', 'cross_entropy', 'attention']
    """
    return list(dict.fromkeys([name for path in PATHS.values() for name in path] + [*own()]))


def load(name: str) -> Drill:
    """A drill by its name; Told where there is none, or its file is no drill."""
    if path := own().get(name):
        return from_file(path)
    if name not in names():
        raise Told(f"there is no drill {name!r}{nearest(name, names())}; tinygrad-lite drill lists them")
    return importlib.import_module(f"{__package__}.exercises.{name}").drill


def loadable(names: list[str]) -> dict[str, Drill]:
    """Those drills that are there, without those of one's own that no longer load."""
    found = {}
    for name in names:
        with contextlib.suppress(Told):
            found[name] = load(name)
    return found


def need_tensors(name: str, on: str) -> None:
    """Told where nothing of a drill can be written on Tensors."""
    if on == "tensor" and not load(name).differentiable:
        raise Told(f"{name} has nothing to write on Tensors: leave --on tensor away")


def from_file(path: Path) -> Drill:
    """The drill of a file; Told where it has none."""
    name = f"{__package__}.own.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Told(f"{path} is no Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # where inspect looks for it
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what is printed here may be JSON
            spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a file of the user's may raise anything
        raise Told(f"{path} is no drill: {type(error).__name__}: {error}") from None
    drill = getattr(module, "drill", None)
    if not isinstance(drill, Drill):
        raise Told(f"{path} is no drill: it has no variable `drill`, made by tinygrad_lite.drills.Drill")
    return drill
