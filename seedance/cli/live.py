"""How far the takes of a batch are: a table on a terminal, one bar on a narrow one, and where the
output is no terminal a line for each change."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..texts import clean, counted
from . import show

if TYPE_CHECKING:
    from ..runner.batches.here import UnderWay

_BAR = 12
_CLEAR = "\x1b[J"


def display(takes: int) -> Lines:
    """What fits standard error."""
    if not sys.stderr.isatty():
        return Lines(takes)
    columns, _ = show.size()
    # Old consoles of Windows know no escapes; tqdm knows what they know.
    plain = os.name == "nt" and not os.environ.get("WT_SESSION")
    return Bar(takes) if columns < show.NARROWEST or plain else Table(takes)


class Lines:
    """A line for each change of a take: what it does now, without numbers that go on."""

    def __init__(self, takes: int) -> None:
        self._takes = takes
        self._ended = 0
        self._failed = 0
        self._codes: dict[int, str] = {}

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""

    def look(self, under_way: Sequence[UnderWay]) -> None:
        """Show how far they are."""
        for one in under_way:
            progress, number = one.progress, one.standing.number
            if self._codes.get(number) != progress.code:
                self._codes[number] = progress.code
                self.say(f"{one.take.name}: {progress}")

    def end(self, text: str, *, failed: bool) -> None:
        """A take has ended; `text` says how."""
        self._ended += 1
        self._failed += failed
        self.say(f"[{self._ended}/{self._takes}] {text}")

    def say(self, text: str) -> None:
        """A line, or lines, that stay."""
        show.note(text)


class Bar(Lines):
    """One bar for all takes."""

    def __enter__(self) -> Bar:
        from tqdm import tqdm

        form = "{n_fmt}/{total_fmt} |{bar:10}| {postfix}"
        self._bar: Any = tqdm(total=self._takes, bar_format=form, leave=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def look(self, under_way: Sequence[UnderWay]) -> None:
        """Draw it."""
        failed = f", {self._failed} failed" if self._failed else ""
        self._bar.set_postfix_str(f"{len(under_way)} under way{failed}", refresh=False)
        self._bar.refresh()

    def end(self, text: str, *, failed: bool) -> None:
        """A take has ended."""
        super().end(text, failed=failed)
        self._bar.update(1)

    def say(self, text: str) -> None:
        """Above the bar."""
        for line in text.splitlines():
            self._bar.write(clean(line), file=sys.stderr)


class Table(Lines):
    """A row for each take that is under way, drawn anew in place; what has ended stays above."""

    def __init__(self, takes: int) -> None:
        super().__init__(takes)
        self._drawn = 0  # lines of the table that are on the screen

    def __exit__(self, *_: object) -> None:
        self._wipe()

    def look(self, under_way: Sequence[UnderWay]) -> None:
        """Draw it."""
        columns, lines = show.size()
        most = max(min(lines - 3, 24), 1)
        rows = [self._row(one, columns) for one in under_way[:most]]
        if len(under_way) > most:
            rows.append(f"  ... and {len(under_way) - most} more")
        failed = f", {self._failed} failed" if self._failed else ""
        rows.append(
            f"{self._ended} of {counted(self._takes, 'takes')} ended{failed}; "
            f"{len(under_way)} under way"
        )
        self._wipe()
        show.write("".join(f"{show.fitted(row, columns - 1)}\n" for row in rows), sys.stderr)
        self._drawn = len(rows)

    def _row(self, one: UnderWay, columns: int) -> str:
        progress = one.progress
        done = progress.fraction
        bar = " " * _BAR if done is None else "█" * round(done * _BAR)
        name = show.fitted(one.take.name, max(columns // 4, 12)).ljust(max(columns // 4, 12))
        return f"{name} |{bar.ljust(_BAR)}| {progress}"

    def say(self, text: str) -> None:
        """Above the table, which is drawn again at the next look."""
        self._wipe()
        show.note(text)

    def _wipe(self) -> None:
        if self._drawn:
            show.write(f"\x1b[{self._drawn}A\r{_CLEAR}", sys.stderr)
            self._drawn = 0
