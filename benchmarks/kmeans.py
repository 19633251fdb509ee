"""Time of a Lloyd iteration and peak memory of KMeans on 1,000,000 x 16 with 64 clusters, beside scikit-learn's.

    python benchmarks/kmeans.py
"""

from environment import kernel  # first: it sets one thread and the kernel

import resource  # isort: skip
import statistics  # isort: skip
import time  # isort: skip
import warnings  # isort: skip

import numpy as np  # isort: skip

from tinygrad_lite.estimators import KMeans  # isort: skip

ITERATIONS = 5


def seconds(model, X):
    """A whole fit over the number of its iterations, the last assignment counted as one."""
    start = time.perf_counter()
    model.fit(X)
    return (time.perf_counter() - start) / (ITERATIONS + 1)


def main():
    """Print memory first, before scikit-learn is there, then the ratio of interleaved fits."""
    print(kernel())
    warnings.simplefilter("ignore")  # five iterations do not converge
    X = np.random.default_rng(0).standard_normal((1_000_000, 16))
    KMeans(64, max_iter=ITERATIONS, tol=0, random_state=0).fit(X)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory with the data ({X.nbytes / 2**20:.0f} MiB) and the library: {peak:.0f} MiB")
    try:
        from sklearn import cluster
    except ImportError:
        return
    times = {"ours": [], "scikit-learn": []}
    for _ in range(5):
        times["ours"].append(seconds(KMeans(64, init=X[:64], max_iter=ITERATIONS, tol=0), X))
        times["scikit-learn"].append(seconds(cluster.KMeans(64, init=X[:64], n_init=1, max_iter=ITERATIONS, tol=0), X))
    ours, theirs = (statistics.median(ts) for ts in times.values())
    print(f"an iteration: ours {ours:.3f} s  scikit-learn {theirs:.3f} s  ours/scikit-learn {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
