"""Orders from flags, and the words that are printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fakes
import pytest
from command_line import FOX, Command

from seedance.cli.arguments import parser
from seedance.cli.orders import order_of
from seedance.cli.show import clean, money
from seedance.errors import BadOrder
from seedance.money import Money

pytestmark = pytest.mark.slow


# ------------------------------------------------------------------------------ orders from flags


def order(*words: str) -> Any:
    return order_of(parser().parse_args(["generate", *words]))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files to name on the command line, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.JPG", "c.mp4", "d.wav", "e"):
        Path(name).write_bytes(b"something")


@pytest.mark.parametrize(
    ("words", "mode", "ratio"),
    [
        ([], "text", "16:9"),
        (["--image", "a.png"], "image", "adaptive"),
        (["--image", "a.png", "--last-image", "b.JPG"], "frames", "adaptive"),
        (["--reference", "a.png"], "reference", "adaptive"),
        (["--video", "c.mp4"], "edit", "adaptive"),
        (["--video", "c.mp4", "--operation", "extend", "--ratio", "1:1"], "extend", "1:1"),
    ],
)
@pytest.mark.usefixtures("files")
def test_the_mode_follows_from_what_is_given(words: list[str], mode: str, ratio: str) -> None:
    made = order(*words)
    assert (made.mode, made.ratio) == (mode, ratio)


@pytest.mark.usefixtures("files")
def test_references_keep_their_order_and_find_their_kind() -> None:
    words = ["c.mp4", "b.JPG", "d.wav", "image:e", "https://x.example/y.webp?sig=z.mp4"]
    words += ["video:leonardo:GENERATED:1-2", "Image: https://x.example/z"]
    made = order(*(part for word in words for part in ("--reference", word)))
    kinds = [medium.kind for medium in made.references]
    assert kinds == ["video", "image", "audio", "image", "image", "video", "image"]
    assert made.references[5].address == "leonardo:GENERATED:1-2"
    assert made.references[6].address == "https://x.example/z"


def test_extra_is_an_object_by_provider() -> None:
    assert order("--extra", '{"leonardo": {"public": true}}').extra == {
        "leonardo": {"public": True}
    }


def test_flags_are_not_abbreviated() -> None:
    with pytest.raises(BadOrder, match="Unrecognized arguments: --prom"):
        order("--prom", "x")


# ----------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (None, "unknown"),
        (Money(0, "USD"), "free"),
        (Money(1.5, "USD"), "1.50 USD"),
        (Money(0.0125, "USD", estimated=True), "0.0125 USD (estimated)"),
        (Money(40, "credits"), "40.00 credits"),
    ],
)
def test_amounts_are_readable(amount: Money | None, words: str) -> None:
    assert money(amount) == words


def test_text_from_elsewhere_cannot_steer_the_terminal() -> None:
    assert clean("a\x1b[2Jb\r\x07ü 画") == "a [2Jb  ü 画"


@pytest.mark.parametrize("flag", ["--image", "--last-image", "--video", "--reference", "-o"])
def test_a_medium_that_is_named_by_nothing_is_not_left_out(
    command: Command, lumenfall: fakes.Fake, flag: str
) -> None:
    ran = command(*FOX, flag, "", "--json")
    assert (ran.code, ran.json["error"]["spent"]) == (2, "no")
    assert flag in ran.json["error"]["message"]
    assert lumenfall.requests == []


def test_a_prompt_that_is_given_twice_is_refused(command: Command, lumenfall: fakes.Fake) -> None:
    ran = command(*FOX, "--prompt", "a hare", "--json")
    assert ran.code == 2
    assert "given twice" in ran.json["error"]["message"]
    assert lumenfall.requests == []


@pytest.mark.parametrize("flag", ["--image", "--last-image", "--video", "-o"])
def test_a_medium_that_is_given_twice_is_refused(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path, flag: str
) -> None:
    ran = command(*FOX, flag, tmp_path / "one.mp4", flag, tmp_path / "two.mp4", "--json")
    assert ran.code == 2
    assert "given twice" in ran.json["error"]["message"]
    assert lumenfall.requests == []


def test_spaces_at_the_ends_of_a_prompt_make_no_other_order(
    command: Command, lumenfall: fakes.Fake
) -> None:
    for prompt in ("a fox", " a fox", "a fox\n", "\ta fox  "):
        assert command(*FOX[:-1], prompt).code == 0
    assert lumenfall.creates == 1
