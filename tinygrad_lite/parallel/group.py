"""Group: the processes ("ranks") that one MPI launcher started, and what they do together.

Everything that ranks exchange is a sum of arrays over all of them. Waiting is polled, so that a rank that does not come is
noticed: after a second of waiting a rank tells the others in which call it is, and who is in another call ends all.
"""

import atexit
import faulthandler
import functools
import os
import pickle
import sys
import time
import traceback
from typing import Any

import numpy as np

SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")  # set by launchers
CALLS = ("sum", "average", "gather", "broadcast", "barrier", "the end of its program")
TIMEOUT = 300.0  # seconds
SPIN = 2e-4  # seconds of waiting without sleep: what is short arrives fastest; longer, and others want the core
NAP = 2e-5
PATIENCE = 1.0  # seconds of waiting after which a rank tells the others where it is
HINT = "a rank is stuck, or ranks take different numbers of steps (see `with model.join():`)"


class Group:
    """All ranks of this run. Each calls the same methods in the same order, within `timeout` seconds of each other.

    rank, size: which one this is of how many; bytes, waited: what it has sent in how many seconds of waiting.
    A method whose timeout is over, and an uncaught exception, end all ranks with a code that is not 0.
    """

    rank, size, timeout = 0, 1, TIMEOUT
    bytes, waited, calls = 0, 0.0, 0
    passes = 0  # that DistributedSamplers have begun: ranks whose numbers differ are out of step

    def sum(self, array: np.ndarray, timeout: float | None = None, call: str = "sum") -> np.ndarray:
        """The sum over all ranks of an array (of one shape and dtype everywhere), written over the array itself."""
        return self._all_reduce(call, array, timeout)

    def gather(self, value: Any, timeout: float | None = None) -> list[Any]:
        """What each rank gave, by rank; every rank gets the list. A value is anything that can be pickled."""
        return [value] if self.size == 1 else self._exchange("gather", pickle.dumps(value), timeout)

    def broadcast(self, value: Any, source: int = 0, timeout: float | None = None) -> Any:
        """What the rank `source` gave; what the others give is ignored."""
        own = pickle.dumps(value) if self.rank == source and self.size > 1 else b""
        return value if self.rank == source and not own else self._exchange("broadcast", own, timeout)[source]

    def barrier(self, timeout: float | None = None) -> None:
        """Wait until every rank is here."""
        self._all_reduce("barrier", np.zeros(1), timeout)

    def _exchange(self, call: str, own: bytes, timeout: float | None) -> list[Any]:
        """The objects that ranks pickled, None of those that gave nothing: a sum of bytes that are 0 elsewhere."""
        sizes = np.zeros(self.size, np.int64)
        sizes[self.rank] = len(own)
        self._all_reduce(call, sizes, timeout)
        everything = np.zeros(sizes.sum(), np.uint8)
        parts = np.split(everything, np.cumsum(sizes)[:-1])
        parts[self.rank][:] = np.frombuffer(own, np.uint8)
        self._all_reduce(call, everything, timeout)
        return [pickle.loads(part.tobytes()) if part.size else None for part in parts]

    def _all_reduce(self, call: str, array: np.ndarray, timeout: float | None) -> np.ndarray:
        """One process has nothing to add."""
        return array


class MPIGroup(Group):
    """The ranks that a launcher started."""

    def __init__(self, expected: int | None) -> None:
        faulthandler.dump_traceback_later(TIMEOUT, exit=True)  # MPI waits for a rank that ended before it came here
        try:
            from mpi4py import MPI
        except ImportError as error:
            raise ImportError("this process was started by an MPI launcher, but mpi4py is missing, without which each "
                              'would train for itself: pip install "tinygrad-lite[mpi]"') from error
        faulthandler.cancel_dump_traceback_later()
        self.mpi, self.world = MPI, MPI.COMM_WORLD
        self.rank, self.size = self.world.rank, self.world.size
        if expected not in (None, self.size):
            raise RuntimeError(f"the launcher started {expected} processes, but mpi4py sees {self.size}: they belong to "
                               "different MPIs; use the mpirun of the MPI that mpi4py was installed for")
        self.ways = {call: self.world.Dup() for call in CALLS}  # apart, so that no call takes another's numbers
        self.notes = self.world.Dup()
        self.heard: dict[int, tuple[int, str]] = {}  # of ranks that wait: the number of their call, and which it is
        sys.excepthook = self._failed
        atexit.register(self._all_reduce, CALLS[-1], np.zeros(1), np.inf)  # others may compute on for long

    def _all_reduce(self, call: str, array: np.ndarray, timeout: float | None) -> np.ndarray:
        self.calls += 1
        self.bytes += array.nbytes
        start, told = time.perf_counter(), []
        limit = self.timeout if timeout is None else timeout
        patience = 0 if call == CALLS[-1] else PATIENCE
        request = self.ways[call].Iallreduce(self.mpi.IN_PLACE, array)
        while not request.Test():
            waited = time.perf_counter() - start
            if waited > SPIN:
                time.sleep(NAP)
            if waited > patience:
                told = told or [self.notes.isend((self.calls, call), other) for other in range(self.size)]
                self._listen(call)
            if waited > limit:
                missing = [rank for rank in range(self.size) if self.heard.get(rank, (0,))[0] < self.calls]
                self._end(f"rank {self.rank} of {self.size} has waited {waited:.1f} s in {call} for ranks {missing}: {HINT}\n")
        self.waited += time.perf_counter() - start
        return array

    def _listen(self, call: str) -> None:
        """End all where another rank is in another call than this one, so that neither can end."""
        while self.notes.iprobe():
            status = self.mpi.Status()
            note = self.notes.recv(status=status)
            self.heard[status.source] = note
        for rank, (number, other) in self.heard.items():
            if number == self.calls and other != call:
                self._end(f"rank {self.rank} is in {call}, but rank {rank} is in {other}: {HINT}\n")

    def _end(self, message: str, code: int = 1) -> None:
        """Say what is wrong, in one piece, and end all ranks."""
        sys.stderr.write(message)
        sys.stderr.flush()
        time.sleep(0.2)  # the launcher reads what was said before it ends who said it
        self.world.Abort(code)
        os._exit(code)  # MPICH comes back from Abort

    def _failed(self, kind: type[BaseException], error: BaseException, where: Any) -> None:
        """An uncaught exception ends all ranks; that of Ctrl-C is not printed."""
        if issubclass(kind, KeyboardInterrupt):
            self._end("", 130)
        text = "".join(traceback.format_exception(kind, error, where))
        self._end(f"rank {self.rank} of {self.size} failed:\n{text}")


@functools.cache
def group() -> Group:
    """The ranks of this run; one process that no launcher started is a group of its own, and needs no MPI."""
    expected = next((int(os.environ[name]) for name in SIZES if name in os.environ), None)
    alone = expected == 1 or expected is None and "PMIX_RANK" not in os.environ
    return Group() if alone else MPIGroup(expected)
