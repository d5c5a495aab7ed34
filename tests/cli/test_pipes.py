"""Readers that go before a command has ended (`| head`), and disks that are full."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fakes
import pytest
from command_line import FOX

import seedance
from seedance import cli

pytestmark = pytest.mark.slow

ROOT = Path(seedance.__file__).parents[1]


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


needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")


@needs_full
def test_a_full_disk_under_the_log_stops_no_order(
    lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patched, open("/dev/full", "w") as full:
        patched.setattr(sys, "stderr", full)
        assert cli.main([*FOX, "-o", str(tmp_path / "a.mp4")]) == 0
    assert (tmp_path / "a.mp4").read_bytes() == lumenfall.clip


FULL = "The result cannot be written to standard output: No space left on device."


@needs_full
@pytest.mark.parametrize("how", [(), ("--json",)])
def test_an_order_whose_result_finds_a_full_disk_is_saved_and_named(
    lumenfall: fakes.Fake,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    how: tuple[str, ...],
) -> None:
    with monkeypatch.context() as patched, open("/dev/full", "w") as full:
        patched.setattr(sys, "stdout", full)
        assert cli.main([*FOX, *how, "-o", str(tmp_path / "a.mp4")]) == cli.NOT_PRINTED
    assert (tmp_path / "a.mp4").read_bytes() == lumenfall.clip
    said = capsys.readouterr().err
    assert f"Saved: {tmp_path / 'a.mp4'}\n" in said
    assert said.endswith(f"seedance: {FULL} All else was done.\n")
    assert "Traceback" not in said and "billed" not in said


@needs_full
def test_a_list_whose_result_finds_a_full_disk_names_its_videos(
    lumenfall: fakes.Fake,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    shots = tmp_path / "shots.txt"
    shots.write_text("a fox\n")
    words = ("batch", shots, "--provider", "lumenfall", "--yes", "--out", tmp_path / "out")
    with monkeypatch.context() as patched, open("/dev/full", "w") as full:
        patched.setattr(sys, "stdout", full)
        assert cli.main([str(word) for word in words]) == cli.NOT_PRINTED
    said = capsys.readouterr().err
    (video,) = (tmp_path / "out").glob("*.mp4")
    assert f"Saved: {video}\n" in said and FULL in said and "Traceback" not in said


@needs_full
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("tasks", "--json"), cli.NOT_PRINTED),
        (("tasks", "--csv"), cli.NOT_PRINTED),
        (("doctor",), cli.NOT_PRINTED),
        (("show", "99", "--json"), 2),
        (("generate", "--duration", "long", "--json"), 2),
    ],
)
def test_a_full_disk_under_the_result_is_told_and_hides_no_failure(
    lumenfall: fakes.Fake,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
) -> None:
    with monkeypatch.context() as patched, open("/dev/full", "w") as full:
        patched.setattr(sys, "stdout", full)
        assert cli.main(words) == code
    said = capsys.readouterr().err
    assert FULL in said and "Traceback" not in said
    assert ("All else was done." in said) == (code == cli.NOT_PRINTED)


@needs_full
def test_help_that_finds_a_full_disk_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched, open("/dev/full", "w") as full:
        patched.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            cli.main(["generate", "--help"])
    assert ended.value.code == cli.NOT_PRINTED


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")
@pytest.mark.parametrize(
    ("closed", "how"), [(">&-", ""), (">&-", "--json"), ("2>&-", ""), ("<&- >&- 2>&-", "")]
)
def test_a_stream_that_is_closed_loses_words_and_not_the_order(
    lumenfall: fakes.Fake, tmp_path: Path, closed: str, how: str
) -> None:
    video = tmp_path / "a.mp4"
    words = f"{sys.executable} -m seedance {' '.join(FOX[:-1])} fox {how} -o {video} {closed}"
    child = subprocess.run(["sh", "-c", words], capture_output=True, text=True, cwd=ROOT)
    assert child.returncode == 0, child.stderr
    assert video.read_bytes() == lumenfall.clip
    assert "Traceback" not in child.stderr
    assert (str(video) in child.stdout) == (">&-" not in closed.split())


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
@pytest.mark.parametrize("words", [("tasks",), ("doctor",)])
def test_a_command_without_one_of_its_streams(
    lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch, name: str, words: tuple[str, ...]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, name, None)
        assert cli.main(words) == 0
        getattr(sys, name).close()
