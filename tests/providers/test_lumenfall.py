"""What Lumenfall's limits and price list say, beyond its recorded exchanges."""

from __future__ import annotations

import pytest

from seedance.errors import BadOrder
from seedance.fit import fit
from seedance.money import Money
from seedance.order import Medium, Order
from seedance.providers.lumenfall import Lumenfall
from seedance.wire import Config

PICTURE = Medium.from_address("image", "https://media.example/a.png")
CLIP = Medium.from_address("video", "https://media.example/a.mp4")
SOUND = Medium.from_address("audio", "https://media.example/a.mp3")


def price(order: Order) -> Money | None:
    return Lumenfall(Config("https://api.lumenfall.ai/v1")).estimate(order)


def test_720p_is_its_only_tier() -> None:
    assert not fit(Order(prompt="a cat"), Lumenfall).changes
    with pytest.raises(BadOrder, match="720p"):
        fit(Order(prompt="a cat", resolution="1080p"), Lumenfall)


def test_a_last_frame_is_not_offered() -> None:
    with pytest.raises(BadOrder, match="first and last frame"):
        fit(Order(prompt="a cat", first_frame=PICTURE, last_frame=PICTURE), Lumenfall)


def test_a_sound_needs_no_company() -> None:
    assert not fit(Order(prompt="a cat", references=(SOUND,)), Lumenfall).changes


def test_who_hears_sounds_is_said() -> None:
    fitted = fit(Order(prompt="a cat", references=(SOUND,)), Lumenfall)
    assert any("only where Lumenfall sends the order on to fal" in note for note in fitted.notes)
    assert not fit(Order(prompt="a cat", references=(PICTURE,)), Lumenfall).notes


def test_a_clip_to_edit_may_have_pictures() -> None:
    order = Order(prompt="a cat", video=CLIP, references=(PICTURE,) * 9, keep_audio=True)
    assert not fit(order, Lumenfall).changes


def test_a_reference_clip_is_not_offered() -> None:
    with pytest.raises(BadOrder, match="clips"):
        fit(Order(prompt="a cat", references=(CLIP,)), Lumenfall)


@pytest.mark.parametrize(
    ("order", "amount"),
    [
        (Order(prompt="a cat", duration=4), 1.212),
        (Order(prompt="a cat", duration=15, first_frame=PICTURE), 4.53),
        (Order(prompt="a cat", duration=10, references=(PICTURE, PICTURE)), 3.02),
        (Order(prompt="a cat", duration=10, video=CLIP), 1.81),
    ],
    ids=["text", "first frame", "references", "edit"],
)
def test_the_price_follows_the_length_and_the_input(order: Order, amount: float) -> None:
    assert price(order) == Money(amount, "USD", estimated=True, as_of="2026-11-20")
