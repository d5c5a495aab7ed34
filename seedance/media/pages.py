"""Which pages the system gives a large array: huge ones where they come quickly, else small ones.

Does nothing but on Linux. Must not know what the array is for.
"""

from __future__ import annotations

import ctypes
import mmap
import time
from statistics import median

import numpy as np

HUGE = 2 * 2**20  # bytes of a huge page
SLOW = 0.0015  # seconds for one: the 512 small pages instead of it take about as long


class Pages:
    """The pages of one large array that is being filled for the first time.

    NumPy asks Linux for huge pages, which cost a quarter of what small ones do. But a virtual
    machine may have given them back to its host and must ask for each anew: that takes ten times as
    long, while small ones are what it has kept. Nothing tells which it is, so they are timed.
    """

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self._huge = hasattr(mmap, "MADV_NOHUGEPAGE")

    def touch(self, part: np.ndarray) -> None:
        """Get the pages of a contiguous part that will be written next. Overwrites some of it."""
        if not self._huge:
            return
        flat = part.reshape(-1)
        step = HUGE // part.itemsize
        times = []
        for place in range(0, flat.size, step):
            began = time.perf_counter()
            flat[place] = 0
            times.append(time.perf_counter() - began)
        # Not the sum: another program may have had its turn meanwhile.
        if times and median(times) > SLOW:
            self._huge = False
            _small_pages(self._array)


def _small_pages(array: np.ndarray) -> None:
    """Have what was not written yet in small pages."""
    page = mmap.PAGESIZE
    begin = -(-array.ctypes.data // page) * page
    length = (array.ctypes.data + array.nbytes - begin) // page * page
    if length > 0:
        libc = ctypes.CDLL(None)
        libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(length), mmap.MADV_NOHUGEPAGE)
