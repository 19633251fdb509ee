"""The number of threads (THREADS in the environment, else one) and the fast BLAS kernel: import this before numpy."""

import os

THREADS = int(os.environ.get("THREADS", "1"))
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(THREADS)
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # where they are set, numpy takes other, slower kernels
    os.environ.pop(name, None)


def kernel() -> str:
    """Which BLAS numpy runs on this processor: figures of different kernels are not comparable."""
    import numpy  # noqa: F401

    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "BLAS kernel unknown: pip install threadpoolctl"
    pools = [p for p in threadpool_info() if p["user_api"] == "blas" and "numpy" in p["filepath"]]
    return ", ".join(f"BLAS: {p['internal_api']} {p['version']}, kernel {p.get('architecture')}" for p in pools)
