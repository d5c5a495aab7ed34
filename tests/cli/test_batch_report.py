"""`batch --report`: what it does not replace, and what is said where it cannot be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fakes
import pytest
from command_line import Command, Ran

from seedance.runner.batches import film, report

HEADER = "shot,take,state,file,cost,seed,error,currency,provider,task,project"


@pytest.fixture
def batch(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command for a list of one shot at Lumenfall, in its folder."""
    monkeypatch.chdir(tmp_path)
    Path("one.csv").write_text("name,prompt,provider\na,A fox,lumenfall\n")

    def run(*words: object) -> Ran:
        return command("batch", "one.csv", "--yes", *words)

    return run


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("one.csv", None, "is the list or the film"),
        ("./one.csv", None, "is the list or the film"),
        ("other.csv", "name,prompt\nb,A boat\n", "is no report of a batch"),
        ("notes.csv", f"{HEADER},notes\r\n", "is no report of a batch"),
        ("shots.json", '[{"prompt": "A boat"}]', "is no report of a batch"),
        ("bad.json", "[" * 100_000, "is no report of a batch"),
        ("picture.jpg", "\0\0", "is no report of a batch"),
        ("out/a.mp4", None, "is the name of a video"),
        ("out/a.seedance.json", None, "is the name of a video"),
        ("out", None, "is a folder"),
        ("nowhere/report.csv", None, "There is no folder"),
    ],
)
def test_a_report_replaces_nothing_but_a_report(
    batch: Any, lumenfall: fakes.Fake, name: str, text: str | None, message: str
) -> None:
    Path("out").mkdir()
    if text is not None:
        Path(name).write_text(text)
    before = {each: each.read_bytes() for each in Path().rglob("*") if each.is_file()}
    ran = batch("--report", name, "--out", "out", "--json")
    assert (ran.code, ran.json["error"]["spent"]) == (2, "no"), ran.err
    assert message in ran.err and lumenfall.requests == []
    assert all(each.read_bytes() == data for each, data in before.items())


def test_a_report_is_not_the_film(batch: Any, lumenfall: fakes.Fake) -> None:
    ran = batch("--report", "film.mp4", "--join", "film.mp4")
    assert ran.code == 2 and "is the list or the film" in ran.err
    assert lumenfall.requests == []


@pytest.mark.parametrize("name", ["report.csv", "report.json"])
def test_a_report_replaces_an_earlier_one(batch: Any, lumenfall: fakes.Fake, name: str) -> None:
    Path(name).touch()  # an empty file holds nothing to lose
    for _ in range(2):
        assert batch("--report", name).code == 0
        assert "saved" in Path(name).read_text()
    assert lumenfall.creates == 1


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_sent(
    batch: Any, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **options: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(report.tempfile, "TemporaryFile", refuse)
    ran = batch("--report", "report.csv")
    assert ran.code == 2 and "report.csv cannot be written: Permission denied" in ran.err
    assert "Nothing was spent." in ran.err and lumenfall.requests == []


@pytest.mark.parametrize("which", ["report", "film"])
def test_what_cannot_be_written_after_paying_says_so_and_the_files_are_named(
    batch: Any, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    module = report if which == "report" else film
    words = ("--report", "report.csv") if which == "report" else ("--join", "film.mp4")
    with monkeypatch.context() as patched:
        patched.setattr(module, "write_atomically", full)
        ran = batch("--out", "out", *words)
        assert ran.code == 2 and f"The {which} " in ran.err
        assert "No space left on device" in ran.err
        assert "It was paid for." in ran.err and "Nothing was spent" not in ran.err
        assert ran.out.split() == [str(Path("out/a.mp4").absolute())]
        again = batch("--out", "out", *words, "--json")
    assert (again.code, again.json["error"]["spent"]) == (2, "no")
    assert len(again.json["shots"]) == 1 and lumenfall.creates == 1


def test_a_file_that_appears_while_takes_are_made_is_not_replaced(
    batch: Any, lumenfall: fakes.Fake
) -> None:
    def appear(request: Any) -> bool:
        Path("report.csv").write_text("my own")
        return False

    lumenfall.fault(appear, "status:500")
    ran = batch("--report", "report.csv")
    assert ran.code == 2 and "It was paid for." in ran.err
    assert Path("report.csv").read_text() == "my own"


def states(ran: Ran) -> dict[str, str]:
    return {each["shot"]: each["state"] for each in ran.json["shots"]}


def test_what_is_still_running_has_not_failed(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is paid, and whoever reads that it failed may order it anew. What follows it is not."""
    path = tmp_path / "shots.csv"
    path.write_text("name,prompt,after\na,A fox,\nb,A boat,\nc,It stops,a\n")
    words = ("batch", path, "--provider", "lumenfall", "--yes", "--json")
    lumenfall.polls_until_done = 10**6
    monkeypatch.setenv("SEEDANCE_TIMEOUT", "0")
    ran = command(*words)
    assert ran.code == 7 and "failed" not in ran.err
    assert "2 of 3 takes are still running, and 1 more waits. The same command goes" in ran.err
    assert states(ran) == {"a": "running", "b": "running", "c": "waiting"}
    assert "a, which is not there yet" in ran.json["shots"][2]["error"]
    lumenfall.polls_until_done = 0
    monkeypatch.delenv("SEEDANCE_TIMEOUT")
    assert command(*words).code == 0
    assert lumenfall.creates == 3


def test_what_follows_an_unclear_shot_is_not_paid(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    path = tmp_path / "shots.csv"
    path.write_text("name,prompt,after\na,A fox,\nb,It stops,a\n")
    lumenfall.fault(lambda request: b"fox" in request.body, "status:500")
    ran = command("batch", path, "--provider", "lumenfall", "--yes", "--json")
    assert ran.code == 5 and "2 of 2 takes failed. 1 may be paid." in ran.err
    assert states(ran) == {"a": "unclear", "b": "waiting"}
