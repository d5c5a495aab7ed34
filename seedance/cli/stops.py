"""What stops a command: Ctrl-C, a kill, a terminal that is closed.

Each function sets handlers of signals, and gives those from before for `restore`.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from typing import Any

# Windows does not tell that a terminal was closed.
_STOPS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

Before = dict[int, Any]


def as_ctrl_c() -> Before:
    """Who stops the process waits for the answer to what was paid, as who presses Ctrl-C does.
    What is ignored (`nohup`) stays so."""
    heeded = [each for each in _STOPS if signal.getsignal(each) is signal.SIG_DFL]
    return {each: signal.signal(each, signal.default_int_handler) for each in heeded}


def ignored() -> Before:
    """None of them stops anything."""
    return {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, *_STOPS)}


def telling(tell: Callable[[], None]) -> Before:
    """Each of them, a Ctrl-C too, calls `tell` and stops nothing. In a thread that is not the
    process's first, nothing is set."""
    before: Before = {}
    with contextlib.suppress(ValueError):
        for each in (signal.SIGINT, *_STOPS):
            if signal.getsignal(each) is not signal.SIG_IGN:
                before[each] = signal.signal(each, lambda *_: tell())
    return before


def restore(before: Before) -> None:
    """Put the handlers back."""
    for each, handler in before.items():
        signal.signal(each, handler)
