"""The journal on SQLite and on PostgreSQL: one row an order, leases, slots, budget, migrations.

Most tests use it by itself; the last one lets processes share it that carry whole orders.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import fakes
import pytest
import sqlalchemy as sa
from journals import Clock, alembic, dead_holder, elsewhere, new
from running import move

from seedance import journal as journal_module
from seedance.errors import BadOrder, OverBudget
from seedance.journal import (
    ENDED,
    HELD,
    LIVE,
    IllegalMove,
    Journal,
    LeaseLost,
    Row,
    State,
    Total,
    database,
    engine,
    schema,
)
from seedance.journal import journal as journal_file
from seedance.journal.journal import LEASE_SECONDS
from seedance.journal.process import has_ended, new_holder
from seedance.journal.states import MOVES
from seedance.money import Money

VERSIONS = Path(journal_module.__file__).parent / "migrations" / "versions"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(url: str, clock: Clock) -> Journal:
    return Journal(url, clock=clock)


@pytest.fixture
def other(url: str, clock: Clock) -> Journal:
    """The journal as another process has it open, on a machine that we cannot look into."""
    return elsewhere(url, clock)


def reserved(journal: Journal, fingerprint: str = "f", **fields: Any) -> Row:
    return journal.reserve(new(fingerprint, **fields))[0]


def submitted(journal: Journal, fingerprint: str = "f", task: str = "lumenfall:1") -> Row:
    row = reserved(journal, fingerprint)
    journal.take_slot(row.id, None)
    return move(journal, row.id, "running", task=task)


# ------------------------------------------------------------------------------------- reserving


def test_the_first_order_gets_a_row_and_the_second_is_shown_it(journal: Journal) -> None:
    first, mine = journal.reserve(new())
    again, mine_again = journal.reserve(new())
    assert (mine, mine_again) == (True, False)
    assert (again.id, again.state, again.holder) == (first.id, "preparing", journal.holder)


@pytest.mark.parametrize("state", HELD)
def test_a_row_that_is_held_keeps_its_order_from_a_second_row(journal: Journal, state: str) -> None:
    row = reserved(journal)
    move(journal, row.id, state)
    assert journal.reserve(new())[0].id == row.id


@pytest.mark.parametrize("state", ENDED)
def test_an_order_that_ended_without_a_video_may_be_sent_again(
    journal: Journal, state: str
) -> None:
    row = reserved(journal)
    move(journal, row.id, state)
    again, mine = journal.reserve(new())
    assert mine
    assert again.id != row.id


def test_the_database_itself_refuses_a_second_held_row(journal: Journal) -> None:
    reserved(journal, "f")
    second = reserved(journal, "g")
    with journal._opened().begin() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(
            sa.update(schema.orders).where(schema.orders.c.id == second.id).values(fingerprint="f")
        )


RESERVE = """
import json, sys
from seedance.journal import Journal, NewRow
from seedance.order import Order
url, process, orders = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
journal = Journal(url)
order = Order(prompt="a fox", provider="lumenfall").describe()
mine = []
for number in range(orders):
    number = (number + process * 7) % orders
    row, is_mine = journal.reserve(NewRow(f"f{number}", "asked", "lumenfall", "account", order))
    if is_mine:
        mine.append(row.fingerprint)
