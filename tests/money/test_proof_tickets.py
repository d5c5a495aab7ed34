"""A ticket belongs to one row, and is safe before anything else happens.

The journal is taken away right after the create was answered, and comes back later.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fakes
import pytest
import sqlalchemy as sa
from fakes import Answer, Request
from journals import dead_holder, elsewhere, new, sql
from running import Desk, is_create, move, until

from seedance.errors import BadOrder, SeedanceError, StillRunning, Unclear
from seedance.journal import Journal, TicketTaken, engine, schema
from seedance.journal.journal import LEASE_SECONDS
from seedance.money import Money
from seedance.runner import Runner, active, quotes, tickets, worker

pytestmark = pytest.mark.slow

TASK = "lumenfall:vid_0001"


@pytest.fixture
def desk(url: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk at Lumenfall whose journal is on each of the databases."""
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        yield Desk(fake, tmp_path, SEEDANCE_JOURNAL_URL=url)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that cannot be written is given up, and tried again, after tenths of seconds."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.2)
    monkeypatch.setattr(engine, "BUSY_ATTEMPT_MS", 50)
    monkeypatch.setattr(engine, "CONNECT_SECONDS", 2)
    monkeypatch.setattr(active, "WRITE_PAUSE", 0.05)
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.2)


def ticket_files(desk: Desk) -> list[Any]:
    """The tickets that lie in files of their own."""
    folder = tickets.folder(desk.settings().home)
    return [json.loads(file.read_text())["ticket"] for file in folder.glob("*.json")]


class Away:
    """A journal that nobody can write, from when `take` is called until `give_back`."""

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url)
        self._blocker: sqlite3.Connection | None = None

    def take(self) -> None:
        if self._url.database and self._url.get_backend_name() == "sqlite":
            self._blocker = sqlite3.connect(self._url.database, check_same_thread=False)
            self._blocker.isolation_level = None
            self._blocker.execute("PRAGMA busy_timeout = 60000")
            self._blocker.execute("BEGIN IMMEDIATE")
        else:
            self._on_server(False)
            terminate(self._url)

    def give_back(self) -> None:
        if self._blocker is not None:
            self._blocker.execute("ROLLBACK")
            self._blocker.close()
        else:
            self._on_server(True)

    def _on_server(self, allowed: bool) -> None:
        server = sa.create_engine(self._url.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            name = self._url.database
            connection.execute(sa.text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}"))
        server.dispose()


def terminate(url: sa.URL) -> None:
    """End every connection to a database of PostgreSQL, at the server."""
    server = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
            {"name": url.database},
        )
    server.dispose()


def on_create(desk: Desk, action: Callable[[], None]) -> None:
    """Do something once, between the arrival of a create and the answer to it."""
    done: list[bool] = []

    def noticed(request: Request) -> bool:
        if is_create(request) and not done:
            done.append(True)
            action()
        return False

    desk.fake.fault(noticed, "reset")


# ------------------------------------------------------------------------ a ticket has one row


def test_a_ticket_of_a_held_row_is_refused_to_another(url: str) -> None:
    journal = Journal(url)
    first, _ = journal.reserve(new("a"))
    second, _ = journal.reserve(new("b"))
    for row in (first, second):
        journal.take_slot(row.id, None)
    journal.advance(first.id, "running", task=TASK)
    with pytest.raises(TicketTaken):
        journal.advance(second.id, "running", task=TASK)
    assert (journal.get(second.id).state, journal.get(second.id).task) == ("submitting", None)


def test_the_database_itself_refuses_a_ticket_that_a_held_row_has(url: str) -> None:
    journal = Journal(url)
    first, _ = journal.reserve(new("a"))
    second, _ = journal.reserve(new("b"))
    journal.take_slot(first.id, None)
    journal.advance(first.id, "running", task=TASK)
    with journal._opened().begin() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(
            sa.update(schema.orders).where(schema.orders.c.id == second.id).values(ticket=TASK)
        )


def test_an_order_that_is_given_the_ticket_of_another_is_unclear_and_never_a_copy(
    desk: Desk,
) -> None:
    runner = desk.runner()
    desk.video(runner, seed=0)
    first = desk.row()
    same = {"id": "vid_0001", "status": "queued", "model": "seedance-2.0"}
    desk.fake.fault(is_create, Answer(202, json=same))
    with pytest.raises(Unclear, match=f"{TASK}, which another order has already") as caught:
        desk.video(runner, seed=1)
    second = desk.row()
    assert (caught.value.spent, caught.value.row) == ("unknown", second.id)
    assert (second.state, second.task, second.file) == ("unclear", None, None)
    assert runner.journal.get(first.id).task == TASK
    assert len(list(desk.output.glob("*.mp4"))) == 1
    assert ticket_files(desk) == []


