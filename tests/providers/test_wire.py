"""Every recorded exchange, played against its provider; and that the player finds differences."""

from __future__ import annotations

from typing import Any

import pytest
import wire_player

from seedance import providers, wire

FILES = sorted(wire_player.FOLDER.glob("*.json"))
EXCHANGES = [
    pytest.param(provider_id, exchange, id=f"{provider_id}-{exchange['name']}")
    for provider_id, exchanges in map(wire_player.load, FILES)
    for exchange in exchanges
]


@pytest.mark.parametrize(("provider_id", "exchange"), EXCHANGES)
def test_the_conversation_is_as_recorded(provider_id: str, exchange: dict[str, Any]) -> None:
    wire_player.play(providers.get(provider_id), exchange)


@pytest.mark.parametrize(("provider_id", "exchange"), EXCHANGES)
def test_only_creates_spend(provider_id: str, exchange: dict[str, Any]) -> None:
    calls = [step["call"] for step in exchange["talk"] if "call" in step]
    spending = [call for call in calls if call.get("spends")]
    makes = exchange["flow"] in ("submit", "finish")
    assert not spending or (makes and spending[-1] is calls[-1])
    assert spending or exchange["flow"] != "submit" or "error" in exchange


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_names_of_exchanges_are_unique_and_sources_are_given(path: Any) -> None:
    provider_id, exchanges = wire_player.load(path)
    names = [exchange["name"] for exchange in exchanges]
    assert provider_id == path.stem
    assert len(names) == len(set(names))
    assert all(exchange["source"] for exchange in exchanges)


@pytest.mark.parametrize("provider_id", [name for name in providers.ids() if name != "preview"])
def test_every_provider_has_recorded_exchanges(provider_id: str) -> None:
    assert provider_id in {path.stem for path in FILES}


# ---------------------------------------------------------------------------- the player itself


class _Minimal(wire.Provider):
    id = "minimal"
    name = "Minimal"
    key_variable = None
    default_base_url = "https://minimal.example"

    def submit(self, order: Any, delivered: Any) -> wire.Flow[wire.Ticket]:
        body = {"prompt": order.prompt, "sound": order.generate_audio}
        reply = yield wire.Call("POST", self.url("/v"), json=body, spends=True)
        return wire.Ticket.issue(self.id, reply.object()["id"])

    def check(self, ticket: Any) -> wire.Flow[wire.Status]:
        raise NotImplementedError


def _exchange(**call: Any) -> dict[str, Any]:
    recorded = {
        "method": "POST",
        "url": "https://minimal.example/v",
        "json": {"prompt": "a cat", "sound": True},
        "spends": True,
    }
    return {
        "name": "minimal",
        "source": "this test",
        "flow": "submit",
        "order": {"prompt": "a cat"},
        "talk": [{"call": {**recorded, **call}, "reply": {"status": 200, "json": {"id": "t1"}}}],
        "result": {"ticket": "minimal:t1"},
    }


def test_the_player_accepts_what_is_recorded() -> None:
    wire_player.play(_Minimal, _exchange())


@pytest.mark.parametrize(
    "difference",
    [
        {"json": {"prompt": "a cat"}},
        {"json": {"prompt": "a cat", "sound": 1}},
        {"json": {"prompt": "a cat", "sound": True, "more": None}},
        {"spends": False},
        {"auth": False},
        {"query": {"page": "1"}},
        {"any_status": True},
        {"timeout": 5.0},
    ],
    ids=[
        *("sent too much", "another type", "sent too little"),
        *("spending", "key", "query", "any status", "timeout"),
    ],
)
def test_the_player_finds_a_difference(difference: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        wire_player.play(_Minimal, _exchange(**difference))


def test_the_player_finds_a_call_that_was_not_made() -> None:
    exchange = _exchange()
    exchange["talk"] *= 2
    with pytest.raises(AssertionError, match="ended with"):
        wire_player.play(_Minimal, exchange)


def test_the_player_finds_a_call_too_much() -> None:
    with pytest.raises(AssertionError, match="one step too much"):
        wire_player.play(_Minimal, {**_exchange(), "talk": []})


def test_the_player_finds_another_result() -> None:
    with pytest.raises(AssertionError):
        wire_player.play(_Minimal, {**_exchange(), "result": {"ticket": "minimal:t2"}})
