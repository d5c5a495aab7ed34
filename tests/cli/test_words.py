"""What errors say: what happened, in words that name the thing, and what to do next."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import fakes
import pytest
from command_line import FOX, Command

pytestmark = pytest.mark.slow

PREVIEW = ("generate", "--provider", "preview", "--prompt", "x")


# ------------------------------------------------------------------------------ before it is sent


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--extra", '{"lumenfal": {"user": "x"}}'), ["'lumenfal'", "Did you mean lumenfall?"]),
        (("--extra", '{"Preview": {}, "preview": {}}'), ["'Preview'", "Did you mean preview?"]),
        (("--image", "."), ["is a folder", "Give the path of a file"]),
        (("--image", "x" * 300 + ".png"), ["cannot be read: File name too long"]),
        (("--seed", "-5"), ["-5 is out of range", "Use 0 to 4294967295", "modulo 2^32"]),
        (("--seed", "9" * 30), ["is out of range", "Use 0 to 4294967295"]),
    ],
)
def test_what_is_wrong_is_named(
    command: Command, lumenfall: fakes.Fake, words: tuple[str, ...], says: list[str]
) -> None:
    for line in ((*FOX, *words), ("check", *PREVIEW[1:], *words)):
        ran = command(*line)
        assert ran.code == 2
        for part in says:
            assert part in ran.err
        assert "no file .." not in ran.err
    assert lumenfall.requests == []


def test_a_seed_of_64_bits_is_taken_in_the_same_words(command: Command) -> None:
    said = command("check", "--provider", "preview", "--prompt", "x", "--seed", str(2**64 - 1)).out
    assert "is out of range (0 to 4294967295); it is taken modulo 2^32: 4294967295." in said


def test_one_picture_is_no_pictures(command: Command, tmp_path: Path) -> None:
    from PIL import Image

    file = tmp_path / "a.png"
    Image.new("RGB", (512, 512)).save(file)
    ran = command(*PREVIEW[:-1], "@Image2", "--reference", file)
    assert "the order has 1 picture." in ran.err
    assert "the order has no clips." in command(*PREVIEW[:-1], "@Video1", "--reference", file).err


def test_check_of_one_provider_lists_that_one_as_json(command: Command) -> None:
    quotes = command("check", "--provider", "preview", "--prompt", "x", "--json").json
    assert [quote["provider"] for quote in quotes] == ["preview"]


def test_a_home_that_is_a_file_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEEDANCE_HOME", str(tmp_path / "file"))
    for words in (("tasks",), PREVIEW, ("key", "list"), ("key", "remove", "fal")):
        ran = command(*words)
        assert (ran.code, "SEEDANCE_HOME" in ran.err) == (2, True)
        assert "Mend or delete" not in ran.err
    assert "BAD home" in command("doctor").out


@pytest.mark.parametrize("name", ["BASE_URL", "UPLOAD_URL"])
@pytest.mark.parametrize("address", ["gateway.example", "http://gateway.example"])
def test_an_address_that_cannot_be_used_names_its_variable(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str, address: str
) -> None:
    monkeypatch.setenv("FAL_KEY", "sk-0123456789")
    monkeypatch.setenv(f"SEEDANCE_FAL_{name}", address)
    ran = command("generate", "--provider", "fal", "--prompt", "x")
    assert (ran.code, f"SEEDANCE_FAL_{name}" in ran.err) == (2, True)


def test_a_draft_that_is_not_here_is_no_matter_of_http(command: Command) -> None:
    ran = command("finish", "preview:nope")
    assert (ran.code, "no draft preview:nope" in ran.err, "404" in ran.err) == (4, True, False)
    assert "seedance tasks" in ran.err


# -------------------------------------------------------------------------------- what it answers


def test_broken_json_is_called_broken(command: Command, lumenfall: fakes.Fake) -> None:
    says = {
        "JSON that is broken": fakes.Answer(200, body=b"{", headers={"content-type": fakes.JSON}),
        "nothing where JSON": fakes.Answer(200, body=b" "),
        "text/html where JSON": fakes.Answer(200, body=b"x", headers={"content-type": "text/html"}),
    }
    for seed, (words, answer) in enumerate(says.items()):
        lumenfall.fault(lambda request: request.method == "POST", answer)
        ran = command(*FOX, "--seed", str(seed))
        assert (ran.code, words in ran.err) == (5, True), ran.err


def test_without_credit_the_next_step_is_said(command: Command, lumenfall: fakes.Fake) -> None:
    lumenfall.fault(lambda request: request.method == "POST", "status:402")
    ran = command(*FOX)
    assert (ran.code, "Add credit" in ran.err, "send the order again" in ran.err) == (4, True, True)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            {"code": "INTERNAL", "message": "content policy"},
            "The task failed: content policy (INTERNAL).",
        ),
        (
            {"code": "CONTENT_POLICY_VIOLATION", "message": "the prompt is bad"},
            "The task failed, the prompt was refused: the prompt is bad (CONTENT_POLICY_",
        ),
    ],
)
def test_a_failed_task_says_what_to_do(
    command: Command, lumenfall: fakes.Fake, error: dict[str, str], says: str
) -> None:
    lumenfall.fail_with = error
    ran = command(*FOX)
    assert says in ran.err
    assert "hange" in ran.err
    assert "then send it again: that is a new order" in ran.err
    assert "service failed" not in ran.err


def test_nothing_spent_is_said_once(command: Command, lumenfall: fakes.Fake) -> None:
    lumenfall.fail_with = {"code": "CONTENT_POLICY_VIOLATION", "message": "no"}
    lumenfall.fault(
        lambda request: request.method == "POST",
        fakes.Answer(400, json={"error": {"code": "CONTENT_POLICY_VIOLATION", "message": "no"}}),
    )
    said = command(*FOX).err
    assert said.lower().count("nothing was") == 1


@pytest.mark.parametrize("sent", [b"{}", b"<html></html>", b"\x89PNG\r\n\x1a\n" + b"x" * 99])
def test_what_is_no_video_is_not_named_by_its_part(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path, sent: bytes
) -> None:
    lumenfall._clip = sent
    ran = command(*FOX, "-o", tmp_path / "a.mp4")
    assert ran.code == 7
    assert "what Lumenfall sent is not a readable video" in ran.err
    for words in (".part", "make or fetch it again", "Give it as"):
        assert words not in ran.err
    assert "seedance collect lumenfall:vid_0001" in ran.err


def test_progress_of_a_small_file_is_no_0_of_0(command: Command, lumenfall: fakes.Fake) -> None:
    assert "downloading 0.1 of 0.1 MB" in command(*FOX).err
    assert json.dumps(command("tasks", "--json").json[0]["state"]) == '"saved"'


def test_preview_says_where_an_order_would_not_fit(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.setenv("SEEDANCE_TIMEOUT", "0")
    small = tmp_path / "small.png"
    Image.new("RGB", (20, 20)).save(small)
    long = (*PREVIEW[:-1], "x" * 20_000)
    assert "fits none of" not in command(*long).err, "some take it"
    monkeypatch.setenv("AIHUBMAX_API_KEY", "sk-0123456789")
    said = command(*long, "--seed", "1").err
    assert "As it is, the order fits none of: aihubmax. Why not, tells seedance check" in said
    monkeypatch.setenv("BYTEPLUS_API_KEY", "sk-0123456789")
    assert "fits none of" not in command(*long, "--seed", "2").err, "one of the two takes it"
    for name in ("AIHUBMAX_API_KEY", "BYTEPLUS_API_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("EVOLINK_API_KEY", "sk-0123456789")
    assert "none of: evolink." in command(*PREVIEW, "--image", small).err
    assert "fits none of" not in command(*PREVIEW).err


def test_a_current_folder_that_is_gone_is_said(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "The current folder is gone." in command(*PREVIEW, "-o", "x.mp4").err
    monkeypatch.delenv("SEEDANCE_OUTPUT")
    for words in (("tasks",), PREVIEW, (*PREVIEW, "-o", "x.mp4")):
        ran = command(*words)
        assert (ran.code, "The current folder is gone." in ran.err) == (2, True), ran.err
        assert "Traceback" not in ran.err


def test_a_value_that_begins_with_a_dash_gets_a_hint(command: Command) -> None:
    assert "write it so: --prompt=-..." in command(*PREVIEW[:-1], "-x").err
    assert "write it so: --output=-..." in command(*PREVIEW, "-o", "-x.mp4").err


def test_keys_are_stored_and_removed_with_json(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("sk-0123456789\n"))
    stored = command("key", "set", "fal", "--json")
    assert stored.json == {"provider": "fal", "key": "file"}
    assert "sk-" not in stored.out + stored.err
    for removed in (True, False):
        ran = command("key", "remove", "fal", "--json")
        assert ran.json == {"provider": "fal", "removed": removed}


def test_check_fits_80_columns(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    lines = command(
        "check", "--prompt", "x", "--duration", "30", "--ratio", "9:21"
    ).out.splitlines()
    assert max(map(len, lines)) < 80
    assert lines[0].split()[:3] == ["provider", "price", "key"]
