"""What a person reads in the terminal: errors, progress, amounts, tables; and JSON and CSV for
programs.

Results go to standard output, everything about the way there to standard error.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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


def bear_any_letter() -> None:
    """Let both streams write what their encoding lacks as `\\u72d0`: a pipe on Windows has an old
    code page, and no letter of a file's name may turn a paid video into a failure."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def line(text: object = "") -> None:
    """One line of result."""
    print(clean(text))


def note(text: str) -> None:
    """A line, or lines, about the way to the result."""
    for part in text.splitlines():
        print(clean(part), file=sys.stderr, flush=True)


def ask(question: str) -> bool:
    """Ask a person on the terminal; says whether the answer was yes."""
    print(f"{clean(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def trace(text: str) -> None:
    """A traceback."""
    note(traceback_lines(text))


def as_json(value: Any) -> None:
    """`value` as JSON on standard output, in ASCII whatever the terminal's encoding."""
    print(json.dumps(value, indent=2))


def as_csv(fields: Sequence[str], records: Iterable[Mapping[str, Any]]) -> None:
    """Records as CSV on standard output, in UTF-8 whatever the terminal's encoding: a table must
    hold what was asked for, not escapes of it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    writer = csv.DictWriter(sys.stdout, fields, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)


def failure(error: SeedanceError, *, as_json: bool) -> None:
    """What happened, what to do, and what became of the money; as JSON too if that was asked."""
    error.message, error.hint = as_typed(error.message), as_typed(error.hint)
    if as_json:
        print(json.dumps({"error": error.as_dict()}, indent=2))
    note(f"seedance: {error.message}")
    if error.hint:
        note(error.hint)
    if error.task:
        note(f"Task: {error.task}")
    note(MONEY_WORDS[error.spent])


def money(amount: Money | None) -> str:
    """`1.50 USD`, `free`, or `unknown`."""
    return "unknown" if amount is None else str(amount)


def shortened(text: str, most: int) -> str:
    """`text` in at most so many letters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def table(rows: Sequence[Sequence[object]]) -> None:
    """Rows in columns as wide as their contents; the last column is not padded."""
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for row in cells:
        line("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


class Display:
    """The progress of one or several takes: bars on a terminal, otherwise a line for each step. To
    be used in a `with`, so that the bars are closed."""

    def __init__(self, takes: int) -> None:
        self._takes = takes
        self._codes = [""] * takes
        self._bars: list[Any] = []

    def __enter__(self) -> Display:
        if sys.stderr.isatty():
            from tqdm import tqdm

            form = "{elapsed} |{bar:20}| {desc}"
            self._bars = [
                tqdm(total=100, position=take, leave=False, bar_format=form)
                for take in range(self._takes)
            ]
        return self

    def __exit__(self, *_: object) -> None:
        # The first bar last: tqdm puts the cursor at the start of a line for this one only.
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
            bar.set_description_str(name + clean(progress))
        elif progress.code != self._codes[take]:  # a log needs no line for each per cent
            self._codes[take] = progress.code
            note(name + str(progress))
