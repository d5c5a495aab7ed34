"""The runners that calls from Python share: one for the settings that the environment has now.

A notebook sets a key, or a worker another folder, between two calls; each call goes by what holds
then. A forked process begins with none. At the end of the process all are closed.
"""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from .. import forks
from ..settings import Settings
from .runner import Runner
from .worker import PAID_CALL_SECONDS


@dataclass
class Lent:
    """A runner, and how many calls use it."""

    runner: Runner
    users: int = field(default=0)

    def again(self) -> Lent:
        """The same for one more call, which gives it back too."""
        with _lock:
            self.users += 1
        return self

    def give_back(self) -> None:
        """This call needs it no longer."""
        with _lock:
            self.users -= 1

    @property
    def idle(self) -> bool:
        """Whether nothing goes on with it."""
        return not self.users and not self.runner.busy


_lock = forks.Lock()
_open: list[Lent] = []
forks.in_child(_open.clear)  # their threads are the parent's


def lend() -> Lent:
    """The runner for the present settings, to be given back. Raises BadOrder for settings that
    cannot be used."""
    settings = Settings.load()
    with _lock:
        lent = next((each for each in _open if each.runner.settings.same_as(settings)), None)
        if lent is None:
            lent = Lent(Runner(settings))
            if not _open:
                atexit.unregister(close)
                atexit.register(close)
            _open.append(lent)
        lent.users += 1
        idle = [each for each in _open if each.idle]
        for each in idle:
            _open.remove(each)
    for each in idle:
        each.runner.close()
    return lent


@contextlib.contextmanager
def lent_runner() -> Iterator[Runner]:
    """As `lend`, for a block."""
    lent = lend()
    try:
        yield lent.runner
    finally:
        lent.give_back()


def close() -> None:
    """Close all of them, once the answers to paid calls that are under way have come: they hold the
    only tickets to what was paid. What is paid and running can be collected later."""
    with _lock:
        ending = list(_open)
        _open.clear()
    for each in ending:
        each.runner.close(PAID_CALL_SECONDS)