def test_a_ticket_may_come_back_to_a_row_once_the_other_has_ended(url: str) -> None:
    journal = Journal(url)
    first, _ = journal.reserve(new("a"))
    move(journal, first.id, "cancelled", task=TASK)
    second, _ = journal.reserve(new("b"))
    assert move(journal, second.id, "running", task=TASK).task == TASK
    found = journal.by_ticket(TASK)
    assert found is not None
    assert found.id == second.id


# ----------------------------------------------------------- the ticket is safe before the journal


def test_the_ticket_is_on_the_disk_before_the_journal_is_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = Journal.advance
    at_advance: list[Any] = []

    def noted(self: Journal, row_id: int, state: str, **values: Any) -> Any:
        if state == "running":
            at_advance.extend(ticket_files(desk))
        return advance(self, row_id, state, **values)

    monkeypatch.setattr(Journal, "advance", noted)
    desk.video()
    assert at_advance == [TASK]
    assert ticket_files(desk) == []


def test_a_journal_that_is_away_after_the_create_gets_the_ticket_when_it_is_back(
    desk: Desk, url: str, quick: None
) -> None:
    away = Away(url)
    desk.fake.polls_until_done = 10**6
    on_create(desk, away.take)
    runner = desk.runner()
    job = desk.start(runner)
    try:
        until(lambda: job.task)
        assert (job.task, ticket_files(desk)) == (TASK, [TASK])
    finally:
        away.give_back()
    # Nothing happens in the order itself: the heartbeat writes the ticket.
    until(lambda: ticket_files(desk) == [])
    row = desk.row()
    assert (row.task, row.state) == (TASK, "running")
    desk.fake.polls_until_done = 0
    assert job.wait().task == TASK
    assert desk.fake.creates == 1


def test_a_video_that_is_saved_while_the_journal_is_away_is_written_when_it_is_back(
    desk: Desk, url: str, quick: None
) -> None:
    away = Away(url)
    on_create(desk, away.take)
    runner = desk.runner()
    try:
        result = desk.video(runner)
        assert result.file.read_bytes() == desk.fake.clip
        assert ticket_files(desk) == [TASK]
    finally:
        away.give_back()
    until(lambda: desk.row().state == "saved")
    assert (desk.row().task, desk.row().holder, ticket_files(desk)) == (TASK, None, [])
    assert desk.video(runner).reused
    assert desk.fake.creates == 1


def test_the_same_order_joins_the_video_that_the_journal_could_not_take(
    desk: Desk, url: str, quick: None
) -> None:
    if not url.startswith("sqlite"):
        pytest.skip("a journal on PostgreSQL that is away cannot be read either")
    away = Away(url)
    on_create(desk, away.take)
    runner = desk.runner()
    try:
        first = desk.video(runner)
        assert desk.video(runner).file == first.file
    finally:
        away.give_back()
    assert desk.fake.creates == 1


def test_a_refusal_while_the_journal_is_away_is_told_as_it_is_and_written_later(
    desk: Desk, url: str, quick: None
) -> None:
    away = Away(url)
    on_create(desk, away.take)
    desk.fake.fault(is_create, "status:400")
    runner = desk.runner()
    try:
        with pytest.raises(SeedanceError) as caught:
            desk.video(runner)
        assert (caught.value.kind, caught.value.spent) == ("Refused", "no")
    finally:
        away.give_back()
    until(lambda: desk.row().state == "refused")
    assert desk.video(runner).state == "saved"
    assert desk.fake.creates == 1


def test_a_connection_that_breaks_after_the_create_loses_nothing(
    postgres_url: str, tmp_path: Path
) -> None:
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path, SEEDANCE_JOURNAL_URL=postgres_url)
        on_create(desk, lambda: terminate(sa.make_url(postgres_url)))
        assert desk.video().task == TASK
        assert (desk.row().state, desk.row().task, fake.creates) == ("saved", TASK, 1)
        assert ticket_files(desk) == []


