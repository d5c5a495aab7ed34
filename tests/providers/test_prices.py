"""The published prices of EvoLink and fal, and what has none."""

from __future__ import annotations

from typing import Any

import pytest

from seedance.order import Medium, Order
from seedance.providers import get
from seedance.wire import Config

CLIP = Medium.from_address("video", "https://media.example/a.mp4")


def usd(provider: str, **asked: Any) -> float | None:
    kind = get(provider)
    order = Order(prompt="a cat", provider=provider, **{"ratio": "16:9", **asked})
    money = kind(Config(kind.default_base_url or "")).estimate(order)
    if money is None:
        return None
    assert (money.currency, money.estimated, money.as_of) == ("USD", True, "2026-11-20")
    return money.amount


@pytest.mark.parametrize(
    ("asked", "amount"),
    [
        ({"resolution": "480p"}, 5 * 0.0919),
        ({}, 5 * 0.1985),
        ({"model": "seedance-2.0-fast", "duration": 8}, 8 * 0.1608),
        ({"references": (CLIP,)}, (15 + 5) * 0.1209),
        ({"resolution": "1080p"}, None),
        ({"model": "seedance-2.0-mini"}, None),
    ],
)
def test_evolink_is_paid_by_the_second(asked: dict[str, Any], amount: float | None) -> None:
    assert usd("evolink", **asked) == (amount and pytest.approx(amount, abs=1e-4))


@pytest.mark.parametrize(
    ("asked", "amount"),
    [
        ({}, 5 * 0.3024),
        ({"model": "seedance-2.0-fast"}, 5 * 0.2419),
        ({"references": (CLIP,)}, 5 * 0.1814),
        ({"duration": -1}, 15 * 0.3024),
        ({"model": "seedance-2.5"}, None),
    ],
)
def test_fal_is_paid_by_tokens(asked: dict[str, Any], amount: float | None) -> None:
    assert usd("fal", **asked) == (amount and pytest.approx(amount, rel=1e-3))


def test_replicate_publishes_no_list() -> None:
    assert usd("replicate") is None
