"""What UniAll's recorded exchanges cannot say: how media may travel there."""

from __future__ import annotations

import pytest

from seedance.providers.uniall import UniAll
from seedance.wire import Config


def uniall(**options: str) -> UniAll:
    return UniAll(Config("https://gateway.example", options=options))


def test_pictures_travel_by_address_first_and_else_inline() -> None:
    assert uniall().travel("image") == ("address", "inline")


def test_data_uris_can_be_forbidden() -> None:
    assert uniall(data_uris="0").travel("image") == ("address",)


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_clips_and_sounds_travel_by_address_only(kind: str) -> None:
    assert uniall().travel(kind) == ("address",)
