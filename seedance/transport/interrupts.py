"""What ends a call from another thread: a time limit (Watchdog), or a flag (Stop)."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator

from ..texts import logger_of

Cut = Callable[[], None]

IDLE_SECONDS = 10.0  # after which a watchdog without limits ends its thread, until the next one
logger = logger_of(__name__)


class Watchdog:
    """One thread that calls back when a time is over; it starts with the first."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._limits: list[tuple[float, int, Cut]] = []
        self._current: set[int] = set()
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextlib.contextmanager
    def limit(self, seconds: float, cut: Cut) -> Iterator[None]:
        """Call `cut` in the watchdog's thread if the block takes longer than `seconds`."""
        number = self.call_in(seconds, cut)
        try:
            yield
        finally:
            self.forget(number)

    def call_in(self, seconds: float, call: Cut) -> int:
        """Call `call`, which must not block, in the watchdog's thread after `seconds`. Returns the
        number to `forget` it by."""
        number = next(self._numbers)
        with self._news:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._watch, name="seedance-watchdog", daemon=True
                )
                self._thread.start()
            self._current.add(number)
            heapq.heappush(self._limits, (time.monotonic() + seconds, number, call))
            if self._limits[0][1] == number:
                self._news.notify()
        return number

    def forget(self, number: int) -> None:
        """Do not make a call that was to be made later."""
        with self._news:
            self._current.discard(number)
            if len(self._limits) > 2 * len(self._current) + 64:
                self._limits = [each for each in self._limits if each[1] in self._current]
                heapq.heapify(self._limits)

    def close(self) -> None:
        """End the thread. Limits that are still set have no effect any more."""
        with self._news:
            self._closed = True
            self._news.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _watch(self) -> None:
        while (cut := self._next_overdue()) is not None:
            try:
                cut()
            except Exception:  # else no other limit would be kept any more
                logger.exception("A time limit could not be kept.")

    def _next_overdue(self) -> Cut | None:
        """Wait for the next limit that is over; None when the watchdog is closed."""
        with self._news:
            while not self._closed:
                if not self._limits:
                    if not self._news.wait(IDLE_SECONDS) and not self._limits:
                        self._thread = None
                        return None
                    continue
                due, number, cut = self._limits[0]
                left = due - time.monotonic()
                if left > 0 and number in self._current:
                    self._news.wait(left)
                    continue
                heapq.heappop(self._limits)
                if number in self._current:
                    return cut
        return None


class Stop:
    """A flag that any thread may set. Calls that were given it are then cut off."""

    def __init__(self) -> None:
        self._flag = threading.Event()
        self._lock = threading.Lock()
        self._cuts: list[Cut] = []

    def set(self) -> None:
        """Cut off the calls under way, and every call that begins before `clear`."""
        self._flag.set()
        with self._lock:
            cuts = list(self._cuts)
        for cut in cuts:
            cut()

    def clear(self) -> None:
        """Calls may be made again."""
        self._flag.clear()

    def is_set(self) -> bool:
        """Whether calls are cut off."""
        return self._flag.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait `seconds`, or until it is set; returns whether it is."""
        return self._flag.wait(seconds)

    @contextlib.contextmanager
    def cutting(self, cut: Cut) -> Iterator[None]:
        """Call `cut` if it is set during the block, or is set already."""
        with self._lock:
            self._cuts.append(cut)
        try:
            if self.is_set():
                cut()
            yield
        finally:
            with self._lock:
                self._cuts.remove(cut)