def test_statistics_that_cannot_be_read_lose_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def typical_seconds(*_: Any) -> float:
        raise BadOrder("The journal cannot be read: the connection is broken.")

    monkeypatch.setattr(Journal, "typical_seconds", typical_seconds)
    assert desk.video().task == TASK
    assert desk.fake.creates == 1


# ---------------------------------------------------------- tickets of processes that are no more


def died_with_a_ticket(desk: Desk) -> int:
    """What a process leaves that was killed between its ticket's file and the journal; the row."""
    runner = desk.runner()
    order = desk.order()
    journal = runner.journal
    journal.holder = dead_holder()
    prepared = quotes.prepare(order, desk.settings())
    row, _ = journal.reserve(
        new(
            prepared.fingerprint,
            asked=prepared.asked,
            account=quotes.account_of("lumenfall", desk.fake.key),
            order=prepared.order.describe(),
            target=str(desk.output / "of the dead.mp4"),
            estimate=Money(1.5, "USD"),
            budget_usd=1.5,
        )
    )
    journal.take_slot(row.id, None)
    desk.fake.accept({"model": "seedance-2.0", "prompt": "a fox"}, "vid_{n:04d}")
    tickets.write(desk.settings().home, row, TASK)
    return row.id


def test_the_next_order_brings_the_ticket_of_a_dead_process_into_the_journal(desk: Desk) -> None:
    row_id = died_with_a_ticket(desk)
    result = desk.video()
    assert (result.task, result.row, desk.sent_creates) == (TASK, row_id, 0)
    assert result.file == desk.output / "of the dead.mp4"
    assert ticket_files(desk) == []


@pytest.mark.parametrize("by", ["recover", "collect"])
def test_recovering_and_collecting_bring_it_too(desk: Desk, by: str) -> None:
    row_id = died_with_a_ticket(desk)
    runner = desk.runner()
    if by == "recover":
        assert runner.recover() == 1
        until(lambda: desk.row().state == "saved")
    else:
        assert runner.collect(TASK).wait().row == row_id
    assert (desk.row().task, len(runner.tasks()), desk.sent_creates) == (TASK, 1, 0)


def test_a_journal_that_knows_no_such_row_gets_one(desk: Desk, url: str, tmp_path: Path) -> None:
    died_with_a_ticket(desk)
    sql(url, "DELETE FROM orders")
    result = desk.video()
    assert (result.task, desk.sent_creates) == (TASK, 0)
    assert desk.row().cost == Money(1.51, "USD")


def test_the_price_that_was_told_with_a_ticket_comes_back_with_it(desk: Desk) -> None:
    row = desk.runner().journal.get(died_with_a_ticket(desk))
    home, told = desk.settings().home, Money(1.25, "USD")
    tickets.write(home, replace(row, task=TASK, cost=told), TASK)
    assert tickets.restore(home, desk.runner().journal) == 1
    assert (desk.row().task, desk.row().cost) == (TASK, told)


def test_a_ticket_that_is_collected_elsewhere_stops_nobody(desk: Desk, url: str) -> None:
    died_with_a_ticket(desk)
    elsewhere(url).adopt(TASK, new("collected"))
    runner = desk.runner()
    assert runner.start(desk.order(seed=5))[0].wait().state == "saved"
    assert ticket_files(desk) == []
    assert [row.task for row in runner.tasks()].count(TASK) == 1


def test_a_ticket_of_a_process_that_works_on_is_left_to_it(desk: Desk) -> None:
    desk.fake.fault(is_create, "hang")
    first = desk.start()
    until(lambda: desk.fake.creates)
    other = desk.runner()
    held = next(iter(desk.runner().journal.newest(1)))
    tickets.write(desk.settings().home, held, TASK)
    assert tickets.restore(desk.settings().home, other.journal) == 0
    assert ticket_files(desk) == [TASK]
    desk.fake.let_go()
    assert first.wait().task == TASK
    assert ticket_files(desk) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"ticket": 1}',
        '{"ticket": "lumenfall:vid_0001", "uid": "u"}',
        '{"ticket": "lumenfall:vid_0001", "uid": "u", "row": {"prompt": 1}}',
        '{"ticket": "lumenfall:vid_0001", "uid": "u", "row": []}',
    ],
)
def test_a_file_that_is_no_ticket_stops_nobody_and_stays(desk: Desk, text: str) -> None:
    folder = tickets.folder(desk.settings().home)
    folder.mkdir(parents=True)
    (folder / "odd.json").write_text(text)
    assert desk.video().state == "saved"
    assert (folder / "odd.json").read_text() == text


