"""A journal of an older schema with rows under way is brought up to date, a newer one refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
import pytest
import sqlalchemy as sa
from journals import alembic, dead_holder, in_processes, sql
from running import Desk, until

from seedance.errors import BadOrder, Unclear
from seedance.journal import HELD, Journal, State, engine
from seedance.runner import quotes

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("real_migrations")]


@pytest.fixture
def desk(url: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk at Lumenfall whose journal is on each of the databases."""
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        yield Desk(fake, tmp_path, SEEDANCE_JOURNAL_URL=url)


def insert(url: str, desk: Desk, row_id: int, state: str, ticket: str | None, **more: Any) -> None:
    """A row as the pack wrote it before rows had identities."""
    order = desk.order(seed=row_id)
    prepared = quotes.prepare(order, desk.settings(SEEDANCE_JOURNAL_URL="sqlite://"))
    values = {
        "id": row_id,
        "fingerprint": prepared.fingerprint,
        "asked": prepared.asked,
        "provider": "lumenfall",
        "account": quotes.account_of("lumenfall", desk.fake.key),
        "model": "seedance-2.0",
        "resolution": "720p",
        "duration": 5,
        "prompt": "a fox",
        "seed": row_id,
        "order_json": json.dumps(prepared.order.describe()),
        "changes_json": "[]",
        "state": state,
        "ticket": ticket,
        "target": str(desk.output / f"{row_id}.mp4"),
        "holder": None,
        "lease_until": None,
        "created": 1.7e9,
        "updated": 1.7e9,
        "submitted": 1.7e9,
        **more,
    }
    sql(
        url,
        f"INSERT INTO orders ({', '.join(values)}) "
        f"VALUES ({', '.join(f':{name}' for name in values)})",
        **values,
    )


@pytest.fixture(params=["0002", "0003"])
def old(request: pytest.FixtureRequest, url: str, desk: Desk) -> str:
    """A journal of an older schema, with a row in each state; two rows have one ticket, and so has
    one that has ended."""
    alembic(url, request.param)
    holder = {"holder": dead_holder(), "lease_until": 9e9}
    desk.fake.accept({"model": "seedance-2.0", "prompt": "a fox"}, "vid_{n:04d}")
    for number, state in enumerate(State, start=1):
        insert(url, desk, number, state, None, **(holder if state in HELD[:4] else {}))
    sql(url, "UPDATE orders SET ticket = 'lumenfall:vid_0001' WHERE state = 'running'")
    insert(url, desk, 20, "running", "lumenfall:vid_0001", **holder)
    insert(url, desk, 21, "saved", "lumenfall:vid_0001")
    insert(url, desk, 22, "cancelled", "lumenfall:vid_0001")
    return url


def test_rows_under_way_are_kept_and_get_identities(old: str) -> None:
    rows = Journal(old).newest(100)
    assert len({row.uid for row in rows}) == len(rows) == len(State) + 3
    assert all(len(row.uid) == 32 for row in rows)
    states = {row.id: row.state for row in rows if row.id < 20}
    assert states == dict(enumerate(State, start=1))
    assert {(row.origin, row.mark) for row in rows} == {(None, None)}


def test_of_rows_with_one_ticket_the_oldest_keeps_it_and_others_are_unclear(
    old: str, desk: Desk
) -> None:
    journal = Journal(old)
    running = list(State).index(State.RUNNING) + 1
    assert journal.get(running).task == "lumenfall:vid_0001"
    second, saved, ended = map(journal.get, (20, 21, 22))
    assert (second.state, second.task, second.holder) == ("unclear", None, None)
    assert (saved.state, saved.task) == ("saved", None)
    assert (ended.state, ended.task) == ("cancelled", "lumenfall:vid_0001")
    with pytest.raises(Unclear, match="which another order has") as caught:
        desk.video(seed=20)
    assert "seedance forget 20" in caught.value.hint
    assert (caught.value.spent, desk.sent_creates) == ("unknown", 0)


def test_what_was_under_way_is_recovered_and_not_paid_again(old: str, desk: Desk) -> None:
    desk.fake.polls_until_done = 0  # a task that is this old is not asked for often
    runner = desk.runner()
    runner.recover()
    numbers = {state: number for number, state in enumerate(State, start=1)}
    until(lambda: runner.journal.get(numbers[State.RUNNING]).state == "saved")
    until(lambda: runner.journal.get(numbers[State.PREPARING]).state == "cancelled")
    until(lambda: runner.journal.get(numbers[State.SUBMITTING]).state == "unclear")
    assert (desk.output / f"{numbers[State.RUNNING]}.mp4").read_bytes() == desk.fake.clip
    assert desk.sent_creates == 0


def test_the_rules_of_the_database_hold_after_it(old: str) -> None:
    journal = Journal(old)
    journal.newest()
    numbers = {state: number for number, state in enumerate(State, start=1)}
    for broken in (
        "UPDATE orders SET state = 'banana'",
        f"UPDATE orders SET fingerprint = 'same' WHERE id IN ({numbers[State.SAVED]}, 21)",
        f"UPDATE orders SET ticket = 'same' WHERE id IN ({numbers[State.SAVED]}, 21)",
        "UPDATE orders SET uid = 'same'",
    ):
        with journal._opened().begin() as connection, pytest.raises(sa.exc.IntegrityError):
            connection.execute(sa.text(broken))
    ended = (numbers[State.FAILED], numbers[State.CANCELLED])
    for allowed in ("fingerprint", "ticket"):
        sql(old, f"UPDATE orders SET {allowed} = 'same' WHERE id IN ({ended[0]}, {ended[1]})")


def test_a_ticket_of_any_length_fits(url: str, desk: Desk) -> None:
    alembic(url, "0003")
    long = f"lumenfall:{'x' * 20_000}"
    insert(url, desk, 1, "submitting", None)
    journal = Journal(url)
    journal.newest()
    sql(url, "UPDATE orders SET ticket = :ticket", ticket=long)
    assert journal.get(1).task == long


OPEN = """
import json, sys
from seedance.journal import Journal
print(json.dumps(sorted(row.uid for row in Journal(sys.argv[1]).newest(100))))
"""


def test_processes_that_open_an_old_journal_at_once_bring_it_up_to_date_once(
    url: str, desk: Desk
) -> None:
    alembic(url, "0003")
    for number in range(1, 20):
        insert(url, desk, number, "running", f"lumenfall:{number}")
    found = in_processes(OPEN, 4, url)
    assert found == [found[0]] * 4
    assert len(set(found[0])) == 19


def test_a_newer_schema_is_refused_with_a_sentence_and_not_touched(url: str, desk: Desk) -> None:
    Journal(url).newest()
    newer = f"{int(engine.NEWEST_REVISION) + 1:04d}"
    sql(url, "UPDATE alembic_version SET version_num = :newer", newer=newer)
    with pytest.raises(BadOrder, match="newer version") as caught:
        desk.video()
    assert "Update the pack" in caught.value.hint
    assert (caught.value.spent, desk.fake.requests) == ("no", [])
    assert sql(url, "SELECT version_num FROM alembic_version") == [(newer,)]
