"""What takes long says so: before a command has its first line, and while a film is joined."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator
from pathlib import Path

import fakes
import pytest
from command_line import Command, in_this_process

from seedance import cli
from seedance.cli import show
from seedance.cli.arguments import parser

# They ask a person first, or only look into one file.
QUICK = {"key_set", "key_remove", "key_list"}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return in_this_process(monkeypatch, capsys)


def runs(of: object = None) -> Iterator[str]:
    """The names of the functions behind all commands."""
    of = parser() if of is None else of
    for action in of._actions:  # type: ignore[attr-defined]
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                if "run" in each._defaults:
                    yield each._defaults["run"].__name__
                yield from runs(each)


def test_every_command_that_may_take_long_has_words_for_it() -> None:
    assert set(runs()) == {*cli.WAITING, *QUICK}


def test_a_command_without_a_line_for_long_says_what_it_does(
    command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show, "PATIENCE", 0.01)
    said = show.note

    def note(text: str) -> None:
        said(text)
        lumenfall.let_go()  # the provider answers when the words are out

    monkeypatch.setattr(show, "note", note)
    lumenfall.fault(lambda request: True, "hang")
    ran = command("key", "test", "lumenfall")
    assert (ran.code, ran.err) == (0, "Asking the provider ...\n")
    assert "The key works" in ran.out


def test_after_the_first_line_nothing_more_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(show, "PATIENCE", 3600.0)
    with show.patient("Asking ..."):
        [timer] = (each for each in threading.enumerate() if isinstance(each, threading.Timer))
        show.line("Here it is.")
        timer.join(30)
        assert not timer.is_alive()
    assert capsys.readouterr() == ("Here it is.\n", "")


def test_a_film_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(show, "PATIENCE", 0.0)
    tell = show.part_of("Joining")
    for part in (0.0, 0.254, 1.0):
        tell(part)
    monkeypatch.setattr(show, "PATIENCE", 3600.0)
    tell = show.part_of("Joining")
    tell(0.5)
    assert capsys.readouterr().err == "Joining: 0%\nJoining: 25%\nJoining: 100%\n"


@pytest.mark.slow
def test_the_film_of_a_batch_is_told_part_by_part(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show, "part_of", lambda work: lambda part: show.note(f"{work} {part:.0%}"))
    shots = tmp_path / "shots.txt"
    shots.write_text("a fox\n\na hare\n")
    film = tmp_path / "film.mp4"
    ran = command(
        *("batch", shots, "--provider", "preview", "--resolution", "480p", "--duration", "4"),
        *("--out", tmp_path / "out", "--join", film, "--yes"),
    )
    assert ran.code == 0, ran.err
    assert film.is_file() and "Joining 9" in ran.err


def test_a_part_is_never_less_than_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(show, "PATIENCE", 0.0)
    tell = show.part_of("Joining")
    for fraction in (-0.001, 0.5, 1.001):
        tell(fraction)
    assert capsys.readouterr().err.split("\n")[:3] == [
        "Joining: 0%",
        "Joining: 50%",
        "Joining: 100%",
    ]
