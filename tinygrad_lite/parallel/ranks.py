"""Group: the processes ("ranks") that an MPI launcher started, and what they do together.

All that ranks exchange are sums of arrays over all of them. Waiting is polled, so that a rank that does not come is
noticed: a rank that waits tells the others in which call it is, and who is in another call ends all.
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
END = "the end of its program"
CALLS = ("sum", "average", "gather", "barrier", END)
TIMEOUT = 300.0  # seconds
SPIN = 2e-4  # seconds of waiting without sleep: what is short arrives fastest; longer, and others want the core
NAP = 2e-5
PATIENCE = 1.0  # seconds of waiting after which a rank tells the others where it is
HINT = "a rank is stuck, or ranks take different numbers of steps (see DataParallel.join)"


class Group:
    """All ranks of this run. Each calls the same methods in the same order, within `timeout` seconds of each other.

    rank, size: which one this is of how many; bytes, waited: what it gave to be sent, in how many seconds of waiting.
    A wait that is too long, and an uncaught exception, end all ranks with a code that is not 0. `group()` makes it.
    expected: how many ranks there are to be, None where that is not known; of one rank nothing is exchanged:

    >>> from tinygrad_lite.parallel import Group
    >>> alone = Group(expected=1)
    >>> alone.rank, alone.size, alone.gather("mine"), alone.sum(np.array([1.0, 2.0]))
    (0, 1, ['mine'], array([1., 2.]))
    """

    def __init__(self, expected: int | None) -> None:
        self.rank, self.size, self.timeout = 0, 1, TIMEOUT
        self.bytes, self.waited, self.calls = 0, 0.0, 0
        self.passes = 0  # that DistributedSamplers have begun: ranks whose numbers differ are out of step
        self.heard: dict[int, tuple[int, str]] = {}  # of ranks that wait: the number of their call, and which it is
        if expected != 1:
            self._start(expected)

    def _start(self, expected: int | None) -> None:
        """Find the others."""
        faulthandler.dump_traceback_later(self.timeout, exit=True)  # MPI would wait for a rank that ended before
        try:
            from mpi4py import MPI
        except ImportError as error:
            raise ImportError("an MPI launcher started this process, which without mpi4py would train for itself: "
                              'pip install mpi4py mpich') from error
        faulthandler.cancel_dump_traceback_later()
        self.mpi, self.rank, self.size = MPI, MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size
        if expected not in (None, self.size):
            raise RuntimeError(f"the launcher started {expected} ranks, mpi4py sees {self.size}: it uses another MPI")
        self.ways = {call: MPI.COMM_WORLD.Dup() for call in CALLS}  # apart, so that no call takes another's numbers
        self.notes = MPI.COMM_WORLD.Dup()
        sys.excepthook = self._failed
        atexit.register(self.sum, np.zeros(1), np.inf, END)  # others may compute on for long

    def sum(self, array: np.ndarray, timeout: float | None = None, call: str = "sum") -> np.ndarray:
        """The sum over the ranks of an array, of one shape and dtype on all, written over the array itself."""
        if self.size == 1:
            return array
        self.calls += 1
        self.bytes += array.nbytes
        start, told = time.perf_counter(), list[Any]()
        request = self.ways[call].Iallreduce(self.mpi.IN_PLACE, array)
        while not request.Test():
            waited = time.perf_counter() - start
            if waited > SPIN:
                time.sleep(NAP)
            if waited > (0 if call == END else PATIENCE):
                told = told or self._tell(call)
                self._listen(call)
            if waited > (self.timeout if timeout is None else timeout):
                missing = [r for r in range(self.size) if r != self.rank and self.heard.get(r, (0,))[0] < self.calls]
                self._end(f"rank {self.rank} has waited {waited:.1f} s in {call} for ranks {missing}: {HINT}\n")
        self.waited += time.perf_counter() - start
        return array

    def gather(self, value: Any, timeout: float | None = None) -> list[Any]:
        """What each rank gave, by rank, on every rank. A value is anything that can be pickled."""
        if self.size == 1:
            return [value]
        own, sizes = np.frombuffer(pickle.dumps(value), np.uint8), np.zeros(self.size, np.int64)
        sizes[self.rank] = own.size
        ends = np.cumsum(self.sum(sizes, timeout, "gather"))
        everything = np.zeros(ends[-1], np.uint8)  # a byte is 0 on all ranks but one
        np.split(everything, ends[:-1])[self.rank][:] = own
        parts = np.split(self.sum(everything, timeout, "gather"), ends[:-1])
        return [pickle.loads(part.tobytes()) for part in parts]

    def broadcast(self, value: Any, source: int = 0, timeout: float | None = None) -> Any:
        """What the rank `source` gave; what the others give is ignored."""
        return self.gather(value if self.rank == source else None, timeout)[source]

    def barrier(self, timeout: float | None = None) -> None:
        """Wait until every rank is here."""
        self.sum(np.zeros(1), timeout, "barrier")

    # ---- what happens when something is wrong
    def _tell(self, call: str) -> list:
        """Send the others where this rank waits."""
        return [self.notes.isend((self.rank, self.calls, call), other) for other in range(self.size)]

    def _listen(self, call: str) -> None:
        """End all where another rank waits in another call than this one, so that neither can end."""
        while self.notes.iprobe():
            rank, number, other = self.notes.recv()
            self.heard[rank] = number, other
        for rank, (number, other) in self.heard.items():
            if number == self.calls and other != call:
                self._end(f"rank {self.rank} is in {call}, rank {rank} is in {other}: {HINT}\n")

    def _end(self, message: str, code: int = 1) -> None:
        """Say what is wrong, in one piece, and end all ranks."""
        sys.stderr.write(message)
        sys.stderr.flush()
        time.sleep(0.2)  # the launcher reads what was said before it ends who said it
        self.mpi.COMM_WORLD.Abort(code)
        os._exit(code)  # MPICH comes back from Abort

    def _failed(self, kind: type[BaseException], error: BaseException, where: Any) -> None:
        """An uncaught exception ends all ranks; that of Ctrl-C is not printed."""
        if kind is KeyboardInterrupt:
            self._end("", 130)
        text = "".join(traceback.format_exception(kind, error, where))
        self._end(f"rank {self.rank} of {self.size} failed:\n{text}")


@functools.cache
def group() -> Group:
    """The `Group` of all ranks of this run, always the same one.

    A process that no launcher (mpirun, srun) started is a group of its own, and needs no MPI. Under a launcher it is an
    ImportError where mpi4py is missing.

    >>> from tinygrad_lite.parallel import group
    >>> group().rank, group().size
    (0, 1)
    """
    expected = next((int(os.environ[name]) for name in SIZES if name in os.environ), None)
    return Group(1 if expected is None and "PMIX_RANK" not in os.environ else expected)
