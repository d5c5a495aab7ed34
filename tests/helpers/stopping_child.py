"""`python stopping_child.py POINT MARKER WORDS...`: the command line, standing still at one point.

Where it gets there it writes MARKER and waits to be killed. At a point `asleep POINT` the whole
process stops there (SIGSTOP), once, and goes on when it is woken (SIGCONT). The points are those
that no server can see; they are set from outside, so that the code under test knows nothing of
them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(point: str, marker: Path, words: list[str]) -> int:
    """Run one command line; never returns from `point`."""
    from seedance import cli
    from seedance.download import _Attempt
    from seedance.journal import Journal
    from seedance.journal.resting import AT_ONCE
    from seedance.runner import tickets

    asleep = point.startswith("asleep ")
    point = point.removeprefix("asleep ")

    def stop(*args: Any) -> None:
        if marker.exists():
            return  # it was woken
        with contextlib.ExitStack() as quiet:
            if asleep and args and isinstance(args[0], Journal):
                # No other thread is in a transaction then, which would lock others out.
                for _ in range(AT_ONCE):
                    quiet.enter_context(args[0].turns)
            marker.touch()
            if asleep:
                # To this thread: another one would take it later, when this one has gone on.
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        while not asleep:
            time.sleep(3600)

    def stopping(at: Callable[..., bool], function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if at(*args, **kwargs):
                stop(*args)
            return function(*args, **kwargs)

        return wrapped

    def stopping_after(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            stop(*args)
            return result

        return wrapped

    def receiving(self: Any, response: Any) -> None:
        with self.part.open("ab") as file:
            file.write(next(response.iter_content(1000)))
        stop()

    def to_state(state: str) -> Callable[..., bool]:
        return lambda _journal, _row, to, **_values: bool(to == state)

    def is_rename(_source: Any, target: Any) -> bool:
        return str(target).endswith(".mp4")

    if point == "before the row":
        Journal.reserve = stopping(lambda *_: True, Journal.reserve)  # type: ignore[method-assign]
    elif point == "after the row":
        Journal.reserve = stopping_after(Journal.reserve)  # type: ignore[method-assign]
    elif point == "before the create is sent":
        Journal.take_slot = stopping_after(Journal.take_slot)  # type: ignore[method-assign]
    elif point == "when the connection is made":
        Journal.may_send = stopping(lambda *_: True, Journal.may_send)  # type: ignore[method-assign]
    elif point == "after the create's answer":
        tickets.write = stopping(lambda *_: True, tickets.write)
    elif point == "after the ticket file":
        journaled = stopping(to_state("running"), Journal.advance)
        Journal.advance = journaled  # type: ignore[method-assign]
    elif point == "during the download":
        _Attempt._receive = receiving  # type: ignore[method-assign]
    elif point == "between download and rename":
        os.replace = stopping(is_rename, os.replace)
    elif point == "between rename and journal":
        journaled = stopping(to_state("saved"), Journal.advance)
        Journal.advance = journaled  # type: ignore[method-assign]
    elif point != "nowhere":
        raise SystemExit(f"there is no point {point!r}")
    return cli.main(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
