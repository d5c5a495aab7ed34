"""`batch` that is stopped or killed: nothing is lost, the same command goes on. And its display."""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fakes
import pytest
from command_line import Command
from running import is_create, until

import seedance
from seedance.cli import live, show
from seedance.runner import Progress

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    path = tmp_path / "shots.json"
    rows = [{"name": f"s{n}", "prompt": f"Shot {n}", "provider": "lumenfall"} for n in range(5)]
    rows.append({"name": "after", "prompt": "On", "after": "s0", "provider": "lumenfall"})
    path.write_text(json.dumps(rows))
    return path


def started(shots: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "SEEDANCE_POLL_INTERVAL": "0.05"}
    command = [sys.executable, "-m", "seedance", "batch", str(shots), "--yes", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.slow
@posix
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_who_is_stopped_says_what_goes_on_and_the_same_command_goes_on(
    lumenfall: fakes.Fake, shots: Path, tmp_path: Path, command: Command, how: signal.Signals
) -> None:
    lumenfall.polls_until_done = 10**6
    report = tmp_path / "report.csv"
    child = started(shots, "--jobs", "3", "--report", str(report), "--json")
    until(lambda: lumenfall.creates == 3, 60)
    until(lambda: len(lumenfall.sent("GET")) > 6, 60)
    child.send_signal(how)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    error = json.loads(out)["error"]
    assert error["spent"] == "yes"
    assert "0 of 6 takes had ended. 3 more are paid" in error["hint"]
    assert report.read_text().count("waiting") == 3
    assert report.read_text().count("running") == 3
    lumenfall.polls_until_done = 0
    ran = command("batch", shots, "--yes", "--json")
    assert ran.code == 0 and "3 going on, 3 to make" in ran.err
    assert len({each["task"] for each in ran.json["shots"]}) == 6
    assert lumenfall.creates == 6


@pytest.mark.slow
@posix
def test_who_is_killed_loses_nothing_but_what_was_being_sent(
    lumenfall: fakes.Fake, shots: Path, command: Command
) -> None:
    """Killed again and again: each order that was accepted is paid once, and fetched."""
    lumenfall.polls_until_done = 2
    for creates in (1, 3, 4):
        child = started(shots, "--jobs", "2")
        until(lambda least=creates: lumenfall.creates >= least, 60)
        until(lambda: len(lumenfall.sent("GET")) > 2 * lumenfall.creates, 60)
        child.kill()
        child.communicate(timeout=60)
    ran = command("batch", shots, "--yes", "--json")
    states = [each["state"] for each in ran.json["shots"]]
    unclear = states.count("unclear")
    assert (ran.code == 5) == bool(unclear)
    assert states.count("saved") + unclear == 6 - ran.json["shots"].count(None)
    sent = [request for request in lumenfall.requests if is_create(request)]
    assert len(sent) == len({request.body for request in sent}) <= 6


class Left:
    """A job that was left before it ended, and has its ticket only later."""

    task: str | None = None


def test_what_is_left_has_its_ticket_in_the_report_and_is_paid_only_where_it_costs_money(
    command: Command, tmp_path: Path, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    shots = tmp_path / "shots.csv"
    report = tmp_path / "report.csv"
    job = Left()
    sent = []

    def stopped(shooting: Any, runner: Any, **options: Any) -> None:
        standing = shooting.next()
        standing.left = job
        options["on_left"]([SimpleNamespace(standing=standing, job=job, take=standing.take)])
        sent.append(standing.take.provider)
        raise KeyboardInterrupt

    def settle(runner: Any) -> None:
        job.task = f"{sent[-1]}:7"  # the answer to what was being sent

    monkeypatch.setattr("seedance.runner.batches.carry", stopped)
    monkeypatch.setattr("seedance.cli.batch.settle", settle)
    words = ("batch", shots, "--yes", "--report", report, "--json")
    for provider, told, spent in (
        ("lumenfall", "1 more is paid and goes on at its provider.", "yes"),
        ("preview", "1 more goes on at its provider, free of charge.", "no"),
    ):
        shots.write_text(f"prompt,provider\nA fox,{provider}\n")
        job.task = None
        ran = command(*words)
        error = ran.json["error"]
        assert (ran.code, error["spent"]) == (130, spent), ran.err
        assert told in error["hint"]
        assert ("paid" in ran.err) == (spent == "yes")
        assert f",{provider}:7," in report.read_text()


# --------------------------------------------------------------------------------------- display


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


_numbers = itertools.count()


def under_way(name: str, progress: Progress) -> Any:
    standing = SimpleNamespace(number=next(_numbers))
    return SimpleNamespace(standing=standing, take=SimpleNamespace(name=name), progress=progress)


@pytest.fixture
def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(columns: int, lines: int = 24) -> Terminal:
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setattr(show, "size", lambda: (columns, lines))
        return screen

    return made


def test_on_a_wide_terminal_a_table_is_drawn_in_place(terminal_of: Any) -> None:
    screen = terminal_of(80)
    with live.display(3) as display:
        assert isinstance(display, live.Table)
        one = under_way("sh010", Progress("rendering_part", {"percent": 40}, 0.4))
        other = under_way("狐" * 60, Progress("queued"))
        display.look([one, other])
        display.end("sh020: /x.mp4 (free)", failed=False)
        display.look([one])
    text = screen.getvalue()
    assert "sh010" in text and "rendering 40 %" in text and "█████" in text
    assert "[1/3] sh020: /x.mp4 (free)\n" in text
    assert "1 of 3 takes ended; 1 under way" in text
    assert "\x1b[3A\r\x1b[J" in text  # two takes and the sum, wiped before the line that stays
    assert text.endswith("\x1b[2A\r\x1b[J")


def test_a_table_is_no_higher_than_the_terminal(terminal_of: Any) -> None:
    screen = terminal_of(80, 8)
    with live.display(50) as display:
        display.look([under_way(f"s{n}", Progress("queued")) for n in range(40)])
        assert screen.getvalue().count("\n") == 7
        assert "... and 35 more" in screen.getvalue()


def test_on_a_narrow_terminal_there_is_one_bar(terminal_of: Any) -> None:
    screen = terminal_of(40)
    with live.display(2) as display:
        assert type(display) is live.Bar
        display.look([under_way("sh010", Progress("queued"))])
        display.end("sh010: failed", failed=True)
    assert "sh010: failed" in screen.getvalue()


def test_a_pipe_gets_a_line_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    with live.display(2) as display:
        one = under_way("sh010", Progress("rendering_part", {"percent": 40}, 0.4))
        for percent in (40, 41, 42):
            one.progress = Progress("rendering_part", {"percent": percent})
            display.look([one])
        one.progress = Progress("saving")
        display.look([one])
        display.end("sh010: /x.mp4", failed=False)
    lines = ["sh010: rendering 40 %", "sh010: saving", "[1/2] sh010: /x.mp4"]
    assert capsys.readouterr().err.splitlines() == lines


def test_a_journal_that_cannot_be_read_is_no_mistake_of_each_shot(
    lumenfall: fakes.Fake, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else each shot waits for it, and says so."""
    path = tmp_path / "shots.txt"
    monkeypatch.setenv("SEEDANCE_JOURNAL_URL", f"sqlite:///{path / 'journal.db'}")
    path.write_text("8s: A fox\n\nIt stops\n\nIt runs\n")
    for words in (("--estimate",), ("--yes",)):
        ran = command("batch", path, "--provider", "lumenfall", *words)
        assert ran.code == 2
        assert ran.err.count("The journal") == 1 and "mistake" not in ran.err
    path.write_text("99s: A fox\n\nIt stops\n")
    ran = command("batch", path, "--provider", "lumenfall", "--yes")
    assert "a mistake" in ran.err and "The journal" not in ran.err
    with pytest.raises(seedance.BadOrder, match="a mistake"):
        seedance.batch(path, provider="lumenfall")
    assert lumenfall.requests == []
