"""Readers that go before a command has ended (`| head`), and disks that are full."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fakes
import pytest
from command_line import FOX

from seedance import cli

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def own_runners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.05")
    monkeypatch.setattr("seedance.runner.shared_runner._shared", {})


@contextmanager
def unread(monkeypatch: pytest.MonkeyPatch, *names: str) -> Iterator[None]:
    """Pipes in place of these streams, which nobody reads."""
    with monkeypatch.context() as patched:
        made = []
        for name in names:
            reader, writer = os.pipe()
            os.close(reader)
            made.append(os.fdopen(writer, "w"))
            patched.setattr(sys, name, made[-1])
        yield
        for stream in made:
            stream.close()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("tasks", "--json"), 0),
        (("tasks", "--csv"), 0),
        (("providers",), 0),
        (("show", "99", "--json"), 2),
        (("generate", "--duration", "long", "--json"), 2),
        ((), 2),
    ],
)
def test_a_reader_that_has_gone_does_not_change_how_a_command_ends(
    lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int
) -> None:
    with unread(monkeypatch, "stdout"):
        assert cli.main(words) == code


def test_the_help_needs_no_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    with unread(monkeypatch, "stdout"), pytest.raises(SystemExit) as ended:
        cli.main(["generate", "--help"])
    assert ended.value.code == 0


def test_an_order_that_nobody_watches_is_saved(
    lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with unread(monkeypatch, "stdout", "stderr"):
        assert cli.main([*FOX, "-o", str(tmp_path / "a.mp4")]) == 0
    assert (tmp_path / "a.mp4").read_bytes() == lumenfall.clip


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_under_the_log_stops_no_order(
    lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patched, open("/dev/full", "w") as full:
        patched.setattr(sys, "stderr", full)
        assert cli.main([*FOX, "-o", str(tmp_path / "a.mp4")]) == 0
    assert (tmp_path / "a.mp4").read_bytes() == lumenfall.clip
