"""What a person reads in the terminal: errors, progress, amounts, tables; and JSON and CSV for
programs.

Results go to standard output, everything about the way there to standard error.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import SeedanceError, Spent
from ..texts import clean, traceback_lines

if TYPE_CHECKING:
    from ..money import Money
    from ..runner import Progress

MONEY_WORDS: Mapping[Spent, str] = {
    "no": "Nothing was spent.",
    "yes": "It was paid for.",
    "unknown": "It is not known whether it was billed.",
}
# For a command that sent nothing that costs money.
MONEY_WORDS_BEFORE: Mapping[Spent, str] = {
    "no": "Nothing was spent.",
    "yes": "Nothing was spent now. It was paid for before.",
    "unknown": "Nothing was spent now. It is not known whether it was billed before.",
}

LOG_SECONDS = 15.0  # after which a log has another line of the same step
PATIENCE = 2.0  # seconds after which a person is told that something goes on

_FREE = re.compile("nothing (is|was) (spent|billed)|it is not billed", re.IGNORECASE)

# The core's errors speak as a node's inputs are called. On the command line they are flags.
_AS_TYPED = (
    ("set on_unsupported to nearest", "use --on-unsupported nearest"),
    ("Set on_unsupported to nearest", "Use --on-unsupported nearest"),
    (
        "Connect it, or change the prompt; pictures are counted, not sockets.",
        "Give it with --reference, or change the prompt.",
    ),
    ("Connect a reference picture or clip too.", "Give a picture or clip with --reference too."),
    (" max_usd ", " --max-usd "),
    ("Raise max_usd,", "Raise --max-usd,"),
    ("leave max_usd out", "leave --max-usd out"),
    ("Give it as a sound.", "Give it with --reference."),
    ("Give it as a clip, or save", "Give it with --video or --reference, or save"),
    ("connect the file itself", "give the file itself"),
    ("Connect the picture or clip itself", "Give the file itself"),
    ("queue it again", "send it again"),
    ("queue the order again", "send the order again"),
)


def as_typed(text: str) -> str:
    """A sentence of the core in the words of the command line."""
    for ours, typed in _AS_TYPED:
        text = text.replace(ours, typed)
    return text


def open_streams() -> None:
    """Make the three streams fit for any command. One that was closed (`>&-`) gets a descriptor
    that holds nothing: otherwise the next file that is opened would take it, and what libraries
    write to it. What an encoding lacks is written as `\\u72d0`: a pipe on Windows has an old code
    page, and no letter of a file's name may turn a paid video into a failure."""
    _unwritten.clear()
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nowhere, mode, encoding="utf-8"))
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def line(text: object = "") -> None:
    """One line of result."""
    write(f"{clean(text)}\n", sys.stdout)


def note(text: str) -> None:
    """A line, or lines, about the way to the result."""
    for part in text.splitlines():
        write(f"{clean(part)}\n", sys.stderr)


# Why standard output could not be written; a reader that has gone is no reason.
_unwritten: list[str] = []


def unwritten() -> str:
    """Why results that a person or a program wants are not on standard output; empty if they are,
    or if nobody reads it."""
    return _unwritten[0] if _unwritten else ""


def write(text: str, stream: TextIO) -> None:
    """Write to one of the two streams. A command goes on where that cannot be done: it may be about
    to pay, or to save what is paid. Its end tells of what is lost, see `unwritten`."""
    _heard()
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # Windows calls a reader that has gone an invalid argument.
        gone = (errno.EPIPE, errno.EINVAL, errno.EBADF)
        if stream is sys.stdout and error.errno not in gone:
            _unwritten.append(error.strerror or str(error))
        _write_no_more(stream)


def _write_no_more(stream: TextIO) -> None:
    """Lead a stream to nowhere, with what it still holds."""
    nowhere, there = os.open(os.devnull, os.O_WRONLY), stream.fileno()
    if nowhere != there:
        os.dup2(nowhere, there)
        os.close(nowhere)


def saved_unwritten(videos: Iterable[object]) -> None:
    """Name the videos that were saved where standard output could not do it."""
    if unwritten():
        for video in videos:
            note(f"Saved: {video}")


_timers: list[threading.Timer] = []  # of those who wait for a first line


@contextmanager
def patient(words: str) -> Iterator[None]:
    """Says `words` if the block has written nothing after `PATIENCE` seconds."""
    timer = threading.Timer(PATIENCE, lambda: note(words))
    timer.daemon = True
    _timers.append(timer)
    timer.start()
    try:
        yield
    finally:
        _heard()


def _heard() -> None:
    while _timers:
        _timers.pop().cancel()


def part_of(work: str) -> Callable[[float], None]:
    """To be told how much of a work is done, 0..1; says so every `PATIENCE` seconds."""
    due = time.monotonic() + PATIENCE

    def tell(fraction: float) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + PATIENCE
            note(f"{work}: {min(max(fraction, 0), 1):.0%}")

    return tell


