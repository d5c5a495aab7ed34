"""Answers, workflows and `extra` of any size up to the limits: steps, memory, log, journal and what
is served stay within fixed bounds. Steps are calls, of Python and of C, as the interpreter counts
them; that none of them takes long for its letters is in `test_patterns.py`.
"""

from __future__ import annotations

import json
import logging
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakes
import pytest
import wire_player
from fakes import Answer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running import Desk, is_create, is_poll

from seedance import wire
from seedance.errors import SeedanceError
from seedance.order import LARGEST_EXTRA, Medium, Order
from seedance.providers import get, registry
from seedance.runner import quotes
from seedance.settings import Settings

pytestmark = [pytest.mark.safety, pytest.mark.slow]

KEPT = 20_000
MEGABYTE = 2**20
UNITS = st.sampled_from(
    [
        *("http://http://", "https://a?", "insufficient insufficient ", "not enough ", "hook\n"),
        *("\x1b[2J\r\n", "\u202e", "\U0001f98a", '"\\', " ", "9", "x", "@Image1 ", "\ud800"),
        *("../", "%s{0}", "moderation_", "a:b#1#", "=1+1;", "//127.0.0.1", "[[", "image_"),
    ]
)
QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def much(unit: str, letters: int) -> str:
    return (unit * (letters // len(unit) + 1))[:letters]


def counted(work: Callable[[], Any]) -> tuple[Any, int]:
    """What `work` gives or raises, if that is an error of ours, and how many calls that took."""
    calls = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        outcome = work()
    except SeedanceError as error:
        outcome = error
    finally:
        sys.setprofile(before)
    return outcome, calls


def texts_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in texts_of(item)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in texts_of(item)]
    if hasattr(value, "__dataclass_fields__"):
        return texts_of([getattr(value, name) for name in value.__dataclass_fields__])
    return texts_of(value.as_dict()) if isinstance(value, SeedanceError) else []


# ------------------------------------------------------------------------------------- answers


TALKS = [
    (provider_id, exchange)
    for provider_id, exchanges in map(wire_player.load, sorted(wire_player.FOLDER.glob("*.json")))
    for exchange in exchanges
    if any("json" in step.get("reply", {}) for step in exchange["talk"])
]


def spoiled(value: Any, text: str, where: list[int]) -> Any:
    """`value` with `text` somewhere in it, as a value, a name or an item."""
    if isinstance(value, dict) and value and where:
        place = where.pop() % (len(value) + 1)
        if place == len(value):
            return {**value, text: text}
        name = list(value)[place]
        return {**value, name: spoiled(value[name], text, where)}
    if isinstance(value, list) and value and where:
        return [spoiled(value[0], text, where), *value[1:]]
    return text


def ended(provider_id: str, exchange: Any, text: str, where: list[int], status: int) -> Any:
    flow = wire_player.start(get(provider_id), exchange)
    replies = [step["reply"] for step in exchange["talk"] if "json" in step.get("reply", {})]
    odd = spoiled(replies[-1]["json"], text, where)
    bodies = [*(reply["json"] for reply in replies[:-1]), *[odd] * 20]
    reply: Any = None
    for number, body in enumerate(bodies):
        try:
            step = flow.send(reply)
            while isinstance(step, wire.Pause):
                step = flow.send(wire.Reply(0))
        except StopIteration as end:
            return end.value
        code = status if number >= len(replies) - 1 else replies[number].get("status", 200)
        head = {"x-fal-error-type": text[:60_000].encode("ascii", "ignore").decode()}
        data = json.dumps(body).encode("utf-8", "surrogatepass")
        reply = wire.Reply(code, head, data)
    flow.close()
    return None


@settings(max_examples=150, **QUIET)
@given(
    st.sampled_from(TALKS),
    UNITS,
    st.sampled_from([10, 500, 5_000, 100_000, MEGABYTE]),
    st.lists(st.integers(0, 50), max_size=6),
    st.sampled_from([200, 200, 400, 401, 402, 404, 422, 429, 500]),
)
def test_whatever_an_answer_holds_steps_and_texts_are_bounded(
    talk: tuple[str, Any], unit: str, letters: int, where: list[int], status: int
) -> None:
    provider_id, exchange = talk
    text = much(unit, letters)
    outcome, calls = counted(lambda: ended(provider_id, exchange, text, list(where), status))
    assert calls < 60_000
    for found in texts_of(outcome):
        assert len(found) < KEPT


@pytest.mark.parametrize("provider", sorted(registry()))
def test_an_error_of_any_length_takes_the_same_steps(provider: str) -> None:
    base = "https://gateway.example"
    explain = get(provider)(wire.Config(base)).explain
    for unit in ("http://http://", "insufficient ", "\x1b", "x"):

        def steps(letters: int, unit: str = unit) -> int:
            long = much(unit, letters)
            body = json.dumps({"error": {"code": long, "message": long, "type": long}}).encode()
            return counted(lambda: explain(wire.Reply(400, body=body)))[1]

        steps(1000)  # what is done once in a process
        assert steps(2 * MEGABYTE) <= steps(200_000) + 50


def test_memory_for_an_answer_is_in_proportion_to_it() -> None:
    long = much("insufficient insufficient ", 4 * MEGABYTE)
    body = json.dumps({"error": {"code": long, "message": long}, "detail": [long] * 2}).encode()
    explain = get("evolink")(wire.Config("https://gateway.example")).explain
    tracemalloc.start()
    try:
        error = explain(wire.Reply(400, body=body))
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(str(error)) < KEPT
    assert kept < MEGABYTE
    assert peak < 6 * len(body)


# ----------------------------------------------------------------------------------- workflows


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats()
    | st.builds(much, UNITS, st.sampled_from([3, 200, 4_000, 30_000])),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(
        st.builds(much, UNITS, st.sampled_from([3, 60, 79, 81, 5_000])), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=120, **QUIET)
@given(
    st.builds(much, UNITS, st.sampled_from([1, 100, 5_000, 20_000, 20_001, 250_000])),
    st.dictionaries(st.sampled_from(sorted(registry())), VALUES, max_size=3),
    st.sampled_from(["16:9", "adaptive", much("9", 200_000)]),
    st.integers(-(10**30), 10**30) | st.sampled_from([4, 5, 15, -1]),
    st.integers(0, 120),
)
def test_whatever_a_workflow_holds_a_check_is_bounded(
    prompt: str, extra: dict[str, Any], ratio: str, duration: int, references: int
) -> None:
    state = Settings(Path("home"), Path("output"), {})
    picture = Medium.from_address("image", "https://files.example/a.png")
    order = Order(
        prompt=prompt,
        ratio=ratio,
        duration=duration,
        references=(picture,) * references,
        extra=extra,
    )

    def check() -> Any:
        quotes.check(order, state)
        return [quote.as_dict() for quote in quotes.quotes(order, state)]

    outcome, calls = counted(check)
    answer = json.dumps(outcome.as_dict() if isinstance(outcome, SeedanceError) else outcome)
    assert len(answer) < 4 * MEGABYTE
    assert calls < 2_000_000
    if isinstance(outcome, SeedanceError):
        assert len(answer) < 6 * KEPT
    else:
        assert len(json.dumps(extra)) <= 6 * LARGEST_EXTRA


# ----------------------------------------------------------------------- a whole order at a crook


@settings(max_examples=12, **QUIET)
@given(UNITS, st.sampled_from([50_000, MEGABYTE]), st.sampled_from([200, 400, 429, 500]), st.data())
def test_an_order_at_a_crook_leaves_a_small_journal_and_log(
    tmp_path_factory: pytest.TempPathFactory,
    caplog: pytest.LogCaptureFixture,
    unit: str,
    letters: int,
    status: int,
    data: st.DataObject,
) -> None:
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    folder = tmp_path_factory.mktemp("crook")
    long = much(unit, letters)
    odd: dict[str, Any] = {"id": "vid_1", "status": long, "error": {"code": long, "message": long}}
    where = data.draw(st.sampled_from([is_create, is_poll]))
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        fake.fault(where, Answer(status, json=odd), times=5)
        desk = Desk(fake, folder, SEEDANCE_TIMEOUT="2")
        runner = desk.runner()
        try:
            desk.start(runner).wait()
        except SeedanceError as error:
            assert len(json.dumps(error.as_dict())) < KEPT
        runner.close()
        for row in desk.rows():
            assert len(json.dumps(row.as_dict())) < KEPT
    ours = [each for each in caplog.records if each.name.startswith("seedance")]
    assert sum(len(each.getMessage()) for each in ours) < 4 * KEPT
    left = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".mp4"]
    assert sum(file.stat().st_size for file in left) < MEGABYTE
