"""Whether the process that holds a row is known to have ended."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from seedance.journal import process
from seedance.journal.process import has_ended, new_holder

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when in its own time")

SLEEP = "import sys; print(flush=True); sys.stdin.read()"


def holder(pid: int, last: str) -> str:
    """The id of a process of this machine."""
    machine, _, _ = new_holder().split("#")
    return f"{machine}#{pid}#{last}"


def started() -> int:
    """When this process was started, as its ids say it."""
    return int(new_holder().split("#")[2].split("-")[0])


@pytest.fixture
def ended() -> int:
    """The number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_each_id_is_another() -> None:
    assert new_holder() != new_holder()


def test_an_id_fits_into_its_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.socket, "gethostname", lambda: "h" * 255)
    process._machine.cache_clear()
    try:
        assert len(new_holder()) <= 160
    finally:
        process._machine.cache_clear()


def test_this_process_has_not_ended() -> None:
    assert not has_ended(new_holder())


def test_a_row_that_nobody_holds_waits_for_nobody() -> None:
    assert has_ended(None)
    assert has_ended("")


@linux
def test_another_process_knows_this_ones_start() -> None:
    script = (
        "import sys; from seedance.journal.process import has_ended; print(has_ended(sys.argv[1]))"
    )
    child = subprocess.run(
        [sys.executable, "-c", script, new_holder()], capture_output=True, text=True, check=True
    )
    assert child.stdout == "False\n"


@linux
def test_a_running_child_has_not_ended_and_a_killed_one_has() -> None:
    script = f"from seedance.journal.process import new_holder; print(new_holder()); {SLEEP}"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        theirs = child.stdout.readline().strip()
        assert not has_ended(theirs)
        child.kill()
        child.wait()
        assert has_ended(theirs)


@linux
@pytest.mark.parametrize("seconds", [-1000, 1000])
def test_a_number_that_was_given_to_a_new_process_is_not_the_old_one(seconds: int) -> None:
    assert has_ended(holder(os.getpid(), f"{started() + seconds}-0badcafe"))


@linux
@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_a_start_may_be_rounded(seconds: int) -> None:
    assert not has_ended(holder(os.getpid(), f"{started() + seconds}-0badcafe"))


@linux
def test_where_the_start_cannot_be_read_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    old = holder(os.getpid(), f"{started() + 1000}-0badcafe")

    def hidden(pid: int) -> None:
        raise process.psutil.AccessDenied(pid)

    monkeypatch.setattr(process.psutil, "Process", hidden)
    assert not has_ended(old)
    assert not has_ended(new_holder())


def test_ids_of_earlier_versions_are_read(ended: int) -> None:
    assert not has_ended(holder(os.getpid(), "0badcafe"))
    assert has_ended(holder(ended, "0badcafe"))


def test_of_other_machines_nothing_is_known(ended: int) -> None:
    assert not has_ended(f"elsewhere#{ended}#0badcafe")
    assert not has_ended(f"elsewhere#{ended}#1-0badcafe")


@pytest.mark.parametrize("pid", ["", "x", "-1", "²", "9" * 30])
def test_of_an_id_that_makes_no_sense_nothing_is_known(pid: str) -> None:
    machine, _, _ = new_holder().split("#")
    assert not has_ended(f"{machine}#{pid}#0badcafe")


@pytest.mark.parametrize("there", [True, False])
def test_where_os_kill_would_end_a_process_psutil_is_asked(
    there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = holder(4711, "0badcafe")  # before the system is another
    monkeypatch.setattr(process, "os", SimpleNamespace(name="nt"))
    monkeypatch.setattr(process.psutil, "pid_exists", lambda pid: there and pid == 4711)
    assert has_ended(old) is not there


@pytest.mark.parametrize("error", [PermissionError, OSError])
def test_a_process_of_another_user_has_not_ended(
    error: type[OSError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(pid: int, signal: int) -> None:
        assert signal == 0
        raise error

    old = holder(4711, "0badcafe")
    monkeypatch.setattr(process.os, "kill", kill)
    assert not has_ended(old)


def test_machines_of_one_name_are_told_apart_where_there_is_no_boot_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = []
    for card in (1, 2):
        process._machine.cache_clear()
        monkeypatch.setattr(process, "sys", SimpleNamespace(platform="win32"))
        monkeypatch.setattr(process.uuid, "getnode", lambda card=card: card)
        ids.append(new_holder().split("#")[0])
    monkeypatch.undo()
    process._machine.cache_clear()
    assert len(set(ids)) == 2
