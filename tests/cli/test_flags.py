"""Orders from flags, and the words that are printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