def ask(question: str) -> bool:
    """Ask a person on the terminal; says whether the answer was yes."""
    write(f"{clean(question)} [y/N] ", sys.stderr)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def trace(text: str) -> None:
    """A traceback."""
    note(traceback_lines(text))


def as_json(value: Any) -> None:
    """`value` as JSON on standard output, in ASCII whatever the terminal's encoding."""
    write(f"{json.dumps(value, indent=2)}\n", sys.stdout)


def as_csv(fields: Sequence[str], records: Iterable[Mapping[str, Any]]) -> None:
    """Records as CSV on standard output, in UTF-8 whatever the terminal's encoding: a table must
    hold what was asked for, not escapes of it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    write(text.getvalue(), sys.stdout)


def failure(error: SeedanceError, *, json_too: bool, sent: bool = True) -> None:
    """What happened, what to do, and what became of the money; as JSON too if that was asked.
    `sent`: whether this command may have sent an order that costs money."""
    error.message, error.hint = as_typed(error.message), as_typed(error.hint)
    if json_too:
        as_json({"error": error.as_dict()})
    note(f"seedance: {error.message}")
    if error.hint:
        note(error.hint)
    if error.task:
        note(f"Task: {error.task}")
    if error.spent != "no" or not _FREE.search(f"{error.message} {error.hint}"):
        note((MONEY_WORDS if sent else MONEY_WORDS_BEFORE)[error.spent])


def money(amount: Money | None) -> str:
    """`1.50 USD`, `free`, or `unknown`."""
    return "unknown" if amount is None else str(amount)


def shortened(text: str, most: int) -> str:
    """`text` in at most so many letters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def table(rows: Sequence[Sequence[object]], *, cut: bool = False) -> None:
    """Rows in columns as wide as their contents; the last column is not padded, and cut to what
    fits a terminal of 80 columns if `cut`."""
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    left = max(79 - sum(width + 2 for width in widths[:-1]), 10)
    for row in cells:
        if cut:
            row[-1] = shortened(row[-1], left)
        line("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def size() -> tuple[int, int]:
    """Columns and lines of the terminal at standard error."""
    try:
        columns, lines = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        return 80, 24
    return columns or 80, lines or 24


def fitted(text: str, columns: int) -> str:
    """As much of a line as so many columns hold; letters of East Asia take two."""
    found, used = "", 0
    for letter in clean(text):
        used += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if used > columns:
            return found
        found += letter
    return found


NARROWEST = 60  # columns, in which there is a table, or a bar beside what is said
_WIDE, _NARROW = "{elapsed} |{bar:20}| {desc}", "{elapsed} {desc}"
_ERASE = "\r\x1b[J"  # from the start of this line to the end of the screen


def _can_erase(stream: TextIO) -> bool:
    """Whether a terminal erases its lines itself. tqdm writes blanks over its bars, which whoever
    keeps what a terminal was sent finds before the next line."""
    try:
        return os.name == "posix" and os.isatty(stream.fileno())
    except OSError:
        return False


class _Screen:
    """Standard error for bars, until it is switched off."""

    is_on = True

    def write(self, text: str) -> None:
        if self.is_on:
            write(text, sys.stderr)

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


class Display:
    """The progress of one or several takes: bars on a terminal, otherwise a line for each step. To
    be used in a `with`, so that the bars are closed."""

    def __init__(self, takes: int) -> None:
        self._takes = takes
        self._codes = [""] * takes
        self._due = [0.0] * takes
        self._bars: list[Any] = []
        self._screen = _Screen()

    def __enter__(self) -> Display:
        _heard()
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            from tqdm import tqdm

            form = _WIDE if size()[0] >= NARROWEST else _NARROW
            self._bars = [
                tqdm(total=100, position=take, leave=False, bar_format=form, file=self._screen)
                for take in range(self._takes)
            ]
        return self

    def __exit__(self, *_: object) -> None:
        # The first bar last: tqdm puts the cursor at the start of a line for this one only.
        if self._bars and _can_erase(sys.stderr):
            self._screen.is_on = False
            write(_ERASE, sys.stderr)
        for bar in reversed(self._bars):
            bar.close()

    def refresh(self) -> None:
        """Draw the bars again, so that their clocks go on while nothing else happens."""
        for bar in self._bars:
            bar.refresh()

    def show(self, take: int, progress: Progress) -> None:
        """Show where take number `take` (from 0) is."""
        name = f"take {take + 1}: " if self._takes > 1 else ""
        if self._bars:
            bar = self._bars[take]
            bar.n = round(100 * (progress.fraction or 0))
            # No more than a line: the next drawing takes back one line for each bar.
            columns = size()[0]
            bar.bar_format, beside = (_WIDE, 31) if columns >= NARROWEST else (_NARROW, 8)
            bar.set_description_str(fitted(f"{name}{progress}", columns - 1 - beside))
        # A log needs no line for each per cent, but a sign of life now and then.
        elif progress.code != self._codes[take] or time.monotonic() >= self._due[take]:
            self._codes[take] = progress.code
            self._due[take] = time.monotonic() + LOG_SECONDS
            note(name + str(progress))
