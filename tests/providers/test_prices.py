"""The published prices of EvoLink, fal, Replicate and Ark, and what has none."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import clips
import pytest

from seedance.money import Money
from seedance.order import Medium, Order
from seedance.providers import get
from seedance.runner import quotes
from seedance.settings import Settings
from seedance.wire import Config

CLIP = Medium.from_address("video", "https://media.example/a.mp4")
NEWEST = "seedance-2.5"


def price(provider: str, clip_seconds: float | None = None, **asked: Any) -> Money | None:
    kind = get(provider)
    order = Order(prompt="a cat", provider=provider, **{"ratio": "16:9", **asked})
    money = kind(Config(kind.default_base_url or "")).estimate(order, clip_seconds)
    if money is not None:
        assert money.estimated and money.as_of and money.as_of.startswith("2026-")
    return money


def amount(provider: str, clip_seconds: float | None = None, **asked: Any) -> float | None:
    money = price(provider, clip_seconds, **asked)
    return money and money.amount


@pytest.mark.parametrize(
    ("asked", "usd"),
    [
        ({"resolution": "480p"}, 5 * 0.0919),
        ({}, 5 * 0.1985),
        ({"model": "seedance-2.0-fast", "duration": 8}, 8 * 0.1608),
        ({"references": (CLIP,)}, (15 + 5) * 0.1209),
        ({"references": (CLIP,), "clip_seconds": 3.0}, (5 + 5) * 0.1209),
        ({"references": (CLIP,), "clip_seconds": 8.0}, (8 + 5) * 0.1209),
        ({"resolution": "1080p"}, None),
        ({"model": "seedance-2.0-mini"}, None),
        ({"model": NEWEST, "duration": -1}, 30 * 0.296),
        ({"model": NEWEST, "references": (CLIP,)}, None),
        ({"extra": {"evolink": {"content_filter": False}}}, 5 * 0.1985 * 1.1),
    ],
)
def test_evolink_is_paid_by_the_second(asked: dict[str, Any], usd: float | None) -> None:
    assert amount("evolink", **asked) == (usd and pytest.approx(usd, abs=1e-4))


@pytest.mark.parametrize(
    ("asked", "usd"),
    [
        ({}, 5 * 0.3024),
        ({"model": "seedance-2.0-fast"}, 5 * 0.2419),
        ({"references": (CLIP,)}, (5 + 15) * 0.1814),
        ({"references": (CLIP,), "clip_seconds": 4.0}, (5 + 4) * 0.1814),
        ({"duration": -1}, 15 * 0.3024),
        ({"resolution": "1080p"}, 5 * 0.6804),
        ({"resolution": "4k"}, None),
        ({"model": "seedance-2.0-mini"}, 5 * 0.1547),
        ({"model": NEWEST, "resolution": "480p"}, 5 * 9.6075 * 0.0214),
        ({"model": NEWEST}, 5 * 21.6 * 0.0214),
        ({"model": NEWEST, "resolution": "1080p"}, 5 * 48.6 * 0.0234),
        ({"model": NEWEST, "video": CLIP, "clip_seconds": 6.0, "duration": 8}, 14 * 0.2774),
        ({"model": "seedance-2.5-flash"}, 5 * 0.3024),
        (
            {"model": "seedance-2.5-flash", "references": (CLIP,), "clip_seconds": 5.0},
            10 * 0.3024,
        ),
    ],
)
def test_fal_is_paid_by_tokens_of_input_and_output(
    asked: dict[str, Any], usd: float | None
) -> None:
    assert amount("fal", **asked) == (usd and pytest.approx(usd, rel=1e-3))


@pytest.mark.parametrize(
    ("asked", "usd"),
    [
        ({}, 5 * 0.18),
        ({"resolution": "480p"}, 5 * 0.08),
        ({"resolution": "1080p"}, None),
        ({"references": (CLIP,)}, None),
        ({"model": "seedance-2.0-fast"}, None),
        ({"model": "seedance-2.0-mini", "resolution": "480p"}, 5 * 0.04),
        ({"model": NEWEST}, 5 * 0.2312),
        ({"model": NEWEST, "resolution": "480p", "duration": -1}, 30 * 0.1028),
        ({"model": NEWEST, "references": (CLIP,)}, 5 * 0.9676),
        ({"model": NEWEST, "resolution": "1080p"}, None),
    ],
)
def test_replicate_s_prices_are_reported(asked: dict[str, Any], usd: float | None) -> None:
    money = price("replicate", **asked)
    assert (money and money.amount) == (usd and pytest.approx(usd, abs=1e-4))
    assert money is None or (money.as_of or "").endswith(", reported")


SECOND = 1280 * 720 * 24 / 1024  # tokens


@pytest.mark.parametrize(
    ("seconds", "billed"),
    [(2.0, math.ceil(5 * 5 / 3)), (3.5, math.ceil(5 * 5 / 3)), (8.0, 13.0)],
)
def test_ark_bills_clips_by_their_length_and_20_has_a_minimum(
    seconds: float, billed: float
) -> None:
    usd = amount("byteplus", seconds, references=(CLIP,))
    assert usd == pytest.approx(billed * SECOND * 4.3e-6, abs=1e-4)
    usd = amount("byteplus", seconds, references=(CLIP,), model=NEWEST)
    assert usd == pytest.approx((5 + seconds) * SECOND * 6.4e-6, abs=1e-4)


def test_an_edited_clip_is_billed_in_and_out() -> None:
    usd = amount("byteplus", 6.0, video=CLIP, model=NEWEST, duration=-1)
    assert usd == pytest.approx(12 * SECOND * 6.4e-6, abs=1e-4)


@pytest.mark.parametrize("provider", ["fal", "replicate"])
def test_an_edited_clip_comes_back_as_long_as_it_is(provider: str) -> None:
    edit = {"model": NEWEST, "video": CLIP, "operation": "edit", "resolution": "720p"}
    four = amount(provider, 4.0, duration=-1, **edit)
    assert four == amount(provider, 4.0, duration=4, **edit)
    assert (amount(provider, None, duration=-1, **edit) or 0.0) > 2 * (four or 0.0) > 0


def test_fal_s_routes_in_the_usa_are_counted_at_the_most_that_is_reported() -> None:
    order = Order(prompt="a cat", provider="fal", model=NEWEST, ratio="16:9")
    ids = {NEWEST: "bytedance/seedance-2.5/us/{mode}"}
    here, there = (
        get("fal")(Config("https://queue.fal.run", models=models)).estimate(order)
        for models in ({}, ids)
    )
    assert here and there and there.amount == pytest.approx(here.amount * 1.2, abs=1e-3)


def test_a_price_that_is_reported_says_so() -> None:
    reported = price("replicate")
    assert reported and reported.in_words() == "0.90 USD (estimated, reported)"
    converted = price("volcengine")
    assert converted and converted.in_words().startswith("4.968 CNY (estimated, reported; about ")
    listed = price("byteplus")
    assert listed and listed.in_words() == "0.756 USD (estimated)"


def test_volcengine_s_prices_are_reported() -> None:
    money = price("volcengine", model=NEWEST, resolution="1080p")
    assert money and money.currency == "CNY" and money.as_of == "2026-10-25, reported"
    assert money.amount == pytest.approx(5 * 48_600 * 77e-6, abs=1e-4)
    assert price("volcengine", resolution="4k") is None


def test_a_clip_at_hand_is_counted_as_long_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = clips.write(tmp_path / "clip.mp4", width=864, height=496, frames=72)
    order = Order(
        prompt="@Video1 runs", ratio="16:9", references=(Medium.from_path("video", clip),)
    )
    prepared = quotes.prepare_at(order, "fal", Settings.load())
    assert prepared.price and prepared.price.amount == pytest.approx(8 * 0.1814, rel=1e-3)
    linked = replace(order, references=(CLIP,))
    prepared = quotes.prepare_at(linked, "fal", Settings.load())
    assert prepared.price and prepared.price.amount == pytest.approx(20 * 0.1814, rel=1e-3)
