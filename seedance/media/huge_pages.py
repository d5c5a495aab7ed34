"""Large arrays in memory pages that the system provides quickly: huge ones, or else small ones.

Only Linux has that choice; elsewhere these are plain arrays.
"""

from __future__ import annotations

import math
import mmap
import time
from statistics import median

import numpy as np

HUGE = 2 * 2**20  # bytes of a huge page
LARGE = 16 * HUGE  # bytes; in smaller arrays the kind of pages makes no difference
SLOW = 0.0015  # seconds for one: the 512 small pages instead of it take about as long


class Pages:
    """The pages of one large array that is being filled for the first time.

    Huge pages take a quarter of the time of small ones. But a virtual machine may have returned
    them to its host, and must request each again: that takes ten times as long, while it has kept
    small ones. No system call tells which is the case, so they are timed.
    """

    def __init__(self, memory: mmap.mmap | None = None) -> None:
        self._memory = memory

    def touch(self, part: np.ndarray) -> None:
        """Make the system provide the pages of a contiguous part that is written next. Overwrites
        some of its values."""
        memory = self._memory
        if memory is None:
            return
        flat = part.reshape(-1)
        times = []
        for place in range(0, flat.size, HUGE // part.itemsize):
            began = time.perf_counter()
            flat[place] = 0
            times.append(time.perf_counter() - began)
        # Not the mean: another program may have run in between.
        if times and median(times) > SLOW:
            self._memory = None
            memory.madvise(mmap.MADV_NOHUGEPAGE)  # for what was not written yet


def empty(shape: tuple[int, ...]) -> tuple[np.ndarray, Pages]:
    """A float32 array whose values are not set, and its pages. Raises MemoryError."""
    nbytes = math.prod(shape) * 4
    if nbytes < LARGE or not hasattr(mmap, "MADV_NOHUGEPAGE"):
        return np.empty(shape, np.float32), Pages()
    try:
        memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(str(error)) from None
    memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.float32).reshape(shape), Pages(memory)
