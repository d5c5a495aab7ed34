"""The journal on SQLite and on PostgreSQL: one row an order, states, settling and forgetting.

Most tests use it by itself; the last one lets processes share it that carry whole orders.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import fakes
import pytest
import sqlalchemy as sa
from journals import in_processes, new, reserved, submitted
from running import move

from seedance.errors import BadOrder, OverBudget
from seedance.journal import ENDED, HELD, LIVE, IllegalMove, Journal, State, schema
from seedance.journal.states import MOVES
from seedance.money import Money

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


@pytest.mark.slow
def test_processes_at_once_on_a_new_journal_reserve_each_order_once(url: str) -> None:
    mine = [fingerprint for each in in_processes(RESERVE, 6, url, 50) for fingerprint in each]
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
    count, orders = 4, 25
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        variables = json.dumps(fake.environment())
        videos = in_processes(CARRY, count, url, orders, tmp_path, variables)
        assert fake.creates == len(fake.sent("POST")) == orders
    assert len(set(videos[0])) == orders
    assert videos == [videos[0]] * count
    assert {row.state for row in Journal(url).newest(1000)} == {"saved"}
