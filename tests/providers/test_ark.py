"""What the recorded exchanges of BytePlus and Volcano Engine cannot say: prices, limits, sizes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seedance.errors import BadOrder, OutOfCredit
from seedance.order import Medium, Order
from seedance.providers.byteplus import BytePlus
from seedance.providers.volcengine import VolcEngine
from seedance.wire import Config, Delivered, Flow, Reply

CLIP = Medium.from_address("video", "https://media.example/a.mp4")
FRAME = Medium.from_address("image", "https://media.example/a.png")


def byteplus() -> BytePlus:
    return BytePlus(Config(BytePlus.default_base_url))


def volcengine() -> VolcEngine:
    return VolcEngine(Config(VolcEngine.default_base_url))


def price(provider: Any, **asked: Any) -> tuple[float, str] | None:
    money = provider.estimate(Order(prompt="a cat", **{"ratio": "16:9", **asked}))
    return money and (round(money.amount, 2), money.currency)


# ------------------------------------------------------------------------------------------ prices


@pytest.mark.parametrize(
    ("resolution", "usd"), [("480p", 0.35), ("720p", 0.76), ("1080p", 1.87), ("4k", 3.89)]
)
def test_the_price_is_that_of_the_official_examples(resolution: str, usd: float) -> None:
    assert price(byteplus(), resolution=resolution) == (usd, "USD")


def test_an_estimate_says_that_it_is_one_and_of_when() -> None:
    money = byteplus().estimate(Order(prompt="a cat"))
    assert money is not None
    assert (money.estimated, money.as_of) == (True, "2026-07-31")


@pytest.mark.parametrize(
    ("model", "usd"),
    [("seedance-2.0-fast", 0.6), ("seedance-2.0-mini", 0.38), ("seedance-2.5", 1.16)],
)
def test_each_model_has_its_price(model: str, usd: float) -> None:
    assert price(byteplus(), model=model) == (usd, "USD")


def test_a_length_that_the_model_decides_counts_at_its_longest() -> None:
    assert price(byteplus(), duration=-1) == price(byteplus(), duration=15)


def test_a_reference_clip_is_cheaper_a_token_and_counts_at_its_longest() -> None:
    tokens = (5 + 15) * 1280 * 720 * 24 / 1024
    assert price(byteplus(), references=(CLIP,)) == (round(tokens * 4.3e-6, 2), "USD")


def test_editing_counts_the_longest_clip_in_and_out() -> None:
    tokens = (30 + 30) * 1280 * 720 * 24 / 1024
    edit = price(byteplus(), model="seedance-2.5", video=CLIP)
    assert edit == (round(tokens * 6.4e-6, 2), "USD")


def test_volcengine_counts_in_yuan() -> None:
    assert price(volcengine()) == (4.97, "CNY")


# ------------------------------------------------------------------------------------------ limits


def test_clips_and_sounds_may_be_longer_with_25() -> None:
    limits = BytePlus.limits
    older, newer = limits.of("video", "seedance-2.0"), limits.of("video", "seedance-2.5")
    assert older and newer
    assert (older.total_seconds, newer.total_seconds) == ((2, 15), (2, 30))
    assert (older.max_bytes, newer.max_bytes) == (50 * 2**20, 200 * 2**20)
    assert limits.of("image", "seedance-2.5") is limits.image


def test_a_clip_to_edit_is_longer_than_a_reference() -> None:
    limits = BytePlus.limits
    seconds = {
        mode: limits.of("video", "seedance-2.5", mode).seconds  # type: ignore[union-attr]
        for mode in limits.models["seedance-2.5"].modes
    }
    assert seconds.pop("edit") == (4, 30)
    assert set(seconds.values()) == {(2, 30)}


def test_25_takes_fifty_references_and_a_sound_alone() -> None:
    model = BytePlus.limits.models["seedance-2.5"]
    assert (model.images, model.videos, model.audios, model.total) == (30, 10, 10, 50)
    assert model.audio_alone
    assert not BytePlus.limits.models["seedance-2.0"].audio_alone


def test_a_clip_is_never_sent_inline() -> None:
    assert "inline" in BytePlus.limits.delivery["image"]
    assert "inline" not in BytePlus.limits.delivery["video"]


def test_both_dialects_can_do_the_same() -> None:
    ours, theirs = BytePlus.limits.models, VolcEngine.limits.models
    assert ours.keys() == theirs.keys()
    assert [model.id.replace("dreamina", "doubao") for model in ours.values()] == [
        model.id for model in theirs.values()
    ]


# ---------------------------------------------------------------------------------------- requests


def first(flow: Flow[Any]) -> Any:
    return next(flow)


def test_a_request_that_is_too_large_is_not_sent() -> None:
    picture = f"data:image/png;base64,{'A' * (22 * 2**20)}"
    order = Order(prompt="a cat", references=(FRAME,) * 3)
    with pytest.raises(BadOrder, match="66 MB large"):
        first(byteplus().submit(order, Delivered(images=(picture,) * 3)))


def test_a_large_request_within_the_limit_is_sent() -> None:
    picture = f"data:image/png;base64,{'A' * (21 * 2**20)}"
    order = Order(prompt="a cat", references=(FRAME,) * 3)
    assert first(byteplus().submit(order, Delivered(images=(picture,) * 3))).spends


@pytest.mark.parametrize("code", ["QuotaExceeded", "SetLimitExceeded"])
def test_a_429_that_means_a_used_up_quota_is_not_waited_for(code: str) -> None:
    reply = _error(429, code)
    assert byteplus().quota_used_up(reply)
    assert isinstance(byteplus().explain(reply), OutOfCredit)


@pytest.mark.parametrize(
    "code",
    [
        "RateLimitExceeded.EndpointRPMExceeded",
        "ServerOverloaded",
        "RequestBurstTooFast",
        "InflightBatchsizeExceeded",
    ],
)
def test_a_429_that_means_busy_is_waited_for(code: str) -> None:
    assert not byteplus().quota_used_up(_error(429, code))


def _error(status: int, code: str) -> Reply:
    error = {"error": {"code": code, "message": "No."}}
    return Reply(status, {"content-type": "application/json"}, json.dumps(error).encode())
