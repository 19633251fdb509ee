"""Data-parallel training over MPI: `mpirun -n 4 python train.py`. docs/parallel.md says how."""

from .data_parallel import DataParallel, DistributedSampler, average_gradients, count_rows, save, shard
from .ranks import Group, group
