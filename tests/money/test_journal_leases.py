"""The journal on SQLite and on PostgreSQL: leases, slots, budget."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from journals import Clock, dead_holder, in_processes, new, reserved, submitted
from running import move

from seedance.errors import OverBudget
from seedance.journal import Journal, LeaseLost
from seedance.journal import journal as journal_file
from seedance.journal.journal import LEASE_SECONDS
from seedance.journal.process import has_ended, new_holder
from seedance.money import Money

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
