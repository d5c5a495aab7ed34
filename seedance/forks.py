"""What a forked process must not take over from its parent: locks that another thread held, and
whatever belongs to threads that it does not have."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def in_child(afresh: Callable[[], None]) -> None:
    """Call `afresh` in each process that is forked from this one, before anything else there."""
    if hasattr(os, "register_at_fork"):  # Windows has no fork
        os.register_at_fork(after_in_child=afresh)


def around(before: Callable[[], None], after: Callable[[], None]) -> None:
    """Call `before` in this process each time that it is about to fork, and `after` in it then."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=before, after_in_parent=after)


class Lock:
    """A lock of a module, for `with`: a forked process begins with a free one."""

    def __init__(self) -> None:
        self._afresh()
        in_child(self._afresh)

    def _afresh(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
