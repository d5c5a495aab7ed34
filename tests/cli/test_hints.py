"""What is said next fits what was typed: variables, folders and options that are there."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Command

from seedance.settings import Settings

PREVIEW = (
    *("generate", "--provider", "preview", "--resolution", "480p", "--duration", "4"),
    *("--ratio", "1:1", "--prompt", "x"),
)


def test_doctor_names_each_variable_that_is_wrong(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {
        "SEEDANCE_TIMEOUT": "soon",
        "SEEDANCE_POLL_INTERVAL": "often",
        "SEEDANCE_MAX_USD": "much",
        "SEEDANCE_BUDGET_DAY": "lots",
        "SEEDANCE_UNKNOWN_PRICE": "xx",
        "SEEDANCE_BUDGET_PROJECTS": '{"trailer": "all"}',
        "SEEDANCE_LUMENFALL_BASE_URL": "nowhere",
        "SEEDANCE_FAL_MODELS": "{",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    ran = command("doctor", "--json")
    assert ran.code == 1
    bad = {each["topic"]: each["found"] for each in ran.json if not each["ok"]}
    assert set(bad) == set(wrong)
    assert "like SEEDANCE_BUDGET_DAY=20" in bad["SEEDANCE_BUDGET_DAY"]
    assert "like SEEDANCE_UNKNOWN_PRICE=20" in bad["SEEDANCE_UNKNOWN_PRICE"]
    assert '{"trailer": 200}' in bad["SEEDANCE_BUDGET_PROJECTS"]


def test_rebuild_names_the_folder_that_it_searched(command: Command) -> None:
    said = command("doctor", "--rebuild").err
    assert f"below {Settings.load().output}." in said
    assert "SEEDANCE_OUTPUT=FOLDER seedance doctor --rebuild" in said


def test_without_costs_there_is_no_table_of_them(command: Command) -> None:
    assert command(*PREVIEW).code == 0
    for words in (("tasks", "--costs"), ("tasks", "--costs", "--by", "day")):
        ran = command(*words)
        assert (ran.out, "Nothing was spent yet." in ran.err) == ("", True)


def test_auto_says_why_the_only_key_is_not_used(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Settings.load().set_key("lumenfall", "sk-0123456789")
    monkeypatch.setenv("SEEDANCE_LUMENFALL_BASE_URL", "https://other.example")
    ran = command("generate", "--prompt", "x", "--resolution", "720p")
    assert ran.code == 3
    assert "The stored key of Lumenfall belongs to" in ran.err
    assert "There is no key for any provider" not in ran.err


def test_a_hint_names_only_options_of_its_command(command: Command) -> None:
    madeup = command("key", "set", "lumenfall", "madeup").err
    assert "--prompt" not in madeup
    assert "See: seedance key set --help" in madeup
    flag = command("finish", "preview:x", "--on-unsupported", "nearest").err
    assert "Did you mean" not in flag
    assert "Did you mean --prompt?" in command("generate", "--promt", "x").err
    assert (
        'quotes: --prompt "... red fox"' in command("generate", "--prompt", "a", "red", "fox").err
    )
    final = command("finish", "preview:x", "--resolution", "720p").err
    assert "use 1080p or 4k, not '720p'" in final
    for action in ("set", "remove", "test"):
        said = command("key", action, "lumenfal").err
        assert "Did you mean lumenfall?" in said
        assert "auto" not in said
        assert "Preview (offline, free) needs no key." in command("key", action, "preview").err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--duration", "4.5"), "use whole seconds, 4 to 15 with most models, to 30"),
        (("--duration", ""), "use whole seconds"),
        (("--seed", "1.5"), "use a whole number from 0 to 4294967295, not '1.5'"),
        (("--image", "file:///home/a.png"), "'file:///home/a.png' is no address"),
        (("-o", f"{'a' * 300}.mp4"), "Give a shorter name. At most 241 bytes"),
        (("-o", f"{'a' * 238}.mp4"), "Give a shorter name. At most 241 bytes"),
        (("-o", f"{'ä' * 119}.mp4"), "Give a shorter name. At most 241 bytes"),
    ],
)
def test_what_would_work_is_said(command: Command, words: tuple[str, ...], said: str) -> None:
    ran = command(*PREVIEW, *words)
    assert (ran.code, said in ran.err) == (2, True), ran.err


def test_a_sound_as_a_picture_is_told_the_option(command: Command, tmp_path: Path) -> None:
    sound = tmp_path / "a.png"
    sound.write_bytes(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" + bytes(40))
    assert "Give it with --reference." in command(*PREVIEW, "--image", sound).err


def test_a_picture_that_may_not_be_read_is_not_called_broken(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    Image.new("RGB", (400, 400)).save(tmp_path / "a.png")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refused)
    said = command(*PREVIEW, "--image", tmp_path / "a.png").err
    assert "cannot be read: Permission denied" in said
    assert "viewer" not in said


def test_check_in_a_pipe_tells_all(command: Command, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (3000, 1000)).save(tmp_path / "a.png")
    ran = command("check", "--prompt", "x", "--image", tmp_path / "a.png", "--ratio", "1:1")
    assert "…" not in ran.out
    (byteplus,) = (line for line in ran.out.splitlines() if line.startswith("byteplus"))
    assert "is cut off to fit the ratio" in byteplus


def test_a_saved_video_is_said_to_be_where_it_is(command: Command, tmp_path: Path) -> None:
    assert command(*PREVIEW, "-o", tmp_path / "a.mp4").code == 0
    assert "saved (the video is there)" in command("show", "1").out
    (tmp_path / "a.mp4").unlink()
    assert "saved (the video was saved, and is not there any more)" in command("show", "1").out


def test_the_price_of_an_unknown_draft_says_its_length(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seedance.runner.finish import prepare_final

    monkeypatch.setenv("BYTEPLUS_API_KEY", "sk-0123456789")
    notes = prepare_final("byteplus:cgt-123", None, "1080p", Settings.load()).notes
    assert "its price is that of 5 s" in notes[-1]