print(json.dumps(mine))
"""


def in_processes(script: str, count: int, *arguments: object) -> list[Any]:
    """What `count` Python processes at once print as JSON; each is also told its number."""
    first, *rest = arguments
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(first), str(number), *map(str, rest)],
            stdout=subprocess.PIPE,
            env=os.environ,
        )
        for number in range(count)
    ]
    outputs = [child.communicate(timeout=250)[0] for child in children]
    assert [child.returncode for child in children] == [0] * count
    return [json.loads(output) for output in outputs]


@pytest.mark.slow
def test_processes_at_once_on_a_new_journal_reserve_each_order_once(url: str) -> None:
    count = 4 if url.startswith("sqlite") else 8
    mine = [fingerprint for each in in_processes(RESERVE, count, url, 50) for fingerprint in each]
    assert sorted(mine) == sorted(f"f{number}" for number in range(50))
    assert len(Journal(url).newest(1000)) == 50


def test_a_journal_that_cannot_be_written_is_a_bad_order(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(BadOrder, match="journal"):
        reserved(Journal(f"sqlite:///{tmp_path}/file/journal.db"))


def test_an_unreachable_server_is_a_bad_order_without_its_password() -> None:
    pytest.importorskip("psycopg")
    broken = Journal("postgresql+psycopg://me:hunter2@127.0.0.1:1/journal")
    with pytest.raises(BadOrder) as caught:
        reserved(broken)
    assert "127.0.0.1:1" in str(caught.value)
    assert "hunter2" not in str(caught.value)


# ---------------------------------------------------------------------------------------- states


def test_only_the_allowed_moves_are_made(journal: Journal) -> None:
    for before, after in itertools.product(State, [*State, "banana", "", "SAVED"]):
        fingerprint = f"{before} to {after}"
        row = move(journal, reserved(journal, fingerprint).id, before)
        hold(journal, row.id)
        was = raw(journal, row.id)
        if after in MOVES[before]:
            assert journal.advance(row.id, after).state == after
        else:
            with pytest.raises(IllegalMove):
                journal.advance(row.id, after)
            assert raw(journal, row.id) == was, fingerprint
        again = journal.reserve(new(fingerprint))[1]
        assert again is (journal.get(row.id).state in ENDED), fingerprint


def test_reopening_makes_only_allowed_moves(journal: Journal) -> None:
    for before, after in itertools.product(State, State):
        row = move(journal, reserved(journal, f"{before} to {after}").id, before)
        was = raw(journal, row.id)
        if before in LIVE:
            assert journal.reopen(row.id, after).state == before
        elif after in MOVES[before]:
            assert journal.reopen(row.id, after).state == after
        else:
            with pytest.raises(IllegalMove):
                journal.reopen(row.id, after)
            assert raw(journal, row.id) == was


def test_every_state_can_be_reached_and_is_live_saved_unclear_or_ended(journal: Journal) -> None:
    for number, state in enumerate(State):
        assert move(journal, reserved(journal, str(number)).id, state).state == state
    assert {*HELD, *ENDED} == {*State}
    assert {*HELD} - {*LIVE} == {State.SAVED, State.UNCLEAR}
    assert not {*HELD} & {*ENDED}


@pytest.mark.parametrize("state", ["banana", "SAVED", "", "saved "])
def test_the_database_itself_refuses_a_state_that_does_not_exist(
    journal: Journal, state: str
) -> None:
    row = reserved(journal)
    with journal._opened().begin() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(
            sa.text("UPDATE orders SET state = :state WHERE id = :id"),
            {"state": state, "id": row.id},
        )


def hold(journal: Journal, row_id: int) -> None:
    """Let this process have the row, whatever state it is in."""
    with journal._opened().begin() as connection:
        connection.execute(
            sa.update(schema.orders)
            .where(schema.orders.c.id == row_id)
            .values(holder=journal.holder, lease_until=journal._clock() + 60)
        )


def raw(journal: Journal, row_id: int) -> sa.Row[Any] | None:
    """All columns of a row."""
    with journal._opened().begin() as connection:
        return connection.execute(
            sa.select(schema.orders).where(schema.orders.c.id == row_id)
        ).first()


# ---------------------------------------------------------------------------------------- leases


def test_a_row_is_left_to_the_process_that_works_on_it(journal: Journal, other: Journal) -> None:
    row = submitted(journal)
    assert other.claim(row.id) is None


def test_a_lease_that_ran_out_is_taken_over(journal: Journal, other: Journal, clock: Clock) -> None:
    row = submitted(journal)
    clock.now += LEASE_SECONDS + 1
    taken = other.claim(row.id)
    assert taken is not None
    assert (taken.state, taken.holder, taken.task) == ("running", other.holder, "lumenfall:1")


def test_a_renewed_lease_is_not_taken_over(journal: Journal, other: Journal, clock: Clock) -> None:
    row = submitted(journal)
    clock.now += LEASE_SECONDS - 1
    journal.renew([row.id])
    clock.now += LEASE_SECONDS - 1
    assert other.claim(row.id) is None


def test_a_process_that_died_here_is_taken_over_from_at_once(
    journal: Journal, other: Journal
) -> None:
    other.holder = dead_holder()
    row = submitted(other)
    taken = journal.claim(row.id)
    assert taken is not None
    assert taken.holder == journal.holder


def test_only_a_process_of_this_machine_can_be_known_to_be_gone() -> None:
    assert has_ended(dead_holder())
    assert not has_ended(new_holder())
    assert not has_ended("elsewhere#1#0badcafe")


def test_who_lost_the_lease_can_change_nothing(
    journal: Journal, other: Journal, clock: Clock
) -> None:
    row = submitted(journal)
    clock.now += LEASE_SECONDS + 1
    other.claim(row.id)
    with pytest.raises(LeaseLost):
        journal.advance(row.id, "failed")
    assert journal.get(row.id).state == "running"


def test_a_row_that_ended_is_held_by_nobody(journal: Journal) -> None:
    row = submitted(journal)
    ended = move(journal, row.id, "failed")
    assert (ended.holder, ended.lease_until) == (None, 0.0)


def test_a_holder_that_died_while_submitting_leaves_an_unclear_row(
    journal: Journal, other: Journal
) -> None:
    other.holder = dead_holder()
    row = reserved(other)
    other.take_slot(row.id, None)
    claimed = journal.claim(row.id)
    assert claimed is not None
    assert (claimed.state, claimed.holder) == ("unclear", None)


def test_an_unclear_row_remembers_when_it_was_sent(
    journal: Journal, other: Journal, clock: Clock
) -> None:
    row = reserved(other)
    clock.now += 100
    sent_at = clock.now
    other.take_slot(row.id, None)
    clock.now += 5000
    claimed = journal.claim(row.id)
    assert claimed is not None
    assert claimed.submitted == pytest.approx(sent_at)


def test_a_row_that_is_laid_down_can_be_taken_at_once_by_whoever_asks_for_it(
    journal: Journal, other: Journal
) -> None:
    row = submitted(journal)
    journal.release(row.id)
    taken = other.claim(row.id)
    assert taken is not None
    assert taken.holder == other.holder


def test_a_row_that_was_laid_down_rests_before_anybody_takes_it_up_unasked(
    journal: Journal, other: Journal, clock: Clock
) -> None:
    row = submitted(journal)
    journal.release(row.id)
    assert other.abandoned() == []
    clock.now += journal_file.REST_SECONDS + 1
    assert [each.id for each in other.abandoned()] == [row.id]


def test_laying_down_leaves_rows_of_others_alone(
    journal: Journal, other: Journal, clock: Clock
) -> None:
    row = submitted(journal)
    clock.now += LEASE_SECONDS + 1
    other.claim(row.id)
    journal.release(row.id)
    assert journal.get(row.id).holder == other.holder


# ----------------------------------------------------------------------------------------- slots


def test_a_slot_is_refused_while_as_many_run_as_the_limit_allows(
    journal: Journal, other: Journal
) -> None:
    running = [submitted(journal, "a", "lumenfall:1"), submitted(other, "b", "lumenfall:2")]
    waiting = reserved(journal, "c")
    assert journal.take_slot(waiting.id, 2) == (None, 2)
    move(journal, running[0].id, "failed")
    row, busy = journal.take_slot(waiting.id, 2)
    assert row is not None
    assert (row.state, busy) == ("submitting", 1)


def test_another_key_and_another_provider_have_slots_of_their_own(journal: Journal) -> None:
    submitted(journal, "a")
    for fingerprint, fields in (("b", {"account": "other"}), ("c", {"provider": "fal"})):
        row = reserved(journal, fingerprint, **fields)
        assert journal.take_slot(row.id, 1)[0] is not None


def test_a_task_that_nobody_follows_gives_its_slot_back_in_time(
    journal: Journal, other: Journal, clock: Clock
) -> None:
    submitted(other, "a")
    clock.now += LEASE_SECONDS + 1
    waiting = reserved(journal, "b")
    assert journal.take_slot(waiting.id, 1) == (None, 1)  # it may well run on at the provider
    clock.now += journal_file.ABANDONED_SECONDS
    assert journal.take_slot(waiting.id, 1)[0] is not None


def test_a_slot_is_only_for_the_holder(journal: Journal, other: Journal) -> None:
    row = reserved(journal)
    with pytest.raises(LeaseLost):
        other.take_slot(row.id, None)


SLOTS = """
import json, sys, time
from seedance.journal import Journal, NewRow
from seedance.order import Order
url, process = sys.argv[1], sys.argv[2]
journal = Journal(url)
order = Order(prompt="a fox", provider="lumenfall").describe()
most = 0
for number in range(6):
    new = NewRow(f"{process}-{number}", "asked", "lumenfall", "account", order)
    row, _ = journal.reserve(new)
    while True:
        taken, busy = journal.take_slot(row.id, 2)
        if taken is not None:
            break
        time.sleep(0.01)
    most = max(most, busy + 1)
    journal.advance(row.id, "running", task=f"lumenfall:{process}-{number}")
    time.sleep(0.01)
    journal.advance(row.id, "failed")
