"""Folders that cannot be entered: said before anything is sent."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fakes
import pytest
from command_line import FOX, Command

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="rights of POSIX"),
]
NOBODY = 65534


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch, command: Command) -> Iterator[Path]:
    """A folder that this process cannot enter. As root, which can, it goes on as nobody."""
    place = Path(tempfile.mkdtemp())
    for name in ("home", "output", "locked"):
        (place / name).mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(place / name, NOBODY, NOBODY)
    place.chmod(0o755)
    (place / "locked").chmod(0)
    monkeypatch.setenv("SEEDANCE_HOME", str(place / "home"))
    monkeypatch.setenv("SEEDANCE_OUTPUT", str(place / "output"))
    # What is imported only when it is needed may lie where only root can read.
    command("generate", "--provider", "preview", "--prompt", "x", "-o", place / "none" / "x.mp4")
    me = os.geteuid()
    for file in (place / "home").rglob("*"):
        os.chown(file, NOBODY if me == 0 else me, -1)
    if me == 0:
        os.seteuid(NOBODY)
    try:
        yield place / "locked"
    finally:
        os.seteuid(me)
        (place / "locked").chmod(0o700)
        shutil.rmtree(place)


@pytest.mark.parametrize("below", ["a.mp4", "deeper/a.mp4"])
def test_no_order_is_sent_that_is_to_be_saved_there(
    command: Command, lumenfall: fakes.Fake, locked: Path, below: str
) -> None:
    for line in (FOX, ("check", *FOX[1:]), ("collect", "lumenfall:vid_0001")):
        ran = command(*line, "-o", locked / below, "--json")
        error = ran.json["error"]
        assert (ran.code, error["kind"]) == (2, "BadOrder"), ran.err
        assert "Permission denied" in error["message"]
        assert error["spent"] == ("unknown" if line[0] == "collect" else "no")
        assert "Traceback" not in ran.err
    assert lumenfall.requests == []


def test_a_picture_there_is_named(command: Command, lumenfall: fakes.Fake, locked: Path) -> None:
    for words in (("--image", locked / "a.png"), ("--reference", locked / "a.png")):
        ran = command(*FOX, *words, "--json")
        error = ran.json["error"]
        assert (ran.code, error["kind"], error["spent"]) == (2, "BadOrder", "no"), ran.err
        assert "a.png" in error["message"]
    assert lumenfall.requests == []


def test_an_output_folder_or_home_there_is_named(
    command: Command, lumenfall: fakes.Fake, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("SEEDANCE_OUTPUT", "SEEDANCE_HOME"):
        with monkeypatch.context() as patched:
            patched.setenv(variable, str(locked / "x"))
            ran = command(*FOX, "--json")
            assert (ran.code, ran.json["error"]["spent"]) == (2, "no"), ran.err
            assert variable in ran.json["error"]["hint"]
            assert "Traceback" not in command("doctor").err
    assert lumenfall.requests == []


def test_a_comfyui_there_is_none_that_can_be_used(command: Command, locked: Path) -> None:
    ran = command("--comfyui", locked / "ComfyUI", "tasks")
    assert (ran.code, "is not a ComfyUI installation" in ran.err) == (2, True), ran.err


def test_a_journal_that_cannot_be_written_is_named_by_its_file(
    command: Command, lumenfall: fakes.Fake, locked: Path
) -> None:
    journal = locked.parent / "home" / "journal.db"
    beside = journal.with_name("journal.db-shm")
    journal.chmod(0o444)
    ran = command("doctor")
    assert ran.code == 1
    assert f"BAD journal: cannot be written: {journal}; nothing is sent\n" in ran.out
    assert not beside.exists()
    error = command(*FOX, "--json").json["error"]
    assert (error["kind"], error["spent"]) == ("BadOrder", "no")
    assert f"the right to write {journal}" in error["hint"]
    journal.chmod(0o644)  # a reader has left the file beside it
    beside.touch(mode=0o444)
    beside.chmod(0o444)
    journal.with_name("journal.db-wal").unlink(missing_ok=True)
    assert f"BAD journal: cannot be written: {beside}; nothing is sent\n" in command("doctor").out
    error = command(*FOX, "--json").json["error"]
    assert f"the right to write {beside}, or" in error["hint"]
    assert lumenfall.requests == []
    beside.unlink()
    journal.with_name("journal.db-wal").unlink(missing_ok=True)
    assert "ok  journal" in command("doctor").out


def test_tickets_that_cannot_be_written_are_told(command: Command, locked: Path) -> None:
    folder = locked.parent / "home" / "tickets"
    folder.mkdir(exist_ok=True)
    ran_well = command("doctor").out
    assert "ok  tickets" in ran_well
    folder.chmod(0o500)
    assert f"BAD tickets: {folder} cannot be written" in command("doctor").out
