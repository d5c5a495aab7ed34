"""What the terminal shows while takes are under way."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys

import pytest

from seedance.cli import show
from seedance.runner.progress import Progress


def test_a_log_has_no_line_for_each_per_cent(capsys: pytest.CaptureFixture[str]) -> None:
    with show.Display(2) as display:
        for percent in (10, 20, 30):
            progress = Progress("rendering_part", {"percent": percent}, percent / 100, 90 - percent)
            display.show(1, progress)
        display.show(1, Progress("saved", fraction=1.0))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "take 2: rendering 10 %, about 80 s left",
        "take 2: saved",
    ]


def test_a_log_has_a_sign_of_life_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(show.time, "monotonic", lambda: now[0])
    with show.Display(1) as display:
        for _ in range(5):
            display.show(0, Progress("rendering", {}, None, None))
            now[0] += show.LOG_SECONDS / 2
    assert capsys.readouterr().err.splitlines() == ["rendering"] * 3


class Terminal(io.StringIO):
    """A terminal's screen, as far as bars move on it: to the line's start, one down, one up."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        lines, line, column = [""], 0, 0
        for part in re.findall(r"\x1b\[A|\r|\n|[^\x1b\r\n]+", self.getvalue()):
            if part == "\r":
                column = 0
            elif part == "\n":
                line, column = line + 1, 0
                lines += [""] * (line + 1 - len(lines))
            elif part == "\x1b[A":
                line -= 1
            else:
                before = lines[line].ljust(column)
                lines[line] = before[:column] + part + before[column + len(part) :]
                column += len(part)
        return [each.rstrip() for each in lines]


def test_takes_are_bars_in_their_order_and_leave_nothing_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with show.Display(3) as display:
        display.show(0, Progress("queued"))
        display.show(1, Progress("rendering_part", {"percent": 50}, 0.5, 12.0))
        display.show(2, Progress("saved", fraction=1.0))
        bars = terminal.screen[:3]
    show.note("Take 1 (seed 0):")
    assert [bar.partition("take ")[2] for bar in bars] == [
        "1: queued",
        "2: rendering 50 %, about 12 s left",
        "3: saved",
    ]
    assert [bar.count("█") for bar in bars] == [0, 10, 20]
    assert not any(bar.startswith(" ") for bar in bars)
    assert terminal.screen[0] == "Take 1 (seed 0):"
    assert not any(terminal.screen[1:])


@pytest.mark.parametrize("columns", [20, 30, 40, 60, 80])
def test_a_bar_is_no_wider_than_its_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(show, "size", lambda: (columns, 24))
    with show.Display(2) as display:
        display.show(0, Progress("provider_unreachable", {"seconds": 30}, None, 4000.0))
        display.show(1, Progress("rendering_part", {"percent": 50}, 0.5, 12.0))
    drawn = re.split(r"\x1b\[A|[\r\n]", terminal.getvalue())
    assert max(map(len, drawn)) < columns
    assert any("take 1: the" in each for each in drawn)


@pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX")
@pytest.mark.parametrize("kind", ["xterm", "dumb"])
def test_what_a_terminal_is_sent_has_no_blanks_before_the_next_line(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    import pty
    import threading

    sent = bytearray()
    reader, writer = pty.openpty()
    monkeypatch.setenv("TERM", kind)

    def receive() -> None:
        with contextlib.suppress(OSError):
            while block := os.read(reader, 1 << 16):
                sent.extend(block)

    receiving = threading.Thread(target=receive)
    receiving.start()
    with monkeypatch.context() as patched, os.fdopen(writer, "w") as terminal:
        patched.setattr(sys, "stderr", terminal)
        with show.Display(2) as display:
            display.show(0, Progress("queued"))
            display.show(1, Progress("saved", fraction=1.0))
        show.note("Take 1 (seed 0):")
    receiving.join()
    os.close(reader)
    before, _, _ = sent.decode().partition("Take 1 (seed 0):")
    assert not before.endswith((" ", " \r", " \n"))
    assert ("\x1b" in before) == (kind == "xterm")
