"""Where videos go and are found: `-o`, folders that move, files that others have now."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import clips
import fakes
import pytest
from command_line import Command, Ran

pytestmark = pytest.mark.slow

ALPHA, BETA = "alpha", "beta"


@pytest.fixture
def films(
    lumenfall: fakes.Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, bytes]:
    """The clip of each prompt, which the fake gives."""
    made = {}
    for number, prompt in enumerate((ALPHA, BETA)):
        path = clips.write(tmp_path / f"{prompt}.source.mp4", frames=12 + number)
        made[prompt] = path.read_bytes()
        path.unlink()
    handle = type(lumenfall).handle

    def answer(self: Any, request: fakes.Request) -> fakes.Answer:
        if request.path.startswith("/films/"):
            return fakes.ranged(request, made[request.path[7:]], "video/mp4")
        given = handle(self, request)
        if isinstance(given.json, dict) and "output" in given.json:
            given.json["output"]["url"] = f"{self.url}/films/{given.json['prompt']}"
        return given

    monkeypatch.setattr(type(lumenfall), "handle", answer)
    return made


def order(prompt: str, *words: object) -> tuple[object, ...]:
    return ("generate", "--provider", "lumenfall", "--prompt", prompt, "--json", *words)


def refused(ran: Ran, *parts: str) -> None:
    error = ran.json["error"]
    assert (ran.code, error["kind"]) == (2, "BadOrder")
    for part in parts:
        assert part in f"{error['message']} {error['hint']}"


# -------------------------------------------------------------------------- never another's video


def test_a_file_that_another_order_has_now_is_not_delivered(
    command: Command, lumenfall: fakes.Fake, films: dict[str, bytes], tmp_path: Path
) -> None:
    a, b, c = (tmp_path / f"{name}.mp4" for name in "abc")
    assert command(*order(ALPHA, "-o", a)).code == 0
    assert command(*order(BETA, "-o", a, "--overwrite")).code == 0
    ran = command(*order(ALPHA, "-o", b))
    assert (ran.code, ran.json["file"]) == (0, str(b))
    assert b.read_bytes() == films[ALPHA]
    assert json.loads((tmp_path / "b.seedance.json").read_text())["task"] == ran.json["task"]
    assert a.read_bytes() == films[BETA]

    a.write_bytes(films[BETA])
    b.write_text("ten bytes!")
    ran = command("collect", ran.json["task"], "-o", c, "--json")
    assert (ran.code, c.read_bytes()) == (0, films[ALPHA])
    assert b.read_text() == "ten bytes!"
    assert lumenfall.creates == 2


def test_a_changed_file_stays_and_the_video_is_fetched_beside_it(
    command: Command, lumenfall: fakes.Fake, films: dict[str, bytes], tmp_path: Path
) -> None:
    file = Path(command(*order(ALPHA)).json["file"])
    file.write_bytes(b"0123456789")
    again = command(*order(ALPHA))
    assert again.code == 0
    assert Path(again.json["file"]).read_bytes() == films[ALPHA]
    assert file.read_bytes() == b"0123456789"
    assert lumenfall.creates == 1


# ------------------------------------------------------------------------------------------- `-o`


def test_nothing_that_is_not_this_orders_is_replaced_without_overwrite(
    command: Command, lumenfall: fakes.Fake, films: dict[str, bytes], tmp_path: Path
) -> None:
    a = tmp_path / "a.mp4"
    command(*order(ALPHA, "-o", a))
    sent = len(lumenfall.requests)
    refused(command(*order(BETA, "-o", a)), str(a), "--overwrite")
    mine = tmp_path / "mine.mp4"
    mine.write_text("my holiday")
    mine.chmod(0o400)
    refused(command(*order(BETA, "-o", mine)), str(mine))
    refused(command("collect", "lumenfall:vid_0001", "-o", mine, "--json"), str(mine))
    (tmp_path / "still.last.png").write_text("my picture")
    refused(command(*order(BETA, "-o", tmp_path / "still.mp4")), "still.last.png")
    (tmp_path / "two-2.mp4").write_text("my other holiday")
    refused(command(*order(BETA, "--takes", "2", "-o", tmp_path / "two.mp4")), "two-2.mp4")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "nowhere.mp4")
    refused(command(*order(BETA, "-o", tmp_path / "link.mp4")), "link.mp4")
    assert (len(lumenfall.requests), lumenfall.creates) == (sent, 1)
    assert (a.read_bytes(), mine.read_text()) == (films[ALPHA], "my holiday")

    assert command(*order(ALPHA, "-o", a)).code == 0  # its own
    assert command(*order(BETA, "-o", mine, "--overwrite")).code == 0
    assert mine.read_bytes() == films[BETA]


def test_the_longest_name_that_is_taken_can_be_saved_as(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    file = tmp_path / f"{'ä' * 118}a.mp4"
    for _ in range(2):
        ran = command(*order(ALPHA), "-o", file)
        assert ran.code == 0, ran.err
        assert file.with_name(f"{file.stem}.seedance.json").exists()
        file.unlink()  # it is fetched once more
    assert lumenfall.creates == 1


@pytest.mark.parametrize(
    "name", ["a.webm", "a.gif", "a.mov", "a", "-", ".mp4", "none/a.mp4", "x" * 300 + ".mp4"]
)
def test_a_name_that_is_not_of_what_is_written_is_refused(
    command: Command,
    lumenfall: fakes.Fake,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (order(ALPHA, "-o", name), ("collect", "lumenfall:vid_1", "--json", "-o", name)):
        ran = command(*words)
        assert (ran.code, ran.json["error"]["kind"]) == (2, "BadOrder")
    assert lumenfall.requests == []
    assert command("check", *order(ALPHA, "-o", name)[1:]).code == 2


# ------------------------------------------------------------------------------- folders that move


@pytest.mark.skipif(os.name != "posix", reason="a file in place of a folder")
@pytest.mark.parametrize("how", ["collect", "collect -o", "generate", "generate -o", "forget"])
def test_a_paid_video_whose_folder_is_gone_goes_to_the_present_one(
    command: Command,
    lumenfall: fakes.Fake,
    films: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    monkeypatch.setenv("SEEDANCE_OUTPUT", str(old))
    monkeypatch.setenv("SEEDANCE_TIMEOUT", "0")
    lumenfall.polls_until_done = 10**6
    goal = ("-o", old / "x.mp4") if how.endswith("-o") else ()
    old.mkdir()
    assert command(*order(ALPHA, *goal)).code == 7
    lumenfall.polls_until_done = 0
    monkeypatch.delenv("SEEDANCE_TIMEOUT")
    shutil.rmtree(old)
    old.write_text("a file, in which no folder can be made")
    monkeypatch.setenv("SEEDANCE_OUTPUT", str(new))
    if how == "forget":
        command("forget", "lumenfall:vid_0001")
    given = ("-o", tmp_path / "given.mp4") if how.endswith("-o") else ()
    words = (
        order(ALPHA) if how.startswith("generate") else ("collect", "lumenfall:vid_0001", "--json")
    )
    ran = command(*words, *given)
    assert ran.code == 0, ran.err
    file = Path(ran.json["file"])
    assert file.read_bytes() == films[ALPHA]
    assert file == given[1] if given else file.parent == new
    assert lumenfall.creates == 1


@pytest.mark.parametrize("how", ["moved", "sorted", "sorted alone", "renamed"])
def test_saved_videos_are_found_where_they_went(
    command: Command,
    lumenfall: fakes.Fake,
    films: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    file = Path(command(*order(ALPHA)).json["file"])
    new = tmp_path / "new" / "place"
    if how == "moved":
        new.parent.mkdir()
        file.parent.rename(new)
        monkeypatch.setenv("SEEDANCE_OUTPUT", str(new))
        wanted = new / file.name
    else:
        wanted = file.parent / "best of" / ("hero.mp4" if how == "renamed" else file.name)
        wanted.parent.mkdir()
        for each in list(file.parent.glob(f"{file.stem}.*")):
            if how == "sorted" or each == file:
                each.rename(wanted.with_name(wanted.name if each == file else each.name))
    lumenfall.tasks.clear()  # the provider has forgotten it
    sent = len(lumenfall.requests)
    for words in (order(ALPHA), ("collect", "lumenfall:vid_0001", "--json")):
        ran = command(*words)
        assert (ran.code, ran.json["file"]) == (0, str(wanted)), ran.err
    assert len(lumenfall.requests) == sent
    assert wanted.with_name(f"{wanted.stem}.last.png").is_file()
    (row,) = command("tasks", "--json").json
    assert row["file"] == str(wanted)


def test_in_comfyui_a_video_is_found_where_it_was_sorted_in_the_whole_output_folder(
    command: Command,
    lumenfall: fakes.Fake,
    films: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEEDANCE_OUTPUT", str(tmp_path / "output" / "seedance"))
    file = Path(command(*order(ALPHA)).json["file"])
    sorted_in = tmp_path / "output" / "film 3"
    sorted_in.mkdir()
    for each in file.parent.iterdir():
        each.rename(sorted_in / each.name)
    lumenfall.tasks.clear()  # the provider has forgotten it
    listed = command("tasks", "--json").json[0]
    assert Path(listed["file"]).read_bytes() == films[ALPHA]
    ran = command("collect", "1", "--json")
    assert ran.code == 0, ran.err
    assert Path(ran.json["file"]).read_bytes() == films[ALPHA]
    assert len(lumenfall.sent("POST", "/videos")) == 1


def test_a_changed_output_folder_gets_the_video(
    command: Command,
    lumenfall: fakes.Fake,
    films: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command(*order(ALPHA))
    monkeypatch.setenv("SEEDANCE_OUTPUT", str(tmp_path / "new"))
    for _ in range(2):
        ran = command(*order(ALPHA))
        assert Path(ran.json["file"]).parent == tmp_path / "new"
    assert [path.suffix for path in sorted((tmp_path / "new").iterdir())] == [
        ".png",
        ".mp4",
        ".json",
    ]


def test_a_video_that_is_nowhere_says_where_it_was_and_costs_nothing(
    command: Command,
    lumenfall: fakes.Fake,
    films: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = Path(command(*order(ALPHA)).json["file"])
    file.unlink()
    lumenfall.tasks.clear()
    monkeypatch.setattr("seedance.runner.poll.UNKNOWN_SECONDS", 0.0)
    ran = command(*order(ALPHA))
    assert ran.code in (4, 7)
    said = ran.json["error"]
    assert str(file) in said["message"] + said["hint"]
    assert said["spent"] == "yes"


def test_lists_name_no_file_of_another_order(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    """The fake's clips are all the same, and so of one size."""
    (tmp_path / "output").mkdir(exist_ok=True)
    mine, others = tmp_path / "output" / "mine.mp4", tmp_path / "output" / "others.mp4"
    command(*order(ALPHA, "-o", mine))
    command(*order(BETA, "-o", others))
    ticket = json.loads(mine.with_name("mine.seedance.json").read_text())["task"]

    def shown() -> tuple[str | None, str | None, bool]:
        files = {row["task"]: row["file"] for row in command("tasks", "--json").json}
        assert str(files[ticket] or "") in command("tasks", "--csv").out
        there = "the video is there" in command("show", ticket).out
        return files[ticket], command("show", ticket, "--json").json["file"], there

    assert shown() == (str(mine), str(mine), True)
    for old in (mine, mine.with_name("mine.seedance.json"), mine.with_name("mine.last.png")):
        old.unlink()
    assert shown() == (str(mine), str(mine), False)  # where it was saved
    os.replace(others, mine)
    os.replace(others.with_name("others.seedance.json"), mine.with_name("mine.seedance.json"))
    assert shown() == (None, None, False)
    moved = json.loads(mine.with_name("mine.seedance.json").read_text())["task"]
    assert command("show", moved, "--json").json["file"] == str(mine)
