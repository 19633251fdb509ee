"""Datasets, samplers and DataLoader, and real data that come with the library (attributions: README.md)."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from .collate import default_collate, default_convert
from .dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from .loader import DataLoader, get_worker_info
from .sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

DIGITS = Path(__file__).with_name("digits.npz")
BREAST_CANCER = Path(__file__).with_name("breast_cancer.npz")


def _read(path: str | Path, *names: str) -> list[np.ndarray]:
    try:
        with np.load(path) as file:
            return [file[name] for name in names]
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise RuntimeError(f"the data file {path} is damaged ({error}): install the package again") from None


def load_digits(path: str | Path = DIGITS) -> tuple[np.ndarray, np.ndarray]:
    """UCI handwritten digits: images (1797, 64) float32 in [0, 1] and labels (1797,) int64.

    An image is 8 x 8 pixels, row by row. A damaged file is a RuntimeError that names it.

    >>> images, labels = tl.data.load_digits()
    >>> images.shape, labels[:5]
    ((1797, 64), array([0, 1, 2, 3, 4]))
    >>> (16 * images[0]).astype(int).reshape(8, 8)[:3]  # the top of a zero
    array([[ 0,  0,  5, 13,  9,  1,  0,  0],
           [ 0,  0, 13, 15, 10, 15,  5,  0],
           [ 0,  3, 15,  2,  0, 11,  8,  0]])
    """
    images, labels = _read(path, "images", "labels")
    return images.reshape(len(images), -1).astype(np.float32) / 16, labels.astype(np.int64)


def load_breast_cancer(path: str | Path = BREAST_CANCER) -> tuple[np.ndarray, np.ndarray]:
    """UCI breast cancer, Wisconsin (diagnostic): features (569, 30) float64 and labels (569,) int64, 1 for benign.

    The features are not scaled. A damaged file is a RuntimeError that names it.

    >>> features, labels = tl.data.load_breast_cancer()
    >>> features.shape, np.bincount(labels)
    ((569, 30), array([212, 357]))
    """
    features, labels = _read(path, "features", "labels")
    return features, labels.astype(np.int64)


def split(x: np.ndarray, y: np.ndarray, share: float = 0.8, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Rows and their labels shuffled and cut in two: x_train, y_train, x_test, y_test.

    The same seed gives the same shuffle each time; the first `share` of it is for training.

    >>> x, y = np.arange(10) * 1.5, np.arange(10)
    >>> x_train, y_train, x_test, y_test = tl.data.split(x, y, share=0.7)
    >>> len(x_train), len(x_test), bool((x_train == y_train * 1.5).all())
    (7, 3, True)
    """
    order = np.random.default_rng(seed).permutation(len(x))
    first, rest = np.split(order, [round(share * len(x))])
    return x[first], y[first], x[rest], y[rest]