print(json.dumps(most))
"""


@pytest.mark.slow
def test_slots_are_kept_across_processes(url: str) -> None:
    most = in_processes(SLOTS, 3, url)
    assert max(most) <= 2


# ---------------------------------------------------------------------------------------- budget


def test_the_budget_counts_every_row_of_the_day(journal: Journal) -> None:
    journal.reserve(new("a", budget_usd=1.5), {"day": 4.0})
    journal.reserve(new("b", budget_usd=1.5), {"day": 4.0})
    with pytest.raises(OverBudget, match=r"\$3\.00 of the budget of \$4\.00 a day"):
        journal.reserve(new("c", budget_usd=1.5), {"day": 4.0})
    assert journal.held("c") is None


def test_yesterday_counts_for_the_month_only(journal: Journal, clock: Clock) -> None:
    noon = datetime.now().replace(day=15, hour=12)
    clock.now = (noon - timedelta(days=1)).timestamp()
    journal.reserve(new("a", budget_usd=3.0), {})
    clock.now = noon.timestamp()
    journal.reserve(new("b", budget_usd=3.0), {"day": 4.0})
    with pytest.raises(OverBudget, match="a month"):
        journal.reserve(new("c", budget_usd=0.5), {"day": 4.0, "month": 6.0})


def test_what_was_not_billed_is_off_the_budget(journal: Journal) -> None:
    row = reserved(journal, "a", budget_usd=3.0)
    move(journal, row.id, "refused", not_billed=True)
    assert journal.reserve(new("b", budget_usd=3.0), {"day": 4.0})[1]


def test_the_real_cost_replaces_the_estimate(journal: Journal) -> None:
    row = reserved(journal, "a", budget_usd=1.0)
    move(journal, row.id, "succeeded", cost=Money(3.5, "USD"))
    with pytest.raises(OverBudget, match=r"\$3\.50"):
        journal.reserve(new("b", budget_usd=1.0), {"day": 4.0})


def test_an_order_that_is_free_is_never_over_budget(journal: Journal) -> None:
    journal.reserve(new("a", budget_usd=4.0), {"day": 4.0})
    assert journal.reserve(new("b", budget_usd=0.0), {"day": 4.0})[1]


BUDGET = """
import json, sys
from seedance.errors import OverBudget
from seedance.journal import Journal, NewRow
from seedance.order import Order
url, process = sys.argv[1], sys.argv[2]
journal = Journal(url)
order = Order(prompt="a fox", provider="lumenfall").describe()
reserved = 0
for number in range(10):
    name = f"{process}-{number}"
    new = NewRow(name, "asked", "lumenfall", "account", order, budget_usd=1.0)
    try:
        journal.reserve(new, {"day": 7.0})
    except OverBudget:
        continue
    reserved += 1
