"""Live prices: asked for free and without the key, kept for a day, and never needed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fakes
import pytest
import wire_player
from fakes import Answer, Fake, Request
from hypothesis import given
from hypothesis import strategies as st
from running import Desk

from seedance.money import Money
from seedance.providers._price_rules import BadRule, usd
from seedance.runner import Runner, prices

RULES = "/v1/catalog/models/seedance-2.0-text-to-video/pricing-rules"
LIVE, LISTED = 5 * 0.19852941, 5 * 0.1985


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with fakes.all()["evolink"]() as fake:
        yield Desk(fake, tmp_path)


def recorded() -> Any:
    """The recorded answer about text to video with Seedance 2.0."""
    for exchange in wire_player.exchanges_of("evolink"):
        if exchange["flow"] == "live_price" and exchange["talk"][0]["call"]["url"].endswith(RULES):
            return exchange["talk"][0]["reply"]["json"]
    raise AssertionError("there is none")


def asked(desk: Desk) -> list[Request]:
    return [each for each in desk.fake.requests if each.path == RULES]


def answering(monkeypatch: pytest.MonkeyPatch, desk: Desk, answer: Callable[[], Answer]) -> None:
    """Have the price list answered so."""
    usual = type(desk.fake).handle

    def handle(self: Fake, request: Request) -> Answer:
        return answer() if request.path == RULES else usual(self, request)

    monkeypatch.setattr(type(desk.fake), "handle", handle)


def price(desk: Desk, runner: Runner | None = None) -> Money:
    quotes = (runner or desk.runner()).check(desk.order())
    (found,) = [each.price for each in quotes if each.provider == "evolink"]
    assert found is not None
    return found


def is_listed(found: Money) -> bool:
    assert found.as_of == "2026-11-20" or (found.as_of or "").endswith("live")
    assert found.amount == pytest.approx(LISTED if found.as_of == "2026-11-20" else LIVE, abs=1e-4)
    return found.as_of == "2026-11-20"


@pytest.mark.safety
def test_the_live_price_is_asked_once_a_day_without_the_key(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert price(desk) == price(desk)
    assert price(desk).as_of == "2026-10-10, live"
    (request,) = asked(desk)
    assert "authorization" not in request.headers
    later = time.time() + 25 * 3600
    monkeypatch.setattr(prices.time, "time", lambda: later)
    price(desk)
    assert len(asked(desk)) == 2


def test_an_order_is_counted_by_the_live_price_before_it_is_paid(desk: Desk) -> None:
    told: list[Money | None] = []
    order = desk.order()
    desk.runner().start(order, confirm=lambda prepared, new: told.append(prepared.price))[0].wait()
    assert [each and each.as_of for each in told] == ["2026-10-10, live"]
    paths = [each.path for each in desk.fake.requests]
    assert paths.count(RULES) == 1
    assert paths.index(RULES) < paths.index("/v1/videos/generations")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500),
        Answer(404),
        Answer(302, headers={"location": "https://elsewhere.example/"}),
        Answer(200, body=b"<html>"),
        Answer(200, body=b"[]"),
        Answer(200, body=b" " * 70_000),
    ],
    ids=["500", "404", "redirect", "html", "list", "long"],
)
def test_after_any_failure_the_dated_list_holds(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    answering(monkeypatch, desk, lambda: answer)
    assert is_listed(price(desk))
    assert is_listed(price(desk))
    assert len(asked(desk)) == 1


def test_a_price_that_does_not_come_in_time_is_not_waited_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def late() -> Answer:
        ended.wait(60)
        return Answer(200, body=json.dumps(recorded()).encode())

    answering(monkeypatch, desk, late)
    monkeypatch.setattr(prices, "ASKED_SECONDS", 0.2)
    try:
        assert is_listed(price(desk))
        assert not ended.is_set()
    finally:
        ended.set()


def spoiled(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def spoil(answer: dict[str, Any]) -> None:
        inner: Any = answer
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = to

    return spoil


VIDEO = ("model", "components", 0)


@pytest.mark.safety
@pytest.mark.parametrize(
    "spoil",
    [
        spoiled(*VIDEO, "rate", "usd", to="198.5"),
        spoiled(*VIDEO, "rate", "usd", to="0.0001"),
        spoiled(*VIDEO, "rate", "usd", to="-1"),
        spoiled(*VIDEO, "rate", "usd", to="NaN"),
        spoiled(*VIDEO, "tiers", to=[{"when": {}}]),
        spoiled(*VIDEO, "pricing_status", to="unavailable"),
        spoiled(*VIDEO, "rounding", "point", to="per_quantity"),
        spoiled(*VIDEO, "quantity_rule", "op", to="power"),
        spoiled(*VIDEO, "quantity_rule", "args", 0, "name", to=["a"]),
        spoiled("model", "parameters", 0, "name", to="fps"),
        spoiled("model", "model_id", to="another-model"),
        spoiled("meta", "schema_version", to="3"),
        spoiled("meta", "currency", to="CNY"),
        spoiled("meta", "updated_at", to="soon"),
    ],
)
def test_a_price_without_sense_or_by_another_rule_is_not_believed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[dict[str, Any]], None]
) -> None:
    answer = recorded()
    spoil(answer)
    answering(monkeypatch, desk, lambda: Answer(200, body=json.dumps(answer).encode()))
    if answer["model"]["components"][0]["rate"]["usd"] == "0.0001":
        answer["model"]["components"][0]["minimum_charge"]["usd"] = "0"
    assert is_listed(price(desk))
    assert len(asked(desk)) == 1


def test_nobody_is_asked_without_a_key(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_listed(price(desk, desk.runner(EVOLINK_API_KEY="")))
    assert desk.fake.requests == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"x": 1}', "[" * 100_000])
def test_a_damaged_file_of_prices_is_no_hindrance(desk: Desk, text: str) -> None:
    file = desk.settings().home / prices.FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    assert not is_listed(price(desk))


NODES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.fixed_dictionaries(
            {"op": st.sampled_from(["add", "divide", "if", "lookup", "variable", "clamp", "lt"])},
            optional={"args": st.lists(inner, max_size=3), "name": inner, "values": inner},
        )
    ),
    max_leaves=12,
)


@given(NODES, NODES)
def test_no_rule_whatever_raises_anything_but_bad_rule(rule: Any, parameter: Any) -> None:
    answer = recorded()
    answer["model"]["components"][0]["quantity_rule"] = rule
    answer["model"]["components"][1]["condition"] = rule
    answer["model"]["parameters"].append(parameter)
    for each in (answer, {**answer, "model": rule}, {**answer, "meta": rule}):
        try:
            amount = usd(each, "seedance-2.0-text-to-video", {"quality": "720p"})
        except BadRule:
            continue
        assert amount >= 0
