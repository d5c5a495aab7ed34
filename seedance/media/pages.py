"""A large array in the pages that come quickest: huge ones where they are at hand, else small ones.

A plain array but on Linux. Must not know what the array is for.
"""

from __future__ import annotations

import math
import mmap
import time
from statistics import median

import numpy as np

HUGE = 2 * 2**20  # bytes of a huge page
LARGE = 16 * HUGE  # from so many bytes on the pages matter
SLOW = 0.0015  # seconds for one: the 512 small pages instead of it take about as long


class Pages:
    """The pages of one large array that is being filled for the first time.

    Huge pages cost a quarter of what small ones do. But a virtual machine may have given them back
    to its host and must ask for each anew: that takes ten times as long, while small ones are what
    it has kept. Nothing tells which it is, so they are timed.
    """

    def __init__(self, memory: mmap.mmap | None = None) -> None:
        self._memory = memory

    def touch(self, part: np.ndarray) -> None:
        """Get the pages of a contiguous part that will be written next. Overwrites some of it."""
        memory = self._memory
        if memory is None:
            return
        flat = part.reshape(-1)
        times = []
        for place in range(0, flat.size, HUGE // part.itemsize):
            began = time.perf_counter()
            flat[place] = 0
            times.append(time.perf_counter() - began)
        # Not the sum: another program may have had its turn meanwhile.
        if times and median(times) > SLOW:
            self._memory = None
            memory.madvise(mmap.MADV_NOHUGEPAGE)  # for what was not written yet


def empty(shape: tuple[int, ...]) -> tuple[np.ndarray, Pages]:
    """A float32 array with anything in it, and its pages. Raises MemoryError."""
    nbytes = math.prod(shape) * 4
    if nbytes < LARGE or not hasattr(mmap, "MADV_NOHUGEPAGE"):
        return np.empty(shape, np.float32), Pages()
    try:
        memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(str(error)) from None
    memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.float32).reshape(shape), Pages(memory)