print(json.dumps(reserved))
"""


@pytest.mark.slow
def test_processes_at_once_stay_within_one_budget(url: str) -> None:
    assert sum(in_processes(BUDGET, 4, url)) == 7


# ------------------------------------------------------------------------ settling and forgetting


def test_an_unclear_row_that_was_found_runs_and_is_ours(journal: Journal, other: Journal) -> None:
    row = reserved(other)
    move(other, row.id, "unclear", error={"kind": "Unclear"})
    found = journal.resolve_unclear(row.id, "lumenfall:9")
    assert found is not None
    assert (found.state, found.task, found.holder, found.error) == (
        "running",
        "lumenfall:9",
        journal.holder,
        None,
    )
    assert other.resolve_unclear(row.id, "lumenfall:8") is None


def test_an_unclear_row_that_never_arrived_is_prepared_anew(journal: Journal) -> None:
    row = reserved(journal)
    move(journal, row.id, "unclear")
    again = journal.resolve_unclear(row.id, None)
    assert again is not None
    assert (again.state, again.task) == ("preparing", None)


@pytest.mark.parametrize("state", ["unclear", "saved", "running"])
def test_a_forgotten_order_can_be_sent_again(journal: Journal, state: str) -> None:
    row = reserved(journal)
    move(journal, row.id, state)
    assert journal.forget(row.id).state == "cancelled"
    assert journal.reserve(new())[1]


@pytest.mark.parametrize("state", ENDED)
def test_what_became_of_an_order_that_has_ended_stays_written(journal: Journal, state: str) -> None:
    row = reserved(journal)
    move(journal, row.id, state, error={"kind": "TaskFailed"})
    assert journal.forget(row.id).state == state
    assert (journal.get(row.id).state, journal.get(row.id).error) == (state, {"kind": "TaskFailed"})
    assert journal.reserve(new())[1]


def test_an_order_that_somebody_works_on_is_not_forgotten(journal: Journal, other: Journal) -> None:
    row = submitted(other)
    with pytest.raises(BadOrder, match="another process"):
        journal.forget(row.id)
    assert journal.get(row.id).state == "running"


def test_an_order_that_is_being_sent_is_not_forgotten(journal: Journal) -> None:
    row = reserved(journal)
    journal.take_slot(row.id, None)
    with pytest.raises(BadOrder, match="being sent"):
        journal.forget(row.id)
    assert move(journal, row.id, "running", task="lumenfall:1").task == "lumenfall:1"


def test_an_order_that_was_only_prepared_costs_nothing_once_it_is_forgotten(
    journal: Journal,
) -> None:
    row = reserved(journal, "a", estimate=Money(3, "USD"), budget_usd=3.0)
    assert journal.forget(row.id).cost is None
    assert journal.spent(1) == []
    assert journal.reserve(new("b", budget_usd=3.0), {"day": 4.0})[1]


def test_a_paid_order_still_counts_when_it_is_forgotten(journal: Journal) -> None:
    row = reserved(journal, "a", estimate=Money(3, "USD"), budget_usd=3.0)
    move(journal, row.id, "unclear")
    assert journal.forget(row.id).cost == Money(3, "USD", estimated=True)
    assert [total.amount for total in journal.spent(1)] == [Money(3, "USD", estimated=True)]
    with pytest.raises(OverBudget):
        journal.reserve(new("b", budget_usd=3.0), {"day": 4.0})


def test_forgetting_keeps_the_ticket(journal: Journal) -> None:
    row = submitted(journal)
    assert journal.forget(row.id).task == "lumenfall:1"


def test_a_foreign_ticket_is_adopted_once(journal: Journal, other: Journal) -> None:
    row, mine = journal.adopt("lumenfall:7", new("ticket"))
    again, mine_again = other.adopt("lumenfall:7", new("ticket"))
    assert (mine, mine_again, again.id) == (True, False, row.id)
    assert (row.state, row.task) == ("running", "lumenfall:7")


def test_a_saved_row_is_reopened_once(journal: Journal, other: Journal) -> None:
    row = submitted(journal)
    move(journal, row.id, "saved", file=Path("/out/a.mp4"))
    assert journal.reopen(row.id, "succeeded").holder == journal.holder
    joined = other.reopen(row.id, "succeeded")
    assert (joined.state, joined.holder) == ("succeeded", journal.holder)


def test_an_ended_row_is_not_reopened_beside_a_newer_one_of_the_same_order(
    journal: Journal,
) -> None:
    row = submitted(journal)
    move(journal, row.id, "cancelled")
    newer = reserved(journal)
    with pytest.raises(BadOrder, match=f"row {newer.id}"):
        journal.reopen(row.id, "running")


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


# ------------------------------------------------------------------------------------ migrations


def test_migrations_make_what_the_schema_says(journal: Journal) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    journal.newest()
    with journal._opened().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_migrations_make_the_rule_against_second_rows(journal: Journal) -> None:
    # alembic does not compare the condition of a partial index.
    journal.newest()
    with journal._opened().connect() as connection:
        (index,) = (
            index
            for index in sa.inspect(connection).get_indexes("orders")
            if index["name"] == "orders_one_held"
        )
    made = str(next(value for key, value in index["dialect_options"].items() if "where" in key))
    states = [state for state in (*HELD, *ENDED) if f"'{state}'" in made]
    assert (bool(index["unique"]), states) == (True, list(HELD))


def test_the_newest_revision_is_the_one_that_is_looked_for() -> None:
    newest = max(path.stem.partition("_")[0] for path in VERSIONS.glob("0*.py"))
    assert newest == engine.NEWEST_REVISION


FIRST_SCHEMA_ROW = {
    "id": 41,
    "fingerprint": "old",
    "asked": "old",
    "provider": "lumenfall",
    "account": "account",
    "model": "seedance-2.0",
    "resolution": "720p",
    "duration": 5,
    "prompt": "an old fox",
    "seed": 2**32 - 1,
    "order_json": '{"model": "seedance-2.0", "resolution": "720p", "duration": 5}',
    "changes_json": "[]",
    "state": "saved",
    "ticket": "lumenfall:old",
    "file": "/out/old.mp4",
    "created": 1.7e9,
    "updated": 1.7e9,
}


def test_a_journal_of_the_first_schema_keeps_its_rows(url: str) -> None:
    alembic(url, "0001")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        names = ", ".join(FIRST_SCHEMA_ROW)
        values = ", ".join(f":{name}" for name in FIRST_SCHEMA_ROW)
        insert = sa.text(f"INSERT INTO orders ({names}) VALUES ({values})")
        connection.execute(insert, FIRST_SCHEMA_ROW)
    engine.dispose()
    row = Journal(url).held("old")
    assert row is not None
    assert (row.id, row.task, row.prompt, row.seed) == (
        41,
        "lumenfall:old",
        "an old fox",
        2**32 - 1,
    )


def test_a_journal_of_a_newer_version_is_left_alone(journal: Journal, url: str) -> None:
    row = reserved(journal)
    with journal._opened().begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadOrder, match="newer version"):
        Journal(url).get(row.id)


@pytest.mark.parametrize("name", ["home?uri=true", "home#1", "home%20 x", "家"])
def test_a_journal_lies_in_the_very_file_of_its_path(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / "journal.db"
    row = reserved(Journal(file))
    assert file.is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert Journal(file).get(row.id).id == row.id


def test_threads_that_come_at_once_open_one_engine(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def slowly(url: sa.URL, limit: engine.Limit) -> sa.Engine:
        opened.append(url)
        time.sleep(0.1)
        return engine.open_engine(url, limit)

    monkeypatch.setattr(database, "open_engine", slowly)
    with ThreadPoolExecutor(6) as threads:
        rows = list(threads.map(lambda _: journal.newest(), range(6)))
    assert (rows, len(opened)) == ([[]] * 6, 1)


# -------------------------------------------------------------------------- whole orders together

CARRY = """
import json, sys
from pathlib import Path
from seedance.order import Order
from seedance.runner import Runner
from seedance.settings import Settings
url, process, orders, folder, variables = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
orders, folder = int(orders), Path(folder)
variables = {**json.loads(variables), "SEEDANCE_JOURNAL_URL": url, "SEEDANCE_POLL_INTERVAL": "0.1"}
runner = Runner(Settings(folder / "home", folder / "output", variables))
jobs = []
for number in range(orders):
    seed = (number + 7 * process) % orders
    jobs += runner.start(Order(prompt="a fox", provider="lumenfall", ratio="16:9", seed=seed))
print(json.dumps(sorted(str(job.wait().file) for job in jobs)))
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_processes_that_share_a_journal_pay_for_each_order_once_and_all_get_the_videos(
    url: str, tmp_path: Path
) -> None:
    count = 4 if url.startswith("sqlite") else 8
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        variables = json.dumps(fake.environment())
        videos = in_processes(CARRY, count, url, 50, tmp_path, variables)
        assert fake.creates == len(fake.sent("POST")) == 50
    assert len(set(videos[0])) == 50
    assert videos == [videos[0]] * count
    assert {row.state for row in Journal(url).newest(1000)} == {"saved"}
