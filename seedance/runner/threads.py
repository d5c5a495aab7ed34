"""Threads for pieces of work: as many as are at work at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

IDLE_SECONDS = 5.0  # after which a thread without work ends
IDLE_NAME = "seedance-idle"

Piece: TypeAlias = tuple[str, Callable[[], None]]


class Threads:
    """Runs each piece of work at once, in a thread that has none, else in a new one. Safe to use
    from any thread.

    The threads are daemons, so that the process can end while one hangs.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pieces: deque[Piece] = deque()
        self._idle = 0
        self._count = 0  # of those that will take another piece
        self._all: set[threading.Thread] = set()
        self._closed = False

    def run(self, name: str, work: Callable[[], None]) -> None:
        """Call `work`, which must not raise, in a thread that has this name meanwhile.

        Raises RuntimeError if the system gives no thread and there is none that could do it later.
        """
        with self._changed:
            self._pieces.append((name, work))
            if self._idle >= len(self._pieces):
                self._changed.notify()
                return
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                if not self._count:
                    self._pieces.pop()
                    raise
            else:
                self._count += 1
                self._all = {each for each in self._all if each.is_alive()} | {thread}

    def _work(self) -> None:
        me = threading.current_thread()
        while (piece := self._next()) is not None:
            me.name, work = piece
            del piece
            work()
            del work  # what it refers to is kept no longer than it runs
            me.name = IDLE_NAME

    def _next(self) -> Piece | None:
        """The next piece of work; None if there is none for a while."""
        with self._changed:
            self._idle += 1
            try:
                self._changed.wait_for(lambda: self._pieces or self._closed, IDLE_SECONDS)
            finally:
                self._idle -= 1
            if self._pieces:
                return self._pieces.popleft()
            self._count -= 1
            return None

    def close(self, deadline: float) -> bool:
        """End the threads once they have no work; says whether they ended by `deadline`, a time of
        the monotonic clock. Work that is given later is still done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        while (left := self._others()) and (seconds := deadline - time.monotonic()) > 0:
            left[0].join(seconds)
        return not left

    def _others(self) -> list[threading.Thread]:
        with self._changed:
            others = self._all - {threading.current_thread()}
        return [each for each in others if each.is_alive()]