def test_a_ticket_of_a_newer_version_is_brought_too(desk: Desk) -> None:
    died_with_a_ticket(desk)
    (file,) = tickets.folder(desk.settings().home).glob("*.json")
    record = json.loads(file.read_text())
    record["row"]["not yet invented"] = 1
    file.write_text(json.dumps(record))
    assert desk.video().task == TASK
    assert desk.sent_creates == 0


def test_a_journal_that_is_away_at_the_first_start_gets_the_ticket_at_the_next(
    desk: Desk, url: str, quick: None
) -> None:
    died_with_a_ticket(desk)
    runner, away = desk.runner(), Away(url)
    away.take()
    try:
        with pytest.raises(BadOrder, match="journal"):
            desk.video(runner)
    finally:
        away.give_back()
    assert desk.video(runner).task == TASK
    assert desk.sent_creates == 0


# ----------------------------------------------------------------- forget, and an answer on its way


def taken_and_forgotten(desk: Desk, url: str, row_id: int) -> None:
    """Another process sees the lease run out, and a person forgets the row there."""
    late = elsewhere(url, lambda: time.time() + LEASE_SECONDS + 1)
    claimed = late.claim(row_id)
    assert claimed is not None
    assert claimed.state == "unclear"
    assert late.forget(row_id).state == "cancelled"


def held_create(desk: Desk) -> threading.Event:
    """Hold the answer to the next create until the event is set."""
    go = threading.Event()

    def held(request: Request) -> bool:
        return is_create(request)

    answer = desk.fake._answer

    def waiting(request: Request) -> Any:
        found = answer(request)
        if held(request) and len(desk.fake.tasks) == 1:
            go.wait(60)
        return found

    desk.fake._answer = waiting  # type: ignore[method-assign]
    return go


def test_an_answer_that_comes_after_the_row_was_forgotten_is_kept_as_a_row_of_its_own(
    desk: Desk, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    go = held_create(desk)
    job = desk.start()
    until(lambda: desk.fake.creates)
    taken_and_forgotten(desk, url, job.row or 0)
    go.set()
    result = job.wait()
    forgotten = desk.runner().journal.get(1)
    assert (result.task, result.row) == (TASK, 2)
    assert (forgotten.state, forgotten.task, forgotten.cost) == ("cancelled", None, None)
    assert "Row 2 of the journal has lumenfall:vid_0001 now." in caplog.text
    assert [total.orders for total in desk.runner().journal.spent(1)] == [1]
    assert desk.video().reused
    assert (desk.fake.creates, ticket_files(desk)) == (1, [])


def test_it_is_kept_also_where_the_order_was_sent_anew_meanwhile(desk: Desk, url: str) -> None:
    go = held_create(desk)
    job = desk.start()
    until(lambda: desk.fake.creates)
    taken_and_forgotten(desk, url, job.row or 0)
    again = desk.video(desk.runner())
    go.set()
    first = job.wait()
    assert (first.task, again.task) == (TASK, "lumenfall:vid_0002")
    assert len({first.row, again.row, 1}) == 3
    assert first.file != again.file
    assert {first.file.exists(), again.file.exists()} == {True}
    assert desk.fake.creates == 2


def test_a_forgotten_task_that_is_collected_later_replaces_no_video(desk: Desk) -> None:
    desk.fake.polls_until_done = 10**6
    runner = desk.runner(SEEDANCE_TIMEOUT="0")
    with pytest.raises(StillRunning) as caught:
        desk.video(runner)
    runner.close()
    desk.fake.polls_until_done = 0
    runner = desk.runner()
    runner.forget(1)
    again = desk.video(runner)
    runner.forget(again.row)
    first = runner.collect(caught.value.task or "").wait()
    assert (first.task, again.task) == (TASK, "lumenfall:vid_0002")
    for result in (first, again):
        assert json.loads(result.sidecar.read_text())["task"] == result.task


def test_an_order_that_is_on_its_way_is_not_forgotten_in_its_own_process(desk: Desk) -> None:
    go = held_create(desk)
    runner: Runner = desk.runner()
    job = desk.start(runner)
    until(lambda: desk.fake.creates)
    with pytest.raises(BadOrder, match="being sent") as caught:
        runner.forget(job.row or 0)
    assert caught.value.spent == "unknown"
    go.set()
    assert job.wait().task == TASK
