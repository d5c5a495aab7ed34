"""The journal on SQLite and on PostgreSQL: what can be looked up, uploads included."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from journals import Clock, reserved, submitted
from running import move

from seedance.journal import LIVE, Journal, State, Total, queries
from seedance.money import Money
from seedance.order import Order

# --------------------------------------------------------------------------------------- looking


def test_rows_come_newest_first(journal: Journal) -> None:
    rows = [reserved(journal, name) for name in "abc"]
    assert [row.id for row in journal.newest(2)] == [rows[2].id, rows[1].id]


def test_of_the_newest_rows_only_those_that_changed_or_are_under_way_can_be_asked_for(
    journal: Journal, clock: Clock
) -> None:
    rows = [reserved(journal, name) for name in "abc"]
    assert journal.newest(3, clock.now + 1) == journal.newest(3)
    move(journal, rows[2].id, "failed")
    clock.now += 100
    for row in rows[:2]:
        move(journal, row.id, "saved")
    assert [row.id for row in journal.newest(3, clock.now)] == [rows[1].id, rows[0].id]
    assert [row.id for row in journal.newest(2, clock.now)] == [rows[1].id]
    assert journal.newest(3, clock.now + 1) == []


def test_rows_are_found_by_their_state_and_by_a_text_of_their_prompt(journal: Journal) -> None:
    prompts = ("Fox Straße", "fix Straße", "FOX Straße")
    rows = [reserved(journal, name, order=Order(prompt=name).describe()) for name in prompts]
    move(journal, rows[0].id, "failed")

    def found(limit: int = 9, **wanted: Any) -> list[int]:
        return [row.id for row in journal.found(limit, **wanted)]

    first, second, third = (row.id for row in rows)
    assert found(text="fox") == [third, first]
    assert found(1, text="fox") == [third]
    assert found(text="STRASSE") == [third, second, first]
    assert found(states=[State.FAILED]) == [first]
    assert found(states=LIVE, text="fox") == [third]
    assert found(text="bear") == []


def test_more_rows_are_found_than_one_query_takes(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE", 2)
    monkeypatch.setattr(queries, "MOST_IDS", 2)
    rows = [reserved(journal, name) for name in "abcde"]
    newest_first = [row.id for row in reversed(rows)]
    for limit in range(7):
        assert [row.id for row in journal.found(limit)] == newest_first[:limit]


def test_orders_whose_cost_nobody_told_are_found(journal: Journal, clock: Clock) -> None:
    for name, state, cost in (
        ("told", "saved", Money(1, "USD")),
        ("untold", "saved", None),
        ("failed", "failed", None),
    ):
        move(journal, submitted(journal, name, f"lumenfall:{name}").id, state, cost=cost)
    reserved(journal, "not sent")
    assert journal.unpriced([State.FAILED]) == [(clock.now, "lumenfall")]


def test_what_was_spent_is_summed_by_local_day_provider_and_currency(
    journal: Journal, clock: Clock
) -> None:
    midnight = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday = midnight - timedelta(days=1)
    for name, at, provider, cost in (
        ("a", midnight, "fal", Money(0.1, "USD")),
        ("b", midnight + timedelta(hours=1), "fal", Money(0.2, "USD", estimated=True)),
        ("c", midnight, "fal", Money(7, "credits")),
        ("d", midnight - timedelta(seconds=1), "fal", Money(1, "USD")),
        ("e", yesterday - timedelta(seconds=1), "fal", Money(1, "USD")),
        ("f", yesterday, "lumenfall", Money(2, "USD")),
        ("g", midnight, "preview", Money(0, "USD")),
        ("h", midnight, "fal", None),
    ):
        clock.now = at.timestamp()
        row = reserved(journal, name, provider=provider)
        move(journal, row.id, "saved", cost=cost)
    today = midnight.date()
    assert journal.spent(2) == [
        Total(yesterday.date(), "fal", 1, Money(1, "USD")),
        Total(yesterday.date(), "lumenfall", 1, Money(2, "USD")),
        Total(today, "fal", 2, Money(0.3, "USD", estimated=True)),
        Total(today, "fal", 1, Money(7, "credits")),
    ]
    assert [total.day for total in journal.spent(1)] == [today, today]
    assert sum(total.orders for total in journal.spent(4000)) == 6


def test_what_was_never_sent_or_not_billed_is_not_spent(journal: Journal) -> None:
    price = {"estimate": Money(1.5, "USD"), "budget_usd": 1.5}
    reserved(journal, "prepared", **price)
    refused = reserved(journal, "refused", **price)
    move(journal, refused.id, "refused", not_billed=True)
    assert journal.spent(1) == []
    failed = reserved(journal, "failed", **price)
    move(journal, failed.id, "failed")  # whether it was billed is unknown, so it counts
    assert [total.amount for total in journal.spent(1)] == [Money(1.5, "USD", estimated=True)]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("Asia/Kathmandu", date(2026, 10, 25), 24),
    ],
)
def test_a_day_is_one_of_this_machine_also_when_its_clocks_change(
    journal: Journal, clock: Clock, zone: str, day: date, hours: int, zoned: Callable[[str], None]
) -> None:
    zoned(zone)
    midnight = datetime(day.year, day.month, day.day).timestamp()
    for hour in range(-1, hours + 1):
        clock.now = midnight + 3600 * hour
        move(journal, reserved(journal, str(hour)).id, "saved", cost=Money(1, "USD"))
    one = timedelta(days=1)
    counts = [(total.day, total.orders) for total in journal.spent(3)]
    assert counts == [(day - one, 1), (day, hours), (day + one, 1)]


@pytest.fixture
def zoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the time zone of this process."""
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of a process cannot be set here")

    def into(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield into
    monkeypatch.undo()
    time.tzset()


def test_an_order_is_found_as_it_was_asked_at_any_provider(journal: Journal) -> None:
    reserved(journal, "a", provider="preview")
    mine = reserved(journal, "b", provider="fal")
    found = journal.held_as_asked("as asked", but=("preview",))
    assert found is not None
    assert found.id == mine.id
    assert journal.held_as_asked("something else") is None


def test_the_typical_time_is_the_median_of_tasks_like_this_one(
    journal: Journal, clock: Clock
) -> None:
    for number, seconds in enumerate((50, 70, 300)):
        row = submitted(journal, f"f{number}", f"lumenfall:{number}")
        clock.now += seconds
        move(journal, row.id, "succeeded")
    assert journal.typical_seconds(reserved(journal, "new")) == pytest.approx(70, abs=0.01)
    assert journal.typical_seconds(reserved(journal, "other", provider="fal")) is None


def test_a_row_says_what_the_contract_lists(journal: Journal) -> None:
    row = submitted(journal)
    move(journal, row.id, "saved", file=Path("/out/a.mp4"), cost=Money(1.5, "USD"))
    record = journal.get(row.id).as_dict()
    assert record["created"].endswith("Z")
    assert {key: record[key] for key in ("row", "task", "state", "file", "cost", "error")} == {
        "row": row.id,
        "task": "lumenfall:1",
        "state": "saved",
        "file": str(Path("/out/a.mp4")),
        "cost": {"amount": 1.5, "currency": "USD", "estimated": False},
        "error": None,
    }


def test_a_held_order_is_looked_up_in_the_index_that_keeps_it_the_only_one(tmp_path: Path) -> None:
    journal = Journal(f"sqlite:///{tmp_path}/journal.db")
    asked: list[tuple[str, Any]] = []
    sa.event.listen(
        journal._opened(),
        "before_cursor_execute",
        lambda _c, _cursor, statement, parameters, *_: asked.append((statement, parameters)),
    )
    journal.held("f")
    ((statement, parameters),) = asked
    with journal._opened().connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert any("USING INDEX orders_one_held (fingerprint=?)" in line[-1] for line in plan), plan


# --------------------------------------------------------------------------------------- uploads


def test_an_upload_is_used_again_by_the_same_account_only(journal: Journal, clock: Clock) -> None:
    journal.uploads.keep("fal", "mine", "digest", "https://x/1", clock.now + 7200)
    assert journal.uploads.find("fal", "mine", "digest") == "https://x/1"
    assert journal.uploads.find("fal", "other", "digest") is None


def test_an_upload_is_given_out_with_an_hour_to_spare(journal: Journal, clock: Clock) -> None:
    journal.uploads.keep("fal", "mine", "digest", "https://x/1", clock.now + 7200)
    clock.now += 3601
    assert journal.uploads.find("fal", "mine", "digest") is None


def test_a_newer_upload_replaces_the_older(journal: Journal, clock: Clock) -> None:
    journal.uploads.keep("fal", "mine", "digest", "https://x/1", clock.now + 7200)
    journal.uploads.keep("fal", "mine", "digest", "https://x/2", clock.now + 9000)
    assert journal.uploads.find("fal", "mine", "digest") == "https://x/2"
