"""What UniAll's recorded exchanges cannot say: how media travel, when waiting does not help."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seedance.errors import BadOrder
from seedance.fit import fit
from seedance.order import Medium, Order
from seedance.providers.uniall import UniAll
from seedance.wire import Config, Reply


def uniall(**options: str) -> UniAll:
    return UniAll(Config("https://gateway.example", options=options))


def test_pictures_travel_by_address_first_and_else_inline() -> None:
    assert uniall().delivery("image") == ("address", "inline")


def test_data_uris_can_be_forbidden() -> None:
    assert uniall(data_uris="0").delivery("image") == ("address",)


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_clips_and_sounds_travel_by_address_only(kind: str) -> None:
    assert uniall().delivery(kind) == ("address",)


def test_a_sound_needs_a_picture_or_a_clip() -> None:
    sound = Medium.from_address("audio", "https://media.example/a.mp3")
    picture = Medium.from_address("image", "https://media.example/a.png")
    with pytest.raises(BadOrder, match="only together with a picture or a clip"):
        fit(Order(prompt="a cat", references=(sound,)), UniAll)
    assert not fit(Order(prompt="a cat", references=(sound, picture)), UniAll).changes


# ------------------------------------------------------------------------------------------- a 429

USED_UP: dict[str, Any] = {
    "code": {"error": {"code": "insufficient_user_quota", "message": "no"}},
    "type beside an empty code": {"error": {"code": "", "type": "insufficient_quota"}},
    "type beside another code": {"error": {"code": "rejected", "type": "insufficient_quota"}},
    "text": {"error": {"code": "", "message": "user quota is not enough"}},
    "text, in the provider's language": {"message": "用户额度不足"},
}
BUSY: dict[str, Any] = {
    "rate": {"error": {"code": "", "type": "rate_limit_error", "message": "slow down"}},
    "load": {"code": "too_many_requests", "message": "The group is busy, try later"},
    "nothing": {},
}


def too_many(body: dict[str, Any]) -> Reply:
    return Reply(429, body=json.dumps(body).encode())


@pytest.mark.parametrize("body", USED_UP.values(), ids=USED_UP)
def test_a_quota_that_is_used_up_is_known_by_code_type_or_text(body: dict[str, Any]) -> None:
    assert uniall().quota_used_up(too_many(body))


@pytest.mark.parametrize("body", BUSY.values(), ids=BUSY)
def test_a_429_that_only_says_busy_is_waited_out(body: dict[str, Any]) -> None:
    assert not uniall().quota_used_up(too_many(body))
