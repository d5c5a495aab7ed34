"""Journals while their process forks: no connection is open then.

SQLite keeps its locks by process. A child that inherited a connection, even one that it never uses,
would take its parent's locks for its own, and could damage the file.
"""

from __future__ import annotations

import threading
import weakref
from abc import ABC, abstractmethod

from .. import forks

AT_ONCE = 8  # statements of one process at the same time
WAIT_SECONDS = 10.0  # for the statements that other threads are at

_all: weakref.WeakSet[Resting] = weakref.WeakSet()


class Resting(ABC):
    """The part of a journal that rests while its process forks. A statement has one of `turns`; one
    that writes to SQLite has `writing` before that, so that those who wait to write let others
    read."""

    def __init__(self) -> None:
        self.turns = threading.BoundedSemaphore(AT_ONCE)
        self.writing = threading.Lock()
        self._taken = 0
        self._rests = False
        _all.add(self)

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""

    def rest(self) -> None:
        """Wait until no statement is under way, close all connections, and let none be opened."""
        self._rests = self.writing.acquire(timeout=WAIT_SECONDS)
        while self._taken < AT_ONCE and self.turns.acquire(timeout=WAIT_SECONDS):
            self._taken += 1
        self.close()

    def go_on(self) -> None:
        """Let statements be made again."""
        while self._taken:
            self._taken -= 1
            self.turns.release()
        if self._rests:
            self._rests = False
            self.writing.release()


_one_fork = threading.Lock()  # at a time


def _before() -> None:
    _one_fork.acquire()
    for each in list(_all):
        each.rest()


def _after() -> None:
    for each in list(_all):
        each.go_on()
    _one_fork.release()


forks.around(_before, _after)
forks.in_child(_after)
